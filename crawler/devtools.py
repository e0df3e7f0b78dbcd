"""Chromium's DevTools pipes as a WebSocket for one client that knows its address.

Playwright connects to a WebSocket only, and a browser that offers one itself lets in whoever asks. Here the path is the
password: 256 random bits, told to nobody but the client.
"""

import asyncio
import contextlib
import http
import secrets
from typing import TYPE_CHECKING

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

if TYPE_CHECKING:
    from crawler.chromium import Chromium


class DevToolsSocket:
    """Serves from `open` to `close`; a client that leaves may come back."""

    def __init__(self, browser: "Chromium") -> None:
        self._browser = browser
        self._path = f"/{secrets.token_urlsafe(32)}"
        self._server: Server | None = None

    async def open(self) -> str:
        """The address: ws://127.0.0.1:port/secret."""
        self._server = await serve(
            self._carry,
            "127.0.0.1",
            0,
            process_request=self._admit,
            max_size=None,
            compression=None,
            ping_interval=None,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}{self._path}"

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    def _admit(self, client: ServerConnection, request: Request) -> Response | None:
        if secrets.compare_digest(request.path.encode(), self._path.encode()):
            return None
        return client.respond(http.HTTPStatus.NOT_FOUND, "")

    async def _carry(self, client: ServerConnection) -> None:
        """Messages both ways until either side is gone."""
        ways = [asyncio.create_task(self._to_browser(client)), asyncio.create_task(self._from_browser(client))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _to_browser(self, client: ServerConnection) -> None:
        async for message in client:
            self._browser.writer.write((message.encode() if isinstance(message, str) else message) + b"\0")

    async def _from_browser(self, client: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                message = await self._browser.reader.readuntil(b"\0")
                await client.send(message[:-1].decode())
