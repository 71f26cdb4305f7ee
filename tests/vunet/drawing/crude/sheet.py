"""The crude drawings painted: `python -m tests.vunet.drawing.crude.sheet SET OUT.jpg`.

A row for each drawing: the drawing, then twice a photo of its class and the drawing in that photo's
look, then three sampled looks. SET is the held-back set of `vunet prepare --drawings things`; which
photos are taken is decided by a fixed seed, before anybody looked.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import cv2
import numpy as np

from tests.vunet.drawing.crude.strokes import DRAWINGS, drawn
from vunet.dataset import open_dataset
from vunet.engine import Engine

SEED = 3


def main() -> None:
    """Write the sheet."""
    data, out = open_dataset(Path(sys.argv[1])), Path(sys.argv[2])
    engine = Engine.load("garment", device="cpu")
    labels = [str(row["label"]) for row in data.index]
    rng = random.Random(SEED)
    rows = []
    for kind, strokes in DRAWINGS.values():
        drawing = drawn(strokes)
        row = [cv2.resize(drawing, (192, 256), interpolation=cv2.INTER_AREA)]
        same = [i for i, label in enumerate(labels) if label == kind]
        for i in rng.sample(same, 2):
            photo = np.array(data.arrays["images"][i])
            row += [photo, engine.draw(drawing, photo, size=256)[0].image]
        row += [p.image for p in engine.draw(drawing, kind=kind, n=3, size=256)]
        rows.append(np.hstack(row))
    half = (len(rows) + 1) // 2
    blank = [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack([*rows[half:], *blank])])
    small = cv2.resize(sheet, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(out), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])


if __name__ == "__main__":
    main()
