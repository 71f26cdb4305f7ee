"""Named directions of looks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vunet.drawing.sheet import DrawingError
from vunet.face.directions import Directions, load_directions

AXES = np.random.default_rng(0).normal(0, 1, (3, 4, 16))
WAYS = Directions(("light", "age", "hair"), ("dim", "young", "dark"), ("lit", "old", "fair"), AXES)
AMOUNTS = st.dictionaries(st.sampled_from(WAYS.names), st.floats(-3, 3))


@given(AMOUNTS)
def test_ways_add_up(amounts: dict[str, float]) -> None:
    alone = [WAYS.shift({name: amount}) for name, amount in amounts.items()]
    np.testing.assert_allclose(
        WAYS.shift(amounts), np.sum([np.zeros((4, 16)), *alone], 0), atol=1e-12
    )


@given(st.sampled_from(WAYS.names), st.floats(-1.5, 1.5))
def test_twice_as_far_is_twice_as_far_and_back_is_back(name: str, amount: float) -> None:
    once = WAYS.shift({name: amount})
    np.testing.assert_allclose(WAYS.shift({name: 2 * amount}), 2 * once, atol=1e-12)
    np.testing.assert_allclose(WAYS.shift({name: -amount}), -once, atol=1e-12)


def test_each_name_is_its_own_axis() -> None:
    for name, axis in zip(WAYS.names, AXES, strict=True):
        np.testing.assert_allclose(WAYS.shift({name: 1.0}), axis)
    assert not WAYS.shift({}).any()


def test_unknown_names_list_those_known() -> None:
    with pytest.raises(DrawingError, match=r"'beard' is no direction.*; there are light, age"):
        WAYS.shift({"beard": 1.0})


@pytest.mark.parametrize("amount", [3.01, -3.01, float("inf"), float("nan")])
def test_amounts_beyond_three_are_refused(amount: float) -> None:
    with pytest.raises(DrawingError, match="age must be from -3 to 3"):
        WAYS.shift({"light": 1.0, "age": amount})


def test_directions_are_read_for_their_own_weights_alone(tmp_path: Path) -> None:
    file = tmp_path / "directions.json"
    assert load_directions("abc", file) is None
    rows = [
        {"name": n, "low": low, "high": high, "axis": axis.tolist()}
        for n, low, high, axis in zip(WAYS.names, WAYS.lows, WAYS.highs, AXES, strict=True)
    ]
    file.write_text(json.dumps({"weights": "abc", "directions": rows}), encoding="utf-8")
    assert load_directions("abd", file) is None
    found = load_directions("abc", file)
    assert found is not None
    assert (found.names, found.lows, found.highs) == (WAYS.names, WAYS.lows, WAYS.highs)
    np.testing.assert_allclose(found.axes, AXES)
