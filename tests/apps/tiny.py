"""Weights of the smallest networks, drawn at random: they run, and that is all."""

from __future__ import annotations

from pathlib import Path

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
"""Of the browser that opens the page served with them."""


def tiny_person(folder: Path) -> Path:
    """Weights that re-pose people."""
    import torch

    from vunet.checkpoint import save_network
    from vunet.config import PRESETS, ModelConfig
    from vunet.model import Reposer

    path = folder / "tiny.safetensors"
    config = PRESETS["tiny"].model
    assert isinstance(config, ModelConfig)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_network(Reposer(config), path, config)
    return path


def tiny_drawing(folder: Path, shape: str) -> Path:
    """Weights that paint drawings: of "lines", or of "regions"."""
    import torch

    from vunet.checkpoint import save_network
    from vunet.config import DrawingConfig
    from vunet.networks import build

    path = folder / f"tiny-{shape}.safetensors"
    config = DrawingConfig(
        size=(64, 64) if shape == "regions" else (96, 64),
        trunk_channels=(8, 8, 16),
        refine_channels=(8, 8),
        generator_channels=(8, 8, 16, 16),
        detail_channels=8,
        slots=2,
        latent_dim=4,
        classes=("Dress", "Shoes") if shape == "lines" else (),
        shape=shape,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save_network(build(config), path, config)
    return path
