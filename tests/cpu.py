"""How much work something is, on a machine that others keep busy."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_seconds(work: Callable[[], object], *, runs: int = 1) -> float:
    """Of this thread, the least of so many runs: waiting for a processor does not count."""
    return min(_once(work) for _ in range(runs))


def _once(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started
