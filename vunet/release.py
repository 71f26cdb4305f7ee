"""Put a run's averaged weights into `weights/` and note their hash in the manifest.

`python -m vunet.release runs/person person "what it is" "its data" "its licence"`
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from vunet.checkpoint import file_sha256, weights_folder
from vunet.images import write_atomic

LARGEST_BYTES = {"person": 16_000_000}
"""What a name's weights may take; others `OTHERS_BYTES`."""
OTHERS_BYTES = 8_000_000


def release(
    run: Path, name: str, description: str, data: str, licence: str, folder: Path | None = None
) -> Path:
    """Copy `run`/model.safetensors to `folder`/`name`.safetensors and list it.

    Raises:
        ValueError: If there is no such file, or it is larger than such a model may be.
    """
    folder = folder or weights_folder()
    trained = run / "model.safetensors"
    if not trained.is_file():
        raise ValueError(
            f"{run}: no model.safetensors here; give the folder that `vunet train` wrote"
        )
    content = trained.read_bytes()
    most = LARGEST_BYTES.get(name, OTHERS_BYTES)
    if len(content) > most:
        raise ValueError(f"{run}: {len(content)} bytes are more than the {most} allowed")
    path = folder / f"{name}.safetensors"
    write_atomic(path, content)
    manifest = folder / "manifest.json"
    entries = []
    if manifest.is_file():
        entries = [
            e
            for e in json.loads(manifest.read_text(encoding="utf-8"))["weights"]
            if e["name"] != name
        ]
    entries.append(
        {
            "name": name,
            "file": path.name,
            "sha256": file_sha256(path),
            "bytes": len(content),
            "licence": licence,
            "data": data,
            "description": description,
        }
    )
    write_atomic(manifest, (json.dumps({"weights": entries}, indent=1) + "\n").encode())
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description="Release a run's weights.")
    parser.add_argument("run", type=Path)
    for field in ("name", "description", "data", "licence"):
        parser.add_argument(field)
    a = parser.parse_args(arguments)
    try:
        release(a.run, a.name, a.description, a.data, a.licence)
    except (OSError, ValueError) as error:
        parser.exit(2, f"release: {error}\n")


if __name__ == "__main__":
    main()
