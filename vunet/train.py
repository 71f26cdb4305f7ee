"""The training loop of the re-posing network.

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
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from types import FrameType
from typing import Any, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from vunet import losses
from vunet.baselines import Pix2PixRival, baseline_losses
from vunet.checkpoint import load_network, save_reposer
from vunet.config import TrainConfig, model_config_from, to_json
from vunet.data import Batch, BatchMaker
from vunet.dataset import UNKNOWN, Dataset
from vunet.geometry import HEAD, analytic_warp, capsules
from vunet.model import PART_COUNT, Painted, Reposer, autocast
from vunet.networks import build

SHEET_ROWS = 12
WARM_UP_STEPS = 100


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
    quiet: bool = False
    """No progress bar."""


def learning_rate(step: int, done: float, config: TrainConfig) -> float:
    """Rate at a step: warm-up, then flat, then half a cosine down to 2 % of the peak.

    Args:
        step: From 0.
        done: Share of the run that is over, in [0, 1].
        config: Of the run.
    """
    start = 1 - config.cooldown
    fall = min(1.0, max(0.0, (done - start) / max(1e-6, config.cooldown)))
    shape = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fall))
    return config.learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS) * shape


def kl_weight(step: int, config: TrainConfig) -> float:
    """Weight of the divergence at a step: nought, then a ramp, then flat."""
    first, last = config.kl_steps
    return config.kl_weight * min(1.0, max(0.0, (step - first) / max(1, last - first)))


def step_noise(batch: Batch, step: int, rank: int, config: TrainConfig) -> tuple[Tensor, Tensor]:
    """Posterior noise (B, P, Z) and texture dropout (B, P, 1, 1) of a step."""
    B = len(batch.rendered)
    g = torch.Generator().manual_seed((config.seed * 1_000_003 + step) * 64 + rank)
    noise = torch.randn(B, PART_COUNT, config.model.latent_dim, generator=g)
    whole = torch.rand(B, 1, generator=g) >= config.texture_dropout
    parts = torch.rand(B, PART_COUNT, generator=g) >= 0.1
    keep = (whole & parts).float()[:, :, None, None]
    device = batch.rendered.device
    return noise.to(device), keep.to(device)


def step_window(step: int, config: TrainConfig) -> tuple[int, int, int, int]:
    """y, x, height, width of the part of the pictures that a step compares closely."""
    height, width = config.model.size
    h, w = 5 * height // 8, 2 * width // 3
    g = np.random.default_rng((config.seed, step))
    return int(g.integers(height - h + 1)), int(g.integers(width - w + 1)), h, w


def batch_losses(
    painted: Painted,
    batch: Batch,
    features: losses.SqueezeFeatures | None,
    config: TrainConfig,
    step: int,
    amp: bool,
    keep: Tensor | None = None,
) -> dict[str, Tensor]:
    """Every loss of a batch, weighted; their sum is what is minimised."""
    target, size = batch.target, config.model.size
    truth = target.images * target.masks
    alpha = torch.sigmoid(painted.alpha_logits)
    result = painted.image * alpha
    coarse = losses.dilate(F.max_pool2d(target.masks, 4), max(1, size[0] // 128))
    near = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    with torch.no_grad():  # users look at the head first
        quarter_size = (size[0] // 4, size[1] // 4)
        head = capsules(target.joints, quarter_size, size)[:, HEAD : HEAD + 1]
        head = F.interpolate(head, size=size, mode="bilinear", align_corners=False)
    weight = (0.3 + 0.7 * near + 1.0 * head * target.masks) * target.valid
    parts: dict[str, Tensor] = {}
    parts["l1"] = ((result - truth).abs() * weight).mean() * 6
    parts["alpha"] = (
        F.binary_cross_entropy_with_logits(
            painted.alpha_logits, target.masks.clamp(0, 1), reduction="none"
        )
        * target.valid
    ).mean() * 0.7
    inside = target.masks * target.valid
    parts["generated"] = ((painted.generated - target.images).abs() * inside).mean() * 1.5
    if features is not None:
        seen, shown_truth = result * target.valid, truth * target.valid
        parts["perceptual"] = config.perceptual_weight * losses.perceptual(
            features, seen, shown_truth, amp, step_window(step, config)
        )
        head = losses.head_boxes(seen, target.joints)
        true_head = losses.head_boxes(shown_truth, target.joints)
        parts["head"] = config.head_weight * losses.perceptual(features, head, true_head, amp)
    parts["tint"] = losses.tint_loss(painted, target.images, target.joints, inside)
    if painted.posterior is not None and painted.prior is not None:
        kl = losses.divergence(painted.posterior, painted.prior, config.free_nats, batch.natural)
        parts["kl"] = kl * kl_weight(step, config)
    warped = painted.warped
    if warped is not None:
        coarse_truth, coarse_inside = F.avg_pool2d(truth, 4), F.avg_pool2d(inside, 4)
        covered = warped.coarse_cover.detach() * coarse_inside
        colour = warped.coarse_colour.clamp(-1, 1)
        coarse_image = F.avg_pool2d(target.images, 4)
        parts["warp"] = ((colour - coarse_image).abs() * covered).mean() * 3
        blend = warped.coarse_cover * warped.coarse_colour
        parts["blend"] = ((blend - coarse_truth).abs() * coarse_inside).mean() * 2
        sharp = (warped.colour - target.images).abs() * warped.cover.detach() * inside
        parts["sharp"] = sharp.mean() * 2
        shown = torch.ones_like(batch.rendered) if keep is None else keep.amax(1).flatten()
        judged = inside * shown[:, None, None, None]
        parts["copy"] = losses.copy_preference(painted, target.images, judged) * 0.3
        parts["flow"] = losses.smoothness(warped.flow)
        quarter = F.avg_pool2d(target.valid, 4)[:, 0] > 0.99
        target_parts = _fit(target.parts, quarter).masked_fill(~quarter, UNKNOWN)
        source_parts = _fit(batch.source.parts, quarter)
        ce = losses.part_losses(warped, source_parts, target_parts)
        parts["parser"], parts["parts"] = ce["parser"] * 0.5, ce["parts"] * 0.3
        if batch.rendered.any():
            surface = losses.surface_losses(
                painted,
                _fit_surface(batch.source.surface, quarter),
                torch.where(batch.rendered[:, None, None] > 0, source_parts, 0),
                _fit_surface(target.surface, quarter),
                torch.where(batch.rendered[:, None, None] > 0, target_parts, 0),
                size,
                shown,
            )
            parts["surface"] = surface["surface"] * 0.15
            parts["hidden"] = surface["hidden"] * config.hidden_weight
    return parts


def _fit(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (B, h, w) at the control size of a smaller network."""
    if labels.shape[1:] == like.shape[1:]:
        return labels
    small = F.interpolate(labels[:, None].float(), size=like.shape[1:], mode="nearest")
    return small[:, 0].to(labels.dtype)


