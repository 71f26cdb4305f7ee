"""Which part of a picture the network sees: never stretched, right to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose import Pose
from vunet.framing import HEAD_TOP, MARGIN, Window, person_box, window_round

SIZE = (256, 192)
places = st.floats(-500, 2000)
lengths = st.floats(1, 1500)


@settings(max_examples=50)
@given(x=places, y=places, w=lengths, h=lengths)
def test_window_holds_its_box_with_the_margin_and_no_more(
    x: float, y: float, w: float, h: float
) -> None:
    window = window_round((x, y, x + w, y + h), SIZE)
    corners = np.array([[x, y], [x + w, y + h]]) @ window.matrix[:, :2].T + window.matrix[:, 2]
    height, width = SIZE
    space = [corners[0, 0] / width, corners[0, 1] / height]
    space += [1 - corners[1, 0] / width, 1 - corners[1, 1] / height]
    assert min(space) >= MARGIN - 1e-6
    assert min(space) <= MARGIN + 1e-6 or max(w, h) <= 4
    np.testing.assert_allclose(space[:2], space[2:], atol=1e-6)  # the box is in the middle


@settings(max_examples=50)
@given(left=places, top=places, scale=st.floats(0.01, 8))
def test_inverse_undoes_the_matrix(left: float, top: float, scale: float) -> None:
    window = Window(left, top, scale, SIZE)
    both = np.vstack([window.matrix, [0, 0, 1]]) @ np.vstack([window.inverse, [0, 0, 1]])
    np.testing.assert_allclose(both, np.eye(3), atol=1e-6 * (1 + abs(left) + abs(top)))


def dot(size: tuple[int, int], x: float, y: float, sigma: float) -> np.ndarray:
    yy, xx = np.mgrid[: size[0], : size[1]] + 0.5
    return np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def centre(image: np.ndarray) -> np.ndarray:
    yy, xx = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    total = image.sum()
    return np.array([(xx * image).sum() / total, (yy * image).sum() / total])


@pytest.mark.parametrize("scale", [3.1, 1.7, 1.0, 0.6, 0.45, 0.31, 0.17])
def test_cut_puts_pixels_where_the_matrix_says(scale: float) -> None:
    """A soft dot of the picture is found again at its place, to a tenth of a pixel."""
    size = (int(200 / scale) + 41, int(150 / scale) + 33)
    x, y = 0.42 * size[1], 0.55 * size[0]
    window = Window(0.1 * size[1] / 3 + 0.3, 7.6, scale, SIZE)
    found = centre(window.cut(dot(size, x, y, 4 / scale)))
    expected = window.matrix[:, :2] @ [x, y] + window.matrix[:, 2]
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_cut_is_the_picture_itself_at_scale_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    np.testing.assert_array_equal(Window(0.0, 0.0, 1.0, SIZE).cut(image), image)
    shifted = Window(-5.0, 3.0, 1.0, SIZE).cut(image)
    np.testing.assert_array_equal(shifted[:-3, 5:], image[3:, :-5])
    assert not shifted[:, :5].any()
    assert not shifted[-3:].any()


@settings(max_examples=30)
@given(left=st.floats(-200, 300), top=st.floats(-200, 300), scale=st.floats(0.3, 3))
def test_valid_is_where_the_photo_reaches(left: float, top: float, scale: float) -> None:
    window, size = Window(left, top, scale, SIZE), (310, 230)
    x0, y0, x1, y1 = window.valid(size)
    assert 0 <= x0 <= x1 <= SIZE[1] or x0 > SIZE[1]
    assert 0 <= y0 <= y1 <= SIZE[0] or y0 > SIZE[0]
    white = window.cut(np.full(size, 255, np.uint8))
    yy, xx = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = (xx > x0) & (xx < x1) & (yy > y0) & (yy < y1)
    deep = (xx > x0 + 2 * scale) & (xx < x1 - 2 * scale)
    deep &= (yy > y0 + 2 * scale) & (yy < y1 - 2 * scale)
    assert (white[deep] >= 250).all()
    grown = (xx > x0 - 2 * scale - 1) & (xx < x1 + 2 * scale + 1)
    grown &= (yy > y0 - 2 * scale - 1) & (yy < y1 + 2 * scale + 1)
    assert not white[~grown & ~inside].any()


def test_person_box_holds_joints_mask_and_hair(make_person: Callable[..., Pose]) -> None:
    pose = make_person()
    visible = np.ones(27, bool)
    x0, y0, x1, y1 = person_box(pose.keypoints, visible, None, 70.0)
    low, high = pose.keypoints.min(0), pose.keypoints.max(0)
    ears = pose.keypoints[3:5, 1].mean()
    assert x0 < low[0]
    assert x1 > high[0]
    assert y1 > high[1]
    assert y0 <= ears - HEAD_TOP * 70 + 1e-6
    mask = np.zeros(SIZE, np.float32)
    mask[2:250, 3:180] = 1
    box = person_box(pose.keypoints, visible, mask, 70.0)
    assert box[0] <= 3
    assert box[1] <= 2
    assert box[2] >= 180
    assert box[3] >= 250


def test_half_body_is_framed_by_what_is_visible(make_person: Callable[..., Pose]) -> None:
    """Guessed legs below the picture do not shrink the person."""
    pose = make_person(size=(800, 600))
    visible = np.ones(27, bool)
    visible[[13, 14, 15, 16, 23, 24, 25, 26]] = False
    half = window_round(person_box(pose.keypoints, visible, None, 200.0), SIZE)
    whole = window_round(person_box(pose.keypoints, visible | True, None, 200.0), SIZE)
    assert half.scale > 1.3 * whole.scale
