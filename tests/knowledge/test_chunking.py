from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.ingest.chunking import CHUNK_CHARS, OVERLAP_CHARS, ChunkText
from tests.cpu import times_as_much
from tests.knowledge.pages import chunks_of, texts

FENCE = "`" * 3


def test_each_chunk_carries_the_headings_above_it_and_the_nearest_anchor() -> None:
    markdown = "# Guide\n\nintro\n\n## Install\n\nhow\n\n### Linux\n\napt\n\n## Use\n\nrun"
    headings = ((1, "Guide", "guide"), (2, "Install¶", "install"), (3, "Linux", ""), (2, "Use", "use"))
    chunks = chunks_of(markdown, "Guide - Example", headings)
    assert [(chunk.heading_path, chunk.anchor, chunk.content) for chunk in chunks] == [
        ("Guide - Example", "guide", "intro"),
        ("Guide - Example > Install", "install", "how"),
        ("Guide - Example > Install > Linux", "install", "apt"),
        ("Guide - Example > Use", "use", "run"),
    ]


def test_headings_of_the_same_text_get_their_own_anchors_in_order() -> None:
    markdown = "## One\n### Examples\na\n## Two\n### Examples\nb"
    headings = ((2, "One", "one"), (3, "Examples", "examples"), (2, "Two", "two"), (3, "Examples", "examples-1"))
    assert [chunk.anchor for chunk in chunks_of(markdown, "T", headings)] == ["examples", "examples-1"]


def test_markup_and_permalinks_in_a_heading_do_not_hide_its_anchor() -> None:
    markdown = (
        '## `asyncio.run` [¶](#run "Permalink to this heading")\n\ntext\n\n## [Linked](https://e.org/x) *title*\n\nmore'
    )
    headings = ((2, "asyncio.run ¶", "run"), (2, "Linked title", "linked"))
    chunks = chunks_of(markdown, "", headings)
    assert [(chunk.heading_path, chunk.anchor) for chunk in chunks] == [
        ("asyncio.run", "run"),
        ("Linked title", "linked"),
    ]


def test_a_hash_inside_a_code_fence_is_no_heading() -> None:
    chunks = chunks_of(f"{FENCE}sh\n# install\npip install x\n{FENCE}\n\nafter", "T")
    assert texts(chunks) == [f"{FENCE}sh\n# install\npip install x\n{FENCE}\n\nafter"]


def test_a_fence_that_never_closes_ends_with_the_page() -> None:
    assert texts(chunks_of(f"{FENCE}\n# a\n\nb", "T")) == [f"{FENCE}\n# a\n\nb"]


@pytest.mark.parametrize(
    "block",
    [
        FENCE + "python\n" + "\n".join(f"line_{n} = {n}" for n in range(40)) + "\n" + FENCE,
        "| a | b |\n|---|---|\n" + "\n".join(f"| {n} | value {n} |" for n in range(40)),
        "\n".join(f"- item number {n}\n  continued" for n in range(25)),
    ],
    ids=["fence", "table", "list"],
)
def test_a_block_that_fits_is_never_cut(block: str) -> None:
    assert len(block) <= CHUNK_CHARS
    prose = "Some words about it. " * 30
    assert any(block in text for text in texts(chunks_of(f"{prose}\n\n{block}\n\n{prose}", "T")))


def test_every_piece_of_long_code_keeps_its_fence() -> None:
    lines = [f"value_{n} = compute({n})" for n in range(200)]
    chunks = chunks_of(FENCE + "python\n" + "\n".join(lines) + "\n" + FENCE, "T")
    assert len(chunks) > 3
    for text in texts(chunks):
        assert text.startswith(f"{FENCE}python\n")
        assert text.endswith(f"\n{FENCE}")
    assert [line for text in texts(chunks) for line in text.split("\n")[1:-1]] == lines


def test_every_piece_of_a_long_table_keeps_its_header() -> None:
    rows = [f"| key{n} | a value for {n} |" for n in range(100)]
    chunks = chunks_of("| key | value |\n|---|---|\n" + "\n".join(rows), "T")
    assert len(chunks) > 2
    assert all(text.startswith("| key | value |\n|---|---|\n") for text in texts(chunks))
    assert [row for text in texts(chunks) for row in text.split("\n")[2:]] == rows


