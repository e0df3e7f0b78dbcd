"""SQLite under eight writers and fifty requests a second: a few seconds of what `make chaos-sqlite` does."""

from __future__ import annotations

from tests.chaos.busy import REQUESTS_PER_SECOND, WRITERS, busy, report


def test_nobody_hears_that_the_database_is_locked() -> None:
    heard, wrong = busy(4)
    assert wrong == []
    assert heard.crawls >= WRITERS
    assert sum(heard.statuses.values()) > REQUESTS_PER_SECOND
    figures = report(heard, wrong, 4)
    assert figures["requests"] == sum(figures["answers"].values())
    assert figures["p50_ms"] <= figures["p99_ms"] <= figures["slowest_ms"]
