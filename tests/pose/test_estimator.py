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


def test_people_side_by_side_each_get_their_own_pixels() -> None:
    """Somebody pasted close beside somebody else: whose pixel is whose is known."""
    estimator = PoseEstimator()
    one, two = photo("person_1"), photo("person_2")
    size = (640, 480)
    one, two = (cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA) for image in (one, two))
    found = [estimator.find(image)[0] for image in (one, two)]
    first, second = (detection.mask > 0.5 for detection in found)
    middles = [d.pose.keypoints[[11, 12, 23, 24], 0].mean() for d in found]
    places = [150.0, 300.0]
    moved = []
    canvas = np.full((*size, 3), np.median(one.reshape(-1, 3), axis=0), np.uint8)
    for image, mask, middle, place in zip(
        (one, two), (first, second), middles, places, strict=True
    ):
        shift = np.array([[1, 0, place - middle], [0, 1, 0.0]])
        there = cv2.warpAffine(mask.astype(np.uint8), shift, size[::-1]) > 0
        canvas[there] = cv2.warpAffine(image, shift, size[::-1])[there]
        moved.append(there)
    moved[0] &= ~moved[1]  # who was pasted later stands before
    people = estimator.find(canvas, 3)
    assert len(people) == 2
    people.sort(key=lambda d: float(d.pose.keypoints[[11, 12, 23, 24], 0].mean()))
    for number, person in enumerate(people):
        mask = person.mask > 0.5
        assert (mask & moved[number]).sum() > 0.9 * moved[number].sum()
        assert (mask & moved[1 - number]).sum() < 0.05 * moved[1 - number].sum()
    assert np.minimum(people[0].mask, people[1].mask).max() < 0.5


def test_masks_that_claim_a_pixel_twice_are_parted_by_the_skeletons() -> None:
    def body(x: float) -> np.ndarray:
        points = np.tile([x, 50.0, 1.0], (33, 1))
        points[[11, 12], 1], points[[23, 24], 1] = 40, 80
        points[[25, 26], 1], points[[27, 28, 31, 32], 1], points[0, 1] = 110, 140, 25
        return points

    masks = np.zeros((2, 160, 200), np.float32)
    masks[0, 20:145, 40:125], masks[1, 20:145, 90:140] = 0.9, 0.8
    one, two = (mask for _, mask in module._parted([(body(60), masks[0]), (body(110), masks[1])]))
    assert one[60, 60] == pytest.approx(0.9)
    assert two[60, 110] == pytest.approx(0.9)  # both claim it; the nearer skeleton has it
    assert one[60, 110] == 0
    assert not ((one > 0.3) & (two > 0.3)).any()
    # who has nothing that is nearer to their own bones is nobody
    slim, rest = np.zeros((2, 160, 200), np.float32)
    slim[20:145, 40:80], rest[100:130, 55:70] = 0.9, 0.9
    assert len(module._parted([(body(60), slim), (body(110), rest)])) == 1
    alone = [(body(60), masks[0])]
    assert module._parted(alone) is alone


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 5), (8, 4), (40, 31)])
def test_a_counted_median_is_numpys(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for high in (2, 256):
        image = rng.integers(0, high, (*shape, 3)).astype(np.uint8)
        counted = [module._median(image, k) for k in range(3)]
        assert counted == np.median(image.reshape(-1, 3), axis=0).astype(np.uint8).tolist()
