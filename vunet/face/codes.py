"""The last step of training a face's parts: the codes of the training faces go into the weights.

`python -m vunet.face.codes RUN --data SET --out RUN2` writes RUN2/model.safetensors, which
`vunet.release` takes up. Each face counts twice, once mirrored.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from vunet.checkpoint import load_network, save_network
from vunet.dataset import Dataset, DatasetError, open_dataset
from vunet.face.manifolds import window_pieces
from vunet.face.network import COMPONENTS, FacePartsNet
from vunet.face.parts import MIRRORED, NAMES, POINTS
from vunet.gallery.framing import ink_of


def with_codes(net: FacePartsNet, datasets: list[Dataset]) -> FacePartsNet:
    """The same networks, and the codes of these sets' sketches, each also mirrored.

    Raises:
        DatasetError: If the sets hold no sketches.
    """
    rows: list[np.ndarray] = []
    layouts: list[np.ndarray] = []
    for d in datasets:
        for i, row in enumerate(d.index):
            if not row.get("drawn"):
                continue
            ink = ink_of(np.asarray(d.arrays["sketches"][i]))
            points = np.asarray(d.arrays["landmarks"][i])[list(POINTS), :2] / len(ink)
            mirrored = points[list(MIRRORED)] * [-1, 1] + [1, 0]
            for one, at in ((ink, points), (np.ascontiguousarray(ink[:, ::-1]), mirrored)):
                codes = net.coded(window_pieces(one, at))
                rows.append(np.concatenate([codes[name] for name in NAMES]))
                layouts.append(at)
    if not rows:
        raise DatasetError(
            "codes are made of sketches, and these sets hold none; give a folder with two folders, "
            "photos and sketches, to `vunet prepare --drawings portraits`"
        )
    table = np.stack(rows)
    low, high = table.min(0), table.max(0)
    steps = np.maximum((high - low) / 255, 1e-6)
    full = FacePartsNet(dataclasses.replace(net.config, faces=len(table)))
    state = {k: v for k, v in net.state_dict().items() if k in dict(net.named_parameters())}
    full.load_state_dict(state, strict=False)
    full.codes.copy_(torch.from_numpy(np.rint((table - low) / steps).astype(np.uint8)))
    full.steps.copy_(torch.from_numpy(steps.astype(np.float32)))
    full.offsets.copy_(torch.from_numpy(low.astype(np.float32)))
    full.layout.copy_(torch.from_numpy(_layout(np.stack(layouts))))
    return full


def _layout(layouts: np.ndarray) -> np.ndarray:
    """Layouts (N, 21, 2) as `FacePartsNet.layout`."""
    flat = layouts.reshape(len(layouts), -1).astype(np.float64)
    mean = flat.mean(0)
    _, s, v = np.linalg.svd(flat - mean, full_matrices=False)
    axes = v[:COMPONENTS]
    rest = (flat - mean) - ((flat - mean) @ axes.T) @ axes
    table = np.zeros((2 + COMPONENTS, flat.shape[1]), np.float32)
    table[0], table[2 : 2 + len(axes)] = mean, axes
    table[1, :COMPONENTS] = 1e-6  # a few faces have fewer axes; none goes along the others
    table[1, : len(axes)] = np.maximum(1e-6, s[: len(axes)] / np.sqrt(len(flat)))
    table[1, COMPONENTS] = max(0.005, float(rest.std()))
    return table


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description="Put the training faces' codes into the weights.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    net, _ = load_network(a.run / "model.safetensors")
    if not isinstance(net, FacePartsNet):
        raise SystemExit(f"{a.run}: not a run of face-parts")
    a.out.mkdir(parents=True, exist_ok=True)
    full = with_codes(net, [open_dataset(path) for path in a.data])
    save_network(full, a.out / "model.safetensors", full.config, {})


if __name__ == "__main__":
    main()
