"""Rows that two workers want at once, in orders that cross: neither waits for the other until the database ends one.

SQLite has one writer at a time, and nothing to cross.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.utils import timezone

from crawler import frontier
from crawler.models import CrawlJob, CrawlUrl
from crawler.parts import Split, record_parts
from knowledge.ingest import IncomingDocument, prepare_document
from tests.crawler.jobs import job_of

pytestmark = pytest.mark.django_db(transaction=True)


class Worker(threading.Thread):
    """`work` with a connection of its own; what it raised is raised by `ended`."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self._work = work
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:  # told to whoever waits
            self._error = error
        finally:
            connection.close()

    def ended(self) -> None:
        self.join(20)
        if self._error is not None:
            raise self._error
        assert not self.is_alive()


def wait_until_waiting(count: int, *, unless: Callable[[], bool] = lambda: False) -> None:
    """Until so many connections wait for a lock."""
    until = time.monotonic() + 20
    while not unless():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0] >= count:
                return
        assert time.monotonic() < until
        time.sleep(0.01)


@contextmanager
def held(url: CrawlUrl) -> Iterator[None]:
    """By a third connection, which is this one."""
    with transaction.atomic():
        CrawlUrl.objects.select_for_update().get(pk=url.pk)
        yield


def part(url: CrawlUrl) -> IncomingDocument:
    return IncomingDocument(
        url=url.url, url_hash=url.url_hash, title="A", markdown=f"Text of {url.url}.", fetched_at=timezone.now()
    )


@pytest.mark.parametrize("move", ["release", "renew"])
def test_a_worker_that_moves_its_leases_does_not_cross_one_that_stores_the_parts_of_a_file(move: str) -> None:
    """The parts are pages that the other has leased, stored from the last to the first; between them lies one that is
    held until both workers stand where their ways cross."""
    if connection.vendor != "postgresql":
        pytest.skip("needs two writers at once")
    job = job_of(pages=3)
    (file,) = frontier.claim(job, "one", 1)
    first, last = frontier.claim(job, "other", 2)
    between = CrawlUrl.objects.get(job=job, state=CrawlUrl.State.QUEUED)
    documents = [prepare_document(part(url)) for url in (last, between, first)]
    split = Split(file, 200, 1, 1, "File", "Read", documents)
    moves = {
        "release": lambda: frontier.release(job, "other"),
        "renew": lambda: frontier.renew("other", [first.pk, last.pk]),
    }
    stores, moving = Worker(lambda: record_parts(CrawlJob.objects.get(pk=job.pk), split)), Worker(moves[move])
    with held(between):
        stores.start()
        wait_until_waiting(1)
        moving.start()
        wait_until_waiting(2, unless=lambda: not moving.is_alive())
    stores.ended()
    moving.ended()
    stored = CrawlUrl.objects.filter(job=job, container=file.url_hash, state=CrawlUrl.State.DONE)
    assert {url.pk for url in stored} == {first.pk, between.pk, last.pk}
