"""The README's own words: its Python runs, its commands are understood, its files exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from apps.cli import main

README = Path(__file__).parent.parent / "README.md"


def _blocks(language: str) -> list[str]:
    """Contents of the README's fenced blocks of a language ("" for none)."""
    found, inside, kind = [], None, ""
    for line in README.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("```") and inside is None:
            inside, kind = [], line[3:].strip()
        elif line.startswith("```") and inside is not None:
            if kind == language:
                found.append("".join(inside))
            inside = None
        elif inside is not None:
            inside.append(line)
    return found


def test_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (block,) = _blocks("python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "apps").symlink_to(README.parent / "apps")
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)  # the README is ours
    assert (tmp_path / "arms_up.png").stat().st_size > 10_000


def _commands() -> list[list[str]]:
    lines = [line.split("#")[0].strip() for block in _blocks("") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("vunet ")]


def test_every_verb_and_option_of_the_readme_exists(capsys: pytest.CaptureFixture[str]):
    commands = _commands()
    assert len(commands) >= 8
    for words in commands:
        with pytest.raises(SystemExit) as stop:
            main([words[1], "--help"])
        assert stop.value.code == 0
        help_text = capsys.readouterr().out
        for option in (w for w in words if re.match(r"--?[a-z]", w)):
            assert option in help_text, f"`{' '.join(words)}`: {option} is no option of it"


def test_links_and_pictures_exist():
    text = README.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    for target in targets:
        if "://" not in target:
            assert (README.parent / target).exists(), f"{target} is linked but not there"
