"""How often one account, or one address, may ask: a moving count in Redis that all web processes share.

While Redis is away each process counts for itself, so the limit is loosened and never forgotten.
"""

from __future__ import annotations

import functools
import logging
import math
import time

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class Counter:
    """Counts requests by key. `wait` says how long to wait, in seconds; 0: this one may pass."""

    def __init__(self, redis_url: str) -> None:
        self._shared = SlidingWindowCounterRateLimiter(shared_storage(redis_url))
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def wait(self, key: str, per_minute: int) -> int:
        limit = RateLimitItemPerMinute(per_minute)
        if time.monotonic() >= self._away_until:
            try:
                return _wait(self._shared, limit, key)
            except RedisError as error:
                logger.warning("requests are counted by each process, Redis is away: %s", error)
                self._away_until = time.monotonic() + 5
        return _wait(self._own, limit, key)


def _wait(counter: SlidingWindowCounterRateLimiter, limit: RateLimitItemPerMinute, key: str) -> int:
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
    return counter().wait(key, settings.REQUESTS_PER_MINUTE)
