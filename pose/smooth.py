"""Poses over time: what a detector loses, confuses or jitters from frame to frame is mended.

A sequence is a list with a pose per frame, all of one skeleton, None where nobody was found. All of
it looks at earlier and later frames alike, so that nothing lags. Knows nothing of videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose.types import Pose

MAX_SIGMA_S = 0.15
"""Standard deviation in seconds of the Gaussian window at the full strength."""
OUTLIER_WINDOW = 3
"""A joint is compared with its places in so many frames before and after."""
_OUTLIER_MADS = 4 * 1.4826
"""Four standard deviations, in median absolute deviations of normal noise."""
_OUTLIER_SHARE = 0.05
"""Nearer to its usual place than this share of the person's height no joint is an outlier."""
_SWAP_GAIN = 0.5
"""Left and right were swapped where swapping them back halves the way to the frames around."""
_SWAP_SHARE = 0.015
"""Nor are they where the way is shorter than this share of the person's height."""
_RIDGE = 1e-7
_FEWEST = 0.25
"""A window this narrow, in frames, sees one frame only."""

_GROUPS = (
    ("eye", "eye_inner", "eye_outer", "ear", "mouth"),
    ("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
    ("hip", "knee", "ankle", "heel", "foot_index", "big_toe", "small_toe"),
)
"""Joints whose sides are confused together: the detector mistakes the head, the arms, the legs."""


def repair_swaps(poses: Sequence[Pose | None]) -> list[Pose | None]:
    """Swap left and right back where a detector confused them for one frame.

    Head, arms and legs are looked at apart. They are swapped back where that brings them much
    nearer to where the frames before and after have them.

    Args:
        poses: A pose per frame.

    Returns:
        As many; poses that are right are returned themselves.
    """
    found = list(poses)
    if not any(found):
        return found
    points, confidence = _arrays(found)
    skeleton = next(pose for pose in found if pose is not None).skeleton
    mirror = np.array(skeleton.mirror)
    least = _SWAP_SHARE * _extent(points)
    for names in _GROUPS:
        rows = np.array(
            [
                i
                for name, i in skeleton.index.items()
                if mirror[i] != i and (name.partition("_")[2] in names or name[:5] in names)
            ],
            int,
        )
        if not len(rows):
            continue
        for t in range(1, len(found) - 1):
            before, here, after = points[t - 1 : t + 2, rows]
            swapped = points[t, mirror[rows]]
            around = (before + after) / 2
            as_is, other = _way(here, around), _way(swapped, around)
            moving = _way(before, after)
            if as_is > max(least, moving) and other < _SWAP_GAIN * as_is:
                points[t, rows] = swapped
                confidence[t, rows] = confidence[t, mirror[rows]]
    return _poses(found, points, confidence)


def drop_outliers(poses: Sequence[Pose | None]) -> list[Pose | None]:
    """Take out joints that leap away and come back (Hampel's filter).

    A joint goes where its distance to the median of `OUTLIER_WINDOW` frames on either side exceeds
    four standard deviations, told from the median deviation there. What is quick for longer than a
    leap stays.

    Args:
        poses: A pose per frame.

    Returns:
        As many, outliers marked missing.
    """
    found = list(poses)
    if not any(found):
        return found
    points, confidence = _arrays(found)
    reach = OUTLIER_WINDOW
    padded = np.pad(points, ((reach, reach), (0, 0), (0, 0)), constant_values=np.nan)
    windows = np.stack([padded[d : d + len(points)] for d in range(2 * reach + 1)])
    usual = _median(windows)
    spread = _median(np.linalg.norm(windows - usual, axis=-1))
    away = np.linalg.norm(points - usual, axis=-1)
    outlier = away > np.maximum(_OUTLIER_MADS * spread, _OUTLIER_SHARE * _extent(points))
    points[outlier], confidence[outlier] = np.nan, 0.0
    return _poses(found, points, confidence)


def fill_gaps(poses: Sequence[Pose | None], longest: int) -> list[Pose | None]:
    """Put joints that are missing for a while on the straight way between where they were seen.

    At the beginning and the end, where one side is unknown, a joint stays where it is seen next.

    Args:
        poses: A pose per frame.
        longest: Joints missing for more frames than this stay missing.

    Returns:
        As many; None where still not one joint is known. Filled joints have half the lesser
        confidence of the two ends.
    """
    found = list(poses)
    if not any(found):
        return found
    points, confidence = _arrays(found)
    frames = np.arange(len(found))
    for k in range(points.shape[1]):
        seen = np.flatnonzero(~np.isnan(points[:, k, 0]))
        if not len(seen) or len(seen) == len(found):
            continue
        place = np.searchsorted(seen, frames)  # the first seen frame not before each
        after = seen[np.minimum(place, len(seen) - 1)]
        before = seen[np.maximum(place - 1, 0)]
        start = np.where(place == 0, -1, before)
        end = np.where(place == len(seen), len(found), after)
        filled = np.isnan(points[:, k, 0]) & (end - start - 1 <= longest)
        for axis in range(2):
            way = np.interp(frames, seen, points[seen, k, axis])
            points[filled, k, axis] = way[filled]
        lesser = np.minimum(confidence[before, k], confidence[after, k])
        confidence[filled, k] = lesser[filled] / 2
    return _poses(found, points, confidence)


def resample(poses: Sequence[Pose], times_s: Sequence[float], fps: float) -> list[Pose]:
    """The sequence at even times, from the first pose to the last, joints moving straight between.

    Args:
        poses: Poses without missing joints, of one skeleton and one size.
        times_s: When each is taken, in seconds, rising.
        fps: Poses per second wanted.

    Raises:
        ValueError: If the numbers of poses and times differ or there are none.
    """
    if not poses or len(poses) != len(times_s):
        raise ValueError(f"give a time for each pose, got {len(times_s)} for {len(poses)}")
    points, confidence = _arrays(list(poses))
    times = np.asarray(times_s, np.float64)
    wanted = times[0] + np.arange(int((times[-1] - times[0]) * fps + 1e-3) + 1) / fps
    values = np.concatenate([points, confidence[..., None]], axis=-1).reshape(len(poses), -1)
    columns = [np.interp(wanted, times, column) for column in values.T]
    table = np.stack(columns, axis=-1).reshape(len(wanted), -1, 3)
    return [replace(poses[0], keypoints=rows[:, :2], confidence=rows[:, 2]) for rows in table]


def smooth(poses: Sequence[Pose | None], fps: float, strength: float = 0.5) -> list[Pose | None]:
    """Take the jitter out of a sequence without shifting it in time.

    Round each frame a parabola is fitted to each joint's way, weighted by a Gaussian window and by
    confidence, and the joint put on it (Savitzky and Golay's filter with a soft window). Rest,
    straight motion and steady acceleration, such as a jump's, stay as they are.

    Args:
        poses: A pose per frame; missing joints stay missing.
        fps: Frames per second.
        strength: 0 (off) to 1 (a window of `MAX_SIGMA_S`).

    Raises:
        ValueError: If strength or rate are out of range.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"the strength of the smoothing must be from 0 to 1, got {strength}")
    if not fps > 0:
        raise ValueError(f"the frames per second must be above 0, got {fps}")
    found = list(poses)
    sigma = strength * MAX_SIGMA_S * fps
    if sigma < _FEWEST or not any(found):
        return found
    points, confidence = _arrays(found)
    reach = max(2, int(np.ceil(3 * sigma)))
    present = ~np.isnan(points[..., 0])
    weights = np.where(present, np.maximum(confidence, 1e-3), 0)
    values = np.concatenate([np.nan_to_num(points), confidence[..., None]], axis=-1)
    grow = ((reach, reach), (0, 0))
    weights, values = np.pad(weights, grow), np.pad(values, (*grow, (0, 0)))
    there = np.pad(present, grow)
    count, joints = present.shape
    moments = np.zeros((5, count, joints))
    sums = np.zeros((3, count, joints, 2))
    sure, total = np.zeros((count, joints)), np.full((count, joints), 1e-12)
    for d in range(-reach, reach + 1):
        rows = slice(reach + d, reach + d + count)
        u, window = d / sigma, float(np.exp(-0.5 * (d / sigma) ** 2))
        share = window * weights[rows]
        for power in range(5):
            moments[power] += share * u**power
        for power in range(3):
            sums[power] += share[..., None] * u**power * values[rows, :, :2]
        sure += window * there[rows] * values[rows, :, 2]
        total += window * there[rows]
    index = np.add.outer(np.arange(3), np.arange(3))
    matrix = np.moveaxis(moments[index], (0, 1), (-2, -1)).copy()  # (T, K, 3, 3)
    whole = np.maximum(moments[0], 1e-12)
    matrix /= whole[..., None, None]
    matrix[~present] = np.eye(3)
    matrix[..., 1, 1] += _RIDGE  # where too few frames are there for a line or a parabola
    matrix[..., 2, 2] += _RIDGE
    right = np.moveaxis(sums, 0, -2) / whole[..., None, None]
    # from the middle of the window's points, for the sake of the last digits
    middle = right[..., :1, :].copy()
    right -= middle * matrix[..., :, :1]
    fitted = (np.linalg.solve(matrix, right)[..., :1, :] + middle)[..., 0, :]
    points = np.where(present[..., None], fitted, np.nan)
    confidence = np.where(present, np.clip(sure / total, 0, 1), 0)
    return _poses(found, points, confidence)


def _arrays(poses: Sequence[Pose | None]) -> tuple[np.ndarray, np.ndarray]:
    """(T, K, 2) keypoints, NaN where missing, and (T, K) confidence."""
    skeletons = {pose.skeleton.name for pose in poses if pose is not None}
    if len(skeletons) > 1:
        raise ValueError(f"a sequence needs one skeleton, got {', '.join(sorted(skeletons))}")
    count = next(len(pose.skeleton) for pose in poses if pose is not None)
    points = np.full((len(poses), count, 2), np.nan)
    confidence = np.zeros((len(poses), count))
    for t, pose in enumerate(poses):
        if pose is not None:
            points[t], confidence[t] = pose.keypoints, pose.confidence
    return points, confidence


def _poses(
    before: Sequence[Pose | None], points: np.ndarray, confidence: np.ndarray
) -> list[Pose | None]:
    """The poses with new joints; those without a change are returned themselves."""
    one = next(pose for pose in before if pose is not None)
    result: list[Pose | None] = []
    for old, keypoints, sure in zip(before, points, confidence, strict=True):
        if np.isnan(keypoints).all():
            result.append(None)
            continue
        new = replace(old or one, keypoints=keypoints, confidence=sure)
        result.append(old if new == old else new)
    return result


def _extent(points: np.ndarray) -> float:
    """Median over the frames of the longer side of the box round the person, in pixels."""
    seen = points[~np.isnan(points[..., 0]).all(axis=1)]
    low = np.where(np.isnan(seen), np.inf, seen).min(axis=1)
    high = np.where(np.isnan(seen), -np.inf, seen).max(axis=1)
    return float(np.median((high - low).max(axis=-1)))


def _way(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of the joints that both have; 0 where there are none."""
    apart = np.linalg.norm(a - b, axis=-1)
    known = ~np.isnan(apart)
    return float(apart[known].mean()) if known.any() else 0.0


def _median(values: np.ndarray) -> np.ndarray:
    """Median along the first axis of what is not NaN; NaN where nothing is."""
    count = (~np.isnan(values)).sum(axis=0)
    ordered = np.sort(values, axis=0)  # NaN last
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, np.maximum(count - 1, 0))
    lower, upper = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (low, high))
    return (lower + upper) / 2
