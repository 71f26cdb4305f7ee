"""The tab *Draw*: a crude drawing of a garment becomes a picture, in the look of a photo."""

from __future__ import annotations

import functools
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from apps.cancel import cancel_button, staged
from apps.errors import UsageError
from apps.finding import THE_FOLDER, Own
from apps.guidance import Guidance, nearest_list
from apps.live import live_hint, live_view
from apps.matches import nothing
from apps.pad import drawing_of, drawing_pad, is_blank
from apps.starts import starts
from apps.studio import (
    QUIET,
    Panel,
    Studio,
    Upload,
    checked,
    known,
    live_try,
    notes_of,
    number_of,
    path_of,
    picture_field,
    refusal,
    seed_of,
)
from apps.variations import VariationsView
from vunet.checkpoint import (
    WeightsError,
    list_weights,
    read_config,
    resolve_weights,
    weights_name,
)
from vunet.config import DrawingConfig
from vunet.drawing.painter import DrawnPicture, Look
from vunet.drawing.palette import PAPER, REGIONS
from vunet.engine import VARIED
from vunet.images import read_image

ANY = "Anything"
HERE, FILE = "Draw here", "A picture of a drawing"
MOST_VARIATIONS = 8
LIVE_PX = 512
"""Longer side of pictures that follow the pen."""
_LARGEST_PX = 1024
"""Longer side to which uploaded drawings are reduced; networks look at less."""
_HINT = "The picture appears here and follows your pen."


@dataclass(frozen=True)
class DrawingWeights:
    """Weights that paint drawings."""

    name: str
    model: str
    """Name, file or run folder, as the engine takes it."""
    config: DrawingConfig

    @property
    def painted(self) -> bool:
        """Whether drawings may have coloured regions."""
        return self.config.shape == "regions"


def drawing_weights(given: Sequence[str | Path] | None = None) -> list[DrawingWeights]:
    """Weights that paint drawings, from their headers alone.

    Args:
        given: Names, files or run folders; None takes all that ship with the project.

    Raises:
        WeightsError: If one of those given cannot be read.
        UsageError: If one of them paints no drawings.
    """
    found = []
    for model in [info.name for info in list_weights()] if given is None else given:
        path, _ = resolve_weights(model)
        try:
            config = read_config(path)
        except WeightsError:
            if given is None:  # its own verb says what is wrong with it
                continue
            raise
        faces = isinstance(config, DrawingConfig) and config.faces
        if faces and given is None:  # the tab *Face* has them
            continue
        if faces:
            raise UsageError(f"{path}: these weights paint faces; give them as --face-model")
        if isinstance(config, DrawingConfig) and config.network == "drawing":
            name = weights_name(path, [one.name for one in found])
            found.append(DrawingWeights(name, str(model), config))
        elif given is not None:
            raise UsageError(f"{path}: these weights paint no drawings; give others")
    return found


