"""Filling in behind the person, and the other backgrounds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vunet.background import (
    MAX_SIDE_PX,
    cover_background,
    fill_background,
    grow_mask,
    plain_background,
)
from vunet.images import ImageError


def person_mask(size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 mask of something like a standing person in the middle."""
    height, width = size
    mask = np.zeros(size, np.float32)
    middle = (width // 2, height // 2)
    cv2.ellipse(mask, middle, (max(1, width // 7), max(1, height // 3)), 0, 0, 360, 1.0, -1)
    cv2.circle(mask, (middle[0], height // 6), max(1, width // 12), 1.0, -1)
    return mask


def bricks(size: tuple[int, int]) -> np.ndarray:
    """A wall with a clear period of 16 x 32 pixels and a little grain."""
    y, x = np.mgrid[: size[0], : size[1]]
    mortar = (y % 16 < 3) | ((x + 16 * (y // 16 % 2)) % 32 < 3)
    wall = np.where(mortar[..., None], [190, 185, 175], [150, 70, 50]).astype(np.float64)
    wall += np.random.default_rng(0).normal(0, 4, (*size, 1))
    return np.clip(wall, 0, 255).astype(np.uint8)


def test_nothing_masked_changes_nothing() -> None:
    image = bricks((120, 90))
    result = fill_background(image, np.zeros((120, 90), np.float32))
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)


@settings(max_examples=40)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["blob", "noise", "rows", "columns", "all but one", "point"]),
)
def test_pixels_outside_the_hole_are_kept(height: int, width: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), np.float32)
    if kind == "blob":
        mask = person_mask((height, width))
    elif kind == "noise":
        mask = (rng.random((height, width)) < 0.3).astype(np.float32)
    elif kind == "rows":
        mask[height // 3 : height // 2 + 1] = 1
    elif kind == "columns":
        mask[:, width // 3 :] = 1
    else:
        mask[height // 2, width // 2] = 1
        mask = 1 - mask if kind == "all but one" else mask
    before = image.copy(), mask.copy()
    result = fill_background(image, mask)
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    outside = grow_mask(mask) == 0
    np.testing.assert_array_equal(result[outside], image[outside])
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])
    np.testing.assert_array_equal(result, fill_background(image, mask))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (5, 5), (64, 48), (300, 200)])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (13, 200, 97)])
def test_a_constant_photo_stays_constant(size: tuple[int, int], colour: tuple[int, ...]) -> None:
    image = np.full((*size, 3), colour, np.uint8)
    person = person_mask(size)
    dressed = np.where(person[..., None] > 0, np.uint8([250, 0, 250]), image)
    result = fill_background(dressed, person)
    if (grow_mask(person) == 0).any():
        np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("angle", [0, 30, 90])
def test_a_gradient_stays_nearly_one(angle: float) -> None:
    size = (400, 300)
    y, x = np.mgrid[: size[0], : size[1]]
    way = (x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))) / 500
    image = np.stack([60 + 150 * way, 200 - 100 * way, 90 + 60 * way], -1).astype(np.uint8)
    person = person_mask(size)
    dressed = np.where(person[..., None] > 0, np.uint8([255, 0, 0]), image)
    error = np.abs(fill_background(dressed, person).astype(int) - image)
    assert error.mean(axis=(0, 1)).max() < 4
    assert np.percentile(error[person > 0], 95) < 20


def test_no_colour_of_the_person_remains() -> None:
    image = bricks((400, 300))
    person = person_mask((400, 300))
    soft = cv2.GaussianBlur(person, (0, 0), 1.5)[..., None]
    dressed = np.rint(image * (1 - soft) + soft * [0, 255, 0]).astype(np.uint8)
    result = fill_background(dressed, cv2.GaussianBlur(person, (0, 0), 1.5)).astype(int)
    greenness = result[..., 1] - np.maximum(result[..., 0], result[..., 2])
    assert greenness.max() < 25


