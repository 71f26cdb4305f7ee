"""Building blocks that know nothing of people: residual block and U-Net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with at least eight channels a group."""
    return nn.GroupNorm(max(1, min(8, channels // 8)), channels)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; starts as the identity (or a 1x1 projection)."""

    def __init__(self, channels_in: int, channels_out: int | None = None) -> None:
        super().__init__()
        out = channels_out or channels_in
        self.norm = group_norm(channels_in)
        self.first = nn.Conv2d(channels_in, out, 3, padding=1)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Identity() if out == channels_in else nn.Conv2d(channels_in, out, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        h = F.silu(self.first(F.silu(self.norm(x))))
        return self.shortcut(x) + self.second(h)


class UNet(nn.Module):
    """U-Net of residual blocks, with optional maps added in the decoder."""

    def __init__(
        self,
        channels_in: int,
        channels: Sequence[int],
        channels_out: int,
        injected: Mapping[int, int] | None = None,
        zero_output: bool = False,
    ) -> None:
        """Build the network.

        Args:
            channels_in: Of the input.
            channels: Per scale, from full resolution down by factors of two.
            channels_out: Of the output, at full resolution.
            injected: Channels of the map added at a scale (0 = full resolution).
            zero_output: Start with zero output, so that what it corrects starts unchanged.
        """
        super().__init__()
        pairs = list(pairwise(channels))
        self.enter = nn.Conv2d(channels_in, channels[0], 3, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(c) for c in channels)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairs)
        self.middle = ResidualBlock(channels[-1])
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairs)
        self.decode = nn.ModuleList(ResidualBlock(2 * a, a) for a, _ in pairs)
        self.inject = nn.ModuleDict(
            {str(level): nn.Conv2d(c, channels[level], 1) for level, c in (injected or {}).items()}
        )
        self.leave = nn.Sequential(
            group_norm(channels[0]), nn.SiLU(), nn.Conv2d(channels[0], channels_out, 3, padding=1)
        )
        if zero_output:
            for parameter in self.leave[2].parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, injected: Mapping[int, Tensor] | None = None) -> Tensor:
        """(B, C, H, W) and one map per injected scale -> (B, C', H, W)."""
        maps = injected or {}
        x = self.enter(x)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            if level:
                x = self.down[level - 1](x)  # (B, C, H/2, W/2)
            x = block(x)
            skips.append(x)
        x = self.middle(self._add(x, len(skips) - 1, maps))
        for level in reversed(range(len(self.up))):
            x = self.up[level](F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = self._add(x, level, maps)
            x = self.decode[level](torch.cat([x, skips[level]], 1))
        return self.leave(x)

    def _add(self, x: Tensor, level: int, maps: Mapping[int, Tensor]) -> Tensor:
        return x + self.inject[str(level)](maps[level]) if level in maps else x
