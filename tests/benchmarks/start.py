"""`make bench-start`: seconds from `make up` in a fresh copy to a green /ready, and again; then memory at rest.

The copy is of the last commit, in a folder of its own, with the machine's package cache as it is. Exits 1 when a goal
is missed. RSS counts shared pages once per process, and is held to the goal; PSS shares them out: its sum is what the
machine gives.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import URLError

import psutil
from rich.console import Console
from rich.table import Table

from progress.lifeline import tied_to_this_process
from tests.environment import temporary_folder
from tests.stack import ROOT, free_port

FRESH_SECONDS, SECOND_SECONDS, IDLE_MB = 90, 8, 600
GIVE_UP_SECONDS = 600
STOP_SECONDS = 30
MB = 2**20


@dataclass
class Part:
    """A process of the stack at rest, in MB."""

    name: str
    rss: float
    pss: float
    uss: float


@contextmanager
def started(copy: Path, environment: dict[str, str]) -> Iterator[tuple[psutil.Process, float]]:
    """`make up` and the seconds until /ready is green; stopped as Ctrl-C does."""
    began = time.monotonic()
    child = subprocess.Popen(
        ["make", "-s", "up"],
        cwd=copy,
        env=environment,
        start_new_session=True,
        preexec_fn=tied_to_this_process(signal.SIGTERM),
    )
    try:
        ready = f"http://127.0.0.1:{environment['ARCHON_PORT']}/ready"
        while not answers(ready):
            if child.poll() is not None or time.monotonic() - began > GIVE_UP_SECONDS:
                raise SystemExit("make up did not get ready")
            time.sleep(0.05)
        yield psutil.Process(child.pid), time.monotonic() - began
    finally:
        os.killpg(child.pid, signal.SIGINT)
        child.wait(STOP_SECONDS)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def parts_of(top: psutil.Process) -> list[Part]:
    found = []
    for process in [top, *top.children(recursive=True)]:
        words = " ".join(process.cmdline())
        name = next((word for word in ("redis", "worker", "beat", "archon.web") if word in words), "supervisor")
        memory = process.memory_full_info()
        found.append(Part(name, memory.rss / MB, memory.pss / MB, memory.uss / MB))
    return found


def measured(idle_seconds: float, *, fresh: bool) -> dict[str, object]:
    with temporary_folder() as folder:
        copy = folder / "archon"
        copy.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "x"], cwd=copy, input=archive, check=True)
        if not fresh:
            (copy / ".venv").symlink_to(ROOT / ".venv")
        own = ("ARCHON_", "DATABASE_URL", "REDIS_URL")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        environment["ARCHON_PORT"] = str(free_port())
        with started(copy, environment) as (_, first):
            pass
        with started(copy, environment) as (top, second):
            time.sleep(idle_seconds)
            parts = parts_of(top)
    return {"first": first, "second": second, "parts": parts}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-start", description=__doc__)
    parser.add_argument("--idle", type=float, default=20, help="seconds to rest before memory is read")
    parser.add_argument("--installed", action="store_true", help="with the packages of this checkout: no installation")
    options = parser.parse_args()
    result = measured(options.idle, fresh=not options.installed)
    parts: list[Part] = result["parts"]  # type: ignore[assignment]
    console = Console()
    table = Table("process", "RSS MB", "PSS MB", "own MB")
    for part in parts:
        table.add_row(part.name, *(f"{size:.0f}" for size in (part.rss, part.pss, part.uss)))
    rss, pss = sum(part.rss for part in parts), sum(part.pss for part in parts)
    table.add_row("all", f"{rss:.0f}", f"{pss:.0f}", "")
    console.print(table)
    goals = (
        ("fresh start, s", result["first"], FRESH_SECONDS, not options.installed),
        ("second start, s", result["second"], SECOND_SECONDS, True),
        ("memory at rest (RSS), MB", rss, IDLE_MB, True),
    )
    missed = False
    for name, value, goal, counts in goals:
        if counts:
            missed = missed or value > goal  # type: ignore[operator]
            console.print(f"{name}: {value:.1f}, goal {goal}")
    folder = ROOT / "var"
    folder.mkdir(exist_ok=True)
    told = {**result, "parts": [asdict(part) for part in parts], "rss": rss, "pss": pss}
    (folder / "bench-start.json").write_text(json.dumps(told, indent=1))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
