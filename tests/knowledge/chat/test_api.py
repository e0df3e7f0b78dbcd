"""A chat over plain HTTP: sessions, questions, answers by polling and as an event stream."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from knowledge.chat import actions, events
from knowledge.chat.messages import MESSAGE_CHARS
from knowledge.chat.models import ChatEvent, ChatMessage, ChatSession
from knowledge.models import KnowledgeItem
from tests.knowledge.chat.conftest import no_holes
from tests.stack import eventually

SESSIONS = "/api/chat/sessions"


def post(client: Client, path: str, body: Any = None, status: int = 200) -> Any:
    response = client.post(path, body or {}, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


def ask(client: Client, session_id: str, message: str, **more: Any) -> Any:
    """The messages of the session once its answer has ended."""
    accepted = post(client, f"{SESSIONS}/{session_id}/messages", {"message": message, **more}, status=202)
    eventually(
        lambda: ChatMessage.objects.get(pk=accepted["message_id"]).state != "streaming", what="the answer has ended"
    )
    return client.get(f"{SESSIONS}/{session_id}").json()


def test_a_question_is_answered_from_the_passages_and_cited(client: Client, item: KnowledgeItem) -> None:
    session = ask(client, "s/1", "How often does the client retry?")
    question, answer = session["messages"]
    assert (question["role"], question["text"]) == ("user", "How often does the client retry?")
    assert (answer["role"], answer["state"], answer["model"]) == ("assistant", "complete", "extractive")
    assert "three times by default" in answer["text"]
    assert "[1]" in answer["text"]
    (citation,) = [one for one in answer["citations"] if one["n"] == 1]
    assert citation["url"] == "https://docs.example.com/retries#retries"
    assert citation["heading_path"] == "Retries"
    assert citation["source_id"] == item.source_id
    assert session["title"] == "How often does the client retry?"
    assert session["typing"] is None
    no_holes("s/1")


def test_a_follow_up_is_understood_from_the_question_before_it(client: Client, item: KnowledgeItem) -> None:
    ask(client, "follow", "How often does the client retry a request?")
    session = ask(client, "follow", "And how do I change it?")
    assert "max_retries" in session["messages"][-1]["text"]
    assert session["total_messages"] == 4
    assert session["messages"] == client.get(f"{SESSIONS}/follow?limit=50").json()["messages"]
    page = client.get(f"{SESSIONS}/follow?limit=1&before={session['messages'][-1]['id']}").json()
    assert page["messages"] == session["messages"][2:3]


@pytest.mark.parametrize("question", ["zebra quagga okapi", "???"])
def test_what_no_passage_tells_is_said_to_be_unknown(client: Client, item: KnowledgeItem, question: str) -> None:
    answer = ask(client, "unknown", question)["messages"][-1]
    assert (answer["state"], answer["model"], answer["citations"]) == ("complete", "none", [])
    assert "Crawl a site that covers it" in answer["text"]


def test_without_any_source_the_next_step_is_named(client: Client, transactional_db: None) -> None:
    answer = ask(client, "empty", "How often does the client retry?")["messages"][-1]
    assert answer["model"] == "none"
    assert "Add a documentation site first" in answer["text"]


def test_sessions_are_made_listed_and_deleted(client: Client, item: KnowledgeItem) -> None:
    made = post(client, SESSIONS, {"title": "Mine"}, status=201)
    assert made["message_count"] == made["sequence"] == 0
    assert post(client, SESSIONS, {"session_id": made["session_id"]}, status=201) == {
        **made,
        "updated_at": made["updated_at"],
    }
    ask(client, "other", "How long is a timeout?")
    listed = client.get(SESSIONS).json()
    assert [one["session_id"] for one in listed["sessions"]] == ["other", made["session_id"]]
    assert listed["sessions"][0]["message_count"] == listed["total"] == 2
    before = ChatSession.objects.get(session_id="other").sequence
    assert client.delete(f"{SESSIONS}/other").status_code == 200
    assert client.get(f"{SESSIONS}/other").json()["detail"]["code"] == "chat_session_unknown"
    assert client.delete(f"{SESSIONS}/other").status_code == 404
    assert client.get(SESSIONS).json()["total"] == 1
    assert not ChatMessage.objects.filter(session__session_id="other").exists()
    # The numbers go on, so that an open tab takes the next message for a new one.
    assert ask(client, "other", "How long is a timeout?")["sequence"] > before + 1


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("a/messages", {"message": "  "}, 422, "chat_message_bad", "message"),
        ("a/messages", {"message": "x" * (MESSAGE_CHARS + 1)}, 422, "invalid_request", "body.message"),
        ("a/messages", {}, 422, "invalid_request", "message"),
        ("a/messages", {"message": "hi", "source_id": "no-such-source"}, 404, "source_unknown", "source_id"),
        ("a" * 201 + "/messages", {"message": "hi"}, 422, "chat_message_bad", "session_id"),
        ("a%00b/messages", {"message": "hi"}, 422, "chat_message_bad", "session_id"),
        ("nobody/stop", {}, 404, "chat_session_unknown", "session_id"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_field(
    client: Client, transactional_db: None, path: str, body: Any, status: int, code: str, field: str
) -> None:
    detail = post(client, f"{SESSIONS}/{path}", body, status=status)["detail"]
    assert (detail["code"], detail["field"].removeprefix("body.")) == (code, field.removeprefix("body."))
    assert not ChatMessage.objects.exists()


def test_only_the_source_that_is_named_is_asked(client: Client, item: KnowledgeItem) -> None:
    from tests.knowledge.pages import page, source, store

    store(source("server"), page("server", "The server retries a failed request nine times.", title="Server"))
    answer = ask(client, "one", "How often is a failed request retried?", source_id=item.source_id)["messages"][-1]
    assert answer["source_id"] == item.source_id
    assert "nine" not in answer["text"]
    assert {one["source_id"] for one in answer["citations"]} == {item.source_id}


@pytest.fixture
def streaming(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> ChatMessage:
    """An answer that another process is writing."""
    from knowledge.chat.runner import Runner

    monkeypatch.setattr(Runner, "start", lambda *_: None)
    answer = actions.ask(None, "busy", "Anything?").answer
    ChatMessage.objects.filter(pk=answer.pk).update(runner="elsewhere")
    assert events.record_chunks({answer.pk: (0, "What was ")}) == {answer.pk}
    assert events.record_chunks({answer.pk: (1, "written")}) == {answer.pk}
    return answer


def test_one_answer_at_a_time(client: Client, streaming: ChatMessage) -> None:
    detail = post(client, f"{SESSIONS}/busy/messages", {"message": "And?"}, status=409)["detail"]
    assert (detail["code"], detail["hint"]) == ("chat_busy", "Wait for it, or stop it first.")
    snapshot = client.get(f"{SESSIONS}/busy").json()
    assert snapshot["messages"][-1]["text"] == "What was written"
    assert snapshot["typing"] == {"message_id": streaming.pk, "stage": "writing", "note": "", "retry_in": None}


def test_a_stop_ends_the_answer_with_what_was_written(client: Client, streaming: ChatMessage) -> None:
    assert post(client, f"{SESSIONS}/busy/stop")["stopped"] is True
    assert post(client, f"{SESSIONS}/busy/stop")["stopped"] is False
    answer = client.get(f"{SESSIONS}/busy").json()["messages"][-1]
    assert (answer["state"], answer["text"], answer["error"]) == ("stopped", "What was written", None)
    # The process that still writes it is told so with its next piece, and with its next beat.
    assert events.record_chunks({streaming.pk: (2, " more")}) == set()
    assert actions.beat("elsewhere", {streaming.pk}) == set()
    no_holes("busy")


def test_an_answer_whose_process_died_is_ended_with_the_reason(client: Client, streaming: ChatMessage) -> None:
    assert actions.sweep() == 0
    ChatMessage.objects.update(beat_at="2025-01-01T00:00Z")
    assert actions.sweep() == 1
    answer = client.get(f"{SESSIONS}/busy").json()["messages"][-1]
    assert (answer["state"], answer["text"], answer["error"]["code"]) == (
        "failed",
        "What was written",
        "chat_interrupted",
    )
    no_holes("busy")


def test_a_dead_answer_does_not_keep_the_next_question_waiting(client: Client, streaming: ChatMessage) -> None:
    ChatMessage.objects.update(beat_at="2025-01-01T00:00Z")
    post(client, f"{SESSIONS}/busy/messages", {"message": "And?"}, status=202)
    states = [one["state"] for one in client.get(f"{SESSIONS}/busy").json()["messages"]]
    assert states == ["complete", "failed", "complete", "streaming"]


def test_events_of_a_conversation_that_rests_are_forgotten(client: Client, streaming: ChatMessage) -> None:
    ChatSession.objects.update(updated_at="2025-01-01T00:00Z")
    actions.trim()
    assert ChatEvent.objects.count() == 3, "one that is being written keeps its pieces"
    actions.stop(None, "busy")
    ChatSession.objects.update(updated_at="2025-01-01T00:00Z")
    actions.trim()
    assert not ChatEvent.objects.exists()
    assert client.get(f"{SESSIONS}/busy").json()["messages"][-1]["text"] == "What was written"
    ((resync,), position) = events.frames_since(None, "busy", 2)
    assert '"resync":true' in resync
    assert position == 4


@pytest.mark.parametrize("since", [0, 3, 4])
def test_since_replays_exactly(client: Client, streaming: ChatMessage, since: int) -> None:
    actions.stop(None, "busy")
    texts, position = events.frames_since(None, "busy", since)
    rows = ChatEvent.objects.filter(sequence__gt=since).order_by("sequence")
    assert texts == [row.frame for row in rows]
    assert position == 4


def test_accounts_see_their_own_chats_alone(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LOCAL_MODE", False)
    clients = []
    for name in ("alice", "bob"):
        user = get_user_model().objects.create_user(name)
        clients.append(Client())
        clients[-1].force_login(user)
    alice, bob = clients
    ask(alice, "same", "What is alice's?")
    assert bob.get(f"{SESSIONS}/same").status_code == 404
    assert bob.get(SESSIONS).json()["total"] == 0
    ask(bob, "same", "What is bob's?")
    assert alice.get(f"{SESSIONS}/same").json()["messages"][0]["text"] == "What is alice's?"
    assert bob.get(f"{SESSIONS}/same").json()["total_messages"] == 2
