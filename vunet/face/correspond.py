"""Which pixel of one face lies where in another: through the triangles of the mean face.

Each face gives two maps: from its pixels to places of the mean face, and from there back to its
pixels. One after the other they lead from face to face. Sides of a face that look away lead
nowhere (`NOWHERE`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import Delaunay

from vunet.drawing.data import NOWHERE

MESH = 468
"""Points of the mesh without the irises, which do not move with the face."""
_STEPS = 64
"""Places of the mean face each way."""
_FINER = 4
"""Triangles are laid on a grid so much finer than the one that is asked for."""


@dataclass(frozen=True, eq=False)
class MeanFace:
    """A mean face and its triangles."""

    points: np.ndarray
    """(468, 2) x, y in [-1, 1]: it fills the square."""
    triangles: np.ndarray
    """(T, 3) int, wound alike."""
    cells: np.ndarray
    """(64, 64) int, the triangle at each place; -1 outside."""

    @classmethod
    def of(cls, meshes: np.ndarray) -> MeanFace:
        """The mean of meshes (N, 478, 2 or 3) that lie alike, those of turned heads included."""
        mean = meshes[:, :MESH, :2].astype(np.float64).mean(0)
        low, high = mean.min(0), mean.max(0)
        points = (mean - low) / (high - low) * 1.96 - 0.98
        triangles = Delaunay(points).simplices
        a, b, c = (points[triangles[:, k]] for k in range(3))
        back = areas(a, b, c) < 0
        triangles[back] = triangles[back][:, ::-1]
        return cls(points, triangles, _cells(points, triangles, np.zeros(MESH), _STEPS))


def to_mean(mean: MeanFace, mesh: np.ndarray, side: int, steps: int) -> np.ndarray:
    """Where the pixels of a face lie in the mean face.

    Args:
        mean: The mean face.
        mesh: (478, 3) of the face, in pixels of a square picture.
        side: Of that picture in pixels.
        steps: Pixels of the map each way.

    Returns:
        (steps, steps, 2) float32 x, y in [-1, 1], `NOWHERE` outside the face.
    """
    at = mesh[:MESH, :2].astype(np.float64) / side * 2 - 1
    cells = _cells(at, mean.triangles, mesh[:MESH, 2].astype(np.float64), steps)
    return _interpolated(mean.triangles, cells, at, mean.points)


def from_mean(mean: MeanFace, mesh: np.ndarray, side: int) -> np.ndarray:
    """Where the places of the mean face lie in a face.

    Args:
        mean: The mean face.
        mesh: (478, 3) of the face, in pixels of a square picture.
        side: Of that picture in pixels.

    Returns:
        (64, 64, 2) float32 x, y in [-1, 1], `NOWHERE` where the face looks away.
    """
    at = mesh[:MESH, :2].astype(np.float64) / side * 2 - 1
    away = areas(*(at[mean.triangles[:, k]] for k in range(3))) <= 0
    cells = np.where(away[mean.cells], -1, mean.cells)
    return _interpolated(mean.triangles, cells, mean.points, at)


def areas(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Twice the signed area of triangles, corners (T, 2)."""
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def _cells(points: np.ndarray, triangles: np.ndarray, depth: np.ndarray, steps: int) -> np.ndarray:
    """(steps, steps) the nearest triangle at each place, -1 where none is or it looks away."""
    fine = steps * _FINER
    laid = cells_of((points + 1) / 2 * fine, triangles, depth, (fine, fine))
    return laid[_FINER // 2 :: _FINER, _FINER // 2 :: _FINER]


def cells_of(
    points: np.ndarray, triangles: np.ndarray, depth: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """(h, w) int, the nearest triangle at each pixel, -1 where none is or it looks away.

    Args:
        points: (N, 2) in pixels.
        triangles: (T, 3), with positive areas where they look this way.
        depth: (N,) away from the camera.
        size: (h, w).
    """
    where = np.rint((points - 0.5) * 16).astype(np.int32)
    away = areas(*(points[triangles[:, k]] for k in range(3))) <= 0
    laid = np.zeros(size, np.float32)
    for t in np.argsort(-depth[triangles].mean(1), kind="stable"):
        cv2.fillConvexPoly(laid, where[triangles[t]], 0 if away[t] else int(t) + 1, shift=4)
    return laid.astype(int) - 1


def barycentric(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """(T, 3) shares of the corners (T, 2) of triangles in points p (T, 2), or in one (1, 2)."""
    whole = np.maximum(areas(a, b, c), 1e-9)
    return np.stack([areas(p, b, c), areas(a, p, c), areas(a, b, p)], 1) / whole[:, None]


def _interpolated(
    triangles: np.ndarray, cells: np.ndarray, here: np.ndarray, there: np.ndarray
) -> np.ndarray:
    """(n, n, 2) float32 where each place lies, when corners `here` move `there`."""
    n = len(cells)
    axis = (np.arange(n) + 0.5) / n * 2 - 1
    rows, columns = np.nonzero(cells >= 0)
    corners = triangles[cells[rows, columns]]
    a, b, c = (here[corners[:, k]] for k in range(3))
    p = np.stack([axis[columns], axis[rows]], 1)
    shares = barycentric(p, a, b, c)
    found = np.full((n, n, 2), NOWHERE, np.float32)
    shares = np.clip(shares, -0.5, 1.5)  # beside slivers they run away, but must add up to 1
    shares /= shares.sum(1, keepdims=True)
    moved = np.einsum("nk,nkd->nd", shares, there[corners])
    found[rows, columns] = moved
    return found
