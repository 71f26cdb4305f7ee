import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose import BODY27, COCO17, MEDIAPIPE33, OPENPOSE18, OPENPOSE25, SKELETONS, VUNET15, Pose
from pose.complete import INFERRED_CONFIDENCE, complete
from pose.convert import convert
from pose.retarget import body_scale

seeds = st.integers(0, 2**31)
CORNERS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
HANDS_AND_FEET = BODY27.keypoints[17:]


def _drop(pose, names):
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    gone = [pose.skeleton.index[name] for name in names if name in pose.skeleton.index]
    keypoints[gone], confidence[gone] = np.nan, 0
    return Pose(pose.skeleton, keypoints, confidence, pose.size)


def _upright(make_body):
    """Somebody seen from the front, arms and legs hanging."""
    at = {}
    for side, sign in (("left", 1), ("right", -1)):
        for joint, x, y in (
            *(("eye", 6, 55), ("ear", 16, 58), ("shoulder", 34, 100), ("elbow", 40, 151)),
            *(("wrist", 45, 197), ("index", 43, 216), ("pinky", 48, 214), ("thumb", 37, 206)),
            *(("hip", 19, 197), ("knee", 20, 279), ("ankle", 21, 362)),
            *(("heel", 20, 371), ("foot_index", 25, 382)),
        ):
            at[f"{side}_{joint}"] = (200 + sign * x, y)
    at["nose"] = (200, 63)
    return Pose(BODY27, np.array([at[n] for n in BODY27.keypoints], float), np.ones(27), (450, 400))


def test_a_whole_pose_is_returned_as_it_is(make_body):
    pose = make_body(0)
    assert complete(pose) == (pose, ())
    assert complete(pose)[0] is pose


def _corners(pose):
    """How many shoulders and hips there are, counting those that a middle gives."""
    count = 0
    for joint, middle in (("shoulder", "neck"), ("hip", "mid_hip")):
        known = [not np.isnan(pose.point(f"{s}_{joint}")[0]) for s in ("left", "right")]
        by_middle = sum(known) == 1 and not np.isnan(pose.point(middle)[0])
        count += 2 if by_middle else sum(known)
    return count


@given(
    seed=seeds,
    name=st.sampled_from(sorted(SKELETONS)),
    missing=st.sets(st.sampled_from(sorted({k for s in SKELETONS.values() for k in s.keypoints}))),
)
@settings(max_examples=150, deadline=None)
def test_every_subset_of_joints(make_body, seed, name, missing):
    pose = _drop(convert(make_body(seed), SKELETONS[name]), missing)
    if _corners(pose) < 2:
        with pytest.raises(ValueError, match="two of the shoulders and hips"):
            complete(pose)
        return
    whole, warnings = complete(pose)
    assert whole.skeleton is BODY27
    assert whole.size == pose.size
    assert np.isfinite(whole.keypoints).all()
    given = convert(pose, BODY27)
    np.testing.assert_array_equal(whole.keypoints[given.present], given.keypoints[given.present])
    np.testing.assert_array_equal(whole.confidence[given.present], given.confidence[given.present])
    assert (whole.confidence[~given.present] == INFERRED_CONFIDENCE).all()
    lost = set(BODY27.keypoints) & set(pose.skeleton.keypoints) - {
        n for n in pose.skeleton.keypoints if not np.isnan(pose.point(n)).any()
    }
    assert bool(warnings) == bool(lost)
    assert len(warnings) <= 6
    assert len(set(warnings)) == len(warnings)
    for sentence in warnings:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert sentence.count(".") == 1
        assert "_" not in sentence
    # Guessed joints stay on a human scale.
    reach = np.hypot(*(whole.keypoints - whole.keypoints[5:7].mean(axis=0)).T).max()
    assert reach < 12 * body_scale(whole)


@given(
    seed=seeds,
    missing=st.sets(st.sampled_from(BODY27.keypoints), max_size=22),
    zoom=st.floats(0.1, 10),
    shift=st.tuples(*[st.floats(-500, 500)] * 2),
)
@settings(max_examples=150, deadline=None)
def test_equivariant(make_body, seed, missing, zoom, shift):
    pose = _drop(make_body(seed), missing)
    try:
        whole, _ = complete(pose)
    except ValueError:
        return
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    np.testing.assert_allclose(
        complete(pose.transformed(matrix, None))[0].keypoints,
        whole.transformed(matrix, None).keypoints,
        atol=1e-5,
    )
    flipped, _ = complete(pose.flipped())
    np.testing.assert_allclose(flipped.keypoints, whole.flipped().keypoints, atol=1e-6)


