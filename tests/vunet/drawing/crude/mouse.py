"""A script's mouse for the paper of the app, and the unsteady hand that moves it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from apps.pad import INK, SIZE, WIDTHS, drawing_of, hex_of
from apps.page import launch
from tests.apps.tiny import FLAGS, tiny_drawing, tiny_person
from tests.vunet.drawing.crude.people import Mark
from vunet.drawing.palette import REGIONS
from vunet.engine import Engine

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

PENS = {name: px for px, name in WIDTHS.items()}
"""Names of the brush's widths, and pixels."""
TREMOR_PX = 1.2
"""Of a hand that takes some care."""
_STEP_PX = 10
"""From one pointer event to the next, in pixels of the paper."""
_PATIENCE_MS = 300_000
_CORNER_DEG = 55
"""Where strokes turn by more, they have corners."""
_COLOURS = {"ink": hex_of(INK)} | {name: hex_of(rgb) for name, rgb in REGIONS.items()}


def by_hand(
    points: np.ndarray, rng: np.random.Generator, tremor_px: float = TREMOR_PX
) -> np.ndarray:
    """Where the pointer goes along a stroke.

    Args:
        points: In pixels of the app's paper, (N, 2) x, y.
        rng: Of the hand.
        tremor_px: How far it goes astray, as a standard deviation.

    Returns:
        (M, 2) x, y in pixels of the app's paper; a single place is left as it is.
    """
    given = np.array(points, float)
    if len(given) == 1:
        return given
    given[[0, -1]] += rng.normal(0, tremor_px, (2, 2))
    ways = np.diff(given, axis=0)
    turns = np.degrees(np.arctan2(ways[:, 1], ways[:, 0]))
    sharp = np.abs((np.diff(turns) + 180) % 360 - 180) > _CORNER_DEG
    ends = [0, *(1 + np.flatnonzero(sharp)), len(given) - 1]
    pieces = [_curve(given[a : b + 1]) for a, b in itertools.pairwise(ends)]
    line = np.concatenate(pieces)
    shake = rng.normal(0, 1, (len(line) + 8, 2))
    window = np.hanning(11)[1:-1, None]
    shake = np.stack([(shake[i : i + 9] * window).sum(0) for i in range(len(line))])
    return line + shake * tremor_px / np.linalg.norm(window)


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


def draw_marks(
    page: Page,
    pad: str,
    marks: Sequence[Mark],
    rng: np.random.Generator,
    tremor_px: float = TREMOR_PX,
) -> dict[str, Any]:
    """Draw with the mouse on the paper of the open tab, which is blank.

    Args:
        page: Of the app; painted drawings need its palette.
        pad: Selector of the paper.
        marks: In pixels of the paper.
        rng: Of the hand.
        tremor_px: See `by_hand`.

    Returns:
        What the page hands to the server: a value of `apps.pad`.
    """

    def whole(request: Request) -> bool:
        value = _handed(request)
        return value is not None and len(value["strokes"]) == len(marks)

    with page.expect_request(whole) as asked:
        held = ("brush", "Medium", "ink")
        for mark in marks:
            held = _take(page, pad, mark, held)
            _stroke(page, pad, by_hand(np.array(mark.points), rng, tremor_px))
    value = _handed(asked.value)
    assert value is not None
    return value


def shown(page: Page, pad: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB, what the paper shows."""
    flat = page.evaluate(
        """(pad) => { const c = document.querySelector(`${pad} canvas`);
            return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }""",
        pad,
    )
    return np.array(flat, np.uint8).reshape(*SIZE, 4)[..., :3]


def save_drawings(
    folder: Path, names: Iterable[str], tab: str, draw: Callable[[Page, str], dict[str, Any]]
) -> None:
    """Serve the app with networks of random weights, and keep NAME.png of what is drawn there.

    Args:
        folder: Where the pictures go.
        names: Of the drawings.
        tab: Name of the tab with the paper.
        draw: Draws one of them on the page.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as held, sync_playwright() as playwright:
        engine = Engine.load(tiny_person(Path(held)), device="cpu")
        app = launch(engine, None, block=False, drawings=[tiny_drawing(Path(held), "regions")])
        assert app.local_url is not None
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in tqdm(names, unit="drawing"):
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.set_default_timeout(_PATIENCE_MS)
            page.goto(app.local_url)
            page.get_by_role("tab", name=tab).click()
            picture = Image.fromarray(drawing_of(draw(page, name)))
            picture = picture.quantize(256, dither=Image.Dither.NONE)  # less than half the bytes
            picture.save(folder / f"{name}.png", optimize=True)
            page.close()
        browser.close()
        app.close(verbose=False)


def _take(page: Page, pad: str, mark: Mark, held: tuple[str, str, str]) -> tuple[str, str, str]:
    """Click the tool, width and colour of a mark where others are held."""
    tool = "fill" if mark.tool == "Fill" else "brush"
    wanted = (tool, held[1] if tool == "fill" else mark.tool, mark.colour)
    buttons = (
        f"[data-tool={tool}]",
        f'[data-width="{PENS[wanted[1]]}"]',
        f'[data-colour="{_COLOURS[mark.colour]}"]',
    )
    for button, before, now in zip(buttons, held, wanted, strict=True):
        if before != now:
            page.click(f"{pad} {button}")
    return wanted


def _stroke(page: Page, pad: str, places: np.ndarray) -> None:
    """Move the mouse, button down, along places (N, 2) in pixels of the paper."""
    canvas = page.locator(f"{pad} canvas")
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
