"""The language model behind an OpenAI-compatible endpoint: its tokens as they come, its failures in our words.

The `openai` package is imported on first use: it takes a second, and most processes never ask.
Only what comes before the first token is tried again; afterwards a reader has seen it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
import os
import random
import threading
import traceback
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from django.conf import settings

from knowledge.chat.errors import AnswerFailed

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

    from knowledge.chat.prompt import PromptMessage

ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.5
# An endpoint that asks for more patience than this is told of instead.
LONGEST_WAIT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
SHOWN_CHARS = 300

_making = threading.Lock()


class Retry(NamedTuple):
    """The endpoint failed before the first token and is asked again in so many seconds."""

    seconds: float
    note: str


class _Again(Exception):
    """A failure that may pass."""

    def __init__(self, failure: AnswerFailed, wait: float | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.wait = wait


def label() -> str:
    """The model's name; empty when none is configured."""
    return str(settings.LLM_MODEL)


async def stream(
    messages: Sequence[PromptMessage], *, attempts: int = ATTEMPTS, max_tokens: int | None = None
) -> AsyncGenerator[str | Retry]:
    """Pieces of text, of ARCHON_LLM_MAX_TOKENS unless told otherwise. Raises AnswerFailed. Closing the iterator closes
    the connection to the endpoint."""
    for attempt in range(1, attempts + 1):
        begun = False
        try:
            async with aclosing(_tokens(messages, max_tokens or settings.LLM_MAX_TOKENS)) as tokens:
                async for token in tokens:
                    begun = True
                    yield token
            return
        except _Again as error:
            wait = _wait(error, attempt)
            if begun or attempt == attempts or wait > LONGEST_WAIT_SECONDS:
                error.failure.retry_after = error.wait and max(error.wait, 0.0)
                raise error.failure from error
            yield Retry(round(wait, 2), error.failure.message)
            await asyncio.sleep(wait)


def _wait(error: _Again, attempt: int) -> float:
    """What the endpoint asks for; else twice as long each time, with some chance in it so that clients spread."""
    if error.wait is not None:
        return max(error.wait, 0.0)
    return FIRST_WAIT_SECONDS * float(2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311  # no secret


async def _tokens(messages: Sequence[PromptMessage], max_tokens: int) -> AsyncGenerator[str]:
    """One attempt. Every failure is an AnswerFailed, or an _Again around one."""
    client = await asyncio.to_thread(_client, settings.LLM_BASE_URL, settings.LLM_API_KEY)
    import openai

    try:
        async with asyncio.timeout(settings.LLM_FIRST_TOKEN_SECONDS) as patience:
            answer = await _asked(client, messages, max_tokens)
            # The stream and its generator hold each other. One that is not read to its end and not closed waits for the
            # garbage collector, which meets it in any thread, while the loop may be closing what it holds.
            async with answer, aclosing(cast("AsyncGenerator[object]", answer._iterator)) as chunks:
                text = False
                async for chunk in chunks:
                    if token := _text_of(chunk):
                        text = True
                        yield token
                        patience.reschedule(asyncio.get_running_loop().time() + settings.LLM_STALL_SECONDS)
        if not text:
            raise _Again(_failed("llm_empty", "The language model answered with nothing."))
    except TimeoutError:
        raise _failed(
            "llm_stalled", "The language model stopped answering.", "Ask again, or look whether it is overloaded."
        ) from None
    except (openai.OpenAIError, json.JSONDecodeError) as error:
        traceback.clear_frames(error.__traceback__)  # what they hold of the stream
        raise _told(error) from error


async def _asked(client: AsyncOpenAI, messages: Sequence[PromptMessage], max_tokens: int) -> AsyncStream[object]:
    """The chunks as JSON: the package's objects for each of them cost more than all else done for a token
    (2,000 a second of a hundred answers took a whole core)."""
    import openai

    body = {
        "model": settings.LLM_MODEL,
        "messages": list(messages),
        "stream": True,
        "max_tokens": max_tokens,
        "temperature": 0.1,
    }
    return await client.post(
        "/chat/completions", body=body, cast_to=object, stream=True, stream_cls=openai.AsyncStream[object]
    )


def _text_of(chunk: object) -> str:
    """Only the text: whatever else a model asks for, there is nobody to do it."""
    try:
        text = chunk["choices"][0]["delta"]["content"]  # type: ignore[index]
    except (KeyError, IndexError, TypeError):  # the last one may hold the usage alone
        return ""
    return text if isinstance(text, str) else ""


def _client(base_url: str, api_key: str) -> AsyncOpenAI:
    """One for the process's own loop, and its connections with it."""
    with _making:  # the cache alone lets each of the first answers make one, and nobody closes those that are dropped
        return _client_of(os.getpid(), base_url, api_key)


@functools.cache
def _client_of(pid: int, base_url: str, api_key: str) -> AsyncOpenAI:
    import openai

    return openai.AsyncOpenAI(
        base_url=base_url,
        # Ollama and vLLM want none, the package wants one.
        api_key=api_key or "none",
        max_retries=0,
        timeout=openai.Timeout(settings.LLM_FIRST_TOKEN_SECONDS + 5, connect=CONNECT_SECONDS),
        # Not along redirects: the key goes to the endpoint that was configured, and nowhere else.
        http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
    )


def _told(error: Exception) -> Exception:
    """A failure of the package in our words: what it is, whether it may pass, and what to do."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return _Again(_failed("llm_stalled", "The language model did not answer in time."))
    if isinstance(error, openai.APIConnectionError):
        hint = "Look whether it runs, and at ARCHON_LLM_BASE_URL."
        return _Again(_failed("llm_unreachable", "The language model cannot be reached.", hint))
    if isinstance(error, openai.RateLimitError) and error.code != "insufficient_quota":
        hint = "Ask again later, or raise the endpoint's limit."
        failure = _failed("llm_rate_limited", "The language model takes no more questions for now.", hint)
        return _Again(failure, _retry_after(error.response.headers.get("Retry-After")))
    if isinstance(error, openai.APIStatusError):
        return _status(error)
    return _Again(_failed("llm_broken", f"The language model's answer broke off: {_shown(error)}"))


def _status(error: Any) -> Exception:
    status = error.status_code
    if status in (401, 403):
        return _failed("llm_unauthorized", "The language model refuses our key.", "Look at ARCHON_LLM_API_KEY.")
    if status == 404:
        message = f"The endpoint does not know the model {settings.LLM_MODEL!r}."
        return _failed("llm_unknown_model", message, "Look at ARCHON_LLM_MODEL and ARCHON_LLM_BASE_URL.")
    failure = _failed("llm_error", f"The language model answered with status {status}: {_shown(error)}")
    return _Again(failure, _retry_after(error.response.headers.get("Retry-After"))) if status >= 500 else failure


def _retry_after(header: str | None) -> float | None:
    """Seconds; a date or nonsense counts as not given."""
    try:
        seconds = float(header) if header else math.nan
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _shown(error: Exception) -> str:
    text = " ".join(str(getattr(error, "message", error)).split())[:SHOWN_CHARS]
    return text.replace(settings.LLM_API_KEY, "…") if settings.LLM_API_KEY else text


def _failed(code: str, message: str, hint: str = "Ask again.") -> AnswerFailed:
    return AnswerFailed(message, code=code, hint=hint)
