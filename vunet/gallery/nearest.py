"""Nearest vectors: exact among few, with an approximate index (usearch's HNSW) among many.

An index file is never changed: a newer one replaces it. It is mapped into memory, not read. What it
does not know yet is searched exactly beside it, and what it should no longer know is left out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from usearch.index import Index

EXACT_BELOW = 10_000
"""So many items of a kind are searched one by one; for more there is an index."""
CONNECTIVITY = 16
"""Neighbours of a vector in the index's graph."""
EXPANSION_ADD = 128
"""How many vectors are looked at where one is added."""
EXPANSION_SEARCH = 128
"""How many are looked at for a query: more is slower and nearer to exact."""
_CHUNK = 20_000
"""Rows read, or vectors compared, at once."""

Rank = Callable[[np.ndarray], np.ndarray]


def cosine(query: np.ndarray) -> Rank:
    """What ranks vectors (N, D) float32 by their cosine with a query (D,)."""
    q = np.asarray(query, np.float32)
    q = q / max(float(np.linalg.norm(q)), 1e-12)

    def rank(vectors: np.ndarray) -> np.ndarray:
        return vectors @ q / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)

    return rank


def best(ids: np.ndarray, scores: np.ndarray, k: int) -> list[tuple[int, float]]:
    """The k highest scores with their ids, of equal ones the lower id first."""
    order = np.lexsort((ids, -scores))[:k]
    return [(int(ids[i]), float(scores[i])) for i in order]


def new_index(dims: int) -> Index:
    """An empty index of vectors (dims,)."""
    return Index(
        ndim=dims,
        metric="cos",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
        enable_key_lookups=False,
    )


def opened_index(path: Path, bytes_expected: int, *, view: bool) -> Index | None:
    """An index from its file; None if there is no such file, or not the one that was written.

    Args:
        path: The file.
        bytes_expected: Its length when it was written.
        view: Map it into memory, to be searched only; else read it, to be added to.
    """
    try:
        if path.stat().st_size != bytes_expected:
            return None
        index = Index.restore(os.fspath(path), view=view, enable_key_lookups=False)
    except (OSError, RuntimeError, ValueError):
        return None
    if index is not None:
        index.expansion_add, index.expansion_search = EXPANSION_ADD, EXPANSION_SEARCH
    return index


def add_to_index(index: Index, ids: np.ndarray, vectors: np.ndarray) -> None:
    """Add vectors (N, D) float16 with their ids (N,).

    One after the other: threads that add side by side leave some out of the graph (of 20,000
    vectors 5 with two threads, 41 with eight), and these are never found again.
    """
    index.add(ids.astype(np.uint64), vectors, threads=1)


def write_index(index: Index, path: Path) -> int:
    """Write an index file whole or not at all, so that it outlasts a failure of power.

    Returns:
        Its length.

    Raises:
        OSError: If it cannot be written, as on a full disk.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        expected = index.serialized_length
        try:
            index.save(os.fspath(temporary))
        except RuntimeError as error:  # usearch tells no more than that
            raise OSError(errno.ENOSPC, str(error), os.fspath(path)) from error
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
            if os.fstat(file.fileno()).st_size != expected:
                raise OSError(errno.ENOSPC, "not all was written", os.fspath(path))
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    with contextlib.suppress(OSError):  # folders cannot be opened everywhere
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    return expected


def rows_of(
    db: sqlite3.Connection, kind: str, maker: str, after: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids (n,) and vectors (n, D) float16 of the items with ids above `after`, in portions."""
    while True:
        rows = db.execute(
            "SELECT id, vector FROM items WHERE kind = ? AND maker = ? AND id > ? "
            "ORDER BY id LIMIT ?",
            (kind, maker, after, _CHUNK),
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        vectors = np.frombuffer(b"".join(row[1] for row in rows), np.float16)
        yield np.array([row[0] for row in rows], np.int64), vectors.reshape(len(rows), -1)


@dataclass(eq=False)
class Part:
    """What there is to search of one kind and maker."""

    ids: np.ndarray
    """(N,) of the items that no index knows."""
    vectors: np.ndarray
    """(N, D) float16, theirs."""
    index: Index | None = None
    removed: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Sorted ids that the index knows but should not."""

    def exact(self, rank: Rank) -> tuple[np.ndarray, np.ndarray]:
        """Ids and scores of all that no index knows."""
        scores = [
            rank(self.vectors[start : start + _CHUNK].astype(np.float32))
            for start in range(0, len(self.ids), _CHUNK)
        ]
        return self.ids, np.concatenate([np.zeros(0, np.float32), *scores])

    def approximate(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids and cosines of k or more of the nearest that the index knows, fewer if it ends.

        Who asks for all gets all: walking the graph may miss a few, so they are gone through.
        """
        assert self.index is not None
        count = min(k, self.index.size)
        while True:
            every = count == self.index.size
            vector = np.asarray(query, np.float32)
            found = self.index.search(vector, count, threads=1, exact=every)
            ids = found.keys.astype(np.int64)
            there = ~np.isin(ids, self.removed)
            if there.sum() >= k or every:
                return ids[there], 1 - found.distances[there].astype(np.float32)
            count = min(2 * count, self.index.size)


class Nearest:
    """The parts as last read; read again when the database's counter of changes has moved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[tuple[str, str], tuple[int, Part]] = {}
        self._files: dict[str, Index] = {}

    def clear(self) -> None:
        """Let go of what was read."""
        self._parts.clear()
        self._files.clear()

    def part(self, db: sqlite3.Connection, kind: str, maker: str, *, alone: bool) -> Part | None:
        """What there is to search. To be called inside a transaction.

        Args:
            db: The database.
            kind: Of the items.
            maker: Of the items.
            alone: Do without an index whose file is gone or damaged: slower, and as right.

        Returns:
            The part, or None if there is such an index, and it cannot be done without.
        """
        (changes,) = db.execute("SELECT value FROM meta WHERE key = 'changes'").fetchone()
        known = self._parts.get((kind, maker))
        if known is not None and known[0] == changes:
            return known[1]
        row = db.execute(
            "SELECT file, bytes, upto FROM indexes WHERE kind = ? AND maker = ?", (kind, maker)
        ).fetchone()
        index = None if row is None else self._opened(row[0], row[1])
        if row is not None and index is None and not alone:
            return None
        portions = list(rows_of(db, kind, maker, 0 if row is None or index is None else row[2]))
        ids = np.concatenate([np.zeros(0, np.int64), *(i for i, _ in portions)])
        vectors = np.concatenate([v for _, v in portions] or [np.zeros((0, 1), np.float16)])
        removed = db.execute(
            "SELECT item FROM removed WHERE kind = ? AND maker = ? ORDER BY item", (kind, maker)
        ).fetchall()
        part = Part(ids, vectors, index, np.array([r[0] for r in removed], np.int64))
        self._parts[kind, maker] = (changes, part)
        return part

    def _opened(self, name: str, length: int) -> Index | None:
        index = self._files.get(name)
        if index is None:
            index = opened_index(self._folder / name, length, view=True)
            if index is not None:
                kind = name.rpartition("-")[0]
                for old in [n for n in self._files if n.rpartition("-")[0] == kind]:
                    del self._files[old]
                self._files[name] = index
        return index
