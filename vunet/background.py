"""What stands behind the person: the photo with its person removed, a plain colour, a picture.

The hole is completed from patches of the photo itself (Wexler et al. 2007): on a small copy every
patch in the hole looks for a similar patch outside it, and the pixels take the mean of what the
patches round them propose. Then few common shifts (He and Sun 2012) are chosen, so that large
pieces are copied and not many small ones. A shift sideways is cheaper than one up or down, because
streets and rooms are layered horizontally and a person stands across the layers. At last the fine
detail and the grain are copied at full resolution, from where the colours came from.

Knows nothing of networks, poses and detectors.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vunet.images import read_image

GROWTH = 0.015
"""The mask is grown by this share of the photo's longer side: swallows halos and soft edges."""
SHADOW_GROWTH = 0.012
"""Further growth downwards: swallows the contact shadow under the shoes."""
MASK_THRESHOLD = 0.25
"""Pixels that are the person's with at least this probability are removed."""
LEVELS_PX = (40, 80, 160)
"""Longer sides of the small copies, coarse to fine."""

MAX_SIDE_PX = 2048
"""Photos with a longer side are filled on a copy of this size."""

Window = tuple[int, int, int, int]
"""y0, y1, x0, x1 of a part of a picture."""

_TAPS = np.array([(y, x) for y in (-3, -1, 1, 3) for x in (-3, -1, 1, 3)])
"""(16, 2) the pixels of a patch that are compared: each second one of 7 x 7."""
_NEAR_TAPS = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
"""(9, 2) the pixels of a patch that have a vote at the finest level: few, to stay sharp."""
_RADIUS = 3
_MEAN_WEIGHT = 0.35
"""How much a patch's mean colour counts beside its structure: light may differ a little."""
_MAX_BIAS = 14.0
"""By how many grey levels a copied patch may be made lighter or darker."""
_VERTICAL_COST = 220.0
"""Cost, in grey levels, of copying from one picture height above or below."""
_HORIZONTAL_COST = 25.0
"""The same for one picture height to the side: near is better than far."""
_MAX_SHIFTS = 40
"""So many shifts are tried at most: few make large pieces, which look better than many small."""
_NO_SOURCE_COST = 60_000.0
"""Cost, in squared grey levels over a patch, of a shift that leads to no known patch."""
_SURROUNDINGS = 5
"""Side in pixels of the square over which the cost of a shift is averaged."""
_MAX_PAIRS = 3_000_000
"""Most patch pairs that are compared in one search: bounds time and memory."""


def fill_background(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photo with its person removed and the hole filled in plausibly.

    The same photo and mask always give the same result.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) where the person is: float in [0, 1], or uint8 in [0, 255].

    Returns:
        (H, W, 3) uint8 RGB. Pixels outside the grown mask are those of `image`, bit for bit. Where
        the mask leaves nothing to copy from, the hole takes the photo's mean colour.

    Raises:
        ValueError: If the shapes or types do not fit.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if mask.shape != image.shape[:2]:
        raise ValueError(f"mask must have shape {image.shape[:2]} like the image, got {mask.shape}")
    hole = grow_mask(mask)
    if not hole.any():
        return image.copy()
    if hole.all():
        return np.broadcast_to(_rounded(image.mean(axis=(0, 1))), image.shape).copy()
    window = _box(hole)
    y0, y1, x0, x1 = window
    filled = _fill_large(image, hole, window)
    # Inside the ring by which the mask was grown both are background: blend there.
    inside = cv2.distanceTransform(np.pad(hole[y0:y1, x0:x1], 1, mode="edge"), cv2.DIST_L2, 3)
    alpha = np.minimum(inside[1:-1, 1:-1] / max(1.0, 0.6 * GROWTH * max(image.shape)), 1)
    result = image.copy()
    part = result[y0:y1, x0:x1]
    filled -= part
    filled *= alpha[..., None]  # 0 outside the hole
    filled += part
    part[:] = _rounded(filled)
    return result


