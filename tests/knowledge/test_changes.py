"""What became of a source's pages since a date."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import timezone

from knowledge import tasks
from knowledge.changes import changes_of
from knowledge.ingest import remove_documents
from knowledge.models import Document, KnowledgeItem, PageRevision, RemovedPage
from tests.knowledge.pages import page, source, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def item() -> KnowledgeItem:
    """Ten days ago: kept, edited and gone. Since then: edited changed, gone went, fresh came with an alias."""
    made = source("one")
    long_ago = timezone.now() - timedelta(days=10)
    store(made, *(page(name, f"{name} text", title=name) for name in ("kept", "edited", "gone")))
    Document.objects.update(first_seen_at=long_ago, changed_at=long_ago)
    store(made, page("edited", "other text", title="edited"), generation=2)
    store(made, page("fresh", "new text", title="fresh"), page("alias", "new text", title="fresh"), generation=2)
    remove(made, "gone")
    return made


def remove(item: KnowledgeItem, path: str) -> None:
    with transaction.atomic():
        remove_documents(item.pk, [page(path, "").url_hash])


def told(client: Client, item: KnowledgeItem, status: int = 200, **params: Any) -> Any:
    response = client.get(f"/api/knowledge-items/{item.source_id}/changes", params)
    assert response.status_code == status, response.content
    return response.json()


def kinds(body: Any) -> dict[str, str]:
    return {change["title"]: change["change"] for change in body["changes"]}


def test_new_changed_and_removed_pages_are_told_newest_first(client: Client, item: KnowledgeItem) -> None:
    body = told(client, item)
    assert kinds(body) == {"gone": "removed", "fresh": "added", "edited": "changed"}
    assert [change["title"] for change in body["changes"]] == ["gone", "fresh", "edited"]
    assert body["counts"] == {"added": 1, "changed": 1, "removed": 1}
    assert (body["total"], body["has_more"]) == (3, False)
    gone, fresh, _ = body["changes"]
    assert gone["page_id"] is None
    assert gone["url"] == "https://docs.example.com/gone"
    assert Document.objects.get(pk=int(fresh["page_id"])).title == "fresh"


def test_a_new_page_that_was_changed_since_has_a_diff_as_a_changed_one_has(client: Client, item: KnowledgeItem) -> None:
    def compared() -> dict[str, bool]:
        return {change["title"]: change["has_diff"] for change in told(client, item)["changes"]}

    store(item, page("new", "one text", title="new"), generation=3)
    assert compared() == {"gone": False, "fresh": False, "edited": True, "new": False}
    store(item, page("new", "another text", title="new"), generation=4)
    assert kinds(told(client, item))["new"] == "added"
    assert compared() == {"gone": False, "fresh": False, "edited": True, "new": True}
    PageRevision.objects.all().delete()
    assert not any(compared().values())


def test_the_date_decides_and_the_pages_of_the_list_do_not_overlap(client: Client, item: KnowledgeItem) -> None:
    since = (timezone.now() - timedelta(days=20)).isoformat()
    body = told(client, item, since=since)
    assert kinds(body) == {"gone": "removed", "fresh": "added", "edited": "added", "kept": "added"}
    parts = [told(client, item, since=since, limit=3, offset=offset) for offset in (0, 3)]
    assert [part["has_more"] for part in parts] == [True, False]
    assert [change for part in parts for change in part["changes"]] == body["changes"]
    assert told(client, item, since="2999-01-01")["total"] == 0


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2020-01-01T00:00:00"])
def test_the_ends_of_time_are_dates_too(client: Client, item: KnowledgeItem, since: str) -> None:
    assert told(client, item, since=since)["total"] in (0, 4)


@pytest.mark.parametrize(
    ("params", "field"), [({"since": "yesterday"}, "since"), ({"limit": 0}, "limit"), ({"offset": -1}, "offset")]
)
def test_what_is_no_date_is_refused_by_name(
    client: Client, item: KnowledgeItem, params: dict[str, Any], field: str
) -> None:
    assert field in told(client, item, 422, **params)["detail"]["field"]


def test_a_page_that_comes_back_is_new(item: KnowledgeItem) -> None:
    store(item, page("gone", "back again", title="gone"), generation=3)
    found = changes_of(item)
    assert [(change.title, change.change) for change in found.pages[:2]] == [("gone", "added"), ("gone", "removed")]
    assert found.total == 4


def test_of_an_unknown_source_nothing_is_told(client: Client) -> None:
    assert client.get("/api/knowledge-items/nobody/changes").status_code == 404


def test_removed_pages_are_forgotten_in_time_and_go_with_their_source(item: KnowledgeItem) -> None:
    old: datetime = timezone.now() - timedelta(days=settings.REMOVED_PAGES_DAYS + 1)
    RemovedPage.objects.create(item=item, page_id=1, url="x", removed_at=old)
    tasks.purge()
    assert RemovedPage.objects.count() == 1
    item.deleted_at = timezone.now()
    item.save()
    tasks.purge()
    assert not RemovedPage.objects.exists()
