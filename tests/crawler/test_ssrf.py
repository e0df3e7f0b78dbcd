"""No way leads to a place the crawler may not go: spellings x ways in, counted at a listener that nobody may reach."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from crawler import actions
from crawler.discovery import SEED_TYPES, Limits, begin, parse_sitemap
from crawler.errors import CrawlerError, FetchError, ForbiddenAddress
from crawler.extract import extract
from crawler.fetcher import Fetcher, FetchSettings
from crawler.guard import Guard, GuardPolicy
from crawler.models import CrawlJob
from crawler.robots import RobotsRules
from progress.viewer import OPERATOR
from tests.crawler.vectors import REBINDING, REFUSALS, Canary, hostile_look_up, ordinary, refused, vectors
from tests.site import Answer, LocalSite


@pytest.fixture
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.close()


@pytest.fixture
def site() -> Iterator[LocalSite]:
    with LocalSite() as site:
        yield site


@pytest.fixture
async def fetcher(site: LocalSite, tmp_path: Path) -> AsyncIterator[Fetcher]:
    """The public Web and the test's own site, at its own port; nothing else on this machine."""
    policy = GuardPolicy(allow_private=(f"127.0.0.1:{site.port}",))
    settings = FetchSettings(
        "Archon/0.1", connect_timeout=1, headers_timeout=1, total_timeout=3, work_dir=str(tmp_path)
    )
    async with Fetcher(settings, Guard(policy)) as fetcher:
        yield fetcher


@pytest.fixture(autouse=True)
def hostile_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", hostile_look_up(socket.getaddrinfo))


# ---- The ways in --------------------------------------------------------------------------


def test_there_are_enough_vectors() -> None:
    assert len(vectors(1)) >= 300
    assert 5 * len(vectors(1)) >= 1_500


@pytest.mark.django_db
def test_no_crawl_starts_there(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    public = Guard(GuardPolicy(extra_ports=frozenset({canary.port})))
    monkeypatch.setattr(actions, "guard", lambda: public)
    for vector in vectors(canary.port):
        with pytest.raises(CrawlerError) as stopped:
            actions.start(actions.CrawlRequest(vector, viewer=OPERATOR))
        assert refused(stopped.value), (vector, stopped.value)
    assert canary.connections() == 0
    assert not CrawlJob.objects.exists()


async def test_no_redirect_leads_there(canary: Canary, site: LocalSite, fetcher: Fetcher) -> None:
    for vector in vectors(canary.port):
        site.routes["/to"] = moved(vector)
        with pytest.raises(CrawlerError) as stopped:
            await fetcher.fetch(f"{site.url}/to")
        # Some spellings are no address at all and so a path of this site, where nothing is.
        assert refused(stopped.value) or stopped.value.code == "http_status", (vector, stopped.value)
    assert canary.connections() == 0


async def test_no_robots_txt_leads_there(canary: Canary, site: LocalSite, fetcher: Fetcher) -> None:
    for vector in vectors(canary.port):
        site.routes["/robots.txt"] = moved(vector)
        with contextlib.suppress(*REFUSALS):
            assert (await fetcher.fetch_robots(site.url)).body == "", vector
    assert canary.connections() == 0


async def test_no_sitemap_leads_there(canary: Canary, site: LocalSite, fetcher: Fetcher) -> None:
    site.routes["/"] = "<h1>Home</h1><p>Text</p>"
    home = await fetcher.fetch(f"{site.url}/", accept=SEED_TYPES, keep_body=True)
    for batch in batches(canary.port):
        site.routes["/index.xml"] = xml(f"<sitemapindex>{entries('sitemap', batch)}</sitemapindex>")
        robots = RobotsRules(
            200, "Sitemap: /index.xml\n" + "".join(f"Sitemap: {vector}\n" for vector in batch if "\n" not in vector)
        )
        beginning = await begin(home, fetcher.fetch, robots, agent="Archon", limits=Limits(seconds=20, requests=300))
        assert beginning.seeds == ()
        listed = parse_sitemap(f"<urlset>{entries('url', batch)}</urlset>".encode(), site.url)
        await all_refused([entry.url for entry in listed.urls], fetcher)
    assert canary.connections() == 0


async def test_no_link_leads_there(canary: Canary, site: LocalSite, fetcher: Fetcher) -> None:
    anchors = "".join(f'<a href="{escape(vector, {chr(34): "&quot;"})}">x</a>' for vector in vectors(canary.port))
    links = extract(f"<main><h1>Links</h1>{anchors}</main>", f"{site.url}/").links
    assert len(links) > 90  # one spelling of each is left
    await all_refused(links, fetcher)
    assert canary.connections() == 0


async def test_a_name_that_changes_between_check_and_connection_leads_nowhere(
    canary: Canary, site: LocalSite, tmp_path: Path
) -> None:
    policy = GuardPolicy(extra_ports=frozenset({canary.port}), allow_private=(f"127.0.0.1:{site.port}",))
    settings = FetchSettings(
        "Archon/0.1", connect_timeout=0.05, headers_timeout=0.2, total_timeout=0.5, work_dir=str(tmp_path)
    )
    async with Fetcher(settings, Guard(policy)) as fetcher:
        for _ in range(20):
            with pytest.raises((ForbiddenAddress, FetchError)):
                await fetcher.fetch(f"http://{REBINDING}:{canary.port}/")
            with contextlib.suppress(CrawlerError):
                fetcher._guard.resolve(f"http://{REBINDING}:{canary.port}/", 1)
    assert canary.connections() == 0


async def test_the_listener_would_have_heard(canary: Canary, tmp_path: Path) -> None:
    """With loopback allowed, the same fetcher does reach it: the silence above is the guard's."""
    settings = FetchSettings("Archon/0.1", headers_timeout=0.2, total_timeout=0.5, work_dir=str(tmp_path))
    async with Fetcher(settings, Guard(GuardPolicy(allow_loopback=True))) as fetcher:
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "localhost"):
            with pytest.raises(FetchError) as silent:
                await fetcher.fetch(f"http://{host}:{canary.port}/")
            assert silent.value.code == "timeout"
            assert canary.connections() >= 1


def moved(location: str) -> Answer:
    """A header cannot hold a line end; elsewhere it can."""
    return Answer("", 302, {"Location": location.replace("\n", "%0a")})


def xml(body: str) -> Answer:
    return Answer(body, content_type="application/xml")


def entries(element: str, batch: tuple[str, ...]) -> str:
    return "".join(f"<{element}><loc>{escape(vector)}</loc></{element}>" for vector in batch)


def batches(port: int) -> Iterator[tuple[str, ...]]:
    left = iter(vectors(port))
    while batch := tuple(itertools.islice(left, 60)):
        yield batch


async def all_refused(urls: list[str] | tuple[str, ...], fetcher: Fetcher) -> None:
    for url in urls:
        with pytest.raises(CrawlerError) as stopped:
            await fetcher.fetch(url)
        assert refused(stopped.value) or stopped.value.code == "http_status", (url, stopped.value)


def test_ordinary_addresses_are_never_refused() -> None:
    guard = Guard(GuardPolicy())
    urls = ordinary()
    assert len(urls) >= 500
    for url in urls:
        guard.check_url(url)
