"""A crawl as it would begin, without a row written: the seed, its robots.txt and sitemaps, and a verdict for each URL.

Runs in the web process, so it may be slow for nobody: few requests, few seconds, and no crawl4ai. Its fetcher speaks
through crawler.transport alone, which is loaded with the first preview.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings

from crawler import frontier
from crawler.actions import DNS_SECONDS, CrawlRequest
from crawler.charset import decode
from crawler.discovery import SEED_TYPES, Beginning, Limits, begin
from crawler.engine import github, guard, refuse_without_browser
from crawler.errors import FetchError, ForbiddenAddress, InvalidUrl
from crawler.fetcher import Fetcher, FetchSettings, Page
from crawler.guard import Guard, GuardPolicy
from crawler.kinds import HTML_TYPES, TITLES
from crawler.reading import Got, chosen, get
from crawler.robots import RobotsRules
from crawler.scope import Scope, query_family
from crawler.shell import needs_browser
from crawler.sign_in import SIGN_IN, SIGN_IN_HINT, asks_to_sign_in, sign_in_message
from crawler.twins import paired
from crawler.urls import canonical_url, origin_of, path_and_query
from knowledge.readers import Limits as ReadingLimits
from progress.loop import submit
from progress.plural import plural

if TYPE_CHECKING:
    import aiohttp

    from crawler.extract import Extracted
    from crawler.transport import Request

PREVIEW_SECONDS = 10.0
SEED_SECONDS = 6.0
READING_SECONDS = 5.0
MAX_REQUESTS = 20
MAX_REDIRECTS = 3
MAX_FILE_BYTES = 10 * 2**20
MAX_PAGE_BYTES = 2 * 2**20
MAX_URLS = 20_000
MAX_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """`verdict` is "crawl" or "skip", `reason` the word for why not."""

    url: str
    title: str
    depth: int
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """`warnings` say why the crawl would bring little, and what to do instead."""

    kind: str
    seed: str
    scope: Scope
    pages: tuple[PreviewPage, ...]
    counts: dict[str, int]
    robots: RobotsRules
    notes: tuple[str, ...]
    truncated: str
    warnings: tuple[str, ...] = ()


def preview(request: CrawlRequest) -> Preview:
    """Raises what actions.start would raise, and FetchError when the seed itself cannot be had."""
    seed = canonical_url(request.url)
    refuse_without_browser(request.render)
    address = github().address(seed)
    guard().check_url(address)
    guard().resolve(address, DNS_SECONDS)
    answer = submit(_preview(request, seed))
    try:
        return answer.result(PREVIEW_SECONDS + READING_SECONDS)
    except TimeoutError:
        raise _too_slow(seed) from None
    finally:
        answer.cancel()


async def _preview(request: CrawlRequest, seed: str) -> Preview:
    started = time.monotonic()
    limits = FetchSettings(
        user_agent=settings.USER_AGENT,
        headers_timeout=SEED_SECONDS,
        total_timeout=SEED_SECONDS,
        max_bytes=MAX_PAGE_BYTES,
        max_redirects=MAX_REDIRECTS,
    )
    meter = MeteredGuard(guard().policy, MAX_REQUESTS)
    async with LightFetcher(limits, meter) as fetcher:
        async with asyncio.timeout(PREVIEW_SECONDS):
            robots, got = await _seed(request, seed, fetcher)
        if got is None:
            return _forbidden(request, seed, robots)
        if got.documents:
            return _of_file(request, seed, got, robots)
        page = got.page
        left = Limits(
            seconds=max(0.1, PREVIEW_SECONDS - (time.monotonic() - started)),
            requests=meter.left,
            bytes=2 * MAX_FILE_BYTES,
            file_bytes=MAX_FILE_BYTES,
            urls=MAX_URLS,
        )
        # No scope: what it leaves out is shown, with the reason.
        agent = settings.USER_AGENT if request.respect_robots else None
        beginning = await begin(page, fetcher.fetch, robots, agent=agent, limits=left, github=github())
    return await asyncio.to_thread(_judged, request, page, robots, beginning)


async def _seed(request: CrawlRequest, seed: str, fetcher: Fetcher) -> tuple[RobotsRules, Got | None]:
    """The seed's page with the rules of the origin where it ends, or None when they forbid it."""
    address = github().address(seed)
    # An archive is one file that a person asked for, as they would with git clone.
    is_archive = origin_of(address) == github().archives
    robots = RobotsRules.from_response(404, b"") if is_archive else await _rules(address, fetcher)
    # A site that does not answer at all: the seed's own failure says why better than its robots.txt.
    if not (_allowed(request, robots, address) or robots.unreachable):
        return robots, None
    limits = ReadingLimits(seconds=SEED_SECONDS, cpu_total=round(SEED_SECONDS), output=MAX_FILE_BYTES)
    got = await get(fetcher, seed, github(), accept=SEED_TYPES, keep_body=True, max_bytes=MAX_FILE_BYTES, limits=limits)
    end = github().address(got.page.final_url)
    if origin_of(end) != origin_of(address):
        robots = await _rules(end, fetcher)
    return robots, got if _allowed(request, robots, end) else None


