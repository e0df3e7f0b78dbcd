"""What an answer may hold: markers that a passage bears out, and no link or image of the writer's own making.

A model's text is checked while it streams, so that what a reader has seen never has to be taken back. Text is
held back only while it could become a marker, a link, an image or a tag; inside code nothing is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from knowledge.chat.messages import CitationBody
from knowledge.plain import without_addresses
from knowledge.search import SearchHit
from knowledge.search.snippet import snippet
from knowledge.search.words import STOP_WORDS, question, spans

# So much of what a statement says must stand in the passage it cites.
SUPPORT = 0.3
STATEMENT_CHARS = 600
# Nothing that is held back to see what becomes of it is longer.
HELD_CHARS = 2_000

_OPENER = re.compile(r"\\|!?\[|!$|<|`|~{3}|~{1,2}$")
_FENCE = re.compile(r"(`{3,})[^`\n]*\n|(~{3,})[^\n]*\n")
_TICKS = re.compile(r"`+")
_INLINE_CODE = re.compile(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
_TEXT = r"((?:[^\[\]\n]|\[[^\[\]\n]*\])*)"
_LINK = re.compile(rf"!?\[{_TEXT}\]\([ \t]*<?([^()<>\s]*(?:\([^()\s]*\)[^()<>\s]*)*)>?(?:[ \t][^)\n]*)?\)")
_REFERENCE = re.compile(rf"!?\[{_TEXT}\]\[([^\]\n]*)\]|!\[{_TEXT}\](?![\[(])")
_MARKER = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]*>")
_HARMLESS_LESS = re.compile(r"<[\s\d=]")
_LINKING = re.compile(r"\](?=[(:])")
_MARKUP = re.compile(r"[\[\]<>`\\]")
_MARKERS_BEFORE = re.compile(r"(?:\[\d+\]|[\s*_).:])+$")
_SENTENCE_END = re.compile(r"[.!?:;](?:\[\d+\])*\s|\n")


class CheckedText:
    """Fed with pieces, returns what of them may be shown. `text` is the sum, `cited` the numbers that stand in it.

    Whatever is shown outside of code holds no `](` and no `]:` but of links to the passages' pages, no `<`
    before a letter, and no backtick that opens nothing: so a renderer finds no link, image, tag or code where
    this reading found none. The same text comes out however it was cut into pieces.
    """

    def __init__(self, passages: Sequence[SearchHit]) -> None:
        self.text = ""
        self.cited: list[int] = []
        self._words = [lexemes(f"{hit.title}\n{hit.heading_path}\n{hit.content}") for hit in passages]
        self._links = {address for hit in passages for address in (hit.url, hit.page_url)}
        self._held = ""
        self._fence = ""  # what opened the block of code we are in, and how far it was indented
        self._indent = 0

    def feed(self, piece: str) -> str:
        self._held += piece.replace("\r", "")
        return self._take(final=False)

    def finish(self) -> str:
        return self._take(final=True)

    def _take(self, *, final: bool) -> str:
        start = len(self.text)
        while self._held and (self._code(final) if self._fence else self._prose(final)):
            pass
        return self.text[start:]

    def _show(self, count: int) -> bool:
        """As it is: code, and what was found harmless."""
        self.text += self._held[:count]
        self._held = self._held[count:]
        return count > 0

    def _replace(self, count: int, text: str) -> bool:
        """As prose: what could make a link of what stands before it is escaped."""
        self._held = self._held[count:]
        if text[:1] in ("(", ":") and self.text.endswith("]"):
            text = "\\" + text
        self.text += _LINKING.sub(r"]\\", text)
        return True

    # ---- blocks of code ----

    def _code(self, final: bool) -> bool:
        """Line by line, until one closes the fence, or leaves the list that it stands in."""
        line, newline, _ = self._held.partition("\n")
        if not newline and not final:
            return False
        indent = indent_of(line)
        if line.strip() and indent < self._indent:
            self._fence = ""
            return True
        if closes(line, self._fence) and indent < self._indent + 4:
            self._fence = ""
        return self._show(len(line) + len(newline))

    def _opens_block(self, final: bool) -> bool | None:
        """Take the opening line of a block of code. None: it is none; False: wait for the line's end."""
        before = self.text.rpartition("\n")[2]
        if before.strip():
            return None
        if "\n" not in self._held and not final:
            return False
        opening = _FENCE.match(self._held)
        if opening is None:
            return None
        fence, indent = opening[1] or opening[2], indent_of(before)
        if indent >= 4:  # perhaps the text of a paragraph: only if it is closed is it code in every reading
            return self._closed_block(fence, final)
        self._fence, self._indent = fence, indent
        return self._show(opening.end())

    def _closed_block(self, fence: str, final: bool) -> bool | None:
        end = self._held.index("\n") + 1
        while "\n" in self._held[end:] or (final and end < len(self._held)):
            line = self._held[end:].partition("\n")[0]
            end = min(end + len(line) + 1, len(self._held))
            if line.strip() == fence:
                return self._show(end)
            if line.strip() and indent_of(line) < 4:
                return None
        return None if final else False

    # ---- prose ----

    def _prose(self, final: bool) -> bool:
        opener = _OPENER.search(self._held)
        at = opener.start() if opener else len(self._held)
        if at:
            return self._replace(at, self._held[:at])
        if self._held[0] in "`~" and (taken := self._opens_block(final)) is not None:
            return taken
        if self._held[0] == "~":
            return self._replace(1, "~") if final or len(self._held) > 2 else False
        if self._held[0] == "\\":
            return self._show(2) if final or len(self._held) > 1 else False
        # What may become one of these is waited for until its line ends.
        return self._construct(final) or (
            self._plain() if final or "\n" in self._held or len(self._held) > HELD_CHARS else False
        )

    def _construct(self, final: bool) -> bool:
        def found(pattern: re.Pattern[str], *, closed: bool = False) -> re.Match[str] | None:
            """`closed`: what comes next cannot change what it is."""
            match = pattern.match(self._held)
            return match if match and (closed or final or match.end() < len(self._held)) else None

        if match := found(_INLINE_CODE):
            return self._show(match.end())
        if found(_HARMLESS_LESS, closed=True):
            return self._replace(1, "<")
        if match := found(_TAG, closed=True):  # markup of the writer's own
            return self._replace(match.end(), "")
        if match := found(_LINK, closed=True):
            keeps = match[2] in self._links and not match[0].startswith("!") and not _MARKUP.search(match[1])
            return self._show(match.end()) if keeps else self._replace(match.end(), _MARKUP.sub("", match[1]))
        if (match := found(_MARKER)) and not self._may_become_link(match.end()):
            return self._replace(match.end(), self._cite(match[1]))
        if (match := found(_REFERENCE)) and not self._may_become_link(match.end()):
            return self._replace(match.end(), _MARKUP.sub("", match[1] or match[3] or ""))
        return False

    def _may_become_link(self, end: int) -> bool:
        """`[1](` is on its way to be a link, until it or its line ends."""
        return self._held.startswith("(", end) and ")" not in self._held[end:].partition("\n")[0]

    def _plain(self) -> bool:
        """An opener that opens nothing."""
        if self._held[0] == "<":
            return self._replace(1, "\\<")
        if ticks := _TICKS.match(self._held):
            return self._replace(ticks.end(), "\\`" * len(ticks[0]))
        return self._replace(1, self._held[0])

    def _cite(self, numbers: str) -> str:
        """The markers of the passages that bear out what was said just before."""
        said = lexemes(statement_at_end(self.text))
        kept = [number for number in map(int, numbers.split(",")) if self._bears_out(number, said)]
        self.cited += [number for number in kept if number not in self.cited]
        return "".join(f"[{number}]" for number in kept)

    def _bears_out(self, number: int, said: frozenset[str]) -> bool:
        return 1 <= number <= len(self._words) and supports(self._words[number - 1], said)


