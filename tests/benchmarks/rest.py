"""Searches over REST, one after another on one connection, and what they took."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Sequence
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
    """After a warm-up. `expected_mode` is the search that must have been done: a fallback would be measured unseen."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    taken = []
    for question in [*questions[:WARM_UP], *questions]:
        body = json.dumps({"query": question, **options})
        started = time.perf_counter()
        connection.request("POST", "/api/rag/query", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        taken.append(1_000 * (time.perf_counter() - started))
        assert response.status == 200, (response.status, content[:500])
        answer = json.loads(content)
        assert answer["search_mode"] == (expected_mode or answer["search_mode"]), answer["notice"]
    connection.close()
    return Timing(what, taken[len(questions[:WARM_UP]) :])
