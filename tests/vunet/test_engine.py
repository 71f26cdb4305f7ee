"""The one way to use the networks, with a random tiny network: all but its beauty is tested."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from pose import BODY27, NoPersonFound, Pose
from pose.complete import complete
from pose.estimator import PoseEstimator
from pose.formats import dump_poses, read_poses
from pose.presets import PRESETS
from pose.retarget import body_scale
from pose.stick import draw_controlnet
from vunet.bags import Bag, Unburdened
from vunet.checkpoint import WeightsError, load_reposer, save_network
from vunet.config import PRESETS as TRAINING
from vunet.engine import MAX_SIDE_PX, PLAIN_RGB, Engine, EngineError, Prepared, Result
from vunet.images import ImageError, OutputError
from vunet.model import Reposer

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "apps" / "examples"
PERSON = EXAMPLES / "person_1.jpg"
_HAND = ("wrist", "pinky", "index", "thumb")
PRESET = "t_pose" if "t_pose" in PRESETS else min(PRESETS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """An engine with seeded noise for weights, through a file as users' own weights come."""
    folder = tmp_path_factory.mktemp("weights")
    config = TRAINING["tiny"].model
    torch.manual_seed(0)
    save_network(Reposer(config), folder / "own.safetensors", config)
    (folder / "manifest.json").write_text('{"weights": []}')
    model, digest = load_reposer(folder / "own.safetensors", folder)
    return Engine(model, digest, torch.device("cpu"))


@pytest.fixture(scope="module")
def estimator(engine: Engine) -> PoseEstimator:
    return engine.estimator


@pytest.fixture(scope="module")
def half_body() -> np.ndarray:
    """A photo that ends at the waist."""
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def whole(engine: Engine) -> Result:
    """One re-pose that many tests look at."""
    return engine.repose(PERSON, PRESET)


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.height, image.width


def small_figure(make_person: Callable[..., Pose]) -> Pose:
    """A pose that leaves most of its picture free, as a random network fills its window."""
    return make_person(3, size=(300, 420), fill=0.4)


def check(result: Result, size: tuple[int, int]) -> None:
    assert result.image.shape == (*size, 3)
    assert result.image.dtype == np.uint8
    assert result.mask.shape == result.invented.shape == size
    assert result.mask.dtype == result.invented.dtype == np.uint8
    assert (result.invented <= result.mask).all()
    assert result.mask.any()
    assert result.pose.skeleton is BODY27
    assert result.pose.size == size
    assert result.pose.present.all()
    assert isinstance(result.warnings, tuple)
    for text in result.warnings:
        assert text == text.strip()
        assert text.endswith(".")
        assert "\n" not in text


# -- frames and sizes ------------------------------------------------------------------------


def test_result_has_the_appearance_photos_size(engine: Engine, whole: Result) -> None:
    check(whole, size_of(PERSON))
    assert whole.weights_sha256 == engine.weights_sha256
    assert len(whole.weights_sha256) == 64
    assert not whole.transparent


def test_person_keeps_size_and_ground(whole: Result, estimator: PoseEstimator) -> None:
    """A T is no taller than its owner: same scale, feet on the same line."""
    photo = np.asarray(Image.open(PERSON).convert("RGB"))
    own = estimator.find_one(photo, "it").pose
    shrunk = any("smaller" in w for w in whole.warnings)
    if not shrunk:
        assert body_scale(whole.pose) == pytest.approx(body_scale(own), rel=0.03)
    feet = ["heel", "foot_index", "ankle"]
    ground = max(own.point(f"{s}_{f}")[1] for s in ("left", "right") for f in feet)
    found = max(whole.pose.point(f"{s}_{f}")[1] for s in ("left", "right") for f in feet)
    assert found == pytest.approx(min(ground, photo.shape[0] - 1), abs=3)


def test_frame_pose_has_the_pose_pictures_size_and_place(
    engine: Engine, make_person: Callable[..., Pose]
) -> None:
    pose = make_person(3, size=(333, 421), fill=0.6)
    result = engine.repose(PERSON, pose, frame="pose", retarget=False)
    check(result, (333, 421))
    np.testing.assert_allclose(result.pose.keypoints, pose.keypoints, atol=1e-6)
    kept = engine.repose(PERSON, pose, frame="pose")
    assert body_scale(kept.pose) == pytest.approx(body_scale(pose), rel=1e-3)


