"""The model card's sheet of street photos: people never trained on, each in eight preset poses.

`python -m vunet.street_sheet PHOTOS --out weights/person_street.jpg`

Photos are drawn by a seed from those that `vunet.holdout` keeps out of training, and all that are
drawn are shown: a photo that cannot be used leaves white tiles.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vunet.engine import Engine
from vunet.evaluation_sheet import encode_tile, write_sheet
from vunet.holdout import is_validation_photo
from vunet.images import read_image

PEOPLE = 12
POSES = (
    "arms_up",
    "hands_on_hips",
    "walking_left",
    "side_view_left",
    "back_view",
    "dance_1",
    "sitting",
    "yoga_tree",
)


def street_sheet(
    photos: Path, out: Path, model: str = "person", seed: int = 0, quiet: bool = False
) -> list[str]:
    """Write the sheet.

    Args:
        photos: Folder of street photos.
        out: JPEG to write.
        model: Weights, by name or file.
        seed: Draws the people.
        quiet: No progress bar.

    Returns:
        Names of the photos shown.

    Raises:
        ValueError: If the folder holds no photo that was kept out of training.
    """
    held_out = [p for p in sorted(photos.glob("*.jpg")) if is_validation_photo(p.stem)]
    if not held_out:
        raise ValueError(f"{photos}: no photos (.jpg) here whose names are kept out of training")
    order = np.random.default_rng(seed).permutation(len(held_out))[:PEOPLE]
    chosen = [held_out[i] for i in sorted(order)]
    engine = Engine.load(model)
    lines: list[list[tuple[str, bytes | None]]] = []
    for path in tqdm(chosen, desc="draw", unit="person", disable=quiet):
        line: list[tuple[str, bytes | None]] = [(path.stem, encode_tile(read_image(path)))]
        for pose in POSES:
            try:
                tile = encode_tile(engine.repose(path, pose).image)
            except ValueError:
                tile = None
            line.append((pose, tile))
        lines.append(line)
    write_sheet(out, lines)
    return [path.name for path in chosen]


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description="Street photos in preset poses, for the card.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="person")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    street_sheet(a.photos, a.out, a.model, a.seed)


if __name__ == "__main__":
    main()
