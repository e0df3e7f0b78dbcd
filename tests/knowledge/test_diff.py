"""What a page said before it changed is kept within bounds, and compared with what it says now."""

from __future__ import annotations

import difflib
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from archon import retention
from knowledge import diff, tasks
from knowledge.ingest import remove_documents
from knowledge.ingest.revisions import text_of
from knowledge.models import Document, KnowledgeItem, PageRevision
from tests.knowledge.pages import assert_counts_exact, page, source, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def item() -> KnowledgeItem:
    made = source("one")
    store(made, page("a", "# A\n\nfirst\n\nlast line", title="A before"), page("b", "other\n\ntext"))
    return made


def document(path: str = "a") -> Document:
    return Document.objects.get(url__endswith=f"/{path}")


def told(client: Client, path: str = "a", status: int = 200, **params: Any) -> Any:
    response = client.get(f"/api/pages/{document(path).pk}/diff", params)
    assert response.status_code == status, response.content
    return response.json()


def rewrite(item: KnowledgeItem, *texts: str, path: str = "a") -> None:
    for generation, text in enumerate(texts, start=2):
        store(item, page(path, text, title="A"), generation=generation)


def test_a_page_tells_which_lines_went_and_which_came(client: Client, item: KnowledgeItem) -> None:
    rewrite(item, "# A\n\nsecond\n\nlast line")
    body = told(client)
    assert body["diff"] == "@@ -1,5 +1,5 @@\n # A\n \n-first\n+second\n \n last line"
    assert (body["added"], body["removed"], body["truncated"]) == (1, 1, False)
    assert (body["title_before"], body["title"]) == ("A before", "A")
    assert body["since"] < body["changed_at"]
    assert_counts_exact(item)


def test_of_a_page_that_never_changed_nothing_is_kept(client: Client, item: KnowledgeItem) -> None:
    store(item, page("a", "# A\n\nfirst\n\nlast line", title="A before"), generation=2)
    assert not PageRevision.objects.exists()
    body = told(client)
    assert (body["diff"], body["since"], body["until"], body["added"]) == ("", None, None, 0)


def test_a_title_that_changed_is_told_beside_the_same_text(client: Client, item: KnowledgeItem) -> None:
    rewrite(item, "# A\n\nfirst\n\nlast line")
    body = told(client)
    assert (body["title_before"], body["title"], body["diff"]) == ("A before", "A", "")
    assert body["since"]


def test_the_date_chooses_the_text_that_stood_then(client: Client, item: KnowledgeItem) -> None:
    rewrite(item, "two", "three")
    one, two = PageRevision.objects.order_by("pk")
    start = timezone.now() - timedelta(days=9)
    PageRevision.objects.filter(pk=one.pk).update(replaced_at=start)
    PageRevision.objects.filter(pk=two.pk).update(replaced_at=start + timedelta(days=4))
    removed = {
        day: told(client, since=(start + timedelta(days=day)).isoformat())["diff"].count("\n-") for day in (-1, 1, 5)
    }
    assert removed == {-1: 5, 1: 1, 5: 0}
    assert "-two" in told(client)["diff"]
    assert told(client, since=datetime(2000, 1, 1).isoformat())["removed"] == 5
    assert "since" in told(client, status=422, since="yesterday")["detail"]["field"]


def test_an_alias_keeps_what_it_showed(client: Client, item: KnowledgeItem) -> None:
    store(item, page("c", "other\n\ntext"))
    assert document("c").alias_of == document("b")
    rewrite(item, "its own", path="c")
    assert told(client, "c")["diff"].splitlines()[1:] == ["-other", "-", "-text", "+its own"]
    rewrite(item, "# A\n\nfirst\n\nlast line", path="c")
    assert "+first" in told(client, "c")["diff"]


def test_a_change_that_is_undone_leaves_no_text(item: KnowledgeItem) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        rewrite(item, "two")
        raise RuntimeError
    assert not PageRevision.objects.exists()


