"""A chat over sockets: tokens as they come, two tabs, a reload in the middle, a stop, and processes that end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.db import DatabaseError, connections

from knowledge.chat import actions, events, recorder
from knowledge.chat.models import ChatMessage
from knowledge.chat.recorder import Recorder
from knowledge.chat.runner import THREADS, runner
from knowledge.models import KnowledgeItem
from knowledge.routing import websocket_urlpatterns
from progress.hub import hub
from tests.knowledge.chat.conftest import no_holes
from tests.llm import BreakOff, Hold, ModelServer, Status
from tests.stack import eventually
from tests.wire import published

ANSWER_SECONDS = 15
QUESTION = "How often does the client retry?"
Frame = dict[str, Any]


class Tab:
    """One socket of a chat and the text of the answer as it has shown so far."""

    def __init__(self, session_id: str, query: str = "") -> None:
        path = f"/api/chat/{session_id}"
        self.socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path + query)
        self.frames: list[Frame] = []
        self.is_open = True

    async def say(self, **message: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(message))

    async def ask(self, text: str = QUESTION, **more: Any) -> None:
        await self.say(type="chat_message", message=text, **more)

    async def close(self) -> None:
        if self.is_open:
            self.is_open = False
            await self.socket.disconnect(timeout=ANSWER_SECONDS)

    async def frame(self) -> Frame:
        self.frames.append(published().checked(await self.socket.receive_from(ANSWER_SECONDS)))
        return self.frames[-1]

    async def until(self, *types: str) -> Frame:
        while (frame := await self.frame())["type"] not in types:
            pass
        return frame

    async def until_text(self, text: str) -> None:
        while text not in self.text:
            await self.frame()

    @property
    def text(self) -> str:
        """As a client puts it together: the snapshot's, then every delta."""
        text = ""
        for frame in self.frames:
            if frame["type"] == "chat_snapshot" and frame["data"]["messages"]:
                text = frame["data"]["messages"][-1]["text"]
            elif frame["type"] == "chat_chunk":
                text += frame["data"]["delta"]
        return text

    @property
    def sequences(self) -> list[int]:
        return [frame["data"]["sequence"] for frame in self.frames if "data" in frame]


Open = Callable[..., Awaitable[Tab]]


@pytest.fixture
async def tab(transactional_db: None, channel_layer: Any) -> AsyncIterator[Open]:
    tabs: list[Tab] = []

    async def opened(session_id: str = "s", query: str = "") -> Tab:
        tabs.append(one := Tab(session_id, query))
        accepted, _ = await one.socket.connect(ANSWER_SECONDS)
        assert accepted
        if not query:  # else it might be of a moment after what the test does next
            await one.frame()
        return one

    yield opened
    for one in tabs:
        await one.close()
    await hub().close()
    await sync_to_async(connections.close_all)()


async def test_a_chat_begins_empty_and_streams_its_answer(item: KnowledgeItem, model: ModelServer, tab: Open) -> None:
    model.replies(["The client retries ", Hold(), "three times [1]."])
    one = await tab()
    snapshot = one.frames[0]["data"]
    assert (snapshot["sequence"], snapshot["messages"], snapshot["typing"]) == (0, [], None)
    await one.ask()
    started = (await one.until("chat_started"))["data"]
    assert (started["question"]["text"], started["message"]["state"]) == (QUESTION, "streaming")
    assert (await one.until("chat_typing"))["data"]["stage"] == "waiting"
    assert (await one.until("chat_chunk"))["data"]["delta"] == "The client retries "
    model.release()
    cited = (await one.until("chat_citations"))["data"]["citations"]
    assert [citation["url"] for citation in cited] == ["https://docs.example.com/retries#retries"]
    message = (await one.until("chat_completed"))["data"]["message"]
    assert message["text"] == one.text == "The client retries three times [1]."
    assert (message["model"], message["citations"]) == ("stub", cited)
    assert one.sequences == list(range(len(one.frames)))
    await sync_to_async(no_holes)("s")


