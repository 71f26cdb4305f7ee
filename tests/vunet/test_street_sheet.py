"""The card's sheet shows whom the seed draws, and nobody who was trained on."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest
import torch

from vunet.checkpoint import save_network
from vunet.config import PRESETS
from vunet.holdout import is_validation_photo
from vunet.model import Reposer
from vunet.street_sheet import POSES, street_sheet

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "apps" / "examples"


def test_people_kept_out_of_training_in_every_pose(tmp_path: Path) -> None:
    config = PRESETS["tiny"].model
    save_network(Reposer(config), tmp_path / "tiny.safetensors", config)
    names = [f"{i:04d}" for i in range(200)]
    shown = [n for n in names if is_validation_photo(n)][:2]
    hidden = next(n for n in names if not is_validation_photo(n))
    (tmp_path / "photos").mkdir()
    for name in (*shown, hidden):
        shutil.copy(EXAMPLES / "person_1.jpg", tmp_path / "photos" / f"{name}.jpg")
    out = tmp_path / "sheet.jpg"
    torch.manual_seed(0)
    found = street_sheet(tmp_path / "photos", out, str(tmp_path / "tiny.safetensors"), quiet=True)
    assert found == [f"{n}.jpg" for n in shown]
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] == 2 * (144 * (1 + len(POSES)) + 8)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="kept out of training"):
        street_sheet(empty, out)
