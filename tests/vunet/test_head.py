"""Faces turned in space, on a head whose shape is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from pose import Pose
from pose.face import CHIN, FOREHEAD, NOSE_TIP
from vunet import head
from vunet.hair import frame_of
from vunet.render import Layer

SIZE = (400, 300)
CENTRE = np.array([150.0, 90.0, 0.0])
WIDE, TALL, DEEP = 26.0, 36.0, 28.0
"""Half axes of the head; its front half is the mesh."""
RED, BLUE, GROUND = (220, 40, 40), (40, 40, 220), (90, 150, 90)
_PLACES = {
    NOSE_TIP: (0.0, 0.12),
    FOREHEAD: (0.0, -0.98),
    CHIN: (0.0, 0.98),
    454: (0.99, 0.0),
    234: (-0.99, 0.0),
    263: (0.6, -0.2),
    362: (0.3, -0.2),
    33: (-0.6, -0.2),
    133: (-0.3, -0.2),
}


def mesh_of(turn: float = 0.0) -> np.ndarray:
    """(478, 3) the front of an ellipsoid, turned by degrees about the upright axis."""
    rng = np.random.default_rng(0)
    flat = np.zeros((478, 2))
    found = rng.uniform(-1, 1, (4000, 2))
    found = found[np.hypot(*found.T) < 1]
    flat[:] = found[:478]
    for index, place in _PLACES.items():
        flat[index] = place
    depth = -np.sqrt(np.maximum(0, 1 - (flat**2).sum(1)))
    points = np.column_stack([flat[:, 0] * WIDE, flat[:, 1] * TALL, depth * DEEP])
    return points @ Rotation.from_euler("y", turn, degrees=True).as_matrix().T + CENTRE


def five(mesh: np.ndarray) -> np.ndarray:
    """(5, 3) nose, eyes, ears; the ears as far back as `head` takes them to be."""
    wide = np.linalg.norm(mesh[454] - mesh[234])
    back = -frame_of(mesh).ahead * 0.18 * wide
    eyes = [mesh[[362, 263]].mean(0), mesh[[33, 133]].mean(0)]
    return np.stack([mesh[NOSE_TIP], *eyes, mesh[454] + back, mesh[234] + back])


@pytest.fixture
def body(make_person: Callable[..., Pose]) -> Pose:
    """Somebody whose shoulders are below the head."""
    return make_person(None, size=SIZE)


def posed(body: Pose, mesh: np.ndarray) -> Pose:
    keypoints = body.keypoints.copy()
    keypoints[:5] = five(mesh)[:, :2]
    return dataclasses.replace(body, keypoints=keypoints)


def photo_of(mesh: np.ndarray) -> np.ndarray:
    """The head's left half (of the picture) red, its right half blue."""
    flat = mesh_of()
    image = np.full((*SIZE, 3), GROUND, np.uint8)
    for point, frontal in zip(mesh[:468], flat[:468], strict=True):
        colour = RED if frontal[0] < CENTRE[0] else BLUE
        cv2.circle(image, (int(point[0]), int(point[1])), 5, colour, -1)
    return image


def drawn(alpha: float = 1.0, invented: float = 1.0) -> Layer:
    shape = np.ones(SIZE, np.float32)
    colour = np.full((*SIZE, 3), 128, np.float32)
    return Layer(colour, alpha * shape, alpha * invented * shape, 0 * shape)


def with_turned(
    layer: Layer, mesh: np.ndarray, source: Pose, target: Pose, seen: np.ndarray | None = None
) -> Layer:
    """What is drawn with the face of a photo; of it is found what is `seen`, or all."""
    person = np.zeros(SIZE, np.float32)  # no hair is looked for
    found = head.SeenFace(mesh if seen is None else seen)
    face = head.turned_face(photo_of(mesh), person, found, source, target, SIZE)
    return layer if face is None else head.with_face(layer, face)


