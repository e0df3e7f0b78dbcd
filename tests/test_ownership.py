"""Another account's private source: for every route, socket and tool it is as if it were not there."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from mcp.server.mcpserver.exceptions import ToolError

from archon import scopes, tokens, vault
from archon.asgi import application
from archon.mcp import asking, sessions
from archon.mcp.tools import TOOLS
from archon.scopes import STAFF, Scope
from archon.webhooks.collect import collect
from archon.webhooks.models import Delivery, Webhook
from crawler import actions as crawls
from crawler.actions import CrawlRequest
from crawler.models import CrawlJob
from knowledge import actions, uploads
from knowledge.chat.answer import prepare
from knowledge.chat.models import ChatMessage, ChatSession
from knowledge.models import CodeExample, Document, KnowledgeItem
from knowledge.purging import progress_of
from knowledge.uploads import UploadRequest
from progress import history, logs, tracker
from progress.closing import CLOSE_FORBIDDEN
from progress.models import Progress
from progress.threads import close_pool_connections, in_thread
from progress.viewer import OPERATOR, Viewer
from tests.knowledge.pages import page, store
from tests.test_access import ROUTES

pytestmark = pytest.mark.django_db(transaction=True)

# Stands in the title, in the page and in the code of the private source, and nowhere else.
WORD = "xylophonequartz"
# An address that needs no name to be looked up; no worker runs that could ask it.
SEED = "http://93.184.216.34/docs/"
CODE = f"{WORD} = open_the_door('with a key')\nprint({WORD})"
TEXT = f"# About {WORD}\n\nThe {WORD} is configured here.\n\n```python\n{CODE}\n```\n"


class Hidden(NamedTuple):
    """What bob has for himself: a crawl, a page of it, and an upload."""

    source_id: str
    progress_id: str
    page_id: str
    page_url: str
    upload_id: str

    @property
    def words(self) -> tuple[str, ...]:
        return (WORD, self.source_id, self.progress_id, self.page_url, self.upload_id)


@pytest.fixture
def server(settings: Any) -> Iterator[None]:
    settings.LOCAL_MODE = False
    settings.REQUESTS_PER_MINUTE = 0
    yield
    close_pool_connections()


def account(name: str, **more: Any) -> Any:
    return get_user_model().objects.create_user(name, password="a long password", **more)


def hidden_of(user: Any) -> Hidden:
    viewer = Viewer(user.pk)
    started = crawls.start(CrawlRequest(url=SEED, viewer=viewer, private=True))
    item = KnowledgeItem.objects.get(source_id=started.source_id)
    actions.update_item(item.source_id, {"title": WORD}, viewer)
    store(item, page(f"{WORD}.html", TEXT, title=WORD))
    document = Document.objects.get(item=item)
    assert CodeExample.objects.filter(item=item).exists()
    upload = uploads.start(
        [SimpleUploadedFile(f"{WORD}.md", TEXT.encode())], UploadRequest(viewer=viewer, private=True)
    )
    return Hidden(started.source_id, started.progress_id, str(document.pk), document.url, upload.progress_id)


@pytest.fixture
def bob(server: None) -> Any:
    return account("bob")


@pytest.fixture
def hidden(bob: Any) -> Hidden:
    return hidden_of(bob)


@pytest.fixture
def others(bob: Any) -> dict[str, dict[str, str]]:
    """Whoever is not bob; staff are no exception outside the admin."""
    people = {"alice": account("alice"), "staff": account("operator", is_staff=True)}
    return {name: bearer(user) for name, user in people.items()}


def bearer(user: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.issue(user, name='test', scopes=tuple(Scope)).text}"}


MADE_UP = {"source_id": "0123456789abcdef", "progress_id": "9b2d5c1e-0000-4000-8000-000000000000", "page_id": "900719"}
NAMING = [route for route in ROUTES if re.search(r"<(?:path:)?(?:source_id|progress_id|page_id)>", route)]


def address(route: str, ids: Mapping[str, str]) -> str:
    return "/" + re.sub(r"<(?:path:)?(\w+)>", lambda name: ids[name[1]], route)


def answer(client: Client, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    response = client.generic(method, path, "{}", "application/json", headers=headers)
    if response.streaming:
        return response.status_code, "streamed"
    return response.status_code, response.content.decode()


def without(text: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(value, name)
    return text


def test_every_route_that_names_one_answers_as_for_an_unknown_id(
    client: Client, hidden: Hidden, others: dict[str, dict[str, str]]
) -> None:
    """All methods, and the same words: whether there is one cannot be told."""
    assert len(NAMING) > 15
    for progress_id in (hidden.progress_id, hidden.upload_id):
        ids = {"source_id": hidden.source_id, "progress_id": progress_id, "page_id": hidden.page_id}
        for route in NAMING:
            if route.endswith("/events"):  # streams have a test of their own
                continue
            for method in ("GET", "POST", "PUT", "DELETE"):
                for who, headers in others.items():
                    status, said = answer(client, method, address(route, ids), headers)
                    unknown, also = answer(client, method, address(route, MADE_UP), headers)
                    assert (status, without(said, ids)) == (unknown, without(also, MADE_UP)), (method, route, who)
    assert CrawlJob.objects.get(progress=hidden.progress_id).progress.status == "queued"
    assert KnowledgeItem.objects.get(source_id=hidden.source_id).title == WORD


def test_its_owner_finds_it_by_every_route(client: Client, bob: Any, hidden: Hidden) -> None:
    """Without this the test above could pass because the routes find nothing at all."""
    ids = {"source_id": hidden.source_id, "progress_id": hidden.progress_id, "page_id": hidden.page_id}
    headers = bearer(bob)
    for route in NAMING:
        if route.endswith("/events") or "upload" in route:
            continue
        status, _ = answer(client, "GET", address(route, ids), headers)
        assert status in (200, 405), (route, status)
    assert answer(client, "GET", f"/api/documents/uploads/{hidden.upload_id}/files", headers)[0] == 200
    assert answer(client, "POST", f"/api/knowledge-items/stop/{hidden.upload_id}", headers)[0] == 200


LISTS = [
    "/api/knowledge-items", "/api/knowledge-items/summary", "/api/knowledge-items/sources", "/api/rag/sources",
    f"/api/knowledge-items?search={WORD}", "/api/progress/", "/api/database/metrics", "/api/chat/sessions",
    "/api/webhooks", "/api/tokens", "/api/mcp/status", "/api/mcp/config", "/api/mcp/tools", "/api/whoami",
]  # fmt: skip
# Routes that are asked here in another way, each by the test that is named.
ELSEWHERE = {
    "api/pages": "test_no_list_and_no_search_tells_of_it",
    "api/rag/eval": "test_a_score_of_the_search_does_not_tell_of_its_pages",
    "api/pages/by-url": "test_a_page_is_not_found_by_its_url",
    "api/knowledge-items/crawl": "test_two_accounts_keep_the_same_site_and_neither_can_tell",
    "api/chat/sessions/<path:session_id>": "test_what_belongs_to_an_account_is_nobody_elses",
    "api/chat/sessions/<path:session_id>/messages": "test_what_belongs_to_an_account_is_nobody_elses",
    "api/chat/sessions/<path:session_id>/stop": "test_what_belongs_to_an_account_is_nobody_elses",
    "api/chat/sessions/<path:session_id>/events": "test_what_belongs_to_an_account_is_nobody_elses",
    "api/webhooks/<int:webhook_id>": "test_what_belongs_to_an_account_is_nobody_elses",
    "api/webhooks/<int:webhook_id>/test": "test_what_belongs_to_an_account_is_nobody_elses",
    "api/webhooks/<int:webhook_id>/deliveries": "test_what_belongs_to_an_account_is_nobody_elses",
    "api/tokens/<int:token_id>": "test_what_belongs_to_an_account_is_nobody_elses",
}
# Staff alone are asked in, by tests/test_access.py: figures without names, and what everybody's assistants asked.
FOR_STAFF = {
    "metrics", "api/debug/realtime", "api/settings", "api/mcp/logs", "api/mcp/clients", "api/mcp/sessions",
    "api/mcp/unanswered",
}  # fmt: skip
# They look at no source: pages and descriptions of the product, and what takes something new in.
OF_NO_SOURCE = {
    "favicon.ico", "health", "api/health", "ready", "api/asyncapi.json", "api/openapi.json", "api/docs", "api/",
    "docs", "docs/", "docs/<path:name>", r"^\.well-known/oauth-protected-resource(?:/mcp)?$", "api/socket-ticket",
    "api/knowledge-items/crawl/preview", "api/knowledge-items/import", "api/documents/upload",
}  # fmt: skip
QUESTIONS = {
    "/api/rag/query": {"query": WORD},
    "/api/knowledge-items/search": {"query": WORD, "return_mode": "pages"},
    "/api/rag/code-examples": {"query": WORD},
}


def test_of_every_route_it_is_said_how_it_keeps_a_private_source() -> None:
    """A new route is in none of these and fails here, until a test asks it as a stranger."""
    asked = {path.lstrip("/").partition("?")[0] for path in (*LISTS, *QUESTIONS)}
    said = [set(NAMING), asked, set(ELSEWHERE) - asked, FOR_STAFF, OF_NO_SOURCE]
    pages = {route for route, pattern in ROUTES.items() if pattern.name == "dashboard"}
    assert set(ROUTES) - pages - set().union(*said) == set(), "of these nothing is said"
    assert set().union(*said) - set(ROUTES) == set(), "these are no routes"
    assert sum(map(len, said)) == len(set().union(*said)), "of some it is said twice"
    assert all(name in globals() for name in ELSEWHERE.values())
    for route in FOR_STAFF:
        assert scopes.ROUTES[route].reading == scopes.ADMIN


def test_what_belongs_to_an_account_is_nobody_elses(
    client: Client, bob: Any, others: dict[str, dict[str, str]]
) -> None:
    """Chats, webhooks and tokens: as if they were not there, for staff too, and nothing of them changes."""
    hook = Webhook.objects.create(
        owner=bob, url=f"{SEED}{WORD}", events=["crawl.finished"], secret=vault.seal("x" * 32)
    )
    Delivery.objects.create(webhook=hook, event="test", key="test", body="{}")
    issued = tokens.issue(bob, name=WORD, scopes=[Scope.READ]).token
    chat = ChatSession.objects.create(owner=bob, session_id="bobs", title=WORD)
    chat.messages.create(role=ChatMessage.Role.USER, text=WORD)
    ids = {"webhook_id": str(hook.pk), "token_id": str(issued.pk), "session_id": "bobs"}
    unknown = {"webhook_id": "999999", "token_id": "999999", "session_id": "none"}
    for route in [route for route, test in ELSEWHERE.items() if "belongs" in test]:
        template = re.sub(r"<int:(\w+)>", r"<\1>", route)
        for method in ("GET", "POST", "PUT", "DELETE"):
            for who, headers in others.items():
                status, said = answer(client, method, address(template, ids), headers)
                as_unknown, also = answer(client, method, address(template, unknown), headers)
                assert (status, without(said, ids)) == (as_unknown, without(also, unknown)), (method, route, who)
                assert WORD not in said
    hook.refresh_from_db()
    issued.refresh_from_db()
    assert issued.revoked_at is None
    assert ChatMessage.objects.get(session=chat).text == WORD
    assert hook.deliveries.count() == 1


def test_no_list_and_no_search_tells_of_it(
    client: Client, bob: Any, hidden: Hidden, others: dict[str, dict[str, str]]
) -> None:
    told = {}
    for who, headers in {**others, "bob": bearer(bob)}.items():
        got = [client.get(path, headers=headers).content.decode() for path in LISTS]
        asked = [
            client.post(path, body, content_type="application/json", headers=headers).json()["results"]
            for path, body in QUESTIONS.items()
        ]
        pages = client.get("/api/pages", {"source_id": hidden.source_id}, headers=headers)
        told[who] = "".join(got) + json.dumps(asked) + (pages.content.decode() if pages.status_code == 200 else "")
    for who in others:
        assert not [word for word in hidden.words if word in told[who]], who
    assert all(word in told["bob"] for word in hidden.words)
    assert client.get("/api/database/metrics", headers=others["alice"]).json()["sources_count"] == 0


def test_a_score_of_the_search_does_not_tell_of_its_pages(
    client: Client, bob: Any, hidden: Hidden, others: dict[str, dict[str, str]]
) -> None:
    body = {"questions": [{"query": WORD, "expected": [hidden.page_url]}], "modes": ["keyword"]}
    ranks = {
        who: client.post("/api/rag/eval", body, "application/json", headers=headers).json()["ranks"]
        for who, headers in {**others, "bob": bearer(bob)}.items()
    }
    assert ranks == {"alice": [{"keyword": None}], "staff": [{"keyword": None}], "bob": [{"keyword": 1}]}


def test_what_others_asked_through_their_assistants_is_for_staff(
    client: Client, others: dict[str, dict[str, str]]
) -> None:
    logs.write("INFO", "mcp.server", f"Tool called with query: {WORD}")
    assert client.get("/api/mcp/status", headers=others["alice"]).json()["logs"] == []
    assert WORD in str(client.get("/api/mcp/status", headers=others["staff"]).json()["logs"])


def queries_of(client: Client, headers: dict[str, str]) -> dict[str, int]:
    counts = {}
    for path, body in {**dict.fromkeys(LISTS), **QUESTIONS}.items():
        with CaptureQueriesContext(connection) as captured:
            if body is None:
                response = client.get(path, headers=headers)
            else:
                response = client.post(path, body, "application/json", headers=headers)
            assert response.status_code == 200, path
        counts[path] = len(captured)
    return counts


def test_a_thousand_sources_cost_no_more_queries_than_one(
    client: Client, bob: Any, hidden: Hidden, others: dict[str, dict[str, str]]
) -> None:
    KnowledgeItem.objects.create(source_id="0" * 16, url=SEED, title="shared")
    queries_of(client, others["alice"])  # what is asked once in a process is no matter here
    few = queries_of(client, others["alice"])
    KnowledgeItem.objects.bulk_create(
        KnowledgeItem(source_id=f"{n:016}", url=SEED, title="one", owner=bob, private=bool(n % 2))
        for n in range(1, 1000)
    )
    assert queries_of(client, others["alice"]) == few
    assert client.get("/api/knowledge-items", headers=others["alice"]).json()["total"] == 500


def test_a_page_is_not_found_by_its_url(client: Client, hidden: Hidden, others: dict[str, dict[str, str]]) -> None:
    for headers in others.values():
        assert client.get("/api/pages/by-url", {"url": hidden.page_url}, headers=headers).status_code == 404


def test_a_chat_of_another_account_gets_no_passage_of_it(hidden: Hidden, others: dict[str, Any], bob: Any) -> None:
    alice = get_user_model().objects.get(username="alice")
    assert prepare(f"What is the {WORD}?", viewer=Viewer(alice.pk)).passages == ()
    assert prepare(f"What is the {WORD}?", viewer=Viewer(bob.pk)).passages


def arguments_of(tool: Any, given: Mapping[str, str]) -> dict[str, Any]:
    """What the tool must be given, and whatever of it names something hidden."""
    parameters = inspect.signature(tool.call).parameters
    named = {
        name: given[name]
        for name, parameter in parameters.items()
        if name in given and (parameter.default is inspect.Parameter.empty or name in MADE_UP)
    }
    return {**named, **({"ctx": None} if "ctx" in parameters else {})}


async def test_no_tool_of_assistants_tells_of_it(settings: Any) -> None:
    settings.LOCAL_MODE = False
    bob, alice = await in_thread(account, "bob"), await in_thread(account, "alice")
    hidden = await in_thread(hidden_of, bob)
    given = {"source_id": hidden.source_id, "progress_id": hidden.progress_id, "page_id": hidden.page_id}
    given |= {"query": WORD}
    sessions.current.set(sessions.made("", "test", "1"))
    sessions.caller.set(sessions.Caller(Viewer(alice.pk), alice.pk, "alice", STAFF))
    for tool in TOOLS:
        if tool.name in ("start_crawl", "crawl_single_page"):  # what these find is the caller's own
            continue
        try:
            told = str(await tool.call(**arguments_of(tool, given)))
        except ToolError as error:
            told = str(error)
        for value in given.values():  # what was asked for is no secret
            told = told.replace(repr(value), "")
        assert "xylophone" not in told, tool.name
        assert hidden.upload_id not in told, tool.name
    sessions.caller.set(sessions.Caller(Viewer(bob.pk), bob.pk, "bob", STAFF))
    assert WORD in str(await asking.rag_read_full_page(page_id=hidden.page_id))
    await in_thread(close_pool_connections)


async def frames(path: str, user: Any, count: int) -> list[dict[str, Any]]:
    key = (await in_thread(bearer, user))["Authorization"]
    headers = [(b"host", b"localhost"), (b"authorization", key.encode())]
    communicator = WebsocketCommunicator(application, path, headers=headers)
    assert (await communicator.connect(timeout=10))[0]
    got = [json.loads(await communicator.receive_from(timeout=10)) for _ in range(count)]
    await communicator.disconnect()
    return got


@pytest.mark.usefixtures("transactional_db")
async def test_sockets_say_waiting_of_it_and_lists_leave_it_out(settings: Any) -> None:
    settings.LOCAL_MODE = False
    bob, alice = await in_thread(account, "bob"), await in_thread(account, "alice")
    hidden = await in_thread(hidden_of, bob)
    for progress_id in (hidden.progress_id, hidden.upload_id, "never-started"):
        for query in ("", "?since=0"):
            (first,) = await frames(f"/api/crawl-progress/{progress_id}{query}", alice, 1)
            assert first == json.loads(history.nothing_known(progress_id).texts[0])
    (own,) = await frames(f"/api/crawl-progress/{hidden.progress_id}", bob, 1)
    assert own["data"]["sourceId"] == hidden.source_id
    (listed,) = await frames("/api/knowledge-items/stream", alice, 1)
    assert listed["data"]["total"] == 0
    (mine,) = await frames("/api/knowledge-items/stream", bob, 1)
    assert {item["title"] for item in mine["data"]["items"]} == {WORD, f"{WORD}.md"}


@pytest.mark.usefixtures("transactional_db")
async def test_a_socket_hears_nothing_of_what_happens_there(settings: Any) -> None:
    settings.LOCAL_MODE = False
    bob, alice = await in_thread(account, "bob"), await in_thread(account, "alice")
    hidden = await in_thread(hidden_of, bob)
    key = (await in_thread(bearer, alice))["Authorization"]
    headers = [(b"host", b"localhost"), (b"authorization", key.encode())]
    socket = WebsocketCommunicator(application, f"/api/crawl-progress/{hidden.progress_id}", headers=headers)
    assert (await socket.connect(timeout=10))[0]
    await socket.receive_from(timeout=10)
    await in_thread(tracker.cancel, hidden.progress_id)
    assert await socket.receive_nothing(timeout=0.3)
    await socket.disconnect()


@pytest.mark.usefixtures("transactional_db")
async def test_who_follows_a_source_that_becomes_private_is_closed(settings: Any) -> None:
    settings.LOCAL_MODE = False
    settings.ACCESS_CHECK_SECONDS = 0.05
    bob, alice = await in_thread(account, "bob"), await in_thread(account, "alice")
    started = await in_thread(crawls.start, CrawlRequest(url=SEED, viewer=Viewer(bob.pk)))
    key = (await in_thread(bearer, alice))["Authorization"]
    headers = [(b"host", b"localhost"), (b"authorization", key.encode())]
    socket = WebsocketCommunicator(application, f"/api/crawl-progress/{started.progress_id}", headers=headers)
    assert (await socket.connect(timeout=10))[0]
    assert json.loads(await socket.receive_from(timeout=10))["data"]["status"] == "queued"
    await in_thread(actions.update_item, started.source_id, {"private": True}, Viewer(bob.pk))
    closed = await socket.receive_output(timeout=10)
    assert closed == {"type": "websocket.close", "code": CLOSE_FORBIDDEN}


class Stream(NamedTuple):
    parts: Any

    async def event(self) -> str:
        return str((await asyncio.wait_for(anext(self.parts), 10)).decode())

    async def close(self) -> None:
        await self.parts.aclose()


async def event_stream_of(progress_id: str, user: Any) -> Stream:
    key = await in_thread(bearer, user)
    response = await AsyncClient().get(f"/api/progress/{progress_id}/events", headers=key)
    return Stream(response.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("transactional_db")
async def test_event_streams_say_waiting_of_it(settings: Any) -> None:
    settings.LOCAL_MODE = False
    bob, alice = await in_thread(account, "bob"), await in_thread(account, "alice")
    hidden = await in_thread(hidden_of, bob)
    told = {}
    for progress_id in (hidden.progress_id, MADE_UP["progress_id"]):
        stream = await event_stream_of(progress_id, alice)
        told[progress_id] = (await stream.event()).replace(progress_id, "")
        await stream.close()
    assert told[hidden.progress_id] == told[MADE_UP["progress_id"]]
    assert '"status":"waiting"' in told[hidden.progress_id]


@pytest.mark.usefixtures("transactional_db")
async def test_who_waits_for_an_id_hears_nothing_of_what_others_begin_under_it(settings: Any) -> None:
    """The ids of purges can be guessed."""
    settings.LOCAL_MODE = False
    settings.ACCESS_CHECK_SECONDS = 0.05
    bob, alice = await in_thread(account, "bob"), await in_thread(account, "alice")
    hidden = await in_thread(hidden_of, bob)
    item = await in_thread(KnowledgeItem.objects.get, source_id=hidden.source_id)
    sockets = {}
    for user in (alice, bob):
        key = (await in_thread(bearer, user))["Authorization"]
        headers = [(b"host", b"localhost"), (b"authorization", key.encode())]
        sockets[user] = WebsocketCommunicator(application, f"/api/crawl-progress/{progress_of(item.pk)}", headers)
        assert (await sockets[user].connect(timeout=10))[0]
        assert json.loads(await sockets[user].receive_from(timeout=10))["data"]["status"] == "waiting"
    stream = await event_stream_of(progress_of(item.pk), alice)
    assert '"status":"waiting"' in await stream.event()
    nothing = asyncio.create_task(stream.event())
    await in_thread(actions.delete_item, hidden.source_id, Viewer(bob.pk))
    told = json.loads(await sockets[bob].receive_from(timeout=10))
    assert WORD in str(told)
    assert await sockets[alice].receive_nothing(timeout=0.3)
    assert not nothing.done()
    nothing.cancel()
    await asyncio.wait([nothing])
    for socket in sockets.values():
        await socket.disconnect()


# ---- who may change what is shared ---------------------------------------------------------


def shared_by(user: Any) -> Any:
    return crawls.start(CrawlRequest(url=SEED, viewer=Viewer(user.pk)))


def test_only_its_owner_and_staff_change_what_is_shared(
    client: Client, bob: Any, others: dict[str, dict[str, str]]
) -> None:
    started = shared_by(bob)
    item, job = f"/api/knowledge-items/{started.source_id}", started.progress_id
    writes = [("PUT", item), ("DELETE", item), ("POST", f"{item}/refresh")]
    moves = ("pause", "resume", "stop", "retry-failed")
    writes += [("POST", f"/api/knowledge-items/{move}/{job}") for move in moves]
    assert client.get(item, headers=others["alice"]).status_code == 200
    for method, path in writes:
        refused = client.generic(method, path, "{}", "application/json", headers=others["alice"])
        assert (refused.status_code, refused.json()["detail"]["code"]) == (403, "not_owner"), path
    again = client.post("/api/knowledge-items/crawl", {"url": SEED}, "application/json", headers=others["alice"])
    assert again.json()["detail"]["code"] == "not_owner"
    for move in ("pause", "resume", "stop"):
        path = f"/api/knowledge-items/{move}/{job}"
        assert client.post(path, headers=others["staff"]).status_code == 200, move
    changed = client.put(item, {"title": "By staff"}, content_type="application/json", headers=others["staff"])
    assert changed.status_code == 200
    assert client.delete(item, headers=bearer(bob)).status_code == 200


def test_staff_with_a_token_for_less_are_no_staff(client: Client, bob: Any) -> None:
    started = shared_by(bob)
    operator = account("operator", is_staff=True)
    issued = tokens.issue(operator, name="narrow", scopes=[Scope.READ, Scope.CRAWL])
    headers = {"Authorization": f"Bearer {issued.text}"}
    assert client.delete(f"/api/knowledge-items/{started.source_id}", headers=headers).status_code == 403


def test_two_accounts_keep_the_same_site_and_neither_can_tell(client: Client, bob: Any, hidden: Hidden) -> None:
    alice = account("alice")
    body = {"url": SEED, "private": True}
    key = {"Idempotency-Key": "the same"}
    made = client.post("/api/knowledge-items/crawl", body, "application/json", headers={**bearer(alice), **key}).json()
    assert made["message"] == "Crawling started"
    assert made["sourceId"] != hidden.source_id
    KnowledgeItem.objects.filter(source_id=hidden.source_id).delete()
    Progress.objects.filter(pk=hidden.progress_id).delete()
    other = crawls.start(CrawlRequest(url=SEED, viewer=Viewer(account("carol").pk), idempotency_key="the same"))
    assert other.source_id != made["sourceId"]
    assert not other.existing


def test_a_source_becomes_private_with_all_that_was_done_for_it(client: Client, bob: Any) -> None:
    started = shared_by(bob)
    alice = bearer(account("alice"))
    state = f"/api/progress/{started.progress_id}"
    item = f"/api/knowledge-items/{started.source_id}"
    assert client.get(state, headers=alice).status_code == 200
    for private, status in ((True, 404), (False, 200)):
        assert client.put(item, {"private": private}, "application/json", headers=bearer(bob)).status_code == 200
        assert client.get(item, headers=bearer(bob)).json()["metadata"]["private"] is private
        assert client.get(state, headers=alice).status_code == status
        assert client.get(item, headers=alice).status_code == status


def test_what_nobody_owns_cannot_be_private(client: Client) -> None:
    item = KnowledgeItem.objects.get(source_id=crawls.start(CrawlRequest(url=SEED, viewer=OPERATOR)).source_id)
    refused = client.put(f"/api/knowledge-items/{item.source_id}", {"private": True}, "application/json")
    assert (refused.status_code, refused.json()["detail"]["field"]) == (422, "private")


def test_the_private_source_of_a_lost_account_is_nobodys(bob: Any, hidden: Hidden) -> None:
    """Fails closed: staff find it in the admin."""
    bob_id = bob.pk
    bob.delete()
    assert not KnowledgeItem.objects.visible_to(Viewer(bob_id)).exists()
    assert not Progress.objects.visible_to(Viewer(None)).exists()
    assert not KnowledgeItem.objects.visible_to(Viewer(bob_id + 1, staff=True)).exists()
    assert KnowledgeItem.objects.visible_to(OPERATOR).count() == 2
    outcome = prepare(f"What is the {WORD}?", viewer=Viewer(None))
    assert outcome.passages == ()


def test_webhooks_of_staff_are_not_told_of_it(bob: Any, hidden: Hidden) -> None:
    for user in (account("operator", is_staff=True), bob):
        Webhook.objects.create(owner=user, url="https://hooks.example/", events=list(Webhook.Event), secret="x")
    tracker.fail(hidden.progress_id, {"code": "x", "message": "x", "hint": ""})
    collect()
    assert [one.webhook.owner for one in Delivery.objects.select_related("webhook__owner")] == [bob]
