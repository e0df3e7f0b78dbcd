"""A site that does to a crawler what the Web does, and worse; innocent pages among it.

Every route names the verdict that a crawl must reach. `HostileSite` is one origin, so that one crawl meets all of it.
"""

from __future__ import annotations

import asyncio
import codecs
import gzip
import io
import itertools
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import brotli  # type: ignore[import-untyped]
from aiohttp import web
from pypdf import PdfWriter
from pypdf.generic import NameObject, StreamObject

from tests.site.server import Answer, Call, Route

State = Literal["done", "failed", "skipped"]

BOMB_BYTES = 200 * 2**20
NESTED_TAGS = 1_000_000
LONG_CHAIN = 21
TRAP_LINKS = 40
# More than any system keeps for `listen(0)`.
DEAF_QUEUE = 8
TEXT = "Plain words about ordinary things stand on this page."


@dataclass(frozen=True)
class Trap:
    """One address and what must become of it: its state and, unless it is done, any of these reasons or codes."""

    path: str
    route: Route
    state: State
    reasons: frozenset[str] = frozenset()
    says: str = ""


def failed(path: str, route: Route, *codes: str) -> Trap:
    return Trap(path, route, "failed", frozenset(codes))


def skipped(path: str, route: Route, *reasons: str) -> Trap:
    return Trap(path, route, "skipped", frozenset(reasons))


def stored(path: str, route: Route, says: str = "") -> Trap:
    return Trap(path, route, "done", says=says)


def html(body: str, title: str = "A page") -> str:
    return f"<!DOCTYPE html><title>{title}</title><main><h1>{title}</h1><p>{TEXT}</p>{body}</main>"


def links(*paths: str) -> str:
    return "".join(f'<p><a href="{path}">{path}</a></p>' for path in paths)


# ---- F15: servers that keep a crawler waiting ---------------------------------------------


async def silent(_: web.Request) -> Answer:
    """Accepts, and says nothing until the client hangs up."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def streamed(request: web.Request, chunks: AsyncIterator[bytes], **headers: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/html; charset=utf-8", **headers})
    await response.prepare(request)
    async for chunk in chunks:
        await response.write(chunk)
    return response


async def dripping() -> AsyncIterator[bytes]:
    """A byte every five seconds."""
    while True:
        yield b"<"
        await asyncio.sleep(5)


async def endless(chunk: bytes) -> AsyncIterator[bytes]:
    while True:
        yield chunk


class Spoken(web.StreamResponse):
    """Exactly these bytes in place of an answer, correct HTTP or not, and then the end of the connection."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    async def prepare(self, request: web.BaseRequest) -> Any:
        transport = request.transport
        assert transport is not None
        for piece in self._pieces:
            if transport.is_closing():
                break
            transport.write(piece)
            await asyncio.sleep(0)
        transport.close()
        raise ConnectionResetError


def spoken(*pieces: bytes) -> Call:
    return lambda _: Spoken(iter(pieces))


def endless_headers(_: web.Request) -> web.StreamResponse:
    return Spoken(itertools.chain([b"HTTP/1.1 200 OK\r\n"], (b"X-%d: y\r\n" % n for n in range(200_000))))


def waiting() -> Iterator[Trap]:
    yield failed("/slow/silent", silent, "timeout")
    yield failed("/slow/drip", lambda request: streamed(request, dripping()), "timeout", "too_slow")
    yield failed("/slow/headers", endless_headers, "protocol_error", "timeout", "connect_failed")
    yield failed("/slow/one-header", spoken(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000), "protocol_error")


# ---- F16: servers that ask for patience ---------------------------------------------------


def throttled() -> Iterator[Trap]:
    """Always 429 or 503: the page fails in the end, whatever its Retry-After says; an honest one is obeyed."""
    for name, wait in {
        "now": "0",
        "garbage": "soon",
        "negative": "-5",
        "past": "Wed, 21 Oct 2015 07:28:00 GMT",
    }.items():
        yield failed(f"/busy/{name}", Answer("busy", 503, {"Retry-After": wait}), "http_status")
    yield failed("/busy/429", Answer("slow down", 429), "http_status")


def for_years() -> Iterator[Trap]:
    """Each would hold its whole host back for ever; obeyed for an hour at most, and five times, they fail."""
    for name, wait in {
        "seconds": "315360000",
        "digits": "9" * 400,
        "date": "Fri, 31 Dec 9999 23:59:59 GMT",
        "no-year": f"Fri, 31 Dec {'9' * 20} 23:59:59 GMT",
    }.items():
        yield failed(f"/years/{name}", Answer("come back later", 503, {"Retry-After": wait}), "http_status")


