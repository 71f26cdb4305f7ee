"""The network's promises, on the `tiny` preset with seeded weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from pose import BODY27, Pose
from vunet import geometry as geo
from vunet.config import (
    PRESETS,
    ModelConfig,
    at_half_size,
    network_config_from,
    to_json,
    without,
)
from vunet.model import (
    PART_COUNT,
    PRIOR_GROUPS,
    Gaussian,
    Painted,
    Reposer,
    _behind_arms,
)
from vunet.networks import build

TINY = PRESETS["tiny"].model
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def same(
    found: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-4, atol: float = 1e-5
) -> None:
    np.testing.assert_allclose(
        found.detach().numpy(), expected.detach().numpy(), rtol=rtol, atol=atol
    )


def shaken(config: ModelConfig = TINY, seed: int = 0) -> Reposer:
    """A network none of whose weights is zero, as after some training."""
    torch.manual_seed(seed)
    model = Reposer(config).eval()
    g = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=g) * 0.05)
    return model


@pytest.fixture(scope="module")
def model() -> Reposer:
    return shaken()


@pytest.fixture(scope="module")
def inputs(
    make_person: Callable[..., Pose],
    draw_person: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]],
    joints_of: Callable[..., torch.Tensor],
) -> Inputs:
    """Two photos with masks and joints, and two other poses."""
    poses = [make_person(i, size=TINY.size) for i in range(4)]
    drawn = [draw_person(p, i) for i, p in enumerate(poses[:2])]
    images = torch.from_numpy(np.stack([d[0] for d in drawn])).permute(0, 3, 1, 2)
    masks = torch.from_numpy(np.stack([d[1] for d in drawn]))[:, None]
    return (
        images.float() / 127.5 - 1,
        masks.float() / 255,
        joints_of(*poses[:2]),
        joints_of(*poses[2:]),
    )


# -- the whole network -----------------------------------------------------------------------


def test_shapes_and_ranges(model: Reposer, inputs: Inputs) -> None:
    painted = model(*inputs)
    height, width = TINY.size
    assert painted.image.shape == painted.generated.shape == (2, 3, height, width)
    assert painted.alpha_logits.shape == painted.visibility.shape == (2, 1, height, width)
    assert painted.latents.shape == (2, PART_COUNT, TINY.latent_dim)
    assert float(painted.image.detach().abs().max()) <= 1
    assert float(painted.visibility.detach().min()) >= 0
    assert float(painted.visibility.detach().max()) <= 1
    warped = painted.warped
    assert warped is not None
    assert warped.colour.shape == (2, 3, height, width)
    assert warped.cover.shape == (2, 1, height, width)
    assert warped.weights.shape == (2, PART_COUNT, height // 2, width // 2)
    assert warped.flow.shape == (2, PART_COUNT, 2, height // 4, width // 4)
    assert float(warped.flow.detach().abs().max()) <= TINY.flow_limit
    assert warped.part_logits.shape == (2, PART_COUNT + 1, height // 4, width // 4)
    same(painted.latents, painted.posterior.mean)


def test_looking_twice_begins_as_looking_once(model: Reposer, inputs: Inputs) -> None:
    """An untrained net corrects nothing, however often it looks; a trained one goes on."""
    config = dataclasses.replace(TINY, warp_passes=2)
    for once in (model, Reposer(TINY), shaken()):
        twice = Reposer(config).eval()
        twice.load_state_dict(once.state_dict())
        with torch.no_grad():
            first, second = (m.eval()(*inputs).warped for m in (once, twice))
        assert first is not None
        assert second is not None
        assert float(second.flow.abs().max()) <= 2 * TINY.flow_limit
        moved = float((first.flow - second.flow).abs().max())
        fresh = float(first.flow.abs().max()) == 0
        assert (moved == 0) == fresh


def test_carried_alone_is_what_the_whole_network_copies(inputs: Inputs) -> None:
    model = shaken().eval()
    with torch.no_grad():
        alone, whole = model(*inputs, only="texture"), model(*inputs)
    assert whole.warped is not None
    same(alone.image, whole.warped.colour)
    same(alone.visibility, whole.warped.cover)
    assert not alone.alpha_logits.any()
    assert not alone.latents.any()


def test_every_parameter_gets_a_gradient(inputs: Inputs) -> None:
    model = shaken().train()
    noise = rand(2, PART_COUNT, TINY.latent_dim)
    painted = model(*inputs, noise=noise, rendered=torch.tensor([1.0, 0.0]))
    loss = painted.image.square().sum() + painted.generated.square().sum()
    loss = loss + painted.alpha_logits.square().sum() + painted.visibility.sum()
    loss = loss + painted.posterior.divergence(painted.prior).sum()
    loss = loss + painted.warped.source_logits.log_softmax(1)[:, 0].sum()
    loss.backward()
    idle = [
        n
        for n, p in model.named_parameters()
        if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.abs().sum() > 0
    ]
    assert idle == []


def test_picture_alone_reaches_the_texture_path(inputs: Inputs) -> None:
    """What carries the photo's pixels learns from the picture, not from labels alone."""
    model = shaken().train()
    model(*inputs).image.square().sum().backward()
    idle = [
        n
        for n, p in model.named_parameters()
        if n.startswith(("parser", "warper", "encoder", "prior_strength"))
        and "encoder.head" not in n  # half of its outputs are variances
        and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    assert idle == []


def test_batch_of_two_is_two_batches_of_one(model: Reposer, inputs: Inputs) -> None:
    with torch.no_grad():
        both = model(*inputs)
        for i in range(2):
            one = model(*(x[i : i + 1] for x in inputs))
            for name in ("image", "generated", "alpha_logits", "visibility", "latents"):
                same(getattr(both, name)[i], getattr(one, name)[0], atol=1e-4, rtol=1e-3)
            same(both.prior.mean[i], one.prior.mean[0])


def test_seed_repeats(inputs: Inputs) -> None:
    def once(seed: int) -> torch.Tensor:
        with torch.no_grad():
            noise = rand(2, PART_COUNT, TINY.latent_dim, seed=seed)
            return shaken(seed=seed)(*inputs, noise=noise).image

    assert torch.equal(once(3), once(3))
    assert not torch.equal(once(3), once(4))


def test_amp_changes_little(model: Reposer, inputs: Inputs) -> None:
    with torch.no_grad():
        exact, fast = model(*inputs).image, model(*inputs, amp=True).image
    assert fast.dtype == torch.float32
    assert float((exact - fast).abs().mean()) < 0.02


def test_keep_nought_hides_the_photos_pixels(model: Reposer, inputs: Inputs) -> None:
    images, masks, source, target = inputs
    with torch.no_grad():
        latents = model.encode(images, masks, source, amp=False).mean
        other = images.flip(0) * 0.5
        keep = torch.zeros(2, 1, 1, 1)

        def paint(photo: torch.Tensor, where: torch.Tensor) -> Painted:
            warped = model.warp(photo, masks, where, target, amp=False)
            return model.paint(latents, target, warped, source=where, keep=keep, amp=False)

        one, two = paint(images, source), paint(other, source.flip(0))
        blank = model.paint(latents, target, None, amp=False)
    assert torch.equal(one.image, two.image)
    same(one.image, blank.image)
    same(one.alpha_logits, blank.alpha_logits)
    assert float(one.visibility.abs().max()) == 0
    with torch.no_grad():
        warped = model.warp(images, masks, source, target, amp=False)
        shown = model.paint(latents, target, warped, source=source, amp=False)
    assert float((shown.image - one.image).abs().mean()) > 0.01


def test_keep_of_single_parts_hides_these_alone(model: Reposer, inputs: Inputs) -> None:
    images, masks, source, target = inputs
    with torch.no_grad():
        latents = model.encode(images, masks, source, amp=False).mean
        warped = model.warp(images, masks, source, target, amp=False)
        keep = torch.ones(2, PART_COUNT, 1, 1)
        everything = model.paint(latents, target, warped, source=source, keep=keep, amp=False)
        default = model.paint(latents, target, warped, source=source, amp=False)
        keep[:, 1] = 0
        fewer = model.paint(latents, target, warped, source=source, keep=keep, amp=False)
    same(everything.image, default.image)
    assert float((fewer.visibility <= everything.visibility + 0.5).float().min()) == 1
    assert float((fewer.image - everything.image).abs().max()) > 1e-3


def seen_from_behind(joints: torch.Tensor) -> torch.Tensor:
    """The same outline with left and right exchanged."""
    order = [*BODY27.mirror[:17], 18, 17, 20, 19]
    return joints[:, order]


def copied_where_strongest(painted: Painted, part: int) -> float:
    """Mean share of copied pixels where a part is the one to be copied from."""
    assert painted.warped is not None
    weights = painted.warped.weights
    where = (weights.argmax(1, keepdim=True) == part) & (weights.amax(1, keepdim=True) > 0.1)
    assert int(where.sum()) > 20
    return float(F.avg_pool2d(painted.visibility, 2)[where].mean())


def test_hair_is_not_copied_over_a_face(model: Reposer, inputs: Inputs) -> None:
    images, masks, source, target = inputs
    source = seen_from_behind(source)
    with torch.no_grad():
        latents = model.encode(images, masks, source, amp=False).mean
        warped = model.warp(images, masks, source, target, amp=False)
        assert float(warped.turned[:, geo.HEAD].min()) == 1
        careless = dataclasses.replace(warped, turned=torch.zeros_like(warped.turned))
        painted, copied = (
            model.paint(latents, target, w, source=source, amp=False) for w in (warped, careless)
        )
    assert copied_where_strongest(painted, geo.HEAD) < 0.3 * copied_where_strongest(
        copied, geo.HEAD
    )
    # a back serves as a front
    assert copied_where_strongest(painted, geo.TORSO) > 0.9 * copied_where_strongest(
        copied, geo.TORSO
    )


def test_a_chest_is_not_copied_onto_a_back(model: Reposer, inputs: Inputs) -> None:
    images, masks, source, target = inputs
    target = seen_from_behind(target)
    with torch.no_grad():
        latents = model.encode(images, masks, source, amp=False).mean
        warped = model.warp(images, masks, source, target, amp=False)
        careless = dataclasses.replace(warped, turned=torch.zeros_like(warped.turned))
        painted, copied = (
            model.paint(latents, target, w, source=source, amp=False) for w in (warped, careless)
        )
    assert copied_where_strongest(painted, geo.TORSO) < 0.3 * copied_where_strongest(
        copied, geo.TORSO
    )


def test_latents_and_pose_change_the_picture(model: Reposer, inputs: Inputs) -> None:
    target = inputs[3]
    latents = rand(2, PART_COUNT, TINY.latent_dim)
    with torch.no_grad():
        one = model.paint(latents, target, None, amp=False).image
        two = model.paint(latents.flip(0), target, None, amp=False).image
        three = model.paint(latents, target.flip(0), None, amp=False).image
    assert float((one - two).abs().max()) > 1e-3
    assert float((one - three).abs().max()) > 1e-3


def test_network_without_texture_path(inputs: Inputs) -> None:
    model = shaken(dataclasses.replace(TINY, texture=False))
    assert not [n for n, _ in model.named_parameters() if n.startswith(("parser", "warper"))]
    painted = model(*inputs)
    assert painted.warped is None
    assert torch.equal(painted.image, painted.generated)
    assert float(painted.visibility.abs().max()) == 0
    painted.image.sum().backward()


@pytest.mark.parametrize("empty", ["mask", "far", "point"])
def test_hard_inputs_give_finite_pictures_and_gradients(inputs: Inputs, empty: str) -> None:
    images, masks, source, target = (x.clone() for x in inputs)
    if empty == "mask":
        masks.zero_()
    elif empty == "far":
        target[..., :2] += 4000
        source[..., :2] -= 4000
    else:
        target[..., :2] = 20
        source[..., :2] = 20
    model = shaken().train()
    painted = model(images, masks, source, target)
    assert torch.isfinite(painted.image).all()
    (painted.image.sum() + painted.alpha_logits.sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_untrained_warp_shows_the_photo_in_its_own_pose(inputs: Inputs) -> None:
    """Before training, flow is nought and geometry alone carries the pixels."""
    images, masks, source, _ = inputs
    torch.manual_seed(0)
    model = Reposer(TINY).eval()
    with torch.no_grad():
        warped = model.warp(images, masks, source, source, amp=False)
    assert float(warped.flow.abs().max()) == 0
    sure = (warped.cover > 0.4) & (torch.nn.functional.avg_pool2d(masks, 3, 1, 1) > 0.99)
    assert float(sure.sum() / (masks > 0.5).sum()) > 0.3
    error = (warped.colour - images).abs().amax(1, keepdim=True)[sure]
    assert float(error.max()) < 0.02


# -- latents ---------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_divergence_is_that_of_torch(values: list[float]) -> None:
    a, b = (Gaussian(*torch.tensor(v).view(2, 1, 1, 1)) for v in (values[:2], values[2:]))
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(a.mean, (0.5 * a.log_variance).exp()), normal(b.mean, (0.5 * b.log_variance).exp())
    )
    same(a.divergence(b), expected)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), by=st.floats(0.01, 2))
