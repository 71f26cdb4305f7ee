"""The ear of a head that has turned, which photos from the front show edge on or not at all.

Where a face's mesh ends an ear is laid on: a render's relief (`wardrobe/ear.png`), dyed with the
face's own skin, in the plane that stands off the head there. It is told as invented.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from vunet.easing import smooth
from vunet.hair import Frame

_ASSET = Path(__file__).parent / "wardrobe" / "ear.png"
_ANCHOR = np.array([12.2, 48.3])
"""Where the ear's canal lies in it, x and y in its pixels; its face looks left."""
_HIGH = 0.46
"""Height of an ear in widths of the face."""
_BEHIND, _LOWER = 0.06, 0.02
"""How far behind and below the mesh' end its canal lies, in the same."""
_OFF, _LEAN = 25.0, 8.0
"""Degrees by which it stands off the head, and leans back."""
_SEEN, _WHOLLY = 0.35, 0.6
"""Cosine of the head's side to the camera from which it is drawn, and wholly so."""
_SHADE = 0.3
"""How dark the shade is that it throws behind itself."""


@cache
def _ear() -> tuple[np.ndarray, np.ndarray]:
    """Relief (h, w, 3) float32 as a share of plain skin, and where it is, (h, w) in [0, 1]."""
    picture = cv2.imread(str(_ASSET), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    relief = cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2RGB).astype(np.float32) / 128
    return relief, picture[..., 3].astype(np.float32) / 255


def lay_ear(
    colours: np.ndarray, invented: np.ndarray, skin: np.ndarray, amount: float, frame: Frame
) -> None:
    """Lay the ear that is seen of a turned head on what is painted of it, in place.

    Args:
        colours: (H, W, 3) float32 RGB of a drawn person.
        invented: (H, W) float32 in [0, 1], what of it is painted.
        skin: (3,) colour of the face.
        amount: In [0, 1], how far the head has turned.
        frame: The turned face.
    """
    nearer = int(frame.sides[1, 2] < frame.sides[0, 2])
    side = frame.sides[nearer] - frame.sides[1 - nearer]
    side = side / max(1e-6, float(np.linalg.norm(side)))
    amount = amount * float(smooth(np.array((-side[2] - _SEEN) / (_WHOLLY - _SEEN))))
    if amount <= 0:
        return
    relief, cover = _ear()
    height, width = cover.shape
    off, lean = np.radians(_OFF), np.radians(_LEAN)
    back = -np.cos(off) * frame.ahead + np.sin(off) * side
    down = -np.cos(lean) * frame.up - np.sin(lean) * back
    back = np.cos(lean) * back - np.sin(lean) * frame.up
    step = _HIGH * frame.wide / height
    canal = frame.sides[nearer] - frame.wide * (_BEHIND * frame.ahead + _LOWER * frame.up)
    linear = step * np.stack([back[:2], down[:2]], axis=1)  # asset's pixels to the picture's
    matrix = np.column_stack([linear, canal[:2] - linear @ _ANCHOR])
    corners = matrix @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    reach = max(0.8, 0.05 * frame.wide)
    room = np.ceil(3 * reach) + 3
    x0, y0 = np.maximum(np.floor(corners.min(1)) - room, 0).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max(1)) + room, invented.shape[::-1]).astype(int)
    if x1 - x0 < 3 or y1 - y0 < 3:
        return
    matrix[:, 2] += linear @ [0.5, 0.5] - [x0 + 0.5, y0 + 0.5]  # centres are integers in OpenCV
    size = (int(x1 - x0), int(y1 - y0))
    shrink = 0.4 / max(step, 1e-3)
    both = np.dstack([relief * cover[..., None], cover])
    if shrink > 0.6:  # average first
        both = cv2.GaussianBlur(both, (0, 0), shrink)
    laid = cv2.warpAffine(both, matrix, size, flags=cv2.INTER_LINEAR)
    share = laid[..., 3]
    part = colours[y0:y1, x0:x1]
    made = amount * invented[y0:y1, x0:x1]
    shade = cv2.GaussianBlur(share, (0, 0), reach) * (1 - share)
    part *= (1 - _SHADE * made * shade)[..., None]
    ear = laid[..., :3] / np.maximum(share[..., None], 1e-3) * skin.astype(np.float32)
    part += (made * share)[..., None] * (ear - part)
