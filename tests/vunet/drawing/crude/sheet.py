"""The crude drawings painted: `python -m tests.vunet.drawing.crude.sheet SET OUT.jpg`.

A row for each drawing: the drawing, then twice a photo (of its class, where the set has classes)
and the drawing in that photo's look, then three sampled looks. SET is a held-back set of `vunet
prepare --drawings`; which photos are taken is decided by a fixed seed, before anybody looked.
`--people` takes the drawings of people; `--model` names other weights than `garment`.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tests.vunet.drawing.crude.people import PEOPLE
from tests.vunet.drawing.crude.strokes import DRAWINGS
from vunet.dataset import open_dataset
from vunet.engine import Engine
from vunet.images import read_image

HERE = Path(__file__).parent
SEED = 3
TILE_WH = (192, 256)
_HALVED_FROM = 10
"""So many rows stand in two columns."""
_WIDTH_PX = 1850
_MOST_BYTES = 700_000


def rows(data: Path, model: str, kinds: dict[str, str]) -> list[np.ndarray]:
    """A row of pictures for each drawing.

    Args:
        data: Set of drawings.
        model: Weights by name or file.
        kinds: Name and class of each drawing; "" where it has none.

    Returns:
        (H, W, 3) uint8 RGB each, of one size.
    """
    engine, photos = Engine.load(model, device="cpu"), open_dataset(data)
    labels = [str(row["label"]) for row in photos.index]
    rng = random.Random(SEED)
    found = []
    for name, kind in tqdm(kinds.items(), unit="drawing"):
        drawing = read_image(HERE / f"{name}.png")
        row = [cv2.resize(drawing, TILE_WH, interpolation=cv2.INTER_AREA)]
        for i in rng.sample([i for i, label in enumerate(labels) if label == kind], 2):
            photo = np.array(photos.arrays["images"][i])
            row += [photo, engine.draw(drawing, photo, size=TILE_WH[1])[0].image]
        sampled = engine.draw(drawing, kind=kind or None, n=3, size=TILE_WH[1])
        row += [picture.image for picture in sampled]
        found.append(np.hstack(row))
    return found


def sheet(rows: list[np.ndarray]) -> bytes:
    """Rows as one JPEG, which is small enough to be kept beside the weights."""
    columns = 2 if len(rows) >= _HALVED_FROM else 1
    rows = rows + [np.full_like(rows[0], 255)] * (-len(rows) % columns)
    each = len(rows) // columns
    whole = np.hstack([np.vstack(rows[k * each : (k + 1) * each]) for k in range(columns)])
    scale = min(1.0, _WIDTH_PX / whole.shape[1])
    whole = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    quality = 90
    while True:
        _, coded = cv2.imencode(".jpg", whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if coded.nbytes <= _MOST_BYTES or quality < 50:
            return coded.tobytes()
        quality -= 4


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--people", action="store_true")
    parser.add_argument("--model", default="garment")
    given = parser.parse_args()
    garments = {name: garment.kind for name, garment in DRAWINGS.items()}
    kinds = dict.fromkeys(PEOPLE, "") if given.people else garments
    given.out.write_bytes(sheet(rows(given.set, given.model, kinds)))


if __name__ == "__main__":
    main()
