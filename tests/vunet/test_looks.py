"""Whose pixels and looks are where, when several photos make one picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pose import Pose
from vunet import geometry as geo
from vunet import looks
from vunet.config import PRESETS
from vunet.framing import points_of
from vunet.looks import LOOKS, draw_mix, draw_subjects
from vunet.model import Reposer
from vunet.render import Layer, Subject

SIZE = (256, 192)
RED, BLUE = (220, 40, 40), (40, 40, 220)


@pytest.fixture(scope="module")
def model() -> Reposer:
    """A narrow network, untrained: a quarter of what it could copy it paints, in grey."""
    torch.manual_seed(0)
    return Reposer(dataclasses.replace(PRESETS["tiny"].model, size=SIZE)).eval()


@pytest.fixture(scope="module")
def pose(make_person: Callable[..., Pose]) -> Pose:
    return make_person(3, size=SIZE)


@pytest.fixture(scope="module")
def red(
    pose: Pose, draw_person: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> Subject:
    """Somebody all in red."""
    _, mask, _ = draw_person(pose)
    return Subject(np.full((*SIZE, 3), RED, np.uint8), mask.astype(np.float32) / 255, pose)


@pytest.fixture(scope="module")
def blue(red: Subject) -> Subject:
    """The same all in blue, in a photo of another size where they stand elsewhere."""
    size = (700, 500)
    move = np.array([[1.7, 0, 90.0], [0, 1.7, 160.0]])
    mask = cv2.warpAffine(red.mask, move, size[::-1])
    image = np.full((*size, 3), BLUE, np.uint8)
    return Subject(image, mask, red.pose.transformed(move, size))


def colour_at(layer: Layer, pose: Pose, *names: str) -> np.ndarray:
    """Mean colour of a little square halfway between joints."""
    x, y = np.rint(np.mean([pose.point(n) for n in names], axis=0)).astype(int)
    return layer.colour[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1))


def share_of_red(colour: np.ndarray) -> float:
    return float((colour[0] - BLUE[0]) / (RED[0] - BLUE[0]))


CHEST = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
THIGH = ("left_hip", "left_knee")
SHIN = ("left_knee", "left_ankle")


def shares(**amounts: float) -> torch.Tensor:
    """(2, P) what red and blue give, with blue's amount of each look."""
    given = torch.zeros(2, len(geo.PARTS))
    for name, amount in amounts.items():
        given[1, list(LOOKS[name])] = amount
    given[0] = 1 - given[1]
    return given


def test_looks_are_parts_and_groups_of_parts() -> None:
    groups = [LOOKS[name] for name in ("head", "top", "hands", "bottom", "shoes")]
    assert sorted(p for group in groups for p in group) == list(range(len(geo.PARTS)))
    assert all(LOOKS[name] == (i,) for i, name in enumerate(geo.PARTS))
    assert LOOKS["all"] == tuple(range(len(geo.PARTS)))


def test_parts_come_from_whom_they_are_taken(
    model: Reposer, red: Subject, blue: Subject, pose: Pose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "gone_on", lambda *_: None)  # cloth that goes on is made up
    layer = draw_mix(model, [red, blue], shares(top=1.0), pose, SIZE)
    assert share_of_red(colour_at(layer, pose, *CHEST)) < 0.35
    assert share_of_red(colour_at(layer, pose, *SHIN)) > 0.65
    person = cv2.erode(red.mask, np.ones((5, 5))) > 0.9  # outlines are painted
    assert layer.invented[person].mean() < 0.5 * layer.alpha[person].mean()


def test_strength_goes_from_one_to_the_other(
    model: Reposer, red: Subject, blue: Subject, pose: Pose
) -> None:
    found = [
        share_of_red(
            colour_at(draw_mix(model, [red, blue], shares(top=a), pose, SIZE), pose, *CHEST)
        )
        for a in (0.0, 0.5, 1.0)
    ]
    assert found[0] > found[1] + 0.15 > found[2] + 0.3


def test_nothing_lent_is_the_base_alone(
    model: Reposer, red: Subject, blue: Subject, pose: Pose, make_person: Callable[..., Pose]
) -> None:
    target = make_person(5, size=SIZE)
    for where in (pose, target):
        alone = draw_subjects(model, [red], where, SIZE)
        mixed = draw_mix(model, [red, blue], shares(), where, SIZE)
        np.testing.assert_allclose(mixed.alpha, alone.alpha, atol=1e-3)
        np.testing.assert_allclose(mixed.colour, alone.colour, atol=1)


def test_lent_parts_have_moved_for_the_photos_frame(
    model: Reposer, red: Subject, blue: Subject, pose: Pose
) -> None:
    """Else the base's own pixels would be put back over them."""
    layer = draw_mix(model, [red, blue], shares(top=0.3), pose, SIZE)
    x, y = np.rint(np.mean([pose.point(n) for n in CHEST], axis=0)).astype(int)
    assert layer.unmoved[y, x] < 0.01
    x, y = np.rint(np.mean([pose.point(n) for n in SHIN], axis=0)).astype(int)
    assert layer.unmoved[y, x] > 0.9


