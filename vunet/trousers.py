"""Trousers that stay two legs in strides.

Where legs part, the network is not always sure that no skirt hangs between them, and fills the gap
to the knees. Who wears none has two legs, about as wide as in the photo:

    photo: no hanging cloth on thighs and between them, legs so wide --+
    pose: what lies between the legs ----------------------------------+--> what is nobody's there

All in the network's frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vunet import geometry as geo
from vunet.easing import smooth
from vunet.skirts import amid

_THIGHS, _SHINS = geo.BONES[6:8], geo.BONES[8:10]
"""Joints of the network between which they lie, left and right."""
_HANGS, _AMID = 0.25, 0.25
"""Shares of the legs' area, and of what lies between the thighs, over which hanging cloth is read,
from which there may be some."""
_HEIGHTS = np.linspace(0.3, 0.7, 9)[:, None]
"""Where between the thighs, as shares of them: below jackets, above most hems."""
_LEAST = 0.06
"""Least area of a limb that is measured, in squared body scales."""
_FORESHORTENED = 0.55
"""Least length of one, in body scales."""
_ROWS = 6
"""Pieces of a limb whose widths are measured."""
_WIDTHS = (0.14, 0.4)
"""Half a leg's width at least and at most, in body scales: some of it may be hidden."""
_LOOSE = 1.15
"""How much wider a leg may be than in the photo: thighs are from the side, and cloth hangs."""
_WHOLE, _SHORT, _NEARER = 0.75, 0.5, 4.0
"""Lengths of the shorter thigh, in body scales, from which legs lie in the picture's plane, and at
which they come so far out of it that they may be that much wider. Shorter ones, as of those who
sit, are left alone."""
_FADE = 0.3
"""In widths of a leg, how far beyond it what is nobody's fades in."""
_STEP = 2
"""Pixels that are treated as one."""


@dataclass(frozen=True, eq=False)
class Legs:
    """How somebody's legs are dressed, in a photo."""

    bare: bool
    """Whether nothing hangs between them."""
    thigh: np.ndarray
    """(R,) half its width in pieces from hip to knee, in body scales."""
    shin: np.ndarray
    """(R,) the same from knee to ankle."""


def legs_of(
    thighs: np.ndarray,
    shins: np.ndarray,
    skirt: np.ndarray,
    hanging: np.ndarray,
    joints: np.ndarray,
    scale: float,
) -> Legs | None:
    """The legs of somebody in a photo; None where too little is seen of them.

    Args:
        thighs: (2, H, W) float32 in [0, 1], share of both thighs in each place.
        shins: (2, H, W) the same of shins.
        skirt: (H, W) the same of a skirt.
        hanging: (H, W) float32 in [0, 1], how surely each shows cloth that may hang.
        joints: (J, 2) the network's joints, in these places.
        scale: The body's, likewise.
    """
    widths = [_half_widths(x, b, joints, scale) for x, b in ((thighs, _THIGHS), (shins, _SHINS))]
    thigh, shin = widths
    if thigh is None or shin is None:
        return None
    legs = thighs.sum(0) + skirt
    hangs = float((legs * hanging).sum() / legs.sum())
    one, other = (joints[a] + (joints[b] - joints[a]) * _HEIGHTS for a, b in _THIGHS)
    bare = hangs < _HANGS and float(amid(hanging, one, other).mean()) < _AMID
    return Legs(bare, thigh, shin)


def widest(legs: Sequence[Legs]) -> Legs:
    """Legs as wide as the widest of some, bare where all are."""
    return Legs(
        all(one.bare for one in legs),
        np.max([one.thigh for one in legs], axis=0),
        np.max([one.shin for one in legs], axis=0),
    )


def _half_widths(
    shares: np.ndarray, bones: tuple[tuple[int, int], ...], joints: np.ndarray, scale: float
) -> np.ndarray | None:
    """(R,) half the widths of the wider of two limbs in body scales; None where neither is seen."""
    place = _centres(*shares.shape[1:])
    found = []
    for share, (first, second) in zip(shares, bones, strict=True):
        length = float(np.linalg.norm(joints[second] - joints[first])) / scale
        if share.sum() < _LEAST * scale**2 or length < _FORESHORTENED:
            continue
        row = (_ROWS * _along(place, joints[first], joints[second])).astype(int)
        areas = np.bincount(np.minimum(row, _ROWS - 1), share.ravel(), _ROWS) / scale**2
        areas[0] = areas[1]  # beyond the joints lies more of it
        areas[-1] = areas[-2]
        found.append(areas / (2 * length / _ROWS))
    return np.clip(np.max(found, axis=0), *_WIDTHS) if found else None


def _centres(height: int, width: int) -> np.ndarray:
    """(N, 2) x, y of a picture's places, row by row."""
    return np.indices((height, width))[::-1].reshape(2, -1).T + 0.5


def _along(place: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1], where from a to b (2,) each of some places (N, 2) is nearest to."""
    return np.clip((place - a) @ (b - a) / max(float((b - a) @ (b - a)), 1e-6), 0, 1)


def gap(legs: Legs, joints: np.ndarray, scale: float, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 in [0, 1], what is nobody's between the legs of a pose.

    Args:
        legs: Whose; nothing is nobody's where they are not bare.
        joints: (J, 2) x, y of the pose in pixels.
        scale: The body's, in pixels.
        size: (H, W).
    """
    height, width = (n // _STEP for n in size)
    shorter = min(float(np.linalg.norm(joints[b] - joints[a])) for a, b in _THIGHS) / scale
    if not legs.bare or shorter < _SHORT:
        return np.zeros(size, np.float32)
    ring = np.concatenate([joints[11:13].mean(0)[None], joints[[13, 15, 16, 14]]]) / _STEP
    inside = np.zeros((height, width), np.uint8)
    corners = np.clip(np.rint(16 * (ring - 0.5)), -(2**20), 2**20).astype(np.int32)
    cv2.fillPoly(inside, [corners], 1, cv2.LINE_8, 4)
    if not inside.any():
        return np.zeros(size, np.float32)
    place = _centres(height, width) * _STEP
    wider = _LOOSE * np.interp(shorter, (_SHORT, _WHOLE), (_NEARER, 1))
    off = np.full(len(place), np.inf)
    for bones, wide in ((_THIGHS, legs.thigh), (_SHINS, legs.shin)):
        for first, second in bones:
            a, b = joints[first], joints[second]
            at = _along(place, a, b)
            away = np.linalg.norm(place - a - at[:, None] * (b - a), axis=1)
            half = np.interp(_ROWS * at, np.arange(_ROWS) + 0.5, wide)
            off = np.minimum(off, away / (wider * half * scale))
    empty = smooth((off - 1) / _FADE).reshape(height, width) * inside
    return cv2.resize(empty.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
