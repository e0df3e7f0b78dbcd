"""One file that holds everything a local Archon knows: database and keys. Made while it runs.

SQLite's own backup interface copies a consistent state page by page while others write. PostgreSQL
brings tools of its own: docs/operations.md.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from progress import disk

DATABASE = "archon.sqlite3"
ABOUT = "about.json"
KEYS = ("secret_key", "encryption_key")
PAGES_PER_STEP = 2_000


class BackupError(Exception):
    """The sentence says what stands in the way and what to do."""


def database_file() -> Path:
    if connection.vendor != "sqlite":
        raise BackupError(
            "The database is PostgreSQL: back it up with pg_dump --format=custom, restore it with pg_restore."
        )
    return Path(str(connection.settings_dict["NAME"]))


def back_up(target: Path) -> int:
    """Bytes written to `target`, which only its owner may read: it holds the keys."""
    source = database_file()
    if target.exists():
        raise BackupError(f"{target} exists already; name another file.")
    with folder_beside(target) as folder:
        copy = Path(folder) / DATABASE
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(copy)) as made:
            live.backup(made, pages=PAGES_PER_STEP)
        packed = Path(folder) / "packed"
        packed.touch(mode=0o600)
        with tarfile.open(packed, "w") as archive:
            archive.add(copy, DATABASE)
            for name in KEYS:
                if (settings.DATA_DIR / name).exists():
                    archive.add(settings.DATA_DIR / name, name)
            about = Path(folder) / ABOUT
            about.write_text(json.dumps(facts()), encoding="utf-8")
            archive.add(about, ABOUT)
        packed.replace(target)
    return target.stat().st_size


@contextmanager
def folder_beside(place: Path) -> Iterator[str]:
    """For what is not whole yet; it goes with all that is in it, also when there is no room for that."""
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".archon-backup-") as folder:
            yield folder
    except (OSError, sqlite3.Error) as error:
        if not disk.is_full(error):
            raise
        raise BackupError(f"There is not room enough in {place.parent}; nothing was changed. Make room.") from error


def facts() -> dict[str, Any]:
    applied = sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
    return {"format": 1, "created_at": datetime.now(UTC).isoformat(), "migrations": applied}


def restore(source: Path, *, replace: bool = False) -> dict[str, Any]:
    """Put a backup in the place of the database; Archon must not run. Returns what the backup says of itself.

    The database that was there is kept beside it, under its name with `.before-restore`.
    """
    place = database_file()
    if place.exists() and not replace:
        raise BackupError(f"{place} exists; restore with --replace, which keeps it as {place.name}.before-restore.")
    place.parent.mkdir(parents=True, exist_ok=True)
    with folder_beside(place) as folder:
        about = unpacked(source, Path(folder))
        check(Path(folder) / DATABASE)
        connection.close()
        if place.exists():
            place.replace(place.with_name(f"{place.name}.before-restore"))
        for leftover in ("-wal", "-shm"):
            place.with_name(place.name + leftover).unlink(missing_ok=True)
        (Path(folder) / DATABASE).replace(place)
        for name in KEYS:
            if (kept := Path(folder) / name).exists():
                kept.replace(settings.DATA_DIR / name)
    return about


def unpacked(source: Path, folder: Path) -> dict[str, Any]:
    """Only the files we put in, whatever else the archive holds."""
    try:
        with tarfile.open(source) as archive:
            for name in (DATABASE, ABOUT, *KEYS):
                if name not in archive.getnames():
                    continue
                packed = archive.extractfile(name)
                if packed is None:
                    raise BackupError(f"{source} is not a backup of Archon: {name} is no file.")
                descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600)
                with packed, os.fdopen(descriptor, "wb") as file:
                    shutil.copyfileobj(packed, file)
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (tarfile.TarError, OSError, ValueError) as error:
        if disk.is_full(error):
            raise
        raise BackupError(f"{source} is not a backup of Archon: {error}") from error
    return about


def check(database: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as opened:
            verdict = opened.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise BackupError(f"The backup is damaged: {error}") from error
    if verdict != "ok":
        raise BackupError(f"The backup is damaged: {verdict}")
