"""Videos in and out, and a person who moves as somebody in one does."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from pose import BODY27, NoPersonFound, Pose
from pose.formats import PoseFileError, dump_poses, read_frames
from pose.presets import PRESETS, preset
from pose.retarget import body_scale
from pose.smooth import resample
from pose.stick import draw_controlnet
from vunet.config import PRESETS as TRAINING
from vunet.engine import Engine, EngineError, Prepared
from vunet.images import ImageError, OutputError
from vunet.model import Reposer
from vunet.poses import place_sequence
from vunet.sequence import (
    PoseSequence,
    SequenceCancelled,
    draw_sequence,
    read_sequence,
)
from vunet.video import Film, VideoError, open_film, write_film

ROOT = Path(__file__).resolve().parent.parent.parent
PERSON = ROOT / "apps" / "examples" / "person_1.jpg"
SIZE = (256, 192)
MakePerson = Callable[..., Pose]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Seeded noise for weights: it draws, and that is all."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Reposer(TRAINING["tiny"].model)
    return Engine(model, "0" * 64, torch.device("cpu"))


@pytest.fixture(scope="module")
def prepared(engine: Engine) -> Prepared:
    return engine.prepare(PERSON, size=200)


@pytest.fixture(scope="module")
def figures() -> list[Pose]:
    """A preset that goes over into another, 20 frames."""
    keys = [preset("standing"), preset("waving")]
    small = [p.transformed(np.array([[0.25, 0, 0], [0, 0.25, 0]]), SIZE) for p in keys]
    return resample(small, [0, 0.8], 24)


@pytest.fixture(scope="module")
def sticks(figures: list[Pose], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 of ControlNet's stick figures, 20 frames at 25 a second."""
    path = tmp_path_factory.mktemp("films") / "sticks.mp4"
    write_film(path, (draw_controlnet(pose, SIZE) for pose in figures), 25)
    return path


def colours(count: int, size: tuple[int, int] = (60, 80)) -> Iterator[np.ndarray]:
    for i in range(count):
        yield np.full((*size, 3), (200, 30 + 10 * i, 60), np.uint8)


def frames_of(film: Film) -> list[np.ndarray]:
    return [image for _, image in film.frames]


