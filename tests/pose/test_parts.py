import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose import BODY27, COCO17, OPENPOSE18, Pose
from pose.convert import convert
from pose.parts import PARTS, crop_parts, part_quads
from pose.retarget import body_scale

seeds = st.integers(0, 2**31)
SWAPPED = [
    PARTS.index(p.replace("left_", "R_").replace("right_", "left_").replace("R_", "right_"))
    for p in PARTS
]


def _drop(pose, names):
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    gone = [pose.skeleton.index[name] for name in names]
    keypoints[gone], confidence[gone] = np.nan, 0
    return Pose(pose.skeleton, keypoints, confidence, pose.size)


def _inside(quad, points):
    hull = cv2.convexHull(quad.astype(np.float32))
    return all(cv2.pointPolygonTest(hull, tuple(map(float, p)), True) > -1e-3 for p in points)


def test_order_is_the_promised_one():
    promised = (
        *("head", "torso", "left_upper_arm", "right_upper_arm", "left_forearm", "right_forearm"),
        *("left_hand", "right_hand", "left_thigh", "right_thigh", "left_shin", "right_shin"),
        *("left_foot", "right_foot"),
    )
    assert promised == PARTS


@given(seed=seeds)
@settings(max_examples=50, deadline=None)
def test_boxes_hold_their_joints_and_are_not_mirrored(make_body, seed):
    pose = make_body(seed)
    quads = dict(zip(PARTS, part_quads(pose), strict=True))
    for side in ("left", "right"):
        for part, joints in {
            "upper_arm": ("shoulder", "elbow"),
            "forearm": ("elbow", "wrist"),
            "thigh": ("hip", "knee"),
            "shin": ("knee", "ankle"),
            "hand": ("wrist",),
            "foot": ("ankle", "heel", "foot_index"),
        }.items():
            quad = quads[f"{side}_{part}"]
            assert _inside(quad, [pose.point(f"{side}_{joint}") for joint in joints])
            top, bottom = quad[:2].mean(axis=0), quad[2:].mean(axis=0)
            first, last = (pose.point(f"{side}_{joint}") for joint in (joints[0], joints[-1]))
            assert np.hypot(*(top - first)) <= np.hypot(*(bottom - first)) + 1e-6
            across, down = quad[1] - quad[0], bottom - top
            assert across[0] * down[1] - across[1] * down[0] > 0
            assert len(joints) == 1 or np.dot(down, last - first) >= -1e-6
    assert _inside(quads["head"], [pose.point("nose")])
    # A torso seen from the side is a band, not a bow.
    assert cv2.isContourConvex(quads["torso"].astype(np.float32))
    assert cv2.contourArea(quads["torso"].astype(np.float32)) > 0.1 * body_scale(pose) ** 2


def test_paper_boxes_of_an_upright_person(make_body):
    names = ("right_shoulder", "left_shoulder", "left_hip", "right_hip")
    at = dict(zip(names, [(80, 100), (120, 100), (115, 160), (85, 160)], strict=True))
    at |= {"nose": (100, 75), "left_elbow": (120, 140), "left_wrist": (160, 140)}
    keypoints = np.array([at.get(n, (np.nan, np.nan)) for n in COCO17.keypoints])
    pose = Pose(COCO17, keypoints, (~np.isnan(keypoints[:, 0])).astype(float))
    quads = dict(zip(PARTS, part_quads(pose), strict=True))
    np.testing.assert_allclose(quads["torso"], [at[n] for n in names])
    np.testing.assert_allclose(quads["head"], [[75, 50], [125, 50], [125, 100], [75, 100]])
    np.testing.assert_allclose(
        quads["left_upper_arm"], [[110, 100], [130, 100], [130, 140], [110, 140]]
    )
    np.testing.assert_allclose(
        quads["left_forearm"], [[120, 150], [120, 130], [160, 130], [160, 150]]
    )
    assert np.isnan(quads["right_forearm"]).all()
    assert np.isnan(quads["left_shin"]).all()
    # Without a knee the thigh hangs down.
    np.testing.assert_allclose(quads["left_thigh"].mean(axis=0)[0], 115)
    assert quads["left_thigh"][2, 1] > 190


