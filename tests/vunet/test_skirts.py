"""Skirts that stay one piece."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vunet import geometry as geo
from vunet.skirts import Skirt, draped, may_hang, skirt_of

SIZE = (256, 192)
SCALE = 62.0
HIPS_Y, KNEES_Y, ANKLES_Y = 110.0, 165.0, 220.0
CLOTH, SKIN, BAG, GROUND = (0.2, 0.3, 0.7), (0.85, 0.65, 0.55), (0.5, 0.3, 0.1), (0.6, 0.7, 0.6)


def joints(
    spread: float = 10.0, *, shoulders: float = 22.0, thighs: float = 1.0, upside_down: bool = False
) -> np.ndarray:
    """(21, 2) somebody who stands with ankles so far to the sides."""
    x = np.full((geo.JOINTS, 2), (96.0, 50.0))
    for side, hip in ((1, 11), (-1, 12)):
        x[hip - 6] = (96 + side * shoulders, 55)
        x[hip] = (96 + side * 8, HIPS_Y)
        x[hip + 2] = (96 + side * (8 + spread) / 2, HIPS_Y + thighs * (KNEES_Y - HIPS_Y))
        x[hip + 4] = (96 + side * spread, x[hip + 2][1] + ANKLES_Y - KNEES_Y)
    if upside_down:
        x[:, 1] = 270 - x[:, 1]
    return x


def worn(
    hem: float = 170.0, *, bag: bool = False, trousers: bool = False, stripes: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Photo, mask, arms and hanging cloth of somebody in a skirt that ends at a height."""
    image = np.full((*SIZE, 3), GROUND, np.float32)
    mask, hanging = np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)

    def lay(points: list[tuple[float, float]], colour: tuple[float, ...], hangs: float) -> None:
        here = np.zeros(SIZE, np.uint8)
        cv2.fillConvexPoly(here, np.array(points).astype(np.int32), 1)
        image[here > 0], mask[here > 0], hanging[here > 0] = colour, 1, hangs

    for x in (80, 102):
        lay([(x, 110), (x + 11, 110), (x + 11, 225), (x, 225)], SKIN, 0)
    lay([(74, 50), (118, 50), (116, 112), (76, 112)], CLOTH, 1)
    if trousers:
        for x in (78, 98):
            lay([(x, 105), (x + 16, 105), (x + 14, hem), (x, hem)], CLOTH, 0)
    else:
        lay([(76, 105), (116, 105), (126, hem), (66, hem)], CLOTH, 1)
    if stripes:
        skirt = (hanging > 0) & (np.arange(SIZE[0])[:, None] > 105)
        rows = np.arange(SIZE[0])[:, None] // 3 % 4 == 0
        image[skirt & rows] = (0.95, 0.95, 0.95)
    if bag:  # taken for cloth
        lay([(120, 140), (150, 140), (150, 185), (120, 185)], BAG, 0.6)
    return image, mask, np.zeros_like(mask), hanging


def found(**options: bool | float) -> Skirt:
    skirt = skirt_of(*worn(**options), joints(), SCALE)  # pyright: ignore[reportArgumentType]
    assert skirt is not None
    return skirt


@pytest.mark.parametrize("hem", [140.0, 170.0, 195.0])
def test_a_hem_is_found_where_the_cloth_ends(hem: float) -> None:
    share = (hem - HIPS_Y) / (ANKLES_Y - HIPS_Y)
    assert found(hem=hem).hem == pytest.approx(share, abs=0.05)


def test_stripes_are_no_hems() -> None:
    assert found(stripes=True).hem == pytest.approx(60 / 110, abs=0.06)


def test_trousers_are_no_skirt() -> None:
    assert skirt_of(*worn(trousers=True), joints(), SCALE) is None


def test_a_skirt_may_have_the_legs_colour() -> None:
    image, *known = worn()
    image[known[0] > 0] = CLOTH
    skirt = skirt_of(image, *known, joints(), SCALE)
    assert skirt is not None
    assert skirt.hem == pytest.approx(60 / 110, abs=0.05)
    assert skirt.cloth[178:].max() < 0.1


