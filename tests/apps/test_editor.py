"""The pose editor: its value, and the component in a browser on a page of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.convert import convert
from pose.presets import PRESETS
from pose.skeletons import BODY27, OPENPOSE18
from pose.types import Pose

pytestmark = [
    # gradio's server and Playwright leave sockets and loops to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WIDE, PHONE = (1280, 900), (375, 800)
LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
]
START = PRESETS["waving"]


# -- the value -----------------------------------------------------------------------------------


@st.composite
def body_poses(draw: st.DrawFn) -> Pose:
    """Poses of the inside skeleton, with any joints missing."""
    count = len(BODY27)
    coordinate = st.floats(-1e6, 1e6)
    points = draw(st.lists(st.tuples(coordinate, coordinate), min_size=count, max_size=count))
    confidence = draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    missing = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    size = draw(st.tuples(st.integers(1, 65_535), st.integers(1, 65_535)))
    return Pose(
        BODY27,
        np.where(np.array(missing)[:, None], np.nan, np.array(points)),
        np.where(missing, 0.0, confidence),
        size,
    )


@given(body_poses())
def test_a_pose_survives_the_value(pose: Pose) -> None:
    from apps.editor import pose_of, value_of

    value = value_of(pose, "gradio_api/file=photo.jpg")
    assert pose_of(value) == pose
    assert pose_of(json.loads(json.dumps(value, allow_nan=False))) == pose


def test_other_skeletons_are_converted() -> None:
    from apps.editor import pose_of, value_of

    pose = convert(START, OPENPOSE18)
    assert pose_of(value_of(pose)) == convert(pose, BODY27)


def test_missing_joints_wait_at_a_likely_place() -> None:
    from apps.editor import value_of

    keypoints, confidence = START.keypoints.copy(), START.confidence.copy()
    wrist = BODY27.index["left_wrist"]
    keypoints[wrist], confidence[wrist] = np.nan, 0
    value = value_of(replace(START, keypoints=keypoints, confidence=confidence))
    assert value["hidden"] == ["left_wrist"]
    assert np.isfinite(value["joints"]["left_wrist"]).all()
    keypoints[:], confidence[:] = np.nan, 0
    keypoints[0] = 5, 5
    value = value_of(replace(START, keypoints=keypoints, confidence=confidence))
    assert list(value["joints"]) == ["nose"]
    assert value["hidden"] == []


def test_a_pose_without_a_size_cannot_be_edited() -> None:
    from apps.editor import value_of

    with pytest.raises(ValueError, match="without a size"):
        value_of(replace(START, size=None))


def changed(**parts: Any) -> dict[str, Any]:
    return {"size": [40, 30], "joints": {"nose": [1, 2, 1]}, "hidden": [], **parts}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "no pose in the editor"),
        ("", "no pose in the editor"),
        ("nose", "must be an object"),
        ([], "must be an object"),
        (changed(script="x"), "must be an object with"),
        ({}, "size"),
        (changed(size=[0, 30]), "from 1 to 65535"),
        (changed(size=[40, 1e9]), "from 1 to 65535"),
        (changed(size=[10**400, 30]), "ordinary numbers"),
        (changed(size=[4.5, 30]), "whole pixels"),
        (changed(size="40x30"), r"\[height, width\]"),
        (changed(size=[40, True]), "ordinary numbers"),
        (changed(joints=[1]), "must be an object of name"),
        (changed(joints={"tail": [1, 2, 1]}), "no joint 'tail'"),
        (changed(joints={"x" * 900: [1, 2, 1]}), r"no joint 'x{36}\.\.\."),
        (changed(joints={"nose": [1, 2]}), "nose"),
        (changed(joints={"nose": [1, float("nan"), 1]}), "ordinary numbers"),
        (changed(joints={"nose": [1, float("inf"), 1]}), "ordinary numbers"),
        (changed(joints={"nose": [1, 2e6, 1]}), "far outside"),
        (changed(joints={"nose": [1, "2", 1]}), "ordinary numbers"),
        (changed(joints={"nose": [1, 2, 1.5]}), "from 0 to 1"),
        (changed(joints={"nose": None}), "nose"),
        (changed(hidden="nose"), "list of names"),
        (changed(hidden=[["nose"]]), "no joint"),
        (changed(hidden=["tail"]), "no joint 'tail'"),
        (changed(photo=5), "address"),
        (changed(version=-1), "version"),
        (changed(version="new"), "version"),
    ],
)
def test_broken_values_are_refused_in_words(value: Any, message: str) -> None:
    from apps.editor import pose_of

    with pytest.raises(ValueError, match=message) as refused:
        pose_of(value)
    assert len(str(refused.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
JOINTS = st.dictionaries(st.sampled_from(BODY27.keypoints), st.lists(JSON, max_size=4) | JSON)


@given(
    JSON
    | st.fixed_dictionaries(
        {"size": st.just([40, 30]) | JSON, "joints": JOINTS | JSON},
        optional={"hidden": JSON, "photo": JSON, "version": JSON},
    )
)
def test_any_json_gives_a_pose_or_a_sentence(value: Any) -> None:
    from apps.editor import pose_of

    try:
        pose = pose_of(value)
    except ValueError:
        return
    assert pose.skeleton is BODY27


def test_the_editor_takes_its_own_values_only() -> None:
    from apps.editor import PoseEditor, value_of

    editor = PoseEditor(value_of(START))
    assert editor.postprocess(None) is None
    with pytest.raises(ValueError, match="size"):
        editor.postprocess({"joints": {}})


def test_gradio_leaves_no_stub_beside_the_module() -> None:
    """Type checkers would read it in place of the module."""
    import apps.editor

    assert not Path(apps.editor.__file__).with_suffix(".pyi").exists()


# -- in a browser --------------------------------------------------------------------------------


@dataclass
class Server:
    """A page with nothing but the editor, and what Python hears from it."""

    address: str = ""
    photo_url: str = ""
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    sends_back: bool = False
    """Whether each `input` is answered with the value itself."""


@pytest.fixture(scope="module")
def server(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    import gradio as gr

    from apps.editor import PoseEditor, file_url, value_of

    server = Server()

    def hear(value: dict[str, Any]) -> Any:
        server.heard.append(("input", value))
        return value if server.sends_back else gr.skip()

    with gr.Blocks(analytics_enabled=False) as page:
        editor = PoseEditor(value_of(START), elem_id="editor", label="Pose of the test")
        preset = gr.Button("Preset")
        outside = gr.Button("Outside")
        nothing = gr.Button("Nothing")
        shown = gr.Button("Photo")
        editor.input(hear, editor, editor, trigger_mode="always_last", show_progress="hidden")
        # not "once", gradio's own: it drops what comes while the last is still on its way
        editor.release(
            lambda value: server.heard.append(("release", value)),
            editor,
            None,
            trigger_mode="always_last",
        )
        preset.click(lambda: value_of(PRESETS["sitting"]), None, editor)
        far = replace(START, keypoints=START.keypoints + np.array([9e4, 0]))
        outside.click(lambda: value_of(far), None, editor)
        nothing.click(lambda: None, None, editor)
        shown.click(lambda: value_of(START, server.photo_url), None, editor)
    cached = Path(editor.GRADIO_CACHE) / tmp_path_factory.mktemp("editor").name / "the photo.jpg"
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(photo.read_bytes())
    server.photo_url = file_url(cached)
    page.launch(
        server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, ssr_mode=False, pwa=False
    )
    assert page.local_url is not None
    server.address = page.local_url
    yield server
    page.close(verbose=False)
    cached.unlink()


@dataclass
class Visit:
    """An open page, what it asked for and what went wrong on it."""

    page: Any
    server: Server
    patience_ms: int
    faults: list[str] = field(default_factory=list)

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds in this process."""
        for _ in range(self.patience_ms // 50):
            if condition():
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"nothing came; heard {[kind for kind, _ in self.server.heard]}")

    def edit(self, action: Callable[[], Any]) -> Pose:
        """The pose that Python hears of when an edit is complete."""
        from apps.editor import pose_of

        before = self.count("release")
        action()
        self.until(lambda: self.count("release") > before)
        return pose_of([value for kind, value in self.server.heard if kind == "release"][-1])

    def count(self, kind: str) -> int:
        return sum(heard == kind for heard, _ in self.server.heard)

    def tool(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def joint(self, name: str) -> Any:
        return self.page.locator(f'[data-joint="{name}"]')

    def place(self, control: Any) -> np.ndarray:
        """(2,) x, y of a handle's middle on the screen, in CSS pixels."""
        box = control.locator(".mark").bounding_box()
        return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])

    @property
    def zoom(self) -> float:
        """CSS pixels of the screen per pixel of the picture."""
        return self.page.evaluate("document.querySelector('svg.view').getScreenCTM().a")

    def drag(self, control: Any, by_px: tuple[float, float], steps: int = 8) -> None:
        """With the mouse, by so many CSS pixels."""
        self.drag_from(self.place(control), by_px, steps)

    def drag_from(self, start: np.ndarray, by_px: tuple[float, float], steps: int = 8) -> None:
        mouse, end = self.page.mouse, start + by_px
        mouse.move(*start.tolist())
        mouse.down()
        mouse.move(*end.tolist(), steps=steps)
        mouse.up()


