"""How matches are shown: small views of photos, read no larger than they are needed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vunet.gallery.records import Box
from vunet.images import ImageError, read_image, shown


def view(path: Path, box: Box, least_px: int) -> np.ndarray:
    """A part of a photo, reduced.

    Args:
        path: The photo.
        box: x0, y0, x1, y1 of the part in the photo's pixels.
        least_px: The longer side of the view, or less if the part is smaller.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        ImageError: If the photo has gone or is damaged; one sentence.
    """
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    try:
        with Image.open(path) as picture:
            whole = max(picture.size)
            wanted = round(least_px * whole / max(side, 1))
            picture.draft(None, (wanted, wanted))  # JPEGs are decoded reduced, which is fast
            image = read_image(picture)
    except ImageError:
        raise
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's, for files that changed
        raise ImageError(
            f"{shown(path)} cannot be read any more; run `vunet index` again"
        ) from error
    scale = max(image.shape[:2]) / whole
    left, top = (max(0, int(value * scale)) for value in (x0, y0))
    part = image[top : round(y1 * scale), left : round(x1 * scale)]
    part = part if part.size else image
    ratio = least_px / max(part.shape[:2])
    if ratio >= 1:
        return np.ascontiguousarray(part)
    wh = [max(1, round(length * ratio)) for length in (part.shape[1], part.shape[0])]
    return cv2.resize(part, wh, interpolation=cv2.INTER_AREA)
