"""From a picture to the ink of what may be a person: anything drawn on a plain ground.

Ink of any colour is told from its ground, grouped into figures where several are drawn, and each
is brought to a common size. What it means is read by `pose.scribble`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from skimage.morphology import skeletonize

FIGURE_PX = 512  # the ink's longer side when the figure is read, in pixels
_MAX_SIDE = 1200  # pixels; larger pictures are made smaller before they are looked at
_MIN_SIDE = 32
_MARGIN = 60  # round the ink, so that nothing touches the border
_MIN_CONTRAST = 24  # of 255, between ink and ground
_MAX_UNREST = 0.2  # of that contrast, in the ground
_MAX_INK = 0.45  # share of the picture
MAX_PIECES = 60
_MAX_LENGTH = 10  # of all lines, in sizes of the figure
_MAX_ENDS = 60
MIN_READ = 0.6  # share of all ink that is in figures of people


class ScribbleError(ValueError):
    """A picture that cannot be read as a stick figure; one sentence says why, and the way out."""


_NOTHING = (
    "Nothing is drawn; draw a circle for the head, a line down from it for the trunk, two arms "
    "and two legs."
)
_NOT_PLAIN = "No lines on a plain ground were found; draw with one pen on paper of one colour."
_TOO_MUCH = "There is too much drawn for one stick figure; draw one alone, with single lines."
_APART = (
    "The lines do not hang together; draw one figure, in the middle, with limbs that reach its "
    "trunk."
)


class Ink(NamedTuple):
    """What is drawn in a picture."""

    mask: np.ndarray
    """(h, w) bool."""
    scale: float
    """Its pixels per pixel of the picture."""


@dataclass(frozen=True)
class Figure:
    """The ink of what may be one person, brought to a common size."""

    mask: np.ndarray
    """(h, w) bool; the ink's longer side is `FIGURE_PX`, with `_MARGIN` round it."""
    thin: np.ndarray
    """(h, w) bool: its middle lines, one pixel wide."""
    corner: np.ndarray
    """(2,) x, y of the mask's corner in the picture, in pixels."""
    scale: float
    """Pixels of the mask per pixel of the picture."""
    extent: float
    """Longer side of the ink in the picture, in pixels."""
    share: float
    """Of all ink."""
    width: float
    """Of the pen, in pixels of the mask."""


