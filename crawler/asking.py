"""A slice's pages that wait for the robots.txt of their host, while the pages of other hosts are fetched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from crawler.models import CrawlUrl
from crawler.rules import JobRules
from crawler.turns import Turns

# So many hosts are waited for at once; of each, what one claim brought.
HOSTS = 64
# What comes later goes back into the frontier for so long: pages that can be fetched lie behind it.
ANSWER_SECONDS = 2.0


class Asking:
    """`answered` is called, from any thread, when a host that is waited for has answered or was given up."""

    def __init__(self, rules: JobRules, turns: Turns, answered: Callable[[], None]) -> None:
        self._rules = rules
        self._turns = turns
        self._answered = answered
        self._waiting: dict[str, list[CrawlUrl]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def ids(self) -> list[int]:
        return [url.id for urls in self._waiting.values() for url in urls]

    def known(self, claimed: list[CrawlUrl]) -> list[CrawlUrl]:
        """The pages, of these and of those that waited, whose host's robots.txt is known by now; the others wait."""
        groups: defaultdict[str, list[CrawlUrl]] = defaultdict(list)
        for url in claimed:
            groups[self._rules.origin(url.url)].append(url)
        self._rules.ask([*self._waiting, *groups])
        known = [url for origin in self._known_of(self._waiting) for url in self._waiting.pop(origin)]
        known += [url for origin in self._known_of(groups) for url in groups.pop(origin)]
        for origin, urls in groups.items():
            if origin in self._waiting or len(self._waiting) >= HOSTS:
                self._turns.postpone(origin, urls, timezone.now() + timedelta(seconds=ANSWER_SECONDS))
            else:
                self._waiting[origin] = urls
                self._rules.when_answered(origin, self._answered)
        return sorted(known, key=lambda url: (url.depth, url.id))

    def _known_of(self, groups: dict[str, list[CrawlUrl]]) -> list[str]:
        return [origin for origin in groups if self._rules.known(origin)]
