"""A Cancel button beside what takes long: it is live while something runs, and frees the engine.

A handler that can be cancelled is a generator with a bare `yield` between its stages, made into an
event's function by `staged`. A call that still waits leaves the queue at once; one that runs leaves
the page and its place to the next at once, and the engine when its stage is done.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from apps.studio import QUIET, told

P = ParamSpec("P")
R = TypeVar("R")
Trigger = Callable[..., Any]
"""An event of a field, such as `button.click`, or what follows upon one, `called.success`."""
_STOPPED = "Stopped; nothing was made."
_LIVE = "{__type__: 'update', interactive: true}"
_REST = "{__type__: 'update', interactive: false}"
_SHOWN = "{__type__: 'update', visible: true}"


class _Stopped(Exception):
    """Nobody waits for the picture any more."""


def staged(function: Callable[P, Generator[None, None, R]]) -> Callable[P, Awaitable[R]]:
    """A handler of an event that stops between two stages once its call is cancelled.

    Args:
        function: Yields between stages and returns the values; its failures are said in the page.
    """

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        stopped = threading.Event()

        def work(*args: P.args, **kwargs: P.kwargs) -> R:
            stages = function(*args, **kwargs)
            while not stopped.is_set():
                try:
                    next(stages)
                except StopIteration as end:
                    return end.value
            stages.close()
            raise _Stopped

        try:
            return await asyncio.to_thread(told(work), *args, **kwargs)
        finally:
            stopped.set()

    return run


def cancel_button(name: str) -> gr.Button:
    """The button, at rest."""
    return gr.Button(
        "Cancel", interactive=False, scale=0, min_width=96, elem_id=name, elem_classes="cancel"
    )


def cancellable(
    stop: gr.Button,
    calls: Sequence[tuple[Trigger, Mapping[str, Any]]],
    *,
    shows: Sequence[Any] = (),
    said: tuple[Callable[[], Any], Any] = (lambda: gr.Info(_STOPPED, duration=4), None),
) -> list[Any]:
    """Bind calls to their triggers so that a button ends them.

    Args:
        stop: From `cancel_button`.
        calls: Triggers, and how gradio is to call.
        shows: Hidden blocks that are shown as soon as a call begins, for its progress.
        said: Tells the visitor that it was stopped, and the field that this fills, if any.

    Returns:
        Gradio's dependencies of the calls.
    """
    begun = f"() => [{', '.join([_LIVE, *[_SHOWN] * len(shows)])}]"
    made = []
    for trigger, call in calls:
        trigger(None, None, [stop, *shows], js=begun if shows else f"() => ({_LIVE})", **QUIET)
        drawing = trigger(**call)
        drawing.then(None, None, stop, js=f"() => ({_REST})", **QUIET)
        made.append(drawing)
    stop.click(None, None, stop, js=f"() => ({_REST})", cancels=made, **QUIET)
    stop.click(said[0], None, said[1], **QUIET)
    return made
