"""From the ink of a figure to its head and its lines.

The head is the round ring or blob, and the strokes become a graph of lines and forks, with small
gaps bridged and what comes of a thick pen taken away. Who they are is read by `pose.scribble`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import cv2
import numpy as np
from skimage.morphology import skeletonize

from pose.ink import FIGURE_PX, MAX_PIECES, Figure, neighbours

_HEAD_RADIUS = 0.09  # usual, of the figure's longer side
_MAX_HEAD_COST = 1.3  # and their heads 0.1 to 0.6


# -- head ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """A round thing that may be the head."""

    region: np.ndarray
    """(h, w) bool: all of it, with its outline."""
    centre: np.ndarray
    radius: float
    cost: float


def find_heads(figure: Figure) -> list[Head]:
    """Rings and blobs that are round and of a likely size; the likeliest first."""
    ink = figure.mask.astype(np.uint8)
    width = figure.width
    found: list[Head] = []
    # The outline may have gaps; they are closed as far as needed, in two ways.
    for gap, bridge in ((0.0, 0.0), (0.03, 0.0), (0.06, 0.0), (0.0, 0.1), (0.0, 0.18)):
        closed = ink
        if gap:
            closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, _disc(gap * FIGURE_PX))
        if bridge:
            lines = _led_on(figure.thin, bridge * FIGURE_PX).astype(np.uint8)
            closed = np.maximum(ink, cv2.dilate(lines, np.ones((2, 2), np.uint8)))
        count, holes, stats, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
        outside = holes[0, 0]
        for hole in range(1, count):
            *_, wide, high, area = stats[hole]
            if hole == outside or area < 60 or min(wide, high) < 0.4 * max(wide, high):
                continue
            inner = (holes == hole).astype(np.uint8)
            if gap:
                inner = cv2.dilate(inner, _disc(gap * FIGURE_PX * 0.3))
            found += _round(inner, 1.1 * width, 4 * gap + bridge, ink)
    blobs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, _disc(1.7 * width))
    count, labels = cv2.connectedComponents(blobs)
    for blob in range(1, count):
        found += _round((labels == blob).astype(np.uint8), 0.2 * width, 0.2, None)
    chosen: list[Head] = []
    for head in sorted(found, key=lambda head: head.cost):
        if all(np.hypot(*(head.centre - other.centre)) > other.radius for other in chosen):
            chosen.append(head)
    return [head for head in chosen if head.cost <= _MAX_HEAD_COST][:4]


def _round(
    shape: np.ndarray, rim: float, cost: float, outline: np.ndarray | None
) -> Iterator[Head]:
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
    if not 0.025 * FIGURE_PX < radius < 0.3 * FIGURE_PX:
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
    cost += 1.0 * np.log(radius / (_HEAD_RADIUS * FIGURE_PX)) ** 2
    yield Head(region, np.array([x, y]), radius, float(cost))


def _disc(diameter: float) -> np.ndarray:
    side = max(1, round(diameter)) // 2 * 2 + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)


def is_round(mask: np.ndarray) -> bool:
    """Whether all ink together is one ring or blob: a head and nothing else."""
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    hull = cv2.convexHull(np.concatenate(contours))
    area, length = cv2.contourArea(hull), cv2.arcLength(hull, True)
    inside = sum(cv2.contourArea(contour) for contour in contours)
    return 4 * np.pi * area > 0.85 * length**2 and inside > 0.85 * area


# -- lines -----------------------------------------------------------------------------------


@dataclass
class Lines:
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
        """The edges that begin or end at a node."""
        return [edge for edge, pair in self.ends.items() if node in pair]

    def degree(self, node: int) -> int:
        """How many ends of edges meet at a node."""
        return sum((node == a) + (node == b) for a, b in self.ends.values())

    def other(self, edge: int, node: int) -> int:
        """The node at the other end of an edge."""
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
        """Of an edge, in pixels."""
        return path_length(self.path(edge, self.ends[edge][0]))

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
                limit = 1.6 * spur  # hair, ears
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


def path_length(points: np.ndarray) -> float:
    """Of a line through (N, 2) points."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum()) if len(points) > 1 else 0.0


def _smooth(points: np.ndarray) -> np.ndarray:
    """Pixel steps made a line."""
    if len(points) < 7:
        return points
    padded = np.concatenate([points[:1].repeat(2, 0), points, points[-1:].repeat(2, 0)])
    return np.mean([padded[i : i + len(points)] for i in range(5)], axis=0)


def find_lines(figure: Figure, head: Head) -> tuple[Lines, float]:
    """The figure's lines and the share of ink that belongs to none of them."""
    mask = (figure.mask | head.region).astype(np.uint8)
    pen = max(1, round(0.8 * figure.width))
    ends, ways = _ends(skeletonize(mask > 0))
    bridges, free = _bridges(ends, ways, figure.width)
    for a, b in bridges:
        cv2.line(mask, a.tolist(), b.tolist(), 1, pen)
    for a, b in _onward(mask, ends[free], ways[free], figure.width):
        cv2.line(mask, a.tolist(), b.tolist(), 1, pen)
    mask, lost = _connected(mask, head, figure.width)
    thin = skeletonize(mask > 0)
    lines = _traced(thin, head, figure.width)
    lines.simplify(max(0.75 * figure.width, 0.02 * FIGURE_PX))
    return lines, lost


