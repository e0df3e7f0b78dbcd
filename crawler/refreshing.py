"""What a refresh begins with: every page that the crawl before it knew.

Pages that robots.txt forbade are judged by the robots.txt of this crawl, host by host as it is read. Until then they
are skipped as they were: thousands of them (the edit links of a wiki) take no place of other pages under the page
limit, and cost no request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django.conf import settings
from django.db.models import Q, QuerySet

from crawler import frontier
from crawler.engine import github
from crawler.models import CrawlJob, CrawlUrl
from crawler.record import ASKED_AGAIN
from crawler.robots import RobotsRules
from crawler.urls import origin_of, url_hash
from crawler.verdicts import verdict_of
from knowledge.ingest.batches import batches
from progress import tracker
from progress.models import Progress
from progress.plural import plural

ROBOTS, MAX_PAGES = "robots", "max_pages"
ROWS_AT_ONCE = 2_000


def queue_known_pages(job: CrawlJob, last: CrawlJob) -> None:
    """A page that did not change is not sent again, so its links are not seen: what they led to is queued at once."""
    known = Q(state__in=(CrawlUrl.State.DONE, CrawlUrl.State.FAILED)) | Q(reason__in=ASKED_AGAIN)
    urls = last.urls.filter(container=None).exclude(url_hash=url_hash(job.url))
    origins = {_origin(job.url)}
    queued = _insert(
        _noting(origins, (frontier.queued_anew(url, job) for url in urls.filter(known).iterator(ROWS_AT_ONCE)))
    )
    forbidden = _forbidden(urls)
    alone = _one_of_each_host(forbidden, origins, room=job.max_pages - queued - 1)
    queued += _insert(frontier.queued_anew(url, job) for url in alone)
    taken = {url.pk for url in alone}
    others = (url for url in forbidden.iterator(ROWS_AT_ONCE) if url.pk not in taken)
    skipped = _insert(_skipped(job, url) for url in others)
    add = {"total_pages": queued, "skipped_pages": skipped, "discovered_urls": queued + skipped}
    tracker.update(job.progress_id, add=add)


def _forbidden(urls: QuerySet[CrawlUrl]) -> QuerySet[CrawlUrl]:
    """Forbidden by robots.txt, or allowed by that of a refresh which had no room for them."""
    of_robots = urls.filter(state=CrawlUrl.State.SKIPPED, reason__in=(ROBOTS, MAX_PAGES))
    return of_robots.order_by("depth", "id")


def _one_of_each_host(forbidden: QuerySet[CrawlUrl], asked: set[str], *, room: int) -> list[CrawlUrl]:
    """Of hosts of which nothing else is queued: it asks for the robots.txt by which the others are judged."""
    first: dict[str, CrawlUrl] = {}
    for url in forbidden.iterator(ROWS_AT_ONCE):
        if (origin := _origin(url.url)) not in asked:
            first.setdefault(origin, url)
    return list(first.values())[: max(0, room)]


def _origin(url: str) -> str:
    """Whose robots.txt counts for it."""
    return origin_of(github().address(url))


def _noting(origins: set[str], urls: Iterable[CrawlUrl]) -> Iterator[CrawlUrl]:
    for url in urls:
        origins.add(_origin(url.url))
        yield url


def _skipped(job: CrawlJob, url: CrawlUrl) -> CrawlUrl:
    anew = frontier.queued_anew(url, job)
    anew.state, anew.reason = CrawlUrl.State.SKIPPED, url.reason
    return anew


def _insert(urls: Iterator[CrawlUrl]) -> int:
    count = 0
    while batch := list(islice(urls, ROWS_AT_ONCE)):
        count += len(CrawlUrl.objects.bulk_create(batch))
    return count


def judge_anew(job: CrawlJob, row: Progress, origin: str, rules: RobotsRules) -> None:
    """Queue the pages of a host that were forbidden and are allowed by `rules`, as far as the page limit lets them.

    Called under the lock of the progress, in the transaction that stores the rules.
    """
    known = [url for url in _forbidden(job.urls.all()) if _origin(url.url) == origin]
    allowed = [url for url in known if rules.allows(github().address(url.url), settings.USER_AGENT)]
    room = max(0, job.max_pages - row.total_pages)
    queued, over = allowed[:room], allowed[room:]
    freed = {url.pk for url in allowed}
    left = [url for url in known if url.pk not in freed]
    _move(queued, CrawlUrl.State.QUEUED, "")
    _move(over, CrawlUrl.State.SKIPPED, MAX_PAGES)
    _move(left, CrawlUrl.State.SKIPPED, ROBOTS)
    if over and not job.truncated:
        job.truncated = MAX_PAGES
        job.save(update_fields=["truncated"])
    if known:
        tracker.update(
            row.id,
            row=row,
            add={"total_pages": len(queued), "skipped_pages": -len(queued)},
            lines=_lines(job, origin, allowed=len(allowed), over=len(over)),
            verdicts=map(verdict_of, [*over, *left]),
        )


def _move(urls: Sequence[CrawlUrl], state: str, reason: str) -> None:
    for url in urls:
        url.state, url.reason = state, reason
    for some in batches([url.pk for url in urls]):
        CrawlUrl.objects.filter(pk__in=some).update(state=state, reason=reason)


def _lines(job: CrawlJob, origin: str, *, allowed: int, over: int) -> Iterator[str]:
    if allowed:
        yield f"robots.txt of {origin} now allows {plural(allowed, 'page')} that an earlier one forbade."
    if over:
        yield f"Page limit of {job.max_pages} reached: {over} of them are left out."
