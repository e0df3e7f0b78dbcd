"""What an embedder is, which one the settings name, and what can go wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from django.conf import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# numpy takes 10 MB and 0.1 s: a process that never embeds or compares does without.
Vectors: TypeAlias = "NDArray[np.float32]"


class Embedder(Protocol):
    """Texts in, one vector each out. Safe to use from several threads."""

    @property
    def space(self) -> str:
        """Names the model, and with it the vectors that can be compared: `local/all-MiniLM-L6-v2-int8`."""

    def dimension(self) -> int:
        """Of every vector. Raises EmbeddingError when it takes a call to find out and that fails."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [texts, dimension], each of length 1. Raises EmbeddingError; never a made-up vector."""


class EmbeddingError(Exception):
    """`code` for machines, a sentence, the next step; `retryable` when asking again later may help.

    `retry_after` are seconds that the provider asked to wait. A refusal that concerns one text
    and not the provider has `of_text`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        of_text: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.retry_after = retry_after
        self.of_text = of_text


_embedder: Embedder | None = None
_making = threading.Lock()


def embedder() -> Embedder | None:
    """The one that the settings name, made once per process and cheap to make; None when vectors are off."""
    global _embedder
    with _making:
        if _embedder is None:
            _embedder = _make()
        return _embedder


def preflight() -> EmbeddingError | None:
    """Why a remote embedder would give no vectors now, after asking it for one; None when it gives them or none is
    asked: the bundled one is always there."""
    if settings.EMBEDDER != "remote" or (found := embedder()) is None:
        return None
    try:
        found.embed(["preflight"])
    except EmbeddingError as error:
        return error
    return None


def reset_embedder() -> None:
    """Forget it, so that the next call reads the settings again. For tests, and for a child after a fork."""
    global _embedder
    _embedder = None


def _make() -> Embedder | None:
    if settings.EMBEDDER == "remote":
        from knowledge.embedding.remote import RemoteEmbedder

        return RemoteEmbedder.of_settings()
    if settings.EMBEDDER == "local":
        from knowledge.embedding.local import LocalEmbedder

        return LocalEmbedder()
    return None


def normalised(vectors: Vectors) -> Vectors:
    """To length 1. Raises EmbeddingError for a vector without length or with a number that is none."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise EmbeddingError("vector_unusable", "The embedder answered with a vector of zeros or of no numbers.")
    return np.asarray(vectors / lengths, dtype=np.float32)