@pytest.mark.parametrize("skeleton", [COCO17, OPENPOSE18, VUNET15], ids=lambda s: s.name)
def test_formats_without_hands_and_feet_get_them_silently(make_body, skeleton):
    for seed in range(30):
        body = make_body(seed)
        whole, warnings = complete(convert(body, skeleton))
        assert warnings == ()
        scale = body_scale(body)
        for side in ("left", "right"):
            wrist, elbow = whole.point(f"{side}_wrist"), whole.point(f"{side}_elbow")
            forearm = wrist - elbow
            hand = whole.point(f"{side}_index") - wrist
            assert np.dot(hand, forearm) >= 0
            assert np.hypot(*hand) < 0.3 * scale
            shin = whole.point(f"{side}_ankle") - whole.point(f"{side}_knee")
            for name in ("heel", "foot_index"):
                foot = whole.point(f"{side}_{name}") - whole.point(f"{side}_ankle")
                assert np.dot(foot, shin) > 0
                assert np.hypot(*foot) < 0.5 * scale


def test_guesses_are_near_the_truth_for_an_upright_person(make_body):
    pose = _upright(make_body)
    for name in BODY27.keypoints:
        whole, _ = complete(_drop(pose, [name]))
        error = np.hypot(*(whole.point(name) - pose.point(name)))
        assert error < 0.12 * body_scale(pose), name
    for names in (
        HANDS_AND_FEET,
        ("left_hip", "right_hip"),
        ("left_shoulder", "right_shoulder"),
        BODY27.keypoints[:5],
        [n for n in BODY27.keypoints if any(w in n for w in ("knee", "ankle", "heel", "foot"))],
        [
            n
            for n in BODY27.keypoints
            if any(w in n for w in ("elbow", "wrist", "pinky", "index", "thumb"))
        ],
    ):
        whole, _ = complete(_drop(pose, names))
        errors = np.hypot(*(whole.keypoints - pose.keypoints).T)
        assert errors.max() < 0.25 * body_scale(pose), names


def test_profile_feet_point_where_the_face_looks(make_body):
    pose = _upright(make_body)
    squeeze = np.array([[0.1, 0, 180.0], [0, 1, 0]])
    profile = pose.transformed(squeeze, pose.size)
    keypoints = profile.keypoints.copy()
    keypoints[0] += [25, 0]  # the nose sticks out to the right
    profile = _drop(Pose(BODY27, keypoints, profile.confidence, pose.size), HANDS_AND_FEET)
    whole, _ = complete(profile)
    for side in ("left", "right"):
        assert whole.point(f"{side}_foot_index")[0] > whole.point(f"{side}_ankle")[0] + 10
        assert whole.point(f"{side}_heel")[0] < whole.point(f"{side}_ankle")[0]


@pytest.mark.parametrize(
    ("missing", "sentences"),
    [
        (
            ["left_knee", "left_ankle", "left_heel", "left_foot_index"],
            ["The left leg was not found; it was guessed from the right leg."],
        ),
        (["left_ankle"], ["The left ankle was not found; it was guessed from the right leg."]),
        (["left_knee"], ["The left knee was not found; it was guessed from the joints beside it."]),
        (["right_ear"], ["The right ear was not found; it was guessed from the rest of the head."]),
        (["left_hip"], ["The left hip was not found; it was guessed from the right hip."]),
        (
            ["right_pinky", "right_index", "right_thumb"],
            [
                "The right little finger, right index finger and right thumb were not found; "
                "they were guessed from the right forearm."
            ],
        ),
        (
            [n for n in BODY27.keypoints if any(w in n for w in ("knee", "ankle", "heel", "foot"))],
            ["Both legs were not found; they were guessed from the usual proportions of a body."],
        ),
        (
            ["nose", "left_ankle", "right_wrist"],
            [
                "The nose was not found; it was guessed from the rest of the head.",
                "The right wrist was not found; it was guessed from the left arm.",
                "The left ankle was not found; it was guessed from the right leg.",
            ],
        ),
    ],
)
def test_sentences(make_body, missing, sentences):
    _, warnings = complete(_drop(_upright(make_body), missing))
    assert list(warnings) == sentences


def test_neck_gives_the_missing_shoulder(make_body):
    pose = convert(_upright(make_body), OPENPOSE18)
    whole, warnings = complete(_drop(pose, ["left_shoulder", "left_hip", "right_hip"]))
    np.testing.assert_allclose(whole.point("left_shoulder"), pose.point("left_shoulder"))
    assert "shoulder" in warnings[0]


@pytest.mark.parametrize("skeleton", [MEDIAPIPE33, OPENPOSE25], ids=lambda s: s.name)
def test_face_alone_is_refused_with_a_sentence(make_body, skeleton):
    body = make_body(1)
    pose = _drop(convert(body, skeleton), [*BODY27.keypoints[5:], "neck", "mid_hip"])
    with pytest.raises(ValueError, match="too little of the body"):
        complete(pose)


def test_all_in_one_place_is_refused():
    with pytest.raises(ValueError, match="one place"):
        complete(Pose(COCO17, np.full((17, 2), 7.0), np.ones(17)))


def test_guesses_never_leave_the_allowed_range():
    at = np.full((27, 2), np.nan)
    at[BODY27.index["left_shoulder"]] = 1e6, 1e6
    at[BODY27.index["right_shoulder"]] = -1e6, 1e6
    whole, _ = complete(Pose(BODY27, at, np.where(np.isnan(at[:, 0]), 0, 1)))
    assert np.isfinite(whole.keypoints).all()
