"""Drawings of faces in, pictures out, whatever was drawn; with the released weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pose.face import FaceFinder
from tests.vunet.face.faces import layout, sketch
from vunet.drawing.painter import Look
from vunet.drawing.sheet import DrawingError
from vunet.engine import Engine, EngineError
from vunet.face.manifolds import Sliders
from vunet.face.painter import FacePainter, cut_ink, paper_ink
from vunet.face.parts import MIRRORED, PARTS, centre, turn
from vunet.images import read_image

CRUDE = Path(__file__).parent / "crude"
NAMES = sorted(path.stem for path in CRUDE.glob("*.png"))


def drawing(seed: int = 1, side: int = 400, pen: int = 3) -> np.ndarray:
    """(side, side, 3) uint8: a whole face, drawn by a program."""
    return np.repeat(sketch(layout(seed), side, pen, 0)[..., None], 3, 2)


@pytest.fixture(scope="module")
def bob(painter: FacePainter):
    """A crude drawing, read once."""
    return painter.read(read_image(CRUDE / "woman_with_bob.png"))


# -- what hands drew -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces_in(painter: FacePainter, finder: FaceFinder) -> Callable[[str], int]:
    """How many faces MediaPipe finds in what becomes of a crude drawing."""

    @cache
    def count(name: str) -> int:
        face = painter.read(read_image(CRUDE / f"{name}.png"))
        picture = painter.paint(face, sliders=Sliders({}, 0.8), size=256).image
        assert picture.shape == (256, 256, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 20
        return len(finder.find(picture))

    return count


@pytest.mark.parametrize("name", NAMES)
def test_every_crude_drawing_gives_a_picture(faces_in: Callable[[str], int], name: str) -> None:
    assert faces_in(name) <= 2


def test_most_crude_drawings_become_one_face(faces_in: Callable[[str], int]) -> None:
    assert len(NAMES) == 20
    missed = [name for name in NAMES if faces_in(name) != 1]
    assert len(missed) <= 5, missed


# -- what is no face, and what is hardly legible -------------------------------------------------


def house() -> np.ndarray:
    paper = np.full((480, 480, 3), 255, np.uint8)
    points = np.array([(90, 420), (90, 220), (240, 90), (390, 220), (390, 420)], np.int32)
    cv2.polylines(paper, [points], True, (0, 0, 0), 4)
    cv2.rectangle(paper, (200, 300), (270, 420), (0, 0, 0), 4)
    return paper


def one_line() -> np.ndarray:
    paper = np.full((400, 300, 3), 255, np.uint8)
    cv2.line(paper, (80, 100), (220, 290), (0, 0, 0), 5)
    return paper


def scanned() -> np.ndarray:
    """Grey paper with a shadow across it, and noise."""
    light = np.linspace(150, 225, 400)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 4, (400, 400, 1))
    return np.clip(drawing() / 255 * light + noise, 0, 255).astype(np.uint8)


def pencil() -> np.ndarray:
    pale = 255 - (255 - cv2.GaussianBlur(drawing(), (0, 0), 0.8)) * 0.45
    return np.clip(pale + np.random.default_rng(0).normal(0, 3, pale.shape), 0, 255).astype("u1")


def black() -> np.ndarray:
    return np.zeros((300, 300, 3), np.uint8)


def dot() -> np.ndarray:
    paper = np.full((400, 400, 3), 255, np.uint8)
    cv2.circle(paper, (380, 20), 9, (0, 0, 0), -1)
    return paper


def scribble() -> np.ndarray:
    paper = np.full((300, 500, 3), 255, np.uint8)
    points = np.random.default_rng(0).integers(0, (500, 300), (300, 2)).astype(np.int32)
    cv2.polylines(paper, [points], False, (0, 0, 0), 3)
    return paper


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)


def long_sheet() -> np.ndarray:
    paper = np.full((60, 1500, 3), 255, np.uint8)
    paper[:, 700:760] = drawing(side=60, pen=1)
    return paper


def small() -> np.ndarray:
    return drawing(side=40, pen=1)


def huge() -> np.ndarray:
    return drawing(side=4000, pen=24)


@pytest.mark.parametrize(
    "made",
    [house, one_line, scanned, pencil, black, dot, scribble, noise, long_sheet, small, huge],
)
def test_anything_gives_a_picture_or_a_sentence(painter: FacePainter, made) -> None:
    given, said, face = made(), "", None
    try:
        face = painter.read(given)
    except DrawingError as error:
        said = str(error)
    if face is None:
        assert made in (black, noise, dot, scribble), said
        assert said.endswith(".")
        assert "\n" not in said
        return
    frame = np.array(face.frame)
    assert np.isfinite(frame).all()
    assert frame[2] - frame[0] == pytest.approx(frame[3] - frame[1])
    assert frame[2] > frame[0]
    picture = painter.paint(face, size=128).image
    assert picture.shape == (128, 128, 3)


@pytest.mark.parametrize("made", [house, one_line])
def test_what_is_no_face_is_said(painter: FacePainter, made) -> None:
    """A picture comes all the same; a person who drew a house learns what happened."""
    face = painter.read(made())
    warnings = painter.paint(face, size=64).warnings
    assert any("No face" in w or "made up" in w or "unlike" in w for w in warnings)


def test_nothing_and_too_little_are_refused(engine: Engine, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    Image.new("RGB", (300, 300), "white").save(empty)
    with pytest.raises(EngineError, match=r"empty\.png: Nothing is drawn"):
        engine.draw_face(empty)
    with pytest.raises(EngineError, match="too small"):
        engine.draw_face(drawing(side=24, pen=1))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    with pytest.raises(ValueError, match=r"broken\.png"):
        engine.draw_face(broken)
    with pytest.raises(ValueError, match=r"broken\.png"):
        engine.draw_face(drawing(), broken)
    with pytest.raises(ValueError, match=r"broken\.png"):
        engine.draw_face(drawing(), parts={"nose": broken})


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA"])
def test_files_of_any_mode_are_read_alike(engine: Engine, tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("drawn.tif" if mode == "CMYK" else "drawn.png")
    picture = Image.fromarray(drawing())
    if mode in ("RGBA", "LA"):  # ink on nothing
        alpha = Image.fromarray(255 - drawing()[..., 0])
        picture = Image.new("RGB", picture.size, "black").convert(mode)
        picture.putalpha(alpha)
    picture.convert(mode).save(file)
    (one,) = engine.draw_face(file, size=64)
    (other,) = engine.draw_face(drawing(), size=64)
    assert np.abs(np.array(one.frame) - other.frame).max() < 8
    assert np.abs(one.image.astype(int) - other.image).mean() < 12


def test_a_photo_is_traced(engine: Engine, root: Path) -> None:
    (result,) = engine.draw_face(root / "apps/examples/person_3.jpg", size=128)
    assert any("looks like a photo" in w for w in result.warnings)
    with pytest.raises(EngineError, match=r"person_5\.jpg: No face was found"):
        engine.draw_face(root / "apps/examples/person_5.jpg", size=128)


# -- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "x", "y"), [(0.6, 10, 150), (0.8, 120, 5), (1.4, 90, 40)])
def test_a_drawing_is_read_wherever_it_lies(
    painter: FacePainter, scale: float, x: int, y: int
) -> None:
    plain = drawing(side=400)
    here = painter.read(plain)
    sheet = np.full((700, 760, 3), 255, np.uint8)
    side = round(400 * scale)
    resized = cv2.resize(plain, (side, side), interpolation=cv2.INTER_AREA)
    sheet[y : y + side, x : x + side] = resized
    there = painter.read(sheet)
    wanted = np.array(here.frame) * scale + (x, y, x, y)
    assert np.abs(np.array(there.frame) - wanted).max() < 0.04 * side
    assert np.linalg.norm(here.sketch.points - there.sketch.points, axis=1).mean() < 0.01
    calm = [cv2.GaussianBlur(f.sketch.ink, (0, 0), 4) for f in (here, there)]
    assert np.corrcoef(calm[0].ravel(), calm[1].ravel())[0, 1] > 0.93


@pytest.mark.parametrize("paper", [255, 200, 120])
def test_ink_is_ink_whatever_the_paper(paper: int) -> None:
    sheet = (drawing(side=300) / 255 * paper).astype(np.uint8)
    ink = paper_ink(sheet)
    assert ink.shape == (300, 300)
    lines = drawing(side=300)[..., 0] < 40
    assert ink[lines].mean() > 0.9
    away = cv2.dilate(lines.astype(np.uint8), np.ones((9, 9))) == 0
    assert ink[away].max() < 0.05
    placed = cut_ink(ink, (0.0, 0.0, 300.0, 300.0))
    assert placed.shape == (256, 256)
    assert placed.min() >= 0
    assert placed.max() <= 1


def test_thin_lines_on_large_sheets_stay_dark() -> None:
    for side in (256, 1024):
        ink = 1 - sketch(layout(1), side, 1, 0).astype(np.float32) / 255
        placed = cut_ink(ink, (0.0, 0.0, float(side), float(side)))
        assert np.quantile(placed[placed > 0.1], 0.5) > 0.4, side


# -- painting ------------------------------------------------------------------------------------


def test_seeds_repeat_and_differ(painter: FacePainter, bob) -> None:
    one, again, other = (painter.paint(bob, seed=s, size=128).image for s in (3, 3, 4))
    assert np.array_equal(one, again)
    assert np.abs(one.astype(int) - other).mean() > 3


def test_several_faces_of_one_drawing(engine: Engine) -> None:
    first, second = engine.draw_face(CRUDE / "woman_with_bob.png", n=2, seed=5, size=128)
    (alone,) = engine.draw_face(CRUDE / "woman_with_bob.png", seed=5, size=128)
    assert np.array_equal(first.image, alone.image)
    assert (first.seed, second.seed) == (5, 6)
    assert not np.array_equal(first.image, second.image)
    assert not np.array_equal(first.sheet, second.sheet), "its shape differs, too"


@pytest.mark.parametrize("part", [part.name for part in PARTS])
def test_a_copied_part_changes_its_window_most(painter: FacePainter, bob, part: str) -> None:
    other = painter.read(read_image(CRUDE / "man_with_moustache.png"))
    mixed = painter.with_parts(bob, {part: other})
    first, second = (painter.paint(f, temperature=0, size=256).image for f in (bob, mixed))
    change = np.abs(first.astype(float) - second).mean(2)
    one = next(p for p in PARTS if p.name == part)
    x, y = centre(one, bob.sketch.points) * 256
    rows, columns = np.mgrid[0:256, 0:256] + 0.5
    inside = np.maximum(abs(rows - y), abs(columns - x)) < one.side * 128
    assert change[inside].mean() > 2 * change[~inside].mean()
    assert painter.with_parts(bob, {}).sketch is bob.sketch


def test_a_look_gives_its_colours(painter: FacePainter, bob) -> None:
    photo = read_image(Path(__file__).parents[3] / "apps/examples/person_3.jpg")
    looks = [painter.look(p)[0] for p in (photo // 3, photo)]
    pictures = [painter.paint(bob, look, size=128).image.mean() for look in looks]
    assert pictures[0] + 25 < pictures[1]


def test_a_photo_without_a_face_gives_no_look(painter: FacePainter) -> None:
    with pytest.raises(DrawingError, match="No face was found"):
        painter.look(np.full((200, 160, 3), 90, np.uint8))


def test_a_smaller_drawing_is_told_to_be_incomplete(painter: FacePainter, bob) -> None:
    codes = {n: c for n, c in bob.sketch.codes.items() if n != "nose"}
    face = dataclasses.replace(bob, sketch=dataclasses.replace(bob.sketch, codes=codes))
    warnings = painter.paint(face, size=64).warnings
    assert any("made up: nose" in w for w in warnings)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 0}, "from 1 to 64"),
        ({"strength": 1.5}, "from 0 to 1"),
        ({"temperature": -1}, "from 0 to 4"),
        ({"size": 1}, "."),
        ({"parts": {"ear": drawing()}}, "'ear' is no part of a face"),
        ({"towards": drawing(2), "shares": {"ear": 1.0}}, "'ear' is no part of a face"),
        ({"directions": {"nobody": 1.0}}, "direction"),
    ],
)
def test_wrong_wishes_are_refused_in_a_sentence(engine: Engine, wrong, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        engine.draw_face(drawing(), **wrong)


def test_narrow_wishes_come_before_wide_ones(engine: Engine) -> None:
    """Whichever was said first."""
    near, far = drawing(1), drawing(2)
    ways = [
        engine.draw_face(near, towards=far, shares=shares, size=64)[0].image
        for shares in ({"nose": 1.0, "all": 0.2}, {"all": 0.2, "nose": 1.0}, {"all": 0.2})
    ]
    assert np.array_equal(ways[0], ways[1])
    assert not np.array_equal(ways[0], ways[2])


def test_a_photo_that_looks_the_other_way_is_mirrored(painter: FacePainter) -> None:
    """Whichever way round the photo is given, the picture is the same; from the front it is not."""
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 255, (8, 8, 3), np.uint8), (256, 256))
    thing = np.full((256, 256), 255, np.uint8)
    face = painter.read(read_image(CRUDE / "man_turned_right.png"))
    way = turn(face.sketch.points)
    assert abs(way) > 0.12, "the drawing is of a turned head"
    look = Look(picture, thing, way)
    assert np.array_equal(look.mirrored().mirrored().picture, picture)
    one = painter.paint(face, look, size=128)
    other = painter.paint(face, look.mirrored(), size=128)
    assert np.array_equal(one.image, other.image)
    assert any("mirrored" in words for words in other.warnings)
    assert not any("mirrored" in words for words in one.warnings)
    ahead = Look(picture, thing, 0.0)
    assert not np.array_equal(
        painter.paint(face, ahead, size=128).image,
        painter.paint(face, ahead.mirrored(), size=128).image,
    )


def test_turns_change_sign_in_a_mirror(painter: FacePainter) -> None:
    points = painter.read(read_image(CRUDE / "man_turned_right.png")).sketch.points
    mirrored = points[list(MIRRORED)] * [-1, 1] + [1, 0]
    assert turn(mirrored) == pytest.approx(-turn(points))
    assert turn(points * 7 + 3) == pytest.approx(turn(points))
