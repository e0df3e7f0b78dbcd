"""The Python documentation crawled with the bundled embedder: how long until its vectors, how well it is searched."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.benchmarks.crawl import done_pages, forget
from tests.benchmarks.search.questions import Question, questions
from tests.benchmarks.sites import SITES, documentation_site
from tests.stack import Stack, eventually, running_stack

T = TypeVar("T")

# They hold the questions themselves.
EXCLUDED = ("**/genindex*", "**/py-modindex*")
LONGEST_SECONDS = 3_600.0
SITE = SITES["python"]
LINK_LISTS = re.compile(r"([\d,]+) chunks? (?:are lists|is a list) of links")


@dataclass
class Crawled:
    """Seconds are from the POST on; `first_hit` is of a search by words for one of the first pages.

    `link_lists` are chunks that want no vector, as the crawl's last line tells them.
    """

    pages: int
    failed_pages: int
    chunks: int
    embedded: int
    link_lists: int
    first_hit: float
    stored_seconds: float
    seconds: float


@contextmanager
def crawled(max_pages: int) -> Iterator[tuple[Crawled, Stack, set[str]]]:
    """The figures, the running product to ask further, and the URLs that were stored. `max_pages` 0: all."""
    with (
        documentation_site(SITE.folder()) as seed,
        running_stack(ARCHON_EMBEDDER="local", ARCHON_SLICE_SECONDS="10") as stack,
    ):
        # Worker and model are warm, as in a product that runs.
        stack.ended(stack.crawl(seed, max_depth=1, max_pages=2))
        forget(stack)
        options = {"max_depth": 5, "exclude": list(EXCLUDED), **({"max_pages": max_pages} if max_pages else {})}
        started = time.monotonic()
        progress_id = stack.crawl(seed, **options)
        eventually(lambda: stack.search(SITE.word, mode="keyword", match_count=3), what="a page is found by its words")
        first_hit = time.monotonic() - started
        stored, last = _followed(stack, progress_id)
        figures = Crawled(
            pages=last["processedPages"],
            failed_pages=last["failedPages"],
            chunks=last["chunksStored"],
            embedded=last["embeddedChunks"],
            link_lists=int(found[1].replace(",", "")) if (found := LINK_LISTS.search(last["log"])) else 0,
            first_hit=first_hit,
            stored_seconds=stored - started,
            seconds=time.monotonic() - started,
        )
        yield figures, stack, done_pages(stack, progress_id)


def _followed(stack: Stack, progress_id: str) -> tuple[float, dict[str, Any]]:
    """When the last page was stored, and the terminal snapshot."""
    stored: float | None = None
    last: dict[str, Any] = {}
    for frame in stack.frames(progress_id, seconds=LONGEST_SECONDS):
        last = frame["data"]
        if stored is None and last["status"] in ("embedding", "finalizing", "completed"):
            stored = time.monotonic()
    assert last["status"] == "completed", last
    return stored or time.monotonic(), last


def asked(pages: set[str], most: int) -> Sequence[Question]:
    """Questions with an expected page among these, all or `most` of them taken evenly."""
    stored = {page.partition("#")[0] for page in pages}
    fitting = [
        one
        for one in questions(SITE.folder()).all()
        if any(url.endswith(f"/{page}") for page in one["expected"] for url in stored)
    ]
    return some(fitting, most)


def some(questions: Sequence[T], most: int) -> Sequence[T]:
    """All or `most` of them, taken evenly; 0: all."""
    return questions if not most or len(questions) <= most else questions[:: -(-len(questions) // most)]


def scored(stack: Stack, pages: set[str], most: int) -> dict[str, Any]:
    """As `manage.py eval` tells it, with `questions` replaced by their number."""
    chosen = asked(pages, most)
    file = stack.folder / "questions.json"
    file.write_text(json.dumps(chosen))
    told = json.loads(stack.manage("eval", str(file)).stdout)
    return {"questions": len(chosen), "modes": told["modes"]}
