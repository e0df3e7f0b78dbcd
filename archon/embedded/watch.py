"""The supervisor's loop, and the program that is left of `make up` once everything runs.

One thread, one loop: it sleeps until a child dies, a signal comes or a moment passes. The children
are tied to this process, so that nothing is left behind even when it is killed.

To start an Archon takes Django and all apps; to watch it takes neither. So when all is up the
supervisor becomes this program (`become`): the same process, the same children, 80 MB less.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from archon.embedded import lock, redis
from archon.embedded.child import Child
from archon.embedded.face import Face
from archon.embedded.signals import Signals

STOP_SECONDS = 14.0
TICK_SECONDS = 1.0
DEATHS_TO_TELL = 3
LAST_LINES = 8
REDIS = "redis"


class StopAsked(Exception):
    """Ctrl-C or SIGTERM: leave the loop, stop the children."""


class Watch:
    """The children in the order in which they were started. `redis_folder` and `redis_socket` are of an embedded one,
    which is prepared before each start."""

    def __init__(self, face: Face, signals: Signals, *, redis_folder: Path, redis_socket: Path, verbose: bool) -> None:
        self.children: list[Child] = []
        self._face = face
        self._signals = signals
        self._redis_folder = redis_folder
        self._redis_socket = redis_socket
        self._verbose = verbose

    def add(self, child: Child) -> None:
        self.children.append(child)
        self._start(child)

    def until_stopped(self) -> None:
        """Runs until it is asked to stop."""
        try:
            while True:
                self.tick(TICK_SECONDS)
        except StopAsked:
            self._face.stopping()

    def tick(self, seconds: float) -> None:
        """Raises StopAsked."""
        self._signals.wait(seconds)
        if self._signals.stop_requests:
            raise StopAsked
        for child in self.children:
            if (status := child.died()) is not None:
                self._tell_death(child, status)
            if child.due():
                self._start(child)
            if self._verbose:
                for line in child.new_lines():
                    self._face.child_line(child.name, line)
            child.trim_log()

    def stop_children(self) -> None:
        """Web first, redis last: whoever still works can still say so. A second Ctrl-C kills the rest."""
        requests = self._signals.stop_requests
        deadline = time.monotonic() + STOP_SECONDS
        for child in reversed(self.children):
            child.ask_to_stop()
            seconds = min(child.plan.grace_seconds, deadline - time.monotonic())
            child.wait(seconds, hurry=lambda: self._signals.stop_requests > requests)
            self._face.stopped(child.name)
            if child.name == REDIS:
                self._redis_socket.unlink(missing_ok=True)

    def become(self, lock_descriptor: int, folder: Path) -> NoReturn:
        """Replaces the program of this process, keeping its number, its children and the lock. Raises StopAsked when a
        stop was asked for meanwhile; one that comes later waits for the new program. `folder` is the checkout."""
        self._signals.hold()
        if self._signals.stop_requests:
            raise StopAsked
        read, write = os.pipe()
        os.write(write, json.dumps(self._handed_over(lock_descriptor)).encode())  # a pipe holds 64 KB, this is 3
        os.close(write)
        for descriptor in (read, lock_descriptor):
            os.set_inheritable(descriptor, True)
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "archon.embedded.watch", str(read)])  # noqa: S606  # ourselves

    def _handed_over(self, lock_descriptor: int) -> dict[str, Any]:
        return {
            "children": [child.handed_over() for child in self.children],
            "redis_folder": str(self._redis_folder),
            "redis_socket": str(self._redis_socket),
            "verbose": self._verbose,
            "lock": lock_descriptor,
        }

    def _start(self, child: Child) -> None:
        if child.name == REDIS:
            self._prepare_redis(child)
        child.start()

    def _prepare_redis(self, child: Child) -> None:
        if child.deaths_in_a_row >= DEATHS_TO_TELL and self._redis_folder.exists():
            kept = redis.set_aside(self._redis_folder)
            self._face.lost(child.name, f"could not read its file; it is kept as {kept.name}")
        redis.prepare(folder=self._redis_folder, socket=self._redis_socket)

    def _tell_death(self, child: Child, status: int) -> None:
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self._face.lost(child.name, f"{how}; starting it again")
        if child.deaths_in_a_row == DEATHS_TO_TELL:
            self._face.failing(child.name, child.plan.log, child.last_lines(LAST_LINES))


def main() -> None:
    with os.fdopen(int(sys.argv[1])) as told_by:
        told = json.load(told_by)
    os.set_inheritable(told["lock"], False)
    with lock.given(told["lock"]), Signals() as signals:
        watch = Watch(
            Face(Console(stderr=True)),
            signals,
            redis_folder=Path(told["redis_folder"]),
            redis_socket=Path(told["redis_socket"]),
            verbose=told["verbose"],
        )
        watch.children = [Child.taken_over(child) for child in told["children"]]
        signals.let_through()
        try:
            watch.until_stopped()
        finally:
            watch.stop_children()


if __name__ == "__main__":
    main()
