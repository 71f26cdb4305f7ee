"""Many clients at once: is every one answered, rightly, in turn and with bounded memory?

    python -m apps.load --clients 20 --requests 10

Starts `vunet app` in a process of its own, so that what is measured is the app's, and lets clients
in threads call its endpoint `/repose`, each one request after the other. Photos come in several
sizes. No two clients ask for the same at the same time; each answer (picture, mask and pose) is
compared, bit for bit, with what an engine in this process draws for that very request. Meanwhile
the memory of the app and what lies in its temporary folder are noted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import cv2
import numpy as np
import tyro
from PIL import Image

from apps.demo import examples
from apps.errors import UsageError
from pose.formats import dump_poses
from pose.presets import PRESETS
from vunet.bench import memory_mb
from vunet.engine import Engine
from vunet.images import read_image

_SCALES = (1.0, 0.7, 1.3)
"""Sizes of the photos, as shares of the bundled ones'."""
_START_SECONDS = 600
"""An app that does not answer by then has not started."""
_ANSWER_SECONDS = 300
"""How long a client waits for each reply of the server; the library's five are few on a machine
that does other work."""


@dataclass(frozen=True)
class Task:
    """What a client asks for."""

    photo: Path
    preset: str


@dataclass(frozen=True)
class Reading:
    """What the app holds at one moment."""

    answered: int
    memory_mb: float | None
    """Resident now; None where the system does not tell."""
    peak_mb: float | None
    """Resident at most so far."""
    threads: int | None
    files: int
    """In its temporary folder."""
    disk_mb: float
    """In its temporary folder."""


@dataclass
class Outcome:
    """What came of the requests."""

    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    """Answers that are not what was asked for."""
    lost: list[str] = field(default_factory=list)
    """What went wrong, in the client's words."""
    times: list[tuple[float, float]] = field(default_factory=list)
    """When each was asked for and when its answer was there, seconds."""
    readings: list[Reading] = field(default_factory=list)
    """Before the first answer, then after each so many."""

    @property
    def waits(self) -> list[float]:
        """From asking to having the answer, seconds, shortest first."""
        return sorted(end - begin for begin, end in self.times) or [0.0]

    @property
    def overtaken(self) -> int:
        """By how many requests that were made later a request was overtaken, at most."""
        times = self.times
        return max(
            (sum(b > begin and e < end for b, e in times) for begin, end in times), default=0
        )


@dataclass(frozen=True)
class App:
    """A served app."""

    url: str
    pid: int
    folder: Path
    """Everything that it writes."""

    def reading(self, answered: int) -> Reading:
        """What it holds now."""
        now, peak = memory_mb(self.pid)
        sizes = []
        for path in self.folder.rglob("*"):
            with contextlib.suppress(OSError):  # gone meanwhile
                if path.is_file():
                    sizes.append(path.stat().st_size)
        return Reading(answered, now, peak, _threads(self.pid), len(sizes), sum(sizes) / 1e6)


