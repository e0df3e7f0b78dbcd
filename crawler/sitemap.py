"""Sitemaps, XML or text, gzipped or not: read in a stream, as far as they can be read.

No entity is ever resolved: a file that declares one is refused, and an ampersand that begins none of XML's own five
stands for itself, as the authors of broken sitemaps meant it.
"""

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

from crawler.charset import decode
from crawler.errors import InvalidUrl
from crawler.urls import canonical_url

MAX_URLS = 50_000  # both limits are the protocol's own
MAX_BYTES = 50 * 2**20
MAX_ELEMENT_DEPTH = 32  # the protocol needs five; expat keeps a record of every open element
MAX_ELEMENTS = 2_000_000  # forty for each URL
MAX_TEXT_CHARS = 10_000
CHUNK_BYTES = 64 * 1024

_GZIP = b"\x1f\x8b"
_ROOT = re.compile(rb"<(?:[\w-]+:)?(urlset|sitemapindex)[\s>]")
_BARE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});)")
_LONGEST_REFERENCE = len(b"&#x10ffff;")
_ROOTS = frozenset({"urlset", "sitemapindex"})
_ENTRIES = frozenset({"url", "sitemap"})


@dataclass(frozen=True, slots=True)
class SitemapUrl:
    url: str
    lastmod: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """`children` are the sitemaps that an index lists; `notes` say what could not be read, and why."""

    urls: tuple[SitemapUrl, ...]
    children: tuple[str, ...]
    notes: tuple[str, ...] = ()


class _Stop(Exception):
    """Reading ends here; the message is the note."""


def parse_sitemap(body: bytes, base: str | None = None) -> Sitemap:
    """Never raises. Relative addresses are resolved against `base`, the address of the sitemap itself."""
    found = _Found(base)
    try:
        chunks = _bounded(_plain(body))
        if _begins_as_text(body):
            _read_lines(chunks, found)
        else:
            _read_xml(chunks, found)
    except _Stop as stop:
        found.notes.append(str(stop))
    return found.sitemap()


def sitemap_root(body: bytes) -> str:
    """ "urlset", "sitemapindex", or empty when these bytes begin no XML sitemap."""
    try:
        head = next(_plain(body), b"")[:4_096]
    except _Stop:
        return ""
    match = _ROOT.search(head)
    return match[1].decode() if match else ""


@dataclass
class _Found:
    base: str | None
    urls: dict[str, datetime | None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    no_addresses: int = 0

    def add(self, address: str, lastmod: str, *, is_child: bool) -> None:
        try:
            url = canonical_url(address, base=self.base)
        except InvalidUrl:
            self.no_addresses += 1
            return
        if url in self.urls or url in self.children:
            return
        if len(self.urls) + len(self.children) >= MAX_URLS:
            raise _Stop(f"holds more than {MAX_URLS:,} addresses: the rest is left out")
        if is_child:
            self.children[url] = None
        else:
            self.urls[url] = parse_lastmod(lastmod)

    def add_line(self, line: bytes) -> None:
        """Of a text sitemap: whole addresses only, or any text would be one."""
        address = decode(line[:MAX_TEXT_CHARS], None).strip()
        if address.lower().startswith(("http://", "https://")):
            self.add(address, "", is_child=False)
        elif address:
            self.no_addresses += 1

    def sitemap(self) -> Sitemap:
        if self.no_addresses:
            self.notes.append(f"Entries that are no web addresses: {self.no_addresses}")
        urls = tuple(SitemapUrl(url, lastmod) for url, lastmod in self.urls.items())
        return Sitemap(urls, tuple(self.children), tuple(self.notes))


def parse_lastmod(text: str) -> datetime | None:
    """The W3C's date formats, as UTC; None for anything else. A bare year says too little."""
    written = text.strip()
    if len(written) == len("2026-11"):
        written += "-01"
    try:
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# ---- Bytes --------------------------------------------------------------------------------


def _plain(body: bytes) -> Iterator[bytes]:
    """The body in pieces, inflated a little at a time: a bomb costs no more than what is taken."""
    if not body.startswith(_GZIP):
        yield from (body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES))
        return
    inflater = zlib.decompressobj(wbits=31)
    try:
        for at in range(0, len(body), CHUNK_BYTES):
            rest = body[at : at + CHUNK_BYTES]
            while rest and not inflater.eof:
                yield inflater.decompress(rest, CHUNK_BYTES)
                rest = inflater.unconsumed_tail
    except zlib.error:
        raise _Stop("is damaged gzip: what came before the damage was read") from None
    if not inflater.eof:
        raise _Stop("ends in the middle of its gzip: what is there was read")


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise _Stop(f"is larger than {MAX_BYTES // 2**20} MiB: the rest is left out")
        yield chunk


