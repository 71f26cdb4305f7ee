"""The re-posing network: the variational U-Net of Esser et al. 2018 with a texture path.

    appearance photo, its mask and joints          joints of the pose to take
        |            |             |                      |
        |       SourceParser    AppearanceEncoder         | capsules, heat maps, facing
        |            |            | q(z | photo)     PosePrior p(z | pose)
        |            v            v                       v
        |        TextureWarper: part masks, flow    latents painted into the new pose's parts
        |            |                                    |
        +-- photo's own pixels, moved ----------> Generator (the shape U-Net)
                     |                                    |
                     +------- visibility blends ----------+--> picture, coverage, what is invented

Tensors only; files, photos and devices are others' business. Pictures are (B, 3, H, W) in
[-1, 1], masks (B, 1, H, W) in [0, 1], joints (B, 21, 3) as x, y in pixels and confidence.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vunet import geometry as geo
from vunet.config import ModelConfig
from vunet.layers import ResidualBlock, UNet

PART_COUNT = len(geo.PARTS)
GARMENTS = 2
"""What a photo's reading may tell besides parts: hanging cloth and what is carried."""
_EMBEDDING = 16
_BACKGROUND_PRIOR = 0.12
_OWN_FROM, _OWN_WHOLE = 0.35, 0.65
"""Share beside arms from which a place of a photo shows trunk or leg, and shows it wholly."""

_NEARER = 2.0
"""What is added to the logits of arms that lie before the body, and taken from those behind it."""

PRIOR_GROUPS = ((1,), (0, 2, 3, 8, 9, 14), (4, 5, 10, 11), (6, 7, 12, 13))
"""Parts whose latents the prior draws together; each group sees the ones before it."""


_PAIRED = tuple(min(i, other) for i, other in enumerate(geo.MIRRORED_PARTS))
_SHOWN_SHARE = 0.05
"""Of a part's crop that must lie on the person for the photo to show the part."""


@dataclass
class Gaussian:
    """Independent normal distributions: mean and log variance, both (B, P, Z)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """(B, P, Z) = mean + temperature * deviation * noise."""
        return self.mean + temperature * torch.exp(0.5 * self.log_variance) * noise

    def where(self, chosen: Tensor, other: Gaussian) -> Gaussian:
        """These where `chosen` (B, P) is true, the other's elsewhere."""
        mean = torch.where(chosen[..., None], self.mean, other.mean)
        return Gaussian(mean, torch.where(chosen[..., None], self.log_variance, other.log_variance))

    def divergence(self, other: Gaussian) -> Tensor:
        """(B, P, Z) KL(self || other) in nats."""
        spread = torch.exp(self.log_variance - other.log_variance)
        shift = (self.mean - other.mean) ** 2 * torch.exp(-other.log_variance)
        return 0.5 * (spread + shift - 1 - self.log_variance + other.log_variance)


@dataclass
class Parsed:
    """What each place of a photo shows; h, w = a quarter of the network's size."""

    logits: Tensor
    """(B, P + 1, h, w) of the parts; the last is background."""
    garments: Tensor | None
    """(B, 2, h, w) logits of cloth that may hang (all garments of the upper body, dresses, skirts
    and coats; no trousers) and of what is carried; None where the network does not tell."""
    quarter: Tensor
    """(B, 4, h, w) the photo without its ground, premultiplied, and its mask."""


