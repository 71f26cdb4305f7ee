"""What a user may give as a pose, and where the person of a photo takes it.

A pose is a photo, a pose file, a ControlNet-coloured stick picture, the name of a preset, or a
`Pose`. Placing it is geometry: the subject's own limb lengths and size, feet on the same ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from pose import Pose
from pose.complete import INFERRED_CONFIDENCE, complete
from pose.formats import PoseFileError, read_poses
from pose.presets import preset
from pose.retarget import body_scale, retarget, retarget_sequence
from pose.scribble import read_scribble
from pose.stick import read_controlnet
from pose.types import choose_person
from vunet.framing import HEAD_TOP
from vunet.images import is_file, read_image, shown

if TYPE_CHECKING:
    from pose.estimator import Detection

ImageLike = str | Path | Image.Image | np.ndarray
SAME_PLACE = 0.01
"""Joints within so many of the subject's body scales of their own are where they were."""
POSE_FILE_SUFFIXES = frozenset({".json", ".csv"})
SMALLEST_SHRINK = 0.55
"""A figure is made smaller down to this share so that it fits the picture, then it is cut off."""
_SURE = 0.5
_ON_GROUND = 75
"""Percentile of the lowest points of a sequence's frames that counts as the ground."""
_FEET = ("ankle", "heel", "foot_index")


class PeopleFinder(Protocol):
    """Finds people in photos, as `pose.estimator.PoseEstimator` does."""

    def find(self, image: np.ndarray, max_people: int = 1) -> list[Detection]:
        """The people of a photo (H, W, 3) uint8 RGB, largest first."""
        ...


@dataclass(frozen=True, eq=False)
class ResolvedPose:
    """A pose as the engine wants it."""

    pose: Pose
    """Complete BODY27 pose with a size, unless it was only recognised."""
    warnings: tuple[str, ...]
    """Plain sentences: what was guessed."""
    kind: str
    """photo, file, stick, preset or pose."""
    image: np.ndarray | None = None
    """The photo it was found in, (H, W, 3) uint8, where there is one."""
    mask: np.ndarray | None = None
    """The person in that photo, (H, W) float32 in [0, 1]."""


def resolve_pose(
    given: ImageLike | Pose, *, person: int | None, estimator: PeopleFinder
) -> ResolvedPose:
    """Understand whatever a user gave as a pose, and guess what it lacks.

    Args:
        given: A photo, pose file, stick picture (paths, PIL pictures or arrays), preset or `Pose`.
        person: Which of several people, 1 = largest; None takes the largest.
        estimator: Finds people in photos.

    Raises:
        ValueError: A sentence naming what was given, what is wrong and the way out.
    """
    found = recognise_pose(given, person=person, estimator=estimator)
    name = "the pose"
    if found.kind == "file" and isinstance(given, str | Path):
        name = shown(given)
    whole, guessed = _whole(found.pose, name)
    return replace(found, pose=whole, warnings=found.warnings + guessed)


def recognise_pose(
    given: ImageLike | Pose, *, person: int | None, estimator: PeopleFinder | None
) -> ResolvedPose:
    """Understand whatever a user gave as a pose; as `resolve_pose`, but nothing is guessed.

    Args:
        given: As for `resolve_pose`.
        person: As there.
        estimator: May be None where `is_pose_text` says that no picture is given.

    Returns:
        The pose in its own skeleton, perhaps with missing joints and without a size.
    """
    if isinstance(given, Pose):
        return ResolvedPose(given, (), "pose")
    if isinstance(given, str | Path):
        path = Path(given)
        if _is_preset_name(path):
            return ResolvedPose(preset(str(given)[:80]), (), "preset")
        if path.suffix.lower() in POSE_FILE_SUFFIXES:
            return _from_file(path, person)
        name = shown(path)
    else:
        name = "the pose picture"
    image = read_image(given)
    stick = read_controlnet(image)
    if stick is not None:
        return ResolvedPose(stick, (), "stick")
    assert estimator is not None, "people in pictures need an estimator"
    people = estimator.find(image, max_people=max(3, person or 1))
    drawn = None if people else read_scribble(image)  # nobody is found in lines
    if drawn is not None:
        return ResolvedPose(drawn.pose, drawn.warnings, "stick")
    detection = choose_person(
        people,
        person,
        name,
        "give a photo in which one person is well visible, "
        "a stick figure (drawn by hand or ControlNet's), a pose file (.json) "
        "or a preset of `vunet poses`",
    )
    warnings = _several(len(people), person, name)
    return ResolvedPose(detection.pose, warnings, "photo", image, detection.mask)


