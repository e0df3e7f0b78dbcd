"""The telling part of a chunk: a stretch of its text and where in it the asked words stand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from knowledge.search.words import spans

SNIPPET_CHARS = 280
LEAD_CHARS = 60


@dataclass(frozen=True, slots=True)
class Snippet:
    """`highlights` are (start, end) in `text`: offsets, so that no client has to trust our markup."""

    text: str
    highlights: tuple[tuple[int, int], ...]


def snippet(content: str, lexemes: Collection[str]) -> Snippet:
    asked = set(lexemes)
    found = [(start, end) for start, end, forms in spans(content) if asked.intersection((*forms.whole, *forms.pieces))]
    start, end = _window(content, found)
    inside = ((low - start, high - start) for low, high in found if low >= start and high <= end)
    return Snippet(content[start:end], tuple(inside))


def _window(content: str, found: list[tuple[int, int]]) -> tuple[int, int]:
    """Where most of the words stand together, begun at a word."""
    if len(content) <= SNIPPET_CHARS or not found:
        return 0, min(len(content), SNIPPET_CHARS)
    best, most, last = 0, 0, 0
    for first in range(len(found)):
        while last < len(found) and found[last][1] <= found[first][0] + SNIPPET_CHARS - LEAD_CHARS:
            last += 1
        if last - first > most:
            best, most = first, last - first
    start = max(0, min(found[best][0] - LEAD_CHARS, len(content) - SNIPPET_CHARS))
    if start:
        space = content.find(" ", start, found[best][0])
        start = space + 1 if space >= 0 else start
    return start, min(len(content), start + SNIPPET_CHARS)
