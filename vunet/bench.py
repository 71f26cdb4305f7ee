"""Speed and memory of one re-pose, stage by stage, beside geometry and the baselines' networks.

A stage is run a few times to warm up and then timed; what is reported is the median and the
quartiles. The stages are those of `Engine.repose`, called one by one; `end_to_end` is that call
itself, from files to a file. Baselines have fresh weights, which their speed does not depend on.
Knows nothing of options or of the bundled pictures.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import torch
from PIL import Image

from vunet.config import ModelConfig
from vunet.framing import Window

if TYPE_CHECKING:
    from vunet.drawing.network import DrawingNet
    from vunet.engine import Engine

WARM_UP = 3
REPEATS = 20
PIXELS = 1_000_000
"""Size of the appearance photo, which is scaled to it."""
_FACES = 1290
"""As many codes as the released manifolds hold."""
PACKAGES = ("torch", "numpy", "opencv-contrib-python", "mediapipe", "pillow")
STAGES = {
    "read": "read the photo",
    "detect_photo": "find the person and their mask",
    "detect_pose": "read the pose photo, find its pose",
    "network": "network",
    "composition": "compose at the photo's resolution",
    "background": "fill the background",
    "write": "write the PNG",
    "end_to_end": "re-pose, from files to file",
    "preview": "preview of a prepared photo, as while dragging",
    "warp": "geometry alone (warp), instead of the network",
    "vunet-2018": "vunet-2018, instead of the network",
    "pix2pix": "pix2pix, instead of the network",
    "drawing": "a drawing and a photo's look to a picture",
    "face": "a stroke on a face's drawing to a new picture",
}
"""What is timed, in words."""


def run_bench(
    appearance: Path,
    pose: Path,
    *,
    model: str | Path = "person",
    device: str = "auto",
    repeats: int = REPEATS,
    warm_up: int = WARM_UP,
) -> dict[str, Any]:
    """Measure one re-pose.

    Args:
        appearance: Photo of a person; measured at `PIXELS`.
        pose: Photo with the pose to take.
        model: Name of shipped weights, or a weights file.
        device: auto, cpu or cuda.
        repeats: Timed runs of each stage.
        warm_up: Runs before them that are not timed.

    Returns:
        A report that JSON can hold: `stages` with `median_ms`, `q1_ms` and `q3_ms` of each of
        `STAGES`; `load_ms`, `peak_memory_mb` (None where the system does not tell), `pictures`,
        `device`, `threads`, `versions`.

    Raises:
        ValueError: With a sentence, if weights or pictures cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _measured(_scaled(appearance, Path(folder)), pose, model, device, repeats, warm_up)


def _scaled(photo: Path, folder: Path) -> Path:
    """A copy of a photo of `PIXELS`, a JPEG."""
    from vunet.images import read_image

    image = Image.fromarray(read_image(photo))
    ratio = math.sqrt(PIXELS / (image.width * image.height))
    wh = (round(image.width * ratio), round(image.height * ratio))
    file = folder / f"{photo.stem}.jpg"
    image.resize(wh, Image.Resampling.LANCZOS).save(file, quality=95)
    return file


