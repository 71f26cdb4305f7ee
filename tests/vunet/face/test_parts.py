"""Where faces lie, their parts, and what is cut out and laid back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose.face import CHIN, LEFT_EYE, LEFT_IRIS, POINTS, RIGHT_EYE, RIGHT_IRIS
from tests.vunet.face.faces import ink_of_sketch, layout, mesh
from vunet.face import parts as fp
from vunet.face.manifolds import composed, window_pieces
from vunet.face.parts import MIRRORED, NAMES, PARTS, centre, laid, window, without_windows
from vunet.face.template import anchors, face_frame, face_regions, framed

SEEDS = st.integers(0, 10_000)
SHIFTS = st.floats(-500, 500)
SCALES = st.floats(0.05, 40)


# -- the mesh's own names ------------------------------------------------------------------------


def connections(name: str) -> set[int]:
    """The points of a set of MediaPipe's."""
    module = pytest.importorskip("mediapipe.python.solutions.face_mesh_connections")
    return {int(i) for edge in getattr(module, f"FACEMESH_{name}") for i in edge}


def test_eyes_irises_and_chin_are_mediapipes() -> None:
    assert set(RIGHT_EYE) <= connections("RIGHT_EYE")
    assert set(LEFT_EYE) <= connections("LEFT_EYE")
    # the first of each five is the middle, which no edge has
    assert {*range(*RIGHT_IRIS.indices(POINTS))} - {468} == connections("RIGHT_IRIS")
    assert {*range(*LEFT_IRIS.indices(POINTS))} - {473} == connections("LEFT_IRIS")
    assert CHIN in connections("FACE_OVAL")


def test_points_of_drawings_lie_where_mediapipe_names_them() -> None:
    def named(*rows: int) -> set[int]:
        return {fp.POINTS[row] for row in rows}

    assert named(0, 1, 4) <= connections("RIGHT_EYE")
    assert named(2, 3, 5) <= connections("LEFT_EYE")
    assert named(6) <= connections("RIGHT_EYEBROW")
    assert named(7) <= connections("LEFT_EYEBROW")
    assert named(8, 9, 10) <= connections("NOSE")
    assert named(11, 12, 13, 14) <= connections("LIPS")
    assert named(15, 16, 17, 18, 19, 20) <= connections("FACE_OVAL")


def test_a_mirror_changes_sides_and_changes_them_back() -> None:
    assert [MIRRORED[k] for k in MIRRORED] == list(range(len(fp.POINTS)))
    right = connections("RIGHT_EYE") | connections("RIGHT_EYEBROW")
    left = connections("LEFT_EYE") | connections("LEFT_EYEBROW")
    for row, other in enumerate(MIRRORED):
        ours, theirs = fp.POINTS[row], fp.POINTS[other]
        assert (ours in right) == (theirs in left)
        assert (ours in left) == (theirs in right)
        for name in ("LIPS", "NOSE", "FACE_OVAL"):
            assert (ours in connections(name)) == (theirs in connections(name))
    plain = layout()
    np.testing.assert_allclose(plain[list(MIRRORED)] * [-1, 1] + [1, 0], plain, atol=1e-9)


# -- frames --------------------------------------------------------------------------------------


@given(SEEDS, SHIFTS, SHIFTS, SCALES)
def test_frames_follow_shifts_and_scales(seed: int, x: float, y: float, scale: float) -> None:
    points = layout(seed, 2.0)
    found = anchors(mesh(seed, 1.0))
    tolerance = 1e-6 * (scale + abs(x) + abs(y))
    for frame_of, of in ((fp.frame_of_points, points), (face_frame, found)):
        x0, y0, x1, y1 = frame_of(of)
        assert x1 - x0 == pytest.approx(y1 - y0)
        wanted = np.array([x0, y0, x1, y1]) * scale + (x, y, x, y)
        np.testing.assert_allclose(frame_of(of * scale + (x, y)), wanted, atol=tolerance)


