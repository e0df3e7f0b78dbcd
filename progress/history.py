"""Reading back what was published: snapshots and the events after a sequence. The row is the truth."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import QuerySet

from progress.messages import LOG_LINES, replay_frames, snapshot_frame, waiting
from progress.models import Progress, ProgressEvent
from progress.viewer import Viewer
from progress.wire import encode

# One read of the log, in events and about so many characters; a client further behind reads on from where this ended.
# Every frame shows the newest log lines, so a few hundred of them can be a hundred times larger than their rows.
EVENTS_PER_READ = 500
CHARS_PER_READ = 2**20


class Frames(NamedTuple):
    """Frames to send, and the sequence they bring the reader to."""

    texts: list[str]
    position: int


def first_frame(progress_id: str, *, resync: bool = False) -> Frames:
    """The current state, or `waiting` for an id that nothing has started."""
    row = known(progress_id).first()
    if row is None:
        return nothing_known(progress_id)
    return Frames([snapshot_frame(row, resync=resync)], row.sequence)


def nothing_known(progress_id: str) -> Frames:
    return Frames([encode(waiting(progress_id))], 0)


def is_hidden(progress_id: str, viewer: Viewer) -> bool:
    """Whether it is another account's alone. Whoever asks is then answered as for an id that nothing has started."""
    return not viewer.everything and known(progress_id).exclude(viewer.seen()).exists()


def known(progress_id: str) -> QuerySet[Progress]:
    """At most one row. PostgreSQL refuses a NUL in a parameter; no id has one."""
    return Progress.objects.none() if "\0" in progress_id else Progress.objects.filter(pk=progress_id)


def frames_since(progress_id: str, since: int) -> Frames:
    """Every event after `since`, in order; one snapshot marked `resync` when that is no longer kept."""
    row = known(progress_id).only("sequence").first()
    if row is None:
        # Not read again: what has begun in between would be told as it is now, and its first events skipped.
        return nothing_known(progress_id)
    frames = events_after(progress_id, since)
    unbroken = frames[0][0] == since + 1 if frames else since == row.sequence
    if not unbroken:
        return first_frame(progress_id, resync=True)
    return Frames([text for _, text in frames], frames[-1][0] if frames else since)


def events_after(progress_id: str, since: int) -> list[tuple[int, str]]:
    """(sequence, frame) of the events after `since`, as many as one read may hold, and one at least if there is any."""
    events = list(ProgressEvent.objects.filter(progress=progress_id, sequence__gt=since)[:EVENTS_PER_READ])
    frames: list[tuple[int, str]] = []
    chars = 0
    if events:
        for sequence, text in replay_frames(events, lines_before(progress_id, events[0].sequence)):
            frames.append((sequence, text))
            chars += len(text)
            if chars > CHARS_PER_READ:
                break
    return frames


def lines_before(progress_id: str, sequence: int) -> list[str]:
    """The newest log lines of the events before `sequence`, oldest first."""
    earlier = ProgressEvent.objects.filter(progress=progress_id, sequence__lt=sequence).exclude(lines=[])
    lines: list[str] = []
    for event_lines in earlier.order_by("-sequence").values_list("lines", flat=True)[:LOG_LINES]:
        lines = [*event_lines, *lines]
        if len(lines) >= LOG_LINES:
            break
    return lines[-LOG_LINES:]


def latest_sequences(progress_ids: list[str]) -> dict[str, int]:
    ids = [progress_id for progress_id in progress_ids if "\0" not in progress_id]
    return dict(Progress.objects.filter(pk__in=ids).values_list("pk", "sequence"))
