"""The app's temporary folder, which never grows beyond a limit: what is oldest goes first."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import stat
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

KEEP_SECONDS = 2 * 3600
"""How long uploads and results stay after their last use."""
KEEP_BYTES = 2_000_000_000
"""More of them than this do not stay, except the youngest."""
FRESH_SECONDS = 300
"""What is younger stays: it may wait to be drawn from, or to be downloaded."""
_EVERY_SECONDS = 60


@dataclass(frozen=True)
class _Entry:
    path: Path
    used: float
    size: int


def tidy(folder: Path, spared: Collection[Path] = (), now: float | None = None) -> set[Path]:
    """Remove what is old or too much.

    Args:
        folder: Holds a folder for each upload and each result.
        spared: Entries of it that stay, whatever their age.
        now: Seconds since the epoch; the clock's if None.

    Returns:
        The files that were removed.
    """
    now = time.time() if now is None else now
    entries = [_entry(path) for path in folder.iterdir() if path not in spared]
    entries.sort(key=lambda entry: entry.used)
    total, removed = sum(entry.size for entry in entries), set()
    for entry in entries:
        age = now - entry.used
        if age <= FRESH_SECONDS or (age <= KEEP_SECONDS and total <= KEEP_BYTES):
            continue
        removed.update(_files(entry.path))
        if entry.path.is_dir() and not entry.path.is_symlink():
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            entry.path.unlink(missing_ok=True)
        total -= entry.size
    return removed


def tidied(page: gr.Blocks, folder: Path) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan of the page's server, in which `tidy` is called every minute.

    Gradio's own `delete_cache` stops for good when a request comes at the wrong moment, remembers
    the names of all files for ever, and knows no limit but age.

    Args:
        page: Forgets the files that are removed.
        folder: Where gradio and the app write; what is there already stays.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:  # noqa: ANN401 - the server's
        spared = set(folder.iterdir())

        async def go_on() -> None:
            while True:
                await asyncio.sleep(_EVERY_SECONDS)
                with contextlib.suppress(OSError):  # the next time, then
                    forget(page, await asyncio.to_thread(tidy, folder, spared))

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            task.cancel()

    return lifespan


def forget(page: gr.Blocks, removed: Collection[Path]) -> None:
    """Have a page forget files that are there no longer."""
    names = {str(path) for path in removed}
    for known in page.temp_file_sets:
        known.difference_update(names)


def _entry(path: Path) -> _Entry:
    used, size = 0.0, 0
    for part in (path, *_files(path)):
        with contextlib.suppress(OSError):  # gone meanwhile
            facts = part.lstat()
            used = max(used, facts.st_mtime)
            size += 0 if stat.S_ISDIR(facts.st_mode) else facts.st_size
    return _Entry(path, used, size)


def _files(path: Path) -> list[Path]:
    """The file, or those of the folder."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    return [part for part in path.rglob("*") if part.is_symlink() or not part.is_dir()]