def test_own_pose_gives_the_photo_back(engine: Engine) -> None:
    """Even an untrained network: what has not moved is not painted."""
    photo = np.asarray(Image.open(PERSON))
    result = engine.repose(PERSON, PERSON)
    ys, xs = np.nonzero(result.mask > 128)
    box = (slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1))
    value = structural_similarity(photo[box], result.image[box], channel_axis=2)
    assert value > 0.95
    assert result.invented[result.mask > 250].mean() < 12
    smaller = engine.repose(PERSON, PERSON, size=400)
    larger = engine.repose(PERSON, PERSON, size=1600)
    twice = cv2.resize(result.mask, larger.mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(twice.astype(int) - larger.mask).mean() < 2
    half = cv2.resize(photo, smaller.image.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert structural_similarity(half, smaller.image, channel_axis=2) > 0.9


def test_bent_arm_leaves_the_legs_alone_and_leaves_its_place(estimator: PoseEstimator) -> None:
    """With the shipped weights, as in the app when somebody drags a hand."""
    photo = np.asarray(Image.open(PERSON))
    pose, _ = complete(estimator.find_one(photo, "photo").pose)
    points = pose.keypoints.copy()
    index = pose.skeleton.index
    names = [n for n in index if n.startswith("left_") and n[5:] in _HAND]
    elbow, wrist = pose.point("left_elbow"), pose.point("left_wrist")
    for name in names:  # a quarter turn about the elbow, outwards
        x, y = pose.point(name) - elbow
        points[index[name]] = elbow + np.array([y, -x])
    engine = Engine.load("person")
    result = engine.repose(PERSON, dataclasses.replace(pose, keypoints=points))
    knees = int(pose.point("left_knee")[1])
    np.testing.assert_array_equal(photo[knees:], result.image[knees:])
    x, y = np.rint(wrist).astype(int)
    assert result.mask[y - 3 : y + 4, x - 3 : x + 4].max() < 128


@pytest.mark.parametrize("side", [64, 200, 700])
@pytest.mark.parametrize("frame", ["appearance", "pose"])
def test_size_is_the_longer_side(engine: Engine, side: int, frame: str) -> None:
    result = engine.repose(PERSON, PRESET, frame=frame, size=side)  # type: ignore[arg-type]
    before = size_of(PERSON) if frame == "appearance" else PRESETS[PRESET].size
    assert before is not None
    assert max(result.image.shape[:2]) == side
    assert min(result.image.shape[:2]) == pytest.approx(side * min(before) / max(before), abs=1)
    check(result, result.image.shape[:2])


def test_further_photos_give_what_the_first_does_not_show(
    engine: Engine, half_body: np.ndarray
) -> None:
    alone = engine.repose(half_body, PRESET, frame="pose")
    whole_too = engine.repose(half_body, PRESET, also=[PERSON], frame="pose")
    assert any("does not show" in w for w in alone.warnings)
    assert not any("does not show" in w for w in whole_too.warnings)
    height = alone.image.shape[0]
    legs = slice(2 * height // 3, None)
    assert whole_too.invented[legs].sum() < alone.invented[legs].sum()
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        engine.repose(PERSON, PRESET, also=["gone.jpg"])


def test_mix_keeps_the_base_where_nothing_is_lent() -> None:
    engine = Engine.load("person")
    other = EXAMPLES / "person_2.jpg"
    base = np.asarray(Image.open(PERSON))
    result = engine.mix(PERSON, {"top": other})
    assert result.image.shape == base.shape
    feet = int(result.pose.point("left_ankle")[1])
    assert np.median(np.abs(base[feet:].astype(int) - result.image[feet:])) == 0
    chest = [
        result.pose.point(f"{side}_{n}") for side in ("left", "right") for n in ("shoulder", "hip")
    ]
    x, y = np.mean(chest, axis=0).astype(int)
    patch = (slice(y - 20, y + 20), slice(x - 15, x + 15))
    assert np.abs(base[patch].astype(int) - result.image[patch]).mean() > 8
    nothing = engine.mix(PERSON, {"top": other}, strength={"top": 0})
    assert structural_similarity(base, nothing.image, channel_axis=2) > 0.95


@pytest.mark.parametrize(
    ("parts", "strength", "said"),
    [
        ({}, {}, "at least one part"),
        ({"tops": PERSON}, {}, "did you mean top"),
        ({"top": PERSON}, {"head": 0.5}, "no photo for this part"),
        ({"top": PERSON}, {"top": 1.5}, "between 0 and 1"),
        ({"top": PERSON}, {"top": float("nan")}, "between 0 and 1"),
    ],
)
def test_impossible_mixes_are_refused(
    engine: Engine, parts: dict[str, Path], strength: dict[str, float], said: str
) -> None:
    with pytest.raises(EngineError, match=said):
        engine.mix(PERSON, parts, strength=strength)


def test_size_scales_the_pose(engine: Engine, whole: Result) -> None:
    small = engine.repose(PERSON, PRESET, size=max(whole.image.shape[:2]) // 2)
    np.testing.assert_allclose(small.pose.keypoints * 2, whole.pose.keypoints, atol=2)


# -- backgrounds -----------------------------------------------------------------------------


def test_plain_background(engine: Engine, make_person: Callable[..., Pose]) -> None:
    result = engine.repose(PERSON, small_figure(make_person), frame="pose", background="plain")
    away = result.mask == 0
    assert away.any()
    np.testing.assert_array_equal(result.image[away], np.broadcast_to(PLAIN_RGB, (away.sum(), 3)))


def test_source_background_is_the_photos_own(engine: Engine, estimator: PoseEstimator) -> None:
    photo = np.asarray(Image.open(PERSON).convert("RGB"))
    side = photo.shape[1]
    photo = np.pad(photo, ((0, 0), (side, side), (0, 0)), mode="reflect")
    photo = photo[:, side // 3 : -side // 3]
    person = np.arange(photo.shape[1]) - side * 2 / 3
    beside = (person < -0.15 * side) | (person > 1.15 * side)
    photo = photo.copy()
    photo[:, beside] = np.linspace(20, 220, photo.shape[0])[:, None, None]
    mask = estimator.find_one(photo, "it").mask
    result = engine.repose(photo, PRESET)
    near = cv2.dilate((mask > 0.02).astype(np.uint8), np.ones((61, 61))) > 0
    away = (result.mask == 0) & ~near
    assert away.mean() > 0.1
    assert np.abs(result.image[away].astype(int) - photo[away]).mean() < 1


def test_background_of_a_file_and_of_the_pose(
    engine: Engine, tmp_path: Path, make_person: Callable[..., Pose]
) -> None:
    path = tmp_path / "wall é.png"
    Image.fromarray(np.full((50, 300, 3), (10, 200, 30), np.uint8)).save(path)
    result = engine.repose(PERSON, small_figure(make_person), frame="pose", background=path)
    away = result.mask == 0
    assert away.any()
    assert np.abs(result.image[away].astype(int) - [10, 200, 30]).max() <= 1
    posed = engine.repose(
        PERSON, EXAMPLES / "pose_dance.jpg", background="pose", frame="pose", size=200
    )
    check(posed, posed.image.shape[:2])


def test_transparent_png_has_the_mask_for_alpha(engine: Engine, tmp_path: Path) -> None:
    result = engine.repose(PERSON, PRESET, background="transparent", size=200)
    assert result.transparent
    result.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "RGBA"
        pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels[..., 3], result.mask)
    np.testing.assert_array_equal(pixels[..., :3], result.image)
    with pytest.raises(OutputError, match="transparent"):
        result.save(tmp_path / "out.jpg")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"background": "pose"}, "pose is no photo"),
        ({"background": "no such file.jpg"}, "no such file"),
        ({"background": ""}, "background"),
        ({"background": "a" * 300}, "no such file"),
        ({"frame": "both"}, "frame must be"),
        ({"size": 0}, "size must be"),
        ({"size": MAX_SIDE_PX + 1}, "size must be"),
    ],
)
def test_impossible_options_are_refused_in_a_sentence(
    engine: Engine, options: dict[str, object], words: str
) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        engine.repose(PERSON, PRESET, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_background_that_is_no_picture_is_refused(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "wall.jpg").write_text("no wall")
    with pytest.raises(ImageError, match=r"wall\.jpg"):
        engine.repose(PERSON, PRESET, background=tmp_path / "wall.jpg")


# -- what is saved ---------------------------------------------------------------------------


def test_png_carries_pose_seed_and_weights(engine: Engine, tmp_path: Path) -> None:
    result = engine.repose(PERSON, PRESET, seed=17, size=200)
    result.save(tmp_path / "new folder" / "out é.png")
    with Image.open(tmp_path / "new folder" / "out é.png") as image:
        text = image.text
        np.testing.assert_array_equal(np.asarray(image), result.image)
    assert text["vunet:seed"] == "17"
    assert text["vunet:weights"] == engine.weights_sha256
    (tmp_path / "pose.json").write_text(text["vunet:pose"])
    (pose,) = read_poses(tmp_path / "pose.json")
    np.testing.assert_allclose(pose.keypoints, result.pose.keypoints, atol=0.01)
    assert pose.size == result.image.shape[:2]
    assert json.loads(text["vunet:pose"])


def test_the_same_call_gives_the_same_picture(engine: Engine) -> None:
    one, two = (engine.repose(PERSON, PRESET, size=160) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    assert one.warnings == two.warnings


# -- what is given ---------------------------------------------------------------------------


def test_paths_pictures_and_arrays_are_the_same(engine: Engine) -> None:
    with Image.open(PERSON) as image:
        image.load()
        results = [
            engine.repose(given, PRESET, size=160)
            for given in (str(PERSON), image, np.asarray(image.convert("RGB")))
        ]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].image, other.image)


