"""The `warp` row of the evaluation: a person moved part by part with geometry alone."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from pose import Pose
from vunet import geometry as geo
from vunet.framing import points_of
from vunet.render import (
    Subject,
    joints_in,
    region_of,
    resample,
    source_window,
    subject_tensors,
    target_window,
    to_array,
)

SIZE = (256, 192)


@torch.inference_mode()
def warp_person(
    image: np.ndarray,
    mask: np.ndarray,
    source_pose: Pose,
    target_pose: Pose,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Move each body part by its transform from keypoints; nothing is learned.

    Args:
        image: (h, w, 3) uint8 RGB photo.
        mask: (h, w) float32 in [0, 1], the person in it.
        source_pose: Complete BODY27 pose in the photo.
        target_pose: Complete BODY27 pose in the result.
        size: (H, W) of the result.

    Returns:
        Colours (H, W, 3) uint8 and coverage (H, W) float32 in [0, 1].
    """
    subject = Subject(image, mask, source_pose)
    from_window, to_window = source_window(subject, SIZE), target_window(target_pose, size, SIZE)
    picture, person, source = subject_tensors(subject, from_window)
    target = joints_in(to_window, points_of(target_pose, size))
    colour, cover = geo.analytic_warp(picture, person, source, target)
    straight = colour / cover.clamp_min(0.05)
    region = region_of(to_window, size)
    x0, y0, x1, y1 = region
    result, alpha = np.zeros((*size, 3), np.uint8), np.zeros(size, np.float32)
    if x1 > x0 and y1 > y0:
        drawn = resample(to_array(straight), to_window, region, cv2.INTER_LINEAR)
        alpha[y0:y1, x0:x1] = np.clip(
            resample(to_array(cover), to_window, region, cv2.INTER_LINEAR)[..., 0], 0, 1
        )
        result[y0:y1, x0:x1] = np.clip((drawn + 1) * 127.5, 0, 255).astype(np.uint8)
    return result, alpha
