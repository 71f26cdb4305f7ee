"""A result on the page: the picture, before and after, what was made up, words and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from apps.cancel import Trigger, cancellable
from apps.studio import ENGINE, QUIET, Made, notes_of, refusal, told
from vunet.engine import Result
from vunet.images import read_image

RESULT, COMPARE, MADE_UP = "Result", "Before and after", "What was made up"


class ResultView:
    """Where a tab shows its pictures."""

    def __init__(self, name: str, *, at_first: bool = True) -> None:
        """Lay it out.

        Args:
            name: Of the tab; the picture's field is called so.
            at_first: Whether it is to be seen before there is a result.
        """
        with gr.Column(visible=at_first, elem_classes="result") as self._block:
            self.picture = gr.Image(
                label="Result",
                interactive=False,
                format="png",
                height=420,
                buttons=["download", "fullscreen"],
                elem_id=name,
            )
            self.slider = gr.ImageSlider(
                label="Before and after",
                interactive=False,
                type="filepath",
                visible=False,
                max_height=420,
                buttons=[],
                elem_id=f"{name}-compare",
            )
            self.show = gr.Radio(
                [RESULT, COMPARE, MADE_UP],
                value=RESULT,
                label="Show",
                info="Made up is what the photo does not show; the rest is copied from it.",
                elem_id=f"{name}-show",
                elem_classes="show",
            )
            self.notes = gr.Markdown(elem_classes="notes", elem_id=f"{name}-notes")
            with gr.Row(elem_classes="files"):
                self.mask = gr.DownloadButton("Download mask", size="sm", interactive=False)
                self.pose = gr.DownloadButton("Download pose", size="sm", interactive=False)
        self.made = gr.State(None)
        self._switching: dict[str, Any] = {
            "fn": told(self._switched),
            "inputs": [self.show, self.made],
            "outputs": [self.picture, self.slider],
            **QUIET,
        }
        self.show.change(**self._switching)

    @property
    def outputs(self) -> list[Any]:
        """What `values` fills: for programs picture, notes, mask and pose."""
        return [self.picture, self.notes, self.mask, self.pose, self.made]

    @staticmethod
    def values(
        drawn: Result, made: Made, further: Sequence[str] = (), given: Sequence[Any] = ()
    ) -> tuple[Any, ...]:
        """The values of `outputs`.

        Args:
            drawn: The result.
            made: Its files.
            further: Warnings to be said before the result's own.
            given: Fields that warnings may speak of.
        """
        notes = notes_of(tuple(dict.fromkeys((*further, *drawn.warnings))), given)
        return made.picture, notes, made.mask, made.pose, made

    def drawn_by(
        self, triggers: Sequence[Trigger], stop: gr.Button, call: Mapping[str, Any], api_name: str
    ) -> None:
        """Draw upon events, unless cancelled, and show each result as it was chosen to be shown.

        Args:
            triggers: Events; the first is the endpoint's for programs.
            stop: Cancels.
            call: The handler, which yields `values` at last, as `fn`, and its `inputs`.
            api_name: The endpoint's name.
        """
        common = {**call, "outputs": self.outputs, "show_progress_on": self.picture, **ENGINE}
        first, *others = triggers
        calls: list[tuple[Trigger, dict[str, Any]]] = [(first, {**common, "api_name": api_name})]
        calls += [(other, {**common, "api_visibility": "private"}) for other in others]
        for drawing in cancellable(stop, calls, shows=[self._block]):
            drawing.success(**self._switching)
            drawing.success(
                lambda: [gr.update(interactive=True)] * 2,
                None,
                [self.mask, self.pose],
                **QUIET,
            )

    @staticmethod
    def _switched(show: str, made: Made | None) -> tuple[Any, Any]:
        """Updates of picture and slider."""
        if made is None:
            return gr.skip(), gr.skip()
        if not Path(made.picture).is_file():
            raise refusal("This result is no longer kept; make it again.")
        if show == COMPARE:
            if made.before is not None and _alike(made.before, made.picture):
                both = (made.before, made.picture)
                return gr.update(visible=False), gr.update(value=both, visible=True)
            gr.Info("Photo and result have different frames; the result is shown alone.")
        picture = made.marked if show == MADE_UP else made.picture
        return gr.update(value=picture, visible=True), gr.update(visible=False)


def _alike(before: str, after: str) -> bool:
    """Whether two pictures have the same proportions, so that one can lie over the other."""
    (h, w), (H, W) = (read_image(path).shape[:2] for path in (before, after))
    return abs(h * W - w * H) < 0.01 * h * W
