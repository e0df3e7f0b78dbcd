"""The seam from async code to the database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

POOL_THREADS = 4
_pool = ThreadPoolExecutor(max_workers=POOL_THREADS, thread_name_prefix="archon-database")


async def in_thread(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the ORM in Django's thread; connections are cared for there."""
    result: T = await database_sync_to_async(read)(*args, **kwargs)
    return result


async def in_pool(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `in_thread`, for work that takes milliseconds: it must not hold up the reads of sockets.

    A few threads that keep their connections, so that many callers share a bounded number of them.
    """
    result: T = await database_sync_to_async(work, thread_sensitive=False, executor=_pool)(*args, **kwargs)
    return result


def close_pool_connections() -> None:
    """For tests and orderly ends: every thread of the pool closes what it holds."""
    meet = Barrier(POOL_THREADS)

    def close() -> None:
        meet.wait(10)
        connections.close_all()

    for ended in [_pool.submit(close) for _ in range(POOL_THREADS)]:
        ended.result()
