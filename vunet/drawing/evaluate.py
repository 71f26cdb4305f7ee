"""How well drawings are painted: `vunet evaluate --drawings SET --model garment --model RUN`.

Every photo of a set that was never trained on is drawn by a fixed seed (all styles of
`vunet.drawing.lines`), and painted twice: in its own look, and in that of the next photo of its
class. Of people whose garments are labelled every second one is painted in regions instead.
Beside the weights stand what needs no learning: `copy`, the reference fitted into the
drawing's box, and `average`, the mean photo of the class. Diversity: eight samples of one drawing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from vunet.checkpoint import load_network, weights_name
from vunet.config import DrawingConfig
from vunet.dataset import SIZE, Dataset, open_dataset
from vunet.drawing.data import drawing_picture
from vunet.drawing.lines import MAPS, styled
from vunet.drawing.network import DrawingNet
from vunet.drawing.painter import Painter
from vunet.drawing.palette import coloured
from vunet.drawing.prepare import DrawingSetError
from vunet.drawing.sheet import Sheet, enclosed
from vunet.drawing.subject import MaskFinder, person_masks
from vunet.engine import has_fast_bf16, pick_device
from vunet.images import write_atomic
from vunet.metrics import SqPD, backbone_file, find_backbones, ssim
from vunet.task import write_sheet

PROTOCOL = {
    "pictures": "256x192, the photo fitted; drawings by a fixed seed of each photo's number; every "
    "second of people with labels is painted in regions instead",
    "SqPD": "whole picture, own look; SSIM as scikit-image's gaussian of EVALUATION, own look",
    "colour": "Hellinger distance of Lab histograms (6 x 8 x 8) of the thing in the result and of "
    "the thing in the reference, another photo of the class; 0 equal, 1 nothing in common",
    "contour": "F1 at 2 px of the outline against Canny edges of the result within 10 px of "
    "it, in another look; the truth's own is printed",
    "diversity": "mean pairwise SqPD of 8 samples of a drawing over that of 8 photos of its class",
    "copy": "the reference's thing, fitted into the box of the drawing's",
    "average": "mean photo of the class in the same set, without the photo itself",
}
_DRAWINGS_OF_DIVERSITY = 12
_SAMPLES = 8
_SHEET_ROWS = 12


@dataclass(frozen=True)
class _Case:
    number: int
    other: int
    """Next photo of the class."""
    drawing: np.ndarray
    truth: np.ndarray
    mask: np.ndarray
    outline: np.ndarray
    label: str


Draw = Callable[[_Case, np.ndarray, int], np.ndarray]
"""A case, a reference (H, W, 3) uint8 and its number in the set -> picture."""


def evaluate_drawings(
    data: Path,
    models: Sequence[str],
    *,
    backbones: Path | None,
    json_path: Path | None = None,
    sheet: Path | None = None,
    device: str = "auto",
    limit: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Figures of weights on a set of drawings that they never saw.

    Args:
        data: Set made by `vunet prepare --drawings things --holdout only-photo`.
        models: Names or files of drawing weights, or of pix2pix's.
        backbones: Folder of the judging networks.
        json_path: Report to write.
        sheet: JPEG to write.
        device: auto, cpu or cuda.
        limit: Judge only so many photos, evenly chosen.
        quiet: No progress bar.

    Returns:
        `protocol`, and in `rows` the figures of each.

    Raises:
        DrawingSetError: If the set is none of drawings.
        WeightsError: If weights cannot be used.
    """
    dataset = open_dataset(data)
    if dataset.meta["kind"] != "drawings":
        raise DrawingSetError(f"{data}: no set of drawings; make one with `vunet prepare`")
    judge = SqPD(backbone_file(find_backbones(backbones), "squeezenet1_0_imagenet.safetensors"))
    cases = _cases(dataset, limit)
    painters: dict[str, tuple[Draw, Painter | None]] = {}
    for model in models:
        taken = ("copy", "average", "truth", *painters)
        painters[weights_name(model, taken)] = _painter(model, device)
    rows: dict[str, Draw] = {"copy": _copier(dataset), "average": _averager(dataset, cases)}
    rows |= {name: painter for name, (painter, _) in painters.items()}
    figures: dict[str, Any] = {}
    shown: list[list[np.ndarray]] = []
    picked = {c.number for c in cases[:: max(1, len(cases) // _SHEET_ROWS)][:_SHEET_ROWS]}
    sums: dict[str, list[list[float]]] = {name: [] for name in (*rows, "truth")}
    for case in tqdm(cases, desc="evaluate", unit="drawing", disable=quiet):
        other = np.array(dataset.arrays["images"][case.other])
        other_mask = np.array(dataset.arrays["masks"][case.other])
        pictures = [case.drawing, case.truth]
        for name, draw in rows.items():
            own = draw(case, case.truth, case.number)
            alien = draw(case, other, case.other)
            sums[name].append(
                [
                    float(judge(own[None], case.truth[None])[0]),
                    ssim(own, case.truth),
                    _colour_distance(alien, case.mask, other, other_mask),
                    contour_f1(alien, case.outline),
                ]
            )
            pictures += [own, *([other] if name == "copy" else []), alien]
        sums["truth"].append([0.0, 1.0, 0.0, contour_f1(case.truth, case.outline)])
        if case.number in picked:
            shown.append(pictures)
    for name, values in sums.items():
        mean = np.mean(values, axis=0)
        keys = ("sqpd", "ssim", "colour", "contour")
        figures[name] = {k: round(float(v), 4) for k, v in zip(keys, mean, strict=True)}
    for name, (_, net) in painters.items():
        if isinstance(net, Painter):
            figures[name]["diversity"] = round(_diversity(net, dataset, cases, judge), 4)
    report = {"protocol": PROTOCOL, "photos": len(cases), "rows": figures}
    if json_path is not None:
        write_atomic(json_path, (json.dumps(report, indent=1) + "\n").encode())
    if sheet is not None:
        columns = [
            torch.from_numpy(np.stack([row[i] for row in shown])).permute(0, 3, 1, 2) / 127.5 - 1
            for i in range(len(shown[0]))
        ]
        write_sheet(columns, sheet)
    return report


def format_drawings(report: dict[str, Any]) -> str:
    """The report as a table for terminals."""
    lines = [f"{report['photos']} photos"]
    head = ("row", "SqPD own", "SSIM own", "colour", "contour F1", "diversity")
    lines.append("{:24}{:>10}{:>10}{:>10}{:>12}{:>11}".format(*head))
    for name, row in report["rows"].items():
        cells = [f"{row[k]:.3f}" for k in ("sqpd", "ssim", "colour", "contour")]
        cells.append(f"{row['diversity']:.2f}" if "diversity" in row else "")
        lines.append("{:24}{:>10}{:>10}{:>10}{:>12}{:>11}".format(name[:24], *cells))
    return "\n".join(lines) + "\n"


def contour_f1(
    picture: np.ndarray, outline: np.ndarray, near_px: int = 2, band_px: int = 10
) -> float:
    """How well a picture's edges follow an outline.

    Args:
        picture: (H, W, 3) uint8 RGB.
        outline: (H, W) bool, one pixel wide.
        near_px: What counts as on it.
        band_px: Edges farther away are not judged: they are the thing's own or the ground's.

    Returns:
        F1 in [0, 1]; 1 for an empty outline.
    """
    if not outline.any():
        return 1.0
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.2)
    edges = cv2.Canny(grey, 25, 60) > 0
    to_outline = cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, 5)
    judged = edges & (to_outline <= band_px)
    if not judged.any():
        return 0.0
    to_edges = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5)
    precision = float((to_outline[judged] <= near_px).mean())
    recall = float((to_edges[outline] <= near_px).mean())
    return 2 * precision * recall / max(precision + recall, 1e-9)


