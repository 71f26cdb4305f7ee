"""What may be given as a pose, and where the person of a photo takes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pose import BODY27, Pose
from pose.complete import INFERRED_CONFIDENCE
from pose.formats import PoseFileError, dump_poses
from pose.presets import PRESETS
from pose.retarget import body_scale
from pose.stick import draw_controlnet
from pose.types import NoPersonFound
from vunet.images import ImageError
from vunet.poses import SMALLEST_SHRINK, place_on_photo, resolve_pose

FEET = [15, 16, 23, 24, 25, 26]
MakePerson = Callable[..., Pose]


class NoDetector:
    """Stands where the detector must not be asked."""

    def find(self, image: np.ndarray, max_people: int = 1) -> list:
        raise AssertionError("the detector was asked")


class Nobody:
    """A detector that finds nobody."""

    def find(self, image: np.ndarray, max_people: int = 1) -> list:
        return []


def resolved(given: object, person: int | None = None, estimator: object = None):
    return resolve_pose(given, person=person, estimator=estimator or NoDetector())  # type: ignore[arg-type]


# -- what may be given -----------------------------------------------------------------------


def test_pose_objects_pass_whole(make_person: MakePerson) -> None:
    pose = make_person(3)
    found = resolved(pose)
    assert found.pose == pose
    assert (found.kind, found.image, found.warnings) == ("pose", None, ())


def test_missing_joints_are_guessed_and_told(make_person: MakePerson) -> None:
    pose = make_person(3)
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    keypoints[9], confidence[9] = np.nan, 0
    found = resolved(Pose(BODY27, keypoints, confidence, None))
    assert found.pose.present.all()
    assert found.pose.confidence[9] == INFERRED_CONFIDENCE
    assert len(found.warnings) == 1
    assert "left wrist" in found.warnings[0]
    assert found.pose.size is not None
    height, width = found.pose.size
    assert (found.pose.keypoints >= 0).all()
    assert (found.pose.keypoints <= [width, height]).all()


@pytest.mark.parametrize("shift", [-3000.0, 0.0, 20000.0])
def test_poses_without_a_size_get_one_that_holds_them(
    make_person: MakePerson, shift: float
) -> None:
    pose = make_person(3).transformed(np.array([[1, 0, shift], [0, 1, shift]]), None)
    found = resolved(pose).pose
    assert found.size is not None
    assert max(found.size) <= 8200
    assert (found.keypoints >= 0).all()
    assert (found.keypoints <= found.size[::-1]).all()
    assert body_scale(found) == pytest.approx(body_scale(pose), rel=1e-6)


def test_presets_by_name() -> None:
    name = sorted(PRESETS)[0]
    found = resolved(name)
    assert found.kind == "preset"
    assert found.pose == PRESETS[name]
    loose = next(n for n in PRESETS if "_" in n)
    assert resolved(loose.replace("_", "-").upper()).pose == PRESETS[loose]


def test_misspelt_presets_get_suggestions() -> None:
    name = max(PRESETS, key=len)
    with pytest.raises(ValueError, match=name) as caught:
        resolved(name[:-1])
    assert "did you mean" in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", "a" * 300, "a" * 5000, "nul\0byte", "no/such/folder"])
def test_impossible_names_are_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - several kinds of them
        resolved(name, estimator=Nobody())
    assert not isinstance(caught.value, UnicodeError)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


def test_pose_files_take_the_largest_or_the_chosen_person(
    tmp_path: Path, make_person: MakePerson
) -> None:
    small, large = make_person(1, size=(400, 400), fill=0.4), make_person(2, size=(400, 400))
    path = tmp_path / "two é people.json"
    path.write_text(dump_poses([small, large], "native"))
    found = resolved(path)
    assert found.kind == "file"
    np.testing.assert_allclose(found.pose.keypoints, large.keypoints, atol=1e-2)
    assert "2 people" in found.warnings[0]
    chosen = resolved(str(path), person=2)
    np.testing.assert_allclose(chosen.pose.keypoints, small.keypoints, atol=1e-2)
    assert chosen.warnings == ()
    for number in (0, 3, -1):
        with pytest.raises(NoPersonFound, match="2 found"):
            resolved(path, person=number)


@pytest.mark.parametrize(
    "content", ['{"people": []}', "[]", "hello", '{"people": [{"pose_keypoints_2d": []}]}']
)
def test_files_without_people_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "none.json"
    path.write_text(content)
    with pytest.raises(PoseFileError, match=r"none\.json"):
        resolved(path)


def test_a_file_with_too_little_of_a_person_is_refused_by_name(tmp_path: Path) -> None:
    points = [0.0] * 54
    points[0:3] = [100, 100, 1]
    path = tmp_path / "nose.json"
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": points}]}))
    with pytest.raises(PoseFileError, match=r"nose\.json") as caught:
        resolved(path)
    assert "too little" in str(caught.value)


@pytest.mark.parametrize("form", ["path", "array", "pil"])
def test_stick_pictures_are_read_without_a_detector(
    tmp_path: Path, make_person: MakePerson, form: str
) -> None:
    pose = make_person(size=(512, 384))
    drawing = draw_controlnet(pose, (512, 384))
    picture = Image.fromarray(drawing)
    picture.save(tmp_path / "stick.png")
    given_as = {"path": tmp_path / "stick.png", "array": drawing, "pil": picture}[form]
    found = resolved(given_as)
    assert found.kind == "stick"
    assert found.image is None
    assert found.pose.size == (512, 384)
    np.testing.assert_allclose(found.pose.keypoints[:17], pose.keypoints[:17], atol=2)


def test_pictures_without_people_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a wall.png"
    Image.fromarray(np.full((80, 90, 3), 130, np.uint8)).save(path)
    with pytest.raises(NoPersonFound, match=r"a wall\.png: no person found"):
        resolved(path, estimator=Nobody())
    path.write_text("no picture")
    with pytest.raises(ImageError, match=r"a wall\.png"):
        resolved(path)


# -- placing ---------------------------------------------------------------------------------


def fits(pose: Pose, canvas: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = pose.box()
    return x0 >= 0 and y0 >= 0 and x1 <= canvas[1] and y1 <= canvas[0]


@settings(max_examples=25)
@given(pose=st.integers(0, 999), subject=st.integers(0, 999), keep=st.booleans())
def test_feet_stand_on_the_same_ground_at_the_subjects_size(
    make_person: MakePerson, pose: int, subject: int, keep: bool
) -> None:
    canvas = (600, 800)
    person = make_person(subject, size=(600, 800), fill=0.6)
    given_pose = make_person(pose, size=(300, 200))
    placed, warnings = place_on_photo(given_pose, person, keep_limbs=keep, canvas=canvas)
    assert placed.size == canvas
    ground = min(person.keypoints[FEET, 1].max(), canvas[0] - 1)
    if any("smaller" in w for w in warnings):
        assert body_scale(placed) < body_scale(person)
    else:
        assert body_scale(placed) == pytest.approx(body_scale(person), rel=1e-3)
    assert placed.keypoints[FEET, 1].max() == pytest.approx(ground, abs=0.5)
    if not keep:  # nothing but size and place has changed
        moved = (placed.keypoints - placed.keypoints[0]) / body_scale(placed)
        old = (given_pose.keypoints - given_pose.keypoints[0]) / body_scale(given_pose)
        np.testing.assert_allclose(moved, old, atol=1e-6)


def test_same_pose_stays_where_it_is(make_person: MakePerson) -> None:
    for seed in range(4):
        person = make_person(seed, size=(500, 400), fill=0.8)
        placed, warnings = place_on_photo(person, person, keep_limbs=True, canvas=(500, 400))
        np.testing.assert_allclose(placed.keypoints, person.keypoints, atol=0.5)
        assert warnings == ()


def arms_up(pose: Pose) -> Pose:
    """The same person with arms stretched upwards."""
    points = pose.keypoints.copy()
    for shoulder, arm in ((5, [7, 9, 17, 19, 21]), (6, [8, 10, 18, 20, 22])):
        points[arm, 1] = 2 * points[shoulder, 1] - points[arm, 1]
    return Pose(BODY27, points, pose.confidence, pose.size)


def test_own_pose_stays_where_it_is_even_at_the_border(make_person: MakePerson) -> None:
    """Toes below the photo and a hand at its edge are no reason to move the person."""
    person = make_person(1, size=(500, 400), fill=0.9)
    x, y = person.keypoints.T
    move = np.array([[1, 0, 2 - x.min()], [0, 1, 509 - y.max()]])
    edge = person.transformed(move, (500, 400))
    placed, warnings = place_on_photo(edge, edge, keep_limbs=True, canvas=(500, 400))
    np.testing.assert_allclose(placed.keypoints, edge.keypoints, atol=0.2)
    assert warnings == ()
    index = edge.skeleton.index["right_wrist"]
    points = edge.keypoints.copy()
    points[index] += [3, -30]
    bent = dataclasses.replace(edge, keypoints=points)
    placed, _ = place_on_photo(bent, edge, keep_limbs=False, canvas=(500, 400))
    np.testing.assert_allclose(placed.keypoints, points)


def test_somebody_with_legs_in_the_air_stands_up_where_they_lie(make_person: MakePerson) -> None:
    """Not where their feet are, which may be at the photo's upper edge."""
    person = make_person(1, size=(500, 400), fill=0.5)
    over = person.transformed(np.array([[1, 0, 0.0], [0, -1, 480.0]]), (500, 400))
    placed, _ = place_on_photo(person, over, keep_limbs=False, canvas=(500, 400))
    ground = over.keypoints[:, 1].max()
    assert placed.keypoints[FEET, 1].max() == pytest.approx(ground, abs=1)


