"""A parsed page made ready for conversion: the main element found, the page's furniture removed, code, tabs and
admonitions brought into forms that Markdown can say."""

import re
from html import escape
from itertools import accumulate

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

MAX_DEPTH = 250  # browsers stop at 512, the converter drops everything below 1,024
MAX_UNCHECKED_TAGS = 10_000  # nested in one another they cost half a second
MAX_TAGS = 600_000  # six times the largest page of the Python manual
MAX_TAG_CHARS = 50_000
MAX_ATTRIBUTES = 500
MIN_MAIN_CHARS = 40

MAIN_SELECTORS = ("[role=main]", "main", "article", "#content", "#docContent", "#main-content")

HEADINGS = "h1, h2, h3, h4, h5, h6"
SECTION_LEVELS = 4  # DocBook wraps a title in three
PERMALINK_MARKS = ("", "¶", "§", "#", "🔗", "⚓")
PERMALINKS = "a.headerlink, a.hash-link, a.header-anchor, a.anchor, a.anchorjs-link, a.heading-link"
FURNITURE = ", ".join(
    (
        "script, style, noscript, template, svg, nav, footer, iframe, canvas, object, dialog",
        "button, input, select, textarea",
        "[role=navigation], [role=search], [aria-hidden=true], .breadcrumbs, .breadcrumb, .pagination-nav",
        f"{PERMALINKS}, a.viewcode-link",
        ".rustdoc-breadcrumbs, summary.hideme, a.tooltip, a.test-arrow, a.src",
        "a[class*=skip i][href^='#'], [aria-label='Skip to main content']",
        "#titlearea, #main-nav, #nav-path, #side-nav, #MSearchSelectWindow, #MSearchResultsWindow, address.footer",
        ".sphinxsidebar, .navheader, .navfooter, .related, .md-source-file, .theme-doc-toc-mobile, .copybtn",
        "[hidden]:not([role=tabpanel]), [style*='display:none' i]:not([role=tabpanel])",
        "[style*='display: none' i]:not([role=tabpanel])",
    )
)
# What stands around the text of a page that marks its main element.
AROUND = f"{FURNITURE}, main, [role=main], header, aside, a"
CLOSING_CHARS = 300
CODE_TABLES = "table.highlighttable, table.codehilitetable, table.rouge-table, table.lntable, .highlight table"
LINE_NUMBERS = ".linenos, .lineno, .linenodiv, .lnt, .ln, .gutter, .line-numbers-rows, .hljs-ln-numbers"
ADMONITION_TITLES = (
    ".admonition-title, .markdown-alert-title, .custom-block-title, [class*=admonitionHeading],"
    " .note > h3.title, .tip > h3.title, .warning > h3.title, .caution > h3.title, .important > h3.title"
)
TABS = ".tabbed-set, [role=tablist]"
DOXYGEN = ".headertitle > .title, div.fragment"
RESHAPED = f"label.sd-tab-label, math, dt.sig, form, header, {DOXYGEN}"

_SKIP = re.compile(
    r"\s*(?:skip|jump)\s+to\s+(?:the\s+)?(?:(?:main|page)\s+)?(?:content|navigation|search|menu|footer)\b",
    re.IGNORECASE,
)
_PAGER = re.compile(r"(?:previous|next)\b", re.IGNORECASE)
_CLOSING = re.compile(r"(?:last (?:updated|modified|edited)|was this (?:page )?helpful)\b", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^[\ufeff\s]*<\?xml[^>]{0,500}\?>")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})[^>]*>")
_LONG_TAG = re.compile(rf"<[A-Za-z][^>]{{{MAX_TAG_CHARS},}}>?")
_LANGUAGE = re.compile(r"(?:^|\s)(?:language-|lang-|highlight-source-|highlight-|brush:\s*|sourceCode\s+)([\w+#.-]+)")
_LANGUAGE_NAMES = {
    "python3": "python",
    "py": "python",
    "ipython3": "python",
    "pycon3": "pycon",
    "shell-session": "console",
    "sh": "shell",
    "js": "javascript",
    "ts": "typescript",
}
# A bare word in a class, as in "hljs rust", counts only when it is one of these.
_BARE = """
    bash c clojure console cpp csharp css dart diff dockerfile elixir erlang go graphql groovy haskell html http ini
    java javascript json jsx julia kotlin latex lua makefile nix objective-c ocaml perl php powershell proto python
    r ruby rust scala scss shell sql swift toml tsx typescript vue wasm xml yaml zig
"""
_BARE_LANGUAGES = frozenset(_BARE.split())
_NO_LANGUAGE = frozenset({"default", "none", "text", "plaintext", "plain", "txt", "nohighlight", "source", "guess"})
# Closed by what follows them, so they say nothing about depth; and the elements without content.
_FLAT = """
    p li dt dd tr td th thead tbody tfoot option optgroup colgroup rp rt html head body area base br col embed hr
    img input link meta param source track wbr
"""
_FLAT_TAGS = frozenset(_FLAT.split())


