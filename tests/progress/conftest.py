"""Every progress frame that these tests make is held against the published schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from progress import history, logs, messages, tracker
from tests.web import WebProcess, World, Writer, world
from tests.wire import published


@pytest.fixture(autouse=True)
def frames_are_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(*arguments: Any, **named: Any) -> str:
        text = snapshot_frame(*arguments, **named)
        published().checked(text)
        return text

    def event(*arguments: Any, **named: Any) -> str:
        text = event_frame(*arguments, **named)
        published().checked(text)
        return text

    def rows(*arguments: Any) -> list[tuple[int, str]]:
        frames = frames_of(*arguments)
        for _, text in frames:
            published().checked(text)
        return frames

    snapshot_frame, event_frame, frames_of = messages.snapshot_frame, messages.event_frame, logs.frames_of
    monkeypatch.setattr(history, "snapshot_frame", one)
    monkeypatch.setattr(messages, "event_frame", event)
    monkeypatch.setattr(tracker, "event_frame", event)
    monkeypatch.setattr(logs, "frames_of", rows)


@pytest.fixture(scope="session")
def served() -> Iterator[World]:
    """Redis and a database of their own, for web processes and writers."""
    with world(ARCHON_HEARTBEAT_SECONDS="0.5", ARCHON_PROGRESS_EVENTS_KEPT="100") as started:
        yield started


@pytest.fixture(scope="session")
def web(served: World) -> WebProcess:
    return served.web()


@pytest.fixture(scope="session")
def writer(served: World) -> Writer:
    """Another process, which writes progress as a worker does."""
    return served.writer()
