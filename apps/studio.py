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
import math
import os
import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypedDict, TypeVar
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np

from apps.editor import file_url
from apps.errors import sentence
from apps.live import live_hint, live_picture
from apps.memory import OneThread
from pose.formats import write_poses
from pose.presets import PRESETS
from vunet.engine import PREVIEW_PX
from vunet.images import ImageError, read_image, write_png
from vunet.poses import place_on_photo, resolve_pose

if TYPE_CHECKING:
    from pose.types import Pose
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
_KEPT = {False: 4, True: 32}
"""Photos that are kept in full size, and reduced ones."""
_FOLDERS: set[Path] = set()
"""Where uploads of the pages of this process lie; nothing else is read."""
_DRAWING = OneThread("vunet-drawing")
"""Where handlers run: memory grows with each thread that draws."""
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
ARRANGING: dict[str, Any] = {**ENGINE, **QUIET}
"""For events that need the engine to rearrange the page."""
FOLLOWING: dict[str, Any] = {"trigger_mode": "always_last", **ARRANGING}
"""For live views: of events that come while one is drawn, the last alone counts."""


class Asked(TypedDict):
    """What a visitor asks of a picture besides the pose, as the engine's verbs take it."""

    background: str
    retarget: bool
    seed: int


class Studio:
    """The engine, and what has been made of the last photos."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        _ = engine.estimator  # loaded once, before threads ask for it
        # where gradio keeps uploads: never the whole folder for temporary files
        own = os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio"
        self._folder = Path(own).resolve()
        _FOLDERS.add(self._folder)
        self._seen: dict[bool, OrderedDict[tuple[Any, ...], Prepared]]
        self._seen = {preview: OrderedDict() for preview in _KEPT}
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
        number = int(number_of(person or 1, "Person", 1, 16))
        os.utime(path)  # in use, so that `apps.tidy` leaves it
        # gradio names folders after their content: a photo that is uploaded again is not another
        key = (path, Path(path).stat().st_size, number)
        with self._lock:
            return self._prepared(key, preview, named((photo,)))

    def _prepared(
        self, key: tuple[Any, ...], preview: bool, name: Callable[[str], str]
    ) -> Prepared:
        seen = self._seen[preview]
        found = seen.get(key)
        if found is None:
            if preview:
                found = self.engine.prepare(self._prepared(key, False, name), size=PREVIEW_PX)
            else:
                path, *_, number = key
                found = self.engine.prepare(path, person=number if number > 1 else None)
                found = replace(found, warnings=tuple(map(name, found.warnings)))
            seen[key] = found
        seen.move_to_end(key)
        while len(seen) > _KEPT[preview]:
            seen.popitem(last=False)
        return found

    def steps(
        self, progress: gr.Progress, photo: Upload, person: float | None, background: str
    ) -> Generator[None, None, Prepared]:
        """Look at a photo stage by stage, see `apps.cancel.staged`.

        Args:
            progress: Told of each stage.
            photo: The upload.
            person: Number of the person, 1 the largest.
            background: The engine's word; what the person hides is filled in if it is "source".

        Returns:
            As `prepared`, by `yield from`.
        """
        progress(0.1, desc="Looking at the photo")
        found = self.prepared(photo, person)
        yield
        if background == "source":
            progress(0.3, desc="Filling in what the person hides")
            _ = found.ground  # kept
            yield
        progress(0.5, desc="Drawing")
        return found

    def on_photo(self, pose: Pose, photo: Upload, person: float | None, keep_limbs: bool) -> Pose:
        """A whole pose where the person of a photo would take it."""
        subject = self.prepared(photo, person).subject
        whole = self.whole(pose)
        canvas = subject.image.shape[:2]
        return place_on_photo(whole, subject.pose, keep_limbs=keep_limbs, canvas=canvas)[0]

    def whole(self, pose: Pose) -> Pose:
        """A pose with likely places for the joints that it lacks."""
        return resolve_pose(pose, person=None, estimator=self.engine.estimator).pose

    def new_folder(self) -> Path:
        """A folder for one result among gradio's own files; `apps.tidy` removes it some day."""
        folder = self._folder / secrets.token_hex(12)
        folder.mkdir(parents=True)
        return folder

    def saved(self, drawn: Result, photo: Upload) -> Made:
        """Write a result's pictures and its pose; the photo is what it was made of."""
        folder = self.new_folder()
        made = Made(*(str(folder / name) for name in Made.NAMES), before=path_of(photo))
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
        if not Path(self._grounds.get(prepared, "")).is_file():  # or removed since
            self._grounds[prepared] = self.gallery([prepared.subject.image])[0]
        return file_url(self._grounds[prepared])


