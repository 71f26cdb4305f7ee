"""What drawn faces are learned from, how, and how they are judged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pose.face import FaceFinder
from tests.vunet.face.faces import write_portraits
from vunet.checkpoint import load_face_parts, load_model, load_network
from vunet.config import PRESETS, DrawingConfig, FacePartsConfig, TrainConfig, at_half_size
from vunet.dataset import Dataset, open_dataset
from vunet.drawing.network import DrawingNet
from vunet.drawing.prepare import DrawingSetError, config_for
from vunet.engine import Engine
from vunet.face.codes import with_codes
from vunet.face.evaluate import evaluate_portraits, format_portraits
from vunet.face.manifolds import Manifolds
from vunet.face.network import FacePartsNet
from vunet.face.parts import POINTS
from vunet.face.prepare import prepare_portraits
from vunet.face.refined import write_refined
from vunet.face.template import anchors
from vunet.images import read_image
from vunet.train import TrainError, TrainPlan, train

PARTS = FacePartsConfig(
    point_channels=(8, 8, 8), part_channels=(8, 8, 8, 4), part_dim=6, rest_dim=8
)


@pytest.fixture(scope="module")
def faces(portraits: Path) -> list[Dataset]:
    return [open_dataset(portraits)]


def small_face(sets: list[Dataset], **model: Any) -> TrainConfig:
    """The preset `face`, small."""
    config = config_for(PRESETS["face"], sets)
    assert isinstance(config.model, DrawingConfig)
    assert config.model.faces
    assert config.model.size == (256, 256)
    tiny = PRESETS["tiny-pairs"].model
    small = {
        name: getattr(tiny, name)
        for name in ("trunk_channels", "refine_channels", "detail_channels", "slots", "latent_dim")
    }
    net = dataclasses.replace(
        config.model, **{**small, "size": (64, 64), "generator_channels": (8, 8, 16), **model}
    )
    return dataclasses.replace(config, model=net, batch_size=2, steps=2, adversarial_start=0)


def small_parts() -> TrainConfig:
    """The preset `face-parts`, small."""
    return dataclasses.replace(PRESETS["face-parts"], model=PARTS, batch_size=2, steps=2)


def plan(out: Path, **changes: Any) -> TrainPlan:
    return TrainPlan(out=out, device="cpu", quiet=True, **changes)


def state_of(out: Path) -> dict[str, Any]:
    return torch.load(out / "state.pt", map_location="cpu", weights_only=True)


# -- training ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["face", "face-parts"])
def test_a_run_rehearses_and_goes_on_as_if_never_stopped(
    faces: list[Dataset], tmp_path: Path, name: str
) -> None:
    config = small_face(faces) if name == "face" else small_parts()
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = train(config, faces, plan(whole, validation=tuple(faces)))
    assert done["step"] == 2
    assert any(key.startswith("val_") and math.isfinite(done[key]) for key in done)
    assert list((whole / "sheets").glob("*.jpg"))
    train(dataclasses.replace(config, steps=1), faces, plan(broken))
    train(config, faces, plan(broken, resume=True))
    one, two = state_of(whole), state_of(broken)
    for part in ("model", "average", "rival"):
        for key, value in (one[part] or {}).items():
            assert torch.equal(value, two[part][key]), f"{part} {key}"
    net, _ = load_network(whole)
    assert isinstance(net, DrawingNet if name == "face" else FacePartsNet)


def test_parts_learn_everywhere(faces: list[Dataset]) -> None:
    """Every weight of points and parts is reached by a step."""
    from vunet.face.part_task import FacePartsTask

    config = dataclasses.replace(small_parts(), batch_size=4)
    task = FacePartsTask(config, faces, (), torch.device("cpu"), 0)
    net = task.build()
    with torch.no_grad():  # what starts at zero would keep others from being reached
        for parameter in net.parameters():
            if not bool(parameter.any()):
                parameter.normal_(0, 0.05)
    idle = {name for name, _ in net.named_parameters()}
    for step in range(2):
        net.zero_grad()
        losses = task.losses(net, step, 0.5, False)
        assert set(losses) == {"points", "spread", "eye", "nose", "mouth", "rest"}
        torch.stack(list(losses.values())).sum().backward()
        idle -= {n for n, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert not idle


def test_parts_learn(faces: list[Dataset]) -> None:
    from vunet.face.part_task import FacePartsTask

    config = dataclasses.replace(small_parts(), batch_size=6)
    task = FacePartsTask(config, faces, (), torch.device("cpu"), 0)
    torch.manual_seed(0)
    net = task.build()
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    sums = []
    for _ in range(8):  # the same drawings again and again
        total = torch.stack(list(task.losses(net, 0, 0.5, False).values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        sums.append(float(total.detach()))
    assert sums[-1] < 0.85 * sums[0]


def test_weights_of_another_depth_lend_what_fits(faces: list[Dataset], tmp_path: Path) -> None:
    deep = small_face(faces, generator_channels=(8, 8, 16, 16), size=(128, 128), faces=False)
    train(deep, faces, plan(tmp_path / "deep"))
    start, _ = load_model(tmp_path / "deep")
    still = dataclasses.replace(small_face(faces), steps=1, learning_rate=1e-12)
    train(still, faces, plan(tmp_path / "begun", init=str(tmp_path / "deep")))
    begun, _ = load_model(tmp_path / "begun")
    assert begun.config == still.model
    old, new = start.state_dict(), begun.state_dict()
    fits = [k for k in new if k in old and old[k].shape == new[k].shape]
    assert len(fits) > 0.7 * len(new)
    assert {k.split(".")[0] for k in fits} >= {"generator", "matcher", "prior"}
    for key in fits:
        torch.testing.assert_close(new[key], old[key], atol=2e-3, rtol=2e-3, msg=key)
    wide = small_face(faces, slots=3)
    with pytest.raises(TrainError, match="other network settings"):
        train(wide, faces, plan(tmp_path / "wide", init=str(tmp_path / "deep")))


def test_parts_have_one_size() -> None:
    with pytest.raises(ValueError, match="one size"):
        at_half_size(PRESETS["face-parts"])
    half = at_half_size(PRESETS["face"]).model
    assert isinstance(half, DrawingConfig)
    assert half.size == (128, 128)


def test_parts_are_learned_from_faces_alone(drawn_sets: tuple[Path, Path], tmp_path: Path) -> None:
    people = [open_dataset(drawn_sets[0])]
    with pytest.raises(ValueError, match="learned from portraits"):
        train(small_parts(), people, plan(tmp_path / "run"))


def test_refined_sets_are_faces_drawn_anew(faces: list[Dataset], tmp_path: Path) -> None:
    torch.manual_seed(0)
    manifolds = Manifolds(with_codes(FacePartsNet(PARTS), faces))
    for out in ("one", "two"):
        assert write_refined(faces[0], manifolds, tmp_path / out, quiet=True) == len(faces[0])
    one, two = (open_dataset(tmp_path / out) for out in ("one", "two"))
    assert all(row["refined"] and row["drawn"] for row in one.index)
    for name in faces[0].arrays:
        assert np.array_equal(one.arrays[name], two.arrays[name]), name
        same = np.array_equal(one.arrays[name], faces[0].arrays[name])
        assert same == (name != "sketches"), name


# -- preparing -----------------------------------------------------------------------------------


def in_held_back_part(name: str) -> bool:
    """A tenth, by the hash's first digits: written out anew."""
    first = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16)
    return first / 16**16 < 0.1


