"""How well and how fast code examples are found, with questions from the structure of the Python documentation.

A function is documented under its name with a description. The examples of its page that call it (of a method: those
in its own description) answer two questions: the first sentence of the description, and the name with its module.
Nobody chose them by hand. An example is known again by its code without any blanks.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests.benchmarks.rest import Timing, answers
from tests.stack import Stack, eventually

MODES = ("keyword", "vector", "hybrid")
DEPTH = 10
PER_PAGE = 100
LONGEST_SECONDS = 1_800
COUNT = """
from knowledge.embedding.kinds import EXAMPLES
from knowledge.embedding.queue import pending
print(pending(kind=EXAMPLES).count())
"""
# A name that is any word of any code would be answered by chance.
LEAST_NAME, LEAST_WORDS = 4, 5
_SENTENCE_END = re.compile(r"(?<=[a-z)])\.(?:\s|$)")


@dataclass(frozen=True, slots=True)
class CodeQuestion:
    """`expected`: the digests of the examples that answer it."""

    kind: str
    query: str
    expected: frozenset[str]


@dataclass
class CodeScores:
    """Of one mode, over the questions of all kinds; `answered_as` names other modes that answered instead."""

    mode: str
    questions: int
    timing: Timing
    hit_at_1: float
    hit_at_5: float
    mrr: float
    ndcg_at_10: float
    answered_as: list[str]


def code_questions(folder: Path, stored: frozenset[str]) -> list[CodeQuestion]:
    """Of examples that are stored; the same files give the same questions in the same order."""
    found = [one for path in sorted((folder / "library").glob("*.html")) for one in _of_page(path, stored)]
    return sorted(found, key=lambda one: one.kind)


def digest(code: str) -> str:
    return sha256("".join(code.split()).encode()).hexdigest()


def _of_page(path: Path, stored: frozenset[str]) -> Iterator[CodeQuestion]:
    page = LexborHTMLParser(path.read_text(encoding="utf-8"))
    asked: set[str] = set()
    for term in page.css("dl.py.function > dt.sig, dl.py.class > dt.sig, dl.py.method > dt.sig"):
        qualified = term.attributes.get("id") or ""
        name = qualified.rpartition(".")[2]
        calls = re.compile(rf"\b{re.escape(name)}\s*\(")
        definition = _definition(term)
        if definition is None:
            continue
        # Another class of the page may have a method of that name.
        inside = definition if term.parent is not None and "method" in (term.parent.attributes["class"] or "") else page
        codes = [code for pre in inside.css("div.highlight pre") if digest(code := pre.text()) in stored]
        expected = frozenset(digest(code) for code in codes if calls.search(code))
        sentence = _description(definition)
        if len(name) < LEAST_NAME or not expected or len(sentence.split()) < LEAST_WORDS or sentence in asked:
            continue
        asked.add(sentence)
        yield CodeQuestion("description", sentence, expected)
        yield CodeQuestion("name", qualified, expected)


def _definition(term: LexborNode) -> LexborNode | None:
    definition = term.next
    while definition is not None and definition.tag != "dd":
        definition = definition.next
    return definition


def _description(definition: LexborNode) -> str:
    """The first sentence below the signature."""
    paragraph = definition.css_first("p")
    return "" if paragraph is None else _SENTENCE_END.split(" ".join(paragraph.text().split()))[0]


def stored_code(stack: Stack) -> frozenset[str]:
    """The digests of all examples of all sources, as the API lists them."""
    found: set[str] = set()
    for source in stack.get("/api/knowledge-items/sources")["sources"]:
        offset = 0
        while True:
            at = f"/api/knowledge-items/{source['source_id']}/code-examples?limit={PER_PAGE}&offset={offset}"
            listed = stack.get(at)
            found |= {digest(one["content"]) for one in listed["code_examples"]}
            offset += PER_PAGE
            if not listed["has_more"]:
                break
    return frozenset(found)


def wait_for_vectors(stack: Stack) -> None:
    """A crawl ends without those of its code, which come after the chunks'."""

    def none_is_missing() -> bool:
        return stack.manage("shell", "-c", COUNT).stdout.split()[-1] == "0"

    eventually(none_is_missing, seconds=LONGEST_SECONDS, what="every code example has a vector")


def scored_code(port: int, questions: Sequence[CodeQuestion]) -> list[CodeScores]:
    return [_scored(port, questions, mode) for mode in MODES]


def _scored(port: int, questions: Sequence[CodeQuestion], mode: str) -> CodeScores:
    texts = [one.query for one in questions]
    told = list(answers(port, "/api/rag/code-examples", texts, mode=mode, match_count=DEPTH))
    places = [_places(one, answer) for one, (_, answer) in zip(questions, told, strict=True)]
    firsts = [found[0] if found else None for found in places]
    return CodeScores(
        mode=mode,
        questions=len(questions),
        timing=Timing(mode, [milliseconds for milliseconds, _ in told]),
        hit_at_1=statistics.fmean(first == 1 for first in firsts),
        hit_at_5=statistics.fmean(first is not None and first <= 5 for first in firsts),
        mrr=statistics.fmean(1 / first if first else 0.0 for first in firsts),
        ndcg_at_10=statistics.fmean(
            _gain(found) / _gain(range(1, min(len(one.expected), DEPTH) + 1))
            for found, one in zip(places, questions, strict=True)
        ),
        answered_as=sorted({answer["search_mode"] for _, answer in told} - {mode}),
    )


def _gain(places: Iterable[int]) -> float:
    """As `manage.py eval` has it; this process knows no settings of the product."""
    return sum(1 / math.log2(place + 1) for place in places)


def _places(question: CodeQuestion, answer: dict[str, Any]) -> list[int]:
    hits = enumerate(answer["results"], start=1)
    return [place for place, hit in hits if digest(hit["content"]) in question.expected]
