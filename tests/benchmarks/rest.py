"""Searches over REST, one after another on one connection, and what they took."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

WARM_UP = 20


class Timing(NamedTuple):
    what: str
    milliseconds: list[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        return sorted(self.milliseconds)[int(0.99 * (len(self.milliseconds) - 1))]


def timed_searches(port: int, questions: Sequence[str], what: str, expected_mode: str = "", **options: Any) -> Timing:
    """`expected_mode` is the search that must have been done: a fallback would be measured unseen."""
    taken = []
    for milliseconds, answer in answers(port, "/api/rag/query", questions, **options):
        assert answer["search_mode"] == (expected_mode or answer["search_mode"]), answer["notice"]
        taken.append(milliseconds)
    return Timing(what, taken)


def answers(port: int, path: str, questions: Sequence[str], **options: Any) -> Iterator[tuple[float, dict[str, Any]]]:
    """What each search took in milliseconds, and its answer; after a warm-up that is not told."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for number, question in enumerate([*questions[:WARM_UP], *questions]):
        body = json.dumps({"query": question, **options})
        started = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        milliseconds = 1_000 * (time.perf_counter() - started)
        assert response.status == 200, (response.status, content[:500])
        if number >= min(WARM_UP, len(questions)):
            yield milliseconds, json.loads(content)
    connection.close()
