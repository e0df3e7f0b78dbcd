"""Whether a page shows its text only to a browser: an application's empty shell, to be filled by scripts."""

import re

ENOUGH_CHARS = 200
NOTICE_CHARS = 600
BEGINNING_CHARS = 16_384
_ROOT_NAMES = "root|app|__next|__nuxt|___gatsby|svelte|q-app"
_EMPTY_ROOT = re.compile(
    rf"""<(div|main|section|body)\b[^<>]*\bid\s*=\s*["']?(?:{_ROOT_NAMES})["']?(?=[\s>])[^<>]*>\s*</\1\s*>"""
    r"|<app-root\b[^<>]*>\s*</app-root\s*>",
    re.IGNORECASE,
)
_SILENT = frozenset({"head", "title", "script", "style", "noscript", "template", "svg", "iframe"})
_TAG = re.compile(r"<(/?[a-z][a-z0-9-]*|!--)")
_NOTICE = re.compile(r"<noscript\b[^<>]*>(.{0,2000}?)</noscript", re.DOTALL)


def needs_browser(html: str) -> bool:
    """Only a page with scripts does; one that says enough without them does not.

    It does when it says less than ENOUGH_CHARS, when the element that an application renders into is empty, or when
    it says little and asks for JavaScript. Most pages are judged by their first characters: this runs for every page.
    """
    if "<script" not in html and "<SCRIPT" not in html:
        return False
    if len(html) > BEGINNING_CHARS and visible_chars(html[:BEGINNING_CHARS].lower(), NOTICE_CHARS) == NOTICE_CHARS:
        return _EMPTY_ROOT.search(html, 0, BEGINNING_CHARS) is not None
    lowered = html.lower()
    said = visible_chars(lowered, NOTICE_CHARS)
    if said < ENOUGH_CHARS:
        return True
    if said < NOTICE_CHARS and any("javascript" in notice[1] for notice in _NOTICE.finditer(lowered)):
        return True
    return _EMPTY_ROOT.search(html) is not None


def visible_chars(lowered: str, enough: int) -> int:
    """Characters of text outside tags and silent elements, counted as far as `enough`. One pass, however malformed."""
    position = count = 0
    while count < enough:
        tag = _TAG.search(lowered, position)
        end = tag.start() if tag else len(lowered)
        count += len(lowered[position:end].strip())
        if tag is None:
            break
        position = _after(lowered, tag)
        if position < 0:
            break
    return min(count, enough)


def _after(lowered: str, tag: re.Match[str]) -> int:
    """Where the text goes on behind a tag, a comment or a silent element; -1 when it never does."""
    name = tag[1]
    if name == "!--":
        end = lowered.find("-->", tag.end())
        return end + 3 if end >= 0 else -1
    if name in _SILENT:
        closing = lowered.find(f"</{name}", tag.end())
        if closing < 0:
            return -1
        end = lowered.find(">", closing)
    else:
        end = lowered.find(">", tag.end())
    return end + 1 if end >= 0 else -1
