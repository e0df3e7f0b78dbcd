"""/health and /ready: is the web process alive, and can Archon do its work?

/health is 200 while the web process answers; `ready` in its body and the status of /ready say
whether database, Redis and a worker do their part, and whether anything can be stored. The probes
run beside the requests, at most once a second: a database that hangs makes its check red and the
answer no slower.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from archon.embedded.redis import ping
from archon.models import Canary
from archon.tasks import WORKER
from knowledge.embedding import embedder
from knowledge.embedding.models import EmbeddingSpace
from progress import disk

logger = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
USABLE_SECONDS = 3.0
ANSWER_SECONDS = 2.0
CANARY_LATE_SECONDS = 90
REQUIRED = ("database", "redis", "worker")
FULL = "full: nothing can be stored"


class Check(TypedDict):
    status: Literal["ok", "failed", "absent"]
    detail: str


Checks = dict[str, Check]


@dataclass(slots=True)
class Round:
    """One run of the probes in a thread of its own; `checks` is None until it ends."""

    started_at: float = field(default_factory=time.monotonic)
    checks: Checks | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class Probes:
    """Keeps the newest checks. Whoever finds them old starts the next round, one at a time."""

    def __init__(self, probe: Callable[[], Checks]) -> None:
        self._probe = probe
        self._lock = threading.Lock()
        self._newest = Round(started_at=float("-inf"))
        self._running: Round | None = None

    def checks(self) -> Checks:
        """Waits only when the newest checks are too old to be believed."""
        with self._lock:
            newest, age = self._newest, time.monotonic() - self._newest.started_at
            if age > FRESH_SECONDS and self._running is None:
                self._running = Round()
                threading.Thread(target=self._run, args=(self._running,), name="health", daemon=True).start()
            running = self._running
        if running is None or age < USABLE_SECONDS:
            return newest.checks or no_answer()
        running.ended.wait(ANSWER_SECONDS)
        return running.checks or no_answer()

    def _run(self, this: Round) -> None:
        try:
            this.checks = self._probe()
        except Exception:
            logger.exception("The health probes stopped on an error they do not know")
        finally:
            with self._lock:
                self._newest, self._running = this, None
            this.ended.set()


def probe() -> Checks:
    try:
        return {"redis": check_redis(), "disk": check_disk(), **check_what_the_database_tells()}
    finally:
        # The thread ends here; its connection would stay open behind it.
        connection.close()


def check_redis() -> Check:
    try:
        ping(settings.REDIS_URL)
    except RedisError as error:
        return failed(error)
    return {"status": "ok", "detail": ""}


def check_disk() -> Check:
    """Below the mark crawls pause and nothing is taken in, but what is there can be searched and asked."""
    free = disk.free_megabytes()
    if not free:
        return {"status": "failed", "detail": FULL}
    if disk.refusal(free) is None:
        return {"status": "ok", "detail": ""}
    told = f"{free:,} MB are free, {settings.DISK_FREE_MB:,} have to stay free: crawls pause, uploads are refused"
    return {"status": "failed", "detail": told}


def check_what_the_database_tells() -> dict[str, Check]:
    try:
        canary = Canary.objects.filter(name=WORKER).first()
        embedding = check_embedder()
    except DatabaseError as error:
        unknown: Check = {"status": "absent", "detail": "unknown without the database"}
        return {"database": failed(error), "worker": unknown, "embedder": unknown}
    return {"database": {"status": "ok", "detail": ""}, "worker": check_worker(canary), "embedder": embedding}


def check_worker(canary: Canary | None) -> Check:
    if canary is None:
        return {"status": "absent", "detail": "no worker has run a task yet"}
    seconds = (timezone.now() - canary.sung_at).total_seconds()
    # A clock set back puts the canary into the future: that proves nothing either.
    if abs(seconds) > CANARY_LATE_SECONDS:
        return {"status": "failed", "detail": f"no worker has run a task for {seconds:.0f} s"}
    return {"status": "ok", "detail": f"ran a task {seconds:.0f} s ago"}


def check_embedder() -> Check:
    """What the workers found out; the reason is for operators alone: GET /api/settings."""
    current = embedder()
    if current is None:
        return {"status": "absent", "detail": "search by keywords only: ARCHON_EMBEDDER=off"}
    space = EmbeddingSpace.objects.filter(name=current.space).first()
    if space is None:
        return {"status": "ok", "detail": f"{current.space}, not asked for a vector yet"}
    if space.away_since is not None:
        return {"status": "failed", "detail": f"no vectors since {space.away_since:%Y-%m-%d %H:%M} UTC"}
    if space.state != EmbeddingSpace.State.SERVING:
        return {"status": "ok", "detail": f"{current.space}: vectors are being made; search by keywords until then"}
    return {"status": "ok", "detail": current.space}


def failed(error: Exception) -> Check:
    """The kind of error only: its text may carry host names and passwords of URLs."""
    return {"status": "failed", "detail": type(error).__name__}


def no_answer() -> Checks:
    red: Check = {"status": "failed", "detail": f"no answer within {ANSWER_SECONDS:.0f} s"}
    return {**dict.fromkeys(REQUIRED, red), "embedder": red, "disk": red}


probes = Probes(probe)


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    return answer(status_when_red=200)


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    return answer(status_when_red=503)


def answer(*, status_when_red: int) -> JsonResponse:
    checks = probes.checks()
    room = checks["disk"]
    is_ready = all(checks[name]["status"] == "ok" for name in REQUIRED) and room["detail"] != FULL
    body = {
        "status": "healthy" if is_ready and room["status"] == "ok" else word_for(checks),
        "service": "archon",
        "timestamp": timezone.now().isoformat(),
        "ready": is_ready,
        "checks": checks,
    }
    response = JsonResponse(body, status=200 if is_ready else status_when_red)
    response["Cache-Control"] = "no-store"
    return response


def word_for(checks: Checks) -> str:
    """A stack that is only waiting for its first worker is starting, not broken."""
    waiting = checks["worker"]["status"] == "absent" and checks["database"]["status"] == "ok"
    return "initializing" if waiting and checks["redis"]["status"] == "ok" else "degraded"
