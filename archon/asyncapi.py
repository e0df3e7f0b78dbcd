"""`/api/asyncapi.json`: every message of every stream as JSON Schema, in one AsyncAPI 3.0 document."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any, get_origin

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import condition, require_safe
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

import knowledge.streams
import progress.streams
from archon.api import api
from progress.streams import Stream
from progress.wire import encode

STREAMS: tuple[Stream, ...] = (*progress.streams.STREAMS, *knowledge.streams.STREAMS)
SCHEMAS = "#/components/schemas/"
MESSAGES = "#/components/messages/"
Object = dict[str, Any]


@cache
def document() -> Object:
    types = {name: kind for stream in STREAMS for name, kind in {**stream.sends, **stream.receives}.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{api.title} streams",
            "version": api.version,
            "description": "Every text frame is one JSON object, but for the bare text `ping` of a client.",
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "localhost:8080", "protocol": "ws"}},
        "channels": {stream.name: _channel(stream) for stream in STREAMS},
        "operations": _operations(),
        "components": {"messages": {name: _message(name, kind) for name, kind in types.items()}, **_schemas(types)},
    }


def _channel(stream: Stream) -> Object:
    channel: Object = {
        "address": stream.address,
        "summary": stream.summary,
        "messages": {name: {"$ref": MESSAGES + name} for name in {**stream.sends, **stream.receives}},
    }
    if stream.parameters:
        channel["parameters"] = {name: {"description": text} for name, text in stream.parameters.items()}
    if stream.query:
        fields = {name: {"type": "string", "description": text} for name, text in stream.query.items()}
        channel["bindings"] = {"ws": {"query": {"type": "object", "properties": fields}}}
    return channel


def _operations() -> dict[str, Object]:
    """As AsyncAPI has it, from the side of the server: it sends and receives."""
    operations = {}
    for stream in STREAMS:
        for action, messages in (("send", stream.sends), ("receive", stream.receives)):
            operations[f"{action}{stream.name[0].upper()}{stream.name[1:]}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{stream.name}"},
                "messages": [{"$ref": f"#/channels/{stream.name}/messages/{name}"} for name in messages],
            }
    return operations


def _message(name: str, kind: Any) -> Object:
    message = {"name": name, "payload": {"$ref": SCHEMAS + name}}
    return message if _is_object(kind) else {**message, "contentType": "text/plain"}


def _is_object(kind: Any) -> bool:
    return get_origin(kind) is None


def _schemas(types: dict[str, Any]) -> Object:
    mode: JsonSchemaMode = "validation"
    adapters = [(name, mode, TypeAdapter(kind)) for name, kind in types.items()]
    found, shared = TypeAdapter.json_schemas(adapters, ref_template=SCHEMAS + "{model}")
    schemas: Object = {**shared.get("$defs", {})}
    for (name, _), schema in found.items():
        schemas.setdefault(str(name), schema)  # a type that others refer to is among the shared ones
    return {"schemas": dict(sorted(schemas.items()))}


@cache
def body() -> bytes:
    return encode(document()).encode()


def etag(request: HttpRequest) -> str:
    return f'"{sha256(body()).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=etag)
def asyncapi(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(body(), content_type="application/json")
    patch_cache_control(response, public=True, max_age=300)
    return response
