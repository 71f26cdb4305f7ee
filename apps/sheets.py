"""Sheets of pictures with labels, set with care: white ground, one line of words under each.

The typeface is the one inside Pillow, so that a sheet looks the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pose.types import Pose

INK = (28, 30, 34)
QUIET = (112, 116, 124)
GROUND = (255, 255, 255)
NIGHT = (30, 32, 38)
_FINE = 4
"""Corners are drawn this much larger and reduced, as Pillow does not smooth them."""
_LEFT, _RIGHT, _MIDDLE = (90, 170, 255), (255, 158, 66), (236, 236, 236)
_FACE = frozenset(
    {"nose", "neck", *(f"{side}_{part}" for side in ("left", "right") for part in ("eye", "ear"))}
    | {f"{side}_eye_{end}" for side in ("left", "right") for end in ("inner", "outer")}
    | {"mouth_left", "mouth_right"}
)
"""Keypoints for which the head's circle stands."""
_SURE = 0.1
"""Joints below this confidence are guesses and are left out of stick figures."""


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    label: str
    """A few words for the line under it."""
    inset: np.ndarray | None = None
    """(h, w, 3) uint8 RGB for a corner, in the pixels of the tile as laid out."""
    corner: tuple[bool, bool] = (True, False)
    """Whether the inset lies at the bottom, and whether at the right."""


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def stick_figure(pose: Pose, size: tuple[int, int], margin: float = 0.13) -> np.ndarray:
    """A pose as a small figure that fills a dark tile: the person's left blue, right orange.

    Args:
        pose: A pose of any skeleton; what is missing or guessed is left out.
        size: (height, width) of the tile in pixels.
        margin: Space round the figure, as a share of the shorter side.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    height, width = size
    canvas = np.full((height * _FINE, width * _FINE, 3), NIGHT, np.uint8)
    sure = pose.present & (pose.confidence >= _SURE)
    if not sure.any():
        return np.full((height, width, 3), NIGHT, np.uint8)
    head = _head(pose, sure)
    points = pose.keypoints[sure]
    if head is not None:
        centre, radius = head[1], head[2]
        points = np.concatenate([points, [centre - radius, centre + radius]])
    low, high = points.min(axis=0), points.max(axis=0)
    whole = np.array([width, height]) * float(_FINE)
    space = 2 * _FINE * margin * min(size)
    scale = float(np.min((whole - space) / np.maximum(high - low, 1e-6)))
    offset = (whole - scale * (low + high)) / 2
    thick = max(_FINE, round(_FINE * min(size) / 50))

    def at(point: np.ndarray) -> tuple[int, int]:
        x, y = np.clip(scale * point + offset, -30_000, 30_000)
        return round(float(x)), round(float(y))

    names = pose.skeleton.keypoints
    for a, b in pose.skeleton.limbs:
        if sure[a] and sure[b] and not {names[a], names[b]} & _FACE:
            ends = at(pose.keypoints[a]), at(pose.keypoints[b])
            cv2.line(canvas, *ends, _side_colour(names[a], names[b]), thick, cv2.LINE_AA)
    if head is not None:
        neck, centre, radius = head
        along = centre - neck
        length = float(np.linalg.norm(along))
        if length > radius:
            end = centre - along / length * radius
            cv2.line(canvas, at(neck), at(end), _MIDDLE, thick, cv2.LINE_AA)
        cv2.circle(canvas, at(centre), round(scale * radius), _MIDDLE, thick, cv2.LINE_AA)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


def _head(pose: Pose, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Neck, middle and radius of the head, where the pose shows shoulders and a face."""
    index = pose.skeleton.index

    def middle(*names: str) -> np.ndarray | None:
        rows = [index[name] for name in names if name in index and sure[index[name]]]
        return pose.keypoints[rows].mean(axis=0) if rows else None

    shoulders, hips = middle("left_shoulder", "right_shoulder"), middle("left_hip", "right_hip")
    centre = middle("left_ear", "right_ear")
    if centre is None:
        centre = middle("nose")
    if shoulders is None or centre is None:
        return None
    length = np.linalg.norm(hips - shoulders) if hips is not None else 0.0
    radius = 0.21 * max(float(length), float(np.linalg.norm(centre - shoulders)))
    return shoulders, centre, radius


def _side_colour(a: str, b: str) -> tuple[int, int, int]:
    sides = {name.partition("_")[0] for name in (a, b)}
    if sides == {"left"}:
        return _LEFT
    return _RIGHT if sides == {"right"} else _MIDDLE


