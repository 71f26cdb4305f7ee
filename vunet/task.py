"""What the trainer asks of whatever it trains, and what such tasks share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vunet.config import TrainConfig
from vunet.losses import Reduce

SHEET_ROWS = 12


class Rival(Protocol):
    """A discriminator and its optimiser."""

    @property
    def net(self) -> nn.Module:
        """The discriminator."""
        ...

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """Of the discriminator."""
        ...

    reduce: Reduce | None
    """Mean of a gradient over all processes, where there are several."""


class Task(Protocol):
    """A kind of network with its data, its losses and its rival."""

    config: TrainConfig

    @property
    def rival(self) -> Rival | None:
        """Whom the network plays against, if anybody."""
        ...

    def build(self) -> nn.Module:
        """A network with fresh weights."""
        ...

    def losses(self, model: nn.Module, step: int, done: float, amp: bool) -> dict[str, Tensor]:
        """Every loss of a step, weighted; `done` is the share of the run that is over."""
        ...

    def examine(self, model: nn.Module, out: Path, step: int, amp: bool) -> dict[str, Any]:
        """Validation figures, and a sheet in `out`/sheets; nothing without validation data."""
        ...


def write_sheet(columns: list[Tensor], path: Path) -> None:
    """Columns of pictures (B, 3, H, W) in [-1, 1], up to `SHEET_ROWS` that all have, as JPEG."""
    rows = [
        np.concatenate([c[i].float().cpu().numpy() for c in columns], 2)
        for i in range(min(SHEET_ROWS, *map(len, columns)))
    ]
    picture = np.clip((np.concatenate(rows, 1).transpose(1, 2, 0) + 1) * 127.5, 0, 255)
    cv2.imwrite(str(path), picture.astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
