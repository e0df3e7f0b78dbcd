"""/health always answers and tells the truth; /ready is red unless a worker ran a task lately."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from archon import health
from archon.health import Check, Checks, Probes
from archon.models import Canary
from archon.tasks import canary
from knowledge.embedding import EmbeddingError, spaces
from knowledge.embedding.local import LocalEmbedder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def probes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fresh ones: what another test found is not believed for a second."""
    monkeypatch.setattr(health, "probes", Probes(health.probe))
    yield
    for thread in threading.enumerate():
        if thread.name == "health":
            thread.join()


def test_before_any_worker_ran_it_is_initializing(client: Client) -> None:
    assert client.get("/ready").status_code == 503
    response = client.get("/health")
    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["ready"], body["service"]) == ("initializing", False, "archon")
    assert body["checks"]["worker"] == {"status": "absent", "detail": "no worker has run a task yet"}


@pytest.mark.parametrize("path", ["/health", "/api/health", "/ready"])
def test_after_the_canary_it_is_ready(client: Client, path: str) -> None:
    canary()
    canary()
    response = client.get(path)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert (body["status"], body["ready"]) == ("healthy", True)
    assert set(body["checks"]) == {"database", "redis", "worker", "embedder", "disk"}


@pytest.mark.parametrize("age", [timedelta(seconds=91), timedelta(hours=-1)], ids=["late", "from the future"])
def test_a_late_canary_is_no_proof(client: Client, age: timedelta) -> None:
    Canary.objects.create(name="worker", sung_at=timezone.now() - age)
    assert client.get("/ready").status_code == 503
    assert client.get("/health").json()["status"] == "degraded"


def test_without_redis_it_is_degraded_and_no_password_shows(client: Client, settings: Settings) -> None:
    canary()
    settings.REDIS_URL = "redis://:secret-word@127.0.0.1:1/0"
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json()["checks"]["redis"] == {"status": "failed", "detail": "ConnectionError"}
    assert b"secret-word" not in response.content


def test_without_the_database_it_still_answers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise DatabaseError("no such host: db.internal")

    monkeypatch.setattr(Canary.objects, "filter", fail)
    body = client.get("/health").json()
    assert (body["status"], body["checks"]["database"]["detail"]) == ("degraded", "DatabaseError")


def test_an_embedder_that_is_off_is_no_failure() -> None:
    assert told_of_embedder() == {"status": "absent", "detail": "search by keywords only: ARCHON_EMBEDDER=off"}


@pytest.mark.usefixtures("with_vectors")
def test_the_embedder_is_judged_by_what_the_workers_found() -> None:
    name = "local/all-MiniLM-L6-v2-int8"
    assert told_of_embedder() == {"status": "ok", "detail": f"{name}, not asked for a vector yet"}
    space = spaces.target(LocalEmbedder())
    assert told_of_embedder() == {"status": "ok", "detail": name}
    spaces.embedder_away(space, EmbeddingError("away", "The model file at /secret/place is gone."))
    away = told_of_embedder()
    assert away["status"] == "failed"
    assert away["detail"].startswith("no vectors since 20")


def told_of_embedder() -> Check:
    return health.probe()["embedder"]


def test_a_hanging_probe_makes_the_checks_red_and_the_next_answer_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(health, "USABLE_SECONDS", 0.1)
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    answers: list[Checks] = [green()]
    hangs = threading.Event()

    def probe() -> Checks:
        if not answers:
            hangs.wait()
        return answers.pop() if answers else green()

    probes = Probes(probe)
    assert probes.checks()["database"]["status"] == "ok"
    # Old checks are still believed for a moment, and nobody waits for the hanging round ...
    assert probes.checks()["database"]["status"] == "ok"
    # ... but not for ever.
    eventually_red(probes)
    assert sum(thread.name == "health" for thread in threading.enumerate()) == 1
    hangs.set()


def eventually_red(probes: Probes) -> None:
    deadline = time.monotonic() + 5
    while probes.checks()["database"]["status"] == "ok":
        assert time.monotonic() < deadline


def green() -> Checks:
    return {name: {"status": "ok", "detail": ""} for name in ("database", "redis", "worker", "embedder", "disk")}


def test_nothing_is_probed_again_while_the_checks_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 60.0)
    rounds: list[int] = []

    def probe() -> Checks:
        rounds.append(1)
        return green()

    probes = Probes(probe)
    for _ in range(20):
        assert probes.checks() == green()
    assert len(rounds) == 1


def test_no_write_goes_to_health(client: Client) -> None:
    assert client.post("/health").status_code == 405
