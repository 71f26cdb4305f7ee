"""Tables of pairs of photos, as CSV: who takes whose pose."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vunet.images import is_file, shown


class PairsError(ValueError):
    """A table of pairs cannot be used."""


@dataclass(frozen=True)
class Pair:
    """A row of a table of pairs."""

    appearance: Path
    """Photo whose look is taken."""
    pose: Path
    """Photo whose pose is taken, and which is to be drawn."""
    kind: str = "pairs"
    """Group in which the row's figures are reported."""
    mask: Path | None = None
    """Mask of the person of the pose photo, white on black; found by MediaPipe if None."""


def read_pairs(path: Path) -> list[Pair]:
    """Read a table of pairs.

    Args:
        path: CSV with the columns `appearance` and `pose`, and if wanted `kind` and `mask`; paths
            relative to the table's folder.

    Raises:
        PairsError: With a sentence that names the row and the file, if the table cannot be read, a
            column is missing or a file does not exist.
    """
    name = shown(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PairsError(f"{name} cannot be read ({reason}); give a CSV file of pairs") from None
    except (UnicodeDecodeError, csv.Error):
        raise PairsError(f"{name} is not a CSV table in UTF-8; save it as one") from None
    for column in ("appearance", "pose"):
        if column not in columns:
            raise PairsError(
                f"{name} has no column '{column}'; its first line must be appearance,pose[,kind]"
            )
    if not rows:
        raise PairsError(f"{name} names no pairs; add a row for each below its first line")
    return [_read_pair(path, line, row) for line, row in rows]


def _read_pair(table: Path, line: int, row: Mapping[str, Any]) -> Pair:
    where = f"{shown(table)}, line {line}"

    def file(column: str) -> Path | None:
        value = str(row.get(column) or "").strip()
        if not value:
            return None
        if not is_file(table.parent / value):
            raise PairsError(
                f"{where}: {column} {shown(value)} does not exist; "
                "paths are relative to the table's folder"
            )
        return table.parent / value

    appearance, pose = file("appearance"), file("pose")
    if appearance is None or pose is None:
        column = "pose" if appearance else "appearance"
        raise PairsError(f"{where}: {column} is empty; name a photo")
    kind = str(row.get("kind") or "").strip() or Pair.kind
    return Pair(appearance, pose, kind, file("mask"))
