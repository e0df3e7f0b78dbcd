"""A source that could not be read says so wherever it is listed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from knowledge.failing import NEXT_STEP, failures_of
from knowledge.listing import fingerprint
from knowledge.models import KnowledgeItem
from progress import tracker
from progress.messages import ErrorBody
from progress.models import Progress
from tests.knowledge.pages import source

pytestmark = pytest.mark.django_db

REFUSED = ErrorBody(code="http_status", message="The site answers 403.", hint="Ask its owner.")


def operation(item: KnowledgeItem, kind: str = Progress.Kind.CRAWL, error: ErrorBody | None = None) -> Progress:
    row = tracker.create(kind, source_id=item.source_id)
    return tracker.fail(row.pk, error) if error else row


@pytest.fixture
def failed() -> KnowledgeItem:
    item = source("failed")
    operation(item, error=REFUSED)
    return item


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("", "items"),
        ("/summary", "items"),
        ("/sources", "sources"),
    ],
)
def test_every_list_tells_the_failure_with_its_reason(
    client: Client, failed: KnowledgeItem, path: str, listed: str
) -> None:
    healthy = source("healthy")
    answer = client.get(f"/api/knowledge-items{path}").json()[listed]
    told = {one["source_id"]: one["metadata"] for one in answer}
    assert (told[healthy.source_id]["status"], told[healthy.source_id]["failure"]) == ("active", None)
    failure = told[failed.source_id]["failure"]
    assert told[failed.source_id]["status"] == "error"
    assert (failure["code"], failure["message"], failure["hint"]) == tuple(REFUSED.values())
    assert client.get(f"/api/progress/{failure['progress_id']}").status_code == 200


def test_one_source_and_the_terminal_tell_it_too(
    client: Client, failed: KnowledgeItem, capsys: pytest.CaptureFixture[str]
) -> None:
    one: dict[str, Any] = client.get(f"/api/knowledge-items/{failed.source_id}").json()
    assert one["metadata"]["failure"]["message"] == REFUSED["message"]
    call_command("sources", json=True)
    (told,) = json.loads(capsys.readouterr().out)["sources"]
    assert (told["metadata"]["status"], told["metadata"]["failure"]["hint"]) == ("error", "Ask its owner.")


def test_a_failure_without_a_hint_has_a_next_step(failed: KnowledgeItem) -> None:
    operation(failed, error=ErrorBody(code="x", message="It broke.", hint=""))
    assert failures_of([failed])[failed.source_id]["hint"] == NEXT_STEP


def test_what_runs_again_or_ended_well_since_is_no_failure(failed: KnowledgeItem) -> None:
    again = operation(failed, Progress.Kind.REFRESH)
    assert failures_of([failed]) == {}
    tracker.cancel(again.pk)
    assert failures_of([failed]) == {}


def test_a_failed_purge_of_old_vectors_is_none_of_the_source(failed: KnowledgeItem) -> None:
    operation(failed, Progress.Kind.EMBED)
    assert failed.source_id in failures_of([failed])


def test_open_lists_hear_of_a_failure() -> None:
    item = source("later")
    before = fingerprint()
    operation(item, error=REFUSED)
    assert fingerprint() != before
