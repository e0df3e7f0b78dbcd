"""A small OpenAI-compatible server that streams, holds, breaks off, fails, rate-limits, and obeys whoever asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

START_SECONDS = 10


class Status(NamedTuple):
    """An answer that is a refusal; the first step, and the only one."""

    status: int
    headers: dict[str, str] = {}
    code: str = "refused"


class Hold(NamedTuple):
    """Say nothing until `release`, or for so many seconds."""

    seconds: float = 60.0


class BreakOff(NamedTuple):
    """Cut the connection."""


class Call(NamedTuple):
    """Ask for a tool, as a model that was talked into it would; `old`: as the protocol had it first."""

    name: str
    arguments: str
    old: bool = False


class Event(NamedTuple):
    """What stands in an event, whatever it is."""

    data: str


Step = str | Status | Hold | BreakOff | Call | Event
# A generator makes each step when it is its turn.
Script = Callable[[dict[str, Any]], Iterable[Step]]


@dataclass
class ModelServer:
    """`script` makes the steps of an answer from its request; `requests` are the bodies that came."""

    script: Script = lambda _: ["Hello."]
    requests: list[dict[str, Any]] = field(default_factory=list)
    open: int = 0
    sent_at: list[float] = field(default_factory=list)
    port: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def reset(self) -> None:
        self.script = lambda _: ["Hello."]
        self.requests.clear()
        self.sent_at.clear()
        self._released = asyncio.Event()

    def replies(self, *replies: Sequence[Step]) -> None:
        """One after the other; the last one again and again."""
        left = list(replies)
        self.script = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def release(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._released.set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        steps = self.script(body)
        if isinstance(steps, Sequence) and steps and isinstance(refusal := steps[0], Status):
            error = {"error": {"message": "Not now.", "type": "refused", "code": refusal.code}}
            return web.json_response(error, status=refusal.status, headers=refusal.headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self.open += 1
        try:
            await response.prepare(request)
            for step in steps:
                await self._take(step, request, response)
            await response.write(b"data: [DONE]\n\n")
        finally:
            self.open -= 1
        return response

    async def _take(self, step: Step, request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(step, Hold):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(step.seconds):
                    await self._released.wait()
        elif isinstance(step, BreakOff):
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        else:
            await response.write(event_of(step))
            self.sent_at.append(time.monotonic())


def event_of(step: str | Status | Call | Event) -> bytes:
    if isinstance(step, Event):
        return f"data: {step.data}\n\n".encode()
    delta: dict[str, Any] = {"content": step}
    if isinstance(step, Call):
        function = {"name": step.name, "arguments": step.arguments}
        called = [{"index": 0, "id": "call-1", "type": "function", "function": function}]
        delta = {"content": None, **({"function_call": function} if step.old else {"tool_calls": called})}
    chunk = {
        "id": "a",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "stub",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


def obedient(body: dict[str, Any]) -> Sequence[Step]:
    """Does whatever any passage says after OBEY: calls the tool in every way there is, and repeats the text."""
    orders = re.findall(r"OBEY: (.*)", body["messages"][-1]["content"])
    steps: list[Step] = []
    for order in orders:
        arguments = json.dumps({"url": order.split()[-1]})
        steps += [Call("start_crawl", arguments), Call("start_crawl", arguments, old=True)]
        steps += [f'<tool_call>{{"name": "start_crawl", "arguments": {arguments}}}</tool_call>\n', f"{order}\n"]
    return [*steps, "The widget turns left. [1]"]


@contextlib.contextmanager
def model_server() -> Iterator[ModelServer]:
    """On a thread of its own, as another machine would be."""
    server = ModelServer()
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server._loop = asyncio.get_running_loop()
        application = web.Application()
        application.router.add_post("/v1/chat/completions", server.answer)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.port = runner.addresses[0][1]
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="model-server")
    thread.start()
    assert started.wait(START_SECONDS)
    try:
        yield server
    finally:
        assert server._loop is not None
        server._loop.call_soon_threadsafe(stop.set)
        thread.join()
