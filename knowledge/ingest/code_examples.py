"""The code in a page, each piece with what the page says of it. Pure: no Django, no database, no model.

Code is found in fences, in indented blocks and in `<pre>` of Markdown files; HTML pages have
become fences before. Titles and summaries are the page's own words: the heading above, the
file or name that is defined, the sentences that lead to the code. What is too short, a
drawing, or prose in a box is left out, and counted by reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Literal, NamedTuple

from knowledge.ingest.chunking import PATH_SEPARATOR, Block, Headings, Section, sections, unmarked
from knowledge.ingest.languages import OUTPUTS, PICTURES, UNNAMED, guessed_language, named_file, named_language

Reason = Literal["short", "long", "prose", "diagram", "output", "duplicate"]
REASONS: tuple[Reason, ...] = ("short", "long", "prose", "diagram", "output", "duplicate")

# One short line is a mention, not an example; the chunk it stands in is found anyway.
MIN_CODE_CHARS = 40
MIN_LINES, MIN_LINES_CHARS = 2, 20
# Beyond this it is a listing of data, and no reader's example.
MAX_CODE_CHARS = 30_000
MAX_EXAMPLES_PER_PAGE = 500
TITLE_CHARS = 200
SUMMARY_CHARS = 400
# A share of lines that a drawing, a text and code differ by.
PICTURE_SHARE, SENTENCE_SHARE, CODE_SHARE = 0.4, 0.5, 0.3
JUDGED_LINES = 200
LABEL_CHARS = 60

_OPENING = re.compile(r"[ \t]{0,40}(`{3,}|~{3,})[ \t]{0,8}([^\n]{0,300})")
_PRE = re.compile(r"<pre\b([^>]{0,500})>", re.IGNORECASE)
_CODE = re.compile(r"\s{0,40}<code\b([^>]{0,500})>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^>]{0,500}>")
_CLASS_LANGUAGE = re.compile(r"(?:language-|lang-|highlight-source-|brush:\s?)([\w+#-]{1,40})")
_DRAWN = re.compile(r"[\s+|=_/\\<>.*^v-]{3,}$")
_BOX = re.compile(r"[\u2500-\u257f\u2190-\u21ff\u25a0-\u25ff]")
_SENTENCE = re.compile(r"\s{0,8}[A-Z\u00c0-\u024f][^{}();=<>\[\]|`$\n]{0,400}$")
_CODE_LINE = re.compile(
    r"[{}();=\[\]<>|`\\]|->|::|^\s{0,8}[$#>%] "
    r"|^\s{0,40}(?:def|class|import|from|return|if|for|while|fn|func|let|var|use)\b"
    r"|\s--?\w|^\s{2,}\S|^\s{0,40}[\w.\"-]{1,60}:(?:\s|$)|\w\.\w"
)
_DEFINED = re.compile(
    r"^[ \t]{0,24}(?:(?:export|default|pub|public|static|async|abstract|final|unsafe)\s+){0,4}"
    r"(?:def|class|function|fn|func(?: \([^)\n]{1,60}\))?|struct|interface|enum|trait|module|type)\s+"
    r"([A-Za-z_$][\w$.]{0,80})",
    re.MULTILINE,
)
_FIRST_COMMENT = re.compile(r"\s{0,40}(?:#|//|--|;;|/\*+|\"\"\"|<!--)[ \t]{0,8}([^\n]{3,300})")
_FILE_NAME = re.compile(r"[\w./@-]{1,100}\.[A-Za-z]\w{0,9}$")
_LABEL = re.compile(r"(?:\*\*|__)([^*_\n]{1,60})(?:\*\*|__):?$")
_ITEM_MARK = re.compile(r"^(?:[-*+>]|\d{1,9}[.)])\s{1,8}", re.MULTILINE)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ExampleText:
    """One piece of code in the words of its page. `title` and `summary` may be empty, `code` never is."""

    language: str
    title: str
    summary: str
    heading_path: str
    anchor: str
    code: str


class Examples(NamedTuple):
    """`left_out` counts the code blocks that are no example, by reason."""

    kept: tuple[ExampleText, ...]
    left_out: Mapping[str, int]


def code_examples(
    markdown: str, title: str, headings: Headings = (), found: Iterable[Section] | None = None
) -> Examples:
    """In the order of the page; the same code twice counts once. Time is linear in the text. `found`: the sections of
    the Markdown, where the caller has them."""
    fenced = _with_fences(markdown)
    if found is None or fenced is not markdown:
        found = sections(fenced, title, headings)
    kept: dict[str, ExampleText] = {}
    left_out: Counter[str] = Counter()
    for section in found:
        for index, block in enumerate(section.blocks):
            if block.kind != "code":
                continue
            info, code = _opened(block.text)
            language = named_language(info)
            reason = _reason(code, language, kept)
            if reason:
                left_out[reason] += 1
                continue
            kept[code] = ExampleText(
                language=language or guessed_language(code),
                title=_title(section, index, info, code),
                summary=_summary(section.blocks, index, code),
                heading_path=section.path,
                anchor=section.anchor,
                code=code,
            )
    return Examples(tuple(kept.values()), dict(left_out))


def _opened(block: str) -> tuple[str, str]:
    """Info string and code of a fenced or indented block, without what indents all of it."""
    opening = _OPENING.match(block)
    lines = block.split("\n")
    if opening is None:
        return "", _dedented(lines)
    last = lines[-1].strip()
    closed = len(lines) > 1 and last.startswith(opening[1]) and not last.strip(opening[1][0])
    return opening[2].strip(), _dedented(lines[1:-1] if closed else lines[1:])


def _dedented(lines: Sequence[str]) -> str:
    written = [line for line in lines if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in written), default=0)
    return "\n".join(line[margin:].rstrip() for line in lines).strip("\n")


def _reason(code: str, language: str, kept: Mapping[str, ExampleText]) -> Reason | None:
    """Why a block is no example; None when it is one."""
    if language in PICTURES:
        return "diagram"
    lines = [line for line in code.split("\n") if line.strip()]
    size = sum(len(line.strip()) for line in lines)
    if size < (MIN_LINES_CHARS if len(lines) >= MIN_LINES else MIN_CODE_CHARS):
        return "short"
    if len(code) > MAX_CODE_CHARS or len(kept) >= MAX_EXAMPLES_PER_PAGE:
        return "long"
    if code in kept:
        return "duplicate"
    if language in OUTPUTS:
        return "output"
    return _looks(lines[:JUDGED_LINES], named=language not in UNNAMED)


def _looks(lines: Sequence[str], *, named: bool) -> Reason | None:
    """A block whose author named its language is code; of others the lines tell."""
    drawn = sum(1 for line in lines if _DRAWN.match(line) or len(_BOX.findall(line)) >= 3)
    if drawn >= PICTURE_SHARE * len(lines):
        return "diagram"
    if named:
        return None
    sentences = sum(1 for line in lines if len(line.split()) >= 5 and _SENTENCE.match(line))
    code = sum(1 for line in lines if _CODE_LINE.search(line))
    if sentences > SENTENCE_SHARE * len(lines) or code < CODE_SHARE * len(lines):
        return "prose"
    return None


def _title(section: Section, index: int, info: str, code: str) -> str:
    """The heading, and what tells this example from its neighbours: a file, a label, the name it defines."""
    heading = section.path.rpartition(PATH_SEPARATOR)[2]
    name = named_file(info) or _label(section.blocks, index) or _commented_file(code)
    if not name and (defined := _DEFINED.search(code)):
        name = defined[1]
    if not name or name.casefold() in heading.casefold():
        return heading[:TITLE_CHARS]
    return (f"{heading}: {name}" if heading else name)[:TITLE_CHARS]


def _label(blocks: Sequence[Block], index: int) -> str:
    """A line in bold just above, as tabs and captions become."""
    before = blocks[index - 1] if index else None
    match = _LABEL.match(before.text.strip()) if before is not None and len(before.text) <= LABEL_CHARS + 8 else None
    return match[1].strip() if match else ""


def _commented_file(code: str) -> str:
    """`# app/models.py` as the first line."""
    comment = _FIRST_COMMENT.match(code)
    match = _FILE_NAME.match(comment[1].strip(" */->")) if comment else None
    return match[0] if match else ""


def _summary(blocks: Sequence[Block], index: int, code: str) -> str:
    """What leads to the code; else what follows it; else its own first comment."""
    lead = index - 1
    while lead >= 0 and _label(blocks, lead + 1):  # the label of a tab: the text stands above all tabs
        lead -= 1
        while lead >= 0 and blocks[lead].kind == "code":
            lead -= 1
    if lead >= 0 and blocks[lead].kind in ("prose", "list"):
        return _last_words(blocks[lead].text)
    after = blocks[index + 1] if index + 1 < len(blocks) else None
    if after is not None and after.kind == "prose" and not after.text.rstrip().endswith(":"):
        return _cut(_words(after.text))
    comment = _FIRST_COMMENT.match(code)
    return _cut(comment[1].strip(' */->"')) if comment else ""


def _last_words(text: str) -> str:
    """The end of a paragraph, from the beginning of a sentence."""
    words = _words(text[-4 * SUMMARY_CHARS :])
    if len(words) <= SUMMARY_CHARS:
        return words
    start = max(words.find(end, len(words) - SUMMARY_CHARS) + len(end) for end in (". ", "! ", "? ", "。"))
    tail = words[start:] if len(words) - SUMMARY_CHARS < start < len(words) - 20 else words[-SUMMARY_CHARS:]
    return tail if len(tail) < SUMMARY_CHARS else tail.partition(" ")[2] or tail


def _cut(words: str) -> str:
    """The beginning, up to the end of a word."""
    if len(words) <= SUMMARY_CHARS:
        return words
    return words[:SUMMARY_CHARS].rpartition(" ")[0] or words[:SUMMARY_CHARS]


def _words(text: str) -> str:
    """Plain text of a paragraph or of a list's last item."""
    return _SPACE.sub(" ", unmarked(_ITEM_MARK.sub("", text[: 8 * SUMMARY_CHARS]))).strip()


