"""Whatever a publisher puts into a message leaves as JSON that every browser parses."""

from __future__ import annotations

import enum
import json
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.utils.functional import lazystr
from hypothesis import given, settings
from hypothesis import strategies as st

from progress.wire import MAX_SAFE_INTEGER, encode, to_wire


class Color(enum.Enum):
    RED = "red"


def refuse_constants(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2025, 6, 4, 20, 57, 34, 81424), "2025-06-04T20:57:34.081424"),
        (datetime(2025, 6, 4, tzinfo=UTC), "2025-06-04T00:00:00+00:00"),
        (date(2025, 6, 4), "2025-06-04"),
        (time(1, 2, tzinfo=timezone(timedelta(hours=2))), "01:02:00+02:00"),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (Decimal("1.5"), 1.5),
        (Decimal("NaN"), None),
        (float("inf"), None),
        (2**60, str(2**60)),
        (Color.RED, "red"),
        (b"caf\xc3\xa9\xff", "café\ufffd"),
        ({3, 1, 2}, [1, 2, 3]),
        (ValueError("no"), "ValueError: no"),
        ("\ud800", "\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        (lazystr("later"), "later"),
        ((x for x in (1, 2)), [1, 2]),
        ({uuid.UUID(int=1): 1, None: 2, True: 3, 4: 5}, {str(uuid.UUID(int=1)): 1, "None": 2, "true": 3, "4": 5}),
    ],
)
def test_a_value_becomes_its_json_primitive(value: Any, expected: Any) -> None:
    assert to_wire(value) == expected


def test_a_cycle_ends() -> None:
    loop: dict[str, Any] = {"name": "loop"}
    loop["self"] = [loop]
    assert to_wire(loop) == {"name": "loop", "self": ["<cycle>"]}


def test_the_same_object_twice_is_no_cycle() -> None:
    shared = ["x"]
    assert to_wire([shared, shared]) == [["x"], ["x"]]


def test_an_object_that_cannot_even_be_printed_does_not_raise() -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

        def __iter__(self) -> Any:
            raise RuntimeError

    assert to_wire(Hostile()) == "<Hostile>"


def values() -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(), st.binary(),
        st.characters(categories=["Cs"]), st.datetimes(timezones=st.none() | st.timezones()), st.dates(),
        st.times(), st.timedeltas(), st.uuids(), st.sampled_from(Color), st.builds(ValueError, st.text()),
    )  # fmt: skip
    hashable = st.one_of(st.text(), st.integers(), st.uuids(), st.dates(), st.none(), st.booleans())
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(hashable, inner, max_size=4)
            | st.frozensets(hashable, max_size=4)
            | st.tuples(inner, inner)
        ),
        max_leaves=12,
    )


@settings(max_examples=500, deadline=None)
@given(values())
def test_any_value_leaves_as_strict_json(value: Any) -> None:
    text = encode(value)
    text.encode("utf-8")
    assert json.loads(text, parse_constant=refuse_constants) == to_wire(value)


def test_no_integer_leaves_that_javascript_would_round() -> None:
    assert to_wire(MAX_SAFE_INTEGER) == MAX_SAFE_INTEGER
    assert to_wire(-MAX_SAFE_INTEGER - 1) == str(-MAX_SAFE_INTEGER - 1)
