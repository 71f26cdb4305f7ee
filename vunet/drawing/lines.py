"""Drawings made from photos: what a pen would follow, and how unsteadily.

A photo gives four maps, made once: thin strong edges (Canny), hatched darkness and contours (XDoG),
soft contours at several scales with fine texture held down (in place of HED's network), and the
outline of what is shown. `styled` turns maps into drawings of many hands while training: which map,
how much of it, how thick, with gaps and wobbles.

Sources: Canny 1986; Winnemoeller et al., "XDoG: An eXtended difference-of-Gaussians compendium"
(2012); the styles follow what pix2pix's and DeepFaceDrawing's users draw (simplified, broken and
wobbling strokes).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MAPS = ("canny", "xdog", "contours", "outline")
"""The maps of a photo, in the order of their axis."""
_REACH = 0.016
"""By how much lines may lie outside what is shown, as a share of the picture's side."""


def line_maps(image: np.ndarray, mask: np.ndarray, borders: np.ndarray | None = None) -> np.ndarray:
    """What a pen would follow in a photo.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, 255 on what the photo is of; lines elsewhere are left out.
        borders: (H, W) bool, further outlines, such as those between garments.

    Returns:
        (4, H, W) uint8, 255 where ink is certain; the maps of `MAPS`.
    """
    side = max(image.shape[:2])
    calm = cv2.bilateralFilter(image, 7, 40, 5)
    grey = cv2.cvtColor(calm, cv2.COLOR_RGB2GRAY)
    reach = 2 * max(1, round(_REACH * side)) + 1
    near = cv2.dilate(mask, np.ones((reach, reach), np.uint8)) > 127
    outline = _outline(mask)
    if borders is not None:
        outline = np.maximum(outline, borders.astype(np.uint8) * 255)
    contours = _contours(image)
    maps = [_canny(grey), _xdog(grey), contours, outline]
    found = np.stack([np.where(near, m, 0) for m in maps]).astype(np.uint8)
    for i in (0, 2):  # an outline may be too faint for edges: a person would draw it all the same
        found[i] = np.maximum(found[i], outline)
    return found


def _canny(grey: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.6)
    gradient = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    high = max(30.0, float(np.percentile(gradient, 92)))
    return cv2.Canny(smooth, 0.4 * high, high)


def _xdog(grey: np.ndarray) -> np.ndarray:
    x = grey.astype(np.float32) / 255
    narrow, wide = cv2.GaussianBlur(x, (0, 0), 1.0), cv2.GaussianBlur(x, (0, 0), 1.6)
    sharpened = 20 * (narrow - wide) + 0.5  # ink where it is darker than round it
    return np.clip((0.5 - sharpened) * 3 * 255, 0, 255).astype(np.uint8)


def _contours(image: np.ndarray) -> np.ndarray:
    """Gradients of all colours at two scales, less where everything round them is uneven."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    total = np.zeros(image.shape[:2], np.float32)
    for sigma in (1.5, 3.0):
        smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
        dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        strength = np.sqrt((dx**2 + dy**2).sum(2))
        total += strength / (cv2.GaussianBlur(strength, (0, 0), 12) + 8)
    ridge = total - cv2.GaussianBlur(total, (0, 0), 2.5)
    scale = max(0.05, float(np.percentile(ridge, 96)))
    return np.clip(ridge / scale * 255, 0, 255).astype(np.uint8)


def _outline(mask: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(mask, (0, 0), 1.5)
    lines, _ = cv2.findContours(
        (smooth > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    drawn = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(drawn, [c for c in lines if len(c) > 20], -1, 255, 1)
    # where the picture cuts the thing off, there is no outline
    drawn[:2], drawn[-2:], drawn[:, :2], drawn[:, -2:] = 0, 0, 0, 0
    return drawn


def styled(maps: Tensor, seed: int) -> Tensor:
    """Drawings of many hands.

    Args:
        maps: (B, 4, H, W) of `line_maps` in [0, 1].
        seed: Decides everything.

    Returns:
        (B, 1, H, W) ink in [0, 1].
    """
    B, _, H, W = maps.shape
    g = torch.Generator().manual_seed(seed)

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=g)

    def clouds(cells: int, channels: int = 1) -> Tensor:
        """(B, channels, H, W) smooth noise of unit variance or so."""
        noise = torch.randn(B, channels, cells, cells, generator=g)
        return F.interpolate(noise, (H, W), mode="bicubic", align_corners=False)

    # which lines: outline alone (a third), else one of the others and the outline
    kind = torch.multinomial(torch.tensor([0.26, 0.2, 0.3, 0.24]), B, True, generator=g)
    chosen = maps[torch.arange(B), kind][:, None]
    threshold = 0.3 + 0.5 * chance(B, 1, 1, 1)
    ink = (chosen > threshold).float()
    # detail here and not there, round an outline; or the map as it is
    inner = (clouds(5) > -1.2 + 2.0 * chance(B, 1, 1, 1)).float()
    outlined = torch.maximum(ink * inner, (maps[:, 3:4] > 0.5).float())
    ink = torch.where(chance(B, 1, 1, 1) < 0.85, outlined, ink)
    gaps = (clouds(14) > -2.3 + 0.8 * chance(B, 1, 1, 1)).float()
    ink = ink * gaps
    # an unsteady hand: slow drift and a fast tremble, up to 2 % of the side
    steady = chance(B, 1, 1, 1).square()
    push = clouds(6, 2) * 0.012 * steady + clouds(24, 2) * 0.004 * steady
    theta = torch.eye(2, 3).expand(B, 2, 3)
    grid = F.affine_grid(theta, [B, 1, H, W], align_corners=False) + 2 * push.permute(0, 2, 3, 1)
    ink = F.grid_sample(ink, grid, align_corners=False)
    # the pen: 1, 2, 3 or 5 px at 256
    three = F.max_pool2d(ink, 3, 1, 1)
    pens = [ink, F.max_pool2d(ink, 2, 1)[..., :H, :W], three]
    pens[1] = F.pad(pens[1], (0, 1, 0, 1))
    wide = F.avg_pool2d(F.pad(F.max_pool2d(three, 3, 1, 1), (1, 1, 1, 1), "replicate"), 3, 1)
    widths = torch.randint(0, 4 if max(H, W) > 160 else 3, (B,), generator=g)
    ink = torch.stack([*pens, wide])[widths, torch.arange(B)]
    tone = 0.75 + 0.25 * chance(B, 1, 1, 1)
    return (ink * tone).clamp(0, 1)
