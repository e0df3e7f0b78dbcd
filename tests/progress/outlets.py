"""An outlet into a list, for sockets whose client reads as slowly as the test wants."""

from __future__ import annotations

from typing import Any


class Tap:
    """What was written; while `stalled` nothing of it is taken."""

    def __init__(self, *, stalled: bool = False) -> None:
        self.stalled = stalled
        self.stream = b""
        self.writes = 0
        self._waiting = 0

    def write(self, frames: bytes) -> int:
        self.stream += frames
        self.writes += 1
        self._waiting += len(frames)
        return self.unsent()

    def unsent(self) -> int:
        if not self.stalled:
            self._waiting = 0
        return self._waiting

    def texts(self) -> list[str]:
        found, offset = [], 0
        while offset < len(self.stream):
            size, start = self.stream[offset + 1], offset + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size = int.from_bytes(self.stream[start : start + width], "big")
                start += width
            found.append(self.stream[start : start + size].decode())
            offset = start + size
        return found


def extension(outlet: Any) -> dict[str, Any]:
    from progress.closing import OUTLET_EXTENSION

    return {OUTLET_EXTENSION: outlet}
