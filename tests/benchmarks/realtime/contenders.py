"""The servers that are compared. Each starts, says where it listens, and sends numbered updates on request."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Protocol
from urllib.parse import quote
from urllib.request import Request, urlopen

import psutil

from tests.stack import eventually, free_port
from tests.web import Program, World

PROGRESS_ID = "benchmark"
PEERS = "tests.benchmarks.realtime.peers"
# What every contender sends besides the sequence: the fields of a crawl's frame.
BODY: dict[str, Any] = {
    "progressId": PROGRESS_ID,
    "status": "crawling",
    "percentage": 45,
    "start_time": "2025-06-04T20:57:34.081424+00:00",
    "updated_at": "2025-06-04T20:58:01.123456+00:00",
    "currentUrl": "https://docs.example.org/en/latest/reference/configuration.html",
    "totalPages": 2400,
    "processedPages": 1100,
    "failedPages": 0,
    "skippedPages": 12,
    "discoveredUrls": 2500,
    "chunksStored": 9120,
    "wordCount": 1250000,
    "pagesPerSecond": 41.7,
    "etaSeconds": 31.2,
    "sourceId": "8b74d6a0-4970-4d7f-bf82-52a7c08916ad",
    "log": "Processed 1100/2400 pages",
    "logs": ["Starting crawl...", "Analyzing URL type...", "Processed 1100/2400 pages"],
}


class Contender(Protocol):
    name: str
    port: int
    pid: int

    def send(self, first: int, count: int, per_second: float) -> list[int]:
        """Publish `count` updates numbered from `first`, evenly or (0) flat out; the monotonic ns of each."""


class Archon:
    """The product: published by progress.publish in another process, over Redis, served by archon.web."""

    name = "Archon"

    def __init__(self, world: World, *, progress_id: str = PROGRESS_ID, updates: int = 0, options: Any = ()) -> None:
        self.web = world.web(options=options)
        self.port, self.pid = self.web.port, self.web.pid
        self.writer = world.writer()
        self.progress_id = progress_id
        self.writer.ask("prepare", progress_id, max(updates, 1))

    def send(self, first: int, count: int, per_second: float) -> list[int]:
        sent: list[int] = self.writer.ask("send", self.progress_id, first, count, per_second)
        return sent


class StockChannels:
    name = "stock Channels"

    def __init__(self, world: World) -> None:
        self.port = free_port()
        endpoint = f"tcp:port={self.port}:interface=127.0.0.1:backlog=4096"
        command = [sys.executable, "-m", "daphne", "-e", endpoint, "-v", "0", f"{PEERS}.stock:application"]
        # Stock Daphne pings a silent client after 20 s; no peer is measured with pings.
        server = world.program([*command, "--ping-interval", "600", "--ping-timeout", "600"], "stock.log")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.sender = world.program([sys.executable, "-m", f"{PEERS}.stock"], "stock-sender.log", **pipes)
        self.pid = server.pid
        wait_until_open(server)

    def send(self, first: int, count: int, per_second: float) -> list[int]:
        order = {"progress_id": PROGRESS_ID, "first": first, "count": count, "per_second": per_second, "body": BODY}
        assert self.sender.child.stdin is not None
        assert self.sender.child.stdout is not None
        self.sender.child.stdin.write(json.dumps(order).encode() + b"\n")
        self.sender.child.stdin.flush()
        sent: list[int] = json.loads(self.sender.child.stdout.readline())
        return sent


class Seed:
    name = "the seed's manager"

    def __init__(self, world: World) -> None:
        self.port = free_port()
        server = world.program([sys.executable, "-m", f"{PEERS}.seed", str(self.port)], "seed.log")
        self.pid = server.pid
        wait_until_open(server)

    def send(self, first: int, count: int, per_second: float) -> list[int]:
        order = {"progress_id": PROGRESS_ID, "first": first, "count": count, "per_second": per_second, "body": BODY}
        request = Request(f"http://127.0.0.1:{self.port}/send", json.dumps(order).encode(), method="POST")
        with urlopen(request, timeout=300) as answer:
            sent: list[int] = json.loads(answer.read())
        return sent


class Broadcast:
    name = "websockets broadcast"

    def __init__(self, world: World) -> None:
        self.port = free_port()
        server = world.program([sys.executable, "-m", f"{PEERS}.broadcast", str(self.port)], "broadcast.log")
        self.pid = server.pid
        wait_until_open(server)

    def send(self, first: int, count: int, per_second: float) -> list[int]:
        order = json.dumps({"first": first, "count": count, "per_second": per_second, "body": BODY})
        with urlopen(f"http://127.0.0.1:{self.port}/send?order={quote(order)}", timeout=300) as answer:
            sent: list[int] = json.loads(answer.read())
        return sent


def wait_until_open(server: Program) -> None:
    def listens() -> bool:
        assert server.child.poll() is None, server.log.read_text(errors="replace")[-4000:]
        return any(found.status == psutil.CONN_LISTEN for found in psutil.Process(server.pid).net_connections("tcp"))

    eventually(listens, what=f"{server.log.name} listens")