def _fit_surface(surface: Tensor, like: Tensor) -> Tensor:
    if surface.shape[2:] == like.shape[1:]:
        return surface
    return F.interpolate(surface, size=like.shape[1:], mode="nearest")


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
    model = build(config.model)
    if plan.init is not None:
        start, _ = load_network(plan.init)
        if start.config != config.model:
            raise TrainError(f"{plan.init}: made with other network settings: {start.config}")
        model.load_state_dict(start.state_dict())
    model = model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = copy.deepcopy(model).requires_grad_(False).eval()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=config.betas, weight_decay=1e-4
    )
    features = _features(plan.backbones, device)
    rival = _rival(config, device)
    if rival is not None and accelerator.num_processes > 1:
        rival.reduce = lambda g: cast(Tensor, accelerator.reduce(g, "mean"))
    learner = _Learner(model, average, optimiser, rival)
    progress = learner.load(state_path, config, device) if plan.resume else _Progress()
    spent = progress.elapsed
    wrapped, optimiser = accelerator.prepare(model, optimiser)
    maker = BatchMaker(datasets, config, device, rank)
    check = (
        BatchMaker(list(plan.validation), _validation_config(config), device)
        if plan.validation
        else None
    )
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
        facts = {
            "steps": progress.step,
            "samples": progress.step * config.batch_size * accelerator.num_processes,
            "minutes": round(progress.elapsed / 60, 1),
            "data": [str(d.path.name) for d in datasets],
            "torch": torch.__version__,
        }
        save_reposer(average, plan.out / "model.safetensors", config.model, facts)
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
            batch = maker.batch(step)
            noise, keep = step_noise(batch, step, rank, config)
            torch.manual_seed((config.seed * 1_000_003 + step) * 64 + rank)  # dropout of baselines
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, done, config)
            source, target = batch.source, batch.target
            painted: Painted = wrapped(
                source.images,
                source.masks,
                source.joints,
                target.joints,
                noise=noise,
                keep=keep,
                rendered=batch.rendered,
                truth=(target.images, target.masks),
                amp=amp,
            )
            if config.model.network == "reposer":
                parts = batch_losses(painted, batch, features, config, step, amp, keep)
            else:
                parts = baseline_losses(painted, batch, features, config, done, amp)
            if rival is not None and step >= config.adversarial_start:
                parts.update(rival.play(painted, batch, step, amp))
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
                figures = _examine(average, check, features, plan.out, progress.step, amp)
                _log(plan.out, main, {"step": progress.step, **figures})
                saved = logged = time.monotonic()
                fresh = 0
    save()
    if main:
        figures = _examine(average, check, features, plan.out, progress.step, amp)
        _log(plan.out, main, {"step": progress.step, **figures})
    minutes = (spent + time.monotonic() - started) / 60
    return {
        "step": progress.step,
        "samples": progress.step * config.batch_size,
        "minutes": minutes,
        "over": done >= 1,
        **figures,
    }


