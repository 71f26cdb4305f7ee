"""The tab *Mix*: body parts' looks from several photos, people between two, people nobody knows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.cancel import cancel_button, cancellable, staged
from apps.live import live_hint, live_view
from apps.results import ResultView
from apps.studio import (
    ENGINE,
    QUIET,
    SOURCE,
    Asked,
    Panel,
    Studio,
    Upload,
    asked,
    checked,
    live_try,
    number_of,
    path_of,
    picture_field,
    preset_choices,
    preset_named,
    refusal,
    seed_of,
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


def mix_tab(studio: Studio, panel: Panel, tab: gr.Tab) -> None:
    """Lay out the tab; its endpoints for programs are `/mix` and `/sample`.

    Args:
        studio: Draws.
        panel: The base photo and settings.
        tab: Its own.
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
                preset_choices(("Their own", OWN_POSE)),
                value=OWN_POSE,
                label="Pose",
                elem_id="mix-pose",
            )
        with gr.Column(min_width=240):
            live = live_view("mix-live", "The mixed person appears here.")
            with gr.Row(elem_classes="go"):
                go = gr.Button("Mix in full size", variant="primary", elem_id="mix-go")
                stop = cancel_button("mix-stop")
            view = ResultView("mix-result", at_first=False)
    with gr.Accordion("Surprise me: people that no photo showed", open=False):
        with gr.Row():
            sample_pose = gr.Dropdown(
                preset_choices(),
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
        with gr.Row(elem_classes="go"):
            surprise = gr.Button("Surprise me", variant="primary", elem_id="surprise")
            stop_samples = cancel_button("surprise-stop")
        samples = gr.Gallery(
            label="Samples",
            columns=_SURPRISES,
            height="auto",
            object_fit="contain",
            interactive=False,
            buttons=["download"],
            elem_id="samples",
        )

    def lent(given: Sequence[Any], *, small: bool) -> Iterator[tuple[str, Prepared, float]]:
        """Photos and strengths in the order of the fields -> looks, one photo after the other."""
        photos, strengths = given[: len(lenders)], given[len(lenders) :]
        for lender, photo, amount in zip(lenders, photos, strengths, strict=True):
            if path_of(photo) is not None:
                share = number_of(amount, "A share", 0, 1)
                yield lender.look, studio.prepared(photo, preview=small), share

    def mixed(
        base: Prepared, looks: Sequence[tuple[str, Prepared, float]], pose: str, settings: Asked
    ) -> Result:
        if not looks:
            raise refusal("Give at least one photo that lends a look.")
        return studio.engine.mix(
            base,
            {look: found for look, found, _ in looks},
            preset_named(pose) if pose else None,
            strength={look: share for look, _, share in looks},
            **settings,
        )

    # gradio names an endpoint's parameters after the function's: said one by one, for programs
    @staged
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
    ) -> Generator[None, None, Any]:
        """The person of a photo with looks of body parts from other photos."""
        settings = asked(background, backdrop, retarget, seed)
        given = (
            *(head, top, arms, hands, bottom, shoes, whole),
            *(head_strength, top_strength, arms_strength, hands_strength),
            *(bottom_strength, shoes_strength, whole_strength),
        )
        base = yield from studio.steps(progress, photo, person, settings["background"])
        looks = []
        for look in lent(given, small=False):
            looks.append(look)
            yield
        drawn = mixed(base, looks, pose, settings)
        yield
        return view.values(drawn, studio.saved(drawn, photo))

    def follow(photo: Upload, *rest: Any) -> str:  # noqa: ANN401 - as for `mix`
        given, (pose, background, backdrop, retarget, person, seed) = rest[:-6], rest[-6:]
        photos = given[: len(lenders)]
        if path_of(photo) is None or not any(path_of(p) for p in photos):
            return live_hint("Give the person's photo and one that lends a look.")

        def drawn() -> Result:
            base = studio.prepared(photo, person, preview=True)
            looks = list(lent(given, small=True))
            return mixed(base, looks, pose, asked(background, backdrop, retarget, seed))

        return live_try(drawn, "The mixed person", (photo, *photos))[0]

    @staged
    def sample(
        pose: str,
        temperature: float = 1,
        seed: float | None = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio passes it
    ) -> Generator[None, None, Any]:
        """People that no photo showed, drawn from the prior."""
        progress(0.2, desc="Drawing people")
        drawn = studio.engine.sample(
            preset_named(pose),
            _SURPRISES,
            seed=seed_of(seed),
            temperature=number_of(temperature, "Temperature", 0, 3),
        )
        yield
        return studio.gallery([result.image for result in drawn])

    fields = [
        *(lender.photo for lender in lenders),
        *(lender.strength for lender in lenders),
        *(pose, panel.background, panel.backdrop, panel.retarget, panel.person, panel.seed),
    ]
    call = {"fn": mix, "inputs": [panel.photo, *fields]}
    view.drawn_by([go.click], stop, call, "mix")
    triggers = [lender.photo.change for lender in lenders]
    triggers += [lender.strength.input for lender in lenders]
    triggers += [pose.input]
    triggers += [
        field.change
        for field in (panel.photo, panel.background, panel.backdrop, panel.person, panel.seed)
    ]
    panel.follow(tab, follow, [panel.photo, *fields], live, triggers)
    sampling = {
        "fn": sample,
        "inputs": [sample_pose, temperature, sample_seed],
        "outputs": samples,
        "show_progress_on": samples,
        "api_name": "sample",
        **ENGINE,
    }
    (sampled,) = cancellable(stop_samples, [(surprise.click, sampling)])
    sampled.success(lambda seed: (seed or 0) + 1, sample_seed, sample_seed, **QUIET)


def _lender(look: str, label: str) -> _Lender:
    with gr.Column(min_width=120, elem_classes="lender"):
        photo = picture_field(label, f"lend-{look}", height=150, placeholder="Add a photo")
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
