"""How well drawn faces are painted: `vunet evaluate --portraits SET --model face --model RUN`.

Every face of a set that was never trained on is painted from its artist's sketch, and from the
sketch made worse by a fixed seed (`vunet.face.degrade`). Networks that paint faces stand in three
rows: with their manifolds, without (sliders at 0: the strokes alone), and with manifolds in the
look of the mirrored photo; pix2pix and the like in one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from vunet.checkpoint import load_network, weights_name
from vunet.config import DrawingConfig
from vunet.dataset import Dataset, open_dataset
from vunet.drawing.network import DrawingNet
from vunet.drawing.painter import Look
from vunet.drawing.prepare import DrawingSetError
from vunet.engine import Engine, has_fast_bf16, pick_device
from vunet.face.degrade import Harm, degraded
from vunet.face.eyes import iris_colour
from vunet.face.manifolds import Sliders
from vunet.face.painter import DrawnFace, FacePainter
from vunet.face.parts import PARTS, POINTS, centre, turn
from vunet.gallery.framing import ink_of
from vunet.holdout import hash_place
from vunet.images import write_atomic
from vunet.metrics import SqPD, backbone_file, find_backbones, ssim
from vunet.task import write_sheet

if TYPE_CHECKING:
    from pose.face import FaceDetection, FaceFinder

PROTOCOL = {
    "pictures": "256x256, the face where faces lie (the photo's mesh says where); what lies "
    "outside the photo is grey in both pictures; without a reference the middle of the looks",
    "drawings": "artist: the sketch that an artist made of the photo; degraded: the same with a "
    "quarter of the strokes gone, wobbled by 1.2 % of the side, each part shifted with chance 0.4 "
    "by up to 8 % and missing with chance 0.2, by a fixed seed of the name",
    "SqPD, SSIM": "against the photo",
    "landmarks": "mean distance of the 468 points of MediaPipe's mesh in the result from those in "
    "the photo, over the photo's eye distance; of results in which a face is found",
    "one face": "share of results in which MediaPipe's mesh finds exactly one face",
    "iris": "median over results of the difference (CIELAB, 1976) of the colours of left and right "
    "iris, placed by MediaPipe; the photos' own beside it",
    "part copy": "a part of the next face's drawing is copied: SqPD of the two results inside the "
    "part's window, and of the results with the windows greyed, summed over faces; the ratio",
}
REFINED = Sliders({}, 0.5)
"""What is measured, and what the app begins with."""
STROKES = Sliders({}, 0.0)
_SHEET_ROWS = 12
_COPIED = 24
"""Faces whose parts are copied."""


@dataclass(frozen=True, eq=False)
class _Case:
    name: str
    inks: dict[str, np.ndarray]
    """(256, 256) float32 of each kind of drawing."""
    truth: np.ndarray
    inside: np.ndarray
    """(256, 256, 1) bool, what is the photo's."""
    mesh: np.ndarray
    """(478, 3)."""


Paint = Callable[[_Case, str], np.ndarray]
"""A case and the kind of its drawing -> (256, 256, 3) uint8."""


