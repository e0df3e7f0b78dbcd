"""One bounded slice of a crawl: claim, fetch, extract, record, until time or work runs out.

Fetching is awaited on the process's event loop, several pages at once; extraction and the
database stay on this thread. Everything the slice knows can be lost at any moment: the
frontier is in the database, and what was leased is free again when the lease ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, wait
from functools import partial
from itertools import count

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from crawler import frontier
from crawler.discovery import SEED_TYPES, Beginning, Limits, begin
from crawler.engine import fetcher, github
from crawler.errors import CrawlerError, FetchError
from crawler.extract import extract, extract_text
from crawler.fetcher import PAGE_TYPES, Page
from crawler.frontier import Candidate
from crawler.kinds import MARKDOWN_FIRST, TITLES, Kind
from crawler.models import CrawlJob, CrawlUrl
from crawler.owners import owner_name
from crawler.parts import Split, record_parts
from crawler.reading import Got, chosen, documents_title, get, incoming, sections, with_validators
from crawler.record import TELLING_REASONS, Failed, Fetched, Outcome, Skipped, Unchanged, record
from crawler.rules import JobRules, robots_unreachable
from crawler.scope import Scope
from crawler.turns import Turns
from crawler.twins import paired, same_page
from crawler.urls import host_and_port, origin_of, url_hash
from knowledge.actions import knowledge_changed
from knowledge.ingest import Validators, prepare_document, validators
from progress import tracing, tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.failpoints import failpoint
from progress.loop import submit
from progress.models import Progress
from progress.status import Status

logger = logging.getLogger(__name__)

CLAIM_SIZE = 8
BATCH_SIZE = 8
# How long a wait for pages may last before the slice looks whether the crawl was cancelled.
LOOK_SECONDS = 0.5
LIST_SECONDS = 1.0
RETRY_WAIT_SECONDS = 3.0
NO_TEXT_HINT = "If it shows text in your browser, crawl it with render=browser."
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", ""})
# Below this many queued pages one slice is enough; each further one takes another worker.
PAGES_PER_SLICE = 16


def run(job: CrawlJob) -> bool:
    """Crawl for about SLICE_SECONDS. True when work remains for which another slice should be woken."""
    current = Slice(job)
    try:
        with tracing.span("slice", job=job.pk, progress_id=job.progress_id):
            return current.run()
    except (ProgressEnded, UnknownProgress):
        return False
    finally:
        current.close()


class Slice:
    def __init__(self, job: CrawlJob) -> None:
        self.job = job
        self.scope = Scope.from_json(job.scope)
        self.github = github()
        self.owner = owner_name()
        # By a number of each fetch: a slice that stood still may claim a URL again while its first fetch still flies.
        self.flying: dict[int, tuple[CrawlUrl, Future[Got]]] = {}
        self.numbers = count()
        self.landed: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.known: set[str] = set()
        self.rules = JobRules(job)
        self.turns = Turns(job, self.owner, self.rules)
        self.started = self.looked_at = self.renewed_at = time.monotonic()
        self.retry_at = self.told_at = 0.0

    @property
    def out_of_time(self) -> bool:
        return time.monotonic() - self.started >= settings.SLICE_SECONDS

    def run(self) -> bool:
        if len(frontier.live_owners(self.job)) >= settings.CRAWL_SLICES_PER_JOB:
            return False
        self._begin()
        self.started = time.monotonic()  # a robots.txt that takes its time must not leave a slice without pages
        while self._claim() or self.flying or self._await_retry():
            outcomes = self._collect()
            if outcomes:
                self._record(outcomes)
            self._look()
        tracker.flush(self.job.progress_id)
        return CrawlUrl.objects.filter(job=self.job).due(timezone.now()).exists()

    def close(self) -> None:
        """Stop what is in flight, and give the URLs back."""
        for _, future in self.flying.values():
            future.cancel()
        self.turns.close()
        failpoint("slice.before_release")
        frontier.release(self.job, self.owner)
        failpoint("slice.after_release")

    def _begin(self) -> None:
        failpoint("slice.begin")
        self._advance(Status.STARTING, Status.ANALYZING, f"Reading robots.txt of {origin_of(self.job.url)}")
        self.known = set(CrawlUrl.objects.filter(job=self.job).values_list("url_hash", flat=True)[:10_000])
        self.rules.of(self.job.url)

    # ---- fetching ----

    def _claim(self) -> bool:
        """Keep the fetcher busy. False when there is nothing (more) to claim."""
        if self.out_of_time:
            return False
        self._send(self.turns.due())
        # Where the host sets the pace, pages claimed ahead would only be kept from nobody.
        least = min(CLAIM_SIZE // 2, settings.CRAWL_CONCURRENCY) if self.turns.seed_is_free else 1
        # What has landed is not in flight: the next pages are fetched while these are read.
        in_flight = max(0, len(self.flying) - self.landed.qsize())
        free = settings.CRAWL_CONCURRENCY - in_flight - len(self.turns)
        if len(self.turns) or free < least:
            return bool(len(self.turns))
        urls = frontier.claim(self.job, self.owner, min(free, CLAIM_SIZE) if self.turns.seed_is_free else 1)
        refused: list[Outcome] = []
        allowed: list[CrawlUrl] = []
        for url in urls:
            refusal = self._refusal(url)
            if refusal is None:
                allowed.append(url)
            else:
                refused.append(refusal)
        self.turns.add(allowed)
        self._send(self.turns.due())
        if refused:
            self._record(refused)
        return bool(urls)

    def _send(self, urls: list[CrawlUrl]) -> None:
        asked = [url.url_hash for url in urls] if self.job.generation > 1 else []
        known = validators(self.job.item_id, asked, code_examples=self.job.extract_code_examples) if asked else {}
        for url in urls:
            self._fetch(url, known.get(url.url_hash))

    def _await_retry(self) -> bool:
        """A page that is due again in a moment is worth waiting for; a later one is left to the sweep."""
        if self.out_of_time:
            return False
        queued = CrawlUrl.objects.filter(job=self.job, state=CrawlUrl.State.QUEUED)
        soonest = queued.order_by("next_at").values_list("next_at", flat=True).first()
        if soonest is None or (wait := (soonest - timezone.now()).total_seconds()) > RETRY_WAIT_SECONDS:
            return False
        self.retry_at = time.monotonic() + max(0.05, wait)
        return True

    def _refusal(self, url: CrawlUrl) -> Outcome | None:
        if url in frontier.poisoned([url]):
            lost = FetchError(
                frontier.WORKER_LOST,
                f"{url.url} was given up after {frontier.MAX_ATTEMPTS} workers died or lost it.",
                hint="The page may be too large or malformed; exclude it, or retry the failed pages.",
            )
            return Failed(url, lost)
        # A site that does not answer at all: the seed's own failure says why better than its robots.txt.
        unreachable = url.depth == 0 and self.rules.of(url.url).unreachable
        if self.rules.forbids(url.url) and not unreachable:
            return Skipped(url, "robots", f"Skipped: robots.txt does not allow {url.url}")
        return None

    def _fetch(self, url: CrawlUrl, known: Validators | None) -> None:
        etag, last_modified = known or (None, None)
        seed = url.depth == 0
        accept = SEED_TYPES if seed else PAGE_TYPES
        page = get(
            fetcher(),
            url.url,
            self.github,
            etag=etag,
            last_modified=last_modified,
            accept=accept,
            twin="" if url.twin and self.rules.surely_forbids(url.twin) else url.twin,
            headers=MARKDOWN_FIRST if self.job.discovery.get("negotiates") and not seed else None,
            keep_body=seed,
            code_examples=self.job.extract_code_examples,
            render=self.job.render,
        )
        begun = tracing.begin("fetch", server__address=host_and_port(url.url)[0], depth=url.depth, attempt=url.attempts)
        future = submit(tracing.traced(page, begun))
        number = next(self.numbers)
        self.flying[number] = (url, future)
        future.add_done_callback(lambda _: self._land(number, url))

    def _land(self, number: int, url: CrawlUrl) -> None:
        self.turns.landed(url.id)
        self.landed.put(number)

    def _collect(self) -> list[Outcome]:
        """Wait for a page, then take all that landed meanwhile."""
        outcomes: list[Outcome] = []
        try:
            outcomes.append(self._outcome(self.landed.get(timeout=self._patience())))
            while len(outcomes) < BATCH_SIZE:
                outcomes.append(self._outcome(self.landed.get_nowait()))
        except queue.Empty:
            pass
        return outcomes

    def _patience(self) -> float:
        """Seconds until something other than a page that lands wants attention."""
        moments = [self.turns.ask_at] if len(self.turns) else [] if self.flying else [self.retry_at]
        return max(0.0, min([LOOK_SECONDS, *(moment - time.monotonic() for moment in moments)]))

    # ---- what became of a page ----

    def _outcome(self, landed: int) -> Outcome:
        url, future = self.flying.pop(landed)
        try:
            return self._read(url, future)
        except CrawlerError as error:
            return Failed(url, error)
        except CancelledError:
            return Failed(url, FetchError("cancelled", f"Fetching {url.url} was stopped.", retryable=True))

    def _read(self, url: CrawlUrl, future: Future[Got]) -> Outcome:
        with unreadable(url.url):
            got = future.result()
        page = got.page
        if self.rules.are_unreachable(url.url):
            raise robots_unreachable(url.url)
        begun: Beginning | None = None
        if got.documents:
            return self._file(url, got)
        if url.depth == 0:
            self._move_seed(page.final_url)
            begun = self._discover(url, page)
            if not begun.is_page:
                line = f"{page.final_url} is read as a list of pages, and not stored itself"
                return Skipped(url, begun.kind, line, self._candidates(url, begun.addresses))
        if page.not_modified:
            return Unchanged(url, page.milliseconds, self._candidates(url, begun.addresses if begun else ()))
        if begun is None and page.final_url != url.url and not self.scope.verdict(page.final_url, url.depth).allowed:
            return Skipped(url, "redirected_out", f"Skipped: {url.url} leads out of scope to {page.final_url}")
        with unreadable(url.url), tracing.span("extract", bytes=page.size, status=page.status):
            return self._extract(url, page, begun)

    def _extract(self, url: CrawlUrl, page: Page, begun: Beginning | None) -> Outcome:
        """What the page says. No database here: whatever goes wrong is the page's own fault."""
        if parts := sections(page):
            line = f"{page.final_url} is {TITLES[Kind.LLMS_FULL_TXT]}: read as {len(parts)} sections"
            wanted = self.job.extract_code_examples
            documents = [prepare_document(dataclasses.replace(part, code_examples=wanted)) for part in parts]
            more = self._candidates(url, begun.addresses if begun else ())
            return Split(url, page.status, page.milliseconds, page.size, parts[0].title, line, documents, more)
        read = extract if page.content_type in HTML_TYPES else None
        found = read(page.text, page.final_url) if read else extract_text(page.text, page.final_url, page.content_type)
        if found.noindex and self.job.respect_robots:
            return Skipped(url, "noindex", f"Skipped: {url.url} asks not to be indexed")
        if not found.markdown.strip():
            return Failed(url, FetchError("empty_page", f"{url.url} has no text.", hint=page.note or NO_TEXT_HINT))
        headings = ((heading.level, heading.text, heading.anchor) for heading in found.headings)
        about = {"description": found.description, "language": found.language}
        read_page = incoming(page, page.final_url, found.title, found.markdown, headings, page.content_type, **about)
        read_page = dataclasses.replace(with_validators(read_page, page), code_examples=self.job.extract_code_examples)
        document = prepare_document(read_page)
        links: tuple[str, ...] = () if found.nofollow and self.job.respect_robots else found.links
        if begun is not None:
            links = (*(links if begun.follow else ()), *begun.addresses)
        pairs = paired((page.final_url, *links), begun.markdown) if begun else {}
        return Fetched(
            url,
            page.final_url,
            page.status,
            page.milliseconds,
            page.size,
            document,
            self._candidates(url, links, pairs),
            rendered=page.rendered,
            note=page.note,
        )

    def _file(self, url: CrawlUrl, got: Got) -> Outcome:
        """A PDF document, or a folder of a GitHub repository."""
        page = got.page
        if url.depth == 0:
            self._advance(Status.ANALYZING, Status.DISCOVERING, f"{url.url} is {TITLES[got.kind]}")
            self.job.discovery = {"kind": got.kind.value, "seed": page.final_url, "found": len(got.documents)}
            self.job.save(update_fields=["discovery"])
        elif page.final_url != url.url and not self.scope.verdict(page.final_url, url.depth).allowed:
            return Skipped(url, "redirected_out", f"Skipped: {url.url} leads out of scope to {page.final_url}")
        if got.kind is not Kind.GITHUB_TREE and len(got.documents) == 1:
            (document,) = got.documents
            return Fetched(url, page.final_url, page.status, page.milliseconds, page.size, document, ())
        place = self.github.place(url.url)
        documents, left = chosen(got, self.scope, place, self.github)
        links = [Candidate(address, url.depth, reason) for address, reason in left.items()]
        title = documents_title(got, place)
        line = f"{url.url} is {TITLES[got.kind]}: read as {len(documents)} documents"
        return Split(url, page.status, page.milliseconds, page.size, title, line, documents, links)

    def _discover(self, url: CrawlUrl, page: Page) -> Beginning:
        """What the seed is and what its site names: the log tells it, the frontier gets it with the seed's links."""
        rules = self.rules.of(page.final_url)
        self._advance(Status.ANALYZING, Status.DISCOVERING, "Looking for sitemaps and llms.txt")
        agent = settings.USER_AGENT if self.job.respect_robots else None
        fetch = partial(self.turns.polite, fetcher().fetch)
        limits = Limits(urls=min(50_000, 2 * self.job.max_pages))
        belongs, hub = self._is_telling, self.github
        future = submit(begin(page, fetch, rules, agent=agent, belongs=belongs, limits=limits, github=hub))
        try:
            while not wait([future], LOOK_SECONDS).done:
                frontier.renew(self.owner, [url.id])
                self._look()
            with unreadable(page.final_url):
                begun = future.result()
        finally:
            future.cancel()
        self.job.discovery = begun.to_json()
        self.job.save(update_fields=["discovery"])
        failpoint("discovery.after_commit")
        tracker.update(self.job.progress_id, lines=[*begun.lines, *begun.notes])
        return begun

    def _advance(self, before: Status, after: Status, line: str) -> None:
        """Move on if the crawl still stands there. Read and moved under one lock: a pause in between must hold."""
        with transaction.atomic():
            row = tracker.lock(self.job.progress_id)
            if row.status == Status.PAUSED:
                raise ProgressEnded("The crawl is paused.")
            if row.status == before:
                tracker.update(row.id, row=row, status=after, lines=[line])

    def _is_telling(self, link: str) -> bool:
        verdict = self.scope.verdict(link, 1)
        return verdict.allowed or verdict.reason in TELLING_REASONS

    def _move_seed(self, final_url: str) -> None:
        """The seed redirects (http to https, /docs to /docs/, / to /en/): the scope goes along."""
        if final_url == self.scope.seed:
            return
        self.scope = dataclasses.replace(self.scope, seed=final_url)
        self.job.scope = self.scope.to_json()
        self.job.save(update_fields=["scope"])

    def _candidates(
        self, url: CrawlUrl, links: tuple[str, ...], twins: Mapping[str, str] | None = None
    ) -> list[Candidate]:
        """`twins`: pages with the addresses of their Markdown, which are no pages of their own then."""
        depth, twins = url.depth + 1, twins or {}
        named_twice = frozenset(twins.values())
        offers_markdown = self.job.discovery.get("markdown")
        candidates = []
        for link in links:
            if url_hash(link) in self.known or link in named_twice:
                continue
            verdict = self.scope.verdict(link, depth)
            if verdict.allowed:
                forbidden = "robots" if self.rules.surely_forbids(link) else ""
                same = tuple(map(url_hash, same_page(link))) if offers_markdown else ()
                candidates.append(Candidate(link, depth, forbidden, twins.get(link, ""), same))
            elif verdict.reason in TELLING_REASONS:
                candidates.append(Candidate(link, depth, verdict.reason))
        return candidates

    # ---- the database ----

    def _record(self, outcomes: list[Outcome]) -> None:
        for split in [outcome for outcome in outcomes if isinstance(outcome, Split)]:
            if not record_parts(self.job, split):
                outcomes.remove(split)
        with tracing.span("store", pages=len(outcomes)):
            row = record(self.job, self.scope, outcomes, self.known)
        self._tell_lists(row)
        if row.ended:
            raise ProgressEnded(f"The crawl is {row.status}.")
        self._share(row)

    def _tell_lists(self, row: Progress) -> None:
        """Lists of sources show a crawl's counts as it goes, at most about once a second."""
        if row.ended or time.monotonic() - self.told_at >= LIST_SECONDS:
            self.told_at = time.monotonic()
            knowledge_changed(self.job.item.source_id, "updated")

    def _share(self, row: Progress) -> None:
        """Ask another worker in when more is queued than this slice will get to."""
        if row.total_pages - row.processed_pages - len(self.flying) > PAGES_PER_SLICE and self.turns.seed_is_free:
            from crawler.tasks import wake_another

            wake_another(self.job)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self.looked_at >= LOOK_SECONDS:
            self.looked_at = now
            row = Progress.objects.only("status").get(pk=self.job.progress_id)
            if row.ended or row.status == Status.PAUSED:
                raise ProgressEnded(f"The crawl is {row.status}.")
        if now - self.renewed_at >= settings.CRAWL_LEASE_SECONDS / 3:
            self.renewed_at = now
            frontier.renew(self.owner, [*(url.id for url, _ in self.flying.values()), *self.turns.ids])
            self.turns.renew()


@contextlib.contextmanager
def unreadable(url: str) -> Iterator[None]:
    """A page that breaks a parser fails alone, and says so. A fault of ours (the database, say) is not the page's."""
    try:
        yield
    except (CrawlerError, CancelledError):
        raise
    except Exception as error:
        logger.exception("reading %s", url)
        raise FetchError("unreadable", f"{url} could not be read: {type(error).__name__}: {error}") from error