def is_pose_text(given: ImageLike | Pose) -> bool:
    """Whether this names a pose and no picture: a pose file or a preset."""
    if not isinstance(given, str | Path):
        return False
    path = Path(given)
    return path.suffix.lower() in POSE_FILE_SUFFIXES or _is_preset_name(path)


def _is_preset_name(path: Path) -> bool:
    return not path.suffix and len(path.parts) == 1 and not is_file(path)


def _several(count: int, person: int | None, name: str) -> tuple[str, ...]:
    if count < 2 or person is not None:
        return ()
    return (f"{name}: {count} people found; the pose of the largest was taken.",)


def _from_file(path: Path, person: int | None) -> ResolvedPose:
    poses = [p for p in read_poses(path) if p.present.any()]
    if not poses:
        raise PoseFileError(
            f"{shown(path)}: holds no people; give a file with at least one skeleton"
        )

    def extent(pose: Pose) -> float:
        x0, y0, x1, y1 = pose.box()
        return (x1 - x0) * (y1 - y0)

    poses.sort(key=extent, reverse=True)
    warnings = _several(len(poses), person, shown(path))
    return ResolvedPose(choose_person(poses, person, shown(path)), warnings, "file")


def _whole(pose: Pose, name: str) -> tuple[Pose, tuple[str, ...]]:
    """A complete pose with a size, and what was guessed."""
    try:
        whole, guessed = complete(pose)
        body_scale(whole)
    except ValueError as error:
        raise PoseFileError(f"{name}: {error}") from error
    return (whole if whole.size is not None else _with_size(whole)), guessed


def _with_size(pose: Pose) -> Pose:
    """A picture that just holds a pose whose file does not say how large its picture was."""
    x0, y0, x1, y1 = pose.box()
    margin = 0.5 * body_scale(pose)
    width, height = max(x1 + margin, 1.0), max(y1 + margin, 1.0)
    if x0 < 0 or y0 < 0 or max(width, height) > 8192:
        move = np.array([[1, 0, margin - x0], [0, 1, margin - y0]])
        size = (int(y1 - y0 + 2 * margin) + 1, int(x1 - x0 + 2 * margin) + 1)
        return pose.transformed(move, size)
    return replace(pose, size=(int(height) + 1, int(width) + 1))


