"""How large a body is in a picture, and one body's pose redrawn with another's proportions.

All lengths are measured against `body_scale`, which foreshortening hardly changes, because the
three largest of eight hints are seldom all foreshortened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pose.types import Pose

TYPICAL = {
    "trunk": 0.97,
    "shoulders": 0.68,
    "hips": 0.38,
    "thigh": 0.82,
    "shin": 0.83,
    "upper_arm": 0.51,
    "forearm": 0.46,
    "ears": 0.33,
    "nose_to_ears": 0.28,
    "neck": 0.43,
}
"""Usual lengths of an unforeshortened body, as multiples of its `body_scale`."""

_LIMBS = {
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
_SCALE_HINTS = {
    ("hip", "knee"): 0.85,
    ("knee", "ankle"): 0.85,
    ("shoulder", "elbow"): 0.62,
}
_SHOULDER_HINT = 0.72
_SIDES = ("left", "right")
_MIN_SCALE_CONFIDENCE = 0.3
_MIN_LENGTH_CONFIDENCE = 0.5
_RATIO_BOUNDS = (0.75, 1.33)
# Share of the typical length below which a limb counts as wholly foreshortened, and above which
# it is trusted; children and slight errors of the detector stay above the upper one.
_FORESHORTENED, _TRUSTED = 0.55, 0.78

Find = Callable[[str], np.ndarray]


def body_scale(pose: Pose) -> float:
    """Size of the body in the picture, whichever way it turns and bends.

    The mean of the three largest of: length of the trunk, width of the shoulders / 0.72, hip to
    knee / 0.85, knee to ankle / 0.85, shoulder to elbow / 0.62 (limbs of both sides). For an
    upright person facing the camera this is about the length of the trunk.

    Args:
        pose: A pose of any skeleton. Keypoints of confidence below 0.3 are left out as long as
            at least three of the lengths remain.

    Returns:
        The scale in pixels; above 0.

    Raises:
        ValueError: If not one of the lengths can be measured.
    """
    hints = _scale_hints(_finder(pose, _MIN_SCALE_CONFIDENCE))
    if len(hints) < 3:
        hints = _scale_hints(_finder(pose, 0.0))
    scale = float(np.mean(sorted(hints)[-3:])) if hints else 0.0
    if scale <= 0:
        raise ValueError(
            "the pose is too incomplete to tell the size of the body; "
            "it needs at least both shoulders, or a thigh, a shin, an upper arm or the trunk"
        )
    return scale


def _finder(pose: Pose, minimum_confidence: float) -> Find:
    """Look-up of keypoints by name that finds only the reliable ones."""

    def find(name: str) -> np.ndarray:
        i = pose.skeleton.index.get(name)
        if i is None or pose.confidence[i] < minimum_confidence:
            return np.full(2, np.nan)
        return pose.keypoints[i]

    return find


def _middle(find: Find, joint: str, name: str) -> np.ndarray:
    """Middle of a left and right joint, or the format's own keypoint for it."""
    middle = (find(f"left_{joint}") + find(f"right_{joint}")) / 2
    return find(name) if np.isnan(middle[0]) else middle


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.hypot(*(a - b)))


def _trunk(find: Find) -> float:
    """Length of the trunk; from one side where the middles are unknown; NaN where unseen."""
    length = _distance(_middle(find, "shoulder", "neck"), _middle(find, "hip", "mid_hip"))
    if not np.isnan(length):
        return length
    sides = [_distance(find(f"{side}_shoulder"), find(f"{side}_hip")) for side in _SIDES]
    sides = [length for length in sides if not np.isnan(length)]
    return max(sides) if sides else np.nan


def _scale_hints(find: Find) -> list[float]:
    hints = [
        _trunk(find),
        _distance(find("left_shoulder"), find("right_shoulder")) / _SHOULDER_HINT,
        *(
            _distance(find(f"{side}_{a}"), find(f"{side}_{b}")) / typical
            for (a, b), typical in _SCALE_HINTS.items()
            for side in _SIDES
        ),
    ]
    return [hint for hint in hints if not np.isnan(hint)]


def _trust(share: float) -> float:
    """0 for a limb seen end-on, 1 for one seen from the side, by its share of the typical."""
    return float(np.clip((share - _FORESHORTENED) / (_TRUSTED - _FORESHORTENED), 0.0, 1.0))


