"""The server's figures at /metrics, and its log lines as JSON."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from archon import figures
from crawler.models import CrawlUrl
from progress import tracker
from progress.log_lines import JsonLines, Seldom, about
from progress.models import Progress
from progress.status import Status
from tests.crawler.jobs import job_of
from tests.stack import ROOT

pytestmark = pytest.mark.django_db


def read(client: Client) -> dict[tuple[str, tuple[str, ...]], float]:
    text = client.get("/metrics").content.decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_crawls_queue_and_failures_are_shown(client: Client, redis: Redis) -> None:
    job_of("http://127.0.0.1:9/waiting/")
    running = job_of("http://127.0.0.1:9/running/", pages=2)
    tracker.update(running.progress_id, status=Status.STARTING)
    Progress.objects.filter(pk=running.progress_id).update(pages_per_second=2.5)
    CrawlUrl.objects.filter(job=running, depth=1).update(
        state="failed", error_code="timeout", fetched_at=timezone.now()
    )
    redis.delete("archon")
    redis.lpush("archon", "one", "two", "three")
    shown = read(client)
    assert shown[("archon_crawls", ("queued",))] == 1
    assert shown[("archon_crawls", ("starting",))] == 1
    assert shown[("archon_pages_per_second", ())] == 2.5
    assert shown[("archon_page_failures_last_hour", ("timeout",))] == 2
    assert shown[("archon_queue_depth", ("archon",))] == 3


def test_every_figure_is_documented_and_the_promised_ones_are_there(client: Client) -> None:
    documented = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    client.post("/api/rag/query", {"query": "anything"}, content_type="application/json")
    text = client.get("/metrics").content.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for name, family in families.items():
        shown = f"{name}_total" if family.type == "counter" else name
        assert f"`{shown}`" in documented, f"docs/operations.md lacks {shown}"
    # Queue depth, pages a second, failures by class, sockets, and how long a search takes.
    promised = {
        *("archon_queue_depth", "archon_pages_per_second", "archon_page_failures_last_hour"),
        *("archon_sockets_open", "archon_request_seconds"),
    }
    assert promised <= families.keys()
    timed = families["archon_request_seconds"].samples
    assert any(sample.labels.get("route") == "api/rag/query" and sample.labels.get("le") for sample in timed)


def test_requests_are_timed_by_route(client: Client) -> None:
    name = ("archon_request_seconds_count", ("GET", "api/progress/<path:progress_id>", "404"))
    before = read(client).get(name, 0)
    client.get("/api/progress/nobody")
    assert read(client)[name] == before + 1


def test_a_method_that_somebody_invents_makes_no_figure_of_its_own(client: Client) -> None:
    client.generic("INVENTED", "/api/whoami")
    methods = {key[1][0] for key in read(client) if key[0] == "archon_request_seconds_count"}
    assert "other" in methods
    assert "INVENTED" not in methods


def test_a_database_that_is_away_takes_no_other_figure_along(client: Client, monkeypatch: Any) -> None:
    def away() -> Any:
        raise DatabaseError("away")

    monkeypatch.setattr(figures, "crawls", away)
    shown = read(client)
    assert ("archon_queue_depth", ("archon",)) in shown
    assert not any(name == "archon_crawls" for name, _ in shown)


def test_a_log_line_is_one_object_and_says_what_it_is_about() -> None:
    record = logging.LogRecord("crawler.slice", logging.INFO, "", 0, "read %s\nand\u2028more", ("http://x/",), None)
    with about("8b74d6a0"):
        line = JsonLines().format(record)
    assert len(line.splitlines()) == 1
    told = json.loads(line)
    assert told["progressId"] == "8b74d6a0"
    assert told["message"] == "read http://x/\nand\u2028more"
    assert told["level"] == "INFO"
    assert "progressId" not in json.loads(JsonLines().format(record))
    try:
        raise ValueError("why")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: why" in json.loads(JsonLines().format(record))["traceback"]


def test_a_foreign_host_is_one_line_in_the_log_and_many_are_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Seldom, "quiet_until", {})
    monkeypatch.setattr(Seldom, "left_out", {})
    stranger = Client(headers={"host": "evil.example"})
    for _ in range(3):
        assert stranger.get("/api/whoami").status_code == 400
    (line,) = caplog.records
    assert (line.levelname, line.exc_info) == ("WARNING", None)
    assert "'evil.example'" in line.getMessage()

    Seldom.quiet_until.clear()
    stranger.get("/api/whoami")
    assert "(2 more like this were left out)" in caplog.records[-1].getMessage()
