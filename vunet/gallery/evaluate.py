"""How well drawings find photos: `vunet evaluate --find SET --model find`.

Every photo of a set that was never trained on is an item, and a drawing of each is asked for. Of
things the drawing is made from the photo in a manner that training does not know (`pencil`), once
as exact as a tracing and once by an unsteady hand (`by_hand`); of faces it is an artist's. Beside
the weights stand what needs no training on drawings: HOG, SqueezeNet and chance, framed as ours
are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from skimage.feature import hog
from tqdm import tqdm

from vunet.checkpoint import weights_name
from vunet.dataset import Dataset, DatasetError, open_dataset
from vunet.drawing.lines import MAPS, line_maps
from vunet.drawing.sheet import DrawingError
from vunet.drawing.subject import object_mask
from vunet.gallery.data import KINDS
from vunet.gallery.embedder import Embedder, load_embedder
from vunet.gallery.framing import framed_drawing, framed_photo
from vunet.gallery.ranks import RANKS, ranks_among, recalls
from vunet.images import write_atomic
from vunet.losses import SqueezeFeatures
from vunet.metrics import SQUEEZENET_FILE, BackboneMissing, backbone_file, find_backbones

SEED = 20181
"""Of where drawings lie on their sheets, and of how they are off."""
PROTOCOL = {
    "items": "all photos of the set; what a photo is of is found in it, as in a gallery",
    "traced": "a drawing of each photo by `pencil` (dodged grey, a manner not among those of "
    "training) on a sheet 1.5 times as large, at a place by a fixed seed",
    "by hand": "the same, bent by a smooth random map (sd 2.5 % of the sides, 5 x 4 knots), turned "
    "(sd 4 degrees), wider or narrower (sd 6 %), and pale where another random map is low",
    "artist": "the sketch that an artist made of each photo",
    "recall": "share of drawings whose own photo is among the first 1, 5, 10; items as similar as "
    "the own one come before it; a drawing that cannot be read counts as not found",
    "HOG": "scikit-image, 9 directions, cells of 8, blocks of 2 x 2, cosine, pictures framed as "
    "ours at 128 x 96; of the drawing and of the photo's grey, or of its Canny edges and outline",
    "SqueezeNet": "last Fire module (512 x 7 x 5) of the drawing and of the photo, framed as ours "
    "at 128 x 96, cosine",
    "chance": "rank over number of items",
}
Features = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Pictures (h, w) or (h, w, 3) uint8 -> (N, D) unit vectors."""
_SHEET = 1.5
_FINER = 2.0
"""A sheet of paper shows more than the set's pictures have pixels."""


