"""Skeleton tables: which keypoints a format has, in which order, and which limbs join them.

One vocabulary of names serves all formats, so that converting is renaming. "left" and "right" are
the person's own. The tables follow the formats' own documents: MediaPipe's `PoseLandmark` enum,
COCO's annotation format, OpenPose's BODY_25 and COCO_18 output, and the README of CompVis/vunet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

_SIDES = ("left", "right")


def _both(*names: str) -> tuple[str, ...]:
    """Left and right of each name, in turn."""
    return tuple(f"{side}_{name}" for name in names for side in _SIDES)


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of one pose format."""

    name: str
    """Short name, unique among `SKELETONS`."""
    keypoints: tuple[str, ...]
    """Names in the format's own order."""
    edges: tuple[tuple[str, str], ...]
    """Pairs of keypoint names that are joined when the skeleton is drawn."""

    def __post_init__(self) -> None:
        if len(set(self.keypoints)) != len(self.keypoints):
            raise ValueError(f"skeleton {self.name} names a keypoint twice")
        unknown = {name for edge in self.edges for name in edge} - set(self.keypoints)
        if unknown:
            raise ValueError(f"skeleton {self.name} has edges to unknown keypoints {unknown}")

    def __len__(self) -> int:
        return len(self.keypoints)

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each keypoint name."""
        return {name: i for i, name in enumerate(self.keypoints)}

    @cached_property
    def limbs(self) -> tuple[tuple[int, int], ...]:
        """`edges` as pairs of positions."""
        return tuple((self.index[a], self.index[b]) for a, b in self.edges)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each keypoint, the position of its counterpart on the other side of the body."""
        return tuple(self.index[_other_side(name)] for name in self.keypoints)


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name[5:]
    if name.startswith("right_"):
        return "left_" + name[6:]
    if name.startswith("mouth_"):
        return "mouth_" + {"left": "right", "right": "left"}[name[6:]]
    return name


_BODY_EDGES = (
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
_HAND_FOOT_EDGES = tuple(
    (f"{side}_{a}", f"{side}_{b}")
    for side in _SIDES
    for a, b in (
        ("wrist", "pinky"),
        ("wrist", "index"),
        ("wrist", "thumb"),
        ("ankle", "heel"),
        ("heel", "foot_index"),
    )
)
_NECK_EDGES = (
    ("neck", "nose"),
    ("neck", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("nose", "right_eye"),
    ("right_eye", "right_ear"),
    ("nose", "left_eye"),
    ("left_eye", "left_ear"),
)

COCO17 = Skeleton(
    "coco17",
    ("nose", *_both("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
    _BODY_EDGES,
)
"""The 17 keypoints of COCO's person annotations."""

BODY27 = Skeleton(
    "body27",
    (*COCO17.keypoints, *_both("pinky", "index", "thumb", "heel", "foot_index")),
    _BODY_EDGES + _HAND_FOOT_EDGES,
)
"""The skeleton used inside: COCO-17, then hand and foot points. A subset of MediaPipe-33."""

MEDIAPIPE33 = Skeleton(
    "mediapipe33",
    (
        "nose",
        *(f"{side}_eye{end}" for side in _SIDES for end in ("_inner", "", "_outer")),
        *_both("ear"),
        "mouth_left",
        "mouth_right",
        *_both("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
        *_both("hip", "knee", "ankle", "heel", "foot_index"),
    ),
    (*_BODY_EDGES, *_HAND_FOOT_EDGES, ("mouth_left", "mouth_right")),
)
"""The 33 BlazePose landmarks of MediaPipe."""

_RIGHT_ARM_LEFT_ARM = (
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
)
_RIGHT_LEG = ("right_hip", "right_knee", "right_ankle")
_LEFT_LEG = ("left_hip", "left_knee", "left_ankle")
_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")

OPENPOSE18 = Skeleton(
    "openpose18",
    ("nose", "neck", *_RIGHT_ARM_LEFT_ARM, *_RIGHT_LEG, *_LEFT_LEG, *_FACE),
    (("neck", "right_hip"), ("neck", "left_hip"), *_NECK_EDGES),
)
"""OpenPose's COCO_18, which ControlNet's pose pictures and files also use."""

OPENPOSE25 = Skeleton(
    "openpose25",
    (
        *("nose", "neck", *_RIGHT_ARM_LEFT_ARM, "mid_hip", *_RIGHT_LEG, *_LEFT_LEG, *_FACE),
        *("left_foot_index", "left_small_toe", "left_heel"),
        *("right_foot_index", "right_small_toe", "right_heel"),
    ),
    (
        ("neck", "mid_hip"),
        ("mid_hip", "right_hip"),
        ("mid_hip", "left_hip"),
        *_NECK_EDGES,
        *((f"{s}_ankle", f"{s}_foot_index") for s in _SIDES),
        *((f"{s}_foot_index", f"{s}_small_toe") for s in _SIDES),
        *((f"{s}_ankle", f"{s}_heel") for s in _SIDES),
    ),
)
"""OpenPose's BODY_25. Its "big toe" is called foot_index here, as in MediaPipe."""

VUNET15 = Skeleton(
    "vunet15",
    (
        *("right_ankle", "right_knee", "right_hip", "right_shoulder"),
        *("right_elbow", "right_wrist", "right_eye"),
        *("left_ankle", "left_knee", "left_hip", "left_shoulder"),
        *("left_elbow", "left_wrist", "left_eye", "nose"),
    ),
    (
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        *((f"{s}_ankle", f"{s}_knee") for s in _SIDES),
        *((f"{s}_knee", f"{s}_hip") for s in _SIDES),
        *((f"{s}_hip", f"{s}_shoulder") for s in _SIDES),
        *((f"{s}_shoulder", f"{s}_elbow") for s in _SIDES),
        *((f"{s}_elbow", f"{s}_wrist") for s in _SIDES),
    ),
)
"""The 15 joints of CompVis/vunet's data files."""

SKELETONS = {s.name: s for s in (BODY27, COCO17, MEDIAPIPE33, OPENPOSE18, OPENPOSE25, VUNET15)}
"""All skeletons by name."""
