"""A keyword index in PostgreSQL: a tsvector per row under GIN, ranked by inverse document frequency.

`ts_rank` alone knows no rarity: `the` and `setdefault` weigh the same, and rankings fall apart
(nDCG .707 against .81 with it). So each lexeme is ranked by itself, saturated, and weighted by
its idf, from document counts that are cached for a few minutes.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
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
from knowledge.search.words import IndexedText, Question, Word

# PostgreSQL's labels in its order D, C, B, A: parts, body, heading, title.
WEIGHTS = "{" + ",".join(str(w / TITLE_WEIGHT) for w in (PARTS_WEIGHT, BODY_WEIGHT, HEADING_WEIGHT, TITLE_WEIGHT)) + "}"
SATURATION = 0.05
COUNTS_SECONDS = 300.0
COUNTS_KEPT = 50_000
# A lexeme in more chunks than this is counted no further.
COMMON_CHUNKS = 20_000
# Ranking a chunk costs about a microsecond a lexeme. When the lexemes are in more chunks than this together, those
# with the rarest of them are ranked; what holds the common ones alone would not have come first.
RANKED_CHUNKS = 8_000
# Of words that are all common so many chunks are ranked, shared by the lexemes; never fewer than RANKED_CHUNKS.
RANKED_LEXEMES = 32_000
# A tsvector keeps at most 256 places of one lexeme.
PLACES_KEPT = 255

ADD = """
    INSERT INTO {words}({key}, words)
    SELECT {key}, words::tsvector FROM unnest(%s::bigint[], %s::text[]) AS added({key}, words)
    ON CONFLICT ({key}) DO UPDATE SET words = excluded.words
"""
REMOVE = "DELETE FROM {words} WHERE {key} = ANY(%s)"
COUNT = """
    SELECT lexeme, (SELECT count(*) FROM (
        SELECT 1 FROM {words} WHERE words @@ query::tsquery LIMIT %s) AS holding)
    FROM unnest(%s::text[], %s::text[]) AS asked(lexeme, query)
