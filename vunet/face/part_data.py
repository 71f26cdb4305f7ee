"""Training batches for the points and manifolds of drawn faces (`vunet.face.network`).

Each drawing is the artist's or made from the photo, in some hand, and often made worse
(`vunet.face.degrade`); what every part should have been is the artist's drawing. Given the seed and
the step, a batch is always the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from vunet.dataset import Dataset, DatasetError
from vunet.drawing.lines import styled
from vunet.face.degrade import Harm, degraded
from vunet.face.network import KINDS, PART_PX, REST_PX, kind_of
from vunet.face.parts import MIRRORED, PARTS, POINTS, REST, centre, reduced, window, without_windows
from vunet.gallery.framing import ink_of

_BY_ARTIST = 0.6
_REDRAWN = 0.4
_HARMED = 0.6
_SPARED = 0.7
"""Share of harmed drawings whose parts are coded from before the harm."""
_LINES_PX = 160
"""Side at which drawings are made from photos: many hands cost time."""
_BARE = 0.15
"""Share of harmed drawings of which one or two parts are all there is."""


@dataclass
class PartBatch:
    """What one step sees."""

    ink: Tensor
    """(B, 1, 128, 128) drawings, anywhere on their sheet."""
    points: Tensor
    """(B, 21, 2) where their points are, in sides."""
    windows: dict[str, Tensor]
    """Of each kind: (N, 1, px, px) as drawn, right eyes mirrored, ..."""
    wanted: dict[str, Tensor]
    """... and as the artist drew them."""


class PartBatchMaker:
    """Draws batches from sets of faces with sketches."""

    def __init__(
        self, datasets: Sequence[Dataset], batch_size: int, seed: int, *, bent: bool = True
    ) -> None:
        """Prepare to draw batches.

        Args:
            datasets: Sets of kind "portraits".
            batch_size: Drawings a batch.
            seed: Decides everything.
            bent: Whether drawings are changed; validation looks at the artist's.

        Raises:
            DatasetError: If a set is of another kind, or holds no sketches.
        """
        for d in datasets:
            if d.meta["kind"] != "portraits":
                raise DatasetError(
                    f"{d.path}: parts of faces are learned from portraits; make a set with "
                    "`vunet prepare FACES --drawings portraits`"
                )
        self.entries = [(d, i) for d in datasets for i, r in enumerate(d.index) if r.get("drawn")]
        if not self.entries:
            raise DatasetError(
                "parts of faces are learned from sketches, and these sets hold none; give a folder "
                "with two folders, photos and sketches, to `vunet prepare --drawings portraits`"
            )
        self.batch_size, self.seed, self.bent = batch_size, seed, bent

    def batch(self, step: int) -> PartBatch:
        """The batch of a step."""
        rng = np.random.default_rng((self.seed, step))
        total = len(self.entries)
        if self.bent:
            chosen = rng.integers(0, total, self.batch_size)
        else:
            chosen = (np.arange(min(self.batch_size, total)) + step * self.batch_size) % total
        sketches, points, maps = [], [], []
        for number in chosen:
            d, i = self.entries[int(number)]
            sketch = ink_of(np.asarray(d.arrays["sketches"][i]))
            lines = np.moveaxis(np.asarray(d.arrays["lines"][i]), 0, -1)
            lines = cv2.resize(lines, (_LINES_PX, _LINES_PX), interpolation=cv2.INTER_AREA)
            at = np.asarray(d.arrays["landmarks"][i])[list(POINTS), :2] / len(sketch)
            if self.bent:
                sketch, lines, at = _moved(sketch, lines, at, rng)
            sketches.append(sketch)
            points.append(at)
            maps.append(np.moveaxis(lines, -1, 0))
        drawn = self._drawn(sketches, maps, rng)
        return self._cut(drawn, sketches, points, rng)

    def _drawn(
        self, sketches: list[np.ndarray], maps: list[np.ndarray], rng: np.random.Generator
    ) -> list[np.ndarray]:
        """(S, S) ink of each, in some hand."""
        if not self.bent:
            return sketches
        taken = (torch.from_numpy(np.stack(maps)).float() / 200).clamp(max=1)
        kept = []
        for k, sketch in enumerate(sketches):
            by_artist = rng.random() < _BY_ARTIST
            kept.append(by_artist and rng.random() >= _REDRAWN)
            if by_artist:
                taken[k] = torch.from_numpy(reduced(sketch, _LINES_PX))
        ink = styled(taken, int(rng.integers(2**31)))[:, 0].numpy()
        found = [s if keep else i for s, i, keep in zip(sketches, ink, kept, strict=True)]
        return [one * np.float32(0.6 + 0.4 * rng.random()) for one in found]

    def _cut(
        self,
        drawn: list[np.ndarray],
        sketches: list[np.ndarray],
        points: list[np.ndarray],
        rng: np.random.Generator,
    ) -> PartBatch:
        inks, targets = [], []
        windows: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
        wanted: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
        for ink, sketch, at in zip(drawn, sketches, points, strict=True):
            there, moved, bare = np.ones(len(PARTS), bool), at, False
            whole = ink
            if self.bent and rng.random() < _HARMED:
                much = rng.random(4)
                harm = Harm(0.4 * much[0], 0.02 * much[1], 0.08, 0.6 * much[2], 0.5 * much[3])
                ink, moved, there = degraded(ink, at, rng, harm)
                if bare := rng.random() < _BARE:
                    ink = ink - without_windows(ink, moved)
            # coders that see much harm draw what is ordinary, not what is there
            seen, places, kept = (ink, moved, there)
            if bare or rng.random() < _SPARED:
                seen, places, kept = whole, at, np.ones(len(PARTS), bool)
            windows[REST].append(reduced(without_windows(seen, places), REST_PX))
            wanted[REST].append(reduced(without_windows(sketch, at), REST_PX))
            for part, is_there in zip(PARTS, kept, strict=True):
                if not is_there:
                    continue
                kind = kind_of(part.name)
                off = rng.normal(0, 0.012, 2) * self.bent
                size = part.side * np.exp(rng.normal(0, 0.05) * self.bent)
                one = window(seen, centre(part, places) + off, size, PART_PX)
                true = window(sketch, centre(part, at), part.side, PART_PX)
                if part.name == "right-eye":
                    one, true = one[:, ::-1], true[:, ::-1]
                windows[kind].append(one)
                wanted[kind].append(true)
            sheet, placed = _on_sheet(ink, moved, rng) if self.bent else (ink, moved)
            inks.append(reduced(sheet, REST_PX))
            targets.append(placed)
        return PartBatch(
            ink=_tensor(inks),
            points=torch.from_numpy(np.stack(targets).astype(np.float32)),
            windows={kind: _tensor(w) for kind, w in windows.items() if w},
            wanted={kind: _tensor(wanted[kind]) for kind, w in windows.items() if w},
        )


def _tensor(pieces: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.stack(pieces)[:, None], dtype=np.float32))


def _moved(
    sketch: np.ndarray, lines: np.ndarray, points: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A face slightly larger, turned, shifted, and in half of the cases mirrored."""
    matrix = _affine(rng, 0.05, 0.02, 0.07)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
        points = points[list(MIRRORED)]
    return _warped(sketch, matrix), _warped(lines, matrix), _placed(points, matrix)


