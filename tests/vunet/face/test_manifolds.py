"""Codes, layouts, and drawings drawn towards real faces; with small networks and with real ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.vunet.face.faces import ink_of_sketch, layout, write_portraits
from vunet.config import FacePartsConfig
from vunet.dataset import Dataset, DatasetError, open_dataset
from vunet.face import manifolds as mf
from vunet.face.codes import _layout, with_codes
from vunet.face.manifolds import FaceSketch, Manifolds, Sliders, local_weights, window_pieces
from vunet.face.network import COMPONENTS, FacePartsNet
from vunet.face.painter import FacePainter
from vunet.face.parts import MIRRORED, NAMES, PARTS, POINTS, REST, centre, window
from vunet.gallery.framing import ink_of
from vunet.images import read_image

SEEDS = st.integers(0, 10_000)
TINY = FacePartsConfig(point_channels=(8, 8, 8), part_channels=(8, 8, 8, 4), part_dim=6, rest_dim=8)
CRUDE = Path(__file__).parent / "crude"


@pytest.fixture(scope="module")
def faces(portraits: Path) -> Dataset:
    return open_dataset(portraits)


@pytest.fixture(scope="module")
def plain() -> FacePartsNet:
    """A small network of random weights, without codes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FacePartsNet(TINY).eval()


@pytest.fixture(scope="module")
def tiny(plain: FacePartsNet, faces: Dataset) -> Manifolds:
    """The same with the codes of eight faces and their mirror images."""
    return Manifolds(with_codes(plain, [faces]))


@pytest.fixture(scope="module")
def real(painter: FacePainter) -> Manifolds:
    """The released ones."""
    return painter.manifolds


def beside(part: str, points: np.ndarray, room: float = 1.0) -> np.ndarray:
    """(256, 256) bool, what lies outside a part's window."""
    one = next(p for p in PARTS if p.name == part)
    x, y = centre(one, points)
    rows, columns = (np.mgrid[0:256, 0:256] + 0.5) / 256
    return np.maximum(abs(rows - y), abs(columns - x)) > room * one.side / 2 + 2 / 256


# -- weights of neighbours -----------------------------------------------------------------------


@given(SEEDS, st.integers(2, 12), st.integers(1, 40), st.floats(1e-3, 1e3))
def test_weights_add_up_to_one(seed: int, count: int, dim: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    weights = local_weights(size * rng.normal(0, 1, (count, dim)), size * rng.normal(0, 1, dim))
    assert weights.shape == (count,)
    assert weights.sum() == pytest.approx(1)


@settings(max_examples=25)
@given(SEEDS, st.integers(2, 8))
def test_weights_are_those_of_least_squares(seed: int, count: int) -> None:
    """Against scipy's own search under the same constraint."""
    rng = np.random.default_rng(seed)
    neighbours, own = rng.normal(0, 1, (count, 20)), rng.normal(0, 1, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mf, "_RIDGE", 1e-9)
        weights = local_weights(neighbours, own)
    found = minimize(
        lambda w: float(((w @ neighbours - own) ** 2).sum()),
        np.full(count, 1 / count),
        jac=lambda w: 2 * neighbours @ (w @ neighbours - own),
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 300},
    )
    np.testing.assert_allclose(weights, found.x, atol=1e-4)


@given(SEEDS)
def test_an_exact_neighbour_counts_most_and_alone_without_ridge(seed: int) -> None:
    rng = np.random.default_rng(seed)
    neighbours = rng.normal(0, 1, (10, 32))
    own = neighbours[3]
    assert local_weights(neighbours, own).argmax() == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mf, "_RIDGE", 1e-9)
        np.testing.assert_allclose(local_weights(neighbours, own), np.eye(10)[3], atol=1e-5)


def test_neighbours_that_are_all_the_same_share_equally() -> None:
    own = np.arange(5.0)
    np.testing.assert_allclose(local_weights(np.tile(own, (4, 1)), own), 0.25)
    np.testing.assert_allclose(local_weights(np.tile(own + 1, (4, 1)), own), 0.25)


