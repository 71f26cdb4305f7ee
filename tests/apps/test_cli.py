"""The command line: what it promises about options, exit codes, messages and files."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from apps import cli, commands
from apps.batch import read_table
from apps.demo import chosen_poses
from apps.errors import UsageError, sentence
from apps.sheets import Tile, compose, free_corner, grid, stick_figure
from pose.formats import parse_poses
from pose.presets import PRESETS
from vunet.images import read_image

VERBS = {
    *("repose", "pose", "mix", "sample", "prepare", "train", "evaluate"),
    *("bench", "app", "models", "poses", "demo", "video", "draw", "index", "find"),
}


@dataclasses.dataclass
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process."""

    def call(*arguments: str | Path) -> Outcome:
        capfd.readouterr()
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:  # help
            code = int(stop.code or 0)
        return Outcome(code, *capfd.readouterr())

    return call


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Exit code 2 and exactly one line, on stderr, that says the words."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("vunet: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err


@pytest.fixture
def landscape(tmp_path: Path) -> Path:
    """A picture without anybody: hills under a sky."""
    y, x = np.mgrid[0:240, 0:320]
    hills = y > 150 + 20 * np.sin(x / 40)
    sky = np.stack([120 + y // 3, 160 + y // 4, 230 - y // 8], axis=-1)
    image = np.where(hills[..., None], np.array([60, 110, 50]), sky).astype(np.uint8)
    path = tmp_path / "hills and sky.png"
    Image.fromarray(image).save(path)
    return path


# -- options -------------------------------------------------------------------------------------


def test_help_needs_nothing_heavy() -> None:
    program = (
        "import sys\nfrom apps.cli import main\n"
        "try:\n    main(['repose', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'mediapipe', 'gradio', 'cv2', 'torchvision', 'scipy', 'skimage'}\n"
        "sys.exit(sorted(heavy & {m.split('.')[0] for m in sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"--background" in done.stdout


def test_help_names_the_verbs(run: Run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    named = outcome.out.split("{")[1].split("}")[0].replace("\n", "").replace(" ", "").split(",")
    assert set(named) == VERBS


def test_version(run: Run) -> None:
    from vunet import __version__

    assert run("--version").out == f"vunet {__version__}\n"


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "repose me.jpg --pose d.jpg --out o.png --frame pose --background plain --no-retarget "
            "--person 2 --model m --seed 3 --device cpu --size 512",
            {
                "appearance": Path("me.jpg"),
                "pose": "d.jpg",
                "frame": "pose",
                "background": "plain",
                "retarget": False,
                "person": 2,
                "model": "m",
                "seed": 3,
                "device": "cpu",
                "size": 512,
            },
        ),
        ("repose --pose d.jpg me.jpg --out o.png", {"retarget": True, "person": None, "seed": 0}),
        ("repose --pairs p.csv --out d", {"pairs": Path("p.csv"), "out": Path("d")}),
        ("pose a.jpg --format openpose --draw s.png", {"format": "openpose", "out": None}),
        ("sample --pose p -n 4 --out s.png --temperature 0.5", {"count": 4, "temperature": 0.5}),
        (
            "prepare photos --out d --group folder --labels l --holdout photo --framings 2 "
            "--workers 3 --renders",
            {"group": "folder", "holdout": "photo", "framings": 2, "workers": 3, "renders": True},
        ),
        (
            "train person --data a --data b --out r --resume --minutes 2.5 --init w --device cuda "
            "--validation v --backbones k --steps 9 --batch-size 4 --learning-rate 1e-4 --seed 1 "
            "--every-minutes 2 --compile",
            {"data": (Path("a"), Path("b")), "resume": True, "minutes": 2.5, "compiled": True},
        ),
        ("evaluate --pairs p.csv --model m --json o.json --sheet s.jpg", {"model": ("m",)}),
        ("bench --json o.json", {"json": Path("o.json")}),
        ("app --port 8000", {"port": 8000}),
        (
            "mix --base a.jpg --part top=b.jpg --part head=c.jpg --strength top=0.5 --out o.png",
            {"part": ("top=b.jpg", "head=c.jpg"), "strength": ("top=0.5",), "pose": None},
        ),
        (
            "repose a.jpg --pose b.jpg --also c.jpg --also d.jpg --out o.png",
            {"also": (Path("c.jpg"), Path("d.jpg"))},
        ),
        ("poses --out s.png", {"out": Path("s.png")}),
        ("demo --out d.png", {"out": Path("d.png")}),
        ("models", {}),
    ],
)
def test_options_are_understood(line: str, fields: dict[str, Any]) -> None:
    command = cli._parse(line.split())
    assert {name: getattr(command, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ["vunet --help"]),
        ("repos x", ["repos", "repose"]),
        ("repose", ["--out"]),
        ("repose a.png --pose b.png --out c.png --frame sideways", ["--frame", "sideways"]),
        ("repose a.png --pose b.png --out c.png --frme pose", ["--frme"]),
        ("repose a.png b.png --pose c.png --out d.png", ["b.png"]),
        ("repose a.png --pose b.png --out c.png --seed x", ["--seed", "x"]),
        ("repose a.png --pose b.png --out c.png --seed -1", ["--seed", "-1"]),
        ("repose a.png --out c.png", ["--pose"]),
        ("repose --pose b.png --out c.png", ["photo"]),
        ("repose a.png --pairs p.csv --out d", ["--pairs"]),
        ("repose a.png --pose b.png --out c.webp", ["c.webp", ".png"]),
        ("repose a.png --pose b.png --out c", ["c ", ".png"]),
        ("repose a.png --pose b.png --out c.jpg --background transparent", ["c.jpg", ".png"]),
        ("sample --pose standing -n four --out s.png", ["-n", "four"]),
        ("repose --pairs p.csv --also a.png --out d", ["--also"]),
        ("mix --base a.png --out c.png", ["part"]),
        ("mix --base a.png --part top --out c.png", ["--part", "PART=VALUE"]),
        ("mix --base a.png --part hat=b.png --out c.png", ["hat", "head"]),
        ("mix --base a.png --part top=b.png --part top=c.png --out c.png", ["top", "twice"]),
        ("mix --base a.png --part top=b.png --strength top=much --out c.png", ["top", "much"]),
        ("train huge --data d --out r", ["huge"]),
        ("train tiny --out r", ["--data"]),
        ("train tiny --data nowhere --out r", ["nowhere", "prepare"]),
        ("train tiny --data d --out r --steps 0", ["--steps"]),
        ("train tiny --data d --out r --minutes -1", ["--minutes"]),
        ("train garment --data d --out r --cross-share 2", ["--cross-share", "at most 1"]),
        ("train garment --data d --out r --cooldown -1", ["--cooldown", "at least 0"]),
        ("train tiny --data d --out r --resume", ["r", "--resume"]),
        ("train tiny --data d --out r --half-size", ["tiny", "multiples"]),
        ("train pix2pix --data d --out r --without texture", ["pix2pix", "no parts"]),
        ("train person --data d --out r --resume --without latents", ["--resume"]),
        ("train garment --data d --out r --only texture", ["--only", "no pixels"]),
        ("train find --data d --out r --warp-passes 2", ["find", "no pixels"]),
        ("train person --data d --out r --warp-passes 0", ["person", "warp_passes"]),
        ("train person --data d --out r --resume --warp-passes 2", ["--resume"]),
        ("prepare nowhere --out d", ["nowhere"]),
        ("prepare . --out d --renders --holdout photo", ["--holdout"]),
        ("prepare . --out d --labels nowhere", ["--labels", "label_names.json"]),
        ("prepare . --out d --detected-masks", ["--detected-masks", "--labels"]),
        ("app --port 0", ["--port"]),
        ("bench --repeats 0", ["--repeats"]),
        ("evaluate --pairs nowhere.csv", ["nowhere.csv"]),
        ("evaluate --pairs nowhere.csv --rim -1", ["--rim"]),
        ("pose nowhere.jpg", ["nowhere.jpg"]),
    ],
)
def test_what_cannot_be_used_is_one_line(
    line: str, words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(run(*line.split()), *words)
    assert list(tmp_path.rglob("*.png")) == []


def test_long_words_stay_on_one_line(run: Run) -> None:
    assert_refused(run("repose", "a.png", "--out", "c.png", "--" + "long" * 60, "x y\nz"))


# -- failures ------------------------------------------------------------------------------------


def failing(error: BaseException) -> Callable[[object], int]:
    def fail(_: object) -> int:
        raise error

    return fail


def test_a_bug_is_called_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cli.DEBUG, raising=False)
    monkeypatch.setattr(commands.Models, "run", failing(ValueError("shapes\ndiffer")))
    outcome = run("models")
    assert outcome.code == 1
    assert outcome.err == (
        "vunet: ValueError: shapes differ; this is a bug; "
        "run again with VUNET_DEBUG=1 for the traceback\n"
    )
    monkeypatch.setenv(cli.DEBUG, "1")
    with pytest.raises(ValueError, match="shapes"):
        run("models")


