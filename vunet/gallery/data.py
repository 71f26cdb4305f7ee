"""Training batches of photos and drawings of them.

Sets of kind "drawings" give photos with the lines that somebody might draw, sets of kind "sketched"
(faces) an artist's sketch beside them. Photo and drawing are framed alike (`vunet.gallery.framing`)
and then shifted, scaled, turned and bent, each by itself: nobody draws exactly what is there, and
no mask is exact. Given the seed and the step, a batch is always the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from vunet.config import FindConfig
from vunet.dataset import Dataset, DatasetError
from vunet.drawing.lines import styled
from vunet.gallery.framing import frame_of, ink_of

KINDS = ("drawings", "sketched")
"""What can be learned from."""
_SKETCHES = 0.7
"""Share of samples drawn by an artist, where there are any."""
_OFF = np.array([0.06, 0.03])
"""By how much frames of photo and drawing are off, in scale and place (half sides)."""
_FAR_OFF = 0.15
"""Share of photos whose frame is off three times as far."""


@dataclass
class FindBatch:
    """What one step sees; all tensors of one device."""

    photos: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    ink: Tensor
    """(B, 1, H, W) in [0, 1], drawings of them."""
    others: Tensor
    """(B, 3, H, W) in [-1, 1], the photos seen otherwise: another part in another light."""
    kinds: Tensor
    """(B,) int64 class of what is shown, from 1; 0 where it is not known."""


class FindBatchMaker:
    """Draws batches from sets of drawings or sketches."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        config: FindConfig,
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        bent: bool = True,
    ) -> None:
        """Prepare to draw batches.

        Args:
            datasets: Sets of `KINDS`.
            config: Of the network.
            batch_size: Photos a batch.
            seed: Decides everything.
            device: Where batches are needed.
            bent: Whether pictures are changed; validation leaves them as they are.

        Raises:
            DatasetError: If the sets are of other kinds or hold fewer than two photos.
        """
        kinds = {str(d.meta["kind"]) for d in datasets}
        if not kinds <= set(KINDS):
            raise DatasetError(
                f"finding is learned from sets of drawings, not of {' and '.join(sorted(kinds))}; "
                "make one with `vunet prepare --drawings`"
            )
        self.entries = [(d, i) for d in datasets for i in range(len(d))]
        if len(self.entries) < 2:
            raise DatasetError("finding is learned from two photos or more; give a larger set")
        self.config, self.seed, self.device, self.bent = config, seed, device, bent
        self.batch_size = min(batch_size, len(self.entries))
        labels = [str(d.index[i].get("label", "")) for d, i in self.entries]
        numbers = {label: k for k, label in enumerate(sorted(set(labels) - {""}), 1)}
        self.kinds = [numbers.get(label, 0) for label in labels]
        self.frames = [self._frame(d, i) for d, i in self.entries]
        """What is compared of each entry, in pixels of its picture."""
        H, W = config.size
        y, x = np.mgrid[0:H, 0:W].astype(np.float32)
        self._grid = np.stack([(2 * x + 1) / W - 1, (2 * y + 1) / H - 1], -1)  # (H, W, 2)

    def _frame(self, dataset: Dataset, i: int) -> tuple[float, float, float, float]:
        mask = np.asarray(dataset.arrays["masks"][i])
        inside = mask > 127 if self.config.shape == "lines" else None
        return frame_of(mask.shape, inside, self.config.size)

    def batch(self, step: int) -> FindBatch:
        """The batch of a step; no photo is in it twice."""
        rng = np.random.default_rng((self.seed, step))
        total = len(self.entries)
        if self.bent:
            chosen = rng.choice(total, self.batch_size, replace=False)
        else:
            chosen = (np.arange(self.batch_size) + step * self.batch_size) % total
        return self.make([int(i) for i in chosen], rng)

    def make(self, numbers: Sequence[int], rng: np.random.Generator) -> FindBatch:
        """The batch of these entries, counted through all sets."""
        photos, others, maps, sketches = [], [], [], []
        for number in numbers:
            dataset, i = self.entries[number]
            image = np.asarray(dataset.arrays["images"][i])
            shared = self._affine(rng, 0.10, 0.05, mirrored=True)
            frame = self.frames[number]
            # masks are wrong at times, and then frames are far apart
            off = _OFF * (3 if rng.random() < _FAR_OFF else 1)
            place = self._places(frame, self._affine(rng, *off) @ shared)
            photos.append(_sampled(image, place))
            place = self._places(frame, self._affine(rng, 0.3, 0.2) @ shared)
            others.append(_sampled(image, place))
            bend = self._bend(rng)
            place = self._places(frame, self._affine(rng, *_OFF) @ shared, bend)
            lines = np.asarray(dataset.arrays["lines"][i])
            maps.append(np.stack([_sampled(one, place, 0) for one in lines]))
            drawn, by_artist = None, rng.random() < _SKETCHES
            if dataset.meta["kind"] == "sketched" and by_artist:
                drawn = ink_of(_sampled(np.asarray(dataset.arrays["sketches"][i]), place))
            sketches.append(drawn)
        seed = int(rng.integers(2**31))
        # lines of one pixel lie between those that are looked at: half of them is enough
        ink = styled((torch.from_numpy(np.stack(maps)).float() / 127.5).clamp(max=1), seed)
        g = torch.Generator().manual_seed(seed)
        for k, drawn in enumerate(sketches):
            if drawn is not None:
                ink[k, 0] = torch.from_numpy(drawn)
        if self.bent:
            ink = ink * (0.6 + 0.4 * torch.rand(len(ink), 1, 1, 1, generator=g))
        batch = FindBatch(
            photos=self._lit(photos, g),
            ink=ink,
            others=self._lit(others, g),
            kinds=torch.tensor([self.kinds[number] for number in numbers]),
        )
        return FindBatch(**{k: v.to(self.device) for k, v in vars(batch).items()})

    def _affine(
        self, rng: np.random.Generator, scale: float, shift: float, *, mirrored: bool = False
    ) -> np.ndarray:
        """(3, 3) a small change of scale, proportions, angle and place, in half sides."""
        if not self.bent:
            return np.eye(3)
        size = np.exp(rng.normal(0, scale / 2) + rng.normal(0, scale / 2, 2))
        angle = rng.normal(0, scale / 2)
        c, s = np.cos(angle), np.sin(angle)
        ratio = self.config.size[1] / self.config.size[0]
        turn = np.array([[c, -s / ratio], [s * ratio, c]]) * size
        if mirrored and rng.random() < 0.5:
            turn[:, 0] *= -1
        return np.vstack([np.column_stack([turn, rng.normal(0, shift, 2)]), [0, 0, 1]])

    def _bend(self, rng: np.random.Generator) -> np.ndarray | None:
        """(H, W, 2) how far a drawing is off, in half sides: proportions are drawn wrongly."""
        if not self.bent:
            return None
        H, W = self.config.size
        push = rng.normal(0, 0.05 * rng.random(), (5, 4, 2)).astype(np.float32)
        return cv2.resize(push, (W, H), interpolation=cv2.INTER_CUBIC)

    def _places(
        self,
        frame: tuple[float, float, float, float],
        matrix: np.ndarray,
        bend: np.ndarray | None = None,
    ) -> np.ndarray:
        """(H, W, 2) float32 where each pixel of the network's picture lies in the set's."""
        x0, y0, x1, y1 = frame
        half = np.array([(x1 - x0) / 2, (y1 - y0) / 2])
        turn = (matrix[:2, :2] * half[:, None]).astype(np.float32)
        middle = half * matrix[:2, 2] + [(x0 + x1) / 2 - 0.5, (y0 + y1) / 2 - 0.5]
        grid = self._grid if bend is None else self._grid + bend
        return grid @ turn.T + middle.astype(np.float32)

    def _lit(self, pictures: list[np.ndarray], g: torch.Generator) -> Tensor:
        """Photos in slightly other light: (B, 3, H, W) in [-1, 1]."""
        x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
        if self.bent:
            B = len(x)
            gamma = torch.exp(0.2 * torch.randn(B, 1, 1, 1, generator=g))
            gain = torch.exp(0.1 * torch.randn(B, 1, 1, 1, generator=g))
            tint = torch.exp(0.04 * torch.randn(B, 3, 1, 1, generator=g))
            x = (x.clamp_min(1e-3).pow(gamma) * gain * tint).clamp(0, 1)
        return x * 2 - 1


def _sampled(picture: np.ndarray, places: np.ndarray, paper: int | None = None) -> np.ndarray:
    """What lies at places (H, W, 2) of a picture, whose rim goes on, or paper."""
    border = cv2.BORDER_REPLICATE if paper is None else cv2.BORDER_CONSTANT
    x, y = places[..., 0], places[..., 1]
    return cv2.remap(
        picture, x, y, cv2.INTER_LINEAR, borderMode=border, borderValue=(paper or 0,) * 4
    )
