"""The front door of embedding: which embedder there is, and the text it reads of a chunk."""

from knowledge.embedding.embedder import (
    Embedder,
    EmbeddingError,
    Vectors,
    embedder,
    normalised,
    preflight,
    reset_embedder,
)
from knowledge.embedding.text import embedded_text

__all__ = [
    "Embedder",
    "EmbeddingError",
    "Vectors",
    "embedded_text",
    "embedder",
    "normalised",
    "preflight",
    "reset_embedder",
]
