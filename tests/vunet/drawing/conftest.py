"""Things drawn with OpenCV: photos of garments whose outline is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from vunet.drawing.prepare import prepare_drawings

SHIRT = np.array(
    [
        *[(60, 50), (100, 40), (140, 50), (185, 95), (160, 120), (145, 105), (145, 215)],
        *[(55, 215), (55, 105), (40, 120), (15, 95)],
    ],
    np.int32,
)
TROUSERS = np.array(
    [(60, 30), (140, 30), (165, 225), (120, 225), (100, 95), (80, 225), (35, 225)], np.int32
)


def thing_photo(seed: int, outline: np.ndarray = SHIRT) -> tuple[np.ndarray, np.ndarray]:
    """A striped thing on a plain ground: (256, 200, 3) uint8 RGB and its mask, bool."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(150, 240, 3)
    cloth, stripe = rng.integers(10, 130, 3), rng.integers(60, 200, 3)
    image = np.full((256, 200, 3), ground, np.uint8)
    mask = cv2.fillPoly(np.zeros((256, 200), np.uint8), [outline], 255) > 0
    rows = (np.arange(256) // 12 % 3 == 0)[:, None] & mask
    image[mask] = cloth
    image[rows] = stripe
    noise = rng.normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), mask


@pytest.fixture(scope="session")
def photo() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Makes photos of things."""
    return thing_photo


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve photos of two kinds of things, with a table of their kinds."""
    folder = tmp_path_factory.mktemp("things")
    (folder / "photos").mkdir()
    rows = ["file,label"]
    for i in range(12):
        image, _ = thing_photo(i, (SHIRT, TROUSERS)[i % 2])
        cv2.imwrite(str(folder / "photos" / f"{i:02d}.png"), image[..., ::-1])
        rows.append(f"photos/{i:02d}.png,{('Shirt', 'Trousers')[i % 2]}")
    (folder / "index.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def drawn_set(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set of drawings made of them."""
    out = tmp_path_factory.mktemp("drawn")
    files = sorted((photos / "photos").iterdir())
    report = prepare_drawings(files, out, classes=photos / "index.csv", quiet=True)
    assert report.count == 12, report.left_out
    return out
