"""A socket and an event stream end with the right to them: a server with real connections, and losses of every kind."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from progress.closing import CLOSE_FORBIDDEN, CLOSE_NOT_SIGNED_IN
from tests.progress.remote import event_stream, open_socket, request
from tests.stack import SERVER_MODE, eventually
from tests.web import WebProcess, World, Writer, world

pytestmark = pytest.mark.both_databases

MOST_STREAMS = 4
SERVER = {
    **SERVER_MODE,
    "ARCHON_ACCESS_CHECK_SECONDS": "0.1",
    "ARCHON_SOCKETS_PER_CLIENT": str(MOST_STREAMS),
}
PROGRESS = "/api/progress/test-id/events"
CHAT = "/api/chat/sessions/test-id/events"
SOCKET = "/api/crawl-progress/test-id"
LOGS = "/api/mcp/logs/stream"


@pytest.fixture(scope="module")
def served() -> Iterator[World]:
    with world(**SERVER) as started:
        yield started


@pytest.fixture(scope="module")
def office(served: World) -> Writer:
    return served.writer("office", module="tests.office")


@pytest.fixture(scope="module")
def web(served: World, office: Writer) -> WebProcess:
    office.ask("operator", f"operator-{uuid.uuid4()}")
    return served.web()


@pytest.fixture
def alice(office: Writer) -> str:
    name = f"alice-{uuid.uuid4()}"
    office.ask("account", name)
    return name


class Key(NamedTuple):
    """How a client shows who it is."""

    headers: dict[str, str]
    # Of sockets only: one ticket opens one of them.
    ticket: bool = False

    def socket(self, web: WebProcess, path: str = SOCKET) -> ClientConnection:
        if not self.ticket:
            return open_socket(web, path, self.headers)
        made = request(web, "POST", "/api/socket-ticket", **self.headers)
        assert made.status == 200, made.body
        return open_socket(web, path, subprotocols=made.json["subprotocols"])


def key_of(office: Writer, name: str, how: str, *scopes: str) -> Key:
    ticket = how.startswith("ticket")
    if how.endswith("token"):
        return Key({"Authorization": f"Bearer {office.ask('token', name, *(scopes or ('read',)))}"}, ticket)
    return Key({"Cookie": f"sessionid={office.ask('session', name)}"}, ticket)


def close_code(client: ClientConnection) -> int:
    """That the server sends; frames before it are passed over."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            client.recv(timeout=20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


LOST = [
    ("token", ("revoke",), CLOSE_NOT_SIGNED_IN),
    ("token", ("expire",), CLOSE_NOT_SIGNED_IN),
    ("token", ("forget_token",), CLOSE_NOT_SIGNED_IN),
    ("token", ("deactivate",), CLOSE_NOT_SIGNED_IN),
    ("token", ("narrow", "mcp"), CLOSE_FORBIDDEN),
    ("session", ("sign_out",), CLOSE_NOT_SIGNED_IN),
    ("session", ("end_session",), CLOSE_NOT_SIGNED_IN),
    ("session", ("change_password",), CLOSE_NOT_SIGNED_IN),
    ("session", ("deactivate",), CLOSE_NOT_SIGNED_IN),
]


@pytest.mark.parametrize(("how", "loss", "code"), LOST)
def test_who_loses_the_right_is_told_so_and_followed_no_more(
    web: WebProcess, office: Writer, alice: str, how: str, loss: tuple[str, ...], code: int
) -> None:
    key = key_of(office, alice, how)
    with (
        key.socket(web) as plain,
        key._replace(ticket=True).socket(web) as by_ticket,
        event_stream(web, PROGRESS, **key.headers) as progress,
        event_stream(web, CHAT, **key.headers) as chat,
    ):
        assert json.loads(plain.recv(timeout=20))["data"]["status"] == "waiting"
        assert progress.next().id == 0
        chat.next()
        office.ask(loss[0], alice, *loss[1:])
        assert [close_code(client) for client in (plain, by_ticket)] == [code, code]
        ends = [stream.end() for stream in (progress, chat)]
    assert ends[0] == ends[1]
    assert ends[0]["type"] == "closed"
    assert ends[0]["data"]["code"] == code
    assert ends[0]["data"]["error"]["code"] == ("scope_missing" if code == CLOSE_FORBIDDEN else "not_signed_in")
    assert all(ends[0]["data"]["error"].values()), "a sentence and the next step"
    # And nobody comes back by the same key.
    assert request(web, "GET", PROGRESS, **key.headers).status in (401, 403)


@pytest.mark.parametrize("how", ["token", "session", "ticket of a token", "ticket of a session"])
def test_who_is_no_longer_staff_keeps_what_is_everybodys(web: WebProcess, office: Writer, alice: str, how: str) -> None:
    name = f"staff-{alice}"
    office.ask("staff", name)
    key = key_of(office, name, how, "read", "admin")
    with key.socket(web, LOGS) as logs, key.socket(web) as progress:
        office.ask("unstaff", name)
        assert close_code(logs) == CLOSE_FORBIDDEN
        progress.recv(timeout=20)
        progress.send("ping")
        assert json.loads(progress.recv(timeout=20)) == {"type": "pong"}


