"""Draws the twelve figures of this folder with a mouse on an HTML canvas, and writes them down.

    python -m tests.pose.scribbles.pointer

run in the repository's root. Chromium's own mouse is moved, button down, along strokes that were
laid out by hand, one by one, as somebody in a hurry would draw them: heads that do not close or
close too far, limbs that start beside the trunk or cross it, lines that bow and tremble, fast
strokes with few points and slow ones with many. The canvas draws as drawing pages do: a line with
round ends from one pointer event to the next, on a transparent ground, put on white in the end.
Nothing here is shared with the generated figures. `drawn.json` holds the joints that were meant.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
Points = list[tuple[float, float]]

PAGE = """
<body style="margin:0"><canvas id="c"></canvas><script>
const canvas = document.getElementById("c"), pen = canvas.getContext("2d");
let last = null;
function start(width, height, colour, size) {
  canvas.width = width; canvas.height = height;
  pen.strokeStyle = pen.fillStyle = colour; pen.lineWidth = size;
  pen.lineCap = pen.lineJoin = "round";
}
function to(event) {
  const at = [event.offsetX, event.offsetY];
  pen.beginPath(); pen.moveTo(...(last || at)); pen.lineTo(...at); pen.stroke(); last = at;
}
canvas.addEventListener("pointerdown", event => to(event));
canvas.addEventListener("pointermove", event => { if (event.buttons) to(event); });
addEventListener("pointerup", () => { last = null; });
</script></body>
"""


@dataclass(frozen=True)
class Drawing:
    """One figure: x, y in pixels of a canvas of 480 x 640, or 640 x 480 where `wide`."""

    head: tuple[float, float, float]
    """x, y and radius."""
    neck: tuple[float, float]
    pelvis: tuple[float, float]
    right: Points
    """Elbow, wrist, knee and ankle of the person's right, which is on the picture's left where it
    faces us."""
    left: Points
    strokes: list[Points]
    """All strokes but the head's."""
    colour: str = "#000000"
    pen: int = 5
    turn: tuple[float, float] = (0.0, 350.0)
    """Degrees at which the head's line begins and by which it goes round; 0 is up, clockwise."""
    squash: float = 1.0
    """Width of the head over its height."""
    scribbled: bool = False
    """Whether the head is filled, by hatching to and fro."""
    wide: bool = False
    in_profile: bool = False
    tremor: float = 1.2
    """Of the hand, in pixels."""


