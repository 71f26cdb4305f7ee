"""What is said about two poses without learning, tested by what must not change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pose import BODY27, Pose
from pose.retarget import body_scale as pose_body_scale
from vunet import geometry as geo

FRAME = (256, 192)
QUARTER = (64, 48)
JOINT_ROWS = [*range(17), 25, 26]
MIRRORED_JOINTS = [*BODY27.mirror[:17], 18, 17, 20, 19]
MakePerson = Callable[..., Pose]
JointsOf = Callable[..., torch.Tensor]

seeds = st.integers(0, 10_000)
some = settings(max_examples=12)


def similarity(scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    """(2, 3) matrix that scales, turns and moves."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def applied(transforms: geo.PartTransforms, points: np.ndarray) -> np.ndarray:
    """(P, N, 2) where the maps of the first picture take points (N, 2)."""
    m, o = transforms.matrix[0].numpy(), transforms.offset[0].numpy()
    return np.einsum("pij,nj->pni", m, points) + o[:, None]


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def same(found: torch.Tensor, expected: torch.Tensor, atol: float = 1e-4) -> None:
    # torch.testing takes half a minute to be imported
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=atol, rtol=1e-5)


GRID = np.stack(np.meshgrid([10.0, 90.0, 180.0], [15.0, 120.0, 240.0]), -1).reshape(-1, 2)


# -- tables ----------------------------------------------------------------------------------


def test_tables_agree() -> None:
    count = len(geo.PARTS)
    assert [geo.MIRRORED_PARTS[i] for i in geo.MIRRORED_PARTS] == list(range(count))
    for part, other in zip(geo.PARTS, geo.MIRRORED_PARTS, strict=True):
        swapped = part.replace("left_", "?").replace("right_", "left_").replace("?", "right_")
        assert geo.PARTS[other] == swapped
    assert sorted(geo.PAINT_ORDER) == list(range(count))
    assert (geo.PARTS[geo.HEAD], geo.PARTS[geo.TORSO], geo.PARTS[geo.SKIRT]) == (
        "head",
        "torso",
        "skirt",
    )


def test_joints_are_body27s_and_hands_lie_beyond_the_wrists(
    make_person: MakePerson, joints_of: JointsOf
) -> None:
    pose = make_person(3)
    joints = joints_of(pose)[0].numpy()
    assert joints.shape == (geo.JOINTS, 3)
    np.testing.assert_allclose(joints[:19, :2], pose.keypoints[JOINT_ROWS], atol=1e-3)
    for side, row in (("left", 19), ("right", 20)):
        wrist, index = pose.point(f"{side}_wrist"), pose.point(f"{side}_index")
        forward = wrist - pose.point(f"{side}_elbow")
        assert np.dot(joints[row, :2] - wrist, forward) > 0
        assert np.linalg.norm(joints[row, :2] - wrist) < 2 * np.linalg.norm(index - wrist)


@some
@given(seed=seeds, angle=st.floats(-3, 3))
def test_body_scale_is_that_of_poses(
    make_person: MakePerson, joints_of: JointsOf, seed: int, angle: float
) -> None:
    pose = make_person(seed).transformed(similarity(0.8, angle, (40, 10)), FRAME)
    assert float(geo.body_scale(joints_of(pose))) == pytest.approx(pose_body_scale(pose), rel=1e-4)


# -- part transforms -------------------------------------------------------------------------


@some
@given(seed=seeds)
def test_same_pose_maps_every_part_to_itself(
    make_person: MakePerson, joints_of: JointsOf, seed: int
) -> None:
    joints = joints_of(make_person(seed))
    found = geo.part_transforms(joints, joints)
    eye = np.broadcast_to(np.eye(2), (len(geo.PARTS), 2, 2))
    np.testing.assert_allclose(found.matrix[0].numpy(), eye, atol=1e-3)
    np.testing.assert_allclose(found.offset[0].numpy(), 0, atol=0.1)
    assert float(found.scale) == pytest.approx(1)


