"""Patterns of sampled looks: striped, checked and dotted cloth; boards and tiles under it.

Latents know colours, shading and seams, and the spectra of `cloth.py` know weave and grain; neither
knows a line that goes straight across. Of 112 training photos looked at, a fifth show cloth with
a pattern all over, a quarter a floor of boards and a tenth one of tiles: so often they come here.

A pattern is drawn in coordinates that the cloth's folds and a smooth noise bend, in a second
colour that takes the shading of the first.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

PATTERNED = 0.2
"""Share of sampled looks whose cloth has a pattern."""
BOARDS, TILES = 0.25, 0.1
"""Shares of sampled looks on such a floor."""
_PLAIN_KINDS = frozenset({"Shoes", "Hat"})
"""Kinds of garments whose cloth is left plain."""
_SHADE_PX = 0.06
"""Standard deviation of what counts as shading, of the longer side."""
_SOFT = 0.0025
"""Width of a pattern's edge, of the longer side."""

Field = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""From places x, y (shares of the longer side) to how much of the second colour, 0..1."""


def _edge(distance: np.ndarray) -> np.ndarray:
    """0..1, how far inside an edge, from signed distances."""
    return np.clip(0.5 + distance / _SOFT, 0, 1)


def _bars(along: np.ndarray, period: float, share: float) -> np.ndarray:
    """Bars across a coordinate; `share` of the period belongs to the bar."""
    phase = np.abs((along / period) % 1 - 0.5) * period
    return _edge(0.5 * share * period - phase)


def _stripes(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Across, seldom upright; of one width or of two."""
    along = x if rng.random() < 0.25 else y
    period = rng.uniform(0.025, 0.09)
    bars = _bars(along, period, rng.uniform(0.2, 0.55))
    if rng.random() < 0.3:
        bars = np.maximum(bars, _bars(along + period / 2, period, 0.08))
    return bars


