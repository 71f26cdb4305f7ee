"""What of a picture is compared: one rule for photos and drawings, when training and when asked.

With the shape "lines" it is what is shown: the box round the thing of a photo or round the ink of a
drawing, with some room, of the network's proportions. A doodle in a corner and a photo of a shirt
on a large carpet so come to lie on one another. With the shape "picture" (faces) it is the largest
middle part of those proportions. Knows nothing of networks.
"""

from __future__ import annotations

import cv2
import numpy as np

from vunet.dataset import SIZE
from vunet.drawing.sheet import DrawingError, read_sheet
from vunet.drawing.subject import object_mask

ROOM = 1.12
"""A frame's size, in sizes of what it is laid round."""
_STRAY = 0.004
"""Share of what is shown that may lie outside its box on each side: specks."""
_INK = 128
"""Grey below which a sheet is drawn on."""
_SMALLEST_PX = 32
_LEAST_INK = 0.002


def frame_of(
    canvas: tuple[int, int], inside: np.ndarray | None, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """What of a picture is compared.

    Args:
        canvas: (height, width) of the picture.
        inside: (H, W) bool, what is shown or drawn; None for the middle of the picture.
        size: (height, width) of the network's pictures; only their proportions count.

    Returns:
        x0, y0, x1, y1 in pixels of the picture; may reach outside.
    """
    height, width = canvas
    ratio = size[1] / size[0]
    box = None if inside is None else _box(inside)
    if box is None:
        x, y = width / 2, height / 2
        tall = min(height, width / ratio)
    else:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        tall = max(box[3] - box[1], (box[2] - box[0]) / ratio) * ROOM
    return (x - tall * ratio / 2, y - tall / 2, x + tall * ratio / 2, y + tall / 2)


def _box(inside: np.ndarray) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 of nearly all that is inside; None where there is nothing."""
    sides = []
    for axis in (0, 1):
        share = np.cumsum(inside.sum(axis, dtype=np.int64))
        if not share[-1]:
            return None
        low, high = np.searchsorted(share, [_STRAY * share[-1] + 0.5, (1 - _STRAY) * share[-1]])
        sides.append((float(low), float(high + 1)))
    (x0, x1), (y0, y1) = sides
    return x0, y0, x1, y1


def cut(
    picture: np.ndarray,
    frame: tuple[float, float, float, float],
    size: tuple[int, int],
    *,
    paper: int | None = None,
) -> np.ndarray:
    """A frame's part of a picture.

    Args:
        picture: (H, W) or (H, W, C) uint8.
        frame: x0, y0, x1, y1 in its pixels.
        size: (height, width) wanted.
        paper: What lies outside the picture; None continues its rim, as of photos.

    Returns:
        (height, width) or (height, width, C) uint8.
    """
    scale = size[0] / (frame[3] - frame[1])
    reduced = 1.0
    if scale < 1:  # reduce well, then place
        wh = [max(1, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
        reduced = wh[0] / picture.shape[1]
        picture = cv2.resize(picture, wh, interpolation=cv2.INTER_AREA)
    rest = scale / reduced
    matrix = np.array(
        [
            [rest, 0, (rest - 1) / 2 - frame[0] * scale],
            [0, rest, (rest - 1) / 2 - frame[1] * scale],
        ]
    )
    return cv2.warpAffine(
        picture,
        matrix,
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if paper is None else cv2.BORDER_CONSTANT,
        borderValue=(paper or 0,) * 4,
    )


def ink_of(grey: np.ndarray) -> np.ndarray:
    """How much ink there is, whatever the paper's brightness.

    Args:
        grey: (H, W) uint8.

    Returns:
        (H, W) float32 in [0, 1]: 0 is paper, as most of the picture is.
    """
    paper = max(32.0, float(np.percentile(grey, 85)))
    return np.clip((paper - grey.astype(np.float32)) / (0.75 * paper), 0, 1)


def framed_photo(
    image: np.ndarray, mask: np.ndarray | None, size: tuple[int, int], shape: str
) -> np.ndarray:
    """What of a photo is compared.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, 255 on what the photo is of; None to find it in the middle by colour.
        size: (height, width) of the network's pictures.
        shape: One of `vunet.config.FIND_SHAPES`.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: If the image is not (H, W, 3) uint8, or the mask not of its size.
    """
    _check(image)
    inside = None
    if shape == "lines":
        inside = (object_mask(image) if mask is None else mask) > 127
        if inside.shape != image.shape[:2]:
            raise ValueError(f"mask is {inside.shape}, its image {image.shape[:2]}")
    return cut(image, frame_of(image.shape[:2], inside, size), size)


def framed_drawing(image: np.ndarray, size: tuple[int, int], shape: str) -> np.ndarray:
    """What of a drawing is compared.

    Args:
        image: (H, W, 3) uint8 RGB, dark lines on paper.
        size: (height, width) of the network's pictures.
        shape: One of `vunet.config.FIND_SHAPES`.

    Returns:
        (height, width) float32 ink in [0, 1].

    Raises:
        DrawingError: If nothing is drawn; one sentence with the way out.
        ValueError: If the image is not (H, W, 3) uint8.
    """
    _check(image)
    inside, sheet = None, image
    if shape == "lines":
        sheet = read_sheet(image, SIZE, "lines").picture
        inside = sheet.min(2) < _INK
    elif min(image.shape[:2]) < _SMALLEST_PX:
        height, width = image.shape[:2]
        raise DrawingError(
            f"The drawing is too small ({width} x {height} pixels); "
            f"draw on at least {_SMALLEST_PX} each way."
        )
    grey = cv2.cvtColor(sheet, cv2.COLOR_RGB2GRAY)
    ink = ink_of(cut(grey, frame_of(grey.shape, inside, size), size, paper=255))
    if ink.mean() < _LEAST_INK:
        raise DrawingError("Nothing is drawn; draw an outline with dark lines on white.")
    return ink


def _check(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
