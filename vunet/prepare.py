"""`vunet prepare`: a folder of photos, or a rendered set, becomes a training set.

Photos: find the person, cut the network's window round them, keep the mask and the skeleton; cut
closer framings (knee-up, half body, bust) as entries of their own, so that the network learns that
legs may lie outside the picture. Renders: take their exact masks, part maps and surface
coordinates, but the skeletons that MediaPipe finds in them, as in photos. Photos without a usable
person are left out and listed with the reason.

Needs MediaPipe; training from the prepared set does not.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from pose import NoPersonFound
from pose.complete import complete
from pose.retarget import body_scale
from vunet.dataset import CARRIED, CLOTH, CONTROL_SIZE, NO_CLOTH, SIZE, UNKNOWN, DatasetWriter
from vunet.framing import SEEN, Window, doubt_outside, person_box, points_of, window_round
from vunet.holdout import (
    is_validation_avatar,
    is_validation_exercise,
    is_validation_photo,
)
from vunet.images import ImageError, is_file, read_image

IMAGE_SUFFIXES = frozenset(
    f".{s}" for s in ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "avif", "ppm")
)
GROUPS = ("none", "folder", "all")
HOLDOUTS = ("none", "photo", "exercise", "only-photo", "only-exercise")
MINIMUM_PERSON_PX = 96
"""A person shorter than this in the photo is left out: there is nothing to learn from."""
DETECTED_WITHIN = 0.2
"""A skeleton found in a render counts if half of its joints lie within so many body scales of the
exact ones; else the exact ones stand in."""

# names of Clothing Co-Parsing labels, by what they tell the network
SKIRT_LABELS = frozenset({"dress", "skirt", "coat", "cape"})
CARRIED_LABELS = frozenset({"bag", "purse", "wallet"})
_TOPS = ("blazer", "blouse", "bodysuit", "cardigan", "hoodie", "jacket", "jumper", "shirt", "suit")
HANGING_LABELS = SKIRT_LABELS.union(_TOPS, ("sweater", "sweatshirt", "t-shirt", "top", "vest"))

# renderer part ids (its README) -> vunet.geometry.PARTS position + 1
_RENDER_PARTS = np.array(
    # nothing hips spine chest neck head | left clavicle arm forearm hand thigh shin foot | right
    [0, 2, 2, 2, 1, 1, 2, 3, 5, 7, 9, 11, 13, 2, 4, 6, 8, 10, 12, 14],
    np.uint8,
)
_SKIRT_PART = 15
_RENDER_KEYS = {"person", "view", "seed", "height", "width", "yaw", "pose", "framing"} | {
    *("character", "keypoints", "canonical_box", "files")
}


class PrepareError(ValueError):
    """Nothing can be prepared from what was given."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """How photos become training pictures."""

    group: str = "none"
    """Which photos show one person in the same clothes: none, folder (all photos of a folder) or
    all."""
    labels: Path | None = None
    """Folder of pixel label PNGs with the photos' names, and label_names.json beside it."""
    label_masks: bool = True
    """Whether the person's mask is the labels', too, without what is carried; off: the detector's,
    as photos get it in use."""
    holdout: str = "none"
    """Leave out the project's validation names: none, photo (by file name) or exercise (by folder);
    only-photo and only-exercise keep nothing but those."""
    framings: int = 1
    """How many closer framings to cut out of each full-body photo."""
    seed: int = 0
    """Chooses the closer framings."""


