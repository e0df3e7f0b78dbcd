"""A backup made while others write is whole, and brings everything back."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from archon import backup
from archon.backup import BackupError
from archon.embedded import lock
from progress.models import Progress
from tests.databases import migrate
from tests.environment import create_database, postgres_programs
from tests.stack import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a database of its own."""
    migrate(tmp_path, environment(tmp_path))
    manage(tmp_path, "shell", "-v0", "-c", "from progress import tracker; tracker.create(progress_id='before')")
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "ARCHON_DATA_DIR": str(folder), "DATABASE_URL": ""}


def manage(folder: Path, *words: str, status: int = 0) -> str:
    command = [sys.executable, "manage.py", *words]
    ended = subprocess.run(command, cwd=ROOT, env=environment(folder), capture_output=True, text=True, check=False)
    assert ended.returncode == status, ended.stderr
    return ended.stdout + ended.stderr


def ids_in(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as opened:
        return {row[0] for row in opened.execute("SELECT id FROM progress_progress")}


def test_what_was_backed_up_comes_back(folder: Path) -> None:
    database, file = folder / "archon.sqlite3", folder / "backup.tar"
    key = (folder / "secret_key").read_text()
    assert "MB" in manage(folder, "backup", str(file))
    assert file.stat().st_mode & 0o077 == 0
    assert "exists already" in manage(folder, "backup", str(file), status=1)
    manage(folder, "shell", "-v0", "-c", "from progress import tracker; tracker.create(progress_id='after')")
    (folder / "secret_key").write_text("another")
    assert "--replace" in manage(folder, "restore", str(file), status=1)
    assert "Restored" in manage(folder, "restore", str(file), "--replace")
    assert ids_in(database) == {"before"}
    assert ids_in(folder / "archon.sqlite3.before-restore") == {"before", "after"}
    assert (folder / "secret_key").read_text() == key
    with lock.held(folder / "supervisor.lock", "http://localhost:1"):
        assert "Stop it first" in manage(folder, "restore", str(file), "--replace", status=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_a_backup_under_writes_is_consistent(tmp_path: Path) -> None:
    stop = threading.Event()
    writer = threading.Thread(target=keep_writing, args=(stop,))
    writer.start()
    try:
        for number in range(3):
            backup.back_up(tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        unpacked = tmp_path / str(number)
        unpacked.mkdir()
        about = backup.unpacked(tmp_path / f"{number}.tar", unpacked)
        backup.check(unpacked / backup.DATABASE)
        assert "progress.0001_initial" in about["migrations"]


def keep_writing(stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        Progress.objects.create(id=f"written-{number}")
    connection.close()


def archive(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "content", [{}, {"archon__sqlite3": b"no database", "about__json": b"{}"}, {"about__json": b"no json"}]
)
def test_what_is_no_backup_is_refused(tmp_path: Path, content: dict[str, bytes], monkeypatch: Any) -> None:
    monkeypatch.setattr(backup, "database_file", lambda: tmp_path / "place.sqlite3")
    with pytest.raises(BackupError):
        backup.restore(archive(tmp_path / "it.tar", **content))
    assert not (tmp_path / "place.sqlite3").exists()


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(backup, "database_file", lambda: tmp_path / "place.sqlite3")
    (tmp_path / "it.tar").write_bytes(b"\0" * 2_000)
    with pytest.raises(BackupError, match="is not a backup"):
        backup.restore(tmp_path / "it.tar")


def test_postgresql_is_sent_to_its_own_tools(monkeypatch: Any) -> None:
    monkeypatch.setattr(connection, "vendor", "postgresql")
    with pytest.raises(BackupError, match="pg_dump"):
        backup.database_file()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_postgresql_comes_back_from_its_own_dump(tmp_path: Path) -> None:
    """The commands of docs/operations.md, into a database of another name."""
    Progress.objects.create(id="before")
    dump = tmp_path / "archon.dump"
    programs, server = postgres_programs(tmp_path, None), os.environ["DATABASE_URL"]
    source = server.rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    subprocess.run([programs / "pg_dump", "--format=custom", f"--file={dump}", plain(source)], check=True)
    restored = create_database("restored", source)
    subprocess.run([programs / "pg_restore", "--no-owner", f"--dbname={plain(restored)}", dump], check=True)
    with psycopg.connect(plain(restored)) as there:
        found = there.execute("SELECT id FROM progress_progress").fetchall()
        missing = there.execute("SELECT count(*) FROM django_migrations").fetchone()
    assert found == [("before",)]
    assert missing == (len(MigrationRecorder(connection).applied_migrations()),)


def plain(url: str) -> str:
    """As libpq spells it."""
    return url.replace("postgres://", "postgresql://", 1)
