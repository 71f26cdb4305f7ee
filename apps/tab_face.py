"""The tab *Face*: a rough drawing of a face becomes a face, as near to the strokes as one likes."""

from __future__ import annotations

import html
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from apps.cancel import cancel_button, staged
from apps.face_fields import COPY, REFINED, FaceFields, wishes_of
from apps.face_file import ALL, SLIDERS, FaceDrawing, face_text, load_face
from apps.facing import Faces, FaceWeights, FaceWishes, shadow_of
from apps.guidance import GENTLE
from apps.live import live_hint, live_picture, live_view, shadow_picture
from apps.pad import drawing_of, drawing_pad, given_strokes, is_blank
from apps.starts import faces as ready_made
from apps.studio import (
    ENGINE,
    QUIET,
    Panel,
    Studio,
    Upload,
    checked,
    error_for_page,
    notes_of,
    number_of,
    path_of,
    picture_field,
    refusal,
    seed_of,
    told,
)
from apps.tab_draw import FILE, HERE, MOST_VARIATIONS
from apps.variations import VariationsView
from vunet.face.parts import NAMES

LIVE_PX = 448
"""Side of pictures that follow the pen."""
_HINT = "The face appears here and follows your pen."
_SAVED = "face.json"
"""What the browser calls a drawing that is saved."""
_DOWNLOAD = """text => {
  if (!text) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "%s";
  link.click();
  URL.revokeObjectURL(link.href);
}"""


