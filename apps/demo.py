"""The demonstration: the person that ships with the project, re-posed, on one labelled sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from apps.errors import UsageError
from apps.sheets import Tile, compose, fit, free_corner, stick_figure
from vunet.images import read_image

if TYPE_CHECKING:
    from vunet.engine import Engine

EXAMPLES = Path(__file__).resolve().parent / "examples"
"""Pictures that ship with the project: own renders, of nobody."""
POSES = ("walking_right", "waving", "hands_on_hips", "arms_up", "lunge", "dance_1", "sitting")
"""Presets that the sheet shows first, as far as they exist."""
COUNT = 7
_TILE_HEIGHT = 480
_INSET_SHARE = 0.24


def example(number: int) -> Path:
    """The bundled picture of person 1, 2, ...

    Raises:
        UsageError: If it is not there.
    """
    found = examples(f"person_{number}")
    if not found:
        raise UsageError(f"{EXAMPLES}: person_{number} is missing; install vunet again")
    return found[0]


def examples(name: str = "person_*") -> list[Path]:
    """Bundled pictures of this name, in order; `*` stands for anything."""
    return sorted(p for p in EXAMPLES.glob(f"{name}.*") if p.suffix in (".jpg", ".png"))


def chosen_poses(presets: Sequence[str], count: int = COUNT) -> list[str]:
    """Names of the presets that a sheet shows: those of `POSES`, then others in their order."""
    first = [name for name in POSES if name in presets]
    return [*first, *(name for name in presets if name not in first)][:count]


def draw_demo(engine: Engine, photo: Path | None = None) -> np.ndarray:
    """The sheet: the photo, then the person in the preset poses with their stick figures.

    Args:
        engine: Draws.
        photo: Whom to re-pose; the first bundled person if None.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: With a sentence, if the photo cannot be used.
    """
    from pose.presets import PRESETS

    path = photo or example(1)
    image = read_image(path)
    ratio = _TILE_HEIGHT / image.shape[0]
    size = (_TILE_HEIGHT, round(np.clip(image.shape[1] * ratio, 0.4 * _TILE_HEIGHT, 720)))
    inset = (round(_INSET_SHARE * size[0]), round(0.72 * _INSET_SHARE * size[0]))
    names = chosen_poses(list(PRESETS))
    results = [engine.repose(path, name) for name in names]
    corner = free_corner([result.mask for result in results])
    tiles = [Tile(image, "The photo")]
    for name, result in zip(names, results, strict=True):
        figure = stick_figure(PRESETS[name], inset)
        label = name.rstrip("_0123456789").replace("_", " ").capitalize()
        tiles.append(Tile(fit(result.image, size), label, figure, corner))
    return compose(
        tiles,
        4,
        size,
        "One photo, other poses",
        "The person is a render; each picture is drawn from the photo and a stick figure alone.",
    )
