"""Brings a gallery up to date with its folder of photos: what is new, changed, moved or gone.

A file of the size and time it had is taken for unchanged. Of others the content decides: known
content is not looked at again, wherever it lies now. Each batch is one transaction, so whatever
ends the work leaves whole photos, and the next time goes on from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vunet.gallery import joints
from vunet.gallery.photos import (
    MOST_PEOPLE,
    Crop,
    Embedder,
    crops_of,
    embedded,
    maker_of,
    poses_of,
)
from vunet.gallery.records import FileRow, NewItem
from vunet.gallery.store import Store
from vunet.gallery.trouble import GalleryError
from vunet.images import MAX_FILE_BYTES, ImageError, read_image, shown
from vunet.poses import PeopleFinder

PICTURES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif"}
    | {".heic", ".heif"}
)
"""Endings of files that are looked at; HEIC is told as unreadable rather than passed over."""
BATCH = 32
"""Photos in a transaction."""
_RENEWED_EVERY = 64
"""Batches after which the approximate indexes are looked after."""
_REMOVED_AT_ONCE = 1000


@dataclass(frozen=True)
class Report:
    """What came of an update."""

    total: int
    """Photos in the gallery now."""
    added: int
    changed: int
    moved: int
    removed: int
    remade: int
    """Photos looked at again because the weights, or how poses are compared, have changed."""
    unreadable: tuple[str, ...]
    """A sentence for each file that could not be read."""

    def summary(self) -> str:
        """One line for people."""
        parts = [f"{self.total} photos"]
        for name in ("added", "changed", "moved", "removed", "remade"):
            count = getattr(self, name)
            if count:
                parts.append(f"{count} {name}")
        if self.unreadable:
            parts.append(f"{len(self.unreadable)} could not be read")
        return ", ".join(parts)


@dataclass(frozen=True)
class Makers:
    """What makes vectors in an update; what is None leaves its items as they are."""

    embedder: Embedder | None
    finder: PeopleFinder | None

    def names(self) -> frozenset[str]:
        """Of all that is to be made."""
        made = set()
        if self.embedder is not None:
            made.add(maker_of(self.embedder))
        if self.finder is not None:
            made.add(joints.MAKER)
        return frozenset(made)

    def kept(self, made: frozenset[str]) -> frozenset[str]:
        """Of what was made before, what still holds."""
        wanted = self.names()
        poses = {name for name in made if name.startswith(joints.FAMILY)}
        superseded = (poses if self.finder is not None else set()) | (
            made - poses if self.embedder is not None else set()
        )
        return frozenset((made - superseded) | (made & wanted))


def update(store: Store, root: Path, makers: Makers, *, quiet: bool = True) -> Report:
    """Bring a gallery up to date.

    Args:
        store: The gallery.
        root: Folder of photos, searched with its sub-folders; hidden ones are left out.
        makers: What makes vectors.
        quiet: No progress bar.

    Raises:
        GalleryError: If there is no such folder, another process writes, or the disk is full.
    """
    if not root.is_dir():
        raise GalleryError(f"{shown(root)} is no folder; give one of photos")
    with store.writing():
        return _Update(store, root, makers).run(quiet)


@dataclass(eq=False)
class _Photo:
    """A photo on its way into the gallery."""

    file: FileRow
    before: FileRow | None
    """What the gallery knew under this path."""
    moved_from: FileRow | None = None
    kept: frozenset[str] = frozenset()
    """Makers whose items stay where they are."""
    items: list[NewItem] = field(default_factory=list)
    """To be written."""
    crops: list[Crop] = field(default_factory=list)
    """Still to be embedded."""
    looked: bool = False
    """Whether the picture was read, its content being new or something to be made of it."""


class _Update:
    def __init__(self, store: Store, root: Path, makers: Makers) -> None:
        self.store, self.root, self.makers = store, root, makers
        self.wanted = makers.names()
        self.counts = dict.fromkeys(("added", "changed", "moved", "removed", "remade"), 0)
        self.unreadable: list[str] = []
        self.lost: dict[bytes, list[FileRow]] = {}
        """Files that are no longer where they were, by content: they may have moved."""
        self.done = self.total = 0
        """Files that need nothing more, and all."""

    def run(self, quiet: bool) -> Report:
        known = self.store.files()
        found, closed = self._scan()
        there = {file.path for file in found}
        for path, file in known.items():
            if path not in there and not path.startswith(closed):
                self.lost.setdefault(file.sha256 or b"", []).append(file)
        todo = [file for file in found if not self._is_done(known.get(file.path), file)]
        self.done, self.total = len(found) - len(todo), len(found)
        if todo or self.store.progress is not None:
            with self.store.transaction():
                self.store.set_progress(self.done, self.total)
        embedder = self.makers.embedder
        if embedder is not None and maker_of(embedder) not in self.store.makers():
            with self.store.transaction():
                self.store.add_maker(maker_of(embedder), embedder.name, embedder.sha256)
        with tqdm(total=len(todo), desc="photos", unit="photo", disable=quiet) as bar:
            for number, start in enumerate(range(0, len(todo), BATCH), 1):
                batch = todo[start : start + BATCH]
                self._take([self._look(file, known.get(file.path)) for file in batch])
                bar.update(len(batch))
                if number % _RENEWED_EVERY == 0:
                    self.store.renew_indexes()
        gone = [file for files in self.lost.values() for file in files]
        for start in range(0, len(gone), _REMOVED_AT_ONCE):
            with self.store.transaction():
                for file in gone[start : start + _REMOVED_AT_ONCE]:
                    self.store.remove(file)
        self.counts["removed"] = sum(file.error is None for file in gone)
        self.store.renew_indexes(quiet=quiet)
        total = sum(file.error is None for file in self.store.files().values())
        return Report(total=total, unreadable=tuple(self.unreadable), **self.counts)

    def _scan(self) -> tuple[list[FileRow], tuple[str, ...]]:
        """The pictures in the folder, by path, and the folders that may not be read, with a /."""
        found, closed = [], []

        def refused(error: OSError) -> None:
            name = os.fsdecode(error.filename)
            closed.append(f"{Path(name).relative_to(self.root).as_posix()}/")
            self.unreadable.append(f"{shown(name)} may not be read; change its permissions")

        for folder, folders, names in os.walk(self.root, onerror=refused):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(folder, name)
                if name.startswith(".") or path.suffix.lower() not in PICTURES:
                    continue
                with contextlib.suppress(OSError):  # a link to nowhere, or gone by now
                    status = path.stat()
                    where = path.relative_to(self.root).as_posix()
                    found.append(FileRow(where, status.st_size, status.st_mtime_ns))
        if "./" in closed:
            raise GalleryError(f"{shown(self.root)} may not be read; change its permissions")
        return sorted(found, key=lambda file: file.path), tuple(closed)

    def _is_done(self, known: FileRow | None, file: FileRow) -> bool:
        return (
            known is not None
            and (known.size, known.mtime_ns) == (file.size, file.mtime_ns)
            and known.error is None
            and self.wanted <= known.made
        )

    def _look(self, file: FileRow, before: FileRow | None) -> _Photo | None:
        """A photo with what is to be kept of it; None if it has vanished."""
        path = self.root / file.path
        try:
            sha256 = _digest(path)
        except FileNotFoundError:
            return None
        photo = _Photo(replace(file, sha256=sha256), before)
        base, moved = self._same(photo)
        photo.moved_from = base if moved else None
        kept = frozenset() if base is None else self.makers.kept(base.made)
        if base is not None and base in (before, photo.moved_from):
            photo.kept = kept
        elif base is not None:
            photo.items += [item for item in self.store.items_of(base) if item.maker in kept]
        facts = {"made": kept | self.wanted}
        if base is not None and self.wanted <= kept:
            photo.file = replace(photo.file, height=base.height, width=base.width, **facts)
        else:
            photo.looked = True
            try:
                image = read_image(path)
            except ImageError as error:
                if not path.exists():
                    return None
                return _Photo(replace(file, sha256=sha256, error=str(error)), before)
            size = image.shape[:2]
            photo.file = replace(photo.file, height=size[0], width=size[1], **facts)
            self._see(photo, image, self.wanted - kept)
        if base is not None and moved:
            self.lost[base.sha256 or b""].remove(base)
        return photo

    def _same(self, photo: _Photo) -> tuple[FileRow | None, bool]:
        """A known file of the same content, this or another; whether it has moved here."""
        sha256, before = photo.file.sha256, photo.before
        if sha256 is None:
            return None, False
        if before is not None and before.error is None and before.sha256 == sha256:
            return before, False
        lost = self.lost.get(sha256, [])
        if before is None and lost and lost[0].error is None:
            return lost[0], True
        return next(iter(self.store.same_content(sha256)), None), False

    def _see(self, photo: _Photo, image: np.ndarray, missing: frozenset[str]) -> None:
        """Find people, and cut out what is to be embedded."""
        finder, embedder = self.makers.finder, self.makers.embedder
        people = [] if finder is None else finder.find(image, max_people=MOST_PEOPLE)
        if joints.MAKER in missing:
            photo.items += poses_of(people)
        if embedder is not None and maker_of(embedder) in missing:
            photo.crops = crops_of(image, people)

    def _take(self, batch: Sequence[_Photo | None]) -> None:
        """Write a batch."""
        photos = [photo for photo in batch if photo is not None]
        if self.makers.embedder is not None:
            made = embedded([photo.crops for photo in photos], self.makers.embedder)
            for photo, items in zip(photos, made, strict=True):
                photo.items += items
        self.done += len(batch)
        with self.store.transaction():
            self.store.set_progress(self.done, self.total)
            for photo in photos:
                if photo.moved_from is not None:
                    self.store.move(photo.moved_from, photo.file)
                self.store.put(photo.file, photo.items, photo.kept)
        for photo in photos:
            self._count(photo)

    def _count(self, photo: _Photo) -> None:
        before, what = photo.before, None
        if photo.file.error is not None:
            self.unreadable.append(photo.file.error)
        elif photo.moved_from is not None:
            what = "moved"
        elif before is None:
            what = "added"
        elif before.error is not None or before.sha256 != photo.file.sha256:
            what = "changed"
        elif photo.looked:
            what = "remade"
        if what is not None:
            self.counts[what] += 1


def _digest(path: Path) -> bytes | None:
    """SHA-256 of a file; None for one that is not to be read, which `read_image` explains.

    Raises:
        FileNotFoundError: If it has vanished.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        raise
    except OSError:
        return None