def pencil(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A soft pencil drawing: the photo's grey, dodged by its own blurred negative.

    Shading stays, where `vunet.drawing.lines` knows lines alone: training never uses it.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, 255 on what is drawn.

    Returns:
        (H, W, 3) uint8 RGB, grey on white.
    """
    side = max(image.shape[:2])
    # the thing on white: its outline is drawn where it differs from the paper
    soft = cv2.GaussianBlur(mask, (0, 0), side / 250).astype(np.float32) / 255
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = grey * 0.8 * soft + 255 * (1 - soft)
    blurred = cv2.GaussianBlur(255 - grey, (0, 0), side / 90)
    dodged = np.clip(grey / np.maximum(255 - blurred, 1), 0, 1) ** 2
    return np.rint(255 * dodged).astype(np.uint8)[..., None].repeat(3, 2)


def by_hand(drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A drawing as somebody would make it who does not trace; see `PROTOCOL`.

    Args:
        drawn: (H, W, 3) uint8 RGB on white.
        rng: Decides how it is off.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = drawn.shape[:2]
    push = cv2.resize(
        rng.normal(0, 0.025, (5, 4, 2)), (width, height), interpolation=cv2.INTER_CUBIC
    )
    pressure = cv2.resize(rng.normal(0, 1, (6, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[0:height, 0:width]
    u, v = x / width - 0.5 + push[..., 0], y / height - 0.5 + push[..., 1]
    angle, stretch = np.radians(rng.normal(0, 4)), np.exp(rng.normal(0, 0.06))
    u, v = u * stretch * width, v / stretch * height
    across = np.cos(angle) * u - np.sin(angle) * v + width / 2
    down = np.sin(angle) * u + np.cos(angle) * v + height / 2
    bent = cv2.remap(
        drawn,
        across.astype(np.float32),
        down.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255, 255, 255),
    )
    share = np.clip(1.3 + 0.8 * pressure, 0, 1)[..., None]
    return np.rint(255 - (255 - bent.astype(np.float64)) * share).astype(np.uint8)


def queries_of(dataset: Dataset) -> dict[str, list[np.ndarray]]:
    """Drawings of every photo, (H, W, 3) uint8 RGB, by how they were made; see `PROTOCOL`."""
    if dataset.meta["kind"] == "sketched":
        return {
            "artist": [np.asarray(s)[..., None].repeat(3, 2) for s in dataset.arrays["sketches"]]
        }
    rng = np.random.default_rng(SEED)
    found: dict[str, list[np.ndarray]] = {"traced": [], "by hand": []}
    for image, mask in zip(dataset.arrays["images"], dataset.arrays["masks"], strict=True):
        drawn = pencil(np.asarray(image), np.asarray(mask))
        drawn = cv2.resize(drawn, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_CUBIC)
        height, width = (round(_SHEET * side) for side in drawn.shape[:2])
        y = int(rng.integers(0, height - drawn.shape[0] + 1))
        x = int(rng.integers(0, width - drawn.shape[1] + 1))
        sheet = np.full((height, width, 3), 255, np.uint8)
        sheet[y : y + drawn.shape[0], x : x + drawn.shape[1]] = drawn
        found["traced"].append(sheet)
        found["by hand"].append(by_hand(sheet, rng))
    return found


def photos_of(dataset: Dataset) -> list[np.ndarray]:
    """The photos as they were, (H, W, 3) uint8 RGB: without what was put beside them."""
    found = []
    pairs = zip(dataset.arrays["images"], dataset.arrays["valid"], strict=True)
    for image, valid in pairs:
        x0, y0, x1, y1 = (round(float(v)) for v in valid)
        found.append(np.ascontiguousarray(image[y0:y1, x0:x1]))
    return found


def evaluate_find(
    path: Path,
    models: Sequence[str],
    *,
    backbones: Path | None = None,
    json_path: Path | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure weights beside what needs none.

    Args:
        path: Set of `vunet.gallery.data.KINDS`, never trained on.
        models: Weights by name or file; all compared in their own framing.
        backbones: Folder with SqueezeNet; None looks for it.
        json_path: Report to write.
        device: auto, cpu or cuda.
        quiet: No progress bar.

    Returns:
        items, drawn (how drawings were made -> row -> recall at `RANKS` and each query's rank),
        notes and the protocol.

    Raises:
        DatasetError: If the set is absent or of another kind.
        WeightsError: If weights are absent or of another kind.
        BackboneMissing: If the folder given has no SqueezeNet.
    """
    dataset = open_dataset(path)
    if dataset.meta["kind"] not in KINDS:
        raise DatasetError(
            f"{path}: finding is measured on a set of drawings, not of {dataset.meta['kind']}; "
            "make one with `vunet prepare --drawings`"
        )
    embedders = [load_embedder(model, device) for model in models]
    shape = "picture" if dataset.meta["kind"] == "sketched" else "lines"
    photos, drawn = photos_of(dataset), queries_of(dataset)
    masks: list[np.ndarray | None] = [None] * len(photos)
    if shape == "lines":
        bar = tqdm(photos, desc="photos", unit="photo", disable=quiet)
        masks = [object_mask(photo) for photo in bar]
    notes: list[str] = []
    ranks: dict[str, dict[str, list[int]]] = {manner: {} for manner in drawn}
    names: list[str] = []
    for embedder, model in zip(embedders, models, strict=True):
        names.append(weights_name(model, names))
        items, _ = embedder.photos(photos, masks)
        for manner, drawings in drawn.items():
            asked = np.stack([_vector(embedder, drawing) for drawing in drawings])
            ranks[manner][names[-1]] = ranks_among(asked @ items.T)
    size = embedders[0].model.config.size
    framed = [framed_photo(p, m, size, shape) for p, m in zip(photos, masks, strict=True)]
    edges = [_edges(p, m, size, shape) for p, m in zip(photos, masks, strict=True)]
    grey = [cv2.cvtColor(item, cv2.COLOR_RGB2GRAY) for item in framed]
    known: dict[str, tuple[Features, np.ndarray]] = {
        "HOG, grey": (_hog, _hog(grey)),
        "HOG, edges": (_hog, _hog(edges)),
    }
    try:
        squeeze = _squeeze(backbone_file(find_backbones(backbones), SQUEEZENET_FILE))
        known["SqueezeNet"] = (squeeze, squeeze(framed))
    except BackboneMissing as error:
        if backbones is not None:
            raise
        notes.append(f"the row SqueezeNet is left out: {error}")
    for manner, drawings in drawn.items():
        inked = [_inked(drawing, size, shape) for drawing in drawings]
        for name, (features, items) in known.items():
            ranks[manner][name] = ranks_among(features(inked) @ items.T)
    count = len(photos)
    report = {
        "items": count,
        "set": str(dataset.path.name),
        "drawn": {manner: _rows(found, count) for manner, found in ranks.items()},
        "notes": notes,
        "protocol": PROTOCOL,
        "weights": {e.name: e.sha256 for e in embedders},
        "names": [str(row["name"]) for row in dataset.index],
    }
    if json_path is not None:
        write_atomic(json_path, (json.dumps(report, indent=1) + "\n").encode("utf-8"))
    return report


def _rows(ranks: dict[str, list[int]], count: int) -> dict[str, Any]:
    rows: dict[str, Any] = {
        name: {f"recall@{k}": share for k, share in recalls(found).items()}
        | {"ranks": [r + 1 for r in found]}
        for name, found in ranks.items()
    }
    return {**rows, "chance": {f"recall@{k}": min(1.0, k / count) for k in RANKS}}


def format_find(report: dict[str, Any]) -> str:
    """The report as a table for terminals."""
    lines = [f"{report['items']} photos, a drawing of each"]
    lines.append(
        "{:12}{:24}{:>10}{:>10}{:>10}".format("drawn", "row", *map("recall@{}".format, RANKS))
    )
    for manner, rows in report["drawn"].items():
        for name, row in rows.items():
            cells = [f"{row[f'recall@{k}']:.3f}" for k in RANKS]
            lines.append("{:12}{:24}{:>10}{:>10}{:>10}".format(manner, name[:24], *cells))
    return "\n".join([*lines, *report["notes"]]) + "\n"


def _vector(embedder: Embedder, drawing: np.ndarray) -> np.ndarray:
    """Of a drawing; NaN where it cannot be read."""
    try:
        return embedder.drawing(drawing)
    except DrawingError:
        return np.full(embedder.dims.drawing, np.nan, np.float32)


def _inked(drawing: np.ndarray, size: tuple[int, int], shape: str) -> np.ndarray:
    """(h, w) uint8, dark on white; all white where nothing can be read."""
    try:
        ink = framed_drawing(drawing, size, shape)
    except DrawingError:
        return np.full(size, 255, np.uint8)
    return np.rint(255 * (1 - ink)).astype(np.uint8)


def _edges(
    photo: np.ndarray, mask: np.ndarray | None, size: tuple[int, int], shape: str
) -> np.ndarray:
    """(h, w) uint8, the photo's Canny edges and its outline, dark on white, framed."""
    inside = np.full(photo.shape[:2], 255, np.uint8) if mask is None else mask
    lines = line_maps(photo, inside)[[MAPS.index("canny"), MAPS.index("outline")]].max(0)
    paper = 255 - cv2.dilate(lines, np.ones((2, 2), np.uint8))
    return framed_photo(paper[..., None].repeat(3, 2), inside, size, shape)[..., 0]


def _hog(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(N, D) unit vectors of pictures (h, w) uint8."""
    return _unit(np.stack([hog(p, 9, (8, 8), (2, 2), feature_vector=True) for p in pictures]))


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)


def _squeeze(file: Path) -> Features:
    net = SqueezeFeatures(file, (12,))

    def features(pictures: Sequence[np.ndarray]) -> np.ndarray:
        found = []
        for start in range(0, len(pictures), 32):
            rows = [p if p.ndim == 3 else p[..., None].repeat(3, 2) for p in pictures[start:][:32]]
            x = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 127.5 - 1
            with torch.inference_mode():
                found.append(net(x)[0].flatten(1).numpy())
        return _unit(np.concatenate(found))

    return features
