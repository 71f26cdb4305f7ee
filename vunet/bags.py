"""What somebody carries: a bag goes with the hand, the arm or the hip that it hangs from.

Moved with arms and legs, a bag smears into sleeves and trousers, or stays behind in the ground. So
it is taken from the photo's person before anything moves, and laid over the picture in the end:

    photo -> the network's reading of what is carried -> outline -> bag, person without it
    new pose -> where its holder is -> the bag there, upright and in the person's scale

What it covered in the photo is painted, and counts as made up; it itself is the photo's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pose import Pose
from pose.retarget import body_scale
from vunet.framing import Window
from vunet.render import Layer, Subject

_FINER = 2
"""Outlines are drawn on so many pixels per pixel of the network's picture."""
_SURE, _MAYBE, _CORE = 0.5, 0.4, 0.8
"""How surely a bag is read where it surely has a bag's pixels, may have some, and has them all."""
_LEAST, _MOST = 0.05, 1.5
"""Areas of what is taken for a bag, in squared body scales."""
_NEAR = 0.1
"""How far beyond what is read the outline may lie, in body scales."""
_SHRUNK, _GROWN = 0.5, 1.8
"""Areas of an outline, as shares of what was read, beyond which it is not trusted."""
_ROUND = 0.02
"""What is cut from the person round a bag, in body scales."""
_HELD, _ON_ARM, _AT_HIP = 0.3, 0.2, 0.45
"""How far from a hand, an elbow and a hip what hangs there ends at most, in body scales."""
_AS_BEFORE = 0.08
"""In body scales: joints that move less far leave the photo as it is."""
_OTHER_FRAME = 0.02
"""Logarithm of the quotient of two frames' shapes from which they are not the same."""
_RAISED = 0.1
"""How far a hand is above its shoulder, in body scales, from where its bag is left out: it would
hang before the face."""
_ON_TRUNK = 0.3
"""Share of a bag over the trunk from which the trunk hides it when it turns round."""
_TURNED = 0.25
"""How wide shoulders are, in body scales, of whom a photo or a pose shows from behind."""
_REDUCED = 0.6
"""Pixels made smaller than this share are averaged."""
_ITERATIONS = 2
_SIDES = ("left", "right")
_A_BAG, _NO_BAG = (cv2.GC_FGD, cv2.GC_PR_FGD), (cv2.GC_BGD, cv2.GC_PR_BGD)


