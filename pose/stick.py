"""Stick pictures: ControlNet's coloured ones, drawn and read back, and overlays for the eye.

ControlNet's picture of a pose shows OpenPose's 18 keypoints on black: 17 limbs as ellipses in
the 18 colours of the rainbow at 0.6 of their brightness, on top of them a dot per keypoint in full
colour. A picture of that kind is read by its colours, so that no detector is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose.convert import convert
from pose.skeletons import OPENPOSE18
from pose.types import Pose

_RAINBOW = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)),
)
"""Colour of each of OPENPOSE18's keypoints, and of the limb of the same number; RGB."""

CONTROLNET_LIMBS = (
    *(("neck", "right_shoulder"), ("neck", "left_shoulder")),
    *(("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist")),
    *(("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist")),
    *(("neck", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle")),
    *(("neck", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle")),
    *(("neck", "nose"), ("nose", "right_eye"), ("right_eye", "right_ear")),
    *(("nose", "left_eye"), ("left_eye", "left_ear")),
)
"""The limbs in the order of drawing; each leads away from the neck."""

HIDDEN_CONFIDENCE = 0.5
"""Confidence of a joint read back whose dot lies under others, so that only its limb shows it."""

_DIM = 0.6
_RADIUS = 4.0
_NARROW_CANVAS = 1024  # up to this side, widths are ControlNet's own
_SUBPIXEL_BITS = 4
_DOT_COLOURS = np.array(_RAINBOW, np.float32)
_LIMB_COLOURS = _DOT_COLOURS[: len(CONTROLNET_LIMBS)] * _DIM
_LIMBS = tuple((OPENPOSE18.index[a], OPENPOSE18.index[b]) for a, b in CONTROLNET_LIMBS)
_BLACK = 60  # a pixel whose brightest channel is below is taken for the canvas
_MIN_BLACK_SHARE = 0.5
_MAX_COLOUR_DISTANCE = 80.0
_MIN_COLOURED_SHARE = 0.65
_MIN_DOT_SHARE = 0.3
_SURE_SHARE = 0.6
_MIN_SUPPORT = 0.4
_MIN_JOINTS = 3
_SAMPLE = 60_000  # pixels


# -- drawing ---------------------------------------------------------------------------------


def draw_controlnet(pose: Pose, size: tuple[int, int]) -> np.ndarray:
    """Draw a pose as ControlNet's OpenPose models want it.

    Args:
        pose: A pose of any skeleton, in pixels of the canvas; what is missing is not drawn.
        size: (height, width) of the canvas in pixels.

    Returns:
        (height, width, 3) uint8 RGB. Limbs are 8 px wide and dots 8 px across, proportionally
        more where the longer side exceeds 1024 px.

    Raises:
        ValueError: If a side of the canvas is below 1.
    """
    if min(size) < 1:
        raise ValueError(f"size must be (height, width), both at least 1, got {size}")
    canvas = np.zeros((*size, 3), np.uint8)
    body = convert(pose, OPENPOSE18)
    radius = _RADIUS * max(1.0, max(size) / _NARROW_CANVAS)
    for (a, b), colour in zip(_LIMBS, _LIMB_COLOURS, strict=True):
        if body.present[a] and body.present[b]:
            outline = _ellipse(body.keypoints[a], body.keypoints[b], radius)
            _fill(canvas, outline, colour)
    for i in np.flatnonzero(body.present):
        outline = _ellipse(body.keypoints[i], body.keypoints[i], radius, radius)
        _fill(canvas, outline, _DOT_COLOURS[i])
    return canvas


def _ellipse(a: np.ndarray, b: np.ndarray, half_width: float, overhang: float = 0.0) -> np.ndarray:
    """(N, 2) outline of an ellipse from a to b, longer by `overhang` at either end."""
    along = b - a
    length = float(np.hypot(*along))
    axis = along / length if length > 0 else np.array([1.0, 0.0])
    turn = np.linspace(0, 2 * np.pi, 73)[:-1, None]
    across = np.array([-axis[1], axis[0]])
    reach = length / 2 + overhang
    return (a + b) / 2 + reach * np.cos(turn) * axis + half_width * np.sin(turn) * across


def _fill(canvas: np.ndarray, outline: np.ndarray, colour: np.ndarray) -> None:
    # OpenCV counts from the middle of the first pixel, we from its corner. What lies far outside
    # is clipped, as OpenCV's integers are of 16 bits before the point.
    points = np.clip(outline - 0.5, -30_000, 30_000) * 2**_SUBPIXEL_BITS
    points = np.round(points).astype(np.int32)
    cv2.fillConvexPoly(canvas, points, colour.tolist(), cv2.LINE_8, _SUBPIXEL_BITS)


def draw_pose(image: np.ndarray, pose: Pose) -> np.ndarray:
    """Draw a pose over a picture, for people to look at.

    The person's left is blue, their right orange, the middle white; guessed joints (confidence
    below 0.1) and limbs to them are thin.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        pose: A pose of any skeleton, in pixels of that picture.

    Returns:
        (H, W, 3) uint8 RGB, a copy.

    Raises:
        ValueError: If the image is not (H, W, 3) uint8.
    """
    _check(image)
    canvas = np.ascontiguousarray(image).copy()
    thickness = max(2, round(max(image.shape[:2]) / 200))

    def colour(*names: str) -> tuple[int, int, int]:
        sides = {name.partition("_")[0] for name in names}
        if sides == {"left"}:
            return 60, 150, 255
        return (255, 140, 40) if sides == {"right"} else (245, 245, 245)

    points = np.clip(np.nan_to_num(pose.keypoints) - 0.5, -30_000, 30_000) * 2**_SUBPIXEL_BITS
    at = [(int(x), int(y)) for x, y in np.round(points)]
    faint = pose.confidence < 0.1
    names = pose.skeleton.keypoints
    for a, b in pose.skeleton.limbs:
        if pose.present[a] and pose.present[b]:
            width = 1 if faint[a] or faint[b] else thickness
            paint = colour(names[a], names[b])
            # A dark rim keeps the line visible on any ground.
            cv2.line(canvas, at[a], at[b], (0, 0, 0), width + 2, cv2.LINE_AA, _SUBPIXEL_BITS)
            cv2.line(canvas, at[a], at[b], paint, width, cv2.LINE_AA, _SUBPIXEL_BITS)
    for i in np.flatnonzero(pose.present):
        radius = (1 if faint[i] else thickness) * 2**_SUBPIXEL_BITS
        rim = radius + 2**_SUBPIXEL_BITS
        cv2.circle(canvas, at[i], rim, (0, 0, 0), -1, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.circle(canvas, at[i], radius, colour(names[i]), -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


# -- reading ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Dot:
    """A dot of one colour, perhaps partly hidden."""

    point: np.ndarray
    share: float
    """Of the dot's area that shows."""


def read_controlnet(image: np.ndarray) -> Pose | None:
    """Read a ControlNet-coloured stick picture back.

    Dots are found by their colours; a dot under others is placed at the end of its limb. Where a
    picture shows several people, the largest is read.

    Args:
        image: (H, W, 3) uint8 RGB, compressed as JPEG or scaled perhaps.

    Returns:
        An OPENPOSE18 pose of the picture's size, confidence 1 for joints whose dots show and
        `HIDDEN_CONFIDENCE` for those under others; None if the picture is of another kind.

    Raises:
        ValueError: If the image is not (H, W, 3) uint8.
    """
    _check(image)
    labels = _classify(image)
    if labels is None:
        return None
    dots_of = np.where(labels < len(OPENPOSE18), labels, -1)
    limbs_of = np.where(labels >= len(OPENPOSE18), labels - len(OPENPOSE18), -1)
    radius = _dot_radius(dots_of)
    if radius is None:
        return None
    dots = [_find_dots(dots_of, joint, radius) for joint in range(len(OPENPOSE18))]
    several = sum(sum(dot.share >= _SURE_SHARE for dot in found) > 1 for found in dots)
    people = (
        _several(dots, limbs_of) if several >= _MIN_JOINTS else [_single(dots, limbs_of, radius)]
    )
    people = [person for person in people if len(person) >= _MIN_JOINTS]
    if not people:
        return None
    person = max(people, key=lambda person: _extent([dot.point for dot in person.values()]))
    keypoints = np.full((len(OPENPOSE18), 2), np.nan)
    confidence = np.zeros(len(OPENPOSE18))
    for joint, dot in person.items():
        keypoints[joint] = dot.point
        confidence[joint] = 1.0 if dot.share > 0 else HIDDEN_CONFIDENCE
    return Pose(OPENPOSE18, keypoints, confidence, (image.shape[0], image.shape[1]))


def _check(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")


def _classify(image: np.ndarray) -> np.ndarray | None:
    """(H, W) int8: 0 to 17 dots, 18 to 34 limbs, -1 canvas; None for another kind of picture."""
    step = max(1, round(np.sqrt(image.shape[0] * image.shape[1] / _SAMPLE)))
    if step > 1 and _classify(np.ascontiguousarray(image[::step, ::step])) is None:
        return None  # a large photo is told by a part of its pixels
    coloured = image.max(axis=2) >= _BLACK
    share = float(coloured.mean())
    if share == 0 or share > 1 - _MIN_BLACK_SHARE:
        return None
    pixels = image[coloured]
    # Whatever is not canvas must be as saturated as the palette, which no photo is, and near it.
    if np.mean(pixels.min(axis=1) < 0.35 * pixels.max(axis=1)) < _MIN_COLOURED_SHARE:
        return None
    palette = np.concatenate([_DOT_COLOURS, _LIMB_COLOURS])
    nearest = np.empty(len(pixels), np.int8)
    for start in range(0, len(pixels), 65_536):  # keeps the table of distances small
        chunk = slice(start, start + 65_536)
        apart = np.linalg.norm(pixels[chunk, None].astype(np.float32) - palette, axis=2)
        nearest[chunk] = apart.argmin(axis=1)
        nearest[chunk][apart.min(axis=1) > _MAX_COLOUR_DISTANCE] = -1
    if np.mean(nearest >= 0) < _MIN_COLOURED_SHARE:
        return None
    labels = np.full(image.shape[:2], -1, np.int8)
    labels[coloured] = nearest
    return labels


def _disc(radius: float) -> np.ndarray:
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return (np.hypot(x, y) <= radius + 0.25).astype(np.float32)


def _dot_radius(dots_of: np.ndarray) -> float | None:
    """Radius of the dots in pixels, from the largest spot of each colour; None without any."""
    areas = []
    for joint in range(len(OPENPOSE18)):
        spots = cv2.connectedComponentsWithStats((dots_of == joint).astype(np.uint8))[2]
        areas += [int(spots[1:, cv2.CC_STAT_AREA].max(initial=0))]
    seen = sorted((area for area in areas if area >= 6), reverse=True)
    if not seen:
        return None
    # The median of the larger half: many dots are hidden in part.
    return float(np.clip(np.sqrt(np.median(seen[: max(3, len(seen) // 2)]) / np.pi), 1.5, 60))


def _find_dots(dots_of: np.ndarray, joint: int, radius: float) -> list[_Dot]:
    """Places of a joint's dots: where a disc holds most of its colour and no limb or canvas."""
    own = dots_of == joint
    if not own.any():
        return []
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    margin = int(np.ceil(2 * radius)) + 2
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    window = (slice(top, rows[-1] + margin + 1), slice(left, columns[-1] + margin + 1))
    disc = _disc(radius)

    def inside(mask: np.ndarray) -> np.ndarray:
        return cv2.filter2D(
            mask[window].astype(np.float32), -1, disc, borderType=cv2.BORDER_CONSTANT
        )

    shown = inside(own)
    # Other dots may lie on top; limbs and canvas cannot, so they speak against the place.
    score = shown - 0.5 * inside(dots_of == -1)
    area = float(disc.sum())
    found = []
    while len(found) < 16:
        best = np.unravel_index(int(score.argmax()), score.shape)
        share = float(shown[best]) / area
        if share < _MIN_DOT_SHARE / 2 or score[best] <= 0:
            break
        y, x = np.mgrid[: score.shape[0], : score.shape[1]]
        near = np.hypot(y - best[0], x - best[1]) <= radius
        # Places nearly as good as the best are averaged: finer than a pixel, and steady.
        weight = np.where(near, np.clip(score - score[best] + 0.12 * area, 0, None), 0)
        point = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        found.append(_Dot(point + np.array([left + 0.5, top + 0.5]), min(share, 1.0)))
        score = np.where(np.hypot(y - best[0], x - best[1]) <= 2 * radius, -np.inf, score)
    return found


def _support(limb: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Share of the way from a to b that has a limb's colour."""
    steps = np.linspace(0.15, 0.85, 24)[:, None]
    x, y = (a + steps * (b - a)).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < limb.shape[1]) & (y < limb.shape[0])
    if not inside.any():
        return 0.0
    return float(limb[y[inside], x[inside]].sum()) / len(steps)


def _single(dots: list[list[_Dot]], limbs_of: np.ndarray, radius: float) -> dict[int, _Dot]:
    """The joints of the only person: of each colour the best dot, or the end of its limb."""
    person = {
        joint: found[0]
        for joint, found in enumerate(dots)
        if found and found[0].share >= _MIN_DOT_SHARE
    }
    tops = np.array([dot.point for dot in person.values()]).reshape(-1, 2)
    for number, (a, b) in enumerate(_LIMBS):
        limb = limbs_of == number
        for known, other in ((a, b), (b, a)):
            if known not in person or other in person:
                continue
            # Where colours run together there are specks of every colour: a dot that hardly
            # shows must be next to its neighbour, or the limb between them must show.
            start = person[known].point
            backed = [
                dot
                for dot in dots[other]
                if _support(limb, start, dot.point) >= _MIN_SUPPORT
                or np.hypot(*(dot.point - start)) <= 6 * radius
            ]
            end = backed[0] if backed else _hidden_end(limb, start, tops, radius)
            if end is not None:
                person[other] = end
    return person


def _hidden_end(
    limb: np.ndarray, start: np.ndarray, tops: np.ndarray, radius: float
) -> _Dot | None:
    """The far end of a limb whose dot there lies under one of the dots `tops`."""
    reach = round(radius)
    joined = cv2.morphologyEx(
        limb.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((2 * reach + 1,) * 2, np.uint8)
    )
    count, pieces = cv2.connectedComponents(joined)
    best: np.ndarray | None = None
    for piece in range(1, count):
        y, x = np.nonzero(limb & (pieces == piece))
        pixels = np.stack([x + 0.5, y + 0.5], axis=1) - start
        near = len(pixels) and np.hypot(*pixels.T).min() <= 4 * radius
        if near and len(pixels) >= 12 and (best is None or len(pixels) > len(best)):
            best = pixels
    if best is None:
        return None
    pixels = best
    axis = pixels.mean(axis=0)
    length = float(np.hypot(*axis))
    if length < 1:
        return None
    axis = axis / length
    end = float(np.quantile(pixels @ axis, 0.98))
    # The limb itself may be covered, too, but its end is under a dot ahead of what shows.
    ahead = (tops - start) @ axis
    aside = np.abs((tops - start) @ np.array([-axis[1], axis[0]]))
    under = tops[(ahead >= max(end - radius, 2 * radius)) & (aside <= 1.5 * radius)]
    if len(under):
        return _Dot(min(under, key=lambda top: float((top - start) @ axis)), 0.0)
    return _Dot(start + max(end + 1.0, 0.0) * axis, 0.0)  # an ellipse thins out towards its end


def _several(dots: list[list[_Dot]], limbs_of: np.ndarray) -> list[dict[int, _Dot]]:
    """Dots put together to people along the limbs that join them; the surest limbs first."""
    owner: dict[int, dict[int, _Dot]] = {
        id(dot): {joint: dot} for joint, found in enumerate(dots) for dot in found
    }
    for number, (a, b) in enumerate(_LIMBS):
        limb = limbs_of == number
        pairs = [
            (_support(limb, start.point, end.point), start, end)
            for start in dots[a]
            for end in dots[b]
        ]
        for support, start, end in sorted(pairs, key=lambda pair: -pair[0]):
            one, other = owner[id(start)], owner[id(end)]
            if support >= _MIN_SUPPORT and not set(one) & set(other):
                one.update(other)
                for dot in other.values():
                    owner[id(dot)] = one
    return list({id(person): person for person in owner.values()}.values())


def _extent(points: list[np.ndarray]) -> float:
    table = np.stack(points)
    return float(np.hypot(*(table.max(axis=0) - table.min(axis=0))))