DRAWINGS = {
    "standing": Drawing(
        (238, 92, 46), (240, 175), (243, 352),
        [(172, 236), (140, 318), (196, 462), (170, 590)],
        [(306, 240), (352, 300), (284, 466), (318, 584)],
        [
            [(240, 140), (237, 220), (245, 300), (242, 356)],
            [(238, 176), (204, 202), (172, 236), (152, 282), (140, 318)],
            [(246, 172), (282, 210), (306, 240), (334, 272), (352, 300)],
            [(245, 350), (214, 410), (196, 462), (180, 530), (170, 590)],
            [(240, 346), (268, 414), (284, 466), (304, 530), (318, 584)],
        ],
        turn=(20, 392),
    ),
    "waving": Drawing(
        (212, 120, 40), (216, 205), (208, 372),
        [(138, 262), (110, 340), (172, 480), (150, 596)],
        [(300, 192), (330, 98), (254, 474), (276, 600)],
        [
            [(213, 162), (218, 230), (212, 320), (207, 380)],
            [(222, 208), (176, 232), (138, 262), (122, 300), (110, 340)],
            [(211, 210), (256, 204), (300, 192), (318, 142), (330, 98)],
            [(206, 374), (188, 424), (172, 480), (158, 540), (150, 596)],
            [(210, 366), (234, 420), (254, 474), (266, 540), (276, 600)],
        ],
        colour="#1f5fbf", pen=9, turn=(190, 318), tremor=1.8,
    ),
    "cheering": Drawing(
        (326, 112, 34), (324, 178), (320, 300),
        [(258, 140), (236, 62), (278, 366), (262, 446)],
        [(392, 142), (420, 58), (364, 368), (386, 448)],
        [
            [(325, 148), (322, 200), (324, 260), (319, 306)],
            [(236, 62), (244, 100), (258, 140), (290, 164), (324, 178), (360, 164), (392, 142),
             (408, 100), (420, 58)],
            [(262, 446), (268, 404), (278, 366), (300, 332), (320, 300), (344, 336), (364, 368),
             (376, 410), (386, 448)],
        ],
        colour="#c62828", pen=4, turn=(80, 328), wide=True,
    ),
    "hands_on_hips": Drawing(
        (240, 84, 44), (240, 168), (238, 348),
        [(148, 250), (228, 330), (188, 470), (166, 600)],
        [(336, 246), (250, 334), (290, 470), (322, 596)],
        [
            [(240, 130), (242, 200), (236, 290), (238, 350)],
            [(242, 166), (192, 204), (148, 250), (188, 292), (226, 328)],
            [(238, 170), (290, 204), (336, 246), (294, 290), (252, 334)],
            [(238, 350), (210, 410), (188, 470), (176, 534), (166, 600)],
            [(237, 346), (268, 410), (290, 470), (306, 534), (322, 596)],
        ],
        colour="#333333", pen=6, turn=(340, 385),
    ),
    "t_pose_filled": Drawing(
        (318, 92, 36), (320, 168), (322, 302),
        [(236, 172), (150, 164), (286, 376), (270, 452)],
        [(404, 166), (494, 174), (360, 378), (372, 456)],
        [
            [(318, 124), (322, 190), (318, 250), (322, 304)],
            [(150, 164), (236, 172), (320, 168), (404, 166), (494, 174)],
            [(324, 300), (304, 338), (286, 376), (278, 414), (270, 452)],
            [(320, 298), (342, 338), (360, 378), (366, 418), (372, 456)],
        ],
        colour="#6a1b9a", pen=8, scribbled=True, wide=True, turn=(0, 365),
    ),
    "running": Drawing(
        (386, 86, 34), (366, 150), (322, 272),
        [(300, 190), (252, 236), (240, 330), (150, 322)],
        [(430, 206), (486, 166), (408, 320), (396, 424)],
        [
            [(378, 118), (366, 156), (346, 212), (320, 276)],
            [(368, 152), (334, 168), (300, 190), (276, 212), (252, 236)],
            [(362, 152), (398, 180), (430, 206), (460, 188), (486, 166)],
            [(324, 270), (282, 298), (240, 330), (196, 328), (150, 322)],
            [(318, 270), (364, 292), (408, 320), (404, 372), (396, 424)],
        ],
        colour="#00695c", pen=6, wide=True, in_profile=True, turn=(150, 330), squash=0.92,
    ),
    "sitting_on_nothing": Drawing(
        (196, 132, 42), (202, 214), (206, 378),
        [(262, 262), (322, 236), (330, 376), (338, 520)],
        [(232, 300), (300, 324), (312, 424), (292, 566)],
        [
            [(198, 174), (200, 230), (208, 310), (205, 382)],
            [(202, 214), (232, 240), (262, 262), (292, 250), (322, 236)],
            [(203, 222), (216, 262), (232, 300), (266, 314), (300, 324)],
            [(204, 376), (268, 372), (330, 376), (336, 448), (338, 520)],
            [(206, 380), (260, 402), (312, 424), (302, 496), (292, 566)],
        ],
        colour="#ef6c00", pen=5, in_profile=True, turn=(200, 356),
    ),
    "arms_crossed": Drawing(
        (240, 90, 48), (241, 178), (238, 370),
        [(156, 236), (318, 288), (192, 478), (172, 604)],
        [(326, 244), (162, 306), (286, 480), (304, 606)],
        [
            [(239, 148), (243, 210), (238, 300), (239, 374)],
            [(244, 176), (198, 202), (156, 236), (236, 264), (318, 288)],
            [(238, 180), (286, 208), (326, 244), (244, 276), (162, 306)],
            [(240, 368), (212, 424), (192, 478), (180, 540), (172, 604)],
            [(236, 370), (264, 424), (286, 480), (296, 544), (304, 606)],
        ],
        pen=5, turn=(10, 358),
    ),
    "one_arm_across": Drawing(
        (250, 100, 40), (248, 186), (244, 356),
        [(170, 244), (134, 324), (212, 470), (196, 592)],
        [(328, 252), (176, 330), (290, 468), (306, 590)],
        [
            [(251, 124), (248, 200), (242, 300), (245, 360)],
            [(248, 186), (208, 214), (170, 244), (152, 284), (134, 324)],
            [(248, 188), (290, 220), (328, 252), (252, 294), (176, 330)],
            [(244, 358), (226, 414), (212, 470), (204, 530), (196, 592)],
            [(243, 352), (268, 410), (290, 468), (298, 530), (306, 590)],
        ],
        colour="#1565c0", pen=3, turn=(300, 325), squash=1.1,
    ),
    "star_jump_thick": Drawing(
        (240, 130, 50), (240, 220), (240, 370),
        [(160, 200), (70, 140), (170, 450), (86, 560)],
        [(322, 204), (412, 138), (312, 448), (400, 556)],
        [
            [(240, 180), (242, 240), (239, 310), (240, 376)],
            [(242, 222), (200, 212), (160, 200), (116, 172), (70, 140)],
            [(236, 222), (282, 214), (322, 204), (368, 170), (412, 138)],
            [(242, 368), (206, 410), (170, 450), (126, 504), (86, 560)],
            [(238, 366), (276, 408), (312, 448), (358, 504), (400, 556)],
        ],
        colour="#2e7d32", pen=14, turn=(0, 362), tremor=2.0,
    ),
    "kicking_gaps": Drawing(
        (190, 120, 42), (198, 202), (214, 356),
        [(130, 246), (86, 196), (196, 480), (192, 602)],
        [(264, 252), (330, 224), (310, 352), (412, 336)],
        [
            [(194, 166), (198, 206), (206, 280)],
            [(207, 288), (212, 340), (214, 358)],
            [(194, 204), (160, 226), (130, 246)],
            [(128, 242), (106, 218), (86, 196)],
            [(204, 206), (234, 230), (264, 252), (296, 240), (330, 224)],
            [(213, 362), (206, 420), (196, 480), (194, 540), (192, 602)],
            [(220, 357), (266, 356), (310, 352), (362, 346), (412, 336)],
        ],
        colour="#ad1457", pen=5, turn=(230, 305),
    ),
    "dancing_with_feet": Drawing(
        (262, 96, 42), (252, 178), (234, 344),
        [(176, 166), (128, 236), (164, 436), (196, 560)],
        [(316, 240), (388, 206), (306, 430), (330, 574)],
        [
            [(258, 140), (250, 200), (240, 280), (233, 350)],
            [(254, 180), (214, 172), (176, 166), (150, 200), (128, 236)],
            [(250, 178), (284, 210), (316, 240), (352, 222), (388, 206)],
            [(236, 342), (198, 390), (164, 436), (182, 500), (196, 560), (160, 566)],
            [(232, 344), (270, 388), (306, 430), (318, 504), (330, 574), (368, 578)],
        ],
        colour="#4e342e", pen=6, turn=(60, 368), squash=0.9,
    ),
}  # fmt: skip


