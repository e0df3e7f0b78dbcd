from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection

from knowledge import actions, purging, tasks
from knowledge.errors import BadChange, UnknownSource
from knowledge.models import Chunk, Document, KnowledgeItem
from knowledge.search.keyword import keyword_index
from knowledge.search.words import question
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store

pytestmark = pytest.mark.django_db

Capture = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture
def news(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would be published after the commit."""
    published: list[dict[str, Any]] = []

    def publish(topic: str, text: str, **_: Any) -> None:
        assert topic == "knowledge-items"
        published.append(json.loads(text))

    monkeypatch.setattr(actions, "publish_on_commit", publish)
    return published


def index_rows() -> int:
    table = {"sqlite": "knowledge_chunk_fts", "postgresql": "knowledge_chunk_words"}[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        (count,) = cursor.fetchone()
    return int(count)


def test_a_new_source_is_announced_once(news: list[dict[str, Any]]) -> None:
    item = source("one", tags=[" a ", "b", "a", ""])
    assert item.tags == ["a", "b"]
    again = source("one", title="another title")
    assert (again.pk, again.title) == (item.pk, "one")
    assert news == [{"type": "knowledge_changed", "source_id": item.source_id, "change": "created"}]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"source_id": "short"}, "source_id"),
        ({"source_id": "x" * 65}, "source_id"),
        ({"knowledge_type": "poetry"}, "knowledge_type"),
        ({"source_type": "ftp"}, "source_type"),
        ({"tags": ["x" * 101]}, "tags"),
        ({"tags": [str(n) for n in range(51)]}, "tags"),
        ({"update_frequency": -1}, "update_frequency"),
    ],
)
def test_a_source_that_breaks_a_rule_is_refused_with_the_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadChange) as caught:
        source("bad", **fields)
    assert (caught.value.field, caught.value.http_status) == (field, 422)
    assert not KnowledgeItem.objects.exists()


def test_an_update_changes_only_what_it_names(news: list[dict[str, Any]]) -> None:
    item = source("one", tags=["kept"])
    actions.update_item(item.source_id, {"title": " New\0 ", "update_frequency": 30}, viewer=OPERATOR)
    changed = KnowledgeItem.objects.get()
    assert (changed.title, changed.update_frequency, changed.tags) == ("New\ufffd", 30, ["kept"])
    assert changed.updated_at > item.updated_at
    assert news[-1]["change"] == "updated"


def test_an_update_that_breaks_a_rule_changes_nothing(news: list[dict[str, Any]]) -> None:
    item = source("one")
    with pytest.raises(BadChange, match="status"):
        actions.update_item(item.source_id, {"title": "New", "status": "sleeping"}, viewer=OPERATOR)
    item.refresh_from_db()
    assert item.title == "one"
    assert len(news) == 1


@pytest.mark.parametrize("source_id", ["nobody", "", "\0", "\ud800"])
def test_changing_an_unknown_source_is_an_error(source_id: str) -> None:
    with pytest.raises(UnknownSource):
        actions.update_item(source_id, {"title": "x"}, viewer=OPERATOR)
    with pytest.raises(UnknownSource):
        actions.delete_item(source_id, viewer=OPERATOR)


def test_a_deleted_source_is_hidden_at_once_and_its_id_is_free(news: list[dict[str, Any]]) -> None:
    item = source("one")
    store(item, page("a", "text"))
    actions.delete_item(item.source_id, viewer=OPERATOR)
    assert news[-1] == {"type": "knowledge_changed", "source_id": item.source_id, "change": "deleted"}
    fresh = source("one")
    assert fresh.pk != item.pk
    assert fresh.chunk_count == 0
    with pytest.raises(UnknownSource):
        store(item, page("b", "text"))


def test_deleting_starts_the_purge_only_after_the_commit(
    django_capture_on_commit_callbacks: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[bool] = []
    monkeypatch.setattr(tasks.purge, "delay", lambda: started.append(True))
    item = source("one")
    with django_capture_on_commit_callbacks(execute=True):
        actions.delete_item(item.source_id, viewer=OPERATOR)
        assert not started
    assert started == [True]


def test_deleting_succeeds_while_the_broker_is_away(
    django_capture_on_commit_callbacks: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks.purge, "delay", refuse)
    item = source("one")
    with django_capture_on_commit_callbacks(execute=True):
        actions.delete_item(item.source_id, viewer=OPERATOR)
    assert not KnowledgeItem.objects.filter(deleted_at=None).exists()


def test_the_purge_removes_every_row_of_deleted_sources_and_none_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.purging.ROWS_PER_STATEMENT", 3)
    monkeypatch.setattr("knowledge.purging.PAGES_PER_BATCH", 2)
    kept, gone = source("kept"), source("gone")
    text = "\n\n".join(f"## Part {n}\n\nzebra {n}" for n in range(10))
    for item in (kept, gone):
        store(item, page("a", text), page("alias", text), page("b", "zebra alone"))
    actions.delete_item(gone.source_id, viewer=OPERATOR)
    tasks.purge()
    assert list(KnowledgeItem.objects.all()) == [kept]
    assert Document.objects.filter(item=kept).count() == Document.objects.count() == 3
    assert Chunk.objects.count() == index_rows() == 11
    assert len(keyword_index().rank(question("zebra"), items=None, limit=50)) == 11


def test_the_purge_hands_over_to_a_new_task_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[bool] = []
    monkeypatch.setattr(tasks, "PURGE_SECONDS", -1.0)
    monkeypatch.setattr(tasks.purge, "delay", lambda: again.append(True))
    item = source("gone")
    store(item, page("a", "text"))
    actions.delete_item(item.source_id, viewer=OPERATOR)
    tasks.purge()
    assert again == [True]
    assert KnowledgeItem.objects.exists()


def test_a_purge_with_nothing_to_do_does_nothing() -> None:
    source("kept")
    tasks.purge()
    tasks.purge()
    assert KnowledgeItem.objects.count() == 1


def test_a_purge_tells_how_far_it_is_until_it_completes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "ROWS_PER_STATEMENT", 4)
    monkeypatch.setattr(purging, "PAGES_PER_BATCH", 2)
    item = source("gone")
    store(item, *(page(f"p{n}", "\n\n".join(f"## {k}\n\nzebra {n} {k}" for k in range(3))) for n in range(6)))
    row = actions.delete_item(item.source_id, viewer=OPERATOR)
    assert (row.kind, row.source_id, row.total_pages, row.status) == ("purge", item.source_id, 6, "queued")
    percentages = []
    while purging.purge_batch():
        row.refresh_from_db()
        percentages.append(row.percentage)
    assert (row.status, row.processed_pages, row.percentage) == ("completed", 6, 100)
    assert percentages == sorted(percentages)
    assert len(set(percentages)) >= 4
    assert "6 pages" in row.log
    assert index_rows() == 0


def test_the_purge_of_an_earlier_source_goes_on_when_its_successor_is_deleted() -> None:
    first = actions.delete_item(source("one").source_id, viewer=OPERATOR)
    second = actions.delete_item(source("one").source_id, viewer=OPERATOR)
    assert first.pk != second.pk
    tasks.purge()
    for row in (first, second):
        row.refresh_from_db()
        assert row.status == "completed"


def test_a_source_that_was_hidden_without_an_operation_is_purged_too() -> None:
    item = source("gone")
    store(item, page("a", "text"))
    actions.delete_item(item.source_id, viewer=OPERATOR)
    Progress.objects.all().delete()
    tasks.purge()
    assert not KnowledgeItem.objects.exists()