def draw_tab(
    studio: Studio,
    panel: Panel,
    tab: gr.Tab,
    weights: Sequence[DrawingWeights],
    guidance: Guidance | None = None,
) -> gr.Image:
    """Lay out the tab; its endpoint for programs is `/draw`.

    Args:
        studio: Draws.
        panel: Says which tab is open.
        tab: Its own.
        weights: From `drawing_weights`, one at least.
        guidance: What photos add, if there are any.

    Returns:
        The field for the photo whose look is taken.
    """
    by_name = {one.name: one for one in weights}
    first = weights[0]
    all_kinds = {ANY: None} | {name: name for one in weights for name in one.config.classes}
    with gr.Row(equal_height=False, elem_id="draw-columns"):
        with gr.Column(scale=4, min_width=290):
            source = gr.Radio(
                [HERE, FILE],
                value=HERE,
                show_label=False,
                label="Drawing",
                container=False,
                elem_id="draw-source",
            )
            pad = drawing_pad(
                "draw-pad",
                label="Paper for a drawing",
                hint="Draw a garment with dark lines,<br>or start from one of those below.",
                colours=REGIONS,
                painting=first.painted,
                starts=starts(),
            )
            shadow = None if guidance is None else guidance.slider()
            drawing = picture_field(
                "Picture of a drawing",
                "draw-file",
                visible=False,
                height=460,
                placeholder="Drop a scan or a photo of a drawing here, or click to choose one",
            )
        with gr.Column(scale=4, min_width=290):
            live = live_view("draw-live", _HINT)
            notes = gr.Markdown(elem_classes="notes", elem_id="draw-said")
            with gr.Row(elem_classes="go"):
                go = gr.Button("Draw in full size", variant="primary", elem_id="draw-go")
                stop = cancel_button("draw-stop")
            view = VariationsView("draw")
            with view.block:
                near = None if guidance is None else nearest_list()
            nearest = gr.State(nothing())
        with gr.Column(scale=3, min_width=250, elem_id="draw-look"):
            like = picture_field(
                "Photo whose look it gets",
                "draw-like",
                height=220,
                placeholder="Drop a photo here, or leave it out: looks are then made up",
            )
            strength = gr.Slider(
                0,
                1,
                value=1,
                step=0.05,
                label="Strength",
                info="How much of the photo's look.",
                buttons=[],
                elem_id="draw-strength",
            )
            variations = gr.Slider(
                1,
                MOST_VARIATIONS,
                value=1,
                step=1,
                label="Variations",
                info="The first has the whole look, the others stray.",
                buttons=[],
                elem_id="draw-count",
            )
            kind = gr.Dropdown(
                _kinds(first),
                value=ANY,
                label="What it is",
                visible=bool(first.config.classes),
                filterable=False,
                elem_id="draw-kind",
            )
            model = gr.Dropdown(
                list(by_name),
                value=first.name,
                label="Network",
                visible=len(by_name) > 1,
                filterable=False,
                elem_id="draw-model",
            )
            temperature = gr.Slider(
                0,
                2,
                value=1,
                step=0.1,
                label="Temperature",
                info="Of looks that are made up; 0 is the most ordinary.",
                buttons=[],
                elem_id="draw-temperature",
            )
            seed = gr.Number(
                value=0,
                precision=0,
                minimum=0,
                label="Seed of the look",
                elem_id="draw-seed",
            )
    for field in (like, drawing):
        checked(field)

    # gradio names an upload's folder after its content: a path never comes to hold another picture
    @functools.lru_cache(maxsize=4)
    def drawn_by_hand(path: str) -> np.ndarray:
        image = read_image(path)
        scale = _LARGEST_PX / max(image.shape[:2])
        if scale >= 1:
            return image
        return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    @functools.lru_cache(maxsize=4)
    def look_of(path: str, model: str) -> Look:
        return studio.engine.painter(model).look(read_image(path))

    def ink(drawing: Upload, pad: Any) -> np.ndarray:  # noqa: ANN401 - JSON
        """(H, W, 3) uint8 RGB, what is drawn: on the picture if there is one."""
        path = path_of(drawing)
        if path is not None:
            os.utime(path)  # in use, so that `apps.tidy` leaves it
            return drawn_by_hand(path)
        if is_blank(pad):
            raise refusal("Draw something first, or give a picture of a drawing.")
        return drawing_of(pad)

    def paint(
        paper: np.ndarray,
        like: Upload,
        settings: _Settings,
        number: int = 0,
        **options: Any,  # noqa: ANN401 - the engine's
    ) -> DrawnPicture:
        """A picture; those after the first stray from the look."""
        path = path_of(like)
        if path is not None:
            os.utime(path)
        share = VARIED if number and path is not None else 1
        (drawn,) = studio.engine.draw(
            paper,
            None if path is None else look_of(path, settings.weights.model),
            model=settings.weights.model,
            kind=settings.kind,
            strength=share * settings.strength,
            temperature=settings.temperature,
            seed=settings.seed + number,
            **options,
        )
        return drawn

    def asked(
        model: object, kind: object, strength: object, temperature: object, seed: object
    ) -> _Settings:
        chosen = known(by_name, str(model))
        word = known(all_kinds, str(kind))
        return _Settings(
            chosen,
            # what only other weights know is no fault: the page changes both, one after the other
            word if word in chosen.config.classes else None,
            number_of(strength, "Strength", 0, 1),
            number_of(temperature, "Temperature", 0, 4),
            seed_of(seed),
        )

    def follow(
        drawing: Upload,
        pad: Any,  # noqa: ANN401 - JSON
        like: Upload,
        *settings: Any,  # noqa: ANN401 - as for `draw`
    ) -> tuple[str, str]:
        """What becomes of the drawing, small, where it lies on the canvas."""
        if path_of(drawing) is None and is_blank(pad):
            return live_hint(_HINT), ""

        def drawn() -> _OnPaper:
            paper = ink(drawing, pad)
            made = paint(paper, like, asked(*settings), size=LIVE_PX)
            return _OnPaper(on_paper(made, paper.shape[:2]), made.warnings)

        shown, warnings = live_try(drawn, "The picture of the drawing", (drawing, like))
        return shown, notes_of(warnings, (drawing, like))

    @staged
    def draw(
        drawing: Upload = None,
        pad: Any = None,  # noqa: ANN401 - JSON
        like: Upload = None,
        variations: float = 1,
        model: str = first.name,
        kind: str = ANY,
        strength: float = 1,
        temperature: float = 1,
        seed: float | None = 0,
        own: Own | None = None,
        where: str = THE_FOLDER,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> Generator[None, None, Any]:
        """Pictures of a drawing (a picture's file, or strokes of the pad) in a photo's look."""
        count = int(number_of(variations, "Variations", 1, MOST_VARIATIONS))
        settings = asked(model, kind, strength, temperature, seed)
        progress(0.05, desc="Reading the drawing")
        paper = ink(drawing, pad)
        yield
        folder, found, paths = studio.new_folder(), [], []
        for number in range(count):
            progress(0.1 + 0.9 * number / count, desc=f"Drawing {number + 1} of {count}")
            found.append(paint(paper, like, settings, number))
            paths.append(str(folder / f"drawing-{number + 1}.png"))
            found[-1].save(paths[-1])
            yield
        cited = nothing() if guidance is None else guidance.nearest(paper, own, where)
        notes = notes_of(found[0].warnings, (drawing, like))
        return *view.values(paths, notes), cited

    def other_model(name: str, kind: str) -> tuple[Any, Any]:
        """Kinds and colours of other weights."""
        now = known(by_name, name)
        kinds = _kinds(now)
        kept = kind if kind in kinds else ANY
        named = gr.update(choices=kinds, value=kept, visible=len(kinds) > 1)
        return named, gr.update(painting=now.painted)

    settings = [model, kind, strength, temperature, seed]
    states = [] if guidance is None else guidance.states
    call = {
        "fn": draw,
        "inputs": [drawing, pad, like, variations, *settings, *states],
        "outputs": [nearest],
        "api_name": "draw",
    }
    drawn = view.drawn_by(go.click, stop, call)
    if near is not None:
        drawn.success(
            lambda cited: (gr.update(visible=bool(cited["matches"])), cited),
            nearest,
            list(near),
            **QUIET,
        )
    model.input(other_model, [model, kind], [kind, pad], **QUIET)
    source.input(
        lambda chosen: (
            gr.update(visible=True if chosen == HERE else "hidden"),  # stays as it is
            # what is not to be seen does not count
            gr.update(visible=chosen == FILE, value=None),
        ),
        source,
        [pad, drawing],
        **QUIET,
    )
    triggers = [pad.release, drawing.change, like.change, strength.input, temperature.input]
    triggers += [kind.input, model.input, seed.change]
    panel.follow(tab, follow, [drawing, pad, like, *settings], [live, notes], triggers)
    if guidance is not None and shadow is not None:
        guidance.follow(panel, tab, (drawing, pad, shadow), [drawing.change])
    return like


@dataclass(frozen=True)
class _Settings:
    weights: DrawingWeights
    kind: str | None
    strength: float
    temperature: float
    seed: int


@dataclass(frozen=True)
class _OnPaper:
    image: np.ndarray
    warnings: tuple[str, ...]


def on_paper(drawn: DrawnPicture, canvas: tuple[int, int]) -> np.ndarray:
    """A painted drawing where it lies on its canvas, on white.

    Args:
        drawn: Its frame says where it lies, and may reach outside.
        canvas: (height, width) of the drawing in pixels.

    Returns:
        (H, W, 3) uint8 RGB with the canvas's proportions, its longer side `LIVE_PX`.
    """
    scale = LIVE_PX / max(canvas)
    size = tuple(max(1, round(side * scale)) for side in canvas)
    x0, y0, x1, y1 = (value * scale for value in drawn.frame)
    height, width = drawn.image.shape[:2]
    fx, fy = (x1 - x0) / width, (y1 - y0) / height
    image = drawn.image
    if max(fx, fy) < 1:
        wh = (max(1, round(width * fx)), max(1, round(height * fy)))
        image = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
        fx, fy = (x1 - x0) / wh[0], (y1 - y0) / wh[1]
    matrix = np.array([[fx, 0, x0 + (fx - 1) / 2], [0, fy, y0 + (fy - 1) / 2]])
    return cv2.warpAffine(
        image, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderValue=tuple(map(float, PAPER))
    )


def _kinds(weights: DrawingWeights) -> list[str]:
    return [ANY, *weights.config.classes]
