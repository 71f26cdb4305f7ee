"""Where a face lies in its square picture, and what of it is skin or hair.

Every face, photo or drawing, is scaled and shifted so that its eyes, nose, mouth and chin come as
near as they can to fixed places. It is not turned: heads are drawn askew on purpose. Lengths are in
sides of the square. Knows nothing of networks.
"""

from __future__ import annotations

import cv2
import numpy as np

from vunet.drawing.palette import REGIONS

EYE_DISTANCE = 0.23
_EYE_ROW = 0.47
_ANCHORS = {
    (33, 133): (-0.5, 0.0),
    (362, 263): (0.5, 0.0),
    (1,): (0.0, 0.65),
    (61,): (-0.42, 1.06),
    (291,): (0.42, 1.06),
    (152,): (0.0, 1.79),
}
"""Points of the mesh and where their middle lies, in eye distances from between the eyes: means of
521 faces seen from the front."""
_PLACES = np.array(list(_ANCHORS.values())) * EYE_DISTANCE + (0.5, _EYE_ROW)
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_CHEEKS = (
    *(168, 334, 301, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 71, 105),
)
"""Of the oval what lies below the brows: hair may hang over the rest."""
_HAIR, _SKIN = (1 + list(REGIONS).index(name) for name in ("hair", "skin"))
Frame = tuple[float, float, float, float]


def anchors(points: np.ndarray) -> np.ndarray:
    """(6, 2) eyes, nose, corners of the mouth and chin of a mesh (478, 2 or 3)."""
    return np.stack([points[list(ids), :2].mean(0) for ids in _ANCHORS])


def face_frame(found: np.ndarray) -> Frame:
    """The square in which a face lies as faces do.

    Args:
        found: (6, 2) its `anchors` in pixels.

    Returns:
        x0, y0, x1, y1 in pixels; may reach outside the picture.
    """
    here, there = found - found.mean(0), _PLACES - _PLACES.mean(0)
    # the least-squares scale of shift and scale alone; turned faces keep their height
    side = float(np.sqrt((here**2).sum() / (there**2).sum()))
    x, y = (float(v) for v in found.mean(0) - _PLACES.mean(0) * side)
    return (x, y, x + side, y + side)


def framed(points: np.ndarray, frame: Frame, side: int) -> np.ndarray:
    """Points (N, 2 or 3) in pixels of a picture, in those of its frame cut out at a size."""
    scale = side / (frame[2] - frame[0])
    placed = np.array(points, np.float32)
    placed[:, :2] -= np.array(frame[:2], np.float32)
    return placed * np.float32(scale)


def face_regions(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What the pixels of a face are.

    Args:
        points: (478, 2 or 3) its mesh in pixels.
        mask: (H, W) uint8, 255 on the person.

    Returns:
        (H, W) uint8 labels of `vunet.drawing.palette`: skin, hair, or 0 for ground and for what is
        not told apart (neck, clothes, a forehead under hair).
    """
    oval, cheeks = np.zeros_like(mask), np.zeros_like(mask)
    cv2.fillConvexPoly(oval, cv2.convexHull(_pixels(points, _OVAL)), 255)
    cv2.fillPoly(cheeks, [_pixels(points, _CHEEKS)], 255)
    above = np.arange(mask.shape[0])[:, None] < points[_CHEEKS[0], 1]
    room = max(1, round(0.02 * mask.shape[0]))
    oval = cv2.dilate(oval, np.ones((2 * room + 1, 2 * room + 1), np.uint8))
    found = np.where((mask > 127) & (oval < 127) & above, _HAIR, 0)
    return np.where((cheeks > 127) & (mask > 127), _SKIN, found).astype(np.uint8)


def _pixels(points: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    return np.rint(points[list(ids), :2]).astype(np.int32)
