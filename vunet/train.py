"""The training loop, whatever it trains (`vunet.task.Task`).

One process or many (started by `torchrun` or `accelerate launch`; Accelerate does the plumbing).
A run folder holds `config.json`, `metrics.jsonl`, `sheets/` and two files: `model.safetensors`
(averaged weights, for use) and `state.pt` (everything needed to go on). Stopping on time, by Ctrl-C
or at the end is the same; going on gives the losses that an unbroken run would have given. Only a
run by the clock gets the further minutes asked for, and the rates that go with them.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from types import FrameType
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from vunet import losses
from vunet.checkpoint import load_network, read_facts, resolve_weights, save_network
from vunet.config import (
    DrawingConfig,
    FacePartsConfig,
    FindConfig,
    ModelConfig,
    NetworkConfig,
    TrainConfig,
    network_config_from,
    to_json,
)
from vunet.dataset import Dataset
from vunet.person_task import PersonTask
from vunet.schedule import learning_rate
from vunet.task import Rival, Task


class TrainError(ValueError):
    """A run cannot be started or resumed as asked."""


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """Where a run reads and writes, and when it stops; what it learns is `TrainConfig`."""

    out: Path
    """Run folder."""
    minutes: float | None = None
    """Stop after this time; the run can be resumed. Where the config names no steps, this is the
    length of the run, too."""
    resume: bool = False
    """Go on from the run folder's state."""
    init: str | None = None
    """Start from these weights (name or file)."""
    backbones: Path | None = None
    """Folder with the SqueezeNet of the perceptual loss; None leaves that loss out."""
    validation: tuple[Dataset, ...] = ()
    """Sets never trained on, for the figures and half of the sheets."""
    every_minutes: float = 5.0
    """Time between checkpoints, sheets and validation."""
    device: str = "auto"
    """auto, cpu or cuda."""
    compiled: bool = False
    """Let `torch.compile` join the networks' small steps: minutes at first, faster afterwards."""
    quiet: bool = False
    """No progress bar."""


