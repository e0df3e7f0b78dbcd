"""A source to ask, and an answer followed to its end."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier

import pytest

from knowledge.chat import events
from knowledge.chat.models import ChatEvent, ChatMessage
from knowledge.chat.runner import THREADS, runner
from knowledge.models import KnowledgeItem
from tests.knowledge.pages import page, source, store
from tests.stack import STOP_SECONDS, eventually
from tests.wire import published

RETRIES = """# Retries

The client retries a failed request three times by default. Set `max_retries` to change how often it retries.

```python
client = Client(max_retries=5)
```

A retry waits twice as long as the one before it.
"""
TIMEOUTS = """# Timeouts

A request times out after ten seconds. Pass `timeout` to wait longer for a slow server.
"""


@pytest.fixture
def item(transactional_db: None) -> KnowledgeItem:
    found = source("client")
    store(
        found,
        page("retries", RETRIES, title="Retries", headings=((1, "Retries", "retries"),)),
        page("timeouts", TIMEOUTS, title="Timeouts"),
    )
    return found


@pytest.fixture(autouse=True)
def frames_are_as_published(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every event that these tests make is held against the published schemas, whatever thread wrote it."""
    faults: list[str] = []
    frame_of, snapshot_frame = events._frame, events.snapshot_frame

    def checked(text: str) -> str:
        try:
            published().checked(text)
        except AssertionError as fault:
            faults.append(str(fault))
        return text

    monkeypatch.setattr(events, "_frame", lambda *parts: checked(frame_of(*parts)))
    monkeypatch.setattr(events, "snapshot_frame", lambda *parts, **named: checked(snapshot_frame(*parts, **named)))
    yield
    assert not faults


@pytest.fixture(autouse=True)
def no_answer_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that ends in the middle of an answer must not write into the database of the next."""
    if "transactional_db" in request.fixturenames:  # asked for first, its tables are emptied after the end below
        request.getfixturevalue("transactional_db")
    yield
    for message_id in list(runner()._tasks):
        runner().cancel(message_id)
    eventually(lambda: not runner()._tasks, what="every answer has ended")
    # A task that is cancelled ends at once, what it asked for in a thread when that is done.
    all_are_free = Barrier(THREADS)
    for ended in [runner()._threads.submit(all_are_free.wait, STOP_SECONDS) for _ in range(THREADS)]:
        ended.result()


def no_holes(session_id: str) -> None:
    """The numbers of the events, and the text that the pieces of each answer add up to."""
    rows = list(ChatEvent.objects.filter(session__session_id=session_id).order_by("sequence"))
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    for message in ChatMessage.objects.filter(session__session_id=session_id, role="assistant"):
        pieces = [published().checked(row.frame)["data"] for row in rows if row.message_id == message.pk]
        chunks = [piece for piece in pieces if "delta" in piece]
        assert [chunk["index"] for chunk in chunks] == list(range(len(chunks)))
        if message.state == "complete":
            assert "".join(chunk["delta"] for chunk in chunks) == message.text
