import asyncio
import gzip
import os
import resource
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from aiohttp import web

from crawler.errors import CrawlerError, FetchError, ForbiddenAddress, InvalidUrl
from crawler.fetcher import Fetcher, FetchSettings
from crawler.guard import Guard, GuardPolicy
from tests.site import Answer, LocalSite, RawServer, docs_site
from tests.stack import free_port

ROOT = Path(__file__).parents[2]
OPEN = GuardPolicy(allow_loopback=True)
PAGE = "<title>T</title><p>A page with some text.</p>"


@pytest.fixture
def settings(tmp_path: Path) -> FetchSettings:
    return FetchSettings(
        user_agent="Archon/1.0 (+https://archon.example)",
        connect_timeout=2,
        headers_timeout=0.5,
        total_timeout=3,
        max_bytes=5 * 2**20,
        work_dir=str(tmp_path),
        slow_grace=0.3,
        min_bytes_per_second=2_000,
    )


@pytest.fixture
async def fetcher(settings: FetchSettings) -> AsyncIterator[Fetcher]:
    async with Fetcher(settings, Guard(OPEN)) as open_fetcher:
        yield open_fetcher


async def failure(fetcher: Fetcher, url: str, **options: Any) -> FetchError:
    with pytest.raises(FetchError) as failed:
        await fetcher.fetch(url, **options)
    assert failed.value.message
    assert failed.value.hint, "no failure without a next step"
    assert failed.value.milliseconds is not None
    return failed.value


async def hung_up(server: RawServer) -> bool:
    return await asyncio.to_thread(server.hung_up.wait, 5)


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# ---- A page -------------------------------------------------------------------------------


async def test_a_page_comes_with_all_that_is_known_about_it(fetcher: Fetcher) -> None:
    with LocalSite({"/a": Answer(PAGE, headers={"Last-Modified": "x", "X-Two": "2"})}) as site:
        page = await fetcher.fetch(f"{site.url}/b/../a?utm_source=x#part")
        assert page.url == page.final_url == f"{site.url}/a"
        assert (page.status, page.content_type, page.text, page.size) == (200, "text/html", PAGE, len(PAGE))
        assert page.headers["last-modified"] == "x"
        assert page.headers["x-two"] == "2"
        assert page.headers["etag"]
        assert (page.redirects, page.not_modified, page.body) == (0, False, b"")
        assert page.milliseconds >= 0
        assert site.paths == ["/a"]


async def test_the_crawler_says_who_it_is(fetcher: Fetcher) -> None:
    with LocalSite({"/a": PAGE}) as site:
        await fetcher.fetch(f"{site.url}/a", headers={"X-Extra": "1"})
        seen = site.requests[0].headers
    assert seen["user-agent"] == "Archon/1.0 (+https://archon.example)"
    assert seen["accept-encoding"] == "gzip, deflate, br"
    assert seen["accept"].startswith("text/html")
    assert seen["x-extra"] == "1"
    assert "cookie" not in seen


async def test_the_exact_canonical_address_is_asked_for(fetcher: Fetcher) -> None:
    path = "/~a/%2F/%C3%A9%20x;p=1/?q=a+b&c=%26&d"
    with LocalSite({}) as site:
        await failure(fetcher, site.url + path)
        assert site.paths == [path]


async def test_an_unchanged_page_is_not_sent_again(fetcher: Fetcher) -> None:
    with LocalSite({"/a": PAGE}) as site:
        first = await fetcher.fetch(f"{site.url}/a")
        second = await fetcher.fetch(f"{site.url}/a", etag=first.headers["etag"], last_modified="yesterday")
        assert (second.status, second.not_modified, second.text) == (304, True, "")
        assert site.requests[1].headers["if-modified-since"] == "yesterday"
        site.routes["/a"] = PAGE + "!"
        third = await fetcher.fetch(f"{site.url}/a", etag=first.headers["etag"])
        assert (third.status, third.text) == (200, PAGE + "!")


async def test_cookies_are_not_kept(fetcher: Fetcher) -> None:
    with LocalSite({"/a": Answer(PAGE, headers={"Set-Cookie": "session=1"})}) as site:
        await fetcher.fetch(f"{site.url}/a")
        await fetcher.fetch(f"{site.url}/a")
        assert "cookie" not in site.requests[1].headers


