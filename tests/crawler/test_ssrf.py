"""No way leads to a place the crawler may not go: spellings x ways in, counted at a listener that nobody may reach."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from crawler import actions
from crawler.discovery import SEED_TYPES, Limits, begin, parse_sitemap
from crawler.errors import CrawlerError, FetchError, ForbiddenAddress, InvalidUrl
from crawler.extract import extract
from crawler.fetcher import Fetcher, FetchSettings
from crawler.guard import Guard, GuardPolicy
from crawler.models import CrawlJob
from crawler.robots import RobotsRules
from tests.site import Answer, LocalSite

REFUSALS = (ForbiddenAddress, InvalidUrl)
RESOLVED_NAMES = {  # what a hostile DNS would say
    "loopback.example": "127.0.0.1",
    "seven.loopback.example": "127.7.7.7",
    "private.example": "10.0.0.1",
    "metadata.example": "169.254.169.254",
    "six.example": "::1",
    "mapped.example": "::ffff:127.0.0.1",
    "unspecified.example": "0.0.0.0",
    "translated.example": "64:ff9b::7f00:1",
}
REBINDING = "rebinding.example"


class Canary:
    """Listens on every address of this machine, at one port, and never answers."""

    def __init__(self) -> None:
        family, host = (socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")
        dual = family is socket.AF_INET6
        self._listener = socket.create_server((host, 0), family=family, dualstack_ipv6=dual, backlog=500)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    def close(self) -> None:
        self._listener.close()

    def connections(self) -> int:
        """How many came since the last look."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                count += 1
        return count


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
    """The names above, and one that is public whenever it is looked up for a check, and loopback when it is dialled."""
    real = socket.getaddrinfo
    turns = itertools.count()

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        address = RESOLVED_NAMES.get(name)
        if name == REBINDING:
            address = "93.184.216.34" if next(turns) % 2 == 0 else "127.0.0.1"
        if address is None:
            if name is not None and not _is_literal(name) and not name.endswith("localhost"):
                raise socket.gaierror(socket.EAI_NONAME, "no such name in this test")
            return real(host, port, *args, **options)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, int(port or 0), *((0, 0) if ":" in address else ())))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def _is_literal(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


# ---- The vectors --------------------------------------------------------------------------


def spellings_v4(address: str) -> Iterator[str]:
    """The forms that parsers, resolvers and browsers have read as this address."""
    a, b, c, d = (int(part) for part in address.split("."))
    whole = int(ipaddress.IPv4Address(address))
    yield from (address, f"{address}.", str(whole), hex(whole), f"0{whole:o}", f"0x{whole:08X}")
    yield from (f"{a}.{b << 16 | c << 8 | d}", f"{a}.{b}.{c << 8 | d}")
    yield from (f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0x{a:x}.0{b:o}.{c}.{d}")
    yield address.translate({ord(str(n)): chr(0x2460 + n - 1) if n else "⓪" for n in range(10)})  # ①②⑦
    yield address.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})  # fullwidth digits
    yield from (address.replace(".", dot) for dot in "\u3002\uff0e\uff61")
    yield from ("".join(f"%{ord(char):02x}" for char in address), address.replace(".", "%2e"))
    yield f"%{ord(address[0]):x}{address[1:]}"
    yield from (
        f"{address[0]}\t{address[1:]}",
        f"{address[0]}\n{address[1:]}",
        f"\xad{address}",
        f"{address[:2]}\u200b{address[2:]}",
    )


def spellings_v6(address: str) -> Iterator[str]:
    inside = int(ipaddress.IPv4Address(address))
    high, low = inside >> 16, inside & 0xFFFF
    for prefix in ("::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"):
        yield f"[{prefix}{address}]"
        yield f"[{prefix}{high:x}:{low:x}]"
    yield f"[2002:{high:x}:{low:x}::]"
    yield f"[2001:0:{high:x}:{low:x}::{0xFFFF ^ high:x}:{0xFFFF ^ low:x}]"
    yield f"[0:0:0:0:0:FFFF:{high:X}:{low:X}]"


HOSTS_V6 = """
    [::1] [0:0:0:0:0:0:0:1] [::] [fe80::1] [fe80::1%25lo] [fd00:ec2::254] [fc00::1] [fec0::1] [ff02::1] [::1%25lo]
    [100::1] [2001:db8::1] [3fff::1] [5f00::1]
"""
NAMES = """
    localhost LOCALHOST localhost. loc%61lhost ｌocalhost app.localhost app.local db.internal printer.local intranet
    metadata.google.internal metadata instance-data metadata.goog
"""
ADDRESSES = "127.0.0.1 127.7.7.7 0.0.0.0 10.0.0.1 192.168.1.1 172.16.0.1 169.254.169.254 168.63.129.16"


def hosts() -> tuple[str, ...]:
    found = [*HOSTS_V6.split(), *NAMES.split(), *RESOLVED_NAMES]
    for address in ADDRESSES.split():
        found += [*spellings_v4(address), *spellings_v6(address)]
    return tuple(dict.fromkeys(found))


def vectors(port: int) -> list[str]:
    """Every host at the listener's port, and the tricks that hide a host in a URL."""
    here = f"127.0.0.1:{port}"
    tricks = [
        f"http://example.com@{here}/",
        f"http://{here}#@example.com/",
        f"http://{here}\\@example.com/",
        f"http:\\\\{here}\\x",
        f"http:/{here}/",
        f"http:{here}",
        f"http:///{here}/",
        f"hTTp://{here}/?q=@example.com",
        f"https://{here}/",
        f" \t http://{here}/ ",
        f"http://user:pw@{here}/",
        f"//{here}/",
        f"ftp://{here}/",
        f"gopher://{here}/_x",
        f"ws://{here}/",
        f"dict://{here}/x",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "data:text/html,<p>x",
        "javascript:fetch('/')",
        "raw:<p>x",
        "view-source:http://127.0.0.1/",
    ]
    return [f"http://{host}:{port}/x" for host in hosts()] + tricks


def refused(error: BaseException) -> bool:
    """By the guard or the parser; a name that does not exist leads nowhere either."""
    if isinstance(error, FetchError):
        return error.code in ("bad_redirect", "dns_failed") or "too_many" in error.code
    return isinstance(error, REFUSALS)


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
            actions.start(actions.CrawlRequest(vector))
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


# ---- And ordinary addresses ---------------------------------------------------------------


ORDINARY_HOSTS = """
    docs.python.org example.com xn--bcher-kva.example bücher.example 127.example.org local.example.net a-b.co.uk
    internal.example.io 8.8.8.8 [2606:4700::1111] localhost.example.com 10.0.0.1.example.com metadata.example.dev
    日本.example
"""
ORDINARY_PATHS = """
    / /docs/ /a/b.html?x=1&y=http://127.0.0.1/ /@user/file /path%20with%20spaces /#localhost /en/latest/index.html
    /search?q=169.254.169.254
"""


def ordinary() -> list[str]:
    ports = ("", ":80", ":443", ":8080", ":8443")
    parts = itertools.product(("http", "https"), ORDINARY_HOSTS.split(), ports, ORDINARY_PATHS.split())
    return [f"{scheme}://{host}{port}{path}" for scheme, host, port, path in parts]


def test_ordinary_addresses_are_never_refused() -> None:
    guard = Guard(GuardPolicy())
    urls = ordinary()
    assert len(urls) >= 500
    for url in urls:
        guard.check_url(url)
