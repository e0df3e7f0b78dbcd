"""The seam from async code to the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the ORM in Django's thread; connections are cared for there."""
    result: T = await database_sync_to_async(read)(*args, **kwargs)
    return result
