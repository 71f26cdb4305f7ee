"""Eyes that match: both irises get one colour.

Networks that paint both eyes for themselves give one face two colours of eyes at times; that is
DeepFaceDrawing's known failure. Here the difference is measured in CIELAB within each iris and both
are moved halfway.
"""

from __future__ import annotations

import cv2
import numpy as np

_RADIUS = 0.2
"""Of an iris, in widths of the eye: irises measure 11.7 mm, eyes 30 mm or so."""
_RIGHT, _LEFT = (0, 1, 4), (2, 3, 5)
"""Rows of `vunet.face.parts.POINTS`: corners and upper lid."""
_FARTHEST = 40.0
"""Largest difference in CIELAB that is evened out; beyond it something is in front of an eye."""


def iris_places(points: np.ndarray, side: int) -> list[tuple[float, float, float]]:
    """x, y and radius in pixels of both irises, the one on the left of the picture first.

    Args:
        points: (21, 2) of a face, in sides.
        side: Of the picture in pixels.
    """
    found = []
    for a, b, lid in (_RIGHT, _LEFT):
        corners = points[[a, b]]
        middle = 0.7 * corners.mean(0) + 0.3 * points[lid] + (0, 0.15 * abs(np.ptp(corners[:, 1])))
        radius = _RADIUS * float(np.linalg.norm(corners[0] - corners[1])) * side
        found.append((float(middle[0] * side), float(middle[1] * side), radius))
    return found


def iris_colour(lab: np.ndarray, place: tuple[float, float, float]) -> np.ndarray:
    """(3,) the median CIELAB within an iris, lights and what is white left out.

    Args:
        lab: (H, W, 3) float32 CIELAB.
        place: x, y, radius in pixels.
    """
    inside = _disc(lab.shape[:2], place) > 0.5
    values = lab[inside]
    if not len(values):
        return np.zeros(3, np.float32)
    dark = values[values[:, 0] <= np.percentile(values[:, 0], 60)]
    return np.median(dark, axis=0)


def agreeing(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A picture whose irises have one colour.

    Args:
        image: (S, S, 3) uint8 RGB.
        points: (21, 2) of its face, in sides.

    Returns:
        (S, S, 3) uint8 RGB; all but the irises as it was.
    """
    pieces = [_piece(image, place) for place in iris_places(points, image.shape[0])]
    if any(piece is None for piece in pieces):
        return image
    (first, one, here), (second, other, there) = (piece for piece in pieces if piece is not None)
    apart = iris_colour(other, there) - iris_colour(one, here)
    if np.linalg.norm(apart) > _FARTHEST:
        return image
    changed = image.copy()
    for window, lab, place, step in (
        (first, one, here, apart / 2),
        (second, other, there, -apart / 2),
    ):
        soft = _disc(lab.shape[:2], place)[..., None]
        back = cv2.cvtColor(lab + soft * step.astype(np.float32), cv2.COLOR_LAB2RGB)
        new = np.clip(np.rint(255 * back), 0, 255).astype(np.uint8)
        changed[window] = np.where(soft > 0, new, image[window])
    return changed


def _piece(
    image: np.ndarray, place: tuple[float, float, float]
) -> tuple[tuple[slice, slice], np.ndarray, tuple[float, float, float]] | None:
    """What lies round an iris, its CIELAB, and the iris in it; None where nothing is seen of it."""
    x, y, radius = place
    reach = int(np.ceil(1.3 * radius)) + 1
    x0, y0 = max(0, int(x) - reach), max(0, int(y) - reach)
    window = (slice(y0, max(0, int(y) + reach + 1)), slice(x0, max(0, int(x) + reach + 1)))
    piece = image[window]
    place = (x - x0, y - y0, radius)
    if not (_disc(piece.shape[:2], place) > 0.5).any():
        return None
    lab = cv2.cvtColor(piece.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return window, lab, place


def _disc(size: tuple[int, int], place: tuple[float, float, float]) -> np.ndarray:
    """(H, W) float32, 1 in a disc, falling to 0 at its rim."""
    x, y, radius = place
    rows, columns = np.ogrid[0 : size[0], 0 : size[1]]
    away = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
    return np.clip((radius * 1.15 - away) / max(0.5, 0.35 * radius), 0, 1).astype(np.float32)
