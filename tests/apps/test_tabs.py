"""The tabs of the page in a browser: edit, scribble, mix; and what programs may ask of them."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.errors import UsageError
from apps.pad import MAX_POINTS, SIZE, blank, drawing_of
from apps.scribble_pad import figure_lines
from pose.convert import convert
from pose.formats import read_poses
from pose.presets import PRESETS
from pose.skeletons import COCO17, OPENPOSE18, OPENPOSE25
from vunet.images import read_image

pytestmark = [
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WIDE, PHONE = (1280, 900), (375, 800)
HEAD = [
    (0.5 + 0.07 * math.cos(t / 20 * math.tau), 0.16 + 0.055 * math.sin(t / 20 * math.tau))
    for t in range(21)
]
FIGURE = [
    HEAD,
    [(0.5, 0.21), (0.5, 0.55)],
    [(0.5, 0.27), (0.34, 0.2), (0.3, 0.05)],
    [(0.5, 0.27), (0.64, 0.36), (0.72, 0.48)],
    [(0.5, 0.55), (0.42, 0.73), (0.4, 0.93)],
    [(0.5, 0.55), (0.6, 0.72), (0.63, 0.92)],
]
"""Strokes of a stick figure that raises its right hand, in shares of the paper."""


def drawing() -> dict[str, Any]:
    """The figure as the pad's value."""
    h, w = SIZE
    strokes = [{"width": 6, "rub": False, "points": [[x * w, y * h] for x, y in s]} for s in FIGURE]
    return {**blank(), "strokes": strokes}


def scribble(page: Any) -> None:
    """Draw the figure with the mouse."""
    box = page.locator("#scribble-pad canvas").bounding_box()
    for stroke in FIGURE:
        (x, y), *rest = (
            (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke
        )
        page.mouse.move(x, y)
        page.mouse.down()
        for to in rest:
            page.mouse.move(*to, steps=5)
        page.mouse.up()


def joint(page: Any, name: str) -> Any:
    """The handle of a joint in the editor."""
    return page.locator(f"#pose-editor [aria-label='{name}']").first


def rests(place: Any) -> None:
    """Wait until something is in view and no longer moves."""
    place.scroll_into_view_if_needed()
    place.hover(trial=True)


def middle(place: Any) -> np.ndarray:
    """(2,) where something is on the screen."""
    box = place.bounding_box()
    return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])


# -- the drawing ---------------------------------------------------------------------------------


def test_strokes_become_a_picture() -> None:
    image = drawing_of(drawing())
    assert image.shape == (*SIZE, 3)
    assert image.dtype == np.uint8
    assert 0.005 < (image < 128).mean() < 0.05
    rubbed = drawing()
    rubbed["strokes"].append({"width": 100, "rub": True, "points": [[240, 0], [240, 640]]})
    assert (drawing_of(rubbed) < 128).sum() < (image < 128).sum()
    assert (drawing_of(blank()) == 255).all()


@pytest.mark.parametrize(
    "strokes",
    [
        None,
        "x",
        [3],
        [{}],
        [{"width": 6, "points": []}],
        [{"width": 6, "points": [[1]]}],
        [{"width": 6, "points": [["a", "b"]]}],
        [{"width": math.nan, "points": [[1, 2]]}],
        [{"width": 6, "points": [[math.inf, 2]]}],
        [{"width": 6, "points": [[1, 2]] * (MAX_POINTS + 1)}],
    ],
)
def test_damaged_drawings_are_told_in_a_sentence(strokes: Any) -> None:
    with pytest.raises(UsageError, match="drawing"):
        drawing_of({"strokes": strokes})


def test_far_points_and_thick_pens_do_no_harm() -> None:
    value = {"strokes": [{"width": 1e9, "points": [[-1e18, 5], [1e18, 5]]}]}
    assert drawing_of(value).shape == (*SIZE, 3)


def test_what_was_understood_is_laid_over_in_colours_of_its_sides() -> None:
    lines = figure_lines(PRESETS["standing"])
    assert len({line[4] for line in lines}) == 3
    json.dumps(lines, allow_nan=False)