def _begins_as_text(body: bytes) -> bool:
    try:
        head = next(_plain(body), b"")
    except _Stop:
        return False
    return not decode(head, None).lstrip().startswith("<")


def _read_lines(chunks: Iterable[bytes], found: _Found) -> None:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            found.add_line(line)
        rest = rest[:MAX_TEXT_CHARS]
    found.add_line(rest)


# ---- XML ----------------------------------------------------------------------------------


def _read_xml(chunks: Iterable[bytes], found: _Found) -> None:
    reader = _Reader(found)
    try:
        for chunk in _utf8(chunks):
            reader.parser.Parse(chunk, False)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise _Stop(f"is not well-formed XML ({error}): what came before was read") from None


def _utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """UTF-16 as UTF-8, and every bare ampersand escaped. A reference may lie across two chunks, so one that might is
    kept for the next."""
    rest, begun = b"", False
    decoder: codecs.IncrementalDecoder | None = None
    for chunk in chunks:
        if not rest and decoder is None and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
        text = rest + (decoder.decode(chunk).encode() if decoder else chunk)
        text, begun = (text if begun else text.lstrip()), True  # nothing may stand before <?xml, and often does
        cut = text.rfind(b"&", max(0, len(text) - _LONGEST_REFERENCE))
        cut = len(text) if cut < 0 else cut
        yield _BARE_AMPERSAND.sub(b"&amp;", text[:cut])
        rest = text[cut:]
    yield _BARE_AMPERSAND.sub(b"&amp;", rest)


class _Reader:
    """Takes the loc and lastmod of each entry; what lies deeper (images, videos, alternates) is other vocabulary.

    Names are compared without their prefix and without their namespace: too many sitemaps declare none, or another.
    """

    def __init__(self, found: _Found) -> None:
        self.found = found
        self.depth = self.elements = 0
        self.entry = ""
        self.element = ""
        self.texts: dict[str, str] = {}
        self.in_cdata = False
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartCdataSectionHandler = lambda: self._cdata(begins=True)
        parser.EndCdataSectionHandler = lambda: self._cdata(begins=False)
        parser.EntityDeclHandler = _refuse_entity

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        local = name.rpartition(":")[2]
        if self.depth == 1 and local not in _ROOTS:
            raise _Stop(f"is no sitemap: its root element is <{local[:40]}>")
        if self.depth == 2:
            self.entry = local if local in _ENTRIES else ""
            self.texts = {}
        self.element = local if self.depth == 3 and self.entry else ""
        if self.depth > MAX_ELEMENT_DEPTH or self.elements > MAX_ELEMENTS:
            raise _Stop("has far more markup than a sitemap needs: what came before was read")

    def _end(self, name: str) -> None:
        if self.depth == 2 and self.entry and self.texts.get("loc", "").strip():
            loc, lastmod = self.texts["loc"].strip(), self.texts.get("lastmod", "")
            self.found.add(loc, lastmod, is_child=self.entry == "sitemap")
        self.depth -= 1
        self.element = ""

    def _text(self, text: str) -> None:
        if self.element in ("loc", "lastmod"):
            # In a CDATA section the escape that repaired the ampersand is no escape.
            written = text.replace("&amp;", "&") if self.in_cdata else text
            before = self.texts.get(self.element, "")
            self.texts[self.element] = (before + written)[:MAX_TEXT_CHARS]

    def _cdata(self, *, begins: bool) -> None:
        self.in_cdata = begins


def _refuse_entity(*_: Any) -> None:
    raise _Stop("declares entities, which a sitemap never needs: it is refused")
