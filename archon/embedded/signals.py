"""Signals as events of the supervisor's loop: a request to stop, and the death of a child."""

from __future__ import annotations

import select
import signal
import socket
from types import FrameType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """While entered, signals interrupt `wait` instead of the code that happens to run."""

    def __init__(self) -> None:
        self.stop_requests = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:  # under nohup
                continue
            self._before[number] = signal.signal(number, self._stop)
        # A handler must exist, or the kernel does not tell; the loop looks at the children itself.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(-1)
        self._ear.close()
        self._mouth.close()

    def hold(self) -> None:
        """From now on signals wait, also for a program that takes this one's place, until `let_through`. What came
        before is counted."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, signal.SIGCHLD))

    def let_through(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOP_SIGNALS, signal.SIGCHLD))

    def wait(self, seconds: float) -> None:
        """Until a signal comes, at most `seconds`."""
        readable, _, _ = select.select([self._ear], [], [], seconds)
        if readable:
            self._ear.recv(4096)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requests += 1
