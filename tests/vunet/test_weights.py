"""The shipped weights: whole, of the promised size, and with latents that carry something."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vunet.checkpoint import file_sha256, list_weights
from vunet.engine import Engine
from vunet.model import PART_COUNT
from vunet.poses import resolve_pose
from vunet.render import draw_latents

LARGEST_PERSON_BYTES = 16_000_000
LARGEST_TOTAL_BYTES = 40_000_000


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load("person", device="cpu")


def test_manifest_tells_the_truth():
    infos = list_weights()
    assert [i.name for i in infos if i.name == "person"] == ["person"]
    for info in infos:
        assert info.path.stat().st_size == info.bytes
        assert file_sha256(info.path) == info.sha256
        assert info.bytes <= LARGEST_PERSON_BYTES
        assert (info.path.parent / f"{info.name}.md").is_file(), "every weights file has a card"
    assert sum(i.bytes for i in infos) <= LARGEST_TOTAL_BYTES


def _torso(engine: Engine, results: list) -> np.ndarray:
    """(N, 3) mean colour of a box on the chest."""
    colours = []
    for r in results:
        points = [r.pose.point(n) for n in ("left_shoulder", "right_shoulder", "left_hip")]
        x0, x1 = sorted((int(points[0][0]), int(points[1][0])))
        y0, y1 = int(points[0][1]), int(points[2][1])
        quarter = (x1 - x0) // 4
        colours.append(r.image[y0 + 10 : y1 - 10, x0 + quarter : x1 - quarter].mean((0, 1)))
    return np.array(colours)


def test_sampling_changes_the_picture(engine: Engine):
    people = engine.sample("standing", n=8, seed=3, size=256)
    colours = _torso(engine, people)
    assert colours.std(axis=0).mean() > 12, "eight drawn people must not wear the same shirt"
    again = engine.sample("standing", n=8, seed=3, size=256)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(people, again, strict=True))
    other = engine.sample("standing", n=8, seed=4, size=256)
    assert not np.array_equal(people[0].image, other[0].image)


def test_swapping_one_parts_latents_changes_that_part(engine: Engine):
    pose = resolve_pose("standing", person=None, estimator=engine.estimator).pose
    assert pose.size is not None
    noise = torch.randn(2, PART_COUNT, engine.model.config.latent_dim, generator=_seeded(11))
    from vunet.render import joints_in, points_of, target_window

    window = target_window(pose, pose.size, engine.model.config.size)
    joints = joints_in(window, points_of(pose, pose.size))
    with torch.inference_mode():
        latents = engine.model.prior.draw(joints.expand(2, -1, -1), noise * 1.5)
    swapped = latents.clone()
    swapped[0, 1] = latents[1, 1]  # the torso of the second person
    first, mixed = draw_latents(
        engine.model, torch.stack([latents[0], swapped[0]]), pose, pose.size
    )
    change = np.abs(first.colour - mixed.colour).mean(2) * (first.alpha > 0.5)
    neck, hips = pose.point("left_shoulder")[1], pose.point("left_hip")[1]
    ankles = pose.point("left_ankle")[1]
    inside = change[int(neck) : int(hips)][first.alpha[int(neck) : int(hips)] > 0.5].mean()
    shins = slice(int((hips + 2 * ankles) / 3), int(ankles))
    outside = change[shins][first.alpha[shins] > 0.5].mean()
    assert inside > 2 * outside
    assert inside > 3


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_photo_gives_the_same_picture_however_often_it_is_used(engine: Engine):
    from apps.demo import example

    prepared = engine.prepare(example(1))
    pictures = [engine.repose(photo, "lunge").image for photo in (example(1), prepared, prepared)]
    assert np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[1], pictures[2])  # ground and face are known by then


def test_unseen_legs_are_drawn_by_the_seed_and_the_rest_is_not(engine: Engine):
    from apps.demo import example
    from vunet.images import read_image

    whole = read_image(example(1))
    half = np.ascontiguousarray(whole[: int(0.4 * len(whole))])  # no trousers that go on
    poses = [
        engine.repose(half, "standing", frame="pose", background="plain", seed=seed)
        for seed in (0, 1)
    ]
    assert any("another seed" in w for w in poses[0].warnings)
    change = np.abs(poses[0].image.astype(int) - poses[1].image).mean(2)
    pose, person = poses[0].pose, poses[0].mask > 128
    hips, knees = pose.point("left_hip")[1], pose.point("left_knee")[1]
    chest = slice(int(pose.point("left_shoulder")[1]), int(0.3 * knees + 0.7 * hips) - 40)
    legs = slice(int(knees), int(pose.point("left_ankle")[1]))
    assert change[legs][person[legs]].mean() > 4 * change[chest][person[chest]].mean()
    assert change[legs][person[legs]].mean() > 2
    again = engine.repose(half, "standing", frame="pose", background="plain", seed=1)
    assert np.array_equal(again.image, poses[1].image)


def test_mix_warns_of_what_nobody_shows(engine: Engine):
    from apps.demo import example
    from vunet.images import read_image

    whole = read_image(example(1))
    half = np.ascontiguousarray(whole[: whole.shape[0] // 2])

    def pictures(base: np.ndarray, lender: np.ndarray) -> list:
        parts = {"bottom": lender, "shoes": lender}
        return [
            engine.mix(base, parts, "standing", frame="pose", background="plain", seed=seed)
            for seed in (0, 1)
        ]

    lent = pictures(half, whole)
    assert not any("leg" in w and "made up" in w for w in lent[0].warnings)
    assert np.array_equal(lent[0].image, lent[1].image)
    unknown = pictures(whole, half)
    assert any("leg" in w and "made up" in w for w in unknown[0].warnings)
    assert not np.array_equal(unknown[0].image, unknown[1].image)


def test_what_another_photo_shows_is_not_drawn(engine: Engine):
    from apps.demo import example
    from vunet.images import read_image

    whole = read_image(example(1))
    half = np.ascontiguousarray(whole[: whole.shape[0] // 2])
    one, other = (
        engine.repose(
            half, "back_view", also=[whole], frame="pose", background="plain", seed=seed
        ).image
        for seed in (0, 1)
    )
    assert np.array_equal(one, other)


def test_garments_follow_the_drawing_and_the_look(tmp_path: Path) -> None:
    """Crude drawings in two looks: each takes the colours of its own, within the drawn outline."""
    garment = Engine.load("garment", device="cpu")
    info = next(i for i in list_weights() if i.name == "garment")
    assert info.bytes <= 8_000_000
    crude = Path(__file__).parent / "drawing" / "crude"
    drawings = [str(crude / f"{name}.png") for name in ("t_shirt", "trousers", "dress", "skirt")]
    for drawing in drawings:
        outline = cv2.imread(drawing, cv2.IMREAD_GRAYSCALE)
        assert outline is not None
        padded = np.pad((outline < 128).astype(np.uint8), 1)
        cv2.floodFill(padded, None, (0, 0), (2,))
        inside = cv2.erode((padded[1:-1, 1:-1] != 2).astype(np.uint8), np.ones((40, 40))) > 0
        around = cv2.dilate((padded[1:-1, 1:-1] != 2).astype(np.uint8), np.ones((40, 40))) == 0
        for cloth, ground in (((190, 40, 50), (220, 215, 205)), ((40, 70, 160), (120, 90, 60))):
            look = np.full((256, 192, 3), ground, np.uint8)
            look[60:200, 50:142] = cloth
            (result,) = garment.draw(drawing, look, size=640)
            thing, rest = result.image[inside].mean(0), result.image[around].mean(0)
            assert np.abs(thing - cloth).mean() < 30
            assert np.abs(rest - ground).mean() < 30
    looks = [r.image.mean((0, 1)) for r in garment.draw(drawings[0], n=8)]
    assert np.std(looks, axis=0).mean() > 8, "eight drawn looks must differ"