@pytest.fixture
def visit(
    request: pytest.FixtureRequest,
    server: Server,
    open_page: Callable[..., tuple[Any, set[str]]],
    patience_ms: int,
) -> Iterator[Visit]:
    page, hosts = open_page(getattr(request, "param", WIDE), has_touch=True)
    server.heard.clear()
    server.sends_back = False
    visit = Visit(page, server, patience_ms)
    page.on("pageerror", lambda error: visit.faults.append(str(error)))
    page.on("console", lambda said: said.type == "error" and visit.faults.append(str(said.text)))
    page.goto(server.address)
    visit.joint("nose").wait_for()
    yield visit
    assert visit.faults == []
    assert hosts == {"127.0.0.1"}


def lengths(pose: Pose) -> np.ndarray:
    """(8,) of arms and legs, in pixels."""
    return np.array([np.linalg.norm(pose.point(a) - pose.point(b)) for a, b in LIMBS])


def moved(pose: Pose, by: tuple[float, float]) -> np.ndarray:
    return pose.keypoints + np.array(by)


def mirrored(pose: Pose) -> np.ndarray:
    """(27, 2) about the middle of the figure, left and right exchanged."""
    x0, _, x1, _ = pose.box()
    return pose.keypoints[list(BODY27.mirror)] * [-1, 1] + [x0 + x1, 0]


