"""Local mode asks nobody for a password and lets no other site in; server mode gives each what they may have."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from archon import scopes, tokens
from archon.asgi import application
from archon.auth import require_an_account
from archon.models import ApiToken, SocketTicket
from archon.routing import websocket_urlpatterns
from archon.scopes import Need, Row, Scope
from progress.closing import CLOSE_NOT_SIGNED_IN
from progress.threads import in_thread

pytestmark = pytest.mark.django_db

# Every path that has a consumer; ids are any text.
SOCKETS = [
    "/" + re.sub(r"\(\?P<\w+>[^)]*\)", "test-id", route.pattern.regex.pattern).strip("^$")
    for route in websocket_urlpatterns
    if route.pattern.regex.pattern
]


@pytest.fixture
def server(settings: Any) -> None:
    settings.LOCAL_MODE = False


@pytest.fixture
def alice() -> Any:
    return get_user_model().objects.create_user("alice", password="a long password of hers")


@pytest.fixture
def operator() -> Any:
    return get_user_model().objects.create_superuser("operator")


def bearer(user: Any, *granted: Scope, days: int | None = None) -> dict[str, str]:
    issued = tokens.issue(user, name="test", scopes=granted or tuple(Scope), days=days)
    return {"Authorization": f"Bearer {issued.text}"}


# ---- every route --------------------------------------------------------------------------


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern


def row_of(route: str, pattern: URLPattern) -> Row | None:
    return scopes.ROUTES.get(pattern.name or "") or scopes.ROUTES.get(route)


ROUTES = dict(routes())
ASKED = {
    **{route: "/" + re.sub(r"<int:\w+>", "999999999", re.sub(r"<(?:path:)?\w+>", "nobody", route)) for route in ROUTES},
    **{route: "/" for route, pattern in ROUTES.items() if pattern.name == "dashboard"},
    **{
        route: "/.well-known/oauth-protected-resource"
        for route, pattern in ROUTES.items()
        if pattern.name == "protected-resource"
    },
}
METHODS = ("GET", "POST", "PUT", "DELETE")
# What may come of a route that one may have: anything but a refusal.
REFUSED = (401, 403)


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_says_who_may_have_it(route: str) -> None:
    assert row_of(route, ROUTES[route]) is not None, f"{route} has no row in archon/scopes.py"


def test_every_row_is_of_a_route_that_exists() -> None:
    named = {pattern.name for pattern in ROUTES.values()}
    assert {row for row in scopes.ROUTES if row not in ROUTES and row not in named} <= {"admin"}


def test_every_socket_says_who_may_have_it() -> None:
    for route in websocket_urlpatterns:
        path = route.pattern.regex.pattern.strip("^$")
        assert not path or scopes.socket_need("/" + path) is not None, f"{path} has no row in archon/scopes.py"


def answer(client: Client, route: str, method: str, **headers: str) -> int:
    response = client.generic(method, ASKED[route], "{}", "application/json", headers=headers)
    return int(response.status_code)


@pytest.fixture
def keys(alice: Any, operator: Any) -> dict[str, dict[str, str]]:
    """Everybody who may come to the door."""
    expired = bearer(operator, days=1)
    ApiToken.objects.filter(name="test").update(expires_at=timezone.now() - timedelta(seconds=1))
    revoked = bearer(operator)
    tokens.revoke(tokens.holder(revoked["Authorization"].removeprefix("Bearer ")))
    return {
        "nobody": {},
        "invented": {"Authorization": f"Bearer arc_{'0' * 16}_{'x' * 43}"},
        "malformed": {"Authorization": "Bearer x"},
        "expired": expired,
        "revoked": revoked,
        **{scope: bearer(operator, scope) for scope in Scope},
    }


def expected(need: Need, who: str, *, page: bool) -> tuple[int, ...]:
    """The statuses that would be wrong, or the one that is right."""
    if who in ("invented", "malformed", "expired", "revoked"):
        return (401,)
    if need.anyone:
        return ()
    if who == "nobody":
        return (302,) if page else (401,)
    return () if not need.scopes or who in need.scopes else (403,)


# Not in one transaction: views that answer from other threads close the connection of theirs.
@pytest.mark.django_db(transaction=True)
def test_each_gets_what_the_row_says(client: Client, server: None, keys: dict[str, dict[str, str]]) -> None:
    """All routes x all methods x everybody who may come."""
    wrong = []
    for route, pattern in ROUTES.items():
        row = row_of(route, pattern)
        assert row is not None
        for method in METHODS:
            need = row.reading if method == "GET" else row.writing
            for who, headers in keys.items():
                page = not ASKED[route].startswith(("/api/", "/metrics"))
                right = expected(need, who, page=page)
                status = answer(client, route, method, **headers)
                if status == 500 or (status not in right if right else status in REFUSED and not staff_only(route)):
                    wrong.append((method, route, who, status, right))
    assert not wrong


def staff_only(route: str) -> bool:
    """Routes that look at the account as well: a token with the scope may still be refused there."""
    return route in ("api/tokens",)


def test_a_page_of_another_site_may_not_write_with_anybodys_key(client: Client, server: None, operator: Any) -> None:
    headers = {**bearer(operator), "Origin": "https://evil.example"}
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1", "http://["):
        headers["Origin"] = origin
        for route in ROUTES:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert answer(client, route, method, **headers) == 403, (method, route, origin)


def test_a_page_of_another_site_may_not_write_with_the_session_of_this_browser(
    client: Client, server: None, operator: Any
) -> None:
    client.force_login(operator)
    for route in ROUTES:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert answer(client, route, method, Origin="https://evil.example") == 403, (method, route)
    assert client.get("/api/whoami", headers={"Origin": "https://evil.example"}).headers.get(
        "Access-Control-Allow-Origin"
    ) is None  # fmt: skip


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_may_not_even_ask_unless_a_link_is_followed(
    client: Client, settings: Any, operator: Any, site: str, local: bool
) -> None:
    settings.LOCAL_MODE = local
    client.force_login(operator)
    fetch = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    frame = {**link, "Sec-Fetch-Dest": "iframe"}
    for route in ROUTES:
        assert answer(client, route, "GET", **fetch) == 403, route
        assert answer(client, route, "POST", **link) == 403, route
    assert client.get("/", headers=frame).status_code == 403
    assert client.get("/", headers=link).status_code == 200
    assert client.get("/", headers={"Sec-Fetch-Site": "none"}).status_code == 200
    assert client.get("/api/whoami", headers={**fetch, "Sec-Fetch-Site": "same-origin"}).status_code == 200
    settings.CSRF_TRUSTED_ORIGINS = ["https://mine.example"]
    trusted = {**fetch, "Sec-Fetch-Mode": "cors", "Origin": "https://mine.example"}
    assert client.get("/api/whoami", headers=trusted).status_code == 200


def test_whoever_signs_in_comes_to_the_dashboard_and_to_no_other_site(client: Client, server: None, alice: Any) -> None:
    alice.is_staff = True
    alice.save()
    planted = client.session
    planted.save()
    client.cookies["sessionid"] = str(planted.session_key)
    wanted = {"username": "alice", "password": "a long password of hers", "next": "https://evil.example/"}
    signed_in = client.post("/admin/login/?next=https://evil.example/", wanted)
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/")
    assert client.cookies["sessionid"].value != planted.session_key, "a session that was planted is not the one used"


# ---- people -------------------------------------------------------------------------------


def test_a_server_sends_people_to_its_login_page(client: Client, server: None) -> None:
    response = client.get("/search?q=x")
    assert response.status_code == 302
    assert response["Location"] == "/admin/login/?next=/search%3Fq%3Dx"
    assert client.get("/admin/crawler/crawljob/").status_code == 302


def test_nobody_is_told_how_to_come_in(client: Client, server: None) -> None:
    response = client.get("/api/knowledge-items")
    assert response.status_code == 401
    assert response.json()["detail"]["code"] == "not_signed_in"
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_whoever_is_signed_in_is_served_as_the_account_may(client: Client, server: None, alice: Any) -> None:
    client.force_login(alice)
    assert client.get("/api/knowledge-items").status_code == 200
    assert client.get("/metrics").status_code == 403
    alice.is_staff = True
    alice.save()
    assert client.get("/metrics").status_code == 200


def test_a_server_does_not_start_without_an_operator(server: None) -> None:
    with pytest.raises(ImproperlyConfigured, match="createsuperuser"):
        require_an_account()
    get_user_model().objects.create_superuser("operator")
    require_an_account()


@pytest.mark.parametrize("route", [route for route in ROUTES if "/" in route and "<" not in route])
def test_local_mode_asks_nobody(client: Client, route: str) -> None:
    assert answer(client, route, "GET") not in REFUSED


def test_a_host_name_that_is_not_ours_is_refused(client: Client) -> None:
    assert client.get("/api/knowledge-items", headers={"Host": "rebound.example"}).status_code == 400


# ---- tokens -------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_kept_as_a_digest(client: Client, server: None, alice: Any) -> None:
    client.force_login(alice)
    made = client.post("/api/tokens", {"name": "laptop", "scopes": ["read"]}, content_type="application/json")
    assert made.status_code == 201
    text = made.json()["token"]
    listed = client.get("/api/tokens").json()["tokens"]
    assert [token["name"] for token in listed] == ["laptop"]
    secret = text.rpartition("_")[2]
    stored = ApiToken.objects.values().get()
    assert secret not in str(listed)
    assert secret not in str(stored)
    client.logout()
    assert client.get("/api/knowledge-items", headers={"Authorization": f"Bearer {text}"}).status_code == 200


def test_a_revoked_token_opens_nothing(client: Client, server: None, alice: Any) -> None:
    client.force_login(alice)
    made = client.post("/api/tokens", {"name": "laptop"}, content_type="application/json").json()
    assert client.delete(f"/api/tokens/{made['id']}").status_code == 200
    client.logout()
    refused = client.get("/api/knowledge-items", headers={"Authorization": f"Bearer {made['token']}"})
    assert refused.status_code == 401
    assert "was revoked" in refused.json()["detail"]["error"]


def test_nobody_revokes_the_token_of_another(client: Client, server: None, alice: Any, operator: Any) -> None:
    bearer(operator)
    client.force_login(alice)
    assert client.delete(f"/api/tokens/{ApiToken.objects.get().pk}").status_code == 404


def test_nobody_gives_more_than_they_have(client: Client, server: None, alice: Any) -> None:
    client.force_login(alice)
    refused = client.post("/api/tokens", {"name": "x", "scopes": ["admin"]}, content_type="application/json")
    assert refused.status_code == 403
    assert refused.json()["detail"]["field"] == "scopes"


def test_a_name_that_no_database_keeps_is_one_that_it_does(client: Client, server: None, alice: Any) -> None:
    client.force_login(alice)
    made = client.post("/api/tokens", {"name": "lap\0top"}, content_type="application/json")
    assert (made.status_code, made.json()["name"]) == (201, "lap\ufffdtop")


def test_a_token_makes_no_tokens(client: Client, server: None, operator: Any) -> None:
    made = client.post("/api/tokens", {"name": "x"}, content_type="application/json", headers=bearer(operator))
    assert made.json()["detail"]["code"] == "token_by_token"


def test_a_token_loses_what_its_account_lost(client: Client, server: None, operator: Any) -> None:
    headers = bearer(operator, Scope.ADMIN)
    assert client.get("/metrics", headers=headers).status_code == 200
    get_user_model().objects.update(is_staff=False)
    assert client.get("/metrics", headers=headers).status_code == 403
    get_user_model().objects.update(is_active=False)
    assert client.get("/metrics", headers=headers).status_code == 401


def test_the_command_prints_a_token(client: Client, server: None, alice: Any) -> None:
    out = io.StringIO()
    call_command("token", "cursor", "--user", "alice", "--scopes", "read", stdout=out)
    headers = {"Authorization": f"Bearer {out.getvalue().strip()}"}
    assert client.get("/api/whoami", headers=headers).json() == {
        "mode": "server",
        "user": "alice",
        "staff": False,
        "scopes": ["read"],
    }
    for wrong in (["--user", "bob"], ["--scopes", "all"], ["--user", "alice", "--scopes", "admin"], ["--days", "-1"]):
        with pytest.raises(CommandError):
            call_command("token", "cursor", *wrong)


# ---- sockets ------------------------------------------------------------------------------


def socket(path: str, subprotocols: list[str] | None = None, **headers: str) -> WebsocketCommunicator:
    sent = [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
    return WebsocketCommunicator(application, path, headers=sent, subprotocols=subprotocols)


async def opens(path: str, subprotocols: list[str] | None = None, **headers: str) -> bool:
    communicator = socket(path, subprotocols, **headers)
    connected, _ = await communicator.connect(timeout=10)
    await communicator.disconnect()
    return bool(connected)


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("path", SOCKETS)
async def test_sockets_follow_the_same_rules(settings: Any, path: str) -> None:
    assert await opens(path)
    assert await opens(path, origin="http://localhost")
    assert not await opens(path, origin="https://evil.example")
    assert not await opens(path, origin="null")
    assert not await opens(path, host="rebound.example")
    settings.LOCAL_MODE = False
    assert not await opens(path)
    need = scopes.socket_need(path)
    assert need is not None
    operator = await get_user_model().objects.acreate(username="operator", is_staff=True)
    for scope in Scope:
        key = (await in_thread(bearer, operator, scope))["Authorization"]
        assert await opens(path, authorization=key) == (scope in need.scopes)
        assert not await opens(path, authorization=key, origin="https://evil.example")
    assert not await opens(path, authorization="Bearer nonsense")
    assert not await opens(f"{path}?token={key.partition(' ')[2]}&ticket=x")
    await in_thread(ApiToken.objects.update, expires_at=timezone.now() - timedelta(seconds=1))
    assert not await opens(path, authorization=key)


@pytest.mark.usefixtures("transactional_db")
async def test_a_ticket_opens_one_socket(settings: Any) -> None:
    settings.LOCAL_MODE = False
    alice = await get_user_model().objects.acreate(username="alice")
    issued = await in_thread(tokens.issue, alice, name="laptop", scopes=[Scope.READ])
    make = partial(tokens.make_ticket, alice, [Scope.READ], token_id=issued.token.pk)
    ticket = await in_thread(make)
    offered = ["archon", f"archon.ticket.{ticket}"]
    communicator = socket(SOCKETS[0], offered)
    assert await communicator.connect(timeout=10) == (True, "archon")
    await communicator.disconnect()
    assert not await opens(SOCKETS[0], offered)
    late = await in_thread(make)
    await SocketTicket.objects.aupdate(expires_at=timezone.now())
    assert not await opens(SOCKETS[0], ["archon", f"archon.ticket.{late}"])


@pytest.mark.usefixtures("transactional_db")
async def test_a_socket_ends_with_the_right_to_it(settings: Any) -> None:
    settings.LOCAL_MODE = False
    settings.ACCESS_CHECK_SECONDS = 0.05
    alice = await get_user_model().objects.acreate(username="alice")
    issued = await in_thread(tokens.issue, alice, name="laptop", scopes=[Scope.READ])
    communicator = socket(SOCKETS[0], authorization=f"Bearer {issued.text}")
    assert (await communicator.connect(timeout=10))[0]
    await communicator.receive_from(timeout=10)
    await in_thread(tokens.revoke, issued.token)
    closed = await communicator.receive_output(timeout=10)
    assert closed == {"type": "websocket.close", "code": CLOSE_NOT_SIGNED_IN}
    await communicator.disconnect()
