"""Where the parts of a body lie in a picture, and the parts cut out, each upright.

Appearance is handed to the network without its pose: each part is warped to a square (Esser et
al. 2018, "A Variational U-Net for Conditional Appearance and Shape Generation", part
normalisation). The paper's eight parts are head, torso, upper arms, forearms and thighs; shins,
hands and feet are added, without which shoes, trouser legs and hands have no appearance.
"""

from __future__ import annotations

import cv2
import numpy as np

from pose.convert import convert
from pose.retarget import TYPICAL, body_scale
from pose.skeletons import BODY27
from pose.types import Pose

PARTS = (
    "head",
    "torso",
    *(f"{side}_{part}" for part in ("upper_arm", "forearm", "hand") for side in ("left", "right")),
    *(f"{side}_{part}" for part in ("thigh", "shin", "foot") for side in ("left", "right")),
)
"""The body parts in the order of `part_quads` and `crop_parts`."""

_LIMBS = {
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
}
_ASPECT = 0.5
# A limb that points at the camera keeps at least this share of its usual box.
_MIN_SHARE = 0.5
_HAND_SIZE = 0.42  # from wrist to finger tips and across, in body scales
_FOOT_MARGIN = 0.09  # round ankle, heel and toes, in body scales
_DOWN = np.array([0.0, 1.0])


def part_quads(pose: Pose) -> np.ndarray:
    """Boxes round the parts of a body.

    Corners run top left, top right, bottom right, bottom left of the part as it hangs upright:
    the joint nearer to the trunk on top (the crown for the head), and never mirrored. For the
    torso they are right shoulder, left shoulder, left hip, right hip, so that a back is not
    taken for a front.

    A limb's box is half as wide as long. One that points at the camera keeps at least half of its
    usual size. The head's is as high above the middle of nose and ears as the neck is below.
    Without a knee, the thigh is taken to hang down from the hip; without a face, the head is a
    square above the shoulders.

    Args:
        pose: A pose of any skeleton, in pixels.

    Returns:
        (14, 4, 2) float64, x and y of the corners in pixels, in the order of `PARTS`; NaN where
        the joints of a part are missing. Corners may lie outside the picture.
    """
    body = convert(pose, BODY27)
    try:
        scale = body_scale(body)
    except ValueError:
        return np.full((len(PARTS), 4, 2), np.nan)
    quads = {"head": _head(body, scale), "torso": _torso(body, scale)}
    for side in ("left", "right"):
        for limb, (start, end) in _LIMBS.items():
            a, b = body.point(f"{side}_{start}"), body.point(f"{side}_{end}")
            usual = TYPICAL[limb] * scale
            if limb == "thigh" and np.isnan(b[0]):
                b = a + usual * _DOWN
            quads[f"{side}_{limb}"] = _limb(a, b, usual)
        quads[f"{side}_hand"] = _hand(body, side, scale)
        quads[f"{side}_foot"] = _foot(body, side, scale)
    return np.stack([quads[part] for part in PARTS])


