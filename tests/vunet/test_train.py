"""The loop: it learns, stops when asked, and goes on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pose import Pose
from vunet import geometry as geo
from vunet.checkpoint import load_network, read_facts
from vunet.config import PRESETS, TrainConfig, going_on, only
from vunet.data import BatchMaker
from vunet.dataset import Dataset, open_dataset
from vunet.model import Reposer
from vunet.person_task import batch_losses, step_noise
from vunet.schedule import kl_weight, learning_rate
from vunet.train import TrainError, TrainPlan, train

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = PRESETS["tiny"]
STEPS = TINY.steps or 0
CPU = torch.device("cpu")


def twenty_steps(*sets: Path) -> list[float]:
    """Sum of all losses at each of twenty steps of `tiny`, in fp32 on one thread; then that of the
    first batch once more."""
    steps = 20
    config = dataclasses.replace(TINY, steps=steps, learning_rate=3e-3, kl_steps=(2, 10))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        maker = BatchMaker([open_dataset(p) for p in sets], config, CPU)
        torch.manual_seed(config.seed)
        model = Reposer(config.model)
        optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
        rows = []
        for step in (*range(steps), 0):
            batch = maker.batch(step)
            noise, keep = step_noise(batch, step, 0, config)
            source, target = batch.source, batch.target
            painted = model(
                source.images,
                source.masks,
                source.joints,
                target.joints,
                noise=noise,
                keep=keep,
                rendered=batch.rendered,
            )
            parts = batch_losses(painted, batch, None, config, step, amp=False)
            total = torch.stack(list(parts.values())).sum()
            optimiser.zero_grad()
            total.backward()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, step / steps, config)
            optimiser.step()
            rows.append(float(total.detach()))
    finally:
        torch.set_num_threads(threads)
    return rows


@pytest.fixture(scope="module")
def sets(drawn_sets: tuple[Path, Path]) -> list[Dataset]:
    return [open_dataset(p) for p in drawn_sets]


def plan(out: Path, **changes: Any) -> TrainPlan:
    return TrainPlan(out=out, device="cpu", quiet=True, **changes)


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def state_of(out: Path) -> dict[str, Any]:
    return torch.load(out / "state.pt", map_location="cpu", weights_only=True)


# -- schedules -------------------------------------------------------------------------------


def test_learning_rate_warms_up_stays_and_falls() -> None:
    config = TrainConfig(learning_rate=1.0, cooldown=0.5)
    assert learning_rate(0, 0.0, config) == pytest.approx(0.01)
    assert learning_rate(99, 0.1, config) == learning_rate(499, 0.499, config) == pytest.approx(1)
    assert learning_rate(750, 0.75, config) == pytest.approx(0.51, abs=0.01)
    assert learning_rate(999, 0.999, config) == pytest.approx(0.02, abs=0.001)
    flat = dataclasses.replace(config, cooldown=0.0)
    assert learning_rate(999, 0.999, flat) == pytest.approx(1)


def test_a_run_by_the_clock_ends_with_a_low_rate(
    tmp_path: Path, sets: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()  # a quarter of a second each time somebody looks, on any machine
    clock = types.SimpleNamespace(monotonic=lambda: 0.25 * next(ticks))
    monkeypatch.setattr("vunet.train.time", clock)
    config = dataclasses.replace(TINY, steps=None, cooldown=1.0, learning_rate=1e-3)
    done = train(config, sets, plan(tmp_path, minutes=0.05))
    assert done["over"]
    assert done["step"] > 3
    (group,) = state_of(tmp_path)["optimiser"]["param_groups"]
    assert group["lr"] < 0.2 * 1e-3 * min(1, done["step"] / 100)
    again = train(config, sets, plan(tmp_path, minutes=0.02, resume=True))
    assert again["over"]
    assert again["step"] > done["step"]


def test_a_run_by_the_clock_needs_minutes(tmp_path: Path, sets: list[Dataset]) -> None:
    with pytest.raises(TrainError, match="--minutes"):
        train(dataclasses.replace(TINY, steps=None), sets, plan(tmp_path))
    assert not any(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch's tracer looks at all of them
def test_compiled_networks_learn_the_same(
    tmp_path: Path, sets: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    # what is traced counts here, not the C++ that would be made of it in minutes
    eager = functools.partialmethod(torch.nn.Module.compile, backend="eager")
    monkeypatch.setattr(torch.nn.Module, "compile", eager)
    monkeypatch.setenv("CXX", f"{sys.executable} -c pass")  # any program will do
    config = dataclasses.replace(TINY, adversarial_weight=0.1, steps=2)
    for name, compiled in (("plain", False), ("compiled", True)):
        train(config, sets, plan(tmp_path / name, compiled=compiled))
    plain, joined = (load_file(tmp_path / n / "model.safetensors") for n in ("plain", "compiled"))
    assert plain.keys() == joined.keys()
    for key, value in plain.items():
        torch.testing.assert_close(joined[key], value, rtol=0.02, atol=1e-3)


def test_compiling_without_a_compiler_is_refused(
    tmp_path: Path, sets: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(TrainError, match="compiler"):
        train(TINY, sets, plan(tmp_path, compiled=True))
    assert not any(tmp_path.iterdir())


def test_divergence_counts_late() -> None:
    config = TrainConfig(kl_weight=2.0, kl_steps=(10, 20))
    assert [kl_weight(s, config) for s in (0, 10, 15, 20, 99)] == [0, 0, 1, 2, 2]
    assert {kl_weight(s, going_on(config, config.model)) for s in (0, 1, 99)} == {2}


def test_step_noise_depends_on_seed_step_and_rank(drawn_sets: tuple[Path, Path]) -> None:
    config = dataclasses.replace(TINY, texture_dropout=0.5, batch_size=16)
    batch = BatchMaker([open_dataset(drawn_sets[0])], config, CPU).batch(0)
    noise, keep = step_noise(batch, 5, 0, config)
    again, _ = step_noise(batch, 5, 0, config)
    assert torch.equal(noise, again)
    for step, rank in ((6, 0), (5, 1)):
        assert not torch.equal(noise, step_noise(batch, step, rank, config)[0])
    assert keep.shape == (16, 15, 1, 1)
    hidden = (keep.amax(1) == 0).float().mean()
    assert 0.1 < float(hidden) < 0.9


# -- runs ------------------------------------------------------------------------------------


def test_a_run_leaves_what_it_promises(
    tmp_path: Path,
    sets: list[Dataset],
    joints_of: Callable[..., torch.Tensor],
    make_person: Callable[..., Pose],
) -> None:
    done = train(TINY, sets, plan(tmp_path, validation=(sets[0],), every_minutes=1e-6))
    assert done["step"] == STEPS
    assert done["samples"] == STEPS * TINY.batch_size
    assert math.isfinite(done["val_l1"])
    assert math.isfinite(done["val_warp_l1"])
    assert json.loads((tmp_path / "config.json").read_text())["steps"] == STEPS
    rows = rows_of(tmp_path)
    assert {"l1", "alpha", "generated", "kl", "warp", "parser", "surface"} <= {
        key for row in rows for key in row
    }
    assert all(math.isfinite(v) for row in rows for v in row.values())
    assert len(list((tmp_path / "sheets").glob("*.jpg"))) == STEPS
    names = {"config.json", "metrics.jsonl", "model.safetensors", "sheets", "state.pt"}
    assert {p.name for p in tmp_path.iterdir()} == names
    facts = read_facts(tmp_path / "model.safetensors")
    assert facts["steps"] == STEPS
    assert facts["data"] == ["photos", "rendered"]
    weights = load_file(tmp_path / "model.safetensors")
    average = state_of(tmp_path)["average"]
    for name, value in weights.items():
        assert torch.equal(value, average[name].half()), name


def test_resumed_run_equals_an_unbroken_one(tmp_path: Path, sets: list[Dataset]) -> None:
    config = dataclasses.replace(TINY, steps=4, adversarial_weight=0.1, kl_steps=(0, 2))
    train(config, sets, plan(tmp_path / "whole"))

    broken = tmp_path / "broken"
    stop_after(config, sets, broken, 2)
    assert state_of(broken)["progress"]["step"] == 2
    train(config, sets, plan(broken, resume=True))
    one, two = state_of(tmp_path / "whole"), state_of(broken)
    assert one["progress"]["step"] == two["progress"]["step"] == 4
    for part in ("model", "average", "rival"):
        for name, value in one[part].items():
            assert torch.equal(value, two[part][name]), f"{part} {name}"
    last = [rows_of(p)[-1] for p in (tmp_path / "whole", broken)]
    assert last[0].keys() == last[1].keys()


def stop_after(config: TrainConfig, sets: list[Dataset], out: Path, steps: int) -> None:
    """Train and press Ctrl-C while the batch of step `steps` - 1 is being made."""
    original = BatchMaker.batch

    def batch(self: BatchMaker, step: int) -> Any:
        if step == steps - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchMaker, "batch", batch)
        train(config, sets, plan(out))


def test_a_run_from_weights_counts_what_they_learned_from(
    tmp_path: Path, sets: list[Dataset]
) -> None:
    train(TINY, sets, plan(tmp_path / "a"))
    begun = str(tmp_path / "a" / "model.safetensors")
    config = dataclasses.replace(TINY, steps=3)
    train(config, sets, plan(tmp_path / "b", init=begun, minutes=1e-9))
    train(config, sets, plan(tmp_path / "b", resume=True))
    facts = read_facts(tmp_path / "b" / "model.safetensors")
    assert facts["steps"] == STEPS + 3
    assert facts["samples"] == (STEPS + 3) * TINY.batch_size


def test_what_carries_pixels_is_trained_alone(tmp_path: Path, sets: list[Dataset]) -> None:
    """From weights that look once, on to a network that looks twice; all else stays."""
    train(TINY, sets, plan(tmp_path / "a"))
    begun = str(tmp_path / "a" / "model.safetensors")
    twice = dataclasses.replace(TINY.model, warp_passes=2)  # pyright: ignore[reportCallIssue]
    config = only(dataclasses.replace(TINY, model=twice, adversarial_weight=0.1), "texture")
    train(config, sets, plan(tmp_path / "b", init=begun))
    before, after = load_file(begun), load_file(tmp_path / "b" / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert {name.split(".")[0] for name in changed} <= {"parser", "warper", "prior_strength"}
    assert state_of(tmp_path / "b")["rival"] is None
    rows = [row for row in rows_of(tmp_path / "b") if "warp" in row]
    assert rows
    assert not {"l1", "kl", "generated", "copy"} & rows[0].keys()
    model, _ = load_network(tmp_path / "b" / "model.safetensors")
    assert model.config.warp_passes == 2
    with pytest.raises(TrainError, match="other network settings"):  # nor does it go back
        train(TINY, sets, plan(tmp_path / "c", init=str(tmp_path / "b" / "model.safetensors")))


def test_garments_are_learned_alone(tmp_path: Path, sets: list[Dataset]) -> None:
    """From weights that tell none; nothing but the parser changes, and goes on where it stopped."""
    train(TINY, sets, plan(tmp_path / "a"))
    begun = str(tmp_path / "a" / "model.safetensors")
    config = only(TINY, "garments")
    train(config, sets, plan(tmp_path / "b", init=begun))
    before, after = load_file(begun), load_file(tmp_path / "b" / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} == {"parser"}
    assert after["parser.leave.2.bias"].shape[0] == before["parser.leave.2.bias"].shape[0] + 2
    model, _ = load_network(tmp_path / "b" / "model.safetensors")
    assert model.config.garments
    torch.manual_seed(0)
    picture = torch.rand(1, 3, *model.config.size)
    mask, joints = torch.ones(1, 1, *model.config.size), torch.rand(1, 21, 3) * 40
    parsed = model.parse(picture, mask, joints, amp=False)
    assert parsed.garments is not None
    assert parsed.garments.shape[1] == 2
    assert parsed.logits.shape[1] == len(geo.PARTS) + 1
    # what it is compared with is what the run began with, not what it resumes with
    train(config, sets, plan(tmp_path / "c", init=begun, minutes=1e-9))
    train(config, sets, plan(tmp_path / "c", resume=True))
    rows = [rows_of(tmp_path / n)[-1] for n in ("b", "c")]
    assert rows[0] == rows[1]
    teacher = {k: v for k, v in state_of(tmp_path / "c")["teacher"].items() if "leave.2" not in k}
    for name, value in teacher.items():
        if name in before:
            torch.testing.assert_close(value, before[name].float(), rtol=2e-3, atol=1e-4)


def test_whole_training_learns_garments_too(tmp_path: Path, sets: list[Dataset]) -> None:
    model = dataclasses.replace(TINY.model, garments=True)  # pyright: ignore[reportCallIssue]
    train(dataclasses.replace(TINY, model=model), sets, plan(tmp_path))
    assert "garments" in rows_of(tmp_path)[-2]


def test_a_run_takes_over_what_its_weights_tell(tmp_path: Path) -> None:
    tells = dataclasses.replace(TINY.model, garments=True, warp_passes=2)  # pyright: ignore[reportCallIssue]
    begun = going_on(TINY, tells)
    assert begun.model == tells
    assert going_on(begun, TINY.model).model == TINY.model


def test_a_baseline_carries_nothing() -> None:
    for name in ("vunet-2018", "garment", "find"):
        with pytest.raises(ValueError, match="carries no pixels"):
            only(PRESETS[name], "texture")


def test_time_is_up(tmp_path: Path, sets: list[Dataset]) -> None:
    done = train(TINY, sets, plan(tmp_path, minutes=0.0))
    assert done["step"] == 0
    assert state_of(tmp_path)["progress"]["step"] == 0
    assert train(TINY, sets, plan(tmp_path, resume=True))["step"] == STEPS


def test_a_finished_run_resumes_to_itself(tmp_path: Path, sets: list[Dataset]) -> None:
    config = dataclasses.replace(TINY, steps=1)
    train(config, sets, plan(tmp_path))
    before = (tmp_path / "model.safetensors").read_bytes()
    assert train(config, sets, plan(tmp_path, resume=True))["step"] == 1
    tensors = load_file(tmp_path / "model.safetensors")
    (tmp_path / "before.safetensors").write_bytes(before)
    for name, value in load_file(tmp_path / "before.safetensors").items():
        assert torch.equal(value, tensors[name])


def test_runs_are_neither_overwritten_nor_resumed_from_nothing(
    tmp_path: Path, sets: list[Dataset]
) -> None:
    with pytest.raises(TrainError, match="nothing to resume"):
        train(TINY, sets, plan(tmp_path / "new", resume=True))
    assert not (tmp_path / "new").exists()
    train(TINY, sets, plan(tmp_path / "run", minutes=0.0))
    before = (tmp_path / "run" / "state.pt").read_bytes()
    with pytest.raises(TrainError, match="holds a run already"):
        train(TINY, sets, plan(tmp_path / "run"))
    assert (tmp_path / "run" / "state.pt").read_bytes() == before


def test_another_network_does_not_resume(tmp_path: Path, sets: list[Dataset]) -> None:
    train(TINY, sets, plan(tmp_path, minutes=0.0))
    other = dataclasses.replace(TINY, model=dataclasses.replace(TINY.model, latent_dim=6))
    with pytest.raises(TrainError, match="another network"):
        train(other, sets, plan(tmp_path, resume=True))


@pytest.mark.parametrize("damage", ["empty", "short", "text", "other"])
def test_a_damaged_state_is_refused_in_a_sentence(
    tmp_path: Path, sets: list[Dataset], damage: str
) -> None:
    train(TINY, sets, plan(tmp_path, minutes=0.0))
    path = tmp_path / "state.pt"
    data = {
        "empty": b"",
        "short": path.read_bytes()[:-2000],
        "text": b"not a state\n",
        "other": None,
    }[damage]
    if data is None:
        torch.save({"hello": 1}, path)
    else:
        path.write_bytes(data)
    with pytest.raises(TrainError, match=r"state\.pt"):
        train(TINY, sets, plan(tmp_path, resume=True))


def test_missing_backbone_is_said(tmp_path: Path, sets: list[Dataset]) -> None:
    with pytest.raises(TrainError, match="squeezenet"):
        train(TINY, sets, plan(tmp_path, backbones=tmp_path))


def test_ctrl_c_stops_cleanly(tmp_path: Path, drawn_sets: tuple[Path, Path]) -> None:
    program = (
        "import dataclasses, sys\n"
        "from pathlib import Path\n"
        "from vunet.config import PRESETS\n"
        "from vunet.dataset import open_dataset\n"
        "from vunet.train import TrainPlan, train\n"
        "config = dataclasses.replace(PRESETS['tiny'], steps=100000)\n"
        "plan = TrainPlan(out=Path(sys.argv[1]), device='cpu', quiet=True, every_minutes=1e-4)\n"
        "done = train(config, [open_dataset(Path(p)) for p in sys.argv[2:]], plan)\n"
        "print('stopped at', done['step'])\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "run"), *map(str, drawn_sets)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 240
        while not (tmp_path / "run" / "state.pt").exists() and time.monotonic() < until:
            assert run.poll() is None, run.communicate()
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == 0, err
    assert "Traceback" not in err
    step = int(out.split("stopped at")[1])
    assert 0 < step == state_of(tmp_path / "run")["progress"]["step"]
    assert not list((tmp_path / "run").glob("*.part"))


# -- golden ----------------------------------------------------------------------------------


def test_losses_are_those_they_were(drawn_sets: tuple[Path, Path]) -> None:
    lines = (ROOT / "tests" / "golden" / "losses.txt").read_text().splitlines()
    stored = [float(line.split()[1]) for line in lines if not line.startswith("#")]
    np.testing.assert_allclose(twenty_steps(*drawn_sets), stored, rtol=3e-3)
    assert stored[-1] < stored[0]  # learned something of the first batch
