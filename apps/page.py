"""The app's page: a photo on the left, and tabs in which its person takes poses.

    Panel (photo, background, settings)  |  Re-pose · Pose editor · Scribble · Mix · Sequence ·
                                         |  Draw · Face · Find
    (for *Draw*, *Face* and *Find*, which need no person, the panel steps aside)

Each tab is a module of its own and goes through `apps.studio.Studio` to the engine. Nothing on the
page comes from another machine: the type is the system's own, and pictures and scripts are served
by this process. Everything that the app writes lies in a temporary folder of its own, which is
gone when it ends.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio import themes

from apps.demo import examples
from apps.editor import PoseEditor
from apps.facing import face_weights
from apps.finding import Finding, Searched, finds
from apps.guidance import Guidance
from apps.studio import Studio, panel
from apps.tab_draw import draw_tab, drawing_weights
from apps.tab_editor import editor_tab
from apps.tab_face import face_tab
from apps.tab_find import Onwards, find_tab
from apps.tab_mix import mix_tab
from apps.tab_repose import repose_tab
from apps.tab_scribble import scribble_tab
from apps.tab_sequence import sequence_tab
from apps.tidy import tidied

if TYPE_CHECKING:
    from vunet.engine import Engine

MAX_UPLOAD = "100mb"
"""Larger uploads are refused by the server; pictures and poses have smaller limits of their own."""
MAX_WAITING = 200
"""Calls that may wait; more are told to come again."""
MAX_SESSIONS = 256
"""Visits whose state is kept, a third of a megabyte each; those longest unused start anew."""
_WEB = Path(__file__).parent / "web"


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
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        block_shadow="none",
        block_label_text_weight="500",
        # grey on white at less than 4.5 to 1 is hard to read
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
    )


def build(
    engine: Engine,
    drawings: Sequence[str | Path] | None = None,
    gallery: Path | None = None,
    finder: str | Path | None = None,
    face: str | Path | None = None,
    face_parts: str | Path | None = None,
) -> gr.Blocks:
    """The page.

    For programs each tab has endpoints: `/repose`, `/edit_pose`, `/import_pose`, `/export_pose`,
    `/scribble`, `/mix`, `/sample`, `/sequence`, `/draw`, `/face`, `/find` and `/add_photos`; their
    parameters are the page's fields.

    Args:
        engine: Draws the pictures, one after the other.
        drawings: Weights that paint drawings, by name, file or run folder; None takes those that
            ship with the project. The tab *Draw* is there if there are any.
        gallery: Folder of photos that `vunet index` went through; visitors may give others.
        finder: Weights that find photos, by name, file or run folder; None takes those that ship
            with the project. The tab *Find* is there if there are any.
        face: Weights that paint drawn faces, by name, file or run folder; None takes those that
            ship with the project. The tab *Face* is there if there are any.
        face_parts: Weights of faces' manifolds, likewise.

    Returns:
        The page, not yet served; see `launch`.

    Raises:
        ValueError: A sentence, if weights or a gallery that are given cannot be used.
    """
    painting = drawing_weights(drawings)
    portrayed = face_weights(face, face_parts)
    studio = Studio(engine)
    finding = Finding(studio, finder, gallery) if finds(finder, gallery) else None
    page = gr.Blocks(title="vunet: re-pose a person", analytics_enabled=False)
    with page:
        gr.Markdown(
            "# Re-pose a person\nGive a photo of one person and a pose"
            f"{', or a drawing' if painting or portrayed else ''}. The picture is drawn on "
            "this computer; nothing leaves it.",
            elem_id="title",
        )
        searched = Searched.at_first()
        with gr.Row(elem_id="columns", equal_height=False):
            with gr.Column(scale=3, min_width=240, elem_id="person"):
                common = panel(studio)
            with gr.Column(scale=8, min_width=280):
                editor = PoseEditor(
                    render=False,
                    placeholder="Give a photo of the person, or start from a preset.",
                    elem_id="pose-editor",
                )
                with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
                    with gr.Tab("Re-pose", id="repose") as tab:
                        common.opened(tab)
                        poses = repose_tab(studio, common, editor)
                    with gr.Tab("Pose editor", id="editor") as tab:
                        editor_tab(studio, common, tab, editor)
                    with gr.Tab("Scribble", id="scribble") as tab:
                        scribble_tab(studio, common, tab, tabs, editor)
                    with gr.Tab("Mix", id="mix") as tab:
                        mix_tab(studio, common, tab)
                    with gr.Tab("Sequence", id="sequence") as tab:
                        common.opened(tab)
                        sequence_tab(studio, common)
                    like, guidance = None, None
                    if painting:
                        guidance = None if finding is None else Guidance(finding, searched)
                        with gr.Tab("Draw", id="draw", elem_id="draw-tab") as tab:
                            like = draw_tab(studio, common, tab, painting, guidance)
                    if portrayed is not None:
                        with gr.Tab("Face", id="face", elem_id="face-tab") as tab:
                            face_tab(studio, common, tab, portrayed)
                    if finding is not None:
                        onwards = Onwards(tabs, poses, like, guidance and guidance.strength)
                        with gr.Tab("Find", id="find", elem_id="find-tab") as tab:
                            find_tab(studio, common, tab, finding, searched, onwards)
        if finding is not None:
            page.unload(finding.left)
    return page


def launch(
    engine: Engine,
    port: int | None,
    *,
    block: bool,
    drawings: Sequence[str | Path] | None = None,
    gallery: Path | None = None,
    finder: str | Path | None = None,
    face: str | Path | None = None,
    face_parts: str | Path | None = None,
) -> gr.Blocks:
    """Serve the page on 127.0.0.1.

    Args:
        engine: Draws the pictures.
        port: Port; one that is free if None.
        block: Serve until stopped; otherwise return while a thread of its own serves.
        drawings: Weights that paint drawings, see `build`.
        gallery: Folder of photos, see `build`.
        finder: Weights that find photos, see `build`.
        face: Weights that paint faces, see `build`.
        face_parts: Weights of faces' manifolds, see `build`.

    Returns:
        The page; its `local_url` says where it is, its `close` stops it.
    """
    own = tempfile.TemporaryDirectory(prefix="vunet-")  # removed when the program ends
    folder = Path(own.name).resolve()
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    # no records of events, and no sums over all of them after each, for a page that is off
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**12)
    page = build(engine, drawings, gallery, finder, face, face_parts)
    page.own_folder = own  # pyright: ignore[reportAttributeAccessIssue] - lives as long as the page
    page.queue(default_concurrency_limit=1, max_size=MAX_WAITING)
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
        run_history=False,
        state_session_capacity=MAX_SESSIONS,
        app_kwargs={"lifespan": tidied(page, folder)},
        allowed_paths=[str(path.parent) for path in examples()[:1]],
        ssr_mode=False,
        pwa=False,
        theme=theme(),
        css_paths=_WEB / "page.css",
    )
    return page


def serve(
    engine: Engine,
    port: int,
    drawings: Sequence[str | Path] | None = None,
    gallery: Path | None = None,
    finder: str | Path | None = None,
    face: str | Path | None = None,
    face_parts: str | Path | None = None,
) -> None:
    """Serve the page on 127.0.0.1 until stopped; see `build`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the temporary folder goes, too
    launch(
        engine,
        port,
        block=True,
        drawings=drawings,
        gallery=gallery,
        finder=finder,
        face=face,
        face_parts=face_parts,
    )
