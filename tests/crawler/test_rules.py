"""The robots.txt of the hosts of a crawl: every worker judges by the same, and none keeps another's from the crawl."""

from __future__ import annotations

import html
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from django.db import connection
from django.test import Client
from rich.console import Console

from crawler import actions, frontier, slice
from crawler.errors import WrongState
from crawler.hosts import of_crawl
from crawler.models import CrawlJob, CrawlUrl
from crawler.robots import RobotsRules
from crawler.rules import JobRules
from crawler.terminal import show_summary
from crawler.urls import url_hash
from progress import tracker
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.crawler.jobs import SEED, job_of
from tests.site import Answer, LocalSite, docs_site

pytestmark = pytest.mark.django_db(transaction=True)


def test_slices_that_read_at_once_keep_what_the_others_read() -> None:
    """Both have asked before either has an answer."""
    both = threading.Barrier(2)

    def robots(request: web.Request) -> Answer:
        both.wait(10)
        return Answer("User-agent: *\nDisallow: /private", content_type="text/plain")

    with LocalSite({"/robots.txt": robots}) as one, LocalSite({"/robots.txt": robots}) as two:
        job = job_of(f"{one.url}/docs/")

        def read(url: str) -> None:
            assert JobRules(CrawlJob.objects.get(pk=job.pk)).forbids(f"{url}/private")
            connection.close()

        readers = [threading.Thread(target=read, args=(site.url,)) for site in (one, two)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(20)
        hosts = {host.origin: host.rules for host in of_crawl(CrawlJob.objects.get(pk=job.pk))}
    assert hosts.keys() == {one.url, two.url}
    assert all(rules and rules.status == 200 for rules in hosts.values())


def test_the_first_answer_counts_for_every_worker_and_for_a_retry() -> None:
    answers = iter(["User-agent: *\nDisallow: /private", ""])
    with LocalSite({"/robots.txt": lambda _: Answer(next(answers), content_type="text/plain")}) as site:
        job = job_of(f"{site.url}/docs/", pages=1)
        late = JobRules(CrawlJob.objects.get(pk=job.pk))
        assert JobRules(job).forbids(f"{site.url}/private")
        assert late.forbids(f"{site.url}/private")
        job.urls.update(state="failed")
        tracker.complete(job.progress_id)
        again = actions.retry_failed(job.progress_id, viewer=OPERATOR)
        assert JobRules(again).forbids(f"{site.url}/private")
        assert site.paths == ["/robots.txt"]


def test_a_host_that_answers_otherwise_the_second_time_is_judged_by_its_first_answer(monkeypatch: Any) -> None:
    """Two workers asked at once."""
    with LocalSite({"/robots.txt": Answer("User-agent: *\nDisallow: /", content_type="text/plain")}) as site:
        job = job_of(f"{site.url}/docs/")
        late = JobRules(CrawlJob.objects.get(pk=job.pk))
        assert JobRules(job).forbids(f"{site.url}/docs/")
        site.routes["/robots.txt"] = Answer("", 404)
        monkeypatch.setattr(late, "_load", lambda origins: None)  # it looked before the other had written
        assert late.forbids(f"{site.url}/docs/")


@pytest.fixture
def silent() -> Iterator[list[str]]:
    """Hosts that take a connection and say nothing."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(50)]
        yield [f"http://127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]


def queue(job: CrawlJob, urls: list[str]) -> None:
    rows = [CrawlUrl(job=job, url=url, url_hash=url_hash(url), depth=1) for url in urls]
    CrawlUrl.objects.bulk_create(rows)
    tracker.update(job.progress_id, add={"total_pages": len(rows)})


@contextmanager
def slices(job: CrawlJob) -> Iterator[None]:
    """One after another in a thread, as workers run them; at the end the crawl is cancelled, if it is not over."""

    def work() -> None:
        while slice.run(CrawlJob.objects.get(pk=job.pk)):
            pass
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        with suppress(WrongState):
            actions.cancel(job.progress_id, viewer=OPERATOR)
        worker.join(30)


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_hosts_that_do_not_answer_keep_no_page_of_another_waiting_and_lose_no_lease(
    silent: list[str], settings: Any
) -> None:
    settings.CRAWL_LEASE_SECONDS = 6  # renewed after two: a machine may stand still for four
    settings.SLICE_SECONDS = 60
    with LocalSite(docs_site(6)) as site:
        job = job_of(f"{site.url}/docs/", max_pages=1_000)
        queue(job, [f"{host}/{page}" for page in range(2) for host in silent])
        with slices(job):
            done = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.DONE)
            wait_until(lambda: done.count() == 6)
            asked = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.LEASED, url__endswith="/0")
            wait_until(lambda: asked.count() >= len(silent))
            (owner,) = set(asked.values_list("lease_owner", flat=True))
            first = max(until for until in asked.values_list("lease_until", flat=True) if until)
            wait_until(lambda: asked.filter(lease_until__gt=first).count() >= len(silent))
            waiting = set(asked.values_list("pk", flat=True))
            due = frontier.claim(job, "another", 1_000)  # the second page of each host comes and goes
            assert not waiting & {url.pk for url in due}
            assert set(CrawlUrl.objects.filter(pk__in=waiting).values_list("attempts", "lease_owner")) == {(1, owner)}
        assert Progress.objects.get(pk=job.progress_id).status == "cancelled"


def test_a_slice_that_ends_hands_what_it_asked_for_to_the_next(settings: Any) -> None:
    settings.SLICE_SECONDS = 0.2
    page = Answer("<h1>Page</h1><p>Text.</p>", delay=0.05)
    late = Answer("User-agent: *\nDisallow: /no", content_type="text/plain", delay=1)
    with (
        LocalSite({"/docs/": page}) as site,
        LocalSite({"/robots.txt": late, "/no": page, "/yes": page}) as other,
    ):
        job = job_of(f"{site.url}/docs/")
        queue(job, [f"{other.url}/no", f"{other.url}/yes"])
        with slices(job):
            wait_until(lambda: Progress.objects.get(pk=job.progress_id).ended)
        assert other.paths == ["/robots.txt", "/yes"]
    states = {url.url: (url.state, url.attempts) for url in CrawlUrl.objects.filter(job=job)}
    assert states == {
        f"{site.url}/docs/": ("done", 1),
        f"{other.url}/no": ("skipped", 1),
        f"{other.url}/yes": ("done", 1),
    }


def test_a_page_whose_robots_txt_cannot_be_read_failed_and_was_not_skipped() -> None:
    with LocalSite({"/docs/": "<h1>Docs</h1><p>Text.</p>"}) as site:
        job = job_of(f"{site.url}/docs/")
        queue(job, ["http://127.0.0.1:9/page"])
        CrawlUrl.objects.filter(job=job, depth=1).update(attempts=2)  # two have failed already
        with slices(job):
            wait_until(lambda: Progress.objects.get(pk=job.progress_id).ended)
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.processed_pages, row.failed_pages, row.skipped_pages) == ("completed", 2, 1, 0)
    url = CrawlUrl.objects.get(job=job, depth=1)
    assert (url.state, url.attempts, url.error_code) == ("failed", 3, "robots_unreachable")
    assert "RFC 9309" in url.error_message
    assert "respect_robots" in url.error_hint


def test_hosts_whose_robots_txt_cannot_be_read_are_told_with_the_reason(
    silent: list[str], client: Client, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.fetcher.ROBOTS_SECONDS", 0.2)
    seed = {"/docs/": "<h1>Docs</h1><p>Text.</p>"}
    with LocalSite(seed) as site, LocalSite({"/robots.txt": Answer("down", 503)}) as broken:
        job = job_of(f"{site.url}/docs/")
        queue(job, [f"{silent[0]}/page", f"{broken.url}/page"])
        CrawlUrl.objects.filter(job=job, depth=1).update(attempts=2)  # two have failed already
        with slices(job):
            wait_until(lambda: Progress.objects.get(pk=job.progress_id).ended)
    follows = "Without it no page may be fetched (RFC 9309)."
    reasons = {
        silent[0]: f"{silent[0]}/robots.txt did not answer within 0.2 s. {follows}",
        broken.url: f"{broken.url}/robots.txt answered with HTTP status 503. {follows}",
    }
    told = {origin: f"robots.txt of {origin} cannot be read: {reason}" for origin, reason in reasons.items()}
    answer = client.get(f"/api/crawls/{job.progress_id}/hosts").json()
    hosts = {host["origin"]: (host["robots"], host["robots_status"], host["robots_error"]) for host in answer["hosts"]}
    assert hosts == {
        site.url: ("absent", 404, ""),
        silent[0]: ("unreachable", None, told[silent[0]]),
        broken.url: ("unreachable", 503, told[broken.url]),
    }
    page = admin_client.get(f"/admin/crawler/crawljob/{job.pk}/change/").content.decode()
    terminal = io.StringIO()
    show_summary(Console(file=terminal, width=400), job, Progress.objects.get(pk=job.progress_id))
    for sentence in told.values():
        assert sentence in html.unescape(page)
        assert sentence in terminal.getvalue()
        assert CrawlUrl.objects.filter(job=job, error_message=sentence).exists()


def test_a_robots_txt_that_answers_at_last_counts_and_is_told_without_the_reason_of_before() -> None:
    with LocalSite({"/robots.txt": Answer("down", 503)}) as site:
        job = job_of(f"{site.url}/docs/")
        assert JobRules(job).are_unreachable(f"{site.url}/docs/")
        (before,) = of_crawl(job)
        assert (before.robots, bool(before.trouble)) == ("unreachable", True)
        site.routes["/robots.txt"] = Answer("User-agent: *\nDisallow: /private", content_type="text/plain")
        assert JobRules(job).forbids(f"{site.url}/private")
        (after,) = of_crawl(job)
        assert (after.robots, after.trouble) == ("read", "")
        site.routes["/robots.txt"] = Answer("down", 503)
        late = JobRules(job)
        assert late._store(site.url, RobotsRules(503, error="down")).status == 200, "the first answer counts"


def test_a_link_to_a_host_whose_robots_txt_cannot_be_read_is_not_told_as_forbidden() -> None:
    job = job_of()
    rules = JobRules(job)
    assert rules.are_unreachable(SEED)
    assert not rules.surely_forbids(SEED)


def test_a_crawl_that_has_asked_no_host_yet_says_so() -> None:
    (host,) = of_crawl(job_of())
    assert (host.robots, host.trouble) == ("unread", "")
