"""The drawing network, its batches, its losses, its training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vunet.checkpoint import WeightsError, load_model, load_network, load_reposer
from vunet.config import PRESETS, DrawingConfig, network_config_from, to_json
from vunet.dataset import open_dataset
from vunet.drawing.baseline import DrawingPix2Pix
from vunet.drawing.data import DrawingBatchMaker
from vunet.drawing.network import DrawingNet, agreement, identity_places, resized_places
from vunet.drawing.prepare import DrawingSetError, config_for
from vunet.drawing.task import DrawingTask
from vunet.networks import build
from vunet.train import TrainError, TrainPlan, train

CPU = torch.device("cpu")
SMALL = dataclasses.replace(
    PRESETS["tiny-pairs"],
    model=dataclasses.replace(PRESETS["tiny-pairs"].model, size=(128, 96), shape="lines"),  # type: ignore[type-var]
    steps=2,
)


def small_config() -> DrawingConfig:
    config = SMALL.model
    assert isinstance(config, DrawingConfig)
    return config


def fresh(config: DrawingConfig | None = None) -> DrawingNet:
    torch.manual_seed(0)
    net = DrawingNet(config or small_config()).eval()
    with torch.no_grad():  # what starts at zero would hide mistakes
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return net


def drawings(count: int = 2, size: tuple[int, int] = (128, 96)) -> torch.Tensor:
    g = torch.Generator().manual_seed(3)
    return F.interpolate(torch.rand(count, 3, 8, 6, generator=g) * 2 - 1, size)


def test_the_released_sizes_fit_their_budget() -> None:
    for name in ("garment", "sketch", "pairs"):
        net = build(PRESETS[name].model)
        assert sum(p.numel() for p in net.parameters()) * 2 < 8_000_000
    ours = sum(p.numel() for p in build(PRESETS["garment"].model).parameters())
    theirs = sum(p.numel() for p in build(PRESETS["drawing-pix2pix"].model).parameters())
    assert 0.8 < theirs / ours < 1.2


def test_settings_survive_the_weights_header() -> None:
    for name in ("garment", "sketch", "pairs", "drawing-pix2pix"):
        config = dataclasses.replace(PRESETS[name].model, **({"classes": ("a", "b")}))
        assert network_config_from(json.loads(to_json(config))) == config
    values = json.loads(to_json(PRESETS["garment"].model))
    for change in ({"size": [100, 100]}, {"shape": "words"}, {"slots": 0}, {"flow_limit": "far"}):
        with pytest.raises(ValueError, match=r"."):
            network_config_from({**values, **change})


@pytest.mark.parametrize("size", [(8, 6), (12, 20)])
def test_places_are_where_grid_sample_looks(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 2, *size)
    same = F.grid_sample(picture, identity_places(size, CPU)[None], align_corners=False)
    torch.testing.assert_close(same, picture)


def test_resized_places_of_an_affine_map_are_exact() -> None:
    coarse = identity_places((4, 3), CPU)[None] * 0.7 + torch.tensor([0.1, -0.2])
    fine = resized_places(coarse, (16, 12))
    wanted = identity_places((16, 12), CPU)[None] * 0.7 + torch.tensor([0.1, -0.2])
    assert float((fine - wanted)[:, 2:-2, 2:-2].abs().max()) < 1e-5
    assert (
        float(
            (
                resized_places(identity_places((4, 3), CPU)[None], (16, 12))
                - identity_places((16, 12), CPU)
            )
            .abs()
            .max()
        )
        < 1e-5
    )


def test_each_picture_of_a_batch_is_its_own() -> None:
    net, x = fresh(), drawings(3)
    y = drawings(3).flip(0)
    with torch.no_grad():
        together = net(x, y)
        alone = net(x[1:2], y[1:2])
    torch.testing.assert_close(together.image[1:2], alone.image, atol=1e-4, rtol=1e-4)


def test_the_reference_reaches_the_picture_by_its_latents_and_by_its_pixels() -> None:
    net, x = fresh(), drawings()
    y, other = drawings().flip(0), -drawings()
    off = torch.zeros(2, 1, 1, 1)
    with torch.no_grad():
        assert not torch.allclose(net(x, y).image, net(x, other).image, atol=1e-3)
        latents = net(x, y).latents
        alone = net(x, None, latents=latents)
        without = net(x, y, keep=off)
    assert alone.carried is None
    assert float(alone.visibility.max()) == 0
    torch.testing.assert_close(without.image, alone.image, atol=1e-4, rtol=1e-4)


def test_what_is_drawn_decides_too() -> None:
    net, y = fresh(), drawings()
    with torch.no_grad():
        one, other = net(drawings(), y).image, net(-drawings(), y).image
    assert not torch.allclose(one, other, atol=1e-3)


def test_samples_differ_by_noise_and_not_without_temperature() -> None:
    net, x = fresh(dataclasses.replace(small_config(), classes=("a", "b"))), drawings()
    shape = (2, net.config.slots, net.config.latent_dim)
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(shape, generator=g) for _ in range(2))
    with torch.no_grad():
        assert not torch.allclose(net.sample_latents(x, None, a), net.sample_latents(x, None, b))
        cold = [net.sample_latents(x, None, n, 0.0) for n in (a, b)]
        kinds = [net.sample_latents(x, torch.tensor([k, k]), a) for k in (1, 2)]
    torch.testing.assert_close(cold[0], cold[1])
    assert not torch.allclose(kinds[0], kinds[1])


def test_prior_and_its_draws_agree() -> None:
    """The mean of each slot, given the drawn ones before it, is where noise of nought leads."""
    net, x = fresh(), drawings()
    noise = torch.zeros(2, net.config.slots, net.config.latent_dim)
    with torch.no_grad():
        z = net.sample_latents(x, None, noise)
        _, shape = net.shape_trunk(x)
        mean = net.prior(shape, None, z).mean
    torch.testing.assert_close(mean, z)


def test_batches_know_where_the_truth_lies_in_the_reference(drawn_set: Path) -> None:
    config = dataclasses.replace(small_config(), size=(256, 192))
    maker = DrawingBatchMaker([open_dataset(drawn_set)], config, 6, 0, CPU)
    batch = maker.batch(3)
    back = F.grid_sample(
        batch.reference, resized_places(batch.places, (256, 192)), align_corners=False
    )
    known = (resized_places(batch.places, (256, 192)).abs() < 0.97).all(-1)[:, None].float()
    known = known * batch.valid
    error = ((back - batch.image).abs().mean(1, True) * known).sum() / known.sum()
    untouched = ((batch.reference - batch.image).abs().mean(1, True) * known).sum() / known.sum()
    assert float(error) < 0.06
    assert float(error) < 0.35 * float(untouched)


def test_batches_repeat_by_seed_and_step(drawn_set: Path) -> None:
    makers = [
        DrawingBatchMaker([open_dataset(drawn_set)], small_config(), 4, seed, CPU)
        for seed in (0, 0, 1)
    ]
    one, again, other = (maker.batch(5) for maker in makers)
    assert torch.equal(one.drawing, again.drawing)
    assert torch.equal(one.reference, again.reference)
    assert not torch.equal(one.drawing, other.drawing)
    assert not torch.equal(one.drawing, makers[0].batch(6).drawing)


def test_a_drawing_is_ink_on_white(drawn_set: Path) -> None:
    maker = DrawingBatchMaker([open_dataset(drawn_set)], small_config(), 6, 0, CPU)
    batch = maker.batch(0)
    assert batch.drawing.shape == (6, 3, 128, 96)
    assert float(batch.drawing.max()) == 1
    assert (batch.drawing < 0).flatten(1).any(1).all()
    assert float((batch.drawing > 0.9).float().mean()) > 0.6


def test_validation_shows_photos_as_they_are(drawn_set: Path) -> None:
    data = open_dataset(drawn_set)
    config = dataclasses.replace(small_config(), size=(256, 192))
    maker = DrawingBatchMaker([data], config, 4, 0, CPU, bent=False)
    truth = torch.from_numpy(np.array(data.arrays["images"][:4])).permute(0, 3, 1, 2)
    torch.testing.assert_close(maker.batch(0).image, truth.float() / 127.5 - 1, atol=1e-4, rtol=0)


def test_every_weight_learns(drawn_set: Path) -> None:
    config = config_for(
        dataclasses.replace(SMALL, adversarial_weight=0.1), [open_dataset(drawn_set)]
    )
    assert isinstance(config.model, DrawingConfig)
    assert config.model.classes == ("Shirt", "Trousers")
    model = dataclasses.replace(config.model, size=(128, 96))
    config = dataclasses.replace(config, model=model, kl_steps=(0, 1), free_nats=0.0)
    task = DrawingTask(config, [open_dataset(drawn_set)], (), None, CPU, 0)
    net = fresh(model)
    net.train()
    idle = {name for name, _ in net.named_parameters()}
    for step in range(2, 6):
        net.zero_grad()
        sum(task.losses(net, step, 0.5, False).values()).backward()  # type: ignore[union-attr]
        idle -= {n for n, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert not idle


def test_a_run_learns_stops_resumes_and_starts_another(drawn_set: Path, tmp_path: Path) -> None:
    data = [open_dataset(drawn_set)]
    config = config_for(SMALL, data)
    model = dataclasses.replace(config.model, size=(128, 96))
    config = dataclasses.replace(config, model=model)
    plan = TrainPlan(out=tmp_path / "run", validation=tuple(data), device="cpu", quiet=True)
    done = train(config, data, plan)
    assert done["over"]
    assert list((tmp_path / "run" / "sheets").glob("*.jpg"))
    longer = dataclasses.replace(config, steps=3)
    again = train(longer, data, dataclasses.replace(plan, resume=True))
    assert again["step"] == 3
    net, _ = load_model(tmp_path / "run")
    assert isinstance(net, DrawingNet)
    with pytest.raises(WeightsError, match="re-posing"):
        load_reposer(tmp_path / "run")
    whole = dataclasses.replace(config, model=dataclasses.replace(model, size=(256, 192)))
    init = str(tmp_path / "run")
    other = dataclasses.replace(plan, out=tmp_path / "other", init=init)
    assert train(dataclasses.replace(whole, steps=1, batch_size=1), data, other)["step"] == 1
    fewer = dataclasses.replace(model, classes=("Trousers", "Hat"), people=True)
    third = dataclasses.replace(other, out=tmp_path / "classes")
    still = dataclasses.replace(whole, model=fewer, steps=1, batch_size=1, learning_rate=1e-12)
    train(still, data, third)
    begun, _ = load_model(tmp_path / "classes")
    rows = begun.state_dict()["prior.classes.weight"], net.state_dict()["prior.classes.weight"]
    assert model.classes == ("Shirt", "Trousers")
    for new, old in ((0, 0), (1, 2)):  # unknown, trousers
        torch.testing.assert_close(rows[0][new], rows[1][old], atol=2e-3, rtol=2e-3)
    wider = dataclasses.replace(whole, model=dataclasses.replace(model, slots=3))
    with pytest.raises(TrainError, match="other network settings"):
        train(wider, data, dataclasses.replace(other, out=tmp_path / "third"))


def test_pix2pix_learns_beside_it(drawn_set: Path, tmp_path: Path) -> None:
    data = [open_dataset(drawn_set)]
    config = config_for(PRESETS["drawing-pix2pix"], data)
    model = dataclasses.replace(
        config.model, size=(128, 96), generator_channels=(8, 8, 8, 8), detail_channels=8
    )
    config = dataclasses.replace(config, model=model, steps=2, batch_size=2)
    plan = TrainPlan(out=tmp_path / "run", validation=tuple(data), device="cpu", quiet=True)
    assert train(config, data, plan)["over"]
    net, _ = load_network(tmp_path / "run")
    assert isinstance(net, DrawingPix2Pix)
    with pytest.raises(WeightsError, match="baseline"):
        load_model(tmp_path / "run")


def test_people_and_drawings_are_not_mixed(
    drawn_set: Path, drawn_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    people, _ = drawn_sets
    with pytest.raises(DrawingSetError, match="sets of drawings"):
        config_for(PRESETS["garment"], [open_dataset(people)])
    with pytest.raises(DrawingSetError, match="sets of drawings"):
        config_for(PRESETS["garment"], [open_dataset(people), open_dataset(drawn_set)])
    with pytest.raises(DrawingSetError, match="not of a network that paints"):
        config_for(PRESETS["person"], [open_dataset(drawn_set)])


def test_ground_is_not_copied_into_the_thing_nor_the_thing_into_the_ground() -> None:
    inside, thing = torch.zeros(1, 1, 64, 48), torch.zeros(1, 1, 64, 48)
    inside[..., 16:48, 12:36] = 1
    thing[..., 16:48, 12:24] = 1  # only half as wide
    same = identity_places((16, 12), CPU)[None]
    agrees = agreement(same, inside, thing)
    assert float(agrees[0, 0, 32, 16]) == 1  # thing in thing
    assert float(agrees[0, 0, 32, 30]) == 0  # ground in thing
    assert float(agrees[0, 0, 4, 4]) == 1
    other_way = agreement(same, thing, inside)
    assert float(other_way[0, 0, 32, 31]) == 0  # thing in ground
    assert float(agreement(same, inside, inside).min()) == 1
