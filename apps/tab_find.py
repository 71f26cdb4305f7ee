"""The tab *Find*: draw, and the photos that match appear; a match goes on into the other tabs."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from apps.cancel import cancel_button, cancellable, staged
from apps.finding import (
    MOST_MATCHES,
    MOST_OWN,
    MY_PHOTOS,
    THE_FOLDER,
    Finding,
    Found,
    Own,
    Searched,
    person_at,
)
from apps.matches import match_list, nothing
from apps.pad import drawing_of, drawing_pad, is_blank
from apps.starts import starts
from apps.studio import (
    ARRANGING,
    ENGINE,
    QUIET,
    Panel,
    Studio,
    Upload,
    error_for_page,
    known,
    notes_of,
    number_of,
    path_of,
    preset_choices,
    preset_named,
    refusal,
    told,
)
from apps.tab_repose import FILE as POSE_FILE
from apps.tab_repose import PHOTO as POSE_PHOTO
from apps.tab_repose import PoseFields
from pose.formats import write_poses
from vunet.gallery.gallery import Match
from vunet.gallery.query import kind_of
from vunet.gallery.views import view
from vunet.images import read_image, write_png

HERE, FILE, PRESET = "Draw here", "A file", "A preset pose"
BY = {"Automatic": None, "Drawing": "drawing", "Pose": "pose", "Photo": "photo"}
AUTOMATIC = next(iter(BY))
COUNT = 12
_HINT = "Draw something: the photos that match appear here and follow your pen."
_CHOOSE = "Choose one of the matches to use it."
_PLAIN_FILES = (".jpg", ".jpeg", ".png", ".webp")
"""What every browser shows."""
_LOOK_PX = 1024


def find_tab(
    studio: Studio,
    panel: Panel,
    tab: gr.Tab,
    finding: Finding,
    searched: Searched,
    onwards: Onwards,
) -> None:
    """Lay out the tab; its endpoints for programs are `/find` and `/add_photos`.

    Args:
        studio: Finds people.
        panel: Says which tab is open; takes a match as the person.
        tab: Its own.
        finding: Searches.
        searched: Which photos.
        onwards: Fields of other tabs that take a match.
    """
    with gr.Row(equal_height=False, elem_id="find-columns"):
        with gr.Column(scale=4, min_width=290):
            source = gr.Radio(
                [HERE, FILE, PRESET],
                value=HERE,
                show_label=False,
                label="What to look for",
                container=False,
                elem_id="find-source",
            )
            pad = drawing_pad(
                "find-pad",
                label="Paper for a drawing",
                hint="Draw a garment or a stick figure,<br>or start from one of those below.",
                starts=starts(),
            )
            given = gr.File(
                label="A drawing, a stick figure, a photo or a pose file",
                file_types=["image", ".json", ".csv"],
                visible=False,
                height=180,
                elem_id="find-file",
            )
            preset = gr.Dropdown(
                preset_choices(("None", "")),
                value="",
                label="Preset pose",
                visible=False,
                elem_id="find-preset",
            )
        with gr.Column(scale=6, min_width=290):
            place = gr.Radio(
                [THE_FOLDER, MY_PHOTOS],
                value=THE_FOLDER,
                label="Search in",
                visible=False,
                elem_id="find-where",
            )
            said = gr.Markdown(_HINT, elem_classes="notes lead", elem_id="find-said")
            chosen_name = gr.Markdown(_CHOOSE, elem_classes="notes", elem_id="find-chosen")
            with gr.Row(elem_id="find-use"):
                uses = [
                    gr.Button(words, size="sm", interactive=False, elem_id=name)
                    for words, name in onwards.buttons()
                ]
            shown = match_list("find-matches", "Photos that match", choosable=True)
            with gr.Accordion("How to look", open=False, elem_id="find-how"):
                by = gr.Radio(
                    list(BY),
                    value=AUTOMATIC,
                    label="Look for it as",
                    info="Automatic: what it looks like.",
                    elem_id="find-by",
                )
                mirror = gr.Checkbox(
                    value=True, label="Mirror images of a pose match, too", elem_id="find-mirror"
                )
                count = gr.Slider(
                    1,
                    MOST_MATCHES,
                    value=COUNT,
                    step=1,
                    label="How many",
                    buttons=[],
                    elem_id="find-count",
                )
            with gr.Accordion("My photos", open=not finding.has_folder, elem_id="find-mine"):
                photos = gr.File(
                    label=f"Photos to search, at most {MOST_OWN}; they are gone with your visit",
                    file_count="multiple",
                    file_types=["image"],
                    height=140,
                    elem_id="find-photos",
                )
                mine = gr.Markdown(elem_classes="notes", elem_id="find-mine-said")
                with gr.Row(elem_classes="go"):
                    add = gr.Button("Add these photos", elem_id="find-add")
                    stop = cancel_button("find-stop")
            go = gr.Button("Find", visible=False)  # for programs: the page follows the pen
    found, chosen = gr.State(Found()), gr.State(None)

    def query_of(drawing: Upload, pad: Any, preset: str) -> Any:  # noqa: ANN401 - JSON, a query
        """What is looked for; None if nothing is given."""
        path = path_of(drawing)
        if path is not None:
            os.utime(path)  # in use, so that `apps.tidy` leaves it
            return path
        if preset:
            return preset_named(preset)
        return None if is_blank(pad) else drawing_of(pad)

    def look(
        drawing: Upload,
        pad: Any,  # noqa: ANN401 - JSON
        preset: str,
        by: str,
        mirror: bool,
        count: float,
        where: str,
        own: Own | None,
    ) -> tuple[dict[str, Any], str, Found]:
        how, most = known(BY, by), int(number_of(count, "How many", 1, MOST_MATCHES))
        gallery = finding.searched(own, where)
        query = query_of(drawing, pad, preset)
        if query is None:
            return nothing(), _HINT, Found()
        if how is None and path_of(drawing) is None and not preset:
            how = "pose" if kind_of(query) == "pose" else "drawing"  # never a photo
        result = finding.find(gallery, query, most, how, bool(mirror))
        if not result.matches:
            return nothing(), _said("Nothing here matches.", result.notes), result
        kinds = {"drawing": "a drawing", "pose": "a pose", "photo": "a photo"}
        kind = kinds[result.matches[0].by]
        words = _said(f"Looked for as {kind}; How to look changes that.", result.notes)
        return finding.listed(result), words, result

    def follow(*given: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as for `look`
        """What matches now; the page says where there can be nothing, and why."""
        try:
            return look(*given)
        except gr.Error as error:
            said = error.message
        except (ValueError, OSError, MemoryError) as error:
            said = error_for_page(error, given).message
        return nothing(), said, Found()

    @told
    def find(
        drawing: Upload = None,
        pad: Any = None,  # noqa: ANN401 - JSON
        preset: str = "",
        by: str = AUTOMATIC,
        mirror: bool = True,
        count: float = COUNT,
        where: str = THE_FOLDER,
        own: Own | None = None,
    ) -> dict[str, Any]:
        """Photos that match a file, a preset pose, or strokes of the pad, best first."""
        if path_of(drawing) is None and not preset and is_blank(pad):
            raise refusal("Draw something first, or give a file or a preset pose.")
        return look(drawing, pad, preset, by, mirror, count, where, own)[0]

    @told
    def choose(found: Found, event: gr.EventData) -> tuple[Any, ...]:
        """A match was clicked."""
        name = str(getattr(event, "name", ""))
        match = found.named(name)
        if match is None:  # of an answer that is no longer shown
            return (gr.skip(),) * (2 + len(uses))
        words = f"**{html.escape(name)}**"
        return (match, words, *(gr.update(interactive=True) for _ in uses))

    @staged
    def gather(
        photos: list[Upload] | None,
        own: Own | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> Generator[None, None, Any]:
        """Photos to be searched in this visit."""
        if not photos:
            raise refusal("Choose some photos first.")
        now, unreadable = yield from finding.add(own, photos, request.session_hash, progress)
        words = f"{now.count} photo{'' if now.count == 1 else 's'} of yours can be searched."
        return now, _said(words, unreadable)

    inputs = [given, pad, preset, by, mirror, count, place, searched.own]
    outputs = [shown, said, found]
    added = cancellable(
        stop,
        [
            (
                add.click,
                {
                    "fn": gather,
                    "inputs": [photos, searched.own],
                    "outputs": [searched.own, mine],
                    "show_progress_on": photos,
                    "api_name": "add_photos",
                    **ENGINE,
                },
            )
        ],
    )[0]
    moved = added.success(
        lambda: (MY_PHOTOS, None, gr.update(value=MY_PHOTOS, visible=finding.has_folder)),
        None,
        [searched.where, photos, place],
        **QUIET,
    )
    if onwards.shadow is not None:
        added.success(lambda: gr.update(visible=True), None, onwards.shadow, **QUIET)
    other = place.input(lambda where: where, place, searched.where, **QUIET)
    triggers = [pad.release, given.change, preset.input, by.input, mirror.input, count.input]
    panel.follow(tab, follow, inputs, outputs, [*triggers, moved.success, other.success])
    shown.select(choose, found, [chosen, chosen_name, *uses], **QUIET)
    go.click(find, inputs, shown, api_name="find", **ENGINE)
    source.input(
        lambda chosen: (
            gr.update(visible=True if chosen == HERE else "hidden"),  # stays as it is
            # what is not to be seen does not count
            gr.update(visible=chosen == FILE, value=None),
            gr.update(visible=chosen == PRESET, value=""),
        ),
        source,
        [pad, given, preset],
        **QUIET,
    ).success(told(follow), inputs, outputs, **{**ARRANGING, "trigger_mode": "always_last"})
    onwards.bind(studio, panel, uses, chosen)


@dataclass(frozen=True)
class Onwards:
    """Where a match can go."""

    tabs: gr.Tabs
    pose: PoseFields
    look: gr.Image | None
    """Of the tab *Draw*, if there is one."""
    shadow: gr.Slider | None
    """The same; to be seen as soon as there are photos."""

    def buttons(self) -> list[tuple[str, str]]:
        """Words and ids."""
        words = [
            ("Use as appearance in Re-pose", "find-as-person"),
            ("Use as pose in Re-pose", "find-as-pose"),
        ]
        return words if self.look is None else [("Use as look in Draw", "find-as-look"), *words]

    def bind(
        self, studio: Studio, panel: Panel, buttons: list[gr.Button], chosen: gr.State
    ) -> None:
        """Have the buttons put the chosen match into the other tabs."""

        def people_of(match: Match) -> tuple[list[Any], int]:
            people = studio.engine.estimator.find(read_image(match.path), max_people=3)
            return people, person_at(match, people)

        @told
        def as_look(match: Match) -> tuple[Any, ...]:
            path = studio.new_folder() / f"{match.path.stem}.png"
            write_png(view(match.path, match.box, _LOOK_PX), path)
            return str(path), gr.Tabs(selected="draw")

        @told
        def as_person(match: Match) -> tuple[Any, ...]:
            _, number = people_of(match)
            return _kept(studio, match.path), number, gr.Tabs(selected="repose")

        @told
        def as_pose(match: Match) -> tuple[Any, ...]:
            people, number = people_of(match)
            if number == 1:
                return POSE_PHOTO, _kept(studio, match.path), None, gr.Tabs(selected="repose")
            file = studio.new_folder() / f"{match.path.stem}.json"  # one of several people
            write_poses([people[number - 1].pose], file, "native")
            return POSE_FILE, None, str(file), gr.Tabs(selected="repose")

        *first, person, pose = buttons
        for button in first:
            assert self.look is not None
            button.click(as_look, chosen, [self.look, self.tabs], **ARRANGING)
        person.click(as_person, chosen, [panel.photo, panel.person, self.tabs], **ARRANGING)
        fields = self.pose
        pose.click(
            as_pose, chosen, [fields.kind, fields.photo, fields.file, self.tabs], **ARRANGING
        ).success(fields.choose, fields.kind, fields.choices, **QUIET)


def _said(words: str, notes: Sequence[str]) -> str:
    """Words for the page, and notes below them."""
    return "\n\n".join(filter(None, (words, notes_of(notes))))


def _kept(studio: Studio, path: Path) -> str:
    """A copy of a photo among the app's own files, which a browser shows."""
    folder = studio.new_folder()
    if path.suffix.lower() in _PLAIN_FILES:
        return shutil.copyfile(path, str(folder / path.name))
    write_png(read_image(path), folder / f"{path.stem}.png")
    return str(folder / f"{path.stem}.png")
