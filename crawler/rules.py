"""The robots.txt of every host that a crawl meets: fetched once per crawl, stored with the job for all workers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from functools import lru_cache

from django.conf import settings
from django.db import transaction

from crawler.engine import fetcher, github
from crawler.errors import FetchError, ForbiddenAddress, InvalidUrl
from crawler.models import CrawlJob, CrawlRobots
from crawler.refreshing import judge_anew
from crawler.robots import RobotsRules, trouble
from crawler.urls import origin_of
from progress import tracker
from progress.failpoints import failpoint
from progress.loop import submit
from progress.wire import storable

# What nobody came back for is forgotten after this long.
FORGET_SECONDS = 120
LOOK_SECONDS = 0.5


class Asks:
    """The robots.txt that this process is asking for. They go on when a slice ends: the next one finds the answer."""

    def __init__(self) -> None:
        self._asked: dict[tuple[int, str], tuple[float, Future[RobotsRules]]] = {}
        self._lock = threading.Lock()

    def of(self, job_id: int, origin: str) -> Future[RobotsRules]:
        now = time.monotonic()
        with self._lock:
            for key, (since, asked) in list(self._asked.items()):
                if asked.done() and now - since > FORGET_SECONDS:
                    del self._asked[key]
            if (job_id, origin) not in self._asked:
                self._asked[job_id, origin] = now, submit(fetcher().fetch_robots(origin))
            return self._asked[job_id, origin][1]

    def answer(self, job_id: int, origin: str) -> RobotsRules | None:
        """None while there is none. It is given once: whoever wants it again asks again."""
        asked = self.of(job_id, origin)
        if not asked.done():
            return None
        with self._lock:
            self._asked.pop((job_id, origin), None)
        try:
            return asked.result()
        except (ForbiddenAddress, InvalidUrl):  # it leads to where we never go: there is none
            return RobotsRules.from_response(404, b"")


@lru_cache(maxsize=1)
def _asks_of(pid: int) -> Asks:
    return Asks()


class JobRules:
    """Of one slice, in one thread. What stores an answer raises ProgressEnded once the crawl is over."""

    def __init__(self, job: CrawlJob) -> None:
        self._job = job
        self._github = github()
        self._asks = _asks_of(os.getpid())
        self._read: dict[str, RobotsRules] = {}
        self._awaited: set[str] = set()

    def origin(self, url: str) -> str:
        """Whose robots.txt counts for this URL."""
        return origin_of(self._github.address(url))

    def of(self, url: str, look: Callable[[], None] = lambda: None) -> RobotsRules:
        """Waits for an answer that is not there yet, and calls `look` meanwhile: it may raise."""
        origin = self.origin(url)
        self.ask([origin])
        while origin not in self._read:
            wait([self._asks.of(self._job.pk, origin)], LOOK_SECONDS)
            look()
            self.ask([origin])
        return self._read[origin]

    def ask(self, origins: Iterable[str]) -> None:
        """Take what answers came since, and ask the hosts that were not asked yet: all at once, and without waiting."""
        unknown = set(origins) - self._read.keys()
        self._load(unknown - self._awaited)
        for origin in unknown - self._read.keys():
            self._awaited.add(origin)
            answer = self._asks.answer(self._job.pk, origin)
            if answer is not None:
                self._awaited.discard(origin)
                self._read[origin] = self._store(origin, answer)

    def when_answered(self, origin: str, call: Callable[[], None]) -> None:
        """From another thread, or at once."""
        self._asks.of(self._job.pk, origin).add_done_callback(lambda _: call())

    def _load(self, origins: set[str]) -> None:
        """An archive of GitHub is one file that a person asked for, as they would with git clone: no robots.txt is
        asked for it."""
        if self._github.archives in origins:
            self._read[self._github.archives] = RobotsRules.from_response(404, b"")
        if origins:
            self._read.update({row.origin: row.rules for row in self._job.robots.answered().filter(origin__in=origins)})

    def _store(self, origin: str, rules: RobotsRules) -> RobotsRules:
        """An answer holds for the crawl, and of two that came at once the first; what did not answer is asked again."""
        with transaction.atomic():
            progress = tracker.lock(self._job.progress_id)
            known = self._job.robots.answered().filter(origin=origin).first()
            if known is not None:
                return known.rules
            read = {"status": rules.status, "body": rules.body, "error": storable(rules.error)}
            CrawlRobots.objects.update_or_create(job=self._job, origin=origin, defaults=read)
            if self._job.conditional and not rules.unreachable:
                judge_anew(self._job, progress, origin, rules)
        failpoint("robots.after_commit")
        return rules

    def known(self, origin: str) -> RobotsRules | None:
        """The rules of a host if they were read already: asks neither it nor the database."""
        return self._read.get(origin)

    def forbids(self, url: str) -> bool:
        return self._job.respect_robots and not self.of(url).allows(self._github.address(url), settings.USER_AGENT)

    def surely_forbids(self, url: str) -> bool:
        """By rules already read; a further origin's are read when its first page is claimed."""
        rules = self._read.get(self.origin(url))
        return rules is not None and not rules.unreachable and self.forbids(url)

    def are_unreachable(self, url: str) -> bool:
        """No page may be fetched then (RFC 9309), unless the crawl does not ask for them."""
        return self._job.respect_robots and self.of(url).unreachable

    def unreachable(self, url: str) -> FetchError:
        return FetchError(
            "robots_unreachable",
            trouble(self.origin(url), self.of(url), respected=True),
            hint="Try again later, or set respect_robots to false for a site of your own.",
            retryable=True,
        )