def find_ink(image: np.ndarray) -> Ink:
    """What is drawn on a plain ground.

    Args:
        image: (H, W, 3) uint8 RGB.

    Raises:
        ScribbleError: If there is no plain ground or nothing on it.
    """
    scale = min(1.0, _MAX_SIDE / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = image.shape[:2]
    if min(height, width) < _MIN_SIDE:
        raise ScribbleError(
            f"The picture is too small to read; use one of at least {_MIN_SIDE} pixels each way."
        )
    # The ground where there is ink is that beside it: lines are thin, and light may be uneven.
    coarse = 96 / max(height, width)
    small = (max(1, round(width * coarse)), max(1, round(height * coarse)))
    ground = cv2.medianBlur(cv2.resize(image, small, interpolation=cv2.INTER_AREA), 31)
    ground = cv2.resize(ground, (width, height), interpolation=cv2.INTER_LINEAR)
    apart = np.linalg.norm(image.astype(np.float32) - ground.astype(np.float32), axis=2)
    apart = np.clip(apart / np.sqrt(3), 0, 255).astype(np.uint8)
    threshold = cv2.threshold(apart, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    ink = apart > max(threshold, _MIN_CONTRAST / 2)
    if not ink.any():
        raise ScribbleError(_NOTHING)
    contrast = float(np.median(apart[ink]))
    ink = apart > 0.45 * contrast
    if contrast < _MIN_CONTRAST:
        raise ScribbleError(
            "The lines are too faint; draw in a colour that differs from the ground."
        )
    if ink.mean() > _MAX_INK:
        raise ScribbleError(_NOT_PLAIN)
    away = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    if away.mean() < 0.3 or np.percentile(apart[away], 95) > _MAX_UNREST * contrast + 2:
        raise ScribbleError(_NOT_PLAIN)
    if _is_rainbow(image[ink]):
        raise ScribbleError("The lines have too many colours for a drawing; draw with one pen.")
    return Ink(ink, scale)


def _is_rainbow(pixels: np.ndarray) -> bool:
    """Whether ink has the many full colours of ControlNet's pictures."""
    hsv = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0]
    full = hsv[(hsv[:, 1] > 200) & (hsv[:, 2] > 90), 0]
    shares = np.bincount(full // 15, minlength=12) / len(pixels)
    return int((shares > 0.02).sum()) >= 7


def find_figures(ink: Ink) -> list[Figure]:
    """Groups of strokes that are large enough for a person; a ground line is taken from under it.

    Strokes belong together when the gap between them is small for their size.

    Raises:
        ScribbleError: If no group can be a person.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask.astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = 1 + np.flatnonzero(areas >= max(6, 0.004 * areas.max(initial=0)))
    if not len(keep):
        raise ScribbleError(_NOTHING)
    if len(keep) > MAX_PIECES:
        raise ScribbleError(_TOO_MUCH)
    clean = np.isin(labels, keep)
    rows, columns = np.flatnonzero(clean.any(axis=1)), np.flatnonzero(clean.any(axis=0))
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    reach = max(1, round(0.04 * extent))
    away = cv2.distanceTransform((~clean).astype(np.uint8), cv2.DIST_L2, 3)
    joined = (away <= reach).astype(np.uint8)
    count, groups = cv2.connectedComponents(joined)
    figures, refused = [], _APART
    for group in range(1, count):
        mask = clean & (groups == group)
        share = float(mask.sum() / clean.sum())
        if share < 1 - MIN_READ - 0.1:
            continue
        try:
            figures.append(_normalised(_without_ground(mask), share, ink.scale))
        except ScribbleError as error:
            refused = str(error)
    if not figures:
        raise ScribbleError(refused)
    return figures


def _without_ground(mask: np.ndarray) -> np.ndarray:
    """The ink without a long level line under what stands on it.

    Such a line goes on beyond both outer places where something stands, so that no leg lying on
    the floor is taken for it.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    high, wide = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    if wide < 0.4 * high or high < 0.4 * wide:
        return mask
    band = max(2, round(0.02 * high))
    top = max(0, int(rows[-1]) - round(0.35 * high))
    low = np.pad(mask[top : rows[-1] + 1, columns[0] : columns[-1] + 1], 4 * band)
    size = (low.shape[1], low.shape[0])
    best, bare = 0, mask
    for slope in np.tan(np.radians([0, 1.5, -1.5, 3, -3, 5, -5])):
        level = np.array([[1, 0, 0], [-slope, 1, slope * size[0] / 2]], np.float64)
        turned = cv2.warpAffine(low.astype(np.uint8), level, size, flags=cv2.INTER_NEAREST)
        filled = cv2.dilate(turned, np.ones((2 * band + 1, 1), np.uint8))
        for row in range(size[1] - band, size[1] // 3, -max(1, band // 2)):
            ink = int(turned[row - band // 2 : row + band // 2 + 1].sum())
            if ink <= best or not _is_ground(turned, filled[row], row, band, 0.45 * high):
                continue
            cleared = turned.copy()
            cleared[row - band - 1 : row + 3 * band] = 0
            how = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            kept = cv2.warpAffine(cleared, level, size, flags=how)[4 * band : -4 * band]
            best, bare = ink, mask.copy()
            bare[top : rows[-1] + 1, columns[0] : columns[-1] + 1] &= (
                kept[:, 4 * band : -4 * band] > 0
            )
    return bare if bare.any() else mask


def _is_ground(turned: np.ndarray, filled: np.ndarray, row: int, band: int, least: float) -> bool:
    """Whether a row has a long line, and things above it stand on its inner part only."""
    line = np.flatnonzero(filled)
    if len(line) < least or len(line) < 0.85 * (np.ptp(line) + 1):
        return False
    above = np.flatnonzero(turned[max(0, row - 4 * band) : max(0, row - 2 * band)].any(axis=0))
    above = above[(above >= line[0]) & (above <= line[-1])]
    if not 0 < len(above) <= 0.4 * len(line):
        return False
    margin = 0.06 * float(np.ptp(line))
    return bool(above[0] >= line[0] + margin and above[-1] <= line[-1] - margin)


def _normalised(mask: np.ndarray, share: float, picture_scale: float) -> Figure:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    cut = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    extent = max(cut.shape)
    if extent < _MIN_SIDE:
        raise ScribbleError("The drawing is too small to read; draw the figure larger.")
    scale = FIGURE_PX / extent
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cut = cv2.resize(cut.astype(np.float32), size, interpolation=how) > (0.3 if scale < 1 else 0.5)
    cut = np.pad(cut, _MARGIN)
    thin = skeletonize(cut)
    if not thin.any() or thin.sum() > _MAX_LENGTH * FIGURE_PX:
        raise ScribbleError(_TOO_MUCH)
    if int((thin & (neighbours(thin) == 1)).sum()) > _MAX_ENDS:
        raise ScribbleError(_TOO_MUCH)
    inside = cv2.distanceTransform(cut.astype(np.uint8), cv2.DIST_L2, 5)
    width = max(2 * float(np.median(inside[thin])), 2.0)
    corner = (np.array([left, top]) - _MARGIN / scale) / picture_scale
    return Figure(cut, thin, corner, scale * picture_scale, extent / picture_scale, share, width)


def neighbours(thin: np.ndarray) -> np.ndarray:
    """(h, w) how many of the eight pixels around each are set."""
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    return cv2.filter2D(thin.astype(np.uint8), -1, ring, borderType=cv2.BORDER_CONSTANT)
