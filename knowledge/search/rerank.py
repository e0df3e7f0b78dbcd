"""An optional second look at the best matches: a cross-encoder reads question and passage together.

Off unless ARCHON_RERANKER names a model that fastembed knows (`Xenova/ms-marco-MiniLM-L-6-v2`, say); fastembed is
not among the requirements, and fetches the model when it is first used.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from django.conf import settings

# A cross-encoder reads a pair in tens of milliseconds: so many are worth the wait.
RERANKED = 20


class Reranker(Protocol):
    """Safe to use from several threads."""

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """One for each passage, higher is nearer; on the model's own scale, which may be below zero.

        Raises RerankFailed.
        """


class RerankFailed(Exception):
    """The message says why and what helps. The order of the fusion stands."""


class CrossEncoder:
    def __init__(self, name: str) -> None:
        self._name = name
        self._model: Any = None
        self._using = threading.Lock()

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        with self._using:
            try:
                self._model = self._model or _loaded(self._name)
                return [float(score) for score in self._model.rerank(question, list(passages))]
            except (ImportError, OSError, RuntimeError, ValueError) as error:
                why = " ".join(str(error).split())[:200]
                raise RerankFailed(f"The reranker {self._name} gives no scores: {why}") from error


def _loaded(name: str) -> Any:
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    return TextCrossEncoder(model_name=name, threads=1)


_reranker: Reranker | None = None
_making = threading.Lock()


def reranker() -> Reranker | None:
    """The one that the settings name, made once per process; None when there is none."""
    global _reranker
    if not settings.RERANKER:
        return None
    with _making:
        if _reranker is None:
            _reranker = CrossEncoder(settings.RERANKER)
        return _reranker


def reset_reranker() -> None:
    """Forget it, so that the next call reads the settings again. For tests."""
    global _reranker
    _reranker = None


def share(score: float) -> float:
    """Between 0 and 1, in the same order: such models are trained so that this is a probability."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, score))))
