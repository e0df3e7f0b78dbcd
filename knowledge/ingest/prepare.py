"""All that a page costs in CPU, before its transaction: chunks, code, hashes, counts, lexemes. No database here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from knowledge.embedding.text import example_text, text_hash
from knowledge.embedding.tokens import window_share
from knowledge.ingest.chunking import (
    PATH_SEPARATOR,
    ChunkText,
    Headings,
    Section,
    chunk_sections,
    path_root,
    sections,
)
from knowledge.ingest.code_examples import ExampleText, code_examples
from knowledge.search.words import IndexedText, all_forms, indexed_text
from progress.wire import storable

if TYPE_CHECKING:
    from knowledge.models import CodeExample

TITLE_CHARS = 500
DESCRIPTION_CHARS = 2_000
EXAMPLE_TITLE_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingDocument:
    """A page or file as it was read. `url_hash`: the first 32 hex characters of the SHA-256 of `url`.

    `code_examples`: whether its code shall be searchable by itself.
    """

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
    code_examples: bool = True
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
class PreparedExample:
    """`text_hash`: of what is embedded of it. `described_by`: the model whose title and summary it has, if any."""

    text: ExampleText
    content_hash: str
    text_hash: str
    indexed: IndexedText
    described_by: str = ""


@dataclass(frozen=True, slots=True)
class PreparedExamples:
    examples: tuple[PreparedExample, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """`code` is None when nobody asked for code examples."""

    incoming: IncomingDocument
    content_hash: str
    word_count: int
    chunks: tuple[PreparedChunk, ...]
    code: PreparedExamples | None


def prepare_document(incoming: IncomingDocument) -> PreparedDocument:
    """May run in any thread or process; store_document then only writes."""
    document = _storable(incoming)
    root = path_root(document.title)
    title = all_forms(root)
    found = tuple(sections(document.markdown, document.title, document.headings))
    chunks = chunk_sections(found, window_share)
    return PreparedDocument(
        document,
        content_hash=_digest(document.title, document.markdown),
        word_count=len(document.markdown.split()),
        chunks=tuple(_prepared(chunk, root, title) for chunk in chunks),
        code=_prepared_code(document, found, root, title) if document.code_examples else None,
    )


def _prepared(chunk: ChunkText, root: str, title: str) -> PreparedChunk:
    headings = chunk.heading_path.removeprefix(root).removeprefix(PATH_SEPARATOR)
    return PreparedChunk(
        chunk.heading_path,
        chunk.anchor,
        chunk.content,
        content_hash=chunk_hash(chunk.heading_path, chunk.content),
        indexed=indexed_text(title, all_forms(headings), chunk.content),
    )


def chunk_hash(heading_path: str, content: str) -> str:
    """Over the heading path too: both are searched, and both are embedded."""
    return _digest(heading_path, content)


def _prepared_code(document: IncomingDocument, found: tuple[Section, ...], root: str, title: str) -> PreparedExamples:
    kept, left_out = code_examples(document.markdown, document.title, document.headings, found)
    prepared = (
        PreparedExample(
            example,
            content_hash=example_hash(example.language, example.code),
            text_hash=text_hash(example_text(example.heading_path, example.title, example.summary, example.code)),
            indexed=indexed_example(example, root, title),
        )
        for example in kept
    )
    return PreparedExamples(tuple(prepared), left_out)


def example_hash(language: str, code: str) -> str:
    return _digest(language, code)


def indexed_example(example: ExampleText, root: str, title: str) -> IndexedText:
    """`title`: the lexemes of `root`, the page's title as heading paths begin with it."""
    headings = example.heading_path.removeprefix(root).removeprefix(PATH_SEPARATOR)
    body = f"{example.summary}\n{example.code}"
    return indexed_text(title, all_forms(f"{headings} {example.title} {example.language}"), body)


def renamed(example: CodeExample, page_title: str) -> tuple[str, IndexedText]:
    """What is embedded (its hash) and indexed of an example with the title and summary that it has now."""
    text = ExampleText(
        example.language, example.title, example.summary, example.heading_path, example.anchor, example.code
    )
    return _searched(text, page_title)


def described(example: PreparedExample, page_title: str, title: str, summary: str, model: str) -> PreparedExample:
    """With words that a model once wrote for the same code; cut to what a row holds."""
    title, summary = storable(title)[:EXAMPLE_TITLE_CHARS], storable(summary)[:DESCRIPTION_CHARS]
    text = replace(example.text, title=title, summary=summary)
    searched, indexed = _searched(text, page_title)
    return replace(example, text=text, text_hash=searched, indexed=indexed, described_by=storable(model))


def _searched(text: ExampleText, page_title: str) -> tuple[str, IndexedText]:
    root = path_root(page_title)
    embedded = example_text(text.heading_path, text.title, text.summary, text.code)
    return text_hash(embedded), indexed_example(text, root, all_forms(root))


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
