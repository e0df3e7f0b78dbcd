"""What workers hold: every change of a Progress row, its numbered event, and the news of it.

Each function takes the row's lock, changes the row, and, when it is time, writes the next
ProgressEvent in the same transaction. Call them inside the transaction of the work they
report: the event then exists exactly when the work does. Sockets hear of it after commit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from progress.errors import IllegalMove, ProgressEnded, UnknownProgress
from progress.failpoints import failpoint
from progress.groups import progress_topic
from progress.log_lines import alone
from progress.messages import (
    LOG_LINES,
    VERDICTS_PER_EVENT,
    ErrorBody,
    UrlVerdict,
    event_frame,
    message_type,
    payload_of,
)
from progress.models import Progress, ProgressEvent
from progress.publish import publish_on_commit
from progress.rate import Counts, sampled
from progress.status import TERMINAL, Status, may_move, percentage
from progress.wire import encode, storable, to_wire

logger = logging.getLogger(__name__)

# At most about ten events per second and id; status changes and ends never wait.
EVENT_SECONDS = 0.1
# Nothing is done then, and no speed is told.
STANDING = (Status.PAUSED, Status.QUEUED)
# A refresh keeps the vectors of what did not change: how many are to come shows only when its pages are read.
EMBEDDED_KINDS = (Progress.Kind.CRAWL, Progress.Kind.UPLOAD)
# A line longer than this is a page's text gone astray, not a log line.
LINE_CHARS = 2_000


def create(
    kind: str = Progress.Kind.CRAWL,
    *,
    progress_id: str | None = None,
    source_id: str = "",
    current_url: str = "",
    lines: Iterable[str] = (),
    owner_id: int | None = None,
    private: bool = False,
) -> Progress:
    """A queued operation with its first event, so that a socket opened before it hears of it."""
    row = Progress(kind=kind, source_id=source_id, current_url=storable(current_url), owner_id=owner_id)
    row.private = private
    if progress_id is not None:
        row.id = progress_id
    with transaction.atomic():
        row.save(force_insert=True)
        _add_lines(row, lines)
        _write_event(row, timezone.now())
    return row


def lock(progress_id: str) -> Progress:
    """The row, locked until the end of the surrounding transaction.

    Raises UnknownProgress, and ProgressEnded when the operation is over: nothing may be
    stored for it any more, so the caller rolls back.
    """
    try:
        row = Progress.objects.select_for_update().get(pk=storable(progress_id))
    except Progress.DoesNotExist:
        raise UnknownProgress(f"No operation has the progress id {progress_id!r}.") from None
    if row.ended:
        raise ProgressEnded(f"The operation is already {row.status}.", hint="Start a new one.")
    return row


def update(
    progress_id: str,
    *,
    status: Status | None = None,
    lines: Iterable[str] = (),
    add: Mapping[str, int] | None = None,
    set_: Mapping[str, Any] | None = None,
    growing: bool = False,
    row: Progress | None = None,
    verdicts: Iterable[UrlVerdict] = (),
) -> Progress:
    """Change the row; cut an event now if the status changed or the last one is old enough.

    `add` are differences of counters, `set_` new values of fields; `growing` says that the
    total may still rise. Pass `row` when the caller already holds it from `lock`. `verdicts` are
    told by the next event, a hundred of them at once.
    """
    with transaction.atomic():
        row = row or lock(progress_id)
        moved = _move(row, status)
        for name, difference in (add or {}).items():
            setattr(row, name, getattr(row, name) + difference)
        for name, value in (set_ or {}).items():
            setattr(row, name, storable(value) if isinstance(value, str) else value)
        _measure(row, growing=growing)
        _add_lines(row, lines)
        row.unsent_verdicts = [*row.unsent_verdicts, *(to_wire(verdict) for verdict in verdicts)]
        # Here and not at the end of the operation: its end is told once.
        _save(row, at_once=moved or len(row.unsent_verdicts) >= VERDICTS_PER_EVENT)
    return row


def complete(progress_id: str, *, lines: Iterable[str] = (), row: Progress | None = None) -> Progress:
    return _end(progress_id, Status.COMPLETED, lines, row=row)


def fail(progress_id: str, error: ErrorBody, *, lines: Sequence[str] = (), row: Progress | None = None) -> Progress:
    """The reason is part of the state: a failure never looks like a success with nothing in it."""
    with transaction.atomic():
        row = row or lock(progress_id)
        reason = f"Failed: {error['message']}"
        said = row.log == reason and not lines  # as the page's own failure, when it was the only one
        return _end(progress_id, Status.FAILED, [*lines, *([] if said else [reason])], row=row, error=error)


def fail_if_stored(progress_id: str, error: ErrorBody) -> bool:
    """As `fail`, where a full disk is the reason: False when not even that can be stored. It is then still active, and
    whoever sweeps comes again. Quiet when it is over."""
    try:
        fail(progress_id, error)
    except DatabaseError:
        logger.exception("%s: that it failed (%s) cannot be stored", progress_id, error["code"])
        return False
    except (ProgressEnded, UnknownProgress):
        pass
    return True


def cancel(progress_id: str, *, lines: Iterable[str] = (), row: Progress | None = None) -> Progress:
    return _end(progress_id, Status.CANCELLED, lines, row=row)


def flush(progress_id: str) -> None:
    """Cut the event that a burst still owes. Quiet when nothing is owed or the operation ended."""
    with transaction.atomic():
        row = Progress.objects.select_for_update().filter(pk=progress_id, unsent=True).first()
        if row is not None:
            _write_event(row, timezone.now())


def flush_stale(older_than: float = 1.0) -> None:
    """A worker that died in a burst leaves an event owed; whoever sweeps cuts it."""
    before = timezone.now() - timedelta(seconds=older_than)
    for progress_id in Progress.objects.filter(unsent=True, updated_at__lt=before).values_list("pk", flat=True):
        with alone("not flushed:", progress_id):
            flush(progress_id)


def _end(
    progress_id: str, status: Status, lines: Iterable[str], *, row: Progress | None, error: ErrorBody | None = None
) -> Progress:
    with transaction.atomic():
        row = row or lock(progress_id)
        _move(row, status)
        row.completed_at = timezone.now()
        row.error = {name: storable(str(text)) for name, text in (error or {}).items()}
        row.eta_seconds = None
        row.percentage = _percentage(row, growing=False)
        _add_lines(row, lines)
        _save(row, at_once=True)
    return row


def _move(row: Progress, status: Status | None) -> bool:
    if status is None or status == row.status:
        return False
    if not may_move(Status(row.status), status):
        raise IllegalMove(f"Progress cannot move from {row.status} to {status}.")
    if row.status == Status.EMBEDDING:  # no page was read meanwhile, which says nothing of how fast they were
        row.samples = []
    row.status = status
    row.queue_position = None  # whoever waits is told its place anew
    if status not in TERMINAL and status is not Status.PAUSED:
        row.stage = status
    return True


def _measure(row: Progress, *, growing: bool) -> None:
    row.updated_at = timezone.now()
    row.percentage = _percentage(row, growing=growing)
    rate = sampled(row.samples, row.updated_at.timestamp(), _counts(row))
    row.samples = rate.samples
    row.eta_seconds = None if row.status in STANDING else rate.seconds_left
    row.pages_per_second = None if row.status in (*STANDING, Status.EMBEDDING) else rate.pages_per_second


def _counts(row: Progress) -> Counts:
    embeds = row.status == Status.EMBEDDING or (settings.EMBEDDER != "off" and row.kind in EMBEDDED_KINDS)
    return Counts(row.processed_pages, row.total_pages, row.chunks_stored if embeds else 0, row.embedded_chunks)


def _done_of(row: Progress) -> tuple[int, int]:
    """What the working stage counts: pages, and chunks while only their vectors are missing."""
    if row.status == Status.EMBEDDING:
        return row.embedded_chunks, row.chunks_stored
    return row.processed_pages, row.total_pages


def _percentage(row: Progress, *, growing: bool) -> int:
    done, total = _done_of(row)
    return percentage(Status(row.status), done=done, total=total, growing=growing, before=row.percentage)


def _add_lines(row: Progress, lines: Iterable[str]) -> None:
    new = [storable(line[:LINE_CHARS]) for line in lines]
    if new:
        row.unsent_lines = [*row.unsent_lines, *new]
        row.logs = [*row.logs, *new][-LOG_LINES:]
        row.log = new[-1]


def _save(row: Progress, *, at_once: bool) -> None:
    now = timezone.now()
    # Either way: a clock that was set back must not silence an operation.
    if at_once or abs((now - row.event_at).total_seconds()) >= EVENT_SECONDS:
        _write_event(row, now)
    else:
        row.unsent = True
        row.save()


def _write_event(row: Progress, now: datetime) -> None:
    """One event, and as many more as the verdicts of a burst need."""
    row.sequence += 1
    row.updated_at = row.event_at = now
    lines: Sequence[str] = row.unsent_lines
    verdicts, left = row.unsent_verdicts[:VERDICTS_PER_EVENT], row.unsent_verdicts[VERDICTS_PER_EVENT:]
    row.unsent, row.unsent_lines, row.unsent_verdicts = False, [], left
    row.save()
    state = payload_of(row)
    if verdicts:
        state["pages"] = verdicts
    payload = encode(state)
    kind = message_type(row.status)
    ProgressEvent.objects.create(
        progress=row, sequence=row.sequence, type=kind, payload=payload, lines=list(lines), created_at=now
    )
    failpoint("event.before_commit")
    publish_on_commit(progress_topic(row.id), event_frame(kind, payload, row.logs), sequence=row.sequence)
    if left:
        _write_event(row, now)
