"""A picture with its variations below it: a click on one shows it in large."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from apps.cancel import Trigger, cancellable
from apps.studio import ENGINE, QUIET, refusal, told


class VariationsView:
    """The fields, hidden until the first call begins."""

    def __init__(self, name: str) -> None:
        """Lay out the fields.

        Args:
            name: Before the ids: `name`-result, `name`-variations, `name`-notes.
        """
        with gr.Column(visible=False, elem_classes="result") as self.block:
            self.picture = gr.Image(
                label="Result",
                interactive=False,
                format="png",
                height=420,
                buttons=["download", "fullscreen"],
                elem_id=f"{name}-result",
            )
            self.gallery = gr.Gallery(
                label="Variations",
                columns=4,
                height="auto",
                object_fit="contain",
                interactive=False,
                allow_preview=False,
                buttons=[],
                visible=False,
                elem_id=f"{name}-variations",
                elem_classes="variations",
            )
            self.notes = gr.Markdown(elem_classes="notes", elem_id=f"{name}-notes")
        self.made = gr.State(())
        self.gallery.select(told(_chosen), self.made, self.picture, **QUIET)

    @property
    def outputs(self) -> list[Any]:
        """What `values` fills: for programs picture, notes and all pictures."""
        return [self.picture, self.notes, self.gallery, self.made]

    @staticmethod
    def values(paths: list[str], notes: str) -> tuple[Any, ...]:
        """The values of `outputs`: of pictures' files, the first of them in large."""
        return paths[0], notes, paths, tuple(paths)

    def drawn_by(
        self,
        trigger: Trigger,
        stop: gr.Button,
        call: Mapping[str, Any],
    ) -> Any:  # noqa: ANN401 - gradio's dependency
        """Draw upon an event, unless cancelled.

        Args:
            trigger: The event.
            stop: Cancels.
            call: The handler, which returns `values` and perhaps more, as `fn`, its `inputs`, and
                further `outputs`, if any; more of gradio's options.
        """
        outputs = [*self.outputs, *call.get("outputs", ())]
        whole = {**call, "outputs": outputs, "show_progress_on": self.picture, **ENGINE}
        (drawn,) = cancellable(stop, [(trigger, whole)], shows=[self.block])
        drawn.success(
            lambda paths: gr.update(visible=len(paths) > 1), self.made, self.gallery, **QUIET
        )
        return drawn


def _chosen(paths: tuple[str, ...], event: gr.SelectData) -> str:
    """The variation that was clicked."""
    path = paths[event.index] if 0 <= event.index < len(paths) else ""
    if not Path(path).is_file():
        raise refusal("This result is no longer kept; make it again.")
    return path
