"""A photo's own face, turned in space: what a flat warp cannot do with a head that looks elsewhere.

    face mesh in the photo (478 points with depth) -+
    the head's five joints in photo and new pose ---+-> rotation --> mesh as seen in the new pose
                                                                        |
    photo's pixels, those of the other half of the face where it looks away <-- per triangle

Nose, eyes and ears of both skeletons tell how the head has turned: a rigid motion of the photo's
own five points, their depth taken from the mesh, is fitted to those of the pose. Behind the face
come hair of the photo's colours (`hair`), an ear where the photo's hair leaves them free (`ears`),
and a neck of the face's hue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.optimize import least_squares
from scipy.spatial import Delaunay, KDTree, QhullError
from scipy.spatial.transform import Rotation

from pose import Pose
from pose.face import CHIN, FOREHEAD, NOSE_TIP
from pose.retarget import body_scale
from vunet.ears import lay_ear
from vunet.easing import smooth
from vunet.face.correspond import MESH, areas, barycentric, cells_of
from vunet.hair import (
    EARS,
    LEFT_CORNER,
    RIGHT_CORNER,
    Frame,
    Hair,
    ears_free,
    frame_of,
    hair_of,
    paint_hair,
)
from vunet.render import Layer

_EYES = ((362, LEFT_CORNER), (RIGHT_CORNER, 133))
"""Corners of the eyes in the mesh, left first, as in skeletons."""
_EAR_DEPTH = 0.18
"""How far behind its mesh' end an ear lies, in widths of the face."""
_FROM, _WHOLE = 12.0, 22.0
"""Degrees out of the picture's plane from which a face is turned, and at which wholly so."""
_MOST = 105.0
"""Degrees beyond which no face is seen."""
_LONGEST = 0.3
"""Side of a triangle in widths of the face."""
_CANDIDATES = 12
"""Triangles of a mesh that are tried first for a place: the nearest by their middles."""
_RIM = 0.16
"""Width of the face's soft border, in widths of the face."""
_ROUND, _EVEN, _BROWS = 0.25, 0.1, 0.8
"""How far round a turned face what is drawn is smoothed, by how much, both in widths of the face,
and up to which height of it."""
_FACING, _FULLY = 0.03, 0.2
"""Cosines to the camera from which a photo shows a surface, and at which it shows it well."""
_STARTS, _GOOD_FIT = (0.0, 0.9, -0.9), 3.0
"""Turns, in radians, from which a fit begins, and the cost at which none other is tried."""
_SCALE_SPREAD = 0.08
"""Standard deviation of the logarithm of a head's size about the body's."""
_HAND = 0.2
"""Width of hands in body scales."""
_LIKE = 60.0
"""Difference of colours, RGB, at which what is painted is hardly skin any more."""
_NECK, _LIKE_LAB = 1.1, 24.0
"""How far round the middle of a neck what is painted is given the face's hue, in widths of the
face, and the difference of colours, CIELAB with light counted 0.4, at which hardly."""
_CUT_FROM, _CUT_WHOLE = 30.0, 50.0
"""Degrees of turn from which what is painted before a profile is cut off."""


@dataclass(frozen=True, eq=False)
class Motion:
    """A rigid motion of points with depth, seen from afar."""

    rotation: np.ndarray
    """(3, 3)."""
    scale: float
    shift: np.ndarray
    """(2,) pixels."""
    middle: np.ndarray
    """(3,) what is turned about."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points of the photo as places of the new picture, with depth."""
        moved = self.scale * (points - self.middle) @ self.rotation.T
        moved[:, :2] += self.shift
        return moved

    @property
    def out_of_plane(self) -> float:
        """Degrees between the directions that were and are towards the camera."""
        return float(np.degrees(np.arccos(np.clip(self.rotation[2, 2], -1, 1))))


TURNED = 0.06
"""Of `unlike`, from which a head may have turned far enough to be looked at."""


def unlike(source: Pose, target: Pose) -> float:
    """How far nose, eyes and ears are from lying alike, moved, scaled and turned in the plane.

    Root mean square in body scales of the target; cheap, and without a look at the photo.
    """
    a = source.keypoints[:5] / body_scale(source)
    b = target.keypoints[:5] / body_scale(target)
    a, b = (p - p.mean(0) for p in (a, b))
    u, v = (p[:, 0] + 1j * p[:, 1] for p in (a, b))
    angle = np.vdot(u, v)
    turned = u * (angle / max(1e-9, abs(angle)))
    return float(np.sqrt(np.mean(np.abs(turned - v) ** 2)))


