"""The preset poses: complete, in the frame, on one ground, and each what its name says."""

import json
from pathlib import Path

import numpy as np
import pytest

import pose.presets
from pose import BODY27, Pose
from pose.presets import GROUND_Y, PRESET_SIZE, PRESETS, preset

IN_THE_AIR = {"jumping", "star_jump"}
FEET = [i for i, name in enumerate(BODY27.keypoints) if name.endswith(("heel", "foot_index"))]


def at(name: str, keypoint: str) -> np.ndarray:
    return PRESETS[name].point(keypoint)


def seen(name: str, keypoint: str) -> bool:
    return PRESETS[name].confidence[BODY27.index[keypoint]] == 1


def middle(name: str, joint: str) -> np.ndarray:
    return (at(name, f"left_{joint}") + at(name, f"right_{joint}")) / 2


def trunk(name: str) -> float:
    return float(np.linalg.norm(middle(name, "shoulder") - middle(name, "hip")))


def bend(name: str, a: str, b: str, c: str) -> float:
    """Angle in degrees at joint b; 180 is straight."""
    u, v = at(name, a) - at(name, b), at(name, c) - at(name, b)
    return float(np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))))


def test_there_are_enough_and_names_are_plain() -> None:
    assert len(PRESETS) >= 24
    assert all(name.isascii() and name.islower() and " " not in name for name in PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_complete_and_inside_the_frame(name: str) -> None:
    pose_ = PRESETS[name]
    height, width = PRESET_SIZE
    assert pose_.skeleton is BODY27
    assert pose_.size == PRESET_SIZE
    assert pose_.present.all()
    assert set(pose_.confidence) <= {0.5, 1.0}
    np.testing.assert_array_equal(pose_.keypoints, pose_.keypoints.round(1))
    x0, y0, x1, y1 = pose_.box()
    # The skin goes beyond the keypoints: the crown above the eyes, the fingertips, the soles.
    assert x0 >= 24
    assert x1 <= width - 24
    assert y0 >= 48
    assert y1 <= height - 24
    assert abs((x0 + x1) / 2 - width / 2) < 20


@pytest.mark.parametrize("name", PRESETS)
def test_ground(name: str) -> None:
    lowest = PRESETS[name].keypoints[:, 1]
    assert lowest.argmax() in FEET
    if name in IN_THE_AIR:
        assert lowest.max() < GROUND_Y - 60
    else:
        assert lowest.max() == pytest.approx(GROUND_Y, abs=0.5)


@pytest.mark.parametrize("name", PRESETS)
def test_limbs_are_those_of_one_figure(name: str) -> None:
    """Foreshortening makes limbs shorter, never much longer: no keypoint is a slip."""
    reference = PRESETS["t_pose"]
    for a, b in BODY27.limbs:
        real = np.linalg.norm(reference.keypoints[a] - reference.keypoints[b])
        here = np.linalg.norm(PRESETS[name].keypoints[a] - PRESETS[name].keypoints[b])
        if "elbow" in BODY27.keypoints[b] or "knee" in BODY27.keypoints[b]:
            assert here < 1.3 * real
    assert trunk(name) < 1.15 * trunk("t_pose")


def test_no_two_are_the_same() -> None:
    poses = np.stack([p.keypoints for p in PRESETS.values()])
    apart = np.abs(poses[:, None] - poses[None]).max(axis=(2, 3))
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 30


def test_left_and_right_are_the_persons_own() -> None:
    for name in ("standing", "t_pose", "a_pose", "hands_on_hips", "arms_up", "star_jump"):
        for joint in ("shoulder", "hip", "elbow", "knee", "ankle"):
            assert at(name, f"left_{joint}")[0] > at(name, f"right_{joint}")[0], (name, joint)
    for joint in ("shoulder", "hip", "elbow", "knee"):
        assert at("back_view", f"left_{joint}")[0] < at("back_view", f"right_{joint}")[0]
    assert not seen("back_view", "nose")
    assert seen("standing", "nose")


@pytest.mark.parametrize("stem", ["side_view", "three_quarter", "walking", "running"])
def test_sides_face_their_way(stem: str) -> None:
    for side, other, sign in (("left", "right", -1), ("right", "left", 1)):
        name = f"{stem}_{side}"
        ears = (at(name, "left_ear") + at(name, "right_ear")) / 2
        assert sign * (at(name, "nose") - ears)[0] > 0
        assert seen(name, f"{side}_ear")
        assert not seen(name, f"{other}_ear")


def test_arms_are_where_the_names_say() -> None:
    for side in ("left", "right"):
        for name in ("arms_up", "yoga_tree", "ballet", "jumping", "star_jump"):
            assert at(name, f"{side}_wrist")[1] < at(name, "nose")[1], name
        for name in ("t_pose", "yoga_warrior"):
            across = at(name, f"{side}_wrist") - at(name, f"{side}_shoulder")
            assert abs(across[1]) < 0.15 * abs(across[0]), name
        hand_to_hip = at("hands_on_hips", f"{side}_wrist") - at("hands_on_hips", f"{side}_hip")
        assert np.linalg.norm(hand_to_hip) < 0.6 * trunk("hands_on_hips")
        assert bend("hands_on_hips", f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist") < 130
        behind = at("hands_behind_head", f"{side}_wrist") - at("hands_behind_head", f"{side}_ear")
        assert np.linalg.norm(behind) < 0.3 * trunk("hands_behind_head")
    assert at("arms_crossed", "left_wrist")[0] < at("arms_crossed", "right_wrist")[0]
    for name in ("waving", "one_arm_raised"):
        assert at(name, "right_wrist")[1] < at(name, "right_shoulder")[1]
        assert at(name, "left_wrist")[1] > at(name, "left_elbow")[1]
    pointing = bend("pointing", "left_shoulder", "left_elbow", "left_wrist")
    assert pointing > 165
    chin = at("thinking", "right_index") - at("thinking", "nose")
    assert np.linalg.norm(chin) < 0.3 * trunk("thinking")


def test_legs_are_where_the_names_say() -> None:
    standing = GROUND_Y - middle("standing", "hip")[1]
    for name in ("sitting", "sitting_legs_crossed", "crouching", "kneeling"):
        assert GROUND_Y - middle(name, "hip")[1] < 0.75 * standing, name
    assert bend("kneeling", "right_hip", "right_knee", "right_ankle") < 120
    assert bend("lunge", "left_hip", "left_knee", "left_ankle") < 135
    assert bend("yoga_tree", "left_hip", "left_knee", "left_ankle") < 90
    assert bend("yoga_tree", "right_hip", "right_knee", "right_ankle") > 170
    arabesque = at("ballet_arabesque", "left_ankle") - at("ballet_arabesque", "left_hip")
    assert arabesque[0] > 2 * abs(arabesque[1])
    assert at("kicking", "right_ankle")[1] < at("kicking", "left_knee")[1]
    for name in ("walking_left", "walking_right", "running_left", "running_right"):
        stride = abs(at(name, "left_ankle") - at(name, "right_ankle"))[0]
        assert stride > 0.7 * trunk(name), name


@pytest.mark.parametrize("name", ["t_pose", "T-Pose", " t pose ", "T_POSE"])
def test_names_are_read_kindly(name: str) -> None:
    assert preset(name) is PRESETS["t_pose"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("standign", "standing"), ("tpose", "t_pose"), ("hands-on-hip", "hands_on_hips"),
     ("dance", "dance_1"), ("warrior", "yoga_warrior")],
)  # fmt: skip
def test_an_unknown_name_is_refused_with_near_ones(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"no preset pose '{name}'; did you mean .*{near}"):
        preset(name)


@pytest.mark.parametrize("name", ["", "zzzzqq", "x" * 10_000, "\0", "姿勢", "../../etc/passwd"])
def test_a_strange_name_is_refused_in_one_short_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="no preset pose") as caught:
        preset(name)
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["standing"] = PRESETS["t_pose"]  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        preset("standing").keypoints[0, 0] = 1.0


def test_the_file_holds_nothing_else() -> None:
    path = Path(pose.presets.__file__).with_name(pose.presets.PRESETS_FILE)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == list(PRESETS)
    assert isinstance(PRESETS["standing"], Pose)
    assert path.stat().st_size < 100_000
