"""Things that nobody photographed: shapes of many kinds on plain grounds, and drawings of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.presets import PRESETS
from pose.stick import draw_controlnet
from tests.vunet.gallery.tiny import write_picture
from vunet.dataset import SIZE, DatasetWriter
from vunet.drawing.lines import line_maps


def _outline(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(N, 2) int32 a star-shaped outline of its own."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = 0.7 + sum(
        rng.normal(0, 0.35 / k) * np.cos(k * angles + rng.uniform(0, 6.3)) for k in range(1, 5)
    )
    reach = np.clip(reach, 0.25, 1) * min(size) * 0.45
    points = np.stack([np.cos(angles), 1.2 * np.sin(angles)], 1) * reach[:, None]
    middle = np.array([size[1], size[0]]) / 2
    return np.rint(points + middle).astype(np.int32)


def _photo(seed: int, colour: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A thing: (256, 192, 3) uint8 RGB and its mask, (256, 192) uint8."""
    rng = np.random.default_rng(1000 + (seed if colour is None else colour))
    ground, cloth = rng.integers(160, 250, 3), rng.integers(10, 120, 3)
    image = np.full((*SIZE, 3), ground, np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(mask, [_outline(seed)], 255)
    image[mask > 0] = cloth
    noise = rng.normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), mask


def _drawing(seed: int, size: tuple[int, int] = SIZE, pen: int = 2) -> np.ndarray:
    """Its outline drawn, (H, W, 3) uint8 RGB."""
    sheet = np.full((*size, 3), 255, np.uint8)
    cv2.polylines(sheet, [_outline(seed, size)], True, (0, 0, 0), pen, cv2.LINE_AA)
    return sheet


def _write(path: Path, kind: str, seeds: range) -> Path:
    with DatasetWriter(path, kind, {}) as writer:
        for seed in seeds:
            image, mask = _photo(seed)
            entry = {
                "images": image,
                "masks": mask,
                "lines": line_maps(image, mask),
                "valid": np.array([0, 0, SIZE[1], SIZE[0]], np.float32),
            }
            if kind == "sketched":
                entry["sketches"] = _drawing(seed)[..., 0]
            writer.add({"name": str(seed), "group": str(seed), "label": "thing"}, entry)
    return path


@pytest.fixture(scope="session")
def photo_of() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """`photo_of(seed, colour=None)`: image and mask of a thing; the colour may be another's."""
    return _photo


@pytest.fixture(scope="session")
def drawing_of() -> Callable[..., np.ndarray]:
    """`drawing_of(seed, size=SIZE, pen=2)`: its outline on white."""
    return _drawing


@pytest.fixture(scope="session")
def thing_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen things with their lines."""
    return _write(tmp_path_factory.mktemp("things") / "set", "drawings", range(16))


@pytest.fixture(scope="session")
def other_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve other things."""
    return _write(tmp_path_factory.mktemp("others") / "set", "drawings", range(100, 112))


@pytest.fixture(scope="session")
def sketched_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight things that somebody drew."""
    return _write(tmp_path_factory.mktemp("sketched") / "set", "sketched", range(8))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of forty pictures, some in sub-folders."""
    folder = tmp_path / "my photos"
    for i in range(40):
        write_picture(folder / ("", "a", "a/b")[i % 3] / f"{i:02d}.png", i)
    return folder


@pytest.fixture
def make_people(tmp_path: Path) -> Callable[..., Path]:
    """`make_people(names)`: a folder of "photos" of people in preset poses, one each."""

    def make(*names: str) -> Path:
        folder = tmp_path / "people"
        folder.mkdir(exist_ok=True)
        for name in names or PRESETS:
            picture = draw_controlnet(PRESETS[name], (1024, 768))
            cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])
        return folder

    return make
