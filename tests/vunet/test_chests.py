"""Arms before a trunk, covered with its cloth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vunet.backs import Trunk
from vunet.chests import with_chest
from vunet.palette import distance_to

SIZE = (300, 200)
CLOTH, DARK, SKIN, TROUSERS, GROUND = (
    (60, 80, 160),
    (30, 30, 60),
    (200, 150, 120),
    (70, 60, 50),
    (90, 160, 90),
)
NECK, HIPS = (100.0, 60.0), (100.0, 220.0)


def crossed(
    angle: float = 0.0, *, stripes: bool = False, arm: tuple[int, int, int] | None = SKIN
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Trunk]:
    """Photo with a forearm across a trunk, without it, where trunk and arm are, and the trunk."""
    plain = np.full((*SIZE, 3), GROUND, np.uint8)
    plain[50:230, 55:145] = CLOTH
    if stripes:
        plain[50:230, 55:145][:, np.arange(90) // 9 % 2 == 0] = DARK
    photo, torso, arms = plain.copy(), np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)
    torso[50:230, 55:145] = 1
    quad = np.array([[40, 130], [160, 120], [160, 145], [40, 155]])
    cv2.fillConvexPoly(arms, quad, 1.0)
    torso[arms > 0] = 0
    if arm is not None:
        photo[arms > 0] = arm
    matrix = cv2.getRotationMatrix2D((100, 150), angle, 1)
    turned = [
        cv2.warpAffine(m, matrix, SIZE[::-1], borderValue=GROUND if m.ndim == 3 else 0)
        for m in (photo, plain, torso, arms)
    ]
    ends = (matrix @ np.append(end, 1) for end in (NECK, HIPS))
    return turned[0], turned[1], turned[2], turned[3], Trunk(*ends)


@pytest.mark.parametrize("stripes", [False, True])
@pytest.mark.parametrize("angle", [0, 20, -70])
def test_cloth_goes_on_under_a_bare_arm(angle: float, stripes: bool) -> None:
    photo, plain, torso, arms, trunk = crossed(angle, stripes=stripes)
    chest = with_chest(photo, torso, arms, trunk)
    assert chest is not None
    inside = cv2.erode((chest.shown > 0.95).astype(np.uint8), np.ones((3, 3))) > 0
    off = np.abs(chest.image[inside].astype(float) - plain[inside]).mean(1)
    was = np.abs(photo[inside].astype(float) - plain[inside]).mean(1)
    assert (off < 20).mean() > 0.9
    assert (was > 40).mean() > 0.4
    hidden = (
        cv2.erode(
            ((arms > 0.9) & (np.abs(plain - np.float32(GROUND)).sum(2) > 9)).astype("u1"),
            np.ones((9, 9)),
        )
        > 0
    )
    assert chest.shown[hidden].mean() > 0.9
    assert chest.hides[hidden].mean() > 0.9


def test_only_what_hides_the_trunk_changes() -> None:
    photo, _, torso, arms, trunk = crossed()
    chest = with_chest(photo, torso, arms, trunk)
    assert chest is not None
    far = cv2.dilate((arms > 0).astype(np.uint8), np.ones((41, 41))) == 0
    np.testing.assert_array_equal(chest.image[far], photo[far])
    assert not chest.shown[far].any()
    assert not chest.hides[far].any()


def test_sleeves_of_the_same_cloth_stay() -> None:
    """Arms are guessed at times: horizontal stripes must not be broken where none is."""
    photo, _, torso, arms, trunk = crossed(arm=None)
    rows = np.arange(SIZE[0]) // 12 % 2 == 0
    cloth = (photo == CLOTH).all(2) & rows[:, None]
    photo[cloth] = DARK
    chest = with_chest(photo, torso, arms, trunk)
    assert chest is not None
    assert (np.abs(chest.image.astype(int) - photo).max(2) > 8).mean() < 0.002
    assert chest.shown[135:140, 80:120].min() > 0.95


def test_cloth_comes_from_above_rather_than_from_below() -> None:
    photo, plain, torso, arms, trunk = crossed()
    for image in (photo, plain):
        lower = (image == CLOTH).all(2)
        lower[:160] = False
        image[lower] = TROUSERS
    chest = with_chest(photo, torso, arms, trunk)
    assert chest is not None
    middle = chest.image[125:142, 80:120].reshape(-1, 3).astype(float)
    assert (np.abs(middle - CLOTH).max(1) < 10).mean() > 0.95


def test_hanging_arms_hide_nothing() -> None:
    photo, _, torso, _, trunk = crossed(arm=None)
    torso[50:230, 55:145] = 1
    arms = np.zeros(SIZE, np.float32)
    arms[60:200, 40:58] = arms[60:200, 142:160] = 1
    torso[arms > 0] = 0
    assert with_chest(photo, torso, arms, trunk) is None


def test_nobody_is_covered_whose_trunk_is_hardly_seen() -> None:
    photo, _, torso, arms, trunk = crossed()
    assert with_chest(photo, torso * 0, np.ones_like(arms), trunk) is None
    torso[90:230] = 0
    arms[90:230, 55:145] = 1
    assert with_chest(photo, torso, arms, trunk) is None


@pytest.mark.parametrize("where", [(-500.0, -500.0), (100.0, 290.0), (0.0, 0.0)])
def test_trunks_may_lie_outside(where: tuple[float, float]) -> None:
    photo, _, torso, arms, _ = crossed()
    trunk = Trunk(np.array(where), np.array(where) + np.array([0.0, 160.0]))
    chest = with_chest(photo, torso, arms, trunk)
    assert chest is None or chest.image.shape == photo.shape


def test_colours_are_measured_from_the_nearest_of_a_palette() -> None:
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.normal(c, 0.5, (50, 3)) for c in (20, 50, 80)]).astype(np.float32)
    lab = np.array([[[20, 20, 20], [50, 50, 50], [35, 35, 35]]], np.float32)
    away = distance_to(lab, known)[0]
    assert away[0] < 2
    assert away[1] < 2
    assert 20 < away[2] < 28
    assert np.isinf(distance_to(lab, known[:2])).all()
    np.testing.assert_array_equal(distance_to(lab, known), distance_to(lab, known))


def test_pictures_without_pixels_have_no_colours_to_measure() -> None:
    assert distance_to(np.zeros((0, 5, 3), np.float32), np.zeros((9, 3), np.float32)).shape == (
        0,
        5,
    )
