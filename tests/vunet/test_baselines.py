"""The networks that ours is measured against do what their papers say, at our size."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from pose import Pose
from pose.estimator import PoseEstimator
from vunet import baselines
from vunet.baselines import Pix2PixDiscriminator, baseline_losses, stick_pictures
from vunet.checkpoint import WeightsError, load_network, load_reposer
from vunet.config import PRESETS, ModelConfig, TrainConfig
from vunet.data import BatchMaker
from vunet.dataset import open_dataset
from vunet.evaluate import Case, Pair, network_row
from vunet.networks import build
from vunet.train import TrainPlan, train

SIZE = (64, 48)
NAMES = ("vunet-2018", "pix2pix")
EXAMPLES = Path(__file__).resolve().parent.parent.parent / "apps" / "examples"


def tiny(name: str) -> TrainConfig:
    small = ModelConfig(
        network=name,
        size=SIZE,
        parser_channels=(8, 8, 8),
        warp_channels=(8, 8, 8),
        generator_channels=(8, 8, 8, 8),
        detail_channels=4,
    )
    return dataclasses.replace(PRESETS[name], model=small, batch_size=2, steps=4)


@pytest.fixture(params=NAMES)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return build(tiny(request.param).model).eval()


@pytest.fixture
def inputs(
    make_person: Callable[..., Pose], joints_of: Callable[..., torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Two photos of noise, their masks, their joints and the joints to take."""
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0)).tanh()
    here = joints_of(make_person(1, size=SIZE), make_person(2, size=SIZE))
    there = joints_of(make_person(3, size=SIZE), make_person(4, size=SIZE))
    return images, torch.ones(2, 1, *SIZE), here, there


@pytest.mark.parametrize("name", NAMES)
def test_as_many_parameters_as_ours_within_a_fifth(name: str) -> None:
    def count(preset: str) -> int:
        return sum(p.numel() for p in build(PRESETS[preset].model).parameters())

    assert 0.8 <= count(name) / count("person") <= 1.2
    assert PRESETS[name].model.size == PRESETS["person"].model.size


def test_pictures_depend_on_look_and_pose(
    network: nn.Module, inputs: tuple[torch.Tensor, ...]
) -> None:
    images, masks, here, there = inputs
    with torch.no_grad():
        plain = network(images, masks, here, there).image
        assert plain.shape == (2, 3, *SIZE)
        assert float(torch.sigmoid(network(images, masks, here, there).alpha_logits).min()) > 0.999
        assert float((network(-images, masks, here, there).image - plain).abs().max()) > 1e-3
        assert float((network(images, masks, here, here).image - plain).abs().max()) > 1e-3
        assert float((network(images, masks, there, there).image - plain).abs().max()) > 1e-4
        behind = torch.cat([images[:1], -images[1:]])
        same = network(behind, masks, here, there).image[0]
    torch.testing.assert_close(same, plain[0], atol=1e-5, rtol=1e-4)


