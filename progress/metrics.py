"""What this process counts of its sockets, its hub and its publisher: the instruments, and the lines they log.

Each process counts for itself; `/metrics` shows the web process. Names and meanings stand in
docs/operations.md. Fed by one line each:

StreamConsumer: connect `opened`, send `sending`, frames that go to the outlet `written`, before a
    close with 1013 `too_slow`, at its end `closed`; progress_events (views.py) the same
Topic: what goes to all riders `written`, a read that fills the log `healed`
Hub: a message of the layer `heard`, a compare that found more `poll_found`, an error `layer_failed`
Publisher: a send `published`, one that failed `publish_failed`
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

logger = logging.getLogger(__name__)

# The seed's own measure of a send that is worth a line in the log.
SLOW_SEND_SECONDS = 0.1
SHOWN_ID_CHARS = 100
# The one stream that is no socket.
EVENTS_PATH = "/api/progress/{progress_id}/events"
SECOND, MINUTE, HOUR = 1, 60, 3600
LIFETIMES = (SECOND, 10, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR)
SEND_TIMES = (0.0001, 0.001, 0.01, SLOW_SEND_SECONDS, 1, 10)

# A second sample beside each counter that says when it began; nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]
registry = CollectorRegistry()
ProcessCollector(registry=registry)

sockets_open = Gauge("archon_sockets_open", "WebSockets and event streams that are open.", ["path"], registry=registry)
socket_seconds = Histogram(
    "archon_socket_seconds",
    "How long sockets that are closed were open.",
    ["path"],
    buckets=LIFETIMES,
    registry=registry,
)
slow_closes = Counter(
    "archon_slow_closes", "Sockets closed because the client took nothing for too long.", registry=registry
)
send_seconds = Histogram(
    "archon_send_seconds",
    "Time one awaited send took; frames written directly are not among them.",
    buckets=SEND_TIMES,
    registry=registry,
)
frames_sent = Counter("archon_frames_sent", "Frames handed to sockets.", registry=registry)
bytes_sent = Counter("archon_bytes_sent", "Bytes of these frames.", registry=registry)
news_heard = Counter("archon_news_heard", "News that the channel layer brought.", ["stream"], registry=registry)
heals = Counter(
    "archon_heals", "Reads of the database because news was lost or only announced.", ["stream"], registry=registry
)
polls_found = Counter(
    "archon_polls_found", "Polls that found what no news had told: the layer lost it.", ["stream"], registry=registry
)
layer_errors = Counter("archon_layer_errors", "Errors of the channel layer while listening.", registry=registry)
events_published = Counter(
    "archon_events_published", "News handed to the channel layer.", ["stream"], registry=registry
)
publish_failures = Counter("archon_publish_failures", "News that the channel layer did not take.", registry=registry)


class OpenSocket:
    """One socket from accept to close, as the instruments and the log see it."""

    def __init__(self, path: str, progress_id: str) -> None:
        self._path = path
        self._shown = f"{path} {progress_id[:SHOWN_ID_CHARS]!r}" if progress_id else path
        self._opened = time.monotonic()
        self._is_open = True
        sockets_open.labels(path).inc()
        logger.debug("socket opened: %s", self._shown)

    @contextmanager
    def sending(self, text: str) -> Iterator[None]:
        """Around the send of one frame; a send that fails is not counted."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        send_seconds.observe(seconds)
        written(1, len(text.encode()))
        if seconds > SLOW_SEND_SECONDS:
            logger.warning("slow send: %s: %.3f s for %d characters", self._shown, seconds, len(text))

    def too_slow(self) -> None:
        slow_closes.inc()
        logger.warning("socket takes nothing, closing it: %s", self._shown)

    def closed(self, code: int | None = None) -> None:
        """More often than once is allowed; only the first counts."""
        if not self._is_open:
            return
        self._is_open = False
        seconds = time.monotonic() - self._opened
        sockets_open.labels(self._path).dec()
        socket_seconds.labels(self._path).observe(seconds)
        logger.info("socket closed: %s: code %s after %.1f s", self._shown, code, seconds)


def opened(path: str, progress_id: str = "") -> OpenSocket:
    """`path` is the route, its parameter as a name: a label must not grow with what clients ask for."""
    return OpenSocket(path, progress_id)


def route_of(scope: Mapping[str, Any]) -> tuple[str, str]:
    """(`/api/crawl-progress/{progress_id}`, the id) of a socket; the id is empty where the route has none."""
    path = str(scope["path"])
    for name, value in scope.get("url_route", {}).get("kwargs", {}).items():
        return path.removesuffix(str(value)) + f"{{{name}}}", str(value)
    return path, ""


def stream_of(topic: str) -> str:
    """The kind of a topic: `progress` of `progress:8b74...`."""
    return topic.partition(":")[0]


def written(frames: int, size: int, *, sockets: int = 1) -> None:
    """`frames` of `size` bytes together went to each of so many sockets."""
    frames_sent.inc(frames * sockets)
    bytes_sent.inc(size * sockets)


def heard(topic: str) -> None:
    news_heard.labels(stream_of(topic)).inc()


def healed(topic: str) -> None:
    heals.labels(stream_of(topic)).inc()


def poll_found(topic: str) -> None:
    polls_found.labels(stream_of(topic)).inc()


def layer_failed() -> None:
    layer_errors.inc()


def published(topic: str) -> None:
    events_published.labels(stream_of(topic)).inc()


def publish_failed() -> None:
    publish_failures.inc()
