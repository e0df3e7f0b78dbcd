"""The only ways a crawl changes: start, cancel, pause, resume, retry failed pages, refresh.

REST, admin, commands and (later) MCP and the schedule all call these. Each either does the
whole move in one transaction or raises one of our errors and has done nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from itertools import islice

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from crawler import frontier, quota, tasks
from crawler.engine import github, guard, refuse_without_browser
from crawler.errors import CrawlConflict, KeyReused, UnknownCrawl, WrongState
from crawler.models import CrawlJob, CrawlRobots, CrawlUrl
from crawler.record import CANCELLED
from crawler.refreshing import queue_known_pages
from crawler.scope import Mode, Scope
from crawler.urls import canonical_url, source_id_for, url_hash
from knowledge.actions import DEFAULT_FREQUENCY_DAYS, ItemChanges, get_or_create_item, private_id, update_item
from knowledge.models import KnowledgeItem
from progress import tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.failpoints import failpoint
from progress.models import Progress
from progress.plural import plural
from progress.status import Status
from progress.viewer import Viewer
from progress.wire import storable

DNS_SECONDS = 5.0
# Counters that a retry takes over, so that its numbers speak of the whole site.
CARRIED = (
    "total_pages",
    "skipped_pages",
    "discovered_urls",
    "chunks_stored",
    "code_examples_stored",
    "word_count",
)


@dataclass(frozen=True, slots=True)
class CrawlRequest:
    """What a person asks for. `max_pages` 0 means the operator's default.

    What is said of the source itself and is None stays as it is on a known source, and is the default on a new one.
    """

    url: str
    knowledge_type: str | None = None
    tags: tuple[str, ...] | None = None
    update_frequency: int | None = None
    max_depth: int = 2
    max_pages: int = 0
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    scope: Mode = "path"
    render: str = CrawlJob.Render.AUTO
    respect_robots: bool = True
    extract_code_examples: bool = True
    idempotency_key: str | None = None
    viewer: Viewer = field(kw_only=True)
    private: bool = False

    def scope_of(self, seed: str) -> Scope:
        return Scope(seed, self.scope, self.include, self.exclude, self.max_depth)

    def of_source(self) -> ItemChanges:
        """What the request says of the source itself."""
        said = ItemChanges()
        if self.knowledge_type is not None:
            said["knowledge_type"] = self.knowledge_type
        if self.tags is not None:
            said["tags"] = list(self.tags)
        if self.update_frequency is not None:
            said["update_frequency"] = self.update_frequency
        return said

    def page_limit(self) -> int:
        return self.max_pages or settings.CRAWL_MAX_PAGES


@dataclass(frozen=True, slots=True)
class Started:
    """`status` is that of this very crawl when it had been started before and is followed instead."""

    progress_id: str
    source_id: str
    status: Status | None = None

    @property
    def existing(self) -> bool:
        return self.status is not None


def start(request: CrawlRequest) -> Started:
    """Begin a crawl, or join the one that is already crawling this URL with the same options.

    Raises InvalidUrl, ForbiddenAddress, FetchError (the host does not resolve), CrawlConflict (the URL is being
    crawled with other options), KeyReused, BrowserMissing and NotOwner. Safe to call twice with one idempotency key.
    """
    seed = canonical_url(request.url)
    refuse_without_browser(request.render)
    address = github().address(seed)
    guard().check_url(address)
    guard().resolve(address, DNS_SECONDS)
    try:
        with transaction.atomic():
            return _start(request, seed)
    except IntegrityError:  # the same key or URL was committed by a twin of this request
        with transaction.atomic():
            return _start(request, seed)


def _start(request: CrawlRequest, seed: str) -> Started:
    if key := _key_of(request):
        known = CrawlJob.objects.filter(idempotency_key=key).select_related("item", "progress").first()
        if known is not None:
            _refuse_other_request(known, request, seed)
            return _existing(known)
    item = _item_for(request, seed)
    while not _lock_source(item):  # deleted since it was looked up: its address is free for another
        item = _item_for(request, seed)
    running = CrawlJob.objects.active().filter(item=item).select_related("item", "progress").first()
    if running is not None:
        return _join(running, request)
    job = _create(item, request, seed)
    return Started(job.progress_id, item.source_id)


def _item_for(request: CrawlRequest, seed: str) -> KnowledgeItem:
    """The account's own source of this address, else the shared one if it may change it, else a new one."""
    viewer, said = request.viewer, request.of_source()
    found = KnowledgeItem.objects.visible_to(viewer).filter(url=seed, source_type=KnowledgeItem.SourceType.URL)
    known = sorted(found.order_by("pk"), key=lambda item: item.owner_id != viewer.user_id)
    if request.private and not viewer.everything:  # a copy of one's own, whoever shares one
        known = [item for item in known if item.owner_id == viewer.user_id]
        if known and not known[0].private:
            return update_item(known[0].source_id, {**said, "private": True}, viewer)
    if known:
        viewer.must_own("The source of this address", known[0].owner_id)
        return update_item(known[0].source_id, said, viewer) if said else known[0]
    item = get_or_create_item(
        source_id=private_id(source_id_for(seed), viewer.user_id),
        url=seed,
        title=seed,
        knowledge_type=said.get("knowledge_type", KnowledgeItem.KnowledgeType.TECHNICAL),
        tags=said.get("tags", ()),
        update_frequency=said.get("update_frequency", DEFAULT_FREQUENCY_DAYS),
        owner_id=viewer.user_id,
        private=request.private and viewer.user_id is not None,
    )
    viewer.must_own("The source of this address", item.owner_id)  # one that was theirs may be another's by now
    return item


