"""The app's page: a photo, a pose, and the person in that pose beside it.

Nothing on the page comes from another machine: the type is the system's own, and pictures and
scripts are served by this process. Failures are said in words.
"""

from __future__ import annotations

import html
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from gradio import themes

from apps.demo import examples
from apps.errors import sentence
from apps.sheets import fit, stick_figure
from pose.presets import PRESETS
from vunet.images import read_image, write_png

if TYPE_CHECKING:
    from vunet.engine import Engine

MAX_UPLOAD = "25mb"
"""Larger uploads are refused by the server."""
PHOTO, PRESET, FILE = "Photo", "Preset", "File"
BACKGROUNDS = {
    "The photo's own": "source",
    "The pose photo's": "pose",
    "Plain grey": "plain",
    "None (transparent)": "transparent",
}
FRAMES = {"The photo's": "appearance", "The pose's": "pose"}
SOURCE, PLACE = next(iter(BACKGROUNDS)), next(iter(FRAMES))
INVENTED_RGB = (225, 60, 140)
"""Colour laid over what the network made up."""
_EXAMPLE_POSES = ("waving", "walking_right", "sitting")
_KEEP_SECONDS = 6 * 3600
_TITLE = "This cannot be used"

_CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
#title h1 { font-size: 1.55rem; font-weight: 650; letter-spacing: -0.015em; margin: 0.4rem 0 0; }
#title p { color: var(--body-text-color-subdued); margin: 0.15rem 0 0.4rem; max-width: 62ch; }
.step p { font-weight: 600; line-height: 1.5; margin: 0; }
#notes { min-height: 1.5rem; }
#notes ul { margin: 0; padding-left: 1.1rem; color: var(--body-text-color-subdued); }
#go { min-height: 2.9rem; font-weight: 600; }
#examples, #examples .grid-wrap { height: auto !important; min-height: 0 !important; }
#examples .grid-container { padding-top: 2rem; }
#examples .thumbnail-lg { aspect-ratio: 11 / 9; }
footer .divider { display: none; }
@media (max-width: 640px) {
  .gradio-container { padding: 0.5rem !important; }
  #examples .grid-container { grid-template-columns: repeat(2, minmax(0, 1fr)) !important; }
}
"""


def theme() -> themes.Base:
    """Quiet greys, one colour, the system's own type."""
    system = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
    return themes.Base(
        primary_hue=themes.colors.teal,
        neutral_hue=themes.colors.slate,
        radius_size=themes.sizes.radius_md,
        font=system,
        font_mono=mono,
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_text_color="white",
        block_shadow="none",
        block_label_text_weight="500",
        # grey on white at less than 4.5 to 1 is hard to read
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
    )


