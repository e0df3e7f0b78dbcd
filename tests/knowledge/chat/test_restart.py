"""A web process that ends in the middle of an answer: in an orderly way, and killed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.llm import Hold, ModelServer
from tests.progress.remote import event_stream, request
from tests.stack import eventually
from tests.web import WebProcess, World, world

STORE = """
from tests.knowledge.pages import page, source, store
store(source("client"), page("retries", "The client retries a failed request three times by default."))
"""
# A process that is killed cannot say so; a sweep, once its silence is long enough, does.
SILENT = """
from knowledge.chat import actions
actions.STALE_SECONDS = -1
assert actions.sweep() == 1
"""


@pytest.fixture
def chats(served_model: ModelServer) -> Iterator[World]:
    served_model.reset()
    served_model.replies(["one ", Hold(), "two"])
    with world(ARCHON_LLM_MODEL="stub", ARCHON_LLM_BASE_URL=served_model.url) as started:
        started.manage("shell", "-v0", "-c", STORE)
        yield started
        served_model.release()


def frames_until(socket: Any, kind: str) -> list[dict[str, Any]]:
    frames = [json.loads(socket.recv(timeout=30))]
    while frames[-1]["type"] != kind:
        frames.append(json.loads(socket.recv(timeout=30)))
    return frames


def url(web: WebProcess, end: str, query: str = "") -> str:
    return f"ws://127.0.0.1:{web.port}/api/chat/{end}{query}"


@pytest.mark.both_databases
def test_an_answer_cut_off_by_a_restart_ends_with_the_reason_and_misses_nothing(
    chats: World, served_model: ModelServer
) -> None:
    web = chats.web("first")
    for end in (signal.SIGTERM, signal.SIGKILL):
        with connect(url(web, end.name)) as socket:
            socket.send(json.dumps({"type": "chat_message", "message": "How often does the client retry?"}))
            last = frames_until(socket, "chat_chunk")[-1]["data"]["sequence"]
        web.stop(end)
        eventually(lambda: served_model.open == 0, what="the connection to the model is closed")
        if end is signal.SIGKILL:
            chats.manage("shell", "-v0", "-c", SILENT)
        web = chats.web(f"after {end.name}")
        with connect(url(web, end.name, f"?since={last}")) as socket:
            (failed,) = frames_until(socket, "chat_error")
        assert failed["data"]["sequence"] == last + 1
        message = failed["data"]["message"]
        assert (message["state"], message["text"]) == ("failed", "one ")
        assert message["error"]["code"] == "chat_interrupted"
        with event_stream(web, f"/api/chat/sessions/{end.name}/events", Last_Event_ID=str(last)) as stream:
            assert stream.next() == (last + 1, failed), "plain HTTP is told the same"
        answer = request(web, "GET", f"/api/chat/sessions/{end.name}")
        assert json.loads(answer.body)["messages"][-1]["state"] == "failed"