@pytest.mark.parametrize("share", [0.5, 0.15, 0.02])
def test_same_pose_maps_a_foreshortened_limb_to_itself(
    make_person: MakePerson, joints_of: JointsOf, share: float
) -> None:
    """An arm that points at the camera looks the same in the same pose."""
    joints = joints_of(make_person())
    for joint in (9, 19):  # the left forearm and hand
        joints[0, joint, :2] = joints[0, 7, :2] + share * (joints[0, joint, :2] - joints[0, 7, :2])
    found = geo.part_transforms(joints, joints)
    part = geo.PARTS.index("left_forearm")
    np.testing.assert_allclose(found.matrix[0, part].numpy(), np.eye(2), atol=1e-2)


@some
@given(target=seeds, source=seeds)
def test_bones_map_to_bones(
    make_person: MakePerson, joints_of: JointsOf, target: int, source: int
) -> None:
    t, s = joints_of(make_person(target)), joints_of(make_person(source))
    maps = geo.part_transforms(t, s)
    for part, (a, b) in enumerate(geo.BONES, 2):
        ends = applied(maps, t[0, [a, b], :2].numpy())[part]
        np.testing.assert_allclose(ends, s[0, [a, b], :2].numpy(), atol=0.05)
    corners = applied(maps, t[0, [5, 6, 11, 12], :2].numpy())[geo.TORSO]
    scale = float(geo.body_scale(s))
    assert np.abs(corners - s[0, [5, 6, 11, 12], :2].numpy()).max() < 0.15 * scale
    face = applied(maps, t[0, [0, 3, 4], :2].numpy())[geo.HEAD]
    assert np.abs(face - s[0, [0, 3, 4], :2].numpy()).max() < 0.15 * scale


@some
@given(
    target=seeds,
    source=seeds,
    scale=st.floats(0.6, 2),
    angle=st.floats(-3.1, 3.1),
    dx=st.floats(-80, 80),
    dy=st.floats(-80, 80),
    which=st.sampled_from(["target", "source"]),
)
def test_moving_a_pose_moves_its_maps(
    make_person: MakePerson,
    joints_of: JointsOf,
    target: int,
    source: int,
    scale: float,
    angle: float,
    dx: float,
    dy: float,
    which: str,
) -> None:
    t, s = make_person(target), make_person(source)
    change = similarity(scale, angle, (dx, dy))
    before = geo.part_transforms(joints_of(t), joints_of(s))
    if which == "target":
        after = geo.part_transforms(joints_of(t.transformed(change, None)), joints_of(s))
        expected, found = applied(before, GRID), applied(after, moved(GRID, change))
        ratio = 1 / scale
    else:
        after = geo.part_transforms(joints_of(t), joints_of(s.transformed(change, None)))
        expected, found = moved(applied(before, GRID), change), applied(after, GRID)
        ratio = scale
    np.testing.assert_allclose(found, expected, atol=0.3)
    assert float(after.scale) == pytest.approx(ratio * float(before.scale), rel=1e-4)


@some
@given(target=seeds, source=seeds)
def test_maps_of_any_two_poses_are_finite_and_never_mirror(
    make_person: MakePerson, joints_of: JointsOf, target: int, source: int
) -> None:
    maps = geo.part_transforms(joints_of(make_person(target)), joints_of(make_person(source)))
    assert torch.isfinite(maps.matrix).all()
    assert torch.isfinite(maps.offset).all()
    limbs = [i for i, name in enumerate(geo.PARTS) if name not in ("torso", "skirt")]
    assert (torch.linalg.det(maps.matrix[0, limbs]) > 0).all()


def test_maps_of_a_collapsed_pose_are_finite(make_person: MakePerson, joints_of: JointsOf) -> None:
    point = joints_of(make_person())
    point[..., :2] = 50.0
    person = joints_of(make_person(1))
    for t, s in ((point, person), (person, point), (point, point)):
        maps = geo.part_transforms(t, s)
        assert torch.isfinite(maps.matrix).all()
        assert torch.isfinite(maps.offset).all()
        assert torch.isfinite(geo.part_places(t, 8)).all()


# -- masks and heat maps ---------------------------------------------------------------------


