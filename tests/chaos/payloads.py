"""Whatever is published arrives as JSON that a browser parses: values made by Hypothesis, judged by Node's JSON.parse.

`make torture-payloads` tries 100,000; tests/chaos/test_payloads.py a part of them. Each value goes
the way of a frame: encoded, spliced into an event, through the channel layer's serializer, heard by
a topic, written as the bytes of a WebSocket frame, and read back from them.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import IO, Any

if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")
    django.setup()

from channels.layers import get_channel_layer
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from progress.messages import event_frame
from progress.publish import News
from progress.topic import Frame, Topic, websocket_frame
from progress.wire import encode

EXAMPLES = 100_000
BATCH = 500

# Frames are lines. Not node's readline: it also splits at U+2028, which JSON may hold.
JUDGE = """
let rest = "", answers = [];
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n");
  rest = lines.pop();
  for (const line of lines) {
    if (line === "") {
      process.stdout.write(JSON.stringify(answers) + "\\n");
      answers = [];
      continue;
    }
    try { answers.push(JSON.stringify(JSON.parse(line))); } catch (error) { answers.push(null); }
  }
});
"""


class Hostile(Exception):
    """What the objects below raise, whatever is done with them."""


def refuse(*_: Any, **__: Any) -> Any:
    raise Hostile


class Unprintable:
    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __getattr__ = refuse


class Unreadable(Mapping[str, Any]):
    """Says it is a mapping, and lets nobody look."""

    __getitem__ = __iter__ = __len__ = items = keys = values = refuse


class HalfReadable(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield 1
        raise Hostile


class OddText(str):
    __str__ = __repr__ = __format__ = encode = refuse


class OddNumber(int):
    __str__ = __repr__ = __int__ = __add__ = __abs__ = refuse


class OddFloat(float):
    __str__ = __repr__ = __float__ = __add__ = refuse


class OddZone(tzinfo):
    utcoffset = dst = tzname = refuse


class OddKey:
    __str__ = __repr__ = refuse

    def __hash__(self) -> int:
        return 7


@dataclasses.dataclass
class Record:
    name: Any
    when: Any = dataclasses.field(default_factory=lambda: datetime(2025, 6, 4, 20, 57, 34, 81424))


class Slotted:
    """A dataclass whose field was never set."""

    __dataclass_fields__ = Record.__dataclass_fields__


class OddClass:
    @property  # type: ignore[misc]  # mypy knows that it is no property, which is the point
    def __class__(self) -> Any:
        raise Hostile


class OddBytes(bytes):
    __bytes__ = decode = refuse


class OddSpan(timedelta):
    total_seconds = __str__ = __repr__ = refuse


class OddDecimal(Decimal):
    is_finite = __float__ = __str__ = __repr__ = refuse


class Color(enum.Enum):
    RED = "red"
    PAIR = (1, 2)
    NAN = Decimal("NaN")
    WHEN = datetime(2025, 6, 4)


class Switch(enum.IntFlag):
    ON = 1
    OFF = 2
    FAR = 2**70


def cycle(of: Any) -> Any:
    ring: dict[Any, Any] = {"of": of}
    ring["self"] = [ring, {"again": ring}]
    return ring


def deep(of: Any, levels: int) -> Any:
    for level in range(levels):
        of = [of] if level % 2 else {"deeper": of}
    return of


def broken() -> list[Any]:
    """New ones each time: an iterator is used up by the first look."""
    return [
        Unprintable(), Unreadable(), HalfReadable([1]), OddText("odd"), OddNumber(3), OddFloat(0.5), Slotted(),
        ValueError(Unprintable()), datetime(2025, 1, 1, tzinfo=OddZone()), {OddKey(): 1}, (n for n in (1, refuse)),
        Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+999999"), float("nan"), 10**5000, -(2**53), 2**53, -0.0,
        5e-324, lazystr("later"), gettext_lazy("Save"), lazystr("\ud800"), "\u2028\u2029\0\x7f\ufeff", "\ud83d\ude00",
        "\ude00\ud83d", b"\xff\x00", bytearray(b"x"), memoryview(b"view"), range(3), object, refuse, ...,
        NotImplemented, timedelta.max, datetime.max, datetime.min, frozenset(), {"__proto__": 1, "constructor": 2},
    ]  # fmt: skip


def unaskable() -> list[Any]:
    """Values that refuse already to be asked what they are."""
    released = memoryview(b"gone")
    released.release()
    return [released, OddClass(), OddBytes(b"odd"), OddSpan(1), OddDecimal(1)]


def values() -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.complex_numbers(), st.fractions(),
        st.text(), st.text(st.characters(categories=["Cs", "Cc", "Zl", "Zp", "So"])), st.binary(),
        st.datetimes(), st.datetimes(timezones=st.timezones()), st.dates(), st.times(timezones=st.timezones()),
        st.timedeltas(), st.uuids(), st.ip_addresses(), st.sampled_from(Color), st.sampled_from(Switch),
        st.text().map(lazystr), st.builds(ValueError, st.text()), st.integers(0, len(broken()) - 1).map(nth_broken),
    )  # fmt: skip
    keys = st.one_of(
        st.text(), st.integers(), st.floats(), st.decimals(allow_nan=False), st.uuids(), st.dates(), st.none(),
        st.booleans(), st.binary(), st.tuples(st.integers(), st.text()), st.sampled_from(Color), st.builds(OddKey),
    )  # fmt: skip
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(keys, inner, max_size=4),
            st.sets(keys, max_size=4),
            st.frozensets(keys, max_size=4),
            st.tuples(inner, inner),
            st.lists(inner, max_size=3).map(iter),
            inner.map(cycle),
            inner.map(Record),
            st.builds(deep, inner, st.integers(1, 120)),
        ),
        max_leaves=10,
    )


def nth_broken(index: int) -> Any:
    return broken()[index]


class Nowhere:
    """The source of a topic that is only told news."""

    async def after(self, sequence: int) -> list[Frame]:
        return []

    async def latest(self) -> int:
        return 0


def carried(value: Any) -> str:
    """What a browser gets of it."""
    layer: Any = get_channel_layer()
    payload = encode({"progressId": "an-id", "value": value})
    text = event_frame("crawl_progress", payload, [encode(value)])
    packed = layer.serialize({"type": "news", **News("progress:an-id", 1, text)._asdict()})
    message = layer.deserialize(packed)
    topic = Topic("progress:an-id", Nowhere(), gapless=True)
    topic.hear(int(message["sequence"]), str(message["text"]))
    ((_, heard),) = topic.frames
    return text_of(websocket_frame(heard))


def text_of(frame: bytes) -> str:
    """The payload of one unmasked text frame, as a client takes it apart."""
    kind, size = frame[0], frame[1]
    length_bytes = {126: 2, 127: 8}.get(size, 0)
    if length_bytes:
        size = int.from_bytes(frame[2 : 2 + length_bytes], "big")
    payload = frame[2 + length_bytes :]
    assert (kind, len(payload)) == (0x81, size)
    return payload.decode("utf-8", "strict")


def strict(text: str) -> Any:
    """Numbers as JavaScript has them: all are floats, and 5.6e16 is another way to write 56000000000000000."""
    return json.loads(text, parse_constant=refuse, parse_int=float)


class Node:
    """JavaScript's opinion of many texts at once."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.judged = 0

    def judge(self, texts: list[str]) -> None:
        """Each is one JSON text to JSON.parse, and means the same to it."""
        asked, answered = self._pipes()
        asked.write("\n".join(texts) + "\n\n")
        asked.flush()
        answers = json.loads(answered.readline())
        assert len(answers) == len(texts), "a frame holds a line end"
        for text, answer in zip(texts, answers, strict=True):
            assert answer is not None, f"JSON.parse refuses {text!r}"
            assert strict(answer) == strict(text), f"JSON.parse reads {text!r} as {answer!r}"
        self.judged += len(texts)

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answered is not None
        return asked, answered


