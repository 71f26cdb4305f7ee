"""The edge of a painted thing, brought onto the line that was drawn.

The network's edge is soft and lies a few pixels beside the line, with a halo that is neither thing
nor ground. So what is painted near the line is fetched from deeper on its own side of it:

    distance to the line   0 ........ b          thing thing edge | halo ground ground
    fetched from         b/2 ........ b          thing thing thing| ground ground ground

A photo's own pixels agree with each other and stay where they are.
"""

from __future__ import annotations

import cv2
import numpy as np

from vunet.easing import smooth

_WITHIN, _WITHOUT = 0.024, 0.055
"""Width b of the band, in heights of the picture: in the thing narrow, as hems and soles lie there,
on the ground wider."""
_ROUNDED_PX = 1.5
"""Deviation of the blur that rounds the line where a hand shook, in the mask's pixels."""
_PAINTED, _COPIED = 0.2, 0.8
"""Shares of copied pixels up to which the edge is moved, and from which it is left."""
_AROUND = 0.01
"""Deviation, in heights, of the surroundings over which that share is taken."""


class Outline:
    """Where the edge of a drawn thing lies in a picture, and how far beside it was painted."""

    def __init__(self, inside: np.ndarray, copied: np.ndarray) -> None:
        """Measure distances.

        Args:
            inside: (h, w) bool, where the drawn thing lies.
            copied: (H, W) float32 in [0, 1], which pixels of the picture are a photo's.
        """
        height, width = copied.shape
        soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), _ROUNDED_PX)
        full = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        within, without = (
            cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) - 0.5
            for part in (full, ~full)
        )
        away = np.where(full, within, -without).clip(-height, height).astype(np.float32)
        band = np.where(full, _WITHIN, _WITHOUT) * height
        push = np.sign(away) * band / 2 * np.clip(1 - np.abs(away) / band, 0, 1) ** 2
        share = cv2.GaussianBlur(copied, (0, 0), _AROUND * height)
        push *= 1 - smooth((share - _PAINTED) / (_COPIED - _PAINTED))
        down, across = np.gradient(cv2.GaussianBlur(away, (0, 0), max(1.0, height / 128)))
        push /= np.maximum(np.hypot(down, across), 0.5)  # none where two lines meet
        y, x = np.mgrid[:height, :width]
        self._x = (x + push * across).astype(np.float32)
        self._y = (y + push * down).astype(np.float32)

    def sharpened(self, picture: np.ndarray) -> np.ndarray:
        """(H, W) or (H, W, C) float32 with its edge on the line; the same far from it."""
        border = cv2.BORDER_REPLICATE
        return cv2.remap(picture, self._x, self._y, cv2.INTER_LINEAR, borderMode=border)
