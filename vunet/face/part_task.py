"""Training points and manifolds of drawn faces: what a step minimises (`vunet.task.Task`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet.config import FacePartsConfig, TrainConfig
from vunet.dataset import Dataset
from vunet.face.network import KINDS, FacePartsNet
from vunet.face.part_data import PartBatch, PartBatchMaker
from vunet.face.parts import REST
from vunet.networks import build
from vunet.task import Rival, write_sheet

_NOISE = 0.15
"""Standard deviation of what is added to codes, so that near codes mean near drawings."""
_EYES = (0, 2)
"""Rows of points whose distance measures errors: outer corner left, inner right."""
_CHECKED = 60


class FacePartsTask:
    """See `vunet.task.Task`."""

    rival: Rival | None = None

    def __init__(
        self,
        config: TrainConfig,
        datasets: list[Dataset],
        validation: tuple[Dataset, ...],
        device: torch.device,
        rank: int,
    ) -> None:
        if not isinstance(config.model, FacePartsConfig):
            raise TypeError(f"settings of a face's parts are needed, got {config.model}")
        self.config, self.net, self.device = config, config.model, device
        self.maker = PartBatchMaker(datasets, config.batch_size, config.seed * 64 + rank)
        self.check = PartBatchMaker(validation, _CHECKED, 12345, bent=False) if validation else None

    def build(self) -> nn.Module:
        """A network with fresh weights."""
        return build(self.net)

    def losses(self, model: nn.Module, step: int, done: float, amp: bool) -> dict[str, Tensor]:
        """Every loss of a step, weighted."""
        del done
        torch.manual_seed((self.config.seed * 1_000_003 + step) * 64)
        batch = self.maker.batch(step)
        points, spread, told = self._told(model, batch, _NOISE, amp)
        target = batch.points.to(self.device)
        off = F.smooth_l1_loss(points, target, reduction="none", beta=0.01).sum(-1)
        apart = (points - target).detach().norm(dim=-1)
        found = {
            "points": 20 * off.mean(),
            "spread": 5 * (spread - apart.clamp(0.01, 0.3)).abs().mean(),
        }
        for kind, (codes, logits) in told.items():
            wanted = batch.wanted[kind].to(self.device)
            # most of a window is paper: lines count more
            weight = 1 + 2 * wanted
            ink = logits.sigmoid()
            fine = 0.3 * F.binary_cross_entropy_with_logits(logits, wanted, weight)
            fine = fine + 3 * ((ink - wanted).abs() * weight).mean()  # means blur, medians do not
            coarse = sum(
                (F.avg_pool2d(ink, k) - F.avg_pool2d(wanted, k)).abs().mean() for k in (2, 4, 8)
            )
            found[kind] = fine + 2 * coarse + 1e-3 * codes.square().mean()
        return found

    def _told(
        self, model: nn.Module, batch: PartBatch, noise: float, amp: bool
    ) -> tuple[Tensor, Tensor, dict[str, tuple[Tensor, Tensor]]]:
        windows = {k: w.to(self.device) for k, w in batch.windows.items()}
        dims = {k: self.net.rest_dim if k == REST else self.net.part_dim for k in KINDS}
        added = {
            k: noise * torch.randn(len(w), dims[k]).to(self.device) for k, w in windows.items()
        }
        return model(batch.ink.to(self.device), windows, added, amp=amp)

    @torch.no_grad()
    def examine(self, model: nn.Module, out: Path, step: int, amp: bool) -> dict[str, Any]:
        """Errors on the artists' sketches of the validation set, and a sheet of parts."""
        if self.check is None or not isinstance(model, FacePartsNet):
            return {}
        batch = self.check.batch(0)
        points, _, told = self._told(model, batch, 0.0, amp)
        target = batch.points.to(self.device)
        unit = (target[:, _EYES[0]] - target[:, _EYES[1]]).norm(dim=-1).clamp_min(0.05)
        error = ((points - target).norm(dim=-1) / unit[:, None]).mean()
        figures = {"val_points": float(error)}
        columns = []
        for kind, (_, logits) in told.items():
            wanted, ink = batch.wanted[kind].to(self.device), logits.sigmoid()
            figures[f"val_{kind}"] = float((F.avg_pool2d(ink - wanted, 4)).abs().mean())
            shown = [batch.windows[kind].to(self.device)[:12], ink[:12]]
            columns += [F.interpolate(1 - 2 * x, (128, 128)).expand(-1, 3, -1, -1) for x in shown]
        write_sheet(columns, out / "sheets" / f"{step:07d}.jpg")
        return {k: round(v, 4) for k, v in figures.items()}
