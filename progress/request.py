"""What the body of a REST request derives from."""

from __future__ import annotations

from pydantic import BaseModel


class RequestBody(BaseModel):
    """Takes a JSON object and nothing else.

    Ninja's `Schema` reads its fields from the attributes of whatever it is given: a list is an
    empty request to it, and the title of a string is its method `title`.
    """
