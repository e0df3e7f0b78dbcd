"""The children of a local Archon, in the order in which they start."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings

from archon.embedded.child import Plan
from archon.embedded.redis import redis_command

LISTEN_BACKLOG = 4096
WEBSOCKET_MESSAGE_BYTES = 65_536
LOGS: Path = settings.DATA_DIR / "logs"
REDIS_FOLDER: Path = settings.DATA_DIR / "redis"


def redis() -> Plan:
    command = redis_command(folder=REDIS_FOLDER, socket=settings.REDIS_SOCKET)
    return plan("redis", command, grace_seconds=1.0)


def worker() -> Plan:
    # SIGTERM lets a worker end its slices, which are shorter than this.
    return plan("worker", python("archon.embedded.worker"), grace_seconds=12.0)


def beat() -> Plan:
    return plan("beat", python("archon.embedded.beat"), grace_seconds=1.0)


def web() -> Plan:
    host = settings.HOST.replace(":", "\\:")
    endpoint = f"tcp:port={settings.PORT}:interface={host}:backlog={LISTEN_BACKLOG}"
    options = ["--websocket_timeout", "-1", "--websocket-max-message-size", str(WEBSOCKET_MESSAGE_BYTES)]
    command = python("archon.web", "-v", "0", "-e", endpoint, *options, "archon.asgi:application")
    return plan("web", command, grace_seconds=4.0)


def plan(name: str, command: list[str], *, grace_seconds: float) -> Plan:
    return Plan(name, command, settings.BASE_DIR, LOGS / f"{name}.log", grace_seconds)


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
