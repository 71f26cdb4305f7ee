"""What can go wrong on a gallery's disk, in one sentence each."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from vunet.images import shown

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_FSYNC")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_MISMATCH")
_FORBIDDEN = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


class GalleryError(ValueError):
    """A gallery cannot be used; one sentence says which, why, and the way out."""


def code_of(error: sqlite3.Error) -> str:
    """SQLite's own name of an error, such as SQLITE_FULL."""
    return str(getattr(error, "sqlite_errorname", ""))


def is_forbidden(error: sqlite3.Error) -> bool:
    """Whether the disk does not let us do this."""
    return code_of(error).startswith(_FORBIDDEN)


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether a database is not what it should be."""
    return code_of(error).startswith(_DAMAGED) or "no such" in str(error)  # table or column


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Say in one sentence what the disk or SQLite refused.

    Args:
        folder: Of the gallery.

    Raises:
        GalleryError: For what a user can mend.
    """
    name = shown(folder)
    full = (
        f"the gallery {name} cannot be written because the disk is full; make room and index "
        "again: what is written already is kept"
    )
    forbidden = (
        f"the gallery {name} may not be written; change its permissions, "
        "or put it elsewhere with --where"
    )
    try:
        yield
    except sqlite3.Error as error:
        code = code_of(error)
        if code.startswith(_FULL):
            text = full
        elif is_damaged(error):
            text = f"the gallery {name} is damaged; delete that folder and index again"
        elif is_forbidden(error):
            text = forbidden
        elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            text = f"the gallery {name} is busy; try again in a moment"
        elif code.startswith("SQLITE_IOERR"):
            text = f"the gallery {name} cannot be read or written (disk error); check the disk"
        else:
            raise
        raise GalleryError(text) from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise GalleryError(full) from error
        if error.errno in _NO_RIGHT:
            raise GalleryError(forbidden) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise GalleryError(
                f"the gallery {name} cannot be a folder because there is a file in its place; "
                "put it elsewhere with --where"
            ) from error
        raise
