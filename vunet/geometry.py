"""What can be said about two poses without learning: part transforms, masks, sampling grids.

All functions are pure, batched and work on any device. B = pictures, P = `len(PARTS)` parts,
J = `JOINTS` joints, h, w = a grid laid over the frame. Points are x, y in pixels of the network's
frame, whatever the grid's own resolution.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

PARTS = (
    "head",
    "torso",
    "left_upper_arm",
    "right_upper_arm",
    "left_forearm",
    "right_forearm",
    "left_hand",
    "right_hand",
    "left_thigh",
    "right_thigh",
    "left_shin",
    "right_shin",
    "left_foot",
    "right_foot",
    "skirt",
)
"""Body parts in the order of every part dimension. `skirt` is whatever hangs round both legs."""
MIRRORED_PARTS = (0, 1, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 14)
"""For each part, its counterpart on the other side of the body."""

JOINTS = 21
"""COCO-17, then left and right toe, left and right middle of the hand."""
HEAD, TORSO, SKIRT = 0, 1, 14
ARMS = (2, 3, 4, 5, 6, 7)
"""With hands."""
LEGS = (8, 9, 10, 11, 12, 13)
"""With feet."""

# limbs as (first joint, second joint), for parts 2..13
BONES = (
    (5, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (9, 19),
    (10, 20),
    (11, 13),
    (12, 14),
    (13, 15),
    (14, 16),
    (15, 17),
    (16, 18),
)
_HALF_WIDTHS = (0.17, 0.17, 0.14, 0.14, 0.13, 0.13, 0.23, 0.23, 0.17, 0.17, 0.13, 0.13)
_TYPICAL_LENGTHS = (0.55, 0.55, 0.5, 0.5, 0.25, 0.25, 0.85, 0.85, 0.85, 0.85, 0.3, 0.3)
"""Both in body scales."""
_MEASURED = ([5, 11, 12, 13, 14, 5, 6], [6, 13, 14, 15, 16, 7, 8])
"""Joints between which a body is measured: shoulders, thighs, shins, upper arms."""
_MEASURED_LENGTHS = (0.72, 0.85, 0.85, 0.85, 0.85, 0.62, 0.62)
"""How far apart they are in body scales."""
PAINT_ORDER = (12, 13, 10, 11, 8, 9, 14, 1, 0, 2, 3, 4, 5, 6, 7)
"""Far to near for a person seen from the front, where nothing else is known."""


STILL_WITHIN = 0.03
"""Joints this far off, in body scales, make it doubtful that a part is shown as the photo shows it:
about the detector's own unrest between two photos of one pose."""
_STILL_JOINTS = (
    (0, 1, 2, 3, 4, 5, 6),
    (5, 6, 11, 12),
    (5, 6, 7, 9, 11),
    (5, 6, 8, 10, 12),
    (5, 7, 9, 19),
    (6, 8, 10, 20),
    (7, 9, 19),
    (8, 10, 20),
    (11, 12, 13, 15),
    (11, 12, 14, 16),
    (11, 13, 15, 17),
    (12, 14, 16, 18),
    (13, 15, 17),
    (14, 16, 18),
    (11, 12, 13, 14, 15, 16),
)
"""Joints that must stay in place beside each part for it to look as before."""


class PartTransforms(NamedTuple):
    """Affine maps from target pixels to source pixels, source = matrix @ target + offset."""

    matrix: Tensor
    """(B, P, 2, 2)."""
    offset: Tensor
    """(B, P, 2)."""
    scale: Tensor
    """(B,) source body scale over target body scale."""


def joints_of(keypoints: Tensor) -> Tensor:
    """(B, 27, 3) BODY27 keypoints to the network's (B, 21, 3) joints.

    MediaPipe's finger points tremble, so the middle of the hand leans on the forearm's direction.
    """
    k = keypoints
    hands = []
    for elbow, wrist, pinky, index in ((7, 9, 17, 19), (8, 10, 18, 20)):
        knuckles = (k[:, pinky, :2] + k[:, index, :2]) / 2 - k[:, wrist, :2]
        along = 0.5 * 1.3 * knuckles + 0.5 * 0.35 * (k[:, wrist, :2] - k[:, elbow, :2])
        hands.append(torch.cat([k[:, wrist, :2] + along, k[:, wrist, 2:]], dim=-1))
    return torch.cat([k[:, :17], k[:, 25:27], torch.stack(hands, dim=1)], dim=1)


