"""Folders of tiny pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from pose.presets import PRESETS
from pose.stick import draw_controlnet
from tests.vunet.gallery.tiny import write_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of forty pictures, some in sub-folders."""
    folder = tmp_path / "my photos"
    for i in range(40):
        write_picture(folder / ("", "a", "a/b")[i % 3] / f"{i:02d}.png", i)
    return folder


@pytest.fixture
def make_people(tmp_path: Path) -> Callable[..., Path]:
    """`make_people(names)`: a folder of "photos" of people in preset poses, one each."""

    def make(*names: str) -> Path:
        folder = tmp_path / "people"
        folder.mkdir(exist_ok=True)
        for name in names or PRESETS:
            picture = draw_controlnet(PRESETS[name], (1024, 768))
            cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])
        return folder

    return make
