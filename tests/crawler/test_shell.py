"""Which pages are an empty shell that only scripts fill."""

from __future__ import annotations

import pytest

from crawler.shell import needs_browser, visible_chars
from tests.cpu import times_as_much

TEXT = "<p>Rendered on the server already.</p>" * 20


@pytest.mark.parametrize(
    ("html", "needed"),
    [
        ("<div id=root></div><script src=app.js></script>", True),
        ("<div id=__next>Loading…</div><script>1</script>", True),
        ("<noscript>You need to enable JavaScript to run this app.</noscript><script src=a.js></script>", True),
        ("<body><script src=app.js></script></body>", True),
        (f"<title>{'A long title. ' * 40}</title><style>{'a{}' * 200}</style><script>{'x=1;' * 300}</script>", True),
        (f"<nav>{TEXT}</nav><div class=a ID='app' data-v></div><script src=a.js></script>", True),
        (f"<app-root></app-root><footer>{TEXT}</footer><script src=a.js></script>", True),
        ("<p>Hello.</p>" * 60 + "<noscript>Please enable JavaScript.</noscript><script>1</script>", True),
        ("<div id=root></div>", False),
        (f"{TEXT}<script src=track.js></script>", False),
        (f"<div id=root>{TEXT}</div><script>1</script>", False),
        (f"{TEXT * 3}<noscript>Enable JavaScript to search.</noscript><script>1</script>", False),
        (f"<p>The element &lt;div id=root&gt;&lt;/div&gt; is empty.</p>{TEXT}<script>1</script>", False),
    ],
)
def test_a_page_that_waits_for_its_scripts_is_recognised(html: str, needed: bool) -> None:
    assert needs_browser(f"<!doctype html><html><body>{html}</body></html>") is needed


@pytest.mark.parametrize(
    "part", ["<script", "<script>", "<!--", "<a ", "<", "<noscript>javascript", "</", "<div id=root>", "<svg><"]
)
def test_malformed_pages_are_judged_in_one_pass(part: str) -> None:
    """Measured: at most a third of a page of short elements, of the same length."""
    ordinary = "<script></script>" + "<i></i>" * 140_000
    for opening in ("<script>", "<script></script>"):
        page = opening + part * (1_000_000 // len(part))
        assert times_as_much(lambda page=page: needs_browser(page), lambda: needs_browser(ordinary)) < 10  # type: ignore[misc]


def test_characters_are_counted_as_far_as_needed() -> None:
    assert visible_chars("<p> one two </p> <!-- no --> three<script>four</script>", 100) == 12
    assert visible_chars("<p>one two</p>", 3) == 3
