"""Pages far larger than any page should be: all of it is found, in pieces that are bounded."""

from __future__ import annotations

import pytest

from knowledge.ingest import prepare_document
from knowledge.models import Chunk, Document
from knowledge.search import SearchQuery, search
from progress.viewer import OPERATOR
from tests.knowledge.pages import assert_counts_exact, page, source, store

# Far more than a chunk takes, and far less than a page: pieces of a cut line stay pieces.
MOST_CHUNK_CHARS = 8_000


@pytest.mark.django_db
@pytest.mark.parametrize("unit", ["word ", "x"])
def test_a_line_of_a_megabyte_is_stored_whole_and_found_at_both_ends(unit: str) -> None:
    line = f"firstparrot {unit * (1_000_000 // len(unit))} lastparrot"
    item = source("line")
    store(item, page("line", line))
    assert Document.objects.get(item=item).markdown == line
    assert max(map(len, Chunk.objects.values_list("content", flat=True))) < MOST_CHUNK_CHARS
    assert Chunk.objects.count() < 4_000
    for name in ("firstparrot", "lastparrot"):
        (hit, *_) = search(SearchQuery(name, mode="keyword", viewer=OPERATOR)).hits
        assert name in hit.content
    assert_counts_exact(item)


def test_a_page_of_twenty_megabytes_is_cut_without_losing_a_part() -> None:
    part = " ".join(["Some words that say something about it."] * 500)
    text = "\n\n".join(f"## Part {number}\n\nnumbered{number} {part}" for number in range(1_000))
    assert len(text) > 20_000_000
    chunks = prepare_document(page("large", text)).chunks
    joined = "\n".join(chunk.content for chunk in chunks)
    assert all(f"numbered{number} " in joined for number in range(1_000))
    assert len(text) <= len(joined) + 30 * 1_000 < 1.5 * len(text)
    assert max(len(chunk.content) for chunk in chunks) < MOST_CHUNK_CHARS
