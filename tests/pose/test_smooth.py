"""Smoothing in time: rest and even motion stay, jitter goes, gaps are filled up to a limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from pose import BODY27, MEDIAPIPE33, Pose
from pose.presets import preset
from pose.retarget import body_scale, retarget, retarget_sequence
from pose.smooth import MAX_SIGMA_S, drop_outliers, fill_gaps, repair_swaps, resample, smooth

MakeBody = Callable[..., Pose]
FPS = 25.0


def track(poses: list[Pose | None]) -> np.ndarray:
    """(T, K, 2)."""
    return np.stack([np.full((27, 2), np.nan) if p is None else p.keypoints for p in poses])


def moved(pose: Pose, ways: np.ndarray) -> list[Pose]:
    """The pose at offsets (T, 2) or with offsets of each joint (T, K, 2)."""
    ways = ways[:, None, :] if ways.ndim == 2 else ways
    return [replace(pose, keypoints=pose.keypoints + way, size=None) for way in ways]


def without(pose: Pose, *joints: int) -> Pose:
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    keypoints[list(joints)], confidence[list(joints)] = np.nan, 0
    return replace(pose, keypoints=keypoints, confidence=confidence)


# -- smooth ----------------------------------------------------------------------------------


@given(
    strength=st.floats(0, 1),
    fps=st.floats(5, 60),
    count=st.integers(1, 40),
    seed=st.integers(0, 99),
    bend=st.floats(-0.5, 0.5),
)
@settings(max_examples=40)
def test_rest_straight_motion_and_steady_acceleration_stay(
    make_body: MakeBody, strength: float, fps: float, count: int, seed: int, bend: float
) -> None:
    t = np.arange(count)[:, None]
    way = t * np.array([3.0, -1.5]) + bend * t**2 * np.array([0.0, 1.0])
    poses = moved(make_body(seed), way)
    result = smooth(poses, fps, strength)
    np.testing.assert_allclose(track(result), track(list(poses)), atol=0.02)


@pytest.mark.parametrize("strength", [0.3, 0.5, 1.0])
def test_jitter_goes_down_and_more_with_strength(make_body: MakeBody, strength: float) -> None:
    rng = np.random.default_rng(0)
    clean = moved(make_body(1), np.linspace(0, 100, 100)[:, None] * [1, 0.3])
    noise = rng.normal(0, 2, (100, 27, 2))
    noisy = [replace(p, keypoints=p.keypoints + n) for p, n in zip(clean, noise, strict=True)]
    left = track(smooth(noisy, FPS, strength)) - track(list(clean))
    sigma = strength * MAX_SIGMA_S * FPS
    # what a Gaussian window with a parabola leaves of white noise
    assert left[10:-10].std() < 1.35 * noise.std() * np.sqrt(1.6875 / (2 * np.sqrt(np.pi) * sigma))
    assert left[10:-10].std() < 0.75 * noise.std()


def test_it_is_the_weighted_parabola(make_body: MakeBody) -> None:
    rng = np.random.default_rng(3)
    body = make_body(2)
    poses = [
        replace(p, confidence=rng.uniform(0.1, 1, 27))
        for p in moved(body, rng.normal(0, 5, (30, 27, 2)))
    ]
    poses[12] = without(poses[12], 4)
    sigma = 0.6 * MAX_SIGMA_S * FPS
    reach = int(np.ceil(3 * sigma))
    result = track(smooth(poses, FPS, 0.6))
    points, sure = track(list(poses)), np.stack([p.confidence for p in poses])
    for t, k in ((0, 0), (3, 7), (14, 4), (15, 20), (29, 11)):
        near = [i for i in range(max(0, t - reach), min(30, t + reach + 1)) if sure[i, k] > 0]
        d = np.array(near) - t
        weights = np.exp(-0.5 * (d / sigma) ** 2) * sure[near, k]
        for axis in range(2):
            fit = np.polyfit(d, points[near, k, axis], 2, w=np.sqrt(weights))
            assert result[t, k, axis] == pytest.approx(fit[2], abs=1e-3)


def test_it_is_scipys_gaussian_of_fourth_order(make_body: MakeBody) -> None:
    """Far from the ends and for equal confidence; so it is symmetric, without a shift in time."""
    way = np.random.default_rng(8).normal(0, 5, (80, 2)).cumsum(axis=0)
    body = make_body(5)
    body = replace(body, confidence=np.ones(27))
    sigma = MAX_SIGMA_S * FPS
    plain, bent = (gaussian_filter1d(way, sigma, axis=0, order=order) for order in (0, 2))
    result = track(smooth(moved(body, way), FPS, 1.0))[:, 0] - body.keypoints[0]
    inside = slice(16, -16)
    expected = (plain - sigma**2 / 2 * bent)[inside]
    np.testing.assert_allclose(result[inside], expected, atol=0.02 * np.ptp(way))


def test_waving_is_not_delayed(make_body: MakeBody) -> None:
    t = np.arange(100) / FPS
    wave = 20 * np.sin(2 * np.pi * 1.0 * t)
    result = smooth(moved(make_body(4), np.stack([wave, 0 * wave], 1)), FPS, 0.5)
    smoothed = track(result)[:, 9, 0] - make_body(4).keypoints[9, 0]
    shifts = range(-5, 6)
    fits = [np.corrcoef(smoothed[10:-10], np.roll(wave, s)[10:-10])[0, 1] for s in shifts]
    assert shifts[int(np.argmax(fits))] == 0
    assert smoothed[10:-10].max() > 0.95 * 20


def test_off_changes_nothing_and_missing_joints_stay_missing(make_body: MakeBody) -> None:
    rng = np.random.default_rng(0)
    poses: list[Pose | None] = [*moved(make_body(0), rng.normal(0, 3, (9, 2)))]
    poses[4] = without(make_body(0), 3, 5)
    poses[6] = None
    assert smooth(poses, FPS, 0) == poses
    result = smooth(poses, FPS, 1)
    assert result[6] is None
    assert result[4] is not None
    assert list(np.flatnonzero(~result[4].present)) == [3, 5]


@pytest.mark.parametrize(("strength", "fps"), [(-0.1, 25), (1.1, 25), (np.nan, 25), (0.5, 0)])
def test_strength_and_rate_are_checked(make_body: MakeBody, strength: float, fps: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        smooth([make_body(0)] * 3, fps, strength)


def test_nobody_at_all() -> None:
    nobody: list[Pose | None] = [None, None]
    for result in (
        smooth(nobody, FPS),
        fill_gaps(nobody, 3),
        repair_swaps(nobody),
        drop_outliers(nobody),
    ):
        assert result == nobody


def test_skeletons_must_agree(make_body: MakeBody) -> None:
    other = Pose(MEDIAPIPE33, np.zeros((33, 2)), np.ones(33))
    with pytest.raises(ValueError, match="one skeleton"):
        smooth([make_body(0), other], FPS)


# -- gaps ------------------------------------------------------------------------------------


@given(start=st.integers(0, 19), length=st.integers(1, 12), longest=st.integers(1, 12))
@settings(max_examples=60)
def test_gaps_are_filled_up_to_a_limit(
    make_body: MakeBody, start: int, length: int, longest: int
) -> None:
    clean = moved(make_body(7), np.arange(20)[:, None] * [4.0, -2.0])
    gap = range(start, min(20, start + length))
    poses = [without(p, 8) if t in gap else p for t, p in enumerate(clean)]
    result = fill_gaps(poses, longest)
    for t, pose in enumerate(result):
        assert pose is not None
        if t not in gap:
            assert pose == clean[t]
        elif len(gap) > longest or len(gap) == 20:
            assert not pose.present[8]
        elif gap[0] > 0 and gap[-1] < 19:
            np.testing.assert_allclose(pose.keypoints, clean[t].keypoints, atol=1e-9)
            assert 0 < pose.confidence[8] < clean[t].confidence[8]
        else:  # at an end: as it is seen next
            seen = clean[gap[-1] + 1] if gap[0] == 0 else clean[gap[0] - 1]
            np.testing.assert_array_equal(pose.keypoints[8], seen.keypoints[8])


def test_frames_without_anybody_are_filled(make_body: MakeBody) -> None:
    clean = moved(make_body(7), np.arange(9)[:, None] * [4.0, -2.0])
    poses: list[Pose | None] = [*clean]
    poses[3] = poses[4] = None
    np.testing.assert_allclose(track(fill_gaps(poses, 2)), track(list(clean)), atol=1e-9)
    assert fill_gaps(poses, 1)[3] is None


# -- swaps and outliers ----------------------------------------------------------------------


@pytest.mark.parametrize("names", [("hip", "knee", "ankle", "heel", "foot_index"), None])
def test_a_swap_of_one_frame_is_repaired(names: tuple[str, ...] | None) -> None:
    body = preset("standing")
    clean = moved(body, np.arange(12)[:, None] * [3.0, 0.0])
    rows = np.array(
        [i for name, i in BODY27.index.items() if names is None or name.partition("_")[2] in names]
    )
    keypoints = clean[5].keypoints.copy()
    keypoints[rows] = clean[5].keypoints[np.array(BODY27.mirror)[rows]]
    poses: list[Pose | None] = [*clean]
    poses[5] = replace(clean[5], keypoints=keypoints)
    result = repair_swaps(poses)
    np.testing.assert_allclose(track(result), track(list(clean)))
    assert all(a is b for i, (a, b) in enumerate(zip(result, poses, strict=True)) if i != 5)


def test_a_turn_is_no_swap() -> None:
    body = preset("standing")
    middle = body.point("nose")[0]
    turning = []
    for angle in np.linspace(0, np.pi, 30):
        keypoints = body.keypoints.copy()
        keypoints[:, 0] = middle + (keypoints[:, 0] - middle) * np.cos(angle)
        turning.append(replace(body, keypoints=keypoints))
    assert repair_swaps(turning) == turning


def test_leaps_are_dropped_and_movement_is_not(make_body: MakeBody) -> None:
    t = np.arange(40) / FPS
    ways = np.zeros((40, 27, 2))
    ways[:, 9, 0] = 60 * np.sin(2 * np.pi * 2 * t)  # waves twice a second
    ways[:, :, 1] += 4 * np.arange(40)[:, None]
    clean = moved(make_body(3), ways)
    assert drop_outliers(clean) == clean
    poses: list[Pose | None] = [*clean]
    leap = clean[20].keypoints.copy()
    leap[12] += [150, 0]
    poses[20] = replace(clean[20], keypoints=leap)
    result = drop_outliers(poses)
    assert result[20] is not None
    assert list(np.flatnonzero(~result[20].present)) == [12]
    filled = fill_gaps(result, 3)
    np.testing.assert_allclose(track(filled), track(list(clean)), atol=1e-6)


# -- times -----------------------------------------------------------------------------------


def test_resampling_passes_the_poses_and_is_straight_between(make_body: MakeBody) -> None:
    a, b, c = (replace(make_body(i), size=None) for i in range(3))
    result = resample([a, b, c], [0.0, 0.5, 2.0], 4)
    assert len(result) == 9
    np.testing.assert_allclose(result[0].keypoints, a.keypoints)
    np.testing.assert_allclose(result[1].keypoints, (a.keypoints + b.keypoints) / 2)
    np.testing.assert_allclose(result[2].keypoints, b.keypoints)
    np.testing.assert_allclose(result[8].keypoints, c.keypoints)
    with pytest.raises(ValueError, match="time for each"):
        resample([a, b], [0.0], 4)


# -- proportions -----------------------------------------------------------------------------


def test_one_set_of_proportions_for_all_frames(make_body: MakeBody) -> None:
    """A limb's stretch is the same in all frames, however it is foreshortened in one of them."""
    subject = make_body(11)
    poses = [make_body(i) for i in range(8)]
    result = retarget_sequence(poses, subject)

    def length(pose: Pose, a: str, b: str) -> float:
        return float(np.linalg.norm(pose.point(a) - pose.point(b)))

    for a, b in (("left_shoulder", "left_elbow"), ("right_hip", "right_knee")):
        ratios = [length(r, a, b) / length(p, a, b) for r, p in zip(result, poses, strict=True)]
        np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    own = [body_scale(pose) for pose in poses]
    assert np.median([body_scale(p) for p in result]) == pytest.approx(np.median(own), rel=1e-9)
    assert retarget_sequence([], subject) == []