def same(pose: Pose, keypoints: np.ndarray, tolerance_px: float = 0.02) -> bool:
    """Coordinates are sent in hundredths of a pixel."""
    return np.allclose(pose.keypoints, keypoints, atol=tolerance_px, rtol=0)


@pytest.mark.browser
def test_every_joint_has_a_handle_and_every_control_a_name(visit: Visit) -> None:
    names = visit.page.eval_on_selector_all(
        "[data-joint]", "all => all.map(one => [one.dataset.joint, one.ariaLabel])"
    )
    assert {joint for joint, _ in names} == set(BODY27.keypoints)
    assert ["left_wrist", "left wrist"] in names
    assert all(label for _, label in names)
    nameless = visit.page.evaluate(
        """() => [...document.querySelectorAll('#editor button, #editor [role], #editor input')]
            .filter(e => !e.getAttribute('aria-label') && !e.labels?.length)
            .map(e => e.outerHTML)"""
    )
    assert nameless == []
    for name in ("Undo", "Redo", "Mirror", "Hide joint", "Show all", "Reset"):
        assert visit.tool(name).count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("name", ["right_wrist", "left_ankle", "right_elbow", "left_knee"])
def test_dragging_keeps_limb_lengths(visit: Visit, name: str) -> None:
    pose = visit.edit(lambda: visit.drag(visit.joint(name), (-50, -62)))
    assert np.linalg.norm(pose.point(name) - START.point(name)) > 20
    np.testing.assert_allclose(lengths(pose), lengths(START), rtol=0.01)
    rest = [i for i, other in enumerate(BODY27.keypoints) if other[:5] != name[:5]]
    assert np.allclose(pose.keypoints[rest], START.keypoints[rest], atol=0.02)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["left_shoulder", "right_hip", "nose"])
