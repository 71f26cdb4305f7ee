"""The variational U-Net with a drawing as shape, and a texture path for any reference photo.

    drawing --> trunk ---------------+--> slots' places --+
                                     |                    v
    reference --> trunk --> where is what? (attention) --> places in the reference, refined
        |            |                                         |
        |            +--> slots: q(z | reference)              +--> its pixels, moved to the drawing
        |                     p(z | drawing, class)                      |
        |                          |                                     v
        |                latents painted to their places --------> shape U-Net --> picture
        |                                                                |
        +----------------------- its own pixels <-- visibility blends ---+

A slot is something like "the thing", "what lies behind it", "its trimming": the network finds out
itself which pixels belong to one (soft attention), in the reference and in the drawing. Tensors
only; pictures and drawings are (B, 3, H, W) in [-1, 1], places x, y in [-1, 1] as `grid_sample`
takes them without aligned corners.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet.config import DrawingConfig
from vunet.layers import ResidualBlock, UNet
from vunet.model import Gaussian, autocast

_POSITION_WAVES = 4


@dataclass
class Carried:
    """The reference's pixels, moved to where the drawing wants them."""

    coarse_places: Tensor
    """(B, H/16, W/16, 2) where attention finds each place of the drawing in the reference."""
    places: Tensor
    """(B, H/4, W/4, 2) the same, refined."""
    colour: Tensor
    """(B, 3, H, W)."""
    cover: Tensor
    """(B, 1, H, W) 1 where the place lies inside the reference."""
    attention: Tensor
    """(B, N, N) how much each place of the drawing, at a sixteenth, looks at each of the
    reference; rows add up to 1."""


@dataclass
class Drawn:
    """What the network makes of a batch of drawings."""

    image: Tensor
    """(B, 3, H, W) copied and generated pixels blended."""
    generated: Tensor
    """(B, 3, H, W) the generator's own pixels."""
    visibility: Tensor
    """(B, 1, H, W) share of copied pixels."""
    carried: Carried | None
    posterior: Gaussian | None
    prior: Gaussian | None
    latents: Tensor
    """(B, S, Z)."""
    tints: Tensor
    """(B, S, 3) mean colour that each slot's latents stand for."""
    seen_tints: Tensor | None
    """(B, S, 3) mean colour of what each slot is in the reference."""


def identity_places(size: tuple[int, int], device: torch.device) -> Tensor:
    """(h, w, 2) x, y of each pixel's middle in [-1, 1]."""
    h, w = size
    y = (torch.arange(h, device=device) + 0.5) / h * 2 - 1
    x = (torch.arange(w, device=device) + 0.5) / w * 2 - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)


def resized_places(places: Tensor, size: tuple[int, int]) -> Tensor:
    """Places (B, h, w, 2) for a grid of another size."""
    moved = F.interpolate(places.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False)
    # borders of a coarse grid are continued, not held: add the correction of the identity
    own = identity_places((places.shape[1], places.shape[2]), places.device)[None]
    held = F.interpolate(own.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False)
    exact = identity_places(size, places.device)
    return (moved - held).permute(0, 2, 3, 1) + exact


def agreement(places: Tensor, inside: Tensor, thing: Tensor, rim_px: int = 3) -> Tensor:
    """Where what is fetched is of the same kind, thing or ground, as what is drawn.

    Args:
        places: (B, h, w, 2) from which the reference is fetched.
        inside: (B, 1, H, W) where the drawing's thing lies, in [0, 1].
        thing: (B, 1, H, W) where the reference's lies.
        rim_px: So far about outlines anything goes.

    Returns:
        (B, 1, H, W) in [0, 1], soft at the borders.
    """
    full = resized_places(places.float(), (inside.shape[2], inside.shape[3]))
    fetched = F.grid_sample(thing, full, align_corners=False, padding_mode="border")
    side = 2 * rim_px + 1

    def grown(mask: Tensor) -> Tensor:
        return F.max_pool2d(mask, side, 1, rim_px)

    ground_within = (1 - grown(1 - inside)) * (1 - grown(fetched))
    thing_without = (1 - grown(inside)) * (1 - grown(1 - fetched))
    wrong = grown((ground_within + thing_without).clamp(0, 1))
    return 1 - F.avg_pool2d(wrong, side, 1, rim_px)


