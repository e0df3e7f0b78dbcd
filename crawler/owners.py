"""Who holds a lease: a slice, named so that another process of the same machine can tell whether it still lives."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path


def owner_name() -> str:
    """place:pid:slice, at most 64 characters."""
    return f"{_place()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def is_gone(owner: str) -> bool:
    """Whether the slice's process surely ended. Of another machine or container that cannot be said: its lease ends."""
    place, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if place != _place() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's process has the number now
        return False
    return False


@functools.cache
def _place() -> str:
    """Where process ids mean the same: this boot of this machine, and in it this container."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # not on Linux: the name must do
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text("ascii"), str(Path("/proc/self/ns/pid").readlink())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
