"""The tab *Draw*: the pad's tools in a browser, pictures of drawings, and the endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from apps.errors import UsageError
from apps.pad import INK, SIZE, WIDTHS, blank, drawing_of, hex_of, is_blank
from apps.starts import starts
from apps.tab_draw import LIVE_PX, drawing_weights, on_paper
from vunet.checkpoint import WeightsError
from vunet.drawing.painter import DrawnPicture
from vunet.drawing.palette import REGIONS
from vunet.images import read_image

pytestmark = [
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WIDE, PHONE = (1280, 900), (375, 800)
BOX = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75), (0.25, 0.25)]
"""A closed outline, in shares of the paper."""


def outline(**more: Any) -> dict[str, Any]:
    """The outline as a stroke of the pad."""
    h, w = SIZE
    return {"width": 6, "rub": False, "points": [[x * w, y * h] for x, y in BOX], **more}


# -- the drawing ---------------------------------------------------------------------------------


def test_colours_and_filled_areas_become_a_picture() -> None:
    red = hex_of(REGIONS["top"])
    filled = {"colour": red, "runs": [[y, 130, 350] for y in range(170, 470)]}
    image = drawing_of({"strokes": [outline(), filled, outline(colour="#2859dc")]})
    assert (image[320, 240] == REGIONS["top"]).all()
    assert (image[320, 120] == (40, 89, 220)).all()
    assert (image[320, 40] == 255).all()
    alone = drawing_of({"strokes": [filled]})
    assert (alone != 255).any(2).sum() == 220 * 300  # the last column is left out
    assert (drawing_of({"strokes": [outline()]})[320, 120] == INK).all()


@pytest.mark.parametrize("width", WIDTHS)
def test_strokes_lie_and_are_as_wide_as_on_the_canvas(width: int) -> None:
    """A canvas's coordinates count from the corners of pixels."""
    stroke = {"width": width, "points": [[240.5, 100], [240.5, 500]], "colour": "#000000"}
    dark = 1 - drawing_of({"strokes": [stroke]})[300, :, 0] / 255
    assert dark.sum() == pytest.approx(width, abs=0.3)
    assert (dark * (np.arange(len(dark)) + 0.5)).sum() / dark.sum() == pytest.approx(240.5, abs=0.2)


def test_runs_outside_the_paper_do_no_harm() -> None:
    runs = [[-5, 0, 9], [10, -1e18, 1e18], [1e18, 0, 9], [20, 90, 10], [30, 470, 999]]
    image = drawing_of({"strokes": [{"colour": "#ff0000", "runs": runs}]})
    assert (image != 255).any(2).sum() == 480 + 10


@pytest.mark.parametrize(
    "stroke",
    [
        {"runs": [[1, 2]]},
        {"runs": "x"},
        {"runs": None},
        {"runs": [[1, 2, float("nan")]]},
        {"runs": [[1, 2, 3]], "colour": "red"},
        {"runs": [[1, 2, 3]], "colour": ["#ff0000"]},
        {"width": 6, "points": [[1, 2]], "colour": "#ff00zz"},
        {"width": 10**400, "points": [[1, 2]]},
    ],
)
def test_damaged_fills_and_colours_are_told_in_a_sentence(stroke: Any) -> None:
    with pytest.raises(UsageError, match="drawing"):
        drawing_of({"strokes": [stroke]})


def test_blank_paper_is_known() -> None:
    assert is_blank(blank())
    assert is_blank(None)
    assert not is_blank({"strokes": [outline()]})
    assert not is_blank({"strokes": "x"})  # damaged, which is said elsewhere


def test_drawings_to_begin_with_fill_the_paper() -> None:
    for name, strokes in starts().items():
        rows, columns = np.nonzero(drawing_of({"strokes": strokes}).min(2) < 128)
        assert np.ptp(rows) > 0.55 * SIZE[0], name
        assert columns.min() + columns.max() == pytest.approx(SIZE[1], abs=4), name
        json.dumps(strokes, allow_nan=False)


@pytest.mark.parametrize("canvas", [(640, 480), (300, 900), (1000, 200)])
def test_a_picture_is_laid_where_its_frame_says(canvas: tuple[int, int]) -> None:
    height, width = canvas
    frame = (0.25 * width, 0.5 * height, 0.75 * width, 1.25 * height)
    red = np.full((512, 384, 3), (200, 0, 0), np.uint8)
    nothing = np.zeros((1, 1), np.uint8)
    laid = on_paper(DrawnPicture(red, nothing, red, frame, (), 0, ""), canvas)
    h, w = laid.shape[:2]
    assert max(h, w) == LIVE_PX
    assert h / w == pytest.approx(height / width, rel=0.03)
    rows, columns = np.nonzero(laid[..., 1] < 128)
    assert rows.min() == pytest.approx(0.5 * h, abs=1.5)
    assert rows.max() == h - 1
    assert columns.min() == pytest.approx(0.25 * w, abs=1.5)
    assert columns.max() == pytest.approx(0.75 * w, abs=1.5)


