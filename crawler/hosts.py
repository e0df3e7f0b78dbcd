"""What hosts ask of us: a 429, or a 503 with Retry-After, holds the whole host back, for every worker and crawl.

The hold is a row, so that it outlives Redis and restarts; the pages of the crawl that met it go back into the
frontier with the moment from which they are due again, and cost no attempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count, F, Q
from django.utils import timezone

from crawler.engine import guard
from crawler.errors import CrawlerError, FetchError
from crawler.models import CrawlJob, CrawlUrl, Host
from crawler.politeness import Pace, pace_of
from crawler.robots import RobotsRules, trouble
from crawler.urls import origin_of

TOO_MANY = 429
UNAVAILABLE = 503
HOLD_LIMIT_SECONDS = 3600.0
# So often a page may be sent away with a moment to come back at before it counts as failed.
MAX_THROTTLES = 5


def asked_seconds(error: CrawlerError) -> float | None:
    """How long the answer asks the whole host to be left alone; None when it names no time to come."""
    if not isinstance(error, FetchError) or error.status not in (TOO_MANY, UNAVAILABLE) or not error.retry_after:
        return None
    return min(error.retry_after, HOLD_LIMIT_SECONDS)


def hold(job: CrawlJob, origin: str, seconds: float, status: int) -> tuple[datetime, bool]:
    """Until when the host is left alone now, and whether this answer is news. Within the transaction of the page."""
    now = timezone.now()
    until = now + timedelta(seconds=seconds)
    Host.objects.get_or_create(origin=origin)
    row = Host.objects.select_for_update().get(origin=origin)
    news = row.held_until is None or row.held_until < until - timedelta(seconds=1)
    if news:
        row.held_until, row.held_status, row.held_seconds, row.held_at = until, status, seconds, now
        row.holds = F("holds") + 1
        row.save()
    else:
        assert row.held_until is not None
        until = row.held_until
    postpone(job, origin, until)
    return until, news


def held_until(origins: Iterable[str]) -> dict[str, datetime]:
    """The hosts among these that are to be left alone now."""
    held = Host.objects.filter(origin__in=list(origins), held_until__gt=timezone.now())
    return {origin: until for origin, until in held.values_list("origin", "held_until") if until}


def postpone(job: CrawlJob, origin: str, until: datetime) -> None:
    """Every page of the host that waits in this crawl becomes due then. Called under the lock of its progress."""
    queued = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.QUEUED, next_at__lt=until)
    queued.filter(url__startswith=f"{origin}/").update(next_at=until)


class RobotsState(StrEnum):
    """How a host's robots.txt stands: without one everything is allowed, with one that cannot be read nothing is."""

    UNREAD = "unread"
    READ = "read"
    ABSENT = "absent"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class HostOfCrawl:
    """`rules` None: robots.txt was not read yet; `trouble` says why it could not be. `counts` are the crawl's URLs on
    the host, by state."""

    origin: str
    own: bool
    rules: RobotsRules | None
    trouble: str
    pace: Pace
    row: Host | None
    counts: dict[str, int]

    @property
    def robots(self) -> RobotsState:
        if self.rules is None:
            return RobotsState.UNREAD
        if self.rules.unreachable or self.rules.status is None:
            return RobotsState.UNREACHABLE
        return RobotsState.READ if self.rules.status < 300 else RobotsState.ABSENT


def of_crawl(job: CrawlJob) -> list[HostOfCrawl]:
    """The hosts of a crawl: that of its seed and those whose robots.txt it asked for."""
    rules: dict[str, RobotsRules | None] = {origin_of(job.url): None, **rules_of(job)}
    met = Q(origin__in=job.robots.values("origin")) | Q(origin=origin_of(job.url))
    rows = {row.origin: row for row in Host.objects.filter(met)}
    return [_of_crawl(job, origin, known, rows.get(origin)) for origin, known in rules.items()]


def troubles(job: CrawlJob) -> list[str]:
    """Of the hosts whose robots.txt could not be read."""
    unread = job.robots.unanswered()
    return [trouble(row.origin, row.rules, respected=job.respect_robots) for row in unread]


def rules_of(job: CrawlJob) -> dict[str, RobotsRules]:
    """By origin, in the order in which they were read."""
    return {row.origin: row.rules for row in job.robots.iterator(100)}


def _of_crawl(job: CrawlJob, origin: str, rules: RobotsRules | None, row: Host | None) -> HostOfCrawl:
    urls = CrawlUrl.objects.filter(job=job, url__startswith=f"{origin}/").order_by()
    return HostOfCrawl(
        origin,
        guard().is_own(origin),
        rules,
        trouble(origin, rules, respected=job.respect_robots) if rules else "",
        pace_of(origin, rules if job.respect_robots else None),
        row,
        dict(urls.values_list("state").annotate(count=Count("id"))),
    )
