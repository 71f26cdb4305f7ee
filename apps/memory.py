"""What keeps a server's memory bounded: one thread that draws, and one heap for all threads.

Libraries keep buffers for each thread that calls them: oneDNN its scratch space, OpenMP a team of
helpers, glibc's malloc a heap that is seldom given back. A web server hands its requests to up to
forty threads in turn, so that all this is held up to forty times.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""


def reuse_memory() -> None:
    """Have glibc keep pictures' memory for the next picture.

    A tenth of the time of a re-pose goes into asking the system for it again and again.
    """
    most = 32 << 20  # the most that glibc takes as threshold
    _mallopt(_M_MMAP_THRESHOLD, most)
    _mallopt(_M_TRIM_THRESHOLD, 8 * most)


def share_one_heap() -> None:
    """Have glibc keep all threads' memory in one place; call it before there are threads."""
    _mallopt(_M_ARENA_MAX, 1)


def _mallopt(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").mallopt(option, value)


class OneThread:
    """Runs what many threads ask for in a thread of its own, one after the other."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._here = threading.local()

    def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function there, with the caller's context variables, and wait for its result.

        What it calls may come here again. Whatever it raises is raised.
        """
        if getattr(self._here, "inside", False):
            return function(*args, **kwargs)
        context = contextvars.copy_context()
        return self._pool.submit(self._run, context, partial(function, *args, **kwargs)).result()

    def _run(self, context: contextvars.Context, job: Callable[[], R]) -> R:
        self._here.inside = True
        return context.run(job)
