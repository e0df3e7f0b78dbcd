"""The frontier: which URLs of a crawl are known, who fetches them now, and what became of them.

A claim leases URLs to a slice and raises their epoch. Whoever comes back with a page under
an older epoch was taken for dead and replaced: its rows no longer match and nothing of it
is stored. All functions that write are called inside the transaction of the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from crawler.errors import CrawlerError
from crawler.models import CrawlJob, CrawlUrl, lease_limit
from crawler.scope import query_family
from crawler.urls import path_and_query, url_hash
from progress.failpoints import failpoint
from progress.wire import storable

MAX_ATTEMPTS = 3
# Attempts of a lost page that the next one would cost: one more worker, and it is given up.
SUSPECT = MAX_ATTEMPTS - 1
# Pages that differ only in the values of their parameters: a calendar and a faceted list have no last one.
MAX_QUERY_VARIANTS = 200
WORKER_LOST = "worker_lost"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A URL that the page `found_on` linked to; `skipped` says why it will not be fetched, if it will not.

    `twin` is where its Markdown is to be had. It is left out when the frontier holds one of `same`: hashes of the
    other addresses of its text.
    """

    url: str
    depth: int
    skipped: str = ""
    twin: str = ""
    same: tuple[str, ...] = ()
    found_on: str = ""


@dataclass(slots=True)
class Added:
    """What became of the candidates: counts of new rows, those of them that are skipped, the hashes known now."""

    queued: int = 0
    skipped: int = 0
    over_limit: int = 0
    left_out: list[CrawlUrl] = field(default_factory=list)
    hashes: set[str] = field(default_factory=set)


def claim(job: CrawlJob, owner: str, limit: int) -> list[CrawlUrl]:
    """Lease up to `limit` due URLs, nearest to the seed first; suspects are left to `claim_suspect`."""

    def due() -> list[int]:
        # Two queries, each on its index: an OR of both would scan the whole frontier.
        now = timezone.now()
        queued = _unlocked(job).filter(state=CrawlUrl.State.QUEUED, next_at__lte=now).order_by("depth", "id")
        ids = list(queued.values_list("id", flat=True)[:limit])
        if len(ids) < limit:
            lost = _lost(job).exclude(attempts=SUSPECT)
            ids += lost.values_list("id", flat=True)[: limit - len(ids)]
        return ids

    return _lease(owner, due)


def claim_suspect(job: CrawlJob, owner: str) -> list[CrawlUrl]:
    """Lease one page that two workers died with, or none. Ask with nothing else in flight, and claim nothing beside it:
    of the pages that a worker dies with one at most is to blame, and it would take the others with it again."""
    return _lease(owner, lambda: list(_lost(job).filter(attempts=SUSPECT).values_list("id", flat=True)[:1]))


def _unlocked(job: CrawlJob) -> QuerySet[CrawlUrl]:
    return CrawlUrl.objects.filter(job=job).select_for_update(skip_locked=True)


def _lost(job: CrawlJob) -> QuerySet[CrawlUrl]:
    """Leased by a worker that is gone."""
    now = timezone.now()
    over = Q(lease_until__lt=now) | Q(lease_until__gt=lease_limit(now))
    return _unlocked(job).filter(over, state=CrawlUrl.State.LEASED)


def _lease(owner: str, choose: Callable[[], list[int]]) -> list[CrawlUrl]:
    with transaction.atomic():
        ids = choose()
        if not ids:
            return []
        CrawlUrl.objects.filter(id__in=ids).update(
            state=CrawlUrl.State.LEASED,
            lease_owner=owner,
            lease_until=timezone.now() + timedelta(seconds=settings.CRAWL_LEASE_SECONDS),
            epoch=F("epoch") + 1,
            attempts=F("attempts") + 1,
        )
        claimed = list(CrawlUrl.objects.filter(id__in=ids).order_by("depth", "id"))
        failpoint("claim.before_commit")
    failpoint("claim.after_commit")
    return claimed


def renew(owner: str, ids: Iterable[int]) -> None:
    """Keep the leases of pages that are still being fetched."""
    until = timezone.now() + timedelta(seconds=settings.CRAWL_LEASE_SECONDS)
    with transaction.atomic():
        _free(CrawlUrl.objects.filter(id__in=list(ids)), owner).update(lease_until=until)


