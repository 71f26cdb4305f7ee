"""The page in a browser: what a visitor sees, on a wide screen and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pose.formats import read_poses
from vunet.images import read_image

pytestmark = [
    pytest.mark.browser,
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WIDE, PHONE = (1280, 900), (375, 800)


@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_two_photos_become_a_picture(visit: Any, photo: Path, other_photo: Path) -> None:
    page = visit.page
    assert visit.overflow() <= 0
    visit.give("photo", photo)
    page.get_by_label("Photo", exact=True).check()
    visit.give("pose-photo", other_photo)
    page.wait_for_selector("#photo img")
    page.wait_for_selector("#pose-photo img")
    page.click("#go")
    page.wait_for_selector("#result img")
    result = visit.shown("result")
    assert result.shape == read_image(photo).shape
    assert visit.overflow() <= 0
    first = page.locator("#result img").first.get_attribute("src")
    page.locator("#result-show").get_by_label("What was made up").check()
    page.wait_for_function(
        "before => document.querySelector('#result img')?.src !== before",
        arg=page.evaluate("url => new URL(url, location.href).href", first),
    )
    assert not np.array_equal(visit.shown("result"), result)
    page.locator("#result-show").get_by_label("Before and after").check()
    page.wait_for_selector("#result-compare img")
    assert page.locator("#result-compare img").count() == 2
    visit.keep("page")
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.slow
def test_an_example_takes_one_click(visit: Any) -> None:
    page = visit.page
    page.locator("#examples button").nth(1).click()
    page.wait_for_selector("#result img")
    assert visit.shown("photo").shape == visit.shown("result").shape
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.slow
def test_a_preset_and_a_pose_file(visit: Any, photo: Path, tmp_path: Path) -> None:
    from pose.formats import write_poses
    from pose.presets import PRESETS

    page, file = visit.page, tmp_path / "pose.json"
    write_poses([PRESETS["waving"]], file, "openpose")
    visit.give("photo", photo)
    page.wait_for_selector("#photo img")
    page.get_by_label("File", exact=True).check()
    visit.give("pose-file", file)
    page.get_by_text("pose.json").first.wait_for()
    page.click("#go")
    page.wait_for_selector("#result img")
    first = page.locator("#result img").first.get_attribute("src")
    page.get_by_label("Preset", exact=True).check()
    page.locator("#presets button").nth(4).click()
    page.wait_for_function(
        "before => document.querySelector('#result img').getAttribute('src') !== before", arg=first
    )
    assert page.locator("#pose-file").is_hidden()


@pytest.mark.slow
def test_bad_uploads_are_told_in_words(visit: Any, photo: Path, tmp_path: Path) -> None:
    page, bad = visit.page, tmp_path / "bad.jpg"
    bad.write_text("no picture at all")
    visit.give("photo", bad)
    page.get_by_text("bad.jpg is text, not a picture").wait_for()
    assert page.locator("#photo img").count() == 0
    page.click("#go")
    page.get_by_text("Give a photo of the person first").wait_for()
    visit.give("photo", photo)
    page.wait_for_selector("#photo img")
    page.get_by_label("Photo", exact=True).check()
    page.click("#go")
    page.get_by_text("Give the pose as well").wait_for()
    page.get_by_label("File", exact=True).check()
    broken = tmp_path / "broken.json"
    broken.write_text('{"people": [')
    visit.give("pose-file", broken)
    page.get_by_text("broken.json").first.wait_for()
    page.click("#go")
    page.get_by_text("this is not JSON").wait_for()
    assert "Traceback" not in page.content()


@pytest.mark.slow
def test_a_picture_of_nobody_is_told_in_words(visit: Any, photo: Path, tmp_path: Path) -> None:
    page, empty = visit.page, tmp_path / "empty.png"
    Image.fromarray(np.full((200, 160, 3), 120, np.uint8)).save(empty)
    visit.give("photo", empty)
    page.wait_for_selector("#photo img")
    page.click("#go")
    page.get_by_text("empty.png: no person found").first.wait_for()
    assert page.locator("#result img").count() == 0


@pytest.mark.slow
def test_the_person_is_looked_for_as_soon_as_there_is_a_photo(
    visit: Any, photo: Path, tmp_path: Path
) -> None:
    page, empty = visit.page, tmp_path / "empty.png"
    Image.fromarray(np.full((200, 160, 3), 120, np.uint8)).save(empty)
    visit.give_photo(photo)
    page.locator("#photo-notes").get_by_text("Person found").wait_for()
    page.get_by_label("Remove Image").first.click()
    page.wait_for_selector("#photo-notes", state="hidden")
    visit.give("photo", empty)
    page.locator("#photo-notes").get_by_text("empty.png: no person found").wait_for()


@pytest.mark.slow
def test_an_upload_over_the_limit_is_told_in_words(visit: Any, photo: Path, tmp_path: Path) -> None:
    from apps.page import MAX_UPLOAD

    page, huge = visit.page, tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(int(MAX_UPLOAD.removesuffix("mb")) * 2**20 + 1)
    visit.give("photo", huge)
    page.get_by_text("exceed the maximum allowed size").first.wait_for()
    assert page.locator("#photo img").count() == 0
    assert "Traceback" not in page.content()
    visit.give_photo(photo)  # the page goes on


@pytest.mark.slow
def test_a_picture_is_cancelled_and_the_page_goes_on(visit: Any, photo: Path, hold: Any) -> None:
    page = visit.page
    visit.give_photo(photo)
    page.get_by_text("Person found").wait_for()
    assert page.locator("#stop").is_disabled()
    with hold("repose") as held:
        page.click("#go")
        page.wait_for_selector("#stop:enabled")
        held.await_call(page)
        page.click("#stop")
        page.get_by_text("Stopped; nothing was made").first.wait_for()
        page.wait_for_selector("#stop:disabled")
        assert page.locator("#result img").count() == 0
        held.go_on.set()
    page.locator("#presets button").nth(4).click()
    page.wait_for_selector("#result img")
    page.wait_for_selector("#stop:disabled")


@pytest.mark.slow
def test_a_picture_that_waits_its_turn_is_cancelled(
    visit: Any, photo: Path, open_page: Any, address: str, hold: Any
) -> None:
    page = visit.page
    other, _ = open_page()
    other.goto(address)
    for one in (page, other):
        one.set_input_files("#photo input[type=file]", str(photo))
        one.get_by_text("Person found").wait_for()
    with hold("repose") as held:
        page.click("#go")
        held.await_call(page)
        other.click("#go")
        other.click("#stop")
        other.get_by_text("Stopped; nothing was made").first.wait_for()
        held.go_on.set()
        page.wait_for_selector("#result img")
    assert len(held.calls) == 1
    assert other.locator("#result img").count() == 0


LEGIBLE = """() => {
  const channels = c => { const m = c.match(/[\\d.]+/g).map(Number);
    return c.startsWith('color(srgb') ? [...m.slice(0, 3).map(v => 255 * v), m[3] ?? 1]
                                      : [...m.slice(0, 3), m[3] ?? 1]; };
  const over = (top, below) =>
    [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]).concat(1);
  const luminance = rgb => {
    const [r, g, b] = rgb.slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    const layers = [];
    for (; e; e = e.parentElement) layers.push(channels(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const seen = [...document.body.querySelectorAll('*')].filter(
    e => e.checkVisibility({ opacityProperty: true, visibilityProperty: true })
      && e.getBoundingClientRect().width > 1);
  const texts = seen.filter(e => !e.closest('[disabled], [aria-disabled=true], canvas, svg')
    && (['INPUT', 'TEXTAREA'].includes(e.tagName)
      ? e.value && !['range', 'file', 'checkbox', 'radio'].includes(e.type)
      : [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())));
  const faint = [];
  for (const e of texts) {
    const back = ground(e), [a, b] = [over(channels(getComputedStyle(e).color), back), back]
      .map(luminance).sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5)
      faint.push(`${(e.innerText || e.value).slice(0, 40)}: ${ratio.toFixed(2)} (${e.className})`);
  }
  const bright = seen.filter(e => {
    const box = e.getBoundingClientRect();
    return box.width * box.height > 4000 && !e.closest('canvas, .pad-paper, button')
      && luminance(ground(e)) > 0.4;
  }).map(e => `${e.tagName} ${e.id} ${e.className}`);
  return { texts: texts.length, faint: [...new Set(faint)], bright: [...new Set(bright)] };
}"""
"""Texts whose contrast is under WCAG's 4.5 to 1, and large bright areas but for the paper."""


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_is_legible_by_day_and_by_night(
    open_page: Any,
    address: str,
    keep: Any,
    photo: Path,
    other_photo: Path,
    scheme: str,
    size: tuple[int, int],
) -> None:
    page, _ = open_page(size, color_scheme=scheme, reduced_motion="reduce")
    page.goto(address)
    page.set_input_files("#photo input[type=file]", str(photo))
    page.get_by_text("Person found").wait_for()
    page.get_by_text("Background and settings").click()
    page.click("#go")
    page.wait_for_selector("#result img")
    page.wait_for_selector("#stop:disabled")
    for tab in ("Re-pose", "Pose editor", "Scribble", "Mix", "Sequence", "Draw"):
        page.get_by_role("tab", name=tab).click()
        if tab == "Draw":
            page.locator("#draw-pad").get_by_role("button", name="T-shirt").click()
            page.wait_for_selector("#draw-live img")
            page.locator("#draw-model input").click()
            page.get_by_role("option", name="tiny-regions").click()
            page.wait_for_selector("#draw-pad .pad-palette:not([hidden])")
        if tab == "Pose editor":
            page.wait_for_selector("#editor-live img")
        if tab == "Mix":
            page.set_input_files("#lend-top input[type=file]", str(other_photo))
            page.wait_for_selector("#mix-live img")
            page.get_by_text("Surprise me: people").click()
            page.wait_for_selector("#surprise")
        keep(page, f"{tab.lower().replace(' ', '-')}-{scheme}")
        found = page.evaluate(LEGIBLE)
        assert found["texts"] > 20
        assert found["faint"] == [], tab
        assert scheme == "light" or found["bright"] == [], tab


def test_every_control_has_a_name(visit: Any) -> None:
    page = visit.page
    page.get_by_text("Background and settings").click()
    page.get_by_label("Seed").wait_for()
    for tab in ("Pose editor", "Scribble", "Mix", "Sequence", "Draw", "Re-pose"):
        page.get_by_role("tab", name=tab).click()
        check_names(page)


def check_names(page: Any) -> None:
    """Every field and button that is to be seen has a name for screen readers."""
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input:not([type=file]), select, textarea')]
            .filter(e => e.offsetParent && !e.labels?.length && !e.getAttribute('aria-label')
                && !e.getAttribute('aria-labelledby'))
            .map(e => e.outerHTML)"""
    )
    assert nameless == []
    empty = page.evaluate(
        """() => [...document.querySelectorAll('button, a')]
            .filter(e => e.offsetParent && !e.innerText.trim() && !e.getAttribute('aria-label')
                && !e.title)
            .map(e => e.outerHTML)"""
    )
    assert empty == []


@pytest.mark.slow
def test_programs_call_the_endpoint(address: str, photo: Path) -> None:
    client_library = pytest.importorskip("gradio_client")
    client = client_library.Client(address, verbose=False)
    result, notes, mask, pose = client.predict(
        photo=client_library.handle_file(photo),
        kind="Preset",
        pose_photo=None,
        preset="waving",
        pose_file=None,
        background="plain",
        frame="appearance",
        api_name="/repose",
    )
    assert read_image(result).shape == read_image(photo).shape
    assert isinstance(notes, str)
    assert read_image(mask).shape == read_image(photo).shape
    assert len(read_poses(pose)) == 1
    client.close()
