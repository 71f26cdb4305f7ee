"""Shadows: the lines of matches lie where the drawing would have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vunet.gallery.gallery import Match
from vunet.gallery.shadow import Shadows
from vunet.gallery.views import view
from vunet.images import ImageError

PAPER = (640, 480)


class Nobody:
    """Finds no people."""

    def __init__(self) -> None:
        self.calls = 0

    def find(self, image: np.ndarray, max_people: int = 1) -> list[Any]:
        self.calls += 1
        return []


@pytest.fixture
def match(tmp_path: Path, photo_of: Callable[..., Any]) -> Match:
    """A photo of a thing, larger than on paper."""
    _, mask = photo_of(3)
    image = np.where(mask[..., None] > 0, (60, 40, 90), 230).astype(np.uint8)  # nothing but edges
    path = tmp_path / "thing.png"
    large = cv2.resize(image, (768, 1024), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), large[..., ::-1])
    return Match(path, 1.0, "drawing", (0.0, 0.0, 768.0, 1024.0))


def paper_with(drawing: np.ndarray, top: int, left: int) -> np.ndarray:
    """A drawing somewhere on empty paper."""
    sheet = np.full((*PAPER, 3), 255, np.uint8)
    height, width = drawing.shape[:2]
    sheet[top : top + height, left : left + width] = drawing
    return sheet


def apart(drawing: np.ndarray, shadow: np.ndarray) -> float:
    """Mean distance of a drawing's ink from a shadow's lines in pixels."""
    away = cv2.distanceTransform((shadow < 100).astype(np.uint8), cv2.DIST_L2, 3)
    return float(away[drawing.min(2) < 128].mean())


@pytest.mark.parametrize(("top", "left"), [(20, 10), (180, 60), (250, 190)])
def test_a_whole_drawing_has_its_shadow_beneath_it(
    match: Match, drawing_of: Callable[..., np.ndarray], top: int, left: int
) -> None:
    drawing = paper_with(drawing_of(3, (384, 288), 3), top, left)
    shadow = Shadows(Nobody()).shadow([match], drawing)
    assert shadow is not None
    assert shadow.shape == PAPER
    assert apart(drawing, shadow) < 6
    elsewhere = np.roll(drawing, 60, axis=1)
    assert apart(elsewhere, shadow) > 2 * apart(drawing, shadow)


@pytest.mark.parametrize(
    "side",
    [
        "left",
        pytest.param("upper", marks=pytest.mark.xfail(reason="taken for a smaller whole")),
    ],
)
def test_half_a_drawing_has_the_whole_as_its_shadow(
    match: Match, drawing_of: Callable[..., np.ndarray], side: str
) -> None:
    whole = paper_with(drawing_of(3, (448, 336), 3), 90, 70)
    half = whole.copy()
    rows, columns = np.nonzero(whole.min(2) < 128)
    if side == "left":
        half[:, int(columns.mean()) :] = 255
    else:
        half[int(rows.mean()) :] = 255
    shadow = Shadows(Nobody()).shadow([match], half)
    assert shadow is not None
    assert apart(half, shadow) < 12
    found = np.argwhere(shadow > 100)
    drawn = np.stack([rows, columns], 1)
    # it reaches over to where nothing is drawn yet
    axis = 1 if side == "left" else 0
    there = (np.argwhere(half.min(2) < 128))[:, axis].max()
    assert found[:, axis].max() > there + 0.5 * (drawn[:, axis].max() - there)


def test_without_strokes_or_photos_there_is_none(
    match: Match, drawing_of: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    shadows = Shadows(Nobody())
    drawing = paper_with(drawing_of(3, (384, 288), 3), 50, 50)
    assert shadows.shadow([match], np.full((*PAPER, 3), 255, np.uint8)) is None
    assert shadows.shadow([], drawing) is None
    gone = Match(tmp_path / "gone.jpg", 1.0, "drawing", match.box)
    assert shadows.shadow([gone], drawing) is None
    broken = Match(tmp_path / "broken.jpg", 1.0, "drawing", match.box)
    broken.path.write_text("nothing")
    alone, both = shadows.shadow([match], drawing), shadows.shadow([broken, match], drawing)
    assert alone is not None
    assert both is not None
    assert np.array_equal(alone, both)


def test_the_lines_of_a_photo_are_made_once(
    match: Match, drawing_of: Callable[..., np.ndarray]
) -> None:
    finder = Nobody()
    shadows = Shadows(finder)
    for top in (10, 40, 80):
        shadows.shadow([match], paper_with(drawing_of(3, (384, 288), 3), top, 20))
    assert finder.calls == 1


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_view_is_the_part_of_the_photo_that_is_asked_for(tmp_path: Path, ending: str) -> None:
    image = np.full((1200, 1600, 3), 255, np.uint8)
    image[300:900, 800:1200] = (200, 30, 30)
    path = tmp_path / f"photo.{ending}"
    cv2.imwrite(str(path), image[..., ::-1])
    part = view(path, (800.0, 300.0, 1200.0, 900.0), 150)
    assert part.shape == (150, 100, 3)
    assert np.abs(part[3:-3, 3:-3].astype(int) - (200, 30, 30)).max() < 12
    whole = view(path, (0.0, 0.0, 1600.0, 1200.0), 400)
    assert whole.shape == (300, 400, 3)
    assert whole[10, 10].min() > 240
    assert view(path, (0.0, 0.0, 90.0, 60.0), 400).shape == (60, 90, 3)  # never enlarged
    with pytest.raises(ImageError, match="gone"):
        view(tmp_path / "gone.jpg", (0.0, 0.0, 9.0, 9.0), 100)