def test_poses_of_every_kind(
    engine: Engine, tmp_path: Path, make_person: Callable[..., Pose]
) -> None:
    pose = make_person(4, size=(512, 384))
    (tmp_path / "pose.json").write_text(dump_poses([pose], "openpose"))
    Image.fromarray(draw_controlnet(pose, (512, 384))).save(tmp_path / "stick.png")
    plain = engine.repose(PERSON, pose, size=160)
    for given in (tmp_path / "pose.json", str(tmp_path / "stick.png")):
        result = engine.repose(PERSON, given, size=160)
        check(result, plain.image.shape[:2])
        limbs = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
        np.testing.assert_allclose(
            result.pose.keypoints[limbs], plain.pose.keypoints[limbs], atol=6
        )
    check(engine.repose(PERSON, EXAMPLES / "pose_walk.jpg", size=160), plain.image.shape[:2])


def test_misspelt_preset_gets_a_suggestion(engine: Engine) -> None:
    with pytest.raises(ValueError, match="did you mean"):
        engine.repose(PERSON, PRESET + "e")


def test_half_body_photo_is_not_stretched_and_says_what_it_lacks(
    engine: Engine, half_body: np.ndarray, estimator: PoseEstimator
) -> None:
    own = estimator.find_one(half_body, "it").pose
    result = engine.repose(half_body, PRESET)
    check(result, half_body.shape[:2])
    assert body_scale(result.pose) == pytest.approx(body_scale(own), rel=0.1)
    neck = (own.point("left_shoulder") + own.point("right_shoulder")) / 2
    found = (result.pose.point("left_shoulder") + result.pose.point("right_shoulder")) / 2
    np.testing.assert_allclose(found, neck, atol=2)
    assert any("leg" in w and "outside" in w for w in result.warnings)
    shown = engine.repose(half_body, PRESET, frame="pose", size=200)
    assert any("does not show" in w and "leg" in w for w in shown.warnings)


