"""Quality of re-posing on pairs of photos: every method on the same pairs, with its protocol.

A pair names two photos of one person. A method is given the first photo and the pose of the
second, and draws the second; the figures say how close it comes. Beside the network stand what
doing nothing scores (`copy`), what geometry alone scores (`warp`) and what the true photos score
(`truth`, the ceiling of PCKh).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from vunet import metrics
from vunet.checkpoint import weights_name
from vunet.evaluation_sheet import (
    FIGURES,
    draw_stick,
    encode_tile,
    format_table,
    sheet_pairs,
    write_sheet,
)
from vunet.images import (
    ImageError,
    OutputError,
    check_output,
    read_image,
    shown,
    write_atomic,
)
from vunet.pair_table import Pair, PairsError, read_pairs
from vunet.pairs import KINDS

if TYPE_CHECKING:
    from pose.estimator import Detection, PoseEstimator

__all__ = [
    "FIGURES",
    "Case",
    "Judge",
    "Pair",
    "PairsError",
    "copy_row",
    "engine_row",
    "evaluate",
    "evaluate_files",
    "format_table",
    "read_pairs",
    "warp_row",
]

TRUTH = "truth"
"""Row of the true photos themselves: the ceiling of PCKh."""
IDEAL = "ideal"
"""Row of the true photos' people on plain ground: the best that a method can score which, as asked,
leaves the background plain."""
PLAIN = metrics.GREY
"""Grey level of plain ground."""
MOVENET_MINIMUM = 0.2
"""Score below which MoveNet counts as not having found a joint."""
POSE_MINIMUM = 0.5
"""Confidence below which a joint of the pose photo is not counted."""
_WARM_UP = 3

PROTOCOL = (
    "A row is given the appearance photo and the skeleton that MediaPipe finds in the pose photo, "
    "and draws the pose photo at its size.",
    "All figures are over the box of the pose photo's person (the box of its mask, widened and "
    "heightened by 10 %, cut off at the picture's border), both pictures cut to it and brought to "
    "256 px height, reduced by area averaging or enlarged linearly.",
    "-person: everything outside the person's mask, dilated by {rim} px at that height, is grey "
    "128 in both pictures. The mask is the file named in the column `mask`, or else MediaPipe's.",
    "SqPD-plain: as SqPD-person, but the true person is put on grey 128 through its mask first: "
    "a method is asked for a plain background, and SqPD-person holds against it what of the pose "
    "photo's own background lies in the dilated rim. The row `ideal` says how much that is.",
    "SqPD: SqueezeNet 1.0, outputs after features 1, 4, 5, 7, 8, 9, 10 and 12, brought to unit "
    "length over channels; mean over layers of the spatial mean of the squared difference summed "
    "over channels. It is not LPIPS and must not be compared with one.",
    "SSIM: scikit-image, gaussian_weights, sigma 1.5, use_sample_covariance False, data_range 255, "
    "channel_axis. Another protocol gives another figure.",
    "PCKh@0.5: MoveNet Lightning on the result, within the box above, against MediaPipe's skeleton "
    "of the pose photo: share of nose, shoulders, elbows, wrists, hips, knees and ankles within "
    "half a head length. The head length is 0.48 of the body scale (mean of the three largest of "
    "trunk, shoulder width / 0.72, thigh / 0.85, shin / 0.85, upper arm / 0.62). Joints outside "
    "the pose photo or of confidence below 0.5 are not counted; joints that MoveNet scores below "
    "0.2 are wrong. Joints of all pictures count alike.",
    "face: SqPD of the head box (1.5 head lengths a side, about the ears) at 96 px, on plain grey "
    "as in SqPD-plain; backs of heads count too.",
    "sharpness: mean gradient magnitude (np.gradient of the luma) 3 px and more inside the mask of "
    "the person at 256 px height, divided by the truth's; pairs count alike.",
    "Figures are means over the pairs on which every row gave a picture; the others are counted "
    "and listed. The mean is over these pairs, not over kinds.",
    "truth: the pose photo itself; its PCKh is the ceiling that the two detectors allow. "
    "ideal: its person on plain grey, the best that a method can score which leaves the background "
    "plain.",
    "ms: median time of one picture after the first three, without finding the people, where rows "
    "share an estimator that does it once for all; `vunet bench` measures end to end.",
)
"""How the figures are made, in words; it goes into every report."""


class Case:
    """A pair with its pictures, and what MediaPipe finds in them."""

    def __init__(self, pair: Pair, estimator: PoseEstimator) -> None:
        """Read the pictures.

        Raises:
            ValueError: If a picture cannot be read or the mask has another size.
        """
        self.pair = pair
        self._estimator = estimator
        self.appearance = read_image(pair.appearance)
        """(H, W, 3) uint8 RGB."""
        self.truth = read_image(pair.pose)
        """(H, W, 3) uint8 RGB, the pose photo."""
        self._mask = read_image(pair.mask)[..., 0] if pair.mask else None
        if self._mask is not None and self._mask.shape != self.truth.shape[:2]:
            raise ImageError(
                f"{shown(pair.mask or '')} has another size than {shown(pair.pose)}; "
                "make the mask from that photo"
            )

    @cached_property
    def source(self) -> Detection:
        """The person of the appearance photo.

        Raises:
            NoPersonFound: If there is none.
        """
        return self._estimator.find_one(self.appearance, shown(self.pair.appearance))

    @cached_property
    def target(self) -> Detection:
        """The person of the pose photo.

        Raises:
            NoPersonFound: If there is none.
        """
        return self._estimator.find_one(self.truth, shown(self.pair.pose))

    @property
    def mask(self) -> np.ndarray:
        """(H, W) mask of the person of the pose photo, uint8, or float32 in [0, 1]."""
        return self.target.mask if self._mask is None else self._mask

    @cached_property
    def plain_truth(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, the person of the pose photo on plain grey."""
        opaque = metrics.as_share(self.mask)[..., None]
        return np.round(opaque * self.truth + (1 - opaque) * PLAIN).astype(np.uint8)