# -- codes ---------------------------------------------------------------------------------------


def test_codes_of_all_faces_and_their_mirror_images(plain: FacePartsNet, faces: Dataset) -> None:
    full = with_codes(plain, [faces, faces])
    total = 4 * TINY.part_dim + TINY.rest_dim
    assert full.config == dataclasses.replace(TINY, faces=4 * len(faces))
    assert full.codes.shape == (4 * len(faces), total)
    assert full.codes.dtype == torch.uint8
    assert full.steps.shape == full.offsets.shape == (total,)
    for name, value in plain.named_parameters():
        assert torch.equal(value, dict(full.named_parameters())[name]), name


def test_codes_are_kept_to_half_a_step(plain: FacePartsNet, faces: Dataset) -> None:
    full = with_codes(plain, [faces])
    kept = full.codes.float() * full.steps + full.offsets
    steps = full.steps.numpy()
    for k in range(len(faces)):
        ink = ink_of(np.asarray(faces.arrays["sketches"][k]))
        points = np.asarray(faces.arrays["landmarks"][k])[list(POINTS), :2] / 256
        other = points[list(MIRRORED)] * [-1, 1] + [1, 0]
        for row, (one, at) in enumerate(((ink, points), (np.fliplr(ink), other)), 2 * k):
            codes = plain.coded(window_pieces(np.ascontiguousarray(one), at))
            true = np.concatenate([codes[name] for name in NAMES])
            assert (np.abs(kept[row].numpy() - true) <= 0.502 * steps + 1e-6).all()
    assert (full.codes.amin(0) == 0).all()
    assert (full.codes.amax(0)[torch.from_numpy(steps > 2e-6)] == 255).all()


def test_eyes_of_a_mirrored_face_change_places(tiny: Manifolds) -> None:
    """The left eye of a mirrored face is its right eye, coded as a left one."""
    steps = np.abs(tiny.codes["left-eye"]).max() / 50
    for plain, mirrored in zip(range(0, 16, 2), range(1, 16, 2), strict=True):
        for one, other in (("left-eye", "right-eye"), ("right-eye", "left-eye")):
            np.testing.assert_allclose(
                tiny.codes[one][plain], tiny.codes[other][mirrored], atol=steps
            )


def test_faces_without_sketches_have_no_codes(plain: FacePartsNet, tmp_path: Path) -> None:
    photos = open_dataset(write_portraits(tmp_path / "photos", 2, drawn=False))
    drawn = open_dataset(write_portraits(tmp_path / "drawn", 6))
    assert with_codes(plain, [photos, drawn]).config.faces == 12
    with pytest.raises(DatasetError, match="sketches"):
        with_codes(plain, [photos])
    few = open_dataset(write_portraits(tmp_path / "few", 2))
    full = with_codes(plain, [few])
    assert full.config.faces == 4
    assert torch.isfinite(full.layout).all()


def test_too_few_faces_have_no_neighbours(plain: FacePartsNet, tmp_path: Path) -> None:
    few = open_dataset(write_portraits(tmp_path / "few", 5))
    with pytest.raises(ValueError, match="10 faces are too few"):
        Manifolds(with_codes(plain, [few]))


def test_layouts_are_told_as_a_mean_and_what_differs() -> None:
    many = np.stack([layout(seed) for seed in range(80)])
    table = _layout(many).astype(np.float64)
    assert table.shape == (2 + COMPONENTS, 2 * len(POINTS))
    np.testing.assert_allclose(table[0], many.reshape(80, -1).mean(0), atol=1e-6)
    axes = table[2:]
    np.testing.assert_allclose(axes @ axes.T, np.eye(COMPONENTS), atol=1e-5)
    amounts = (many.reshape(80, -1) - table[0]) @ axes.T
    np.testing.assert_allclose(amounts.std(0), table[1, :COMPONENTS], rtol=1e-3, atol=1e-6)
    assert (np.diff(table[1, :COMPONENTS]) <= 1e-9).all(), "largest first"
    few = _layout(many[:5])
    assert few.shape == table.shape
    assert (few[1, :COMPONENTS] > 0).all(), "spreads are divided by"


