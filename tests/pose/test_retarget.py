import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose import BODY27, COCO17, OPENPOSE18, OPENPOSE25, Pose
from pose.convert import convert
from pose.retarget import body_scale, retarget

seeds = st.integers(0, 2**31)
LIMBS = {
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}


def _with(pose, **points):
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    for name, point in points.items():
        keypoints[pose.skeleton.index[name]] = point
        if np.isnan(point).any():
            confidence[pose.skeleton.index[name]] = 0
    return Pose(pose.skeleton, keypoints, confidence, pose.size)


def _drop(pose, names):
    return _with(pose, **dict.fromkeys(names, np.full(2, np.nan)))


def _standing(leg=0.82, arm=0.5, trunk=1.0):
    """A person from the front, arms and legs straight down, sizes in hundreds of pixels."""
    at = {
        "nose": (0, -0.4),
        "left_eye": (0.06, -0.46),
        "right_eye": (-0.06, -0.46),
        "left_ear": (0.16, -0.44),
        "right_ear": (-0.16, -0.44),
    }
    for side, sign in (("left", 1), ("right", -1)):
        x, hip = sign * 0.34, sign * 0.19
        at |= {
            f"{side}_shoulder": (x, 0),
            f"{side}_elbow": (x, arm),
            f"{side}_wrist": (x, 2 * arm),
            f"{side}_pinky": (x, 2 * arm + 0.17),
            f"{side}_index": (x, 2 * arm + 0.19),
            f"{side}_thumb": (x, 2 * arm + 0.1),
            f"{side}_hip": (hip, trunk),
            f"{side}_knee": (hip, trunk + leg),
            f"{side}_ankle": (hip, trunk + 2 * leg),
            f"{side}_heel": (hip, trunk + 2 * leg + 0.08),
            f"{side}_foot_index": (hip, trunk + 2 * leg + 0.2),
        }
    points = np.array([at[name] for name in BODY27.keypoints]) * 100 + [200, 100]
    return Pose(BODY27, points, np.ones(27), (500, 400))


def _length(pose, limb, side="left"):
    a, b = LIMBS[limb]
    return np.hypot(*(pose.point(f"{side}_{a}") - pose.point(f"{side}_{b}")))


def test_body_scale_is_the_mean_of_the_three_largest():
    pose = _standing(leg=0.85, arm=0.5, trunk=1.1)
    assert body_scale(pose) == pytest.approx((110 + 100 + 100) / 3)


def test_body_scale_leaves_out_doubtful_keypoints():
    pose = _standing()
    far = _with(pose, left_ankle=(200, 5000))
    doubt = far.confidence.copy()
    doubt[BODY27.index["left_ankle"]] = 0.1
    assert body_scale(Pose(BODY27, far.keypoints, doubt)) == pytest.approx(
        body_scale(pose), rel=0.02
    )
    # Nothing but doubtful keypoints is better than nothing.
    assert body_scale(Pose(BODY27, pose.keypoints, np.full(27, 0.1))) == pytest.approx(
        body_scale(pose)
    )


def test_body_scale_hardly_changes_as_the_body_turns(make_body):
    scales = [
        body_scale(make_body(seed, (1000, 1000))) / body_scale(make_body(seed, (1000, 1000), 0.01))
        for seed in range(40)
    ]
    assert min(scales) > 0.8
    assert max(scales) < 1.25


def test_too_little_to_measure_is_said():
    pose = _drop(_standing(), [n for n in BODY27.keypoints if n not in ("nose", "left_wrist")])
    with pytest.raises(ValueError, match="too incomplete"):
        body_scale(pose)


@given(seed=seeds)
@settings(max_examples=50, deadline=None)
def test_to_ones_own_proportions_nothing_changes(make_body, seed):
    pose = make_body(seed)
    np.testing.assert_allclose(retarget(pose, pose).keypoints, pose.keypoints, atol=1e-6)


@given(seed=seeds, missing=st.sets(st.sampled_from(BODY27.keypoints), max_size=20))
@settings(max_examples=80, deadline=None)
def test_any_missing_joint_is_borne(make_body, seed, missing):
    pose = _drop(make_body(seed), missing)
    subject = make_body(seed + 1)
    try:
        scale = body_scale(pose)
    except ValueError:
        return
    moved = retarget(pose, subject)
    np.testing.assert_array_equal(moved.present, pose.present)
    np.testing.assert_array_equal(moved.confidence, pose.confidence)
    assert body_scale(moved) == pytest.approx(scale)
    np.testing.assert_allclose(retarget(pose, pose).keypoints, pose.keypoints, atol=1e-6)
    assert np.isfinite(retarget(subject, pose).keypoints).all()


