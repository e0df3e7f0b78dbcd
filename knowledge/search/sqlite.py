"""A keyword index in SQLite: an FTS5 table under the ids of its rows, ranked by BM25."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from django.db import connection

from knowledge.search.indexed import Indexed
from knowledge.search.keyword import (
    ALL_WORDS_BONUS,
    BODY_WEIGHT,
    HEADING_WEIGHT,
    PARTS_WEIGHT,
    TITLE_WEIGHT,
    IndexEntry,
    Ranked,
)
from knowledge.search.words import Question, Word

ADD = "INSERT OR REPLACE INTO {fts}(rowid, title, heading, body, parts) VALUES (%s, %s, %s, %s, %s)"
REMOVE = "DELETE FROM {fts} WHERE rowid IN (SELECT value FROM json_each(%s))"
WEIGHTS = (TITLE_WEIGHT, HEADING_WEIGHT, BODY_WEIGHT, PARTS_WEIGHT)
RANK = """
    SELECT rowid, -bm25({fts}, %s, %s, %s, %s) AS score FROM {fts}
    WHERE {fts} MATCH %s ORDER BY score DESC, rowid LIMIT %s
"""
RANK_IN_ITEMS = """
    SELECT f.rowid, -bm25({fts}, %s, %s, %s, %s) AS score
    FROM {fts} AS f CROSS JOIN {rows} AS c ON c.id = f.rowid
    WHERE {fts} MATCH %s AND c.item_id IN (SELECT value FROM json_each(%s))
    ORDER BY score DESC, f.rowid LIMIT %s
"""
# The unary plus keeps SQLite from running the match once per id.
WITH_ALL_WORDS = """
    SELECT rowid FROM {fts}
    WHERE {fts} MATCH %s AND +rowid IN (SELECT value FROM json_each(%s))
"""


class SqliteKeywordIndex:
    def __init__(self, indexed: Indexed) -> None:
        names = indexed._asdict()
        self._add, self._remove = ADD.format(**names), REMOVE.format(**names)
        self._rank, self._rank_in_items = RANK.format(**names), RANK_IN_ITEMS.format(**names)
        self._with_all_words = WITH_ALL_WORDS.format(**names)

    def add(self, entries: Sequence[IndexEntry]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                self._add,
                [(entry.chunk_id, t.title, t.heading, t.body, t.parts) for entry in entries for t in (entry.text,)],
            )

    def remove(self, chunk_ids: Sequence[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(self._remove, [json.dumps(list(chunk_ids))])

    def rank(self, question: Question, *, items: Collection[int] | None, limit: int) -> list[Ranked]:
        any_word = " OR ".join(map(_quoted, question.lexemes))
        with connection.cursor() as cursor:
            if items is None:
                cursor.execute(self._rank, [*WEIGHTS, any_word, limit])
            else:
                cursor.execute(self._rank_in_items, [*WEIGHTS, any_word, json.dumps(list(items)), limit])
            ranked = [Ranked(chunk_id, score) for chunk_id, score in cursor.fetchall()]
            if len(question.words) < 2:
                return ranked
            candidates = json.dumps([chunk.chunk_id for chunk in ranked])
            cursor.execute(self._with_all_words, [_all_words(question.words), candidates])
            complete = {chunk_id for (chunk_id,) in cursor.fetchall()}
        return _with_bonus(ranked, complete)


def _with_bonus(ranked: list[Ranked], complete: set[int]) -> list[Ranked]:
    scored = (
        Ranked(chunk_id, score * ALL_WORDS_BONUS) if chunk_id in complete else Ranked(chunk_id, score)
        for chunk_id, score in ranked
    )
    return sorted(scored, key=lambda chunk: (-chunk.score, chunk.chunk_id))


def _all_words(words: Sequence[Word]) -> str:
    return " AND ".join(_one_word(word) for word in words)


def _one_word(word: Word) -> str:
    """Whole, or by all its pieces."""
    pieces = " AND ".join(map(_quoted, word.pieces))
    ways = [*map(_quoted, word.whole), *([f"({pieces})"] if pieces else [])]
    return f"({' OR '.join(ways)})"


def _quoted(lexeme: str) -> str:
    """A string of FTS5: whatever stands in it is a token, never an operator."""
    return '"' + lexeme.replace('"', '""') + '"'
