"""Cloth that goes on round a trunk's side."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vunet import geometry as geo
from vunet.sides import gone_on, turn_of

SIZE = (256, 192)
TURN = 0.9
"""From the front to the side."""


def joints(angle_deg: float = 0.0) -> np.ndarray:
    """(21, 2) a trunk 100 pixels long, turned about its middle."""
    x = np.full((geo.JOINTS, 2), (96.0, 128.0))
    x[[5, 6]], x[[11, 12]] = (96, 78), (96, 178)
    a = np.radians(angle_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return (x - (96, 128)) @ turn.T + (96, 128)


def turned(picture: np.ndarray, angle_deg: float) -> np.ndarray:
    m = cv2.getRotationMatrix2D((95.5, 127.5), -angle_deg, 1)
    return cv2.warpAffine(picture, m, SIZE[::-1])


def half_seen(upto: int = 90, angle_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """What is seen, and the trunk: columns 66 to 126, of which those up to one are seen."""
    seen, trunk = np.zeros((2, *SIZE), np.float32)
    trunk[78:178, 66:126] = 1
    seen[78:178, 66:upto] = 1
    return turned(seen, angle_deg), turned(trunk, angle_deg)


def laid(picture: np.ndarray, found: np.ndarray) -> np.ndarray:
    y, x = np.indices(SIZE, np.float32)
    return cv2.remap(picture, x + found[..., 0], y + found[..., 1], cv2.INTER_LINEAR)


@pytest.mark.parametrize("angle_deg", [0, 30, 120, -90])
def test_stripes_go_on_to_the_other_side(angle_deg: float) -> None:
    stripes = np.zeros(SIZE, np.float32)
    stripes[(np.arange(SIZE[0]) // 5) % 2 == 0] = 1
    stripes = turned(stripes, angle_deg)
    seen, trunk = half_seen(angle_deg=angle_deg)
    found = gone_on(seen, trunk, joints(angle_deg), TURN)
    assert found is not None
    there = np.zeros(SIZE, np.float32)
    there[88:150, 92:122] = 1
    inside = turned(there, angle_deg) > 0.99
    assert found[..., 2][inside].min() > 0.95
    off = np.abs(laid(stripes, found) - stripes)[inside]
    assert off.mean() < 0.06
    # and all of it is taken from what is seen
    assert (laid(seen, found)[inside] > 0.9).mean() > 0.98


def test_it_begins_without_a_seam() -> None:
    found = gone_on(*half_seen(), joints(), TURN)
    assert found is not None
    moves = found[120, 89:120, 0]
    assert np.abs(moves[0]) < 3
    assert np.abs(np.diff(moves)).max() < 2.5
    assert np.abs(found[88:150, 92:122, 1]).max() < 0.2


def test_what_is_seen_stays() -> None:
    seen, trunk = half_seen()
    found = gone_on(seen, trunk, joints(), TURN)
    assert found is not None
    assert found[..., 2][seen > 0.95].max() < 0.01
    assert found[..., 2][trunk < 0.01].max() == 0


def test_hems_askew_are_left_to_the_network() -> None:
    found = gone_on(*half_seen(), joints(), TURN)
    assert found is not None
    assert found[176:178, 92:122, 2].max() < 0.05


@pytest.mark.parametrize("upto", [66, 68, 126])
def test_nothing_goes_on_where_nothing_or_all_is_seen(upto: int) -> None:
    assert gone_on(*half_seen(upto), joints(), TURN) is None


def test_a_row_that_shows_nothing_follows_its_neighbours() -> None:
    seen, trunk = half_seen()
    seen[110:116] = 0
    found = gone_on(seen, trunk, joints(), TURN)
    assert found is not None
    np.testing.assert_allclose(found[112, 95:120, 0], found[105, 95:120, 0], atol=1.5)


@pytest.mark.parametrize("points", ["same", "off"])
def test_odd_trunks_break_nothing(points: str) -> None:
    x = joints() if points == "off" else np.full((geo.JOINTS, 2), 96.0)
    found = gone_on(*half_seen(), x + (5000 if points == "off" else 0), TURN)
    assert found is None or np.isfinite(found).all()


def test_who_has_hardly_turned_keeps_what_was_painted() -> None:
    assert gone_on(*half_seen(), joints(), 0.2) is None
    shares = [gone_on(*half_seen(), joints(), turn) for turn in (0.22, 0.28, 0.4)]
    most = [share[..., 2].max() for share in shares if share is not None]
    assert most == sorted(most)
    assert most[0] < 0.2
    assert most[-1] > 0.95


def body(yaw_deg: float, angle_deg: float = 0.0) -> np.ndarray:
    """(21, 3) somebody who has turned by a yaw, lying at an angle."""
    x = np.zeros((geo.JOINTS, 3))
    x[:, :2], x[:, 2] = joints(), 1
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    for left, half in ((5, 36), (11, 25), (3, 12)):
        x[left, 0], x[left + 1, 0] = 96 + half * c, 96 - half * c
    x[[3, 4], 1], x[0], x[[15, 16], 1] = 50, (96 + 15 * s, 52, 1), 200
    a = np.radians(angle_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    x[:, :2] = (x[:, :2] - (96, 128)) @ turn.T + (96, 128)
    return x


def looking(x: np.ndarray, far: float) -> np.ndarray:
    """Somebody whose nose lies so many pixels to the left of the ears' middle."""
    down = x[11:13, :2].mean(0) - x[5:7, :2].mean(0)
    left = np.array([-down[1], down[0]]) / np.linalg.norm(down)
    x[0, :2] = x[3:5, :2].mean(0) + 0.2 * far * left
    return x


