"""What becomes of a page: stored, skipped, split or failed, and which links it adds to the frontier.

Here a page is judged and read, and nothing of it is stored: an outcome goes to `record`. Of the seed more is asked:
what it is, what its site names besides, and whether the crawl's scope moves along with its redirect.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, wait
from functools import partial

from django.conf import settings
from django.db import transaction

from crawler import frontier
from crawler.admission import NOT_RUNNING
from crawler.discovery import Beginning, Limits, begin
from crawler.engine import fetcher, github
from crawler.errors import CrawlerError, FetchError
from crawler.extract import extract, extract_text
from crawler.fetcher import NO_TEXT_HINT, Page
from crawler.frontier import Candidate
from crawler.kinds import HTML_TYPES, TITLES, Kind
from crawler.models import CrawlJob, CrawlUrl
from crawler.parts import Split
from crawler.reading import Got, chosen, documents_title, incoming, sections, with_validators
from crawler.record import FRAMES, TELLING_REASONS, Failed, Fetched, Outcome, Skipped, Unchanged
from crawler.rules import JobRules
from crawler.scope import Scope
from crawler.sign_in import SIGN_IN, asks_to_sign_in, sign_in_message
from crawler.turns import Turns
from crawler.twins import paired, same_page
from crawler.urls import url_hash
from knowledge.ingest import prepare_document
from progress import tracing, tracker
from progress.errors import ProgressEnded
from progress.failpoints import failpoint
from progress.loop import submit
from progress.plural import plural
from progress.status import Status

logger = logging.getLogger(__name__)

# How long a wait may last before it is looked whether the crawl was cancelled.
LOOK_SECONDS = 0.5
_FRAMES = re.compile(r"<frameset\b", re.IGNORECASE)
READ_AS_HTML = HTML_TYPES | {""}


class Outcomes:
    """Of one slice. `look` raises ProgressEnded once the crawl is over, and is called during long waits."""

    def __init__(self, job: CrawlJob, rules: JobRules, turns: Turns, look: Callable[[], None]) -> None:
        self.job = job
        self.scope = Scope.from_json(job.scope)
        self.github = github()
        self.rules = rules
        self.turns = turns
        self.look = look
        self.known: set[str] = set()

    def refusal(self, url: CrawlUrl) -> Outcome | None:
        """Why this URL is not fetched at all, if it is not."""
        if url in frontier.poisoned([url]):
            lost = FetchError(
                frontier.WORKER_LOST,
                f"{url.url} was given up after {frontier.MAX_ATTEMPTS} workers died or lost it.",
                hint="The page may be too large or malformed; exclude it, or retry the failed pages.",
            )
            return Failed(url, lost)
        # A site that does not answer at all: the seed's own failure says why better than its robots.txt.
        unreachable = self.rules.are_unreachable(url.url)
        if unreachable and url.depth:
            return Failed(url, self.rules.unreachable(url.url))
        if not unreachable and self.rules.forbids(url.url):
            return Skipped(url, "robots", f"Skipped: robots.txt does not allow {url.url}")
        return None

    def of(self, url: CrawlUrl, future: Future[Got]) -> Outcome:
        """Of a page whose fetch has ended, well or badly. Whatever is the page's own fault is its failure."""
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
            raise self.rules.unreachable(url.url)
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
            return Unchanged(url, page.milliseconds, self._led_to(url, (), begun))
        if begun is None and page.final_url != url.url and not self.scope.verdict(page.final_url, url.depth).allowed:
            with unreadable(url.url):
                reason = SIGN_IN if self._asks_to_sign_in(page) else "redirected_out"
            return Skipped(url, reason, f"Skipped: {url.url} leads out of scope to {page.final_url}")
        with unreadable(url.url), tracing.span("extract", bytes=page.size, status=page.status):
            return self._extract(url, page, begun)

    def _extract(self, url: CrawlUrl, page: Page, begun: Beginning | None) -> Outcome:
        """What the page says. No database here: whatever goes wrong is the page's own fault."""
        if parts := sections(page):
            line = f"{page.final_url} is {TITLES[Kind.LLMS_FULL_TXT]}: read as {plural(len(parts), 'section')}"
            wanted = self.job.extract_code_examples
            documents = [prepare_document(dataclasses.replace(part, code_examples=wanted)) for part in parts]
            more = self._led_to(url, (), begun)
            return Split(url, page.status, page.milliseconds, page.size, parts[0].title, line, documents, more)
        if page.content_type in READ_AS_HTML:
            found = extract(page.text, page.final_url)
        else:
            found = extract_text(page.text, page.final_url, page.content_type)
        links: tuple[str, ...] = () if found.nofollow and self.job.respect_robots else found.links
        if page.content_type in READ_AS_HTML and asks_to_sign_in(
            page.text, page.final_url, found.title, found.markdown
        ):
            line = f"Skipped: {sign_in_message(url.url)}"
            return Skipped(url, SIGN_IN, line, self._led_to(url, links, begun))
        if found.noindex and self.job.respect_robots:
            return Skipped(url, "noindex", f"Skipped: {url.url} asks not to be indexed")
        if not found.markdown.strip():
            if _FRAMES.search(page.text):
                line = f"{url.url} shows other pages in frames"
                return Skipped(url, FRAMES, line, self._led_to(url, links, begun))
            hint = page.note or NO_TEXT_HINT
            empty = FetchError("empty_page", f"{url.url} has no text.", hint=hint, status=page.status)
            empty.milliseconds = page.milliseconds
            return Failed(url, empty)
        headings = ((heading.level, heading.text, heading.anchor) for heading in found.headings)
        about = {"description": found.description, "language": found.language}
        read_page = incoming(page, page.final_url, found.title, found.markdown, headings, page.content_type, **about)
        read_page = dataclasses.replace(with_validators(read_page, page), code_examples=self.job.extract_code_examples)
        document = prepare_document(read_page)
        return Fetched(
            url,
            page.final_url,
            page.status,
            page.milliseconds,
            page.size,
            document,
            self._led_to(url, links, begun),
            rendered=page.rendered,
            note=page.note,
        )

    @staticmethod
    def _asks_to_sign_in(page: Page) -> bool:
        if page.content_type not in READ_AS_HTML:
            return False
        found = extract(page.text, page.final_url)
        return asks_to_sign_in(page.text, page.final_url, found.title, found.markdown)

    def _file(self, url: CrawlUrl, got: Got) -> Outcome:
        """A PDF document, or a folder of a GitHub repository."""
        page = got.page
        if url.depth == 0:
            advance(self.job, Status.ANALYZING, Status.DISCOVERING, f"{url.url} is {TITLES[got.kind]}")
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
        line = f"{url.url} is {TITLES[got.kind]}: read as {plural(len(documents), 'document')}"
        return Split(url, page.status, page.milliseconds, page.size, title, line, documents, links)

    def _discover(self, url: CrawlUrl, page: Page) -> Beginning:
        """What the seed is and what its site names: the log tells it, the frontier gets it with the seed's links."""

        def keep() -> None:
            frontier.renew(url.lease_owner, [url.id])
            self.look()

        rules = self.rules.of(page.final_url, keep)
        advance(self.job, Status.ANALYZING, Status.DISCOVERING, "Looking for sitemaps and llms.txt")
        agent = settings.USER_AGENT if self.job.respect_robots else None
        fetch = partial(self.turns.polite, fetcher().fetch)
        limits = Limits(urls=min(50_000, 2 * self.job.max_pages))
        belongs, hub = self._is_telling, self.github
        future = submit(begin(page, fetch, rules, agent=agent, belongs=belongs, limits=limits, github=hub))
        try:
            while not wait([future], LOOK_SECONDS).done:
                keep()
            with unreadable(page.final_url):
                begun = future.result()
        finally:
            future.cancel()
        self.job.discovery = begun.to_json()
        self.job.save(update_fields=["discovery"])
        failpoint("discovery.after_commit")
        tracker.update(self.job.progress_id, lines=[*begun.lines, *begun.notes])
        return begun

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

    def _led_to(self, url: CrawlUrl, links: tuple[str, ...], begun: Beginning | None) -> list[Candidate]:
        """The links of a page, and of the seed what the files of its site name besides."""
        if begun is None:
            return self._candidates(url, links)
        own = dict.fromkeys(links if begun.follow else ())
        named = tuple(address for address in begun.addresses if address not in own)
        twins = paired((begun.seed, *own, *named), begun.markdown)
        found = self._candidates(url, tuple(own), twins)
        return found + self._candidates(url, named, twins, found_on=begun.named_by)

    def _candidates(
        self,
        url: CrawlUrl,
        links: tuple[str, ...],
        twins: Mapping[str, str] | None = None,
        *,
        found_on: str | None = None,
    ) -> list[Candidate]:
        """`twins`: pages with the addresses of their Markdown, which are no pages of their own then. `found_on`: what
        names the links, if it is not the page itself."""
        depth, twins = url.depth + 1, twins or {}
        where = url.url if found_on is None else found_on
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
                candidates.append(Candidate(link, depth, forbidden, twins.get(link, ""), same, where))
            elif verdict.reason in TELLING_REASONS:
                candidates.append(Candidate(link, depth, verdict.reason, found_on=where))
        return candidates


def advance(job: CrawlJob, before: Status, after: Status, line: str) -> None:
    """Move on if the crawl still stands there. Raises ProgressEnded when it is paused or waits in line again.

    Read and moved under one lock: a pause in between must hold.
    """
    with transaction.atomic():
        row = tracker.lock(job.progress_id)
        if row.status in NOT_RUNNING:
            raise ProgressEnded(f"The crawl is {row.status}.")
        if row.status == before:
            tracker.update(row.id, row=row, status=after, lines=[line])


@contextlib.contextmanager
def unreadable(url: str) -> Iterator[None]:
    """A page that breaks a parser fails alone, and says so. A fault of ours (the database, say) is not the page's."""
    try:
        yield
    except (CrawlerError, CancelledError):
        raise
    except Exception as error:
        logger.exception("reading %s", url)
        told = f"{url} could not be read: {type(error).__name__}: {error}"
        raise FetchError("unreadable", told, hint="Exclude it, or save it and upload it.") from error