def _seen(lengths: list[float], typical: float) -> tuple[float, float]:
    """Trusted mean of a limb's relative lengths on both sides, and how far to trust it."""
    known = [length for length in lengths if not np.isnan(length)]
    weights = [_trust(length / typical) for length in known]
    if sum(weights) <= 0:
        return typical, 0.0
    return float(np.average(known, weights=weights)), max(weights)


def _head_size(find: Find) -> float:
    """Size of the head for a usual one of 1, whichever way it is turned; NaN where unseen.

    As a head turns, the distance of the ears shrinks and that of the nose from their middle grows.
    """
    left, right = find("left_ear"), find("right_ear")
    across = _distance(left, right) / TYPICAL["ears"]
    forwards = _distance(find("nose"), (left + right) / 2) / TYPICAL["nose_to_ears"]
    return float(np.hypot(across, forwards))


def _proportions(pose: Pose) -> dict[str, tuple[float, float]]:
    """For trunk, limbs and head: length relative to the body scale, and trust in [0, 1]."""
    find, scale = _finder(pose, _MIN_LENGTH_CONFIDENCE), body_scale(pose)
    seen = {"trunk": _seen([_trunk(find) / scale], TYPICAL["trunk"])}
    for limb, (a, b) in _LIMBS.items():
        lengths = [_distance(find(f"{s}_{a}"), find(f"{s}_{b}")) / scale for s in _SIDES]
        seen[limb] = _seen(lengths, TYPICAL[limb])
    shoulders = _middle(find, "shoulder", "neck")
    neck = _distance(shoulders, (find("left_ear") + find("right_ear")) / 2) / scale
    seen["neck"] = _seen([neck], TYPICAL["neck"])
    seen["head"] = _seen([_head_size(find) / scale], 1.0)
    return seen


def _ratios(pose: Pose, subject: Pose) -> dict[str, float]:
    """For trunk, limbs and head: how much longer the subject's are."""
    return _ratios_of(_proportions(pose), _proportions(subject))


def _ratios_of(
    own: dict[str, tuple[float, float]], wanted: dict[str, tuple[float, float]]
) -> dict[str, float]:
    ratios = {}
    for part, (length, trust) in own.items():
        ratio = float(np.clip(wanted[part][0] / length, *_RATIO_BOUNDS))
        ratios[part] = ratio ** (trust * wanted[part][1])
    return ratios


_HEAD = ("nose", "eye", "eye_inner", "eye_outer", "ear", "mouth_left", "mouth_right")
_PARENTS: dict[str, tuple[str, str | None]] = {
    # joint: (joint it hangs on, part whose ratio stretches the way between them)
    "middle_of_shoulders": ("middle_of_hips", "trunk"),
    "neck": ("middle_of_shoulders", None),
    "mid_hip": ("middle_of_hips", None),
    "shoulder": ("middle_of_shoulders", None),
    "hip": ("middle_of_hips", None),
    "elbow": ("shoulder", "upper_arm"),
    "wrist": ("elbow", "forearm"),
    "pinky": ("wrist", None),
    "index": ("wrist", None),
    "thumb": ("wrist", None),
    "knee": ("hip", "thigh"),
    "ankle": ("knee", "shin"),
    "heel": ("ankle", None),
    "foot_index": ("ankle", None),
    "small_toe": ("ankle", None),
    "middle_of_ears": ("middle_of_shoulders", "neck"),
    **dict.fromkeys(_HEAD, ("middle_of_ears", "head")),
}


def _parent(name: str) -> tuple[str | None, str | None]:
    """The joint that one hangs on, and the part between them; None for a root or no part."""
    side, _, joint = name.partition("_")
    if side not in _SIDES:
        side, joint = "", name
    parent, part = _PARENTS.get(joint, (None, None))
    if parent is None or parent.startswith("middle"):
        return parent, part
    return f"{side}_{parent}", part


