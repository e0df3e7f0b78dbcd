"""What the OpenAPI says of refusals: their one shape, under every operation."""

from __future__ import annotations

from typing import Any

PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "type": "object",
            "required": ["error", "code", "hint", "field"],
            "properties": {
                "error": {"type": "string", "description": "What is wrong, as a sentence."},
                "code": {"type": "string", "description": "The same as a word for programs."},
                "hint": {"type": "string", "description": "What to do."},
                "field": {"type": ["string", "null"], "description": "The field at fault."},
            },
        }
    },
}
WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
REFUSALS = {
    "4XX": "Refused: what was asked is wrong, unknown or not allowed.",
    "429": "Too much was asked for; come back later.",
    "503": "Something that this needs is away; try again.",
    "507": "The disk is full.",
}
LATER = frozenset({"429", "503", "507"})


def with_refusals(document: Any) -> Any:
    """The document with an answer of each kind of refusal under each operation; changed in place."""
    document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].update({status: _response(status) for status in REFUSALS})
            _close_form(operation)
    return document


def _close_form(operation: Any) -> None:
    """Fields that a form does not have are refused, as those of a JSON body are."""
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if form is not None:
        form["schema"]["additionalProperties"] = False


def _response(status: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    response: dict[str, Any] = {"description": REFUSALS[status], "content": content}
    return {**response, "headers": WAIT} if status in LATER else response
