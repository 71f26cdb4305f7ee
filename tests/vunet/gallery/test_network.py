"""The network that finds, its batches and its training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vunet.checkpoint import (
    WeightsError,
    load_finder,
    load_model,
    load_network,
    load_reposer,
    save_network,
)
from vunet.config import (
    PRESETS,
    FindConfig,
    TrainConfig,
    at_half_size,
    network_config_from,
    to_json,
)
from vunet.dataset import DatasetError, open_dataset
from vunet.gallery.data import FindBatchMaker
from vunet.gallery.embedder import load_embedder
from vunet.gallery.network import DIRECTIONS, FindNet, structure
from vunet.gallery.task import FindTask, triplet_losses
from vunet.networks import build
from vunet.train import TrainPlan, train

CPU = torch.device("cpu")
SMALL = FindConfig(
    size=(64, 48),
    photo_channels=(8, 8, 8, 16),
    drawing_channels=(8, 8, 8, 8),
    map_channels=4,
    look_channels=(8, 8),
)
TINY = TrainConfig(model=SMALL, batch_size=8, steps=4, learning_rate=1e-3)


def fresh(config: FindConfig = SMALL) -> FindNet:
    torch.manual_seed(0)
    net = FindNet(config).eval()
    with torch.no_grad():  # what starts at zero would hide mistakes
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return net


def noise(count: int, channels: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, 64, 48, generator=g)


def plan(out: Path, **changes: object) -> TrainPlan:
    return dataclasses.replace(TrainPlan(out=out, device="cpu", quiet=True), **changes)


def losses_of(out: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in row.items() if k not in ("images_per_second",)}
        for row in rows
        if "drawing" in row
    ]


# -- the network -----------------------------------------------------------------------------


def test_both_networks_fit_their_budget_together() -> None:
    nets = [build(PRESETS[name].model) for name in ("find", "find-face")]
    assert sum(p.numel() for net in nets for p in net.parameters()) * 2 < 1_650_000
    for net in nets:
        assert isinstance(net, FindNet)
        photo, drawing = (
            sum(p.numel() for p in branch.parameters())
            for branch in (net.photo_branch, net.drawing_branch)
        )
        assert photo > drawing


def test_vectors_have_unit_length() -> None:
    net = fresh()
    with torch.no_grad():
        found = net(noise(3, 3) * 2 - 1, noise(3, 1), noise(3, 3, 1) * 2 - 1)
    assert [x.shape for x in found] == [(3, 128), (3, 128), (3, 64), (3, 64)]
    for x in found:
        torch.testing.assert_close(x.norm(dim=1), torch.ones(3))


def test_each_picture_of_a_batch_is_its_own() -> None:
    net, photos, ink = fresh(), noise(3, 3) * 2 - 1, noise(3, 1)
    with torch.no_grad():
        torch.testing.assert_close(net.photos(photos)[1:2], net.photos(photos[1:2]))
        torch.testing.assert_close(net.drawings(ink)[1:2], net.drawings(ink[1:2]))
        torch.testing.assert_close(net.looks(photos)[1:2], net.looks(photos[1:2]))


def test_every_weight_is_learned() -> None:
    net = fresh().train()
    photos, drawings, looks, _ = net(noise(3, 3) * 2 - 1, noise(3, 1), noise(3, 3, 1))
    (triplet_losses(drawings @ photos.T) + looks[0] @ looks[1]).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_structure_tells_directions_and_not_brightness() -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    stripes = {angle: torch.sin((x * np.cos(angle) + y * np.sin(angle)) * 0.8) for angle in ANGLES}
    strongest = []
    for angle in ANGLES:
        picture = stripes[angle][None, None]
        found = structure(picture)
        assert found.shape == (1, DIRECTIONS, 16, 12)
        middle = found[0, :, 4:-4, 3:-3].mean((1, 2))
        strongest.append(int(middle.argmax()))
        torch.testing.assert_close(structure(-picture), found)
        torch.testing.assert_close(structure(picture + 0.3), found, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(structure(picture * 2), found, atol=0.05, rtol=0.1)
    assert strongest == list(range(DIRECTIONS))
    assert structure(torch.zeros(1, 3, 64, 48)).isfinite().all()


ANGLES = [np.pi * k / DIRECTIONS for k in range(DIRECTIONS)]


# -- losses ----------------------------------------------------------------------------------


def test_triplets_that_are_right_by_the_margin_cost_nothing() -> None:
    assert float(triplet_losses(torch.eye(4), 0.2)) == 0
    similar = torch.eye(4) * 0.5
    similar[0, 2] = 0.4  # one triplet of the first row, wrong by 0.1
    assert float(triplet_losses(similar, 0.2)) == pytest.approx(0.1 + 0.1 / 4)


def test_margins_may_be_of_each_pair() -> None:
    similar = torch.eye(3) * 0.5
    margins = torch.full((3, 3), 0.2)
    margins[1, 2] = 0.6
    assert float(triplet_losses(similar, margins)) == pytest.approx(0.1 + 0.1 / 3)


def test_triplets_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    similar = rng.uniform(-1, 1, (6, 6))
    costs = np.array(
        [
            [max(0.0, 0.2 + similar[i, j] - similar[i, i]) if i != j else 0 for j in range(6)]
            for i in range(6)
        ]
    )
    wanted = costs.sum() / (costs > 0).sum() + costs.max(1).mean()
    assert float(triplet_losses(torch.from_numpy(similar), 0.2)) == pytest.approx(wanted)


# -- batches ---------------------------------------------------------------------------------


def test_batches_repeat_by_seed_and_step(thing_set: Path) -> None:
    made = [
        FindBatchMaker([open_dataset(thing_set)], SMALL, 8, seed, CPU).batch(step)
        for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5))
    ]
    assert made[0].kinds.tolist() == [1] * 8
    for name in ("photos", "ink", "others"):
        one, again, later, other = (getattr(batch, name) for batch in made)
        assert torch.equal(one, again)
        assert not torch.equal(one, later)
        assert not torch.equal(one, other)
        assert one.isfinite().all()
    assert made[0].ink.min() >= 0
    assert made[0].ink.max() <= 1
    assert made[0].photos.min() >= -1
    assert made[0].photos.max() <= 1


def test_an_unbent_drawing_lies_on_the_edges_of_its_photo(thing_set: Path) -> None:
    config = dataclasses.replace(SMALL, size=(128, 96))
    batch = FindBatchMaker([open_dataset(thing_set)], config, 6, 0, CPU, bent=False).batch(0)
    strong = structure(batch.photos).sum(1)
    inked = torch.nn.functional.avg_pool2d(batch.ink, 4)[:, 0]
    for edges, ink in zip(strong, inked, strict=True):
        on, off = edges[ink > 0.2].mean(), edges[ink == 0].mean()
        assert float(on) > 3 * float(off)


def test_sketches_are_used_where_there_are_some(sketched_set: Path, thing_set: Path) -> None:
    config = dataclasses.replace(SMALL, shape="picture")
    sketched = FindBatchMaker([open_dataset(sketched_set)], config, 8, 0, CPU, bent=False)
    plain = open_dataset(sketched_set)
    plain = dataclasses.replace(plain, meta={**plain.meta, "kind": "drawings"})
    drawn = FindBatchMaker([plain], config, 8, 0, CPU, bent=False).batch(0).ink
    differs = (sketched.batch(0).ink - drawn).abs().flatten(1).amax(1) > 0.01
    assert 2 <= int(differs.sum()) < 8, "some by the artist, some of the photo's lines"
    both = FindBatchMaker([open_dataset(sketched_set), open_dataset(thing_set)], config, 20, 0, CPU)
    assert len(both.batch(0).photos) == 20


def test_sets_of_other_kinds_are_refused(drawn_sets: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="vunet prepare --drawings"):
        FindBatchMaker([open_dataset(drawn_sets[0])], SMALL, 4, 0, CPU)


# -- training --------------------------------------------------------------------------------


def test_a_resumed_run_gives_the_losses_of_an_unbroken_one(thing_set: Path, tmp_path: Path) -> None:
    data = [open_dataset(thing_set)]
    config = dataclasses.replace(TINY, steps=6)
    train(config, data, plan(tmp_path / "whole"))
    part = tmp_path / "part"
    first = train(config, data, plan(part, minutes=1e-9))
    assert not first["over"]
    train(config, data, plan(part, resume=True))
    assert losses_of(part) == losses_of(tmp_path / "whole")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "part")]
    nets = [load_network(tmp_path / name)[0].state_dict() for name in ("whole", "part")]
    assert len(weights[0]) == len(weights[1])
    for key, value in nets[0].items():
        assert torch.equal(value, nets[1][key]), key


@pytest.mark.slow
def test_a_short_training_finds_things_that_it_never_saw(
    thing_set: Path,
    other_set: Path,
    tmp_path: Path,
    photo_of: Callable[..., tuple[np.ndarray, np.ndarray]],
    drawing_of: Callable[..., np.ndarray],
) -> None:
    """Twelve other things: at least half are found at once, where chance is a twelfth."""
    config = dataclasses.replace(TINY, steps=60, batch_size=16, learning_rate=3e-3, ema=0.9)
    data, check = [open_dataset(thing_set)], (open_dataset(other_set),)
    done = train(config, data, plan(tmp_path, validation=check))
    assert done["val_recall_1"] >= 0.5
    assert done["val_recall_10"] >= done["val_recall_5"] >= done["val_recall_1"]
    assert len(list((tmp_path / "sheets").iterdir())) == 1
    embedder = load_embedder(tmp_path)
    things = [photo_of(seed) for seed in range(100, 112)]
    shapes, _ = embedder.photos([image for image, _ in things], [mask for _, mask in things])
    asked = np.stack([embedder.drawing(drawing_of(seed, (300, 225))) for seed in range(100, 112)])
    found = (asked @ shapes.T).argmax(1) == np.arange(12)
    assert found.mean() >= 0.5


@pytest.mark.slow
def test_looks_go_by_colour_and_drawings_by_shape(
    thing_set: Path, tmp_path: Path, photo_of: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    config = dataclasses.replace(TINY, steps=60, batch_size=16, learning_rate=3e-3, ema=0.9)
    train(config, [open_dataset(thing_set)], plan(tmp_path))
    embedder = load_embedder(tmp_path)
    # of each thing: itself, its shape in another's colours, another's shape in its colours
    trios = [[photo_of(s), photo_of(s, s + 50), photo_of(s + 50, s)] for s in range(200, 212)]
    shapes, looks = embedder.photos(
        [image for trio in trios for image, _ in trio], [mask for trio in trios for _, mask in trio]
    )
    shapes, looks = shapes.reshape(12, 3, -1), looks.reshape(12, 3, -1)

    def nearer_to_first(x: np.ndarray) -> float:
        return float(((x[:, 0] * x[:, 1]).sum(1) > (x[:, 0] * x[:, 2]).sum(1)).mean())

    assert nearer_to_first(shapes) >= 0.75
    assert nearer_to_first(looks) <= 0.25


# -- settings and files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"size": [100, 96]},
        {"size": [128]},
        {"shape": "words"},
        {"photo_channels": [8, 8]},
        {"look_channels": []},
        {"map_channels": 0},
        {"drawing_dim": "many"},
        {"colour": 3},
    ],
)
def test_wrong_settings_are_refused(change: dict[str, object]) -> None:
    values = json.loads(to_json(SMALL))
    assert network_config_from(values) == SMALL
    with pytest.raises(ValueError, match=r"."):
        network_config_from({**values, **change})


def test_half_size_is_half_the_size() -> None:
    assert at_half_size(PRESETS["find"]).model.size == (64, 48)


def test_weights_of_other_networks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "find.safetensors"
    save_network(fresh(), path, SMALL)
    net, digest = load_finder(path)
    assert net.config == SMALL
    assert len(digest) == 64
    for load in (load_reposer, load_model):
        with pytest.raises(WeightsError, match="find"):
            load(path)
    with pytest.raises(WeightsError, match="do not find photos"):
        load_finder("garment")


def test_a_task_wants_its_own_settings(thing_set: Path) -> None:
    with pytest.raises(TypeError, match="settings"):
        FindTask(TrainConfig(), [open_dataset(thing_set)], (), CPU, 0)
