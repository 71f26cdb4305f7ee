"""Poses as vectors: what must not matter does not, what must does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose import BODY27, Pose
from pose.convert import convert
from pose.presets import PRESETS
from pose.skeletons import COCO17, OPENPOSE18, OPENPOSE25
from vunet.gallery.joints import SURE, likeness, mirrored, pose_vector

ALL = np.stack([pose_vector(pose) for pose in PRESETS.values()])
names = st.sampled_from(sorted(PRESETS))
some_joints = st.sets(st.sampled_from(COCO17.keypoints), max_size=17)


def without(pose: Pose, lacking: set[str]) -> Pose:
    gone = np.array([name in lacking for name in pose.skeleton.keypoints])
    points = np.where(gone[:, None], np.nan, pose.keypoints)
    return replace(pose, keypoints=points, confidence=np.where(gone, 0, pose.confidence))


def turned(pose: Pose, joint: str, moved: tuple[str, ...], degrees: float) -> Pose:
    """The joints `moved` turned about another."""
    a = np.radians(degrees)
    rows = [pose.skeleton.index[name] for name in moved]
    points = pose.keypoints.copy()
    centre = pose.point(joint)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    points[rows] = centre + (points[rows] - centre) @ turn.T
    return replace(pose, keypoints=points)


def score(query: Pose, other: Pose) -> float:
    return float(likeness(pose_vector(query))(pose_vector(other)[None])[0])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_pose_is_most_like_itself(name: str):
    scores = likeness(pose_vector(PRESETS[name]))(ALL)
    assert scores.argmax() == list(PRESETS).index(name)
    assert scores.max() == pytest.approx(1, abs=1e-3)
    assert ((scores >= 0) & (scores <= 1)).all()


@given(names, st.floats(0.05, 20), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_place_and_size_do_not_matter(name: str, scale: float, x: float, y: float):
    pose = PRESETS[name]
    moved = pose.transformed(np.array([[scale, 0, x], [0, scale, y]]), None)
    np.testing.assert_allclose(pose_vector(moved), pose_vector(pose), atol=1e-4)


@given(names, names)
def test_likeness_of_whole_poses_is_mutual(a: str, b: str):
    assert score(PRESETS[a], PRESETS[b]) == pytest.approx(score(PRESETS[b], PRESETS[a]), abs=1e-4)


@given(names, some_joints)
def test_mirror_of_the_mirror_is_the_pose(name: str, lacking: set[str]):
    pose = without(PRESETS[name], lacking)
    np.testing.assert_allclose(pose_vector(mirrored(mirrored(pose))), pose_vector(pose), atol=1e-5)


@given(names)
def test_mirror_image_is_that_of_the_picture(name: str):
    pose = PRESETS[name]
    np.testing.assert_allclose(pose_vector(mirrored(pose)), pose_vector(pose.flipped()), atol=1e-5)


@pytest.mark.parametrize("skeleton", [COCO17, OPENPOSE18, OPENPOSE25])
def test_every_format_gives_the_same_vector(skeleton):
    for pose in PRESETS.values():
        other = pose_vector(convert(pose, skeleton))
        np.testing.assert_allclose(other, pose_vector(pose), atol=1e-5)


@given(names, some_joints)
def test_a_part_of_a_pose_is_as_like_as_the_whole(name: str, lacking: set[str]):
    """What the query lacks does not count: a part of a pose matches the whole perfectly, but for
    how long its limbs are held to be usually."""
    vector = pose_vector(PRESETS[name])
    part = pose_vector(without(PRESETS[name], lacking))
    limbs = (part.reshape(-1, 2) != 0).any(1)
    cut = np.where(np.repeat(limbs, 2), vector, 0)
    if limbs.any():
        assert likeness(cut)(vector[None])[0] == pytest.approx(1, abs=1e-3)


@given(names, st.sampled_from(["elbow", "wrist", "knee", "ankle"]))
def test_what_a_photo_lacks_costs(name: str, joint: str):
    """A photo that shows less is never more like than the whole of the same pose."""
    lacking = {f"left_{joint}", f"right_{joint}"}
    assert score(PRESETS[name], without(PRESETS[name], lacking)) < 0.95


@given(names, st.floats(5, 80), st.floats(5, 80))
def test_the_further_an_arm_is_turned_the_less_alike(name: str, a: float, b: float):
    less, more = sorted((a, b))
    pose = PRESETS[name]
    arm = ("left_elbow", "left_wrist")
    near, far = (score(pose, turned(pose, "left_shoulder", arm, d)) for d in (less, more))
    assert near >= far - 1e-3
    assert near < 1


def test_guessed_joints_count_as_missing():
    pose = PRESETS["arms_up"]
    row = pose.skeleton.index["left_wrist"]
    confidence = pose.confidence.copy()
    confidence[row] = SURE / 2
    guessed = pose_vector(replace(pose, confidence=confidence))
    np.testing.assert_array_equal(guessed, pose_vector(without(pose, {"left_wrist"})))


def test_poses_without_a_common_limb_are_told_apart():
    legs = {name for name in BODY27.keypoints if not name.endswith(("hip", "knee", "ankle"))}
    arms = {name for name in BODY27.keypoints if not name.endswith(("shoulder", "elbow", "wrist"))}
    pose = PRESETS["arms_up"]
    assert score(without(pose, legs), without(pose, arms)) == -1
    assert score(without(pose, legs), pose) > 0.9


def test_joints_in_one_place_are_no_missing_limb():
    points = np.full((27, 2), 5.0)
    vector = pose_vector(Pose(BODY27, points, np.ones(27)))
    assert (vector.reshape(-1, 2) != 0).any(1).all()
    assert np.isfinite(vector).all()
    assert (vector.astype(np.float16).reshape(-1, 2) != 0).any(1).all()


def test_no_joint_no_vector():
    empty = Pose(BODY27, np.full((27, 2), np.nan), np.zeros(27))
    assert not pose_vector(empty).any()
