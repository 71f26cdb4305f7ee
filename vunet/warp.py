"""The `warp` row of the evaluation: a person moved part by part with geometry alone."""

from __future__ import annotations

import numpy as np
import torch

from pose import Pose
from vunet import geometry as geo
from vunet.framing import points_of
from vunet.render import (
    Subject,
    joints_in,
    on_canvas,
    source_window,
    subject_tensors,
    target_window,
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
    drawn = on_canvas(straight, to_window, size, elsewhere=-1.0)
    alpha = np.clip(on_canvas(cover, to_window, size)[..., 0], 0, 1)
    return np.clip((drawn + 1) * 127.5, 0, 255).astype(np.uint8), alpha
