"""The page in a browser: what a visitor sees, on a wide screen and on a phone."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image

from vunet.images import read_image

pytestmark = [
    pytest.mark.browser,
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDE, PHONE = (1280, 900), (375, 800)
PATIENCE_MS = 120_000
"""A loaded machine may take long; nothing here asserts a duration."""


@pytest.fixture(scope="module")
def address(tiny_weights: Path) -> Iterator[str]:
    """The page, served with a network of random weights."""
    from apps.page import launch
    from vunet.engine import Engine

    page = launch(Engine.load(tiny_weights, device="cpu"), None, block=False)
    assert page.local_url is not None
    yield page.local_url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright, a dev dependency")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@dataclass
class Visit:
    """An open page and the hosts that it asked for anything."""

    page: Any
    hosts: set[str] = field(default_factory=set)

    def note(self, url: str) -> None:
        parts = urlparse(url)
        if parts.scheme not in ("data", "blob", "about"):
            self.hosts.add(parts.hostname or url)


@pytest.fixture
def visit(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Visit]:
    width, height = getattr(request, "param", WIDE)
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(PATIENCE_MS)
    visit = Visit(context.new_page())
    visit.page.on("request", lambda asked: visit.note(asked.url))
    visit.page.on("websocket", lambda socket: visit.note(socket.url))
    visit.page.goto(address)
    visit.page.wait_for_selector("#go")
    yield visit
    context.close()


def give(page: Any, field_id: str, path: Path) -> None:
    page.set_input_files(f"#{field_id} input[type=file]", str(path))


def shown(page: Any, field_id: str) -> np.ndarray:
    """The picture that a field shows."""
    source = page.locator(f"#{field_id} img").first.get_attribute("src")
    body = page.request.get(source).body()
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))


def overflow(page: Any) -> int:
    """By how many pixels the page is wider than the screen."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def keep(page: Any, tmp_path: Path, name: str) -> None:
    """Leave a screenshot behind for people to look at, where they ask for it."""
    folder = Path(os.environ.get("VUNET_SCREENSHOTS") or tmp_path)
    page.screenshot(path=str(folder / f"{name}.png"), full_page=True)


@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_two_photos_become_a_picture(
    visit: Visit, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    page = visit.page
    assert overflow(page) <= 0
    give(page, "photo", photo)
    give(page, "pose-photo", other_photo)
    page.wait_for_selector("#photo img")
    page.wait_for_selector("#pose-photo img")
    page.click("#go")
    page.wait_for_selector("#result img")
    result = shown(page, "result")
    assert result.shape == read_image(photo).shape
    assert overflow(page) <= 0
    first = page.locator("#result img").first.get_attribute("src")
    page.get_by_label("Mark what the network made up").check()
    page.wait_for_function(
        "before => document.querySelector('#result img')?.src !== before",
        arg=page.evaluate("url => new URL(url, location.href).href", first),
    )
    assert not np.array_equal(shown(page, "result"), result)
    keep(page, tmp_path, f"page-{page.viewport_size['width']}")
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.slow
def test_an_example_takes_one_click(visit: Visit) -> None:
    page = visit.page
    page.locator("#examples button").nth(1).click()
    page.wait_for_selector("#result img")
    assert shown(page, "photo").shape == shown(page, "result").shape
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.slow
def test_a_preset_and_a_pose_file(visit: Visit, photo: Path, tmp_path: Path) -> None:
    from pose.formats import write_poses
    from pose.presets import PRESETS

    page, file = visit.page, tmp_path / "pose.json"
    write_poses([PRESETS["waving"]], file, "openpose")
    give(page, "photo", photo)
    page.wait_for_selector("#photo img")
    page.get_by_label("File", exact=True).check()
    give(page, "pose-file", file)
    page.get_by_text("pose.json").first.wait_for()
    page.click("#go")
    page.wait_for_selector("#result img")
    page.get_by_label("Preset", exact=True).check()
    page.wait_for_selector("#figure img")
    assert page.locator("#pose-file").is_hidden()


@pytest.mark.slow
def test_bad_uploads_are_told_in_words(visit: Visit, photo: Path, tmp_path: Path) -> None:
    page, bad = visit.page, tmp_path / "bad.jpg"
    bad.write_text("no picture at all")
    give(page, "photo", bad)
    page.get_by_text("bad.jpg is text, not a picture").wait_for()
    assert page.locator("#photo img").count() == 0
    page.click("#go")
    page.get_by_text("Give a photo of the person first").wait_for()
    give(page, "photo", photo)
    page.wait_for_selector("#photo img")
    page.click("#go")
    page.get_by_text("Give the pose as well").wait_for()
    page.get_by_label("File", exact=True).check()
    broken = tmp_path / "broken.json"
    broken.write_text('{"people": [')
    give(page, "pose-file", broken)
    page.get_by_text("broken.json").first.wait_for()
    page.click("#go")
    page.get_by_text("this is not JSON").wait_for()
    assert "Traceback" not in page.content()


@pytest.mark.slow
def test_a_picture_of_nobody_is_told_in_words(visit: Visit, photo: Path, tmp_path: Path) -> None:
    page, empty = visit.page, tmp_path / "empty.png"
    Image.fromarray(np.full((200, 160, 3), 120, np.uint8)).save(empty)
    give(page, "photo", empty)
    give(page, "pose-photo", photo)
    page.wait_for_selector("#photo img")
    page.wait_for_selector("#pose-photo img")
    page.click("#go")
    page.get_by_text("empty.png: no person found").wait_for()
    assert page.locator("#result img").count() == 0


def test_every_control_has_a_name(visit: Visit) -> None:
    page = visit.page
    page.get_by_text("More settings").click()
    page.get_by_label("Seed").wait_for()
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
    result, notes = client.predict(
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
    client.close()
