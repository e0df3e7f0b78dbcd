"""`make bench-crawl`: the whole product beside crawl4ai as documented and Scrapy with our extraction, on real sites.

Ours is measured from the POST to `crawl_completed`, so that fetching, extracting, storing and keyword-indexing are all
in it; the peers only fetch and convert. An independent script says which pages can be reached. Exits 1 when a bound is
missed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.reachable import reachable_pages
from tests.benchmarks.sites import SITES, Documentation, SiteMissing, documentation_site
from tests.stack import ROOT, Stack, running_stack

FIRST_FRAME_SECONDS = 0.2
FIRST_HIT_SECONDS = 2.0
HEALTH_SECONDS = 0.02
TIMES_CRAWL4AI = 5.0
TIMES_SCRAPY = 1.5
TIMES_TWO_WORKERS = 1.7
WORKER_MEMORY = 400
PEERS = ("crawl4ai", "scrapy")
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


def our_crawl(site: Documentation, seed: str, workers: int, expected: set[str]) -> Crawl:
    with running_stack(ARCHON_WORKERS=str(workers), ARCHON_SLICE_SECONDS="10") as stack:
        # Both the worker and the page that is asked for first are warm, as in a product that runs.
        stack.ended(stack.crawl(seed, max_depth=1, max_pages=2))
        forget(stack)
        before, started = cpu_seconds(stack), time.monotonic()
        progress_id = stack.crawl(seed, max_depth=5)
        watching = Watch(stack, started, site.word)
        frames = stack.frames(progress_id, seconds=600)
        next(frames)
        first_frame = time.monotonic() - started
        watching.start()
        *_, last = frames
        seconds = time.monotonic() - started
        watching.stop()
        found = done_pages(stack, progress_id)
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


def forget(stack: Stack) -> None:
    """What was crawled to warm up: the measured crawl begins with nothing."""
    for item in stack.get("/api/knowledge-items")["items"]:
        assert stack.request("DELETE", f"/api/knowledge-items/{item['source_id']}")[0] == 200


def done_pages(stack: Stack, progress_id: str) -> set[str]:
    found: set[str] = set()
    for number in itertools.count(1):
        rows = stack.pages(progress_id, f"&state=done&page={number}")
        found |= {row["url"] for row in rows}
        if len(rows) < 1_000:
            return found
    raise AssertionError("a list without an end")


def cpu_seconds(stack: Stack) -> float:
    worker = psutil.Process(stack.children["worker"].pid)
    times = [part.cpu_times() for part in [worker, *worker.children(recursive=True)]]
    return sum(time.user + time.system for time in times)


class Watch:
    """Asks for a hit, for /health and for the workers' memory while the crawl runs."""

    def __init__(self, stack: Stack, started: float, word: str) -> None:
        self.word = word
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
            if self.first_hit == float("inf") and self.stack.search(self.word, match_count=3):
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


def peer_crawl(peer: str, seed: str) -> dict[str, float]:
    command = [sys.executable, "-m", f"tests.benchmarks.{peer}_peer", seed]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return dict(json.loads(done.stdout))


@dataclass
class Measured:
    """One site: how many pages can be reached, and what each contender did."""

    name: str
    reachable: int
    peers: dict[str, dict[str, float]]
    ours: list[Crawl]

    def speed(self, peer: str) -> float:
        return self.peers[peer]["pages"] / self.peers[peer]["seconds"]


def measured(site: Documentation, console: Console) -> Measured:
    with documentation_site(site.folder()) as seed:
        expected = reachable_pages(seed)
        console.print(f"{site.name}: {len(expected)} pages can be reached", highlight=False)
        peers = {}
        for peer in PEERS:
            console.print(f"  crawling with {peer} ...")
            peers[peer] = peer_crawl(peer, seed)
        ours = []
        for workers in (1, 2):
            console.print(f"  crawling with {workers} worker process(es) of ours ...")
            ours.append(our_crawl(site, seed, workers, expected))
    return Measured(site.name, len(expected), peers, ours)


def table(one: Measured) -> Table:
    shown = Table(title=f"{one.name}: {one.reachable} reachable pages")
    for column in ("", "pages", "seconds", "pages/s", "x crawl4ai", "x Scrapy", "CPU ms/page"):
        shown.add_column(column, justify="right")
    rows = [
        (f"{name}: fetch, convert", peer["pages"], peer["seconds"], peer["cpu"]) for name, peer in one.peers.items()
    ]
    rows += [(f"Archon, {ours.workers} worker(s): all of it", ours.pages, ours.seconds, ours.cpu) for ours in one.ours]
    for name, pages, seconds, cpu in rows:
        speed = pages / seconds
        figures = (speed, speed / one.speed("crawl4ai"), speed / one.speed("scrapy"), 1000 * cpu / pages)
        shown.add_row(name, f"{pages:.0f}", f"{seconds:.1f}", *(f"{figure:.1f}" for figure in figures))
    return shown


def verdicts(one: Measured) -> list[tuple[str, bool]]:
    single, double = one.ours
    crawl4ai, scrapy = (single.pages_per_second / one.speed(peer) for peer in PEERS)
    workers = double.pages_per_second / single.pages_per_second
    memory = max(ours.memory for ours in one.ours)
    missing = max(ours.missing for ours in one.ours)
    health = double.health_p50
    return [
        (f"every reachable page found ({missing} missing)", missing == 0),
        (f"one worker {crawl4ai:.1f} times crawl4ai, at least {TIMES_CRAWL4AI}", crawl4ai >= TIMES_CRAWL4AI),
        (f"one worker {scrapy:.1f} times Scrapy, at least {TIMES_SCRAPY}", scrapy >= TIMES_SCRAPY),
        (f"two workers {workers:.2f} times one, at least {TIMES_TWO_WORKERS}", workers >= TIMES_TWO_WORKERS),
        (f"largest worker {memory:.0f} MB, at most {WORKER_MEMORY}", memory <= WORKER_MEMORY),
        (f"POST to first frame {double.first_frame * 1000:.0f} ms", double.first_frame <= FIRST_FRAME_SECONDS),
        (f"POST to first page found {double.first_hit:.2f} s", double.first_hit <= FIRST_HIT_SECONDS),
        (
            f"/health p50 {health * 1000:.1f} ms, p99 {double.health_p99 * 1000:.1f} ms while crawling",
            health <= HEALTH_SECONDS,
        ),
    ]


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-crawl", description=__doc__)
    parser.add_argument("sites", nargs="*", default=[], choices=[*SITES, []], help="all of them when none is named")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(given)
    options.sites = options.sites or list(SITES)
    return options


def main() -> None:
    options, console = arguments(), Console()
    found, holds = [], True
    for name in options.sites:
        try:
            one = measured(SITES[name], console)
        except SiteMissing as error:
            console.print(f"[red]{error}[/]")
            sys.exit(2)
        found.append(one)
        console.print(table(one))
        for text, held in verdicts(one):
            console.print(f"{'[green]holds[/]' if held else '[red]MISSED[/]'}  {text}", highlight=False)
            holds = holds and held
    if options.json:
        figures: list[dict[str, Any]] = [asdict(one) for one in found]
        options.json.write_text(json.dumps(figures, indent=2))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
