"""REST of the settings as they count now, to read: every variable, and the models that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, cast

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema

from archon.env import Setting
from archon.settings import env
from knowledge.chat import llm
from knowledge.embedding import embedder, queue
from knowledge.embedding.models import ChunkVector, EmbeddingSpace
from knowledge.search.rerank import RERANKED

router = Router(tags=["settings"])

# What stands before the host of a URL may be a password.
USER_OF_URL = re.compile(r"(?<=://)[^/@\s]+@")


class SettingOut(Schema):
    """`value` is what counts; of a secret it is null. `given`: set in the environment or in .env."""

    name: str
    kind: str
    value: str | None
    default: str
    help: str
    given: bool


class SettingGroup(Schema):
    title: str
    settings: list[SettingOut]


class EmbedderState(Schema):
    """`serving`: searches use its vectors; until then those of the model before it are kept.

    `waiting` chunks have no vector yet; `refused` ones get none. `away_reason` says why no vectors come.
    """

    kind: Literal["local", "remote", "off"]
    model: str
    url: str
    space: str
    dimension: int | None
    serving: bool
    embedded: int
    waiting: int
    refused: int
    away_since: datetime | None
    away_reason: str
    asked_again_at: datetime | None


class LanguageModel(Schema):
    """Without a model answers are quoted from the passages."""

    model: str
    url: str
    key_given: bool


class RerankerState(Schema):
    """Without a model matches stand in the order of their rankings. `reranked`: so many of the best are read again."""

    model: str
    reranked: int


class SettingsOut(Schema):
    groups: list[SettingGroup]
    embedder: EmbedderState
    reranker: RerankerState
    language_model: LanguageModel


@router.get("/settings", response=SettingsOut, summary="Every setting as it counts, and the models")
def read_settings(request: HttpRequest) -> SettingsOut:
    """They are set in the environment or in .env, and read once, at the start: docs/configuration.md."""
    return SettingsOut(
        groups=grouped(env.declared.values()),
        embedder=embedder_state(),
        reranker=RerankerState(model=settings.RERANKER, reranked=RERANKED if settings.RERANKER else 0),
        language_model=language_model(),
    )


def grouped(declared: Iterable[Setting]) -> list[SettingGroup]:
    """In the order of the code; a group that goes on further down is one group. NAME_FILE is part of NAME."""
    first_seen = {title: place for place, title in reversed(list(enumerate(one.group for one in declared)))}
    ordered = sorted(declared, key=lambda one: first_seen[one.group])
    return [
        SettingGroup(title=title, settings=[shown(one) for one in members if not one.name.endswith("_FILE")])
        for title, members in groupby(ordered, key=attrgetter("group"))
    ]


def shown(setting: Setting) -> SettingOut:
    secret = setting.kind == "secret"
    fields: dict[str, Any] = {field: getattr(setting, field) for field in ("name", "kind", "default", "help", "given")}
    return SettingOut(**fields, value=None if secret else without_user(setting.value))


def without_user(value: str) -> str:
    return USER_OF_URL.sub("…@", value)


def embedder_state() -> EmbedderState:
    current = embedder()
    name = current.space if current else ""
    space = EmbeddingSpace.objects.filter(name=name).first()
    vectors = ChunkVector.objects.filter(space=space) if space else ChunkVector.objects.none()
    remote = settings.EMBEDDER == "remote"
    return EmbedderState(
        kind=cast(Literal["local", "remote", "off"], settings.EMBEDDER),
        model=settings.EMBEDDER_MODEL if remote else name.partition("/")[2],
        url=without_user(settings.EMBEDDER_URL) if remote else "",
        space=name,
        dimension=space.dimension if space else None,
        serving=space is not None and space.state == EmbeddingSpace.State.SERVING,
        embedded=vectors.filter(vector__isnull=False).count(),
        waiting=queue.pending().count(),
        refused=vectors.filter(vector=None).count(),
        away_since=space.away_since if space else None,
        away_reason=space.away_reason if space else "",
        asked_again_at=space.asked_again_at if space else None,
    )


def language_model() -> LanguageModel:
    model = llm.label()
    return LanguageModel(
        model=model, url=without_user(settings.LLM_BASE_URL) if model else "", key_given=bool(settings.LLM_API_KEY)
    )
