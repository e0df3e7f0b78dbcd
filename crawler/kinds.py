"""What an address is: by its spelling, and by what came from it."""

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from crawler.github import GITHUB, GitHub
from crawler.sitemap import sitemap_root
from crawler.urls import origin_of, path_and_query

if TYPE_CHECKING:
    from crawler.fetcher import Page

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
XML_TYPES = frozenset({"application/xml", "text/xml", "application/rss+xml", "application/atom+xml"})
GZIP_TYPES = frozenset({"application/gzip", "application/x-gzip"})
TEXT_EXTENSIONS = frozenset({"txt", "text", "md", "mdx", "mdown", "markdown", "rst", "adoc", "asciidoc", "org"})
# For Fetcher.fetch(headers=...): a server that has the page as Markdown sends that, and it is stored as it is.
MARKDOWN_FIRST = {"Accept": "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0.1"}

_SITEMAP_NAME = re.compile(r"[^/]*sitemap[^/]*\.(?:xml|txt)(?:\.gz)?$|[^/]*sitemap[^/]*\.gz$", re.IGNORECASE)
_LLMS_NAME = re.compile(r"llms(-[\w-]+)?\.(?:txt|md)$", re.IGNORECASE)
_SPACE = b"\xef\xbb\xbf \t\r\n"


class Kind(StrEnum):
    PAGE = "page"
    TEXT = "text"
    SITEMAP = "sitemap"
    SITEMAP_INDEX = "sitemap_index"
    LLMS_TXT = "llms_txt"
    LLMS_FULL_TXT = "llms_full_txt"
    GITHUB_BLOB = "github_blob"
    GITHUB_TREE = "github_tree"
    PDF = "pdf"
    OTHER = "other"  # XML that is no sitemap, an archive


# For a sentence that begins with the address.
TITLES = {
    Kind.PAGE: "a web page",
    Kind.TEXT: "a text file",
    Kind.SITEMAP: "a sitemap",
    Kind.SITEMAP_INDEX: "an index of sitemaps",
    Kind.LLMS_TXT: "an llms.txt, a list of pages",
    Kind.LLMS_FULL_TXT: "an llms-full.txt, a whole site as one text",
    Kind.GITHUB_BLOB: "a file on GitHub",
    Kind.GITHUB_TREE: "a folder of a GitHub repository",
    Kind.PDF: "a PDF document",
    Kind.OTHER: "a file of another kind",
}
SITEMAPS = frozenset({Kind.SITEMAP, Kind.SITEMAP_INDEX})


def detect(url: str, page: "Page | None" = None, github: GitHub = GITHUB) -> Kind:
    """By the address alone, or by what came from it, which is the truth: a missing file often answers with a page."""
    named = kind_named(url, github)
    if page is None or page.not_modified:
        return named
    body = page.body or page.text[:4_096].encode()
    root = sitemap_root(body)
    if body.startswith(b"%PDF-") or page.content_type == "application/pdf":
        return Kind.PDF
    if root and not _is_html(body):
        return Kind.SITEMAP if root == "urlset" else Kind.SITEMAP_INDEX
    if named in SITEMAPS and _is_url_list(body):
        return Kind.SITEMAP
    if page.content_type in HTML_TYPES or _is_html(body):
        return Kind.PAGE
    if page.content_type in XML_TYPES | GZIP_TYPES or body.startswith(b"\x1f\x8b"):
        return Kind.OTHER
    return named if named in (Kind.LLMS_TXT, Kind.LLMS_FULL_TXT, Kind.GITHUB_BLOB) else Kind.TEXT


def kind_named(url: str, github: GitHub = GITHUB) -> Kind:
    """By the address alone."""
    path, _ = path_and_query(url)
    name = path.rpartition("/")[2]
    if place := github.place(url):
        return Kind.GITHUB_TREE if place.is_folder else Kind.GITHUB_BLOB
    if _SITEMAP_NAME.match(name):
        return Kind.SITEMAP_INDEX if "index" in name.lower() else Kind.SITEMAP
    if llms := _LLMS_NAME.match(name):
        return Kind.LLMS_FULL_TXT if llms[1] else Kind.LLMS_TXT
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension == "pdf":
        return Kind.PDF
    return Kind.TEXT if extension in TEXT_EXTENSIONS else Kind.PAGE


def _is_html(body: bytes) -> bool:
    return body[:1_024].lstrip(_SPACE).lower().startswith((b"<!doctype html", b"<html"))


def _is_url_list(body: bytes) -> bool:
    return body.startswith(b"\x1f\x8b") or body[:1_024].lstrip(_SPACE).lower().startswith((b"http:", b"https:"))


def twins(url: str) -> tuple[str, ...]:
    """Where the Markdown of this page would be by the conventions of llms.txt, likeliest first."""
    path, _ = path_and_query(url)
    if kind_named(url) is not Kind.PAGE:
        return ()
    origin = origin_of(url)
    if path.endswith("/"):
        names = [f"{path}index.md", f"{path}index.html.md", f"{path[:-1]}.md"]
    else:
        names = [re.sub(r"\.x?html?$", "", path) + ".md", f"{path}.md"]
    return tuple(dict.fromkeys(f"{origin}{name}" for name in names if name != ".md"))
