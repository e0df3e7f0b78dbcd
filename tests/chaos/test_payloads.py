"""A part of `make torture-payloads`, small enough for every run."""

from __future__ import annotations

import pytest

from tests.chaos.payloads import broken, carried, running_node, strict, torture, unaskable

EXAMPLES = 2_000


def test_every_broken_value_is_carried() -> None:
    for value in broken():
        assert strict(carried(value))["data"]["progressId"] == "an-id"


@pytest.mark.parametrize("index", range(len(unaskable())))
def test_a_value_that_cannot_be_asked_is_carried_as_text(index: int) -> None:
    assert strict(carried(unaskable()[index]))["data"]["progressId"] == "an-id"


def test_whatever_is_published_is_json_that_a_browser_parses() -> None:
    with running_node() as node:
        assert torture(EXAMPLES, node) >= EXAMPLES
        assert node is None or node.judged >= EXAMPLES