def test_texture_is_continued_and_not_blurred() -> None:
    """Against inpainting by diffusion: the filled part varies as the wall round it does."""
    image = bricks((400, 300))
    person = person_mask((400, 300))
    inside = cv2.erode(person, np.ones((9, 9))) > 0
    result = fill_background(np.where(person[..., None] > 0, np.uint8(0), image), person)
    smeared = cv2.inpaint(image, grow_mask(person), 3, cv2.INPAINT_TELEA)

    def roughness(picture: np.ndarray) -> float:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F))[inside].mean())

    assert roughness(smeared) < 0.3 * roughness(image)
    assert 0.7 * roughness(image) < roughness(result) < 1.3 * roughness(image)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_masks_of_all_types_mean_the_same(dtype: type) -> None:
    image = bricks((160, 120))
    person = person_mask((160, 120))
    mask = (person * 255).astype(np.uint8) if dtype is np.uint8 else person.astype(dtype)
    np.testing.assert_array_equal(fill_background(image, mask), fill_background(image, person))


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (64, 64)])
def test_a_person_everywhere_does_not_fail(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = fill_background(image, np.ones(size, np.float32))
    assert np.ptp(result.reshape(-1, 3), axis=0).max() == 0
    assert np.abs(result[0, 0] - image.mean(axis=(0, 1))).max() <= 1


def test_a_photo_of_many_pixels() -> None:
    size = (300, MAX_SIDE_PX + 500)
    image = np.tile(bricks((300, 320)), (1, 8, 1))[:, : size[1]]
    person = person_mask(size)
    result = fill_background(np.where(person[..., None] > 0, np.uint8(255), image), person)
    outside = grow_mask(person) == 0
    np.testing.assert_array_equal(result[outside], image[outside])
    assert np.abs(result[~outside].mean(axis=0) - image.mean(axis=(0, 1))).max() < 15


def test_the_mask_grows_further_down() -> None:
    mask = np.zeros((1000, 500), np.uint8)
    mask[500, 250] = 255
    rows, columns = np.nonzero(grow_mask(mask))
    assert columns.min() == 250 - 15
    assert columns.max() == 250 + 15
    assert rows.min() == 500 - 15
    assert rows.max() == 500 + 15 + 12


@pytest.mark.parametrize(
    ("image", "mask", "fault"),
    [
        (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4)), "image must be"),
        (np.zeros((4, 4, 3)), np.zeros((4, 4)), "image must be"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4)), "image must be"),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4)), "mask must have shape"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), bool), "mask must be"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int64), "mask must be"),
    ],
)
def test_what_does_not_fit_is_refused(image: np.ndarray, mask: np.ndarray, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        fill_background(image, mask)


def test_plain_background() -> None:
    picture = plain_background((3, 5), (1, 2, 255))
    assert picture.shape == (3, 5, 3)
    assert picture.dtype == np.uint8
    assert (picture == [1, 2, 255]).all()


@pytest.mark.parametrize("colour", [(0, 0, 256), (-1, 0, 0), (0, 0), (0, 0, 0, 0)])
def test_plain_background_refuses_what_is_no_colour(colour: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="colour must be"):
        plain_background((3, 5), colour)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_sizes_of_nothing_are_refused(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="size must be"):
        plain_background(size, (0, 0, 0))
    with pytest.raises(ValueError, match="size must be"):
        cover_background(tmp_path / "x.png", size)


@pytest.mark.parametrize("size", [(60, 40), (40, 60), (200, 300), (1, 90), (90, 1)])
def test_cover_keeps_the_middle_and_the_proportions(size: tuple[int, int], tmp_path: Path) -> None:
    height, width = 80, 120
    y, x = np.mgrid[:height, :width]
    picture = np.stack([x * 2, y * 2, np.full_like(x, 77)], -1).astype(np.uint8)
    path = tmp_path / "beach.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    covered = cover_background(path, size)
    assert covered.shape == (*size, 3)
    assert covered.dtype == np.uint8
    scale = max(size[0] / height, size[1] / width)
    middle = covered.mean(axis=(0, 1))
    np.testing.assert_allclose(middle, picture.mean(axis=(0, 1)), atol=3)
    if min(size) > 1:
        steps = np.diff(covered[..., 0].astype(float).mean(axis=0)).mean() * scale
        assert steps == pytest.approx(2, rel=0.1)
        assert np.diff(covered[..., 1].astype(float).mean(axis=1)).mean() * scale == pytest.approx(
            2, rel=0.1
        )


def test_cover_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="missing"):
        cover_background(tmp_path / "missing.png", (10, 10))


@pytest.mark.shared
def test_street_photos_keep_their_look(shared: Path) -> None:
    """Filled parts have colours that the rest of the photo has."""
    from pose.estimator import PoseEstimator

    estimator = PoseEstimator()
    photos = sorted((shared / "data" / "people" / "ccp" / "photos").iterdir())[:400:100]
    for path in photos:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        mask = estimator.find_one(image, path.name).mask
        hole = grow_mask(mask) > 0
        filled = fill_background(image, mask)[hole].reshape(-1, 3).astype(np.float32)
        rest = image[~hole].reshape(-1, 3).astype(np.float32)
        rng = np.random.default_rng(0)
        some, others = rng.choice(filled, 300), rng.choice(rest, 4000)
        nearest = np.linalg.norm(some[:, None] - others[None], axis=2).min(axis=1)
        assert np.percentile(nearest, 95) < 12, path.name
