"""Random people for the tests of poses: a small articulated body in 3-D, seen by a camera."""

from collections.abc import Callable

import numpy as np
import pytest

from pose import BODY27, Pose

_HEAD = {
    "nose": (0.0, -0.37, 0.24),
    "left_eye": (0.06, -0.44, 0.19),
    "right_eye": (-0.06, -0.44, 0.19),
    "left_ear": (0.16, -0.42, 0.0),
    "right_ear": (-0.16, -0.42, 0.0),
}


def _turn(yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _ray(rng: np.random.Generator, spread: float, forwards: float = 0.0) -> np.ndarray:
    """A unit vector that points more or less down (y), and to the front (z) if told."""
    ray = np.array([0, 1, forwards]) + rng.normal(0, spread, 3)
    return ray / np.linalg.norm(ray)


def _body(seed: int, size: tuple[int, int] = (512, 384), max_yaw: float = np.pi) -> Pose:
    rng = np.random.default_rng(seed)
    joints = {name: np.array(at) for name, at in _HEAD.items()}
    neck_turn = _turn(rng.normal(0, 0.3))
    joints = {name: neck_turn @ at for name, at in joints.items()}
    for side, sign in (("left", 1), ("right", -1)):
        across = np.array([sign, 0, 0])
        shoulder = 0.34 * across
        hip = 0.19 * across + [0, 0.97, 0]
        elbow = shoulder + 0.51 * _ray(rng, 0.6)
        wrist = elbow + 0.46 * _ray(rng, 0.7, 0.4)
        forearm = (wrist - elbow) / 0.46
        knee = hip + 0.82 * _ray(rng, 0.3, 0.2)
        ankle = knee + 0.83 * _ray(rng, 0.25, -0.1)
        joints |= {
            f"{side}_shoulder": shoulder,
            f"{side}_hip": hip,
            f"{side}_elbow": elbow,
            f"{side}_wrist": wrist,
            f"{side}_index": wrist + 0.19 * forearm - 0.03 * across,
            f"{side}_pinky": wrist + 0.17 * forearm + 0.03 * across,
            f"{side}_thumb": wrist + 0.09 * forearm - 0.08 * across,
            f"{side}_knee": knee,
            f"{side}_ankle": ankle,
            f"{side}_heel": ankle + np.array([0, 0.09, -0.08]),
            f"{side}_foot_index": ankle + np.array([0, 0.14, 0.35]),
        }
    points = (
        np.stack([joints[name] for name in BODY27.keypoints])
        @ _turn(rng.uniform(-max_yaw, max_yaw)).T
    )
    points = points[:, :2] - 0.15 * points[:, 2:] * [0, 1]  # the camera looks down a little
    low, high = points.min(axis=0), points.max(axis=0)
    height, width = size
    fit = 0.9 * min(height / (high[1] - low[1]), width / (high[0] - low[0]))
    points = (points - (low + high) / 2) * fit + [width / 2, height / 2]
    return Pose(BODY27, points, rng.uniform(0.5, 1, len(BODY27)).round(3), size)


@pytest.fixture(scope="session")
def make_body() -> Callable[..., Pose]:
    """`make_body(seed, size=(512, 384), max_yaw=pi)`: a complete BODY27 pose of a random person."""
    return _body
