"""Weight files: what goes in comes out, and nothing damaged or foreign is believed."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from vunet.checkpoint import (
    FORMAT,
    WeightsError,
    file_sha256,
    list_weights,
    load_reposer,
    read_facts,
    resolve_weights,
    save_network,
)
from vunet.config import PRESETS, to_json
from vunet.model import Reposer

TINY = PRESETS["tiny"].model


def write_manifest(folder: Path, path: Path, **changes: Any) -> None:
    row = {
        "name": "person",
        "file": path.name,
        "sha256": file_sha256(path),
        "bytes": path.stat().st_size,
        "licence": "MIT",
        "data": "none",
        "description": "seeded noise",
    }
    (folder / "manifest.json").write_text(json.dumps({"weights": [{**row, **changes}]}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of weights with `person` in its manifest."""
    torch.manual_seed(0)
    path = tmp_path / "person.safetensors"
    save_network(Reposer(TINY), path, TINY, {"steps": 7, "data": ["a b"]})
    write_manifest(tmp_path, path)
    return tmp_path


def refused(folder: Path, name: str | Path = "person", names: str = "person.safetensors") -> str:
    with pytest.raises(WeightsError) as caught:
        load_reposer(name, folder)
    text = str(caught.value)
    assert names in text
    assert "\n" not in text
    return text


def test_round_trip(folder: Path) -> None:
    torch.manual_seed(0)
    model = Reposer(TINY)
    loaded, digest = load_reposer("person", folder)
    assert digest == file_sha256(folder / "person.safetensors")
    assert loaded.config == TINY
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    stored = load_file(folder / "person.safetensors")
    assert {v.dtype for v in stored.values()} == {torch.float16}
    assert read_facts(folder / "person.safetensors") == {"steps": 7, "data": ["a b"]}
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "person.safetensors"]


def test_own_files_and_run_folders_load_by_path(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "a run é"
    run.mkdir()
    (folder / "person.safetensors").rename(run / "model.safetensors")
    for name in (run, run / "model.safetensors", str(run)):
        assert load_reposer(name, folder)[0].config == TINY
    assert resolve_weights(run, folder) == (run / "model.safetensors", None)


def test_shipped_file_given_by_path_is_checked_too(folder: Path) -> None:
    flip_byte(folder / "person.safetensors", -1)
    assert "manifest" in refused(folder, folder / "person.safetensors")


def flip_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("at", [0, 9, 200, -1])
def test_a_single_changed_bit_is_refused(folder: Path, at: int) -> None:
    flip_byte(folder / "person.safetensors", at)
    assert "changed" in refused(folder)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_file_cut_short_is_refused(folder: Path, length: int) -> None:
    path = folder / "person.safetensors"
    data = path.read_bytes()[:length]
    path.write_bytes(data)
    refused(folder)
    other = folder / "own.safetensors"  # no manifest speaks for this one
    other.write_bytes(data)
    assert "cut short" in refused(folder, other, "own.safetensors")


class Trap:
    """Unpickling this leaves a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["VUNET_TRAP"],)


@pytest.mark.parametrize("kind", ["pickle", "torch", "text", "header"])
def test_what_is_no_safetensors_is_refused_and_never_unpickled(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    trap, path = folder / "sprung", folder / "own.safetensors"
    monkeypatch.setenv("VUNET_TRAP", str(trap))
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif kind == "torch":
        torch.save({"model": Trap()}, path)
    elif kind == "text":
        path.write_text("weights, honestly")
    else:
        path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    refused(folder, path, "own.safetensors")
    assert not trap.exists()


def rewrite(folder: Path, tensors: dict[str, torch.Tensor], **meta: str) -> Path:
    path = folder / "own.safetensors"
    save_file(tensors, path, metadata={"format": FORMAT, "config": to_json(TINY), **meta})
    return path


def test_weights_that_do_not_fit_are_refused(folder: Path) -> None:
    good = load_file(folder / "person.safetensors")
    name = "encoder.head.0.weight"
    wrong = {
        "missing": {k: v for k, v in good.items() if k != name},
        "unknown": {**good, "surplus": torch.zeros(2)},
        "of another shape": {**good, name: torch.zeros(3, 3)},
    }
    for tensors in wrong.values():
        text = refused(folder, rewrite(folder, tensors), "own.safetensors")
        assert name in text or "surplus" in text
    assert load_reposer(rewrite(folder, good), folder)[0].config == TINY


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"format": "vunet-drawing-1"}, "vunet-drawing-1"),
        ({"config": "{"}, "settings"),
        ({"config": "[]"}, "settings"),
        ({"config": "3"}, "settings"),
        ({"config": "null"}, "settings"),
        ({"config": json.dumps({"colour": "red"})}, "colour"),
        ({"config": json.dumps({"size": [100, 75]})}, "settings"),
        ({"config": json.dumps({"size": "large"})}, "settings"),
        ({"config": json.dumps({"latent_dim": "many"})}, "settings"),
        ({"config": json.dumps({"latent_dim": -4})}, "settings"),
        ({"config": json.dumps({"warp_channels": []})}, "settings"),
        ({"config": json.dumps({"generator_channels": [8, "x", 8]})}, "settings"),
    ],
)
def test_damaged_header_is_refused(folder: Path, meta: dict[str, str], words: str) -> None:
    good = load_file(folder / "person.safetensors")
    assert words in refused(folder, rewrite(folder, good, **meta), "own.safetensors")


def test_safetensors_of_others_are_refused(folder: Path) -> None:
    path = folder / "own.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    assert "no re-posing network" in refused(folder, path, "own.safetensors")


def test_missing_weights_are_named_with_what_there_is(folder: Path) -> None:
    text = refused(folder, "persona", "persona")
    assert "person" in text.removeprefix("persona")
    (folder / "person.safetensors").unlink()
    refused(folder)


@pytest.mark.parametrize("name", ["a" * 300, "nul\0byte", ""])
def test_impossible_names_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(WeightsError):
        load_reposer(name, folder)


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"weights": [{"name": "x"}]}', "\x00"])
def test_missing_or_damaged_manifest(folder: Path, text: str | None) -> None:
    if text is None:
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text(text)
    refused(folder, "person", "manifest.json")
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        list_weights(folder)


def test_list_says_what_the_manifest_says(folder: Path) -> None:
    (info,) = list_weights(folder)
    assert dataclasses.asdict(info) == {
        "name": "person",
        "path": folder / "person.safetensors",
        "sha256": file_sha256(folder / "person.safetensors"),
        "bytes": (folder / "person.safetensors").stat().st_size,
        "licence": "MIT",
        "data": "none",
        "description": "seeded noise",
    }


def test_a_run_without_weights_is_not_released(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vunet.release import main, release

    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "nothing"), "person", "what it is", "whose photos", "MIT"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "nothing: no model.safetensors here" in said
    assert said.count("\n") == 1
    (tmp_path / "model.safetensors").write_bytes(b"not much")
    path = release(tmp_path, "mine", "what it is", "whose photos", "MIT", tmp_path / "weights")
    assert path.read_bytes() == b"not much"
