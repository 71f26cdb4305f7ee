"""Guesses the joints that a detector or a file did not give, so that a pose can be drawn whole.

Guessing is geometry: the other side of the body, the joints on either side, the usual proportions
of a standing person. Nothing here depends on where in the picture, how large, or which way round
the person is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from pose.convert import convert
from pose.retarget import TYPICAL, body_scale
from pose.skeletons import BODY27, OPENPOSE25
from pose.types import MAX_COORDINATE_PX, Pose

INFERRED_CONFIDENCE = 0.05
"""Confidence of guessed joints, below that of any joint a detector stands by."""

_SIDES = {"left": 1.0, "right": -1.0}
_OTHER = {"left": "right", "right": "left"}
_HAND = ("pinky", "index", "thumb")
_FOOT = ("heel", "foot_index")
_CORNERS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
# Head points in body scales from the middle of the shoulders: up, and to the person's left where
# they face the camera (measured on rendered people).
_HEAD = {
    "nose": (0.37, 0.0),
    "left_eye": (0.45, 0.06),
    "right_eye": (0.45, -0.06),
    "left_ear": (0.42, 0.16),
    "right_ear": (0.42, -0.16),
}
# Hand points from the wrist: along the forearm and towards the middle of the body, in body scales.
_HAND_OFFSETS = {"pinky": (0.17, -0.03), "index": (0.19, 0.03), "thumb": (0.09, 0.08)}
# Foot points from the ankle: along the shin, outwards, and where the face looks, in body scales.
_FOOT_OFFSETS = {"heel": (0.09, -0.02, -0.10), "foot_index": (0.20, 0.06, 0.30)}
_LIMBS = {
    "arm": (("shoulder", "elbow", "wrist"), (TYPICAL["upper_arm"], TYPICAL["forearm"])),
    "leg": (("hip", "knee", "ankle"), (TYPICAL["thigh"], TYPICAL["shin"])),
}
_WORDS = {
    "pinky": "little finger",
    "index": "index finger",
    "foot_index": "toes",
    "heel": "heel",
}
_PROPORTIONS = "the usual proportions of a body"
_TOO_LITTLE = (
    "the pose shows too little of the body to guess the rest; "
    "it needs at least two of the shoulders and hips"
)


def complete(pose: Pose) -> tuple[Pose, tuple[str, ...]]:
    """Give a pose every joint of the skeleton used inside.

    Missing joints are inferred: limbs from the other side of the body or, where that is missing
    too, hanging down; a knee or elbow between its neighbours; hands and feet along forearm and
    shin; the face from its own points and the neck. Given joints keep their place.

    Args:
        pose: A pose of any skeleton.

    Returns:
        A BODY27 pose without missing keypoints, guessed ones with `INFERRED_CONFIDENCE`, and a
        plain sentence for each region of the body where a joint is missing that the pose's own
        format could have had. `pose` itself and no sentence where nothing is missing.

    Raises:
        ValueError: If fewer than two of the shoulders and hips are there, or all in one place.
    """
    if pose.skeleton is BODY27 and pose.present.all():
        return pose, ()
    guess = _Guess(pose)
    guess.torso()
    guess.head()
    for side in _SIDES:
        for limb in _LIMBS:
            guess.limb(side, limb)
    for side in _SIDES:
        guess.hand(side)
        guess.foot(side)
    given = convert(pose, BODY27)
    points = np.stack([guess.at[name] for name in BODY27.keypoints])
    points = np.where(
        given.present[:, None],
        given.keypoints,
        np.clip(points, -MAX_COORDINATE_PX, MAX_COORDINATE_PX),
    )
    confidence = np.where(given.present, given.confidence, INFERRED_CONFIDENCE)
    return replace(given, keypoints=points, confidence=confidence), _warnings(pose, guess.sources)


def _across(vector: np.ndarray) -> np.ndarray:
    """A quarter turn: for "down" in the picture, to the left side of a person facing us."""
    return np.array([vector[1], -vector[0]])


def _unit(vector: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    length = np.hypot(*vector)
    return vector / length if length > 1e-9 * (1 + np.abs(vector).max()) else otherwise


class _Guess:
    """The joints known so far, and where the guessed ones came from."""

    def __init__(self, pose: Pose) -> None:
        with_middles = convert(convert(pose, BODY27), OPENPOSE25)
        self.at: dict[str, np.ndarray] = {
            name: pose.point(name) for name in BODY27.keypoints if not np.isnan(pose.point(name)[0])
        }
        self.given = frozenset(self.at)
        self.sources: dict[str, str] = {}
        for joint, middle in (("shoulder", "neck"), ("hip", "mid_hip")):
            centre = pose.point(middle)
            if np.isnan(centre[0]):
                centre = with_middles.point(middle)
            for side, other in _OTHER.items():
                mirrored = f"{other}_{joint}"
                if mirrored in self.given and not np.isnan(centre[0]):
                    self._put(
                        f"{side}_{joint}", 2 * centre - self.at[mirrored], f"the {other} {joint}"
                    )
        if sum(name in self.at for name in _CORNERS) < 2:
            raise ValueError(_TOO_LITTLE)
        known = np.array([self.at.get(name, np.full(2, np.nan)) for name in BODY27.keypoints])
        confidence = np.where(np.isnan(known[:, 0]), 0.0, 1.0)
        try:
            self.scale = body_scale(Pose(BODY27, known, confidence))
        except ValueError:
            # A shoulder and the opposite hip alone.
            ends = [self.at[name] for name in _CORNERS if name in self.at]
            self.scale = float(np.hypot(*(ends[0] - ends[-1])))
        if self.scale < 1e-6:
            raise ValueError("the joints of the pose all lie in one place; it cannot be completed")

    def _put(self, name: str, point: np.ndarray, source: str) -> None:
        if name not in self.at:
            self.at[name] = point
            self.sources[name] = source

    def _mean(self, names: Iterable[str]) -> np.ndarray | None:
        points = [self.at[name] for name in names if name in self.given]
        return np.mean(points, axis=0) if points else None

    # -- torso -------------------------------------------------------------------------------

    def torso(self) -> None:
        """Shoulders and hips, and the frame that everything else is measured in."""
        at = self.at
        widths = {joint: TYPICAL[f"{joint}s"] * self.scale for joint in ("shoulder", "hip")}
        pairs = {
            joint: at[f"left_{joint}"] - at[f"right_{joint}"]
            for joint in widths
            if f"left_{joint}" in at and f"right_{joint}" in at
        }
        down = self._down(pairs)
        for joint, opposite in (("shoulder", "hip"), ("hip", "shoulder")):
            if joint in pairs:
                continue
            if opposite in pairs:
                across = pairs[opposite] * (widths[joint] / widths[opposite])
            else:
                across = self._sideways(down) * widths[joint]
            known = [side for side in _SIDES if f"{side}_{joint}" in at]
            if known:
                centre = at[f"{known[0]}_{joint}"] - _SIDES[known[0]] * across / 2
                source = f"the {known[0]} {joint}"
            else:
                # Here the other pair is complete: two corners are known, and none of these.
                towards = 1.0 if joint == "hip" else -1.0
                centre = (at[f"left_{opposite}"] + at[f"right_{opposite}"]) / 2
                centre = centre + towards * TYPICAL["trunk"] * self.scale * down
                source = f"the {opposite}s"
            for side, sign in _SIDES.items():
                self._put(f"{side}_{joint}", centre + sign * across / 2, source)
        self.neck = (at["left_shoulder"] + at["right_shoulder"]) / 2
        self.pelvis = (at["left_hip"] + at["right_hip"]) / 2
        self.down = _unit(self.pelvis - self.neck, down)
        # How far the body faces the camera or turns its back: +1, -1; 0 in profile.
        width = np.dot(at["left_shoulder"] - at["right_shoulder"], _across(self.down))
        self.facing = float(np.clip(width / (TYPICAL["shoulders"] * self.scale), -1, 1))

    def _down(self, pairs: dict[str, np.ndarray]) -> np.ndarray:
        """Unit vector from the shoulders to the hips, as well as the given joints tell it."""
        shoulders = self._mean(("left_shoulder", "right_shoulder"))
        hips = self._mean(("left_hip", "right_hip"))
        gravity = np.array([0.0, 1.0])
        if shoulders is not None and hips is not None and len(pairs) != 1:
            return _unit(hips - shoulders, gravity)
        for side in _SIDES:
            if f"{side}_shoulder" in self.at and f"{side}_hip" in self.at:
                return _unit(self.at[f"{side}_hip"] - self.at[f"{side}_shoulder"], gravity)
        if shoulders is not None:
            below = self._mean(f"{s}_{j}" for s in _SIDES for j in ("knee", "ankle"))
            if below is not None:
                return _unit(below - shoulders, gravity)
            top = self._mean(_HEAD)
            if top is not None:  # a head leans more than the trunk does
                return _unit(_unit(shoulders - top, gravity) + gravity, gravity)
        elif hips is not None:
            above = self._mean((*_HEAD, *(f"{s}_elbow" for s in _SIDES)))
            if above is not None:
                return _unit(hips - above, gravity)
        return gravity

    def _sideways(self, down: np.ndarray) -> np.ndarray:
        """Unit vector towards the person's left, told by whatever pair there is."""
        sideways = _across(down)
        for joint in ("ear", "eye", "knee", "ankle", "elbow", "wrist"):
            left, right = (self.at.get(f"{side}_{joint}") for side in _SIDES)
            if left is not None and right is not None:
                return sideways if np.dot(left - right, sideways) >= 0 else -sideways
        return sideways

    # -- head --------------------------------------------------------------------------------

    def head(self) -> None:
        """Face points: a usual head, moved to the points of it that are there."""
        up, left = -self.down, _across(self.down) * self.facing
        usual = {
            name: self.neck + self.scale * (height * up + side * left)
            for name, (height, side) in _HEAD.items()
        }
        known = [name for name in _HEAD if name in self.given]
        shift = np.mean([self.at[name] - usual[name] for name in known] or [np.zeros(2)], axis=0)
        source = "the rest of the head" if known else "the shoulders"
        for name, point in usual.items():
            self._put(name, point + shift, source)

    # -- arms and legs -----------------------------------------------------------------------

    def limb(self, side: str, limb: str) -> None:
        """Elbow and wrist, or knee and ankle."""
        (root, middle, end), lengths = _LIMBS[limb]
        names = [f"{side}_{joint}" for joint in (root, middle, end)]
        other = [f"{_OTHER[side]}_{joint}" for joint in (root, middle, end)]
        source = f"the {_OTHER[side]} {limb}"
        hanging = self._hanging(side, limb)

        if names[1] not in self.given and names[2] in self.given:
            self._put(names[1], self._between(names[0], names[2], lengths), "the joints beside it")
        if names[1] not in self.given and names[1] not in self.at:
            if other[1] in self.given:
                self._put(names[1], self.at[names[0]] + self._mirrored(other[0], other[1]), source)
            else:
                step = hanging * lengths[0] * self.scale
                self._put(names[1], self.at[names[0]] + step, _PROPORTIONS)
        if names[2] not in self.given:
            if other[1] in self.given and other[2] in self.given:
                self._put(names[2], self.at[names[1]] + self._mirrored(other[1], other[2]), source)
            else:
                ahead = _unit(self.at[names[1]] - self.at[names[0]], hanging)
                step = _unit(ahead + hanging, hanging) * lengths[1] * self.scale
                self._put(names[2], self.at[names[1]] + step, _PROPORTIONS)

    def _hanging(self, side: str, limb: str) -> np.ndarray:
        """Unit vector of a limb at rest: along the trunk, arms a little away from it."""
        outwards = _SIDES[side] * self.facing * _across(self.down)
        return _unit(self.down + (0.12 if limb == "arm" else 0.02) * outwards, self.down)

    def _mirrored(self, start: str, end: str) -> np.ndarray:
        """A limb of one side as it looks on the other, where both sides move alike."""
        step = self.at[end] - self.at[start]
        across = _across(self.down)
        # From the front the sides mirror each other; in profile they lie behind one another.
        return step - 2 * abs(self.facing) * np.dot(step, across) * across

    def _between(self, start: str, end: str, lengths: tuple[float, float]) -> np.ndarray:
        """The elbow or knee between two known joints, bent outwards as far as it must."""
        a, b = self.at[start], self.at[end]
        upper, lower = (length * self.scale for length in lengths)
        way = b - a
        distance = float(np.hypot(*way))
        share = upper / (upper + lower)
        bend = np.sqrt(max(upper**2 - (share * distance) ** 2, 0.0))
        # Much of the bend is usually towards the camera, hence the half.
        normal = _across(_unit(way, self.down))
        outwards = _unit(a - (self.neck + self.pelvis) / 2, np.zeros(2))
        return a + share * way + 0.5 * bend * np.dot(outwards, normal) * normal

    # -- hands and feet ----------------------------------------------------------------------

    def hand(self, side: str) -> None:
        """Finger points, along the forearm; the thumb towards the body."""
        wrist, elbow = self.at[f"{side}_wrist"], self.at[f"{side}_elbow"]
        full = TYPICAL["forearm"] * self.scale
        along = (wrist - elbow) / full  # shorter where the forearm points at the camera
        along = along / max(1.0, float(np.hypot(*along)))
        normal = _across(_unit(along, self.down))
        inwards = _unit((self.neck + self.pelvis) / 2 - wrist, np.zeros(2))
        inwards = np.dot(inwards, normal) * normal
        usual = {
            name: wrist + self.scale * (ahead * along + inner * inwards)
            for name, (ahead, inner) in _HAND_OFFSETS.items()
        }
        self._put_group(side, usual, "forearm", "hand")

    def foot(self, side: str) -> None:
        """Heel and toes, from the shin and from where the face looks."""
        ankle, knee = self.at[f"{side}_ankle"], self.at[f"{side}_knee"]
        shin = _unit(ankle - knee, self.down)
        normal = _across(shin)
        outwards = _SIDES[side] * self.facing * normal
        ahead = np.zeros(2)
        if "nose" in self.given:
            ears = self._mean(("left_ear", "right_ear"))
            reach = (self.at["nose"] - (self.neck if ears is None else ears)) / self.scale
            profile = np.sqrt(1 - self.facing**2)
            ahead = np.clip(np.dot(reach, normal) / 0.2, -1, 1) * profile * normal
        usual = {
            name: ankle + self.scale * (down * shin + out * outwards + front * ahead)
            for name, (down, out, front) in _FOOT_OFFSETS.items()
        }
        self._put_group(side, usual, "shin", "foot")

    def _put_group(self, side: str, usual: dict[str, np.ndarray], limb: str, whole: str) -> None:
        known = [name for name in usual if f"{side}_{name}" in self.given]
        shifts = [self.at[f"{side}_{name}"] - usual[name] for name in known] or [np.zeros(2)]
        source = f"the rest of the {side} {whole}" if known else f"the {side} {limb}"
        for name, point in usual.items():
            self._put(f"{side}_{name}", point + np.mean(shifts, axis=0), source)


