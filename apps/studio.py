"""What the tabs of the app's page share: the engine, photos seen before, files and words.

    Panel (photo, background, settings) --> every tab --> Studio --> Engine
                                              |
                                              +--> pictures under gradio's temporary folder

A photo is looked at once, however many pictures are made of it; of the photos looked at, the last
few are kept. Failures that a user can mend become messages in the page.
"""

from __future__ import annotations

import functools
import html
import os
import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np

from apps.editor import file_url
from apps.errors import sentence
from pose.formats import write_poses
from pose.presets import PRESETS
from vunet.images import read_image, write_png

if TYPE_CHECKING:
    from vunet.engine import Engine, Prepared, Result

P = ParamSpec("P")
R = TypeVar("R")
Upload = Mapping[str, Any] | str | None
"""What gradio gives for a file field when it is told not to open the file."""

OWN_PICTURE = "A picture of mine"
BACKGROUNDS = {
    "The photo's own": "source",
    "The pose photo's": "pose",
    "Plain grey": "plain",
    "None (transparent)": "transparent",
    OWN_PICTURE: "file",
}
FRAMES = {"The photo's": "appearance", "The pose's": "pose"}
SOURCE, PLACE = next(iter(BACKGROUNDS)), next(iter(FRAMES))
INVENTED_RGB = (225, 60, 140)
"""Colour laid over what the network made up."""
PREVIEW_PX = 512
"""Longer side of pictures that follow the pointer."""
_KEPT = 8
_TITLE = "This cannot be used"
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For events that only rearrange the page."""
ENGINE: dict[str, Any] = {
    # gradio would decode uploads itself, and fail without words
    "preprocess": False,
    "concurrency_limit": 1,
    "concurrency_id": "engine",
}
"""For events that draw: one after the other, in the order they came."""


class Studio:
    """The engine, and what has been made of the last photos."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._folder = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
        self._seen: OrderedDict[tuple[Any, ...], Prepared] = OrderedDict()
        self._grounds: WeakKeyDictionary[Prepared, str] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def prepared(
        self, photo: Upload, person: float | None = None, *, preview: bool = False
    ) -> Prepared:
        """The person of an uploaded photo.

        Args:
            photo: The upload.
            person: Number of the person, 1 the largest.
            preview: Reduced to `PREVIEW_PX`.

        Raises:
            gr.Error: If there is none.
            ValueError: A sentence, if it cannot be used.
        """
        path = path_of(photo)
        if path is None:
            raise refusal("Give a photo of the person first.")
        number = int(person) if person and person > 1 else None
        facts = Path(path).stat()
        key = (path, facts.st_mtime_ns, facts.st_size, number, preview)
        with self._lock:
            found = self._seen.get(key)
            if found is None:
                found = self.engine.prepare(
                    path, person=number, size=PREVIEW_PX if preview else None
                )
                self._seen[key] = found
            self._seen.move_to_end(key)
            while len(self._seen) > _KEPT:
                self._seen.popitem(last=False)
        return found

    def new_folder(self) -> Path:
        """A folder for one result among gradio's own files, which it empties by and by."""
        folder = self._folder / secrets.token_hex(12)
        folder.mkdir(parents=True)
        return folder

    def saved(self, drawn: Result) -> Made:
        """Write a result's pictures and its pose."""
        folder = self.new_folder()
        made = Made(*(str(folder / name) for name in Made.NAMES))
        drawn.save(made.picture)
        write_png(marked(drawn.image, drawn.invented), Path(made.marked))
        write_png(np.repeat(drawn.mask[..., None], 3, 2), Path(made.mask))
        write_poses([drawn.pose], made.pose, "openpose")
        return made

    def gallery(self, images: Sequence[np.ndarray]) -> list[str]:
        """Write pictures (H, W, 3) uint8 RGB; their paths."""
        folder = self.new_folder()
        paths = [folder / f"{number}.png" for number, _ in enumerate(images, 1)]
        for image, path in zip(images, paths, strict=True):
            write_png(image, path)
        return [str(path) for path in paths]

    def photo_url(self, photo: Upload, person: float | None = None) -> str:
        """Where the page finds an uploaded photo, reduced, for the editor's ground."""
        prepared = self.prepared(photo, person, preview=True)
        if prepared not in self._grounds:
            self._grounds[prepared] = self.gallery([prepared.subject.image])[0]
        return file_url(self._grounds[prepared])


@dataclass(frozen=True)
class Made:
    """Paths of what a result consists of."""

    picture: str
    marked: str
    mask: str
    pose: str

    NAMES = ("reposed.png", "made-up.png", "mask.png", "pose.json")


@dataclass(frozen=True)
class Panel:
    """The fields that all tabs look at."""

    photo: gr.Image
    background: gr.Radio
    backdrop: gr.Image
    retarget: gr.Checkbox
    person: gr.Number
    seed: gr.Number