"""
MATCHING = "w.words @@ %s::tsquery"
# Of the index `heads`: titles and headings alone.
IN_HEADS = """ts_filter(w.words, '{a,b}'::"char"[]) @@ %s::tsquery"""
TOTAL = "SELECT coalesce(sum({counted_in}), 0) FROM knowledge_knowledgeitem"


class PostgresKeywordIndex:
    def __init__(self, indexed: Indexed) -> None:
        self._indexed = indexed
        names = indexed._asdict()
        self._add, self._remove = ADD.format(**names), REMOVE.format(**names)
        self._count, self._total = COUNT.format(**names), TOTAL.format(**names)
        self._counts: dict[str, tuple[float, int]] = {}

    def add(self, entries: Sequence[IndexEntry]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                self._add, [[entry.chunk_id for entry in entries], [_tsvector(entry.text) for entry in entries]]
            )

    def remove(self, chunk_ids: Sequence[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(self._remove, [list(chunk_ids)])

    def rank(self, question: Question, *, items: Collection[int] | None, limit: int) -> list[Ranked]:
        counts, total = self._document_counts(question.lexemes)
        if not any(counts.values()):
            return []
        drivers = _driving(question.lexemes, counts)
        ranked: list[Ranked] = []
        if counts[drivers[0]] > RANKED_CHUNKS:
            # Only common words: what holds all of them, or has the one in a title or heading, comes first.
            every = len(question.words) > 1
            matching, first = (MATCHING, _every(question.words)) if every else (IN_HEADS, _quoted(drivers[0]))
            ranked = self._ranked(question, counts, total, matching, first, items, limit)
            if len(ranked) >= limit:
                return ranked
        others = self._ranked(question, counts, total, MATCHING, " | ".join(map(_quoted, drivers)), items, limit)
        # Of very many only some were ranked, and the best need not be among these.
        return sorted({*ranked, *others}, key=lambda one: (-one.score, one.chunk_id))[:limit] if ranked else others

    def _ranked(
        self,
        question: Question,
        counts: dict[str, int],
        total: int,
        matching: str,
        driving: str,
        items: Collection[int] | None,
        limit: int,
    ) -> list[Ranked]:
        """Of more than `most` chunks those that lie first: a word that nearly all have tells them not apart."""
        score, score_params = _score(question.lexemes, counts, total)
        key, of_items = self._indexed.key, ""
        if items is not None:
            of_items = f"AND w.{key} IN (SELECT c.id FROM {self._indexed.rows} c WHERE c.item_id = ANY(%s))"  # noqa: S608
        sql = f"""
            SELECT w.{key},
                   ({score}) * CASE WHEN w.words @@ %s::tsquery THEN %s::float8 ELSE 1 END AS score
            FROM (SELECT w.{key}, w.words FROM {self._indexed.words} w WHERE {matching} {of_items} LIMIT %s) w
            ORDER BY score DESC, w.{key} LIMIT %s
        """  # noqa: S608 (only placeholders and our own names are put together)
        bonus = ALL_WORDS_BONUS if len(question.words) > 1 else 1.0
        filters = () if items is None else (list(items),)
        most = max(RANKED_CHUNKS, RANKED_LEXEMES // len(question.lexemes))
        with connection.cursor() as cursor:
            cursor.execute(sql, [*score_params, _every(question.words), bonus, driving, *filters, most, limit])
            return [Ranked(chunk_id, value) for chunk_id, value in cursor.fetchall()]

    def _document_counts(self, lexemes: Sequence[str]) -> tuple[dict[str, int], int]:
        """How many chunks hold each lexeme, minutes old at most, and how many chunks there are."""
        oldest = time.monotonic() - COUNTS_SECONDS
        known = {lexeme: self._counts.get(lexeme) for lexeme in lexemes}
        counts = {lexeme: entry[1] for lexeme, entry in known.items() if entry and entry[0] > oldest}
        missing = [lexeme for lexeme in lexemes if lexeme not in counts]
        with connection.cursor() as cursor:
            if missing:
                cursor.execute(self._count, [COMMON_CHUNKS, missing, list(map(_quoted, missing))])
                counts |= dict(cursor.fetchall())
                self._remember({lexeme: counts[lexeme] for lexeme in missing})
            cursor.execute(self._total)
            (total,) = cursor.fetchone()
        return counts, int(total)

    def _remember(self, counts: dict[str, int]) -> None:
        if len(self._counts) > COUNTS_KEPT:
            self._counts.clear()
        # What is not there yet is asked again: a crawl may bring it any second.
        self._counts |= {lexeme: (time.monotonic(), count) for lexeme, count in counts.items() if count}


def _score(lexemes: Sequence[str], counts: dict[str, int], total: int) -> tuple[str, list[str | float]]:
    """idf x r / (r + SATURATION), summed over the lexemes."""
    terms: list[str] = []
    params: list[str | float] = []
    for lexeme in lexemes:
        terms.append("%s::float8 * (1 - %s / (ts_rank(%s::float4[], w.words, %s::tsquery) + %s))")
        params += [_idf(counts[lexeme], total), SATURATION, WEIGHTS, _quoted(lexeme), SATURATION]
    return " + ".join(terms), params


def _idf(count: int, total: int) -> float:
    return math.log1p((max(total, count) - count + 0.5) / (count + 0.5))


def _driving(lexemes: Sequence[str], counts: dict[str, int]) -> list[str]:
    """The rarest lexeme and, as long as all are in few chunks together, the next rarer ones."""
    chosen: list[str] = []
    reached = 0
    for lexeme in sorted((lexeme for lexeme in lexemes if counts[lexeme]), key=lambda lexeme: counts[lexeme]):
        reached += counts[lexeme]
        if chosen and reached > RANKED_CHUNKS:
            break
        chosen.append(lexeme)
    return chosen


def _every(words: Sequence[Word]) -> str:
    return " & ".join(map(_one_word, words))


def _tsvector(text: IndexedText) -> str:
    """The literal of a tsvector: 'lexeme':1A,7C ... Finished lexemes, so no parser of the database is asked."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    place = 0
    for column, label in ((text.title, "A"), (text.heading, "B"), (text.body, "C"), (text.parts, "D")):
        for lexeme in column.split():
            place += 1
            places[lexeme].append(f"{place}{label}")
    return " ".join(f"{_quoted(lexeme)}:{','.join(found[:PLACES_KEPT])}" for lexeme, found in places.items())


def _one_word(word: Word) -> str:
    pieces = " & ".join(map(_quoted, word.pieces))
    ways = [*map(_quoted, word.whole), *([f"({pieces})"] if pieces else [])]
    return f"({' | '.join(ways)})"


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
