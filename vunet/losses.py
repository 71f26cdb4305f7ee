"""What the network is trained towards. Tensors only; SqueezeNet is read from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vunet import geometry as geo
from vunet.dataset import CARRIED, CLOTH, NO_CLOTH, NOT_SKIRT, UNKNOWN
from vunet.model import PART_COUNT, Gaussian, Painted, Warped, autocast

PERCEPTUAL_LAYERS = (1, 4, 7, 9, 12)
"""Outputs of `squeezenet1_0().features` that are compared in training."""
_MEAN_RGB = (123.0, 117.0, 104.0)


class SqueezeFeatures(nn.Module):
    """Feature maps of an ImageNet SqueezeNet 1.0, frozen.

    The weights expect RGB in 0..255 minus (123, 117, 104), not torchvision's normalisation.
    """

    def __init__(self, weights: Path, layers: tuple[int, ...]) -> None:
        super().__init__()
        from safetensors.torch import load_file
        from torchvision.models import squeezenet1_0

        net = squeezenet1_0(weights=None)
        net.load_state_dict(load_file(weights), strict=True)
        self.features = net.features[: max(layers) + 1]
        self.layers = layers
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(_MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [-1, 1] -> one map per layer."""
        x = (images + 1) * 127.5 - self.mean
        x = x.contiguous(memory_format=torch.channels_last)
        found = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.layers:
                found.append(x)
        return found


def perceptual(
    features: SqueezeFeatures,
    result: Tensor,
    truth: Tensor,
    amp: bool,
    window: tuple[int, int, int, int] | None = None,
) -> Tensor:
    """Feature distance: relative L1, and squared distance of channel-normalised features (SqPD).

    Args:
        features: The frozen backbone.
        result: (B, 3, H, W).
        truth: (B, 3, H, W).
        amp: bf16 convolutions.
        window: y, x, height, width to compare; None compares all. A part costs less.
    """
    if window is not None:
        y, x, h, w = window
        result, truth = result[:, :, y : y + h, x : x + w], truth[:, :, y : y + h, x : x + w]
    with autocast(result.device, amp):
        ours = features(result)
        with torch.no_grad():
            theirs = features(truth)
    total = result.new_zeros(())
    for a, b in zip(ours, theirs, strict=True):
        total = total + (a - b).abs().mean(dtype=torch.float32) / (
            b.mean(dtype=torch.float32) + 1e-4
        )
        # |a/|a| - b/|b||^2 = 2 - 2 cos(a, b)
        total = total + 2 - 2 * F.cosine_similarity(a.float(), b.float(), dim=1, eps=1e-4).mean()
    return total / len(ours)


def head_boxes(images: Tensor, joints: Tensor, side: int = 64) -> Tensor:
    """(B, C, side, side) the head and what is round it, 1.5 head lengths a side.

    Args:
        images: (B, C, H, W).
        joints: (B, 21, 3) in their pixels.
        side: In pixels.
    """
    centre, scale = geo.head_centre(joints[..., :2].float()), geo.body_scale(joints)
    grid = geo.pixel_grid((side, side), (1, 1), images.device) - 0.5
    places = centre[:, None, None] + grid * (0.72 * scale)[:, None, None, None]
    return geo.sample(images, places, (images.shape[2], images.shape[3]))


def divergence(
    posterior: Gaussian, prior: Gaussian, free_nats: float, counted: Tensor | None = None
) -> Tensor:
    """KL(q || p) in nats, summed over latents; what is below `free_nats` a number costs nothing.

    Args:
        posterior: Of a batch.
        prior: Of the same batch.
        free_nats: At least 0.
        counted: (B,) bool, whom the prior is to know; None for all.
    """
    each = posterior.divergence(prior)  # (B, P, Z)
    share = each.new_ones(len(each)) if counted is None else counted.to(each.dtype)
    per_number = torch.einsum("b,bpz->pz", share, each) / share.sum().clamp_min(1)
    return per_number.clamp_min(free_nats).sum()