# -- weights -------------------------------------------------------------------------------------


def test_weights_that_paint_drawings_are_found_by_their_headers(
    tiny_drawings: list[Path], tiny_weights: Path, tmp_path: Path
) -> None:
    lines, regions = drawing_weights(tiny_drawings)
    assert (lines.name, lines.painted, lines.config.classes) == (
        "tiny-lines",
        False,
        ("Dress", "Shoes"),
    )
    assert regions.painted
    assert all(one.config.network == "drawing" for one in drawing_weights())
    with pytest.raises(UsageError, match="paint no drawings"):
        drawing_weights([tiny_weights])
    bad = tmp_path / "bad.safetensors"
    bad.write_text("nothing")
    with pytest.raises(WeightsError, match="fetch it again"):
        drawing_weights([bad])


def test_without_such_weights_there_is_no_tab(
    tiny_weights: Path, tiny_drawings: list[Path]
) -> None:
    from apps.page import build
    from vunet.engine import Engine

    engine = Engine.load(tiny_weights, device="cpu")

    def endpoints(drawings: list[Path]) -> Any:
        return build(engine, drawings).get_api_info()["named_endpoints"]

    assert "/draw" not in endpoints([])
    (one,) = [
        p for p in endpoints(tiny_drawings[:1])["/draw"]["parameters"] if "Network" in p["label"]
    ]
    assert one["parameter_default"] == "tiny-lines"


# -- in the browser ------------------------------------------------------------------------------


def paper(visit: Any) -> Any:
    """The canvas, at rest."""
    canvas = visit.page.locator("#draw-pad canvas")
    canvas.scroll_into_view_if_needed()
    canvas.hover(trial=True)
    return canvas


