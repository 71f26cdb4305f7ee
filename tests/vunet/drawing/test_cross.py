"""Drawings in another thing's look: what batches know of it, and what is asked of the network."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vunet.config import PRESETS, DrawingConfig
from vunet.dataset import DatasetWriter, open_dataset
from vunet.drawing.data import THING, UNKNOWN, DrawingBatchMaker
from vunet.drawing.losses import drawing_losses
from vunet.drawing.network import Carried, DrawingNet, Drawn, identity_places
from vunet.drawing.palette import COLOURS
from vunet.drawing.prepare import DrawingSetError, drawings_of, prepare_drawings
from vunet.drawing.subject import close_up

CPU = torch.device("cpu")
BASE = PRESETS["tiny-pairs"].model
assert isinstance(BASE, DrawingConfig)
SMALL = dataclasses.replace(BASE, size=(128, 96), shape="regions")
TRAIN = dataclasses.replace(PRESETS["tiny-pairs"], model=SMALL)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of a head over a top, the last two without labels."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "photos").mkdir()
    (folder / "labels").mkdir()
    (folder / "label_names.json").write_text(json.dumps(["null", "skin", "t-shirt"]))
    rng = np.random.default_rng(0)
    for i in range(8):
        image = np.full((240, 300, 3), rng.integers(200, 250, 3), np.uint8)
        labels = np.zeros((240, 300), np.uint8)
        x = 60 + 20 * i
        cv2.circle(labels, (x, 60), 30, 1, -1)
        cv2.rectangle(labels, (x - 40, 92), (x + 40, 220), 2, -1)
        image[labels == 1] = rng.integers(100, 200, 3)
        image[labels == 2] = rng.integers(0, 100, 3)
        cv2.imwrite(str(folder / "photos" / f"{i}.png"), image)
        if i < 6:
            cv2.imwrite(str(folder / "labels" / f"{i}.png"), labels)
    out = folder / "set"
    prepare_drawings(
        sorted((folder / "photos").iterdir()),
        out,
        labels=folder / "labels",
        mask_of=lambda image: np.where(image.min(2) < 199, 255, 0).astype(np.uint8),
        close=True,
        quiet=True,
    )
    return out


def test_people_fill_their_frames(painted: Path) -> None:
    for mask in open_dataset(painted).arrays["masks"]:
        rows = np.flatnonzero(mask.any(1))
        assert 0.7 < (rows[-1] - rows[0]) / len(mask) < 1


@pytest.mark.parametrize("place", [(0, 0), (100, 40), (190, 150)])
def test_a_close_up_lies_in_the_photo_and_holds_the_thing(place: tuple[int, int]) -> None:
    mask = np.zeros((200, 240), np.uint8)
    x, y = place
    mask[y : y + 50, x : x + 30] = 255
    x0, y0, x1, y1 = close_up(mask, (256, 192))
    assert 0 <= x0 < x1 <= 240
    assert 0 <= y0 < y1 <= 200
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert close_up(np.zeros((9, 7), np.uint8), (256, 192)) == (0, 0, 7, 9)


def test_references_are_of_others_of_the_same_class_as_often_as_asked(drawn_set: Path) -> None:
    data = open_dataset(drawn_set)
    config = dataclasses.replace(SMALL, shape="lines", classes=("Shirt", "Trousers"))
    maker = DrawingBatchMaker([data], config, 64, 5, CPU, cross_share=0.5)
    alike = {k: {data.index[int(i)]["label"] for i in v} for k, v in maker.alike.items()}
    assert all(len(labels) == 1 for labels in alike.values())
    batch = maker.batch(0)
    assert 10 < int(batch.own.sum()) < 54  # 1 of 6 others is the thing itself
    plain = DrawingBatchMaker([data], config, 16, 5, CPU).batch(0)
    assert bool((plain.own == 1).all())
    calm = DrawingBatchMaker([data], config, 4, 5, CPU, bent=False).batch(0)
    torch.testing.assert_close(calm.own, torch.ones(4))


def test_regions_follow_the_pictures(painted: Path) -> None:
    """Within a region of a flat picture all is of one colour, in truth and reference."""
    maker = DrawingBatchMaker([open_dataset(painted)], SMALL, 16, 1, CPU, cross_share=0.5)
    batch = maker.batch(3)
    assert {int(v) for v in batch.regions.unique()} <= {UNKNOWN, 0, 1, 2, 3, THING}
    assert bool((batch.own == 0).any())
    for k in range(16):
        for image, regions in (
            (batch.image[k], batch.regions[k, 0]),
            (batch.reference[k], batch.reference_regions[k, 0]),
        ):
            for label in (2, 3):  # skin and top
                inside = regions == label
                if int(inside.sum()) > 200:
                    apart = (image[:, inside] - image[:, inside].median(1, True).values).abs()
                    assert float((apart.mean(0) > 0.1).float().mean()) < 0.15


def test_what_has_no_labels_is_never_drawn_as_nothing(painted: Path) -> None:
    maker = DrawingBatchMaker([open_dataset(painted)], SMALL, 2, 1, CPU)
    for seed in range(20):
        drawing = maker.make([(0, 6), (0, 7)], seed).drawing
        assert float(drawing.flatten(1).amin(1).max()) < -0.3


def answer(batch: object, image: torch.Tensor, places: torch.Tensor) -> Drawn:
    """A network's answer that paints `image` and looks for every place at `places`."""
    B, _, H, W = image.shape
    h, w = H // 16, W // 16
    grid = identity_places((h, w), CPU).flatten(0, 1)
    small = torch.nn.functional.interpolate(places.permute(0, 3, 1, 2), (h, w), mode="area")
    wanted = small.permute(0, 2, 3, 1).flatten(1, 2)
    attention = (-200 * torch.cdist(wanted, grid.expand(B, -1, -1)).square()).softmax(-1)
    carried = Carried(small.permute(0, 2, 3, 1), places, image, torch.ones(B, 1, H, W), attention)
    zeros = torch.zeros(B, 2, 4)
    visible = torch.full((B, 1, H, W), 0.5)
    return Drawn(image, image, visible, carried, None, None, zeros, zeros[..., :3], None)


