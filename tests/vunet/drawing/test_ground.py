"""The ground beside a drawn thing is ground."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vunet.drawing.ground import cleared

SIZE = (256, 192)
GROUND, THING, SMOKE = (150, 130, 110), (40, 60, 160), (95, 95, 135)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, its thing and, beside it, smoke."""
    picture = np.full((*SIZE, 3), GROUND, np.float32)
    inside = np.zeros(SIZE, bool)
    inside[120:200, 60:140] = True
    smoke = np.zeros(SIZE, bool)
    smoke[70:105, 70:130] = True
    picture[smoke] = SMOKE
    picture[inside] = THING
    return picture, inside, smoke


def test_smoke_goes_and_the_thing_stays() -> None:
    picture, inside, smoke = scene()
    result = cleared(picture, inside, np.zeros(SIZE, np.float32))
    core = cv2.erode(smoke.astype(np.uint8), np.ones((9, 9))) > 0
    assert np.abs(result[core] - GROUND).mean() < 8
    within = cv2.erode(inside.astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(result - picture)[within].max() < 1
    assert np.abs(result - picture)[:50].max() < 4


def test_what_is_a_photo_s_stays_bit_for_bit() -> None:
    picture, inside, smoke = scene()
    result = cleared(picture, inside, np.ones(SIZE, np.float32))
    assert np.array_equal(result, picture)
    result = cleared(picture, inside, smoke.astype(np.float32))
    core = cv2.erode(smoke.astype(np.uint8), np.ones((5, 5))) > 0
    assert np.array_equal(result[core], picture[core])


def test_grounds_of_two_tones_keep_them() -> None:
    picture, inside, smoke = scene()
    clean = np.where((np.arange(SIZE[1]) < 96)[None, :, None], GROUND, (90, 140, 120))
    clean = np.broadcast_to(clean, picture.shape).astype(np.float32)
    busy = np.where((smoke | inside)[..., None], picture, clean)
    result = cleared(busy, inside, np.zeros(SIZE, np.float32))
    before, after = (np.abs(p - clean)[smoke].mean() for p in (busy, result))
    assert after < 0.5 * before


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_picture_that_is_all_thing_or_all_ground_comes_back(share: float) -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (*SIZE, 3)).astype(np.float32)
    inside = np.full(SIZE, share)
    result = cleared(picture, inside, np.zeros(SIZE, np.float32))
    assert result.shape == picture.shape
    assert np.isfinite(result).all()
    if share:
        assert np.array_equal(result, picture)
