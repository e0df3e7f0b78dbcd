"""`manage.py up` as its own program in its own folder, for tests that kill it and its children."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
from redis import Redis

from archon.embedded import probe
from progress.lifeline import tied_to_this_process
from tests.environment import create_database, temporary_folder
from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
MARKS = {"redis": "redis-server", "worker": "embedded.worker", "beat": "embedded.beat", "web": "archon.web"}
SECONDS = 60.0


def eventually(true: Callable[[], Any], *, seconds: float = SECONDS, otherwise: Callable[[], object] = str) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.02)
    return answer


class LocalStack:
    """One data folder with a port; `start` runs the supervisor over it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        inherited = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL")}
        own = {"ARCHON_DATA_DIR": str(folder), "ARCHON_PORT": str(self.port), "ARCHON_WORKERS": "1"}
        self.environment = {**inherited, "DATABASE_URL": self._database_url(), **own, **environment}
        self.output = folder / "output"

    def _database_url(self) -> str:
        """A database of its own on whatever the test run is on."""
        run = os.environ["DATABASE_URL"]
        if run.startswith("postgres"):
            return create_database(f"local_stack_{self.port}", run)
        return f"sqlite:///{self.folder / 'archon.sqlite3'}"

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.supervisor = subprocess.Popen(
                self.command("up"),
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=tied_to_this_process(signal.SIGTERM),
            )
        eventually(lambda: "Archon is ready" in self.said() or self.supervisor.poll() is not None)
        assert self.supervisor.poll() is None, self.said()

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *words]

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )

    def said(self) -> str:
        return self.output.read_text()

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text()

    def health(self) -> dict[str, Any] | None:
        return probe.health("127.0.0.1", self.port, "localhost")

    def children(self) -> dict[str, psutil.Process]:
        """The supervisor's own children by name; one that was just killed is not among them."""
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.supervisor.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                line = " ".join(child.cmdline())
                found |= {name: child for name, mark in MARKS.items() if mark in line}
        return found

    def everyone(self) -> list[psutil.Process]:
        supervisor = psutil.Process(self.supervisor.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    @property
    def redis_url(self) -> str:
        return f"unix://{self.folder / 'redis.sock'}"

    def redis(self) -> Redis:
        return Redis.from_url(self.redis_url)

    def sung_at(self) -> Any:
        """When a worker last ran the canary."""
        url = self.environment["DATABASE_URL"]
        postgres = url.startswith("postgres")
        database = psycopg.connect(url) if postgres else sqlite3.connect(url.removeprefix("sqlite:///"))
        with contextlib.closing(database):
            return database.execute("SELECT max(sung_at) FROM archon_canary").fetchall()[0][0]

    def stop(self) -> None:
        if self.supervisor.poll() is None:
            self.supervisor.terminate()
        self.supervisor.wait(SECONDS)


def gone(programs: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in programs)


@contextlib.contextmanager
def local_stack(**environment: str) -> Iterator[LocalStack]:
    """Not started yet; whatever runs in the end is stopped."""
    with temporary_folder() as folder:
        stack = LocalStack(folder, **environment)
        try:
            yield stack
        finally:
            if hasattr(stack, "supervisor"):
                stack.stop()