async def test_a_proxy_of_the_environment_is_not_used(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with LocalSite({"/a": PAGE}) as site:
        assert (await fetcher.fetch(f"{site.url}/a")).text == PAGE


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress), ("identity", bytes)],
)
async def test_compressed_pages_are_read(fetcher: Fetcher, coding: str, pack: Callable[[bytes], bytes]) -> None:
    with LocalSite({"/a": Answer(pack(PAGE.encode()), headers={"Content-Encoding": coding})}) as site:
        page = await fetcher.fetch(f"{site.url}/a")
    assert (page.text, page.size) == (PAGE, len(PAGE))


async def test_the_body_is_kept_when_asked_for(fetcher: Fetcher) -> None:
    with LocalSite({"/s.xml.gz": Answer(b"\x1f\x8b\x00", content_type="application/gzip")}) as site:
        page = await fetcher.fetch(f"{site.url}/s.xml.gz", accept=("application/*",), keep_body=True)
    assert page.body == b"\x1f\x8b\x00"


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("é".encode(), "text/html; charset=utf-8", "é"),
        ("é".encode("latin-1"), "text/html; charset=ISO-8859-1", "é"),
        ("“é”".encode("cp1252"), "text/html; charset=latin1", "“é”"),
        ("é€".encode(), "text/html", "é€"),
        ("é“".encode("cp1252"), "text/html", "é“"),
        ("\ufeffé".encode(), "text/html; charset=iso-8859-1", "é"),
        ("\ufeffé".encode("utf-16-le"), "text/html; charset=utf-8", "é"),
        ("\ufeffé".encode("utf-16-be"), "text/html", "é"),
        ("日本".encode("shift_jis"), 'text/html; charset="Shift_JIS"', "日本"),
        ("<meta charset=euc-kr>한".encode("euc-kr"), "text/html", "<meta charset=euc-kr>한"),
        (
            "<meta http-equiv='Content-Type' content='text/html; charset=windows-1251'>Я".encode("cp1251"),
            "text/html",
            "<meta http-equiv='Content-Type' content='text/html; charset=windows-1251'>Я",
        ),
        (
            "<?xml version='1.0' encoding='koi8-r'?>Я".encode("koi8-r"),
            "text/html",
            "<?xml version='1.0' encoding='koi8-r'?>Я",
        ),
        (b"+ADw-script+AD4-", "text/html; charset=utf-7", "+ADw-script+AD4-"),
        (b"<meta charset=utf-16>ok", "text/html", "<meta charset=utf-16>ok"),
        ("é".encode(), "text/html; charset=rot13", "é"),
        ("é".encode(), "text/html; charset=no-such", "é"),
        (b"a\xffb", "text/html; charset=utf-8", "a\ufffdb"),
    ],
)
async def test_text_is_decoded_as_a_browser_does(fetcher: Fetcher, body: bytes, content_type: str, text: str) -> None:
    with LocalSite({"/a": Answer(body, content_type=content_type)}) as site:
        assert (await fetcher.fetch(f"{site.url}/a")).text == text


@pytest.mark.parametrize(
    ("path", "content_type", "accepted"),
    [
        ("/a", "text/html", True),
        ("/a", "application/xhtml+xml; charset=utf-8", True),
        ("/a", "TEXT/Markdown", True),
        ("/a", "text/plain", True),
        ("/a", "", True),
        ("/a.md", "application/octet-stream", True),
        ("/a.RST", "application/octet-stream", True),
        ("/a.mdx?raw=1", "binary/octet-stream", True),
        ("/a.bin", "application/octet-stream", False),
        ("/a", "application/octet-stream", False),
        ("/a", "application/json", False),
        ("/a", "image/png", False),
        ("/a.html", "application/pdf", False),
    ],
)
async def test_only_text_pages_are_read(fetcher: Fetcher, path: str, content_type: str, accepted: bool) -> None:
    head = f"Content-Type: {content_type}\r\n" if content_type else ""
    answer = f"HTTP/1.1 200 OK\r\n{head}Content-Length: 4\r\n\r\ntext".encode()
    with RawServer(answer) as server:
        if accepted:
            assert (await fetcher.fetch(server.url + path)).text == "text"
        else:
            error = await failure(fetcher, server.url + path)
            assert (error.code, error.status) == ("unsupported_type", 200)


async def test_empty_pages_and_disguised_documents_are_no_pages(fetcher: Fetcher) -> None:
    with LocalSite({"/empty": " \n", "/pdf": b"%PDF-1.7 ..."}) as site:
        assert (await failure(fetcher, f"{site.url}/empty")).code == "empty_page"
        assert (await failure(fetcher, f"{site.url}/pdf")).code == "unsupported_type"


