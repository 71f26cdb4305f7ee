"""Training batches of drawings: the same thing drawn, photographed, and seen otherwise.

Few photos show one thing twice, so pairs are made: the photo, bent by a smooth map, is what is
to be painted (and its lines, bent alike, the drawing); the photo, shifted and turned, is the
reference. Where each pixel of the one lies in the other is known exactly and supervises attention.
Where a set does show somebody twice (entries of one group), the other photo is the reference.
Some samples have another photo as reference, of the same class: no truth is known then, but what is
skin there must be skin here, and its colours are known (`vunet.drawing.losses`).
Given the seed and the step, a batch is always the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vunet.config import DrawingConfig
from vunet.dataset import Dataset
from vunet.drawing.lines import styled
from vunet.drawing.network import identity_places
from vunet.drawing.palette import COLOURS

KINDS = ("drawings", "portraits", "pairs")
"""What can be learned from."""
THING = len(COLOURS)
"""Region of a thing whose parts are not told apart."""
UNKNOWN = -1
KIN_SHARE = 0.8
"""Share of entries whose reference is another of their group, where there is one."""
NOWHERE = 9.0
"""Coordinate of what is not known: outside [-1, 1]."""


@dataclass
class DrawingBatch:
    """What one step sees; all tensors of one device."""

    drawing: Tensor
    """(B, 3, H, W) in [-1, 1]: ink and paint on white."""
    image: Tensor
    """(B, 3, H, W) in [-1, 1], the truth."""
    valid: Tensor
    """(B, 1, H, W) 1 where the truth is a photo's."""
    thing: Tensor
    """(B, 1, H, W) 1 on what the truth is of."""
    reference: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    places: Tensor
    """(B, H/4, W/4, 2) where the truth lies in the reference, in [-1, 1] or outside."""
    kinds: Tensor
    """(B,) int64 class from 1, 0 unknown."""
    own: Tensor
    """(B,) 1 where the reference shows the thing drawn, be it in another photo, else 0."""
    regions: Tensor
    """(B, 1, H, W) what the truth's pixels are: 0 ground, `COLOURS`' labels, `THING` where only
    the whole is known, `UNKNOWN`."""
    reference_regions: Tensor
    """(B, 1, H, W) the same of the reference."""


def drawing_picture(ink: Tensor, paint: Tensor | None = None) -> Tensor:
    """Ink (B, 1, H, W) in [0, 1] on white or on paint (B, 3, H, W) in [-1, 1]."""
    ground = torch.ones_like(ink) if paint is None else paint
    return (ground * (1 - ink) - ink).expand(-1, 3, -1, -1)


def _affine(g: torch.Generator, count: int, amount: float) -> Tensor:
    """(B, 2, 3) turns, scales, shears and shifts."""

    def noise(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=g) * 2 - 1

    angle = noise(count) * 0.25 * amount
    scale = torch.exp(noise(count, 2) * 0.2 * amount + noise(count, 1) * 0.15 * amount)
    shear = noise(count) * 0.12 * amount
    c, s = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([c, -s + shear], 1), torch.stack([s, c], 1)], 1)
    return torch.cat([turn * scale[:, None], (noise(count, 2) * 0.12 * amount)[..., None]], 2)


def apply_affine(matrix: Tensor, places: Tensor) -> Tensor:
    """Matrices (B, 2, 3) applied to places (B, H, W, 2)."""
    return torch.einsum("bij,bhwj->bhwi", matrix[:, :, :2], places) + matrix[:, None, None, :, 2]


def inverse_affine(matrix: Tensor) -> Tensor:
    """The inverses (B, 2, 3) of matrices (B, 2, 3)."""
    turn = torch.linalg.inv(matrix[:, :, :2])
    return torch.cat([turn, -turn @ matrix[:, :, 2:]], 2)