def _placed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def _affine(rng: np.random.Generator, scale: float, shift: float, turn: float) -> np.ndarray:
    """(3, 3) about the middle of the unit square."""
    sx, sy = np.exp(rng.normal(0, scale) + rng.normal(0, scale / 2, 2))
    c, s = np.cos(a := rng.normal(0, turn)), np.sin(a)
    linear = np.array([[c * sx, -s * sy], [s * sx, c * sy]])
    middle = np.array([0.5, 0.5])
    offset = middle - linear @ middle + rng.normal(0, shift, 2)
    return np.vstack([np.column_stack([linear, offset]), [0, 0, 1]])


def _warped(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A picture on paper (0), moved by a matrix in sides."""
    S = len(picture)
    scaled = matrix[:2].copy()
    scaled[:, 2] = (matrix[:2, :2] @ [0.5, 0.5] + matrix[:2, 2] * S) - 0.5
    return cv2.warpAffine(picture, scaled, (S, S), flags=cv2.INTER_LINEAR)


def _on_sheet(
    ink: np.ndarray, points: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The drawing as it lies in its frame, or somewhere on a sheet."""
    if rng.random() < 0.5:
        matrix = _affine(rng, 0.04, 0.02, 0.03)
    else:
        matrix = _affine(rng, 0.15, 0.06, 0.08)
        matrix[:2] *= (size := rng.uniform(0.5, 1.05))
        matrix[:2, 2] += (1 - size) / 2
    return _warped(ink, matrix), _placed(points, matrix)
