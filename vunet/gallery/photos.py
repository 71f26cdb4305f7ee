"""From a photo to what a gallery keeps of it: its items' vectors, made in batches.

Knows the embedder and the finder of people only by what is asked of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from pose.convert import convert
from pose.formats import dump_poses
from pose.skeletons import BODY27
from vunet.gallery import joints
from vunet.gallery.records import Box, NewItem

if TYPE_CHECKING:
    from pose.estimator import Detection

EMBEDDED_PX = 512
"""Longer side of the pictures that an embedder is given, at most."""
MOST_PEOPLE = 3
"""So many people are looked for in a photo."""
_CLOSE_UP = 0.6
"""Somebody who takes more of the picture than this is no item of their own."""
_SMALLEST_PX = 48
_MARGIN = 0.06


class Embedder(Protocol):
    """What makes vectors of drawings and photos, such that what belongs together is near."""

    @property
    def name(self) -> str:
        """Of the weights."""
        ...

    @property
    def sha256(self) -> str:
        """Of the weights: other weights make vectors that cannot be compared with these."""
        ...

    def photos(
        self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray | None] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Drawing vectors (N, D) and look vectors (N, E), float32 of length 1.

        Args:
            images: N pictures (H, W, 3) uint8 RGB of any sizes.
            masks: For each (H, W) uint8, 255 on what it is of, or None.
        """
        ...

    def drawing(self, image: np.ndarray) -> np.ndarray:
        """The vector (D,) of a drawing (H, W, 3) uint8 RGB, near those of photos it could be of.

        Raises:
            ValueError: With a sentence, if nothing is drawn.
        """
        ...


def maker_of(embedder: Embedder) -> str:
    """What a gallery calls the weights: a word that changes with them."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', embedder.name)}:{embedder.sha256[:16]}"


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a photo that is to be embedded."""

    box: Box
    image: np.ndarray
    """(h, w, 3) uint8 RGB, at most `EMBEDDED_PX` long."""
    mask: np.ndarray | None
    """(h, w) uint8, 255 on the person that it is of; None where that is not known."""


def poses_of(people: Sequence[Detection]) -> list[NewItem]:
    """The poses of a photo's people as items; those of whom no limb is seen are left out."""
    items = []
    for person in people:
        vector = joints.pose_vector(person.pose)
        if vector.any():
            detail = dump_poses([convert(person.pose, BODY27)])
            items.append(NewItem("pose", joints.MAKER, _box(person.mask), vector, detail))
    return items


def crops_of(image: np.ndarray, people: Sequence[Detection]) -> list[Crop]:
    """What is to be embedded of a photo: the whole, and people who are a smaller part of it.

    Args:
        image: (H, W, 3) uint8 RGB.
        people: Found in it, largest first; where the largest fills the photo, the whole is of them.
    """
    height, width = image.shape[:2]
    whole, close = (0.0, 0.0, float(width), float(height)), None
    crops = []
    for person in people:
        mask = (person.mask * 255).astype(np.uint8)
        x0, y0, x1, y1 = _box(person.mask)
        dx, dy = _MARGIN * (x1 - x0), _MARGIN * (y1 - y0)
        left, top = max(0, int(x0 - dx)), max(0, int(y0 - dy))
        right, bottom = min(width, int(x1 + dx) + 1), min(height, int(y1 + dy) + 1)
        wide, high = right - left, bottom - top
        if wide * high > _CLOSE_UP * width * height:
            close = mask if close is None else close
        elif min(wide, high) >= _SMALLEST_PX:
            box = (float(left), float(top), float(right), float(bottom))
            crops.append(_crop(image, mask, box))
    return [_crop(image, close, whole), *crops]


def embedded(crops: Sequence[Sequence[Crop]], embedder: Embedder) -> list[list[NewItem]]:
    """Two items, drawing and look, of each crop.

    Args:
        crops: Of each photo of a batch.
        embedder: Makes the vectors.

    Returns:
        For each photo its items.
    """
    flat = [crop for of_photo in crops for crop in of_photo]
    if not flat:
        return [[] for _ in crops]
    drawings, looks = embedder.photos([c.image for c in flat], [c.mask for c in flat])
    maker = maker_of(embedder)
    items = iter(
        [NewItem("drawing", maker, crop.box, drawing), NewItem("look", maker, crop.box, look)]
        for crop, drawing, look in zip(flat, drawings, looks, strict=True)
    )
    return [[item for _ in of_photo for item in next(items)] for of_photo in crops]


def _crop(image: np.ndarray, mask: np.ndarray | None, box: Box) -> Crop:
    window = _window(box)
    small = None if mask is None else _reduced(mask[window])
    return Crop(box, _reduced(image[window]), small)


def _window(box: Box) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (int(value) for value in box)
    return slice(y0, y1), slice(x0, x1)


def _box(mask: np.ndarray) -> Box:
    """The bounds of what a mask (H, W) in [0, 1] shows; of the whole where that is nothing."""
    there = mask > 0.5
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    if not len(rows):
        return 0.0, 0.0, float(mask.shape[1]), float(mask.shape[0])
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _reduced(image: np.ndarray) -> np.ndarray:
    """A copy of at most `EMBEDDED_PX`, so that a batch of large photos fits into memory."""
    ratio = EMBEDDED_PX / max(image.shape[:2])
    if ratio >= 1:
        return image.copy()
    height, width = image.shape[:2]
    wh = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
