"""What the re-posing network is measured against: the 2018 paper's own network, and pix2pix.

Written anew from the papers' descriptions, at our size and about our number of parameters. Both
draw the person on plain grey, learn from the same batches as ours, and are good for evaluation
alone: they know neither coverage nor what they invented.

`vunet-2018` (Esser et al.): a U-Net draws the stick figure; Gaussian latents of unit variance at
its two lowest scales, told from part-normalised crops of the photo, carry the appearance; their
prior is autoregressive over four groups. The lowest scale is 8x6, as 4x3 cannot be split into four.
`pix2pix` (Isola et al.): a U-Net sees the photo, its stick figure and the one to take, and plays
against a 70x70 PatchGAN beside 100 times L1.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from vunet import geometry as geo
from vunet.config import ModelConfig, TrainConfig
from vunet.data import Batch
from vunet.losses import Reduce, SqueezeFeatures, step_rival
from vunet.model import PART_COUNT, Gaussian, Painted, autocast

_CHAINS = ((16, 14, 12, 6, 8, 10), (15, 13, 11, 5, 7, 9))
"""Right and left: ankle, knee, hip, shoulder, elbow, wrist."""
_CROPPED = (0, 1, 2, 3, 4, 5, 8, 9)
"""The paper's eight crops: head, torso, upper arms, forearms, thighs."""
_CROP_PX = 64
_FEATURE_SCALE = 100.0
"""All losses of the 2018 network are divided by this: steps are clipped at a norm of one."""


def stick_pictures(joints: Tensor, size: tuple[int, int]) -> Tensor:
    """The paper's stick figures: right limbs red, left limbs green, torso blue, head's lines half.

    Args:
        joints: (B, 21, 3) in pixels of pictures of this size.
        size: (height, width).

    Returns:
        (B, 3, height, width) in [-1, 1].
    """
    x = joints[..., :2].float()
    grid = geo.pixel_grid(size, size, joints.device)  # (H, W, 2)
    half = 1.5 * size[0] / 128

    def line(a: Tensor, b: Tensor) -> Tensor:
        """(B, H, W) 1 within a thick line."""
        along = (b - a)[:, None, None]
        away = grid - a[:, None, None]
        t = (away * along).sum(-1) / along.square().sum(-1).clamp_min(1e-3)
        distance = (away - t.clamp(0, 1)[..., None] * along).norm(dim=-1)
        return (half + 0.5 - distance).clamp(0, 1)

    def chain(points: tuple[int, ...]) -> Tensor:
        pairs = itertools.pairwise(points)
        return torch.stack([line(x[:, a], x[:, b]) for a, b in pairs]).amax(0)

    def triangle(a: int, b: int, c: int) -> Tensor:
        sides = []
        for p, q in ((a, b), (b, c), (c, a)):
            d, e = (x[:, q] - x[:, p])[:, None, None], grid - x[:, p, None, None]
            sides.append(d[..., 0] * e[..., 1] - d[..., 1] * e[..., 0])
        signs = torch.stack(sides)
        return ((signs >= 0).all(0) | (signs <= 0).all(0)).float()

    neck = (x[:, 5] + x[:, 6]) / 2
    spine = 0.5 * line(neck, x[:, 0])
    red = torch.maximum(torch.maximum(chain(_CHAINS[0]), spine), line(x[:, 0], x[:, 2]))
    green = torch.maximum(torch.maximum(chain(_CHAINS[1]), spine), line(x[:, 0], x[:, 1]))
    torso = torch.maximum(triangle(5, 6, 12), triangle(5, 12, 11))
    return torch.stack([red, green, torso], 1) * 2 - 1


def _drawn(
    image: Tensor, posterior: Gaussian | None = None, prior: Gaussian | None = None
) -> Painted:
    """A picture with its ground as a network's answer: all of it drawn, none of it copied."""
    everywhere = torch.full_like(image[:, :1], 20.0)
    nothing = image.new_zeros(len(image), PART_COUNT, 1)
    return Painted(
        image=image,
        generated=image,
        alpha_logits=everywhere,
        visibility=torch.zeros_like(everywhere),
        warped=None,
        posterior=posterior,
        prior=prior,
        latents=nothing,
        tints=nothing.expand(-1, -1, 3),
    )


# --- the network of 2018 ------------------------------------------------------------------------


