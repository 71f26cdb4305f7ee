"""Rows of a gallery's tables: files and the items seen in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class NewItem:
    """Something seen in a file, to be written."""

    kind: str
    """drawing, look or pose."""
    maker: str
    """What made the vector; only vectors of one kind and maker are compared."""
    box: Box
    """x0, y0, x1, y1 in pixels of the picture."""
    vector: np.ndarray
    """(D,) finite numbers; kept as float16."""
    detail: str | None = None
    """What else is to be told of it, as text."""


@dataclass(frozen=True)
class Item:
    """Something seen in a file, as read."""

    id: int
    path: str
    """Of its file, relative to the folder of photos."""
    box: Box
    detail: str | None


@dataclass(frozen=True)
class FileRow:
    """A file as it was when it was looked at."""

    path: str
    """Relative to the folder of photos, with / between."""
    size: int
    mtime_ns: int
    sha256: bytes | None = None
    """Of the content; None where it could not be read."""
    height: int | None = None
    width: int | None = None
    error: str | None = None
    """Why the picture could not be read."""
    made: frozenset[str] = frozenset()
    """The makers that have dealt with it, whether they found anything or not."""
    id: int = 0
    """0 for one that is not in the gallery yet."""
