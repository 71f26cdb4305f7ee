"""Stick figures drawn as by hand, from known joints, and how well they are read back.

    python -m tests.pose.scribbles.figures

run in the repository's root prints the figures that the promise of reading scribbles is held to:
the mean error of a joint in heights of the figure (trunk, longer leg and head laid out straight),
and the share of figures with every limb on its own chain of joints.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pose import Pose
from pose.presets import PRESETS
from pose.scribble import read_scribble

FIGURES = 208
TOLERANCE = 0.1
"""A joint this near to its place, in heights of the figure (a third of a trunk), is found."""
CLEAR = 0.05
"""A joint nearer to another limb than to its own by this, in heights, is on the wrong one."""
NOT_FOUND = 0.5
"""Error that a joint which was not found is charged with, in heights of the figure."""
KINDS = ("thin", "thick", "filled", "gaps", "jitter", "mirrored", "sitting", "crossed")
DRAWN = Path(__file__).parent
FRONT = (
    *("standing", "standing_relaxed", "hands_on_hips", "one_hand_on_hip", "arms_up", "waving"),
    *("one_arm_raised", "t_pose", "a_pose", "jumping", "star_jump", "yoga_tree", "yoga_triangle"),
    *("yoga_warrior", "dance_1", "dance_2", "kicking", "pointing", "ballet"),
)
SIDE = (
    *("walking_left", "walking_right", "running_left", "running_right", "sitting", "kneeling"),
    *("crouching", "ballet_arabesque", "bowing", "boxing", "lunge"),
)
COLOURS = (
    *((20, 20, 20), (30, 60, 160), (190, 30, 40), (20, 120, 60), (90, 40, 120), (60, 60, 60)),
)
GROUNDS = ((255, 255, 255), (250, 246, 230), (225, 235, 245), (255, 240, 150), (235, 235, 235))
JOINTS = ("elbow", "wrist", "knee", "ankle")


@dataclass(frozen=True)
class Figure:
    """A stick figure to be drawn: x, y in units of its trunk, y down."""

    at: dict[str, np.ndarray]
    head: np.ndarray
    radius: float

    @property
    def height(self) -> float:
        legs = max(
            np.hypot(*(self.at[f"{s}_knee"] - self.at["pelvis"]))
            + np.hypot(*(self.at[f"{s}_ankle"] - self.at[f"{s}_knee"]))
            for s in ("left", "right")
        )
        return float(np.hypot(*(self.at["pelvis"] - self.head)) + self.radius + legs)


@dataclass(frozen=True)
class Style:
    """How a figure is drawn."""

    size: tuple[int, int] = (600, 500)
    pen: int = 5
    ink: tuple[int, int, int] = (20, 20, 20)
    ground: tuple[int, int, int] = (255, 255, 255)
    head: str = "ring"
    """ring, open or filled."""
    wobble: float = 0.0
    """Of the strokes, in trunks."""
    gaps: bool = False
    one_stroke: bool = False
    """Arms as one curve from hand to hand."""
    feet: bool = False
    hands: bool = False
    fill: float = 0.8
    """Share of the canvas that the figure takes."""
    shift: tuple[float, float] = (0.0, 0.0)
    gap_px: float = 0.0
    """Widest bare stretch in each stroke, in pixels of the picture."""
    loose: float = 0.0
    """By how much limbs begin beside the trunk or beyond it at most, in trunks."""


def random_style(rng: np.random.Generator) -> Style:
    side = int(rng.integers(200, 901))
    size = (side, int(np.clip(side * rng.uniform(0.7, 1.3), 200, 900)))
    thickest = min(14, side // 28)
    ink, ground = COLOURS[rng.integers(len(COLOURS))], GROUNDS[rng.integers(len(GROUNDS))]
    if rng.random() < 0.3:
        ink, ground = ground, ink
    return Style(
        size,
        int(rng.integers(2, thickest + 1)),
        ink,
        ground,
        str(rng.choice(["ring", "ring", "open", "filled"])),
        float(rng.uniform(0, 0.03)),
        bool(rng.random() < 0.3),
        bool(rng.random() < 0.3),
        bool(rng.random() < 0.3),
        bool(rng.random() < 0.2),
        float(rng.uniform(0.6, 0.9)),
    )


def of_preset(name: str) -> Figure:
    """A preset as one would draw it: arms from the neck, legs from the middle of the hips."""
    pose = PRESETS[name]
    neck = (pose.point("left_shoulder") + pose.point("right_shoulder")) / 2
    pelvis = (pose.point("left_hip") + pose.point("right_hip")) / 2
    trunk = np.hypot(*(pelvis - neck))
    ears = (pose.point("left_ear") + pose.point("right_ear")) / 2
    at = {f"{s}_{j}": (pose.point(f"{s}_{j}") - neck) for s in ("left", "right") for j in JOINTS}
    at |= {"pelvis": pelvis - neck, "shoulder": 0.06 * (pelvis - neck)}
    head = (ears - neck) * 1.15
    radius = min(0.24 * trunk, 0.8 * np.hypot(*head))
    return Figure({k: v / trunk for k, v in at.items()}, head / trunk, radius / trunk)


def random_front(rng: np.random.Generator) -> Figure:
    """Somebody facing us: each arm and leg on its own side, bent or straight."""

    def ray(degrees: float) -> np.ndarray:
        """0 is down, 90 the picture's right."""
        return np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])

    lean = rng.normal(0, 6)
    pelvis = ray(lean)
    shoulder = rng.uniform(0.05, 0.25) * pelvis
    radius = rng.uniform(0.2, 0.42)
    head = -(radius + rng.uniform(0.0, 0.15)) * ray(lean + rng.normal(0, 6))
    at = {"pelvis": pelvis, "shoulder": shoulder}
    arm, leg = rng.uniform(0.4, 0.6), rng.uniform(0.55, 0.85)
    for side, sign in (("left", 1), ("right", -1)):
        angle = rng.uniform(25, 150)
        bend = rng.choice([0, rng.uniform(30, 110), -rng.uniform(30, 90)])
        at[f"{side}_elbow"] = shoulder + arm * ray(sign * angle)
        # The hand stays on the arm's own side, and off the head.
        turned = np.clip(angle + bend, 5, 165)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] + arm * ray(sign * turned)
        spread = rng.uniform(10, 45)
        bend = rng.choice([0, rng.uniform(-40, 30)])
        at[f"{side}_knee"] = pelvis + leg * ray(sign * spread)
        at[f"{side}_ankle"] = at[f"{side}_knee"] + leg * ray(sign * (spread + bend))
    return Figure(at, head, radius)


