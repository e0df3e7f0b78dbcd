"""One child of the supervisor: how it starts, dies, starts again and stops."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from progress.lifeline import tied_to_this_process

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 30.0
LOG_BYTES = 20 * 2**20
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, where its output goes, and how long it may take to stop after SIGTERM."""

    name: str
    command: list[str]
    folder: Path
    log: Path
    grace_seconds: float


class Adopted:
    """A process that this one started as the program it was before."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)  # nobody else has reaped it, so the number is still its own

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Child:
    """Runs in a session of its own: Ctrl-C reaches only the supervisor, which stops children in order."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.name = plan.name
        self.deaths_in_a_row = 0
        self._running: subprocess.Popen[bytes] | Adopted | None = None
        self._started_at = 0.0
        self._start_again_at = 0.0
        self._log_read = self._log_size()

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    def handed_over(self) -> dict[str, Any]:
        """In JSON, for `taken_over` in the program that takes this one's place."""
        plan = {**asdict(self.plan), "folder": str(self.plan.folder), "log": str(self.plan.log)}
        times = {"started_at": self._started_at, "start_again_at": self._start_again_at}
        return {
            "plan": plan,
            "pid": self.pid,
            "deaths_in_a_row": self.deaths_in_a_row,
            "log_read": self._log_read,
            **times,
        }

    @classmethod
    def taken_over(cls, told: dict[str, Any]) -> Self:
        plan = told["plan"]
        child = cls(Plan(**{**plan, "folder": Path(plan["folder"]), "log": Path(plan["log"])}))
        child._running = Adopted(told["pid"]) if told["pid"] else None
        child.deaths_in_a_row, child._log_read = told["deaths_in_a_row"], told["log_read"]
        child._started_at, child._start_again_at = told["started_at"], told["start_again_at"]
        return child

    def start(self) -> None:
        with self._open_log() as log:
            self._running = subprocess.Popen(
                self.plan.command,
                cwd=self.plan.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # SIGKILL: with the supervisor gone nobody is left to see an orderly stop through.
                preexec_fn=tied_to_this_process(signal.SIGKILL),
            )
        self._started_at = time.monotonic()

    def died(self) -> int | None:
        """The exit status of a death not seen before; plans the next start."""
        if self._running is None or not has_exited(self._running.pid):
            return None
        status = self._bury(self._running)
        now = time.monotonic()
        steady = now - self._started_at >= STEADY_SECONDS
        self.deaths_in_a_row = 1 if steady else self.deaths_in_a_row + 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (self.deaths_in_a_row - 1), LONGEST_PAUSE_SECONDS)
        self._start_again_at = now + (0 if self.deaths_in_a_row == 1 else pause)
        return status

    def due(self) -> bool:
        return self._running is None and time.monotonic() >= self._start_again_at

    def ask_to_stop(self) -> None:
        if self._running is not None:
            self._running.terminate()

    def wait(self, seconds: float, *, hurry: Callable[[], bool]) -> None:
        """Up to `seconds`, or until `hurry`; whoever is still there then is killed, with all it started."""
        if self._running is None:
            return
        deadline = time.monotonic() + seconds
        while not has_exited(self._running.pid) and time.monotonic() < deadline and not hurry():
            time.sleep(POLL_SECONDS)
        self._bury(self._running)

    def _bury(self, child: subprocess.Popen[bytes] | Adopted) -> int:
        """Reaps the leader last: until then its number cannot pass to a stranger's group."""
        kill_group(child.pid)
        self._running = None
        return child.wait()

    def last_lines(self, count: int = 12) -> list[str]:
        return _lines(self._log_from(max(self._log_size() - 16_384, 0)))[-count:]

    def new_lines(self) -> list[str]:
        """What the log has gained since the last call, or since this supervisor first started the child."""
        start = min(self._log_read, self._log_size())
        gained = self._log_from(start)
        self._log_read = start + len(gained)
        return _lines(gained)

    def trim_log(self) -> None:
        """Keeps the log and one older part: the child appends, so cutting the file is safe."""
        if self._log_size() > LOG_BYTES:
            shutil.copyfile(self.plan.log, self.plan.log.with_suffix(".log.1"))
            os.truncate(self.plan.log, 0)

    def _log_size(self) -> int:
        """0 when there is none yet, or when somebody deleted it."""
        return self.plan.log.stat().st_size if self.plan.log.exists() else 0

    def _log_from(self, start: int) -> bytes:
        if not self.plan.log.exists():
            return b""
        with self.plan.log.open("rb") as log:
            log.seek(start)
            return log.read()

    def _open_log(self) -> BinaryIO:
        self.plan.log.parent.mkdir(parents=True, exist_ok=True)
        return self.plan.log.open("ab")


def _lines(text: bytes) -> list[str]:
    return text.decode(errors="replace").splitlines()


def has_exited(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill_group(leader: int) -> None:
    """The leader if it still runs, and what it left in its session, such as the pool of a killed worker."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody is left but the dead leader
        pass
