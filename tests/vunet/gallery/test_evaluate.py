"""How finding is measured: recall, the baselines, the manner of drawing that nobody trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from apps.cli import main
from vunet.checkpoint import save_network
from vunet.config import FindConfig
from vunet.dataset import Dataset, open_dataset
from vunet.drawing import lines
from vunet.gallery import data, task
from vunet.gallery.embedder import load_embedder
from vunet.gallery.evaluate import (
    by_hand,
    evaluate_find,
    format_find,
    pencil,
    photos_of,
    queries_of,
)
from vunet.gallery.network import FindNet
from vunet.gallery.prepare import prepare_sketched
from vunet.gallery.ranks import RANKS, ranks_among, recalls
from vunet.gallery.split import split_names, split_of
from vunet.holdout import is_test_face, is_test_garment
from vunet.metrics import BackboneMissing


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that learned nothing: structure alone."""
    config = FindConfig()
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "fresh.safetensors"
    save_network(FindNet(config), path, config)
    return path


# -- the embedder ----------------------------------------------------------------------------


def test_an_embedder_gives_unit_vectors(
    weights: Path,
    photo_of: Callable[..., tuple[np.ndarray, np.ndarray]],
    drawing_of: Callable[..., np.ndarray],
) -> None:
    embedder = load_embedder(weights)
    assert embedder.name == "fresh"
    assert len(embedder.sha256) == 64
    assert (embedder.dims.drawing, embedder.dims.look) == (128, 64)
    images = [photo_of(0)[0], photo_of(1)[0][:200, :90], np.full((40, 700, 3), 9, np.uint8)]
    shapes, looks = embedder.photos(images)
    drawing = embedder.drawing(drawing_of(0))
    assert (shapes.shape, looks.shape, drawing.shape) == ((3, 128), (3, 64), (128,))
    assert {a.dtype for a in (shapes, looks, drawing)} == {np.dtype(np.float32)}
    for rows in (shapes, looks, drawing[None]):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    alone, _ = embedder.photos(images[1:2])
    assert float(alone[0] @ shapes[1]) > 0.999
    none, nothing = embedder.photos([])
    assert (none.shape, nothing.shape) == ((0, 128), (0, 64))
    with pytest.raises(ValueError, match="3 images and 1 masks"):
        embedder.photos(images, [None])


# -- the manner that nobody trained on ---------------------------------------------------------


def test_a_pencil_drawing_is_of_the_thing_alone(
    photo_of: Callable[..., tuple[np.ndarray, np.ndarray]],
) -> None:
    image, mask = photo_of(5)
    drawn = pencil(image, mask)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    away = cv2.dilate(mask, np.ones((13, 13), np.uint8)) == 0
    assert drawn[away].min() > 250, "paper"
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    assert (255 - drawn[edge]).mean() > 3 * (
        255 - drawn[cv2.erode(mask, np.ones((31, 31))) > 0]
    ).mean()


def test_the_manner_is_not_one_of_training(
    photo_of: Callable[..., tuple[np.ndarray, np.ndarray]],
) -> None:
    """A pencil's drawing has shades all over, from the photo; training's are of lines alone."""
    image, mask = photo_of(5)
    lamp = np.linspace(0.6, 1.0, image.shape[1])[None, :, None]
    shaded = np.clip(image * lamp, 0, 255).astype(np.uint8)
    inner = cv2.erode(mask, np.ones((31, 31), np.uint8)) > 0
    coarse = np.random.default_rng(0).normal(0, 12, (64, 48, 1)).astype(np.float32)
    worn = shaded + cv2.resize(coarse, (192, 256), interpolation=cv2.INTER_CUBIC)[..., None]
    worn = np.clip(worn, 0, 255).astype(np.uint8)
    drawn = pencil(worn, mask)[inner]
    assert ((drawn > 40) & (drawn < 215)).mean() > 0.2
    assert not set(vars(data)) & {"pencil"}
    trained = [
        Path(str(module.__file__)).read_text(encoding="utf-8") for module in (data, task, lines)
    ]
    assert not any("pencil" in text or "dodge" in text for text in trained)


def test_queries_lie_elsewhere_and_repeat(thing_set: Path) -> None:
    dataset = open_dataset(thing_set)
    queries, again = queries_of(dataset), queries_of(dataset)
    assert list(queries) == ["traced", "by hand"]
    for manner, drawings in queries.items():
        assert len(drawings) == len(dataset)
        assert all(map(np.array_equal, drawings, again[manner]))
        tops = {int(np.flatnonzero((q[..., 0] < 160).any(1))[0]) for q in drawings}
        assert len(tops) > 8


def test_a_hand_is_off_but_not_far(drawing_of: Callable[..., np.ndarray]) -> None:
    drawn = drawing_of(4, (512, 384), 3)
    off = [by_hand(drawn, np.random.default_rng(seed)) for seed in range(6)]
    away = cv2.distanceTransform((drawn[..., 0] > 128).astype(np.uint8), cv2.DIST_L2, 5)
    for sheet in off:
        assert sheet.shape == drawn.shape
        far = away[sheet[..., 0] < 128] / 512
        assert 0.001 < np.median(far) < 0.06
        assert far.max() < 0.25
    assert not np.array_equal(off[0], off[1])