Row = Callable[[Case], np.ndarray]
"""A method: from a case to (H, W, 3) uint8 RGB of the pose photo's size.

It raises ValueError, with a sentence, where it cannot draw.
"""


def copy_row(case: Case) -> np.ndarray:
    """Doing nothing: the appearance photo, its person's box stretched over the target's."""
    source, target = metrics.mask_box(case.source.mask), metrics.mask_box(case.mask)
    H, W = case.truth.shape[:2]
    picture = case.appearance
    sx, sy = (t / s for t, s in zip(target.wh, source.wh, strict=True))
    if min(sx, sy) < 0.5:  # sample from a reduced picture, or fine detail turns into noise
        wh = tuple(
            max(1, round(side * min(1.0, 2 * scale)))
            for side, scale in ((picture.shape[1], sx), (picture.shape[0], sy))
        )
        fx, fy = wh[0] / picture.shape[1], wh[1] / picture.shape[0]
        picture = cv2.resize(picture, (wh[0], wh[1]), interpolation=cv2.INTER_AREA)
        source = metrics.Box(source.x0 * fx, source.y0 * fy, source.x1 * fx, source.y1 * fy)
        sx, sy = sx / fx, sy / fy
    # warpAffine counts pixels by their middles: hence the half pixels
    matrix = np.array(
        [
            [sx, 0, target.x0 - sx * source.x0 + (sx - 1) / 2],
            [0, sy, target.y0 - sy * source.y0 + (sy - 1) / 2],
        ]
    )
    border = cv2.BORDER_REPLICATE
    return cv2.warpAffine(picture, matrix, (W, H), flags=cv2.INTER_LINEAR, borderMode=border)


def warp_row(case: Case) -> np.ndarray:
    """Geometry alone: each body part moved from the appearance photo, on plain grey."""
    from pose.complete import complete
    from vunet.warp import warp_person

    source, _ = complete(case.source.pose)
    target, _ = complete(case.target.pose)
    size = (case.truth.shape[0], case.truth.shape[1])
    rgb, alpha = warp_person(case.appearance, case.source.mask, source, target, size)
    opaque = alpha[..., None]
    return np.round(opaque * rgb + (1 - opaque) * PLAIN).astype(np.uint8)


