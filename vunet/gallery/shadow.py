"""Shadow guidance: the outlines of photos that match, faint, where the drawing would have them.

After Lee, Zitnick and Cohen, "ShadowDraw: real-time user guidance for freehand drawing" (2011). The
lines of each match are made once and kept. A drawing under way is a part of the whole: its frame
lies somewhere in the frame of what it becomes, and of all such places that one is taken where its
strokes lie nearest to the lines of the matches.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vunet.drawing.lines import MAPS, line_maps
from vunet.drawing.subject import object_mask
from vunet.gallery.framing import cut, frame_of
from vunet.gallery.gallery import Match
from vunet.gallery.photos import EMBEDDED_PX, crops_of
from vunet.gallery.views import view
from vunet.images import ImageError
from vunet.poses import PeopleFinder

MOST = 3
"""So many matches make a shadow."""
_TILE = (320, 240)
"""(height, width) of a photo's lines in pixels."""
_KEPT = 500
"""Photos whose lines are kept, a sixth of a megabyte each."""
_SHARES = (0.5, 0.3, 0.2)
_MAP = MAPS.index("contours")
_INK = 200
_LEAST_SHARE = 0.3
"""Of the paper's height that the frame of a drawing is taken for, at least."""
_GROWTH = (1.0, 1.25, 1.6, 2.0, 2.5)
"""How much larger the whole may be than the drawing so far."""
_PLACES = (-1.0, -0.5, 0.0, 0.5, 1.0)
_FAR = 0.1
"""Distance, as a share of a tile's height, beyond which strokes are as far as can be."""
_OUTSIDE = 0.4
"""What it costs to lie outside the paper, ..."""
_LARGER = 0.01
"""... and to be larger than the drawing."""
_POINTS = 400
Frame = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class _Lines:
    """The lines of a photo, as a tile of what it shows."""

    ink: np.ndarray
    """(h, w) float32 in [0, 1]."""
    distance: np.ndarray
    """(h, w) float32, from each place to the nearest line, as a share of the height."""


class Shadows:
    """Makes shadows; keeps the lines of the last photos. Safe to share between threads."""

    def __init__(self, finder: PeopleFinder) -> None:
        """Begin with none.

        Args:
            finder: Tells people from what is round them.
        """
        self._finder = finder
        self._kept: OrderedDict[tuple[Path, int, object], _Lines | None] = OrderedDict()
        self._lock = threading.Lock()

    def shadow(self, matches: Sequence[Match], drawing: np.ndarray) -> np.ndarray | None:
        """The lines of the best matches, laid where the drawing would have them.

        Args:
            matches: Best first; the first `MOST` count.
            drawing: (H, W, 3) uint8 RGB, dark or coloured strokes on white.

        Returns:
            (H, W) uint8, 255 where all photos have lines; None where nothing is drawn or no photo
            can be read.
        """
        inside = drawing.min(axis=2) < _INK
        found = [lines for lines in map(self._lines, matches[:MOST]) if lines is not None]
        if not found or not inside.any():
            return None
        shares = np.array(_SHARES[: len(found)]) / sum(_SHARES[: len(found)])
        distance = sum(s * lines.distance for s, lines in zip(shares, found, strict=True))
        ink = sum(s * lines.ink for s, lines in zip(shares, found, strict=True))
        frame = _place(inside, np.asarray(distance, np.float32))
        return _laid(np.asarray(ink, np.float32), frame, inside.shape)

    def _lines(self, match: Match) -> _Lines | None:
        """None where the photo cannot be read any more."""
        try:
            key = (match.path, match.path.stat().st_mtime_ns, match.box)
        except OSError:
            return None
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._made(match)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _made(self, match: Match) -> _Lines | None:
        try:
            image = view(match.path, match.box, EMBEDDED_PX)
        except ImageError:
            return None
        crop = crops_of(image, self._finder.find(image))[0]
        mask = object_mask(crop.image) if crop.mask is None else crop.mask
        frame = frame_of(mask.shape, mask > 127, _TILE)
        inside = cut(mask, frame, _TILE, paper=0)
        lines = line_maps(cut(crop.image, frame, _TILE), inside)[_MAP]
        away = cv2.distanceTransform((lines < 128).astype(np.uint8), cv2.DIST_L2, 3)
        near = np.minimum(away / _TILE[0], _FAR).astype(np.float32)
        return _Lines(lines.astype(np.float32) / 255, near)


def _place(inside: np.ndarray, distance: np.ndarray) -> Frame:
    """Where the whole lies, of which a drawing is a part.

    Args:
        inside: (H, W) bool, what is drawn.
        distance: (h, w) float32, from each place of a tile of the whole to its nearest line.

    Returns:
        x0, y0, x1, y1 on the paper.
    """
    height, width = inside.shape
    x0, y0, x1, y1 = frame_of((height, width), inside, _TILE)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    tall = max(y1 - y0, _LEAST_SHARE * height)
    wide = tall * _TILE[1] / _TILE[0]
    points = np.argwhere(inside)
    points = points[:: max(1, len(points) // _POINTS)].astype(np.float64)  # y, x
    best: Frame = (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)
    least = np.inf
    for growth in _GROWTH:
        w, h = wide * growth, tall * growth
        shifts = _PLACES if growth > 1 else (0.0,)
        for dx in shifts:
            for dy in shifts:
                left = x - w / 2 + dx * (w - wide) / 2
                top = y - h / 2 + dy * (h - tall) / 2
                frame = (left, top, left + w, top + h)
                rows = np.clip((points[:, 0] - top) / h * _TILE[0], 0, _TILE[0] - 1).astype(int)
                columns = np.clip((points[:, 1] - left) / w * _TILE[1], 0, _TILE[1] - 1).astype(int)
                cost = float(distance[rows, columns].mean()) + _LARGER * (growth - 1)
                cost += _OUTSIDE * _outside(frame, (height, width))
                if cost < least:
                    best, least = frame, cost
    return best


def _outside(frame: Frame, canvas: tuple[int, int]) -> float:
    """Share of a frame that lies outside the paper."""
    x0, y0, x1, y1 = frame
    wide = max(0.0, min(x1, canvas[1]) - max(x0, 0.0))
    tall = max(0.0, min(y1, canvas[0]) - max(y0, 0.0))
    return 1 - wide * tall / ((x1 - x0) * (y1 - y0))


def _laid(ink: np.ndarray, frame: Frame, canvas: tuple[int, ...]) -> np.ndarray:
    """(H, W) uint8, a tile on the paper."""
    x0, y0, x1, y1 = frame
    fx, fy = (x1 - x0) / ink.shape[1], (y1 - y0) / ink.shape[0]
    matrix = np.array([[fx, 0, x0 + (fx - 1) / 2], [0, fy, y0 + (fy - 1) / 2]])
    laid = cv2.warpAffine(ink, matrix, (canvas[1], canvas[0]), flags=cv2.INTER_LINEAR)
    return np.clip(np.rint(255 * laid), 0, 255).astype(np.uint8)