def turned(body: Pose, before: float, after: float) -> Layer:
    source, target = mesh_of(before), mesh_of(after)
    return with_turned(drawn(), source, posed(body, source), posed(body, target))


@pytest.mark.parametrize("angle", [-80, -45, -20, 20, 45, 80])
def test_turns_are_recovered(body: Pose, angle: float) -> None:
    source = mesh_of()
    motion = head.motion_of(source, posed(body, source), posed(body, mesh_of(angle)))
    assert motion.out_of_plane == pytest.approx(abs(angle), abs=4)
    assert motion.scale == pytest.approx(1, abs=0.05)
    placed = motion(source)[:, :2]
    assert np.abs(placed - mesh_of(angle)[:, :2]).max() < 5


def test_moving_and_tilting_in_the_plane_is_no_turn(body: Pose) -> None:
    source = posed(body, mesh_of())
    matrix = cv2.getRotationMatrix2D((20, 300), 30, 1.7)
    moved = source.transformed(matrix, (900, 900))
    assert head.unlike(source, moved) < 1e-6
    assert head.unlike(source, posed(body, mesh_of(40))) > head.TURNED
    motion = head.motion_of(mesh_of(), source, moved)
    assert motion.out_of_plane < 2
    assert motion.scale == pytest.approx(1.7, rel=0.03)


def test_a_face_that_has_not_turned_is_left_alone(body: Pose) -> None:
    source = mesh_of()
    pose = posed(body, source)
    face, person = head.SeenFace(source), np.ones(SIZE, np.float32)
    assert head.turned_face(photo_of(source), person, face, pose, pose, SIZE) is None


def test_a_turned_face_is_the_photos_and_told_so(body: Pose) -> None:
    layer = turned(body, 0, 50)
    middle = mesh_of(50)[NOSE_TIP, :2].astype(int)
    left, right = layer.colour[middle[1], middle[0] - 4], layer.colour[middle[1], middle[0] + 6]
    assert left[0] > left[2] + 50
    assert right[2] > right[0] + 50
    assert layer.invented[middle[1], middle[0]] < 0.2
    far = layer.colour[350, 150]
    np.testing.assert_allclose(far, 128, atol=1)


def test_the_half_that_looked_away_is_the_other_half_mirrored_and_made_up(body: Pose) -> None:
    layer = turned(body, 60, -30)
    x, y = mesh_of(-30)[NOSE_TIP, :2].astype(int)
    hidden = layer.colour[y, x - 24]
    assert hidden[2] > hidden[0] + 50  # the red half looked away
    assert layer.invented[y, x - 24] > 0.5
    assert layer.invented[y, x + 4] < 0.2
    np.testing.assert_array_less(layer.invented, layer.alpha + 1e-5)


def test_hands_stay_before_a_face(body: Pose) -> None:
    source, target = mesh_of(), mesh_of(50)
    pose = posed(body, target)
    keypoints = pose.keypoints.copy()
    index = pose.skeleton.index
    keypoints[index["left_elbow"]] = target[NOSE_TIP, :2] + [60, 120]
    keypoints[index["left_wrist"]] = target[NOSE_TIP, :2] + [10, 16]
    keypoints[index["left_index"]] = target[NOSE_TIP, :2] + [-4, -6]
    raised = dataclasses.replace(pose, keypoints=keypoints)
    layers = [with_turned(drawn(1, 0), source, posed(body, source), p) for p in (pose, raised)]
    x, y = target[NOSE_TIP, :2].astype(int)
    off = [float(np.abs(layer.colour[y, x] - 128).max()) for layer in layers]
    assert off[0] > 60
    assert off[1] < 0.35 * off[0]


def test_faces_seen_from_behind_or_off_the_canvas_are_not_drawn(body: Pose) -> None:
    layer = turned(body, 0, 175)
    np.testing.assert_allclose(layer.colour, 128)
    source = mesh_of()
    away = posed(body, mesh_of(50)).transformed(np.array([[1, 0, 5000.0], [0, 1, 0]]), SIZE)
    layer = with_turned(drawn(), source, posed(body, source), away)
    np.testing.assert_allclose(layer.colour, 128)