def _key_of(request: CrawlRequest) -> str | None:
    """Keys of different accounts never meet, nor tell of each other."""
    key, user_id = request.idempotency_key, request.viewer.user_id
    return key if not key or user_id is None else f"{user_id}:{hashlib.sha256(key.encode()).hexdigest()}"


def _hash_of(request: CrawlRequest, seed: str) -> str:
    """Of all that a request asks for, in whatever spelling of its address."""
    asked = {**asdict(request), "url": seed}
    for name in ("viewer", "idempotency_key"):
        del asked[name]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _refuse_other_request(known: CrawlJob, request: CrawlRequest, seed: str) -> None:
    """A key that comes again with another request is a mistake: the crawl it asks for was never started."""
    if known.request_hash == _hash_of(request, seed) or (not known.request_hash and known.url == seed):
        return
    raise KeyReused(
        "idempotency_key_reused",
        f"The Idempotency-Key was used before, for a crawl of {known.url}, and this request asks for something else.",
        hint="Send a new key for a new crawl; repeat a request only as it was.",
        field="Idempotency-Key",
    )


def _existing(job: CrawlJob) -> Started:
    return Started(job.progress_id, job.item.source_id, Status(job.progress.status))


def _join(running: CrawlJob, request: CrawlRequest) -> Started:
    asked = {
        "scope": request.scope_of(running.scope["seed"]).to_json(),
        "max_pages": request.page_limit(),
        "render": request.render,
        "respect_robots": request.respect_robots,
        "extract_code_examples": request.extract_code_examples,
    }
    if other := [name for name, value in asked.items() if getattr(running, name) != value]:
        raise CrawlConflict(
            "crawl_running",
            f"{running.item.url} is being crawled right now with other options: {', '.join(other)} "
            f"(progress id {running.progress_id}).",
            hint="Wait for it to end or stop it, then start again.",
            field="url",
        )
    return _existing(running)


def _create(item: KnowledgeItem, request: CrawlRequest, seed: str) -> CrawlJob:
    generation = _last_generation(item)
    job = CrawlJob(
        item=item,
        url=seed,
        scope=request.scope_of(seed).to_json(),
        max_pages=request.page_limit(),
        render=request.render,
        respect_robots=request.respect_robots,
        extract_code_examples=request.extract_code_examples,
        generation=generation + 1,
        idempotency_key=_key_of(request),
        request_hash=_hash_of(request, seed),
    )
    kind = Progress.Kind.REFRESH if generation else Progress.Kind.CRAWL
    return _launch(job, kind, "Starting crawl...", owner_id=request.viewer.user_id)


