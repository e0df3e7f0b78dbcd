"""Outages under load: Redis away or hanging while crawls are submitted, and an upgrade in the middle of a crawl."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from celery import Celery

from tests.chaos.killable import ENDS, KillableStack, killable_stack
from tests.chaos.relay import Relay
from tests.chaos.soak import judged
from tests.e2e.served import Served, served
from tests.environment import redis_server, temporary_folder
from tests.stack import eventually, running_stack

PAGES = 40
END_SECONDS = 120
# An answer to a submit whose wake-up could not be sent.
ANSWER_SECONDS = 4.0
STOP_SECONDS = 15.0
# Until a worker is at work again whose Redis was silent and is back.
BACK_SECONDS = 60.0
# Of every worker process, by default.
IN_FLIGHT = 8

pytestmark = pytest.mark.both_databases


@pytest.fixture(scope="module")
def stack() -> Iterator[KillableStack]:
    database_url = os.environ.get("DATABASE_URL", "sqlite")
    with killable_stack("" if database_url.startswith("sqlite") else database_url) as started:
        yield started


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(PAGES, delay=0.1) as one:
        yield one


def completed(stack: KillableStack, site: Served, progress_id: str) -> None:
    """To its end, every page once, and then forgotten."""
    end = stack.await_end(progress_id, seconds=END_SECONDS)
    assert end is not None, stack.log("worker")[-2000:]
    assert judged(stack, progress_id, site) == []
    stack.forget(progress_id)


def submitted(stack: KillableStack, site: Served) -> tuple[str, float]:
    began = time.monotonic()
    progress_id = stack.crawl(site.url, max_depth=5)
    return progress_id, time.monotonic() - began


def test_a_submit_while_redis_is_away_is_accepted_and_runs_afterwards(
    stack: KillableStack, site: Served, size: int
) -> None:
    """Two seconds in the suite, a minute with --long."""
    stack.redis.kill()
    stack.redis.wait()
    progress_id, seconds = submitted(stack, site)
    assert seconds < ANSWER_SECONDS
    time.sleep(2 if size == 1 else 60)
    assert stack.get(f"/api/progress/{progress_id}")["status"] == "queued"
    stack.start_redis()
    completed(stack, site, progress_id)


def test_a_redis_that_hangs_holds_no_request_up(stack: KillableStack, site: Served) -> None:
    """A port that takes connections and answers nobody is worse than one that is closed."""
    stack.redis.send_signal(signal.SIGSTOP)
    try:
        progress_id, seconds = submitted(stack, site)
    finally:
        stack.redis.send_signal(signal.SIGCONT)
    assert seconds < ANSWER_SECONDS
    completed(stack, site, progress_id)


def test_a_worker_whose_redis_falls_silent_and_comes_back_works_again_within_a_minute(site: Served, size: int) -> None:
    """Its connections stay open and say nothing any more; only new ones get through. Nobody restarts it. Half a minute
    of waiting: with --long only; in the suite archon's test_listening holds the worker's part in it."""
    if size == 1:
        pytest.skip("half a minute of waiting: `make chaos-realtime`")
    with (
        temporary_folder() as folder,
        redis_server(folder) as url,
        Relay(url.removeprefix("unix://")) as relay,
        running_stack(REDIS_URL=f"redis://127.0.0.1:{relay.port}/0", ARCHON_SWEEP_SECONDS="5") as stack,
    ):
        worker = stack.children["worker"]
        stack.ended(stack.crawl(site.url, max_depth=5))
        relay.silence()
        progress_id = stack.crawl(f"{site.url}?again", max_depth=5)
        relay.recover()
        row = f"/api/progress/{progress_id}"
        eventually(lambda: stack.get(row)["status"] in ENDS, seconds=BACK_SECONDS, what="the worker is at work")
        assert worker.poll() is None


def test_an_upgrade_in_the_middle_of_a_crawl_loses_and_doubles_nothing(stack: KillableStack, site: Served) -> None:
    """All parts stopped as an operator stops them, the database migrated, all parts started."""
    progress_id = stack.crawl(site.url, max_depth=5)
    assert stack.await_pages(progress_id, 5, seconds=END_SECONDS) is not None
    for name in ("web", "beat", "worker"):
        stack.stop(name)
    stack.manage("migrate", "-v0")
    for name in ("worker", "beat", "web"):
        stack.spawn(name)
    completed(stack, site, progress_id)


def test_a_worker_that_is_told_to_stop_fetches_nothing_twice_but_what_was_in_flight(
    stack: KillableStack, site: Served
) -> None:
    before = site.fetched()
    progress_id = stack.crawl(site.url, max_depth=5)
    assert stack.await_pages(progress_id, 5, seconds=END_SECONDS) is not None
    flying = IN_FLIGHT * len(stack.worker_pids())
    worker = stack.children["worker"]
    began = time.monotonic()
    stack.stop("worker")
    assert time.monotonic() - began < STOP_SECONDS
    assert worker.returncode == 0, "it ended by itself"
    stack.spawn("worker")
    completed(stack, site, progress_id)
    fetched = site.fetched() - before
    assert set(fetched.values()) <= {1, 2}
    assert fetched.total() - len(fetched) <= flying


def test_messages_of_another_version_hold_up_no_crawl(stack: KillableStack, site: Served) -> None:
    """Left in the queue by it: a task that is gone, an argument that is new, a job that was deleted."""
    stack.stop("worker")
    progress_id = stack.crawl(site.url, max_depth=5)
    broker = stack.environment["REDIS_URL"].replace("unix://", "redis+socket://", 1)
    with Celery(broker=broker, set_as_current=False) as app:
        app.send_task("crawler.tasks.gone", args=[1], queue="archon")
        app.send_task("crawler.tasks.crawl_slice", args=[1], kwargs={"new": True}, queue="archon")
        app.send_task("crawler.tasks.crawl_slice", args=[2**31 - 1], queue="archon")
    stack.spawn("worker")
    completed(stack, site, progress_id)
    log = stack.log("worker")
    assert "crawler.tasks.gone" in log
    assert "unexpected keyword argument 'new'" in log