# ---- Statuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (403, False), (404, False), (410, False), (408, True), (429, True), (500, True),
     (501, False), (502, True), (503, True), (504, True)],
)  # fmt: skip
async def test_a_failing_status_is_told_with_whether_to_come_back(
    fetcher: Fetcher, status: int, retryable: bool
) -> None:
    with LocalSite({"/a": Answer("no", status=status)}) as site:
        error = await failure(fetcher, f"{site.url}/a")
    assert (error.code, error.status, error.retryable) == ("http_status", status, retryable)
    assert str(status) in error.message


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("120", 120), ("0", 0), ("-5", None), ("99999999999999999999", 3600), ("soon", None), ("", None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2150 07:28:00 GMT", 3600), ("٣", None),
     ("Wed, 99 Foo 20155 99:99:99", None), ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None)],
)  # fmt: skip
async def test_the_wish_to_wait_is_understood_and_bounded(
    fetcher: Fetcher, written: str, seconds: float | None
) -> None:
    answer = http(b"", f"Retry-After: {written}", "Content-Length: 0", status="429 Slow").decode().encode()
    with RawServer(answer) as server:
        assert (await failure(fetcher, server.url)).retry_after == seconds


async def test_a_date_to_wait_for_becomes_seconds(fetcher: Fetcher) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    with LocalSite({"/a": Answer("no", status=503, headers={"Retry-After": date})}) as site:
        waited = (await failure(fetcher, f"{site.url}/a")).retry_after
    assert waited is not None
    assert 80 < waited <= 90


# ---- Redirects ----------------------------------------------------------------------------


def moved(location: str, status: int = 302) -> Answer:
    return Answer("moved", status=status, headers={"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_to_its_page(fetcher: Fetcher, status: int) -> None:
    with LocalSite({"/old": moved("../new#part", status), "/new": PAGE}) as site:
        page = await fetcher.fetch(f"{site.url}/old")
    assert (page.url, page.final_url, page.redirects) == (f"{site.url}/old", f"{site.url}/new", 1)


async def test_circles_and_endless_chains_of_redirects_end(fetcher: Fetcher) -> None:
    routes = {f"/{n}": moved(f"/{n + 1}") for n in range(30)}
    with LocalSite({**routes, "/a": moved("/b"), "/b": moved("/a")}) as site:
        assert (await failure(fetcher, f"{site.url}/a")).code == "too_many_redirects"
        assert (await failure(fetcher, f"{site.url}/0")).code == "too_many_redirects"
        assert site.paths[2:] == [f"/{n}" for n in range(11)]


async def test_a_redirect_that_only_adds_a_tracking_parameter_ends_at_the_page(fetcher: Fetcher) -> None:
    with LocalSite({"/a": moved("/a?utm_source=own"), "/a?utm_source=own": PAGE}) as site:
        page = await fetcher.fetch(f"{site.url}/a")
    assert (page.final_url, page.redirects) == (f"{site.url}/a", 1)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "data:text/html,x", "raw:x", "http://u:p@h/", "http://"])
async def test_a_redirect_to_what_is_no_web_address_is_refused(fetcher: Fetcher, target: str) -> None:
    with LocalSite({"/a": moved(target)}) as site:
        error = await failure(fetcher, f"{site.url}/a")
    assert (error.code, error.status) == ("bad_redirect", 302)


async def test_credentials_do_not_follow_to_another_origin(fetcher: Fetcher) -> None:
    secrets = {"Authorization": "Bearer secret", "cookie": "a=b", "X-Kept": "1"}
    with LocalSite({"/end": PAGE}) as other, LocalSite({"/a": moved("/b"), "/b": moved(f"{other.url}/end")}) as site:
        await fetcher.fetch(f"{site.url}/a", headers=secrets)
        assert site.requests[1].headers["authorization"] == "Bearer secret"
        arrived = other.requests[0].headers
    assert "authorization" not in arrived
    assert "cookie" not in arrived
    assert arrived["x-kept"] == "1"


