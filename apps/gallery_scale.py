"""How finding grows with the number of photos: python -m apps.gallery_scale --out scale.png.

The vectors are synthetic: clusters of about a hundred round random middles, which is kinder than
noise without any order and harsher than photos. Everything else is real: they are written to a
gallery, indexed, and asked for by another process, whose memory is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from vunet.bench import memory_mb
from vunet.gallery import nearest
from vunet.gallery.records import FileRow, NewItem
from vunet.gallery.store import Store
from vunet.images import write_atomic, write_png

_KIND, _MAKER = "drawing", "synthetic:1"
_CLUSTER = 100
_SPREAD = 0.7
"""Length of the noise round a cluster's middle, in lengths of the middle."""
_K = 10
_PER_FILE = 1000
_INK, _GRID, _LINE = (34, 30, 28), (225, 225, 225), (200, 110, 40)


@dataclass(frozen=True)
class Row:
    """What was measured with so many items."""

    items: int
    write_per_s: float
    """Items written into the database in a second."""
    index_per_s: float | None
    """Items put into the approximate index in a second; None where search is exact."""
    query_ms: float
    """Median time of a query, the first left out."""
    query_ms_worst: float
    first_query_ms: float
    """Time of the first, which opens the index or reads the vectors."""
    recall: float
    """Share of the ten nearest of exact search that are found."""
    memory_mb: float | None
    """What the asking process grew by, pages of the mapped index included; None where nobody tells.

    Sampled after each query.
    """
    database_mb: float
    index_mb: float


