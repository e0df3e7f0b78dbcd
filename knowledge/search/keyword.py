"""The keyword indexes: one table beside the chunks and one beside the code examples, in the database's own full-text
form."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import NamedTuple, Protocol

from django.db import connection

from knowledge.search.indexed import CHUNKS, EXAMPLES, Indexed
from knowledge.search.words import IndexedText, Question

# How much more a word counts in the title and in the headings than in the text below them.
TITLE_WEIGHT, HEADING_WEIGHT, BODY_WEIGHT, PARTS_WEIGHT = 10.0, 5.0, 1.0, 0.5
ALL_WORDS_BONUS = 1.15


class IndexEntry(NamedTuple):
    """`chunk_id`: the id of the indexed row, which is a code example's in the index of these."""

    chunk_id: int
    text: IndexedText


class Ranked(NamedTuple):
    """`chunk_id` as in IndexEntry."""

    chunk_id: int
    score: float


class KeywordIndex(Protocol):
    """Writes belong to the transaction that writes the chunks."""

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """An entry under an id that is already there replaces it."""

    def remove(self, chunk_ids: Sequence[int]) -> None: ...

    def rank(self, question: Question, *, items: Collection[int] | None, limit: int) -> list[Ranked]:
        """The chunks that hold any lexeme, best first; of these items only, or of all for None."""


@cache
def index_for(vendor: str, indexed: Indexed = CHUNKS) -> KeywordIndex:
    if vendor == "sqlite":
        from knowledge.search.sqlite import SqliteKeywordIndex

        return SqliteKeywordIndex(indexed)
    if vendor == "postgresql":
        from knowledge.search.postgres import PostgresKeywordIndex

        return PostgresKeywordIndex(indexed)
    raise NotImplementedError(f"There is no keyword index for the database {vendor!r}: expected sqlite or postgresql.")


def keyword_index() -> KeywordIndex:
    return index_for(connection.vendor, CHUNKS)


def example_index() -> KeywordIndex:
    return index_for(connection.vendor, EXAMPLES)
