"""Re-posing a table of pairs with one load of the network, and a report of what came of each row.

A row that cannot be used is reported and the others are drawn. Knows nothing of option parsing.
"""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.errors import UsageError, sentence
from vunet.images import OutputError, check_output, shown

if TYPE_CHECKING:
    from vunet.engine import Result

REPORT = "report.jsonl"
MAX_TABLE_BYTES = 20_000_000
"""Larger tables are refused unread."""
_NAME_LETTERS = 40

Draw = Callable[[str, str], "Result"]
"""From an appearance and a pose, as paths or a preset's name, to the picture."""


@dataclass(frozen=True)
class Row:
    """A row of the table, as written."""

    line: int
    """Its line in the file, counted from 1."""
    appearance: str
    pose: str
    out: str
    """File name inside the output folder; empty if the table gives none."""


def read_table(path: Path) -> list[Row]:
    """Read a table with the columns appearance, pose and, if wanted, out.

    Raises:
        UsageError: With a sentence, if the file is no such table or has no rows.
    """
    name = shown(path)
    try:
        if path.is_file() and path.stat().st_size > MAX_TABLE_BYTES:
            raise UsageError(f"{name} has more than {MAX_TABLE_BYTES // 1_000_000} MB; split it")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [(column or "").strip() for column in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{name} cannot be read ({reason}); give a CSV file of pairs") from None
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{name} is not a CSV table in UTF-8; save it as one") from None
    for column in ("appearance", "pose"):
        if column not in columns:
            raise UsageError(
                f"{name} has no column '{column}'; its first line must be appearance,pose[,out]"
            )
    if not rows:
        raise UsageError(f"{name} names no pairs; add a row for each below its first line")
    return [
        Row(line, *((row.get(column) or "").strip() for column in ("appearance", "pose", "out")))
        for line, row in rows
    ]


def run_batch(
    table: Path, rows: Sequence[Row], folder: Path, draw: Draw, *, suffix: str = ".png"
) -> int:
    """Draw the rows and write the report, a line as soon as its row is done.

    Args:
        table: The file the rows come from; their paths are relative to its folder or, failing
            that, to the working directory.
        rows: From `read_table`.
        folder: Where pictures and report go; made where absent.
        draw: Draws one picture.
        suffix: Ending of the pictures for which the table gives no name.

    Returns:
        How many rows failed.

    Raises:
        OSError: If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root, failures = folder.resolve(), 0
    taken: dict[str, int] = {}
    with (folder / REPORT).open("w", encoding="utf-8") as report:
        for number, row in enumerate(_progress(rows), start=1):
            start = time.perf_counter()
            line: dict[str, Any] = {
                "row": number,
                "line": row.line,
                "appearance": row.appearance,
                "pose": row.pose,
                "out": None,
                "ok": False,
                "warnings": [],
                "error": None,
            }
            try:
                target = _target(row, number, root, taken, suffix)
                result = draw(
                    _found(row.appearance, "appearance", table), _found(row.pose, "pose", table)
                )
                result.save(target)
                line["out"] = target.relative_to(root).as_posix()
                line["ok"], line["warnings"] = True, list(result.warnings)
            except (ValueError, OSError, MemoryError) as error:
                line["error"] = sentence(error)
                if line["error"] is None:
                    raise
                failures += 1
            line["ms"] = round(1000 * (time.perf_counter() - start), 1)
            report.write(json.dumps(line, ensure_ascii=True) + "\n")
            report.flush()
    return failures


def _progress(rows: Sequence[Row]) -> Iterable[Row]:
    from tqdm import tqdm

    return tqdm(rows, desc="repose", unit="picture", disable=None)  # only on a terminal


def _found(value: str, column: str, table: Path) -> str:
    """Where a path of the table leads; a preset's name is left as it is."""
    if not value:
        raise UsageError(f"the column {column} is empty; name a {column}")
    for path in (table.parent / value, Path(value)):
        try:
            if path.exists():
                return str(path)
        except (OSError, ValueError):  # a name too long, or with a NUL
            continue
    return value


def _target(row: Row, number: int, root: Path, taken: dict[str, int], suffix: str) -> Path:
    """Where a row's picture goes: inside the folder, and to no other row's file."""
    name = row.out
    if not name:
        stems = (Path(value).stem for value in (row.appearance, row.pose))
        words = (re.sub(r"[^\w-]+", "_", stem)[:_NAME_LETTERS].strip("_") for stem in stems)
        name = "_".join([f"{number:04d}", *filter(None, words)]) + suffix
    check_output(root / name)
    target = (root / name).resolve()
    if not target.is_relative_to(root):
        raise OutputError(
            f"{shown(name)} leads out of the output folder; give a name inside it, without .."
        )
    key = str(target)
    if key in taken:
        raise OutputError(
            f"{shown(name)} is written by row {taken[key]} already; give another name"
        )
    taken[key] = number
    return target
