"""Shapes that somebody draws without thinking: ovals, spots, curls, hatching; none of them exact.

Each is unsteady in its own way, decided by its numbers alone.
"""

from __future__ import annotations

import zlib

import numpy as np

from tests.vunet.drawing.crude.people import Mark
from tests.vunet.drawing.crude.strokes import Points

PAPER_WH = (480, 640)
"""What coordinates, x from the left and y from the top, count in: pixels of the app's paper."""


def arc(x: float, y: float, rx: float, ry: float, start: float = -90, end: float = 280) -> Points:
    """Part of an oval as a hand draws it: the radius wanders, so that ends do not meet.

    Args:
        x: Of the middle.
        y: Of the middle.
        rx: Half of the width.
        ry: Half of the height.
        start: Where the pen is put down, in degrees: 0 is right, 90 below.
        end: Where it is lifted.
    """
    rng = _hand(x, y, rx, ry, start, end)
    turn = np.radians(np.linspace(start, end, max(4, round(abs(end - start) / 30) + 1)))
    radius = 1 + np.cumsum(rng.normal(0, 0.016, len(turn)))
    places = np.stack([x + rx * radius * np.cos(turn), y + ry * radius * np.sin(turn)], 1)
    return _whole(places)


def dot(x: float, y: float, size: float = 4) -> Points:
    """A spot, made by going round and round."""
    return arc(x, y, size, size, 0, 620)


def curls(size: float, *along: tuple[int, int]) -> Points:
    """Loops of about `size` pixels along a way, in one stroke."""
    rng = _hand(size, *along[0], *along[-1])
    way = np.array(along, float)
    gone = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(way, axis=0).T))])
    count = max(2, round(gone[-1] / (1.15 * size)))
    at = np.linspace(0, gone[-1], 9 * count)
    middle = np.stack([np.interp(at, gone, way[:, k]) for k in (0, 1)], 1)
    radius = np.repeat(size * rng.uniform(0.5, 0.95, count), 9)
    turn = np.arange(9 * count) * 2 * np.pi / 9
    return _whole(middle + radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1))


def zigzag(first: Points, second: Points, count: int) -> Points:
    """To and fro between two lines, as hair or a beard is filled in."""
    rng = _hand(count, *first[0], *second[-1])
    found = []
    for k in range(count):
        side = np.array(second if k % 2 else first, float)
        t = (k + rng.uniform(-0.25, 0.25)) / (count - 1) * (len(side) - 1)
        found.append([np.interp(t, np.arange(len(side)), side[:, axis]) for axis in (0, 1)])
    return _whole(np.array(found) + rng.normal(0, 3, (count, 2)))


def again(*strokes: Points) -> list[Points]:
    """Each drawn twice, as somebody does who is not content with the first line."""
    rng = _hand(*strokes[0][0], *strokes[-1][-1])
    twice = [(s, _whole(np.array(s) + rng.normal(0, 5, (len(s), 2)))) for s in strokes]
    return [stroke for both in twice for stroke in both]


def tilted(marks: list[Mark], degrees: float) -> list[Mark]:
    """Turned about the middle of the paper, clockwise."""
    angle, middle = np.radians(degrees), np.array(PAPER_WH) / 2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return [m._replace(points=_whole((np.array(m.points) - middle) @ turn + middle)) for m in marks]


def _hand(*of: float) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(of).encode()))


def _whole(places: np.ndarray) -> Points:
    return [(int(x), int(y)) for x, y in np.rint(places)]