class _StopSignal:
    """Set by Ctrl-C: finish the step, save, stop. A second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        def ask(signum: int, frame: FrameType | None) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True

        try:
            before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: nobody can press Ctrl-C here
            before = {}
        try:
            yield
        finally:
            for s, handler in before.items():
                signal.signal(s, handler)


def train(config: TrainConfig, datasets: list[Dataset], plan: TrainPlan) -> dict[str, Any]:
    """Train until the steps or the minutes are over, or until interrupted.

    Returns:
        step, samples, minutes, whether the run is over and the last validation figures.

    Raises:
        TrainError: If the run folder cannot be resumed or would be overwritten.
    """
    state_path = plan.out / "state.pt"
    if plan.resume and not state_path.is_file():
        raise TrainError(f"{plan.out}: nothing to resume here; leave --resume out to begin")
    if not plan.resume and state_path.exists():
        raise TrainError(f"{plan.out}: holds a run already; add --resume, or choose another --out")
    if config.steps is None and plan.minutes is None:
        raise TrainError("a run without a number of steps goes by the clock: give --minutes")
    accelerator = Accelerator(cpu=plan.device == "cpu")
    device, rank = accelerator.device, accelerator.process_index
    if plan.device == "cuda" and device.type != "cuda":
        raise TrainError("--device cuda: no usable GPU here; use --device cpu")
    amp = True
    torch.manual_seed(config.seed)
    task = make_task(config, datasets, plan, device, rank)
    torch.manual_seed(config.seed)
    model = task.build()
    before: dict[str, float] = {}
    if plan.init is not None:
        start, _ = load_network(plan.init)
        known = read_facts(resolve_weights(plan.init)[0])
        before = {k: known[k] for k in ("steps", "samples", "minutes") if k in known}
        if not _fits(cast(Any, start.config), config.model):
            raise TrainError(f"{plan.init}: made with other network settings: {start.config}")
        model.load_state_dict(_begun_from(start, model))
    model = model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    teacher = task.begin(model) if isinstance(task, PersonTask) else None
    average = copy.deepcopy(model).requires_grad_(False).eval()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=config.betas, weight_decay=1e-4
    )
    rival = task.rival
    if rival is not None and accelerator.num_processes > 1:
        rival.reduce = lambda g: cast(Tensor, accelerator.reduce(g, "mean"))
    if plan.compiled:
        usual = "clang++" if sys.platform == "darwin" else "g++"
        compiler = shlex.split(os.environ.get("CXX") or usual)[0]
        if shutil.which(compiler) is None:
            raise TrainError(f"--compile needs a C++ compiler, {compiler}; leave it out")
        for net in (model,) if rival is None else (model, rival.net):
            net.compile(dynamic=False)
    learner = _Learner(model, average, optimiser, rival, teacher)
    progress = learner.load(state_path, config, device) if plan.resume else _Progress(before=before)
    spent = progress.elapsed
    wrapped, optimiser = accelerator.prepare(model, optimiser)
    main = accelerator.is_main_process
    if main:
        plan.out.mkdir(parents=True, exist_ok=True)
        (plan.out / "config.json").write_text(to_json(config), encoding="utf-8")
        (plan.out / "sheets").mkdir(exist_ok=True)
    figures: dict[str, Any] = {}
    started = saved = logged = time.monotonic()
    fresh = 0  # steps since `logged`
    stop = _StopSignal()
    done = 0.0  # share of the run that is over
    first = progress.step

    def over() -> bool:
        """Whether any process has to stop; all processes ask, and look at the clock, together."""
        nonlocal done
        alone = accelerator.num_processes == 1
        if config.steps is not None:
            done = progress.step / config.steps
        if not alone and progress.step % 10 and progress.step != first:
            return done >= 1
        passed = time.monotonic() - started
        late = plan.minutes is not None and passed > plan.minutes * 60
        asked = torch.tensor([float(stop.asked or late), passed])
        if not alone:
            asked = cast(Tensor, accelerator.reduce(asked.to(device), "mean")).cpu()
        if config.steps is None and plan.minutes is not None:
            done = min(1.0, (spent + float(asked[1])) / (spent + plan.minutes * 60 + 1e-9))
        return done >= 1 or bool(asked[0] > 0)

    def save() -> None:
        if not main:
            return
        progress.elapsed = spent + time.monotonic() - started
        samples = progress.step * config.batch_size * accelerator.num_processes
        before = progress.before
        facts = {
            "steps": progress.step + int(before.get("steps", 0)),
            "samples": samples + int(before.get("samples", 0)),
            "minutes": round(progress.elapsed / 60 + before.get("minutes", 0), 1),
            "data": [str(d.path.name) for d in datasets],
            "torch": torch.__version__,
        }
        save_network(average, plan.out / "model.safetensors", config.model, facts)
        learner.save(state_path, config, progress)

    bar = tqdm(
        total=config.steps,
        initial=progress.step,
        desc="train",
        unit="step",
        disable=plan.quiet or not main,
    )
    with stop.watching(), bar:
        while not over():
            step = progress.step
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, done, config)
            parts = task.losses(wrapped, step, done, amp)
            total = torch.stack([p.float() for p in parts.values()]).sum()
            optimiser.zero_grad(set_to_none=True)
            accelerator.backward(total)
            norm = accelerator.clip_grad_norm_(model.parameters(), 1.0)
            if torch.isfinite(total) and (norm is None or math.isfinite(float(norm))):
                optimiser.step()
                _follow(average, model, min(config.ema, (step + 1) / (step + 20)))
            progress.step, progress.count, fresh = step + 1, progress.count + 1, fresh + 1
            for name, value in parts.items():
                progress.sums[name] = progress.sums.get(name, 0.0) + float(value.detach())
            bar.update()
            if progress.step % 50 == 0 or progress.step == config.steps:
                now = time.monotonic()
                rate = config.batch_size * accelerator.num_processes * fresh / (now - logged)
                line = {k: round(v / progress.count, 4) for k, v in progress.sums.items()}
                row = {"step": progress.step, "images_per_second": round(rate, 2), **line}
                _log(plan.out, main, row)
                bar.set_postfix(loss=f"{sum(line.values()):.3f}", img_s=f"{rate:.1f}")
                progress.sums, progress.count, fresh, logged = {}, 0, 0, now
            if main and time.monotonic() - saved > plan.every_minutes * 60:
                save()
                figures = task.examine(average, plan.out, progress.step, amp)
                _log(plan.out, main, {"step": progress.step, **figures})
                saved = logged = time.monotonic()
                fresh = 0
    save()
    if main:
        figures = task.examine(average, plan.out, progress.step, amp)
        _log(plan.out, main, {"step": progress.step, **figures})
    minutes = (spent + time.monotonic() - started) / 60
    return {
        "step": progress.step,
        "samples": progress.step * config.batch_size,
        "minutes": minutes,
        "over": done >= 1,
        **figures,
    }


def _fits(own: NetworkConfig, asked: NetworkConfig) -> bool:
    """Whether weights can begin a run; a drawing network's do for pictures of any size and kind."""
    if isinstance(own, ModelConfig) and isinstance(asked, ModelConfig):
        passes = max(own.warp_passes, asked.warp_passes)  # who looks once may learn to look twice
        garments = own.garments or asked.garments  # and to tell garments
        own = dataclasses.replace(own, warp_passes=passes, garments=garments)
    if isinstance(own, DrawingConfig) and isinstance(asked, DrawingConfig):
        own = dataclasses.replace(
            own,
            size=asked.size,
            shape=asked.shape,
            classes=asked.classes,
            people=asked.people,
            faces=asked.faces,
            generator_channels=asked.generator_channels,
        )
    return own == asked


