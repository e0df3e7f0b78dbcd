"""Markdown into chunks that follow its headings. Pure: no Django, no database, time linear in the text.

A chunk never crosses a heading. Code fences, tables and lists stay whole unless one alone is
larger than a chunk; then they are cut between lines, rows and items, and every piece of code
keeps its fence and every piece of a table its header. Only cut prose overlaps.

Characters are the first bound. The second is the embedder's window, measured by whoever calls:
dense code and scripts of many signs are cut smaller.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

CHUNK_CHARS = 900
OVERLAP_CHARS = 100
# Not even a window full of headings makes chunks smaller than this.
LEAST_CHARS = 240
HEADING_CHARS = 160
PATH_CHARS = 600
PATH_SEPARATOR = " > "

Headings = tuple[tuple[int, str, str], ...]
Kind = Literal["prose", "code", "table", "list"]
# From heading path and content to the share of the window that they fill.
Measure = Callable[[str, str], float]

_FENCE = re.compile(r"[ \t]{0,40}(`{3,}|~{3,})")
_LIST_ITEM = re.compile(r"[ \t]{0,40}(?:[-*+]|\d{1,9}[.)])[ \t]")
_UNDERLINE = re.compile(r"(=+|-{3,})[ \t]{0,40}$")
# Any of these, a blank line, a heading or a table's row, asked at once: prose is most of a page's lines.
_ENDS_PROSE = re.compile(
    rf"\s*\Z|#{{1,6}}(?:[ \t]|\Z)|\||{_UNDERLINE.pattern}|(?:{_FENCE.pattern})|(?:{_LIST_ITEM.pattern})"
)
_MARKUP = re.compile(r"[`*\\]|\[(?=[^\]]{0,200}\]\()|\]\([^)\s]{0,2000}+(?:\s\"[^\"]{0,300}\")?\)")
_SPACE = re.compile(r"\s+")
_SENTENCE_ENDS = ("\n", ". ", "! ", "? ", "; ", "。", "\uff01", "\uff1f")


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A passage, the headings above it (`Title > Section > Sub`) and the anchor of the nearest one."""

    heading_path: str
    anchor: str
    content: str


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading, down to the next."""

    path: str
    anchor: str
    blocks: list[Block]


def chunk_sections(found: Iterable[Section], measure: Measure | None = None) -> tuple[ChunkText, ...]:
    return tuple(
        ChunkText(section.path, section.anchor, content)
        for section in found
        for content in _fitting(section.path, section.blocks, CHUNK_CHARS, measure)
    )


def sections(markdown: str, title: str, headings: Headings = ()) -> Iterator[Section]:
    """The blocks under each heading. A heading with nothing under it stands in its own section: it is findable.

    `headings` are (level, text, anchor) of the page in order; they give the sections their anchors.
    """
    outline = _Outline(title, headings)
    blocks: list[Block] = []
    pending: Heading | None = None
    for part in _parts(markdown):
        if isinstance(part, Block):
            blocks.append(part)
            pending = None
            continue
        if pending is not None and part.level <= pending.level and pending.text:
            blocks.append(Block("prose", pending.text))
        if blocks:
            yield Section(outline.path, outline.anchor, blocks)
            blocks = []
        outline.enter(part)
        pending = part
    if pending is not None and pending.text:
        blocks.append(Block("prose", pending.text))
    if blocks:
        yield Section(outline.path, outline.anchor, blocks)


def path_root(title: str) -> str:
    """A page's title as its chunks' heading paths begin with it."""
    return _SPACE.sub(" ", title[: 4 * HEADING_CHARS]).strip()[:HEADING_CHARS]


class _Outline:
    """Where in the page we are: the open headings, and the anchor of the innermost that has one."""

    def __init__(self, title: str, headings: Headings) -> None:
        self._title = path_root(title)
        self._open: list[tuple[int, str, str]] = []
        self._anchors: defaultdict[str, deque[str]] = defaultdict(deque)
        for _, text, anchor in headings:
            self._anchors[_key(text)].append(anchor)

    def enter(self, heading: Heading) -> None:
        while self._open and self._open[-1][0] >= heading.level:
            self._open.pop()
        waiting = self._anchors.get(_key(heading.text))
        anchor = waiting.popleft() if waiting else ""
        self._open.append((heading.level, heading.text, anchor or self.anchor))

    @property
    def anchor(self) -> str:
        return self._open[-1][2] if self._open else ""

    @property
    def path(self) -> str:
        texts = [text for _, text, _ in self._open if text]
        # "Runners" under the title "Runners - Python documentation" says nothing new.
        if texts and self._title and _key(texts[0]) in _key(self._title):
            texts = texts[1:]
        return PATH_SEPARATOR.join([self._title, *texts] if self._title else texts)[:PATH_CHARS]


def _key(text: str) -> str:
    return _SPACE.sub(" ", plain(text)).casefold()


def unmarked(text: str) -> str:
    """Without emphasis, code marks and link targets. Bounded per mark, so the caller bounds the text."""
    return _MARKUP.sub("", text)


def plain(text: str) -> str:
    """A heading's words without emphasis, links and the permalink sign."""
    return unmarked(text[: 4 * HEADING_CHARS]).rstrip("¶#§\uf0c1 ").strip()[:HEADING_CHARS]