def test_a_face_that_lies_as_faces_do_has_the_whole_square() -> None:
    np.testing.assert_allclose(fp.frame_of_points(layout()), (0, 0, 1, 1), atol=0.01)
    np.testing.assert_allclose(face_frame(anchors(mesh())), (0, 0, 256, 256), atol=2.5)


@given(SEEDS)
def test_both_ways_to_the_frame_agree(seed: int) -> None:
    """From the mesh, and from the few of its points that a drawing has."""
    face = mesh(seed)
    few = fp.frame_of_points(face[list(fp.POINTS), :2])
    np.testing.assert_allclose(few, face_frame(anchors(face)), atol=1e-3)


@given(SEEDS, SHIFTS, SHIFTS, st.floats(20, 900))
def test_framed_points_lie_in_the_cut_picture(seed: int, x: float, y: float, side: float) -> None:
    face = mesh(seed)
    placed = framed(face, (x, y, x + side, y + side), 128)
    np.testing.assert_allclose(placed[:, :2] * side / 128 + (x, y), face[:, :2], atol=1e-2)
    # depths are lengths: they shrink, and are not shifted
    np.testing.assert_allclose(placed[:, 2] * side / 128, face[:, 2], atol=1e-2)
    assert np.array_equal(face, mesh(seed)), "what was given is not changed"


def test_regions_are_of_the_face_and_lie_within_the_person() -> None:
    from vunet.drawing.palette import REGIONS

    skin, hair = (1 + list(REGIONS).index(name) for name in ("skin", "hair"))
    face, mask = mesh(), np.zeros((256, 256), np.uint8)
    mask[20:, 60:200] = 255
    found = face_regions(face, mask)
    assert set(np.unique(found)) <= {0, skin, hair}
    assert not found[mask == 0].any()
    nose = np.rint(face[1, :2]).astype(int)
    assert found[nose[1], nose[0]] == skin
    assert found[24, 128] == hair  # above the forehead
    assert not (found[200:] == hair).any(), "there is no hair below the nose"


# -- parts ---------------------------------------------------------------------------------------


def test_names_stand_for_parts() -> None:
    assert fp.named_parts("eyes") == ("left-eye", "right-eye")
    assert fp.named_parts("hair") == fp.named_parts("outline") == (fp.REST,)
    assert fp.named_parts("all") == NAMES
    for name in NAMES:
        assert fp.named_parts(name) == (name,)
    for wrong in ("ear", "", "Nose", "nose "):
        with pytest.raises(ValueError, match=r"no part of a face; there are left-eye,.*, all$"):
            fp.named_parts(wrong)


def test_narrow_names_win_whichever_comes_first() -> None:
    given = {"left-eye": 1, "all": 2, "eyes": 3, "hair": 4}
    wanted = {"left-eye": 1, "right-eye": 3, "nose": 2, "mouth": 2, "rest": 4}
    assert fp.by_part(given) == wanted
    assert fp.by_part(dict(reversed(given.items()))) == wanted
    assert fp.by_part({}) == {}
    assert fp.by_part({"nose": 0.5}) == {"nose": 0.5}
    with pytest.raises(ValueError, match="no part of a face"):
        fp.by_part({"nose": 1, "ear": 2})


def test_parts_place_themselves_by_points_of_their_own() -> None:
    rows = [row for part in PARTS for row in part.rows]
    assert len(rows) == len(set(rows))
    for part in PARTS:
        alone = layout()
        alone[list(part.rows)] += (0.1, -0.05)
        for other in PARTS:
            step = centre(other, alone) - centre(other, layout())
            np.testing.assert_allclose(step, (0.1, -0.05) if other is part else 0, atol=1e-9)


# -- windows -------------------------------------------------------------------------------------