@dataclass
class Warped:
    """What the texture path says. h, w = a quarter of the network's size, H, W its size."""

    colour: Tensor
    """(B, 3, H, W) the photo's pixels in the new pose, in [-1, 1]; meaningless where cover is 0."""
    cover: Tensor
    """(B, 1, H, W) how surely the photo shows this pixel."""
    coarse_colour: Tensor
    """(B, 3, h, w) the same, blended over all parts."""
    coarse_cover: Tensor
    """(B, 1, h, w)."""
    weights: Tensor
    """(B, P, H/2, W/2) share that each part's warped photo has in the picture."""
    flow: Tensor
    """(B, P, 2, h, w) learned correction of the part transforms, in pixels."""
    places: Tensor
    """(B, P, h, w, 2) where each part samples the photo, in its pixels."""
    part_logits: Tensor
    """(B, P + 1, h, w) parts of the new pose; the last is background."""
    source_logits: Tensor
    """(B, P + 1, h, w) parts of the photo; the last is background."""
    garments: Tensor | None
    """(B, 2, h, w) logits of garments of the photo, see `Parsed`."""
    transforms: geo.PartTransforms
    still: Tensor
    """(B, P) how surely each part looks just as in the photo, see `geometry.stillness`."""
    turned: Tensor
    """(B, P) how surely each part shows another side now, see `geometry.turned_round`."""
    kept: Tensor
    """(B, 1, H/2, W/2) how surely a pixel looks just as the photo shows it."""
    lay: Tensor
    """(B, P, h, w) where each part lies in the photo: the labels' and, where those are wrong, the
    pose's opinion."""

    @property
    def vacated(self) -> Tensor:
        """(B, 1, h, w) where in the photo parts lay that look otherwise now, and a little round."""
        left = (self.lay * (1 - self.still)[:, :, None, None]).amax(1, keepdim=True)
        return F.max_pool2d(left, 3, 1, 1)

    @property
    def changed(self) -> Tensor:
        """(B, 1, H/2, W/2) share of parts of the new pose that look otherwise, copied or not."""
        shares = F.interpolate(self.part_logits, scale_factor=2.0, mode="bilinear").softmax(1)
        return (shares[:, :-1] * (1 - self.still)[:, :, None, None]).sum(1, keepdim=True)


@dataclass
class Painted:
    """What the network makes of one batch."""

    image: Tensor
    """(B, 3, H, W) copied and generated pixels blended; the person only."""
    generated: Tensor
    """(B, 3, H, W) the generator's own pixels."""
    alpha_logits: Tensor
    """(B, 1, H, W) coverage of the person before the sigmoid."""
    visibility: Tensor
    """(B, 1, H, W) share of copied pixels."""
    warped: Warped | None
    """The texture path; None in a network without one."""
    posterior: Gaussian | None
    prior: Gaussian | None
    latents: Tensor
    """(B, P, Z)."""
    tints: Tensor
    """(B, P, 3) mean colour of each part that the latents stand for, in [-1, 1]."""
    goes_on: Tensor | None = None
    """(B, 3, H, W) where cloth goes on that no photo shows, see `sides.gone_on`."""


def merged(warps: Sequence[Warped]) -> Warped:
    """What several photos show together, given shares by `Reposer.with_gains` that sum to one.

    Flow, places and part maps are those of the first.
    """
    if len(warps) == 1:
        return warps[0]
    size = warps[0].colour.shape[2:]
    amounts = [
        F.interpolate(w.weights.sum(1, True), size=size, mode="bilinear", align_corners=False)
        * w.cover
        for w in warps
    ]
    total = torch.stack(amounts).sum(0).clamp_min(1e-4)
    pairs = zip(amounts, warps, strict=True)
    return replace(
        warps[0],
        colour=torch.stack([a * w.colour for a, w in pairs]).sum(0) / total,
        cover=torch.stack([w.cover for w in warps]).sum(0).clamp(max=1),
        weights=torch.stack([w.weights for w in warps]).sum(0),
        kept=torch.stack([w.kept for w in warps]).sum(0).clamp(max=1),
    )


