"""Human poses without a neural network in sight: tables, types, files, drawings, geometry.

This package knows no torch and no user interface. `estimator` is the only module of the whole
project that talks to MediaPipe, and it is imported only by those who estimate.
"""

from pose.skeletons import (
    BODY27,
    COCO17,
    MEDIAPIPE33,
    OPENPOSE18,
    OPENPOSE25,
    SKELETONS,
    VUNET15,
    Skeleton,
)
from pose.types import NoPersonFound, Pose

__all__ = [
    "BODY27",
    "COCO17",
    "MEDIAPIPE33",
    "OPENPOSE18",
    "OPENPOSE25",
    "SKELETONS",
    "VUNET15",
    "NoPersonFound",
    "Pose",
    "Skeleton",
]