async def _rules(url: str, fetcher: Fetcher) -> RobotsRules:
    try:
        return await fetcher.fetch_robots(origin_of(url))
    except (ForbiddenAddress, InvalidUrl):  # it redirects to where we never go: there is none
        return RobotsRules.from_response(404, b"")


def _allowed(request: CrawlRequest, robots: RobotsRules, url: str) -> bool:
    return not request.respect_robots or robots.allows(url, settings.USER_AGENT)


class MeteredGuard(Guard):
    """Counts requests too: it is asked before each one, and before each redirect of one."""

    def __init__(self, policy: GuardPolicy, requests: int) -> None:
        super().__init__(policy)
        self.left = requests

    def check_url(self, url: str) -> None:
        super().check_url(url)
        self.left -= 1
        if self.left < 0:
            raise FetchError("preview_limit", f"{url} was not asked for: a preview makes few requests.")


class LightFetcher(Fetcher):
    """Fetches as Fetcher does, by the same transport and guard, without loading crawl4ai."""

    async def start(self) -> None:
        if self._strategy is None:
            self._strategy = TransportStrategy(self.settings, self._guard)
            await self._strategy.start()


@dataclass(frozen=True, slots=True)
class Answered:
    html: str
    reply: Any


class TransportStrategy:
    """A fetcher.Strategy that is nothing but the transport."""

    def __init__(self, limits: FetchSettings, allowed: Guard) -> None:
        self._settings = limits
        self._guard = allowed
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        from crawler import transport

        self._session = transport.open_session(self._settings, self._guard)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def crawl(self, url: str, config: Request | None = None) -> Answered:
        from crawler import transport

        assert self._session is not None
        assert config is not None
        reply = await transport.exchange(self._session, self._guard, self._settings, url, config)
        return Answered("" if reply.file else decode(reply.body, reply.charset), reply)


def _of_file(request: CrawlRequest, seed: str, got: Got, robots: RobotsRules) -> Preview:
    """A PDF document, or a folder of a GitHub repository: what is in it, and what the globs leave out."""
    place = github().place(seed)
    scope = request.scope_of(github().file_page(place, "") if place else seed)
    kept, left = chosen(got, scope, place, github())
    verdicts = {**dict.fromkeys((one.incoming.url for one in kept), "ok"), **left}
    titles = {one.incoming.url: one.incoming.title for one in got.documents}
    pages = [
        PreviewPage(url, titles.get(url, ""), 0, "crawl" if reason == "ok" else "skip", reason)
        for url, reason in verdicts.items()
    ]
    counts = Counter(page.verdict for page in pages) + Counter(page.reason for page in pages if page.reason != "ok")
    return Preview(
        kind=got.kind.value,
        seed=got.page.final_url,
        scope=scope,
        pages=tuple(pages[:MAX_SHOWN]),
        counts={"crawl": 0, "skip": 0, **counts},
        robots=robots,
        notes=(f"{seed} is {TITLES[got.kind]} with {plural(len(got.documents), 'document')}.",),
        truncated="shown" if len(pages) > MAX_SHOWN else "",
    )


# ---- The verdicts -------------------------------------------------------------------------


def _judged(request: CrawlRequest, page: Page, robots: RobotsRules, beginning: Beginning) -> Preview:
    scope = request.scope_of(page.final_url)
    read = _read(page) if beginning.is_page else None
    named = _named(beginning, read)
    closed = read is not None and _asks_to_sign_in(page, read)
    judge = _Judge(request, scope, robots, {beginning.seed: SIGN_IN} if closed else {})
    pages = [judge.page(url, title, depth) for url, (title, depth) in named.items()]
    counts = Counter(page.verdict for page in pages) + Counter(page.reason for page in pages if page.reason != "ok")
    return Preview(
        kind=beginning.kind.value,
        seed=page.final_url,
        scope=scope,
        pages=tuple(pages[:MAX_SHOWN]),
        counts={"crawl": 0, "skip": 0, **counts},
        robots=robots,
        notes=(*beginning.lines, *beginning.notes, *_hints(request, page, robots, read)),
        truncated=beginning.truncated or ("shown" if len(pages) > MAX_SHOWN else ""),
        warnings=(f"{sign_in_message(page.url)} {SIGN_IN_HINT}",) if closed else (),
    )


