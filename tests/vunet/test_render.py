"""The network's answer at the canvas's resolution: every pixel where it belongs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pose import BODY27, Pose
from pose.retarget import body_scale
from vunet import geometry as geo
from vunet import render
from vunet.config import PRESETS
from vunet.framing import Window
from vunet.looks import draw_subjects
from vunet.model import Painted, Reposer
from vunet.render import (
    Carried,
    Layer,
    Subject,
    compose_layer,
    draw_latents,
    joints_in,
    points_of,
    source_window,
    subject_tensors,
    target_window,
)

SIZE = (256, 192)
SURE = 0.15
"""What geometry alone is sure of is little: masks are soft, and the parser has learned nothing."""
MakePerson = Callable[..., Pose]
Draw = Callable[..., Any]


@pytest.fixture(scope="module")
def tiny() -> Reposer:
    torch.manual_seed(0)
    return Reposer(PRESETS["tiny"].model).eval()


@pytest.fixture(scope="module")
def untrained() -> Reposer:
    """A narrow network at the real size; before training its warp is geometry alone."""
    torch.manual_seed(0)
    return Reposer(dataclasses.replace(PRESETS["tiny"].model, size=SIZE)).eval()


def texture(size: tuple[int, int], cell: float) -> np.ndarray:
    """(H, W, 3) uint8 smooth noise with details of about `cell` pixels."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(*size, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), cell / 2)
    return np.clip(128 + 45 * noise / noise.std(), 0, 255).astype(np.uint8)


def checkerboard(size: tuple[int, int], cell: int) -> np.ndarray:
    yy, xx = np.mgrid[: size[0], : size[1]] // cell
    board = np.where((xx + yy) % 2, 210, 50).astype(np.uint8)
    return np.stack([board, 255 - board, (xx * 7 % 200).astype(np.uint8)], -1)


def colour_of(taken: render._Fetched) -> np.ndarray:
    """(H, W, 3) what was fetched, no longer premultiplied."""
    return taken.total[..., :3] / np.maximum(taken.found, 1e-3)[..., None]


