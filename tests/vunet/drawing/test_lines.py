"""Drawings made from photos, and the masks they need."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from vunet.drawing.lines import MAPS, line_maps, styled
from vunet.drawing.palette import COLOURS, GARMENTS, REGIONS, coloured, paint_labels
from vunet.drawing.subject import fitted, object_mask

Photo = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.mark.parametrize("seed", range(6))
def test_a_thing_is_told_from_its_ground(photo: Photo, seed: int) -> None:
    image, truth = photo(seed)
    found = object_mask(image) > 127
    overlap = (found & truth).sum() / (found | truth).sum()
    assert overlap > 0.9


def test_a_picture_of_one_colour_gets_a_mask_all_the_same() -> None:
    mask = object_mask(np.full((90, 60, 3), 128, np.uint8))
    assert mask.shape == (90, 60)
    assert 0.04 < (mask > 127).mean() < 0.95


@pytest.mark.parametrize("shape", [(256, 192), (100, 300), (300, 100), (17, 900)])
def test_fitted_covers_what_it_says(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(1, 256, (*shape, 3), dtype=np.uint8)
    canvas, (x0, y0, x1, y1) = fitted(picture, (256, 192))
    assert canvas.shape == (256, 192, 3)
    assert (x0 == 0 and x1 == 192) or (y0 == 0 and y1 == 256)
    ratio = (x1 - x0) / (y1 - y0)
    assert abs(ratio - shape[1] / shape[0]) <= max(2 / (y1 - y0) * ratio, 0.6)
    labels, _ = fitted(picture[..., 0], (256, 192), labels=True)
    outside = np.ones((256, 192), bool)
    outside[y0:y1, x0:x1] = False
    assert not labels[outside].any()
    assert labels[~outside].all()


def test_the_outline_lies_on_the_masks_border(photo: Photo) -> None:
    image, mask = photo(1)
    maps = line_maps(image, mask.astype(np.uint8) * 255)
    assert maps.shape == (len(MAPS), 256, 200)
    assert maps.dtype == np.uint8
    outline = maps[MAPS.index("outline")] > 127
    away = np.maximum(distance_transform_edt(mask), distance_transform_edt(~mask))
    assert away[outline].max() <= 4  # corners are rounded
    assert outline.sum() > 0.6 * cv2.arcLength(
        cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0],
        True,
    )


def test_lines_stay_near_the_thing(photo: Photo) -> None:
    image, mask = photo(2)
    maps = line_maps(image, mask.astype(np.uint8) * 255)
    far = distance_transform_edt(~mask) > 8
    assert not maps[:, far].any()


def test_stripes_are_among_the_edges_but_not_in_the_outline(photo: Photo) -> None:
    image, mask = photo(3)
    maps = line_maps(image, mask.astype(np.uint8) * 255)
    deep = distance_transform_edt(mask) > 10
    assert (maps[MAPS.index("canny")][deep] > 127).mean() > 0.02
    assert not maps[MAPS.index("outline")][deep].any()


def test_styles_repeat_by_seed_and_differ_by_it(photo: Photo) -> None:
    image, mask = photo(4)
    maps = torch.from_numpy(line_maps(image, mask.astype(np.uint8) * 255))[None].float() / 255
    maps = maps.expand(16, -1, -1, -1)
    one, again, other = styled(maps, 5), styled(maps, 5), styled(maps, 6)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == (16, 1, 256, 200)
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
    amounts = (one > 0.5).float().mean((1, 2, 3))
    assert float(amounts.min()) > 0.001  # something is always drawn
    assert float(amounts.max()) < 0.5
    assert len({round(float(a), 4) for a in amounts}) > 8  # many hands


def test_each_garment_is_painted_as_one_region() -> None:
    every = [name for names in GARMENTS.values() for name in names]
    assert len(every) == len(set(every))
    assert list(GARMENTS) == list(REGIONS)
    apart = np.linalg.norm(COLOURS[:, None].astype(float) - COLOURS[None], axis=2)
    assert apart[~np.eye(len(COLOURS), dtype=bool)].min() > 45  # told apart by eye and reader
    names = ["null", "jeans", "hair", "umbrella"]
    labels = np.array([[0, 1], [2, 3]], np.uint8)
    regions = list(REGIONS)
    expected = [[0, 1 + regions.index("trousers")], [1 + regions.index("hair"), 0]]
    assert paint_labels(labels, names).tolist() == expected
    assert coloured(paint_labels(labels, names))[1, 0].tolist() == list(REGIONS["hair"])
