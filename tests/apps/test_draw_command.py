"""`vunet draw --model face` through the real command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps import cli
from vunet.checkpoint import list_weights
from vunet.images import read_image

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process."""
    missing = {"face", "face-parts"} - {info.name for info in list_weights()}
    if missing:
        pytest.skip(f"needs weights that are not released yet: {', '.join(sorted(missing))}")

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.main(["draw", *[str(a) for a in arguments], "--device", "cpu"])
        return code, *capfd.readouterr()

    return call


@pytest.fixture(scope="module")
def bob(root: Path) -> Path:
    return root / "tests/vunet/face/crude/woman_with_bob.png"


@pytest.fixture(scope="module")
def man(root: Path) -> Path:
    return root / "tests/vunet/face/crude/man_with_moustache.png"


FACE = ("--model", "face", "--size", "96")


def test_all_options_of_faces_together(run: Run, bob: Path, man: Path, tmp_path: Path) -> None:
    out = tmp_path / "face.png"
    wishes = ("--refine", "mouth=1", "--refine", "0.3", "--part", f"eyes={man}")
    code, said, err = run(bob, *FACE, *wishes, "--towards", man, "--share", "hair=1", "--out", out)
    assert (code, said) == (0, f"{out}\n"), err
    assert read_image(out).shape == (96, 96, 3)
    assert Image.open(out).text["vunet:seed"] == "0"  # type: ignore[attr-defined]
    again = tmp_path / "again.png"
    turned = ("--refine", "0.3", "--refine", "mouth=1", "--part", f"eyes={man}")
    run(bob, *FACE, *turned, "--towards", man, "--share", "hair=1", "--out", again)
    assert np.array_equal(read_image(out), read_image(again)), "in whatever order"


def test_each_wish_changes_the_picture(run: Run, bob: Path, man: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    assert run(bob, *FACE, "--out", plain)[0] == 0
    for number, wish in enumerate(
        (
            ("--refine", "0"),
            ("--refine", "mouth=1"),
            ("--part", f"mouth={man}"),
            ("--towards", str(man)),
            ("--seed", "3"),
            ("--like", str(man.parents[4] / "apps/examples/person_3.jpg")),
        )
    ):
        out = tmp_path / f"{number}.png"
        code, _, err = run(bob, *FACE, *wish, "--out", out)
        assert code == 0, err
        assert not np.array_equal(read_image(out), read_image(plain)), wish


def test_several_become_a_sheet(run: Run, bob: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert run(bob, *FACE, "-n", "3", "--out", out)[0] == 0
    height, width = read_image(out).shape[:2]
    assert height * width >= 3 * 96 * 96


def test_what_cannot_be_is_refused_in_a_sentence(
    run: Run, bob: Path, man: Path, tmp_path: Path
) -> None:
    broken, empty = tmp_path / "broken.png", tmp_path / "empty.png"
    broken.write_bytes(b"no picture")
    Image.new("RGB", (200, 200), "white").save(empty)
    nobody = man.parents[4] / "apps/examples/person_5.jpg"
    for options, words in (
        ((bob, "--refine", "ear=1"), ("--refine", "'ear'", "left-eye")),
        ((bob, "--refine", "mouth=2"), ("--refine mouth=2", "0 to 1")),
        ((bob, "--refine", "much"), ("--refine", "number")),
        ((bob, "--refine", "nan"), ("--refine", "number")),
        ((bob, "--refine", "mouth=1", "--refine", "mouth=0"), ("--refine mouth", "twice")),
        ((bob, "--part", f"ear={man}"), ("--part", "'ear'")),
        ((bob, "--part", "eyes"), ("--part eyes",)),
        ((bob, "--part", f"eyes={broken}"), ("broken.png",)),
        ((bob, "--part", f"eyes={empty}"), ("empty.png", "Nothing is drawn")),
        ((bob, "--part", f"eyes={tmp_path / 'absent.png'}"), ("absent.png",)),
        ((bob, "--towards", empty), ("empty.png", "Nothing is drawn")),
        ((bob, "--towards", man, "--share", "ear=1"), ("--share", "'ear'")),
        ((bob, "--towards", man, "--share", "2"), ("--share", "0 to 1")),
        ((bob, "--share", "0.5"), ("--share", "--towards")),
        ((bob, "--look", "light=9"), ("--look light=9", "-3 to 3")),
        ((bob, "--look", "nonsense=1"), ("direction",)),
        ((bob, "--kind", "Dress"), ("--kind",)),
        ((bob, "--like", broken), ("broken.png",)),
        ((bob, "--like", nobody), ("person_5.jpg", "No face was found")),
        ((bob, "--strength", "2"), ("strength",)),
        ((empty,), ("empty.png", "Nothing is drawn")),
        ((broken,), ("broken.png",)),
        ((nobody,), ("person_5.jpg", "No face was found")),
        ((tmp_path / "absent.png",), ("absent.png",)),
    ):
        code, said, err = run(*options, *FACE, "--out", tmp_path / "out.png")
        assert (code, said) == (2, ""), (options, err)
        assert err.startswith("vunet: "), options
        assert err.count("\n") == 1, err
        for word in words:
            assert word in err, (options, err)
        assert not (tmp_path / "out.png").exists()


def test_wishes_of_faces_go_with_faces(run: Run, bob: Path, tmp_path: Path) -> None:
    code, _, err = run(bob, "--refine", "1", "--out", tmp_path / "out.png")
    assert code == 2
    assert "--model face" in err