def test_photo_of_nobody_is_refused_by_name(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a rocket.png"
    Image.fromarray(skimage.data.rocket()).save(path)
    with pytest.raises(NoPersonFound, match=r"a rocket\.png: no person found"):
        engine.repose(path, PRESET)
    with pytest.raises(NoPersonFound, match=r"a rocket\.png: no person found"):
        engine.repose(PERSON, path)
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(ImageError, match=r"text\.jpg"):
        engine.repose(tmp_path / "text.jpg", PRESET)
    with pytest.raises(ImageError, match="does not exist"):
        engine.repose(tmp_path / "absent.jpg", PRESET)


@pytest.mark.parametrize("person", [9, 0, -1])
def test_people_who_are_not_there_are_refused(engine: Engine, person: int) -> None:
    with pytest.raises(NoPersonFound, match=f"no person {person}"):
        engine.repose(PERSON, PRESET, person=person)


def test_one_of_two_people_can_be_chosen(engine: Engine) -> None:
    with Image.open(PERSON) as image:
        first = image.convert("RGB")
    with Image.open(EXAMPLES / "person_2.jpg") as image:
        second = image.convert("RGB").resize((first.width * 2 // 3, first.height * 2 // 3))
    both = Image.new("RGB", (first.width * 2, first.height), first.getpixel((2, 2)))
    both.paste(first, (0, 0))
    both.paste(second, (first.width, first.height - second.height))
    people = engine.estimator.find(np.asarray(both), max_people=3)
    if len(people) != 2:
        pytest.skip("the detector does not see exactly two people here")
    largest = engine.repose(both, PRESET, size=200)
    assert any("2 people found" in w for w in largest.warnings)
    chosen = engine.repose(both, PRESET, size=200, person=2)
    assert not any("people found" in w for w in chosen.warnings)
    assert chosen.pose.keypoints[:, 0].mean() > largest.pose.keypoints[:, 0].mean()


# -- samples ---------------------------------------------------------------------------------


def test_samples_repeat_by_seed_and_differ_from_each_other(engine: Engine) -> None:
    one, two = (engine.sample(PRESET, 3, seed=5, size=160) for _ in range(2))
    other = engine.sample(PRESET, 3, seed=6, size=160)
    assert len(one) == 3
    for a, b, c in zip(one, two, other, strict=True):
        check(a, a.image.shape[:2])
        assert max(a.image.shape[:2]) == 160
        np.testing.assert_array_equal(a.image, b.image)
        assert (a.image != c.image).any()
        np.testing.assert_array_equal(a.invented, a.mask)
        assert a.seed == 5
    assert (one[0].image != one[1].image).any()


def test_temperature_nought_is_one_person(engine: Engine) -> None:
    people = engine.sample(PRESET, 2, temperature=0.0, size=128)
    assert np.abs(people[0].image.astype(int) - people[1].image).max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"n": 0},
        {"n": 1000},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"size": 3},
        {"seed": 2**70},
    ],
)
def test_impossible_samples_are_refused(engine: Engine, options: dict[str, object]) -> None:
    with pytest.raises(EngineError):
        engine.sample(PRESET, **options)  # type: ignore[arg-type]


