"""People found side by side are those found one after the other."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose import estimator as module
from pose.estimator import PoseEstimator, silent_stderr

EXAMPLES = Path(__file__).resolve().parents[2] / "apps" / "examples"


def photo(name: str) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(EXAMPLES / f"{name}.jpg")), cv2.COLOR_BGR2RGB)


def test_threads_find_what_one_finds_alone() -> None:
    photos = [photo(name) for name in ("person_1", "person_2", "pose_dance")] * 3
    estimator = PoseEstimator()
    alone = [estimator.find(image)[0] for image in photos[:3]] * 3
    with ThreadPoolExecutor(4) as pool:
        together = [found[0] for found in pool.map(estimator.find, photos)]
    for one, other in zip(alone, together, strict=True):
        assert np.abs(one.pose.keypoints - other.pose.keypoints).max() < 0.5
        assert np.abs(one.mask - other.mask).mean() < 1e-3


def test_a_second_detector_that_cannot_be_loaded_costs_nobody_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, estimator = photo("person_1"), PoseEstimator()

    def broken() -> None:
        raise MemoryError

    monkeypatch.setattr(module, "_graph", broken)
    inside, go = threading.Event(), threading.Event()

    def hold() -> None:
        with estimator._borrowed():
            inside.set()
            go.wait(60)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):  # the first to wait waits, the second would get another
            inside.clear()
            go.clear()
            held = pool.submit(hold)
            assert inside.wait(60)
            waiting = pool.submit(estimator.find, image)
            threading.Timer(0.3, go.set).start()
            error = waiting.exception(60)
            assert error is None or isinstance(error, MemoryError)
            go.set()
            held.result(60)
    assert isinstance(error, MemoryError)
    assert len(estimator.find(image)) == 1


def test_silence_ends_for_all_who_asked_for_it() -> None:
    before = os.fstat(2)

    def quiet(_: int) -> None:
        with silent_stderr():
            os.write(2, b"never seen\n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(quiet, range(200)))
    after = os.fstat(2)
    assert (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
