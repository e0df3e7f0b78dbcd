"""F9 and F10: a Redis that is there and does not answer, and one that has no memory left."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.test import Client
from django.utils import timezone
from redis import Redis

from archon.celery import app
from crawler import engine, politeness, slice, tasks
from crawler.models import CrawlJob
from crawler.politeness import HostBudget, Pace
from crawler.watchdog import WAKE_SECONDS
from progress import publish
from progress.models import Progress
from tests.chaos.invariants import violations
from tests.e2e.served import MISSING, Served, served

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = 8
# What is promised is a second, it was ten once; a busy machine may add some.
PATIENCE = 4.0


class Blackhole:
    """Accepts connections and whatever is written to them, and never says a word: a connection that is half open."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self.accepted.append(self._listener.accept()[0])

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for one in self.accepted:
            one.close()


@pytest.fixture
def site(settings: Any) -> Iterator[Served]:
    engine.close()
    with served(PAGES) as site:
        yield site
    engine.close()


@pytest.fixture
def blackhole(monkeypatch: pytest.MonkeyPatch) -> Iterator[Blackhole]:
    """Broker, channel layer and host budget of this process talk to it."""
    hole = Blackhole()
    layer = RedisPubSubChannelLayer(hosts=[hole.url])
    budget = HostBudget(hole.url)
    connection = app.connection_for_write(url=hole.url)
    monkeypatch.setattr(publish, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(politeness, "host_budget", lambda: budget)
    monkeypatch.setattr(
        tasks.crawl_slice, "delay", lambda pk: tasks.crawl_slice.apply_async((pk,), connection=connection)
    )
    yield hole
    hole.close()
    connection.release()


@pytest.fixture
def no_memory(redis: Redis) -> Iterator[Redis]:
    """Every write is refused with -OOM."""
    redis.config_set("maxmemory", "1")
    yield redis
    redis.config_set("maxmemory", "0")


def crawled_without_redis(site: Served) -> None:
    """Accepted at once, crawled to its end by a worker that was woken otherwise, every event there."""
    started = time.monotonic()
    answer = Client().post(
        "/api/knowledge-items/crawl", {"url": site.url, "max_depth": 5}, content_type="application/json"
    )
    assert answer.status_code == 202, answer.content
    assert time.monotonic() - started < PATIENCE
    job = CrawlJob.objects.get(progress=answer.json()["progressId"])
    while slice.run(job):
        pass
    assert Progress.objects.get(pk=job.progress_id).status == "completed"
    assert violations(job.progress_id, site.page_urls, missing=MISSING) == []


def test_a_redis_that_does_not_answer_holds_nobody_up(site: Served, blackhole: Blackhole) -> None:
    crawled_without_redis(site)
    assert blackhole.accepted, "somebody asked it"


def test_a_host_budget_that_does_not_answer_is_each_process_its_own(blackhole: Blackhole, settings: Any) -> None:
    started = time.monotonic()
    budget = HostBudget(blackhole.url)
    assert budget.take("https://docs.example.org", Pace(settings.WORKERS, 0), ["a", "b"]).count == 1
    assert not budget.is_shared
    assert time.monotonic() - started < PATIENCE


def test_a_redis_without_memory_costs_nothing(site: Served, no_memory: Redis) -> None:
    with pytest.raises(Exception, match="maxmemory"):
        no_memory.set("x", "y")
    crawled_without_redis(site)


def test_a_redis_that_has_memory_again_wakes_the_crawl(no_memory: Redis, redis: Redis) -> None:
    answer = Client().post(
        "/api/knowledge-items/crawl", {"url": "http://127.0.0.1:9/"}, content_type="application/json"
    )
    assert answer.status_code == 202
    assert redis.llen("archon") == 0
    redis.config_set("maxmemory", "0")
    CrawlJob.objects.update(woken_at=timezone.now() - timedelta(seconds=2 * WAKE_SECONDS))
    tasks.sweep()
    assert redis.llen("archon") > 0