class Trunk(nn.Module):
    """Features of a picture at a quarter, an eighth and a sixteenth of its size."""

    def __init__(self, channels_in: int, channels: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = channels
        self.enter = nn.Sequential(
            nn.Conv2d(4 * channels_in, a // 2, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(a // 2, a, 3, 2, 1),
        )
        self.first = ResidualBlock(a)
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1), nn.Conv2d(b, c, 3, 2, 1)])
        self.second = ResidualBlock(b)
        self.third = nn.Sequential(ResidualBlock(c), ResidualBlock(c), _Wide(c))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> eighth and sixteenth size."""
        x = self.first(self.enter(F.pixel_unshuffle(x, 2)))
        eighth = self.second(self.down[0](x))
        return eighth, self.third(self.down[1](eighth))


class _Wide(nn.Module):
    """A block that sees everything: pooled features of rows, columns and the whole are added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4 * channels, channels, 1)
        self.block = ResidualBlock(channels)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.mean(3, True).expand_as(x), x.mean(2, True).expand_as(x)
        whole = x.mean((2, 3), True).expand_as(x)
        return self.block(x + self.mix(F.silu(torch.cat([x, rows, columns, whole], 1))))


def _waves(size: tuple[int, int], device: torch.device) -> Tensor:
    """(1, 4 * waves, h, w) sines and cosines of the position."""
    xy = identity_places(size, device).permute(2, 0, 1)  # (2, h, w)
    scales = torch.tensor([math.pi * 2**k / 2 for k in range(_POSITION_WAVES)], device=device)
    angles = (xy[:, None] * scales[None, :, None, None]).flatten(0, 1)
    return torch.cat([angles.sin(), angles.cos()])[None]


