"""Poses as vectors, to be compared whatever the size, the place and the missing joints.

Each limb is a direction in the picture, shorter where it points at the camera or away from it.
Neither place nor size matter; upright and lying are different poses. What either pose lacks is left
out of the comparison, at a price. Left and right are the person's own, so a mirror image is
another pose, unless one asks for it. Knows no files and no pictures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pose.convert import convert
from pose.retarget import TYPICAL, body_scale
from pose.skeletons import OPENPOSE25
from pose.types import Pose

FAMILY = "joints-"
"""What all versions of `MAKER` begin with."""
MAKER = f"{FAMILY}1"
"""Changes with whatever changes the vectors, so that they are made anew."""
SURE = 0.1
"""Joints below this confidence are guesses and count as missing."""
_LACKING = 2.0
"""Squared distance of a limb that only the query has: as if it were a right angle off."""
_FULL = 0.6
"""Share of its usual length from which a limb counts as not foreshortened."""
_LEAST = 1e-3
"""Length of a limb of no length: 0 is kept for those that are missing."""


def _both(a: str, b: str, length: float, weight: float) -> list[tuple[str, str, float, float]]:
    return [(f"{side}_{a}", f"{side}_{b}", length, weight) for side in ("left", "right")]


_LIMBS = (
    ("mid_hip", "neck", TYPICAL["trunk"], 2.0),
    ("right_shoulder", "left_shoulder", TYPICAL["shoulders"], 1.0),
    ("right_hip", "left_hip", TYPICAL["hips"], 0.5),
    ("neck", "nose", 0.37, 0.5),
    *_both("shoulder", "elbow", TYPICAL["upper_arm"], 1.0),
    *_both("elbow", "wrist", TYPICAL["forearm"], 1.0),
    *_both("hip", "knee", TYPICAL["thigh"], 1.0),
    *_both("knee", "ankle", TYPICAL["shin"], 1.0),
    *_both("shoulder", "wrist", TYPICAL["upper_arm"] + TYPICAL["forearm"], 0.5),
    *_both("hip", "ankle", TYPICAL["thigh"] + TYPICAL["shin"], 0.5),
)
"""From, to, usual length in body scales, and weight in the comparison."""
_WEIGHTS = np.array([weight for *_, weight in _LIMBS], np.float32)
DIMS = 2 * len(_LIMBS)
"""Numbers of a vector: x and y of each limb."""


def pose_vector(pose: Pose) -> np.ndarray:
    """A pose as a vector.

    Args:
        pose: A pose of any skeleton; joints below `SURE` count as missing.

    Returns:
        (DIMS,) float32, each limb at most as long as the root of its weight; zeros where a limb is
        missing, and nowhere else.
    """
    sure = pose.present & (pose.confidence >= SURE)
    points = np.where(sure[:, None], pose.keypoints, np.nan)
    known = Pose(pose.skeleton, points, np.where(sure, pose.confidence, 0))
    named = convert(known, OPENPOSE25)  # which has a neck and a middle of the hips
    try:
        scale = body_scale(known)
    except ValueError:
        scale = 0.0  # too little to tell what is foreshortened
    vector = np.zeros((len(_LIMBS), 2))
    for row, (start, end, length, weight) in enumerate(_LIMBS):
        way = named.point(end) - named.point(start)
        if np.isnan(way).any():
            continue
        reach = float(np.hypot(*way))
        if reach > 0:
            way = way / max(reach, _FULL * length * scale)
        if np.hypot(*way) < _LEAST:
            way = np.array([_LEAST, 0.0])
        vector[row] = np.sqrt(weight) * way
    return vector.astype(np.float32).reshape(-1)


def mirrored(pose: Pose) -> Pose:
    """The mirror image: what was left is right; in a picture without a size or a place."""
    order = list(pose.skeleton.mirror)
    return Pose(pose.skeleton, pose.keypoints[order] * [-1, 1], pose.confidence[order])


def likeness(query: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """What ranks poses by how like a query they are.

    The mean over the query's limbs of the squared distance, where a limb that the other lacks
    counts as a right angle; limbs that the query lacks do not count.

    Args:
        query: (DIMS,) from `pose_vector`.

    Returns:
        A function of (N, DIMS) vectors that gives (N,) in [0, 1]: 1 for the same pose, 0.3 where
        all limbs are a right angle off, 0 where all point the other way; -1 for those that share
        no limb with the query.
    """
    limbs = np.asarray(query, np.float32).reshape(-1, 2)
    squares = (limbs**2).sum(1)
    there = (squares > 0).astype(np.float32)
    whole = float(_WEIGHTS @ there)

    def rank(vectors: np.ndarray) -> np.ndarray:
        others = (vectors.reshape(len(vectors), -1, 2) ** 2).sum(2)  # (N, limbs)
        present = (others > 0).astype(np.float32)
        apart = present @ squares + others @ there - 2 * vectors @ limbs.reshape(-1)
        shared = present @ (_WEIGHTS * there)
        mean = (np.maximum(apart, 0) + _LACKING * (whole - shared)) / max(whole, 1e-6)
        return np.where(shared > 0, 1 - np.sqrt(np.minimum(mean, 4)) / 2, -1).astype(np.float32)

    return rank