class RememberingEstimator:
    """Finds the people of a photo once, however many rows ask."""

    KEPT = 8

    def __init__(self, estimator: PoseEstimator) -> None:
        self._estimator = estimator
        self._found: dict[tuple[bytes, tuple[int, ...], int], list[Detection]] = {}

    def find(self, image: np.ndarray, max_people: int = 1) -> list[Detection]:
        """See `PoseEstimator.find`."""
        key = hashlib.sha256(image.tobytes()).digest(), image.shape, max_people
        if key not in self._found:
            while len(self._found) >= self.KEPT:
                del self._found[next(iter(self._found))]
            self._found[key] = self._estimator.find(image, max_people)
        return self._found[key]

    def find_one(self, image: np.ndarray, name: str, person: int | None = None) -> Detection:
        """See `PoseEstimator.find_one`."""
        from pose.types import choose_person

        return choose_person(self.find(image, max_people=max(3, person or 1)), person, name)


def engine_row(
    model: str | Path,
    device: str = "auto",
    *,
    retarget: bool = False,
    estimator: RememberingEstimator | None = None,
) -> Row:
    """The network, through the engine, from the photos' files.

    Args:
        model: Name of shipped weights, or a weights file.
        device: auto, cpu or cuda.
        retarget: Keep the subject's limb lengths. Off, as both photos of a pair show the subject.
        estimator: Shared with other rows; the engine's own if None.

    Raises:
        ValueError: If the weights cannot be used.
    """
    from vunet.engine import Engine

    engine: Any = Engine.load(model, device=device)
    if estimator is not None:
        engine.estimator = estimator

    def draw(case: Case) -> np.ndarray:
        result = engine.repose(
            case.pair.appearance,
            pose=case.pair.pose,
            frame="pose",
            background="plain",
            retarget=retarget,
        )
        return result.image

    return draw


def baseline_row(network: Any, device: str = "auto") -> Row:  # noqa: ANN401 - several classes
    """A baseline network, from the same windows of the same photos as ours, on plain grey.

    Args:
        network: From `vunet.checkpoint.load_network`.
        device: auto, cpu or cuda.
    """
    from pose.complete import complete
    from vunet.engine import has_fast_bf16, pick_device
    from vunet.framing import points_of
    from vunet.render import (
        Subject,
        joints_in,
        on_canvas,
        source_window,
        subject_tensors,
        target_window,
    )

    place = pick_device(device)
    network = network.to(place)
    size, amp = network.config.size, has_fast_bf16(place)

    @torch.inference_mode()
    def draw(case: Case) -> np.ndarray:
        source, _ = complete(case.source.pose)
        target, _ = complete(case.target.pose)
        canvas = (case.truth.shape[0], case.truth.shape[1])
        subject = Subject(case.appearance, case.source.mask, source)
        windows = source_window(subject, size), target_window(target, canvas, size)
        tensors = [t.to(place) for t in subject_tensors(subject, windows[0])]
        joints = joints_in(windows[1], points_of(target, canvas)).to(place)
        painted = network(*tensors, joints, amp=amp)
        pixels = (painted.image + 1) * 127.5
        drawn = on_canvas(pixels, windows[1], canvas, cv2.INTER_CUBIC, elsewhere=PLAIN)
        return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)

    return draw


def network_row(
    model: str | Path,
    device: str = "auto",
    *,
    retarget: bool = False,
    estimator: RememberingEstimator | None = None,
) -> tuple[Row, dict[str, Any]]:
    """The row of weights of any kind: ours through the engine, a baseline from detected poses.

    Returns:
        The row, and what is known of the network: `file`, `network`, `size`, `parameters`, and what
        its trainer wrote, such as `steps`, `samples` and `minutes`.

    Raises:
        ValueError: If the weights cannot be used.
    """
    from vunet.checkpoint import load_network, read_facts, resolve_weights
    from vunet.model import Reposer

    network: Any = load_network(model)[0]
    facts: dict[str, Any] = {
        "file": str(model),
        "network": network.config.network,
        "size": list(network.config.size),
        "parameters": sum(p.numel() for p in network.parameters()),
    } | read_facts(resolve_weights(model)[0])
    if isinstance(network, Reposer):
        return engine_row(model, device, retarget=retarget, estimator=estimator), facts
    if retarget:
        raise ValueError(f"{model}: a baseline cannot keep limb lengths; leave retarget out")
    return baseline_row(network, device), facts


