"""Photos found by the crude drawings: `python -m tests.vunet.drawing.crude.find SET`.

SET is a held-back set of `vunet prepare --drawings things`. No photo is the one that was drawn, so
what counts is the class: how often a photo of the drawn class is the first, or among the first ten,
and which share of the first ten is; beside it, what chance gives.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tests.vunet.drawing.crude.strokes import DRAWINGS
from vunet.dataset import open_dataset
from vunet.gallery.embedder import load_embedder
from vunet.images import read_image

HERE = Path(__file__).parent


def main() -> None:
    """Print the figures, and the classes found first by each drawing."""
    photos, net = open_dataset(Path(sys.argv[1])), load_embedder("find", "cpu")
    labels = np.array([str(row["label"]) for row in photos.index])
    chunks = np.array_split(np.arange(len(photos)), max(1, len(photos) // 32))
    vectors = np.concatenate(
        [
            net.photos(
                [np.array(photos.arrays["images"][i]) for i in rows],
                [np.array(photos.arrays["masks"][i]) for i in rows],
            )[0]
            for rows in tqdm(chunks, unit="batch")
        ]
    )
    first, among, share, chance = [], [], [], []
    for name, garment in DRAWINGS.items():
        scores = vectors @ net.drawing(read_image(HERE / f"{name}.png"))
        found = labels[np.argsort(-scores)[:10]]
        right = found == garment.kind
        first.append(right[0])
        among.append(right.any())
        share.append(right.mean())
        chance.append((labels == garment.kind).mean())
        said = f"{name:16} {garment.kind:12} {right.sum():2} of 10: {', '.join(found[:5])}\n"
        sys.stdout.write(said)
    sys.stdout.write(
        f"{len(DRAWINGS)} drawings, {len(labels)} photos: right class first {np.mean(first):.2f}, "
        f"among ten {np.mean(among):.2f}, share of ten {np.mean(share):.2f} "
        f"(chance {np.mean(chance):.2f})\n"
    )


if __name__ == "__main__":
    main()
