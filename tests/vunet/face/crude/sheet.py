"""The crude faces, and what is painted of them: `python -m tests.vunet.face.crude.sheet OUT.jpg`.

Each drawing; as it is refined half way; painted by its strokes alone, refined a little, half and
wholly; two further looks half refined. All of them, none chosen; looks are sampled by the seed 0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from vunet.engine import Engine
from vunet.face.manifolds import Sliders
from vunet.face.painter import FacePainter
from vunet.images import read_image

FOLDER = Path(__file__).parent
CELL_PX = 144
AMOUNTS = (0.0, 0.3, 0.6, 1.0)
BLOCKS = 2


def row(painter: FacePainter, path: Path) -> list[np.ndarray]:
    """The pictures of one drawing, square, RGB."""
    drawing = read_image(path)
    side = max(drawing.shape[:2])
    paper = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - drawing.shape[0]) // 2, (side - drawing.shape[1]) // 2
    paper[top : top + drawing.shape[0], left : left + drawing.shape[1]] = drawing
    face = painter.read(drawing)
    half = painter.refine(face, Sliders({}, 0.5))
    ink = np.rint(255 - 255 * half.ink).astype(np.uint8)
    cells = [paper, np.repeat(ink[..., None], 3, 2)]
    cells += [painter.paint(face, sliders=Sliders({}, a), size=256).image for a in AMOUNTS]
    cells += [painter.paint(face, refined=half, seed=seed, size=256).image for seed in (1, 2)]
    return cells


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description="Paint the crude faces.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="face")
    parser.add_argument("--parts", default="face-parts")
    a = parser.parse_args()
    painter = Engine.load(a.model).face_painter(None, a.parts)
    rows = []
    for path in sorted(FOLDER.glob("*.png")):
        cells = [
            cv2.resize(c, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA)
            for c in row(painter, path)
        ]
        rows.append(np.hstack(cells))
    high = -(-len(rows) // BLOCKS)
    blocks = [np.vstack(rows[k * high : (k + 1) * high]) for k in range(BLOCKS)]
    gap = np.full((blocks[0].shape[0], 12, 3), 255, np.uint8)
    sheet = np.hstack([blocks[0], gap, blocks[1]])
    cv2.imwrite(str(a.out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
