"""A user's drawing as the network wants it: black ink (and painted regions) on white, framed.

Scans have shadows, pencils are grey or coloured, shapes may be filled in: ink is what differs from
the paper round it, and of what is filled in the outline is taken. A photo is traced, which is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vunet.drawing.lines import MAPS, line_maps
from vunet.drawing.palette import COLOURS, PAPER
from vunet.drawing.subject import FRAME, object_mask

_WORK_PX = 768
"""Longer side of the drawing while it is read."""
_FAINTEST = 20
"""Least difference of ink from paper, of 255."""
_MOST_INK = 0.6
_UNREST = 0.35
"""Most that the paper may vary, as a share of the ink's difference from it."""
_SMALLEST_PX = 32
_FILLS = 0.55
"""Where the drawing takes so much of its canvas's height or width, the canvas is the frame."""
_NEAREST_COLOUR = 70
"""Largest distance in RGB of a colour from that of the region it is taken for."""
_BRIDGE_PX = 3
"""Gaps of twice this are bridged, in pixels of the network's picture."""
_POCKET_PX = 4
"""Ground that only a gap narrower than twice this joins to the rest lies within an open outline."""
_STROKE_PX = 21
"""Widest stroke, in the same, whose middle is taken for the outline."""
_LEAST_ENCLOSED = 0.04
_MOST_SHADED = 0.05
"""Share of a drawing with soft changes of colour, unless it is a pencil's work ..."""
_MOST_COLOUR, _PALEST = 8, 200
"""... which is grey (the largest difference of channels but for a tenth) on a rim so bright."""
_PEN = 1.4
"""Radius of the pen in pixels of the network's picture."""


class DrawingError(ValueError):
    """A drawing that cannot be used; one sentence says why, and the way out."""


@dataclass(frozen=True)
class Sheet:
    """A drawing as the network sees it."""

    picture: np.ndarray
    """(h, w, 3) uint8 RGB, of the network's size."""
    frame: tuple[float, float, float, float]
    """x0, y0, x1, y1 of the picture in the drawing, in its pixels; may reach outside."""
    warnings: tuple[str, ...]
    inside: np.ndarray | None = None
    """(h, w) bool, what the lines enclose or the paint covers; None where they enclose little."""


def enclosed(picture: np.ndarray) -> np.ndarray | None:
    """What the lines of a drawing enclose, up to their middles, gaps bridged.

    Args:
        picture: (h, w, 3) uint8 RGB, dark or coloured on white.

    Returns:
        (h, w) bool; None where that is hardly anything, as in open drawings.
    """
    drawn = (picture.min(2) < 200).astype(np.uint8)
    reach, margin = _disc(_BRIDGE_PX), 2 * (_BRIDGE_PX + _POCKET_PX)
    closed = cv2.dilate(np.pad(drawn, margin), reach)
    cv2.floodFill(closed, None, (0, 0), (2,))
    outside = _without_pockets(closed == 2)
    whole = cv2.erode((~outside).astype(np.uint8), reach)[margin:-margin, margin:-margin]
    if whole.sum() - drawn.sum() <= _LEAST_ENCLOSED * whole.size:
        return None
    # of the strokes about it, the inner half
    to_outside = cv2.distanceTransform(whole, cv2.DIST_L2, 5)
    to_within = cv2.distanceTransform(1 - (whole & (1 - drawn)), cv2.DIST_L2, 5)
    stroke = (drawn > 0) & (to_outside + to_within <= _STROKE_PX)
    return (whole > 0) & ~(stroke & (to_outside < to_within))


def _without_pockets(outside: np.ndarray) -> np.ndarray:
    """(h, w) bool ground, less what is joined to it through a gap narrower than itself."""
    core = cv2.erode(outside.astype(np.uint8), _disc(_POCKET_PX), borderValue=1)
    _, labels = cv2.connectedComponents(core, connectivity=4)
    pockets = (core > 0) & (labels != labels[0, 0])
    if not pockets.any():
        return outside
    apart = [
        cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 5)
        for part in (pockets, labels == labels[0, 0])
    ]
    return outside & (apart[0] >= apart[1])


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)


