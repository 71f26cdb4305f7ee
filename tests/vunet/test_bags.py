"""Bags that go with who carries them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose import Pose
from pose.complete import complete
from pose.presets import preset
from pose.retarget import body_scale
from vunet.bags import Bag, Unburdened, lay_bags, stands_still, unburdened
from vunet.framing import Window
from vunet.render import Layer, Subject, source_window

SIZE = (512, 384)
GROUND, CLOTH, BAG = (150, 170, 160), (60, 80, 160), (140, 60, 30)


def placed(name: str) -> Pose:
    """A preset in a picture of `SIZE`, 400 pixels high."""
    pose, _ = complete(preset(name))
    x = pose.keypoints
    factor = 400 / np.ptp(x[:, 1])
    middle = (x.min(0) + x.max(0)) / 2
    m = np.column_stack([np.eye(2) * factor, (192, 256) - factor * middle])
    return pose.transformed(m, SIZE)


def carrying(at: str, *, offset: tuple[int, int] = (0, 45), half: int = 26) -> Subject:
    """Somebody with a square bag, its middle so far from a joint."""
    pose = placed("standing")
    image = np.full((*SIZE, 3), GROUND, np.uint8)
    mask = np.zeros(SIZE, np.float32)
    x0, x1 = pose.keypoints[[5, 6, 11, 12], 0].min(), pose.keypoints[[5, 6, 11, 12], 0].max()
    body = (slice(60, 460), slice(int(x0) - 8, int(x1) + 8))
    image[body], mask[body] = CLOTH, 1
    x, y = np.rint(pose.point(at) + offset).astype(int)
    bag = (slice(y - half, y + half), slice(x - half, x + half))
    image[bag], mask[bag] = BAG, 1
    return Subject(image, mask, pose)


def bag_pixels(image: np.ndarray) -> np.ndarray:
    return np.abs(image.astype(int) - BAG).sum(2) < 30


def read(subject: Subject, sure: float = 0.95) -> tuple[Window, np.ndarray, np.ndarray]:
    """What the network would see, coarse and eight pixels off."""
    window = source_window(subject, (256, 192))
    shown = window.cut(np.roll(bag_pixels(subject.image), 8, axis=1).astype(np.float32))
    small = shown.reshape(64, 4, 48, 4).mean((1, 3)) * sure
    return window, small, np.zeros_like(small)


def without(subject: Subject) -> Unburdened:
    found = unburdened(subject, *read(subject))
    assert found is not None
    return found


def blank() -> Layer:
    alpha, invented, unmoved = np.zeros((3, *SIZE), np.float32)
    return Layer(np.zeros((*SIZE, 3), np.float32), alpha, invented, unmoved)


def laid(subject: Subject, target: Pose) -> tuple[Layer, list[str]]:
    """A subject's bags in a pose, on nothing."""
    layer = blank()
    return layer, lay_bags(layer, without(subject).bags, subject.image, subject.pose, target)


def with_joint(pose: Pose, name: str, offset: tuple[float, float]) -> Pose:
    points = pose.keypoints.copy()
    points[pose.skeleton.index[name]] += offset
    return replace(pose, keypoints=points)


@pytest.mark.parametrize(
    ("at", "offset", "holder"),
    [
        ("left_wrist", (0, 50), "left_wrist"),
        ("right_wrist", (0, 50), "right_wrist"),
        ("left_hip", (24, -30), "left_hip"),
    ],
)
def test_a_bag_is_found_with_its_outline_and_its_holder(
    at: str, offset: tuple[int, int], holder: str
) -> None:
    subject = carrying(at, offset=offset)
    if at == "left_hip":  # its hand is elsewhere
        points = subject.pose.keypoints.copy()
        for name in ("wrist", "pinky", "index", "thumb", "elbow"):
            points[subject.pose.skeleton.index[f"left_{name}"]] += (150, -60)
        subject = replace(subject, pose=replace(subject.pose, keypoints=points))
    found = without(subject)
    (bag,) = found.bags
    true, shape = bag_pixels(subject.image), np.zeros(SIZE, bool)
    shape[bag.inside] = bag.alpha > 0.5
    assert (shape & true).sum() > 0.9 * (shape | true).sum()
    assert bag.holder == holder
    assert found.subject.mask[true].max() < 0.1
    assert (found.places[true] > 0.9).mean() > 0.95
    away = ~true & (found.places == 0)
    np.testing.assert_array_equal(found.subject.mask[away], subject.mask[away])


