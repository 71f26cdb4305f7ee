"""Photos become a set of drawings: each photo with its lines, its mask and, for people, regions."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from vunet.config import DrawingConfig, TrainConfig
from vunet.dataset import PAIRS, SIZE, Dataset, DatasetWriter
from vunet.drawing.lines import line_maps
from vunet.drawing.palette import paint_labels
from vunet.drawing.subject import MaskFinder, close_up, fitted, object_mask
from vunet.holdout import GARMENT_SHARE, hash_place, held_out
from vunet.images import ImageError, read_image

_LEAST_SHARE = 0.12
"""Of the photo that the thing must cover: below, its mask is hardly right."""
_LOOKED_AT = 200
HELD_BACK = GARMENT_SHARE
"""Share of names that are never trained on."""
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


class DrawingSetError(ValueError):
    """Photos cannot become a set of drawings; one sentence says why."""


@dataclass(frozen=True)
class Report:
    """What became of a folder of photos."""

    count: int
    left_out: tuple[str, ...]
    """One sentence each."""


def photo_files(folder: Path) -> list[Path]:
    """The pictures in a folder and those below it, in order of name.

    Raises:
        DrawingSetError: If there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DrawingSetError(f"{folder}: there is no such folder; give one of photos")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _PICTURES and p.is_file())
    if not found:
        raise DrawingSetError(f"{folder}: holds no pictures; give a folder of JPEG or PNG photos")
    return found


