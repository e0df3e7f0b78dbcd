"""Many WebSocket clients in one cheap process: epoll over raw sockets, every byte checked, few frames parsed.

All viewers of one run must receive the same stream of frames. The first to receive a part
defines it and has it parsed (sequences dense and in order); every other one is compared with
it byte by byte. Run as a program it obeys lines of JSON on its input; see `main`.
"""

from __future__ import annotations

import json
import re
import resource
import select
import socket
import sys
import time
from bisect import bisect_right
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

WINDOW = 64
CHUNK = 1 << 18
SEQUENCE = re.compile(rb'"sequence": ?(\d+)')
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSE, PING = 0x88, 0x89
CLOSE_WITH_CODE = b"\x88\x02"


def allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Viewer:
    __slots__ = ("born", "broken", "closed", "connection", "done", "ended", "head", "open", "own", "received", "tail")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.born = time.monotonic_ns()
        self.head = b""  # what came before the first frame was whole
        self.tail = b""  # the part of a ping that came so far
        self.open = False
        self.received = 0  # bytes of the common stream
        self.done = 0  # whole frames of it
        self.own: bytearray | None = None  # a stream that differs from the common one is parsed by itself
        self.closed: int | None = None  # the close code
        self.ended = False
        self.broken = ""


class Frames:
    """A growing stream of frames: where each ends, and its sequence."""

    def __init__(self) -> None:
        self.stream = bytearray()
        self.ends: list[int] = []
        self.sequences: list[int] = []
        self._parsed = 0

    def grow(self, chunk: bytes) -> None:
        self.stream += chunk
        while (frame := frame_at(self.stream, self._parsed)) is not None:
            start, end = frame
            found = SEQUENCE.search(self.stream, start, end)
            if self.stream[self._parsed] == 0x81 and found:
                self.sequences.append(int(found[1]))
                self.ends.append(end)
            self._parsed = end


def frame_at(stream: bytes | bytearray, offset: int) -> tuple[int, int] | None:
    """(start of the payload, end) of the unmasked frame at `offset`; None while it is not whole."""
    if len(stream) < offset + 2:
        return None
    size, start = stream[offset + 1] & 127, offset + 2
    if size == 126:
        start = offset + 4
        size = int.from_bytes(stream[offset + 2 : start], "big")
    elif size == 127:
        start = offset + 10
        size = int.from_bytes(stream[offset + 2 : start], "big")
    return (start, start + size) if len(stream) >= start + size else None


