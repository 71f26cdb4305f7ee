"""What no photo shows of cloth and limbs: it goes on as it is seen beside it."""

from __future__ import annotations

import numpy as np
import pytest

from vunet import geometry as geo
from vunet.unseen import CONTINUED, Rows, continued, rows_of

SIZE = (128, 96)
GREY = 0.0


def joints(left: float = 30.0, right: float = 66.0) -> np.ndarray:
    """(J, 2) somebody upright, of whom only the trunk matters: from y = 30 to y = 90."""
    j = np.zeros((geo.JOINTS, 2), np.float32)
    j[[5, 6]], j[[11, 12]] = [[left, 30], [right, 30]], [[left, 90], [right, 90]]
    return j


def of_trunk(share: np.ndarray) -> np.ndarray:
    parts = np.zeros((len(geo.PARTS), *SIZE), np.float32)
    parts[geo.TORSO] = share
    return parts


def trunk(x0: int = 30, x1: int = 66) -> np.ndarray:
    share = np.zeros(SIZE, np.float32)
    share[28:92, x0:x1] = 1
    return share


def striped() -> np.ndarray:
    """(H, W, 3) red and green bands of eight rows each."""
    band = (np.arange(SIZE[0]) // 8 % 2).astype(np.float32)
    picture = np.zeros((*SIZE, 3), np.float32)
    picture[..., 0], picture[..., 1] = band[:, None] - 0.5, 0.5 - band[:, None]
    return picture


NOTHING = Rows(np.zeros((len(geo.PARTS), 80, 4), np.float32))


def test_stripes_go_on_where_they_are_not_seen() -> None:
    seen = trunk(30, 48)
    grey = np.full((*SIZE, 3), GREY, np.float32)
    found = continued(grey, striped(), seen, of_trunk(trunk()), joints(), NOTHING)
    far = slice(36, 84), slice(54, 62)
    wanted = striped()[far]
    assert np.corrcoef(found[far][..., 0].ravel(), wanted[..., 0].ravel())[0, 1] > 0.85
    assert np.abs(found[far] - wanted).mean() < 0.45 * np.abs(GREY - wanted).mean()
    np.testing.assert_array_equal(found[100:], grey[100:])  # nobody is there


def test_rows_of_the_photo_help_where_nothing_of_them_is_seen() -> None:
    """A photo in which the trunk lies elsewhere and is larger; nothing of it can be copied."""
    photo = np.zeros((*SIZE, 3), np.float32)
    photo[:60, :, 0], photo[60:, :, 2] = 0.8, 0.8  # red above, blue below
    rows = rows_of(photo, of_trunk(trunk()), joints())
    grey = np.full((*SIZE, 3), GREY, np.float32)
    nothing = np.zeros(SIZE, np.float32)
    small = joints(40, 56)
    small[[5, 6], 1], small[[11, 12], 1] = 60, 90
    share = np.zeros(SIZE, np.float32)
    share[58:92, 40:56] = 1
    found = continued(grey, grey, nothing, of_trunk(share), small, rows)
    above, below = found[64:70, 44:52].mean((0, 1)), found[80:86, 44:52].mean((0, 1))
    assert above[0] > 0.6
    assert above[2] < 0.15
    assert below[2] > 0.6
    assert below[0] < 0.15


def test_what_agrees_or_is_seen_nowhere_stays_as_it_was_painted() -> None:
    rng = np.random.default_rng(0)
    painted = (0.3 + 0.02 * rng.standard_normal((*SIZE, 3))).astype(np.float32)
    same = np.full((*SIZE, 3), 0.3, np.float32)
    found = continued(painted, same, trunk(30, 48), of_trunk(trunk()), joints(), NOTHING)
    np.testing.assert_allclose(found, painted, atol=0.02)
    nothing = np.zeros(SIZE, np.float32)
    found = continued(painted, striped(), nothing, of_trunk(trunk()), joints(), NOTHING)
    np.testing.assert_allclose(found, painted, atol=1e-6)


def test_heads_hands_and_feet_are_not_continued() -> None:
    others = set(range(len(geo.PARTS))) - set(CONTINUED)
    assert {geo.PARTS[i] for i in others} == {
        *("head", "left_hand", "right_hand", "left_foot", "right_foot"),
    }
    parts = np.zeros((len(geo.PARTS), *SIZE), np.float32)
    parts[geo.HEAD] = trunk()
    grey = np.full((*SIZE, 3), GREY, np.float32)
    found = continued(grey, striped(), trunk(30, 48), parts, joints(), NOTHING)
    np.testing.assert_array_equal(found, grey)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_photos_count_by_their_shares(share: float) -> None:
    red, blue = np.zeros((2, *SIZE, 3), np.float32)
    red[..., 0], blue[..., 2] = 1, 1
    one, two = (rows_of(photo, of_trunk(trunk()), joints()) for photo in (red, blue))
    of_parts = np.full(len(geo.PARTS), share)
    both = one.times(of_parts) + two.times(1 - of_parts)
    middle = both.of(geo.TORSO)[40]
    assert middle[0] / middle[3] == pytest.approx(share, abs=0.02)
    assert middle[2] / middle[3] == pytest.approx(1 - share, abs=0.02)


def test_an_open_jacket_counts_more_than_what_is_under_it() -> None:
    """White shirt in the middle of a black jacket: the side of the trunk is black."""
    photo = np.full((*SIZE, 3), -1, np.float32)
    photo[:, 43:53] = 1
    middle = rows_of(photo, of_trunk(trunk()), joints()).of(geo.TORSO)[40]
    plain = photo[60, 30:66, 0].mean()
    assert middle[0] / middle[3] < plain - 0.2


def test_limbs_seen_end_on_and_bodies_without_extent_are_no_trouble() -> None:
    grey = np.full((*SIZE, 3), GREY, np.float32)
    nowhere = np.full((geo.JOINTS, 2), 50, np.float32)
    rows = rows_of(striped(), of_trunk(trunk()), nowhere)
    assert not rows.sums.any()
    found = continued(grey, striped(), trunk(30, 48), of_trunk(trunk()), nowhere, rows)
    assert np.isfinite(found).all()