def _log(out: Path, main: bool, row: dict[str, Any]) -> None:
    if main:
        with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _features(folder: Path | None, device: torch.device) -> losses.SqueezeFeatures | None:
    if folder is None:
        return None
    path = folder / "squeezenet1_0_imagenet.safetensors"
    if not path.is_file():
        raise TrainError(f"{path}: not found; give the folder with it, or leave --backbones out")
    net = losses.SqueezeFeatures(path, losses.PERCEPTUAL_LAYERS).to(device)
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the current ones."""
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)
    for slow, fast in zip(average.buffers(), model.buffers(), strict=True):
        slow.copy_(fast)


def _validation_config(config: TrainConfig) -> TrainConfig:
    from dataclasses import replace

    return replace(config, seed=12345, batch_size=min(16, config.batch_size), mix=(1, 1, 1))


@torch.no_grad()
def _examine(
    model: nn.Module,
    check: BatchMaker | None,
    features: losses.SqueezeFeatures | None,
    out: Path,
    step: int,
    amp: bool,
    batches: int = 3,
) -> dict[str, Any]:
    """Validation figures on fixed batches, and a sheet of their first pairs."""
    if check is None:
        return {}
    l1, distance, warp_l1 = [], [], []
    for number in range(batches):
        batch = check.batch(number)
        source, target = batch.source, batch.target
        painted = model(
            source.images,
            source.masks,
            source.joints,
            target.joints,
            rendered=batch.rendered,
            amp=amp,
        )
        result = painted.image * torch.sigmoid(painted.alpha_logits) * target.valid
        truth = target.images * target.masks * target.valid
        l1.append(float((result - truth).abs().mean()))
        if painted.warped is not None:
            w = painted.warped
            warp_l1.append(float((w.colour * w.cover * target.valid - truth).abs().mean()))
        if features is not None:
            distance.append(float(losses.perceptual(features, result, truth, amp)))
        if number == 0:
            geometry, _ = analytic_warp(source.images, source.masks, source.joints, target.joints)
            columns = [source.images * source.masks, geometry, result, truth]
            if isinstance(model, Reposer):
                columns += _without_photo(model, painted, target.joints, amp)
            _write_sheet(columns, out / "sheets" / f"{step:07d}.jpg")
    found = {"val_l1": float(np.mean(l1))}
    if distance:
        found["val_perceptual"] = float(np.mean(distance))
    if warp_l1:
        found["val_warp_l1"] = float(np.mean(warp_l1))
    return {k: round(v, 4) for k, v in found.items()}


def _without_photo(model: Reposer, painted: Painted, joints: Tensor, amp: bool) -> list[Tensor]:
    """What is copied; the person painted from own latents, a neighbour's and drawn ones alone."""
    noise = torch.randn(painted.latents.shape, generator=torch.Generator().manual_seed(0))
    drawn = model.prior.draw(joints, noise.to(joints.device))
    seen = painted.visibility.expand(-1, 3, -1, -1) * 2 - 1
    pictures = [
        model.paint(z, joints, None, amp=amp)
        for z in (painted.latents, painted.latents.roll(1, 0), drawn)
    ]
    return [seen, *(p.image * torch.sigmoid(p.alpha_logits) for p in pictures)]


