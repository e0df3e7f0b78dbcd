"""What a reader says of a file, and the lines of JSON in which it says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Headings = tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes. `cpu_seconds` are for one file, `cpu_total` for all of an archive; `entries`, `total`
    (unpacked) and `ratio` (unpacked to packed) bound an archive, `output` what the child may say in all."""

    seconds: float = 480
    cpu_seconds: int = 30
    cpu_total: int = 300
    memory: int = 2**30
    entries: int = 10_000
    total: int = 200 * 2**20
    ratio: int = 100
    output: int = 200 * 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """One document: a file, or a stretch of a large one, whose `fragment` then tells which (`page=21`).

    `name` is the path in the archive, or the name of the file. Headings are (level, text, anchor).
    """

    name: str
    fragment: str
    title: str
    markdown: str
    headings: Headings
    content_type: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """One file that could not be read: a word for machines, a sentence, and what to do about it."""

    name: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Expected:
    """How many files are going to be read; said once, before the first of them."""

    total: int


@dataclass(frozen=True, slots=True)
class Left:
    """Files of an archive that are of no kind we read: pictures, programs."""

    count: int


Said = Part | Trouble | Expected | Left
_KINDS: Mapping[str, type[Any]] = {"part": Part, "trouble": Trouble, "expected": Expected, "left": Left}


class Unreadable(Exception):
    """A file that cannot be read, with what Trouble says of it."""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.hint = hint

    def about(self, name: str) -> Trouble:
        return Trouble(name, self.code, self.message, self.hint)


def encode(said: Said) -> bytes:
    (kind,) = (name for name, one in _KINDS.items() if one is type(said))
    return json.dumps([kind, asdict(said)]).encode() + b"\n"


def decode(line: bytes) -> Said:
    """Raises ValueError, TypeError or KeyError for what no reader of ours writes."""
    kind, fields = json.loads(line)
    said = _KINDS[kind](**fields)
    if isinstance(said, Part):
        headings = tuple((int(level), str(text), str(anchor)) for level, text, anchor in said.headings)
        return Part(**{**fields, "headings": headings})
    return said  # type: ignore[no-any-return]