def fetched(
    model: Reposer, subject: Subject, ratio: float
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """The photo's pixels in the photo's own pose, on a canvas `ratio` times as large."""
    height, width = subject.image.shape[:2]
    canvas = (round(height * ratio), round(width * ratio))
    pose = subject.pose.transformed(np.array([[ratio, 0, 0], [0, ratio, 0]]), canvas)
    from_window = source_window(subject, SIZE)
    to_window = target_window(pose, canvas, SIZE)
    image, mask, source = subject_tensors(subject, from_window)
    target = joints_in(to_window, points_of(pose, canvas))
    with torch.no_grad():
        warped = model.warp(image, mask, source, target, amp=False)
    region = render.region_of(to_window, canvas)
    taken = render._fetch(Carried(subject, from_window, warped), to_window, canvas, region)
    x0, y0, x1, y1 = region
    whole = np.zeros((*canvas, 3), np.float32)
    sure = np.zeros(canvas, np.float32)
    whole[y0:y1, x0:x1], sure[y0:y1, x0:x1] = colour_of(taken), taken.found
    # the pose is the photo's own: all of it stays as it is and where it is, at every size
    inside = taken.found > SURE
    assert taken.unmoved is not None
    assert taken.unmoved[inside].min() > (0.9 if ratio == 1 else 0.5)  # canvases are whole pixels
    return whole, sure, canvas


def expected_at(image: np.ndarray, canvas: tuple[int, int], ratio: float) -> np.ndarray:
    """The photo on the canvas, by another's resampling with pixel centres at +0.5."""
    if ratio == 1:
        return image.astype(np.float32)
    matrix = np.array([[ratio, 0, 0.5 * ratio - 0.5], [0, ratio, 0.5 * ratio - 0.5]])
    source = image.astype(np.float32)
    if ratio < 1:
        source = cv2.GaussianBlur(source, (0, 0), 0.4 / ratio)
    return cv2.warpAffine(source, matrix, canvas[::-1], borderMode=cv2.BORDER_REPLICATE)


def shift_between(found: np.ndarray, expected: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(2,) least-squares shift in pixels by which `found` lies off (Lucas-Kanade, one step)."""
    grey, other = expected.mean(2).astype(np.float64), found.mean(2).astype(np.float64)
    gy, gx = np.gradient(grey)
    a = np.stack([gx[where], gy[where]], 1)
    return np.linalg.lstsq(a, (other - grey)[where], rcond=None)[0]


def subject_with(make_person: MakePerson, draw: Draw, image: np.ndarray, seed: int) -> Subject:
    pose = make_person(seed, size=image.shape[:2], fill=0.88)
    _, mask, _ = draw(pose)
    return Subject(image, mask.astype(np.float32) / 255, pose)


def inside(subject: Subject, canvas: tuple[int, int], sure: np.ndarray) -> np.ndarray:
    eroded = cv2.erode((subject.mask > 0.99).astype(np.uint8), np.ones((7, 7)))
    mask = cv2.resize(eroded, canvas[::-1], interpolation=cv2.INTER_NEAREST)
    return (mask > 0) & (sure > SURE)


# -- identity --------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("size", [(400, 301), (911, 699)])
def test_same_pose_fetches_the_same_pixels(
    untrained: Reposer,
    make_person: MakePerson,
    draw_person: Draw,
    ratio: float,
    size: tuple[int, int],
) -> None:
    """No half pixel is lost on the way, at any resolution and in any corner of the picture."""
    if size[0] * ratio > 1300:
        pytest.skip("a larger canvas shows nothing more")
    image = texture(size, max(6.0, 5 / ratio))
    subject = subject_with(make_person, draw_person, image, 11)
    found, sure, canvas = fetched(untrained, subject, ratio)
    expected = expected_at(image, canvas, ratio)
    where = inside(subject, canvas, sure)
    assert where.sum() > 0.15 * (subject.mask > 0.5).sum() * ratio**2
    assert np.abs(found - expected)[where].mean() < 4
    ys, xs = where.nonzero()
    for rows in (ys < np.median(ys), ys >= np.median(ys)):
        for columns in (xs < np.median(xs), xs >= np.median(xs)):
            quarter = np.zeros_like(where)
            at = rows & columns
            quarter[ys[at], xs[at]] = True
            shift = shift_between(found, expected, quarter)
            assert np.abs(shift).max() < 0.2, shift


@pytest.mark.parametrize("cell", [4, 9])
def test_sharp_edges_stay_sharp_at_the_photos_own_size(
    untrained: Reposer, make_person: MakePerson, draw_person: Draw, cell: int
) -> None:
    image = checkerboard((420, 320), cell)
    subject = subject_with(make_person, draw_person, image, 3)
    found, sure, canvas = fetched(untrained, subject, 1.0)
    error = np.abs(found - image)[inside(subject, canvas, sure)]
    assert error.mean() < 3
    assert np.quantile(error, 0.95) < 12


def test_moved_pose_moves_the_pixels(
    untrained: Reposer, make_person: MakePerson, draw_person: Draw
) -> None:
    """The whole figure 17.5 px right and 9.25 px up: so are its pixels."""
    image = texture((500, 400), 8)
    pose = make_person(5, size=(500, 400), fill=0.7)
    _, mask, _ = draw_person(pose)
    subject = Subject(image, mask.astype(np.float32) / 255, pose)
    by = np.array([17.5, -9.25])
    moved = pose.transformed(np.array([[1, 0, by[0]], [0, 1, by[1]]]), pose.size)
    from_window, to_window = source_window(subject, SIZE), target_window(moved, (500, 400), SIZE)
    photo, m, source = subject_tensors(subject, from_window)
    target = joints_in(to_window, points_of(moved, (500, 400)))
    with torch.no_grad():
        warped = untrained.warp(photo, m, source, target, amp=False)
    x0, y0, x1, y1 = region = render.region_of(to_window, (500, 400))
    taken = render._fetch(Carried(subject, from_window, warped), to_window, (500, 400), region)
    colour, found = colour_of(taken), taken.found
    assert taken.unmoved is not None
    assert taken.unmoved.max() < 0.01
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]])
    expected = cv2.warpAffine(image.astype(np.float32), matrix, (400, 500))[y0:y1, x0:x1]
    where = found > SURE
    assert where.sum() > 5000
    assert np.abs(shift_between(colour, expected, where)).max() < 0.1


@pytest.mark.parametrize("painted", [False, True])
def test_an_arm_before_the_trunk_hides_what_has_not_moved(
    untrained: Reposer, make_person: MakePerson, draw_person: Draw, painted: bool
) -> None:
    """Copied or painted, it is not the photo's chest that is seen there."""
    pose = make_person(3, size=SIZE)
    _, mask, _ = draw_person(pose)
    subject = Subject(texture(SIZE, 8), mask.astype(np.float32) / 255, pose)
    window = source_window(subject, SIZE)
    image, m, joints = subject_tensors(subject, window)
    with torch.no_grad():
        warped = untrained.warp(image, m, joints, joints, amp=False)
    chest = np.mean(
        [pose.point(f"{s}_{j}") for s in ("left", "right") for j in ("hip", "shoulder")], 0
    )
    x, y = chest.astype(int)
    still, logits, weights = (
        warped.still.clone(),
        warped.part_logits.clone(),
        warped.weights.clone(),
    )
    arm = geo.PARTS.index("left_forearm")
    still[:, arm] = 0
    nx, ny = ((chest @ window.matrix[:, :2].T + window.matrix[:, 2]) / 4).astype(int)
    logits[:, arm, ny - 3 : ny + 4, nx - 3 : nx + 4] += 50
    place = (slice(2 * ny - 6, 2 * ny + 8), slice(2 * nx - 6, 2 * nx + 8))
    weights[:, :, *place] = 0  # nothing of the arm is in the photo
    if not painted:
        weights[:, arm, *place] = 1
    region = render.region_of(window, SIZE)
    unmoved = []
    for answer in (
        warped,
        dataclasses.replace(warped, still=still, part_logits=logits, weights=weights),
    ):
        taken = render._fetch(Carried(subject, window, answer), window, SIZE, region)
        assert taken.unmoved is not None
        unmoved.append(taken.unmoved[y - region[1], x - region[0]])
    assert unmoved[0] > 0.9
    assert unmoved[1] < 0.02


# -- the network's own picture ---------------------------------------------------------------


def blob_answer(size: tuple[int, int], x: float, y: float, radius: float) -> Painted:
    """A network's answer that shows a red disc, all invented."""
    yy, xx = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    logits = 2 * (radius - ((xx - x) ** 2 + (yy - y) ** 2).sqrt())
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, *size)
    nothing = torch.zeros(1, 1, *size)
    latents, tints = torch.zeros(1, 15, 4), torch.zeros(1, 15, 3)
    return Painted(red, red, logits[None, None], nothing, None, None, None, latents, tints)


def test_outlines_are_crisp_and_painted_in_the_colour_inside() -> None:
    """A network that is unsure of an outline, and paints the ground's white along it."""
    answer = blob_answer(SIZE, 96.0, 128.0, 50.0)
    answer.alpha_logits /= 2
    yy, xx = torch.meshgrid(*(torch.arange(n) + 0.5 for n in SIZE), indexing="ij")
    away = ((xx - 96) ** 2 + (yy - 128) ** 2).sqrt()
    answer.generated = torch.where(away > 49, 1.0, answer.generated)
    layer = compose_layer(answer, None, Window(0, 0, 0.25, SIZE), (1024, 768))
    row = layer.alpha[512]
    assert ((row > 0.1) & (row < 0.9)).sum() / 2 < 6  # pixels of the canvas; 18 as it was covered
    red, *others = layer.colour[layer.alpha > 0.5].T
    assert red.min() > 250
    assert max(other.max() for other in others) < 30


def test_detail_is_copied_whole_where_colours_are_blended() -> None:
    """Over grey paint: a copied chequer of another mean colour, half visible."""
    size = 96
    chequer = np.indices((size, size)).sum(0) // 2 % 2 * 40.0
    paint = np.full((size, size, 3), 100, np.float32)
    copy = np.repeat((chequer + 160)[..., None], 3, 2).astype(np.float32)  # mean 180
    photos = render._Fetched(np.dstack([copy, np.full((size, size), 255, np.float32)]), None, None)
    inner = slice(20, -20), slice(20, -20)
    for seen in (0.0, 0.1, 0.5, 0.8, 1.0):
        laid = paint.copy()
        render._lay_over(laid, photos, np.full((size, size), seen, np.float32), 3.0)
        assert (laid - paint)[inner].mean() == pytest.approx(80 * seen, abs=1.5)
        contrast = laid[inner].std() / copy[inner].std()
        assert contrast == pytest.approx(1.0 if seen >= 0.5 else seen, abs=0.03)


def test_parts_decide_without_changing_how_much_is_copied() -> None:
    weights = torch.rand(1, 15, 8, 6, generator=torch.Generator().manual_seed(0)) ** 3
    weights[:, :, 0] = 0
    decided = render._decided(weights)
    assert torch.allclose(decided.sum(1), weights.sum(1), atol=1e-4)
    assert torch.equal(decided.argmax(1), weights.argmax(1))
    assert (decided.amax(1) >= weights.amax(1) - 1e-6).all()


def test_pixels_are_scaled_one_by_one() -> None:
    g = np.random.default_rng(0)
    for kind, channels in ((np.float32, 3), (np.uint8, 4)):
        values = g.integers(0, 255, (7, 5, channels)).astype(kind)
        factor = g.random((7, 5), np.float32)
        found = render.scaled(values, factor)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, values * factor[..., None], rtol=1e-6)


