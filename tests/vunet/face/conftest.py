"""What the tests of faces share: a small set, and the released weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose.face import FaceFinder
from tests.vunet.face.faces import write_portraits
from vunet.checkpoint import list_weights
from vunet.engine import Engine
from vunet.face.painter import FacePainter


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of eight faces with their sketches."""
    return write_portraits(tmp_path_factory.mktemp("portraits") / "set", 8)


@pytest.fixture(scope="session")
def finder() -> FaceFinder:
    """MediaPipe's."""
    return FaceFinder()


@pytest.fixture(scope="session")
def engine() -> Engine:
    """With the released weights that paint faces."""
    missing = {"face", "face-parts"} - {info.name for info in list_weights()}
    if missing:
        pytest.skip(f"needs weights that are not released yet: {', '.join(sorted(missing))}")
    return Engine.load("face", device="cpu")


@pytest.fixture(scope="session")
def painter(engine: Engine) -> FacePainter:
    """Reads, refines and paints with the released weights."""
    return engine.face_painter()
