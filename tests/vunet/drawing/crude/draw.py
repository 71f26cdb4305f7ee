"""Draws the crude drawings in the app, with a mouse: `python -m tests.vunet.drawing.crude.draw`.

Run in the repository's root, it serves the app with networks of random weights (the paper does not
know them), opens the tab *Draw* in Chromium, chooses tools by clicking, moves the mouse, button
down, along the strokes of `strokes.py` and `people.py`, and writes what the page hands to the
server as NAME.png here. The hand (`mouse.py`) is a seeded one: between the points laid out it goes
in curves, trembles, and misses where it meant to begin and to end.

Names as arguments draw these alone.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.pad import SIZE
from tests.vunet.drawing.crude.mouse import draw_marks, save_drawings
from tests.vunet.drawing.crude.people import PEOPLE, Mark
from tests.vunet.drawing.crude.strokes import DRAWINGS, PAPER_WH

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
PAD = "#draw-pad"
MARKS = {
    **{
        name: [Mark(garment.pen, "ink", points) for points in garment.strokes]
        for name, garment in DRAWINGS.items()
    },
    **PEOPLE,
}
"""What each drawing consists of, in order."""


def draw(page: Page, name: str) -> dict[str, Any]:
    """Draw one of `MARKS` on the blank paper of the open tab; what the server gets of it."""
    scale, rng = SIZE[1] / PAPER_WH[0], np.random.default_rng(zlib.crc32(name.encode()))
    marks = [m._replace(points=[(x * scale, y * scale) for x, y in m.points]) for m in MARKS[name]]
    return draw_marks(page, PAD, marks, rng)


if __name__ == "__main__":
    save_drawings(HERE, sys.argv[1:] or MARKS, "Draw", draw)