def _checks(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half tone where one bar lies, full tone where two cross, as woven."""
    period, share = rng.uniform(0.03, 0.1), rng.uniform(0.25, 0.5)
    broad = 0.5 * (_bars(x, period, share) + _bars(y, period, share))
    fine = 0.5 * np.maximum(
        _bars(x + period / 2, period, 0.06), _bars(y + period / 2, period, 0.06)
    )
    return np.maximum(broad, fine)


def _dots(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In rows, every other one shifted by half."""
    period = rng.uniform(0.025, 0.07)
    radius = rng.uniform(0.16, 0.32) * period
    row = np.floor(y / period)
    dx = ((x / period + 0.5 * (row % 2)) % 1 - 0.5) * period
    dy = (y / period - row - 0.5) * period
    return _edge(radius - np.hypot(dx, dy))


_CLOTHS: tuple[Field, ...] = (_stripes, _checks, _dots)


def second_colour(first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour (3,) float32 that goes with another: near white, near black, a tone or a contrast.

    Args:
        first: (3,) RGB in 0..255.
        rng: Decides which.
    """
    light = float(first.mean())
    kind = rng.choice(4, p=(0.4, 0.2, 0.2, 0.2))
    if kind == 3:
        hue = rng.uniform(0, 180)
        colour = np.array([[[hue, rng.uniform(80, 190), rng.uniform(90, 230)]]]).astype(np.uint8)
        return cv2.cvtColor(colour, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
    if kind == 2:
        return np.asarray(first * (0.55 if light > 110 else 1.0) + (0 if light > 110 else 70))
    to_white = light < 150 if kind == 0 else light < 90
    return np.full(3, 232.0 if to_white else 34.0, np.float32) + rng.normal(0, 6, 3)


def _places(size: tuple[int, int], light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(2, H, W) float32 places in shares of the longer side, bent by noise and by folds."""
    H, W = size
    longer = max(size)
    y, x = np.mgrid[:H, :W].astype(np.float32) / longer
    bend = []
    for _ in range(2):
        coarse = rng.standard_normal((5, 4)).astype(np.float32)
        bend.append(cv2.resize(coarse, (W, H), interpolation=cv2.INTER_CUBIC))
    fold = cv2.GaussianBlur(light, (0, 0), 0.012 * longer)
    fold -= cv2.GaussianBlur(light, (0, 0), _SHADE_PX * longer)
    turn = rng.normal(0, 0.06)
    px = x * np.cos(turn) - y * np.sin(turn) + 0.006 * bend[0] + 0.0004 * fold
    py = x * np.sin(turn) + y * np.cos(turn) + 0.006 * bend[1] + 0.0004 * fold
    return np.stack([px, py])


def patterned(
    picture: np.ndarray, share: np.ndarray, seed: int, kind: str | None = None, amount: float = 1.0
) -> np.ndarray:
    """A sampled picture, its cloth with a pattern or without, on its floor.

    Args:
        picture: (H, W, 3) float32 RGB in 0..255.
        share: (H, W) float32, 1 where the thing is, 0 on the ground.
        seed: Decides whether there is a pattern, which, and in what colours.
        kind: Class of the thing; shoes and hats stay plain.
        amount: How strong the pattern is, 0 to 1.

    Returns:
        Like `picture`.
    """
    rng = np.random.default_rng((seed, 11))
    wears, floor = rng.random(2)
    size = picture.shape[:2]
    light = picture.mean(2)
    inside = share > 0.5
    if wears < PATTERNED and kind not in _PLAIN_KINDS and inside.any():
        x, y = _places(size, light, rng)
        field = _CLOTHS[rng.integers(len(_CLOTHS))](x, y, rng)
        first = np.median(picture[inside], 0)
        shade = (light + 24) / (float(np.median(light[inside])) + 24)
        other = second_colour(first, rng) * shade[..., None]
        mixed = (amount * share * field)[..., None].astype(np.float32)
        picture = picture + mixed * (other - picture)
    if floor < BOARDS + TILES:
        field = (_boards if floor < BOARDS else _tiles)(size, rng)
        picture = picture * (1 + amount * ((1 - share) * field)[..., None])
    return picture.astype(np.float32)


def _boards(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32, lightness of boards, a share: each of its own tone, with dark joints."""
    H, W = size
    longer = max(size)
    y, x = np.mgrid[:H, :W].astype(np.float32) / longer
    turn = rng.normal(0, 0.05) + (np.pi / 2 if rng.random() < 0.5 else 0)
    across = x * np.cos(turn) + y * np.sin(turn) + 2
    along = y * np.cos(turn) - x * np.sin(turn) + 2
    wide = rng.uniform(0.07, 0.17)
    board = np.floor(across / wide).astype(int)
    starts = rng.uniform(0, 1, 64)[board % 64]
    piece = np.floor(along / 0.9 + starts).astype(int)
    tone = rng.normal(0, 0.07, (64, 8)).astype(np.float32)[board % 64, piece % 8]
    grain = cv2.resize(
        rng.standard_normal((160, 12)).astype(np.float32),
        (longer, longer),
        interpolation=cv2.INTER_CUBIC,
    )
    gx = np.clip(along / 4 * longer, 0, longer - 1).astype(np.float32)
    gy = np.clip(across / 4 * longer, 0, longer - 1).astype(np.float32)
    tone = tone + 0.05 * cv2.remap(grain, gx, gy, cv2.INTER_LINEAR)
    joints = np.maximum(_bars(across, wide, 0.03), _bars(along / 0.9 + starts, 1, 0.004))
    return tone - rng.uniform(0.25, 0.5) * joints


def _tiles(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32, lightness of square tiles, a share, with joints lighter or darker."""
    H, W = size
    y, x = np.mgrid[:H, :W].astype(np.float32) / max(size)
    turn = rng.normal(0, 0.1) + (np.pi / 4 if rng.random() < 0.3 else 0)
    across, along = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    wide = rng.uniform(0.15, 0.32)
    a, b = np.floor(across / wide).astype(int), np.floor(along / wide).astype(int)
    tone = rng.normal(0, 0.03, (64, 64)).astype(np.float32)[a % 64, b % 64]
    joints = np.maximum(_bars(across, wide, 0.035), _bars(along, wide, 0.035))
    return tone + (0.15 if rng.random() < 0.4 else -0.3) * joints
