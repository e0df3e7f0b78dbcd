"""Vectors as rows, which are their truth: every index in memory or in the database is made of them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

ERROR_CHARS = 500


class EmbeddingSpace(models.Model):
    """The vectors of one model: only these can be compared. One space serves; another may be filled meanwhile."""

    class State(models.TextChoices):
        FILLING = "filling"
        SERVING = "serving"

    name = models.CharField(max_length=200, unique=True)
    dimension = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.FILLING)
    # Vectors taken out so far: an index in memory that is behind by many of them is made anew.
    removed = models.PositiveBigIntegerField(default=0)
    # Since when the embedder gives no vectors, and why; it is asked again at `asked_again_at`.
    away_since = models.DateTimeField(null=True)
    away_reason = models.TextField(blank=True)
    away_times = models.PositiveIntegerField(default=0)
    asked_again_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"


class ChunkVector(models.Model):
    """A chunk's vector, or why it has none. A chunk without a row waits for one.

    `vector` is float32, little-endian, of length 1; null when the embedder refused this very text.
    """

    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="vectors", db_index=False)
    chunk = models.ForeignKey("knowledge.Chunk", on_delete=models.CASCADE, related_name="vectors")
    # The chunk's own: it never changes under one id, and an equal text elsewhere may take the vector over.
    content_hash = models.CharField(max_length=32)
    vector = models.BinaryField(null=True)
    attempts = models.PositiveSmallIntegerField(default=1)
    next_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["space", "chunk"], name="vector_once_per_space"),)
        indexes = (models.Index(fields=["space", "content_hash"], name="vector_content"),)

    def __str__(self) -> str:
        return f"vector of chunk {self.chunk_id} in {self.space_id}"


class EmbeddingTurn(models.Model):
    """Who embeds one share of the chunks now. Two workers with the same share would do everything twice."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    owner = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"turn {self.number}"
