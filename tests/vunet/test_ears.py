"""Ears of heads that have turned."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.vunet.test_hair import DARK, GOLD, SKIN, head_photo
from tests.vunet.test_head import CENTRE, SIZE, TALL, WIDE, mesh_of
from vunet.ears import lay_ear
from vunet.hair import EARS, Frame, ears_free, frame_of, hair_of


def turned(yaw_deg: float) -> Frame:
    """A face that looks so far to the right of the picture."""
    mesh = mesh_of()
    middle = mesh.mean(0)
    turn = Rotation.from_euler("y", -yaw_deg, degrees=True)
    return frame_of(turn.apply(mesh - middle) + middle)


def laid(frame: Frame, invented: float = 1.0, amount: float = 1.0) -> np.ndarray:
    """(H, W) how far dark hair was changed."""
    colours = np.full((*SIZE, 3), DARK, np.float32)
    made = np.full(SIZE, invented, np.float32)
    lay_ear(colours, made, np.array(SKIN), amount, frame)
    return np.abs(colours - np.float32(DARK)).mean(2)


def test_faces_look_where_they_are_said_to() -> None:
    assert turned(60).ahead[0] > 0.7
    assert turned(-60).ahead[0] < -0.7


@pytest.mark.parametrize("yaw_deg", [-90, -60, 60, 90])
def test_an_ear_is_seen_behind_a_profile(yaw_deg: float) -> None:
    frame = turned(yaw_deg)
    changed = laid(frame) > 30
    rows, columns = np.nonzero(changed)
    assert len(rows)
    nearer = frame.sides[np.argmin(frame.sides[:, 2])]
    middle = np.array([columns.mean(), rows.mean()])
    assert np.linalg.norm(middle - nearer[:2]) < 0.3 * frame.wide
    assert (middle - nearer[:2]) @ frame.ahead[:2] < 0  # it lies behind the cheek
    assert 0.3 * frame.wide < np.ptp(rows) < 0.6 * frame.wide
    assert np.ptp(columns) < np.ptp(rows)


def test_it_has_the_faces_skin() -> None:
    frame = turned(80)
    colours = np.full((*SIZE, 3), DARK, np.float32)
    lay_ear(colours, np.ones(SIZE, np.float32), np.array(SKIN), 1.0, frame)
    ear = colours[np.abs(colours - np.float32(DARK)).mean(2) > 60]
    assert np.abs(np.median(ear, axis=0) / SKIN - 0.85).max() < 0.2


def test_none_is_laid_on_a_face_from_before() -> None:
    assert laid(turned(0)).max() == 0
    assert laid(turned(15)).max() == 0


def test_what_a_photo_shows_stays() -> None:
    assert laid(turned(80), invented=0).max() == 0
    assert laid(turned(80), amount=0).max() == 0


def test_both_sides_look_alike() -> None:
    left, right = laid(turned(-70)), laid(turned(70))
    assert left.sum() == pytest.approx(right.sum(), rel=0.1)


def test_its_shade_has_no_edges() -> None:
    colours = np.full((*SIZE, 3), 160, np.float32)
    lay_ear(colours, np.ones(SIZE, np.float32), np.array(SKIN), 1.0, turned(80))
    changed = np.abs(colours - 160).mean(2)
    rows, columns = (np.flatnonzero((changed > 0).any(axis)) for axis in (1, 0))
    border = changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert max(border[0].max(), border[-1].max(), border[:, 0].max(), border[:, -1].max()) < 1


@pytest.mark.parametrize("far", [0.0, 5.0, 1e4])
def test_at_the_canvas_edge_nothing_breaks(far: float) -> None:
    """Only what lies on the canvas is drawn, and as it would be on a larger one."""
    frame = turned(70)
    nearer = frame.sides[np.argmin(frame.sides[:, 2])]
    shift = np.array([SIZE[1] - nearer[0] + far, 0, 0])
    chin, forehead = frame.chin + shift, frame.forehead + shift
    off = Frame(frame.sides + shift, chin, forehead, frame.up, frame.ahead, frame.wide)
    colours = np.full((SIZE[0], 2 * SIZE[1], 3), DARK, np.float32)
    lay_ear(colours, np.ones(colours.shape[:2], np.float32), np.array(SKIN), 1.0, off)
    whole = np.abs(colours - np.float32(DARK)).mean(2)[:, : SIZE[1]]
    np.testing.assert_allclose(laid(off), whole, atol=8)  # the shade


def with_ears(colour: tuple[int, int, int], hair: tuple[int, int, int]) -> bool:
    """Whether ears are read as free where a colour lies beside a face."""
    photo, person = head_photo(hair, None)
    for ear in mesh_of()[list(EARS)]:
        out = np.sign(ear[0] - CENTRE[0])
        centre = (int(ear[0] + out * 0.08 * 2 * WIDE), int(ear[1]))
        axes = (max(2, int(0.12 * 2 * WIDE)), int(0.25 * TALL))
        cv2.ellipse(photo, centre, axes, 0, 0, 360, colour, -1)
        cv2.ellipse(person, centre, axes, 0, 0, 360, 1.0, -1)
    found = hair_of(photo, person, mesh_of())
    assert found is not None or hair == SKIN
    return ears_free(photo, person, mesh_of(), found)


def test_free_ears_are_read() -> None:
    assert with_ears(SKIN, DARK)


def test_hair_over_ears_is_read() -> None:
    assert not with_ears(DARK, DARK)
    assert not with_ears(GOLD, GOLD)


def test_long_hair_hides_them() -> None:
    head = head_photo(DARK, DARK)
    assert not ears_free(*head, mesh_of(), hair_of(*head, mesh_of()))


def test_a_bald_head_has_ears() -> None:
    assert with_ears(SKIN, SKIN)