def release(job: CrawlJob, owner: str) -> None:
    """Give back what was claimed and not recorded; it costs no attempt."""
    with transaction.atomic():
        _free(CrawlUrl.objects.filter(job=job), owner).update(
            state=CrawlUrl.State.QUEUED, lease_owner="", lease_until=None, attempts=F("attempts") - 1
        )


def _free(urls: QuerySet[CrawlUrl], owner: str) -> QuerySet[CrawlUrl]:
    """Those leased to `owner` that nobody else writes now, locked. A row that another transaction holds is being
    stored as part of a file, or skipped by a cancel: to wait for it while holding others could be waited for in turn.
    Should that transaction fail, the lease ends by itself.
    """
    leased = urls.filter(lease_owner=owner, state=CrawlUrl.State.LEASED).select_for_update(skip_locked=True)
    return CrawlUrl.objects.filter(pk__in=list(leased.values_list("pk", flat=True)))


def give_back(job: CrawlJob, owner: str, ids: Iterable[int], until: datetime) -> None:
    """Of what was claimed these are not fetched before `until`; it costs no attempt."""
    CrawlUrl.objects.filter(id__in=list(ids), job=job, lease_owner=owner, state=CrawlUrl.State.LEASED).update(
        state=CrawlUrl.State.QUEUED, lease_owner="", lease_until=None, attempts=F("attempts") - 1, next_at=until
    )


def still_leased(urls: Sequence[CrawlUrl]) -> set[tuple[int, int]]:
    """(id, epoch) of those whose lease is still that of the claim that read them: the fence before any write."""
    rows = CrawlUrl.objects.filter(id__in=[url.id for url in urls], state=CrawlUrl.State.LEASED)
    epochs = dict(rows.values_list("id", "epoch"))
    return {(url.id, url.epoch) for url in urls if epochs.get(url.id) == url.epoch}


def add(job: CrawlJob, candidates: Iterable[Candidate], *, room: int, known: set[str]) -> Added:
    """Insert the URLs that are new. `room` is how many more may be queued under the page limit.

    `known` are hashes that the caller has seen in this frontier; they are not asked for again.
    Called under the lock of the job's progress, so that two slices cannot count one URL twice.
    """
    fresh = {digest: item for item in candidates if (digest := url_hash(item.url)) not in known}
    existing = set(
        CrawlUrl.objects.filter(job=job, url_hash__in=list(fresh)).values_list("url_hash", flat=True) if fresh else ()
    )
    added = Added(hashes=existing)
    rivals = {digest for item in fresh.values() for digest in item.same}
    rows_of_rivals = CrawlUrl.objects.filter(job=job, url_hash__in=rivals) if rivals else CrawlUrl.objects.none()
    taken = set(rows_of_rivals.values_list("url_hash", flat=True))
    families = {digest: _family(item.url) for digest, item in fresh.items()}
    variants = _variants(job, families.values())
    rows = []
    for digest, item in fresh.items():
        if digest in existing or not taken.isdisjoint(item.same):
            continue
        family = families[digest]
        before = variants[family] if family else 0
        if before >= 2 * MAX_QUERY_VARIANTS:  # as many refused ones are shown; a trap has no end of them
            continue
        skipped = item.skipped or ("query_variants" if before >= MAX_QUERY_VARIANTS else "")
        if not skipped and added.queued >= room:
            added.over_limit += 1
            continue
        variants[family] += 1
        rows.append(_row(job, item, digest, family, skipped))
        added.hashes.add(digest)
        taken.add(digest)
        added.skipped += bool(skipped)
        added.queued += not skipped
    CrawlUrl.objects.bulk_create(rows, batch_size=500)
    added.left_out = [row for row in rows if row.state == CrawlUrl.State.SKIPPED]
    return added


def _family(url: str) -> str | None:
    return url_hash(query_family(url)) if path_and_query(url)[1] else None


def _variants(job: CrawlJob, families: Iterable[str | None]) -> Counter[str | None]:
    """How many URLs of each family the frontier holds."""
    wanted = {family for family in families if family}
    rows = CrawlUrl.objects.filter(job=job, family__in=wanted).order_by().values_list("family")
    return Counter(dict(rows.annotate(count=Count("id")))) if wanted else Counter()