def _colour_distance(
    picture: np.ndarray, mask: np.ndarray, other: np.ndarray, other_mask: np.ndarray
) -> float:
    hists = []
    for image, inside in ((picture, mask), (other, other_mask)):
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        chosen = (inside > 127).astype(np.uint8)
        hist = cv2.calcHist([lab], [0, 1, 2], chosen, [6, 8, 8], [0, 256] * 3).ravel()
        hists.append(hist / max(1.0, float(hist.sum())))
    return float(np.sqrt(max(0.0, 1 - float(np.sqrt(hists[0] * hists[1]).sum()))))


def _cases(dataset: Dataset, limit: int | None) -> list[_Case]:
    count = len(dataset)
    chosen = range(count)
    if limit is not None and limit < count:
        chosen = np.linspace(0, count - 1, limit).astype(int).tolist()
    labels = [str(row.get("label", "")) for row in dataset.index]
    cases = []
    for i in chosen:
        same = [j for j in range(count) if labels[j] == labels[i] and j != i]
        if not same:
            continue
        other = next((j for j in same if j > i), same[0])
        maps = torch.from_numpy(np.array(dataset.arrays["lines"][i]))[None].float() / 255
        drawn = drawing_picture(styled(maps, i))[0].permute(1, 2, 0).numpy()
        drawing = np.rint((drawn + 1) * 127.5).astype(np.uint8)
        paint = np.asarray(dataset.arrays["paint"][i])
        if i % 2 == 0 and paint.any():
            drawing = coloured(paint)
        cases.append(
            _Case(
                i,
                other,
                drawing,
                np.array(dataset.arrays["images"][i]),
                np.array(dataset.arrays["masks"][i]),
                np.asarray(dataset.arrays["lines"][i][MAPS.index("outline")]) > 127,
                labels[i],
            )
        )
    if not cases:
        raise DrawingSetError("no class of the set has two photos")
    return cases