def test_pixel_grid_counts_from_pixel_centres() -> None:
    grid = geo.pixel_grid((2, 3), (8, 6), torch.device("cpu"))
    np.testing.assert_allclose(grid[..., 0], [[1, 3, 5], [1, 3, 5]])
    np.testing.assert_allclose(grid[..., 1], [[2, 2, 2], [6, 6, 6]])


@pytest.mark.parametrize("size", [QUARTER, (128, 96), (256, 192), (16, 12)])
def test_capsules_cover_their_bones_and_no_others(
    make_person: MakePerson, joints_of: JointsOf, size: tuple[int, int]
) -> None:
    joints = joints_of(make_person())
    masks = geo.capsules(joints, size, FRAME)
    assert masks.shape == (1, len(geo.PARTS), *size)
    assert masks.min() >= 0
    assert masks.max() <= 1
    for part, (a, b) in enumerate(geo.BONES, 2):
        middle = (joints[0, a, :2] + joints[0, b, :2]) / 2
        assert float(geo.sample(masks, middle.view(1, 1, 1, 2), FRAME)[0, part]) > 0.4
        other = geo.MIRRORED_PARTS[part]
        if geo.PARTS[part].endswith("upper_arm"):
            opposite = geo.sample(masks, middle.view(1, 1, 1, 2), FRAME)[0, other]
            assert float(opposite) < 0.05
    centre = geo.head_centre(joints[..., :2])
    assert float(geo.sample(masks, centre.view(1, 1, 1, 2), FRAME)[0, geo.HEAD]) > 0.8
    corner = masks[0, :, 0, 0]
    assert float(corner.max()) < 0.01


@some
@given(seed=seeds)
def test_heatmaps_peak_at_their_joints(
    make_person: MakePerson, joints_of: JointsOf, seed: int
) -> None:
    joints = joints_of(make_person(seed))
    joints[0, 4, 2] = 0.2
    maps = geo.heatmaps(joints, QUARTER, FRAME)[0]
    for j in range(geo.JOINTS):
        y, x = np.unravel_index(int(maps[j].argmax()), QUARTER)
        place = np.array([(x + 0.5) * 4, (y + 0.5) * 4])
        assert np.abs(place - joints[0, j, :2].numpy()).max() <= 2.001
    weights = maps[0] / maps[0].sum()  # the centre of mass is exact to a part of a cell
    centre = (weights[..., None] * geo.pixel_grid(QUARTER, FRAME, maps.device)).sum((0, 1))
    np.testing.assert_allclose(centre, joints[0, 0, :2], atol=0.3)
    assert float(maps[4].max()) < float(maps[3].max())


@some
@given(seed=seeds)
def test_mirror_image_swaps_the_sides_of_masks(
    make_person: MakePerson, joints_of: JointsOf, seed: int
) -> None:
    pose = make_person(seed)
    plain, mirrored = joints_of(pose), joints_of(pose.flipped())
    for kind in (geo.capsules, geo.heatmaps):
        order = geo.MIRRORED_PARTS if kind is geo.capsules else MIRRORED_JOINTS
        one, two = kind(plain, QUARTER, FRAME), kind(mirrored, QUARTER, FRAME)
        same(two[:, list(order)], one.flip(-1), atol=1e-3)
    front, back = geo.facing(plain), geo.facing(mirrored)
    assert (front[:, :4] > 0).all()  # the person faces us in both
    assert (back[:, :4] > 0).all()
    same(back[:, 4], -front[:, 4], atol=1e-3)


def test_facing_tells_a_back_from_a_front(make_person: MakePerson, joints_of: JointsOf) -> None:
    pose = make_person()
    mirrored = pose.flipped()  # left and right swapped back: the same outline, seen from behind
    order = list(BODY27.mirror)
    back = Pose(BODY27, mirrored.keypoints[order], mirrored.confidence[order], pose.size)
    assert (geo.facing(joints_of(back))[:, :4] < 0).all()
    assert geo.facing(joints_of(pose)).shape == (1, geo.FACING)