def _stroke(points: list[np.ndarray], wobble: float, rng: np.random.Generator) -> np.ndarray:
    """(N, 2) a line through points as a hand draws it: through them, but not straight."""
    pieces = []
    for a, b in itertools.pairwise(points):
        t = np.linspace(0, 1, 24)[:, None]
        across = np.array([-(b - a)[1], (b - a)[0]]) / max(np.hypot(*(b - a)), 1e-6)
        waves = sum(
            rng.normal(0, 1) / k * np.sin(np.pi * k * t) for k in (1, 2, 3, 4)
        )  # none at the ends
        pieces.append(a + t * (b - a) + wobble * waves * across)
    return np.concatenate(pieces)


def draw(figure: Figure, style: Style, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and the (2, 3) matrix from the figure's units to its pixels."""
    at = figure.at
    everything = np.array([*at.values(), figure.head - figure.radius, figure.head + figure.radius])
    low, high = everything.min(axis=0), everything.max(axis=0)
    height, width = style.size
    scale = style.fill * min(width / (high - low)[0], height / (high - low)[1])
    middle = np.array([width, height]) * (0.5 + np.array(style.shift))
    matrix = np.hstack([scale * np.eye(2), (middle - scale * (low + high) / 2)[:, None]])
    canvas = np.full((height, width, 3), style.ground, np.uint8)

    def put(points: np.ndarray, pen: int = style.pen) -> None:
        pixels = points @ matrix[:, :2].T + matrix[:, 2]
        fixed = np.round((pixels - 0.5) * 16).astype(np.int32)
        if style.gaps and len(fixed) > 40:
            start = int(rng.integers(8, len(fixed) - 12))
            gap = max(1, round(0.05 * scale / max(_spacing(pixels), 1e-6)))
            parts = [fixed[:start], fixed[start + gap :]]
        elif style.gap_px:
            bare = rng.uniform(1, style.gap_px) + style.pen  # round ends cover half a pen each
            so_far = np.cumsum(np.hypot(*np.diff(pixels, axis=0, prepend=pixels[:1]).T))
            start = rng.uniform(0.1, 0.9) * so_far[-1]
            parts = [
                fixed[so_far <= start],
                fixed[so_far >= start + bare],
            ]
        else:
            parts = [fixed]
        for part in parts:
            cv2.polylines(canvas, [part], False, style.ink, pen, cv2.LINE_AA, 4)

    wobble = style.wobble
    turn = np.linspace(0, 2 * np.pi * (0.88 if style.head == "open" else 1), 60)
    turn = turn + rng.uniform(0, 2 * np.pi)
    oval = rng.uniform(0.85, 1.15)
    radii = figure.radius * (1 + 2 * wobble * np.sin(2 * turn + rng.uniform(0, 6)))
    ring = figure.head + np.stack(
        [oval * radii * np.cos(turn), radii / oval * np.sin(turn)], axis=1
    )
    if style.head == "filled":
        pixels = ring @ matrix[:, :2].T + matrix[:, 2]
        cv2.fillPoly(canvas, [np.round(pixels).astype(np.int32)], style.ink, cv2.LINE_AA)
    else:
        put(ring)
    towards = at["pelvis"] - figure.head
    chin = figure.head + figure.radius * towards / np.hypot(*towards)
    put(_stroke([chin, at["pelvis"]], wobble, rng))

    def loose(root: np.ndarray) -> np.ndarray:
        return root + (rng.uniform(-style.loose, style.loose, 2) if style.loose else 0.0)

    arms = {
        s: [loose(at["shoulder"]), at[f"{s}_elbow"], at[f"{s}_wrist"]] for s in ("left", "right")
    }
    legs = {s: [loose(at["pelvis"]), at[f"{s}_knee"], at[f"{s}_ankle"]] for s in ("left", "right")}
    if style.one_stroke:
        put(_stroke([*arms["left"][::-1], *arms["right"][1:]], wobble, rng))
    else:
        for arm in arms.values():
            put(_stroke(arm, wobble, rng))
    for side, leg in legs.items():
        line = list(leg)
        if style.feet:
            line.append(leg[-1] + [0.18 if side == "left" else -0.18, 0.03])
        put(_stroke(line, wobble, rng))
    if style.hands:
        for arm in arms.values():
            x, y = matrix[:, :2] @ arm[-1] + matrix[:, 2]
            cv2.circle(canvas, (round(x), round(y)), round(0.9 * style.pen) + 1, style.ink, -1)
    return canvas, matrix


def _spacing(points: np.ndarray) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).mean())