def evaluate_portraits(
    data: Path,
    models: Sequence[str],
    finder: FaceFinder,
    *,
    backbones: Path | None,
    parts: str | Path = "face-parts",
    json_path: Path | None = None,
    sheet: Path | None = None,
    device: str = "auto",
    limit: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Figures of weights on faces that they never saw.

    Args:
        data: Set made by `vunet prepare --drawings portraits --holdout only-photo`.
        models: Names or files of weights that paint faces, or of pix2pix's.
        finder: Finds faces in results.
        backbones: Folder of the judging networks.
        parts: Weights of the manifolds.
        json_path: Report to write.
        sheet: JPEG to write: of each kind of drawing the drawing, each row's picture, the photo.
        device: auto, cpu or cuda.
        limit: Judge only so many faces, evenly chosen.
        quiet: No progress bar.

    Returns:
        `protocol`, and in `rows` the figures of each row and kind of drawing.

    Raises:
        DrawingSetError: If the set is none of faces with sketches.
        WeightsError: If weights cannot be used.
    """
    dataset = open_dataset(data)
    if dataset.meta["kind"] != "portraits":
        raise DrawingSetError(
            f"{data}: no set of portraits; make one with `vunet prepare --drawings portraits`"
        )
    judge = SqPD(backbone_file(find_backbones(backbones), "squeezenet1_0_imagenet.safetensors"))
    cases = _cases(dataset, limit)
    rows: dict[str, Paint] = {}
    painters: dict[str, FacePainter] = {}
    for model in models:
        name = weights_name(model, ("photo", *rows))
        found = _rows(name, model, parts, device)
        rows |= found[0]
        if found[1] is not None:
            painters[name] = found[1]
    kinds = tuple(cases[0].inks)
    figures: dict[str, dict[str, Any]] = {name: {} for name in (*rows, "photo")}
    shown: list[list[np.ndarray]] = []
    step = max(1, len(cases) // _SHEET_ROWS)
    bar = tqdm(total=len(cases) * len(kinds), desc="evaluate", unit="drawing", disable=quiet)
    for kind in kinds:
        tables: dict[str, list[dict[str, float]]] = {name: [] for name in figures}
        for number, case in enumerate(cases):
            ink = np.rint(255 - 255 * np.clip(case.inks[kind], 0, 1)).astype(np.uint8)
            pictures = [np.repeat(ink[..., None], 3, 2)]
            for name, paint in rows.items():
                pictures.append(paint(case, kind))
                tables[name].append(_judged(pictures[-1], case, judge, finder))
            tables["photo"].append(_judged(case.truth, case, judge, finder))
            if number % step == 0 and number // step < _SHEET_ROWS:
                row = [*pictures, case.truth]
                if kind == kinds[0]:
                    shown.append(row)
                else:
                    shown[number // step] += row
            bar.update()
        for name, table in tables.items():
            figures[name][kind] = _summary(table)
    bar.close()
    for name, painter in painters.items():
        figures[name]["part copy"] = _part_copy(painter, cases[:_COPIED], judge)
    report = {"protocol": PROTOCOL, "faces": len(cases), "rows": figures}
    if json_path is not None:
        write_atomic(json_path, (json.dumps(report, indent=1) + "\n").encode())
    if sheet is not None:
        columns = [
            torch.from_numpy(np.stack([row[i] for row in shown])).permute(0, 3, 1, 2) / 127.5 - 1
            for i in range(len(shown[0]))
        ]
        write_sheet(columns, sheet)
    return report


def format_portraits(report: dict[str, Any]) -> str:
    """The report as a table for terminals."""
    lines = [f"{report['faces']} faces"]
    head = ("row", "drawing", "SqPD", "SSIM", "landmarks", "one face", "iris", "part copy")
    layout = "{:24}{:>10}{:>8}{:>8}{:>11}{:>10}{:>8}{:>11}"
    lines.append(layout.format(*head))
    for name, row in report["rows"].items():
        copy = row.get("part copy", {}).get("ratio")
        for kind, found in row.items():
            if kind == "part copy":
                continue
            cells = [f"{found[k]:.3f}" for k in ("sqpd", "ssim", "landmarks", "one face")]
            cells.append(f"{found['iris']:.1f}")
            cells.append("" if copy is None else f"{copy:.1f}")
            lines.append(layout.format(name[:24], kind, *cells))
            copy = None
    return "\n".join(lines) + "\n"


def _cases(dataset: Dataset, limit: int | None) -> list[_Case]:
    drawn = [i for i, row in enumerate(dataset.index) if row.get("drawn")]
    if not drawn:
        raise DrawingSetError(f"{dataset.path}: no face of the set has a sketch")
    if limit is not None and limit < len(drawn):
        drawn = [drawn[k] for k in np.linspace(0, len(drawn) - 1, limit).astype(int)]
    cases = []
    for i in drawn:
        name = str(dataset.index[i]["name"])
        ink = ink_of(np.asarray(dataset.arrays["sketches"][i]))
        mesh = np.array(dataset.arrays["landmarks"][i])
        points = mesh[list(POINTS), :2] / len(ink)
        rng = np.random.default_rng(int(hash_place(name) * 2**32))
        worse, _, _ = degraded(ink, points, rng, Harm())
        x0, y0, x1, y1 = np.rint(dataset.arrays["valid"][i]).astype(int)
        inside = np.zeros((*ink.shape, 1), bool)
        inside[y0:y1, x0:x1] = True
        truth = np.array(dataset.arrays["images"][i])
        cases.append(_Case(name, {"artist": ink, "degraded": worse}, truth, inside, mesh))
    return cases


def _rows(
    name: str, model: str, parts: str | Path, device: str
) -> tuple[dict[str, Paint], FacePainter | None]:
    """What paints the rows of weights, and their painter if they have manifolds."""
    net, _ = load_network(model)
    config = getattr(net, "config", None)
    if not isinstance(config, DrawingConfig):
        raise DrawingSetError(f"{model}: these weights do not paint drawings")
    if isinstance(net, DrawingNet) and config.faces:
        painter = Engine.load(model, device).face_painter(None, parts)

        def painted(sliders: Sliders, *, own: bool = False) -> Paint:
            def paint(case: _Case, kind: str) -> np.ndarray:
                face = _face(painter, case.inks[kind])
                look = None
                if own:
                    everywhere = np.full(case.truth.shape[:2], 255, np.uint8)
                    way = turn(case.mesh[list(POINTS), :2])
                    look = Look(case.truth, everywhere, way).mirrored()
                return painter.paint(face, look, sliders=sliders, temperature=0, size=256).image

            return paint

        rows = {
            name: painted(REFINED),
            f"{name}, strokes": painted(STROKES),
            f"{name}, own look": painted(REFINED, own=True),
        }
        return rows, painter
    place = pick_device(device)
    net, amp = net.to(place), has_fast_bf16(place)

    def plain(case: _Case, kind: str) -> np.ndarray:
        ink = cv2.resize(case.inks[kind], config.size[::-1], interpolation=cv2.INTER_AREA)
        x = torch.from_numpy(1 - 2 * ink)[None, None].expand(-1, 3, -1, -1)
        options: dict[str, Any] = {}
        if isinstance(net, DrawingNet):  # weights from before faces had a flag: their mean look
            noise = torch.zeros(1, config.slots, config.latent_dim)
            options["latents"] = net.sample_latents(x.to(place), None, noise.to(place), 0.0)
        with torch.inference_mode():
            image = net(x.to(place), None, amp=amp, **options).image[0].float().cpu()
        made = np.clip((image.permute(1, 2, 0).numpy() + 1) * 127.5, 0, 255).astype(np.uint8)
        return cv2.resize(made, (256, 256), interpolation=cv2.INTER_CUBIC)

    return {name: plain}, None


def _face(painter: FacePainter, ink: np.ndarray) -> DrawnFace:
    side = float(len(ink))
    return DrawnFace(painter.manifolds.read(ink), (0.0, 0.0, side, side), ())


def _judged(picture: np.ndarray, case: _Case, judge: SqPD, finder: FaceFinder) -> dict[str, float]:
    shown = np.where(case.inside, picture, 128).astype(np.uint8)
    truth = np.where(case.inside, case.truth, 128).astype(np.uint8)
    faces = finder.find(picture)
    found = {
        "sqpd": float(judge(shown[None], truth[None])[0]),
        "ssim": ssim(shown, truth),
        "one face": float(len(faces) == 1),
    }
    if faces:
        eyes = [case.mesh[list(ids), :2].mean(0) for ids in ((33, 133), (362, 263))]
        unit = max(1.0, float(np.linalg.norm(eyes[0] - eyes[1])))
        off = np.linalg.norm(faces[0].points[:468, :2] - case.mesh[:468, :2], axis=1).mean()
        found["landmarks"] = float(off) / unit
        found["iris"] = iris_difference(picture, faces[0])
    return found


def iris_difference(picture: np.ndarray, face: FaceDetection) -> float:
    """How far apart the colours of both irises are, in CIELAB.

    Args:
        picture: (H, W, 3) uint8 RGB.
        face: Found in it.
    """
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colours = []
    for first in (468, 473):
        middle, rim = face.points[first, :2], face.points[first + 1 : first + 5, :2]
        radius = float(np.linalg.norm(rim - middle, axis=1).mean())
        colours.append(iris_colour(lab, (float(middle[0]), float(middle[1]), radius)))
    return float(np.linalg.norm(colours[0] - colours[1]))


def _summary(table: list[dict[str, float]]) -> dict[str, float]:
    def values(key: str) -> list[float]:
        return [row[key] for row in table if key in row] or [float("nan")]

    found = {key: float(np.mean(values(key))) for key in ("sqpd", "ssim", "landmarks", "one face")}
    return {k: round(v, 4) for k, v in (found | {"iris": float(np.median(values("iris")))}).items()}


def _part_copy(painter: FacePainter, cases: Sequence[_Case], judge: SqPD) -> dict[str, float]:
    """How much changes in a copied part's window, and beside it."""
    within, beside = 0.0, 0.0
    for case, other in zip(cases, [*cases[1:], cases[0]], strict=True):
        face, theirs = (_face(painter, c.inks["artist"]) for c in (case, other))
        first = painter.paint(face, sliders=REFINED, temperature=0, size=256).image
        for part in PARTS:
            mixed = painter.with_parts(face, {part.name: theirs})
            second = painter.paint(mixed, sliders=REFINED, temperature=0, size=256).image
            x, y = centre(part, face.sketch.points) * 256
            half = round(part.side * 128)
            rows = slice(max(0, round(y) - half), max(1, round(y) + half))
            columns = slice(max(0, round(x) - half), max(1, round(x) + half))
            pieces = [
                cv2.resize(p[rows, columns], (96, 96), interpolation=cv2.INTER_AREA)
                for p in (first, second)
            ]
            within += float(judge(pieces[0][None], pieces[1][None])[0])
            rest = [p.copy() for p in (first, second)]
            for p in rest:
                p[rows, columns] = 128
            beside += float(judge(rest[0][None], rest[1][None])[0])
    count = len(cases) * len(PARTS)
    return {
        "inside": round(within / count, 4),
        "outside": round(beside / count, 4),
        "ratio": round(within / max(beside, 1e-6), 2),
    }
