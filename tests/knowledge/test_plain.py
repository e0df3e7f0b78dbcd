"""A passage without its addresses: what is said stays, code stays as it is."""

from __future__ import annotations

import pytest

from knowledge.plain import without_addresses
from tests.cpu import times_as_much


@pytest.mark.parametrize(
    ("markdown", "told"),
    [
        ("no link at all", "no link at all"),
        ("See [`Task.cancel()`](https://e.org/a#b), or [that](c).", "See `Task.cancel()`, or that."),
        ('[a (b)](https://e.org/x_(y)) and [t](u "title")', "a (b) and t"),
        ("[![Logo](l.gif)](https://e.org) text", "Logo text"),
        ("[[1]](n) and [x] and f[0](1 + 2)", "[1] and [x] and f[0](1 + 2)"),
        ("[a](b)\n\n```md\n[c](d)\n```\n[e](f)", "a\n\n```md\n[c](d)\n```\ne"),
        ("~~~\n[a](b)\n```\n[c](d)", "~~~\n[a](b)\n```\n[c](d)"),
        ("[broken](no end", "[broken](no end"),
        ("call `handlers[0](event)` of [`a[0](b)`](u)", "call `handlers[0](event)` of `a[0](b)`"),
    ],
)
def test_links_are_told_by_their_text(markdown: str, told: str) -> None:
    assert without_addresses(markdown) == told


@pytest.mark.parametrize(
    "bad",
    [
        "[" * 20_000 + "](",
        "[a](" * 5_000,
        "![" * 10_000 + "](x)",
        "```\n" * 5_000 + "](",
        "[a" * 10_000 + "](b",
        "[" + "[a](b)" * 5_000,
        "``a` [" * 5_000 + "](",
    ],
)
def test_broken_links_without_end_take_no_time(bad: str) -> None:
    """Measured: at most four times ordinary prose of 20 kB."""
    prose = "Some prose with [a link](/x.html) and `code` here. " * 400
    assert times_as_much(lambda: without_addresses(bad), lambda: without_addresses(prose)) < 500
