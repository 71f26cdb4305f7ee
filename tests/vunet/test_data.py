"""Batches: what they repeat by, and that labels move with the pixels they belong to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pose import BODY27, Pose
from vunet import geometry as geo
from vunet.config import PRESETS, ModelConfig, TrainConfig
from vunet.data import TURN_SHARE, Batch, BatchMaker, Side
from vunet.dataset import SIZE, UNKNOWN, DatasetWriter, open_dataset

TINY = PRESETS["tiny"]
CPU = torch.device("cpu")


def full_size(**changes: Any) -> TrainConfig:
    model = dataclasses.replace(TINY.model, size=SIZE)
    return dataclasses.replace(TINY, model=model, **changes)


def maker(sets: tuple[Path, ...], config: TrainConfig = TINY, rank: int = 0) -> BatchMaker:
    return BatchMaker([open_dataset(p) for p in sets], config, CPU, rank)


def tensors(batch: Batch) -> list[torch.Tensor]:
    sides = [batch.source, batch.target]
    fields = [getattr(s, f.name) for s in sides for f in dataclasses.fields(Side)]
    return [*fields, batch.rendered, batch.natural]


def equal(a: Batch, b: Batch) -> bool:
    return all(torch.equal(x, y) for x, y in zip(tensors(a), tensors(b), strict=True))


# -- batches ---------------------------------------------------------------------------------


def test_shapes_and_ranges(drawn_sets: tuple[Path, Path]) -> None:
    batch = maker(drawn_sets, dataclasses.replace(TINY, batch_size=5)).batch(3)
    height, width = TINY.model.size
    for side in (batch.source, batch.target):
        assert side.images.shape == (5, 3, height, width)
        assert side.masks.shape == side.valid.shape == (5, 1, height, width)
        assert side.keypoints.shape == (5, 27, 3)
        assert side.joints.shape == (5, geo.JOINTS, 3)
        assert side.parts.dtype == torch.uint8
        assert float(side.images.abs().max()) <= 1
        assert float(side.masks.min()) >= 0
        assert float(side.masks.max()) <= 1 + 1e-5
        assert set(side.valid.unique().tolist()) <= {0.0, 1.0}
        assert torch.isfinite(side.keypoints).all()
    assert set(batch.rendered.tolist()) <= {0.0, 1.0}


def test_batches_repeat_by_seed_and_step(drawn_sets: tuple[Path, Path]) -> None:
    one, two = maker(drawn_sets), maker(drawn_sets)
    two.batch(0)  # what was drawn before does not matter
    two.batch(9)
    assert equal(one.batch(4), two.batch(4))
    assert not equal(one.batch(4), one.batch(5))
    other = maker(drawn_sets, dataclasses.replace(TINY, seed=1))
    assert not equal(one.batch(4), other.batch(4))


def test_ranks_see_different_batches(drawn_sets: tuple[Path, Path]) -> None:
    assert not equal(maker(drawn_sets, rank=0).batch(2), maker(drawn_sets, rank=1).batch(2))


def test_making_batches_leaves_the_set_alone(drawn_sets: tuple[Path, Path]) -> None:
    before = [
        np.array(open_dataset(p).arrays[n]) for p in drawn_sets for n in ("images", "keypoints")
    ]
    made = maker(drawn_sets, full_size(batch_size=6))
    for step in range(3):
        made.batch(step)
    loaded = [getattr(t, n).numpy() for t in made.tables for n in ("images", "keypoints")]
    for old, new in zip(before, loaded, strict=True):
        np.testing.assert_array_equal(old, new)


def test_mix_is_kept(
    tmp_path: Path, write_set: Callable[..., Path], drawn_sets: tuple[Path, Path]
) -> None:
    alone = write_set(tmp_path / "single", "photos", people=3, each=1, start=50)
    config = dataclasses.replace(TINY, batch_size=8, mix=(1, 2, 1))
    made = maker((*drawn_sets, alone), config)
    assert [len(k) for k in made.kinds] == [6, 6, 3]
    for step in range(3):
        assert float(made.batch(step).rendered.sum()) == 4
    assert "6 people" in made.describe()


def test_shares_of_absent_kinds_go_to_the_others(drawn_sets: tuple[Path, Path]) -> None:
    made = maker(drawn_sets[1:], dataclasses.replace(TINY, batch_size=4))
    assert made.batch(0).rendered.tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="nothing to train on"):
        maker(drawn_sets[1:], dataclasses.replace(TINY, mix=(1, 0, 1)))


def test_pairs_are_two_pictures_of_one_person(drawn_sets: tuple[Path, Path]) -> None:
    """Their colours are the same, so the mean colour of a part is, up to one change of both."""
    made = maker(drawn_sets[1:], full_size(batch_size=4))
    made._recolour = lambda source, *_: (
        source.images[:, 0, 0, 0] > -2
    )  # leaves the colours as they were drawn
    batch = made.batch(1)
    for i in range(4):
        for part in (geo.HEAD, geo.TORSO):
            means = []
            for side in (batch.source, batch.target):
                at = (side.parts[i] == part + 1)[None, None].float()
                at = torch.nn.functional.interpolate(at, SIZE, mode="nearest")[0, 0] > 0
                means.append(side.images[i][:, at].median(1).values)
            np.testing.assert_allclose(means[0], means[1], atol=0.03)
        assert not torch.allclose(batch.source.keypoints[i], batch.target.keypoints[i], atol=5)


def test_rendered_pairs_turn_round_more_often_than_by_chance(
    tmp_path: Path, write_set: Callable[..., Path]
) -> None:
    """Views at 0, 20 and 200 degrees: from the first, the last is the farther one."""
    path = write_set(tmp_path / "set", "rendered", people=4, each=3)
    rows = [json.loads(line) for line in (path / "index.jsonl").read_text().splitlines()]
    for row, yaw in zip(rows, [0, 20, 200] * 4, strict=True):
        row["yaw"] = float(yaw)
    (path / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    batches = maker((path,), dataclasses.replace(TINY, mix=(0, 1, 0)))
    rng = np.random.default_rng(0)
    picks = [batches._pick(1, rng) for _ in range(600)]
    assert all(a // 3 == b // 3 and a != b for _, a, b, _ in picks)
    turned = np.mean([b % 3 == 2 for _, a, b, _ in picks if a % 3 == 0])
    assert turned == pytest.approx(0.5 + 0.5 * TURN_SHARE, abs=0.08)


# -- labels move with pixels -----------------------------------------------------------------


def dotted(pose: Pose) -> Side:
    """A side whose picture has a bright dot at each joint of the limbs, on black, in its colour."""
    assert pose.size is not None
    image = np.zeros((*pose.size, 3), np.uint8)
    for i, name in DOTS.items():
        x, y = pose.keypoints[BODY27.index[name]]
        blob = np.zeros(pose.size, np.float32)
        yy, xx = np.mgrid[: pose.size[0], : pose.size[1]] + 0.5
        blob = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * 3.0**2))
        image[..., i] = np.maximum(image[..., i], np.rint(255 * blob))
    points = np.concatenate([pose.keypoints, pose.confidence[:, None]], 1)
    coarse = (pose.size[0] // 4, pose.size[1] // 4)
    return Side(
        torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1,
        torch.ones(1, 1, *pose.size),
        torch.ones(1, 1, *pose.size),
        torch.from_numpy(points)[None].float(),
        torch.zeros(1, *coarse, dtype=torch.uint8),
        torch.zeros(1, 3, *coarse),
    )


DOTS = {0: "left_wrist", 1: "right_knee", 2: "nose"}


def dots_of(side: Side) -> np.ndarray:
    """(3, 2) centre of mass of each colour."""
    found = []
    for i in range(3):
        weight = ((side.images[0, i] + 1) / 2).clamp_min(0).numpy().astype(np.float64)
        weight[weight < 0.05] = 0
        yy, xx = np.mgrid[: weight.shape[0], : weight.shape[1]] + 0.5
        total = max(weight.sum(), 1e-9)
        found.append([(xx * weight).sum() / total, (yy * weight).sum() / total])
    return np.array(found)


def keypoints_of(side: Side, names: dict[int, str] = DOTS) -> np.ndarray:
    return np.stack([side.keypoints[0, BODY27.index[n], :2].numpy() for n in names.values()])


def at_size(size: tuple[int, int], drawn_sets: tuple[Path, Path]) -> BatchMaker:
    config = dataclasses.replace(TINY, model=dataclasses.replace(TINY.model, size=size))
    return maker(drawn_sets, config)


@pytest.mark.parametrize("size", [(256, 192), (128, 96)])
@pytest.mark.parametrize("close", [False, True])
def test_keypoints_move_with_their_pixels(
    make_person: Callable[..., Pose],
    drawn_sets: tuple[Path, Path],
    size: tuple[int, int],
    close: bool,
) -> None:
    made = at_size(size, drawn_sets)
    for seed in range(4):
        side = dotted(make_person(seed, size=size, fill=0.6))
        moved = made._move(side, np.random.default_rng(seed), 1.0, np.array([close]))
        places, dots = keypoints_of(moved), dots_of(moved)
        inside = ((places > 10) & (places < np.array([size[1], size[0]]) - 10)).all(1)
        assert inside[2]
        np.testing.assert_allclose(dots[inside], places[inside], atol=0.35)
        assert np.abs(places - keypoints_of(side)).max() > 1


def test_parts_and_surface_move_with_the_picture(
    make_person: Callable[..., Pose],
    draw_person: Callable[..., Any],
    drawn_sets: tuple[Path, Path],
) -> None:
    """After a move, a pixel's label still says the colour that the pixel has."""
    made = at_size(SIZE, drawn_sets)
    pose = make_person(2)
    image, mask, labels = draw_person(pose, 2)
    side = dotted(pose)
    side.images = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    side.masks = torch.from_numpy(mask)[None, None].float() / 255
    side.parts = torch.from_numpy(np.ascontiguousarray(labels[2::4, 2::4]))[None]
    side.surface = side.parts[:, None].float().expand(-1, 3, -1, -1).clone()
    moved = made._move(side, np.random.default_rng(3), 1.0, np.array([False]))
    known = moved.parts != UNKNOWN
    assert float(known.float().mean()) > 0.8
    assert torch.equal(moved.surface[:, 0][known], moved.parts[known].float())
    small = moved.images[:, :, 2::4, 2::4].permute(0, 2, 3, 1)
    agreed = []
    for part in range(1, 15):
        at = known & (moved.parts == part)
        if part == geo.SKIRT + 1 or int(at.sum()) < 5:
            continue
        row = int(np.flatnonzero(labels.reshape(-1) == part)[0])
        colour = torch.from_numpy(image.reshape(-1, 3)[row]).float() / 127.5 - 1
        agreed.append(float(((small[at] - colour).abs().amax(1) < 0.15).float().mean()))
    assert len(agreed) > 8
    assert np.mean(agreed) > 0.8


