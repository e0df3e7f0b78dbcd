"""F14: a connection to PostgreSQL that ends at a COMMIT, so that its client cannot know whether it was carried out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from crawler import actions
from crawler.models import CrawlJob
from progress import failpoints
from progress.failpoints import POINTS, Armed
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.chaos.invariants import violations
from tests.chaos.relay import Cut, Relay
from tests.chaos.test_cancel_and_clock import AWAIT_SECONDS
from tests.chaos.test_database_cut import CutWorker, through
from tests.chaos.test_failpoints import crawl, expire_leases
from tests.e2e.served import MISSING, Served

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no connection that could be cut"),
]

COMMIT = b"COMMIT\0"
CASES = [name for name in POINTS if name.endswith(".before_commit") and name != "start.before_commit"]
CUTS: tuple[Cut, ...] = ("before", "after")


@dataclass(slots=True)
class AtItsCommit(Armed):
    """Passing the point has the transaction around it cut at its COMMIT."""

    relay: Relay = field(kw_only=True)
    cut: Cut = field(kw_only=True)

    def _fire(self) -> None:
        self.relay.cut_at(COMMIT, 1, self.cut)


@pytest.fixture
def relay() -> Iterator[Relay]:
    given = connection.settings_dict
    with Relay(f"{given['HOST']}/.s.PGSQL.{given['PORT'] or 5432}") as relay:
        yield relay


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", CASES)
def test_a_commit_of_unknown_outcome_costs_nothing(
    site: Served, relay: Relay, tmp_path: Path, name: str, cut: Cut
) -> None:
    job = CrawlJob.objects.get(
        progress=actions.start(actions.CrawlRequest(site.url, max_depth=5, viewer=OPERATOR)).progress_id
    )
    worker = CutWorker(job, relay.port)
    with failpoints.armed(AtItsCommit(name, 1, "delay", tmp_path / "fired", relay=relay, cut=cut)):
        worker.start()
        worker.join(AWAIT_SECONDS)
    assert not worker.is_alive()
    assert relay.seen >= 1, "cut; the leases are then given back in a transaction of their own"
    assert [type(error) for error in worker.noticed] == [OperationalError]
    if name == "finish.before_commit":
        assert (Progress.objects.get(pk=job.progress_id).status == "completed") is (cut == "after")
    expire_leases()
    assert violations(crawl(site.url), site.page_urls, missing=MISSING) == []
    assert Progress.objects.get(pk=job.progress_id).status == "completed"


@pytest.mark.parametrize("cut", CUTS)
def test_a_start_of_unknown_outcome_is_repeated_with_its_key(relay: Relay, tmp_path: Path, cut: Cut) -> None:
    first: list[Any] = []

    def ask() -> None:
        through(relay.port)
        first.append(start())
        connection.close()

    asking = threading.Thread(target=ask)
    with failpoints.armed(AtItsCommit("start.before_commit", 1, "delay", tmp_path / "fired", relay=relay, cut=cut)):
        asking.start()
        asking.join(AWAIT_SECONDS)
    assert (first[0].status_code, "Retry-After" in first[0].headers) == (503, True), first[0].content
    assert CrawlJob.objects.count() == (1 if cut == "after" else 0)
    again = start()
    assert again.status_code == 202
    assert CrawlJob.objects.get().progress_id == again.json()["progressId"]


def start() -> Any:
    return Client(raise_request_exception=False).post(
        "/api/knowledge-items/crawl",
        {"url": "http://127.0.0.1:9/"},
        content_type="application/json",
        headers={"Idempotency-Key": "once"},
    )
