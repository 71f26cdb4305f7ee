"""The tab *Pose editor*: drag a figure over the photo, and the person follows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, Literal, cast, get_args

import gradio as gr
import numpy as np

from apps.cancel import cancel_button, staged
from apps.editor import PoseEditor, pose_of, value_of
from apps.live import live_hint, live_view
from apps.results import ResultView
from apps.studio import (
    ARRANGING,
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
    preset_choices,
    preset_named,
    refusal,
    seed_of,
    told,
)
from pose import Pose
from pose.complete import INFERRED_CONFIDENCE
from pose.formats import write_poses
from pose.presets import PRESETS
from pose.retarget import body_scale, retarget
from pose.stick import draw_controlnet
from vunet.engine import MAX_SIDE_PX, PREVIEW_PX, Prepared, Result
from vunet.images import write_png
from vunet.poses import resolve_pose

Format = Literal["openpose", "coco", "mediapipe", "native"]
FORMATS = {"OpenPose": "openpose", "COCO": "coco", "MediaPipe": "mediapipe", "vunet": "native"}


def editor_tab(studio: Studio, panel: Panel, tab: gr.Tab, editor: PoseEditor) -> None:
    """Lay out the tab; its endpoints are `/edit_pose`, `/import_pose` and `/export_pose`.

    Args:
        studio: Draws.
        panel: Photo and settings.
        tab: Its own.
        editor: Made before, as other tabs use it as well; it is placed here.
    """
    with gr.Row(equal_height=False):
        with gr.Column(min_width=240):
            editor.render()
            with gr.Row():
                detected = gr.Button("Pose of the photo", size="sm", elem_id="detected")
                proportions = gr.Button("Person's proportions", size="sm", elem_id="proportions")
            preset = gr.Dropdown(
                preset_choices(("Start from a preset", "")),
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
            with gr.Row(elem_classes="go"):
                go = gr.Button("Re-pose in full size", variant="primary", elem_id="editor-go")
                stop = cancel_button("editor-stop")
            view = ResultView("editor-result", at_first=False)

    def on_photo(pose: Pose, photo: Upload, person: float | None, keep_limbs: bool) -> Pose:
        """A pose where the person of the photo would take it, unless it was made on this photo."""
        if pose.size == studio.prepared(photo, person).subject.image.shape[:2]:
            return studio.whole(pose)
        return studio.on_photo(pose, photo, person, keep_limbs)

    def drawn_in(
        pose: Pose, subject: Prepared, behind: str, seed: float | None, *, small: bool
    ) -> Result:
        """The person just where the figure stands."""
        assert pose.size is not None
        return studio.engine.repose(
            subject,
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
            except ValueError:  # said below the photo
                return gr.skip()
            return value_of(_without_guesses(on_photo(pose_of(value), photo, person, True)), url)
        return person_changed(photo, person)

    @told
    def person_changed(photo: Upload, person: float | None) -> dict[str, Any]:
        if path_of(photo) is None:
            return gr.skip()
        try:
            return detected_on(photo, person)
        except ValueError:  # said below the photo
            return gr.skip()

    @told
    def detected_on(photo: Upload, person: float | None) -> dict[str, Any]:
        subject = studio.prepared(photo, person).subject
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
        placed = studio.on_photo(pose, photo, person, bool(retarget))
        return value_of(placed, studio.photo_url(photo, person))

    @told
    def proportioned(value: Any, photo: Upload, person: float | None) -> dict[str, Any]:  # noqa: ANN401
        """The same bends with the person's limbs, on the same feet or hips."""
        subject = studio.prepared(photo, person).subject
        pose = studio.whole(pose_of(value))
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
            subject = studio.prepared(photo, person, preview=True)
            return drawn_in(pose_of(editor), subject, behind, seed, small=True)

        picture, warnings = live_try(drawn, "The person in the edited pose", (photo,))
        return picture, notes_of(warnings)

    @staged
    def edit_pose(
        photo: Upload,
        editor: Any = None,  # noqa: ANN401 - JSON
        background: str = SOURCE,
        backdrop: Upload = None,
        person: float | None = 1,
        seed: float | None = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> Generator[None, None, Any]:
        """The person of a photo just where the editor's figure stands."""
        pose, behind = pose_of(editor), background_of(background, backdrop)
        subject = yield from studio.steps(progress, photo, person, behind)
        drawn = drawn_in(pose, subject, behind, seed, small=False)
        yield
        return view.values(drawn, studio.saved(drawn, photo))

    settings = [panel.background, panel.backdrop, panel.person, panel.seed]
    subject = [panel.photo, panel.person]
    arranged = [
        panel.photo.change(photo_changed, [*subject, editor], editor, **ARRANGING),
        panel.person.change(person_changed, subject, editor, **ARRANGING),
        detected.click(detected_on, subject, editor, **ARRANGING),
        preset.input(
            start_from, [preset, panel.photo, panel.retarget, panel.person], editor, **ARRANGING
        ),
        proportions.click(proportioned, [editor, *subject], editor, **ARRANGING),
        given.upload(
            import_pose,
            [given, panel.photo, panel.retarget, panel.person],
            [editor, notes],
            api_name="import_pose",
            **ENGINE,
        ),
    ]
    # an edit's last state comes with `input` as well, before its `release`
    triggers = [editor.input, panel.background.change, panel.backdrop.change, panel.seed.change]
    triggers += [dependency.success for dependency in arranged]
    panel.follow(tab, follow, [editor, panel.photo, *settings], [live, notes], triggers)
    export.click(
        export_pose, [editor, kind], files, api_name="export_pose", preprocess=False
    ).success(lambda: gr.update(visible=True), None, files, **QUIET)
    call = {"fn": edit_pose, "inputs": [panel.photo, editor, *settings]}
    view.drawn_by([go.click], stop, call, "edit_pose")


def _without_guesses(pose: Pose) -> Pose:
    """The pose without joints that were not given: the editor hides them at a likely place."""
    guessed = pose.confidence <= INFERRED_CONFIDENCE
    return replace(
        pose,
        keypoints=np.where(guessed[:, None], np.nan, pose.keypoints),
        confidence=np.where(guessed, 0.0, pose.confidence),
    )
