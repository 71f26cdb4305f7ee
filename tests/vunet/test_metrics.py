from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import structural_similarity
from torchvision.models import squeezenet1_0

from pose.estimator import PoseEstimator
from pose.retarget import body_scale
from pose.skeletons import COCO17
from pose.types import Pose
from vunet import metrics
from vunet.metrics import Box, MoveNet, SqPD, pckh


@pytest.fixture(scope="module")
def backbones() -> Path:
    folder = metrics.find_backbones()
    if folder is None:
        pytest.skip("needs the pretrained networks of ../shared/backbones beside the checkout")
    return folder


@pytest.fixture(scope="module")
def sqpd(backbones) -> SqPD:
    return SqPD(backbones / metrics.SQUEEZENET_FILE)


@pytest.fixture(scope="module")
def movenet(backbones) -> MoveNet:
    return MoveNet(backbones / metrics.MOVENET_FILE)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut())


def pictures(count: int, size=(64, 48), seed=0) -> np.ndarray:
    """Smooth coloured noise, (count, *size, 3) uint8."""
    noise = np.random.default_rng(seed).normal(size=(count, *size, 3))
    smooth = gaussian_filter(noise, (0, 3, 3, 0))
    return np.clip(128 + 300 * smooth, 0, 255).astype(np.uint8)


def standing(scale=1.0, shift=(0.0, 0.0)) -> Pose:
    """A frontal COCO-17 pose, 500 units from eyes to ankles; the trunk is 150 long."""
    places = [(0, 0), (8, -8), (-8, -8), (18, -4), (-18, -4)]
    for x, y in ((50, 60), (60, 150), (65, 230), (30, 210), (32, 335), (34, 460)):
        places += [(x, y), (-x, y)]
    points = np.array(places, float) * scale + np.array(shift)
    return Pose(COCO17, points, np.ones(17), (600, 400))


class TestSsim:
    def test_is_scikit_image_s_with_the_protocol_s_settings(self):
        one, other = pictures(2)
        expected = structural_similarity(
            one,
            other,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=2,
        )
        assert metrics.ssim(one, other) == expected

    def test_is_the_formula_of_wang_2004(self):
        one, other = pictures(2).astype(float)

        def blur(image):
            return gaussian_filter(image, (1.5, 1.5, 0), truncate=3.5)

        mean_1, mean_2 = blur(one), blur(other)
        variance_1, variance_2 = blur(one**2) - mean_1**2, blur(other**2) - mean_2**2
        covariance = blur(one * other) - mean_1 * mean_2
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        value = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
        value /= (mean_1**2 + mean_2**2 + c1) * (variance_1 + variance_2 + c2)
        expected = value[5:-5, 5:-5].mean()  # the window's radius is left out
        found = metrics.ssim(one.astype(np.uint8), other.astype(np.uint8))
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.shared
class TestSqPD:
    def test_equal_pictures_are_at_no_distance(self, sqpd):
        assert sqpd(pictures(2), pictures(2)) == pytest.approx([0, 0], abs=1e-12)

    def test_is_symmetric_and_positive(self, sqpd):
        one, other = pictures(2, seed=1), pictures(2, seed=2)
        assert (sqpd(one, other) > 0.01).all()
        assert sqpd(one, other) == pytest.approx(sqpd(other, one), rel=1e-5)

    def test_a_batch_is_its_pictures_one_by_one(self, sqpd):
        one, other = pictures(3, seed=1), pictures(3, seed=2)
        single = [float(sqpd(a, b)[0]) for a, b in zip(one, other, strict=True)]
        assert sqpd(one, other) == pytest.approx(single, rel=1e-4)

    def test_equals_a_plain_recomputation(self, sqpd):
        one, other = pictures(2, size=(96, 70), seed=3)
        features = []
        for picture in (one, other):
            x = torch.from_numpy(picture.astype(np.float32) - [123, 117, 104]).float()
            x = x.permute(2, 0, 1)[None]
            taken = []
            for index, layer in enumerate(sqpd.network.features):
                x = layer(x.clone())
                if index in (1, 4, 5, 7, 8, 9, 10, 12):
                    taken.append(x.detach().numpy()[0].astype(np.float64))
            features.append(taken)
        distances = []
        for a, b in zip(*features, strict=True):
            a = a / np.maximum(np.sqrt((a**2).sum(0)), 1e-10)
            b = b / np.maximum(np.sqrt((b**2).sum(0)), 1e-10)
            distances.append(((a - b) ** 2).sum(0).mean())
        assert len(distances) == 8
        assert float(sqpd(one, other)[0]) == pytest.approx(np.mean(distances), rel=1e-4)

    def test_more_blur_is_further_away(self, sqpd, astronaut):
        blurred = [cv2.GaussianBlur(astronaut, (0, 0), sigma) for sigma in (1, 3, 9)]
        distances = [float(sqpd(astronaut, image)[0]) for image in blurred]
        assert distances == sorted(distances)

    def test_the_weights_know_a_cat(self, sqpd):
        cat = data.chelsea()[:, 75:375]
        cat = cv2.resize(cat, (227, 227), interpolation=cv2.INTER_AREA).astype(np.float32)
        x = torch.from_numpy(cat - np.array(metrics.SQUEEZENET_MEAN, np.float32))
        with torch.no_grad():
            chances = sqpd.network(x.permute(2, 0, 1)[None]).softmax(1)[0]
        assert int(chances.argmax()) == 285  # "Egyptian cat"
        assert float(chances[285]) > 0.5

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (np.zeros((64, 64, 3), np.float32), np.zeros((64, 64, 3), np.float32)),
            (np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)),
            (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 65, 3), np.uint8)),
            (np.zeros((16, 64, 3), np.uint8), np.zeros((16, 64, 3), np.uint8)),
        ],
    )
    def test_refuses_other_pictures(self, sqpd, one, other):
        with pytest.raises(ValueError, match="pictures must"):
            sqpd(one, other)


