"""Faces whose every point is known: meshes, sketches of them, and sets of portraits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator

from vunet.dataset import DatasetWriter
from vunet.face.parts import POINTS
from vunet.face.template import EYE_DISTANCE

SIDE = 256
_BETWEEN_THE_EYES = (0.5, 0.47)
_LAYOUT = np.array(
    [
        *[(-0.72, 0.0), (-0.28, 0.02), (0.28, 0.02), (0.72, 0.0), (-0.5, -0.08), (0.5, -0.08)],
        *[(-0.55, -0.32), (0.55, -0.32), (0.0, 0.65), (-0.2, 0.7), (0.2, 0.7)],
        *[(-0.42, 1.06), (0.42, 1.06), (0.0, 0.96), (0.0, 1.18), (0.0, 1.79)],
        *[(-1.15, 0.2), (1.15, 0.2), (-0.85, 1.2), (0.85, 1.2), (0.0, -1.0)],
    ]
)
"""`POINTS` of a plain face, in eye distances from between the eyes."""
_IRISES = ((-0.5, 0.0), (0.5, 0.0))


def layout(seed: int | None = None, much: float = 1.0) -> np.ndarray:
    """(21, 2) points of a face that lies as faces do, in sides; a seed makes it somebody's."""
    points = _LAYOUT * EYE_DISTANCE + _BETWEEN_THE_EYES
    return points if seed is None else _bent(points, seed, much)


def mesh(seed: int | None = None, side: float = SIDE, depth: float = 0.2) -> np.ndarray:
    """(478, 3) of a face with the points of that `layout`, in pixels of a square picture.

    What is no point of the layout lies on a sunflower's seeds in the face's oval. The face bulges
    towards the viewer by `depth` sides.
    """
    number = np.arange(468)
    radius, angle = np.sqrt((number + 0.5) / 468), number * np.pi * (3 - np.sqrt(5))
    oval = np.stack([1.1 * radius * np.cos(angle), 0.42 + 1.35 * radius * np.sin(angle)], 1)
    plain = np.concatenate([oval, np.repeat(np.array(_IRISES), 5, 0)])
    plain[list(POINTS)] = _LAYOUT
    x, y = ((plain - (0, 0.42)) / (1.15, 1.4)).T
    face = plain * EYE_DISTANCE + _BETWEEN_THE_EYES
    face = face if seed is None else _bent(face, seed, 1.0)
    return (np.column_stack([face, depth * (x**2 + y**2)]) * side).astype(np.float32)


def _bent(points: np.ndarray, seed: int, much: float) -> np.ndarray:
    """Points (N, 2) where a smooth map has them that turns nothing over."""
    rng = np.random.default_rng(seed)
    matrix = np.eye(2) + much * rng.normal(0, 0.04, (2, 2))
    waves, starts = rng.normal(0, 1.0, (2, 2)), rng.random(2)
    push = 0.012 * much * np.sin(2 * np.pi * (points @ waves.T + starts))
    return (points - 0.5) @ matrix.T + 0.5 + push + much * rng.normal(0, 0.01, 2)


def sketch(points: np.ndarray, side: int = SIDE, pen: int = 2, grey: int = 64) -> np.ndarray:
    """(side, side) uint8: a face drawn round its `layout` points, grey lines on white paper."""
    paper = np.full((side, side), 255, np.uint8)

    def line(*places: np.ndarray | tuple[float, float], closed: bool = False) -> None:
        at = np.rint(np.array(places) * side * 16).astype(np.int32)
        cv2.polylines(paper, [at], closed, grey, pen, cv2.LINE_AA, 4)

    for outer, inner, lid, brow in ((0, 1, 4, 6), (3, 2, 5, 7)):
        middle = points[[outer, inner]].mean(0)
        below = 2 * middle - points[lid]
        line(points[outer], points[lid], points[inner], below, closed=True)
        wide = (points[outer] - points[inner]) / 2
        line(points[brow] - wide, points[brow] - (0, 0.02), points[brow] + wide)
        cv2.circle(paper, tuple(np.rint(middle * side).astype(int).tolist()), 4, grey, -1)
    line(points[9], points[8], points[10])
    line(points[11], points[13], points[12], points[14], closed=True)
    line(points[11], points[12])
    line(*points[[20, 17, 19, 15, 18, 16]], closed=True)
    return paper


def ink_of_sketch(points: np.ndarray) -> np.ndarray:
    """(256, 256) float32 ink of the same, black lines."""
    return 1 - sketch(points, grey=0).astype(np.float32) / 255


def picture_of(points: np.ndarray, names: np.ndarray) -> np.ndarray:
    """(256, 256, 3) uint8: a face in whose colours red and green are its mesh's `names`.

    Laid by scipy's own triangles.

    Args:
        points: (478, 3) its mesh in pixels.
        names: (468, 2) in [0, 1]: what is where on faces.
    """
    middles = np.arange(SIDE) + 0.5
    x, y = np.meshgrid(middles, middles)
    found = LinearNDInterpolator(points[:468, :2], names, fill_value=np.nan)(x, y)
    blue = np.isfinite(found[..., :1]).astype(float)
    image = np.concatenate([np.nan_to_num(found), blue], 2)
    return np.rint(255 * image).astype(np.uint8)


Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Mesh (478, 3) and sketch (256, 256) uint8 -> picture (256, 256, 3) uint8."""


def write_portraits(
    path: Path,
    count: int,
    *,
    drawn: bool = True,
    refined: bool = False,
    paint: Paint | None = None,
    start: int = 0,
) -> Path:
    """A set of so many faces; `paint` makes their photos, else they are grey sketches."""
    with DatasetWriter(path, "portraits", {"part": "all"}) as writer:
        for seed in range(start, start + count):
            face, drawing = mesh(seed), sketch(layout(seed))
            mask = np.zeros((SIDE, SIDE), np.uint8)
            hull = cv2.convexHull(np.rint(face[:468, :2]).astype(np.int32))
            cv2.fillConvexPoly(mask, hull, 255)
            image = np.repeat(drawing[..., None], 3, 2) if paint is None else paint(face, drawing)
            entry = {
                "images": image,
                "masks": mask,
                "lines": np.repeat(255 - drawing[None], 4, 0),
                "valid": np.array([0, 0, SIDE, SIDE], np.float32),
                "landmarks": face,
            }
            row = {"name": f"face {seed}", "group": f"face {seed}", "drawn": drawn}
            if drawn:
                entry["sketches"] = drawing
            writer.add({**row, "refined": True} if refined else row, entry)
    return path
