"""Training batches, made on the device that trains.

Three kinds of sample, mixed in fixed shares: two photos of one person (true pairs), two renders of
one person, and single photos. A single photo teaches pose transfer too: the photo is the truth,
and the "appearance photo" is the same photo moved part by part into somebody else's pose (a
puppet), or mirrored with left and right swapped, or only distorted.

Batch i of a run depends on the seed and i alone, so a resumed run sees what it would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pose import BODY27
from vunet import geometry as geo
from vunet.config import TrainConfig
from vunet.dataset import SIZE, UNKNOWN, Dataset
from vunet.framing import OUTSIDE_CONFIDENCE

PUPPET_SHARE, MIRROR_SHARE = 0.4, 0.35
"""Of single photos; the rest are only distorted."""
TURN_SHARE = 0.45
"""Of rendered pairs whose target is the view most turned away from the source: chance gives too few
faces to be drawn for people seen from behind, and backs for those seen from the front."""
CLOSE_SHARE = 0.2
"""Of sources, and of rendered targets, that are cut closer round the upper body."""
ERASE_SHARE = 0.3
"""Of sources in which a box of the person is hidden, as a bag or a bench would."""

_MIRROR_JOINTS = torch.tensor(BODY27.mirror)
_MIRROR_LABELS = torch.tensor(
    [0, *(p + 1 for p in geo.MIRRORED_PARTS), *range(len(geo.PARTS) + 1, 256)], dtype=torch.uint8
)


@dataclass
class Side:
    """One half of the pairs of a batch."""

    images: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    masks: Tensor
    """(B, 1, H, W) the person, in [0, 1]."""
    valid: Tensor
    """(B, 1, H, W) 1 where the photo reaches."""
    keypoints: Tensor
    """(B, 27, 3)."""
    parts: Tensor
    """(B, h, w) uint8 labels, see `vunet.dataset`."""
    surface: Tensor
    """(B, 3, h, w) metres."""

    @property
    def joints(self) -> Tensor:
        """(B, 21, 3) the network's joints."""
        return geo.joints_of(self.keypoints)


@dataclass
class Batch:
    """Pairs to learn from: the person of `source`, in the pose of `target`, looks like `target`."""

    source: Side
    target: Side
    rendered: Tensor
    """(B,) 1 for renders."""
    natural: Tensor
    """(B,) bool, false where colour channels were exchanged: nobody has green skin."""


class _Table:
    """A prepared set as tensors on the training device."""

    def __init__(self, data: Dataset, device: torch.device) -> None:
        self.rendered = data.rendered

        def load(name: str) -> Tensor:
            array = data.arrays[name]
            # read-only maps are fine: nothing writes to them
            tensor = torch.from_numpy(array if device.type != "cpu" else np.asarray(array))
            return tensor.to(device)

        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "not writable"
            self.images, self.masks = load("images"), load("masks")
            self.keypoints, self.valid = load("keypoints"), load("valid")
            self.parts, self.surface = load("parts"), load("surface")
        groups: dict[str, dict[str, list[int]]] = {}
        for i, row in enumerate(data.index):
            groups.setdefault(str(row["group"]), {}).setdefault(str(row["name"]), []).append(i)
        self.pairs = [list(g.values()) for g in groups.values() if len(g) > 1]
        """Groups of several pictures; each picture is a list of its framings."""
        self.yaws_deg = [float(row.get("yaw", math.nan)) for row in data.index]
        """By entry, which side of a render is seen; NaN where unknown."""
        single = groups.values() if not data.rendered else ()
        self.singles = [entries for g in single for entries in g.values()]


