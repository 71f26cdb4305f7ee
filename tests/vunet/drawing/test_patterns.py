"""Patterned cloth and floors of sampled looks."""

from __future__ import annotations

import numpy as np
import pytest

from vunet.drawing.patterns import BOARDS, PATTERNED, TILES, patterned, second_colour
from vunet.drawing.subject import object_mask, told_by_colour

PLAIN = np.full((96, 72, 3), 120, np.float32)
SHARE = np.zeros((96, 72), np.float32)
SHARE[20:80, 15:60] = 1
SEEDS = range(600)


def changed(seed: int, **more: object) -> tuple[bool, bool]:
    """Whether cloth and ground differ from plain ones."""
    found = patterned(PLAIN, SHARE, seed, **more)  # type: ignore[arg-type]
    unlike = np.abs(found - PLAIN).max(2) > 1
    return bool(unlike[SHARE == 1].any()), bool(unlike[SHARE == 0].any())


def test_patterns_are_as_frequent_as_said() -> None:
    cloth, floor = np.mean([changed(seed) for seed in SEEDS], axis=0)
    for seen, said in ((cloth, PATTERNED), (floor, BOARDS + TILES)):
        assert abs(seen - said) < 4 * np.sqrt(said * (1 - said) / len(SEEDS))


def test_cloth_and_ground_are_independent_and_seeds_repeat() -> None:
    both = [changed(seed) for seed in range(100)]
    assert {(True, False), (False, True), (False, False)} <= set(both)
    for seed in range(5):
        one, again = (patterned(PLAIN, SHARE, seed) for _ in range(2))
        np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("kind", ["Shoes", "Hat"])
def test_shoes_and_hats_stay_plain(kind: str) -> None:
    assert not any(changed(seed, kind=kind)[0] for seed in range(60))


def test_amount_nought_is_the_plain_picture() -> None:
    for seed in range(40):
        np.testing.assert_allclose(patterned(PLAIN, SHARE, seed, amount=0), PLAIN, atol=1e-4)


def test_folds_shade_the_second_colour_as_they_shade_the_first() -> None:
    shaded = PLAIN * np.linspace(0.5, 1.5, 72, dtype=np.float32)[None, :, None]
    seed = next(s for s in SEEDS if changed(s)[0])
    found = patterned(shaded, SHARE, seed)
    assert found[20:80, 50:60].mean() > 1.3 * found[20:80, 15:25].mean()
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_second_colours_can_be_told_from_the_first() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        first = rng.uniform(0, 255, 3)
        second = second_colour(first, rng)
        assert second.shape == (3,)
        assert np.abs(second - first).max() > 12, (seed, first, second)


def test_all_of_a_picture_may_be_thing_or_ground() -> None:
    for share in (np.zeros_like(SHARE), np.ones_like(SHARE)):
        for seed in range(30):
            assert np.isfinite(patterned(PLAIN, share, seed)).all()


def test_what_colours_do_not_tell_is_said() -> None:
    photo = np.full((120, 90, 3), 230, np.uint8)
    assert told_by_colour(photo) is None
    box = object_mask(photo) > 0
    assert box[60, 45]
    assert not box[2, 2]
    photo[30:90, 25:65] = (40, 60, 160)
    told = told_by_colour(photo)
    assert told is not None
    truth = np.zeros((120, 90), bool)
    truth[30:90, 25:65] = True
    both = (told > 0) & truth
    assert both.sum() > 0.9 * ((told > 0) | truth).sum()
    np.testing.assert_array_equal(told, object_mask(photo))
