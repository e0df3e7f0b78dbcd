"""Node's programs for MCP come from npm and take half a minute: they run in `make e2e-mcp`, not in the suite."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--node", action="store_true", help="install and run Node's MCP programs: `make e2e-mcp`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """By a mark, so that no stack is started for a test that does not run."""
    if not config.getoption("--node", default=False):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="runs in `make e2e-mcp`"))
