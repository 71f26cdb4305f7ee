"""One rule for photos and drawings: where what is shown lies in its frame."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vunet.drawing.sheet import DrawingError
from vunet.gallery.framing import ROOM, cut, frame_of, framed_drawing, framed_photo, ink_of

SIZE = (128, 96)


@given(
    st.integers(0, 150),
    st.integers(0, 150),
    st.integers(20, 100),
    st.integers(20, 100),
)
def test_a_frame_lies_round_what_is_shown(x: int, y: int, wide: int, high: int) -> None:
    inside = np.zeros((250, 250), bool)
    inside[y : y + high, x : x + wide] = True
    x0, y0, x1, y1 = frame_of(inside.shape, inside, SIZE)
    assert (x1 - x0) / (y1 - y0) == pytest.approx(96 / 128)
    assert (x0 + x1) / 2 == pytest.approx(x + wide / 2, abs=1)
    assert (y0 + y1) / 2 == pytest.approx(y + high / 2, abs=1)
    assert max((y1 - y0) / high, (x1 - x0) / wide) >= ROOM - 0.05
    assert min((y1 - y0) / high, (x1 - x0) / wide) <= ROOM + 0.05


def test_a_few_specks_do_not_move_a_frame() -> None:
    inside = np.zeros((200, 200), bool)
    inside[60:140, 70:130] = True
    before = frame_of(inside.shape, inside, SIZE)
    inside[2:4, 190:193] = True
    np.testing.assert_allclose(frame_of(inside.shape, inside, SIZE), before, atol=1.5)


@pytest.mark.parametrize("canvas", [(100, 300), (300, 100), (128, 96)])
def test_whole_pictures_keep_their_middle(canvas: tuple[int, int]) -> None:
    x0, y0, x1, y1 = frame_of(canvas, None, SIZE)
    assert x0 + x1 == pytest.approx(canvas[1])
    assert y0 + y1 == pytest.approx(canvas[0])
    assert min(x0, y0) >= -1e-9
    assert x1 - x0 == pytest.approx(canvas[1]) or y1 - y0 == pytest.approx(canvas[0])
    assert frame_of(canvas, np.zeros(canvas, bool), SIZE) == (x0, y0, x1, y1), "nothing is shown"


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_cut_agrees_with_opencv_where_it_only_resizes(factor: float) -> None:
    rng = np.random.default_rng(0)
    side = (round(128 * factor), round(96 * factor))
    picture = cv2.resize(rng.integers(0, 256, (16, 12, 3), np.uint8), side[::-1])
    found = cut(picture, (0, 0, side[1], side[0]), SIZE)
    how = cv2.INTER_AREA if factor > 1 else cv2.INTER_LINEAR
    wanted = cv2.resize(picture, (96, 128), interpolation=how)
    assert np.abs(found.astype(int) - wanted).max() <= 2


def test_photo_and_drawing_of_one_thing_lie_on_one_another(
    photo_of: Callable[..., tuple[np.ndarray, np.ndarray]], drawing_of: Callable[..., np.ndarray]
) -> None:
    """Wherever and however large either is."""
    image, mask = photo_of(3)
    image = cv2.copyMakeBorder(image, 90, 10, 20, 100, cv2.BORDER_REPLICATE)
    mask = cv2.copyMakeBorder(mask, 90, 10, 20, 100, cv2.BORDER_CONSTANT, value=0)
    thing = framed_photo(np.stack([mask] * 3, 2), mask, SIZE, "lines")[..., 0] > 127
    small = drawing_of(3, (128, 96))
    sheet = cv2.copyMakeBorder(small, 20, 150, 130, 20, cv2.BORDER_CONSTANT, value=(255,) * 3)
    ink = framed_drawing(sheet, SIZE, "lines")
    assert ink.shape == SIZE
    assert ink.dtype == np.float32
    edge = cv2.morphologyEx(thing.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    far = cv2.distanceTransform(1 - edge, cv2.DIST_L2, 5)
    assert np.median(far[ink > 0.5]) <= 2.5
    away = cv2.distanceTransform((ink <= 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    assert np.median(away[edge > 0]) <= 2.5


def test_ink_is_what_is_darker_than_the_paper() -> None:
    for paper in (255, 200, 120):
        grey = np.full((40, 40), paper, np.uint8)
        grey[10:12] = paper // 5
        ink = ink_of(grey)
        assert ink[0, 0] == 0
        assert ink[10, 5] == 1


@pytest.mark.parametrize("shape", ["lines", "picture"])
def test_blank_and_tiny_drawings_are_refused(shape: str) -> None:
    with pytest.raises(DrawingError, match="Nothing is drawn"):
        framed_drawing(np.full((200, 200, 3), 240, np.uint8), SIZE, shape)
    with pytest.raises(DrawingError, match="too small"):
        framed_drawing(np.full((9, 9, 3), 240, np.uint8), SIZE, shape)


def test_wrong_arrays_are_refused(photo_of: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    image, mask = photo_of(0)
    for wrong in (image[..., 0], image.astype(np.float32), image[:0]):
        with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
            framed_photo(wrong, None, SIZE, "lines")
        with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
            framed_drawing(wrong, SIZE, "lines")
    with pytest.raises(ValueError, match="mask"):
        framed_photo(image, mask[:-1], SIZE, "lines")
