"""Art direction: named ways in which the looks of the training faces differ most.

The looks (latents) of the training photos are laid out by their principal components; what each
means was found by looking at faces painted along it, and stands in `directions.json` beside the
numbers. Made by `python -m vunet.face.directions`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from vunet.dataset import Dataset, open_dataset
from vunet.drawing.painter import Painter
from vunet.drawing.sheet import DrawingError, Sheet
from vunet.images import write_atomic

FILE = Path(__file__).with_name("directions.json")
COUNT = 6
FARTHEST = 3.0
"""Most that a look may go in a direction, in standard deviations."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Named directions of a network's looks."""

    names: tuple[str, ...]
    lows: tuple[str, ...]
    """What the negative end of each looks like, ..."""
    highs: tuple[str, ...]
    """... and the positive one."""
    axes: np.ndarray
    """(D, S, Z): one standard deviation each."""

    def shift(self, amounts: Mapping[str, float]) -> np.ndarray:
        """(S, Z) what is added to a look.

        Raises:
            DrawingError: If a name is unknown, or an amount is no number from -3 to 3.
        """
        total = np.zeros(self.axes.shape[1:])
        for name, amount in amounts.items():
            if name not in self.names:
                known = ", ".join(self.names)
                raise DrawingError(f"{name!r} is no direction of looks; there are {known}")
            if not -FARTHEST <= amount <= FARTHEST:
                raise DrawingError(f"{name} must be from -{FARTHEST:g} to {FARTHEST:g}")
            total += amount * self.axes[self.names.index(name)]
        return total


def load_directions(weights_sha256: str, file: Path = FILE) -> Directions | None:
    """The directions of these weights; None for others than those that ship."""
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["weights"] != weights_sha256:
        return None
    rows = told["directions"]
    return Directions(
        tuple(row["name"] for row in rows),
        tuple(row["low"] for row in rows),
        tuple(row["high"] for row in rows),
        np.array([row["axis"] for row in rows], np.float64),
    )


def principal(looks: np.ndarray, count: int = COUNT) -> np.ndarray:
    """The main directions of looks (N, S, Z): (count, S, Z), each one standard deviation long.

    Signs are so that the largest number of each is positive.
    """
    flat = looks.reshape(len(looks), -1).astype(np.float64)
    _, s, v = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    axes = v[:count] * (s[:count, None] / np.sqrt(len(flat)))
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
    return (axes * signs[:, None]).reshape(-1, *looks.shape[1:])


def _looks(painter: Painter, faces: Dataset) -> np.ndarray:
    """(N, S, Z) of all photos of a set."""
    height, width = painter.model.config.size
    found = []
    for image in tqdm(faces.arrays["images"], desc="looks", unit="face"):
        small = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)
        x = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.inference_mode():
            found.append(painter.model.latents_of(x.to(painter.device))[0].float().cpu().numpy())
    return np.stack(found)


def main() -> None:
    """Write the directions of weights, and a sheet of faces painted along each, to look at."""
    from vunet.engine import Engine

    parser = argparse.ArgumentParser(description="Find the main directions of faces' looks.")
    parser.add_argument("faces", type=Path, help="set of portraits that was trained on")
    parser.add_argument("--model", default="face")
    parser.add_argument("--name", action="append", default=[], metavar="NAME:LOW:HIGH")
    parser.add_argument("--sheet", type=Path, required=True)
    a = parser.parse_args()
    faces = open_dataset(a.faces)
    painter = Engine.load(a.model).painter()
    axes = principal(_looks(painter, faces))
    rows = []
    for i in np.linspace(0, len(faces) - 1, 3).astype(int):
        height, width = painter.model.config.size
        ink = cv2.resize(np.asarray(faces.arrays["sketches"][i]), (width, height))
        sheet = Sheet(np.repeat(ink[..., None], 3, 2), (0, 0, width, height), ())
        for axis in axes:
            row = [
                painter.paint(sheet, temperature=0, size=128, shift=step * axis).image
                for step in (-2, -1, 0, 1, 2)
            ]
            rows.append(np.hstack(row))
    cells = [np.vstack(rows[k * len(axes) : (k + 1) * len(axes)]) for k in range(3)]
    cv2.imwrite(str(a.sheet), np.hstack(cells)[..., ::-1])
    told = [name.split(":") for name in a.name]
    directions = [
        {"name": name, "low": low, "high": high, "axis": np.round(axis, 4).tolist()}
        for (name, low, high), axis in zip(told, axes, strict=False)
    ]
    content = {"weights": painter.weights_sha256, "directions": directions}
    write_atomic(FILE, (json.dumps(content) + "\n").encode("utf-8"))


if __name__ == "__main__":
    main()