def indent_of(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip(" "))


def closes(line: str, fence: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(fence) and not stripped.strip(fence[0])


def statement_at_end(text: str) -> str:
    """The sentence that a marker put here would belong to, without the markers that stand behind it already."""
    tail = _MARKERS_BEFORE.sub("", text[-STATEMENT_CHARS:])
    ends = list(_SENTENCE_END.finditer(tail))
    return tail[ends[-1].end() :] if ends else tail


def lexemes(text: str) -> frozenset[str]:
    """What a text says, as the keyword index would know it."""
    found = (form for _, _, forms in spans(text) for form in (*forms.whole, *forms.pieces))
    return frozenset(lexeme for lexeme in found if lexeme not in STOP_WORDS)


def supports(passage: frozenset[str], said: frozenset[str]) -> bool:
    """Whether a passage can be where a statement comes from. A statement without a telling word needs no support."""
    return not said or len(said & passage) >= SUPPORT * len(said)


def citation_bodies(passages: Sequence[SearchHit], cited: Iterable[int], asked: str) -> Iterator[CitationBody]:
    words = question(asked).lexemes
    for number in sorted(cited):
        hit = passages[number - 1]
        yield {
            "n": number,
            "chunk_id": hit.chunk_id,
            "source_id": hit.source_id,
            "title": hit.title,
            "heading_path": hit.heading_path,
            "url": hit.url,
            "page_url": hit.page_url,
            "snippet": snippet(without_addresses(hit.content), words).text,
        }