def test_too_tall_poses_shrink_with_a_warning(make_person: MakePerson) -> None:
    canvas = (500, 400)
    person = make_person(size=canvas, fill=0.97)
    placed, warnings = place_on_photo(arms_up(person), person, keep_limbs=True, canvas=canvas)
    assert any("smaller" in w for w in warnings)
    assert fits(placed, canvas)
    ratio = body_scale(placed) / body_scale(person)
    assert SMALLEST_SHRINK <= ratio < 0.98
    ground = person.keypoints[FEET, 1].max()
    assert placed.keypoints[FEET, 1].max() == pytest.approx(ground, abs=0.5)


def test_figures_that_fit_are_slid_into_the_picture(make_person: MakePerson) -> None:
    canvas = (500, 400)
    person = make_person(size=canvas, fill=0.6)
    at_border = person.transformed(np.array([[1, 0, 150.0], [0, 1, 0]]), canvas)
    wide = arms_up(person)
    points = wide.keypoints.copy()
    points[[7, 9, 17, 19, 21], 1] = points[5, 1]
    points[[7, 9, 17, 19, 21], 0] = points[5, 0] + np.array([40, 80, 95, 95, 90])
    wide = Pose(BODY27, points, wide.confidence, canvas)
    placed, _ = place_on_photo(wide, at_border, keep_limbs=False, canvas=canvas)
    assert fits(placed, canvas)
    assert body_scale(placed) == pytest.approx(body_scale(at_border), rel=0.01)


