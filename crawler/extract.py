"""A page's text: HTML to Markdown, with the title, the headings and their anchors, and the links out.

One parse, one conversion. Nothing here knows where the page came from or where it goes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from html_to_markdown import ConversionOptions, convert
from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler import markup
from crawler.characters import visible
from crawler.charset import decode
from crawler.errors import InvalidUrl
from crawler.urls import canonical_url, path_and_query

MAX_LINKS = 20_000
MAX_TITLE_CHARS = 300
MAX_DESCRIPTION_CHARS = 1_000
_NOWHERE = "https://file.invalid/"

_NOT_LINKS = re.compile(r"(?:javascript|mailto|tel|data|about|blob|ftp|file):", re.IGNORECASE)
_REFRESH = re.compile(r"""^\s*\d+(?:\.\d+)?\s*[;,]\s*url\s*=\s*["']?([^"'\s]+)""", re.IGNORECASE)
_LINK_TITLE = re.compile(r'(<a [^>]*?) title="[^"]*"')
_EMPTY_LINK = re.compile(r"<a [^>]*+>\s*</a>")
_HIDING = (" hidden", "style=")
_CODE = re.compile(r"<pre\b.*?</pre>|<code\b.*?</code>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heading:
    """`anchor` is the fragment that leads there, or empty."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Extracted:
    """`headings` are those of the Markdown, in its order. `links` are canonical, http(s), each once."""

    title: str
    markdown: str
    links: tuple[str, ...]
    headings: tuple[Heading, ...]
    canonical: str | None
    description: str
    language: str
    nofollow: bool
    noindex: bool


def extract(html: str, url: str) -> Extracted:
    """Read an HTML page. `url` is the canonical address it came from; links are resolved against it."""
    tree = markup.parse(html)
    base = _base_url(tree, url)
    robots = _meta(tree, "robots").lower()
    everything = "none" in robots
    links, canonical = tuple(_links(tree, base)), _canonical(tree, base)
    main = markup.main_element(tree)
    whole_body = main is None or main.tag == "body"
    headings: tuple[Heading, ...] = ()
    markdown = ""
    if main is not None:
        markup.prepare(main, whole_body=whole_body)
        headings = tuple(_headings(main))
        markdown = _markdown(main, base)
    return Extracted(
        title=_title(tree, headings, url, whole_body=whole_body),
        markdown=markdown,
        links=links,
        headings=headings,
        canonical=canonical,
        description=_shortened(_meta(tree, "description") or _meta(tree, "og:description"), MAX_DESCRIPTION_CHARS),
        language=_language(tree),
        nofollow=everything or "nofollow" in robots,
        noindex=everything or "noindex" in robots,
    )


def extract_text(text: str, url: str, content_type: str) -> Extracted:
    """Read a Markdown or plain text file. Its text is kept as it is, but for characters nobody can see."""
    kept = visible(text)
    markdown = _is_markdown(kept, url, content_type)
    front = _FRONT_MATTER.match(kept) if markdown else None
    headings = tuple(_text_headings(kept[front.end() :] if front else kept)) if markdown else ()
    return Extracted(
        title=_text_title(kept, front[1] if front else "", headings, url),
        markdown=kept,
        links=tuple(_canonical_links(_text_links(kept), url)),
        headings=headings,
        canonical=None,
        description="",
        language="",
        nofollow=False,
        noindex=False,
    )


def read_file(body: bytes, name: str, content_type: str) -> Extracted:
    """Read an HTML or text file that has no address: its relative links stay relative. `name` is a path."""
    url = canonical_url(quote(name), base=_NOWHERE)
    text = decode(body, None)
    if content_type not in ("text/html", "application/xhtml+xml"):
        return extract_text(text, url, content_type)
    found = extract(text, url)
    return replace(found, markdown=found.markdown.replace(_NOWHERE, ""), links=())


# ---- HTML ---------------------------------------------------------------------------------


def _base_url(tree: LexborHTMLParser, url: str) -> str:
    href = _attribute(tree, "base[href]", "href")
    try:
        return canonical_url(href, base=url, keep_tracking=True) if href else url
    except InvalidUrl:
        return url


def _links(tree: LexborHTMLParser, base: str) -> Iterator[str]:
    return _canonical_links(_hrefs(tree), base)


def _hrefs(tree: LexborHTMLParser) -> Iterator[str]:
    refresh = _REFRESH.match(_attribute(tree, "meta[http-equiv=refresh i]", "content"))
    if refresh:
        yield refresh[1]
    for node in tree.css("a[href], area[href], frame[src]"):
        attributes = node.attrs
        if "nofollow" not in (attributes.get("rel") or ""):
            yield attributes.get("href") or attributes.get("src") or ""


def _canonical_links(hrefs: Iterable[str], base: str) -> Iterator[str]:
    """Each address once, in order. What is no web address is left out."""
    written: set[str] = set()
    found: set[str] = set()
    for href in hrefs:
        target = href.strip().partition("#")[0]
        if not target or target in written or _NOT_LINKS.match(target):
            continue
        written.add(target)
        try:
            link = canonical_url(target, base=base)
        except InvalidUrl:
            continue
        if link not in found:
            found.add(link)
            yield link
        if len(found) >= MAX_LINKS:
            return


def _canonical(tree: LexborHTMLParser, base: str) -> str | None:
    href = _attribute(tree, "link[rel~=canonical i]", "href")
    try:
        return canonical_url(href, base=base) if href else None
    except InvalidUrl:
        return None


def _headings(main: LexborNode) -> Iterator[Heading]:
    for node in main.css(markup.HEADINGS):
        text = _heading_text(node)
        if text and node.tag:
            yield Heading(int(node.tag[1]), text, node.attributes.get("id") or "")


def _heading_text(node: LexborNode) -> str:
    return " ".join(visible(node.text()).split())


def _markdown(main: LexborNode, base: str) -> str:
    html = _EMPTY_LINK.sub("", _LINK_TITLE.sub(r"\1", main.html or ""))
    html = _CODE.sub(_on_one_line, html)
    text = _convert(html, base) or _convert(markup.flattened(html), base) or main.text(separator="\n", strip=True)
    return visible(text).strip() + "\n"


def _on_one_line(match: re.Match[str]) -> str:
    """The converter breaks inline code in two at a line end; a listing keeps its lines."""
    code = match[0]
    return code if "\n" not in code or code.startswith("<pre") else code.replace("\n", " ")


def _convert(html: str, base: str) -> str:
    # Looking for what is hidden costs the converter a tenth of its time.
    hides = any(mark in html for mark in _HIDING)
    options = ConversionOptions(
        extract_metadata=False,
        base_url=base,
        expand_abbreviations=False,
        highlight_style="none",
        hidden_content="reachable" if hides else "drop",
        inline_data_media="alt_text_only",
        bullets="-",
    )
    return (convert(html, options).content or "").strip()


def _title(tree: LexborHTMLParser, headings: tuple[Heading, ...], url: str, *, whole_body: bool) -> str:
    """The main heading, or what the page calls itself when the heading may be the site's."""
    named = _element_text(tree, "title")
    first = next((heading.text for heading in headings if heading.level == 1), "")
    if first and (not whole_body or not named or first in named):
        return _shortened(first, MAX_TITLE_CHARS)
    return _shortened(named or _meta(tree, "og:title") or first or _name_in(url), MAX_TITLE_CHARS)


def _name_in(url: str) -> str:
    path, _ = path_and_query(url)
    return path.rstrip("/").rpartition("/")[2] or url


def _meta(tree: LexborHTMLParser, name: str) -> str:
    return _attribute(tree, f"meta[name='{name}' i], meta[property='{name}' i]", "content")


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    """Of an element of the head: searching the whole page for what is not there is slow."""
    node = tree.head.css_first(selector) if tree.head is not None else None
    return ((node.attributes.get(name) or "") if node is not None else "").strip()


def _element_text(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(selector)
    return node.text() if node is not None else ""


def _language(tree: LexborHTMLParser) -> str:
    root = tree.css_first("html")
    return ((root.attributes.get("lang") or "") if root is not None else "").strip()[:35].lower()


def _shortened(text: str, limit: int) -> str:
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


# ---- Markdown and plain text --------------------------------------------------------------

_MARKDOWN_TYPES = frozenset({"text/markdown", "text/x-markdown"})
_MARKDOWN_NAMES = (".md", ".markdown", ".mdx", "/llms.txt", "/llms-full.txt")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_FRONT_MATTER = re.compile(r"\A---\n((?:.*\n){0,100}?)---[ \t]*\n")
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE)
_TEXT_LINKS = re.compile(
    r"\]\(\s*<?([^\s<>()]+(?:\([^\s<>()]*\)[^\s<>()]*)*)"  # [text](target "title")
    r"|<(https?://[^\s<>]+)>"
    r"|^ {0,3}\[[^\]\n]{1,200}\]:\s*<?(\S+?)>?(?:\s|$)"  # [name]: target
    r"|(?<![\w(<\"'])(https?://[^\s<>()\[\]\"'`]+)",
    re.MULTILINE,
)
_INLINE_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[`*]")


def _is_markdown(text: str, url: str, content_type: str) -> bool:
    path, _ = path_and_query(url)
    return content_type in _MARKDOWN_TYPES or path.endswith(_MARKDOWN_NAMES) or text.lstrip().startswith("# ")


def _outside_fences(text: str) -> Iterator[str]:
    """The lines that are not code."""
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif match:
            fence = match[1]
        else:
            yield line


def _text_headings(text: str) -> Iterator[Heading]:
    before = ""
    for line in _outside_fences(text):
        match = _ATX.match(line)
        if match and match[2]:
            yield _text_heading(len(match[1]), match[2])
        elif before.strip() and not _ATX.match(before) and (underline := _SETEXT.match(line)):
            yield _text_heading(1 if underline[1][0] == "=" else 2, before)
        before = line


def _text_heading(level: int, written: str) -> Heading:
    text = " ".join(_INLINE_MARKUP.sub(lambda match: match[1] or "", written).split())
    return Heading(level, text, re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))


def _text_links(text: str) -> Iterator[str]:
    for match in _TEXT_LINKS.finditer("\n".join(_outside_fences(text))):
        bare = match[4]
        yield bare.rstrip(".,;:!?*_") if bare else match[1] or match[2] or match[3]


def _text_title(text: str, front: str, headings: tuple[Heading, ...], url: str) -> str:
    named = _FRONT_TITLE.search(front)
    if named:
        return _shortened(named[1].strip().strip("\"'"), MAX_TITLE_CHARS)
    if headings:
        return _shortened(min(headings, key=lambda heading: heading.level).text, MAX_TITLE_CHARS)
    first = next((line for line in text.split("\n") if line.strip()), "")
    return _shortened(first, MAX_TITLE_CHARS) if 0 < len(first) <= MAX_TITLE_CHARS else _name_in(url)
