"""What a gallery keeps on disk: files, the items seen in them, and the items' vectors.

SQLite is the truth; approximate indexes are made from it and can be lost. Whatever is written goes
through transactions of SQLite, which a kill at any moment leaves either done or undone. Rows of
items are never changed, only added and removed, and ids never used twice: what an index file does
not know is what has a higher id than its highest. Knows no pictures, poses or networks.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vunet.gallery.database import locked, made, opened
from vunet.gallery.nearest import (
    EXACT_BELOW,
    Nearest,
    add_to_index,
    best,
    cosine,
    new_index,
    opened_index,
    rows_of,
    write_index,
)
from vunet.gallery.records import FileRow, Item, NewItem
from vunet.gallery.trouble import explained

_TRIES = 3
_IDS_AT_ONCE = 10_000
_INDEX_NAME = re.compile(r"\.?[a-z]+-\d+\.usearch(\.part)?")
STALE_SHARE = 0.1
"""An index is renewed when so much of it is gone, or as much has come that it does not know ..."""
STALE_MOST = 5_000
"""... or so many items have come."""


class Store:
    """The database of one gallery. Threads may share it: calls are served in turn."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        """Use `open` or `create`."""
        self.folder = folder
        self._db = connection
        self._lock = threading.RLock()
        self._nearest = Nearest(folder)
        self._writer: sqlite3.Connection | None = None

    # -- open and close --------------------------------------------------------------------------

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The gallery in a folder.

        Raises:
            GalleryError: If there is none, or it cannot be read.
        """
        return cls(folder, opened(folder))

    @classmethod
    def create(cls, folder: Path) -> Store:
        """The gallery in a folder, made where there is none.

        Raises:
            GalleryError: If it can be neither read nor made, or somebody else makes it just now.
        """
        return cls(folder, made(folder))

    def close(self) -> None:
        """Let go of the files."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._nearest.clear()
            self._db.close()

    # -- write -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """The right to write, which one process has at a time.

        Raises:
            GalleryError: If somebody else has it.
        """
        with explained(self.folder):
            lock = locked(self.folder)
        self._writer = lock
        try:
            yield
        finally:
            self._writer = None
            lock.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside becomes visible at once at its end, or not at all."""
        assert self._writer is not None, "write inside `with store.writing():`"
        with self._lock, explained(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'changes'")
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have done it already
                    self._db.execute("ROLLBACK")
                raise

    def put(self, file: FileRow, items: Sequence[NewItem], keep: frozenset[str]) -> None:
        """Write a file, in place of the one of this path, with its items.

        Args:
            file: What is known of it.
            items: Its new items.
            keep: Makers whose items of this path stay as they are.

        Raises:
            ValueError: If a vector is not a row of finite numbers.
        """
        facts = (
            *(file.size, file.mtime_ns, file.sha256, file.height, file.width, file.error),
            " ".join(sorted(file.made)),
        )
        (key,) = self._db.execute(
            "INSERT INTO files (size, mtime_ns, sha256, height, width, error, made, path) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET (size, mtime_ns, "
            "sha256, height, width, error, made) = (excluded.size, excluded.mtime_ns, "
            "excluded.sha256, excluded.height, excluded.width, excluded.error, excluded.made) "
            "RETURNING id",
            (*facts, os.fsencode(file.path)),
        ).fetchone()
        self._drop_items(key, keep)
        for item in items:
            vector = np.asarray(item.vector, np.float16)
            if vector.ndim != 1 or not np.isfinite(vector).all():
                raise ValueError(f"a vector must be (D,) and finite, got {vector.shape}")
            self._db.execute(
                "INSERT INTO items (file, kind, maker, x0, y0, x1, y1, vector, detail) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, item.kind, item.maker, *item.box, vector.tobytes(), item.detail),
            )

    def move(self, file: FileRow, to: FileRow) -> None:
        """Give a file another path, size and time; its items stay."""
        self._db.execute(
            "UPDATE files SET path = ?, size = ?, mtime_ns = ? WHERE id = ?",
            (os.fsencode(to.path), to.size, to.mtime_ns, file.id),
        )

    def remove(self, file: FileRow) -> None:
        """Forget a file and its items."""
        self._drop_items(file.id, frozenset())
        self._db.execute("DELETE FROM files WHERE id = ?", (file.id,))

    def _drop_items(self, file: int, keep: frozenset[str]) -> None:
        marks = ", ".join("?" * len(keep))
        self._db.execute(
            f"DELETE FROM items WHERE file = ? AND maker NOT IN ({marks})", (file, *sorted(keep))
        )

    def add_maker(self, maker: str, name: str, sha256: str) -> None:
        """Write down what makes vectors."""
        self._db.execute("INSERT OR IGNORE INTO makers VALUES (?, ?, ?)", (maker, name, sha256))

    def set_root(self, root: str) -> None:
        """Write down where the photos are."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('root', ?)", (os.fsencode(root),))

    def set_progress(self, done: int, total: int) -> None:
        """Write down how many of the folder's photos are in the gallery; forget it if all are."""
        self._db.execute("DELETE FROM meta WHERE key = 'progress'")
        if done < total:
            self._db.execute("INSERT INTO meta VALUES ('progress', ?)", (f"{done} {total}",))

    # -- read ------------------------------------------------------------------------------------

    @property
    def root(self) -> str | None:
        """Where the photos are, if that was written down."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'root'")
        return os.fsdecode(rows[0][0]) if rows else None

    @property
    def progress(self) -> tuple[int, int] | None:
        """How many of how many photos are in the gallery; None if no update is unfinished."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'progress'")
        done, total = map(int, rows[0][0].split()) if rows else (0, 0)
        return (done, total) if rows else None

    def files(self) -> dict[str, FileRow]:
        """All files by path."""
        rows = self._rows(
            "SELECT path, size, mtime_ns, sha256, height, width, error, made, id FROM files"
        )
        found = (_file(row) for row in rows)
        return {file.path: file for file in found}

    def same_content(self, sha256: bytes) -> list[FileRow]:
        """The readable files of this content."""
        rows = self._rows(
            "SELECT path, size, mtime_ns, sha256, height, width, error, made, id FROM files "
            "WHERE sha256 = ? AND error IS NULL ORDER BY id",
            (sha256,),
        )
        return [_file(row) for row in rows]

    def items_of(self, file: FileRow) -> list[NewItem]:
        """The items of a file, to be written for another of the same content."""
        rows = self._rows(
            "SELECT kind, maker, x0, y0, x1, y1, vector, detail FROM items WHERE file = ? "
            "ORDER BY id",
            (file.id,),
        )
        return [
            NewItem(kind, maker, (x0, y0, x1, y1), np.frombuffer(blob, np.float16), detail)
            for kind, maker, x0, y0, x1, y1, blob, detail in rows
        ]

    def items(self, ids: Sequence[int]) -> dict[int, Item]:
        """Items by id; those that are gone are left out."""
        rows = self._by_id(
            "SELECT items.id, path, x0, y0, x1, y1, detail FROM items JOIN files "
            "ON files.id = items.file WHERE items.id",
            ids,
        )
        return {row[0]: _item(row) for row in rows}

    def items_of_kind(self, kind: str, maker: str) -> list[Item]:
        """All items of a kind and maker; of a file in the order in which they were seen."""
        rows = self._rows(
            "SELECT items.id, path, x0, y0, x1, y1, detail FROM items JOIN files "
            "ON files.id = items.file WHERE kind = ? AND maker = ? ORDER BY items.id",
            (kind, maker),
        )
        return [_item(row) for row in rows]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many items there are of each kind and maker."""
        rows = self._rows("SELECT kind, maker, COUNT(*) FROM items GROUP BY kind, maker")
        return {(kind, maker): count for kind, maker, count in rows}

    def makers(self) -> dict[str, tuple[str, str]]:
        """Name and hash of all that made vectors."""
        rows = self._rows("SELECT maker, name, sha256 FROM makers")
        return {maker: (name, sha256) for maker, name, sha256 in rows}

    # -- search ----------------------------------------------------------------------------------

    def search(
        self,
        kind: str,
        maker: str,
        query: np.ndarray,
        k: int,
        score: Callable[[np.ndarray], np.ndarray] | None = None,
        candidates: int = 0,
    ) -> list[tuple[int, float]]:
        """The items nearest to a vector, best first; exact as long as they are few.

        Args:
            kind: Of the items.
            maker: Of the items.
            query: (D,) float.
            k: How many at most.
            score: What ranks the vectors (N, D) float32: (N,), high is near. The cosine unless
                given; where there is an index, it ranks the `candidates` nearest by cosine.
            candidates: How many those are, at least.

        Returns:
            Ids and scores; of equal scores the older item first.
        """
        rank = score or cosine(query)
        with self._lock, explained(self.folder):
            for attempt in range(_TRIES):
                self._db.execute("BEGIN")  # one state of the database from here on
                try:
                    part = self._nearest.part(self._db, kind, maker, alone=attempt == _TRIES - 1)
                    if part is None:  # the index was renewed since, and is written down by now
                        continue
                    ids, scores = part.exact(rank)
                    if part.index is not None:
                        near, cosines = part.approximate(query, max(k, candidates))
                        if score is not None and len(near):
                            near, vectors = self._vectors(near)
                            cosines = rank(vectors)
                        ids = np.concatenate([ids, near])
                        scores = np.concatenate([scores, cosines])
                    return best(ids, scores, k)
                finally:
                    self._db.execute("COMMIT")
        raise AssertionError("the last try goes without an index")

    def _vectors(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = self._by_id("SELECT id, vector FROM items WHERE id", ids.tolist())
        vectors = np.stack([np.frombuffer(row[1], np.float16) for row in rows])
        return np.array([row[0] for row in rows], np.int64), vectors.astype(np.float32)

    def _by_id(self, question: str, ids: Sequence[int]) -> list[tuple]:
        """Rows of a question that ends in the name of an id."""
        rows = []
        for start in range(0, len(ids), _IDS_AT_ONCE):  # SQLite takes some ten thousand
            some = ids[start : start + _IDS_AT_ONCE]
            rows += self._rows(f"{question} IN ({', '.join('?' * len(some))})", some)
        return rows

    def _rows(self, question: str, values: Sequence[object] = ()) -> list[tuple]:
        with self._lock, explained(self.folder):
            return self._db.execute(question, tuple(values)).fetchall()

    # -- indexes ---------------------------------------------------------------------------------

    def renew_indexes(self, *, quiet: bool = True) -> None:
        """Bring the approximate indexes up to date where they are behind, and tidy up.

        Call it inside `writing`. What is written stays right if this is never called: it makes
        searches fast.

        Raises:
            GalleryError: If the disk is full; the gallery is as good as before.
        """
        assert self._writer is not None, "write inside `with store.writing():`"
        with explained(self.folder):
            counts = self.counts()
            for (kind, maker), row in self._index_rows().items():
                if counts.get((kind, maker), 0) <= EXACT_BELOW:
                    with self.transaction():
                        self._db.execute("DELETE FROM indexes WHERE file = ?", (row.file,))
                        self._forget_removed(kind, maker)
            for (kind, maker), count in counts.items():
                if count > EXACT_BELOW:
                    self._renew(kind, maker, count, quiet)
            self._sweep()

    def _renew(self, kind: str, maker: str, count: int, quiet: bool) -> None:
        row = self._index_rows().get((kind, maker))
        index, after = None, 0
        if row is not None:
            ((gone,),) = self._rows(
                "SELECT COUNT(*) FROM removed WHERE kind = ? AND maker = ?", (kind, maker)
            )
            come = count - (row.count - gone)
            path = self.folder / row.file
            there = path.is_file() and path.stat().st_size == row.bytes
            if there and gone <= STALE_SHARE * row.count:
                if come <= min(STALE_MOST, STALE_SHARE * row.count):
                    return
                index, after = opened_index(path, row.bytes, view=False), row.upto
        grown = index is not None
        upto = after if grown else 0
        with tqdm(total=count, initial=len(index) if index else 0, **_bar(quiet)) as bar:
            for ids, vectors in rows_of(self._db, kind, maker, upto):
                if index is None:
                    index = new_index(vectors.shape[1])
                add_to_index(index, ids, vectors)
                upto = int(ids[-1])
                bar.update(len(ids))
        assert index is not None
        file = f"{kind}-{self._next_number()}.usearch"
        length = write_index(index, self.folder / file)
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO indexes VALUES (?, ?, ?, ?, ?, ?)",
                (kind, maker, file, length, upto, len(index)),
            )
            if not grown:
                self._forget_removed(kind, maker)

    def _forget_removed(self, kind: str, maker: str) -> None:
        self._db.execute("DELETE FROM removed WHERE kind = ? AND maker = ?", (kind, maker))

    def _index_rows(self) -> dict[tuple[str, str], _IndexRow]:
        rows = self._rows("SELECT kind, maker, file, bytes, upto, count FROM indexes")
        return {(row[0], row[1]): _IndexRow(*row[2:]) for row in rows}

    def _next_number(self) -> int:
        numbers = [path.stem.rpartition("-")[2] for path in self.folder.glob("*-*.usearch")]
        return 1 + max((int(n) for n in numbers if n.isdecimal()), default=0)

    def _sweep(self) -> None:
        """Remove index files that are no longer named, and halves of some."""
        named = {row.file for row in self._index_rows().values()}
        for path in self.folder.iterdir():
            if _INDEX_NAME.fullmatch(path.name) and path.name not in named:
                with contextlib.suppress(OSError):  # some systems keep files that are in use
                    path.unlink()


@dataclass(frozen=True)
class _IndexRow:
    """An index file as it was written."""

    file: str
    bytes: int
    upto: int
    """The highest id that it knows."""
    count: int
    """How many it knows."""


def _bar(quiet: bool) -> dict[str, Any]:
    return {"desc": "index", "unit": "item", "disable": quiet, "leave": False}


def _item(row: tuple) -> Item:
    return Item(row[0], os.fsdecode(row[1]), row[2:6], row[6])


def _file(row: tuple) -> FileRow:
    path, size, mtime_ns, sha256, height, width, error, made, key = row
    made = frozenset(made.split())
    return FileRow(os.fsdecode(path), size, mtime_ns, sha256, height, width, error, made, key)
