"""Two branches into one sphere: photos, and drawings of them, near to each other.

    photo ----+--> structure: lines' directions --+
              +--> learned stem ------------------+--> residual blocks --> 8x6 map --+
                                                                                     |   the same
    drawing --+--> structure ---------------------+                                  +-> weights -->
              +--> learned stem (narrower) -------+--> residual blocks --> 8x6 map --+   128 numbers

    photo --> small net, mean and spread of its maps --> 64 numbers: the look

What photo and drawing share is where lines run and in which direction: both are told it alike
(`structure`, a histogram of gradients as in Dalal and Triggs 2005, from the structure tensor). What
the branches learn is which of a photo's edges somebody would draw. The map is not pooled: where
lines lie is what a drawing knows. As in Yu et al. and later work, the photo branch is the larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet.config import FindConfig
from vunet.layers import ResidualBlock, group_norm
from vunet.model import autocast

DIRECTIONS = 8
"""Directions of lines that are told apart, over half a turn."""
_CELL = 4
_FAINT = 0.02
"""Change of a picture's values, which span 2, from one pixel to the next that counts as none."""


def structure(x: Tensor) -> Tensor:
    """How much runs in which direction where.

    Args:
        x: (B, C, H, W) photo or ink, in any channels.

    Returns:
        (B, `DIRECTIONS`, H/4, W/4), locally of equal strength: faint edges count like strong ones
        where there are no others.
    """
    x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), "replicate"), 3, 1)
    x = F.pad(x, (1, 1, 1, 1), "replicate")
    gx, gy = x[..., 1:-1, 2:] - x[..., 1:-1, :-2], x[..., 2:, 1:-1] - x[..., :-2, 1:-1]
    xx, yy = gx.square().sum(1, True), gy.square().sum(1, True)
    strength = (xx + yy + _FAINT**2).sqrt()
    doubled = torch.cat([xx - yy, 2 * (gx * gy).sum(1, True)], 1) / strength  # (B, 2, H, W)
    angles = torch.arange(DIRECTIONS, device=x.device) * (2 * math.pi / DIRECTIONS)
    turned = torch.stack([angles.cos(), angles.sin()], 1)[:, :, None, None]
    found = F.avg_pool2d(F.relu(F.conv2d(doubled, turned)), _CELL)
    total = found.sum(1, True)
    near = F.avg_pool2d(total, 9, 1, 4, count_include_pad=False)
    return (found / (near + 0.5 * total.mean((2, 3), True) + _FAINT)).sqrt()


class Branch(nn.Module):
    """A picture and its structure become a map of a sixteenth of its sides."""

    def __init__(self, channels_in: int, channels: Sequence[int], channels_out: int) -> None:
        super().__init__()
        c = channels
        self.enter = nn.Conv2d(channels_in, c[0], 4, 2, 1)
        self.stem = nn.Conv2d(c[0], c[1], 4, 2, 1)
        self.told = nn.Conv2d(DIRECTIONS, c[1], 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(k) for k in c[1:])
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(c[1:]))
        self.leave = nn.Sequential(group_norm(c[-1]), nn.SiLU(), nn.Conv2d(c[-1], channels_out, 1))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """(B, C, H, W), (B, `DIRECTIONS`, H/4, W/4) -> (B, C', H/16, W/16)."""
        x = self.stem(F.silu(self.enter(x))) + self.told(told)  # (B, C1, H/4, W/4)
        for i, block in enumerate(self.blocks):
            x = block(self.down[i - 1](x) if i else x)
        return self.leave(x)


class LookEncoder(nn.Module):
    """Colours and texture, wherever they are."""

    def __init__(self, channels: Sequence[int], dim: int) -> None:
        super().__init__()
        pairs = pairwise((3, *channels))
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairs)
        self.norms = nn.ModuleList(group_norm(c) for c in channels)
        self.leave = nn.Linear(2 * (3 + sum(channels)), dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, dim)."""
        weight = _middle(x)
        found = [_moments(x, weight)]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = F.silu(norm(layer(x)))
            found.append(_moments(x, F.adaptive_avg_pool2d(weight, (x.shape[2], x.shape[3]))))
        return self.leave(torch.cat(found, 1))


def _middle(x: Tensor) -> Tensor:
    """(1, 1, H, W) how much places count: the thing is in the middle, the ground round it."""
    y = torch.linspace(-1, 1, x.shape[2], device=x.device)[:, None]
    z = torch.linspace(-1, 1, x.shape[3], device=x.device)[None]
    return (1.15 - (y**4 + z**4).clamp(max=1))[None, None]


def _moments(x: Tensor, weight: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 2 C) weighted means and standard deviations."""
    x, weight = x.float(), weight / weight.sum()
    mean = (x * weight).sum((2, 3))
    spread = ((x - mean[..., None, None]).square() * weight).sum((2, 3))
    return torch.cat([mean, (spread + 1e-4).sqrt()], 1)


class FindNet(nn.Module):
    """Photos and drawings as unit vectors."""

    def __init__(self, config: FindConfig) -> None:
        super().__init__()
        self.config = config
        self.photo_branch = Branch(3, config.photo_channels, config.map_channels)
        self.drawing_branch = Branch(1, config.drawing_channels, config.map_channels)
        places = (config.size[0] // 16) * (config.size[1] // 16)
        self.place = nn.Linear(config.map_channels * places, config.drawing_dim)
        self.look_encoder = LookEncoder(config.look_channels, config.look_dim)

    def photos(self, images: Tensor, *, amp: bool = False) -> Tensor:
        """Photos (B, 3, H, W) in [-1, 1] -> (B, drawing_dim) unit vectors, near their drawings."""
        told = structure(images.float())
        with autocast(images.device, amp):
            x = self.place(self.photo_branch(images, told).flatten(1))
        return F.normalize(x.float(), dim=1)

    def drawings(self, ink: Tensor, *, amp: bool = False) -> Tensor:
        """Ink (B, 1, H, W) in [0, 1] -> (B, drawing_dim) unit vectors."""
        told = structure(ink.float() * 2)
        with autocast(ink.device, amp):
            x = self.place(self.drawing_branch(ink, told).flatten(1))
        return F.normalize(x.float(), dim=1)

    def looks(self, images: Tensor, *, amp: bool = False) -> Tensor:
        """Photos (B, 3, H, W) in [-1, 1] -> (B, look_dim) unit vectors, near those that look so."""
        with autocast(images.device, amp):
            x = self.look_encoder(images)
        return F.normalize(x.float(), dim=1)

    def forward(
        self, images: Tensor, ink: Tensor, others: Tensor, *, amp: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What a training step needs: photos', drawings', and two sets of looks' vectors."""
        return (
            self.photos(images, amp=amp),
            self.drawings(ink, amp=amp),
            self.looks(images, amp=amp),
            self.looks(others, amp=amp),
        )