# -- loading ---------------------------------------------------------------------------------


def test_unknown_weights_and_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nobody"):
        Engine.load("nobody")
    with pytest.raises(WeightsError):
        Engine.load(tmp_path)


def test_network_without_texture_path_reposes(engine: Engine, tmp_path: Path) -> None:
    config = dataclasses.replace(TRAINING["tiny"].model, texture=False)
    torch.manual_seed(0)
    other = Engine(Reposer(config).eval(), "0" * 64, torch.device("cpu"))
    other.__dict__["estimator"] = engine.estimator
    result = other.repose(PERSON, PRESET, size=160)
    check(result, result.image.shape[:2])
    np.testing.assert_array_equal(result.invented, result.mask)


def test_two_threads_share_an_engine(engine: Engine) -> None:
    alone = [engine.repose(PERSON, p, size=128).image for p in sorted(PRESETS)[:2]]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(engine.repose, PERSON, p, size=128) for p in sorted(PRESETS)[:2]]
        for job, expected in zip(jobs, alone, strict=True):
            np.testing.assert_array_equal(job.result().image, expected)


# -- prepared photos -------------------------------------------------------------------------


def test_a_prepared_photo_gives_what_the_photo_gives(engine: Engine, whole: Result) -> None:
    prepared = engine.prepare(PERSON)
    for _ in range(2):  # also the second time, with the ground filled already
        result = engine.repose(prepared, PRESET)
        assert np.array_equal(result.image, whole.image)
        assert result.warnings == whole.warnings


