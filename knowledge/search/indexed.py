"""What is indexed, by words and by vectors: passages, and code examples."""

from __future__ import annotations

from typing import NamedTuple


class Indexed(NamedTuple):
    """The table of the rows; `fts` (SQLite) and `words` (PostgreSQL) are their keyword index; `vectors` their vectors,
    and `spaces` begins the names of the tables that pgvector indexes. `key` is a row's id in all of these. A source
    counts its rows in `counted_in`, an embedding space those that went in `removed`."""

    rows: str
    fts: str
    words: str
    vectors: str
    spaces: str
    key: str
    counted_in: str
    removed: str


CHUNKS = Indexed(
    rows="knowledge_chunk",
    fts="knowledge_chunk_fts",
    words="knowledge_chunk_words",
    vectors="knowledge_chunkvector",
    spaces="knowledge_space",
    key="chunk_id",
    counted_in="chunk_count",
    removed="removed",
)
EXAMPLES = Indexed(
    rows="knowledge_codeexample",
    fts="knowledge_example_fts",
    words="knowledge_example_words",
    vectors="knowledge_examplevector",
    spaces="knowledge_example_space",
    key="example_id",
    counted_in="code_example_count",
    removed="removed_examples",
)
