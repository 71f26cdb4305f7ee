"""The side of a trunk that no photo shows: what is seen beside it goes on, mirrored.

Who was photographed from the front and turns to the side shows half a trunk that the photo has. The
other half is painted, soft. Cloth mostly goes round:

    rows across the trunk -> where what is seen of it ends -> as far inside as a place lies outside

There, with the canvas's own pixels, weave and stripes go on without a seam; they stay told as made
up. All in the network's frame.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from vunet import geometry as geo
from vunet.easing import smooth
from vunet.raster import Raster

_TURNED = (0.2, 0.35)
"""Turns up to which a trunk has not turned, and from which it has. Of one that has not, what is not
seen was hidden, as by arms, and does not lie beside what is seen."""
_LEAST_FREE = 0.12
"""Share of the trunk that must not be seen, or all stays as it is."""
_SEEN, _OF_ROW, _INSIDE = 0.55, 0.8, 0.5
"""Share of copied pixels at which a place is seen, also of the row's most, and of the trunk."""
_LEAST_WIDE_PX = 4.0
"""Narrower, what is seen is no cloth to go on."""
_LEAST_ROWS = 0.3
"""Share of rows that must show any."""
_BAND = 0.6
"""Share of what is seen in a row that goes on: prints amid the chest do not."""
_INSET_PX = 1.0
_ROWS_PX = 3.0
"""Deviation along the trunk by which borders are smoothed, or weave would be torn."""
_NEAR_PX = 5.0
"""The same of how sure a row is that shows nothing itself."""
_HEM = (0.8, 0.95)
"""Where along the trunk its hem may lie askew: there the share fades, and is nought."""
_FROM, _TO = 0.55, 0.9
"""Share of copied pixels up to which a place is wholly covered, and from which not at all."""


def turn_of(before: np.ndarray, after: np.ndarray) -> float:
    """How far a trunk has turned: about 0 where it has not, 1 from the front to the side, 2 round.

    Args:
        before: (J, 3) x, y and sureness of the network's joints in the photo.
        after: The same of the new pose.
    """
    both = torch.from_numpy(np.stack([before, after])).float()
    width, other = geo.side_of(both)[0].tolist()
    side, other_side = geo.shown_side(both).tolist()
    return max(abs(width - other), -side * other_side)  # from one side to the other


def gone_on(
    seen: np.ndarray, trunk: np.ndarray, joints: np.ndarray, turn: float
) -> np.ndarray | None:
    """Where each place of a trunk comes from that is not seen.

    None if there is little of it, or the trunk has hardly turned.

    Args:
        seen: (H, W) float32 in [0, 1], share of copied pixels.
        trunk: (H, W) float32 in [0, 1], share of the trunk.
        joints: (J, 2) the network's joints.
        turn: How far the trunk has turned since the photo, see `turn_of`.

    Returns:
        (H, W, 3) float32: x and y in pixels from a place to where its pixel is, and the share in
        [0, 1] that this has there.
    """
    turned = float(np.clip((turn - _TURNED[0]) / (_TURNED[1] - _TURNED[0]), 0, 1))
    if turned <= 0:
        return None
    if float((trunk * (1 - seen)).sum()) < _LEAST_FREE * float(trunk.sum()) + 1:
        return None
    start, end = joints[5:7].mean(0), joints[11:13].mean(0)
    length = float(np.linalg.norm(end - start))
    ys, xs = np.nonzero(trunk > 0.3)
    if length < _LEAST_WIDE_PX or not len(xs):
        return None
    down = (end - start) / length
    across = np.array([down[1], -down[0]])
    places = (np.stack([xs, ys], -1) + 0.5 - start) @ np.stack([across, down], -1)
    corner, far = places.min(0) - 2, places.max(0) + 2
    size = int(np.ceil(far[0] - corner[0])), int(np.ceil(far[1] - corner[1]))
    raster = Raster(start + corner @ np.stack([across, down]), across, down, size)
    read = raster.read(np.dstack([seen, trunk]).astype(np.float32))
    inside = read[..., 1] > _INSIDE
    most = (read[..., 0] * inside).max(1, keepdims=True)
    left, right, sure = _ends(inside & (read[..., 0] > np.maximum(_SEEN, _OF_ROW * most)))
    if not len(sure):
        return None
    column = np.arange(size[0])[None] + 0.5
    band = _BAND * (right - left)
    beyond = np.maximum(column - right, left - column)
    folded = beyond % (2 * band)
    inward = beyond + np.where(folded < band, folded, 2 * band - folded)
    move = np.where(beyond > 0, np.where(column > right, -inward, inward), 0)
    height, width = seen.shape
    along = (corner[1] + np.arange(size[1])[:, None] + 0.5) / length
    sure = sure * (1 - smooth((along - _HEM[0]) / (_HEM[1] - _HEM[0])))
    rows = np.repeat(sure, size[0], axis=1)
    laid = raster.laid(np.dstack([move, rows]).astype(np.float32), (0, 0, width, height))
    share = turned * laid[..., 1] * np.clip((trunk - 0.3) / 0.3, 0, 1)
    share *= 1 - smooth((seen - _FROM) / (_TO - _FROM))
    return np.dstack([laid[..., :1] * across.astype(np.float32), share]).astype(np.float32)


def _ends(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(R, 1) each: where the longest run of each row begins and ends, and how sure that is.

    Empty where too few rows have any.
    """
    edges = np.diff(np.pad(seen.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    ends = np.full((len(seen), 2), np.nan)
    for row, edge in enumerate(edges):
        begin, stop = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
        if len(begin):
            longest = int((stop - begin).argmax())
            if stop[longest] - begin[longest] >= _LEAST_WIDE_PX + 2 * _INSET_PX:
                ends[row] = begin[longest] + _INSET_PX, stop[longest] - _INSET_PX
    known = ~np.isnan(ends[:, 0])
    if known.mean() < _LEAST_ROWS:
        return np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1))
    at = np.arange(len(seen))
    whole = np.stack([np.interp(at, at[known], ends[known, i]) for i in (0, 1)], -1)
    whole = cv2.GaussianBlur(whole, (1, 0), sigmaX=0.1, sigmaY=_ROWS_PX)
    near = cv2.GaussianBlur(known.astype(np.float64)[:, None], (1, 0), sigmaX=0.1, sigmaY=_NEAR_PX)
    middle = whole.mean(1)
    half = np.maximum(np.diff(whole, axis=1)[:, 0], _LEAST_WIDE_PX) / 2
    sure = np.where(known, 1, smooth(2 * near[:, 0]))
    return (middle - half)[:, None], (middle + half)[:, None], sure[:, None]
