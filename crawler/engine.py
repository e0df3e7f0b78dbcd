"""The fetcher of this process: made on first use, after the fork, on the process's own event loop."""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING

from django.conf import settings

from crawler.errors import BrowserMissing
from crawler.fetcher import Fetcher, FetchSettings
from crawler.github import GitHub
from crawler.guard import Guard, GuardPolicy
from progress.loop import submit

if TYPE_CHECKING:
    from crawler.browser import BrowserSettings

CLOSE_SECONDS = 5

_making = threading.Lock()


@functools.cache
def guard() -> Guard:
    """Local mode may crawl this machine's documentation servers, but never our own ports."""
    return Guard(
        GuardPolicy(
            allow_loopback=settings.LOCAL_MODE,
            allow_private=tuple(settings.CRAWL_ALLOW_PRIVATE),
            own_ports=frozenset(settings.OWN_PORTS),
            extra_ports=frozenset(int(port) for port in settings.CRAWL_PORTS),
        )
    )


def github() -> GitHub:
    return GitHub(*(origin.rstrip("/") for origin in settings.GITHUB_ORIGINS))


def fetcher() -> Fetcher:
    with _making:  # the cache alone lets two threads make one each, and nobody closes the one that is dropped
        return _fetcher_of(os.getpid())


@functools.cache
def _fetcher_of(pid: int) -> Fetcher:
    return Fetcher(
        FetchSettings(
            user_agent=settings.USER_AGENT,
            total_timeout=settings.CRAWL_PAGE_SECONDS,
            max_bytes=settings.CRAWL_MAX_PAGE_BYTES,
            concurrency=settings.CRAWL_CONCURRENCY,
            work_dir=str(settings.DATA_DIR / "crawl4ai"),
        ),
        guard(),
        browser_settings(),
    )


def close() -> None:
    """Before this process ends: its browser ends in good order, its profile with it. The next use makes another."""
    if _fetcher_of.cache_info().currsize:
        old = fetcher()
        _fetcher_of.cache_clear()
        submit(old.close()).result(CLOSE_SECONDS)


def browser_settings() -> BrowserSettings | None:
    """None when there is no browser that pages could be rendered with."""
    from crawler.browser import BrowserSettings
    from crawler.chromium import find_chromium

    program = "" if settings.CDP_URL else find_chromium(settings.CHROMIUM)
    if program is None:
        return None
    return BrowserSettings(
        user_agent=settings.USER_AGENT,
        program=program,
        cdp_url=settings.CDP_URL,
        tabs=settings.BROWSER_TABS,
        page_seconds=settings.BROWSER_PAGE_SECONDS,
        max_html=settings.CRAWL_MAX_PAGE_BYTES,
        max_pages=settings.BROWSER_MAX_PAGES,
        max_age_seconds=60 * settings.BROWSER_MAX_MINUTES,
        max_memory=settings.BROWSER_MAX_MEMORY * 2**20,
    )


def refuse_without_browser(render: str) -> None:
    """Raises BrowserMissing. Only local mode can tell in advance: elsewhere workers run on machines of their own."""
    if render == "browser" and settings.LOCAL_MODE and browser_settings() is None:
        raise BrowserMissing
