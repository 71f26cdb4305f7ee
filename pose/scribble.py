"""Reads a stick figure that somebody drew by hand: a head, a line for the trunk, arms and legs.

Ink is told from a plain ground, the head is the round ring or blob, and the strokes become a graph
of lines and forks. All readings of that graph as a person (which line is the trunk, where arms and
legs leave it, how they go on where lines cross) are weighed by usual proportions, by how straight
lines go on and by how much ink they leave over; the lightest wins, unless even that is no person.
Knows nothing of files or detectors; ControlNet's coloured pictures are `pose.stick`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from pose.ink import FIGURE_PX, MIN_READ, Figure, ScribbleError, find_figures, find_ink
from pose.retarget import TYPICAL
from pose.skeletons import COCO17
from pose.strokes import Head, Lines, find_heads, find_lines, is_round, path_length
from pose.types import Pose

SURE_CONFIDENCE = 0.9
"""Confidence of a joint that the drawing shows: the end of a limb, a clear bend."""
GUESSED_CONFIDENCE = 0.4
"""Confidence of a joint that a stick figure does not show: shoulders, hips, a straight elbow."""
FACE_CONFIDENCE = 0.2
"""Confidence of eyes and ears, put on the head by usual proportions."""

_MAX_COST = 8.5  # most good drawings cost 1 to 5, hardly any 7
_MAX_LEFT_OVER = 0.15  # share of the drawn length that is no part of the person
_LIMB_EDGES = 5
_BEST = 20  # limbs, and pairs of them, that are weighed against each other
_APART = 0.15  # of the trunk, between the places where the arms leave it
_STRAIGHT_DEG = 22.0  # a limb that bends less has its joint where it usually is
_CORNER_DEG = 40.0
_MAX_LINES = 24
_NO_HEAD = (
    "No head was found; draw a circle, closed or nearly so, or a filled dot at the upper end of "
    "the trunk."
)
_NO_TRUNK = "Only a head was found; draw a line down from it for the trunk, then arms and legs."
_NO_LIMBS = (
    "A head and a trunk were found, but not the limbs; draw two arms from the upper part of the "
    "trunk and two legs from its lower end."
)
_TANGLED = "Too many lines cross each other; draw each limb as one line."
_BESIDES = "Too much is drawn beside the figure; draw one stick figure alone."
_UNLIKELY = (
    "The lines do not make out a person; draw a head, one line for the trunk, arms from its upper "
    "part and legs from its lower end."
)
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
    """Read a stick figure drawn by hand, or None if the picture is anything else.

    `read_drawing` for those who may well be given something else.

    Raises:
        ValueError: If the image is not (H, W, 3) uint8.
    """
    try:
        return read_drawing(image)
    except ScribbleError:
        return None


def read_drawing(image: np.ndarray) -> Scribbled:
    """Read a stick figure drawn by hand, or say why that cannot be done.

    Any ink on any plain ground will do, light on dark too. The head is a ring, perhaps not quite
    closed, or a filled blob; the trunk is one line. Small gaps are bridged, and a line on which
    the figure stands is left away. Where several figures are drawn, the largest is read.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        A COCO17 pose of the picture's size: `SURE_CONFIDENCE` for ends and clear bends of limbs
        and for the nose, which is the middle of the head, less for guessed joints, NaN for those
        of limbs that are missing; and what was guessed, in words.

    Raises:
        ScribbleError: With one sentence, if the picture is no stick figure that can be read.
        ValueError: If the image is not (H, W, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    readings, refused = [], ""
    for figure in sorted(find_figures(find_ink(image)), key=lambda figure: figure.extent):
        try:
            readings.append((figure, *_read_figure(figure)))
        except ScribbleError as error:
            refused = str(error)
    if sum(figure.share for figure, *_ in readings) < MIN_READ:
        raise ScribbleError(refused or _BESIDES)
    figure, person, lines = readings[-1]
    return _scribbled(figure, person, lines, image.shape[:2], len(readings))


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

    head: Head
    trunk: _Limb
    arms: tuple[_Limb, ...]
    legs: tuple[_Limb, ...]
    shoulders: float
    """The place of the shoulders along the trunk, as the way from the head in pixels."""
    cost: float
    left_over: float

    @property
    def limbs(self) -> tuple[_Limb, ...]:
        """Those that were found, at most four."""
        return self.arms + self.legs


def _read_figure(figure: Figure) -> tuple[_Person, Lines]:
    """The likeliest person in a figure.

    Raises:
        ScribbleError: If even that is none.
    """
    best: tuple[_Person, Lines] | None = None
    refused = _NO_TRUNK if is_round(figure.mask) else _NO_HEAD
    for head in reversed(find_heads(figure)):  # what is said of the likeliest counts
        lines, lost = find_lines(figure, head)
        refused = _lacking(lines)
        if refused:
            continue
        person = _Reader(lines, head, lost).best()
        if person is None:
            refused = _NO_LIMBS
        elif best is None or person.cost <= best[0].cost:
            best = person, lines
    if best is None:
        raise ScribbleError(refused)
    if best[0].left_over > _MAX_LEFT_OVER:
        raise ScribbleError(_BESIDES)
    if best[0].cost > _MAX_COST:
        raise ScribbleError(_NO_LIMBS if len(best[0].limbs) < 3 else _UNLIKELY)
    return best


def _lacking(lines: Lines) -> str:
    """What lines need for a person, in words; empty if a person may be in them."""
    if not lines.edges_at(lines.head):
        return _NO_TRUNK
    if len(lines.ends) > _MAX_LINES:
        return _TANGLED
    return "" if len(lines.ends) > 2 else _NO_LIMBS


def _ratio_cost(ratio: float, usual: float, spread: float) -> float:
    return min((np.log(max(ratio, 1e-3) / usual) / spread) ** 2, 9.0)


class _Reader:
    """Weighs all readings of a graph of lines as a person with a given head."""

    def __init__(self, lines: Lines, head: Head, lost: float) -> None:
        self.lines, self.head, self.lost = lines, head, lost
        self.length = {edge: lines.length(edge) for edge in lines.ends}
        self.total = sum(self.length.values())
        self.at = {node: lines.edges_at(node) for node in lines.at}
        self.ways = {
            (edge, node): self._way(edge, node) for edge in lines.ends for node in lines.ends[edge]
        }

        self.tips = self._tips()
        # Lines with a free end want to be part of a limb.
        self.loose = {
            edge: min(1.0, self.length[edge] / (0.08 * FIGURE_PX))
            for edge, ends in lines.ends.items()
            if lines.free & set(ends) and lines.head not in ends
        }

    def _tips(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """Elbows and knees so sharp that both halves of the limb run into one short line's end.

        For an edge and its node: the short line there, and the edge that comes back from it.
        """
        tips: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for node, edges in self.at.items():
            for tip in edges:
                if node == self.lines.head or self.lines.other(tip, node) not in self.lines.free:
                    continue
                if self.length[tip] > 0.1 * FIGURE_PX:
                    continue
                into = [edge for edge in edges if edge != tip and self._turn(edge, node, tip) < 50]
                for one, two in permutations(into, 2):
                    if self._turn(one, node, two) > 90:
                        tips.setdefault((one, node), []).append((tip, two))
        return tips

    def _way(self, edge: int, node: int) -> np.ndarray:
        """Unit vector in which an edge leaves a node."""
        points = self.lines.path(edge, node)
        far = np.hypot(*(points - points[0]).T) >= max(1.6 * self.lines.width, 0.04 * FIGURE_PX)
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
            for tip, onward in self.tips.get((edges[-1], here), ()):
                if onward not in edges and way + self.length[onward] <= length:
                    onto = self.lines.other(onward, here)
                    nodes_on = (*nodes, self.lines.other(tip, here), here, onto)
                    longer = way + 2 * self.length[tip] + self.length[onward]
                    stack.append(((*edges, tip, tip, onward), nodes_on, longer, cost + 0.3))
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
            for trunk in self._walks(self.lines.head, first, 65, 45, 0.8 * FIGURE_PX):
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
        if whole < 0.08 * FIGURE_PX:
            return None
        arms: list[_Limb] = []
        for node, place in zip(trunk.nodes[:-1], places[:-1], strict=True):
            if place <= 0.8 * whole:
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
                cost += 16 * left_over + 10 * twice / self.total
                cost += 1.5 * sum(weight for edge, weight in self.loose.items() if edge not in uses)
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
            hidden = self._hidden(first, trunk) if node == self.lines.head else 0.0
            for limb in self._walks(node, first, 110, 60, 1.1 * FIGURE_PX):
                length = limb.length + hidden
                if length < 0.06 * FIGURE_PX:
                    continue
                cost = limb.cost + self._end_cost(limb, trunk)
                cost += 0.5 * _ratio_cost(length / body, usual, 0.6)
                cost += 1.0 if node == self.lines.head else 0.0
                limbs.append(_Limb(limb.edges, limb.nodes, length, cost, place))
        return limbs

    def _hidden(self, first: int, trunk: _Limb) -> float:
        """Length of a raised arm's part that runs into the head's outline, in pixels."""
        seen = self.lines.path(first, self.lines.head)[0]
        neck = self.lines.path(trunk.edges[0], self.lines.head)[0]
        return float(np.hypot(*(seen - neck)))

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
            lengths = [one.length, two.length]
            if self.lines.head in (one.nodes[0], two.nodes[0]):
                shoulders = max(one.place, two.place)
            elif apart > _APART * whole:  # the lower arm runs along the trunk at first
                shoulders = min(one.place, two.place)
                lengths[one.place < two.place] += apart
            body = whole - shoulders
            cost = one.cost + two.cost + self._uneven(*lengths)
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
                pairs.append(
                    (costs[one] + costs[two] + self._uneven(one.length, two.length), (one, two))
                )
        pairs += [(costs[one] + 5.0, (one,)) for one in legs]
        return sorted(pairs, key=lambda pair: pair[0])[:_BEST]

    def _uneven(self, one: float, two: float) -> float:
        return 0.7 * _ratio_cost(one / two, 1.0, 0.5)

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
        chords = points[j] - points[:j]
        normals = np.stack([-chords[:, 1], chords[:, 0]], axis=1)
        normals /= np.maximum(np.hypot(*chords.T), 1e-6)[:, None]
        aside = np.einsum("ikc,ic->ik", points[None, :j] - points[:j, None], normals)
        totals = cost[:j] + (np.triu(aside) ** 2).sum(axis=1) + price
        before[j] = totals.argmin()
        cost[j] = totals[before[j]]
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
    length = path_length(path)
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
    figure: Figure, person: _Person, lines: Lines, size: Sequence[int], people: int
) -> Scribbled:
    """The pose of a reading, in the picture's own pixels."""

    def drawn(limb: _Limb) -> np.ndarray:
        pieces = [
            lines.path(edge, node) for edge, node in zip(limb.edges, limb.nodes, strict=False)
        ]
        away = limb.place - person.shoulders
        if limb in person.arms and away > _APART * person.trunk.length:
            pieces.insert(0, _along(trunk, person.shoulders + np.linspace(0, away, 9)))
        elif limb in person.arms and limb.nodes[0] == lines.head:
            pieces.insert(0, _along(trunk, np.array([person.shoulders])))
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
            middle_part = _along(path, np.linspace(0.1, 0.75, 8) * path_length(path))
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
    head: Head, neck: np.ndarray, down: np.ndarray, scale: float
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
