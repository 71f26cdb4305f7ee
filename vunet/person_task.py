"""Training the re-posing network, or one that it is measured against: what a step minimises."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet import losses
from vunet.baselines import Pix2PixRival, baseline_losses
from vunet.config import ModelConfig, TrainConfig
from vunet.data import Batch, BatchMaker
from vunet.dataset import UNKNOWN, Dataset
from vunet.geometry import HEAD, analytic_warp, capsules
from vunet.model import PART_COUNT, Painted, Parsed, Reposer, Warped
from vunet.networks import build
from vunet.schedule import kl_weight, step_window
from vunet.task import write_sheet

_TRAINED = {"texture": ("parser.", "warper.", "prior_strength"), "garments": ("parser.",)}
"""What of the network is trained with each of `ONLY`."""
_AS_BEFORE = 10.0
"""Weight of parts' likeness to what they were, on which all of the network depends."""


class PersonTask:
    """See `vunet.task.Task`."""

    def __init__(
        self,
        config: TrainConfig,
        datasets: list[Dataset],
        validation: tuple[Dataset, ...],
        features: losses.SqueezeFeatures | None,
        device: torch.device,
        rank: int,
    ) -> None:
        self.config, self.features, self.rank = config, features, rank
        self.maker = BatchMaker(datasets, config, device, rank)
        self.check = (
            BatchMaker(list(validation), _validation_config(config), device) if validation else None
        )
        self.teacher: Reposer | None = None
        self.rival: _Rival | Pix2PixRival | None = None
        if config.adversarial_weight > 0:
            kind = Pix2PixRival if config.model.network == "pix2pix" else _Rival
            self.rival = kind(config, device)

    def build(self) -> nn.Module:
        """A network with fresh weights."""
        model = build(self.config.model)
        if self.config.only:
            model.requires_grad_(False)
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(name.startswith(_TRAINED[self.config.only]))
        return model

    def begin(self, model: nn.Module) -> nn.Module | None:
        """Take note of the weights that a run begins with; whom it is compared with, if anybody."""
        if self.config.only == "garments" and isinstance(model, Reposer):
            self.teacher = copy.deepcopy(model).requires_grad_(False).eval()
        return self.teacher

    def losses(self, model: nn.Module, step: int, done: float, amp: bool) -> dict[str, Tensor]:
        """Every loss of a step, weighted."""
        config, batch = self.config, self.maker.batch(step)
        noise, keep = step_noise(batch, step, self.rank, config)
        # dropout of baselines
        torch.manual_seed((config.seed * 1_000_003 + step) * 64 + self.rank)
        source, target = batch.source, batch.target
        pairs = (source.images, source.masks, source.joints, target.joints)
        if config.only == "texture":
            painted = model(*pairs, only="texture", amp=amp)
            return carried_losses(painted, batch, self.features, config, step, amp)
        if config.only == "garments":
            return self._garments(model, batch, amp)
        painted: Painted = model(
            *pairs,
            noise=noise,
            keep=keep,
            rendered=batch.rendered,
            truth=(target.images, target.masks),
            amp=amp,
        )
        if config.model.network == "reposer":
            parts = batch_losses(painted, batch, self.features, config, step, amp, keep)
        else:
            parts = baseline_losses(painted, batch, self.features, config, done, amp)
        if self.rival is not None and step >= config.adversarial_start:
            parts.update(self.rival.play(painted, batch, step, amp))
        return parts

    def _garments(self, model: nn.Module, batch: Batch, amp: bool) -> dict[str, Tensor]:
        """What garments cost that are read wrongly, and parts that are read otherwise than before.

        Both sides of a pair are pictures of their own here.
        """
        sides = batch.source, batch.target
        images, masks, joints = (
            torch.cat([getattr(s, name) for s in sides]) for name in ("images", "masks", "joints")
        )
        parsed: Parsed = model(images, masks, joints, joints, only="garments", amp=amp)
        assert self.teacher is not None
        assert parsed.garments is not None
        with torch.no_grad():
            before = self.teacher.parse(images, masks, joints, amp=amp).logits
        small = F.avg_pool2d(masks, 4)
        labels = torch.cat([_fit(s.parts, small[:, 0]) for s in sides])
        return {
            "garments": losses.garment_loss(parsed.garments, labels, small),
            "parser": losses.likeness_loss(parsed.logits, before) * _AS_BEFORE,
        }

    def examine(self, model: nn.Module, out: Path, step: int, amp: bool) -> dict[str, Any]:
        """Validation figures, and a sheet in `out`/sheets."""
        return _examine(model, self.check, self.features, out, step, amp)


