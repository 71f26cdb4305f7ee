"""The crude drawings: drawn through the page, as `tests/vunet/drawing/crude` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.pad import SIZE, drawing_of
from tests.vunet.drawing.crude.draw import HERE, MARKS, PAD, draw
from tests.vunet.drawing.crude.mouse import shown
from tests.vunet.drawing.crude.people import PEOPLE
from tests.vunet.drawing.crude.strokes import DRAWINGS, PAPER_WH
from vunet.drawing.palette import COLOURS, REGIONS
from vunet.drawing.sheet import read_sheet
from vunet.images import read_image

pytestmark = [
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PAINTED = [name for name, marks in PEOPLE.items() if any(m.colour != "ink" for m in marks)]


def kept(name: str) -> np.ndarray:
    return read_image(HERE / f"{name}.png")


def test_there_are_thirty_garments_and_each_has_its_picture() -> None:
    assert len(DRAWINGS) == 30
    assert len(MARKS) == 36
    assert len(PAINTED) == 3
    assert {path.stem for path in Path(HERE).glob("*.png")} == set(MARKS)


@pytest.mark.parametrize("name", MARKS)
def test_pictures_show_what_was_laid_out(name: str) -> None:
    """Every place that strokes and fills name is drawn on; far from all of them paper is blank."""
    picture = kept(name)
    assert picture.shape == (*SIZE, 3)
    drawn = picture.min(2) < 250
    for mark in MARKS[name]:
        for x, y in np.array(mark.points) * SIZE[1] / PAPER_WH[0]:
            around = drawn[int(max(y - 6, 0)) : int(y + 7), int(max(x - 6, 0)) : int(x + 7)]
            assert around.any(), (mark, x, y)
    points = np.concatenate([mark.points for mark in MARKS[name]]) * SIZE[1] / PAPER_WH[0]
    rows, columns = np.nonzero(drawn)
    room = 16  # half of the widest brush, the curves and the tremor
    assert np.all([columns.min(), rows.min()] > points.min(0) - room)
    assert np.all([columns.max(), rows.max()] < points.max(0) + room)


@pytest.mark.parametrize("name", sorted(set(MARKS) - set(PAINTED)))
def test_lines_are_read_as_a_drawing(name: str) -> None:
    read = read_sheet(kept(name), (256, 192), "lines")
    assert not read.warnings
    assert 0.01 < (read.picture.max(2) < 128).mean() < 0.3


@pytest.mark.parametrize("name", PAINTED)
def test_painted_regions_are_read_as_such(name: str) -> None:
    picture = read_sheet(kept(name), (256, 192), "regions").picture
    found = {
        region
        for region, colour in zip(REGIONS, COLOURS[1:], strict=True)
        if (np.abs(picture.astype(int) - colour).max(2) < 12).sum() > 25
    }
    assert found == {mark.colour for mark in MARKS[name]} - {"ink"}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("name", ["evening_dress", "painted_summer_dress"])
def test_drawn_anew_on_the_page_they_are_the_same(visit: Any, name: str) -> None:
    page = visit.page
    visit.open("Draw")
    if name in PAINTED:
        page.locator("#draw-model input").click()
        page.get_by_role("option", name="tiny-regions").click()
        page.locator("#draw-pad .pad-palette").wait_for()
    anew = drawing_of(draw(page, name)).astype(int)
    # where the paper lies on the screen may differ by parts of a pixel
    assert np.abs(anew - kept(name)).mean() < 1
    assert np.abs(anew - shown(page, PAD)).mean() < 1, (
        "the paper shows what the server does not get"
    )