def build(engine: Engine) -> gr.Blocks:
    """The page.

    One endpoint is for programs: `/repose` takes photo, where the pose comes from, pose photo,
    preset, pose file, background, frame, whether to keep the person's limb lengths, person and
    seed; it gives the picture, the notes and whether there is something to mark as made up.

    Args:
        engine: Draws the pictures; calls are served one after the other.

    Returns:
        The page, not yet served; see `launch`.
    """
    page = gr.Blocks(
        title="vunet: re-pose a person",
        analytics_enabled=False,
        delete_cache=(_KEEP_SECONDS // 6, _KEEP_SECONDS),
    )
    with page:
        gr.Markdown(
            "# Re-pose a person\nGive a photo of one person and a pose. The picture is drawn on "
            "this computer; nothing leaves it.",
            elem_id="title",
        )
        made = gr.State(None)  # the paths of the plain picture and the marked one
        with gr.Row(elem_id="columns", equal_height=False):
            with gr.Column(min_width=300):
                gr.Markdown("1 · The person", elem_classes="step")
                photo = _picture("Photo of the person", "photo")
                background = gr.Radio(list(BACKGROUNDS), value=SOURCE, label="Background")
            with gr.Column(min_width=300):
                gr.Markdown("2 · The pose", elem_classes="step")
                pose_photo = _picture("Photo or stick figure with the pose", "pose-photo")
                figure = gr.Image(
                    _preset_picture(next(iter(PRESETS))),
                    label="Preset",
                    interactive=False,
                    visible=False,
                    height=380,
                    buttons=[],
                    elem_id="figure",
                )
                pose_file = gr.File(
                    label="Pose file (OpenPose, COCO, MediaPipe or vunet JSON)",
                    file_types=[".json", ".csv"],
                    visible=False,
                    height=180,
                    elem_id="pose-file",
                )
                kind = gr.Radio(
                    [PHOTO, PRESET, FILE], value=PHOTO, label="Take the pose from", elem_id="kind"
                )
                preset = gr.Dropdown(
                    [(_words(name), name) for name in PRESETS],
                    value=next(iter(PRESETS)),
                    label="Preset pose",
                    visible=False,
                    elem_id="preset",
                )
                go = gr.Button("Re-pose", variant="primary", elem_id="go")
            with gr.Column(min_width=300):
                gr.Markdown("3 · The result", elem_classes="step")
                result = gr.Image(
                    label="Result",
                    interactive=False,
                    format="png",
                    height=380,
                    buttons=["download", "fullscreen"],
                    elem_id="result",
                )
                show = gr.Checkbox(
                    label="Mark what the network made up",
                    info="The rest is copied from the photo.",
                    elem_id="show-invented",
                )
                notes = gr.Markdown(elem_id="notes")
        with gr.Accordion("More settings", open=False), gr.Row():
            frame = gr.Radio(list(FRAMES), value=PLACE, label="Size and place of the result")
            retarget = gr.Checkbox(
                value=True, label="Keep the person's limb lengths", info="Off: those of the pose."
            )
            person = gr.Number(
                value=1, precision=0, minimum=1, maximum=16, label="Person (1 is the largest)"
            )
            seed = gr.Number(value=0, precision=0, minimum=0, label="Seed")

        def repose(  # the endpoint: its parameters are the page's fields
            photo: Mapping[str, Any] | None,
            kind: str,
            pose_photo: Mapping[str, Any] | None,
            preset: str,
            pose_file: Mapping[str, Any] | None,
            background: str,
            frame: str,
            retarget: bool,
            person: float | None,
            seed: float | None,
            show: bool,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
        ) -> tuple[str, str, tuple[str, str]]:
            progress(0.1, desc="Looking at the photo")
            appearance = _path(photo)
            if appearance is None:
                raise gr.Error(
                    "Give a photo of the person first.", title=_TITLE, print_exception=False
                )
            chosen = {PRESET: preset, FILE: _path(pose_file)}.get(kind, _path(pose_photo))
            if not chosen:
                raise gr.Error(
                    "Give the pose as well: a photo, a preset or a pose file.",
                    title=_TITLE,
                    print_exception=False,
                )
            progress(0.4, desc="Drawing")
            try:
                drawn = engine.repose(
                    appearance,
                    chosen,
                    frame=_known(FRAMES, frame),
                    background=_known(BACKGROUNDS, background),
                    retarget=bool(retarget),
                    person=int(person) if person and person > 1 else None,
                    seed=int(seed or 0),
                )
                folder = _new_folder(result.GRADIO_CACHE)
                paths = str(folder / "reposed.png"), str(folder / "made-up.png")
                drawn.save(paths[0])
                write_png(marked(drawn.image, drawn.invented), Path(paths[1]))
            except (ValueError, OSError, MemoryError) as error:
                raise _shown(error, (appearance, chosen)) from error
            return paths[bool(show)], _notes(drawn.warnings), paths

        def check(given: Mapping[str, Any] | None) -> dict[str, Any]:
            """Refuse at once what is no picture, rather than show a broken one."""
            path = _path(given)
            if path is None:
                return gr.skip()
            try:
                read_image(path)
            except ValueError as error:
                gr.Warning(_shown(error, (path,)).message, title=_TITLE)
                return gr.update(value=None)
            return gr.skip()

        def choose(kind: str) -> list[dict[str, Any]]:
            return [
                gr.update(visible=kind == PHOTO),
                gr.update(visible=kind == PRESET),
                gr.update(visible=kind == PRESET),
                gr.update(visible=kind == FILE),
            ]

        def switch(show: bool, made: tuple[str, str] | None) -> Any:  # noqa: ANN401
            return made[bool(show)] if made else gr.skip()

        inputs = [
            *(photo, kind, pose_photo, preset, pose_file),
            *(background, frame, retarget, person, seed, show),
        ]
        draw: dict[str, Any] = {
            "fn": repose,
            "inputs": inputs,
            "outputs": [result, notes, made],
            # gradio would decode uploads itself, and fail without words
            "preprocess": False,
            "concurrency_limit": 1,
            "concurrency_id": "engine",
            "show_progress_on": result,
        }
        go.click(**draw, api_name="repose")
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        for picture in (photo, pose_photo):
            picture.upload(check, picture, picture, preprocess=False, **quiet)
        kind.change(choose, kind, [pose_photo, figure, preset, pose_file], **quiet)
        preset.change(_preset_picture, preset, figure, **quiet)
        show.change(switch, [show, made], result, **quiet)
        if shown := _examples():
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

            def fill(event: gr.SelectData) -> tuple[str, str, Any, Any]:
                chosen = shown[event.index if isinstance(event.index, int) else 0]
                return (
                    chosen.photo,
                    PRESET if chosen.preset else PHOTO,
                    chosen.preset or gr.skip(),
                    chosen.pose_photo or gr.skip(),
                )

            filled = gallery.select(fill, None, [photo, kind, preset, pose_photo], **quiet)
            filled.success(choose, kind, [pose_photo, figure, preset, pose_file], **quiet)
            filled.success(**draw, api_visibility="private")
    return page


def launch(engine: Engine, port: int | None, *, block: bool) -> gr.Blocks:
    """Serve the page on 127.0.0.1.

    Args:
        engine: Draws the pictures.
        port: Port; one that is free if None.
        block: Serve until stopped; otherwise return while a thread of its own serves.

    Returns:
        The page; its `local_url` says where it is, its `close` stops it.
    """
    page = build(engine)
    page.queue(default_concurrency_limit=1, max_size=20)
    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=not block,
        max_file_size=MAX_UPLOAD,
        footer_links=["api"],
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        theme=theme(),
        css=_CSS,
    )
    return page


