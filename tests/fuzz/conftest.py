"""How many requests each operation is asked, and in which mode."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, default=0, help="requests per operation of the API: `make fuzz-api`")
    parser.addoption("--server", action="store_true", help="in server mode, with an operator's token")
