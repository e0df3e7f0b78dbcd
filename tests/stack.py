"""The whole product as processes of its own: redis, worker, beat and web, for tests from the outside."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from itertools import cycle
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError

import psutil
from celery import Celery
from cryptography.fernet import Fernet
from websockets.sync.client import ClientConnection, connect

from progress.lifeline import tied_to_this_process
from tests.databases import migrate
from tests.environment import redis_server, temporary_folder
from tests.wire import Published

ROOT = Path(__file__).resolve().parent.parent

START_SECONDS = 60
STOP_SECONDS = 20
# As `make up` starts it.
WORKER_OPTIONS = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
COMMANDS = {
    "worker": ["-m", "celery", "-A", "archon", "worker", *WORKER_OPTIONS, "--loglevel", "WARNING"],
    "beat": ["-m", "celery", "-A", "archon.beat", "beat", "--loglevel", "WARNING"],
    "web": ["-m", "archon.web", "-b", "127.0.0.1", "-v", "0", "archon.asgi:application"],
}
# As behind a proxy that ends TLS, but on loopback.
SERVER_MODE = {
    "ARCHON_MODE": "server",
    "ARCHON_HTTPS": "false",
    "ARCHON_SECRET_KEY": "of-these-tests-and-of-nothing-else-" * 2,
    "ARCHON_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ARCHON_ALLOWED_HOSTS": "127.0.0.1",
}


@cache
def ports_in_turn() -> Iterator[int]:
    """Of this worker, and below those that the system gives to whoever asks for any port."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw11").removeprefix("gw")) % 12
    own = list(range(20_000 + 1_000 * worker, 21_000 + 1_000 * worker))
    start = random.randrange(len(own))
    return cycle(own[start:] + own[:start])


def free_port() -> int:
    """For a server that binds it in its own time: until then nobody else is given it."""
    for port in ports_in_turn():
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