def _parts(markdown: str) -> Iterator[Heading | Block]:
    """Headings and blocks in order. Every line is looked at once."""
    lines = markdown.split("\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        if not line.strip():
            index += 1
            continue
        heading = _heading(line)
        if heading is not None:
            yield heading
            index += 1
            continue
        kind, end = _block_end(lines, index)
        if kind == "prose" and end == index + 1 and end < len(lines) and _UNDERLINE.match(lines[end]):
            yield Heading(1 if lines[end][0] == "=" else 2, plain(line))
            index = end + 1
            continue
        yield Block(kind, "\n".join(lines[index:end]).rstrip())
        index = end


def _heading(line: str) -> Heading | None:
    if not line.startswith("#"):
        return None
    level = len(line) - len(line.lstrip("#"))
    if level > 6 or line[level : level + 1] not in ("", " ", "\t"):
        return None
    return Heading(level, plain(line[level : level + 4 * HEADING_CHARS].strip().rstrip("#")))


def _block_end(lines: list[str], start: int) -> tuple[Kind, int]:
    line = lines[start]
    fence = _FENCE.match(line)
    if fence:
        return "code", _fence_end(lines, start, fence[1])
    if line.lstrip().startswith("|"):
        return "table", _while(lines, start, lambda text: text.lstrip().startswith("|"))
    if _LIST_ITEM.match(line):
        return "list", _list_end(lines, start)
    if line.startswith(("    ", "\t")):
        return "code", _while(lines, start, lambda text: text.startswith(("    ", "\t")))
    return "prose", _prose_end(lines, start)


def _fence_end(lines: list[str], start: int, mark: str) -> int:
    for index in range(start + 1, len(lines)):
        line = lines[index].strip()
        if line.startswith(mark) and not line.strip(mark[0]):
            return index + 1
    return len(lines)


def _while(lines: list[str], start: int, belongs: Callable[[str], bool]) -> int:
    index = start + 1
    while index < len(lines) and belongs(lines[index]):
        index += 1
    return index


def _list_end(lines: list[str], start: int) -> int:
    """A blank line ends a list unless an item or an indented line follows it."""
    index = start + 1
    while index < len(lines):
        line = lines[index]
        if _FENCE.match(line) or _heading(line) is not None:
            break
        if not line.strip():
            following = lines[index + 1] if index + 1 < len(lines) else ""
            if not (_LIST_ITEM.match(following) or (following[:1] in (" ", "\t") and following.strip())):
                break
        index += 1
    return index


def _prose_end(lines: list[str], start: int) -> int:
    index = start + 1
    while index < len(lines) and not _ENDS_PROSE.match(lines[index]):
        index += 1
    return index


def _fitting(path: str, blocks: Iterable[Block], limit: int, measure: Measure | None) -> Iterator[str]:
    """What fills more than the window is packed again, into about equal parts."""
    for held in _pack(blocks, limit):
        content = "\n\n".join(piece.text for piece in held)
        share = measure(path, content) if measure and len(content) > LEAST_CHARS else 0.0
        if share <= 1:
            yield content
        else:
            part = int(1.1 * len(content) / math.ceil(share))
            yield from _fitting(path, held, max(LEAST_CHARS, part), measure)


def _pack(blocks: Iterable[Block], limit: int) -> Iterator[list[Block]]:
    """Whole blocks together while they fit; what alone does not fit is cut."""
    held: list[Block] = []
    size = 0
    for piece in (Block(block.kind, text) for block in blocks for text in _cut(block, limit)):
        if held and size + len(piece.text) + 2 > limit:
            yield held
            held, size = [], 0
        held.append(piece)
        size += len(piece.text) + 2
    if held:
        yield held


def _cut(block: Block, limit: int) -> Iterator[str]:
    if len(block.text) <= limit:
        yield block.text
    elif block.kind == "code":
        yield from _cut_code(block.text, limit)
    elif block.kind == "table":
        yield from _cut_table(block.text, limit)
    elif block.kind == "list":
        yield from _join(_list_items(block.text), limit)
    else:
        yield from _cut_prose(block.text, limit, min(OVERLAP_CHARS, limit // 5))


def _cut_code(text: str, limit: int) -> Iterator[str]:
    lines = text.split("\n")
    fence = _FENCE.match(lines[0])
    if not fence or len(lines[0]) > HEADING_CHARS or len(lines[0]) + len(fence[1]) > limit // 2:
        yield from _join(lines, limit)
        return
    opening, closing = lines[0], fence[1]
    closed = lines[-1].strip().startswith(closing) and not lines[-1].strip().strip(closing[0])
    body = lines[1:-1] if closed else lines[1:]
    for piece in _join(body, limit - len(opening) - len(closing) - 2):
        yield f"{opening}\n{piece}\n{closing}"


def _cut_table(text: str, limit: int) -> Iterator[str]:
    lines = text.split("\n")
    header = "\n".join(lines[:2])
    if len(lines) < 3 or set(lines[1]) - set("|-: \t") or len(header) > limit // 2:
        yield from _join(lines, limit)
        return
    for rows in _join(lines[2:], limit - len(header) - 1):
        yield f"{header}\n{rows}"


def _list_items(text: str) -> Iterator[str]:
    item: list[str] = []
    for line in text.split("\n"):
        if item and _LIST_ITEM.match(line):
            yield "\n".join(item)
            item = []
        item.append(line)
    yield "\n".join(item)


def _join(pieces: Iterator[str] | list[str], limit: int) -> Iterator[str]:
    """Neighbours on consecutive lines while they fit; a piece over the limit is cut like prose."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        if held and size + len(piece) + 1 > limit:
            yield "\n".join(held)
            held, size = [], 0
        if len(piece) > limit:
            yield from _cut_prose(piece, limit, overlap=0)
            continue
        held.append(piece)
        size += len(piece) + 1
    if held:
        yield "\n".join(held)


def _cut_prose(text: str, limit: int, overlap: int) -> Iterator[str]:
    start = 0
    while len(text) - start > limit:
        cut = _good_cut(text, start + limit // 2, start + limit)
        if piece := text[start:cut].strip():
            yield piece
        start = _overlap_start(text, cut, overlap)
    if piece := text[start:].strip():
        yield piece


def _good_cut(text: str, low: int, high: int) -> int:
    """After the last sentence between the two positions, else after the last space, else at the upper one."""
    best = max(text.rfind(end, low, high) + len(end) for end in _SENTENCE_ENDS)
    if best > low:
        return best
    space = text.rfind(" ", low, high)
    return space + 1 if space > 0 else high


def _overlap_start(text: str, cut: int, overlap: int) -> int:
    """A word boundary at most `overlap` characters back; none there (or no overlap wanted): the cut itself."""
    if not overlap:
        return cut
    space = text.find(" ", cut - overlap, cut - 1)
    return space + 1 if space > 0 else cut
