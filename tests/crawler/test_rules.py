"""The robots.txt of the hosts of a crawl: every worker judges by the same, and none keeps another's from the crawl."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from aiohttp import web
from django.db import connection

from crawler import actions
from crawler.hosts import of_crawl
from crawler.models import CrawlJob
from crawler.rules import JobRules
from progress import tracker
from progress.viewer import OPERATOR
from tests.crawler.jobs import job_of
from tests.site import Answer, LocalSite

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
        stored = late._stored
        seen = iter([lambda _: None])  # it looked before the other had written
        monkeypatch.setattr(late, "_stored", lambda origin: next(seen, stored)(origin))
        assert late.forbids(f"{site.url}/docs/")
