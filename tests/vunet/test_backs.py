"""Backs made from fronts: cloth of the sides over the chest, hair over the face."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from pose import Pose
from vunet import geometry as geo
from vunet.backs import Face, Trunk, with_back, with_hair
from vunet.config import PRESETS
from vunet.framing import points_of
from vunet.looks import draw_subjects
from vunet.model import Reposer
from vunet.render import Subject, joints_in, source_window

SIZE = (300, 200)
JACKET, SHIRT, GROUND = (30, 40, 120), (235, 235, 230), (90, 160, 90)
TRUNK = Trunk(np.array([100.0, 60.0]), np.array([100.0, 220.0]))


def jacket_over_a_shirt(angle: float = 0.0) -> tuple[np.ndarray, np.ndarray, Trunk]:
    """A photo, where it shows the trunk, and the trunk, turned about the picture's middle."""
    image = np.full((*SIZE, 3), GROUND, np.uint8)
    torso = np.zeros(SIZE, np.float32)
    image[50:230, 50:150] = JACKET
    image[50:230, 80:120] = SHIRT
    torso[50:230, 50:150] = 1
    matrix = cv2.getRotationMatrix2D((100, 150), angle, 1)
    image = cv2.warpAffine(image, matrix, SIZE[::-1], borderValue=GROUND)
    torso = cv2.warpAffine(torso, matrix, SIZE[::-1])
    ends = (matrix @ np.append(end, 1) for end in (TRUNK.neck, TRUNK.hips))
    return image, torso, Trunk(*ends)


NO_ARMS = np.zeros(SIZE, np.float32)


@pytest.mark.parametrize("angle", [0, 25, -60, 170])
def test_open_jackets_are_closed_whatever_way_the_trunk_lies(angle: float) -> None:
    image, torso, trunk = jacket_over_a_shirt(angle)
    back = with_back(image, torso, NO_ARMS, trunk)
    assert back is not None
    inside = cv2.erode((torso > 0.9).astype(np.uint8), np.ones((9, 9))) > 0
    off = np.abs(back[inside].astype(float) - JACKET).max(1)
    assert (off < 12).mean() > 0.97
    assert (np.abs(image[inside].astype(float) - JACKET).max(1) < 12).mean() < 0.7
    np.testing.assert_array_equal(back[torso == 0], image[torso == 0])