def dilate(masks: Tensor, radius: int) -> Tensor:
    """(B, 1, H, W) grown by a square of `radius` pixels."""
    return F.max_pool2d(masks, 2 * radius + 1, 1, radius)


def part_losses(warped: Warped, source_parts: Tensor, target_parts: Tensor) -> dict[str, Tensor]:
    """Cross-entropies of the part maps where labels are known.

    Args:
        warped: From the network.
        source_parts: (B, h, w) labels of the photo, as in `vunet.dataset`.
        target_parts: (B, h, w) labels of the truth.
    """
    return {
        "parser": _part_loss(warped.source_logits, source_parts),
        "parts": _part_loss(warped.part_logits, target_parts),
    }


def _part_loss(logits: Tensor, labels: Tensor) -> Tensor:
    labels = labels.long()
    # labels: 0 background, 1 + p; logits: p, background last
    classes = torch.where(labels == 0, PART_COUNT, labels - 1)
    known = labels <= PART_COUNT
    log_p = logits.log_softmax(1)
    picked = log_p.gather(1, classes.clamp(0, PART_COUNT)[:, None])[:, 0]
    loss = -(picked * known).sum()
    # a person's pixel whose garment label rules a skirt out: neither skirt nor background
    ruled_out = log_p[:, [geo.SKIRT, PART_COUNT]].exp().sum(1)
    not_skirt = (labels == NOT_SKIRT) | (labels == CLOTH) | (labels == NO_CLOTH)
    loss = loss - (torch.log1p(-ruled_out.clamp(max=1 - 1e-4)) * not_skirt).sum()
    return loss / ((labels != UNKNOWN) & (labels != CARRIED)).sum().clamp_min(1)


