"""The prepared set on disk: what goes in comes out, and what is damaged is refused."""

from __future__ import annotations

import contextlib
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from vunet.dataset import ARRAYS, UNKNOWN, DatasetError, DatasetWriter, open_dataset


def entry(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {}
    for name, (shape, dtype) in ARRAYS.items():
        high = 100.0 if dtype == "<f4" else np.iinfo(dtype).max
        found[name] = rng.uniform(0, high, shape).astype(dtype)
    return found


@pytest.fixture
def written(tmp_path: Path) -> Path:
    with DatasetWriter(tmp_path / "set", "photos", {"seed": 3}) as writer:
        for i in range(3):
            writer.add({"name": f"é {i}", "group": i // 2, "framing": "full"}, entry(i))
    return tmp_path / "set"


def test_round_trip(written: Path) -> None:
    data = open_dataset(written)
    assert len(data) == 3
    assert not data.rendered
    assert data.meta["settings"] == {"seed": 3}
    assert [row["name"] for row in data.index] == ["é 0", "é 1", "é 2"]
    assert data.groups() == {"0": [0, 1], "1": [2]}
    for i in range(3):
        for name, value in entry(i).items():
            np.testing.assert_array_equal(data.arrays[name][i], value, err_msg=name)
            assert data.arrays[name].dtype == np.dtype(ARRAYS[name][1])


def test_arrays_are_plain_and_mapped(written: Path) -> None:
    """Anything that reads .npy reads them, without unpickling; nothing is loaded on opening."""
    for name in ARRAYS:
        raw = (written / f"{name}.npy").read_bytes()
        assert raw.startswith(b"\x93NUMPY\x01\x00")
        assert np.load(written / f"{name}.npy", allow_pickle=False).shape[0] == 3
    for array in open_dataset(written).arrays.values():
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
    assert sorted(p.suffix for p in written.iterdir()) == [".json", ".jsonl", *[".npy"] * 6]


def test_what_is_not_known_is_marked(tmp_path: Path) -> None:
    whole = entry(0)
    with DatasetWriter(tmp_path, "rendered", {}) as writer:
        writer.add({"name": "a", "group": "g"}, {"images": whole["images"]})
    data = open_dataset(tmp_path)
    assert data.rendered
    assert (data.arrays["parts"] == UNKNOWN).all()
    assert not data.arrays["surface"].any()


def test_wrong_shape_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="masks must have shape"),
        DatasetWriter(tmp_path, "photos", {}) as writer,
    ):
        writer.add({"name": "a"}, {"masks": np.zeros((3, 3), np.uint8)})


def test_unfinished_set_is_no_set(written: Path) -> None:
    with contextlib.suppress(RuntimeError), DatasetWriter(written, "photos", {}) as writer:
        writer.add({"name": "a", "group": "a"}, entry(0))
        raise RuntimeError("stopped")
    with pytest.raises(DatasetError, match=r"dataset\.json is missing"):
        open_dataset(written)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def texted(path: Path) -> None:
    path.write_text("hello, I am no array\n")


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps([1, 2, 3]))


def of_objects(path: Path) -> None:
    np.save(path, np.array([{}, {}, {}], dtype=object), allow_pickle=True)


def zipped(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def of_floats(path: Path) -> None:
    np.save(path, np.load(path).astype(np.float64))


def short(path: Path) -> None:
    np.save(path, np.load(path)[:2])


@pytest.mark.parametrize(
    "damage", [truncated, emptied, texted, pickled, of_objects, zipped, of_floats, short]
)
@pytest.mark.parametrize("name", ["images", "keypoints"])
def test_damaged_array_is_refused_in_a_sentence(written: Path, damage, name: str) -> None:
    damage(written / f"{name}.npy")
    refused(written)


@pytest.mark.parametrize("name", ["dataset.json", "index.jsonl"])
@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", "null", '"text"', "\N{REPLACEMENT CHARACTER}", "[" * 100_000]
)
def test_damaged_text_is_refused_in_a_sentence(written: Path, name: str, text: str) -> None:
    (written / name).write_text(text, encoding="utf-8")
    refused(written)


def test_bytes_that_are_no_text_are_refused(written: Path) -> None:
    (written / "index.jsonl").write_bytes(b"\xff\xfe\x00\x81")
    refused(written)


@pytest.mark.parametrize("row", ['{"name": "a"}', '{"group": "a"}', "3", "[]"])
def test_rows_without_name_or_group_are_refused(written: Path, row: str) -> None:
    lines = (written / "index.jsonl").read_text(encoding="utf-8").splitlines()
    (written / "index.jsonl").write_text("\n".join([*lines[:2], row]) + "\n", encoding="utf-8")
    refused(written)


@pytest.mark.parametrize("file", ["dataset.json", "index.jsonl", "parts.npy"])
def test_missing_file_is_named(written: Path, file: str) -> None:
    (written / file).unlink()
    assert file in refused(written)


def test_other_version_is_refused(written: Path) -> None:
    meta = json.loads((written / "dataset.json").read_text())
    (written / "dataset.json").write_text(json.dumps({**meta, "version": 99}))
    assert "version" in refused(written)


def test_a_file_or_nothing_is_no_set(tmp_path: Path) -> None:
    refused(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file")


def refused(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        open_dataset(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def test_writing_again_replaces(written: Path) -> None:
    with DatasetWriter(written, "rendered", {}) as writer:
        writer.add({"name": "b", "group": "b"}, entry(9))
    assert len(open_dataset(written)) == 1
    shutil.rmtree(written)
