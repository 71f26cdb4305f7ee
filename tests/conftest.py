"""What all tests share: quiet libraries, what a machine may lack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# Before any test imports gradio: ask nothing of the network.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# How long an example takes depends on what else the machine does.
settings.register_profile("vunet", deadline=None)
settings.load_profile("vunet")


def _chromium() -> str | None:
    """The browser that the `browser` tests drive."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying why, what this machine has no means for."""
    lacks = {
        "shared": None if SHARED.is_dir() else "needs the folder ../shared beside the checkout",
        "browser": None if _chromium() else "needs Chromium: apt-get install chromium",
    }
    for item in items:
        if "gpu" in item.keywords and "gpu" not in lacks:
            lacks["gpu"] = None if _has_cuda() else "needs a GPU with CUDA"
        for marker, reason in lacks.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that is no part of the repository; mark its tests with `shared`."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; mark its tests with `browser`."""
    found = _chromium()
    if found is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    return found
