"""A browser for each file of tests. Without a Chromium the tests are skipped, and say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import chromium


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="every browser test, at full length: `make e2e`")
    parser.addoption("--seconds", type=int, default=60, help="how long the crawl page is given 50 updates a second")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--whole", default=False) and chromium.found() is None:
        raise pytest.UsageError("make e2e needs Chromium: `apt-get install chromium`. Nothing was tested.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Together on one worker, with what else uses the stack: each would start one, and a browser, of its own."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("e2e"))


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """At full length: `make e2e`. In the suite only a short part runs."""
    return bool(request.config.getoption("--whole", default=False))


@pytest.fixture(autouse=True)
def _only_in_whole(request: pytest.FixtureRequest, whole: bool) -> None:
    if request.node.get_closest_marker("whole") and not whole:
        pytest.skip("runs in `make e2e`")


# Per file, because Playwright's loop must be closed before the asynchronous tests of others begin.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = chromium.found()
    if executable is None:
        pytest.skip("no Chromium here: `apt-get install chromium`, then `make e2e` drives the dashboard in it")
    with chromium.launched(executable) as started:
        yield started


@pytest.fixture(scope="session")
def axe() -> None:
    if not chromium.AXE.is_file():
        pytest.skip("axe-core is not installed: `npm ci` in archon/dashboard")
