"""`make cluster`: run it until Ctrl-C. `--check`: kill each part in turn, print what came of it, exit 1 on a loss."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.cluster.check import Outcome, check
from tests.cluster.programs import Cluster, NoNginx
from tests.environment import temporary_folder

console = Console()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="kill each part in the middle of a crawl")
    parser.add_argument("--port", type=int, default=8080, help="where nginx listens (default 8080)")
    parser.add_argument("--json", type=Path, help="write what --check found into this file")
    options = parser.parse_args()
    try:
        with temporary_folder() as folder, Cluster(folder, port=0 if options.check else options.port) as cluster:
            console.print(f"ready: {cluster.url}, logs in {folder}: {', '.join(cluster.parts)}")
            return checked(cluster, options.json) if options.check else served()
    except NoNginx as error:
        console.print(str(error))
        return 2


def served() -> int:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("stopping")
    return 0


def checked(cluster: Cluster, target: Path | None) -> int:
    outcomes = asyncio.run(check(cluster))
    console.print(table(outcomes))
    for outcome in outcomes:
        for fault in outcome.faults:
            console.print(f"LOST  {outcome.victim} killed: {fault}")
    if target:
        target.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2), encoding="utf-8")
    return int(any(outcome.faults for outcome in outcomes))


def table(outcomes: list[Outcome]) -> Table:
    shown = Table(title="One crawl each, followed on both web processes and through nginx")
    for column in ("killed", "seconds", "pages", "twice", "events", "CPU seconds of the workers, in peace"):
        shown.add_column(column)
    for outcome in outcomes:
        shares = ", ".join(f"{name} {seconds}" for name, seconds in outcome.shares.items())
        row = (outcome.victim, outcome.seconds, outcome.pages, outcome.doubles, outcome.events, shares)
        shown.add_row(*map(str, row))
    return shown


if __name__ == "__main__":
    sys.exit(main())
