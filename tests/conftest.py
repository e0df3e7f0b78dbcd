"""Fixtures for every test: the database as a file, a clean Redis, the real channel layer."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import SyncToAsync
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.signals import setting_changed
from django.db import OperationalError, connection, connections, transaction
from django.dispatch import receiver
from django.test import TransactionTestCase, override_settings
from redis import Redis

from crawler import engine
from knowledge.embedding import reset_embedder
from knowledge.search.vectors import index_for

# Written by migrations and by nothing else.
FIXED_TABLES = frozenset({"django_content_type", "auth_permission"})
STOP_SECONDS = 30
LOCK_ATTEMPTS = 3
GUARD_SETTINGS = ("LOCAL_MODE", "CRAWL_ALLOW_PRIVATE", "CRAWL_PORTS", "OWN_PORTS")


@receiver(setting_changed)
def renew_guard(*, setting: str, **_: Any) -> None:
    """The guard is made once per process, from the settings of that moment; the fetcher holds it."""
    if setting in GUARD_SETTINGS:
        engine.guard.cache_clear()
        engine.close()


# Fixtures of a session that start servers: another xdist worker would start them again.
SHARED_SERVERS = {"stack": "e2e", "served": "served"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            for name in SHARED_SERVERS.keys() & set(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.xdist_group(SHARED_SERVERS[name]))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """SQLite as a file: the in-memory database locks differently, and child processes cannot see it."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database.setdefault("TEST", {})["NAME"] = str(settings.DATA_DIR / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The servers of a run are thrown away with it; dropping a database first would only trip over a
    connection that some thread of an asynchronous test still holds."""
    return True


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """The run's own Redis: broker and channel layer."""
    with Redis.from_url(settings.REDIS_URL) as client:
        yield client


@cache
def tables() -> list[str]:
    """Those of the models, and the keyword indexes, which no model knows."""
    ending = {"sqlite": "_fts", "postgresql": "_words"}[connection.vendor]
    indexes = {name for name in connection.introspection.table_names() if name.endswith(ending)}
    models = set(connection.introspection.django_table_names(only_existing=True))
    return sorted(models - FIXED_TABLES | indexes)


def empty_tables(test: TransactionTestCase) -> None:
    """In place of Django's flush: TRUNCATE makes a new file of each table and index, which costs more than to delete
    the few rows of a test, and what the migrations wrote need not be written again after each of them."""
    names = [connection.ops.quote_name(table) for table in tables()]
    for left in reversed(range(LOCK_ATTEMPTS)):
        try:
            delete_rows(names)
            break
        except OperationalError as error:
            # The tables are locked one after another: what still writes in a thread may hold a later one.
            if not left or "deadlock" not in str(error):
                raise


def delete_rows(names: list[str]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # as TRUNCATE does: what still writes in a thread ends first
            cursor.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
        for name in names:
            cursor.execute(f"DELETE FROM {name}")


@pytest.fixture(scope="session", autouse=True)
def quick_ends() -> Iterator[None]:
    """A password is made in no time, and tables are emptied without being made anew."""
    with (
        override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]),
        mock.patch.object(TransactionTestCase, "_fixture_teardown", empty_tables),
    ):
        yield


@pytest.fixture(autouse=True)
def empty_redis(redis: Redis) -> Iterator[None]:
    """No test finds the queued tasks of another."""
    yield
    redis.flushall()


@pytest.fixture
async def channel_layer() -> AsyncIterator[Any]:
    """The real Redis pub/sub layer; its connections end with the test."""
    layer = get_channel_layer()
    yield layer
    await layer.flush()


@pytest.fixture(autouse=True)
def end_connections_of_coroutines(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a coroutine asks the database, it asks in a thread that outlives its test; the next test there may be one
    that must not find a database."""
    yield
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        SyncToAsync.single_thread_executor.submit(connections.close_all).result(STOP_SECONDS)


@pytest.fixture
def with_vectors(settings: Any) -> Iterator[None]:
    """The bundled embedder, which the tests are without by default; and no index of the rows of another test, whose
    ids may be the same."""
    settings.EMBEDDER = "local"
    reset_embedder()
    index_for.cache_clear()
    yield
    reset_embedder()
