"""How many sockets and event streams each client has open in this process: so many, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from progress.viewer import Viewer

_open: Counter[str] = Counter()


def client_of(viewer: Viewer, address: str | None) -> str:
    """Whose streams are counted together: an account's, else those of an address."""
    return f"user {viewer.user_id}" if viewer.user_id is not None else address or "local socket"


@contextmanager
def counted(client: str) -> Iterator[None]:
    _open[client] += 1
    try:
        yield
    finally:
        _open[client] -= 1
        if not _open[client]:
            del _open[client]


def is_full(client: str) -> bool:
    """Whether the next of this client would be one too many."""
    return _open[client] >= settings.SOCKETS_PER_CLIENT


def is_crowded(client: str) -> bool:
    """Whether one of those that are counted is one too many."""
    return _open[client] > settings.SOCKETS_PER_CLIENT
