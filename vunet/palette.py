"""How far colours are from the few that something has."""

from __future__ import annotations

import cv2
import numpy as np

COLOURS = 6
"""That stand for all of something."""
_SUM = np.ones((1, 3), np.float32)


def distance_to(lab: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(h, w) float32 distance of each colour to the nearest of a palette; infinite without one.

    Args:
        lab: (h, w, 3) float32 CIELAB.
        known: (N, 3) float32 colours of which the palette is made by k-means.
    """
    nearest = np.full(lab.shape[:2], np.inf, np.float32)
    if len(known) < COLOURS or not nearest.size:
        return nearest
    rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    # begun with as many of each, from dark to light: the same photo, the same palette
    rank = np.argsort(np.argsort(known[:, 0], kind="stable"), kind="stable")
    first = (rank * COLOURS // len(known)).astype(np.int32)[:, None]
    known = np.ascontiguousarray(known, np.float32)
    _, _, palette = cv2.kmeans(known, COLOURS, first, rule, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    for colour in palette:
        off = lab - colour
        np.minimum(nearest, cv2.transform(cv2.multiply(off, off), _SUM), out=nearest)
    return np.sqrt(nearest)
