"""The processes of a cluster, each of which can be killed and comes back where it was."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Self

from archon.embedded.redis import redis_answers, redis_command
from progress.lifeline import tied_to_this_process
from tests.environment import create_database, postgres_answers, postgres_programs
from tests.stack import ROOT, eventually, free_port

WEBS = ("web-1", "web-2")
WORKERS = ("worker-1", "worker-2", "worker-3")
NGINX = Template((Path(__file__).parent / "nginx.conf").read_text(encoding="utf-8"))
STOP_SECONDS = 20
NEEDED = "nginx is not installed (Debian: apt install nginx-light); the cluster needs it in front of its web processes."


class NoNginx(Exception):
    """The message says how to get it."""


@dataclass
class Part:
    """One process: how it is started, and when it is up."""

    command: list[str]
    up: Callable[[], bool] = lambda: True
    uid: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    child: subprocess.Popen[bytes] | None = field(default=None, repr=False)


class Cluster:
    """`with Cluster(folder) as cluster:` runs all parts; what they write stands in `folder`."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        if shutil.which("nginx") is None:
            raise NoNginx(NEEDED)
        self.folder = folder
        self.port = port or free_port()
        self.web_ports = {name: free_port() for name in WEBS}
        self.redis_socket = folder / "redis.sock"
        self.postgres = folder / "postgres"
        self.parts: dict[str, Part] = {}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ARCHON_")},
            "ARCHON_DATA_DIR": str(folder),
            "ARCHON_PORT": str(self.port),
            "ARCHON_WORKERS": "1",
            "ARCHON_EMBEDDER": "off",
            "ARCHON_CRAWL_SLICES_PER_JOB": str(len(WORKERS)),
            "ARCHON_SWEEP_SECONDS": "1",
            "ARCHON_CRAWL_LEASE_SECONDS": "5",
            "REDIS_URL": f"unix://{self.redis_socket}",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ---- life ----

    def __enter__(self) -> Self:
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self.parts):
            self._end(name)

    def kill(self, name: str) -> None:
        """SIGKILL to the process and all below it."""
        child = self.parts[name].child
        assert child is not None
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def revive(self, name: str) -> None:
        part = self.parts[name]
        if name == "redis":
            self.redis_socket.unlink(missing_ok=True)
        if name == "postgres":
            (self.postgres / "postmaster.pid").unlink(missing_ok=True)
        with (self.folder / f"{name}.log").open("ab") as log:
            part.child = subprocess.Popen(
                part.command,
                cwd=ROOT if part.uid is None else self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tied_to_this_process(signal.SIGKILL, uid=part.uid),
            )
        eventually(part.up, seconds=60, what=f"{name} is up")

    def pid(self, name: str) -> int:
        child = self.parts[name].child
        assert child is not None
        return child.pid

    def _end(self, name: str) -> None:
        part = self.parts[name]
        if part.child is None or part.child.poll() is not None:
            return
        part.child.send_signal(part.stop_signal)
        try:
            part.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill(name)

    # ---- parts ----

    def _start_all(self) -> None:
        self._add("redis", redis_command(folder=self.folder, socket=self.redis_socket), up=self._redis_is_up)
        self._start_postgres()
        self._manage("migrate", "-v0")
        python = sys.executable
        for name in WEBS:
            endpoint = f"tcp:port={self.web_ports[name]}:interface=127.0.0.1:backlog=4096"
            command = [python, "-m", "archon.web", "-v", "0", "-e", endpoint, "--websocket_timeout", "-1"]
            self._add(name, [*command, "archon.asgi:application"], up=lambda port=self.web_ports[name]: listens(port))
        for name in WORKERS:
            options = ["--concurrency", "1", "-n", f"{name}@localhost", "--loglevel", "WARNING"]
            self._add(name, [python, "-m", "celery", "-A", "archon", "worker", *options])
        self._add("beat", [python, "-m", "celery", "-A", "archon.beat", "beat", "--pidfile=", "--loglevel", "WARNING"])
        self._start_nginx()
        eventually(self._is_ready, seconds=90, what="/ready is green")

    def _add(self, name: str, command: list[str], **facts: Any) -> None:
        self.parts[name] = Part(command, **facts)
        self.revive(name)

    def _start_postgres(self) -> None:
        uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        programs = postgres_programs(self.folder, uid)
        self.postgres.mkdir(mode=0o700)
        if uid is not None:
            os.chown(self.postgres, uid, -1)
        initdb = [
            f"{programs}/initdb",
            "-D",
            str(self.postgres),
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
        ]
        enter = tied_to_this_process(signal.SIGQUIT, uid=uid)
        with (self.folder / "initdb.log").open("wb") as log:
            subprocess.run(
                [*initdb, "--locale=C"], stdout=log, stderr=log, cwd=self.folder, preexec_fn=enter, check=True
            )
        options = ["--listen_addresses=", f"--unix_socket_directories={self.postgres}"]
        self._add(
            "postgres",
            [f"{programs}/postgres", "-D", str(self.postgres), *options],
            up=lambda: postgres_answers(self.postgres),
            uid=uid,
            stop_signal=signal.SIGINT,
        )
        server = f"postgres://postgres@{str(self.postgres).replace('/', '%2F')}/postgres"
        self.environment["DATABASE_URL"] = create_database("archon", server)

    def _start_nginx(self) -> None:
        servers = "".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s; " for port in self.web_ports.values())
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.substitute(folder=self.folder, port=self.port, servers=servers), encoding="utf-8")
        command = ["nginx", "-p", str(self.folder), "-c", str(config), "-e", str(self.folder / "nginx-error.log")]
        self._add("nginx", command, up=lambda: listens(self.port))

    def _manage(self, *words: str) -> None:
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, check=True)

    def _redis_is_up(self) -> bool:
        return redis_answers(f"unix://{self.redis_socket}")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.2)
            return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
