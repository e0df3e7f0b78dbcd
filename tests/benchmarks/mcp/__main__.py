"""`make bench-mcp`: a search as an assistant waits for it, beside the same search over REST, in one run.

A web process of its own with the bundled embedder and 20,000 chunks of real documentation. The calls are
the SDK client's, so its own work is in the figures. Exits 1 when a goal is missed.
ARGS="--chunks 2000 --calls 50" is quick.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mcp import Client
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from tests.benchmarks.rest import WARM_UP, Timing, timed_searches
from tests.stack import ROOT
from tests.web import WebProcess, World, world

SEARCH = "rag_search_knowledge_base"
P50_MS, P99_MS, LOG_MS = 30.0, 80.0, 100.0


async def timed(call: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await call()
    return 1_000 * (time.perf_counter() - started)


async def search(client: Client, question: str) -> None:
    result = await client.call_tool(SEARCH, {"query": question, "repeat": True})
    assert not result.is_error, result.content
    assert result.structured_content is not None
    assert result.structured_content["search_mode"] == "hybrid", "a fallback would be measured unseen"


async def one_after_another(url: str, questions: list[str], mode: str) -> Timing:
    async with Client(url, mode=mode) as client:
        for question in questions[:WARM_UP]:
            await search(client, question)
        taken = [await timed(lambda question=question: search(client, question)) for question in questions]  # type: ignore[misc]
    return Timing(f"MCP, one client, {mode}", taken)


async def in_parallel(url: str, questions: list[str], clients: int) -> Timing:
    """Each client with its own handshake and connection; any error ends the run."""
    per_client = max(1, len(questions) // clients)

    async def one(number: int) -> list[float]:
        own = [questions[(number * 7 + turn) % len(questions)] for turn in range(per_client)]
        async with Client(url, mode="legacy") as client:
            return [await timed(lambda question=question: search(client, question)) for question in own]  # type: ignore[misc]

    taken = await asyncio.gather(*(one(number) for number in range(clients)))
    return Timing(f"MCP, {clients} clients at once", [one for many in taken for one in many])


async def to_the_log(port: int, questions: list[str]) -> Timing:
    """From the end of a call to its record on the socket; below zero when the record was there first."""
    taken = []
    address = f"127.0.0.1:{port}"
    async with connect(f"ws://{address}/api/mcp/logs/stream") as socket, Client(f"http://{address}/mcp") as client:
        for number, question in enumerate(questions):
            marked = f"{question} bench{number}"
            arrival = asyncio.create_task(arrived(socket, marked))
            await search(client, marked)
            ended = time.perf_counter()
            taken.append(1_000 * (await asyncio.wait_for(arrival, 20) - ended))
    return Timing("call ended to log socket", taken)


async def arrived(socket: Any, marked: str) -> float:
    wanted = marked[:150]
    while True:
        record = json.loads(await socket.recv())
        if str(record.get("metadata", {}).get("arguments", {}).get("query", ""))[:150] == wanted:
            return time.perf_counter()


def filled(started: World, chunks: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.mcp.fill", str(chunks)]
    environment = {**started.environment, "DJANGO_SETTINGS_MODULE": "archon.settings"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def measured(web: WebProcess, questions: list[str], clients: int) -> list[Timing]:
    url = f"http://127.0.0.1:{web.port}/mcp"
    return [
        timed_searches(web.port, questions, "REST, one client", expected_mode="hybrid"),
        asyncio.run(one_after_another(url, questions, "legacy")),
        asyncio.run(one_after_another(url, questions, "auto")),
        asyncio.run(in_parallel(url, questions, clients)),
        asyncio.run(to_the_log(web.port, questions[:100])),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench-mcp")
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--clients", type=int, default=50)
    options = parser.parse_args()
    console = Console()
    with world(ARCHON_EMBEDDER="local") as started:
        stored = filled(started, options.chunks)
        asked = stored["questions"]
        questions = (asked * (1 + options.calls // len(asked)))[: options.calls]
        timings = measured(started.web(), questions, options.clients)
    table = Table(title=f"{stored['chunks']:,} chunks, {len(questions)} questions", box=None)
    for column in ("", "p50 ms", "p99 ms", "max ms"):
        table.add_column(column, justify="left" if not column else "right")
    for timing in timings:
        worst = max(timing.milliseconds)
        table.add_row(timing.what, f"{timing.p50:.1f}", f"{timing.p99:.1f}", f"{worst:.1f}")
    console.print(table)
    return judged(console, timings)


def judged(console: Console, timings: list[Timing]) -> int:
    rest, legacy, modern, _, log = timings
    console.print(f"MCP costs {legacy.p50 / rest.p50:.1f} times the same search over REST (p50)")
    goals = {
        f"a search takes <= {P50_MS:.0f} ms (p50)": max(legacy.p50, modern.p50) <= P50_MS,
        f"and <= {P99_MS:.0f} ms (p99)": max(legacy.p99, modern.p99) <= P99_MS,
        f"a call is on the log socket within {LOG_MS:.0f} ms (p99)": log.p99 <= LOG_MS,
        "no call of the parallel clients failed": True,
    }
    for goal, met in goals.items():
        console.print(f"[{'green' if met else 'red'}]{'met   ' if met else 'MISSED'}[/] {goal}")
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