@given(seed=seeds, zoom=st.floats(0.1, 10), shift=st.tuples(*[st.floats(-500, 500)] * 2))
@settings(max_examples=50, deadline=None)
def test_equivariant(make_body, seed, zoom, shift):
    pose, subject = make_body(seed), make_body(seed + 1)
    moved = retarget(pose, subject)
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    np.testing.assert_allclose(
        retarget(pose.transformed(matrix, None), subject).keypoints,
        moved.transformed(matrix, None).keypoints,
        atol=1e-6,
    )
    # Where the subject stands, and how large, does not matter.
    np.testing.assert_allclose(
        retarget(pose, subject.transformed(matrix, None)).keypoints, moved.keypoints, atol=1e-6
    )
    np.testing.assert_allclose(
        retarget(pose.flipped(), subject).keypoints, moved.flipped().keypoints, atol=1e-6
    )
    np.testing.assert_allclose(
        retarget(pose, subject.flipped()).keypoints, moved.keypoints, atol=1e-6
    )


@pytest.mark.parametrize("skeleton", [BODY27, COCO17, OPENPOSE18, OPENPOSE25], ids=lambda s: s.name)
def test_limbs_take_the_subjects_lengths(skeleton):
    pose, subject = convert(_standing(), skeleton), _standing(leg=0.95, arm=0.45)
    moved = retarget(pose, subject)
    for limb in LIMBS:
        wanted = _length(subject, limb) / body_scale(subject)
        assert _length(moved, limb) / body_scale(moved) == pytest.approx(wanted, rel=0.03), limb


def test_directions_anchor_and_scale_stay(make_body):
    pose, subject = make_body(7), _standing(leg=0.9, arm=0.42)
    moved = retarget(pose, subject)
    assert body_scale(moved) == pytest.approx(body_scale(pose))
    for side in ("left", "right"):
        for a, b in LIMBS.values():
            old = pose.point(f"{side}_{b}") - pose.point(f"{side}_{a}")
            new = moved.point(f"{side}_{b}") - moved.point(f"{side}_{a}")
            assert np.dot(old, new) / np.hypot(*old) / np.hypot(*new) == pytest.approx(1)

    def middle(p):
        return (p.point("left_hip") + p.point("right_hip")) / 2

    np.testing.assert_allclose(middle(moved), middle(pose))


@pytest.mark.parametrize(("leg", "bound"), [(0.2, 0.75), (5.0, 1.33)])
def test_stretch_is_bounded(leg, bound):
    pose, subject = _standing(), _standing(leg=leg)
    moved = retarget(pose, subject)
    ratio = _length(moved, "thigh") / _length(pose, "thigh")
    # The whole body is brought back to its scale, which takes a little off the bound.
    assert min(bound, 1) * 0.74 <= ratio <= max(bound, 1) * 1.34


def test_a_limb_towards_the_camera_is_not_a_short_limb():
    pose = _standing()
    sitting = _standing()
    for side in ("left", "right"):
        hip = sitting.point(f"{side}_hip")
        down = np.array([0, 20.0])  # the thighs point at the camera
        drop = sitting.point(f"{side}_knee") - hip - down
        sitting = _with(
            sitting,
            **{
                f"{side}_{n}": sitting.point(f"{side}_{n}") - drop
                for n in ("knee", "ankle", "heel", "foot_index")
            },
        )
    for limb in LIMBS:
        assert _length(retarget(pose, sitting), limb) == pytest.approx(
            _length(pose, limb), rel=0.03
        )
        assert _length(retarget(sitting, pose), limb) == pytest.approx(
            _length(sitting, limb), rel=0.03
        )


def test_one_hidden_side_is_enough():
    pose, subject = _standing(), _standing(leg=0.95)
    doubt = subject.confidence.copy()
    doubt[[BODY27.index[n] for n in ("left_knee", "left_ankle")]] = 0.2
    subject = Pose(BODY27, subject.keypoints, doubt)
    moved = retarget(pose, subject)

    def leg_to_shoulders(p):
        return _length(p, "thigh") / np.hypot(
            *(p.point("left_shoulder") - p.point("right_shoulder"))
        )

    assert leg_to_shoulders(moved) > 1.03 * leg_to_shoulders(pose)


def test_widths_hands_and_feet_only_scale_with_the_whole():
    pose, subject = _standing(), _standing(leg=0.95, arm=0.45)
    moved = retarget(pose, subject)
    kept = (
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        ("left_wrist", "left_index"),
        ("left_ankle", "left_foot_index"),
        ("right_ankle", "right_heel"),
    )
    ratios = [
        np.hypot(*(moved.point(a) - moved.point(b))) / np.hypot(*(pose.point(a) - pose.point(b)))
        for a, b in kept
    ]
    np.testing.assert_allclose(ratios, ratios[0])
    assert 0.85 < ratios[0] < 1.15


def test_a_childs_head_is_larger():
    pose, child = _standing(), _standing()
    neck = (child.point("left_shoulder") + child.point("right_shoulder")) / 2
    head = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    child = _with(child, **{n: neck + 1.25 * (child.point(n) - neck) for n in head})
    moved = retarget(pose, child)
    np.testing.assert_allclose(moved.point("nose"), child.point("nose"), atol=0.5)
    np.testing.assert_allclose(moved.point("left_ear"), child.point("left_ear"), atol=0.5)
