"""A folder becomes a training set, whatever pictures it holds.

| in the folder | becomes |
|---|---|
| pictures twice as wide as high (pix2pix's A|B files) | pairs, the left half the drawing |
| two folders with files of equal names | pairs, the first folder by name the drawing |
| photos | drawings made from the photos |
| a set that `vunet prepare` made | itself |
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from vunet.dataset import PAIRS, Dataset, DatasetWriter, open_dataset
from vunet.drawing.prepare import (
    HELD_BACK,
    DrawingSetError,
    Report,
    photo_files,
    prepare_drawings,
)
from vunet.holdout import held_out
from vunet.images import ImageError, read_image

_SIDE = PAIRS["images"][0][0]
_WIDE = (1.9, 2.1)
"""Width over height of a picture that holds two side by side."""
_LOOKED_AT = 20
_FEWEST = 2


def open_or_prepare(
    folder: Path, work: Path, *, backwards: bool = False, quiet: bool = False
) -> tuple[Dataset, Dataset | None, Report | None]:
    """A training set and, where there are enough pictures, one for validation.

    Args:
        folder: As in the module's docstring.
        work: Where sets are written.
        backwards: The right half, or the second folder, is the drawing.
        quiet: No progress bar.

    Raises:
        DrawingSetError: A sentence saying why the folder cannot be used.
        DatasetError: If a prepared set is damaged.
    """
    if (folder / "dataset.json").is_file():
        return open_dataset(folder), None, None
    pairs = find_pairs(folder, backwards)
    reports = []
    for part in ("training", "held-back"):
        out = work / part
        if pairs is None:
            report = prepare_drawings(photo_files(folder), out, part=part, quiet=quiet)
        else:
            report = _write_pairs(pairs, out, part, quiet)
        reports.append(report)
    if reports[0].count < _FEWEST:
        why = f" ({reports[0].left_out[0]})" if reports[0].left_out else ""
        raise DrawingSetError(
            f"{folder}: only {reports[0].count} pictures can be trained on{why}; give at least "
            f"{_FEWEST}, better some hundred"
        )
    check = open_dataset(work / "held-back") if reports[1].count else None
    left_out = (*reports[0].left_out, *reports[1].left_out)
    total = Report(reports[0].count + reports[1].count, left_out)
    return open_dataset(work / "training"), check, total


def find_pairs(folder: Path, backwards: bool = False) -> list[tuple[str, Path, Path | None]] | None:
    """Name, drawing and picture of each pair; None where a folder holds single photos.

    A pair in one file has no second path: its halves are the two pictures.

    Raises:
        DrawingSetError: If the folder holds nothing, or two folders without a name in common.
    """
    if not folder.is_dir():
        raise DrawingSetError(f"{folder}: there is no such folder; give one of pictures")
    inner = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    here = [p for p in photo_files(folder) if p.parent == folder]
    if not here and len(inner) == 2:
        first, second = (inner[1], inner[0]) if backwards else (inner[0], inner[1])
        ours = {p.relative_to(first).with_suffix("").as_posix(): p for p in photo_files(first)}
        theirs = {p.relative_to(second).with_suffix("").as_posix(): p for p in photo_files(second)}
        names = sorted(ours.keys() & theirs.keys())
        if not names:
            raise DrawingSetError(
                f"{folder}: no file in {first.name} has the name of one in {second.name}; "
                "give each pair one name in both"
            )
        return [(name, ours[name], theirs[name]) for name in names]
    files = photo_files(folder)
    ratios = []
    for path in files[:_LOOKED_AT]:
        try:
            height, width = read_image(path).shape[:2]
        except ImageError:
            continue
        ratios.append(width / height)
    if not ratios or not all(_WIDE[0] <= r <= _WIDE[1] for r in ratios):
        return None
    return [(p.relative_to(folder).with_suffix("").as_posix(), p, None) for p in files]


def _write_pairs(
    pairs: list[tuple[str, Path, Path | None]], out: Path, part: str, quiet: bool
) -> Report:
    left_out: list[str] = []
    with DatasetWriter(out, "pairs", {"part": part}) as writer:
        for name, shape, picture in tqdm(pairs, desc="prepare", unit="pair", disable=quiet):
            if held_out(name, HELD_BACK) != (part == "held-back"):
                continue
            try:
                first = read_image(shape)
                second = None if picture is None else read_image(picture)
            except ImageError as error:
                left_out.append(str(error))
                continue
            if second is None:
                half = first.shape[1] // 2
                first, second = first[:, :half], first[:, half : 2 * half]
            row = {"name": name, "group": name, "label": ""}
            writer.add(row, {"shapes": _square(first), "images": _square(second)})
        return Report(writer.count, tuple(left_out))


def _square(image: np.ndarray) -> np.ndarray:
    """Brought to the set's size, as pix2pix does: proportions are not kept."""
    how = cv2.INTER_AREA if max(image.shape[:2]) > _SIDE else cv2.INTER_CUBIC
    return cv2.resize(image, (_SIDE, _SIDE), interpolation=how)
