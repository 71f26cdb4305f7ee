"""Training the network that finds photos: what a step minimises (`vunet.task.Task`).

Every drawing of a batch with its photo and every other photo is a triplet, and every photo with its
drawing and every other drawing (batch-all; FaceNet 2015, Hermans et al. 2017). Those that are
right by the margin cost nothing and do not count; the hardest of each row counts once more. Things
of another class, where classes are known, must be farther away than others of the same: who draws
a cap wants caps. Looks are learned likewise from two views of each photo, whatever it shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet.config import FindConfig, TrainConfig
from vunet.dataset import Dataset
from vunet.gallery.data import FindBatchMaker
from vunet.gallery.network import FindNet
from vunet.gallery.ranks import ranks_among, recalls
from vunet.networks import build
from vunet.task import Rival, write_sheet

MARGIN = 0.2
"""By how much the right one must be nearer than others, in cosines."""
OTHER_KIND_MARGIN = 0.1
"""How much farther things of another class must be."""
_CHECKED = 400
_CHECK_BATCH = 50


def triplet_losses(similar: Tensor, margin: Tensor | float = MARGIN) -> Tensor:
    """Batch-all over the triplets that cost anything, and the hardest of each row.

    Args:
        similar: (B, B) cosines of queries (rows) and answers; the diagonal is right.
        margin: In cosines; one, or (B, B) of each query and answer.
    """
    own = similar.diagonal()[:, None]
    costs = F.relu(margin + similar - own)
    costs = costs.masked_fill(torch.eye(len(costs), dtype=torch.bool, device=costs.device), 0)
    every = costs.sum() / (costs > 0).sum().clamp_min(1)
    return every + costs.amax(1).mean()


class FindTask:
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
        net = config.model
        if not isinstance(net, FindConfig):
            raise TypeError(f"settings of a network that finds are needed, got {net}")
        self.config, self.net = config, net
        seed = config.seed * 64 + rank
        self.maker = FindBatchMaker(datasets, net, config.batch_size, seed, device)
        self.check: FindBatchMaker | None = None
        if validation:
            batch = FindBatchMaker(validation, net, _CHECK_BATCH, 12345, device, bent=False)
            self.check = batch

    def build(self) -> nn.Module:
        """A network with fresh weights."""
        return build(self.net)

    def losses(self, model: nn.Module, step: int, done: float, amp: bool) -> dict[str, Tensor]:
        """Every loss of a step, weighted."""
        batch = self.maker.batch(step)
        photos, drawings, looks, others = model(batch.photos, batch.ink, batch.others, amp=amp)
        similar = drawings @ photos.T
        a, b = batch.kinds[:, None], batch.kinds[None]
        margins = MARGIN + OTHER_KIND_MARGIN * ((a != b) & (a > 0) & (b > 0))
        alike = looks @ others.T
        return {
            "drawing": triplet_losses(similar, margins),
            "photo": triplet_losses(similar.T, margins),
            "look": (triplet_losses(alike) + triplet_losses(alike.T)) / 2,
        }

    @torch.no_grad()
    def examine(self, model: nn.Module, out: Path, step: int, amp: bool) -> dict[str, Any]:
        """Recall among the validation photos, in styles of training, and a sheet."""
        if self.check is None or not isinstance(model, FindNet):
            return {}
        photos, drawings = [], []
        count = min(_CHECKED, len(self.check.entries))
        size = self.check.batch_size
        for number in range(-(-count // size)):
            batch = self.check.batch(number)
            kept = min(size, count - number * size)
            photos.append(model.photos(batch.photos, amp=amp)[:kept])
            drawings.append(model.drawings(batch.ink, amp=amp)[:kept])
            if number == 0:
                ink = 1 - 2 * batch.ink.expand(-1, 3, -1, -1)
                write_sheet([batch.photos, ink], out / "sheets" / f"{step:07d}.jpg")
        similar = torch.cat(drawings) @ torch.cat(photos).T
        found = recalls(ranks_among(similar.float().cpu().numpy()))
        return {f"val_recall_{k}": round(share, 4) for k, share in found.items()}