class BatchMaker:
    """Makes the batches of a run from prepared sets."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        config: TrainConfig,
        device: torch.device,
        rank: int = 0,
    ) -> None:
        self.tables = [_Table(d, device) for d in datasets]
        self.config, self.device, self.rank = config, device, rank
        self.size = config.model.size
        pairs = [
            (t, i) for t, x in enumerate(self.tables) if not x.rendered for i in range(len(x.pairs))
        ]
        renders = [
            (t, i) for t, x in enumerate(self.tables) if x.rendered for i in range(len(x.pairs))
        ]
        singles = [(t, i) for t, x in enumerate(self.tables) for i in range(len(x.singles))]
        if singles and len(self.tables) > 1:
            # photos that have a true partner teach more as pairs
            alone = [(t, i) for t, i in singles if not self.tables[t].pairs]
            singles = alone or singles
        self.kinds = (pairs, renders, singles)
        shares = np.array([s if k else 0.0 for s, k in zip(config.mix, self.kinds, strict=True)])
        if shares.sum() <= 0:
            raise ValueError("the training sets hold nothing to train on with this mix")
        self.shares = shares / shares.sum()

    def describe(self) -> str:
        """What there is to learn from, in words."""
        pairs, renders, singles = (len(k) for k in self.kinds)
        return (
            f"{pairs} people with several photos, {renders} rendered people, "
            f"{singles} single photos"
        )

    def batch(self, step: int) -> Batch:
        """Batch number `step` of the run."""
        rng = np.random.default_rng((self.config.seed, self.rank, step))
        noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
        size = self.config.batch_size
        counts = np.floor(self.shares * size).astype(int)
        while counts.sum() < size:
            counts[rng.choice(3, p=self.shares)] += 1
        picks: list[tuple[int, int, int, str]] = []  # table, source entry, target entry, mode
        for kind, count in enumerate(counts):
            for _ in range(count):
                picks.append(self._pick(kind, rng))
        source = self._gather([(t, a) for t, a, _, _ in picks])
        target = self._gather([(t, b) for t, _, b, _ in picks])
        rendered = torch.tensor(
            [float(self.tables[t].rendered) for t, *_ in picks], device=self.device
        )
        modes = [m for *_, m in picks]
        self._puppets(source, modes, rng)
        self._mirror(source, self._mask([m == "mirror" for m in modes]))
        both = self._mask(rng.random(size) < 0.5)
        self._mirror(source, both)
        self._mirror(target, both)
        close_s = rng.random(size) < CLOSE_SHARE
        close_t = (rng.random(size) < CLOSE_SHARE) & (rendered.cpu().numpy() > 0)
        source = self._move(source, rng, 1.0, close_s)
        target = self._move(target, rng, 0.6, close_t)
        natural = self._recolour(source, target, rng)
        self._erase(source, rng)
        jitter = torch.randn(source.keypoints[..., :2].shape, generator=noise).to(self.device)
        source.keypoints[..., :2] += jitter * (self.size[0] / 256)
        jitter = torch.randn(target.keypoints[..., :2].shape, generator=noise).to(self.device)
        target.keypoints[..., :2] += jitter * 0.5 * (self.size[0] / 256)
        return Batch(source, target, rendered, natural)

    def _mask(self, flags: Sequence[bool] | np.ndarray) -> Tensor:
        return torch.tensor(np.asarray(flags, bool), device=self.device)

    def _pick(self, kind: int, rng: np.random.Generator) -> tuple[int, int, int, str]:
        t, g = self.kinds[kind][rng.integers(len(self.kinds[kind]))]
        table = self.tables[t]
        if kind < 2:
            pictures = table.pairs[g]
            a, b = rng.choice(len(pictures), 2, replace=False)
            if table.rendered and rng.random() < TURN_SHARE:
                b = self._most_turned(table, pictures, int(a), int(b))
            return t, int(rng.choice(pictures[a])), int(rng.choice(pictures[b])), "pair"
        entries = table.singles[g]
        u = rng.random()
        mode = (
            "puppet"
            if u < PUPPET_SHARE
            else "mirror"
            if u < PUPPET_SHARE + MIRROR_SHARE
            else "self"
        )
        return t, int(rng.choice(entries)), int(rng.choice(entries)), mode

    @staticmethod
    def _most_turned(table: _Table, pictures: list[list[int]], a: int, b: int) -> int:
        """The picture of a group whose yaw differs most from picture `a`'s; `b` if unknown."""
        yaws = [table.yaws_deg[p[0]] for p in pictures]
        turns = [abs((yaw - yaws[a] + 180) % 360 - 180) for yaw in yaws]
        known = [i for i, turn in enumerate(turns) if i != a and not math.isnan(turn)]
        return max(known, key=lambda i: turns[i]) if known else b

    def _gather(self, entries: list[tuple[int, int]]) -> Side:
        def rows(name: str) -> Tensor:
            return torch.stack([getattr(self.tables[t], name)[i] for t, i in entries])

        images = rows("images").permute(0, 3, 1, 2).float() / 127.5 - 1
        masks = rows("masks")[:, None].float() / 255
        box = rows("valid")
        grid = geo.pixel_grid(SIZE, SIZE, self.device)
        valid = (
            (grid[..., 0] >= box[:, 0, None, None])
            & (grid[..., 1] >= box[:, 1, None, None])
            & (grid[..., 0] <= box[:, 2, None, None])
            & (grid[..., 1] <= box[:, 3, None, None])
        )[:, None].float()
        keypoints = rows("keypoints").clone()
        surface = rows("surface").permute(0, 3, 1, 2).float() / 1000
        if self.size != SIZE:  # rehearsals at a smaller size
            images = F.interpolate(images, self.size, mode="area")
            masks = F.interpolate(masks, self.size, mode="area")
            valid = F.interpolate(valid, self.size, mode="area")
            keypoints[..., :2] *= self.size[0] / SIZE[0]
        return Side(images, masks, valid, keypoints, rows("parts"), surface)

    def _puppets(self, source: Side, modes: list[str], rng: np.random.Generator) -> None:
        """Replace sources by themselves in somebody else's pose, by geometry alone."""
        which = [i for i, m in enumerate(modes) if m == "puppet"]
        if not which:
            return
        others = []
        for _ in which:
            table = self.tables[rng.integers(len(self.tables))]
            others.append(table.keypoints[int(rng.integers(len(table.keypoints)))].clone())
        pose = torch.stack(others)
        pose[..., :2] *= self.size[0] / SIZE[0]
        index = torch.tensor(which, device=self.device)
        colour, cover = geo.analytic_warp(
            source.images[index], source.masks[index], source.joints[index], geo.joints_of(pose)
        )
        source.images[index] = (colour / cover.clamp_min(0.05)).clamp(-1, 1)
        source.masks[index] = cover
        source.valid[index] = 1.0
        source.keypoints[index] = pose
        source.parts[index] = UNKNOWN

    def _mirror(self, side: Side, which: Tensor) -> None:
        """Reverse pictures left to right; the person's left becomes right."""
        w = which[:, None, None, None]
        side.images = torch.where(w, side.images.flip(-1), side.images)
        side.masks = torch.where(w, side.masks.flip(-1), side.masks)
        side.valid = torch.where(w, side.valid.flip(-1), side.valid)
        side.surface = torch.where(w, side.surface.flip(-1), side.surface)
        labels = _MIRROR_LABELS.to(self.device)[side.parts.long()].flip(-1)
        side.parts = torch.where(which[:, None, None], labels, side.parts)
        swapped = side.keypoints[:, _MIRROR_JOINTS.to(self.device)].clone()
        swapped[..., 0] = self.size[1] - swapped[..., 0]
        side.keypoints = torch.where(which[:, None, None], swapped, side.keypoints)

    def _move(self, side: Side, rng: np.random.Generator, amount: float, close: np.ndarray) -> Side:
        """Turn, scale and shift pictures; cut some closer round the upper body."""
        n, (height, width) = len(side.images), self.size
        angle = rng.uniform(-0.14, 0.14, n) * amount
        scale = np.exp(rng.uniform(-0.14, 0.14, n) * amount)
        shift = rng.uniform(-0.04, 0.04, (n, 2)) * amount * height
        centre = np.tile([width / 2, height / 2], (n, 1))
        keypoints = side.keypoints.cpu().numpy()
        for i in np.flatnonzero(close):
            box = keypoints[i, :17, :2]
            top, hips = box[:5, 1].min(), box[11:13, 1].mean()
            if hips - top < 0.15 * height:
                continue
            bottom = hips + rng.uniform(-0.3, 0.8) * (hips - top)
            zoom = np.clip(0.9 * height / (bottom - top + 0.2 * (hips - top)), 1.0, 2.2)
            scale[i] *= zoom
            centre[i] = [box[[5, 6, 11, 12], 0].mean(), (top + bottom) / 2 - 0.1 * (hips - top)]
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        forward = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        middle = np.array([width / 2, height / 2])
        m = torch.tensor(forward, dtype=torch.float32, device=self.device)
        c = torch.tensor(centre, dtype=torch.float32, device=self.device)
        to = torch.tensor(middle + shift, dtype=torch.float32, device=self.device)
        back = torch.linalg.inv(m)

        def look(size: tuple[int, int]) -> Tensor:
            grid = geo.pixel_grid(size, self.size, self.device)
            return torch.einsum("bij,bhwj->bhwi", back, grid - to[:, None, None]) + c[:, None, None]

        stacked = torch.cat([side.images + 2, side.masks, side.valid], 1)
        stacked = geo.sample(stacked, look(self.size), self.size)
        coarse = (side.parts.shape[1], side.parts.shape[2])
        places = look(coarse)
        scale_xy = torch.tensor([2 / width, 2 / height], device=self.device)
        labels = torch.cat([side.parts[:, None].float() + 1, side.surface], 1)
        labels = F.grid_sample(labels, places * scale_xy - 1, mode="nearest", align_corners=False)
        parts = labels[:, 0] - 1
        parts = torch.where(parts < 0, UNKNOWN, parts).to(torch.uint8)
        moved = side.keypoints.clone()
        moved[..., :2] = (
            torch.einsum("bij,bkj->bki", m, side.keypoints[..., :2] - c[:, None]) + to[:, None]
        )
        outside = (moved[..., :2] < 0).any(-1) | (moved[..., 0] > width) | (moved[..., 1] > height)
        moved[..., 2] = torch.where(
            outside, moved[..., 2].clamp(max=OUTSIDE_CONFIDENCE), moved[..., 2]
        )
        images = (stacked[:, :3] - 2).clamp(-1, 1)
        valid = (stacked[:, 4:] > 0.99).float()
        return Side(images, stacked[:, 3:4], valid, moved, parts, labels[:, 1:])

    def _recolour(self, source: Side, target: Side, rng: np.random.Generator) -> Tensor:
        """One change of light and colour for both sides of a pair; whether channels kept places."""
        n = len(source.images)
        gain = np.exp(rng.normal(0, 0.1, (n, 3)) + rng.normal(0, 0.1, (n, 1)))
        gamma = np.exp(rng.normal(0, 0.12, n))
        order = np.tile(np.arange(3), (n, 1))
        for i in np.flatnonzero(rng.random(n) < 0.2):
            order[i] = rng.permutation(3)
        g = torch.tensor(gain, dtype=torch.float32, device=self.device)[:, :, None, None]
        e = torch.tensor(gamma, dtype=torch.float32, device=self.device)[:, None, None, None]
        index = torch.tensor(order, device=self.device)[:, :, None, None]
        for side in (source, target):
            x = side.images.gather(1, index.expand_as(side.images))
            side.images = (((x + 1) / 2).clamp(1e-4, 1).pow(e) * g).clamp(0, 1) * 2 - 1
        return self._mask((order == np.arange(3)).all(1))

    def _erase(self, source: Side, rng: np.random.Generator) -> None:
        height, _ = self.size
        for i in np.flatnonzero(rng.random(len(source.images)) < ERASE_SHARE):
            x, y = source.keypoints[i, int(rng.integers(5, 19)), :2].tolist()
            if not (math.isfinite(x) and math.isfinite(y)):
                continue
            h, w = rng.integers(height // 26, height // 8, 2)
            y0, y1 = max(0, int(y) - h), max(0, int(y) + h)
            x0, x1 = max(0, int(x) - w), max(0, int(x) + w)
            source.masks[i, :, y0:y1, x0:x1] = 0
