"""Code in pages is found by itself, named and described in the page's own words."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from knowledge.ingest.code_examples import code_examples
from knowledge.models import CodeExample, KnowledgeItem
from knowledge.search import SearchQuery, search_examples
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store

PAGE = """# Tasks

Tasks run in the background.

## Starting one

Create a task with `create_task` and await it later:

```python
import asyncio

async def main():
    task = asyncio.create_task(work())
    await task
```

Or in a shell:

```
$ archon crawl https://docs.example.com/
$ archon search "tasks"
```

## Short

```python
x = 1
```

```text
This is a paragraph of prose that somebody has put into a box, and no code at all.
It goes on for a second line, which is prose as well, and says nothing to a machine.
```
"""
pytestmark = pytest.mark.django_db


@pytest.fixture
def item() -> KnowledgeItem:
    made = source("one")
    store(made, page("tasks", PAGE, title="Tasks"))
    return made


def test_an_example_has_language_title_summary_and_place() -> None:
    kept, left_out = code_examples(PAGE, "Tasks", ((1, "Tasks", "tasks"), (2, "Starting one", "starting")))
    first, second = kept
    assert (first.language, first.anchor) == ("python", "starting")
    assert first.heading_path == "Tasks > Starting one"
    assert "create_task" in first.summary
    assert first.title
    assert first.code.startswith("import asyncio\n\nasync def main():")
    assert second.language in ("bash", "shell", "console")
    assert left_out["short"] == 1
    assert sum(left_out.values()) == 2


@pytest.mark.parametrize(
    "text", ["", "```", "```python\n", "~~~\n```\n~~~", "<pre>", "<pre><code>x", "```" * 20_000, "<pre>" * 20_000]
)
def test_no_page_breaks_it(text: str) -> None:
    code_examples(text, "title")


def test_examples_are_rows_with_exact_counts_and_survive_a_refresh(item: KnowledgeItem) -> None:
    ids = dict(CodeExample.objects.values_list("language", "pk"))
    item.refresh_from_db()
    assert item.code_example_count == CodeExample.objects.count() == 2
    changed = PAGE.replace("Tasks run in the background.", "Tasks run elsewhere.").replace(
        "archon search", "archon ask"
    )
    store(item, page("tasks", changed, title="Tasks"), generation=2)
    item.refresh_from_db()
    assert item.code_example_count == CodeExample.objects.count() == 2
    assert CodeExample.objects.get(language="python").pk == ids["python"]
    store(item, page("tasks", "# Tasks\n\nNo code any more.", title="Tasks"), generation=3)
    item.refresh_from_db()
    assert item.code_example_count == CodeExample.objects.count() == 0


def test_a_crawl_that_wants_none_stores_none() -> None:
    made = source("one")
    store(made, page("tasks", PAGE, title="Tasks", code_examples=False))
    assert not CodeExample.objects.exists()
    store(made, page("tasks", PAGE, title="Tasks"), generation=2)
    assert CodeExample.objects.count() == 2


def languages(text: str, **options: Any) -> list[str]:
    return [hit.example.language for hit in search_examples(SearchQuery(text, viewer=OPERATOR, **options)).hits]


def test_they_are_searched_by_themselves(item: KnowledgeItem) -> None:
    hit = search_examples(SearchQuery("create_task", viewer=OPERATOR)).hits[0]
    assert hit.example.language == "python"
    assert not search_examples(SearchQuery("background", viewer=OPERATOR)).hits or "background" in hit.example.summary
    assert [
        found.example.language
        for found in search_examples(SearchQuery("archon", viewer=OPERATOR), language="python").hits
    ] == []
    other = source("two")
    store(other, page("tasks", PAGE, title="Tasks"))
    assert languages("create_task").count("python") == 1, "the same code twice is one hit"
    assert languages("create_task", source_id=other.source_id).count("python") == 1


def test_rest_lists_and_searches_them(client: Client, item: KnowledgeItem) -> None:
    listed = client.get(f"/api/knowledge-items/{item.source_id}/code-examples?limit=1").json()
    assert (listed["total"], listed["has_more"], len(listed["code_examples"])) == (2, True, 1)
    assert listed["code_examples"][0]["language"] == "python"
    body: dict[str, Any] = {"query": "create_task", "match_count": 3}
    found = client.post("/api/rag/code-examples", body, content_type="application/json").json()
    assert found["total_found"] >= 1
    assert "asyncio.create_task" in found["results"][0]["content"]
    refused = client.post("/api/rag/code-examples", {"query": " "}, content_type="application/json")
    assert refused.status_code == 422
    assert client.get("/api/knowledge-items/nobody/code-examples").status_code == 404
