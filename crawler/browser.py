"""Pages as a browser shows them, when their scripts have run: one Chromium per process, started when it is needed.

It is replaced after so many pages or minutes, or when it holds too much memory; killed when it hangs; and closed when
nobody needs it. Each page has a browser context of its own, so no page sees another's cookies, and a ticket of its own
for the guarding proxy, which is its only way to the network.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from crawler.chromium import Chromium
from crawler.devtools import DevToolsSocket
from crawler.errors import CrawlerError, FetchError, InvalidUrl
from crawler.guard import Guard
from crawler.proxy import REFUSED_HEADER, GuardingProxy, Ticket, place_of
from crawler.urls import canonical_url

WATCH_SECONDS = 1.0
CLOSE_SECONDS = 2.0
_HTTP_INSTEAD = "Crawl it with render=http, or open it in a browser to see why."


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """`program` is the Chromium to start, `cdp_url` one that runs already; one of them is given.

    `traffic_bytes` counts all that one page loads, `max_html` what its text may be in the end, `max_memory` what all
    processes of the browser hold together. A page counts as settled when nothing changed for a while, and at the
    latest after `settle_seconds`.
    """

    user_agent: str
    program: str = ""
    cdp_url: str = ""
    tabs: int = 2
    page_seconds: float = 30
    settle_seconds: float = 8
    traffic_bytes: int = 50 * 2**20
    max_html: int = 10 * 2**20
    max_pages: int = 200
    max_age_seconds: float = 1_800
    max_memory: int = 1_536 * 2**20
    idle_seconds: float = 60


@dataclass(frozen=True, slots=True)
class Rendered:
    """`final_url` is canonical; `status` and `headers` are those of the last document that was navigated to."""

    final_url: str
    status: int
    headers: dict[str, str]
    html: str


@dataclass(eq=False, slots=True)
class Visit:
    """One page on its way: what the strategy needs for it, and what its hooks saw."""

    url: str
    ticket: Ticket
    proxy: str
    settings: BrowserSettings
    wanted: str = ""  # the address of the last navigation of the main frame
    answer: Any = None  # and its response, when one came
    stuck: bool = False  # its context did not close: the browser hangs

    def check_answer(self) -> None:
        """Raises the reason why the proxy refused what was navigated to, FetchError, or NotHtmlError."""
        from crawler.transport import check_status, media_type_of

        if self.answer is None:
            raise FetchError("render_failed", f"{self.url} gave the browser no document.", hint=_HTTP_INSTEAD)
        headers = self.answer.headers
        if headers.get(REFUSED_HEADER) == self.ticket.secret and (refusal := self.refusal(self.answer.url)):
            raise refusal
        check_status(self.answer.url, self.answer.status, headers)
        media_type, _ = media_type_of(headers.get("content-type", ""))
        if media_type not in ("text/html", "application/xhtml+xml", ""):
            raise NotHtmlError

    def refusal(self, url: str) -> CrawlerError | None:
        """Why the proxy did not connect to the host of `url`."""
        try:
            return self.ticket.refused.get(place_of(canonical_url(url)))
        except InvalidUrl:
            return None


class NotHtmlError(Exception):
    """The address leads to a text, a file or a download: nothing that a browser is needed for."""


class Strategy(Protocol):
    """What we use of crawl4ai's browser strategy."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def crawl(self, url: str, config: Any) -> Any: ...


@dataclass(eq=False, slots=True)
class Instance:
    """One started browser and our connection to it."""

    strategy: Strategy
    chromium: Chromium | None
    socket: DevToolsSocket | None
    started: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    pages: int = 0
    open_pages: int = 0
    fault: str = ""
    watcher: "asyncio.Task[None] | None" = None
    ending: "asyncio.Task[None] | None" = None

    def worn_out(self, settings: BrowserSettings) -> bool:
        old = time.monotonic() - self.started > settings.max_age_seconds
        dead = self.chromium is not None and not self.chromium.alive
        return bool(self.fault) or old or dead or self.pages >= settings.max_pages

    async def close(self) -> None:
        """Returns when it has ended, whoever asked first."""
        if self.ending is None:
            self.ending = asyncio.create_task(self._end())
        await asyncio.shield(self.ending)

    async def _end(self) -> None:
        """Kills our own browser first: what hangs would make an orderly farewell wait."""
        if self.watcher is not None:
            self.watcher.cancel()
        if self.chromium is not None:
            await self.chromium.kill()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.strategy.close()
        if self.socket is not None:
            await self.socket.close()