@contextmanager
def deaf() -> Iterator[str]:
    """The origin of a server whose queue is full: it answers no SYN, neither with a connection nor with a refusal."""
    with socket.socket() as listening, ExitStack() as queue:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(DEAF_QUEUE):
            client = queue.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}"


# ---- F17: redirects -----------------------------------------------------------------------


def moved(location: str, status: int = 302) -> Answer:
    return Answer("", status, {"Location": location})


FORBIDDEN_PLACES = {
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "private": "http://10.0.0.1/",
    "mapped": "http://[::ffff:127.0.0.1]/",
    "zero": "http://0.0.0.0/",
    "rebound": "http://localhost.internal/",
}
NO_WEB_PLACES = {
    "file": "file:///etc/passwd",
    "data": "data:text/html,<p>x",
    "script": "javascript:alert(1)",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "userinfo": "http://user:pw@example.com/",
    "broken": "http://[::1",
}


def redirects() -> Iterator[Trap]:
    yield failed("/to/itself", moved("/to/itself"), "too_many_redirects")
    yield failed("/to/pong", moved("/hidden/ping"), "too_many_redirects")
    yield failed("/to/chain", moved("/hidden/chain-1"), "too_many_redirects")
    yield failed("/to/growing", lambda request: moved(f"{request.path}?{request.query_string}x"), "too_many_redirects")
    for name, place in FORBIDDEN_PLACES.items():
        yield failed(f"/to/{name}", moved(place), "address_forbidden")
    for name, place in NO_WEB_PLACES.items():
        yield failed(f"/to/{name}", moved(place), "bad_redirect")
    yield failed("/to/https", lambda request: moved(f"https://{request.host}/innocent/0"), "tls_failed")
    for name, move in {
        "refresh-private": '<meta http-equiv="refresh" content="0;url=http://10.0.0.1/">',
        "script-private": "<script>location = 'http://10.0.0.1/'</script>",
    }.items():
        yield stored(f"/to/{name}", move + html("", name))
    yield stored("/to/nowhere", Answer(html("A redirect that names no place.", "Nowhere"), 200, {"Location": "/x"}))
    yield stored("/to/refresh", f'<meta http-equiv="refresh" content="0;url=javascript:alert(1)">{html("", "Refresh")}')


def redirect_ends() -> dict[str, Route]:
    """Addresses that only redirects lead to."""
    chain: dict[str, Route] = {f"/hidden/chain-{n}": moved(f"/hidden/chain-{n + 1}") for n in range(1, LONG_CHAIN)}
    return {"/hidden/ping": moved("/to/pong"), f"/hidden/chain-{LONG_CHAIN}": html("Too far."), **chain}


# ---- F18, F19: bombs and bodies without an end --------------------------------------------


CODINGS = ("gzip", "deflate", "br", "zstd")