@pytest.mark.parametrize("change", ["unsure", "small", "ground"])
def test_what_is_not_surely_a_bag_stays(change: str) -> None:
    subject = carrying("left_wrist", half=5 if change == "small" else 26)
    window, carried, arms = read(subject, 0.7 if change == "unsure" else 0.95)
    if change == "ground":  # outside the person nothing was learned
        subject = replace(subject, mask=subject.mask * ~bag_pixels(subject.image))
    assert unburdened(subject, window, carried, arms) is None


def test_an_arm_is_no_bag() -> None:
    subject = carrying("left_wrist")
    window, carried, _ = read(subject)
    assert unburdened(subject, window, carried, np.ones_like(carried)) is None


def test_it_goes_with_its_hand_and_hangs_upright() -> None:
    subject = carrying("left_wrist")
    layer, notes = laid(subject, with_joint(subject.pose, "left_wrist", (-40, 12)))
    assert not notes
    moved = np.roll(bag_pixels(subject.image), (12, -40), (0, 1))
    inside = layer.alpha > 0.9
    assert (inside & moved).sum() > 0.9 * (inside | moved).sum()
    assert np.abs(layer.colour[inside & moved] - BAG).max() < 2
    assert layer.invented.max() == 0


@pytest.mark.parametrize("factor", [0.3, 0.5, 1.4])
def test_it_keeps_the_persons_scale_and_place(factor: float) -> None:
    subject = carrying("left_wrist")
    true = bag_pixels(subject.image)
    middle = np.argwhere(true).mean(0)[::-1] + 0.5
    to = np.array([190.0, 300.0])
    m = np.column_stack([np.eye(2) * factor, to - factor * middle])
    layer, _ = laid(subject, subject.pose.transformed(m, SIZE))
    assert layer.alpha.sum() == pytest.approx(true.sum() * factor**2, rel=0.1)
    found = (np.indices(SIZE)[::-1] * layer.alpha).sum((1, 2)) / layer.alpha.sum() + 0.5
    np.testing.assert_allclose(found, to, atol=0.6)


def test_it_is_averaged_where_it_is_made_small() -> None:
    subject = carrying("left_wrist")
    bag = bag_pixels(subject.image)
    image = subject.image.copy()
    noise = np.random.default_rng(0).integers(0, 2, (*SIZE, 1)) * 255
    image[bag] = np.broadcast_to(noise, (*SIZE, 3))[bag]
    bags = without(subject).bags
    layer = blank()
    target = subject.pose.transformed(np.array([[0.2, 0, 100], [0, 0.2, 100]]), SIZE)
    lay_bags(layer, bags, image, subject.pose, target)
    assert layer.colour[layer.alpha > 0.99].std() < 40


def test_where_nothing_moves_every_pixel_is_the_photos() -> None:
    subject = carrying("left_wrist")
    layer, _ = laid(subject, subject.pose)
    sure = layer.alpha > 0.99
    assert sure.any()
    np.testing.assert_allclose(layer.colour[sure], subject.image[sure], atol=1)


def test_it_lies_over_the_person_and_is_not_made_up() -> None:
    subject = carrying("left_wrist")
    layer = blank()
    layer.colour[:], layer.alpha[:], layer.invented[:] = 10, 1, 1
    lay_bags(layer, without(subject).bags, subject.image, subject.pose, subject.pose)
    own = layer.invented < 0.01
    assert (own & bag_pixels(subject.image)).sum() > 0.9 * own.sum()
    assert layer.alpha.min() == 1
    assert np.abs(layer.colour[~bag_pixels(subject.image)] - 10).max() < 140
    assert (layer.colour[200:240, 180:200] == 10).all()


def test_a_raised_hand_lets_it_go_and_that_is_told() -> None:
    subject = carrying("left_wrist")
    layer, notes = laid(subject, placed("arms_up"))
    assert layer.alpha.max() == 0
    assert notes == ["A bag is left out: its arm goes up."]


def test_a_hand_that_was_up_already_keeps_it() -> None:
    subject = carrying("left_wrist")
    up = with_joint(subject.pose, "left_wrist", (0, -220))
    bag = Bag(100, 200, np.ones((30, 30), np.float32), "left_wrist", 0.0)
    layer = blank()
    assert not lay_bags(layer, [bag], subject.image, up, with_joint(up, "left_knee", (30, 0)))
    assert layer.alpha.max() == 1


