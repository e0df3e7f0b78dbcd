"""The web process: Daphne, with what stock Daphne lacks. `python -m archon.web` takes its options.

Sockets can be written to without a coroutine per frame, and tell how much the client has not
taken yet: stock Daphne buffers without bound for a client that stops reading. A stopping server
says so (close code 1012), where stock Daphne cuts the connection (clients see 1006); and a socket
may be closed with the codes for a flood (1008), an error (1011) and an overload (1013).
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import os
import random
import re
import socket
import sys
import time
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")

from daphne.cli import CommandLineInterface  # its import installs the reactor, so it comes first
from daphne.server import Server
from daphne.ws_protocol import ConnectionDeny, WebSocketFactory, WebSocketProtocol
from twisted.internet import defer, reactor

from archon.mcp.endpoint import mcp_endpoint
from archon.request_threads import RequestThreads
from progress.closing import CLOSE_FLOOD, CLOSE_OVERLOAD, CLOSE_RESTART, OUTLET_EXTENSION
from progress.flood import InputRate

# An event stream or a download that takes nothing for so long is cut.
STREAM_BYTES = 256 * 1024
STREAM_SECONDS = 30.0
# The close code stands behind what a slow client has not read yet.
SLOW_GOODBYE_SECONDS = 10.0
# Clients that are all told at once would all come back at once.
GOODBYE_SECONDS = 1.0
HANDSHAKE_SECONDS = 20
KERNEL_BYTES = 128 * 1024
WEBSOCKET_KEY = re.compile(rb"(?i)(\r\nSec-WebSocket-Key:[ \t]*)([^\r\n]*)")


class SocketOutlet:
    """Whole frames as bytes, written to the connection of one open WebSocket."""

    __slots__ = ("_protocol", "_transport")

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self._protocol = protocol
        self._transport = protocol.transport

    def write(self, frames: bytes) -> int:
        """Returns what the client has not taken yet: nothing, mostly, and then it costs one system call."""
        protocol, transport = self._protocol, self._transport
        if protocol.state != protocol.STATE_OPEN:
            return 0
        if transport.dataBuffer or transport._tempDataBuffer:
            transport.write(frames)
            return self.unsent()
        # Nothing waits: straight to the kernel saves registering and deregistering for writability.
        try:
            sent = transport.socket.send(frames)
        except BlockingIOError:
            sent = 0
        except OSError:  # the connection is gone; its reader will notice
            return 0
        if sent == len(frames):
            return 0
        transport.write(frames[sent:])
        return self.unsent()

    def unsent(self) -> int:
        return unsent(self._transport)


def unsent(transport: Any) -> int:
    """Bytes in Twisted's buffers: the one being sent, and what was written since."""
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen  # type: ignore[no-any-return]


def writes_plain(transport: Any) -> bool:
    """Whether bytes go to the kernel as they are: not through TLS, and by Twisted's own buffers."""
    return hasattr(transport, "_tempDataLen") and not getattr(transport, "TLS", False)