def _measured(
    appearance: Path, pose: Path, model: str | Path, device: str, repeats: int, warm_up: int
) -> dict[str, Any]:
    """What `run_bench` reports."""
    start = time.perf_counter()
    from pose.complete import complete
    from vunet.background import fill_background
    from vunet.config import PRESETS
    from vunet.engine import PREVIEW_PX, Engine
    from vunet.images import read_image
    from vunet.networks import build
    from vunet.poses import place_on_photo, resolve_pose
    from vunet.render import (
        Carried,
        Fetching,
        Subject,
        compose_layer,
        joints_in,
        points_of,
        source_window,
        subject_tensors,
        target_window,
    )
    from vunet.warp import warp_person

    engine = Engine.load(model, device=device)
    estimator = engine.estimator
    load_ms = 1000 * (time.perf_counter() - start)

    result = engine.repose(appearance, pose)
    image = read_image(appearance)
    detection = estimator.find_one(image, str(appearance))
    whole, _ = complete(detection.pose)
    subject = Subject(image, detection.mask, whole)
    canvas = (image.shape[0], image.shape[1])
    resolved = resolve_pose(pose, person=None, estimator=estimator)
    target, _ = place_on_photo(resolved.pose, whole, keep_limbs=True, canvas=canvas)
    amp = engine.amp  # pyright: ignore[reportPrivateUsage] - as the engine itself runs

    def windows(config: ModelConfig) -> tuple[Window, Window]:
        return (
            source_window(subject, config.size),
            target_window(target, canvas, config.size),
        )

    def drawn(net: torch.nn.Module, config: ModelConfig) -> Any:  # noqa: ANN401 - the network's own
        before, after = windows(config)
        tensors = (t.to(engine.device) for t in subject_tensors(subject, before))
        joints = joints_in(after, points_of(target, canvas)).to(engine.device)
        with torch.inference_mode():
            painted = net(*tensors, joints, amp=amp)
        if engine.device.type == "cuda":
            torch.cuda.synchronize()
        return painted

    config = engine.model.config
    painted = drawn(engine.model, config)
    before, after = windows(config)

    def compose() -> None:
        with torch.inference_mode():
            photos = [] if painted.warped is None else [Carried(subject, before, painted.warped)]
            compose_layer(painted, Fetching(photos, after, canvas), after, canvas)

    file = appearance.with_name("result.png")
    prepared = engine.prepare(appearance, size=PREVIEW_PX)
    jobs: dict[str, Callable[[], Any]] = {
        "read": lambda: read_image(appearance),
        # as the engine does, which tells the user when there are several people
        "detect_photo": lambda: estimator.find(image, max_people=3),
        "detect_pose": lambda: resolve_pose(pose, person=None, estimator=estimator),
        "network": lambda: drawn(engine.model, config),
        "composition": compose,
        "background": lambda: fill_background(image, detection.mask),
        "write": lambda: result.save(file),
        "end_to_end": lambda: engine.repose(appearance, pose).save(file),
        "preview": lambda: engine.repose(prepared, target, frame="pose", size=PREVIEW_PX),
        "warp": lambda: warp_person(image, detection.mask, whole, target, canvas),
    }
    stages = {name: timed(job, repeats, warm_up) for name, job in jobs.items()}
    memory_mb = peak_memory_mb()
    for name in ("vunet-2018", "pix2pix"):
        baseline = build(PRESETS[name].model).eval().to(engine.device)
        job = partial(drawn, baseline, cast(ModelConfig, PRESETS[name].model))
        stages[name] = timed(job, repeats, warm_up)
    stages["drawing"] = timed(_drawing_job(engine, image), repeats, warm_up)
    stages["face"] = timed(_face_job(engine), repeats, warm_up)
    assert list(stages) == list(STAGES)
    return {
        "stages": stages,
        "repeats": repeats,
        "warm_up": warm_up,
        "load_ms": round(load_ms, 1),
        "peak_memory_mb": memory_mb,
        "pictures": {
            "appearance": {"name": appearance.name, "size": list(canvas)},
            "pose": {"name": pose.name, "size": list(read_image(pose).shape[:2])},
        },
        "model": Path(model).name,
        "network_size": list(config.size),
        "weights_sha256": engine.weights_sha256,
        "device": _device_name(engine.device),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version()} | _versions(),
    }


def _drawing_job(engine: Engine, photo: np.ndarray) -> Callable[[], Any]:
    """Paint a drawing in a photo's look, with a network of the released size."""
    from vunet.config import PRESETS
    from vunet.drawing.painter import Painter
    from vunet.networks import build

    net = build(PRESETS["garment"].model).eval()
    painter = Painter(cast("DrawingNet", net), "", engine.device, engine.amp)
    drawing = np.full((512, 384, 3), 255, np.uint8)
    drawing[80:440, 90:94] = drawing[80:440, 290:294] = drawing[80:84, 90:294] = 0
    look = painter.look(photo)
    return lambda: painter.paint(painter.read(drawing), look)