@dataclass
class PrepareReport:
    """What came of a preparation."""

    entries: int = 0
    photos: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Photo name and reason, for each one left out."""

    def summary(self) -> str:
        """A few plain sentences."""
        text = f"{self.entries} pictures from {self.photos} photos."
        if self.skipped:
            reasons = Counter(reason for _, reason in self.skipped)
            listed = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            text += f" Left out {len(self.skipped)}: {listed}. The list is in skipped.csv."
        return text


Entry = tuple[dict[str, Any], dict[str, np.ndarray]]

_estimator: Any = None


def _start_worker() -> None:
    global _estimator
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    from pose.estimator import PoseEstimator

    _estimator = PoseEstimator()


def _entry(
    name: str,
    group: str,
    framing: str,
    window: Window,
    image: np.ndarray,
    mask: np.ndarray,
    points: np.ndarray,
    labels: np.ndarray | None,
    limit: tuple[float, float],
) -> Entry:
    """Cut one window; `limit` = (height, width) beyond which the photo is treated as cut off."""
    crop, cut_mask = window.cut(image), window.cut(mask)
    x0, y0, x1, y1 = window.valid((round(limit[0]), round(limit[1])))
    cut_mask[: int(np.ceil(y0))] = 0
    cut_mask[int(y1) :] = 0
    cut_mask[:, : int(np.ceil(x0))] = 0
    cut_mask[:, int(x1) :] = 0
    moved = doubt_outside(window.moved(points), (x0, y0, x1, y1))
    entry = {
        "images": crop,
        "masks": np.rint(cut_mask * 255).astype(np.uint8),
        "keypoints": moved,
        "valid": np.array([x0, y0, x1, y1]),
    }
    if labels is not None:
        m = window.matrix * (CONTROL_SIZE[0] / SIZE[0])
        m[:, 2] += 0.5 * m[0, 0] - 0.5
        wh = (CONTROL_SIZE[1], CONTROL_SIZE[0])
        entry["parts"] = cv2.warpAffine(labels, m, wh, flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    return {"name": name, "group": group, "framing": framing}, entry


def _read_labels(
    path: Path, names: list[str], hips_y: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Person mask (H, W) float32 and part labels (H, W) uint8 from garment labels, if any."""
    label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if label is None or label.ndim != 2:
        return None
    kinds = np.zeros(256, np.uint8)  # background
    kinds[1 : len(names)] = NO_CLOTH
    for i, name in enumerate(names):
        if name in SKIRT_LABELS:
            kinds[i] = _SKIRT_PART
        elif name in HANGING_LABELS:
            kinds[i] = CLOTH
        elif name in CARRIED_LABELS:
            kinds[i] = CARRIED
    parts = kinds[label.astype(np.uint8)]
    person = ((parts != 0) & (parts != CARRIED)).astype(np.float32)
    above = np.arange(label.shape[0])[:, None] <= hips_y
    parts[(parts == _SKIRT_PART) & above] = CLOTH
    return cv2.GaussianBlur(person, (0, 0), 0.8), parts


def _prepare_photo(
    item: tuple[str, str, str], options: PrepareOptions
) -> tuple[str, str, list[Entry]]:
    """Worker: (path, name, group) -> (name, reason or "", entries)."""
    path, name, group = item
    try:
        image = read_image(Path(path))
        detection = _estimator.find_one(image, name)
    except (ImageError, NoPersonFound) as error:
        text = str(error)
        return name, "no person found" if isinstance(error, NoPersonFound) else text, []
    whole, _ = complete(detection.pose)
    points, mask = points_of(whole, image.shape[:2]), detection.mask
    visible = points[:, 2] > SEEN
    scale = body_scale(detection.pose)
    if visible[:17].sum() < 8 or visible[[5, 6, 11, 12]].sum() < 2:
        return name, "too little of the person is visible", []
    labels = None
    if options.labels is not None:
        names = json.loads((options.labels.parent / "label_names.json").read_text())
        found = _read_labels(
            options.labels / f"{Path(path).stem}.png", names, float(points[11:13, 1].mean())
        )
        if found is not None and found[0].shape == mask.shape:
            mask, labels = found if options.label_masks else (mask, found[1])
    height, width = image.shape[:2]
    box = person_box(points[:, :2], visible, mask, scale)
    if max(box[3] - box[1], box[2] - box[0]) < MINIMUM_PERSON_PX:
        return name, f"the person is smaller than {MINIMUM_PERSON_PX} pixels", []
    entries = [
        _entry(
            name,
            group,
            "full" if visible[15:17].any() else "partial",
            window_round(box, SIZE),
            image,
            mask,
            points,
            labels,
            (height, width),
        )
    ]
    seed = int.from_bytes(os.fsencode(name)[-8:], "little") ^ options.seed
    rng = np.random.default_rng(seed)
    trunk = points[11:13, :2].mean(0) - points[5:7, :2].mean(0)
    upright = trunk[1] > 0.8 * np.linalg.norm(trunk) and visible[13:17].any()
    for _ in range(options.framings if upright else 0):
        framing = str(rng.choice(["knee", "half", "bust"], p=[0.4, 0.4, 0.2]))
        hip, knee = points[11:13, 1].mean(), points[13:15, 1].mean()
        neck = points[5:7, 1].mean()
        bottom = {
            "knee": knee + rng.uniform(-0.15, 0.2) * (knee - hip),
            "half": hip + rng.uniform(-0.05, 0.35) * (hip - neck),
            "bust": neck + rng.uniform(0.45, 0.8) * (hip - neck),
        }[framing]
        if not box[1] + 32 < bottom < box[3]:
            continue
        seen = points[:, 1] < bottom
        inside = points[seen & visible, 0]
        left, right = (inside.min(), inside.max()) if len(inside) else (box[0], box[2])
        girth = 0.15 * scale
        close = (max(box[0], left - girth), box[1], min(box[2], right + girth), float(bottom))
        window = window_round(close, SIZE)
        # the lower edge of the window is where this "photo" ends
        window = Window(window.left, bottom - SIZE[0] / window.scale, window.scale, SIZE)
        entries.append(
            _entry(name, group, framing, window, image, mask, points, labels, (bottom, width))
        )
    return name, "", entries


