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
def test_two_photos_become_a_picture(
    visit: Any, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
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
    visit.keep(tmp_path, "page")
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


def test_every_control_has_a_name(visit: Any) -> None:
    page = visit.page
    page.get_by_text("Background and settings").click()
    page.get_by_label("Seed").wait_for()
    for tab in ("Pose editor", "Scribble", "Mix", "Sequence", "Re-pose"):
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
