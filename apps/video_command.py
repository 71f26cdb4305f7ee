"""The verb `video`: the person of a photo moves as somebody in a video does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from apps.commands import (
    Device,
    MaybeNumber,
    MaybeWhole,
    Model,
    Pixels,
    Whole,
    check_file,
    check_seed,
    note,
)

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Video:
    """Let the person of a photo move as somebody in a video does.

    POSES is a video, a moving GIF or WebP, a folder with a photo, stick figure or pose file per
    frame, a pose file of several frames, or names of presets with commas between, one a second.
    """

    photo: Annotated[Positional[Path], arg(metavar="PHOTO")]
    """Photo of the person."""
    poses: Annotated[str, arg(metavar="POSES")]
    """Where the movement comes from."""
    out: Annotated[Path, arg(metavar="OUT.mp4")]
    """Film to write, .mp4 or .gif."""
    fps: MaybeNumber = None
    """Frames per second; by default the source's up to 30, and 25 for folders and pose files."""
    seconds: MaybeNumber = None
    """Take only so much from the beginning."""
    smooth: Annotated[float, arg(metavar="0..1")] = 0.5
    """How much trembling is taken out of the movement."""
    background: Annotated[str, arg(metavar="source|plain|FILE")] = "source"
    """What is behind the person: the photo's own background, grey, or a picture."""
    retarget: bool = True
    """Keep the person's own limb lengths."""
    person: MaybeWhole = None
    """Which person of the photo, 1 being the largest, which is also the default."""
    model: Model = "person"
    """Weights, by name (see `vunet models`) or file."""
    seed: Whole = 0
    """Decides how body parts look that the photo does not show."""
    device: Device = "auto"
    """Where the network runs."""
    size: Pixels = None
    """Longer side of the film; by default the photo's, at most 1280."""

    def run(self) -> int:
        """Write the film."""
        check_seed(self.seed)

        from vunet.engine import Engine
        from vunet.sequence import (
            DEFAULT_SIDE_PX,
            check_sequence_output,
            draw_sequence,
            read_sequence,
        )

        check_sequence_output(self.out, self.background)
        check_file(self.out)
        engine = Engine.load(self.model, device=self.device)
        prepared = engine.prepare(self.photo, person=self.person, size=self.size or DEFAULT_SIDE_PX)
        with _bar("poses") as step:
            sequence = read_sequence(
                engine,
                self.poses,
                fps=self.fps,
                seconds=self.seconds,
                smoothing=self.smooth,
                progress=step,
            )
        with _bar("frames") as step:
            drawn = draw_sequence(
                engine,
                prepared,
                sequence,
                self.out,
                background=self.background,
                retarget=self.retarget,
                seed=self.seed,
                size=self.size,
                progress=step,
            )
        note(drawn.warnings)
        print(self.out)
        return 0


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int, np.ndarray | None], None]]:
    """A progress bar, on a terminal only."""
    from tqdm import tqdm

    with tqdm(desc=what, unit="frame", disable=None) as bar:

        def step(done: int, total: int, _: np.ndarray | None) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield step