class TestBackbones:
    @pytest.mark.parametrize("content", [b"", b"not weights at all", b"\xff" * 4096])
    def test_other_files_are_no_squeezenet(self, tmp_path, content):
        path = tmp_path / "weights.safetensors"
        path.write_bytes(content)
        with pytest.raises(metrics.BackboneMissing, match="weights"):
            SqPD(path)

    def test_weights_of_another_network_are_refused(self, tmp_path):
        from safetensors.torch import save_file

        state = squeezenet1_0(weights=None).state_dict()
        state.pop("features.0.weight")
        save_file(state, tmp_path / "other.safetensors")
        with pytest.raises(metrics.BackboneMissing, match="not the SqueezeNet"):
            SqPD(tmp_path / "other.safetensors")

    def test_absent_files_are_named(self, tmp_path):
        for loader in (SqPD, MoveNet):
            with pytest.raises(metrics.BackboneMissing, match="absent"):
                loader(tmp_path / "absent")

    def test_an_explicit_folder_must_exist(self, tmp_path):
        assert metrics.find_backbones(tmp_path) == tmp_path
        with pytest.raises(metrics.BackboneMissing, match="nowhere"):
            metrics.find_backbones(tmp_path / "nowhere")

    def test_a_folder_without_the_file(self, tmp_path):
        with pytest.raises(metrics.BackboneMissing, match="missing"):
            metrics.backbone_file(tmp_path, "x.bin")
        with pytest.raises(metrics.BackboneMissing, match="no backbones folder"):
            metrics.backbone_file(None, "x.bin")

    @pytest.mark.shared
    def test_the_folder_beside_the_checkout_is_found(self, shared):
        assert metrics.find_backbones() == shared / "backbones"

    @pytest.mark.shared
    def test_a_truncated_network_is_refused(self, backbones, tmp_path):
        for name, loader in ((metrics.SQUEEZENET_FILE, SqPD), (metrics.MOVENET_FILE, MoveNet)):
            short = tmp_path / name
            short.write_bytes((backbones / name).read_bytes()[:10_000])
            with pytest.raises(metrics.BackboneMissing, match=name):
                loader(short)


