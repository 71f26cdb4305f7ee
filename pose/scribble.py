"""Reads a stick figure that somebody drew by hand: a head, a line for the trunk, arms and legs.

Ink is told from a plain ground, the head is the round ring or blob, and the strokes become a graph
of lines and forks. All readings of that graph as a person (which line is the trunk, where arms and
legs leave it, how they go on where lines cross) are weighed by usual proportions, by how straight
lines go on and by how much ink they leave over; the lightest wins, unless even that is no person.
Knows nothing of files or detectors; ControlNet's coloured pictures are `pose.stick`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
from skimage.morphology import skeletonize

from pose.retarget import TYPICAL
from pose.skeletons import COCO17
from pose.types import Pose

SURE_CONFIDENCE = 0.9
"""Confidence of a joint that the drawing shows: the end of a limb, a clear bend."""
GUESSED_CONFIDENCE = 0.4
"""Confidence of a joint that a stick figure does not show: shoulders, hips, a straight elbow."""
FACE_CONFIDENCE = 0.2
"""Confidence of eyes and ears, put on the head by usual proportions."""

_MAX_SIDE = 1200  # pixels; larger pictures are made smaller before they are looked at
_MIN_SIDE = 32
_FIGURE = 512  # the ink's longer side when the figure is read, in pixels
_MARGIN = 60  # round the ink, so that nothing touches the border
_MIN_CONTRAST = 24  # of 255, between ink and ground
_MAX_UNREST = 0.2  # of that contrast, in the ground
_MAX_INK = 0.45  # share of the picture
_MAX_PIECES = 60
_MAX_LENGTH = 10  # of all lines, in sizes of the figure
_MAX_ENDS = 60
_HEAD_RADIUS = 0.09  # usual, of the figure's longer side
_MAX_COST = 8.5  # most good drawings cost 1 to 5, hardly any 7
_MAX_HEAD_COST = 1.3  # and their heads 0.1 to 0.6
_MIN_READ = 0.6  # share of all ink that is in figures of people
_MAX_LEFT_OVER = 0.15  # share of the drawn length that is no part of the person
_LIMB_EDGES = 5
_BEST = 14  # limbs, and pairs of them, that are weighed against each other
_APART = 0.15  # of the trunk, between the places where the arms leave it
_STRAIGHT_DEG = 22.0  # a limb that bends less has its joint where it usually is
_CORNER_DEG = 40.0
_FACING = (
    "A stick figure does not show which way it faces; it was taken to face the viewer, so that "
    "the arm and leg further left in the picture are the person's right ones."
)


@dataclass(frozen=True, eq=False)
class Scribbled:
    """A stick figure read from a drawing."""

    pose: Pose
    """COCO17 pose in pixels of the drawing; NaN where a limb is not drawn."""
    warnings: tuple[str, ...]
    """Plain sentences: what the drawing does not show and was assumed."""


def read_scribble(image: np.ndarray) -> Scribbled | None:
    """Read a stick figure drawn by hand.

    Any ink on any plain ground will do, light on dark too. The head is a ring, perhaps not quite
    closed, or a filled blob; the trunk is one line. Small gaps are bridged. Where several figures
    are drawn, the largest is read.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        A COCO17 pose of the picture's size: `SURE_CONFIDENCE` for ends and clear bends of limbs
        and for the nose, which is the middle of the head, less for guessed joints, NaN for those
        of limbs that are missing; and what was guessed, in words. None if the picture is anything
        but a stick figure.

    Raises:
        ValueError: If the image is not (H, W, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    ink = _ink(image)
    if ink is None:
        return None
    readings = []
    for figure in _figures(ink):
        reading = _read_figure(figure)
        if reading is not None:
            readings.append((figure, *reading))
    if sum(figure.share for figure, *_ in readings) < _MIN_READ:
        return None
    figure, person, lines = max(readings, key=lambda reading: reading[0].extent)
    return _scribbled(figure, person, lines, image.shape[:2], len(readings))


# -- ink -------------------------------------------------------------------------------------


class _Ink(NamedTuple):
    mask: np.ndarray
    """(h, w) bool."""
    scale: float
    """Its pixels per pixel of the picture."""


@dataclass(frozen=True)
class _Figure:
    """The ink of what may be one person, brought to a common size."""

    mask: np.ndarray
    """(h, w) bool; the ink's longer side is `_FIGURE`, with `_MARGIN` round it."""
    corner: np.ndarray
    """(2,) x, y of the mask's corner in the picture, in pixels."""
    scale: float
    """Pixels of the mask per pixel of the picture."""
    extent: float
    """Longer side of the ink in the picture, in pixels."""
    share: float
    """Of all ink."""
    width: float
    """Of the pen, in pixels of the mask."""


def _ink(image: np.ndarray) -> _Ink | None:
    """What is drawn on a plain ground; None if there is no plain ground or nothing on it."""
    scale = min(1.0, _MAX_SIDE / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = image.shape[:2]
    if min(height, width) < _MIN_SIDE:
        return None
    # The ground where there is ink is that beside it: lines are thin, and light may be uneven.
    coarse = 96 / max(height, width)
    small = (max(1, round(width * coarse)), max(1, round(height * coarse)))
    ground = cv2.medianBlur(cv2.resize(image, small, interpolation=cv2.INTER_AREA), 31)
    ground = cv2.resize(ground, (width, height), interpolation=cv2.INTER_LINEAR)
    apart = np.linalg.norm(image.astype(np.float32) - ground.astype(np.float32), axis=2)
    apart = np.clip(apart / np.sqrt(3), 0, 255).astype(np.uint8)
    threshold = cv2.threshold(apart, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    ink = apart > max(threshold, _MIN_CONTRAST / 2)
    if not ink.any():
        return None
    contrast = float(np.median(apart[ink]))
    ink = apart > 0.45 * contrast
    if contrast < _MIN_CONTRAST or ink.mean() > _MAX_INK:
        return None
    away = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    if away.mean() < 0.3 or np.percentile(apart[away], 95) > _MAX_UNREST * contrast + 2:
        return None
    if _is_rainbow(image[ink]):
        return None
    return _Ink(ink, scale)


def _is_rainbow(pixels: np.ndarray) -> bool:
    """Whether ink has the many full colours of ControlNet's pictures."""
    hsv = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0]
    full = hsv[(hsv[:, 1] > 200) & (hsv[:, 2] > 90), 0]
    shares = np.bincount(full // 15, minlength=12) / len(pixels)
    return int((shares > 0.02).sum()) >= 7


def _figures(ink: _Ink) -> Iterator[_Figure]:
    """Groups of strokes that are large enough for a person; one of all strokes where they are few.

    Strokes belong together when the gap between them is small for their size.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask.astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = 1 + np.flatnonzero(areas >= max(6, 0.004 * areas.max()))
    if not 0 < len(keep) <= _MAX_PIECES:
        return
    clean = np.isin(labels, keep)
    rows, columns = np.flatnonzero(clean.any(axis=1)), np.flatnonzero(clean.any(axis=0))
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    reach = max(1, round(0.04 * extent))
    away = cv2.distanceTransform((~clean).astype(np.uint8), cv2.DIST_L2, 3)
    joined = (away <= reach).astype(np.uint8)
    count, groups = cv2.connectedComponents(joined)
    for group in range(1, count):
        mask = clean & (groups == group)
        figure = _normalised(mask, float(mask.sum() / clean.sum()), ink.scale)
        if figure is not None and figure.share >= 1 - _MIN_READ - 0.1:
            yield figure


def _normalised(mask: np.ndarray, share: float, picture_scale: float) -> _Figure | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    cut = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    extent = max(cut.shape)
    if extent < _MIN_SIDE:
        return None
    scale = _FIGURE / extent
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cut = cv2.resize(cut.astype(np.float32), size, interpolation=how) > (0.3 if scale < 1 else 0.5)
    cut = np.pad(cut, _MARGIN)
    thin = skeletonize(cut)
    if not thin.any() or thin.sum() > _MAX_LENGTH * _FIGURE:
        return None
    if int((thin & (_neighbours(thin) == 1)).sum()) > _MAX_ENDS:
        return None
    inside = cv2.distanceTransform(cut.astype(np.uint8), cv2.DIST_L2, 5)
    width = max(2 * float(np.median(inside[thin])), 2.0)
    corner = (np.array([left, top]) - _MARGIN / scale) / picture_scale
    return _Figure(cut, corner, scale * picture_scale, extent / picture_scale, share, width)


def _disc(diameter: float) -> np.ndarray:
    side = max(1, round(diameter)) // 2 * 2 + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)


# -- head ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Head:
    """A round thing that may be the head."""

    region: np.ndarray
    """(h, w) bool: all of it, with its outline."""
    centre: np.ndarray
    radius: float
    cost: float


def _heads(figure: _Figure) -> list[_Head]:
    """Rings and blobs that are round and of a likely size; the likeliest first."""
    ink = figure.mask.astype(np.uint8)
    width = figure.width
    found: list[_Head] = []
    # The outline may have gaps; they are closed as far as needed, in two ways.
    thin = skeletonize(figure.mask)
    for gap, bridge in ((0.0, 0.0), (0.03, 0.0), (0.06, 0.0), (0.0, 0.1), (0.0, 0.18)):
        closed = ink
        if gap:
            closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, _disc(gap * _FIGURE))
        if bridge:
            lines = _bridged(thin, bridge * _FIGURE, to_lines=True).astype(np.uint8)
            closed = np.maximum(ink, cv2.dilate(lines, np.ones((2, 2), np.uint8)))
        count, holes, stats, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
        outside = holes[0, 0]
        for hole in range(1, count):
            *_, wide, high, area = stats[hole]
            if hole == outside or area < 60 or min(wide, high) < 0.4 * max(wide, high):
                continue
            inner = (holes == hole).astype(np.uint8)
            if gap:
                inner = cv2.dilate(inner, _disc(gap * _FIGURE * 0.3))
            found += _round(inner, 1.1 * width, 4 * gap + bridge, ink)
    blobs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, _disc(1.7 * width))
    count, labels = cv2.connectedComponents(blobs)
    for blob in range(1, count):
        found += _round((labels == blob).astype(np.uint8), 0.2 * width, 0.2, None)
    chosen: list[_Head] = []
    for head in sorted(found, key=lambda head: head.cost):
        if all(np.hypot(*(head.centre - other.centre)) > other.radius for other in chosen):
            chosen.append(head)
    return [head for head in chosen if head.cost <= _MAX_HEAD_COST][:4]


def _round(
    shape: np.ndarray, rim: float, cost: float, outline: np.ndarray | None
) -> Iterator[_Head]:
    """The shape as a head, if it is round enough and, where it is hollow, its outline is drawn."""
    contours = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    contour = max(contours, key=cv2.contourArea)
    hull = cv2.convexHull(contour)
    area, whole = cv2.contourArea(contour), cv2.contourArea(hull)
    length = cv2.arcLength(hull, True)
    if len(hull) < 5 or whole < 12:
        return
    (x, y), (a, b), _ = cv2.fitEllipse(hull)
    roundness = 4 * np.pi * whole / length**2
    if area / whole < 0.82 or roundness < 0.78 or min(a, b) < 0.5 * max(a, b):
        return
    radius = float(np.sqrt(whole / np.pi)) + rim / 2
    if not 0.025 * _FIGURE < radius < 0.3 * _FIGURE:
        return
    if outline is not None:
        away = cv2.distanceTransform(1 - shape, cv2.DIST_L2, 3)
        ys, xs = np.nonzero((away > 0) & (away <= max(rim, 5)) & (outline > 0))
        drawn = np.unique(np.floor(np.degrees(np.arctan2(ys - y, xs - x)) / 10))
        if len(drawn) < 24:
            return
        cost += (36 - len(drawn)) / 12
    filled = cv2.drawContours(np.zeros_like(shape), [hull], -1, 1, -1)
    region = cv2.distanceTransform(1 - filled, cv2.DIST_L2, 3) <= rim
    cost += 12 * max(0.0, 0.94 - roundness) + 6 * (1 - area / whole)
    cost += 1.0 * np.log(radius / (_HEAD_RADIUS * _FIGURE)) ** 2
    yield _Head(region, np.array([x, y]), radius, float(cost))


# -- lines -----------------------------------------------------------------------------------


@dataclass
class _Lines:
    """The strokes as a graph: nodes where lines fork or end, edges along the ink between them."""

    at: dict[int, np.ndarray]
    """(2,) x, y of each node."""
    ends: dict[int, tuple[int, int]]
    """The two nodes of each edge."""
    paths: dict[int, np.ndarray]
    """(N, 2) points of each edge, from its first node to its second, without these."""
    head: int
    width: float
    free: set[int] = field(default_factory=set)
    """Nodes where a line ends."""
    middles: set[int] = field(default_factory=set)
    """Nodes put into the middle of a loop."""

    def edges_at(self, node: int) -> list[int]:
        return [edge for edge, pair in self.ends.items() if node in pair]

    def degree(self, node: int) -> int:
        return sum((node == a) + (node == b) for a, b in self.ends.values())

    def other(self, edge: int, node: int) -> int:
        a, b = self.ends[edge]
        return b if node == a else a

    def path(self, edge: int, start: int) -> np.ndarray:
        """(N, 2) points from the node `start` to the other, these included but for the head."""
        a, b = self.ends[edge]
        first = [self.at[a]] if a != self.head else []
        last = [self.at[b]] if b != self.head else []
        points = np.array([*first, *self.paths[edge], *last]).reshape(-1, 2)
        return points if start == a else points[::-1]

    def length(self, edge: int) -> float:
        return _length(self.path(edge, self.ends[edge][0]))

    def simplify(self, spur: float) -> None:
        """Take away what comes of thick lines rather than of the drawing."""
        changed = True
        while changed:
            changed = any([self._prune(spur), self._merge(), self._join()])
        for edge, (a, b) in list(self.ends.items()):
            if a == b and len(self.paths[edge]) >= 3:
                self._halve(edge)

    def _prune(self, spur: float) -> bool:
        short = []
        for edge, (a, b) in self.ends.items():
            if a == b:
                limit = 4 * spur
            elif (a in self.free or b in self.free) and self.head not in (a, b):
                limit = spur
            elif a in self.free or b in self.free:
                limit = 2 * spur  # hair, ears
            else:
                continue
            length = self.length(edge)
            root = b if a in self.free else a
            if length < limit and (root == self.head or self.degree(root) >= 3):
                short.append((length, edge))
        if not short:
            return False
        self._remove(min(short)[1])
        return True

    def _remove(self, edge: int) -> None:
        a, b = self.ends.pop(edge)
        del self.paths[edge]
        for node in {a, b} - {self.head}:
            if not self.degree(node):
                self.free.discard(node)
                del self.at[node]

    def _merge(self) -> bool:
        """Two forks that a line shorter than the pen is wide joins are one crossing."""
        for edge, (a, b) in self.ends.items():
            if a == b or self.head in (a, b) or self.free & {a, b}:
                continue
            if self.length(edge) < 1.2 * self.width + 4:
                self.at[a] = (self.at[a] + self.at[b]) / 2
                self._remove_into(edge, a, b)
                return True
        return False

    def _remove_into(self, edge: int, kept: int, gone: int) -> None:
        del self.ends[edge], self.paths[edge], self.at[gone]
        for other, (a, b) in self.ends.items():
            self.ends[other] = (kept if a == gone else a, kept if b == gone else b)

    def _join(self) -> bool:
        for node in self.at:
            if node == self.head or self.degree(node) != 2:
                continue
            edges = self.edges_at(node)
            if len(edges) != 2:
                continue
            one, two = edges
            start, end = self.other(one, node), self.other(two, node)
            first = self.paths[one] if self.ends[one][1] == node else self.paths[one][::-1]
            last = self.paths[two] if self.ends[two][0] == node else self.paths[two][::-1]
            self.paths[one] = np.concatenate([first, self.at[node][None], last])
            self.ends[one] = (start, end)
            del self.ends[two], self.paths[two], self.at[node]
            return True
        return False

    def _halve(self, edge: int) -> None:
        """A loop is two limbs that meet."""
        points, (node, _) = self.paths[edge], self.ends[edge]
        half = len(points) // 2
        middle, new = max(self.at) + 1, max(self.ends) + 1
        self.at[middle] = points[half]
        self.middles.add(middle)
        self.ends[edge], self.paths[edge] = (node, middle), points[:half]
        self.ends[new], self.paths[new] = (node, middle), points[:half:-1]


def _length(points: np.ndarray) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum()) if len(points) > 1 else 0.0


def _smooth(points: np.ndarray) -> np.ndarray:
    """Pixel steps made a line."""
    if len(points) < 7:
        return points
    padded = np.concatenate([points[:1].repeat(2, 0), points, points[-1:].repeat(2, 0)])
    return np.mean([padded[i : i + len(points)] for i in range(5)], axis=0)


def _lines(figure: _Figure, head: _Head) -> tuple[_Lines, float] | None:
    """The figure's lines and the share of ink that belongs to none of them."""
    mask = (figure.mask | head.region).astype(np.uint8)
    mask, lost = _connected(mask, head, figure.width)
    thin = skeletonize(mask > 0)
    gap = max(2 * figure.width, 0.06 * _FIGURE)
    thin = skeletonize(_bridged(thin, gap))
    lines = _traced(thin, head, figure.width)
    lines.simplify(max(1.1 * figure.width, 0.04 * _FIGURE))
    if not 2 <= len(lines.ends) <= 24 or not lines.edges_at(lines.head):
        return None
    return lines, lost


def _connected(mask: np.ndarray, head: _Head, width: float) -> tuple[np.ndarray, float]:
    """Pieces joined to the head's across small gaps; the share of ink too far away is dropped."""
    mask = mask.copy()
    x, y = np.round(head.centre).astype(int)
    for _ in range(_MAX_PIECES):
        labels = cv2.connectedComponents(mask)[1]
        main = labels == labels[y, x]
        rest = (mask > 0) & ~main
        if not rest.any():
            return mask, 0.0
        away, nearest = cv2.distanceTransformWithLabels(
            (~main).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        gap = np.where(rest, away, np.inf)
        b = np.unravel_index(int(gap.argmin()), gap.shape)
        if gap[b] > max(2 * width, 0.09 * _FIGURE):
            ink = int((mask > 0).sum() - head.region.sum())
            return main.astype(np.uint8), float(rest.sum()) / max(ink, 1)
        a = np.argwhere(main & (nearest == nearest[b]))[0]
        cv2.line(
            mask, (int(a[1]), int(a[0])), (int(b[1]), int(b[0])), 1, max(1, round(0.8 * width))
        )
    return mask, 0.0


def _bridged(thin: np.ndarray, reach: float, to_lines: bool = False) -> np.ndarray:
    """One-pixel lines with gaps closed between ends that point at each other.

    Args:
        thin: (h, w) bool.
        reach: Widest gap in pixels.
        to_lines: Lead every end to the nearest line ahead of it, be that an end or not.
    """
    drawn = thin.astype(np.uint8)
    ends = np.argwhere(thin & (_neighbours(thin) == 1))[:, ::-1]
    ways = []
    for x, y in ends:
        ys, xs = np.nonzero(thin[y - 12 : y + 13, x - 12 : x + 13])
        way = 12 - np.array([xs.mean(), ys.mean()])
        ways.append(way / max(float(np.hypot(*way)), 1e-6))
    if to_lines:
        points = np.argwhere(thin)[:, ::-1]
        for end, way in zip(ends, ways, strict=True):
            steps = points - end
            gaps = np.hypot(*steps.T)
            ahead = (gaps > 1) & (gaps <= reach) & (steps @ way > 0.6 * gaps)
            if ahead.any():
                target = points[ahead][gaps[ahead].argmin()]
                cv2.line(drawn, end.tolist(), target.tolist(), 1, 1)
        return drawn > 0
    for i, j in combinations(range(len(ends)), 2):
        step = ends[j] - ends[i]
        gap = float(np.hypot(*step))
        if gap <= reach and min(ways[i] @ step, -(ways[j] @ step)) > 0.8 * gap:
            cv2.line(drawn, ends[i].tolist(), ends[j].tolist(), 1, 1)
    return drawn > 0


def _neighbours(thin: np.ndarray) -> np.ndarray:
    """(h, w) how many of the eight pixels around each are set."""
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    return cv2.filter2D(thin.astype(np.uint8), -1, ring, borderType=cv2.BORDER_CONSTANT)


def _traced(thin: np.ndarray, head: _Head, width: float) -> _Lines:
    """One-pixel lines as a graph."""
    forks = thin & (_neighbours(thin) >= 3)
    knots = (forks | head.region).astype(np.uint8)
    x, y = np.round(head.centre).astype(int)
    count, labels, _, centres = cv2.connectedComponentsWithStats(knots)
    lines = _Lines({}, {}, {}, int(labels[y, x]), width)
    for knot in range(1, count):
        lines.at[knot] = centres[knot] if knot != lines.head else head.centre
    pieces, parts = cv2.connectedComponents((thin & (knots == 0)).astype(np.uint8))
    order = np.argsort(parts, axis=None, kind="stable")
    starts = np.searchsorted(parts.ravel()[order], np.arange(pieces + 1))
    for part in range(1, pieces):
        flat = order[starts[part] : starts[part + 1]]
        pixels = _walked(np.stack(np.unravel_index(flat, thin.shape), axis=1))
        nodes = []
        for row, column in (pixels[0], pixels[-1]):
            near = np.unique(labels[row - 1 : row + 2, column - 1 : column + 2])
            nodes.append([int(knot) for knot in near if knot])
        first = nodes[0][0] if nodes[0] else None
        others = [knot for knot in nodes[1] if knot != first or len(pixels) > 2]
        last = next((knot for knot in others if knot != first), others[0] if others else None)
        if first is None and last is None:
            continue
        points = _smooth(pixels[:, ::-1].astype(float))
        pair = []
        for knot, tip in ((first, points[0]), (last, points[-1])):
            if knot is None:
                knot = max(lines.at) + 1
                lines.at[knot] = tip
                lines.free.add(knot)
            pair.append(knot)
        lines.ends[part], lines.paths[part] = (pair[0], pair[1]), points
    lines.at = {n: p for n, p in lines.at.items() if n == lines.head or lines.degree(n)}
    return lines


def _walked(pixels: np.ndarray) -> np.ndarray:
    """(N, 2) the pixels of a line without forks in the order from one end to the other."""
    left = {(int(row), int(column)) for row, column in pixels}
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))

    def next_to(place: tuple[int, int]) -> Iterator[tuple[int, int]]:
        return (
            (place[0] + r, place[1] + c) for r, c in steps if (place[0] + r, place[1] + c) in left
        )

    here: tuple[int, int] | None = min(left, key=lambda place: (len(list(next_to(place))), place))
    way = []
    while here is not None:
        way.append(here)
        left.discard(here)
        here = next(next_to(here), None)
    return np.array(way)


# -- person ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Limb:
    """A way along the lines from the trunk."""

    edges: tuple[int, ...]
    nodes: tuple[int, ...]
    length: float
    cost: float
    place: float = 0.0
    """Where it leaves the trunk, as the way from the head in pixels."""


@dataclass(frozen=True)
class _Person:
    """One reading of the lines."""

    head: _Head
    trunk: _Limb
    arms: tuple[_Limb, ...]
    legs: tuple[_Limb, ...]
    shoulders: float
    """The place of the shoulders along the trunk, as the way from the head in pixels."""
    cost: float
    left_over: float


def _read_figure(figure: _Figure) -> tuple[_Person, _Lines] | None:
    best: tuple[_Person, _Lines] | None = None
    for head in _heads(figure):
        traced = _lines(figure, head)
        if traced is None:
            continue
        lines, lost = traced
        person = _Reader(lines, head, lost).best()
        if person is not None and (best is None or person.cost < best[0].cost):
            best = person, lines
    if best is None or best[0].cost > _MAX_COST or best[0].left_over > _MAX_LEFT_OVER:
        return None
    return best


def _ratio_cost(ratio: float, usual: float, spread: float) -> float:
    return min((np.log(max(ratio, 1e-3) / usual) / spread) ** 2, 9.0)


class _Reader:
    """Weighs all readings of a graph of lines as a person with a given head."""

    def __init__(self, lines: _Lines, head: _Head, lost: float) -> None:
        self.lines, self.head, self.lost = lines, head, lost
        self.length = {edge: lines.length(edge) for edge in lines.ends}
        self.total = sum(self.length.values())
        self.at = {node: lines.edges_at(node) for node in lines.at}
        self.ways = {
            (edge, node): self._way(edge, node) for edge in lines.ends for node in lines.ends[edge]
        }

    def _way(self, edge: int, node: int) -> np.ndarray:
        """Unit vector in which an edge leaves a node."""
        points = self.lines.path(edge, node)
        far = np.hypot(*(points - points[0]).T) >= max(1.6 * self.lines.width, 0.04 * _FIGURE)
        step = points[int(far.argmax()) if far.any() else -1] - points[0]
        return step / max(float(np.hypot(*step)), 1e-6)

    def _turn(self, edge: int, node: int, onward: int) -> float:
        """Degrees by which one turns at a node from one edge into another."""
        cosine = -self.ways[edge, node] @ self.ways[onward, node]
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    def _aside(self, edge: int, onward: int) -> float:
        """Degrees between an edge into the head and the way to where another one leaves it."""
        inward = self.lines.path(edge, self.lines.head)[0]
        step = self.lines.path(onward, self.lines.head)[0] - inward
        cosine = -self.ways[edge, self.lines.head] @ step / max(float(np.hypot(*step)), 1e-6)
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    def _walks(
        self, start: int, first: int, most: float, soft: float, length: float
    ) -> Iterator[_Limb]:
        """All ways that begin with an edge and turn by at most `most` degrees at any node."""
        stack: list[tuple[tuple[int, ...], tuple[int, ...], float, float]] = [
            ((first,), (start, self.lines.other(first, start)), self.length[first], 0.0)
        ]
        while stack:
            edges, nodes, way, cost = stack.pop()
            yield _Limb(edges, nodes, way, cost)
            here = nodes[-1]
            if len(edges) == _LIMB_EDGES or here in nodes[:-1]:
                continue
            # Behind a head a line can only go straight on.
            sharpest = most if here != self.lines.head else min(most, 45)
            for onward in self.at[here]:
                turn = self._turn(edges[-1], here, onward)
                longer = way + self.length[onward]
                if onward in edges or turn > sharpest or longer > length:
                    continue
                if here == self.lines.head and self._aside(edges[-1], onward) > 45:
                    continue
                nodes_on = (*nodes, self.lines.other(onward, here))
                stack.append(((*edges, onward), nodes_on, longer, cost + (turn / soft) ** 2))

    def best(self) -> _Person | None:
        found: list[_Person] = []
        for first in self.at[self.lines.head]:
            for trunk in self._walks(self.lines.head, first, 65, 45, 0.8 * _FIGURE):
                end = trunk.nodes[-1]
                if len(self.at[end]) >= 3 and end != self.lines.head:
                    person = self._with_limbs(trunk)
                    if person is not None:
                        found.append(person)
        return min(found, key=lambda person: person.cost, default=None)

    def _end_cost(self, limb: _Limb, trunk: _Limb) -> float:
        end = limb.nodes[-1]
        if end in self.lines.free:
            return 0.0
        if end in self.lines.middles:
            return 0.3
        return 1.0 if end in trunk.nodes else 1.8

    def _with_limbs(self, trunk: _Limb) -> _Person | None:
        hip = trunk.nodes[-1]
        places = np.cumsum([0.0, *(self.length[edge] for edge in trunk.edges)])
        whole = float(places[-1])
        if whole < 0.08 * _FIGURE:
            return None
        arms: list[_Limb] = []
        for node, place in zip(trunk.nodes[:-1], places[:-1], strict=True):
            if place <= 0.7 * whole:
                arms += self._limbs(node, trunk, float(place), (whole - place) or 1.0, 1.15)
        legs = self._limbs(hip, trunk, whole, whole, 1.4)
        arm_pairs = self._arm_pairs(sorted(arms, key=lambda a: a.cost)[:_BEST], whole)
        leg_pairs = self._leg_pairs(sorted(legs, key=lambda a: a.cost)[:_BEST], trunk, whole)
        best: _Person | None = None
        for arm_cost, shoulders, arm_pair in arm_pairs:
            body = whole - shoulders
            for leg_cost, leg_pair in leg_pairs:
                uses: dict[int, int] = {}
                for limb in (trunk, *arm_pair, *leg_pair):
                    for edge in limb.edges:
                        uses[edge] = uses.get(edge, 0) + 1
                covered = sum(self.length[edge] for edge in uses)
                twice = sum(self.length[edge] * (n - 1) for edge, n in uses.items())
                left_over = 1 - covered / self.total * (1 - self.lost)
                cost = self.head.cost + trunk.cost + arm_cost + leg_cost
                cost += 16 * left_over + 14 * twice / self.total
                legs_length = float(np.mean([leg.length for leg in leg_pair]))
                cost += _ratio_cost(legs_length / max(body, 1.0), 1.4, 0.55)
                cost += _ratio_cost(body / self.head.radius, 4.0, 0.7)
                if best is None or cost < best.cost:
                    best = _Person(self.head, trunk, arm_pair, leg_pair, shoulders, cost, left_over)
        return best

    def _limbs(
        self, node: int, trunk: _Limb, place: float, body: float, usual: float
    ) -> list[_Limb]:
        """Limbs that leave the trunk at a node, each with what speaks against it."""
        limbs = []
        for first in self.at[node]:
            if first in trunk.edges:
                continue
            for limb in self._walks(node, first, 110, 60, 1.1 * _FIGURE):
                if limb.length < 0.06 * _FIGURE:
                    continue
                cost = limb.cost + self._end_cost(limb, trunk)
                cost += 0.5 * _ratio_cost(limb.length / body, usual, 0.6)
                cost += 1.0 if node == self.lines.head else 0.0
                limbs.append(_Limb(limb.edges, limb.nodes, limb.length, cost, place))
        return limbs

    def _arm_pairs(
        self, arms: list[_Limb], whole: float
    ) -> list[tuple[float, float, tuple[_Limb, ...]]]:
        """(cost, place of the shoulders, arms) of pairs of arms and of single arms."""
        pairs = []
        for one, two in combinations(arms, 2):
            if one.edges[0] == two.edges[0] and one.place == two.place:
                continue
            shoulders = (one.place + two.place) / 2
            apart = abs(one.place - two.place)
            if apart > _APART * whole:  # the lower arm runs along the trunk at first
                shoulders = min(one.place, two.place)
            body = whole - shoulders
            cost = one.cost + two.cost + self._uneven(one, two)
            cost += min((apart / (0.25 * body)) ** 2, 3.0)
            cost += self._neck_cost(shoulders, body)
            pairs.append((cost, shoulders, (one, two)))
        for one in arms:
            cost = one.cost + 4.0 + self._neck_cost(one.place, whole - one.place)
            pairs.append((cost, one.place, (one,)))
        return sorted(pairs, key=lambda pair: pair[0])[:_BEST]

    def _leg_pairs(
        self, legs: list[_Limb], trunk: _Limb, whole: float
    ) -> list[tuple[float, tuple[_Limb, ...]]]:
        pairs: list[tuple[float, tuple[_Limb, ...]]] = []
        back = {leg: self._turn(trunk.edges[-1], trunk.nodes[-1], leg.edges[0]) for leg in legs}
        costs = {leg: leg.cost + max(0.0, (back[leg] - 95) / 25) ** 2 for leg in legs}
        for one, two in combinations(legs, 2):
            if one.edges[0] != two.edges[0]:
                pairs.append((costs[one] + costs[two] + self._uneven(one, two), (one, two)))
        pairs += [(costs[one] + 5.0, (one,)) for one in legs]
        return sorted(pairs, key=lambda pair: pair[0])[:_BEST]

    def _uneven(self, one: _Limb, two: _Limb) -> float:
        return 0.7 * _ratio_cost(one.length / two.length, 1.0, 0.5)

    def _neck_cost(self, neck: float, body: float) -> float:
        return max(0.0, neck / max(body, 1.0) - 0.25) ** 2 * 14


# -- joints ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Joints:
    """Middle and end of a limb."""

    root: np.ndarray | None
    """A corner that shows the shoulder or hip itself."""
    middle: np.ndarray
    end: np.ndarray
    bent: bool


def _along(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(len(places), 2) points at lengths along a line."""
    so_far = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return np.stack([np.interp(places, so_far, points[:, i]) for i in (0, 1)], axis=1)


def _corners(points: np.ndarray, tolerance: float) -> list[int]:
    """Numbers of the points between which straight lines follow a curve, first and last included.

    The fewest lines that stay near it, at the best places: squared distances, plus a price each.
    """
    count = len(points)
    price = count * tolerance**2
    cost = np.full(count, np.inf)
    cost[0] = 0.0
    before = np.zeros(count, int)
    for j in range(1, count):
        for i in range(j):
            chord = points[j] - points[i]
            normal = np.array([-chord[1], chord[0]]) / max(float(np.hypot(*chord)), 1e-6)
            total = cost[i] + float((((points[i:j] - points[i]) @ normal) ** 2).sum()) + price
            if total < cost[j]:
                cost[j], before[j] = total, i
    corners = [count - 1]
    while corners[-1]:
        corners.append(int(before[corners[-1]]))
    return corners[::-1]


def _turn_at(points: np.ndarray, a: int, b: int, c: int) -> float:
    """Degrees by which the way a, b, c turns at b."""
    one, two = points[b] - points[a], points[c] - points[b]
    angle = np.arctan2(one[0] * two[1] - one[1] * two[0], one @ two)
    return float(abs(np.degrees(angle)))


def _joints(path: np.ndarray, root: np.ndarray, shares: tuple[float, float], foot: bool) -> _Joints:
    """Elbow and wrist, or knee and ankle, of a limb.

    Args:
        path: (N, 2) line from the trunk to the limb's end.
        root: (2,) the guessed shoulder or hip.
        shares: Usual lengths of the limb's two halves.
        foot: Whether a short last stretch beyond a corner is a foot.
    """
    length = _length(path)
    points = _along(path, np.linspace(0, length, 28))
    corners = _corners(points, 0.022 * length)
    last, shown = len(points) - 1, None
    if foot and len(corners) > 2:
        a, b, c = corners[-3:]
        if c - b <= 0.3 * last and _turn_at(points, a, b, c) > _CORNER_DEG:
            last = b
            corners = corners[:-1]
    first = 0
    if len(corners) > 3:
        a, b, c = corners[:3]
        if b <= 0.3 * last and _turn_at(points, a, b, c) > _CORNER_DEG:
            first, shown = b, points[b]
            corners = corners[1:]
    bends = [
        (_turn_at(points, a, b, c), b)
        for a, b, c in zip(corners, corners[1:], corners[2:], strict=False)
        if 0.2 <= (b - first) / max(last - first, 1) <= 0.85
    ]
    if bends and max(bends)[0] > _STRAIGHT_DEG:
        return _Joints(shown, points[max(bends)[1]], points[last], True)
    start = root if shown is None else shown
    # Off the line by a little, so that a limb drawn straight is straight from its shoulder or hip.
    middle = start + shares[0] / sum(shares) * (points[last] - start)
    return _Joints(shown, middle, points[last], False)


def _scribbled(
    figure: _Figure, person: _Person, lines: _Lines, size: Sequence[int], people: int
) -> Scribbled:
    """The pose of a reading, in the picture's own pixels."""

    def drawn(limb: _Limb) -> np.ndarray:
        pieces = [
            lines.path(edge, node) for edge, node in zip(limb.edges, limb.nodes, strict=False)
        ]
        away = limb.place - person.shoulders
        if limb in person.arms and away > _APART * person.trunk.length:
            pieces.insert(0, _along(trunk, person.shoulders + np.linspace(0, away, 9)))
        return np.concatenate(pieces)

    trunk = np.concatenate(
        [
            lines.path(edge, node)
            for edge, node in zip(person.trunk.edges, person.trunk.nodes, strict=False)
        ]
    )
    neck = _along(trunk, np.array([person.shoulders]))[0]
    pelvis = trunk[-1]
    body = float(np.hypot(*(pelvis - neck)))
    down = (pelvis - neck) / max(body, 1e-6)
    left = np.array([down[1], -down[0]])  # the person's, where they face us
    scale = body / TYPICAL["trunk"]
    found: dict[str, tuple[np.ndarray, float]] = {}
    straight, missing, one_sided = [], [], []
    for limb, centre, (root, middle, end), widths, halves in (
        *(
            (
                person.arms,
                neck,
                ("shoulder", "elbow", "wrist"),
                "shoulders",
                ("upper_arm", "forearm"),
            ),
        ),
        *((person.legs, pelvis, ("hip", "knee", "ankle"), "hips", ("thigh", "shin")),),
    ):
        name = "arm" if root == "shoulder" else "leg"
        paths = [drawn(one) for one in limb]
        # Which side a limb is on: where most of it lies, the part near the trunk above all.
        offsets = []
        for path in paths:
            middle_part = _along(path, np.linspace(0.1, 0.75, 8) * _length(path))
            offsets.append(float(((middle_part - centre) @ left).mean()))
        order = np.argsort(offsets)
        sides = ["right", "left"] if len(paths) == 2 else ["left" if offsets[0] > 0 else "right"]
        sideways = sorted(offsets, key=abs)
        if len(paths) == 2 and offsets[0] * offsets[1] > 0 and abs(sideways[1]) > 0.1 * body:
            one_sided.append(name)
        half = TYPICAL[widths] * scale / 2 * (0.5 if name in one_sided else 1.0)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            at = centre + sign * half * left
            found[f"{side}_{root}"] = at, GUESSED_CONFIDENCE
            if side not in sides:
                missing.append(f"{side} {name}")
                continue
            path = paths[order[sides.index(side)]]
            shares = (TYPICAL[halves[0]], TYPICAL[halves[1]])
            joints = _joints(path, at, shares, name == "leg")
            if joints.root is not None:
                found[f"{side}_{root}"] = joints.root, SURE_CONFIDENCE
            sure = SURE_CONFIDENCE if joints.bent else GUESSED_CONFIDENCE
            found[f"{side}_{middle}"] = joints.middle, sure
            found[f"{side}_{end}"] = joints.end, SURE_CONFIDENCE
            if not joints.bent:
                straight.append(f"{side} {middle}")
    found |= _face(person.head, neck, down, scale)
    keypoints = np.full((len(COCO17), 2), np.nan)
    confidence = np.zeros(len(COCO17))
    for name, (point, sure) in found.items():
        i = COCO17.index[name]
        keypoints[i] = (point + 0.5) / figure.scale + figure.corner
        confidence[i] = sure
    pose = Pose(COCO17, keypoints, confidence, (int(size[0]), int(size[1])))
    return Scribbled(pose, _sentences(straight, missing, one_sided, people))


def _face(
    head: _Head, neck: np.ndarray, down: np.ndarray, scale: float
) -> dict[str, tuple[np.ndarray, float]]:
    """The middle of the head as the nose, eyes and ears about it as the head leans."""
    up = head.centre - neck
    up = up / np.hypot(*up) if np.hypot(*up) > 1e-6 else -down
    left = np.array([-up[1], up[0]])
    found = {"nose": (head.centre, SURE_CONFIDENCE)}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        eye = head.centre + scale * (0.08 * up + sign * 0.06 * left)
        ear = head.centre + scale * (0.05 * up + sign * TYPICAL["ears"] / 2 * left)
        found[f"{side}_eye"] = eye, FACE_CONFIDENCE
        found[f"{side}_ear"] = ear, FACE_CONFIDENCE
    return found


def _sentences(
    straight: list[str], missing: list[str], one_sided: list[str], people: int
) -> tuple[str, ...]:
    sentences = [_FACING]
    if one_sided:
        limbs = " and both ".join(f"{limb}s" for limb in one_sided)
        sentences.append(
            f"Both {limbs} are drawn on one side of the trunk; which is the left one was guessed."
        )
    if straight:
        sentences.append(
            f"The {_listed(straight)} cannot be seen in straight lines; "
            f"{'they were' if len(straight) > 1 else 'it was'} put where usual."
        )
    if missing:
        sentences.append(f"The {_listed(missing)} could not be found in the drawing.")
    if people > 1:
        sentences.append(f"{people} figures are drawn; the largest was taken.")
    return tuple(sentences)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
