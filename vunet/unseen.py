"""What no photo shows of a body part: continued from what is seen of the part beside it.

    seen pixels of a part --> spread across the limb, nearest first ---+--> colours, and how sure
    the photo itself ------> mean colour at each height of the part ---+

A network that has never seen somebody's other side paints it in one colour, and of a striped shirt
that is grey. Cloth mostly goes round: what is seen at the same height of the same limb is the best
guess, stripes, hems and the ends of sleeves included. It replaces what was painted where the two
differ much; where they agree, the painting has the finer shades. Heads, hands and feet have no such
rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vunet import geometry as geo
from vunet.easing import smooth
from vunet.raster import Raster

CONTINUED = (1, 2, 3, 4, 5, 8, 9, 10, 11, 14)
"""Parts of `geometry.PARTS` that are: all but head, hands and feet."""
_REACHES = ((2.0, 1.0), (6.0, 0.1), (16.0, 0.01))
"""Deviations across the limb in the network's pixels, and what pixels count so far away."""
_ALONG_PX = 1.2
"""Deviation along the limb."""
_OF_PHOTO = 0.004
"""What the photo's mean of a row counts beside pixels seen in the new pose."""
_LEAST = 0.0003
"""Weight at which a place is half sure."""
_LEAST_INSIDE = 0.1
"""Share of all parts in a pixel from which it is wholly theirs."""
_FINE_PX = 1.5
"""Deviation in the network's pixels of what of the painting is compared; finer detail stays."""
_ALIKE, _UNLIKE = 0.14, 0.45
"""Differences of colours in [-1, 1] up to which the painting stays, and from which it goes."""
_STEP = 2.0
"""Pixels across a limb that are treated as one: it is blurred there anyway."""
_LEAST_LENGTH_PX = 6.0
"""Foreshortened more, a part's rows are not read."""
_FROM, _TO, _ROWS = -0.3, 1.3, 80
"""Rows of a part in the photo, in its lengths from the first joint to the second."""
_COLUMNS = 24
_HALF_WIDTH = {geo.TORSO: 0.55, geo.SKIRT: 0.55}
_HALF_LIMB = 0.25
"""How far to both sides rows are read, in lengths of the trunk."""
_COUNTERPART = 0.3
"""What a row of the counterpart on the other side of the body counts."""
_ROW_REACHES = ((0.6, 1.0), (3.0, 0.05), (9.0, 0.002))
"""As `_REACHES`, in rows."""
_LEAST_ROW = 0.001
_MOST_MIDDLE = 0.15
"""What the middle of a trunk counts, where its sides count up to 1: jackets lie open there."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What the rows of each part look like in a photo, or in several."""

    sums: np.ndarray
    """(P, ROWS, 4) float32: colour times weight, weight; over photos they are added up."""

    def __add__(self, other: Rows) -> Rows:
        return Rows(self.sums + other.sums)

    def times(self, shares: np.ndarray) -> Rows:
        """These, counted by a share of each part, (P,)."""
        return Rows(self.sums * shares[:, None, None].astype(np.float32))

    def of(self, part: int) -> np.ndarray:
        """(ROWS, 4) float32 colours times sureness, sureness in [0, 1]; gaps are bridged."""
        own = self.sums[part] + _COUNTERPART * self.sums[geo.MIRRORED_PARTS[part]]
        spread = np.zeros_like(own)
        for reach, counts in _ROW_REACHES:
            spread += counts * cv2.GaussianBlur(own, (0, 0), sigmaX=0.1, sigmaY=reach)
        weight = spread[:, 3:]
        return np.hstack([spread[:, :3], weight]) / (weight + _LEAST_ROW)

    def at(self, part: int, place: np.ndarray) -> np.ndarray:
        """(N, 4) as `of`, at places in rows, a row's middle being at a half; the ends go on."""
        row = place.astype(np.float32)[:, None] - np.float32(0.5)
        column = np.zeros_like(row)
        return cv2.remap(
            self.of(part)[:, None], column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[:, 0]


def rows_of(image: np.ndarray, parts: np.ndarray, joints: np.ndarray) -> Rows:
    """Read the rows of a photo.

    Args:
        image: (H, W, 3) float32.
        parts: (P, H, W) float32 in [0, 1], share of each part in each pixel.
        joints: (J, 2) x, y of the network's joints in the picture's pixels.
    """
    sums = np.zeros((len(geo.PARTS), _ROWS, 4), np.float32)
    trunk = float(np.linalg.norm(np.subtract(*_axis(geo.TORSO, joints))))
    for part in CONTINUED:
        start, end = _axis(part, joints)
        length = float(np.linalg.norm(end - start))
        if length < _LEAST_LENGTH_PX or parts[part].max() < 0.5:
            continue
        wide = _HALF_WIDTH.get(part, _HALF_LIMB) * trunk
        down = (end - start) / length
        raster = Raster(
            start + _FROM * (end - start) - wide * _across(down),
            2 * wide / _COLUMNS * _across(down),
            (_TO - _FROM) * length / _ROWS * down,
            (_COLUMNS, _ROWS),
        )
        read, share = raster.read(image), raster.read(parts[part])
        weight = np.clip((share - 0.6) / 0.3, 0, 1)
        if part in _HALF_WIDTH:
            weight *= _sides(weight)
        sums[part] = np.dstack([read * weight[..., None], weight]).sum(1) / _COLUMNS
    return Rows(sums)


def continued(
    painted: np.ndarray,
    copied: np.ndarray,
    seen: np.ndarray,
    parts: np.ndarray,
    joints: np.ndarray,
    rows: Rows,
) -> np.ndarray:
    """A painted person whose cloth and limbs continue what the photo shows of them.

    Args:
        painted: (H, W, 3) float32 in [-1, 1].
        copied: (H, W, 3) float32 in [-1, 1], the photo's pixels in the new pose.
        seen: (H, W) float32 in [0, 1], where these are to be seen.
        parts: (P, H, W) float32 in [0, 1], share of each part in each pixel.
        joints: (J, 2) x, y of the network's joints in the picture's pixels.
        rows: Those of the photo.

    Returns:
        (H, W, 3) float32 in [-1, 1].
    """
    picture = painted + seen[..., None] * (copied - painted)
    total = _spread(np.dstack([picture, seen]), parts, joints, rows)
    sure = total[..., 3:]
    difference = total[..., :3] - sure * cv2.GaussianBlur(painted, (0, 0), _FINE_PX)
    size = np.linalg.norm(difference, axis=2, keepdims=True) / np.maximum(sure, 1e-3)
    return np.clip(painted + smooth((size - _ALIKE) / (_UNLIKE - _ALIKE)) * difference, -1, 1)


def _spread(picture: np.ndarray, parts: np.ndarray, joints: np.ndarray, rows: Rows) -> np.ndarray:
    """(H, W, 4) colours times sureness, sureness, of a picture (H, W, 4) with what is seen."""
    total = np.zeros_like(picture)
    for part in CONTINUED:
        share = parts[part]
        start, end = _axis(part, joints)
        length = float(np.linalg.norm(end - start))
        if length < 2 or share.max() < 0.3:
            continue
        x, y, wide, high = cv2.boundingRect((share > 0.05).astype(np.uint8))
        down = (end - start) / length
        corners = np.array([[x, y], [x + wide, y], [x, y + high], [x + wide, y + high]]) - start
        across, along = corners @ _across(down), corners @ down
        left, top = float(across.min()) - _STEP, float(along.min()) - 1
        size = int(np.ceil(np.ptp(across) / _STEP)) + 2, int(np.ceil(np.ptp(along))) + 2
        origin = start + left * _across(down) + top * down
        raster = Raster(origin, _STEP * _across(down), down, size)
        box = slice(y, y + high), slice(x, x + wide)
        there = np.clip((share[box] - 0.3) / 0.4, 0, 1)
        there *= np.clip((picture[box][..., 3] - 0.35) / 0.4, 0, 1)
        few = np.dstack([picture[box][..., :3] * there[..., None], there])
        few = raster.read(few, (x, y))
        place = ((np.arange(size[1]) + 0.5 + top) / length - _FROM) / (_TO - _FROM) * _ROWS
        spread = np.repeat(_OF_PHOTO * rows.at(part, place)[:, None], size[0], axis=1)
        for reach, counts in _REACHES:
            spread += counts * cv2.GaussianBlur(
                few, (0, 0), sigmaX=reach / _STEP, sigmaY=_ALONG_PX, borderType=cv2.BORDER_CONSTANT
            )
        spread /= spread[..., 3:] + _LEAST
        total[box] += raster.laid(spread, (x, y, wide, high)) * share[box][..., None]
    # where cloth ends is for the outline to say
    return total / np.maximum(parts.sum(0), _LEAST_INSIDE)[..., None]


def _axis(part: int, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2,) x, y each: where a part begins and ends."""
    if part == geo.TORSO:
        return joints[5:7].mean(0), joints[11:13].mean(0)
    if part == geo.SKIRT:
        return joints[11:13].mean(0), joints[13:15].mean(0)
    first, second = geo.BONES[part - 2]
    return joints[first], joints[second]


def _across(down: np.ndarray) -> np.ndarray:
    """(2,) the direction to the right of one that goes down."""
    return np.array([down[1], -down[0]])


def _sides(weight: np.ndarray) -> np.ndarray:
    """(rows, columns) what places count by how far they are from the middle of a row's weight."""
    place = np.arange(weight.shape[1]) + 0.5
    total = np.maximum(weight.sum(1, keepdims=True), 1e-3)
    off = np.abs(place - (weight * place).sum(1, keepdims=True) / total)
    deviation = np.sqrt((weight * off**2).sum(1, keepdims=True) / total)
    return _MOST_MIDDLE + np.clip(off / np.maximum(deviation, 1) - 0.6, 0, 1)