def test_the_trunk_takes_the_limbs_along(visit: Visit, name: str) -> None:
    pose = visit.edit(lambda: visit.drag(visit.joint(name), (24, 14)))
    assert np.linalg.norm(pose.point(name) - START.point(name)) > 10
    np.testing.assert_allclose(lengths(pose), lengths(START), rtol=0.01)
    for side in ("left", "right"):
        ankle = f"{side}_ankle"
        assert np.allclose(pose.point(ankle), START.point(ankle), atol=0.02)


@pytest.mark.browser
def test_a_wrist_within_reach_follows_the_pointer(visit: Visit) -> None:
    shoulder, elbow, wrist = (
        START.point(f"right_{part}") for part in ("shoulder", "elbow", "wrist")
    )
    by = 0.35 * (shoulder - wrist)
    by_px = tuple((by * visit.zoom).tolist())
    pose = visit.edit(lambda: visit.drag(visit.joint("right_wrist"), by_px))
    assert np.allclose(pose.point("right_wrist"), wrist + by, atol=1.5 / visit.zoom)
    hand = np.linalg.norm(START.point("right_index") - wrist)
    assert np.linalg.norm(pose.point("right_index") - pose.point("right_wrist")) == pytest.approx(
        hand, abs=0.05
    )

    def side(at: Callable[[str], np.ndarray]) -> float:
        """On which side of the line from shoulder to wrist the elbow lies."""
        (a, b), (c, d) = (at(f"right_{p}") - at("right_shoulder") for p in ("wrist", "elbow"))
        return float(np.sign(a * d - b * c))

    assert np.linalg.norm(elbow - shoulder) > 0
    assert side(pose.point) == side(START.point)


@pytest.mark.browser
def test_without_limb_lengths_only_the_joint_moves(visit: Visit) -> None:
    visit.page.get_by_label("Keep limb lengths").uncheck()
    by_px = (80.0, -30.0)
    pose = visit.edit(lambda: visit.drag(visit.joint("left_elbow"), by_px))
    elbow = START.point("left_elbow") + np.array(by_px) / visit.zoom
    assert np.allclose(pose.point("left_elbow"), elbow, atol=1.5 / visit.zoom)
    others = [i for i, name in enumerate(BODY27.keypoints) if name != "left_elbow"]
    assert np.allclose(pose.keypoints[others], START.keypoints[others], atol=0.02)
    visit.page.keyboard.down("Shift")
    kept = visit.edit(lambda: visit.drag(visit.joint("right_elbow"), (30, 30)))
    visit.page.keyboard.up("Shift")
    np.testing.assert_allclose(lengths(kept), lengths(pose), rtol=0.01)
    assert not np.allclose(kept.point("right_wrist"), pose.point("right_wrist"), atol=2)


