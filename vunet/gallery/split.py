"""The photos that figures of finding are measured on, by name: never trained on.

`python -m vunet.gallery.split GARMENTS/photos FACES/photos` lists them anew in `test_split.json`. A
rule (`vunet.holdout`) decides; the list is there to be read, and to be compared with the rule.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from vunet.holdout import is_test_face, is_test_garment
from vunet.images import write_atomic

SPLIT_FILE = Path(__file__).with_name("test_split.json")


def split_names() -> dict[str, list[str]]:
    """Names of the test photos of "garments" and "faces", in order."""
    return json.loads(SPLIT_FILE.read_text(encoding="utf-8"))


def split_of(garments: Iterable[str], faces: Iterable[str]) -> dict[str, list[str]]:
    """What the rule holds out of these names.

    Args:
        garments: Stems of all photos of things.
        faces: Stems of all drawn faces.
    """
    return {
        "garments": sorted(name for name in garments if is_test_garment(name)),
        "faces": sorted(name for name in faces if is_test_face(name)),
    }


def main() -> None:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description="List the test photos.")
    parser.add_argument("garments", type=Path)
    parser.add_argument("faces", type=Path)
    a = parser.parse_args()
    names = [sorted(p.stem for p in folder.iterdir()) for folder in (a.garments, a.faces)]
    write_atomic(SPLIT_FILE, (json.dumps(split_of(*names), indent=0) + "\n").encode("utf-8"))


if __name__ == "__main__":
    main()
