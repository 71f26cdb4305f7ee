"""The file of the tab *Face*: the strokes of a drawing with the settings that made a face of it.

    {"format": "vunet-face-1", "size": [height, width],
     "strokes": [{"points": [[x, y], ...], "width": px, "rub": bool, "colour": "#rrggbb"}, ...],
     "sliders": {"all": 0.5, "left-eye": 0.5, ...}, "directions": {"age": -1.0, ...},
     "seed": 0, "strength": 1.0, "temperature": 1.0, "match_eyes": true}

Strokes are as `apps.pad` has them; `colour` may be absent. Photos are no part of the file. What is
read may come from anywhere: each value is checked, and nothing else is taken over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.errors import UsageError
from apps.pad import MAX_PEN_PX, MAX_POINTS, SIZE
from vunet.face.directions import FARTHEST
from vunet.face.parts import NAMES

FORMAT = "vunet-face-1"
ALL = "all"
"""The name of the slider that moves all others."""
SLIDERS = (ALL, *NAMES)
MOST_TEMPERATURE = 2.0
MOST_SEED = 2**53
"""Whole numbers up to here are the same in every language."""
MAX_BYTES = 16_000_000
"""Room for all the points that a pad may have."""
_MOST_DIRECTIONS = 64
_LONGEST_NAME = 80
_FAR = 100_000
"""Pixels; farther from the paper no pointer goes."""
_HEX = re.compile(r"#[0-9a-f]{6}", re.ASCII)


class FaceFileError(UsageError):
    """A drawing of a face that cannot be read or kept, in one sentence."""


@dataclass(frozen=True)
class FaceDrawing:
    """A drawing on the pad, and the settings of the tab."""

    strokes: list[dict[str, Any]]
    sliders: dict[str, float]
    """Of each of `SLIDERS`, from 0 to 1."""
    directions: dict[str, float]
    """By name, from -`FARTHEST` to `FARTHEST`; weights may not know all of them."""
    seed: int
    strength: float
    temperature: float
    match_eyes: bool


def face_text(face: FaceDrawing) -> str:
    """A drawing as the file's text.

    Raises:
        FaceFileError: If it holds what no file may hold.
    """
    head = {"format": FORMAT, "size": list(SIZE)}
    checked = vars(_face({**head, **vars(face)}))
    return json.dumps({**head, **checked}, separators=(",", ":")) + "\n"


def load_face(path: Path) -> FaceDrawing:
    """Read a file.

    Raises:
        FaceFileError: If it is none that `face_text` wrote, or was damaged since.
        OSError: If it cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    return face_of(data)


def face_of(data: bytes) -> FaceDrawing:
    """The drawing that a file's bytes hold.

    Raises:
        FaceFileError: If they hold none.
    """
    if len(data) > MAX_BYTES:
        raise FaceFileError(
            f"the file has more than {MAX_BYTES // 10**6} MB; load one that Save drawing made"
        )
    try:
        told = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise FaceFileError(
            "this is no drawing of a face (not JSON); load a file that Save drawing made"
        ) from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise FaceFileError(
            f"this is no drawing of a face (its format is not {FORMAT}); "
            "load a file that Save drawing made"
        )
    return _face(told)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _face(told: Mapping[str, Any]) -> FaceDrawing:
    if told.get("size") != list(SIZE):
        raise FaceFileError(
            f"the drawing is not on paper of {SIZE[1]} x {SIZE[0]} pixels; "
            "load one that this app made"
        )
    sliders = _mapping(told, "sliders")
    unknown = sorted(set(SLIDERS) ^ set(sliders))
    if unknown:
        raise _damaged(f"sliders: {unknown[0][:_LONGEST_NAME]!r}")
    directions = _mapping(told, "directions")
    if len(directions) > _MOST_DIRECTIONS or any(len(n) > _LONGEST_NAME for n in directions):
        raise _damaged("directions")
    seed = told.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MOST_SEED:
        raise _damaged("seed")
    match_eyes = told.get("match_eyes")
    if not isinstance(match_eyes, bool):
        raise _damaged("match_eyes")
    return FaceDrawing(
        strokes=_strokes(told.get("strokes")),
        sliders={name: _number(sliders[name], "sliders", 0, 1) for name in SLIDERS},
        directions={
            name: _number(amount, "directions", -FARTHEST, FARTHEST)
            for name, amount in directions.items()
        },
        seed=seed,
        strength=_number(told.get("strength"), "strength", 0, 1),
        temperature=_number(told.get("temperature"), "temperature", 0, MOST_TEMPERATURE),
        match_eyes=match_eyes,
    )


def _strokes(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list):
        raise _damaged("strokes")
    all_points: list[list[Any]] = []
    for stroke in given:
        points = stroke.get("points") if isinstance(stroke, dict) else None
        if not isinstance(points, list) or not points:
            raise _damaged("strokes")
        all_points.append(points)
    if sum(map(len, all_points)) > MAX_POINTS:
        raise FaceFileError(f"the drawing has more than {MAX_POINTS} points; use a simpler one")
    strokes = []
    for stroke, points in zip(given, all_points, strict=True):
        for point in points:
            if not isinstance(point, list) or len(point) != 2:
                raise _damaged("strokes")
        rub, colour = stroke.get("rub"), stroke.get("colour")
        if not isinstance(rub, bool):
            raise _damaged("strokes")
        if colour is not None and not (isinstance(colour, str) and _HEX.fullmatch(colour)):
            raise _damaged("strokes")
        kept: dict[str, Any] = {
            "points": [[_number(v, "strokes", -_FAR, _FAR) for v in point] for point in points],
            "width": _number(stroke.get("width"), "strokes", 1, MAX_PEN_PX),
            "rub": rub,
        }
        strokes.append(kept if colour is None else {**kept, "colour": colour})
    return strokes


def _mapping(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    if not isinstance(found, dict):
        raise _damaged(name)
    return found


def _number(given: object, name: str, low: float, high: float) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            number = float(given)
        except OverflowError:
            number = math.nan
        if low <= number <= high:
            return number
    raise _damaged(name)


def _damaged(name: str) -> FaceFileError:
    return FaceFileError(
        f"the drawing is damaged ({name}); load the file as Save drawing made it, or draw anew"
    )
