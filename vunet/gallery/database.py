"""A gallery's database: its tables, how it is opened and made, and who may write.

Two databases lie in the folder. One holds what is known; of the other, which is empty, the writer
holds an exclusive transaction, a lock that the system opens when the process ends, however it ends.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vunet.gallery.trouble import GalleryError, code_of, explained, is_forbidden
from vunet.images import shown

DATABASE = "gallery.sqlite"
"""The truth, in the gallery's folder."""
LOCK = "writer.sqlite"
"""Whoever writes holds an exclusive transaction of this one, which ends with the process."""
APPLICATION_ID = 0x76756E67
"""Marks our databases ("vung")."""
FORMAT = 1
"""Of the tables; another one means indexing again, as all is made from the photos."""
_PATIENCE_S = 20.0
_NONE = "{} holds no gallery; make one with `vunet index`"
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value);
CREATE TABLE makers (maker TEXT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, sha256 BLOB, height INTEGER, width INTEGER, error TEXT,
    made TEXT NOT NULL);
CREATE INDEX files_content ON files (sha256);
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL REFERENCES files,
    kind TEXT NOT NULL, maker TEXT NOT NULL, x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL,
    y1 REAL NOT NULL, vector BLOB NOT NULL, detail TEXT);
CREATE INDEX items_file ON items (file);
CREATE INDEX items_kind ON items (kind, maker, id);
CREATE TABLE indexes (
    kind TEXT NOT NULL, maker TEXT NOT NULL, file TEXT NOT NULL, bytes INTEGER NOT NULL,
    upto INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (kind, maker));
CREATE TABLE removed (item INTEGER PRIMARY KEY, kind TEXT NOT NULL, maker TEXT NOT NULL);
CREATE TRIGGER items_removed AFTER DELETE ON items WHEN EXISTS (
    SELECT 1 FROM indexes WHERE kind = OLD.kind AND maker = OLD.maker AND upto >= OLD.id)
BEGIN INSERT INTO removed VALUES (OLD.id, OLD.kind, OLD.maker); END;
INSERT INTO meta VALUES ('changes', 0);
"""


def opened(folder: Path) -> sqlite3.Connection:
    """A connection to the gallery in a folder; each statement is a transaction unless one is begun.

    Raises:
        GalleryError: If there is no gallery, or it cannot be read.
    """
    path = folder / DATABASE
    with explained(folder):
        if not path.is_file():
            raise GalleryError(_NONE.format(shown(folder)))
        for mode in ("mode=rw", "mode=ro"):
            try:
                return _checked(folder, _connected(path, mode))
            except sqlite3.OperationalError as error:
                if not is_forbidden(error):
                    raise
        # In a folder that may not be written, where nobody else writes either.
        return _checked(folder, _connected(path, "mode=ro&immutable=1"))


def made(folder: Path) -> sqlite3.Connection:
    """As `opened`, after making the gallery where there is none.

    Raises:
        GalleryError: If it can be neither read nor made, another process makes it just now, or
            the folder is used for something else.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / DATABASE
        if not path.is_file() and any(not f.name.startswith(LOCK) for f in folder.iterdir()):
            raise GalleryError(
                f"{shown(folder)} holds other files; give an empty folder for the gallery"
            )
        if not path.is_file() or _is_empty(path):
            lock = locked(folder)
            try:
                _make(path)
            finally:
                lock.close()
    return opened(folder)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=_PATIENCE_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _checked(folder: Path, db: sqlite3.Connection) -> sqlite3.Connection:
    """Whether it is one of our databases.

    Raises:
        GalleryError: If it is not.
    """
    try:
        (mark,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        if tables == 0:  # killed before anything was written
            raise GalleryError(_NONE.format(shown(folder)))
        if mark != APPLICATION_ID:
            raise GalleryError(
                f"{shown(folder / DATABASE)} is no gallery; delete that folder and index again"
            )
        if version != FORMAT:
            raise GalleryError(
                f"the gallery {shown(folder)} was made by another version of vunet; "
                "delete that folder and index again"
            )
        db.execute("PRAGMA synchronous = NORMAL")  # with WAL: a power cut may undo, never damage
        db.execute("SELECT value FROM meta WHERE key = 'changes'").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _is_empty(path: Path) -> bool:
    """Whether a database was killed before anything was written."""
    db = _connected(path, "mode=ro")
    try:
        return db.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone() == (0,)
    finally:
        db.close()


def _make(path: Path) -> None:
    db = _connected(path, "mode=rwc")
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
            f"{_TABLES} COMMIT;"
        )
    finally:
        db.close()


def locked(folder: Path) -> sqlite3.Connection:
    """The exclusive transaction of whoever writes.

    Raises:
        GalleryError: If another has it.
    """
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if code_of(error).startswith("SQLITE_BUSY"):
            raise GalleryError(
                f"the gallery {shown(folder)} is being written by another process; "
                "wait until that has finished"
            ) from error
        raise
    except BaseException:
        lock.close()
        raise
    return lock
