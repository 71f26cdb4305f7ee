"""Finding: what a query is taken for, and what is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import vunet
from pose import BODY27, Pose
from pose.formats import write_poses
from pose.presets import PRESETS
from pose.stick import draw_controlnet
from tests.vunet.gallery.tiny import StickFinder, TinyEmbedder, write_picture
from vunet.gallery.gallery import Gallery
from vunet.gallery.query import kind_of
from vunet.gallery.trouble import GalleryError
from vunet.images import read_image

ROOT = Path(__file__).parents[3]


def indexed(folder: Path) -> Gallery:
    gallery = Gallery.open(folder, create=True, embedder=TinyEmbedder(), estimator=StickFinder())
    gallery.update()
    return gallery


@pytest.fixture
def people(make_people: Callable[..., Path]) -> Gallery:
    return indexed(make_people())


def test_it_is_part_of_the_package():
    assert vunet.Gallery is Gallery


@pytest.mark.parametrize("way", ["pose", "preset", "file", "stick picture", "part"])
def test_a_pose_finds_its_photo(people: Gallery, tmp_path: Path, way: str):
    for name in ("yoga_tree", "walking_left", "sitting"):
        pose = PRESETS[name]
        query: object = pose
        if way == "preset":
            query = name
        elif way == "file":
            query = tmp_path / "pose.json"
            write_poses([pose], tmp_path / "pose.json", "openpose")
        elif way == "stick picture":
            query = draw_controlnet(pose, (1024, 768))
        elif way == "part":
            gone = np.array(["shoulder" in n or "wrist" in n for n in BODY27.keypoints])
            points = np.where(gone[:, None], np.nan, pose.keypoints)
            query = replace(pose, keypoints=points, confidence=np.where(gone, 0, pose.confidence))
        match = people.find(query, 3)[0]  # type: ignore[arg-type]
        assert match.path.name == f"{name}.png"
        assert match.by == "pose"
        assert not match.mirrored
        assert match.score > 0.95
        assert match.pose is not None
        assert match.pose.skeleton is BODY27
        x0, y0, x1, y1 = match.box
        assert 0 <= x0 < x1 <= 768
        assert 0 <= y0 < y1 <= 1024


def test_mirror_images_are_found_and_said(people: Gallery):
    pose = PRESETS["yoga_tree"].flipped()
    first = people.find(pose, 1)[0]
    assert first.path.stem == "yoga_tree"
    assert first.mirrored
    alone = people.find(pose, len(PRESETS), mirror=False)
    assert not any(m.mirrored for m in alone)
    assert first.score > {m.path.stem: m.score for m in alone}["yoga_tree"] + 0.02


def test_matches_are_in_order_each_photo_once(people: Gallery):
    found = people.find("arms_up", 100)
    assert len({m.path for m in found}) == len(found) == len(PRESETS)
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    assert [m.path for m in people.find("arms_up", 5)] == [m.path for m in found[:5]]


def test_a_photo_finds_itself(photos: Path):
    with indexed(photos) as gallery:
        for path in sorted(photos.rglob("*.png"))[::5]:
            for by in ("photo", "drawing"):
                match = gallery.find(path, 1, by=by)[0]
                assert match.path == path
                assert match.box == (0, 0, 24, 32)
                assert match.score == pytest.approx(1, abs=2e-3)


def test_photos_that_went_are_passed_over(photos: Path):
    with indexed(photos) as gallery:
        first, second = gallery.find(photos / "00.png", 2, by="photo")
        query = read_image(first.path)
        first.path.unlink()
        assert gallery.find(query, 1, by="photo")[0].path == second.path


def test_without_weights_poses_are_found(make_people: Callable[..., Path]):
    folder = make_people("arms_up", "sitting")
    with Gallery.open(folder, create=True, embedder=None, estimator=StickFinder()) as gallery:
        assert gallery.update().added == 2
        assert gallery.find("sitting")[0].path.stem == "sitting"
        with pytest.raises(GalleryError, match="opened for poses alone"):
            gallery.find(folder / "sitting.png", by="photo")


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        ("no_such_preset", {}, "no preset pose"),
        ("missing.jpg", {}, "does not exist"),
        ("arms_up", {"k": 0}, "at least one"),
        ("arms_up", {"by": "smell"}, "choose drawing, pose, photo"),
        (PRESETS["arms_up"], {"by": "photo"}, "a pose is no photo"),
        (Pose(BODY27, np.full((27, 2), np.nan), np.zeros(27)), {}, "shows no limb"),
        (np.full((64, 64, 3), 255, np.uint8), {}, "Nothing is drawn"),
        (np.full((64, 64, 3), 255, np.uint8), {"by": "pose"}, "no person found"),
    ],
)
def test_bad_queries_get_a_sentence(people: Gallery, query, options, words: str):
    with pytest.raises(ValueError, match=words) as caught:
        people.find(query, **options)
    assert "\n" not in str(caught.value)


def test_what_a_picture_is_taken_for(root: Path, tmp_path: Path):
    drawings = sorted((root / "tests/vunet/drawing/crude").glob("*.png"))
    assert len(drawings) > 10
    assert {p.name: kind_of(p) for p in drawings} == {p.name: "drawing" for p in drawings}
    scribbles = sorted((root / "tests/pose/scribbles").glob("*.png"))
    taken = [kind_of(p) for p in scribbles]
    assert "photo" not in taken
    assert taken.count("pose") >= 0.8 * len(taken)
    for photo in sorted((root / "apps/examples").glob("*.jpg")):
        assert kind_of(photo) == "photo"
    assert kind_of(draw_controlnet(PRESETS["sitting"], (512, 384))) == "pose"
    assert kind_of("sitting") == kind_of(PRESETS["sitting"]) == kind_of("x.json") == "pose"
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    assert kind_of(cv2.GaussianBlur(noise, (0, 0), 3)) == "photo"


@pytest.mark.shared
def test_real_photos_and_sketches_are_told_apart(shared: Path):
    """One in forty garment photos, and artists' pencil sketches of faces."""
    photos = sorted((shared / "data/garments/photos").rglob("*.jpg"))[::100]
    sketches = sorted(p for p in (shared / "data/faces/sketches").rglob("*.*"))[::40]
    assert sum(kind_of(p) == "photo" for p in photos) >= 0.9 * len(photos)
    assert sum(kind_of(p) == "drawing" for p in sketches) >= 0.9 * len(sketches)


def test_people_in_a_crowd_are_items_of_their_own(tmp_path: Path):
    """A person who takes little of a picture is found by their look, and the box says where."""
    folder = tmp_path / "photos"
    for i in range(5):
        write_picture(folder / f"{i}.png", i, (512, 512))
    figure = draw_controlnet(PRESETS["standing"], (1024, 768))
    scene = np.zeros((1024, 2048, 3), np.uint8)
    scene[:, 1200:1968] = figure
    cv2.imwrite(str(folder / "scene.png"), scene[..., ::-1])
    with indexed(folder) as gallery:
        assert gallery.counts() == {"drawing": 7, "look": 7, "pose": 1}
        match = gallery.find(figure, 1, by="photo")[0]
        assert match.path.name == "scene.png"
        assert match.box[0] >= 1100