def test_stripes_go_round() -> None:
    image, torso, trunk = jacket_over_a_shirt()
    striped = image.copy()
    rows = (np.arange(SIZE[0]) // 10 % 2 == 0)[:, None]
    striped[(torso > 0) & rows] = SHIRT
    striped[90:200, 92:108] = (200, 20, 20)  # a tie
    back = with_back(striped, torso, NO_ARMS, trunk)
    assert back is not None
    middle, side = back[80:210, 100].astype(float), striped[80:210, 60].astype(float)
    assert np.abs(middle - side).mean() < 6


def test_hands_before_a_chest_are_covered_by_the_cloth_round_them() -> None:
    image, torso, trunk = jacket_over_a_shirt()
    rows = (np.arange(SIZE[0]) // 10 % 2 == 0)[:, None]
    image[(torso > 0) & rows] = SHIRT
    hands = (220, 170, 140)
    arms = np.zeros_like(torso)
    arms[130:160, 40:160] = 1  # all across, and beyond
    image[arms > 0] = hands
    torso[arms > 0] = 0
    back = with_back(image, torso, arms, trunk)
    assert back is not None
    middle = back[130:160, 62:138]
    assert (np.abs(middle.astype(float) - hands).max(2) < 12).mean() < 0.02
    light = middle.mean((1, 2))
    assert np.ptp(light) > 0.6 * np.ptp(image[60:120, 100].mean(1))  # stripes, and no mean of them
    np.testing.assert_array_equal(back[:, :40], image[:, :40])  # not beside the trunk
    np.testing.assert_array_equal(back[:, 160:], image[:, 160:])


def test_long_coats_stay_as_they_are_below_a_trunk_with_hands_before_it() -> None:
    image, torso = np.full((600, 200, 3), GROUND, np.uint8), np.zeros((600, 200), np.float32)
    torso[50:560, 50:150] = 1
    rows = (np.arange(600) // 10 % 2 == 0)[:, None]
    image[(torso > 0) & rows], image[(torso > 0) & ~rows] = SHIRT, JACKET
    plain = with_back(image, torso, np.zeros_like(torso), TRUNK)
    arms = np.zeros_like(torso)
    arms[130:150, 50:150] = 1
    torso[arms > 0] = 0
    back = with_back(image, torso, arms, TRUNK)
    assert plain is not None
    assert back is not None
    np.testing.assert_allclose(back[320:540].astype(int), plain[320:540].astype(int), atol=3)


def test_crossed_arms_leave_no_back() -> None:
    image, torso, trunk = jacket_over_a_shirt()
    torso[100:170, 60:140] = 0  # by something that is no arm
    assert with_back(image, torso, NO_ARMS, trunk) is None
    arms = np.zeros_like(torso)
    arms[90:200, 50:150] = 1
    torso[arms > 0] = 0
    assert with_back(image, torso, arms, trunk) is None
    assert with_back(image, np.zeros_like(torso), NO_ARMS, trunk) is None


def head(hair_down_to: int) -> tuple[np.ndarray, np.ndarray, Face]:
    """Black hair round a pale face; below the hair the neck."""
    image = np.full((200, 200, 3), GROUND, np.uint8)
    where = np.zeros((200, 200), np.uint8)
    cv2.ellipse(image, (100, 80), (44, 56), 0, 0, 360, (25, 20, 20), -1)
    cv2.ellipse(where, (100, 80), (44, 56), 0, 0, 360, 1, -1)
    image[80:hair_down_to, 56:145] = (25, 20, 20)
    where[80:150, 56:145] = 1
    skin = (225, 180, 160)
    image[hair_down_to:150, 62:139] = skin
    cv2.ellipse(image, (100, 90), (30, 42), 0, 0, 360, skin, -1)
    for x in (88, 112):
        cv2.circle(image, (x, 80), 4, (60, 30, 20), -1)
    neck = np.array([100.0, 165.0])
    face = Face(np.array([100.0, 80.0]), np.array([100.0, 97.0]), neck, 30.0)
    return image, where.astype(np.float32), face


def test_long_hair_covers_the_face() -> None:
    image, where, face = head(hair_down_to=150)
    back = with_hair(image, where, where, face)
    assert back[55:125, 78:122].mean() < 60
    assert image[55:125, 78:122].mean() > 150
    np.testing.assert_array_equal(back[where == 0], image[where == 0])


def test_short_hair_ends_at_the_nape() -> None:
    image, where, face = head(hair_down_to=84)
    back = with_hair(image, where, where, face)
    assert back[60:100, 85:115].mean() < 80
    assert back[124:130, 90:110].mean() > 120


def test_long_hair_may_be_as_fair_as_skin() -> None:
    image, where, face = head(hair_down_to=150)
    dark = image.sum(2) < 200
    image[dark & (where > 0)] = (200, 190, 120)
    back = with_hair(image, where, where, face)
    nape = back[110:126, 90:110].astype(float)
    assert np.abs(nape - (200, 190, 120)).mean() < 12


def test_ground_within_a_mask_is_no_hair() -> None:
    image, where, face = head(hair_down_to=84)
    colour = (230, 110, 40)
    image[where == 0] = colour
    image[90:130, 128:145], where[90:130, 128:145] = colour, 1
    back = with_hair(image, where, where, face)
    painted = back[60:120, 80:120].reshape(-1, 3).astype(float)
    assert (np.abs(painted - colour).max(1) < 40).mean() < 0.02


def test_the_bald_stay_so() -> None:
    image, where, face = head(hair_down_to=84)
    image[where > 0] = (225, 180, 160)
    for x in (88, 112):
        cv2.circle(image, (x, 80), 4, (60, 30, 20), -1)
    back = with_hair(image, where, where, face)
    assert np.abs(back[where > 0].astype(float) - (225, 180, 160)).mean() < 12


def test_faces_at_the_border_and_tiny_ones_are_no_trouble() -> None:
    image, where, face = head(hair_down_to=150)
    for x, y, length in ((2.0, 3.0, 80.0), (199.0, 199.0, 80.0), (100.0, 80.0, 0.0)):
        moved = dataclasses.replace(face, eyes=np.array([x, y]), neck=np.array([x, y + length]))
        assert with_hair(image, where, where, moved).shape == image.shape


# -- in the whole path -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> Reposer:
    torch.manual_seed(0)
    return Reposer(dataclasses.replace(PRESETS["tiny"].model, size=(256, 192))).eval()


def test_who_turns_round_shows_the_sides_cloth_and_is_told_as_made_up(
    model: Reposer,
    make_person: Callable[..., Pose],
    draw_person: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    pose = make_person(None, size=(256, 192))
    _, mask, _ = draw_person(pose)
    image = np.full((256, 192, 3), JACKET, np.uint8)
    at = {name: pose.point(name) for name in pose.skeleton.keypoints}
    left, right = at["right_shoulder"][0], at["left_shoulder"][0]
    top, bottom = int(at["left_shoulder"][1]), int(at["left_hip"][1])
    third = (right - left) / 3
    image[top:bottom, int(left + third) : int(right - third)] = (220, 30, 30)
    subject = Subject(image, mask.astype(np.float32) / 255, pose)
    behind = pose.about_faced()
    x, y = (int(v) for v in (at["left_shoulder"] + at["right_hip"]) / 2)

    def redness(where: Pose) -> tuple[float, float]:
        layer = draw_subjects(model, [subject], where, (256, 192))
        chest = layer.colour[y - 4 : y + 5, x - 4 : x + 5].mean((0, 1))
        return float(chest[0] - chest[2]), float(
            layer.invented[y - 4 : y + 5, x - 4 : x + 5].mean()
        )

    front, invented_front = redness(pose)
    back, invented_back = redness(behind)
    assert front > 60
    assert back < 0
    assert invented_front < 0.4
    assert invented_back > invented_front + 0.15
    window = source_window(subject, (256, 192))
    joints = [joints_in(window, points_of(p, (256, 192))) for p in (pose, behind)]
    assert float(geo.turned_round(joints[1], joints[0])[0, geo.TORSO]) == 1


def test_about_face_twice_is_nothing(make_person: Callable[..., Pose]) -> None:
    pose = make_person(4)
    assert pose.about_faced() != pose
    assert pose.about_faced().about_faced() == pose
    np.testing.assert_array_equal(pose.about_faced().point("left_knee"), pose.point("right_knee"))
