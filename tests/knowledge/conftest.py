"""A language model that is configured: the stub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from knowledge.chat import llm
from tests.llm import ModelServer, model_server
from tests.stack import eventually


@pytest.fixture(scope="session")
def served_model() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


@pytest.fixture
def model(served_model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A language model is configured: the stub."""
    served_model.reset()
    monkeypatch.setattr(settings, "LLM_MODEL", "stub")
    monkeypatch.setattr(settings, "LLM_BASE_URL", served_model.url)
    monkeypatch.setattr(settings, "LLM_API_KEY", "sk-secret")
    monkeypatch.setattr(llm, "FIRST_WAIT_SECONDS", 0.01)
    yield served_model
    served_model.release()
    eventually(lambda: served_model.open == 0, what="every connection to the model is closed")