def by_hand(points: Points, tremor: float, rng: np.random.Generator) -> np.ndarray:
    """(N, 2) pointer places of a stroke: near the line through points, at uneven speed."""
    given = np.array(points, float)
    given[[0, -1]] += rng.normal(0, 2.5 * tremor, (2, 2))  # begun and ended a little off
    places = np.cumsum([0.0, *np.hypot(*np.diff(given, axis=0).T)])
    steps = rng.uniform(3, 13, 400) * rng.choice([0.7, 1.0, 1.6])  # pixels from event to event
    way = np.concatenate([[0.0], np.cumsum(steps)])
    way = np.append(way[way < places[-1]], places[-1])
    line = np.stack([np.interp(way, places, given[:, i]) for i in (0, 1)], axis=1)
    shake = np.cumsum(rng.normal(0, 1, line.shape), axis=0)
    shake -= np.linspace(0, 1, len(line))[:, None] * shake[-1]  # hands come back to their line
    shake *= tremor * 3 / max(1.0, float(np.abs(shake).max()))
    return line + shake + rng.normal(0, 0.4 * tremor, line.shape)


def head_line(drawing: Drawing) -> Points:
    """Round the head, not quite a circle, with hatching where it is filled."""
    x, y, radius = drawing.head
    start, sweep = drawing.turn
    turn = np.radians(start + np.linspace(0, sweep, 40))
    drift = radius * (1 + 0.06 * np.sin(turn + 1) + 0.14 * np.linspace(-0.5, 0.5, 40))
    ring = np.stack(
        [x + drawing.squash * drift * np.sin(turn), y - drift / drawing.squash * np.cos(turn)], 1
    )
    line = [(float(a), float(b)) for a, b in ring]
    if drawing.scribbled:
        for i, row in enumerate(np.arange(-radius + 4, radius - 3, 0.6 * drawing.pen)):
            half = np.sqrt(max(radius**2 - row**2, 0.0)) * (1 if i % 2 else -1)
            line += [(x - half, y + row), (x + half, y + row)]
    return line


def draw(page: Page, drawing: Drawing, rng: np.random.Generator) -> Image.Image:
    """Move the mouse along all strokes; the canvas, flattened on white."""
    width, height = (640, 480) if drawing.wide else (480, 640)
    page.evaluate(
        "([w, h, c, p]) => start(w, h, c, p)", [width, height, drawing.colour, drawing.pen]
    )
    for stroke in [head_line(drawing), *drawing.strokes]:
        places = by_hand(stroke, drawing.tremor, rng)
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()
    url = page.evaluate("() => canvas.toDataURL('image/png')")
    picture = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def joints(drawing: Drawing) -> dict[str, tuple[float, float]]:
    """Of the figure that was meant, in pixels."""
    names = ("elbow", "wrist", "knee", "ankle")
    found = {"head": drawing.head[:2], "neck": drawing.neck, "pelvis": drawing.pelvis}
    for side, points in (("right", drawing.right), ("left", drawing.left)):
        found |= {f"{side}_{name}": at for name, at in zip(names, points, strict=True)}
    return found


def main() -> None:
    """Write the pictures and `drawn.json`."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    told = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 700, "height": 700})
        page.set_content(PAGE)
        for number, (name, drawing) in enumerate(DRAWINGS.items()):
            picture = draw(page, drawing, np.random.default_rng([number, 5]))
            picture.save(HERE / f"{name}.png", optimize=True)
            told[name] = {
                "joints": joints(drawing),
                "radius": drawing.head[2],
                "in_profile": drawing.in_profile,
            }
        browser.close()
    (HERE / "drawn.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