def autocast(device: torch.device, enabled: bool) -> contextlib.AbstractContextManager[object]:
    """bf16 for convolutions; geometry always stays in fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def _behind_arms(parts: Tensor, still: Tensor) -> Tensor:
    """Shares (B, P, h, w) of a photo's parts; nought of trunk and legs where arms are likelier.

    Between them shares are half and half, and half an arm, stretched, would be a skin-coloured side
    of the trunk. Hands are small here: what lies round one before a leg counts as well. But where
    both are to stay as they are, `still` (B, P), they may.
    """
    behind = [geo.TORSO, *geo.LEGS[:4], geo.SKIRT]
    arms = parts[:, geo.ARMS]
    stay = (arms * still[:, geo.ARMS, None, None]).sum(1, keepdim=True)
    over = arms.sum(1, keepdim=True) - stay * still[:, behind, None, None]
    over = torch.cat([over[:, :1], F.max_pool2d(over[:, 1:], 3, 1, 1)], 1)
    own = parts[:, behind]
    sure = (own / (own + over + 1e-3) - _OWN_FROM) / (_OWN_WHOLE - _OWN_FROM)
    gain = torch.ones_like(parts)
    gain[:, behind] = sure.clamp(0, 1)
    return parts * gain


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _constant_maps(values: Tensor, size: tuple[int, int]) -> Tensor:
    return values[:, :, None, None].expand(-1, -1, *size)


class AppearanceEncoder(nn.Module):
    """q(z | photo): one Gaussian per body part, from upright crops that hide the pose.

    Each part sees its own crop, its mean colours and the mean over all parts, so that a part the
    photo does not show can be guessed from the others.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, z = config.encoder_channels, config.latent_dim
        self.embedding = nn.Parameter(torch.randn(PART_COUNT, _EMBEDDING) * 0.3)
        self.features = nn.Sequential(
            nn.Conv2d(4 + _EMBEDDING, c, 3, 2, 1),
            nn.SiLU(),
            ResidualBlock(c, 2 * c),
            nn.Conv2d(2 * c, 2 * c, 3, 2, 1),
            nn.SiLU(),
            ResidualBlock(2 * c, 3 * c),
            nn.Conv2d(3 * c, 4 * c, 3, 2, 1),
            nn.SiLU(),
        )
        self.head = nn.Sequential(
            nn.Linear(8 * c + 2 * 16 + _EMBEDDING, 4 * c), nn.SiLU(), nn.Linear(4 * c, 2 * z)
        )
        self.colours = nn.Linear(16, z)

    def forward(self, crops: Tensor) -> Gaussian:
        """(B, P, 4, s, s) premultiplied colours and mask -> Gaussian over (B, P, Z)."""
        B, P, _, s, _ = crops.shape
        maps = self.embedding.view(1, P, -1, 1, 1).expand(B, -1, -1, s, s).to(crops.dtype)
        x = torch.cat([crops, maps], 2).flatten(0, 1)  # (B*P, 20, s, s)
        own = self.features(_channels_last(x)).float().mean((2, 3)).view(B, P, -1)
        cells = F.adaptive_avg_pool2d(crops.flatten(0, 1).float(), 2).view(B, P, 4, 4)
        seen = cells[:, :, 3:].clamp_min(0.02)
        statistics = torch.cat([cells[:, :, :3] / seen * (seen > 0.05), cells[:, :, 3:]], 2)
        statistics = statistics.flatten(2)  # (B, P, 16): mean colours of four cells, and how full
        everyone = torch.cat([own, statistics], -1).mean(1, keepdim=True).expand(-1, P, -1)
        parts = self.embedding[None].expand(B, -1, -1)
        features = torch.cat([own, statistics, everyone, parts], -1)
        mean, log_variance = self.head(features.to(crops.dtype)).float().chunk(2, -1)
        mean = mean + self.colours(statistics.to(crops.dtype)).float()
        return Gaussian(mean, (log_variance - 2).clamp(-8, 3))


class PosePrior(nn.Module):
    """p(z | pose), learned: drawn part group by part group, each given the groups before.

    The paper's autoregressive prior, over body parts instead of pixels: sleeves go with the
    shirt, the left shoe with the right one.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.latent_dim = config.latent_dim
        known = PART_COUNT * config.latent_dim
        width = 8 * config.latent_dim
        self.groups = nn.ModuleList(
            nn.Sequential(
                nn.Linear(known + 2 * geo.JOINTS + geo.FACING, width),
                nn.SiLU(),
                nn.Linear(width, width),
                nn.SiLU(),
                nn.Linear(width, 2 * config.latent_dim * len(group)),
            )
            for group in PRIOR_GROUPS
        )

    def forward(self, joints: Tensor, latents: Tensor) -> Gaussian:
        """The prior of each group given the latents (B, P, Z) of the groups before it."""
        pose = self._pose(joints)
        outputs = torch.zeros(*latents.shape[:2], 2 * self.latent_dim, device=latents.device)
        known = torch.zeros_like(latents)
        for group, net in zip(PRIOR_GROUPS, self.groups, strict=True):
            index = list(group)
            y = net(torch.cat([known.flatten(1), pose], 1)).float()
            outputs = outputs.index_copy(
                1,
                torch.tensor(index, device=latents.device),
                y.view(len(latents), len(index), -1).to(outputs.dtype),
            )
            known = known.clone()
            known[:, index] = latents[:, index]
        mean, log_variance = outputs.chunk(2, -1)
        return Gaussian(mean, log_variance.clamp(-8, 3))

    def draw(
        self,
        joints: Tensor,
        noise: Tensor,
        temperature: float = 1.0,
        known: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Ancestral sample (B, P, Z).

        Args:
            joints: (B, 21, 3) pose.
            noise: (B, P, Z); left parts' noise serves the right ones, too: clothes come in pairs.
            temperature: Spread of the draws.
            known: Latents (B, P, Z), and (B, P) which of them are known and stay; None draws all.
        """
        noise = noise[:, list(_PAIRED)]
        latents = torch.zeros_like(noise)
        for group in PRIOR_GROUPS:
            index = list(group)
            drawn = self(joints, latents).sample(noise, temperature)[:, index]
            if known is not None:
                values, sure = known
                drawn = torch.where(sure[:, index, None], values[:, index], drawn)
            latents = latents.clone()
            latents[:, index] = drawn
        return latents

    @staticmethod
    def _pose(joints: Tensor) -> Tensor:
        x = joints[..., :2].float()
        hips = (x[:, 11:12] + x[:, 12:13]) / 2
        placed = (x - hips) / geo.body_scale(joints)[:, None, None]
        return torch.cat([placed.flatten(1).clamp(-4, 4), geo.facing(joints)], 1)