def test_what_is_painted_before_a_profile_is_cut_off_but_not_what_is_copied(body: Pose) -> None:
    source, target = mesh_of(), mesh_of(75)
    ahead = 1 if frame_of(target).ahead[0] > 0 else -1
    nose = target[NOSE_TIP, :2]
    x, y = int(nose[0] + ahead * 14), int(nose[1])
    for invented, left in ((1.0, 0.3), (0.0, 1.0)):
        poses = (posed(body, source), posed(body, target))
        layer = with_turned(drawn(1.0, invented), source, *poses)
        assert layer.alpha[y, x] == pytest.approx(left, abs=0.3)


def test_the_face_of_a_pose_is_the_one_at_its_nose(body: Pose) -> None:
    own = mesh_of()
    pose = posed(body, own)
    other = own + np.array([90, 0, 0])
    found = head.its_face([other, own], pose)
    assert found is not None
    assert found.mesh is own
    assert head.its_face([other], pose) is None
    assert head.its_face([(own - CENTRE) * 0.1 + CENTRE], pose) is None
    assert head.its_face([], pose) is None


def test_a_mesh_without_extent_is_no_trouble(body: Pose) -> None:
    source = mesh_of()
    flat = source.copy()
    flat[:, 1] = flat[0, 1]
    poses = (posed(body, source), posed(body, mesh_of(50)))
    found = with_turned(drawn(), source, *poses, seen=flat)
    assert np.isfinite(found.colour).all()


def test_a_face_has_no_holes() -> None:
    cells = np.full((9, 9), -1)
    cells[1:8, 1:8] = 5
    cells[1:8, 4:8] = 7
    cells[4, 4] = cells[3, 2] = -1
    filled = head._without_holes(cells)
    assert filled[4, 4] in (5, 7)
    assert filled[3, 2] == 5
    there = cells >= 0
    np.testing.assert_array_equal(filled[there], cells[there])
    border = np.ones_like(there)
    border[1:8, 1:8] = False
    assert (filled[border] == -1).all()
    np.testing.assert_array_equal(head._without_holes(filled), filled)


def test_no_brow_of_another_face_stays_beside_a_turned_one(body: Pose) -> None:
    source, target = mesh_of(), mesh_of(50)
    layer = drawn()
    brow = (slice(84, 88), slice(110, 190))
    layer.colour[brow] = 20
    result = with_turned(layer, source, posed(body, source), posed(body, target))
    face = cv2.convexHull(np.rint(target[:468, :2]).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros(SIZE, np.uint8), face, 1)
    beside = np.zeros(SIZE, bool)
    beside[brow] = True
    beside &= (inside == 0) & (cv2.dilate(inside, np.ones((9, 9))) > 0)
    assert beside.sum() > 8
    assert np.median(result.colour[beside].mean(1)) > 60
    assert result.colour[86, 112].mean() < 45  # not so far away


@pytest.mark.parametrize("squeezed", [1.0, 0.02])
def test_values_between_corners_are_scipys(squeezed: float) -> None:
    """Slivers, whose middles lie far from their places, included."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-1, 1, (200, 2)) * [1, squeezed]
    values, places = rng.normal(size=(200, 3)), rng.uniform(-1.3, 1.3, (400, 2)) * [1, squeezed]
    mesh = Delaunay(points)
    triangles = mesh.simplices.copy()
    back = head.areas(*points[triangles].transpose(1, 0, 2)) < 0
    triangles[back] = triangles[back][:, ::-1]
    found = head._between(places, points, triangles, values)
    inside = LinearNDInterpolator(mesh, values)(places)
    beyond = NearestNDInterpolator(points, values)(places)
    off = np.isnan(inside[:, 0])
    assert off.any()
    assert not off.all()
    np.testing.assert_allclose(found[~off], inside[~off], atol=1e-6)
    np.testing.assert_array_equal(found[off], beyond[off])
