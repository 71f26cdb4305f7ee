"""A skirt that stays one piece when the legs part.

Moved with the thighs, a skirt becomes a pair of shorts. Where the network reads hanging cloth
between a photo's legs, of a skirt, a dress or a coat, and the new pose spreads the legs farther, it
is hung between them instead, row by row:

    photo: rows of clean cloth, hips to hem --+
    pose: the legs, so wide apart in each row -+--> where each place of the skirt comes from

All in the network's frames; what is copied comes at the photo's own resolution as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vunet.easing import smooth
from vunet.palette import distance_to

_STEPS = 61
"""Places along a leg at which a hem is looked for."""
_ABOVE, _BELOW = 0.12, 0.12
"""How far along the leg cloth and leg are compared, as shares of its length."""
_FROM, _HIGHEST, _LONGEST = 0.06, 0.15, 0.92
"""Where cloth is looked for from, and where a hem may be, likewise."""
_STEP = 10.0
"""Least difference of colours at a hem, CIELAB with light counted 0.7."""
_UNSURE = 0.09
"""How far from where the cloth is read to end its hem may be."""
_BETWEEN = 0.65
"""Least share of hanging cloth between the legs above a hem."""
_BAND = (0.25, 0.5, 0.75)
"""Where between the legs it is looked for."""
_ROWS, _COLUMNS = 48, 41
_TOP, _FADE = -0.1, 0.14
"""Where the cloth begins, as a share of the leg's length from the hips, and fades in."""
_ARMS = 0.35
"""Share of arms from which a place of the photo shows no cloth."""
_SOME = 0.25
"""Least share of hanging cloth where a photo may show some."""
_UNLIKE = 16.0
"""Difference of colours, CIELAB, from which what hangs at a skirt's side is none of it: a bag."""
_BEYOND, _INSIDE = 0.18, 0.03
"""How far below a hem its shape is looked for, and how near it all is sure, as shares of a leg."""
_UNDER = 0.12
"""Weight of rows whose cloth is wider than the border that is laid through all."""
_UNEVEN = 1.3
"""How much wider than one side of a skirt the other may be."""
_INSIDE_PX = 1.5
"""How far inside its border cloth is taken."""
_STRIPE = 0.03
"""Narrower than twice this, in body scales, what is of other colours is of the cloth as well."""
_LEAST_WIDE = 0.35
"""Least width of clean cloth in a row, in body scales."""
_LEAST_HALF = 0.24
"""Least distance of a hem's end from the middle of the legs, in body scales: wider than one leg."""
_GIRTH = 0.17
"""Half the width of a leg with cloth on it, in body scales."""
_IN_PROFILE = (0.55, 0.8)
"""How wide a skirt is from the side at hips and hem, as a share of its width from the front."""
_SHOULDERS = 0.6
"""How far apart shoulders lie from the front at least, in body scales."""
_PARTED, _TAUT = 0.14, 2.4
"""How much farther than in the photo the legs must part at the hem, in body scales; and how much
wider a skirt may become before it would have to ride up, which is left to the network."""
_ALONG = 0.45
"""Least length of both thighs, as a share of the photo's: somebody sits with shorter ones."""


@dataclass(frozen=True, eq=False)
class Skirt:
    """The clean cloth of a skirt in a photo; points are x, y in pixels of the network's frame."""

    hem: float
    """Where it ends, as a share of the leg's length from hip to ankle."""
    left: np.ndarray
    """(R, 2) the cloth's left border in rows from its top to its hem."""
    right: np.ndarray
    """(R, 2) its right border."""
    cloth: np.ndarray
    """(H, W) float32 in [0, 1], where it is seen in the photo."""
    ease: np.ndarray
    """(R,) how far it hangs outside the legs' axes, in body scales."""
    apart: np.ndarray
    """(R,) how far apart the legs are, likewise."""
    from_front: float
    """In [0, 1], how far the person is seen from the front or behind, and not from the side."""
    thighs: tuple[float, float]
    """Lengths of both thighs, likewise."""


