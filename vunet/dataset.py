"""The prepared training set on disk: plain arrays and one index, readable by anything.

A set is a folder with `dataset.json` (what it is), `index.jsonl` (one line per entry) and `.npy`
arrays whose row i is entry i:

| array | shape, type | content |
|---|---|---|
| `images` | (N, 256, 192, 3) uint8 | RGB crop |
| `masks` | (N, 256, 192) uint8 | person, 0..255 |
| `keypoints` | (N, 27, 3) float32 | BODY27 x, y in crop pixels and confidence; none missing |
| `valid` | (N, 4) float32 | x0, y0, x1, y1 of the crop that lies inside the photo |
| `parts` | (N, 64, 48) uint8 | part label, see below |
| `surface` | (N, 64, 48, 3) int16 | canonical surface point in mm, where `parts` is known |

Sets of drawings (`DRAWINGS`) hold instead:

| array | shape, type | content |
|---|---|---|
| `images` | (N, 256, 192, 3) uint8 | RGB picture |
| `masks` | (N, 256, 192) uint8 | what the picture is of, 255 or 0 |
| `lines` | (N, 4, 256, 192) uint8 | what a pen would follow, see `vunet.drawing.lines` |
| `paint` | (N, 256, 192) uint8 | colour of `vunet.drawing.sheet.PALETTE`, 0 unpainted |
| `valid` | (N, 4) float32 | x0, y0, x1, y1 of what lies inside the photo |

sets of sketches (`SKETCHED`) these and `sketches`, (N, 256, 192) uint8, an artist's grey drawing of
each photo, sets of faces (`PORTRAITS`) the same at (256, 256) and `landmarks`, (N, 478, 3) float32
points of the face mesh in pixels, and sets of pairs (`PAIRS`) `shapes` and `images`, both
(N, side, side, 3) uint8.

Part labels: 0 background, 1 + p for part p of `vunet.geometry.PARTS`, `CARRIED` for bags; for a
person's pixel that is certainly no skirt `CLOTH` if it shows a garment of the upper body, which
may hang as skirts do, `NO_CLOTH` if it shows none (trousers, skin, shoes), `NOT_SKIRT` if that is
not known; `UNKNOWN` elsewhere. Entries of one `group` show one person in
the same clothes. Nothing is pickled. Knows neither torch nor MediaPipe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

VERSION = 1
SIZE = (256, 192)
"""(height, width) of the network's pictures."""
CONTROL_SIZE = (64, 48)
"""(height, width) of part labels and surface maps."""
UNKNOWN = 255
NOT_SKIRT = 254
CARRIED = 253
CLOTH = 252
NO_CLOTH = 251

ARRAYS: dict[str, tuple[tuple[int, ...], str]] = {
    "images": ((*SIZE, 3), "|u1"),
    "masks": (SIZE, "|u1"),
    "keypoints": ((27, 3), "<f4"),
    "valid": ((4,), "<f4"),
    "parts": (CONTROL_SIZE, "|u1"),
    "surface": ((*CONTROL_SIZE, 3), "<i2"),
}
"""Shape of one entry and numpy type of each array, in sets of people."""
DRAWINGS: dict[str, tuple[tuple[int, ...], str]] = {
    "images": ((*SIZE, 3), "|u1"),
    "masks": (SIZE, "|u1"),
    "lines": ((4, *SIZE), "|u1"),
    "paint": (SIZE, "|u1"),
    "valid": ((4,), "<f4"),
}
"""The same in sets of photos with drawings of them."""
SKETCHED: dict[str, tuple[tuple[int, ...], str]] = {**DRAWINGS, "sketches": (SIZE, "|u1")}
"""The same in sets of photos that somebody drew."""
_SQUARE = (256, 256)
PORTRAITS: dict[str, tuple[tuple[int, ...], str]] = {
    "images": ((*_SQUARE, 3), "|u1"),
    "masks": (_SQUARE, "|u1"),
    "lines": ((4, *_SQUARE), "|u1"),
    "paint": (_SQUARE, "|u1"),
    "valid": ((4,), "<f4"),
    "sketches": (_SQUARE, "|u1"),
    "landmarks": ((478, 3), "<f4"),
}
"""The same in sets of faces."""
PAIRS: dict[str, tuple[tuple[int, ...], str]] = {
    "shapes": ((*_SQUARE, 3), "|u1"),
    "images": ((*_SQUARE, 3), "|u1"),
}
"""The same in sets of any pairs of pictures."""
LAYOUTS = {
    "photos": ARRAYS,
    "rendered": ARRAYS,
    "drawings": DRAWINGS,
    "sketched": SKETCHED,
    "portraits": PORTRAITS,
    "pairs": PAIRS,
}
"""The arrays of each kind of set."""
_HEADER_BYTES = 128