def grow_mask(mask: np.ndarray) -> np.ndarray:
    """The hole that a person leaves: (H, W) uint8, 1 where pixels are to be replaced.

    Args:
        mask: (H, W) where the person is: float in [0, 1], or uint8 in [0, 255].

    Raises:
        ValueError: If the mask is not (H, W) of floats or uint8.
    """
    if mask.ndim != 2 or not (mask.dtype == np.uint8 or np.issubdtype(mask.dtype, np.floating)):
        raise ValueError(f"mask must be (H, W) float or uint8, got {mask.shape} {mask.dtype}")
    top = 255 if mask.dtype == np.uint8 else 1.0
    hole = (mask >= MASK_THRESHOLD * top).astype(np.uint8)
    side = max(mask.shape)
    reach, down = max(1, round(GROWTH * side)), round(SHADOW_GROWTH * side)
    if not hole.any():
        return hole
    y0, y1, x0, x1 = _box(hole)
    room = reach + down + 1
    part = hole[max(0, y0 - room) : y1 + room, max(0, x0 - room) : x1 + room]
    part[:] = cv2.distanceTransform(1 - part, cv2.DIST_L2, 5) <= reach
    if down:
        part[:] = cv2.dilate(part, np.ones((down + 1, 1), np.uint8), anchor=(0, down))
    return hole