def skirt_of(
    image: np.ndarray,
    mask: np.ndarray,
    arms: np.ndarray,
    hanging: np.ndarray,
    joints: np.ndarray,
    scale: float,
    bottom: float = np.inf,
) -> Skirt | None:
    """The skirt that somebody in a photo wears; None where they surely wear none.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        mask: (H, W) float32 in [0, 1], the person.
        arms: (H, W) float32 share of arms and hands in each pixel.
        hanging: (H, W) float32 in [0, 1], how surely each shows cloth that may hang.
        joints: (J, 2) the network's joints.
        scale: The body's, in pixels.
        bottom: Row at which the photo ends: what ends there has no hem.
    """
    lab = cv2.GaussianBlur(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2LAB), (0, 0), 1.5)
    legs = _legs(joints)
    hem = _hem(lab, hanging, legs)
    if hem is None:
        return None
    under = np.array([min(1.0, hem + _INSIDE + _BELOW / 2)])
    if min(_along(leg, under)[0, 1] for leg in legs) > bottom:
        return None
    share = _shares(hem)
    a, b = _ordered(*(_along(leg, share) for leg in legs))
    whole = share < hem - _INSIDE
    between = np.concatenate([(a + (b - a) * u)[whole] for u in _BAND])
    clean = _at(arms, between) < _ARMS
    if clean.mean() < 0.5:
        return None
    below = (share > hem + _INSIDE) & (share < hem + _BELOW)
    bare = np.concatenate([leg[below] for leg in (a, b)])
    unlike, unlike_legs = (distance_to(lab, _at(lab, q)) for q in (between[clean], bare))
    ends = max(a[whole][-1, 1], b[whole][-1, 1])
    low = np.arange(len(mask))[:, None] > ends - _INSIDE * scale
    told_apart = np.median(_at(unlike_legs, between[clean])) > _STEP
    nearer = unlike < unlike_legs if told_apart else hanging > 0.5
    cloth = (mask > 0.6) & (arms < _ARMS) & (unlike < _UNLIKE) & (hanging > _SOME) & (~low | nearer)
    side = 2 * max(1, round(_STRIPE * scale)) + 1
    cloth = cv2.morphologyEx(cloth.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((side, side)))
    cloth *= arms < _ARMS
    cloth[max(0, int(np.ceil(max(a[-1, 1], b[-1, 1])))) :] = 0  # shoes may have its colour
    found = _runs(cloth, a, b, whole, scale)
    if found is None:
        return None
    left, right, ease = found
    apart = np.linalg.norm(b - a, axis=1) / scale
    if float((ease + apart / 2)[whole][-1]) < _LEAST_HALF:
        return None
    thighs = (_length(joints, 11, 13) / scale, _length(joints, 12, 14) / scale)
    soft = cv2.GaussianBlur(cloth.astype(np.float32), (0, 0), 0.8)
    return Skirt(hem, left, right, soft, ease, apart, _from_front(joints, scale), thighs)


def may_hang(photo: np.ndarray, scale: float, joints: np.ndarray, pose_scale: float) -> bool:
    """Whether legs may be parted farther in a pose than in a photo, whatever is worn.

    Args:
        photo: (J, 2) the network's joints in the photo.
        scale: The body's there, in pixels.
        joints: (J, 2) those of the pose.
        pose_scale: The body's there.
    """
    share = np.linspace(_HIGHEST, 1, 12)
    was, now = (
        np.linalg.norm(np.subtract(*(_along(leg, share) for leg in _legs(x))), axis=1) / s
        for x, s in ((photo, scale), (joints, pose_scale))
    )
    least = was * _facing_still(_from_front(photo, scale), _from_front(joints, pose_scale))
    return bool((now > least + _PARTED).any())


