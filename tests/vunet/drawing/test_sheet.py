"""Users' drawings: thick, thin, coloured, scanned, filled in, empty, or a photo."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vunet.drawing.palette import COLOURS, REGIONS
from vunet.drawing.sheet import DrawingError, enclosed, read_sheet

SIZE = (256, 192)
Photo = Callable[..., tuple[np.ndarray, np.ndarray]]


def outline(
    size: tuple[int, int] = (400, 300),
    pen: int = 3,
    ink: tuple[int, int, int] = (0, 0, 0),
    paper: tuple[int, int, int] = (255, 255, 255),
    scale: float = 1.0,
) -> np.ndarray:
    """A T-shirt drawn with one closed line."""
    canvas = np.full((*size, 3), paper, np.uint8)
    points = np.array(
        [
            *[(-40, -85), (40, -85), (90, -40), (62, -10), (46, -28), (46, 95), (-46, 95)],
            *[(-46, -28), (-62, -10), (-90, -40)],
        ],
        float,
    )
    k = scale * min(size) / 230
    points = points * k + np.array([size[1] / 2, size[0] / 2])
    cv2.polylines(canvas, [points.round().astype(np.int32)], True, ink, pen, cv2.LINE_AA)
    return canvas


def ink_of(picture: np.ndarray) -> np.ndarray:
    return picture.max(2) < 128


def iou_of_insides(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of what two drawings enclose."""

    def inside(ink: np.ndarray) -> np.ndarray:
        filled = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))
        padded = np.pad(filled, 1)
        cv2.floodFill(padded, None, (0, 0), 2)
        return padded[1:-1, 1:-1] != 2

    one, other = inside(a), inside(b)
    return float((one & other).sum() / (one | other).sum())


PLAIN = ink_of(read_sheet(outline(), SIZE, "lines").picture)


@pytest.mark.parametrize(
    "drawing",
    [
        outline(pen=1),
        outline(pen=12),
        outline((1600, 1200), pen=4),
        outline((1600, 1200), pen=40),
        outline(ink=(200, 40, 40)),
        outline(ink=(120, 160, 220), pen=4),
        outline(ink=(235, 235, 235), paper=(20, 40, 30)),  # chalk
    ],
    ids=["thin", "thick", "large", "brush", "red", "pale", "chalk"],
)
def test_pens_and_papers_do_not_matter(drawing: np.ndarray) -> None:
    sheet = read_sheet(drawing, SIZE, "lines")
    assert sheet.picture.shape == (*SIZE, 3)
    assert not sheet.warnings
    assert iou_of_insides(ink_of(sheet.picture), PLAIN) > 0.9
    share = ink_of(sheet.picture).mean()
    assert 0.005 < share < 0.12


def test_a_scan_with_shadows_and_grain_reads_as_the_drawing_itself() -> None:
    drawing = outline((3000, 4000)[::-1][::-1], pen=14).astype(np.float32)
    height, width = drawing.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 0.62 + 0.36 * x / width + 0.02 * np.sin(y / 300)
    grain = np.random.default_rng(0).normal(0, 4, drawing.shape[:2])
    scan = np.clip(drawing * light[..., None] + grain[..., None], 0, 255).astype(np.uint8)
    clean = read_sheet(drawing.astype(np.uint8), SIZE, "lines").picture
    found = read_sheet(scan, SIZE, "lines")
    assert not found.warnings
    assert iou_of_insides(ink_of(found.picture), ink_of(clean)) > 0.9


def test_what_is_filled_in_gives_its_outline() -> None:
    filled = outline(pen=3)
    cv2.floodFill(filled, None, (150, 200), (200, 60, 90))
    sheet = read_sheet(filled, SIZE, "lines")
    assert iou_of_insides(ink_of(sheet.picture), PLAIN) > 0.85
    assert ink_of(sheet.picture).mean() < 0.15


def test_a_small_drawing_in_a_corner_is_brought_near() -> None:
    canvas = np.full((800, 600, 3), 255, np.uint8)
    canvas[40:200, 400:560] = outline((160, 160), pen=2)
    sheet = read_sheet(canvas, SIZE, "lines")
    rows = np.flatnonzero(ink_of(sheet.picture).any(1))
    columns = np.flatnonzero(ink_of(sheet.picture).any(0))
    assert max(np.ptp(rows) / SIZE[0], np.ptp(columns) / SIZE[1]) > 0.6
    x0, y0, x1, y1 = sheet.frame
    assert 350 < x0 < x1 < 620
    assert -20 < y0 < y1 < 260
    assert (x1 - x0) / (y1 - y0) == pytest.approx(SIZE[1] / SIZE[0])


def test_a_large_drawing_keeps_its_place_on_the_canvas() -> None:
    sheet = read_sheet(outline(), SIZE, "lines")
    assert sheet.frame == pytest.approx((0, 0, 300, 400))


@pytest.mark.parametrize(
    ("drawing", "says"),
    [
        (np.full((200, 150, 3), 255, np.uint8), "Nothing is drawn"),
        (np.full((200, 150, 3), 255, np.uint8)[:20], "too small"),
        (np.zeros((200, 150, 3), np.uint8), "Nothing is drawn"),
    ],
    ids=["empty", "tiny", "black"],
)
def test_what_cannot_be_drawn_from_is_said(drawing: np.ndarray, says: str) -> None:
    with pytest.raises(DrawingError, match=says):
        read_sheet(drawing, SIZE, "lines")


