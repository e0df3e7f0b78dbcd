"""Web processes, a Redis that can be stopped, and a writer of progress: the product without a crawl."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import psutil
from redis import Redis
from redis.exceptions import RedisError

from archon.embedded.redis import redis_command
from progress.lifeline import tied_to_this_process
from tests.databases import migrate
from tests.environment import temporary_folder
from tests.stack import ROOT, eventually, free_port

WEB_OPTIONS = ("--websocket_timeout", "-1", "--websocket-max-message-size", "65536", "-v", "0")
PRODUCT = "archon.asgi:application"
STOP_SECONDS = 20


class Program:
    """One child process with its log; it ends with this process."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, **pipes: Any) -> None:
        self.log = log
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stderr=output,
                preexec_fn=tied_to_this_process(signal.SIGKILL),
                **{"stdout": output, **pipes},
            )

    @property
    def pid(self) -> int:
        return self.child.pid

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        self.child.send_signal(with_signal)
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


T = TypeVar("T", bound=Program)


class WebProcess(Program):
    """A server of `application`, the product's by default, under the product's Daphne by default."""

    def __init__(
        self,
        world: World,
        name: str,
        port: int,
        *,
        server: str = "archon.web",
        options: Any = (),
        application: str = PRODUCT,
        enter: Sequence[str] = (),
    ) -> None:
        self.port = port
        endpoint = f"tcp:port={port}:interface=127.0.0.1:backlog=4096"
        command = [*enter, sys.executable, "-m", server, "-e", endpoint, *WEB_OPTIONS, *options, application]
        super().__init__(command, world.environment, world.folder / f"{name}.log")
        self.wait_until_open()

    def wait_until_open(self) -> None:
        pid = self.child.pid

        def listens() -> bool:
            assert self.child.poll() is None, self.log.read_text(errors="replace")[-4000:]
            return any(found.status == psutil.CONN_LISTEN for found in psutil.Process(pid).net_connections("tcp"))

        eventually(listens, what=f"{self.log.stem} listens")

    def url(self, progress_id: str, query: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}/api/crawl-progress/{progress_id}{query}"

    @property
    def memory(self) -> int:
        return int(psutil.Process(self.child.pid).memory_info().rss)


class Writer(Program):
    """A process of its own that is told what to do line by line: to write and publish progress (tests/writer.py), or
    what another program of its kind knows."""

    def __init__(self, world: World, name: str = "writer", *, module: str = "tests.writer") -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        super().__init__([sys.executable, "-m", module], world.environment, world.folder / f"{name}.log", **pipes)

    def tell(self, verb: str, *arguments: Any) -> None:
        """Without waiting for the answer; `answer` reads it."""
        self._pipe(self.child.stdin).write(json.dumps([verb, *arguments]).encode() + b"\n")
        self._pipe(self.child.stdin).flush()

    def answer(self) -> Any:
        line = self._pipe(self.child.stdout).readline()
        assert line, self.log.read_text(errors="replace")[-4000:]
        return json.loads(line)

    def ask(self, verb: str, *arguments: Any) -> Any:
        self.tell(verb, *arguments)
        return self.answer()

    def _pipe(self, pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


class World:
    """Start what a test needs; everything ends with the `with` block."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.redis_socket = folder / "redis.sock"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ARCHON_")},
            "ARCHON_DATA_DIR": str(folder),
            "REDIS_URL": f"unix://{self.redis_socket}",
            "ARCHON_EMBEDDER": "off",
            "DATABASE_URL": database_url(folder),
            **environment,
        }
        self.programs: list[Program] = []
        self._redis: Program | None = None
        self.start_redis()
        migrate(folder, self.environment)

    def manage(self, *words: str) -> None:
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, check=True)

    def web(self, name: str = "web", *, port: int | None = None, **options: Any) -> WebProcess:
        return self._keep(WebProcess(self, name, port or free_port(), **options))

    def writer(self, name: str = "writer", *, module: str = "tests.writer") -> Writer:
        return self._keep(Writer(self, name, module=module))

    def program(
        self, command: list[str], name: str, environment: dict[str, str] | None = None, **pipes: Any
    ) -> Program:
        return self._keep(Program(command, {**self.environment, **(environment or {})}, self.folder / name, **pipes))

    def _keep(self, program: T) -> T:
        self.programs.append(program)
        return program

    def start_redis(self, *, empty: bool = False) -> None:
        if empty:
            for path in self.folder.glob("appendonlydir/*"):
                path.unlink()
        command = redis_command(folder=self.folder, socket=self.redis_socket)
        self._redis = Program(command, self.environment, self.folder / "redis.log")
        eventually(self._redis_answers, what="redis answers")

    def stop_redis(self) -> None:
        assert self._redis is not None
        self._redis.kill()
        self._redis = None
        self.redis_socket.unlink(missing_ok=True)

    def signal_redis(self, number: signal.Signals) -> None:
        assert self._redis is not None
        self._redis.child.send_signal(number)

    def redis(self) -> Redis:
        return Redis(unix_socket_path=str(self.redis_socket))

    def _redis_answers(self) -> bool:
        try:
            with self.redis() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self.programs):
            if program.child.poll() is None:
                program.kill()
        if self._redis is not None:
            self._redis.kill()


def database_url(folder: Path) -> str:
    """The database that the run is on; of SQLite a file of its own."""
    url = os.environ.get("DATABASE_URL", "sqlite")
    return f"sqlite:///{folder / 'archon.sqlite3'}" if url.startswith("sqlite") else url


@contextlib.contextmanager
def world(**environment: str) -> Iterator[World]:
    with temporary_folder() as folder, World(folder, **environment) as started:
        yield started