def distances(figure: Figure, matrix: np.ndarray, pose: Pose | None) -> dict[str, float]:
    """How far each joint was read from its place, in heights of the figure; infinite if not."""
    unit = matrix[0, 0] * figure.height
    wanted = {name: at for name, at in figure.at.items() if name not in ("pelvis", "shoulder")}
    wanted["nose"] = figure.head
    apart = {}
    for name, at in wanted.items():
        found = np.full(2, np.nan) if pose is None else pose.point(name)
        distance = np.hypot(*(found - matrix[:, :2] @ at - matrix[:, 2])) / unit
        apart[name] = float(np.nan_to_num(distance, nan=np.inf))
    return apart


def either_side(apart: dict[str, float], swapped: dict[str, float]) -> dict[str, float]:
    """The better of both ways to name the arms, and likewise the legs."""
    best = dict(apart)
    for joints in (("elbow", "wrist"), ("knee", "ankle")):
        names = [f"{side}_{joint}" for side in ("left", "right") for joint in joints]
        if sum(min(swapped[n], 1) for n in names) < sum(min(apart[n], 1) for n in names):
            best |= {n: swapped[n] for n in names}
    return best


# -- the promise -----------------------------------------------------------------------------


def _ray(degrees: float) -> np.ndarray:
    """0 is down, 90 the picture's right."""
    return np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])