def step_noise(batch: Batch, step: int, rank: int, config: TrainConfig) -> tuple[Tensor, Tensor]:
    """Posterior noise (B, P, Z) and texture dropout (B, P, 1, 1) of a step."""
    assert isinstance(config.model, ModelConfig)
    B = len(batch.rendered)
    g = torch.Generator().manual_seed((config.seed * 1_000_003 + step) * 64 + rank)
    noise = torch.randn(B, PART_COUNT, config.model.latent_dim, generator=g)
    whole = torch.rand(B, 1, generator=g) >= config.texture_dropout
    parts = torch.rand(B, PART_COUNT, generator=g) >= 0.1
    keep = (whole & parts).float()[:, :, None, None]
    device = batch.rendered.device
    return noise.to(device), keep.to(device)


def batch_losses(
    painted: Painted,
    batch: Batch,
    features: losses.SqueezeFeatures | None,
    config: TrainConfig,
    step: int,
    amp: bool,
    keep: Tensor | None = None,
) -> dict[str, Tensor]:
    """Every loss of a batch, weighted; their sum is what is minimised."""
    target, size = batch.target, config.model.size
    truth = target.images * target.masks
    alpha = torch.sigmoid(painted.alpha_logits)
    result = painted.image * alpha
    coarse = losses.dilate(F.max_pool2d(target.masks, 4), max(1, size[0] // 128))
    near = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    with torch.no_grad():  # users look at the head first
        quarter_size = (size[0] // 4, size[1] // 4)
        head = capsules(target.joints, quarter_size, size)[:, HEAD : HEAD + 1]
        head = F.interpolate(head, size=size, mode="bilinear", align_corners=False)
    weight = (0.3 + 0.7 * near + 1.0 * head * target.masks) * target.valid
    parts: dict[str, Tensor] = {}
    parts["l1"] = ((result - truth).abs() * weight).mean() * 6
    parts["alpha"] = (
        F.binary_cross_entropy_with_logits(
            painted.alpha_logits, target.masks.clamp(0, 1), reduction="none"
        )
        * target.valid
    ).mean() * 0.7
    inside = target.masks * target.valid
    parts["generated"] = ((painted.generated - target.images).abs() * inside).mean() * 1.5
    if features is not None:
        seen, shown_truth = result * target.valid, truth * target.valid
        parts["perceptual"] = config.perceptual_weight * losses.perceptual(
            features, seen, shown_truth, amp, step_window(step, config)
        )
        head = losses.head_boxes(seen, target.joints)
        true_head = losses.head_boxes(shown_truth, target.joints)
        parts["head"] = config.head_weight * losses.perceptual(features, head, true_head, amp)
    parts["tint"] = losses.tint_loss(painted, target.images, target.joints, inside)
    if painted.posterior is not None and painted.prior is not None:
        kl = losses.divergence(painted.posterior, painted.prior, config.free_nats, batch.natural)
        parts["kl"] = kl * kl_weight(step, config)
    if painted.warped is not None:
        shown = torch.ones_like(batch.rendered) if keep is None else keep.amax(1).flatten()
        judged = inside * shown[:, None, None, None]
        parts["copy"] = losses.copy_preference(painted, target.images, judged) * 0.3
        parts.update(_texture_losses(painted, painted.warped, batch, config, shown))
    return parts


def carried_losses(
    painted: Painted,
    batch: Batch,
    features: losses.SqueezeFeatures | None,
    config: TrainConfig,
    step: int,
    amp: bool,
) -> dict[str, Tensor]:
    """Every loss of a batch in which nothing is painted, weighted.

    What the photo shows is laid over the truth, and compared as a whole in every other step, at
    half the size, and closely in the others.
    """
    target, warped = batch.target, painted.warped
    assert warped is not None
    parts = _texture_losses(painted, warped, batch, config, None)
    parts.pop("hidden", None)  # that is for what is painted
    if features is not None:
        truth = target.images * target.masks * target.valid
        cover = warped.cover.detach() * target.masks * target.valid
        laid = truth + (warped.colour - target.images) * cover
        window = step_window(step, config)
        if step % 2:
            laid, truth, window = F.avg_pool2d(laid, 2), F.avg_pool2d(truth, 2), None
        parts["perceptual"] = config.perceptual_weight * losses.perceptual(
            features, laid, truth, amp, window
        )
    return parts


def _texture_losses(
    painted: Painted,
    warped: Warped,
    batch: Batch,
    config: TrainConfig,
    shown: Tensor | None,
) -> dict[str, Tensor]:
    """What the texture path answers for, weighted."""
    target, parts = batch.target, dict[str, Tensor]()
    truth, inside = target.images * target.masks, target.masks * target.valid
    coarse_truth, coarse_inside = F.avg_pool2d(truth, 4), F.avg_pool2d(inside, 4)
    covered = warped.coarse_cover.detach() * coarse_inside
    colour = warped.coarse_colour.clamp(-1, 1)
    coarse_image = F.avg_pool2d(target.images, 4)
    parts["warp"] = ((colour - coarse_image).abs() * covered).mean() * 3
    blend = warped.coarse_cover * warped.coarse_colour
    parts["blend"] = ((blend - coarse_truth).abs() * coarse_inside).mean() * 2
    sharp = (warped.colour - target.images).abs() * warped.cover.detach() * inside
    parts["sharp"] = sharp.mean() * 2
    parts["flow"] = losses.smoothness(warped.flow)
    quarter = F.avg_pool2d(target.valid, 4)[:, 0] > 0.99
    target_parts = _fit(target.parts, quarter).masked_fill(~quarter, UNKNOWN)
    source_parts = _fit(batch.source.parts, quarter)
    ce = losses.part_losses(warped, source_parts, target_parts)
    parts["parser"], parts["parts"] = ce["parser"] * 0.5, ce["parts"] * 0.3
    if warped.garments is not None:
        masks = F.avg_pool2d(batch.source.masks, 4)
        read = losses.garment_loss(warped.garments, source_parts, masks)
        parts["garments"] = read * 0.2
    if batch.rendered.any():
        surface = losses.surface_losses(
            painted,
            _fit_surface(batch.source.surface, quarter),
            torch.where(batch.rendered[:, None, None] > 0, source_parts, 0),
            _fit_surface(target.surface, quarter),
            torch.where(batch.rendered[:, None, None] > 0, target_parts, 0),
            config.model.size,
            shown,
        )
        parts["surface"] = surface["surface"] * 0.15
        parts["hidden"] = surface["hidden"] * config.hidden_weight
    return parts


def _fit(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (B, h, w) at the control size of a smaller network."""
    if labels.shape[1:] == like.shape[1:]:
        return labels
    small = F.interpolate(labels[:, None].float(), size=like.shape[1:], mode="nearest")
    return small[:, 0].to(labels.dtype)


def _fit_surface(surface: Tensor, like: Tensor) -> Tensor:
    if surface.shape[2:] == like.shape[1:]:
        return surface
    return F.interpolate(surface, size=like.shape[1:], mode="nearest")


def _validation_config(config: TrainConfig) -> TrainConfig:
    return dataclasses.replace(
        config, seed=12345, batch_size=min(16, config.batch_size), mix=(1, 1, 1)
    )


@torch.no_grad()
def _examine(
    model: nn.Module,
    check: BatchMaker | None,
    features: losses.SqueezeFeatures | None,
    out: Path,
    step: int,
    amp: bool,
    batches: int = 3,
) -> dict[str, Any]:
    """Validation figures on fixed batches, and a sheet of their first pairs."""
    if check is None:
        return {}
    l1, distance, warp_l1 = [], [], []
    for number in range(batches):
        batch = check.batch(number)
        source, target = batch.source, batch.target
        painted = model(
            source.images,
            source.masks,
            source.joints,
            target.joints,
            rendered=batch.rendered,
            amp=amp,
        )
        result = painted.image * torch.sigmoid(painted.alpha_logits) * target.valid
        truth = target.images * target.masks * target.valid
        l1.append(float((result - truth).abs().mean()))
        if painted.warped is not None:
            w = painted.warped
            warp_l1.append(float((w.colour * w.cover * target.valid - truth).abs().mean()))
        if features is not None:
            distance.append(float(losses.perceptual(features, result, truth, amp)))
        if number == 0:
            geometry, _ = analytic_warp(source.images, source.masks, source.joints, target.joints)
            columns = [source.images * source.masks, geometry, result, truth]
            if isinstance(model, Reposer):
                columns += _without_photo(model, painted, target.joints, amp)
            write_sheet(columns, out / "sheets" / f"{step:07d}.jpg")
    found = {"val_l1": float(np.mean(l1))}
    if distance:
        found["val_perceptual"] = float(np.mean(distance))
    if warp_l1:
        found["val_warp_l1"] = float(np.mean(warp_l1))
    return {k: round(v, 4) for k, v in found.items()}


def _without_photo(model: Reposer, painted: Painted, joints: Tensor, amp: bool) -> list[Tensor]:
    """What is copied; the person painted from own latents, a neighbour's and drawn ones alone."""
    noise = torch.randn(painted.latents.shape, generator=torch.Generator().manual_seed(0))
    drawn = model.prior.draw(joints, noise.to(joints.device))
    seen = painted.visibility.expand(-1, 3, -1, -1) * 2 - 1
    pictures = [
        model.paint(z, joints, None, amp=amp)
        for z in (painted.latents, painted.latents.roll(1, 0), drawn)
    ]
    return [seen, *(p.image * torch.sigmoid(p.alpha_logits) for p in pictures)]


class _Rival(losses.HingeRival):
    """Sees the person's result with the pose and, coarsely, what the photo shows of each place."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        super().__init__(losses.PatchDiscriminator(), config.adversarial_weight, device)
        self.config = config

    def play(self, painted: Painted, batch: Batch, step: int, amp: bool) -> dict[str, Tensor]:
        """Train the discriminator on a batch; return the generator's side of the game."""
        target = batch.target
        y, x, h, w = step_window(step, self.config)

        def cut(pictures: Tensor) -> Tensor:
            return pictures[:, :, y : y + h, x : x + w]

        result = cut(painted.image * torch.sigmoid(painted.alpha_logits) * target.valid)
        truth = cut(target.images * target.masks * target.valid)
        size = self.config.model.size
        with torch.no_grad():
            known = [capsules(target.joints, size, size)]
            if painted.warped is None:
                known.append(torch.zeros_like(known[0][:, :4]))
            else:  # as fine as colour and stripes, too coarse to tell a copied pixel by
                carried = painted.warped
                look = F.avg_pool2d(
                    torch.cat([carried.colour * carried.cover, carried.cover], 1), 8
                )
                known.append(F.interpolate(look, size=size, mode="bilinear"))
            caps = cut(torch.cat(known, 1))
        return self.judge(result, truth, caps, amp)
