"""`vunet video` from the command line to the written film, with random weights."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from apps import cli
from pose.formats import dump_poses
from pose.presets import preset
from pose.smooth import resample
from pose.stick import draw_controlnet
from pose.types import Pose
from vunet import sequence
from vunet.video import write_film

SIZE = (256, 192)


@pytest.fixture(scope="module")
def figures() -> list[Pose]:
    """A preset that goes over into another, 8 frames."""
    keys = [preset("standing"), preset("waving")]
    small = [p.transformed(np.array([[0.25, 0, 0], [0, 0.25, 0]]), SIZE) for p in keys]
    return resample(small, [0, 0.7], 10)


@pytest.fixture(scope="module")
def sources(figures: list[Pose], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same movement as sticks.mp4, sticks.gif and the folder files; and what is no use."""
    folder = tmp_path_factory.mktemp("sources")
    pictures = [draw_controlnet(pose, SIZE) for pose in figures]
    write_film(folder / "sticks.mp4", pictures, 10)
    write_film(folder / "sticks.gif", pictures, 10, len(pictures))
    (folder / "files").mkdir()
    for i, pose in enumerate(figures):
        (folder / "files" / f"{i}.json").write_text(dump_poses([pose], "openpose"))
    (folder / "empty").mkdir()
    (folder / "text.mp4").write_text("not a film\n" * 99)
    whole = (folder / "sticks.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    Image.fromarray(pictures[0]).save(folder / "one.gif")
    write_film(folder / "nobody.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 5, 10)
    return folder


def run(*arguments: str | Path) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("source", ["sticks.mp4", "sticks.gif", "files"])
def test_a_film_is_written(
    source: str,
    sources: Path,
    photo: Path,
    tiny_weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "new folder" / "me.mp4"
    code = run(
        *("video", photo, "--poses", sources / source, "--out", out, "--model", tiny_weights),
        *("--size", "201", "--fps", "10", "--smooth", "0.3", "--device", "cpu", "--seed", "3"),
    )
    said = capfd.readouterr()
    assert code == 0, said
    assert said.out == f"{out}\n"
    assert all(line.startswith("note: ") for line in said.err.splitlines())
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 10
        assert stream.frames == 8
        assert stream.width % 2 == stream.height % 2 == 0
        assert max(stream.width, stream.height) in (200, 202)
        assert float(container.duration / 1e6) == pytest.approx(0.8, abs=0.01)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_gif_is_written(sources: Path, photo: Path, tiny_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "me.gif"
    code = run(
        *("video", photo, "--poses", sources / "sticks.mp4", "--out", out, "--size", "160"),
        *("--model", tiny_weights, "--seconds", "0.3", "--background", "plain"),
    )
    assert code == 0
    with Image.open(out) as image:
        assert image.format == "GIF"
        assert max(image.size) == 160
        assert image.n_frames == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("text.mp4", "", ["text.mp4", "no video"]),
        ("cut.mp4", "", ["cut.mp4", "cut short"]),
        ("absent.mp4", "", ["absent.mp4", "does not exist"]),
        ("empty", "", ["empty", "no pictures or pose files"]),
        ("one.gif", "", ["one.gif", "one picture only"]),
        ("nobody.mp4", "", ["nobody.mp4", "nobody found"]),
        ("sticks.mp4", "--out me.avi", ["me.avi", ".mp4 or .gif"]),
        ("sticks.mp4", "--out me", ["me ", ".mp4 or .gif"]),
        ("sticks.mp4", "--out file/me.mp4", ["file", "folder"]),
        ("sticks.mp4", "--out folder.mp4", ["folder.mp4", "existing folder"]),
        ("sticks.mp4", "--background pose", ["background pose"]),
        ("sticks.mp4", "--background transparent", ["transparent"]),
        ("sticks.mp4", "--background nowhere.png", ["nowhere.png"]),
        ("sticks.mp4", "--fps 0", ["frames per second"]),
        ("sticks.mp4", "--seconds -1", ["seconds"]),
        ("sticks.mp4", "--smooth 2", ["smoothing"]),
        ("sticks.mp4", "--size 3", ["size"]),
        ("sticks.mp4", "--person 9", ["person 9"]),
        ("sticks.mp4", "--seed -1", ["--seed"]),
    ],
)
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(
    source: str,
    options: str,
    words: list[str],
    sources: Path,
    photo: Path,
    tiny_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    before = sorted(tmp_path.rglob("*"))
    given = options.split()
    if "--out" not in given:
        given += ["--out", "new/me.mp4"]
    code = run("video", photo, "--poses", sources / source, "--model", tiny_weights, *given)
    said = capfd.readouterr()
    assert code == 2, said
    assert said.out == ""
    assert said.err.startswith("vunet: ")
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_leaves_no_film(
    sources: Path,
    photo: Path,
    tiny_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    drawn = []

    class Pressed(sequence.Engine):
        def repose(self, *arguments: object, **options: object):
            drawn.append(1)
            if len(drawn) == 3:
                raise KeyboardInterrupt
            return super().repose(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("vunet.engine.Engine", Pressed)
    code = run(
        *("video", photo, "--poses", sources / "sticks.mp4", "--out", tmp_path / "new" / "me.mp4"),
        *("--model", tiny_weights, "--size", "160"),
    )
    assert (code, capfd.readouterr().err) == (130, "vunet: stopped\n")
    assert len(drawn) == 3
    assert list(tmp_path.iterdir()) == []