def mirrored(figure: Figure) -> Figure:
    """Left and right exchanged, in the picture and in the names."""
    other = {"left": "right", "right": "left"}
    at = {}
    for name, point in figure.at.items():
        side, _, joint = name.partition("_")
        at[f"{other[side]}_{joint}" if joint else name] = point * [-1, 1]
    return Figure(at, figure.head * [-1, 1], figure.radius)


def random_sitting(rng: np.random.Generator) -> Figure:
    """Somebody on a chair that is not drawn, from the front or from the side.

    From the side no knee lies on the other leg's shin: there lines do not show which shin is whose.
    """
    figure = random_front(rng)
    at, pelvis, shoulder = dict(figure.at), figure.at["pelvis"], figure.at["shoulder"]
    arm, leg = rng.uniform(0.4, 0.55), rng.uniform(0.5, 0.75)
    if rng.random() < 0.5:
        for side, sign in (("left", 1), ("right", -1)):
            at[f"{side}_knee"] = pelvis + leg * _ray(sign * rng.uniform(55, 85))
            at[f"{side}_ankle"] = at[f"{side}_knee"] + leg * _ray(sign * rng.uniform(-8, 12))
        return Figure(at, figure.head, figure.radius)
    while True:
        thigh, upper = rng.uniform(75, 100), rng.uniform(15, 45)
        for side in ("left", "right"):
            at[f"{side}_knee"] = pelvis + leg * _ray(thigh)
            at[f"{side}_ankle"] = at[f"{side}_knee"] + leg * _ray(rng.uniform(-25, 30))
            at[f"{side}_elbow"] = shoulder + arm * _ray(upper)
            at[f"{side}_wrist"] = at[f"{side}_elbow"] + arm * _ray(upper + rng.uniform(20, 70))
            thigh, upper = thigh - rng.uniform(15, 35), upper - rng.uniform(25, 50)
        shin = np.array([at["left_knee"], at["left_ankle"]])
        if _from_line(at["right_knee"], shin) > 0.12:
            break
    sitting = Figure(at, figure.head, figure.radius)
    return mirrored(sitting) if rng.random() < 0.5 else sitting


def random_crossed(rng: np.random.Generator) -> Figure:
    """Somebody facing us whose forearms cross before the trunk, with lines that can be told apart.

    No elbow is folded so far, and no forearm lies so close to the other, that two strokes become
    one: nobody could read that.
    """
    figure = random_front(rng)
    at, shoulder = dict(figure.at), figure.at["shoulder"]
    while True:
        for side, sign in (("left", 1), ("right", -1)):
            elbow = shoulder + rng.uniform(0.4, 0.55) * _ray(sign * rng.uniform(30, 75))
            over = elbow[0] * sign + rng.uniform(0.12, 0.35)  # beyond the trunk
            at[f"{side}_elbow"] = elbow
            across = np.array([-sign, np.tan(rng.uniform(-0.6, 0.6))])
            at[f"{side}_wrist"] = elbow + over * across
        uppers = [at[f"{side}_elbow"] - shoulder for side in ("left", "right")]
        fores = [at[f"{side}_wrist"] - at[f"{side}_elbow"] for side in ("left", "right")]
        folds = [_angle(-upper, fore) for upper, fore in zip(uppers, fores, strict=True)]
        if min(folds) > 40 and _angle(fores[0], -fores[1]) > 20:
            return Figure(at, figure.head, figure.radius)


