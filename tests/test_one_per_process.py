"""What a process has one of, because others find in it what they left there, or because somebody must close it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import ModuleType

import pytest

from crawler import engine
from knowledge.chat import llm, runner


@pytest.mark.parametrize(
    ("module", "maker", "ask"),
    [
        (engine, "_fetcher_of", engine.fetcher),
        (llm, "_client_of", lambda: llm._client("http://127.0.0.1:9/v1", "key")),
        (runner, "_runner_of", runner.runner),
    ],
    ids=["fetcher", "client of the language model", "runner of the chat"],
)
def test_threads_that_ask_at_once_get_the_same(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, maker: str, ask: Callable[[], object]
) -> None:
    both = threading.Barrier(2)

    def make(*_: object) -> object:
        with suppress(threading.BrokenBarrierError):  # only one may make it
            both.wait(0.2)
        return object()

    monkeypatch.setattr(module, maker, functools.cache(make))
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: ask(), range(2))
    assert first is second
