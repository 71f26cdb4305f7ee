"""The tab *Re-pose*: the pose from a photo, a preset, a file or the editor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import gradio as gr
import numpy as np

from apps.cancel import Trigger, cancel_button, staged
from apps.demo import examples
from apps.editor import pose_of
from apps.results import ResultView
from apps.sheets import fit, stick_figure
from apps.studio import (
    FRAMES,
    PLACE,
    QUIET,
    SOURCE,
    Panel,
    Studio,
    Upload,
    asked,
    checked,
    known,
    path_of,
    picture_field,
    preset_choices,
    preset_named,
    refusal,
    words_of,
)
from pose.presets import PRESETS
from vunet.images import read_image

PHOTO, PRESET, FILE, EDITOR = "Photo", "Preset", "File", "Editor"
_EXAMPLE_POSES = ("waving", "walking_right", "sitting")


def preset_thumbnails() -> list[tuple[np.ndarray, str]]:
    """Stick figures of all presets with their names, for a gallery."""
    return [
        (stick_figure(pose, (200, 150), margin=0.1), words_of(name))
        for name, pose in PRESETS.items()
    ]


@dataclass(frozen=True)
class PoseFields:
    """Where the tab takes the pose from; other tabs fill them."""

    kind: gr.Radio
    photo: gr.Image
    file: gr.File
    choose: Callable[[str], list[dict[str, Any]]]
    """A kind -> updates of `choices`, which show the field of this kind alone."""
    choices: list[Any]


def repose_tab(studio: Studio, panel: Panel, edited: gr.HTML) -> PoseFields:
    """Lay out the tab; its endpoint for programs is `/repose`.

    Args:
        studio: Draws.
        panel: Photo and settings.
        edited: The pose editor of the next tab.

    Returns:
        Fields that other tabs fill.
    """
    with gr.Row(equal_height=False):
        with gr.Column(min_width=240):
            kind = gr.Radio(
                [PHOTO, PRESET, FILE, EDITOR],
                value=PRESET,
                label="Take the pose from",
                elem_id="kind",
            )
            with gr.Group() as of_preset:
                gallery = gr.Gallery(
                    preset_thumbnails(),
                    show_label=False,
                    columns=4,
                    height=330,
                    object_fit="cover",
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    elem_id="presets",
                )
                preset = gr.Dropdown(
                    preset_choices(),
                    value=next(iter(PRESETS)),
                    label="Preset pose",
                    elem_id="preset",
                )
            pose_photo = picture_field(
                "Photo or stick figure with the pose", "pose-photo", visible=False, height=330
            )
            checked(pose_photo)
            pose_file = gr.File(
                label="Pose file (OpenPose, COCO, MediaPipe or vunet JSON)",
                file_types=[".json", ".csv"],
                visible=False,
                height=180,
                elem_id="pose-file",
            )
            by_hand = gr.Markdown(
                "The figure of the tab *Pose editor* as it stands there.", visible=False
            )
            with gr.Accordion("More", open=False):
                also = gr.File(
                    label="Further photos of the same person, such as the back",
                    file_count="multiple",
                    file_types=["image"],
                    height=140,
                    elem_id="also",
                )
                frame = gr.Radio(list(FRAMES), value=PLACE, label="Size and place of the result")
            with gr.Row(elem_classes="go"):
                go = gr.Button("Re-pose", variant="primary", elem_id="go")
                stop = cancel_button("stop")
        with gr.Column(min_width=240):
            view = ResultView("result")

    @staged
    def repose(  # the endpoint: its parameters are the page's fields
        photo: Upload,
        kind: str = PRESET,
        pose_photo: Upload = None,
        preset: str = next(iter(PRESETS)),
        pose_file: Upload = None,
        editor: Any = None,  # noqa: ANN401 - JSON
        also: list[Upload] | None = None,
        background: str = SOURCE,
        backdrop: Upload = None,
        frame: str = PLACE,
        retarget: bool = True,
        person: float | None = 1,
        seed: float | None = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> Generator[None, None, Any]:
        """The person of a photo in another pose: picture, notes, mask and pose file."""
        settings = asked(background, backdrop, retarget, seed)
        if kind == PRESET:
            pose: Any = preset_named(preset)
        elif kind == EDITOR:
            pose = pose_of(editor)
        else:
            pose = path_of(pose_file if kind == FILE else pose_photo)
        if not pose:
            raise refusal("Give the pose as well: a photo, a preset, a pose file or the editor's.")
        subject = yield from studio.steps(progress, photo, person, settings["background"])
        others = []
        for other in also or ():
            others.append(studio.prepared(other))
            yield
        drawn = studio.engine.repose(
            subject, pose, also=others, frame=known(FRAMES, frame), **settings
        )
        yield
        given = (pose_photo, pose_file)
        return view.values(drawn, studio.saved(drawn, photo), given=given)

    choices = [of_preset, pose_photo, pose_file, by_hand]

    def choose(kind: str) -> list[dict[str, Any]]:
        return [gr.update(visible=kind == of) for of in (PRESET, PHOTO, FILE, EDITOR)]

    def pick(event: gr.SelectData) -> str:
        return list(PRESETS)[event.index if isinstance(event.index, int) else 0]

    kind.change(choose, kind, choices, **QUIET)
    picked = gallery.select(pick, None, preset, **QUIET)
    triggers: list[Trigger] = [go.click, picked.success]
    triggers += _example_gallery(panel, kind, preset, pose_photo, (choose, choices))
    inputs = [
        *(panel.photo, kind, pose_photo, preset, pose_file, edited, also),
        *(panel.background, panel.backdrop, frame),
        *(panel.retarget, panel.person, panel.seed),
    ]
    view.drawn_by(triggers, stop, {"fn": repose, "inputs": inputs}, "repose")
    return PoseFields(kind, pose_photo, pose_file, choose, choices)


@dataclass(frozen=True)
class _Example:
    """What one click on a tile fills in."""

    tile: np.ndarray
    label: str
    photo: str
    preset: str | None
    pose_photo: str | None


def _example_gallery(
    panel: Panel,
    kind: gr.Radio,
    preset: gr.Dropdown,
    pose_photo: gr.Image,
    choosing: tuple[Any, list[Any]],
) -> Sequence[Trigger]:
    """Bundled people and poses; the event upon which one is filled in, if any ship along."""
    shown = _examples()
    if not shown:
        return ()
    gallery = gr.Gallery(
        [(example.tile, example.label) for example in shown],
        label="Examples: rendered people, one click",
        columns=len(shown),
        object_fit="contain",
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="examples",
    )

    def fill(event: gr.SelectData) -> tuple[Any, ...]:
        chosen = shown[event.index if isinstance(event.index, int) else 0]
        return (
            chosen.photo,
            PRESET if chosen.preset else PHOTO,
            chosen.preset or gr.skip(),
            chosen.pose_photo or gr.skip(),
        )

    choose, choices = choosing
    filled = gallery.select(fill, None, [panel.photo, kind, preset, pose_photo], **QUIET)
    filled.success(choose, kind, choices, **QUIET)
    return (filled.success,)


def _examples() -> list[_Example]:
    """Photos and presets in turn as poses of the bundled people; empty where none ships along."""
    people = examples()
    presets = [name for name in _EXAMPLE_POSES if name in PRESETS]
    photos = [str(path) for path in examples("pose_*")]
    poses: list[tuple[str | None, str | None]] = []
    for preset, pose_photo in zip_longest(presets, photos):
        poses += [(preset, None)] if preset else []
        poses += [(None, pose_photo)] if pose_photo else []
    found = []
    for path, (preset, pose_photo) in zip(people, poses, strict=False):
        photo = fit(read_image(path), (360, 300))
        height = photo.shape[0]
        if preset:
            pose, label = stick_figure(PRESETS[preset], (height, 200)), words_of(preset)
        else:
            pose, label = fit(read_image(str(pose_photo)), (height, 300)), "Pose of a photo"
            pose = _of_height(pose, height)
        tile = np.hstack([photo, np.full((height, 4, 3), 255, np.uint8), pose])
        found.append(_Example(tile, label, str(path), preset, pose_photo))
    return found


def _of_height(image: np.ndarray, height: int) -> np.ndarray:
    """A picture that is at most so high, with grey above and below."""
    space = height - image.shape[0]
    return np.pad(image, ((space // 2, space - space // 2), (0, 0), (0, 0)), constant_values=200)
