"""The twenty crude faces: laid out on the paper, and drawn through the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.pad import SIZE, drawing_of
from tests.vunet.drawing.crude.mouse import shown
from tests.vunet.face.crude.draw import HERE, TAB, draw, pad_value
from tests.vunet.face.crude.shapes import PAPER_WH
from tests.vunet.face.crude.strokes import FACES
from vunet.images import read_image

pytestmark = [
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_there_are_twenty_and_each_has_its_picture() -> None:
    assert len(FACES) == 20
    assert {path.stem for path in Path(HERE).glob("*.png")} == set(FACES)


@pytest.mark.parametrize("name", FACES)
def test_strokes_lie_on_the_paper(name: str) -> None:
    assert SIZE[::-1] == PAPER_WH
    for stroke in pad_value(name)["strokes"]:
        points = np.array(stroke["points"])
        assert (points > 0).all()
        assert (points < PAPER_WH).all()


@pytest.mark.parametrize("name", FACES)
def test_pictures_show_what_the_hand_drew(name: str) -> None:
    """What came through the page is what the hand does without one."""
    kept = read_image(HERE / f"{name}.png").astype(int)
    # where the paper lies on the screen may differ by parts of a pixel
    assert np.abs(drawing_of(pad_value(name)) - kept).mean() < 1


@pytest.mark.browser
@pytest.mark.slow
def test_drawn_anew_on_the_page_they_are_the_same(visit: Any) -> None:
    visit.open(TAB)
    anew = drawing_of(draw(visit.page, "outline_and_eyes")).astype(int)
    assert np.abs(anew - read_image(HERE / "outline_and_eyes.png")).mean() < 1
    paper = shown(visit.page, f"#{TAB.lower()}-pad")
    assert np.abs(anew - paper).mean() < 1, "the paper shows what the server does not get"
