"""The app under load: what it holds does not grow with the requests that it has answered."""

from __future__ import annotations

import contextvars
import gc
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from apps.load import App, Task, drive, main, right_answers, served, task_of, tasks_for
from apps.memory import OneThread
from apps.tidy import FRESH_SECONDS, KEEP_BYTES, KEEP_SECONDS, tidy
from vunet.engine import Engine, Prepared, Result

pytestmark = [
    # gradio's server and clients leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOW = 2_000_000_000.0


# -- one thread ----------------------------------------------------------------------------------


def test_whoever_calls_one_thread_works() -> None:
    one = OneThread("test")
    with ThreadPoolExecutor(8) as pool:
        idents = set(pool.map(lambda _: one.run(threading.get_ident), range(40)))
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_calls_may_be_nested_and_what_they_raise_is_raised() -> None:
    one = OneThread("test")
    assert one.run(lambda: one.run(lambda: 1) + 1) == 2
    with pytest.raises(KeyError, match="lost"):
        one.run(lambda: {}["lost"])
    assert one.run(sum, (1, 2), start=3) == 6


def test_context_variables_come_along() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    one = OneThread("test")
    variable.set("mine")
    assert one.run(variable.get) == "mine"
    assert contextvars.Context().run(one.run, variable.get, "none") == "none"


# -- the folder ----------------------------------------------------------------------------------


def put(folder: Path, name: str, age: float, size: int = 10) -> Path:
    """A folder with a file that was last used so many seconds ago."""
    file = folder / name / "picture.png"
    file.parent.mkdir()
    with file.open("wb") as out:
        out.truncate(size)  # takes no place on the disk
    for path in (file, file.parent):
        os.utime(path, (NOW - age, NOW - age))
    return file


def test_what_is_old_goes(tmp_path: Path) -> None:
    old, young = put(tmp_path, "old", KEEP_SECONDS + 1), put(tmp_path, "young", KEEP_SECONDS - 1)
    page = put(tmp_path, "page", 10 * KEEP_SECONDS)
    assert tidy(tmp_path, {page.parent}, NOW) == {old}
    assert not old.parent.exists()
    assert young.exists()
    assert page.exists()


def test_what_is_too_much_goes_oldest_first(tmp_path: Path) -> None:
    ages = [FRESH_SECONDS + 100 * number for number in range(1, 7)]
    files = [put(tmp_path, str(age), age, KEEP_BYTES // 4) for age in ages]
    fresh = put(tmp_path, "fresh", 1, KEEP_BYTES // 2)
    assert tidy(tmp_path, now=NOW) == set(files[2:])
    assert [file.exists() for file in files] == [True] * 2 + [False] * 4
    assert fresh.exists()
    assert tidy(tmp_path, now=NOW) == set()


def test_what_may_be_waited_for_stays_however_much_it_is(tmp_path: Path) -> None:
    files = [put(tmp_path, str(age), age, KEEP_BYTES) for age in range(3)]
    assert tidy(tmp_path, now=NOW) == set()
    assert all(file.exists() for file in files)


def test_what_a_link_shows_stays(tmp_path: Path) -> None:
    photo = put(tmp_path, "photo", 1)
    link = tmp_path / "links" / "0.png"
    link.parent.mkdir()
    link.symlink_to(photo)
    os.utime(link, (NOW - 3 * KEEP_SECONDS,) * 2, follow_symlinks=False)
    os.utime(link.parent, (NOW - 3 * KEEP_SECONDS,) * 2)
    assert tidy(tmp_path, now=NOW) == {link}
    assert photo.exists()


# -- the app -------------------------------------------------------------------------------------


class Watched(Engine):
    """Notes in which threads it works."""

    threads: set[int]

    def prepare(self, *args: Any, **kwargs: Any) -> Prepared:
        self.threads.add(threading.get_ident())
        return super().prepare(*args, **kwargs)

    def repose(self, *args: Any, **kwargs: Any) -> Result:
        self.threads.add(threading.get_ident())
        return super().repose(*args, **kwargs)


def alive(kind: type) -> int:
    """How many objects of a class there are."""
    gc.collect()
    return sum(type(thing) is kind for thing in gc.get_objects())


@pytest.mark.slow
def test_what_the_app_holds_does_not_grow_with_the_requests(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradio_client import Client, handle_file

    from apps import page as page_module
    from apps.studio import _KEPT
    from apps.tidy import forget

    monkeypatch.setattr(page_module, "MAX_SESSIONS", 3)
    engine = Watched.load(tiny_weights, device="cpu")
    assert isinstance(engine, Watched)
    engine.threads = set()
    tasks = tasks_for(4, tmp_path)
    before = alive(Prepared), alive(Result)
    page = page_module.launch(engine, None, block=False)
    assert page.local_url is not None

    def client(number: int) -> None:
        downloads = tmp_path / str(number)
        caller = Client(str(page.local_url), verbose=False, download_files=downloads)
        for request in range(2):
            task = tasks[2 * number + request]
            caller.predict(photo=handle_file(task.photo), preset=task.preset, api_name="/repose")

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(client, range(4)))
        assert len(engine.threads) == 1
        assert alive(Prepared) - before[0] <= _KEPT[False]
        assert alive(Result) - before[1] == 0
        assert len(page.state_holder.session_data) <= 3
        assert len(page._queue.event_analytics) <= 1
        # of old files neither they nor their names are kept
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        stay = {Path(name).parent for b in page.blocks.values() for name in b.keep_in_cache}
        later = 1e10
        forget(page, tidy(folder, stay, later))
        assert set(folder.iterdir()) <= stay
        assert all(Path(name).exists() for names in page.temp_file_sets for name in names)
    finally:
        page.close(verbose=False)


# -- the drive -----------------------------------------------------------------------------------


@pytest.mark.parametrize("clients", [1, 2, 7, 20])
def test_no_two_clients_ask_for_the_same_at_once(clients: int, tmp_path: Path) -> None:
    tasks = tasks_for(clients, tmp_path)
    assert len(set(tasks)) == len(tasks) == 2 * clients + 1
    for request in range(3):
        # some are a request ahead
        asked = [task_of(tasks, clients, c, request) for c in range(clients)]
        ahead = [task_of(tasks, clients, c, request + 1) for c in range(clients)]
        assert len({*asked, *ahead}) == 2 * clients
    mine = [task_of(tasks, clients, 0, request) for request in range(len(tasks))]
    assert set(mine) == set(tasks)
    assert all(a.preset != b.preset or a.photo != b.photo for a, b in pairwise(mine))


@pytest.mark.slow
def test_clients_at_once_are_all_answered_rightly(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--clients", "3", "--requests", "2", "--model", str(tiny_weights)]) == 0
    out = capsys.readouterr().out
    assert "6 answered, 0 wrong, 0 lost" in out
    assert "left behind by the app: 0" in out


@pytest.mark.slow
def test_a_wrong_answer_and_a_lost_one_are_seen(tiny_weights: Path, tmp_path: Path) -> None:
    photos, folder = tmp_path / "photos", tmp_path / "app"
    photos.mkdir()
    folder.mkdir()
    engine = Engine.load(tiny_weights, device="cpu")
    expected = right_answers(engine, tasks_for(1, photos))
    (first, _), (second, of_second), (third, of_third) = expected.items()
    swapped = {first: of_second, second: of_second, replace(third, preset="no_pose"): of_third}
    with served(str(tiny_weights), folder) as app:
        outcome = drive(app, swapped, clients=1, requests=3, every=1)
    assert outcome.answered == 2
    assert outcome.wrong == [f"client 0, request 0: not {first.preset} of {first.photo.name}"]
    assert len(outcome.lost) == 1
    assert [reading.answered for reading in outcome.readings] == [0, 1, 2]


def test_clients_that_cannot_connect_lose_their_answers(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # nobody listens
        app = App(f"http://127.0.0.1:{free.getsockname()[1]}/", os.getpid(), tmp_path)
        expected = dict.fromkeys(tasks_for(2, tmp_path), "")
        outcome = drive(app, expected, clients=2, requests=3, every=1)
    assert (outcome.answered, outcome.wrong, len(outcome.lost)) == (0, [], 6)


def test_tasks_that_cannot_be_told_apart_are_refused(tiny_weights: Path, photo: Path) -> None:
    engine = Engine.load(tiny_weights, device="cpu")
    twin = Task(photo, "waving")
    with pytest.raises(ValueError, match="the same answer"):
        right_answers(engine, [twin, twin])
