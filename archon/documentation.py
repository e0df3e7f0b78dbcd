"""The documentation at `/docs/`: docs/*.md as pages, from the checkout that runs.

Which pages there are is read once from the folder, so a request can name a page and never a path. They
are written by us; they pass the renderer without HTML and the allow list all the same.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from posixpath import normpath
from urllib.parse import urlsplit

import nh3
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from knowledge.rendering import ATTRIBUTES, TAGS

ROOT = "/docs/"
FIRST = (
    *("dashboard", "search", "chat", "mcp", "commands", "rest", "websocket", "export"),
    *("configuration", "operations", "troubleshooting", "security", "scaling", "architecture"),
)
GROUPS = {"": "Documentation", "benchmarks": "Figures", "decisions": "Decisions"}
PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}
STYLE = Path(__file__).parent / "templates" / "documentation.css"


@dataclass(frozen=True, slots=True)
class Entry:
    """A page of the navigation; `name` is its path without the ending, such as `benchmarks/crawl`."""

    name: str
    title: str
    path: Path

    @property
    def url(self) -> str:
        return ROOT + self.name


@cache
def entries() -> Mapping[str, Entry]:
    found: dict[str, Entry] = {}
    for path in sorted(settings.DOCS_DIR.rglob("*.md")):
        name = path.relative_to(settings.DOCS_DIR).with_suffix("").as_posix()
        found[name] = Entry(name, _first_heading(path), path)
    order = {name: place for place, name in enumerate(FIRST)}
    return dict(sorted(found.items(), key=lambda pair: ("/" in pair[0], order.get(pair[0], len(FIRST)), pair[0])))


@cache
def pictures() -> Mapping[str, Path]:
    folder = settings.DOCS_DIR / "images"
    return {f"images/{path.name}": path for path in folder.iterdir() if path.suffix in PICTURES}


def navigation() -> list[tuple[str, list[Entry]]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries().values():
        groups.setdefault(entry.name.rpartition("/")[0], []).append(entry)
    return [(GROUPS.get(folder, folder), pages) for folder, pages in groups.items()]


@require_safe
def documentation(request: HttpRequest, name: str = "") -> HttpResponseBase:
    if picture := pictures().get(name):
        kind = PICTURES[picture.suffix]
        return HttpResponse(picture.read_bytes(), content_type=kind, headers={"Cache-Control": "max-age=3600"})
    if name.endswith((".md", "/")):  # as the files name each other, and as folders are typed
        return HttpResponseRedirect(ROOT + name.removesuffix("/").removesuffix(".md"))
    entry = entries().get(name)
    if name and entry is None:
        raise Http404
    body = html_of(entry.path.read_text(encoding="utf-8"), entry.name) if entry else ""
    style = STYLE.read_text(encoding="utf-8")
    shown = {"groups": navigation(), "entry": entry, "body": body, "style": style}
    response = render(request, "documentation.html", shown)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    response["Content-Security-Policy"] = (
        f"default-src 'none'; img-src 'self' data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
    )
    return response


def html_of(markdown: str, name: str) -> str:
    """The page `name`, with anchors at its headings and links that lead to pages and not to files."""
    tokens = _markdown.parse(markdown)
    _anchor(tokens)
    for token in (inner for outer in tokens for inner in outer.children or ()):
        if token.type in ("link_open", "image"):
            key = "href" if token.type == "link_open" else "src"
            token.attrs[key] = _link(str(token.attrs[key]), name)
    headings = {f"h{level}": {"id"} for level in range(1, 7)}
    return nh3.clean(
        _markdown.renderer.render(tokens, _markdown.options, {}),
        tags={*TAGS, "img"},
        attributes={**ATTRIBUTES, **headings, "a": {"href", "title", "class"}, "img": {"src", "alt"}},
        url_schemes={"http", "https", "mailto"},
        url_relative="pass_through",
    )


def slug(heading: str) -> str:
    """As GitHub makes it, so that one link is right in both places."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))


def _anchor(tokens: list[Token]) -> None:
    seen: dict[str, int] = {}
    for opening, text in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        anchor = slug("".join(part.content for part in text.children or ()))
        seen[anchor] = seen.get(anchor, -1) + 1
        opening.attrs["id"] = f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor
        link = Token("link_open", "a", 1, attrs={"href": f"#{opening.attrs['id']}", "class": "anchor"})
        text.children = [*(text.children or ()), link, Token("text", "", 0, content="#"), Token("link_close", "a", -1)]


def _link(target: str, name: str) -> str:
    """A relative link between the files as one between the pages."""
    parts = urlsplit(target)
    if parts.scheme or target.startswith(("#", "/")):
        return target
    path = normpath(f"{name.rpartition('/')[0]}/{parts.path}".lstrip("/"))
    if path.startswith("..") or (path not in pictures() and not path.endswith(".md")):
        return ROOT
    return ROOT + path.removesuffix(".md") + (f"#{parts.fragment}" if parts.fragment else "")


def _first_heading(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("# ")), path.stem)


_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
