"""Photos that were found, as a component of the page: rank, name and score of each.

Its value is `{"matches": [{"rank": 1, "name": "a/shirt.jpg", "score": 0.91, "by": "drawing",
"mirrored": false, "box": [x0, y0, x1, y1], "picture": "data:image/jpeg;base64,..."}, ...]}`, best
first; boxes are in the photo's pixels. Python alone writes it. Where photos can be chosen, `select`
comes with the `name`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

_WEB = Path(__file__).parent / "web"
_QUALITY = 82


def match_list(elem_id: str, label: str, *, choosable: bool) -> gr.HTML:
    """A place for photos that were found.

    Args:
        elem_id: Of the component.
        label: Name of the list for screen readers.
        choosable: Whether a photo can be chosen.
    """
    shown = gr.HTML(
        value=nothing(),
        html_template=f'<ul class="matches" aria-label="{label}"></ul>',
        css_template=(_WEB / "matches.css").read_text(encoding="utf-8"),
        js_on_load=(_WEB / "matches.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
        choosable=choosable,
    )
    described = {"type": "object", "description": "photos, best first, see apps/matches.py"}
    shown.api_info = lambda: described  # pyright: ignore[reportAttributeAccessIssue]
    shown.example_payload = nothing
    return shown


def nothing() -> dict[str, Any]:
    """The value without photos."""
    return {"matches": []}


def entries(found: Sequence[tuple[Any, str, str]]) -> dict[str, Any]:
    """The value for photos.

    Args:
        found: `vunet.gallery.gallery.Match`, name and small picture (from `picture_url`) of each,
            best first.
    """
    return {
        "matches": [
            {
                "rank": rank,
                "name": name,
                "score": round(float(match.score), 4),
                "by": match.by,
                "mirrored": match.mirrored,
                "box": [float(value) for value in match.box],
                "picture": picture,
            }
            for rank, (match, name, picture) in enumerate(found, 1)
        ]
    }


def picture_url(image: np.ndarray) -> str:
    """A small picture (H, W, 3) uint8 RGB as an address that holds it."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