def place_on_photo(
    pose: Pose, subject: Pose, *, keep_limbs: bool, canvas: tuple[int, int]
) -> tuple[Pose, tuple[str, ...]]:
    """Where the person of a photo takes a pose, in the photo's own frame.

    The figure gets the subject's size. Where the photo shows feet, the new feet stand on the same
    ground; otherwise the shoulders stay where they are. A whole figure that would leave the
    picture is made smaller, and told. The subject's own pose stays where it is, also with some
    joints moved, as long as these stay in the picture.

    Args:
        pose: Complete BODY27 pose to take.
        subject: Complete BODY27 pose of the person in the photo.
        keep_limbs: Give the pose the subject's limb lengths.
        canvas: (height, width) of the photo.
    """
    if keep_limbs:
        pose = retarget(pose, subject)
    apart = np.linalg.norm(pose.keypoints - subject.keypoints, axis=1)
    if np.mean(apart < SAME_PLACE * body_scale(subject)) > 0.5:
        stays = replace(pose, size=canvas)  # their own pose, perhaps with a limb or two moved
        if not set(_beyond(stays, canvas)) - set(_beyond(subject, canvas)):
            return stays, ()
    scale = body_scale(subject) / body_scale(pose)
    feet = _visible_ground(subject, canvas)
    standing = feet is not None and _has_feet(pose)

    def anchors(p: Pose) -> tuple[np.ndarray, np.ndarray]:
        neck = (p.point("left_shoulder") + p.point("right_shoulder")) / 2
        hips = (p.point("left_hip") + p.point("right_hip")) / 2
        return neck, hips

    (neck_p, hips_p), (neck_s, hips_s) = anchors(pose), anchors(subject)
    warnings: list[str] = []
    height, width = canvas

    def placed(s: float) -> Pose:
        if standing:
            assert feet is not None
            start = np.array([hips_p[0], _ground(pose)])
            end = np.array([hips_s[0], feet])
        else:
            start, end = neck_p, neck_s
        return pose.transformed(
            np.array([[s, 0, end[0] - s * start[0]], [0, s, end[1] - s * start[1]]]), canvas
        )

    result = placed(scale)
    if standing:
        x0, y0, x1, y1 = _outline(result)
        whole = _outline(subject)
        if whole[1] >= -0.02 * height:
            shrink = 1.0
            ground = float(feet) if feet is not None else y1
            if y0 < 0:
                shrink = min(shrink, ground / max(ground - y0, 1.0))
            if x1 - x0 > width:
                shrink = min(shrink, width / (x1 - x0))
            if shrink < 0.995:
                shrink = max(shrink, SMALLEST_SHRINK)
                result = placed(scale * shrink)
                warnings.append(
                    f"The figure was made {100 * (1 - shrink):.0f} % smaller so that the pose fits "
                    "the picture."
                )
        x0, y0, x1, y1 = _outline(result)
        slide = min(0.0, width - x1) if x1 > width else max(0.0, -x0) if x0 < 0 else 0.0
        if slide and x1 - x0 <= width:
            result = result.transformed(np.array([[1, 0, slide], [0, 1, 0]]), canvas)
    beyond = _beyond(result, canvas)
    if beyond:
        warnings.append(f"Parts of the pose lie outside the picture: {', '.join(beyond)}.")
    return result, tuple(warnings)


def place_sequence(
    poses: Sequence[Pose], subject: Pose, *, keep_limbs: bool, canvas: tuple[int, int]
) -> tuple[list[Pose], tuple[str, ...]]:
    """Where the person of a photo goes through a sequence of poses, in the photo's own frame.

    All frames are moved and scaled alike, so that the figure keeps its size, and jumps and ways
    across the picture remain. Where the photo shows feet, the first frame stands where the person
    stood, unless a later one would then leave the picture; otherwise the shoulders stay in the
    middle where they are.

    Args:
        poses: Complete BODY27 poses, one per frame.
        subject: As for `place_on_photo`.
        keep_limbs: Give the poses the subject's limb lengths.
        canvas: (height, width) of the photo.

    Returns:
        As many poses of the canvas' size, and what is to be told.
    """
    if keep_limbs:
        poses = retarget_sequence(poses, subject)
    scale = body_scale(subject) / float(np.median([body_scale(pose) for pose in poses]))
    ankles = [subject.skeleton.index[f"{side}_ankle"] for side in ("left", "right")]
    seen = float(np.median([pose.confidence[ankles].max() for pose in poses]))
    feet = _visible_ground(subject, canvas) if seen > 2 * INFERRED_CONFIDENCE else None
    height, width = canvas
    hips = (subject.point("left_hip") + subject.point("right_hip")) / 2
    neck = (subject.point("left_shoulder") + subject.point("right_shoulder")) / 2
    if feet is not None:
        first = (poses[0].point("left_hip") + poses[0].point("right_hip")) / 2
        ground = float(np.percentile([_ground(pose) for pose in poses], _ON_GROUND))
        start, end = np.array([first[0], ground]), np.array([hips[0], feet])
    else:
        necks = [(pose.point("left_shoulder") + pose.point("right_shoulder")) / 2 for pose in poses]
        start, end = np.median(necks, axis=0), neck
    warnings = []

    def bounds(s: float) -> tuple[float, float, float]:
        """Left and right end and the top of all figures, relative to `end`."""
        x0, y0, x1, _ = np.transpose([_outline(pose) for pose in poses])
        return s * (x0.min() - start[0]), s * (x1.max() - start[0]), s * (y0.min() - start[1])

    if feet is not None:
        left, right, top = bounds(scale)
        shrink = min(1.0, width / (right - left))
        if _outline(subject)[1] >= -0.02 * height:
            shrink = min(shrink, feet / max(-top, 1.0))
        if shrink < 0.995:
            shrink = max(shrink, SMALLEST_SHRINK)
            scale *= shrink
            warnings.append(
                f"The figure was made {100 * (1 - shrink):.0f} % smaller so that all frames fit "
                "the picture."
            )
        left, right, _ = bounds(scale)
        if right - left <= width:
            end[0] = np.clip(end[0], -left, width - right)
        else:
            end[0] = (width - left - right) / 2
    move = np.array([[scale, 0, end[0] - scale * start[0]], [0, scale, end[1] - scale * start[1]]])
    placed = [pose.transformed(move, canvas) for pose in poses]
    beyond = [_beyond(pose, canvas) for pose in placed]
    count = sum(map(bool, beyond))
    if count:
        names = dict.fromkeys(name for names in beyond for name in names)
        warnings.append(
            f"In {count} of {len(placed)} frames parts of the pose lie outside the picture: "
            f"{', '.join(names)}."
        )
    return placed, tuple(warnings)