def body_scale(joints: Tensor) -> Tensor:
    """(B,) body scale in pixels, about the trunk's length.

    Mean of the three largest of eight estimates, which foreshortening makes smaller but hardly
    ever larger.
    """
    x = joints[..., :2]

    trunk = (x[:, 5] + x[:, 6] - x[:, 11] - x[:, 12]).norm(dim=-1, keepdim=True) / 2
    lengths = (x[:, _MEASURED[0]] - x[:, _MEASURED[1]]).norm(dim=-1)
    estimates = torch.cat([trunk, lengths / lengths.new_tensor(_MEASURED_LENGTHS)], dim=1)
    return estimates.topk(3, dim=1).values.mean(dim=1).clamp_min(8.0)


def _unit(v: Tensor) -> Tensor:
    return v / v.norm(dim=-1, keepdim=True).clamp_min(1e-3)


def _rotation(target: Tensor, source: Tensor, weight: Tensor) -> Tensor:
    """(B, 2, 2) best rotation (no scale, no mirror) of weighted points (B, N, 2)."""
    w = weight[None, :, None]
    t = target - (target * w).sum(1, keepdim=True) / w.sum()
    s = source - (source * w).sum(1, keepdim=True) / w.sum()
    a = (w * t * s).sum((1, 2))
    b = (w[..., 0] * (t[..., 0] * s[..., 1] - t[..., 1] * s[..., 0])).sum(1)
    n = (a * a + b * b).sqrt().clamp_min(1e-4)
    a, b = a / n, b / n
    return torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)


def _fitted_affine(target: Tensor, source: Tensor, prior: Tensor, stiffness: Tensor) -> Tensor:
    """(B, 2, 2) least-squares affine of centred points, pulled towards a prior matrix."""
    t, s = target - target.mean(1, keepdim=True), source - source.mean(1, keepdim=True)
    pull = stiffness[:, None, None] * torch.eye(2, device=target.device, dtype=target.dtype)
    return (s.transpose(1, 2) @ t + prior @ pull) @ torch.linalg.inv(t.transpose(1, 2) @ t + pull)


def part_transforms(target: Tensor, source: Tensor) -> PartTransforms:
    """Where each body part of the target pose is found in the source picture.

    Limbs are aligned along their bone and scaled along it by the bones' lengths (within bounds),
    across it by body scale; torso and skirt by a regularised affine of their corners; the head is
    rotated by face and neck and scaled by body scale.

    Args:
        target: (B, 21, 3) joints of the pose to take.
        source: (B, 21, 3) joints of the person in the appearance picture.
    """
    t, s = target[..., :2].float(), source[..., :2].float()
    scale_t, scale_s = body_scale(target), body_scale(source)
    ratio = scale_s / scale_t
    matrices, offsets = [], []

    def add(matrix: Tensor, centre_t: Tensor, centre_s: Tensor) -> None:
        matrices.append(matrix)
        offsets.append(centre_s - (matrix @ centre_t[..., None])[..., 0])

    face = [0, 1, 2, 3, 4]
    weight = torch.tensor([1, 0.7, 0.7, 1, 1, 0.7], device=t.device)
    neck_t, neck_s = (t[:, 5] + t[:, 6]) / 2, (s[:, 5] + s[:, 6]) / 2
    turn = _rotation(
        torch.cat([t[:, face], neck_t[:, None]], 1),
        torch.cat([s[:, face], neck_s[:, None]], 1),
        weight,
    )
    add(turn * ratio[:, None, None], t[:, face].mean(1), s[:, face].mean(1))

    def corners(points: Tensor, a: int, b: int) -> Tensor:
        return points[:, [a, a + 1, b, b + 1]]

    for a, b in ((5, 11), (11, 13)):
        ends_t = torch.stack([(t[:, a] + t[:, a + 1]) / 2, (t[:, b] + t[:, b + 1]) / 2], 1)
        ends_s = torch.stack([(s[:, a] + s[:, a + 1]) / 2, (s[:, b] + s[:, b + 1]) / 2], 1)
        prior = _rotation(ends_t, ends_s, torch.ones(2, device=t.device)) * ratio[:, None, None]
        ct, cs = corners(t, a, b), corners(s, a, b)
        matrix = _fitted_affine(ct, cs, prior, 0.12 * scale_t * scale_t)
        add(matrix, ct.mean(1), cs.mean(1))
    skirt_matrix, skirt_offset = matrices.pop(), offsets.pop()

    for i, (first, second) in enumerate(BONES):
        along_t, along_s = t[:, second] - t[:, first], s[:, second] - s[:, first]
        length_t, length_s = along_t.norm(dim=-1), along_s.norm(dim=-1)
        # a limb that points at the camera has no length to speak of
        least = 0.25 * _TYPICAL_LENGTHS[i]
        stretch = torch.maximum(length_s, least * scale_s) / torch.maximum(
            length_t, least * scale_t
        )
        stretch = torch.minimum(torch.maximum(stretch, 0.35 * ratio), 2.8 * ratio)
        basis_t, basis_s = _bone_basis(along_t), _bone_basis(along_s)
        size = torch.diag_embed(torch.stack([stretch, ratio], -1))
        add(basis_s @ size @ basis_t.transpose(1, 2), t[:, first], s[:, first])
    matrices.append(skirt_matrix)
    offsets.append(skirt_offset)
    return PartTransforms(torch.stack(matrices, 1), torch.stack(offsets, 1), ratio)


