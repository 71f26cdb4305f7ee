"""The ground beside a drawn thing, where the network paints half of the thing into it.

Lines that enclose a thing say what is ground. There, what is neither copied from a photo nor like
the ground at the picture's border is filled in from what is.
"""

from __future__ import annotations

import cv2
import numpy as np

from vunet.easing import smooth

_NEAR, _FAR = 0.002, 0.015
"""Distances from the thing, in heights of the picture, from which its ground is looked at, and
fully: nearer lies its outline."""
_FRAME = 0.05
"""Width of the border, in the same, whose colours are taken to be the ground's."""
_LIKE = 15.0
"""Difference of colours, RGB, at which something is hardly ground any more."""
_SMOKE = (0.05, 0.25)
"""Shares of the thing's colour in the ground's from which it is taken for painted thing, and at
which it surely is."""
_SMALL = 96
"""Longer side of the copy that is worked on: what is filled in is smooth."""
_REACHES = (24.0, 8.0, 3.0)
"""From how far colours are fetched, in its pixels; nearer ones count more where there are any."""


def cleared(picture: np.ndarray, inside: np.ndarray, copied: np.ndarray) -> np.ndarray:
    """A picture of a thing without what was painted of it beside it.

    Args:
        picture: (H, W, 3) float32 RGB in [0, 255].
        inside: (h, w) bool or in [0, 1], where the drawn thing lies.
        copied: (H, W) float32 in [0, 1], which pixels are a photo's.

    Returns:
        (H, W, 3) float32, unlike the picture only off the thing and where little is copied.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _SMALL / max(height, width))
    wh = (max(8, round(width * scale)), max(8, round(height * scale)))
    few = cv2.resize(picture, wh, interpolation=cv2.INTER_AREA)
    thing = cv2.resize(np.asarray(inside, np.float32), wh, interpolation=cv2.INTER_AREA)
    sure = cv2.resize(copied, wh, interpolation=cv2.INTER_AREA)
    away = cv2.distanceTransform((thing < 0.5).astype(np.uint8), cv2.DIST_L2, 3) / wh[1]
    off = smooth((away - _NEAR) / (_FAR - _NEAR)).astype(np.float32)
    edge = max(1, round(_FRAME * wh[1]))
    frame = np.ones_like(off)
    frame[edge:-edge, edge:-edge] = 0
    if float((frame * off).sum()) < 1:
        return picture
    ground = _spread(few, frame * off)
    like = np.exp(-((np.linalg.norm(few - ground, axis=2) / _LIKE) ** 2))
    known = off * np.maximum(smooth(2 * sure - 0.5), like)
    clean = _spread(few, known)
    own = few[thing > 0.5]
    way = (own.mean(0) if len(own) else few.mean((0, 1))) - clean
    along = ((few - clean) * way).sum(2) / np.maximum((way * way).sum(2), _LIKE**2)
    smoke = smooth((along - _SMOKE[0]) / (_SMOKE[1] - _SMOKE[0]))
    change = ((off - known) * smoke)[..., None] * (clean - few)
    share = cv2.resize(change, (width, height), interpolation=cv2.INTER_CUBIC)
    kept = smooth(2 * copied - 0.5)[..., None]
    return picture + (share * (1 - kept)).astype(np.float32)


def _spread(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(h, w, 3) mean colours of the surroundings by weight (h, w), nearer ones first."""
    mean = (colour * weight[..., None]).sum((0, 1)) / max(1e-6, float(weight.sum()))
    found = np.broadcast_to(mean, colour.shape).astype(np.float32)
    for reach in _REACHES:
        total = cv2.GaussianBlur(weight.astype(np.float32), (0, 0), reach)
        near = cv2.GaussianBlur(colour * weight[..., None], (0, 0), reach)
        share = smooth(total / 0.2)[..., None]
        found = found + share * (near / np.maximum(total, 1e-4)[..., None] - found)
    return found.astype(np.float32)