def _painter(model: str, device: str) -> tuple[Draw, Painter | None]:
    net, digest = load_network(model)
    config = getattr(net, "config", None)
    if not isinstance(config, DrawingConfig):
        raise DrawingSetError(f"{model}: these weights do not paint drawings")
    place = pick_device(device)
    amp = has_fast_bf16(place)
    if isinstance(net, DrawingNet):
        painter = Painter(net, digest, place, amp, _person_finder(config))

        def paint(case: _Case, reference: np.ndarray, _: int) -> np.ndarray:
            return painter.paint(_sheet(case, config), painter.look(reference), size=SIZE[0]).image

        return paint, painter
    net = net.to(place)

    def plain(case: _Case, reference: np.ndarray, _: int) -> np.ndarray:
        drawing = _reduced(case.drawing, config)
        x = torch.from_numpy(drawing).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.inference_mode():
            image = net(x.to(place), amp=amp).image[0].float().cpu()
        made = np.clip((image.permute(1, 2, 0).numpy() + 1) * 127.5, 0, 255).astype(np.uint8)
        return cv2.resize(made, (SIZE[1], SIZE[0]), interpolation=cv2.INTER_CUBIC)

    return plain, None


def _person_finder(config: DrawingConfig) -> MaskFinder | None:
    """What finds people in references, for networks that paint people."""
    if not config.people:
        return None
    from pose.estimator import PoseEstimator

    return person_masks(PoseEstimator())


def _reduced(drawing: np.ndarray, config: DrawingConfig) -> np.ndarray:
    """A drawing at the size that a network was trained at."""
    return cv2.resize(drawing, (config.size[1], config.size[0]), interpolation=cv2.INTER_AREA)


def _sheet(case: _Case, config: DrawingConfig) -> Sheet:
    drawing = _reduced(case.drawing, config)
    return Sheet(drawing, (0, 0, 0, 0), (), enclosed(drawing))


def _copier(dataset: Dataset) -> Draw:
    """The reference's thing fitted into the box of the drawing's ink."""

    def copy(case: _Case, reference: np.ndarray, number: int) -> np.ndarray:
        ink = case.drawing.min(2) < 128
        target, source = _box(ink), _box(np.array(dataset.arrays["masks"][number]) > 127)
        if target is None or source is None:
            return reference
        sx = (target[2] - target[0]) / (source[2] - source[0])
        sy = (target[3] - target[1]) / (source[3] - source[1])
        shift = (target[0] - sx * source[0], target[1] - sy * source[1])
        matrix = np.array([[sx, 0, shift[0]], [0, sy, shift[1]]])
        size = (reference.shape[1], reference.shape[0])
        return cv2.warpAffine(reference, matrix, size, borderMode=cv2.BORDER_REFLECT_101)

    return copy


def _box(inside: np.ndarray) -> tuple[float, float, float, float] | None:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if len(rows) < 2 or len(columns) < 2:
        return None
    return (float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1]))


def _averager(dataset: Dataset, cases: list[_Case]) -> Draw:
    labels = [str(row.get("label", "")) for row in dataset.index]
    sums: dict[str, tuple[np.ndarray, int]] = {}
    for label in {case.label for case in cases}:
        rows = [i for i, other in enumerate(labels) if other == label]
        total = np.zeros(dataset.arrays["images"].shape[1:], np.float64)
        for i in rows:
            total += dataset.arrays["images"][i]
        sums[label] = (total, len(rows))

    def average(case: _Case, reference: np.ndarray, _: int) -> np.ndarray:
        total, count = sums[case.label]
        return np.rint((total - case.truth) / (count - 1)).clip(0, 255).astype(np.uint8)

    return average


def _diversity(painter: Painter, dataset: Dataset, cases: list[_Case], judge: SqPD) -> float:
    labels = [str(row.get("label", "")) for row in dataset.index]
    ratios = []
    for case in cases[:: max(1, len(cases) // _DRAWINGS_OF_DIVERSITY)][:_DRAWINGS_OF_DIVERSITY]:
        same = [i for i, label in enumerate(labels) if label == case.label]
        photos = [np.array(dataset.arrays["images"][i]) for i in same[:_SAMPLES]]
        sheet = _sheet(case, painter.model.config)
        kind = case.label if case.label in painter.classes else None
        samples = [
            painter.paint(sheet, kind=kind, seed=seed, size=SIZE[0]).image
            for seed in range(_SAMPLES)
        ]
        ratios.append(_spread(samples, judge) / max(1e-6, _spread(photos, judge)))
    return float(np.mean(ratios))


def _spread(pictures: Sequence[np.ndarray], judge: SqPD) -> float:
    """Mean SqPD of all pairs."""
    pairs = [(a, b) for i, a in enumerate(pictures) for b in pictures[i + 1 :]]
    return float(np.mean([judge(a[None], b[None])[0] for a, b in pairs]))