def test_a_dress_may_reach_the_feet() -> None:
    skirt = found(hem=228)
    hung = draped(skirt, joints(35), SCALE, SIZE)
    assert hung is not None
    assert hung[1][130:205, 96].min() > 0.9


def test_its_hem_is_where_the_colours_change() -> None:
    """Cloth is read coarsely, and up to six pixels off."""
    for off in (-6, 6):
        image, mask, arms, hanging = worn()
        hanging = np.roll(hanging, off, axis=0)
        skirt = skirt_of(image, mask, arms, hanging, joints(), SCALE)
        assert skirt is not None
        assert skirt.hem == pytest.approx(60 / 110, abs=0.045)


def test_a_bag_is_no_part_of_the_skirt() -> None:
    skirt = found(bag=True)
    assert skirt.right[:, 0].max() < 124
    assert skirt.cloth[150:180, 128:145].max() < 0.1
    assert skirt.cloth[130:160, 85:105].min() > 0.9


def test_cloth_is_taken_from_the_skirt_alone() -> None:
    image = worn(bag=True)[0]
    skirt = found(bag=True)
    hung = draped(skirt, joints(45, shoulders=8), SCALE, SIZE)
    assert hung is not None
    places, share = hung
    taken = cv2.remap(image, places[..., 0] - 0.5, places[..., 1] - 0.5, cv2.INTER_LINEAR)
    inside = cv2.erode((share > 0.95).astype(np.uint8), np.ones((3, 3))) > 0
    off = np.abs(taken[inside] - CLOTH).max(1)
    assert (off < 0.1).mean() > 0.97


@pytest.mark.parametrize("shoulders", [8.0, 22.0])
def test_it_hangs_between_the_legs(shoulders: float) -> None:
    pose = joints(45, shoulders=shoulders)
    hung = draped(found(), pose, SCALE, SIZE)
    assert hung is not None
    places, share = hung
    assert share[100:104].max() < 0.5  # and fades in below the hips
    for y, x in ((130, 96), (150, 96), (160, 96), (160, 75), (160, 117)):
        assert share[y, x] > 0.9, (y, x)
    assert share[195:].max() < 0.05
    assert share[:, :40].max() == 0
    # left stays left, above stays above
    assert (np.diff(places[150, 70:122, 0]) > 0).all()
    assert (np.diff(places[125:165, 96, 1]) > 0).all()


def test_its_hem_is_the_photos() -> None:
    """A hem that is lower on one side is so in the new pose."""
    image, mask, arms, hanging = worn()
    lower = np.zeros(SIZE, np.uint8)
    cv2.fillConvexPoly(lower, np.array([(66, 170), (96, 170), (66, 182)]), 1)
    image[lower > 0], mask[lower > 0], hanging[lower > 0] = CLOTH, 1, 1
    skirt = skirt_of(image, mask, arms, hanging, joints(), SCALE)
    assert skirt is not None
    hung = draped(skirt, joints(40), SCALE, SIZE)
    assert hung is not None
    rows = np.arange(SIZE[0])[:, None] * (hung[1] > 0.5)
    assert rows[:, 72:84].max(0).mean() > rows[:, 108:120].max(0).mean() + 3


@pytest.mark.parametrize("shoulders", [8.0, 22.0])
def test_legs_as_in_the_photo_keep_their_skirt(shoulders: float) -> None:
    own = joints(shoulders=shoulders)
    skirt = skirt_of(*worn(), own, SCALE)
    assert skirt is not None
    lying = own[:, ::-1].copy()
    for pose in (own, lying):
        assert not may_hang(own, SCALE, pose, SCALE)
        assert draped(skirt, pose, SCALE, SIZE) is None


def test_what_may_hang_is_looked_at() -> None:
    for pose in (joints(45), joints(45, shoulders=8), joints(12, shoulders=8)):
        hangs = draped(found(), pose, SCALE, SIZE) is not None
        assert hangs <= may_hang(joints(), SCALE, pose, SCALE)


def test_who_sits_or_does_the_splits_is_left_to_the_network() -> None:
    assert draped(found(), joints(40, thighs=0.3), SCALE, SIZE) is None
    assert draped(found(), joints(150), SCALE, SIZE) is None


