"""All that a page costs in CPU, before its transaction: chunks, hashes, counts, lexemes. No database here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b

from knowledge.embedding.tokens import window_share
from knowledge.ingest.chunking import PATH_SEPARATOR, ChunkText, Headings, chunk_markdown, path_root
from knowledge.search.words import IndexedText, all_forms, indexed_text
from progress.wire import storable

TITLE_CHARS = 500
DESCRIPTION_CHARS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingDocument:
    """A page or file as it was read. `url_hash`: the first 32 hex characters of the SHA-256 of `url`."""

    url: str
    url_hash: str
    title: str
    markdown: str
    headings: Headings = ()
    content_type: str = "text/html"
    http_status: int = 200
    etag: str = ""
    last_modified: str = ""
    description: str = ""
    language: str = ""
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class PreparedChunk:
    """`content_hash` covers the heading path too: both are searched, and both will be embedded."""

    heading_path: str
    anchor: str
    content: str
    content_hash: str
    indexed: IndexedText


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    incoming: IncomingDocument
    content_hash: str
    word_count: int
    chunks: tuple[PreparedChunk, ...]


def prepare_document(incoming: IncomingDocument) -> PreparedDocument:
    """May run in any thread or process; store_document then only writes."""
    document = _storable(incoming)
    root = path_root(document.title)
    title = all_forms(root)
    chunks = chunk_markdown(document.markdown, document.title, document.headings, window_share)
    return PreparedDocument(
        document,
        content_hash=_digest(document.title, document.markdown),
        word_count=len(document.markdown.split()),
        chunks=tuple(_prepared(chunk, root, title) for chunk in chunks),
    )


def _prepared(chunk: ChunkText, root: str, title: str) -> PreparedChunk:
    headings = chunk.heading_path.removeprefix(root).removeprefix(PATH_SEPARATOR)
    return PreparedChunk(
        chunk.heading_path,
        chunk.anchor,
        chunk.content,
        content_hash=_digest(chunk.heading_path, chunk.content),
        indexed=indexed_text(title, all_forms(headings), chunk.content),
    )


def _storable(incoming: IncomingDocument) -> IncomingDocument:
    return replace(
        incoming,
        url=storable(incoming.url),
        title=storable(incoming.title).strip()[:TITLE_CHARS],
        markdown=storable(incoming.markdown),
        headings=tuple((level, storable(text), storable(anchor)) for level, text, anchor in incoming.headings),
        content_type=storable(incoming.content_type)[:128],
        etag=storable(incoming.etag),
        last_modified=storable(incoming.last_modified),
        description=storable(incoming.description)[:DESCRIPTION_CHARS],
        language=storable(incoming.language)[:35],
    )


def _digest(*texts: str) -> str:
    digest = blake2b(digest_size=16)
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()
