"""Which pixel of one face lies where in another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import map_coordinates

from tests.vunet.face.faces import SIDE, mesh
from vunet.face.correspond import MESH, NOWHERE, MeanFace, from_mean, to_mean

STEPS = 64
AXIS = (np.arange(STEPS) + 0.5) / STEPS * 2 - 1
GRID = np.stack(np.meshgrid(AXIS, AXIS), -1)
MEAN = MeanFace.of(np.stack([mesh(seed) for seed in range(6)]))


def looked_up(places: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A map (n, n, 2) at places (..., 2) in [-1, 1], between its values; NaN next to nothing."""
    known = np.where(places == NOWHERE, np.nan, places).astype(np.float64)
    column, row = ((at[..., k] + 1) / 2 * len(places) - 0.5 for k in range(2))
    return np.stack(
        [map_coordinates(known[..., k], [row, column], order=1, cval=np.nan) for k in range(2)], -1
    )


def turned(face: np.ndarray, angle: float) -> np.ndarray:
    """A mesh turned about the line through its middle, from top to bottom."""
    c, s = np.cos(angle), np.sin(angle)
    centred = face - np.array([SIDE / 2, 0, face[:MESH, 2].mean()])
    return centred @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + [SIDE / 2, 0, 0]


def test_the_mean_face_fills_its_square() -> None:
    np.testing.assert_allclose(MEAN.points.min(0), -0.98)
    np.testing.assert_allclose(MEAN.points.max(0), 0.98)
    a, b, c = (MEAN.points[MEAN.triangles[:, k]] for k in range(3))
    areas = np.cross(np.c_[b - a, np.zeros(len(a))], np.c_[c - a, np.zeros(len(a))])[:, 2]
    assert (areas > 0).all()
    assert areas.sum() / 2 > 0.6 * 4  # an oval's share of the square is pi / 4


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_there_and_back_is_where_one_was(seed: int) -> None:
    face = mesh(seed)
    there = to_mean(MEAN, face, SIDE, STEPS)
    back = looked_up(from_mean(MEAN, face, SIDE), np.where(there == NOWHERE, np.nan, there))
    off = np.linalg.norm(back - GRID, axis=-1)
    known = np.isfinite(off)
    assert known.sum() > 0.75 * (there[..., 0] != NOWHERE).sum(), "only rims may be lost"
    assert np.median(off[known]) < 0.003
    assert np.quantile(off[known], 0.99) < 0.03
    assert off[known].max() < 0.25  # slivers at the rim


def test_places_of_points_are_the_points() -> None:
    """Against scipy's own interpolation over its own triangles."""
    face = mesh(3)
    at = face[:MESH, :2] / SIDE * 2 - 1
    wanted = LinearNDInterpolator(MEAN.points, at)(GRID)
    found = from_mean(MEAN, face, SIDE)
    inside = (found[..., 0] != NOWHERE) & np.isfinite(wanted[..., 0])
    assert inside.sum() > 0.97 * np.isfinite(wanted[..., 0]).sum()
    off = np.abs(found - wanted)[inside].max(1)
    assert np.quantile(off, 0.98) < 1e-4
    assert off.max() < 0.05  # beside an edge the neighbour's triangle may be taken


@settings(max_examples=15)
@given(
    st.floats(0.7, 1.2),
    st.floats(0.7, 1.2),
    st.floats(-0.3, 0.3),
    st.floats(-25, 25),
    st.floats(-25, 25),
)
def test_a_moved_face_has_moved_maps(
    sx: float, sy: float, shear: float, x: float, y: float
) -> None:
    face = mesh(1)
    matrix = np.array([[sx, shear], [0, sy]])
    moved = face.astype(np.float64)
    middle = np.array([SIDE / 2, SIDE / 2])
    moved[:, :2] = (moved[:, :2] - middle) @ matrix.T + middle + (x, y)
    plain, other = from_mean(MEAN, face, SIDE), from_mean(MEAN, moved, SIDE)
    nowhere = plain[..., 0] == NOWHERE
    assert np.array_equal(nowhere, other[..., 0] == NOWHERE)
    wanted = plain @ matrix.T + 2 * np.array([x, y]) / SIDE
    np.testing.assert_allclose(other[~nowhere], wanted[~nowhere], atol=1e-4)
    # the other way: what lies at a moved pixel is what lay where it came from
    came = (GRID - 2 * np.array([x, y]) / SIDE) @ np.linalg.inv(matrix).T
    before = looked_up(to_mean(MEAN, face, SIDE, STEPS), came)
    after = to_mean(MEAN, moved, SIDE, STEPS)
    both = np.isfinite(before[..., 0]) & (after[..., 0] != NOWHERE)
    assert both.sum() > 300
    off = np.abs(before - after)[both]
    assert np.median(off) < 0.005
    assert off.max() < 0.15


@pytest.mark.parametrize("angle", [-0.9, -0.6, 0.6, 0.9])
def test_sides_that_look_away_lead_nowhere(angle: float) -> None:
    """Where turning makes x run backwards, found by differences over the grid itself."""
    face = turned(mesh(depth=0.45), angle)
    found = from_mean(MEAN, face, SIDE)
    true = LinearNDInterpolator(MEAN.points, face[:MESH, 0])(GRID)
    runs = np.gradient(true, axis=1)
    away, seen = runs < -0.5, runs > 0.5
    assert away.sum() > 50
    assert seen.sum() > 500
    assert (found[..., 0] == NOWHERE)[away].mean() > 0.95
    assert (found[..., 0] != NOWHERE)[seen].mean() > 0.95


@pytest.mark.parametrize("angle", [-0.7, 0.7])
def test_what_is_hidden_is_not_shown(angle: float) -> None:
    """Where a turned face lies over itself its pixels are of what is nearest."""
    face = turned(mesh(depth=0.45), angle)
    there = to_mean(MEAN, face, SIDE, STEPS)
    depth = LinearNDInterpolator(MEAN.points, face[:MESH, 2])
    x = LinearNDInterpolator(MEAN.points, face[:MESH, :2])
    rows, columns = np.nonzero(there[..., 0] != NOWHERE)
    many = GRID.reshape(-1, 2)
    places, depths = x(many), depth(many)
    shown, nearest = depth(there[rows, columns]), []
    for k in range(0, len(rows), 7):
        at = (GRID[rows[k], columns[k]] + 1) / 2 * SIDE
        here = np.abs(places - at).max(1) < 2
        if here.any() and np.isfinite(shown[k]):
            nearest.append(shown[k] <= depths[here].min() + 0.08 * SIDE)
    assert len(nearest) > 50
    assert np.mean(nearest) > 0.95  # but for the silhouette


def test_a_mirrored_face_has_no_front() -> None:
    face = mesh()
    face[:, 0] = SIDE - face[:, 0]
    assert (from_mean(MEAN, face, SIDE) == NOWHERE).mean() > 0.999
    assert (to_mean(MEAN, face, SIDE, STEPS) == NOWHERE).all()


def test_faces_outside_the_picture_lead_nowhere() -> None:
    far = mesh() + np.array([10 * SIDE, 0, 0], np.float32)
    assert (to_mean(MEAN, far, SIDE, STEPS) == NOWHERE).all()
    known = from_mean(MEAN, far, SIDE)
    assert (known[..., 0] > 1).all(), "where a place lies outside is said as it is"
