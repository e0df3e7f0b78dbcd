"""F24 and F25: a cancel at any moment of a crawl, and a clock that is set forward or back in the middle of one."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from crawler import actions, frontier, slice, tasks
from crawler.errors import WrongState
from crawler.models import CrawlJob, CrawlUrl
from knowledge.models import Document
from progress import failpoints
from progress.failpoints import POINTS, Armed
from progress.models import Progress, ProgressEvent
from progress.viewer import OPERATOR
from tests.chaos.invariants import violations
from tests.crawler.jobs import job_of
from tests.e2e.served import MISSING, Served

pytestmark = pytest.mark.django_db(transaction=True)

AWAIT_SECONDS = 10.0
# Points at which nothing is locked: there the cancel is over before the worker goes on. At the others, within a
# transaction, whoever holds the lock comes first.
FREE = frozenset(
    (
        "slice.begin",
        "robots.after_commit",
        "claim.after_commit",
        "discovery.after_commit",
        "record.begin",
        "record.after_commit",
        "slice.before_release",
        "slice.after_release",
    )
)
# The crawl may have ended before them.
AT_THE_END = frozenset(("slice.before_release", "slice.after_release", "news.before_publish"))
OFTEN = ("claim.after_commit", "record.before_commit", "record.after_commit", "event.before_commit")
CASES = [*((name, 1) for name in POINTS if not name.startswith(("start.", "wake."))), *((name, 2) for name in OFTEN)]


@dataclass(slots=True)
class Halt(Armed):
    """The worker that passes the point stands still until it is told to go on."""

    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def _fire(self) -> None:
        self.reached.set()
        assert self.go_on.wait(AWAIT_SECONDS)


def crawl_on(job: CrawlJob) -> None:
    with suppress(Exception):  # as a task's worker, which lives on
        while slice.run(job):
            pass
    connection.close()


def cancel(progress_id: str, answers: list[str]) -> None:
    try:
        actions.cancel(progress_id, viewer=OPERATOR)
        answers.append("cancelled")
    except WrongState:
        answers.append("too late")
    finally:
        connection.close()


@pytest.mark.parametrize(("name", "nth"), CASES)
def test_after_a_cancel_at_any_boundary_nothing_is_stored(site: Served, tmp_path: Path, name: str, nth: int) -> None:
    job = CrawlJob.objects.get(
        progress=actions.start(actions.CrawlRequest(site.url, max_depth=5, viewer=OPERATOR)).progress_id
    )
    point = Halt(name, nth, "delay", tmp_path / "fired")
    answers: list[str] = []
    worker = threading.Thread(target=crawl_on, args=(job,))
    canceller = threading.Thread(target=cancel, args=(job.progress_id, answers))
    with failpoints.armed(point):
        worker.start()
        assert point.reached.wait(AWAIT_SECONDS), f"{name} was passed {point.passed} times"
        canceller.start()
        if name in FREE:
            canceller.join(AWAIT_SECONDS)
            assert answers, "a cancel waits for nobody here"
        point.go_on.set()
        canceller.join(AWAIT_SECONDS)
        stored = Document.objects.count()
        worker.join(AWAIT_SECONDS)
    assert not worker.is_alive()
    row = Progress.objects.get(pk=job.progress_id)
    assert answers == (["cancelled"] if row.status == "cancelled" else ["too late"])
    assert row.status == "cancelled" or name not in FREE - AT_THE_END
    assert Document.objects.count() == stored, "stored after the cancel was answered"
    assert row.processed_pages - row.failed_pages == stored
    events = ProgressEvent.objects.filter(progress=row).order_by("sequence")
    assert [event.sequence for event in events] == list(range(1, row.sequence + 1))
    with pytest.raises(WrongState):
        actions.cancel(job.progress_id, viewer=OPERATOR)
    tasks.sweep()
    assert Progress.objects.get(pk=job.progress_id).sequence == row.sequence


@dataclass
class Clock:
    """What the wall clock says, as everything in the product reads it."""

    offset: timedelta = timedelta()

    def now(self) -> datetime:
        return REAL_NOW() + self.offset


REAL_NOW = timezone.now
JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=-2)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock.now)
    return clock


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_clock_that_jumps_in_the_middle_of_a_crawl_costs_nothing(
    site: Served, tmp_path: Path, clock: Clock, jump: timedelta
) -> None:
    """With pages in flight, leased by the clock of before; another worker looks in after the jump."""
    job = CrawlJob.objects.get(
        progress=actions.start(actions.CrawlRequest(site.url, max_depth=5, viewer=OPERATOR)).progress_id
    )
    point = Halt("record.after_commit", 1, "delay", tmp_path / "fired")
    worker = threading.Thread(target=crawl_on, args=(job,))
    with failpoints.armed(point):
        worker.start()
        assert point.reached.wait(AWAIT_SECONDS)
        clock.offset = jump
        crawl_on(job)
        point.go_on.set()
        worker.join(AWAIT_SECONDS)
    crawl_on(job)
    assert Progress.objects.get(pk=job.progress_id).status == "completed"
    assert violations(job.progress_id, site.page_urls, missing=MISSING) == []


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_no_lease_outlives_a_jump_of_the_clock(clock: Clock, jump: timedelta) -> None:
    job = job_of(pages=4)
    frontier.claim(job, "elsewhere:1:x", 2)
    assert len(frontier.live_owners(job)) == 1
    clock.offset = jump
    assert frontier.live_owners(job) == set()
    assert len(frontier.claim(job, "other", 10)) == 5


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_lost_wake_up_is_repeated_after_a_jump_of_the_clock(
    clock: Clock, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    monkeypatch.setattr(tasks.crawl_slice, "delay", woken.append)
    job = job_of(pages=2)
    Progress.objects.filter(pk=job.progress_id).update(status="crawling", stage="crawling")
    woken.clear()
    clock.offset = jump
    tasks.sweep()
    assert woken == [job.pk]
    assert CrawlUrl.objects.filter(job=job).due(timezone.now()).count() == 3