def _begun_from(start: nn.Module, fresh: nn.Module) -> dict[str, Tensor]:
    """The state of trained weights for a fresh network.

    What they do not know stays new: classes, scales of the generator, what a parser is to tell.
    """
    new = fresh.state_dict()
    state = {k: v for k, v in start.state_dict().items() if k in new and v.shape == new[k].shape}
    state = {**new, **state}
    own, asked = cast(Any, start.config), cast(Any, fresh.config)
    if "prior.classes.weight" in state and own.classes != asked.classes:
        known, table = start.state_dict()["prior.classes.weight"], new["prior.classes.weight"]
        rows = [own.classes.index(c) + 1 if c in own.classes else -1 for c in asked.classes]
        for row, old in enumerate([0, *rows]):
            if old >= 0:
                table[row] = known[old]
        state["prior.classes.weight"] = table
    for name in ("parser.leave.2.weight", "parser.leave.2.bias"):
        if name in new and len(new[name]) > len(known := start.state_dict()[name]):
            state[name] = torch.cat([known, new[name][len(known) :]])
    return state


def make_task(
    config: TrainConfig, datasets: list[Dataset], plan: TrainPlan, device: torch.device, rank: int
) -> Task:
    """What a config trains."""
    from vunet.drawing.task import DrawingTask

    if isinstance(config.model, FindConfig):
        from vunet.gallery.task import FindTask

        return FindTask(config, datasets, plan.validation, device, rank)
    if isinstance(config.model, FacePartsConfig):
        from vunet.face.part_task import FacePartsTask

        return FacePartsTask(config, datasets, plan.validation, device, rank)
    features = _features(plan.backbones, device)
    kind = DrawingTask if isinstance(config.model, DrawingConfig) else PersonTask
    return kind(config, datasets, plan.validation, features, device, rank)


def _features(folder: Path | None, device: torch.device) -> losses.SqueezeFeatures | None:
    if folder is None:
        return None
    path = folder / "squeezenet1_0_imagenet.safetensors"
    if not path.is_file():
        raise TrainError(f"{path}: not found; give the folder with it, or leave --backbones out")
    net = losses.SqueezeFeatures(path, losses.PERCEPTUAL_LAYERS).to(device)
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _log(out: Path, main: bool, row: dict[str, Any]) -> None:
    if main:
        with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the current ones."""
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)
    for slow, fast in zip(average.buffers(), model.buffers(), strict=True):
        slow.copy_(fast)


@dataclass
class _Progress:
    """How far a run has come."""

    step: int = 0
    elapsed: float = 0.0
    """Seconds spent training, over all resumptions."""
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    """Losses since the last logged row, summed."""
    count: int = 0
    """Steps in `sums`."""
    before: dict[str, float] = dataclasses.field(default_factory=dict)
    """Steps, samples and minutes of the weights that the run began with."""


@dataclass
class _Learner:
    """Everything that changes while training."""

    model: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    rival: Rival | None
    teacher: nn.Module | None

    def save(self, path: Path, config: TrainConfig, progress: _Progress) -> None:
        """Write the state whole or not at all."""
        state = {
            "config": to_json(config),
            "progress": dataclasses.asdict(progress),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rival": self.rival and self.rival.net.state_dict(),
            "rival_optimiser": self.rival and self.rival.optimiser.state_dict(),
            "teacher": self.teacher and self.teacher.state_dict(),
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path, config: TrainConfig, device: torch.device) -> _Progress:
        """Take up a saved state.

        Raises:
            TrainError: If it is damaged or of another network.
        """
        try:
            state = torch.load(path, map_location=device, weights_only=True)
            same = network_config_from(json.loads(state["config"])["model"]) == config.model
            if same:
                self.model.load_state_dict(state["model"])
                self.average.load_state_dict(state["average"])
                self.optimiser.load_state_dict(state["optimiser"])
                if self.rival is not None and state["rival"] is not None:
                    self.rival.net.load_state_dict(state["rival"])
                    self.rival.optimiser.load_state_dict(state["rival_optimiser"])
                if self.teacher is not None:
                    self.teacher.load_state_dict(state["teacher"])
            progress = _Progress(**state["progress"])
        except (
            OSError,
            EOFError,
            RuntimeError,
            UnpicklingError,
            LookupError,
            ValueError,
            TypeError,
        ) as e:
            raise TrainError(
                f"{path}: the run's state is damaged; begin again with another --out "
                "(--init takes up its model.safetensors)"
            ) from e
        if not same:
            raise TrainError(
                f"{path}: the run has another network; use its settings or a new --out"
            )
        return progress
