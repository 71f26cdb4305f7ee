"""Rows and columns laid over a picture in any direction, to be read from it and laid back on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Raster:
    """Places of a picture in rows and columns of any direction."""

    origin: np.ndarray
    """(2,) x, y of the corner, in the picture's pixels."""
    right: np.ndarray
    """(2,) from one column to the next."""
    down: np.ndarray
    """(2,) from one row to the next."""
    size: tuple[int, int]
    """Columns, rows."""

    def _matrix(self, x: float = 0, y: float = 0) -> np.ndarray:
        """(2, 3) from the raster's places to the picture's from x, y on; centres are integers."""
        corner = self.origin + 0.5 * (self.right + self.down) - 0.5 - np.array([x, y])
        return np.stack([self.right, self.down, corner], axis=1)

    def read(self, picture: np.ndarray, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
        """(rows, columns[, C]) of a picture (H, W[, C]) from x, y on; 0 off it."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, self._matrix(*corner), self.size, flags=flags)

    def laid(self, values: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        """Values (rows, columns, C) at a box's pixels x, y, wide, high; 0 off the raster."""
        x, y, wide, high = box
        return cv2.warpAffine(values, self._matrix(x, y), (wide, high), flags=cv2.INTER_LINEAR)
