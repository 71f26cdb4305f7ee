"""White paper to draw on, as a component of the page.

Its value is `{"size": [height, width], "strokes": [...]}` in pixels of the paper. A stroke is

    {"points": [[x, y], ...], "width": px, "rub": bool, "colour": "#rrggbb"}
    {"runs": [[y, x0, x1], ...], "colour": "#rrggbb"}

A colour may be absent, which is ink; the second is an area that was filled in, from x0 to before x1
in each row y. The browser alone writes the value, and triggers `release` after each stroke, fill,
undo, redo and clear. Python may set `given` (from `given_strokes`: strokes that become the drawing,
which can be undone), `lines` ([x0, y0, x1, y1, "#rrggbb"] each, laid over the strokes), `shadow`
and `strength` (a picture's address, laid under the strokes, and from 0 to 1 how strongly; no part
of the value) and `painting` (whether colours are offered).
"""

from __future__ import annotations

import html
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from apps.errors import UsageError

SIZE = (640, 480)
"""(height, width) of the paper in pixels."""
MAX_POINTS = 100_000
"""Drawings of more points are refused; a run counts as one."""
MAX_PEN_PX = 100
"""Strokes are no wider, whatever is asked for."""
TOOLS = {
    "brush": ("Brush", "B"),
    "line": ("Line", "L"),
    "eraser": ("Eraser", "E"),
    "fill": ("Fill", "F"),
}
"""Names of tools, what their buttons say, and their keys."""
WIDTHS = {3: "Thin", 6: "Medium", 10: "Thick", 16: "Very thick"}
"""Widths of the brush in pixels of the paper, and their names."""
INK = (29, 36, 48)
"""RGB of strokes without a colour; `web/pad.js` knows it, too."""
_WEB = Path(__file__).parent / "web"
_SHIFT = 4
"""Binary places of coordinates in OpenCV's drawing."""
_FINER = 4
"""Strokes are drawn so many times as large: OpenCV's own soft edges make thin lines too wide."""
_HEX = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_DAMAGED = "the drawing is damaged; draw it anew"


