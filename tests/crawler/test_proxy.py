"""The browser's way out: whom the proxy serves, where it connects, and when it stops."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator

import pytest

from crawler.errors import FetchError, ForbiddenAddress
from crawler.guard import Guard, GuardPolicy
from crawler.proxy import HEAD_BYTES, GuardingProxy, Ticket
from tests.site import Answer, LocalSite

MIB = 2**20


@pytest.fixture
def site() -> Iterator[LocalSite]:
    with LocalSite({"/": "<h1>Home</h1>", "/big": Answer(b"x" * 3 * MIB)}) as site:
        yield site


@pytest.fixture
async def proxy(site: LocalSite) -> AsyncIterator[GuardingProxy]:
    proxy = GuardingProxy(Guard(GuardPolicy(allow_private=(f"127.0.0.1:{site.port}",))), connect_timeout=1)
    await proxy.start()
    yield proxy
    await proxy.close()


async def connect(proxy: GuardingProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = proxy.address.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def say(proxy: GuardingProxy, *lines: str, ticket: Ticket | None = None) -> bytes:
    """What the proxy answers to a request of these lines, to its end."""
    reader, writer = await connect(proxy)
    writer.write("\r\n".join([*lines, *credential(ticket), "", ""]).encode())
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def credential(ticket: Ticket | None) -> list[str]:
    if ticket is None:
        return []
    encoded = base64.b64encode(f"{ticket.name}:{ticket.secret}".encode()).decode()
    return [f"Proxy-Authorization: Basic {encoded}"]


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_it_serves_only_who_shows_a_ticket(proxy: GuardingProxy, site: LocalSite) -> None:
    get, tunnel = f"GET {site.url}/ HTTP/1.1", f"CONNECT 127.0.0.1:{site.port} HTTP/1.1"
    with proxy.ticket(max_bytes=MIB) as ticket:
        forged = Ticket(ticket.name, "0" * 32, MIB)
        for line in (get, tunnel):
            assert status(await say(proxy, line)) == 407
            assert status(await say(proxy, line, ticket=forged)) == 407
            assert status(await say(proxy, line, "Proxy-Authorization: Bearer x")) == 407
            assert status(await say(proxy, line, "Proxy-Authorization: Basic !!!")) == 407
        assert site.requests == []
        assert status(await say(proxy, get, ticket=ticket)) == 200
    assert status(await say(proxy, get, ticket=ticket)) == 407


async def test_the_site_sees_a_request_of_its_own_and_nothing_of_the_proxy(
    proxy: GuardingProxy, site: LocalSite
) -> None:
    with proxy.ticket(max_bytes=MIB) as ticket:
        lines = (f"GET {site.url}/?a=1 HTTP/1.1", "Host: elsewhere.example", "Proxy-Connection: keep-alive", "X-A: b")
        answer = await say(proxy, *lines, ticket=ticket)
    assert answer.endswith(b"<h1>Home</h1>")
    [seen] = site.requests
    assert seen.path == "/?a=1"
    assert seen.headers == {"host": f"127.0.0.1:{site.port}", "x-a": "b", "connection": "close"}


async def test_a_tunnel_carries_bytes_both_ways(proxy: GuardingProxy, site: LocalSite) -> None:
    with proxy.ticket(max_bytes=MIB) as ticket:
        reader, writer = await connect(proxy)
        writer.write("\r\n".join([f"CONNECT 127.0.0.1:{site.port} HTTP/1.1", *credential(ticket), "", ""]).encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"<h1>Home</h1>")
        writer.close()


@pytest.mark.parametrize("target", ["127.0.0.2:{port}", "127.0.0.1:22", "169.254.169.254:80", "localhost:1"])
async def test_a_forbidden_address_is_refused_and_the_page_learns_why(
    proxy: GuardingProxy, site: LocalSite, target: str
) -> None:
    place = target.format(port=site.port)
    with proxy.ticket(max_bytes=MIB) as ticket:
        for line in (f"CONNECT {place} HTTP/1.1", f"GET http://{place}/ HTTP/1.1"):
            answer = await say(proxy, line, ticket=ticket)
            assert status(answer) == 403
            assert ticket.secret.encode() in answer
        [reason] = ticket.refused.values()
    assert isinstance(reason, ForbiddenAddress)
    assert site.requests == []


async def test_a_name_is_refused_when_one_of_its_addresses_is(
    proxy: GuardingProxy, site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]

    async def two(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [*entries]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two)
    with proxy.ticket(max_bytes=MIB) as ticket:
        assert status(await say(proxy, "CONNECT docs.example.com:80 HTTP/1.1", ticket=ticket)) == 403
    assert isinstance(ticket.refused["docs.example.com:80"], ForbiddenAddress)


async def test_where_the_connection_ended_is_checked_too(
    proxy: GuardingProxy, site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirection below us, such as NAT, would show at the connected socket."""
    asked: list[tuple[object, ...]] = []
    real = Guard.check_sockaddr

    def forbidden_at_last(guard: Guard, host: str, sockaddr: tuple[object, ...]) -> None:
        asked.append(sockaddr)
        if len(asked) == 4:  # check_url, look-up, socket, getpeername
            raise ForbiddenAddress("address_forbidden", "elsewhere")
        real(guard, host, sockaddr)

    monkeypatch.setattr(Guard, "check_sockaddr", forbidden_at_last)
    with proxy.ticket(max_bytes=MIB) as ticket:
        assert status(await say(proxy, f"GET {site.url}/ HTTP/1.1", ticket=ticket)) == 403
    assert len(asked) == 4
    assert site.requests == []


