"""How well a network reads garments: hanging cloth, skirts and bags, beside people's labels.

    vunet prepare PHOTOS --labels LABELS --detected-masks --holdout only-photo --out HELD
    python -m vunet.garment_check HELD

Pixels count at a quarter of the network's size, within the mask and where labels tell; a skirt is
one where the same reading of the true labels finds one, and legs are without cloth between them
likewise, where the photo shows them (`trousers`). Closer framings count, too.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vunet import geometry as geo
from vunet.checkpoint import load_reposer
from vunet.dataset import CARRIED, CLOTH, UNKNOWN, Dataset, DatasetError, open_dataset
from vunet.looks import read_legs
from vunet.render import to_array
from vunet.skirts import skirt_of

_UNTOLD = 0.2
"""Share of the legs' places of which labels may say nothing where legs count."""


@dataclass
class Tally:
    """What was found, beside what there is."""

    right: int = 0
    found: int = 0
    there: int = 0

    def add(self, found: np.ndarray, there: np.ndarray) -> None:
        """Count two boolean arrays of one shape."""
        self.right += int((found & there).sum())
        self.found += int(found.sum())
        self.there += int(there.sum())

    def __str__(self) -> str:
        precision, recall = self.right / max(1, self.found), self.right / max(1, self.there)
        return f"precision {precision:.2f}, recall {recall:.2f}"


@torch.inference_mode()
def check(data: Dataset, model_name: str) -> dict[str, Tally]:
    """Pixels of cloth and of bags, and skirts, of a prepared set's people.

    Raises:
        ValueError: If the network tells no garments, or the set has no labels of them.
    """
    model, _ = load_reposer(model_name)
    if not (model.config.texture and model.config.garments):
        raise ValueError(f"{model_name}: this network tells no garments")
    parts = np.asarray(data.arrays["parts"])
    if not (parts == CLOTH).any():
        raise ValueError(f"{data.path}: no garments are labelled; prepare it with --labels")
    size, tallies = model.config.size, {k: Tally() for k in ("cloth", "bags", "skirts", "legs")}
    for i in range(len(data)):
        image = torch.from_numpy(data.arrays["images"][i].copy()).permute(2, 0, 1)[None] / 127.5 - 1
        mask = torch.from_numpy(data.arrays["masks"][i].copy())[None, None] / 255
        joints = geo.joints_of(torch.from_numpy(data.arrays["keypoints"][i].copy())[None].float())
        parsed = model.parse(image, mask, joints, amp=False)
        assert parsed.garments is not None
        read = torch.sigmoid(parsed.garments)
        labels = torch.from_numpy(parts[i].astype(np.int64))
        worn = (labels == CLOTH) | (labels == geo.SKIRT + 1)
        person = (F.avg_pool2d(mask, 4)[0, 0] > 0.3) & (labels != UNKNOWN)
        cloth, bags = ((r > 0.5) & person for r in read[0])
        tallies["cloth"].add((cloth & (labels != CARRIED)).numpy(), (worn & person).numpy())
        tallies["bags"].add(bags.numpy(), ((labels == CARRIED) & person).numpy())
        arms = parsed.logits.softmax(1)[:, geo.ARMS].sum(1, keepdim=True)
        layers = torch.cat([arms, read[:, :1], worn[None, None].float()], 1)
        layers = to_array(F.interpolate(layers, size=size, mode="bilinear"))
        scale = float(geo.body_scale(joints))
        skirts = [
            skirt_of(
                to_array(image) / 2 + 0.5,
                to_array(mask)[..., 0],
                layers[..., 0],
                layers[..., k],
                joints[0, :, :2].numpy(),
                scale,
            )
            for k in (1, 2)
        ]
        tallies["skirts"].add(*(np.array(s is not None) for s in skirts))
        legs = [
            read_legs(parsed.logits, hanging, joints, size[0])
            for hanging in (read[0, 0], worn.float())
        ]
        lower = parsed.logits.softmax(1)[0, [*geo.LEGS, geo.SKIRT]].sum(0) > 0.5
        if (labels[lower] == UNKNOWN).float().mean() < _UNTOLD:  # false where there are none
            tallies["legs"].add(*(np.array(one is not None and one.bare) for one in legs))
    return tallies


def main(arguments: list[str] | None = None) -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description="How well a network reads garments.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="person")
    a = parser.parse_args(arguments)
    try:
        data = open_dataset(a.data)
        tallies = check(data, a.model)
    except (DatasetError, ValueError) as error:
        parser.exit(2, f"garment_check: {error}\n")
    skirts = tallies["skirts"]
    none = skirts.found - skirts.right
    lines = [f"{name}: {tallies[name]} of pixels" for name in ("cloth", "bags")]
    lines.append(f"skirts: {skirts.right} of {skirts.there} found, and {none} that are none")
    legs = tallies["legs"]
    none = legs.found - legs.right
    lines.append(f"legs without: {legs.right} of {legs.there} known, and {none} with cloth")
    sys.stdout.write("\n".join([f"{len(data)} people", *lines, ""]))


if __name__ == "__main__":
    main()