def test_a_dot_is_no_drawing() -> None:
    canvas = np.full((400, 300, 3), 255, np.uint8)
    cv2.circle(canvas, (150, 200), 3, (0, 0, 0), -1)
    with pytest.raises(DrawingError, match="dot"):
        read_sheet(canvas, SIZE, "lines")


def test_a_photo_is_traced_and_that_is_said(photo: Photo) -> None:
    image, _ = photo(3)
    rng = np.random.default_rng(1)
    image = np.clip(image + rng.normal(0, 30, image.shape), 0, 255).astype(np.uint8)
    sheet = read_sheet(image, SIZE, "lines")
    assert any("photo" in note for note in sheet.warnings)
    assert ink_of(sheet.picture).any()


def test_painted_regions_keep_their_colours_and_place() -> None:
    canvas = np.full((256, 192, 3), 255, np.uint8)
    canvas[40:60, 80:110] = REGIONS["hair"]
    red, green, blue = REGIONS["top"]
    canvas[60:150, 60:130] = (red + 8, green - 6, blue + 5)  # as a JPEG gives it back
    canvas[150:235, 65:125] = REGIONS["trousers"]
    sheet = read_sheet(canvas, SIZE, "regions")
    picture = sheet.picture.astype(int)
    for place, name in (((50, 95), "hair"), ((100, 95), "top"), ((190, 95), "trousers")):
        assert picture[place].tolist() == list(REGIONS[name])
    known = {tuple(c) for c in COLOURS.tolist()}
    flat = {tuple(c) for c in picture.reshape(-1, 3).tolist()}
    assert flat <= known


def test_black_lines_between_regions_stay() -> None:
    canvas = np.full((256, 192, 3), 255, np.uint8)
    canvas[40:220, 40:150] = REGIONS["top"]
    cv2.rectangle(canvas, (40, 40), (150, 220), (0, 0, 0), 3)
    sheet = read_sheet(canvas, SIZE, "regions")
    assert ink_of(sheet.picture)[40:221, 38:43].any(1).mean() > 0.9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(32, 400), st.integers(32, 400))
def test_whatever_is_given_is_read_or_refused_in_words(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if seed % 3 == 0:
        image = cv2.GaussianBlur(image, (0, 0), 5)
    if seed % 3 == 1:
        image = np.where(image[..., :1] > 250, 0, 255).astype(np.uint8).repeat(3, 2)
    for shape in ("lines", "regions", "picture"):
        try:
            sheet = read_sheet(image, SIZE, shape)
        except DrawingError as error:
            assert str(error).endswith(".")  # noqa: PT017 - or read
        else:
            assert sheet.picture.shape == (*SIZE, 3)
            assert sheet.picture.dtype == np.uint8


def test_what_lines_enclose_is_found_across_gaps_and_open_drawings_enclose_nothing() -> None:
    picture = read_sheet(outline(), SIZE, "lines").picture
    whole = enclosed(picture)
    assert whole is not None
    assert whole[128, 96]
    assert not whole[3, 3]
    gap = picture.copy()
    gap[120:124] = 255  # both sides are open for 4 px
    bridged = enclosed(gap)
    assert bridged is not None
    assert (bridged & whole).sum() / (bridged | whole).sum() > 0.97
    open_one = picture.copy()
    open_one[90:170] = 255
    assert enclosed(open_one) is None
    assert enclosed(np.full((256, 192, 3), 255, np.uint8)) is None


@pytest.mark.parametrize("width", [1, 5, 9, 13])
def test_things_end_in_the_middle_of_a_stroke_however_wide_the_pen(width: int) -> None:
    picture = np.full((256, 192, 3), 255, np.uint8)
    cv2.rectangle(picture, (40, 60), (150, 200), (0, 0, 0), width)
    inside = enclosed(picture)
    assert inside is not None
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    found = np.array([columns[0], rows[0], columns[-1], rows[-1]])
    assert np.abs(found - [40, 60, 150, 200]).max() <= 1


def test_ground_does_not_flow_into_a_thing_through_a_gap_but_between_sleeve_and_body() -> None:
    picture = np.full((256, 192, 3), 255, np.uint8)
    cv2.rectangle(picture, (40, 60), (150, 200), (0, 0, 0), 3)
    cv2.line(picture, (95, 60), (95, 200), (0, 0, 0), 3)  # a zip, behind which nothing flows
    picture[120:130, 30:60] = 255  # 10 px of the left side are missing
    inside = enclosed(picture)
    assert inside is not None
    assert inside[80:190, 50:140].all()
    corners = [(20, 30), (170, 30), (170, 220), (120, 220), (96, 90), (72, 220), (20, 220)]
    trousers = np.full((256, 192, 3), 255, np.uint8)
    cv2.polylines(trousers, [np.array(corners)], True, (0, 0, 0), 3)
    inside = enclosed(trousers)
    assert inside is not None
    assert not inside[210, 96]
    assert not inside[150, 96]
    assert inside[60, 96]