@pytest.mark.parametrize("shape", [(1, 15), (2, 14), (2, 15, 1)])
def test_shares_of_the_wrong_shape_are_refused(
    model: Reposer, red: Subject, blue: Subject, pose: Pose, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="shares"):
        draw_mix(model, [red, blue], torch.zeros(shape), pose, SIZE)


# -- several photos of one person --------------------------------------------------------------


def test_first_photo_is_preferred_where_both_show_the_same(
    model: Reposer, red: Subject, blue: Subject, pose: Pose
) -> None:
    layer = draw_subjects(model, [red, blue], pose, SIZE)
    for names in (CHEST, THIGH, SHIN):
        assert share_of_red(colour_at(layer, pose, *names)) > 0.6


def test_second_photo_gives_what_the_first_does_not_show(
    model: Reposer, red: Subject, blue: Subject, pose: Pose
) -> None:
    """The first photo ends at the hips."""
    hips = int(pose.point("left_hip")[1])
    upper = red.mask.copy()
    upper[hips:] = 0
    points = points_of(pose, SIZE)
    unsure = np.where(points[:, 1] > hips + 5, 0.1, points[:, 2])
    half = Subject(red.image, upper, dataclasses.replace(pose, confidence=unsure))
    alone = draw_subjects(model, [half], pose, SIZE)
    both = draw_subjects(model, [half, blue], pose, SIZE)
    assert share_of_red(colour_at(both, pose, *CHEST)) > 0.6
    assert share_of_red(colour_at(both, pose, *SHIN)) < 0.35
    legs = np.zeros(SIZE, bool)
    legs[hips + 20 :] = red.mask[hips + 20 :] > 0.9
    assert both.invented[legs].mean() < 0.75 * alone.invented[legs].mean()


def test_parts_outside_the_picture_keep_their_look(
    model: Reposer, red: Subject, blue: Subject, pose: Pose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bust: no place shows the legs, yet their latents colour the whole picture's mean."""
    seen: list[torch.Tensor] = []
    paint = Reposer.paint

    def spy(self: Reposer, latents: torch.Tensor, *args: Any, **options: Any) -> Any:
        seen.append(latents)
        return paint(self, latents, *args, **options)

    monkeypatch.setattr(Reposer, "paint", spy)
    bust = pose.transformed(np.array([[4.0, 0, -200.0], [0, 4.0, 0]]), SIZE)
    draw_subjects(model, [red, blue], bust, SIZE)
    first, second, mixed = seen
    feet = list(LOOKS["shoes"])
    torch.testing.assert_close(mixed[:, feet], first[:, feet], atol=0.02, rtol=0.05)
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    assert bool(((mixed >= low - 1e-4) & (mixed <= high + 1e-4)).all())


def test_a_network_without_texture_path_mixes_latents_alone(
    red: Subject, blue: Subject, pose: Pose
) -> None:
    torch.manual_seed(1)
    config = dataclasses.replace(PRESETS["tiny"].model, texture=False)
    plain = Reposer(config).eval()
    one, mixed, two = (
        draw_mix(plain, [red, blue], shares(**dict.fromkeys(names, 1.0)), pose, SIZE).colour
        for names in ((), ("top",), ("head", "top", "hands", "bottom", "shoes"))
    )
    assert np.abs(one - mixed).max() > 0.1
    assert np.abs(two - mixed).max() > 0.1
    both = draw_subjects(plain, [red, blue], pose, SIZE)
    np.testing.assert_allclose(both.invented, both.alpha)


def test_a_photo_of_the_back_goes_before_a_back_made_of_the_front(
    model: Reposer,
    make_person: Callable[..., Pose],
    draw_person: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    front = make_person(None, size=SIZE)
    back = front.about_faced()
    mask = draw_person(front)[1].astype(np.float32) / 255
    seen = Subject(np.full((*SIZE, 3), RED, np.uint8), mask, front)
    behind = Subject(np.full((*SIZE, 3), BLUE, np.uint8), mask, back)
    for names in (CHEST, THIGH):
        turned = draw_subjects(model, [seen, behind], back, SIZE)
        assert share_of_red(colour_at(turned, back, *names)) < 0.45
        same = draw_subjects(model, [seen, behind], front, SIZE)
        assert share_of_red(colour_at(same, front, *names)) > 0.55


# -- what is painted ---------------------------------------------------------------------------


def test_what_is_painted_of_limbs_has_their_colour_in_the_photo(
    model: Reposer,
    red: Subject,
    make_person: Callable[..., Pose],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = make_person(5, size=SIZE)
    with_colours = draw_subjects(model, [red], target, SIZE)
    monkeypatch.setattr(looks, "_recoloured", lambda painted, *_: painted)
    without = draw_subjects(model, [red], target, SIZE)
    off = [
        float(np.abs(colour_at(layer, target, *SHIN) - RED).mean())
        for layer in (with_colours, without)
    ]
    assert off[0] < 0.85 * off[1]  # untrained, the network is not sure where limbs are
    np.testing.assert_allclose(with_colours.alpha, without.alpha)
    np.testing.assert_allclose(with_colours.invented, without.invented)
