"""Markdown as somebody reads it who follows no link: a passage for a model, without the addresses in it.

A fifth of what was found in three documentation sites were addresses, which say nothing. The page itself,
read whole, has them.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})", re.MULTILINE)
_TARGET = r"\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:[ \t]+\"[^\"\n]*\")?\)"
_CODE = r"(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)"
# The text may hold brackets of its own, once: an image that is a link. Possessive: nothing is tried a second time.
_LINK = re.compile(rf"{_CODE}|!?\[(?P<text>(?:[^\[\]\n]|\[[^\[\]\n]*\](?:{_TARGET})?+)*+)\]{_TARGET}")


def without_addresses(markdown: str) -> str:
    """Links and images as their text; code blocks as they are."""
    if "](" not in markdown:
        return markdown
    parts: list[str] = []
    place = 0
    while opened := _FENCE.search(markdown, place):
        parts.append(_told(markdown[place : opened.start()]))
        closing = re.compile(rf"^[ \t]*{re.escape(opened[1])}[`~]*[ \t]*$", re.MULTILINE)
        closed = closing.search(markdown, opened.end())
        place = closed.end() if closed else len(markdown)
        parts.append(markdown[opened.start() : place])
    return "".join([*parts, _told(markdown[place:])])


def _told(prose: str) -> str:
    return _LINK.sub(_shown, prose) if "](" in prose else prose


def _shown(match: re.Match[str]) -> str:
    text = match["text"]
    return match[0] if text is None else _told(text)