def face_tab(studio: Studio, panel: Panel, tab: gr.Tab, weights: FaceWeights) -> None:
    """Lay out the tab; its endpoint for programs is `/face`.

    Args:
        studio: Has the engine.
        panel: Says which tab is open.
        tab: Its own.
        weights: From `apps.facing.face_weights`.
    """
    faces = Faces(studio, weights)
    with gr.Row(equal_height=False, elem_id="face-columns"):
        with gr.Column(scale=4, min_width=290):
            source = gr.Radio(
                [HERE, FILE],
                value=HERE,
                show_label=False,
                label="Drawing",
                container=False,
                elem_id="face-source",
            )
            pad = drawing_pad(
                "face-pad",
                label="Paper for a face",
                hint="Draw a face with dark lines,<br>or start from one of those below.",
                tools=("brush", "eraser"),
                starts=ready_made(),
                strength=GENTLE,
            )
            shadow = gr.Slider(
                0,
                1,
                value=GENTLE,
                step=0.05,
                label="Shadow",
                info="The real faces nearest to yours, under your strokes; 0 is off.",
                buttons=[],
                elem_id="face-shadow",
            )
            drawing = picture_field(
                "Picture of a drawing",
                "face-file",
                visible=False,
                height=460,
                placeholder="Drop a scan or a photo of a drawing here, or click to choose one",
            )
            with gr.Row(elem_classes="files"):
                save = gr.Button("Save drawing", size="sm", elem_id="face-save")
                load = gr.UploadButton(
                    "Load drawing", size="sm", file_types=[".json"], elem_id="face-load"
                )
            text = gr.Textbox(visible=False)
        with gr.Column(scale=4, min_width=290):
            live = live_view("face-live", _HINT)
            notes = gr.Markdown(elem_classes="notes", elem_id="face-said")
            with gr.Row(elem_classes="go"):
                go = gr.Button("Draw in full size", variant="primary", elem_id="face-go")
                stop = cancel_button("face-stop")
            variations = gr.Slider(
                1,
                MOST_VARIATIONS,
                value=1,
                step=1,
                label="Variations",
                info="The first has the whole look, the others stray.",
                buttons=[],
                elem_id="face-count",
            )
            view = VariationsView("face")
        with gr.Column(scale=3, min_width=250, elem_id="face-settings"):
            fields = FaceFields(weights.directions)
    checked(drawing)
    # for programs, which name parts and directions
    named, directed, call = gr.JSON(visible=False), gr.JSON(visible=False), gr.Button(visible=False)

    def drawn_of(drawing: Upload, pad: Any) -> Any:  # noqa: ANN401 - JSON, what `Faces` reads
        path = path_of(drawing)
        if path is not None:
            return path
        if is_blank(pad):
            raise refusal("Draw a face first, or give a picture of a drawing.")
        return drawing_of(pad)

    def follow(drawing: Upload, pad: Any, *values: Any) -> tuple[str, str, Any]:  # noqa: ANN401
        """The face, small, what is to be said of it, and the shadow under the strokes."""
        here = path_of(drawing) is None
        none = gr.update(shadow="")
        if here and is_blank(pad):
            return live_hint(_HINT), "", none
        given = (drawing, *values)
        try:
            wishes = fields.wishes(values)
            seen = faces.understood(drawn_of(drawing, pad), wishes)
            drawn = faces.painted(seen, wishes, size=LIVE_PX)
        except gr.Error as error:
            return live_hint(html.unescape(error.message)), "", none
        except (ValueError, OSError, MemoryError) as error:
            said = error_for_page(error, given).message
            return live_hint(html.unescape(said)), "", none
        picture = live_picture(drawn.image, "The face of the drawing")
        under = gr.update(shadow=shadow_picture(shadow_of(seen))) if here else none
        return picture, notes_of(drawn.warnings, given), under

    def pictures(
        drawing: Upload,
        pad: Any,  # noqa: ANN401 - JSON
        variations: object,
        wishes: FaceWishes,
        progress: Callable[..., Any],
        given: tuple[Any, ...],
    ) -> Generator[None, None, Any]:
        """Full-size pictures, stage by stage; the values of the view."""
        count = int(number_of(variations, "Variations", 1, MOST_VARIATIONS))
        progress(0.05, desc="Reading the drawing")
        seen = faces.understood(drawn_of(drawing, pad), wishes)
        yield
        folder, paths, warnings = studio.new_folder(), [], ()
        for number in range(count):
            progress(0.1 + 0.9 * number / count, desc=f"Drawing {number + 1} of {count}")
            drawn = faces.painted(seen, wishes, number)
            warnings = warnings or drawn.warnings
            paths.append(str(folder / f"face-{number + 1}.png"))
            drawn.save(paths[-1])
            yield
        return view.values(paths, notes_of(warnings, (drawing, *given)))

    @staged
    def draw(
        drawing: Upload,
        pad: Any,  # noqa: ANN401 - JSON
        variations: float,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
        *values: Any,  # noqa: ANN401 - as for `follow`
    ) -> Generator[None, None, Any]:
        wishes = fields.wishes(values)
        return (yield from pictures(drawing, pad, variations, wishes, progress, values))

    @staged
    def face(
        drawing: Upload = None,
        pad: Any = None,  # noqa: ANN401 - JSON
        like: Upload = None,
        variations: float = 1,
        refinement: float = REFINED,
        sliders: Any = None,  # noqa: ANN401 - JSON
        other: Upload = None,
        parts: Any = None,  # noqa: ANN401 - JSON
        how: str = COPY,
        share: float = 0.5,
        second: Upload = None,
        second_parts: Any = None,  # noqa: ANN401 - JSON
        second_how: str = COPY,
        second_share: float = 0.5,
        directions: Any = None,  # noqa: ANN401 - JSON
        match_eyes: bool = True,
        strength: float = 1,
        temperature: float = 1,
        seed: float | None = 0,
    ) -> Generator[None, None, Any]:
        """Faces of a drawing (a picture's file, or strokes of the pad).

        `sliders` and `directions` are objects of numbers by name, such as {"nose": 1}.
        """
        if not all(given is None or isinstance(given, Mapping) for given in (sliders, directions)):
            raise refusal("Sliders and directions are objects: numbers by name.")
        others = (other, parts, how, share), (second, second_parts, second_how, second_share)
        wishes = wishes_of(
            sliders or {},
            others,
            like,
            strength,
            temperature,
            seed,
            match_eyes,
            directions or {},
            refinement,
        )
        given = (like, other, second)
        return (yield from pictures(drawing, pad, variations, wishes, _unwatched, given))

    refinement, look = fields.refinement, fields.look
    kept = [refinement.all, *refinement.parts.values(), look.strength, look.temperature]
    kept += [look.seed, look.eyes, *look.directions.values()]

    @told
    def saved(drawing: Upload, pad: Any, *values: Any) -> str:  # noqa: ANN401 - as `kept`
        """The text of the file."""
        if path_of(drawing) is not None or is_blank(pad):
            raise refusal("There is nothing to save: draw on the paper first.")
        strokes = pad.get("strokes") if isinstance(pad, Mapping) else None
        amounts, rest = values[: len(SLIDERS)], values[len(SLIDERS) :]
        strength, temperature, seed, eyes, *shifts = rest
        made = FaceDrawing(
            strokes=strokes or [],
            sliders=dict(zip(SLIDERS, amounts, strict=True)),
            directions=dict(zip(look.directions, shifts, strict=True)),
            seed=seed_of(seed),
            strength=strength,
            temperature=temperature,
            match_eyes=bool(eyes),
        )
        return face_text(made)

    @told
    def loaded(given: Upload) -> tuple[Any, ...]:
        """The values of source, pad, shadow, picture, and of `kept`."""
        path = path_of(given)
        if path is None:
            return (gr.skip(),) * (4 + len(kept))
        try:
            made = load_face(Path(path))
        except ValueError as error:
            raise type(error)(f"{path}: {error}") from error
        unknown = [name for name in made.directions if name not in look.directions]
        if any(made.directions[name] for name in unknown):
            names = html.escape(", ".join(unknown))
            gr.Info(f"These weights do not know the directions {names}; they were left out.")
        return (
            HERE,
            gr.update(given=given_strokes(made.strokes), visible=True),
            gr.update(visible=True),
            gr.update(value=None, visible=False),
            *(made.sliders[name] for name in (ALL, *NAMES)),
            *(made.strength, made.temperature, made.seed, made.match_eyes),
            *(made.directions.get(name, 0) for name in look.directions),
        )

    view.drawn_by(
        go.click,
        stop,
        {
            "fn": draw,
            "inputs": [drawing, pad, variations, *fields.inputs],
            "api_visibility": "private",
        },
    )
    one, two = fields.others
    call.click(
        face,
        [
            *(drawing, pad, look.like, variations, refinement.all, named),
            *(*one.fields, *two.fields, directed),
            *(look.eyes, look.strength, look.temperature, look.seed),
        ],
        view.outputs,
        api_name="face",
        **ENGINE,
    )
    saving: dict[str, Any] = {**QUIET, "preprocess": False}
    save.click(saved, [drawing, pad, *kept], text, **saving).success(
        None, text, None, js=_DOWNLOAD % _SAVED, **QUIET
    )
    again = load.upload(loaded, load, [source, pad, shadow, drawing, *kept], **saving)
    source.input(
        lambda chosen: (
            gr.update(visible=True if chosen == HERE else "hidden"),  # stays as it is
            gr.update(visible=chosen == HERE),
            # what is not to be seen does not count
            gr.update(visible=chosen == FILE, value=None),
        ),
        source,
        [pad, shadow, drawing],
        **QUIET,
    )
    shadow.input(
        lambda strength: gr.update(strength=number_of(strength, "Shadow", 0, 1)),
        shadow,
        pad,
        **QUIET,
    )
    triggers = [pad.release, drawing.change, again.success, *fields.triggers]
    panel.follow(tab, follow, [drawing, pad, *fields.inputs], [live, notes, pad], triggers)


def _unwatched(share: float, desc: str) -> None:
    """Progress of a call that shows none."""
