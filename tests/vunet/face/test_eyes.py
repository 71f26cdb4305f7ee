"""Irises that agree; skimage's colours are the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from pose.face import LEFT_IRIS, RIGHT_IRIS, FaceFinder
from tests.vunet.face.faces import layout
from vunet.engine import Engine
from vunet.face.eyes import agreeing, iris_places
from vunet.face.parts import POINTS
from vunet.images import read_image

SIDE = 160
FACE = layout()
Lab = tuple[float, float, float]
COLOURS = st.tuples(st.floats(25, 60), st.floats(-12, 12), st.floats(-12, 12))
SKIN = (205, 165, 140)


def eyes(right: Lab, left: Lab, points: np.ndarray = FACE, side: int = SIDE) -> np.ndarray:
    """A face of skin alone, but for two whites and irises of these colours."""
    image = np.full((side, side, 3), SKIN, np.uint8)
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    for colour, (x, y, radius) in zip((right, left), iris_places(points, side), strict=True):
        away = np.hypot(columns - x, rows - y)
        image[away < 2.2 * radius] = (240, 238, 236)
        image[away < 1.4 * radius] = np.rint(255 * lab2rgb(np.array(colour, float)))
    return image


def seen(image: np.ndarray, place: tuple[float, float, float]) -> np.ndarray:
    """(3,) median CIELAB of the inner part of an iris."""
    rows, columns = np.mgrid[0 : len(image), 0 : len(image)] + 0.5
    inside = np.hypot(columns - place[0], rows - place[1]) < 0.75 * place[2]
    assert inside.sum() > 5
    return np.median(rgb2lab(image[inside]), axis=0)


@settings(max_examples=25)
@given(COLOURS, COLOURS)
def test_two_colours_become_one_and_nothing_else_changes(right: Lab, left: Lab) -> None:
    image = eyes(right, left)
    places = iris_places(FACE, SIDE)
    before = [seen(image, place) for place in places]
    changed = agreeing(image, FACE)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    near = np.zeros((SIDE, SIDE), bool)
    for x, y, radius in places:
        near |= np.hypot(columns - x, rows - y) < 1.2 * radius + 1
    assert np.array_equal(changed[~near], image[~near])
    after = [seen(changed, place) for place in places]
    if np.linalg.norm(before[0] - before[1]) > 39:
        return
    assert np.linalg.norm(after[0] - after[1]) < 1.5  # 8 bits round by half of one each
    np.testing.assert_allclose(after[0], (before[0] + before[1]) / 2, atol=1.5)


def test_equal_eyes_stay_as_they_are() -> None:
    image = eyes((40, 5, -5), (40, 5, -5))
    assert np.abs(agreeing(image, FACE).astype(int) - image).max() <= 1


def test_what_hangs_over_an_eye_is_left_there() -> None:
    image = eyes((15, 0, 0), (75, 0, 0))
    assert np.array_equal(agreeing(image, FACE), image)


def test_agreeing_twice_is_agreeing_once() -> None:
    once = agreeing(eyes((30, 8, 8), (50, -8, -8)), FACE)
    assert np.abs(agreeing(once, FACE).astype(int) - once).max() <= 3


def closed(points: np.ndarray) -> np.ndarray:
    shut = points.copy()
    shut[[2, 3, 5]] = shut[[2, 3, 5]].mean(0)
    return shut


def moved_out(points: np.ndarray) -> np.ndarray:
    gone = points.copy()
    gone[[2, 3, 5]] += 3
    return gone


@pytest.mark.parametrize("missing", [closed, moved_out])
@pytest.mark.parametrize("iris", [(12, 0, 0), (30, 4, 4), (60, -5, 3)])
def test_an_eye_without_a_partner_is_left_alone(missing, iris: Lab) -> None:
    """Nothing is known of the other's colour, dark as the one may be."""
    points = missing(FACE)
    image = eyes(iris, iris)
    assert np.array_equal(agreeing(image, points), image)


@given(st.integers(0, 10_000), st.floats(0, 2))
@settings(max_examples=20)
def test_no_points_are_too_strange(seed: int, much: float) -> None:
    points = FACE + np.random.default_rng(seed).normal(0, much, FACE.shape)
    image = eyes((30, 5, 5), (45, -5, 5))
    changed = agreeing(image, points)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8


@pytest.mark.parametrize("side", [64, 256, 700])
def test_irises_are_as_large_as_the_picture_makes_them(side: int) -> None:
    for place, unit in zip(iris_places(FACE, side), iris_places(FACE, 1), strict=True):
        assert place == pytest.approx(tuple(side * v for v in unit))
    (right, _, _), (left, _, _) = iris_places(FACE, side)
    assert right < side / 2 < left


@pytest.mark.parametrize("name", ["girl_with_bunches", "man_with_moustache", "woman_with_bob"])
def test_irises_are_where_mediapipe_finds_them(
    engine: Engine, finder: FaceFinder, root, name: str
) -> None:
    """In painted faces, whose points are known as drawings' are."""
    drawing = read_image(root / "tests/vunet/face/crude" / f"{name}.png")
    (drawn,) = engine.draw_face(drawing, size=512)
    (face,) = finder.find(drawn.image)
    points = face.points[list(POINTS), :2] / 512
    wide = np.linalg.norm(points[0] - points[1]) * 512
    for place, iris in zip(iris_places(points, 512), (RIGHT_IRIS, LEFT_IRIS), strict=True):
        middle, rim = face.points[iris][0, :2], face.points[iris][1:, :2]
        assert np.linalg.norm(np.array(place[:2]) - middle) < 0.2 * wide
        true = np.linalg.norm(rim - middle, axis=1).mean()
        assert 0.7 * true < place[2] < 1.4 * true
