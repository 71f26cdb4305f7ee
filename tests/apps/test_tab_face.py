"""The tab *Face*: in a browser, and for programs; with the weights that ship, or others given."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import gradio as gr
import numpy as np
import pytest
from PIL import Image

from apps.errors import UsageError
from apps.face_fields import wishes_of
from apps.facing import Faces, FaceWeights, FaceWishes, Taken, face_weights, shadow_of
from apps.pad import SIZE, blank, drawing_of
from apps.starts import faces
from apps.studio import Studio
from apps.tab_draw import drawing_weights
from tests.apps.test_page import LEGIBLE, check_names
from vunet.checkpoint import file_sha256, read_config, resolve_weights
from vunet.config import DrawingConfig
from vunet.engine import Engine
from vunet.face.directions import load_directions
from vunet.face.manifolds import Sliders
from vunet.images import read_image

pytestmark = [
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PHONE = (375, 800)
HALF = [
    [(0.5, 0.16), (0.27, 0.22), (0.25, 0.5), (0.34, 0.68), (0.5, 0.77)],
    [(0.33, 0.47), (0.39, 0.44), (0.45, 0.475), (0.39, 0.49), (0.33, 0.47)],
    [(0.31, 0.41), (0.38, 0.38), (0.46, 0.4)],
    [(0.48, 0.5), (0.45, 0.58), (0.5, 0.6)],
    [(0.4, 0.65), (0.5, 0.64)],
]
"""The left half of a face, in shares of the paper."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceWeights]:
    """Those that ship, or those that the environment names; with two directions at least."""
    given = os.environ.get("VUNET_PAGE_FACE"), os.environ.get("VUNET_PAGE_FACE_PARTS")
    found = face_weights(*given)
    if found is None:
        pytest.skip("needs the weights `face` and `face-parts`, which this version lacks")
    if found.directions is not None:
        yield found
        return
    path, sha256 = resolve_weights(found.model)
    config = cast(DrawingConfig, read_config(path))
    axes = np.random.default_rng(0).normal(size=(2, config.slots, config.latent_dim))
    rows = [
        {"name": name, "low": f"no {name}", "high": f"much {name}", "axis": axis.tolist()}
        for name, axis in zip(("light", "beard"), axes, strict=True)
    ]
    file = tmp_path_factory.mktemp("directions") / "directions.json"
    told = {"weights": sha256 or file_sha256(path), "directions": rows}
    file.write_text(json.dumps(told), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("apps.facing", "vunet.engine"):
            patch.setattr(f"{module}.load_directions", partial(load_directions, file=file))
        found = face_weights(*given)
        assert found is not None
        assert found.directions is not None
        yield found


@pytest.fixture(scope="module")
def address(tiny_weights: Path, weights: FaceWeights) -> Iterator[str]:
    """The page."""
    from apps.page import launch

    engine = Engine.load(tiny_weights, device="cpu")
    parts = weights.parts
    page = launch(engine, None, block=False, drawings=[], face=weights.model, face_parts=parts)
    assert page.local_url is not None
    yield page.local_url
    page.close(verbose=False)


@pytest.fixture
def painter(tiny_weights: Path, weights: FaceWeights) -> Faces:
    """What the tab asks for faces."""
    engine = Engine.load(tiny_weights, device="cpu")
    return Faces(cast(Studio, SimpleNamespace(engine=engine)), weights)


@pytest.fixture(scope="module")
def portrait(weights: FaceWeights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of a face: the head of a bundled picture of a person."""
    from apps.demo import example
    from pose.face import FaceFinder
    from vunet.face.template import anchors, face_frame
    from vunet.gallery.framing import cut

    finder = FaceFinder()
    for number in range(1, 6):
        photo = read_image(example(number))
        found = finder.find(photo)
        if found:
            frame = face_frame(anchors(found[0].points))
            path = tmp_path_factory.mktemp("portrait") / "portrait.png"
            Image.fromarray(cut(photo, frame, (400, 400))).save(path)
            return path
    raise AssertionError("no bundled picture shows a face")


# -- without a page ------------------------------------------------------------------------------


def test_weights_of_other_kinds_are_refused(tiny_weights: Path) -> None:
    with pytest.raises(UsageError, match="paint no faces"):
        face_weights(tiny_weights)


def test_weights_of_faces_are_none_of_the_tab_draw(weights: FaceWeights) -> None:
    with pytest.raises(UsageError, match="--face-model"):
        drawing_weights([weights.model])
    assert not any(one.config.faces for one in drawing_weights())


def test_ready_made_faces_are_symmetric_and_on_the_paper() -> None:
    for name, strokes in faces().items():
        ink = drawing_of({"strokes": strokes}).min(2) < 128
        rows, columns = np.nonzero(ink)
        assert np.ptp(rows) > 0.5 * SIZE[0], name
        assert columns.min() + columns.max() == pytest.approx(SIZE[1], abs=4), name


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sliders": {"ears": 1}}, "no part of a face"),
        ({"sliders": {"nose": 2}}, "refinement must be"),
        ({"others": [({"path": "/etc/hostname"}, ["nose"], "Copy", 1)]}, "no file that was"),
        ({"strength": float("nan")}, "Strength must be"),
        ({"directions": {"age": 9}}, "age must be"),
        ({"otherwise": None}, "Refinement must be"),
    ],
)
def test_wishes_that_cannot_be_are_refused_in_words(more: dict[str, Any], said: str) -> None:
    wishes: dict[str, Any] = {
        "sliders": {},
        "others": [],
        "like": None,
        "strength": 1,
        "temperature": 1,
        "seed": 0,
        "match_eyes": True,
        "directions": {},
        "otherwise": 0.5,
    }
    assert wishes_of(**{**wishes, "sliders": {"eyes": 0}}).sliders.of("left-eye") == 0
    with pytest.raises(gr.Error, match=said):
        wishes_of(**{**wishes, **more})


def test_parts_are_taken_from_other_faces(painter: Faces, portrait: Path, tmp_path: Path) -> None:
    paper = drawing_of({"strokes": faces()["Short hair"]})
    scan = tmp_path / "scan.png"
    Image.fromarray(drawing_of({"strokes": faces()["Long hair"]})).save(scan)
    alone = painter.understood(paper, FaceWishes())
    for path in (portrait, scan):
        for share in (None, 0.5):
            taken = Taken(str(path), ("rest",), share)
            mixed = painter.understood(paper, FaceWishes(taken=(taken,)))
            apart = np.abs(mixed.refined.ink - alone.refined.ink)
            assert apart.max() > 0.2
        kept = painter.understood(paper, FaceWishes(taken=(Taken(str(path), ("rest",), 0.0),)))
        assert np.array_equal(kept.refined.ink, alone.refined.ink)
    image = painter.painted(alone, FaceWishes(like=str(portrait)), size=128).image
    assert not np.array_equal(image, painter.painted(alone, FaceWishes(), size=128).image)
    nobody = tmp_path / "nobody.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)).save(nobody)
    with pytest.raises(ValueError, match=r"nobody\.png: No face was found"):
        painter.understood(paper, FaceWishes(taken=(Taken(str(nobody), ("nose",)),)))


def test_the_shadow_lies_where_the_face_is_drawn(painter: Faces) -> None:
    whole = drawing_of({"strokes": faces()["Short hair"]})
    half = np.full_like(whole, 255)
    small = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half[300:620, 30:270] = small
    for paper in (whole, half):
        seen = painter.understood(paper, FaceWishes(sliders=Sliders(otherwise=0)))
        shadow = shadow_of(seen)
        assert shadow.shape == SIZE
        rows, columns = np.nonzero(paper.min(2) < 128)
        weight = shadow.astype(float) / shadow.sum()
        assert (weight.sum(0) @ np.arange(SIZE[1])) == pytest.approx(columns.mean(), abs=40)
        inside = shadow[rows.min() : rows.max(), columns.min() : columns.max()]
        assert inside.sum() > 0.7 * shadow.sum()


# -- in the browser ------------------------------------------------------------------------------


def stroke(visit: Any, points: list[tuple[float, float]]) -> None:
    """Draw with the mouse, in shares of the paper."""
    canvas = visit.page.locator("#face-pad canvas")
    canvas.scroll_into_view_if_needed()
    canvas.hover(trial=True)
    box = canvas.bounding_box()
    (x, y), *rest = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    for to in rest:
        visit.page.mouse.move(*to, steps=4)
    visit.page.mouse.up()


def press(visit: Any, name: str) -> None:
    visit.page.locator("#face-pad").get_by_role("button", name=name, exact=True).click()


def number(visit: Any, name: str, value: str) -> None:
    visit.settled(f"face-{name}")  # what has just been unfolded is still being set up
    field = visit.page.locator(f"#face-{name} input[type=number]")
    field.fill(value)
    field.press("Enter")


def load(visit: Any, path: Path) -> None:
    with visit.page.expect_file_chooser() as asked:
        visit.page.click("#face-load")
    asked.value.set_files(str(path))


def saved(visit: Any, path: Path) -> dict[str, Any]:
    """Save the drawing; what its file holds."""
    with visit.page.expect_download() as download:
        visit.page.click("#face-save")
    assert download.value.suggested_filename == "face.json"
    download.value.save_as(path)
    return json.loads(path.read_text(encoding="utf-8"))


TINTED = """() => { const c = document.querySelector('#face-pad canvas');
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 0; i < d.length; i += 4) if (d[i + 2] - d[i] > 20) n++;
    return n; }"""
"""Pixels of the paper in the shadow's colour."""


@pytest.mark.browser
@pytest.mark.slow
def test_a_face_is_drawn_refined_kept_and_loaded(visit: Any, tmp_path: Path) -> None:
    page = visit.page
    visit.open("Face")
    assert page.locator("#person").is_hidden()
    page.click("#face-save")
    page.get_by_text("There is nothing to save").wait_for()
    stroke(visit, HALF[0])
    page.wait_for_selector("#face-live img")
    page.wait_for_function(f"({TINTED})() > 500")  # from the first stroke on
    page.get_by_text("Not drawn and made up").wait_for()
    for half in HALF:
        stroke(visit, [(1 - x, y) for x, y in half])
    for half in HALF[1:-1]:
        stroke(visit, half)
    page.wait_for_timeout(500)
    one = visit.source("face-live")
    stroke(visit, HALF[-1])
    visit.await_another("face-live", one)
    page.get_by_text("Refinement, part by part").click()
    page.wait_for_selector("#face-nose")
    drawn = visit.source("face-live")
    number(visit, "all", "0.9")
    page.wait_for_function("document.querySelector('#face-nose input[type=number]').value == 0.9")
    visit.await_another("face-live", drawn)
    second = visit.source("face-live")
    number(visit, "nose", "0")
    visit.await_another("face-live", second)
    page.get_by_text("Art direction").click()
    third = visit.source("face-live")
    number(visit, "direction-1", "-1.5")
    visit.await_another("face-live", third)
    visit.keep("face")
    check_names(page)
    assert page.evaluate(LEGIBLE)["faint"] == []
    file, before = tmp_path / "mine.json", visit.source("face-live")
    held = saved(visit, file)
    assert len(held["strokes"]) == 2 * len(HALF)
    assert held["sliders"]["nose"] == 0
    assert next(iter(held["directions"].values())) == -1.5
    assert held["sliders"]["mouth"] == held["sliders"]["all"] == 0.9
    canvas = "document.querySelector('#face-pad canvas').toDataURL()"
    page.locator("#face-shadow input[type=number]").fill("0")
    page.locator("#face-shadow input[type=number]").press("Enter")
    page.wait_for_function(f"({TINTED})() === 0")
    paper = page.evaluate(canvas)
    press(visit, "Undo")
    visit.await_another("face-live", before)
    assert page.evaluate(canvas) != paper
    number(visit, "all", "0.1")
    number(visit, "direction-1", "0")
    press(visit, "Long hair")
    for text in ("nonsense", json.dumps({**held, "seed": "x"})):
        (tmp_path / "bad.json").write_text(text)
        changed = page.evaluate(canvas)
        load(visit, tmp_path / "bad.json")
        page.get_by_text("bad.json").last.wait_for()
        assert page.evaluate(canvas) == changed
        assert page.locator("#face-all input[type=number]").input_value() == "0.1"
        page.locator(".toast-close").last.click()
    for _ in range(2):  # the same file again, too
        load(visit, file)
        page.wait_for_function(f"before => {canvas} === before", arg=paper)
        page.wait_for_function(
            "before => document.querySelector('#face-live img')?.getAttribute('src') === before",
            arg=before,
        )
        assert saved(visit, tmp_path / "again.json") == held
        press(visit, "Clear")
        page.locator("#face-live .live-hint").wait_for()
    press(visit, "Undo")  # even that
    page.wait_for_selector("#face-live img")
    assert "Traceback" not in page.content()
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("visit", [PHONE], ids=["phone"], indirect=True)
def test_a_picture_gets_parts_and_a_look_on_a_phone(
    visit: Any, portrait: Path, tmp_path: Path
) -> None:
    page, empty, scan = visit.page, tmp_path / "empty.png", tmp_path / "scan.png"
    visit.open("Face")
    page.click("#face-go")
    page.get_by_text("Draw a face first").wait_for()
    page.get_by_label("A picture of a drawing", exact=True).check()
    Image.new("RGB", (300, 400), "white").save(empty)
    visit.give("face-file", empty)
    page.locator("#face-live").get_by_text("empty.png: Nothing is drawn").wait_for()
    page.get_by_label("Remove Image").first.click()
    Image.fromarray(drawing_of({"strokes": faces()["Long hair"]})).save(scan)
    assert page.locator("#face-shadow").is_hidden()
    visit.give("face-file", scan)
    page.wait_for_selector("#face-live img")
    first = visit.source("face-live")
    page.get_by_text("Take parts from other faces").click()
    visit.give("face-other-1-picture", portrait)
    visit.await_another("face-live", first)
    page.wait_for_selector("#face-other-2-picture")
    second = visit.source("face-live")
    page.locator("#face-other-1-how").get_by_label("Blend").check()
    page.wait_for_selector("#face-other-1-share")
    visit.await_another("face-live", second)
    third = visit.source("face-live")
    visit.give("face-like", portrait)
    visit.await_another("face-live", third)
    number(visit, "count", "2")
    page.click("#face-go")
    page.wait_for_selector("#face-variations img")
    page.wait_for_selector("#face-stop:disabled")
    assert visit.shown("face-result").shape == (512, 512, 3)
    source = visit.source("face-result")
    page.locator("#face-variations button").nth(1).click()
    visit.await_another("face-result", source)
    visit.keep("face")
    assert visit.overflow() <= 0
    assert "Traceback" not in page.content()


# -- for programs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_programs_draw_faces(client: Any, weights: FaceWeights, portrait: Path) -> None:
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    pad = {**blank(), "strokes": faces()["Short hair"]}

    def face(**given: Any) -> np.ndarray:
        picture, *_ = client.predict(**{"pad": pad, **given}, api_name="/face")
        return read_image(picture)

    plain = face()
    assert plain.shape == (512, 512, 3)
    assert np.array_equal(face(), plain)
    assert not np.array_equal(face(refinement=1), plain)
    assert not np.array_equal(face(sliders={"eyes": 1}), plain)
    assert np.array_equal(face(sliders={"eyes": 0.5}), plain)
    assert weights.directions is not None
    name = weights.directions.names[0]
    assert not np.array_equal(face(directions={name: 2}), plain)
    assert not np.array_equal(face(other=handle_file(portrait), parts=["mouth"]), plain)
    _, notes, several = client.predict(
        drawing=handle_file(portrait), like=handle_file(portrait), variations=2, api_name="/face"
    )
    assert "looks like a photo" in notes
    assert len(several) == 2
    house = [[[100, 300], [240, 180], [380, 300], [380, 520], [100, 520], [100, 300]]]
    for points in (*house, [[100, 300], [400, 310]]):
        strokes = [{"points": points, "width": 6, "rub": False}]
        assert face(pad={**blank(), "strokes": strokes}).shape == (512, 512, 3)
    for given, said in (
        ({"pad": blank()}, "Draw a face first"),
        ({"pad": {"strokes": "x"}}, "no strokes"),
        ({"pad": {"strokes": [{"points": [[9, 9]], "width": 6}]}}, "no face to be seen yet"),
        ({"drawing": {"path": "/etc/hostname"}}, "no file that was uploaded"),
        ({"sliders": [1]}, "Sliders and directions are objects"),
        ({"directions": {"no such": 1}}, "direction"),
        ({"variations": 99}, "Variations must be"),
    ):
        with pytest.raises(AppError, match=said) as caught:
            face(**given)
        assert "Traceback" not in str(caught.value)