def test_the_oldest_texts_go_beyond_both_bounds(item: KnowledgeItem, settings: Any) -> None:
    settings.REVISIONS_PER_PAGE = 2
    rewrite(item, "two", "three", "four")
    rewrite(item, "new", path="b")
    retention.forget_old()
    assert [text_of(one) for one in PageRevision.objects.order_by("pk")] == ["two", "three", "other\n\ntext"]
    PageRevision.objects.filter(document=document("a")).update(size=2**19 + 1)
    settings.REVISIONS_MEGABYTES = 1
    retention.forget_old()
    assert [text_of(one) for one in PageRevision.objects.order_by("pk")] == ["three", "other\n\ntext"]
    settings.REVISIONS_PER_PAGE = 0
    rewrite(item, "five")
    retention.forget_old()
    assert not PageRevision.objects.exists()


def test_texts_go_with_their_page_and_with_their_source(item: KnowledgeItem) -> None:
    rewrite(item, "two")
    rewrite(item, "new", path="b")
    with transaction.atomic():
        remove_documents(item.pk, [document("a").url_hash])
    assert [text_of(one) for one in PageRevision.objects.all()] == ["other\n\ntext"]
    KnowledgeItem.objects.filter(pk=item.pk).update(deleted_at=timezone.now())
    tasks.purge()
    assert not PageRevision.objects.exists()


@pytest.mark.parametrize("seed", range(20))
def test_the_diff_is_that_of_difflib(seed: int) -> None:
    chance = random.Random(seed)
    old = [chance.choice("abcdef ") for _ in range(chance.randrange(60))]
    new = [line for line in old if chance.random() < 0.9]
    for _ in range(chance.randrange(3)):
        new.insert(chance.randrange(len(new) + 1), "é")
    lines, truncated = diff._compared("\n".join(["same"] * 9 + old), "\n".join(["same"] * 9 + new))
    before = [line for line in lines if not line.startswith(("@", "+"))]
    after = [line for line in lines if not line.startswith(("@", "-"))]
    assert not truncated
    # Where lines repeat there are several shortest ways; each must lead from the one to the other.
    assert applied(["same"] * 9 + old, lines) == ["same"] * 9 + new
    assert len(before) <= len(old) + 9
    assert len(after) <= len(new) + 9


def applied(old: list[str], lines: list[str]) -> list[str]:
    """What `patch` makes of the old lines."""
    made: list[str] = []
    place = 0
    for line in lines:
        if line.startswith("@@"):
            start, length = map(int, line.split()[1][1:].split(","))
            skipped = start - 1 if length else start
            made += old[place:skipped]
            place = skipped
            continue
        if line[0] in " -":
            assert old[place] == line[1:], (place, line)
            place += 1
        if line[0] in " +":
            made.append(line[1:])
    return made + old[place:]


def test_a_single_change_is_written_as_difflib_writes_it() -> None:
    old = [f"line {n}" for n in range(100)]
    new = [*old[:40], "changed", *old[41:70], *old[72:]]
    expected = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    assert diff._compared("\n".join(old), "\n".join(new)) == (expected, False)


def test_of_huge_pages_a_part_is_compared_and_told_to_be_one() -> None:
    alike = [f"line {n}" for n in range(50_000)]
    lines, truncated = diff._compared("\n".join([*alike, "old", *alike]), "\n".join([*alike, "new", *alike]))
    assert (lines[0], truncated) == ("@@ -49998,7 +49998,7 @@", False)
    lines, truncated = diff._compared("\n".join(alike), "\n".join(line + "!" for line in alike))
    assert truncated
    assert len(lines) == 2 * diff.MAX_LINES + 1
    lines, truncated = diff._compared("a" * 10**6, "b" * 10**6)
    assert truncated
    assert sum(map(len, lines)) < 2 * diff.MAX_LINE_CHARS + 100