# -- in the browser ------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_a_dragged_joint_moves_figure_and_person(visit: Any, photo: Path) -> None:
    page = visit.page
    visit.give_photo(photo)
    visit.open("Pose editor")
    wrist = joint(page, "left wrist")
    wrist.wait_for()
    page.wait_for_selector("#editor-live img")
    rests(wrist)
    page.get_by_label("Keep limb lengths").uncheck()
    before, first = middle(wrist), visit.source("editor-live")
    page.mouse.move(*before)
    page.mouse.down()
    page.mouse.move(*np.add(before, (40, -40)), steps=8)
    visit.await_another("editor-live", first)  # while the button is still down
    page.mouse.move(*np.add(before, (57, -57)), steps=4)
    page.mouse.up()
    np.testing.assert_allclose(middle(wrist) - before, (57, -57), atol=3)  # 80 px
    page.get_by_role("button", name="Undo").first.click()
    page.wait_for_function(
        "([x, y]) => { const b = document.querySelector(\"#pose-editor [aria-label='left wrist']\")"
        ".getBoundingClientRect(); return Math.hypot(b.x + b.width / 2 - x, b.y + b.height / 2 - y)"
        " < 2; }",
        arg=before.tolist(),
    )
    assert visit.overflow() <= 0
    visit.keep("editor")
    page.click("#editor-go")
    page.wait_for_selector("#editor-result img")
    assert visit.shown("editor-result").shape == read_image(photo).shape
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.browser
@pytest.mark.slow
def test_an_exported_pose_comes_back_the_same(visit: Any, photo: Path, tmp_path: Path) -> None:
    page = visit.page
    visit.give_photo(photo)
    visit.open("Pose editor")
    joint(page, "left wrist").wait_for()
    page.get_by_role("button", name="Mirror").click()
    page.get_by_text("Import and export").click()

    def exported() -> Path:
        links = "#exported a[download$='.json']"
        before = (
            page.locator(links).first.get_attribute("href") if page.query_selector(links) else ""
        )
        page.click("#export-pose")
        page.wait_for_function(
            "([links, before]) => { const a = document.querySelector(links);"
            " return a && a.offsetParent && a.getAttribute('href') !== before; }",
            arg=[links, before],
        )
        with page.expect_download() as download:
            page.locator(links).first.click()
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        download.value.save_as(path)
        return path

    def await_new_pose() -> None:
        """One that Python sets has no history."""
        page.wait_for_selector("#pose-editor [aria-label='Undo'][aria-disabled='true']")

    first = exported()
    page.click("#detected")
    await_new_pose()
    page.get_by_role("button", name="Mirror").click()
    page.wait_for_selector("#pose-editor [aria-label='Undo'][aria-disabled='false']")
    visit.give("import-pose", first)
    await_new_pose()
    (one,), (two,) = read_poses(first), read_poses(exported())
    np.testing.assert_allclose(one.keypoints, two.keypoints, atol=0.02)
    shoulders = [one.skeleton.index[f"{side}_shoulder"] for side in ("left", "right")]
    left, right = two.keypoints[shoulders, 0]
    assert left > right  # seen from the front still


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_a_scribbled_figure_becomes_a_person(visit: Any, photo: Path) -> None:
    page = visit.page
    visit.give_photo(photo)
    visit.open("Scribble")
    rests(page.locator("#scribble-pad canvas"))
    scribble(page)
    page.wait_for_selector("#scribble-live img")
    page.locator("#scribble-understood").get_by_text("taken to face").wait_for()
    assert visit.overflow() <= 0
    visit.keep("scribble")
    first = visit.source("scribble-live")
    page.get_by_label("Swap left and right").check()
    visit.await_another("scribble-live", first)
    page.get_by_label("Swap left and right").uncheck()
    page.click("#scribble-go")
    page.wait_for_selector("#scribble-result img")
    assert visit.shown("scribble-result").shape == read_image(photo).shape
    page.click("#scribble-correct")
    wrist, shoulder = joint(page, "right wrist"), joint(page, "right shoulder")
    wrist.wait_for()
    page.wait_for_function(
        "() => { const at = n => document.querySelector(`#pose-editor [aria-label='${n}']`)"
        "?.getBoundingClientRect().y; return at('right wrist') < at('right shoulder'); }"
    )
    assert middle(wrist)[1] < middle(shoulder)[1]  # the raised hand


