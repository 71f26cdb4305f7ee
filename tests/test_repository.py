"""The repository as a whole: what it weighs, what it imports, what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

MAX_FILE_MB = 16
MAX_WEIGHTS_MB = 40
MAX_REPOSITORY_MB = 56
"""So that the repository and a day's data fit into the 64 MiB that a training machine is sent."""
MACHINE_PATH = re.compile(rb"(?<![\w.])/(?:work|root|home|Users|mnt)/[\w.-]+")


def tracked(root: Path) -> list[Path]:
    """The files that git knows; all files that it does not ignore count, committed or not yet."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("needs a git checkout")
    names = [name.decode() for name in done.stdout.split(b"\0") if name]
    return [root / name for name in sorted(set(names)) if (root / name).is_file()]


def test_no_file_is_too_large(root: Path) -> None:
    sizes = {str(p.relative_to(root)): p.stat().st_size for p in tracked(root)}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_MB * 1e6} == {}
    weights = sum(s for n, s in sizes.items() if n.startswith("weights/") and n.endswith("tensors"))
    assert weights <= MAX_WEIGHTS_MB * 1e6
    assert sum(sizes.values()) <= MAX_REPOSITORY_MB * 1e6


def test_no_file_names_a_path_of_one_machine(root: Path) -> None:
    found = {}
    for path in tracked(root):
        if path.suffix in {".png", ".jpg", ".safetensors"}:
            continue
        if hits := MACHINE_PATH.findall(path.read_bytes()):
            found[str(path.relative_to(root))] = hits
    assert found == {}


def test_nothing_is_pickled(root: Path) -> None:
    endings = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".npy"}
    assert [p.name for p in tracked(root) if p.suffix in endings] == []


def modules_after(statement: str) -> set[str]:
    """Names of the packages that a fresh interpreter holds after a statement."""
    program = f"{statement}\nimport sys\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_pose_and_vunet_import_nothing_heavy() -> None:
    heavy = {"torch", "torchvision", "mediapipe", "gradio", "matplotlib", "jax"}
    assert modules_after("import pose") & heavy == set()
    assert modules_after("import vunet") & heavy == set()
    assert modules_after("import vunet.images") & heavy == set()


def test_training_imports_without_mediapipe_and_gradio(root: Path) -> None:
    """As on a machine that has neither: the imports themselves must not fail."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    training = next(c for c in contracts["contracts"] if c["name"].startswith("Training"))
    modules = training["source_modules"]
    assert "vunet.train" in modules
    loaded = modules_after(
        "import sys\n"
        "sys.modules['mediapipe'] = sys.modules['gradio'] = None\n"
        f"import {', '.join(modules)}\n"
        "del sys.modules['mediapipe'], sys.modules['gradio']"
    )
    assert {"mediapipe", "gradio"} & loaded == set()


def test_public_names() -> None:
    import vunet

    assert vunet.Engine.__module__.startswith("vunet")
    assert vunet.Result.__module__.startswith("vunet")
    assert callable(vunet.Engine.load)
    assert set(vunet.__all__) <= set(dir(vunet))
    with pytest.raises(AttributeError, match="no attribute 'Motor'"):
        _ = vunet.Motor


def test_version_and_ranges_agree_with_the_lock(root: Path) -> None:
    from packaging.requirements import Requirement

    import vunet

    assert re.fullmatch(r"\d+\.\d+\.\d+", vunet.__version__)
    project = tomllib.loads((root / "pyproject.toml").read_text())
    locked = {}
    for line in (root / "requirements.lock").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.split(" ;")[0].partition("==")
            locked[name] = version
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["train"],
        *project["dependency-groups"]["dev"],
    ]
    for text in declared:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[requirement.name]), text
    ranges = {Requirement(t).name: Requirement(t).specifier for t in declared}
    # The older set of a training machine.
    for name, version in {"torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.5.0"}.items():
        assert ranges[name].contains(version)
    assert [name for name in locked if name.startswith("opencv")] == ["opencv-contrib-python"]


def test_lock_names_no_index_and_no_path(root: Path) -> None:
    text = (root / "requirements.lock").read_text()
    assert "://" not in text
    assert "@" not in text
    assert "--index" not in text.replace("uv pip compile", "")


@pytest.mark.parametrize("target", ["demo", "test", "app", "lint", "bench", "help"])
def test_makefile_has_its_targets(root: Path, target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_ci_can_be_run(root: Path) -> None:
    script = root / ".ci" / "run"
    assert script.stat().st_mode & 0o111 == 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text()
    assert "make lint" in text
    assert "make test" in text


def test_weights_and_stamps_ship_with_the_package(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"vunet": "apps.cli:main"}
    assert "weights" in project["tool"]["setuptools"]["packages"]
    for name in ("LICENSE", "README.md", "CONTRIBUTING.md", "vunet/py.typed", "pose/py.typed"):
        assert (root / name).is_file(), name
