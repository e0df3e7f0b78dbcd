"""One bounded slice of a crawl: claim, fetch, judge, record, until time or work runs out.

Fetching is awaited on the process's event loop, several pages at once; extraction and the
database stay on this thread. Everything the slice knows can be lost at any moment: the
frontier is in the database, and what was leased is free again when the lease ends.
"""

from __future__ import annotations

import queue
import time
from concurrent.futures import Future
from itertools import count

from django.conf import settings
from django.utils import timezone

from crawler import admission, frontier
from crawler.asking import Asking
from crawler.discovery import SEED_TYPES
from crawler.engine import fetcher, github
from crawler.fetcher import PAGE_TYPES
from crawler.kinds import MARKDOWN_FIRST
from crawler.models import CrawlJob, CrawlUrl
from crawler.outcome import LOOK_SECONDS, Outcomes, advance
from crawler.owners import owner_name
from crawler.parts import Split, record_parts
from crawler.reading import Got, get
from crawler.record import Outcome, record
from crawler.rules import JobRules
from crawler.turns import Turns
from crawler.urls import host_and_port, origin_of
from knowledge.actions import knowledge_changed
from knowledge.ingest import Validators, validators
from progress import tracing, tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.failpoints import failpoint
from progress.loop import submit
from progress.models import Progress
from progress.status import Status

CLAIM_SIZE = 8
BATCH_SIZE = 8
LIST_SECONDS = 1.0
RETRY_WAIT_SECONDS = 3.0
# Below this many queued pages one slice is enough; each further one takes another worker.
PAGES_PER_SLICE = 16


def run(job: CrawlJob) -> bool:
    """Crawl for about SLICE_SECONDS, if this crawl's turn has come. True when work remains for which another slice
    should be woken."""
    try:
        if not admission.admit(job):
            return False
    except (ProgressEnded, UnknownProgress):
        return False
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
        self.github = github()
        self.owner = owner_name()
        # By a number of each fetch: a slice that stood still may claim a URL again while its first fetch still flies.
        self.flying: dict[int, tuple[CrawlUrl, Future[Got]]] = {}
        self.numbers = count()
        # None: a robots.txt was answered.
        self.landed: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.rules = JobRules(job)
        self.turns = Turns(job, self.owner, self.rules)
        self.asking = Asking(self.rules, self.turns, lambda: self.landed.put(None))
        self.outcomes = Outcomes(job, self.rules, self.turns, self._look)
        self.started = self.looked_at = self.renewed_at = time.monotonic()
        self.retry_at = self.told_at = 0.0
        self.recorded = self.only_asked = self.suspecting = False

    @property
    def out_of_time(self) -> bool:
        return time.monotonic() - self.started >= settings.SLICE_SECONDS

    @property
    def busy(self) -> bool:
        return bool(self.flying or len(self.turns) or len(self.asking))

    def run(self) -> bool:
        if len(frontier.live_owners(self.job)) >= settings.CRAWL_SLICES_PER_JOB:
            return False
        self._begin()
        while self._claim() or self.flying or self._await_retry():
            outcomes = self._collect()
            if outcomes:
                self._record(outcomes)
            self._look()
        tracker.flush(self.job.progress_id)
        return bool(len(self.asking)) or CrawlUrl.objects.filter(job=self.job).due(timezone.now()).exists()

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
        advance(self.job, Status.STARTING, Status.ANALYZING, f"Reading robots.txt of {origin_of(self.job.url)}")
        self.outcomes.known |= set(CrawlUrl.objects.filter(job=self.job).values_list("url_hash", flat=True)[:10_000])
        self.rules.ask([self.rules.origin(self.job.url)])

    # ---- fetching ----

    def _claim(self) -> bool:
        """Keep the fetcher busy. False when there is nothing (more) to claim."""
        self.only_asked = False
        self._judge([])
        if self.out_of_time:  # a slice that got nowhere yet waits for the answer of a host
            return bool(len(self.asking)) and not self.recorded
        self._send(self.turns.due())
        # Where the host sets the pace, pages claimed ahead would only be kept from nobody.
        least = min(CLAIM_SIZE // 2, settings.CRAWL_CONCURRENCY) if self.turns.seed_is_free else 1
        # What has landed is not in flight: the next pages are fetched while these are read.
        in_flight = max(0, len(self.flying) - self.landed.qsize())
        free = settings.CRAWL_CONCURRENCY - in_flight - len(self.turns)
        if len(self.turns) or free < least or (self.suspecting and self.busy):
            return bool(len(self.turns) or len(self.asking))
        urls = frontier.claim(self.job, self.owner, min(free, CLAIM_SIZE) if self.turns.seed_is_free else 1)
        self.suspecting = not urls and not self.busy
        if self.suspecting:
            urls = frontier.claim_suspect(self.job, self.owner)
        self.only_asked = bool(urls) and not self._judge(urls)
        return bool(urls or len(self.asking))

    def _judge(self, claimed: list[CrawlUrl]) -> bool:
        """Fetch, or refuse, the pages whose host's robots.txt is known by now: whether there were any."""
        refused: list[Outcome] = []
        allowed: list[CrawlUrl] = []
        for url in self.asking.known(claimed) if self.job.respect_robots else claimed:
            refusal = self.outcomes.refusal(url)
            if refusal is None:
                allowed.append(url)
            else:
                refused.append(refusal)
        if allowed:
            self.turns.add(allowed)
            self._send(self.turns.due())
        if refused:
            self._record(refused)
        return bool(allowed or refused)

    def _send(self, urls: list[CrawlUrl]) -> None:
        asked = frontier.read_before(self.job, urls) if self.job.conditional else set()
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
        patience = self._patience()
        try:
            while len(outcomes) < BATCH_SIZE:
                landed = self.landed.get(timeout=patience)
                patience = 0.0
                if landed is not None:
                    outcomes.append(self._outcome(landed))
        except queue.Empty:
            pass
        return outcomes

    def _patience(self) -> float:
        """Seconds until something other than a page that lands wants attention."""
        if self.only_asked:  # behind the pages that wait for their hosts others may be due
            return 0.0
        busy = self.flying or len(self.asking)
        moments = [self.turns.ask_at] if len(self.turns) else [] if busy else [self.retry_at]
        return max(0.0, min([LOOK_SECONDS, *(moment - time.monotonic() for moment in moments)]))

    def _outcome(self, landed: int) -> Outcome:
        return self.outcomes.of(*self.flying.pop(landed))

    # ---- the database ----

    def _record(self, outcomes: list[Outcome]) -> None:
        self.recorded = True
        for split in [outcome for outcome in outcomes if isinstance(outcome, Split)]:
            if not record_parts(self.job, split):
                outcomes.remove(split)
        with tracing.span("store", pages=len(outcomes)):
            row = record(self.job, self.outcomes.scope, outcomes, self.outcomes.known)
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
            if row.ended or row.status in admission.NOT_RUNNING:
                raise ProgressEnded(f"The crawl is {row.status}.")
        if now - self.renewed_at >= settings.CRAWL_LEASE_SECONDS / 3:
            self.renewed_at = now
            frontier.renew(
                self.owner, [*(url.id for url, _ in self.flying.values()), *self.turns.ids, *self.asking.ids]
            )
            self.turns.renew()