def stillness(transforms: PartTransforms, target: Tensor, source: Tensor) -> Tensor:
    """(B, P) how surely each part is seen just as in the photo, wherever it is seen.

    It may be moved, scaled and turned in the picture's plane, but neither bent nor turned to
    another side: its map neither stretches nor shears, and takes the joints round it where they are
    in the photo.

    Args:
        transforms: Of the same joints.
        target: (B, 21, 3) joints of the pose to take.
        source: (B, 21, 3) joints of the person in the photo.
    """
    t, s = target[..., :2].float(), source[..., :2].float()
    matrix, ratio = transforms.matrix, transforms.scale
    scale = body_scale(source)
    placed = torch.einsum("bpij,bkj->bpki", matrix, t) + transforms.offset[:, :, None]
    off = (placed - s[:, None]).norm(dim=-1) / scale[:, None, None]  # (B, P, J)
    near = torch.zeros(len(PARTS), JOINTS, dtype=torch.bool, device=t.device)
    for part, joints in enumerate(_STILL_JOINTS):
        near[part, list(joints)] = True
    off = (off * near).amax(-1)
    # nearest similarity [[a, -b], [b, a]]; what is left is stretch and shear
    a = (matrix[..., 0, 0] + matrix[..., 1, 1]) / 2
    b = (matrix[..., 1, 0] - matrix[..., 0, 1]) / 2
    c = (matrix[..., 0, 0] - matrix[..., 1, 1]) / 2
    d = (matrix[..., 1, 0] + matrix[..., 0, 1]) / 2
    size = (a * a + b * b).sqrt()
    shear = ((c * c + d * d).sqrt() + (size - ratio[:, None]).abs()) / ratio[:, None]
    return torch.exp(-((off.square() + (0.5 * shear).square()) / STILL_WITHIN**2))


def _bone_basis(along: Tensor) -> Tensor:
    u = _unit(along)
    return torch.stack([u, torch.stack([-u[:, 1], u[:, 0]], -1)], -1)


def pixel_grid(size: tuple[int, int], frame: tuple[int, int], device: torch.device) -> Tensor:
    """(h, w, 2) centres of a grid's cells in pixels of the frame (height, width)."""
    (h, w), (height, width) = size, frame
    y = (torch.arange(h, device=device) + 0.5) * (height / h)
    x = (torch.arange(w, device=device) + 0.5) * (width / w)
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y], -1)


def head_centre(points: Tensor) -> Tensor:
    """(B, 2) middle of the head of (B, J, 2) points."""
    return 0.375 * (points[:, 3] + points[:, 4]) + 0.25 * points[:, 0]


