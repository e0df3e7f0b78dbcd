"""A relay on loopback between a client and its server, which cuts or silences what passes through it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

CHUNK_BYTES = 65_536
Cut = Literal["before", "after"]


class Relay:
    """Passes everything on to a server on a unix socket, until it is told otherwise."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._links: list[Link] = []
        self._lock = threading.Lock()
        self._silent = False
        self._mark = b""
        self._nth = 0
        self._cut: Cut = "before"
        self.seen = 0

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(10)
        for link in self._links:
            link.close()

    def cut_at(self, mark: bytes, nth: int, cut: Cut) -> None:
        """The nth message of clients with these bytes ends its connection: "before" the server hears of it, or
        "after" the server has answered and before the client is told."""
        self._mark, self._nth, self._cut, self.seen = mark, nth, cut, 0

    def silence(self) -> None:
        """As a network that loses every packet: connections stay open, new ones too, and nothing comes back."""
        self._silent = True
        for link in self._links:
            link.silent = True

    def recover(self) -> None:
        """For new connections. Those that were silenced stay silent: nobody tells their client."""
        self._silent = False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self._links.append(Link(self, client, self._server, self._silent))

    def cut_here(self, chunk: bytes) -> Cut | None:
        """Of what a client says just now."""
        if not self._mark or self._mark not in chunk:
            return None
        with self._lock:
            self.seen += 1
            return self._cut if self.seen == self._nth else None


class Link:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(self, relay: Relay, client: socket.socket, server: str, silent: bool) -> None:
        self._relay = relay
        self._client = client
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(server)
        self.silent = silent
        self._doomed = False
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._there, self._back)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._end()
        for thread in self._threads:
            thread.join(10)
        self._client.close()
        self._server.close()

    def _end(self) -> None:
        for one in (self._client, self._server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _there(self) -> None:
        with suppress(OSError):
            while chunk := self._client.recv(CHUNK_BYTES):
                if self.silent:
                    continue
                cut = self._relay.cut_here(chunk)
                if cut == "before":
                    break
                self._doomed = cut == "after"
                self._server.sendall(chunk)
        self._end()

    def _back(self) -> None:
        with suppress(OSError):
            while (chunk := self._server.recv(CHUNK_BYTES)) and not self._doomed:
                if not self.silent:
                    self._client.sendall(chunk)
        if not self.silent:
            self._end()
