"""The tab *Mix*: body parts' looks from several photos, people between two, people nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr

from apps.live import live_hint, live_view
from apps.results import ResultView
from apps.studio import (
    ENGINE,
    QUIET,
    SOURCE,
    Panel,
    Studio,
    Upload,
    background_of,
    checked,
    live_try,
    number_of,
    path_of,
    picture_field,
    preset_named,
    refusal,
    seed_of,
    told,
    words_of,
)
from pose.presets import PRESETS
from vunet.engine import Prepared, Result

LENT = {
    "head": "Head",
    "top": "Top",
    "arms": "Arms",
    "hands": "Hands",
    "bottom": "Bottom",
    "shoes": "Shoes",
}
"""Fields of the tab: keys of `vunet.looks.LOOKS` and their labels."""
WHOLE = "all"
"""The look that takes the whole person, to go from one to another."""
OWN_POSE = ""
_SURPRISES = 6


@dataclass(frozen=True)
class _Lender:
    """A photo that lends a look, and how much of it is taken."""

    look: str
    photo: gr.Image
    strength: gr.Slider


class _Settings(NamedTuple):
    """What is said of a mix besides photos."""

    pose: str
    background: str
    backdrop: Upload
    retarget: bool
    seed: float | None


def mix_tab(studio: Studio, panel: Panel) -> None:
    """Lay out the tab; its endpoints for programs are `/mix` and `/sample`.

    Args:
        studio: Draws.
        panel: The base photo and settings.
    """
    gr.Markdown(
        "The person on the left lends everything that no photo here lends. A whole other person at "
        "half strength gives somebody between the two.",
        elem_classes="lead",
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=240):
            with gr.Row(elem_id="lenders"):
                lenders = [_lender(look, label) for look, label in LENT.items()]
                lenders.append(_lender(WHOLE, "Whole person"))
            pose = gr.Dropdown(
                [("Their own", OWN_POSE), *((words_of(name), name) for name in PRESETS)],
                value=OWN_POSE,
                label="Pose",
                elem_id="mix-pose",
            )
            go = gr.Button("Mix in full size", variant="primary", elem_id="mix-go")
        with gr.Column(min_width=240):
            live = live_view("mix-live", "The mixed person appears here.")
            view = ResultView("mix-result", at_first=False)
    with gr.Accordion("Surprise me: people that no photo showed", open=False):
        with gr.Row():
            sample_pose = gr.Dropdown(
                [(words_of(name), name) for name in PRESETS],
                value=next(iter(PRESETS)),
                label="Pose of the samples",
            )
            temperature = gr.Slider(
                0, 2, value=1, step=0.1, label="Temperature", info="0 is the most ordinary person."
            )
            sample_seed = gr.Number(
                value=0,
                precision=0,
                minimum=0,
                label="Seed of the samples",
                info="Then the next one's turn.",
            )
        surprise = gr.Button("Surprise me", elem_id="surprise")
        samples = gr.Gallery(
            label="Samples",
            columns=_SURPRISES,
            height="auto",
            object_fit="contain",
            interactive=False,
            buttons=["download"],
            elem_id="samples",
        )

    def mixed(base: Prepared, given: Sequence[Any], settings: _Settings, *, small: bool) -> Result:
        """Photos and strengths in the order of the fields -> a picture."""
        photos, strengths = given[: len(lenders)], given[len(lenders) :]
        parts, strength = {}, {}
        for lender, photo, amount in zip(lenders, photos, strengths, strict=True):
            if path_of(photo) is not None:
                parts[lender.look] = studio.prepared(photo, preview=small)
                strength[lender.look] = number_of(amount, "A share", 0, 1)
        if not parts:
            raise refusal("Give at least one photo that lends a look.")
        return studio.engine.mix(
            base,
            parts,
            preset_named(settings.pose) if settings.pose else None,
            strength=strength,
            background=background_of(settings.background, settings.backdrop),
            retarget=bool(settings.retarget),
            seed=seed_of(settings.seed),
        )

    # gradio names an endpoint's parameters after the function's: said one by one, for programs
    @told
    def mix(
        photo: Upload,
        head: Upload = None,
        top: Upload = None,
        arms: Upload = None,
        hands: Upload = None,
        bottom: Upload = None,
        shoes: Upload = None,
        whole: Upload = None,
        head_strength: float = 1,
        top_strength: float = 1,
        arms_strength: float = 1,
        hands_strength: float = 1,
        bottom_strength: float = 1,
        shoes_strength: float = 1,
        whole_strength: float = 0.5,
        pose: str = OWN_POSE,
        background: str = SOURCE,
        backdrop: Upload = None,
        retarget: bool = True,
        person: float | None = 1,
        seed: float | None = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> tuple[Any, ...]:
        """The person of a photo with looks of body parts from other photos."""
        progress(0.2, desc="Looking at the photos")
        given = (
            *(head, top, arms, hands, bottom, shoes, whole),
            *(head_strength, top_strength, arms_strength, hands_strength),
            *(bottom_strength, shoes_strength, whole_strength),
        )
        settings = _Settings(pose, background, backdrop, retarget, seed)
        drawn = mixed(studio.prepared(photo, person), given, settings, small=False)
        return view.values(drawn, studio.saved(drawn, photo))

    def follow(photo: Upload, *rest: Any) -> str:  # noqa: ANN401 - as for `mix`
        given, (pose, background, backdrop, retarget, person, seed) = rest[:-6], rest[-6:]
        photos = given[: len(lenders)]
        if path_of(photo) is None or not any(path_of(p) for p in photos):
            return live_hint("Give the person's photo and one that lends a look.")
        settings = _Settings(pose, background, backdrop, retarget, seed)

        def drawn() -> Result:
            base = studio.prepared(photo, person, preview=True)
            return mixed(base, given, settings, small=True)

        return live_try(drawn, "The mixed person")[0]

    @told
    def sample(
        pose: str,
        temperature: float = 1,
        seed: float | None = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> list[str]:
        """People that no photo showed, drawn from the prior."""
        progress(0.2, desc="Drawing people")
        drawn = studio.engine.sample(
            preset_named(pose),
            _SURPRISES,
            seed=seed_of(seed),
            temperature=number_of(temperature, "Temperature", 0, 3),
        )
        return studio.gallery([result.image for result in drawn])

    fields = [
        *(lender.photo for lender in lenders),
        *(lender.strength for lender in lenders),
        *(pose, panel.background, panel.backdrop, panel.retarget, panel.person, panel.seed),
    ]
    mixing = go.click(
        mix,
        [panel.photo, *fields],
        view.outputs,
        show_progress_on=view.picture,
        api_name="mix",
        **ENGINE,
    )
    view.follow(mixing)
    following: dict[str, Any] = {
        "fn": told(follow),
        "inputs": [panel.photo, *fields],
        "outputs": live,
        "trigger_mode": "always_last",
        **ENGINE,
        **QUIET,
    }
    for lender in lenders:
        lender.photo.change(**following)
        lender.strength.input(**following)
    pose.input(**following)
    for field in (panel.photo, panel.background, panel.backdrop, panel.person, panel.seed):
        field.change(**following)
    surprise.click(
        sample,
        [sample_pose, temperature, sample_seed],
        samples,
        show_progress_on=samples,
        api_name="sample",
        **ENGINE,
    ).success(lambda seed: (seed or 0) + 1, sample_seed, sample_seed, **QUIET)


def _lender(look: str, label: str) -> _Lender:
    with gr.Column(min_width=120, elem_classes="lender"):
        photo = picture_field(label, f"lend-{look}", height=150)
        strength = gr.Slider(
            0,
            1,
            value=0.5 if look == WHOLE else 1,
            step=0.05,
            label=f"{label}, share",
            buttons=[],
            elem_id=f"strength-{look}",
        )
    checked(photo)
    return _Lender(look, photo, strength)
