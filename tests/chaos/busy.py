"""`make chaos-sqlite`: SQLite under eight worker processes that write and fifty requests a second, for five minutes.

Crawls run all the while, each started again when it ends; clients read, search, and change sources. Nobody may hear
"database is locked", no answer may be a 500, and what was crawled is whole. Writes a report, and exits 1 when that is
not so.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TextColumn

from tests.e2e.served import MISSING, served
from tests.stack import Stack, running_stack

WRITERS = 8
REQUESTS_PER_SECOND = 50
CLIENTS = 10
PAGES = 40
FAILED = 500


@dataclass
class Heard:
    """What the clients heard: answers by status, seconds of each, and every answer that must not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    crawls: int = 0

    def wrong(self, stack: Stack) -> list[str]:
        locked = [name for name in ("web", "worker", "beat") if "database is locked" in stack.log(name)]
        return [*self.bad, *(f"the log of {name} says: database is locked" for name in locked)]


class Load:
    def __init__(self, stack: Stack, seconds: float) -> None:
        self.stack = stack
        self.until = time.monotonic() + seconds
        self.heard = Heard()
        self.sources: list[str] = []
        self._lock = threading.Lock()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        started = time.monotonic()
        try:
            status, answer = self.stack.request(method, path, body)
        except (OSError, HTTPException) as error:
            status, answer = 0, str(error)
        with self._lock:
            self.heard.statuses[status] += 1
            self.heard.seconds.append(time.monotonic() - started)
            if status == 0 or status >= FAILED or "database is locked" in json.dumps(answer):
                self.heard.bad.append(f"{method} {path}: {status} {str(answer)[:200]}")
        return answer

    def crawl_again_and_again(self, url: str) -> None:
        """One site, from its first crawl through refreshes, to the end of the load; its last crawl is whole."""
        answer = self.ask("POST", "/api/knowledge-items/crawl", {"url": url, "max_depth": 5})
        source_id = answer["sourceId"]
        self.sources.append(source_id)
        while True:
            data = self.stack.ended(answer["progressId"], seconds=120)
            self.heard.crawls += 1
            if (data["status"], data["processedPages"]) != ("completed", PAGES + MISSING):
                self.heard.bad.append(f"{url}: {data['status']}, {data['processedPages']} pages, {data.get('error')}")
            if time.monotonic() >= self.until:
                return
            answer = self.ask("POST", f"/api/knowledge-items/{source_id}/refresh")

    def be_a_client(self, number: int) -> None:
        """Its part of the requests, at an even pace."""
        for turn in itertools.count(number):
            moment = time.monotonic()
            if moment >= self.until:
                return
            self._one_request(turn)
            time.sleep(max(0.0, CLIENTS / REQUESTS_PER_SECOND - (time.monotonic() - moment)))

    def _one_request(self, turn: int) -> None:
        source = self.sources[turn % len(self.sources)] if self.sources else ""
        if not source or turn % 5 == 0:
            self.ask("GET", "/api/knowledge-items?per_page=20")
        elif turn % 5 == 1:
            self.ask("POST", "/api/rag/query", {"query": "queues and leases", "match_count": 5, "mode": "keyword"})
        elif turn % 5 == 2:
            self.ask("PUT", f"/api/knowledge-items/{source}", {"title": f"Renamed {turn}"})
        elif turn % 5 == 3:
            self.ask("GET", "/api/progress/")
        else:
            self.ask("GET", f"/api/knowledge-items/{source}/chunks?limit=20")


def busy(seconds: float, console: Console | None = None) -> tuple[Heard, list[str]]:
    """What was heard, and what of it is wrong. A console is shown how it goes."""
    options = {"ARCHON_WORKERS": str(WRITERS), "ARCHON_CRAWLS_AT_ONCE": str(WRITERS), "ARCHON_SLICE_SECONDS": "10"}
    with (
        running_stack(**options, DATABASE_URL="", ARCHON_REQUESTS_PER_MINUTE="1000000") as stack,
        contextlib.ExitStack() as sites,
    ):
        load = Load(stack, seconds)
        urls = [sites.enter_context(served(PAGES)).url for _ in range(WRITERS)]
        tasks = [threading.Thread(target=load.crawl_again_and_again, args=(url,)) for url in urls]
        tasks += [threading.Thread(target=load.be_a_client, args=(number,)) for number in range(CLIENTS)]
        for task in tasks:
            task.start()
        if console:
            tell(load, console)
        for task in tasks:
            task.join()
        return load.heard, load.heard.wrong(stack)


def tell(load: Load, console: Console) -> None:
    """Until the load ends. The last crawls go on for some seconds then."""
    with Progress(*Progress.get_default_columns(), TextColumn("{task.fields[counts]}"), console=console) as progress:
        whole = load.until - time.monotonic()
        bar = progress.add_task("load", total=whole, counts="")
        while (left := load.until - time.monotonic()) > 0:
            heard = load.heard
            counts = f"{len(heard.seconds)} requests, {heard.crawls} crawls, {len(heard.bad)} wrong"
            progress.update(bar, completed=whole - left, counts=counts)
            time.sleep(min(left, 0.5))
        progress.update(bar, completed=whole)


def report(heard: Heard, wrong: list[str], seconds: float) -> dict[str, Any]:
    """Milliseconds of the answers, and all that the exit code is about."""
    ordered = sorted(heard.seconds)
    return {
        "seconds": seconds,
        "cpus": os.cpu_count(),
        "writers": WRITERS,
        "requests": len(ordered),
        "requests_per_second": round(len(ordered) / seconds, 1),
        "answers": dict(heard.statuses),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000),
        "slowest_ms": round(ordered[-1] * 1000),
        "crawls": heard.crawls,
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--report", type=Path, default=Path("var/chaos-sqlite.json"))
    options = parser.parse_args()
    console = Console()
    heard, wrong = busy(options.seconds, console)
    figures = report(heard, wrong, options.seconds)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(figures, indent=2))
    for name, figure in figures.items():
        if name != "wrong":
            console.print(f"{name:>20} {figure}", highlight=False)
    for one in wrong[:20]:
        console.print(f"[red]{one}", highlight=False)
    console.print(
        f"{len(wrong)} wrong: {'[red]MISSED' if wrong else '[green]holds'}; {options.report}", highlight=False
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
