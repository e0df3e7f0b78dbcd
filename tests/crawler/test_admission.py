"""Limits of crawls at once are real, the line is fair, and a source is crawled again when it is old."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from crawler import actions, admission, frontier, slice, tasks
from crawler.frontier import Candidate
from crawler.models import CrawlJob
from crawler.record import Skipped, record
from crawler.scope import Scope
from knowledge.models import KnowledgeItem
from progress import tracker
from progress.models import Progress
from progress.status import Status
from progress.viewer import OPERATOR
from tests.crawler.jobs import job_of
from tests.site import LocalSite, docs_site

pytestmark = pytest.mark.django_db


def jobs(count: int, owner: Any = None) -> list[CrawlJob]:
    made = [job_of(f"http://127.0.0.1:9/{owner}{number}/") for number in range(count)]
    Progress.objects.filter(job__in=made).update(owner=owner)
    return made


def test_no_more_crawls_work_at_once_than_the_limit_says(settings: Any) -> None:
    settings.CRAWLS_AT_ONCE = 2
    first, second, third = jobs(3)
    assert admission.admit(first)
    assert admission.admit(second)
    assert not admission.admit(third)
    assert admission.admit(first), "a crawl that works keeps its place"
    tracker.complete(first.progress_id)
    assert admission.admit(third)


def test_the_line_is_first_come_first_served(settings: Any) -> None:
    settings.CRAWLS_AT_ONCE = 1
    first, second = jobs(2)
    assert not admission.admit(second)
    assert admission.admit(first)


def test_workers_at_once_cannot_both_take_the_last_place(transactional_db: None, settings: Any) -> None:
    settings.CRAWLS_AT_ONCE = 3
    waiting = jobs(8)
    start = threading.Barrier(8)
    admitted: list[int] = []

    def enter(job: CrawlJob) -> None:
        start.wait()
        if admission.admit(job):
            admitted.append(job.pk)
        connection.close()

    threads = [threading.Thread(target=enter, args=(job,)) for job in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) <= 3
    assert Progress.objects.filter(status="starting").count() == len(admitted)


def test_one_owner_does_not_take_every_place(settings: Any) -> None:
    settings.CRAWLS_AT_ONCE, settings.CRAWLS_PER_OWNER = 4, 1
    alice, bob = (get_user_model().objects.create(username=name) for name in ("alice", "bob"))
    hers, his = jobs(2, alice), jobs(1, bob)
    assert [admission.admit(job) for job in (*hers, *his)] == [True, False, True]


def test_whoever_waits_is_told_the_place_and_moves_up(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    monkeypatch.setattr(tasks.crawl_slice, "delay", woken.append)
    settings.CRAWLS_AT_ONCE = 1
    first, second, third = jobs(3)
    assert admission.admit(first)
    CrawlJob.objects.update(woken_at=timezone.now() - timedelta(minutes=1))
    tasks.wake_next()
    places = dict(Progress.objects.filter(status="queued").values_list("pk", "queue_position"))
    assert places == {second.progress_id: 1, third.progress_id: 2}
    assert Progress.objects.get(pk=third.progress_id).log == "Waiting: 1 crawl is before this one."
    assert woken == []
    actions.cancel(first.progress_id, viewer=OPERATOR)
    tasks.wake_next()
    assert woken == [second.pk]
    assert Progress.objects.get(pk=third.progress_id).queue_position == 1
    row = Progress.objects.get(pk=second.progress_id)
    assert (row.queue_position, row.log) == (None, "There is room now: it starts when a worker is free.")
    assert admission.admit(second)
    assert Progress.objects.get(pk=second.progress_id).queue_position is None


def test_a_crawl_that_comes_while_the_line_is_told_its_places_is_not_told_to_wait(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CRAWLS_AT_ONCE = 2
    (first,) = jobs(1)
    waiting_jobs = admission.waiting_jobs

    def and_one_comes() -> list[CrawlJob]:
        waiting = list(waiting_jobs())
        job_of("http://127.0.0.1:9/late/")
        return waiting

    monkeypatch.setattr(admission, "waiting_jobs", and_one_comes)
    admission.tell_positions()
    places = dict(Progress.objects.values_list("pk", "queue_position"))
    assert places == dict.fromkeys(places)
    assert len(places) == 2, first


def test_a_crawl_that_has_a_worker_gives_way_to_one_that_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    crawled: list[int] = []
    monkeypatch.setattr(slice, "run", lambda job: crawled.append(job.pk))
    large, running, waiting = (
        job_of(f"http://127.0.0.1:9/{name}/", pages=9) for name in ("large", "running", "waiting")
    )
    for job in (large, running):
        assert admission.admit(job)

    def next_slice() -> int:
        tasks.crawl_slice(large.pk)
        return crawled.pop()

    assert next_slice() == large.pk, "it has no worker itself"
    frontier.claim(large, "one", 2)
    assert next_slice() == running.pk
    frontier.claim(running, "another", 2)
    assert next_slice() == waiting.pk
    actions.pause(waiting.progress_id, viewer=OPERATOR)
    assert next_slice() == large.pk, "the others have a worker, or want none"


def test_a_waiting_crawl_that_is_paused_has_no_place_in_line(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.crawl_slice, "delay", lambda _: None)
    settings.CRAWLS_AT_ONCE = 1
    first, second = jobs(2)
    assert admission.admit(first)
    tasks.wake_next()
    assert Progress.objects.get(pk=second.progress_id).queue_position == 1
    actions.pause(second.progress_id, viewer=OPERATOR)
    assert Progress.objects.get(pk=second.progress_id).queue_position is None


def test_a_paused_crawl_leaves_its_place(settings: Any) -> None:
    settings.CRAWLS_AT_ONCE = 1
    first, second = jobs(2)
    assert admission.admit(first)
    actions.pause(first.progress_id, viewer=OPERATOR)
    assert admission.admit(second)


def test_a_source_is_crawled_again_when_it_is_as_old_as_it_says() -> None:
    old, fresh, never, running = (
        job_of(f"http://127.0.0.1:9/{name}/") for name in ("old", "fresh", "never", "running")
    )
    for job in (old, fresh, never):
        tracker.complete(job.progress_id)
    age = {old: (7, 8), fresh: (7, 6), never: (0, 900), running: (7, 8)}
    for job, (frequency, days) in age.items():
        KnowledgeItem.objects.filter(pk=job.item_id).update(
            update_frequency=frequency, fetched_at=timezone.now() - timedelta(days=days)
        )
    tasks.refresh_due()
    assert CrawlJob.objects.count() == len(age), "what was tried today is left alone"
    CrawlJob.objects.update(created_at=timezone.now() - timedelta(days=2))
    tasks.refresh_due()
    again = CrawlJob.objects.exclude(pk__in=[job.pk for job in age])
    assert [job.item_id for job in again] == [old.item_id]
    tasks.refresh_due()
    assert again.count() == 1


def test_a_resumed_crawl_waits_for_its_place_and_goes_on_where_it_was(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.crawl_slice, "delay", lambda _: None)
    settings.CRAWLS_AT_ONCE = 1
    first, second, third = jobs(3)
    assert admission.admit(first)
    tracker.update(first.progress_id, status=Status.CRAWLING)
    actions.pause(first.progress_id, viewer=OPERATOR)
    assert admission.admit(second)
    actions.resume(first.progress_id, viewer=OPERATOR)
    assert not admission.admit(first), "the second has the only place"
    tasks.wake_next()
    places = dict(Progress.objects.filter(status="queued").values_list("pk", "queue_position"))
    assert places == {first.progress_id: 1, third.progress_id: 2}
    tracker.complete(second.progress_id)
    assert admission.admit(first)
    row = Progress.objects.get(pk=first.progress_id)
    assert (row.status, row.queue_position) == ("crawling", None)


def test_a_resumed_crawl_counts_among_those_of_its_owner(settings: Any) -> None:
    settings.CRAWLS_AT_ONCE, settings.CRAWLS_PER_OWNER = 4, 1
    alice = get_user_model().objects.create(username="alice")
    first, second = jobs(2, alice)
    assert admission.admit(first)
    actions.pause(first.progress_id, viewer=OPERATOR)
    assert admission.admit(second)
    actions.resume(first.progress_id, viewer=OPERATOR)
    assert not admission.admit(first)


def test_a_crawl_that_only_waits_for_vectors_needs_no_place_when_it_is_resumed(settings: Any) -> None:
    settings.CRAWLS_AT_ONCE = 1
    first, second = jobs(2)
    assert admission.admit(first)
    tracker.update(first.progress_id, status=Status.EMBEDDING)
    actions.pause(first.progress_id, viewer=OPERATOR)
    assert admission.admit(second)
    actions.resume(first.progress_id, viewer=OPERATOR)
    assert Progress.objects.get(pk=first.progress_id).status == "embedding"


@pytest.mark.django_db(transaction=True)
def test_a_slice_that_was_paused_and_resumed_takes_no_place_that_is_not_its_own(settings: Any) -> None:
    """Its page comes back when the crawl waits in line again: it is stored, and moves nothing."""
    settings.CRAWLS_AT_ONCE = 1
    with LocalSite(docs_site(3)) as site:
        first = job_of(f"{site.url}/docs/")
        assert admission.admit(first)
        (seed,) = frontier.claim(first, "mine", 1)
        actions.pause(first.progress_id, viewer=OPERATOR)
        assert admission.admit(job_of("http://127.0.0.1:9/other/"))
        actions.resume(first.progress_id, viewer=OPERATOR)
        links = [Candidate(f"{site.url}/docs/next.html", 1)]
        record(first, Scope.from_json(first.scope), [Skipped(seed, "noindex", "Skipped", links)], set())
        assert Progress.objects.get(pk=first.progress_id).status == "queued"
        assert not slice.run(first)
        assert site.paths == []
