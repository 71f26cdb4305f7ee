from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose import BODY27, OPENPOSE18, SKELETONS, Pose
from pose.convert import convert
from pose.stick import CONTROLNET_LIMBS, draw_controlnet, draw_pose, read_controlnet

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "people"
LIMB_NUMBERS = (  # ControlNet's limbSeq, counted from 1
    *((2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8), (2, 9), (9, 10), (10, 11), (2, 12)),
    *((12, 13), (13, 14), (2, 1), (1, 15), (15, 17), (1, 16), (16, 18)),
)


def _jpeg(image, quality=90):
    code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])


def _shown(pose, size, radius=4.5):
    """Share of each dot that no later dot covers and that lies on the canvas."""
    top = np.full(size, -1)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    for i, (px, py) in enumerate(pose.keypoints):
        top[np.hypot(x - px, y - py) <= radius] = i
    return np.bincount(top[top >= 0], minlength=len(pose.skeleton)) / (np.pi * radius**2)


def _errors(read, pose):
    return np.hypot(*(read.keypoints - pose.keypoints).T)


def _drawn_by_others(pose, size):
    """The picture as ControlNet's tools draw it: whole pixels, OpenCV's ellipses and circles."""
    canvas = np.zeros((*size, 3), np.uint8)
    hues = [cv2.cvtColor(np.uint8([[[10 * i, 255, 255]]]), cv2.COLOR_HSV2RGB) for i in range(18)]
    colours = [tuple(int(c) for c in hue[0, 0]) for hue in hues]
    colours[16:] = [(255, 0, 170), (255, 0, 85)]
    for (a, b), colour in zip(LIMB_NUMBERS, colours[:17], strict=True):
        (xa, ya), (xb, yb) = pose.keypoints[a - 1], pose.keypoints[b - 1]
        angle = int(np.degrees(np.arctan2(ya - yb, xa - xb)))
        outline = cv2.ellipse2Poly(
            (int((xa + xb) / 2), int((ya + yb) / 2)),
            *((int(np.hypot(xa - xb, ya - yb) / 2), 4), angle, 0, 360, 1),
        )
        cv2.fillConvexPoly(canvas, outline, [int(c * 0.6) for c in colour])
    for (x, y), colour in zip(pose.keypoints, colours, strict=True):
        cv2.circle(canvas, (int(x), int(y)), 4, colour, -1)
    return canvas


def test_limbs_are_controlnets():
    index = OPENPOSE18.index
    assert [(index[a] + 1, index[b] + 1) for a, b in CONTROLNET_LIMBS] == list(LIMB_NUMBERS)


def test_colours_and_sizes():
    at = {"neck": (64, 30), "right_shoulder": (30, 30), "left_wrist": (100, 100)}
    points = np.array([at.get(n, (np.nan, np.nan)) for n in OPENPOSE18.keypoints])
    image = draw_controlnet(
        Pose(OPENPOSE18, points, (~np.isnan(points[:, 0])).astype(float)), (128, 128)
    )
    assert image.dtype == np.uint8
    assert image[30, 63].tolist() == [255, 85, 0]
    assert image[30, 30].tolist() == [255, 170, 0]
    assert image[100, 100].tolist() == [0, 255, 85]
    assert image[30, 47].tolist() == [153, 0, 0]  # first limb, first colour, 0.6
    assert (image[:, 47] > 0).any(axis=1).sum() in (8, 9)
    assert (image[100] > 0).any(axis=1).sum() in (8, 9)
    assert image[120].max() == 0


def test_the_picture_is_the_one_that_others_draw(make_body):
    for seed in range(5):
        pose = convert(make_body(seed), OPENPOSE18)
        ours, theirs = draw_controlnet(pose, (512, 384)), _drawn_by_others(pose, (512, 384))
        apart = np.abs(ours.astype(int) - theirs).max(axis=2)
        # Whole pixels, there, move outlines by up to one.
        assert np.mean((apart > 0)[theirs.max(axis=2) > 0]) < 0.3
        solid = cv2.erode((theirs.max(axis=2) == 255).astype(np.uint8), np.ones((5, 5))) > 0
        assert (apart[solid] == 0).mean() > 0.9


SIZES = st.tuples(st.integers(256, 1024), st.integers(256, 1024))


@given(seed=st.integers(0, 2**31), size=SIZES)
@settings(max_examples=15, deadline=None)
def test_reading_back(make_body, seed, size):
    pose = convert(make_body(seed, size), OPENPOSE18)
    image = draw_controlnet(pose, size)
    shown = _shown(pose, size)
    for picture, share in ((image, 0.5), (_jpeg(image), 0.7)):
        read = read_controlnet(picture)
        assert read is not None
        assert read.skeleton is OPENPOSE18
        assert read.size == size
        assert _errors(read, pose)[shown >= share].max() <= 2
    read = read_controlnet(image)
    assert read is not None
    assert not np.isnan(read.keypoints[shown > 0.5]).any()


def test_reading_what_others_draw(make_body):
    for seed in range(8):
        pose = convert(make_body(seed), OPENPOSE18)
        read = read_controlnet(_jpeg(_drawn_by_others(pose, (512, 384))))
        assert read is not None
        assert _errors(read, pose)[_shown(pose, (512, 384)) > 0.7].max() <= 2.5