def surroundings(pose: Pose, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the part of a picture (height, width) in which a pose's face is."""
    reach = 0.6 * body_scale(pose)
    x, y = pose.keypoints[:5].mean(0)
    x0, y0 = max(0, int(x - reach)), max(0, int(y - reach))
    return x0, y0, max(x0, min(size[1], int(x + reach))), max(y0, min(size[0], int(y + reach)))


def its_face(meshes: Sequence[np.ndarray], pose: Pose) -> SeenFace | None:
    """Which of the faces (478, 3) found in a photo belongs to a pose there; None if none does."""
    nose = pose.keypoints[0]
    for mesh in meshes:
        wide = float(np.linalg.norm(mesh[EARS[0]] - mesh[EARS[1]]))
        size = wide / body_scale(pose)
        if np.linalg.norm(mesh[NOSE_TIP, :2] - nose) < 0.5 * wide and 0.1 < size < 0.7:
            return SeenFace(mesh)
    return None


def motion_of(mesh: np.ndarray, source: Pose, target: Pose) -> Motion:
    """How a head has moved between two poses.

    Args:
        mesh: (478, 3) the face in the source's picture, in its pixels.
        source: Complete BODY27 pose of that picture.
        target: Complete BODY27 pose of another.
    """
    wide = float(np.linalg.norm(mesh[EARS[0]] - mesh[EARS[1]]))
    depth = [mesh[NOSE_TIP, 2], *(mesh[list(e), 2].mean() for e in _EYES)]
    depth += [mesh[e, 2] + _EAR_DEPTH * wide for e in EARS]
    points = np.column_stack([source.keypoints[:5], depth])
    middle = points.mean(0)
    wanted = target.keypoints[:5]
    centre = wanted.mean(0)
    size = body_scale(target) / body_scale(source)
    unit = max(1.0, size * wide)

    def off(x: np.ndarray) -> np.ndarray:
        turn = Rotation.from_rotvec(x[:3]).as_matrix()
        placed = size * np.exp(x[3]) * ((points - middle) @ turn.T)[:, :2] + centre + x[4:] * unit
        return np.append(((placed - wanted) / unit).ravel() / 0.04, x[3] / _SCALE_SPREAD)

    best = None
    for yaw in _STARTS:
        fit = least_squares(off, np.array([0, yaw, 0, 0, 0, 0.0]), method="lm", max_nfev=200)
        if best is None or fit.cost < best.cost:
            best = fit
        if best.cost < _GOOD_FIT:
            break
    assert best is not None
    x = best.x
    rotation = Rotation.from_rotvec(x[:3]).as_matrix()
    return Motion(rotation, float(size * np.exp(x[3])), centre + x[4:] * unit, middle)


@dataclass(frozen=True, eq=False)
class SeenFace:
    """A face in a photo."""

    mesh: np.ndarray
    """(478, 3) in the photo's pixels."""

    @cached_property
    def surface(self) -> _Surface | None:
        """Its triangles, laid once for many pictures; None if the mesh is without extent."""
        try:
            return _surface(self.mesh)
        except QhullError:
            return None


@dataclass(frozen=True, eq=False)
class _Surface:
    """A face's triangles, seen from before."""

    triangles: np.ndarray
    """(T, 3) wound so that those that look at the camera have positive areas."""
    mirrored: np.ndarray
    """(468, 3) x, y in the photo and facing of the same place on the other half of the face."""
    facing: np.ndarray
    """(468,) cosine to the camera in the photo."""
    inside: np.ndarray
    """(468,) in [0, 1], how far from the rim."""


def _surface(mesh: np.ndarray) -> _Surface:
    points = mesh[:MESH].astype(np.float64)
    x = points[LEFT_CORNER] - points[RIGHT_CORNER]
    x /= max(1e-6, float(np.linalg.norm(x)))
    y = points[CHIN] - points[FOREHEAD]
    y = y - (y @ x) * x
    y /= max(1e-6, float(np.linalg.norm(y)))
    own = (points - points[[LEFT_CORNER, RIGHT_CORNER]].mean(0)) @ np.stack(
        [x, y, np.cross(x, y)], 1
    )
    own /= max(1e-6, float(np.ptp(own[:, 0])))
    # unrolled, as cheeks seen from before lie in folds
    axis = own[:, 2].max() + 0.15
    flat = np.stack([0.5 * np.arctan2(own[:, 0], axis - own[:, 2]), own[:, 1]], 1)
    triangles = Delaunay(flat).simplices
    corners = [flat[triangles[:, k]] for k in range(3)]
    back = areas(*corners) < 0
    triangles[back] = triangles[back][:, ::-1]
    pairs = ((0, 1), (1, 2), (2, 0))
    sides = [np.linalg.norm(corners[i] - corners[k], axis=1) for i, k in pairs]
    triangles = triangles[np.max(sides, axis=0) < _LONGEST]  # beyond, they span the outline's bays
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    rim = np.unique(unique[counts == 1])
    away, _ = KDTree(flat[rim]).query(flat)
    facing = _facing(points, triangles)
    for _ in range(2):  # a jagged mesh would show as stripes
        facing = _averaged(facing, edges)
    there = np.column_stack([points[:, :2], facing])
    mirrored = _between(flat * [-1, 1], flat, triangles, there)
    return _Surface(triangles, mirrored, facing, smooth(away / _RIM))


def _between(
    places: np.ndarray, points: np.ndarray, triangles: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """(N, A) what corners (M, A) have, at places (N, 2) within triangles of points (M, 2).

    Beyond them, what the nearest point has. (scipy's interpolator wakes threads of LAPACK, which
    then stand in the network's way for a tenth of a second.)
    """
    _, nearest = KDTree(points).query(places)
    found = values[nearest].copy()
    corners = points[triangles]  # (T, 3, 2)
    few = min(_CANDIDATES, len(triangles))
    _, candidates = KDTree(corners.mean(1)).query(places, few)
    rows, own, shares = _containing(places, corners, candidates.reshape(len(places), few))
    found[rows] = np.einsum("nc,nca->na", shares, values[triangles[own]])
    rest = np.setdiff1d(np.arange(len(places)), rows)  # in slivers, or beyond them all
    every = np.broadcast_to(np.arange(len(triangles)), (len(rest), len(triangles)))
    rows, own, shares = _containing(places[rest], corners, every)
    found[rest[rows]] = np.einsum("nc,nca->na", shares, values[triangles[own]])
    return found


def _containing(
    places: np.ndarray, corners: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which places (N, 2) lie in one of their candidates (N, K) of triangles (T, 3, 2).

    Returns:
        Their (M,) rows, the (M,) triangles, and the (M, 3) shares of its corners.
    """
    count, few = candidates.shape
    a, b, c = corners[candidates.ravel()].transpose(1, 0, 2)
    shares = barycentric(np.repeat(places, few, axis=0), a, b, c).reshape(count, few, 3)
    least = shares.min(2)
    best = least.argmax(1)
    rows = np.flatnonzero(least[np.arange(count), best] > -1e-6)
    return rows, candidates[rows, best[rows]], shares[rows, best[rows]]


def _averaged(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(N,) the mean of each point's value and its neighbours'."""
    total, count = values.copy(), np.ones(len(values))
    for a, b in ((0, 1), (1, 0)):
        np.add.at(total, edges[:, a], values[edges[:, b]])
        np.add.at(count, edges[:, a], 1)
    return total / count


@dataclass(frozen=True, eq=False)
class TurnedFace:
    """A photo's face as it is seen in a new pose, ready to be laid on whoever is drawn there."""

    origin: tuple[int, int]
    """x, y of its corner on the canvas."""
    colour: np.ndarray
    """(h, w, 3) float32 RGB."""
    share: np.ndarray
    """(h, w) float32 in [0, 1], how much of it is to be seen."""
    copied: np.ndarray
    """(h, w) float32, how much of that the photo shows in its place, and not on the other half."""
    there: np.ndarray
    """(h, w) bool, where it is."""
    free: np.ndarray
    """(h, w) float32 in [0, 1], where no hand is held before it."""
    amount: float
    """In [0, 1], how far the head has turned."""
    yaw: float
    """Degrees to the right."""
    frame: Frame
    hair: Hair | None
    ears: bool
    """Whether the photo's hair leaves them free."""


def turned_face(
    photo: np.ndarray,
    person: np.ndarray,
    face: SeenFace,
    source: Pose,
    target: Pose,
    canvas: tuple[int, int],
) -> TurnedFace | None:
    """A photo's face, turned as a pose says; None where it need not or cannot be.

    Args:
        photo: (H, W, 3) uint8 RGB.
        person: (H, W) float32 in [0, 1], the person in it.
        face: Theirs in it.
        source: The person's pose in it.
        target: Their pose on the canvas.
        canvas: (height, width).
    """
    motion = motion_of(face.mesh, source, target)
    points = face.mesh[:MESH].astype(np.float64)
    moved = motion(points)
    turn = motion.out_of_plane
    amount = float(smooth(np.array((turn - _FROM) / (_WHOLE - _FROM))))
    frame = frame_of(moved)
    yaw = np.degrees(np.arctan2(frame.ahead[0], -frame.ahead[2]))
    if amount <= 0 or abs(yaw) > _MOST:
        return None
    surface = face.surface
    if surface is None:
        return None
    height, width = canvas
    x0, y0 = (int(v) for v in np.maximum(np.floor(moved[:, :2].min(0)) - 2, 0))
    x1, y1 = (int(v) for v in np.minimum(np.ceil(moved[:, :2].max(0)) + 3, (width, height)))
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    placed = moved[:, :2] - [x0, y0]
    cells = _without_holes(cells_of(placed, surface.triangles, moved[:, 2], (y1 - y0, x1 - x0)))
    own, other = (
        smooth((facing - _FACING) / (_FULLY - _FACING))
        for facing in (surface.facing, surface.mirrored[:, 2])
    )
    attributes = np.column_stack(
        [points[:, :2], surface.mirrored[:, :2], own, other, surface.inside]
    )
    found = _interpolated(cells, surface.triangles, placed, attributes)
    picture, ratio = photo, 1.0
    if motion.scale < 0.6:
        ratio = motion.scale * 1.2
        picture = cv2.resize(photo, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    seen, mirrored = (_taken(picture, found[..., k : k + 2] * ratio) for k in (0, 2))
    sure = np.clip(found[..., 4], 0, 1)
    help_ = (1 - sure) * np.clip(found[..., 5], 0, 1)
    total = np.maximum(sure + help_, 1e-4)
    colour = (sure[..., None] * seen + help_[..., None] * mirrored) / total[..., None]
    there = cells >= 0
    shown = cv2.GaussianBlur(there.astype(np.float32), (0, 0), 0.7)
    share = amount * shown * np.clip(found[..., 6], 0, 1) * np.clip(total, 0, 1)
    free = 1 - _hands(target, (x0, y0), share.shape)
    share *= free
    hair = hair_of(photo, person, points)
    copied = share * sure / total
    ears = ears_free(photo, person, points, hair)
    place = (x0, y0)
    return TurnedFace(
        place, colour, share, copied, there, free, amount, float(yaw), frame, hair, ears
    )


def _without_holes(cells: np.ndarray) -> np.ndarray:
    """Triangles of pixels (h, w), -1 where there is none, but not where they lie all round it."""
    there = (cells >= 0).astype(np.uint8)
    outlines, _ = cv2.findContours(there, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(there), outlines, -1, 1, cv2.FILLED)
    holes = (whole > 0) & (there == 0)
    if not holes.any():
        return cells
    _, (rows, columns) = cast(Any, distance_transform_edt(there == 0, return_indices=True))
    return np.where(holes, cells[rows, columns], cells)


def with_face(layer: Layer, face: TurnedFace) -> Layer:
    """A drawn person with a turned face.

    Args:
        layer: The person on a canvas; its arrays are changed, as they may be large.
        face: For the same canvas.
    """
    (x0, y0), share = face.origin, face.share
    view = (slice(y0, y0 + share.shape[0]), slice(x0, x0 + share.shape[1]))
    colours, alpha, invented = layer.colour, layer.alpha, layer.invented
    _cut_before(alpha, invented, face.there, face.origin, face.yaw)
    _match_skin(colours, invented, face.colour, share, face.origin)
    _even_round(colours, alpha, face)
    skin = _skin_of(face)
    _match_neck(colours, invented, skin, face)
    if face.hair is not None:
        paint_hair(colours, invented, face.hair, face.amount, face.frame)
    if face.ears:
        lay_ear(colours, invented, skin, face.amount, face.frame)
    colours[view] += share[..., None] * (face.colour - colours[view])
    alpha[view] = np.maximum(alpha[view], share)
    invented[view] = np.minimum(invented[view] * (1 - share) + share - face.copied, alpha[view])
    layer.unmoved[view] *= 1 - share
    return layer


def _match_neck(
    colours: np.ndarray, invented: np.ndarray, skin: np.ndarray, face: TurnedFace
) -> None:
    """Give what is painted like skin below and behind a turned face its hue, in place."""
    frame = face.frame
    forward = frame.ahead[:2] / max(0.3, float(np.linalg.norm(frame.ahead[:2])))
    middle = frame.ears[:2] - frame.wide * (0.3 * frame.up[:2] + 0.15 * forward)
    reach = _NECK * frame.wide
    x0, y0 = np.maximum(middle - reach, 0).astype(int)
    x1, y1 = np.minimum(np.ceil(middle + reach), colours.shape[1::-1]).astype(int)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    part = colours[y0:y1, x0:x1]
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    away = np.hypot(x - middle[0], y - middle[1]) / reach
    lab = cv2.cvtColor(np.clip(part / 255, 0, 1), cv2.COLOR_RGB2LAB)
    wanted = cv2.cvtColor((skin[None, None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0, 0]
    off = np.linalg.norm((lab - wanted) * np.array([0.4, 1, 1], np.float32), axis=2)
    share = np.exp(-((off / _LIKE_LAB) ** 2)) * smooth((1 - away) / 0.4)
    share *= face.amount * invented[y0:y1, x0:x1]
    lab[..., 1:] += share[..., None] * (wanted[1:] - lab[..., 1:])
    changed = 255 * cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    part += np.where(share[..., None] > 0.01, changed - part, 0).astype(np.float32)


def _skin_of(face: TurnedFace) -> np.ndarray:
    """(3,) RGB of a turned face, as its cheeks have it."""
    y, x = np.mgrid[: face.share.shape[0], : face.share.shape[1]]
    height = face.frame.heights(x + face.origin[0], y + face.origin[1])
    cheeks = (height > 0.2) & (height < 0.55)
    weight = face.share * (cheeks if (face.share[cheeks] > 0).any() else 1)
    return (face.colour * weight[..., None]).sum((0, 1)) / max(1e-3, float(weight.sum()))


def _hands(pose: Pose, origin: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """(h, w) in [0, 1], where forearms and hands lie, which are held before faces."""
    scale = body_scale(pose)
    canvas = np.zeros(size, np.float32)
    for side in ("left", "right"):
        points = [pose.point(f"{side}_{name}") for name in ("elbow", "wrist", "index")]
        points.append(points[2] + 0.6 * (points[2] - points[1]))
        line = np.rint((np.array(points) - origin) * 16).astype(np.int32)
        line = np.clip(line, -(2**24), 2**24)
        cv2.polylines(canvas, [line], False, 1, max(1, round(_HAND * scale)), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(canvas, (0, 0), max(0.8, 0.02 * scale))


def _cut_before(
    alpha: np.ndarray, invented: np.ndarray, face: np.ndarray, origin: tuple[int, int], yaw: float
) -> None:
    """Take away what is painted before a profile, in place."""
    amount = float(smooth(np.array((abs(yaw) - _CUT_FROM) / (_CUT_WHOLE - _CUT_FROM))))
    rows = np.flatnonzero(face.any(1))
    if amount <= 0 or len(rows) < 4:
        return
    x0, y0 = origin
    reach = round(0.35 * len(rows))
    width = alpha.shape[1]
    rightward = yaw > 0
    ends = np.array(
        [face.shape[1] - face[r, ::-1].argmax() if rightward else face[r].argmax() for r in rows]
    )
    fade = np.clip(np.minimum(rows - rows[0], rows[-1] - rows) / (0.12 * len(rows)), 0, 1)
    for r, end, share in zip(rows, ends, fade, strict=True):
        first, last = (x0 + end, x0 + end + reach) if rightward else (x0 + end - reach, x0 + end)
        part = (y0 + r, slice(max(0, first), max(0, min(width, last))))
        alpha[part] *= 1 - amount * share * (invented[part] > 0.5 * alpha[part])
        invented[part] = np.minimum(invented[part], alpha[part])


def _match_skin(
    colours: np.ndarray,
    invented: np.ndarray,
    face: np.ndarray,
    share: np.ndarray,
    origin: tuple[int, int],
) -> None:
    """Give the skin painted round a face the face's own colour, in place."""
    if share.sum() < 16:
        return
    (x0, y0), (h, w) = origin, share.shape
    reach = max(h, w)
    rows = slice(max(0, y0 - reach // 2), min(len(colours), y0 + h + reach))
    columns = slice(max(0, x0 - reach), min(colours.shape[1], x0 + w + reach))
    painted = colours[y0 : y0 + h, x0 : x0 + w]
    made = share * invented[y0 : y0 + h, x0 : x0 + w]
    if made.sum() < 16:
        return
    was = (painted * made[..., None]).sum((0, 1)) / made.sum()
    shift = ((face - painted) * made[..., None]).sum((0, 1)) / made.sum()
    part = colours[rows, columns]
    unlike = np.linalg.norm(part - was, axis=2) / _LIKE
    y, x = np.ogrid[rows, columns]
    dx, dy = (
        (v.astype(np.float32) - m) / (1.6 * reach) for v, m in ((x, x0 + w / 2), (y, y0 + h / 2))
    )
    weight = np.exp(-(unlike**2)) * smooth(2 * (1 - np.hypot(dx, dy))) * invented[rows, columns]
    part += (weight[..., None] * np.clip(shift, -60, 60)).astype(np.float32)


def _even_round(colours: np.ndarray, alpha: np.ndarray, face: TurnedFace) -> None:
    """Smooth what is drawn under a face's soft border, in place: the brows of another face."""
    wide = face.frame.wide
    reach = max(2, round(_ROUND * wide))
    (x0, y0), (h, w) = face.origin, face.there.shape
    y, x = max(0, y0 - reach), max(0, x0 - reach)
    view = (slice(y, y0 + h + reach), slice(x, x0 + w + reach))
    part, own = colours[view], alpha[view]
    away, free = np.ones(own.shape, np.uint8), np.ones(own.shape, np.float32)
    box = (slice(y0 - y, y0 - y + h), slice(x0 - x, x0 - x + w))
    away[box], free[box] = ~face.there, face.free
    near = smooth(1 - cv2.distanceTransform(away, cv2.DIST_L2, 5) / reach)
    rows, columns = np.mgrid[y : y + part.shape[0], x : x + part.shape[1]]
    height = face.frame.heights(columns, rows)
    # above lies hair, below a collar
    near *= smooth((_BROWS - height) / 0.2 + 0.5) * smooth((height - 0.05) / 0.1 + 0.5) * free
    both = np.dstack([part * own[..., None], own]).astype(np.float32)
    few = max(1.0, _EVEN * wide / 2)
    wh = (max(1, round(both.shape[1] / few)), max(1, round(both.shape[0] / few)))
    both = cv2.GaussianBlur(cv2.resize(both, wh, interpolation=cv2.INTER_AREA), (0, 0), 2.0)
    both = cv2.resize(both, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    even = both[..., :3] / np.maximum(both[..., 3:], 1e-3)
    part += ((face.amount * near)[..., None] * (even - part)).astype(np.float32)


def _taken(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    x, y = (places[..., k].astype(np.float32) - np.float32(0.5) for k in range(2))
    return cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype("f4")


def _facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(N,) cosine of each point's normal to the camera; depth grows away from it."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    summed = np.zeros_like(points)
    for k in range(3):
        np.add.at(summed, triangles[:, k], normals)
    return summed[:, 2] / np.maximum(np.linalg.norm(summed, axis=1), 1e-9)


def _interpolated(
    cells: np.ndarray, triangles: np.ndarray, points: np.ndarray, attributes: np.ndarray
) -> np.ndarray:
    """(h, w, A) what corners have, between them."""
    rows, columns = np.nonzero(cells >= 0)
    corners = triangles[cells[rows, columns]]
    a, b, c = (points[corners[:, k]] for k in range(3))
    shares = np.clip(barycentric(np.stack([columns, rows], 1) + 0.5, a, b, c), -0.2, 1.2)
    shares /= shares.sum(1, keepdims=True)
    found = np.zeros((*cells.shape, attributes.shape[1]), np.float32)
    found[rows, columns] = np.einsum("nk,nkd->nd", shares, attributes[corners])
    return found
