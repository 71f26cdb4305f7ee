"""What the tabs share: stages that can be cancelled, failures in words, folders for results."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from apps.cancel import staged
from apps.errors import UsageError
from apps.results import RESULT, ResultView
from apps.studio import Made, Studio, named, path_of
from vunet.video import by_number


def test_stages_give_their_value() -> None:
    @staged
    def three(start: int) -> Generator[None, None, int]:
        yield
        yield
        return start + 1

    assert asyncio.run(cast(Any, three)(4)) == 5


def test_a_cancelled_call_ends_at_once_and_its_stages_after_the_one_that_runs() -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    reached: list[str] = []

    @staged
    def slow() -> Generator[None, None, None]:
        try:
            begun.set()
            assert go_on.wait(60)
            reached.append("first")
            yield
            reached.append("second")
        finally:
            closed.set()

    async def visit() -> None:
        call = asyncio.ensure_future(slow())
        await asyncio.to_thread(begun.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not reached  # the stage still runs, and nobody waits for it
        go_on.set()
        await asyncio.to_thread(closed.wait)

    asyncio.run(visit())
    assert reached == ["first"]


def test_failures_of_a_stage_are_said_with_the_names_of_uploads() -> None:
    @staged
    def failing(photo: dict[str, str]) -> Generator[None, None, None]:
        yield
        raise UsageError(f"{photo['path']} is broken; give another")

    upload = {"path": "/tmp/ab12/x.jpg", "orig_name": "me.jpg"}
    with pytest.raises(gr.Error, match=r"me\.jpg is broken; give another\."):
        asyncio.run(cast(Any, failing)(upload))


def test_a_result_that_is_gone_is_said_in_words(tmp_path: Path) -> None:
    gone = Made(*(str(tmp_path / name) for name in Made.NAMES))
    with pytest.raises(gr.Error, match="no longer kept"):
        ResultView._switched(RESULT, gone)


def test_a_page_without_a_folder_of_its_own_reads_uploads_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless told otherwise gradio keeps them in a folder among those for temporary files."""
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("apps.studio._FOLDERS", set())
    Studio(cast(Any, SimpleNamespace(estimator=None)))
    inside, beside = tmp_path / "gradio" / "x" / "a.png", tmp_path / "secret.png"
    assert path_of({"path": str(inside)}) == str(inside)
    with pytest.raises(gr.Error, match="no file that was uploaded"):
        path_of({"path": str(beside)})


def test_folders_are_made_by_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    studio = Studio(cast(Any, SimpleNamespace(estimator=None)))
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: studio.new_folder(), range(200)))
    assert len(set(folders)) == 200
    assert all(folder.is_dir() for folder in folders)


def test_files_of_a_film_are_taken_in_the_order_of_their_numbers() -> None:
    assert sorted(["f10.png", "F9.png", "f1.png"], key=by_number) == ["f1.png", "F9.png", "f10.png"]
    assert named(({"path": "/t/a.png", "orig_name": "b.png"},))("/t/a.png") == "b.png"