def places(visit: Any, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Shares of the paper -> pixels of the screen."""
    box = paper(visit).bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def stroke(visit: Any, points: list[tuple[float, float]]) -> None:
    """Draw with the mouse."""
    mouse = visit.page.mouse
    first, *rest = places(visit, points)
    mouse.move(*first)
    mouse.down()
    for to in rest:
        mouse.move(*to, steps=6)
    mouse.up()


def pixel(visit: Any, x: float, y: float) -> tuple[int, ...]:
    """RGB of the canvas at a place, in shares."""
    rgba = visit.page.evaluate(
        """([x, y]) => { const c = document.querySelector('#draw-pad canvas');
            return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data]; }""",
        [x, y],
    )
    return tuple(rgba[:3])


def tool(visit: Any, name: str) -> None:
    visit.page.locator("#draw-pad").get_by_role("button", name=name, exact=True).click()


def near(colour: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(colour, other, strict=True)) < 8


def model(visit: Any, name: str) -> None:
    """Choose weights."""
    visit.page.locator("#draw-model input").click()
    visit.page.get_by_role("option", name=name).click()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_a_drawing_becomes_pictures_in_the_look_of_a_photo(
    visit: Any, photo: Path, tmp_path: Path
) -> None:
    page = visit.page
    visit.open("Draw")
    assert page.locator("#person").is_hidden()
    stroke(visit, BOX)
    page.wait_for_selector("#draw-live img")
    assert near(pixel(visit, 0.25, 0.5), INK)
    first = visit.source("draw-live")
    stroke(visit, [(0.4, 0.3), (0.6, 0.7)])
    visit.await_another("draw-live", first)
    first = visit.source("draw-live")
    visit.give("draw-like", photo)
    visit.await_another("draw-live", first)  # the look of the photo
    assert visit.overflow() <= 0
    visit.keep("draw-live")
    first = visit.source("draw-live")
    page.locator("#draw-strength input[type=number]").fill("0.4")
    page.locator("#draw-strength input[type=number]").press("Enter")
    visit.await_another("draw-live", first)
    page.locator("#draw-count input[type=number]").fill("3")
    page.locator("#draw-count input[type=number]").press("Enter")
    page.click("#draw-go")
    page.wait_for_selector("#draw-variations img")
    page.wait_for_selector("#draw-stop:disabled")
    assert page.locator("#draw-variations img").count() == 3
    one = visit.shown("draw-result")
    assert one.shape == (512, 341, 3)
    source = visit.source("draw-result")
    page.locator("#draw-variations button").nth(1).click()
    visit.await_another("draw-result", source)
    assert not np.array_equal(visit.shown("draw-result"), one)
    with page.expect_download() as download:
        page.locator("#draw-result").get_by_label("Download").click()
    download.value.save_as(tmp_path / "mine.png")
    saved = Image.open(tmp_path / "mine.png")
    assert saved.size == (341, 512)
    assert cast(Any, saved).text["vunet:seed"] == "1"  # the first has the seed itself
    assert visit.overflow() <= 0
    visit.keep("draw")
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.browser
@pytest.mark.slow
def test_tools_of_the_pad(visit: Any) -> None:
    page = visit.page
    visit.open("Draw")
    palette = page.locator("#draw-pad .pad-palette")
    paper(visit)
    assert palette.is_hidden()  # these weights know lines alone
    assert page.locator("#draw-kind").is_visible()
    model(visit, "tiny-regions")
    page.locator("#draw-kind").wait_for(state="hidden")  # these know no kinds
    palette.get_by_role("button", name="Dress").click()
    pink, white = REGIONS["dress"], (255, 255, 255)
    tool(visit, "Line")  # two ends, however the pointer goes between them
    stroke(visit, [(0.1, 0.1), (0.9, 0.5), (0.9, 0.1)])
    assert near(pixel(visit, 0.5, 0.1), pink)
    assert near(pixel(visit, 0.9, 0.5), white)
    tool(visit, "Eraser")
    stroke(visit, [(0.5, 0.05), (0.5, 0.15)])
    assert near(pixel(visit, 0.5, 0.1), white)
    tool(visit, "Undo")
    assert near(pixel(visit, 0.5, 0.1), pink)
    tool(visit, "Redo")
    assert near(pixel(visit, 0.5, 0.1), white)
    palette.get_by_role("button", name="Ink").click()
    tool(visit, "Brush")
    stroke(visit, BOX[:-1])
    # the outline lacks its left side but for a gap of a few pixels: it is taken as closed
    stroke(visit, [(0.25, 0.75), (0.25, 0.265)])
    tool(visit, "Fill")
    palette.get_by_role("button", name="Dress").click()
    page.wait_for_selector("#draw-live img")
    first = visit.source("draw-live")
    page.mouse.click(*places(visit, [(0.5, 0.5)])[0])
    assert near(pixel(visit, 0.5, 0.5), pink)
    assert near(pixel(visit, 0.7, 0.7), pink)
    assert near(pixel(visit, 0.1, 0.5), white)
    visit.await_another("draw-live", first)
    seen = visit.page.evaluate("document.querySelector('#draw-pad canvas').toDataURL()")
    visit.keep("draw-regions")
    tool(visit, "Clear")
    assert near(pixel(visit, 0.5, 0.5), white)
    tool(visit, "Undo")  # even that
    assert page.evaluate("document.querySelector('#draw-pad canvas').toDataURL()") == seen
    model(visit, "tiny-lines")
    palette.wait_for(state="hidden")


@pytest.mark.browser
@pytest.mark.slow
def test_the_pad_is_drawn_on_with_keys(visit: Any) -> None:
    page = visit.page
    visit.open("Draw")
    paper(visit).focus()
    for key in ("l", " ", *["ArrowRight"] * 10, " "):
        page.keyboard.press(key)
    assert near(pixel(visit, 0.6, 0.5), INK)
    assert near(pixel(visit, 0.4, 0.5), (255, 255, 255))
    pressed = page.locator("#draw-pad [data-tool=line]").get_attribute("aria-pressed")
    assert pressed == "true"
    page.keyboard.press("Control+z")
    page.wait_for_selector("#draw-pad [data-do=undo]:disabled")
    page.keyboard.press("Control+Shift+z")
    page.wait_for_selector("#draw-pad [data-do=redo]:disabled")
    page.wait_for_selector("#draw-live img")


@pytest.mark.browser
@pytest.mark.slow
def test_the_pad_is_drawn_on_with_a_finger(open_page: Any, address: str, keep: Any) -> None:
    page, hosts = open_page(PHONE, has_touch=True, is_mobile=True)
    page.goto(address)
    page.wait_for_selector("#go")
    visit = SimpleNamespace(page=page)
    page.get_by_role("tab", name="Draw").tap()
    points = places(visit, [(0.2, 0.2), (0.5, 0.2), (0.8, 0.2)])
    touches = page.context.new_cdp_session(page)

    def touch(kind: str, *at: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in at]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", points[0])
    for point in points[1:]:
        touch("touchMove", point)
    touch("touchEnd")
    page.wait_for_selector("#draw-live img")
    assert near(pixel(visit, 0.6, 0.2), INK)
    assert hosts == {"127.0.0.1"}
    keep(page, "draw-touch")


@pytest.mark.browser
@pytest.mark.slow
def test_a_ready_made_drawing_and_nothing_at_all(visit: Any) -> None:
    page = visit.page
    visit.open("Draw")
    page.click("#draw-go")
    page.get_by_text("Draw something first").wait_for()
    tool(visit, "Trousers")
    page.wait_for_selector("#draw-live img")
    page.click("#draw-go")
    page.wait_for_selector("#draw-result img")
    assert page.locator("#draw-variations").is_hidden()


@pytest.mark.browser
@pytest.mark.slow
def test_a_picture_of_a_drawing_is_uploaded(visit: Any, tmp_path: Path) -> None:
    page, bad = visit.page, tmp_path / "bad.png"
    visit.open("Draw")
    stroke(visit, BOX)
    page.wait_for_selector("#draw-live img")
    tool(visit, "Clear")
    page.locator("#draw-live .live-hint").wait_for()
    page.get_by_label("A picture of a drawing", exact=True).check()
    bad.write_text("no picture at all")
    visit.give("draw-file", bad)
    page.get_by_text("bad.png is text, not a picture").first.wait_for()
    assert page.locator("#draw-file img").count() == 0
    empty, scan = tmp_path / "empty.png", tmp_path / "scan.png"
    Image.new("RGB", (300, 400), "white").save(empty)
    visit.give("draw-file", empty)
    page.locator("#draw-live").get_by_text("Nothing is drawn").wait_for()
    page.get_by_label("Remove Image").first.click()
    Image.fromarray(drawing_of({"strokes": starts()["Dress"]})).save(scan)
    visit.give("draw-file", scan)
    page.wait_for_selector("#draw-live img")
    page.get_by_label("Draw here", exact=True).check()
    page.locator("#draw-live .live-hint").wait_for()  # it no longer counts
    tool(visit, "Undo")  # what was drawn before is there still
    page.wait_for_selector("#draw-live img")
    assert near(pixel(visit, 0.25, 0.5), INK)
    assert "Traceback" not in page.content()


@pytest.mark.browser
@pytest.mark.slow
def test_variations_are_cancelled(visit: Any, hold: Any) -> None:
    page = visit.page
    visit.open("Draw")
    tool(visit, "Dress")
    page.wait_for_selector("#draw-live img")
    page.locator("#draw-count input[type=number]").fill("4")
    page.locator("#draw-count input[type=number]").press("Enter")
    with hold("draw") as held:
        page.click("#draw-go")
        held.await_call(page)
        page.click("#draw-stop")
        page.get_by_text("Stopped; nothing was made").first.wait_for()
        held.go_on.set()
    page.wait_for_selector("#draw-stop:disabled")
    tool(visit, "T-shirt")  # the engine is free again
    first = visit.source("draw-live")
    tool(visit, "Trousers")
    visit.await_another("draw-live", first)
    assert len(held.calls) == 1
    assert page.locator("#draw-result img").count() == 0


# -- for programs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_programs_draw(client: Any, photo: Path, tmp_path: Path) -> None:
    from gradio_client import handle_file

    scan = tmp_path / "scan.png"
    Image.fromarray(drawing_of({"strokes": starts()["Dress"]})).save(scan)
    picture, notes, variations = client.predict(
        drawing=handle_file(scan), like=handle_file(photo), variations=2, api_name="/draw"
    )
    assert read_image(picture).shape == (512, 341, 3)
    assert notes == ""
    assert len(variations) == 2
    again, *_ = client.predict(
        pad={**blank(), "strokes": starts()["Dress"]}, like=handle_file(photo), api_name="/draw"
    )
    assert np.array_equal(read_image(again), read_image(picture))
    other, *_ = client.predict(
        drawing=handle_file(scan), kind="Shoes", seed=5, temperature=0.5, api_name="/draw"
    )
    assert not np.array_equal(read_image(other), read_image(picture))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Draw something first"),
        ({"drawing": {"path": "/etc/hostname"}}, "no file that was uploaded"),
        ({"pad": {"strokes": "x"}}, "no strokes"),
        ({"pad": {"strokes": [{"runs": [[1]]}]}}, "damaged"),
        ({"model": "/etc/passwd"}, "Choose one of"),
        ({"model": ["person"]}, "Choose one of"),
        ({"kind": "Spaceship"}, "Choose one of"),
        ({"strength": 2}, "Strength must be"),
        ({"temperature": "x"}, "Temperature must be"),
        ({"variations": 1000}, "Variations must be"),
        ({"seed": -1}, "Seed must be"),
    ],
)
def test_drawings_that_cannot_be_are_refused_in_words(
    client: Any, given: dict[str, Any], said: str
) -> None:
    from gradio_client.exceptions import AppError

    ready = {"pad": {**blank(), "strokes": starts()["Dress"]}}
    with pytest.raises(AppError, match=said) as caught:
        client.predict(**({**ready, **given} if given else {}), api_name="/draw")
    assert "Traceback" not in str(caught.value)