def test_a_prepared_photo_is_reduced_for_previews(engine: Engine) -> None:
    height, width = size_of(PERSON)
    prepared = engine.prepare(PERSON, size=height // 2)
    result = engine.repose(prepared, prepared.subject.pose)
    check(result, (height // 2, round(width / 2)))
    assert engine.prepare(PERSON, size=4000).subject.image.shape[0] == height
    with pytest.raises(EngineError, match="size must be"):
        engine.prepare(PERSON, size=3)


def test_the_person_of_several_is_chosen_when_preparing(
    engine: Engine, half_body: np.ndarray
) -> None:
    with pytest.raises(NoPersonFound):
        engine.prepare(half_body, person=3)
    mixed = engine.mix(engine.prepare(PERSON), {"top": engine.prepare(half_body)})
    check(mixed, size_of(PERSON))


# -- heads that turn ---------------------------------------------------------------------------


def nose_of(result: Result, values: np.ndarray) -> np.ndarray:
    """Values about the nose."""
    x, y = np.rint(result.pose.point("nose")).astype(int)
    return values[y - 2 : y + 3, x - 2 : x + 3]


@pytest.mark.slow
def test_a_face_is_turned_with_its_own_pixels_and_looked_for_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = engine.prepare(EXAMPLES / "person_1.jpg")
    seen = []
    find = engine.face_finder.find
    monkeypatch.setattr(engine.face_finder, "find", lambda image: seen.append(1) or find(image))
    turned = engine.repose(person, "three_quarter_left")
    again = engine.repose(person, "three_quarter_right")
    assert len(seen) == 1
    for result in (turned, again):
        assert nose_of(result, result.invented).mean() < 128
    found = find(turned.image)
    assert found
    assert np.linalg.norm(found[0].points[1, :2] - turned.pose.point("nose")) < 15


@pytest.mark.slow
def test_a_head_that_has_not_turned_is_not_looked_at(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_image: np.ndarray) -> list[object]:
        raise AssertionError("no face is needed")

    monkeypatch.setattr(engine.face_finder, "find", never)
    engine.repose(engine.prepare(EXAMPLES / "person_1.jpg"), "arms_up")


@pytest.mark.slow
def test_backs_of_examples_show_no_face_and_profiles_do() -> None:
    engine = Engine.load("person")
    for number in (1, 2):
        profile = engine.repose(EXAMPLES / f"person_{number}.jpg", "three_quarter_left")
        assert engine.face_finder.find(profile.image)
        back = engine.repose(EXAMPLES / f"person_{number}.jpg", "back_view")
        x, y = np.rint(back.pose.keypoints[:5].mean(0)).astype(int)
        found = engine.face_finder.find(
            back.image[max(0, y - 150) : y + 150, max(0, x - 150) : x + 150]
        )
        assert not found


# -- what is carried -------------------------------------------------------------------------

GREEN = (10, 240, 20)


@pytest.fixture(scope="module")
def with_bag(engine: Engine) -> Prepared:
    """The example person with a green square in the left hand."""
    found = engine.prepare(PERSON)
    image, mask = found.subject.image.copy(), found.subject.mask.copy()
    x, y = np.rint(found.subject.pose.point("left_wrist")).astype(int)
    half = round(0.12 * body_scale(found.subject.pose))
    left, top = x - half, y + half // 2
    bag = Bag(left, top, np.ones((2 * half, 2 * half), np.float32), "left_wrist", 0.0)
    image[bag.inside], mask[bag.inside] = GREEN, 1
    places = np.zeros_like(mask)
    places[bag.inside] = 1
    whole = replace(found.subject, image=image, mask=mask)
    bare = replace(whole, mask=mask * (1 - places))
    return Prepared(whole, (), Unburdened(bare, (bag,), places))


def greens(image: np.ndarray) -> np.ndarray:
    return np.abs(image[..., :3].astype(int) - GREEN).sum(2) < 30


def where_it_hangs(prepared: Prepared, result: Result) -> tuple[slice, slice]:
    """The middle of a bag in a result, by its hand."""
    assert prepared.unburdened is not None
    (bag,) = prepared.unburdened.bags
    own = prepared.subject.pose
    middle = np.array([bag.left, bag.top]) + np.array(bag.alpha.shape) / 2
    scale = body_scale(result.pose) / body_scale(own)
    x, y = np.rint(
        result.pose.point("left_wrist") + scale * (middle - own.point("left_wrist"))
    ).astype(int)
    r = round(0.06 * body_scale(result.pose))
    return slice(y - r, y + r), slice(x - r, x + r)


@pytest.mark.parametrize(
    "options",
    [{}, {"size": 300}, {"background": "transparent"}, {"frame": "pose", "background": "plain"}],
)
def test_a_bag_is_beside_its_hand_once(
    engine: Engine, with_bag: Prepared, options: dict[str, object]
) -> None:
    result = engine.repose(with_bag, "hands_on_hips", **options)  # pyright: ignore[reportArgumentType]
    there = where_it_hangs(with_bag, result)
    assert greens(result.image)[there].all()
    assert (result.mask[there] == 255).all()
    assert (result.invented[there] == 0).all()
    assert with_bag.unburdened is not None
    (bag,) = with_bag.unburdened.bags
    scale = body_scale(result.pose) / body_scale(with_bag.subject.pose)
    assert greens(result.image).sum() < 1.3 * bag.alpha.size * scale**2


@pytest.mark.parametrize("options", [{}, {"size": 300}, {"frame": "pose"}])
def test_who_stands_as_before_keeps_bag_and_picture(
    engine: Engine, with_bag: Prepared, options: dict[str, object]
) -> None:
    own = with_bag.subject.pose
    plain = replace(with_bag, unburdened=None)
    results = [
        engine.repose(given, own, **options).image  # pyright: ignore[reportArgumentType]
        for given in (with_bag, plain)
    ]
    # the ground is filled round the bag, too, which the person hides
    assert np.abs(results[0].astype(int) - results[1]).max() < 40
    assert (greens(results[0]) == greens(results[1])).mean() > 0.999


def test_a_bag_that_is_left_out_is_told(engine: Engine, with_bag: Prepared) -> None:
    result = engine.repose(with_bag, "arms_up")
    assert "A bag is left out: its arm goes up." in result.warnings
    assert greens(result.image).mean() < 1e-4


def test_others_lend_their_looks_and_not_their_bags(engine: Engine, with_bag: Prepared) -> None:
    results = [
        engine.repose(PERSON, "hands_on_hips", also=[with_bag]),
        engine.mix(PERSON, {"top": with_bag, "bottom": with_bag}, "hands_on_hips"),
    ]
    for result in results:
        assert not greens(result.image).any()


def test_a_base_keeps_its_bag_in_a_mix(engine: Engine, with_bag: Prepared) -> None:
    result = engine.mix(with_bag, {"top": PERSON}, "hands_on_hips")
    assert greens(result.image)[where_it_hangs(with_bag, result)].all()


def test_engines_that_draw_at_once_give_their_core_back() -> None:
    """Contexts that overlap and do not nest, as of two engines in two threads."""
    from vunet.engine import _one_core_left

    def counts() -> tuple[int, int]:
        return torch.get_num_threads(), cv2.getNumThreads()

    before = counts()
    torch.set_num_threads(4)
    cv2.setNumThreads(4)
    try:
        with ThreadPoolExecutor(1) as a, ThreadPoolExecutor(1) as b:
            for _ in range(3):
                one, other = _one_core_left(), _one_core_left()
                a.submit(one.__enter__).result()
                assert a.submit(counts).result() == (3, 3)
                b.submit(other.__enter__).result()
                assert b.submit(counts).result() == (3, 3)
                a.submit(one.__exit__, None, None, None).result()
                assert a.submit(counts).result() == (4, 3)
                b.submit(other.__exit__, None, None, None).result()
                assert b.submit(counts).result() == (4, 4)
            assert a.submit(counts).result() == (4, 4)
        with ThreadPoolExecutor(1) as new:
            assert new.submit(counts).result() == (4, 4)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
