"""The back of a trunk that a photo shows from the front: its sides, carried on over the chest.

What is on a chest (prints, ties, open jackets, necklaces, beards) is not on the back; what is at
its sides (a jacket, a shirt's cloth, stripes that go round) mostly is. So each row of the chest is
covered with the cloth at its two ends, mirrored to and fro, as a retoucher would with a clone
brush, at the photo's own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vunet.easing import smooth
from vunet.hair import along_outline, contrast_of, of_ground, unlike_skin
from vunet.raster import Raster

_SIDE = 0.24
"""Share of a row's width, at each end, that is carried over the rest."""
_RIM = 0.06
"""Share of a row's width at each end that is not carried: outlines and their shades."""
_MEET = (0.36, 0.64)
"""Shares of a row's width between which cloth of one side passes into that of the other."""
_ROWS, _COLUMNS = 160, 192
_TOP, _BOTTOM, _WIDE = -0.4, 1.4, 0.9
"""Of the raster in which rows are measured, in lengths of the trunk: from above the neck to below
the hips, and to both sides."""
_CHEST, _MOST_HIDDEN, _LEAST_SHOWN = (0.1, 0.9), 0.45, 0.85
"""Rows, in lengths of the trunk, of which so many may be hidden by arms before them, and of whose
others so much must be cloth."""
_HIDING = 0.75
"""Width of a row's cloth, as a share of most rows', below which arms hide the rest of it."""
_ARM_RIM = 0.03
"""Width of what round arms is taken for theirs, in lengths of the trunk."""
_SHADE = 0.1
"""Standard deviation of what counts as light and shade, in lengths of the trunk."""


@dataclass(frozen=True)
class Trunk:
    """Where a trunk lies in a photo, in its pixels."""

    neck: np.ndarray
    """(2,) x, y of the middle of the shoulders."""
    hips: np.ndarray
    """(2,) of the middle of the hips."""

    @property
    def length(self) -> float:
        """From neck to hips."""
        return max(8.0, float(np.linalg.norm(self.hips - self.neck)))

    @property
    def axes(self) -> np.ndarray:
        """(2, 2) rows: unit vector across, unit vector down."""
        down = (self.hips - self.neck) / self.length
        norm = float(np.linalg.norm(down))
        down = down / norm if norm > 0.1 else np.array([0.0, 1.0])
        return np.stack([np.array([down[1], -down[0]]), down])

    def raster(self, heights: tuple[float, float], wide: float, size: tuple[int, int]) -> Raster:
        """Rows across it.

        Args:
            heights: From where to where, in its lengths from the neck.
            wide: How far to both sides, in its lengths.
            size: (columns, rows).
        """
        across, down = self.axes
        step_u, step_v = 2 * wide / size[0], (heights[1] - heights[0]) / size[1]
        corner = self.neck + self.length * (down * heights[0] - across * wide)
        return Raster(corner, self.length * step_u * across, self.length * step_v * down, size)


