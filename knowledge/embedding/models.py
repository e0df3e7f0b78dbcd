"""Vectors as rows, which are their truth: every index in memory or in the database is made of them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from knowledge.absence import MayBeAway

ERROR_CHARS = 500


class EmbeddingSpace(MayBeAway):
    """The vectors of one model: only these can be compared. One space serves; another may be filled meanwhile."""

    class State(models.TextChoices):
        FILLING = "filling"
        SERVING = "serving"

    name = models.CharField(max_length=200, unique=True)
    dimension = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.FILLING)
    # Vectors taken out so far, of chunks and of code examples: an index in memory that is behind by many is made anew.
    removed = models.PositiveBigIntegerField(default=0)
    removed_examples = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"


class StoredVector(models.Model):
    """One text's vector, or why it has none. `vector` is float32, little-endian, of length 1; null when the embedder
    refused this very text."""

    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Of the text that was embedded: an equal text elsewhere may take the vector over.
    content_hash = models.CharField(max_length=32)
    vector = models.BinaryField(null=True)
    attempts = models.PositiveSmallIntegerField(default=1)
    next_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        abstract = True


class ChunkVector(StoredVector):
    """A chunk without a row waits for one. Its text never changes under one id."""

    chunk = models.ForeignKey("knowledge.Chunk", on_delete=models.CASCADE, related_name="vectors")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["space", "chunk"], name="vector_once_per_space"),)
        indexes = (models.Index(fields=["space", "content_hash"], name="vector_content"),)

    def __str__(self) -> str:
        return f"vector of chunk {self.chunk_id} in {self.space_id}"


class ExampleVector(StoredVector):
    """A code example without a row, or with the row of a text that it had before, waits for one."""

    example = models.ForeignKey("knowledge.CodeExample", on_delete=models.CASCADE, related_name="vectors")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["space", "example"], name="example_vector_once_per_space"),)
        indexes = (models.Index(fields=["space", "content_hash"], name="example_vector_content"),)

    def __str__(self) -> str:
        return f"vector of code example {self.example_id} in {self.space_id}"


class EmbeddingTurn(models.Model):
    """Who embeds one share of what waits now. Two workers with the same share would do everything twice."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    owner = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"turn {self.number}"
