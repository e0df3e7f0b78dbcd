"""Secrets that are like no other word are planted everywhere, every way out is used, and none of them comes out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.core.management import call_command
from django.db import connection
from django.test import Client
from mcp.server.mcpserver.exceptions import ToolError
from redis import Redis

from archon import tokens, vault
from archon.asgi import application
from archon.env import Environment
from archon.mcp import asking, crawling, sessions
from archon.scopes import STAFF, Scope
from archon.settings import env
from archon.webhooks.models import Delivery, Webhook
from knowledge.api import items
from progress import logs
from progress.log_lines import JsonLines
from progress.models import LogRecord
from progress.threads import close_pool_connections, in_thread
from progress.viewer import Viewer
from tests.test_access import ASKED, ROUTES
from tests.test_ownership import Hidden, address, bearer, event_stream_of, hidden_of

pytestmark = pytest.mark.django_db(transaction=True)

SECRETS = {
    name: f"canary-{name}-q7zx4w9k2m-and-long-enough-to-sign-with-it"
    for name in ("model", "embedder", "signing", "database", "webhook", "login", "site", "unknown")
}
CREDENTIALS = f"https://user:{SECRETS['site']}@docs.example.org/"


@pytest.fixture
def planted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.LOCAL_MODE, settings.REQUESTS_PER_MINUTE = False, 0
    settings.SECRET_KEY = SECRETS["signing"]
    settings.LLM_API_KEY, settings.EMBEDDER_KEY = SECRETS["model"], SECRETS["embedder"]
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:9/v1", "none"
    settings.DATABASE_URL = f"postgres://archon:{SECRETS['database']}@db/archon"
    given = Environment({"ARCHON_LLM_API_KEY": SECRETS["model"], "ARCHON_EMBEDDER_URL": CREDENTIALS})
    given.secret("ARCHON_LLM_API_KEY", "", "A key.")
    given.text("ARCHON_EMBEDDER_URL", "", "An address.")
    for name, setting in given.declared.items():
        monkeypatch.setitem(env.declared, name, setting)
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", SECRETS["database"])
    yield
    close_pool_connections()


@pytest.fixture
def operator(planted: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("operator", password=SECRETS["login"])


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Whatever is logged, as text and as JSON."""
    kept: list[str] = []
    formats = (JsonLines(), logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.extend(form.format(record) for form in formats)

    keep = Keep()
    logging.getLogger().addHandler(keep)
    yield kept
    logging.getLogger().removeHandler(keep)


def none_in(text: str, where: str, *more: str) -> None:
    for secret in (*SECRETS.values(), *more):
        assert secret not in text, f"{secret} in {where}"


async def read(response: Any) -> str:
    return b"".join([part async for part in response]).decode()


def everything_in(redis: Redis) -> str:
    """Queued tasks, counters, whatever else Archon left there."""
    keys = [*redis.scan_iter()]
    lists = [redis.lrange(key, 0, -1) for key in keys if redis.type(key) == b"list"]
    return repr({key: redis.dump(key) for key in keys}) + repr(lists)


class Asker:
    """Asks as the operator; no answer, its headers included, may tell a secret."""

    def __init__(self, operator: Any) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = bearer(operator)
        self.token = self.headers["Authorization"].rpartition("_")[2]
        self.asked = 0

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> int:
        options = {"headers": self.headers, **more}
        response = self.client.generic(method, path, json.dumps(body), "application/json", **options)
        if not response.streaming:
            told = response.content.decode(errors="replace")
        else:
            told = async_to_sync(read)(response) if path.endswith("/export") else ""
        none_in(told + str(response.headers), f"{method} {path}", self.token)
        self.asked += 1
        return response.status_code


def ask_every_route(asker: Asker, hidden: Hidden) -> None:
    names = {"source_id": hidden.source_id, "progress_id": hidden.progress_id, "page_id": hidden.page_id}
    for route in ROUTES:
        path = address(route, names) if any(f"{name}>" in route for name in names) else ASKED[route]
        asker.ask("GET", path)
        asker.ask("PUT", path, {"title": 5})
    assert asker.asked == 2 * len(ROUTES)


def ask_with_secrets(asker: Asker) -> None:
    for path in ("/api/knowledge-items/crawl", "/api/knowledge-items/crawl/preview", "/api/webhooks"):
        assert asker.ask("POST", path, {"url": CREDENTIALS}) == 422
        assert asker.ask("POST", path, {"url": CREDENTIALS.replace("https", "ftp")}) == 422
    assert asker.ask("GET", "/api/settings", headers={"Authorization": f"Bearer arc_0_{SECRETS['unknown']}"}) == 401


def ask_the_admin(asker: Asker) -> None:
    asker.client.post("/admin/login/", {"username": "nobody", "password": SECRETS["unknown"]})
    asker.client.post("/admin/login/", {"username": "operator", "password": SECRETS["login"]})
    for page in ("", "archon/webhook/", "archon/apitoken/", "crawler/crawljob/", "auth/user/", "auth/user/1/change/"):
        asker.ask("GET", f"/admin/{page}")


def ask_what_is_broken(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        held = SECRETS["database"]  # a page of the debugger or a richer traceback would show it
        raise RuntimeError(f"a word of {len(held)} letters")

    monkeypatch.setattr(items, "items_page", broken)
    assert asker.ask("GET", "/api/knowledge-items") == 500


def printed_by_doctor() -> str:
    printed = io.StringIO()
    with suppress(SystemExit):  # parts that do not run here
        call_command("doctor", stdout=printed, stderr=printed)
    return printed.getvalue()


def test_no_route_log_command_or_task_tells_a_secret(
    operator: Any, lines: list[str], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = hidden_of(operator)
    sealed = vault.seal(SECRETS["webhook"])
    hook = Webhook.objects.create(
        owner=operator, url="http://93.184.216.34/hook", events=["crawl.finished"], secret=sealed
    )
    Delivery.objects.create(webhook=hook, event="test", key="test", body="{}")
    asker = Asker(operator)
    ask_every_route(asker, hidden)
    asker.ask("GET", f"/api/webhooks/{hook.pk}/deliveries")
    ask_with_secrets(asker)
    ask_the_admin(asker)
    ask_what_is_broken(asker, monkeypatch)
    none_in(printed_by_doctor(), "doctor", asker.token)
    none_in("\n".join(lines), "the log", asker.token)
    none_in("\n".join(str(row.__dict__) for row in LogRecord.objects.all()), "the log of calls", asker.token)
    queued = everything_in(redis)
    assert "crawler" in queued or "celery" in queued
    none_in(queued, "Redis", asker.token)
    assert any("Internal Server Error" in line for line in lines)


@pytest.mark.usefixtures("transactional_db")
async def test_no_socket_stream_or_tool_tells_a_secret(operator: Any, lines: list[str], redis: Redis) -> None:
    hidden = await in_thread(hidden_of, operator)
    await in_thread(logs.write, "INFO", "mcp", "a call")
    tickets = []
    key = (await in_thread(tokens.issue, operator, name="of tickets", scopes=tuple(Scope))).token.pk
    for path in (f"/api/crawl-progress/{hidden.progress_id}", "/api/knowledge-items/stream", "/api/mcp/logs/stream"):
        ticket = await in_thread(tokens.make_ticket, operator, tuple(Scope), token_id=key)
        tickets.append(ticket)
        headers = [(b"host", b"localhost")]
        offered = ["archon", f"archon.ticket.{ticket}"]
        socket = WebsocketCommunicator(application, path, headers=headers, subprotocols=offered)
        opened, chosen = await socket.connect(timeout=10)
        assert (opened, chosen) == (True, "archon")
        none_in(await socket.receive_from(timeout=10), path, *tickets)
        await socket.send_to(text_data=json.dumps({"type": SECRETS["unknown"]}))
        await socket.disconnect()
    stream = await event_stream_of(hidden.progress_id, operator)
    none_in(await stream.event(), "the event stream")
    await stream.close()
    sessions.current.set(sessions.made("", "test", "1"))
    sessions.caller.set(sessions.Caller(Viewer(operator.pk), operator.pk, "operator", STAFF))
    with pytest.raises(ToolError) as refused:
        await crawling.start_crawl(url=CREDENTIALS, ctx=cast(Any, None))
    none_in(str(refused.value), "start_crawl")
    none_in(str(await asking.rag_read_full_page(page_id=hidden.page_id)), "a page", *tickets)
    none_in("\n".join(lines), "the log", *tickets)
    none_in(await in_thread(everything_in, redis), "Redis", *tickets)
    await in_thread(close_pool_connections)