@dataclass(frozen=True)
class Made:
    """Paths of what a result consists of."""

    picture: str
    marked: str
    mask: str
    pose: str
    before: str | None = None
    """The photo that it was made of."""

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
    tab: gr.State
    """Which tab is open."""

    def follow(
        self,
        tab: gr.Tab,
        draw: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Any,  # noqa: ANN401 - fields
        triggers: Sequence[Callable[..., Any]],
    ) -> None:
        """Keep a live view up to date, while its tab is open and when it is opened.

        Args:
            tab: Where the view is.
            draw: Makes the values of the outputs.
            inputs: Fields that `draw` takes.
            outputs: Fields that it fills.
            triggers: Events upon which it draws, such as `field.change`.
        """
        careful = told(draw)

        def drawn(now: str, *given: Any) -> Any:  # noqa: ANN401 - fields
            return careful(*given) if now == tab.id else gr.skip()

        options = {"inputs": [self.tab, *inputs], "outputs": outputs, **FOLLOWING}
        for trigger in triggers:
            trigger(drawn, **options)
        self.opened(tab).success(drawn, **options)

    def opened(self, tab: gr.Tab) -> Any:  # noqa: ANN401 - gradio's dependency
        """Note when a tab is opened."""
        return tab.select(lambda: tab.id, None, self.tab, **QUIET)