class Judge:
    """Takes the figures of a picture; holds the networks that judge."""

    def __init__(self, backbones: Path | None, rim_px: int = metrics.RIM_PX) -> None:
        """Load what is there.

        Args:
            backbones: Folder with the judging networks. Figures whose network is absent are None.
            rim_px: By how much the person's mask is dilated, at 256 px height.
        """
        self._rim_px = rim_px
        self.missing: dict[str, str] = {}
        """For each figure that cannot be had, a sentence that says why."""
        self._sqpd: metrics.SqPD | None = None
        self._movenet: metrics.MoveNet | None = None
        try:
            file = metrics.backbone_file(backbones, metrics.SQUEEZENET_FILE)
            self._sqpd = metrics.SqPD(file)
        except metrics.BackboneMissing as error:
            names = ("sqpd", "sqpd_person", "sqpd_plain", "face")
            self.missing |= dict.fromkeys(names, str(error))
        try:
            file = metrics.backbone_file(backbones, metrics.MOVENET_FILE)
            self._movenet = metrics.MoveNet(file)
        except metrics.BackboneMissing as error:
            self.missing["pckh"] = str(error)

    def __call__(self, picture: np.ndarray, case: Case) -> dict[str, Any]:
        """Figures of one picture.

        Args:
            picture: (H, W, 3) uint8 RGB of the pose photo's size.
            case: The pair it was drawn for.

        Returns:
            Each of `FIGURES`, None where it cannot be had, and under `joints` the right and the
            counted joints.

        Raises:
            ValueError: If the picture's size or type is wrong.
        """
        if picture.dtype != np.uint8 or picture.shape != case.truth.shape:
            raise ValueError(
                f"a row's picture must be {case.truth.shape} uint8, "
                f"got {picture.shape} {picture.dtype}"
            )
        figures: dict[str, Any] = dict.fromkeys(FIGURES)
        drawn, true, person = metrics.crop_to_person(picture, case.truth, case.mask)
        figures["sharpness"] = metrics.sharpness(drawn, true, person)
        _, _, person = metrics.crop_to_person(picture, case.truth, case.mask, self._rim_px)
        drawn_person = metrics.grey_outside(drawn, person)
        true_person = metrics.grey_outside(true, person)
        figures["ssim"] = metrics.ssim(drawn, true)
        figures["ssim_person"] = metrics.ssim(drawn_person, true_person)
        pose = case.target.pose
        if self._sqpd is not None:
            _, plain, _ = metrics.crop_to_person(picture, case.plain_truth, case.mask)
            plain = metrics.grey_outside(plain, person)
            three = self._sqpd(
                np.stack([drawn, drawn_person, drawn_person]), np.stack([true, true_person, plain])
            )
            figures["sqpd"], figures["sqpd_person"], figures["sqpd_plain"] = map(float, three)
            figures["face"] = self._face(picture, case)
        if self._movenet is not None:
            length = metrics.head_length(pose)
            box = metrics.mask_box(case.mask).grown(metrics.GROW)
            found = self._movenet(picture, box)
            found = metrics.visible_part(found, found.size or (0, 0), MOVENET_MINIMUM)
            truth = metrics.visible_part(pose, case.truth.shape[:2], POSE_MINIMUM)
            if math.isfinite(length):
                right, counted = metrics.pckh(found, truth, length)
                figures["joints"] = (right, counted)
                figures["pckh"] = right / counted if counted else None
        return figures

    def _face(self, picture: np.ndarray, case: Case) -> float | None:
        box = metrics.head_box(case.target.pose)
        H, W = case.truth.shape[:2]
        if box is None or self._sqpd is None:
            return None
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        if not (0 <= x <= W and 0 <= y <= H):
            return None
        box_grown = metrics.mask_box(case.mask).grown(metrics.GROW)
        person = metrics.dilated_mask(case.mask, box_grown, self._rim_px)
        pair = [metrics.grey_outside(image, person) for image in (picture, case.plain_truth)]
        return float(self._sqpd(*metrics.face_pair(pair[0], pair[1], box))[0])


