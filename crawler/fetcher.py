"""Pages over HTTP: the only module that imports crawl4ai.

crawl4ai is the engine whose strategies fetch; ours is a subclass of its HTTP strategy that keeps what the original
loses: the status and headers of every answer, a bound on what is read, a guard at the socket, and the page's own
charset. A page or one of our errors comes out, and nothing else.
"""

import asyncio
import importlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from crawler.charset import decode
from crawler.errors import FetchError
from crawler.guard import Guard
from crawler.robots import MAX_ROBOTS_BYTES, RobotsRules
from crawler.urls import canonical_url

if TYPE_CHECKING:
    from crawler.transport import Reply, Request

PAGE_TYPES = (
    "text/html",
    "application/xhtml+xml",
    "text/markdown",
    "text/x-markdown",
    "text/plain",
    "text/x-rst",
)
MAX_ROBOTS_REDIRECTS = 5
_PDF = b"%PDF-"


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

    `body` holds the bytes only when they were asked for with `keep_body`; `text` is empty when `not_modified`.
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


class Strategy(Protocol):
    """What we use of a crawl4ai crawler strategy."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def crawl(self, url: str, config: Any = None) -> Any: ...


class Fetcher:
    """One per process and event loop: it holds that loop's connections."""

    def __init__(self, settings: FetchSettings, guard: Guard) -> None:
        self.settings = settings
        self._guard = guard
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._strategy: Strategy | None = None

    async def start(self) -> None:
        """Optional: the first fetch starts it too. Loads crawl4ai, which takes most of a second the first time."""
        if self._strategy is None:
            self._strategy = _http_strategy(self.settings, self._guard)
            await self._strategy.start()

    async def close(self) -> None:
        strategy, self._strategy = self._strategy, None
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
    ) -> Page:
        """Get one page. Raises FetchError, ForbiddenAddress or InvalidUrl and nothing else.

        Only a 2xx answer, or 304 to `etag` or `last_modified`, is a page. Cancelling closes the connection at once.
        """
        from crawler.transport import Request

        canonical = canonical_url(url)
        request = Request(
            headers=self._headers(headers, accept, etag, last_modified),
            accept=accept,
            max_bytes=max_bytes or self.settings.max_bytes,
            max_redirects=self.settings.max_redirects,
        )
        started = time.monotonic()
        text, reply = await self._crawl(canonical, request)
        milliseconds = round((time.monotonic() - started) * 1000)
        if reply.status != 304:
            _check_content(canonical, reply)
        return _page(canonical, text, reply, milliseconds=milliseconds, body=reply.body if keep_body else b"")

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
            _, reply = await self._crawl(canonical_url("/robots.txt", base=origin), request)
        except FetchError as error:
            if error.code in ("too_many_redirects", "bad_redirect"):
                return RobotsRules.from_response(404, b"")
            return RobotsRules.from_response(error.status, b"")
        return RobotsRules.from_response(reply.status, reply.body)

    async def _crawl(self, url: str, request: "Request") -> tuple[str, "Reply"]:
        await self.start()
        assert self._strategy is not None
        async with self._slots:
            response = await self._strategy.crawl(url, config=request)
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


def _page(url: str, text: str, reply: "Reply", *, milliseconds: int, body: bytes) -> Page:
    return Page(
        url=url,
        final_url=canonical_url(reply.url),
        status=reply.status,
        content_type=reply.content_type,
        headers=reply.headers,
        text=text,
        size=len(reply.body),
        milliseconds=milliseconds,
        redirects=reply.redirects,
        not_modified=reply.status == 304,
        body=body,
    )


def _check_content(url: str, reply: "Reply") -> None:
    if not reply.body.strip():
        raise FetchError("empty_page", f"{url} is empty.", status=reply.status)
    if reply.body.startswith(_PDF):
        raise FetchError("unsupported_type", f"{url} is a PDF document, whatever its type says.", status=reply.status)


def preload(work_dir: str) -> None:
    """Import crawl4ai now: a worker's parent does it before it forks, and its children share the memory."""
    # crawl4ai reads both when it is imported: without the first it writes below the home directory, without the
    # second it prints an advertisement to stderr.
    os.environ.setdefault("CRAWL4_AI_BASE_DIRECTORY", str(Path(work_dir).resolve()))
    os.environ.setdefault("CRAWL4AI_NO_CLOUD_NOTICE", "1")
    for name in ("crawl4ai.async_crawler_strategy", "crawler.transport"):
        importlib.import_module(name)


def _http_strategy(settings: FetchSettings, guard: Guard) -> Strategy:
    preload(settings.work_dir)
    from crawl4ai.async_crawler_strategy import AsyncHTTPCrawlerStrategy
    from crawl4ai.models import AsyncCrawlResponse

    from crawler import transport

    class Response(AsyncCrawlResponse):  # type: ignore[misc]
        reply: Any = None

    class GuardedHTTPStrategy(AsyncHTTPCrawlerStrategy):  # type: ignore[misc]
        _session: Any
        VALID_SCHEMES = frozenset({"http", "https"})  # the original also reads file: and raw:

        async def start(self) -> None:
            if self._session is None:
                self._session = transport.open_session(settings, guard)

        async def _handle_http(self, url: str, config: Any) -> Response:
            reply = await transport.exchange(self._session, guard, settings, url, config)
            return Response(
                html=decode(reply.body, reply.charset),
                response_headers=reply.headers,
                status_code=reply.status,
                redirected_url=reply.url,
                reply=reply,
            )

    return GuardedHTTPStrategy()
