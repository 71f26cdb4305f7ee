"""The parts of a face: the points that place them, their windows, and how windows are cut and laid.

A face has five parts: two eyes with their brows (left and right as seen in the picture), nose,
mouth, and the rest: outline, ears, hair. Each of the first four has a square window that moves with
its points; the rest is the whole square with the four windows left blank. Lengths are in sides of
the square picture in which `vunet.face.template` places faces. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np

from vunet.face.template import Frame, face_frame

T = TypeVar("T")
POINTS = (
    *(33, 133, 362, 263, 159, 386, 105, 334, 1, 98, 327),
    *(61, 291, 0, 17, 152, 234, 454, 172, 397, 10),
)
"""Points of the mesh that a drawing's face is described by: corners and lids of the eyes, brows,
nose, mouth, chin, cheeks, jaw, forehead."""
_ANCHOR_ROWS = ((0, 1), (2, 3), (8,), (11,), (12,), (15,))
"""Rows of `POINTS` that make each of `vunet.face.template.anchors`."""
MIRRORED = (3, 2, 1, 0, 5, 4, 7, 6, 8, 10, 9, 12, 11, 13, 14, 15, 17, 16, 19, 18, 20)
"""Which of `POINTS` each becomes in a mirror."""


@dataclass(frozen=True)
class Part:
    """A part with a window of its own."""

    name: str
    rows: tuple[int, ...]
    """Of `POINTS`: their middle places the window, ..."""
    below: float
    """... so far above the window's middle."""
    side: float
    """Of the window."""


PARTS = (
    Part("left-eye", (0, 1), -0.03, 0.24),
    Part("right-eye", (2, 3), -0.03, 0.24),
    Part("nose", (8, 9, 10), -0.03, 0.19),
    Part("mouth", (11, 12, 13, 14), 0.0, 0.25),
)
WINDOWS = {part.name: part for part in PARTS}
"""The same by name."""
REST = "rest"
"""The name of what has no window."""
NAMES = (*(part.name for part in PARTS), REST)
GROUPS: dict[str, tuple[str, ...]] = {
    "eyes": ("left-eye", "right-eye"),
    "hair": (REST,),
    "outline": (REST,),
    "all": NAMES,
}
"""Further names that may be given for parts."""


def named_parts(name: str) -> tuple[str, ...]:
    """The parts that a name stands for.

    Raises:
        ValueError: If it is none of `NAMES` or `GROUPS`.
    """
    if name in NAMES:
        return (name,)
    if name in GROUPS:
        return GROUPS[name]
    known = ", ".join((*NAMES, *GROUPS))
    raise ValueError(f"{name!r} is no part of a face; there are {known}")


def by_part(given: Mapping[str, T]) -> dict[str, T]:
    """What is given by names, by the parts that they stand for; narrow names win over wide ones.

    Raises:
        ValueError: If a name is none of `NAMES` or `GROUPS`.
    """
    found: dict[str, T] = {}
    for name in sorted(given, key=lambda name: -len(named_parts(name))):
        found |= dict.fromkeys(named_parts(name), given[name])
    return found


def frame_of_points(points: np.ndarray) -> Frame:
    """The square in which a face with these points (21, 2) lies as faces do."""
    return face_frame(np.stack([points[list(rows)].mean(0) for rows in _ANCHOR_ROWS]))


def turn(points: np.ndarray) -> float:
    """How far a face is turned to the right of the picture: 0 from the front, about 0.5 in profile.

    Where the tip of the nose lies between and beside the eyes' middles, in eye distances.

    Args:
        points: (21, 2) of the face.
    """
    eyes = [points[list(rows)].mean(0) for rows in _ANCHOR_ROWS[:2]]
    across = eyes[1] - eyes[0]
    off = points[_ANCHOR_ROWS[2][0]] - (eyes[0] + eyes[1]) / 2
    return float(off @ across / max(1e-9, float(across @ across)))


def centre(part: Part, points: np.ndarray) -> np.ndarray:
    """(2,) x, y of the middle of a part's window, of points (21, 2) in sides of the square."""
    return points[list(part.rows)].mean(0) + np.array([0.0, part.below])


def window(picture: np.ndarray, middle: np.ndarray, side: float, px: int) -> np.ndarray:
    """A square piece of a square picture.

    Args:
        picture: (S, S) float32 ink.
        middle: (2,) x, y in sides of the picture.
        side: Of the window in sides of the picture.
        px: Side of the result in pixels.

    Returns:
        (px, px) float32; paper (0) outside the picture.
    """
    whole = picture.shape[0]
    zoom = side * whole / px
    # pixel i of the result lies at this pixel of the picture
    start = np.asarray(middle) * whole - side * whole / 2 + zoom / 2 - 0.5
    matrix = np.array([[zoom, 0, start[0]], [0, zoom, start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture.astype(np.float32), matrix, (px, px), flags=flags)


def laid(piece: np.ndarray, middle: np.ndarray, side: float, whole: int) -> np.ndarray:
    """A window's piece (px, px) float32 on an empty square picture (whole, whole)."""
    px = piece.shape[0]
    zoom = side * whole / px
    start = np.asarray(middle) * whole - side * whole / 2 + zoom / 2 - 0.5
    matrix = np.array([[zoom, 0, start[0]], [0, zoom, start[1]]])
    return cv2.warpAffine(piece.astype(np.float32), matrix, (whole, whole), flags=cv2.INTER_LINEAR)


def reduced(ink: np.ndarray, px: int) -> np.ndarray:
    """(px, px) float32 ink (S, S) at a smaller size, thin lines kept dark."""
    small = cv2.resize(ink, (px, px), interpolation=cv2.INTER_AREA)
    return np.clip(small * 1.3, 0, 1)


def soft_square(px: int) -> np.ndarray:
    """(px, px) float32, 1 in a window, falling to 0 in the outer eighth."""
    away = np.abs((np.arange(px) + 0.5) / px * 2 - 1)
    one = np.clip((1 - away) / 0.25, 0, 1)
    return np.minimum.outer(one, one).astype(np.float32)


def without_windows(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(S, S) the rest: a square picture whose parts' windows are blank, softly at their rims."""
    blank = np.zeros(picture.shape, np.float32)
    for part in PARTS:
        piece = soft_square(64)
        np.maximum(blank, laid(piece, centre(part, points), part.side, len(picture)), out=blank)
    return picture * (1 - blank)
