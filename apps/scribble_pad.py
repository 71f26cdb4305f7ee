"""The scribble pad: paper for a stick figure, and what was understood of it laid over."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.pad import drawing_pad
from pose import Pose

_LEFT, _RIGHT, _MIDDLE = "#2f80ed", "#f2711c", "#16a34a"
_HINT = "Draw a stick figure:<br>a circle for the head, lines for trunk, arms and legs."


def scribble_pad(elem_id: str = "scribble-pad") -> gr.HTML:
    """Paper for a stick figure; see `apps.pad` for its value."""
    return drawing_pad(
        elem_id,
        label="Paper for a stick figure",
        hint=_HINT,
        tools=("brush", "line", "eraser"),
    )


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
