"""The file of the tab *Face*: what is saved is what is loaded, and nothing else is let in."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.face_file import (
    ALL,
    MAX_BYTES,
    SLIDERS,
    FaceDrawing,
    FaceFileError,
    face_of,
    face_text,
    load_face,
)
from apps.pad import MAX_POINTS, SIZE, drawing_of
from apps.starts import faces

SHARE = st.floats(0, 1)
PLACE = st.one_of(st.integers(-900, 1500), st.floats(-900, 1500))
STROKES = st.lists(
    st.fixed_dictionaries(
        {
            "points": st.lists(st.lists(PLACE, min_size=2, max_size=2), min_size=1, max_size=8),
            "width": st.one_of(st.integers(1, 64), st.floats(1, 64)),
            "rub": st.booleans(),
        },
        optional={"colour": st.sampled_from(["#1d2430", "#ffffff", "#0a0b0c"])},
    ),
    max_size=6,
)
FACES = st.builds(
    FaceDrawing,
    strokes=STROKES,
    sliders=st.fixed_dictionaries(dict.fromkeys(SLIDERS, SHARE)),
    directions=st.dictionaries(st.text(max_size=20), st.floats(-3, 3), max_size=4),
    seed=st.integers(0, 2**53),
    strength=SHARE,
    temperature=st.floats(0, 2),
    match_eyes=st.booleans(),
)


def a_face(**more: Any) -> FaceDrawing:
    """A ready-made drawing with settings."""
    settings: dict[str, Any] = {
        "strokes": faces()["Short hair"],
        "sliders": dict.fromkeys(SLIDERS, 0.25),
        "directions": {"age": -1.5},
        "seed": 7,
        "strength": 0.5,
        "temperature": 0.75,
        "match_eyes": False,
    }
    return FaceDrawing(**{**settings, **more})


def told(**more: Any) -> dict[str, Any]:
    """The file of that face as an object, with other values."""
    return {**json.loads(face_text(a_face())), **more}


@given(FACES)
def test_what_is_saved_is_loaded(face: FaceDrawing) -> None:
    assert face_of(face_text(face).encode()) == face


def test_the_file_is_as_promised(tmp_path: Path) -> None:
    path = tmp_path / "face.json"
    path.write_text(face_text(a_face()), encoding="utf-8")
    held = json.loads(path.read_text(encoding="utf-8"))
    assert held["format"] == "vunet-face-1"
    assert held["size"] == list(SIZE)
    assert set(held) == {
        *("format", "size", "strokes", "sliders", "directions"),
        *("seed", "strength", "temperature", "match_eyes"),
    }
    assert held["strokes"] == faces()["Short hair"]
    assert load_face(path) == a_face()


def test_the_largest_drawing_that_a_pad_takes_can_be_kept() -> None:
    point = [-12345.678901234567, 99999.12345678901]
    dot = {"points": [point], "width": 6.123456789012345, "rub": False, "colour": "#1d2430"}
    one, two = (len(face_text(a_face(strokes=[dot] * count))) for count in (1, 2))
    assert one + (two - one) * MAX_POINTS < MAX_BYTES  # nothing takes more room than dots
    for strokes in ([{**dot, "points": [point] * (MAX_POINTS + 1)}], [dot] * (MAX_POINTS + 1)):
        with pytest.raises(FaceFileError, match="points"):
            face_text(a_face(strokes=strokes))


def test_nothing_is_taken_over_that_was_not_asked_for() -> None:
    stroke = {**faces()["Long hair"][0], "onload": "alert(1)"}
    face = face_of(json.dumps(told(strokes=[stroke], more={"a": 1})).encode())
    assert set(face.strokes[0]) == {"points", "width", "rub"}
    drawing_of({"strokes": face.strokes})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"no JSON",
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b'{"format": "vunet-face-1", "seed": NaN}',
        b'{"format": "vunet-face-1", "seed": ' + b"9" * 10_000 + b"}",
        b"null",
        b"[]",
        b'"vunet-face-1"',
        b'{"format": ["vunet-face-1"]}',
        b'{"people": []}',
        b"x" * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_such_file_is_told_in_a_sentence(data: bytes) -> None:
    with pytest.raises(FaceFileError, match=r"load (a|one)") as caught:
        face_of(data)
    assert "\n" not in str(caught.value)


STROKE = {"points": [[1, 2], [3, 4]], "width": 6, "rub": False}


@pytest.mark.parametrize(
    "more",
    [
        {"size": [640, 481]},
        {"size": None},
        {"strokes": {}},
        {"strokes": [[]]},
        {"strokes": ["x"]},
        {"strokes": [{**STROKE, "points": []}]},
        {"strokes": [{**STROKE, "points": [[1, 2, 3]]}]},
        {"strokes": [{**STROKE, "points": [[1, "2"]]}]},
        {"strokes": [{**STROKE, "points": [[1, True]]}]},
        {"strokes": [{**STROKE, "points": [[1, 1e300]]}]},
        {"strokes": [{**STROKE, "points": [[1, 10**400]]}]},
        {"strokes": [{**STROKE, "width": 0}]},
        {"strokes": [{**STROKE, "width": None}]},
        {"strokes": [{**STROKE, "rub": 1}]},
        {"strokes": [{**STROKE, "colour": "red"}]},
        {"strokes": [{"runs": [[1, 2, 3]], "colour": "#000000"}]},
        {"sliders": {}},
        {"sliders": []},
        {"sliders": dict.fromkeys([*SLIDERS, "ears"], 0.5)},
        {"sliders": {**dict.fromkeys(SLIDERS, 0.5), ALL: 1.5}},
        {"sliders": {**dict.fromkeys(SLIDERS, 0.5), "nose": "0.5"}},
        {"directions": {"age": 3.5}},
        {"directions": {"x" * 100: 1}},
        {"directions": {str(n): 0 for n in range(100)}},
        {"directions": [1]},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": True},
        {"seed": 2**53 + 1},
        {"strength": -0.1},
        {"strength": None},
        {"temperature": 1e9},
        {"match_eyes": 1},
    ],
)
def test_damaged_values_are_told_in_a_sentence(more: dict[str, Any]) -> None:
    with pytest.raises(FaceFileError, match=r"drawing (is|has)") as caught:
        face_of(json.dumps(told(**more)).encode())
    assert "\n" not in str(caught.value)
    missing = told()
    missing.pop(next(iter(more)))
    with pytest.raises(FaceFileError):
        face_of(json.dumps(missing).encode())


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_written(amount: float) -> None:
    with pytest.raises(FaceFileError):
        face_text(a_face(strength=amount))
