import numpy as np
import pytest

from pose import BODY27, COCO17, MEDIAPIPE33, OPENPOSE18, OPENPOSE25, SKELETONS, VUNET15, Pose
from pose.convert import convert

ALL = list(SKELETONS.values())


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
def test_same_skeleton_is_the_same_pose(make_body, skeleton):
    pose = convert(make_body(0), skeleton)
    assert convert(pose, skeleton) is pose


@pytest.mark.parametrize("target", ALL, ids=lambda s: s.name)
@pytest.mark.parametrize("source", ALL, ids=lambda s: s.name)
def test_names_keep_their_places(make_body, source, target):
    pose = convert(make_body(1), source)
    moved = convert(pose, target)
    assert moved.size == pose.size
    for name in set(source.keypoints) & set(target.keypoints):
        np.testing.assert_array_equal(moved.point(name), pose.point(name))


def test_neck_and_mid_hip_are_middles_with_the_lesser_confidence(make_body):
    pose = make_body(2)
    moved = convert(pose, OPENPOSE25)
    for name, joint in (("neck", "shoulder"), ("mid_hip", "hip")):
        ends = [BODY27.index[f"{side}_{joint}"] for side in ("left", "right")]
        np.testing.assert_allclose(moved.point(name), pose.keypoints[ends].mean(axis=0))
        assert moved.confidence[OPENPOSE25.index[name]] == pose.confidence[ends].min()
    assert np.isnan(moved.point("left_small_toe")).all()
    assert moved.confidence[OPENPOSE25.index["left_small_toe"]] == 0


def test_a_middle_with_one_end_is_missing(make_body):
    pose = make_body(3)
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    keypoints[BODY27.index["left_hip"]], confidence[BODY27.index["left_hip"]] = np.nan, 0
    moved = convert(Pose(BODY27, keypoints, confidence), OPENPOSE25)
    assert np.isnan(moved.point("mid_hip")).all()
    assert not np.isnan(moved.point("neck")).any()


@pytest.mark.parametrize("skeleton", [COCO17, VUNET15, MEDIAPIPE33], ids=lambda s: s.name)
def test_there_and_back(make_body, skeleton):
    pose = convert(make_body(4), skeleton)
    for through in (s for s in ALL if set(skeleton.keypoints) <= set(s.keypoints)):
        assert convert(convert(pose, through), skeleton) == pose


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
def test_flip_twice_is_nothing_and_flip_commutes_with_converting(make_body, skeleton):
    body = make_body(5)
    pose = convert(body, skeleton)
    np.testing.assert_allclose(pose.flipped().flipped().keypoints, pose.keypoints, atol=1e-9)
    np.testing.assert_allclose(
        convert(body.flipped(), skeleton).keypoints, pose.flipped().keypoints, atol=1e-9
    )


def test_flip_gives_the_left_hand_to_the_right(make_body):
    pose = make_body(6, size=(100, 200))
    left, right = pose.point("left_wrist"), pose.flipped().point("right_wrist")
    np.testing.assert_allclose(right, [200 - left[0], left[1]])


def test_mediapipe_table_is_mediapipes_own():
    landmark = pytest.importorskip("mediapipe.python.solutions.pose").PoseLandmark
    assert [point.name.lower() for point in landmark] == list(MEDIAPIPE33.keypoints)
    assert [point.value for point in landmark] == list(range(33))


def test_openpose_order_spot_checks():
    assert [OPENPOSE18.index[n] for n in ("nose", "neck", "right_wrist", "left_ear")] == [
        *(0, 1, 4, 17)
    ]
    assert [OPENPOSE25.index[n] for n in ("mid_hip", "left_foot_index", "right_heel")] == [
        *(8, 19, 24)
    ]
