"""A slice's pages that wait for their hosts: each is fetched when the host's limits, over all workers, allow it."""

from __future__ import annotations

import asyncio
import queue
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from crawler import frontier, hosts
from crawler.engine import github
from crawler.fetcher import Page
from crawler.models import CrawlJob, CrawlUrl
from crawler.politeness import Pace, host_budget, pace_of
from crawler.rules import JobRules
from crawler.urls import origin_of
from progress import tracker

# A page whose turn comes later than this goes back into the frontier: the worker has other things to do.
LONG_WAIT_SECONDS = 3.0


class Turns:
    def __init__(self, job: CrawlJob, owner: str, rules: JobRules) -> None:
        self._job = job
        self._owner = owner
        self._rules = rules
        self._waiting: list[CrawlUrl] = []
        self._tokens: dict[int, tuple[str, str]] = {}
        self._landed: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.ask_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def ids(self) -> list[int]:
        return [url.id for url in self._waiting]

    @property
    def seed_is_free(self) -> bool:
        """Whether nothing but the worker limits how fast the seed's host is asked."""
        return self.pace(origin_of(github().address(self._job.url))).is_free

    def pace(self, origin: str) -> Pace:
        """By what is known of the host: no page of it waits here before its robots.txt was read."""
        return pace_of(origin, self._rules.known(origin) if self._job.respect_robots else None)

    def add(self, urls: Iterable[CrawlUrl]) -> None:
        self._waiting += urls

    def due(self) -> list[CrawlUrl]:
        """The pages whose turn it is; they leave this list, and `landed` is owed for each."""
        self._release()
        if not self._waiting or time.monotonic() < self.ask_at:
            return []
        groups: defaultdict[str, list[CrawlUrl]] = defaultdict(list)
        for url in self._waiting:
            groups[origin_of(github().address(url.url))].append(url)
        held = hosts.held_until(groups)
        self._waiting, self.ask_at = [], 0.0
        may_go: list[CrawlUrl] = []
        for origin, urls in groups.items():
            if origin in held:
                self.postpone(origin, urls, held[origin])
            else:
                may_go += self._take(origin, urls)
        return may_go

    def _take(self, origin: str, urls: list[CrawlUrl]) -> list[CrawlUrl]:
        pace = self.pace(origin)
        if pace.is_free:
            return urls
        tokens = [f"{self._owner}:{url.id}" for url in urls]
        grant = host_budget().take(origin, pace, tokens)
        for url, token in zip(urls[: grant.count], tokens, strict=False):
            self._tokens[url.id] = (origin, token)
        left = urls[grant.count :]
        if left and grant.wait > LONG_WAIT_SECONDS:
            self.postpone(origin, left, timezone.now() + timedelta(seconds=grant.wait))
        elif left:
            self._waiting += left
            again = time.monotonic() + grant.wait
            self.ask_at = min(self.ask_at or again, again)
        return urls[: grant.count]

    def postpone(self, origin: str, urls: list[CrawlUrl], until: datetime) -> None:
        """Of this crawl's pages on the host none is due before; the sweep wakes the crawl then."""
        with transaction.atomic():
            tracker.lock(self._job.progress_id)
            frontier.give_back(self._job, self._owner, [url.id for url in urls], until)
            hosts.postpone(self._job, origin, until)

    def landed(self, url_id: int) -> None:
        """The request is over. May be called from any thread."""
        self._landed.put(url_id)

    def _release(self) -> None:
        gone: defaultdict[str, list[str]] = defaultdict(list)
        while not self._landed.empty():
            origin, token = self._tokens.pop(self._landed.get(), ("", ""))
            if token:
                gone[origin].append(token)
        for origin, tokens in gone.items():
            host_budget().release(origin, tokens)

    def renew(self) -> None:
        """As the leases are: a request may take longer than a token lives."""
        held: defaultdict[str, list[str]] = defaultdict(list)
        for origin, token in self._tokens.values():
            held[origin].append(token)
        for origin, tokens in held.items():
            host_budget().renew(origin, tokens)

    def close(self) -> None:
        for url_id in list(self._tokens):
            self._landed.put(url_id)
        self._release()

    async def polite(self, fetch: Callable[..., Awaitable[Page]], url: str, **options: Any) -> Page:
        """One fetch that waits for its turn, for what is read beside the frontier: sitemaps and llms.txt."""
        origin, token = origin_of(url), f"{self._owner}:{url}"
        # Of a host that the crawl has not met yet no rules are read for a sitemap: the default pace is slow enough.
        pace = pace_of(origin, self._rules.known(origin) if self._job.respect_robots else None)
        if pace.is_free:
            return await fetch(url, **options)
        budget = host_budget()
        grant = await asyncio.to_thread(budget.take, origin, pace, [token])
        while not grant.count:
            await asyncio.sleep(min(grant.wait, settings.CRAWL_PAGE_SECONDS))
            grant = await asyncio.to_thread(budget.take, origin, pace, [token])
        try:
            return await fetch(url, **options)
        finally:
            await asyncio.to_thread(budget.release, origin, [token])
