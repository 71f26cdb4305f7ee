"""A small embedder and a small finder of people, both at work, and the pictures that suit them.

The embedder compares outlines by HOG and looks by colours. The finder takes stick pictures in
ControlNet's colours for photos of people. `fill` is what the tests of sudden death run and kill.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from skimage.feature import hog

from pose.estimator import Detection
from pose.stick import read_controlnet
from vunet.gallery import store, update
from vunet.gallery.gallery import Gallery


class TinyEmbedder:
    """HOG and histograms; `version` stands for other weights."""

    def __init__(self, version: str = "1", delay_s: float = 0.0) -> None:
        self.name = "tiny"
        self.sha256 = hashlib.sha256(version.encode()).hexdigest()
        self.calls = 0
        self.seen = 0
        self._delay_s = delay_s

    def photos(
        self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray | None] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        self.calls += 1
        self.seen += len(images)
        time.sleep(self._delay_s)
        return (
            np.stack([self.drawing(image) for image in images]),
            np.stack([_histogram(image) for image in images]),
        )

    def drawing(self, image: np.ndarray) -> np.ndarray:
        grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32))
        found = hog(grey, orientations=8, pixels_per_cell=(8, 8), cells_per_block=(1, 1))
        return _unit(found + 1e-3)


def _histogram(image: np.ndarray) -> np.ndarray:
    bins = np.histogramdd(image.reshape(-1, 3), bins=(4, 4, 4), range=[(0, 256)] * 3)[0]
    return _unit(np.sqrt(bins).reshape(-1))


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class StickFinder:
    """Takes a stick picture for a photo of one person."""

    def __init__(self) -> None:
        self.calls = 0

    def find(self, image: np.ndarray, max_people: int = 1) -> list[Detection]:
        self.calls += 1
        pose = read_controlnet(image)
        if pose is None:
            return []
        return [Detection(pose, (image.max(axis=2) > 60).astype(np.float32))]


def write_picture(path: Path, seed: int, size: tuple[int, int] = (32, 24)) -> None:
    """A rectangle and a line in a few colours; no two seeds look alike."""
    rng = np.random.default_rng(seed)
    image = np.full((*size, 3), rng.integers(0, 256, 3), np.uint8)
    a, b, c, d = (rng.integers(0, size[::-1]).tolist() for _ in range(4))
    cv2.rectangle(image, a, b, rng.integers(0, 256, 3).tolist(), -1)
    cv2.line(image, c, d, rng.integers(0, 256, 3).tolist(), 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def contents(gallery: Gallery) -> set[tuple[object, ...]]:
    """All that a gallery knows, but for ids and times."""
    known: set[tuple[object, ...]] = set()
    kept = gallery._store
    for file in kept.files().values():
        facts = (file.path, file.size, file.sha256, file.height, file.width, file.error)
        known.add((*facts, *sorted(file.made)))
        for item in kept.items_of(file):
            vector = np.asarray(item.vector).tobytes()
            known.add((file.path, item.kind, item.maker, item.box, vector, item.detail))
    return known


def fill(folder: str, where: str) -> None:
    """Index a folder in small batches, with approximate indexes from few items on."""
    update.BATCH = 8
    update._RENEWED_EVERY = 2
    store.EXACT_BELOW = 40
    with Gallery.open(folder, where=where, create=True, embedder=TinyEmbedder()) as gallery:
        gallery.update(poses=False)


def hold(where: str, seconds: float, ready: object) -> None:
    """Write-lock a gallery for a while."""
    kept = store.Store.open(Path(where))
    with kept.writing():
        ready.set()  # type: ignore[attr-defined]
        time.sleep(seconds)
