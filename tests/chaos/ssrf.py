"""make ssrf: every spelling of a forbidden address x every way in x HTTP and browser, counted at a listener.

    python -m tests.chaos.ssrf

Prints one JSON object and fails when anything reached the listener, or when an ordinary address was refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from crawler.browser import BrowserSettings
from crawler.chromium import find_chromium
from crawler.discovery import SEED_TYPES, Limits, begin
from crawler.errors import CrawlerError
from crawler.fetcher import Fetcher, FetchSettings
from crawler.guard import Guard, GuardPolicy
from crawler.robots import RobotsRules
from tests.crawler.attacks import KINDS, Datagrams, page_that_calls, page_that_loads, with_redirects
from tests.crawler.vectors import REBINDING, Canary, hostile_look_up, ordinary, vectors
from tests.site import Answer, LocalSite

TURNS = 50
TABS = 4
URLS_PER_PAGE = 80
REDIRECTED = ("fetch", "script", "frame", "module", "worker")


@dataclass
class Table:
    """Vectors tried and connections heard, per "mode way"."""

    canary: Canary
    tried: dict[str, int] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)

    async def row(
        self, way: str, urls: list[str], attempt: Callable[[str], Awaitable[object]], *, lanes: int = 1
    ) -> None:
        """An attempt at a page that loads several vectors returns how many it tried."""
        left = list(urls)
        tried = 0

        async def lane() -> None:
            nonlocal tried
            while left:
                url, count = left.pop(), 1
                with contextlib.suppress(CrawlerError):
                    found = await attempt(url)
                    count = found if isinstance(found, int) else 1
                tried += count

        await asyncio.gather(*(lane() for _ in range(lanes)))
        self.tried[way] = tried
        self.heard[way] = self.canary.connections()


async def over_http(table: Table, site: LocalSite, fetcher: Fetcher, urls: list[str]) -> None:
    await table.row("http start", urls, fetcher.fetch)
    await table.row("http redirect", with_redirects(site, urls), fetcher.fetch)

    async def robots(url: str) -> None:
        site.routes["/robots.txt"] = Answer("", 302, {"Location": url.replace("\n", "%0a")})
        await fetcher.fetch_robots(site.url)

    await table.row("http robots", urls, robots)
    site.routes["/"] = "<h1>Home</h1><p>Text</p>"
    home = await fetcher.fetch(f"{site.url}/", accept=SEED_TYPES, keep_body=True)

    async def sitemap(url: str) -> None:
        site.routes["/index.xml"] = Answer(
            f"<sitemapindex><sitemap><loc>{escape(url)}</loc></sitemap></sitemapindex>", content_type="application/xml"
        )
        rules = RobotsRules(200, "Sitemap: /index.xml\n")
        await begin(home, fetcher.fetch, rules, agent="Archon", limits=Limits(seconds=5, requests=5))

    await table.row("http sitemap", urls, sitemap)
    await table.row("http rebinding", [f"http://{REBINDING}:{table.canary.port}/"] * TURNS, fetcher.fetch)


async def by_browser(table: Table, site: LocalSite, fetcher: Fetcher, urls: list[str]) -> None:
    async def show(url: str) -> int:
        page = await fetcher.fetch(url, render="browser")
        counted = re.search(r"tried (\d+) of", page.text)
        return int(counted[1]) if counted else 1

    port = table.canary.port
    web = [url for url in urls if url.startswith("http://") and "\n" not in url]
    await table.row("browser start", web, show, lanes=TABS)
    redirects = with_redirects(site, web)
    await table.row("browser redirect", redirects, show, lanes=TABS)
    for kind in KINDS:
        await table.row(f"browser {kind}", pages(site, web, kind), show, lanes=TABS)
    for kind in REDIRECTED:
        way = f"browser {kind} redirected"
        await table.row(way, pages(site, redirects, kind), show, lanes=TABS)
    await table.row("browser rebinding", [f"http://{REBINDING}:{port}/"] * TURNS, show)
    site.routes["/calls"] = page_that_calls(port)
    with contextlib.closing(Datagrams(port)) as datagrams:
        await table.row("browser around the proxy", [f"{site.url}/calls"], show)
        table.heard["browser around the proxy"] += datagrams.received()


def pages(site: LocalSite, urls: list[str], kind: str) -> list[str]:
    """Addresses of pages that load all of these, some at a time."""
    addresses = []
    for first in range(0, len(urls), URLS_PER_PAGE):
        path = f"/loads/{kind}/{len(site.routes)}"
        site.routes[path] = page_that_loads(urls[first : first + URLS_PER_PAGE], kind)
        addresses.append(f"{site.url}{path}")
    return addresses


async def main() -> int:
    started = time.monotonic()
    program = find_chromium("")
    canary = Canary()
    table = Table(canary)
    socket.getaddrinfo = hostile_look_up(socket.getaddrinfo)
    with LocalSite() as site, tempfile.TemporaryDirectory() as folder:
        ports = frozenset({canary.port, site.port})
        guard = Guard(GuardPolicy(allow_private=(f"127.0.0.1:{site.port}",), extra_ports=ports))
        limits = FetchSettings("Archon/0.1", connect_timeout=0.2, headers_timeout=1, total_timeout=3, work_dir=folder)
        browser = _browser(program) if program else None
        async with Fetcher(limits, guard, browser) as fetcher:
            await over_http(table, site, fetcher, vectors(canary.port))
            if browser is not None:
                await by_browser(table, site, fetcher, vectors(canary.port))
    refused = refused_ordinary()
    report = {
        "vectors": sum(table.tried.values()),
        "connections": sum(table.heard.values()),
        "ordinary": len(ordinary()),
        "ordinary_refused": len(refused),
        "browser": program or "NONE: only HTTP was tried",
        "seconds": round(time.monotonic() - started, 1),
        "ways": {way: {"tried": tried, "heard": table.heard[way]} for way, tried in table.tried.items()},
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if report["connections"] or refused or not program else 0


def _browser(program: str) -> BrowserSettings:
    return BrowserSettings("Archon/0.1", program, tabs=TABS, page_seconds=60, settle_seconds=50)


def refused_ordinary() -> list[str]:
    guard = Guard(GuardPolicy())
    refused = []
    for url in ordinary():
        try:
            guard.check_url(url)
        except CrawlerError:
            refused.append(url)
    return refused


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