def test_divergence_is_nought_only_for_equals(seed: int, by: float) -> None:
    mean, log_variance = rand(2, 3, 4, seed=seed), rand(2, 3, 4, seed=seed + 1)
    a = Gaussian(mean, log_variance)
    assert float(a.divergence(a).abs().max()) < 1e-6
    for b in (Gaussian(mean + by, log_variance), Gaussian(mean, log_variance + by)):
        assert float(a.divergence(b).min()) > 0


def test_samples_have_the_mean_and_deviation() -> None:
    g = Gaussian(torch.full((1, 1, 1), 2.0), torch.full((1, 1, 1), -1.0))
    drawn = g.sample(rand(200_000, 1, 1))
    assert float(drawn.mean()) == pytest.approx(2, abs=0.01)
    assert float(drawn.std()) == pytest.approx(np.exp(-0.5), rel=0.01)
    assert torch.equal(g.sample(rand(5, 1, 1), 0.0), torch.full((5, 1, 1), 2.0))


def test_prior_is_drawn_group_by_group(model: Reposer, inputs: Inputs) -> None:
    assert sorted(p for group in PRIOR_GROUPS for p in group) == list(range(PART_COUNT))
    target = inputs[3]
    latents = rand(2, PART_COUNT, TINY.latent_dim)
    with torch.no_grad():
        before = model.prior(target, latents)
        for g, group in enumerate(PRIOR_GROUPS):
            changed = latents.clone()
            changed[:, list(group)] += 3
            after = model.prior(target, changed)
            earlier = [p for other in PRIOR_GROUPS[: g + 1] for p in other]
            later = [p for other in PRIOR_GROUPS[g + 1 :] for p in other]
            assert torch.equal(before.mean[:, earlier], after.mean[:, earlier])
            assert torch.equal(before.log_variance[:, earlier], after.log_variance[:, earlier])
            if later:
                moved = (before.mean[:, later] - after.mean[:, later]).abs().amax(2)
                assert float(moved.min()) > 0


