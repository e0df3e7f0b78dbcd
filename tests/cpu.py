"""How much work something is, on a machine that others keep busy."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_seconds(work: Callable[[], object], *, runs: int = 1) -> float:
    """Of this thread, the least of so many runs: waiting for a processor does not count."""
    return min(_once(work) for _ in range(runs))


def times_as_much(work: Callable[[], object], ordinary: Callable[[], object]) -> float:
    """How many times `ordinary` it costs. Measured one right after the other: what slows this machine slows both."""
    return cpu_seconds(work) / cpu_seconds(ordinary, runs=3)


def _once(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started
