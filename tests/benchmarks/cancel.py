"""`make bench-cancel`: how long a cancel takes from the click to the end on the socket, and what is stored after it.

Crawls of a local site are cancelled at drawn moments, over HTTP and by a real browser. Measured is the time from the
request until the terminal frame; what is stored when the request was answered must be all that is stored once the
worker has noticed, and by then the worker is free: no page of the crawl is asked for any more. Exits 1 when the 99th
of 100 takes longer than the bound, or when anything was stored or asked for afterwards.
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

from rich.console import Console
from rich.progress import track

from tests.e2e.served import Served, served
from tests.stack import Stack, running_stack

PAGES = 300
# The worker has looked whether its crawl is over, and given its pages back, after this long.
NOTICED_SECONDS = 1.5


@dataclass(frozen=True)
class Mode:
    """How pages are got, how many seconds a cancel may take then, and before how many pages it comes at the latest."""

    render: str
    bound: float
    most_pages: int


MODES = (Mode("http", 3.0, PAGES // 3), Mode("browser", 5.0, 10))


@dataclass
class Cancel:
    """Seconds until the answer and until the terminal frame; documents stored after the answer, and pages that were
    asked for when the worker should have noticed."""

    at_pages: int
    answered: float
    ended: float
    late: int
    asked: int


def cancelled(stack: Stack, site: Served, render: str, at_pages: int) -> Cancel:
    progress_id = stack.crawl(site.url, max_depth=5, render=render)
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
    assert reached.wait(60), stack.log("worker")[-2000:]
    asked = time.monotonic()
    status, body = stack.request("POST", f"/api/knowledge-items/stop/{progress_id}")
    answered = time.monotonic()
    assert status == 200, body
    source_id = stack.get(f"/api/progress/{progress_id}")["sourceId"]
    before = documents(stack, source_id)
    watching.join(60)
    time.sleep(NOTICED_SECONDS)
    fetched = site.fetched().total()
    time.sleep(NOTICED_SECONDS)
    late = documents(stack, source_id) - before
    stack.request("DELETE", f"/api/knowledge-items/{source_id}")
    return Cancel(at_pages, answered - asked, ended_at[0] - asked, late, site.fetched().total() - fetched)


def documents(stack: Stack, source_id: str) -> int:
    return int(stack.get(f"/api/knowledge-items/{source_id}")["metadata"]["document_count"])


@dataclass
class Figures:
    """Of one mode, in seconds."""

    render: str
    bound: float
    p50: float
    p99: float
    late: int
    asked: int
    cancels: list[Cancel]

    @property
    def holds(self) -> bool:
        return self.p99 <= self.bound and not self.late and not self.asked

    def __str__(self) -> str:
        verdict = "[green]holds" if self.holds else "[red]MISSED"
        return (
            f"{len(self.cancels)} cancels by {self.render}: p50 {self.p50 * 1000:.0f} ms, p99 {self.p99 * 1000:.0f} ms "
            f"(at most {self.bound:.0f} s), {self.late} documents stored after the answer, "
            f"{self.asked} pages asked for: {verdict}"
        )


def figures_of(mode: Mode, cancels: list[Cancel]) -> Figures:
    times = sorted(one.ended for one in cancels)
    p50, p99 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
    late, asked = sum(one.late for one in cancels), sum(one.asked for one in cancels)
    return Figures(mode.render, mode.bound, p50, p99, late, asked, cancels)


def measured(mode: Mode, cancels: int, drawn: random.Random, console: Console) -> Figures:
    found: list[Cancel] = []
    with running_stack(ARCHON_SLICE_SECONDS="10") as stack, served(PAGES, delay=0.2) as site:
        for _ in track(range(cancels), f"by {mode.render}", console=console):
            found.append(cancelled(stack, site, mode.render, drawn.randint(0, mode.most_pages)))
    return figures_of(mode, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cancels", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--render", choices=[mode.render for mode in MODES], help="only this one")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    drawn, console = random.Random(options.seed), Console()
    found: list[Figures] = []
    for mode in MODES:
        if options.render in (None, mode.render):
            found.append(measured(mode, options.cancels, drawn, console))
            console.print(str(found[-1]), highlight=False)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=2))
    sys.exit(0 if all(one.holds for one in found) else 1)


if __name__ == "__main__":
    main()