def serve(engine: Engine, port: int) -> None:
    """Serve the page on 127.0.0.1 until stopped."""
    launch(engine, port, block=True)


def marked(image: np.ndarray, invented: np.ndarray) -> np.ndarray:
    """A picture with what the network made up tinted.

    Args:
        image: (H, W, 3) uint8 RGB.
        invented: (H, W) uint8, share of each pixel that was made up.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    weight = 0.65 * invented[..., None].astype(np.float32) / 255
    grey = image.mean(axis=2, keepdims=True)
    calm = 0.5 * image + 0.5 * grey
    tinted = (1 - weight) * calm + weight * np.array(INVENTED_RGB, np.float32)
    return np.rint(tinted).astype(np.uint8)


# -- parts ---------------------------------------------------------------------------------------


def _picture(label: str, name: str) -> gr.Image:
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        height=380,
        buttons=[],
        elem_id=name,
    )


@dataclass(frozen=True)
class _Example:
    """What one click on a tile fills in."""

    tile: np.ndarray
    label: str
    photo: str
    preset: str | None
    pose_photo: str | None


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
            pose, label = stick_figure(PRESETS[preset], (height, 200)), _words(preset)
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


def _preset_picture(name: str) -> np.ndarray:
    return stick_figure(PRESETS[name], (480, 360))


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _path(given: Mapping[str, Any] | str | None) -> str | None:
    """Where gradio keeps an upload."""
    if isinstance(given, Mapping):
        return given.get("path") or None
    return given or None


def _known(names: Mapping[str, Any], given: str) -> Any:  # noqa: ANN401
    """The engine's word for a choice of the page; programs may give the engine's word itself.

    Raises:
        gr.Error: If it is neither. Nothing else may pass: a background can be a file's path.
    """
    if given in names:
        return names[given]
    if given in names.values():
        return given
    raise gr.Error(f"Choose one of: {', '.join(names)}.", title=_TITLE, print_exception=False)


def _new_folder(cache: str) -> Path:
    """A folder for one result in the component's cache, which gradio empties by and by."""
    folder = Path(cache or tempfile.gettempdir()) / secrets.token_hex(12)
    folder.mkdir(parents=True)
    return folder


def _notes(warnings: tuple[str, ...]) -> str:
    """Warnings as a list; they may hold a file's name, which must not act as markup."""
    words = (_for_page(text) for text in warnings)
    return "\n".join(f"- {html.escape(text)}" for text in words)


def _for_page(text: str) -> str:
    """A sentence of the engine without the command line's options."""
    return text.replace("choose with --person", "choose under More settings").replace(
        "`vunet poses`", "the list"
    )


def _shown(error: BaseException, paths: tuple[str, ...] = ()) -> gr.Error:
    """An error as the page shows it; bugs are raised again."""
    text = sentence(error)
    if text is None:
        raise error
    for path in paths:
        # The user knows the file by its name, not by its place in gradio's cache.
        text = text.replace(path, Path(path).name)
    text = html.escape(_for_page(text), quote=False)
    return gr.Error(f"{text.rstrip('.')}.", title=_TITLE, print_exception=False)