def crop_parts(image: np.ndarray, pose: Pose, size: int) -> np.ndarray:
    """Cut the body parts out of an image, each upright and of equal size.

    Follows Esser et al. 2018, section 3.2: appearance is given to the encoder without its pose.

    Args:
        image: (H, W, 3) uint8 RGB.
        pose: Pose in the same image, in pixels.
        size: Side of each crop, in pixels.

    Returns:
        (14, size, size, 3) uint8, in the order of `PARTS`; black where a part was not detected.
        Beyond the image its border is repeated.

    Raises:
        ValueError: If the image is not (H, W, 3) uint8, or size is below 1.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    crops = np.zeros((len(PARTS), size, size, 3), np.uint8)
    # OpenCV counts from the middle of the first pixel, we from its corner.
    upright = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32) - 0.5
    for crop, quad in zip(crops, part_quads(pose), strict=True):
        if np.isnan(quad).any() or abs(_area(quad)) < 1.0:
            continue
        warp = cv2.getPerspectiveTransform((quad - 0.5).astype(np.float32), upright)
        crop[:] = cv2.warpPerspective(
            image, warp, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return crops


def _area(quad: np.ndarray) -> float:
    """Signed area in square pixels; positive where the corners run clockwise in the picture."""
    x, y = quad.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _direction(vector: np.ndarray, otherwise: np.ndarray = _DOWN) -> np.ndarray:
    length = np.hypot(*vector)
    if np.isnan(length) or length < 1e-6:
        return otherwise
    return vector / length


def _box(top: np.ndarray, bottom: np.ndarray, down: np.ndarray, width: float) -> np.ndarray:
    """A box from the middle of its top to that of its bottom, of a width."""
    right = np.array([down[1], -down[0]]) * width / 2
    return np.stack([top - right, top + right, bottom + right, bottom - right])


def _limb(a: np.ndarray, b: np.ndarray, usual: float) -> np.ndarray:
    down = _direction(b - a)
    length = float(np.hypot(*(b - a)))
    middle, reach = (a + b) / 2, np.maximum(length, _MIN_SHARE * usual) / 2 * down
    return _box(middle - reach, middle + reach, down, _ASPECT * max(length, usual))


def _torso(body: Pose, scale: float) -> np.ndarray:
    """The four corners; in profile, where they fall together, at least a third of a body wide."""
    names = ("right_shoulder", "left_shoulder", "left_hip", "right_hip")
    quad = np.stack([body.point(name) for name in names])
    if np.isnan(quad).any():
        return np.full((4, 2), np.nan)
    down = _direction((quad[2] + quad[3] - quad[0] - quad[1]) / 2)
    left = np.array([down[1], -down[0]])
    pairs = ((0, 1), (3, 2))  # shoulders and hips, each from the person's right to their left
    widths = [float(np.dot(quad[j] - quad[i], left)) for i, j in pairs]
    # In profile the two may even be crossed; they are widened the way the wider one faces.
    facing = np.copysign(1.0, sum(widths))
    least = _MIN_SHARE * TYPICAL["shoulders"] * scale
    for (i, j), width in zip(pairs, widths, strict=True):
        if width * facing < least:
            step = (facing * least - width) / 2 * left
            quad[i], quad[j] = quad[i] - step, quad[j] + step
    return quad


def _head(body: Pose, scale: float) -> np.ndarray:
    """From the neck to as far above the middle of the face again; square."""
    neck = (body.point("left_shoulder") + body.point("right_shoulder")) / 2
    nose, ears = body.point("nose"), (body.point("left_ear") + body.point("right_ear")) / 2
    # The paper's box follows the nose, which in profile tilts it and cuts the head in two.
    face = nose if np.isnan(ears[0]) else ears if np.isnan(nose[0]) else (nose + ears) / 2
    up = 2 * (face - neck)
    if np.isnan(up).any():
        hips = (body.point("left_hip") + body.point("right_hip")) / 2
        up = -TYPICAL["shoulders"] * scale * _direction(hips - neck)
    length = max(float(np.hypot(*up)), _MIN_SHARE * TYPICAL["shoulders"] * scale)
    down = -_direction(up, -_DOWN)
    return _box(neck - down * length, neck, down, length)


def _hand(body: Pose, side: str, scale: float) -> np.ndarray:
    """From the wrist to the finger tips; square."""
    wrist = body.point(f"{side}_wrist")
    knuckles = (body.point(f"{side}_index") + body.point(f"{side}_pinky")) / 2 - wrist
    if np.isnan(knuckles[0]):
        knuckles = 0.35 * (wrist - body.point(f"{side}_elbow"))
    if np.isnan(knuckles[0]):
        return np.full((4, 2), np.nan)
    down, length = _direction(knuckles), _HAND_SIZE * scale
    return _box(wrist, wrist + length * down, down, length)


def _foot(body: Pose, side: str, scale: float) -> np.ndarray:
    """Round ankle, heel and toes, along the way from the ankle to the toes."""
    ankle, knee = body.point(f"{side}_ankle"), body.point(f"{side}_knee")
    shin = _direction(ankle - knee)
    toes = body.point(f"{side}_foot_index")
    if np.isnan(toes[0]):
        toes = ankle + 0.2 * scale * shin
    points = np.stack([ankle, toes, body.point(f"{side}_heel")])
    points = points[~np.isnan(points[:, 0])]
    if np.isnan(ankle[0]) or len(points) < 2:
        return np.full((4, 2), np.nan)
    down = _direction(toes - ankle, shin)
    axes = np.stack([[down[1], -down[0]], down])
    along = (points - ankle) @ axes.T  # across and down, from the ankle
    low, high = along.min(axis=0) - _FOOT_MARGIN * scale, along.max(axis=0) + _FOOT_MARGIN * scale
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    return ankle + corners @ axes
