"""Training batches of faces: whose correspondences, sketches and hands are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.vunet.face.faces import SIDE, layout, mesh, picture_of, write_portraits
from vunet.config import PRESETS, DrawingConfig
from vunet.dataset import Dataset, DatasetError, DatasetWriter, open_dataset
from vunet.drawing.data import DrawingBatch
from vunet.face.correspond import MESH
from vunet.face.data import PortraitBatchMaker
from vunet.face.network import PART_PX, REST_PX
from vunet.face.part_data import PartBatch, PartBatchMaker
from vunet.face.parts import MIRRORED, POINTS
from vunet.gallery.framing import ink_of

CPU = torch.device("cpu")
BASE = PRESETS["tiny-pairs"].model
assert isinstance(BASE, DrawingConfig)
SMALL = dataclasses.replace(BASE, size=(64, 64), shape="lines", faces=True)
WHOLE = dataclasses.replace(SMALL, size=(SIDE, SIDE))
NAMES = (mesh()[:MESH, :2] / SIDE).astype(float)
"""What is where on faces: the plain face's own places."""


@pytest.fixture(scope="module")
def faces(portraits: Path) -> Dataset:
    return open_dataset(portraits)


@pytest.fixture(scope="module")
def named_faces(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four faces in whose colours one reads what of the face is shown."""
    path = tmp_path_factory.mktemp("named") / "set"
    write_portraits(path, 4, paint=lambda face, _: picture_of(face, NAMES))
    return open_dataset(path)


# -- of drawings ---------------------------------------------------------------------------------


def test_batches_repeat_by_seed_and_step(faces: Dataset) -> None:
    def batch(seed: int, step: int) -> DrawingBatch:
        maker = PortraitBatchMaker([faces], SMALL, 3, seed, CPU, cross_share=0.5)
        return maker.batch(step)

    one, again = batch(1, 4), batch(1, 4)
    for name, value in vars(one).items():
        assert torch.equal(value, getattr(again, name)), name
    assert not torch.equal(one.drawing, batch(2, 4).drawing)
    assert not torch.equal(one.drawing, batch(1, 5).drawing)


@pytest.mark.parametrize("others", [None, [(0, 1), (0, 2), (0, 3), (0, 0)]])
def test_what_lies_somewhere_in_the_truth_lies_there_in_the_reference(
    named_faces: Dataset, others: list[tuple[int, int]] | None
) -> None:
    """Faces are painted by their own meshes, so colours say whether a place is the right one."""
    maker = PortraitBatchMaker([named_faces], WHOLE, 4, 3, CPU, cross_share=0.5)
    entries = [(0, 0), (0, 1), (0, 2), (0, 3)]
    checked, mirrored = 0, set()
    for seed in range(4):
        batch = maker.make(entries, seed, others)
        at = F.interpolate(batch.image, (64, 64), mode="area")
        there = F.grid_sample(batch.reference, batch.places, align_corners=False)
        known = (batch.places.abs() < 0.98).all(-1)
        # within the face on both sides, a pixel of the map from its rim
        face = -F.max_pool2d(-at[:, 2:], 5, 1, 2)[:, 0] > 0.99
        found = F.grid_sample(
            -F.max_pool2d(-batch.reference[:, 2:], 9, 1, 4), batch.places, align_corners=False
        )
        both = known & face & (found[:, 0] > 0.99)
        off = (at - there)[:, :2].abs().amax(1)[both] / 2  # in sides of the plain face
        checked += int(both.sum())
        assert float(off.median()) < 0.006
        assert float(off.quantile(0.99)) < 0.04
        for k in range(4):
            red = batch.image[k, 0][batch.image[k, 2] > 0.9]
            column = torch.arange(SIDE).expand(SIDE, SIDE)[batch.image[k, 2] > 0.9].float()
            mirrored.add(float(torch.corrcoef(torch.stack([red, column]))[0, 1]) < 0)
    assert checked > 4 * 4 * 300
    assert mirrored == {True, False}


def test_other_faces_are_not_ones_own(named_faces: Dataset) -> None:
    maker = PortraitBatchMaker([named_faces], SMALL, 4, 3, CPU)
    entries = [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert bool((maker.make(entries, 1).own == 1).all())
    cross = maker.make(entries, 1, [(0, 0), (0, 2), (0, 1), (0, 3)])
    assert cross.own.tolist() == [1, 0, 0, 1]


def drawn_as_is(batch: DrawingBatch) -> list[bool]:
    """Of sets whose photos are their sketches: which drawings are those, bent as the photo is.

    The sketch's grey, 64, is (255 - 64) / (0.75 * 255) of ink, so none of it is cut off.
    """
    grey = (batch.image[:, :1] + 1) / 2
    ink = (1 - batch.drawing[:, :1]) / 2
    off = (ink - ((1 - grey) / 0.75).clamp(0, 1)).abs() * batch.valid
    return [float(one.mean()) < 0.002 for one in off]


def test_refined_sketches_are_never_redrawn(tmp_path: Path, faces: Dataset) -> None:
    refined = open_dataset(write_portraits(tmp_path / "refined", 4, refined=True))
    maker = PortraitBatchMaker([refined], WHOLE, 4, 0, CPU)
    plain = PortraitBatchMaker([faces], WHOLE, 4, 0, CPU)
    entries = [(0, k) for k in range(4)]
    kept = []
    for seed in range(6):
        assert all(drawn_as_is(maker.make(entries, seed)))
        kept += drawn_as_is(plain.make(entries, seed))
    assert any(kept), "some of the artist's drawings come as they are"
    assert not all(kept), "and others in another hand"


def test_validation_shows_what_artists_drew(faces: Dataset) -> None:
    maker = PortraitBatchMaker([faces], WHOLE, 4, 0, CPU, bent=False)
    batch = maker.batch(0)
    assert all(drawn_as_is(batch))
    for k in range(4):
        ink = ink_of(np.asarray(faces.arrays["sketches"][k]))
        np.testing.assert_allclose((1 - batch.drawing[k, 0].numpy()) / 2, ink, atol=1e-4)


def test_faces_without_sketches_are_drawn_from_their_lines(tmp_path: Path) -> None:
    data = open_dataset(write_portraits(tmp_path / "photos", 3, drawn=False))
    for bent in (True, False):
        maker = PortraitBatchMaker([data], SMALL, 3, 0, CPU, bent=bent)
        ink = (1 - maker.batch(0).drawing) / 2
        assert float(ink.mean()) > 0.005
        assert float(ink.amax()) <= 1


# -- of parts ------------------------------------------------------------------------------------


def test_part_batches_have_the_shapes_that_networks_want(faces: Dataset) -> None:
    batch = PartBatchMaker([faces], 16, 5).batch(0)
    assert batch.ink.shape == (16, 1, REST_PX, REST_PX)
    assert batch.points.shape == (16, len(POINTS), 2)
    assert set(batch.windows) == set(batch.wanted) == {"eye", "nose", "mouth", "rest"}
    for kind, pieces in batch.windows.items():
        side = REST_PX if kind == "rest" else PART_PX
        assert pieces.shape[1:] == (1, side, side)
        assert pieces.shape == batch.wanted[kind].shape
        for values in (pieces, batch.wanted[kind], batch.ink):
            assert values.dtype == torch.float32
            assert float(values.min()) >= 0
            assert float(values.max()) <= 1.001
    assert len(batch.windows["rest"]) == 16
    assert 16 < len(batch.windows["eye"]) <= 32  # some are missing


def test_part_batches_repeat_by_seed_and_step(faces: Dataset) -> None:
    def batch(seed: int, step: int) -> PartBatch:
        return PartBatchMaker([faces], 4, seed).batch(step)

    one, again = batch(3, 2), batch(3, 2)
    assert torch.equal(one.ink, again.ink)
    assert torch.equal(one.points, again.points)
    for kind, pieces in one.windows.items():
        assert torch.equal(pieces, again.windows[kind])
        assert torch.equal(one.wanted[kind], again.wanted[kind])
    assert not torch.equal(one.ink, batch(4, 2).ink)
    assert not torch.equal(one.ink, batch(3, 3).ink)


def test_validation_of_parts_is_on_sketches_as_they_are(faces: Dataset) -> None:
    maker = PartBatchMaker([faces], 5, 0, bent=False)
    batch = maker.batch(0)
    for k in range(5):
        np.testing.assert_allclose(batch.points[k].numpy(), layout(k), atol=1e-5)
    for kind, pieces in batch.windows.items():
        torch.testing.assert_close(pieces, batch.wanted[kind])
    assert len(batch.windows["eye"]) == 10
    # every face has its turn
    rest = [maker.batch(step).points for step in (0, 1)]
    assert not torch.equal(rest[0], rest[1])
    assert PartBatchMaker([faces], 60, 0, bent=False).batch(0).ink.shape[0] == len(faces)


def test_right_eyes_come_as_left_ones(tmp_path: Path) -> None:
    """Of a face that is its own mirror image, both are the same."""
    plain = layout()
    np.testing.assert_allclose(plain[list(MIRRORED)] * [-1, 1] + [1, 0], plain, atol=1e-9)
    half = np.full((SIDE, SIDE), 255, np.uint8)
    half[105:125, 70:120] = np.random.default_rng(0).integers(0, 255, (20, 50))
    whole = np.minimum(half, half[:, ::-1])
    with DatasetWriter(tmp_path / "even", "portraits", {}) as writer:
        writer.add(
            {"name": "even", "group": "even", "drawn": True},
            {"sketches": whole, "landmarks": mesh()},
        )
    batch = PartBatchMaker([open_dataset(tmp_path / "even")], 1, 0, bent=False).batch(0)
    left, right = batch.wanted["eye"]
    assert float(left.amax()) > 0.5
    assert not torch.allclose(left, left.flip(2), atol=0.1), "the eye itself is uneven"
    torch.testing.assert_close(left, right, atol=0.02, rtol=0)


def test_points_lie_on_the_drawing_wherever_it_is_put(faces: Dataset) -> None:
    """There is ink at the chin and the cheeks of nearly all drawings that have their rest."""
    maker = PartBatchMaker([faces], 24, 1)
    batch = maker.batch(0)
    near = F.max_pool2d(batch.ink, 7, 1, 3)
    rows = [15, 16, 17, 18, 19]
    at = (batch.points[:, rows] * 2 - 1)[:, None]
    found = F.grid_sample(near, at, align_corners=False)[:, 0, 0]
    inside = (at[:, 0].abs() < 0.95).all(-1)
    has = found.amax(1) > 0.2  # a few are parts alone
    assert int(has.sum()) > 14
    hit = (found > 0.2)[inside & has[:, None]].float().mean()
    assert float(hit) > 0.8
    away = at + torch.tensor([0.35, -0.3])
    missed = F.grid_sample(near, away, align_corners=False)[:, 0, 0] > 0.2
    assert float(missed[inside & has[:, None]].float().mean()) < 0.5


def test_other_sets_are_refused(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "pairs", "pairs", {}) as writer:
        empty = np.zeros((SIDE, SIDE, 3), np.uint8)
        writer.add({"name": "a", "group": "a"}, {"shapes": empty, "images": empty})
    with pytest.raises(DatasetError, match=r"pairs: parts of faces are learned from portraits"):
        PartBatchMaker([open_dataset(tmp_path / "pairs")], 2, 0)
    photos = open_dataset(write_portraits(tmp_path / "photos", 2, drawn=False))
    with pytest.raises(DatasetError, match="these sets hold none"):
        PartBatchMaker([photos], 2, 0)
    drawn = open_dataset(write_portraits(tmp_path / "drawn", 1))
    assert len(PartBatchMaker([photos, drawn], 2, 0).entries) == 1
