"""Tests that share a server run on one worker of xdist."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("groups")
def test_the_scheduler_is_told_the_group_of_a_test(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("without xdist there are no groups: `make test` has them")
    assert request.node.nodeid.endswith("@groups")
