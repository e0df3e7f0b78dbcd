"""Clients that send too much, read too little, or find another server than ours."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from progress.flood import INPUT_BURST
from tests.benchmarks.realtime.viewers import Viewers, drain, frame_at
from tests.chaos.followers import Follower, assert_whole
from tests.chaos.test_delivery import ask
from tests.stack import eventually
from tests.web import WebProcess, World, Writer

pytestmark = pytest.mark.both_databases


async def close_code(connection: Any) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(30):
            while True:
                await connection.recv()
    return closed.value.rcvd.code if closed.value.rcvd else None


async def answers(web: WebProcess) -> None:
    async with asyncio.timeout(10), connect(web.url("still-there")) as connection:
        assert "waiting" in str(await connection.recv())


async def test_an_oversize_frame_is_closed_with_its_code(web: WebProcess) -> None:
    async with connect(web.url("big")) as connection:
        await connection.recv()
        await connection.send("x" * 65_536)  # as large as may be
        await connection.send("ping")
        assert json.loads(await connection.recv()) == {"type": "pong"}
        await connection.send("x" * 65_537)
        assert await close_code(connection) == 1009
    async with connect(web.url("fragments")) as connection:
        await connection.recv()
        with suppress(ConnectionClosed):  # the answer may come before the last fragment has left
            await connection.send(["x" * 10_000] * 10)
        assert await close_code(connection) == 1009
    await answers(web)


async def test_a_flood_is_closed_with_its_code(web: WebProcess) -> None:
    async with connect(web.url("flood")) as connection:
        await connection.recv()
        # Whoever goes on after this is cut off, and never gets to read the code.
        with suppress(ConnectionClosed):
            for _ in range(2 * INPUT_BURST):
                await connection.send("ping")
        assert await close_code(connection) == 1008
    await answers(web)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),  # not UTF-8
        (b"\x83\x80\0\0\0\0", 1002),  # an opcode that nobody defined
        (b"\xf1\x80\0\0\0\0", 1002),  # reserved bits
        (b"\x81\x02hi", 1002),  # not masked
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in fragments
        (b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 1002),  # a ping that is too long
        (b"\x80\x80\0\0\0\0", 1002),  # a fragment of nothing
        (b"\x01\x81\0\0\0\0a\x81\x81\0\0\0\0b", 1002),  # a message in the middle of another
        (b"\x01\x81\0\0\0\0\xff", 1007),  # not UTF-8, as its first fragment tells
        (b"\x81\xfe\x00\x01\0\0\0\0a", 1002),  # a length in more bytes than it needs
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1002),  # a length with its highest bit
        (b"\x81\xff\0\0\0\x01\0\0\0\0\0\0\0\0", 1009),  # four gigabytes announced
    ],
)
def test_a_broken_frame_is_closed_with_its_code(web: WebProcess, frame: bytes, code: int) -> None:
    viewers = Viewers(web.port)
    viewer = viewers.start("/api/crawl-progress/broken")
    viewers.settle(10)
    viewer.connection.settimeout(10)
    viewer.connection.sendall(frame)
    stream = b""
    while not (stream and stream[0] == 0x88 and frame_at(stream, 0)):
        chunk = viewer.connection.recv(4096)
        assert chunk, "cut without a close frame"
        stream += chunk
    viewers.close()
    assert struct.unpack("!H", stream[2:4])[0] == code


@pytest.mark.parametrize(
    "frame",
    [
        b"\x88\x81\0\0\0\0\x03",  # half a code
        b"\x88\x82\0\0\0\0\x03\xed",  # a code that may not be sent
        b"\x88\x84\0\0\0\0\x03\xe8\xff\xfe",  # a reason that is not UTF-8
    ],
)
async def test_a_malformed_close_ends_the_socket(web: WebProcess, frame: bytes) -> None:
    """Its sender is done with us: it may be told a code, or be cut off."""
    viewers = Viewers(web.port)
    viewer = viewers.start("/api/crawl-progress/malformed-close")
    await asyncio.to_thread(viewers.settle, 10)
    viewer.connection.settimeout(10)
    viewer.connection.sendall(frame)
    await asyncio.to_thread(everything, viewer.connection)
    viewers.close()
    await answers(web)


UPGRADE = (
    b"GET /api/crawl-progress/half HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)


@pytest.mark.parametrize(
    "beginning",
    [
        UPGRADE[:40],
        UPGRADE,
        UPGRADE + b"\r\n",  # no key
        UPGRADE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: x\r\n\r\n",
        UPGRADE.replace(b"13", b"99") + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        UPGRADE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81",  # and half a frame
        UPGRADE.replace(b"half", b"\xff\x00") + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",  # TLS, on a port that speaks none
    ],
)
async def test_half_a_handshake_harms_nobody(web: WebProcess, beginning: bytes) -> None:
    """Whatever it is answered, it is neither 101 without a key nor a 500, and the next client is served."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=5) as connection:
        connection.sendall(beginning)
        connection.shutdown(socket.SHUT_WR)
        answer = await asyncio.to_thread(everything, connection)
    assert b" 500 " not in answer.partition(b"\r\n")[0]
    if b"Key: dGhl" not in beginning:
        assert not answer.startswith(b"HTTP/1.1 101")
    assert b"Traceback" not in web.log.read_bytes()
    await answers(web)