@dataclass(frozen=True, eq=False)
class Bag:
    """Something carried, in a photo."""

    left: int
    top: int
    """Where its pixels begin in the photo."""
    alpha: np.ndarray
    """(h, w) float32 in [0, 1], its outline there."""
    holder: str
    """The joint of BODY27 that it hangs from."""
    on_trunk: float
    """Share of it that lies before the trunk, in [0, 1]."""

    @property
    def inside(self) -> tuple[slice, slice]:
        """Its rows and columns of the photo."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True, eq=False)
class Unburdened:
    """Somebody without what they carry."""

    subject: Subject
    """With a mask that leaves bags out."""
    bags: tuple[Bag, ...]
    places: np.ndarray
    """(H, W) float32 in [0, 1], where in the photo bags are, and a little round them."""


def unburdened(
    subject: Subject, window: Window, carried: np.ndarray, arms: np.ndarray
) -> Unburdened | None:
    """Somebody without their bags; None if they carry nothing that is surely seen.

    Args:
        subject: Who, in which photo.
        window: What the network saw of it.
        carried: (h, w) float32 in [0, 1], how surely each place of the window shows a bag.
        arms: (h, w) float32 in [0, 1], and how surely arms or hands.
    """
    if float(carried.max()) < _CORE:
        return None
    height, width = (_FINER * n for n in window.size)
    fine = Window(window.left, window.top, window.scale * _FINER, (height, width))
    scale = body_scale(subject.pose) * fine.scale
    mask = fine.cut(subject.mask)
    wh = (width, height)
    read = cv2.resize(carried, wh, interpolation=cv2.INTER_LINEAR) * _arms_off(arms, wh)
    read *= np.clip(2 * cv2.GaussianBlur(mask, (0, 0), 0.03 * scale), 0, 1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((read > _SURE).astype(np.uint8))
    image: np.ndarray | None = None
    bags: list[Bag] = []
    for k in range(1, count):
        area = int(stats[k, cv2.CC_STAT_AREA]) / scale**2
        piece = labels == k
        if not _LEAST < area < _MOST or float(read[piece].max()) < _CORE:
            continue
        image = fine.cut(subject.image) if image is None else image
        shape = _outlined(image, piece, read, scale)
        holder = _holder(shape, fine, subject.pose, scale)
        if holder is not None:  # else it lies at the feet, or is a hem
            bags.append(_bag(shape, holder, fine, subject))
    if not bags:
        return None
    places = np.zeros_like(subject.mask)
    side = 2 * max(1, round(_ROUND * body_scale(subject.pose))) + 1
    for bag in bags:
        inside, shape = _wider(bag, side, places.shape)
        places[inside] = np.maximum(places[inside], shape)
    bare = replace(subject, mask=subject.mask * (1 - places))
    return Unburdened(bare, tuple(bags), places)


def _arms_off(arms: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    """(H, W) what arms leave of a reading, from their share (h, w) in it."""
    return 1 - np.clip(2 * cv2.resize(arms, wh, interpolation=cv2.INTER_LINEAR) - 0.6, 0, 1)


def stands_still(subject: Subject, target: Pose, canvas: tuple[int, int]) -> bool:
    """Whether somebody is to be drawn as they stand in the photo, on its own frame of any size.

    Args:
        subject: Who, in which photo.
        target: Their BODY27 pose on the canvas.
        canvas: (height, width).
    """
    size = subject.image.shape[:2]
    scale = np.array([canvas[1] / size[1], canvas[0] / size[0]])
    if abs(np.log(scale[0] / scale[1])) > _OTHER_FRAME:
        return False
    off = np.linalg.norm(target.keypoints - subject.pose.keypoints * scale, axis=1)
    return bool(np.nanmax(off) < _AS_BEFORE * body_scale(target))


def lay_bags(
    layer: Layer, bags: Sequence[Bag], image: np.ndarray, pose: Pose, target: Pose
) -> list[str]:
    """Lay bags over a drawn person; what there is to say about those that are left out.

    Args:
        layer: The person without them; changed in place.
        bags: In the photo.
        image: (H, W, 3) uint8 the photo.
        pose: BODY27 in it.
        target: BODY27 of the person drawn, in the canvas's pixels.
    """
    notes: list[str] = []
    for bag in bags:
        if (why := _hidden(bag, pose, target)) is None:
            _lay(layer, bag, image, _way(bag, pose, target))
        else:
            notes.append(f"A bag is left out: {why}.")
    return notes


def _lay(layer: Layer, bag: Bag, image: np.ndarray, way: np.ndarray) -> None:
    """Lay a bag over a layer, in place, moved by (2, 3) affine `way`."""
    colour, alpha, invented, unmoved = layer.colour, layer.alpha, layer.invented, layer.unmoved
    height, width = bag.alpha.shape
    first = np.array([bag.left, bag.top], np.float64)
    own = np.stack([first, first + np.array([width, height])])
    corners = own @ way[:, :2].T + way[:, 2]
    x0, y0 = np.maximum(np.floor(corners[0]).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(corners[1]).astype(int) + 1, alpha.shape[::-1])
    if x1 <= x0 or y1 <= y0:
        return
    pixels, over = image[bag.inside], bag.alpha
    few = (width, height)
    if way[0, 0] < _REDUCED:
        few = (max(1, round(width * way[0, 0])), max(1, round(height * way[1, 1])))
        pixels, over = (cv2.resize(x, few, interpolation=cv2.INTER_AREA) for x in (pixels, over))
    per = np.array([width / few[0], height / few[1]])
    m = way.copy()
    m[:, :2] *= per
    # cv2 counts pixel centres as integers
    m[:, 2] += way[:, :2] @ first + m[:, :2] @ (0.5, 0.5) - 0.5 - np.array([x0, y0])
    wh = (int(x1 - x0), int(y1 - y0))
    pixels = cv2.warpAffine(
        pixels, m, wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    over = cv2.warpAffine(over, m, wh, flags=cv2.INTER_LINEAR)
    here = (slice(y0, y1), slice(x0, x1))
    under = alpha[here] * (1 - over)
    both = over + under
    mixed = pixels * over[..., None] + colour[here] * under[..., None]
    colour[here] = np.where(
        over[..., None] > 0, mixed / np.maximum(both, 1e-4)[..., None], colour[here]
    )
    alpha[here] = both
    invented[here] *= 1 - over
    unmoved[here] *= 1 - over


def _hidden(bag: Bag, pose: Pose, target: Pose) -> str | None:
    """Why a bag is not shown in a pose; None if it is."""
    if bag.holder.endswith(("wrist", "elbow")):
        raised = _rise(bag.holder, target) - max(0.0, _rise(bag.holder, pose))
        return "its arm goes up" if raised > _RAISED else None
    turned = _facing(target) * float(np.sign(_facing(pose))) < -_TURNED
    return "it hangs on the far side now" if turned and bag.on_trunk > _ON_TRUNK else None


def _rise(joint: str, pose: Pose) -> float:
    """How far up in the picture a hand or an elbow is from its shoulder, in body scales."""
    shoulder = pose.point(f"{joint.split('_')[0]}_shoulder")
    return float(shoulder[1] - pose.point(joint)[1]) / body_scale(pose)


def _way(bag: Bag, pose: Pose, target: Pose) -> np.ndarray:
    """(2, 3) affine from the photo to the canvas: upright, and with its holder."""
    scale = body_scale(target) / body_scale(pose)
    here, there = pose.point(bag.holder), target.point(bag.holder)
    return np.column_stack([np.eye(2) * scale, there - scale * here])


def _facing(pose: Pose) -> float:
    """How wide the shoulders are, in body scales; negative from behind."""
    hips, shoulders = (
        np.mean([pose.point(f"{s}_{n}") for s in _SIDES], axis=0) for n in ("hip", "shoulder")
    )
    up = (shoulders - hips) / max(1e-3, float(np.linalg.norm(shoulders - hips)))
    across = pose.point("left_shoulder") - pose.point("right_shoulder")
    return float(across @ np.array([-up[1], up[0]])) / body_scale(pose)


def _outlined(image: np.ndarray, piece: np.ndarray, read: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool outline of a bag by its colours, by what was read where those do not tell."""
    reach = 2 * max(1, round(_NEAR * scale)) + 1
    near = cv2.dilate(piece.astype(np.uint8), np.ones((reach, reach))) > 0
    rows, columns = (np.flatnonzero(near.any(axis)) for axis in (1, 0))
    pad = reach
    cut = (
        slice(max(0, rows[0] - pad), rows[-1] + pad + 1),
        slice(max(0, columns[0] - pad), columns[-1] + pad + 1),
    )
    known = np.full(piece.shape, cv2.GC_BGD, np.uint8)
    known[near] = cv2.GC_PR_BGD
    known[near & (read > _MAYBE)] = cv2.GC_PR_FGD
    known[piece & (read > _CORE)] = cv2.GC_FGD
    part = np.ascontiguousarray(known[cut])
    if not (np.isin(part, _NO_BAG).any() and np.isin(part, _A_BAG).any()):
        return piece  # a bag all over the window
    cv2.setRNGSeed(0)  # its clusters begin at random
    cv2.grabCut(
        np.ascontiguousarray(image[cut]),
        part,
        (0, 0, 1, 1),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        _ITERATIONS,
        cv2.GC_INIT_WITH_MASK,
    )
    shape = np.zeros(piece.shape, np.uint8)
    shape[cut] = np.isin(part, _A_BAG)
    side = 2 * max(1, round(0.02 * scale)) + 1
    shape = cv2.morphologyEx(shape, cv2.MORPH_OPEN, np.ones((side, side)))
    shape = cv2.morphologyEx(shape, cv2.MORPH_CLOSE, np.ones((2 * side + 1, 2 * side + 1)))
    count, labels = cv2.connectedComponents(shape)
    own = np.bincount(labels[piece].ravel(), minlength=count)
    own[0] = 0
    found = labels == int(own.argmax())
    if not own.any() or not _SHRUNK < found.sum() / piece.sum() < _GROWN:
        return piece
    return found