# -- layouts -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def laid_out(plain: FacePartsNet) -> Manifolds:
    """A network that knows the layouts of two hundred made-up faces."""
    net = FacePartsNet(dataclasses.replace(TINY, faces=16))
    many = np.stack([layout(seed) for seed in range(200)])
    net.layout.copy_(torch.from_numpy(_layout(many)))
    return Manifolds(net)


def sketch_at(points: np.ndarray, parts: tuple[str, ...] = NAMES) -> FaceSketch:
    """A drawing of which only the places count."""
    nothing = np.zeros((256, 256), np.float32)
    return FaceSketch(nothing, points, {}, {name: np.zeros(1) for name in parts})


@pytest.mark.parametrize("seed", range(1000, 1006))
def test_a_real_layout_stays_nearly_as_it_is(laid_out: Manifolds, seed: int) -> None:
    points = layout(seed)
    found = laid_out.layout(sketch_at(points))
    assert np.linalg.norm(found - points, axis=1).max() < 0.012
    assert np.linalg.norm(found - points, axis=1).mean() < 0.006


@pytest.mark.parametrize("part", [part.name for part in PARTS])
@pytest.mark.parametrize("step", [(0.06, 0.03), (-0.05, 0.05), (0.0, -0.08)])
def test_a_shifted_part_goes_back_and_the_others_stay(
    laid_out: Manifolds, part: str, step: tuple[float, float]
) -> None:
    for seed in (1000, 1001, 1002):
        true = layout(seed)
        points = true.copy()
        rows = list(next(p for p in PARTS if p.name == part).rows)
        points[rows] += step
        found = laid_out.layout(sketch_at(points))
        left = np.linalg.norm(found[rows].mean(0) - true[rows].mean(0))
        assert left < 0.5 * np.linalg.norm(step)
        others = sorted(set(range(len(POINTS))) - set(rows))
        assert np.linalg.norm((found - true)[others], axis=1).mean() < 0.015


def test_what_is_not_drawn_does_not_pull(laid_out: Manifolds) -> None:
    """Points of a part that has no strokes were guessed, and may be anywhere."""
    true = layout(1003)
    points = true.copy()
    points[11:15] += (0.2, 0.1)
    drawn = tuple(name for name in NAMES if name != "mouth")
    found = laid_out.layout(sketch_at(points, drawn))
    assert np.linalg.norm(found - true, axis=1).max() < 0.03