def test_a_resting_person_is_retargeted_as_in_one_picture(make_body: MakeBody) -> None:
    subject, pose = make_body(3, max_yaw=0.3), make_body(4, max_yaw=0.3)
    still = retarget_sequence([pose] * 3, subject)
    assert still[0] == still[2]
    once = retarget(pose, subject)
    apart = np.linalg.norm(still[0].keypoints - once.keypoints, axis=1)
    assert apart.max() < 0.25 * body_scale(pose)  # legs share one ratio


def test_a_standing_foot_stays_while_the_body_sinks() -> None:
    """Knees bend, hips come down; the subject has longer legs, and the feet rest all the same."""
    body, poses = preset("standing"), []
    for down in np.linspace(0, 90, 10):
        keypoints = body.keypoints.copy()
        for name, i in BODY27.index.items():
            leg = name.partition("_")[2]
            keypoints[i, 1] += {"knee": down / 2}.get(leg, down)
            if leg in ("ankle", "heel", "foot_index"):
                keypoints[i, 1] -= down
        poses.append(replace(body, keypoints=keypoints))
    long_legs = body.keypoints.copy()
    for name, i in BODY27.index.items():
        leg = name.partition("_")[2]
        if leg in ("knee", "ankle", "heel", "foot_index"):
            long_legs[i, 1] += 60 if leg == "knee" else 120
    result = retarget_sequence(poses, replace(body, keypoints=long_legs))
    feet = np.stack([pose.point("left_heel") for pose in result])
    assert np.ptp(feet, axis=0).max() < 1e-6 + 0.01 * body_scale(body)