def test_who_bends_down_keeps_it() -> None:
    """The arm points away from the feet then, but down."""
    subject = carrying("left_wrist")
    pose = subject.pose
    points = pose.keypoints.copy()
    upper = [pose.skeleton.index[n] for n in ("left_shoulder", "right_shoulder", "nose")]
    hips = points[[11, 12]].mean(0)
    points[upper] = hips + (points[upper] - hips) * (1, -0.5)
    points[pose.skeleton.index["left_wrist"]] = points[5] + (0, 90)
    layer, notes = laid(subject, replace(pose, keypoints=points))
    assert not notes
    assert layer.alpha.max() > 0.99


@pytest.mark.parametrize(
    ("on_trunk", "pose", "shown"),
    [
        (0.9, "back_view", False),
        (0.1, "back_view", True),
        (0.9, "running_left", True),
        (0.9, "running_right", True),
        (0.9, "side_view_left", True),
    ],
)
def test_what_hangs_before_the_trunk_is_hidden_from_behind(
    on_trunk: float, pose: str, shown: bool
) -> None:
    subject = carrying("left_hip", offset=(0, -30))
    bag = Bag(100, 200, np.ones((30, 30), np.float32), "left_hip", on_trunk)
    layer = blank()
    notes = lay_bags(layer, [bag], subject.image, subject.pose, placed(pose))
    assert (layer.alpha.max() > 0.99) == shown
    assert bool(notes) != shown


def test_there_are_no_half_bags() -> None:
    subject = carrying("left_wrist")
    bag = Bag(100, 200, np.ones((30, 30), np.float32), "left_wrist", 0.9)
    for name in ("dance_2", "dance_3", "boxing", "pointing", "yoga_warrior", "hands_on_hips"):
        layer = blank()
        notes = lay_bags(layer, [bag], subject.image, subject.pose, placed(name))
        assert (layer.alpha.max() < 0.01) == bool(notes), name
        assert layer.alpha.max() < 0.01 or layer.alpha.max() > 0.99, name


def test_off_the_canvas_nothing_breaks() -> None:
    subject = carrying("left_wrist")
    layer, _ = laid(subject, subject.pose.transformed(np.array([[1.0, 0, 900], [0, 1, 0]]), SIZE))
    assert layer.alpha.max() == 0


@pytest.mark.parametrize("all_sure", [True, False])
def test_a_bag_all_over_the_picture_breaks_nothing(all_sure: bool) -> None:
    subject = carrying("left_wrist")
    window = source_window(subject, (256, 192))
    read = np.full((64, 48), 1.0 if all_sure else 0.45, np.float32)
    whole = replace(subject, mask=np.ones(SIZE, np.float32))
    assert unburdened(whole, window, read, np.zeros_like(read)) is None


def test_who_stands_still() -> None:
    subject = carrying("left_wrist")
    pose = subject.pose
    near = replace(pose, keypoints=pose.keypoints + 0.05 * body_scale(pose))
    assert stands_still(subject, near, SIZE)
    assert not stands_still(subject, placed("hands_on_hips"), SIZE)
    half = (SIZE[0] // 2, SIZE[1] // 2)
    small = pose.transformed(np.array([[0.5, 0, 0], [0, 0.5, 0]]), half)
    assert stands_still(subject, small, half)
    assert not stands_still(subject, small, SIZE)
    assert not stands_still(subject, pose, (SIZE[0], SIZE[1] * 2))


@pytest.mark.shared
def test_a_real_bag_goes_with_its_hand(shared: Path) -> None:
    """A held-out photo: the bag is beside the hand that holds it, and leaves no other behind."""
    from vunet import Engine

    photo = shared / "data" / "people" / "ccp" / "photos" / "0391.jpg"
    engine = Engine.load("person")
    prepared = engine.prepare(photo)
    assert prepared.unburdened is not None
    (bag,) = prepared.unburdened.bags
    assert bag.holder == "left_wrist"
    result = engine.repose(prepared, pose="walking_left")
    middle = np.array([bag.left, bag.top]) + np.array(bag.alpha.shape[::-1]) / 2
    own = prepared.subject.pose
    hangs = (middle - own.point("left_wrist")) * body_scale(result.pose) / body_scale(own)
    x, y = np.rint(result.pose.point("left_wrist") + hangs).astype(int)
    assert result.mask[y, x] == 255
    assert result.invented[y, x] == 0
    up = engine.repose(prepared, pose="arms_up")
    assert any("bag is left out" in note for note in up.warnings)
    same = engine.repose(prepared, pose=own)
    inside = prepared.subject.mask > 0.9
    off = np.abs(same.image[inside].astype(int) - prepared.subject.image[inside])
    assert off.mean() < 2
