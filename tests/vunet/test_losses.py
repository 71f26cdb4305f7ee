"""What the network is trained towards: each loss is nought where it should be, and only there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pose import Pose
from vunet import geometry as geo
from vunet import losses
from vunet.config import PRESETS
from vunet.dataset import CARRIED, CLOTH, NO_CLOTH, NOT_SKIRT, UNKNOWN
from vunet.model import PART_COUNT, Gaussian, Painted, Reposer, Warped

TINY = PRESETS["tiny"].model
FRAME = TINY.size
COARSE = (FRAME[0] // 4, FRAME[1] // 4)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def painted(make_person: Callable[..., Pose], joints_of: Callable[..., torch.Tensor]) -> Painted:
    """An untrained network's answer to a person who keeps the pose."""
    torch.manual_seed(0)
    model = Reposer(TINY).eval()
    joints = joints_of(make_person(size=FRAME))
    with torch.no_grad():
        return model(rand(1, 3, *FRAME).tanh(), torch.ones(1, 1, *FRAME), joints, joints)


def warped_with(painted: Painted, **changes: torch.Tensor) -> Warped:
    assert painted.warped is not None
    return dataclasses.replace(painted.warped, **changes)


# -- part labels -----------------------------------------------------------------------------


def test_part_loss_is_cross_entropy_where_labels_are_known(painted: Painted) -> None:
    logits = rand(2, PART_COUNT + 1, *COARSE)
    labels = torch.randint(
        0, PART_COUNT + 1, (2, *COARSE), generator=torch.Generator().manual_seed(0)
    )
    classes = (labels - 1) % (PART_COUNT + 1)  # 0, background, is the network's last class
    expected = torch.nn.functional.cross_entropy(logits, classes)
    warped = warped_with(painted, source_logits=logits, part_logits=logits)
    found = losses.part_losses(warped, labels.to(torch.uint8), labels.to(torch.uint8))
    assert found.keys() == {"parser", "parts"}
    assert float(found["parser"]) == pytest.approx(float(expected), rel=1e-4)
    labels[:, : COARSE[0] // 2] = UNKNOWN
    half = losses.part_losses(warped, labels.to(torch.uint8), labels.to(torch.uint8))["parts"]
    rest = torch.nn.functional.cross_entropy(
        logits[:, :, COARSE[0] // 2 :], classes[:, COARSE[0] // 2 :]
    )
    assert float(half) == pytest.approx(float(rest), rel=1e-4)


def test_unknown_labels_teach_nothing(painted: Painted) -> None:
    logits = rand(1, PART_COUNT + 1, *COARSE).requires_grad_()
    labels = torch.full((1, *COARSE), UNKNOWN, dtype=torch.uint8)
    warped = warped_with(painted, source_logits=logits, part_logits=logits)
    loss = losses.part_losses(warped, labels, labels)["parts"]
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) == 0


def test_not_skirt_pushes_skirt_and_background_down_alone(painted: Painted) -> None:
    logits = torch.zeros(1, PART_COUNT + 1, *COARSE).requires_grad_()
    labels = torch.full((1, *COARSE), NOT_SKIRT, dtype=torch.uint8)
    warped = warped_with(painted, source_logits=logits, part_logits=logits)
    loss = losses.part_losses(warped, labels, labels)["parts"]
    assert float(loss.detach()) == pytest.approx(-math.log(1 - 2 / (PART_COUNT + 1)), rel=1e-4)
    loss.backward()
    assert logits.grad is not None
    up = logits.grad[0, :, 0, 0] > 0  # the step goes against the gradient
    assert up.nonzero()[:, 0].tolist() == [geo.SKIRT, PART_COUNT]
    certain = torch.full((1, PART_COUNT + 1, *COARSE), -50.0)
    certain[:, geo.SKIRT] = 50
    warped = warped_with(painted, source_logits=certain, part_logits=certain)
    assert torch.isfinite(losses.part_losses(warped, labels, labels)["parts"])


# -- garments --------------------------------------------------------------------------------


def garment_truth(labels: torch.Tensor) -> torch.Tensor:
    """Logits that are sure of hanging cloth and of what is carried."""
    worn = (labels == CLOTH) | (labels == geo.SKIRT + 1)
    return torch.stack([worn, labels == CARRIED], 1).float() * 80 - 40


def test_who_reads_garments_rightly_pays_nothing() -> None:
    kinds = torch.tensor([0, CLOTH, NO_CLOTH, CARRIED, geo.SKIRT + 1, UNKNOWN])
    labels = kinds[torch.arange(COARSE[0] * COARSE[1]).reshape(1, *COARSE) % len(kinds)]
    masks = torch.ones(1, 1, *COARSE)
    truth = garment_truth(labels)
    assert float(losses.garment_loss(truth, labels.to(torch.uint8), masks)) < 1e-3
    for channel in (0, 1):
        wrong = truth.clone()
        wrong[:, channel] *= -1
        assert float(losses.garment_loss(wrong, labels.to(torch.uint8), masks)) > 10


@pytest.mark.parametrize(
    ("label", "cloth", "carried"),
    [
        (UNKNOWN, False, False),
        (CARRIED, False, True),  # cloth may be under it
        (NOT_SKIRT, False, True),  # sets made before cloth was told apart
        (geo.TORSO + 1, False, True),  # renders: bare or clothed
        (geo.LEGS[0] + 1, True, True),
        (geo.HEAD + 1, True, True),
        (NO_CLOTH, True, True),
        (0, True, True),
    ],
)
def test_garments_are_learned_where_labels_tell(label: int, cloth: bool, carried: bool) -> None:
    logits = torch.zeros(1, 2, *COARSE, requires_grad=True)
    labels = torch.full((1, *COARSE), label, dtype=torch.uint8)
    losses.garment_loss(logits, labels, torch.ones(1, 1, *COARSE)).backward()
    assert logits.grad is not None
    moved = (logits.grad.abs().amax((0, 2, 3)) > 0).tolist()
    assert moved == [cloth, carried]


def test_garments_are_learned_on_the_person_alone() -> None:
    logits = torch.zeros(1, 2, *COARSE, requires_grad=True)
    labels = torch.full((1, *COARSE), NO_CLOTH, dtype=torch.uint8)
    masks = torch.zeros(1, 1, *COARSE)
    masks[..., : COARSE[1] // 2] = 1
    losses.garment_loss(logits, labels, masks).backward()
    assert logits.grad is not None
    assert float(logits.grad[..., : COARSE[1] // 2].abs().min()) > 0
    assert float(logits.grad[..., COARSE[1] // 2 :].abs().max()) == 0


def test_likeness_is_the_divergence_from_before() -> None:
    before, now = rand(2, PART_COUNT + 1, *COARSE), rand(2, PART_COUNT + 1, *COARSE) * 2
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=before.movedim(1, -1)),
        torch.distributions.Categorical(logits=now.movedim(1, -1)),
    )
    found = losses.likeness_loss(now, before)
    assert float(found) == pytest.approx(float(expected.mean()), rel=1e-4)
    assert float(losses.likeness_loss(before, before)) == pytest.approx(0, abs=1e-6)


# -- surfaces --------------------------------------------------------------------------------


def surface_of(places: torch.Tensor) -> torch.Tensor:
    """A surface whose point at (x, y) is (x, y, 0) centimetres, so that a pixel is 1 cm."""
    return torch.stack([places[..., 0] / 100, places[..., 1] / 100, places[..., 0] * 0])[None]


def test_exact_flow_costs_nothing_and_may_be_copied(painted: Painted) -> None:
    grid = geo.pixel_grid(COARSE, FRAME, torch.device("cpu"))
    surface = surface_of(grid)
    labels = torch.zeros(1, *COARSE, dtype=torch.uint8)
    labels[:, 2:-2, 2:-2] = geo.TORSO + 1
    warped = warped_with(painted, places=grid.expand(1, PART_COUNT, *COARSE, 2))
    full = dataclasses.replace(
        painted, warped=warped, visibility=torch.ones_like(painted.visibility)
    )
    found = losses.surface_losses(full, surface, labels, surface, labels, FRAME)
    assert float(found["surface"]) < 1e-4
    assert float(found["hidden"]) == 0


def test_wrong_flow_costs_and_its_gradient_leads_back(painted: Painted) -> None:
    grid = geo.pixel_grid(COARSE, FRAME, torch.device("cpu"))
    surface = surface_of(grid)
    labels = torch.full((1, *COARSE), geo.TORSO + 1, dtype=torch.uint8)
    places = (grid + torch.tensor([4.0, 0.0])).expand(1, PART_COUNT, *COARSE, 2).clone()
    places.requires_grad_()
    full = dataclasses.replace(painted, warped=warped_with(painted, places=places))
    loss = losses.surface_losses(full, surface, labels, surface, labels, FRAME)["surface"]
    assert float(loss.detach()) > 0.1
    loss.backward()
    assert places.grad is not None
    inner = places.grad[0, geo.TORSO, 3:-3, 3:-3]
    assert float(inner[..., 0].min()) > 0
    others = [p for p in range(PART_COUNT) if p != geo.TORSO]
    assert float(places.grad[0, others].abs().max()) == 0


def test_far_side_of_the_head_must_not_be_copied_but_cloth_may(painted: Painted) -> None:
    grid = geo.pixel_grid(COARSE, FRAME, torch.device("cpu"))
    surface = surface_of(grid)
    warped = warped_with(painted, places=grid.expand(1, PART_COUNT, *COARSE, 2))
    costs = {}
    for part in (geo.HEAD, geo.TORSO):
        labels = torch.full((1, *COARSE), part + 1, dtype=torch.uint8)
        for value in (0.0, 0.5, 1.0):
            full = dataclasses.replace(
                painted, warped=warped, visibility=torch.full_like(painted.visibility, value)
            )
            found = losses.surface_losses(full, surface + 1.0, labels, surface, labels, FRAME)
            costs[part, value] = float(found["hidden"])
            assert float(found["surface"]) == 0
    assert costs[geo.HEAD, 0.0] < 1e-3
    assert costs[geo.HEAD, 0.5] == pytest.approx(math.log(2), rel=1e-3)
    assert costs[geo.HEAD, 1.0] > 5
    assert not any(costs[geo.TORSO, value] for value in (0.0, 0.5, 1.0))
    kept = torch.zeros(1)  # nothing was copied from a photo that the generator did not see
    found = losses.surface_losses(
        full, surface + 1.0, labels * 0 + 1, surface, labels * 0 + 1, FRAME, kept
    )
    assert float(found["hidden"]) == 0


def test_head_boxes_show_the_head_at_one_size(
    make_person: Callable[..., Pose], joints_of: Callable[..., torch.Tensor]
) -> None:
    """Twice the person gives the same box; its middle is the middle of the head."""
    for factor in (1.0, 2.0):
        joints = joints_of(make_person(size=FRAME)) * torch.tensor([factor, factor, 1.0])
        size = (int(FRAME[0] * factor), int(FRAME[1] * factor))
        grid = geo.pixel_grid(size, size, torch.device("cpu")).permute(2, 0, 1)[None]
        box = losses.head_boxes(grid, joints, side=32)
        middle = box[0, :, 15:17, 15:17].mean((1, 2))
        centre = geo.head_centre(joints[..., :2])[0]
        torch.testing.assert_close(middle, centre, atol=0.2, rtol=0)
        width = float(box[0, 0, 16, -1] - box[0, 0, 16, 0]) * 32 / 31
        assert width == pytest.approx(0.72 * float(geo.body_scale(joints)), rel=0.02)


def test_surface_loss_needs_a_texture_path(painted: Painted) -> None:
    without = dataclasses.replace(painted, warped=None)
    nothing = torch.zeros(1, *COARSE, dtype=torch.uint8)
    with pytest.raises(ValueError, match="texture"):
        losses.surface_losses(
            without, torch.zeros(1, 3, *COARSE), nothing, torch.zeros(1, 3, *COARSE), nothing, FRAME
        )


# -- the others ------------------------------------------------------------------------------


def test_divergence_lets_free_nats_go() -> None:
    p = Gaussian(torch.zeros(4, 3, 2), torch.zeros(4, 3, 2))
    mean = torch.zeros(4, 3, 2)
    mean[:, 0, 0] = 2.0  # 2 nats
    mean[:, 1, 0] = 0.1  # 0.005 nats
    mean.requires_grad_()
    loss = losses.divergence(Gaussian(mean, torch.zeros(4, 3, 2)), p, 0.02)
    assert float(loss.detach()) == pytest.approx(2 + 5 * 0.02, rel=1e-4)
    loss.backward()
    assert mean.grad is not None
    assert float(mean.grad[:, 0, 0].min()) > 0
    assert float(mean.grad[:, 1, 0].abs().max()) == 0


def test_divergence_counts_whom_it_is_told_to() -> None:
    p = Gaussian(torch.zeros(3, 2, 2), torch.zeros(3, 2, 2))
    q = Gaussian(rand(3, 2, 2), rand(3, 2, 2, seed=1))
    counted = torch.tensor([True, False, True])
    chosen = Gaussian(q.mean[counted], q.log_variance[counted])
    alone = losses.divergence(chosen, Gaussian(p.mean[:2], p.log_variance[:2]), 0.02)
    assert float(losses.divergence(q, p, 0.02, counted)) == pytest.approx(float(alone), rel=1e-5)
    assert float(losses.divergence(q, p, 0.0, torch.zeros(3).bool())) == 0


def test_dilate_grows_by_the_radius() -> None:
    mask = torch.zeros(1, 1, 9, 9)
    mask[0, 0, 4, 4] = 1
    grown = losses.dilate(mask, 2)[0, 0]
    assert float(grown.sum()) == 25
    assert float(grown[2:7, 2:7].min()) == 1


def test_smoothness_is_nought_for_no_flow_and_small_for_even_flow() -> None:
    nothing = torch.zeros(1, PART_COUNT, 2, *COARSE)
    assert float(losses.smoothness(nothing)) == 0
    even, rough = nothing + 3, nothing.clone()
    rough[..., ::2] = 3
    assert 0 < float(losses.smoothness(even)) < float(losses.smoothness(rough))


def test_discriminator_sees_picture_pose_and_look() -> None:
    torch.manual_seed(0)
    judge = losses.PatchDiscriminator(8).eval()
    image, parts = rand(2, 3, 64, 48), rand(2, PART_COUNT + 4, 64, 48)
    with torch.no_grad():
        score, features = judge(image, parts)
        assert score.shape == (2, 1, 8, 6)
        assert len(features) == 4
        for half in (slice(PART_COUNT), slice(PART_COUNT, None)):
            other = parts.clone()
            other[:, half] = parts.flip(0)[:, half]
            assert float((judge(image, other)[0] - score).abs().max()) > 1e-4
        assert float((judge(image.flip(0), parts)[0] - score).abs().max()) > 1e-4


@pytest.mark.shared
def test_perceptual_loss_is_nought_for_equals_and_grows_with_damage(shared: Path) -> None:
    weights = shared / "backbones" / "squeezenet1_0_imagenet.safetensors"
    features = losses.SqueezeFeatures(weights, losses.PERCEPTUAL_LAYERS)
    assert not any(p.requires_grad for p in features.parameters())
    x = torch.nn.functional.interpolate(rand(1, 3, 8, 6).tanh(), scale_factor=16.0, mode="bilinear")
    values = []
    for amount in (0.0, 0.1, 0.5):
        y = (x + amount * rand(1, 3, 128, 96, seed=1)).clamp(-1, 1)
        values.append(float(losses.perceptual(features, y, x, amp=False)))
    assert values[0] == pytest.approx(0, abs=1e-4)
    assert 0.01 < values[1] < values[2]
    window = (0, 0, 64, 64)
    y = x.clone()
    y[:, :, 80:] = 0
    assert float(losses.perceptual(features, y, x, amp=False, window=window)) < 1e-4
    assert np.isfinite(float(losses.perceptual(features, y, x, amp=True)))