def retarget(pose: Pose, subject: Pose) -> Pose:
    """Redraw a pose with the proportions of somebody else's body.

    Each limb keeps its direction and takes the subject's length, relative to the size of the body.
    Lengths are trusted only where both ends have a confidence of at least 0.5 in either pose, left
    and right are averaged, and no limb is stretched beyond 0.75 to 1.33. A limb much shorter than
    usual points towards the camera rather than being short, so that it is left as it is. So are
    the widths of shoulders and hips, which change as a body turns, and hands and feet. The head
    is as far from the shoulders as the subject's, and scaled about the middle of its ears.

    Args:
        pose: The pose to redraw, of any skeleton.
        subject: A pose of the person whose proportions are wanted, of any skeleton and size.

    Returns:
        `pose` with other keypoints: of the same `body_scale`, the middle of its hips in its old
        place (where hips are missing: its shoulders, else its first keypoint).

    Raises:
        ValueError: If either pose is too incomplete to tell the size of the body.
    """
    scale = body_scale(pose)
    redrawn, anchor = _redrawn(pose, _ratios(pose, subject))
    keypoints = anchor + (redrawn.keypoints - anchor) * (scale / body_scale(redrawn))
    return replace(redrawn, keypoints=keypoints)


def retarget_sequence(poses: Sequence[Pose], subject: Pose) -> list[Pose]:
    """Redraw the poses of a sequence with the proportions of somebody else's body.

    Unlike with `retarget`, one set of proportions holds for all frames, so that limbs do not
    pulse. A limb pointing towards the camera is stretched as when seen from the side. Both parts
    of a leg are stretched alike and the ways of the body with them, so that a standing foot stays
    where it stands while the body moves above it.

    Args:
        poses: Poses of one person, of any one skeleton.
        subject: As for `retarget`.

    Returns:
        As many poses: of the same `body_scale` in the middle of the frames, the anchor (see
        `retarget`) of the first where it was.

    Raises:
        ValueError: If a pose is too incomplete to tell the size of the body.
    """
    if not poses:
        return []
    each = [_proportions(pose) for pose in poses]
    own = {part: _agreed([seen[part] for seen in each]) for part in each[0]}
    ratios = _ratios_of(own, _proportions(subject))
    legs = (ratios["thigh"] * ratios["shin"]) ** 0.5
    ratios |= {"thigh": legs, "shin": legs}
    redrawn = [_redrawn(pose, ratios) for pose in poses]
    factor = float(
        np.median([body_scale(p) for p in poses]) / np.median([body_scale(p) for p, _ in redrawn])
    )
    first = redrawn[0][1]
    return [
        replace(
            pose,
            keypoints=first + factor * (legs * (anchor - first) + pose.keypoints - anchor),
        )
        for pose, anchor in redrawn
    ]


def _agreed(seen: list[tuple[float, float]]) -> tuple[float, float]:
    """Length and trust of a part over the frames, from those of each."""
    lengths, trust = np.array(seen).T
    if trust.sum() <= 0:
        return float(lengths[0]), 0.0
    return float(np.average(lengths, weights=trust)), float(trust.max())


def _redrawn(pose: Pose, ratios: dict[str, float]) -> tuple[Pose, np.ndarray]:
    """The pose with its limbs stretched, and its anchor (2,), which stays in place."""
    find = _finder(pose, 0.0)
    old = {name: pose.keypoints[i] for name, i in pose.skeleton.index.items() if pose.present[i]}
    for name, joint, own in (
        ("middle_of_hips", "hip", "mid_hip"),
        ("middle_of_shoulders", "shoulder", "neck"),
    ):
        middle = _middle(find, joint, own)
        if not np.isnan(middle[0]):
            old[name] = middle
    ears = (find("left_ear") + find("right_ear")) / 2
    if not np.isnan(ears[0]):
        old["middle_of_ears"] = ears
    new: dict[str, np.ndarray] = {}

    def place(name: str) -> np.ndarray:
        if name not in new:
            new[name] = old[name]
            parent, part = _parent(name)
            # The way across a missing joint has no one ratio; it keeps its length.
            stretch = ratios[part] if part and parent in old else 1.0
            while parent is not None and parent not in old:
                parent = _parent(parent)[0]
            if parent is not None:
                new[name] = place(parent) + stretch * (old[name] - old[parent])
        return new[name]

    keypoints = pose.keypoints.copy()
    for name, i in pose.skeleton.index.items():
        if name in old:
            keypoints[i] = place(name)
    roots = [name for name in ("middle_of_hips", "middle_of_shoulders") if name in old]
    anchor = place(roots[0] if roots else next(iter(old)))
    return replace(pose, keypoints=keypoints), anchor