@pytest.mark.parametrize("since", [None, 1, 2, 3])
async def test_a_reload_in_the_middle_loses_and_repeats_nothing(
    item: KnowledgeItem, model: ModelServer, tab: Open, since: int | None
) -> None:
    model.replies(["one ", "two ", Hold(), "three ", "four"])
    first = await tab()
    await first.ask()
    await first.until_text("one two ")
    await first.close()
    again = await tab(query="" if since is None else f"?since={since}")
    if since is None:
        assert again.frames[0]["data"]["typing"]["stage"] == "writing"
    else:  # what this client had seen before it reloaded
        again.frames = [frame for frame in first.frames if frame["data"]["sequence"] <= since]
    await again.until_text("one two ")
    model.release()
    end = await again.until("chat_completed")
    assert again.text == end["data"]["message"]["text"] == "one two three four"
    assert again.sequences == list(range(again.sequences[0], end["data"]["sequence"] + 1))


async def test_two_tabs_see_the_same_and_one_question_at_a_time_is_answered(
    item: KnowledgeItem, model: ModelServer, tab: Open
) -> None:
    model.replies(["one ", Hold(), "two"])
    left, right = await tab(), await tab()
    await left.ask()
    await right.until_text("one ")
    await right.ask("Another?")
    refused = (await right.until("chat_error"))["data"]
    assert (refused["error"]["code"], refused["sequence"], refused["message"]) == ("chat_busy", None, None)
    model.release()
    await left.until("chat_completed")
    await right.until("chat_completed")
    heard = [frame for frame in right.frames if frame["data"]["sequence"] is not None]
    assert heard == left.frames


async def test_a_stop_ends_the_answer_at_once_and_closes_the_connection(
    item: KnowledgeItem, model: ModelServer, tab: Open
) -> None:
    model.replies(["one ", Hold(), "never"])
    one, other = await tab(), await tab()
    await one.ask()
    await one.until_text("one ")
    await other.say(type="chat_stop")
    for each in (one, other):
        message = (await each.until("chat_completed"))["data"]["message"]
        assert (message["state"], message["text"], message["model"]) == ("stopped", "one ", "stub")
    await asyncio.to_thread(eventually, lambda: model.open == 0, what="the connection is closed")
    model.release()
    model.replies(["Again."])
    await one.ask()
    assert (await one.until("chat_completed"))["data"]["message"]["text"] == "Again."
    await sync_to_async(no_holes)("s")


async def test_a_failure_is_told_with_what_was_written(item: KnowledgeItem, model: ModelServer, tab: Open) -> None:
    model.replies([Status(429, {"Retry-After": "0.01"})], ["one ", BreakOff()])
    one = await tab()
    await one.ask()
    while (typing := await one.until("chat_typing"))["data"]["stage"] != "retrying":
        pass
    assert typing["data"]["retry_in"] == 0.01
    failed = (await one.until("chat_error"))["data"]
    assert failed["error"] == failed["message"]["error"]
    assert (failed["message"]["state"], failed["message"]["text"]) == ("failed", "one ")
    assert failed["error"]["hint"]


async def test_a_fault_nobody_foresaw_ends_the_answer_too(
    item: KnowledgeItem, tab: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("knowledge.chat.runner.prepare", broken)
    one = await tab()
    await one.ask()
    assert (await one.until("chat_error"))["data"]["error"]["code"] == "chat_failed"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "chat_message"}, "chat_message_bad"),
        ({"type": "chat_message", "message": ["a"]}, "chat_message_bad"),
        ({"type": "chat_message", "message": "x" * 9_000}, "chat_message_bad"),
        ({"type": "chat_message", "message": "hi", "source_id": "none-such"}, "source_unknown"),
        ({"type": "chat_stop"}, "chat_session_unknown"),
    ],
)
async def test_what_cannot_be_asked_is_told_to_this_socket(tab: Open, message: Frame, code: str) -> None:
    one = await tab()
    await one.say(type="surprise")
    await one.say(**message)
    assert (await one.until("chat_error"))["data"]["error"]["code"] == code
    await one.say(type="ping")
    await one.until("pong")


