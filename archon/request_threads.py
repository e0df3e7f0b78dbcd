"""Threads that requests take in turn. Django gives each request a new one, and with it a new database connection: on
PostgreSQL that is a third of a search."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

# So many wait for the next request; each keeps its connection, for CONN_MAX_AGE.
KEPT = 8


class RequestThreads:
    """ASGI middleware around everything. The thread that was used last goes first: its connection is the freshest."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._idle: deque[ThreadPoolExecutor] = deque()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "archon-request")
        try:
            async with _Thread(thread):
                await self._application(scope, receive, send)
        finally:
            self._return(thread)

    def _return(self, thread: ThreadPoolExecutor) -> None:
        """Once it is free: a client that goes away leaves its search running."""

        def free(_: Future[None]) -> None:
            if len(self._idle) < KEPT:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)

        thread.submit(lambda: None).add_done_callback(free)


class _Thread(ThreadSensitiveContext):
    """Of asgiref's own contexts one ends its thread, and the other forbids that a task which the request began goes on
    calling: an answer of the chat does. After this one it gets a thread of its own."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        super().__init__()
        self._thread = thread

    async def __aenter__(self) -> Self:
        self._before = SyncToAsync.thread_sensitive_context.set(self)
        SyncToAsync.context_to_thread_executor[self] = self._thread
        return self

    async def __aexit__(self, *raised: object) -> None:
        SyncToAsync.context_to_thread_executor.pop(self, None)
        SyncToAsync.thread_sensitive_context.reset(self._before)