def _outline(pose: Pose) -> tuple[float, float, float, float]:
    """Box of the whole figure, hair and flesh included."""
    x0, y0, x1, y1 = pose.box()
    scale = body_scale(pose)
    ears = (pose.point("left_ear") + pose.point("right_ear")) / 2
    neck = (pose.point("left_shoulder") + pose.point("right_shoulder")) / 2
    up = (ears - neck) / max(float(np.linalg.norm(ears - neck)), 1e-6)
    crown = ears + up * HEAD_TOP * scale
    x0, y0, x1, y1 = x0 - 0.12 * scale, y0 - 0.12 * scale, x1 + 0.12 * scale, y1 + 0.05 * scale
    return min(x0, crown[0]), min(y0, crown[1]), max(x1, crown[0]), max(y1, crown[1])


def _foot_rows(pose: Pose) -> list[int]:
    return [pose.skeleton.index[f"{side}_{n}"] for side in ("left", "right") for n in _FEET]


def _ground(pose: Pose) -> float:
    """Lowest y of the figure: its feet, or its hands in a handstand."""
    return float(pose.keypoints[:, 1].max())


def _visible_ground(subject: Pose, canvas: tuple[int, int]) -> float | None:
    """Lowest y of the person where the photo shows feet; None where it shows none.

    Somebody on their back with their legs in the air touches the ground elsewhere.
    """
    rows = _foot_rows(subject)
    ankles = [subject.skeleton.index[f"{side}_ankle"] for side in ("left", "right")]
    points, sure = subject.keypoints, subject.confidence
    shown_ankles = [i for i in ankles if sure[i] >= _SURE and points[i, 1] < canvas[0]]
    if not shown_ankles:
        return None
    lowest = max(points[rows, 1].max(), points[sure >= _SURE, 1].max())
    return float(min(lowest, canvas[0] - 1))


def _has_feet(pose: Pose) -> bool:
    ankles = [pose.skeleton.index[f"{side}_ankle"] for side in ("left", "right")]
    return bool((pose.confidence[ankles] > INFERRED_CONFIDENCE).any())


def _beyond(pose: Pose, canvas: tuple[int, int]) -> list[str]:
    """Which regions of a pose lie outside a canvas, in words."""
    height, width = canvas
    x, y = pose.keypoints[:, 0], pose.keypoints[:, 1]
    outside = (x < 0) | (y < 0) | (x > width) | (y > height)
    index = pose.skeleton.index
    regions = {
        "the head": ("nose", "left_ear", "right_ear"),
        "the left arm": ("left_elbow", "left_wrist"),
        "the right arm": ("right_elbow", "right_wrist"),
        "the left leg": ("left_knee", "left_ankle"),
        "the right leg": ("right_knee", "right_ankle"),
    }
    return [r for r, names in regions.items() if outside[[index[n] for n in names]].any()]