def _face_job(engine: Engine) -> Callable[[], Any]:
    """Read, refine and paint a drawn face, with networks of the released sizes."""
    from vunet.config import PRESETS, FacePartsConfig
    from vunet.drawing.painter import Painter
    from vunet.face.manifolds import Manifolds
    from vunet.face.network import FacePartsNet
    from vunet.face.painter import FacePainter
    from vunet.networks import build

    net = build(PRESETS["face"].model).eval()
    painter = Painter(cast("DrawingNet", net), "", engine.device, engine.amp)
    parts = FacePartsNet(FacePartsConfig(faces=_FACES)).eval()
    parts.codes.random_(0, 256, generator=torch.Generator().manual_seed(0))
    parts.layout[1] = 0.01
    faces = FacePainter(painter, Manifolds(parts), lambda: engine.face_finder)
    drawing = np.full((640, 480, 3), 255, np.uint8)
    cv2.ellipse(drawing, (240, 320), (140, 190), 0, 0, 360, (0, 0, 0), 4)
    for x in (180, 300):
        cv2.ellipse(drawing, (x, 290), (30, 14), 0, 0, 360, (0, 0, 0), 3)
    cv2.line(drawing, (190, 420), (290, 420), (0, 0, 0), 4)
    return lambda: faces.paint(faces.read(drawing))


def timed(job: Callable[[], Any], repeats: int, warm_up: int) -> dict[str, float]:
    """Median and quartiles of a job's time, in milliseconds."""
    for _ in range(warm_up):
        job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(1000 * (time.perf_counter() - start))
    q1, median, q3 = np.percentile(times, [25, 50, 75])
    return {
        "median_ms": round(float(median), 2),
        "q1_ms": round(float(q1), 2),
        "q3_ms": round(float(q3), 2),
    }


def peak_memory_mb() -> float | None:
    """The most memory this process has held, in MB of 10^6 bytes; None where nobody tells."""
    _, peak = memory_mb(os.getpid())
    if peak is None and sys.platform == "darwin":
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)
    return peak


def memory_mb(pid: int) -> tuple[float | None, float | None]:
    """What a process holds in memory and the most it has held, in MB of 10^6 bytes.

    None where nobody tells: only Linux does of other processes.
    """
    found: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                found[name] = round(int(value.split()[0]) * 1024 / 1e6, 1)
    return found.get("VmRSS"), found.get("VmHWM")


def format_card(report: Mapping[str, Any]) -> str:
    """The report for people, a few lines of text.

    Args:
        report: From `run_bench`.
    """
    width = max(len(words) for words in STAGES.values())
    lines = [f"{'':<{width}}  median ms   quartiles", "-" * (width + 28)]
    for name, words in STAGES.items():
        s = report["stages"][name]
        if name == "end_to_end":
            lines.append("-" * (width + 28))
        lines.append(
            f"{words:<{width}}  {s['median_ms']:9.1f}   {s['q1_ms']:.1f} to {s['q3_ms']:.1f}"
        )
    memory = report["peak_memory_mb"]
    sizes = ", ".join(
        f"{what} {p['size'][1]} x {p['size'][0]}" for what, p in report["pictures"].items()
    )
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines += [
        "",
        f"load {report['load_ms'] / 1000:.1f} s; peak memory "
        + ("unknown" if memory is None else f"{memory:.0f} MB"),
        f"{report['device']}; {report['cores']} cores, {report['threads']} threads",
        f"pixels: {sizes}; median of {report['repeats']} after {report['warm_up']}",
        versions,
    ]
    return "\n".join(lines)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return f"cpu ({models[0] if models else platform.machine()})"


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