@pytest.mark.browser
def test_undo_redo_and_reset(visit: Visit) -> None:
    assert visit.tool("Undo").is_disabled()
    first = visit.edit(lambda: visit.drag(visit.joint("left_wrist"), (-40, 20)))
    second = visit.edit(lambda: visit.drag(visit.joint("right_knee"), (30, -10)))
    press = visit.page.keyboard.press
    assert same(visit.edit(lambda: visit.tool("Undo").click()), first.keypoints)
    assert same(visit.edit(lambda: press("Control+z")), START.keypoints)
    assert same(visit.edit(lambda: press("Control+Shift+Z")), first.keypoints)
    assert same(visit.edit(lambda: press("Control+y")), second.keypoints)
    assert visit.tool("Redo").is_disabled()
    assert same(visit.edit(lambda: visit.tool("Reset").click()), START.keypoints)
    assert same(visit.edit(lambda: visit.tool("Undo").click()), second.keypoints)


@pytest.mark.browser
def test_mirroring_twice_changes_nothing(visit: Visit) -> None:
    once = visit.edit(lambda: visit.tool("Mirror").click())
    assert same(once, mirrored(START))
    assert np.array_equal(once.confidence, START.confidence[list(BODY27.mirror)])
    twice = visit.edit(lambda: visit.tool("Mirror").click())
    assert same(twice, START.keypoints)
    assert np.array_equal(twice.confidence, START.confidence)


@pytest.mark.browser
def test_hidden_joints_are_missing(visit: Visit) -> None:
    assert visit.tool("Hide joint").is_disabled()
    visit.joint("left_wrist").focus()
    pose = visit.edit(lambda: visit.tool("Hide joint").click())
    assert [BODY27.keypoints[i] for i in np.flatnonzero(~pose.present)] == ["left_wrist"]
    assert visit.joint("left_wrist").get_attribute("aria-description") == "hidden"
    visit.joint("left_wrist").focus()
    assert visit.edit(lambda: visit.page.keyboard.press("Delete")).present.all()
    for name in ("nose", "right_heel"):
        visit.joint(name).focus()
        pose = visit.edit(lambda: visit.page.keyboard.press("Delete"))
    assert (~pose.present).sum() == 2
    assert visit.edit(lambda: visit.tool("Show all").click()).present.all()


@pytest.mark.browser
def test_arrow_keys_move_by_pixels(visit: Visit) -> None:
    visit.page.get_by_label("Keep limb lengths").uncheck()
    visit.joint("right_hip").focus()
    press = visit.page.keyboard.press
    hip = START.point("right_hip")
    one = visit.edit(lambda: press("ArrowRight"))
    assert np.allclose(one.point("right_hip"), np.add(hip, (1, 0)), atol=0.02)
    ten = visit.edit(lambda: press("Shift+ArrowUp"))
    assert np.allclose(ten.point("right_hip"), np.add(hip, (1, -10)), atol=0.02)
    assert same(visit.edit(lambda: press("Control+z")), one.keypoints)
    press("Escape")
    assert visit.tool("Hide joint").is_disabled()


@pytest.mark.browser
@pytest.mark.slow
def test_the_whole_figure_moves_turns_and_scales(visit: Visit) -> None:
    page = visit.page
    frame = page.locator(".whole polygon").first.bounding_box()
    empty = np.array([frame["x"] + 20, frame["y"] + frame["height"] * 0.6])
    pose = visit.edit(lambda: visit.drag_from(empty, (30, -12)))
    assert same(pose, moved(START, (30 / visit.zoom, -12 / visit.zoom)), 1.5 / visit.zoom)
    visit.edit(lambda: visit.tool("Undo").click())

    corner = page.get_by_label("scale figure, bottom right")
    pose = visit.edit(lambda: visit.drag(corner, (-60, -60)))
    ratios = lengths(pose) / lengths(START)
    assert ratios.max() < 0.97
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=0.01)
    visit.edit(lambda: visit.tool("Undo").click())

    pose = visit.edit(lambda: visit.drag(page.get_by_label("rotate figure"), (90, 20)))
    np.testing.assert_allclose(lengths(pose), lengths(START), rtol=0.01)
    spine = [p.point("nose") - p.point("left_hip") for p in (START, pose)]
    turn = np.degrees(np.arctan2(spine[1][0], -spine[1][1]) - np.arctan2(spine[0][0], -spine[0][1]))
    assert 5 < turn < 60
    visit.edit(lambda: visit.tool("Undo").click())

    page.get_by_label("whole figure").focus()
    pose = visit.edit(lambda: page.keyboard.press("Shift+ArrowLeft"))
    assert same(pose, moved(START, (-10, 0)))
    page.get_by_label("rotate figure").focus()
    turned = visit.edit(lambda: page.keyboard.press("ArrowRight"))
    np.testing.assert_allclose(lengths(turned), lengths(START), rtol=0.01)
    corner.focus()
    larger = visit.edit(lambda: page.keyboard.press("ArrowUp"))
    np.testing.assert_allclose(lengths(larger), 1.01 * lengths(START), rtol=0.005)


