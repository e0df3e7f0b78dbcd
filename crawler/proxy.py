"""A forward proxy on loopback through which the browser reaches the network: the guard at the socket, for Chromium too.

A browser makes requests that no hook of its protocol sees: redirect hops, workers, prefetches, WebSockets. All of them
have to pass a proxy when it is the only way out. This one looks every name up itself, refuses it when any address is
forbidden, connects to the address that it checked, and asks the connected socket where it ended.

Whoever uses it shows a ticket: the credential of one page. So no other program of this machine gets in, one page cannot
spend the bytes of another, and why a connection was refused is known to the page that wanted it.
"""

import asyncio
import base64
import binascii
import contextlib
import hmac
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from crawler.errors import CrawlerError, FetchError
from crawler.guard import Guard
from crawler.urls import canonical_url, host_and_port

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
CHUNK_BYTES = 64 * 1024
MAX_CONNECTIONS = 512
REFUSED_HEADER = "x-archon-refused"
_HOP_HEADERS = frozenset({b"connection", b"proxy-authorization", b"proxy-connection", b"keep-alive", b"upgrade"})


@dataclass(eq=False, slots=True)
class Ticket:
    """What one page may still transfer, in both directions together, and what it was refused, by "host:port"."""

    name: str
    secret: str
    bytes_left: int
    refused: dict[str, CrawlerError] = field(default_factory=dict)
    overdrawn: bool = False
    _serving: set["asyncio.Task[None]"] = field(default_factory=set)

    def spend(self, count: int) -> None:
        """Raises OverdrawnError when the page has had its share: its connections end."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            self.overdrawn = True
            self.close()
            raise OverdrawnError

    def close(self) -> None:
        for task in tuple(self._serving):
            task.cancel()

    @contextmanager
    def serving(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            yield
        finally:
            self._serving.discard(task)


class OverdrawnError(Exception):
    """Ends a connection; the ticket keeps the fact."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request to the proxy. `target` is host:port for CONNECT, an absolute http URL otherwise."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def parse(cls, raw: bytes) -> "Head":
        """Raises ValueError."""
        first, *lines = raw.rstrip(b"\r\n").split(b"\r\n")
        method, target, version = first.decode("ascii").split(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(f"unknown version {version}")
        headers = []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip():
                raise ValueError("malformed header")
            headers.append((name, value.strip()))
        return cls(method, target, version, tuple(headers))

    @property
    def credential(self) -> tuple[str, str]:
        given = {name.lower(): value for name, value in self.headers}.get(b"proxy-authorization", b"")
        scheme, _, encoded = given.partition(b" ")
        if scheme.lower() != b"basic":
            return "", ""
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, secret

    @property
    def url(self) -> str:
        """Where it leads, canonical, so that what is checked and what is dialled are spelt alike. Raises InvalidUrl."""
        if self.method == "CONNECT":
            return canonical_url(f"http://{self.target}/")
        return canonical_url(self.target, keep_tracking=True)

    def for_the_site(self) -> bytes:
        """The request as its server wants it: the path alone, one Host, nothing of the proxy, one exchange."""
        authority, _, path = self.target.removeprefix("http://").partition("/")
        if "?" in authority:  # http://host?query
            authority, _, query = authority.partition("?")
            path = f"?{query}"
        lines = [f"{self.method} /{path} HTTP/1.1".encode("ascii"), b"Host: " + authority.encode("ascii")]
        kept = _HOP_HEADERS | {b"host"}
        lines += [name + b": " + value for name, value in self.headers if name.lower() not in kept]
        return b"\r\n".join([*lines, b"Connection: close", b"", b""])


class GuardingProxy:
    """Serves on the running event loop from `start` to `close`."""

    def __init__(self, guard: Guard, *, connect_timeout: float = 5, idle_timeout: float = 60) -> None:
        self._guard = guard
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._tickets: dict[str, Ticket] = {}
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self.address = ""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=HEAD_BYTES)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for listener in server.sockets:
            asyncio.get_running_loop().remove_reader(listener)
        # What was accepted a moment ago becomes a connection first: a server that is closed before leaks it,
        # https://github.com/python/cpython/issues/109564.
        await asyncio.sleep(0)
        server.close()
        connections = dict(self._connections)
        for task, writer in connections.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()

    @contextmanager
    def ticket(self, *, max_bytes: int) -> Iterator[Ticket]:
        """A page's right to use the proxy; its connections end with it."""
        ticket = Ticket(secrets.token_hex(16), secrets.token_hex(16), max_bytes)
        self._tickets[ticket.name] = ticket
        try:
            yield ticket
        finally:
            del self._tickets[ticket.name]
            ticket.close()

    # ---- One connection -------------------------------------------------------------------

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """In the loop's own call, so that also one that is cancelled before its first step is closed."""
        if self._server is None:  # accepted at the last moment
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task).close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._connections) <= MAX_CONNECTIONS:
                await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OverdrawnError):
            pass  # the browser hung up, or sent no request: there is nobody to tell
        except asyncio.CancelledError:
            pass  # the page is over; a cancelled task would be reported as a failure

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_SECONDS):
            raw = await reader.readuntil(b"\r\n\r\n")
        try:
            head = Head.parse(raw)
        except ValueError:
            _say(writer, "400 Bad Request")
            return
        ticket = self._ticket_of(head)
        if ticket is None:
            _say(writer, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="archon"')
            return
        with ticket.serving():
            try:
                upstream = await self._dial(head)
            except CrawlerError as error:
                ticket.refused[_place(head)] = error
                _say(writer, "403 Forbidden", f"{REFUSED_HEADER}: {ticket.secret}")
                return
            async with _streams(upstream) as (from_site, to_site):
                if head.method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    to_site.write(head.for_the_site())
                await self._relay(ticket, (reader, to_site), (from_site, writer))

    def _ticket_of(self, head: Head) -> Ticket | None:
        name, secret = head.credential
        ticket = self._tickets.get(name)
        return ticket if ticket is not None and hmac.compare_digest(ticket.secret, secret) else None

    async def _dial(self, head: Head) -> socket.socket:
        """A connection to an address that was checked. Raises CrawlerError."""
        url = head.url
        if head.method != "CONNECT" and not head.target.startswith("http://"):
            raise FetchError("connect_failed", f"{url} was asked for without a tunnel.")
        self._guard.check_url(url)
        host, port = host_and_port(url)
        try:
            async with asyncio.timeout(self._connect_timeout):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise FetchError("dns_failed", f"The name {host} could not be looked up.", retryable=True) from error
        for entry in found:  # one forbidden address forbids the name
            self._guard.check_sockaddr(host, entry[4])
        reason: BaseException = OSError("no address")
        for entry in found:
            try:
                return await self._connect(host, entry)
            except (OSError, TimeoutError) as error:
                reason = error
        raise FetchError("connect_failed", f"No connection to {host}:{port}.", retryable=True) from reason

    async def _connect(self, host: str, entry: tuple[Any, ...]) -> socket.socket:
        with self._guard.dialling(host):
            connection = self._guard.socket_factory(entry)
        try:
            connection.setblocking(False)
            async with asyncio.timeout(self._connect_timeout):
                await asyncio.get_running_loop().sock_connect(connection, entry[4])
            self._guard.check_sockaddr(host, connection.getpeername())
        except BaseException:
            connection.close()
            raise
        return connection

    async def _relay(self, ticket: Ticket, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Both ways at once, until either side is done, silent for too long, or the ticket is spent."""
        pumps = [asyncio.create_task(self._pump(ticket, source, sink)) for source, sink in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, ticket: Ticket, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self._idle_timeout):
                chunk = await source.read(CHUNK_BYTES)
            if not chunk:
                return
            ticket.spend(len(chunk))
            sink.write(chunk)
            async with asyncio.timeout(self._idle_timeout):
                await sink.drain()


def _place(head: Head) -> str:
    """host:port, as `Ticket.refused` is keyed; what is no address is kept under its own spelling."""
    try:
        return place_of(head.url)
    except CrawlerError:
        return head.target


def place_of(url: str) -> str:
    """host:port of a canonical URL."""
    host, port = host_and_port(url)
    return f"{host}:{port}"


def _say(writer: asyncio.StreamWriter, status: str, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode("ascii"))


@asynccontextmanager
async def _streams(connection: socket.socket) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(sock=connection, limit=CHUNK_BYTES)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
