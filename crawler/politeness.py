"""How fast each host is asked: pages in flight and time between requests, counted over all worker processes in Redis.

Per (scheme, host, port) a sorted set holds one token per request in flight, with the moment it expires, so that a
killed worker's are free again; a second key holds the moment of the next request (GCRA without a burst). One Lua
script decides on both with Redis's own clock. While Redis is away each process keeps to its share of both by itself:
the crawl goes on, and no faster. What a host asks of us (429, 503) is no count but a fact, and stands in the database.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from crawler.engine import guard
from crawler.robots import RobotsRules

logger = logging.getLogger(__name__)

# A full host is asked about again after this long.
FULL_SECONDS = 0.1
REDIS_SECONDS = 0.5
# After Redis failed, this long passes before it is tried again.
AWAY_SECONDS = 5.0
UNLIMITED = 1_000_000

TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local limit, interval, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local granted = math.min(limit - redis.call('ZCARD', KEYS[1]), #ARGV - 3)
if granted <= 0 then return {0, tonumber(0)} end
if interval > 0 then
  local turn = tonumber(redis.call('GET', KEYS[2]) or '0')
  if turn > now then return {0, turn - now} end
  redis.call('SET', KEYS[2], now + interval, 'PX', interval)
  granted = 1
end
for i = 1, granted do redis.call('ZADD', KEYS[1], now + lease, ARGV[3 + i]) end
redis.call('PEXPIRE', KEYS[1], lease)
return {granted, interval}
"""
RENEW = """
local clock = redis.call('TIME')
local ends = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', ends, ARGV[i]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `concurrency` requests in flight and `delay` seconds between two, over all workers."""

    concurrency: int
    delay: float

    @property
    def is_free(self) -> bool:
        return self.concurrency >= UNLIMITED and not self.delay


@dataclass(frozen=True, slots=True)
class Grant:
    """How many of the wanted requests may be sent now, and after how many seconds it is worth asking again."""

    count: int
    wait: float


def pace_of(origin: str, rules: RobotsRules | None) -> Pace:
    """`rules` None: robots.txt is not respected. Hosts of one's own have no limit but the Crawl-delay they ask for."""
    asked = (rules.crawl_delay(settings.USER_AGENT) if rules else None) or 0.0
    if guard().is_own(origin):
        return Pace(UNLIMITED, asked)
    return Pace(settings.CRAWL_HOST_CONCURRENCY, max(settings.CRAWL_HOST_DELAY, asked))


class RedisBudget:
    def __init__(self, url: str) -> None:
        retry = Retry(NoBackoff(), retries=0)
        self._redis = Redis.from_url(
            url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS, retry=retry
        )
        self._take = self._redis.register_script(TAKE)
        self._renew = self._redis.register_script(RENEW)

    def take(self, origin: str, pace: Pace, tokens: Sequence[str]) -> Grant:
        limits = (pace.concurrency, _milliseconds(pace.delay), _milliseconds(settings.CRAWL_LEASE_SECONDS))
        count, wait = self._take(keys=_keys(origin), args=[*limits, *tokens])
        return Grant(count, wait / 1000 or FULL_SECONDS)

    def renew(self, origin: str, tokens: Sequence[str]) -> None:
        self._renew(keys=_keys(origin)[:1], args=[_milliseconds(settings.CRAWL_LEASE_SECONDS), *tokens])

    def release(self, origin: str, tokens: Sequence[str]) -> None:
        self._redis.zrem(_keys(origin)[0], *tokens)


class ProcessBudget:
    """One process's share of the limits: what is safe when it cannot see the others."""

    def __init__(self) -> None:
        self._tokens: dict[str, set[str]] = {}
        self._turns: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, origin: str, pace: Pace, tokens: Sequence[str]) -> Grant:
        now = time.monotonic()
        with self._lock:
            held = self._tokens.setdefault(origin, set())
            count = min(max(1, pace.concurrency // settings.WORKERS) - len(held), len(tokens))
            if count <= 0:
                return Grant(0, FULL_SECONDS)
            delay = pace.delay * settings.WORKERS
            if delay:
                if (wait := self._turns.get(origin, 0.0) - now) > 0:
                    return Grant(0, wait)
                self._turns[origin] = now + delay
                count = 1
            held.update(tokens[:count])
        return Grant(count, delay or FULL_SECONDS)

    def release(self, origin: str, tokens: Sequence[str]) -> None:
        with self._lock:
            self._tokens.get(origin, set()).difference_update(tokens)


class HostBudget:
    """The shared budget, or this process's share of it while Redis is away."""

    def __init__(self, url: str) -> None:
        self._shared = RedisBudget(url)
        self._own = ProcessBudget()
        self._again_at = 0.0

    @property
    def is_shared(self) -> bool:
        return time.monotonic() >= self._again_at

    def take(self, origin: str, pace: Pace, tokens: Sequence[str]) -> Grant:
        """`tokens` name the requests that are wanted; the first `count` of them are granted."""
        if self.is_shared:
            try:
                return self._shared.take(origin, pace, tokens)
            except RedisError as error:
                self._lose(error)
        return self._own.take(origin, pace, tokens)

    def renew(self, origin: str, tokens: Sequence[str]) -> None:
        """For requests that take long. Quiet while Redis is away: tokens of a process do not expire."""
        if self.is_shared:
            try:
                self._shared.renew(origin, tokens)
            except RedisError as error:
                self._lose(error)

    def release(self, origin: str, tokens: Sequence[str]) -> None:
        self._own.release(origin, tokens)
        if self.is_shared:
            try:
                self._shared.release(origin, tokens)
            except RedisError as error:  # they expire
                self._lose(error)

    def _lose(self, error: RedisError) -> None:
        logger.warning("Redis is away, each worker keeps to its share of the host limits: %s", error)
        self._again_at = time.monotonic() + AWAY_SECONDS


def host_budget() -> HostBudget:
    """Of this process: a connection must not be shared with the parent that forked it."""
    return _budget_of(os.getpid(), settings.REDIS_URL)


@functools.lru_cache(maxsize=2)
def _budget_of(pid: int, url: str) -> HostBudget:
    return HostBudget(url)


def _keys(origin: str) -> list[str]:
    return [f"archon:host:{origin}:flying", f"archon:host:{origin}:turn"]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
