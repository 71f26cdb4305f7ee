"""Weight files: safetensors with the config in the header, checked against a manifest.

A file that ships with the project is found by name in `weights/manifest.json`, and its SHA-256 is
compared before anything in it is believed. A file given by path carries its own config. Nothing is
ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from vunet.config import NetworkConfig, network_config_from, to_json
from vunet.images import is_file, shown
from vunet.model import Reposer
from vunet.networks import build

if TYPE_CHECKING:
    from vunet.drawing.network import DrawingNet
    from vunet.face.network import FacePartsNet
    from vunet.gallery.network import FindNet

FORMAT = "vunet-reposer-1"
_WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


class WeightsError(ValueError):
    """A weights file is absent, damaged or of another kind."""


@dataclass(frozen=True)
class WeightsInfo:
    """One line of the manifest."""

    name: str
    path: Path
    sha256: str
    bytes: int
    licence: str
    data: str
    description: str


def weights_folder() -> Path:
    """Where the shipped weights lie."""
    return _WEIGHTS


def list_weights(folder: Path | None = None) -> list[WeightsInfo]:
    """The weights named by the manifest, present or not.

    Raises:
        WeightsError: If the manifest is absent or damaged.
    """
    folder = folder or weights_folder()
    path = folder / "manifest.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["weights"]
        return [
            WeightsInfo(
                name=e["name"],
                path=folder / e["file"],
                sha256=e["sha256"],
                bytes=e["bytes"],
                licence=e["licence"],
                data=e["data"],
                description=e["description"],
            )
            for e in entries
        ]
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path}: the list of weights is missing; install vunet again"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: the list of weights is damaged; install vunet again"
        ) from error


def resolve_weights(name: str | Path, folder: Path | None = None) -> tuple[Path, str | None]:
    """Path of weights given by name or path, and the SHA-256 they must have (None for own files).

    Raises:
        WeightsError: If there are no such weights.
    """
    known = list_weights(folder)
    for info in known:
        if str(name) == info.name:
            return info.path, info.sha256
    path = Path(name)
    if is_file(path / "model.safetensors"):  # a run folder
        path = path / "model.safetensors"
    if is_file(path):
        match = [i.sha256 for i in known if i.path.resolve() == path.resolve()]
        return path, match[0] if match else None
    names = ", ".join(i.name for i in known) or "none"
    raise WeightsError(
        f"{shown(name)}: no weights of this name and no such file; there are: {names}"
    )


def weights_name(model: str | Path, taken: Collection[str] = ()) -> str:
    """What weights are called: by their file, or by its folder where that says more.

    Args:
        model: Name, file or run folder.
        taken: Names that others have.
    """
    path = Path(model).absolute()
    if path.name == "model.safetensors":
        path = path.parent
    name = path.stem if path.suffix == ".safetensors" else path.name
    while name in taken:
        name = f"model {name}"
    return name


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_reposer(name: str | Path = "person", folder: Path | None = None) -> tuple[Reposer, str]:
    """The re-posing network with its weights, in evaluation mode on the CPU, and the file's hash.

    Raises:
        WeightsError: If the file is absent, was changed, is cut short, or holds another network.
    """
    model, digest = load_network(name, folder)
    if not isinstance(model, Reposer):
        raise WeightsError(
            f"{shown(name)}: holds a baseline, which only `vunet evaluate` can use; "
            "give weights of a re-posing network"
        )
    return model, digest


def load_model(
    name: str | Path = "person", folder: Path | None = None
) -> tuple[Reposer | DrawingNet, str]:
    """A network that users can work with, in evaluation mode on the CPU, and the file's hash.

    Raises:
        WeightsError: If the file is absent, was changed, is cut short, or holds a baseline.
    """
    from vunet.drawing.network import DrawingNet

    model, digest = load_network(name, folder)
    if not isinstance(model, Reposer | DrawingNet):
        raise WeightsError(
            f"{shown(name)}: holds a baseline, which only `vunet evaluate` can use, or a network "
            "that finds photos or parts of faces; give weights of a re-posing or drawing network"
        )
    return model, digest


def load_finder(name: str | Path = "find", folder: Path | None = None) -> tuple[FindNet, str]:
    """A network that finds photos, in evaluation mode on the CPU, and the file's hash.

    Raises:
        WeightsError: If the file is absent, was changed, is cut short, or holds another network.
    """
    from vunet.gallery.network import FindNet

    model, digest = load_network(name, folder)
    if not isinstance(model, FindNet):
        raise WeightsError(
            f"{shown(name)}: these weights do not find photos; give `find`, `find-face` or a file "
            "that `vunet train find` made"
        )
    return model, digest


def load_face_parts(
    name: str | Path = "face-parts", folder: Path | None = None
) -> tuple[FacePartsNet, str]:
    """A face's manifolds, in evaluation mode on the CPU, and the file's hash.

    Raises:
        WeightsError: If the file is absent, was changed, is cut short, or holds another network.
    """
    from vunet.face.network import FacePartsNet

    model, digest = load_network(name, folder)
    if not isinstance(model, FacePartsNet) or not model.config.faces:
        raise WeightsError(
            f"{shown(name)}: these weights hold no faces' parts; give `face-parts` or a file that "
            "`python -m vunet.face.codes` made"
        )
    return model, digest


def load_network(name: str | Path, folder: Path | None = None) -> tuple[nn.Module, str]:
    """As `load_reposer`, but baselines are welcome, too; their config says what they are.

    Raises:
        WeightsError: If the file is absent, was changed or is cut short.
    """
    path, expected = resolve_weights(name, folder)
    try:
        digest = file_sha256(path)
    except OSError as error:
        raise WeightsError(
            f"{path}: the weights cannot be read ({error.strerror}); install vunet again"
        ) from error
    if expected is not None and digest != expected:
        raise WeightsError(
            f"{path}: not the weights that the manifest names (the file was changed or cut short); "
            "restore it, for example with `git checkout`"
        )
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: not a whole safetensors file; it may have been cut short, so fetch it again"
        ) from error
    if meta.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: holds no re-posing network of this version "
            f"(format {meta.get('format')!r}, wanted {FORMAT!r}); train or fetch one"
        )
    try:
        config = network_config_from(json.loads(meta["config"]))
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{path}: the settings in its header are damaged ({error})") from error
    model = build(config)
    load_state(model, tensors, str(path))
    return model.eval().requires_grad_(False), digest


def load_state(model: nn.Module, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Load weights strictly.

    Raises:
        WeightsError: Naming the first keys or shapes that do not fit.
    """
    own = model.state_dict()
    missing, unknown = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [k for k in own.keys() & tensors.keys() if own[k].shape != tensors[k].shape]
    if missing or unknown or shapes:
        raise WeightsError(
            f"{name}: the weights do not fit the network (missing {missing[:3]}, "
            f"unknown {unknown[:3]}, of another shape {sorted(shapes)[:3]}); "
            "use weights made by this version"
        )
    model.load_state_dict({k: v.to(own[k].dtype) for k, v in tensors.items()}, strict=True)


def save_network(
    model: nn.Module,
    path: Path,
    config: NetworkConfig,
    facts: dict[str, Any] | None = None,
) -> None:
    """Write weights as fp16, whole numbers as they are.

    Config and `facts` (steps, data, ...) go into the header.
    """
    state = {
        k: v.detach().to("cpu", torch.float16 if v.is_floating_point() else v.dtype).contiguous()
        for k, v in model.state_dict().items()
    }
    meta = {"format": FORMAT, "config": to_json(config), "facts": json.dumps(facts or {})}
    temporary = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, temporary, metadata=meta)
    temporary.replace(path)


def read_facts(path: Path) -> dict[str, Any]:
    """What the trainer wrote about a weights file: steps, samples, data, commit."""
    with safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get("facts", "{}"))


def read_config(path: Path) -> NetworkConfig:
    """Which network a weights file holds, from its header alone.

    Raises:
        WeightsError: If the file is absent, or its header is damaged or of another program.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return network_config_from(json.loads((file.metadata() or {})["config"]))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: no weights file of this program; fetch it again") from error