def test_outside_is_invalid_and_its_joints_unsure(
    make_person: Callable[..., Pose], drawn_sets: tuple[Path, Path]
) -> None:
    made = at_size(SIZE, drawn_sets)
    side = dotted(make_person(fill=0.98))
    moved = made._move(side, np.random.default_rng(0), 1.0, np.array([True]))
    x, y = moved.keypoints[0, :, 0], moved.keypoints[0, :, 1]
    outside = (x < 0) | (y < 0) | (x > SIZE[1]) | (y > SIZE[0])
    assert outside.any()
    assert float(moved.keypoints[0, outside, 2].max()) <= 0.1001
    assert float(moved.keypoints[0, ~outside, 2].min()) > 0.9
    found = 0
    for seed in range(6):  # turned or made smaller: a corner is empty
        still = made._move(side, np.random.default_rng(seed), 1.0, np.array([False]))
        empty = still.valid == 0
        found += int(empty.sum())
        assert not still.images[empty.expand(-1, 3, -1, -1)].gt(0.05).any()
    assert found


def test_mirror_swaps_sides_of_everything(
    make_person: Callable[..., Pose],
    draw_person: Callable[..., Any],
    drawn_sets: tuple[Path, Path],
) -> None:
    made = at_size(SIZE, drawn_sets)
    pose = make_person(4)
    side = dotted(pose)
    _, _, labels = draw_person(pose)
    side.parts = torch.from_numpy(np.ascontiguousarray(labels[2::4, 2::4]))[None]
    side.parts[0, 0, :3] = torch.tensor([UNKNOWN, 254, 15], dtype=torch.uint8)
    before = dataclasses.replace(side, keypoints=side.keypoints.clone())
    made._mirror(side, torch.tensor([True]))
    # the picture's left wrist is the mirrored person's right one
    swapped = {0: "right_wrist", 1: "left_knee", 2: "nose"}
    np.testing.assert_allclose(dots_of(side), keypoints_of(side, swapped), atol=0.2)
    np.testing.assert_allclose(side.keypoints[0, :, :2], pose.flipped().keypoints, atol=1e-3)
    assert side.parts[0, 0, -3:].tolist() == [15, 254, UNKNOWN]
    for part in range(len(geo.PARTS)):
        one = before.parts[0, 1:].flip(-1) == part + 1
        assert torch.equal(one, side.parts[0, 1:] == geo.MIRRORED_PARTS[part] + 1)
    made._mirror(side, torch.tensor([True]))
    rest = torch.zeros(1), torch.ones(1).bool()
    assert equal(Batch(side, side, *rest), Batch(before, before, *rest))
    made._mirror(side, torch.tensor([False]))
    assert torch.equal(side.images, before.images)


