"""crawl4ai's two crawler strategies as this product uses them: the only module that imports crawl4ai.

Ours are subclasses. That of its HTTP strategy keeps what the original loses: the status and headers of every answer, a
bound on what is read, a guard at the socket, and the page's own charset. That of its Playwright strategy speaks the
DevTools protocol, and gives every page a context and a way to the network of its own.

Takes most of a second to import, so it is loaded by `fetcher.preload` alone, which first sets what crawl4ai reads.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from crawl4ai.async_configs import BrowserConfig, CrawlerRunConfig
from crawl4ai.async_crawler_strategy import AsyncHTTPCrawlerStrategy, AsyncPlaywrightCrawlerStrategy
from crawl4ai.async_logger import AsyncLoggerBase
from crawl4ai.browser_manager import BrowserManager
from crawl4ai.models import AsyncCrawlResponse
from playwright.async_api import Error as PlaywrightError

from crawler import transport
from crawler.browser import CLOSE_SECONDS, BrowserSettings, Visit
from crawler.charset import decode
from crawler.guard import Guard
from crawler.shell import ENOUGH_CHARS

if TYPE_CHECKING:
    from crawler.fetcher import FetchSettings

# Done when the document is complete and nothing in it has changed for a while: half a second for a page that says
# something, longer for one that says hardly anything yet. The page's own scripts could cheat; the time limit holds.
_SETTLED = """
([enough, patience]) => new Promise(settled => {
  const begun = performance.now();
  let changed = begun;
  const observer = new MutationObserver(() => { changed = performance.now(); });
  observer.observe(document, {subtree: true, childList: true, characterData: true});
  const look = () => {
    const now = performance.now();
    const said = document.body ? document.body.innerText.trim().length : 0;
    const still = document.readyState === "complete" && now - changed > (said >= enough ? 500 : 2500);
    if (still || now - begun > patience) { observer.disconnect(); settled(); }
    else setTimeout(look, 100);
  };
  look();
})
"""
_NAVIGATIONS = 3


# ---- Over HTTP ----------------------------------------------------------------------------


class Response(AsyncCrawlResponse):  # type: ignore[misc]
    reply: Any = None


class HttpStrategy(AsyncHTTPCrawlerStrategy):  # type: ignore[misc]
    """Its `config` is a transport.Request."""

    _session: Any
    VALID_SCHEMES = frozenset({"http", "https"})  # the original also reads file: and raw:

    def __init__(self, settings: "FetchSettings", guard: Guard) -> None:
        super().__init__()
        self._settings = settings
        self._guard = guard

    async def start(self) -> None:
        if self._session is None:
            self._session = transport.open_session(self._settings, self._guard)

    async def _handle_http(self, url: str, config: Any) -> Response:
        reply = await transport.exchange(self._session, self._guard, self._settings, url, config)
        return Response(
            html="" if reply.file else decode(reply.body, reply.charset),
            response_headers=reply.headers,
            status_code=reply.status,
            redirected_url=reply.url,
            reply=reply,
        )


# ---- By a browser -------------------------------------------------------------------------


class Quiet(AsyncLoggerBase):  # type: ignore[misc]
    """A page's failure is told where pages are judged."""

    console = None

    def _ignore(self, *args: Any, **kwargs: Any) -> None: ...

    debug = info = success = warning = error = url_status = error_status = _ignore


class RunConfig(CrawlerRunConfig):  # type: ignore[misc]
    __setattr__ = object.__setattr__  # the original inspects its signature at each assignment
    visit: Visit


class ContextPerPage(BrowserManager):  # type: ignore[misc]
    async def get_page(self, crawlerRunConfig: RunConfig) -> tuple[Any, Any]:
        visit = crawlerRunConfig.visit
        context = await self.browser.new_context(
            user_agent=visit.settings.user_agent,
            proxy={"server": visit.proxy, "username": visit.ticket.name, "password": visit.ticket.secret},
            accept_downloads=False,
            service_workers="block",
        )
        try:
            page = await context.new_page()
        except BaseException:
            await self._close(context, visit)
            raise
        page._archon_visit = visit
        return page, context

    async def release_page_with_context(self, page: Any) -> None:
        await self._close(page.context, page._archon_visit)

    async def _close(self, context: Any, visit: Visit) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await context.close()
        except (TimeoutError, PlaywrightError):
            visit.stuck = True


class BrowserStrategy(AsyncPlaywrightCrawlerStrategy):  # type: ignore[misc]
    """Its `config` is a browser.Visit. Hooks watch where the page goes and when it has settled."""

    def __init__(self, settings: BrowserSettings, cdp_url: str) -> None:
        config = BrowserConfig(
            browser_mode="cdp",
            cdp_url=cdp_url,
            cdp_cleanup_on_close=True,
            cdp_close_delay=0,
            text_mode=True,
            verbose=False,
            accept_downloads=False,
            user_agent=settings.user_agent,
        )
        quiet = Quiet()
        super().__init__(browser_config=config, logger=quiet)
        self.browser_manager = ContextPerPage(browser_config=config, logger=quiet)
        self.set_hook("on_page_context_created", _watch)
        self.set_hook("after_goto", _check)
        self.set_hook("before_retrieve_html", _settle)

    async def crawl(self, url: str, config: Visit) -> Any:
        run = RunConfig(
            wait_until="domcontentloaded",
            page_timeout=round(config.settings.page_seconds * 1000),
            ignore_body_visibility=True,
            body_visibility_timeout=1,
            delay_before_return_html=0,
            verbose=False,
        )
        run.visit = config
        return await self._crawl_web(url, run)  # not crawl(), which also reads file: and raw:


async def _watch(page: Any, context: Any, config: RunConfig, **_: Any) -> None:
    visit = config.visit

    def asked(request: Any) -> None:
        if request.is_navigation_request() and request.frame == page.main_frame:
            visit.wanted = request.url

    def answered(response: Any) -> None:
        if response.request.is_navigation_request() and response.frame == page.main_frame:
            visit.answer = response

    page.on("request", asked)
    page.on("response", answered)


async def _check(page: Any, config: RunConfig, **_: Any) -> None:
    config.visit.check_answer()


async def _settle(page: Any, config: RunConfig, **_: Any) -> None:
    visit = config.visit
    for _attempt in range(_NAVIGATIONS):
        try:
            await page.evaluate(_SETTLED, [ENOUGH_CHARS, visit.settings.settle_seconds * 1000])
        except PlaywrightError as error:
            if "context was destroyed" not in str(error):
                raise
            if refusal := visit.refusal(visit.wanted):
                raise refusal from None
            await page.wait_for_load_state("domcontentloaded")  # it moved on by script
        else:
            return
