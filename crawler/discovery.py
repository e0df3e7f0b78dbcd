"""How a crawl begins: what its seed is, and which pages the site itself names.

Addresses come from three places, each with gaps of its own: links, sitemaps and llms.txt. Sitemaps miss unlisted
pages and links miss orphans, so a crawl takes what all of them name, within its scope.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from crawler.errors import CrawlerError, FetchError
from crawler.github import GITHUB, GitHub
from crawler.kinds import (
    GZIP_TYPES,
    HTML_TYPES,
    MARKDOWN_FIRST,
    SITEMAPS,
    TITLES,
    XML_TYPES,
    Kind,
    detect,
    twins,
)
from crawler.llms import is_link_collection, parse_llms, split_llms_full
from crawler.robots import RobotsRules
from crawler.sitemap import Sitemap, parse_sitemap
from crawler.twins import pages_of
from crawler.urls import canonical_url, origin_of

if TYPE_CHECKING:
    from crawler.fetcher import Page

__all__ = [
    "MARKDOWN_FIRST",
    "SEED_TYPES",
    "Beginning",
    "Fetch",
    "Found",
    "Kind",
    "Limits",
    "begin",
    "detect",
    "parse_llms",
    "parse_sitemap",
    "split_llms_full",
    "twins",
]

MAX_SITEMAP_DEPTH = 3
TEXT_TYPES = ("text/plain", "text/markdown", "text/x-markdown")
MARKDOWN_TYPES = ("text/markdown", "text/x-markdown")
SITEMAP_TYPES = ("application/xml", "text/xml", "*/*")
# What a seed may be: a page, a text or a sitemap, compressed or not.
SEED_TYPES = (
    *sorted(HTML_TYPES),
    *TEXT_TYPES,
    "text/x-rst",
    *sorted(XML_TYPES | GZIP_TYPES),
    "application/octet-stream",
)


class Found(NamedTuple):
    """A page that a sitemap or an llms.txt names."""

    url: str
    title: str = ""
    lastmod: datetime | None = None


class ReadFile(NamedTuple):
    """A sitemap or llms.txt that was read: how many addresses it named, and how many of them lie out of scope."""

    url: str
    kind: Kind
    urls: int
    outside: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a beginning may cost; `bytes` counts what was decoded, `urls` the addresses in scope."""

    seconds: float = 10
    requests: int = 110
    files: int = 100
    bytes: int = 200 * 2**20
    file_bytes: int = 50 * 2**20
    urls: int = 50_000


@dataclass(frozen=True, slots=True)
class Beginning:
    """`seeds` stand beside the seed, one link away from it.

    A seed that `is_page` is stored like any other page; a sitemap is only read. `follow` is false for a text that
    stands alone: its links are no table of contents. `lines` tell the log what was found, `notes` what went wrong.
    """

    kind: Kind
    seed: str
    seeds: tuple[Found, ...]
    files: tuple[ReadFile, ...]
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    requests: int
    truncated: str
    is_page: bool
    follow: bool
    # Files that an llms.txt beside the page names as the Markdown of pages, and whether the server sends Markdown to
    # who asks for it.
    markdown: frozenset[str] = frozenset()
    negotiates: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(found.url for found in self.seeds)

    @property
    def named_by(self) -> str:
        """The file that names the addresses; nothing where there are several."""
        return self.files[0].url if len(self.files) == 1 else ""

    def to_json(self) -> dict[str, Any]:
        """A value for a JSON column. The addresses themselves are in the frontier."""
        return {
            "kind": self.kind.value,
            "seed": self.seed,
            "found": len(self.seeds),
            "files": [{**read._asdict(), "kind": read.kind.value} for read in self.files],
            "notes": list(self.notes),
            "requests": self.requests,
            "truncated": self.truncated,
            "markdown": bool(self.markdown),
            "negotiates": self.negotiates,
        }


class Fetch(Protocol):
    """What we use of Fetcher.fetch."""

    def __call__(
        self,
        url: str,
        *,
        accept: tuple[str, ...],
        max_bytes: int,
        keep_body: bool,
        headers: Mapping[str, str] | None = None,
    ) -> Awaitable["Page"]: ...


def _anything(_: str) -> bool:
    return True


async def begin(
    page: "Page",
    fetch: Fetch,
    robots: RobotsRules,
    *,
    agent: str | None = None,
    belongs: Callable[[str], bool] = _anything,
    limits: Limits | None = None,
    github: GitHub = GITHUB,
) -> Beginning:
    """Find out what the seed is and what its site names. Raises FetchError for a seed that no crawl can read.

    `page` is the seed's, fetched with SEED_TYPES and its body kept: where the seed redirects to decides the scope,
    so nothing can be judged before. `robots` are the rules of its origin; `agent` None does not obey them. `belongs`
    is the scope. Files are asked for one after another, Crawl-delay between them: a server should not meet a burst
    before it has met us, and only one large file is in memory at a time.
    """
    search = _Search(page, fetch, robots, agent, belongs, limits or Limits(), github)
    try:
        async with asyncio.timeout(search.limits.seconds):
            await search.run()
    except TimeoutError:
        search.truncate("seconds")
    except _Enough:
        pass
    return search.beginning()


