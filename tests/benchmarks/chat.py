"""`make bench-chat`: how long a token of the model takes to the socket, for one answer and for many at once.

A web process of its own, the stub model of the tests, and clients that check that no sequence is
missing. Each token carries the moment it was sent; all are on one clock. Exits 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from tests.llm import Hold, ModelServer, Step, model_server
from tests.web import WebProcess, world

QUESTION = "How often does the client retry?"
STORE = """
from tests.knowledge.pages import page, source, store
item = source("client")
store(item, *[page(f"p{n}", f"# Part {n}\\n\\nThe client retries a failed request {n} times.", f"Part {n}")
              for n in range(200)])
"""
FIRST_TOKEN_MS = 50.0


class Answered(NamedTuple):
    """Milliseconds from the stub to the socket: of the first token, and of every token."""

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


async def answered(web: WebProcess, session_id: str, tokens: int) -> Answered:
    delays: list[float] = []
    text, sequence, frames = "", 0, 0
    async with connect(f"ws://127.0.0.1:{web.port}/api/chat/{session_id}", max_size=None) as socket:
        await socket.recv()
        await socket.send(json.dumps({"type": "chat_message", "message": QUESTION}))
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            now = time.monotonic()
            if "data" not in frame:
                continue
            frames += 1
            sequence += 1
            assert frame["data"]["sequence"] == sequence, "an event is missing"
            if frame["type"] == "chat_chunk":
                text += frame["data"]["delta"]
                delays += [1_000 * (now - float(sent)) for sent in frame["data"]["delta"].replace("@", "").split()]
            elif frame["type"] in ("chat_completed", "chat_error"):
                whole = frame["data"]["message"]["text"] == text and len(delays) == tokens
                return Answered(delays[0], delays, frames, whole)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def row(table: Table, what: str, answers: Sequence[Answered], cpu: float) -> None:
    first = [answer.first for answer in answers]
    tokens = [delay for answer in answers for delay in answer.tokens]
    table.add_row(
        what,
        f"{statistics.median(first):.1f} / {percentile(first, 0.99):.1f}",
        f"{statistics.median(tokens):.1f} / {percentile(tokens, 0.99):.1f}",
        f"{len(tokens) / sum(answer.frames for answer in answers):.1f}",
        f"{sum(answer.complete for answer in answers)} of {len(answers)}",
        f"{cpu:.0f} %",
    )


async def measure(web: WebProcess, model: ModelServer, options: argparse.Namespace, table: Table) -> bool:
    model.script = lambda _: script(options.tokens, 1 / options.rate)
    process = psutil.Process(web.pid)
    # As the list of sources in another tab: in the first tenth of a second after the first socket of an idle
    # process opened, channels_redis does not look for news (it sleeps until it is subscribed).
    async with connect(f"ws://127.0.0.1:{web.port}/api/knowledge-items/stream"):
        return await measured(web, process, options, table)


async def measured(web: WebProcess, process: psutil.Process, options: argparse.Namespace, table: Table) -> bool:
    tokens = options.tokens
    await answered(web, "warm-up", tokens)  # brings the package, the client and the plans of the database
    process.cpu_percent()
    single = [await answered(web, f"single-{number}", tokens) for number in range(options.singles)]
    row(table, "one answer", single, process.cpu_percent())
    many = await asyncio.gather(*(answered(web, f"many-{number}", tokens) for number in range(options.streams)))
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
    table = Table("answers", "first token p50 / p99, ms", "every token p50 / p99, ms", "tokens a frame", "whole", "CPU")
    with model_server() as model, world(ARCHON_LLM_MODEL="stub", ARCHON_LLM_BASE_URL=model.url) as started:
        started.manage("shell", "-v0", "-c", STORE)
        reached = asyncio.run(measure(started.web(), model, options, table))
    console = Console()
    console.print(table)
    console.print(f"Goal: first token of one answer <= {FIRST_TOKEN_MS:.0f} ms, every answer whole: {reached}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
