"""Folders of any kind become training sets."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from vunet.dataset import open_dataset
from vunet.drawing.pairs import find_pairs, open_or_prepare
from vunet.drawing.prepare import DrawingSetError, prepare_drawings


def write(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((*size, 3), colour, np.uint8)
    if size[1] > 1.5 * size[0]:
        image[:, size[1] // 2 :] = 255 - image[:, size[1] // 2 :]
    assert cv2.imwrite(str(path), image[..., ::-1])


@pytest.mark.parametrize("backwards", [False, True])
def test_two_folders_of_equal_names(tmp_path: Path, backwards: bool) -> None:
    for i in range(30):
        write(tmp_path / "in" / "A" / f"{i}.png", (10, 20, 30))
        write(tmp_path / "in" / "B" / f"{i}.png", (200, 100, 0))
    write(tmp_path / "in" / "B" / "alone.png", (0, 0, 0))
    training, check, report = open_or_prepare(
        tmp_path / "in", tmp_path / "work", backwards=backwards, quiet=True
    )
    assert report is not None
    assert report.count == 30
    assert check is not None
    assert len(training) + len(check) == 30
    shapes, images = (training.arrays[name][0, 0, 0].tolist() for name in ("shapes", "images"))
    expected = [[10, 20, 30], [200, 100, 0]]
    assert [shapes, images] == (expected[::-1] if backwards else expected)
    names = [{row["name"] for row in part.index} for part in (training, check)]
    assert not names[0] & names[1]


def test_pictures_side_by_side(tmp_path: Path) -> None:
    for i in range(4):
        write(tmp_path / "in" / "train" / f"{i}.png", (10, 20, 30), (40, 80))
    pairs = find_pairs(tmp_path / "in")
    assert pairs is not None
    assert [name for name, _, _ in pairs] == [f"train/{i}" for i in range(4)]
    training, _, _ = open_or_prepare(tmp_path / "in", tmp_path / "work", quiet=True)
    assert training.arrays["shapes"].shape[1:] == (256, 256, 3)
    assert training.arrays["shapes"][0, 9, 9].tolist() == [10, 20, 30]
    assert training.arrays["images"][0, 9, 9].tolist() == [245, 235, 225]


def test_photos_alone_are_drawn(photos: Path, tmp_path: Path) -> None:
    assert find_pairs(photos / "photos") is None
    training, _, report = open_or_prepare(photos / "photos", tmp_path / "work", quiet=True)
    assert training.meta["kind"] == "drawings"
    assert report is not None
    assert report.count == 12
    assert training.arrays["lines"][0].any()


def test_a_prepared_set_is_taken_as_it_is(drawn_set: Path, tmp_path: Path) -> None:
    training, check, report = open_or_prepare(drawn_set, tmp_path / "work", quiet=True)
    assert (len(training), check, report) == (12, None, None)
    assert not (tmp_path / "work").exists()


def test_what_cannot_be_a_set_is_said(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "empty").mkdir()
    for i in range(2):
        write(tmp_path / "apart" / "A" / f"{i}.png", (1, 2, 3))
        write(tmp_path / "apart" / "B" / f"x{i}.png", (1, 2, 3))
    (tmp_path / "one").mkdir()
    shutil.copy(photos / "photos" / "00.png", tmp_path / "one" / "00.png")
    for folder, says in (
        ("nowhere", "no such folder"),
        ("empty", "holds no pictures"),
        ("apart", "give each pair one name"),
        ("one", "at least 2"),
    ):
        with pytest.raises(DrawingSetError, match=says):
            open_or_prepare(tmp_path / folder, tmp_path / f"work-{folder}", quiet=True)


def test_bad_files_are_left_out_and_named(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    shutil.copytree(photos / "photos", folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    cv2.imwrite(str(folder / "dot.png"), np.full((64, 64, 3), 200, np.uint8))
    files = sorted(folder.iterdir())
    report = prepare_drawings(files, tmp_path / "out", quiet=True, mask_of=lambda image: None)
    assert report.count == 0
    assert len(report.left_out) == 14
    report = prepare_drawings(files, tmp_path / "out", quiet=True)
    assert any("broken.jpg" in text for text in report.left_out)
    assert report.count >= 12
    assert len(open_dataset(tmp_path / "out")) == report.count


def test_a_tenth_is_held_back_by_name(photos: Path, tmp_path: Path) -> None:
    files = sorted((photos / "photos").iterdir())
    parts = {}
    for part in ("training", "held-back", "all"):
        prepare_drawings(files, tmp_path / part, part=part, quiet=True)
        parts[part] = {row["name"] for row in open_dataset(tmp_path / part).index}
    assert parts["training"] | parts["held-back"] == parts["all"]
    assert not parts["training"] & parts["held-back"]


@pytest.mark.parametrize("text", ["", "a,b\n1,2", "\x00"])
def test_a_wrong_table_of_classes_is_said(photos: Path, tmp_path: Path, text: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text, encoding="utf-8")
    files = sorted((photos / "photos").iterdir())[:2]
    if not text:
        return
    with pytest.raises(DrawingSetError, match="columns file and label"):
        prepare_drawings(files, tmp_path / "out", classes=table, quiet=True)