class DatasetError(ValueError):
    """A prepared set is absent, unfinished or damaged."""


@dataclass(frozen=True)
class Dataset:
    """A prepared set, memory-mapped."""

    path: Path
    meta: Mapping[str, Any]
    """What `dataset.json` says: version, kind (one of `LAYOUTS`), counts, settings."""
    index: tuple[Mapping[str, Any], ...]
    """One mapping per entry: name, group, framing, ..."""
    arrays: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def rendered(self) -> bool:
        """Whether the pictures are renders with exact labels."""
        return self.meta["kind"] == "rendered"

    def groups(self) -> dict[str, list[int]]:
        """Entries of each group, in order."""
        result: dict[str, list[int]] = {}
        for i, row in enumerate(self.index):
            result.setdefault(str(row["group"]), []).append(i)
        return result


def open_dataset(path: Path) -> Dataset:
    """Open a prepared set.

    Raises:
        DatasetError: With a sentence, if the folder is not a whole prepared set.
    """
    try:
        meta = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
        lines = (path / "index.jsonl").read_text(encoding="utf-8").splitlines()
        index = tuple(json.loads(line) for line in lines)
        if not isinstance(meta, dict) or meta.get("kind") not in LAYOUTS:
            raise ValueError("dataset.json does not describe a set")
        if not all(isinstance(row, dict) and {"name", "group"} <= row.keys() for row in index):
            raise ValueError("index.jsonl holds a line without name or group")
        layout = LAYOUTS[meta["kind"]]
        arrays = {
            name: np.lib.format.open_memmap(path / f"{name}.npy", mode="r") for name in layout
        }
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: {Path(error.filename).name} is missing, so this is no finished training set; "
            "make one with `vunet prepare PHOTOS --out DATASET`"
        ) from error
    except (ValueError, OSError, EOFError, RecursionError) as error:
        raise DatasetError(
            f"{path}: the training set is damaged ({error}); prepare it again"
        ) from error
    if meta.get("version") != VERSION:
        raise DatasetError(
            f"{path}: made by another version of `vunet prepare` "
            f"({meta.get('version')}, this one is {VERSION}); prepare it again"
        )
    for name, array in arrays.items():
        if array.dtype.str != layout[name][1]:
            raise DatasetError(
                f"{path}: {name}.npy is no array of the right kind; prepare it again"
            )
        if array.shape != (len(index), *layout[name][0]):
            raise DatasetError(
                f"{path}: {name}.npy has shape {array.shape} where the index has {len(index)} "
                "entries; prepare the set again"
            )
    return Dataset(path, meta, index, arrays)


class DatasetWriter:
    """Writes a prepared set entry by entry; `dataset.json` comes last and makes it whole."""

    def __init__(self, path: Path, kind: str, settings: Mapping[str, Any]) -> None:
        path.mkdir(parents=True, exist_ok=True)
        (path / "dataset.json").unlink(missing_ok=True)
        self.path, self.kind, self.settings, self.count = path, kind, dict(settings), 0
        self.layout = LAYOUTS[kind]
        self._files: dict[str, BinaryIO] = {n: (path / f"{n}.npy").open("wb") for n in self.layout}
        self._index = (path / "index.jsonl").open("w", encoding="utf-8")
        for name in self.layout:
            self._write_header(name)

    def _write_header(self, name: str) -> None:
        shape, dtype = self.layout[name]
        file = self._files[name]
        file.seek(0)
        text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {(self.count, *shape)}, }}"
        # the .npy format, version 1.0: magic, header length, header padded with spaces
        body = text.ljust(_HEADER_BYTES - 11).encode("ascii") + b"\n"
        file.write(b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body)

    def add(self, row: Mapping[str, Any], entry: Mapping[str, np.ndarray]) -> None:
        """Append one entry; `entry` holds every array of the layout but those that are unknown."""
        for name, (shape, dtype) in self.layout.items():
            value = entry.get(name)
            if value is None:
                value = np.full(shape, UNKNOWN if name == "parts" else 0, dtype)
            if value.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {value.shape}")
            self._files[name].write(np.ascontiguousarray(value, dtype).tobytes())
        self._index.write(json.dumps(dict(row)) + "\n")
        self.count += 1

    def close(self) -> None:
        """Write the headers and, last, `dataset.json`."""
        for name, file in self._files.items():
            self._write_header(name)
            file.close()
        self._index.close()
        meta = {
            "version": VERSION,
            "kind": self.kind,
            "count": self.count,
            "size": self.layout["images"][0][:2],
            "settings": self.settings,
        }
        (self.path / "dataset.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        for file in self._files.values():
            file.close()
        self._index.close()