def test_heads_and_chests_turn_round(make_person: MakePerson, joints_of: JointsOf) -> None:
    pose = make_person()
    mirrored, order = pose.flipped(), list(BODY27.mirror)
    behind = Pose(BODY27, mirrored.keypoints[order], mirrored.confidence[order], pose.size)
    front, back = joints_of(pose), joints_of(behind)
    target, source = torch.cat([front, front, back, back]), torch.cat([front, back, front, back])
    turned = geo.turned_round(target, source)
    expected = torch.zeros(4, len(geo.PARTS))
    expected[1, geo.HEAD] = 1  # the face is to be drawn
    expected[2, geo.TORSO] = 1  # the chest is not to be copied
    assert torch.equal(turned, expected)


# -- sampling --------------------------------------------------------------------------------


def test_identity_grid_reproduces_the_picture() -> None:
    picture = torch.rand(1, 3, *FRAME, generator=torch.Generator().manual_seed(0))
    eye = torch.eye(2).expand(1, len(geo.PARTS), 2, 2)
    maps = geo.PartTransforms(eye, torch.zeros(1, len(geo.PARTS), 2), torch.ones(1))
    places = geo.sampling_grids(maps, FRAME, FRAME)
    same(geo.sample(picture, places[:, 0], FRAME), picture, atol=1e-4)


def test_sampling_moves_by_whole_pixels_and_is_zero_outside() -> None:
    picture = torch.rand(1, 1, 8, 6, generator=torch.Generator().manual_seed(0))
    grid = geo.pixel_grid((8, 6), (8, 6), picture.device)[None]
    found = geo.sample(picture, grid + torch.tensor([2.0, -1.0]), (8, 6))[0, 0]
    expected = torch.zeros(8, 6)
    expected[1:, :4] = picture[0, 0, :7, 2:]
    same(found, expected, atol=1e-5)


def test_sampling_does_not_depend_on_the_grids_resolution() -> None:
    """Places are in pixels of the frame, whatever the picture's own resolution."""
    x = geo.pixel_grid((64, 48), FRAME, torch.device("cpu"))[..., 0][None, None]
    places = torch.tensor([[[[50.0, 100.0], [77.3, 20.0]]]])
    same(geo.sample(x, places, FRAME)[0, 0, 0], torch.tensor([50.0, 77.3]))


def test_flow_is_added_to_the_maps(make_person: MakePerson, joints_of: JointsOf) -> None:
    joints = joints_of(make_person())
    maps = geo.part_transforms(joints, joints)
    flow = torch.zeros(1, len(geo.PARTS), 2, *QUARTER)
    flow[:, 3, 0], flow[:, 3, 1] = 2.0, -5.0
    moved_by = geo.sampling_grids(maps, QUARTER, FRAME, flow) - geo.sampling_grids(
        maps, QUARTER, FRAME
    )
    same(moved_by[0, 3], torch.tensor([2.0, -5.0]).expand(*QUARTER, 2))
    assert float(moved_by[0, [0, 1, 2, 4]].abs().max()) == 0


def test_sample_parts_takes_one_picture_for_all_or_one_each() -> None:
    g = torch.Generator().manual_seed(0)
    places = torch.rand(2, 3, 4, 5, 2, generator=g) * 16
    images = torch.rand(2, 7, 16, 16, generator=g)
    shared = geo.sample_parts(images, places, (16, 16))
    each = geo.sample_parts(images[:, None].expand(-1, 3, -1, -1, -1), places, (16, 16))
    assert shared.shape == (2, 3, 7, 4, 5)
    same(shared, each)
    same(shared[1, 2], geo.sample(images[1:], places[1:, 2], (16, 16))[0])


def test_part_places_show_parts_upright(make_person: MakePerson, joints_of: JointsOf) -> None:
    pose = make_person(5)
    turned = pose.transformed(similarity(0.7, 1.2, (60, -20)), None)
    one, two = geo.part_places(joints_of(pose), 8), geo.part_places(joints_of(turned), 8)
    assert one.shape == (1, len(geo.PARTS), 8, 8, 2)
    change = similarity(0.7, 1.2, (60, -20))
    np.testing.assert_allclose(two[0].numpy(), moved(one[0].numpy(), change), atol=0.1)
    part = geo.PARTS.index("left_shin")
    middle = one[0, part].mean((0, 1)).numpy()
    expected = (pose.point("left_knee") + pose.point("left_ankle")) / 2
    np.testing.assert_allclose(middle, expected, atol=0.1)


