"""A worker that hears nothing although messages wait, and that has a process free for them, connects anew.

Celery and kombu notice most connections that died without a word, in a minute or so. One they do not (5.7): while Redis
is silent a task ends, its acknowledgement is lost and only logged, and the message counts as being worked on for ever.
A worker with as many processes takes no message again, and looks healthy.
"""

from __future__ import annotations

import time
from typing import Any

from celery.bootsteps import StartStopStep
from celery.signals import task_received
from celery.worker import state
from django.conf import settings
from redis.exceptions import RedisError

from archon.embedded.redis import quick_client

QUIET_SECONDS = 15.0
# A message that waits is usually on its way to another worker: it must be so at two looks.
LOOKS = 2


class Listening(StartStopStep):  # type: ignore[misc]
    """Part of the consumer's blueprint: it starts and stops with each connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._quiet_seconds = min(QUIET_SECONDS, 3 * settings.SWEEP_SECONDS)
        self._looks = 0
        self._heard_at = 0.0
        self._timer: Any = None
        task_received.connect(self._hear)

    def start(self, parent: Any) -> None:
        self._hear()
        self._timer = parent.timer.call_repeatedly(self._quiet_seconds / 3, self._look, (parent,))

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hear(self, **_: Any) -> None:
        self._heard_at, self._looks = time.monotonic(), 0

    def _look(self, consumer: Any) -> None:
        """Runs in the consumer's event loop; an error of the connection there has it connect anew."""
        quiet = time.monotonic() - self._heard_at
        if len(state.active_requests) >= consumer.pool.num_processes:
            self._hear()
        elif quiet >= self._quiet_seconds and messages_wait([queue.name for queue in consumer.task_consumer.queues]):
            self._looks += 1
            if self._looks >= LOOKS:
                raise ConnectionError(f"nothing heard for {quiet:.0f} s although messages wait")


def messages_wait(queues: list[str]) -> bool:
    """Asked over a connection of its own. False when Redis does not answer: then nothing can be heard."""
    try:
        with quick_client(settings.REDIS_URL) as client:
            return any(client.llen(queue) for queue in queues)
    except RedisError:
        return False
