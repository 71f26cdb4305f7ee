"""The tab *Scribble*: a stick figure drawn by hand becomes a pose, and the person takes it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.editor import value_of
from apps.live import LIVE_HINT, live_hint, live_view
from apps.results import ResultView
from apps.scribble_pad import drawing_of, figure_lines, scribble_pad
from apps.studio import (
    ENGINE,
    QUIET,
    SOURCE,
    Panel,
    Studio,
    Upload,
    background_of,
    live_try,
    notes_of,
    path_of,
    seed_of,
    told,
)
from pose import Pose
from pose.scribble import Scribbled, ScribbleError, read_drawing
from vunet.engine import Result
from vunet.poses import place_on_photo, resolve_pose


def scribble_tab(studio: Studio, panel: Panel, tabs: gr.Tabs, editor: gr.HTML) -> None:
    """Lay out the tab; its endpoint for programs is `/scribble`.

    Args:
        studio: Draws.
        panel: Photo and settings.
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
            with gr.Row():
                go = gr.Button("Re-pose in full size", variant="primary", elem_id="scribble-go")
                correct = gr.Button("Correct in the editor", elem_id="scribble-correct")
        with gr.Column(min_width=240):
            live = live_view("scribble-live")
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
                background=background_of(background, backdrop),
                retarget=bool(retarget),
                seed=seed_of(seed),
            )

        picture, _ = live_try(drawn, "The person in the drawn pose")
        return understood, picture, notes_of(read.warnings)

    @told
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
    ) -> tuple[Any, ...]:
        """The person of a photo in the pose of a drawn stick figure, given as its strokes."""
        progress(0.1, desc="Reading the drawing")
        read = _sided(read_drawing(drawing_of(drawing)), swap)
        subject = studio.prepared(photo, person)
        progress(0.4, desc="Drawing")
        drawn = studio.engine.repose(
            subject,
            read.pose,
            background=background_of(background, backdrop),
            retarget=bool(retarget),
            seed=seed_of(seed),
        )
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
        whole = resolve_pose(read.pose, person=None, estimator=studio.engine.estimator).pose
        url = None
        if path_of(photo) is not None:
            subject = studio.prepared(photo, person).subject
            canvas = subject.image.shape[:2]
            whole, _ = place_on_photo(whole, subject.pose, keep_limbs=bool(retarget), canvas=canvas)
            url = studio.photo_url(photo, person)
        return value_of(whole, url), gr.Tabs(selected="editor")

    common = [panel.background, panel.backdrop, panel.retarget, panel.person, panel.seed]
    following: dict[str, Any] = {
        "fn": told(follow),
        "inputs": [pad, swap, panel.photo, *common],
        "outputs": [pad, live, notes],
        "trigger_mode": "always_last",
        **ENGINE,
        **QUIET,
    }
    pad.release(**following)
    swap.input(**following)
    for field in (panel.photo, *common):
        field.change(**following)
    drawing = go.click(
        draw,
        [panel.photo, pad, swap, *common],
        view.outputs,
        show_progress_on=view.picture,
        api_name="scribble",
        **ENGINE,
    )
    view.follow(drawing)
    correct.click(
        to_editor,
        [pad, swap, panel.photo, panel.retarget, panel.person],
        [editor, tabs],
        **ENGINE,
        **QUIET,
    )


def _sided(read: Scribbled, swap: bool) -> Scribbled:
    """What was read, with left and right exchanged if the user wants it so."""
    if not swap:
        return read
    order = list(read.pose.skeleton.mirror)
    pose = read.pose
    swapped = Pose(pose.skeleton, pose.keypoints[order], pose.confidence[order], pose.size)
    return Scribbled(swapped, read.warnings)
