"""`make chaos`: kill any part of the product at random moments of crawls of a site of known shape, and judge the rows.

Every point kills one part with SIGKILL when a drawn number of pages is done, starts it again as a supervisor would,
and takes the time until a client sees the next page. The draw comes from a seed that is printed: the same seed draws
the same points. The crawl's end is judged by tests/chaos/invariants.py. Writes a JSON report, also of what Ctrl-C cuts
short; exits 1 on a violation and on a run cut short.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn

from tests.chaos.killable import FAULTS, KillableStack, killable_stack
from tests.e2e.served import MISSING, Served, served
from tests.environment import postgres_server, temporary_folder
from tests.stack import ROOT

POINTS_PER_CRAWL = 4
CRAWL_SECONDS = 240
RESUME_P95_SECONDS = 20.0
# What a site takes to answer, so that a crawl lasts long enough to be killed several times.
PAGE_SECONDS = 0.3


@dataclass
class Point:
    """One kill: which part, at how many pages done, and how many seconds until a client saw the next page."""

    fault: str
    at_page: int
    resumed: float | None = None


@dataclass
class Crawl:
    number: int
    points: list[Point]
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)


def drawn(count: int, pages: int, seed: int, faults: tuple[str, ...]) -> list[Crawl]:
    """`count` points over crawls, each part of the product equally often, spread over the length of the crawls."""
    numbers = random.Random(seed)
    kinds = [faults[number % len(faults)] for number in range(count)]
    numbers.shuffle(kinds)
    crawls: list[Crawl] = []
    for first in range(0, count, POINTS_PER_CRAWL):
        chosen = kinds[first : first + POINTS_PER_CRAWL]
        # Not the last pages: after them there is nothing to resume.
        at = sorted(numbers.sample(range(1, int(pages * 0.9)), len(chosen)))
        crawls.append(Crawl(len(crawls) + 1, [Point(fault, page) for fault, page in zip(chosen, at, strict=True)]))
    return crawls


def run(stack: KillableStack, site: Served, crawl: Crawl) -> None:
    """One crawl with its kills, to its end; what is wrong with it stands in `violations`."""
    started = time.monotonic()
    progress_id = stack.crawl(site.url, max_depth=5)
    for point in crawl.points:
        done = stack.await_pages(progress_id, point.at_page, seconds=CRAWL_SECONDS)
        if done is None:  # the kill before it lasted to the end of the crawl
            continue
        killed = time.monotonic()
        stack.strike(point.fault)
        if stack.await_pages(progress_id, done + 1, seconds=CRAWL_SECONDS) is not None:
            point.resumed = time.monotonic() - killed
    if stack.await_end(progress_id, seconds=CRAWL_SECONDS) is None:
        crawl.violations.append(f"I1: no end within {CRAWL_SECONDS} s")
    crawl.seconds = time.monotonic() - started
    crawl.violations += judged(stack, progress_id, site)
    stack.forget(progress_id)


def judged(stack: KillableStack, progress_id: str, site: Served) -> list[str]:
    asked = "\n".join([progress_id, str(MISSING), *site.page_urls])
    command = [sys.executable, "-m", "tests.chaos.invariants"]
    done = subprocess.run(
        command, cwd=ROOT, env=stack.environment, input=asked, stdout=subprocess.PIPE, text=True, check=True
    )
    return list(json.loads(done.stdout))


@contextlib.contextmanager
def database(name: str) -> Iterator[str]:
    """Its DATABASE_URL; an empty one for a SQLite file in the stack's own folder."""
    if name == "sqlite":
        yield ""
        return
    with temporary_folder() as folder, postgres_server(folder) as url:
        yield url


def soak(name: str, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    crawls = drawn(options.points, options.pages, options.seed, FAULTS)
    columns = (*Bar.get_default_columns(), TextColumn("{task.fields[said]}"))
    with (
        database(name) as url,
        killable_stack(url) as stack,
        served(options.pages, delay=PAGE_SECONDS) as site,
        Bar(*columns, console=console) as bar,
    ):
        task = bar.add_task(name, total=options.points, said="")
        ended: list[Crawl] = []
        # Hours of kills are worth their report when somebody stops them before the last one.
        with contextlib.suppress(KeyboardInterrupt):
            for crawl in crawls:
                faults = ", ".join(f"{point.fault}@{point.at_page}" for point in crawl.points)
                bar.update(task, said=faults)
                run(stack, site, crawl)
                ended.append(crawl)
                bar.advance(task, len(crawl.points))
                for violation in crawl.violations:
                    console.print(f"[red]crawl {crawl.number} ({faults}): {violation}", highlight=False)
        cut_short = len(ended) < len(crawls)
        return report(ended) | {"cut_short": cut_short, "ended_by_themselves": dict(stack.deaths)}


def report(crawls: list[Crawl]) -> dict[str, Any]:
    points = [point for crawl in crawls for point in crawl.points]
    times = sorted(point.resumed for point in points if point.resumed is not None)
    kinds = Counter(violation.partition(":")[0] for crawl in crawls for violation in crawl.violations)
    return {
        "crawls": len(crawls),
        "points": dict(Counter(point.fault for point in points)),
        "violations": {kind: kinds[kind] for kind in ("I1", "I2", "I3", "I4", "I5", "I6")},
        "resume_seconds": {"p50": share(times, 0.5), "p95": share(times, 0.95), "max": share(times, 1.0)},
        "resume_p95_by_fault": {
            fault: share(sorted(point.resumed for point in points if point.fault == fault and point.resumed), 0.95)
            for fault in FAULTS
        },
        "details": [asdict(crawl) for crawl in crawls],
    }


def holds(one: dict[str, Any]) -> bool:
    p95 = one["resume_seconds"]["p95"]
    return not any(one["violations"].values()) and p95 is not None and p95 <= RESUME_P95_SECONDS


def verdict(name: str, one: dict[str, Any]) -> str:
    resumed = one["resume_seconds"]
    return (
        f"{name}: {'cut short after ' if one['cut_short'] else ''}{sum(one['points'].values())} kills in "
        f"{one['crawls']} crawls, violations {one['violations']}, resumed after p50 {resumed['p50']} s, "
        f"p95 {resumed['p95']} s (at most {RESUME_P95_SECONDS:.0f}): {'[green]holds' if holds(one) else '[red]MISSED'}"
    )


def share(ordered: list[float], part: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2) if ordered else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20 * len(FAULTS), help="kills per database, in all")
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None, help="replay the points of an earlier run")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--report", type=Path, default=Path("var/chaos.json"))
    options = parser.parse_args()
    options.seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    # Told to stop, it stops what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    console.print(f"seed {options.seed}: the same again with --seed {options.seed}", highlight=False)
    names = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        found[name] = soak(name, options, console)
        if found[name]["cut_short"]:
            break
    figures = {"seed": options.seed, "pages": options.pages, "cpus": os.cpu_count(), **found}
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(figures, indent=2))
    for name, one in found.items():
        console.print(verdict(name, one), highlight=False)
    console.print(f"report: {options.report}", highlight=False)
    sys.exit(0 if all(holds(one) and not one["cut_short"] for one in found.values()) else 1)


if __name__ == "__main__":
    main()