@pytest.fixture(scope="module")
def folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six faces with sketches, a file that is no picture, and a photo of nobody."""
    source = shared / "data" / "faces"
    if not source.is_dir():
        pytest.skip("needs the faces of ../shared/data")
    folder = tmp_path_factory.mktemp("faces")
    names = sorted(path.stem for path in (source / "photos").iterdir())
    names = [n for n in names if len(list((source / "sketches").glob(f"{n}.*"))) == 1]
    held = [n for n in names if in_held_back_part(n)]
    kept = [n for n in names if not in_held_back_part(n)]
    for kind in ("photos", "sketches"):
        (folder / kind).mkdir()
        for name in (*held[:2], *kept[:3]):
            (file,) = (source / kind).glob(f"{name}.*")
            shutil.copy(file, folder / kind)
        hills = np.full((200, 200, 3), (90, 120, 160), np.uint8)
        Image.fromarray(hills).save(folder / kind / "nobody.png")
        (folder / kind / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    return folder


@pytest.mark.shared
def test_faces_become_a_set(folder: Path, finder: FaceFinder, tmp_path: Path) -> None:
    report = prepare_portraits(folder, tmp_path / "all", finder, quiet=True)
    assert report.count == 5
    assert len(report.left_out) == 2
    assert all(sum(name in line for line in report.left_out) == 1 for name in ("nobody", "broken"))
    data = open_dataset(tmp_path / "all")
    assert data.meta["kind"] == "portraits"
    for i, row in enumerate(data.index):
        assert row["drawn"]
        points = np.asarray(data.arrays["landmarks"][i])
        assert np.abs(anchors(points)[:, 0].mean() / 256 - 0.5) < 0.02
        assert (points[:, :2].min(0) > -40).all()
        assert abs(points[list(POINTS)[:4], :2].mean(0) / 256 - (0.5, 0.47)).max() < 0.06
        # the artist drew where the photo has its eyes
        x, y = np.rint(points[159, :2]).astype(int)
        grey = np.asarray(data.arrays["sketches"][i]).astype(float)
        assert grey[y - 8 : y + 8, x - 8 : x + 8].min() < 0.7 * np.percentile(grey, 85)
        assert data.arrays["masks"][i].mean() > 0.2 * 255
        assert data.arrays["lines"][i].any()
        assert data.arrays["paint"][i].any()


@pytest.mark.shared
def test_a_tenth_is_held_back_by_its_names(
    folder: Path, finder: FaceFinder, tmp_path: Path
) -> None:
    found = {}
    for part in ("training", "held-back"):
        prepare_portraits(folder, tmp_path / part, finder, part=part, quiet=True)
        found[part] = {row["name"] for row in open_dataset(tmp_path / part).index}
    assert len(found["training"]) == 3
    assert len(found["held-back"]) == 2
    assert all(in_held_back_part(name) for name in found["held-back"])
    assert not any(in_held_back_part(name) for name in found["training"])


def test_folders_without_faces_are_refused(finder: FaceFinder, tmp_path: Path) -> None:
    with pytest.raises(DrawingSetError, match="there is no such folder"):
        prepare_portraits(tmp_path / "none", tmp_path / "out", finder, quiet=True)
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (200, 200), "teal").save(photos / "sea.png")
    with pytest.raises(DrawingSetError, match="no photo shows a face"):
        prepare_portraits(photos, tmp_path / "out", finder, quiet=True)
    assert not (tmp_path / "out" / "dataset.json").exists()


# -- judging -------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.slow
def test_painted_faces_are_judged(
    engine: Engine, finder: FaceFinder, folder: Path, shared: Path, tmp_path: Path
) -> None:
    prepare_portraits(folder, tmp_path / "set", finder, quiet=True)
    report = evaluate_portraits(
        tmp_path / "set",
        ["face"],
        finder,
        backbones=shared / "backbones",
        json_path=tmp_path / "report.json",
        sheet=tmp_path / "sheet.jpg",
        device="cpu",
        limit=1,
        quiet=True,
    )
    assert report["faces"] == 1
    assert set(report["rows"]) == {"face", "face, strokes", "face, own look", "photo"}
    assert report["rows"]["photo"]["artist"]["ssim"] == pytest.approx(1)
    assert report["rows"]["photo"]["artist"]["sqpd"] == pytest.approx(0, abs=1e-6)
    assert report["rows"]["photo"]["artist"]["landmarks"] < 0.05
    for name in ("face", "face, strokes", "face, own look"):
        row = report["rows"][name]
        for kind in ("artist", "degraded"):
            assert 0 < row[kind]["sqpd"] < 2
            assert 0 < row[kind]["ssim"] < 0.99
    own, plain = (report["rows"][name]["artist"] for name in ("face, own look", "face"))
    assert own["sqpd"] < plain["sqpd"], "the photo's own look helps"
    assert json.loads((tmp_path / "report.json").read_text())["faces"] == 1
    assert read_image(tmp_path / "sheet.jpg").shape[1] > 256
    table = format_portraits(report)
    assert table.startswith("1 faces\n")
    assert all(name[:24] in table for name in report["rows"])


@pytest.mark.shared
def test_other_sets_and_weights_are_not_judged(
    finder: FaceFinder, shared: Path, drawn_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    backbones = shared / "backbones"
    with pytest.raises(DrawingSetError, match="no set of portraits"):
        evaluate_portraits(drawn_sets[0], ["face"], finder, backbones=backbones, quiet=True)
    photos = write_portraits(tmp_path / "photos", 2, drawn=False)
    with pytest.raises(DrawingSetError, match="no face of the set has a sketch"):
        evaluate_portraits(photos, ["face"], finder, backbones=backbones, quiet=True)
    faces = write_portraits(tmp_path / "faces", 1)
    with pytest.raises(DrawingSetError, match="person: these weights do not paint drawings"):
        evaluate_portraits(faces, ["person"], finder, backbones=backbones, quiet=True)


def test_weights_without_faces_hold_no_parts(faces: list[Dataset], tmp_path: Path) -> None:
    train(dataclasses.replace(small_parts(), steps=1), faces, plan(tmp_path / "run"))
    with pytest.raises(ValueError, match=r"vunet\.face\.codes"):
        load_face_parts(tmp_path / "run")


@pytest.mark.parametrize("name", ["face", "drawing-pix2pix"])
def test_half_of_the_size_stays_half(name: str, faces: list[Dataset]) -> None:
    half = config_for(at_half_size(PRESETS[name]), faces).model
    assert half.size == (128, 128)
    assert config_for(PRESETS[name], faces).model.size == (256, 256)