def eventually(found: Callable[[], Any], *, seconds: float = 30, what: str = "") -> Any:
    """The first true answer; asking is the only way to await another process's state."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or found}"
        time.sleep(0.05)
    return answer


def enqueue_canary(redis_url: str) -> None:
    """What beat does in its turn, without a process for it."""
    with Celery(broker=redis_url.replace("unix://", "redis+socket://", 1), set_as_current=False) as app:
        app.send_task("archon.tasks.canary", queue="archon")


class Stack:
    """Start it, talk to it over HTTP and WebSockets, kill any part of it."""

    def __init__(self, folder: Path, environment: dict[str, str], prepared: str = "") -> None:
        self.folder = folder
        self.prepared = prepared
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, **environment, "ARCHON_PORT": str(self.port), "ARCHON_DATA_DIR": str(folder)}
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        # Sent along with everything that is asked, such as a token.
        self.headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        migrate(self.folder, self.environment)
        if self.prepared:
            self.manage("shell", "-v0", "-c", self.prepared)
        for name in COMMANDS:
            self.spawn(name)
        self.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("beat", "worker", "web"):
            if name in self.children:  # a test that failed may have left it stopped
                self.stop(name)

    def manage(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=check)

    def spawn(self, name: str) -> None:
        port = ["-p", str(self.port)] if name == "web" else []
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self.children[name] = subprocess.Popen(
                [sys.executable, *COMMANDS[name], *port],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tied_to_this_process(signal.SIGKILL),
            )

    def stop(self, name: str) -> None:
        child = self.children.pop(name)
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_tree(child.pid)
            child.wait()

    def kill(self, name: str) -> None:
        """SIGKILL, with everything below it."""
        child = self.children.pop(name)
        self._kill_tree(child.pid)
        child.wait()

    def _kill_tree(self, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for part in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    part.kill()

    def worker_pids(self) -> list[int]:
        """The pool's processes, which do the crawling."""
        return [child.pid for child in psutil.Process(self.children["worker"].pid).children()]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def wait_until_ready(self) -> None:
        # The first canary need not wait for beat's first turn.
        enqueue_canary(self.environment["REDIS_URL"])
        eventually(self._is_ready, seconds=START_SECONDS, what=f"ready; web said: {self.log('web')[-2000:]}")

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", "/ready")[0] == 200
        except OSError:
            return False

    # ---- talking to it ----

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # our own address
            self.url + path,
            content,
            {"Content-Type": "application/json", **self.headers, **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, _decoded(response.read())
        except HTTPError as error:
            with error:
                return error.code, _decoded(error.read())

    def get(self, path: str) -> Any:
        status, body = self.request("GET", path)
        assert status == 200, (status, body)
        return body

    def crawl(self, url: str, **options: Any) -> str:
        """Start a crawl; the progress id."""
        status, body = self.request("POST", "/api/knowledge-items/crawl", {"url": url, **options})
        assert status == 202, (status, body)
        return str(body["progressId"])

    @cached_property
    def published(self) -> Published:
        """The message schemas, as this stack publishes them."""
        return Published(self.get("/api/asyncapi.json"))

    def socket(self, progress_id: str, query: str = "") -> ClientConnection:
        return self.open_socket(f"/api/crawl-progress/{progress_id}{query}")

    def open_socket(self, path: str) -> ClientConnection:
        """Every frame that is received from it is held against the published schemas."""
        address = f"ws://127.0.0.1:{self.port}{path}"
        return connect(
            address, additional_headers=self.headers, open_timeout=30, create_connection=checking(self.published)
        )

    def frames(self, progress_id: str, query: str = "", *, seconds: float = 90) -> Iterator[dict[str, Any]]:
        """Every frame but heartbeats, up to and with the terminal one."""
        deadline = time.monotonic() + seconds
        with self.socket(progress_id, query) as client:
            while True:
                frame = json.loads(client.recv(timeout=max(0.1, deadline - time.monotonic())))
                if frame["type"] == "heartbeat":
                    continue
                yield frame
                if frame["data"]["status"] in ("completed", "failed", "cancelled"):
                    return

    def ended(self, progress_id: str, *, seconds: float = 90) -> dict[str, Any]:
        """The terminal snapshot."""
        *_, last = self.frames(progress_id, seconds=seconds)
        return dict(last["data"])

    def pages(self, progress_id: str, query: str = "") -> list[dict[str, Any]]:
        return list(self.get(f"/api/crawls/{progress_id}/pages?per_page=1000{query}")["pages"])

    def search(self, text: str, **options: Any) -> list[dict[str, Any]]:
        status, body = self.request("POST", "/api/rag/query", {"query": text, **options})
        assert status == 200, (status, body)
        return list(body["results"])


def checking(published: Published) -> type[ClientConnection]:
    """Connections on which a frame that is not as published fails the test."""

    class Checking(ClientConnection):
        def recv(self, timeout: float | None = None, decode: bool | None = None) -> Any:
            frame = super().recv(timeout, decode)
            published.checked(frame)
            return frame

    return Checking


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


@contextlib.contextmanager
def running_stack(prepared: str = "", **environment: str) -> Iterator[Stack]:
    """A stack of its own, in a folder of its own, on the database that the run is on. `prepared` is run in it before
    it starts: a server does not without an account."""
    with temporary_folder() as folder, redis_server(folder) as redis_url:
        database_url = os.environ.get("DATABASE_URL", "sqlite")
        if database_url.startswith("sqlite"):
            database_url = f"sqlite:///{folder / 'archon.sqlite3'}"
        settings = {
            "REDIS_URL": redis_url,
            "DATABASE_URL": database_url,
            "ARCHON_WORKERS": "2",
            "ARCHON_SWEEP_SECONDS": "1",
            "ARCHON_SLICE_SECONDS": "3",
            "ARCHON_CRAWL_LEASE_SECONDS": "3",
            "ARCHON_EMBEDDER": "off",
            **environment,
        }
        with Stack(folder, settings, prepared) as stack:
            yield stack
