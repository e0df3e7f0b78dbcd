"""llms.txt and llms-full.txt: the links of the first, the sections of the second."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crawler.characters import visible
from crawler.errors import InvalidUrl
from crawler.urls import canonical_url

MAX_LINKS = 20_000
MAX_SECTIONS = 10_000
MAX_TITLE_CHARS = 300
# A list of links rather than a text: what people write for people has fewer.
COLLECTION_LINKS = 3
COLLECTION_SHARE = 0.02

_URL = r"(?:[^\s()<>\\]|\([^\s()<>]{0,200}\))+"
_LINKS = re.compile(
    rf"(?<!!)\[([^\[\]\n]{{0,500}})\]\([ \t]*<?({_URL})>?"  # [title](url), but no image
    r"|(https?://[^\s()<>\[\]\"'`]+)",  # a bare address
)
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_HEADINGS = {level: re.compile(rf"#{{{level}}}[ \t]+(\S.{{0,999}})") for level in (1, 2)}
_INLINE_MARKUP = re.compile(r"[*_`]|\[([^\]]{0,300})\]\([^)]{0,2000}\)")


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Section:
    """`url` is an address of its own: that of the file with the heading's anchor."""

    title: str
    url: str
    markdown: str


def parse_llms(text: str, base: str) -> tuple[Link, ...]:
    """Every link out of the file, each address once, in order; the file itself is none of them."""
    links: dict[str, str] = {}
    for match in _LINKS.finditer(visible(text)):
        url = _canonical(match[2] or match[3].rstrip(".,;:!?*_"), base)
        if url and url != base:
            title = " ".join((match[1] or "").split())[:MAX_TITLE_CHARS]
            links[url] = links.get(url) or title
        if len(links) >= MAX_LINKS:
            break
    return tuple(Link(url, title) for url, title in links.items())


def is_link_collection(text: str, base: str) -> bool:
    """More than three links, and more of them than one in fifty words."""
    links = len(parse_llms(text, base))
    return links > COLLECTION_LINKS and links > COLLECTION_SHARE * len(text.split())


def split_llms_full(text: str, base: str) -> tuple[Section, ...]:
    """One section per heading of the first level, or of the second where there is only one of the first.

    A file with fewer than two is one section at its own address. What stands before the first heading is `#top`.
    """
    parts = next((found for level in (1, 2) if len(found := list(_parts(visible(text), level))) > 2), [])
    if not parts:
        title = next((title for title, _ in _parts(visible(text), 1) if title), "")
        return (Section(title, base, visible(text)),) if text.strip() else ()
    taken: dict[str, int] = {}
    return tuple(
        Section(title, f"{base}#{_slug(title, taken) if title else 'top'}", "\n".join(lines).strip() + "\n")
        for title, lines in parts
        if any(line.strip() for line in lines)
    )


def _parts(text: str, level: int) -> Iterator[tuple[str, list[str]]]:
    """The lines under each heading of this level, the heading's own among them; first those before any."""
    title, lines, count, fence = "", list[str](), 0, ""
    for line in text.split("\n"):
        fence = _fence_after(line, fence)
        heading = None if fence else _HEADINGS[level].match(line)
        if heading and count < MAX_SECTIONS:
            yield title, lines
            title, lines, count = _plain_title(heading[1].rstrip("# \t")), [], count + 1
        lines.append(line)
    yield title, lines


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after this line. One closes with at least as many of the same character."""
    mark = _FENCE.match(line)
    if not mark:
        return fence
    if not fence:
        return mark[1]
    closes = mark[1].startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence


def _plain_title(written: str) -> str:
    return " ".join(_INLINE_MARKUP.sub(lambda match: match[1] or "", written).split())[:MAX_TITLE_CHARS]


def _slug(title: str, taken: dict[str, int]) -> str:
    """As GitHub makes anchors: a repeated one gets a number."""
    slug = re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") or "section"
    number = taken.get(slug, -1) + 1
    taken[slug] = number
    return f"{slug}-{number}" if number else slug


def _canonical(address: str, base: str) -> str:
    try:
        return canonical_url(address.partition("#")[0] or base, base=base)
    except InvalidUrl:
        return ""
