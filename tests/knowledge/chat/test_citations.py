"""What a writer's text becomes, however it is cut: markers that hold, no address of its own, code untouched."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from knowledge.chat.citations import CheckedText, statement_at_end
from knowledge.search import Scores, SearchHit, Snippet

HOME = "https://docs.example.com/retries"


def hit(content: str, title: str = "Retries") -> SearchHit:
    return SearchHit(
        chunk_id=1,
        document_id=1,
        source_id="a-source-of-tests",
        url=f"{HOME}#retries",
        page_url=HOME,
        title=title,
        heading_path=title,
        anchor="retries",
        ordinal=0,
        content=content,
        knowledge_type="technical",
        tags=(),
        page_word_count=9,
        score=1.0,
        scores=Scores(),
        snippet=Snippet(content, ()),
    )


PASSAGES = (hit("The client retries a failed request three times."), hit("Zebras graze in the savanna.", "Animals"))


def checked(*pieces: str) -> CheckedText:
    text = CheckedText(PASSAGES)
    shown = "".join([*(text.feed(piece) for piece in pieces), text.finish()])
    assert shown == text.text
    return text


@pytest.mark.parametrize(
    ("said", "shown", "cited"),
    [
        ("The client retries three times [1].", "The client retries three times [1].", [1]),
        ("The client retries three times. [1]", "The client retries three times. [1]", [1]),
        ("It retries requests [1][2].", "It retries requests [1].", [1]),
        ("Retries [1, 2] happen.", "Retries [1] happen.", [1]),
        ("Zebras graze [2]. The client retries [1].", "Zebras graze [2]. The client retries [1].", [2, 1]),
        ("Quantum foam bends spacetime [1].", "Quantum foam bends spacetime .", []),
        ("The client retries [7].", "The client retries .", []),
        ("The client retries [0] [99].", "The client retries  .", []),
        ("`retries[1]` is code", "`retries[1]` is code", []),
        ("```\nretries[9] ![x](http://e)\n```\nend [9]", "```\nretries[9] ![x](http://e)\n```\nend ", []),
        ("- [x] done [ ] open", "- [x] done [ ] open", []),
        ("a < b and a<b and !important", "a < b and a\\<b and !important", []),
    ],
)
def test_markers_stay_where_a_passage_bears_them_out(said: str, shown: str, cited: list[int]) -> None:
    text = checked(said)
    assert (text.text, text.cited) == (shown, cited)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("![pixel](http://evil/a.png)", "pixel"),
        ("![](http://evil/a.png)", ""),
        ("[here](http://evil/?q=secret)", "here"),
        ("[here](javascript:alert(1))", "here"),
        ('[here](http://evil "title")', "here"),
        ("[here](\nhttp://evil)", "[here]\\(\nhttp://evil)"),
        ("[![x](http://evil/a)](http://evil/b)", "!x(http://evil/a)"),
        ("[here][r]\n\n[r]: http://evil", "here\n\n[r]\\: http://evil"),
        ("![here][r]", "here"),
        (f"[the page]({HOME})", f"[the page]({HOME})"),
        (f"[the part]({HOME}#retries)", f"[the part]({HOME}#retries)"),
        (f"![the part]({HOME}#retries)", "the part"),
        ('<img src="http://evil">', ""),
        ("<http://evil/a>", ""),
        ("text <script>alert(1)</script>", "text alert(1)"),
        ("` ![x](http://evil)", "\\` x"),
        ("a ``` ![x](http://evil)", "a \\`\\`\\` x"),
    ],
)
def test_addresses_of_the_writers_own_do_not_stay(said: str, shown: str) -> None:
    text = checked(said).text
    assert text == shown
    rendered = MarkdownIt("commonmark", {"html": True}).render(text)
    for address in ('href="http://evil', 'src="', "javascript:", "<script", "<img"):
        assert address not in rendered, (text, rendered)


BITS = st.sampled_from(
    [
        *"[]()!<>`~\n \\:1x",
        "    ",
        "- ",
        "~~~",
        "> ",
        "[1]",
        "![",
        "](",
        "http://evil",
        "```",
        "``",
        "\n\n",
        "client retries",
        "<a ",
        "[r]: ",
        HOME,
    ]
)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(BITS, max_size=25).map("".join), st.lists(st.integers(0, 60), max_size=6))
@example("[a](\nhttp://evil)", [])
@example("[`](x) `![x](http://evil)`", [])
@example("\\`![x](http://evil)`", [])
@example("` a\n`![x](http://evil)`", [])
@example("~~~\n```\n~~~\n![x](http://evil)", [])
@example("- a\n  ```\n![x](http://evil)", [])
@example("a\n    ```\n    ![x](http://evil)", [])
@example("[a\nb](http://evil)", [])
@example("[a`]`](http://evil)", [])
@example("[a]<b>(http://evil)", [])
@example("<![x][]http://evil>", [])
@example("[[a](http://evil)", [3])
def test_the_pieces_a_text_comes_in_change_nothing_and_no_address_gets_through(said: str, cuts: list[int]) -> None:
    ends = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]
    pieces = [said[start:end] for start, end in pairwise(ends)]
    text = checked(*pieces).text
    assert text == checked(said).text
    assert text == checked(*said).text
    rendered = MarkdownIt("commonmark", {"html": True}).render(text)
    assert 'href="http://evil' not in rendered, (text, rendered)
    assert "<img" not in rendered, (text, rendered)


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("One thing. Another thing", "Another thing"),
        ("One thing. Another thing. [1]", "Another thing"),
        ("One thing [1]. Another", "Another"),
        ("Only", "Only"),
        ("", ""),
    ],
)
def test_a_marker_stands_for_the_sentence_before_it(text: str, statement: str) -> None:
    assert statement_at_end(text) == statement