class TestCrops:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_the_box_of_a_mask(self, dtype):
        mask = np.zeros((60, 50), dtype)
        mask[10:30, 20:24] = 255 if dtype == np.uint8 else 1
        assert metrics.mask_box(mask) == Box(20, 10, 24, 30)

    def test_an_empty_mask_is_refused(self):
        with pytest.raises(ValueError, match="empty"):
            metrics.mask_box(np.full((9, 9), 0.4, np.float32))

    def test_growing_keeps_the_middle(self):
        assert Box(0, 0, 10, 20).grown(0.1) == Box(-0.5, -1, 10.5, 21)

    def test_a_cut_at_its_own_size_is_the_part(self):
        image = pictures(1)[0]
        assert (metrics.cut(image, Box(5, 7, 25, 47), (40, 20)) == image[7:47, 5:25]).all()

    def test_beyond_the_border_the_border_is_repeated(self):
        image = pictures(1)[0]
        part = metrics.cut(image, Box(-4, -3, 10, 10), (13, 14))
        assert (part[3:, 4:] == image[:10, :10]).all()
        assert (part[:3, :4] == image[0, 0]).all()

    def test_the_person_fills_256_pixels_but_for_the_margin(self):
        truth = pictures(1, size=(200, 300))[0]
        mask = np.zeros((200, 300), np.uint8)
        mask[50:150, 100:140] = 255
        drawn, true, person = metrics.crop_to_person(truth, truth, mask)
        assert drawn.shape == true.shape == (256, round(256 * 44 / 110), 3)
        assert (drawn == true).all()
        rows = np.nonzero(person.any(axis=1))[0]
        # 100 of 110 px, and 5 px of dilation at each end
        assert rows[-1] - rows[0] + 1 == pytest.approx(256 * 100 / 110 + 10, abs=2)

    @pytest.mark.parametrize("rim", [0, 1, 5, 9])
    def test_the_rim_is_as_wide_as_asked(self, rim: int):
        truth = pictures(1, size=(200, 300))[0]
        mask = np.zeros((200, 300), np.uint8)
        mask[50:150, 100:140] = 255
        bare = metrics.crop_to_person(truth, truth, mask, 0)[2].any(axis=1).sum()
        _, _, person = metrics.crop_to_person(truth, truth, mask, rim)
        assert person.any(axis=1).sum() == bare + 2 * rim
        large = metrics.dilated_mask(mask, metrics.Box(0, 0, 300, 512), rim)
        assert large.any(axis=1).sum() == 100 + 4 * rim

    def test_the_box_ends_at_the_picture(self):
        truth = pictures(1, size=(100, 80))[0]
        full = np.ones((100, 80), np.float32)
        drawn, _, person = metrics.crop_to_person(truth, truth, full)
        assert drawn.shape == (256, 205, 3)
        assert person.all()

    def test_other_sizes_are_refused(self):
        image = pictures(1)[0]
        with pytest.raises(ValueError, match="one size"):
            metrics.crop_to_person(image, image[1:], np.ones(image.shape[:2]))

    def test_outside_the_person_all_is_grey(self):
        image = pictures(1)[0]
        person = np.zeros(image.shape[:2], bool)
        person[:10] = True
        grey = metrics.grey_outside(image, person)
        assert (grey[:10] == image[:10]).all()
        assert (grey[10:] == metrics.GREY).all()


class TestSharpness:
    @pytest.fixture
    def person(self) -> np.ndarray:
        yy, xx = np.mgrid[:256, :192]
        return (xx - 96) ** 2 + (yy - 128) ** 2 < 80**2

    @pytest.fixture
    def cut(self) -> np.ndarray:
        return np.ascontiguousarray(data.astronaut()[100:356, 150:342])

    def test_equals_are_as_sharp_and_blur_takes_sharpness_away(self, cut, person):
        assert metrics.sharpness(cut, cut, person) == 1
        values = [
            metrics.sharpness(cv2.GaussianBlur(cut, (0, 0), sigma), cut, person)
            for sigma in (0.7, 1.5, 4)
        ]
        assert 1 > values[0] > values[1] > values[2] > 0
        assert metrics.sharpness(cut, cv2.GaussianBlur(cut, (0, 0), 1.5), person) > 1

    def test_only_the_inside_counts(self, cut, person):
        outside = np.where(person[..., None], cut, np.uint8(128))
        assert metrics.sharpness(outside, cut, person) == 1
        rim = person & ~(cv2.erode(person.astype(np.uint8), np.ones((9, 9))) > 0)
        noisy = np.where(rim[..., None], np.uint8(255) - cut, cut)
        assert metrics.sharpness(noisy, cut, person) == 1

    def test_too_little_to_judge(self, cut, person):
        speck = np.zeros_like(person)
        speck[100:110, 100:110] = True
        assert metrics.sharpness(cut, cut, speck) is None
        assert metrics.sharpness(cut, np.full_like(cut, 99), person) is None