@contextmanager
def running_node() -> Iterator[Node | None]:
    """None where there is no node."""
    program = shutil.which("node")
    if program is None:
        yield None
        return
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    with subprocess.Popen([program, "-e", JUDGE], **pipes) as process:
        yield Node(process)


def torture(examples: int, node: Node | None, *, each: Callable[[int], None] = lambda tried: None) -> int:
    """How many values were carried. Fails with the value that raised, or the frame that a browser cannot read."""
    batch: list[str] = []
    tried = 0

    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values())
    def carry(value: Any) -> None:
        nonlocal tried
        text = carried(value)
        strict(text)
        batch.append(text)
        tried += 1
        if len(batch) >= BATCH:
            if node is not None:
                node.judge(batch)
            batch.clear()
            each(tried)

    carry()
    if node is not None and batch:
        node.judge(batch)
    return tried


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    wanted = parser.parse_args().examples
    started = time.monotonic()
    with running_node() as node:
        if node is None:
            sys.stderr.write("SKIPPED: there is no node on PATH, and only JSON.parse may judge.\n")
            return 0
        tried = torture(wanted, node, each=lambda count: say(f"\r{count:,} of {wanted:,}"))
        seconds = time.monotonic() - started
        say(f"\r{tried:,} values published, {node.judged:,} frames read by JSON.parse, in {seconds:.0f} s\n")
    return 0


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
