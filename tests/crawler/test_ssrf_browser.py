"""No way of a browser leads to a place the crawler may not go: spellings x ways, counted at a listener."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.browser import BrowserSettings
from crawler.chromium import find_chromium
from crawler.errors import CrawlerError, FetchError, ForbiddenAddress
from crawler.fetcher import Fetcher, FetchSettings, Page
from crawler.guard import Guard, GuardPolicy
from crawler.proxy import GuardingProxy
from progress.loop import submit
from tests.crawler.attacks import KINDS, Datagrams, page_that_calls, page_that_loads, with_redirects
from tests.crawler.test_proxy import say, status
from tests.crawler.vectors import REBINDING, Canary, hostile_look_up, refused, vectors
from tests.site import Answer, LocalSite

PROGRAM = find_chromium("")
needs_chromium = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: nothing of the browser's ways to forbidden addresses was tested here"
)
pytestmark = pytest.mark.xdist_group("chromium")


class WatchedGuard(Guard):
    """Remembers what it was asked: silence at the canary says little if nothing was tried."""

    def __init__(self, policy: GuardPolicy) -> None:
        super().__init__(policy)
        self.asked: list[str] = []

    def check_url(self, url: str) -> None:
        self.asked.append(url)
        super().check_url(url)


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.close()


@pytest.fixture(scope="module")
def site() -> Iterator[LocalSite]:
    with LocalSite() as site:
        yield site


@pytest.fixture(scope="module")
def guard(canary: Canary, site: LocalSite) -> WatchedGuard:
    """The port is no reason to refuse anything: only the address is."""
    return WatchedGuard(
        GuardPolicy(allow_private=(f"127.0.0.1:{site.port}",), extra_ports=frozenset({canary.port, site.port}))
    )


@pytest.fixture(scope="module")
def fetcher(guard: WatchedGuard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetcher]:
    browser = BrowserSettings("Archon/0.1", PROGRAM or "", page_seconds=60, settle_seconds=40)
    folder = tmp_path_factory.mktemp("crawl4ai")
    fetcher = Fetcher(FetchSettings("Archon/0.1", work_dir=str(folder)), guard, browser)
    yield fetcher
    submit(fetcher.close()).result(30)


@pytest.fixture(autouse=True)
def hostile_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", hostile_look_up(socket.getaddrinfo))


def get(fetcher: Fetcher, url: str) -> Page:
    return submit(fetcher.fetch(url, render="browser")).result(90)


def spelt_as_web_addresses(port: int) -> list[str]:
    return [vector for vector in vectors(port) if vector.startswith("http://") and "\n" not in vector]


async def test_the_proxy_leads_to_none_of_them(canary: Canary, guard: WatchedGuard) -> None:
    proxy = GuardingProxy(guard, connect_timeout=1)
    await proxy.start()
    with proxy.ticket(max_bytes=2**20) as ticket:
        for vector in spelt_as_web_addresses(canary.port):
            place = vector.removeprefix("http://").partition("/")[0]
            for line in (f"CONNECT {place} HTTP/1.1", f"GET http://{place}/x HTTP/1.1"):
                assert status(await say(proxy, line, ticket=ticket)) in (400, 403), line
        for _ in range(20):  # public when it is looked up for a check, loopback when it is dialled
            await say(proxy, f"CONNECT {REBINDING}:{canary.port} HTTP/1.1", ticket=ticket)
    await proxy.close()
    assert canary.connections() == 0


@needs_chromium
def test_nothing_that_a_page_loads_leads_there_directly_or_by_redirect(
    canary: Canary, site: LocalSite, guard: WatchedGuard, fetcher: Fetcher
) -> None:
    direct = spelt_as_web_addresses(canary.port)
    urls = [*direct, *with_redirects(site, direct)]
    site.routes["/loads"] = page_that_loads(urls, "fetch")
    guard.asked.clear()
    assert f"tried {len(urls)} of {len(urls)}" in get(fetcher, f"{site.url}/loads").text
    assert len({url for url in guard.asked if f":{canary.port}/" in url}) >= 40  # what Chromium itself lets through
    assert canary.connections() == 0


@needs_chromium
def test_no_kind_of_request_leads_there(canary: Canary, site: LocalSite, guard: WatchedGuard, fetcher: Fetcher) -> None:
    hosts = ("127.0.0.1", "[::ffff:7f00:1]", "mapped.example")
    site.routes["/loads"] = page_that_loads([f"http://{host}:{canary.port}/x" for host in hosts], *KINDS)
    guard.asked.clear()
    tried = len(hosts) * len(KINDS)
    assert f"tried {tried} of {tried}" in get(fetcher, f"{site.url}/loads").text
    assert len([url for url in guard.asked if f":{canary.port}/" in url]) >= tried - len(hosts)
    assert canary.connections() == 0


@needs_chromium
@pytest.mark.parametrize("way", ["start", "redirect", "script", "refresh"])
def test_no_page_is_or_becomes_one_of_them(canary: Canary, site: LocalSite, fetcher: Fetcher, way: str) -> None:
    for target in ("http://[::ffff:7f00:1]", f"http://{REBINDING}"):
        url = f"{target}:{canary.port}/x"
        site.routes["/redirect"] = Answer("", 302, {"Location": url})
        site.routes["/script"] = f"<script>location = '{url}'</script>"
        site.routes["/refresh"] = f"<meta http-equiv=refresh content='0; {url}'>"
        with pytest.raises(CrawlerError) as stopped:
            get(fetcher, url if way == "start" else f"{site.url}/{way}")
        known = isinstance(stopped.value, FetchError) and stopped.value.code == "connect_failed"
        assert refused(stopped.value) or known, (url, stopped.value)
    assert canary.connections() == 0


@needs_chromium
def test_nothing_goes_around_the_proxy(canary: Canary, site: LocalSite, fetcher: Fetcher) -> None:
    site.routes["/calls"] = page_that_calls(canary.port)
    with contextlib.closing(Datagrams(canary.port)) as datagrams:
        assert "Calls" in get(fetcher, f"{site.url}/calls").text
        assert datagrams.received() == 0
    assert canary.connections() == 0


@needs_chromium
def test_the_listener_would_have_heard_the_browser(canary: Canary, tmp_path: Path) -> None:
    """With loopback allowed the same page does reach it: the silence above is the guard's."""
    settings = BrowserSettings("Archon/0.1", PROGRAM or "", page_seconds=3)
    guard = Guard(GuardPolicy(allow_loopback=True))

    async def look() -> Any:
        async with Fetcher(FetchSettings("Archon/0.1", work_dir=str(tmp_path)), guard, settings) as fetcher:
            await fetcher.fetch(f"http://127.0.0.1:{canary.port}/", render="browser")

    with pytest.raises((FetchError, ForbiddenAddress)):
        submit(look()).result(60)
    assert canary.connections() >= 1