def _angle(one: np.ndarray, two: np.ndarray) -> float:
    """Degrees between two directions."""
    cosine = one @ two / np.hypot(*one) / np.hypot(*two)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def promised(seed: int) -> tuple[str, Figure, Style, np.random.Generator]:
    """Number `seed` of the figures that the promise names: its kind, itself and its style."""
    kind = KINDS[seed % len(KINDS)]
    rng = np.random.default_rng([seed, 77])
    side = int(rng.integers(300, 801))
    size = (side, int(side * rng.uniform(0.75, 1.33)))
    pen = int(rng.integers(3, max(4, side // 50) + 1))
    style = Style(
        size,
        pen,
        COLOURS[rng.integers(len(COLOURS))],
        GROUNDS[rng.integers(len(GROUNDS))],
        str(rng.choice(["ring", "ring", "open", "filled"])),
        float(rng.uniform(0, 0.025)),
        one_stroke=bool(rng.random() < 0.25),
        feet=bool(rng.random() < 0.25),
        hands=bool(rng.random() < 0.15),
        gap_px=float(rng.choice([0.0, 0.0, 6.0])),
        fill=float(rng.uniform(0.6, 0.92)),
    )
    if kind == "sitting":
        figure = random_sitting(rng)
    elif kind == "crossed":
        figure = random_crossed(rng)
        style = replace(style, one_stroke=False)
    elif rng.random() < 0.5:
        figure = random_front(rng)
    else:
        figure = of_preset(str(rng.choice(FRONT)))
    if kind == "thin":
        style = replace(style, pen=2)
    elif kind == "thick":
        style = replace(style, pen=max(6, side // 30))
    elif kind == "filled":
        style = replace(style, head="filled")
    elif kind == "gaps":
        style = replace(style, gap_px=6.0)
    elif kind == "jitter":
        style = replace(style, wobble=float(rng.uniform(0.025, 0.05)), loose=0.06)
    elif kind == "mirrored":
        figure = mirrored(figure)
    return kind, figure, style, rng


@dataclass(frozen=True)
class Reading:
    """How one drawing was read."""

    kind: str
    name: str
    image: np.ndarray
    pose: Pose | None
    wanted: dict[str, np.ndarray]
    """(2,) x, y in pixels of the drawn joints, `neck` and `pelvis` among them."""
    apart: dict[str, float]
    """How far each was read from its place, in heights of the figure; infinite if not at all."""
    chained: bool
    """Whether every limb is on its own chain of joints."""

    @property
    def error(self) -> float:
        """Mean over the joints, in heights of the figure."""
        return float(np.mean([min(distance, NOT_FOUND) for distance in self.apart.values()]))


def _point(pose: Pose, name: str) -> np.ndarray:
    pairs = {"neck": "shoulder", "pelvis": "hip", "head": ""}
    if name == "head":
        return pose.point("nose")
    if name in pairs:
        return (pose.point(f"left_{pairs[name]}") + pose.point(f"right_{pairs[name]}")) / 2
    return pose.point(name)


def compare(
    kind: str,
    name: str,
    image: np.ndarray,
    wanted: dict[str, np.ndarray],
    height: float,
    in_profile: bool,
) -> Reading:
    """Read a drawing and hold it against the joints that were meant.

    A limb is on its own chain if its end is no further than `TOLERANCE` from where it was drawn,
    its elbow or knee no further than `TOLERANCE` from its drawn line, and neither is clearly (by
    `CLEAR`) nearer to another limb's. How far along the line the middle is, is a matter of the
    error and not of the chain: straight limbs do not show it. Somebody who is drawn facing us has
    the right arm and leg further left in the picture, and has to be read so; only in profile,
    where lines do not show which arm or leg is the nearer one, may the two arms, and the two legs,
    change their names.

    Args:
        kind: The style it stands for.
        name: Of the drawing.
        image: (H, W, 3) uint8 RGB.
        wanted: (2,) x, y in pixels of `head`, `neck`, `pelvis` and both sides' `JOINTS`.
        height: Of the figure laid out straight, in pixels.
        in_profile: Whether the figure is seen from the side.
    """
    scribbled = read_scribble(image)
    pose = None if scribbled is None else scribbled.pose
    if pose is None:
        return Reading(kind, name, image, None, wanted, dict.fromkeys(wanted, np.inf), False)
    found = {joint: _point(pose, joint) for joint in wanted}

    def measured(found: dict[str, np.ndarray]) -> dict[str, float]:
        return {
            joint: float(np.nan_to_num(np.hypot(*(found[joint] - at)) / height, nan=np.inf))
            for joint, at in wanted.items()
        }

    if in_profile:
        for pair in (("elbow", "wrist"), ("knee", "ankle")):
            swapped = dict(found)
            for joint in pair:
                swapped[f"left_{joint}"] = found[f"right_{joint}"]
                swapped[f"right_{joint}"] = found[f"left_{joint}"]
            if _sum(measured(swapped)) < _sum(measured(found)):
                found = swapped
    apart = measured(found)
    return Reading(kind, name, image, pose, wanted, apart, _chained(found, wanted, height))


def _chained(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], height: float) -> bool:
    limbs = [
        (root, f"{side}_{middle}", f"{side}_{end}")
        for side in ("left", "right")
        for root, middle, end in (("neck", "elbow", "wrist"), ("pelvis", "knee", "ankle"))
    ]
    lines = [np.array([wanted[joint] for joint in limb]) for limb in limbs]
    for i, (_, middle, end) in enumerate(limbs):
        from_ends = [np.hypot(*(found[end] - line[-1])) / height for line in lines]
        from_lines = [_from_line(found[middle], line) / height for line in lines]
        for apart in (from_ends, from_lines):
            # Not "greater": a missing joint is NaN.
            if not (apart[i] <= TOLERANCE and apart[i] <= min(apart) + CLEAR):
                return False
    return True


def _from_line(point: np.ndarray, line: np.ndarray) -> float:
    """Shortest way from a point to a line through (N, 2) points."""
    ways = []
    for a, b in itertools.pairwise(line):
        share = np.clip((point - a) @ (b - a) / max(float((b - a) @ (b - a)), 1e-9), 0, 1)
        ways.append(float(np.hypot(*(point - a - share * (b - a)))))
    return float(np.min(ways))


def _sum(apart: dict[str, float]) -> float:
    return sum(min(distance, NOT_FOUND) for distance in apart.values())


def generated(count: int = FIGURES) -> Iterator[Reading]:
    """The generated figures, read."""
    for seed in range(count):
        kind, figure, style, rng = promised(seed)
        image, matrix = draw(figure, style, rng)
        wanted = {"head": figure.head, "neck": figure.at["shoulder"], **figure.at}
        del wanted["shoulder"]
        pixels = {joint: matrix[:, :2] @ at + matrix[:, 2] for joint, at in wanted.items()}
        height = figure.height * matrix[0, 0]
        yield compare(kind, f"{kind} {seed}", image, pixels, height, kind == "sitting")


def by_pointer() -> Iterator[Reading]:
    """The figures drawn with a pointer by `pointer.py`, read."""
    for name, drawing in json.loads((DRAWN / "drawn.json").read_text()).items():
        picture = cv2.imread(str(DRAWN / f"{name}.png"))
        assert picture is not None
        image = np.ascontiguousarray(picture[..., ::-1])
        wanted = {joint: np.array(at, float) for joint, at in drawing["joints"].items()}
        legs = [
            np.hypot(*(wanted[f"{s}_knee"] - wanted["pelvis"]))
            + np.hypot(*(wanted[f"{s}_ankle"] - wanted[f"{s}_knee"]))
            for s in ("left", "right")
        ]
        trunk = np.hypot(*(wanted["pelvis"] - wanted["head"]))
        height = float(trunk + drawing["radius"] + max(legs))
        yield compare("pointer", name, image, wanted, height, drawing["in_profile"])


def summary(readings: list[Reading]) -> tuple[float, float, float]:
    """Mean error of a joint in heights, share of figures with every limb right, share read."""
    return (
        float(np.mean([reading.error for reading in readings])),
        float(np.mean([reading.chained for reading in readings])),
        float(np.mean([reading.pose is not None for reading in readings])),
    )


def main() -> None:
    """Print the figures, for each style and for all."""
    drawn, pointed = list(generated()), list(by_pointer())
    rows = [(kind, [r for r in drawn if r.kind == kind]) for kind in KINDS]
    rows += [("all generated", drawn), ("drawn with a pointer", pointed)]
    lines = [f"{'':22}figures  joint error / height  every limb right  read"]
    for name, readings in rows:
        error, right, read = summary(readings)
        lines.append(f"{name:22}{len(readings):7}{error:22.3f}{right:18.1%}{read:6.0%}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
