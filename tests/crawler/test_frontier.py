"""Leases and epochs: a URL belongs to one slice at a time, and a slice taken for dead writes nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from crawler import engine, frontier, record, tasks
from crawler.errors import FetchError
from crawler.frontier import Candidate
from crawler.models import CrawlUrl
from crawler.record import Failed, Skipped
from crawler.scope import Scope
from crawler.urls import url_hash
from progress import tracker
from progress.errors import ProgressEnded
from progress.models import Progress
from progress.status import Status
from progress.viewer import OPERATOR
from tests.crawler.jobs import SEED, job_of
from tests.site import LocalSite, docs_site

pytestmark = pytest.mark.django_db


def expire(job: Any) -> None:
    CrawlUrl.objects.filter(job=job, state="leased").update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_claim_takes_the_pages_nearest_to_the_seed_and_nobody_else_gets_them() -> None:
    job = job_of(pages=5)
    first = frontier.claim(job, "a", 3)
    assert [url.depth for url in first] == [0, 1, 1]
    assert {url.epoch for url in first} == {1}
    second = frontier.claim(job, "b", 10)
    assert len(second) == 3
    assert not {url.id for url in first} & {url.id for url in second}
    assert frontier.claim(job, "c", 10) == []
    assert frontier.live_owners(job) == {"a", "b"}


def test_a_page_held_back_is_not_due() -> None:
    job = job_of()
    CrawlUrl.objects.update(next_at=timezone.now() + timedelta(minutes=1))
    assert frontier.claim(job, "a", 3) == []


def test_an_expired_lease_is_taken_over_and_its_first_owner_writes_nothing() -> None:
    job = job_of()
    (stale,) = frontier.claim(job, "dead", 1)
    expire(job)
    (fresh,) = frontier.claim(job, "alive", 1)
    assert (fresh.id, fresh.epoch, fresh.attempts) == (stale.id, 2, 2)
    lost = FetchError("timeout", "too late", retryable=False)
    record.record(job, Scope.from_json(job.scope), [Failed(stale, lost)], set())
    row = CrawlUrl.objects.get()
    assert (row.state, row.lease_owner) == ("leased", "alive")
    assert Progress.objects.get().processed_pages == 0


def test_a_renewed_lease_stays_and_a_released_one_costs_no_attempt() -> None:
    job = job_of()
    (url,) = frontier.claim(job, "a", 1)
    expire(job)
    frontier.renew("a", [url.id])
    assert frontier.claim(job, "b", 1) == []
    frontier.release(job, "b")
    assert frontier.live_owners(job) == {"a"}
    frontier.release(job, "a")
    row = CrawlUrl.objects.get()
    assert (row.state, row.attempts, row.epoch) == ("queued", 0, 1)


def test_slices_at_once_never_share_a_page(transactional_db: None) -> None:
    job = job_of(pages=200)
    start = threading.Barrier(4)
    claimed: list[int] = []

    def claim(owner: str) -> None:
        start.wait()
        while urls := frontier.claim(job, owner, 8):
            claimed.extend(url.id for url in urls)
        connection.close()

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 201


def test_a_retryable_failure_is_tried_again_later_and_then_given_up() -> None:
    job = job_of(pages=1)
    scope = Scope.from_json(job.scope)
    for attempt in (1, 2, 3):
        CrawlUrl.objects.filter(depth=0).update(next_at=timezone.now())
        url = next(url for url in frontier.claim(job, "a", 1) if url.depth == 0)
        assert url.attempts == attempt
        record.record(job, scope, [Failed(url, FetchError("timeout", "slow", retryable=True))], set())
        row = CrawlUrl.objects.get(depth=0)
        assert row.state == ("failed" if attempt == 3 else "queued")
        assert attempt == 3 or row.next_at > timezone.now()
    progress = Progress.objects.get()
    assert (progress.processed_pages, progress.failed_pages) == (1, 1)


def test_what_the_server_asks_us_to_wait_is_kept_within_an_hour() -> None:
    job = job_of(pages=1)
    (url,) = frontier.claim(job, "a", 1)
    busy = FetchError("http_status", "busy", retryable=True, status=429, retry_after=10 * 365 * 86_400)
    record.record(job, Scope.from_json(job.scope), [Failed(url, busy)], set())
    row = CrawlUrl.objects.get(depth=0)
    assert timedelta(minutes=59) < row.next_at - timezone.now() <= timedelta(hours=1)


def test_a_page_that_cost_three_workers_is_given_up() -> None:
    from crawler.slice import Slice

    job = job_of()
    for claim in (frontier.claim, frontier.claim, lambda job, owner, _: frontier.claim_suspect(job, owner)):
        assert claim(job, "dead", 1)
        expire(job)
    (url,) = frontier.claim(job, "alive", 1)
    assert frontier.poisoned([url]) == [url]
    refusal = Slice(job).outcomes.refusal(url)
    assert isinstance(refusal, Failed)
    assert refusal.error.code == frontier.WORKER_LOST


def test_pages_that_two_workers_died_with_are_claimed_alone() -> None:
    """One of them may have killed both: a third worker would die with all of them again."""
    job = job_of(pages=4)
    for _ in range(2):
        assert len(frontier.claim(job, "dead", 3)) == 3
        expire(job)
        CrawlUrl.objects.filter(job=job, state="queued").update(next_at=timezone.now() + timedelta(hours=1))
    assert frontier.claim(job, "alive", 10) == []
    suspects = [frontier.claim_suspect(job, "alive") for _ in range(4)]
    assert [len(claimed) for claimed in suspects] == [1, 1, 1, 0]


def test_a_slice_reads_a_page_that_two_workers_died_with_by_itself(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crawler import slice

    fetched: list[tuple[int, list[int]]] = []
    fetch = slice.Slice._fetch

    def watched(self: slice.Slice, url: CrawlUrl, *args: Any) -> None:
        fetched.append((url.attempts, [other.attempts for other, _ in self.flying.values()]))
        fetch(self, url, *args)

    monkeypatch.setattr(slice.Slice, "_fetch", watched)
    docs = docs_site(12)
    with LocalSite(docs) as site:
        job = job_of(f"{site.url}/docs/")
        links = [Candidate(site.url + page.path, 1) for page in docs.pages[1:6]]
        added = frontier.add(job, links, room=9, known=set())
        tracker.update(job.progress_id, add={"total_pages": added.queued})
        for _ in range(2):
            frontier.claim(job, "dead", 4)
            expire(job)
        lost = CrawlUrl.objects.filter(job=job, attempts=frontier.SUSPECT).count()
        while slice.run(job):
            pass
    engine.close()
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.processed_pages - row.failed_pages) == ("completed", 12)
    assert lost >= 2
    alone = [beside for attempts, beside in fetched if attempts > frontier.SUSPECT]
    assert alone == [[]] * lost
    assert all(frontier.MAX_ATTEMPTS not in beside for _, beside in fetched)


def test_links_are_added_once_within_the_page_limit() -> None:
    job = job_of(max_pages=3)
    links = [Candidate(f"{SEED}{number}.html", 1) for number in (1, 2, 2, 3, 4)]
    known: set[str] = set()
    added = frontier.add(job, links, room=2, known=known)
    assert (added.queued, added.over_limit) == (2, 2)
    again = frontier.add(job, [*links[:2], Candidate(SEED, 1)], room=2, known=known)
    assert again.queued == 0
    assert url_hash(SEED) in again.hashes


def test_a_refused_link_is_a_row_with_its_reason_and_takes_no_room() -> None:
    job = job_of()
    added = frontier.add(job, [Candidate(f"{SEED}x.html", 1, "robots")], room=0, known=set())
    assert (added.queued, added.skipped, added.over_limit) == (0, 1, 0)
    assert CrawlUrl.objects.get(depth=1).reason == "robots"


def test_the_last_page_ends_the_crawl_in_its_own_transaction() -> None:
    job = job_of()
    (url,) = frontier.claim(job, "a", 1)
    row = record.record(job, Scope.from_json(job.scope), [Skipped(url, "robots", "not allowed")], set())
    assert row.status == "failed"
    assert row.error["code"] == "robots_forbidden"
    with pytest.raises(ProgressEnded), transaction.atomic():
        tracker.lock(job.progress_id)


def test_a_deleted_source_ends_its_crawl() -> None:
    from knowledge.actions import delete_item

    job = job_of(pages=3)
    urls = frontier.claim(job, "a", 1)
    delete_item(job.item.source_id, viewer=OPERATOR)
    with pytest.raises(ProgressEnded):
        record.record(job, Scope.from_json(job.scope), [Failed(urls[0], FetchError("timeout", "slow"))], set())
    assert Progress.objects.get(kind="crawl").status == "cancelled"


def test_the_sweep_wakes_only_what_nobody_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    monkeypatch.setattr(tasks.crawl_slice, "delay", woken.append)
    waiting = job_of("http://127.0.0.1:9/waiting/")
    worked_on = job_of("http://127.0.0.1:9/worked-on/")
    just_woken = job_of("http://127.0.0.1:9/just-woken/")
    paused = job_of("http://127.0.0.1:9/paused/")
    for job in (waiting, worked_on, just_woken, paused):
        tracker.update(job.progress_id, status=Status.CRAWLING)
    tracker.update(paused.progress_id, status=Status.PAUSED)
    frontier.claim(worked_on, "a", 1)
    long_ago = timezone.now() - timedelta(minutes=1)
    type(waiting).objects.exclude(pk=just_woken.pk).update(woken_at=long_ago)
    tasks.sweep()
    assert woken == [waiting.pk]
    expire(worked_on)
    tasks.sweep()
    assert woken == [waiting.pk, worked_on.pk]


def test_the_sweep_ends_a_crawl_that_has_nothing_left() -> None:
    job = job_of()
    tracker.update(job.progress_id, status=Status.CRAWLING)
    CrawlUrl.objects.update(state="failed", error_code="timeout", error_message="slow")
    tasks.sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert row.status == "failed"
    assert row.error["code"] == "timeout"


def test_a_deleted_source_ends_its_crawl_even_when_nobody_works_on_it() -> None:
    from knowledge.actions import delete_item
    from knowledge.purging import purge_batch

    job = job_of(pages=3)
    tracker.update(job.progress_id, status=Status.PAUSED)
    delete_item(job.item.source_id, viewer=OPERATOR)
    while purge_batch():
        pass
    assert Progress.objects.get(pk=job.progress_id).status == "cancelled"
    tasks.sweep()


@pytest.mark.parametrize("concurrency", [1, 2, 3, 8])
def test_a_crawl_works_with_any_concurrency(transactional_db: None, settings: Any, concurrency: int) -> None:
    from crawler import slice

    settings.CRAWL_CONCURRENCY = concurrency
    engine.close()
    with LocalSite(docs_site(6)) as site:
        job = job_of(f"{site.url}/docs/")
        while slice.run(job):
            pass
    engine.close()
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.processed_pages - row.failed_pages) == ("completed", 6)


def test_a_pause_between_two_stages_holds() -> None:
    from crawler.outcome import advance

    job = job_of()
    tracker.update(job.progress_id, status=Status.ANALYZING)
    tracker.update(job.progress_id, status=Status.PAUSED)
    with pytest.raises(ProgressEnded):
        advance(job, Status.ANALYZING, Status.DISCOVERING, "on we go")
    assert Progress.objects.get(pk=job.progress_id).status == "paused"


def test_a_retry_of_an_older_crawl_is_refused() -> None:
    from crawler import actions
    from crawler.errors import WrongState

    job = job_of()
    CrawlUrl.objects.update(state="failed")
    tracker.complete(job.progress_id)
    later = actions.refresh(job.item.source_id, viewer=OPERATOR)
    tracker.complete(later.progress_id)
    with pytest.raises(WrongState, match="later crawl"):
        actions.retry_failed(job.progress_id, viewer=OPERATOR)


def test_a_retry_knows_of_its_crawl_what_the_first_had_found_out() -> None:
    """Its first page is not read again: what the site offers, and that the page limit was reached, stands there."""
    from crawler import actions

    job = job_of()
    job.truncated, job.discovery = "max_pages", {"kind": "page", "negotiates": True, "files": []}
    job.save()
    CrawlUrl.objects.update(state="failed")
    counts = {"processed_pages": 3, "failed_pages": 1, "chunks_stored": 5, "code_examples_stored": 4, "word_count": 9}
    tracker.update(job.progress_id, add=counts)
    tracker.complete(job.progress_id)
    again = actions.retry_failed(job.progress_id, viewer=OPERATOR)
    again.refresh_from_db()
    assert (again.truncated, again.discovery) == (job.truncated, job.discovery)
    row = again.progress
    told = (row.processed_pages, row.failed_pages, row.chunks_stored, row.code_examples_stored, row.word_count)
    assert told == (2, 0, 5, 4, 9)


def test_a_writer_and_a_turnstile_never_wait_for_each_other(transactional_db: None) -> None:
    """The writer holds the Progress row and inserts URLs; admission must not hold the job's row against it."""
    from crawler import admission

    job = job_of()
    assert admission.admit(job)
    locked, admitted = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            tracker.lock(job.progress_id)
            locked.set()
            admitted.wait(10)
            frontier.add(job, [Candidate(f"{SEED}new.html", 1)], room=1, known=set())
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert locked.wait(10)
    assert admission.admit(job)
    admitted.set()
    writer.join(10)
    assert CrawlUrl.objects.count() == 2