def test_layouts_of_real_faces(real: Manifolds) -> None:
    """The mean face and faces along its axes are faces; a shifted mouth is not."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        amounts = rng.normal(0, 1, COMPONENTS) * real._spread
        true = (real._mean + amounts @ real._axes).reshape(-1, 2)
        found = real.layout(sketch_at(true))
        assert np.linalg.norm(found - true, axis=1).mean() < 0.008
        for part in PARTS:
            points, step = true.copy(), np.array([0.05, 0.05])
            points[list(part.rows)] += step
            back = centre(part, real.layout(sketch_at(points))) - centre(part, true)
            assert np.linalg.norm(back) < 0.5 * np.linalg.norm(step), part.name


# -- refining ------------------------------------------------------------------------------------


def test_sliders_at_zero_leave_the_strokes(tiny: Manifolds) -> None:
    ink = ink_of_sketch(layout(3))
    sketch = tiny.read(ink, layout(3))
    assert sketch.drawn == set(NAMES)
    refined = tiny.refine(sketch, Sliders({}, 0.0))
    assert np.array_equal(refined.ink, ink)
    assert np.array_equal(refined.points, sketch.points)
    named = tiny.refine(sketch, Sliders(dict.fromkeys(NAMES, 0.0), 1.0))
    assert np.array_equal(named.ink, ink)
    assert not np.array_equal(tiny.refine(sketch, Sliders({"mouth": 0.5}, 0.0)).ink, ink)


@pytest.mark.parametrize("part", [part.name for part in PARTS])
def test_a_slider_moves_its_own_part(tiny: Manifolds, part: str) -> None:
    points = layout(3)
    sketch = tiny.read(ink_of_sketch(points), points)
    none, one = (tiny.refine(sketch, Sliders({part: a}, 0.01)) for a in (0.01, 0.8))
    moved = np.abs(one.ink - none.ink)
    reach = beside(part, points) & beside(part, one.points)
    assert moved[reach].max() < 1e-3
    assert moved[~reach].mean() > 0.01


def test_sliders_name_what_they_are_of() -> None:
    sliders = Sliders({"nose": 2.0, "mouth": -1.0}, 0.3)
    assert [sliders.of(name) for name in ("nose", "mouth", REST)] == [1.0, 0.0, 0.3]


def test_neighbours_can_be_left_out(tiny: Manifolds) -> None:
    """A face's own codes are its nearest, unless they are left out."""
    sketch = tiny.read(ink_of(np.asarray(_sketch(2))), layout(2))
    row, others = 4, frozenset({4, 5})
    for name in NAMES:
        apart = np.linalg.norm(tiny.codes[name] - sketch.codes[name], axis=1)
        assert apart.argmin() == row
    _, near = tiny.projected(sketch)
    _, far = tiny.projected(sketch, others)
    assert near < 0.1
    assert far > 2 * near
    nothing = FaceSketch(sketch.ink, sketch.points, sketch.pieces, {})
    allowed = frozenset(range(16)) - frozenset(range(3, 13))
    blends, strange = tiny.projected(nothing, allowed)
    assert strange > 2
    for name, blend in blends.items():
        np.testing.assert_allclose(blend, tiny.codes[name][3:13].mean(0), atol=1e-5)


def _sketch(seed: int) -> np.ndarray:
    from tests.vunet.face.faces import sketch

    return sketch(layout(seed))


