"""What the tests of the apps share: small weights, and the bundled pictures."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import cv2
import numpy as np
import pytest
from PIL import Image

from apps.demo import example
from apps.pad import SIZE, drawing_of
from apps.starts import starts
from tests.apps.tiny import FLAGS, tiny_drawing, tiny_person

WIDE = (1280, 900)
PATIENCE_MS = int(os.environ.get("VUNET_PATIENCE_MS", 120_000))
"""A loaded machine may take long; nothing here asserts a duration."""


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the smallest network, drawn at random: they run, and that is all."""
    return tiny_person(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def tiny_drawings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Weights of small networks that paint drawings at random: of lines, and of regions."""
    folder = tmp_path_factory.mktemp("drawings")
    return [tiny_drawing(folder, shape) for shape in ("lines", "regions")]


@pytest.fixture(scope="session")
def tiny_finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network that finds photos at random, but the same for the same."""
    import torch

    from vunet.checkpoint import save_network
    from vunet.config import FindConfig
    from vunet.networks import build

    path = tmp_path_factory.mktemp("finder") / "tiny-find.safetensors"
    config = FindConfig(
        size=(64, 48),
        photo_channels=(8, 8, 16, 16),
        drawing_channels=(8, 8, 16, 16),
        map_channels=4,
        drawing_dim=16,
        look_channels=(4, 8),
        look_dim=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        save_network(build(config), path, config)
    return path


@pytest.fixture(scope="session")
def garments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve "photos" of clothes: T-shirts, trousers and dresses in four colours."""
    folder = tmp_path_factory.mktemp("garments")
    for name, strokes in starts().items():
        inside = inside_of(strokes)
        for number, colour in enumerate([(150, 40, 40), (40, 90, 60), (50, 60, 140), (40, 40, 40)]):
            image = np.full((*SIZE, 3), 235 - 8 * number, np.uint8)
            image[inside] = colour
            Image.fromarray(image).save(folder / f"{name.lower()} {number + 1}.jpg", quality=92)
    return folder


def inside_of(strokes: list[dict[str, Any]]) -> np.ndarray:
    """(H, W) bool, what the outline of a drawing holds."""
    ink = (drawing_of({"strokes": strokes}).min(2) < 200).astype(np.uint8)
    ink = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    outside = ink.copy()
    cv2.floodFill(outside, None, (0, 0), 2)
    return outside != 2


@pytest.fixture(scope="session")
def gallery(garments: Path, tiny_finder: Path) -> Path:
    """The same folder, indexed."""
    from vunet.gallery.gallery import Gallery

    with Gallery.open(garments, create=True, embedder=tiny_finder) as made:
        made.update(poses=False)
    return garments


@pytest.fixture(scope="session")
def photo() -> Path:
    """A bundled picture of a person."""
    return example(1)


@pytest.fixture(scope="session")
def other_photo() -> Path:
    """A bundled picture of another person."""
    return example(2)


# -- the page in a browser -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(tiny_weights: Path, tiny_drawings: list[Path]) -> Iterator[str]:
    """The page, served with networks of random weights."""
    from apps.page import launch
    from vunet.engine import Engine

    weights = os.environ.get("VUNET_PAGE_WEIGHTS") or tiny_weights  # real ones, to look at it
    given = os.environ.get("VUNET_PAGE_DRAWINGS")
    drawings = given.split(os.pathsep) if given else tiny_drawings
    page = launch(Engine.load(weights, device="cpu"), None, block=False, drawings=drawings)
    assert page.local_url is not None
    yield page.local_url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """A running Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright, a dev dependency")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def patience_ms() -> int:
    """How long to wait for anything."""
    return PATIENCE_MS


Hosts = set[str]
"""Machines that a page asked for anything."""


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., tuple[Any, Hosts]]]:
    """Opens an empty page, and says later which hosts it asked; options are Playwright's."""
    contexts = []

    def opened(size: tuple[int, int] = WIDE, **options: Any) -> tuple[Any, Hosts]:
        hosts: Hosts = set()

        def note(url: str) -> None:
            parts = urlparse(url)
            if parts.scheme not in ("data", "blob", "about"):
                hosts.add(parts.hostname or url)

        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("request", lambda asked: note(asked.url))
        page.on("websocket", lambda socket: note(socket.url))
        return page, hosts

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[Any, str], None]:
    """Leaves a screenshot of a page behind for people to look at, where they ask for it."""
    folder = Path(os.environ.get("VUNET_SCREENSHOTS") or tmp_path)

    def kept(page: Any, name: str) -> None:
        width = page.viewport_size["width"]
        page.screenshot(path=str(folder / f"{name}-{width}.png"), full_page=True)

    return kept


