"""`vunet index` and `vunet find` through the real command line; poses, which need no weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from apps import cli
from pose.presets import PRESETS
from pose.stick import draw_controlnet
from vunet.gallery.gallery import FOLDER
from vunet.gallery.store import Store
from vunet.images import read_image, write_png

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return call


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled photos of people, indexed."""
    folder = tmp_path_factory.mktemp("photos of people")
    for photo in (root / "apps/examples").glob("*.jpg"):
        shutil.copy(photo, folder)
    assert cli.main(["index", str(folder), "--only-poses"]) == 0
    return folder


def test_index_says_what_it_did(folder: Path, run: Run):
    code, out, err = run("index", folder, "--only-poses")
    assert (code, err) == (0, "")
    assert out == f"{folder}: 8 photos\n"


def test_unreadable_photos_are_listed(folder: Path, tmp_path: Path, run: Run):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(folder / "person_1.jpg", photos)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    code, out, err = run("index", photos, "--where", tmp_path / "gallery", "--only-poses")
    assert code == 3
    assert out.endswith("1 photos, 1 added, 1 could not be read\n")
    assert err.count("\n") == 1
    assert "broken.jpg" in err
    assert not (photos / ".vunet-gallery").exists()
    code, out, _ = run("find", "standing", "--gallery", tmp_path / "gallery")
    assert code == 0
    assert "person_1.jpg" in out


def test_an_unfinished_index_is_told_until_it_is_complete(folder: Path, tmp_path: Path, run: Run):
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    store = Store.open(photos / FOLDER)
    with store.writing(), store.transaction():  # as an update that is killed leaves it
        store.set_progress(5, 8)
    store.close()
    code, out, err = run("find", "standing", "--gallery", photos, "--json")
    assert code == 0
    assert json.loads(out)
    assert err.startswith("note: only 5 of 8 photos are indexed yet")
    assert err.count("\n") == 1
    assert "`vunet index`" in err
    assert run("index", photos, "--only-poses")[0] == 0
    assert run("find", "standing", "--gallery", photos)[2] == ""


def test_find_by_the_pose_of_a_photo(folder: Path, run: Run):
    query = folder / "pose_warrior.jpg"
    code, out, err = run("find", query, "--gallery", folder, "--by", "pose", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found[0]["path"] == str(query)
    assert set(found[0]) == {"path", "score", "by", "box", "mirrored", "pose"}
    assert found[0]["score"] > 0.98
    assert found[0]["pose"]["poses"][0]["skeleton"] == "body27"
    assert [f["score"] for f in found] == sorted((f["score"] for f in found), reverse=True)


def test_find_by_a_stick_picture_draws_a_sheet(folder: Path, tmp_path: Path, run: Run):
    stick, sheet = tmp_path / "stick.png", tmp_path / "sheet.png"
    write_png(draw_controlnet(PRESETS["yoga_warrior"], (1024, 768)), stick)
    code, out, _ = run("find", stick, "--gallery", folder, "-k", "4", "--out", sheet)
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 5
    assert lines[-1] == str(sheet)
    image = read_image(sheet)
    assert min(image.shape[:2]) > 300
    assert image.std() > 20
    assert np.median(image) > 200  # pictures on white


def test_no_mirror(folder: Path, run: Run):
    _, with_mirror, _ = run("find", "walking_left", "--gallery", folder)
    _, without, _ = run("find", "walking_left", "--gallery", folder, "--no-mirror")
    assert "mirrored" in with_mirror
    assert "mirrored" not in without


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("find", "no_such", "--gallery", "{folder}"), "no preset pose"),
        (("find", "standing", "--gallery", "{folder}/nothing"), "is no folder"),
        (("find", "standing", "--gallery", "{empty}"), "make one with `vunet index"),
        (("find", "standing", "--gallery", "{folder}", "-k", "0"), "at least one"),
        (("find", "standing", "--gallery", "{folder}", "--out", "x.gif"), "not written"),
        (("find", "standing", "--gallery", "{folder}", "--by", "photo"), "a pose is no photo"),
        (("index", "{folder}/nothing"), "is no folder"),
        (("index", "{folder}/person_1.jpg"), "is no folder"),
    ],
)
def test_bad_options_get_one_sentence(
    folder: Path, tmp_path: Path, run: Run, arguments: tuple[str, ...], words: str
):
    code, out, err = run(*(a.format(folder=folder, empty=tmp_path) for a in arguments))
    assert code == 2
    assert out == ""
    assert err.startswith("vunet: ")
    assert err.count("\n") == 1
    assert words in err