@pytest.mark.browser
def test_python_sets_the_pose(visit: Visit) -> None:
    from apps.editor import pose_of

    visit.edit(lambda: visit.drag(visit.joint("left_wrist"), (-40, 20)))
    before = visit.place(visit.joint("left_knee"))
    visit.tool("Preset").click()
    visit.until(lambda: np.linalg.norm(visit.place(visit.joint("left_knee")) - before) > 5)
    assert visit.tool("Undo").is_disabled()
    assert visit.tool("Reset").is_disabled()
    pose = visit.edit(lambda: visit.tool("Mirror").click())
    assert same(visit.edit(lambda: visit.tool("Mirror").click()), PRESETS["sitting"].keypoints)
    assert pose.size == PRESETS["sitting"].size
    versions = [value["version"] for _, value in visit.server.heard]
    assert versions == sorted(versions)
    assert pose_of(visit.server.heard[-1][1]) is not None
    visit.tool("Nothing").click()
    visit.page.get_by_text("No pose yet").wait_for()
    visit.tool("Preset").click()
    visit.joint("nose").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("sends_back", [False, True])
def test_python_hears_of_the_pose_while_dragging(visit: Visit, sends_back: bool) -> None:
    from apps.editor import pose_of

    visit.server.sends_back = sends_back
    mouse, start = visit.page.mouse, visit.place(visit.joint("right_wrist"))
    visit.page.get_by_label("Keep limb lengths").uncheck()
    mouse.move(*start.tolist())
    mouse.down()
    for i in range(1, 6):
        heard = visit.count("input")
        mouse.move(start[0] - 12 * i, start[1] + 6 * i)
        visit.until(lambda heard=heard: visit.count("input") > heard)
        visit.page.wait_for_timeout(150)
        here = visit.place(visit.joint("right_wrist"))
        assert np.allclose(here, np.add(start, (-12 * i, 6 * i)), atol=2)
    assert visit.count("release") == 0
    pose = visit.edit(mouse.up)
    assert np.allclose(visit.place(visit.joint("right_wrist")), np.add(start, (-60, 30)), atol=2)
    inputs = [value for kind, value in visit.server.heard if kind == "input"]
    assert pose_of(inputs[-1]) == pose
    assert visit.tool("Undo").is_enabled()


@pytest.mark.browser
def test_a_new_pose_waits_for_the_end_of_a_drag(visit: Visit) -> None:
    mouse, start = visit.page.mouse, visit.place(visit.joint("right_wrist"))
    visit.page.get_by_label("Keep limb lengths").uncheck()
    mouse.move(*start.tolist())
    mouse.down()
    mouse.move(start[0] - 40, start[1], steps=4)
    with visit.page.expect_response(lambda got: "/queue/" in got.url):
        visit.tool("Preset").dispatch_event("click")
    visit.page.wait_for_timeout(500)
    assert np.allclose(visit.place(visit.joint("right_wrist")), np.add(start, (-40, 0)), atol=2)
    mouse.up()
    visit.until(lambda: visit.tool("Undo").is_disabled())
    pose = visit.edit(lambda: visit.tool("Mirror").click())
    assert same(pose, mirrored(PRESETS["sitting"]))


