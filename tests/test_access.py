"""Local mode asks nobody for a password and lets no other site in; server mode answers only who is signed in."""

from __future__ import annotations

from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.test import Client

from archon.asgi import application

PRIVATE = [
    "/api/knowledge-items",
    "/api/progress/",
    "/api/openapi.json",
    "/api/asyncapi.json",
    "/metrics",
    "/api/debug/realtime",
]
SOCKETS = ["/api/crawl-progress/test-id", "/api/mcp/logs/stream", "/api/knowledge-items/stream"]


@pytest.fixture
def server(settings: Any) -> None:
    settings.LOCAL_MODE = False


@pytest.mark.django_db
@pytest.mark.parametrize("path", PRIVATE)
def test_a_server_answers_nobody_it_does_not_know(client: Client, server: None, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 401
    assert response.json()["detail"]["code"] == "not_signed_in"


@pytest.mark.django_db
def test_a_server_sends_people_to_its_login_page(client: Client, server: None) -> None:
    response = client.get("/search?q=x")
    assert response.status_code == 302
    assert response["Location"] == "/admin/login/?next=/search%3Fq%3Dx"
    assert client.get("/admin/crawler/crawljob/").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health", "/api/health", "/ready", "/admin/login/"])
def test_health_and_login_stay_open(client: Client, server: None, path: str) -> None:
    assert client.get(path).status_code in (200, 503)


@pytest.mark.django_db
def test_whoever_is_signed_in_is_served(client: Client, server: None) -> None:
    client.force_login(get_user_model().objects.create_user("alice"))
    assert client.get("/api/knowledge-items").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", PRIVATE)
def test_local_mode_asks_nobody(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.django_db
def test_a_host_name_that_is_not_ours_is_refused(client: Client) -> None:
    assert client.get("/api/knowledge-items", headers={"Host": "rebound.example"}).status_code == 400


async def opens(path: str, **headers: str) -> bool:
    sent = [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
    communicator = WebsocketCommunicator(application, path, headers=sent)
    connected, _ = await communicator.connect(timeout=10)
    await communicator.disconnect()
    return bool(connected)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", SOCKETS)
async def test_sockets_follow_the_same_rules(settings: Any, path: str) -> None:
    assert await opens(path)
    assert await opens(path, origin="http://localhost")
    assert not await opens(path, origin="https://evil.example")
    assert not await opens(path, origin="null")
    assert not await opens(path, host="rebound.example")
    settings.LOCAL_MODE = False
    assert not await opens(path)