def test_ctrl_c(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.Models, "run", failing(KeyboardInterrupt()))
    outcome = run("models")
    assert (outcome.code, outcome.err) == (130, "vunet: stopped\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("one\n two"), "one two"),
        (PermissionError(13, "Permission denied", "out/x.png"), "out/x.png"),
        (OSError(28, "No space left on device"), "no space"),
        (MemoryError(), "memory"),
        (ModuleNotFoundError("No module named 'accelerate'", name="accelerate"), "vunet[train]"),
        (ModuleNotFoundError("No module named 'vunet.x'", name="vunet.x"), None),
        (ValueError("operands could not be broadcast"), None),
        (RuntimeError("x"), None),
    ],
)
def test_sentences(error: Exception, said: str | None) -> None:
    text = sentence(error)
    assert (text is None) if said is None else (said in str(text))


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_reader_that_has_seen_enough_is_no_failure(root: Path) -> None:
    program = f"'{sys.executable}' -m apps.cli poses | head -n 1"
    done = subprocess.run(
        ["bash", "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{next(iter(PRESETS))}\n"
    assert done.stderr == ""


# -- repose --------------------------------------------------------------------------------------


def test_repose_writes_the_photos_size_and_says_where(
    run: Run, photo: Path, other_photo: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new folder" / "größe 1.png"
    outcome = run(
        *("repose", photo, "--pose", other_photo, "--out", out, "--model", tiny_weights),
        *("--seed", "7"),
    )
    assert outcome.code == 0, outcome
    assert outcome.out == f"{out}\n"
    assert all(line.startswith("note: ") for line in outcome.err.splitlines())
    with Image.open(out) as image, Image.open(photo) as given:
        assert image.size == given.size
        assert image.info["vunet:seed"] == "7"
        assert len(parse_poses(image.info["vunet:pose"])) == 1
        assert len(image.info["vunet:weights"]) == 64


def test_repose_options_reach_the_engine(
    run: Run, photo: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.png"
    outcome = run(
        *("repose", photo, "--pose", "waving", "--out", out, "--model", tiny_weights),
        *("--frame", "pose", "--background", "transparent", "--size", "300", "--device", "cpu"),
    )
    assert outcome.code == 0, outcome
    with Image.open(out) as image:
        assert image.mode == "RGBA"
        assert max(image.size) == 300
        height, width = PRESETS["waving"].size or (0, 0)
        assert image.size[0] / image.size[1] == pytest.approx(width / height, abs=0.01)


@pytest.mark.parametrize("which", ["appearance", "pose"])
def test_repose_of_nobody(
    which: str, run: Run, photo: Path, landscape: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    pair = (landscape, photo) if which == "appearance" else (photo, landscape)
    out = tmp_path / "out" / "o.png"
    outcome = run("repose", pair[0], "--pose", pair[1], "--out", out, "--model", tiny_weights)
    assert_refused(outcome, landscape.name, "no person found")
    assert not out.parent.exists()


def test_repose_names_similar_presets(
    run: Run, photo: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.png"
    assert_refused(
        run("repose", photo, "--pose", "wavng", "--out", out, "--model", tiny_weights), "waving"
    )


def test_repose_refuses_places_before_any_work(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    for out in (tmp_path / "file" / "o.png", tmp_path / "folder.png"):
        # There are no such weights either: the place is looked at first.
        outcome = run("repose", photo, "--pose", "standing", "--out", out, "--model", "none")
        assert_refused(outcome, str(out.parent))


def test_unknown_and_damaged_weights(run: Run, photo: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "w.safetensors"
    damaged.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    for model in ("nobody", str(damaged)):
        out = tmp_path / "o.png"
        outcome = run("repose", photo, "--pose", "standing", "--out", out, "--model", model)
        assert_refused(outcome, model)


# -- repose --pairs ------------------------------------------------------------------------------


def write_table(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_pairs_are_drawn_and_reported(
    run: Run, photo: Path, landscape: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "me.jpg").write_bytes(photo.read_bytes())
    table = write_table(
        tmp_path / "pairs.csv",
        [
            ("appearance", "pose", "out"),
            ("me.jpg", "waving", ""),
            ("me.jpg", "sitting", "sub/b.png"),
            (landscape.name, "sitting", "c.png"),
            ("me.jpg", "sitting", "../escaped.png"),
            ("me.jpg", "sitting", "/escaped.png"),
            ("me.jpg", "sitting", "sub/b.png"),
            ("me.jpg", "sitting", "d.webp"),
            ("me.jpg", "", "e.png"),
            ("absent.png", "sitting", "f.png"),
        ],
    )
    out = tmp_path / "results"
    outcome = run("repose", "--pairs", table, "--out", out, "--model", tiny_weights)
    assert outcome.code == 3
    assert "2 of 9" in outcome.out
    assert outcome.err == ""
    lines = [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == list(range(1, 10))
    assert [line["ok"] for line in lines] == [True, True, *[False] * 7]
    assert all((line["error"] is None) == line["ok"] for line in lines)
    assert all(line["ms"] >= 0 and isinstance(line["warnings"], list) for line in lines)
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert written == {lines[0]["out"], "sub/b.png", "report.jsonl"}
    assert "no person" in lines[2]["error"]
    assert "output folder" in lines[3]["error"]
    assert "output folder" in lines[4]["error"]
    assert "row 2" in lines[5]["error"]
    assert not (tmp_path / "escaped.png").exists()


def test_pairs_all_drawn_from_the_working_directory(
    run: Run, photo: Path, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths that are not beside the table are looked for where the user is."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "me.jpg").write_bytes(photo.read_bytes())
    monkeypatch.chdir(tmp_path)
    rows = [("appearance", "pose"), ("me.jpg", "standing")]
    table = write_table(tmp_path / "tables" / "pairs.csv", rows)
    outcome = run("repose", "--pairs", table, "--out", "o", "--model", tiny_weights)
    assert outcome.code == 0, outcome
    assert [p.name for p in Path("o").glob("*.png")] == ["0001_me_standing.png"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a,b\n1,2\n",
        b"appearance,pose\n",
        b"appearance,pose\n\xff\xfe,x\n",
        b"appearance\nx\n",
    ],
)
def test_pairs_of_an_unusable_table(content: bytes, run: Run, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_bytes(content)
    assert_refused(run("repose", "--pairs", table, "--out", tmp_path / "o"), "pairs.csv")
    assert not (tmp_path / "o").exists()


def test_tables_of_spreadsheets_are_read(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"\xef\xbb\xbfout, pose ,appearance\r\no.png,p, a b.png \r\n")
    (row,) = read_table(table)
    assert (row.line, row.appearance, row.pose, row.out) == (2, "a b.png", "p", "o.png")


# -- the other verbs -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["native", "openpose", "coco", "mediapipe"])
def test_pose_writes_each_format(form: str, run: Run, photo: Path, tmp_path: Path) -> None:
    stick, size = tmp_path / "stick.png", read_image(photo).shape[:2]
    outcome = run("pose", photo, "--format", form, "--draw", stick)
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    content = json.loads(outcome.out)
    if form == "openpose":
        assert (content["canvas_height"], content["canvas_width"]) == size
    (found,) = parse_poses(outcome.out)
    assert found.size == size
    drawn = read_image(stick)
    assert drawn.shape[:2] == size
    assert 0.001 < (drawn > 0).any(axis=2).mean() < 0.5


def test_pose_writes_a_file(run: Run, photo: Path, landscape: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "pose.json"
    outcome = run("pose", photo, "--out", out)
    assert (outcome.code, outcome.out) == (0, f"{out}\n")
    assert len(parse_poses(out.read_text())) == 1
    assert_refused(run("pose", landscape, "--out", tmp_path / "no.json"), landscape.name)
    assert not (tmp_path / "no.json").exists()


def test_mix_lends_what_it_is_asked_to(
    run: Run, photo: Path, root: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    other = root / "apps" / "examples" / "person_2.jpg"
    pictures = {}
    for strength in ("0", "1"):
        out = tmp_path / f"{strength}.png"
        options = ("--part", f"top={other}", "--strength", f"top={strength}")
        outcome = run("mix", "--base", photo, "--out", out, *options, "--model", tiny_weights)
        assert outcome.code == 0, outcome
        pictures[strength] = read_image(out).astype(int)
        assert pictures[strength].shape == read_image(photo).shape
    assert np.abs(pictures["0"] - pictures["1"]).max() > 20
    gone = ("--part", f"top={tmp_path / 'gone.jpg'}", "--model", tiny_weights)
    assert_refused(run("mix", "--base", photo, "--out", tmp_path / "no.png", *gone), "gone.jpg")
    assert not (tmp_path / "no.png").exists()


def test_sample_draws_a_sheet_that_the_seed_decides(
    run: Run, tiny_weights: Path, tmp_path: Path
) -> None:
    sheets = []
    for number, seed in enumerate(("1", "1", "2")):
        out = tmp_path / f"{number}.png"
        options = ("-n", "3", "--size", "96", "--seed", seed, "--model", tiny_weights)
        outcome = run("sample", "--pose", "standing", "--out", out, *options)
        assert outcome.code == 0, outcome
        sheets.append(read_image(out))
    assert np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[0], sheets[2])
    out = tmp_path / "none.png"
    options = ("-n", "0", "--model", tiny_weights)
    assert_refused(run("sample", "--pose", "standing", "--out", out, *options))


def test_poses(run: Run, tmp_path: Path) -> None:
    assert run("poses").out.split() == list(PRESETS)
    out = tmp_path / "poses.png"
    assert run("poses", "--out", out).out == f"{out}\n"
    assert min(read_image(out).shape[:2]) > 500


def test_models_names_licence_and_data(run: Run) -> None:
    from vunet.checkpoint import list_weights

    outcome = run("models")
    assert outcome.code == 0, outcome
    for info in list_weights():
        for text in (info.name, info.licence, info.data, info.sha256):
            assert text in outcome.out


def test_demo(run: Run, tiny_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "demo.png"
    outcome = run("demo", "--out", out, "--model", tiny_weights)
    assert (outcome.code, outcome.out) == (0, f"{out}\n"), outcome
    assert min(read_image(out).shape[:2]) > 700


def test_demo_shows_six_poses_or_more() -> None:
    names = chosen_poses(list(PRESETS))
    assert len(set(names)) == len(names) >= 6
    assert set(names) <= set(PRESETS)


def test_train_without_a_part_and_at_half_size(run: Run, tmp_path: Path) -> None:
    given = ("train", "person", "--out", tmp_path, "--dry-run", "--half-size")
    settings = json.loads(run(*given, "--without", "texture", "--without", "adversarial").out)
    assert settings["model"]["size"] == [128, 96]
    assert settings["model"]["texture"] is False
    assert settings["adversarial_weight"] == 0
    assert run(*given, "--without", "head").code == 2


def test_train_looking_twice_and_what_is_carried_alone(run: Run, tmp_path: Path) -> None:
    given = ("train", "person", "--out", tmp_path, "--dry-run")
    plain = json.loads(run(*given).out)
    asked = json.loads(run(*given, "--warp-passes", "2", "--only", "texture").out)
    assert (plain["model"]["warp_passes"], asked["model"]["warp_passes"]) == (1, 2)
    assert (plain["only"], asked["only"]) == ("", "texture")
    assert asked["adversarial_weight"] == 0


def test_minutes_are_the_length_of_a_run_that_names_no_steps(run: Run, tmp_path: Path) -> None:
    given = ("train", "tiny", "--out", tmp_path, "--dry-run", "--minutes", "3")
    assert json.loads(run(*given).out)["steps"] is None
    assert json.loads(run(*given, "--steps", "7").out)["steps"] == 7


def test_training_from_weights_goes_on_gently(run: Run, tmp_path: Path) -> None:
    given = ("train", "person", "--out", tmp_path, "--dry-run")
    fresh = json.loads(run(*given).out)
    gentle = json.loads(run(*given, "--init", "person").out)
    assert gentle["learning_rate"] < fresh["learning_rate"] / 2
    assert (fresh["adversarial_start"], gentle["adversarial_start"]) == (2400, 0)
    asked = json.loads(run(*given, "--init", "person", "--learning-rate", "0.01").out)
    assert asked["learning_rate"] == 0.01


def test_train_settings(run: Run, tmp_path: Path) -> None:
    settings = json.loads(run("train", "tiny", "--out", tmp_path, "--dry-run").out)
    assert settings["model"]["size"] == [64, 48]
    (tmp_path / "config.json").write_text(json.dumps(settings | {"steps": 77, "batch_size": 5}))
    outcome = run(
        *("train", "tiny", "--out", tmp_path, "--resume", "--dry-run"),
        *("--batch-size", "3", "--learning-rate", "0.01"),
    )
    again = json.loads(outcome.out)
    assert again == settings | {"steps": 77, "batch_size": 3, "learning_rate": 0.01}
    for damaged in ("[1]", "{", '{"model": {"size": 3}}', '{"unheard": 1}'):
        (tmp_path / "config.json").write_text(damaged)
        outcome = run("train", "tiny", "--out", tmp_path, "--resume", "--dry-run")
        assert_refused(outcome, "config.json")


@pytest.mark.slow
def test_from_photos_to_own_weights(run: Run, photo: Path, tmp_path: Path) -> None:
    """prepare, train, go on training, and re-pose with what came of it."""
    pytest.importorskip("accelerate", reason="needs the training extra: vunet[train]")
    data, folder, out = tmp_path / "set", tmp_path / "run", tmp_path / "o.png"
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (photos / name).write_bytes(photo.read_bytes())
    (photos / "c.jpg").write_text("no picture")
    outcome = run("prepare", photos, "--out", data, "--workers", "1", "--group", "all")
    assert outcome.code == 0, outcome
    assert "Left out 1" in outcome.out
    drawn = run("prepare", data, "--drawings", "people", "--out", tmp_path / "drawn")
    assert drawn.code == 0, drawn
    assert "drawings" in drawn.out
    again = ("prepare", data, "--drawings", "things", "--out", tmp_path / "other")
    assert_refused(run(*again), "people")
    train = ("train", "tiny", "--data", data, "--out", folder, "--device", "cpu")
    assert run(*train, "--steps", "2").code == 0
    assert_refused(run(*train, "--steps", "2"), "--resume")
    outcome = run(*train, "--resume", "--steps", "3")
    assert outcome.code == 0, outcome
    assert "step 3 of 3" in outcome.out
    outcome = run("repose", photo, "--pose", "standing", "--out", out, "--model", folder)
    assert outcome.code == 0, outcome
    assert out.is_file()


@pytest.mark.slow
def test_bench_ends_in_json(run: Run, tiny_weights: Path, tmp_path: Path) -> None:
    from vunet.bench import STAGES

    path = tmp_path / "bench.json"
    outcome = run("bench", "--json", path, "--model", tiny_weights, "--repeats", "1")
    assert outcome.code == 0, outcome
    report = json.loads(outcome.out.splitlines()[-1])
    assert report == json.loads(path.read_text())
    assert set(report["stages"]) == set(STAGES)
    for figures in report["stages"].values():
        assert 0 < figures["q1_ms"] <= figures["median_ms"] <= figures["q3_ms"]
    assert all(words in outcome.out for words in STAGES.values())


# -- sheets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(PRESETS))
def test_stick_figures_fill_their_tile(name: str) -> None:
    tile = stick_figure(PRESETS[name], (200, 150))
    assert tile.shape == (200, 150, 3)
    rows, columns = np.nonzero(np.ptp(tile.astype(int), axis=2) + (tile > 120).any(axis=2) > 60)
    filled = max(np.ptp(rows) / 200, np.ptp(columns) / 150)
    assert 0.6 < filled <= 0.9
    assert min(rows.min(), columns.min()) > 3


@pytest.mark.parametrize("count", [1, 3, 8])
def test_sheets_hold_their_tiles(count: int) -> None:
    tiles = [Tile(np.full((40, 20 + i, 3), 10 * i, np.uint8), "word " * i) for i in range(count)]
    sheet = compose(tiles, 4, (120, 90), "Title", "Subtitle")
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] > min(count, 4) * 90
    assert (sheet[0] == 255).all()
    picture = grid([np.full((40, 30, 3), 9, np.uint8)] * count)
    assert (picture == 9).all(axis=2).sum() == count * 40 * 30


def test_insets_go_where_nobody_is() -> None:
    mask = np.full((40, 30), 255, np.uint8)
    mask[:12, -10:] = 0
    assert free_corner([mask, mask]) == (False, True)
    assert free_corner([255 - mask]) != (False, True)
