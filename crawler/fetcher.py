"""Pages over HTTP or by a browser. crawl4ai is the engine: its strategies (`strategies`) fetch, under our limits and
guard. A page or one of our errors comes out, and nothing else."""

import asyncio
import dataclasses
import importlib
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from crawler.errors import BrowserMissing, CrawlerError, FetchError
from crawler.guard import Guard
from crawler.kinds import HTML_TYPES
from crawler.robots import MAX_ROBOTS_BYTES, RobotsRules
from crawler.shell import needs_browser, visible_chars
from crawler.urls import canonical_url

if TYPE_CHECKING:
    from crawler.browser import Browser, BrowserSettings, Rendered
    from crawler.transport import FileRoom, Reply, Request

logger = logging.getLogger(__name__)

PAGE_TYPES = (
    "text/html",
    "application/xhtml+xml",
    "text/markdown",
    "text/x-markdown",
    "text/plain",
    "text/x-rst",
)
MAX_ROBOTS_REDIRECTS = 5
ROBOTS_SECONDS = 30
# Beside the pages in flight: hosts that do not answer must not keep the pages of others waiting.
ROBOTS_AT_ONCE = 64
_PDF = b"%PDF-"
NO_TEXT_HINT = "If it shows text in your browser, crawl it with render=browser."


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Seconds and bytes. `max_bytes` counts what comes out of the decompression. After `slow_grace` seconds of body
    a server must have kept up `min_bytes_per_second`. `work_dir` is where crawl4ai may put its files."""

    user_agent: str
    connect_timeout: float = 5
    headers_timeout: float = 15
    total_timeout: float = 60
    max_bytes: int = 10 * 2**20
    max_redirects: int = 10
    concurrency: int = 16
    work_dir: str = "var/crawl4ai"
    slow_grace: float = 10
    min_bytes_per_second: int = 256


@dataclass(frozen=True, slots=True)
class Page:
    """A fetched page. `url` and `final_url` are canonical, header names lower-case, `size` counts decoded bytes.

    `body` holds the bytes only when they were asked for with `keep_body`; `text` is empty when `not_modified`. `text`
    of a `rendered` page is what its scripts made of it. `note` says why a page that needs a browser was not rendered.
    A body that was sent to a `file` has no `text`; whoever reads the file closes it.
    """

    url: str
    final_url: str
    status: int
    content_type: str
    headers: dict[str, str]
    text: str
    size: int
    milliseconds: int
    redirects: int
    not_modified: bool
    body: bytes = b""
    rendered: bool = False
    note: str = ""
    file: IO[bytes] | None = None


class Strategy(Protocol):
    """What we use of a crawl4ai crawler strategy."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def crawl(self, url: str, config: Any = None) -> Any: ...