def free_corner(masks: Sequence[np.ndarray], share: float = 0.25) -> tuple[bool, bool]:
    """The corner that hides least of the people, the same for all pictures of a sheet.

    Args:
        masks: (H, W) uint8 each, above 0 where the person is.
        share: Part of height and width that is looked at.

    Returns:
        Whether it is at the bottom, and whether at the right, as `Tile.corner`.
    """

    def hidden(corner: tuple[bool, bool]) -> float:
        total = 0.0
        for mask in masks:
            h, w = (max(1, round(share * side)) for side in mask.shape)
            rows = mask[-h:] if corner[0] else mask[:h]
            total += float((rows[:, -w:] if corner[1] else rows[:, :w]).mean())
        return total

    return min(((True, False), (True, True), (False, False), (False, True)), key=hidden)


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture reduced or enlarged to fit into (height, width), its proportions kept."""
    height, width = image.shape[:2]
    ratio = min(size[0] / height, size[1] / width)
    wh = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    return image if ratio == 1 else cv2.resize(image, wh, interpolation=method)


def compose(
    tiles: Sequence[Tile],
    columns: int,
    tile_size: tuple[int, int],
    title: str = "",
    subtitle: str = "",
) -> np.ndarray:
    """Lay tiles out on white, in rows.

    Args:
        tiles: At least one.
        columns: Tiles per row.
        tile_size: (height, width) in pixels that each picture has at most.
        title: Large line above; none if empty.
        subtitle: Quiet line below the title.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = tile_size
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    unit = max(8, round(width / 16))
    words, line = max(12, round(width / 17)), max(24, round(width / 8))
    head = 0
    if title:
        head = round(2.6 * words) + (round(1.8 * words) if subtitle else 0)
    wide = columns * width + (columns - 1) * unit + 4 * unit
    high = head + rows * (height + line) + (rows - 1) * unit // 2 + 4 * unit
    sheet = Image.new("RGB", (wide, high), GROUND)
    pen = ImageDraw.Draw(sheet)
    left = top = 2 * unit
    if title:
        pen.text((left, top), title, INK, _font(round(1.7 * words)), anchor="lt")
    if subtitle:
        pen.text((left, top + round(2.4 * words)), subtitle, QUIET, _font(words), anchor="lt")
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        x = left + column * (width + unit)
        y = top + head + row * (height + line + unit // 2)
        _place(sheet, tile, (x, y), tile_size)
        label = _shortened(tile.label, width, words)
        pen.text((x, y + height + round(1.45 * words)), label, INK, _font(words), anchor="ls")
    return np.asarray(sheet)


def grid(images: Sequence[np.ndarray], columns: int | None = None) -> np.ndarray:
    """Pictures of one size side by side, as square as may be, with thin white gaps.

    Args:
        images: (H, W, 3) uint8 RGB each, at least one.
        columns: Pictures per row; chosen if None.

    Returns:
        (H', W', 3) uint8 RGB.
    """
    height, width = images[0].shape[:2]
    if columns is None:
        columns = min(range(1, len(images) + 1), key=lambda c: _unevenness(c, images))
    columns = min(columns, len(images))
    rows, gap = math.ceil(len(images) / columns), max(2, width // 48)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8
    )
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        y, x = gap + row * (height + gap), gap + column * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def _unevenness(columns: int, images: Sequence[np.ndarray]) -> float:
    """How far from 4:3 a grid would be, empty places counted as worse."""
    height, width = images[0].shape[:2]
    rows = math.ceil(len(images) / columns)
    empty = rows * columns - len(images)
    return abs(math.log(columns * width / (rows * height) * 3 / 4)) + 2 * empty / len(images)


def _place(sheet: Image.Image, tile: Tile, at: tuple[int, int], size: tuple[int, int]) -> None:
    picture = fit(tile.image, size)
    x = at[0] + (size[1] - picture.shape[1]) // 2
    y = at[1] + (size[0] - picture.shape[0]) // 2
    radius = max(3, size[1] // 50)
    sheet.paste(Image.fromarray(picture), (x, y), _rounded(picture.shape[:2], radius))
    if tile.inset is not None:
        gap = max(4, size[1] // 32)
        (height, width), (h, w) = picture.shape[:2], tile.inset.shape[:2]
        bottom, right = tile.corner
        corner = (
            x + (width - w - gap if right else gap),
            y + (height - h - gap if bottom else gap),
        )
        mask = _rounded(tile.inset.shape[:2], radius, 225)
        sheet.paste(Image.fromarray(tile.inset), corner, mask)


def _rounded(size: tuple[int, ...], radius: int, opacity: int = 255) -> Image.Image:
    """A mask with round corners for a picture of (height, width)."""
    height, width = size
    mask = Image.new("L", (width * _FINE, height * _FINE), 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, width * _FINE - 1, height * _FINE - 1), radius * _FINE, opacity
    )
    return mask.resize((width, height), Image.Resampling.BOX)


def _shortened(text: str, width: int, size_px: int) -> str:
    """Text that fits a width, cut with an ellipsis where it must be."""
    font = _font(size_px)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."
