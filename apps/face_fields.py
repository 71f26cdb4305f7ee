"""The settings of the tab *Face*: sliders of refinement, other faces that lend parts, the look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from apps.face_file import MOST_TEMPERATURE
from apps.facing import FaceWishes, Taken
from apps.studio import (
    QUIET,
    Upload,
    checked,
    known,
    number_of,
    path_of,
    picture_field,
    refusal,
    seed_of,
)
from vunet.face.directions import FARTHEST, Directions
from vunet.face.manifolds import Sliders
from vunet.face.parts import GROUPS, NAMES, REST, named_parts

REFINED = 0.5
"""How far parts are refined at first."""
WORDS = {name: name.replace("-", " ").capitalize() for name in NAMES}
WORDS[REST] = "Outline and hair"
"""The parts as the page calls them."""
COPY, BLEND = "Copy", "Blend"
HOW = {COPY: "copy", BLEND: "blend"}
_FAR = 2
"""Standard deviations to which sliders of art direction go."""


class Refinement:
    """A slider for all parts, which moves one for each."""

    def __init__(self) -> None:
        """Lay them out."""
        self.all = gr.Slider(
            0,
            1,
            value=REFINED,
            step=0.05,
            label="Refinement",
            info="0 keeps your strokes, 1 draws a face like real ones.",
            buttons=[],
            elem_id="face-all",
        )
        with gr.Accordion("Refinement, part by part", open=False, elem_id="face-by-part"):
            self.parts = {
                name: gr.Slider(
                    0,
                    1,
                    value=REFINED,
                    step=0.05,
                    label=words,
                    buttons=[],
                    elem_id=f"face-{name}",
                )
                for name, words in WORDS.items()
            }
        # in the browser, so that they move with it
        self.moved = self.all.input(
            None,
            self.all,
            list(self.parts.values()),
            js=f"amount => Array({len(NAMES)}).fill(amount)",
            **QUIET,
        )


class OtherFace:
    """A face that lends parts."""

    def __init__(self, number: int) -> None:
        """Lay it out.

        Args:
            number: 1 or 2; the second is hidden until `Lenders` shows it.
        """
        name = f"face-other-{number}"
        with gr.Column(visible=number == 1, elem_id=name) as self.block:
            self.picture = picture_field(
                "Another face" if number == 1 else "And one more",
                f"{name}-picture",
                height=150,
                placeholder="Drop a drawing or a photo here",
            )
            self.parts = gr.CheckboxGroup(
                [(words, name) for name, words in WORDS.items()],
                value=list(GROUPS["eyes"]),
                label="Parts to take from it",
                elem_id=f"{name}-parts",
            )
            self.how = gr.Radio(
                list(HOW),
                value=COPY,
                label="How",
                show_label=False,
                container=False,
                elem_id=f"{name}-how",
            )
            self.share = gr.Slider(
                0,
                1,
                value=0.5,
                step=0.05,
                label="Share of the other face",
                visible=False,
                buttons=[],
                elem_id=f"{name}-share",
            )
        checked(self.picture)
        self.how.change(lambda how: gr.update(visible=how == BLEND), self.how, self.share, **QUIET)

    @property
    def fields(self) -> list[Any]:
        """In the order of `taken`."""
        return [self.picture, self.parts, self.how, self.share]

    @property
    def triggers(self) -> list[Callable[..., Any]]:
        """Events upon which the face changes."""
        return [self.picture.change, self.parts.input, self.how.input, self.share.input]


class Look:
    """The photo whose look the face gets, and what is made up without one."""

    def __init__(self, directions: Directions | None) -> None:
        """Lay it out.

        Args:
            directions: Named directions of looks, where these are known.
        """
        self.like = picture_field(
            "Photo whose look it gets",
            "face-like",
            height=180,
            placeholder="Drop a photo here, or leave it out: looks are then made up",
        )
        checked(self.like)
        self.strength = gr.Slider(
            0,
            1,
            value=1,
            step=0.05,
            label="Strength",
            info="How much of the photo's look.",
            buttons=[],
            elem_id="face-strength",
        )
        self.temperature = gr.Slider(
            0,
            MOST_TEMPERATURE,
            value=1,
            step=0.1,
            label="Temperature",
            info="Of looks that are made up; 0 is the most ordinary.",
            buttons=[],
            elem_id="face-temperature",
        )
        self.seed = gr.Number(
            value=0, precision=0, minimum=0, label="Seed of the look", elem_id="face-seed"
        )
        self.eyes = gr.Checkbox(
            value=True, label="Eyes match", info="Both get one colour.", elem_id="face-eyes"
        )
        self.directions: dict[str, gr.Slider] = {}
        if directions is None:
            return
        with gr.Accordion("Art direction", open=False, elem_id="face-directions"):
            ends = zip(directions.names, directions.lows, directions.highs, strict=True)
            for number, (name, low, high) in enumerate(ends, 1):
                self.directions[name] = gr.Slider(
                    -_FAR,
                    _FAR,
                    value=0,
                    step=0.1,
                    label=name[:1].upper() + name[1:],
                    info=f"{low} … {high}",
                    buttons=[],
                    elem_id=f"face-direction-{number}",
                )

    @property
    def fields(self) -> list[Any]:
        """Photo, strength, temperature, seed, eyes, directions."""
        settings = [self.like, self.strength, self.temperature, self.seed, self.eyes]
        return [*settings, *self.directions.values()]

    @property
    def triggers(self) -> list[Callable[..., Any]]:
        """Events upon which the face changes."""
        moved = [self.strength, self.temperature, self.eyes, *self.directions.values()]
        return [self.like.change, self.seed.change, *(field.input for field in moved)]


class FaceFields:
    """All settings, in the column where they are made."""

    def __init__(self, directions: Directions | None) -> None:
        """Lay them out.

        Args:
            directions: Named directions of looks, where these are known.
        """
        self.refinement = Refinement()
        self.look = Look(directions)
        with gr.Accordion("Take parts from other faces", open=False, elem_id="face-others"):
            self.others = [OtherFace(1), OtherFace(2)]
        one, two = self.others
        for other in self.others:
            other.picture.change(
                lambda *given: gr.update(visible=any(path_of(picture) for picture in given)),
                [one.picture, two.picture],
                two.block,
                preprocess=False,
                **QUIET,
            )

    @property
    def inputs(self) -> list[Any]:
        """Fields whose values `wishes` takes."""
        others = [field for other in self.others for field in other.fields]
        return [*self.refinement.parts.values(), *others, *self.look.fields]

    @property
    def triggers(self) -> list[Callable[..., Any]]:
        """Events upon which the face changes."""
        parts = [slider.input for slider in self.refinement.parts.values()]
        others = [trigger for other in self.others for trigger in other.triggers]
        return [self.refinement.moved.success, *parts, *others, *self.look.triggers]

    def wishes(self, values: Sequence[Any]) -> FaceWishes:
        """What the fields say.

        Args:
            values: Of `inputs`.

        Raises:
            gr.Error: If one of them cannot be.
        """
        left = list(values)

        def taken(count: int) -> list[Any]:
            found, left[:] = left[:count], left[count:]
            return found

        sliders = dict(zip(NAMES, taken(len(NAMES)), strict=True))
        others = [taken(len(other.fields)) for other in self.others]
        like, strength, temperature, seed, eyes, *amounts = left
        directions = dict(zip(self.look.directions, amounts, strict=True))
        return wishes_of(
            sliders, others, like, strength, temperature, seed, eyes, directions, REFINED
        )


def wishes_of(
    sliders: Mapping[str, Any],
    others: Sequence[Sequence[Any]],
    like: Upload,
    strength: object,
    temperature: object,
    seed: object,
    match_eyes: object,
    directions: Mapping[str, Any],
    otherwise: object,
) -> FaceWishes:
    """What fields say, or programs.

    Args:
        sliders: By part, or by group of parts.
        others: Picture, parts, one of `HOW`, and share of each face that lends parts.
        like: Photo whose look it gets.
        strength: Of it.
        temperature: Of looks that are made up.
        seed: Of these.
        match_eyes: Whether both eyes get one colour.
        directions: By name.
        otherwise: How far parts go that have no slider.

    Raises:
        gr.Error: If one of them cannot be.
    """
    return FaceWishes(
        sliders=Sliders(
            {
                part: number_of(amount, "A refinement", 0, 1)
                for name, amount in sliders.items()
                for part in _parts(name)
            },
            number_of(otherwise, "Refinement", 0, 1),
        ),
        taken=tuple(filter(None, (_taken(*other) for other in others))),
        like=path_of(like),
        strength=number_of(strength, "Strength", 0, 1),
        temperature=number_of(temperature, "Temperature", 0, MOST_TEMPERATURE),
        seed=seed_of(seed),
        directions={
            str(name): number_of(amount, str(name), -FARTHEST, FARTHEST)
            for name, amount in directions.items()
        },
        match_eyes=bool(match_eyes),
    )


def _parts(name: object) -> tuple[str, ...]:
    """The parts that a name stands for; it may come from outside."""
    try:
        return named_parts(str(name))
    except ValueError as error:
        raise refusal(f"{error}.") from error


def _taken(picture: Upload, parts: object, how: str, share: object) -> Taken | None:
    """What a face lends; None without a picture or parts."""
    path = path_of(picture)
    if path is None or not parts:
        return None
    if not isinstance(parts, list):
        raise refusal("The parts must be a list of names.")
    names = {name for given in parts for name in _parts(given)}
    amount = number_of(share, "A share", 0, 1) if known(HOW, how) == "blend" else None
    return Taken(path, tuple(name for name in NAMES if name in names), amount)