class Fetcher:
    """One per process and event loop: it holds that loop's connections."""

    def __init__(self, settings: FetchSettings, guard: Guard, browser: "BrowserSettings | None" = None) -> None:
        self.settings = settings
        self.browser_settings = browser
        self._guard = guard
        self._browser: Browser | None = None
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._robots_slots = asyncio.Semaphore(ROBOTS_AT_ONCE)
        self._strategy: Strategy | None = None
        self._closed = False

    async def start(self) -> None:
        """Optional: the first fetch starts it too. Loads crawl4ai, which takes most of a second the first time."""
        await self._started()

    async def _started(self) -> Strategy:
        if self._closed:
            raise _closed()
        if self._strategy is None:
            preload(self.settings.work_dir)
            from crawler.strategies import HttpStrategy

            self._strategy = HttpStrategy(self.settings, self._guard)
            await self._strategy.start()
        return self._strategy

    async def close(self) -> None:
        """For good: what is on its way ends in a FetchError, and nothing is opened that nobody would close."""
        self._closed = True
        strategy, self._strategy = self._strategy, None
        browser, self._browser = self._browser, None
        if browser is not None:
            await browser.close()
        if strategy is not None:
            await strategy.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
        accept: tuple[str, ...] = PAGE_TYPES,
        max_bytes: int | None = None,
        keep_body: bool = False,
        render: str = "http",
        files: "FileRoom | None" = None,
    ) -> Page:
        """Get one page. Raises FetchError, ForbiddenAddress, InvalidUrl or BrowserMissing and nothing else.

        Only a 2xx answer, or 304 to `etag` or `last_modified`, is a page. Cancelling closes the connection at once.
        `render` is "http", "browser", or "auto": HTTP first, and the browser for a page that needs its scripts. What
        is no HTML page comes over HTTP in any case.
        """
        from crawler.transport import Request

        request = Request(
            headers=self._headers(headers, accept, etag, last_modified),
            accept=accept,
            max_bytes=max_bytes or self.settings.max_bytes,
            max_redirects=self.settings.max_redirects,
            files=files,
        )
        started = time.monotonic()
        try:
            return await self._fetch(canonical_url(url), request, render, keep_body=keep_body)
        except CrawlerError as error:
            error.milliseconds = round((time.monotonic() - started) * 1000)
            raise

    async def _fetch(self, canonical: str, request: "Request", render: str, *, keep_body: bool) -> Page:
        if render == "browser" and (rendered := await self._rendered(canonical)):
            return rendered
        started = time.monotonic()
        text, reply = await self._crawl(canonical, request)
        milliseconds = round((time.monotonic() - started) * 1000)
        if reply.status != 304:
            _check_content(canonical, reply)
        page = _page(canonical, text, reply, milliseconds=milliseconds, body=reply.body if keep_body else b"")
        if render == "auto" and reply.status == 200 and reply.content_type in HTML_TYPES and needs_browser(text):
            return await self._rendered_instead(page)
        return page

    async def _rendered(self, canonical: str) -> Page | None:
        """None when the address leads to something that is no HTML page."""
        from crawler.browser import NotHtmlError

        started = time.monotonic()
        try:
            rendered = await self._open_browser().render(canonical)
        except NotHtmlError:
            return None
        return _rendered_page(canonical, rendered, milliseconds=round((time.monotonic() - started) * 1000))

    async def _rendered_instead(self, page: Page) -> Page:
        """The page by the browser; as it came over HTTP, with a note, when that cannot be and it says something."""
        try:
            rendered = await self._rendered(page.final_url)
        except CrawlerError as error:
            says_nothing = not visible_chars(page.text.lower(), 1)
            if isinstance(error, FetchError) and (error.retryable or says_nothing):
                raise
            hint = f" {error.hint}" if error.hint else ""
            return dataclasses.replace(page, note=f"Not rendered: {error.message}{hint}")
        if rendered is None:
            return page
        return dataclasses.replace(rendered, url=page.url, redirects=page.redirects)

    def _open_browser(self) -> "Browser":
        if self.browser_settings is None:
            raise BrowserMissing
        if self._closed:
            raise _closed()
        if self._browser is None:
            preload(self.settings.work_dir)
            from crawler.browser import Browser
            from crawler.strategies import BrowserStrategy

            self._browser = Browser(self.browser_settings, self._guard, BrowserStrategy)
        return self._browser

    async def fetch_robots(self, origin: str) -> RobotsRules:
        """The rules of one origin by RFC 9309. An unreachable or failing server forbids everything."""
        from crawler.transport import Request

        request = Request(
            headers=self._headers(None, ("text/plain", "*/*"), None, None),
            accept=("*/*",),
            max_bytes=MAX_ROBOTS_BYTES,
            max_redirects=MAX_ROBOTS_REDIRECTS,
            cut=True,
        )
        try:
            async with self._robots_slots, asyncio.timeout(ROBOTS_SECONDS):
                _, reply = await self._ask(canonical_url("/robots.txt", base=origin), request)
        except TimeoutError:
            return RobotsRules(None, error=f"{origin}/robots.txt did not answer within {ROBOTS_SECONDS} s.")
        except FetchError as error:
            if error.code in ("too_many_redirects", "bad_redirect"):
                return RobotsRules.from_response(404, b"")
            # With a status of 200 the answer broke off or cannot be read: that is no leave to crawl.
            return RobotsRules(error.status if error.code == "http_status" else None, error=error.message)
        return RobotsRules.from_response(reply.status, reply.body)

    async def _crawl(self, url: str, request: "Request") -> tuple[str, "Reply"]:
        async with self._slots:
            return await self._ask(url, request)

    async def _ask(self, url: str, request: "Request") -> tuple[str, "Reply"]:
        strategy = await self._started()
        try:
            response = await strategy.crawl(url, config=request)
        except (FetchError, RuntimeError):  # a session that is closed fails in words of its own
            if self._closed:
                raise _closed() from None
            raise
        return response.html, response.reply

    def _headers(
        self, extra: Mapping[str, str] | None, accept: tuple[str, ...], etag: str | None, last_modified: str | None
    ) -> dict[str, str]:
        from crawler.transport import CODINGS

        headers = {
            "User-Agent": self.settings.user_agent,
            "Accept": ", ".join(accept) + ("" if "*/*" in accept else ", */*;q=0.1"),
            "Accept-Encoding": CODINGS,
            **(extra or {}),
        }
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        return headers


def _closed() -> FetchError:
    return FetchError("fetcher_closed", "The worker is being stopped.", hint="It is fetched again.", retryable=True)


def _page(url: str, text: str, reply: "Reply", *, milliseconds: int, body: bytes) -> Page:
    return Page(
        url=url,
        final_url=canonical_url(reply.url),
        status=reply.status,
        content_type=reply.content_type,
        headers=reply.headers,
        text=text,
        size=reply.size,
        milliseconds=milliseconds,
        redirects=reply.redirects,
        not_modified=reply.status == 304,
        body=body,
        file=reply.file,
    )


def _rendered_page(url: str, rendered: "Rendered", *, milliseconds: int) -> Page:
    return Page(
        url=url,
        final_url=rendered.final_url,
        status=rendered.status,
        content_type="text/html",
        # The validators are those of the document before its scripts ran: they say nothing about what it shows.
        headers={name: value for name, value in rendered.headers.items() if name not in ("etag", "last-modified")},
        text=rendered.html,
        size=len(rendered.html.encode()),
        milliseconds=milliseconds,
        redirects=0,
        not_modified=False,
        rendered=True,
    )


def _check_content(url: str, reply: "Reply") -> None:
    if not reply.body.strip():
        if reply.file is not None:
            reply.file.close()
        raise FetchError("empty_page", f"{url} is empty.", hint=NO_TEXT_HINT, status=reply.status)
    if reply.body.startswith(_PDF) and reply.file is None:
        told = f"{url} is a PDF document, whatever its type says."
        hint = "Its server must send it as application/pdf; or save it and upload it."
        raise FetchError("unsupported_type", told, hint=hint, status=reply.status)


def preload(work_dir: str) -> None:
    """Import crawl4ai now: a worker's parent does it before it forks, and its children share the memory."""
    # crawl4ai reads both when it is imported: without the first it writes below the home directory, without the
    # second it prints an advertisement to stderr.
    os.environ.setdefault("CRAWL4_AI_BASE_DIRECTORY", str(Path(work_dir).resolve()))
    os.environ.setdefault("CRAWL4AI_NO_CLOUD_NOTICE", "1")
    # A second Playwright, for a mode of crawl4ai that we do not use; it does without. 4 MB in each process.
    sys.modules.setdefault("patchright", None)  # type: ignore[arg-type]
    importlib.import_module("crawler.strategies")
