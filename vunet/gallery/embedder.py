"""Photos and drawings as vectors: what an index is made of, and what is looked up in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vunet.checkpoint import load_finder, weights_name
from vunet.engine import has_fast_bf16, pick_device
from vunet.gallery.framing import framed_drawing, framed_photo
from vunet.gallery.network import FindNet

_AT_ONCE = 32


@dataclass(frozen=True)
class Dims:
    """Lengths of the vectors."""

    drawing: int
    look: int


class Embedder:
    """The network that finds, with its weights. Safe to share between threads."""

    def __init__(self, model: FindNet, sha256: str, device: torch.device, name: str) -> None:
        """Take up a network.

        Args:
            model: With its weights.
            sha256: Of their file: vectors of other weights cannot be compared with these.
            device: Where it runs.
            name: What the weights are called.
        """
        self.model = model.to(device).eval()
        self.sha256, self.device, self.name = sha256, device, name
        self.amp = has_fast_bf16(device)
        self._framing = (model.config.size, model.config.shape)
        self._workers = ThreadPoolExecutor(os.cpu_count() or 1)  # telling things takes longest
        self.dims = Dims(model.config.drawing_dim, model.config.look_dim)

    def photos(
        self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray | None] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Photos, each of one thing or person.

        Args:
            images: (H, W, 3) uint8 RGB of any sizes.
            masks: (H, W) uint8, 255 on what each photo is of; where None, what is in the middle
                is told from its ground by colour. Faces need none.

        Returns:
            (N, 128) float32 unit vectors, near those of drawings, and (N, 64) float32 unit vectors
            of looks.

        Raises:
            ValueError: If an image is not (H, W, 3) uint8, or a mask not of its image's size.
        """
        asked = masks if masks is not None else [None] * len(images)
        if len(asked) != len(images):
            raise ValueError(f"there are {len(images)} images and {len(asked)} masks")
        shapes = [np.zeros((0, self.dims.drawing), np.float32)]
        looks = [np.zeros((0, self.dims.look), np.float32)]
        for start in range(0, len(images), _AT_ONCE):
            chosen = slice(start, start + _AT_ONCE)
            batch = np.stack(list(self._workers.map(self._framed, images[chosen], asked[chosen])))
            x = self._tensor(batch).permute(0, 3, 1, 2) / 127.5 - 1
            with torch.inference_mode():
                shapes.append(self.model.photos(x, amp=self.amp).cpu().numpy())
                looks.append(self.model.looks(x, amp=self.amp).cpu().numpy())
        return np.concatenate(shapes), np.concatenate(looks)

    def _framed(self, image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        return framed_photo(image, mask, *self._framing)

    def drawing(self, image: np.ndarray) -> np.ndarray:
        """A drawing: dark lines on paper.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            (128,) float32, a unit vector.

        Raises:
            DrawingError: If nothing is drawn; one sentence with the way out.
            ValueError: If the image is not (H, W, 3) uint8.
        """
        ink = framed_drawing(image, *self._framing)
        with torch.inference_mode():
            found = self.model.drawings(self._tensor(ink)[None, None], amp=self.amp)
        return found[0].cpu().numpy()

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device, torch.float32)


def load_embedder(name: str | Path = "find", device: str = "cpu") -> Embedder:
    """The network that finds, by the name of its weights or their file.

    Args:
        name: "find" (things and people), "find-face", a file or a run folder.
        device: auto, cpu or cuda.

    Raises:
        WeightsError: If the weights are absent, damaged or of another kind.
        EngineError: If the device is not there.
    """
    model, digest = load_finder(name)
    return Embedder(model, digest, pick_device(device), weights_name(name))
