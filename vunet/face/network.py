"""The networks that know what drawn faces are like: their points, and each part's manifold.

    drawing 128x128 --> heat maps --> 21 points, each with how sure it is
    part's window 64x64 --> code --> the part as an artist would have drawn it
    rest 128x128 ---------> code --> the same

One encoder and decoder serve both eyes, the right one mirrored. The codes of the training faces
travel with the weights, 8 bits a number; the sketches themselves do not. `vunet.face.manifolds`
looks for neighbours among them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet.config import FacePartsConfig
from vunet.face.parts import POINTS, REST
from vunet.layers import ResidualBlock
from vunet.model import autocast

KINDS = ("eye", "nose", "mouth", REST)
"""What has an encoder and a decoder of its own."""
COMPONENTS = 12
"""Principal axes of the layouts of faces."""


def kind_of(name: str) -> str:
    """Whose coder serves a part, one of `vunet.face.parts.NAMES`."""
    return name.split("-")[-1]


PART_PX, REST_PX = 64, 128
"""Sides in pixels of windows and of the rest."""


class PointNet(nn.Module):
    """Where the points of a drawn face are."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        a, b, c = channels
        self.enter = nn.Sequential(
            nn.Conv2d(4, a, 3, padding=1), nn.SiLU(), nn.Conv2d(a, a, 3, 2, 1), ResidualBlock(a)
        )  # 32
        self.down = nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), ResidualBlock(b))  # 16
        self.deep = nn.Sequential(
            nn.Conv2d(b, c, 3, 2, 1), ResidualBlock(c), _Everywhere(c), ResidualBlock(c)
        )  # 8
        self.up = nn.Conv2d(c, b, 1)
        self.middle = ResidualBlock(b)
        self.out = nn.Conv2d(b, a, 1)
        self.last = nn.Sequential(ResidualBlock(a), nn.SiLU(), nn.Conv2d(a, len(POINTS), 1))

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Ink (B, 1, 128, 128) -> points (B, 21, 2) in sides, and their spread (B, 21)."""
        quarter = self.enter(F.pixel_unshuffle(ink, 2))
        eighth = self.down(quarter)
        deep = F.interpolate(self.up(self.deep(eighth)), scale_factor=2.0, mode="nearest")
        eighth = self.middle(eighth + deep)
        heat = self.last(
            quarter + F.interpolate(self.out(eighth), scale_factor=2.0, mode="nearest")
        )
        with torch.autocast(heat.device.type, enabled=False):
            w = heat.shape[3]
            shares = heat.float().flatten(2).softmax(-1)
            axis = (torch.arange(w, device=heat.device) + 0.5) / w * 1.5 - 0.25
            grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij")[::-1], -1).flatten(0, 1)
            points = shares @ grid  # may lie a quarter outside
            apart = (grid[None, None] - points[:, :, None]).square().sum(-1)
            spread = (shares * apart).sum(-1).clamp_min(1e-8).sqrt()
        return points, spread


class _Everywhere(nn.Module):
    """Adds what the whole picture is like."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.silu(x.mean((2, 3))))[:, :, None, None]


