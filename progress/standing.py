"""Whether who follows a stream may go on: looked at again while it is open, of sockets and event streams alike.

Who it is and what they may do is known above: archon/identity.py leaves its look under KEY on the request.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest

from progress.closing import CLOSE_FORBIDDEN
from progress.threads import in_thread

KEY = "standing"


class Over(NamedTuple):
    """Why a right ended: the close code of a socket, a word for programs, a sentence and the next step."""

    close_code: int
    code: str
    message: str
    hint: str


HIDDEN = Over(CLOSE_FORBIDDEN, "private", "This became private to another account.", "Ask its owner to share it.")

# Asks the database; None while all is as it was.
Look = Callable[[], Over | None]


def look_of(request: HttpRequest) -> Look:
    """In local mode nobody loses a right."""
    look: Look = getattr(request, KEY, lambda: None)
    return look


async def until_over(look: Look) -> Over:
    """Returns within ACCESS_CHECK_SECONDS of the loss."""
    while True:
        # Those who came together, after a restart say, are not all looked at in the same moment.
        await asyncio.sleep(settings.ACCESS_CHECK_SECONDS * random.uniform(0.5, 1))  # noqa: S311  # no secret
        with suppress(DatabaseError):  # a database that is away says nothing about a right
            if over := await in_thread(look):
                return over