def _connected(mask: np.ndarray, head: Head, width: float) -> tuple[np.ndarray, float]:
    """Pieces joined to the head's across small gaps; the share of ink too far away is dropped."""
    mask = mask.copy()
    x, y = np.round(head.centre).astype(int)
    for _ in range(MAX_PIECES):
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
        if gap[b] > max(2 * width, 0.09 * FIGURE_PX):
            ink = int((mask > 0).sum() - head.region.sum())
            return main.astype(np.uint8), float(rest.sum()) / max(ink, 1)
        a = np.argwhere(main & (nearest == nearest[b]))[0]
        cv2.line(
            mask, (int(a[1]), int(a[0])), (int(b[1]), int(b[0])), 1, max(1, round(0.8 * width))
        )
    return mask, 0.0


def _ends(thin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) x, y where one-pixel lines end, and (N, 2) unit vectors in which they would go on."""
    around = neighbours(thin)
    ends = np.argwhere(thin & (around == 1))
    ways = []
    for end in ends:
        line, before = [tuple(end)], None
        while len(line) < 14 and (len(line) == 1 or around[line[-1]] == 2):
            row, column = line[-1]
            near = np.argwhere(thin[row - 1 : row + 2, column - 1 : column + 2])
            near += np.array([row - 1, column - 1])
            onward = [tuple(place) for place in near if tuple(place) not in (line[-1], before)]
            if not onward:
                break
            before = line[-1]
            line.append(onward[0])
        way = (np.array(line[0]) - np.mean(line, axis=0))[::-1]
        ways.append(way / max(float(np.hypot(*way)), 1e-6))
    return ends[:, ::-1], np.array(ways).reshape(-1, 2)


def _led_on(thin: np.ndarray, reach: float) -> np.ndarray:
    """One-pixel lines, every end led to the nearest line within reach (pixels) ahead of it."""
    drawn = thin.astype(np.uint8)
    points = np.argwhere(thin)[:, ::-1]
    for end, way in zip(*_ends(thin), strict=True):
        steps = points - end
        gaps = np.hypot(*steps.T)
        ahead = (gaps > 1) & (gaps <= reach) & (steps @ way > 0.6 * gaps)
        if ahead.any():
            target = points[ahead][gaps[ahead].argmin()]
            cv2.line(drawn, end.tolist(), target.tolist(), 1, 1)
    return drawn > 0


def _bridges(
    ends: np.ndarray, ways: np.ndarray, width: float
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[int]]:
    """Pairs of ends that small gaps part, each end in one at most, and the ends that are in none.

    Lines that go straight on across a gap come first; gaps in a corner have to be smaller.
    """
    pairs = []
    for i, j in combinations(range(len(ends)), 2):
        step = ends[j] - ends[i]
        gap = float(np.hypot(*step))
        facing = float(min(ways[i] @ step, -(ways[j] @ step))) / gap
        if gap <= max(2 * width, 0.06 * FIGURE_PX) and facing > 0.8:
            pairs.append((gap * (2 - facing), i, j))
        elif gap <= width + 0.025 * FIGURE_PX and facing > 0:
            pairs.append((gap * (4 - facing), i, j))
    free, found = set(range(len(ends))), []
    for _, i, j in sorted(pairs):
        if i in free and j in free:
            free -= {i, j}
            found.append((ends[i], ends[j]))
    return found, sorted(free)


def _onward(
    mask: np.ndarray, ends: np.ndarray, ways: np.ndarray, width: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ends of strokes, and the nearest ink shortly ahead of them that does not hang together there.

    Lines of one piece of ink, joined elsewhere, have to come nearer than those of two.
    """
    labels = cv2.connectedComponents(mask)[1]
    reach = round(max(2 * width, 0.06 * FIGURE_PX))
    found = []
    for end, way in zip(ends, ways, strict=True):
        x0, y0 = np.maximum(end - reach, 0)
        window = (slice(y0, end[1] + reach + 1), slice(x0, end[0] + reach + 1))
        here = cv2.connectedComponents(mask[window])[1]
        others = np.argwhere((here > 0) & (here != here[end[1] - y0, end[0] - x0]))
        steps = others[:, ::-1] + (x0, y0) - end
        gaps = np.hypot(*steps.T)
        apart = labels[window][tuple(others.T)] != labels[end[1], end[0]]
        ahead = (gaps <= np.where(apart, reach, width + 0.03 * FIGURE_PX)) & (
            steps @ way > 0.85 * gaps
        )
        if ahead.any():
            found.append((end, end + steps[ahead][gaps[ahead].argmin()]))
    return found


def _traced(thin: np.ndarray, head: Head, width: float) -> Lines:
    """One-pixel lines as a graph."""
    forks = thin & (neighbours(thin) >= 3)
    knots = (forks | head.region).astype(np.uint8)
    x, y = np.round(head.centre).astype(int)
    count, labels, _, centres = cv2.connectedComponentsWithStats(knots)
    lines = Lines({}, {}, {}, int(labels[y, x]), width)
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
