"""One world for the tests of this folder: redis, a writer of progress, a web process; each id is used once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from crawler import engine
from tests.benchmarks.realtime.viewers import allow_many_files
from tests.e2e.served import Served, served
from tests.web import WebProcess, World, Writer, world

SITE_PAGES = 8
_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Together on one worker: what they start is expensive, and one of them stops the Redis of all."""
    for item in items:
        if "chaos" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("chaos"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the faults at full size: `make chaos-realtime`")


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> int:
    """1 in the suite, 10 at full size."""
    allow_many_files()
    return 10 if request.config.getoption("--long", default=False) else 1


@pytest.fixture
def site(settings: Any) -> Iterator[Served]:
    """Three pages in flight, so that even this small site takes several claims and transactions."""
    settings.CRAWL_CONCURRENCY = 3
    engine.close()
    with served(SITE_PAGES) as site:
        yield site
    engine.close()


@pytest.fixture(scope="session")
def chaos() -> Iterator[World]:
    with world() as started:
        yield started


@pytest.fixture(scope="session")
def writer(chaos: World) -> Writer:
    return chaos.writer()


@pytest.fixture(scope="session")
def _first_web(chaos: World) -> list[WebProcess]:
    return [chaos.web()]


@pytest.fixture
def web(chaos: World, _first_web: list[WebProcess]) -> WebProcess:
    """A running web process; one that the test before killed is started again."""
    if _first_web[0].child.poll() is not None:
        _first_web[0] = chaos.web()
    return _first_web[0]


@pytest.fixture
def progress_id(writer: Writer) -> str:
    """A new operation with its first event."""
    name = f"chaos-{os.getpid()}-{next(_numbers)}"
    writer.ask("create", name)
    return name
