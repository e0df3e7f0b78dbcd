"""What the body of a REST request derives from."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any, get_args

from django.http import HttpRequest
from ninja.errors import ValidationError as RefusedRequest
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

UNKNOWN = "extra_forbidden"
SHOWN_CHARS = 80


def stripped(text: str) -> str:
    """Without the blanks around it. Raises PydanticCustomError when nothing else is there."""
    if not (kept := text.strip()):
        raise PydanticCustomError("string_too_short", "Without blanks around it this should have at least 1 character")
    return kept


# Behind the constraints of a text, so that they are of what was sent, as the OpenAPI says them.
STRIPPED = AfterValidator(stripped)


class RequestBody(BaseModel):
    """Takes a JSON object and nothing else, with the fields it has and no other.

    Ninja's `Schema` reads its fields from the attributes of whatever it is given: a list is an
    empty request to it, and the title of a string is its method `title`.
    """

    # For the OpenAPI; what is said of such a field comes from `_no_unknown_field`.
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_field(cls, sent: Any) -> Any:
        """A misspelt field that is passed over does something else than was asked for."""
        if isinstance(sent, dict) and (faults := unknown_among(sent, cls.model_fields)):
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(type=PydanticCustomError(UNKNOWN, "{told}", {"told": told}), loc=(name,), input="")
                    for name, told in faults.items()
                ],
            )
        return sent

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, about: ValidationInfo) -> Any:
        """JSON's `true` is no number, as the OpenAPI says; pydantic would take it for 1."""
        if isinstance(value, bool) and about.field_name is not None:
            told = cls.model_fields[about.field_name].annotation
            if int in (told, *get_args(told)) and bool not in (told, *get_args(told)):
                raise ValueError("expected a number, not true or false")
        return value


def refuse_unknown_form_fields(request: HttpRequest, known: Collection[str]) -> None:
    """As of a JSON body, of a multipart form. Raises ninja's ValidationError."""
    faults = unknown_among([*request.POST, *request.FILES], known)
    if faults:
        raise RefusedRequest([{"type": UNKNOWN, "loc": ("form", name), "msg": told} for name, told in faults.items()])


def unknown_among(sent: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """What to say of each field that is not known, by the beginning of its name."""
    return {name[:SHOWN_CHARS]: _told(name, known) for name in sent if name not in known}


def _told(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name[:SHOWN_CHARS], known, n=1)
    meant = f" Did you mean {nearest[0]}?" if nearest else ""
    return f"There is no such field.{meant} Known are: {', '.join(known)}."
