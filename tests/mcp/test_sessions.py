"""How a caller is known, and who may call at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore

from archon.auth import McpAccess
from archon.mcp import sessions as module
from archon.mcp.sessions import Sessions, made, new_session_id
from archon.mcp.watching import new_lines


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("Claude Code", "2.1.0", ("claude-code", "2.1.0")),
        ("cursor_vscode", "1.0", ("cursor-vscode", "1.0")),
        ("", "", ("unknown", "")),
        ("ünïcode ☃ " * 9, "v ☃ 1", ("n-code-n-code-n-code-n-code-n-code-n-co", "v1")),
    ],
)
def test_a_session_id_tells_every_process_who_the_client_is(name: str, version: str, told: tuple[str, str]) -> None:
    session_id = new_session_id(name, version)
    assert session_id.isascii()
    other_process = Sessions().of(session_id)
    assert (other_process.client_name, other_process.client_version) == told
    assert new_session_id(name, version) != session_id


def test_a_foreign_session_id_is_taken_as_it_is() -> None:
    session = Sessions().of("0f8fad5b-d9cb-469f-a165-70867728950e", name="Editor", version="1")
    assert (session.client_id, session.client_name) == ("0f8fad5b-d9cb-469f-a165-70867728950e", "editor")


def test_without_a_session_a_client_is_known_by_its_name() -> None:
    known = Sessions()
    session = known.of("", name="Editor", version="1")
    assert (session.id, session.client_id) == ("", "editor_1")
    assert known.of("", name="Editor", version="1") is session
    assert known.of("", name="Other", version="1") is not session


def test_an_account_does_not_meet_the_session_of_another() -> None:
    known = Sessions()
    first = known.of("zed_1_0123456789ab", account=1)
    assert known.of("zed_1_0123456789ab", account=2) is not first
    assert known.of("zed_1_0123456789ab", account=1) is first


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS_KEPT", 2)
    known = Sessions()
    first = known.of("one")
    known.of("two")
    known.of("three")
    assert known.of("one") is not first


def test_the_client_of_a_stdio_server_names_its_session_once() -> None:
    session = made(new_session_id("stdio", ""), "", "", "stdio")
    session.named("Zed", "0.2")
    named = session.id
    session.named("Zed", "0.2")
    assert session.id == named
    assert named.startswith("zed_0.2_")


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ([], ["a", "b"], ["a", "b"]),
        (["a"], ["a", "b"], ["b"]),
        (["a", "b", "c"], ["b", "c", "d"], ["d"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["x", "y"], ["x", "y"]),
        (["a", "a"], ["a", "a", "a"], ["a"]),
    ],
)
def test_lines_are_told_once(before: list[str], now: list[str], new: list[str]) -> None:
    assert list(new_lines(before, now)) == new


class TestAccess:
    @pytest.mark.parametrize(("signed_in", "status"), [(False, 401), (True, 200)])
    async def test_a_server_asks_who_calls(self, settings: Any, signed_in: bool, status: int) -> None:
        settings.LOCAL_MODE, settings.ALLOWED_HOSTS = False, [".example.org"]
        sent: list[dict[str, Any]] = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        user = User(username="alice") if signed_in else AnonymousUser()
        scope = {
            "type": "http",
            "scheme": "https",
            "headers": [(b"host", b"archon.example.org")],
            "user": user,
            "session": SessionStore(),
        }
        await McpAccess(application)(scope, None, send)
        assert sent[0]["status"] == status
        if status == 401:
            challenge = dict(sent[0]["headers"])[b"www-authenticate"].decode()
            assert challenge.startswith("Bearer ")
            metadata = 'resource_metadata="https://archon.example.org/.well-known/oauth-protected-resource"'
            assert challenge.endswith(metadata)
            assert json.loads(sent[1]["body"])["error"]["message"].startswith("Send a token")
