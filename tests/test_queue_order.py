"""Which message a worker takes next, read from the run's own Redis as a worker reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from kombu.connection import Connection
from kombu.messaging import Consumer, Producer, Queue

from knowledge.tasks import embed_chunks


@pytest.fixture
def broker(redis: object) -> Iterator[Connection]:
    with current_app.connection_for_read() as connection:
        yield connection


def taken(broker: Connection, count: int) -> list[str]:
    """The queues of the next messages, one at a time, each taken before the next is asked for."""
    queues: list[str] = []

    def take(_: Any, message: Any) -> None:
        queues.append(message.delivery_info["routing_key"])
        message.ack()

    options = {"callbacks": [take], "accept": ["json"], "prefetch_count": 1}
    consumer: Any = Consumer(broker, current_app.conf.task_queues, **options)  # type: ignore[no-untyped-call]
    with consumer:
        while len(queues) < count:
            broker.drain_events(timeout=10)  # type: ignore[no-untyped-call]
    return queues


def send(broker: Connection, *queues: str) -> None:
    producer: Any = Producer(broker)  # type: ignore[no-untyped-call]
    for name in queues:
        producer.publish({}, routing_key=name, declare=[Queue(name, routing_key=name)])  # type: ignore[no-untyped-call]


def test_upkeep_comes_before_all_that_waits_and_the_others_in_turn(broker: Connection) -> None:
    send(broker, *["archon"] * 3, *["embed"] * 3, *["upkeep"] * 2)
    assert taken(broker, 3)[:2] == ["upkeep", "upkeep"]
    send(broker, "upkeep")
    order = taken(broker, 6)
    assert order[0] == "upkeep"
    assert sorted(order[1:3]) == sorted(order[3:5]) == ["archon", "embed"]


def test_all_that_beat_asks_for_is_upkeep_but_what_takes_long() -> None:
    names = [due["task"] for due in settings.CELERY_BEAT_SCHEDULE.values()]
    queues = {name: current_app.amqp.router.route({}, name)["queue"].name for name in names}
    assert {name for name, queue in queues.items() if queue != settings.UPKEEP_QUEUE} == {
        "knowledge.tasks.describe_code"
    }
    assert current_app.amqp.router.route({}, embed_chunks.name)["queue"].name == settings.EMBED_QUEUE
