"""The galleries of the app: the folder it was started with, and the photos that a visitor gives.

    vunet app --gallery FOLDER ----> Finding ----> tab *Find*: matches
    photos of a visit -------------> (one         tab *Draw*: shadow, nearest photos
      their own folder, gone with    embedder)
      the visit

Where a visitor has given photos, these are searched unless they choose the folder.
"""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr
import numpy as np

from apps.errors import UsageError
from apps.matches import entries, picture_url
from apps.studio import Studio, Upload, known, path_of, refusal
from vunet.checkpoint import list_weights
from vunet.gallery.embedder import load_embedder
from vunet.gallery.gallery import Gallery, Match
from vunet.gallery.query import By
from vunet.gallery.shadow import MOST, Shadows
from vunet.gallery.views import view
from vunet.images import ImageError, shown

WEIGHTS = "find"
"""Weights that find, unless others are given."""
MOST_OWN = 200
"""So many photos may a visitor give."""
MOST_MATCHES = 60
THE_FOLDER, MY_PHOTOS = "The folder", "My photos"
_AT_ONCE = 8
"""Photos of a visitor that are indexed between two looks at Cancel."""
_THUMBNAIL_PX = 240
_THUMBNAILS = 2000
_NONE_YET = "There are no photos to search yet. Give some of your own under My photos"


@dataclass(eq=False)
class Own:
    """The photos that a visitor gave."""

    folder: Path
    gallery: Gallery
    count: int = 0

    def remove(self) -> None:
        """Forget them."""
        self.gallery.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Searched:
    """Which photos a visitor searches; shared by the tabs."""

    own: gr.State
    """`Own`, or None."""
    where: gr.State
    """`THE_FOLDER` or `MY_PHOTOS`."""

    @classmethod
    def at_first(cls) -> Searched:
        """Those of the app's folder."""
        return cls(gr.State(None, delete_callback=_forgotten), gr.State(THE_FOLDER))