def test_upside_down_poses_stand_on_their_hands(make_person: MakePerson) -> None:
    """In a handstand the hands are on the ground; feet there would bury the body."""
    canvas = (500, 400)
    person = make_person(size=canvas, fill=0.6)
    up = arms_up(person)
    turned = up.transformed(np.array([[-1.0, 0, 400], [0, -1.0, 500]]), canvas)
    placed, warnings = place_on_photo(turned, person, keep_limbs=False, canvas=canvas)
    ground = person.keypoints[FEET, 1].max()
    assert placed.keypoints[:, 1].max() == pytest.approx(ground, abs=15)
    assert not any("outside" in w for w in warnings)


def test_half_body_photos_keep_their_shoulders(make_person: MakePerson) -> None:
    """Without feet in the photo, the shoulders stay in place and nothing is shrunk."""
    canvas = (300, 400)
    person = make_person(size=(600, 400), fill=0.95)
    confidence = person.confidence.copy()
    confidence[person.keypoints[:, 1] > 300] = 0.1
    person = Pose(BODY27, person.keypoints, confidence, canvas)
    target = make_person(7, size=(300, 200))
    placed, warnings = place_on_photo(target, person, keep_limbs=False, canvas=canvas)
    assert body_scale(placed) == pytest.approx(body_scale(person), rel=0.02)
    np.testing.assert_allclose(
        placed.keypoints[5:7].mean(0), person.keypoints[5:7].mean(0), atol=0.5
    )
    assert not any("smaller" in w for w in warnings)
    assert any("outside the picture" in w and "leg" in w for w in warnings)


def test_retargeting_keeps_the_subjects_limbs(make_person: MakePerson) -> None:
    canvas = (800, 800)
    person = make_person(size=canvas, fill=0.5)
    points = person.keypoints.copy()
    for hip, knee, rest in ((11, 13, [15, 23, 25]), (12, 14, [16, 24, 26])):
        longer = 0.2 * (points[knee] - points[hip])
        points[[knee, *rest]] += longer
    long_legged = Pose(BODY27, points, person.confidence, canvas)
    target = make_person(7, size=(300, 200))

    def share(p: Pose) -> float:
        thigh = np.linalg.norm(p.keypoints[13] - p.keypoints[11])
        return float(thigh / np.linalg.norm(p.keypoints[15] - p.keypoints[13]))

    kept, _ = place_on_photo(target, long_legged, keep_limbs=True, canvas=canvas)
    plain, _ = place_on_photo(target, long_legged, keep_limbs=False, canvas=canvas)
    assert share(kept) == pytest.approx(share(long_legged), rel=0.02)
    assert share(plain) == pytest.approx(share(target), rel=1e-6)


def test_a_stick_figure_drawn_by_hand_is_a_pose() -> None:
    from pose.estimator import PoseEstimator

    paper = np.full((480, 360, 3), 250, np.uint8)
    cv2.circle(paper, (180, 80), 34, (20, 20, 20), 6)
    lines = [(180, 114, 182, 270), (181, 150, 90, 100), (90, 100, 60, 40), (181, 150, 260, 190)]
    lines += [(260, 190, 230, 260), (182, 270, 130, 360), (130, 360, 120, 450)]
    lines += [(182, 270, 250, 350), (250, 350, 260, 450)]
    for x0, y0, x1, y1 in lines:
        cv2.line(paper, (x0, y0), (x1, y1), (20, 20, 20), 6)
    found = resolve_pose(paper, person=None, estimator=PoseEstimator())
    assert any("face the viewer" in sentence for sentence in found.warnings)
    for name, place in (("right_wrist", (60, 40)), ("left_elbow", (260, 190))):
        assert np.linalg.norm(found.pose.point(name) - place) < 15
