"""Who writes the answers: tasks on this process's own event loop, and one recorder for the pieces of all of them.

The web process that took the question writes its answer: no queue lies between a token and its
socket, and a hundred answers that wait for their models cost a hundred small tasks. What has
been written is in the database; a process that dies is noticed by its silence (actions.sweep).
docs/decisions/0006-answers-in-the-web-process.md.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import logging
import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from knowledge.chat import actions, events
from knowledge.chat.answer import Delta, Done, Part, Plan, Typing, prepare, write
from knowledge.chat.errors import error_body
from knowledge.chat.models import ChatMessage
from knowledge.chat.prompt import TURNS, Turn
from knowledge.chat.recorder import Chunks, Recorder
from knowledge.errors import KnowledgeError
from progress import disk
from progress.loop import background_loop
from progress.messages import ErrorBody
from progress.viewer import account

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_making = threading.Lock()

# Threads for the searches and writes of all answers: so many database connections, however many answers stream.
THREADS = 4

UNFORESEEN: ErrorBody = {
    "code": "chat_failed",
    "message": "The answer could not be written.",
    "hint": "Ask again; the web process's log has the reason.",
}


class Runner:
    """All answers of this process. Take it from `runner()`; its tasks live on the process's background loop."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex
        self._loop = background_loop()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="chat")
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._recorder = Recorder(self._record, self._cancel)
        self._beating: asyncio.Task[None] | None = None
        # Ends what an orderly stop would leave streaming; a killed process is swept.
        atexit.register(self._interrupt, os.getpid())

    @property
    def full(self) -> bool:
        return len(self._tasks) >= settings.CHAT_ANSWERS_AT_ONCE

    def start(self, message_id: int) -> None:
        """Write the answer of this row. From any thread, after its commit."""
        self._loop.call_soon_threadsafe(self._start, message_id)

    def cancel(self, message_id: int) -> None:
        """Stop writing, and close the connection to the model. From any thread."""
        self._loop.call_soon_threadsafe(self._cancel, message_id)

    def _start(self, message_id: int) -> None:
        task = self._tasks[message_id] = asyncio.create_task(self._answer(message_id))
        task.add_done_callback(lambda _: self._ended(message_id))
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat())

    def _cancel(self, message_id: int) -> None:
        if message_id in self._tasks:
            self._tasks[message_id].cancel()

    def _ended(self, message_id: int) -> None:
        self._tasks.pop(message_id, None)
        self._recorder.forget(message_id)

    async def _answer(self, message_id: int) -> None:
        """The outer edge of an answer: however it fails, its row says so."""
        try:
            await self._write(message_id)
        except KnowledgeError as error:
            await self._fail(message_id, error_body(error))
        except Exception as error:
            logger.exception("answer %s failed", message_id)
            await self._fail(message_id, disk.FULL if disk.is_full(error) else UNFORESEEN)

    async def _write(self, message_id: int) -> None:
        plan = await self._in_thread(planned, message_id)
        if plan is None:
            return
        async with aclosing(write(plan)) as parts:
            async for part in parts:
                await self._take(message_id, part)

    async def _take(self, message_id: int, part: Part) -> None:
        if isinstance(part, Delta):
            self._recorder.add(message_id, part.text)
        elif isinstance(part, Typing):
            body = events.typing(message_id, part.stage, part.note, part.retry_in)
            await self._in_thread(actions.tell_typing, message_id, body)
        else:
            await self._complete(message_id, part)

    async def _record(self, chunks: Chunks) -> set[int]:
        return await self._in_thread(events.record_chunks, chunks)

    async def _complete(self, message_id: int, done: Done) -> None:
        await self._recorder.drain(message_id)
        complete = partial(actions.complete, text=done.text, citations=list(done.citations), model=done.model)
        await self._in_thread(complete, message_id)

    async def _fail(self, message_id: int, error: ErrorBody) -> None:
        try:
            await self._recorder.drain(message_id)
            await self._in_thread(actions.fail, message_id, error)
        except DatabaseError:  # no longer kept alive by this process, it is swept
            logger.exception("answer %s: its failure %s was not recorded", message_id, error["code"])

    async def _beat(self) -> None:
        """Tell that this process lives, and find what was stopped in another one."""
        while self._tasks:
            await asyncio.sleep(actions.BEAT_SECONDS)
            mine = set(self._tasks)
            try:
                streaming = await self._in_thread(actions.beat, self.name, mine)
            except DatabaseError as error:
                logger.warning("chat beat: %s: %s", type(error).__name__, error)
                continue
            for message_id in mine - streaming:
                self._cancel(message_id)

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(with_own_connection, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _interrupt(self, pid: int) -> None:
        if pid == os.getpid() and self._tasks:
            try:
                actions.interrupt(self.name)
            except DatabaseError as error:
                logger.warning("answers left to the sweep: %s: %s", type(error).__name__, error)


def planned(message_id: int) -> Plan | None:
    """The question of an answer, with the conversation before it, searched for; None when it was deleted."""
    answer = ChatMessage.objects.select_related("session").filter(pk=message_id).first()
    if answer is None:
        return None
    earlier = ChatMessage.objects.filter(session=answer.session_id, pk__lt=message_id).order_by("-pk")
    question, *before = list(earlier[: TURNS + 1])
    # A refusal or a failure is no context for the next question.
    history = [Turn(one.role, one.text) for one in reversed(before) if one.state == ChatMessage.State.COMPLETE]
    return prepare(question.text, history=history, source_id=answer.source_id, viewer=account(answer.session.owner_id))


def with_own_connection(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A thread of the pool has a connection of its own; an old or broken one is not used again."""
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        close_old_connections()


def runner() -> Runner:
    """The runner of this process."""
    with _making:  # the cache alone lets two first questions make one each, and a stop would miss its answer
        return _runner_of(os.getpid())


@functools.cache
def _runner_of(pid: int) -> Runner:
    return Runner()