def test_draws_repeat_and_temperature_nought_gives_the_means(
    model: Reposer, inputs: Inputs
) -> None:
    target, noise = inputs[3], rand(2, PART_COUNT, TINY.latent_dim)
    with torch.no_grad():
        plain = model.prior.draw(target, noise, 0.0)
        same(plain, model.prior(target, plain).mean)
        drawn = model.prior.draw(target, noise)
        assert torch.equal(drawn, model.prior.draw(target, noise))
        conditional = model.prior(target, drawn)
        left = list(range(PART_COUNT))
        left[3], left[5], left[7], left[9], left[11], left[13] = 2, 4, 6, 8, 10, 12
        same(drawn, conditional.sample(noise[:, left]))  # clothes come in pairs
    assert float((drawn - plain).abs().max()) > 0.1


def test_draws_leave_alone_what_is_known(model: Reposer, inputs: Inputs) -> None:
    target, noise = inputs[3], rand(2, PART_COUNT, TINY.latent_dim)
    values = rand(2, PART_COUNT, TINY.latent_dim, seed=1)
    sure = rand(2, PART_COUNT, seed=2) > 0
    sure[:, 1] = False
    with torch.no_grad():
        drawn = model.prior.draw(target, noise, known=(values, sure))
        assert torch.equal(drawn[sure], values[sure])
        free = model.prior.draw(target, noise)
        assert torch.equal(drawn[:, 1], free[:, 1]), "the trunk is drawn first, from the pose alone"
        assert not torch.equal(drawn[~sure], free[~sure])