def _launch(job: CrawlJob, kind: str, line: str, *, owner_id: int | None) -> CrawlJob:
    """Progress, job and first URL; a worker is woken when they are committed."""
    quota.check(owner_id)
    progress = tracker.create(
        kind,
        source_id=job.item.source_id,
        current_url=job.url,
        lines=[line],
        owner_id=job.item.owner_id if job.item.private else owner_id,
        private=job.item.private,
    )
    job.progress = progress
    job.save()
    CrawlUrl.objects.create(job=job, url=job.url, url_hash=url_hash(job.url))
    tracker.update(progress.id, add={"total_pages": 1, "discovered_urls": 1})
    failpoint("start.before_commit")
    tasks.wake_on_commit(job)
    tasks.check_embedder_on_commit(progress.id)
    return job


def cancel(progress_id: str, *, viewer: Viewer) -> CrawlJob:
    """End the crawl now. From this commit on nothing of it is stored: every writer checks the row it locks."""
    with transaction.atomic():
        job = _own_job(progress_id, viewer)
        row = _lock(progress_id, "stop")
        left = CrawlUrl.objects.filter(job=job).outstanding()
        count = left.update(state=CrawlUrl.State.SKIPPED, reason=CANCELLED, lease_owner="", lease_until=None)
        row.total_pages -= count
        row.skipped_pages += count
        tracker.cancel(
            progress_id, row=row, lines=[f"Cancelled: {plural(row.processed_pages, 'page is', 'pages are')} kept."]
        )
    return job


def pause(progress_id: str, *, line: str = "Paused.", viewer: Viewer) -> CrawlJob:
    """No further page is claimed; what is in flight is put back into the frontier."""
    with transaction.atomic():
        job = _own_job(progress_id, viewer)
        row = _lock(progress_id, "pause")
        if row.status == Status.PAUSED:
            raise WrongState("crawl_paused", "The crawl is already paused.", hint="Resume it.")
        tracker.update(progress_id, row=row, status=Status.PAUSED, lines=[line])
    return job


def resume(progress_id: str, *, viewer: Viewer) -> CrawlJob:
    """Back into the line, at the place of when it was started: others may work in its stead by now."""
    with transaction.atomic():
        job = _own_job(progress_id, viewer)
        row = _lock(progress_id, "resume")
        if row.status != Status.PAUSED:
            raise WrongState("crawl_not_paused", f"The crawl is not paused, it is {row.status}.")
        quota.check_taken(row.owner_id)
        status = Status.EMBEDDING if row.stage == Status.EMBEDDING else Status.QUEUED  # that one takes no place
        tracker.update(progress_id, row=row, status=status, set_={"stage": row.stage}, lines=["Resumed."])
        tasks.wake_on_commit(job)
    return job


def retry_failed(progress_id: str, *, viewer: Viewer) -> CrawlJob:
    """A new crawl, with its own progress id, that takes the frontier over and queues what failed.

    Pages that were stored stay as they are and are not fetched again, however often the
    retried ones link to them.
    """
    with transaction.atomic():
        job = _own_job(progress_id, viewer)
        if not job.progress.ended:
            raise WrongState("crawl_running", "The crawl is still running.", hint="Retry when it has ended.")
        if not job.urls.filter(state=CrawlUrl.State.FAILED).exists():
            raise WrongState("nothing_failed", "No page of this crawl failed.")
        _refuse_if_running(job.item)
        if CrawlJob.objects.filter(item=job.item, pk__gt=job.pk).exists():  # a retry of it is one, and knows more pages
            raise WrongState(
                "crawl_outdated", "A later crawl of this source exists.", hint="Retry that one, or refresh."
            )
        return _take_over(job)


