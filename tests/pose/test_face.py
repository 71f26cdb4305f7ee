"""Faces found in pictures: where they are, however the picture lies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.face import CHIN, FOREHEAD, LEFT_IRIS, NOSE_TIP, POINTS, RIGHT_IRIS, FaceFinder
from vunet.images import read_image

pytest.importorskip("mediapipe")


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def photo(root: Path) -> np.ndarray:
    """A bundled person's upper half."""
    return read_image(root / "apps/examples/person_3.jpg")[:512]


def test_a_face_is_upright_in_its_picture(finder: FaceFinder, photo: np.ndarray) -> None:
    (face,) = finder.find(photo)
    points = face.points
    assert points.shape == (POINTS, 3)
    assert points.dtype == np.float32
    assert (points[:, :2] > 0).all()
    assert (points[:, :2] < photo.shape[1::-1]).all()
    (right, left), nose = face.eyes, points[NOSE_TIP]
    assert right[0] < nose[0] < left[0]
    assert points[FOREHEAD, 1] < right[1] < nose[1] < points[CHIN, 1]
    assert face.eye_distance == pytest.approx(np.hypot(*(left - right)))
    assert nose[2] < points[CHIN, 2] + face.eye_distance, "smaller is nearer"
    for eye, iris in ((right, RIGHT_IRIS), (left, LEFT_IRIS)):
        middle, rim = points[iris][0, :2], points[iris][1:, :2]
        assert np.linalg.norm(middle - eye) < 0.2 * face.eye_distance
        np.testing.assert_allclose(rim.mean(0), middle, atol=0.03 * face.eye_distance)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_picture_of_another_size_has_the_same_face(
    finder: FaceFinder, photo: np.ndarray, scale: float
) -> None:
    (one,) = finder.find(photo)
    resized = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (other,) = finder.find(resized)
    off = np.linalg.norm(other.points[:, :2] / scale - one.points[:, :2], axis=1)
    assert off.mean() < 0.06 * one.eye_distance


def test_a_mirrored_picture_has_the_mirrored_face(finder: FaceFinder, photo: np.ndarray) -> None:
    (one,) = finder.find(photo)
    (other,) = finder.find(np.ascontiguousarray(photo[:, ::-1]))
    back = other.eyes[::-1] * [-1, 1] + [photo.shape[1], 0]
    assert np.linalg.norm(back - one.eyes, axis=1).max() < 0.12 * one.eye_distance
    chin = other.points[CHIN, :2] * [-1, 1] + [photo.shape[1], 0]
    assert np.linalg.norm(chin - one.points[CHIN, :2]) < 0.2 * one.eye_distance


def test_a_close_face_is_found_and_lies_where_it_was_cut(
    finder: FaceFinder, photo: np.ndarray
) -> None:
    """So close that the detector needs room around it."""
    (one,) = finder.find(photo)
    low, high = one.points[:, :2].min(0), one.points[:, :2].max(0)
    x0, y0 = np.floor(low).astype(int)
    x1, y1 = np.ceil(high).astype(int)
    (close,) = finder.find(np.ascontiguousarray(photo[y0:y1, x0:x1]))
    off = np.linalg.norm(close.points[:, :2] + (x0, y0) - one.points[:, :2], axis=1)
    assert off.mean() < 0.12 * one.eye_distance


def test_the_largest_face_comes_first(finder: FaceFinder, photo: np.ndarray) -> None:
    (one,) = finder.find(photo)
    x, y = one.points[NOSE_TIP, :2].astype(int)
    half = round(2.2 * one.eye_distance)
    head = photo[max(0, y - half) : y + half, max(0, x - half) : x + half]
    small = cv2.resize(head, (200, 200), interpolation=cv2.INTER_AREA)
    large = cv2.resize(head, (400, 400), interpolation=cv2.INTER_CUBIC)
    sheet = np.full((460, 760, 3), 200, np.uint8)
    sheet[130:330, 40:240] = small
    sheet[30:430, 320:720] = large
    faces = finder.find(sheet)
    assert len(faces) == 2
    assert faces[0].points[NOSE_TIP, 0] > 320 > faces[1].points[NOSE_TIP, 0]
    ratio = faces[0].eye_distance / faces[1].eye_distance
    assert ratio == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("size", [(16, 16), (200, 300), (16, 900)])
def test_where_nobody_is_nobody_is_found(
    finder: FaceFinder, grey: int, size: tuple[int, int]
) -> None:
    assert finder.find(np.full((*size, 3), grey, np.uint8)) == []


def test_people_are_told_from_ground(finder: FaceFinder, photo: np.ndarray) -> None:
    mask = finder.person(photo)
    assert mask.shape == photo.shape[:2]
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 255}
    (face,) = finder.find(photo)
    x, y = np.rint(face.points[NOSE_TIP, :2]).astype(int)
    assert mask[y, x] == 255
    assert mask[:20, :20].mean() < 128


@pytest.mark.parametrize(
    "wrong", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))]
)
def test_other_arrays_are_refused(finder: FaceFinder, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"image must be \(H, W, 3\) uint8"):
        finder.find(wrong)


def test_faces_of_people_who_stand_far_off_are_found(finder: FaceFinder, root: Path) -> None:
    """In whole figures, where MediaPipe's pose estimator, asked separately, sees the eyes."""
    from pose.estimator import PoseEstimator

    for name in ("person_1", "pose_dance"):
        image = read_image(root / f"apps/examples/{name}.jpg")
        (face, *_) = finder.find(image)
        assert face.eye_distance < 40
        pose = PoseEstimator().find(image)[0].pose
        eyes = np.array([pose.point("right_eye"), pose.point("left_eye")])
        assert np.abs(face.eyes - eyes).max() < 0.5 * face.eye_distance
