"""The tab *Pose editor*: drag a figure over the photo, and the person follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, cast, get_args

import gradio as gr
import numpy as np

from apps.editor import PoseEditor, pose_of, value_of
from apps.live import live_hint, live_view
from apps.results import ResultView
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
    preset_named,
    refusal,
    seed_of,
    told,
    words_of,
)
from pose import Pose
from pose.complete import INFERRED_CONFIDENCE
from pose.formats import write_poses
from pose.presets import PRESETS
from pose.retarget import body_scale, retarget
from pose.stick import draw_controlnet
from vunet.engine import MAX_SIDE_PX, PREVIEW_PX, Result
from vunet.images import ImageError, write_png
from vunet.poses import place_on_photo, resolve_pose

Format = Literal["openpose", "coco", "mediapipe", "native"]
FORMATS = {"OpenPose": "openpose", "COCO": "coco", "MediaPipe": "mediapipe", "vunet": "native"}


def editor_tab(studio: Studio, panel: Panel, editor: PoseEditor) -> None:
    """Lay out the tab; its endpoints are `/edit_pose`, `/import_pose` and `/export_pose`.

    Args:
        studio: Draws.
        panel: Photo and settings.
        editor: Made before, as other tabs use it as well; it is placed here.
    """
    with gr.Row(equal_height=False):
        with gr.Column(min_width=240):
            editor.render()
            with gr.Row():
                detected = gr.Button("Pose of the photo", size="sm", elem_id="detected")
                proportions = gr.Button("Person's proportions", size="sm", elem_id="proportions")
            preset = gr.Dropdown(
                [("Start from a preset", ""), *((words_of(name), name) for name in PRESETS)],
                value="",
                show_label=False,
                label="Preset to start from",
                elem_id="editor-preset",
            )
            with gr.Accordion("Import and export", open=False, elem_id="pose-files"):
                given = gr.File(
                    label="Pose file or stick picture to import",
                    file_types=[".json", ".csv", "image"],
                    height=130,
                    elem_id="import-pose",
                )
                kind = gr.Dropdown(list(FORMATS), value="OpenPose", label="Format to export")
                export = gr.Button("Export", size="sm", elem_id="export-pose")
                files = gr.File(
                    label="Pose file and ControlNet picture",
                    interactive=False,
                    visible=False,
                    elem_id="exported",
                )
        with gr.Column(min_width=240):
            live = live_view("editor-live")
            notes = gr.Markdown(elem_classes="notes", elem_id="editor-notes")
            go = gr.Button("Re-pose in full size", variant="primary", elem_id="editor-go")
            view = ResultView("editor-result", at_first=False)

    def on_photo(pose: Pose, photo: Upload, person: float | None, keep_limbs: bool) -> Pose:
        """A pose where the person of the photo would take it."""
        subject = studio.prepared(photo, person).subject
        pose = resolve_pose(pose, person=None, estimator=studio.engine.estimator).pose
        if pose.size == subject.image.shape[:2]:
            return pose  # made on this photo
        canvas = subject.image.shape[:2]
        return place_on_photo(pose, subject.pose, keep_limbs=keep_limbs, canvas=canvas)[0]

    def drawn_in(
        pose: Pose,
        photo: Upload,
        behind: str,
        person: float | None,
        seed: float | None,
        *,
        small: bool,
    ) -> Result:
        """The person just where the figure stands."""
        assert pose.size is not None
        return studio.engine.repose(
            studio.prepared(photo, person, preview=small),
            pose,
            frame="pose",
            background=behind,
            retarget=False,
            size=PREVIEW_PX if small and max(pose.size) > PREVIEW_PX else None,
            seed=seed_of(seed),
        )

    @told
    def photo_changed(photo: Upload, person: float | None, value: Any) -> Any:  # noqa: ANN401
        """Its own pose, or the figure made before there was a photo, on it."""
        if path_of(photo) is None:
            return value_of(pose_of(value), None) if value else gr.skip()
        if value and not value.get("photo"):
            try:
                url = studio.photo_url(photo, person)
                placed = on_photo(pose_of(value), photo, person, True)
                return value_of(_without_guesses(placed), url)
            except ImageError:  # said by the field itself
                return gr.skip()
        return start(photo, person)

    @told
    def start(photo: Upload, person: float | None) -> dict[str, Any]:
        if path_of(photo) is None:
            return gr.skip()
        try:
            subject = studio.prepared(photo, person).subject
        except ImageError:  # said by the field itself
            return gr.skip()
        return value_of(subject.pose, studio.photo_url(photo, person))

    @told
    def start_from(
        preset: str, photo: Upload, retarget: bool, person: float | None
    ) -> dict[str, Any]:
        if not preset:
            return gr.skip()
        pose = PRESETS[preset_named(preset)]
        if path_of(photo) is None:
            return value_of(pose, None)
        placed = on_photo(pose, photo, person, bool(retarget))
        return value_of(placed, studio.photo_url(photo, person))

    @told
    def proportioned(value: Any, photo: Upload, person: float | None) -> dict[str, Any]:  # noqa: ANN401
        """The same bends with the person's limbs, on the same feet or hips."""
        subject = studio.prepared(photo, person).subject
        pose = resolve_pose(pose_of(value), person=None, estimator=studio.engine.estimator).pose
        fitted = retarget(pose, subject.pose)
        scale = body_scale(subject.pose) / body_scale(fitted)
        fitted = fitted.transformed(np.diag([scale, scale, 1.0])[:2], pose.size)
        hips = [pose.skeleton.index[name] for name in ("left_hip", "right_hip")]
        shift = (pose.keypoints[hips] - fitted.keypoints[hips]).mean(axis=0)
        placed = replace(fitted, keypoints=fitted.keypoints + shift)
        return value_of(_without_guesses(placed), studio.photo_url(photo, person))

    @told
    def import_pose(
        file: Upload, photo: Upload = None, retarget: bool = True, person: float | None = 1
    ) -> tuple[Any, Any]:
        """A pose file or stick picture as the editor's value, and notes."""
        path = path_of(file)
        if path is None:
            return gr.skip(), gr.skip()
        read = resolve_pose(path, person=None, estimator=studio.engine.estimator)
        url = None
        pose = read.pose
        if path_of(photo) is not None:
            pose = on_photo(pose, photo, person, bool(retarget))
            url = studio.photo_url(photo, person)
        return value_of(_without_guesses(pose), url), notes_of(read.warnings, (file,))

    @told
    def export_pose(editor: Any = None, kind: str = "OpenPose") -> list[str]:  # noqa: ANN401 - JSON
        """The editor's figure as a pose file and as a ControlNet picture."""
        pose = pose_of(editor)
        word = FORMATS.get(kind, kind)
        if word not in get_args(Format):
            raise refusal(f"Choose one of: {', '.join(FORMATS)}.")
        folder = studio.new_folder()
        file, picture = folder / "pose.json", folder / "controlnet.png"
        write_poses([pose], file, cast(Format, word))
        assert pose.size is not None
        ratio = min(1.0, MAX_SIDE_PX / max(pose.size))
        size = (max(1, round(ratio * pose.size[0])), max(1, round(ratio * pose.size[1])))
        drawn = pose.transformed(np.diag([ratio, ratio, 1.0])[:2], size)
        write_png(draw_controlnet(drawn, size), picture)
        return [str(file), str(picture)]

    @told
    def follow(
        editor: Any,  # noqa: ANN401 - JSON
        photo: Upload,
        background: str,
        backdrop: Upload,
        person: float | None,
        seed: float | None,
    ) -> tuple[Any, Any]:
        if not editor:
            return gr.skip(), gr.skip()
        if path_of(photo) is None:
            return live_hint("Give a photo of the person, and they take this pose."), gr.skip()

        def drawn() -> Result:
            behind = background_of(background, backdrop)
            return drawn_in(pose_of(editor), photo, behind, person, seed, small=True)

        picture, warnings = live_try(drawn, "The person in the edited pose")
        return picture, notes_of(warnings)

    @told
    def edit_pose(
        photo: Upload,
        editor: Any = None,  # noqa: ANN401 - JSON
        background: str = SOURCE,
        backdrop: Upload = None,
        person: float | None = 1,
        seed: float | None = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> tuple[Any, ...]:
        """The person of a photo just where the editor's figure stands."""
        progress(0.2, desc="Drawing")
        behind = background_of(background, backdrop)
        drawn = drawn_in(pose_of(editor), photo, behind, person, seed, small=False)
        return view.values(drawn, studio.saved(drawn, photo))

    settings = [panel.background, panel.backdrop, panel.person, panel.seed]
    following: dict[str, Any] = {
        "fn": follow,
        "inputs": [editor, panel.photo, *settings],
        "outputs": [live, notes],
        "trigger_mode": "always_last",
        **ENGINE,
        **QUIET,
    }
    editor.input(**following)
    editor.release(**following)
    for setting in (panel.background, panel.backdrop, panel.seed):
        setting.change(**following)
    arranging = {**ENGINE, **QUIET}
    for arranged in (
        panel.photo.change(photo_changed, [panel.photo, panel.person, editor], editor, **arranging),
        panel.person.change(start, [panel.photo, panel.person], editor, **arranging),
        detected.click(start, [panel.photo, panel.person], editor, **arranging),
        preset.input(
            start_from, [preset, panel.photo, panel.retarget, panel.person], editor, **arranging
        ),
        proportions.click(proportioned, [editor, panel.photo, panel.person], editor, **arranging),
        given.upload(
            import_pose,
            [given, panel.photo, panel.retarget, panel.person],
            [editor, notes],
            api_name="import_pose",
            **ENGINE,
        ),
    ):
        arranged.success(**following)
    export.click(
        export_pose, [editor, kind], files, api_name="export_pose", preprocess=False
    ).success(lambda: gr.update(visible=True), None, files, **QUIET)
    drawing = go.click(
        edit_pose,
        [panel.photo, editor, *settings],
        view.outputs,
        show_progress_on=view.picture,
        api_name="edit_pose",
        **ENGINE,
    )
    view.follow(drawing)


def _without_guesses(pose: Pose) -> Pose:
    """The pose without joints that were not given: the editor hides them at a likely place."""
    guessed = pose.confidence <= INFERRED_CONFIDENCE
    return replace(
        pose,
        keypoints=np.where(guessed[:, None], np.nan, pose.keypoints),
        confidence=np.where(guessed, 0.0, pose.confidence),
    )
