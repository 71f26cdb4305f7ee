"""Draws the crude drawings in the app, with a mouse: `python -m tests.vunet.drawing.crude.draw`.

Run in the repository's root, it serves the app with networks of random weights (the paper does not
know them), opens the tab *Draw* in Chromium, chooses tools by clicking, moves the mouse, button
down, along the strokes of `strokes.py` and `people.py`, and writes what the page hands to the
server as NAME.png here. The hand is a seeded one: between the points laid out it goes in curves,
trembles, and misses where it meant to begin and to end.

Names as arguments draw these alone.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from apps.pad import INK, SIZE, WIDTHS, drawing_of, hex_of
from apps.page import launch
from tests.apps.tiny import FLAGS, tiny_drawing, tiny_person
from tests.vunet.drawing.crude.people import PEOPLE, Mark
from tests.vunet.drawing.crude.strokes import DRAWINGS, PAPER_WH, Points
from vunet.drawing.palette import REGIONS
from vunet.engine import Engine

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

HERE = Path(__file__).parent
PAD = "#draw-pad"
MARKS = {
    **{
        name: [Mark(garment.pen, "ink", points) for points in garment.strokes]
        for name, garment in DRAWINGS.items()
    },
    **PEOPLE,
}
"""What each of the thirty drawings consists of, in order."""
_STEP_PX = 10
"""From one pointer event to the next, in pixels of the paper."""
_TREMOR_PX = 1.2
_PATIENCE_MS = 300_000
_CORNER_DEG = 55
"""Where strokes turn by more, they have corners."""
_COLOURS = {"ink": hex_of(INK)} | {name: hex_of(rgb) for name, rgb in REGIONS.items()}
_PENS = {name: px for px, name in WIDTHS.items()}


def by_hand(points: Points, rng: np.random.Generator) -> np.ndarray:
    """Where the pointer goes along a stroke.

    Args:
        points: On paper of `PAPER_WH`.
        rng: Of the hand.

    Returns:
        (N, 2) x, y in pixels of the app's paper.
    """
    given = np.array(points, float) * SIZE[1] / PAPER_WH[0]
    given[[0, -1]] += rng.normal(0, _TREMOR_PX, (2, 2))
    ways = np.diff(given, axis=0)
    turns = np.degrees(np.arctan2(ways[:, 1], ways[:, 0]))
    sharp = np.abs((np.diff(turns) + 180) % 360 - 180) > _CORNER_DEG
    ends = [0, *(1 + np.flatnonzero(sharp)), len(given) - 1]
    pieces = [_curve(given[a : b + 1]) for a, b in itertools.pairwise(ends)]
    line = np.concatenate(pieces)
    shake = rng.normal(0, 1, (len(line) + 8, 2))
    window = np.hanning(11)[1:-1, None]
    shake = np.stack([(shake[i : i + 9] * window).sum(0) for i in range(len(line))])
    return line + shake * _TREMOR_PX / np.linalg.norm(window)


def _curve(knots: np.ndarray) -> np.ndarray:
    """(N, 2) through knots (K, 2), by Catmull and Rom."""
    before, after = 2 * knots[0] - knots[1], 2 * knots[-1] - knots[-2]
    through = np.vstack([before, knots, after])
    found = []
    for a, b, c, d in zip(through, through[1:], through[2:], through[3:], strict=False):
        count = max(1, round(float(np.hypot(*(c - b))) / _STEP_PX))
        t = np.linspace(0, 1, count, endpoint=False)[:, None]
        bend = (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        found.append(b + ((c - a) * t + bend) / 2)
    return np.vstack([*found, knots[-1:]])


def draw(page: Page, name: str) -> dict[str, Any]:
    """Draw with the mouse on the paper of the open tab, which is blank.

    Args:
        page: Of the app; painted drawings need its palette.
        name: One of `MARKS`.

    Returns:
        What the page hands to the server: a value of `apps.pad`.
    """
    marks, rng = MARKS[name], np.random.default_rng(zlib.crc32(name.encode()))

    def whole(request: Request) -> bool:
        value = _handed(request)
        return value is not None and len(value["strokes"]) == len(marks)

    with page.expect_request(whole) as asked:
        held = ("brush", "Medium", "ink")
        for mark in marks:
            held = _take(page, mark, held)
            places = by_hand(mark.points, rng) if len(mark.points) > 1 else None
            if places is None:
                places = np.array(mark.points, float) * SIZE[1] / PAPER_WH[0]
            _stroke(page, places)
    value = _handed(asked.value)
    assert value is not None
    return value


def shown(page: Page) -> np.ndarray:
    """(H, W, 3) uint8 RGB, what the paper shows."""
    flat = page.evaluate(
        """(pad) => { const c = document.querySelector(`${pad} canvas`);
            return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }""",
        PAD,
    )
    return np.array(flat, np.uint8).reshape(*SIZE, 4)[..., :3]


def _take(page: Page, mark: Mark, held: tuple[str, str, str]) -> tuple[str, str, str]:
    """Click the tool, width and colour of a mark where others are held."""
    tool = "fill" if mark.tool == "Fill" else "brush"
    wanted = (tool, held[1] if tool == "fill" else mark.tool, mark.colour)
    buttons = (
        f"[data-tool={tool}]",
        f'[data-width="{_PENS[wanted[1]]}"]',
        f'[data-colour="{_COLOURS[mark.colour]}"]',
    )
    for button, before, now in zip(buttons, held, wanted, strict=True):
        if before != now:
            page.click(f"{PAD} {button}")
    return wanted


def _stroke(page: Page, places: np.ndarray) -> None:
    """Move the mouse, button down, along places (N, 2) in pixels of the paper."""
    canvas = page.locator(f"{PAD} canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    scale = np.array([box["width"] / SIZE[1], box["height"] / SIZE[0]])
    x, y = (places * scale + [box["x"], box["y"]]).T.tolist()
    page.mouse.move(x[0], y[0])
    page.mouse.down()
    for to in zip(x[1:], y[1:], strict=True):
        page.mouse.move(*to)
    page.mouse.up()


def _handed(request: Request) -> dict[str, Any] | None:
    """The drawing within a request to the server."""
    if request.method != "POST" or "/queue/join" not in request.url:
        return None
    for value in (request.post_data_json or {}).get("data", []):
        if isinstance(value, dict) and "strokes" in value:
            return value
    return None


def main() -> None:
    """Write the pictures."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        engine = Engine.load(tiny_person(Path(folder)), device="cpu")
        app = launch(engine, None, block=False, drawings=[tiny_drawing(Path(folder), "regions")])
        assert app.local_url is not None
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in tqdm(sys.argv[1:] or MARKS, unit="drawing"):
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.set_default_timeout(_PATIENCE_MS)
            page.goto(app.local_url)
            page.get_by_role("tab", name="Draw").click()
            picture = Image.fromarray(drawing_of(draw(page, name)))
            picture = picture.quantize(256, dither=Image.Dither.NONE)  # less than half the bytes
            picture.save(HERE / f"{name}.png", optimize=True)
            page.close()
        browser.close()
        app.close(verbose=False)


if __name__ == "__main__":
    main()