class Matcher(nn.Module):
    """Where each place of the drawing lies in the reference."""

    def __init__(self, channels: int, refine_channels: tuple[int, ...], limit: float) -> None:
        super().__init__()
        width = 64
        waves = 4 * _POSITION_WAVES
        self.query = nn.Conv2d(channels + waves, width, 1)
        self.key = nn.Conv2d(channels + waves, width, 1)
        self.value = nn.Conv2d(channels, width, 1)
        self.nearness = nn.Parameter(torch.tensor(3.0))
        """How much attention keeps to the same place, in units of the half side."""
        self.refine = UNet(3 + 3 + 3 + 2, refine_channels, 2, zero_output=True)
        self.limit = limit

    def forward(
        self, drawing: Tensor, reference: Tensor, shape: Tensor, look: Tensor
    ) -> tuple[Carried, Tensor]:
        """Places and the reference's features moved there, (B, 64, h, w).

        Args:
            drawing: (B, 3, H, W).
            reference: (B, 3, H, W).
            shape: (B, C, h, w) features of the drawing.
            look: (B, C, h, w) of the reference.
        """
        B, _, h, w = shape.shape
        waves = _waves((h, w), shape.device).to(shape.dtype).expand(B, -1, -1, -1)
        q = self.query(torch.cat([shape, waves], 1)).flatten(2).transpose(1, 2)
        k = self.key(torch.cat([look, waves], 1)).flatten(2)
        v = self.value(look).flatten(2).transpose(1, 2)
        grid = identity_places((h, w), shape.device).flatten(0, 1)  # (N, 2)
        with torch.autocast(shape.device.type, enabled=False):
            logits = torch.bmm(q.float(), k.float()) / math.sqrt(q.shape[-1])
            apart = torch.cdist(grid, grid).square()
            weights = (logits - self.nearness.clamp_min(0) * apart).softmax(-1)  # (B, N, N)
            coarse = (weights @ grid).reshape(B, h, w, 2)
            moved = weights @ v.float()
        features = moved.transpose(1, 2).reshape(B, -1, h, w)
        size = (drawing.shape[2] // 4, drawing.shape[3] // 4)
        places = resized_places(coarse, size)
        small = F.avg_pool2d(reference, 4)
        darkest = -F.max_pool2d(-drawing, 4)
        first = F.grid_sample(small, places, align_corners=False, padding_mode="border")
        seen = torch.cat(
            [
                F.avg_pool2d(drawing, 4),
                darkest,
                first,
                places.permute(0, 3, 1, 2) - identity_places(size, places.device).permute(2, 0, 1),
            ],
            1,
        )
        flow = torch.tanh(self.refine(seen).float()) * self.limit
        places = places + flow.permute(0, 2, 3, 1)
        return self.fetch(reference, coarse, places, weights), features

    def fetch(
        self, reference: Tensor, coarse: Tensor, places: Tensor, attention: Tensor
    ) -> Carried:
        """The reference's pixels at refined places."""
        full = resized_places(places, (reference.shape[2], reference.shape[3]))
        colour = F.grid_sample(reference, full, align_corners=False, padding_mode="border")
        cover = (full.abs() <= 1).all(-1)[:, None].to(colour.dtype)
        return Carried(coarse, places, colour, cover, attention)


class SlotEncoder(nn.Module):
    """q(z | reference): what each slot looks like."""

    def __init__(self, channels: int, slots: int, dim: int) -> None:
        super().__init__()
        self.attend = nn.Conv2d(channels, slots, 1)
        self.tell = nn.Sequential(
            nn.Linear(2 * channels + 6, 128), nn.SiLU(), nn.Linear(128, 2 * dim)
        )
        self.names = nn.Parameter(torch.randn(slots, channels) * 0.1)

    def forward(self, look: Tensor, reference: Tensor) -> tuple[Gaussian, Tensor]:
        """Features (B, C, h, w) at a sixteenth -> posterior and the slots' mean colours."""
        h, w = look.shape[2:]
        small = F.interpolate(reference, (h, w), mode="area").flatten(2)  # (B, 3, N)
        places = self.attend(look)
        with torch.autocast(look.device.type, enabled=False):
            weights = places.float().softmax(1).flatten(2) + 1e-4  # (B, S, N)
            weights = weights / weights.sum(2, keepdim=True)
            colours = torch.einsum("bsn,bcn->bsc", weights, small)
            spread = torch.einsum("bsn,bcn->bsc", weights, small.square()) - colours.square()
            pooled = torch.einsum("bsn,bcn->bsc", weights, look.float().flatten(2))
            names = self.names.expand(len(look), -1, -1)
            told = torch.cat([pooled, names, colours, spread.clamp_min(0).add(1e-6).sqrt()], 2)
            mean, log_variance = self.tell(told).chunk(2, -1)
        return Gaussian(mean, log_variance.clamp(-8, 4)), colours


class SlotPrior(nn.Module):
    """p(z | drawing, class), one slot after the other."""

    def __init__(self, channels: int, slots: int, dim: int, classes: int) -> None:
        super().__init__()
        self.dim, self.slots = dim, slots
        self.classes = nn.Embedding(classes + 1, 32)
        self.tell = nn.ModuleList(
            nn.Sequential(
                nn.Linear(channels + 32 + s * dim, 128), nn.SiLU(), nn.Linear(128, 2 * dim)
            )
            for s in range(slots)
        )

    def _told(self, shape: Tensor, kinds: Tensor | None) -> Tensor:
        pooled = shape.float().mean((2, 3))
        if kinds is None:
            kinds = torch.zeros(len(shape), dtype=torch.long, device=shape.device)
        return torch.cat([pooled, self.classes(kinds)], 1)

    def forward(self, shape: Tensor, kinds: Tensor | None, latents: Tensor) -> Gaussian:
        """The prior of each slot, given those before it (B, S, Z)."""
        told, found = self._told(shape, kinds), []
        for s, tell in enumerate(self.tell):
            found.append(tell(torch.cat([told, latents[:, :s].flatten(1)], 1)))
        mean, log_variance = torch.stack(found, 1).chunk(2, -1)
        return Gaussian(mean, log_variance.clamp(-8, 4))

    def draw(
        self, shape: Tensor, kinds: Tensor | None, noise: Tensor, temperature: float
    ) -> Tensor:
        """Latents (B, S, Z) from noise (B, S, Z)."""
        told = self._told(shape, kinds)
        taken = noise.new_zeros(len(noise), 0)
        for s, tell in enumerate(self.tell):
            mean, log_variance = tell(torch.cat([told, taken], 1)).chunk(2, -1)
            z = mean + temperature * torch.exp(0.5 * log_variance.clamp(-8, 4)) * noise[:, s]
            taken = torch.cat([taken, z], 1)
        return taken.reshape(len(noise), self.slots, self.dim)


class DrawingNet(nn.Module):
    """From drawing and reference to picture; see the module's docstring."""

    def __init__(self, config: DrawingConfig) -> None:
        super().__init__()
        self.config = config
        c, z, slots = config.trunk_channels, config.latent_dim, config.slots
        self.shape_trunk = Trunk(3, c)
        self.look_trunk = Trunk(3, c)
        self.matcher = Matcher(c[2], config.refine_channels, config.flow_limit)
        self.encoder = SlotEncoder(c[2], slots, z)
        self.prior = SlotPrior(c[2], slots, z, len(config.classes))
        self.tint = nn.Linear(z, 3)
        self.lay = nn.Conv2d(c[1] + c[2], slots, 1)
        g, d = config.generator_channels, config.detail_channels
        injected = {2: z + 3, 3: z + 3 + 64, 4: z + 3}
        injected = {level: n for level, n in injected.items() if level < len(g)}
        self.generator = UNet(12 + 12 + 1 + 3, g, d, injected)
        self.detail = nn.Sequential(
            nn.Conv2d(d + 3 + 3, d, 3, padding=1), nn.SiLU(), nn.Conv2d(d, 4, 3, padding=1)
        )

    def forward(
        self,
        drawing: Tensor,
        reference: Tensor | None,
        *,
        kinds: Tensor | None = None,
        noise: Tensor | None = None,
        keep: Tensor | None = None,
        latents: Tensor | None = None,
        disturb: Tensor | None = None,
        things: tuple[Tensor, Tensor] | None = None,
        amp: bool = False,
    ) -> Drawn:
        """Draw a batch.

        Args:
            drawing: (B, 3, H, W).
            reference: (B, 3, H, W); None draws from `latents` alone.
            kinds: (B,) classes from 1, 0 where unknown.
            noise: (B, S, Z) for the posterior; None takes its means.
            keep: (B, 1, 1, 1) 0 where the reference's pixels must not be used.
            latents: (B, S, Z) to use instead of the reference's.
            disturb: (B, H/4, W/4, 2) added to the places, so that what is copied lies askew.
            things: Where the drawing's thing and the reference's lie, both (B, 1, H, W) in [0, 1];
                ground is not copied into the thing then, nor the thing into the ground.
            amp: bf16 convolutions.
        """
        with autocast(drawing.device, amp):
            shape8, shape16 = self.shape_trunk(drawing)
            carried, features, posterior, seen_tints = None, None, None, None
            if reference is not None:
                _, look = self.look_trunk(reference)
                carried, features = self.matcher(drawing, reference, shape16, look)
                if disturb is not None:
                    askew = self.matcher.fetch(
                        reference,
                        carried.coarse_places,
                        carried.places + disturb,
                        carried.attention,
                    )
                    carried = dataclasses.replace(askew, places=carried.places)
                if things is not None:
                    cover = carried.cover * agreement(carried.places, *things)
                    carried = dataclasses.replace(carried, cover=cover)
                    features = features * F.interpolate(cover, features.shape[2:], mode="area")
                posterior, seen_tints = self.encoder(look, reference)
            if latents is None:
                if posterior is None:
                    raise ValueError("without a reference, latents are needed")
                z = posterior.mean if noise is None else posterior.sample(noise)
            else:
                z = latents
            prior = self.prior(shape16, kinds, z)
            tints = self.tint(z.float())
            image, generated, visible = self._paint(
                drawing, shape8, shape16, z, tints, carried, features, keep
            )
        return Drawn(image, generated, visible, carried, posterior, prior, z, tints, seen_tints)

    def latents_of(self, reference: Tensor) -> Tensor:
        """(B, S, Z): means of q(z | reference)."""
        _, look = self.look_trunk(reference)
        return self.encoder(look, reference)[0].mean

    def sample_latents(
        self, drawing: Tensor, kinds: Tensor | None, noise: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """(B, S, Z) from the prior."""
        _, shape16 = self.shape_trunk(drawing)
        return self.prior.draw(shape16, kinds, noise, temperature)

    def _paint(
        self,
        drawing: Tensor,
        shape8: Tensor,
        shape16: Tensor,
        latents: Tensor,
        tints: Tensor,
        carried: Carried | None,
        features: Tensor | None,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        B, _, H, W = drawing.shape
        wide = F.interpolate(shape16, shape8.shape[2:], mode="nearest")
        lay = self.lay(torch.cat([shape8, wide], 1)).float().softmax(1)  # (B, S, H/8, W/8)
        told = torch.cat([latents.float(), tints.float()], 2)
        painted = torch.einsum("bshw,bsz->bzhw", lay, told)
        if carried is None:
            colour, cover = drawing.new_zeros(B, 3, H, W), drawing.new_zeros(B, 1, H, W)
        else:
            colour, cover = carried.colour, carried.cover
        if keep is not None:
            cover = cover * keep
        colour = colour * cover
        maps = {2: painted, 3: F.avg_pool2d(painted, 2), 4: F.avg_pool2d(painted, 4)}
        if features is None:
            features = painted.new_zeros(B, 64, *maps[3].shape[2:])
        maps[3] = torch.cat([maps[3], features if keep is None else features * keep], 1)
        maps = {k: v for k, v in maps.items() if str(k) in self.generator.inject}
        tinted = F.interpolate(painted[:, -3:], (H // 2, W // 2), mode="bilinear")
        x = torch.cat(
            [
                F.pixel_unshuffle(drawing, 2),
                F.pixel_unshuffle(colour, 2),
                F.avg_pool2d(cover, 2),
                tinted,
            ],
            1,
        )
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.silu(self.generator(x, maps))
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = self.detail(torch.cat([x, drawing, colour], 1)).float()
        generated = x[:, :3]
        visible = torch.sigmoid(x[:, 3:]) * cover
        return visible * colour + (1 - visible) * generated, generated, visible