class Reposer(nn.Module):
    """The whole network; see the module's picture."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        height, width = config.size
        self.full_size = (height, width)
        self.half_size = (height // 2, width // 2)
        self.quarter_size = (height // 4, width // 4)
        P, z = PART_COUNT, config.latent_dim
        self.encoder = AppearanceEncoder(config)
        self.encoder.requires_grad_(config.latents)  # or several processes wait for its gradients
        self.prior = PosePrior(config)
        pose_channels = P + geo.JOINTS + 3
        constants = 2 * geo.FACING + 1
        if config.texture:
            self.parser = UNet(
                4 + P + geo.JOINTS + geo.FACING,
                config.parser_channels,
                P + 1 + (GARMENTS if config.garments else 0),
                zero_output=True,
            )
            self.warper = UNet(
                6 * P + geo.JOINTS + P + 2 * geo.FACING,
                config.warp_channels,
                3 * P + 1,
                zero_output=True,
            )
            self.prior_strength = nn.Parameter(torch.tensor(1.0))
            pose_channels += 4 * 4 + 1 + P
        levels = len(config.generator_channels)
        self.painted_levels = tuple(range(max(1, levels - 3), levels))
        self.generator = UNet(
            pose_channels,
            config.generator_channels,
            4 * config.detail_channels,
            injected=dict.fromkeys(self.painted_levels, 2 * z + constants),
        )
        d = config.detail_channels
        self.detail = nn.Sequential(
            nn.Conv2d(d + (4 if config.texture else 0), d, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(d, 5, 3, padding=1),
        )
        # said outright: left to itself, z carries light and dark but hardly any hue
        self.tint = nn.Linear(z, 3)

    # --- appearance -----------------------------------------------------------------------

    def encode(self, images: Tensor, masks: Tensor, joints: Tensor, *, amp: bool) -> Gaussian:
        """q(z | photo) of pictures, masks and joints in them; zeros where there are no latents."""
        if not self.config.latents:
            nothing = images.new_zeros(len(images), PART_COUNT, self.config.latent_dim)
            return Gaussian(nothing, nothing)
        crops = self._crops(torch.cat([images * masks, masks], 1), joints)
        with autocast(images.device, amp):
            return self.encoder(crops)

    def _crops(self, layers: Tensor, joints: Tensor) -> Tensor:
        """(B, P, C, s, s) each part of (B, C, H, W) layers, upright and of equal size."""
        places = geo.part_places(joints, self.config.crop_size)
        return geo.sample_parts(F.avg_pool2d(layers, 2), places, self.full_size)

    def tints(self, latents: Tensor) -> Tensor:
        """(B, P, 3) in [-1, 1], the mean colours that latents (B, P, Z) state."""
        return torch.tanh(self.tint(latents).float())

    def shows(self, masks: Tensor, joints: Tensor) -> Tensor:
        """(B, P) bool, which body parts a photo shows, from its mask and joints."""
        return self._crops(masks, joints).mean((2, 3, 4)) > _SHOWN_SHARE

    def appearance(
        self,
        images: Tensor,
        masks: Tensor,
        source: Tensor,
        target: Tensor,
        *,
        noise: Tensor | None = None,
        temperature: float = 1.0,
        seen: Tensor | None = None,
        amp: bool,
    ) -> Tensor:
        """Latents (B, P, Z) of photos: the posterior's means, the prior's guess where none shows.

        Args:
            images: (B, 3, H, W) photos.
            masks: (B, 1, H, W) the person in them.
            source: (B, 21, 3) joints in them.
            target: (B, 21, 3) joints of the poses to take.
            noise: (B, P, Z) to draw parts with that are not shown; None takes the prior's means.
            temperature: Spread of these draws.
            seen: The posterior's means, where they are known already.
            amp: bf16 convolutions.
        """
        if seen is None:
            seen = self.encode(images, masks, source, amp=amp).mean
        shown = self.shows(masks, source)
        if not self.config.latents or bool(shown.all()):
            return seen
        if noise is None:
            noise, temperature = torch.zeros_like(seen), 0.0
        return self.prior.draw(target, noise, temperature, known=(seen, shown))

    # --- texture path ---------------------------------------------------------------------

    def parse(self, images: Tensor, masks: Tensor, source: Tensor, *, amp: bool) -> Parsed:
        """Which part and which garment each place of a photo shows."""
        layers = torch.cat([images * masks, masks], 1)
        quarter = F.avg_pool2d(layers, 4)
        with torch.no_grad():
            caps = geo.capsules(source, self.quarter_size, self.full_size, 1.15)
            heat = geo.heatmaps(source, self.quarter_size, self.full_size)
            sides = _constant_maps(geo.facing(source), self.quarter_size)
            mask = quarter[:, 3:]
            parser_in = torch.cat([quarter, caps, heat, sides], 1)
            evidence = torch.cat(
                [
                    torch.log((caps * mask).clamp_min(1e-3)),
                    torch.log((1 - mask).clamp_min(1e-3)),
                ],
                1,
            )
        with autocast(images.device, amp):
            logits = self.parser(_channels_last(parser_in))
        logits = logits.float() * 2
        parts = PART_COUNT + 1
        garments = logits[:, parts:] if self.config.garments else None
        return Parsed(logits[:, :parts] + evidence, garments, quarter)

    def warp(
        self,
        images: Tensor,
        masks: Tensor,
        source: Tensor,
        target: Tensor,
        *,
        parsed: Parsed | None = None,
        amp: bool,
    ) -> Warped:
        """Carry the photo's own pixels to the new pose; `parsed` if that is known of it already."""
        B, P = len(images), PART_COUNT
        layers = torch.cat([images * masks, masks], 1)  # (B, 4, H, W), premultiplied
        if parsed is None:
            parsed = self.parse(images, masks, source, amp=amp)
        source_logits, quarter = parsed.logits, parsed.quarter
        source_parts = source_logits.softmax(1)[:, :P]  # (B, P, h, w)
        with torch.no_grad():
            transforms = geo.part_transforms(target, source)
            still = geo.stillness(transforms, target, source)
            source_caps = geo.capsules(source, self.quarter_size, self.full_size, 1.15)
            target_caps = geo.capsules(target, self.quarter_size, self.full_size)
            target_wide = geo.capsules(target, self.quarter_size, self.full_size, 1.35, 0.1)
            target_heat = geo.heatmaps(target, self.quarter_size, self.full_size)
            sides = torch.cat([geo.facing(source), geo.facing(target)], 1)
            sure = self._part_confidence(source)
            rigid = geo.sampling_grids(transforms, self.quarter_size, self.full_size)
            mask = quarter[:, 3:]
        sides = _constant_maps(sides, self.quarter_size)
        per_part = torch.cat(
            [quarter[:, None].expand(-1, P, -1, -1, -1), source_parts.detach()[:, :, None]], 2
        )
        # what has not moved needs no correction
        limit = (self.config.flow_limit * (1 - still))[:, :, None, None, None]
        places, part_logits = rigid, source_logits
        flow = torch.zeros(B, P, 2, *self.quarter_size, device=images.device)
        for _ in range(self.config.warp_passes):  # from the second on: as it has moved it itself
            with torch.no_grad():
                moved = geo.sample_parts(per_part, places, self.full_size)  # (B, P, 5, h, w)
                own = moved[:, :, 4]
                known = [moved.flatten(1, 2), own * sure[:, :, None, None]]
                warper_in = torch.cat([*known, target_heat, target_caps, sides], 1)
                likely = torch.log((target_wide * (0.15 + 0.85 * own)).clamp_min(1e-4))
                nothing = torch.full_like(likely[:, :1], math.log(_BACKGROUND_PRIOR))
                likely = torch.cat([likely, nothing], 1)
            with autocast(images.device, amp):
                y = self.warper(_channels_last(warper_in))
            y = y.float()
            part_logits = y[:, : P + 1] * 2 + likely * self.prior_strength
            further = torch.tanh(y[:, P + 1 :] * 0.25).view(B, P, 2, *self.quarter_size)
            flow = flow + further * limit
            places = geo.sampling_grids(transforms, self.quarter_size, self.full_size, flow)
        body = target_wide[:, [geo.TORSO, *geo.LEGS[:2]]].amax(1, keepdim=True)
        order = torch.cat([geo.nearer_arms(target), torch.zeros_like(sure[:, :1])], 1)
        arms = torch.cat([target_caps, torch.zeros_like(body)], 1) * body
        part_logits = part_logits + _NEARER * order[:, :, None, None] * arms

        def enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
            return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

        gated = quarter[:, None] * _behind_arms(source_parts, still)[:, :, None]  # (B, P, 4, h, w)
        taken = geo.sample_parts(gated, places, self.full_size)
        mixed = (taken * part_logits.softmax(1)[:, :P, None]).sum(1)  # (B, 4, h, w)
        shares = enlarge(part_logits, self.half_size).softmax(1)[:, :P]
        weights = shares * enlarge(taken[:, :, 3], self.half_size)
        colour, cover = self._sample_full(layers, transforms, flow, weights)
        return Warped(
            colour=colour,
            cover=cover,
            coarse_colour=mixed[:, :3] / mixed[:, 3:].clamp_min(0.05),
            coarse_cover=mixed[:, 3:],
            weights=weights,
            flow=flow,
            places=places,
            part_logits=part_logits,
            source_logits=source_logits,
            garments=parsed.garments,
            transforms=transforms,
            still=still,
            turned=geo.turned_round(target, source),
            kept=(weights * still[:, :, None, None]).sum(1, keepdim=True),
            lay=torch.maximum(source_parts, source_caps * mask),
        )

    def with_gains(self, warped: Warped, images: Tensor, masks: Tensor, gains: Tensor) -> Warped:
        """The same with the parts' shares multiplied, to make room for other photos' pixels.

        Args:
            warped: From `warp`.
            images: The photos it was made from, (B, 3, H, W).
            masks: The person in them.
            gains: At least 0, (B, P, 1, 1) for a gain a part, (B, 1, H/2, W/2) for one a place, or
                for both; they must leave the sum of weights at most 1.
        """
        weights = warped.weights * gains
        layers = torch.cat([images * masks, masks], 1)
        colour, cover = self._sample_full(layers, warped.transforms, warped.flow, weights)
        kept = (weights * warped.still[:, :, None, None]).sum(1, keepdim=True)
        return replace(warped, colour=colour, cover=cover, weights=weights, kept=kept)

    def _sample_full(
        self, layers: Tensor, transforms: geo.PartTransforms, flow: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Full-size colours and cover from the two strongest parts of each pixel.

        Parts are chosen for cells of 2x2 pixels; within a cell the part's affine map is exact.
        """
        B, P = weights.shape[:2]
        h, w = self.half_size
        strength, which = weights.topk(2, dim=1)  # (B, 2, h, w)
        wide = F.interpolate(flow.flatten(1, 2), size=self.half_size, mode="bilinear")
        wide = wide.view(B, P, 2, h, w)
        shift = torch.gather(wide, 1, which[:, :, None].expand(-1, -1, 2, -1, -1))
        table = torch.cat([transforms.matrix.flatten(2), transforms.offset], 2)  # (B, P, 6)
        maps = torch.gather(table, 1, which.reshape(B, -1, 1).expand(-1, -1, 6))
        maps = maps.view(B, 2, h, w, 6).unbind(-1)
        grid = geo.pixel_grid(self.half_size, self.full_size, layers.device)
        x, y = grid[..., 0], grid[..., 1]
        u = maps[0] * x + maps[1] * y + maps[4] + shift[:, :, 0]
        v = maps[2] * x + maps[3] * y + maps[5] + shift[:, :, 1]
        places = []
        for dy in (-0.5, 0.5):
            for dx in (-0.5, 0.5):
                cell = (u + maps[0] * dx + maps[1] * dy, v + maps[2] * dx + maps[3] * dy)
                places.append(torch.stack(cell, -1))
        stacked = torch.stack(places, 1).view(B, 8 * h, w, 2)  # (B, 4 cells * 2 ranks * h, w, 2)
        taken = geo.sample(layers, stacked, self.full_size).view(B, 4, 4, 2, h, w)
        mixed = (taken * strength[:, None, None]).sum(3)  # (B, 4 channels, 4 cells, h, w)
        mixed = F.pixel_shuffle(mixed.flatten(1, 2), 2)  # (B, 4, H, W)
        colour = mixed[:, :3] / mixed[:, 3:].clamp_min(0.02)
        share = weights.sum(1, keepdim=True) / strength.sum(1, keepdim=True).clamp_min(1e-3)
        cover = mixed[:, 3:] * F.interpolate(share, scale_factor=2.0, mode="nearest")
        return colour.clamp(-1, 1), (2.0 * cover).clamp(0, 1)

    @staticmethod
    def _part_confidence(joints: Tensor) -> Tensor:
        """(B, P) how surely the detector saw each part."""
        c = joints[..., 2]
        limbs = [(c[:, a] + c[:, b]) / 2 for a, b in geo.BONES]
        trunk = c[:, [5, 6, 11, 12]].mean(1)
        head = (c[:, 0] + c[:, 3] + c[:, 4]) / 3
        return torch.stack([head, trunk, *limbs, (limbs[6] + limbs[7]) / 2], 1)

    # --- picture --------------------------------------------------------------------------

    def paint(
        self,
        latents: Tensor,
        target: Tensor,
        warped: Warped | None,
        *,
        source: Tensor | None = None,
        keep: Tensor | None = None,
        rendered: Tensor | None = None,
        amp: bool,
    ) -> Painted:
        """Draw latents in a pose, over the warped photo where there is one.

        Args:
            latents: (B, P, Z).
            target: (B, 21, 3) joints.
            warped: From `warp`; None paints from the latents alone.
            source: (B, 21, 3) joints of the photo; tells which side of the person it shows.
            keep: (B, 1, 1, 1) or (B, P, 1, 1); 0 hides the photo's pixels from the generator.
            rendered: (B,) 1 for the look of renders, 0 (default) for that of photos.
            amp: bf16 convolutions.
        """
        B, P = len(latents), PART_COUNT
        side_target = geo.facing(target)
        side_source = torch.zeros_like(side_target) if source is None else geo.facing(source)
        if keep is None:
            keep = latents.new_ones(B, 1, 1, 1)
        shown = keep.amax(1, keepdim=True)  # a photo hidden whole is hidden in every respect
        flag = latents.new_zeros(B) if rendered is None else rendered
        with torch.no_grad():
            constants = torch.cat([side_target, side_source * shown[:, :, 0, 0], flag[:, None]], 1)
            parts = [
                geo.capsules(target, self.half_size, self.full_size),
                geo.heatmaps(target, self.half_size, self.full_size),
            ]
        colour = cover = None
        if self.config.texture:
            if warped is None:
                colour = latents.new_zeros(B, 3, *self.full_size)
                cover = latents.new_zeros(B, 1, *self.full_size)
                weights = latents.new_zeros(B, P, *self.half_size)
            else:
                weights = warped.weights * keep * (1 - warped.turned)[:, :, None, None]
                full_keep = F.interpolate(
                    weights.sum(1, True) / warped.weights.sum(1, True).clamp_min(1e-4),
                    size=self.full_size,
                    mode="bilinear",
                    align_corners=False,
                ).clamp(0, 1)
                cover = warped.cover * full_keep
                colour = warped.colour * (cover > 0.02)
            carried = F.pixel_unshuffle(torch.cat([colour, cover], 1), 2)  # (B, 16, H/2, W/2)
            parts += [carried, weights.sum(1, True), weights]
        with autocast(latents.device, amp):
            tints = self.tints(latents)
        local = geo.capsules(target, self.half_size, self.full_size, 1.25, 0.12)
        local = local / local.sum(1, keepdim=True).clamp_min(1.0)
        parts.append(torch.einsum("bpc,bphw->bchw", tints, local))
        maps = {}
        everyone = torch.cat([latents.mean(1), constants], 1)
        for level in self.painted_levels:
            size = (self.half_size[0] >> level, self.half_size[1] >> level)
            caps = geo.capsules(target, size, self.full_size, 1.25, 0.12)
            caps = caps / caps.sum(1, keepdim=True).clamp_min(1.0)
            local = torch.einsum("bpz,bphw->bzhw", latents, caps)
            maps[level] = torch.cat([local, _constant_maps(everyone, size)], 1)
        with autocast(latents.device, amp):
            precise = [p.to(torch.bfloat16) for p in parts] if amp else parts
            features = self.generator(_channels_last(torch.cat(precise, 1)), maps)
            features = F.silu(F.pixel_shuffle(features, 2))  # (B, D, H, W)
            if colour is not None and cover is not None:
                features = torch.cat(
                    [features, colour.to(features.dtype), cover.to(features.dtype)], 1
                )
            y = self.detail(_channels_last(features))
        y = y.float()
        generated = torch.tanh(y[:, :3])
        if colour is None or cover is None:
            visibility = torch.zeros_like(y[:, :1])
            image = generated
        else:
            visibility = torch.sigmoid(y[:, 4:] + 1.0)
            if warped is not None:
                kept = F.interpolate(
                    warped.kept, size=self.full_size, mode="bilinear", align_corners=False
                )
                visibility = visibility + (1 - visibility) * kept
            visibility = visibility * cover
            image = visibility * colour + (1 - visibility) * generated
        return Painted(image, generated, y[:, 3:4], visibility, warped, None, None, latents, tints)

    def forward(
        self,
        images: Tensor,
        masks: Tensor,
        source: Tensor,
        target: Tensor,
        *,
        noise: Tensor | None = None,
        keep: Tensor | None = None,
        rendered: Tensor | None = None,
        truth: tuple[Tensor, Tensor] | None = None,
        only: str = "",
        amp: bool = False,
    ) -> Painted | Parsed:
        """The person of some photos in other poses.

        Args:
            images: (B, 3, H, W) photos.
            masks: (B, 1, H, W) the person in them.
            source: (B, 21, 3) joints in them.
            target: (B, 21, 3) joints of the poses to take.
            noise: (B, P, Z) to sample the posterior with; None takes its mean.
            keep: See `paint`.
            rendered: See `paint`.
            truth: In training, true pictures (B, 3, H, W) and masks (B, 1, H, W) of the person in
                the new pose: they tell the latents of parts that only they show, which the prior
                learns to guess. Without it the prior guesses.
            only: In training, "texture" for the texture path without anything painted: the picture
                is what is copied, and coverage, latents and colours are nought; "garments" for what
                the photos show alone.
            amp: bf16 convolutions.
        """
        if only == "garments":
            return self.parse(images, masks, source, amp=amp)
        if only == "texture":
            warped = self.warp(images, masks, source, target, amp=amp)
            nothing = images.new_zeros(len(images), PART_COUNT, self.config.latent_dim)
            alpha, tints = torch.zeros_like(warped.cover), nothing[..., :3]
            return Painted(
                *(warped.colour, warped.colour, alpha, warped.cover, warped, None, None),
                *(nothing, tints),
            )
        posterior = self.encode(images, masks, source, amp=amp)
        if truth is not None:
            unseen = self.shows(truth[1], target) & ~self.shows(masks, source)
            if self.config.latents and bool(unseen.any()):
                posterior = self.encode(*truth, target, amp=amp).where(unseen, posterior)
        if noise is not None:
            latents = posterior.sample(noise) if self.config.latents else posterior.mean
        elif truth is not None:
            latents = posterior.mean
        else:
            latents = self.appearance(images, masks, source, target, seen=posterior.mean, amp=amp)
        warped = None
        if self.config.texture:
            warped = self.warp(images, masks, source, target, amp=amp)
        painted = self.paint(
            latents, target, warped, source=source, keep=keep, rendered=rendered, amp=amp
        )
        painted.posterior = posterior
        painted.prior = self.prior(target, latents)
        return painted