def test_puppet_takes_another_pose_and_keeps_its_colours(
    tmp_path: Path, write_set: Callable[..., Path]
) -> None:
    path = write_set(tmp_path / "set", "photos", people=4, each=1, alone=True)
    made = maker((path,), full_size())
    side = made._gather([(0, 0), (0, 1)])
    before = dataclasses.replace(side, images=side.images.clone(), keypoints=side.keypoints.clone())
    made._puppets(side, ["puppet", "self"], np.random.default_rng(1))
    assert not torch.equal(side.keypoints[0], before.keypoints[0])
    assert torch.equal(side.images[1], before.images[1])
    assert torch.equal(side.keypoints[1], before.keypoints[1])
    assert (side.parts[0] == UNKNOWN).all()
    assert float(side.valid[0].min()) == 1
    sure = side.masks[0, 0] > 0.5
    assert float(sure.float().mean()) > 0.05
    # what the puppet wears are colours of its own photo, not of the other one
    shows = side.images[0][:, side.masks[0, 0] > 0.95].T[::7]
    own, other = (before.images[i][:, before.masks[i, 0] > 0.99].T[::7] for i in (0, 1))
    far = [float(torch.cdist(shows, wears).amin(1).median()) for wears in (own, other)]
    assert far[0] < 0.05
    assert far[0] < 0.5 * far[1]