@dataclass(frozen=True, eq=False)
class Found:
    """Photos that were found for a visitor."""

    matches: tuple[Match, ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Why photos may be missing."""

    def named(self, name: object) -> Match | None:
        """The match of this name."""
        return dict(zip(self.names, self.matches, strict=True)).get(str(name))


class Finding:
    """What the tabs ask for photos. Safe to share between threads."""

    def __init__(
        self, studio: Studio, weights: str | Path | None = None, folder: Path | None = None
    ) -> None:
        """Load the network, and open the gallery if there is one.

        Args:
            studio: Has the folder for visitors' photos, and finds people.
            weights: Name, file or run folder; None takes `WEIGHTS`.
            folder: Photos that `vunet index` went through.

        Raises:
            ValueError: A sentence, if the weights or the gallery cannot be used.
        """
        self._studio = studio
        self._estimator = studio.engine.estimator
        self._embedder = load_embedder(weights or WEIGHTS, studio.engine.device.type)
        self._shadows = Shadows(self._estimator)
        self._visits: WeakValueDictionary[str, Own] = WeakValueDictionary()
        self._lock = threading.Lock()
        self.folder = folder
        self._fixed = None if folder is None else self._opened(folder)

    @property
    def has_folder(self) -> bool:
        """Whether the app was started with a gallery."""
        return self._fixed is not None

    def _opened(self, folder: Path) -> Gallery:
        gallery = Gallery.open(folder, embedder=self._embedder, estimator=self._estimator)
        if not gallery.counts():
            gallery.close()
            raise UsageError(
                f"the gallery of {shown(folder)} holds no photos yet; "
                f"run `vunet index {shown(folder)}`"
            )
        return gallery

    def searched(self, own: Own | None, where: object) -> Gallery:
        """The gallery that a visitor searches.

        Args:
            own: Their own photos.
            where: `THE_FOLDER` or `MY_PHOTOS`; only counts where there are both.

        Raises:
            gr.Error: If there is none.
        """
        mine = known({word: word for word in (THE_FOLDER, MY_PHOTOS)}, str(where)) == MY_PHOTOS
        if own is not None and (mine or self._fixed is None):
            try:
                os.utime(own.folder)  # in use, so that `apps.tidy` leaves it
            except FileNotFoundError as error:
                raise refusal("Your photos are no longer kept; reload the page.") from error
            return own.gallery
        if self._fixed is None or mine:
            raise refusal(f"{_NONE_YET}, or start the app with --gallery FOLDER.")
        return self._fixed

    def find(
        self,
        gallery: Gallery,
        query: Any,  # noqa: ANN401 - as `Gallery.find`
        count: int,
        by: By | None = None,
        mirror: bool = True,
    ) -> Found:
        """Photos that match, best first.

        Raises:
            ValueError: A sentence, if the query cannot be used.
        """
        matches = gallery.find(query, count, by=by, mirror=mirror)
        return Found(
            tuple(matches),
            tuple(match.path.relative_to(gallery.folder).as_posix() for match in matches),
            gallery.notes() if gallery is self._fixed else (),
        )

    def listed(self, found: Found, most: int | None = None) -> dict[str, Any]:
        """The value of a list of matches."""
        shown = zip(found.matches[:most], found.names[:most], strict=True)
        return entries([(match, name, _thumbnail_of(match)) for match, name in shown])

    def shadow(self, found: Found, drawing: np.ndarray) -> np.ndarray | None:
        """See `Shadows.shadow`."""
        return self._shadows.shadow(found.matches[:MOST], drawing)

    # -- a visitor's own photos ------------------------------------------------------------------

    def add(
        self,
        own: Own | None,
        uploads: Sequence[Upload],
        visit: str | None,
        progress: Callable[..., object],
    ) -> Generator[None, None, tuple[Own, tuple[str, ...]]]:
        """Index photos that a visitor gives, stage by stage, see `apps.cancel.staged`.

        Args:
            own: What they gave before; those stay.
            uploads: The files.
            visit: What gradio calls the visit; `left` then forgets them.
            progress: Told of each stage.

        Returns:
            Their photos, and sentences on uploads that cannot be read.

        Raises:
            gr.Error: If they are too many.
        """
        have = 0 if own is None else len(_names_in(own.folder))
        if have + len(uploads) > MOST_OWN:
            raise refusal(
                f"At most {MOST_OWN} photos can be given here, and these would be "
                f"{have + len(uploads)}. For more, start the app with --gallery FOLDER."
            )
        now = self._begun() if own is None else own
        try:
            unreadable: list[str] = []
            taken = _names_in(now.folder)
            for start in range(0, len(uploads), _AT_ONCE):
                batch, done = uploads[start : start + _AT_ONCE], start / len(uploads)
                progress(done, desc=f"Looking at photo {start + 1} of {len(uploads)}")
                for upload in batch:
                    path = path_of(upload)
                    if path is not None:
                        shutil.copyfile(path, now.folder / _free_name(upload, path, taken))
                report = now.gallery.update(quiet=True)
                now.count = report.total
                here = f"{shown(now.folder)}{os.sep}"
                unreadable += [text.replace(here, "") for text in report.unreadable]
                yield
        except BaseException:  # cancelled, too
            if own is None:
                now.remove()
            raise
        if visit:
            with self._lock:
                self._visits[visit] = now
        return now, tuple(dict.fromkeys(unreadable))

    def _begun(self) -> Own:
        folder = self._studio.new_folder()
        gallery = Gallery.open(
            folder, create=True, embedder=self._embedder, estimator=self._estimator
        )
        return Own(folder, gallery)

    def left(self, request: gr.Request) -> None:
        """A visitor leaves the page: forget their photos."""
        with self._lock:
            own = self._visits.pop(request.session_hash or "", None)
        if own is not None:
            own.remove()


def _forgotten(own: Own | None) -> None:
    if own is not None:
        own.remove()


def finds(weights: str | Path | None, folder: Path | None) -> bool:
    """Whether the app can find: weights ship with the project, or something was given."""
    return (
        weights is not None or folder is not None or any(w.name == WEIGHTS for w in list_weights())
    )


def person_at(match: Match, people: Sequence[Any]) -> int:
    """Which of a photo's people a match shows: 1 is the largest.

    Args:
        match: Found.
        people: `pose.estimator.Detection`, largest first.
    """
    x0, y0, x1, y1 = match.box
    inside = [
        float(person.mask[int(y0) : round(y1), int(x0) : round(x1)].sum())
        / max(float((x1 - x0) * (y1 - y0)), 1.0)
        for person in people
    ]
    return 1 + int(np.argmax(inside)) if inside else 1


def _names_in(folder: Path) -> set[str]:
    """Of the photos."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def _free_name(upload: Upload, path: str, taken: set[str]) -> str:
    """A name for an upload that no other has."""
    given = upload.get("orig_name") if isinstance(upload, dict) else None
    name = Path(str(given or path)).name.lstrip(".") or "photo"
    stem, ending, number = Path(name).stem, Path(name).suffix, 1
    while name in taken:
        number += 1
        name = f"{stem} ({number}){ending}"
    taken.add(name)
    return name


def _thumbnail_of(match: Match) -> str:
    try:
        return _thumbnail(match.path, match.path.stat().st_mtime_ns, match.box)
    except (OSError, ImageError):  # gone since it was found
        return ""


@functools.lru_cache(maxsize=_THUMBNAILS)
def _thumbnail(path: Path, changed_ns: int, box: tuple[float, float, float, float]) -> str:
    del changed_ns  # another picture, another key
    return picture_url(view(path, box, _THUMBNAIL_PX))