def _with_fences(markdown: str) -> str:
    """`<pre>` of a Markdown file as fences; what stands in a fence already is text about HTML."""
    if "<pre" not in markdown.lower():
        return markdown
    lines = markdown.split("\n")
    written: list[str] = []
    fence = ""
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        opening = _OPENING.match(line)
        if fence:
            fence = "" if line.strip().startswith(fence) and not line.strip().strip(fence[0]) else fence
        elif opening:
            fence = opening[1]
        elif match := _PRE.search(line):
            end = next((at for at in range(index - 1, len(lines)) if "</pre>" in lines[at].lower()), None)
            if end is None:  # never closed, so none of those that follow are
                return "\n".join([*written, *lines[index - 1 :]])
            written += _fenced(match[1], "\n".join([line[match.end() :], *lines[index:end]]), lines, index - 1, end)
            index = end + 1
            continue
        written.append(line)
    return "\n".join(written)


def _fenced(attributes: str, html: str, lines: Sequence[str], start: int, end: int) -> list[str]:
    html = html.partition("</pre>")[0] if end == start else f"{html}\n{lines[end].partition('</pre>')[0]}"
    code = _CODE.match(html)
    language = _CLASS_LANGUAGE.search(f"{attributes} {code[1] if code else ''}")
    text = unescape(_TAG.sub("", html)).strip("\n")
    return ["", f"~~~~~~~~{language[1] if language else ''}", *text.split("\n"), "~~~~~~~~", ""]