def half_body(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The photos with the lower half of the people cut off."""
    images, masks, source, target = inputs
    masks = masks.clone()
    for i in range(len(masks)):
        masks[i, :, int(source[i, [11, 12], 1].min()) :] = 0
    return images, masks, source, target


LEGS = [8, 9, 10, 11, 12, 13]


def test_a_photo_shows_what_its_mask_covers(model: Reposer, inputs: Inputs) -> None:
    _, masks, source, _ = inputs
    assert bool(model.shows(torch.ones_like(masks), source)[:, :2].all())
    assert not bool(model.shows(torch.zeros_like(masks), source).any())
    _, masks, source, _ = half_body(inputs)
    shown = model.shows(masks, source)
    assert bool(shown[:, 1].all())
    assert not bool(shown[:, [10, 11, 12, 13]].any())


def test_parts_that_no_photo_shows_are_drawn(model: Reposer, inputs: Inputs) -> None:
    images, masks, source, target = half_body(inputs)
    noise = rand(2, PART_COUNT, TINY.latent_dim)
    with torch.no_grad():
        seen = model.encode(images, masks, source, amp=False).mean
        shown = model.shows(masks, source)
        likely = model.appearance(images, masks, source, target, amp=False)
        drawn = model.appearance(images, masks, source, target, noise=noise, amp=False)
    for latents in (likely, drawn):
        assert torch.equal(latents[shown], seen[shown])
        assert not torch.equal(latents[~shown], seen[~shown])
    assert not torch.equal(likely[~shown], drawn[~shown])


def test_in_training_the_truth_tells_what_the_photo_does_not_show(
    model: Reposer, inputs: Inputs
) -> None:
    images, masks, source, target = half_body(inputs)
    truth = rand(*images.shape, seed=3).tanh(), torch.ones_like(masks)
    with torch.no_grad():
        painted = model(images, masks, source, target, truth=truth)
        own = model.encode(images, masks, source, amp=False)
        told = model.encode(*truth, target, amp=False)
        hidden = model.shows(truth[1], target) & ~model.shows(masks, source)
    assert bool(hidden.any())
    assert painted.posterior is not None
    assert torch.equal(painted.posterior.mean[hidden], told.mean[hidden])
    assert torch.equal(painted.posterior.log_variance[~hidden], own.log_variance[~hidden])
    assert torch.equal(painted.latents, painted.posterior.mean)


def test_a_network_without_latents_paints_the_same_whatever_the_look(inputs: Inputs) -> None:
    model = shaken(dataclasses.replace(TINY, latents=False))
    images, masks, source, target = inputs
    with torch.no_grad():
        one = model(images, masks, source, target, keep=torch.zeros(2, 1, 1, 1))
        other = model(-images, masks, source, target, keep=torch.zeros(2, 1, 1, 1))
    assert not one.latents.any()
    same(one.generated, other.generated)


def test_prior_does_not_depend_on_where_the_person_stands(model: Reposer, inputs: Inputs) -> None:
    target, latents = inputs[3], rand(2, PART_COUNT, TINY.latent_dim)
    moved = target.clone()
    moved[..., :2] = moved[..., :2] * 1.5 + torch.tensor([30.0, -12.0])
    with torch.no_grad():
        same(model.prior(target, latents).mean, model.prior(moved, latents).mean, atol=1e-4)


def test_encoder_sees_no_pose(
    model: Reposer, make_person: Callable[..., Pose], joints_of: Callable[..., torch.Tensor]
) -> None:
    """A person all of one colour looks the same to the encoder in any pose, but for outlines."""
    latents = []
    for seed in (1, 2):
        joints = joints_of(make_person(seed, size=TINY.size))
        image = torch.full((1, 3, *TINY.size), 0.5)
        with torch.no_grad():
            latents.append(
                model.encode(image, torch.ones(1, 1, *TINY.size), joints, amp=False).mean
            )
    spread = (latents[0] - latents[1]).abs().mean() / latents[0].abs().mean()
    assert float(spread) < 0.25


# -- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_config_survives_json(name: str) -> None:
    import json

    config = PRESETS[name].model
    assert network_config_from(json.loads(to_json(config))) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": 3}, "colour"),
        ({"size": [100, 75]}, "multiples"),
        ({"size": [256, 176]}, "multiples"),
        ({"size": 5}, "wrong kind"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        network_config_from({**dataclasses.asdict(PRESETS["person"].model), **change})


@pytest.mark.parametrize("name", ["person", "vunet-2018", "pix2pix"])
def test_compared_networks_have_as_many_parameters(name: str) -> None:
    """EVALUATION: within a fifth of ours; at half the size, too."""

    def count(config: ModelConfig) -> int:
        return sum(p.numel() for p in build(config).parameters())

    half = at_half_size(PRESETS[name])
    assert half.model.size == (128, 96)
    ours = count(PRESETS["person"].model)
    assert 0.8 * ours < count(PRESETS[name].model) < 1.2 * ours
    assert 0.8 * ours < count(half.model) < 1.2 * ours


def test_parts_can_be_taken_out() -> None:
    whole = PRESETS["person"]
    assert whole.adversarial_weight > 0
    assert without(whole, "adversarial").adversarial_weight == 0
    assert not without(whole, "texture").model.texture
    with pytest.raises(ValueError, match="no parts"):
        without(PRESETS["pix2pix"], "texture")
    bare = without(whole, "latents")
    assert not bare.model.latents
    assert bare.texture_dropout == 0, "nothing to paint from"
    with pytest.raises(ValueError, match="cannot be left out"):
        without(whole, "head")


@pytest.mark.parametrize("size", [(64, 48), (128, 96), (96, 64), (32, 32), (64, 56)])
def test_every_size_that_is_accepted_runs(
    size: tuple[int, int],
    make_person: Callable[..., Pose],
    joints_of: Callable[..., torch.Tensor],
) -> None:
    try:
        config = dataclasses.replace(TINY, size=size)
    except ValueError:
        return
    joints = joints_of(make_person(size=size))
    with torch.no_grad():
        model = shaken(config)
        painted = model(rand(1, 3, *size).tanh(), torch.ones(1, 1, *size), joints, joints)
    assert painted.image.shape == (1, 3, *size)


def test_a_place_shows_what_is_behind_arms_or_them_but_not_half_of_each() -> None:
    parts = torch.rand(2, len(geo.PARTS), 5, 4, generator=torch.Generator().manual_seed(0))
    arms, moved = parts[:, geo.ARMS].sum(1), torch.zeros(2, len(geo.PARTS))
    told = _behind_arms(parts, moved)
    behind = [geo.TORSO, *geo.LEGS[:4], geo.SKIRT]
    others = [p for p in range(len(geo.PARTS)) if p not in behind]
    assert torch.equal(told[:, others], parts[:, others])
    for part in behind:
        assert not told[:, part][arms > 2 * parts[:, part] + 0.01].any()
    alone = parts.clone()
    alone[:, geo.ARMS] = 0
    torch.testing.assert_close(_behind_arms(alone, moved), alone)


def test_a_hand_before_a_thigh_takes_what_is_round_it_along_unless_both_stay() -> None:
    thigh, hand, other = geo.LEGS[0], geo.ARMS[4], geo.LEGS[1]
    parts = torch.zeros(1, len(geo.PARTS), 9, 9)
    parts[:, [thigh, other, geo.TORSO]] = 0.9
    parts[:, hand, 4, 4], parts[:, thigh, 4, 4] = 0.6, 0.3
    nothing = torch.zeros(1, len(geo.PARTS))
    left = _behind_arms(parts, nothing)[0] / parts[0].clamp_min(1e-6)
    assert left[thigh, 4, 4] < 0.05
    assert left[thigh, 3:6, 3:6].max() < 0.9
    assert left[thigh, 4, 2] > 0.99
    assert left[geo.TORSO, 4, 5] > 0.99  # whose cloth sleeves hide in great pieces
    both = nothing.clone()
    both[:, [thigh, hand]] = 1
    told = _behind_arms(parts, both)
    assert torch.equal(told[:, thigh] / parts[:, thigh] > 0.99, torch.ones(1, 9, 9) > 0)
    assert (told[:, other] / parts[:, other])[0, 4, 4] < 0.9
    one = nothing.clone()
    one[:, thigh] = 1  # the hand goes, the thigh stays
    assert torch.equal(_behind_arms(parts, one), _behind_arms(parts, nothing))


# -- golden ----------------------------------------------------------------------------------


def test_stages_give_what_they_gave() -> None:
    """tests/golden/make.py wrote inputs, weights and every stage's output."""
    stored = load_file(GOLDEN / "reposer.safetensors")
    model = Reposer(TINY).eval()
    weights = {k[7:]: v.float() for k, v in stored.items() if k.startswith("weight.")}
    model.load_state_dict(weights)
    with torch.no_grad():
        painted = model(
            stored["in.images"],
            stored["in.masks"],
            stored["in.source"],
            stored["in.target"],
            noise=stored["in.noise"],
        )
        drawn = model.prior.draw(stored["in.target"], stored["in.noise"])
    assert painted.warped is not None
    assert painted.posterior is not None
    found = {
        "matrix": painted.warped.transforms.matrix,
        "offset": painted.warped.transforms.offset,
        "posterior": painted.posterior.mean,
        "source_logits": painted.warped.source_logits,
        "part_logits": painted.warped.part_logits,
        "flow": painted.warped.flow,
        "cover": painted.warped.cover,
        "alpha": painted.alpha_logits,
        "generated": painted.generated,
        "visibility": painted.visibility,
        "image": painted.image,
        "drawn": drawn,
    }
    for name, value in found.items():
        np.testing.assert_allclose(
            value.numpy(), stored[f"out.{name}"].numpy(), rtol=1e-3, atol=5e-4, err_msg=name
        )
