"""Hosts that ask several crawls for patience at once."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from crawler import frontier, hosts
from crawler.errors import FetchError
from crawler.models import CrawlJob, CrawlUrl, Host
from crawler.record import Failed, record
from crawler.scope import Scope
from crawler.urls import url_hash
from tests.crawler.jobs import job_of


@pytest.mark.django_db(transaction=True)
def test_two_crawls_that_two_hosts_hold_back_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their answers came in another order to each."""
    origins = ["http://127.0.0.1:9", "http://127.0.0.1:19"]
    both, hold, failed = threading.Barrier(2), hosts.hold, []

    def held(*arguments: Any) -> Any:
        told = hold(*arguments)
        with suppress(threading.BrokenBarrierError):  # the other cannot come, if it waits for the host of this one
            both.wait(1)
        return told

    monkeypatch.setattr(hosts, "hold", held)

    def crawl(job: CrawlJob, order: list[str]) -> None:
        try:
            pages = [CrawlUrl(job=job, url=f"{origin}/a", url_hash=url_hash(f"{origin}/a")) for origin in order]
            job.urls.all().delete()
            CrawlUrl.objects.bulk_create(pages)
            busy = FetchError("http_status", "busy", retryable=True, status=429, retry_after=60)
            claimed = frontier.claim(job, f"slice of {job.pk}", 2)
            record(job, Scope.from_json(job.scope), [Failed(url, busy) for url in claimed], set())
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    jobs = [job_of(f"http://127.0.0.1:9/{name}/") for name in ("one", "other")]
    crawls = [
        threading.Thread(target=crawl, args=(job, origins[::step])) for job, step in zip(jobs, (1, -1), strict=True)
    ]
    for one in crawls:
        one.start()
    for one in crawls:
        one.join(30)
    assert failed == []
    assert set(Host.objects.values_list("origin", flat=True)) == set(origins)
    assert CrawlUrl.objects.filter(state="queued", throttles=1).count() == 4