def test_a_trunk_that_points_at_the_camera_has_the_pictures_axis() -> None:
    for across in (-12, 0, 12):
        bowing = body(0)
        bowing[11:13, 1] += 46 - 118  # hips at the shoulders' height
        bowing[11:13, 0] += across
        bowing[11:13, 1] += 8
        assert turn_of(body(0), bowing) < 0.2
        assert not geo.nearer_arms(torch.from_numpy(bowing)[None]).any()


@pytest.mark.parametrize("angle_deg", [0, 30, 150, 180, 210, 330])
def test_who_stands_on_their_hands_has_not_turned_round(angle_deg: float) -> None:
    def turned(x: np.ndarray, y: np.ndarray) -> float:
        both = (torch.from_numpy(each)[None] for each in (y, x))
        return float(geo.turned_round(*both)[0, geo.TORSO])

    assert turned(body(0), body(0, angle_deg)) == 0
    assert turned(body(0), body(180, angle_deg)) > 0.9
    assert turned(body(0, angle_deg), body(180)) > 0.9
    bent = body(0, 160)
    bent[15:17, :2] = bent[11:13, :2] + (0, 90)  # feet on the ground
    bent[[5, 6, 3, 4], 0] = bent[[6, 5, 4, 3], 0]
    assert turned(body(0), bent) == 0


@pytest.mark.parametrize("angle_deg", [0, 90, 200])
def test_a_turn_is_one_of_the_trunk_and_not_of_the_picture(angle_deg: float) -> None:
    front = body(0)
    assert turn_of(front, body(0, angle_deg)) < 0.05
    assert turn_of(front, body(20, angle_deg)) < 0.1
    assert turn_of(front, body(90, angle_deg)) > 0.6
    assert turn_of(front, body(180, angle_deg)) > 1.2
    assert turn_of(body(-80), body(80, angle_deg)) > 0.6
    assert turn_of(body(55), looking(body(55, angle_deg), 55)) < 0.2  # the head alone
    turns = [turn_of(body(-80), looking(body(-60), far)) for far in np.linspace(-60, 60, 61)]
    assert np.abs(np.diff(turns)).max() < 0.3
    assert turn_of(body(-80), body(-80, angle_deg)) < 0.05


@pytest.mark.parametrize("angle_deg", [0, 90, 200])
def test_who_looks_aside_shows_one_arm_before_the_trunk(angle_deg: float) -> None:
    def order(yaw_deg: float) -> np.ndarray:
        return geo.nearer_arms(torch.from_numpy(body(yaw_deg, angle_deg))[None])[0].numpy()

    for yaw_deg in (0, 30, -30, 150, 180):
        assert not order(yaw_deg).any()
    left, right = list(geo.ARMS[::2]), list(geo.ARMS[1::2])
    assert [geo.PARTS[p][:5] for p in (*left, *right)] == 3 * ["left_"] + 3 * ["right"]
    for yaw_deg in (75, 90, 105):  # looking to where the left hand is from the front
        assert order(yaw_deg)[right].min() > 0.9
        np.testing.assert_array_equal(order(yaw_deg)[left], -order(yaw_deg)[right])
        np.testing.assert_allclose(order(-yaw_deg)[left], order(yaw_deg)[right], atol=1e-5)
        others = [p for p in range(len(geo.PARTS)) if p not in geo.ARMS]
        assert not order(yaw_deg)[others].any()