@pytest.mark.parametrize("scale", [4.0, 2.0, 1.3, 1.0, 0.5, 0.21])
def test_answers_are_laid_where_their_window_lies(scale: float) -> None:
    """`scale` network pixels per canvas pixel; a disc's middle is right to a third of a pixel."""
    window = Window(13.3, 20.7, scale, SIZE)
    canvas = (int(20 + 256 / scale + 15), int(13 + 192 / scale + 11))
    layer = compose_layer(blob_answer(SIZE, 101.0, 88.0, 40.0), None, window, canvas)
    yy, xx = np.mgrid[: canvas[0], : canvas[1]] + 0.5
    total = layer.alpha.sum()
    centre = np.array([(xx * layer.alpha).sum(), (yy * layer.alpha).sum()]) / total
    expected = np.array([101.0, 88.0]) / scale + [13.3, 20.7]
    np.testing.assert_allclose(centre, expected, atol=max(0.05, 0.1 / scale))
    assert 0.98 < total / (np.pi * 40**2 / scale**2) < 1.02  # as large as it is covered
    deep = np.hypot(xx - expected[0], yy - expected[1]) < 30 / scale
    assert layer.alpha[deep].min() > 0.99
    sure = layer.alpha > 0.9
    np.testing.assert_allclose(layer.colour[sure], np.array([[255, 0, 0]] * sure.sum()), atol=1)
    np.testing.assert_allclose(layer.invented, layer.alpha, atol=1e-5)


