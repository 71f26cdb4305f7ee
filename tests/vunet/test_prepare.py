"""A folder of whatever becomes a training set, and what was left out is told."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from pose.complete import complete
from pose.estimator import PoseEstimator
from vunet import geometry as geo
from vunet.dataset import ARRAYS, CARRIED, CLOTH, NO_CLOTH, SIZE, UNKNOWN, Dataset, open_dataset
from vunet.framing import Window
from vunet.holdout import is_validation_photo
from vunet.images import read_image
from vunet.prepare import (
    PrepareError,
    PrepareOptions,
    PrepareReport,
    prepare_photos,
    prepare_renders,
)

ROOT = Path(__file__).resolve().parent.parent.parent
WHOLE = ROOT / "apps" / "examples" / "person_1.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole person, half a person, and what is no photo of a person."""
    path = tmp_path_factory.mktemp("photos é")
    (path / "sub folder").mkdir()
    shutil.copy(WHOLE, path / "whole.jpg")
    Image.fromarray(skimage.data.astronaut()).save(path / "sub folder" / "half.png")
    Image.fromarray(skimage.data.rocket()).save(path / "landscape.jpg", quality=90)
    (path / "corrupt.jpg").write_bytes((path / "whole.jpg").read_bytes()[:3000])
    (path / "text.jpg").write_text("I am a text")
    (path / "empty.png").write_bytes(b"")
    (path / "notes.txt").write_text("not even looked at")
    tiny = Image.fromarray(skimage.data.astronaut()).resize((60, 60))
    tiny.save(path / "tiny.png")
    return path


@pytest.fixture(scope="module")
def prepared(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, PrepareReport]:
    out = tmp_path_factory.mktemp("set")
    options = PrepareOptions(framings=3)
    report = prepare_photos(folder, out, options, workers=1, quiet=True)
    return open_dataset(out), report


