"""The shipped weights that find photos."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vunet.checkpoint import list_weights
from vunet.gallery.embedder import load_embedder

LARGEST_BYTES = 1_650_000


def test_both_fit_their_budget() -> None:
    sizes = [info.bytes for info in list_weights() if info.name in ("find", "find-face")]
    assert len(sizes) == 2
    assert sum(sizes) <= LARGEST_BYTES


@pytest.mark.parametrize("name", ["find", "find-face"])
def test_outlines_find_things_that_nobody_photographed(
    name: str,
    photo_of: Callable[..., tuple[np.ndarray, np.ndarray]],
    drawing_of: Callable[..., np.ndarray],
) -> None:
    embedder = load_embedder(name)
    seeds = range(300, 324)
    shapes, looks = embedder.photos([photo_of(seed)[0] for seed in seeds])
    asked = np.stack([embedder.drawing(drawing_of(seed, (400, 300), 4)) for seed in seeds])
    found = (asked @ shapes.T).argmax(1) == np.arange(len(seeds))
    assert found.mean() >= 0.8
    again = embedder.photos([photo_of(seed)[0][3:, 5:] for seed in seeds])[1]
    assert ((again @ looks.T).argmax(1) == np.arange(len(seeds))).mean() >= 0.8
