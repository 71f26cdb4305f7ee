"""A small embedder and a small finder of people, both at work, and the pictures that suit them.

The embedder compares outlines by HOG and looks by colours. The finder takes stick pictures in
ControlNet's colours for photos of people. `fill` is what the tests of sudden death run and kill.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import resource
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
from vunet.gallery.records import FileRow, NewItem
from vunet.gallery.trouble import GalleryError

MAKER = "tiny:1"
_times = itertools.count(1_700_000_000_000_000_000, 1_000_000_000)


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
    stamp(path)


def stamp(path: Path) -> None:
    """Give a file a time that no other has: clocks of file systems tick slowly."""
    when = next(_times)
    os.utime(path, ns=(when, when))


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


def hold(where: str, ready: object) -> None:
    """Write-lock a gallery until killed."""
    kept = store.Store.open(Path(where))
    with kept.writing():
        ready.set()  # type: ignore[attr-defined]
        time.sleep(3600)


def unit(n: int, dims: int, seed: int) -> np.ndarray:
    """(n, dims) float32, of length 1."""
    found = np.random.default_rng(seed).standard_normal((n, dims)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def put(kept: store.Store, vectors: np.ndarray, first: int = 0, kind: str = "look") -> None:
    """One file for each vector, named by its number."""
    with kept.writing(), kept.transaction():
        for number, vector in enumerate(vectors, first):
            item = NewItem(kind, MAKER, (0.0, 0.0, 1.0, 1.0), vector)
            kept.put(FileRow(f"{number}.jpg", 1, 1), [item], frozenset())


def fill_until_full(folder: str, room: int, said: object) -> None:
    """Write until the system refuses files longer than `room`, and tell what was said then."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    kept = store.Store.open(Path(folder))
    store.EXACT_BELOW = 200
    try:
        for batch in range(10_000):
            put(kept, unit(50, 128, batch), first=50 * batch)
            with kept.writing():
                kept.renew_indexes()
        said.put("never full")  # type: ignore[attr-defined]
    except GalleryError as error:
        said.put(str(error))  # type: ignore[attr-defined]