def _bag(shape: np.ndarray, holder: str, fine: Window, subject: Subject) -> Bag:
    """A bag of the photo from its outline in a window."""
    height, width = subject.mask.shape
    rows, columns = (np.flatnonzero(shape.any(axis)) for axis in (1, 0))
    x0, y0 = fine.left + (columns[0] - 2) / fine.scale, fine.top + (rows[0] - 2) / fine.scale
    x1, y1 = fine.left + (columns[-1] + 3) / fine.scale, fine.top + (rows[-1] + 3) / fine.scale
    left, top = max(0, int(x0)), max(0, int(y0))
    wh = (max(1, min(width, int(np.ceil(x1))) - left), max(1, min(height, int(np.ceil(y1))) - top))
    soft = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 1.0)
    m = fine.inverse.copy()
    m[:, 2] += 0.5 / fine.scale - 0.5 - np.array([left, top])
    alpha = np.clip(cv2.warpAffine(soft, m, wh, flags=cv2.INTER_LINEAR) * 1.6 - 0.4, 0, 1)
    trunk = np.zeros(shape.shape, np.uint8)
    ends = [f"{s}_{n}" for n in ("shoulder", "hip") for s in _SIDES]
    points = np.array([_in(fine, subject.pose, name) for name in ends])
    cv2.fillConvexPoly(trunk, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return Bag(left, top, alpha, holder, float(trunk[shape].mean()))


def _holder(shape: np.ndarray, fine: Window, pose: Pose, scale: float) -> str | None:
    """The joint that a bag hangs from; None if none is near."""
    away = cv2.distanceTransform((~shape).astype(np.uint8), cv2.DIST_L2, 3) / scale
    height, width = shape.shape

    def distance(point: np.ndarray) -> float:
        x, y = np.clip(point, 0, (width - 1, height - 1)).astype(int)
        return float(away[y, x])

    found: list[tuple[float, str]] = []
    for side in _SIDES:
        names = [f"{side}_{n}" for n in ("wrist", "pinky", "index", "thumb")]
        hand = min(distance(_in(fine, pose, name)) for name in names)
        found.append((hand / _HELD, f"{side}_wrist"))
        found.append((distance(_in(fine, pose, f"{side}_elbow")) / _ON_ARM, f"{side}_elbow"))
    nearest = min(found)
    if nearest[0] < 1:
        return nearest[1]
    hip = min((distance(_in(fine, pose, f"{s}_hip")), f"{s}_hip") for s in _SIDES)
    return hip[1] if hip[0] < _AT_HIP else None


def _in(window: Window, pose: Pose, name: str) -> np.ndarray:
    return window.matrix[:, :2] @ pose.point(name) + window.matrix[:, 2]


def _wider(bag: Bag, side: int, size: tuple[int, ...]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Rows and columns of a photo (height, width) round a bag, and its outline grown there."""
    pad = side // 2
    rows, columns = bag.inside
    y0, x0 = max(0, rows.start - pad), max(0, columns.start - pad)
    y1, x1 = min(size[0], rows.stop + pad), min(size[1], columns.stop + pad)
    shape = np.zeros((y1 - y0, x1 - x0), np.float32)
    h, w = bag.alpha.shape
    shape[bag.top - y0 : bag.top - y0 + h, bag.left - x0 : bag.left - x0 + w] = bag.alpha
    return (slice(y0, y1), slice(x0, x1)), cv2.dilate(shape, np.ones((side, side)))