def _row(job: CrawlJob, item: Candidate, digest: str, family: str | None, skipped: str) -> CrawlUrl:
    state = CrawlUrl.State.SKIPPED if skipped else CrawlUrl.State.QUEUED
    return CrawlUrl(
        job=job,
        url=item.url,
        url_hash=digest,
        family=family,
        depth=item.depth,
        state=state,
        reason=skipped,
        found_on=item.found_on,
        twin=item.twin,
    )


def read_before(job: CrawlJob, urls: Sequence[CrawlUrl]) -> set[str]:
    """Hashes of those that the crawl before this one read: what they link to is in this frontier. Any other is sent
    whole, for its links, although an earlier crawl stored it."""
    before = CrawlJob.objects.filter(item=job.item_id, pk__lt=job.pk).order_by("-pk").values_list("pk", flat=True)
    read = CrawlUrl.objects.filter(job__in=list(before[:1]), state=CrawlUrl.State.DONE)
    return set(read.filter(url_hash__in=[url.url_hash for url in urls]).values_list("url_hash", flat=True))


def poisoned(urls: Sequence[CrawlUrl]) -> list[CrawlUrl]:
    """Those that already cost MAX_ATTEMPTS workers or fetches before this claim."""
    return [url for url in urls if url.attempts > MAX_ATTEMPTS]


def mark_failed(url: CrawlUrl, error: CrawlerError) -> None:
    """In memory; the caller saves. The reason stays with the URL."""
    url.state = CrawlUrl.State.FAILED
    url.error_code, url.error_message, url.error_hint = error.code, storable(error.message), storable(error.hint)
    url.http_status = getattr(error, "status", None) or url.http_status
    url.milliseconds = error.milliseconds


def mark_retry(url: CrawlUrl, error: CrawlerError, seconds: float) -> None:
    url.state = CrawlUrl.State.QUEUED
    url.error_code, url.error_message = error.code, storable(error.message)
    url.http_status, url.milliseconds = getattr(error, "status", None), error.milliseconds
    url.next_at = timezone.now() + timedelta(seconds=seconds)


def taken_over(url: CrawlUrl, job: CrawlJob) -> CrawlUrl:
    """The same URL in the frontier of a retry: what failed is queued afresh, the rest keeps its result."""
    if url.state == CrawlUrl.State.FAILED:
        return queued_anew(url, job)
    url.pk, url.job, url._state.adding = None, job, True
    return url


def queued_anew(url: CrawlUrl, job: CrawlJob) -> CrawlUrl:
    """As nobody had asked for it yet."""
    return CrawlUrl(
        job=job,
        url=url.url,
        url_hash=url.url_hash,
        family=url.family,
        depth=url.depth,
        found_on=url.found_on,
        twin=url.twin,
    )


def live_owners(job: CrawlJob) -> set[str]:
    """The slices that hold a lease now."""
    now = timezone.now()
    leased = CrawlUrl.objects.filter(
        job=job, state=CrawlUrl.State.LEASED, lease_until__gte=now, lease_until__lte=lease_limit(now)
    )
    return set(leased.values_list("lease_owner", flat=True).distinct())


def may_grow(job: CrawlJob, max_depth: int) -> bool:
    """Whether an outstanding page is near enough to the seed for its links to count."""
    return CrawlUrl.objects.filter(job=job, depth__lt=max_depth).outstanding().exists()


RESULT_FIELDS = (
    "state",
    "reason",
    "lease_owner",
    "lease_until",
    "next_at",
    "attempts",
    "throttles",
    "http_status",
    "rendered",
    "milliseconds",
    "size",
    "chunks",
    "error_code",
    "error_message",
    "error_hint",
    "document",
    "fetched_at",
)


def save_results(urls: Sequence[CrawlUrl], further: Sequence[str] = ()) -> None:
    """One upsert for the batch: Django's bulk_update writes a CASE per field and row, and costs ten times as much."""
    for url in urls:
        url.lease_owner, url.lease_until = "", None
    CrawlUrl.objects.bulk_create(
        urls, update_conflicts=True, update_fields=[*RESULT_FIELDS, *further], unique_fields=["job", "url_hash"]
    )
