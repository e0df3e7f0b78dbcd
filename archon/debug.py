"""What this web process holds at the moment, for operators: `/api/debug/realtime` and `/metrics`.

Neither asks the database: they are needed most when it is away.
"""

from __future__ import annotations

import os
from typing import TypedDict

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from archon import figures as figures  # registers what it adds to /metrics
from progress import metrics, publish
from progress.hub import hub
from progress.topic import Topic


class TopicState(TypedDict):
    topic: str
    followers: int
    riders: int
    log_frames: int
    last_sequence: int | None
    subscribed: bool
    healing: bool


def topic_state(topic: Topic) -> TopicState:
    healing = topic._healing
    return {
        "topic": topic.name,
        "followers": topic.followers,
        "riders": len(topic._riders),
        "log_frames": len(topic.frames),
        "last_sequence": topic.last,
        "subscribed": topic.subscribed.is_set(),
        "healing": healing is not None and not healing.done(),
    }


def publisher_pending() -> int:
    publisher = publish._publishers.get(os.getpid())
    return len(publisher._pending) if publisher else 0


@require_safe
async def realtime(request: HttpRequest) -> HttpResponse:
    """The hub of the event loop that serves the sockets: so this view is a coroutine."""
    topics = [topic_state(topic) for topic in list(hub().topics.values())]
    return JsonResponse({"topics": topics, "publisher": {"pending": publisher_pending()}})


@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(metrics.registry), content_type=CONTENT_TYPE_LATEST)
