"""What is counted of garments is what labels and network say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from vunet import geometry as geo
from vunet.checkpoint import save_network
from vunet.config import PRESETS
from vunet.dataset import CARRIED, CLOTH, CONTROL_SIZE, NO_CLOTH, SIZE, DatasetWriter, open_dataset
from vunet.garment_check import check, main
from vunet.model import Reposer


def tiny(path: Path, *, garments: bool, cloth: float = 0.0, carried: float = 0.0) -> str:
    """Weights of a network that is as sure everywhere of cloth and of bags."""
    config = dataclasses.replace(
        PRESETS["person"].model,  # pyright: ignore[reportArgumentType]
        parser_channels=(8, 8),
        warp_channels=(8, 8),
        generator_channels=(8, 8),
        garments=garments,
    )
    model = Reposer(config)
    if garments:
        with torch.no_grad():
            model.parser.leave[2].bias[-2:] = torch.tensor([cloth, carried])
    save_network(model, path, config)
    return str(path)


def labelled(path: Path, labels: np.ndarray) -> Path:
    """A set of one person, all of the picture, with these labels."""
    points = np.full((27, 3), 96.0, np.float32)
    points[:, 1], points[:, 2] = np.linspace(20, 240, 27), 1
    with DatasetWriter(path, "photos", {}) as writer:
        entry = {
            "images": np.full((*SIZE, 3), 128, np.uint8),
            "masks": np.full(SIZE, 255, np.uint8),
            "keypoints": points,
            "valid": np.array([0, 0, SIZE[1], SIZE[0]]),
            "parts": labels,
        }
        writer.add({"name": "a", "group": "a", "framing": "full"}, entry)
    return path


def test_pixels_are_counted_where_labels_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.full(CONTROL_SIZE, NO_CLOTH, np.uint8)
    labels[:16], labels[16:32], labels[32:48] = CLOTH, geo.SKIRT + 1, CARRIED
    data = open_dataset(labelled(tmp_path / "set", labels))
    model = tiny(tmp_path / "m.safetensors", garments=True, cloth=9, carried=-9)
    found = check(data, model)
    share = CONTROL_SIZE[0] * CONTROL_SIZE[1] // 4
    cloth, bags = found["cloth"], found["bags"]
    assert (cloth.right, cloth.found, cloth.there) == (2 * share, 3 * share, 2 * share)
    assert (bags.right, bags.found, bags.there) == (0, 0, share)
    main([str(data.path), "--model", model])
    told = capsys.readouterr().out
    assert "cloth: precision 0.67, recall 1.00" in told
    assert "legs without: 0 of 0 known" in told  # of joints on a line there are none


@pytest.mark.parametrize(("cloth", "known"), [(-9, 1), (9, 0)])
def test_legs_are_counted_that_are_known_to_have_nothing_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloth: float, known: int
) -> None:
    from vunet import garment_check
    from vunet.trousers import Legs

    def read(logits: object, hanging: torch.Tensor, *_: object) -> Legs:
        return Legs(bool(hanging.mean() < 0.5), np.ones(6), np.ones(6))

    monkeypatch.setattr(garment_check, "read_legs", read)
    labels = np.full(CONTROL_SIZE, NO_CLOTH, np.uint8)
    labels[0, 0] = CLOTH
    data = open_dataset(labelled(tmp_path / "set", labels))
    legs = check(data, tiny(tmp_path / "m.safetensors", garments=True, cloth=cloth))["legs"]
    assert (legs.right, legs.found, legs.there) == (known, known, 1)


def test_what_cannot_be_counted_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tells = tiny(tmp_path / "a.safetensors", garments=True)
    mute = tiny(tmp_path / "b.safetensors", garments=False)
    labels = np.full(CONTROL_SIZE, CLOTH, np.uint8)
    given = labelled(tmp_path / "set", labels)
    bare = labelled(tmp_path / "bare", np.full(CONTROL_SIZE, 255, np.uint8))
    for data, model, why in ((given, mute, "tells no garments"), (bare, tells, "--labels")):
        with pytest.raises(SystemExit) as stop:
            main([str(data), "--model", model])
        assert stop.value.code == 2
        assert why in capsys.readouterr().err