def evaluate(
    rows: Mapping[str, Row],
    pairs: Sequence[Pair],
    *,
    backbones: Path | None = None,
    rim_px: int = metrics.RIM_PX,
    estimator: PoseEstimator | None = None,
    device: str = "cpu",
    sheet: Path | None = None,
    worst_of: str | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Figures of several methods on the same pairs.

    Args:
        rows: Methods by name; the rows `truth` and `ideal` are added.
        pairs: From `read_pairs`.
        backbones: Folder with the judging networks, from `metrics.find_backbones`.
        rim_px: By how much the person's mask is dilated for SqPD-person and its like.
        estimator: MediaPipe's detector; made where None.
        device: Named in the report, beside the times.
        sheet: JPEG to write, of 24 pairs drawn by the seed, among them the eight worst.
        worst_of: Row whose SqPD-person decides which pairs are worst; the last row if None.
        seed: For the pairs of the sheet.
        quiet: No progress bar.

    Returns:
        A report that JSON can hold. `rows`: for each row `kinds` and `mean` (a dictionary of the
        figures, null where one cannot be had, and `count`), `failed` (pair and reason), `ms` and
        `pairs` (figures of each pair). `missing`: why a figure is null. `skipped`: pairs that no
        row could draw, and why. `compared`: pairs over which the figures are taken. `protocol`.

    Raises:
        ValueError: If there are no rows or no pairs, or one is named `truth` or `ideal`.
    """
    if not rows or not pairs or {TRUTH, IDEAL} & set(rows):
        raise ValueError(f"evaluation needs pairs and rows, none named {TRUTH} or {IDEAL}")
    if estimator is None:
        from pose.estimator import PoseEstimator

        estimator = PoseEstimator()
    judge = Judge(backbones, rim_px)
    methods: dict[str, Row] = {
        **rows,
        IDEAL: lambda case: case.plain_truth,
        TRUTH: lambda case: case.truth,
    }
    taken: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in methods}
    failed: dict[str, list[dict[str, str]]] = {name: [] for name in methods}
    times_ms: dict[str, list[float]] = {name: [] for name in methods}
    skipped: list[dict[str, str]] = []
    tiles: dict[int, dict[str, bytes]] = {}
    for index, pair in enumerate(tqdm(pairs, desc="evaluate", unit="pair", disable=quiet)):
        try:
            case = Case(pair, estimator)
            _ = case.target, case.source
            metrics.mask_box(case.mask)
        except ValueError as error:
            skipped.append(_names(pair) | {"reason": str(error)})
            continue
        tiles[index] = _input_tiles(case) if sheet else {}
        for name, method in methods.items():
            start = time.perf_counter()
            try:
                picture = method(case)
            except ValueError as error:
                failed[name].append(_names(pair) | {"reason": str(error)})
                continue
            times_ms[name].append(1000 * (time.perf_counter() - start))
            taken[name][index] = judge(picture, case)
            if sheet:
                crop, _, _ = metrics.crop_to_person(picture, case.truth, case.mask)
                tiles[index][name] = encode_tile(crop)
    # a row that never draws would leave nothing to compare the others on
    drawing = [name for name in methods if taken[name]]
    compared = [
        index for index in range(len(pairs)) if drawing and all(index in taken[n] for n in drawing)
    ]
    kinds = list(dict.fromkeys((*KINDS, *(pair.kind for pair in pairs))))
    report: dict[str, Any] = {
        "protocol": [sentence.replace("{rim}", str(rim_px)) for sentence in PROTOCOL],
        "rim_px": rim_px,
        "device": device,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "given": len(pairs),
        "compared": len(compared),
        "skipped": skipped,
        "missing": judge.missing,
        "rows": {},
    }
    for name in methods:
        mine = {i: taken[name][i] for i in compared if i in taken[name]}
        by_kind = {
            kind: _mean([f for i, f in mine.items() if pairs[i].kind == kind]) for kind in kinds
        }
        late = times_ms[name][_WARM_UP:] or times_ms[name]
        report["rows"][name] = {
            "kinds": {kind: figures for kind, figures in by_kind.items() if figures["count"]},
            "mean": _mean(list(mine.values())),
            "failed": failed[name],
            "ms": round(float(np.median(late)), 1) if late and name in rows else None,
            "pairs": [
                _names(pairs[i]) | {"kind": pairs[i].kind} | {k: f[k] for k in FIGURES}
                for i, f in taken[name].items()
            ],
        }
    if sheet:
        worst_of = worst_of or list(rows)[-1]
        scores = {i: taken[worst_of][i]["sqpd_person"] for i in compared if i in taken[worst_of]}
        drawn, worst = sheet_pairs({i: score or 0.0 for i, score in scores.items()}, seed)
        order = [(i, i in worst) for i in (*drawn, *worst)]
        write_sheet(sheet, [_sheet_line(pairs[i], tiles[i], taken, i, bad) for i, bad in order])
        report["sheet"] = {"worst_of": worst_of, "seed": seed, "pairs": len(order)}
    return report


def evaluate_files(
    pairs_csv: Path,
    models: Sequence[str | Path] = ("person",),
    *,
    json_path: Path | None = None,
    sheet: Path | None = None,
    backbones: Path | None = None,
    rim_px: int = metrics.RIM_PX,
    device: str = "auto",
    retarget: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """What `vunet evaluate` does: `copy`, `warp` and networks on a table of pairs.

    Args:
        pairs_csv: Table of pairs, see `read_pairs`.
        models: Names of shipped weights or weights files, baselines among them; the sheet's worst
            pairs are those of the first.
        json_path: Where to write the report.
        sheet: Where to write the sheet of pictures, a JPEG.
        backbones: Folder with the judging networks; `shared/backbones` in or beside the repository
            if None.
        rim_px: See `evaluate`.
        device: auto, cpu or cuda.
        retarget: Keep the subject's limb lengths, see `engine_row`.
        quiet: No progress bar.

    Returns:
        The report of `evaluate`, with what is known of the models, and the table's name.

    Raises:
        ValueError: With a sentence, if an input or output cannot be used.
    """
    # before minutes of work, what would spoil its end
    if sheet is not None:
        check_output(sheet)
        if sheet.suffix.lower() not in (".jpg", ".jpeg"):
            raise OutputError(f"{shown(sheet)} is to be a JPEG; give a name ending in .jpg")
    if json_path is not None and json_path.is_dir():
        raise OutputError(f"{shown(json_path)} is a folder; give the name of a file inside it")
    pairs = read_pairs(pairs_csv)
    folder = metrics.find_backbones(backbones)
    rows: dict[str, Row] = {"copy": copy_row, "warp": warp_row}
    facts: dict[str, dict[str, Any]] = {}
    from pose.estimator import PoseEstimator

    estimator: Any = RememberingEstimator(PoseEstimator())
    for model in models:
        name = weights_name(model, (*rows, IDEAL, TRUTH))
        rows[name], facts[name] = network_row(model, device, retarget=retarget, estimator=estimator)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    report = evaluate(
        rows,
        pairs,
        backbones=folder,
        rim_px=rim_px,
        estimator=estimator,
        device=device,
        sheet=sheet,
        worst_of=next(iter(facts), None),
        quiet=quiet,
    ) | {"models": facts}
    report["retarget"] = retarget
    report["table"] = pairs_csv.name
    if json_path is not None:
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomic(json_path, (text + "\n").encode("utf-8"))
    return report


def _names(pair: Pair) -> dict[str, str]:
    return {"appearance": pair.appearance.name, "pose": pair.pose.name}


def _mean(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of the figures of several pairs; PCKh over their joints."""
    means: dict[str, Any] = {"count": len(figures)}
    for name in FIGURES:
        values = [f[name] for f in figures if f[name] is not None]
        means[name] = round(float(np.mean(values)), 4) if values else None
    joints = np.array([f["joints"] for f in figures if f.get("joints")]).reshape(-1, 2).sum(axis=0)
    means["pckh"] = round(float(joints[0] / joints[1]), 4) if joints[1] else None
    return means


def _input_tiles(case: Case) -> dict[str, bytes]:
    """Tiles of what goes in: the person of the appearance photo and the skeleton asked for."""
    box = metrics.mask_box(case.source.mask).grown(metrics.GROW)
    appearance = metrics.cut(case.appearance, box, metrics.cut_size(box))
    stick = draw_stick(case.target.pose, (case.truth.shape[0], case.truth.shape[1]))
    stick, _, _ = metrics.crop_to_person(stick, case.truth, case.mask)
    return {"appearance": encode_tile(appearance), "pose": encode_tile(stick)}


def _sheet_line(
    pair: Pair,
    tiles: Mapping[str, bytes],
    taken: Mapping[str, Mapping[int, Mapping[str, Any]]],
    index: int,
    worst: bool,
) -> list[tuple[str, bytes | None]]:
    """Tiles and captions of a pair: what goes in, each row with its SqPD-person, and the truth."""
    line = [
        (f"WORST {pair.kind}" if worst else pair.kind, tiles.get("appearance")),
        ("pose", tiles.get("pose")),
    ]
    for name, figures in taken.items():
        score = figures.get(index, {}).get("sqpd_person")
        if name == IDEAL:
            continue
        caption = name if score is None or name == TRUTH else f"{name} {score:.3f}"
        line.append((caption, tiles.get(name)))
    return line
