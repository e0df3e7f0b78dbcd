"""What the log says of clients and questions, told from rows as the calls leave them."""

from __future__ import annotations

from typing import Any

import pytest

from archon.mcp import records
from archon.mcp.logs import digest
from progress import logs
from progress.log_rows import LOGGER

pytestmark = pytest.mark.django_db


def called(query: str, *, found: int, **metadata: Any) -> None:
    told = {
        "method": "tools/call",
        "tool_name": "rag_search_knowledge_base",
        "client_name": "zed",
        "session_id": "zed_1_0123456789ab",
        "arguments": {"query": query},
        "execution_time": 0.01,
        "result_count": found,
        **metadata,
    }
    logs.write("INFO", LOGGER, f"called {query}", told)


def test_a_question_is_open_until_it_finds_something_close() -> None:
    called("How to moult?", found=0)
    called("how  to MOULT?", found=3, weak=True)
    called("Where is ice?", found=0)
    called("Where is ice?", found=2)
    called("Failed?", found=0, error="database")
    called("Only there?", found=0, arguments={"query": "Only there?", "source_id": "abc"})
    told = [(one["query"], one["count"], one["source_id"]) for one in records.unanswered(records.calls())]
    assert told == [("How to moult?", 2, None), ("Only there?", 1, "abc")]


def test_calls_add_up_by_client_and_session() -> None:
    called("one", found=1)
    called("two", found=0, error="no", session_id="zed_1_ffffffffffff", execution_time=0.03)
    called("hello", found=0, method="initialize", tool_name=None)
    logs.write("INFO", "mcp.server", "a line of somebody else", {"client_id": "x"})
    (client,) = records.by_client(records.calls())
    assert (client["sessions"], client["calls"], client["errors"], client["mean_milliseconds"]) == (2, 2, 1, 20.0)
    assert client["tools"] == {"rag_search_knowledge_base": 2}
    first, second = records.by_session(records.calls())
    assert (first["session_id"], first["calls"]) == ("zed_1_0123456789ab", 1)
    assert (second["errors"], second["active"]) == (1, True)
    assert records.active_sessions() == 2
    assert records.answered().count() == 2


def test_the_log_of_calls_keeps_no_password_of_an_address() -> None:
    given = {"url": "https://me:pass@a.example/x", "text": "see ftp://me:pass@b.example, or me@c.example", "all": [
        {"uri": "https://pass@d.example"}
    ]}  # fmt: skip
    kept = digest(given)
    assert "pass" not in str(kept)
    assert kept["url"] == "https://…@a.example/x"
    assert kept["text"].endswith("or me@c.example")