@pytest.mark.browser
@pytest.mark.slow
def test_half_a_figure_says_what_is_missing(visit: Any) -> None:
    page = visit.page
    visit.open("Scribble")
    box = page.locator("#scribble-pad canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 70, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "() => document.querySelector('#scribble-understood').innerText.trim().length > 20"
    )
    assert "Traceback" not in page.content()
    page.get_by_role("button", name="Clear").click()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_looks_are_mixed(visit: Any, photo: Path, other_photo: Path) -> None:
    page = visit.page
    visit.give_photo(photo)
    visit.open("Mix")
    visit.give("lend-top", other_photo)
    page.wait_for_selector("#mix-live img")
    first = visit.source("mix-live")
    page.locator("#strength-top input[type=number]").fill("0.3")
    page.locator("#strength-top input[type=number]").press("Enter")
    visit.await_another("mix-live", first)
    assert visit.overflow() <= 0
    visit.keep("mix")
    page.click("#mix-go")
    page.wait_for_selector("#mix-result img")
    assert visit.shown("mix-result").shape == read_image(photo).shape
    page.get_by_text("Surprise me: people").click()
    page.click("#surprise")
    page.wait_for_selector("#samples img")
    assert page.locator("#samples img").count() >= 6


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GIF of two seconds in which a ControlNet figure goes from one preset to another."""
    from PIL import Image

    from pose.stick import draw_controlnet

    one, two = PRESETS["standing"], PRESETS["waving"]
    assert one.size is not None
    frames = []
    for share in np.linspace(0, 1, 20):
        points = (1 - share) * one.keypoints + share * two.keypoints
        pose = dataclasses.replace(one, keypoints=points)
        frames.append(Image.fromarray(draw_controlnet(pose, one.size)).resize((270, 360)))
    path = tmp_path_factory.mktemp("moving") / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)
    return path


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
def test_a_sequence_becomes_a_film_that_plays(visit: Any, photo: Path, moving: Path) -> None:
    page = visit.page
    visit.give_photo(photo)
    visit.open("Sequence")
    visit.give("film", moving)
    page.get_by_text("moving.gif").first.wait_for()
    page.click("#sequence-go")
    page.wait_for_selector("#sequence-live img")
    page.wait_for_function("() => document.querySelector('#sequence-film video')?.readyState >= 3")
    page.wait_for_function("() => document.querySelector('#sequence-film video').currentTime > 0.2")
    seconds = page.evaluate("() => document.querySelector('#sequence-film video').duration")
    assert seconds == pytest.approx(2, abs=0.3)
    assert visit.overflow() <= 0
    visit.keep("sequence")
    assert visit.hosts == {"127.0.0.1"}


@pytest.mark.browser
@pytest.mark.slow
def test_a_film_is_cancelled(visit: Any, photo: Path) -> None:
    page = visit.page
    visit.give_photo(photo)
    visit.open("Sequence")
    page.get_by_label("Presets in turn").check()
    page.click("#sequence-go")
    page.wait_for_selector("#sequence-live img")
    page.click("#sequence-stop")
    page.get_by_text("A film appears only when it is whole").wait_for()
    # the engine is free again
    visit.open("Re-pose")
    page.click("#go")
    page.wait_for_selector("#result img")
    visit.open("Sequence")
    assert page.locator("#sequence-film video").count() == 0


@pytest.mark.browser
@pytest.mark.slow
def test_an_edit_is_drawn_once_and_in_the_open_tab_alone(visit: Any, photo: Path) -> None:
    page, asked = visit.page, []
    visit.give_photo(photo)
    page.get_by_text("Person found").wait_for()
    visit.open("Mix")
    visit.open("Pose editor")
    page.wait_for_selector("#editor-live img")
    joint(page, "left wrist").wait_for()
    page.on("request", lambda call: asked.append(call) if "/queue/join" in call.url else None)
    first = visit.source("editor-live")
    page.get_by_role("button", name="Mirror").click()
    visit.await_another("editor-live", first)
    first = visit.source("editor-live")
    page.get_by_role("button", name="Undo").first.click()
    visit.await_another("editor-live", first)
    assert len(asked) == 2
    page.get_by_text("Background and settings").click()
    first = visit.source("editor-live")
    page.get_by_label("Plain grey").check()
    visit.await_another("editor-live", first)
    assert page.locator("#mix-live img, #scribble-live img").count() == 0


# -- for programs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_tab_has_a_documented_endpoint(client: Any) -> None:
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {
        "/repose",
        "/edit_pose",
        "/import_pose",
        "/export_pose",
        "/scribble",
        "/mix",
        "/sample",
        "/sequence",
        "/draw",
        "/face",
        "/find",
        "/add_photos",
    }
    for endpoint in named.values():
        assert endpoint["description"]
        for parameter in endpoint["parameters"]:
            assert not parameter["parameter_name"].startswith("param_")


@pytest.mark.slow
def test_programs_scribble_edit_mix_and_sample(client: Any, photo: Path, other_photo: Path) -> None:
    from gradio_client import handle_file

    from apps.editor import value_of

    shape = read_image(photo).shape
    picture, notes, *_ = client.predict(
        photo=handle_file(photo), drawing=drawing(), api_name="/scribble"
    )
    assert read_image(picture).shape == shape
    assert "taken to face" in notes
    value = value_of(PRESETS["waving"], None)
    edited, *_ = client.predict(photo=handle_file(photo), editor=value, api_name="/edit_pose")
    assert read_image(edited).shape[:2] == PRESETS["waving"].size
    files = client.predict(editor=value, kind="COCO", api_name="/export_pose")
    assert len(read_poses(files[0])) == 1
    mixed, *_ = client.predict(
        photo=handle_file(photo), top=handle_file(other_photo), api_name="/mix"
    )
    assert read_image(mixed).shape == shape
    people = client.predict(pose="sitting", temperature=0.5, seed=3, api_name="/sample")
    assert len(people) == 6


@pytest.mark.slow
def test_programs_make_films(client: Any, photo: Path, moving: Path, tmp_path: Path) -> None:
    from gradio_client import handle_file

    job = client.submit(
        photo=handle_file(photo), film=handle_file(moving), seconds=0.5, api_name="/sequence"
    )
    film, *_ = job.result()
    path = film["video"] if isinstance(film, dict) else film
    assert Path(path).read_bytes()[4:8] == b"ftyp"
    bad = tmp_path / "bad.mp4"
    bad.write_text("no film at all")
    with pytest.raises(Exception, match=r"bad\.mp4"):
        client.predict(photo=handle_file(photo), film=handle_file(bad), api_name="/sequence")


def files_of_other_tools(folder: Path) -> list[Path]:
    """Forty pose files as other tools write them, with joints missing here and there."""
    names = list(PRESETS)
    found = []
    for i in range(40):
        pose = PRESETS[names[i % len(names)]]
        lost = (
            {"left_ear"} if i % 3 == 0 else {"right_wrist", "left_ankle"} if i % 3 == 1 else set()
        )
        height, width = pose.size or (0, 0)
        skeleton = (OPENPOSE18, OPENPOSE25, COCO17)[i % 5 % 3]
        at = convert(pose, skeleton)
        unit = (1.0, 1.0) if i % 4 else (1 / width, 1 / height)
        triples: list[float] = []
        for name, (x, y), sure in zip(skeleton.keypoints, at.keypoints, at.confidence, strict=True):
            gone = name in lost or not math.isfinite(x)
            triples += [0, 0, 0] if gone else [x * unit[0], y * unit[1], max(float(sure), 0.2)]
        person: dict[str, Any] = {"pose_keypoints_2d": triples}
        if skeleton is COCO17:
            made: Any = {
                "keypoints": [
                    v / u for v, u in zip(triples, (*unit, 1.0) * len(skeleton), strict=True)
                ],
                "num_keypoints": 17,
                "width": width,
                "height": height,
            }
        elif i % 2:  # ControlNet and ComfyUI: a list of frames
            person |= {"face_keypoints_2d": None, "hand_left_keypoints_2d": []}
            made = [{"people": [person], "canvas_height": height, "canvas_width": width}]
        else:  # OpenPose itself
            person |= {"person_id": [-1], "pose_keypoints_3d": [], "hand_right_keypoints_2d": []}
            made = {"version": 1.3, "people": [person]}
            made |= {"canvas_height": height, "canvas_width": width}
        path = folder / f"{i:02d}.json"
        path.write_text(json.dumps(made))
        found.append(path)
    return found


@pytest.mark.slow
def test_files_of_other_tools_come_through_without_losing_a_joint(
    client: Any, tmp_path: Path
) -> None:
    from gradio_client import handle_file

    for path in files_of_other_tools(tmp_path):
        value, _ = client.predict(file=handle_file(path), api_name="/import_pose")
        files = client.predict(editor=value, kind="OpenPose", api_name="/export_pose")
        (before,), (after,) = read_poses(path), read_poses(files[0])
        given = convert(before, OPENPOSE18)
        back = convert(after, OPENPOSE18)
        here = given.present
        assert back.present[here].all(), path.read_text()
        apart = np.linalg.norm(back.keypoints - given.keypoints, axis=1)[here]
        assert apart.max() < 0.01 * max(before.size or (1000,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("endpoint", "given"),
    [
        ("/repose", {"kind": "Preset", "preset": "/etc/passwd"}),
        ("/repose", {"kind": "Preset", "preset": "waving", "background": "/etc/passwd"}),
        ("/repose", {"kind": "Editor", "editor": {"size": [1e99, -3]}}),
        ("/repose", {"seed": "x"}),
        ("/sample", {"pose": "sitting", "temperature": "x"}),
        ("/repose", {"background": "A picture of mine"}),
        ("/scribble", {"drawing": {"strokes": "x"}}),
        ("/mix", {"pose": "../../etc/passwd"}),
        ("/sample", {"pose": "/etc/passwd"}),
        ("/export_pose", {"editor": {"size": "x"}, "kind": "COCO"}),
    ],
)
def test_hostile_calls_are_refused_in_words(
    client: Any, photo: Path, endpoint: str, given: dict[str, Any]
) -> None:
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    if endpoint in ("/repose", "/scribble", "/mix"):
        given = {"photo": handle_file(photo), **given}
    with pytest.raises(AppError) as caught:
        client.predict(**given, api_name=endpoint)
    assert "Traceback" not in str(caught.value)
    assert "root:" not in str(caught.value)


@pytest.mark.slow
def test_files_outside_the_apps_folder_are_not_read(
    address: str, photo: Path, tmp_path: Path
) -> None:
    httpx = pytest.importorskip("httpx")
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(photo.read_bytes())
    for meta in ({"meta": {"_type": "gradio.FileData"}}, {}):
        fields = [{"path": str(secret), **meta}, "Preset", None, "waving", None, None, None]
        fields += ["Plain grey", None, "The photo's", True, 1, 0]
        asked = httpx.post(f"{address}gradio_api/call/repose", json={"data": fields})
        events = httpx.get(
            f"{address}gradio_api/call/repose/{asked.json()['event_id']}", timeout=60
        ).text
        assert "event: error" in events
        assert "reposed" not in events
    for path in (secret, Path(__file__), Path("/etc/hostname")):
        assert httpx.get(f"{address}gradio_api/file={path}").status_code in (403, 404)