def test_a_look_is_judged_by_regions(painted: Path) -> None:
    maker = DrawingBatchMaker([open_dataset(painted)], SMALL, 2, 1, CPU)
    batch = maker.make([(0, 1), (0, 4)], 3, others=[(0, 2), (0, 3)])
    keep, window = torch.ones(2, 1, 1, 1), (0, 0, 128, 96)

    def losses(image: torch.Tensor, places: torch.Tensor) -> dict[str, float]:
        parts = drawing_losses(
            answer(batch, image, places), batch, None, TRAIN, 0, False, keep, window
        )
        return {k: float(v) for k, v in parts.items()}

    # each region in the colour that it has in the reference
    right = batch.image.clone()
    for k in range(2):
        for label in range(len(COLOURS)):
            here = batch.regions[k, 0] == label
            there = batch.reference_regions[k, 0] == label
            if bool(here.any()) and bool(there.any()):
                right[k][:, here] = batch.reference[k][:, there].mean(1, True)
    here = identity_places((32, 24), CPU).expand(2, 32, 24, 2)
    good, own = losses(right, here), losses(batch.image, here)
    assert good["look"] < 0.5 * own["look"]
    assert good["l1"] == own["l1"] == 0  # there is no truth
    # the head is looked for in the head, or at the ground
    away = here * 0 - 0.98
    assert losses(right, here)["attention"] < 0.5 * losses(right, away)["attention"]
    assert losses(right, here)["kind"] < 0.7 * losses(right, away)["kind"]


def test_other_looks_reach_every_weight_of_the_matcher(painted: Path) -> None:
    maker = DrawingBatchMaker([open_dataset(painted)], SMALL, 2, 1, CPU)
    batch = maker.make([(0, 1), (0, 4)], 3, others=[(0, 2), (0, 3)])
    torch.manual_seed(0)
    net = DrawingNet(SMALL)
    with torch.no_grad():  # what starts at zero would keep others from being reached
        for parameter in net.parameters():
            if not bool(parameter.any()):
                parameter.normal_(0, 0.05)
    drawn = net(batch.drawing, batch.reference)
    keep = torch.ones(2, 1, 1, 1)
    parts = drawing_losses(drawn, batch, None, TRAIN, 0, False, keep, (0, 0, 128, 96))

    def reached(part: str) -> set[str]:
        net.zero_grad()
        parts[part].backward(retain_graph=True)
        return {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}

    matcher = {f"matcher.{name}" for name, _ in net.matcher.named_parameters()}
    matcher.remove("matcher.key.bias")  # adding the same to all keys changes no softmax
    looking = {f"matcher.{name}" for name in ("nearness", "query.weight", "key.weight")}
    refining = {name for name in matcher if name.startswith("matcher.refine.")}
    assert refining
    assert looking <= matcher
    assert reached("attention") >= looking
    assert reached("kind") >= looking | refining
    assert reached("look") >= matcher | {"generator.enter.weight"}


def test_prepared_people_become_drawings_with_their_groups(tmp_path: Path) -> None:
    """Two pictures of each person: the other one is the reference, and is known as theirs."""
    size = (256, 192)
    with DatasetWriter(tmp_path / "people", "photos", {}) as writer:
        for i in range(6):
            mask = np.zeros(size, np.uint8)
            cv2.rectangle(mask, (60, 40 + 10 * i), (130, 230), 255, -1)
            image = np.where(mask[..., None] > 0, 40 * i + 20, 250).astype(np.uint8)
            entry = {
                "images": np.ascontiguousarray(image.repeat(3, 2)),
                "masks": mask,
                "keypoints": np.zeros((27, 3), np.float32),
                "valid": np.array([0, 0, 192, 256], np.float32),
                "parts": np.zeros((64, 48), np.uint8),
                "surface": np.zeros((64, 48, 3), np.int16),
            }
            writer.add({"name": f"{i}", "group": f"person/{i // 2}"}, entry)
    people = open_dataset(tmp_path / "people")
    assert drawings_of(people, tmp_path / "drawn", quiet=True) == 6
    assert drawings_of(people, tmp_path / "few", most=2, quiet=True) == 4
    drawn = open_dataset(tmp_path / "drawn")
    np.testing.assert_array_equal(drawn.arrays["images"][3], people.arrays["images"][3])
    maker = DrawingBatchMaker([drawn], SMALL, 32, 1, CPU, cross_share=0.3)
    batch = maker.batch(0)
    kin = (batch.places.abs() > 1).flatten(1).all(1)
    assert 20 <= int(kin.sum()) < 32  # 80 % have the other picture
    assert bool((batch.own[~kin] == 1).all())  # or themselves
    assert int(batch.own.sum()) >= 20
    with pytest.raises(DrawingSetError, match="not of people"):
        drawings_of(drawn, tmp_path / "again")
