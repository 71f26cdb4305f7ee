"""Hair read from a photo and painted behind a turned face, on heads whose hair is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.vunet.test_head import CENTRE, SIZE, TALL, WIDE, mesh_of
from vunet.hair import along_outline, frame_of, hair_of, paint_hair, strands, unlike_skin

SKIN, SHINE, DARK, GOLD = (190, 130, 105), (236, 190, 170), (40, 30, 26), (190, 150, 60)
GROUND = (90, 150, 90)
FAIR = (198, 150, 105)
"""Hair much like that skin."""


def head_photo(
    above: tuple[int, int, int], beside: tuple[int, int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Photo and mask: hair above the face of `mesh_of()`, and beside it down to the shoulders."""
    photo = np.full((*SIZE, 3), GROUND, np.uint8)
    person = np.zeros(SIZE, np.uint8)
    x, y = CENTRE[:2].astype(int)
    whole = (int(WIDE * 1.5), int(TALL * 1.4))
    if beside is not None:
        box = ((x - whole[0], y), (x + whole[0], y + int(1.6 * TALL)))
        cv2.rectangle(photo, *box, beside, -1)
        cv2.rectangle(person, *box, 255, -1)
    for picture, value in ((photo, above), (person, 255)):
        cv2.ellipse(picture, (x, y), whole, 0, 180, 360, value, -1)
    cv2.ellipse(photo, (x, y), (int(WIDE), int(TALL)), 0, 0, 360, SKIN, -1)
    cv2.ellipse(person, (x, y), (int(WIDE), int(TALL)), 0, 0, 360, 255, -1)
    return photo, person / np.float32(255)


def test_short_hair_has_the_colour_above_the_face() -> None:
    hair = hair_of(*head_photo(DARK, None), mesh_of())
    assert hair is not None
    assert not hair.long
    assert np.abs(hair.crown - DARK).max() < 8
    assert np.array_equal(hair.lengths, hair.crown)


def test_lengths_may_have_another_colour_than_the_crown() -> None:
    hair = hair_of(*head_photo(DARK, GOLD), mesh_of())
    assert hair is not None
    assert hair.long
    assert np.abs(hair.crown - DARK).max() < 8
    assert np.abs(hair.lengths - GOLD).max() < 8


def test_ground_that_a_mask_takes_in_is_no_hair() -> None:
    photo, person = head_photo(DARK, None)
    x, y = CENTRE[:2].astype(int)
    cv2.rectangle(person, (x, y), (x + int(2 * WIDE), y + int(TALL)), 1.0, -1)
    hair = hair_of(photo, person, mesh_of())
    assert hair is not None
    assert not hair.long
    assert np.abs(hair.lengths - DARK).max() < 8


def test_a_crown_among_ground_of_all_colours_is_read_or_none() -> None:
    photo, person = head_photo(DARK, None)
    stripes = np.array([(230, 80, 145), (0, 165, 145), (200, 170, 50)], np.uint8)
    skin = (photo == SKIN).all(2)
    photo[:] = stripes[np.arange(SIZE[1]) // 4 % 3][None]
    photo[skin] = SKIN
    found = hair_of(photo, person, mesh_of())
    assert found is None or np.isfinite([*found.crown, *found.lengths]).all()


def test_size_does_not_matter() -> None:
    photo, person = (cv2.resize(a, None, fx=12, fy=12) for a in head_photo(DARK, GOLD))
    mesh = mesh_of() * 12
    small, large = hair_of(*head_photo(DARK, GOLD), mesh_of()), hair_of(photo, person, mesh)
    assert small is not None
    assert large is not None
    np.testing.assert_allclose(large.crown, small.crown, atol=4)


def test_fair_hair_is_not_read_by_its_shades_alone() -> None:
    photo, person = head_photo(FAIR, None)
    photo[(np.arange(SIZE[1]) % 5 < 2)[None] & (photo == FAIR).all(2)] = DARK
    hair = hair_of(photo, person, mesh_of())
    assert hair is not None
    assert np.abs(hair.crown - FAIR).max() < 8


@pytest.mark.parametrize("scalp", [SKIN, SHINE])
def test_bald_heads_have_none(scalp: tuple[int, int, int]) -> None:
    assert hair_of(*head_photo(scalp, None), mesh_of()) is None


def test_no_hair_is_read_where_nobody_is() -> None:
    photo, person = head_photo(DARK, GOLD)
    assert hair_of(photo, np.zeros_like(person), mesh_of()) is None
    assert hair_of(photo, person, mesh_of() + np.array([1e4, 0, 0])) is None


@pytest.mark.parametrize("long", [False, True])
def test_only_what_was_painted_gets_hair(long: bool) -> None:
    hair = hair_of(*head_photo(DARK, GOLD if long else None), mesh_of())
    assert hair is not None
    colours = np.full((*SIZE, 3), 150, np.float32)
    invented = np.zeros(SIZE, np.float32)
    invented[:, : int(CENTRE[0])] = 1
    paint_hair(colours, invented, hair, 1.0, frame_of(mesh_of(80)))
    assert (colours[:, int(CENTRE[0]) :] == 150).all()
    x, y = int(CENTRE[0]), int(CENTRE[1])
    crown = colours[y - int(TALL) : y - int(0.6 * TALL), x - int(0.6 * WIDE) : x].mean((0, 1))
    assert np.abs(crown - DARK).max() < 30
    neck = colours[y + int(TALL), x - int(0.3 * WIDE)]
    if not long:
        assert np.abs(neck - 150).max() < 1


def test_no_turn_no_hair() -> None:
    hair = hair_of(*head_photo(DARK, None), mesh_of())
    assert hair is not None
    colours = np.full((*SIZE, 3), 150, np.float32)
    paint_hair(colours, np.ones(SIZE, np.float32), hair, 0.0, frame_of(mesh_of(80)))
    assert (colours == 150).all()


def test_strands_run_away_from_the_crown() -> None:
    y, x = np.mgrid[-150:150, -150:150].astype(np.float32)
    found = strands(x, y, 100.0)
    assert abs(float(found.mean())) < 0.15
    far = found[np.hypot(x, y) > 90]
    assert 0.7 < float(far.std()) < 1.4
    below = found[250:, 130:170]  # nearly upright there
    along, across = (np.abs(np.diff(below, axis=axis)).mean() for axis in (0, 1))
    assert across > 1.4 * along  # they bend a little
    assert np.array_equal(found, strands(x, y, 100.0))


def test_shine_is_more_like_skin_than_shade_is() -> None:
    lab = np.array([[[80.0, 10, 10], [40, 10, 10]]])
    brighter, darker = unlike_skin(lab, np.array([60.0, 10, 10]))[0]
    assert brighter < 0.5 * darker


def test_the_outline_is_a_band_inside() -> None:
    person = np.zeros((100, 100), bool)
    person[20:80, 20:80] = True
    band = along_outline(person, 40)
    assert not band[50, 50]
    assert not band[~person].any()
    assert band[50, 26]