def _photo_items(
    folder: Path, options: PrepareOptions, report: PrepareReport
) -> Iterator[tuple[str, str, str]]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise PrepareError(f"{folder}: no photos in this folder; give one with .jpg or .png files")
    for path in paths:
        name = path.relative_to(folder).as_posix()
        rule, only = options.holdout.removeprefix("only-"), options.holdout.startswith("only-")
        validation = {
            "photo": is_validation_photo(path.stem),
            "exercise": is_validation_exercise(path.parent.name),
        }.get(rule, False)
        if validation != only:
            report.skipped.append((name, "kept for training" if only else "kept for validation"))
            continue
        group = {
            "folder": f"{folder.name}/{path.relative_to(folder).parent.as_posix()}",
            "all": folder.name,
        }.get(options.group, f"{folder.name}/{name}")
        yield str(path), name, group


def _check_options(options: PrepareOptions) -> None:
    """Refuse what would silently do something else.

    Raises:
        PrepareError: Naming the option and what it may be.
    """
    for name, value, allowed in (
        ("group", options.group, GROUPS),
        ("holdout", options.holdout, HOLDOUTS),
    ):
        if value not in allowed:
            raise PrepareError(f"{name} {value}: must be one of {', '.join(allowed)}")
    if options.labels is not None and not is_file(options.labels.parent / "label_names.json"):
        raise PrepareError(
            f"{options.labels}: there is no label_names.json beside this folder; "
            "it must list the labels' names"
        )


def prepare_photos(
    folder: Path, out: Path, options: PrepareOptions, workers: int = 2, quiet: bool = False
) -> PrepareReport:
    """Make a training set from a folder of photos (searched with its sub-folders).

    Args:
        folder: Photos of one main person each.
        out: Folder for the set; made if absent, overwritten if present.
        options: See `PrepareOptions`.
        workers: Processes.
        quiet: No progress bar.

    Raises:
        PrepareError: If no photo can be used.
    """
    if not folder.is_dir():
        raise PrepareError(f"{folder}: not a folder; give a folder of photos")
    _check_options(options)
    report = PrepareReport()
    items = list(_photo_items(folder, options, report))
    settings = {
        "group": options.group,
        "holdout": options.holdout,
        "framings": options.framings,
        "labels": options.labels is not None,
        "label_masks": options.label_masks,
        "seed": options.seed,
    }
    with DatasetWriter(out, "photos", settings) as writer:
        work = partial(_prepare_photo, options=options)
        _fill(writer, work, items, report, folder, workers, "photo", quiet)
    _write_skipped(out, report)
    if not report.entries:
        raise PrepareError(
            f"{folder}: none of its {len(items)} photos could be used; {report.summary()}"
        )
    return report