def everything(connection: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionError):
        while chunk := connection.recv(4096):
            received += chunk
    return received


async def test_who_does_not_read_is_closed_and_costs_little(chaos: World, writer: Writer, progress_id: str) -> None:
    """7 MB are published for each; a stalled client is kept some hundred kilobytes of them, others get all."""
    web = await asyncio.to_thread(chaos.web, "impatient", application="tests.chaos.impatient:application")
    viewers = Viewers(web.port)
    path = f"/api/crawl-progress/{progress_id}"
    stalled = [viewers.start(path, receive_buffer=65_536) for _ in range(10)]
    await asyncio.to_thread(viewers.settle, 10)
    healthy = Follower(lambda query: web.url(progress_id, query)).start()
    await healthy.reached(1)
    before = web.memory
    for _ in range(100):
        last = await ask(writer, "event", progress_id, "x" * 1_900)
    await healthy.reached(last)
    assert web.memory - before < 40 * 2**20
    given_up = partial(eventually, lambda: web.log.read_text().count("socket takes nothing") == len(stalled))
    await asyncio.to_thread(given_up)
    deadline = time.monotonic() + 10
    assert {drain(viewer, deadline) for viewer in stalled} == {1013}
    viewers.close()
    await ask(writer, "end", progress_id)
    assert_whole(await healthy.end(), await ask(writer, "stored", progress_id))
    await asyncio.to_thread(web.kill)


async def test_event_streams_that_are_not_read_cost_little_and_miss_nothing(
    web: WebProcess, writer: Writer, progress_id: str
) -> None:
    with ExitStack() as opened:
        streams = [opened.enter_context(event_stream(web, progress_id)) for _ in range(30)]
        before = web.memory
        for _ in range(100):
            last = await ask(writer, "event", progress_id, "x" * 1_900)
        follower = Follower(lambda query: web.url(progress_id, query)).start()
        await follower.reached(last)
        # Some 2.5 MiB for each, and 15 for the process itself; nearly 10 for each when everything were kept.
        assert web.memory - before < len(streams) * 4 * 2**20
        for stream in streams:
            assert await asyncio.to_thread(event_ids, stream, last) == list(range(1, last + 1))
    await ask(writer, "end", progress_id)
    await follower.end()


def event_stream(web: WebProcess, progress_id: str) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.connect(("127.0.0.1", web.port))
    path = f"/api/progress/{progress_id}/events?since=0"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert b"200 OK" in connection.recv(15)
    return connection


def event_ids(connection: socket.socket, last: int) -> list[int]:
    connection.settimeout(30)
    stream = b""
    seen: list[int] = []
    while not seen or seen[-1] < last:
        chunk = connection.recv(2**20)
        assert chunk, "the stream was cut"
        *lines, stream = (stream + chunk).split(b"\n")
        seen += [int(line.split()[1]) for line in lines if line.startswith(b"id: ")]
    return seen


async def test_too_many_sockets_are_refused_before_they_open(chaos: World) -> None:
    chaos.environment["ARCHON_SOCKETS_PER_CLIENT"] = "3"
    try:
        web = await asyncio.to_thread(chaos.web, "crowded")
    finally:
        del chaos.environment["ARCHON_SOCKETS_PER_CLIENT"]
    sockets = [await connect(web.url("crowd")) for _ in range(3)]
    with pytest.raises(InvalidStatus) as refused:
        await connect(web.url("crowd"))
    assert refused.value.response.status_code == 503
    await sockets.pop().close()
    async with asyncio.timeout(10):
        while True:  # the server hears of the close in its own time
            try:
                sockets.append(await connect(web.url("crowd")))
                break
            except InvalidStatus:
                await asyncio.sleep(0.05)
    for each in sockets:
        await each.close()
    await asyncio.to_thread(web.kill)


async def test_stock_daphne_serves_the_same_sockets(chaos: World, writer: Writer, progress_id: str) -> None:
    web = await asyncio.to_thread(chaos.web, "stock", server="daphne")
    follower = Follower(lambda query: web.url(progress_id, query)).start()
    await ask(writer, "events", progress_id, 20)
    async with connect(web.url(progress_id)) as connection:
        assert json.loads(await connection.recv())["data"]["status"] == "crawling"
        await connection.send("ping")
        assert json.loads(await connection.recv()) == {"type": "pong"}
    await ask(writer, "end", progress_id)
    assert_whole(await follower.end(), await ask(writer, "stored", progress_id))
    await asyncio.to_thread(web.kill)