def is_drawn(image: np.ndarray) -> bool:
    """Whether a picture is a drawing: lines, flat fills or pencil on paper; else it is a photo.

    Args:
        image: (H, W, 3) uint8 RGB.

    Raises:
        DrawingError: If it is an empty sheet.
    """
    scale = min(1.0, _WORK_PX / 2 / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if int(small.max()) - int(small.min()) < _FAINTEST:
        raise DrawingError("Nothing is drawn; draw an outline with dark lines on white.")
    try:
        traced = _ink_of(small)[1]
    except DrawingError:
        return False
    return not traced and (_shaded(small) < _MOST_SHADED or _is_pencil(small))


def _shaded(image: np.ndarray) -> float:
    """Share of the picture with soft changes of colour, as light makes them and pens do not."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    steps = np.hypot(cv2.Sobel(grey, -1, 1, 0) / 8, cv2.Sobel(grey, -1, 0, 1) / 8)
    soft = (steps > 0.4) & (steps < 6)
    edge = cv2.dilate((steps >= 6).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return float((soft & ~edge).mean())


def _is_pencil(image: np.ndarray) -> bool:
    colour = np.percentile(image.max(2).astype(int) - image.min(2), 90)
    rim = np.concatenate([image[[0, -1]].reshape(-1, 3), image[:, [0, -1]].reshape(-1, 3)])
    return bool(colour < _MOST_COLOUR and np.median(rim) > _PALEST)


def read_sheet(image: np.ndarray, size: tuple[int, int], shape: str) -> Sheet:
    """A drawing as the network wants it.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: (height, width) of the network's pictures.
        shape: "lines", "regions" or "picture" (which is only brought to size).

    Raises:
        DrawingError: If nothing, or nothing but colour, is drawn.
    """
    height, width = image.shape[:2]
    if min(height, width) < _SMALLEST_PX:
        raise DrawingError(
            f"The drawing is too small ({width} x {height} pixels); "
            f"draw on at least {_SMALLEST_PX} each way."
        )
    if shape == "picture":
        frame = _whole(width, height, size)
        return Sheet(_cut(image, frame, size, cv2.INTER_AREA), frame, ())
    scale = min(1.0, _WORK_PX / max(height, width))
    small = image
    if scale < 1:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    warnings: list[str] = []
    paint = _paint_of(small) if shape == "regions" else None
    if paint is not None and (paint > 0).mean() > 0.01:
        ink = _black(small)
        drawn = (paint > 0) | (ink > 0.5)
    else:
        paint = None
        ink, traced = _ink_of(small)
        if traced:
            warnings.append("This looks like a photo: its outlines were taken as the drawing.")
        drawn = ink > 0.5
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if not len(rows):
        raise DrawingError("Nothing is drawn; draw an outline with dark lines on white.")
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    if max(box[2] - box[0], box[3] - box[1]) < 0.04 * max(small.shape[:2]):
        raise DrawingError("Only a dot is drawn; draw the outline larger.")
    frame = _frame(box, small.shape[:2], size)
    picture = _drawn(ink, paint, frame, size)
    x0, y0, x1, y1 = (value / scale for value in frame)
    return Sheet(picture, (x0, y0, x1, y1), tuple(warnings), enclosed(picture))


def _ink_of(image: np.ndarray) -> tuple[np.ndarray, bool]:
    """(h, w) how much ink there is, 0 to 1, and whether the picture had to be traced."""
    height, width = image.shape[:2]
    coarse = 96 / max(height, width)
    wh = (max(1, round(width * coarse)), max(1, round(height * coarse)))
    tiny = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
    # paper is what most of the rim and most bright places look like; light may be uneven
    rim = np.concatenate([tiny[:3].reshape(-1, 3), tiny[-3:].reshape(-1, 3)])
    rim = np.concatenate([rim, tiny[:, :3].reshape(-1, 3), tiny[:, -3:].reshape(-1, 3)])
    colour = np.median(rim, axis=0)
    unlike = np.linalg.norm(tiny.astype(np.float32) - colour, axis=2) > 90
    ground = cv2.medianBlur(tiny, 31).astype(np.float32)
    solid = cv2.erode(unlike.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ground[solid] = colour  # something large is filled in: paper lies under it all the same
    ground = cv2.resize(cv2.GaussianBlur(ground, (0, 0), 2), (width, height))
    apart = np.abs(image.astype(np.float32) - ground).max(2)
    level = np.clip(apart, 0, 255).astype(np.uint8)
    threshold = cv2.threshold(level, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    sure = apart > max(threshold, _FAINTEST)
    if not sure.any():
        raise DrawingError("Nothing is drawn; draw an outline with dark lines on white.")
    contrast = float(np.median(apart[sure]))
    ink = apart > 0.45 * contrast
    away = cv2.dilate(ink.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    unrest = float(np.percentile(apart[away], 90)) if away.any() else 255.0
    if ink.mean() > 0.97 or (ink.mean() > _MOST_INK and unrest < 4):
        raise DrawingError(
            "The whole canvas is filled; leave paper round the drawing, "
            "or give a photo's look with a reference."
        )
    if away.mean() < 0.2 or unrest > _UNREST * contrast + 4:
        return _traced(image), True
    # of what is filled in, the outline
    side = max(height, width)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (side // 45) + 1,) * 2)
    filled = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, disc)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(filled)
    wide = stats[:, cv2.CC_STAT_AREA] > (0.07 * side) ** 2  # and no corner of a thick line
    wide[0] = False
    filled = wide[labels].astype(np.uint8)
    if filled.any():
        pen = np.ones((max(2, side // 180),) * 2, np.uint8)
        edge = cv2.morphologyEx(filled, cv2.MORPH_GRADIENT, pen) > 0
        inner = cv2.Canny(cv2.GaussianBlur(image, (0, 0), 2), 30, 90) > 0
        inner = cv2.dilate((inner & (filled > 0)).astype(np.uint8), pen) > 0
        ink = (ink & (filled == 0)) | edge | inner
    return ink.astype(np.float32), False


def _traced(image: np.ndarray) -> np.ndarray:
    scale = 320 / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    maps = line_maps(small, object_mask(small))
    lines = np.maximum(maps[MAPS.index("canny")], maps[MAPS.index("outline")])
    lines = cv2.resize(lines, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return (lines > 100).astype(np.float32)


def _black(image: np.ndarray) -> np.ndarray:
    """(h, w) ink between painted regions: nearly black."""
    return (image.max(2) < 70).astype(np.float32)


def _paint_of(image: np.ndarray) -> np.ndarray:
    """(h, w) uint8, the region each pixel's colour stands for; 0 paper, ink or anything else."""
    apart = np.linalg.norm(image[:, :, None].astype(np.float32) - COLOURS[None, None], axis=3)
    nearest = apart.argmin(2).astype(np.uint8)
    nearest[apart.min(2) > _NEAREST_COLOUR] = 0
    nearest[image.max(2) < 70] = 0
    return cv2.medianBlur(nearest, 3)


def _frame(
    box: tuple[float, float, float, float], canvas: tuple[int, int], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """What the network looks at: the canvas where the drawing fills it, else closer."""
    wide, high = box[2] - box[0], box[3] - box[1]
    height, width = canvas
    if max(wide / width, high / height) >= _FILLS:
        return _whole(width, height, size)
    ratio = size[1] / size[0]
    tall = max(high, wide / ratio) * FRAME
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (x - tall * ratio / 2, y - tall / 2, x + tall * ratio / 2, y + tall / 2)


def _whole(width: int, height: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The smallest frame of the network's proportions round a canvas."""
    ratio = size[1] / size[0]
    tall = max(height, width / ratio)
    x, y = width / 2, height / 2
    return (x - tall * ratio / 2, y - tall / 2, x + tall * ratio / 2, y + tall / 2)


def _cut(
    image: np.ndarray,
    frame: tuple[float, float, float, float],
    size: tuple[int, int],
    how: int,
    border: tuple[int, ...] = PAPER,
) -> np.ndarray:
    """The frame's part of a picture at the network's size; paper where there is none."""
    scale = size[0] / (frame[3] - frame[1])
    source = image
    first = 1.0
    if scale < 1 and how == cv2.INTER_AREA:  # reduce well, then place
        first = scale
        source = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rest = scale / first
    shift = (rest - 1) / 2
    matrix = np.array(
        [
            [rest, 0, shift - frame[0] * scale],
            [0, rest, shift - frame[1] * scale],
        ]
    )
    flags = cv2.INTER_NEAREST if how == cv2.INTER_NEAREST else cv2.INTER_LINEAR
    return cv2.warpAffine(
        source, matrix, (size[1], size[0]), flags=flags, borderValue=tuple(map(float, border))
    )


def _drawn(
    ink: np.ndarray,
    paint: np.ndarray | None,
    frame: tuple[float, float, float, float],
    size: tuple[int, int],
) -> np.ndarray:
    """Ink of an even width on white or on the regions' colours."""
    scale = size[0] / (frame[3] - frame[1])
    lines = (ink > 0.5).astype(np.uint8)
    # whatever the pen was, lines come out as thick as those of training
    inside = cv2.distanceTransform(lines, cv2.DIST_L2, 3)
    core = inside[inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)) - 1e-3]
    core = core[core > 0]
    width = float(np.median(core)) * scale if len(core) else 0.0
    if width and width < _PEN * 0.7:
        grow = max(1, round((_PEN - width) / scale))
        lines = cv2.dilate(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1,) * 2))
    elif width > 2.4 * _PEN:
        shrink = round((width - 1.8 * _PEN) / scale)
        thin = cv2.erode(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * shrink + 1,) * 2))
        lines = thin if thin.sum() > 0.05 * lines.sum() else lines
    amount = _cut((lines * 255)[..., None].repeat(3, 2), frame, size, cv2.INTER_AREA, (0, 0, 0))
    share = (amount[..., :1].astype(np.float32) / 255 * 1.3).clip(0, 1)
    ground = np.full((*size, 3), 255, np.uint8)
    if paint is not None:
        labels = _cut(paint[..., None].repeat(3, 2), frame, size, cv2.INTER_NEAREST, (0, 0, 0))
        ground = COLOURS[labels[..., 0]]
    return np.clip(ground * (1 - share), 0, 255).astype(np.uint8)
