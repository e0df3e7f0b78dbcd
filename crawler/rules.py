"""The robots.txt of every host that a crawl meets: fetched once per crawl, stored with the job for all workers."""

from __future__ import annotations

from django.conf import settings

from crawler.engine import fetcher, github
from crawler.errors import FetchError, ForbiddenAddress, InvalidUrl
from crawler.models import CrawlJob, CrawlRobots
from crawler.robots import RobotsRules
from crawler.urls import origin_of
from progress.failpoints import failpoint
from progress.loop import submit

ROBOTS_SECONDS = 30


class JobRules:
    def __init__(self, job: CrawlJob) -> None:
        self._job = job
        self._github = github()
        self._read: dict[str, RobotsRules] = {}

    def of(self, url: str) -> RobotsRules:
        """The rules of the origin that serves this URL. An archive of GitHub is one file that a person asked for, as
        they would with git clone: no robots.txt is asked for it."""
        origin = origin_of(self._github.address(url))
        if origin == self._github.archives:
            return RobotsRules.from_response(404, b"")
        if origin in self._read:
            return self._read[origin]
        rules = self._stored(origin) or self._store(origin, _ask(origin))
        self._read[origin] = rules
        return rules

    def _stored(self, origin: str) -> RobotsRules | None:
        row = self._job.robots.filter(origin=origin).first()
        return row.rules if row else None

    def _store(self, origin: str, rules: RobotsRules) -> RobotsRules:
        """An answer holds for the crawl, and of two that came at once the first; no answer is asked for again."""
        if rules.unreachable or rules.status is None:
            return rules
        row = CrawlRobots(job=self._job, origin=origin, status=rules.status, body=rules.body)
        CrawlRobots.objects.bulk_create([row], ignore_conflicts=True)
        failpoint("robots.after_commit")
        return self._stored(origin) or rules

    def known(self, origin: str) -> RobotsRules | None:
        """The rules of a host if they were read already: asks neither it nor the database."""
        return self._read.get(origin)

    def forbids(self, url: str) -> bool:
        return self._job.respect_robots and not self.of(url).allows(self._github.address(url), settings.USER_AGENT)

    def surely_forbids(self, url: str) -> bool:
        """By rules already read; a further origin's are read when its first page is claimed."""
        return origin_of(self._github.address(url)) in self._read and self.forbids(url)

    def are_unreachable(self, url: str) -> bool:
        """No page may be fetched then (RFC 9309), unless the crawl does not ask for them."""
        return self._job.respect_robots and self.of(url).unreachable


def _ask(origin: str) -> RobotsRules:
    asked = submit(fetcher().fetch_robots(origin))
    try:
        return asked.result(ROBOTS_SECONDS)
    except (ForbiddenAddress, InvalidUrl):  # it leads to where we never go: there is none
        return RobotsRules.from_response(404, b"")
    except TimeoutError:
        asked.cancel()
        return RobotsRules.from_response(None, b"")


def robots_unreachable(url: str) -> FetchError:
    return FetchError(
        "robots_unreachable",
        f"robots.txt of {origin_of(url)} cannot be read, and without it no page may be fetched (RFC 9309).",
        hint="Try again later, or set respect_robots to false for a site of your own.",
        retryable=True,
    )
