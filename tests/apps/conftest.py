"""What the tests of the apps share: small weights, and the bundled pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.demo import example


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the smallest network, drawn at random: they run, and that is all."""
    import torch

    from vunet.checkpoint import save_reposer
    from vunet.config import PRESETS
    from vunet.model import Reposer

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    config = PRESETS["tiny"].model
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_reposer(Reposer(config), path, config)
    return path


@pytest.fixture(scope="session")
def photo() -> Path:
    """A bundled picture of a person."""
    return example(1)


@pytest.fixture(scope="session")
def other_photo() -> Path:
    """A bundled picture of another person."""
    return example(2)