def with_back(
    image: np.ndarray, torso: np.ndarray, arms: np.ndarray, trunk: Trunk
) -> np.ndarray | None:
    """A photo with its chest, and what is held before it, covered by the cloth at its sides.

    Args:
        image: (H, W, 3) uint8 RGB photo.
        torso: (H, W) float32 in [0, 1], how surely each pixel shows the trunk's cloth.
        arms: (H, W) float32 in [0, 1], how surely each shows arms or hands.
        trunk: Where it lies.

    Returns:
        (H, W, 3) uint8, unlike the photo only within the trunk; None where too much of it is
        hidden, as by crossed arms.
    """
    ys, xs = np.flatnonzero((torso > 0.1).any(1)), np.flatnonzero((torso > 0.1).any(0))
    rows = rows_of(torso, arms, trunk)
    if not len(ys) or rows is None:
        return None
    y0, y1, x0, x1 = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32) + np.float32(0.5)
    across, down = trunk.axes.astype(np.float32)
    length = np.float32(trunk.length)
    dx, dy = (x - np.float32(trunk.neck[0])) / length, (y - np.float32(trunk.neck[1])) / length
    a, b = dx * across[0] + dy * across[1], dx * down[0] + dy * down[1]
    left, right, _, _ = rows.at(b)
    t = (a - left) / np.maximum(right - left, 0.05)
    passing = smooth((t - _MEET[0]) / (_MEET[1] - _MEET[0]))
    few = cv2.merge([image, np.clip(255 * torso, 0, 255).astype(np.uint8)])
    colour, total = np.zeros((*t.shape, 3), np.float32), np.zeros(t.shape, np.float32)
    for turn, part in rows.sources(b):
        left, right, _, _ = rows.at(turn)
        for share, folded in ((1 - passing, _folded(t)), (passing, 1 - _folded(1 - t))):
            place = left + folded * np.maximum(right - left, 0.05)
            px = trunk.neck[0] + length * (place * across[0] + turn * down[0]) - 0.5
            py = trunk.neck[1] + length * (place * across[1] + turn * down[1]) - 0.5
            taken = cv2.remap(
                few,
                px.astype(np.float32),
                py.astype(np.float32),
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            ).astype(np.float32)
            sure = part * share * np.clip((taken[..., 3] / 255 - 0.3) / 0.4, 0.001, 1)
            colour += taken[..., :3] * sure[..., None]
            total += sure
    colour = colour / np.maximum(total, 1e-6)[..., None]
    sure = np.clip(total / 0.5, 0, 1)
    around = _spread(colour, sure, _SHADE * float(length))
    colour = around + sure[..., None] * (colour - around)
    rim = 2 * max(1, round(_ARM_RIM * trunk.length)) + 1
    arms = cv2.dilate(arms, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim)))
    before = np.clip(np.minimum(t, 1 - t) / _RIM, 0, 1) * smooth((1 - np.abs(2 * b - 1)) / 0.2 + 1)
    covered = np.maximum(torso[y0:y1, x0:x1], arms[y0:y1, x0:x1] * before)
    laid = np.clip((covered - 0.1) / 0.4, 0, 1)
    return laid_on(image, colour, laid, (int(x0), int(y0)))


@dataclass(frozen=True)
class Face:
    """Where a face lies in a photo, in its pixels."""

    eyes: np.ndarray
    """(2,) x, y of the middle between them."""
    nose: np.ndarray
    """(2,) its tip."""
    neck: np.ndarray
    """(2,) of the middle of the shoulders."""
    half_width: float
    """Of the face, ear to ear."""


_FACE_ABOVE, _FACE_BELOW = 0.4, 0.62
"""How far a face reaches from the eyes, in lengths from there to the middle of the shoulders."""
_LEAST_HALF, _MOST_HALF = 0.3, 0.46
"""Bounds of its half width, in the same."""
_MIRRORED = 0.5
"""Width of the hair round it that is laid over it, in radii."""
_STRAND = 0.012
"""Width of a strand of hair in the same lengths."""
_NAPE = 0.34
"""How far below the eyes short hair ends at the back, in lengths from there to the shoulders."""
_BESIDE, _LONG = (1.05, 1.4), 0.45
"""Where hair hangs beside the lower face, in its half widths, and what share of that must be the
head's for hair to be long: else there is ground."""
_ONE_HAIR = 24.0
"""Difference of colours, CIELAB, at which something is hardly of the same hair."""
_LIKE_SKIN = 30.0
"""Difference of colours, CIELAB, at which hair is half sure not to be skin."""


