"""`Gallery`: a folder of photos in which one finds by drawing, by pose or by another photo.

The one way in for the command line, the app and the tests.
"""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from pose import Pose
from pose.formats import parse_poses
from vunet.gallery import joints
from vunet.gallery.database import DATABASE
from vunet.gallery.photos import Embedder
from vunet.gallery.query import By, Probe, kind_of, probes_of
from vunet.gallery.records import Box, Item
from vunet.gallery.store import Store
from vunet.gallery.trouble import GalleryError
from vunet.gallery.update import Makers, Report, update
from vunet.images import shown
from vunet.poses import ImageLike, PeopleFinder

if TYPE_CHECKING:
    from pose.estimator import Detection

FOLDER = ".vunet-gallery"
"""Where a gallery lies in its folder of photos."""
_Hit = tuple[int, Probe, float]
_POSE_CANDIDATES = 500
"""Among many poses, so many near ones are compared limb by limb."""


@dataclass(frozen=True, eq=False)
class Match:
    """A photo that was found."""

    path: Path
    """The photo."""
    score: float
    """1 for the very same, less for others; to be compared only within one kind of query."""
    by: By
    """What it was found by."""
    box: Box
    """x0, y0, x1, y1 in the photo's pixels of what matches: the whole photo or a person in it."""
    pose: Pose | None = None
    """BODY27 pose in the photo's pixels, where it was found by pose."""
    mirrored: bool = False
    """Whether the mirror image of the query matches."""


