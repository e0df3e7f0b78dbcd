"""The list of sources live: what a client asks for, and that every change of it arrives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.db import connections
from django.utils import timezone

from knowledge import actions, tasks
from knowledge.consumers import MAX_TAGS, TEXT_CHARS, Changes, View
from knowledge.messages import MAX_PAGE, MAX_PER_PAGE
from knowledge.models import KnowledgeItem
from knowledge.routing import websocket_urlpatterns
from progress import hub as hub_module
from progress.hub import hub
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store
from tests.wire import assert_shaped_like, golden, published

PATH = "/api/knowledge-items/stream"
ANSWER_SECONDS = 15
Read = dict[str, Any]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, View(viewer=OPERATOR)),
        ({"page": 2, "per_page": 50}, View(page=2, per_page=50, viewer=OPERATOR)),
        ({"page": MAX_PAGE, "per_page": MAX_PER_PAGE}, View(page=MAX_PAGE, per_page=MAX_PER_PAGE, viewer=OPERATOR)),
        ({"page": 0, "per_page": 0}, View(viewer=OPERATOR)),
        ({"page": MAX_PAGE + 1, "per_page": MAX_PER_PAGE + 1}, View(viewer=OPERATOR)),
        ({"page": True, "per_page": False}, View(viewer=OPERATOR)),
        ({"page": "2", "per_page": 1.5}, View(viewer=OPERATOR)),
        ({"page": None, "search": None, "tags": None}, View(viewer=OPERATOR)),
        ({"search": "django"}, View(search="django", viewer=OPERATOR)),
        ({"search": ["django"], "knowledge_type": 7}, View(viewer=OPERATOR)),
        ({"search": "x" * (TEXT_CHARS + 1)}, View(search="x" * TEXT_CHARS, viewer=OPERATOR)),
        (
            {"knowledge_type": "business", "source_type": "file"},
            View(knowledge_type="business", source_type="file", viewer=OPERATOR),
        ),
        ({"tags": ["a", "b"]}, View(tags=("a", "b"), viewer=OPERATOR)),
        ({"tags": "a"}, View(viewer=OPERATOR)),
        ({"tags": ["a", 1, None, ["b"], ""]}, View(tags=("a",), viewer=OPERATOR)),
        ({"tags": ["t"] * 200}, View(tags=("t",) * MAX_TAGS, viewer=OPERATOR)),
        ({"type": "subscribe", "anything": {"else": 1}}, View(viewer=OPERATOR)),
    ],
)
def test_what_a_client_asks_for(message: dict[str, Any], expected: View) -> None:
    assert View.wanted(message, OPERATOR) == expected


class Client:
    """One socket in this process."""

    def __init__(self) -> None:
        self.socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), PATH)

    async def send(self, message: Any) -> None:
        await self.socket.send_to(text_data=message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, **view: Any) -> None:
        await self.send({"type": "subscribe", **view})

    async def frame(self) -> dict[str, Any]:
        return published().checked(await self.socket.receive_from(ANSWER_SECONDS))

    async def until(self, wanted: Callable[[Read], bool]) -> Read:
        """The first list that is as wanted."""
        while True:
            frame = await self.frame()
            if frame["type"] == "knowledge_items_update" and wanted(frame["data"]):
                return dict(frame["data"])


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def connected(transactional_db: None, channel_layer: Any) -> AsyncIterator[Connect]:
    clients: list[Client] = []

    async def connect() -> Client:
        clients.append(client := Client())
        accepted, _ = await client.socket.connect(ANSWER_SECONDS)
        assert accepted
        return client

    yield connect
    for client in clients:
        await client.socket.disconnect(timeout=ANSWER_SECONDS)
    await hub().close()
    await sync_to_async(connections.close_all)()


def titles(data: Read) -> list[str]:
    return [item["title"] for item in data["items"]]


async def test_it_begins_with_the_list_as_it_is(connected: Connect) -> None:
    await sync_to_async(source)("one", tags=["a"])
    frame = await (await connected()).frame()
    assert_shaped_like(golden("knowledge_items_update"), frame)
    assert titles(frame["data"]) == ["one"]
    assert {name: frame["data"][name] for name in ("total", "page", "per_page")} == {
        "total": 1,
        "page": 1,
        "per_page": 20,
    }


async def test_every_change_of_a_source_arrives(connected: Connect) -> None:
    client = await connected()
    assert (await client.frame())["data"]["total"] == 0
    item = await sync_to_async(source)("one")
    await client.until(lambda data: titles(data) == ["one"])
    await sync_to_async(actions.update_item)(item.source_id, {"title": "renamed", "tags": ["x"]}, OPERATOR)
    data = await client.until(lambda data: titles(data) == ["renamed"])
    assert data["items"][0]["metadata"]["tags"] == ["x"]
    await sync_to_async(actions.delete_item)(item.source_id, OPERATOR)
    await client.until(lambda data: data["total"] == 0)
    await sync_to_async(tasks.purge)()
    await sync_to_async(source)("two")
    await client.until(lambda data: titles(data) == ["two"])


async def test_the_counts_rise_while_a_crawl_stores_pages(connected: Connect) -> None:
    item = await sync_to_async(source)("one")
    client = await connected()
    await client.frame()

    def crawl(number: int) -> None:
        store(item, page(f"page-{number}", f"# Page {number}\n\nSome words about {number}."))
        actions.knowledge_changed(item.source_id, "updated")

    for number in range(1, 4):
        await sync_to_async(crawl)(number)
        data = await client.until(lambda data: data["items"][0]["metadata"]["document_count"] == number)  # noqa: B023
        assert data["items"][0]["metadata"]["chunks_count"] == number
    assert data["items"][0]["metadata"]["last_scraped"]


async def test_a_change_that_moves_no_time_arrives_too(connected: Connect) -> None:
    """As when the start page names its source, or a transaction that began earlier commits later."""
    item = await sync_to_async(source)("one", title="https://docs.example.com/")
    client = await connected()
    await client.frame()

    def rename() -> None:
        earlier = timezone.now() - timedelta(hours=1)
        KnowledgeItem.objects.filter(pk=item.pk).update(title="The docs", updated_at=earlier)
        actions.knowledge_changed(item.source_id, "updated")

    await sync_to_async(rename)()
    await client.until(lambda data: titles(data) == ["The docs"])


async def test_a_change_without_news_is_found(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.1)
    item = await sync_to_async(source)("one")
    client = await connected()
    await client.frame()
    await sync_to_async(KnowledgeItem.objects.filter(pk=item.pk).update)(chunk_count=7)
    await client.until(lambda data: data["items"][0]["metadata"]["chunks_count"] == 7)
    await sync_to_async(KnowledgeItem.objects.filter(pk=item.pk).delete)()
    await client.until(lambda data: data["total"] == 0)


async def test_each_client_sees_the_part_it_asked_for(connected: Connect) -> None:
    def write() -> None:
        for number in range(5):
            source(f"docs {number}", url=f"https://docs.example.com/{number}", tags=["even"] if number % 2 == 0 else [])

    await sync_to_async(write)()
    everything, part = await connected(), await connected()
    assert (await everything.frame())["data"]["total"] == (await part.frame())["data"]["total"] == 5

    await part.subscribe(page=2, per_page=2)
    data = await part.until(lambda data: data["page"] == 2)
    assert (titles(data), data["per_page"], data["total"]) == (["docs 2", "docs 1"], 2, 5)
    await part.subscribe(search="DOCS 3")
    assert titles(await part.until(lambda data: data["total"] == 1)) == ["docs 3"]
    await part.subscribe(tags=["even"])
    assert titles(await part.until(lambda data: data["total"] == 3)) == ["docs 4", "docs 2", "docs 0"]
    await part.subscribe(tags=["even", "none has it"])
    await part.until(lambda data: data["total"] == 0)
    await part.subscribe(source_type="file")
    await part.until(lambda data: data["total"] == 0)

    await part.subscribe(tags=["even"], per_page=1)
    await part.until(lambda data: data["total"] == 3)
    await sync_to_async(source)("docs 6", tags=["even"])
    data = await part.until(lambda data: data["total"] == 4)
    assert (titles(data), data["per_page"]) == (["docs 6"], 1)
    assert titles(await everything.until(lambda data: data["total"] == 6))[0] == "docs 6"


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "{",
        "[]",
        "null",
        '"subscribe"',
        '{"type":"unsubscribe"}',
        '{"type":["subscribe"]}',
        '{"type":"subscribe","page":-1,"per_page":"many","tags":{"a":1},"search":["\\u0000"]}',
        '{"type":"subscribe","search":"\\u0000","tags":["\\u0000","\\ud800"],"knowledge_type":"\\ud800"}',
        '{"type":"subscribe","search":"%_\\\\"}',
        '{"type":"subscribe","page":1e308,"per_page":1e400}',
        "[" * 5000,
    ],
)
async def test_no_frame_of_a_client_ends_its_socket(connected: Connect, text: str) -> None:
    await sync_to_async(source)("one")
    client = await connected()
    await client.frame()
    await client.send(text)
    await client.subscribe(search="one")
    await client.until(lambda data: titles(data) == ["one"])
    await client.send("ping")
    while (await client.frame())["type"] != "pong":
        pass


async def test_a_hundred_sockets_share_one_read_of_each_change(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[View] = []
    read = View.frame

    def counted(view: View) -> str:
        reads.append(view)
        return read(view)

    monkeypatch.setattr(View, "frame", counted)
    clients = [await connected() for _ in range(100)]
    await asyncio.gather(*(client.frame() for client in clients))
    assert reads == [View(viewer=OPERATOR)]
    await sync_to_async(source)("one")
    await asyncio.gather(*(client.until(lambda data: data["total"] == 1) for client in clients))
    assert reads == [View(viewer=OPERATOR)] * 2


async def test_a_read_that_fails_is_not_everybodys_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [ConnectionError("database away"), "a frame"]

    async def read(*_: object) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr("knowledge.consumers.in_thread", read)
    changes = Changes()
    with pytest.raises(ConnectionError):
        await changes.frame(View(viewer=OPERATOR))
    assert await changes.frame(View(viewer=OPERATOR)) == "a frame"


async def test_what_changes_during_a_look_is_read_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that was read before the look ended may lack the change, so it answers nobody after it."""
    looking, looked = asyncio.Event(), asyncio.Event()
    state = "before"

    async def in_thread(read: Callable[[], Any]) -> Any:
        if read.__name__ == "fingerprint":
            looking.set()
            await looked.wait()
            return ("newest",)
        return state

    monkeypatch.setattr("knowledge.consumers.in_thread", in_thread)
    changes = Changes()
    look = asyncio.create_task(changes.after(changes.number))
    await looking.wait()
    assert await changes.frame(View(viewer=OPERATOR)) == "before"
    state = "after"
    looked.set()
    ((number, _),) = await look
    assert number == changes.number > 1
    assert await changes.frame(View(viewer=OPERATOR)) == "after"