def test_recolouring_is_the_same_for_both_sides(drawn_sets: tuple[Path, Path]) -> None:
    made = maker(drawn_sets, full_size())
    one, two = made._gather([(0, 0), (0, 2)]), made._gather([(0, 0), (0, 2)])
    before = one.images.clone()
    made._recolour(one, two, np.random.default_rng(0))
    assert torch.equal(one.images, two.images)
    assert float((one.images - before).abs().mean()) > 0.01


def test_pictures_with_exchanged_channels_are_marked(drawn_sets: tuple[Path, Path]) -> None:
    made = maker(drawn_sets, full_size())
    for seed in range(6):
        one, two = made._gather([(0, i) for i in range(8)]), made._gather([(0, 0)] * 8)
        ordered = torch.tensor([1.0, 0.0, -1.0])[:, None, None]
        one.images[:] = two.images[:] = ordered
        natural = made._recolour(one, two, np.random.default_rng(seed))
        descending = (one.images[:, :, 0, 0].diff(dim=1) < 0).all(1)
        assert torch.equal(natural, descending)


def test_erased_boxes_hide_the_person_alone(drawn_sets: tuple[Path, Path]) -> None:
    made = maker(drawn_sets, full_size())
    side = made._gather([(0, i) for i in range(8)])
    before = side.masks.clone()
    images = side.images.clone()
    made._erase(side, np.random.default_rng(0))
    assert torch.equal(side.images, images)
    assert (side.masks <= before).all()
    changed = [i for i in range(8) if not torch.equal(side.masks[i], before[i])]
    assert 0 < len(changed) < 8


def test_gathering_at_a_smaller_size_keeps_points_on_their_pixels(
    tmp_path: Path, make_person: Callable[..., Pose]
) -> None:
    pose = make_person(1, size=SIZE)
    side = dotted(pose)
    image = ((side.images[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
    with DatasetWriter(tmp_path, "photos", {}) as writer:
        entry = {
            "images": image,
            "keypoints": side.keypoints[0].numpy(),
            "valid": np.array([0, 0, 192, 100.0]),
        }
        writer.add({"name": "a", "group": "a"}, entry)
        writer.add({"name": "b", "group": "a"}, entry)
    gathered = at_size((128, 96), (tmp_path, tmp_path))._gather([(0, 0)])
    np.testing.assert_allclose(dots_of(gathered), keypoints_of(gathered), atol=0.2)
    assert float(gathered.valid[0, 0, :49].min()) == 1
    assert float(gathered.valid[0, 0, 52:].max()) == 0


def test_model_config_without_size_is_the_datasets() -> None:
    assert ModelConfig().size == SIZE
