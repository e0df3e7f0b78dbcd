"""What a search takes over REST when many chunks are stored, on both databases."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.benchmarks.rest import Timing, timed_searches
from tests.environment import postgres_server, temporary_folder
from tests.stack import ROOT
from tests.web import World, world

MODES = ("keyword", "vector", "hybrid")
# Below this many chunks the goals of 20,000 hold.
LARGE = 100_000


class Goal(NamedTuple):
    p50: float
    p99: float


# Milliseconds of a hybrid search: of the database, at 20,000 and at 200,000 chunks.
GOALS = {
    ("sqlite", False): Goal(15, 40),
    ("sqlite", True): Goal(60, 150),
    ("postgresql", True): Goal(40, 100),
}


@dataclass
class Load:
    """`memory` is what the web process holds after all searches, in MB; `filled` the seconds it took to fill."""

    database: str
    chunks: int
    filled: float
    memory: float = 0.0
    timings: dict[str, Timing] = field(default_factory=dict)

    @property
    def goal(self) -> Goal | None:
        return GOALS.get((self.database, self.chunks >= LARGE))


def loaded(database: str, chunks: int, questions: Sequence[str]) -> Load:
    with _world(database) as started:
        told = _filled(started, chunks)
        found = Load(database, int(told["chunks"]), told["seconds"])
        web = started.web()
        for mode in MODES:
            found.timings[mode] = timed_searches(web.port, questions, mode, expected_mode=mode, mode=mode)
        found.memory = web.memory / 2**20
        return found


@contextlib.contextmanager
def _world(database: str) -> Iterator[World]:
    with contextlib.ExitStack() as servers:
        environment = {"ARCHON_EMBEDDER": "local"}
        if database == "postgresql":
            folder = servers.enter_context(temporary_folder())
            environment["DATABASE_URL"] = servers.enter_context(postgres_server(folder))
        yield servers.enter_context(world(**environment))


def _filled(started: World, chunks: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.search.filling", str(chunks)]
    environment = {**started.environment, "DJANGO_SETTINGS_MODULE": "archon.settings"}
    with (started.folder / "filling.log").open("wb") as log:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, check=False
        )
    assert done.returncode == 0, (started.folder / "filling.log").read_text()[-4_000:]
    return dict(json.loads(done.stdout))