def quarter_of(places: Tensor) -> Tensor:
    """Places (B, H, W, 2) at a quarter of the size."""
    size = (places.shape[1] // 4, places.shape[2] // 4)
    return F.interpolate(places.permute(0, 3, 1, 2), size, mode="area").permute(0, 2, 3, 1)


class DrawingBatchMaker:
    """Draws batches from sets of drawings or of pairs."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        config: DrawingConfig,
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        bent: bool = True,
        cross_share: float = 0.0,
    ) -> None:
        """Prepare to draw batches.

        Args:
            datasets: Sets of one of `KINDS`, all of the same.
            config: Of the network.
            batch_size: Pictures a batch.
            seed: Decides everything.
            device: Where batches are needed.
            bent: Whether truths are bent; validation leaves them as they are.
            cross_share: Of samples with another photo as reference; none of pairs, whose regions
                are not known.

        Raises:
            ValueError: If the sets are of different or other kinds, or empty.
        """
        kinds = {str(d.meta["kind"]) for d in datasets}
        if len(kinds) != 1 or not kinds <= set(KINDS):
            raise ValueError(f"sets of one kind of {', '.join(KINDS)} are needed, got {kinds}")
        self.pairs = kinds == {"pairs"}
        self.sets = list(datasets)
        self.sizes = np.array([len(d) for d in datasets])
        self.starts = np.cumsum(self.sizes) - self.sizes
        if not self.sizes.sum():
            raise ValueError("the sets are empty")
        self.config, self.batch_size, self.seed = config, batch_size, seed
        self.device, self.bent = device, bent
        self.cross_share = 0.0 if self.pairs else cross_share
        names = {name: i for i, name in enumerate(config.classes, 1)}
        self.kinds = [
            np.array([names.get(str(row.get("label", "")), 0) for row in d.index]) for d in datasets
        ]
        self.painted = [
            np.array([bool(row.any()) for row in d.arrays["paint"]])
            if config.shape == "regions" and not self.pairs
            else np.zeros(len(d), bool)
            for d in datasets
        ]
        everything = np.concatenate(self.kinds) * 2 + np.concatenate(self.painted)
        self.alike = {int(k): np.flatnonzero(everything == k) for k in np.unique(everything)}
        """Of each class, painted or not: the entries, counted through all sets."""
        self.groups = [
            [str(row.get("group", "")) or str(i) for i, row in enumerate(d.index)] for d in datasets
        ]
        self.kin: list[dict[str, list[int]]] = []
        """Of each set: the rows of each group."""
        for names in self.groups:
            members: dict[str, list[int]] = {}
            for i, name in enumerate(names):
                members.setdefault(name, []).append(i)
            self.kin.append(members)

    def batch(self, step: int) -> DrawingBatch:
        """The batch of a step."""
        rng = np.random.default_rng((self.seed, step))
        total = int(self.sizes.sum())
        if self.bent:
            chosen = rng.integers(0, total, self.batch_size)
        else:
            chosen = (np.arange(self.batch_size) + step * self.batch_size) % total
        entries = [self._entry(int(i)) for i in chosen]
        seed = int(rng.integers(2**31))
        others = list(entries)
        for k, (d, i) in enumerate(entries):
            chance = rng.random()
            kin = [row for row in self.kin[d][self.groups[d][i]] if row != i]
            if self.cross_share and kin and chance < KIN_SHARE:
                others[k] = d, int(rng.choice(kin))
            elif chance < self.cross_share:
                alike = self.alike[int(self.kinds[d][i] * 2 + self.painted[d][i])]
                others[k] = self._entry(int(rng.choice(alike)))
        return self.make(entries, seed, others)

    def _entry(self, number: int) -> tuple[int, int]:
        """Set and row of an entry, counted through all sets."""
        d = int(np.searchsorted(self.starts, number, "right")) - 1
        return d, int(number - self.starts[d])

    def make(
        self,
        entries: Sequence[tuple[int, int]],
        seed: int,
        others: Sequence[tuple[int, int]] | None = None,
    ) -> DrawingBatch:
        """The batch of these entries (set, row), with these as references or themselves."""
        others = entries if others is None else others
        g = torch.Generator().manual_seed(seed)
        H, W = self.config.size
        B = len(entries)

        def rows(name: str, of: Sequence[tuple[int, int]] = entries) -> Tensor:
            found = np.stack([np.asarray(self.sets[d].arrays[name][i]) for d, i in of])
            return torch.from_numpy(found)

        def pictures(name: str, of: Sequence[tuple[int, int]] = entries) -> Tensor:
            return rows(name, of).permute(0, 3, 1, 2).float() / 127.5 - 1

        image = pictures("images")
        look = image if others == entries else pictures("images", others)
        if self.pairs:
            shape = pictures("shapes")
            inside, thing = torch.ones_like(image[:, :1]), torch.ones_like(image[:, :1])
            maps = paint = None
            regions = [torch.full_like(thing, float(UNKNOWN))] * 2
        else:
            shape = None
            maps = rows("lines").float() / 255
            thing = rows("masks")[:, None].float() / 255
            painted = rows("paint")
            paint = self._paint(painted, g)
            regions = [
                self._regions(painted, thing),
                self._regions(rows("paint", others), rows("masks", others)[:, None].float() / 255),
            ]
            inside = torch.zeros_like(thing)
            for k, (x0, y0, x1, y1) in enumerate(rows("valid").round().int().tolist()):
                inside[k, :, y0:y1, x0:x1] = 1
        mirrored = (torch.rand(B, generator=g) < 0.5) & self.bent
        grid = identity_places((H, W), image.device).expand(B, H, W, 2)
        first = grid
        if self.bent:
            push = F.interpolate(
                torch.randn(B, 2, 5, 5, generator=g) * 0.035, (H, W), mode="bicubic"
            )
            first = apply_affine(_affine(g, B, 0.5), grid) + push.permute(0, 2, 3, 1)
        second = _affine(g, B, 1.0)
        flip = torch.where(mirrored, -1.0, 1.0)[:, None, None, None]
        turn = torch.cat([flip, torch.ones_like(flip)], 3)  # x alone

        def seen(x: Tensor, at: Tensor, mode: str = "bilinear") -> Tensor:
            where = at * turn
            return F.grid_sample(x, where, mode=mode, padding_mode="border", align_corners=False)

        if tuple(image.shape[2:]) != (H, W):  # a smaller network: fine detail must not alias
            image = F.interpolate(image, (H, W), mode="area")
            look = F.interpolate(look, (H, W), mode="area")
            maps = None if maps is None else F.interpolate(maps, (H, W), mode="area").mul(1.6)
            shape = None if shape is None else F.interpolate(shape, (H, W), mode="area")
        truth = seen(image, first)
        reference = seen(look, apply_affine(second, grid))
        valid = (seen(inside, first, "nearest") > 0.5).float() * (
            (first.abs() <= 1).all(-1)[:, None].float()
        )
        known = apply_affine(inverse_affine(second), quarter_of(first))
        if shape is not None:
            drawing = seen(shape, first)
        elif maps is not None:
            ink = self._ink(seen(maps, first).clamp(0, 1), entries, first * turn, g)
            if paint is None:
                drawing = drawing_picture(ink)
            else:
                colour = seen(paint, first, "nearest")
                labelled = (colour < 1).flatten(1).any(1)[:, None, None, None].float()
                has = (torch.rand(B, 1, 1, 1, generator=g) < 0.6).float() * labelled
                bare = (torch.rand(B, 1, 1, 1, generator=g) < 0.5).float()  # lines, paint or both
                colour = colour * has + (1 - has)
                drawing = drawing_picture(ink * (1 - has * bare), colour)
        else:
            raise ValueError("an entry has neither lines nor a shape")
        kinds = torch.tensor([int(self.kinds[d][i]) for d, i in entries])
        if self.bent:
            kinds = kinds * (torch.rand(B, generator=g) < 0.7)
        same = torch.tensor([a == b for a, b in zip(entries, others, strict=True)])
        elsewhere = self._elsewhere(entries, others, quarter_of(first), second, turn)
        known = torch.where(same[:, None, None, None], known, elsewhere)
        own = torch.tensor(
            [
                float(a == c and self.groups[a][b] == self.groups[c][d])
                for (a, b), (c, d) in zip(entries, others, strict=True)
            ]
        )
        made = DrawingBatch(
            drawing=drawing,
            image=truth,
            valid=valid,
            thing=seen(thing, first),
            reference=reference,
            places=known,
            kinds=kinds.long(),
            own=own,
            regions=seen(regions[0], first, "nearest"),
            reference_regions=seen(regions[1], apply_affine(second, grid), "nearest"),
        )
        values = {k: v.to(self.device) for k, v in vars(made).items()}
        return DrawingBatch(**values)

    def _ink(
        self, maps: Tensor, entries: Sequence[tuple[int, int]], places: Tensor, g: torch.Generator
    ) -> Tensor:
        """What is drawn, (B, 1, H, W) in [0, 1].

        Args:
            maps: (B, 4, H, W) lines of the photos, bent.
            entries: Set and row of each.
            places: (B, H, W, 2) where the bent picture's pixels lie in the set's.
            g: Decides what is drawn how.
        """
        del entries, places
        return styled(maps, int(torch.randint(2**31, (1,), generator=g)))

    def _elsewhere(
        self,
        entries: Sequence[tuple[int, int]],
        others: Sequence[tuple[int, int]],
        first: Tensor,
        second: Tensor,
        turn: Tensor,
    ) -> Tensor:
        """(B, H/4, W/4, 2) where the truth lies in references that show another thing.

        Args:
            entries: Set and row of each truth.
            others: Of each reference.
            first: (B, H/4, W/4, 2) where the truth's pixels lie in the set's picture, ...
            second: (B, 2, 3) ... and the reference's, ...
            turn: (B, 1, 1, 2) ... both before x is multiplied by 1 or -1.
        """
        del entries, others, second, turn
        return torch.full_like(first, NOWHERE)

    @staticmethod
    def _regions(paint: Tensor, thing: Tensor) -> Tensor:
        """(B, h, w) labels and (B, 1, h, w) masks -> `DrawingBatch.regions`."""
        paint, inside = paint[:, None].float(), thing > 0.5
        labelled = (paint > 0).flatten(1).any(1)[:, None, None, None]
        rest = torch.where(labelled, float(UNKNOWN), float(THING))
        return torch.where(paint > 0, paint, torch.where(inside, rest, 0.0))

    def _paint(self, labels: Tensor, g: torch.Generator) -> Tensor | None:
        """Regions as colours (B, 3, h, w) in [-1, 1], some left out; None where there are none."""
        if self.config.shape != "regions":
            return None
        colours = torch.from_numpy(COLOURS.astype(np.float32)) / 127.5 - 1  # (R, 3)
        shown = (torch.rand(len(labels), len(colours), generator=g) < 0.93) | (not self.bent)
        table = torch.where(shown[..., None], colours[None], colours[None, :1])  # (B, R, 3)
        flat = labels.flatten(1).long()
        picked = torch.gather(table, 1, flat[..., None].expand(-1, -1, 3))
        return picked.transpose(1, 2).reshape(len(labels), 3, *labels.shape[1:])
