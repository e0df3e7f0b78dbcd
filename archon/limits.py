"""How often one account, address or assistant may ask: a moving count in Redis that all web processes share.

While Redis is away each process counts for itself, so the limit is loosened and never forgotten.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Counter:
    """Counts requests by key."""

    def __init__(self, redis_url: str) -> None:
        self._shared = SlidingWindowCounterRateLimiter(shared_storage(redis_url))
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def wait(self, key: str, limit: RateLimitItem) -> int:
        """How long to wait, in seconds; 0: this one may pass, and is counted."""
        return self._asked(lambda counter: _wait(counter, limit, key))

    def left(self, key: str, limit: RateLimitItem) -> int:
        """How many more may pass now."""
        return self._asked(lambda counter: counter.get_window_stats(limit, key).remaining)

    def _asked(self, question: Callable[[SlidingWindowCounterRateLimiter], T]) -> T:
        if time.monotonic() >= self._away_until:
            try:
                return question(self._shared)
            except RedisError as error:
                logger.warning("requests are counted by each process, Redis is away: %s", error)
                self._away_until = time.monotonic() + 5
        return question(self._own)


def _wait(counter: SlidingWindowCounterRateLimiter, limit: RateLimitItem, key: str) -> int:
    if counter.hit(limit, key):
        return 0
    stats = counter.get_window_stats(limit, key)
    return max(1, math.ceil(stats.reset_time - time.time()))


def shared_storage(redis_url: str) -> RedisStorage:
    if redis_url.startswith("unix://"):
        redis_url = f"redis+{redis_url}"
    return RedisStorage(redis_url, key_prefix="archon-requests", socket_timeout=1, socket_connect_timeout=1)


@functools.cache
def counter() -> Counter:
    return Counter(settings.REDIS_URL)


def seconds_to_wait(key: str) -> int:
    """Before the next request of `key` is answered; 0: now. Counts it."""
    if not settings.REQUESTS_PER_MINUTE:
        return 0
    return counter().wait(key, RateLimitItemPerMinute(settings.REQUESTS_PER_MINUTE))