async def test_a_deleted_chat_goes_on_in_a_tab_that_stayed_open(item: KnowledgeItem, tab: Open) -> None:
    one = await tab()
    await one.ask()
    end = (await one.until("chat_completed"))["data"]["sequence"]
    await sync_to_async(actions.delete_session)(None, "s")
    emptied = (await one.until("chat_snapshot"))["data"]
    assert (emptied["sequence"], emptied["messages"]) == (end + 1, [])
    await one.ask()
    assert (await one.until("chat_started"))["data"]["sequence"] == end + 2


async def test_an_orderly_end_of_the_process_ends_its_answers(
    item: KnowledgeItem, model: ModelServer, tab: Open
) -> None:
    model.replies(["one ", Hold(), "two"])
    one = await tab()
    await one.ask()
    await one.until_text("one ")
    await sync_to_async(actions.interrupt)(runner().name)
    failed = (await one.until("chat_error"))["data"]
    assert (failed["error"]["code"], failed["message"]["text"]) == ("chat_interrupted", "one ")


async def test_thirty_answers_stream_at_once_over_few_connections(
    item: KnowledgeItem, model: ModelServer, tab: Open
) -> None:
    model.replies(["one ", Hold(), *("word " for _ in range(20))])
    tabs = [await tab(f"s{number}") for number in range(30)]
    for one in tabs:
        await one.ask()
    for one in tabs:
        await one.until_text("one ")
    assert model.open == 30
    assert len(runner()._threads._threads) <= THREADS, "an answer that waits holds no thread, and so no connection"
    model.release()
    for one in tabs:
        await one.until("chat_completed")
        assert one.text == "one " + "word " * 20
    assert await sync_to_async(ChatMessage.objects.filter(state="complete").count)() == 60


# ---- the recorder ----


class Book:
    """Takes what the recorder writes."""

    def __init__(self) -> None:
        self.written: list[dict[int, tuple[int, str]]] = []
        self.ended: set[int] = set()
        self.gone: list[int] = []
        self.failures = 0
        self.first = asyncio.Event()

    async def write(self, chunks: Any) -> set[int]:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise DatabaseError("away")
        self.written.append(dict(chunks))
        self.first.set()
        return set(chunks) - self.ended


@pytest.fixture
def book() -> Book:
    return Book()


async def test_pieces_that_come_together_are_one_event_and_the_first_does_not_wait(book: Book) -> None:
    pieces = Recorder(book.write, book.gone.append)
    pieces.add(1, "a")
    await book.first.wait()
    for letter in "bcd":
        pieces.add(1, letter)
    pieces.add(2, "x")  # the first of its answer takes the others along
    await pieces.drain(1)
    await pieces.drain(2)
    assert book.written == [{1: (0, "a")}, {1: (1, "bcd"), 2: (0, "x")}]


async def test_pieces_wait_for_a_database_that_is_away_in_order(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "DATABASE_AWAY_SECONDS", 0)
    pieces = Recorder(book.write, book.gone.append)
    book.failures = 2
    pieces.add(1, "a")
    await asyncio.sleep(0)
    pieces.add(1, "b")
    await pieces.drain(1)
    assert book.written == [{1: (0, "ab")}]


async def test_an_answer_that_ended_elsewhere_is_told_of_once(book: Book) -> None:
    pieces = Recorder(book.write, book.gone.append)
    book.ended = {1}
    pieces.add(1, "a")
    pieces.add(2, "b")
    await pieces.drain(1)
    assert book.gone == [1]
    assert events.chat_topic(None, "s") == "chat::s"
