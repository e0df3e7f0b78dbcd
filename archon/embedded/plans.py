"""The children of a local Archon, in the order in which they start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from archon.embedded.child import Plan
from archon.embedded.redis import redis_command

LISTEN_BACKLOG = 4096
WEBSOCKET_MESSAGE_BYTES = 65_536
LOGS: Path = settings.DATA_DIR / "logs"
REDIS_FOLDER: Path = settings.DATA_DIR / "redis"


def redis(before_start: Callable[[], None]) -> Plan:
    command = redis_command(folder=REDIS_FOLDER, socket=settings.REDIS_SOCKET)
    return plan("redis", command, grace_seconds=1.0, before_start=before_start)


def worker() -> Plan:
    # Mingling waits a second for other workers; a local stack has none.
    options = ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel", settings.LOG_LEVEL]
    # SIGTERM lets a worker end its slices, which are shorter than this.
    return plan("worker", python("celery", "-A", "archon", "worker", *options), grace_seconds=12.0)


def beat() -> Plan:
    options = ["--pidfile=", "--loglevel", settings.LOG_LEVEL]
    return plan("beat", python("celery", "-A", "archon.beat", "beat", *options), grace_seconds=1.0)


def web() -> Plan:
    host = settings.HOST.replace(":", "\\:")
    endpoint = f"tcp:port={settings.PORT}:interface={host}:backlog={LISTEN_BACKLOG}"
    options = ["--websocket_timeout", "-1", "--websocket-max-message-size", str(WEBSOCKET_MESSAGE_BYTES)]
    command = python("archon.web", "-v", "0", "-e", endpoint, *options, "archon.asgi:application")
    return plan("web", command, grace_seconds=4.0)


def plan(
    name: str, command: list[str], *, grace_seconds: float, before_start: Callable[[], None] = lambda: None
) -> Plan:
    return Plan(name, command, settings.BASE_DIR, LOGS / f"{name}.log", grace_seconds, before_start)


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
