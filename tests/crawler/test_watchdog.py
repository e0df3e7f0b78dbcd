"""Crawls that stand still: leases of the dead are freed, wake-ups that lead nowhere are counted and end it."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from crawler import admission, frontier, owners, tasks, watchdog
from crawler.models import CrawlJob, CrawlUrl, Host
from progress import tracker
from progress.models import Progress
from progress.status import Status
from tests.crawler.jobs import job_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning"),
]


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    woken: list[int] = []
    monkeypatch.setattr(tasks.crawl_slice, "delay", woken.append)
    return woken


def crawling(pages: int = 3) -> CrawlJob:
    job = job_of(pages=pages)
    tracker.update(job.progress_id, status=Status.CRAWLING, add={"total_pages": pages})
    return job


def ten_seconds_pass(job: CrawlJob) -> None:
    CrawlJob.objects.filter(pk=job.pk).update(woken_at=timezone.now() - timedelta(seconds=11))
    Progress.objects.filter(pk=job.progress_id).update(event_at=timezone.now() - timedelta(minutes=30))


def test_a_dead_workers_pages_are_free_at_the_next_sweep(woken: list[int]) -> None:
    job = crawling()
    connections.close_all()

    def die() -> None:
        frontier.claim(job, owners.owner_name(), 2)

    worker = multiprocessing.get_context("fork").Process(target=die)
    worker.start()
    worker.join(30)
    mine = frontier.claim(job, owners.owner_name(), 1)
    assert len(frontier.live_owners(job)) == 2
    woken.clear()
    tasks.sweep()
    assert woken == [job.pk]
    assert frontier.live_owners(job) == {mine[0].lease_owner}
    again = frontier.claim(job, owners.owner_name(), 10)
    assert sorted(url.attempts for url in again) == [1, 2, 2], "a lost lease costs an attempt"


def test_a_slice_that_its_worker_ends_is_taken_up_at_the_next_sweep(
    woken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Redis is killed: the worker ends its tasks, and their messages are gone with the connection."""
    job = crawling()

    def ended(_: CrawlJob) -> bool:
        raise SystemExit(-15)

    monkeypatch.setattr("crawler.slice.run", ended)
    woken.clear()
    tasks.sweep()
    assert woken == [], "it was woken a moment ago"
    with pytest.raises(SystemExit):
        tasks.crawl_slice(job.pk)
    tasks.sweep()
    assert woken == [job.pk]
    tasks.sweep()
    assert woken == [job.pk]


def test_a_lease_from_elsewhere_is_left_to_its_end() -> None:
    job = crawling()
    frontier.claim(job, "another-machine:1:x", 1)
    frontier.claim(job, "no such form", 1)
    assert watchdog.free_leases_of_the_dead() == []
    assert len(frontier.live_owners(job)) == 2


def test_a_crawl_that_no_wake_up_revives_is_failed_with_the_reason(woken: list[int], settings: Any) -> None:
    settings.CRAWL_STALL_MINUTES = 2
    job = crawling()
    woken.clear()
    for _ in range(11):
        ten_seconds_pass(job)
        tasks.sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert row.status == "crawling"
    assert row.log == "No worker has taken this crawl up for a minute; asking again."
    assert woken == [job.pk] * 11
    ten_seconds_pass(job)
    tasks.sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.error["code"]) == ("failed", "stalled")
    assert "`manage.py doctor`" in row.error["hint"]
    assert (row.total_pages, row.skipped_pages) == (0, 4)
    assert not CrawlUrl.objects.filter(job=job).outstanding().exists()
    assert woken == [job.pk] * 11


def test_an_event_between_two_wake_ups_is_an_answer(woken: list[int], settings: Any) -> None:
    settings.CRAWL_STALL_MINUTES = 0.5
    job = crawling()
    for turn in range(9):
        ten_seconds_pass(job)
        if turn % 2:
            Progress.objects.filter(pk=job.progress_id).update(event_at=timezone.now())
        tasks.sweep()
    assert Progress.objects.get(pk=job.progress_id).status == "crawling"


def test_a_crawl_whose_sweep_fails_keeps_no_other_from_theirs(
    woken: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, other = crawling(), job_of("http://127.0.0.1:9/other/")
    tracker.update(other.progress_id, status=Status.CRAWLING)
    over = job_of("http://127.0.0.1:9/over/")
    tracker.update(over.progress_id, status=Status.CRAWLING, add={"processed_pages": 1, "chunks_stored": 0})
    CrawlUrl.objects.filter(job=over).update(state=CrawlUrl.State.DONE)
    look = tasks.needs_waking

    def fail_for_one(job: CrawlJob) -> bool:
        if job.pk == broken.pk:
            raise ValueError("a row that nobody foresaw")
        return look(job)

    monkeypatch.setattr(tasks, "needs_waking", fail_for_one)
    woken.clear()
    for job in (broken, other):
        ten_seconds_pass(job)
    tasks.sweep()
    assert woken == [other.pk]
    assert Progress.objects.get(pk=over.progress_id).status == "completed"
    assert [broken.progress_id in record.getMessage() for record in caplog.records if record.exc_info] == [True]


@pytest.mark.parametrize("step", ["next_in_line", "tell_positions"])
def test_what_fails_before_keeps_no_crawl_from_its_sweep(
    woken: list[int], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    job = crawling()

    def fail() -> None:
        raise ValueError("nobody foresaw it")

    monkeypatch.setattr(admission, step, fail)
    woken.clear()
    ten_seconds_pass(job)
    tasks.sweep()
    assert woken == [job.pk]


def test_a_crawl_that_waits_for_its_host_or_is_paused_does_not_stand_still(woken: list[int], settings: Any) -> None:
    settings.CRAWL_STALL_MINUTES = 0.2
    held, paused = crawling(), job_of("http://127.0.0.1:9/paused/")
    Host.objects.create(origin="http://127.0.0.1:9", held_until=timezone.now() + timedelta(hours=1))
    CrawlUrl.objects.filter(job=held).update(next_at=timezone.now() + timedelta(hours=1))
    tracker.update(paused.progress_id, status=Status.PAUSED)
    for _ in range(5):
        ten_seconds_pass(held)
        ten_seconds_pass(paused)
        tasks.sweep()
    assert set(Progress.objects.values_list("status", flat=True)) == {"crawling", "paused"}
