"""What photos add to the tab *Draw*: a shadow under the strokes, and the photos nearest to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np

from apps.finding import Finding, Own, Searched
from apps.live import shadow_picture
from apps.matches import match_list, nothing
from apps.pad import drawing_of, is_blank
from apps.studio import Panel, Upload, number_of, path_of
from vunet.gallery.shadow import MOST

GENTLE = 0.4
"""How strong shadows are at first."""


class Guidance:
    """The fields in the tab, and what fills them."""

    def __init__(self, finding: Finding, searched: Searched) -> None:
        self._finding = finding
        self._searched = searched
        self.strength: gr.Slider | None = None
        """How strong the shadow is, once laid out; hidden as long as there are no photos."""

    @property
    def states(self) -> list[gr.State]:
        """Which photos are searched: inputs of what calls `nearest`."""
        return [self._searched.own, self._searched.where]

    def slider(self) -> gr.Slider:
        """Lay out how strong the shadow is."""
        self.strength = gr.Slider(
            0,
            1,
            value=GENTLE,
            step=0.05,
            label="Shadow",
            info="Outlines of the photos that match best, under your strokes; 0 is off.",
            buttons=[],
            visible=self._finding.has_folder,
            elem_id="draw-shadow",
        )
        return self.strength

    def follow(
        self,
        panel: Panel,
        tab: gr.Tab,
        fields: tuple[gr.Image, gr.HTML, gr.Slider],
        triggers: list[Callable[..., Any]],
    ) -> None:
        """Keep the shadow up to date.

        Args:
            panel: Says which tab is open.
            tab: Where the pad is.
            fields: The picture of a drawing, the pad, and how strong the shadow is.
            triggers: Events beside those of pad and slider.
        """

        def under(
            drawing: Upload,
            pad: Any,  # noqa: ANN401 - JSON
            strength: float,
            own: Own | None,
            where: str,
        ) -> dict[str, Any]:
            share = number_of(strength, "Shadow", 0, 1)
            if not share or path_of(drawing) is not None or is_blank(pad):
                return gr.update(shadow="")
            try:
                paper = drawing_of(pad)
                gallery = self._finding.searched(own, where)
                found = self._finding.find(gallery, paper, MOST, "drawing")
                lines = self._finding.shadow(found, paper)
            except (gr.Error, ValueError):  # no photos, or no lines yet: no shadow
                lines = None
            if lines is None:
                return gr.update(shadow="")
            return gr.update(shadow=shadow_picture(lines), strength=share)

        drawing, pad, strength = fields
        panel.follow(
            tab,
            under,
            [drawing, pad, strength, *self.states],
            pad,
            [pad.release, strength.input, *triggers],
        )

    def nearest(self, paper: np.ndarray, own: Own | None, where: str) -> dict[str, Any]:
        """The photos nearest to a drawing (H, W, 3) uint8 RGB, as the value of a match list."""
        try:
            gallery = self._finding.searched(own, where)
            return self._finding.listed(self._finding.find(gallery, paper, MOST, "drawing"))
        except (gr.Error, ValueError):  # no photos
            return nothing()


def nearest_list() -> tuple[gr.Column, gr.HTML]:
    """Lay out the photos nearest to what a result was made of."""
    with gr.Column(visible=False, elem_id="draw-nearest") as block:
        gr.Markdown("Nearest photos", elem_classes="step")
        shown = match_list("draw-near", "Nearest photos", choosable=False)
    return block, shown
