"""The limit: one server process that does nothing but `websockets.broadcast`, on uvloop."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

viewers: set[ServerConnection] = set()


async def view(connection: ServerConnection) -> None:
    await connection.send('{"type": "crawl_progress", "data": {"status": "waiting"}}')
    viewers.add(connection)
    try:
        await connection.wait_closed()
    finally:
        viewers.discard(connection)


async def control(connection: ServerConnection, request: Request) -> Response | None:
    """`GET /send?order=...` runs the updates in this process and answers when they are sent."""
    parts = urlsplit(request.path)
    if parts.path != "/send":
        return None
    order: dict[str, Any] = json.loads(parse_qs(parts.query)["order"][0])
    sent, started = [], time.monotonic()
    for number in range(order["count"]):
        rate = order["per_second"]
        await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()) if rate else 0)
        sent.append(time.monotonic_ns())
        broadcast(
            viewers,
            json.dumps({"type": "crawl_progress", "data": {**order["body"], "sequence": order["first"] + number}}),
        )
    return connection.respond(HTTPStatus.OK, json.dumps(sent))


async def main() -> None:
    options: dict[str, Any] = {"compression": None, "ping_interval": None, "backlog": 4096, "open_timeout": 600}
    async with serve(view, "127.0.0.1", int(sys.argv[1]), process_request=control, **options) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