def vectors_of(count: int, dims: int, seed: int) -> Iterator[np.ndarray]:
    """Unit vectors (n, dims) float16 in portions, `count` in all, the same for the same seed."""
    middles = np.random.default_rng(0).standard_normal((max(1, count // _CLUSTER), dims))
    rng = np.random.default_rng((seed, count))
    for start in range(0, count, _PER_FILE):
        n = min(_PER_FILE, count - start)
        found = middles[rng.integers(0, len(middles), n)]
        found = found + _SPREAD * rng.standard_normal((n, dims))
        yield (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def queries_of(count: int, dims: int, asked: int) -> np.ndarray:
    """(asked, dims) float32 unit vectors of the same clusters that are not in the gallery."""
    middles = np.random.default_rng(0).standard_normal((max(1, count // _CLUSTER), dims))
    rng = np.random.default_rng((1, count))
    found = middles[rng.integers(0, len(middles), asked)]
    found = found + _SPREAD * rng.standard_normal((asked, dims))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def measure(count: int, dims: int, asked: int, folder: Path) -> Row:
    """Make a gallery of `count` items in a folder, ask it `asked` times, and compare with exact."""
    store = Store.create(folder)
    start = time.perf_counter()
    whole = (0.0, 0.0, 1.0, 1.0)
    with store.writing():
        portions = tqdm(vectors_of(count, dims, 0), total=count // _PER_FILE, desc=f"{count} items")
        for number, portion in enumerate(portions):
            items = [NewItem(_KIND, _MAKER, whole, vector) for vector in portion]
            with store.transaction():
                store.put(FileRow(f"{number}.jpg", 1, 1), items, frozenset())
        written = time.perf_counter() - start
        start = time.perf_counter()
        store.renew_indexes(quiet=False)
        indexed = time.perf_counter() - start
    store.close()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        times, found, grown = pool.apply(_ask, (str(folder), count, dims, asked))
    files = list(folder.glob("*.usearch"))
    return Row(
        items=count,
        write_per_s=count / written,
        index_per_s=count / indexed if files else None,
        query_ms=1e3 * float(np.median(times[1:])),
        query_ms_worst=1e3 * max(times[1:]),
        first_query_ms=1e3 * times[0],
        recall=_recall(count, dims, found),
        memory_mb=grown,
        database_mb=sum(p.stat().st_size for p in folder.glob("gallery.sqlite*")) / 1e6,
        index_mb=sum(p.stat().st_size for p in files) / 1e6,
    )


def _ask(
    folder: str, count: int, dims: int, asked: int
) -> tuple[list[float], list[list[int]], float | None]:
    """Times in seconds, ids found, and growth of memory in MB, of a process that only asks."""
    queries = queries_of(count, dims, asked)
    before = _memory_mb()
    store = Store.open(Path(folder))
    times, found, most = [], [], before
    for query in queries:
        start = time.perf_counter()
        hits = store.search(_KIND, _MAKER, query, _K)
        times.append(time.perf_counter() - start)
        found.append([item for item, _ in hits])
        most = max(most, _memory_mb())
    store.close()
    return times, found, most - before if before else None


def _memory_mb() -> float:
    """Held now; 0 where nobody tells. Peaks would not do: a new process inherits its parent's."""
    return memory_mb(os.getpid())[0] or 0.0


def _recall(count: int, dims: int, found: list[list[int]]) -> float:
    """Against all cosines, computed here; items have the ids 1, 2, ... in order of writing."""
    queries = queries_of(count, dims, len(found))
    best = np.full((len(found), _K), -2.0, np.float32)
    ids = np.zeros((len(found), _K), np.int64)
    start = 1
    for portion in vectors_of(count, dims, 0):
        cosines = queries @ portion.astype(np.float32).T
        numbers = np.broadcast_to(np.arange(start, start + len(portion)), cosines.shape)
        both = np.concatenate([best, cosines], 1)
        order = np.argpartition(-both, _K, axis=1)[:, :_K]
        best = np.take_along_axis(both, order, 1)
        ids = np.take_along_axis(np.concatenate([ids, numbers], 1), order, 1)
        start += len(portion)
    hits = [len(set(a) & set(b.tolist())) for a, b in zip(found, ids, strict=True)]
    return float(np.mean(hits)) / min(_K, count)


def plot(rows: Sequence[Row]) -> np.ndarray:
    """Query time, memory and file size against the number of items, both axes logarithmic.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    panels = (
        ("query, ms (median)", [row.query_ms for row in rows]),
        ("memory of the asker, MB", [row.memory_mb or 0 for row in rows]),
        ("files, MB", [row.database_mb + row.index_mb for row in rows]),
    )
    return np.hstack([_panel(title, [r.items for r in rows], values) for title, values in panels])


def _panel(title: str, xs: Sequence[float], ys: Sequence[float]) -> np.ndarray:
    height, width, left, low = 360, 420, 70, 310
    canvas = np.full((height, width, 3), 255, np.uint8)
    x0, x1 = np.floor(np.log10(min(xs))), np.ceil(np.log10(max(xs)) + 1e-9)
    y0 = np.floor(np.log10(max(min(ys), 1e-3)))
    y1 = max(np.ceil(np.log10(max(*ys, 1e-3)) + 1e-9), y0 + 1)
    x1 = max(x1, x0 + 1)

    def at(x: float, y: float) -> tuple[int, int]:
        across = (np.log10(x) - x0) / (x1 - x0)
        up = (np.log10(max(y, 1e-3)) - y0) / (y1 - y0)
        return round(left + across * (width - left - 30)), round(low - up * (low - 60))

    def words(text: str, place: tuple[int, int], size: float = 0.45) -> None:
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)

    words(title, (left, 32), 0.55)
    for power in range(int(x0), int(x1) + 1):
        end = at(10.0**power, 10.0**y0)
        cv2.line(canvas, end, at(10.0**power, 10.0**y1), _GRID, 1)
        words(f"1e{power}", (end[0] - 14, low + 22))
    for power in range(int(y0), int(y1) + 1):
        end = at(10.0**x0, 10.0**power)
        cv2.line(canvas, end, at(10.0**x1, 10.0**power), _GRID, 1)
        words(f"{10.0**power:g}", (8, end[1] + 4))
    points = [at(x, y) for x, y in zip(xs, ys, strict=True)]
    cv2.polylines(canvas, [np.array(points, np.int32)], False, _LINE, 2, cv2.LINE_AA)
    for point, value in zip(points, ys, strict=True):
        cv2.circle(canvas, point, 4, _LINE, -1, cv2.LINE_AA)
        words(f"{value:.3g}", (point[0] - 12, point[1] - 10))
    words("items", (width - 70, low + 42))
    return canvas


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure how build, query, memory and files grow with the number of items."""
    parser = argparse.ArgumentParser(prog="python -m apps.gallery_scale", description=main.__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dims", type=int, default=128)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--out", type=Path, help="plot to write (.png)")
    parser.add_argument("--json", type=Path, help="figures to write")
    options = parser.parse_args(arguments)
    if min(options.items) < _K or options.queries < 2 or options.dims < 1:
        parser.error(f"give at least {_K} items, 2 queries and 1 dimension")
    rows = []
    for count in sorted(options.items):
        folder = Path(tempfile.mkdtemp(prefix="scale-"))
        try:
            rows.append(measure(count, options.dims, options.queries, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(json.dumps(asdict(rows[-1])), flush=True)
    report = {
        "vectors": f"synthetic: clusters of {_CLUSTER}, noise {_SPREAD}",
        "dims": options.dims,
        "connectivity": nearest.CONNECTIVITY,
        "expansion_add": nearest.EXPANSION_ADD,
        "expansion_search": nearest.EXPANSION_SEARCH,
        "rows": [asdict(row) for row in rows],
    }
    if options.json is not None:
        write_atomic(options.json, (json.dumps(report, indent=1) + "\n").encode())
    if options.out is not None:
        write_png(plot(rows), options.out)


if __name__ == "__main__":
    sys.exit(main())
