"""The status words, the legal moves, and the stage -> percentage table. Nothing else knows them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The words of the wire. `waiting` is what a socket says of an id that has no row yet."""

    WAITING = "waiting"
    QUEUED = "queued"
    STARTING = "starting"
    ANALYZING = "analyzing"
    DISCOVERING = "discovering"
    CRAWLING = "crawling"
    STORING = "storing"
    EMBEDDING = "embedding"
    FINALIZING = "finalizing"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
ACTIVE = frozenset(Status) - TERMINAL - {Status.WAITING}

# Working stages in their order; `status` names the earliest unfinished one, so it only moves forward.
STAGES = (
    Status.QUEUED,
    Status.STARTING,
    Status.ANALYZING,
    Status.DISCOVERING,
    Status.CRAWLING,
    Status.STORING,
    Status.EMBEDDING,
    Status.FINALIZING,
)

# Shares of the bar. Vectors take longer than the pages they are of (75 chunks a second on two cores against 100
# pages of 21), and are made while pages are still fetched.
PERCENT: dict[Status, tuple[int, int]] = {
    Status.WAITING: (0, 0),
    Status.QUEUED: (0, 0),
    Status.STARTING: (0, 1),
    Status.ANALYZING: (1, 2),
    Status.DISCOVERING: (2, 4),
    Status.CRAWLING: (4, 70),
    Status.STORING: (4, 70),
    Status.EMBEDDING: (70, 98),
    Status.FINALIZING: (98, 99),
}

# A page that links to a page says little about the size of a site: while pages are still being
# discovered, the bar behaves as if this many more were coming.
UNDISCOVERED_PAGES = 20


def may_move(before: Status, after: Status) -> bool:
    """Forward through the stages; aside to paused or stopping and back; to an end once, from anywhere."""
    if before in TERMINAL:
        return False
    if after in TERMINAL or before == after:
        return True
    if before is Status.STOPPING:
        return False
    if after in (Status.PAUSED, Status.STOPPING):
        return True
    if before in (Status.PAUSED, Status.WAITING):
        return after in STAGES
    return after in STAGES and STAGES.index(after) >= STAGES.index(before)


def percentage(status: Status, *, done: int, total: int, growing: bool, before: int) -> int:
    """Integer 0..100, never below `before`, and 100 only for `completed`."""
    if status is Status.COMPLETED:
        return 100
    low, high = PERCENT.get(status, (before, before))
    expected = total + (UNDISCOVERED_PAGES if growing else 0)
    fraction = min(1.0, done / expected) if expected > 0 else 0.0
    return min(99, max(before, int(low + (high - low) * fraction)))