async def test_what_does_not_answer_is_an_error_of_the_page_not_of_the_proxy(proxy: GuardingProxy) -> None:
    with proxy.ticket(max_bytes=MIB) as ticket:
        assert status(await say(proxy, "CONNECT does-not-exist.invalid:443 HTTP/1.1", ticket=ticket)) == 403
    [error] = ticket.refused.values()
    assert isinstance(error, FetchError)
    assert (error.code, error.retryable) == ("dns_failed", True)


async def test_a_page_that_loads_too_much_is_cut_off(proxy: GuardingProxy, site: LocalSite) -> None:
    with proxy.ticket(max_bytes=MIB) as ticket:
        answer = await say(proxy, f"GET {site.url}/big HTTP/1.1", ticket=ticket)
        assert len(answer) < 2 * MIB
        assert ticket.overdrawn


async def test_connections_end_with_their_ticket(proxy: GuardingProxy, site: LocalSite) -> None:
    with proxy.ticket(max_bytes=MIB) as ticket:
        reader, writer = await connect(proxy)
        writer.write("\r\n".join([f"CONNECT 127.0.0.1:{site.port} HTTP/1.1", *credential(ticket), "", ""]).encode())
        await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"\xff\xfe http://a/ HTTP/1.1\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\n folded: x\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_refused(proxy: GuardingProxy, head: bytes) -> None:
    reader, writer = await connect(proxy)
    writer.write(head)
    assert status(await reader.read()) == 400
    writer.close()


async def test_an_endless_head_is_not_read_to_its_end(proxy: GuardingProxy) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"GET http://a/ HTTP/1.1\r\nX: " + b"x" * 2 * HEAD_BYTES)
    async with asyncio.timeout(5):
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
    writer.close()


@pytest.mark.parametrize(
    "target",
    ["GET ftp://a.example/", "GET https://a.example/", "GET /etc/passwd", "CONNECT user@a.example:80", "CONNECT  "],
)
async def test_what_is_no_web_address_leads_nowhere(proxy: GuardingProxy, target: str) -> None:
    with proxy.ticket(max_bytes=MIB) as ticket:
        assert status(await say(proxy, f"{target} HTTP/1.1", ticket=ticket)) in (400, 403)
