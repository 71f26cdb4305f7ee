"""From one skeleton to another, by the names of the keypoints.

Only what follows exactly from the given keypoints is derived. Guessing is `pose.complete`'s work.
"""

from __future__ import annotations

import numpy as np

from pose.skeletons import Skeleton
from pose.types import Pose

_MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}


def convert(pose: Pose, skeleton: Skeleton) -> Pose:
    """Express a pose in another skeleton.

    Keypoints are carried over by name. A neck or a middle of the hips that is not there becomes
    the middle of both shoulders or hips, as OpenPose defines it, with the lesser of their
    confidences. What cannot be derived (a small toe, the corners of the eyes) is missing.

    Args:
        pose: Any pose.
        skeleton: The skeleton wanted.

    Returns:
        A pose of the same size in `skeleton`; `pose` itself where it has that skeleton already.
    """
    if pose.skeleton is skeleton:
        return pose
    keypoints = np.full((len(skeleton), 2), np.nan)
    confidence = np.zeros(len(skeleton))
    for i, name in enumerate(skeleton.keypoints):
        source = pose.skeleton.index.get(name)
        if source is not None and pose.present[source]:
            keypoints[i] = pose.keypoints[source]
            confidence[i] = pose.confidence[source]
        elif name in _MIDDLES:
            pair = [pose.skeleton.index.get(end) for end in _MIDDLES[name]]
            ends = [end for end in pair if end is not None and pose.present[end]]
            if len(ends) == 2:
                keypoints[i] = pose.keypoints[ends].mean(axis=0)
                confidence[i] = pose.confidence[ends].min()
    return Pose(skeleton, keypoints, confidence, pose.size)
