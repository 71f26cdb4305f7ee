"""The tab *Find* and what galleries add to *Draw*: in a browser, and for programs."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from apps.errors import UsageError
from apps.finding import MOST_OWN, MY_PHOTOS, THE_FOLDER, Finding, person_at
from apps.pad import blank, drawing_of
from apps.starts import starts
from apps.studio import Studio
from tests.apps.test_draw import BOX
from tests.apps.test_page import LEGIBLE, check_names
from vunet.gallery.gallery import FOLDER, Gallery, GalleryError, Match
from vunet.gallery.store import Store

pytestmark = [
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WIDE, PHONE = (1280, 900), (375, 800)
FROM_HERE = os.environ.get("VUNET_PAGE_GALLERY")
"""A gallery with real weights, to look at the page with."""


@pytest.fixture(scope="module")
def address(
    tiny_weights: Path, tiny_drawings: list[Path], tiny_finder: Path, gallery: Path
) -> Iterator[str]:
    """The page, served with a gallery."""
    from apps.page import launch
    from vunet.engine import Engine

    drawings = os.environ.get("VUNET_PAGE_DRAWINGS")
    page = launch(
        Engine.load(os.environ.get("VUNET_PAGE_WEIGHTS") or tiny_weights, device="cpu"),
        None,
        block=False,
        drawings=drawings.split(os.pathsep) if drawings else tiny_drawings,
        gallery=Path(FROM_HERE) if FROM_HERE else gallery,
        finder=os.environ.get("VUNET_PAGE_FINDER") or tiny_finder,
    )
    assert page.local_url is not None
    yield page.local_url
    page.close(verbose=False)


# -- without a page ------------------------------------------------------------------------------


class Nobody:
    """Finds no people."""

    def find(self, image: np.ndarray, max_people: int = 1) -> list[Any]:
        return []


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A studio whose visitors' photos lie in a folder of this test."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "visits"))
    (tmp_path / "visits").mkdir()
    device = SimpleNamespace(type="cpu")
    return Studio(cast(Any, SimpleNamespace(estimator=Nobody(), device=device)))


def test_a_folder_without_a_gallery_or_with_an_empty_one_is_told_in_a_sentence(
    studio: Studio, tiny_finder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    with pytest.raises(GalleryError, match=r"no gallery.*vunet index .*photos"):
        Finding(studio, tiny_finder, folder)
    Gallery.open(folder, create=True, embedder=None).close()
    with pytest.raises(UsageError, match=r"holds no photos yet.*vunet index .*photos"):
        Finding(studio, tiny_finder, folder)
    with pytest.raises(gr.Error, match=r"no photos to search yet.*--gallery FOLDER"):
        Finding(studio, tiny_finder).searched(None, THE_FOLDER)


def gathered(finding: Finding, own: Any, uploads: list[Any], visit: str | None = None) -> Any:
    """All stages of adding photos."""
    stages = finding.add(own, uploads, visit, lambda *_, **__: None)
    while True:
        try:
            next(stages)
        except StopIteration as end:
            return end.value


def uploads(studio: Studio, garments: Path, count: int) -> list[Any]:
    """Photos as gradio keeps them, all of one name."""
    given = []
    for path in sorted(garments.glob("*.jpg"))[:count]:
        kept = studio.new_folder() / "photo.jpg"
        kept.write_bytes(path.read_bytes())
        given.append({"path": str(kept), "orig_name": "photo.jpg"})
    return given


def test_a_visitors_photos_are_searched_until_they_leave(
    studio: Studio, tiny_finder: Path, garments: Path, tmp_path: Path
) -> None:
    finding = Finding(studio, tiny_finder)
    given = uploads(studio, garments, 11)
    broken = studio.new_folder() / "broken.jpg"
    broken.write_text("nothing")
    own, said = gathered(finding, None, [*given[:9], {"path": str(broken)}], "visit")
    (sentence,) = said
    assert sentence.startswith("broken.jpg")
    assert own.count == 9
    again, _ = gathered(finding, own, given[9:])
    assert again is own
    found = finding.find(finding.searched(own, THE_FOLDER), given[3]["path"], 20, "photo")
    assert set(found.names) == {"photo.jpg", *(f"photo ({n}).jpg" for n in range(2, 12))}
    assert found.names[0] == "photo (4).jpg"
    too_many = [given[0]] * (MOST_OWN - 11)  # with the broken one
    with pytest.raises(gr.Error, match=f"At most {MOST_OWN}"):
        gathered(finding, own, too_many)
    finding.left(cast(Any, SimpleNamespace(session_hash="another visit")))
    assert own.folder.is_dir()
    finding.left(cast(Any, SimpleNamespace(session_hash="visit")))
    assert not own.folder.exists()


def test_photos_whose_adding_is_cancelled_are_gone(
    studio: Studio, tiny_finder: Path, garments: Path, tmp_path: Path
) -> None:
    finding = Finding(studio, tiny_finder)
    given = uploads(studio, garments, 9)
    before = set((tmp_path / "visits").iterdir())
    stages = finding.add(None, given, "visit", lambda *_, **__: None)
    next(stages)
    assert set((tmp_path / "visits").iterdir()) != before
    stages.close()
    assert set((tmp_path / "visits").iterdir()) == before


@contextlib.contextmanager
def broken_off(gallery: Path) -> Iterator[None]:
    """The gallery as an update leaves it that is killed after 20 of 70 photos."""
    store = Store.open(gallery / FOLDER)

    def write(done: int) -> None:
        with store.writing(), store.transaction():
            store.set_progress(done, 70)

    write(20)
    try:
        yield
    finally:
        write(70)
        store.close()


def test_an_unfinished_gallery_is_told_but_never_a_visitors_own(
    studio: Studio, tiny_finder: Path, gallery: Path, tmp_path: Path
) -> None:
    finding = Finding(studio, tiny_finder, gallery)
    own, _ = gathered(finding, None, uploads(studio, gallery, 2))
    query = next(gallery.glob("*.jpg"))

    def notes(where: str) -> tuple[str, ...]:
        return finding.find(finding.searched(own, where), query, 3, "photo").notes

    with broken_off(gallery):
        (note,) = notes(THE_FOLDER)
        assert "20 of 70 photos are indexed yet" in note
        with broken_off(own.folder):  # being written just now
            assert notes(MY_PHOTOS) == ()
    assert notes(THE_FOLDER) == ()


def test_the_person_of_a_match_is_told_from_the_others() -> None:
    masks = [np.zeros((100, 200), np.float32) for _ in range(2)]
    masks[0][:, :120] = 1
    masks[1][20:, 140:] = 1
    people = [SimpleNamespace(mask=mask) for mask in masks]

    def number(box: tuple[float, float, float, float]) -> int:
        return person_at(Match(Path("x.jpg"), 1.0, "pose", box), people)

    assert number((0, 0, 200, 100)) == 1
    assert number((138, 15, 200, 100)) == 2
    assert person_at(Match(Path("x.jpg"), 1.0, "pose", (0, 0, 9, 9)), []) == 1


# -- in the browser ------------------------------------------------------------------------------


def draw(visit: Any, pad: str, points: list[tuple[float, float]]) -> None:
    """A stroke on a pad with the mouse."""
    canvas, mouse = visit.page.locator(f"#{pad} canvas"), visit.page.mouse
    canvas.scroll_into_view_if_needed()
    canvas.hover(trial=True)
    box = canvas.bounding_box()
    first, *rest = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    mouse.move(*first)
    mouse.down()
    for to in rest:
        mouse.move(*to, steps=6)
    mouse.up()


def ready_made(visit: Any, pad: str, name: str) -> None:
    visit.page.locator(f"#{pad}").get_by_role("button", name=name, exact=True).click()


def scores(visit: Any) -> list[str]:
    """Names and scores of the matches, as they are shown."""
    return visit.page.locator("#find-matches .match-words").all_inner_texts()


def await_others(visit: Any, before: list[str]) -> None:
    """Wait until other matches are shown."""
    visit.page.wait_for_function(
        """before => { const now = [...document.querySelectorAll('#find-matches .match-words')]
            .map(e => e.innerText); return now.length && `${now}` !== `${before}`; }""",
        arg=before,
    )


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_matches_follow_the_pen_and_go_on_into_other_tabs(visit: Any, gallery: Path) -> None:
    page = visit.page
    visit.open("Find")
    assert page.locator("#person").is_hidden()
    assert page.locator("#find-as-look").is_disabled()
    draw(visit, "find-pad", BOX)
    page.wait_for_selector("#find-matches img")
    first = scores(visit)
    assert len(first) == 12
    draw(visit, "find-pad", [(0.3, 0.4), (0.7, 0.6), (0.3, 0.6)])
    await_others(visit, first)
    assert "indexed" not in page.locator("#find-said").inner_text()
    with broken_off(gallery):
        draw(visit, "find-pad", [(0.5, 0.3), (0.5, 0.7)])
        page.locator("#find-said").get_by_text("only 20 of 70 photos are indexed yet").wait_for()
        visit.keep("find-unfinished")
    assert visit.overflow() <= 0
    match = page.locator("#find-matches button").nth(1)
    match.click()
    name = match.get_attribute("title")
    page.locator("#find-chosen").get_by_text(name).wait_for()
    assert match.get_attribute("aria-pressed") == "true"
    visit.keep("find")
    page.click("#find-as-look")
    page.wait_for_selector("#draw-like img")
    assert page.get_by_role("tab", name="Draw").get_attribute("aria-selected") == "true"
    given = np.asarray(Image.open(gallery / name).convert("RGB")).astype(int)
    assert np.abs(visit.shown("draw-like").astype(int) - given).mean() < 3
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.browser
@pytest.mark.slow
def test_a_shadow_lies_under_the_strokes_and_is_no_part_of_the_drawing(visit: Any) -> None:
    page = visit.page
    sent: list[Any] = []
    page.on("request", lambda asked: sent.append(asked.post_data) if asked.post_data else None)
    visit.open("Draw")
    ready_made(visit, "draw-pad", "Trousers")
    tinted = """() => { const c = document.querySelector('#draw-pad canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0;
        for (let i = 0; i < d.length; i += 4) if (d[i + 2] - d[i] > 20) n++;
        return n; }"""
    page.wait_for_function(f"({tinted})() > 500")
    page.wait_for_selector("#draw-live img")
    visit.keep("draw-shadow")
    count = page.locator("#draw-shadow input[type=number]")
    gentle = page.evaluate(tinted)
    page.click("#draw-go")
    page.wait_for_selector("#draw-near img")
    assert page.locator("#draw-near li").count() == 3
    assert page.locator("#draw-near button").count() == 0
    visit.keep("draw-near")
    count.fill("0")
    count.press("Enter")
    page.wait_for_function(f"({tinted})() === 0")
    count.fill("1")
    count.press("Enter")
    page.wait_for_function(f"({tinted})() > {gentle}")
    # what was read, each time: the strokes and nothing else
    drawings = [
        field
        for body in sent
        if body.startswith("{")
        for field in json.loads(body).get("data") or []
        if isinstance(field, dict) and "strokes" in field
    ]
    assert drawings
    expected = drawing_of({"strokes": starts()["Trousers"]})
    for drawing in drawings:
        assert set(drawing) == {"size", "strokes"}
        assert not drawing["strokes"] or np.array_equal(drawing_of(drawing), expected)


@pytest.mark.browser
@pytest.mark.slow
def test_photos_of_a_visit_are_searched_and_files_and_poses_asked_for(
    visit: Any, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    page, empty = visit.page, tmp_path / "empty.png"
    visit.open("Find")
    page.get_by_role("button", name="My photos").click()
    page.set_input_files("#find-photos input[type=file]", [str(photo), str(other_photo)])
    page.locator("#find-photos").get_by_text(photo.stem).first.wait_for()
    page.click("#find-add")
    page.get_by_text("2 photos of yours can be searched").wait_for()
    page.get_by_label("A preset pose", exact=True).check()
    page.locator("#find-preset input").click()
    page.get_by_role("option", name="Waving").click()
    page.get_by_text("Looked for as a pose").wait_for()
    assert page.locator("#find-matches button").count() == 2
    page.locator("#find-matches button").first.click()
    page.wait_for_selector("#find-as-pose:enabled")
    page.get_by_label("A file", exact=True).check()
    page.locator("#find-said").get_by_text("Draw something").wait_for()  # nothing is asked for
    Image.new("RGB", (300, 400), "white").save(empty)
    visit.give("find-file", empty)
    page.locator("#find-said").get_by_text("Nothing is drawn").wait_for()
    page.locator("#find-file").get_by_label("Clear").click()
    visit.give("find-file", other_photo)
    page.get_by_text("Looked for as a photo").wait_for()
    assert page.locator("#find-matches button").first.get_attribute("title") == other_photo.name
    page.locator("#find-matches button").first.click()
    page.wait_for_selector("#find-as-pose:enabled")
    page.click("#find-as-pose")
    page.wait_for_selector("#pose-photo img")
    visit.open("Find")
    page.click("#find-as-person")
    page.wait_for_selector("#photo img")
    page.locator("#photo-notes").get_by_text("Person found").wait_for()
    assert "Traceback" not in page.content()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tabs_are_legible_and_controls_have_names(
    open_page: Any, address: str, keep: Any, scheme: str
) -> None:
    page, _ = open_page(WIDE, color_scheme=scheme, reduced_motion="reduce")
    page.goto(address)
    page.wait_for_selector("#go")
    visit = SimpleNamespace(page=page)
    for tab, pad in (("Find", "find-pad"), ("Draw", "draw-pad")):
        page.get_by_role("tab", name=tab).click()
        ready_made(visit, pad, "Dress")
        if tab == "Find":
            page.get_by_text("How to look").click()
            page.wait_for_selector("#find-matches img")
            page.locator("#find-matches button").first.click()
            page.wait_for_selector("#find-as-look:enabled")
            check_names(page)
        else:
            page.wait_for_selector("#draw-live img")
            check_names(page)
            page.click("#draw-go")
            page.wait_for_selector("#draw-near img")
        keep(page, f"{tab.lower()}-{scheme}")
        found = page.evaluate(LEGIBLE)
        assert found["faint"] == [], tab
        assert scheme == "light" or found["bright"] == [], tab


# -- for programs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_programs_find_and_add_photos(client: Any, photo: Path, gallery: Path) -> None:
    from gradio_client import handle_file

    pad = {**blank(), "strokes": starts()["Dress"]}
    matches = client.predict(pad=pad, count=5, api_name="/find")["matches"]
    assert [match["rank"] for match in matches] == [1, 2, 3, 4, 5]
    assert all((gallery / match["name"]).is_file() for match in matches)
    values = [match["score"] for match in matches]
    assert values == sorted(values, reverse=True)
    assert {match["by"] for match in matches} == {"drawing"}
    one = sorted(gallery.glob("*.jpg"))[7]
    same = client.predict(drawing=handle_file(one), by="photo", api_name="/find")["matches"]
    assert same[0]["name"] == one.name
    assert same[0]["score"] == pytest.approx(1, abs=0.01)
    said = client.predict(photos=[handle_file(photo)], api_name="/add_photos")
    assert "1 photo of yours" in str(said)
    mine = client.predict(preset="waving", where="My photos", api_name="/find")["matches"]
    assert [(match["name"], match["by"]) for match in mine] == [(photo.name, "pose")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Draw something first"),
        ({"pad": {"strokes": "x"}}, "no strokes"),
        ({"preset": "/etc/passwd"}, "Choose one of the preset poses"),
        ({"preset": "waving", "by": "/etc/passwd"}, "Choose one of"),
        ({"preset": "waving", "where": "/etc"}, "Choose one of"),
        ({"preset": "waving", "count": 1000}, "How many must be"),
        ({"preset": "waving", "by": "drawing"}, "look for it|waving"),
    ],
)
def test_queries_that_cannot_be_are_refused_in_words(
    client: Any, given: dict[str, Any], said: str
) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match=said) as caught:
        client.predict(**given, api_name="/find")
    assert "Traceback" not in str(caught.value)