@contextlib.contextmanager
def served(model: str, folder: Path) -> Iterator[App]:
    """The app in a process of its own.

    Args:
        model: Weights, by name or file.
        folder: An empty one, for everything that the app writes.

    Raises:
        UsageError: If it does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "apps.cli", "app", "--port", str(port), "--model", model]
    process = subprocess.Popen(
        words, env=os.environ | {"TMPDIR": str(folder)}, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        until = time.monotonic() + _START_SECONDS
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > until:
                raise UsageError("the app did not start; run `vunet app` to see why")
            time.sleep(0.2)
        yield App(url, process.pid, folder)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=10):
            return True
    except (URLError, OSError):
        return False


def _threads(pid: int) -> int | None:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return None


def tasks_for(clients: int, folder: Path) -> list[Task]:
    """Different tasks: one more than twice as many as clients, see `task_of`.

    Args:
        clients: How many ask at once.
        folder: Where to write photos of other sizes than the bundled ones'.
    """
    photos = []
    for path in examples():
        image = read_image(path)
        for scale in _SCALES:
            file = folder / f"{path.stem}_{scale}.jpg"
            size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
            Image.fromarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA)).save(
                file, quality=95
            )
            photos.append(file)
    names = list(PRESETS)
    # a photo returns with another preset each time
    rounds = (divmod(number, len(photos)) for number in range(2 * clients + 1))
    return [Task(photos[i], names[(lap + i) % len(names)]) for lap, i in rounds]


def task_of(tasks: Sequence[Task], clients: int, client: int, request: int) -> Task:
    """What a client asks for.

    Each client passes through all tasks, and while none is a whole round ahead of another, no two
    ask for the same at once: an answer that went to the wrong client, or came in the wrong turn,
    is a wrong one.
    """
    return tasks[(client + request * clients) % len(tasks)]


def drive(
    app: App,
    expected: dict[Task, str],
    clients: int,
    requests: int,
    every: int,
    read: Callable[[Reading], None] = lambda _: None,
) -> Outcome:
    """Ask for pictures from many clients at once.

    Args:
        app: Answers.
        expected: Digests of the right answers, by task.
        clients: So many at once.
        requests: So many each, one after the other.
        every: Answers between two readings of the app's memory.
        read: Told each reading.
    """
    from gradio_client import Client, handle_file

    tasks, outcome, lock = list(expected), Outcome(), threading.Lock()

    def note() -> None:
        outcome.readings.append(app.reading(outcome.answered))
        read(outcome.readings[-1])

    note()

    def client(number: int) -> None:
        name = f"client {number}"
        with tempfile.TemporaryDirectory() as downloads:
            try:
                caller = Client(
                    app.url,
                    verbose=False,
                    download_files=downloads,
                    httpx_kwargs={"timeout": _ANSWER_SECONDS},
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, all its answers are lost
                with lock:
                    outcome.lost += [f"{name}, request {n}: {error}" for n in range(requests)]
                return
            for request in range(requests):
                ask(caller, number, request)

    def ask(caller: Client, number: int, request: int) -> None:
        task = task_of(tasks, clients, number, request)
        name = f"client {number}, request {request}"
        begun = time.perf_counter()
        try:
            answer = caller.predict(
                photo=handle_file(task.photo),
                kind="Preset",
                preset=task.preset,
                api_name="/repose",
            )
            ended = time.perf_counter()
            right = _digest_of_files(answer) == expected[task]
        except Exception as error:  # noqa: BLE001 - whatever it is, an answer is lost
            with lock:
                outcome.lost.append(f"{name}: {error}")
            return
        with lock:
            outcome.answered += 1
            outcome.times.append((begun, ended))
            if not right:
                outcome.wrong.append(f"{name}: not {task.preset} of {task.photo.name}")
            if outcome.answered % every == 0:
                note()

    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(client, number) for number in range(clients)]:
            done.result()
    return outcome


def right_answers(engine: Engine, tasks: Sequence[Task]) -> dict[Task, str]:
    """Digests of what an engine draws for tasks, all of them different.

    Raises:
        UsageError: If two tasks have the same answer, so that nobody could tell them apart.
    """
    digests = {}
    for task in tasks:
        drawn = engine.repose(task.photo, task.preset)
        digests[task] = _digest(drawn.image, drawn.mask, dump_poses([drawn.pose], "openpose"))
    if len(set(digests.values())) < len(tasks):
        raise UsageError("two tasks have the same answer; ask fewer clients")
    return digests


def _digest_of_files(answer: Sequence[Any]) -> str:
    picture, _, mask, pose = answer[:4]
    text = Path(pose).read_text(encoding="utf-8")
    return _digest(read_image(picture), read_image(mask)[..., 0], text)


def _digest(image: np.ndarray, mask: np.ndarray, pose: str) -> str:
    whole = hashlib.sha256(repr((image.shape, mask.shape)).encode())
    whole.update(image.tobytes())
    whole.update(mask.tobytes())
    whole.update(pose.strip().encode())
    return whole.hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: print latency and memory; exit code 1 where answers were wrong or lost."""

    def load(
        clients: Annotated[int, tyro.conf.arg(metavar="N")] = 20,
        requests: Annotated[int, tyro.conf.arg(metavar="N")] = 10,
        every: Annotated[int, tyro.conf.arg(metavar="N")] = 20,
        model: Annotated[str, tyro.conf.arg(metavar="NAME_OR_FILE")] = "person",
    ) -> int:
        """Drive the app with many clients at once.

        Args:
            clients: So many at once.
            requests: So many each.
            every: Answers between two readings of the app's memory.
            model: Weights, by name or file.
        """
        with tempfile.TemporaryDirectory() as own:
            photos, folder = Path(own) / "photos", Path(own) / "app"
            photos.mkdir()
            folder.mkdir()
            expected = right_answers(Engine.load(model), tasks_for(clients, photos))
            with served(model, folder) as app:
                start = time.perf_counter()
                print("answered  memory MB  at most  threads  files  disk MB")
                outcome = drive(app, expected, clients, requests, every, _print)
                seconds = time.perf_counter() - start
            left = sum(1 for path in folder.rglob("*") if path.is_file())
        waits = outcome.waits
        print(
            f"{clients * requests} requests of {clients} clients: {outcome.answered} answered, "
            f"{len(outcome.wrong)} wrong, {len(outcome.lost)} lost; "
            f"overtaken by {outcome.overtaken} later ones at most"
        )
        print(
            f"waiting included, seconds: median {statistics.median(waits):.1f}, "
            f"95 % {waits[int(0.95 * (len(waits) - 1))]:.1f}, most {waits[-1]:.1f}; "
            f"{outcome.answered / seconds:.1f} pictures a second"
        )
        print(f"files left behind by the app: {left}")
        for text in (*outcome.wrong, *outcome.lost):
            print(text, file=sys.stderr)
        return int(bool(outcome.wrong or outcome.lost or left))

    return tyro.cli(load, args=arguments)


def _print(reading: Reading) -> None:
    r = reading
    now, peak, threads = (
        "?" if x is None else f"{x:.0f}" for x in (r.memory_mb, r.peak_mb, r.threads)
    )
    print(
        f"{r.answered:8} {now:>10} {peak:>8} {threads:>8} {r.files:6} {r.disk_mb:8.1f}", flush=True
    )


if __name__ == "__main__":
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.exit(main())
