"""White paper to scribble on, as a component of the page.

Its value is `{"size": [height, width], "strokes": [{"width": px, "rub": bool, "points": [[x, y],
...]}]}` in pixels of the paper; the browser alone writes it, and triggers `release` after each
stroke, undo and clear. Python answers with the property `lines`, see `figure_lines`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from apps.errors import UsageError
from pose import Pose

SIZE = (640, 480)
MAX_POINTS = 100_000
_WEB = Path(__file__).parent / "web"
_MAX_PEN_PX = 100
_INK = (29, 36, 48)
_SHIFT = 4
"""Binary places of coordinates in OpenCV's drawing."""
_LEFT, _RIGHT, _MIDDLE = "#2f80ed", "#f2711c", "#16a34a"
_TEMPLATE = """
<div class="pad-tools" role="toolbar" aria-label="Drawing tools">
  <button type="button" data-do="pencil" aria-pressed="true">Pencil</button>
  <button type="button" data-do="eraser" aria-pressed="false">Eraser</button>
  <button type="button" data-do="undo">Undo</button>
  <button type="button" data-do="redo">Redo</button>
  <button type="button" data-do="clear">Clear</button>
  <label>Thickness <input type="range" min="2" max="16" value="6" aria-label="Thickness"></label>
</div>
<div class="pad-paper">
  <canvas tabindex="0" role="img" aria-label="Paper for a stick figure"></canvas>
  <div class="pad-hint">Draw a stick figure:<br>a circle for the head, lines for trunk, arms and
  legs.</div>
</div>
"""


def scribble_pad(elem_id: str = "scribble-pad") -> gr.HTML:
    """Paper for strokes of a pointer.

    No class of its own: gradio writes a stub file beside the module of each component class.
    """
    pad = gr.HTML(
        value=blank(),
        html_template=_TEMPLATE,
        css_template=(_WEB / "scribble.css").read_text(encoding="utf-8"),
        js_on_load=(_WEB / "scribble.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
        lines=[],
    )
    described = {"type": "object", "description": "size and strokes, see apps/scribble_pad.py"}
    pad.api_info = lambda: described  # pyright: ignore[reportAttributeAccessIssue]
    pad.example_payload = blank
    return pad


def blank() -> dict[str, Any]:
    """Empty paper."""
    return {"size": list(SIZE), "strokes": []}


def drawing_of(value: object) -> np.ndarray:
    """The strokes as a picture.

    Args:
        value: The component's; it comes from outside.

    Returns:
        (H, W, 3) uint8 RGB, dark strokes on white.

    Raises:
        UsageError: If it is no such value.
    """
    strokes = value.get("strokes") if isinstance(value, Mapping) else None
    if not isinstance(strokes, list):
        raise UsageError("the drawing holds no strokes; draw a stick figure first")
    paper = np.full((*SIZE, 3), 255, np.uint8)
    points_left = MAX_POINTS
    for stroke in strokes:
        points, pen, rub = _stroke(stroke)
        points_left -= len(points)
        if points_left < 0:
            raise UsageError(f"the drawing has more than {MAX_POINTS} points; draw a simpler one")
        at = np.rint(points * 2**_SHIFT).astype(np.int32)
        cv2.polylines(
            paper, [at], False, (255, 255, 255) if rub else _INK, pen, cv2.LINE_AA, _SHIFT
        )
    return paper


def _stroke(stroke: object) -> tuple[np.ndarray, int, bool]:
    """Points (N, 2), thickness in pixels and whether it rubs out."""
    fault = UsageError("the drawing is damaged; draw the figure anew")
    if not isinstance(stroke, Mapping):
        raise fault
    pen, rub = stroke.get("width"), bool(stroke.get("rub"))
    try:
        points = np.array(stroke.get("points"), dtype=np.float64)
        thick = float(pen)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError) as error:
        raise fault from error
    if points.ndim != 2 or points.shape[1:] != (2,) or not len(points):
        raise fault
    if not (math.isfinite(thick) and np.isfinite(points).all()):
        raise fault
    points = np.clip(points, -max(SIZE), 2 * max(SIZE))
    if len(points) == 1:
        points = np.repeat(points, 2, axis=0)
    return points, round(min(max(thick, 1), _MAX_PEN_PX)), rub


def figure_lines(pose: Pose) -> list[list[Any]]:
    """What was understood, to be laid over the strokes: left limbs blue, right ones orange.

    Args:
        pose: On the paper, in its pixels.

    Returns:
        [x0, y0, x1, y1, "#rrggbb"] for each limb.
    """
    names = pose.skeleton.keypoints
    return [
        [*pose.keypoints[[a, b]].round(1).ravel().tolist(), _colour(names[a], names[b])]
        for a, b in pose.skeleton.limbs
        if pose.present[a] and pose.present[b]
    ]


def _colour(a: str, b: str) -> str:
    sides = {name.partition("_")[0] for name in (a, b)}
    return _LEFT if sides == {"left"} else _RIGHT if sides == {"right"} else _MIDDLE
