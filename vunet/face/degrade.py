"""Drawings made worse: strokes dropped, wobbled, parts shifted or missing; to learn from and test.

What unpractised hands do, in known amounts. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vunet.face.parts import PARTS, centre, laid, soft_square, window

FARTHEST = 0.08
"""By how much a part may be shifted, in sides of the picture."""
_CELLS = 9


@dataclass(frozen=True)
class Harm:
    """How much of each is done."""

    drop: float = 0.25
    """Share of strokes that are missing."""
    wobble: float = 0.012
    """How far lines stray, in sides of the picture (standard deviation)."""
    shift: float = FARTHEST
    """Most that a part is shifted."""
    shifted: float = 0.4
    """Chance of each part to be shifted."""
    missing: float = 0.2
    """Chance of each part to be missing."""


def degraded(
    ink: np.ndarray, points: np.ndarray, rng: np.random.Generator, harm: Harm = Harm()
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A drawing made worse.

    Args:
        ink: (S, S) float32 in [0, 1], of a face that lies as faces do.
        points: (21, 2) its `vunet.face.parts.POINTS`, in sides.
        rng: Decides everything.
        harm: How much.

    Returns:
        The ink, where its points lie now, and (4,) bool, which of `PARTS` are still there.
    """
    S = len(ink)
    found, moved = ink.astype(np.float32), points.astype(np.float64).copy()
    there = rng.random(len(PARTS)) >= harm.missing
    shifted = rng.random(len(PARTS)) < harm.shifted
    square = soft_square(64)
    pieces = []
    for part, kept, goes in zip(PARTS, there, shifted, strict=True):
        middle = centre(part, points)
        if kept and not goes:
            continue
        piece = window(found, middle, part.side, 96) if kept else None
        found = found * (1 - laid(square, middle, part.side, S))
        if piece is not None:
            angle, far = rng.uniform(0, 2 * np.pi), harm.shift * np.sqrt(rng.random())
            step = far * np.array([np.cos(angle), np.sin(angle)])
            pieces.append((piece * cv2.resize(square, (96, 96)), middle + step, part.side))
            moved[list(part.rows)] += step
    for piece, middle, side in pieces:
        found = np.maximum(found, laid(piece, middle, side, S))
    if harm.drop > 0:
        clouds = _clouds(rng, 16, S)
        found = found * (clouds > np.quantile(clouds, harm.drop))
    if harm.wobble > 0:
        push = np.stack([_clouds(rng, _CELLS, S) for _ in range(2)], -1) * harm.wobble
        grid = np.stack(np.meshgrid(np.arange(S), np.arange(S)), -1).astype(np.float32)
        at = grid + (push * S).astype(np.float32)
        found = cv2.remap(found, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        row, column = np.clip((moved * S).astype(int), 0, S - 1).T[::-1]
        moved = moved - push[row, column]
    return found, moved, there


def _clouds(rng: np.random.Generator, cells: int, side: int) -> np.ndarray:
    """(side, side) smooth noise of about unit variance."""
    noise = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) * 1.2
