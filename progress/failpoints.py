"""Named places where a test kills, fails or delays this process: every boundary at which a commit or a message happens.

Off unless ARCHON_FAILPOINT says `name:nth:kill|raise|delay` (read in archon/settings.py), and then the nth passage of
that place acts, once per data folder: the process that takes over must live. Off, a passage costs one comparison.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Act = Literal["kill", "raise", "delay"]
ACTS: tuple[Act, ...] = get_args(Act)
DELAY_SECONDS = 0.5

# "before" stands inside the transaction, "after" behind its commit. tests/chaos/test_failpoints.py passes them all.
POINTS = (
    "start.before_commit",
    "wake.before_publish",
    "wake.after_publish",
    "slice.begin",
    "robots.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "discovery.after_commit",
    "record.begin",
    "record.stored",
    "record.before_commit",
    "record.after_commit",
    "finish.before_commit",
    "event.before_commit",
    "news.before_publish",
    "slice.before_release",
    "slice.after_release",
)


class FailpointRaised(Exception):
    """What `raise` raises: nothing in the product knows it, as nothing knows the next real fault."""


@dataclass(slots=True)
class Armed:
    """`fired` is a file that the first firing makes, so that of all processes only one fires."""

    name: str
    nth: int
    act: Act
    fired: Path
    delay: float = DELAY_SECONDS
    passed: int = 0

    def passes(self, name: str) -> None:
        if name != self.name:
            return
        self.passed += 1
        if self.passed == self.nth and self._is_first():
            self._fire()

    def _is_first(self) -> bool:
        try:
            self.fired.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _fire(self) -> None:
        if self.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.act == "raise":
            raise FailpointRaised(self.name)
        else:
            time.sleep(self.delay)


_armed: Armed | None = None


def failpoint(name: str) -> None:
    """Pass a named place."""
    if _armed is not None:
        _armed.passes(name)


def parse(text: str) -> tuple[str, int, Act]:
    """`name:nth:act`; raises ValueError with what was expected."""
    name, _, rest = text.partition(":")
    nth, _, act = rest.partition(":")
    if name not in POINTS or not nth.isdecimal() or int(nth) < 1 or act not in ACTS:
        raise ValueError(f"expected name:nth:{'|'.join(ACTS)} with a name of {', '.join(POINTS)}, but got {text!r}")
    return name, int(nth), next(known for known in ACTS if known == act)


def arm(text: str, folder: Path) -> None:
    """For the life of this process; an empty text arms nothing."""
    global _armed
    if text:
        name, nth, act = parse(text)
        _armed = Armed(name, nth, act, folder / f"failpoint-{name}-{nth}-{act}")


@contextmanager
def armed(armed: Armed) -> Iterator[Armed]:
    """For a test, and for the processes it forks meanwhile."""
    global _armed
    _armed = armed
    try:
        yield armed
    finally:
        _armed = None