def prepare_drawings(
    photos: Iterable[Path],
    out: Path,
    *,
    part: str = "all",
    classes: Path | None = None,
    labels: Path | None = None,
    mask_of: MaskFinder = object_mask,
    close: bool = False,
    quiet: bool = False,
) -> Report:
    """Write a set of drawings.

    Args:
        photos: Files; their stems are the entries' names.
        out: Folder of the set.
        part: "training" or "held-back" (a tenth, by the hash of the name), or "all".
        classes: CSV with the columns file and label: what each photo shows.
        labels: Folder of garment labels `STEM.png` beside `label_names.json`.
        mask_of: Finds what a photo is of; where it finds nothing, the photo is left out.
        close: Cut photos close round what they are of, as of people in streets.
        quiet: No progress bar.
    """
    kinds = _classes(classes)
    names = _label_names(labels)
    left_out: list[str] = []
    back = part == "held-back"
    chosen = [p for p in photos if part == "all" or held_out(p.stem, HELD_BACK) == back]
    settings = {"part": part, "source": "photos", "close": close}
    with DatasetWriter(out, "drawings", settings) as writer:
        for path in tqdm(chosen, desc="prepare", unit="photo", disable=quiet):
            try:
                image = read_image(path)
            except ImageError as error:
                left_out.append(str(error))
                continue
            mask = mask_of(image)
            paint = None
            if labels is not None and (labels / f"{path.stem}.png").is_file():
                found = cv2.imread(str(labels / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
                if found is not None and found.shape == image.shape[:2]:
                    paint = paint_labels(found, names)
            if close and mask is not None:
                whole = mask if paint is None else np.where(paint > 0, 255, mask)
                x0, y0, x1, y1 = close_up(whole, SIZE)
                image, mask = image[y0:y1, x0:x1], mask[y0:y1, x0:x1]
                paint = None if paint is None else paint[y0:y1, x0:x1]
            if mask is None or (mask > 127).mean() < _LEAST_SHARE:
                left_out.append(f"{path}: what it shows could not be told from its background")
                continue
            row = {"name": path.stem, "group": path.stem, "label": kinds.get(path.name, "")}
            writer.add(row, _entry(image, mask, paint))
        count = writer.count
    return Report(count, tuple(left_out))


def drawings_of(people: Dataset, out: Path, *, most: int | None = None, quiet: bool = False) -> int:
    """Write a set of drawings of a prepared set of people, whose groups are kept.

    Args:
        people: Set of kind "photos" or "rendered".
        out: Folder of the set.
        most: Groups to take, the first ones by the hash of their names; None takes all.
        quiet: No progress bar.

    Returns:
        How many there are.

    Raises:
        DrawingSetError: If the set is of another kind.
    """
    if people.meta["kind"] not in ("photos", "rendered"):
        raise DrawingSetError(f"{people.path}: this set is not of people; give one that is")
    groups = sorted({str(row["group"]) for row in people.index}, key=hash_place)[:most]
    taken = set(groups)
    settings = {"part": "all", "source": str(people.meta["kind"]), "close": True}
    with DatasetWriter(out, "drawings", settings) as writer:
        for i, row in enumerate(tqdm(people.index, desc="prepare", unit="picture", disable=quiet)):
            if str(row["group"]) not in taken:
                continue
            image, mask = people.arrays["images"][i], people.arrays["masks"][i]
            inside = np.where(mask > 127, 255, 0).astype(np.uint8)
            entry = _entry(image, inside, None) | {"valid": people.arrays["valid"][i]}
            writer.add({"name": row["name"], "group": row["group"], "label": ""}, entry)
        return writer.count


def config_for(config: TrainConfig, datasets: Sequence[Dataset]) -> TrainConfig:
    """A drawing network's settings fitted to its sets: what drawings are, their size, classes.

    Raises:
        DrawingSetError: If the sets are of people or of several kinds.
    """
    model = config.model
    if not isinstance(model, DrawingConfig):
        raise DrawingSetError("these settings are not of a network that paints drawings")
    kinds = {str(d.meta["kind"]) for d in datasets}
    if len(kinds) != 1 or not kinds <= {"drawings", "portraits", "pairs"}:
        raise DrawingSetError(
            "a drawing network learns from sets of drawings, of portraits or of pairs, not "
            f"from {' and '.join(sorted(kinds))}; make one with `vunet prepare --drawings`"
        )
    labels = {str(row.get("label", "")) for d in datasets for row in d.index}
    shape, size = "picture", (PAIRS["images"][0][0], PAIRS["images"][0][1])
    if kinds == {"drawings"}:
        painted = any(bool(d.arrays["paint"][:_LOOKED_AT].any()) for d in datasets)
        shape, size = ("regions" if painted else "lines"), SIZE
    elif kinds == {"portraits"}:
        shape = "lines"
    if 2 * model.size[0] == size[0]:  # a run at half of the size
        size = (size[0] // 2, size[1] // 2)
    classes = tuple(sorted(labels - {""}))
    people = any(bool(d.meta["settings"].get("close")) for d in datasets)
    model = dataclasses.replace(
        model,
        size=size,
        shape=shape,
        classes=classes,
        people=people,
        faces=kinds == {"portraits"},
    )
    return dataclasses.replace(config, model=model)


def _entry(image: np.ndarray, mask: np.ndarray, paint: np.ndarray | None) -> dict[str, np.ndarray]:
    picture, valid = fitted(image, SIZE)
    inside, _ = fitted(mask, SIZE, labels=True)
    borders = regions = None
    if paint is not None:
        regions, _ = fitted(paint, SIZE, labels=True)
        grown = cv2.dilate(regions, np.ones((2, 2), np.uint8))
        borders = (grown != regions) & (grown > 0)
        inside = np.where(regions > 0, 255, inside).astype(np.uint8)
    return {
        "images": picture,
        "masks": inside,
        "lines": line_maps(picture, inside, borders),
        "valid": np.array(valid, np.float32),
        "paint": regions if regions is not None else np.zeros(SIZE, np.uint8),
    }


def _classes(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if not {"file", "label"} <= set(table.fieldnames or ()):
                raise KeyError("file, label")
            rows = list(table)
        return {Path(row["file"]).name: row["label"] for row in rows}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DrawingSetError(
            f"{path}: not a table with the columns file and label ({error})"
        ) from error


def _label_names(folder: Path | None) -> list[str]:
    if folder is None:
        return []
    path = folder.parent / "label_names.json"
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        return [str(name) for name in names]
    except (OSError, ValueError, TypeError) as error:
        raise DrawingSetError(
            f"{path}: the names of the labels cannot be read ({error})"
        ) from error
