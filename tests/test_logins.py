"""Wrong passwords, and whose address counts when a proxy stands in front."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from ipaddress import ip_network
from typing import Any

import pytest
from axes.models import AccessAttempt
from channels.testing import ApplicationCommunicator
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from django.utils import timezone

from archon import limits
from archon.asgi import application
from archon.proxies import ClientAddress, told_address
from progress.log_lines import Seldom

HERS = "a long password of hers"
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.9"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def server(settings: Any) -> None:
    settings.LOCAL_MODE, settings.AXES_ENABLED = False, True
    settings.AXES_FAILURE_LIMIT, settings.LOGIN_FAILURES_IN_ALL = 3, 5
    get_user_model().objects.create_user("alice", password=HERS, is_staff=True)


def login(password: str = "wrong", *, name: str = "alice", address: str = HOME) -> Any:
    return Client().post("/admin/login/?next=/", {"username": name, "password": password}, REMOTE_ADDR=address)


def test_wrong_passwords_lock_a_name_for_the_address_they_came_from() -> None:
    assert [login().status_code for _ in range(3)] == [200, 200, 429]
    locked = login(HERS)
    assert locked.status_code == 429
    assert 14 * 60 < int(locked["Retry-After"]) <= 15 * 60
    assert "_auth_user_id" not in locked.client.session
    assert login(HERS, address=ELSEWHERE).status_code == 302
    assert login(name="bob").status_code == 200


def test_trying_on_makes_the_wait_no_longer() -> None:
    for _ in range(3):
        login()
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert int(login()["Retry-After"]) <= 60
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert login(HERS).status_code == 302


def test_many_addresses_cannot_guess_together_nor_lock_anyone_out_of_a_known_one() -> None:
    assert login(HERS, address=HOME).status_code == 302
    tried = [login(address=f"192.0.2.{number}").status_code for number in range(6)]
    assert tried == [200, 200, 200, 200, 429, 429]
    stranger = login(HERS, address=ELSEWHERE)
    assert (stranger.status_code, int(stranger["Retry-After"]) > 0) == (429, True)
    assert login(HERS, address=HOME).status_code == 302


def test_a_name_that_is_nobodys_is_locked_in_the_same_words() -> None:
    for name in ("alice", "nobody"):
        for _ in range(3):
            login(name=name)
    alice, nobody = login(name="alice"), login(name="nobody")
    assert (alice.status_code, alice.content) == (nobody.status_code, nobody.content)


@pytest.mark.parametrize(
    ("connected", "named", "told"),
    [
        (HOME, [ELSEWHERE], HOME),  # no proxy of ours wrote it
        ("10.0.0.1", [ELSEWHERE], ELSEWHERE),
        ("10.0.0.1", [f"127.0.0.1, {ELSEWHERE}"], ELSEWHERE),  # the first was written by who called
        ("10.0.0.1", [f"{HOME}, {ELSEWHERE}, 10.0.0.2"], ELSEWHERE),  # two proxies of ours
        ("10.0.0.1", [HOME, ELSEWHERE], ELSEWHERE),  # the header twice
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [f"::ffff:{ELSEWHERE}"], ELSEWHERE),
        ("::ffff:10.0.0.1", [ELSEWHERE], ELSEWHERE),
        ("2001:db8::1", ["2001:db8:1::7"], "2001:db8:1::7"),
    ],
)
def test_the_address_of_who_asks(connected: str, named: list[str], told: str) -> None:
    assert told_address(connected, named, [ip_network("10.0.0.0/8"), ip_network("2001:db8::1")]) == told


async def status_of(connected: str, *headers: tuple[bytes, str]) -> int:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/whoami",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *((name, value.encode()) for name, value in headers)],
        "client": [connected, 40_000],
        "server": ["localhost", 80],
    }
    asking = ApplicationCommunicator(application, scope)
    await asking.send_input({"type": "http.request", "body": b"", "more_body": False})
    started = await asking.receive_output(10)
    await asking.wait(10)
    return int(started["status"])


async def limited(connected: str, forwarded: list[str]) -> bool:
    """Whether one of them is refused. Of one alone it is not sure: the minute may turn just then."""
    return 429 in [await status_of(connected, (b"x-forwarded-for", one)) for one in forwarded]


@pytest.mark.django_db(transaction=True)
async def test_requests_are_counted_by_an_address_that_cannot_be_made_up(settings: Any) -> None:
    settings.REQUESTS_PER_MINUTE, settings.SECURE_SSL_REDIRECT = 1, False
    limits.counter.cache_clear()
    invented = [f"192.0.2.{number}" for number in range(4)]
    try:
        assert await limited(HOME, invented)
        settings.TRUSTED_PROXIES = ("10.0.0.1",)
        assert not await limited("10.0.0.1", invented)
        assert await limited("10.0.0.1", [f"{one}, {ELSEWHERE}" for one in invented])
        assert await limited(HOME, invented)
    finally:
        limits.counter.cache_clear()


@pytest.mark.parametrize(
    ("client", "said", "secure"),
    [
        (["10.0.0.1", 40_000], "https", True),
        (["10.0.0.1", 40_000], "http", False),
        ([HOME, 40_000], "https", False),  # no proxy of ours wrote it
        (None, "https", True),  # through a socket file
    ],
)
async def test_only_a_proxy_of_ours_says_that_a_request_came_by_tls(
    client: list[Any] | None,
    said: str,
    secure: bool,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Seldom, "quiet_until", {})
    settings.HTTPS, settings.TRUSTED_PROXIES = True, ("10.0.0.0/8",)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen: list[bool] = []

    async def inside(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(ASGIRequest(scope, BytesIO()).is_secure())

    headers = [(b"host", b"localhost"), (b"x-forwarded-proto", said.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers, "client": client}
    await ClientAddress(inside)(scope, None, None)
    assert seen == [secure]
    told = f"X-Forwarded-Proto of {HOME} is not read. If that is your proxy, name it in ARCHON_TRUSTED_PROXIES."
    assert (told in caplog.text) == (client == [HOME, 40_000])
