"""REST of crawling: parse, call an action, render."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Query, Router, Status

from crawler import actions, hosts
from crawler.errors import UnknownCrawl
from crawler.models import CrawlJob, CrawlUrl
from crawler.politeness import UNLIMITED
from crawler.schemas import (
    CrawlHost,
    CrawlHosts,
    CrawlIn,
    CrawlMoved,
    CrawlPreview,
    CrawlStarted,
    CrawlUrlPage,
    HostHold,
    PreviewPageOut,
    PreviewRobots,
    RefreshStarted,
)
from crawler.verdicts import verdict_of
from knowledge import portable, uploads
from knowledge.errors import UnknownUpload
from progress.errors import UnknownProgress
from progress.status import TERMINAL
from progress.status import Status as ProgressStatus
from progress.viewer import Viewer, viewer_of

if TYPE_CHECKING:
    from crawler.preview import Preview

router = Router(tags=["crawls"])

NO_HEADERS = ". No headers of yours are sent to the site: a crawl asks as anybody would"
UrlState = Literal["queued", "leased", "done", "failed", "skipped"]


@router.post("/knowledge-items/crawl", response={202: CrawlStarted}, summary="Start a crawl")
def start_crawl(
    request: HttpRequest, body: CrawlIn, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> Status[CrawlStarted]:
    started = actions.start(body.request(idempotency_key=idempotency_key, viewer=viewer_of(request)))
    return Status(
        202,
        CrawlStarted(
            progressId=started.progress_id,
            sourceId=started.source_id,
            message=started_message(started.status) + (NO_HEADERS if body.headers else ""),
            estimatedDuration="unknown until the site is discovered; follow etaSeconds",
        ),
    )


def started_message(status: ProgressStatus | None) -> str:
    """`status` is that of a crawl that had been started before."""
    if status is None:
        return "Crawling started"
    if status in TERMINAL:
        return f"This request was made before with the same Idempotency-Key, and its crawl is {status}"
    words = {ProgressStatus.PAUSED: "is paused", ProgressStatus.QUEUED: "already waits for its turn"}
    return f"This crawl {words.get(status, 'is already running')}"


@router.post("/knowledge-items/crawl/preview", response=CrawlPreview, summary="What a crawl would begin with")
def preview_crawl(request: HttpRequest, body: CrawlIn) -> CrawlPreview:
    """A dry run: a few requests, a few seconds, nothing stored."""
    from crawler.preview import preview  # reads pages: 6 MB that the web process mostly does without

    return preview_out(preview(body.request(idempotency_key=None, viewer=viewer_of(request))))


@router.post(
    "/knowledge-items/stop/{path:progress_id}", response=CrawlMoved, summary="Cancel a crawl, an upload or an import"
)
def stop_crawl(request: HttpRequest, progress_id: str) -> CrawlMoved:
    try:
        actions.cancel(progress_id, viewer=viewer_of(request))
    except UnknownCrawl as unknown:
        return CrawlMoved(message=_stop_other(progress_id, unknown, viewer_of(request)), progressId=progress_id)
    return CrawlMoved(message="Crawl stopped", progressId=progress_id)


def _stop_other(progress_id: str, unknown: UnknownCrawl, viewer: Viewer) -> str:
    """What else may run under this id."""
    try:
        uploads.cancel(progress_id, viewer=viewer)
    except UnknownUpload:
        pass
    else:
        return "Upload stopped"
    try:
        portable.cancel(progress_id, viewer=viewer)
    except UnknownProgress:
        raise unknown from None
    return "Import stopped"


@router.post("/knowledge-items/pause/{path:progress_id}", response=CrawlMoved, summary="Pause a crawl")
def pause_crawl(request: HttpRequest, progress_id: str) -> CrawlMoved:
    actions.pause(progress_id, viewer=viewer_of(request))
    return CrawlMoved(message="Crawl paused", progressId=progress_id)


@router.post("/knowledge-items/resume/{path:progress_id}", response=CrawlMoved, summary="Resume a paused crawl")
def resume_crawl(request: HttpRequest, progress_id: str) -> CrawlMoved:
    actions.resume(progress_id, viewer=viewer_of(request))
    return CrawlMoved(message="Crawl resumed", progressId=progress_id)


@router.post("/knowledge-items/retry-failed/{path:progress_id}", response=CrawlMoved, summary="Retry failed pages")
def retry_failed(request: HttpRequest, progress_id: str) -> CrawlMoved:
    """Answers with the progress id of the retry, a crawl of its own."""
    job = actions.retry_failed(progress_id, viewer=viewer_of(request))
    return CrawlMoved(message="Retrying the failed pages", progressId=job.progress_id)


@router.post("/knowledge-items/{source_id}/refresh", response=RefreshStarted, summary="Crawl a source again")
def refresh_source(request: HttpRequest, source_id: str) -> RefreshStarted:
    job = actions.refresh(source_id, viewer=viewer_of(request))
    return RefreshStarted(progressId=job.progress_id, message=f"Started refresh for {job.url}")


@router.get("/crawls/{path:progress_id}/pages", response=CrawlUrlPage, summary="Every URL of a crawl")
def list_pages(
    request: HttpRequest,
    progress_id: str,
    state: UrlState | None = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> CrawlUrlPage:
    job = actions.job_of(progress_id, viewer_of(request))
    counts = url_counts(job)
    rows = CrawlUrl.objects.filter(job=job, **({"state": state} if state else {})).order_by("id")
    first = (page - 1) * per_page
    return CrawlUrlPage(
        pages=[verdict_of(url) for url in rows[first : first + per_page]],
        total=counts[state] if state else sum(counts.values()),
        page=page,
        per_page=per_page,
        counts=counts,
        discovery=job.discovery,
    )


@router.get("/crawls/{path:progress_id}/hosts", response=CrawlHosts, summary="How fast the hosts of a crawl are asked")
def list_hosts(request: HttpRequest, progress_id: str) -> CrawlHosts:
    """Limits over all workers, what robots.txt asks for, and whether a host is left alone for now."""
    job = actions.job_of(progress_id, viewer_of(request))
    return CrawlHosts(user_agent=settings.USER_AGENT, hosts=[host_out(one) for one in hosts.of_crawl(job)])


def preview_out(found: Preview) -> CrawlPreview:
    seed, robots = found.scope.seed, found.robots
    return CrawlPreview(
        kind=found.kind,
        seed=found.seed,
        scope=found.scope.to_json(),
        pages=[PreviewPageOut(**asdict(page)) for page in found.pages],
        counts=found.counts,
        robots=PreviewRobots(
            status=robots.status,
            allowed=robots.allows(seed, settings.USER_AGENT),
            crawl_delay=robots.crawl_delay(settings.USER_AGENT),
            sitemaps=list(robots.sitemaps),
        ),
        warnings=list(found.warnings),
        notes=list(found.notes),
        truncated=found.truncated,
    )


def url_counts(job: CrawlJob) -> dict[str, int]:
    """How many URLs are in each state, zeros included."""
    found = CrawlUrl.objects.filter(job=job).order_by().values_list("state").annotate(count=Count("id"))
    return {**dict.fromkeys(CrawlUrl.State.values, 0), **dict(found)}


def host_out(host: hosts.HostOfCrawl) -> CrawlHost:
    row = host.row
    held = None
    if row and row.held_until and row.held_until > timezone.now():
        held = HostHold(until=row.held_until, status=row.held_status or 0, seconds=row.held_seconds or 0.0)
    return CrawlHost(
        origin=host.origin,
        own=host.own,
        concurrency=host.pace.concurrency if host.pace.concurrency < UNLIMITED else None,
        delay_seconds=host.pace.delay,
        crawl_delay=host.rules.crawl_delay(settings.USER_AGENT) if host.rules else None,
        robots=host.robots,
        robots_error=host.trouble,
        robots_status=host.rules.status if host.rules else None,
        held=held,
        holds=row.holds if row else 0,
        counts=host.counts,
    )