def drawing_pad(
    elem_id: str,
    *,
    label: str,
    hint: str,
    tools: Sequence[str] = tuple(TOOLS),
    colours: Mapping[str, tuple[int, int, int]] | None = None,
    painting: bool = False,
    starts: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    strength: float = 1,
) -> gr.HTML:
    """Paper for a pointer or the keyboard.

    No class of its own: gradio writes a stub file beside the module of each component class.

    Args:
        elem_id: Of the component.
        label: Name of the paper for screen readers.
        hint: Said on empty paper.
        tools: Some of `TOOLS`.
        colours: Names and RGB of the palette beside the ink.
        painting: Whether the palette is to be seen at first.
        starts: Ready-made drawings: names and strokes.
        strength: Of the shadow at first.
    """
    pad = gr.HTML(
        value=blank(),
        html_template=_template(label, hint, tools, colours or {}, tuple(starts or ())),
        css_template=(_WEB / "pad.css").read_text(encoding="utf-8"),
        js_on_load=(_WEB / "pad.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
        given=None,
        lines=[],
        shadow="",
        strength=strength,
        painting=painting,
        starts=dict(starts or {}),
    )
    described = {"type": "object", "description": "size and strokes, see apps/pad.py"}
    pad.api_info = lambda: described  # pyright: ignore[reportAttributeAccessIssue]
    pad.example_payload = blank
    return pad


def blank() -> dict[str, Any]:
    """Empty paper."""
    return {"size": list(SIZE), "strokes": []}


def is_blank(value: object) -> bool:
    """Whether nothing has been drawn."""
    return not value or (isinstance(value, Mapping) and value.get("strokes") == [])


def given_strokes(strokes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Strokes as the pad's `given`: the same ones count again each time."""
    return {"token": secrets.token_hex(8), "strokes": list(strokes)}


def hex_of(colour: tuple[int, int, int]) -> str:
    """RGB as "#rrggbb"."""
    return "#" + bytes(colour).hex()


def drawing_of(value: object) -> np.ndarray:
    """The strokes as a picture.

    Args:
        value: The component's; it comes from outside.

    Returns:
        (H, W, 3) uint8 RGB, what was drawn on white.

    Raises:
        UsageError: If it is no such value.
    """
    strokes = value.get("strokes") if isinstance(value, Mapping) else None
    if not isinstance(strokes, list):
        raise UsageError("the drawing holds no strokes; draw something first")
    paper = np.full((_FINER * SIZE[0], _FINER * SIZE[1], 3), 255, np.uint8)
    points_left = MAX_POINTS
    for stroke in strokes:
        if not isinstance(stroke, Mapping):
            raise UsageError(_DAMAGED)
        colour = _colour(stroke.get("colour"))
        filled = "runs" in stroke
        points = _numbers(stroke["runs"], 3) if filled else _numbers(stroke.get("points"), 2)
        points_left -= len(points)
        if points_left < 0:
            raise UsageError(f"the drawing has more than {MAX_POINTS} points; draw a simpler one")
        if filled:
            _fill(paper, points, colour)
            continue
        if len(points) == 1:
            points = np.repeat(points, 2, axis=0)
        # the canvas counts from the pixels' corners, OpenCV from their centres
        at = np.rint((points * _FINER - 0.5) * 2**_SHIFT).astype(np.int32)
        shade = (255, 255, 255) if stroke.get("rub") else colour
        width = _FINER * _pen(stroke.get("width")) - 1
        cv2.polylines(paper, [at], False, shade, width, cv2.LINE_8, _SHIFT)
    return cv2.resize(paper, SIZE[::-1], interpolation=cv2.INTER_AREA)


def _numbers(given: object, per_row: int) -> np.ndarray:
    """(N, per_row) float64, near the paper."""
    try:
        numbers = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(_DAMAGED) from error
    if numbers.ndim != 2 or numbers.shape[1] != per_row or not np.isfinite(numbers).all():
        raise UsageError(_DAMAGED)
    return np.clip(numbers, -max(SIZE), 2 * max(SIZE))


def _pen(given: object) -> int:
    """Width in pixels."""
    try:
        width = float(given)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(_DAMAGED) from error
    if not math.isfinite(width):
        raise UsageError(_DAMAGED)
    return round(min(max(width, 1), MAX_PEN_PX))


def _colour(given: object) -> tuple[int, int, int]:
    if given is None:
        return INK
    if not isinstance(given, str) or not _HEX.fullmatch(given.lower()):
        raise UsageError(_DAMAGED)
    red, green, blue = bytes.fromhex(given[1:])
    return red, green, blue


def _fill(paper: np.ndarray, runs: np.ndarray, colour: tuple[int, int, int]) -> None:
    height, width = paper.shape[:2]
    for y, x0, x1 in _FINER * runs.astype(np.int64):
        if 0 <= y < height:
            paper[y : y + _FINER, max(x0, 0) : min(max(x1, 0), width)] = colour


def _template(
    label: str,
    hint: str,
    tools: Sequence[str],
    colours: Mapping[str, tuple[int, int, int]],
    starts: Sequence[str],
) -> str:
    def button(data: str, words: str, *, name: str = "", pressed: bool | None = None) -> str:
        state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
        called = f' aria-label="{name}" title="{name}"' if name else ""
        return f'<button type="button" {data}{state}{called}>{words}</button>'

    parts = [
        button(
            f'data-tool="{tool}" aria-keyshortcuts="{key}" title="{words} ({key})"',
            words,
            pressed=tool == tools[0],
        )
        for tool, (words, key) in TOOLS.items()
        if tool in tools
    ]
    pens = [
        button(
            f'data-width="{px}"',
            f'<i style="width:{px}px;height:{px}px"></i>',
            name=name,
            pressed=name == "Medium",
        )
        for px, name in WIDTHS.items()
    ]
    deeds = [button(f'data-do="{deed}"', deed.capitalize()) for deed in ("undo", "redo", "clear")]
    shades = [
        button(
            f'data-colour="{hex_of(rgb)}"',
            f'<i style="background:{hex_of(rgb)}"></i>{html.escape(name.capitalize())}',
            pressed=name == "ink",
        )
        for name, rgb in ({"ink": INK, **colours}).items()
    ]
    ready = [button(f'data-start="{html.escape(s)}"', html.escape(s)) for s in starts]
    groups = (("Tools", parts), ("Width of the brush", pens), ("Changes", deeds))
    bar = "".join(
        f'<div class="pad-group" role="group" aria-label="{name}">{"".join(buttons)}</div>'
        for name, buttons in groups
    )
    start = f"<span>Start from</span>{''.join(ready)}" if ready else ""
    keys = "Arrow keys move, space puts the pen down and lifts it."
    return f"""
<div class="pad-tools" role="toolbar" aria-label="Drawing tools">{bar}</div>
<div class="pad-palette" role="group" aria-label="Colours" hidden>{"".join(shades)}</div>
<div class="pad-paper">
  <canvas tabindex="0" role="application" aria-label="{html.escape(label)}. {keys}"></canvas>
  <div class="pad-hint">{hint}</div>
</div>
<div class="pad-starts">{start}</div>
"""