def with_hair(image: np.ndarray, head: np.ndarray, person: np.ndarray, face: Face) -> np.ndarray:
    """A photo with the hair round a face laid over it, as the back of the head.

    Args:
        image: (H, W, 3) uint8 RGB photo.
        head: (H, W) float32 in [0, 1], how surely each pixel shows the head.
        person: (H, W) in [0, 1], the person.
        face: Where its face lies.

    Returns:
        (H, W, 3) uint8, unlike the photo only on the face.
    """
    height, width = head.shape
    unit = max(8.0, float(np.linalg.norm(face.neck - face.eyes)))
    down = (face.neck - face.eyes) / unit
    across = np.array([down[1], -down[0]])
    half = float(np.clip(face.half_width, _LEAST_HALF * unit, _MOST_HALF * unit))
    tall = (_FACE_ABOVE + _FACE_BELOW) / 2 * unit
    centre = face.eyes + down * (_FACE_BELOW - _FACE_ABOVE) / 2 * unit
    reach = 2.2 * max(half, tall)
    x0, y0 = (int(v) for v in np.maximum(centre - reach, 0))
    x1, y1 = (int(v) + 1 for v in np.minimum(centre + reach, (width - 1, height - 1)))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return image
    part = image[y0:y1, x0:x1].astype(np.float32)
    where = head[y0:y1, x0:x1].astype(np.float32)
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32) + np.float32(0.5)
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    a, b = (dx * across[0] + dy * across[1]) / half, (dx * down[0] + dy * down[1]) / tall
    radius = np.hypot(a, b)
    skin = _skin(part, face, (x0, y0), unit)
    lab = cv2.cvtColor(part / 255, cv2.COLOR_RGB2LAB)
    unlike = unlike_skin(lab, cv2.cvtColor(skin[None, None] / 255, cv2.COLOR_RGB2LAB)[0, 0])
    hair = where * (radius > 1)
    hair *= np.clip((unlike - 0.6 * _LIKE_SKIN) / (0.8 * _LIKE_SKIN), 0, 1)
    above = where * (along_outline(where > 0.5, 2 * half) & (radius > 1) & (b < -0.3))
    crown = lab[above > 0.5]
    crown = np.median(crown, axis=0) if len(crown) > 12 else None
    own = ~of_ground(lab, person[y0:y1, x0:x1], crown)
    hair *= own
    beside = (np.abs(a) > _BESIDE[0]) & (np.abs(a) < _BESIDE[1]) & (b > 0.1) & (b < 0.7)
    long = float(((where > 0.5) & own)[beside].mean()) if beside.any() else 0.0
    if long > _LONG:  # whatever its colour, nothing else hangs there
        hair = np.maximum(hair, where * own * beside)
    hair = np.maximum(hair, where * (radius > 1) * _alike(lab, above))
    hair *= np.clip((where - 0.5) / 0.4, 0, 1) * (b < 0.9)
    if hair.sum() < 0.05 * half * tall:  # bald, or hair like skin: the rim of the head will do
        hair = where * (radius > 1) * (b < 0.2) + 1e-4
    both = np.dstack([part, hair]).astype(np.float32)

    def taken(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours at places of the face's own frame, and how surely they are hair."""
        px = centre[0] + half * u * across[0] + tall * v * down[0] - 0.5 - x0
        py = centre[1] + half * u * across[1] + tall * v * down[1] - 0.5 - y0
        found = cv2.remap(both, px.astype(np.float32), py.astype(np.float32), cv2.INTER_LINEAR)
        return found[..., :3], found[..., 3]

    colour = _spread(part, hair, 0.3 * unit)
    noise = np.random.default_rng(0).standard_normal(radius.shape).astype(np.float32)
    strands = cv2.GaussianBlur(noise, (0, 0), sigmaX=_STRAND * unit, sigmaY=12 * _STRAND * unit)
    contrast = contrast_of(part, hair > 0.5, 2 * half)
    colour = colour * (1 + contrast * strands / max(1e-6, float(strands.std())))[..., None]
    out = (1 + _MIRRORED * (1 - radius)) / np.maximum(radius, 0.05)
    rim, sure = taken(a * out, b * out)
    sure = sure * smooth((radius - 0.5) / 0.4)
    colour = colour + sure[..., None] * (rim - colour)
    if long < _LONG:  # short hair ends at the nape; below it is skin
        depth = b * tall + float((centre - face.eyes) @ down)
        below = smooth((depth - _NAPE * unit) / (0.1 * unit))
        shade = cv2.GaussianBlur(part, (0, 0), 0.15 * unit).mean(2, keepdims=True)
        flat = skin * np.clip(shade / max(1.0, float(skin.mean())), 0.6, 1.1)
        colour = colour + below[..., None] * (flat - colour)
    laid = np.clip((1.12 - radius) / 0.2, 0, 1)
    bare = np.clip(1.6 - 1.4 * unlike / _LIKE_SKIN, 0, 1) * (1 - _alike(lab, above))
    bare = cv2.GaussianBlur(bare, (0, 0), 0.02 * unit) * smooth((1.9 - radius) / 0.4)
    laid = np.maximum(laid, bare * smooth((0.9 - b) / 0.2)) * np.clip(where / 0.3, 0, 1)
    return laid_on(image, colour, laid, (x0, y0))


def _alike(lab: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1], how like most of what has weight colours (H, W, 3) CIELAB are."""
    known = lab[weight > 0.5]
    if len(known) < 12:
        return np.ones_like(weight)
    away = np.linalg.norm(lab - np.median(known, axis=0), axis=2)
    return np.exp(-((away / _ONE_HAIR) ** 2))


def laid_on(
    image: np.ndarray, colour: np.ndarray, share: np.ndarray, origin: tuple[int, int]
) -> np.ndarray:
    """A picture (H, W, 3) uint8 with colours (h, w, 3) over it, by share, from x, y on."""
    (x0, y0), (h, w) = origin, share.shape
    result = image.copy()
    part = image[y0 : y0 + h, x0 : x0 + w].astype(np.float32)
    part += share[..., None] * (colour - part)
    result[y0 : y0 + h, x0 : x0 + w] = np.clip(np.rint(part), 0, 255).astype(np.uint8)
    return result


def _skin(part: np.ndarray, face: Face, origin: tuple[int, int], unit: float) -> np.ndarray:
    """(3,) float32 median colour about the nose."""
    x, y = face.nose - np.array(origin)
    r = max(2, int(0.1 * unit))
    patch = part[max(0, int(y) - r) : int(y) + r + 1, max(0, int(x) - r) : int(x) + r + 1]
    if not patch.size:
        return np.array([200, 160, 140], np.float32)
    return np.median(patch.reshape(-1, 3), axis=0).astype(np.float32)


def _spread(colour: np.ndarray, weight: np.ndarray, reach: float) -> np.ndarray:
    """Mean colours (H, W, 3) of the surroundings by weight (H, W); of all where there is none."""
    height, width = weight.shape
    step = max(1.0, reach / 4)
    wh = (max(1, round(width / step)), max(1, round(height / step)))
    weight = weight.astype(np.float32)
    few = cv2.resize(colour * weight[..., None], wh, interpolation=cv2.INTER_AREA)
    share = cv2.resize(weight, wh, interpolation=cv2.INTER_AREA)
    mean = few.sum((0, 1)) / max(1e-6, float(share.sum()))
    few, share = (cv2.GaussianBlur(v, (0, 0), reach / step) for v in (few, share))
    found = (few + 1e-3 * mean) / (share[..., None] + 1e-3)
    return cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)


def _folded(t: np.ndarray) -> np.ndarray:
    """Where to take the cloth for a share of a row from, near its beginning, there and back."""
    first = np.clip(t, None, _SIDE)
    pace = (_SIDE - _RIM) / (_MEET[1] - _SIDE)
    back = _SIDE - pace * np.clip(t - _SIDE, 0, _MEET[1] - _SIDE)
    return np.where(t < _SIDE, first, back)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a trunk, from `_TOP` to `_BOTTOM`; those hidden have the ends of others."""

    values: np.ndarray
    """(ROWS, 4) float32: where each begins and ends, and how far off it has its cloth, above and
    below (0 where it has its own), in the trunk's lengths."""
    above: np.ndarray
    """(ROWS,) float32 in [0, 1], how much of it comes from above."""
    hidden: bool
    """Whether any has its cloth from others."""

    def at(self, b: np.ndarray) -> tuple[np.ndarray, ...]:
        """The values, (h, w) each, at heights b (h, w) in the trunk's lengths."""
        return tuple(cv2.split(self._read(self.values, b)))

    def sources(self, b: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Heights (h, w) whence cloth is taken for heights b (h, w), and the share of each."""
        if not self.hidden:
            return [(b, np.ones_like(b))]
        _, _, above, below = self.at(b)
        share = self._read(self.above[:, None], b)
        return [(b + above, share), (b + below, 1 - share)]

    @staticmethod
    def _read(values: np.ndarray, b: np.ndarray) -> np.ndarray:
        row = ((b - _TOP) / (_BOTTOM - _TOP) * _ROWS - 0.5).astype(np.float32)
        column = np.zeros_like(row)
        return cv2.remap(
            values[:, None], column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


def rows_of(torso: np.ndarray, arms: np.ndarray, trunk: Trunk) -> _Rows | None:
    """Measure the rows of a trunk; None if too much of it is hidden."""
    step_u, step_v = 2 * _WIDE / _COLUMNS, (_BOTTOM - _TOP) / _ROWS
    raster = trunk.raster((_TOP, _BOTTOM), _WIDE, (_COLUMNS, _ROWS))
    both = cv2.merge([torso.astype(np.float32), np.maximum(torso, arms).astype(np.float32)])
    small = raster.read(both)
    there, with_arms = small[..., 0] > 0.5, small[..., 1] > 0.5
    begins, ends = there.argmax(1), _COLUMNS - there[:, ::-1].argmax(1)
    first_row, last_row = (round((b - _TOP) / step_v) for b in _CHEST)
    chest = slice(first_row, last_row)
    # where arms hide a row, what is seen of it says little of where it ends
    widths = there.sum(1)
    hidden = (widths < _HIDING * np.quantile(widths[chest], 0.6)) & (with_arms.sum(1) > widths)
    known = (widths * step_u > 0.12) & ~hidden
    if known.sum() < 4:
        return None
    places = np.arange(_COLUMNS)
    between = (places >= begins[:, None]) & (places < ends[:, None]) & ~hidden[:, None]
    seen = between & there
    if hidden[chest].mean() > _MOST_HIDDEN:
        return None
    if seen[chest].sum() < _LEAST_SHOWN * max(1, between[chest].sum()):
        return None
    numbers = np.flatnonzero(known)
    values = np.zeros((_ROWS, 4), np.float32)
    for column, edge in enumerate((begins, ends)):
        value = np.interp(np.arange(_ROWS), numbers, edge[numbers]) * step_u - _WIDE
        values[:, column] = cv2.GaussianBlur(value.astype(np.float32)[:, None], (0, 0), 3)[:, 0]
    own = np.arange(_ROWS)
    sources, above = np.stack([own, own], axis=1), np.full(_ROWS, 0.5, np.float32)
    gaps = [r for r in own[:-1] if known[r] and not known[r + 1] and hidden[r + 1]]
    for last in gaps:
        after = numbers[numbers > last]
        if not len(after):
            continue
        gap = np.arange(last + 1, after[0])  # mirrored from both of its ends
        sources[gap, 0] = np.maximum(2 * last + 1 - gap, numbers[0])
        sources[gap, 1] = np.minimum(2 * after[0] - 1 - gap, numbers[-1])
        above[gap] = smooth(2 * (after[0] - 0.5 - gap) / len(gap) - 0.5)
    values[:, 2:] = (sources - own[:, None]) * step_v
    return _Rows(values, above, bool(len(gaps)))
