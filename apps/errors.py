"""Which failures are a user's to mend, and how they are said in one line.

Knows the project's own exceptions by their home, not by import: asking must load nothing heavy.
"""

from __future__ import annotations

import os

from vunet.images import shown

_PACKAGES = ("apps", "pose", "vunet")
_OUTSPOKEN = ("apps.editor", "pose.presets")
"""Modules whose plain ValueErrors are sentences for the user."""
_EXTRAS = {
    "accelerate": "train",
    "ai_edge_litert": "train",
}


class UsageError(ValueError):
    """Options that cannot be used together or as given, in one sentence."""


def sentence(error: BaseException) -> str | None:
    """What to tell the user, on one line; None if the error is a bug of this program.

    Args:
        error: Whatever a verb raised.
    """
    text: str | None = None
    home = type(error).__module__.partition(".")[0]
    if isinstance(error, ValueError) and (home in _PACKAGES or _origin(error) in _OUTSPOKEN):
        text = str(error)
    elif isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or "it cannot be used").lower()
        name = shown(os.fsdecode(error.filename))
        text = f"{name} cannot be used ({reason}); check the path and its permissions"
    elif isinstance(error, OSError) and error.errno is not None:
        text = f"the system refused ({(error.strerror or str(error)).lower()}); try again"
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        text = "there is not enough free memory; use a smaller picture, --size or --batch-size"
    elif isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if package not in _PACKAGES:
            extra = f"[{_EXTRAS[package]}]" if package in _EXTRAS else ""
            text = f"the package {package} is not installed; run: pip install 'vunet{extra}'"
    return None if text is None else " ".join(text.split())


def _origin(error: BaseException) -> str:
    """Name of the module that raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")
