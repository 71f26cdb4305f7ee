"""The verb `draw`: a crude drawing becomes a picture, in the look of a photo or a sampled one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from apps.commands import Device, Model, Pixels, Whole, check_picture, check_seed, note


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
    """Weights: garment, person (the same as sketch: drawings of people), another name of `vunet
    models`, a file or a run folder."""
    seed: Whole = 0
    """The same seed draws the same looks."""
    device: Device = "auto"
    """Where the network runs."""
    size: Pixels = None
    """Longer side of each picture, 512 by default."""

    def run(self) -> int:
        """Write the picture, or a sheet of them."""
        check_seed(self.seed)
        check_picture(self.out)

        from vunet.drawing.painter import DRAWING_PX
        from vunet.engine import Engine, drawn_by

        engine = Engine.load(drawn_by(self.model), device=self.device)
        drawn = engine.draw(
            self.drawing,
            self.like,
            n=self.count,
            kind=self.kind,
            strength=self.strength,
            temperature=self.temperature,
            seed=self.seed,
            size=self.size or DRAWING_PX,
        )
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