def panel(studio: Studio) -> Panel:
    """Lay out photo, background and settings; the person is looked for as soon as there is one.

    Args:
        studio: Looks.
    """
    gr.Markdown("The person", elem_classes="step")
    photo = picture_field(
        "Photo of the person", "photo", placeholder="Drop a photo here, or click to choose one"
    )
    found = gr.Markdown(visible=False, elem_classes="notes", elem_id="photo-notes")
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

    @told
    def look(
        photo: Upload,
        person: float | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> dict[str, Any]:
        if path_of(photo) is None:
            return gr.update(value="", visible=False)
        progress(0.1, desc="Looking for the person")
        try:
            said = notes_of(studio.prepared(photo, person).warnings) or "Person found."
        except ImageError:  # said by the field itself
            said = ""
        except ValueError as error:
            said = notes_of((html.unescape(error_for_page(error, (photo,)).message),))
        return gr.update(value=said, visible=bool(said))

    looking: dict[str, Any] = {
        "fn": look,
        "inputs": [photo, person],
        "outputs": found,
        "show_progress_on": photo,
        "trigger_mode": "always_last",
        "api_visibility": "private",
        **ENGINE,
    }
    photo.change(**looking)
    person.change(**looking)
    return Panel(photo, background, backdrop, retarget, person, seed, gr.State("repose"))


def picture_field(
    label: str,
    name: str,
    *,
    visible: bool = True,
    height: int = 380,
    placeholder: str | None = None,
) -> gr.Image:
    """A field that takes a picture's file as it is."""
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        height=height,
        placeholder=placeholder,
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


def asked(background: str, backdrop: Upload, retarget: bool, seed: Any) -> Asked:  # noqa: ANN401
    """The fields of the panel as the engine's verbs take them.

    Raises:
        gr.Error: If a field holds what none of its choices is.
    """
    return Asked(
        background=background_of(background, backdrop),
        retarget=bool(retarget),
        seed=seed_of(seed),
    )


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
    """Where gradio keeps an upload.

    Raises:
        gr.Error: If the file is no upload: programs may say any path.
    """
    path = given.get("path") if isinstance(given, Mapping) else given
    if not path:
        return None
    try:
        place = Path(path).resolve()
    except (OSError, ValueError, TypeError) as error:
        raise refusal("This is no file that was uploaded to this page.") from error
    if not any(place.is_relative_to(folder) for folder in _FOLDERS):
        raise refusal("This is no file that was uploaded to this page.")
    return str(path)


def number_of(given: Any, name: str, low: float, high: float) -> float:  # noqa: ANN401
    """A number of a field.

    Raises:
        gr.Error: If it is none, or not between the limits.
    """
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high:
        raise refusal(f"{name} must be a number between {low:g} and {high:g}.")
    return number


def seed_of(given: Any) -> int:  # noqa: ANN401
    """The seed of a field; an empty one counts as 0.

    Raises:
        gr.Error: If it is none.
    """
    return int(number_of(given or 0, "Seed", 0, 2**53))


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


def notes_of(warnings: Sequence[str], given: Sequence[Any] = ()) -> str:
    """Warnings as a list; they may hold a file's name, which must not act as markup.

    Args:
        warnings: Sentences.
        given: The fields that they may speak of, see `named`.
    """
    words = (_for_page(text) for text in map(named(given), warnings))
    return "\n".join(f"- {html.escape(text)}" for text in words)


def words_of(name: str) -> str:
    """The name of a preset, as people write."""
    return name.replace("_", " ").capitalize()


def preset_choices(*first: tuple[str, str]) -> list[tuple[str, str]]:
    """Words and names of all presets for a dropdown, after others."""
    return [*first, *((words_of(name), name) for name in PRESETS)]


def _for_page(text: str) -> str:
    """A sentence of the engine without the command line's options."""
    for words, here in (
        ("choose with --person", "choose under Background and settings"),
        ("`vunet poses`", "the list"),
        ("use source, pose, plain, transparent or a picture file", "choose another background"),
        ("use source, plain, transparent or a picture file", "choose another background"),
        ("use source, plain or a picture file", "choose another background"),
        ("use a smaller picture, --size or --batch-size", "use a smaller picture"),
    ):
        text = text.replace(words, here)
    return text


# -- failures ------------------------------------------------------------------------------------


def refusal(text: str) -> gr.Error:
    """A message in the page."""
    return gr.Error(text, title=_TITLE, print_exception=False)


def error_for_page(error: BaseException, given: Sequence[Any] = ()) -> gr.Error:
    """An error as the page shows it; bugs are raised again.

    Args:
        error: What was raised.
        given: The fields that it may speak of, see `named`.
    """
    text = sentence(error)
    if text is None:
        raise error
    text = named(given)(text)
    return refusal(f"{html.escape(_for_page(text), quote=False).rstrip('.')}.")


def named(given: Sequence[Any]) -> Callable[[str], str]:
    """Puts files' names in the place of gradio's paths: that is how users know them.

    Args:
        given: Fields, some of which may be uploads.
    """
    names: dict[str, str] = {}
    for field in given:
        path = field.get("path") if isinstance(field, Mapping) else field
        if isinstance(path, str) and len(path) > 1:
            own = field.get("orig_name") if isinstance(field, Mapping) else None
            names[path] = str(own or Path(path).name)

    def rename(text: str) -> str:
        for path, name in names.items():
            text = text.replace(path, name)
        return text

    return rename


class Pictured(Protocol):
    """What a network drew, with what is to be said about it."""

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Plain sentences."""
        ...


def live_try(
    draw: Callable[[], Pictured], alt: str, given: Sequence[Any] = ()
) -> tuple[str, Sequence[str]]:
    """A picture for a live view and its warnings; where there can be none, why not.

    Args:
        draw: Makes the picture.
        alt: What it shows, in words.
        given: Fields that failures may speak of, see `named`.
    """
    try:
        drawn = draw()
    except gr.Error as error:
        return live_hint(html.unescape(error.message)), ()
    except (ValueError, OSError, MemoryError) as error:
        return live_hint(html.unescape(error_for_page(error, given).message)), ()
    return live_picture(drawn.image, alt), drawn.warnings


def told(function: Callable[P, R]) -> Callable[P, R]:
    """The same handler of an event, whose failures are said in the page if a user can mend them."""

    @functools.wraps(function)
    def careful(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return _DRAWING.run(function, *args, **kwargs)
        except (ValueError, OSError, MemoryError) as error:
            fields = [f for a in args for f in (a if isinstance(a, list) else [a])]
            raise error_for_page(error, fields) from error

    return careful
