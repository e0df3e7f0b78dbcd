"""From outside a running Archon: is there one for this data folder, start one, stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from archon.embedded import lock, probe
from archon.embedded.lock import Holder
from progress import disk

STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
LOCK: Path = settings.DATA_DIR / "supervisor.lock"
DETACHED_LOG: Path = settings.DATA_DIR / "logs" / "supervisor.log"


class StartFailed(CommandError):
    """Archon did not come up; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class StackState:
    """A running Archon, and whether this call started it."""

    url: str
    started: bool


def own_health(holder: Holder | None = None) -> dict[str, Any] | None:
    """What the Archon at our address says about itself. Its supervisor may have been given another port."""
    place = urlsplit(holder.url if holder else settings.BASE_URL)
    name = (settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "localhost").removeprefix(".")
    host = settings.HOST if holder is None or holder.url == settings.BASE_URL else place.hostname
    return probe.health(host or "", place.port or 80, name if name != "*" else "localhost")


def running_url() -> str | None:
    """Where the Archon of this data folder is ready; None while there is none.

    With an embedded Redis only a supervisor of this folder can serve it: whoever answers at the
    address without one is the Archon of another checkout, and would not see our crawls.
    """
    holder = lock.holder(LOCK)
    if holder is None and settings.EMBEDDED_REDIS:
        return None
    body = own_health(holder)
    if not body or not body["ready"]:
        return None
    return holder.url if holder else settings.BASE_URL


def ensure_running(timeout: float) -> StackState:
    """Starts an Archon in the background unless one is ready; raises StartFailed when none comes up."""
    deadline = time.monotonic() + timeout
    background: subprocess.Popen[bytes] | None = None
    while (url := running_url()) is None:
        if not disk.free_megabytes():  # one that runs is not ready then, and none comes up
            raise StartFailed(f"{disk.FULL['message']} {disk.FULL['hint']}")
        if background is None and lock.holder(LOCK) is None:
            background = start_in_background()
        if background and background.poll() is not None and lock.holder(LOCK) is None:
            raise StartFailed(last_words())
        if time.monotonic() > deadline:
            raise StartFailed(f"Archon is not ready after {timeout:.0f} s; see {DETACHED_LOG.parent}.")
        time.sleep(POLL_SECONDS)
    return StackState(url, started=background is not None)


def start_in_background() -> subprocess.Popen[bytes]:
    """`manage.py up` in a session of its own: it outlives this command and its terminal."""
    DETACHED_LOG.parent.mkdir(parents=True, exist_ok=True)
    with DETACHED_LOG.open("wb") as log:
        background = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "up"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _started_here.append(background)
    return background


# Kept so that the end of this command does not warn about a program that is meant to go on.
_started_here: list[subprocess.Popen[bytes]] = []


def last_words() -> str:
    lines = DETACHED_LOG.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"Archon did not start; see {DETACHED_LOG.parent}."


def stop_running() -> bool:
    """Stops the Archon of this data folder, wherever it was started; False when none runs."""
    holder = lock.holder(LOCK)
    if holder is None:
        return False
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while lock.holder(LOCK) == holder:
        if time.monotonic() > deadline:
            raise StartFailed(f"Archon (pid {holder.pid}) does not stop; see {DETACHED_LOG.parent}.")
        time.sleep(POLL_SECONDS)
    return True