@pytest.mark.parametrize("top", [-30.0, 62.0, 63.0, 64.0, 65.0, 66.0])
@pytest.mark.parametrize("left", [-150.0, 90.0, 1000.0, -1000.0])
def test_windows_may_reach_beyond_the_canvas(left: float, top: float) -> None:
    window = Window(left, top, 1.0, SIZE)
    layer = compose_layer(blob_answer(SIZE, 96.0, 128.0, 60.0), None, window, (120, 100))
    assert layer.alpha.shape == (120, 100)
    assert layer.colour.shape == (120, 100, 3)
    assert np.isfinite(layer.colour).all()
    yy, xx = np.mgrid[:120, :100] + 0.5
    disc = (xx - left - 96) ** 2 + (yy - top - 128) ** 2 < 55**2
    assert (layer.alpha[disc] > 0.9).all()
    assert disc.any() or not layer.alpha.any()


@pytest.mark.parametrize(("side", "kept"), [(48, 1.0), (1200, 0.5)])
def test_thin_limbs_of_small_photos_are_copied_whole(
    make_person: MakePerson, side: int, kept: float
) -> None:
    """Outlines are left out where a photo is finer than the network, not where it is coarser."""
    size = (side, side * 3 // 4)
    pose = make_person(3, size=size)
    mask = np.zeros(size, np.float32)
    x = size[1] // 2
    mask[2:-2, x - 1 : x + 1] = 1  # two pixels wide
    subject = Subject(np.full((*size, 3), 200, np.uint8), mask, pose)
    window = source_window(subject, SIZE)
    photo, _ = render._photo_for(subject, window, window, 1.0)
    share = (photo[..., 3] > 128).sum() / (mask > 0).sum()
    assert share == pytest.approx(1.0) if kept == 1.0 else share < kept


def check_layer(layer: Layer, canvas: tuple[int, int]) -> None:
    assert layer.colour.shape == (*canvas, 3)
    assert layer.alpha.shape == layer.invented.shape == canvas
    assert 0 <= layer.colour.min() <= layer.colour.max() <= 255
    assert 0 <= layer.alpha.min() <= layer.alpha.max() <= 1
    assert (layer.invented <= layer.alpha + 1e-6).all()
    assert (layer.invented >= 0).all()


@pytest.mark.parametrize("canvas", [(300, 200), (64, 512), (40, 30), (600, 90)])
def test_a_subject_is_drawn_on_any_canvas(
    tiny: Reposer, make_person: MakePerson, draw_person: Draw, canvas: tuple[int, int]
) -> None:
    pose = make_person(2)
    image, mask, _ = draw_person(pose)
    subject = Subject(image, mask.astype(np.float32) / 255, pose)
    target = make_person(4, size=canvas)
    check_layer(draw_subjects(tiny, [subject], target, canvas), canvas)
    away = target.transformed(np.array([[1, 0, 5000.0], [0, 1, 0]]), canvas)
    layer = draw_subjects(tiny, [subject], away, canvas)
    check_layer(layer, canvas)


def test_drawing_repeats_and_depends_on_photo_and_pose(
    tiny: Reposer, make_person: MakePerson, draw_person: Draw
) -> None:
    pose = make_person(2)
    image, mask, _ = draw_person(pose)
    subject = Subject(image, mask.astype(np.float32) / 255, pose)

    def drawn(s: Subject, seed: int) -> np.ndarray:
        return draw_subjects(tiny, [s], make_person(seed), SIZE).colour

    np.testing.assert_array_equal(drawn(subject, 4), drawn(subject, 4))
    assert np.abs(drawn(subject, 4) - drawn(subject, 5)).max() > 5
    other = Subject(255 - image, subject.mask, pose)
    assert np.abs(drawn(subject, 4) - drawn(other, 4)).max() > 5


def test_background_of_the_photo_does_not_matter(
    tiny: Reposer, make_person: MakePerson, draw_person: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "_CRISP", 0.8)  # or rounding is sharpened
    pose = make_person(2)
    image, mask, _ = draw_person(pose)
    mask = cv2.erode(mask, np.ones((3, 3)))
    away = image.copy()
    away[cv2.dilate(mask, np.ones((5, 5))) == 0] = (255, 0, 255)
    one, two = (
        draw_subjects(tiny, [Subject(i, mask.astype(np.float32) / 255, pose)], make_person(4), SIZE)
        for i in (image, away)
    )
    np.testing.assert_allclose(one.colour, two.colour, atol=3)
    np.testing.assert_allclose(one.alpha, two.alpha, atol=0.01)


def test_latents_are_drawn_without_a_photo(tiny: Reposer, make_person: MakePerson) -> None:
    latents = torch.randn(3, 15, 4, generator=torch.Generator().manual_seed(0))
    layers = draw_latents(tiny, latents, make_person(1), SIZE)
    assert len(layers) == 3
    for layer in layers:
        check_layer(layer, SIZE)
        np.testing.assert_allclose(layer.invented, layer.alpha, atol=1e-6)
    alone = draw_latents(tiny, latents[1:2], make_person(1), SIZE)[0]
    np.testing.assert_allclose(alone.colour, layers[1].colour, atol=0.2)


# -- windows ---------------------------------------------------------------------------------


def test_points_outside_the_picture_are_unsure(make_person: MakePerson) -> None:
    pose = make_person()
    lower = pose.transformed(np.array([[1, 0, 0], [0, 1, 120.0]]), pose.size)
    points = points_of(lower, SIZE)
    outside = points[:, 1] > 256
    assert outside.any()
    assert (points[outside, 2] <= 0.1).all()
    assert (points[~outside, 2] == 0.95).all()


def test_incomplete_poses_are_refused(make_person: MakePerson) -> None:
    pose = make_person()
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    keypoints[3], confidence[3] = np.nan, 0
    with pytest.raises(ValueError, match="complete"):
        points_of(Pose(BODY27, keypoints, confidence, SIZE), SIZE)


@pytest.mark.parametrize("down", [0.0, 60.0, 130.0])
def test_windows_of_photo_and_canvas_agree_for_one_pose(
    make_person: MakePerson, draw_person: Draw, down: float
) -> None:
    """A person cut off by the picture's border is shown at about the same scale on both sides."""
    pose = make_person(fill=0.8).transformed(np.array([[1, 0, 0], [0, 1, down]]), SIZE)
    _, mask, _ = draw_person(pose)
    points = points_of(pose, SIZE)
    seen = Pose(BODY27, pose.keypoints, points[:, 2], SIZE)
    subject = Subject(np.zeros((*SIZE, 3), np.uint8), mask.astype(np.float32) / 255, seen)
    one, two = source_window(subject, SIZE), target_window(seen, SIZE, SIZE)
    assert one.scale == pytest.approx(two.scale, rel=0.25)
    assert body_scale(pose) * two.scale < 0.6 * SIZE[0]


@pytest.mark.parametrize("pixel", [1.0, 3.0])
def test_cloth_goes_on_in_the_canvas_pixels(pixel: float) -> None:
    """Copied pixels from so many of the network's pixels away, as fine as they were fetched."""
    rng = np.random.default_rng(0)
    height, width = 60, 90
    photo = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    found = np.full((height, width, 1), 255, np.float32)
    found[:, 60:] = 0
    total = np.dstack([photo * (found > 0), found]).astype(np.float32)
    beyond = np.zeros((height, width, 3), np.float32)
    beyond[10:50, 30:60] = (-12 / pixel, 3 / pixel, 1)
    beyond[10:50, 75:85] = (-6 / pixel, 0, 1)  # from where nothing was fetched
    part = np.full((height, width, 3), 7, np.float32)
    share = render._go_on(part, render._Fetched(total, None, None), beyond, pixel)
    np.testing.assert_allclose(part[12:48, 30:60], photo[15:51, 18:48], atol=1e-2)
    rest = np.ones((height, width), bool)
    rest[10:50, 30:60] = False
    assert (part[rest] == 7).all()
    assert (share[10:50, 30:60] == 1).all()
    assert share[rest].max() == 0