def panel() -> Panel:
    """Lay out photo, background and settings."""
    gr.Markdown("The person", elem_classes="step")
    photo = picture_field("Photo of the person", "photo")
    with gr.Accordion("Background and settings", open=False, elem_id="settings"):
        background = gr.Radio(list(BACKGROUNDS), value=SOURCE, label="Background")
        backdrop = picture_field("Picture for the background", "backdrop", visible=False)
        retarget = gr.Checkbox(
            value=True, label="Keep the person's limb lengths", info="Off: those of the pose."
        )
        with gr.Row():
            person = gr.Number(
                value=1,
                precision=0,
                minimum=1,
                maximum=16,
                label="Person",
                info="1 is the largest.",
                min_width=100,
            )
            seed = gr.Number(
                value=0,
                precision=0,
                minimum=0,
                label="Seed",
                info="Of what no photo shows.",
                min_width=100,
            )
    background.change(
        lambda chosen: gr.update(visible=chosen == OWN_PICTURE), background, backdrop, **QUIET
    )
    for field in (photo, backdrop):
        checked(field)
    return Panel(photo, background, backdrop, retarget, person, seed)


def picture_field(
    label: str,
    name: str,
    *,
    visible: bool = True,
    height: int = 380,
    sources: Sequence[str] = ("upload", "clipboard"),
) -> gr.Image:
    """A field that takes a picture's file as it is."""
    return gr.Image(
        label=label,
        type="filepath",
        sources=list(sources),  # pyright: ignore[reportArgumentType]
        height=height,
        buttons=[],
        visible=visible,
        elem_id=name,
    )


def checked(field: gr.Image) -> None:
    """Refuse at once what is no picture, rather than show a broken one."""

    def check(given: Upload) -> dict[str, Any]:
        path = path_of(given)
        if path is None:
            return gr.skip()
        try:
            read_image(path)
        except ValueError as error:
            gr.Warning(error_for_page(error, (given,)).message, title=_TITLE)
            return gr.update(value=None)
        return gr.skip()

    field.upload(check, field, field, preprocess=False, **QUIET)


def background_of(chosen: str, backdrop: Upload) -> str:
    """The engine's word for a background.

    Raises:
        gr.Error: If a picture is wanted and there is none.
    """
    word = known(BACKGROUNDS, chosen)
    if word != "file":
        return word
    path = path_of(backdrop)
    if path is None:
        raise refusal("Give the picture for the background as well, or choose another background.")
    return path


def marked(image: np.ndarray, invented: np.ndarray) -> np.ndarray:
    """A picture with what the network made up tinted.

    Args:
        image: (H, W, 3) uint8 RGB.
        invented: (H, W) uint8, share of each pixel that was made up.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    weight = 0.65 * invented[..., None].astype(np.float32) / 255
    grey = image.mean(axis=2, keepdims=True)
    calm = 0.5 * image + 0.5 * grey
    tinted = (1 - weight) * calm + weight * np.array(INVENTED_RGB, np.float32)
    return np.rint(tinted).astype(np.uint8)


def path_of(given: Upload) -> str | None:
    """Where gradio keeps an upload."""
    if isinstance(given, Mapping):
        return given.get("path") or None
    return given or None


def known(names: Mapping[str, Any], given: str) -> Any:  # noqa: ANN401
    """The engine's word for a choice of the page; programs may give the engine's word itself.

    Raises:
        gr.Error: If it is neither. Nothing else may pass: a background can be a file's path.
    """
    if given in names:
        return names[given]
    if given in names.values():
        return given
    raise refusal(f"Choose one of: {', '.join(names)}.")


def preset_named(name: str) -> str:
    """The name of a preset.

    Raises:
        gr.Error: If there is no such preset. Nothing else may pass: a pose can be a file's path.
    """
    if name not in PRESETS:
        raise refusal("Choose one of the preset poses.")
    return name


def notes_of(warnings: Sequence[str]) -> str:
    """Warnings as a list; they may hold a file's name, which must not act as markup."""
    words = (_for_page(text) for text in warnings)
    return "\n".join(f"- {html.escape(text)}" for text in words)


def words_of(name: str) -> str:
    """The name of a preset, as people write."""
    return name.replace("_", " ").capitalize()


def _for_page(text: str) -> str:
    """A sentence of the engine without the command line's options."""
    return text.replace("choose with --person", "choose under Background and settings").replace(
        "`vunet poses`", "the list"
    )


# -- failures ------------------------------------------------------------------------------------


def refusal(text: str) -> gr.Error:
    """A message in the page."""
    return gr.Error(text, title=_TITLE, print_exception=False)


def error_for_page(error: BaseException, given: Sequence[Any] = ()) -> gr.Error:
    """An error as the page shows it; bugs are raised again.

    Args:
        error: What was raised.
        given: The fields that it may speak of; users know files by name, not by gradio's place.
    """
    text = sentence(error)
    if text is None:
        raise error
    for field in given:
        path = path_of(field) if isinstance(field, Mapping | str) else None
        if path and len(path) > 1:
            name = field.get("orig_name") if isinstance(field, Mapping) else None
            text = text.replace(path, name or Path(path).name)
    return refusal(f"{html.escape(_for_page(text), quote=False).rstrip('.')}.")


def told(function: Callable[P, R]) -> Callable[P, R]:
    """The same handler of an event, whose failures are said in the page if a user can mend them."""

    @functools.wraps(function)
    def careful(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (ValueError, OSError, MemoryError) as error:
            fields = [f for a in args for f in (a if isinstance(a, list) else [a])]
            raise error_for_page(error, fields) from error

    return careful
