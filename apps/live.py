"""Pictures that follow the pointer: small, sent within the page, never written to disk."""

from __future__ import annotations

import base64
import html

import cv2
import gradio as gr
import numpy as np

LIVE_HINT = "The person appears here and follows what you draw."
_QUALITY = 88
_TINT = (14, 116, 144)
"""RGB of a shadow's darkest lines."""


def live_view(name: str, hint: str = LIVE_HINT) -> gr.HTML:
    """A place for such pictures, with a sentence until there is one."""
    return gr.HTML(live_hint(hint), elem_id=name, elem_classes="live")


def live_picture(image: np.ndarray, alt: str) -> str:
    """A picture (H, W, 3) uint8 RGB as the value of a `live_view`."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    text = base64.b64encode(data.tobytes()).decode("ascii")
    return f'<img alt="{html.escape(alt)}" src="data:image/jpeg;base64,{text}">'


def live_hint(text: str) -> str:
    """A sentence in the place of a picture."""
    return f'<p class="live-hint">{html.escape(text)}</p>'


def shadow_picture(lines: np.ndarray) -> str:
    """Lines (H, W) uint8 as tinted lines on white: an address that holds it, for a pad's shadow."""
    share = lines[..., None].astype(np.float32) / 255
    tinted = np.rint(255 - share * (255 - np.array(_TINT, np.float32))).astype(np.uint8)
    _, data = cv2.imencode(".png", tinted[..., ::-1])
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode("ascii")
