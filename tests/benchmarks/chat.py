"""`make bench-chat`: how long a token of the model takes to the socket, for one answer and for many at once.

The web process, the stub model and the clients are a process each, so that none waits for another's
turn. Each token carries the moment it was sent; all are on the machine's one clock. Clients check that
no sequence is missing. Exits 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_sync

from tests.llm import Hold, Step, model_server
from tests.web import WebProcess, world

SPAWN = multiprocessing.get_context("spawn")
QUESTION = "How often does the client retry?"
STORE = """
from tests.knowledge.pages import page, source, store
item = source("client")
store(item, *[page(f"p{n}", f"# Part {n}\\n\\nThe client retries a failed request {n} times.", f"Part {n}")
              for n in range(200)])
"""
FIRST_TOKEN_MS = 50.0


class Answered(NamedTuple):
    """Milliseconds: from the question to the first token, from the stub to the socket of the first and every token."""

    waited: float
    first: float
    tokens: list[float]
    frames: int
    complete: bool


def script(tokens: int, every: float) -> Iterator[Step]:
    """As a model speaks: the stub makes each step when it is to be sent."""
    for number in range(tokens):
        if number:
            yield Hold(every)
        yield f"@{time.monotonic():.6f} "


async def answered(port: int, session_id: str, tokens: int) -> Answered:
    delays: list[float] = []
    text, sequence, frames = "", 0, 0
    async with connect(f"ws://127.0.0.1:{port}/api/chat/{session_id}", max_size=None) as socket:
        await socket.recv()
        await socket.send(json.dumps({"type": "chat_message", "message": QUESTION}))
        asked_at, waited = time.monotonic(), 0.0
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            now = time.monotonic()
            if "data" not in frame:
                continue
            frames += 1
            sequence += 1
            assert frame["data"]["sequence"] == sequence, "an event is missing"
            if frame["type"] == "chat_chunk":
                waited = waited or 1_000 * (now - asked_at)
                text += frame["data"]["delta"]
                delays += [1_000 * (now - float(sent)) for sent in frame["data"]["delta"].replace("@", "").split()]
            elif frame["type"] == "chat_error":
                raise AssertionError(frame["data"]["error"])
            elif frame["type"] == "chat_completed":
                whole = frame["data"]["message"]["text"] == text and len(delays) == tokens
                return Answered(waited, delays[0], delays, frames, whole)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def row(table: Table, what: str, answers: Sequence[Answered], cpu: float) -> None:
    waited = [answer.waited for answer in answers]
    first = [answer.first for answer in answers]
    tokens = [delay for answer in answers for delay in answer.tokens]
    table.add_row(
        what,
        f"{statistics.median(waited):.1f} / {percentile(waited, 0.99):.1f}",
        f"{statistics.median(first):.1f} / {percentile(first, 0.99):.1f}",
        f"{statistics.median(tokens):.1f} / {percentile(tokens, 0.99):.1f}",
        f"{len(tokens) / sum(answer.frames for answer in answers):.1f}",
        f"{sum(answer.complete for answer in answers)} of {len(answers)}",
        f"{cpu:.0f} %",
    )


def serve_model(told: Connection, tokens: int, every: float) -> None:
    """The stub as a process: tells its address, serves until it is told to end."""
    with model_server() as model:
        model.script = lambda _: script(tokens, every)
        told.send(model.url)
        told.recv()


@contextlib.contextmanager
def model_process(tokens: int, every: float) -> Iterator[str]:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=serve_model, args=(theirs, tokens, every))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


def ask_all(port: int, names: Sequence[str], tokens: int, at_once: bool) -> list[Answered]:
    """In a client process: so many conversations, at once or one after the other."""
    return asyncio.run(asked(port, names, tokens, at_once))


async def asked(port: int, names: Sequence[str], tokens: int, at_once: bool) -> list[Answered]:
    if not at_once:
        return [await answered(port, name, tokens) for name in names]
    return list(await asyncio.gather(*(answered(port, name, tokens) for name in names)))


def measure(web: WebProcess, clients: ProcessPoolExecutor, options: argparse.Namespace, table: Table) -> bool:
    """With a socket open, as the list of sources in another tab: in the first tenth of a second after the first
    socket of an idle process opened, channels_redis does not look for news (it sleeps until it is subscribed)."""
    process = psutil.Process(web.pid)

    def ask(names: Sequence[str], *, at_once: bool) -> list[Answered]:
        return clients.submit(ask_all, web.port, names, options.tokens, at_once).result()

    with connect_sync(f"ws://127.0.0.1:{web.port}/api/knowledge-items/stream"):
        ask(["warm-up"], at_once=False)  # brings the package, the client and the plans of the database
        process.cpu_percent()
        single = ask([f"single-{number}" for number in range(options.singles)], at_once=False)
        row(table, "one answer", single, process.cpu_percent())
        many = ask([f"many-{number}" for number in range(options.streams)], at_once=True)
        row(table, f"{options.streams} at once", many, process.cpu_percent())
    first = percentile([answer.first for answer in single], 0.5)
    return first <= FIRST_TOKEN_MS and all(answer.complete for answer in [*single, *many])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--singles", type=int, default=20, help="answers one after the other")
    parser.add_argument("--streams", type=int, default=100, help="answers at once")
    parser.add_argument("--tokens", type=int, default=100, help="tokens of an answer")
    parser.add_argument("--rate", type=float, default=30, help="tokens a second of each answer")
    options = parser.parse_args()
    table = Table(
        "answers",
        "question to first token p50 / p99, ms",
        "first token p50 / p99, ms",
        "every token p50 / p99, ms",
        "tokens a frame",
        "whole",
        "CPU",
    )
    with contextlib.ExitStack() as ends:
        url = ends.enter_context(model_process(options.tokens, 1 / options.rate))
        clients = ends.enter_context(ProcessPoolExecutor(1, mp_context=SPAWN))
        started = ends.enter_context(world(ARCHON_LLM_MODEL="stub", ARCHON_LLM_BASE_URL=url))
        started.manage("shell", "-v0", "-c", STORE)
        reached = measure(started.web(), clients, options, table)
    console = Console()
    console.print(table)
    console.print(f"Goal: first token of one answer <= {FIRST_TOKEN_MS:.0f} ms, every answer whole: {reached}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
