"""What every web process knows of a session: passages it was given, crawls it started, its log level, its cancels.

In Redis, so that a session may be answered by any process and outlives a restart. What is kept is a
convenience: while Redis is away passages are told again, and each process knows what itself was told.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from limits import RateLimitItemPerHour
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from archon import limits
from archon.mcp.sessions import caller, current

logger = logging.getLogger(__name__)

T = TypeVar("T")

PASSAGES_KEPT = 2_000
# Of silence; an assistant that comes back later has forgotten the passages as well.
REMEMBERED_SECONDS = 24 * 3_600
# A cancel may overtake its call, but not by more.
CANCEL_SECONDS = 60
REQUEST_ID_CHARS = 128
REDIS_SECONDS = 0.5
AWAY_SECONDS = 5.0


class Rememberer(NamedTuple):
    """Whose memory it is. An account never meets the memory of another one, whatever session id it sends."""

    account: int | None
    session_id: str
    client: str = ""

    @property
    def passages_key(self) -> str:
        return f"archon:mcp:given:{self.account or ''}:{self.session_id}"

    @property
    def level_key(self) -> str:
        return f"archon:mcp:level:{self.account or ''}:{self.session_id}"

    @property
    def crawls_key(self) -> str:
        """A client that keeps no session is counted by its name."""
        return f"mcp-crawls:{self.account or ''}:{self.session_id or self.client}"


class CallName(NamedTuple):
    """By which a cancel means a call. The session's account is part of it: nobody ends the calls of another."""

    account: int | None
    session_id: str
    request_id: str

    @classmethod
    def of(cls, account: int | None, session_id: str, request_id: object) -> CallName:
        return cls(account, session_id, str(request_id)[:REQUEST_ID_CHARS])

    @property
    def topic(self) -> str:
        return f"mcp-call:{self.account or ''}:{self.session_id}:{self.request_id}"

    @property
    def key(self) -> str:
        return f"archon:{self.topic}"


def calling() -> Rememberer:
    """Of the call that is being answered."""
    session = current.get()
    return Rememberer(caller.get().user_id, session.id, session.client_id)


class SharedMemory:
    """Redis, asked briefly: no answer is worth holding a call up."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            retry=Retry(NoBackoff(), retries=1),
        )
        self._away_until = 0.0

    def _asked(self, question: Callable[[], Any], otherwise: T) -> T:
        """No answer is worth waiting for again and again: after a failure Redis is left alone for some seconds."""
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            answer: T = question()
            return answer
        except RedisError as error:
            logger.warning("sessions of assistants are not remembered, Redis is away: %s", error)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return otherwise


class GivenPassages(SharedMemory):
    """Ids of the chunks that sessions were given, in a sorted set each: newest last, bounded, expiring."""

    def given(self, who: Rememberer) -> frozenset[int]:
        if not who.session_id:
            return frozenset()
        members: Iterable[Any] = self._asked(lambda: self._redis.zrange(who.passages_key, 0, -1), [])
        return frozenset(map(int, members))

    def count(self, who: Rememberer) -> int:
        return int(self._asked(lambda: self._redis.zcard(who.passages_key), 0)) if who.session_id else 0

    def give(self, who: Rememberer, passages: Iterable[int]) -> None:
        now = time.time()
        told = {str(passage): now for passage in passages}
        if not told or not who.session_id:
            return
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(who.passages_key, told)
            pipe.zremrangebyrank(who.passages_key, 0, -PASSAGES_KEPT - 1)
            pipe.expire(who.passages_key, REMEMBERED_SECONDS)
            self._asked(pipe.execute, None)

    def forget(self, who: Rememberer) -> None:
        self._asked(lambda: self._redis.delete(who.passages_key), None)


class SessionNotes(SharedMemory):
    """The log level that a session asked for, and the calls that it cancelled."""

    def set_level(self, who: Rememberer, level: str) -> None:
        if who.session_id:
            self._asked(lambda: self._redis.set(who.level_key, level, ex=REMEMBERED_SECONDS), None)

    def level(self, who: Rememberer) -> str | None:
        """None: it never asked, or nobody knows."""
        found: Any = self._asked(lambda: self._redis.get(who.level_key), None) if who.session_id else None
        return None if found is None else bytes(found).decode()

    def forget(self, who: Rememberer) -> None:
        self._asked(lambda: self._redis.delete(who.level_key), None)

    def cancel(self, call: CallName) -> None:
        self._asked(lambda: self._redis.set(call.key, 1, ex=CANCEL_SECONDS), None)

    def is_cancelled(self, call: CallName) -> bool:
        return bool(self._asked(lambda: self._redis.exists(call.key), 0))


@functools.cache
def given_passages() -> GivenPassages:
    return GivenPassages(settings.REDIS_URL)


@functools.cache
def notes() -> SessionNotes:
    return SessionNotes(settings.REDIS_URL)


def may_crawl(who: Rememberer) -> bool:
    """Counts one crawl, unless as many as are allowed were started within the last hour."""
    limit = settings.MCP_CRAWLS_PER_HOUR
    return limit > 0 and not limits.counter().wait(who.crawls_key, RateLimitItemPerHour(limit))


def crawls_counted(who: Rememberer) -> int:
    limit = settings.MCP_CRAWLS_PER_HOUR
    return limit - limits.counter().left(who.crawls_key, RateLimitItemPerHour(limit)) if limit else 0
