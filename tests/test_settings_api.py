"""The settings as they count, for operators to read: complete, grouped, and without a secret."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from archon import settings_api
from archon.env import Environment
from archon.settings import env
from knowledge.embedding import EmbeddingError, spaces
from knowledge.embedding.local import LocalEmbedder

pytestmark = pytest.mark.django_db


def told(client: Client) -> dict[str, Any]:
    response = client.get("/api/settings")
    assert response.status_code == 200, response.content
    return dict(response.json())


def test_every_documented_setting_is_listed_once_under_a_heading(client: Client) -> None:
    groups = told(client)["groups"]
    names = [setting["name"] for group in groups for setting in group["settings"]]
    assert sorted(names) == sorted(name for name in env.declared if not name.endswith("_FILE"))
    titles = [group["title"] for group in groups]
    assert all(titles)
    assert len(titles) == len(set(titles))


def test_a_setting_tells_its_value_its_default_and_whether_it_was_given() -> None:
    one = Environment({"ARCHON_PORT": "9000", "ARCHON_URL": "https://me:word@host/v1"})
    one.group("Where")
    one.integer("ARCHON_PORT", 8080, "Port.", at_least=1, at_most=65535)
    one.integer("ARCHON_WORKERS", 4, "Workers.", at_least=1, at_most=9, shown="number of cores")
    one.text("ARCHON_URL", "", "An address.")
    (group,) = settings_api.grouped(one.declared.values())
    shown = {setting.name: (setting.value, setting.default, setting.given) for setting in group.settings}
    assert shown == {
        "ARCHON_PORT": ("9000", "8080", True),
        "ARCHON_WORKERS": ("4", "number of cores", False),
        "ARCHON_URL": ("https://…@host/v1", "", True),
    }


def test_of_a_secret_only_that_it_is_set_is_told(tmp_path: Any) -> None:
    file = tmp_path / "key"
    file.write_text("word-in-a-file")
    one = Environment({"ARCHON_A": "word-in-the-environment", "ARCHON_B_FILE": str(file)})
    for name in ("ARCHON_A", "ARCHON_B", "ARCHON_C"):
        one.secret(name, "a default", "A key.")
    (group,) = settings_api.grouped(one.declared.values())
    assert [(setting.value, setting.given) for setting in group.settings] == [(None, True), (None, True), (None, False)]
    assert "word" not in group.model_dump_json()
    assert "a default" not in group.model_dump_json()


def test_without_an_embedder_nothing_waits_for_it(client: Client) -> None:
    state = told(client)["embedder"]
    assert (state["kind"], state["space"], state["waiting"], state["serving"]) == ("off", "", 0, False)


@pytest.mark.usefixtures("with_vectors")
def test_why_no_vectors_come_stands_with_the_embedder(client: Client) -> None:
    space = spaces.target(LocalEmbedder())
    assert told(client)["embedder"]["away_since"] is None
    spaces.embedder_away(space, EmbeddingError("gone", "The model is gone.", hint="Put it back."))
    state = told(client)["embedder"]
    assert (state["kind"], state["model"], state["dimension"]) == ("local", "all-MiniLM-L6-v2-int8", 384)
    assert (state["serving"], state["away_reason"]) == (True, "The model is gone. Put it back.")
    assert state["asked_again_at"] > state["away_since"]


def test_the_key_of_the_language_model_is_not_told(client: Client, settings: Any) -> None:
    settings.LLM_MODEL, settings.LLM_API_KEY = "small", "a-key"
    answer = told(client)
    assert answer["language_model"] == {"model": "small", "url": "https://api.openai.com/v1", "key_given": True}
    assert "a-key" not in str(answer)


def test_the_reranker_is_told_and_that_there_is_none(client: Client, settings: Any) -> None:
    assert told(client)["reranker"] == {"model": "", "reranked": 0}
    settings.RERANKER = "Xenova/ms-marco-MiniLM-L-6-v2"
    assert told(client)["reranker"] == {"model": settings.RERANKER, "reranked": 20}