# -- the analytic warp -----------------------------------------------------------------------


@some
@given(seed=seeds)
def test_same_pose_reproduces_the_masked_person(
    make_person: MakePerson, joints_of: JointsOf, draw_person: Callable[..., Any], seed: int
) -> None:
    pose = make_person(seed)
    image, mask, _ = draw_person(pose, seed)
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    m = torch.from_numpy(mask)[None, None].float() / 255
    colour, cover = geo.analytic_warp(x, m, joints_of(pose), joints_of(pose))
    sure = cover > 0.5
    assert float((sure & (m > 0.5)).sum() / (m > 0.5).sum()) > 0.85
    assert float((sure & (m < 0.5)).sum()) == 0
    straight = colour / cover.clamp_min(1e-3)
    error = (straight - x).abs().amax(1, keepdim=True)[cover > 0.9]
    assert float(error.max()) < 0.02


def test_shifted_pose_shifts_the_person(
    make_person: MakePerson, joints_of: JointsOf, draw_person: Callable[..., Any]
) -> None:
    pose = make_person(8, fill=0.7)
    image, mask, _ = draw_person(pose)
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    m = torch.from_numpy(mask)[None, None].float() / 255
    shift = pose.transformed(np.array([[1, 0, 12], [0, 1, -8]]), pose.size)
    colour, cover = geo.analytic_warp(x, m, joints_of(pose), joints_of(shift))
    expected = torch.roll(x, (-8, 12), (2, 3))
    error = (colour / cover.clamp_min(1e-3) - expected).abs().amax(1, keepdim=True)[cover > 0.9]
    assert len(error) > 1000
    assert float(error.max()) < 0.02


# -- what looks as before --------------------------------------------------------------------


def still_parts(
    target: torch.Tensor, source: torch.Tensor
) -> tuple[dict[str, float], geo.PartTransforms]:
    maps = geo.part_transforms(target, source)
    return dict(zip(geo.PARTS, geo.stillness(maps, target, source)[0].tolist(), strict=True)), maps


@pytest.mark.parametrize("angle_deg", [0.0, 25.0])
@pytest.mark.parametrize("scale", [1.0, 1.4])
def test_whole_figure_moved_turned_or_scaled_looks_as_before(
    make_person: MakePerson, joints_of: JointsOf, angle_deg: float, scale: float
) -> None:
    source = joints_of(make_person(3))
    a = math.radians(angle_deg)
    turn = scale * torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    target = source.clone()
    target[..., :2] = source[..., :2] @ turn.T + torch.tensor([11.0, -7.0])
    parts, _ = still_parts(target, source)
    assert min(parts.values()) > 0.98


def test_raised_arm_leaves_trunk_legs_and_other_arm_as_they_are(
    make_person: MakePerson, joints_of: JointsOf
) -> None:
    source = joints_of(make_person(3))
    target = source.clone()
    shoulder = source[0, 5, :2]
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    for joint in (7, 9, 19):
        target[0, joint, :2] = (source[0, joint, :2] - shoulder) @ turn.T + shoulder
    parts, _ = still_parts(target, source)
    assert parts["left_upper_arm"] < 0.05
    others = [v for name, v in parts.items() if not name.startswith("left_")]
    assert min(others) > 0.98


def test_turned_and_reversed_figures_look_different(
    make_person: MakePerson, joints_of: JointsOf
) -> None:
    source = joints_of(make_person(3))
    middle = source[..., :1].mean()
    for width in (0.6, -1.0):  # turned aside; seen from behind
        target = source.clone()
        target[..., 0] = middle + width * (source[..., 0] - middle)
        parts, _ = still_parts(target, source)
        assert parts["head"] < 0.1
        assert parts["torso"] < 0.1
        assert parts["skirt"] < 0.1