def _write_sheet(columns: list[Tensor], path: Path) -> None:
    rows = [
        np.concatenate([c[i].float().cpu().numpy() for c in columns], 2)
        for i in range(min(SHEET_ROWS, len(columns[0])))
    ]
    picture = np.clip((np.concatenate(rows, 1).transpose(1, 2, 0) + 1) * 127.5, 0, 255)
    cv2.imwrite(str(path), picture.astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def _rival(config: TrainConfig, device: torch.device) -> _Rival | Pix2PixRival | None:
    """Whom the network plays against, if anybody."""
    if config.adversarial_weight <= 0:
        return None
    return (Pix2PixRival if config.model.network == "pix2pix" else _Rival)(config, device)


class _Rival:
    """The discriminator and its optimiser."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self.net = losses.PatchDiscriminator().to(device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=4e-4, betas=(0.5, 0.99))
        self.config = config
        self.reduce: losses.Reduce | None = None

    def play(self, painted: Painted, batch: Batch, step: int, amp: bool) -> dict[str, Tensor]:
        """Train the discriminator on a batch; return the generator's side of the game."""
        target, net = batch.target, self.net
        y, x, h, w = step_window(step, self.config)

        def cut(pictures: Tensor) -> Tensor:
            return pictures[:, :, y : y + h, x : x + w]

        result = cut(painted.image * torch.sigmoid(painted.alpha_logits) * target.valid)
        truth = cut(target.images * target.masks * target.valid)
        size = self.config.model.size
        with torch.no_grad():
            known = [capsules(target.joints, size, size)]
            if painted.warped is None:
                known.append(torch.zeros_like(known[0][:, :4]))
            else:  # as fine as colour and stripes, too coarse to tell a copied pixel by
                carried = painted.warped
                look = F.avg_pool2d(
                    torch.cat([carried.colour * carried.cover, carried.cover], 1), 8
                )
                known.append(F.interpolate(look, size=size, mode="bilinear"))
            caps = cut(torch.cat(known, 1))
        net.requires_grad_(True)
        with autocast(truth.device, amp):
            false, _ = net(result.detach(), caps)
            true, true_features = net(truth, caps)
            other, _ = net(truth, caps.roll(1, 0))  # a true picture of somebody else is false, too
        loss = F.relu(1 - true.float()).mean()
        loss = loss + 0.5 * (F.relu(1 + false.float()).mean() + F.relu(1 + other.float()).mean())
        losses.step_rival(self.net, self.optimiser, loss, self.reduce)
        with autocast(truth.device, amp):
            score, own_features = net(result, caps)
        pairs = zip(own_features, true_features, strict=True)
        matching = torch.stack([(a.float() - b.detach().float()).abs().mean() for a, b in pairs])
        weight = self.config.adversarial_weight
        return {
            "adversarial": -score.float().mean() * weight,
            "matching": matching.mean() * 20 * weight,
        }


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


@dataclass
class _Learner:
    """Everything that changes while training."""

    model: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    rival: _Rival | Pix2PixRival | None

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
            same = model_config_from(json.loads(state["config"])["model"]) == config.model
            if same:
                self.model.load_state_dict(state["model"])
                self.average.load_state_dict(state["average"])
                self.optimiser.load_state_dict(state["optimiser"])
                if self.rival is not None and state["rival"] is not None:
                    self.rival.net.load_state_dict(state["rival"])
                    self.rival.optimiser.load_state_dict(state["rival_optimiser"])
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