def garment_loss(logits: Tensor, labels: Tensor, masks: Tensor) -> Tensor:
    """How far the reading of hanging cloth and of what is carried is from the labels.

    Binary cross-entropy within the mask, where labels tell, and a fifth of one minus Dice, or the
    few who carry something would count for nothing.

    Args:
        logits: (B, 2, h, w) cloth and carried, see `model.Parsed`.
        labels: (B, h, w) as in `vunet.dataset`.
        masks: (B, 1, h, w) the person.
    """
    labels = labels.long()
    worn = (labels == geo.SKIRT + 1) | (labels == CLOTH)
    truth = torch.stack([worn, labels == CARRIED], 1).to(logits.dtype)
    parts = [p + 1 for p in range(PART_COUNT) if p not in (geo.HEAD, geo.SKIRT, *geo.LEGS)]
    dressed = torch.isin(labels, labels.new_tensor([*parts, NOT_SKIRT, CARRIED]))
    known = torch.stack([~dressed, torch.ones_like(dressed)], 1) & (labels != UNKNOWN)[:, None]
    weight = known * (masks > 0.1) * (1 + 2 * truth[:, 1:])
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * weight
    entropy = entropy.sum((0, 2, 3)) / weight.sum((0, 2, 3)).clamp_min(1)
    counted = known * (masks > 0.1)
    read, truth = torch.sigmoid(logits) * counted, truth * counted
    both = (read * truth).sum((0, 2, 3))
    dice = (2 * both + 1) / (read.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
    return (entropy + 0.2 * (1 - dice)).sum()


def likeness_loss(logits: Tensor, before: Tensor) -> Tensor:
    """Mean divergence in nats of part maps (B, C, h, w) from what they were `before`."""
    was = before.log_softmax(1)
    return (was.exp() * (was - logits.log_softmax(1))).sum(1).mean()


def surface_losses(
    painted: Painted,
    source_surface: Tensor,
    source_parts: Tensor,
    target_surface: Tensor,
    target_parts: Tensor,
    frame: tuple[int, int],
    shown: Tensor | None = None,
) -> dict[str, Tensor]:
    """Renders know which surface point each pixel shows: flow must lead to the same point.

    Where the place that it leads to for a pixel of the head shows a point 10 cm away or more (the
    face, for the back of the head), that pixel must not be copied. Elsewhere the far side looks
    much like the near one, and borrowed cloth is better than invented cloth.

    Args:
        painted: From the network.
        source_surface: (B, 3, h, w) canonical points in metres.
        source_parts: (B, h, w) labels; only 1..14 count.
        target_surface: (B, 3, h, w).
        target_parts: (B, h, w).
        frame: (height, width) of the network's pictures.
        shown: (B,) 1 where the generator was given the photo's pixels; None for all.
    """
    warped = painted.warped
    if warped is None:
        raise ValueError("a network without texture path has no flow to supervise")
    labels = target_parts.long()
    known = (labels >= 1) & (labels <= PART_COUNT)
    part = (labels - 1).clamp(0, PART_COUNT - 1)
    places = warped.places.gather(1, part[:, None, :, :, None].expand(-1, 1, -1, -1, 2))[
        :, 0
    ]  # (B, h, w, 2)
    source_known = ((source_parts >= 1) & (source_parts <= PART_COUNT)).float()[:, None]
    taken = geo.sample(torch.cat([source_surface * source_known, source_known], 1), places, frame)
    found = known & (taken[:, 3] > 0.95)
    places_found = taken[:, :3] / taken[:, 3:].clamp_min(0.5)  # beside the silhouette, too
    distance = (places_found - target_surface).norm(dim=1)  # (B, h, w) metres
    near = found & (distance < 0.12)
    flow = (
        F.smooth_l1_loss(distance / 0.03, torch.zeros_like(distance), reduction="none") * near
    ).sum()
    ratio = painted.visibility.shape[-1] // labels.shape[-1]
    visible = F.avg_pool2d(painted.visibility, ratio)[:, 0].clamp(max=1 - 1e-4)
    hidden = known & (part == geo.HEAD) & found & (distance.detach() > 0.1)
    if shown is not None:
        hidden = hidden & (shown > 0)[:, None, None]
    copied = -(torch.log1p(-visible) * hidden).sum()
    return {
        "surface": flow / near.sum().clamp_min(1),
        "hidden": copied / hidden.sum().clamp_min(1),
    }


def copy_preference(painted: Painted, truth: Tensor, inside: Tensor) -> Tensor:
    """Where the photo's own pixels are as good as the generated ones, they are to be used.

    Without this, pictures of the network's size hardly tell a copied from a well painted pixel,
    and the network paints: larger photos would lose their sharpness.

    Args:
        painted: From the network.
        truth: (B, 3, H, W).
        inside: (B, 1, H, W) where the person is and the truth is known.
    """
    warped = painted.warped
    if warped is None:
        raise ValueError("a network without texture path has nothing to copy")
    with torch.no_grad():
        copied = F.avg_pool2d((warped.colour - truth).abs().mean(1, True), 5, 1, 2)
        made = F.avg_pool2d((painted.generated - truth).abs().mean(1, True), 5, 1, 2)
        better = torch.sigmoid((made + 0.1 - copied) / 0.03)
        judged = inside * (warped.cover > 0.3)
    visible = painted.visibility.clamp(1e-4, 1 - 1e-4)
    loss = F.binary_cross_entropy(visible, better, reduction="none") * judged
    return loss.sum() / judged.sum().clamp_min(1)


def tint_loss(painted: Painted, target: Tensor, joints: Tensor, inside: Tensor) -> Tensor:
    """The latents must know each part's mean colour.

    Args:
        painted: From the network.
        target: (B, 3, H, W) truth.
        joints: (B, 21, 3) of the truth.
        inside: (B, 1, H, W) where the person is and the truth is known.
    """
    size = (target.shape[2], target.shape[3])
    quarter = (size[0] // 4, size[1] // 4)
    with torch.no_grad():
        caps = geo.capsules(joints, quarter, size)
        mine = caps * (caps >= caps.amax(1, keepdim=True)) * F.avg_pool2d(inside, 4)  # (B, P, h, w)
        amount = mine.sum((2, 3))  # (B, P)
        colours = torch.einsum("bphw,bchw->bpc", mine, F.avg_pool2d(target, 4))
        colours = colours / amount.clamp_min(1e-3)[..., None]
        judged = (amount > 4).float()
    error = (painted.tints - colours).abs().mean(-1)
    return (error * judged).sum() / judged.sum().clamp_min(1)


def smoothness(flow: Tensor) -> Tensor:
    """Penalty on size and unevenness of the residual flow (B, P, 2, h, w)."""
    size = (flow**2).mean() * 5e-5
    uneven = (flow[..., 1:, :] - flow[..., :-1, :]).pow(2).mean()
    return size + 0.003 * (uneven + (flow[..., 1:] - flow[..., :-1]).pow(2).mean())


Reduce = Callable[[Tensor], Tensor]
"""Mean of a tensor over all processes."""


def step_rival(
    net: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, reduce: Reduce | None
) -> None:
    """One step of a discriminator, which is left frozen; the same in every process."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if reduce is not None:
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter.grad = reduce(parameter.grad)
    optimiser.step()
    net.requires_grad_(False)


class PatchDiscriminator(nn.Module):
    """Conditional PatchGAN of pix2pix with spectral normalisation: picture and condition together.

    For people the condition is the pose's part masks and, coarsely, what the photo shows of each
    place, so that the right look in the wrong pose, or another person's, is recognised as false.
    """

    def __init__(
        self,
        channels: int = 32,
        condition_channels: int = PART_COUNT + 4,
        last: tuple[int, int, int] = (4, 3, 3),
    ) -> None:
        """Build the network.

        Args:
            channels: Of the first layer.
            condition_channels: Beside the picture's three.
            last: Channels of the last layer before the judge in units of the first's, and the side
                of these two layers' kernels.
        """
        super().__init__()
        c, (wide, side, judge) = channels, last
        self.layers = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(3 + condition_channels, c, 4, 2, 1)),
                spectral_norm(nn.Conv2d(c, 2 * c, 4, 2, 1)),
                spectral_norm(nn.Conv2d(2 * c, 4 * c, 4, 2, 1)),
                spectral_norm(nn.Conv2d(4 * c, wide * c, side, 1, 1)),
            ]
        )
        self.judge = spectral_norm(nn.Conv2d(wide * c, 1, judge, 1, 1))

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, H, W) and (B, C, H, W) -> score map and the features before it."""
        x, found = torch.cat([images, condition], 1), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            found.append(x)
        return self.judge(x), found


class HingeRival:
    """A `PatchDiscriminator` and its optimiser: true pairs against painted and mismatched ones."""

    def __init__(self, net: PatchDiscriminator, weight: float, device: torch.device) -> None:
        self.net = net.to(device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=4e-4, betas=(0.5, 0.99))
        self.weight = weight
        self.reduce: Reduce | None = None

    def judge(
        self,
        result: Tensor,
        truth: Tensor,
        condition: Tensor,
        amp: bool,
        own: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Train the discriminator on a batch; return the generator's side of the game.

        Args:
            result: (B, 3, H, W) painted pictures.
            truth: (B, 3, H, W) photos that fit the condition.
            condition: (B, C, H, W).
            amp: bf16 convolutions.
            own: (B,) 0 where the result need not be like the truth, but as good; None for 1.
        """
        net = self.net
        net.requires_grad_(True)
        with autocast(truth.device, amp):
            false, _ = net(result.detach(), condition)
            true, true_features = net(truth, condition)
            other, _ = net(truth, condition.roll(1, 0))  # the truth of another's is false, too
        loss = F.relu(1 - true.float()).mean()
        loss = loss + 0.5 * (F.relu(1 + false.float()).mean() + F.relu(1 + other.float()).mean())
        step_rival(net, self.optimiser, loss, self.reduce)
        with autocast(truth.device, amp):
            score, own_features = net(result, condition)
        pairs = zip(own_features, true_features, strict=True)
        like = truth.new_ones(len(truth)) if own is None else own
        matching = torch.stack(
            [
                ((a.float() - b.detach().float()).abs().mean((1, 2, 3)) * like).mean()
                for a, b in pairs
            ]
        )
        return {
            "adversarial": -score.float().mean() * self.weight,
            "matching": matching.mean() * 20 * self.weight,
        }