@pytest.mark.browser
def test_escape_calls_a_drag_off(visit: Visit) -> None:
    mouse, start = visit.page.mouse, visit.place(visit.joint("left_knee"))
    mouse.move(*start.tolist())
    mouse.down()
    mouse.move(start[0] + 50, start[1], steps=4)
    pose = visit.edit(lambda: visit.page.keyboard.press("Escape"))
    mouse.up()
    assert same(pose, START.keypoints)
    assert np.allclose(visit.place(visit.joint("left_knee")), start, atol=1)
    assert visit.tool("Undo").is_disabled()


@pytest.mark.browser
def test_joints_outside_the_picture_can_be_reached(visit: Visit) -> None:
    visit.tool("Outside").click()
    visit.tool("Undo").wait_for()
    view = visit.page.locator("svg.view").bounding_box()
    visit.until(lambda: visit.place(visit.joint("nose"))[0] > view["x"] + 0.6 * view["width"])
    assert visit.place(visit.joint("nose"))[0] < view["x"] + view["width"]
    visit.page.get_by_label("Keep limb lengths").uncheck()
    pose = visit.edit(lambda: visit.drag(visit.joint("nose"), (-100, 0)))
    assert pose.point("nose")[0] < 9e4


@pytest.mark.browser
@pytest.mark.parametrize("visit", [PHONE], ids=["phone"], indirect=True)
def test_a_finger_drags_a_joint_on_a_phone(visit: Visit) -> None:
    page = visit.page
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(too_wide) <= 0
    hit = visit.joint("left_wrist").locator(".hit").bounding_box()
    assert min(hit["width"], hit["height"]) >= 20
    finger = page.context.new_cdp_session(page)
    x, y = visit.place(visit.joint("left_elbow")).tolist()

    def touch(kind: str, *points: dict[str, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    def swipe() -> None:
        touch("touchStart", {"x": x + 6, "y": y + 3})
        for i in range(1, 7):
            touch("touchMove", {"x": x + 6 + 8 * i, "y": y + 3 - 4 * i})
        touch("touchEnd")

    pose = visit.edit(swipe)
    assert np.linalg.norm(pose.point("left_elbow") - START.point("left_elbow")) > 10
    np.testing.assert_allclose(lengths(pose), lengths(START), rtol=0.01)
    assert page.evaluate("scrollY") == 0


@pytest.mark.browser
@pytest.mark.parametrize("visit", [WIDE, PHONE], ids=["wide", "phone"], indirect=True)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_photo_lies_behind_the_figure(
    visit: Visit, theme: str, keep: Callable[[Any, str], None]
) -> None:
    page = visit.page
    page.goto(f"{visit.server.address}?__theme={theme}")
    visit.joint("nose").wait_for()
    assert page.get_by_label("Show photo").is_disabled()
    visit.tool("Photo").click()
    picture = page.locator("svg.view image")
    picture.wait_for()
    loads = page.request.get(
        page.evaluate("url => new URL(url, location.href).href", picture.get_attribute("href"))
    )
    assert loads.ok
    visit.joint("left_wrist").focus()
    keep(page, f"editor-alone-{theme}")
    page.get_by_label("Show photo").uncheck()
    assert picture.is_hidden()


@pytest.mark.browser
def test_programs_can_read_the_description(server: Server) -> None:
    client_library = pytest.importorskip("gradio_client")
    client = client_library.Client(server.address, verbose=False)
    described = client.view_api(return_format="dict", print_info=False)
    given = described["named_endpoints"]["/hear"]["parameters"][0]
    assert "joints" in given["type"]["properties"]
    assert "joints" in given["python_type"]["type"]
    client.close()