@given(
    seed=st.integers(0, 2**31),
    missing=st.sets(st.sampled_from(OPENPOSE18.keypoints), max_size=12),
)
@settings(max_examples=25, deadline=None)
def test_missing_joints_stay_missing(make_body, seed, missing):
    pose = convert(make_body(seed), OPENPOSE18)
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    gone = [OPENPOSE18.index[name] for name in missing]
    keypoints[gone], confidence[gone] = np.nan, 0
    pose = Pose(OPENPOSE18, keypoints, confidence, pose.size)
    read = read_controlnet(draw_controlnet(pose, (512, 384)))
    assert read is not None
    assert np.isnan(read.keypoints[gone]).all()
    shown = _shown(pose, (512, 384)) > 0.5
    assert _errors(read, pose)[shown].max() <= 2


def test_a_hidden_dot_is_found_at_the_end_of_its_limb(make_body):
    pose = convert(make_body(1, max_yaw=0.1), OPENPOSE18)
    keypoints = pose.keypoints.copy()
    wrist, knee = OPENPOSE18.index["right_wrist"], OPENPOSE18.index["right_knee"]
    keypoints[wrist] = keypoints[knee] + [1, 0]  # the knee's dot is drawn later
    pose = Pose(OPENPOSE18, keypoints, pose.confidence, pose.size)
    read = read_controlnet(draw_controlnet(pose, (512, 384)))
    assert read is not None
    assert read.confidence[wrist] < 1
    assert _errors(read, pose)[wrist] < 6


@pytest.mark.parametrize("zoom", [0.75, 1.5, 2.0])
def test_scaled_pictures(make_body, zoom):
    pose = convert(make_body(2), OPENPOSE18)
    image = cv2.resize(draw_controlnet(pose, (512, 384)), None, fx=zoom, fy=zoom)
    read = read_controlnet(image)
    assert read is not None
    assert (_errors(read, pose.transformed(np.eye(2, 3) * zoom, None)) / zoom)[
        _shown(pose, (512, 384)) > 0.7
    ].max() <= 2


def test_of_two_people_the_larger_is_read(make_body):
    small = convert(make_body(3, (256, 200)), OPENPOSE18)
    large = convert(make_body(4, (600, 400)), OPENPOSE18)
    large = large.transformed(np.array([[1, 0, 260.0], [0, 1, 0]]), None)
    image = np.maximum(draw_controlnet(small, (600, 700)), draw_controlnet(large, (600, 700)))
    read = read_controlnet(image)
    assert read is not None
    found = ~np.isnan(read.keypoints[:, 0])
    assert found.sum() >= 12
    assert np.nanmax(_errors(read, large)) <= 2


def test_large_canvas(make_body):
    pose = convert(make_body(5, (2048, 1536)), OPENPOSE18)
    read = read_controlnet(draw_controlnet(pose, (2048, 1536)))
    assert read is not None
    assert _errors(read, pose)[_shown(pose, (2048, 1536), 8) > 0.5].max() <= 2


def _gradient():
    y, x = np.mgrid[:200, :200]
    return np.stack([x, y, 255 - x], axis=2).astype(np.uint8)


OTHER_PICTURES = {
    "black": np.zeros((100, 100, 3), np.uint8),
    "white": np.full((100, 100, 3), 255, np.uint8),
    "one pixel": np.zeros((1, 1, 3), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8),
    "gradient": _gradient(),
    "a red square on black": np.pad(
        np.full((20, 20, 3), (255, 0, 0), np.uint8), ((40, 40), (40, 40), (0, 0))
    ),
    "white lines on black": cv2.line(
        np.zeros((200, 200, 3), np.uint8), (20, 20), (180, 150), (255, 255, 255), 5
    ),
    "black lines on white": cv2.line(
        np.full((200, 200, 3), 255, np.uint8), (20, 20), (180, 150), (0, 0, 0), 5
    ),
}


@pytest.mark.parametrize("kind", OTHER_PICTURES, ids=str)
def test_other_pictures_are_none(kind):
    assert read_controlnet(OTHER_PICTURES[kind]) is None


def test_photos_are_none():
    photos = sorted(SHARED.rglob("*.jpg"))[::150]
    if not photos:
        pytest.skip("needs the photos of ../shared/data/people")
    for path in photos:
        photo = cv2.imread(str(path))
        for gain in (1.0, 0.3):  # by night, too
            assert read_controlnet(np.uint8(photo[..., ::-1] * gain)) is None, path


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_overlay(make_body, skeleton):
    pose = convert(make_body(6), skeleton)
    image = np.full((512, 384, 3), 90, np.uint8)
    drawn = draw_pose(image, pose)
    assert (image == 90).all()
    assert drawn.shape == image.shape
    wrist = pose.point("left_wrist").astype(int)
    assert drawn[wrist[1], wrist[0]].tolist() != [90, 90, 90]
    assert 0.005 < (drawn != 90).any(axis=2).mean() < 0.3


def test_hostile_poses_and_pictures():
    far = Pose(BODY27, np.full((27, 2), 1e6) * np.resize([1, -1], (27, 1)), np.ones(27))
    assert draw_controlnet(far, (40, 30)).shape == (40, 30, 3)
    assert draw_pose(np.zeros((40, 30, 3), np.uint8), far).shape == (40, 30, 3)
    nobody = Pose(BODY27, np.full((27, 2), np.nan), np.zeros(27))
    assert draw_controlnet(nobody, (40, 30)).max() == 0
    with pytest.raises(ValueError, match="size"):
        draw_controlnet(nobody, (0, 30))
    for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            read_controlnet(bad)
        with pytest.raises(ValueError, match="uint8"):
            draw_pose(bad, nobody)
