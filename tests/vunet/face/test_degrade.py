"""Drawings made worse in known amounts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vunet.face.faces import ink_of_sketch, layout
from vunet.face.degrade import FARTHEST, Harm, degraded
from vunet.face.parts import PARTS, centre, window

SEEDS = st.integers(0, 10_000)
NONE = Harm(drop=0, wobble=0, shift=0, shifted=0, missing=0)
POINTS = layout(1)
INK = ink_of_sketch(POINTS)
MOVING = [row for part in PARTS for row in part.rows]


def harmed(seed: int, **harm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    given = {"drop": 0.0, "wobble": 0.0, "shift": FARTHEST, "shifted": 0.0, "missing": 0.0}
    return degraded(INK, POINTS, np.random.default_rng(seed), Harm(**{**given, **harm}))


@given(SEEDS)
def test_no_harm_leaves_all_as_it_is(seed: int) -> None:
    ink, points, there = degraded(INK, POINTS, np.random.default_rng(seed), NONE)
    assert np.array_equal(ink, INK)
    assert np.array_equal(points, POINTS)
    assert there.all()


def test_a_seed_repeats_and_what_is_given_stays() -> None:
    kept, places = INK.copy(), POINTS.copy()
    one, other = (degraded(INK, POINTS, np.random.default_rng(7)) for _ in range(2))
    third = degraded(INK, POINTS, np.random.default_rng(8))
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(one[0], third[0])
    assert np.array_equal(INK, kept)
    assert np.array_equal(POINTS, places)


@given(SEEDS, st.floats(0, FARTHEST))
def test_parts_go_no_farther_than_told_and_all_of_them_together(seed: int, most: float) -> None:
    _, points, there = harmed(seed, shifted=1.0, shift=most)
    assert there.all()
    steps = points - POINTS
    assert np.linalg.norm(steps, axis=1).max() <= most + 1e-9
    still = sorted(set(range(len(POINTS))) - set(MOVING))
    assert not steps[still].any()
    for part in PARTS:
        own = steps[list(part.rows)]
        np.testing.assert_allclose(own, np.broadcast_to(own[0], own.shape), atol=1e-12)


def test_shifts_reach_far_and_in_all_directions() -> None:
    steps = [harmed(seed, shifted=1.0)[1][PARTS[2].rows[0]] for seed in range(60)]
    steps = np.array(steps) - POINTS[PARTS[2].rows[0]]
    assert np.linalg.norm(steps, axis=1).max() > 0.9 * FARTHEST
    assert np.abs(steps.mean(0)).max() < 0.03
    assert (np.sign(steps).sum(0) < len(steps)).all()


@settings(max_examples=20)
@given(SEEDS)
def test_strokes_go_with_their_points(seed: int) -> None:
    """A part's window, cut where its points say it is now, shows what it showed."""
    ink, points, _ = harmed(seed, shifted=1.0, shift=0.03)
    for part in PARTS:
        before, after = (
            window(i, centre(part, p), 0.6 * part.side, 48)
            for i, p in ((INK, POINTS), (ink, points))
        )
        held = window(INK, centre(part, points), 0.6 * part.side, 48)
        if np.linalg.norm(centre(part, points) - centre(part, POINTS)) > 0.015:
            assert np.abs(after - before).mean() < 0.7 * np.abs(after - held).mean(), part.name


@given(SEEDS)
def test_missing_parts_are_blank_and_told(seed: int) -> None:
    ink, points, there = harmed(seed, missing=0.5)
    assert np.array_equal(points, POINTS)
    gone = [part for part, kept in zip(PARTS, there, strict=True) if not kept]
    for part in gone:
        assert not window(ink, centre(part, POINTS), 0.6 * part.side, 48).max() > 1e-6, part.name
    if not gone:
        assert np.array_equal(ink, INK)
    assert (ink <= INK + 1e-6).all(), "nothing is added"


def test_all_parts_go_missing_at_times_and_none_at_others() -> None:
    there = np.stack([harmed(seed, missing=0.5)[2] for seed in range(200)])
    np.testing.assert_allclose(there.mean(0), 0.5, atol=0.12)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_as_many_strokes_are_dropped_as_told(share: float) -> None:
    kept = np.mean([harmed(seed, drop=share)[0].sum() for seed in range(30)]) / INK.sum()
    assert kept == pytest.approx(1 - share, abs=0.05)


@settings(max_examples=20)
@given(SEEDS)
def test_points_wobble_with_the_lines(seed: int) -> None:
    """Dots drawn at the points lie there afterwards, too."""
    dots = np.zeros((256, 256), np.float32)
    rows = [0, 3, 8, 15, 16, 17]
    for x, y in np.rint(POINTS[rows] * 256).astype(int):
        dots[y - 2 : y + 3, x - 2 : x + 3] = 1
    harm = Harm(drop=0, wobble=0.008, shift=0, shifted=0, missing=0)
    ink, points, _ = degraded(dots, POINTS, np.random.default_rng(seed), harm)
    off = []
    for x, y in points[rows] * 256:
        y0, x0 = max(0, round(y) - 9), max(0, round(x) - 9)
        near = ink[y0 : y0 + 19, x0 : x0 + 19]
        assert near.sum() > 5
        weight = np.stack(np.mgrid[y0 : y0 + near.shape[0], x0 : x0 + near.shape[1]], -1) + 0.5
        middle = (weight * near[..., None]).sum((0, 1)) / near.sum()
        off.append(np.linalg.norm(middle - (y, x)))
    assert np.mean(off) < 2
    assert np.max(off) < 5


@given(SEEDS)
@settings(max_examples=20)
def test_ink_stays_ink(seed: int) -> None:
    ink, points, there = degraded(INK, POINTS, np.random.default_rng(seed))
    assert ink.shape == INK.shape
    assert ink.dtype == np.float32
    assert ink.min() >= 0
    assert ink.max() <= 1 + 1e-6
    assert np.isfinite(points).all()
    assert there.shape == (len(PARTS),)