def capsules(
    joints: Tensor,
    size: tuple[int, int],
    frame: tuple[int, int],
    grow: float = 1.0,
    soft: float = 0.05,
) -> Tensor:
    """(B, P, h, w) soft masks in [0, 1] of where a pose's parts are: rounded boxes round the bones.

    Args:
        joints: (B, 21, 3).
        size: (h, w) of the masks.
        frame: (height, width) in which the joints are given.
        grow: Factor on the parts' widths.
        soft: Width of the border, in body scales.
    """
    x = joints[..., :2].float()
    scale = body_scale(joints)
    # distances are smooth: a quarter of the frame's resolution is enough to compute them at
    coarse = (min(size[0], frame[0] // 4), min(size[1], frame[1] // 4))
    grid = pixel_grid(coarse, frame, joints.device).view(1, 1, -1, 2)
    centre, neck = head_centre(x), (x[:, 5] + x[:, 6]) / 2
    up = _unit(centre - neck) * scale[:, None]
    hips = (x[:, 11] + x[:, 12]) / 2
    knees = (x[:, 13] + x[:, 14]) / 2
    of_parts = [
        [(centre - up * 0.12, centre + up * 0.1, 0.22), (neck, centre, 0.1)],
        [
            (x[:, 5] * 0.85 + neck * 0.15, x[:, 11], 0.15),
            (x[:, 6] * 0.85 + neck * 0.15, x[:, 12], 0.15),
            (neck, hips, 0.2),
            (x[:, 11], x[:, 12], 0.17),
        ],
        *([(x[:, a], x[:, b], r)] for (a, b), r in zip(BONES, _HALF_WIDTHS, strict=True)),
        [(x[:, 11], x[:, 13], 0.22), (x[:, 12], x[:, 14], 0.22), (hips, knees, 0.3)],
    ]
    starts, ends, radii = zip(*(segment for part in of_parts for segment in part), strict=True)
    start = torch.stack(starts, 1)  # (B, S, 2) of all segments
    along = torch.stack(ends, 1) - start
    dx, dy = along[..., :1], along[..., 1:]
    px, py = grid[..., 0] - start[..., :1], grid[..., 1] - start[..., 1:]  # (B, S, h*w)
    t = ((px * dx + py * dy) / (dx * dx + dy * dy).clamp_min(1e-3)).clamp_(0, 1)
    distance = ((px - t * dx).square() + (py - t * dy).square()).add_(1e-6).sqrt_()
    radius = torch.tensor(radii, device=x.device)[None, :, None] * grow * scale[:, None, None]
    inside = (radius - distance).split([len(part) for part in of_parts], dim=1)
    distances = torch.stack([segments.amax(1) for segments in inside], 1)
    stacked = distances / (soft * scale[:, None, None])
    stacked = stacked.view(len(x), len(PARTS), *coarse)
    if coarse != size:
        stacked = F.interpolate(stacked, size=size, mode="bilinear", align_corners=False)
    return torch.sigmoid(stacked)


def heatmaps(
    joints: Tensor, size: tuple[int, int], frame: tuple[int, int], sigma: float = 0.073
) -> Tensor:
    """(B, J, h, w) a Gaussian per joint, `sigma` body scales wide, higher for sure joints."""
    grid = pixel_grid(size, frame, joints.device)
    width = (sigma * body_scale(joints)).clamp_min(0.6 * frame[0] / size[0])[:, None, None]
    across = torch.exp(-((grid[0, :, 0] - joints[:, :, 0:1]) ** 2) / (2 * width**2))  # (B, J, w)
    down = torch.exp(-((grid[:, 0, 1] - joints[:, :, 1:2]) ** 2) / (2 * width**2))  # (B, J, h)
    strength = 0.3 + 0.7 * joints[:, :, 2:3].clamp(0, 1)
    return (down * strength)[..., None] * across[:, :, None]


FACING = 8
"""Numbers that tell which side of the person faces the camera."""


def facing(joints: Tensor) -> Tensor:
    """(B, 8) which side faces the camera, about -1..1: signed widths over body scale.

    Left shoulder right of the right one means seen from the front; 2-D keypoints show it nowhere
    else. Shoulders, hips, ears, eyes; the nose off the ears' middle; face and trunk confidence.
    """
    x, c = joints[..., :2].float(), joints[..., 2].float()
    s = body_scale(joints)

    def across(a: int, b: int) -> Tensor:
        return (x[:, a, 0] - x[:, b, 0]) / s

    ears = (x[:, 3] + x[:, 4]) / 2
    return torch.stack(
        [
            across(5, 6) * 1.4,
            across(11, 12) * 2,
            across(3, 4) * 3,
            across(1, 2) * 5,
            (x[:, 0, 0] - ears[:, 0]) / s * 4,
            (x[:, 0, 1] - ears[:, 1]) / s * 4,
            c[:, :3].mean(1),
            c[:, 3] - c[:, 4],
        ],
        dim=1,
    ).clamp(-2, 2)


def side_of(joints: Tensor) -> tuple[Tensor, Tensor]:
    """From which side trunks are seen, across their own axes, upright or not.

    Args:
        joints: (B, 21, 3).

    Returns:
        (B,) widths across, about 1 from the front, 0 from the side and -1 from behind; (B,) how far
        aside noses lie, in body scales: above 0 towards where the left shoulder is from the front.
    """
    x, across = joints[..., :2].float(), _across(joints)
    width = (1.4 * (x[:, 5] - x[:, 6]) + 2 * (x[:, 11] - x[:, 12])) / 2
    aside = x[:, 0] - x[:, 3:5].mean(1)
    return (width * across).sum(1), (aside * across).sum(1)


def _across(joints: Tensor) -> Tensor:
    """(B, 2) across trunks, of a body scale's inverse: to the right in upright ones.

    Of trunks that point at the camera, in the picture.
    """
    x, scale = joints[..., :2].float(), body_scale(joints)[:, None]
    down = (x[:, 11:13].mean(1) - x[:, 5:7].mean(1)) / scale
    length = down.norm(dim=1, keepdim=True)
    seen = ((length - 0.2) / 0.3).clamp(0, 1)
    down = _unit(seen * _unit(down) + (1 - seen) * down.new_tensor([0.0, 1.0]))
    return torch.stack([down[:, 1], -down[:, 0]], 1) / scale


def shown_side(joints: Tensor) -> Tensor:
    """(B,) in [-1, 1], how surely trunks are seen from their right sides; below 0 from their left.

    About 0 from the front and from behind. In profile the nose tells: upright, who looks to the
    right of the picture shows the right side.

    Args:
        joints: (B, 21, 3).
    """
    width, aside = side_of(joints)
    sure = ((0.6 - width.abs()) / 0.3).clamp(0, 1) * ((aside.abs() - 0.05) / 0.1).clamp(0, 1)
    return sure * aside.sign()


def nearer_arms(joints: Tensor) -> Tensor:
    """(B, P) in [-1, 1], which arms are nearer than the trunk, and below 0 which are farther.

    Args:
        joints: (B, 21, 3).
    """
    order = joints.new_zeros(len(joints), len(PARTS))
    order[:, ARMS[1::2]] = shown_side(joints)[:, None].to(order)
    order[:, ARMS[::2]] = -order[:, ARMS[1::2]]
    return order


def turned_round(target: Tensor, source: Tensor) -> Tensor:
    """(B, P) in [0, 1], how surely each part shows another side, of which the photo tells little.

    That is a head seen from behind that is now seen from the front, and a chest now seen from
    behind; a back serves as a front, and limbs look much the same all round.

    Args:
        target: (B, 21, 3) joints of the pose to take.
        source: (B, 21, 3) joints of the person in the photo.
    """

    def side(joints: Tensor) -> Tensor:
        # shoulders and ears: about 1.5 from the front, -1.5 from behind, 0 in profile; the other
        # way round of those who stand on their hands, but not of those who bend down
        x = joints[..., :2].float()
        shoulders, hips, ankles = (x[:, a : a + 2].mean(1) for a in (5, 11, 15))
        down = torch.stack([_unit(hips - shoulders)[:, 1], _unit(ankles - hips)[:, 1]]).amax(0)
        upside_down = (-4 * down - 1).clamp(0, 1)
        return facing(joints)[:, [0, 2]].sum(1) * (1 - 2 * upside_down)

    before, after = side(source), side(target)

    def beyond(side: Tensor, limit: float) -> Tensor:
        return (5 * (side - limit)).clamp(0, 1)

    turned = before.new_zeros(len(before), len(PARTS))
    turned[:, HEAD] = beyond(-before, 0.0) * beyond(after, 0.0)
    turned[:, TORSO] = beyond(before, 0.2) * beyond(-after, 0.2)
    return turned


def sampling_grids(
    transforms: PartTransforms,
    size: tuple[int, int],
    frame: tuple[int, int],
    flow: Tensor | None = None,
) -> Tensor:
    """(B, P, h, w, 2) where to sample the source, in pixels of its frame.

    Args:
        transforms: Maps of each part.
        size: (h, w) of the grids.
        frame: (height, width) of both frames.
        flow: (B, P, 2, h, w) residual added to the maps, in pixels.
    """
    grid = pixel_grid(size, frame, transforms.matrix.device)
    placed = torch.einsum("bpij,hwj->bphwi", transforms.matrix, grid)
    placed = placed + transforms.offset[:, :, None, None]
    return placed if flow is None else placed + flow.permute(0, 1, 3, 4, 2)


def sample(images: Tensor, places: Tensor, frame: tuple[int, int]) -> Tensor:
    """Bilinear samples; zero outside.

    Args:
        images: (N, C, h, w).
        places: (N, h', w', 2) in pixels of a frame of (height, width) that the images cover.
        frame: That frame.

    Returns:
        (N, C, h', w').
    """
    height, width = frame
    scale = torch.tensor([2 / width, 2 / height], device=places.device, dtype=places.dtype)
    grid = (places * scale - 1).to(images.dtype)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def sample_parts(images: Tensor, places: Tensor, frame: tuple[int, int]) -> Tensor:
    """(B, P, C, h', w') samples of images (B, C, h, w), or of one a part (B, P, C, h, w)."""
    B, P, h, w, _ = places.shape
    if images.ndim == 4:
        images = images[:, None].expand(-1, P, -1, -1, -1)
    flat = sample(images.reshape(B * P, *images.shape[2:]), places.reshape(B * P, h, w, 2), frame)
    return flat.view(B, P, -1, h, w)


def analytic_warp(
    images: Tensor, masks: Tensor, source: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Move a person part by part, with geometry alone: the `warp` row of the evaluation.

    Args:
        images: (B, 3, H, W).
        masks: (B, 1, H, W) person in [0, 1].
        source: (B, 21, 3) joints in the images.
        target: (B, 21, 3) joints of the pose to take, in the same frame.

    Returns:
        Premultiplied colours (B, 3, H, W) and coverage (B, 1, H, W).
    """
    frame = (images.shape[2], images.shape[3])
    places = sampling_grids(part_transforms(target, source), frame, frame)
    # control resolution is enough for soft masks
    from_parts, to_parts = capsules(source, frame, frame, 1.15), capsules(target, frame, frame)
    layers = torch.cat([images, masks], 1)
    colour, cover = torch.zeros_like(images), torch.zeros_like(masks)
    for p in PAINT_ORDER:
        if p == SKIRT:
            continue
        taken = sample(torch.cat([layers, from_parts[:, p : p + 1]], 1), places[:, p], frame)
        alpha = taken[:, 3:4] * taken[:, 4:5] * to_parts[:, p : p + 1]
        colour = colour * (1 - alpha) + taken[:, :3] * alpha
        cover = cover * (1 - alpha) + alpha
    return colour, cover


def part_places(joints: Tensor, size: int) -> Tensor:
    """(B, P, size, size, 2) sampling places that show every part upright and of equal size.

    Follows Esser et al. 2018, section 3.2: appearance is given to the encoder without its pose.
    """
    x = joints[..., :2].float()
    scale = body_scale(joints)[:, None]
    neck, hips = (x[:, 5] + x[:, 6]) / 2, (x[:, 11] + x[:, 12]) / 2
    ears, knees = (x[:, 3] + x[:, 4]) / 2, (x[:, 13] + x[:, 14]) / 2
    crown = ears + _unit(ears - neck) * scale * 0.2
    boxes = [(crown, neck, 0.3, 0.03), (neck, hips, 0.42, 0.12)]
    boxes += [
        (x[:, a], x[:, b], 1.1 * r, 0.06) for (a, b), r in zip(BONES, _HALF_WIDTHS, strict=True)
    ]
    boxes.append((hips, knees, 0.5, 0.05))
    starts, ends, widths, rooms = zip(*boxes, strict=True)
    start, end = torch.stack(starts, 1), torch.stack(ends, 1)  # (B, P, 2)
    wide, room = (x.new_tensor(v)[:, None] for v in (widths, rooms))
    scale = scale[:, None]
    centre, along = (start + end) / 2, end - start
    length = along.norm(dim=-1, keepdim=True)
    along = along / length.clamp_min(1e-3)
    half = torch.maximum(length / 2, 0.12 * scale) + room * scale
    across = torch.stack([-along[..., 1], along[..., 0]], -1)
    u = torch.linspace(-1, 1, size, device=joints.device)
    down = u[:, None, None] * (along * half)[:, :, None, None]
    right = u[None, :, None] * (across * wide * scale)[:, :, None, None]
    return centre[:, :, None, None] + down + right
