"""Ports of servers that tests start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack import free_port


def test_a_free_port_is_given_to_nobody_else_before_its_server_has_it() -> None:
    given_away = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if given_away < 32_000:
        pytest.skip("the system gives away these ports too")
    found = {free_port() for _ in range(50)}
    assert len(found) == 50
    assert max(found) < given_away