def _fill(
    writer: DatasetWriter,
    work: Callable[[Any], tuple[str, str, list[Entry]]],
    items: Sequence[Any],
    report: PrepareReport,
    folder: Path,
    workers: int,
    unit: str,
    quiet: bool,
) -> None:
    """Let worker processes make the entries of all items; write them in the items' order.

    Raises:
        PrepareError: If MediaPipe is absent or a worker died.
    """
    if importlib.util.find_spec("mediapipe") is None:
        raise PrepareError(
            "preparing pictures needs mediapipe; install vunet with its dependencies"
        )
    pool = ProcessPoolExecutor(
        max(1, workers), multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        results = pool.map(work, items, chunksize=4)
        for name, reason, entries in tqdm(
            results, total=len(items), desc="prepare", unit=unit, disable=quiet
        ):
            if reason:
                report.skipped.append((name, reason))
            else:
                report.photos += 1
            for row, entry in entries:
                writer.add(row, entry)
    except BrokenProcessPool as error:
        raise PrepareError(
            f"{folder}: a worker died, perhaps for want of memory; try again with --workers 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
    report.entries = writer.count


def _prepare_render(row: dict[str, Any], folder: Path) -> tuple[str, str, list[Entry]]:
    """Worker: a row of index.jsonl -> (name, reason or "", entries)."""
    step = SIZE[0] // CONTROL_SIZE[0]
    name = _render_name(row)
    try:
        image = read_image(folder / row["files"]["rgb"])
    except ImageError:
        return name, "a file of the render is missing", []
    mask = cv2.imread(str(folder / row["files"]["mask"]), cv2.IMREAD_GRAYSCALE)
    part = cv2.imread(str(folder / row["files"]["part"]), cv2.IMREAD_GRAYSCALE)
    surface = cv2.imread(str(folder / row["files"]["surface"]), cv2.IMREAD_UNCHANGED)
    if mask is None or part is None or surface is None:
        return name, "a file of the render is missing", []
    exact = np.array(row["keypoints"], np.float32)
    exact[:, 2] = np.array([0.1, 0.5, 1.0], np.float32)[exact[:, 2].astype(int)]
    points = _detected_points(image, exact)
    low, high = np.array(row["canonical_box"], np.float64)
    coarse = surface[step // 2 :: step, step // 2 :: step, 2::-1]  # stored as z, y, x
    metres = low + coarse / 65535.0 * (high - low)
    entry = {
        "images": image,
        "masks": mask,
        "keypoints": exact if points is None else points,
        "valid": np.array([0, 0, SIZE[1], SIZE[0]]),
        "parts": _RENDER_PARTS[part[step // 2 :: step, step // 2 :: step].astype(np.uint8)],
        "surface": np.rint(metres * 1000).clip(-32000, 32000),
    }
    info = {
        "name": name,
        "group": f"{folder.name}/{row['seed']}/{row['person']}",
        "framing": row["framing"],
        "yaw": row["yaw"],
        "pose": row["pose"],
        "detected": points is not None,
    }
    return name, "", [(info, entry)]


def _render_name(row: dict[str, Any]) -> str:
    return f"{row['person']:06d}/{row['view']:02d}"


def _detected_points(image: np.ndarray, exact: np.ndarray) -> np.ndarray | None:
    """(27, 3) the skeleton that MediaPipe finds in a render; None if it misses the person.

    Photos have no other skeletons, and MediaPipe's differ from exact ones just where it matters
    most: it puts the ears of a head closer together and is sure of a nose that faces away.
    """
    people = _estimator.find(image, max_people=1)
    if not people:
        return None
    whole, _ = complete(people[0].pose)
    points = points_of(whole, image.shape[:2])
    inside = exact[:17, 2] > 0.1
    if inside.sum() < 4:
        return None
    off = np.linalg.norm(points[:17, :2] - exact[:17, :2], axis=1)[inside]
    return points if np.median(off) < DETECTED_WITHIN * body_scale(whole) else None


def prepare_renders(
    folder: Path,
    out: Path,
    *,
    holdout: bool = True,
    limit: int = 0,
    workers: int = 2,
    quiet: bool = False,
) -> PrepareReport:
    """Make a training set from a set of rendered people (256x192, see `tools/render_people`).

    Args:
        folder: With `dataset.json` and `index.jsonl`, in loose files.
        out: Folder for the set.
        holdout: Leave out the avatars that validation uses.
        limit: Stop after so many renders; 0 takes all.
        workers: Processes.
        quiet: No progress bar.

    Raises:
        PrepareError: If the folder is no rendered set of the right size.
    """
    try:
        lines = (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise PrepareError(f"{folder}: no readable index.jsonl of rendered people") from error
    if not rows or not all(isinstance(r, dict) and r.keys() >= _RENDER_KEYS for r in rows):
        raise PrepareError(f"{folder}: index.jsonl does not describe renders; render them again")
    if (rows[0]["height"], rows[0]["width"]) != SIZE:
        raise PrepareError(f"{folder}: renders must be {SIZE[0]}x{SIZE[1]}; render with that size")
    report = PrepareReport()
    items = []
    for row in rows[: limit or None]:
        character = row["character"]
        avatar = str(character.get("avatar", ""))
        if holdout and character["source"] == "valid" and is_validation_avatar(avatar):
            report.skipped.append((_render_name(row), "kept for validation"))
        else:
            items.append(row)
    with DatasetWriter(out, "rendered", {"holdout": holdout}) as writer:
        work = partial(_prepare_render, folder=folder)
        _fill(writer, work, items, report, folder, workers, "render", quiet)
    _write_skipped(out, report)
    return report


def _write_skipped(out: Path, report: PrepareReport) -> None:
    path = out / "skipped.csv"
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(["photo", "reason"])
        table.writerows(report.skipped)
