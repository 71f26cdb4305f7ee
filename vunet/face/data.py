"""Training batches of faces: those of drawings, with artists' sketches and known correspondences.

Half of the drawings are the artist's where there is one: as they are, or redrawn as thin, broken
and unsteady strokes. Where the reference is another face, the meshes of both say what lies where.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vunet.config import DrawingConfig
from vunet.dataset import Dataset
from vunet.drawing.data import NOWHERE, DrawingBatchMaker, apply_affine, inverse_affine
from vunet.drawing.lines import styled
from vunet.face.correspond import MeanFace, from_mean, to_mean
from vunet.gallery.framing import ink_of

_BY_ARTIST = 0.65
"""Share of drawings made from the artist's, where there is one, ..."""
_REDRAWN = 0.5
"""... and of these: redrawn by another hand."""


class PortraitBatchMaker(DrawingBatchMaker):
    """Draws batches from sets of faces."""

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
        """See `DrawingBatchMaker`; the sets are of kind "portraits"."""
        super().__init__(
            datasets, config, batch_size, seed, device, bent=bent, cross_share=cross_share
        )
        side = datasets[0].arrays["images"].shape[1]
        meshes = [np.asarray(d.arrays["landmarks"]) for d in datasets]
        mean = MeanFace.of(np.concatenate(meshes))
        steps = config.size[0] // 4
        self._to = [np.stack([to_mean(mean, m, side, steps) for m in of]) for of in meshes]
        self._from = [np.stack([from_mean(mean, m, side) for m in of]) for of in meshes]
        self._drawn = [np.array([bool(r.get("drawn")) for r in d.index]) for d in datasets]
        self._refined = [np.array([bool(r.get("refined")) for r in d.index]) for d in datasets]

    def _ink(
        self, maps: Tensor, entries: Sequence[tuple[int, int]], places: Tensor, g: torch.Generator
    ) -> Tensor:
        has = torch.tensor([bool(self._drawn[d][i]) for d, i in entries])
        by_artist = has & (torch.rand(len(entries), generator=g) < _BY_ARTIST)
        refined = torch.tensor([bool(self._refined[d][i]) for d, i in entries])
        # validation is on what artists drew; what manifolds drew stays as it is
        by_artist = (by_artist | refined) if self.bent else has
        redrawn = (torch.rand(len(entries), generator=g) < _REDRAWN) & ~refined & self.bent
        hand = int(torch.randint(2**31, (1,), generator=g))
        sketched = [np.asarray(self.sets[d].arrays["sketches"][i]) for d, i in entries]
        ink = torch.from_numpy(np.stack([ink_of(grey) for grey in sketched]))[:, None]
        size = (places.shape[1], places.shape[2])
        if tuple(ink.shape[2:]) != size:
            ink = F.interpolate(ink, size, mode="area").mul(1.3).clamp(0, 1)
        ink = F.grid_sample(ink, places, padding_mode="zeros", align_corners=False)
        for k in torch.nonzero(by_artist).flatten().tolist():
            maps[k] = (ink[k] * 1.3).clamp(0, 1)
        drawn = styled(maps, hand)
        kept = (by_artist & ~redrawn)[:, None, None, None]
        return torch.where(kept, ink, drawn)

    def _elsewhere(
        self,
        entries: Sequence[tuple[int, int]],
        others: Sequence[tuple[int, int]],
        first: Tensor,
        second: Tensor,
        turn: Tensor,
    ) -> Tensor:
        to = torch.from_numpy(np.stack([self._to[d][i] for d, i in entries]))
        back = torch.from_numpy(np.stack([self._from[d][i] for d, i in others]))
        mean = _looked_up(to, first * turn)
        there = _looked_up(back, mean)
        known = (there.abs() <= 1).all(-1, keepdim=True)
        found = apply_affine(inverse_affine(second), there * turn)
        return torch.where(known, found, there)


def _looked_up(maps: Tensor, places: Tensor) -> Tensor:
    """Maps (B, h, w, 2) at places (B, H, W, 2); next to what is not known nothing is."""
    found = F.grid_sample(
        maps.permute(0, 3, 1, 2), places, padding_mode="border", align_corners=False
    ).permute(0, 2, 3, 1)
    inside = (places.abs() <= 1).all(-1, keepdim=True)
    return torch.where(inside, found, NOWHERE)
