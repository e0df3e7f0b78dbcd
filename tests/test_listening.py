"""A worker that is deaf on a connection which looks healthy (archon/listening.py)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import task_received
from celery.worker import state
from redis import Redis

from archon import listening
from archon.celery import app
from archon.listening import LOOKS, QUIET_SECONDS, Listening, messages_wait

QUEUE = "listening-test"
PROCESSES = 2


class Timer:
    """Celery's: what is repeated is called by the test."""

    def call_repeatedly(self, seconds: float, look: Any, arguments: tuple[Any, ...]) -> Any:
        self.look = lambda: look(*arguments)
        return SimpleNamespace(cancel=lambda: setattr(self, "look", None))


@pytest.fixture
def consumer(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.SWEEP_SECONDS = QUIET_SECONDS
    monkeypatch.setattr(state, "active_requests", set())
    queues = [SimpleNamespace(name="listening-empty"), SimpleNamespace(name=QUEUE)]
    return SimpleNamespace(
        timer=Timer(), pool=SimpleNamespace(num_processes=PROCESSES), task_consumer=SimpleNamespace(queues=queues)
    )


@pytest.fixture
def step(consumer: Any, redis: Redis) -> Iterator[Listening]:
    step = Listening(consumer)
    step.start(consumer)
    yield step
    step.stop(consumer)
    redis.delete(QUEUE)
    assert consumer.timer.look is None


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic() + seconds
    monkeypatch.setattr(listening, "time", SimpleNamespace(monotonic=lambda: now))


def looks(consumer: Any, times: int = LOOKS) -> None:
    for _ in range(times):
        consumer.timer.look()


@pytest.mark.usefixtures("step")
def test_a_free_worker_that_hears_nothing_although_messages_wait_connects_anew(
    consumer: Any, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.lpush(QUEUE, "message")
    looks(consumer)
    later(monkeypatch, QUIET_SECONDS + 1)
    looks(consumer, LOOKS - 1)
    with pytest.raises(ConnectionError, match="nothing heard for 16 s"):
        looks(consumer, 1)


@pytest.mark.usefixtures("step")
@pytest.mark.parametrize("reason", ["nothing waits", "all busy", "one heard", "Redis is away"])
def test_a_quiet_worker_is_left_alone_when_there_is_a_reason(
    consumer: Any, redis: Redis, settings: Any, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason != "nothing waits":
        redis.lpush(QUEUE, "message")
    later(monkeypatch, QUIET_SECONDS + 1)
    if reason == "all busy":
        state.active_requests.update(range(PROCESSES))
    elif reason == "one heard":
        looks(consumer, LOOKS - 1)
        task_received.send(sender=None)
    elif reason == "Redis is away":
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    looks(consumer, 2 * LOOKS)


def test_messages_of_the_real_queues_are_seen(redis: Redis) -> None:
    """As Celery sends them: a queue is a list of this name."""
    assert not messages_wait([QUEUE])
    app.send_task("nobody.knows", queue=QUEUE)
    assert messages_wait([QUEUE])
    redis.delete(QUEUE)


def test_a_worker_is_built_with_it() -> None:
    from celery.worker.consumer import Consumer

    assert app.steps["consumer"] == {"archon.listening:Listening"}
    assert "celery.worker.consumer.tasks:Tasks" in Listening.requires
    assert any(str(step) == "celery.worker.consumer.tasks:Tasks" for step in Consumer.Blueprint.default_steps)
