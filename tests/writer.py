"""A process that writes progress as a worker does, told what to do by lines of JSON on its input.

Each line is [verb, arguments...]; the answer is one line of JSON. See tests/web.py.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")
django.setup()

from django.db import transaction  # noqa: E402  # the apps must be loaded
from django.utils import timezone  # noqa: E402

from progress import history, tracker  # noqa: E402
from progress.groups import progress_topic  # noqa: E402
from progress.loop import submit  # noqa: E402
from progress.messages import event_frame, payload_of  # noqa: E402
from progress.models import Progress, ProgressEvent  # noqa: E402
from progress.publish import publish  # noqa: E402
from progress.status import Status  # noqa: E402
from progress.wire import encode  # noqa: E402


def create(progress_id: str) -> int:
    return tracker.create(progress_id=progress_id, lines=["Starting crawl..."]).sequence


def event(progress_id: str, line: str = "a page") -> int:
    """One numbered event now, however short ago the last one was."""
    with transaction.atomic():
        row = tracker.lock(progress_id)
        if row.status == Status.QUEUED:
            return tracker.update(progress_id, status=Status.CRAWLING, lines=[line], row=row).sequence
        row.event_at = timezone.now() - timedelta(seconds=2 * tracker.EVENT_SECONDS)
        return tracker.update(progress_id, lines=[line], row=row).sequence


def events(progress_id: str, count: int, per_second: float = 0) -> int:
    sequence = 0
    for pause in paces(count, per_second):
        time.sleep(pause)
        sequence = event(progress_id)
    return sequence


def end(progress_id: str) -> int:
    return tracker.complete(progress_id).sequence


def stored(progress_id: str) -> list[str]:
    """Every frame there should be, from the database alone."""
    frames: list[str] = []
    while more := history.events_after(progress_id, len(frames)):
        frames += [text for _, text in more]
    return frames


def silently(progress_id: str, count: int) -> int:
    """Events whose news never leaves: as if every message were lost."""
    with mock.patch.object(tracker, "publish_on_commit"):
        return events(progress_id, count)


def again(progress_id: str, sequences: list[int]) -> None:
    """Publish stored events once more, in the order given."""
    frames = dict(enumerate(stored(progress_id), 1))
    for sequence in sequences:
        publish(progress_topic(progress_id), frames[sequence], sequence=sequence)


def prepare(progress_id: str, count: int) -> int:
    """Store events 1..count of an operation, at once and unpublished; bytes of one frame."""
    row = tracker.create(progress_id=progress_id, lines=["Starting crawl..."])
    row.current_url = "https://docs.example.org/en/latest/reference/configuration.html"
    written = []
    for sequence in range(2, count + 2):
        row.sequence = sequence
        row.processed_pages = sequence
        payload = encode(payload_of(row))
        written.append(ProgressEvent(progress=row, sequence=sequence, type="crawl_progress", payload=payload))
    ProgressEvent.objects.bulk_create(written)
    return len(event_frame("crawl_progress", payload, row.logs))


def send(progress_id: str, first: int, count: int, per_second: float) -> list[int]:
    """Publish prepared events through the product's own path; the monotonic nanosecond of each."""
    logs = Progress.objects.get(pk=progress_id).logs
    stored = ProgressEvent.objects.filter(progress=progress_id, sequence__gte=first, sequence__lt=first + count)
    frames = [(found.sequence, event_frame(found.type, found.payload, logs)) for found in stored]
    topic = progress_topic(progress_id)
    sent = []
    for (sequence, text), pause in zip(frames, paces(count, per_second), strict=True):
        time.sleep(pause)
        sent.append(time.monotonic_ns())
        publish(topic, text, sequence=sequence)
    Progress.objects.filter(pk=progress_id).update(sequence=first + count - 1)
    return sent


def paces(count: int, per_second: float) -> Any:
    """How long to wait before each of `count` steps so that they come at an even rate; 0: no waiting."""
    started = time.monotonic()
    for number in range(count):
        yield max(0.0, started + number / per_second - time.monotonic()) if per_second else 0.0


def drained() -> None:
    """Everything published so far has been given to Redis, or given up."""
    from progress.publish import _publishers

    async def idle() -> None:
        for publisher in _publishers.values():
            task = getattr(publisher, "_task", None)
            if task is not None:
                await task

    submit(idle()).result(60)


VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb for verb in (create, event, events, end, stored, silently, again, prepare, send, drained)
}


def main(verbs: dict[str, Callable[..., Any]]) -> None:
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        sys.stdout.write(json.dumps(verbs[verb](*arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(VERBS)