class Viewers:
    def __init__(self, port: int) -> None:
        self.port = port
        self.epoll = select.epoll()
        self.viewers: dict[int, Viewer] = {}
        self.common = Frames()
        self.arrivals: list[tuple[int, int, int]] = []  # (nanosecond, frames before, frames after)
        self.first_frame_ns: list[int] = []
        self.refused = 0
        self.reasons: Counter[str] = Counter()
        self.connecting = 0

    # ---- connecting ----

    def connect(self, path: str, count: int, *, receive_buffer: int = 0) -> None:
        """Open `count` more sockets, a window at a time; returns when each has its first frame or is refused."""
        for _ in range(count):
            self.start(path, receive_buffer=receive_buffer)
            while self.connecting >= WINDOW:
                self.look(1.0)
        self.settle(60)

    def settle(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.connecting and time.monotonic() < deadline:
            self.look(0.1)

    def start(self, path: str, *, receive_buffer: int = 0) -> Viewer:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        viewer = Viewer(connection)
        connection.connect(("127.0.0.1", self.port))
        connection.setblocking(False)
        connection.send(UPGRADE.format(path=path, port=self.port).encode())
        self.viewers[connection.fileno()] = viewer
        self.epoll.register(connection.fileno(), select.EPOLLIN)
        self.connecting += 1
        return viewer

    # ---- receiving ----

    def look(self, seconds: float) -> None:
        for descriptor, _ in self.epoll.poll(seconds):
            viewer = self.viewers[descriptor]
            try:
                chunk = viewer.connection.recv(CHUNK)
            except ConnectionError as error:
                chunk, viewer.broken = b"", type(error).__name__
            if not chunk:
                self.end(viewer)
            elif not viewer.open:
                self.greet(viewer, chunk)
            elif not self.is_next(viewer, chunk):
                self.take(viewer, chunk)

    def is_next(self, viewer: Viewer, chunk: bytes) -> bool:
        """The usual case, which decides what the load costs: the next frame, whole, as another viewer had it."""
        common, done, after = self.common, viewer.done, viewer.received + len(chunk)
        if done >= len(common.ends) or common.ends[done] != after or viewer.own is not None or viewer.tail:
            return False
        if not common.stream.startswith(chunk, viewer.received):
            return False
        viewer.received, viewer.done = after, done + 1
        self.arrivals.append((time.monotonic_ns(), done, done + 1))
        return True

    def greet(self, viewer: Viewer, chunk: bytes) -> None:
        """The answer to the handshake and the first frame, which may differ from viewer to viewer."""
        viewer.head += chunk
        answer, found, rest = viewer.head.partition(b"\r\n\r\n")
        if not found:
            return
        if b" 101 " not in answer[:20]:
            viewer.broken = answer[:40].decode("latin-1")
            self.end(viewer)
        elif (frame := frame_at(rest, 0)) is not None:
            self.first_frame_ns.append(time.monotonic_ns() - viewer.born)
            viewer.open = True
            viewer.head = rest[frame[0] : frame[1]]
            self.connecting -= 1
            if after := rest[frame[1] :]:
                self.take(viewer, after)

    def take(self, viewer: Viewer, chunk: bytes) -> None:
        chunk, viewer.tail = viewer.tail + chunk, b""
        if viewer.own is not None:
            viewer.own += chunk
        elif not self.matches(viewer, chunk):
            rest = self.without_pings(viewer, chunk)
            if rest and not self.matches(viewer, rest):
                viewer.own = self.common.stream[: viewer.received] + rest

    def matches(self, viewer: Viewer, chunk: bytes) -> bool:
        """Whether the chunk goes on as the common stream does, which it lengthens if it is the first."""
        common = self.common
        known = len(common.stream) - viewer.received
        if not common.stream.startswith(chunk[:known], viewer.received):
            return False
        if known < len(chunk):
            if holds_control_frames(self.since_boundary(viewer, chunk)):
                return False
            common.grow(chunk[known:])
        viewer.received += len(chunk)
        self.arrived(viewer)
        return True

    def since_boundary(self, viewer: Viewer, chunk: bytes) -> bytes:
        """The chunk, and before it what came since the last whole frame."""
        boundary = self.common.ends[viewer.done - 1] if viewer.done else 0
        return bytes(self.common.stream[boundary : viewer.received]) + chunk

    def without_pings(self, viewer: Viewer, chunk: bytes) -> bytes:
        """Goes back to the last whole frame, answers the pings and drops them."""
        stream, kept, offset = self.since_boundary(viewer, chunk), b"", 0
        viewer.received = self.common.ends[viewer.done - 1] if viewer.done else 0
        while (frame := frame_at(stream, offset)) is not None:
            if stream[offset] == PING:
                answer_ping(viewer.connection, stream[frame[0] : frame[1]])
            else:
                kept += stream[offset : frame[1]]
            offset = frame[1]
        if stream[offset : offset + 1] == bytes([PING]):
            viewer.tail = stream[offset:]
            return kept
        return kept + stream[offset:]

    def arrived(self, viewer: Viewer) -> None:
        done = bisect_right(self.common.ends, viewer.received)
        if done > viewer.done:
            self.arrivals.append((time.monotonic_ns(), viewer.done, done))
            viewer.done = done

    def end(self, viewer: Viewer) -> None:
        if not viewer.open:
            self.connecting -= 1
            self.refused += 1
            self.reasons[viewer.broken or "closed"] += 1
        viewer.ended = True
        self.epoll.unregister(viewer.connection.fileno())
        del self.viewers[viewer.connection.fileno()]
        viewer.connection.close()

    def receive(self, frames: int, seconds: float) -> None:
        """Until every viewer has so many frames, or time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look(0.05)
            if len(self.common.ends) >= frames and self.behind(frames) == 0:
                return

    def behind(self, frames: int) -> int:
        """How many viewers do not have so many frames yet."""
        return sum(
            1
            for viewer in self.viewers.values()
            if (viewer.done if viewer.own is None else len(own_sequences(viewer))) < frames
        )

    def close(self, *, abruptly: bool = False) -> None:
        for descriptor, viewer in list(self.viewers.items()):
            if abruptly:
                linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
                viewer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.epoll.unregister(descriptor)
            viewer.connection.close()
        self.viewers.clear()

    # ---- what came of it ----

    def outcome(self, sent_ns: list[int]) -> dict[str, Any]:
        """Losses, order, latency. `sent_ns` holds when frame 0, 1, ... of the common stream was published."""
        expected = len(sent_ns)
        common = self.common.sequences[:expected]
        dense = common == list(range(common[0], common[0] + len(common))) if common else False
        received = [len(own_sequences(viewer)) if viewer.own else viewer.done for viewer in self.viewers.values()]
        disordered = sum(1 for viewer in self.viewers.values() if viewer.own and not ascending(own_sequences(viewer)))
        arrivals = np.array([found for found in self.arrivals if found[2] <= expected], dtype=np.int64).reshape(-1, 3)
        spread = np.repeat(arrivals[:, 0], arrivals[:, 2] - arrivals[:, 1])
        frames = np.concatenate([np.arange(a, b) for _, a, b in arrivals]) if len(arrivals) else np.array([], int)
        late = (spread - np.array(sent_ns, dtype=np.int64)[frames]) / 1e6
        delivered = sum(received)
        seconds = (int(arrivals[:, 0].max()) - sent_ns[0]) / 1e9 if len(arrivals) else 0.0
        return {
            "viewers": len(self.viewers),
            "frame_bytes": self.common.ends[-1] - self.common.ends[-2] if len(self.common.ends) > 1 else 0,
            "expected": expected * len(self.viewers),
            "delivered": delivered,
            "lost": expected * len(self.viewers) - delivered,
            "in_order": dense and not disordered,
            "seconds": round(seconds, 3),
            "per_second": round(delivered / seconds) if seconds else 0,
            **{name: round(float(np.percentile(late, share)), 2) for name, share in PERCENTILES if len(late)},
        }

    def forget(self) -> None:
        """Make ready for another run over the same sockets."""
        self.common = Frames()
        self.arrivals = []
        for viewer in self.viewers.values():
            viewer.received = viewer.done = 0
            viewer.own = None


def holds_control_frames(stream: bytes) -> bool:
    offset = 0
    while offset < len(stream):
        if stream[offset] & 0x08:
            return True
        frame = frame_at(stream, offset)
        if frame is None:
            return False
        offset = frame[1]
    return False


def answer_ping(connection: socket.socket, payload: bytes) -> None:
    """A pong, masked with zeros."""
    connection.send(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


PERCENTILES = (("p50_ms", 50), ("p99_ms", 99), ("max_ms", 100))


def own_sequences(viewer: Viewer) -> list[int]:
    frames = Frames()
    frames.grow(bytes(viewer.own or b""))
    return frames.sequences


def ascending(sequences: list[int]) -> bool:
    return all(first < second for first, second in pairwise(sequences))


def main() -> None:
    """Lines of JSON: {"do": verb, ...} in, one object out; "receive" first says that it began."""
    allow_many_files()
    groups: dict[str, Viewers] = {}
    for line in sys.stdin:
        order = json.loads(line)
        verb, name = order.pop("do"), order.pop("group", "viewers")
        if verb == "connect":
            group = groups.setdefault(name, Viewers(order.pop("port")))
            started = time.monotonic()
            group.connect(**order)
            answer: dict[str, Any] = {
                "open": len(group.viewers),
                "refused": group.refused,
                "seconds": round(time.monotonic() - started, 3),
                "first_frame_ms": [
                    round(taken / 1e6, 1) for taken in np.percentile(group.first_frame_ns, (50, 99, 100))
                ],
            }
        elif verb == "storm":
            group = groups.setdefault(name, Viewers(order.pop("port")))
            answer = storm(group, **order)
        elif verb == "receive":
            groups[name].receive(**order)
            answer = {}
        elif verb == "outcome":
            answer = groups[name].outcome(**order)
            groups[name].forget()
        elif verb == "rest":
            answer = rest(groups[name], **order)
        elif verb == "unread":
            answer = unread(groups[name], **order)
        else:
            groups.pop(name).close(abruptly=verb == "abort")
            answer = {}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def storm(group: Viewers, path: str, count: int, seconds: float, patience: float) -> dict[str, Any]:
    """`count` connects spread evenly over `seconds`; how long until each had its first frame."""
    started = time.monotonic()
    for number in range(count):
        while time.monotonic() < started + seconds * number / count:
            group.look(max(0.0, started + seconds * number / count - time.monotonic()))
        group.start(path)
    group.settle(patience)
    taken = np.array(group.first_frame_ns) / 1e9
    return {
        "asked": count,
        "snapshots": len(taken),
        "errors": group.refused,
        "reasons": dict(group.reasons),
        "waiting": group.connecting,
        **{
            name: round(float(np.percentile(taken, share)), 3)
            for name, share in (("p50_s", 50), ("p99_s", 99), ("max_s", 100))
        },
    }


def rest(group: Viewers, seconds: float) -> dict[str, Any]:
    """Wait as a browser tab does: pings of the server are answered, heartbeats are looked past."""
    deadline = time.monotonic() + seconds
    frames = 0
    while (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in group.epoll.poll(left):
            connection = group.viewers[descriptor].connection
            chunk, offset = connection.recv(CHUNK), 0
            assert chunk, "the server closed an idle socket"
            while (frame := frame_at(chunk, offset)) is not None:
                frames += 1
                if chunk[offset] == PING:
                    answer_ping(connection, chunk[frame[0] : frame[1]])
                offset = frame[1]
    return {"frames": frames}


def unread(group: Viewers, seconds: float) -> dict[str, Any]:
    """Read at last what stalled viewers left unread: how many the server has closed, and with which code."""
    deadline = time.monotonic() + seconds
    waiting = dict(group.viewers)
    codes: Counter[str] = Counter()
    for viewer in waiting.values():
        codes[str(drain(viewer, deadline))] += 1
    return {"codes": dict(codes)}


def drain(viewer: Viewer, deadline: float) -> int | str:
    """Read up to the close frame; its code, or how the stream ended without one."""
    stream = b""
    try:
        while stream[-4:-2] != CLOSE_WITH_CODE:
            viewer.connection.settimeout(max(0.01, deadline - time.monotonic()))
            chunk = viewer.connection.recv(CHUNK)
            if not chunk:
                return "end"
            stream = stream[-4:] + chunk
    except TimeoutError:
        return "open"
    except ConnectionError:
        return "reset"
    return int.from_bytes(stream[-2:], "big")


if __name__ == "__main__":
    main()
