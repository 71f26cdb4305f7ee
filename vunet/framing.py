"""Which part of a picture the network sees: one rule, used in training and in use alike.

The network's window has a fixed shape (3:4). It is laid round what is visible of the person and
never stretched: where the window reaches beyond the photo it is empty, and `valid` says so. So a
half-body photo stays a half body, at its own scale. Knows nothing of torch or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose import BODY27, Pose

SEEN = 0.5
"""Joints at least this sure decide what a window shows."""
MARGIN = 0.06
"""Space left round the person, as a share of the window's longer need."""
HEAD_TOP = 0.42
"""The top of the hair lies this many body scales beyond the ears, along the neck."""


OUTSIDE_CONFIDENCE = 0.1
"""Joints outside what a picture shows are at most this sure."""


def doubt_outside(points: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """A copy of (K, 3) points in which those outside a box x0, y0, x1, y1 are hardly sure."""
    x0, y0, x1, y1 = box
    x, y, sure = points.T
    outside = (x < x0) | (x > x1) | (y < y0) | (y > y1)
    sure = np.where(outside, np.minimum(sure, OUTSIDE_CONFIDENCE), sure)
    return np.column_stack([x, y, sure])


def points_of(pose: Pose, size: tuple[int, int]) -> np.ndarray:
    """(27, 3) x, y, confidence of a complete BODY27 pose; hardly sure outside the picture.

    Raises:
        ValueError: If the pose has another skeleton or misses joints.
    """
    if pose.skeleton is not BODY27 or not pose.present.all():
        raise ValueError("the network needs a complete body27 pose; use pose.complete first")
    points = np.column_stack([pose.keypoints, pose.confidence])
    return doubt_outside(points, (0, 0, size[1], size[0]))


@dataclass(frozen=True)
class Window:
    """An upright rectangle of a picture that is shown to the network at a fixed size."""

    left: float
    top: float
    scale: float
    """Network pixels per picture pixel."""
    size: tuple[int, int]
    """(height, width) of the network's picture."""

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) affine from picture pixels to network pixels."""
        s = self.scale
        return np.array([[s, 0, -self.left * s], [0, s, -self.top * s]])

    @property
    def inverse(self) -> np.ndarray:
        """(2, 3) affine from network pixels to picture pixels."""
        return np.array([[1 / self.scale, 0, self.left], [0, 1 / self.scale, self.top]])

    def moved(self, points: np.ndarray) -> np.ndarray:
        """(K, 3) points of the picture, in the network's pixels."""
        places = points[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.column_stack([places, points[:, 2]])

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The window's content, (h, w[, C]) of the image's dtype; zero outside the picture."""
        height, width = self.size
        # cv2 counts pixel centres as integers, this project as halves
        m = self.matrix.copy()
        m[:, 2] += 0.5 * self.scale - 0.5
        source = image
        if self.scale < 0.5:  # bilinear sampling alone would alias
            step = max(1, int(1 / self.scale))
            wh = (max(1, image.shape[1] // step), max(1, image.shape[0] // step))
            source = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
            sx, sy = image.shape[1] / wh[0], image.shape[0] / wh[1]
            m = self.matrix @ np.diag([sx, sy, 1.0])
            m[:, 2] += 0.5 * np.array([m[0, 0], m[1, 1]]) - 0.5
        return cv2.warpAffine(source, m, (width, height), flags=cv2.INTER_LINEAR)

    def valid(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in network pixels of the part that lies inside a picture of (h, w)."""
        (h, w), (height, width) = size, self.size
        x0, y0 = max(0.0, -self.left * self.scale), max(0.0, -self.top * self.scale)
        x1 = min(float(width), (w - self.left) * self.scale)
        y1 = min(float(height), (h - self.top) * self.scale)
        return x0, y0, max(x0, x1), max(y0, y1)


def window_round(
    box: tuple[float, float, float, float], size: tuple[int, int], margin: float = MARGIN
) -> Window:
    """The smallest window of the network's shape that holds a box with a margin.

    Args:
        box: x0, y0, x1, y1 in picture pixels.
        size: (height, width) of the network's picture.
        margin: Space on each side, as a share of the window.
    """
    x0, y0, x1, y1 = box
    height, width = size
    inner = 1 - 2 * margin
    scale = min(width * inner / max(x1 - x0, 4.0), height * inner / max(y1 - y0, 4.0))
    left = (x0 + x1) / 2 - width / 2 / scale
    top = (y0 + y1) / 2 - height / 2 / scale
    return Window(left, top, scale, size)


def person_box(
    keypoints: np.ndarray, visible: np.ndarray, mask: np.ndarray | None, scale_px: float
) -> tuple[float, float, float, float]:
    """Box round what is seen of a person.

    Args:
        keypoints: (27, 2) BODY27 keypoints in pixels, none missing.
        visible: (27,) bool, keypoints that count.
        mask: (H, W) person mask in [0, 1] where there is one; its box is joined.
        scale_px: Body scale in pixels, for the hair above the ears.

    Returns:
        x0, y0, x1, y1 in pixels.
    """
    points = keypoints[visible] if visible.any() else keypoints
    boxes = [np.concatenate([points.min(0), points.max(0)])]
    person = None if mask is None else np.asarray(mask > 0.5)
    if person is not None and person.any():
        rows, columns = np.flatnonzero(person.any(1)), np.flatnonzero(person.any(0))
        boxes.append(np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float))
    else:
        ears, neck = keypoints[3:5].mean(0), keypoints[5:7].mean(0)
        up = (ears - neck) / max(float(np.linalg.norm(ears - neck)), 1e-6)
        crown = ears + up * HEAD_TOP * scale_px
        girth = 0.16 * scale_px  # flesh round the outermost joints
        head = np.concatenate([crown, crown])
        b = boxes[0] + np.array([-girth, -girth * 0.5, girth, girth * 0.7])
        if visible[:5].any():
            b = np.concatenate([np.minimum(b[:2], head[:2]), np.maximum(b[2:], head[2:])])
        boxes = [b]
    stacked = np.stack(boxes)
    low, high = stacked[:, :2].min(0), stacked[:, 2:].max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
