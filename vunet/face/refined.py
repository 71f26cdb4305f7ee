"""What the painter will be asked: a set of faces, drawn anew by their manifolds.

`python -m vunet.face.refined SET --parts face-parts --out SET2`. Each face's sketch, or the lines
of its photo in some hand, is made worse and refined by random sliders; a face is never its own
neighbour. Learned from beside the set itself, so that soft, blended lines are painted as well as
pencils are.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from vunet.checkpoint import load_face_parts
from vunet.dataset import Dataset, DatasetWriter, open_dataset
from vunet.drawing.lines import styled
from vunet.face.degrade import Harm, degraded
from vunet.face.manifolds import Manifolds, Sliders
from vunet.face.parts import NAMES, POINTS
from vunet.gallery.framing import ink_of

_BY_ARTIST = 0.6
_HARMED = 0.5


def write_refined(
    faces: Dataset, manifolds: Manifolds, out: Path, *, seed: int = 0, quiet: bool = False
) -> int:
    """Write the set.

    Args:
        faces: The set, of kind "portraits", whose codes the manifolds hold in its order.
        manifolds: Refine its sketches.
        out: Folder of the new set.
        seed: Decides harms and sliders.
        quiet: No progress bar.

    Returns:
        How many there are.
    """
    place = 0  # of the face among the manifolds' codes
    with DatasetWriter(out, "portraits", {"part": "refined"}) as writer:
        for i, row in enumerate(tqdm(faces.index, desc="refine", unit="face", disable=quiet)):
            if not row.get("drawn"):
                continue
            rng = np.random.default_rng((seed, i))
            ink = _drawn(faces, i, rng)
            if rng.random() < _HARMED:
                points = np.asarray(faces.arrays["landmarks"][i])[list(POINTS), :2] / len(ink)
                much = rng.random(4)
                harm = Harm(0.3 * much[0], 0.01 * much[1], 0.06, 0.4 * much[2], 0.3 * much[3])
                ink, _, _ = degraded(ink, points, rng, harm)
            sliders = Sliders({name: float(rng.uniform(0.2, 1)) for name in NAMES})
            own = frozenset({2 * place, 2 * place + 1})
            refined = manifolds.refine(manifolds.read(ink), sliders, without=own)
            entry = {name: np.asarray(array[i]) for name, array in faces.arrays.items()}
            entry["sketches"] = np.rint(255 - 255 * refined.ink).astype(np.uint8)
            writer.add({**row, "refined": True}, entry)
            place += 1
        return writer.count


def _drawn(faces: Dataset, i: int, rng: np.random.Generator) -> np.ndarray:
    """(256, 256) ink, the artist's or another hand's."""
    if rng.random() < _BY_ARTIST:
        return ink_of(np.asarray(faces.arrays["sketches"][i]))
    maps = torch.from_numpy(np.array(faces.arrays["lines"][i]))[None].float() / 255
    return styled(maps, int(rng.integers(2**31)))[0, 0].numpy()


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description="Draw a set of faces anew.")
    parser.add_argument("faces", type=Path)
    parser.add_argument("--parts", default="face-parts")
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    net, _ = load_face_parts(a.parts)
    count = write_refined(open_dataset(a.faces), Manifolds(net), a.out)
    sys.stdout.write(f"{a.out}: {count} faces\n")


if __name__ == "__main__":
    main()
