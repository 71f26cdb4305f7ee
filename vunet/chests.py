"""A trunk that arms lie before: covered with the cloth above and below them.

Where a photo's arms cross the trunk and those of the new pose do not, the trunk's cloth shows that
no pixel of the photo has. Each hidden place gets what is seen of the trunk straight above and below
it, mirrored at the arm's edges, as a retoucher would, at the photo's own resolution. (`backs`
covers whole chests, from their sides.)
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vunet.backs import Trunk, laid_on, rows_of
from vunet.easing import smooth
from vunet.palette import distance_to

_ROWS, _COLUMNS = 200, 160
_TOP, _BOTTOM, _WIDE = -0.25, 1.25, 0.6
"""Of the raster in which what is hidden is found, in lengths of the trunk."""
_FROM, _TO = -0.05, 1.12
"""Heights between which a trunk is covered, in its lengths."""
_CLOTH = 0.6
"""How surely a place shows the trunk from which cloth is taken there."""
_AMID = (0.15, 0.85)
"""Heights between which only arms and what they hold can lie amid a trunk."""
_BARE = 0.35
"""How surely a place shows arms where the trunk is taken to be hidden."""
_RIM = 0.03
"""Width of what round arms is taken for theirs, in lengths of the trunk: sleeves, shades."""
_EDGE = 0.012
"""How far inside its border the cloth begins that is mirrored, in the same."""
_BELOW = 0.35
"""How near cloth from above counts as beside cloth from below, where there may be a belt."""
_UNLIKE = 14.0
"""Difference of colours, CIELAB, from which what lies before the trunk is not of its cloth."""
_FARTHEST = 0.7
"""Longest way from a hidden place to its cloth, in the same."""
_BESIDE, _OUTSIDE, _BORDER = 0.15, 0.04, 0.06
"""Shares of a row's width: from its ends, up to which arms hang beside the trunk and hide nothing
of it; beyond them, from where cloth is laid; and over which it fades in."""
_AROUND = 0.25
"""How far beside a crossed row arms hide the trunk, in its widths."""
_CROSSED = 0.3
"""Share of a row that arms hide, from which they cross it."""
_LEAST, _LEAST_COVERED = 0.03, 0.6
"""Share of a trunk that must be hidden, and of that what must have cloth above or below it."""


@dataclass(frozen=True, eq=False)
class Chest:
    """A photo whose arms before the trunk are covered."""

    image: np.ndarray
    """(H, W, 3) uint8, unlike the photo only where cloth was laid."""
    shown: np.ndarray
    """(H, W) float32 in [0, 1], where it looks like the trunk now: under that cloth, and where a
    sleeve is of the same."""
    hides: np.ndarray
    """(H, W) float32 in [0, 1], where arms hide the trunk, with cloth on them or without."""


def with_chest(
    image: np.ndarray, torso: np.ndarray, arms: np.ndarray, trunk: Trunk
) -> Chest | None:
    """A photo whose arms before the trunk are covered by its cloth.

    Args:
        image: (H, W, 3) uint8 RGB photo.
        torso: (H, W) float32 in [0, 1], how surely each pixel shows the trunk's cloth.
        arms: (H, W) float32 in [0, 1], how surely each shows arms, hands or what they hold.
        trunk: Where it lies.

    Returns:
        It; None where nothing is hidden, or too much.
    """
    rows = rows_of(torso, arms, trunk)
    if rows is None:
        return None
    step_u, step_v = 2 * _WIDE / _COLUMNS, (_BOTTOM - _TOP) / _ROWS
    raster = trunk.raster((_TOP, _BOTTOM), _WIDE, (_COLUMNS, _ROWS))
    small = raster.read(cv2.merge([torso.astype(np.float32), arms.astype(np.float32)]))
    b = (_TOP + (np.arange(_ROWS) + 0.5) * step_v).astype(np.float32)[:, None]
    a = (-_WIDE + (np.arange(_COLUMNS) + 0.5) * step_u).astype(np.float32)[None]
    a, b = np.broadcast_arrays(a, b)
    left, right, _, _ = rows.at(np.ascontiguousarray(b))
    edge = _OUTSIDE * (right - left)
    inside = (a > left - edge) & (a < right + edge) & (b > _FROM) & (b < _TO)
    t = (a - left) / np.maximum(right - left, 0.05)
    depth = np.minimum(t, 1 - t)
    bare = small[..., 1] > _BARE
    # what is amid a trunk and not of it lies before it
    bare |= (small[..., 0] < _CLOTH) & (depth > _BESIDE) & (b > _AMID[0]) & (b < _AMID[1])
    bare = cv2.dilate(bare.astype(np.uint8), _disc(_RIM / step_v)) > 0
    cloth = (small[..., 0] > _CLOTH) & ~bare & inside
    cloth = cv2.erode(cloth.astype(np.uint8), _disc(_EDGE / step_v)) > 0
    hidden = inside & bare
    amid = hidden & (depth > _BESIDE)
    if amid.sum() < _LEAST * inside.sum():
        return None
    # arms that hang beside a trunk hide nothing of it
    crossed = amid.sum(1) > _CROSSED * inside.sum(1)
    hidden &= crossed[:, None] | (depth > _BESIDE)
    above, below = _mirrored(cloth), -_mirrored(cloth[::-1])[::-1]
    far = 4.0 * _ROWS  # stands for nowhere
    up, beneath = (np.where(np.abs(w) * step_v < _FARTHEST, np.abs(w), far) for w in (above, below))
    share = smooth(2 * beneath / np.maximum(_BELOW * up + beneath, 1) - 0.5)
    known = hidden & (np.minimum(up, beneath) < far)
    if known.sum() < _LEAST_COVERED * hidden.sum():
        return None
    before = (bare & crossed[:, None] & (depth > -_AROUND)).astype(np.float32)
    colours = cv2.cvtColor(raster.read(image).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    unlike = distance_to(colours, colours[cloth]) > _UNLIKE
    unlike = cv2.morphologyEx(unlike.astype(np.uint8), cv2.MORPH_OPEN, _disc(1))
    unlike = cv2.dilate(unlike, _disc(_RIM / step_v)).astype(np.float32)
    ways = [np.where(np.isfinite(w), w, 0) * step_v for w in (above, below)]
    known = known * smooth((depth + _OUTSIDE) / _BORDER)
    if not known.any():
        return None
    whether = np.dstack([known, known * unlike, before]).astype(np.float32)
    whether = cv2.GaussianBlur(whether, (0, 0), 1.2)
    ways = np.dstack([*ways, share]).astype(np.float32)
    return _laid(image, ways, whether, trunk, (step_u, step_v))


def _laid(
    image: np.ndarray,
    ways: np.ndarray,
    whether: np.ndarray,
    trunk: Trunk,
    steps: tuple[float, float],
) -> Chest:
    """Lay cloth by a raster's ways up and down and share of up, and whether: see `Chest`."""
    across, down = trunk.axes.astype(np.float32)
    length = np.float32(trunk.length)
    H, W = image.shape[:2]
    laid = whether.max(2) > 0
    rows, columns = np.flatnonzero(laid.any(1)), np.flatnonzero(laid.any(0))
    corners = [
        trunk.neck + length * (across * (u * steps[0] - _WIDE) + down * (v * steps[1] + _TOP))
        for u in (columns[0] - 1, columns[-1] + 2)
        for v in (rows[0] - 1, rows[-1] + 2)
    ]
    x0, y0 = np.clip(np.floor(np.min(corners, axis=0)), 0, (W - 1, H - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(np.max(corners, axis=0)), 1, (W, H)).astype(int)
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32) + np.float32(0.5)
    dx, dy = (x - np.float32(trunk.neck[0])) / length, (y - np.float32(trunk.neck[1])) / length
    a, b = dx * across[0] + dy * across[1], dx * down[0] + dy * down[1]
    column, row = (a + _WIDE) / steps[0] - 0.5, (b - _TOP) / steps[1] - 0.5
    read, whether = (
        cv2.remap(m, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        for m in (ways, whether)
    )
    colour = np.zeros((*a.shape, 3), np.float32)
    for way, part in ((read[..., 0], read[..., 2]), (read[..., 1], 1 - read[..., 2])):
        px = x + length * way * down[0] - 0.5
        py = y + length * way * down[1] - 0.5
        taken = cv2.remap(image, px, py, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        colour += taken.astype(np.float32) * part[..., None]
    shown, hides = np.zeros((2, H, W), np.float32)
    part = (slice(y0, y1), slice(x0, x1))
    whether = np.clip(whether * 1.5 - 0.25, 0, 1)
    shown[part], hides[part] = whether[..., 0], whether[..., 2]
    return Chest(laid_on(image, colour, whether[..., 1], (int(x0), int(y0))), shown, hides)


def _mirrored(cloth: np.ndarray) -> np.ndarray:
    """(h, w) rows to go (negative: upwards) from each place to cloth (h, w) bool above, mirrored.

    Mirrored at the last cloth above; infinite where there is none. Where the mirror image of a
    place is no cloth, that last row is taken.
    """
    h = len(cloth)
    number = np.arange(h)[:, None]
    last = np.maximum.accumulate(np.where(cloth, number, -1), axis=0)
    source = 2 * last + 1 - number
    columns = np.broadcast_to(np.arange(cloth.shape[1])[None], source.shape)
    fits = (source >= 0) & cloth[np.clip(source, 0, h - 1), columns]
    source = np.where(fits, source, last)
    return np.where(last < 0, -np.inf, source - number)


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
