"""Markdown that strangers wrote as HTML that may stand in our own pages.

Two fences: the renderer passes no HTML of the text through, and an allow list judges what it
made. Nothing is loaded from elsewhere: an image is shown as its description.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# About a second of work for text made to be slow; a tenth of it for a page of prose.
MAX_RENDERED_CHARS = 250_000
_TAGS = "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul"
TAGS = frozenset(_TAGS.split())
# markdown-it tells a column's alignment by a style; the list has none, so columns stay left-aligned.
ATTRIBUTES = {"a": {"href", "title"}, "code": {"class"}, "ol": {"start"}}
SCHEMES = frozenset({"http", "https", "mailto"})
LINK_REL = "nofollow noopener ugc"

_LANGUAGE_CLASS = re.compile(r"language-[\w+#.-]{1,40}")


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """`truncated`: the text went on, and is read whole as Markdown."""

    html: str
    truncated: bool


def render_page(markdown: str, url: str) -> RenderedPage:
    """Safe HTML of a page; `url` is what its relative links lead from."""
    shown = markdown[:MAX_RENDERED_CHARS]
    html = nh3.clean(
        _markdown.render(shown),
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=set(SCHEMES),
        url_relative=("rewrite_with_base", url) if urlsplit(url).scheme in ("http", "https") else "deny",
        link_rel=LINK_REL,
    )
    return RenderedPage(html, truncated=len(shown) < len(markdown))


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "code" and name == "class":
        return value if _LANGUAGE_CLASS.fullmatch(value) else None
    return value


def _described(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """An image as its description: loading it would tell its host who reads what."""
    image = tokens[index]
    return escapeHtml(self.renderInlineAsText(image.children or [], options, env))


def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    renderer.add_render_rule("image", _described)
    return renderer


_markdown = _renderer()