@dataclass
class Visit:
    """An open page and the hosts that it asked for anything."""

    page: Any
    hosts: Hosts
    keep: Callable[[str], None]
    """Leaves a screenshot behind."""

    def give(self, field_id: str, path: Path) -> None:
        """Upload a file."""
        self.page.set_input_files(f"#{field_id} input[type=file]", str(path))

    def give_photo(self, path: Path) -> None:
        """Upload the photo of the person and see it."""
        self.give("photo", path)
        self.page.wait_for_selector("#photo img")

    def open(self, tab: str) -> None:
        """Choose a tab."""
        self.page.get_by_role("tab", name=tab).click()

    def shown(self, field_id: str) -> np.ndarray:
        """The picture (H, W, 3) uint8 that a field shows."""
        source = self.page.locator(f"#{field_id} img").first.get_attribute("src")
        body = self.page.request.get(source).body()
        return np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))

    def source(self, field_id: str) -> str:
        """Where the picture of a field comes from."""
        return self.page.locator(f"#{field_id} img").first.get_attribute("src")

    def await_another(self, field_id: str, source: str) -> None:
        """Wait until a field shows another picture."""
        self.page.wait_for_function(
            "([id, before]) => { const i = document.querySelector(`#${id} img`);"
            " return i && i.getAttribute('src') !== before; }",
            arg=[field_id, source],
        )

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def settled(self, field_id: str) -> None:
        """Wait until a field rests: the page no longer scrolls or shifts."""
        self.page.locator(f"#{field_id}").hover(trial=True)


@pytest.fixture
def visit(
    request: pytest.FixtureRequest,
    address: str,
    open_page: Callable[..., tuple[Any, Hosts]],
    keep: Callable[[Any, str], None],
) -> Visit:
    """A fresh visit of the page; parametrised indirectly by the size of the screen."""
    page, hosts = open_page(getattr(request, "param", WIDE))
    page.goto(address)
    page.wait_for_selector("#go")
    return Visit(page, hosts, lambda name: keep(page, name))


@pytest.fixture
def client(address: str) -> Iterator[Any]:
    """A program that calls the page's endpoints."""
    library = pytest.importorskip("gradio_client")
    made = library.Client(address, verbose=False)
    yield made
    made.close()


class Held:
    """A verb of the engine that waits until it is told to go on."""

    def __init__(self, verb: Callable[..., Any]) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.go_on = threading.Event()
        self._verb = verb

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(args)
        assert self.go_on.wait(120)
        return self._verb(*args, **kwargs)

    def await_call(self, page: Any) -> None:
        """Wait until somebody has called."""
        while not self.calls:
            page.wait_for_timeout(20)


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[Held]]:
    """Within its context a verb of the engine waits."""
    from vunet.engine import Engine

    @contextmanager
    def held(verb: str) -> Iterator[Held]:
        waiting = Held(getattr(Engine, verb))
        with monkeypatch.context() as patch:
            # a function, so that the engine is its first argument
            patch.setattr(Engine, verb, lambda *args, **kwargs: waiting(*args, **kwargs))
            yield waiting

    return held