class _Enough(Exception):
    """A limit is reached."""


@dataclass
class _Search:
    """One beginning: what it may still cost, and what it has found."""

    page: "Page"
    fetch: Fetch
    robots: RobotsRules
    agent: str | None
    belongs: Callable[[str], bool]
    limits: Limits
    github: GitHub
    kind: Kind = Kind.PAGE
    follow: bool = True
    found: dict[str, Found] = field(default_factory=dict)
    files: list[ReadFile] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    visited: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    markdown: set[str] = field(default_factory=set)
    negotiates: bool = False
    requests: int = 0
    bytes: int = 0
    truncated: str = ""

    @property
    def seed(self) -> str:
        return self.page.final_url

    async def run(self) -> None:
        self.visited |= {self.page.url, self.seed}
        self.kind = detect(self.seed, self.page, self.github)
        self.lines.append(f"{self.seed} is {TITLES[self.kind]}")
        if self.kind in (Kind.OTHER, Kind.PDF):
            raise _unsupported(self.page, self.kind)
        if self.kind in SITEMAPS:
            await self._read_sitemaps([], self.page)
        elif self.kind is Kind.LLMS_TXT:
            self._add_links(self.page)
        elif self.kind is Kind.PAGE:
            await self._look_around()
        else:
            await self._read_text()

    def beginning(self) -> Beginning:
        self.found.pop(self.seed, None)
        return Beginning(
            kind=self.kind,
            seed=self.seed,
            seeds=tuple(self.found.values()),
            files=tuple(self.files),
            lines=tuple(self.lines),
            notes=tuple(self.notes),
            requests=self.requests,
            truncated=self.truncated,
            is_page=self.kind not in SITEMAPS,
            follow=self.follow,
            markdown=frozenset(self.markdown),
            negotiates=self.negotiates,
        )

    def truncate(self, limit: str) -> None:
        self.truncated = limit
        most = getattr(self.limits, limit)
        self.notes.append(f"Looking for sitemaps ended at its limit of {most:,} {limit}; links lead to further pages.")

    # ---- one kind of seed each ----

    async def _look_around(self) -> None:
        """An ordinary page: what do the files beside it name? The site's own list of sitemaps goes first."""
        root, directory = f"{origin_of(self.seed)}/", canonical_url(".", base=self.seed)
        for place in dict.fromkeys((directory, root)):
            await self._read_llms(f"{place}llms.txt")
        if named := [address for text in self.robots.sitemaps if (address := _resolved(text, root))]:
            await self._read_sitemaps(named)
            return
        for place in dict.fromkeys((root, directory)):
            await self._read_sitemaps([f"{place}sitemap.xml"], quiet=True)
            if any(read.kind in SITEMAPS and read.urls > read.outside for read in self.files):
                return

    async def _read_text(self) -> None:
        """A text stands alone, unless it is a list of links."""
        collection = is_link_collection(self.page.text, self.seed)
        self.follow = self.kind is Kind.TEXT and collection
        if self.follow:
            self._add_links(self.page)

    async def _read_llms(self, url: str) -> None:
        page = await self._get(url, TEXT_TYPES, quiet=True)
        if page is not None and detect(url, page) is Kind.LLMS_TXT:
            self._add_links(page)
            self._add([Found(page.final_url, "llms.txt")] if self.belongs(page.final_url) else [])
            self.markdown |= {found.url for found in self.found.values() if pages_of(found.url)}
            if self.markdown:
                self.lines.append(f"Pages whose Markdown {url} names: {len(self.markdown):,}")
            await self._ask_for_markdown()

    async def _ask_for_markdown(self) -> None:
        """A site for assistants may send Markdown to who prefers it: one request tells."""
        if self.negotiates or self.seed in self.asked:
            return
        self.asked.add(self.seed)
        await self._take_turn()
        try:
            page = await self.fetch(
                self.seed, accept=TEXT_TYPES, max_bytes=self.limits.file_bytes, keep_body=True, headers=MARKDOWN_FIRST
            )
        except CrawlerError:  # it sends what it always sends, or nothing
            return
        self.negotiates = page.content_type in MARKDOWN_TYPES
        if self.negotiates:
            self.lines.append(f"{origin_of(self.seed)} sends its pages as Markdown")

    async def _read_sitemaps(self, addresses: list[str], page: "Page | None" = None, *, quiet: bool = False) -> None:
        """Level by level, each file once: an index that names itself ends here. `page` is a first one, already had."""
        sitemaps = [await self._parsed(page)] if page else []
        for depth in range(MAX_SITEMAP_DEPTH):
            sitemaps += [await self._sitemap(url, quiet=quiet and depth == 0) for url in addresses]
            children = dict.fromkeys(url for sitemap in sitemaps for url in sitemap.children)
            addresses, sitemaps = [url for url in children if url not in self.visited], []
            if not addresses:
                return
        self.notes.append(f"Sitemaps are nested deeper than {MAX_SITEMAP_DEPTH}: {len(addresses)} were left out.")

    async def _sitemap(self, url: str, *, quiet: bool) -> Sitemap:
        page = await self._get(url, SITEMAP_TYPES, quiet=quiet)
        if page is None or (quiet and detect(url, page) not in SITEMAPS):
            return Sitemap((), ())
        return await self._parsed(page)

    async def _parsed(self, page: "Page") -> Sitemap:
        # In a thread: 50,000 addresses take half a second, and the loop has other pages to fetch meanwhile.
        sitemap = await asyncio.to_thread(parse_sitemap, page.body, page.final_url)
        self.notes += [f"{page.url} {note}." for note in sitemap.notes]
        kind = Kind.SITEMAP_INDEX if sitemap.children else Kind.SITEMAP
        self._add_file(page.url, kind, [Found(entry.url, "", entry.lastmod) for entry in sitemap.urls])
        return sitemap

    # ---- what was found ----

    def _add_links(self, page: "Page") -> None:
        links = parse_llms(page.text, page.final_url)
        self._add_file(page.url, detect(page.final_url, page), [Found(link.url, link.title) for link in links])

    def _add_file(self, url: str, kind: Kind, entries: list[Found]) -> None:
        inside = [entry for entry in entries if self.belongs(entry.url)]
        outside = len(entries) - len(inside)
        self.files.append(ReadFile(url, kind, len(entries), outside))
        if entries:
            self.lines.append(
                f"Pages named by {url}: {len(entries):,}" + (f", {outside:,} out of scope" if outside else "")
            )
        self._add(inside)

    def _add(self, entries: Iterable[Found]) -> None:
        for entry in entries:
            known = self.found.get(entry.url)
            if known is None and len(self.found) >= self.limits.urls:
                self._end("urls")
            self.found[entry.url] = _joined(known, entry) if known else entry

    # ---- asking ----

    async def _get(self, url: str, accept: tuple[str, ...], *, quiet: bool) -> "Page | None":
        """None when it may not be had or is not there; `quiet` when nobody said that it would be."""
        if url in self.visited:
            return None
        self.visited.add(url)
        if not self._allowed(url):
            self.notes += [] if quiet else [f"robots.txt does not allow {url}."]
            return None
        await self._take_turn()
        room = min(self.limits.file_bytes, self.limits.bytes - self.bytes)
        try:
            page = await self.fetch(url, accept=accept, max_bytes=room, keep_body=True)
        except CrawlerError as error:
            if error.code == "too_large" and room < self.limits.file_bytes:
                self._end("bytes")
            self.notes += [] if quiet else [error.message]
            return None
        self.bytes += page.size
        self.requests += page.redirects
        self.visited.add(page.final_url)
        return page

    def _allowed(self, url: str) -> bool:
        """Only the seed's origin has told us its rules; a sitemap elsewhere was named by it."""
        return self.agent is None or origin_of(url) != origin_of(self.seed) or self.robots.allows(url, self.agent)

    async def _take_turn(self) -> None:
        spent = {"requests": self.requests, "files": len(self.files), "bytes": self.bytes}
        for limit, amount in spent.items():
            if amount >= getattr(self.limits, limit):
                self._end(limit)
        self.requests += 1
        if self.agent is not None:
            await asyncio.sleep(self.robots.crawl_delay(self.agent) or 0)

    def _end(self, limit: str) -> NoReturn:
        self.truncate(limit)
        raise _Enough


def _unsupported(page: "Page", kind: Kind) -> FetchError:
    what = "a PDF document" if kind is Kind.PDF else f"of type {page.content_type or 'unknown'} and no sitemap"
    return FetchError(
        "unsupported_type",
        f"{page.final_url} is {what}.",
        hint="A crawl begins at a page, a Markdown or text file, a PDF, an llms.txt or a sitemap.",
        status=page.status,
    )


def _joined(known: Found, more: Found) -> Found:
    return Found(known.url, known.title or more.title, known.lastmod or more.lastmod)


def _resolved(address: str, base: str) -> str:
    try:
        return canonical_url(address, base=base)
    except CrawlerError:
        return ""
