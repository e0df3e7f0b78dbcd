"""Every message is published as JSON Schema at /api/asyncapi.json, and nothing else leaves."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from archon.asyncapi import STREAMS, document
from archon.routing import websocket_urlpatterns
from progress.messages import HEARTBEAT_TEXT, PONG_TEXT, WAITING_LINE, waiting
from progress.wire import encode
from tests.stack import ROOT
from tests.wire import golden, published

EXAMPLES = (
    "crawl_progress_initial",
    "crawl_progress_update",
    "crawl_completed",
    "heartbeat",
    "pong",
    "waiting",
    "knowledge_items_update",
    "mcp_log",
)


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = document()["components"]["schemas"][name]
    return schema


def test_the_document_is_served_with_an_etag(client: Client) -> None:
    first = client.get("/api/asyncapi.json")
    assert first.status_code == 200
    assert first["Content-Type"] == "application/json"
    assert "max-age=300" in first["Cache-Control"]
    assert first.json() == document()
    again = client.get("/api/asyncapi.json", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.post("/api/asyncapi.json").status_code == 405


def test_it_is_asyncapi_3_and_every_reference_leads_somewhere() -> None:
    found = document()
    assert found["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= found["info"].keys()
    for reference in references(found):
        target: Any = found
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [reference for item in value for reference in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if "$ref" in value else []
    return own + [reference for item in value.values() for reference in references(item)]


def test_every_schema_is_json_schema() -> None:
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_socket_path_is_a_channel() -> None:
    routes = [route.pattern.regex.pattern for route in websocket_urlpatterns if route.pattern.regex.pattern]
    addresses = [stream.address for stream in STREAMS]
    assert len(addresses) == len(routes)
    for route in routes:
        fixed = "/" + route.strip("^$").partition("(")[0]
        assert any(address.startswith(fixed) for address in addresses), route


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_fields_of_the_seed_are_published(name: str) -> None:
    """Its examples leave fields out; none of those they have is unknown."""
    example = golden(name)
    schema = published_for(example)
    assert example.keys() <= schema["properties"].keys()
    if "data" in example and name != "knowledge_items_update":
        assert example["data"].keys() <= schema_of("ProgressBody")["properties"].keys()
        assert example["data"]["status"] in schema_of("Status")["enum"]


def published_for(frame: dict[str, Any]) -> dict[str, Any]:
    names = {
        schema["properties"]["type"]["const"]: name
        for name, schema in document()["components"]["schemas"].items()
        if "const" in schema.get("properties", {}).get("type", {})
    }
    return schema_of(names[frame["type"]] if "type" in frame else "McpLogRecord")


def test_constant_frames_are_as_published() -> None:
    for text in (HEARTBEAT_TEXT, PONG_TEXT, encode(waiting("test-id"))):
        published().checked(text)
    assert golden("waiting") == waiting("test-id")
    assert published().types >= {"crawl_progress", "crawl_completed", "heartbeat", "pong", "knowledge_items_update"}


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"heartbeat","at":1}',
        '{"type":"surprise"}',
        '{"type":"crawl_progress","data":{"progressId":"a","status":"waiting","percentage":0,"logs":[],"secret":1}}',
        '{"type":"crawl_progress","data":{"progressId":"a","status":"waiting","percentage":1,"logs":[]}}',
        '{"message":"wrapped"}',
        '["a list"]',
        '{"type":"pong","at":NaN}',
    ],
)
def test_a_frame_that_nobody_published_fails_the_suite(text: str) -> None:
    with pytest.raises(AssertionError):
        published().checked(text)


def test_what_a_client_may_send_is_published_too() -> None:
    def accepts(name: str, message: Any) -> bool:
        return bool(Draft202012Validator(schema_of(name)).is_valid(message))

    assert accepts("PingText", "ping")
    assert not accepts("PingText", "pong")
    assert accepts("Ping", {"type": "ping"})
    assert accepts("Subscribe", {"type": "subscribe"})
    assert accepts("Subscribe", {"type": "subscribe", "page": 2, "per_page": 50, "search": "x", "tags": ["a"]})
    assert not accepts("Subscribe", {"type": "subscribe", "page": 0})
    for stream in STREAMS:
        assert {"PingText", "Ping"} <= stream.receives.keys()


def test_the_items_of_the_stream_have_the_fields_of_rest() -> None:
    from knowledge.schemas import Item, ItemMetadata

    assert schema_of("ItemBody")["properties"].keys() == Item.model_fields.keys()
    assert schema_of("ItemMetadata")["properties"].keys() == ItemMetadata.model_fields.keys()


def test_every_field_of_every_message_is_documented() -> None:
    page = (ROOT / "docs" / "websocket.md").read_text(encoding="utf-8")
    for name, schema in document()["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert re.search(rf'[`"{{ ]{field}[`",}}]', page), f"docs/websocket.md lacks {field} of {name}"


def test_the_waiting_line_is_the_seeds() -> None:
    assert json.loads(encode(waiting("x")))["data"]["logs"] == [WAITING_LINE]
