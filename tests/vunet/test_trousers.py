"""Legs that stay two in strides."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import vunet
from vunet import geometry as geo
from vunet import looks
from vunet.trousers import Legs, gap, legs_of

SIZE = (256, 192)
SCALE = 80.0
PERSON = Path(vunet.__file__).parents[1] / "apps" / "examples" / "person_1.jpg"


def joints(apart: float, thigh: float = 68.0) -> np.ndarray:
    """(21, 2) legs whose knees and ankles are so far from the middle, and farther."""
    x = np.full((geo.JOINTS, 2), (96.0, 60.0))
    x[[11, 12]] = (106, 90), (86, 90)
    x[[13, 14]] = (96 + apart, 90 + thigh), (96 - apart, 90 + thigh)
    x[[15, 16]] = (96 + 1.6 * apart, 150 + thigh), (96 - 1.6 * apart, 150 + thigh)
    return x


def limbs(x: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray]:
    """(2, H, W) each: thighs and shins of one half width."""
    drawn = []
    for first, second in ((11, 13), (12, 14), (13, 15), (14, 16)):
        picture = np.zeros(SIZE, np.uint8)
        a, b = (tuple(int(v) for v in np.rint(16 * (x[j] - 0.5))) for j in (first, second))
        cv2.line(picture, a, b, 1, round(2 * half), cv2.LINE_8, 4)
        drawn.append(picture.astype(np.float32))
    return np.stack(drawn[:2]), np.stack(drawn[2:])


def dressed(half: float = 0.16, *, bare: bool = True) -> Legs:
    return Legs(bare, np.full(6, half), np.full(6, half))


@pytest.mark.parametrize("half", [10.0, 14.0, 20.0])
def test_legs_are_as_wide_as_they_are_drawn(half: float) -> None:
    x = joints(26)
    legs = legs_of(*limbs(x, half), np.zeros(SIZE, np.float32), x, SCALE)
    assert legs is not None
    assert legs.bare
    np.testing.assert_allclose(SCALE * legs.thigh, half, rtol=0.15)
    np.testing.assert_allclose(SCALE * legs.shin, half, rtol=0.15)


def test_who_wears_hanging_cloth_has_no_trousers() -> None:
    x = joints(26)
    thighs, shins = limbs(x, 14)
    hanging = np.zeros(SIZE, np.float32)
    hanging[:140] = 1  # a skirt over two thirds of the thighs
    legs = legs_of(thighs, shins, hanging, x, SCALE)
    assert legs is not None
    assert not legs.bare
    assert not gap(legs, joints(40), SCALE, SIZE).any()


def test_legs_that_are_not_seen_are_not_measured() -> None:
    x = joints(26)
    nothing = np.zeros((2, *SIZE), np.float32)
    assert legs_of(nothing, nothing, nothing[0], x, SCALE) is None
    sitting = joints(26, thigh=20)
    assert legs_of(*limbs(sitting, 14), nothing[0], sitting, SCALE) is None


def test_between_parted_legs_is_nobody() -> None:
    x = joints(40)
    empty = gap(dressed(), x, SCALE, SIZE)
    assert empty.shape == SIZE
    assert empty[150:200, 94:98].min() > 0.99
    thighs, shins = limbs(x, 0.16 * SCALE)
    assert empty[(thighs.sum(0) + shins.sum(0)) > 0].max() < 0.05
    beside = np.ones(SIZE, bool)
    beside[90:, 30:162] = False
    assert empty[beside].max() == 0
    np.testing.assert_allclose(empty[:, :96], empty[:, :95:-1], atol=0.3)
    assert np.abs(empty[:, :96] - empty[:, :95:-1]).mean() < 0.01


def test_wider_trousers_leave_less_room() -> None:
    rooms = [float(gap(dressed(half), joints(40), SCALE, SIZE).sum()) for half in (0.1, 0.2, 0.3)]
    assert rooms[0] > rooms[1] > rooms[2]


@pytest.mark.parametrize("pose", [joints(8), joints(40, thigh=15)], ids=["together", "sitting"])
def test_legs_that_are_together_or_come_forward_are_left_alone(pose: np.ndarray) -> None:
    assert gap(dressed(), pose, SCALE, SIZE).max() < 0.01


@pytest.mark.parametrize("far", [0, 10_000])
def test_odd_legs_break_nothing(far: int) -> None:
    for x in (np.full((geo.JOINTS, 2), 96.0), joints(40)):
        assert np.isfinite(gap(dressed(), x + far, SCALE, SIZE)).all()


def test_the_persons_trousers_part_when_they_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    from vunet import Engine

    engine = Engine.load("person")

    def between() -> int:
        result = engine.repose(PERSON, pose="walking_right")
        hips, knees = (
            np.mean([result.pose.point(f"{side}_{joint}") for side in ("left", "right")], axis=0)
            for joint in ("hip", "knee")
        )
        x, y = np.rint(0.1 * hips + 0.9 * knees).astype(int)
        return int(result.mask[y, x])

    assert between() < 50
    monkeypatch.setattr(looks, "_parted", lambda painted, *_: painted)
    assert between() > 150  # as the network leaves it