def test_a_long_list_is_cut_between_items() -> None:
    items = [f"- item {n}: " + "words " * 20 for n in range(30)]
    chunks = texts(chunks_of("\n".join(items), "T"))
    assert len(chunks) > 2
    assert all(text.startswith("- item") for text in chunks)


def test_only_prose_that_is_cut_overlaps_and_by_little() -> None:
    prose = " ".join(f"Sentence number {n} says something." for n in range(100))
    chunks = texts(chunks_of(prose, "T"))
    assert len(chunks) > 3
    for before, after in pairwise(chunks):
        shared = next(size for size in range(len(after), -1, -1) if before.endswith(after[:size]))
        assert 0 < shared <= OVERLAP_CHARS
    separate = texts(chunks_of("a" * 600 + "\n\n" + "b" * 600, "T"))
    assert separate == ["a" * 600, "b" * 600]


def test_a_heading_with_nothing_under_it_is_still_a_chunk() -> None:
    chunks = chunks_of("## Alpha\n\n## Beta\n\n### Gamma", "T")
    assert texts(chunks) == ["Alpha", "Gamma"]
    assert [chunk.heading_path for chunk in chunks] == ["T > Alpha", "T > Beta > Gamma"]


def test_underlined_headings_count() -> None:
    chunks = chunks_of("Title\n=====\n\ntext\n\nPart\n----\n\nmore", "")
    assert [chunk.heading_path for chunk in chunks] == ["Title", "Title > Part"]


@pytest.mark.parametrize("blank", ["", " ", "\n\n\n", "\t\n \n"])
def test_a_blank_page_has_no_chunks(blank: str) -> None:
    assert chunks_of(blank, "T") == ()


def test_indented_code_is_kept_whole() -> None:
    code = "    a = 1\n    b = 2"
    assert texts(chunks_of(f"before\n\n{code}\n\nafter", "T")) == [f"before\n\n{code}\n\nafter"]


SECTION = "## Part\n\n" + "Some prose that goes on. " * 40 + f"\n\n{FENCE}\ncode = 1\n{FENCE}\n\n- a\n- b\n\n"


@pytest.mark.parametrize(
    "monster",
    [
        "x" * 1_000_000,
        "word " * 200_000,
        "#" * 1_000_000,
        "# " + " " * 1_000_000 + "#",
        "# " + "[" * 500_000,
        "|" * 1_000_000,
        "- " * 500_000,
        "`" * 1_000_000,
        "a\n" * 500_000,
        "# a\n" * 200_000,
        "-\n" * 400_000,
        "[](" * 300_000,
        "\u3042" * 1_000_000,
    ],
    ids=lambda text: text[:8].strip() or "spaces",
)
def test_a_hostile_page_costs_time_in_proportion_to_its_size(monster: str) -> None:
    """Measured: at most 85 times an ordinary megabyte, for a page that is nothing but headings."""
    chunks: list[ChunkText] = []
    ordinary = SECTION * (1_000_000 // len(SECTION))
    costs = times_as_much(lambda: chunks.extend(chunks_of(monster, "T")), lambda: chunks_of(ordinary, "T"))
    assert costs < 500
    assert all(len(text) <= CHUNK_CHARS for text in texts(chunks))


def test_twenty_megabytes_cost_twenty_times_one() -> None:
    chunks: list[ChunkText] = []
    one, twenty = (SECTION * (size * 1_000_000 // len(SECTION)) for size in (1, 20))
    assert times_as_much(lambda: chunks.extend(chunks_of(twenty, "T")), lambda: chunks_of(one, "T")) < 100
    assert len(chunks) > 20_000


@given(st.text(alphabet=st.sampled_from("ab #`~|-*1.\n\t>=[]()é猫"), max_size=3_000))
def test_any_text_keeps_its_words_and_the_chunk_size(markdown: str) -> None:
    chunks = chunks_of(markdown, "T")
    assert all(0 < len(chunk.content) <= CHUNK_CHARS for chunk in chunks)
    shown = "".join(f"{chunk.heading_path} {chunk.content}" for chunk in chunks)
    assert all(letter in shown for letter in {"é", "猫"} & set(markdown) if len(markdown) < 100)
