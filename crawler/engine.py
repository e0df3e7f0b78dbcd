"""The fetcher of this process: made on first use, after the fork, on the process's own event loop."""

from __future__ import annotations

import functools
import os

from django.conf import settings

from crawler.fetcher import Fetcher, FetchSettings
from crawler.guard import Guard, GuardPolicy


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


def fetcher() -> Fetcher:
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
    )
