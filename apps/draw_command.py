"""The verb `draw`: a crude drawing becomes a picture, in the look of a photo or a sampled one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, UseAppendAction, arg

from apps.commands import (
    Device,
    Model,
    Pixels,
    Whole,
    assignments,
    check_picture,
    check_seed,
    note,
)
from apps.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Turn a crude drawing into a picture, in the look of a photo.

    Dark lines on plain paper, drawn, scribbled or scanned; weights that know regions take painted
    ones as well. Without --like, looks are sampled.
    """

    drawing: Annotated[Positional[Path], arg(metavar="DRAWING")]
    """Picture of the drawing."""
    out: Annotated[Path, arg(metavar="OUT.png")]
    """Picture to write, .png or .jpg; with -n a sheet of all."""
    like: Annotated[Path | None, arg(metavar="PHOTO", help_behavior_hint="")] = None
    """Photo whose look the picture gets."""
    count: Annotated[int, arg(name="n", aliases=["-n"], metavar="N")] = 1
    """How many, 1 to 64; with --like, all but the first are variations."""
    kind: Annotated[str | None, arg(metavar="KIND", help_behavior_hint="")] = None
    """What is drawn, such as Dress; helps sampled looks. An unknown one lists those known."""
    strength: Annotated[float, arg(metavar="0..1")] = 1.0
    """How much of the photo's look."""
    temperature: Annotated[float, arg(metavar="T")] = 1.0
    """How far sampled looks stray from the ordinary."""
    model: Model = "garment"
    """Weights: garment, person (the same as sketch: drawings of people), face, another name of
    `vunet models`, a file or a run folder."""
    seed: Whole = 0
    """The same seed draws the same looks."""
    device: Device = "auto"
    """Where the network runs."""
    size: Pixels = None
    """Longer side of each picture, 512 by default."""
    refine: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="[PART=]0..1")] = ()
    """Faces: how far strokes are drawn towards real faces, 0.5 by default; for all parts, or for
    left-eye, right-eye, eyes, nose, mouth or hair. May be given several times."""
    part: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="PART=PICTURE")] = ()
    """Faces: drawing or photo from which a part is taken. May be given several times."""
    towards: Annotated[Path | None, arg(metavar="PICTURE", help_behavior_hint="")] = None
    """Faces: drawing or photo of a face that this one is on the way to, ..."""
    share: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="[PART=]0..1")] = ()
    """... and how far, 0.5 by default; for all parts or one. May be given several times."""
    look: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=-3..3")] = ()
    """Faces: art direction of the look; an unknown name lists those known."""
    match_eyes: bool = True
    """Faces: whether both irises get the same colour."""

    def run(self) -> int:
        """Write the picture, or a sheet of them."""
        check_seed(self.seed)
        check_picture(self.out)

        from vunet.drawing.painter import DRAWING_PX
        from vunet.engine import Engine, drawn_by

        engine = Engine.load(drawn_by(self.model), device=self.device)
        options: dict[str, Any] = {
            "n": self.count,
            "strength": self.strength,
            "temperature": self.temperature,
            "seed": self.seed,
            "size": self.size or DRAWING_PX,
        }
        if engine.paints_faces:
            if self.kind is not None:
                raise UsageError("--kind is for things; a face is a face")
            drawn = engine.draw_face(self.drawing, self.like, **self._face_options(), **options)
        else:
            if self.refine or self.part or self.towards or self.share or self.look:
                raise UsageError(
                    "--refine, --part, --towards, --share and --look are for faces; add "
                    "--model face"
                )
            drawn = engine.draw(self.drawing, self.like, kind=self.kind, **options)
        if len(drawn) == 1:
            drawn[0].save(self.out)
        else:
            from apps.sheets import grid
            from vunet.images import write_png

            text = {"vunet:seed": str(self.seed), "vunet:weights": drawn[0].weights_sha256}
            write_png(grid([d.image for d in drawn]), self.out, text=text)
        note(drawn[0].warnings)
        print(self.out)
        return 0

    def _face_options(self) -> dict[str, Any]:
        from vunet.face.manifolds import Sliders
        from vunet.face.parts import by_part, named_parts

        sliders = _amounts("--refine", self.refine, 0, 1)
        shares = _amounts("--share", self.share, 0, 1)
        parts = {name: Path(path) for name, path in assignments("--part", self.part).items()}
        for option, names in (("--refine", sliders), ("--share", shares), ("--part", parts)):
            try:
                for name in names:
                    named_parts(name)
            except ValueError as error:
                raise UsageError(f"{option}: {error}") from error
        if self.share and self.towards is None:
            raise UsageError("--share goes with --towards PICTURE")
        return {
            "sliders": Sliders(by_part(sliders)),
            "parts": parts,
            "towards": self.towards,
            "shares": shares or None,
            "directions": _amounts("--look", self.look, -3, 3),
            "match_eyes": self.match_eyes,
        }


def _amounts(option: str, given: tuple[str, ...], low: float, high: float) -> dict[str, float]:
    """Amounts by name; one without a name is for all.

    Raises:
        UsageError: If one is no number in its range.
    """
    found: dict[str, float] = {}
    named = tuple(text if "=" in text else f"all={text}" for text in given)
    for name, text in assignments(option, named).items():
        try:
            amount = float(text)
        except ValueError:
            amount = float("nan")
        if not low <= amount <= high:
            raise UsageError(f"{option} {name}={text}: give a number from {low:g} to {high:g}")
        found[name] = amount
    return found
