"""Painted edges come onto the drawn line; photos' pixels stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vunet.drawing.outline import Outline

SIZE = (256, 192)
GROUND, THING = 200.0, 50.0


def drawn() -> np.ndarray:
    inside = np.zeros(SIZE, bool)
    inside[60:200, 50:150] = True
    return inside


def painted(beside_px: int, blur_px: float) -> np.ndarray:
    """A thing whose edge lies beside the drawn line (within it where negative), and is soft."""
    thing = np.zeros(SIZE, np.float32)
    thing[60 - beside_px : 200 + beside_px, 50 - beside_px : 150 + beside_px] = 1
    return GROUND + (THING - GROUND) * cv2.GaussianBlur(thing, (0, 0), blur_px)


@pytest.mark.parametrize("beside_px", [-2, 0, 2, 4])
def test_an_edge_beside_the_line_comes_onto_it_and_becomes_crisp(beside_px: int) -> None:
    inside, picture = drawn(), painted(beside_px, 1.5)
    ideal = np.where(inside, THING, GROUND)
    result = Outline(inside, np.zeros(SIZE, np.float32)).sharpened(picture)
    before, after = (np.abs(p - ideal)[80:180].mean() for p in (picture, result))
    assert after < 0.5 * before
    assert abs(np.argmax(-np.diff(result[130, 20:100])) + 21 - 50) <= 1


def test_what_is_far_from_the_line_or_a_photo_s_stays_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    picture = rng.uniform(0, 255, (*SIZE, 3)).astype(np.float32)
    inside = drawn()
    result = Outline(inside, np.zeros(SIZE, np.float32)).sharpened(picture)
    line = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    far = cv2.distanceTransform(1 - line, cv2.DIST_L2, 5) > 0.055 * SIZE[0] + 2
    assert np.array_equal(result[far], picture[far])
    assert not np.array_equal(result, picture)
    copied = Outline(inside, np.ones(SIZE, np.float32)).sharpened(picture)
    assert np.array_equal(copied, picture)


@pytest.mark.parametrize("share", [0, 1])
def test_a_picture_that_is_all_thing_or_all_ground_stays(share: int) -> None:
    picture = np.random.default_rng(0).uniform(0, 255, SIZE).astype(np.float32)
    inside = np.full(SIZE, bool(share))
    result = Outline(inside, np.zeros(SIZE, np.float32)).sharpened(picture)
    assert np.isfinite(result).all()
    assert np.array_equal(result[60:-60, 60:-60], picture[60:-60, 60:-60])


def test_no_colours_are_made_up() -> None:
    picture = painted(3, 2.0)
    result = Outline(drawn(), np.zeros(SIZE, np.float32)).sharpened(picture)
    assert result.min() >= picture.min() - 1e-3
    assert result.max() <= picture.max() + 1e-3
