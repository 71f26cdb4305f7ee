"""Training a network that paints drawings: what a step minimises (`vunet.task.Task`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet.config import DrawingConfig, TrainConfig
from vunet.dataset import Dataset
from vunet.drawing.baseline import DrawingPix2PixRival
from vunet.drawing.data import DrawingBatch, DrawingBatchMaker
from vunet.drawing.losses import DrawingRival, drawing_losses
from vunet.drawing.network import DrawingNet, Drawn
from vunet.losses import SqueezeFeatures, perceptual
from vunet.networks import build
from vunet.schedule import kl_weight, step_window
from vunet.task import write_sheet

_CHECKED = 12


def _maker_for(datasets: list[Dataset]) -> type[DrawingBatchMaker]:
    """Who draws batches from these sets, all of one kind."""
    if datasets and datasets[0].meta["kind"] == "portraits":
        from vunet.face.data import PortraitBatchMaker

        return PortraitBatchMaker
    return DrawingBatchMaker


class DrawingTask:
    """See `vunet.task.Task`."""

    def __init__(
        self,
        config: TrainConfig,
        datasets: list[Dataset],
        validation: tuple[Dataset, ...],
        features: SqueezeFeatures | None,
        device: torch.device,
        rank: int,
    ) -> None:
        net = config.model
        if not isinstance(net, DrawingConfig):
            raise TypeError(f"a drawing network's settings are needed, got {net}")
        self.config, self.net, self.features, self.rank = config, net, features, rank
        seed = config.seed * 64 + rank
        share = config.cross_share if net.network == "drawing" else 0.0
        maker = _maker_for(datasets)
        self.maker = maker(datasets, net, config.batch_size, seed, device, cross_share=share)
        self.check = (
            maker(list(validation), net, _CHECKED, 12345, device, bent=False)
            if validation
            else None
        )
        self.rival: DrawingRival | DrawingPix2PixRival | None = None
        if config.adversarial_weight > 0:
            kind = DrawingRival if net.network == "drawing" else DrawingPix2PixRival
            self.rival = kind(config, device)

    def build(self) -> nn.Module:
        """A network with fresh weights."""
        return build(self.net)

    def losses(self, model: nn.Module, step: int, done: float, amp: bool) -> dict[str, Tensor]:
        """Every loss of a step, weighted."""
        config, batch = self.config, self.maker.batch(step)
        torch.manual_seed((config.seed * 1_000_003 + step) * 64 + self.rank)
        window = step_window(step, config)
        noise, keep, disturb = self._noise(batch)
        drawn: Drawn = model(
            batch.drawing,
            batch.reference,
            kinds=batch.kinds,
            noise=noise,
            keep=keep,
            disturb=disturb,
            amp=amp,
        )
        if self.net.network == "drawing":
            weight = kl_weight(step, config)
            parts = drawing_losses(drawn, batch, self.features, config, weight, amp, keep, window)
        else:
            parts = {"l1": ((drawn.image - batch.image).abs() * batch.valid).mean() * 100}
        if self.rival is not None and step >= config.adversarial_start:
            parts.update(self.rival.play(drawn, batch, window, amp))
        return parts

    def _noise(self, batch: DrawingBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Posterior noise, whether pixels are withheld, and how far what is copied lies askew."""
        B, _, H, W = batch.drawing.shape
        noise = torch.randn(B, self.net.slots, self.net.latent_dim)
        keep = (torch.rand(B, 1, 1, 1) >= self.config.texture_dropout).float()
        amount = (torch.rand(B, 1, 1, 1) < 0.5) * torch.rand(B, 1, 1, 1) * 0.06
        push = F.interpolate(torch.randn(B, 2, 4, 4), (H // 4, W // 4), mode="bicubic") * amount
        device = batch.drawing.device
        disturb = push.permute(0, 2, 3, 1)
        return noise.to(device), keep.to(device), disturb.to(device)

    @torch.no_grad()
    def examine(self, model: nn.Module, out: Path, step: int, amp: bool) -> dict[str, Any]:
        """Validation figures with the photo itself as reference, and a sheet."""
        if self.check is None:
            return {}
        l1, distance, bare = [], [], []
        for number in range(3):
            batch = self.check.batch(number)
            drawn = model(batch.drawing, batch.reference, kinds=batch.kinds, amp=amp)
            seen, truth = drawn.image * batch.valid, batch.image * batch.valid
            l1.append(float((seen - truth).abs().mean()))
            off = None
            if isinstance(model, DrawingNet):
                off = model(batch.drawing, None, latents=drawn.latents, amp=amp)
            if self.features is not None:
                distance.append(float(perceptual(self.features, seen, truth, amp)))
                if off is not None:
                    shown = off.image * batch.valid
                    bare.append(float(perceptual(self.features, shown, truth, amp)))
            if number == 0:
                columns = [batch.drawing, batch.reference, drawn.image, batch.image]
                if off is not None and isinstance(model, DrawingNet):
                    columns += self._others(model, batch, off, amp)
                write_sheet(columns, out / "sheets" / f"{step:07d}.jpg")
        found = {"val_l1": np.mean(l1)}
        if distance:
            found["val_perceptual"] = np.mean(distance)
        if bare:
            found["val_latents"] = np.mean(bare)
        return {k: round(float(v), 4) for k, v in found.items()}

    def _others(
        self, model: DrawingNet, batch: DrawingBatch, off: Drawn, amp: bool
    ) -> list[Tensor]:
        """Latents alone; the next one's photo as reference, what is copied of it; two samples."""
        other = batch.reference.roll(1, 0)
        drawn = model(batch.drawing, other, amp=amp)
        carried = drawn.carried.colour if drawn.carried is not None else drawn.image
        columns = [off.image, other, carried, drawn.visibility.expand(-1, 3, -1, -1) * 2 - 1]
        columns.append(drawn.image)
        g = torch.Generator().manual_seed(0)
        for _ in range(2):
            noise = torch.randn(len(other), self.net.slots, self.net.latent_dim, generator=g)
            z = model.sample_latents(batch.drawing, batch.kinds, noise.to(other.device))
            columns.append(model(batch.drawing, None, latents=z, amp=amp).image)
        return columns
