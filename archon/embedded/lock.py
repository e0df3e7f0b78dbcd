"""One Archon per data folder: the lock file, and what it says about who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

# A look at the lock holds it for a moment; a start waits longer than that before it gives up.
PATIENCE_SECONDS = 0.3
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """The supervisor that holds the lock."""

    pid: int
    url: str


class AlreadyRunning(Exception):
    def __init__(self, holder: Holder | None) -> None:
        super().__init__("another supervisor holds the lock")
        self.holder = holder


@contextlib.contextmanager
def held(path: Path, url: str) -> Iterator[int]:
    """Holds the lock for the block; the kernel frees it when this program ends, however it ends. The descriptor is the
    lock: a program that takes this one's place may be given it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, path)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(Holder(os.getpid(), url))).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    with given(descriptor):
        yield descriptor


@contextlib.contextmanager
def given(descriptor: int) -> Iterator[None]:
    """Lets go of it after the block."""
    try:
        yield
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock now, or None."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _wait_for_name(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AlreadyRunning(_wait_for_name(descriptor)) from None
        time.sleep(POLL_SECONDS)


def _wait_for_name(descriptor: int) -> Holder | None:
    """The name follows the lock at once; a holder without one has just let go."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (name := _read(descriptor)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return name


def _read(descriptor: int) -> Holder | None:
    """None in the moment between taking the lock and writing the name."""
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except ValueError:
        return None
