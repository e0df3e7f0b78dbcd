"""`manage.py export_schema`: the REST API and the messages of the streams as one JSON document on stdout.

The dashboard's TypeScript types are generated from it: `make types`.
"""

from __future__ import annotations

import contextlib
import json
import sys
from hashlib import sha256
from typing import Any

from django.core.management.base import BaseCommand

PROSE = frozenset({"description", "summary", "title", "examples", "example"})


def exported() -> dict[str, Any]:
    """`openapi` and `messages`, an OpenAPI document of the message schemas alone, without prose; and their `digest`."""
    from ninja import NinjaAPI

    from archon.api import api
    from archon.asyncapi import document

    messages = {"openapi": "3.1.0", "info": {"version": ""}, "paths": {}}
    messages["components"] = {"schemas": document()["components"]["schemas"]}
    with contextlib.redirect_stdout(sys.stderr):  # ninja prints warnings there
        openapi = json.loads(
            json.dumps(NinjaAPI.get_openapi_schema(api), default=str)
        )  # without the refusals: one type
    schemas = {"openapi": _without_prose(openapi), "messages": _without_prose(messages)}
    digest = sha256(json.dumps(schemas, sort_keys=True).encode()).hexdigest()
    return {**schemas, "digest": digest}


def _without_prose(node: Any, *, names: bool = False) -> Any:
    """What only readers see changes no type. Under `properties` the keys are names, whatever they say."""
    if isinstance(node, list):
        return [_without_prose(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_prose(part, names=key in ("properties", "schemas"))
        for key, part in node.items()
        if names or key not in PROSE
    }


class Command(BaseCommand):
    help = "Print the schemas of the REST API and of the streams' messages, for generated clients."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps(exported()))
