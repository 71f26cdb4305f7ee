"""Drawings and photos in, pictures out; and how the result is judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from vunet.checkpoint import save_network
from vunet.config import PRESETS, DrawingConfig
from vunet.drawing.evaluate import contour_f1, evaluate_drawings, format_drawings
from vunet.drawing.network import DrawingNet
from vunet.engine import Engine, EngineError
from vunet.images import ImageError

Photo = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawing network, untrained."""
    config = PRESETS["tiny-pairs"].model
    assert isinstance(config, DrawingConfig)
    classes = ("Shirt", "Trousers")
    config = dataclasses.replace(config, size=(256, 192), shape="lines", classes=classes)
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    torch.manual_seed(0)
    net = DrawingNet(config)
    with torch.no_grad():
        net.detail[2].bias[3] += 1  # copies more than it paints
    save_network(net, path, config)
    return path


@pytest.fixture(scope="module")
def engine(weights: Path) -> Engine:
    return Engine.load(weights, device="cpu")


@pytest.fixture
def drawing() -> np.ndarray:
    canvas = np.full((400, 300, 3), 255, np.uint8)
    points = np.array([(60, 60), (240, 60), (240, 340), (60, 340)], np.int32)
    cv2.polylines(canvas, [points], True, (0, 0, 0), 3)
    return canvas


def test_the_ground_of_things_alone_is_cleared(
    engine: Engine, drawing: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> np.ndarray:
        raise AssertionError("cleared")

    config = PRESETS["tiny-pairs"].model
    assert isinstance(config, DrawingConfig)
    people = dataclasses.replace(config, size=(256, 192), shape="regions", people=True)
    path = tmp_path / "people.safetensors"
    save_network(DrawingNet(people), path, people)
    monkeypatch.setattr("vunet.drawing.painter.cleared", refuse)
    Engine.load(path, device="cpu").draw(drawing)
    with pytest.raises(AssertionError, match="cleared"):
        engine.draw(drawing)


def test_a_drawing_is_painted_at_the_size_asked_for(engine: Engine, drawing: np.ndarray) -> None:
    for size in (256, 512, 700):
        (result,) = engine.draw(drawing, size=size)
        assert result.image.shape == (size, round(size * 192 / 256), 3)
        assert result.image.dtype == np.uint8
        assert (result.invented == 255).all()  # nothing was there to copy


def test_seeds_repeat_and_differ(engine: Engine, drawing: np.ndarray) -> None:
    one, two = engine.draw(drawing, n=2, seed=4)
    again = engine.draw(drawing, seed=4)[0]
    next_one = engine.draw(drawing, seed=5)[0]
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(two.image, next_one.image)
    assert not np.array_equal(one.image, two.image)


def test_a_photos_own_pixels_come_at_its_own_resolution(
    engine: Engine, drawing: np.ndarray, photo: Photo
) -> None:
    """A look twice as large gives a sharper picture where it is copied."""
    image, _ = photo(1)
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    large[::2] = np.clip(large[::2].astype(int) + 40, 0, 255)  # detail that only it has
    fine, coarse = (
        engine.draw(drawing, look, size=1024)[0] for look in (large, cv2.resize(large, (200, 256)))
    )
    assert (fine.invented < 200).mean() > 0.5

    def unrest(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture.astype(float), axis=0)).mean())

    assert unrest(fine.image) > 1.5 * unrest(coarse.image)


def test_the_look_counts_less_with_less_strength(
    engine: Engine, drawing: np.ndarray, photo: Photo
) -> None:
    image, _ = photo(1)
    pictures = [engine.draw(drawing, image, strength=s)[0].image.astype(int) for s in (0, 0.5, 1)]
    sampled = engine.draw(drawing)[0].image.astype(int)
    apart = [float(np.abs(p - sampled).mean()) for p in pictures]
    assert apart[0] < apart[1] < apart[2]
    assert apart[0] < 2


def test_variations_keep_something_of_the_look(
    engine: Engine, drawing: np.ndarray, photo: Photo
) -> None:
    pictures = engine.draw(drawing, photo(1)[0], n=3)
    assert len({p.image.tobytes() for p in pictures}) == 3
    assert all((p.invented < 255).any() for p in pictures)


def test_what_is_wrong_is_said_in_a_sentence(
    engine: Engine, drawing: np.ndarray, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.png"
    Image.new("RGB", (200, 300), "white").save(blank)
    with pytest.raises(EngineError, match=r"blank\.png: Nothing is drawn"):
        engine.draw(blank)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for given in ((broken,), (drawing, broken)):
        with pytest.raises(ImageError, match="broken"):
            engine.draw(*given)
    for wrong, says in (
        ({"n": 0}, "from 1 to 64"),
        ({"strength": 1.5}, "from 0 to 1"),
        ({"temperature": -1}, "from 0 to 4"),
        ({"kind": "Spoon"}, "Shirt, Trousers"),
        ({"size": 1}, "."),
    ):
        with pytest.raises(EngineError, match=says):
            engine.draw(drawing, **wrong)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="know nothing of poses"):
        engine.repose(drawing, "standing")


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1"])
def test_pictures_of_any_kind_are_read(
    engine: Engine, drawing: np.ndarray, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / ("d.tif" if mode == "CMYK" else "d.png")
    Image.fromarray(drawing).convert(mode).save(path)
    expected = engine.draw(drawing)[0].image.astype(int)
    assert np.abs(engine.draw(path)[0].image - expected).mean() < 12


def test_a_picture_tells_how_it_was_made(
    engine: Engine, drawing: np.ndarray, tmp_path: Path
) -> None:
    (result,) = engine.draw(drawing, seed=7)
    result.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.info["vunet:seed"] == "7"  # type: ignore[attr-defined]
        assert written.info["vunet:weights"] == result.weights_sha256


def test_contours_are_judged_by_place() -> None:
    outline = np.zeros((120, 100), np.uint8)
    cv2.circle(outline, (50, 60), 30, 1, 1)
    filled = np.full((120, 100, 3), 230, np.uint8)
    cv2.circle(filled, (50, 60), 30, (40, 60, 90), -1)
    scores = [contour_f1(np.roll(filled, shift, axis=1), outline > 0) for shift in (0, 2, 5, 9, 40)]
    assert scores[0] > 0.97
    assert scores == sorted(scores, reverse=True)
    assert scores[3] < 0.6
    assert contour_f1(np.full_like(filled, 128), outline > 0) == 0


@pytest.mark.shared
def test_a_set_is_evaluated(weights: Path, drawn_set: Path, tmp_path: Path, shared: Path) -> None:
    report = evaluate_drawings(
        drawn_set,
        [str(weights)],
        backbones=shared / "backbones",
        json_path=tmp_path / "r.json",
        sheet=tmp_path / "s.jpg",
        limit=4,
        quiet=True,
    )
    rows = report["rows"]
    assert set(rows) == {"copy", "average", "own", "truth"}
    assert rows["truth"]["contour"] > 0.6
    assert rows["copy"]["colour"] < rows["average"]["colour"]
    assert "diversity" in rows["own"]
    assert (tmp_path / "s.jpg").is_file()
    assert "truth" in format_drawings(report)
