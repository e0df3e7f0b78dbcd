"""How fast a host is asked, over all workers, and what it asks of us."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from django.db import connection
from django.utils import timezone

from crawler import engine, frontier, politeness, slice
from crawler.errors import FetchError
from crawler.models import CrawlJob, CrawlRobots, CrawlUrl, Host
from crawler.politeness import UNLIMITED, Grant, HostBudget, Pace, ProcessBudget, RedisBudget, pace_of
from crawler.record import Failed, record
from crawler.robots import RobotsRules
from crawler.scope import Scope
from progress.loop import submit
from progress.models import Progress
from tests.crawler.jobs import job_of
from tests.site import Answer, LocalSite, docs_site

ORIGIN = "https://docs.example.org"
ASKS_FOR_A_SECOND = RobotsRules.from_response(200, b"User-agent: *\nCrawl-delay: 1")


@pytest.fixture
def budget(settings: Any) -> RedisBudget:
    return RedisBudget(settings.REDIS_URL)


def test_all_workers_together_keep_to_the_pages_in_flight(budget: RedisBudget, settings: Any) -> None:
    pace = Pace(3, 0)
    other = RedisBudget(settings.REDIS_URL)
    assert budget.take(ORIGIN, pace, ["a1", "a2"]).count == 2
    assert other.take(ORIGIN, pace, ["b1", "b2"]).count == 1
    assert budget.take(ORIGIN, pace, ["a3"]).count == 0
    other.release(ORIGIN, ["b1"])
    assert budget.take(ORIGIN, pace, ["a3"]).count == 1
    assert other.take("https://other.example.org", pace, ["c1", "c2", "c3"]).count == 3


def test_all_workers_together_keep_the_time_between_requests(budget: RedisBudget, settings: Any) -> None:
    pace = Pace(UNLIMITED, 30)
    other = RedisBudget(settings.REDIS_URL)
    assert budget.take(ORIGIN, pace, ["a1", "a2"]) == Grant(1, 30)
    refused = other.take(ORIGIN, pace, ["b1"])
    assert refused.count == 0
    assert 25 < refused.wait <= 30


def test_the_place_of_a_killed_worker_is_free_when_its_token_expires(budget: RedisBudget, settings: Any) -> None:
    settings.CRAWL_LEASE_SECONDS = 0.2
    pace = Pace(1, 0)
    assert budget.take(ORIGIN, pace, ["killed"]).count == 1
    assert budget.take(ORIGIN, pace, ["next"]).count == 0
    deadline = time.monotonic() + 5
    while not budget.take(ORIGIN, pace, ["next"]).count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_renewed_token_does_not_expire(budget: RedisBudget, settings: Any, redis: Any) -> None:
    settings.CRAWL_LEASE_SECONDS = 1
    budget.take(ORIGIN, Pace(1, 0), ["slow"])
    settings.CRAWL_LEASE_SECONDS = 60
    budget.renew(ORIGIN, ["slow", "unknown"])
    key = politeness._keys(ORIGIN)[0]
    assert redis.zcard(key) == 1
    assert redis.pttl(key) > 50_000


def test_without_redis_each_process_keeps_to_its_share(settings: Any) -> None:
    settings.WORKERS = 2
    budget = HostBudget("unix:///nowhere/redis.sock")
    pace = Pace(4, 0)
    assert budget.take(ORIGIN, pace, ["1", "2", "3"]).count == 2
    assert not budget.is_shared
    assert budget.take(ORIGIN, pace, ["3"]).count == 0
    budget.release(ORIGIN, ["1"])
    assert budget.take(ORIGIN, pace, ["3"]).count == 1
    slow = Pace(UNLIMITED, 20)
    assert budget.take("https://slow.example.org", slow, ["1", "2"]) == Grant(1, 40)
    assert 35 < budget.take("https://slow.example.org", slow, ["2"]).wait <= 40


def test_a_share_is_never_nothing(settings: Any) -> None:
    settings.WORKERS = 16
    assert ProcessBudget().take(ORIGIN, Pace(4, 0), ["1", "2"]).count == 1


@pytest.fixture
def own_hosts(settings: Any) -> Iterator[None]:
    settings.CRAWL_ALLOW_PRIVATE = ("docs.local:8000", "192.168.7.0/24")
    engine.guard.cache_clear()
    yield
    engine.guard.cache_clear()


@pytest.mark.usefixtures("own_hosts")
def test_hosts_of_ones_own_have_no_limit_but_the_one_they_ask_for(settings: Any) -> None:
    for own in ("http://127.0.0.1:5000", "http://localhost", "http://[::1]:81", "http://docs.local:8000"):
        assert pace_of(own, RobotsRules(404)).is_free, own
        assert pace_of(own, ASKS_FOR_A_SECOND) == Pace(UNLIMITED, 1)
        assert pace_of(own, None).is_free
    assert pace_of("http://192.168.7.9", None).is_free
    for foreign in (ORIGIN, "http://docs.local", "http://192.168.8.9"):
        assert pace_of(foreign, None) == Pace(settings.CRAWL_HOST_CONCURRENCY, settings.CRAWL_HOST_DELAY)
    assert pace_of(ORIGIN, ASKS_FOR_A_SECOND).delay == 1


def crawl(url: str) -> Progress:
    """Slices one after another until the crawl ends; what a hold puts off is due at once."""
    job = job_of(url)
    while not Progress.objects.get(pk=job.progress_id).ended:
        CrawlUrl.objects.update(next_at=timezone.now())
        Host.objects.update(held_until=None)
        slice.run(CrawlJob.objects.get(pk=job.pk))
    return Progress.objects.get(pk=job.progress_id)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [1, 2])
def test_two_slices_never_have_more_pages_in_flight_than_the_host_takes(
    settings: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    settings.CRAWL_HOST_CONCURRENCY, settings.CRAWL_HOST_DELAY, settings.CRAWL_SLICES_PER_JOB = limit, 0, 2
    monkeypatch.setattr(engine.guard(), "is_own", lambda url: False)
    flying, most, lock = 0, 0, threading.Lock()
    docs = docs_site(14)

    def counted(path: str) -> Any:
        answer = docs[path]

        async def serve(request: web.Request) -> Answer:
            nonlocal flying, most
            import asyncio

            with lock:
                flying += 1
                most = max(most, flying)
            await asyncio.sleep(0.01)
            for _ in range(100):  # until as many have met as may
                if most >= limit:
                    break
                await asyncio.sleep(0.01)
            with lock:
                flying -= 1
            assert isinstance(answer, Answer)
            return answer

        return serve

    with LocalSite({**docs, **{page.path: counted(page.path) for page in docs.pages}}) as site:
        engine.close()
        job = job_of(f"{site.url}/docs/")

        def work() -> None:
            while not Progress.objects.get(pk=job.progress_id).ended:
                slice.run(CrawlJob.objects.get(pk=job.pk))
                time.sleep(0.01)  # a place at the host can only be waited for
            connection.close()

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.processed_pages - row.failed_pages) == ("completed", 14)
    assert most == limit


@pytest.mark.django_db(transaction=True)
def test_a_crawl_delay_is_kept_between_the_requests_of_all_slices(settings: Any) -> None:
    docs = docs_site(4)
    arrived: list[float] = []
    docs["/robots.txt"] = Answer("User-agent: *\nDisallow: /docs/private/\nCrawl-delay: 0.6", content_type="text/plain")

    def noted(answer: Any) -> Any:
        def serve(request: web.Request) -> Answer:
            arrived.append(time.monotonic())
            return answer  # type: ignore[no-any-return]

        return serve

    docs.update({page.path: noted(docs[page.path]) for page in docs.pages})
    with LocalSite(docs) as site:
        engine.close()
        row = crawl(f"{site.url}/docs/")
    assert (row.status, row.processed_pages - row.failed_pages) == ("completed", 4)
    gaps = [after - before for before, after in pairwise(arrived)]
    # A request may take longer to arrive than the one after it.
    assert min(gaps) > 0.2, gaps


def in_an_hour_and_more() -> str:
    return format_datetime(timezone.now() + timedelta(days=3650), usegmt=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "60", 60),
        (503, "60", 60),
        (429, str(10 * 365 * 86_400), 3600),
        (503, "later", 3600),
        (429, "nonsense", 2),
        (429, "-5", 2),
        (429, "0", 2),
        (503, "-5", None),
        (503, "nonsense", None),
    ],
)
def test_a_host_that_asks_for_patience_is_left_alone(status: int, header: str, seconds: float | None) -> None:
    header = in_an_hour_and_more() if header == "later" else header
    with LocalSite({"/docs/": Answer("busy", status, {"Retry-After": header})}) as site:
        engine.close()
        job = job_of(f"{site.url}/docs/", pages=3)
        (url,) = frontier.claim(job, "a", 1)
        with pytest.raises(FetchError) as refused:
            submit(engine.fetcher().fetch(url.url)).result(10)
    record(job, Scope.from_json(job.scope), [Failed(url, refused.value)], set())
    row = CrawlUrl.objects.get(pk=url.pk)
    host = Host.objects.filter(origin=site.url).first()
    assert row.state == "queued"
    if seconds is None:
        assert host is None
        assert row.attempts == 1
        return
    assert host is not None
    assert (host.held_status, host.held_seconds, host.holds) == (status, seconds, 1)
    assert {url.next_at for url in CrawlUrl.objects.filter(job=job)} == {host.held_until}
    assert (row.attempts, row.throttles) == ((0, 1) if seconds > 2 else (1, 0))
    assert "asks us to slow down" in Progress.objects.get(pk=job.progress_id).log


@pytest.mark.django_db(transaction=True)
def test_a_host_that_is_held_back_is_asked_by_no_other_crawl() -> None:
    with LocalSite(docs_site(3)) as site:
        engine.close()
        until = timezone.now() + timedelta(minutes=5)
        Host.objects.create(origin=site.url, held_until=until, held_status=429, holds=1)
        job = job_of(f"{site.url}/docs/")
        assert not slice.run(job)
        assert site.paths == ["/robots.txt"]
    row = CrawlUrl.objects.get(job=job)
    assert (row.state, row.attempts, row.next_at) == ("queued", 0, until)


@pytest.mark.django_db(transaction=True)
def test_a_page_is_not_failed_before_its_budget_of_refusals_is_spent() -> None:
    docs = docs_site(3)
    with LocalSite({**docs, docs.pages[1].path: Answer("busy", 503, {"Retry-After": "60"})}) as site:
        engine.close()
        row = crawl(f"{site.url}/docs/")
        asked = site.paths.count(docs.pages[1].path)
    failed = CrawlUrl.objects.get(state="failed", http_status=503)
    assert (row.status, row.processed_pages) == ("completed", 3 + 1)
    assert failed.throttles == 5
    assert asked == 5 + frontier.MAX_ATTEMPTS
    assert failed.error_code == "http_status"


@pytest.mark.django_db
def test_a_crawl_shows_how_its_hosts_are_treated(client: Any, settings: Any, admin_client: Any) -> None:
    job = job_of(f"{ORIGIN.replace('docs.example.org', '93.184.215.14')}/docs/", pages=2)
    origin = "https://93.184.215.14"
    CrawlRobots.objects.create(job=job, origin=origin, status=200, body="User-agent: *\nCrawl-delay: 3")
    busy = FetchError("http_status", "busy", retryable=True, status=429, retry_after=90)
    (url,) = frontier.claim(job, "a", 1)
    record(job, Scope.from_json(job.scope), [Failed(url, busy)], set())
    answer = client.get(f"/api/crawls/{job.progress_id}/hosts").json()
    assert answer["user_agent"] == settings.USER_AGENT
    (host,) = answer["hosts"]
    assert host.pop("held")["seconds"] == 90
    assert host == {
        "origin": origin,
        "own": False,
        "concurrency": settings.CRAWL_HOST_CONCURRENCY,
        "delay_seconds": 3,
        "crawl_delay": 3,
        "robots": "read",
        "robots_status": 200,
        "robots_error": "",
        "holds": 1,
        "counts": {"queued": 3},
    }
    page = admin_client.get(f"/admin/crawler/crawljob/{job.pk}/change/").content.decode()
    assert "3 s between requests, 4 in flight; asked for patience 1 time, last" in page
    assert client.get("/api/crawls/nobody/hosts").status_code == 404
