"""The whole product with nothing in it that may not be killed: its Redis, too."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

import psutil

from archon.embedded.redis import redis_answers, redis_command
from progress.lifeline import tied_to_this_process
from tests.environment import temporary_folder
from tests.stack import Stack, eventually

FAULTS = ("child", "worker", "redis", "redis-emptied", "web")
LOOK_SECONDS = 0.05
ENDS = ("completed", "failed", "cancelled")


class KillableStack(Stack):
    """`strike` kills a part and starts it again; questions are asked again while nobody answers."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder, environment)
        self.deaths: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self.start_redis()
        super().__enter__()
        return self

    def __exit__(self, *exit: object) -> None:
        super().__exit__(*exit)
        self.redis.kill()
        self.redis.wait()

    def start_redis(self) -> None:
        folder = self.folder / "redis"
        folder.mkdir(exist_ok=True)
        with (self.folder / "redis.log").open("ab") as log:
            self.redis = subprocess.Popen(
                redis_command(folder=folder, socket=self.folder / "redis.sock"),
                stdout=log,
                stderr=log,
                preexec_fn=tied_to_this_process(signal.SIGKILL),
            )
        eventually(lambda: redis_answers(self.environment["REDIS_URL"]), what="Redis answers")

    def strike(self, fault: str) -> None:
        """SIGKILL now; what a supervisor starts again is started again."""
        if fault == "child":
            os.kill(self.worker_pids()[0], signal.SIGKILL)
        elif fault in ("worker", "web"):
            self.kill(fault)
            self.spawn(fault)
        else:
            self.redis.kill()
            self.redis.wait()
            if fault == "redis-emptied":
                shutil.rmtree(self.folder / "redis")
            self.start_redis()

    def revive(self) -> None:
        """As `make up`, systemd or a container does: what ended is started again."""
        for name, child in list(self.children.items()):
            if child.poll() is not None:
                self.deaths[name] += 1
                self.spawn(name)

    def worker_pids(self) -> list[int]:
        """Of a worker that was just started there are none yet."""
        self.revive()
        parent = psutil.Process(self.children["worker"].pid)
        return [child.pid for child in eventually(parent.children, what="worker processes")]

    def snapshot(self, progress_id: str) -> dict[str, Any] | None:
        """None while the web process is away."""
        self.revive()
        try:
            status, body = self.request("GET", f"/api/progress/{progress_id}")
        except (OSError, HTTPException):
            return None
        assert status < 500, body
        return dict(body) if status == 200 else None

    def await_pages(self, progress_id: str, pages: int, *, seconds: float) -> int | None:
        """How many pages are done, once there are so many; None when the crawl ended without."""
        found = self._await(
            progress_id, lambda body: body["processedPages"] >= pages or body["status"] in ENDS, seconds
        )
        return int(found["processedPages"]) if found and found["status"] not in ENDS else None

    def await_end(self, progress_id: str, *, seconds: float) -> dict[str, Any] | None:
        return self._await(progress_id, lambda body: body["status"] in ENDS, seconds)

    def _await(self, progress_id: str, true: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            body = self.snapshot(progress_id)
            if body is not None and true(body):
                return body
            time.sleep(LOOK_SECONDS)
        return None

    def forget(self, progress_id: str) -> None:
        """Delete the source, so that the next crawl of the site begins with nothing."""

        def deleted() -> bool:
            body = self.snapshot(progress_id)
            if body is None:
                return False
            with contextlib.suppress(OSError, HTTPException, json.JSONDecodeError):
                return self.request("DELETE", f"/api/knowledge-items/{body['sourceId']}")[0] in (200, 404)
            return False

        eventually(deleted, what="the source is deleted")


@contextlib.contextmanager
def killable_stack(database_url: str = "", **environment: str) -> Iterator[KillableStack]:
    """With the product's own settings, as `make up` runs it; an empty URL is a SQLite file of its own."""
    with temporary_folder() as folder:
        settings = {
            "REDIS_URL": f"unix://{folder / 'redis.sock'}",
            "DATABASE_URL": database_url or f"sqlite:///{folder / 'archon.sqlite3'}",
            "ARCHON_WORKERS": "2",
            "ARCHON_EMBEDDER": "off",
            **environment,
        }
        with KillableStack(Path(folder), settings) as stack:
            yield stack
