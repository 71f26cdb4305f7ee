"""Draws the crude faces in the app, with a mouse: `python -m tests.vunet.face.crude.draw`.

Run in the repository's root, it goes along the strokes of `strokes.py` on the paper of a tab, as
`tests/vunet/drawing/crude/draw.py` does, and writes what the page hands to the server as NAME.png
here. `--tab NAME` takes the paper of another tab, which is the same. Names as arguments draw these
alone.
"""

from __future__ import annotations

import argparse
import functools
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.pad import SIZE
from tests.vunet.drawing.crude.mouse import PENS, by_hand, draw_marks, save_drawings
from tests.vunet.face.crude.strokes import FACES

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
TAB = "Draw"
TREMOR_PX = 2.0


def pad_value(name: str) -> dict[str, Any]:
    """One of `FACES` as a value of `apps.pad`, as the page hands it over but without a page."""
    rng = _hand(name)
    strokes = [
        {
            "points": by_hand(np.array(mark.points), rng, TREMOR_PX).tolist(),
            "width": PENS[mark.tool],
            "rub": False,
        }
        for mark in FACES[name]
    ]
    return {"size": list(SIZE), "strokes": strokes}


def draw(page: Page, name: str, tab: str = TAB) -> dict[str, Any]:
    """Draw one of `FACES` on the blank paper of the open tab; what the server gets of it."""
    return draw_marks(page, f"#{tab.lower()}-pad", FACES[name], _hand(name), TREMOR_PX)


def _hand(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--tab", default=TAB)
    given = parser.parse_args()
    save_drawings(HERE, given.names or FACES, given.tab, functools.partial(draw, tab=given.tab))


if __name__ == "__main__":
    main()
