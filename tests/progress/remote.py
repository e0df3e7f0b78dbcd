"""Talking to a web process over HTTP, sockets and event streams."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.stack import checking
from tests.web import WebProcess
from tests.wire import published

ANSWER_SECONDS = 20


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(web: WebProcess, method: str, path: str, *, body: bytes | str | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=ANSWER_SECONDS)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def open_socket(
    web: WebProcess, path: str, headers: dict[str, str] | None = None, *, subprotocols: list[str] | None = None
) -> ClientConnection:
    """Frames that are not as published fail the test."""
    return connect(
        f"ws://127.0.0.1:{web.port}{path}",
        create_connection=checking(published()),
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
    )


class ServerEvent(NamedTuple):
    id: int
    frame: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.frame["data"])


class EventStream:
    """What a browser's EventSource does with the lines of one answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.comments: list[str] = []
        self.retry = 0

    def next(self) -> ServerEvent:
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode()
            assert line, "the stream ended"
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n":
                if "data" in fields:
                    return ServerEvent(int(fields["id"]), published().checked(fields["data"]))
            elif line.startswith(":"):
                self.comments.append(value)
            elif name == "retry":
                self.retry = int(value)
            else:
                fields[name] = value

    def end(self) -> dict[str, Any]:
        """The event that says why the stream ends, and nothing after it. Whatever comes before is passed over."""
        name = ""
        while line := self.response.readline().decode():
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data" and name == "closed":
                assert self.response.read() == b"\n"
                return dict(json.loads(value))
        raise AssertionError("the stream ended without a word")

    def comment(self) -> str:
        """The next line that is a comment."""
        while not (line := self.response.readline().decode()).startswith(":"):
            assert line, "the stream ended"
        return line.removeprefix(":").strip()


@contextmanager
def event_stream(web: WebProcess, path: str, **headers: str) -> Iterator[EventStream]:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        yield EventStream(response)
    finally:
        connection.close()
