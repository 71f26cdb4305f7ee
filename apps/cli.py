"""The command `vunet`: parses the options, runs the verb, and turns failures into one line.

Exit codes: 0 done, 1 a bug, 2 the input or the options cannot be used, 3 some rows of a batch
failed, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, cast

import tyro
from tyro.conf import subcommand

from apps.commands import Command, Verb
from apps.draw_command import Draw
from apps.errors import sentence
from apps.gallery_command import Find, Index
from apps.memory import reuse_memory
from apps.video_command import Video

if TYPE_CHECKING:
    from typing import Any

    AnyVerb = Command
else:
    AnyVerb = (
        Verb
        | Annotated[Draw, subcommand("draw")]
        | Annotated[Index, subcommand("index")]
        | Annotated[Find, subcommand("find")]
        | Annotated[Video, subcommand("video")]
    )

DEBUG = "VUNET_DEBUG"
"""Environment variable: where set and not empty, failures show their traceback."""
_BUG, _UNUSABLE, _STOPPED, _NO_READER = 1, 2, 130, 141
_DESCRIPTION = "Re-pose a person from one photograph."
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class _Usage(Exception):
    """The options could not be understood; the message is the parser's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process if None.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    reuse_memory()
    debug = bool(os.environ.get(DEBUG))
    try:
        if given == ["--version"]:
            from vunet import __version__

            print(f"vunet {__version__}")
            return 0
        with _quiet_libraries(debug):
            code = _parse(given).run()
        sys.stdout.flush()
        return code
    except _Usage as error:
        _complain(str(error))
        return _UNUSABLE
    except KeyboardInterrupt:
        _complain("stopped")
        return _STOPPED
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more at its end.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    except Exception as error:  # the last place where a failure can be put in words
        if debug:
            raise
        text = sentence(error)
        if text is not None:
            _complain(text)
            return _UNUSABLE
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        _complain(f"{what}; this is a bug; run again with {DEBUG}=1 for the traceback")
        return _BUG


def _parse(arguments: Sequence[str]) -> Command:
    """The verb with its options.

    Raises:
        _Usage: If they cannot be understood.
        SystemExit: After printing help.
    """
    if not arguments:
        raise _Usage("name a verb, for instance `vunet demo`; see them all with `vunet --help`")
    complaint = io.StringIO()
    parse = cast("Any", tyro.cli)
    try:
        with contextlib.redirect_stderr(complaint):
            return parse(AnyVerb, prog="vunet", description=_DESCRIPTION, args=list(arguments))
    except SystemExit as stop:
        if not stop.code:
            raise
    raise _Usage(_one_line(complaint.getvalue(), arguments[0]))


def _one_line(text: str, verb: str) -> str:
    """The parser's framed message as one line.

    Args:
        text: Sections parted by rules; a section is a heading and, indented, what it speaks of.
        verb: First word of the command line.
    """
    lines = [line.strip("│").rstrip() for line in _ANSI.sub("", text).splitlines()]
    lines = [line[1:] if line.startswith(" ") else line for line in lines]
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith(("╭", "╰")):
            continue
        if line and not line.strip("─"):
            sections.append([])
        elif line.strip():
            sections[-1].append(line)
    parts = []
    for section in sections:
        if not section or section[0].startswith(("For full helptext", "Argument helptext")):
            continue
        # Deeper indented lines repeat the help of the option above them.
        words = [line.strip() for line in section if not line.startswith("     ")]
        parts.append(" ".join(words).rstrip("."))
    known = re.fullmatch(r"[a-z]+", verb) and not any("subcommand" in part for part in parts)
    where = f"vunet {verb} --help" if known else "vunet --help"
    message = "; ".join(parts) or "the options cannot be understood"
    return f"{message[0].lower()}{message[1:]}; see {where}"


@contextlib.contextmanager
def _quiet_libraries(debug: bool) -> Iterator[None]:
    """Keep the warnings of libraries, which no user can act on, off the terminal."""
    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
        yield


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        print(f"vunet: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
