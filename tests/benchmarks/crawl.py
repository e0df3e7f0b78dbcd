"""`make bench`: the whole product against crawl4ai as documented, on the Python documentation, in one run.

Ours is measured from the POST to `crawl_completed`, so that fetching, extracting, storing and
keyword-indexing are all in it; the peer only fetches and converts. Exits 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.reachable import reachable_pages
from tests.stack import ROOT, Stack, running_stack

DOCUMENTATION = Path("/usr/share/doc/python3.11/html")
FIRST_FRAME_SECONDS = 0.2
FIRST_HIT_SECONDS = 2.0
HEALTH_SECONDS = 0.02
TIMES_CRAWL4AI = 5.0
# Looking is work too, on the same two cores.
LOOK_SECONDS = 0.2


@dataclass
class Crawl:
    """One crawl of ours. Seconds; `cpu` of the worker with its children, `memory` MB of its largest process."""

    workers: int
    pages: int
    chunks: int
    seconds: float
    cpu: float
    memory: float
    first_frame: float
    first_hit: float
    health_p50: float
    health_p99: float
    missing: int

    @property
    def pages_per_second(self) -> float:
        return self.pages / self.seconds


@contextlib.contextmanager
def documentation_site(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.site", "--directory", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip() + "index.html"
        finally:
            server.terminate()


def our_crawl(seed: str, workers: int, expected: set[str]) -> Crawl:
    with running_stack(ARCHON_WORKERS=str(workers), ARCHON_SLICE_SECONDS="10") as stack:
        # Both the worker and the page that is asked for first are warm, as in a product that runs.
        stack.ended(stack.crawl(seed.replace("index.html", "about.html"), max_depth=1, max_pages=2))
        before, started = cpu_seconds(stack), time.monotonic()
        progress_id = stack.crawl(seed, max_depth=5)
        watching = Watch(stack, started)
        frames = stack.frames(progress_id, seconds=600)
        next(frames)
        first_frame = time.monotonic() - started
        watching.start()
        *_, last = frames
        seconds = time.monotonic() - started
        watching.stop()
        found = {page["url"] for page in stack.pages(progress_id, "&state=done")}
        return Crawl(
            workers=workers,
            pages=len(found),
            chunks=last["data"]["chunksStored"],
            seconds=seconds,
            cpu=cpu_seconds(stack) - before,
            memory=watching.memory / 2**20,
            first_frame=first_frame,
            first_hit=watching.first_hit,
            health_p50=percentile(watching.health, 0.5),
            health_p99=percentile(watching.health, 0.99),
            missing=len(expected - found),
        )


def cpu_seconds(stack: Stack) -> float:
    worker = psutil.Process(stack.children["worker"].pid)
    times = [part.cpu_times() for part in [worker, *worker.children(recursive=True)]]
    return sum(time.user + time.system for time in times)


class Watch:
    """Asks for a hit, for /health and for the workers' memory while the crawl runs."""

    def __init__(self, stack: Stack, started: float) -> None:
        self.stack = stack
        self.started = started
        self.first_hit = float("inf")
        self.health: list[float] = []
        self.memory = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02 if self.first_hit == float("inf") else LOOK_SECONDS):
            if self.first_hit == float("inf") and self.stack.search("tutorial", match_count=3):
                self.first_hit = time.monotonic() - self.started
            asked = time.monotonic()
            self.stack.request("GET", "/health")
            self.health.append(time.monotonic() - asked)
            for pid in self.stack.worker_pids():
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.memory = max(self.memory, psutil.Process(pid).memory_info().rss)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("inf")


def peer_crawl(seed: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.crawl4ai_peer", seed]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return dict(json.loads(done.stdout))


def table(ours: list[Crawl], peer: dict[str, float], expected: int) -> Table:
    shown = Table(title=f"Python documentation, {expected} reachable pages")
    for column in ("", "pages", "seconds", "pages/s", "times crawl4ai", "CPU ms/page", "times in CPU"):
        shown.add_column(column, justify="right")
    base, base_cpu = peer["pages"] / peer["seconds"], peer["cpu"] / peer["pages"]
    rows = [("crawl4ai arun: fetch, convert", peer["pages"], peer["seconds"], peer["cpu"])]
    rows += [(f"Archon, {one.workers} worker(s): all of it", one.pages, one.seconds, one.cpu) for one in ours]
    for name, pages, seconds, cpu in rows:
        speed, cost = pages / seconds, cpu / pages
        figures = (pages, seconds, speed, speed / base, cost * 1000, base_cpu / cost)
        shown.add_row(name, *(f"{figure:.1f}" for figure in figures))
    return shown


def verdicts(ours: list[Crawl], peer: dict[str, float]) -> list[tuple[str, bool]]:
    most = ours[-1]
    times = most.pages_per_second / (peer["pages"] / peer["seconds"])
    return [
        (f"every reachable page found ({most.missing} missing)", all(one.missing == 0 for one in ours)),
        (f"{times:.1f} times crawl4ai, at least {TIMES_CRAWL4AI}", times >= TIMES_CRAWL4AI),
        (f"POST to first frame {most.first_frame * 1000:.0f} ms", most.first_frame <= FIRST_FRAME_SECONDS),
        (f"POST to first page found {most.first_hit:.2f} s", most.first_hit <= FIRST_HIT_SECONDS),
        (
            f"/health p50 {most.health_p50 * 1000:.1f} ms, p99 {most.health_p99 * 1000:.1f} ms while crawling",
            most.health_p50 <= HEALTH_SECONDS,
        ),
        (f"largest worker {most.memory:.0f} MB", most.memory <= 400),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documentation", type=Path, default=DOCUMENTATION)
    parser.add_argument("--report", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    console = Console()
    if not (options.documentation / "index.html").exists():
        console.print(f"No documentation in {options.documentation}: install Debian's package python3.11-doc.")
        sys.exit(2)
    with documentation_site(options.documentation) as seed:
        expected = reachable_pages(seed)
        console.print(f"{len(expected)} pages can be reached; crawling with crawl4ai ...")
        peer = peer_crawl(seed)
        ours = []
        for workers in (1, 2):
            console.print(f"crawling with {workers} worker(s) of ours ...")
            ours.append(our_crawl(seed, workers, expected))
    console.print(table(ours, peer, len(expected)))
    judged = verdicts(ours, peer)
    for text, holds in judged:
        console.print(f"{'[green]holds[/]' if holds else '[red]MISSED[/]'}  {text}", highlight=False)
    if options.report:
        figures: dict[str, Any] = {"crawl4ai": peer, "archon": [asdict(one) for one in ours]}
        options.report.write_text(json.dumps(figures, indent=2))
    sys.exit(0 if all(holds for _, holds in judged) else 1)


if __name__ == "__main__":
    main()
