"""Addresses that hold more than one page: PDF documents, llms-full.txt, folders of a GitHub repository.

A file comes over the same guarded fetcher as every page, goes to disk, and is read in a limited child process, as an
upload is. What is in it becomes documents with addresses of their own: `#page=21`, `#install`, the page of a file.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.utils import timezone

from crawler.errors import FetchError
from crawler.extract import extract_text
from crawler.fetcher import Fetcher, Page
from crawler.github import DOCUMENT_EXTENSIONS, GitHub, GitHubPlace
from crawler.kinds import HTML_TYPES, Kind, detect
from crawler.llms import split_llms_full
from crawler.scope import Scope
from crawler.urls import url_hash
from knowledge.ingest import IncomingDocument, PreparedDocument, prepare_document
from knowledge.readers import Limits, Part, Said, Selection, Trouble, read

PDF_TYPES = ("application/pdf", "application/x-pdf")
ARCHIVE_TYPES = ("application/gzip", "application/x-gzip", "application/x-tar", "application/octet-stream")
MARKDOWN_ACCEPT = ("text/markdown", "text/x-markdown", "text/plain")
# Text in memory of what one file holds.
MAX_OUTPUT = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Got:
    """A page, or a file with the documents in it; `kind` says which. `left` are addresses with the reason why not."""

    page: Page
    kind: Kind = Kind.PAGE
    documents: tuple[PreparedDocument, ...] = ()
    left: Mapping[str, str] | None = None


async def get(
    fetcher: Fetcher,
    url: str,
    github: GitHub,
    *,
    accept: tuple[str, ...],
    twin: str = "",
    keep_body: bool = False,
    max_bytes: int | None = None,
    limits: Limits | None = None,
    code_examples: bool = True,
    **options: Any,
) -> Got:
    """Fetch what `url` shows, wherever it lies, and read it when it is a file. Raises what Fetcher.fetch does.

    `twin` is where its Markdown is said to be; when there is none, the page itself is fetched.
    """
    from crawler.transport import FileRoom

    if twin:
        conditions = {name: options.pop(name, None) for name in ("etag", "last_modified")}  # they are the twin's
        if page := await _markdown(fetcher, url, twin, **conditions):
            return Got(page)
    place, address = github.place(url), github.address(url)
    folder = place is not None and place.is_folder
    types = ARCHIVE_TYPES if folder else PDF_TYPES
    room = FileRoom(types, max_bytes or settings.CRAWL_MAX_FILE_BYTES, str(settings.DATA_DIR))
    page = await fetcher.fetch(
        address, accept=types if folder else (*accept, *PDF_TYPES), keep_body=keep_body, files=room, **options
    )
    if page.final_url == address:
        page = replace(page, url=url, final_url=url)
    if page.file is None:
        return Got(page)
    kind = Kind.GITHUB_TREE if folder else Kind.PDF
    limits = limits or Limits(memory=settings.UPLOAD_MEMORY_BYTES, output=MAX_OUTPUT)
    stopped = threading.Event()
    try:
        return await asyncio.to_thread(_read, page, kind, place, github, limits, stopped, code_examples)
    finally:
        stopped.set()


async def _markdown(fetcher: Fetcher, url: str, twin: str, **conditions: Any) -> Page | None:
    try:
        page = await fetcher.fetch(twin, accept=MARKDOWN_ACCEPT, **conditions)
    except FetchError as error:
        if error.retryable:
            raise
        return None
    return replace(page, url=url, final_url=url, content_type="text/markdown")


class _Stopped(Exception):
    """Nobody waits for this file any more."""


def _read(
    page: Page,
    kind: Kind,
    place: GitHubPlace | None,
    github: GitHub,
    limits: Limits,
    stopped: threading.Event,
    code_examples: bool,
) -> Got:
    def look() -> None:
        if stopped.is_set():
            raise _Stopped

    assert page.file is not None
    if kind is Kind.GITHUB_TREE and place is not None:
        name = f"{place.repository}.tar.gz"
        under = f"{place.path}/" if place.path else ""
        chosen = Selection(under=under, strip=1, extensions=DOCUMENT_EXTENSIONS)
    else:
        name, chosen = page.final_url.rpartition("/")[2] or page.final_url, Selection()
    with page.file as file:
        said = list(read(file, name, pages=settings.PAGE_READER, limits=limits, selection=chosen, look=look))
    parts = [one for one in said if isinstance(one, Part)]
    if not parts:
        raise _unreadable(page, said)
    if kind is Kind.GITHUB_TREE and place is not None:
        troubles = [one for one in said if isinstance(one, Trouble)]
        left = {github.file_page(place, trouble.name): trouble.code for trouble in troubles if trouble.name != name}
        documents = [_file_of(page, part, github.file_page(place, part.name)) for part in parts]
        return Got(
            page, kind, tuple(prepare_document(replace(one, code_examples=code_examples)) for one in documents), left
        )
    documents = [_stretch_of(page, part, alone=len(parts) == 1) for part in parts]
    return Got(page, kind, tuple(prepare_document(replace(one, code_examples=code_examples)) for one in documents))


def _unreadable(page: Page, said: Sequence[Said]) -> FetchError:
    troubles = [one for one in said if isinstance(one, Trouble)]
    if troubles:
        code, message, hint = troubles[0].code, f"{page.final_url}: {troubles[0].message}", troubles[0].hint
    else:
        code, message = "archive_without_documents", f"{page.final_url} holds no document."
        hint = "Give a folder that holds Markdown, reStructuredText or text files."
    error = FetchError(code, message, hint=hint, status=page.status)
    error.milliseconds = page.milliseconds
    return error


def _file_of(page: Page, part: Part, url: str) -> IncomingDocument:
    return incoming(page, url, part.title, part.markdown, part.headings, part.content_type)


def _stretch_of(page: Page, part: Part, *, alone: bool) -> IncomingDocument:
    """The only one has the file's own address, and its validators: then the server can say that nothing changed."""
    url = page.final_url if alone else f"{page.final_url}#{part.fragment or 'page=1'}"
    read = incoming(page, url, part.title, part.markdown, part.headings, part.content_type)
    return with_validators(read, page) if alone else read