# -- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fps", "size"), [(25, (60, 80)), (30000 / 1001, (61, 81)), (7.5, (64, 64))]
)
def test_films_play_in_browsers(fps: float, size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "new" / "größe 1.mp4"
    write_film(path, colours(15, size), fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert context.name == "h264"
        assert context.pix_fmt == "yuv420p"
        assert (context.height, context.width) == (size[0] // 2 * 2, size[1] // 2 * 2)
        assert stream.frames == 15
        assert stream.average_rate == Fraction(fps).limit_denominator(1001)
        assert float(stream.duration * stream.time_base) == pytest.approx(15 / fps, abs=0.01)
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(pictures) == 15
    # colours are labelled BT.709 and come back through it
    assert np.abs(pictures[3].mean(axis=(0, 1)) - [200, 60, 60]).max() < 4
    content = path.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")  # plays before it is loaded whole
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_gifs_keep_time_and_what_rests(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)

    def frames() -> Iterator[np.ndarray]:
        for i in range(12):
            image = ground.copy()
            image[20:40, 5 * i : 5 * i + 5] = (255, 0, 0)
            yield image

    path = tmp_path / "a.gif"
    write_film(path, frames(), 30, 12)
    with Image.open(path) as image:
        assert image.n_frames == 12  # type: ignore[attr-defined]
    film = open_film(path)
    times, pictures = zip(*film.frames, strict=True)
    assert len(pictures) == 12
    assert times[-1] == pytest.approx(11 / 30, abs=0.02)
    rest = np.stack(pictures)[:, 45:]
    assert np.ptp(rest, axis=0).max() == 0


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_behind_on_failure(
    ending: str, error: type[BaseException], tmp_path: Path
) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from colours(5)
        raise error

    with pytest.raises(error):
        write_film(tmp_path / "new" / f"a{ending}", failing(), 25)
    assert list(tmp_path.iterdir()) == []
    old = tmp_path / f"old{ending}"
    old.write_bytes(b"old")
    with pytest.raises(error):
        write_film(old, failing(), 25)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize("name", ["a.avi", "a", "a.mp4.txt", "folder.mp4", "file/a.mp4"])
def test_what_cannot_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=name.split("/")[-1]):
        write_film(tmp_path / name, colours(2), 25)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_film_needs_frames(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no frames"):
        write_film(tmp_path / "a.mp4", [], 25)
    assert list(tmp_path.iterdir()) == []


# -- reading ---------------------------------------------------------------------------------


def test_frames_come_with_their_times(sticks: Path) -> None:
    film = open_film(sticks)
    assert (film.fps, film.count) == (25, 20)
    times, pictures = zip(*film.frames, strict=True)
    np.testing.assert_allclose(times, np.arange(20) / 25, atol=1e-3)
    assert {p.shape for p in pictures} == {(*SIZE, 3)}


def test_large_frames_are_reduced_and_rotated_ones_set_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    image = np.zeros((240, 1600, 3), np.uint8)
    image[:, :400] = (255, 0, 0)  # red at the left
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 1600, 240, "yuv420p"
        stream.set_display_rotation(90)  # counterclockwise
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    pictures = frames_of(open_film(path))
    assert pictures[0].shape == (1024, 154, 3)
    assert pictures[0][900:, :, 0].min() > 180  # the left has gone to the bottom
    assert pictures[0][:500, :, 0].max() < 60


def test_a_folders_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(tmp_path / f"frame_{number}.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_text("x")
    assert [int(p[0, 0, 0]) for p in frames_of(open_film(tmp_path))] == [1, 9, 10]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text.mp4", "no video that can be read"),
        ("empty.mp4", "empty"),
        ("cut.mp4", "cut short"),
        ("headless.mp4", "no video that can be read"),
        ("absent.mp4", "does not exist"),
        ("sound.mp4", "sound but no picture"),
        ("list.m3u8", "no video that can be read"),
        ("one.gif", "one picture only"),
        ("photo.jpg", "one picture only"),
        ("text.gif", "no video that can be read"),
        ("cut.gif", "damaged"),
        ("folder", "no pictures or pose files"),
        ("http://x.org/a.mp4", "web address"),
        ("nul\0.mp4", "does not exist"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    name: str, words: str, sticks: Path, tmp_path: Path
) -> None:
    content = sticks.read_bytes()
    (tmp_path / "text.mp4").write_text("no film at all\n" * 50)
    (tmp_path / "text.gif").write_text("no film at all\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 2 // 3])
    (tmp_path / "headless.mp4").write_bytes(content[len(content) // 2 :])
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{sticks}\n#EXT-X-ENDLIST\n")
    (tmp_path / "folder").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "one.gif")
    Image.new("RGB", (40, 40)).save(tmp_path / "photo.jpg")
    write_film(tmp_path / "whole.gif", colours(9), 10)
    whole = (tmp_path / "whole.gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(whole[: len(whole) // 2])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path = name if name.startswith("http") else tmp_path / name
    with pytest.raises(VideoError, match=words) as caught:
        frames_of(open_film(path))
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


def test_huge_frames_are_refused_before_they_are_decoded(
    sticks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vunet.video.MAX_PIXELS", 1000)
    with pytest.raises(VideoError, match="192 x 256"):
        open_film(sticks)


# -- poses -----------------------------------------------------------------------------------


def near(poses: tuple[Pose, ...], expected: list[Pose], px: float) -> None:
    """Shoulders, elbows, hips and knees lie within `px` of where they should."""
    names = [f"{s}_{j}" for s in ("left", "right") for j in ("shoulder", "elbow", "hip", "knee")]
    rows = [BODY27.index[name] for name in names]
    for pose, wanted in zip(poses, expected, strict=True):
        apart = np.linalg.norm(pose.keypoints[rows] - wanted.keypoints[rows], axis=1)
        assert apart.max() < px


def test_stick_figures_of_a_video(engine: Engine, sticks: Path, figures: list[Pose]) -> None:
    seen = []
    sequence = read_sequence(
        engine, sticks, smoothing=0.3, progress=lambda d, n, f: seen.append((d, n, f is not None))
    )
    assert sequence.fps == 25
    assert all(pose.present.all() and pose.skeleton is BODY27 for pose in sequence.poses)
    near(sequence.poses, figures, 4)
    assert seen == [(i, 20, True) for i in range(1, 21)]


def test_a_gif_and_folders_of_them(engine: Engine, figures: list[Pose], tmp_path: Path) -> None:
    write_film(tmp_path / "a.gif", (draw_controlnet(p, SIZE) for p in figures), 10, 20)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "files").mkdir()
    for i, pose in enumerate(figures):
        Image.fromarray(draw_controlnet(pose, SIZE)).save(tmp_path / "pictures" / f"{i}.png")
        text = dump_poses([pose], "openpose")
        (tmp_path / "files" / f"{i}_keypoints.json").write_text(text)
    gif = read_sequence(engine, tmp_path / "a.gif", smoothing=0)
    assert gif.fps == 10
    near(gif.poses, figures, 4)
    pictures = read_sequence(engine, tmp_path / "pictures", smoothing=0)
    assert pictures.fps == 25
    near(pictures.poses, figures, 4)
    files = read_sequence(engine, tmp_path / "files", fps=12, smoothing=0)
    assert files.fps == 12
    near(files.poses, figures, 0.1)


@pytest.mark.parametrize("form", ["native", "openpose", "list", "frames", "coco", "mediapipe"])
def test_a_pose_file_of_several_frames(
    form: str, engine: Engine, figures: list[Pose], tmp_path: Path
) -> None:
    path = tmp_path / "poses.json"
    each = [dump_poses([p], "mediapipe" if form == "mediapipe" else "openpose") for p in figures]
    text = {
        "native": dump_poses(figures, "native"),
        "openpose": f"[{','.join(each)}]",
        "list": f"[{','.join(each[:-1])}, null]",
        "frames": f'{{"fps": 25, "frames": [{",".join(each)}]}}',
        "mediapipe": f"[{','.join(each)}]",
    }.get(form)
    if text is None:
        whole: dict[str, list] = {"images": [], "annotations": []}
        for i, pose in enumerate(figures):
            one = json.loads(dump_poses([pose], "coco"))
            one["images"][0]["id"] = one["annotations"][0]["image_id"] = i
            for key, rows in whole.items():
                rows += one[key]
        text = json.dumps(whole)
    path.write_text(text)
    assert len(read_frames(path)) == 20
    sequence = read_sequence(engine, path, smoothing=0)
    if form == "list":  # the last frame shows nobody
        near(sequence.poses, [*figures[:-1], figures[-2]], 0.1)
        assert any("1 of 20 frames nobody" in w for w in sequence.warnings)
    else:
        near(sequence.poses, figures, 0.1)


def test_rate_and_length(engine: Engine, sticks: Path, figures: list[Pose]) -> None:
    half = read_sequence(engine, sticks, fps=12.5, smoothing=0)
    near(half.poses, figures[::2], 4)
    double = read_sequence(engine, sticks, fps=50, smoothing=0)
    assert len(double.poses) == 39
    near(double.poses[::2], figures, 4)
    short = read_sequence(engine, sticks, seconds=0.4, smoothing=0)
    near(short.poses, figures[:10], 4)
    assert short.warnings == half.warnings


def test_long_ones_are_cut_off_and_that_is_told(
    engine: Engine, sticks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vunet.sequence.MAX_FRAMES", 5)
    sequence = read_sequence(engine, sticks, fps=5)
    assert len(sequence.poses) == 4
    short = read_sequence(engine, sticks)
    assert len(short.poses) == 5
    assert "Only the first 0.2 seconds were taken." in short.warnings


def test_a_frame_that_stands_for_long_fills_no_memory(
    engine: Engine, figures: list[Pose], tmp_path: Path
) -> None:
    pictures = [Image.fromarray(draw_controlnet(pose, SIZE)) for pose in figures[:3]]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 600_000, 100])
    sequence = read_sequence(engine, path, fps=60, seconds=np.inf)
    assert len(sequence.poses) == 1800
    assert any("first 30 seconds" in w for w in sequence.warnings)


def test_presets_follow_one_another(engine: Engine) -> None:
    sequence = read_sequence(engine, "standing, waving,t-pose", smoothing=0)
    assert len(sequence.poses) == 51
    for i, name in enumerate(("standing", "waving", "t_pose")):
        np.testing.assert_allclose(sequence.poses[25 * i].keypoints, PRESETS[name].keypoints)
    with pytest.raises(ValueError, match="waving"):
        read_sequence(engine, "standing,wavin")


def test_frames_without_anybody_are_filled_and_told(
    engine: Engine, figures: list[Pose], tmp_path: Path
) -> None:
    pictures = [draw_controlnet(pose, SIZE) for pose in figures]
    for i in (0, 7, 8):
        pictures[i] = np.zeros_like(pictures[i])
    write_film(tmp_path / "a.mp4", pictures, 25)
    sequence = read_sequence(engine, tmp_path / "a.mp4", smoothing=0)
    assert any("In 3 of 20 frames nobody was found" in w for w in sequence.warnings)
    near(sequence.poses[1:], figures[1:], 4)


def test_one_person_is_followed(engine: Engine, make_person: MakePerson, tmp_path: Path) -> None:
    """The largest of the first frame, also where another one comes nearer to the camera."""
    frames = []
    for i in range(10):
        one = make_person(1, size=(300, 200))
        one = one.transformed(np.array([[0.9, 0, 0], [0, 0.9, 2.0 * i]]), (300, 400))
        other = make_person(2, size=(300, 200))
        big = 0.3 + 0.08 * i
        other = other.transformed(np.array([[big, 0, 200], [0, big, 0]]), (300, 400))
        frames.append(dump_poses([other, one], "openpose"))
    path = tmp_path / "two.json"
    path.write_text(f"[{','.join(frames)}]")
    sequence = read_sequence(engine, path)
    assert all(pose.keypoints[:, 0].max() < 200 for pose in sequence.poses)
    assert any("2 people" in w for w in sequence.warnings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fps": 0}, "frames per second"),
        ({"fps": 61}, "frames per second"),
        ({"seconds": 0}, "seconds"),
        ({"smoothing": 1.5}, "smoothing"),
        ({"smoothing": float("nan")}, "smoothing"),
    ],
)
def test_options_are_checked(
    options: dict[str, float], words: str, engine: Engine, sticks: Path
) -> None:
    with pytest.raises(VideoError, match=words):
        read_sequence(engine, sticks, **options)  # type: ignore[arg-type]


def test_sources_without_a_movement(engine: Engine, figures: list[Pose], tmp_path: Path) -> None:
    write_film(tmp_path / "nobody.mp4", colours(5), 25)
    with pytest.raises(NoPersonFound, match=r"nobody.mp4: nobody found in any of 5 frames"):
        read_sequence(engine, tmp_path / "nobody.mp4")
    write_film(tmp_path / "one.mp4", [draw_controlnet(figures[0], SIZE)], 25)
    with pytest.raises(VideoError, match="one frame only"):
        read_sequence(engine, tmp_path / "one.mp4")
    (tmp_path / "one.json").write_text(dump_poses(figures[:1], "openpose"))
    with pytest.raises(VideoError, match="one frame only"):
        read_sequence(engine, tmp_path / "one.json")
    (tmp_path / "bad.json").write_text("[")
    with pytest.raises(PoseFileError, match="not JSON"):
        read_sequence(engine, tmp_path / "bad.json")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_text("x")
    with pytest.raises(ImageError, match=r"a\.png"):
        read_sequence(engine, tmp_path / "folder")
    with pytest.raises(VideoError, match="one frame only"):
        read_sequence(engine, "standing")


def test_reading_can_be_stopped(engine: Engine, sticks: Path) -> None:
    done: list[int] = []
    with pytest.raises(SequenceCancelled):
        read_sequence(
            engine,
            sticks,
            progress=lambda i, n, f: done.append(i),
            cancelled=lambda: len(done) >= 3,
        )
    assert done == [1, 2, 3]


# -- placing ---------------------------------------------------------------------------------


def test_all_frames_are_placed_alike(make_person: MakePerson) -> None:
    """One similarity: ways and jumps remain, sizes do not pulse."""
    subject = make_person(None, size=(800, 600), fill=0.5)
    body = make_person(None, size=(256, 192), fill=0.5)
    ways = [(10.0 * i, 0.0 if i != 3 else -30.0) for i in range(6)]
    poses = [body.transformed(np.array([[1, 0, x], [0, 1, y]]), (256, 192)) for x, y in ways]
    placed, warnings = place_sequence(poses, subject, keep_limbs=True, canvas=(800, 600))
    assert warnings == ()
    scale = body_scale(subject) / body_scale(body)
    hips = np.stack([pose.point("left_hip") for pose in placed])
    np.testing.assert_allclose(hips - hips[0], np.array(ways) * scale, atol=1e-6)
    for pose in placed:
        assert body_scale(pose) == pytest.approx(body_scale(subject))
        assert pose.size == (800, 600)
    ground = subject.keypoints[:, 1].max()
    assert placed[0].keypoints[:, 1].max() == pytest.approx(ground, abs=2)
    # starts where the person stands, but for what keeps the end in the picture
    assert hips[0, 0] <= subject.point("left_hip")[0] + 1e-6
    assert max(pose.keypoints[:, 0].max() for pose in placed) <= 600


def test_a_way_wider_than_the_picture_is_shrunk_once(make_person: MakePerson) -> None:
    subject = make_person(None, size=(400, 300), fill=0.9)
    body = make_person(None, size=(400, 300), fill=0.9)
    poses = [body.transformed(np.array([[1, 0, 40.0 * i], [0, 1, 0]]), None) for i in range(6)]
    placed, warnings = place_sequence(poses, subject, keep_limbs=False, canvas=(400, 300))
    scales = [body_scale(pose) for pose in placed]
    assert np.ptp(scales) < 1e-6
    assert scales[0] < 0.98 * body_scale(subject)
    assert "smaller" in warnings[0]


def test_a_half_body_keeps_its_shoulders(make_person: MakePerson) -> None:
    subject = make_person(None, size=(800, 600), fill=0.9)
    subject = subject.transformed(np.array([[2, 0, -300], [0, 2, -50]]), (800, 600))
    poses = [make_person(seed) for seed in range(5)]
    placed, _ = place_sequence(poses, subject, keep_limbs=True, canvas=(800, 600))
    necks = [(p.point("left_shoulder") + p.point("right_shoulder")) / 2 for p in placed]
    own = (subject.point("left_shoulder") + subject.point("right_shoulder")) / 2
    np.testing.assert_allclose(np.median(necks, axis=0), own, atol=1e-6)


# -- drawing ---------------------------------------------------------------------------------


def test_a_film_of_the_person(
    engine: Engine, prepared: Prepared, sticks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "me.mp4"
    sequence = read_sequence(engine, sticks, seconds=0.24)
    seen: list[tuple[int, int]] = []
    shapes = set()

    def progress(done: int, total: int, frame: np.ndarray | None) -> None:
        seen.append((done, total))
        assert frame is not None
        shapes.add(frame.shape)
        assert not out.exists()

    drawn = draw_sequence(engine, prepared, sequence, out, size=150, progress=progress)
    assert seen == [(i, 6) for i in range(1, 7)]
    assert (drawn.path, drawn.frames, drawn.fps) == (out, 6, 25)
    height, width, _ = shapes.pop()
    assert not shapes
    assert max(height, width) == 150
    assert height % 2 == width % 2 == 0
    with av.open(str(out)) as container:
        context = container.streams.video[0].codec_context
        assert (context.height, context.width) == (height, width)
        assert sum(1 for _ in container.decode(video=0)) == 6
    for text in drawn.warnings:
        assert text.endswith(".")
        assert "\n" not in text
    assert len(set(drawn.warnings)) == len(drawn.warnings)


def test_drawing_can_be_stopped(
    engine: Engine, prepared: Prepared, figures: list[Pose], tmp_path: Path
) -> None:
    done: list[int] = []
    with pytest.raises(SequenceCancelled):
        draw_sequence(
            engine,
            prepared,
            PoseSequence(tuple(figures), 25),
            tmp_path / "new" / "a.mp4",
            background="plain",
            progress=lambda i, n, f: done.append(i),
            cancelled=lambda: len(done) >= 2,
        )
    assert done == [1, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("background", ["pose", "transparent", "nowhere.png"])
def test_backgrounds_that_films_do_not_have(
    background: str, engine: Engine, prepared: Prepared, figures: list[Pose], tmp_path: Path
) -> None:
    sequence = PoseSequence(tuple(figures), 25)
    with pytest.raises(EngineError, match=background):
        draw_sequence(engine, prepared, sequence, tmp_path / "a.mp4", background=background)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_frames_are_not_kept(ending: str, tmp_path: Path) -> None:
    given: list[weakref.ref[np.ndarray]] = []
    most = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal most
        for i in range(30):
            image = np.full((64, 64, 3), i, np.uint8)
            given.append(weakref.ref(image))
            most = max(most, sum(ref() is not None for ref in given))
            yield image

    write_film(tmp_path / f"a{ending}", frames(), 25, 30)
    assert most <= 4