def smooth(seed: int, side: int = 256) -> np.ndarray:
    """(side, side) float32 in [0, 1], which a few pixels hardly change."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    waves = sum(
        np.sin(2 * np.pi * (rng.uniform(-3, 3) * x + rng.uniform(-3, 3) * y + rng.random()))
        for _ in range(4)
    )
    return (0.5 + np.asarray(waves) / 8).astype(np.float32)


@settings(max_examples=40)
@given(
    SEEDS,
    st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
    st.floats(0.15, 0.5),
    st.integers(48, 128),
)
def test_windows_are_laid_back_where_they_were_cut(
    seed: int, middle: tuple[float, float], side: float, px: int
) -> None:
    picture, at = smooth(seed), np.array(middle)
    piece = window(picture, at, side, px)
    back = laid(piece, at, side, 256)
    inside = laid(np.ones((px, px), np.float32), at, side, 256) > 0.999
    # of the rim laid pixels are interpolated with nothing
    inside &= np.pad(inside[2:, 2:] & inside[:-2, :-2] & inside[2:, :-2] & inside[:-2, 2:], 1)
    assert inside.sum() > (side * 256 - 8) ** 2 * 0.8
    assert np.abs(back - picture)[inside].max() < 0.03
    rows, columns = (np.mgrid[0:256, 0:256] + 0.5) / 256
    far = np.maximum(abs(rows - at[1]), abs(columns - at[0])) > side / 2 + 2 / 256 + side / px
    assert not back[far].any()


@settings(max_examples=40)
@given(SEEDS, st.floats(0.2, 0.8), st.floats(0.2, 0.8))
def test_a_window_shows_its_middle_in_the_middle(seed: int, x: float, y: float) -> None:
    """Against values read from the picture itself, between its pixels."""
    from scipy.ndimage import map_coordinates

    picture, side, px = smooth(seed), 0.24, 64
    piece = window(picture, np.array([x, y]), side, px)
    at = ((np.arange(px) + 0.5) / px - 0.5) * side
    rows, columns = (y + at) * 256 - 0.5, (x + at) * 256 - 0.5
    wanted = map_coordinates(picture, np.meshgrid(rows, columns, indexing="ij"), order=1)
    np.testing.assert_allclose(piece, wanted, atol=0.01)


def test_windows_outside_the_picture_are_paper() -> None:
    ink = np.ones((256, 256), np.float32)
    assert not window(ink, np.array([3.0, 3.0]), 0.2, 32).any()
    half = window(ink, np.array([0.0, 0.5]), 0.2, 32)
    assert not half[:, :15].any()
    assert (half[:, 17:] == 1).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_drawing_is_put_together_again_from_its_pieces(seed: int) -> None:
    points = layout(seed)
    ink = ink_of_sketch(points)
    own = {p.name: window(ink, centre(p, points), p.side, 128) for p in PARTS}
    own["rest"] = without_windows(ink, points)
    again = composed(own, points)
    assert np.abs(again - ink).mean() < 0.15 * ink.mean()
    assert np.corrcoef(again.ravel(), ink.ravel())[0, 1] > 0.97


def test_the_rest_has_no_features_and_features_have_no_rest() -> None:
    points = layout()
    ink = ink_of_sketch(points)
    rest = without_windows(ink, points)
    for part in PARTS:
        x, y = np.rint(centre(part, points) * 256).astype(int)
        reach = round(part.side * 256 / 4)
        assert not rest[y - reach : y + reach, x - reach : x + reach].any(), part.name
    chin = np.rint(points[15] * 256).astype(int)
    assert rest[chin[1] - 3 : chin[1] + 3, chin[0]].max() > 0.9


def test_the_right_eye_is_seen_as_a_left_one() -> None:
    points = layout()
    points = (points + points[list(MIRRORED)] * [-1, 1] + [1, 0]) / 2
    ink = ink_of_sketch(points)
    ink = np.maximum(ink, ink[:, ::-1])
    pieces = window_pieces(ink, points)
    np.testing.assert_allclose(pieces["left-eye"], pieces["right-eye"], atol=0.02)
    assert {name: piece.shape[0] for name, piece in pieces.items()} == {
        **dict.fromkeys(("left-eye", "right-eye", "nose", "mouth"), 64),
        "rest": 128,
    }
