"""Every commit and message boundary of a crawl x {raise, kill, delay}: it completes, with every page there once."""

from __future__ import annotations

import multiprocessing
import re
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, connections
from django.utils import timezone

from crawler import actions, slice, tasks
from crawler.actions import CrawlRequest
from crawler.models import CrawlJob, CrawlUrl
from progress import failpoints
from progress.failpoints import POINTS, Act, Armed, FailpointRaised
from progress.viewer import OPERATOR
from tests.chaos.invariants import violations
from tests.e2e.served import MISSING, Served
from tests.stack import ROOT

# Passed often: its first passage and a later one are different moments of the crawl.
OFTEN = ("claim.after_commit", "record.before_commit", "record.after_commit", "event.before_commit")
CASES = [*((name, 1) for name in POINTS), *((name, 3) for name in OFTEN)]
LONGEST_SECONDS = 30.0

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning"),
]


def crawl(url: str) -> str:
    """What a client, the workers and beat do until the crawl has ended; each comes back after a fault."""
    job = CrawlJob.objects.first() or started(url)
    deadline = time.monotonic() + LONGEST_SECONDS
    while CrawlJob.objects.active().exists():
        assert time.monotonic() < deadline, "the crawl does not end"
        for turn in (slice.run, lambda _: tasks.sweep()):
            with suppress(FailpointRaised):
                turn(job)
        time.sleep(0.01)  # a lease of the other worker can only be waited for
    return job.progress_id


def started(url: str) -> CrawlJob:
    with suppress(FailpointRaised):
        actions.start(CrawlRequest(url=url, max_depth=5, viewer=OPERATOR))
    if not CrawlJob.objects.exists():
        actions.start(CrawlRequest(url=url, max_depth=5, viewer=OPERATOR))
    return CrawlJob.objects.get()


def expire_leases() -> None:
    """The worker is dead, and its lease has run out."""
    CrawlUrl.objects.filter(state="leased").update(lease_until=timezone.now() - timedelta(seconds=1))


def armed(name: str, nth: int, act: Act, folder: Path) -> Armed:
    return Armed(name, nth, act, folder / "fired", delay=0.3)


def assert_whole(site: Served, progress_id: str) -> None:
    assert violations(progress_id, site.page_urls, missing=MISSING) == []


@pytest.mark.parametrize(("name", "nth"), CASES)
def test_a_fault_at_any_boundary_costs_nothing(site: Served, tmp_path: Path, name: str, nth: int) -> None:
    with failpoints.armed(armed(name, nth, "raise", tmp_path)) as point:
        progress_id = crawl(site.url)
    assert point.fired.exists(), f"{name} was passed {point.passed} times"
    assert_whole(site, progress_id)


@pytest.mark.parametrize(("name", "nth"), CASES)
def test_a_kill_at_any_boundary_costs_nothing(site: Served, tmp_path: Path, name: str, nth: int) -> None:
    connections.close_all()
    with failpoints.armed(armed(name, nth, "kill", tmp_path)):
        worker = multiprocessing.get_context("fork").Process(target=crawl, args=(site.url,))
        worker.start()
        worker.join(LONGEST_SECONDS)
    assert worker.exitcode == -signal.SIGKILL
    expire_leases()
    assert_whole(site, crawl(site.url))


@pytest.mark.parametrize(("name", "nth"), CASES)
def test_a_worker_that_comes_back_late_changes_nothing(site: Served, tmp_path: Path, name: str, nth: int) -> None:
    """It stands still at the boundary; its leases run out and another worker does all of it meanwhile."""
    point = armed(name, nth, "delay", tmp_path)

    def late() -> None:
        crawl(site.url)
        connection.close()

    with failpoints.armed(point):
        worker = threading.Thread(target=late)
        worker.start()
        deadline = time.monotonic() + LONGEST_SECONDS
        while not point.fired.exists():
            assert time.monotonic() < deadline, f"{name} was passed {point.passed} times"
            time.sleep(0.005)
        expire_leases()
        progress_id = crawl(site.url)
        worker.join(LONGEST_SECONDS)
    assert not worker.is_alive()
    assert_whole(site, progress_id)


def test_every_point_is_passed_somewhere_in_the_product() -> None:
    sources = [path for app in ("crawler", "knowledge", "progress") for path in (ROOT / app).rglob("*.py")]
    passed = [name for path in sources for name in re.findall(r'failpoint\("([a-z_.]+)"\)', path.read_text("utf-8"))]
    assert sorted(passed) == sorted(POINTS)


@pytest.mark.parametrize("text", ["claim.before_commit", "nowhere:1:kill", "slice.begin:0:kill", "slice.begin:1:sing"])
def test_a_failpoint_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected name:nth:kill"):
        failpoints.parse(text)


def test_no_failpoint_is_armed_by_default() -> None:
    assert failpoints._armed is None