def _read(page: Page) -> Extracted:
    from crawler.extract import extract, extract_text

    if _is_html(page):
        return extract(page.text, page.final_url)
    return extract_text(page.text, page.final_url, page.content_type)


def _is_html(page: Page) -> bool:
    return page.content_type in HTML_TYPES or not page.content_type


def _asks_to_sign_in(page: Page, read: Extracted) -> bool:
    return _is_html(page) and asks_to_sign_in(page.text, page.final_url, read.title, read.markdown)


def _named(beginning: Beginning, read: Extracted | None) -> dict[str, tuple[str, int]]:
    """Every address with its title and depth: the seed, its links, then what the site's files name."""
    named = {beginning.seed: (read.title, 0)} if read else {}
    if read and beginning.follow and not read.nofollow:
        named |= dict.fromkeys((link for link in read.links if link not in named), ("", 1))
    for found in beginning.seeds:
        if not named.get(found.url, ("", 1))[0]:
            named[found.url] = (found.title, 1)
    for twin in paired(named, beginning.markdown).values():
        named.pop(twin, None)
    return named


class _Judge:
    """What a crawl would say of each URL, in its order: scope, robots.txt, variants, page limit.

    `refused` are addresses that were read, with the reason why they are no pages.
    """

    def __init__(self, request: CrawlRequest, scope: Scope, robots: RobotsRules, refused: Mapping[str, str]) -> None:
        self.refused = refused
        self.scope = scope
        self.robots = robots
        self.room = request.page_limit()
        self.agent = settings.USER_AGENT if request.respect_robots else None
        self.variants: Counter[str] = Counter()

    def page(self, url: str, title: str, depth: int) -> PreviewPage:
        reason = self._reason(url, depth)
        self.room -= reason == "ok"
        return PreviewPage(url, title, depth, "crawl" if reason == "ok" else "skip", reason)

    def _reason(self, url: str, depth: int) -> str:
        verdict = self.scope.verdict(url, depth)
        if not verdict.allowed:
            return verdict.reason
        if url in self.refused:
            return self.refused[url]
        same_origin = origin_of(url) == origin_of(self.scope.seed)
        if self.agent is not None and same_origin and not self.robots.allows(url, self.agent):
            return "robots"
        if path_and_query(url)[1]:
            family = query_family(url)
            self.variants[family] += 1
            if self.variants[family] > frontier.MAX_QUERY_VARIANTS:
                return "query_variants"
        return "ok" if self.room > 0 else "max_pages"


def _hints(request: CrawlRequest, page: Page, robots: RobotsRules, read: Extracted | None) -> Iterator[str]:
    if page.final_url != page.url:
        yield f"{page.url} leads to {page.final_url}: the scope goes along."
    if read and needs_browser(page.text):
        yield "The page shows its text only when its scripts have run, which a preview does not do." + (
            " Crawl it with render=auto." if request.render == "http" else ""
        )
    if read and read.noindex:
        yield "The page asks not to be indexed: with respect_robots it is not stored."
    delay = robots.crawl_delay(settings.USER_AGENT)
    if delay:
        yield f"robots.txt asks for {delay:g} s between requests."


def _forbidden(request: CrawlRequest, seed: str, robots: RobotsRules) -> Preview:
    reason = "robots_unreachable" if robots.unreachable else "robots"
    note = "robots.txt cannot be read" if robots.unreachable else "robots.txt does not allow the seed"
    return Preview(
        kind="page",
        seed=seed,
        scope=request.scope_of(seed),
        pages=(PreviewPage(seed, "", 0, "skip", reason),),
        counts={"crawl": 0, "skip": 1, reason: 1},
        robots=robots,
        notes=(f"{note}: nothing would be crawled.",),
        truncated="",
    )


def _too_slow(seed: str) -> FetchError:
    return FetchError(
        "timeout",
        f"{seed} did not answer within {PREVIEW_SECONDS:g} s.",
        hint="A crawl waits longer: start one to see.",
        field="url",
        retryable=True,
    )
