"""What the body of a REST request derives from."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationInfo, field_validator


class RequestBody(BaseModel):
    """Takes a JSON object and nothing else.

    Ninja's `Schema` reads its fields from the attributes of whatever it is given: a list is an
    empty request to it, and the title of a string is its method `title`.
    """

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, about: ValidationInfo) -> Any:
        """JSON's `true` is no number, as the OpenAPI says; pydantic would take it for 1."""
        if isinstance(value, bool) and about.field_name is not None:
            told = cls.model_fields[about.field_name].annotation
            if int in (told, *get_args(told)) and bool not in (told, *get_args(told)):
                raise ValueError("expected a number, not true or false")
        return value
