"""Legs that stay two in strides."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

import vunet
from vunet import geometry as geo
from vunet import looks
from vunet.trousers import Legs, gap, legs_of, widest

SIZE = (256, 192)
SCALE = 80.0
EXAMPLES = Path(vunet.__file__).parents[1] / "apps" / "examples"
NOTHING = np.zeros(SIZE, np.float32)


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


@pytest.mark.parametrize("half", [12.0, 14.0, 20.0])
def test_legs_are_as_wide_as_they_are_drawn(half: float) -> None:
    x = joints(26)
    legs = legs_of(*limbs(x, half), NOTHING, NOTHING, x, SCALE)
    assert legs is not None
    assert legs.bare
    np.testing.assert_allclose(SCALE * legs.thigh, half, rtol=0.15)
    np.testing.assert_allclose(SCALE * legs.shin, half, rtol=0.15)


@pytest.mark.parametrize("hem", [120, 140, 158])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_who_wears_a_skirt_has_no_trousers(hem: int, share: float) -> None:
    """Whether its cloth is moved as a skirt or with the thighs."""
    x = joints(26)
    thighs, shins = limbs(x, 14)
    wears = np.zeros(SIZE, np.float32)
    wears[88:hem, 70:122] = 1
    legs = legs_of(thighs * (1 - share * wears), shins, share * wears, wears, x, SCALE)
    assert legs is not None
    assert not legs.bare
    assert not gap(legs, joints(40), SCALE, SIZE).any()


def test_legs_that_are_not_seen_are_not_measured() -> None:
    x = joints(26)
    nobody = np.zeros((2, *SIZE), np.float32)
    assert legs_of(nobody, nobody, NOTHING, NOTHING, x, SCALE) is None
    sitting = joints(26, thigh=20)
    assert legs_of(*limbs(sitting, 14), NOTHING, NOTHING, sitting, SCALE) is None
    thighs, shins = limbs(x, 14)  # as far as the photo shows them
    assert legs_of(thighs, 0 * shins, NOTHING, NOTHING, x, SCALE) is None


def test_half_hidden_legs_are_not_thin() -> None:
    x = joints(26)
    thighs, shins = limbs(x, 14)
    thighs[:, 105:130] = 0  # a bag before them
    legs = legs_of(thighs, shins, NOTHING, NOTHING, x, SCALE)
    assert legs is not None
    assert legs.thigh.min() >= 0.14


def test_of_several_photos_the_widest_legs_count() -> None:
    both = widest([dressed(0.15), dressed(0.3)])
    assert both.bare
    np.testing.assert_array_equal(both.thigh, dressed(0.3).thigh)
    assert not widest([dressed(), dressed(bare=False)]).bare


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


def test_the_gap_closes_gently_as_legs_come_forward() -> None:
    lengths = np.arange(68, 10, -0.5)
    rooms = [float(gap(dressed(), joints(30, n), SCALE, SIZE).sum()) for n in lengths]
    assert rooms[0] > 1500
    assert rooms[-1] == 0
    assert np.abs(np.diff(rooms)).max() < 0.1 * rooms[0]  # no step of half a pixel shuts it


def test_odd_legs_break_nothing() -> None:
    one_line = joints(40)
    one_line[[13, 15]] = one_line[11]
    for x in (np.full((geo.JOINTS, 2), 96.0), one_line, joints(40) + 10_000, joints(4000)):
        assert np.isfinite(gap(dressed(), x, SCALE, SIZE)).all()


def test_the_persons_trousers_part_when_they_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    from vunet import Engine

    engine = Engine.load("person")

    def between() -> int:
        result = engine.repose(EXAMPLES / "person_1.jpg", pose="walking_right")
        hips, knees = (
            np.mean([result.pose.point(f"{side}_{joint}") for side in ("left", "right")], axis=0)
            for joint in ("hip", "knee")
        )
        x, y = np.rint(0.1 * hips + 0.9 * knees).astype(int)
        return int(result.mask[y, x])

    assert between() < 50
    monkeypatch.setattr(looks, "_parted", lambda painted, *_: painted)
    assert between() > 150  # as the network leaves it


def test_lent_legs_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a photo that ends at the hips there is nothing to measure."""
    from vunet import Engine

    engine = Engine.load("person")

    def drawn() -> np.ndarray:
        return engine.repose(EXAMPLES / "person_3.jpg", pose="running_left").mask

    found = drawn()
    monkeypatch.setattr(looks, "_parted", lambda painted, *_: painted)
    np.testing.assert_array_equal(found, drawn())


@pytest.mark.parametrize(
    ("made", "thighs", "measured", "cut"),
    [
        ((), (1, 0), (True, False), True),
        ((), (0.9, 0.1), (False, True), False),  # a dress that nobody has measured
        ((), (0.96, 0.04), (True, False), True),  # who hardly wears them has no say
        ((10, 11, 12, 13), (1, 0), (True, True), False),
    ],
)
def test_legs_are_parted_where_all_of_them_are_known(
    monkeypatch: pytest.MonkeyPatch,
    made: tuple[int, ...],
    thighs: tuple[float, float],
    measured: tuple[bool, bool],
    cut: bool,
) -> None:
    views = [SimpleNamespace(made=frozenset(made), known=known) for known in measured]
    shares = torch.zeros(2, len(geo.PARTS))
    shares[:, [8, 9]] = torch.tensor(thighs, dtype=torch.float32)[:, None]
    asked = []
    monkeypatch.setattr(looks, "_legs_in", lambda view: dressed() if view.known else None)
    monkeypatch.setattr(looks, "gap", lambda *a: asked.append(a) or np.zeros((8, 8), np.float32))
    painted = SimpleNamespace(warped=object(), alpha_logits=torch.zeros(1, 1, 8, 8))
    target = torch.rand(1, geo.JOINTS, 3)
    assert looks._parted(painted, views, shares, target) is painted  # pyright: ignore[reportArgumentType]
    assert bool(asked) == cut
