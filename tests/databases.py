"""Databases of the processes that tests start: migrated once in a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a first migrate leaves in the data folder; the keys must not be made by several processes at once.
LEFT = ("archon.sqlite3", "secret_key", "encryption_key")

_left: dict[str, dict[str, bytes]] = {}


def migrate(folder: Path, environment: dict[str, str]) -> None:
    """A data folder with its database as `manage.py migrate` leaves them. It runs for the first only: PostgreSQL is
    then migrated for all, and a SQLite file is copied."""
    url = environment["DATABASE_URL"]
    database = url if url.startswith("postgres") else "sqlite"
    if database not in _left:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        _left[database] = {name: (folder / name).read_bytes() for name in LEFT if (folder / name).exists()}
    for name, content in _left[database].items():
        file = folder / name
        file.touch(0o600)
        file.write_bytes(content)
