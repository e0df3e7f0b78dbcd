"""The messages of the wire: the seed document's examples as files, and the schemas that the product publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

FOLDER = Path(__file__).parent
SCHEMAS = "#/components/schemas/"
# The one message without a type: a client would drop it if it had one.
BARE = "McpLogRecord"


def golden(name: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return message


def assert_shaped_like(example: Any, frame: Any, path: str = "frame") -> None:
    """Every key of the example is in the frame with a value of the same JSON type; more keys are allowed."""
    assert type(frame) is type(example), f"{path}: expected {type(example).__name__}, got {frame!r}"
    if isinstance(example, dict):
        for key, value in example.items():
            assert key in frame, f"{path}.{key} is missing"
            assert_shaped_like(value, frame[key], f"{path}.{key}")
    elif isinstance(example, list):
        for item in frame:
            for like in example[:1]:
                assert_shaped_like(like, item, f"{path}[]")


class Published:
    """An AsyncAPI document as a judge: a frame is one of its messages, to the last field, or fails the test."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        schemas = document["components"]["schemas"]
        sent = {name for name, _ in self._sent()}
        self._of_type = {
            schemas[name]["properties"]["type"]["const"]: self._validator(name) for name in sent if name != BARE
        }
        self._bare = self._validator(BARE)

    def _sent(self) -> Iterator[tuple[str, str]]:
        """(message, channel) of everything the server sends."""
        for operation in self.document["operations"].values():
            if operation["action"] == "send":
                channel = operation["channel"]["$ref"].rpartition("/")[2]
                for message in operation["messages"]:
                    yield message["$ref"].rpartition("/")[2], channel

    def _validator(self, name: str) -> Draft202012Validator:
        schema = {"$ref": SCHEMAS + name, "components": self.document["components"]}
        return Draft202012Validator(schema, format_checker=formats)

    @property
    def types(self) -> set[str]:
        return set(self._of_type)

    def check(self, frame: Any) -> None:
        assert isinstance(frame, dict), f"a frame is one JSON object, got {frame!r}"
        validator = self._of_type.get(frame["type"]) if "type" in frame else self._bare
        assert validator is not None, f"no message of type {frame['type']!r} is published"
        fault = best_match(validator.iter_errors(frame))
        assert fault is None, f"{fault and fault.json_path}: {fault and fault.message} in {frame!r}"

    def checked(self, text: str | bytes) -> dict[str, Any]:
        """The frame, which is strict JSON and published."""
        frame: dict[str, Any] = json.loads(text, parse_constant=refuse_constant)
        self.check(frame)
        return frame


formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    """ISO 8601 with an offset: a time without one means another moment in every browser."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@cache
def published() -> Published:
    """What this checkout publishes."""
    from archon.asyncapi import body

    return Published(json.loads(body()))
