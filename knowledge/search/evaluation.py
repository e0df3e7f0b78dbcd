"""How well search answers somebody's own questions: Hit@k, MRR and nDCG of each mode, by page.

A question names the pages that answer it. Pages are ranked as `return_mode` pages ranks them; relevance is
yes or no, and a page counts once. nDCG@10 is Järvelin and Kekäläinen's (2002), with gain 1.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.errors import BadQuery
from knowledge.search.query import MAX_QUERY_CHARS, Mode, SearchQuery
from knowledge.search.retrieve import search
from progress.viewer import Viewer

MODES: tuple[Mode, ...] = ("keyword", "vector", "hybrid")
DEPTH = 10
MAX_QUESTIONS = 2_000
MAX_EXPECTED = 100
FIELDS = frozenset({"query", "expected", "source", "tags"})


@dataclass(frozen=True, slots=True)
class EvalQuestion:
    """`expected`: URLs of pages, or their ends from a slash on: `library/asyncio-task.html`."""

    query: str
    expected: tuple[str, ...]
    source_id: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModeScore:
    """Means over all questions. `answered_as` is the search that was really done, when it was not the one asked for;
    `unavailable` says why there are no figures."""

    mode: Mode
    hit_at_1: float = 0.0
    hit_at_5: float = 0.0
    hit_at_10: float = 0.0
    mrr: float = 0.0
    ndcg_at_10: float = 0.0
    median_ms: float = 0.0
    answered_as: tuple[Mode, ...] = ()
    unavailable: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`ranks` hold for each question and mode the place of the first page that was expected; None: not among ten."""

    questions: tuple[EvalQuestion, ...]
    modes: tuple[ModeScore, ...]
    ranks: tuple[dict[Mode, int | None], ...]


@dataclass(slots=True)
class _Answer:
    """Which places of the ranking hold an expected page, from 1."""

    places: list[int]
    expected: int
    seconds: float
    mode: Mode

    @property
    def first(self) -> int | None:
        return self.places[0] if self.places else None


def read_questions(value: Any) -> tuple[EvalQuestion, ...]:
    """From parsed YAML or JSON: a list, or a mapping whose `questions` is one. Raises BadQuery that names the place."""
    listed = value.get("questions") if isinstance(value, dict) else value
    if not isinstance(listed, list) or not listed:
        raise _bad("questions", "There are no questions.", "Write a list of {query, expected}.")
    if len(listed) > MAX_QUESTIONS:
        raise _bad("questions", f"There are {len(listed)} questions: expected at most {MAX_QUESTIONS}.", "Split them.")
    return tuple(_question(one, f"questions[{at}]") for at, one in enumerate(listed))


def evaluate(questions: Sequence[EvalQuestion], modes: Sequence[Mode] = MODES, *, viewer: Viewer) -> Evaluation:
    """Raises UnknownSource, and BadQuery for a question that cannot be asked. A mode that cannot search at all is told
    in its score: the others still have theirs."""
    scores: list[ModeScore] = []
    ranks: list[dict[Mode, int | None]] = [{} for _ in questions]
    for mode in modes:
        try:
            answers = [_ask(question, mode, viewer) for question in questions]
        except BadQuery as error:
            if error.field != "mode":
                raise
            scores.append(ModeScore(mode, unavailable=error.message))
            continue
        scores.append(_score(mode, answers))
        for rank, answer in zip(ranks, answers, strict=True):
            rank[mode] = answer.first
    return Evaluation(tuple(questions), tuple(scores), tuple(ranks))


def _ask(question: EvalQuestion, mode: Mode, viewer: Viewer) -> _Answer:
    query = SearchQuery(
        question.query, question.source_id, question.tags, DEPTH, return_mode="pages", mode=mode, viewer=viewer
    )
    started = time.perf_counter()
    outcome = search(query)
    seconds = time.perf_counter() - started
    places = _places(question.expected, [hit.page_url for hit in outcome.hits])
    return _Answer(places, len(question.expected), seconds, outcome.mode)


def _places(expected: Sequence[str], urls: Sequence[str]) -> list[int]:
    """Each expected page is found once: a second page that fits the same end is no second hit."""
    left = list(expected)
    places: list[int] = []
    for place, url in enumerate(urls, start=1):
        met = next((one for one in left if _is_page(one, url)), None)
        if met is not None:
            left.remove(met)
            places.append(place)
    return places


def _is_page(expected: str, url: str) -> bool:
    wanted, found = expected.partition("#")[0].rstrip("/"), url.partition("#")[0].rstrip("/")
    return found == wanted or found.endswith(f"/{wanted.lstrip('/')}")


def _score(mode: Mode, answers: Sequence[_Answer]) -> ModeScore:
    def hit_at(k: int) -> float:
        return _mean(float(answer.first is not None and answer.first <= k) for answer in answers)

    return ModeScore(
        mode,
        hit_at(1),
        hit_at(5),
        hit_at(10),
        mrr=_mean(1 / answer.first if answer.first else 0.0 for answer in answers),
        ndcg_at_10=_mean(ndcg(answer.places, answer.expected) for answer in answers),
        median_ms=round(1000 * statistics.median(answer.seconds for answer in answers), 2),
        answered_as=tuple(sorted({answer.mode for answer in answers if answer.mode != mode})),
    )


def ndcg(places: Sequence[int], expected: int) -> float:
    """The gain of these places (from 1, at most DEPTH) over that of the best ranking possible."""
    best = sum(1 / math.log2(place + 1) for place in range(1, min(expected, DEPTH) + 1))
    return sum(1 / math.log2(place + 1) for place in places) / best


def _mean(values: Iterator[float]) -> float:
    return round(statistics.fmean(values), 4)


def _question(value: Any, at: str) -> EvalQuestion:
    if not isinstance(value, dict):
        raise _bad(at, f"{at} is not a mapping.", "Write {query: ..., expected: [...]}.")
    if unknown := sorted(str(name) for name in value if name not in FIELDS):
        raise _bad(f"{at}.{unknown[0][:40]}", f"{at} has an unknown field.", f"Known are {', '.join(sorted(FIELDS))}.")
    query, source = value.get("query"), value.get("source")
    if not isinstance(query, str) or not query.strip() or len(query) > MAX_QUERY_CHARS:
        raise _bad(f"{at}.query", f"{at} has no query.", f"Write a text of 1 to {MAX_QUERY_CHARS} characters.")
    if source is not None and not isinstance(source, str):
        raise _bad(f"{at}.source", f"{at}: source is not a text.", "Write a source_id, or leave it out.")
    return EvalQuestion(query, _texts(value, "expected", at, least=1), source, _texts(value, "tags", at))


def _texts(value: dict[str, Any], field: str, at: str, *, least: int = 0) -> tuple[str, ...]:
    """A list of texts, or one text."""
    found = value.get(field) or []
    listed = [found] if isinstance(found, str) else found
    fits = isinstance(listed, list) and all(isinstance(one, str) and one.strip() for one in listed)
    if not fits or not least <= len(listed) <= MAX_EXPECTED:
        hint = f"Write a list of {least} to {MAX_EXPECTED} texts."
        raise _bad(f"{at}.{field}", f"{at}: {field} is not a list of texts, or of the wrong length.", hint)
    return tuple(dict.fromkeys(one.strip() for one in listed))


def _bad(field: str, message: str, hint: str) -> BadQuery:
    return BadQuery(message, code="eval_bad", hint=hint, field=field)
