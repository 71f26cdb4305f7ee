"""Many clients at once: is every one answered, rightly, in order and with bounded memory?

    python -m apps.load --clients 20 --requests 10

Starts the app, lets clients in threads of their own call `/repose` one request after the other, and
compares each picture, bit for bit, with what the engine draws when nobody else asks.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import tyro

from apps.demo import examples
from pose.presets import PRESETS
from vunet.bench import peak_memory_mb
from vunet.engine import Engine
from vunet.images import read_image

_POSES = 8


@dataclass
class Outcome:
    """What came of the requests."""

    answered: int = 0
    wrong: int = 0
    lost: list[str] = field(default_factory=list)
    """What went wrong, in the client's words."""
    seconds: list[float] = field(default_factory=list)
    """From asking to having the picture, waiting included."""
    peak_mb: tuple[float | None, float | None] = (None, None)
    """The most memory the process has held before the first request, the engine warm, and after
    the last."""


def drive(engine: Engine, clients: int, requests: int) -> Outcome:
    """Serve a page and ask it for pictures from many clients at once.

    Args:
        engine: Draws.
        clients: So many at once.
        requests: So many each, one after the other.
    """
    from gradio_client import Client, handle_file

    from apps.page import launch

    tasks = [(photo, name) for name in list(PRESETS)[:_POSES] for photo in examples()]
    expected = {(photo, name): _digest(engine.repose(photo, name).image) for photo, name in tasks}
    page = launch(engine, None, block=False)
    assert page.local_url is not None
    url, outcome, lock = page.local_url, Outcome(), threading.Lock()
    before = peak_memory_mb()

    def client(number: int) -> None:
        caller = Client(url, verbose=False)
        for request in range(requests):
            photo, name = tasks[(number * requests + request) % len(tasks)]
            begun = time.perf_counter()
            try:
                answer = caller.predict(
                    photo=handle_file(photo), kind="Preset", preset=name, api_name="/repose"
                )
                right = _digest(read_image(answer[0])) == expected[photo, name]
            except Exception as error:  # noqa: BLE001 - whatever it is, an answer is lost
                with lock:
                    outcome.lost.append(f"client {number}, request {request}: {error}")
                continue
            with lock:
                outcome.answered += 1
                outcome.wrong += not right
                outcome.seconds.append(time.perf_counter() - begun)

    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(client, number) for number in range(clients)]:
            done.result()
    outcome.peak_mb = before, peak_memory_mb()
    page.close(verbose=False)
    return outcome


def _digest(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: print latency and memory; exit code 1 where answers were wrong or lost."""

    def load(
        clients: Annotated[int, tyro.conf.arg(metavar="N")] = 20,
        requests: Annotated[int, tyro.conf.arg(metavar="N")] = 10,
        model: Annotated[str, tyro.conf.arg(metavar="NAME_OR_FILE")] = "person",
    ) -> int:
        """Drive the app with many clients at once.

        Args:
            clients: So many at once.
            requests: So many each.
            model: Weights, by name or file.
        """
        outcome = drive(Engine.load(model), clients, requests)
        asked, seconds = clients * requests, sorted(outcome.seconds) or [0.0]
        print(
            f"{asked} requests of {clients} clients: {outcome.answered} answered, "
            f"{outcome.wrong} wrong, {len(outcome.lost)} lost"
        )
        print(
            f"waiting included, seconds: median {statistics.median(seconds):.1f}, "
            f"95 % {seconds[int(0.95 * (len(seconds) - 1))]:.1f}, most {seconds[-1]:.1f}; "
            f"{len(seconds) / max(1e-9, sum(seconds)) * clients:.1f} pictures a second"
        )
        before, after = outcome.peak_mb
        print(f"peak memory of app and clients in one process, MB: {before} before, {after} after")
        for text in outcome.lost:
            print(text, file=sys.stderr)
        return int(outcome.wrong > 0 or bool(outcome.lost))

    return tyro.cli(load, args=arguments)


if __name__ == "__main__":
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.exit(main())