def draped(
    skirt: Skirt, joints: np.ndarray, scale: float, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """A skirt hung between the legs of a pose.

    Args:
        skirt: Of a photo.
        joints: (J, 2) the network's joints of the pose.
        scale: The body's in the pose, in pixels.
        size: (height, width) of the frame.

    Returns:
        (H, W, 2) float32 where each pixel comes from in the photo's frame, sensible within a few
        pixels of the skirt, and (H, W) float32 in [0, 1] where it lies. None where the legs are
        hardly farther apart than in the photo, or too far for it.
    """
    lengths = _length(joints, 11, 13), _length(joints, 12, 14)
    if any(n < _ALONG * scale * own for n, own in zip(lengths, skirt.thighs, strict=True)):
        return None
    share = _shares(skirt.hem)
    a, b = _ordered(*(_along(leg, share) for leg in _legs(joints)))
    apart = np.linalg.norm(b - a, axis=1) / scale
    at_hem = int(np.searchsorted(share, skirt.hem - _INSIDE)) - 1
    from_front = _from_front(joints, scale)
    if apart[at_hem] < skirt.apart[at_hem] * _facing_still(skirt.from_front, from_front) + _PARTED:
        return None
    if apart[at_hem] + 2 * _GIRTH > _TAUT * (skirt.apart + 2 * skirt.ease)[at_hem]:
        return None
    # as much cloth as there is; taut where the legs need all of it
    seen = min(1.0, from_front / max(skirt.from_front, 0.1))
    rows = np.linspace(0, 1, _ROWS)
    aside = _IN_PROFILE[0] + (_IN_PROFILE[1] - _IN_PROFILE[0]) * rows
    whole = (aside + (1 - aside) * seen) * (2 * skirt.ease + skirt.apart)
    ease = np.maximum((whole - apart) / 2, _GIRTH * np.minimum(1, 0.8 + rows))
    outward_a, outward_b = _normals(a), -_normals(b)
    left = a + scale * ease[:, None] * outward_a
    right = b + scale * ease[:, None] * outward_b
    return _hung(skirt, left, right, size)


def _hung(
    skirt: Skirt, left: np.ndarray, right: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where pixels come from, of a skirt with these borders (R, 2), and where it lies."""
    height, width = size
    fine = 6  # places a row and column
    v = np.linspace(0, _ROWS - 1, fine * _ROWS)
    u = np.linspace(-0.06, 1.06, fine * _COLUMNS)[None, :, None]

    def between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        ends = [
            np.stack([np.interp(v, np.arange(_ROWS), x[:, i]) for i in (0, 1)], -1)[:, None]
            for x in (first, second)
        ]
        return ends[0] + (ends[1] - ends[0]) * u

    to, source = between(left, right), between(skirt.left, skirt.right)
    column, row = np.floor(to[..., 0]).astype(int), np.floor(to[..., 1]).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    cell = (row * width + column)[inside]
    count = np.bincount(cell, minlength=height * width).reshape(height, width)
    sums = [
        np.bincount(cell, source[..., i][inside], height * width).reshape(height, width)
        for i in (0, 1)
    ]
    layers = np.dstack([*sums, count]).astype(np.float32)
    near = layers.copy()
    for radius in (1, 2, 4, 8):  # holes and what is round it
        wider = cv2.GaussianBlur(layers, (0, 0), radius)
        near = np.where(near[..., 2:] > 0.02, near, wider)
    places = near[..., :2] / np.maximum(near[..., 2:], 1e-6)
    fade = np.interp(np.arange(_ROWS), [0, _FADE / (skirt.hem + _BEYOND - _TOP) * _ROWS], [0, 1])
    shape = np.zeros(size, np.uint8)
    outline = np.rint(np.concatenate([left, right[::-1]]) * 16 - 8).astype(np.int32)
    cv2.fillPoly(shape, [outline], 255, cv2.LINE_AA, 4)
    shape = shape.astype(np.float32) / 255
    # its hem has the photo's shape
    near_hem = _shares(skirt.hem) > skirt.hem - _INSIDE
    share = np.where(
        np.interp(v, np.arange(_ROWS), near_hem)[:, None] > 0.5,
        _at(skirt.cloth, source),
        np.interp(v, np.arange(_ROWS), smooth(fade))[:, None],
    )
    weight = np.bincount(cell, share[inside], height * width).reshape(size)
    begun = cv2.GaussianBlur(np.dstack([weight, count]).astype(np.float32), (0, 0), 0.7)
    shape *= begun[..., 0] / np.maximum(begun[..., 1], 1e-6)
    return places.astype(np.float32), np.clip(shape, 0, 1)


def amid(values: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(S,) mean of values (H, W) between points (S, 2) of both legs, x, y in pixels."""
    return np.mean([_at(values, one + (other - one) * u) for u in _BAND], axis=0)


def _hem(lab: np.ndarray, hanging: np.ndarray, legs: list[np.ndarray]) -> float | None:
    """Where along the legs cloth between them ends; None where there is none.

    Within what the network's reading is sure to, it is where the legs' colours change most, if they
    do.
    """
    share = np.linspace(0, 1, _STEPS)
    a, b = (_along(leg, share) for leg in legs)
    cloth = amid(hanging, a, b)
    over = np.flatnonzero((share > _HIGHEST) & (cloth < 0.5))
    read = float(share[over[0]]) if len(over) else _LONGEST
    if read < _HIGHEST + _INSIDE or cloth[(share > _FROM) & (share < read)].mean() < _BETWEEN:
        return None
    colours = [_at(lab, leg) * [0.7, 1, 1] for leg in (a, b)]
    up = round(_ABOVE * _STEPS)
    best, hem = _STEP, min(read, _LONGEST)
    for i in np.flatnonzero((np.abs(share - read) < _UNSURE) & (share < _LONGEST)):
        above, below = slice(max(0, i - up), max(1, i - 1)), slice(i + 2, i + 2 + up)
        if i + 4 > _STEPS:
            break
        steps = [np.linalg.norm(c[above].mean(0) - c[below].mean(0)) for c in colours]
        step = float(np.sqrt(steps[0] * steps[1])) * float(1 - 0.5 * abs(share[i] - read) / _UNSURE)
        if step > best:
            best, hem = step, float(share[i])
    return hem


def _runs(
    cloth: np.ndarray, a: np.ndarray, b: np.ndarray, whole: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Borders (R, 2) of the cloth in rows through points of both legs, and its ease (R,).

    Read where rows are `whole`, and continued below.
    """
    across = b.mean(0) - a.mean(0)
    across = across / max(1e-3, float(np.linalg.norm(across)))
    middle = (a + b) / 2
    reach = np.arange(0, 1.2 * scale, 0.5)
    ends = []
    for sign in (-1, 1):
        points = middle[:, None] + sign * across * reach[:, None]
        seen = _at(cloth, points) > 0.5
        ends.append(np.where(seen.all(1), len(reach) - 1, np.argmin(seen, axis=1)) * 0.5)
    rows = np.linspace(-1, 1, _ROWS)
    inner = [_curve(rows, e, whole, _UNDER) - _INSIDE_PX for e in ends]
    clean = [np.maximum(e, 0) for e in inner]
    if np.median((clean[0] + clean[1])[whole]) < _LEAST_WIDE * scale:
        return None
    # a bag hangs at one side alone
    outer = np.minimum(np.maximum(*ends), _UNEVEN * np.minimum(*ends) + _INSIDE_PX)
    outer = _curve(rows, outer, whole, 0.5)
    ease = np.clip((outer - np.linalg.norm(b - a, axis=1) / 2) / scale, 0.05, 0.6)
    left = middle - across * clean[0][:, None]
    right = middle + across * clean[1][:, None]
    return left, right, ease


def _curve(x: np.ndarray, y: np.ndarray, known: np.ndarray, above: float) -> np.ndarray:
    """A parabola with so much of the weight of (R,) values above it, read where they are known."""
    weights = np.ones(len(x))
    fit = y
    for _ in range(6):
        fit = np.polyval(np.polyfit(x[known], y[known], 2, w=np.sqrt(weights[known])), x)
        weights = np.where(y > fit, above, 1 - above)
    # below what was read it goes on as it was
    return np.clip(fit, 0, float(np.max(fit[known])) * 1.1)


def _shares(hem: float) -> np.ndarray:
    """(R,) where along the legs the rows of a skirt lie, and some below its hem."""
    return np.linspace(_TOP, hem + _BEYOND, _ROWS)


def _up(joints: np.ndarray) -> np.ndarray:
    """(2,) unit vector along the trunk, from hips to shoulders."""
    return _unit(joints[[5, 6]].mean(0) - joints[[11, 12]].mean(0))


def _unit(way: np.ndarray) -> np.ndarray:
    return way / max(1e-3, float(np.linalg.norm(way)))


def _legs(joints: np.ndarray) -> list[np.ndarray]:
    """A point above each hip, hip, knee, ankle and a point below it of both legs, (5, 2) each."""
    up = _up(joints)
    legs = [joints[[11, 13, 15]], joints[[12, 14, 16]]]
    ends = [
        (leg[0] + up * _reach(leg), leg[2] + _unit(leg[2] - leg[1]) * _reach(leg)) for leg in legs
    ]
    return [np.stack([end[0], *leg, end[1]]) for leg, end in zip(legs, ends, strict=True)]


def _reach(leg: np.ndarray) -> float:
    """Length of a leg through hip, knee and ankle."""
    return float(np.linalg.norm(np.diff(leg, axis=0), axis=1).sum())


def _along(leg: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(N, 2) points at shares of a leg's length from the hip; negative ones lie above it."""
    knee = float(np.linalg.norm(leg[2] - leg[1])) / max(_reach(leg[1:4]), 1e-3)
    stations = [-1, 0, min(max(knee, 0.2), 0.8), 1, 2]
    return np.stack([np.interp(share, stations, leg[:, i]) for i in (0, 1)], -1)


def _ordered(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both legs' points, of the one first that is on the left for who looks with the feet down."""
    way, across = a[-1] + b[-1] - a[0] - b[0], b[-1] - a[-1]
    return (a, b) if way[1] * across[0] - way[0] * across[1] >= 0 else (b, a)


def _from_front(joints: np.ndarray, scale: float) -> float:
    """In [0, 1], how wide shoulders are seen to be, across the trunk."""
    up = _up(joints)
    wide = joints[5] - joints[6]
    across = float(np.linalg.norm(wide - (wide @ up) * up))
    return min(1.0, across / (_SHOULDERS * scale))


def _facing_still(photo: float, pose: float) -> float:
    """In [0, 1], how far a pose is seen from where the photo shows the person, by `_from_front`."""
    return float(smooth(np.array((min(1.0, pose / max(photo, 0.1)) - 0.4) / 0.4)))


def _normals(points: np.ndarray) -> np.ndarray:
    """(N, 2) unit vectors to the left of a way down."""
    way = np.gradient(cv2.GaussianBlur(points.astype(np.float64), (1, 9), 0), axis=0)
    way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    return np.stack([-way[:, 1], way[:, 0]], -1)


def _length(joints: np.ndarray, first: int, second: int) -> float:
    return float(np.linalg.norm(joints[first] - joints[second]))


def _at(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(M, N) or (M, N, C) values (H, W[, C]) at points (M, N, 2); M may be left out."""
    rows = points.astype(np.float32).reshape(-1, *points.shape[-2:]) - np.float32(0.5)
    picture = np.ascontiguousarray(values, np.float32)
    found = cv2.remap(picture, rows[..., 0], rows[..., 1], cv2.INTER_LINEAR)
    return found.reshape(*points.shape[:-1], *values.shape[2:])
