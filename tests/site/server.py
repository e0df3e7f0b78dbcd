"""A web server in its own thread, on a free port of 127.0.0.1, that remembers what it was asked for."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """What a route says. A 200 carries an ETag of its body and is answered with 304 when the client has it."""

    body: str | bytes = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = HTML
    delay: float = 0


Call = Callable[[web.Request], "Answer | web.StreamResponse | Awaitable[Answer | web.StreamResponse]"]
Route = Answer | str | bytes | Call


class Seen(NamedTuple):
    """One request; header names are lower-case, `path` includes the query."""

    method: str
    path: str
    headers: dict[str, str]


class LocalSite:
    """A context manager. Routes may be changed while it runs; a path without one is a file of `directory`, or 404."""

    def __init__(
        self, routes: Mapping[str, Route] | None = None, *, directory: Path | None = None, port: int = 0
    ) -> None:
        self.routes: dict[str, Route] = dict(routes or {})
        self.directory = directory
        self.port = port
        self._seen: list[Seen] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-site", daemon=True)

    @property
    def url(self) -> str:
        """The origin, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Seen]:
        with self._changed:
            return list(self._seen)

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.requests]

    def forget(self) -> None:
        with self._changed:
            self._seen.clear()

    def wait_for(self, path: str, *, times: int = 1, timeout: float = 10) -> None:
        """Block until `path` has been asked for so often."""
        with self._changed:
            enough = self._changed.wait_for(lambda: [seen.path for seen in self._seen].count(path) >= times, timeout)
        if not enough:
            raise TimeoutError(f"Expected {times} requests for {path}, but got {self.paths}")

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._failure = error
            self._ready.set()
        finally:
            # What the handlers left behind ends too, and their connections are told that they are closed.
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            # One with an answer that its client never read, or one accepted at the last moment, is nobody's else.
            for transport in list(getattr(self._loop, "_transports", {}).values()):
                transport.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        # A client that hangs up ends its handler, so that a slow one does not outlive the site.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", self.port))
        await web.SockSite(runner, listener).start()
        self.port = listener.getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        # What was accepted a moment ago becomes a connection first: a server that is closed before leaks it,
        # https://github.com/python/cpython/issues/109564.
        self._loop.remove_reader(listener)
        await asyncio.sleep(0)
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        with self._changed:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self._seen.append(Seen(request.method, request.path_qs, headers))
            self._changed.notify_all()
        route = self.routes.get(request.path_qs, self.routes.get(request.path))
        if route is None:
            return self._file(request.path)
        said = await self._say(route, request)
        return said if isinstance(said, web.StreamResponse) else await self._respond(request, said)

    async def _say(self, route: Route, request: web.Request) -> Answer | web.StreamResponse:
        if isinstance(route, str | bytes):
            return Answer(route)
        if isinstance(route, Answer):
            return route
        said = route(request)
        return await said if isinstance(said, Awaitable) else said

    async def _respond(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.delay:
            await asyncio.sleep(answer.delay)
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        headers = {"Content-Type": answer.content_type, **answer.headers} if answer.content_type else {**answer.headers}
        if answer.status == 200:
            headers.setdefault("ETag", f'"{hashlib.sha256(body).hexdigest()[:16]}"')
            if request.headers.get("If-None-Match") == headers["ETag"]:
                return web.Response(status=304, headers={"ETag": headers["ETag"]})
        return web.Response(body=body, status=answer.status, headers=headers)

    def _file(self, path: str) -> web.StreamResponse:
        if self.directory is not None:
            root = self.directory.resolve()
            found = (root / path.lstrip("/")).resolve()
            found = found / "index.html" if found.is_dir() else found
            if found.is_relative_to(root) and found.is_file():
                return web.FileResponse(found)
        return web.Response(status=404, text="<h1>Not found</h1>", content_type="text/html")
