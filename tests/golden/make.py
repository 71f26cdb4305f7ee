"""Write the golden files. Run `python tests/golden/make.py` from the repository's root.

They change only in a commit of their own that says why. The network's weights are seeded noise:
what is tested is that the same numbers come out of the same code, not that a picture is good.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent / "vunet")]

import conftest as people  # noqa: E402 - the drawn people of the tests
import test_model  # noqa: E402
import test_train  # noqa: E402

from vunet.model import PART_COUNT  # noqa: E402


def write_reposer(path: Path) -> None:
    """Weights, inputs and every stage's output of the `tiny` network."""
    size = test_model.TINY.size
    poses = [people._person(i, size=size) for i in range(4)]
    drawn = [people._picture(p, i) for i, p in enumerate(poses[:2])]
    images = torch.from_numpy(np.stack([d[0] for d in drawn])).permute(0, 3, 1, 2)
    masks = torch.from_numpy(np.stack([d[1] for d in drawn]))[:, None]
    inputs = {
        "images": images.float() / 127.5 - 1,
        "masks": masks.float() / 255,
        "source": people._joints(*poses[:2]),
        "target": people._joints(*poses[2:]),
        "noise": test_model.rand(2, PART_COUNT, test_model.TINY.latent_dim),
    }
    model = test_model.shaken().half().float()  # stored in half the space
    with torch.no_grad():
        painted = model(
            *(inputs[k] for k in ("images", "masks", "source", "target")), noise=inputs["noise"]
        )
        drawn_latents = model.prior.draw(inputs["target"], inputs["noise"])
    warped = painted.warped
    outputs = {
        "matrix": warped.transforms.matrix,
        "offset": warped.transforms.offset,
        "posterior": painted.posterior.mean,
        "source_logits": warped.source_logits,
        "part_logits": warped.part_logits,
        "flow": warped.flow,
        "cover": warped.cover,
        "alpha": painted.alpha_logits,
        "generated": painted.generated,
        "visibility": painted.visibility,
        "image": painted.image,
        "drawn": drawn_latents,
    }
    tensors = {f"weight.{k}": v.half() for k, v in model.state_dict().items()}
    tensors |= {f"in.{k}": v for k, v in inputs.items()}
    tensors |= {f"out.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, path)
    path.chmod(0o644)


def write_losses(path: Path) -> None:
    """Every loss of twenty steps of the `tiny` preset."""
    with tempfile.TemporaryDirectory() as folder:
        photos = people._write_set(Path(folder) / "photos", "photos")
        renders = people._write_set(Path(folder) / "rendered", "rendered")
        rows = test_train.twenty_steps(photos, renders)
    lines = [f"{step:2d} {total:.6f}" for step, total in zip([*range(20), 0], rows, strict=True)]
    path.write_text("\n".join(["# step, sum of all losses", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_reposer(HERE / "reposer.safetensors")
    write_losses(HERE / "losses.txt")
