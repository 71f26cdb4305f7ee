"""Art direction: named ways in which the looks of the training faces differ most.

The looks (latents) of the training photos are laid out by their principal components; what each
means was found by looking at faces painted along it, and stands in `directions.json` beside the
numbers. Made by `python -m vunet.face.directions`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vunet.drawing.sheet import DrawingError

FILE = Path(__file__).with_name("directions.json")
COUNT = 6
FARTHEST = 3.0
"""Most that a look may go in a direction, in standard deviations."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Named directions of a network's looks."""

    names: tuple[str, ...]
    lows: tuple[str, ...]
    """What the negative end of each looks like, ..."""
    highs: tuple[str, ...]
    """... and the positive one."""
    axes: np.ndarray
    """(D, S, Z): one standard deviation each."""

    def shift(self, amounts: Mapping[str, float]) -> np.ndarray:
        """(S, Z) what is added to a look.

        Raises:
            DrawingError: If a name is unknown, or an amount is no number from -3 to 3.
        """
        total = np.zeros(self.axes.shape[1:])
        for name, amount in amounts.items():
            if name not in self.names:
                known = ", ".join(self.names)
                raise DrawingError(f"{name!r} is no direction of looks; there are {known}")
            if not -FARTHEST <= amount <= FARTHEST:
                raise DrawingError(f"{name} must be from -{FARTHEST:g} to {FARTHEST:g}")
            total += amount * self.axes[self.names.index(name)]
        return total


def load_directions(weights_sha256: str, file: Path = FILE) -> Directions | None:
    """The directions of these weights; None for others than those that ship."""
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["weights"] != weights_sha256:
        return None
    rows = told["directions"]
    return Directions(
        tuple(row["name"] for row in rows),
        tuple(row["low"] for row in rows),
        tuple(row["high"] for row in rows),
        np.array([row["axis"] for row in rows], np.float64),
    )
