"""A remote embedder against a real HTTP server that answers as told, well and badly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crawler import actions
from crawler import tasks as crawl_tasks
from knowledge.embedding import EmbeddingError, embedder, preflight, reset_embedder
from knowledge.embedding.remote import RemoteEmbedder
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.crawler.jobs import job_of

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "sk-secret-of-the-test"

# From a request's body to status, headers and body of the answer.
Reply = tuple[int, dict[str, str], Any]


def vectors(body: dict[str, Any], width: int = 4) -> Reply:
    """One vector a text, told apart by the text's length; in reverse order, as the protocol allows."""
    data = [
        {"object": "embedding", "index": at, "embedding": [float(len(text)), 3.0, *[0.0] * (width - 2)]}
        for at, text in enumerate(body["input"])
    ]
    return 200, {}, {"object": "list", "model": body["model"], "data": data[::-1], "usage": {}}


def refusal(status: int, code: str = "", message: str = "Not now.", **headers: str) -> Reply:
    return status, headers, {"error": {"message": message, "type": "refused", "code": code}}


class Endpoint(ThreadingHTTPServer):
    """`replies` are used up one a request, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.replies: list[Callable[[dict[str, Any]], Reply]] = [vectors]
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Conversation(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.keys.append(self.headers["Authorization"])
        replies = self.server.replies
        status, headers, answer = (replies.pop(0) if len(replies) > 1 else replies[0])(body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def remote(endpoint: Endpoint, waits: list[float]) -> Iterator[RemoteEmbedder]:
    made = RemoteEmbedder(endpoint.url, "some-model", KEY, batch=3, per_minute=0, sleep=waits.append)
    yield made
    made._client.close()


def failure(remote: RemoteEmbedder, *texts: str) -> EmbeddingError:
    with pytest.raises(EmbeddingError) as raised:
        remote.embed(texts or ["text"])
    return raised.value


def test_texts_go_in_batches_and_their_vectors_come_back_in_order(remote: RemoteEmbedder, endpoint: Endpoint) -> None:
    found = remote.embed(["x" * n for n in range(1, 8)])
    assert [len(request["input"]) for request in endpoint.requests] == [3, 3, 1]
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.allclose(found[:, 0] / found[:, 1] * 3, range(1, 8), atol=1e-4)
    assert endpoint.keys == [f"Bearer {KEY}"] * 3


def test_the_dimension_is_what_the_endpoint_answers_with(remote: RemoteEmbedder, endpoint: Endpoint) -> None:
    assert (remote.dimension(), remote.dimension()) == (4, 4)
    assert len(endpoint.requests) == 1
    assert remote.embed([]).shape == (0, 4)


def test_an_endpoint_that_is_away_for_a_moment_is_asked_again(
    remote: RemoteEmbedder, endpoint: Endpoint, waits: list[float]
) -> None:
    endpoint.replies = [lambda _: refusal(503), lambda _: refusal(429, Retry_After="2"), vectors]
    assert remote.embed(["text"]).shape == (1, 4)
    assert 0.3 < waits[0] < 0.7
    assert waits[1:] == [2.0]


def test_a_long_wait_is_left_to_the_caller(remote: RemoteEmbedder, endpoint: Endpoint, waits: list[float]) -> None:
    endpoint.replies = [lambda _: refusal(429, Retry_After="90")]
    error = failure(remote)
    assert (error.code, error.retryable, error.retry_after, waits) == ("embedder_limited", True, 90.0, [])


@pytest.mark.parametrize(
    ("reply", "code", "asked"),
    [
        (refusal(401), "embedder_unauthorized", 1),
        (refusal(404), "embedder_unknown_model", 1),
        (refusal(429, "insufficient_quota"), "embedder_limited", 1),
        (refusal(500), "embedder_refused", 3),
        (refusal(307, Location="http://127.0.0.1:9/v1/embeddings"), "embedder_refused", 1),
        ((200, {}, b"<html>Sign in</html>"), "embedder_unreadable", 3),
        ((200, {}, {"data": [], "model": "m", "object": "list"}), "embedder_unreadable", 3),
        ((200, {}, {"data": [{"index": 0, "embedding": [0.0, 0.0]}], "model": "m"}), "vector_unusable", 1),
    ],
)
def test_each_failure_has_its_code_and_is_never_a_vector(
    remote: RemoteEmbedder, endpoint: Endpoint, reply: Reply, code: str, asked: int
) -> None:
    endpoint.replies = [lambda _: reply]
    error = failure(remote)
    assert (error.code, error.of_text, len(endpoint.requests)) == (code, False, asked)


def test_a_text_that_is_refused_is_told_apart_from_an_endpoint_that_is_away(
    remote: RemoteEmbedder, endpoint: Endpoint
) -> None:
    endpoint.replies = [lambda _: refusal(400, message=f"too long; your key {KEY} is fine")]
    error = failure(remote)
    assert (error.code, error.of_text, error.retryable) == ("embedder_refused", True, False)
    assert KEY not in error.message


def test_another_dimension_than_before_is_refused(remote: RemoteEmbedder, endpoint: Endpoint) -> None:
    endpoint.replies = [vectors, lambda body: vectors(body, width=5)]
    remote.embed(["text"])
    assert failure(remote).code == "embedder_dimension"


def test_nobody_there_is_said_with_the_setting_to_look_at(waits: list[float]) -> None:
    nobody = RemoteEmbedder("http://127.0.0.1:9/v1", "m", "", batch=1, per_minute=0, sleep=waits.append)
    error = failure(nobody)
    nobody._client.close()
    assert (error.code, error.retryable, len(waits)) == ("embedder_unreachable", True, 2)
    assert "ARCHON_EMBEDDER_URL" in error.hint


def test_requests_keep_the_pace_that_was_set(endpoint: Endpoint, waits: list[float]) -> None:
    paced = RemoteEmbedder(endpoint.url, "m", KEY, batch=1, per_minute=6, sleep=waits.append)
    paced.embed(["a", "b", "c"])
    paced._client.close()
    assert len(waits) == 2
    assert 9 < waits[0] <= 10
    assert 19 < waits[1] <= 20


def test_preflight_asks_the_endpoint_of_the_settings(endpoint: Endpoint, settings: Any) -> None:
    settings.EMBEDDER, settings.EMBEDDER_URL, settings.EMBEDDER_MODEL = "remote", endpoint.url, "some-model"
    reset_embedder()
    try:
        assert preflight() is None
        endpoint.replies = [lambda _: refusal(401)]
        error = preflight()
        assert error is not None
        assert error.code == "embedder_unauthorized"
        made = embedder()
        assert isinstance(made, RemoteEmbedder)
        assert made.space == "remote/some-model"
        made._client.close()
    finally:
        reset_embedder()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ARCHON_EMBEDDER": "remote"}, "ARCHON_EMBEDDER_MODEL is required"),
        ({"ARCHON_EMBEDDER_URL": "ftp://host/v1"}, "ARCHON_EMBEDDER_URL is not valid"),
        ({"ARCHON_EMBEDDER_URL": "https://me:hidden@host/v1"}, "ARCHON_EMBEDDER_URL is not valid"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start(variables: dict[str, str], named: str) -> None:
    command = [sys.executable, "-c", "import archon.settings"]
    found = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True)
    assert found.returncode == 1
    assert named in found.stderr
    assert "hidden" not in found.stderr


@pytest.mark.django_db(transaction=True)
def test_a_crawl_that_begins_says_that_its_embedder_gives_no_vectors(
    endpoint: Endpoint, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(crawl_tasks.check_embedder, "delay", asked.append)
    progress_id = job_of().progress_id
    assert asked == []  # nobody is asked about the bundled one, or about none
    actions.cancel(progress_id, viewer=OPERATOR)
    settings.EMBEDDER, settings.EMBEDDER_URL, settings.EMBEDDER_MODEL = "remote", endpoint.url, "m"
    reset_embedder()
    try:
        progress_id = job_of("http://127.0.0.1:9/other/").progress_id
        assert asked == [progress_id]
        crawl_tasks.check_embedder(progress_id)
        before = Progress.objects.get(pk=progress_id).logs
        endpoint.replies = [lambda _: refusal(401)]
        crawl_tasks.check_embedder(progress_id)
        row = Progress.objects.get(pk=progress_id)
        told = "The embedder refuses our key. Look at ARCHON_EMBEDDER_KEY. Pages are found by their words meanwhile."
        assert row.log == f"No vectors for now: {told}"
        assert len(row.logs) == len(before) + 1
        crawl_tasks.check_embedder("no-such-crawl")
    finally:
        embedder()._client.close()  # type: ignore[union-attr]
        reset_embedder()
