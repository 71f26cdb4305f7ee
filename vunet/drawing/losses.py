"""What the drawing network is trained towards, and whom it plays against."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vunet.config import TrainConfig
from vunet.drawing.data import THING, DrawingBatch
from vunet.drawing.network import Carried, Drawn
from vunet.losses import HingeRival, PatchDiscriminator, SqueezeFeatures, divergence, perceptual

_LEAST_SHARE = 0.004
"""Of a picture: smaller regions are not asked to agree."""


def drawing_losses(
    drawn: Drawn,
    batch: DrawingBatch,
    features: SqueezeFeatures | None,
    config: TrainConfig,
    kl_weight: float,
    amp: bool,
    keep: Tensor,
    window: tuple[int, int, int, int],
) -> dict[str, Tensor]:
    """Every loss of a batch, weighted; their sum is what is minimised.

    Args:
        drawn: The network's answer.
        batch: What it was asked.
        features: Of the perceptual losses; None leaves them out.
        config: Of the run.
        kl_weight: Of this step.
        amp: bf16 convolutions.
        keep: (B, 1, 1, 1) 0 where the reference's pixels were withheld.
        window: y, x, height, width compared by features.
    """
    own = batch.own[:, None, None, None]
    truth, valid = batch.image, batch.valid * own
    weight = (0.35 + 0.65 * batch.thing) * valid
    parts = {
        "l1": ((drawn.image - truth).abs() * weight).mean() * 6,
        "generated": ((drawn.generated - truth).abs() * weight).mean() * 1.5,
    }
    if features is not None:
        # Samples without a truth would cost time and add nothing. `perceptual` gives the mean of
        # those left, which must count in proportion to how many of the batch they are.
        rows = batch.own > 0
        shown, true = (drawn.image * valid)[rows], (truth * valid)[rows]
        if len(shown):
            apart = perceptual(features, shown, true, amp, window)
            parts["perceptual"] = config.perceptual_weight * apart * batch.own.mean()
    if drawn.posterior is not None and drawn.prior is not None:
        kl = divergence(drawn.posterior, drawn.prior, config.free_nats, batch.own > 0)
        parts["kl"] = kl * kl_weight
    if drawn.seen_tints is not None:
        parts["tint"] = (drawn.tints - drawn.seen_tints.detach()).abs().mean() * 2
    carried = drawn.carried
    if carried is not None:
        # where the truth's place lies in the reference is known
        known = (batch.places.abs() <= 1).all(-1) & (F.avg_pool2d(batch.valid, 4)[:, 0] > 0.9)
        known = known.float() * (0.35 + 0.65 * F.avg_pool2d(batch.thing, 4)[:, 0])
        apart = F.smooth_l1_loss(carried.places, batch.places, reduction="none", beta=0.02).sum(-1)
        coarse_truth = F.avg_pool2d(batch.places.permute(0, 3, 1, 2), 4).permute(0, 2, 3, 1)
        coarse_known = F.avg_pool2d(known[:, None], 4)[:, 0]
        coarse = F.smooth_l1_loss(
            carried.coarse_places, coarse_truth, reduction="none", beta=0.02
        ).sum(-1)
        amount, coarse_amount = known.sum().clamp_min(1), coarse_known.sum().clamp_min(1)
        parts["places"] = ((apart * known).sum() / amount) * 3
        parts["match"] = ((coarse * coarse_known).sum() / coarse_amount) * 3
        with torch.no_grad():
            copied = F.avg_pool2d((carried.colour - truth).abs().mean(1, True), 5, 1, 2)
            made = F.avg_pool2d((drawn.generated - truth).abs().mean(1, True), 5, 1, 2)
            better = torch.sigmoid((made + 0.05 - copied) / 0.03)
            judged = valid * carried.cover * keep
        visible = drawn.visibility.clamp(1e-4, 1 - 1e-4)
        copy = F.binary_cross_entropy(visible, better, reduction="none") * judged
        parts["copy"] = copy.sum() / judged.sum().clamp_min(1) * 0.3
        if bool((batch.own < 1).any()):
            parts.update(_cross_losses(drawn, carried, batch))
    return parts


def _cross_losses(drawn: Drawn, carried: Carried, batch: DrawingBatch) -> dict[str, Tensor]:
    """What is known of a drawing in another thing's look.

    Each place must look at the same kind of place of the reference (`regions`), and each region
    must have the colours, on average and in spread, that it has there.
    """
    cross = 1 - batch.own
    here = _one_hot(batch.regions, 4) * F.avg_pool2d(batch.valid, 4)
    there = _one_hot(batch.reference_regions, 4)
    shared = (here.mean((2, 3)) > _LEAST_SHARE) & (there.mean((2, 3)) > _LEAST_SHARE)
    asked = here * shared[:, :, None, None] * cross[:, None, None, None]
    # each region counts alike, however small, and ground hardly
    asked = asked / asked.sum((2, 3), keepdim=True).clamp_min(1)
    asked[:, 0] *= 0.3
    amount = asked.sum().clamp_min(1)
    # attention, a sixteenth of the size
    wanted, found = F.avg_pool2d(asked, 4) * 16, F.avg_pool2d(there, 4)
    with torch.autocast(found.device.type, enabled=False):
        seen = torch.einsum("bnm,bcm->bcn", carried.attention.float(), found.flatten(2))
        unlike = -(wanted.flatten(2) * (seen + 1e-3).log()).sum()
    parts = {"attention": unlike / amount}
    # the refined places
    places = carried.places.float()
    fetched = F.grid_sample(there, places, align_corners=False, padding_mode="border")
    parts["kind"] = (asked * (1 - fetched)).sum() / amount
    # what is of another kind must not be copied
    known_here, known_there = here.sum(1, True), there.sum(1, True)
    right = (here * fetched.detach()).sum(1, True)
    sure = (known_here > 0.9) & (
        F.grid_sample(known_there, places.detach(), align_corners=False, padding_mode="border")
        > 0.9
    )
    wrong = (1 - right) * sure * (cross * _alike(batch))[:, None, None, None]
    visible = F.avg_pool2d(drawn.visibility, 4).clamp(max=1 - 1e-4)
    parts["hidden"] = -(torch.log1p(-visible) * wrong).sum() / wrong.sum().clamp_min(1) * 0.3
    mean, spread = _moments(F.avg_pool2d(drawn.image, 4), here)
    true_mean, true_spread = _moments(F.avg_pool2d(batch.reference, 4), there)
    judged = (shared & (cross > 0)[:, None]).float()
    apart = (mean - true_mean).abs().mean(2) + 0.5 * (spread - true_spread).abs().mean(2)
    parts["look"] = (apart * judged).sum() / judged.sum().clamp_min(1)
    return parts


def _alike(batch: DrawingBatch) -> Tensor:
    """(B,) 1 where regions of the drawing and of the reference are told apart alike."""
    whole = [(r == THING).flatten(1).any(1) for r in (batch.regions, batch.reference_regions)]
    return (whole[0] == whole[1]).float()


def _one_hot(regions: Tensor, factor: int) -> Tensor:
    """(B, 1, H, W) -> (B, 1 + THING, H / factor, W / factor) shares."""
    kinds = torch.arange(THING + 1, device=regions.device).view(1, -1, 1, 1)
    return F.avg_pool2d((regions == kinds).float(), factor)


def _moments(picture: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (B, C, 3) of colours (B, 3, h, w) in regions (B, C, h, w)."""
    amount = shares.sum((2, 3)).clamp_min(1e-3)[..., None]
    mean = torch.einsum("bchw,bkhw->bck", shares, picture) / amount
    square = torch.einsum("bchw,bkhw->bck", shares, picture.square()) / amount
    return mean, (square - mean.square()).clamp_min(0).add(1e-4).sqrt()


class DrawingRival(HingeRival):
    """Sees picture and drawing together; 70x70."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        net = PatchDiscriminator(condition_channels=3, last=(8, 4, 4))
        super().__init__(net, config.adversarial_weight, device)

    def play(
        self, drawn: Drawn, batch: DrawingBatch, window: tuple[int, int, int, int], amp: bool
    ) -> dict[str, Tensor]:
        """Train the discriminator on a batch; return the generator's side of the game."""
        y, x, h, w = window

        def cut(pictures: Tensor) -> Tensor:
            return pictures[:, :, y : y + h, x : x + w]

        result, truth = cut(drawn.image * batch.valid), cut(batch.image * batch.valid)
        return self.judge(result, truth, cut(batch.drawing), amp, batch.own)