def test_further_faces_of_a_drawing_differ_and_repeat(tiny: Manifolds) -> None:
    sketch = tiny.read(ink_of_sketch(layout(3)), layout(3))
    full = Sliders({}, 1.0)
    one, again, other = (tiny.refine(sketch, full, stray=0.6, seed=s).ink for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    still = [tiny.refine(sketch, full, seed=s).ink for s in (1, 2)]
    assert np.array_equal(still[0], still[1])


# -- parts of others -----------------------------------------------------------------------------


@pytest.mark.parametrize("part", [part.name for part in PARTS])
def test_a_part_of_another_changes_its_window_alone(tiny: Manifolds, part: str) -> None:
    mine, theirs = layout(3), layout(4)
    sketch, other = (tiny.read(ink_of_sketch(p), p) for p in (mine, theirs))
    mixed = tiny.with_part(sketch, part, other)
    whole = mf.composed(sketch.pieces, sketch.points)
    out = beside(part, mine) & beside(part, mixed.points)
    np.testing.assert_allclose(mixed.ink[out], whole[out], atol=1e-6)
    assert np.abs(mixed.ink - whole)[~out].mean() > 0.008
    one = next(p for p in PARTS if p.name == part)
    rows = list(one.rows)
    np.testing.assert_allclose(mixed.points[rows].mean(0), mine[rows].mean(0))
    np.testing.assert_allclose(
        np.diff(mixed.points[rows], axis=0), np.diff(theirs[rows], axis=0), atol=1e-9
    )
    shown, wanted = (
        window(i, centre(one, p), 0.6 * one.side, 64)
        for i, p in ((mixed.ink, mixed.points), (other.ink, theirs))
    )
    assert np.corrcoef(shown.ravel(), wanted.ravel())[0, 1] > 0.8
    for name in NAMES:
        wanted_code = (other if name == part else sketch).codes[name]
        assert np.array_equal(mixed.codes[name], wanted_code)


def test_a_part_that_the_other_lacks_is_made_up(tiny: Manifolds) -> None:
    points = layout(3)
    sketch = tiny.read(ink_of_sketch(points), points)
    blank = tiny.read(np.zeros((256, 256), np.float32), points)
    assert not blank.drawn
    mixed = tiny.with_part(sketch, "nose", blank)
    assert mixed.drawn == set(NAMES) - {"nose"}
    assert tiny.refine(mixed, Sliders({}, 0.7)).guessed == ("nose",)


def test_on_the_way_to_another_one_begins_as_oneself_and_arrives(tiny: Manifolds) -> None:
    mine, theirs = layout(3), layout(4)
    sketch, other = (tiny.read(ink_of_sketch(p), p) for p in (mine, theirs))
    for nothing in ({}, dict.fromkeys(NAMES, 0.0)):
        begun = tiny.morphed(sketch, other, nothing)
        np.testing.assert_allclose(begun.points, mine)
        assert np.abs(begun.ink - sketch.ink).mean() < 0.15 * sketch.ink.mean()
        for name in NAMES:
            assert np.array_equal(begun.codes[name], sketch.codes[name])
    arrived = tiny.morphed(sketch, other, dict.fromkeys(NAMES, 1.0))
    np.testing.assert_allclose(arrived.points, theirs, atol=1e-9)
    for name in NAMES:
        np.testing.assert_allclose(arrived.codes[name], other.codes[name], atol=1e-5)
    half = tiny.morphed(sketch, other, {"nose": 0.5})
    nose = list(PARTS[2].rows)
    np.testing.assert_allclose(half.points[nose], (mine[nose] + theirs[nose]) / 2, atol=1e-9)
    middle = (sketch.codes["nose"] + other.codes["nose"]) / 2
    np.testing.assert_allclose(half.codes["nose"], middle, atol=1e-5)
    assert np.array_equal(half.codes["mouth"], sketch.codes["mouth"])


# -- with the released weights -------------------------------------------------------------------


def test_strokes_far_away_are_gone_with_sliders_at_one(real: Manifolds) -> None:
    points = (real._mean).reshape(-1, 2)
    ink = ink_of_sketch(points)
    scribbled = ink.copy()
    cv2.line(scribbled, (4, 250), (40, 214), 1.0, 3, cv2.LINE_AA)
    cv2.circle(scribbled, (236, 22), 12, 1.0, 2, cv2.LINE_AA)
    sketch = real.read(scribbled, points)
    added = scribbled > ink + 0.5
    refined = real.refine(sketch, Sliders({}, 1.0)).ink
    assert scribbled[added].mean() > 0.9
    assert refined[added].mean() < 0.15
    strokes = real.refine(sketch, Sliders({}, 0.1)).ink
    assert strokes[added].mean() > 0.5


def test_points_are_found_again_in_sketches_of_known_ones(real: Manifolds) -> None:
    """Drawn by a program, so that their places are certain."""
    mean = real._mean.reshape(-1, 2)
    off = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        true = mean * (1 + rng.normal(0, 0.03)) + rng.normal(0, 0.015, 2)
        found, _ = real.points_of(ink_of_sketch(true))
        unit = np.linalg.norm(true[0] - true[2])
        off.append(np.linalg.norm(found - true, axis=1)[:16].mean() / unit)
    assert np.median(off) < 0.2


@pytest.mark.parametrize("name", ["woman_with_bob", "man_with_moustache"])
def test_manifolds_draw_what_was_drawn_more_like_a_face(
    painter: FacePainter, real: Manifolds, name: str
) -> None:
    """A refined drawing is less strange than the crude one, and its shadow no stranger."""
    sketch = painter.read(read_image(CRUDE / f"{name}.png")).sketch
    refined = real.refine(sketch, Sliders({}, 0.8))
    assert refined.ink.shape == refined.shadow.shape == (256, 256)
    again = real.refine(real.read(refined.ink))
    assert again.strangeness < refined.strangeness