def _conv(a: int, b: int, side: int = 3, stride: int = 1) -> nn.Module:
    return weight_norm(nn.Conv2d(a, b, side, stride, side // 2))


class _Residual(nn.Module):
    """ELU, dropout, one convolution; what comes in from the side goes through ELU and 1x1."""

    def __init__(self, channels: int, side_channels: int = 0) -> None:
        super().__init__()
        self.side = _conv(side_channels, channels, 1) if side_channels else None
        self.conv = _conv(2 * channels if side_channels else channels, channels)

    def forward(self, x: Tensor, side: Tensor | None = None) -> Tensor:
        y = x
        if self.side is not None and side is not None:
            y = torch.cat([x, self.side(F.elu(side))], 1)
        return x + self.conv(F.dropout(F.elu(y), 0.1, self.training))


def _split(x: Tensor) -> list[Tensor]:
    """(B, C, 2h, 2w) -> four (B, C, h, w), one for each place in cells of 2x2."""
    return [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]


def _join(groups: list[Tensor]) -> Tensor:
    """Undo `_split`."""
    b, c, h, w = groups[0].shape
    x = groups[0].new_empty(b, c, 2 * h, 2 * w)
    for (i, j), group in zip(((0, 0), (0, 1), (1, 0), (1, 1)), groups, strict=True):
        x[:, :, i::2, j::2] = group
    return x


class _Prior(nn.Module):
    """Means of the latents of one scale, group by group, each told of those before it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.ModuleList(_conv(4 * channels, channels) for _ in range(4))
        self.told = nn.ModuleList(_Residual(4 * channels, channels) for _ in range(3))

    def forward(self, h: Tensor, latents: Tensor | None) -> tuple[Tensor, Tensor]:
        """Means of the prior, and the latents: those given, or else the means."""
        h = F.pixel_unshuffle(h, 2)
        given = None if latents is None else _split(latents)
        means, taken = [], []
        for i, mean in enumerate(self.mean):
            means.append(mean(h))
            taken.append(means[i] if given is None else given[i])
            if i < 3:
                h = self.told[i](h, taken[i])
        return _join(means), _join(taken)


class VUNet2018(nn.Module):
    """The variational U-Net as published, without texture path and adversary."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        c = config.generator_channels
        z = self.latent_channels = c[-1]
        self.full_size = (config.size[0], config.size[1])
        self.stem = _conv(3, c[0])
        self.up_blocks = nn.ModuleList(nn.ModuleList([_Residual(a), _Residual(a)]) for a in c)
        self.downs = nn.ModuleList(_conv(a, b, 3, 2) for a, b in itertools.pairwise(c))
        self.middle = _Residual(z)
        self.down_blocks = nn.ModuleList(
            nn.ModuleList([_Residual(a, a), _Residual(a, a)]) for a in c
        )
        self.ups = nn.ModuleList(_conv(b, 4 * a) for a, b in itertools.pairwise(c))
        self.priors = nn.ModuleList(_Prior(z) for _ in range(2))
        self.take = nn.ModuleList(_Residual(z, z) for _ in range(2))
        self.leave = _conv(c[0], 3)
        # appearance: from crops of 64 px down to the latents' two scales
        lowest = config.size[0] >> (len(c) - 1)
        steps = (_CROP_PX // lowest).bit_length() - 1
        self.see = _conv(3 * len(_CROPPED), z)
        self.see_blocks = nn.ModuleList(_Residual(z) for _ in range(steps + 1))
        self.see_downs = nn.ModuleList(_conv(z, z, 3, 2) for _ in range(steps))
        self.tell = nn.ModuleList(_conv(z, z) for _ in range(2))
        self.see_up = _conv(z, 4 * z)
        self.see_join = _Residual(z, z)

    def _sizes(self) -> list[tuple[int, int]]:
        """Of the two lowest scales, the lowest first."""
        last = len(self.config.generator_channels) - 1
        return [(self.full_size[0] >> s, self.full_size[1] >> s) for s in (last, last - 1)]

    def encode(self, images: Tensor, masks: Tensor, joints: Tensor) -> list[Tensor]:
        """Means of q(z | photo) at the two scales."""
        places = geo.part_places(joints, _CROP_PX)[:, list(_CROPPED)]
        crops = geo.sample_parts(images * masks, places, self.full_size)  # (B, 8, 3, 64, 64)
        x = self.see(crops.flatten(1, 2))
        found = []
        for i, block in enumerate(self.see_blocks):
            x = block(x if i == 0 else self.see_downs[i - 1](x))
            found.append(x)
        low = found[-1]
        lower, upper = self._sizes()
        q_low = self.tell[0](F.elu(F.interpolate(low, lower, mode="area")))
        x = self.see_join(F.pixel_shuffle(self.see_up(low), 2), found[-2])
        return [q_low, self.tell[1](F.elu(F.interpolate(x, upper, mode="area")))]

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
        amp: bool = False,
    ) -> Painted:
        """See `vunet.model.Reposer.forward`; `noise` only says that latents are to be sampled."""
        with autocast(images.device, amp):
            means = self.encode(images, masks, source)
            z = [m if noise is None else m + torch.randn_like(m) for m in means]
            picture, priors = self.draw(target, z)
        flat = torch.cat([m.float().flatten(1) for m in means], 1)[:, None]
        expected = torch.cat([m.float().flatten(1) for m in priors], 1)[:, None]
        return _drawn(
            picture.float(),
            Gaussian(flat, torch.zeros_like(flat)),
            Gaussian(expected, torch.zeros_like(expected)),
        )

    def draw(self, target: Tensor, latents: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Picture (B, 3, H, W) and the means of the prior; None draws the prior's own means."""
        x = self.stem(stick_pictures(target, self.full_size))
        skips: list[list[Tensor]] = []
        for level, blocks in enumerate(self.up_blocks):
            if level:
                x = self.downs[level - 1](x)
            side = []
            for block in cast(nn.ModuleList, blocks):
                x = block(x)
                side.append(x)
            skips.append(side)
        x = self.middle(x)
        means = []
        levels = list(reversed(range(len(skips))))
        for place, level in enumerate(levels):
            blocks = cast(nn.ModuleList, self.down_blocks[level])
            x = blocks[0](x, skips[level][1])
            if place < 2:
                mean, z = self.priors[place](x, None if latents is None else latents[place])
                means.append(mean)
                x = self.take[place](x, z)
            x = blocks[1](x, skips[level][0])
            if level:
                x = F.pixel_shuffle(self.ups[level - 1](x), 2)
        return self.leave(x), means


# --- pix2pix --------------------------------------------------------------------------------------


class Pix2PixUNet(nn.Module):
    """The U-Net of pix2pix: a condition becomes a picture, through a bottleneck."""

    def __init__(self, channels_in: int, channels: Sequence[int]) -> None:
        super().__init__()
        c = channels
        self.down = nn.ModuleList()
        for i, width in enumerate(c):
            before = channels_in if i == 0 else c[i - 1]
            bare = i in (0, len(c) - 1)
            self.down.append(
                nn.Sequential(
                    nn.Identity() if i == 0 else nn.LeakyReLU(0.2),
                    nn.Conv2d(before, width, 4, 2, 1, bias=bare),
                    nn.Identity() if bare else nn.BatchNorm2d(width),
                )
            )
        self.up = nn.ModuleList()
        for i in reversed(range(len(c))):
            width, after = c[i] * (1 if i == len(c) - 1 else 2), 3 if i == 0 else c[i - 1]
            layers: list[nn.Module] = [
                nn.ReLU(),
                nn.ConvTranspose2d(width, after, 4, 2, 1, bias=i == 0),
            ]
            if i:
                layers.append(nn.BatchNorm2d(after))
            if i > 0 and i >= len(c) - 3:
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))

    def draw(self, condition: Tensor, amp: bool) -> Tensor:
        """(B, C, H, W) -> (B, 3, H, W) in [-1, 1]."""
        x, skips = condition, []
        with autocast(condition.device, amp):
            for layer in self.down:
                x = layer(x)
                skips.append(x)
            for i, layer in enumerate(self.up):
                x = layer(x if i == 0 else torch.cat([x, skips[-1 - i]], 1))
        return torch.tanh(x.float())


class Pix2Pix(Pix2PixUNet):
    """pix2pix for people: the photo, its stick figure and the one to take."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(9, config.generator_channels)
        self.config = config
        self.full_size = (config.size[0], config.size[1])

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
        amp: bool = False,
    ) -> Painted:
        """See `vunet.model.Reposer.forward`."""
        condition = torch.cat([images * masks, *self._figures(source, target)], 1)
        return _drawn(self.draw(condition, amp))

    def _figures(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return stick_pictures(source, self.full_size), stick_pictures(target, self.full_size)


def baseline_losses(
    painted: Painted,
    batch: Batch,
    features: SqueezeFeatures | None,
    config: TrainConfig,
    done: float,
    amp: bool,
) -> dict[str, Tensor]:
    """What each paper minimises, but for pix2pix's game, which `Pix2PixRival` plays.

    `done` is the share of the run that is over: the divergence counts from its middle on. The 2018
    paper's feature losses are on VGG19; here they are on SqueezeNet, as ours are.
    """
    target = batch.target
    truth, valid = target.images * target.masks, target.valid
    l1 = ((painted.image - truth).abs() * valid).mean()
    if config.model.network == "pix2pix":
        return {"l1": 100 * l1}
    parts = {"l1": 5 * 127.5 * l1 / _FEATURE_SCALE}
    if features is not None:
        with autocast(truth.device, amp):
            ours = features(painted.image * valid)
            with torch.no_grad():
                theirs = features(truth * valid)
        pairs = zip(ours, theirs, strict=True)
        distances = [(a.float() - b.float()).abs().mean() for a, b in pairs]
        parts["features"] = 5 * torch.stack(distances).sum() / _FEATURE_SCALE
    if painted.posterior is not None and painted.prior is not None:
        # both have unit variance: half the squared distance of the means
        kl = 0.5 * (painted.posterior.mean - painted.prior.mean).square().sum((1, 2)).mean()
        rise = (done - 0.5) / 0.25
        parts["kl"] = kl * max(1e-6, min(1.0, rise)) / _FEATURE_SCALE
    return parts


def play_pix2pix(
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    condition: Tensor,
    truth: Tensor,
    result: Tensor,
    amp: bool,
    reduce: Reduce | None,
) -> Tensor:
    """Train the discriminator on true and painted pairs; return the generator's loss."""
    net.requires_grad_(True)
    with autocast(truth.device, amp):
        true, false = net(condition, truth), net(condition, result.detach())
    loss = F.softplus(-true.float()).mean() + F.softplus(false.float()).mean()
    step_rival(net, optimiser, 0.5 * loss, reduce)
    with autocast(truth.device, amp):
        score = net(condition, result)
    return F.softplus(-score.float()).mean()


class Pix2PixRival:
    """The discriminator of pix2pix and its optimiser."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        assert isinstance(config.model, ModelConfig)
        self.net = Pix2PixDiscriminator(2 * config.model.detail_channels).to(device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.size = (config.model.size[0], config.model.size[1])
        self.weight = config.adversarial_weight
        self.reduce: Reduce | None = None

    def play(self, painted: Painted, batch: Batch, step: int, amp: bool) -> dict[str, Tensor]:
        """Train the discriminator on a batch; return the generator's side of the game."""
        source, target = batch.source, batch.target
        condition = torch.cat(
            [
                source.images * source.masks,
                stick_pictures(source.joints, self.size),
                stick_pictures(target.joints, self.size),
            ],
            1,
        )
        truth = target.images * target.masks * target.valid
        result = painted.image * target.valid
        score = play_pix2pix(self.net, self.optimiser, condition, truth, result, amp, self.reduce)
        return {"adversarial": score * self.weight}


class Pix2PixDiscriminator(nn.Module):
    """The 70x70 PatchGAN of pix2pix, of condition and picture together."""

    def __init__(self, channels: int = 32, condition_channels: int = 9) -> None:
        super().__init__()
        c = channels
        self.layers = nn.Sequential(
            nn.Conv2d(condition_channels + 3, c, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(c, 2 * c, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * c),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * c, 4 * c, 4, 2, 1, bias=False),
            nn.BatchNorm2d(4 * c),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * c, 8 * c, 4, 1, 1, bias=False),
            nn.BatchNorm2d(8 * c),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8 * c, 1, 4, 1, 1),
        )

    def forward(self, condition: Tensor, picture: Tensor) -> Tensor:
        """(B, C, H, W) and (B, 3, H, W) -> score map, above nought where it believes."""
        return self.layers(torch.cat([condition, picture], 1))
