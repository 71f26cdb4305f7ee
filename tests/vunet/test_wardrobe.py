"""Trousers and shoes for people whose photo ends above theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose import Pose
from pose.complete import complete
from pose.presets import preset as _preset
from vunet import Engine, looks, render, wardrobe
from vunet.images import read_image
from vunet.wardrobe import dyed, is_skin, outfit_for

HALF = Path(__file__).parents[2] / "apps/examples/person_3.jpg"
WHOLE = Path(__file__).parents[2] / "apps/examples/person_4.jpg"
NAVY, WHITE, BLACK = (30, 40, 90), (255, 255, 255), (0, 0, 0)
HALF_SHOWN = 0.2
"""Share of the picture's height from above in which there is nothing of legs."""


def preset(name: str) -> Pose:
    """With all joints, as the engine has poses."""
    return complete(_preset(name))[0]


@pytest.mark.parametrize(
    ("name", "hips"), [("standing", 1), ("a_pose", 1), ("back_view", -1), ("walking_away", -1)]
)
def test_legs_are_seen_from_where_the_pose_is(name: str, hips: int) -> None:
    worn = outfit_for(preset(name)).subject.pose
    across = worn.point("left_hip")[0] - worn.point("right_hip")[0]
    assert np.sign(across) == hips


@pytest.mark.parametrize("name", ["side_view_left", "side_view_right"])
def test_feet_point_where_the_poses_do(name: str) -> None:
    def ahead(pose: Pose) -> float:
        return float(pose.point("left_foot_index")[0] - pose.point("left_ankle")[0])

    pose = preset(name)
    assert np.sign(ahead(outfit_for(pose).subject.pose)) == np.sign(ahead(pose))


@pytest.mark.parametrize("name", ["standing", "side_view_left", "side_view_right", "back_view"])
def test_layers_fit_their_picture(name: str) -> None:
    worn = outfit_for(preset(name))
    size = worn.subject.image.shape[:2]
    assert worn.subject.mask.shape == worn.trousers.shape == worn.shoes.shape == size
    assert (worn.trousers * (worn.subject.mask < 0.02)).max() < 0.6
    for side in ("left", "right"):
        x, y = worn.subject.pose.point(f"{side}_knee").astype(int)
        assert worn.trousers[y, x] > 0.9
    assert not (worn.trousers * worn.shoes > 0.5).any()


@pytest.mark.parametrize("colour", [NAVY, WHITE, BLACK, (200, 60, 60)])
def test_dyed_cloth_has_the_colour_and_keeps_its_folds(colour: tuple[int, int, int]) -> None:
    worn = outfit_for(preset("standing"))
    subject = dyed(worn, np.array(colour), np.array((120, 80, 40)))
    inside = worn.trousers > 0.99
    mean = subject.image[inside].mean(0)
    assert np.abs(mean - np.clip(colour, 22, 214)).max() < 12
    before, after = (p.mean(2)[inside] for p in (worn.subject.image, subject.image))
    assert np.corrcoef(before, after)[0, 1] > 0.85
    off = worn.trousers + worn.shoes == 0
    assert np.array_equal(subject.image[off], worn.subject.image[off])
    assert np.array_equal(worn.subject.image, outfit_for(preset("standing")).subject.image)


def test_bare_legs_are_told_from_trousers() -> None:
    skin = np.array((190, 140, 115))
    assert is_skin(0.85 * skin, skin)
    assert not is_skin(np.array(NAVY), skin)
    assert not is_skin(np.array((240, 240, 240)), skin)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load("person", device="cpu")


def detail(picture: np.ndarray, where: np.ndarray) -> float:
    """What is finer than two pixels, inside."""
    grey = picture.astype(np.float32).mean(2)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2))
    return float(fine[cv2.erode(where.astype(np.uint8), np.ones((15, 15))) > 0].mean())


@pytest.mark.slow
def test_legs_that_no_photo_shows_have_folds_and_are_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def posed() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        result = engine.repose(HALF, pose="standing", frame="pose", background="plain")
        legs = np.zeros(result.mask.shape, bool)
        legs[int(result.pose.point("left_knee")[1]) :] = True
        return result.image, result.invented, legs & (result.mask > 250)

    image, invented, legs = posed()
    assert (invented[legs] > 230).mean() > 0.95
    monkeypatch.setattr(looks, "_lent", lambda *_: ())
    painted, _, _ = posed()
    above = int(HALF_SHOWN * len(image))
    assert np.abs(image[:above].astype(int) - painted[:above]).mean() < 2
    assert detail(image, legs) > 1.2 * detail(painted, legs)
    monkeypatch.setattr(render, "_CRISP", 0.0)  # as the network paints: sharpening makes no folds
    soft, _, _ = posed()
    assert detail(image, legs) > 1.3 * detail(soft, legs)


@pytest.mark.slow
def test_nothing_is_lent_to_whom_the_photo_shows_whole(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("legs were lent")

    monkeypatch.setattr(wardrobe, "dyed", never)
    engine.repose(read_image(WHOLE), pose="walking_left")


@pytest.mark.slow
def test_lent_legs_do_not_hide_those_of_a_further_photo(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    real: Callable[..., object] = wardrobe.dyed
    monkeypatch.setattr(wardrobe, "dyed", lambda *a: calls.append(a) or real(*a))
    engine.repose(HALF, pose="standing", also=[WHOLE])
    assert not calls
    engine.mix(HALF, {"bottom": WHOLE, "shoes": WHOLE}, pose="standing")
    assert not calls


@pytest.mark.slow
def test_lent_trousers_have_one_colour_in_all_poses_and_another_by_the_seed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = read_image(HALF)[:640]  # nothing of the legs
    colours: list[np.ndarray] = []
    real: Callable[..., object] = wardrobe.dyed
    monkeypatch.setattr(wardrobe, "dyed", lambda *a: colours.append(a[1]) or real(*a))
    for pose, seed in (("standing", 1), ("running_left", 1), ("back_view", 1), ("standing", 2)):
        engine.repose(photo, pose=pose, seed=seed, frame="pose")
    first, running, back, other = colours
    assert np.abs(first - running).max() < 2
    assert np.abs(first - back).max() < 40  # a back has another photo: the same cloth, turned
    assert np.abs(first - other).max() > 4
