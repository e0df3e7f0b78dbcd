"""reStructuredText into Markdown, as far as search and reading need it: headings, listings, links, inline code.

Not a parser of the whole language: what it does not know stays as it is written, and no text is lost but the options
of directives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}\s*$")
_CODE = re.compile(r"^(\s*)\.\. (?:code-block|code|sourcecode|highlight|literalinclude)::\s*(\S*)\s*$")
_NOTE = re.compile(r"^(\s*)\.\. (note|warning|tip|important|caution|danger|attention|hint|seealso)::\s*(.*)$")
_TREE = re.compile(r"^(\s*)\.\. (?:toctree|contents|index|image|figure|include|raw|only|rubric)::")
_COMMENT = re.compile(r"^(\s*)\.\. (?:_[^:]+:\s*$|\|[^|]+\| )")
_OPTION = re.compile(r"^\s+:[\w-]+:")
_LINK = re.compile(r"`([^`<]+?)\s*<(https?://[^`>]+)>`__?")
_ROLE = re.compile(r":[\w:+.-]+:`([^`]*)`")
_TARGETED = re.compile(r"^~?(.*?)\s*<[^>]*>$")


def markdown_of(text: str) -> str:
    return "\n".join(_Page(text.split("\n")).lines()).strip() + "\n"


class _Page:
    def __init__(self, lines: list[str]) -> None:
        self.source = lines
        self.at = 0
        self.levels: list[str] = []

    def lines(self) -> Iterator[str]:
        while self.at < len(self.source):
            line = self.source[self.at]
            if heading := self._heading():
                yield heading
            elif match := _CODE.match(line):
                yield from self._listing(len(match[1]), match[2])
            elif match := _NOTE.match(line):
                self.at += 1
                yield f"**{match[2].capitalize()}:** {_inline(match[3])}".rstrip()
            elif match := _TREE.match(line):
                self._skip_block(len(match[1]))
            elif _COMMENT.match(line):
                self.at += 1
            elif line.rstrip().endswith("::") and not line.lstrip().startswith(".. "):
                before = line.rstrip()[:-2]
                if before.strip():
                    yield _inline(f"{before.rstrip()}:")
                yield from self._listing(len(line) - len(line.lstrip()), "")
            else:
                self.at += 1
                yield _inline(line)

    def _heading(self) -> str:
        """An underlined line, or one between two lines; each pair of characters is a level, in order of appearance."""
        over, title, under = (self._peek(n) for n in (0, 1, 2))
        if _LINE.match(over) and title.strip() and under.rstrip() == over.rstrip():
            self.at += 3
            return self._level(over[0] * 2, title)
        if over.strip() and not _LINE.match(over) and not over[0].isspace():
            match = _LINE.match(title)
            if match and len(title.rstrip()) >= len(over.rstrip()) - 1:
                self.at += 2
                return self._level(match[1], over)
        return ""

    def _level(self, style: str, title: str) -> str:
        if style not in self.levels:
            self.levels.append(style)
        return f"{'#' * min(6, self.levels.index(style) + 1)} {_inline(title.strip())}"

    def _peek(self, ahead: int) -> str:
        return self.source[self.at + ahead] if self.at + ahead < len(self.source) else ""

    def _listing(self, indent: int, language: str) -> Iterator[str]:
        """The block that is indented deeper, as a fenced listing."""
        self.at += 1
        block = self._block(indent)
        while block and (not block[0].strip() or _OPTION.match(block[0])):
            block.pop(0)
        while block and not block[-1].strip():
            block.pop()
        if not block:
            return
        margin = min(len(line) - len(line.lstrip()) for line in block if line.strip())
        yield from ("", f"```{language}", *(line[margin:] for line in block), "```", "")

    def _skip_block(self, indent: int) -> None:
        self.at += 1
        self._block(indent)

    def _block(self, indent: int) -> list[str]:
        block: list[str] = []
        while self.at < len(self.source):
            line = self.source[self.at]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            block.append(line)
            self.at += 1
        return block


def _inline(line: str) -> str:
    line = _LINK.sub(r"[\1](\2)", line)
    line = _ROLE.sub(lambda match: f"`{_shown(match[1])}`", line)
    return line.replace("``", "`")


def _shown(role: str) -> str:
    match = _TARGETED.match(role)
    return match[1] if match else role.removeprefix("~")