def valid_key(header: re.Match[bytes]) -> bytes:
    """The header as it is if its key is 16 bytes in base64 (RFC 6455, section 4.1), else with a key made of it."""
    name, key = header.groups()
    made = key if len(key) == 24 else base64.b64encode(hashlib.sha256(key).digest()[:16])
    return name + made


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """Closes with any code of RFC 6455, section 7.4.1; autobahn keeps 1008 to 1013 from applications."""

    data: bytes  # what has arrived and is not read yet

    # Say why (1009, 1007, 1002) before the connection is dropped.
    failByDrop = False

    def processHandshake(self) -> None:
        """A key that is no key gets one, so that a hand-made `curl` upgrade sees the 101 it asks about.

        No WebSocket client is let in by this: the accept header then answers another key than its own.
        """
        self.data = WEBSOCKET_KEY.sub(valid_key, self.data, count=1)
        super().processHandshake()

    def onConnect(self, request: Any) -> Any:
        # The kernel would take 4 MB for each client that does not read before we hear of it.
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        self.inputs = InputRate()
        return super().onConnect(request)

    def handle_reply(self, message: dict[str, Any]) -> None:
        full = message["type"] == "websocket.close" and message.get("code") == CLOSE_OVERLOAD
        if full and self.state == self.STATE_CONNECTING:
            self._refuse(ConnectionDeny(503, "Too many sockets"))
        elif message["type"] != "websocket.send" or self.state in (self.STATE_OPEN, self.STATE_CONNECTING):
            super().handle_reply(message)  # a frame for a socket that is closing would raise in the consumer

    def _refuse(self, reason: ConnectionDeny) -> None:
        """As Daphne's serverReject, with another status than 403: the client may come back."""
        self.handshake_deferred.errback(reason)
        del self.handshake_deferred
        self.server.protocol_disconnected(self)

    def serverClose(self, code: int | None = None) -> None:
        if code is None or code == 1000 or code >= 3000:
            super().serverClose(code)
        elif self.state == self.STATE_OPEN:
            if code == CLOSE_OVERLOAD:
                self.closeHandshakeTimeout = SLOW_GOODBYE_SECONDS
            self.sendCloseFrame(code=code)

    def onMessageFrameBegin(self, length: int) -> None:
        self._count_frame()
        super().onMessageFrameBegin(length)

    def onPing(self, payload: bytes) -> None:
        self._count_frame()
        super().onPing(payload)

    def _count_frame(self) -> None:
        """Here and not in the consumer alone: under a flood the loop is so busy reading that a consumer starves."""
        if self.inputs.exceeded(time.monotonic()):
            self.serverClose(CLOSE_FLOOD)

    def dataReceived(self, data: bytes) -> None:
        if self.state != self.STATE_CLOSING or self.localCloseCode != CLOSE_FLOOD:
            super().dataReceived(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state == self.STATE_OPEN:  # a flood goes on after its close code was sent
            super().onMessage(payload, isBinary)


# Daphne offers no other way to name the protocol.
WebSocketFactory.protocol = Socket


class WebServer(Server):  # type: ignore[misc]
    """Daphne's server with outlets and an orderly goodbye."""

    def run(self) -> None:
        self.ports: list[Any] = []
        self.application: Any = RequestThreads(self.application)
        # Of Daphne's five seconds a storm of reconnects on a busy machine may take more.
        self.websocket_handshake_timeout = HANDSHAKE_SECONDS
        # What is loaded now stays: a collection that walks it would hold up every socket.
        gc.collect()
        gc.freeze()
        clock: Any = reactor
        clock.addSystemEventTrigger("before", "shutdown", self.stop_mcp)
        super().run()

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket" and writes_plain(protocol.transport):
            scope.setdefault("extensions", {})[OUTLET_EXTENSION] = SocketOutlet(protocol)
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        await super().handle_reply(protocol, message)
        if message["type"] == "http.response.body" and message.get("more_body"):
            await self._taken(protocol)

    async def _taken(self, request: Any) -> None:
        """A stream waits for its reader: Daphne would keep in memory whatever is not read."""
        channel, pause, deadline = request.channel, 0.001, time.monotonic() + STREAM_SECONDS
        while request.channel is not None and writes_plain(channel.transport):
            if unsent(channel.transport) <= STREAM_BYTES:
                return
            if time.monotonic() > deadline:
                channel.transport.abortConnection()
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.1)

    def kill_all_applications(self) -> Any:
        """Before the applications are cancelled: tell every socket to come back, spread over a moment."""
        for port in self.ports:  # whoever comes back at once must not come back to this process
            port.stopListening()
        sockets = [protocol for protocol in self.connections if isinstance(protocol, Socket)]
        clock: Any = reactor
        for protocol in sockets:
            clock.callLater(random.uniform(0, GOODBYE_SECONDS), self._goodbye, protocol)  # noqa: S311  # no secret
        if not sockets:
            return super().kill_all_applications()
        told: Any = defer.Deferred()
        clock.callLater(GOODBYE_SECONDS + 0.1, told.callback, None)
        told.addCallback(lambda _: super(WebServer, self).kill_all_applications())
        return told

    def stop_mcp(self) -> Any:
        return defer.Deferred.fromFuture(asyncio.ensure_future(mcp_endpoint.stop()))

    def _goodbye(self, protocol: Socket) -> None:
        protocol.serverClose(CLOSE_RESTART)


class WebCommand(CommandLineInterface):  # type: ignore[misc]
    description = "Archon's web process: Daphne's command line."
    server_class = WebServer


def main() -> None:
    refuse_without_an_account()
    WebCommand.entrypoint()


def refuse_without_an_account() -> None:
    """Ends the process with the sentence that says what to do. A database that is away now is waited for."""
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError, connections

    django.setup()
    from archon.auth import require_an_account  # needs the apps

    try:
        require_an_account()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except DatabaseError:
        pass
    finally:
        connections.close_all()


if __name__ == "__main__":
    main()