# ---- The guard ----------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["file:///etc/passwd", "raw:<p>x</p>", "data:text/html,x", "", "nonsense"])
async def test_only_web_addresses_are_fetched(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(InvalidUrl):
        await fetcher.fetch(url)


async def test_a_forbidden_address_gets_no_connection_by_any_way(settings: FetchSettings) -> None:
    with (
        RawServer(http(b"secret", "Content-Length: 6")) as canary,
        LocalSite({"/to": moved(f"{canary.url}/x")}) as site,
    ):
        policy = GuardPolicy(allow_private=(f"127.0.0.1:{site.port}",))
        async with Fetcher(settings, Guard(policy)) as fetcher:
            for url in (
                f"{site.url}/to",
                f"http://127.0.0.1:{canary.port}/",
                f"http://127.1:{canary.port}/",
                f"http://[::ffff:127.0.0.1]:{canary.port}/",
                f"http://localhost:{canary.port}/",
                f"http://0.0.0.0:{canary.port}/",
            ):
                with pytest.raises(ForbiddenAddress):
                    await fetcher.fetch(url)
            with pytest.raises(ForbiddenAddress):
                await fetcher.fetch_robots(canary.url)
            with pytest.raises(ForbiddenAddress) as refused:
                await fetcher.fetch(f"{site.url}/to")
            assert f"{site.url}/to redirects to {canary.url}/x: " in refused.value.message
            assert refused.value.milliseconds is not None
        assert canary.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_socket_refuses_even_when_the_url_was_let_through(settings: FetchSettings, host: str) -> None:
    class Careless(Guard):
        def check_url(self, url: str) -> None:
            """Let everything through, as if a name had pointed elsewhere a moment ago."""

    with RawServer(http(b"secret", "Content-Length: 6")) as canary:
        async with Fetcher(settings, Careless(GuardPolicy())) as fetcher:
            with pytest.raises(ForbiddenAddress):
                await fetcher.fetch(f"http://{host}:{canary.port}/")
        assert canary.connections == 0


async def test_a_name_that_changes_its_address_is_caught_at_the_socket(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rebound(*_args: Any, **_kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    with pytest.raises(ForbiddenAddress):
        await fetcher.fetch("http://rebinding.example/")


# ---- Hostile servers ----------------------------------------------------------------------


def endless(chunk: bytes, pause: float = 0) -> Callable[[socket.socket], None]:
    def script(client: socket.socket) -> None:
        client.sendall(http(b"", "Transfer-Encoding: chunked"))
        while True:
            client.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            time.sleep(pause)

    return script


async def test_an_endless_body_is_cut_off(fetcher: Fetcher) -> None:
    with RawServer(endless(b"x" * 65536)) as server:
        error = await failure(fetcher, server.url)
        assert (error.code, error.status) == ("too_large", 200)
        assert "ARCHON_CRAWL_MAX_PAGE_BYTES" in error.hint
        assert await hung_up(server)


async def test_a_body_announced_as_too_large_is_not_begun(fetcher: Fetcher) -> None:
    with RawServer(http(b"x" * 1000, "Content-Length: 10000000000")) as server:
        assert (await failure(fetcher, server.url)).code == "too_large"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_a_compression_bomb_takes_no_memory(fetcher: Fetcher, coding: str) -> None:
    zeros = b"\0" * (200 * 2**20)
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda body: gzip.compress(body, 1),
        "deflate": lambda body: zlib.compress(body, 1),
        "br": lambda body: brotli.compress(body, quality=1),
    }
    bomb = Answer(pack[coding](zeros), headers={"Content-Encoding": coding})
    del zeros
    with LocalSite({"/bomb": bomb}) as site:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert (await failure(fetcher, f"{site.url}/bomb")).code == "too_large"
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 64 * 1024


@pytest.mark.parametrize("coding", ["gzip, gzip", "zstd", "compress", "x-unknown"])
async def test_an_encoding_that_was_not_asked_for_is_refused(fetcher: Fetcher, coding: str) -> None:
    body = gzip.compress(gzip.compress(b"x"))
    with RawServer(http(body, f"Content-Encoding: {coding}", f"Content-Length: {len(body)}")) as server:
        assert (await failure(fetcher, server.url)).code == "decode_failed"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_content_that_is_not_compressed_as_it_says_is_refused(fetcher: Fetcher, coding: str) -> None:
    with RawServer(http(b"\xff" * 10, f"Content-Encoding: {coding}", "Content-Length: 10")) as server:
        error = await failure(fetcher, server.url)
    assert (error.code, error.status) == ("decode_failed", 200)


def silent(client: socket.socket) -> None:
    if not client.recv(1):
        raise ConnectionResetError


def headers_only(client: socket.socket) -> None:
    client.sendall(http(b"", "Content-Length: 1000"))
    silent(client)


def endless_headers(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        client.sendall(b"X-%d: y\r\n" % number)
        time.sleep(0.01)


@pytest.mark.parametrize("script", [silent, headers_only], ids=["no answer", "no body"])
async def test_a_silent_server_is_given_up(settings: FetchSettings, script: Callable[[socket.socket], None]) -> None:
    """By the limit for headers or of silence, long before that of the whole page."""
    patient = replace(settings, total_timeout=100)
    async with asyncio.timeout(50), Fetcher(patient, Guard(OPEN)) as fetcher:
        with RawServer(script) as server:
            error = await failure(fetcher, server.url)
            assert (error.code, error.retryable) == ("timeout", True)
            assert await hung_up(server)


async def test_endless_headers_are_given_up(fetcher: Fetcher) -> None:
    with RawServer(endless_headers) as server:
        assert (await failure(fetcher, server.url)).code in ("timeout", "protocol_error")
        assert await hung_up(server)


async def test_a_body_that_drips_is_given_up(fetcher: Fetcher) -> None:
    with RawServer(endless(b"x", pause=0.05)) as server:
        error = await failure(fetcher, server.url)
        assert (error.code, error.retryable) == ("too_slow", True)
        assert await hung_up(server)


async def test_the_whole_fetch_has_a_limit(tmp_path: Path) -> None:
    settings = FetchSettings("x", total_timeout=0.4, slow_grace=60, work_dir=str(tmp_path))
    with RawServer(endless(b"x" * 100, pause=0.02)) as server:
        async with Fetcher(settings, Guard(OPEN)) as fetcher:
            assert (await failure(fetcher, server.url)).code == "timeout"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nLocation: \xff\xfe\r\nContent-Type: \xff\r\n\r\nx",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff/\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        bytes(range(256)) * 10,
    ],
)
async def test_whatever_a_server_says_becomes_one_of_our_errors(fetcher: Fetcher, answer: bytes) -> None:
    with RawServer(answer) as server:
        await failure(fetcher, server.url)


async def test_a_connection_that_is_reset_is_a_retryable_error(fetcher: Fetcher) -> None:
    def reset(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        client.close()

    with RawServer(reset) as server:
        error = await failure(fetcher, server.url)
    assert (error.code, error.retryable) == ("connect_failed", True)


async def test_a_closed_port_a_missing_name_and_a_plain_server_have_their_own_codes(fetcher: Fetcher) -> None:
    assert (await failure(fetcher, f"http://127.0.0.1:{free_port()}/")).code == "connect_failed"
    assert (await failure(fetcher, "http://no-such-host.invalid/")).code == "dns_failed"
    with LocalSite({}) as site:
        error = await failure(fetcher, site.url.replace("http:", "https:"))
    assert (error.code, error.retryable) == ("tls_failed", False)


# ---- Working together ---------------------------------------------------------------------


async def test_a_cancelled_fetch_hangs_up_at_once(settings: FetchSettings) -> None:
    patient = replace(settings, headers_timeout=100, total_timeout=100)
    async with asyncio.timeout(50), Fetcher(patient, Guard(OPEN)) as fetcher:
        with RawServer(silent) as server:
            fetching = asyncio.create_task(fetcher.fetch(server.url))
            await asyncio.to_thread(server.connected.wait, 5)
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching
            assert await hung_up(server)


async def test_no_more_than_the_set_number_are_in_flight(tmp_path: Path) -> None:
    running, most, lock = 0, 0, threading.Lock()

    async def slow(_request: web.Request) -> Answer:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        await asyncio.sleep(0.05)
        with lock:
            running -= 1
        return Answer(PAGE)

    with LocalSite({"/a": slow}) as site:
        async with Fetcher(FetchSettings("x", concurrency=3, work_dir=str(tmp_path)), Guard(OPEN)) as fetcher:
            await asyncio.gather(*(fetcher.fetch(f"{site.url}/a") for _ in range(12)))
    assert most == 3


async def test_fetches_waiting_for_their_turn_do_not_time_out(tmp_path: Path) -> None:
    settings = FetchSettings("x", concurrency=1, connect_timeout=1.5, total_timeout=1.5, work_dir=str(tmp_path))
    with LocalSite({"/a": Answer(PAGE, delay=0.3)}) as site:
        async with Fetcher(settings, Guard(OPEN)) as fetcher:
            pages = await asyncio.gather(*(fetcher.fetch(f"{site.url}/a") for _ in range(7)))
    assert len(pages) == 7


async def test_a_connection_is_used_again(fetcher: Fetcher) -> None:
    ports = set()

    def remember(request: web.Request) -> Answer:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return Answer(PAGE)

    with LocalSite({"/a": remember}) as site:
        for _ in range(5):
            await fetcher.fetch(f"{site.url}/a")
    assert len(ports) == 1


async def test_what_is_on_its_way_through_a_closed_fetcher_ends_and_opens_nothing_anew(settings: FetchSettings) -> None:
    fetcher = Fetcher(replace(settings, concurrency=1, headers_timeout=10, total_timeout=10), Guard(OPEN))
    asked = threading.Event()

    async def wait(seen: Any) -> Answer:
        asked.set()
        await asyncio.sleep(30)
        return Answer(PAGE)

    with LocalSite({"/a": wait}) as site:
        fetches = [asyncio.create_task(fetcher.fetch(f"{site.url}/a")) for _ in range(2)]  # one of them queues
        await asyncio.to_thread(asked.wait, 10)
        await fetcher.close()
        outcomes = await asyncio.gather(*fetches, return_exceptions=True)
    assert all(isinstance(outcome, FetchError) and outcome.retryable for outcome in outcomes), outcomes
    assert fetcher._strategy is None
    with pytest.raises(FetchError, match="being stopped"):
        await fetcher.fetch("http://127.0.0.1:9/")


# ---- robots.txt ---------------------------------------------------------------------------


async def test_robots_rules_are_fetched_for_an_origin(fetcher: Fetcher) -> None:
    with LocalSite(docs_site(pages=1)) as site:
        rules = await fetcher.fetch_robots(site.url)
        assert rules.allows(f"{site.url}/docs/", "Archon")
        assert not rules.allows(f"{site.url}/docs/private/secret.html", "Archon")
        assert site.paths == ["/robots.txt"]


@pytest.mark.parametrize(
    ("route", "allowed"),
    [
        (Answer("", status=404), True),
        (Answer("", status=403), True),
        (Answer("", status=429), True),
        (Answer("", status=500), False),
        (Answer("", status=503), False),
        (Answer("User-agent: *\nDisallow: /", content_type="application/octet-stream"), False),
        (Answer(b"", content_type="text/plain"), True),
        (moved("/robots.txt"), True),
        (moved("file:///etc/passwd"), True),
        (Answer("", status=302), True),
    ],
)
async def test_what_robots_txt_answers_decides(fetcher: Fetcher, route: Answer, allowed: bool) -> None:
    with LocalSite({"/robots.txt": route}) as site:
        rules = await fetcher.fetch_robots(site.url)
        assert rules.allows(f"{site.url}/x", "Archon") is allowed


async def test_an_unreachable_robots_txt_forbids_everything(fetcher: Fetcher) -> None:
    with RawServer(silent) as server:
        rules = await fetcher.fetch_robots(server.url)
    assert rules.unreachable
    assert not rules.allows(f"{server.url}/x", "Archon")


async def test_a_robots_txt_that_breaks_off_forbids_everything(fetcher: Fetcher) -> None:
    with RawServer(http(b"User-agent: *", "Content-Length: 100")) as server:
        rules = await fetcher.fetch_robots(server.url)
    assert rules.unreachable


async def test_the_beginning_of_an_endless_robots_txt_counts(fetcher: Fetcher) -> None:
    body = b"User-agent: *\nDisallow: /x\n" + b"# filling\n" * 100_000
    with LocalSite({"/robots.txt": Answer(body)}) as site:
        rules = await fetcher.fetch_robots(site.url)
        assert not rules.allows(f"{site.url}/x", "Archon")
        assert rules.allows(f"{site.url}/y", "Archon")


# ---- The engine ---------------------------------------------------------------------------


def run_python(code: str, home: Path) -> str:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_importing_the_fetcher_loads_no_engine(tmp_path: Path) -> None:
    code = "import sys, crawler.fetcher; print([m for m in ('crawl4ai', 'aiohttp', 'playwright') if m in sys.modules])"
    assert run_python(code, tmp_path).strip() == "[]"


def test_the_engine_writes_only_where_it_was_told(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    code = f"from crawler.fetcher import preload; preload({str(work)!r})"
    assert run_python(code, home) == ""
    assert list(home.iterdir()) == []


def test_every_error_survives_pickling() -> None:
    import pickle

    error = FetchError("timeout", "Too slow.", hint="Wait.", retryable=True, status=503, retry_after=3.0)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, copy.message, copy.hint, copy.retryable, copy.status, copy.retry_after) == (
        "timeout", "Too slow.", "Wait.", True, 503, 3.0,
    )  # fmt: skip
    assert isinstance(copy, CrawlerError)
    assert str(copy) == "Too slow."