# -- warnings --------------------------------------------------------------------------------


def _warnings(pose: Pose, sources: dict[str, str]) -> tuple[str, ...]:
    """One sentence for each region in which a joint of the pose's own format was guessed."""
    lost = {name for name in sources if name in pose.skeleton.index}
    had = set(pose.skeleton.keypoints)
    regions = [("head", "The head", tuple(_HEAD)), ("torso", "The torso", _CORNERS)]
    for limb, joints in (("arm", ("elbow", "wrist", *_HAND)), ("leg", ("knee", "ankle", *_FOOT))):
        names = {side: tuple(f"{side}_{joint}" for joint in joints) for side in _SIDES}
        if all(name in lost for side in _SIDES for name in names[side] if name in had) and any(
            name in had for name in names["left"]
        ):
            regions.append((limb, f"Both {limb}s", (*names["left"], *names["right"])))
        else:
            regions += [(limb, f"The {side} {limb}", names[side]) for side in _SIDES]
    sentences = []
    for _, whole, names in regions:
        guessed = [name for name in names if name in lost]
        if not guessed:
            continue
        everything = len(guessed) > 1 and all(name in lost for name in names if name in had)
        plural = whole.startswith("Both") if everything else len(guessed) > 1
        subject = whole if everything else "The " + _listed([_words(name) for name in guessed])
        sentences.append(
            f"{subject} {'were' if plural else 'was'} not found; "
            f"{'they were' if plural else 'it was'} guessed from "
            f"{_source([sources[name] for name in guessed])}."
        )
    return tuple(sentences)


def _words(name: str) -> str:
    side, _, joint = name.partition("_")
    return f"{side} {_WORDS.get(joint, joint)}" if side in _SIDES else name


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _source(sources: list[str]) -> str:
    """What a region was guessed from: the source of its first joint, unless that is too narrow."""
    main = [source for source in sources if not source.endswith(("forearm", "shin"))] or sources
    return main[0] if len(set(main)) == 1 else "the rest of the body"
