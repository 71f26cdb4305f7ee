"""What the drawing network is trained towards, and whom it plays against."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vunet.config import TrainConfig
from vunet.drawing.data import DrawingBatch
from vunet.drawing.network import Drawn
from vunet.losses import HingeRival, PatchDiscriminator, SqueezeFeatures, divergence, perceptual


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
    truth, valid = batch.image, batch.valid
    weight = (0.35 + 0.65 * batch.thing) * valid
    parts = {
        "l1": ((drawn.image - truth).abs() * weight).mean() * 6,
        "generated": ((drawn.generated - truth).abs() * weight).mean() * 1.5,
    }
    if features is not None:
        parts["perceptual"] = config.perceptual_weight * perceptual(
            features, drawn.image * valid, truth * valid, amp, window
        )
    if drawn.posterior is not None and drawn.prior is not None:
        kl = divergence(drawn.posterior, drawn.prior, config.free_nats)
        parts["kl"] = kl * kl_weight
    if drawn.seen_tints is not None:
        parts["tint"] = (drawn.tints - drawn.seen_tints.detach()).abs().mean() * 2
    carried = drawn.carried
    if carried is not None:
        # where the truth's place lies in the reference is known
        known = (batch.places.abs() <= 1).all(-1) & (F.avg_pool2d(valid, 4)[:, 0] > 0.9)
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
    return parts


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
        return self.judge(result, truth, cut(batch.drawing), amp)
