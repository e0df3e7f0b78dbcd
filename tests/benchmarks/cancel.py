"""`make bench-cancel`: how long a cancel takes from the click to the end on the socket, and what is stored after it.

Crawls of a local site are cancelled at drawn moments. Measured is the time from the request until the terminal frame;
what is stored when the request was answered must be all that is stored once the worker has noticed. Exits 1 when the
99th of 100 takes longer than the bound, or when anything was stored after the answer.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from tests.e2e.served import Served, served
from tests.stack import Stack, running_stack

BOUND_SECONDS = 3.0
PAGES = 300
# The worker has looked whether its crawl is over, and given its pages back, after this long.
NOTICED_SECONDS = 1.5


@dataclass
class Cancel:
    """Seconds until the answer and until the terminal frame, and how many documents came after the answer."""

    at_pages: int
    answered: float
    ended: float
    late: int


def cancelled(stack: Stack, site: Served, at_pages: int) -> Cancel:
    progress_id = stack.crawl(site.url, max_depth=5)
    ended_at: list[float] = []
    reached = threading.Event()

    def watch() -> None:
        for frame in stack.frames(progress_id):
            if frame["data"].get("processedPages", 0) >= at_pages:
                reached.set()
        ended_at.append(time.monotonic())
        reached.set()

    watching = threading.Thread(target=watch)
    watching.start()
    reached.wait(60)
    asked = time.monotonic()
    status, body = stack.request("POST", f"/api/knowledge-items/stop/{progress_id}")
    answered = time.monotonic()
    assert status == 200, body
    source_id = stack.get(f"/api/progress/{progress_id}")["sourceId"]
    before = documents(stack, source_id)
    watching.join(60)
    time.sleep(NOTICED_SECONDS)
    late = documents(stack, source_id) - before
    stack.request("DELETE", f"/api/knowledge-items/{source_id}")
    return Cancel(at_pages, answered - asked, ended_at[0] - asked, late)


def documents(stack: Stack, source_id: str) -> int:
    return int(stack.get(f"/api/knowledge-items/{source_id}")["metadata"]["document_count"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cancels", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    drawn, console = random.Random(options.seed), Console()
    found: list[Cancel] = []
    with running_stack(ARCHON_SLICE_SECONDS="10") as stack, served(PAGES, delay=0.2) as site:
        for _ in track(range(options.cancels), console=console):
            found.append(cancelled(stack, site, drawn.randint(0, PAGES // 3)))
    times = sorted(one.ended for one in found)
    p50, p99 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
    late = sum(one.late for one in found)
    holds = p99 <= BOUND_SECONDS and not late
    console.print(
        f"{len(found)} cancels: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms (at most {BOUND_SECONDS:.0f} s), "
        f"{late} documents stored after the answer: {'[green]holds' if holds else '[red]MISSED'}",
        highlight=False,
    )
    if options.json:
        figures: dict[str, Any] = {"p50": p50, "p99": p99, "late": late, "cancels": [asdict(one) for one in found]}
        options.json.write_text(json.dumps(figures, indent=2))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