@given(seed=seeds, zoom=st.floats(0.2, 5), shift=st.tuples(*[st.floats(-300, 300)] * 2))
@settings(max_examples=50, deadline=None)
def test_equivariant(make_body, seed, zoom, shift):
    pose = make_body(seed)
    quads = part_quads(pose)
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    np.testing.assert_allclose(
        part_quads(pose.transformed(matrix, None)), zoom * quads + shift, atol=1e-6
    )
    mirrored = quads[SWAPPED][:, [1, 0, 3, 2]]
    mirrored[..., 0] = pose.size[1] - mirrored[..., 0]
    np.testing.assert_allclose(part_quads(pose.flipped()), mirrored, atol=1e-6)


@given(seed=seeds, missing=st.sets(st.sampled_from(BODY27.keypoints)))
@settings(max_examples=80, deadline=None)
def test_any_missing_joint_is_borne(make_body, seed, missing):
    pose = _drop(make_body(seed), missing)
    quads = part_quads(pose)
    assert quads.shape == (14, 4, 2)
    assert quads.dtype == np.float64
    broken = np.isnan(quads).any(axis=(1, 2))
    np.testing.assert_array_equal(broken, np.isnan(quads).all(axis=(1, 2)))
    assert not np.isinf(quads).any()
    crops = crop_parts(np.full((60, 50, 3), 200, np.uint8), pose, 8)
    assert (crops[broken] == 0).all()
    assert (crops[~broken] == 200).all()


def test_hands_and_feet_without_points_of_their_own(make_body):
    pose = make_body(3)
    bare = dict(zip(PARTS, part_quads(convert(pose, OPENPOSE18)), strict=True))
    full = dict(zip(PARTS, part_quads(pose), strict=True))
    for part in ("left_hand", "right_hand", "left_foot", "right_foot"):
        apart = np.hypot(*(bare[part].mean(axis=0) - full[part].mean(axis=0)))
        assert apart < 0.35 * np.hypot(*(pose.point("left_hip") - pose.point("left_shoulder")))


def test_crops_are_upright_whatever_the_pose():
    # A forearm pointing right: red at the elbow, blue at the wrist, white on the upper edge.
    image = np.zeros((100, 200, 3), np.uint8)
    image[40:60, 60:120, 0] = np.linspace(255, 0, 60)
    image[40:60, 60:120, 2] = np.linspace(0, 255, 60)
    image[35:42, 60:120] = 255
    at = {"left_elbow": (60, 50), "left_wrist": (120, 50)}
    at |= {"left_shoulder": (60, 0), "left_hip": (60, 90)}
    keypoints = np.array([at.get(n, (np.nan, np.nan)) for n in COCO17.keypoints])
    pose = Pose(COCO17, keypoints, (~np.isnan(keypoints[:, 0])).astype(float))
    crop = crop_parts(image, pose, 32)[PARTS.index("left_forearm")].astype(int)
    assert (crop[2:6, 10:16, 0] > 200).all()
    assert (crop[26:30, 10:16, 2] > 200).all()
    assert crop[16, 29].min() > 200  # the picture's upper edge is to the right of the way down
    assert crop[16, 2].max() < 250


def test_a_crop_of_the_whole_grid_is_the_grid():
    # A torso whose corners are those of an 8 x 8 picture is that picture: no shift by half pixels.
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    at = {
        "right_shoulder": (0, 0),
        "left_shoulder": (8, 0),
        "left_hip": (8, 8),
        "right_hip": (0, 8),
    }
    keypoints = np.array([at.get(n, (np.nan, np.nan)) for n in COCO17.keypoints])
    pose = Pose(COCO17, keypoints, (~np.isnan(keypoints[:, 0])).astype(float))
    crop = crop_parts(image, pose, 8)[PARTS.index("torso")].astype(int)
    assert np.abs(crop - image).max() <= 1


@pytest.mark.parametrize(
    "image",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3))],
    ids=["grey", "rgba", "float"],
)
def test_other_images_are_refused(make_body, image):
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        crop_parts(image, make_body(0), 8)
    with pytest.raises(ValueError, match="size"):
        crop_parts(np.zeros((5, 5, 3), np.uint8), make_body(0), 0)
