"""A disk without room: seen beforehand by ARCHON_DISK_FREE_MB, and known afterwards from the errors that it causes."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator

from django.conf import settings

from progress.messages import ErrorBody
from progress.usage import MEBIBYTE, Refusal

CODE = "disk_full"
LOOK_AGAIN_SECONDS = 600
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# PostgreSQL's own, https://www.postgresql.org/docs/current/errcodes-appendix.html: disk_full.
POSTGRES_FULL = "53100"
# What SQLite also says when it finds no room for the index of its log, or for a journal.
SQLITE_MAYBE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
FULL = ErrorBody(
    code=CODE,
    message="The disk is full: nothing can be stored.",
    hint="Free some space or delete a source, then try again. ARCHON_DATA_DIR may name a folder on a larger disk.",
)


def free_megabytes() -> int:
    return shutil.disk_usage(settings.DATA_DIR).free // MEBIBYTE


def refusal(free: int) -> Refusal | None:
    """Why nothing more may be taken in with so many MiB free; None: it may."""
    if free >= settings.DISK_FREE_MB:
        return None
    return Refusal(
        CODE,
        f"Only {free:,} MB are free on the disk; {settings.DISK_FREE_MB:,} MB have to stay free.",
        "Free some space or delete a source. ARCHON_DISK_FREE_MB sets the mark.",
        LOOK_AGAIN_SECONDS,
    )


def is_full(error: BaseException) -> bool:
    """Whether it comes from a disk, of files or of the database, that has no room left."""
    return any(_tells(link) for link in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _tells(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    if isinstance(error, sqlite3.Error):
        # The low byte is the kind, the rest says more: https://www.sqlite.org/rescode.html
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return kind == sqlite3.SQLITE_FULL or (kind in SQLITE_MAYBE and free_megabytes() < 1)
    return getattr(error, "sqlstate", None) == POSTGRES_FULL