class PartCoder(nn.Module):
    """Encoder and decoder of a part."""

    def __init__(self, px: int, channels: tuple[int, ...], dim: int) -> None:
        super().__init__()
        a, b, c, d = channels
        first = [nn.Conv2d(4, a, 3, padding=1)]  # half of the size
        if px == REST_PX:
            first += [nn.SiLU(), nn.Conv2d(a, a, 3, 2, 1)]
        self.encode = nn.Sequential(
            *first,
            nn.SiLU(),
            nn.Conv2d(a, b, 3, 2, 1),
            ResidualBlock(b),
            nn.Conv2d(b, c, 3, 2, 1),
            ResidualBlock(c),
            nn.SiLU(),
            nn.Conv2d(c, d, 1),
        )
        self.code = nn.Linear(64 * d, dim)
        self.spread = nn.Linear(dim, 64 * d)
        self.start = nn.Conv2d(d, c, 3, padding=1)
        self.decode = nn.ModuleList([ResidualBlock(c), ResidualBlock(b), ResidualBlock(a)])
        self.grow = nn.ModuleList([nn.Conv2d(c, b, 3, padding=1), nn.Conv2d(b, a, 3, padding=1)])
        self.finer = nn.Conv2d(a, a, 3, padding=1) if px == REST_PX else None
        self.last = nn.Conv2d(a, 4, 3, padding=1)

    def encoded(self, ink: Tensor) -> Tensor:
        """(B, 1, px, px) -> (B, dim)."""
        return self.code(self.encode(F.pixel_unshuffle(ink, 2)).flatten(1))

    def decoded(self, codes: Tensor) -> Tensor:
        """(B, dim) -> logits of ink (B, 1, px, px)."""
        x = self.start(self.spread(codes).unflatten(1, (-1, 8, 8)))
        x = self.grow[0](F.interpolate(self.decode[0](x), scale_factor=2.0, mode="nearest"))
        x = self.grow[1](F.interpolate(self.decode[1](x), scale_factor=2.0, mode="nearest"))
        x = self.decode[2](x)
        if self.finer is not None:
            x = F.silu(self.finer(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        return F.pixel_shuffle(self.last(F.silu(x)), 2)


class FacePartsNet(nn.Module):
    """Points, parts' coders, and the codes of the training faces."""

    codes: Tensor
    steps: Tensor
    offsets: Tensor
    layout: Tensor

    def __init__(self, config: FacePartsConfig) -> None:
        super().__init__()
        self.config = config
        self.points = PointNet(config.point_channels)
        self.coders = nn.ModuleDict(
            {
                kind: PartCoder(
                    REST_PX if kind == REST else PART_PX,
                    config.part_channels,
                    config.rest_dim if kind == REST else config.part_dim,
                )
                for kind in KINDS
            }
        )
        total = 4 * config.part_dim + config.rest_dim
        self.register_buffer("codes", torch.zeros(config.faces, total, dtype=torch.uint8))
        self.register_buffer("steps", torch.ones(total))
        self.register_buffer("offsets", torch.zeros(total))
        # mean, principal axes, and how far faces stray along each and beside all of them
        self.register_buffer("layout", torch.zeros(2 + COMPONENTS, 2 * len(POINTS)))

    def coder(self, kind: str) -> PartCoder:
        """Of one of `KINDS`."""
        found = self.coders[kind]
        assert isinstance(found, PartCoder)
        return found

    def coded(self, pieces: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Codes (dim,) of parts' pieces (px, px) in [0, 1], right eyes mirrored."""
        found: dict[str, np.ndarray] = {}
        with torch.inference_mode():
            for name, piece in pieces.items():
                tensor = torch.from_numpy(np.ascontiguousarray(piece, np.float32))[None, None]
                found[name] = self.coder(kind_of(name)).encoded(tensor)[0].numpy()
        return found

    def drawn(self, name: str, code: np.ndarray) -> np.ndarray:
        """The drawing (px, px) float32 in [0, 1] that a part's code (dim,) stands for."""
        with torch.inference_mode():
            tensor = torch.from_numpy(np.asarray(code, np.float32))[None]
            ink = self.coder(kind_of(name)).decoded(tensor).sigmoid()[0, 0].numpy()
        return ink[:, ::-1] if name == "right-eye" else ink

    def forward(
        self,
        ink: Tensor,
        windows: dict[str, Tensor],
        noise: dict[str, Tensor],
        *,
        amp: bool = False,
    ) -> tuple[Tensor, Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """Points and spread of drawings; code and decoded logits of each kind's windows.

        Args:
            ink: (B, 1, 128, 128).
            windows: Of each kind, (N, 1, px, px); eyes all as left ones.
            noise: Added to the codes of each kind, (N, dim).
            amp: bf16 convolutions.
        """
        told: dict[str, tuple[Tensor, Tensor]] = {}
        with autocast(ink.device, amp):
            points, spread = self.points(ink)
            for kind, pieces in windows.items():
                coder = self.coder(kind)
                codes = coder.encoded(pieces).float()
                told[kind] = codes, coder.decoded(codes + noise[kind]).float()
        return points, spread, told