class TestPckh:
    def test_a_pose_is_right_everywhere_against_itself(self):
        assert pckh(standing(), standing(), 70) == (13, 13)

    def test_nobody_is_wrong_everywhere(self):
        assert pckh(None, standing(), 70) == (0, 13)

    @pytest.mark.parametrize(("moved", "right"), [(34.9, 13), (35.1, 0)])
    def test_the_limit_is_half_a_head(self, moved, right):
        assert pckh(standing(shift=(moved, 0)), standing(), 70) == (right, 13)

    def test_missing_in_the_truth_is_not_counted_and_in_the_result_is_wrong(self):
        def without(*names):
            pose = standing()
            points, confidence = pose.keypoints.copy(), pose.confidence.copy()
            for name in names:
                i = COCO17.index[name]
                points[i], confidence[i] = np.nan, 0
            return Pose(COCO17, points, confidence, pose.size)

        truth = without("left_wrist", "left_ankle", "right_ear")
        assert pckh(standing(), truth, 70) == (11, 11)
        assert pckh(without("nose", "left_wrist", "right_hip"), truth, 70) == (9, 11)

    def test_sides_may_not_be_swapped(self):
        pose = standing()
        swapped = Pose(COCO17, pose.keypoints[list(COCO17.mirror)], np.ones(17), pose.size)
        assert pckh(swapped, pose, 30) == (1, 13)

    @pytest.mark.parametrize("length", [0, -1, math.nan, math.inf])
    def test_a_head_has_a_length(self, length):
        with pytest.raises(ValueError, match="head length"):
            pckh(standing(), standing(), length)

    @given(st.floats(0.1, 5), st.floats(-100, 100), st.floats(0, 60))
    def test_does_not_depend_on_scale_or_place(self, scale, shift, moved):
        def count(scale, shift):
            truth = standing(scale, (shift, shift))
            found = standing(scale, (shift + moved * scale, shift))
            return pckh(found, truth, metrics.head_length(truth))

        if abs(moved - 0.5 * metrics.head_length(standing())) > 1e-6:
            assert count(scale, shift) == count(1.0, 0.0)

    def test_the_head_length_is_from_the_body(self):
        assert metrics.head_length(standing()) == pytest.approx(0.48 * body_scale(standing()))
        nothing = Pose(COCO17, np.full((17, 2), np.nan), np.zeros(17))
        assert math.isnan(metrics.head_length(nothing))
        assert metrics.head_box(nothing) is None

    def test_the_head_box_holds_the_head(self):
        box = metrics.head_box(standing())
        length = metrics.head_length(standing())
        assert box is not None
        assert box.wh == pytest.approx((1.5 * length, 1.5 * length))
        assert box.x0 < -18 < 18 < box.x1
        assert box.y0 < -length / 2 < length / 2 < box.y1

    def test_unseen_joints_are_taken_out(self):
        pose = standing(shift=(100, 200))
        confidence = np.ones(17)
        confidence[0] = 0.3
        pose = Pose(COCO17, pose.keypoints, confidence, pose.size)
        seen = metrics.visible_part(pose, (600, 400))
        outside = {"left_ankle", "right_ankle"}
        assert {n for n in COCO17.keypoints if np.isnan(seen.point(n)[0])} == {"nose", *outside}


@pytest.mark.shared
class TestMoveNet:
    def test_agrees_with_mediapipe_on_an_astronaut(self, movenet, astronaut):
        found = movenet(astronaut)
        other = PoseEstimator().find_one(astronaut, "astronaut").pose
        width = np.linalg.norm(other.point("left_shoulder") - other.point("right_shoulder"))
        for name in ("nose", "left_shoulder", "right_shoulder"):
            assert np.linalg.norm(found.point(name) - other.point(name)) < 0.2 * width
            assert found.confidence[COCO17.index[name]] > 0.3
        assert found.size == astronaut.shape[:2]

    def test_a_box_only_says_where_to_look(self, movenet, astronaut):
        plain = movenet(astronaut)
        canvas = np.zeros((700, 900, 3), np.uint8)
        canvas[100:612, 300:812] = astronaut
        boxed = movenet(canvas, Box(300, 100, 812, 612))
        assert boxed.keypoints == pytest.approx(plain.keypoints + np.array([300, 100]), abs=1e-6)

    @pytest.mark.parametrize("times", [0.5, 4])
    def test_the_pose_scales_with_the_picture(self, movenet, astronaut, times):
        side = round(512 * times)
        way = cv2.INTER_AREA if times < 1 else cv2.INTER_LINEAR
        scaled = movenet(cv2.resize(astronaut, (side, side), interpolation=way))
        plain = movenet(astronaut)
        apart = np.linalg.norm(scaled.keypoints / times - plain.keypoints, axis=1)
        assert apart[:7].max() < 20  # face and shoulders; the rest is not in the picture

    def test_a_narrow_picture_is_letterboxed(self, movenet, astronaut):
        plain, found = movenet(astronaut), movenet(astronaut[:, 40:400])
        for name in ("nose", "left_eye", "right_eye", "left_shoulder"):
            assert np.linalg.norm(found.point(name) + np.array([40, 0]) - plain.point(name)) < 25

    def test_other_arrays_are_refused(self, movenet):
        with pytest.raises(ValueError, match="uint8"):
            movenet(np.zeros((9, 9, 3), np.float32))