@pytest.mark.parametrize(("how", "loss"), [("token", "revoke"), ("session", "sign_out")])
def test_a_ticket_opens_nothing_once_its_key_is_over(
    web: WebProcess, office: Writer, alice: str, how: str, loss: str
) -> None:
    key = key_of(office, alice, how)
    made = request(web, "POST", "/api/socket-ticket", **key.headers).json
    office.ask(loss, alice)
    with pytest.raises(InvalidStatus) as refused:
        open_socket(web, SOCKET, subprotocols=made["subprotocols"])
    assert refused.value.response.status_code == 403


def test_another_key_of_the_same_account_goes_on(web: WebProcess, office: Writer, alice: str) -> None:
    by_token, by_session = key_of(office, alice, "token"), key_of(office, alice, "session")
    with by_token.socket(web) as ending, by_session.socket(web) as staying:
        staying.recv(timeout=20)
        office.ask("revoke", alice)
        assert close_code(ending) == CLOSE_NOT_SIGNED_IN
        staying.send("ping")
        assert json.loads(staying.recv(timeout=20)) == {"type": "pong"}


def test_sockets_and_event_streams_are_counted_together(web: WebProcess, office: Writer, alice: str) -> None:
    key = key_of(office, alice, "token")
    with contextlib.ExitStack() as opened:
        for _ in range(MOST_STREAMS // 2):
            opened.enter_context(key.socket(web))
            opened.enter_context(event_stream(web, PROGRESS, **key.headers)).next()
        with pytest.raises(InvalidStatus) as refused:
            key.socket(web)
        assert refused.value.response.status_code == 503
        for path in (PROGRESS, CHAT):
            answer = request(web, "GET", path, **key.headers)
            assert (answer.status, answer.json["detail"]["code"]) == (429, "too_many_streams")
            assert int(answer.headers["retry-after"]) > 0
        office.ask("account", f"other-{alice}")
        with event_stream(web, PROGRESS, **key_of(office, f"other-{alice}", "token").headers) as anothers:
            assert anothers.next().id == 0

    def opens_again() -> bool:
        with contextlib.suppress(AssertionError), event_stream(web, CHAT, **key.headers) as again:
            again.next()
            return True
        return False

    eventually(opens_again, what="those that are closed are counted no more")


def test_a_storm_of_event_streams_is_let_in_as_far_as_the_limit(web: WebProcess, office: Writer, alice: str) -> None:
    """Those that ask in the same moment all find room; the rest of them are told when they are counted."""
    key = key_of(office, alice, "token")
    with contextlib.ExitStack() as opened:
        connections = [opened.enter_context(raw_stream(web, key)) for _ in range(MOST_STREAMS * 3)]
        first = [connection.recv_first() for connection in connections]
        assert sum(b"waiting" in text for text in first) == MOST_STREAMS
        assert all(b"too_many_streams" in text for text in first if b"waiting" not in text)


class RawStream:
    """Asks at once, reads later."""

    def __init__(self, web: WebProcess, key: Key) -> None:
        self.connection = socket.create_connection(("127.0.0.1", web.port), timeout=20)
        lines = [f"GET {PROGRESS} HTTP/1.1", "Host: 127.0.0.1", *(f"{a}: {b}" for a, b in key.headers.items())]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())

    def recv_first(self) -> bytes:
        """Up to the first event, or the refusal."""
        text = b""
        while b"waiting" not in text and b"too_many_streams" not in text:
            part = self.connection.recv(65536)
            assert part, text
            text += part
        return text


@contextlib.contextmanager
def raw_stream(web: WebProcess, key: Key) -> Iterator[Any]:
    stream = RawStream(web, key)
    try:
        yield stream
    finally:
        stream.connection.close()


def test_a_call_of_an_assistant_is_told_no_more(web: WebProcess, office: Writer, alice: str) -> None:
    """It waits for a crawl that nobody works on, for a minute."""
    key = key_of(office, alice, "token", "mcp", "crawl", "read")
    accepted = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    params = {
        "name": "start_crawl",
        "arguments": {"url": f"http://93.184.216.34/{alice}/", "wait_seconds": 60},
        "_meta": {"progressToken": 1},
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)) as connection:
        connection.request("POST", "/mcp", body, {**accepted, **key.headers})
        response = connection.getresponse()
        assert response.status == 200
        while b"notifications/" not in (line := response.readline()):
            assert line, "it waits, and tells how far"
        office.ask("revoke", alice)
        assert b'"result"' not in response.read()
    assert request(web, "GET", PROGRESS, **key.headers).status == 401