def test_photos_are_without_what_was_put_beside_them(thing_set: Path) -> None:
    dataset = open_dataset(thing_set)
    valid = np.array(dataset.arrays["valid"])
    valid[:] = [10, 20, 180, 240]
    arrays = {**dataset.arrays, "valid": valid}
    cut = photos_of(Dataset(dataset.path, dataset.meta, dataset.index, arrays))
    assert {p.shape for p in cut} == {(220, 170, 3)}
    assert np.array_equal(cut[0], dataset.arrays["images"][0][20:240, 10:180])


# -- figures -----------------------------------------------------------------------------------


def test_ranks_count_what_comes_before() -> None:
    similar = np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [0.9, 0.8, 0.7]])
    assert ranks_among(similar) == [0, 1, 2]
    similar[1] = np.nan
    assert ranks_among(similar) == [0, 3, 2]


def test_recall_is_the_share_of_ranks_among_the_first() -> None:
    assert recalls([0, 1, 4, 5, 9, 10, 0, 200]) == {1: 2 / 8, 5: 4 / 8, 10: 6 / 8}


@pytest.mark.slow
def test_a_report_has_all_rows(thing_set: Path, weights: Path, tmp_path: Path) -> None:
    report = evaluate_find(
        thing_set, [str(weights)], json_path=tmp_path / "out.json", device="cpu", quiet=True
    )
    assert report["items"] == 16
    assert list(report["drawn"]) == ["traced", "by hand"]
    for rows in report["drawn"].values():
        names = [n for n in rows if n != "SqueezeNet"]
        assert names == ["fresh", "HOG, grey", "HOG, edges", "chance"]
        assert ("SqueezeNet" in rows) != any("SqueezeNet" in n for n in report["notes"])
        for row in rows.values():
            values = [row[f"recall@{k}"] for k in RANKS]
            assert values == sorted(values)
            for k, value in zip(RANKS, values, strict=True):
                if "ranks" in row:
                    assert value == pytest.approx(np.mean(np.array(row["ranks"]) <= k))
                else:
                    assert value == pytest.approx(k / 16)
    traced = report["drawn"]["traced"]["HOG, edges"]
    assert traced["recall@1"] >= 0.5, "outlines tell these things apart"
    assert json.loads((tmp_path / "out.json").read_text()) == report
    assert "16 photos" in format_find(report)


def test_the_command_prints_the_table(
    sketched_set: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["evaluate", "--find", str(sketched_set), "--model", str(weights), "--device", "cpu"]
    assert main(run) == 0
    out = capsys.readouterr().out
    assert "8 photos" in out
    assert "HOG, grey" in out
    empty = tmp_path / "none"
    empty.mkdir()
    assert main([*run, "--backbones", str(empty)]) == 2
    assert main([*run, "--drawings", str(sketched_set)]) == 2
    assert main([*run, "--sheet", str(tmp_path / "a.jpg")]) == 2
    errors = capsys.readouterr().err
    assert "squeezenet" in errors
    assert "one of --pairs" in errors
    assert "--sheet" in errors


def test_backbones_that_were_asked_for_must_be_there(
    thing_set: Path, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackboneMissing, match="squeezenet"):
        evaluate_find(thing_set, [str(weights)], backbones=tmp_path, quiet=True)


# -- the split ---------------------------------------------------------------------------------


def test_the_list_of_test_photos_is_that_of_the_rule() -> None:
    names = split_names()
    assert names == split_of(names["garments"], names["faces"]), "all are held out, in order"
    assert len(names["garments"]) == 382
    assert len(names["faces"]) == 251
    assert not is_test_garment("someone's own shirt")
    others = [f"{name}x" for name in names["faces"]]
    assert 0.2 < np.mean([is_test_face(name) for name in others]) < 0.47


@pytest.mark.shared
def test_the_list_is_complete(shared: Path) -> None:
    photos = [shared / "data" / kind / "photos" for kind in ("garments", "faces")]
    stems = [[p.stem for p in folder.iterdir()] for folder in photos]
    assert split_of(*stems) == split_names()


def test_prepared_faces_keep_to_their_side(
    tmp_path: Path, drawing_of: Callable[..., np.ndarray]
) -> None:
    for kind in ("photos", "sketches"):
        (tmp_path / "faces" / kind).mkdir(parents=True)
        for i in range(12):
            picture = drawing_of(i, (120, 100)) // (1 if kind == "sketches" else 2)
            cv2.imwrite(str(tmp_path / "faces" / kind / f"{i}.png"), picture)
    counts = {}
    for part in ("training", "held-back", "all"):
        out = tmp_path / part
        counts[part] = prepare_sketched(tmp_path / "faces", out, part=part, quiet=True).count
        dataset = open_dataset(out)
        names = [str(row["name"]) for row in dataset.index]
        if part != "all":
            assert all(is_test_face(n) == (part == "held-back") for n in names)
        sketch = np.asarray(dataset.arrays["sketches"][0]).astype(int)
        photo = np.asarray(dataset.arrays["images"][0]).max(2).astype(int)
        assert np.abs(sketch // 2 - photo).mean() < 3, "photo and sketch are cut alike"
    assert counts["training"] + counts["held-back"] == counts["all"] == 12


def test_the_command_prepares_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "faces").mkdir()
    cv2.imwrite(str(tmp_path / "faces" / "a.png"), np.zeros((50, 40, 3), np.uint8))
    run = [
        "prepare",
        str(tmp_path / "faces"),
        "--out",
        str(tmp_path / "set"),
        "--drawings",
        "faces",
    ]
    assert main(run) == 2
    assert "two folders" in capsys.readouterr().err
