from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from knowledge.models import Chunk, Document, KnowledgeItem
from tests.knowledge.pages import page, source, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def item() -> KnowledgeItem:
    item = source("docs")
    store(item, *(page(f"p{n}", f"## Part\n\nzebra {n}", title=f"Page {n}") for n in range(60)))
    return item


@pytest.mark.parametrize("model", ["knowledgeitem", "document", "chunk"])
@pytest.mark.parametrize("search", ["", "Page 1", "'%\\"])
def test_every_list_opens_and_searches_in_few_queries(
    admin_client: Client,
    item: KnowledgeItem,
    model: str,
    search: str,
    django_assert_max_num_queries: Callable[..., AbstractContextManager[Any]],
) -> None:
    with django_assert_max_num_queries(10):
        response = admin_client.get(reverse(f"admin:knowledge_{model}_changelist"), {"q": search})
    assert response.status_code == 200


@pytest.mark.parametrize("model", [KnowledgeItem, Document, Chunk])
def test_every_row_opens(admin_client: Client, item: KnowledgeItem, model: type[Any]) -> None:
    row = model.objects.first()
    response = admin_client.get(reverse(f"admin:knowledge_{model._meta.model_name}_change", args=[row.pk]))
    assert response.status_code == 200


@pytest.mark.parametrize("model", ["document", "chunk"])
def test_documents_and_chunks_cannot_be_changed_alone(admin_client: Client, item: KnowledgeItem, model: str) -> None:
    row = Document.objects.first() if model == "document" else Chunk.objects.first()
    assert row is not None
    for view, args in (("add", []), ("delete", [row.pk])):
        assert admin_client.get(reverse(f"admin:knowledge_{model}_{view}", args=args)).status_code == 403
    assert admin_client.post(reverse(f"admin:knowledge_{model}_change", args=[row.pk]), {}).status_code == 403


def test_a_source_is_edited_by_the_action(admin_client: Client, item: KnowledgeItem) -> None:
    form = {
        "title": "Renamed", "description": "", "knowledge_type": "business", "tags": '["a", " a "]', "status": "active",
        "update_frequency": 3, "group_name": "",
    }  # fmt: skip
    url = reverse("admin:knowledge_knowledgeitem_change", args=[item.pk])
    assert admin_client.post(url, form).status_code == 302
    item.refresh_from_db()
    assert (item.title, item.knowledge_type, item.tags, item.update_frequency) == ("Renamed", "business", ["a"], 3)


def test_deleting_in_the_admin_hides_and_leaves_the_rest_to_the_purge(
    admin_client: Client, item: KnowledgeItem
) -> None:
    url = reverse("admin:knowledge_knowledgeitem_delete", args=[item.pk])
    assert b"60" in admin_client.get(url).content
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    item.refresh_from_db()
    assert item.deleted_at is not None
    action = {"action": "delete_selected", "_selected_action": [source("two").pk], "post": "yes"}
    admin_client.post(reverse("admin:knowledge_knowledgeitem_changelist"), action)
    assert not KnowledgeItem.objects.filter(deleted_at=None).exists()
    assert Chunk.objects.count() == 60