@pytest.mark.parametrize("how", ["cancelled", "stalled"])
def test_a_refresh_asks_for_what_the_crawl_before_had_still_before_it(how: str) -> None:
    from crawler import actions, watchdog

    job = job_of(pages=3)
    tracker.update(job.progress_id, add={"total_pages": 3, "discovered_urls": 3})
    if how == "cancelled":
        actions.cancel(job.progress_id, viewer=OPERATOR)
    else:
        assert watchdog.give_up(job, 1_000_000)
    assert set(job.urls.values_list("reason", flat=True)) == {how}
    again = actions.refresh(job.item.source_id, viewer=OPERATOR)
    waiting = {(url, "queued") for url in job.urls.values_list("url", flat=True)}
    assert set(again.urls.values_list("url", "state")) == waiting
    row = again.progress
    row.refresh_from_db()
    assert (row.total_pages, row.discovered_urls, row.skipped_pages) == (4, 4, 0)


def test_a_skipped_page_tells_nothing_of_an_attempt_before() -> None:
    job = job_of()
    scope = Scope.from_json(job.scope)
    (url,) = frontier.claim(job, "a", 1)
    away = FetchError("timeout", "It was slow.", hint="Wait.", retryable=True, status=503)
    record.record(job, scope, [Failed(url, away)], set())
    before = CrawlUrl.objects.get()
    assert (before.state, before.error_code, before.http_status) == ("queued", "timeout", 503)
    CrawlUrl.objects.update(next_at=timezone.now(), error_hint="Wait.")
    (url,) = frontier.claim(job, "a", 1)
    record.record(job, scope, [Skipped(url, "robots", "Skipped")], set())
    after = CrawlUrl.objects.get()
    assert (after.state, after.reason, after.attempts) == ("skipped", "robots", 2)
    assert (after.error_code, after.error_message, after.error_hint, after.http_status) == ("", "", "", None)
