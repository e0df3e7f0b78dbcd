"""What gets vectors: chunks, and code examples. The queue treats both alike; chunks come first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from knowledge.embedding.models import ChunkVector, EmbeddingSpace, ExampleVector
from knowledge.embedding.text import embedded_text, example_text, is_link_list
from knowledge.models import Chunk, CodeExample
from knowledge.search.vectors import VectorIndex, example_vector_index, vector_index

# Why a chunk has no vector and wants none.
LINK_LIST = "A list of links is found by its words only."


@dataclass(frozen=True, slots=True)
class Kind:
    """`key` names the row in its vectors, `hashed` the field with the hash of its text, `removed` where a space counts
    the vectors that went. `unwanted` says why a row wants no vector, or nothing."""

    name: str
    rows: type[Chunk | CodeExample]
    vectors: type[ChunkVector | ExampleVector]
    key: str
    hashed: str
    removed: str
    index: Callable[[], VectorIndex]
    text: Callable[[Any], str]
    unwanted: Callable[[Any], str]

    def waiting(self, space: EmbeddingSpace) -> QuerySet[Any]:
        """Rows of visible sources without a vector of their present text. Refused texts do not wait."""
        of_row = {"space": space, self.key: OuterRef("pk"), "content_hash": OuterRef(self.hashed)}
        return self.visible().filter(~Exists(self.vectors.objects.filter(**of_row)))

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.rows.objects.visible()
        return rows

    def hash_of(self, row: Any) -> str:
        return str(getattr(row, self.hashed))


CHUNKS = Kind(
    name="chunks",
    rows=Chunk,
    vectors=ChunkVector,
    key="chunk",
    hashed="content_hash",
    removed="removed",
    index=vector_index,
    text=lambda chunk: embedded_text(chunk.heading_path, chunk.content),
    unwanted=lambda chunk: LINK_LIST if is_link_list(chunk.content) else "",
)
EXAMPLES = Kind(
    name="code examples",
    rows=CodeExample,
    vectors=ExampleVector,
    key="example",
    hashed="text_hash",
    removed="removed_examples",
    index=example_vector_index,
    text=lambda example: example_text(example.heading_path, example.title, example.summary, example.code),
    unwanted=lambda example: "",
)
KINDS = (CHUNKS, EXAMPLES)
