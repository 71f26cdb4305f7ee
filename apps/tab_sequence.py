"""The tab *Sequence*: somebody moves in a video, and the person of the photo moves likewise."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from apps.cancel import cancel_button, cancellable
from apps.live import live_hint, live_picture, live_view
from apps.studio import (
    ENGINE,
    QUIET,
    SOURCE,
    Panel,
    Studio,
    Upload,
    asked,
    error_for_page,
    known,
    named,
    notes_of,
    number_of,
    path_of,
    preset_choices,
    preset_named,
    refusal,
)
from vunet.sequence import (
    DrawnSequence,
    SequenceCancelled,
    check_sequence_output,
    draw_sequence,
    read_sequence,
)
from vunet.video import by_number

FILM, FILES, PRESET_ROW = "Video or GIF", "Pose files or pictures", "Presets in turn"
MAX_SECONDS = 60
_PRESET_ROW = ("standing", "waving", "dance_1", "standing")
_SIZES = {"Small (512 px)": 512, "Medium (768 px)": 768, "Large (1280 px)": 1280}
_VIDEOS = [".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v", ".gif", ".webp", ".png", ".json"]


def sequence_tab(studio: Studio, panel: Panel) -> None:
    """Lay out the tab; its endpoint for programs is `/sequence`.

    Args:
        studio: Draws.
        panel: Photo and settings.
    """
    with gr.Row(equal_height=False):
        with gr.Column(min_width=240):
            kind = gr.Radio(
                [FILM, FILES, PRESET_ROW],
                value=FILM,
                label="Take the movement from",
                elem_id="movement",
            )
            film = gr.File(
                label="Video, moving GIF or pose file of several frames",
                file_types=_VIDEOS,
                height=160,
                elem_id="film",
            )
            files = gr.File(
                label="A photo, stick figure or pose file for each frame, in the order of names",
                file_count="multiple",
                visible=False,
                height=160,
                elem_id="frames",
            )
            presets = gr.Dropdown(
                preset_choices(),
                value=list(_PRESET_ROW),
                multiselect=True,
                max_choices=20,
                label="Presets, one a second",
                visible=False,
                elem_id="preset-row",
            )
            smooth = gr.Slider(
                0, 1, value=0.5, step=0.1, label="Smoothing", info="Takes out trembling."
            )
            with gr.Row():
                seconds = gr.Number(
                    value=10, minimum=0.1, maximum=MAX_SECONDS, label="Seconds at most"
                )
                size = gr.Dropdown(list(_SIZES), value=next(iter(_SIZES)), label="Size")
            with gr.Row(elem_classes="go"):
                go = gr.Button("Make the film", variant="primary", elem_id="sequence-go")
                stop = cancel_button("sequence-stop")
        with gr.Column(min_width=240):
            live = live_view("sequence-live", "The frames appear here while they are drawn.")
            video = gr.Video(
                label="Film",
                interactive=False,
                autoplay=True,
                loop=True,
                visible=False,
                height=420,
                buttons=["download"],
                elem_id="sequence-film",
            )
            notes = gr.Markdown(elem_classes="notes", elem_id="sequence-notes")

    def source(kind: str, film: Upload, files: list[Upload] | None, presets: Sequence[str]) -> str:
        """What the engine reads the movement from.

        Raises:
            gr.Error: If nothing was given.
        """
        if kind == PRESET_ROW:
            if len(presets or []) < 2:
                raise refusal("Choose at least two presets.")
            return ",".join(preset_named(name) for name in presets)
        if kind == FILES:
            given = [(named((f,))(path), path) for f in files or () if (path := path_of(f))]
            if len(given) < 2:
                raise refusal("Give at least two files, one for each frame.")
            folder = studio.new_folder()
            for number, (name, path) in enumerate(
                sorted(given, key=lambda file: by_number(file[0]))
            ):
                (folder / f"{number:05d}{Path(name).suffix}").symlink_to(path)
            return str(folder)
        path = path_of(film)
        if path is None:
            raise refusal("Give a video or a moving GIF first.")
        return path

    def sequence(
        photo: Upload,
        kind: str = FILM,
        film: Upload = None,
        files: list[Upload] | None = None,
        presets: Sequence[str] = _PRESET_ROW,
        smooth: float = 0.5,
        seconds: float | None = 10,
        size: str = next(iter(_SIZES)),
        background: str = SOURCE,
        backdrop: Upload = None,
        retarget: bool = True,
        person: float | None = 1,
        seed: float | None = 0,
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Frames while they are drawn, and the film at the end."""
        stopped = threading.Event()
        news: queue.Queue[tuple[str, Any]] = queue.Queue()

        def report(stage: str) -> Any:  # noqa: ANN401 - a callback
            def step(done: int, total: int, frame: np.ndarray | None) -> None:
                news.put(("step", (stage, done, total, frame)))

            return step

        def work() -> None:
            try:
                settings = asked(background, backdrop, retarget, seed)
                check_sequence_output("film.mp4", settings["background"])
                wanted = min(number_of(seconds or MAX_SECONDS, "Seconds", 0.1, 1e9), MAX_SECONDS)
                side, trembling = known(_SIZES, size), number_of(smooth, "Smoothing", 0, 1)
                subject = studio.prepared(photo, person)
                poses = read_sequence(
                    studio.engine,
                    source(kind, film, files, presets),
                    seconds=wanted,
                    smoothing=trembling,
                    progress=report("Looking at frame"),
                    cancelled=stopped.is_set,
                )
                drawn = draw_sequence(
                    studio.engine,
                    subject,
                    poses,
                    studio.new_folder() / "film.mp4",
                    **settings,
                    size=side,
                    progress=report("Drawing frame"),
                    cancelled=stopped.is_set,
                )
                news.put(("done", drawn))
            except SequenceCancelled:
                news.put(("cancelled", None))
            except BaseException as error:  # noqa: BLE001 - raised again below
                news.put(("failed", error))

        threading.Thread(target=work, daemon=True).start()
        try:
            yield from _told(news, [photo, film, *(files or ()), backdrop])
        finally:  # also when the visitor cancels or leaves; here nothing may wait
            stopped.set()

    fields = [
        *(panel.photo, kind, film, files, presets, smooth, seconds, size),
        *(panel.background, panel.backdrop, panel.retarget, panel.person, panel.seed),
    ]
    filming = {
        "fn": sequence,
        "inputs": fields,
        "outputs": [video, notes, live],
        "api_name": "sequence",
        "show_progress": "hidden",
        **ENGINE,
        # a line of its own: a film takes long, and the engine draws its frames between others'
        "concurrency_id": "film",
    }
    stopped = live_hint("Stopped. A film appears only when it is whole.")
    (drawing,) = cancellable(stop, [(go.click, filming)], said=(lambda: stopped, live))
    drawing.success(lambda: gr.update(visible=True), None, video, **QUIET)
    kind.change(
        lambda kind: [gr.update(visible=kind == of) for of in (FILM, FILES, PRESET_ROW)],
        kind,
        [film, files, presets],
        **QUIET,
    )


def _told(news: queue.Queue[tuple[str, Any]], given: list[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Values of film, notes and the live view, as the work goes on."""
    while True:
        what, told = news.get()
        while what == "step" and not news.empty():  # a slow page gets the newest only
            what, told = news.get()
        if what == "step":
            stage, done, total, frame = told
            of = f" of {total}" if total else ""
            picture = gr.skip() if frame is None else live_picture(frame, f"Frame {done}")
            yield gr.skip(), f"{stage} {done}{of}", picture
        elif what == "done":
            drawn: DrawnSequence = told
            told = notes_of(drawn.warnings, given) or f"{drawn.frames} frames."
            yield str(drawn.path), told, gr.skip()
            return
        elif what == "cancelled":
            return
        else:
            raise told if isinstance(told, gr.Error) else error_for_page(told, given)