def area(pose: np.ndarray) -> float:
    hung = draped(found(), pose, SCALE, (400, 400))
    assert hung is not None
    return float(hung[1].sum())


@pytest.mark.parametrize("angle_deg", [45, 90, 135, 180, 225, 270, 315])
def test_it_hangs_as_wide_whichever_way_is_up(angle_deg: float) -> None:
    a = np.radians(angle_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    upright = joints(45) + np.array([104, 60])
    turned = (upright - 200) @ turn.T + 200
    assert area(turned) == pytest.approx(area(upright), rel=0.03)


def test_it_hangs_up_in_a_handstand() -> None:
    hung = draped(found(), joints(45, upside_down=True), SCALE, SIZE)
    assert hung is not None
    assert hung[1][107:150, 96].min() > 0.9
    assert hung[1][175:].max() < 0.05


def test_as_much_cloth_as_there_is() -> None:
    """A skirt that hangs hardly wider than before is as wide as before."""
    skirt, pose = found(), joints(21)
    hung = draped(skirt, pose, SCALE, SIZE)
    assert hung is not None
    for row in (130, 150, 160):
        photo = 40 + 20 * (row - 105) / 65
        assert float(hung[1][row].sum()) == pytest.approx(photo, rel=0.12)


def test_the_photos_lower_edge_is_no_hem() -> None:
    assert skirt_of(*worn(), joints(), SCALE, 256) is not None
    given = worn(hem=200)
    for values in given:
        values[160:] = 0
    assert skirt_of(*given, joints(), SCALE, 160) is None


def test_shoes_of_its_colour_are_not_of_it() -> None:
    image, mask, arms, hanging = worn()
    image[215:226, 78:116], mask[215:226, 78:116] = CLOTH, 1
    skirt = skirt_of(image, mask, arms, hanging, joints(), SCALE)
    assert skirt is not None
    assert skirt.cloth[214:].max() < 0.05


def test_off_the_frame_nothing_breaks() -> None:
    pose = joints(45) + np.array([400, 0])
    hung = draped(found(), pose, SCALE, SIZE)
    assert hung is not None
    assert np.isfinite(hung[0]).all()
    assert not hung[1].any()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("photo", "bottom", "skirt"),
    [
        ("1318", None, True),
        ("0730", None, True),
        ("0511", None, False),
        ("1318", "0511", False),
        ("0511", "1318", True),
    ],
)
def test_real_dresses_stay_dresses_in_strides(
    shared: Path, photo: str, bottom: str | None, skirt: bool
) -> None:
    """Between the thighs there is cloth, and trousers have two legs; whoever's they are."""
    from vunet import Engine

    folder, engine = shared / "data" / "people" / "ccp" / "photos", Engine.load("person")
    base = folder / f"{photo}.jpg"
    if bottom is None:
        result = engine.repose(base, pose="running_left")
    else:
        result = engine.mix(base, {"bottom": folder / f"{bottom}.jpg"}, pose="running_left")
    hips, knees = (
        np.mean([result.pose.point(f"{side}_{joint}") for side in ("left", "right")], axis=0)
        for joint in ("hip", "knee")
    )
    middle = 0.2 * hips[:2] + 0.8 * knees[:2]
    x, y = np.rint(middle).astype(int)
    assert (result.mask[y, x] > 200) == skirt


@pytest.mark.shared
@pytest.mark.parametrize("more", [1, 3])
def test_a_skirt_of_several_photos_hangs_once(shared: Path, more: int) -> None:
    """Further photos of somebody, here the same, make the picture neither break nor double."""
    from vunet import Engine

    photo, engine = (
        shared / "data" / "people" / "ccp" / "photos" / "1318.jpg",
        Engine.load("person"),
    )
    once = engine.repose(photo, pose="running_left")
    twice = engine.repose(photo, pose="running_left", also=[photo] * more)
    off = np.abs(once.image.astype(float) - twice.image).mean(2)[once.mask > 200]
    assert np.median(off) < 3
    invented = [float(r.invented[once.mask > 200].mean()) for r in (once, twice)]
    assert invented[1] < invented[0] + 3
