"""The one type in which poses travel through the project.

A `Pose` is immutable and always valid: whoever holds one need not check it again. It knows nothing
of files, pictures or detectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from pose.skeletons import Skeleton

MAX_COORDINATE_PX = 1e6
"""Keypoints further out than this are refused: no picture is that large."""


class NoPersonFound(ValueError):
    """A picture shows nobody, or nobody that the detector recognises."""


Found = TypeVar("Found")


def choose_person(
    people: Sequence[Found], person: int | None, name: str, advice: str = ""
) -> Found:
    """Number `person` of people in order of size, 1 = largest; None takes the largest.

    Args:
        people: Largest first.
        person: Which one.
        name: What they were found in, for the sentence.
        advice: The way out where nobody was found.

    Raises:
        NoPersonFound: With a sentence that names `name`.
    """
    if not people:
        advice = advice or "use a photo that shows one person large and whole"
        raise NoPersonFound(f"{name}: no person found; {advice}")
    number = 1 if person is None else person
    if not 1 <= number <= len(people):
        raise NoPersonFound(
            f"{name}: there is no person {number}, only {len(people)} found; "
            f"choose 1 to {len(people)}"
        )
    return people[number - 1]


@dataclass(frozen=True, eq=False)
class Pose:
    """The keypoints of one person in one picture.

    Raises:
        ValueError: If shapes, ranges or the marking of missing keypoints are wrong.
    """

    skeleton: Skeleton
    """Names and order of the keypoints."""
    keypoints: np.ndarray
    """(K, 2) float64, x and y in pixels from the top left corner; NaN where missing."""
    confidence: np.ndarray
    """(K,) float64 in [0, 1]; 0 where missing."""
    size: tuple[int, int] | None = None
    """(height, width) in pixels of the picture that the pose belongs to, where known."""

    def __post_init__(self) -> None:
        count = len(self.skeleton)
        keypoints = np.array(self.keypoints, dtype=np.float64)
        confidence = np.array(self.confidence, dtype=np.float64)
        if keypoints.shape != (count, 2):
            raise ValueError(
                f"keypoints of a {self.skeleton.name} pose must have shape ({count}, 2), "
                f"got {keypoints.shape}"
            )
        if confidence.shape != (count,):
            raise ValueError(
                f"confidence of a {self.skeleton.name} pose must have shape ({count},), "
                f"got {confidence.shape}"
            )
        if not np.isfinite(confidence).all() or (confidence < 0).any() or (confidence > 1).any():
            raise ValueError("confidence must be finite and in [0, 1]")
        if (
            np.isinf(keypoints).any()
            or (np.abs(np.nan_to_num(keypoints)) > MAX_COORDINATE_PX).any()
        ):
            raise ValueError(f"keypoints must lie within {MAX_COORDINATE_PX:.0f} px of the origin")
        missing = np.isnan(keypoints).any(axis=1)
        if (np.isnan(keypoints).all(axis=1) != missing).any():
            raise ValueError("a missing keypoint must have both x and y NaN")
        if (confidence[missing] != 0).any():
            raise ValueError("a missing keypoint (NaN) must have confidence 0")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(f"size must be (height, width), both at least 1, got {self.size}")
        keypoints.setflags(write=False)
        confidence.setflags(write=False)
        object.__setattr__(self, "keypoints", keypoints)
        object.__setattr__(self, "confidence", confidence)
        if self.size is not None:
            object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pose)
            and self.skeleton is other.skeleton
            and self.size == other.size
            and np.array_equal(self.keypoints, other.keypoints, equal_nan=True)
            and np.array_equal(self.confidence, other.confidence)
        )

    def __hash__(self) -> int:
        return hash((self.skeleton.name, self.keypoints.tobytes(), self.size))

    @property
    def present(self) -> np.ndarray:
        """(K,) bool: which keypoints have a place."""
        return ~np.isnan(self.keypoints[:, 0])

    def point(self, name: str) -> np.ndarray:
        """(2,) x, y of a keypoint by name; NaN where missing or unknown to the skeleton."""
        i = self.skeleton.index.get(name)
        return np.full(2, np.nan) if i is None else self.keypoints[i]

    def transformed(self, matrix: np.ndarray, size: tuple[int, int] | None) -> Pose:
        """The pose moved by a (2, 3) affine matrix into a picture of another size."""
        moved = self.keypoints @ matrix[:, :2].T + matrix[:, 2]
        return replace(self, keypoints=moved, size=size)

    def about_faced(self) -> Pose:
        """The same outline seen from the other side: left and right swapped, places kept."""
        order = list(self.skeleton.mirror)
        return replace(self, keypoints=self.keypoints[order], confidence=self.confidence[order])

    def flipped(self) -> Pose:
        """The mirror image: x reversed within the width, left and right keypoints swapped.

        Raises:
            ValueError: If the pose does not know the size of its picture.
        """
        if self.size is None:
            raise ValueError("cannot mirror a pose without a size; give it one first")
        other = self.about_faced()
        keypoints = other.keypoints.copy()
        keypoints[:, 0] = self.size[1] - keypoints[:, 0]
        return replace(other, keypoints=keypoints)

    def box(self, minimum_confidence: float = 0.0) -> tuple[float, float, float, float]:
        """Smallest box round the present keypoints, as x0, y0, x1, y1 in pixels.

        Raises:
            NoPersonFound: If no keypoint is present.
        """
        points = self.keypoints[self.present & (self.confidence >= minimum_confidence)]
        if not len(points):
            raise NoPersonFound("the pose has no keypoints at all")
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)
