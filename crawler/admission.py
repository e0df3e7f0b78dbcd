"""How many crawls run at once, in all and per owner; the others wait in line and can see their place."""

from __future__ import annotations

from collections import Counter

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from crawler.models import CrawlJob
from progress import tracker
from progress.errors import ProgressEnded
from progress.log_lines import alone
from progress.models import Progress
from progress.plural import plural
from progress.status import Status

WAITING = (Status.QUEUED,)
# A paused crawl takes no place, and finds one in line when it is resumed.
NOT_RUNNING = (Status.QUEUED, Status.PAUSED)
# One that only waits for vectors asks no site and takes no slice.
NO_PLACE = (*NOT_RUNNING, Status.EMBEDDING)


def admit(job: CrawlJob) -> bool:
    """Whether this crawl may work now. The first yes moves it out of the line, in the same transaction."""
    # Most asks come from crawls that work already. They must not queue at the turnstile, and a writer that
    # holds a Progress row and inserts URLs needs the job's row, which the turnstile would hold against it.
    if Progress.objects.values_list("status", flat=True).get(pk=job.progress_id) not in WAITING:
        return True
    with transaction.atomic():
        # The oldest active crawl's row is the turnstile: two workers cannot both take the last place.
        CrawlJob.objects.active().select_for_update(of=("self",), no_key=True).order_by("id").first()
        row = tracker.lock(job.progress_id)
        if row.status not in WAITING:
            return True
        if job.pk not in {one.pk for one in next_in_line()}:
            return False
        before = Status(row.stage)  # a crawl that was paused goes on where it was
        status = Status.STARTING if before is Status.QUEUED else before
        tracker.update(row.id, row=row, status=status)
    return True


def crawling(row: Progress) -> Status | None:
    """The status that a stored page gives its crawl: none while it is paused or waits, and this was still in flight."""
    return None if row.status in NOT_RUNNING else Status.CRAWLING


def next_in_line() -> list[CrawlJob]:
    """The waiting crawls that the limits leave room for, oldest first."""
    return _line()[0]


def _line() -> tuple[list[CrawlJob], list[CrawlJob]]:
    """The waiting crawls that have room and those that have none, oldest first, by one look at the line: one that
    comes between two looks would seem to have no room. What leaves it before the look is in neither list."""
    running: Counter[int | None] = Counter(
        active_jobs().exclude(progress__status__in=NO_PLACE).values_list("progress__owner", flat=True)
    )
    room = settings.CRAWLS_AT_ONCE - running.total()
    admitted: list[CrawlJob] = []
    others: list[CrawlJob] = []
    for job in waiting_jobs():
        owner = job.progress.owner_id
        if len(admitted) < room and (owner is None or running[owner] < settings.CRAWLS_PER_OWNER):
            running[owner] += 1
            admitted.append(job)
        else:
            others.append(job)
    return admitted, others


def waiting_jobs() -> QuerySet[CrawlJob]:
    return active_jobs().filter(progress__status__in=WAITING).select_related("progress").order_by("id")


def active_jobs() -> QuerySet[CrawlJob]:
    return CrawlJob.objects.active()


def tell_positions() -> None:
    """Each waiting crawl's place in line, as an event when it changed."""
    soon, others = _line()
    places: list[tuple[CrawlJob, int | None]] = [(job, None) for job in soon]
    places += [(job, place) for place, job in enumerate(others, start=1)]
    for job, place in places:
        if job.progress.queue_position != place:
            with alone("not told its place:", job.progress_id):
                _tell(job, place)


def _tell(job: CrawlJob, position: int | None) -> None:
    if position is None:
        line = "There is room now: it starts when a worker is free."
    elif position == 1:
        line = "Waiting: next in line."
    else:
        line = f"Waiting: {plural(position - 1, 'crawl is', 'crawls are')} before this one."
    try:
        with transaction.atomic():
            row = tracker.lock(job.progress_id)
            if row.status in WAITING:
                tracker.update(row.id, row=row, set_={"queue_position": position}, lines=[line])
                tracker.flush(row.id)
    except ProgressEnded:
        pass
