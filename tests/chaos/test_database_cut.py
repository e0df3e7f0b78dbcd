"""F13: PostgreSQL cuts every connection of a worker in the middle of its slice, as a restart does."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from crawler import actions, slice
from crawler.models import CrawlJob
from progress import failpoints
from progress.failpoints import POINTS
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.chaos.invariants import violations
from tests.chaos.test_cancel_and_clock import AWAIT_SECONDS, Halt
from tests.chaos.test_failpoints import crawl, expire_leases
from tests.e2e.served import MISSING, Served

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no connections that a server could cut"),
]

CASES = [name for name in POINTS if not name.startswith(("start.", "wake."))]
# All that was to be committed is: the crawl may have ended.
AT_THE_END = frozenset(("slice.after_release", "news.before_publish"))
CUT = """SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


def cut_all_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(CUT)
        return int(cursor.fetchone()[0])


def through(port: int) -> None:
    """This thread's connection goes to the database by way of a port on loopback."""
    connection.settings_dict = {**connection.settings_dict, "HOST": "127.0.0.1", "PORT": port}


class CutWorker(threading.Thread):
    """Crawls in a thread with a connection of its own; what a fault raises is `noticed`, as by a task's worker, which
    lives on."""

    def __init__(self, job: CrawlJob, port: int | None = None) -> None:
        super().__init__()
        self.job = job
        self.port = port
        self.noticed: list[Exception] = []

    def run(self) -> None:
        try:
            if self.port is not None:
                through(self.port)
            while slice.run(self.job):
                pass
        except Exception as error:
            self.noticed.append(error)
        finally:
            with suppress(Exception):
                connection.close()


@pytest.mark.parametrize("name", CASES)
def test_a_database_that_cuts_a_slice_at_any_boundary_costs_nothing(site: Served, tmp_path: Path, name: str) -> None:
    job = CrawlJob.objects.get(
        progress=actions.start(actions.CrawlRequest(site.url, max_depth=5, viewer=OPERATOR)).progress_id
    )
    point = Halt(name, 1, "delay", tmp_path / "fired")
    worker = CutWorker(job)
    with failpoints.armed(point):
        worker.start()
        assert point.reached.wait(AWAIT_SECONDS), f"{name} was passed {point.passed} times"
        assert cut_all_others() >= 1, "the worker holds a connection at every boundary"
        point.go_on.set()
        worker.join(AWAIT_SECONDS)
    assert not worker.is_alive()
    assert name in AT_THE_END or [type(error) for error in worker.noticed] == [OperationalError]
    expire_leases()
    assert violations(crawl(site.url), site.page_urls, missing=MISSING) == []
    assert Progress.objects.get(pk=job.progress_id).status == "completed"