def _take_over(old: CrawlJob) -> CrawlJob:
    quota.check(old.progress.owner_id)
    progress = tracker.create(
        Progress.Kind.CRAWL,
        source_id=old.item.source_id,
        current_url=old.url,
        lines=[f"Retrying {plural(old.progress.failed_pages, 'failed page')}..."],
        owner_id=old.progress.owner_id,
        private=old.item.private,
    )
    job = _like(old)
    job.generation, job.progress = old.generation, progress
    job.conditional, job.discovery, job.truncated = old.conditional, old.discovery, old.truncated
    job.save()
    for known in old.robots.answered().iterator(100):
        CrawlRobots.objects.create(job=job, origin=known.origin, status=known.status, body=known.body)
    copied = (frontier.taken_over(url, job) for url in old.urls.order_by("id").iterator(2_000))
    while batch := list(islice(copied, 2_000)):
        CrawlUrl.objects.bulk_create(batch)
    before = old.progress
    add = {name: getattr(before, name) for name in CARRIED}
    tracker.update(progress.id, add={**add, "processed_pages": before.processed_pages - before.failed_pages})
    tasks.wake_on_commit(job)
    return job


def refresh(source_id: str, *, viewer: Viewer) -> CrawlJob:
    """Crawl the source again as its last crawl did. Pages that did not change keep their chunks."""
    with transaction.atomic():
        known = CrawlJob.objects.filter(
            viewer.seen("item__"), item__source_id=storable(source_id), item__deleted_at=None
        )
        last = known.select_related("item", "progress").order_by("-id").first()
        if last is None:
            raise UnknownCrawl(
                "source_unknown",
                f"No crawled source has the id {source_id!r}.",
                hint="GET /api/knowledge-items/sources lists the sources.",
                field="source_id",
            )
        viewer.must_own(f"The source {last.item.title!r}", last.item.owner_id)
        _refuse_if_running(last.item)
        job = _like(last)
        job.generation, job.conditional = _last_generation(last.item) + 1, True
        _launch(job, Progress.Kind.REFRESH, "Starting refresh...", owner_id=last.progress.owner_id)
        queue_known_pages(job, last)
        return job


def _last_generation(item: KnowledgeItem) -> int:
    return CrawlJob.objects.filter(item=item).aggregate(last=Max("generation"))["last"] or 0


def _lock_source(item: KnowledgeItem) -> bool:
    """Until the end of the transaction. False when it was deleted."""
    return KnowledgeItem.objects.visible().select_for_update().filter(pk=item.pk).first() is not None


def _refuse_if_running(item: KnowledgeItem) -> None:
    if not _lock_source(item):
        raise UnknownCrawl("source_unknown", "The source of this crawl was deleted.", hint="Start a new crawl of it.")
    running = CrawlJob.objects.active().filter(item=item).first()
    if running is not None:
        raise CrawlConflict(
            "crawl_running", f"The source is being crawled right now (progress id {running.progress_id})."
        )


def _like(job: CrawlJob) -> CrawlJob:
    """A new job with the options of an older one."""
    return CrawlJob(
        item=job.item,
        url=job.url,
        scope=job.scope,
        max_pages=job.max_pages,
        render=job.render,
        respect_robots=job.respect_robots,
        extract_code_examples=job.extract_code_examples,
    )


def job_of(progress_id: str, viewer: Viewer) -> CrawlJob:
    job = None
    if "\0" not in progress_id:  # PostgreSQL refuses it as a parameter
        job = CrawlJob.objects.of(progress_id).filter(viewer.seen("item__")).select_related("item", "progress").first()
    if job is None:
        raise UnknownCrawl(
            "crawl_unknown",
            f"No crawl has the progress id {progress_id!r}.",
            hint=UnknownProgress.next_step,
            field="progress_id",
        )
    return job


def _own_job(progress_id: str, viewer: Viewer) -> CrawlJob:
    """Whoever started a crawl may end it, and so may the owner of its source."""
    job = job_of(progress_id, viewer)
    viewer.must_own("The crawl", job.item.owner_id, job.progress.owner_id)
    return job


def _lock(progress_id: str, verb: str) -> Progress:
    try:
        return tracker.lock(progress_id)
    except ProgressEnded as error:
        raise WrongState("crawl_ended", f"There is nothing to {verb}. {error.message}", hint=error.hint) from None
