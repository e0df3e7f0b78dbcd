"""The one transaction in which fetched pages become knowledge, rows, counters and an event.

Documents, chunks, the frontier's states, the new URLs and the numbered event commit together
or not at all: the counters cannot drift from the rows, and a killed worker leaves no half page.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from crawler import admission, frontier, hosts
from crawler.engine import github
from crawler.errors import CrawlerError, FetchError
from crawler.frontier import Candidate
from crawler.models import CrawlJob, CrawlUrl
from crawler.parts import SPLIT, Split, end_split, parts_of
from crawler.scope import Scope
from crawler.sign_in import SIGN_IN, SIGN_IN_HINT, sign_in_message
from crawler.urls import origin_of
from crawler.verdicts import verdict_of
from knowledge.actions import name_item
from knowledge.embedding import queue
from knowledge.embedding.telling import missing_vectors, waits_for_vectors
from knowledge.ingest import PreparedDocument, Stored, keep_documents, remove_documents, store_documents
from knowledge.models import Document, KnowledgeItem
from progress import tracker, usage
from progress.failpoints import failpoint
from progress.messages import ErrorBody, UrlVerdict
from progress.models import Progress
from progress.plural import plural, sizes
from progress.status import Status

logger = logging.getLogger(__name__)

RETRY_SECONDS = (2.0, 8.0)
# A link that leads out of the site is no news; one that a rule of this crawl keeps out is shown.
NOT_MODIFIED = 304
GONE = (404, 410)
LEFT_REASONS = ("noindex", "redirected_out")
FRAMES = "frames"
# Pages that a crawl which was stopped or given up had still before it.
CANCELLED, STALLED = "cancelled", "stalled"
# What a refresh asks for again although it stored nothing under its own address.
ASKED_AGAIN = (*LEFT_REASONS, SPLIT, FRAMES, SIGN_IN, CANCELLED, STALLED)
TELLING_REASONS = frozenset({"robots", "excluded", "not_included", "query_variants", "repeating_path"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page that was got and read. `links` are judged but for what only the database knows.

    `note` says why a page that needs a browser was stored without one.
    """

    url: CrawlUrl
    final_url: str
    http_status: int
    milliseconds: int
    size: int
    document: PreparedDocument
    links: Sequence[Candidate]
    rendered: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The server answered 304: the page is stored already. A seed's `links` are what its site names."""

    url: CrawlUrl
    milliseconds: int
    links: Sequence[Candidate] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A URL that turned out not to belong: forbidden by robots.txt, redirected out of scope, a sitemap with `links`."""

    url: CrawlUrl
    reason: str
    line: str
    links: Sequence[Candidate] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    url: CrawlUrl
    error: CrawlerError


Outcome = Fetched | Unchanged | Skipped | Split | Failed


def record(job: CrawlJob, scope: Scope, outcomes: Sequence[Outcome], known: set[str]) -> Progress:
    """Store a batch and report it; end the crawl when this was the last of it.

    Raises ProgressEnded when the crawl is over (cancelled, say): nothing is stored then.
    `known` gains the hashes of every URL that this batch linked to.
    """
    failpoint("record.begin")
    with transaction.atomic():
        row = tracker.lock(job.progress_id)
        if not KnowledgeItem.objects.visible().filter(pk=job.item_id).exists():
            return tracker.cancel(job.progress_id, row=row, lines=["Cancelled: the source was deleted."])
        mine = frontier.still_leased([outcome.url for outcome in outcomes])
        batch = Batch(job, row, scope, known)
        batch.store([outcome for outcome in outcomes if (outcome.url.id, outcome.url.epoch) in mine])
        failpoint("record.before_commit")
    failpoint("record.after_commit")
    known |= batch.hashes
    return batch.row


class Batch:
    """The counters and log lines of one transaction, gathered while its rows are written."""

    def __init__(self, job: CrawlJob, row: Progress, scope: Scope, known: set[str]) -> None:
        self.job = job
        self.row = row
        self.scope = scope
        self.known = known
        self.hashes: set[str] = set()
        self.add = dict.fromkeys(
            (
                "processed_pages",
                "failed_pages",
                "skipped_pages",
                "total_pages",
                "discovered_urls",
                "chunks_stored",
                "code_examples_stored",
                "word_count",
            ),
            0,
        )
        self.lines: list[str] = []
        self.verdicts: list[UrlVerdict] = []

    def store(self, outcomes: Sequence[Outcome]) -> None:
        fetched = [outcome for outcome in outcomes if isinstance(outcome, Fetched)]
        stored = store_documents(
            self.job.item_id, [outcome.document for outcome in fetched], generation=self.job.generation
        )
        failpoint("record.stored")
        for outcome, result in zip(fetched, stored, strict=True):
            self._done(outcome, result)
        self._keep([outcome for outcome in outcomes if isinstance(outcome, Unchanged)])
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        for other in outcomes:
            if isinstance(other, Skipped):
                self._skip(other)
            elif isinstance(other, Split):
                self._split(other)
        # In one order for all crawls: two that two hosts hold back would wait for each other's rows of them.
        for failed in sorted(failures, key=_origin):
            self._fail(failed)
        frontier.save_results([outcome.url for outcome in outcomes])
        self.verdicts += [verdict_of(outcome.url) for outcome in outcomes]
        self._add_links([outcome for outcome in outcomes if not isinstance(outcome, Failed)])
        self._report(fetched)
        self._count(outcomes)

    def _done(self, outcome: Fetched, result: Stored) -> None:
        url = outcome.url
        url.state, url.reason = CrawlUrl.State.DONE, result.outcome
        if outcome.final_url != url.url:
            url.reason = "redirected"
        url.http_status, url.milliseconds, url.size = outcome.http_status, outcome.milliseconds, outcome.size
        url.rendered = outcome.rendered
        if outcome.note:
            self.lines.append(f"{url.url}: {outcome.note}")
        self._stored(url, result)
        if url.depth == 0:
            name_item(self.job.item_id, outcome.document.incoming.title)

    def _stored(self, url: CrawlUrl, result: Stored) -> None:
        url.chunks, url.document_id, url.fetched_at = result.chunks, result.document_id, timezone.now()
        url.error_code = url.error_message = url.error_hint = ""
        self.add["processed_pages"] += 1
        self.add["chunks_stored"] += result.chunks
        self.add["code_examples_stored"] += result.code_examples
        self.add["word_count"] += result.words

    def _keep(self, unchanged: Sequence[Unchanged]) -> None:
        hashes = [outcome.url.url_hash for outcome in unchanged]
        kept = keep_documents(self.job.item_id, hashes, generation=self.job.generation, fetched_at=timezone.now())
        for outcome in unchanged:
            url, result = outcome.url, kept.get(outcome.url.url_hash)
            if result is None:  # deleted meanwhile: ask for all of it
                url.state = CrawlUrl.State.QUEUED
                continue
            url.state, url.reason = CrawlUrl.State.DONE, result.outcome
            url.http_status, url.milliseconds, url.size = NOT_MODIFIED, outcome.milliseconds, 0
            self._stored(url, result)

    def _skip(self, outcome: Skipped) -> None:
        url = outcome.url
        url.state, url.reason, url.http_status = CrawlUrl.State.SKIPPED, outcome.reason, None
        url.error_code = url.error_message = url.error_hint = ""  # of an attempt before this one
        self.add["skipped_pages"] += 1
        self.add["total_pages"] -= 1
        self.lines.append(outcome.line)

    def _split(self, outcome: Split) -> None:
        gone = end_split(self.job, outcome)
        self.add["skipped_pages"] += 1
        self.add["total_pages"] -= 1
        self.lines.append(
            outcome.line + (f"; {plural(gone, 'is', 'are')} no longer in it and not stored any more" if gone else "")
        )
        if outcome.url.depth == 0:
            name_item(self.job.item_id, outcome.title)

    def _fail(self, outcome: Failed) -> None:
        url, error = outcome.url, outcome.error
        asked = hosts.asked_seconds(error)
        if asked is not None and url.throttles < hosts.MAX_THROTTLES:
            frontier.mark_retry(url, error, asked)
            url.attempts, url.throttles = url.attempts - 1, url.throttles + 1
            self._hold(outcome, asked)
            return
        if isinstance(error, FetchError) and error.retryable and url.attempts < frontier.MAX_ATTEMPTS:
            seconds = RETRY_SECONDS[min(url.attempts, 2) - 1]
            frontier.mark_retry(url, error, seconds)
            self.lines.append(f"{error.message} Trying again in {seconds:.0f} s.")
            if error.status == hosts.TOO_MANY:  # without a usable Retry-After it still means every page of the host
                self._hold(outcome, seconds)
            return
        error = broken_link(url, error)
        frontier.mark_failed(url, error)
        url.fetched_at = timezone.now()
        self.add["processed_pages"] += 1
        self.add["failed_pages"] += 1
        self.lines.append(f"Failed: {error.message}")

    def _hold(self, outcome: Failed, seconds: float) -> None:
        """The host asks to be left alone for a while: all of its pages wait."""
        url, error = outcome.url, outcome.error
        origin, status = _origin(outcome), getattr(error, "status", None) or hosts.TOO_MANY
        url.next_at, news = hosts.hold(self.job, origin, seconds, status)
        if news:
            line = f"{origin} asks us to slow down (HTTP status {status}): its pages wait {seconds:.0f} s."
            self.lines.append(line)
            logger.info("%s: %s", self.job.progress_id, line)

    def _add_links(self, read: Iterable[Fetched | Unchanged | Skipped | Split]) -> None:
        candidates = (link for outcome in read for link in outcome.links)
        room = self.job.max_pages - (self.row.total_pages + self.add["total_pages"])
        added = frontier.add(self.job, candidates, room=max(0, room), known=self.known)
        self.hashes = added.hashes
        self.verdicts += map(verdict_of, added.left_out)
        self.add["total_pages"] += added.queued
        self.add["skipped_pages"] += added.skipped
        self.add["discovered_urls"] += added.queued + added.skipped
        if added.over_limit and not self.job.truncated:
            self.job.truncated = "max_pages"
            self.job.save(update_fields=["truncated"])
            self.lines.append(f"Page limit of {self.job.max_pages} reached: further links are left out.")

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        """Against what the account may take a day. The documents of a file are counted where they are stored."""
        sent = sum(outcome.size for outcome in outcomes if isinstance(outcome, Fetched | Split))
        usage.note(self.row.owner_id, usage.Kind.PAGES, self.add["processed_pages"])
        usage.note(self.row.owner_id, usage.Kind.BYTES, sent)

    def _report(self, fetched: Sequence[Fetched]) -> None:
        done = self.row.processed_pages + self.add["processed_pages"]
        total = self.row.total_pages + self.add["total_pages"]
        if fetched:
            rendered = sum(outcome.rendered for outcome in fetched)
            shown = f", {rendered} of the last {len(fetched)} by a browser" if rendered else ""
            self.lines.append(f"Processed {done:,}/{plural(total, 'page')}{shown}")
        self.row = tracker.update(
            self.job.progress_id,
            row=self.row,
            status=admission.crawling(self.row),
            add=self.add,
            set_={"current_url": fetched[-1].url.url} if fetched else None,
            lines=self.lines,
            growing=frontier.may_grow(self.job, self.scope.max_depth),
            verdicts=self.verdicts,
        )
        if done >= total:
            self.row = finish(self.job, self.row)


def broken_link(url: CrawlUrl, error: CrawlerError) -> CrawlerError:
    """What the site does not have although it leads to it is told as that, with the place of the link."""
    if not (isinstance(error, FetchError) and error.status in GONE and url.found_on):
        return error
    broken = FetchError(
        error.code,
        f"{url.url} does not exist (HTTP status {error.status}); the link to it was found on {url.found_on}.",
        hint="The site lacks the page or has moved it: nothing is wrong here, and only its owner can mend the link.",
        status=error.status,
    )
    broken.milliseconds = error.milliseconds
    return broken


def _origin(outcome: Failed) -> str:
    """The host that was asked for the page."""
    return origin_of(github().address(outcome.url.url))


def finish(job: CrawlJob, row: Progress) -> Progress:
    """End a crawl that has nothing outstanding: completed if a page was stored, failed with the reason if none was."""
    job.refresh_from_db(fields=["truncated"])  # another slice may have met the page limit
    stored = row.processed_pages - row.failed_pages
    if stored > 0 and waits_for_vectors(job.item_id, row):
        return row
    removed = remove_vanished(job) if stored > 0 else 0
    failpoint("finish.before_commit")
    if stored > 0:
        embedded = min(queue.embedded_count(job.item_id), row.chunks_stored)
        tracker.update(job.progress_id, row=row, status=Status.FINALIZING, set_={"embedded_chunks": embedded})
        return tracker.complete(job.progress_id, row=row, lines=[_summary(job, row, stored, removed)])
    return tracker.fail(job.progress_id, _reason(job), row=row)


def remove_vanished(job: CrawlJob) -> int:
    """Pages that the site says are gone or elsewhere, now and at a crawl before, and that were not seen in between:
    once could be a mishap. A crawl that was stopped before it asked for a page says nothing of it."""
    gone = _gone(job)
    old = Document.objects.filter(item=job.item_id, generation__lt=job.generation - 1)
    # Asked for the other way round: there are far fewer old documents than URLs that a list in SQL may hold.
    seen = {digest: seen for digest, seen in old.values_list("url_hash", "generation") if digest in gone}
    if not seen:
        return 0
    since = CrawlJob.objects.filter(
        item=job.item_id, generation__gt=min(seen.values()), generation__lt=job.generation
    ).order_by("generation")
    missed = {digest: before.generation for before in since for digest in _gone(before) & seen.keys()}
    return remove_documents(job.item_id, [digest for digest in seen if missed.get(digest, 0) > seen[digest]])


def _gone(job: CrawlJob) -> set[str]:
    """Hashes of what the site said in this crawl is no longer there, with the parts of files that are not."""
    failed = Q(state=CrawlUrl.State.FAILED, http_status__in=GONE)
    moved = Q(state=CrawlUrl.State.DONE, reason="redirected")
    left = Q(state=CrawlUrl.State.SKIPPED, reason__in=LEFT_REASONS)
    gone = set(CrawlUrl.objects.filter(failed | moved | left, job=job).values_list("url_hash", flat=True))
    return gone | parts_of(job, list(gone))


def _said_twice(job: CrawlJob) -> int:
    """Pages whose text is that of another one: several addresses of a page, or of "not found" with status 200."""
    done = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.DONE, document__isnull=False)
    shown = Coalesce("document__alias_of_id", "document_id")
    counts = done.aggregate(pages=Count("pk"), texts=Count(shown, distinct=True))
    return int(counts["pages"] - counts["texts"])


def _failures(job: CrawlJob, row: Progress) -> Iterator[str]:
    """Links that the site itself has broken are told apart: to try them again brings nothing."""
    missing = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.FAILED, http_status__in=GONE).exclude(found_on="")
    if broken := missing.count():
        yield f"The site has {plural(broken, 'broken link')} of its own; the list of pages says where."
    if failed := row.failed_pages - broken:
        they = "it" if failed == 1 else "they"
        yield f"{plural(failed, 'page')} failed; the list of pages says why, and {they} can be retried."


def _summary(job: CrawlJob, row: Progress, stored: int, removed: int) -> str:
    parts = [f"Completed: {sizes(page=stored, chunk=row.chunks_stored, word=row.word_count)}."]
    if row.code_examples_stored:
        parts.append(f"{plural(row.code_examples_stored, 'code example')} can be searched apart from text.")
    if twice := _said_twice(job):
        parts.append(f"{plural(twice, 'of them has', 'of them have')} the text of another page: it is stored once.")
    if rendered := CrawlUrl.objects.filter(job=job, rendered=True).count():
        parts.append(f"{plural(rendered, 'page was', 'pages were')} read by a browser.")
    parts += _failures(job, row)
    if removed:
        parts.append(f"{plural(removed, 'page is', 'pages are')} gone from the site and no longer stored.")
    parts += missing_vectors(job.item_id)
    if variants := CrawlUrl.objects.filter(job=job, reason="query_variants").count():
        parts.append(
            f"At least {plural(variants, 'variant')} of one address left out: pages that differ in parameters only."
        )
    if (closed := _signing_in(job).count()) > stored:
        parts.append(f"{closed} addresses lead to a sign-in form; what lies behind it is not stored. {SIGN_IN_HINT}")
    if job.truncated:
        parts.append(f"Stopped at the page limit of {job.max_pages}.")
    return " ".join(parts)


def _signing_in(job: CrawlJob) -> QuerySet[CrawlUrl]:
    return CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.SKIPPED, reason=SIGN_IN)


def _reason(job: CrawlJob) -> ErrorBody:
    """Why nothing was stored: the seed's own failure says it best."""
    if _signing_in(job).filter(depth=0).exists():
        return ErrorBody(
            code="sign_in_required",
            message=sign_in_message(job.url),
            hint=SIGN_IN_HINT,
        )
    failed = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.FAILED).order_by("depth", "id").first()
    if failed is not None:
        return ErrorBody(code=failed.error_code, message=failed.error_message, hint=failed.error_hint)
    if CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.SKIPPED, reason="robots").exists():
        return ErrorBody(
            code="robots_forbidden",
            message=f"The site's robots.txt does not allow crawling {job.url}.",
            hint="Ask the site's owner, or crawl your own site with respect_robots=false.",
        )
    return ErrorBody(
        code="empty_site",
        message=f"{job.url} leads to no page within the scope of this crawl.",
        hint="Check the address, the scope and the include and exclude patterns.",
    )