def test_every_weight_learns(network: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    painted = network.train()(*inputs, noise=torch.zeros(1))
    loss = painted.image.square().mean()
    if painted.prior is not None:
        loss = loss + (painted.posterior.mean - painted.prior.mean).square().mean()
    loss.backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


def test_splitting_and_joining_are_inverse() -> None:
    x = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    parts = baselines._split(x)
    assert len(parts) == 4
    assert parts[0].shape == (2, 3, 3, 4)
    torch.testing.assert_close(baselines._join(parts), x)


def test_latents_are_told_by_the_photo_and_expected_from_the_pose(
    inputs: tuple[torch.Tensor, ...],
) -> None:
    torch.manual_seed(0)
    network = cast(Any, build(tiny("vunet-2018").model)).eval()
    images, masks, here, there = inputs
    with torch.no_grad():
        one, other = network(images, masks, here, there), network(-images, masks, here, there)
        assert float((one.posterior.mean - other.posterior.mean).abs().max()) > 1e-3
        low, upper = network.encode(images, masks, here)
        assert low.shape == (2, 8, 8, 6)
        assert upper.shape == (2, 8, 16, 12)
        drawn, means = network.draw(there, None)
        again, _ = network.draw(there, means)
        # the prior's own means, given back to it, are what it draws
        torch.testing.assert_close(drawn, again, atol=1e-4, rtol=1e-4)
        assert float(one.posterior.log_variance.abs().max()) == 0


def test_stick_figures_have_the_papers_colours(
    make_person: Callable[..., Pose], joints_of: Callable[..., torch.Tensor]
) -> None:
    pose = make_person(size=(256, 192))
    picture = stick_pictures(joints_of(pose), (256, 192))[0]
    assert picture.min() == -1
    assert picture.max() == 1

    def at(*names: str) -> list[bool]:
        x, y = np.mean([pose.point(n) for n in names], axis=0).astype(int)
        return (picture[:, y, x] > 0.9).tolist()

    assert at("right_knee") == [True, False, False]
    assert at("left_knee") == [False, True, False]
    assert at("right_elbow", "right_wrist") == [True, False, False]
    assert at("left_shoulder", "right_shoulder", "left_hip", "right_hip")[2]
    assert (picture[:, 0, 0] == -1).all()


def test_discriminator_judges_patches_by_their_condition() -> None:
    torch.manual_seed(0)
    judge = Pix2PixDiscriminator(4).eval()
    condition, picture = torch.randn(1, 9, 78, 78), torch.randn(1, 3, 78, 78)
    with torch.no_grad():
        score = judge(condition, picture)
        assert float((judge(-condition, picture) - score).abs().max()) > 1e-4
    picture.requires_grad_()
    middle = score.shape[2] // 2
    judge(condition, picture)[0, 0, middle, middle].backward()
    assert picture.grad is not None
    rows = (picture.grad[0].abs().sum(0) > 0).any(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_nought_for_the_truth(name: str, drawn_sets: tuple[Path, Path]) -> None:
    config = tiny(name)
    sets = [open_dataset(p) for p in drawn_sets]
    batch = BatchMaker(sets, config, torch.device("cpu")).batch(0)
    true = baselines._drawn(batch.target.images * batch.target.masks)
    found = baseline_losses(true, batch, None, config, 0, amp=False)
    assert float(found["l1"]) < 1e-6
    grey = baselines._drawn(torch.zeros_like(true.image))
    assert float(baseline_losses(grey, batch, None, config, 0, amp=False)["l1"]) > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_trained_resumed_and_measured(
    name: str, drawn_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    sets = [open_dataset(p) for p in drawn_sets]
    config = tiny(name)
    plan = TrainPlan(out=tmp_path / "run", device="cpu", quiet=True, validation=tuple(sets))
    flat = dataclasses.replace(config, cooldown=1e-9)  # the rate depends on the run's length
    train(dataclasses.replace(flat, steps=2), sets, plan)
    train(flat, sets, dataclasses.replace(plan, resume=True))
    whole = dataclasses.replace(plan, out=tmp_path / "whole")
    train(flat, sets, whole)
    one, two = (torch.load(p.out / "state.pt", weights_only=True) for p in (plan, whole))
    for key, value in one["model"].items():
        assert torch.equal(value, two["model"][key]), key
    lines = [json.loads(t) for t in (plan.out / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in lines if "l1" in r] == [2, 4]
    assert all(np.isfinite(r["l1"]) for r in lines if "l1" in r)
    assert list((plan.out / "sheets").glob("*.jpg"))
    weights = plan.out / "model.safetensors"
    loaded, _ = load_network(weights)
    assert cast(Any, loaded).config == config.model
    with pytest.raises(WeightsError, match="baseline"):
        load_reposer(weights)
    case = Case(Pair(EXAMPLES / "person_1.jpg", EXAMPLES / "pose_walk.jpg"), PoseEstimator())
    row, facts = network_row(weights)
    assert facts["network"] == config.model.network
    assert facts["samples"] == 4 * config.batch_size
    assert facts["parameters"] == sum(p.numel() for p in loaded.parameters())
    picture = row(case)
    assert picture.shape == case.truth.shape
    assert picture.std() > 0