def plain_background(size: tuple[int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """A picture of one colour.

    Args:
        size: (height, width) in pixels.
        colour: RGB, each 0 to 255.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: If the size or the colour is out of range.
    """
    if min(size) < 1:
        raise ValueError(f"size must be (height, width), both at least 1, got {size}")
    if len(colour) != 3 or not all(0 <= c <= 255 for c in colour):
        raise ValueError(f"colour must be three numbers from 0 to 255, got {colour}")
    return np.full((*size, 3), colour, np.uint8)


def cover_background(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """A picture file scaled to cover a size, its middle kept and the rest cut off.

    Args:
        path: Picture file.
        size: (height, width) in pixels.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: If the file cannot be read as a picture.
        ValueError: If the size is out of range.
    """
    if min(size) < 1:
        raise ValueError(f"size must be (height, width), both at least 1, got {size}")
    image = read_image(path)
    height, width = image.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    cut_h, cut_w = (
        min(n, max(1, round(s / scale))) for n, s in zip((height, width), size, strict=True)
    )
    y, x = (height - cut_h) // 2, (width - cut_w) // 2
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image[y : y + cut_h, x : x + cut_w], size[::-1], interpolation=how)


class _Level:
    """A small copy of the photo while its hole is being filled.

    Pixels are numbered row by row in a picture with a border of `_RADIUS` on all sides, so that a
    step of a patch is one addition.
    """

    def __init__(self, image: np.ndarray, hole: np.ndarray) -> None:
        """Args: image (h, w, 3) float32, 0 to 255, a guess in its hole; hole (h, w) bool."""
        r = _RADIUS
        self.shape = hole.shape
        self.stride = hole.shape[1] + 2 * r
        self.grid = np.pad(image, ((r, r), (r, r), (0, 0)), mode="edge").astype(np.float32)
        self.colours = self.grid.reshape(-1, 3)
        self.numbers = np.arange(len(self.colours))
        near = cv2.dilate(hole.astype(np.uint8), np.ones((2 * r + 1, 2 * r + 1), np.uint8)) > 0
        self.targets = np.flatnonzero(np.pad(near, r))
        """(T,) numbers of the pixels whose patches touch the hole."""
        self.ours = np.flatnonzero(np.pad(hole, r))
        """(n,) numbers of the pixels in the hole."""
        whole = np.zeros_like(hole)
        whole[r:-r, r:-r] = ~near[r:-r, r:-r]
        self.valid = np.pad(whole, r).ravel()
        """(N,) bool: pixels whose whole patch is known and in the picture."""
        y, x = np.divmod(self.numbers, self.stride)
        unit = np.sqrt(len(_TAPS)) / max(hole.shape)
        self.place = np.stack([y * (unit * _VERTICAL_COST), x * (unit * _HORIZONTAL_COST)], 1)
        """(N, 2) where pixels are; squared distances are costs."""

    def inner(self, grid: np.ndarray) -> np.ndarray:
        """The part of a bordered array that is the picture."""
        return grid[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]

    def shifts(self, origin: np.ndarray) -> np.ndarray:
        """(h, w, 2) float32: y, x from each pixel to its source."""
        there, here = np.divmod(origin, self.stride), np.divmod(self.numbers, self.stride)
        shift = np.stack([there[0] - here[0], there[1] - here[1]], 1).astype(np.float32)
        return self.inner(shift.reshape(*self.grid.shape[:2], 2))

    def features(self) -> np.ndarray:
        """(N, 53) float32: patches as vectors whose squared distance is the cost of a copy."""
        count = len(_TAPS)
        out = np.zeros((len(self.colours), 3 * count + 5), np.float32)
        cube = out.reshape(*self.grid.shape[:2], -1)
        r = _RADIUS
        h, w = self.shape
        mean = np.zeros((h, w, 3), np.float32)
        for k, (y, x) in enumerate(_TAPS):
            part = self.grid[r + y : r + y + h, r + x : r + x + w]
            cube[r:-r, r:-r, 3 * k : 3 * k + 3] = part
            mean += part
        mean /= count
        for k in range(count):
            cube[r:-r, r:-r, 3 * k : 3 * k + 3] -= mean
        cube[r:-r, r:-r, 3 * count : 3 * count + 3] = np.sqrt(_MEAN_WEIGHT * count) * mean
        out[:, -2:] = self.place
        return out

    def vote(self, origin: np.ndarray, taps: np.ndarray) -> None:
        """Give each pixel of the hole the mean of what the patches round it propose.

        Args:
            origin: (N,) source of each pixel, its own number outside the targets.
            taps: (t, 2) y, x of the pixels of a patch that have a vote.
        """
        mean = cv2.blur(self.grid, (2 * _RADIUS + 1, 2 * _RADIUS + 1)).reshape(-1, 3)
        bias = np.clip(mean - mean[origin], -_MAX_BIAS, _MAX_BIAS)
        total = np.zeros((len(self.ours), 3), np.float32)
        for y, x in taps:
            step = y * self.stride + x
            centre = self.ours - step
            total += self.colours.take(origin[centre] + step, axis=0, mode="clip")
            total += bias[centre]
        self.colours[self.ours] = total / len(taps)
        r = _RADIUS
        self.grid[:] = np.pad(self.grid[r:-r, r:-r], ((r, r), (r, r), (0, 0)), mode="edge")


def _rounded(values: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(np.maximum(values, 0))


def _reduced(image: np.ndarray, known: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    """Mean of the known pixels under each small pixel: no trace of the person leaks out."""
    weight = cv2.resize(known, wh, interpolation=cv2.INTER_AREA)
    total = cv2.resize(image * known[..., None], wh, interpolation=cv2.INTER_AREA)
    return total / np.maximum(weight, 1e-3)[..., None]


def _smooth_fill(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Pull and push (Gortler et al. 1996), further sideways than up and down.

    Args:
        image: (h, w, 3) float32.
        hole: (h, w) bool.

    Returns:
        (h, w, 3) float32: `image`, and in the hole a smooth continuation of what is round it.
    """
    if not hole.any():
        return image
    h, w = hole.shape
    if min(h, w) <= 1:
        return np.where(hole[..., None], image[~hole].mean(axis=0) if (~hole).any() else 0, image)
    known = (~hole).astype(np.float32)
    wh = ((w + 1) // 2, h if w > h // 3 else (h + 1) // 2)
    weight = cv2.resize(known, wh, interpolation=cv2.INTER_AREA)
    small = cv2.resize(image * known[..., None], wh, interpolation=cv2.INTER_AREA)
    small /= np.maximum(weight, 1e-4)[..., None]
    small = _smooth_fill(small, weight < 1e-3)
    pushed = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None], pushed, image)


def _match_alone(level: _Level) -> np.ndarray:
    """(T,) for each target the best of all valid sources."""
    sources = np.flatnonzero(level.valid)
    step = -(-len(sources) * len(level.targets) // _MAX_PAIRS)
    sources = sources[:: max(1, step)]
    features = level.features()
    b = features[sources]
    cost = features[level.targets] @ (-2 * b.T)
    cost += (b * b).sum(axis=1)
    return sources[cost.argmin(axis=1)]


def _common_shifts(level: _Level, origin: np.ndarray) -> np.ndarray:
    """(K,) the commonest shifts from target to source (He and Sun 2012), as steps in numbers."""
    h, w = level.shape
    there, here = divmod(origin[level.targets], level.stride), divmod(level.targets, level.stride)
    count = np.zeros((2 * h + 1, 2 * w + 1), np.float32)
    np.add.at(count, (there[0] - here[0] + h, there[1] - here[1] + w), 1)
    count = cv2.GaussianBlur(count, (0, 0), 1.0)
    peak = (count == cv2.dilate(count, np.ones((5, 5), np.uint8))) & (count > 0)
    y, x = np.nonzero(peak)
    order = np.argsort(-count[y, x], kind="stable")[:_MAX_SHIFTS]
    return (y[order] - h) * level.stride + x[order] - w


def _match_together(level: _Level, shifts: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """(T,) for each target the source at the shift that suits it and its surroundings best.

    Args:
        level: The picture.
        shifts: (K,) steps in numbers.
        otherwise: (T,) sources of the targets that no shift leads to a valid one.
    """
    features = level.features()
    wanted = features[level.targets]
    plane = np.zeros(level.grid.shape[:2], np.float32)
    least = np.full(len(level.targets), np.inf, np.float32)
    best = otherwise.copy()
    for shift in shifts:
        sources = level.targets + shift
        good = (sources >= 0) & (sources < len(level.valid))
        good &= level.valid.take(sources, mode="clip")
        difference = wanted - features.take(sources, axis=0, mode="clip")
        total = np.einsum("ij,ij->i", difference, difference)
        total[~good] = _NO_SOURCE_COST
        plane.ravel()[level.targets] = np.minimum(total, _NO_SOURCE_COST)
        smooth = cv2.blur(plane, (_SURROUNDINGS, _SURROUNDINGS)).ravel()[level.targets]
        smooth += 0.3 * total
        better = good & (smooth < least)
        best[better], least[better] = sources[better], smooth[better]
    return best


def _box(hole: np.ndarray) -> Window:
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _fill_large(image: np.ndarray, hole: np.ndarray, window: Window) -> np.ndarray:
    """`_fill` for photos of any size, in bounded time and memory."""
    height, width = hole.shape
    ratio = MAX_SIDE_PX / max(height, width)
    if ratio >= 1:
        return _fill(image, hole, window)
    wh = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
    small_hole = (cv2.resize(255 * hole, wh, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    y0, y1, x0, x1 = _box(small_hole)
    small[y0:y1, x0:x1] = _rounded(_fill(small, small_hole, (y0, y1, x0, x1)))
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    y0, y1, x0, x1 = window
    return large[y0:y1, x0:x1].astype(np.float32)


def _fill(image: np.ndarray, hole: np.ndarray, window: Window) -> np.ndarray:
    """Fill the hole.

    Args:
        image: (H, W, 3) uint8.
        hole: (H, W) uint8, 1 where pixels are to be replaced; not everywhere.
        window: Box of the hole.

    Returns:
        (h, w, 3) float32, the window filled; outside the hole without meaning.
    """
    height, width = hole.shape
    side = max(height, width)
    y0, y1, x0, x1 = window
    finest = min(LEVELS_PX[-1], side)
    wh = (max(1, round(width * finest / side)), max(1, round(height * finest / side)))
    known = 1 - hole
    weight = cv2.resize(known.astype(np.float32), wh, interpolation=cv2.INTER_AREA)
    base = cv2.resize(cv2.bitwise_and(image, image, mask=known), wh, interpolation=cv2.INTER_AREA)
    base = base / np.maximum(weight, 1e-3)[..., None]  # no trace of the person leaks out
    base_hole = weight < 0.999

    guess = np.zeros((1, 1, 3), np.float32)
    offset: np.ndarray | None = None  # (h, w, 2) y, x from a pixel to its source
    for size in LEVELS_PX:
        ratio = min(1.0, size / max(wh))
        small_wh = (max(1, round(wh[0] * ratio)), max(1, round(wh[1] * ratio)))
        picture = _reduced(base, (~base_hole).astype(np.float32), small_wh)
        gap = cv2.resize(base_hole.astype(np.float32), small_wh, interpolation=cv2.INTER_AREA) > 0
        if offset is None:
            guess = _smooth_fill(picture, gap)
        else:
            guess = cv2.resize(guess, small_wh, interpolation=cv2.INTER_CUBIC)
        guess = np.where(gap[..., None], guess, picture)
        level = _Level(guess, gap)
        if level.valid.any():
            if offset is None:
                origin = _search_coarse(level)
            elif size != LEVELS_PX[-1]:
                origin = _search_pieces(level)
            else:
                origin = _follow(level, offset)
            offset, guess = level.shifts(origin), level.inner(level.grid).copy()
    colours = _enlarged(guess, (height, width))
    filled = colours[y0:y1, x0:x1].copy()
    if offset is not None:
        x, y = _sources(offset, (height, width), window)
        own, coarse, there = (
            cv2.remap(picture, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            for picture in (image, colours, known)
        )
        detail = cv2.subtract(own, coarse, dtype=cv2.CV_32F)
        cv2.add(filled, detail, filled, mask=there)
    return filled


def _search_coarse(level: _Level) -> np.ndarray:
    """(N,) sources of the first, coarsest level, whose hole gets its layout."""
    origin = level.numbers.copy()
    for _ in range(4):
        origin[level.targets] = _match_alone(level)
        level.vote(origin, _TAPS)
    return origin


def _search_pieces(level: _Level) -> np.ndarray:
    """(N,) sources of a level that has its layout: copied in large pieces."""
    origin = level.numbers.copy()
    origin[level.targets] = alone = _match_alone(level)
    shifts = _common_shifts(level, origin)
    for _ in range(2):
        origin[level.targets] = _match_together(level, shifts, alone)
        level.vote(origin, _TAPS)
    return origin


def _follow(level: _Level, offset: np.ndarray) -> np.ndarray:
    """(N,) sources of the finest level, as the coarser one found them."""
    scale = np.array(level.shape) / offset.shape[:2]
    finer = cv2.resize(offset, level.shape[::-1], interpolation=cv2.INTER_NEAREST) * scale
    moved = np.zeros((*level.grid.shape[:2], 2), np.int64)
    level.inner(moved)[:] = np.rint(finer)
    origin = level.numbers + (moved @ [level.stride, 1]).ravel()
    origin = np.clip(origin, 0, len(origin) - 1)
    # The ring of patches that only touch the hole decides nothing, and copies nothing.
    level.vote(origin, _NEAR_TAPS)
    return origin


def _enlarged(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(small.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)


def _sources(
    offset: np.ndarray, size: tuple[int, int], window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 each: x and y of what each pixel of the window is copied from.

    Args:
        offset: (n, m, 2) float32 y, x from a pixel to its source, in pixels of a small copy.
        size: (height, width) of the picture.
        window: The part that is wanted.
    """
    height, width = size
    y0, y1, x0, x1 = window
    scale = np.array([height / offset.shape[0], width / offset.shape[1]], np.float32)
    shift = np.rint(offset * scale)
    shift = cv2.resize(shift, (width, height), interpolation=cv2.INTER_NEAREST)[y0:y1, x0:x1]
    from_x = np.arange(x0, x1, dtype=np.float32)[None] + shift[..., 1]
    from_y = np.arange(y0, y1, dtype=np.float32)[:, None] + shift[..., 0]
    return from_x, from_y
