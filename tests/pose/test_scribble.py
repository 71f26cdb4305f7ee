"""Stick figures drawn as by hand, from known joints, and read back.

A joint counts as found within a tenth of the figure's height (its trunk and legs and head laid
out straight): about a third of its trunk.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pose import COCO17, Pose
from pose.complete import complete
from pose.presets import PRESETS
from pose.scribble import SURE_CONFIDENCE, read_scribble
from pose.stick import draw_controlnet

TOLERANCE = 0.1
ATOL_PX = 8  # of a figure of 480, where nothing but the sampling differs
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
    arms = {s: [at["shoulder"], at[f"{s}_elbow"], at[f"{s}_wrist"]] for s in ("left", "right")}
    legs = {s: [at["pelvis"], at[f"{s}_knee"], at[f"{s}_ankle"]] for s in ("left", "right")}
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


def measure(kind: str, seed: int) -> tuple[np.ndarray, Pose | None, dict[str, float]]:
    rng = np.random.default_rng([seed, len(kind)])
    style = random_style(rng)
    if kind == "random":
        figure = random_front(rng)
    else:
        names = FRONT if kind == "front" else SIDE
        figure = of_preset(names[seed % len(names)])
    image, matrix = draw(figure, style, rng)
    scribbled = read_scribble(image)
    pose = None if scribbled is None else scribbled.pose
    apart = distances(figure, matrix, pose)
    if kind == "side" and pose is not None:
        other = Pose(
            COCO17,
            pose.keypoints[list(COCO17.mirror)],
            pose.confidence[list(COCO17.mirror)],
            pose.size,
        )
        apart = either_side(apart, distances(figure, matrix, other))
    return image, pose, apart


# -- finding the joints ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "count", "bar"), [("random", 50, 0.93), ("front", 50, 0.93), ("side", 22, 0.7)]
)
def test_joints_are_found(kind, count, bar):
    """`side`: in profile, bent, limbs along the trunk; left and right may be swapped."""
    found = []
    for seed in range(count):
        _, pose, apart = measure(kind, seed)
        found += [distance <= TOLERANCE for distance in apart.values()]
        if pose is not None:
            assert complete(pose)[0].present.all()
    assert np.mean(found) >= bar


def standing(**style) -> tuple[np.ndarray, np.ndarray, Figure]:
    figure = of_preset("waving")
    style = Style(**style)
    return *draw(figure, style, np.random.default_rng(4)), figure


def read(image: np.ndarray) -> Pose:
    scribbled = read_scribble(image)
    assert scribbled is not None
    return scribbled.pose


@pytest.mark.parametrize(
    "style",
    [
        {"size": (200, 200), "pen": 2},
        {"size": (900, 900), "pen": 14},
        {"size": (900, 400), "pen": 3, "fill": 0.4},
        {"head": "open", "wobble": 0.03},
        {"head": "filled", "hands": True},
        {"gaps": True},
        {"one_stroke": True, "feet": True},
        {"ink": (255, 210, 60), "ground": (20, 40, 90)},
    ],
)
def test_each_way_to_draw(style):
    image, matrix, figure = standing(**style)
    pose = read(image)
    assert pose.skeleton is COCO17
    assert pose.size == image.shape[:2]
    assert max(distances(figure, matrix, pose).values()) <= TOLERANCE


def test_what_is_seen_is_surer_than_what_is_guessed():
    pose = read(standing()[0])
    index = COCO17.index
    for name in ("nose", "left_wrist", "right_ankle"):
        assert pose.confidence[index[name]] == SURE_CONFIDENCE
    for name in ("left_shoulder", "right_hip", "left_ear"):
        assert 0 < pose.confidence[index[name]] < SURE_CONFIDENCE


def test_it_says_that_left_and_right_were_assumed():
    scribbled = read_scribble(standing()[0])
    assert scribbled is not None
    assert "face the viewer" in scribbled.warnings[0]
    assert all(sentence.endswith(".") for sentence in scribbled.warnings)


def test_a_missing_arm_is_missing():
    figure = of_preset("t_pose")
    at = dict(figure.at)
    for joint in ("elbow", "wrist"):  # drawn upon the other
        at[f"right_{joint}"] = at[f"left_{joint}"]
    image, _ = draw(Figure(at, figure.head, figure.radius), Style(), np.random.default_rng(0))
    scribbled = read_scribble(image)
    assert scribbled is not None
    for joint in ("elbow", "wrist"):
        assert np.isnan(scribbled.pose.point(f"right_{joint}")).all()
        assert not np.isnan(scribbled.pose.point(f"left_{joint}")).any()
    assert any("right arm" in sentence for sentence in scribbled.warnings)


def test_the_larger_of_two_is_read():
    left, matrix, figure = standing()
    small = cv2.resize(left, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    canvas = np.full((600, 900, 3), 255, np.uint8)
    canvas[:, :500] = left
    canvas[:480, 500:] = small
    scribbled = read_scribble(canvas)
    assert scribbled is not None
    assert any("2 figures" in sentence for sentence in scribbled.warnings)
    assert max(distances(figure, matrix, scribbled.pose).values()) <= TOLERANCE


# -- invariances -----------------------------------------------------------------------------


def test_light_on_dark_reads_like_dark_on_light():
    image = standing()[0]
    np.testing.assert_allclose(read(255 - image).keypoints, read(image).keypoints, atol=ATOL_PX)


def test_twice_the_size_gives_twice_the_coordinates():
    image = standing()[0]
    large = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(read(large).keypoints / 2, read(image).keypoints, atol=ATOL_PX)


def test_a_moved_drawing_gives_a_moved_pose():
    image = standing(fill=0.6)[0]
    moved = np.roll(image, (37, -45), axis=(0, 1))
    np.testing.assert_allclose(
        read(moved).keypoints - [-45, 37], read(image).keypoints, atol=ATOL_PX
    )


def test_a_mirrored_drawing_gives_the_mirrored_pose():
    image = standing()[0]
    mirrored = read(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(mirrored.keypoints, read(image).flipped().keypoints, atol=ATOL_PX)


# -- other pictures --------------------------------------------------------------------------


def scribbled_lines(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.full((400, 400, 3), 255, np.uint8)
    for _ in range(rng.integers(2, 9)):
        points = rng.integers(20, 380, (rng.integers(2, 7), 1, 2), dtype=np.int32)
        cv2.polylines(image, [points], False, (0, 0, 0), int(rng.integers(2, 7)), cv2.LINE_AA)
    return image


def written() -> np.ndarray:
    image = np.full((400, 600, 3), 255, np.uint8)
    for line, words in enumerate(("one photo and a pose", "PQR ABD 0698", "out comes a person")):
        at = (20, 90 + 110 * line)
        cv2.putText(image, words, at, cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3, cv2.LINE_AA)
    return image


def sun() -> np.ndarray:
    image = np.full((400, 400, 3), 255, np.uint8)
    cv2.circle(image, (200, 200), 60, (0, 0, 0), 5, cv2.LINE_AA)
    for turn in np.linspace(0, 2 * np.pi, 9)[:-1]:
        way = np.array([np.cos(turn), np.sin(turn)])
        a, b = (np.round(200 + length * way).astype(int).tolist() for length in (80, 150))
        cv2.line(image, a, b, (0, 0, 0), 5, cv2.LINE_AA)
    return image


def test_photos_are_no_scribbles():
    for name in ("astronaut", "coffee", "camera", "chelsea", "rocket", "coins", "page"):
        photo = getattr(skimage.data, name)()
        photo = photo if photo.ndim == 3 else np.repeat(photo[..., None], 3, axis=2)
        assert read_scribble(np.ascontiguousarray(photo)) is None, name


def test_text_and_shapes_are_no_scribbles():
    rng = np.random.default_rng(0)
    assert read_scribble(written()) is None
    assert read_scribble(sun()) is None
    assert read_scribble(np.full((300, 300, 3), 255, np.uint8)) is None
    assert read_scribble(rng.integers(0, 256, (300, 300, 3), dtype=np.uint8)) is None
    assert read_scribble(np.full((1, 1, 3), 7, np.uint8)) is None


def test_lines_that_are_no_person_are_no_scribbles():
    found = [seed for seed in range(12) if read_scribble(scribbled_lines(seed)) is not None]
    assert found == []


@pytest.mark.parametrize("name", ["standing", "t_pose", "arms_up", "sitting"])
def test_controlnets_pictures_are_left_to_their_own_reader(name):
    half = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    pose = PRESETS[name].transformed(half, (512, 384))
    assert read_scribble(draw_controlnet(pose, (512, 384))) is None


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 3), np.float32),
        np.zeros((0, 40, 3), np.uint8),
    ],
)
def test_images_of_another_kind_are_refused(image):
    with pytest.raises(ValueError, match="uint8"):
        read_scribble(image)


@settings(max_examples=10)
@given(
    arrays.arrays(
        np.uint8,
        st.tuples(st.integers(1, 60), st.integers(1, 60), st.just(3)),
        elements=st.sampled_from([0, 1, 128, 255]),
    )
)
def test_any_picture_is_read_without_error(image):
    scribbled = read_scribble(image)
    assert scribbled is None or scribbled.pose.size == image.shape[:2]


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_any_strokes_are_read_without_error(seed, pen):
    rng = np.random.default_rng(seed)
    image = np.zeros((160, 200, 3), np.uint8)
    for _ in range(rng.integers(1, 12)):
        points = rng.integers(-20, 220, (rng.integers(2, 5), 1, 2), dtype=np.int32)
        cv2.polylines(image, [points], bool(rng.integers(2)), (200, 255, 90), pen)
    scribbled = read_scribble(image)
    assert scribbled is None or scribbled.pose.skeleton is COCO17