def parse(html: str) -> LexborHTMLParser:
    """One parse, of bounded cost. The parser's own is quadratic in the depth of the tree and in the number of a tag's
    attributes: half a megabyte of nested <div> would keep it busy for ten seconds."""
    html = _XML_DECLARATION.sub("", html, count=1).replace("\0", "")
    if _has_long_tag(html):
        html = _LONG_TAG.sub(_without_attributes, html)
    if html.count("<") > MAX_UNCHECKED_TAGS and _depth_bound(html) > MAX_DEPTH:
        html = flattened(html)
    tags = html.count("<")
    if tags > MAX_TAGS:
        html = html[: len(html) * MAX_TAGS // tags]
    return LexborHTMLParser(html, options=LexborDocumentOptions.WO_EVENTS)


def _has_long_tag(html: str) -> bool:
    """A few looks clear nearly every page: what is that long covers a whole stretch of half its length."""
    half = MAX_TAG_CHARS // 2
    stretches = range(0, len(html) - half, half)
    return any(html.find(">", start, start + half) < 0 for start in stretches) and (
        max(map(len, html.split(">"))) > MAX_TAG_CHARS
    )


def flattened(html: str) -> str:
    """The page without the tags that stand deeper than MAX_DEPTH."""
    depth = 0

    def kept(match: re.Match[str]) -> str:
        nonlocal depth
        closing, name = match[1], match[2].lower()
        if name in _FLAT_TAGS:
            return match[0] if depth <= MAX_DEPTH else " "
        if closing:
            depth = max(depth - 1, 0)
            return match[0] if depth < MAX_DEPTH else " "
        depth += 1
        return match[0] if depth <= MAX_DEPTH else " "

    return _TAG.sub(kept, html)


def _depth_bound(html: str) -> int:
    """The tree is at most this deep; cheap, and far too high only where end tags are missing."""
    return max(accumulate(part.count("<") - 1 for part in html.split("</")))


def _without_attributes(match: re.Match[str]) -> str:
    tag = match[0]
    return tag if tag.count("=") < MAX_ATTRIBUTES and len(tag.split(None, MAX_ATTRIBUTES)) < MAX_ATTRIBUTES else " "


def main_element(tree: LexborHTMLParser) -> LexborNode | None:
    """The element that holds the page's own text, or the body when the page marks none."""
    for selector in MAIN_SELECTORS:
        found = tree.css(selector)
        # Several articles make a list of teasers, and an empty main is filled by JavaScript.
        if len(found) == 1 and len(found[0].text().strip()) >= MIN_MAIN_CHARS:
            return found[0]
    return _short_main(tree) or tree.body


def _short_main(tree: LexborHTMLParser) -> LexborNode | None:
    """A page may have little to say: its main element holds it all when around it are only landmarks and links."""
    found = tree.css("main, [role=main]")
    if len(found) != 1 or not found[0].text().strip():
        return None
    outside = parse(tree.html or "")
    for node in outside.css(AROUND):
        node.decompose()
    rest = outside.body
    return found[0] if rest is None or len(_line(rest)) < MIN_MAIN_CHARS else None


def prepare(main: LexborNode, *, whole_body: bool) -> None:
    """Bring `main` into the form that is converted. Changes the tree."""
    claimed: set[int] = set()
    for heading in main.css(HEADINGS):
        _settle_anchor(heading, claimed)
    containers: set[int] = set()
    for tabs in main.css(TABS):
        _label_tabs(tabs, containers)
    for node in main.css(RESHAPED):
        _reshape(node, whole_body=whole_body)
    for node in main.css(ADMONITION_TITLES):
        _replace(node, f"<p><strong>{escape(_line(node))}</strong></p>")
    for node in main.css(FURNITURE):
        node.decompose()
    for link in main.css("a[href^='#']"):
        if _SKIP.match(link.text()):
            link.decompose()
    _drop_closing(main)
    for table in main.css(CODE_TABLES):
        _unwrap_code_table(table)
    for table in main.css("table"):
        _unwrap_layout_table(table)
    for pre in main.css("pre"):
        _plain_code(pre)


def _drop_closing(main: LexborNode) -> None:
    """What GitBook puts below the text, without a name to know it by: its pager, a date, a question."""
    while (last := _last_element(main)) is not None and _is_closing(last):
        last.decompose()


def _last_element(main: LexborNode) -> LexborNode | None:
    last = main.last_child
    while last is not None and not last.is_element_node and not last.text().strip():
        last = last.prev
    return last if last is not None and last.is_element_node else None


def _is_closing(node: LexborNode) -> bool:
    # Pieces that a browser sets apart are words of their own.
    line = _line(node, separator=" ")
    if not line:
        return node.tag in ("div", "p") and node.css_first("img, video, audio, hr, table") is None
    if len(line) > CLOSING_CHARS:
        return False
    links = [_line(link, separator=" ") for link in ([node] if node.tag == "a" else node.css("a"))]
    return bool(_CLOSING.match(line)) or (" ".join(links) == line and all(map(_PAGER.match, links)))


def _settle_anchor(heading: LexborNode, claimed: set[int]) -> None:
    """Give the heading the id that leads to it, wherever the site keeps it, and make it plain text.

    `claimed` are the sections that an earlier heading heads. Its permalink goes, and so does any other link: a
    heading that leads back to the contents is still a heading.
    """
    links = heading.css("a")
    permalinks = [link for link in links if link.text().strip() in PERMALINK_MARKS]
    target = (permalinks[0].attributes.get("href") or "") if permalinks else ""
    anchor = target[1:] if target.startswith("#") else heading.id or _id_inside(heading) or _id_before(heading)
    section = _id_around(heading, claimed)
    anchor = anchor or section
    for link in permalinks:
        link.decompose()
    if links:
        heading.unwrap_tags(["a"])
    if anchor:
        heading.attrs["id"] = anchor


def _id_inside(heading: LexborNode) -> str:
    node = heading.css_first("a[id], a[name], span[id]")
    return (node.attributes.get("id") or node.attributes.get("name") or "") if node is not None else ""


def _id_before(heading: LexborNode) -> str:
    """An empty anchor just before the heading."""
    before = _element_before(heading)
    if before is None or before.tag not in ("a", "span") or before.text().strip():
        return ""
    return before.attributes.get("id") or before.attributes.get("name") or ""


def _id_around(heading: LexborNode, claimed: set[int]) -> str:
    """The id of the section whose first heading this is. Claims the sections on the way."""
    found, section = "", heading.parent
    for _ in range(SECTION_LEVELS):
        if section is None or section.tag not in ("section", "div") or section.mem_id in claimed:
            break
        claimed.add(section.mem_id)
        found = found or section.id or ""
        section = section.parent
    return found


def _element_before(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and not before.is_element_node and not before.text().strip():
        before = before.prev
    return before


def _reshape(node: LexborNode, *, whole_body: bool) -> None:
    if node.tag == "header":
        _keep_headings(node, keep=not whole_body)
    elif node.tag == "form":
        _unwrap_page_form(node)
    elif node.tag == "math":
        _tex(node)
    elif node.tag == "dt":
        node.inner_html = f"<code>{escape(_signature(node))}</code>"
    elif node.tag == "label":
        _replace(node, f"<p><strong>{escape(_line(node))}</strong></p>")
    elif node.tag == "div":
        _from_doxygen(node)


def _from_doxygen(node: LexborNode) -> None:
    """Its titles and listings are <div>, a line of a listing one each."""
    lines = node.css("div.line")
    if not lines:
        _replace(node, f"<h1>{escape(_line(node))}</h1>")
        return
    for number in node.css(LINE_NUMBERS):
        number.decompose()
    _replace(node, f"<pre>{escape(chr(10).join(line.text().rstrip() for line in lines))}</pre>")


def _keep_headings(header: LexborNode, *, keep: bool) -> None:
    """A header inside the main element may hold the page's title; the site's own holds its menu."""
    headings = header.css("h1, h2") if keep else []
    if headings:
        _replace(header, "".join(heading.html or "" for heading in headings))
    else:
        header.decompose()


def _unwrap_page_form(form: LexborNode) -> None:
    """Some frameworks put the whole page into a form."""
    if form.css_first("h1, h2, h3, pre, p") is None:
        form.decompose()
    else:
        form.unwrap()


def _tex(math: LexborNode) -> None:
    annotation = math.css_first("annotation")
    if annotation is not None:
        math.replace_with(f"${annotation.text().strip()}$")


def _signature(term: LexborNode) -> str:
    for link in term.css("a.headerlink, a.viewcode-link"):
        link.decompose()
    return _line(term)


def _label_tabs(tabs: LexborNode, containers: set[int]) -> None:
    if tabs.attributes.get("role") != "tablist":
        _label_material_tabs(tabs)
        return
    container = tabs.parent
    if container is not None and container.mem_id not in containers:
        containers.add(container.mem_id)  # two lists of tabs in one place: no telling whose panels are whose
        _put_labels([_line(tab) for tab in tabs.css("[role=tab]")], container.css("[role=tabpanel]"))
    tabs.decompose()


def _label_material_tabs(tabs: LexborNode) -> None:
    labels, blocks = tabs.css_first(".tabbed-labels"), tabs.css_first(".tabbed-content")
    if labels is None or blocks is None:
        return
    _put_labels([_line(label) for label in labels.iter()], list(blocks.iter()))
    labels.decompose()


def _put_labels(labels: list[str], panels: list[LexborNode]) -> None:
    if len(labels) != len(panels):
        return
    for label, panel in zip(labels, panels, strict=True):
        bold = _fragment(f"<p><strong>{escape(label)}</strong></p>")
        first = panel.first_child
        if bold is not None and first is not None:
            first.insert_before(bold)


def _unwrap_code_table(table: LexborNode) -> None:
    """A listing laid out as a table: line numbers in one cell, the code in the other."""
    cells = table.css("td.code pre, td.rouge-code pre") or table.css("td:last-child pre")
    if cells:
        table.replace_with(cells[0])


def _unwrap_layout_table(table: LexborNode) -> None:
    """A single row without a head arranges columns of text; as a Markdown table they would be one line."""
    if table.css_first("th") is None and len(table.css("tr")) == 1:
        _replace(table, "".join(f"<div>{cell.inner_html or ''}</div>" for cell in table.css("td")))


def _plain_code(pre: LexborNode) -> None:
    """Only the text of the code, with its language where the converter looks for it."""
    for number in pre.css(LINE_NUMBERS):
        number.decompose()
    for line_break in pre.css("br"):
        line_break.replace_with("\n")
    for block in pre.css("div, li, tr, p"):
        if not block.text().endswith("\n"):
            block.insert_after("\n")
    language = code_language(pre)
    marked = f' class="language-{escape(language)}"' if language else ""
    text = pre.text().strip("\n")
    pre.inner_html = f"<code{marked}>{escape(text, quote=False)}</code>"


def code_language(pre: LexborNode) -> str:
    """The language a highlighter left in a class or attribute of the block, of its code, or of its wrappers."""
    own = [node for node in (pre.css_first("code"), pre) if node is not None]
    around = [node for node in (pre.parent, pre.parent and pre.parent.parent) if node is not None]
    names = [*map(_own_language, own), *map(_class_language, around), *map(_bare_language, own)]
    name = next((name for name in names if name and name not in _NO_LANGUAGE), "")
    return _LANGUAGE_NAMES.get(name, name)


def _own_language(node: LexborNode) -> str:
    attributes = node.attributes
    written = attributes.get("data-language") or attributes.get("data-lang") or attributes.get("lang") or ""
    return written.strip().lower() or _class_language(node)


def _class_language(node: LexborNode) -> str:
    match = _LANGUAGE.search(node.attributes.get("class") or "")
    return match[1].lower() if match else ""


def _bare_language(node: LexborNode) -> str:
    words = (node.attributes.get("class") or "").lower().split()
    return next((word for word in words if word in _BARE_LANGUAGES), "")


def _replace(node: LexborNode, html: str) -> None:
    fragment = _fragment(html)
    if fragment is None:
        node.decompose()
    else:
        node.replace_with(fragment)


def _fragment(html: str) -> LexborNode | None:
    body = LexborHTMLParser(f"<div>{html}</div>").body
    return body.first_child if body is not None else None


def _line(node: LexborNode, *, separator: str = "") -> str:
    return " ".join(node.text(separator=separator).split())