def zstd_bomb() -> bytes:
    """By RFC 8878, section 3.1: a frame with a window of 128 KiB and no checksum, all blocks of one repeated byte."""
    size = 2**17
    block = ((size << 3) | (1 << 1)).to_bytes(3, "little") + b"\0"
    last = ((size << 3) | (1 << 1) | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * (BOMB_BYTES // size - 1) + last


@cache
def bomb(coding: str) -> bytes:
    """Hundreds of megabytes in a small body, packed piece by piece."""
    zeros = bytes(2**20)
    if coding == "zstd":
        return zstd_bomb()
    if coding == "br":
        packer = brotli.Compressor(quality=1)
        return b"".join([*(packer.process(zeros) for _ in range(BOMB_BYTES // len(zeros))), packer.finish()])
    deflater = zlib.compressobj(1, wbits=31 if coding == "gzip" else 15)
    return b"".join([*(deflater.compress(zeros) for _ in range(BOMB_BYTES // len(zeros))), deflater.flush()])


def packed(coding: str, body: bytes) -> Answer:
    return Answer(body, headers={"Content-Encoding": coding})


def bombs() -> Iterator[Trap]:
    for coding in CODINGS[:3]:
        yield failed(f"/bomb/{coding}", lambda _, coding=coding: packed(coding, bomb(coding)), "too_large")  # type: ignore[misc]
        yield failed(f"/bomb/false-{coding}", packed(coding, b"\xff" * 40), "decode_failed")
    # Nobody asked for zstd: it is refused before a byte of it is unpacked.
    yield failed("/bomb/zstd", lambda _: packed("zstd", bomb("zstd")), "decode_failed")
    yield failed("/bomb/false-zstd", packed("zstd", b"\x28\xb5\x2f\xfd"), "decode_failed")
    yield failed("/bomb/nested", packed("gzip, gzip", gzip.compress(gzip.compress(b"<p>x"))), "decode_failed")
    yield failed("/bomb/unknown", packed("sdch", b"x"), "decode_failed")
    # Browsers and aiohttp alike show what a cut stream held; of this one nothing but the title is left.
    yield failed("/bomb/cut", packed("gzip", gzip.compress(html("x").encode())[:40]), "empty_page", "decode_failed")


def bodies() -> Iterator[Trap]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    page = html("Said with the wrong length.", "Lying").encode()
    yield failed("/body/endless", lambda request: streamed(request, endless(b"x" * 65_536)), "too_large")
    yield failed("/body/huge", spoken(head + b"Content-Length: 10737418240\r\n\r\n<p>x"), "too_large")
    yield failed("/body/short", spoken(head + b"Content-Length: 99999\r\n\r\n" + page), "connect_failed")
    yield failed(
        "/body/long", spoken(head + b"Content-Length: %d\r\n\r\n" % len(page) + page + b"more"), "protocol_error"
    )
    yield failed("/body/no-number", spoken(head + b"Content-Length: many\r\n\r\n<p>x"), "protocol_error")
    yield failed(
        "/body/bad-chunk",
        spoken(head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n"),
        "connect_failed",
        "protocol_error",
    )
    yield failed("/body/none", Answer(""), "empty_page")
    yield failed("/body/hang-up", spoken(), "connect_failed")
    yield failed("/body/noise", spoken(bytes(range(256)) * 8), "protocol_error")


# ---- F18, F19 again: files that are read by a child of the worker ---------------------------


@cache
def pdf_bomb() -> bytes:
    """A page whose text unpacks to hundreds of megabytes."""
    writer = PdfWriter()
    page = writer.add_blank_page(100, 100)
    stream = StreamObject()
    stream._data = bomb("deflate")
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    page[NameObject("/Contents")] = writer._add_object(stream)
    return written(writer)


def locked_pdf() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret")
    return written(writer)


def written(writer: PdfWriter) -> bytes:
    content = io.BytesIO()
    writer.write(content)
    return content.getvalue()


def files() -> Iterator[Trap]:
    pdf = partial(Answer, content_type="application/pdf")
    yield failed("/file/bomb.pdf", lambda _: pdf(pdf_bomb()), "file_broken", "file_too_complex", "file_without_text")
    yield failed("/file/locked.pdf", pdf(locked_pdf()), "file_encrypted")
    yield failed("/file/broken.pdf", pdf(b"%PDF-1.7 and nothing else"), "file_broken")
    yield failed("/file/no.pdf", pdf(b"just words"), "file_type_unsupported")
    yield failed("/file/none.pdf", pdf(b""), "empty_page")
    yield failed("/file/huge.pdf", spoken(b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n"
                                          b"Content-Length: 10737418240\r\n\r\n%PDF"), "too_large")  # fmt: skip
    yield failed("/file/endless.pdf", endless_file, "too_large")
    yield stored("/file/page.pdf", html("A page that only looks like a file.", "Page"), "only looks")


async def endless_file(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/pdf"})
    await response.prepare(request)
    async for chunk in endless(b"%PDF-1.7 " + bytes(65_536)):
        await response.write(chunk)
    return response


# ---- F20: sites without an end ------------------------------------------------------------


def calendar(request: web.Request) -> Answer:
    """Each month links to the next ones."""
    month = int(request.query.get("month", 0))
    return Answer(html(links(*(f"/calendar?month={month + n}" for n in range(1, TRAP_LINKS))), f"Month {month}"))


def sessions(request: web.Request) -> Answer:
    """Each page hands out new session ids."""
    sid = int(request.query.get("sid", 1))
    return Answer(html(links(*(f"/shop?sid={sid * TRAP_LINKS + n}" for n in range(TRAP_LINKS))), f"Session {sid}"))


def facets(request: web.Request) -> Answer:
    """Every combination of filters is a page."""
    chosen = request.query_string
    more = (
        f"/facets?{chosen}{'&' if chosen else ''}{name}={n}" for name in ("size", "color") for n in range(TRAP_LINKS)
    )
    return Answer(html(links(*more), f"Filters {chosen}"))


def deeper(request: web.Request) -> Answer:
    """Each page has new ones below it."""
    return Answer(html(links(*(f"{request.path}/x{n}y" for n in range(3))), request.path))


def repeating(request: web.Request) -> Answer:
    """A relative link that leads one level deeper every time."""
    return Answer(html(links(f"{request.path}/again"), "Again"))


ENDLESS: dict[str, Call] = {
    "/calendar": calendar,
    "/shop": sessions,
    "/facets": facets,
    "/deep": deeper,
    "/repeat": repeating,
}


def without_end() -> Iterator[Trap]:
    for path, route in ENDLESS.items():
        yield stored(path, route)
    for n in range(3):
        yield stored(f"/soft404/{n}", html("The page was not found.", "Not found"))
    yield failed("/hard404", Answer("<h1>Gone</h1>", 404), "http_status")
    yield failed("/error", Answer("<h1>Oops</h1>", 500), "http_status")
    yield skipped("/a/b/a/b/a/b/a/b", html("Repeats."), "repeating_path")
    yield skipped("/many?" + "&".join(f"p{n}=1" for n in range(12)), html("Parameters."), "query_variants")


# ---- F21: text that is not what it says ---------------------------------------------------


def encoded(text: str, encoding: str, said: str) -> Answer:
    return Answer(text.encode(encoding), content_type=f"text/html; charset={said}" if said else "text/html")


def texts() -> Iterator[Trap]:
    bom, two_bytes, unknown = (html("Grüße: 日本", title) for title in ("Marked", "Two bytes", "Unknown"))
    yield stored(
        "/text/bom-wins", Answer(codecs.BOM_UTF8 + bom.encode(), content_type="text/html; charset=latin-1"), "日本"
    )
    yield stored(
        "/text/utf16", Answer(codecs.BOM_UTF16_LE + two_bytes.encode("utf-16-le"), content_type="text/html"), "日本"
    )
    yield stored("/text/liar", encoded(html("caf\xe9"), "latin-1", ""), "café")
    yield stored("/text/unknown", encoded(unknown, "utf-8", "x-no-such"), "日本")
    yield stored("/text/utf7", encoded(html("+ADw-script+AD4-alert(1)+ADw-/script+AD4-"), "ascii", "utf-7"), "+ADw-")
    yield stored("/text/nul", Answer(html("be\0fore a\0fter").replace("<p>", "<p>\0").encode()), "after")
    yield stored(
        "/text/surrogates",
        Answer(html("SURROGATES").encode().replace(b"SURROGATES", b"\xed\xa0\x80\xff\xfe tail")),
        "tail",
    )
    yield stored("/text/unclosed", "<title>Unclosed</title><div><p>" + TEXT + "<table><a href='/innocent/0'><b><i")
    yield stored(
        "/text/attributes", html(f"<p {' '.join(f'a{n}=x' for n in range(5_000))}>Attributes</p>"), "Attributes"
    )
    yield stored("/text/entities", html("&lt;" * 10_000 + " &#x110000; &#0; &bogus; end"), "end")
    yield Trap("/text/nested", nested, "done")
    yield failed("/text/pdf", Answer(b"%PDF-1.7 \x00\x01"), "unsupported_type")
    yield failed("/text/image", Answer(b"\x89PNG", content_type="image/png"), "unsupported_type")
    yield failed("/text/blank", "   \n\t  ", "empty_page")
    yield skipped("/text/noindex", '<meta name="robots" content="noindex">' + html("Private."), "noindex")


def nested(_: web.Request) -> Answer:
    return Answer(f"<title>Nested</title><main><p>{TEXT}</p>{'<b>' * NESTED_TAGS}deep</main>")


# ---- F22: sitemaps ------------------------------------------------------------------------


def urlset(*locations: str, before: str = "") -> str:
    return (
        f"<?xml version='1.0'?>{before}<urlset>{''.join(f'<url><loc>{loc}</loc></url>' for loc in locations)}</urlset>"
    )


def index(*locations: str) -> str:
    return f"<sitemapindex>{''.join(f'<sitemap><loc>{loc}</loc></sitemap>' for loc in locations)}</sitemapindex>"


LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
EXTERNAL = '<!DOCTYPE urlset [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>'
ORPHAN = "/innocent/orphan"


@cache
def gzip_sitemap_bomb() -> bytes:
    deflater = zlib.compressobj(1, wbits=31)
    pieces = [deflater.compress(b"<urlset>")]
    pieces += [deflater.compress(b"<url></url>" * 100_000) for _ in range(BOMB_BYTES // 1_100_000)]
    return b"".join([*pieces, deflater.flush()])


def sitemaps() -> dict[str, Route]:
    """The files that robots.txt names, and those that they name. One of them lists a page that nothing links to."""
    xml = partial(Answer, content_type="application/xml")
    forbidden = ("http://169.254.169.254/latest/", "file:///etc/passwd", "http://localhost:22/")
    return {
        "/maps/index.xml": xml(index("/maps/index.xml", "/maps/a.xml", "/maps/b.xml", *forbidden)),
        "/maps/a.xml": xml(index("/maps/b.xml", "/maps/deep.xml")),
        "/maps/b.xml": xml(index("/maps/a.xml", "/maps/index.xml")),
        "/maps/deep.xml": xml(index("/maps/deeper.xml")),
        "/maps/deeper.xml": xml(urlset("/hidden/too-deep")),
        "/maps/xxe.xml": xml(urlset("/hidden/&xxe;", before=EXTERNAL)),
        "/maps/laughs.xml": xml(urlset("/hidden/&l9;", before=f'<!DOCTYPE urlset [<!ENTITY l0 "ha">{LAUGHS}]>')),
        "/maps/bomb.xml.gz": lambda _: Answer(gzip_sitemap_bomb(), content_type="application/gzip"),
        "/maps/endless.xml": lambda request: streamed(request, endless(b"<url></url>" * 5_000)),
        "/maps/many.xml": lambda _: xml(urlset(*(f"http://elsewhere.example/{n}" for n in range(60_000)))),
        "/maps/broken.xml": xml(urlset(ORPHAN).removesuffix("</urlset>") + "<<<"),
        "/maps/page.xml": html("No sitemap at all."),
        "/maps/silent.xml": silent,
        "/maps/missing.xml": Answer("gone", 404),
    }


NAMED_SITEMAPS = ("index", "silent", "xxe", "laughs", "endless", "many", "broken", "page", "missing")


def robots() -> Answer:
    named = [f"/maps/{name}.xml" for name in NAMED_SITEMAPS] + [
        "/maps/bomb.xml.gz",
        "http://10.0.0.1/s.xml",
        "ftp://x/",
    ]
    lines = ["User-agent: *", "Disallow: /forbidden/", *(f"Sitemap: {address}" for address in named)]
    return Answer("\n".join(lines), content_type="text/plain")


# ---- The site -----------------------------------------------------------------------------


def innocent() -> Iterator[Trap]:
    for n in range(12):
        yield stored(
            f"/innocent/{n}",
            html(f"Chapter {n} has its own word: lighthouse{n:04d}.", f"Chapter {n}"),
            f"lighthouse{n:04d}",
        )


class HostileSite(dict[str, Route]):
    """The routes, and beside them `traps`: every address that the seed links to, with its verdict."""

    seed = "/"

    def __init__(self) -> None:
        kinds: tuple[Callable[[], Iterator[Trap]], ...] = (
            waiting, throttled, redirects, bombs, bodies, files, without_end, texts, innocent,
        )  # fmt: skip
        # One of each kind in turn, so that innocent pages wait beside the worst of them.
        rows = itertools.zip_longest(*(kind() for kind in kinds))
        self.traps = tuple(trap for row in rows for trap in row if trap is not None)
        forbidden = skipped("/forbidden/page", html("Not for crawlers."), "robots")
        self.traps += (forbidden,)
        super().__init__({trap.path: trap.route for trap in self.traps})
        self.update(redirect_ends())
        self.update(sitemaps())
        self.update(below())
        self[ORPHAN] = html("Only a sitemap names this page: lighthouse9999.", "Orphan")
        self["/robots.txt"] = robots()
        self["/"] = html(links(*(trap.path.replace("&", "&amp;") for trap in self.traps)), "Hostile site")


def below() -> dict[str, Route]:
    """The paths that lead on for ever, as far as any crawl would follow them."""
    routes: dict[str, Route] = {}
    level = ["/deep"]
    for _ in range(6):
        level = [f"{path}/x{n}y" for path in level for n in range(3)]
        routes |= dict.fromkeys(level, deeper)
    return routes | {"/repeat" + "/again" * n: repeating for n in range(1, 12)}