class Gallery:
    """A folder of photos in which one finds. Threads may share it; use it as a context or close it.

    `Gallery.open("photos").find("sketch.png")`
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        embedder: Embedder | str | Path | None,
        estimator: PeopleFinder | None,
        device: str,
    ) -> None:
        """Use `open`."""
        self.folder = folder
        self._store = store
        self._given = embedder
        self._device = device
        self._finder = _LateFinder(estimator)
        self._loading = threading.Lock()

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        where: str | Path | None = None,
        create: bool = False,
        embedder: Embedder | str | Path | None = "find",
        estimator: PeopleFinder | None = None,
        device: str = "auto",
    ) -> Gallery:
        """The gallery of a folder of photos.

        Args:
            folder: The photos, or the gallery itself where it lies elsewhere.
            where: Where the gallery lies, or shall; by default in the photos' folder.
            create: Make one where there is none; `update` fills it.
            embedder: Makes vectors of pictures, or the weights to load when first needed; None
                for a gallery of poses alone.
            estimator: Finds people; loaded when first needed if None.
            device: Where the weights run.

        Raises:
            GalleryError: If there is none, it is damaged, or it may not be read or made.
        """
        photos = Path(folder)
        if where is None and (photos / DATABASE).is_file():
            place, photos = photos, None
        else:
            if not photos.is_dir():
                raise GalleryError(f"{shown(photos)} is no folder; give one of photos")
            place = photos / FOLDER if where is None else Path(where)
        if not create and not (place / DATABASE).is_file():
            raise GalleryError(
                f"{shown(folder)} has no gallery; make one with `vunet index {shown(folder)}`"
            )
        store = Store.create(place) if create else Store.open(place)
        try:
            root = _root(store, photos, place, apart=where is not None)
        except BaseException:
            store.close()
            raise
        return cls(store, root, embedder, estimator, device)

    def close(self) -> None:
        """Let go of the gallery's files."""
        self._store.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def update(self, *, poses: bool = True, quiet: bool = True) -> Report:
        """Bring the gallery up to date with its folder. May be broken off and begun again.

        Args:
            poses: Look for people and their poses.
            quiet: No progress bar.

        Raises:
            GalleryError: If another process writes it, or the disk is full; what was written
                until then is kept and can be searched.
        """
        embedder = None if self._given is None else self.embedder
        makers = Makers(embedder, self._finder if poses else None)
        return update(self._store, self.folder, makers, quiet=quiet)

    def find(
        self, query: ImageLike | Pose, k: int = 12, *, by: By | None = None, mirror: bool = True
    ) -> list[Match]:
        """The photos that match best, best first; each photo once.

        Args:
            query: A drawing, a stick figure, a photo (paths, PIL pictures or (H, W, 3) uint8 RGB
                arrays), a pose file, the name of a preset, or a `Pose`, of which limbs may miss.
            k: How many at most.
            by: What is compared; by default what the query is.
            mirror: For poses: the mirror image matches, too.

        Raises:
            ValueError: With a sentence, if the query cannot be used, or the gallery was made with
                other weights.
        """
        if k < 1:
            raise GalleryError(f"at least one photo must be asked for, got {k}")
        how = by or kind_of(query)
        probes = probes_of(
            query, how, mirror=mirror, embedder=lambda: self.embedder, finder=self._finder
        )
        wanted = 4 * k
        while True:
            hits, more = self._hits(probes, wanted)
            matches = self._matches(hits, how)
            if len(matches) >= k or not more:
                break
            wanted *= 4
        if not matches:
            self._check_weights(probes[0])
        return matches[:k]

    @cached_property
    def embedder(self) -> Embedder:
        """What makes vectors of drawings and photos; loaded at the first use.

        Raises:
            GalleryError: If this gallery was opened without.
        """
        with self._loading:
            if self._given is None:
                raise GalleryError("this gallery was opened for poses alone; look for a pose")
            if isinstance(self._given, str | Path):
                # By its name as a string, as it brings torch along.
                module = importlib.import_module("vunet.gallery.embedder")
                self._given = module.load_embedder(self._given, self._device)
            assert not isinstance(self._given, str | Path | None)
            return self._given

    def counts(self) -> dict[str, int]:
        """How many items of each kind there are, whatever made them."""
        found: dict[str, int] = {}
        for (kind, _), count in self._store.counts().items():
            found[kind] = found.get(kind, 0) + count
        return found

    def notes(self) -> tuple[str, ...]:
        """Sentences on why a search may miss photos; none once an update has come to its end."""
        progress = self._store.progress
        if progress is None:
            return ()
        return (
            "only {} of {} photos are indexed yet: an index run was broken off, or is still at "
            "work; `vunet index` completes it".format(*progress),
        )

    def people(self) -> dict[Path, Pose]:
        """Photos in which somebody was found, with the pose of the largest, by path."""
        found: dict[Path, Pose] = {}
        for item in self._store.items_of_kind("pose", joints.MAKER):
            pose = _pose_of(item)
            if pose is not None:
                found.setdefault(self.folder / item.path, pose)
        return dict(sorted(found.items()))

    def _hits(
        self, probes: list[Probe], wanted: int
    ) -> tuple[list[tuple[int, Probe, float]], bool]:
        """Items with the probe that they match best, best first; whether there may be more."""
        best: dict[int, tuple[int, Probe, float]] = {}
        more = False
        for probe in probes:
            score = joints.likeness(probe.vector) if probe.kind == "pose" else None
            found = self._store.search(
                probe.kind, probe.maker, probe.vector, wanted, score, _POSE_CANDIDATES
            )
            more |= len(found) >= wanted
            for item, value in found:
                if value > -1 and (item not in best or value > best[item][2]):
                    best[item] = (item, probe, value)
        return sorted(best.values(), key=lambda hit: (-hit[2], hit[0])), more

    def _matches(self, hits: list[_Hit], by: By) -> list[Match]:
        items = self._store.items([item for item, _, _ in hits])
        found: dict[str, Match] = {}
        for key, probe, score in hits:
            item = items.get(key)
            if item is None or item.path in found:
                continue
            path = self.folder / item.path
            if path.is_file():  # it may have gone since the gallery was brought up to date
                found[item.path] = Match(
                    path, score, by, item.box, _pose_of(item), mirrored=probe.mirrored
                )
        return list(found.values())

    def _check_weights(self, probe: Probe) -> None:
        """Say it where nothing was found because of other weights."""
        counts = self._store.counts()
        others = [maker for kind, maker in counts if kind == probe.kind]
        if others and (probe.kind, probe.maker) not in counts:
            raise GalleryError(
                f"the gallery of {shown(self.folder)} was made with other weights "
                f"({others[0].partition(':')[0]}); run `vunet index` again"
            )


class _LateFinder:
    """Finds people; loads what does so when first asked, as most queries need none."""

    def __init__(self, finder: PeopleFinder | None) -> None:
        self._finder = finder
        self._loading = threading.Lock()

    def find(self, image: np.ndarray, max_people: int = 1) -> list[Detection]:
        """As `PoseEstimator.find`."""
        with self._loading:
            if self._finder is None:
                self._finder = importlib.import_module("pose.estimator").PoseEstimator()
        return self._finder.find(image, max_people)


def _pose_of(item: Item) -> Pose | None:
    return None if item.detail is None else parse_poses(item.detail)[0]


def _root(store: Store, photos: Path | None, place: Path, *, apart: bool) -> Path:
    """The folder of photos; written down where the gallery does not lie in it.

    Raises:
        GalleryError: If the gallery is that of another folder.
    """
    known = store.root
    if photos is None:
        return place.absolute().parent if known is None else Path(known)
    if apart:
        here = str(photos.resolve())
        if known is not None and known != here and Path(known).is_dir():
            raise GalleryError(
                f"{shown(place)} is the gallery of {shown(known)}; choose another place"
            )
        if known != here:
            with store.writing(), store.transaction():
                store.set_root(here)
    return photos