class Browser:
    """One per process and event loop. `strategy` makes crawl4ai's strategy for a DevTools address."""

    def __init__(
        self, settings: BrowserSettings, guard: Guard, strategy: Callable[[BrowserSettings, str], Strategy]
    ) -> None:
        self.settings = settings
        self._strategy = strategy
        self._proxy = GuardingProxy(guard)
        self._tabs = asyncio.Semaphore(settings.tabs)
        self._starting = asyncio.Lock()
        self._instance: Instance | None = None
        self._started: set[Instance] = set()

    @property
    def pid(self) -> int | None:
        """Of the Chromium that runs now."""
        return self._instance.chromium.pid if self._instance and self._instance.chromium else None

    async def render(self, url: str) -> Rendered:
        """The page at a canonical URL when its scripts have run. Raises CrawlerError, or NotHtmlError.

        Cancelling closes the page at once.
        """
        async with self._tabs:
            instance = await self._running()
            instance.pages += 1
            instance.open_pages += 1
            try:
                with self._proxy.ticket(max_bytes=self.settings.traffic_bytes) as ticket:
                    return await self._visit(instance, Visit(url, ticket, self._proxy.address, self.settings))
            finally:
                instance.open_pages -= 1
                instance.used = time.monotonic()
                await self._part_with(instance)

    async def close(self) -> None:
        self._instance = None
        for instance in tuple(self._started):
            await self._end(instance)
        await self._proxy.close()

    # ---- One page -------------------------------------------------------------------------

    async def _visit(self, instance: Instance, visit: Visit) -> Rendered:
        try:
            async with asyncio.timeout(self.settings.page_seconds):
                response = await instance.strategy.crawl(visit.url, config=visit)
            return self._rendered(visit, response)
        except (CrawlerError, NotHtmlError):
            raise
        except Exception as error:  # whatever crawl4ai, Playwright or the page came up with
            raise self._failure(instance, visit, error) from error
        finally:
            if visit.stuck:
                instance.fault = instance.fault or "it hung"

    def _rendered(self, visit: Visit, response: Any) -> Rendered:
        if refusal := visit.refusal(response.redirected_url):
            raise refusal
        visit.check_answer()
        if visit.ticket.overdrawn:
            raise _too_large(visit.url)
        try:
            final_url = canonical_url(response.redirected_url)
        except InvalidUrl as error:
            raise FetchError("render_failed", f"{visit.url} ended at no web address.", hint=_HTTP_INSTEAD) from error
        if len(response.html) > self.settings.max_html:
            raise _too_large(visit.url)
        return Rendered(final_url, visit.answer.status, dict(visit.answer.headers), response.html)

    def _failure(self, instance: Instance, visit: Visit, error: Exception) -> Exception:
        text = str(error)
        if refusal := visit.refusal(visit.wanted):
            return refusal
        if visit.ticket.overdrawn:
            return _too_large(visit.url)
        if "Download is starting" in text:
            return NotHtmlError()
        if "has been closed" in text or "Connection closed" in text:
            instance.fault = instance.fault or "the connection to it ended"
        if instance.fault or (instance.chromium is not None and not instance.chromium.alive):
            return FetchError(
                "browser_crashed",
                f"The browser ended while it showed {visit.url}: {instance.fault or 'it crashed'}.",
                hint="It is started again. A page that does this each time can be excluded.",
                retryable=True,
            )
        if isinstance(error, TimeoutError) and visit.answer is None:
            return FetchError(
                "timeout",
                f"{visit.url} did not answer the browser in {self.settings.page_seconds:g} s.",
                retryable=True,
            )
        if isinstance(error, TimeoutError):
            return FetchError(
                "render_timeout",
                f"The scripts of {visit.url} did not end within {self.settings.page_seconds:g} s.",
                hint="Exclude the page, or crawl it with render=http.",
            )
        reason = next((line for line in text.splitlines() if "net::" in line or "crash" in line), text.split("\n")[0])
        told = f"The browser could not show {visit.url}: {reason[:200]}"
        return FetchError("render_failed", told, hint=_HTTP_INSTEAD)

    # ---- The browser ----------------------------------------------------------------------

    async def _running(self) -> Instance:
        async with self._starting:
            instance = self._instance
            if instance is not None and instance.worn_out(self.settings):
                self._instance = None
                await self._part_with(instance)
            if self._instance is None:
                self._instance = await self._start()
            return self._instance

    async def _part_with(self, instance: Instance) -> None:
        """Close a browser that is no longer in use: at once when it is at fault, else after its last page."""
        if instance is self._instance and instance.fault:
            self._instance = None
        if instance is not self._instance and (instance.fault or instance.open_pages == 0):
            await self._end(instance)

    async def _end(self, instance: Instance) -> None:
        await instance.close()
        self._started.discard(instance)

    async def _start(self) -> Instance:
        if not self._proxy.address:
            await self._proxy.start()
        chromium = socket = None
        try:
            address = self.settings.cdp_url
            if not address:
                chromium = await Chromium.start(self.settings.program, self._proxy.address)
                socket = DevToolsSocket(chromium)
                address = await socket.open()
            strategy = self._strategy(self.settings, address)
            await strategy.start()
        except Exception as error:  # crawl4ai raises what it likes
            if chromium is not None:
                await chromium.kill()
            if socket is not None:
                await socket.close()
            raise FetchError(
                "browser_crashed",
                f"The browser did not start: {str(error).splitlines()[0][:300]}",
                hint="Check ARCHON_CHROMIUM or ARCHON_CDP_URL.",
                retryable=True,
            ) from error
        instance = Instance(strategy, chromium, socket)
        self._started.add(instance)
        instance.watcher = asyncio.create_task(self._watch(instance))
        return instance

    async def _watch(self, instance: Instance) -> None:
        """Kill it when it takes too much memory; close it when nobody has used it for a while."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if instance.chromium is not None:
                held = await asyncio.to_thread(instance.chromium.memory)
                if held > self.settings.max_memory:
                    instance.fault = f"it held {held / 2**20:.0f} MiB of memory"
                    await instance.chromium.kill()
                    return
            if instance.open_pages == 0 and time.monotonic() - instance.used > self.settings.idle_seconds:
                if self._instance is instance:
                    self._instance = None
                    await self._end(instance)
                return


def _too_large(url: str) -> FetchError:
    return FetchError("too_large", f"{url} loads more than a page may.", hint="Exclude it, or crawl with render=http.")
