"""From a question to a cited answer: retrieve, write, check what was written. No session, no socket, no database while
it is written: `manage.py ask`, MCP and the chat's runner all take it from here.

What pages say is data. An answer can do nothing: no tool is offered to the model, what it writes is
text, and links, images and markers that the passages do not bear out are taken out of it.
"""

from __future__ import annotations

import asyncio
import queue
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

from knowledge.chat import llm
from knowledge.chat.citations import CheckedText, citation_bodies
from knowledge.chat.extractive import extract
from knowledge.chat.messages import CitationBody, Stage
from knowledge.chat.prompt import Turn, prompt
from knowledge.errors import BadQuery
from knowledge.models import KnowledgeItem
from knowledge.search import SearchHit, SearchOutcome, SearchQuery, search
from knowledge.search.words import STOP_WORDS, question
from progress.loop import submit
from progress.viewer import Viewer

EXTRACTIVE = "extractive"
NOTHING = "none"
PASSAGES = 8
# A question this short, or one that points back, is searched for together with the one before it.
FEW_WORDS = 2
_POINTS_BACK = re.compile(
    r"(?i)^\W*(?:and|but|so|or|then|also)\b|\b(?:it|its|that|this|these|those|they|them|their|there|the other)\b"
    r"|^\W*(?:what|how) about\b"
)
# Streamed in pieces of about this many characters, so that a reader sees it come.
PIECE = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Typing:
    """What the answer is waiting for; `retry_in` seconds until a model that failed is asked again."""

    stage: Stage
    note: str = ""
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The whole answer: the sum of its pieces, and the passages behind its markers."""

    text: str
    citations: tuple[CitationBody, ...]
    model: str


Part = Typing | Delta | Done


class Plan(NamedTuple):
    """All that is needed to write the answer, without the database. `ready` is the answer where no model writes it."""

    question: str
    history: tuple[Turn, ...]
    passages: tuple[SearchHit, ...]
    model: str
    ready: str = ""


def answer(
    question: str, *, history: Sequence[Turn] = (), source_id: str | None = None, viewer: Viewer
) -> Iterator[Part]:
    """The parts of the answer as they come, for synchronous callers; ends with Done.

    Raises UnknownSource, BadQuery for a question without a word, and AnswerFailed when the
    language model fails. Closing the iterator ends the request to the model.
    """
    yield Typing("searching")
    plan = prepare(question, history=history, source_id=source_id, viewer=viewer)
    yield from _in_background(plan)


def prepare(question: str, *, history: Sequence[Turn] = (), source_id: str | None = None, viewer: Viewer) -> Plan:
    """Search, and decide who writes. Uses the database; the writing does not."""
    text = condensed(question, history)
    asked = SearchQuery(text=text, source_id=source_id or None, match_count=PASSAGES, viewer=viewer)
    try:
        outcome = search(asked)
    except BadQuery as error:
        if error.code != "query_without_words":
            raise
        outcome = SearchOutcome((), asked.mode)
    hits = outcome.hits
    if not hits:
        return Plan(question, tuple(history), (), NOTHING, _nothing_found(question, source_id, viewer))
    if label := llm.label():
        return Plan(question, tuple(history), hits, label)
    # A model can say by itself that the passages do not answer; sentences that are picked from them cannot.
    found = "" if outcome.weak else extract(asked.text, hits)
    if found:
        return Plan(question, tuple(history), hits, EXTRACTIVE, found)
    return Plan(question, tuple(history), hits, NOTHING, _nothing_close(hits))


async def write(plan: Plan) -> AsyncGenerator[Part]:
    """The parts of the answer. Raises AnswerFailed."""
    # In a thread: it reads all passages, and the loop has other answers to stream.
    checked = await asyncio.to_thread(CheckedText, plan.passages)
    if plan.ready:
        for piece in PIECE.findall(plan.ready):
            if text := checked.feed(piece):
                yield Delta(text)
    else:
        yield Typing("waiting")
        async with aclosing(llm.stream(prompt(plan.question, plan.history, plan.passages))) as pieces:
            async for got in pieces:
                if isinstance(got, llm.Retry):
                    yield Typing("retrying", got.note, got.seconds)
                elif text := checked.feed(got):
                    yield Delta(text)
    if text := checked.finish():
        yield Delta(text)
    yield Done(checked.text, tuple(citation_bodies(plan.passages, checked.cited, plan.question)), plan.model)


def condensed(text: str, history: Sequence[Turn]) -> str:
    """What to search for: a follow-up question says too little alone, so the one before it is added."""
    earlier = [turn.text for turn in history if turn.role == "user"]
    if not earlier or not (_POINTS_BACK.search(text) or len(_telling(text)) <= FEW_WORDS):
        return text
    return f"{text}\n{earlier[-1]}" if len(earlier) == 1 else f"{text}\n{condensed(earlier[-1], _before_last(history))}"


def _before_last(history: Sequence[Turn]) -> Sequence[Turn]:
    last = max(index for index, turn in enumerate(history) if turn.role == "user")
    return history[:last]


def _telling(text: str) -> list[str]:
    return [lexeme for word in question(text).words for lexeme in word.whole if lexeme not in STOP_WORDS]


def _nothing_found(text: str, source_id: str | None, viewer: Viewer) -> str:
    sources = KnowledgeItem.objects.visible_to(viewer).count()
    if not sources:
        return "Nothing has been read yet, so there is nothing to answer from. Add a documentation site first."
    topic = ", ".join(f"`{word}`" for word in _telling(text)[:5])
    about = f" on {topic}" if topic else ""
    if source_id:
        return f"This source has no passage{about}. Ask all sources, or crawl a site that covers it."
    read = "the one source that was read has" if sources == 1 else f"none of the {sources} sources that were read has"
    return f"I found nothing: {read} {'no' if sources == 1 else 'a'} passage{about}. Crawl a site that covers it."


def _nothing_close(hits: Sequence[SearchHit]) -> str:
    pages = list(dict.fromkeys(hit.title or hit.page_url for hit in hits))[:3]
    named = "; ".join(f"“{page}”" for page in pages)
    return (
        f"I found nothing that answers this; the nearest pages are {named}. "
        "Crawl a site that covers it, or ask in other words."
    )


# ---- for synchronous callers ----


class _Failed(NamedTuple):
    error: BaseException


def _in_background(plan: Plan) -> Iterator[Part]:
    """The parts that the process's own loop writes, as they come."""
    parts: queue.SimpleQueue[Part | _Failed | None] = queue.SimpleQueue()

    async def pump() -> None:
        try:
            async with aclosing(write(plan)) as written:
                async for part in written:
                    parts.put(part)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # raised again below, where the caller is
            parts.put(_Failed(error))
        finally:
            parts.put(None)

    pumping = submit(pump())
    try:
        while (part := parts.get()) is not None:
            if isinstance(part, _Failed):
                raise part.error
            yield part
    finally:
        pumping.cancel()
