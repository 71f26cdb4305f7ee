"""What a photo of a single thing shows: its mask, and a square picture of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator

MaskFinder = Callable[[np.ndarray], np.ndarray | None]
"""Photo (H, W, 3) uint8 RGB -> (H, W) uint8, 255 on what it is of; None where that is not found."""

_LEAST_PX, _WORK_PX = 48, 128
"""Longer side of the picture in which a thing is cut out; no more than the photo's between them."""
_LEAST, _MOST = 0.04, 0.9
_MORE_THAN_GUESSED = 0.08
"""Share of the picture; the middle that counts as thing from the first is .06 of it."""
FRAME = 1.18
"""A frame's size, in sizes of what it is laid round."""


def object_mask(image: np.ndarray) -> np.ndarray:
    """The thing in the middle of a photo, told from what lies round it by colour (GrabCut).

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) uint8, 255 on the thing; a soft-cornered box where colours do not tell it.
    """
    small = _small(image)
    found = _cut(small)
    if found is None:
        found = (_away(*small.shape[:2]) < 0.75).astype(np.uint8)
    return _grown(found, image.shape[:2])


def told_by_colour(image: np.ndarray) -> np.ndarray | None:
    """Like `object_mask`; None where colours do not tell the thing.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    found = _cut(_small(image))
    if found is None or found.mean() < _MORE_THAN_GUESSED:
        return None
    return _grown(found, image.shape[:2])


def _small(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = float(np.clip(max(height, width), _LEAST_PX, _WORK_PX)) / max(height, width)
    wh = (max(16, round(width * scale)), max(16, round(height * scale)))
    return cv2.bilateralFilter(cv2.resize(image, wh, interpolation=cv2.INTER_AREA), 5, 30, 3)


def _grown(found: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8, 0 or 255, of a small mask of 0 and 1."""
    soft = cv2.resize(found.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(cv2.GaussianBlur(soft, (0, 0), 1.5) > 0.5, 255, 0).astype(np.uint8)


def _offsets(h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) each, how far from the middle across and along, 1 at the rims."""
    y, x = np.mgrid[0:h, 0:w]
    return np.abs(x / (w - 1) - 0.5) / 0.5, np.abs(y / (h - 1) - 0.5) / 0.5


def _away(h: int, w: int) -> np.ndarray:
    u, v = _offsets(h, w)
    return (u**4 + v**4) ** 0.25


def _cut(small: np.ndarray) -> np.ndarray | None:
    """(h, w) uint8, 1 on the thing; None where it is not told."""
    h, w = small.shape[:2]
    u, v = _offsets(h, w)
    marks = np.where(_away(h, w) < 0.8, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[np.hypot(u / 0.22, v / 0.35) < 1] = cv2.GC_FGD
    rim = max(2, round(0.03 * min(h, w)))
    marks[:rim], marks[-rim:], marks[:, :rim], marks[:, -rim:] = (cv2.GC_BGD,) * 4
    cv2.setRNGSeed(1)
    try:
        cv2.grabCut(
            small,
            marks,
            (0, 0, w, h),
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            5,
            cv2.GC_INIT_WITH_MASK,
        )
    except cv2.error:  # one colour throughout
        return None
    found = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    found = _main_piece(found)
    return found if _LEAST < found.mean() < _MOST else None


def _main_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece and what is nearly as large (a second shoe), without small holes."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(areas > 0.25 * areas.max())
    found = np.isin(labels, kept).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - found)
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] < 0.01 * mask.size:
            found[labels == i] = 1
    return found


def person_masks(estimator: PoseEstimator) -> MaskFinder:
    """What finds the largest person of a photo."""

    def mask_of(image: np.ndarray) -> np.ndarray | None:
        people = estimator.find(image, max_people=1)
        return (people[0].mask * 255).astype(np.uint8) if people else None

    return mask_of


def close_up(mask: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a photo that shows a thing with some room, of a canvas' proportions.

    Args:
        mask: (H, W) uint8, 255 on the thing.
        size: (height, width) of the canvas.

    Returns:
        x0, y0, x1, y1 within the photo, which may cut it off; all of it where the mask is empty.
    """
    height, width = mask.shape
    rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
    if not len(rows):
        return 0, 0, width, height
    ratio = size[1] / size[0]
    tall = max(rows[-1] + 1 - rows[0], (columns[-1] + 1 - columns[0]) / ratio) * FRAME
    x, y = (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
    x0, y0 = max(0, round(x - tall * ratio / 2)), max(0, round(y - tall / 2))
    return x0, y0, min(width, round(x + tall * ratio / 2)), min(height, round(y + tall / 2))


def fitted(
    picture: np.ndarray, size: tuple[int, int], *, labels: bool = False
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A picture fitted into a canvas.

    Args:
        picture: (H, W) or (H, W, C) uint8.
        size: (height, width) of the canvas.
        labels: Whether values are labels, which must not be mixed: nought where there is no
            picture. A photo is continued by its mirror image instead.

    Returns:
        The canvas, and x0, y0, x1, y1 of what the picture covers.
    """
    height, width = picture.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    wh = (min(size[1], round(width * scale)), min(size[0], round(height * scale)))
    wh = (max(1, wh[0]), max(1, wh[1]))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, wh, interpolation=cv2.INTER_NEAREST if labels else shrink)
    top, left = (size[0] - wh[1]) // 2, (size[1] - wh[0]) // 2
    below, right = size[0] - wh[1] - top, size[1] - wh[0] - left
    border = cv2.BORDER_CONSTANT if labels else cv2.BORDER_REFLECT_101
    canvas = cv2.copyMakeBorder(small, top, below, left, right, border)
    return canvas, (left, top, left + wh[0], top + wh[1])
