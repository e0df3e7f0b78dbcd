"""`make bench-realtime`: the figures of docs/benchmarks/realtime.md, all in one run. JSON and a table come out.

The exit status is 1 when a figure misses its goal. Everything stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

from tests.benchmarks.realtime.contenders import PROGRESS_ID, Archon, Broadcast, Contender, Seed, StockChannels
from tests.benchmarks.realtime.goals import goals, table
from tests.benchmarks.realtime.viewers import allow_many_files
from tests.web import Program, World, world

VIEWERS = 1_000
PACE = 50
PACED_SECONDS = 5
RUNS = 3
PATH = f"/api/crawl-progress/{PROGRESS_ID}"
MEGABYTE = 2**20


class Load:
    """The viewers, in a process of their own."""

    def __init__(self, world: World, name: str = "load") -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.program: Program = world.program(
            [sys.executable, "-m", "tests.benchmarks.realtime.viewers"], f"{name}.log", **pipes
        )

    def tell(self, do: str, **order: Any) -> None:
        assert self.program.child.stdin is not None
        self.program.child.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
        self.program.child.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.program.child.stdout is not None
        line = self.program.child.stdout.readline()
        assert line, self.program.log.read_text(errors="replace")[-4000:]
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        self.tell(do, **order)
        return self.answer()


def spent(pid: int) -> float:
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


def deliver(
    load: Load, server: Contender, first: int, count: int, per_second: float, patience: float
) -> dict[str, Any]:
    """One run over the sockets that are open: publish, receive, compare."""
    before, started = spent(server.pid), time.monotonic()
    load.tell("receive", frames=count, seconds=patience + (count / per_second if per_second else 0))
    sent = server.send(first, count, per_second)
    load.answer()
    seconds = time.monotonic() - started
    outcome = load.ask("outcome", sent_ns=sent)
    used = spent(server.pid) - before
    outcome["server_cpu"] = round(used / seconds, 2)
    outcome["us_per_delivery"] = round(used / max(1, outcome["delivered"]) * 1e6, 2)
    outcome["frames"] = count
    return outcome


def fan_out(make: Callable[[World], Contender], *, per_second: float, burst: int) -> dict[str, Any]:
    """VIEWERS on one id: an even pace, then as fast as it goes; each RUNS times, the median counts."""
    with world(ARCHON_HEARTBEAT_SECONDS="300") as started:
        server, load = make(started), Load(started)
        connected = load.ask("connect", port=server.port, path=PATH, count=VIEWERS)
        time.sleep(1)
        paced: list[dict[str, Any]] = []
        flat_out: list[dict[str, Any]] = []
        first = 2
        for count, pace, outcomes in ((int(per_second * PACED_SECONDS), per_second, paced), (burst, 0.0, flat_out)):
            for _ in range(RUNS):
                outcomes.append(deliver(load, server, first, count, pace, patience=60))
                first += count
        return {
            "name": server.name,
            "connected": connected,
            "pace": per_second,
            "paced": median(paced, "p99_ms"),
            "paced_all": paced,
            "flat_out": median(flat_out, "per_second"),
            "flat_out_all": flat_out,
        }


def median(outcomes: list[dict[str, Any]], of: str) -> dict[str, Any]:
    """By speed; what was lost in any of them counts."""
    outcomes.sort(key=lambda outcome: float(outcome.get(of, 0)))
    return {**outcomes[len(outcomes) // 2], "lost": sum(outcome["lost"] for outcome in outcomes)}


def archon(updates: int) -> Callable[[World], Contender]:
    return lambda started: Archon(started, updates=updates)


def storm() -> dict[str, Any]:
    """2,000 sockets are cut, and come back within 5 s."""
    with world() as started:
        server, load = Archon(started, updates=500), Load(started)
        load.ask("connect", port=server.port, path=PATH, count=2_000, group="before")
        server.send(2, 200, 100)
        load.ask("abort", group="before")
        answer = load.ask(
            "storm", port=server.port, path=f"{PATH}?since=150", count=2_000, seconds=5.0, patience=30.0, group="after"
        )
        return {**answer, "memory_mb": server.web.memory // MEGABYTE}


def slow() -> dict[str, Any]:
    """200 clients that never read, 100 updates a second; 100 others look on."""
    with world(ARCHON_HEARTBEAT_SECONDS="300") as started:
        server, load, stalled = Archon(started, updates=6_500), Load(started), Load(started, "stalled")
        load.ask("connect", port=server.port, path=PATH, count=100)
        before = server.web.memory
        stalled.ask("connect", port=server.port, path=PATH, count=200, receive_buffer=4096)
        most, closed_after, opened = before, None, time.monotonic()
        outcomes = []
        for number in range(12):
            outcomes.append(deliver(load, server, 2 + 500 * number, 500, 100, patience=10))
            most = max(most, server.web.memory)
            left = connections(server.pid)
            if left <= 100 and closed_after is None:
                closed_after = round(time.monotonic() - opened, 1)
        return {
            "grown_mb": round((most - before) / MEGABYTE, 1),
            "closed_after_s": closed_after,
            "left": connections(server.pid) - 100,
            "others": outcomes,
            "p99_ms": max(outcome["p99_ms"] for outcome in outcomes),
            "lost": sum(outcome["lost"] for outcome in outcomes),
            "closed_1013": server.web.log.read_text(errors="replace").count("socket takes nothing, closing it"),
        }


def connections(pid: int) -> int:
    return sum(1 for found in psutil.Process(pid).net_connections("tcp") if found.status == psutil.CONN_ESTABLISHED)


def churn() -> dict[str, Any]:
    """10,000 connects and disconnects, over many ids; memory after each thousand."""
    with world() as started:
        server, load = Archon(started, updates=10), Load(started)
        memory = []
        for _ in range(10):
            for part in range(10):
                path = f"{PATH}-{part % 5}" if part % 2 else PATH
                load.ask("connect", port=server.port, path=path, count=100, group="churn")
                load.ask("abort" if part % 3 else "close", group="churn")
            memory.append(server.web.memory // MEGABYTE)
        with started.redis() as redis:
            subscriptions = eventually_none(lambda: [name for name in redis.pubsub_channels() if b"group" in name])
        with urlopen(f"http://127.0.0.1:{server.port}/api/debug/realtime", timeout=30) as answer:
            topics = json.loads(answer.read())["topics"]
        return {
            "memory_mb": memory,
            "grown_mb": memory[-1] - memory[1],
            "subscriptions_left": subscriptions,
            "topics_left": len(topics),
            "sockets_left": connections(server.pid),
        }


def eventually_none(found: Callable[[], list[Any]], seconds: float = 10) -> int:
    deadline = time.monotonic() + seconds
    while (left := found()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(left)


def idle(seconds: float = 150) -> dict[str, Any]:
    with world() as started:
        server, load = Archon(started, updates=10), Load(started)
        before = server.web.memory
        load.ask("connect", port=server.port, path=PATH, count=1_000, group="many")
        kilobytes = (server.web.memory - before) / 1024 / 1000
        load.ask("close", group="many")
        load.ask("connect", port=server.port, path=PATH, count=1)
        lived = started_idle(load, server, seconds)
        return {"seconds": seconds, "next_message_ms": lived, "kb_per_idle_socket": round(kilobytes, 1)}


def started_idle(load: Load, server: Archon, seconds: float) -> float | None:
    """A browser answers pings by itself; so does the viewer while it waits."""
    load.ask("rest", seconds=seconds)
    outcome = deliver(load, server, 2, 1, 0, patience=10)
    return outcome.get("max_ms")


SCENARIOS: dict[str, Callable[[], Any]] = {
    "fan_out": lambda: [
        fan_out(archon(4_000), per_second=PACE, burst=1_000),
        fan_out(Seed, per_second=PACE, burst=300),
        # It cannot follow PACE, and drops what exceeds 100 messages per socket.
        fan_out(StockChannels, per_second=4, burst=50),
        fan_out(Broadcast, per_second=PACE, burst=300),
    ],
    "storm": storm,
    "slow": slow,
    "churn": churn,
    "idle": idle,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], default=[])
    parser.add_argument("--json", type=Path, default=Path("var/bench-realtime.json"))
    chosen = parser.parse_args()
    allow_many_files()
    results: dict[str, Any] = {"load_before": os.getloadavg()}
    for name in chosen.scenarios or SCENARIOS:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name} (load {os.getloadavg()[0]:.1f})\n")
        results[name] = SCENARIOS[name]()
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    results["load_after"] = os.getloadavg()
    chosen.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    sys.stdout.write(table(results) + "\n")
    return 0 if all(goal.met for goal in goals(results)) else 1


if __name__ == "__main__":
    sys.exit(main())
