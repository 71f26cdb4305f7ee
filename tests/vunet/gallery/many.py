"""A gallery of very many files: `python -m tests.vunet.gallery.many --files 100000`.

The pictures are tiny (16 x 16) and drawn by a seed; embedder, index and files are the real ones.
People are not looked for, as nobody is on so small a picture. Printed are times, memory, and
whether the gallery was right: after the first run, when nothing changed, and when some of the
pictures were changed, moved and deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tests.vunet.gallery.tiny import stamp, write_picture
from vunet.bench import memory_mb
from vunet.gallery.gallery import Gallery
from vunet.gallery.update import Report

_SIDE = 16
_A_FOLDER = 1000
_CHANGED = 10
"""Pictures that are changed, as many that are moved, as many that are deleted."""


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number // _A_FOLDER:04d}" / f"{number}.png"


def _updated(gallery: Gallery, quiet: bool) -> tuple[Report, float]:
    start = time.perf_counter()
    report = gallery.update(poses=False, quiet=quiet)
    return report, time.perf_counter() - start


def measure(files: int, folder: Path, model: str, *, quiet: bool = False) -> dict[str, float]:
    """Index `files` tiny pictures in an empty folder, twice, and once more after changes.

    Raises:
        AssertionError: If the gallery is not what the folder holds.
    """
    for number in tqdm(range(files), desc="pictures", disable=quiet):
        write_picture(_path(folder, number), number, (_SIDE, _SIDE))
    with Gallery.open(folder, create=True, embedder=model) as gallery:
        first, first_s = _updated(gallery, quiet)
        assert (first.total, first.added) == (files, files), first
        again, again_s = _updated(gallery, quiet)
        assert (again.total, again.added, again.changed, again.removed) == (files, 0, 0, 0), again
        chosen = np.random.default_rng(0).choice(files, 3 * _CHANGED, replace=False).tolist()
        for i in range(_CHANGED):
            write_picture(_path(folder, chosen[i]), files + i, (_SIDE, _SIDE))
            moved = _path(folder, chosen[_CHANGED + i])
            moved.rename(moved.with_name(f"moved-{moved.name}"))
            _path(folder, chosen[2 * _CHANGED + i]).unlink()
        stamp(_path(folder, chosen[0]))
        third, third_s = _updated(gallery, quiet)
        told = (third.changed, third.moved, third.removed)
        assert told == (_CHANGED, _CHANGED, _CHANGED), third
        asked = [n for n in range(0, files, max(1, files // 50)) if n not in chosen]
        times, found = [], 0
        for number in asked:
            start = time.perf_counter()
            paths = [match.path for match in gallery.find(_path(folder, number), by="photo")]
            times.append(time.perf_counter() - start)
            found += _path(folder, number) in paths
    held, most = memory_mb(os.getpid())
    return {
        "files": files,
        "photos_per_s": round(files / first_s, 1),
        "nothing_new_s": round(again_s, 2),
        "some_changed_s": round(third_s, 2),
        "find_ms": round(1000 * float(np.median(times)), 1),
        "found_itself": round(found / len(asked), 3),
        "memory_mb": held or 0,
        "most_memory_mb": most or 0,
        "index_mb": round(sum(p.stat().st_size for p in _index(folder)) / 1e6, 1),
    }


def _index(folder: Path) -> list[Path]:
    hidden = [p for p in folder.iterdir() if p.is_dir() and p.name.startswith(".")]
    return [p for place in hidden for p in place.rglob("*") if p.is_file()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Make, index, change and find again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--model", default="find")
    options = parser.parse_args(arguments)
    if options.files < 3 * _CHANGED:
        parser.error(f"give at least {3 * _CHANGED} files")
    folder = Path(tempfile.mkdtemp(prefix="many-"))
    try:
        sys.stdout.write(json.dumps(measure(options.files, folder, options.model)) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
