"""Vectors from an OpenAI-compatible endpoint (OpenAI, Ollama, vLLM, LM Studio): batches, patience, typed errors.

The `openai` package is imported at the first text: it takes half a second. Its own retries are off, since
they would hide from the queue that an endpoint is away.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings

from knowledge.embedding.embedder import EmbeddingError, Vectors, normalised

if TYPE_CHECKING:
    from openai import OpenAI

ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.5
# A caller with a queue waits longer than this by asking again later.
LONGEST_WAIT_SECONDS = 8.0
CONNECT_SECONDS = 5.0
SHOWN_CHARS = 300
PROBE = "dimension"


class RemoteEmbedder:
    """`model` names the space too: two endpoints that serve the same model give vectors that can be compared."""

    def __init__(
        self, base_url: str, model: str, key: str, *, batch: int, per_minute: int, sleep: Callable[[float], None]
    ) -> None:
        self._base_url, self._model, self._key = base_url, model, key
        self._batch, self._pause = batch, 60 / per_minute if per_minute else 0.0
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_request = 0.0
        self._dimension = 0

    @classmethod
    def of_settings(cls) -> RemoteEmbedder:
        return cls(
            settings.EMBEDDER_URL,
            settings.EMBEDDER_MODEL,
            settings.EMBEDDER_KEY,
            batch=settings.EMBEDDER_BATCH,
            per_minute=settings.EMBEDDER_PER_MINUTE,
            sleep=time.sleep,
        )

    @property
    def space(self) -> str:
        return f"remote/{self._model}"

    def dimension(self) -> int:
        """Asked of the endpoint once. Raises EmbeddingError."""
        return self._dimension or self.embed([PROBE]).shape[1]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """All or none: vectors of some texts under an error would be lost by callers."""
        if not texts:
            return np.empty((0, self.dimension()), np.float32)
        batches = [texts[start : start + self._batch] for start in range(0, len(texts), self._batch)]
        return np.concatenate([self._patiently(batch) for batch in batches])

    def _patiently(self, texts: Sequence[str]) -> Vectors:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask(texts)
            except EmbeddingError as error:
                wait = error.retry_after
                if wait is None:
                    # Chance spreads the clients of one endpoint.
                    wait = FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311
                if not error.retryable or attempt == ATTEMPTS or wait > LONGEST_WAIT_SECONDS:
                    raise
                self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, texts: Sequence[str]) -> Vectors:
        import openai

        self._keep_pace()
        try:
            # Not base64, the package's default: not every endpoint knows it. An empty text is refused by some.
            answer = self._client.embeddings.create(
                model=self._model, input=[text or " " for text in texts], encoding_format="float"
            )
        except openai.OpenAIError as error:
            raise self._told(error) from error
        except ValueError as error:  # the package found no vectors in the answer, or no JSON
            raise _unreadable(str(error)) from error
        return self._checked(answer, len(texts))

    def _keep_pace(self) -> None:
        """Requests are spread evenly over the minute, over all threads of this process."""
        if not self._pause:
            return
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next_request)
            self._next_request = mine + self._pause
        if mine > now:
            self._sleep(mine - now)

    def _checked(self, answer: Any, expected: int) -> Vectors:
        try:
            rows = sorted(answer.data, key=lambda row: row.index)
            found = np.array([row.embedding for row in rows], np.float32)
        except (AttributeError, TypeError, ValueError) as error:
            raise _unreadable(str(error)) from error
        if found.ndim != 2 or len(found) != expected or [row.index for row in rows] != list(range(expected)):
            raise _unreadable(f"{expected} texts were sent, the answer has the shape {found.shape}.")
        self._dimension = self._dimension or found.shape[1]
        if found.shape[1] != self._dimension:
            raise EmbeddingError(
                "embedder_dimension",
                f"The embedder answered with {found.shape[1]} numbers, and before with {self._dimension}.",
                hint="Another model answers under the same name: restart the workers, or name the model exactly.",
            )
        return normalised(found)

    @cached_property
    def _client(self) -> OpenAI:
        import openai

        return openai.OpenAI(
            base_url=self._base_url,
            # Ollama and vLLM want none, the package wants one.
            api_key=self._key or "none",
            max_retries=0,
            timeout=openai.Timeout(settings.EMBEDDER_SECONDS, connect=CONNECT_SECONDS),
            # Not along redirects: texts and key go to the endpoint that was configured, and nowhere else.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )

    def _told(self, error: Exception) -> EmbeddingError:
        import openai

        if isinstance(error, openai.APITimeoutError):
            message = f"The embedder did not answer in {settings.EMBEDDER_SECONDS:g} s."
            return EmbeddingError(
                "embedder_slow",
                message,
                hint="Raise ARCHON_EMBEDDER_SECONDS, or lower ARCHON_EMBEDDER_BATCH.",
                retryable=True,
            )
        if isinstance(error, openai.APIConnectionError):
            hint = "Look whether it runs, and at ARCHON_EMBEDDER_URL."
            return EmbeddingError("embedder_unreachable", "The embedder cannot be reached.", hint=hint, retryable=True)
        if isinstance(error, openai.APIStatusError):
            return self._refused(error)
        return _unreadable(self._shown(error))

    def _refused(self, error: Any) -> EmbeddingError:
        status, after = error.status_code, _seconds(error.response.headers.get("Retry-After"))
        if status in (401, 403):
            hint = "Look at ARCHON_EMBEDDER_KEY."
            return EmbeddingError("embedder_unauthorized", "The embedder refuses our key.", hint=hint)
        if status == 404:
            message = f"The endpoint does not know the model {self._model!r}."
            hint = "Look at ARCHON_EMBEDDER_MODEL and ARCHON_EMBEDDER_URL."
            return EmbeddingError("embedder_unknown_model", message, hint=hint)
        if status == 429:
            quota = error.code == "insufficient_quota"
            message = "The embedder's quota is used up." if quota else "The embedder takes no more texts for now."
            hint = "Look at the account." if quota else "Lower ARCHON_EMBEDDER_PER_MINUTE."
            return EmbeddingError("embedder_limited", message, hint=hint, retryable=not quota, retry_after=after)
        message = f"The embedder answered with status {status}: {self._shown(error)}"
        return EmbeddingError(
            "embedder_refused",
            message,
            retryable=status >= 500 or status == 408,
            retry_after=after,
            # It understood us and does not want these texts: too long, say.
            of_text=status in (400, 413, 422),
        )

    def _shown(self, error: Exception) -> str:
        text = " ".join(str(getattr(error, "message", error)).split())[:SHOWN_CHARS]
        return text.replace(self._key, "…") if self._key else text


def _unreadable(why: str) -> EmbeddingError:
    message = f"The embedder's answer makes no sense: {' '.join(why.split())[:SHOWN_CHARS]}"
    hint = "Look whether ARCHON_EMBEDDER_URL leads to an OpenAI-compatible endpoint."
    return EmbeddingError("embedder_unreadable", message, hint=hint, retryable=True)


def _seconds(header: str | None) -> float | None:
    """A date or nonsense counts as not given."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
