"""The parent's side of a reading: start the child, bound its time and output, and say what it could not say itself."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from knowledge.readers.parts import Limits, Said, Trouble, decode

ROOT = Path(__file__).resolve().parent.parent.parent
LOOK_SECONDS = 1.0
CHUNK_BYTES = 2**18
_SPLIT = "Split it, and try the pieces."


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of an archive: those `under` a folder, `strip` leading folders taken off their names first, with
    one of these extensions; none named means all that are read."""

    under: str = ""
    strip: int = 0
    extensions: tuple[str, ...] = ()


def _unwatched() -> None:
    """Nobody looks."""


def read(
    file: IO[bytes],
    name: str,
    *,
    pages: str,
    limits: Limits | None = None,
    selection: Selection | None = None,
    look: Callable[[], None] = _unwatched,
) -> Iterator[Said]:
    """What is in the file, as it is read; a failure of the reading is a Trouble, never an exception.

    `file` must have a file descriptor and stand at its start. `pages` names the module that reads HTML and texts.
    `look` is called about once a second; what it raises ends the reading. Closing the iterator kills the child.
    """
    limits = limits or Limits()
    deadline = time.monotonic() + limits.seconds
    with _child(file, name, pages, limits, selection or Selection()) as program:
        try:
            for line in _lines(program, deadline, limits.output, look):
                yield decode(line)
        except _Stopped as stopped:
            yield Trouble(name, stopped.code, f"{name} {stopped.message}", _SPLIT)
            return
        code = program.wait()
        if code:
            yield _death(name, code)


class _Stopped(Exception):
    """A limit of the parent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def _lines(program: subprocess.Popen[bytes], deadline: float, room: int, look: Callable[[], None]) -> Iterator[bytes]:
    assert program.stdout is not None
    pipe = program.stdout.fileno()
    rest = bytearray()
    while True:
        look()
        ready, _, _ = select.select([pipe], [], [], LOOK_SECONDS)
        if time.monotonic() > deadline:
            raise _Stopped("file_too_complex", "takes too long to read.")
        if not ready:
            continue
        chunk = os.read(pipe, CHUNK_BYTES)
        if not chunk:  # a last line without an end is that of a child that fell while it spoke
            return
        room -= len(chunk)
        if room < 0:
            raise _Stopped("file_too_large", "holds too much text.")
        rest += chunk
        *lines, tail = rest.split(b"\n")
        rest = bytearray(tail)
        yield from map(bytes, lines)


@contextmanager
def _child(
    file: IO[bytes], name: str, pages: str, limits: Limits, selection: Selection
) -> Iterator[subprocess.Popen[bytes]]:
    spec = {"name": name, "pages": pages, "limits": asdict(limits), "selection": asdict(selection)}
    program = subprocess.Popen(
        [sys.executable, "-m", "knowledge.readers.child", json.dumps(spec)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )
    assert program.stdout is not None
    try:
        with closing(program.stdout):
            yield program
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def _death(name: str, code: int) -> Trouble:
    why = "it takes too long" if code in (-signal.SIGXCPU, -signal.SIGKILL) else "it takes too much memory"
    return Trouble(name, "file_too_complex", f"{name} stopped its reader (exit {code}): most likely {why}.", _SPLIT)