def test_report_says_what_was_left_out_and_why(prepared: tuple[Dataset, PrepareReport]) -> None:
    data, report = prepared
    assert report.photos == 2
    assert report.entries == len(data) == data.meta["count"]
    reasons = dict(report.skipped)
    assert reasons.keys() == {"landscape.jpg", "corrupt.jpg", "text.jpg", "empty.png", "tiny.png"}
    assert reasons["landscape.jpg"] == "no person found"
    assert "text" in reasons["text.jpg"]
    assert all(reason and "\n" not in reason for reason in reasons.values())
    with (data.path / "skipped.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["photo", "reason"]
    assert dict(rows[1:]) == reasons
    assert "Left out 5" in report.summary()


def test_entries_are_whole(prepared: tuple[Dataset, PrepareReport]) -> None:
    data, _ = prepared
    assert not data.rendered
    names = {row["name"] for row in data.index}
    assert names == {"whole.jpg", "sub folder/half.png"}
    for name in ARRAYS:
        assert np.isfinite(data.arrays[name].astype(np.float64)).all()
    for i, row in enumerate(data.index):
        mask, points = data.arrays["masks"][i], data.arrays["keypoints"][i]
        x0, y0, x1, y1 = data.arrays["valid"][i]
        assert 0 <= x0 < x1 <= SIZE[1]
        assert 0 <= y0 < y1 <= SIZE[0]
        assert (mask > 128).mean() > 0.05
        assert not mask[int(np.ceil(y1)) :].any()
        assert not mask[: int(y0)].any()
        outside = (points[:, 0] < x0) | (points[:, 0] > x1)
        outside |= (points[:, 1] < y0) | (points[:, 1] > y1)
        assert (points[outside, 2] <= 0.1001).all(), row
        # confident joints lie on the person
        sure = points[(points[:, 2] > 0.9)][:, :2]
        grown = cv2.dilate(mask, np.ones((9, 9)))
        at = np.clip(sure.astype(int), 0, [SIZE[1] - 1, SIZE[0] - 1])
        assert (grown[at[:, 1], at[:, 0]] > 100).mean() > 0.8, row


def test_whole_person_fills_the_frame(prepared: tuple[Dataset, PrepareReport]) -> None:
    data, _ = prepared
    i = next(i for i, r in enumerate(data.index) if r["framing"] == "full")
    rows = (data.arrays["masks"][i] > 128).any(1).nonzero()[0]
    assert rows[0] < 0.15 * SIZE[0]
    assert rows[-1] > 0.85 * SIZE[0]


def test_half_body_stays_half_a_body(prepared: tuple[Dataset, PrepareReport]) -> None:
    """The photo ends at the astronaut's waist: so does what is valid, and no leg is sure."""
    data, _ = prepared
    entries = [i for i, r in enumerate(data.index) if r["name"].endswith("half.png")]
    i = entries[0]
    assert data.index[i]["framing"] == "partial"
    points = data.arrays["keypoints"][i]
    assert (points[[13, 14, 15, 16], 2] <= 0.1001).all()
    x0, y0, x1, y1 = data.arrays["valid"][i]
    assert (x1 - x0) / SIZE[1] > 0.85 or (y1 - y0) / SIZE[0] > 0.85
    shoulders = np.linalg.norm(points[5, :2] - points[6, :2])
    assert (
        shoulders > 0.3 * SIZE[1]
    )  # of the whole frame's width: not shrunk to make place for legs


def test_close_framings_end_where_they_are_cut(prepared: tuple[Dataset, PrepareReport]) -> None:
    data, _ = prepared
    close = [i for i, r in enumerate(data.index) if r["framing"] in ("knee", "half", "bust")]
    assert close
    full = next(i for i, r in enumerate(data.index) if r["framing"] == "full")
    for i in close:
        points = data.arrays["keypoints"][i]
        y1 = data.arrays["valid"][i][3]
        assert SIZE[0] - 3 <= y1 <= SIZE[0]  # nothing empty below
        assert (points[[15, 16], 1] > y1).all()
        assert (points[[15, 16], 2] <= 0.1001).all()
        wide = np.linalg.norm(points[5, :2] - points[6, :2])
        one = data.arrays["keypoints"][full]
        assert wide > 1.05 * np.linalg.norm(one[5, :2] - one[6, :2])
        assert (data.arrays["masks"][i][-4] > 128).any()


def test_preparing_again_gives_the_same(
    folder: Path, prepared: tuple[Dataset, PrepareReport], tmp_path: Path
) -> None:
    data, _ = prepared
    only = tmp_path / "photos"
    only.mkdir()
    shutil.copy(folder / "whole.jpg", only / "whole.jpg")
    prepare_photos(only, tmp_path / "out", PrepareOptions(framings=3), workers=1, quiet=True)
    again = open_dataset(tmp_path / "out")
    rows = [i for i, r in enumerate(data.index) if r["name"] == "whole.jpg"]
    assert [r["framing"] for r in again.index] == [data.index[i]["framing"] for i in rows]
    for name in ("images", "keypoints", "valid"):
        np.testing.assert_array_equal(again.arrays[name], data.arrays[name][rows])


def test_a_folder_without_people_is_refused(folder: Path, tmp_path: Path) -> None:
    only = tmp_path / "photos"
    only.mkdir()
    shutil.copy(folder / "landscape.jpg", only / "landscape.jpg")
    with pytest.raises(PrepareError, match="none of its 1 photos") as caught:
        prepare_photos(only, tmp_path / "out", PrepareOptions(), workers=1, quiet=True)
    assert "no person found" in str(caught.value)
    (only / "landscape.jpg").unlink()
    with pytest.raises(PrepareError, match="no photos in this folder"):
        prepare_photos(only, tmp_path / "out", PrepareOptions(), workers=1, quiet=True)
    with pytest.raises(PrepareError, match="not a folder"):
        prepare_photos(only / "x", tmp_path / "out", PrepareOptions(), workers=1, quiet=True)


@pytest.mark.parametrize("change", [{"holdout": "photos"}, {"group": "person"}])
def test_unknown_options_are_refused(folder: Path, tmp_path: Path, change: dict[str, str]) -> None:
    """A misspelt holdout must not train on the validation photos."""
    options = dataclasses.replace(PrepareOptions(), **change)
    with pytest.raises(PrepareError, match=next(iter(change.values()))):
        prepare_photos(folder, tmp_path / "out", options, workers=1, quiet=True)


@pytest.mark.parametrize("own_masks", [True, False])
def test_garments_are_told_by_labels(tmp_path: Path, own_masks: bool) -> None:
    """A shirt, from the waist half a dress and half a bag, and trousers below."""
    photos, labels = tmp_path / "photos", tmp_path / "labels"
    photos.mkdir()
    labels.mkdir()
    shutil.copy(WHOLE, photos / "whole.jpg")
    names = ["null", "shirt", "dress", "bag", "pants"]
    (tmp_path / "label_names.json").write_text(json.dumps(names))
    detection = PoseEstimator().find_one(read_image(WHOLE), "whole")
    found = detection.mask > 0.5
    rows = np.arange(found.shape[0])[:, None]
    hips, knees = (
        float(np.mean([detection.pose.point(f"{s}_{n}")[1] for s in ("left", "right")]))
        for n in ("hip", "knee")
    )
    waist = hips - 0.2 * (knees - hips)
    label = np.where(rows < waist, 1, np.where(rows < knees, 2, 4)) * found
    middle = np.nonzero(found)[1].mean()
    label[(rows > waist) & (rows < knees) & (np.arange(found.shape[1]) < middle) & found] = 3
    cv2.imwrite(str(labels / "whole.png"), label.astype(np.uint8))
    options = PrepareOptions(labels=labels, label_masks=own_masks, framings=0)
    prepare_photos(photos, tmp_path / "out", options, workers=1, quiet=True)
    data = open_dataset(tmp_path / "out")
    parts, mask = data.arrays["parts"][0], data.arrays["masks"][0]
    assert {int(v) for v in np.unique(parts)} - {UNKNOWN} == {
        *(0, geo.SKIRT + 1, CLOTH, NO_CLOTH, CARRIED)
    }
    assert np.nonzero(parts == geo.SKIRT + 1)[0].min() > np.nonzero(parts == CLOTH)[0].mean()
    carried = cv2.resize((parts == CARRIED).astype(np.uint8), mask.shape[::-1])
    inside = cv2.erode(carried, np.ones((9, 9))) > 0
    assert inside.sum() > 50
    assert (mask[inside].mean() < 30) if own_masks else (mask[inside].mean() > 200)


def test_labels_without_names_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    options = PrepareOptions(labels=tmp_path / "labels")
    with pytest.raises(PrepareError, match="label_names"):
        prepare_photos(folder, tmp_path / "out", options, workers=1, quiet=True)


def test_holdout_splits_by_name_alone(tmp_path: Path) -> None:
    names = [f"{i:04d}" for i in range(200)]
    held = next(n for n in names if is_validation_photo(n))
    kept = next(n for n in names if not is_validation_photo(n))
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in (held, kept):
        shutil.copy(WHOLE, photos / f"{name}.jpg")
    for rule, expected in (("photo", kept), ("only-photo", held)):
        out = tmp_path / rule
        options = PrepareOptions(holdout=rule, framings=0)
        report = prepare_photos(photos, out, options, workers=1, quiet=True)
        assert [r["name"] for r in open_dataset(out).index] == [f"{expected}.jpg"]
        assert len(report.skipped) == 1


# -- renders ---------------------------------------------------------------------------------


def write_render(
    folder: Path, seed: int, rgb: np.ndarray | None = None, points: np.ndarray | None = None
) -> None:
    """One 256x192 render as the renderer writes it: loose files and a line of the index."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    part = np.zeros(SIZE, np.uint8)
    part[60:200, 70:120] = 2
    part[20:60, 80:110] = 5
    surface = np.zeros((*SIZE, 3), np.uint16)
    yy, xx = np.mgrid[: SIZE[0], : SIZE[1]]
    for channel, values in enumerate((yy * 0, yy * 256, xx * 256)):  # stored as z, y, x
        surface[..., channel] = values
    files = {n: f"{seed}_{n}.png" for n in ("rgb", "mask", "part", "surface")}
    if rgb is None:
        rgb = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    cv2.imwrite(str(folder / files["rgb"]), rgb[..., ::-1])
    cv2.imwrite(str(folder / files["mask"]), np.where(part > 0, 255, 0).astype(np.uint8))
    cv2.imwrite(str(folder / files["part"]), part)
    cv2.imwrite(str(folder / files["surface"]), surface)
    row = {
        "person": seed,
        "view": 0,
        "seed": 9,
        "yaw": 10.0,
        "pose": "walk",
        "framing": "full",
        "height": SIZE[0],
        "width": SIZE[1],
        "character": {"source": "makehuman", "avatar": ""},
        "keypoints": [[10.5 + i, 20.25, i % 3] for i in range(27)]
        if points is None
        else points.tolist(),
        "canonical_box": [[0.0, 0.0, 0.0], [1.0, 2.0, 4.0]],
        "files": files,
    }
    with (folder / "index.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def test_renders_keep_their_exact_labels(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        write_render(tmp_path / "renders", seed)
    report = prepare_renders(tmp_path / "renders", tmp_path / "out", quiet=True, limit=2)
    data = open_dataset(tmp_path / "out")
    assert data.rendered
    assert report.entries == len(data) == 2
    points = data.arrays["keypoints"][0]
    np.testing.assert_allclose(points[:, 0], 10.5 + np.arange(27))
    np.testing.assert_allclose(points[:3, 2], [0.1, 0.5, 1.0])
    assert data.arrays["parts"][0][32, 24] == 2  # the spine belongs to the torso
    assert data.arrays["parts"][0][8, 24] == 1
    assert data.arrays["parts"][0][0, 0] == 0
    x, y, z = data.arrays["surface"][0][30, 20]  # about pixel (82, 122)
    assert x == pytest.approx(82 / 256 * 1000, abs=3)
    assert y == pytest.approx(122 / 256 * 2000, abs=6)
    assert z == 0


def test_renders_get_the_skeletons_that_photos_would_get(tmp_path: Path) -> None:
    """MediaPipe's, unless it looks at something else than the person."""
    whole = read_image(WHOLE)
    picture = cv2.resize(whole, (SIZE[1], SIZE[0]), interpolation=cv2.INTER_AREA)
    pose, _ = complete(PoseEstimator().find_one(whole, "whole").pose)
    scale = np.array([SIZE[1] / whole.shape[1], SIZE[0] / whole.shape[0]])
    exact = np.column_stack([pose.keypoints * scale, np.full(27, 2.0)])
    write_render(tmp_path / "renders", 0, picture, exact)
    aside = exact + np.array([60, 0, 0])
    write_render(tmp_path / "renders", 1, picture, aside)
    prepare_renders(tmp_path / "renders", tmp_path / "out", quiet=True, workers=1)
    data = open_dataset(tmp_path / "out")
    assert [row["detected"] for row in data.index] == [True, False]
    found, fallback = data.arrays["keypoints"]
    np.testing.assert_allclose(fallback[:, :2], aside[:, :2], atol=1e-3)
    off = np.linalg.norm(found[:17, :2] - exact[:17, :2], axis=1)
    assert 0 < np.median(off) < 4  # found anew in the small picture, not copied
    assert not np.isin(found[:, 2], [0.1, 0.5, 1.0]).all()


@pytest.mark.parametrize("damage", ["nothing", "text", "size", "keys"])
def test_damaged_renders_are_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "renders"
    folder.mkdir()
    if damage != "nothing":
        write_render(folder, 0)
        lines = {
            "text": "not json\n",
            "size": (folder / "index.jsonl").read_text().replace('"height": 256', '"height": 64'),
            "keys": '{"a": 1}\n',
        }
        (folder / "index.jsonl").write_text(lines[damage])
    with pytest.raises(PrepareError, match="renders"):
        prepare_renders(folder, tmp_path / "out", quiet=True)


def test_render_with_a_missing_file_is_left_out(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_render(tmp_path / "renders", seed)
    for kind in ("rgb", "part"):
        write_render(tmp_path / "renders", 10 if kind == "rgb" else 11)
        (tmp_path / "renders" / f"{10 if kind == 'rgb' else 11}_{kind}.png").unlink()
    report = prepare_renders(tmp_path / "renders", tmp_path / "out", quiet=True)
    assert report.entries == 2
    assert len(report.skipped) == 2


def test_window_of_a_close_framing_is_the_networks_shape() -> None:
    assert Window(0.0, 0.0, 1.0, SIZE).valid((100, 100)) == (0.0, 0.0, 100.0, 100.0)
