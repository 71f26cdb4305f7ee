"""The tab *Scribble*: a stick figure drawn by hand becomes a pose, and the person takes it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import gradio as gr

from apps.cancel import cancel_button, staged
from apps.editor import value_of
from apps.live import LIVE_HINT, live_hint, live_view
from apps.pad import drawing_of
from apps.results import ResultView
from apps.scribble_pad import figure_lines, scribble_pad
from apps.studio import (
    ARRANGING,
    SOURCE,
    Panel,
    Studio,
    Upload,
    asked,
    live_try,
    notes_of,
    path_of,
    told,
)
from pose import Pose
from pose.scribble import Scribbled, ScribbleError, read_drawing
from vunet.engine import Result


def scribble_tab(studio: Studio, panel: Panel, tab: gr.Tab, tabs: gr.Tabs, editor: gr.HTML) -> None:
    """Lay out the tab; its endpoint for programs is `/scribble`.

    Args:
        studio: Draws.
        panel: Photo and settings.
        tab: Its own.
        tabs: All of them; *Pose editor* is chosen to correct a figure.
        editor: The pose editor.
    """
    with gr.Row(equal_height=False):
        with gr.Column(min_width=240):
            pad = scribble_pad()
            swap = gr.Checkbox(
                label="Swap left and right",
                info="Blue is the person's left, orange their right.",
                elem_id="swap",
            )
            notes = gr.Markdown(elem_classes="notes", elem_id="scribble-understood")
            correct = gr.Button("Correct it in the editor", size="sm", elem_id="scribble-correct")
        with gr.Column(min_width=240):
            live = live_view("scribble-live")
            with gr.Row(elem_classes="go"):
                go = gr.Button("Re-pose in full size", variant="primary", elem_id="scribble-go")
                stop = cancel_button("scribble-stop")
            view = ResultView("scribble-result", at_first=False)

    def follow(
        value: Any,  # noqa: ANN401 - JSON
        swap: bool,
        photo: Upload,
        background: str,
        backdrop: Upload,
        retarget: bool,
        person: float | None,
        seed: float | None,
    ) -> tuple[Any, ...]:
        """What is understood, and the person in that pose, small."""
        drawing = drawing_of(value)
        if not value["strokes"]:
            return gr.update(lines=[]), live_hint(LIVE_HINT), ""
        try:
            read = _sided(read_drawing(drawing), swap)
        except ScribbleError as error:
            return gr.update(lines=[]), live_hint(str(error)), ""
        understood = gr.update(lines=figure_lines(read.pose))
        if path_of(photo) is None:
            hint = live_hint("Give a photo of the person, and they take this pose.")
            return understood, hint, notes_of(read.warnings)

        def drawn() -> Result:
            return studio.engine.repose(
                studio.prepared(photo, person, preview=True),
                read.pose,
                **asked(background, backdrop, retarget, seed),
            )

        picture, _ = live_try(drawn, "The person in the drawn pose", (photo,))
        return understood, picture, notes_of(read.warnings)

    @staged
    def draw(
        photo: Upload,
        drawing: Any,  # noqa: ANN401 - JSON
        swap: bool = False,
        background: str = SOURCE,
        backdrop: Upload = None,
        retarget: bool = True,
        person: float | None = 1,
        seed: float | None = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> Generator[None, None, Any]:
        """The person of a photo in the pose of a drawn stick figure, given as its strokes."""
        settings = asked(background, backdrop, retarget, seed)
        read = _sided(read_drawing(drawing_of(drawing)), swap)
        subject = yield from studio.steps(progress, photo, person, settings["background"])
        drawn = studio.engine.repose(subject, read.pose, **settings)
        yield
        return view.values(drawn, studio.saved(drawn, photo), read.warnings)

    @told
    def to_editor(
        drawing: Any,  # noqa: ANN401 - JSON
        swap: bool,
        photo: Upload,
        retarget: bool,
        person: float | None,
    ) -> tuple[Any, Any]:
        """The figure in the editor, where the person of the photo would take it."""
        read = _sided(read_drawing(drawing_of(drawing)), swap)
        if path_of(photo) is None:
            return value_of(studio.whole(read.pose), None), gr.Tabs(selected="editor")
        placed = studio.on_photo(read.pose, photo, person, bool(retarget))
        return value_of(placed, studio.photo_url(photo, person)), gr.Tabs(selected="editor")

    common = [panel.background, panel.backdrop, panel.retarget, panel.person, panel.seed]
    triggers = [pad.release, swap.input]
    triggers += [field.change for field in (panel.photo, *common)]
    panel.follow(tab, follow, [pad, swap, panel.photo, *common], [pad, live, notes], triggers)
    call = {"fn": draw, "inputs": [panel.photo, pad, swap, *common]}
    view.drawn_by([go.click], stop, call, "scribble")
    correct.click(
        to_editor,
        [pad, swap, panel.photo, panel.retarget, panel.person],
        [editor, tabs],
        **ARRANGING,
    )


def _sided(read: Scribbled, swap: bool) -> Scribbled:
    """What was read, with left and right exchanged if the user wants it so."""
    if not swap:
        return read
    order = list(read.pose.skeleton.mirror)
    pose = read.pose
    swapped = Pose(pose.skeleton, pose.keypoints[order], pose.confidence[order], pose.size)
    return Scribbled(swapped, read.warnings)
