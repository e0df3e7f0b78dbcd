"""to_wire(): anything that leaves becomes strict JSON primitives first, and never raises.

A datetime that reached json.dumps killed the sockets of the system this one replaces, so
everything that is published passes here, in the publisher, where a test can see it fail.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from django.utils.functional import Promise

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

# JavaScript's Number.MAX_SAFE_INTEGER: a larger integer would arrive changed in a browser.
MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 50
MAX_ITEMS = 10_000


def encode(value: object) -> str:
    """One compact line of JSON that every JSON.parse accepts."""
    return json.dumps(to_wire(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def storable(text: str) -> str:
    """Text that every database takes: no lone surrogates, and no NUL, which PostgreSQL refuses."""
    return _clean(text).replace("\0", "\ufffd") if "\0" in text else _clean(text)


def to_wire(value: object) -> Json:
    """ISO 8601 for times, seconds for durations, null for NaN, text for what JSON has no word for."""
    return _convert(value, depth=0, above=())


def _convert(value: object, depth: int, above: tuple[int, ...]) -> Json:
    try:
        scalar: Json = _scalar(value)
    except Exception:  # one that refuses to be asked what it is must not turn all around it into a text
        return _text_of(value)
    if scalar is not _NOT_SCALAR:
        return scalar
    if id(value) in above:
        return "<cycle>"
    if depth >= MAX_DEPTH:
        return "<too deep>"
    try:
        return _container(value, depth + 1, (*above, id(value)))
    except Exception:  # a hostile __iter__ or __str__ must not silence a socket
        return _text_of(value)


_NOT_SCALAR: Any = object()


def _scalar(value: object) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, Enum):
        return _scalar(value.value) if not isinstance(value.value, Enum) else _text_of(value)
    if isinstance(value, str):
        return _clean(str.__str__(value))
    if isinstance(value, int):
        number = int.__add__(value, 0)
        return number if abs(number) <= MAX_SAFE_INTEGER else _digits(number)
    if isinstance(value, float):
        return float.__add__(value, 0.0) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _scalar(float(value)) if value.is_finite() else None
    if isinstance(value, datetime | date | time):
        return _text_or(value, "isoformat")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, Promise):  # a lazy translation
        return _text_of(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {_text_of(value)}"
    return _NOT_SCALAR


def _container(value: object, depth: int, above: tuple[int, ...]) -> Json:
    if isinstance(value, Mapping):
        return {_key(key): _convert(item, depth, above) for key, item in _bounded(value.items())}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _convert(getattr(value, field.name), depth, above) for field in dataclasses.fields(value)}
    if isinstance(value, set | frozenset):
        # Sets have no order; sorting by text makes the same set the same line every time.
        return sorted((_convert(item, depth, above) for item in _bounded(value)), key=repr)
    if isinstance(value, list | tuple) or (isinstance(value, Iterable) and not isinstance(value, type)):
        return [_convert(item, depth, above) for item in _bounded(value)]
    return _text_of(value)


def _bounded(items: Iterable[Any]) -> Iterable[Any]:
    for index, item in enumerate(items):
        if index >= MAX_ITEMS:
            return
        yield item


def _key(key: object) -> str:
    scalar = _scalar(key)
    if isinstance(scalar, str):
        return scalar
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    return _text_of(key)


def _text_or(value: object, method: str) -> str:
    try:
        return _clean(str(getattr(value, method)()))
    except Exception:  # a broken tzinfo raises whatever it likes
        return _text_of(value)


def _text_of(value: object) -> str:
    try:
        return _clean(str.__str__(str(value)))
    except Exception:
        return f"<{type(value).__name__}>"


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:  # beyond sys.get_int_max_str_digits()
        return hex(number)


def _clean(text: str) -> str:
    """Lone surrogates have no UTF-8 form; pairs are joined, the lone ones become U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
