"""Flat people for the tests of the network: skeletons that bend, and pictures drawn round them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pose import BODY27, Pose
from vunet import geometry as geo
from vunet.dataset import DatasetWriter

# In body scales from the middle of the shoulders, as seen: the person's left is on the right.
_STANDING = {
    "nose": (0.0, -0.37),
    "left_eye": (0.06, -0.44),
    "left_ear": (0.16, -0.42),
    "left_shoulder": (0.34, 0.0),
    "left_elbow": (0.47, 0.5),
    "left_wrist": (0.51, 0.97),
    "left_pinky": (0.55, 1.13),
    "left_index": (0.5, 1.15),
    "left_thumb": (0.46, 1.06),
    "left_hip": (0.19, 0.97),
    "left_knee": (0.21, 1.8),
    "left_ankle": (0.22, 2.63),
    "left_heel": (0.21, 2.71),
    "left_foot_index": (0.32, 2.84),
}
_ARM = ("elbow", "wrist", "pinky", "index", "thumb")
_LEG = ("knee", "ankle", "heel", "foot_index")
_SWINGS = (
    ("shoulder", _ARM, 0.9),
    ("elbow", _ARM[1:], 0.9),
    ("hip", _LEG, 0.35),
    ("knee", _LEG[1:], 0.4),
)


def _person(seed: int | None = None, size: tuple[int, int] = (256, 192), fill: float = 0.9) -> Pose:
    """A complete and confident BODY27 pose; None stands upright, a seed bends the limbs."""
    at = {name: np.array(point) for name, point in _STANDING.items()}
    for name in list(at):
        if name.startswith("left_"):
            at["right_" + name[5:]] = at[name] * [-1, 1]
    if seed is not None:
        rng = np.random.default_rng(seed)
        for side in ("left", "right"):
            for root, moved, spread in _SWINGS:
                a = rng.uniform(-spread, spread)
                turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
                centre = at[f"{side}_{root}"]
                for joint in moved:
                    name = f"{side}_{joint}"
                    at[name] = centre + turn @ (at[name] - centre)
    points = np.stack([at[name] for name in BODY27.keypoints])
    low, high = points.min(0) - [0.1, 0.3], points.max(0) + 0.1
    height, width = size
    fit = fill * min(height / (high[1] - low[1]), width / (high[0] - low[0]))
    points = (points - (low + high) / 2) * fit + [width / 2, height / 2]
    return Pose(BODY27, points, np.full(27, 0.95), size)


def _joints(*poses: Pose) -> torch.Tensor:
    """(B, 21, 3) the network's joints of complete BODY27 poses."""
    points = [np.concatenate([p.keypoints, p.confidence[:, None]], 1) for p in poses]
    return geo.joints_of(torch.from_numpy(np.stack(points)).float())


def _picture(pose: Pose, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A person in plain colours: (H, W, 3) uint8, mask (H, W) uint8, part labels (H, W) uint8."""
    assert pose.size is not None
    rng = np.random.default_rng(seed)
    colours = rng.integers(40, 255, (len(geo.PARTS), 3))
    image = np.full((*pose.size, 3), rng.integers(0, 256, 3), np.uint8)
    joints = _joints(pose)
    quarter = (max(1, pose.size[0] // 4), max(1, pose.size[1] // 4))
    caps = geo.capsules(joints, quarter, pose.size)[0].numpy()
    caps = np.stack([cv2.resize(c, pose.size[::-1], interpolation=cv2.INTER_LINEAR) for c in caps])
    labels = np.zeros(pose.size, np.uint8)
    for p in geo.PAINT_ORDER:
        if p != geo.SKIRT:
            labels[caps[p] > 0.5] = p + 1
            image[caps[p] > 0.5] = colours[p]
    return image, np.where(labels > 0, 255, 0).astype(np.uint8), labels


def _write_set(
    path: Path, kind: str, people: int = 6, each: int = 2, start: int = 0, alone: bool = False
) -> Path:
    """A prepared set of `people` times `each` drawn pictures; `alone` gives each its own group."""
    with DatasetWriter(path, kind, {"drawn": True}) as writer:
        for person in range(start, start + people):
            for view in range(each):
                pose = _person(100 * person + view)
                image, mask, labels = _picture(pose, person)
                points = np.concatenate([pose.keypoints, pose.confidence[:, None]], 1)
                entry = {
                    "images": image,
                    "masks": mask,
                    "keypoints": points,
                    "valid": np.array([0.0, 0.0, 192.0, 256.0]),
                }
                if kind == "rendered":
                    # the place within the part's own crop stands for a point of the body's surface
                    entry["parts"] = labels[2::4, 2::4]
                    grid = np.stack(np.meshgrid(np.arange(48), np.arange(64)), -1)
                    surface = np.concatenate([grid, labels[2::4, 2::4, None]], -1) * 10
                    entry["surface"] = surface
                group = f"{person}/{view}" if alone else str(person)
                row = {"name": f"{person}/{view}", "group": group, "framing": "full"}
                writer.add(row, entry)
    return path


@pytest.fixture(scope="session")
def make_person() -> Callable[..., Pose]:
    """`make_person(seed=None, size=(256, 192), fill=0.9)`: a complete, confident BODY27 pose."""
    return _person


@pytest.fixture(scope="session")
def joints_of() -> Callable[..., torch.Tensor]:
    """`joints_of(*poses)`: (B, 21, 3)."""
    return _joints


@pytest.fixture(scope="session")
def draw_person() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """`draw_person(pose, seed=0)`: image, mask and part labels of a person in plain colours."""
    return _picture


@pytest.fixture(scope="session")
def write_set() -> Callable[..., Path]:
    """`write_set(path, kind, people=6, each=2, start=0, alone=False)`: a prepared set."""
    return _write_set


@pytest.fixture(scope="session")
def drawn_sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A set of photo pairs and a set of renders, six people with two pictures each."""
    folder = tmp_path_factory.mktemp("sets")
    return _write_set(folder / "photos", "photos"), _write_set(folder / "rendered", "rendered")
