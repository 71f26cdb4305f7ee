from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vunet.holdout import (
    avatar_identity,
    hash_place,
    held_out,
    is_validation_avatar,
    is_validation_exercise,
    is_validation_photo,
)

IDENTITIES = ("MENA_F_1", "White_M_1", "Asian_F_3", "MENA_M_1", "Hispanic_F_2", "MENA_M_2")


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_out_everything_that_a_smaller_one_does(name, one, other):
    small, large = sorted((one, other))
    assert held_out(name, large) >= held_out(name, small)


@given(st.text())
def test_the_extremes_hold_out_nothing_and_everything(name):
    assert not held_out(name, 0.0)
    assert held_out(name, 1.0)


@given(st.text())
def test_the_place_is_that_of_the_whole_digest(name):
    digest = hashlib.sha256(name.encode()).hexdigest()
    assert hash_place(name) == pytest.approx(int(digest, 16) / 16**64, abs=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_is_kept_over_many_names(share):
    count = 20_000
    held = sum(held_out(f"name {i}", share) for i in range(count))
    assert held == pytest.approx(share * count, abs=5 * np.sqrt(count * share * (1 - share)))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        held_out("name", share)


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("Asian_F_1_Casual", "Asian_F_1"),
        ("X_MENA_F_1_Default", "X_MENA_F_1"),
        ("White_M_3", "White_M_3"),
        ("AIAN_F_10_Busi", "AIAN_F_10"),
        ("somebody", "somebody"),
        ("", ""),
    ],
)
def test_an_avatar_has_its_identity(name, identity):
    assert avatar_identity(name) == identity


def test_all_outfits_of_an_identity_are_on_one_side():
    outfits = ("Casual", "Default", "Busi", "Medi", "Milit", "Util")
    for identity in IDENTITIES:
        assert all(is_validation_avatar(f"{identity}_{outfit}") for outfit in outfits)
    for identity in ("X_MENA_F_1", "White_M_2", "Black_F_1"):
        assert not any(is_validation_avatar(f"{identity}_{outfit}") for outfit in outfits)


@pytest.mark.shared
def test_the_counts_that_are_written_down(shared: Path):
    people = shared / "data" / "people"
    exercises = [path.name for path in (people / "exercise").iterdir()]
    photos = [path.stem for path in (people / "ccp" / "photos").iterdir()]
    assert sum(map(is_validation_exercise, exercises)) == 139
    assert sum(map(is_validation_photo, photos)) == 103


@pytest.mark.shared
def test_the_held_out_avatars(shared: Path):
    names: list[str] = []
    for path in (shared / "data" / "avatars").glob("valid_*.npz"):
        with np.load(path) as pack:
            names += [name[:-4] for name in pack.files if name.endswith("/tri")]
    held = [name for name in names if is_validation_avatar(name)]
    assert len(held) == 33
    assert {avatar_identity(name) for name in held} == set(IDENTITIES)