def sections(page: Page) -> list[IncomingDocument]:
    """Of an llms-full.txt with several headings; nothing for any other page."""
    if page.content_type in HTML_TYPES or detect(page.final_url, page) is not Kind.LLMS_FULL_TXT:
        return []
    found = split_llms_full(page.text, page.final_url)
    return [_section(page, one.title, one.url, one.markdown) for one in found] if len(found) > 1 else []


def _section(page: Page, title: str, url: str, markdown: str) -> IncomingDocument:
    read = extract_text(markdown, page.final_url, "text/markdown")
    headings = tuple((heading.level, heading.text, heading.anchor) for heading in read.headings)
    return incoming(page, url, title or read.title, markdown, headings, "text/markdown")


def incoming(
    page: Page,
    url: str,
    title: str,
    markdown: str,
    headings: Iterable[tuple[int, str, str]],
    content_type: str,
    *,
    description: str = "",
    language: str = "",
) -> IncomingDocument:
    """A document of this page, without what the server could be asked with whether it changed."""
    return IncomingDocument(
        url=url,
        url_hash=url_hash(url),
        title=title or url,
        markdown=markdown,
        headings=tuple(headings),
        content_type=content_type,
        http_status=page.status,
        fetched_at=timezone.now(),
        description=description,
        language=language,
    )


def with_validators(document: IncomingDocument, page: Page) -> IncomingDocument:
    return replace(document, etag=page.headers.get("etag", ""), last_modified=page.headers.get("last-modified", ""))


def documents_title(got: Got, place: GitHubPlace | None) -> str:
    """What to call the source that is this file."""
    if place is not None and place.is_folder:
        return "/".join(part for part in (place.owner, place.repository, place.path) if part)
    return got.documents[0].incoming.title.partition(" (pages ")[0]


def chosen(
    got: Got, scope: Scope, place: GitHubPlace | None, github: GitHub
) -> tuple[list[PreparedDocument], dict[str, str]]:
    """The documents that the globs of the crawl let in, and the addresses of the others with the reason.

    Only a repository's files are chosen from: the stretches of one document belong together.
    """
    left = dict(got.left or {})
    if place is None:
        return list(got.documents), left
    scope = replace(scope, seed=github.file_page(place, ""), mode="host", max_depth=max(scope.max_depth, 1))
    kept = []
    for document in got.documents:
        verdict = scope.verdict(document.incoming.url, 1)
        if verdict.allowed:
            kept.append(document)
        else:
            left[document.incoming.url] = verdict.reason
    return kept, left
