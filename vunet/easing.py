"""The step with level ends by which one thing passes into another, everywhere in pictures."""

from __future__ import annotations

import numpy as np


def smooth(x: np.ndarray) -> np.ndarray:
    """From 0 at 0 and below to 1 at 1 and above, with level ends: 3 t^2 - 2 t^3."""
    t = np.clip(x, 0, 1)
    return t * t * (3 - 2 * t)
