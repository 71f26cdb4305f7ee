"""What people see of an evaluation: Markdown tables and the sheet of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pose.types import Pose
from vunet.images import write_atomic
from vunet.metrics import GREY

FIGURES = ("sqpd", "sqpd_person", "sqpd_plain", "ssim", "ssim_person", "pckh", "face", "sharpness")
"""Figures of every row, in the order of every table."""
TITLES = {
    "sqpd": "SqPD ↓",
    "sqpd_person": "SqPD-person ↓",
    "sqpd_plain": "SqPD-plain ↓",
    "ssim": "SSIM ↑",
    "ssim_person": "SSIM-person ↑",
    "pckh": "PCKh@0.5 ↑",
    "face": "face ↓",
    "sharpness": "sharpness → 1",
}
SHEET_PAIRS, SHEET_WORST = 24, 8
"""Pairs on a sheet, and how many of them are there for being the worst."""
_TILE_HW = (192, 144)
_CAPTION_PX = 16
_STICK_MINIMUM = 0.25


def format_table(report: Mapping[str, Any]) -> str:
    """The report for people: one Markdown table per kind and for the mean, and what was left out.

    Args:
        report: From `evaluate`.
    """
    lines: list[str] = []
    rows: Mapping[str, Any] = report["rows"]
    kinds = list(dict.fromkeys(kind for row in rows.values() for kind in row["kinds"]))
    for kind in (*kinds, "mean"):
        parts = {n: r["mean"] if kind == "mean" else r["kinds"].get(kind) for n, r in rows.items()}
        count = max((part["count"] for part in parts.values() if part), default=0)
        lines += [f"**{kind}** ({count} pairs)", ""]
        extra = (" ms |", "---:|") if kind == "mean" else ("", "")
        lines.append("| row | " + " | ".join(TITLES[f] for f in FIGURES) + " |" + extra[0])
        lines.append("|---|" + "---:|" * len(FIGURES) + extra[1])
        for name, part in parts.items():
            cells = [_cell(part[f] if part else None) for f in FIGURES]
            if kind == "mean":
                ms = rows[name]["ms"]
                cells.append("-" if ms is None else f"{ms:.0f}")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    lines.append(
        f"{report['compared']} of {report['given']} pairs compared; {report['threads']} threads, "
        f"device {report['device']}, rim {report['rim_px']} px."
    )
    for name, facts in report.get("models", {}).items():
        height, width = facts["size"]
        line = f"{name}: {facts['network']} {height}x{width}, "
        line += f"{facts['parameters'] / 1e6:.1f} M parameters"
        if {"samples", "minutes"} <= set(facts):
            line += f", {facts['samples']} samples in {facts['minutes']:.0f} minutes of training"
        lines.append(line)
    for name, row in rows.items():
        if row["failed"]:
            reason = row["failed"][0]["reason"]
            lines.append(f"{name} failed on {len(row['failed'])} pairs, the first: {reason}")
    if report["skipped"]:
        first = report["skipped"][0]["reason"]
        lines.append(f"{len(report['skipped'])} pairs were skipped, the first: {first}")
    for reason, figures in _by_reason(report["missing"]).items():
        lines.append(f"No {', '.join(figures)}: {reason}")
    return "\n".join(lines) + "\n"


def _by_reason(missing: Mapping[str, str]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for figure, reason in missing.items():
        reasons.setdefault(reason, []).append(figure)
    return reasons


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def sheet_pairs(scores: Mapping[int, float], seed: int) -> tuple[list[int], list[int]]:
    """Which pairs a sheet shows.

    Args:
        scores: Score of each pair, higher is worse.
        seed: For those that are drawn.

    Returns:
        Pairs drawn from all but the worst, in order; and the `SHEET_WORST` worst, worst first.
    """
    worst = sorted(scores, key=lambda i: (-scores[i], i))[:SHEET_WORST]
    others = [i for i in sorted(scores) if i not in worst]
    count = min(len(others), SHEET_PAIRS - len(worst))
    drawn = np.random.default_rng(seed).choice(len(others), count, replace=False) if count else []
    return sorted(others[int(i)] for i in drawn), worst


def encode_tile(image: np.ndarray) -> bytes:
    """A (H, W, 3) uint8 picture as the JPEG of a tile of the sheet, fitted into it on grey.

    Hundreds of tiles wait in memory until it is known which pairs are the worst.
    """
    height, width = _TILE_HW
    ratio = min(height / image.shape[0], width / image.shape[1])
    wh = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
    tile = np.full((height, width, 3), GREY, np.uint8)
    x, y = (width - wh[0]) // 2, (height - wh[1]) // 2
    small = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
    tile[y : y + wh[1], x : x + wh[0]] = small
    return _jpeg(tile, 95)


def draw_stick(pose: Pose, size: tuple[int, int]) -> np.ndarray:
    """The skeleton on black, without joints that are hardly seen.

    Returns:
        (H, W, 3) uint8 RGB: the person's left side green, the right red, the middle white.
    """
    canvas = np.zeros((*size, 3), np.uint8)
    thickness = max(2, size[0] // 128)
    for a, b in pose.skeleton.edges:
        ends = np.array([pose.point(a), pose.point(b)])
        weight = min(pose.confidence[pose.skeleton.index[name]] for name in (a, b))
        if not np.isfinite(ends).all() or weight < _STICK_MINIMUM:
            continue
        sides = {name.split("_")[0] for name in (a, b)} & {"left", "right"}
        colour = (255, 255, 255)
        if len(sides) == 1:
            colour = (80, 220, 80) if "left" in sides else (240, 80, 80)
        (x0, y0), (x1, y1) = ends.round().astype(int).tolist()
        cv2.line(canvas, (x0, y0), (x1, y1), colour, thickness, cv2.LINE_AA)
    return canvas


def write_sheet(path: Path, lines: Sequence[Sequence[tuple[str, bytes | None]]]) -> None:
    """Write a sheet of pictures as JPEG, in two columns of lines.

    Args:
        path: Where to.
        lines: For each pair its tiles, with the words below each; None leaves a tile white.

    Raises:
        OutputError: If the file cannot be written.
    """
    height, width = _TILE_HW
    columns = max((len(line) for line in lines), default=1)
    drawn = []
    for line in lines:
        strip = np.full((height + _CAPTION_PX, width * columns + 8, 3), 255, np.uint8)
        for place, (caption, data) in enumerate(line):
            x = place * width
            if data is not None:
                tile = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
                assert tile is not None
                strip[:height, x : x + width] = tile
            _write_text(strip, caption[:20], (x + 3, height + _CAPTION_PX - 4))
        drawn.append(strip)
    blank = np.full((height + _CAPTION_PX, width * columns + 8, 3), 255, np.uint8)
    drawn += [blank] * (len(drawn) % 2 if drawn else 2)
    half = len(drawn) // 2
    write_atomic(path, _jpeg(np.hstack([np.vstack(drawn[:half]), np.vstack(drawn[half:])]), 88))


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    bgr = np.ascontiguousarray(image[..., ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def _write_text(image: np.ndarray, text: str, place_xy: tuple[int, int]) -> None:
    ascii_text = text.encode("ascii", "replace").decode("ascii")
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, ascii_text, place_xy, font, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
