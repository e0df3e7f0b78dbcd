"""Code examples get vectors after the chunks, and are found by what they are about."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.test import Client

from knowledge import purging, tasks
from knowledge.actions import delete_item
from knowledge.embedding import EmbeddingError, spaces
from knowledge.embedding import queue as embedding_queue
from knowledge.embedding.kinds import EXAMPLES
from knowledge.embedding.models import EmbeddingSpace, ExampleVector
from knowledge.embedding.queue import Turn, pending
from knowledge.embedding.telling import missing_vectors
from knowledge.models import CodeExample, KnowledgeItem
from knowledge.search import SearchQuery, search_examples
from knowledge.search.vectors import example_vector_index, vector_index
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store
from tests.knowledge.test_vectors import Interrupted, Stand, embed_all

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_vectors")]

CATS = """# Animals

Feed every cat that waits at the door:

```python
for animal in waiting():
    animal.feed("sardines")
```
"""
BANKS = """# Money

Ask the bank how much there is:

```shell
curl https://api.example.com/v1/balance
echo "done with the account"
```
"""


def source_with_code() -> KnowledgeItem:
    made = source("code")
    store(made, page("cats", CATS), page("banks", BANKS))
    return made


@pytest.fixture
def item() -> KnowledgeItem:
    return source_with_code()


@pytest.fixture(autouse=True)
def fresh_index(settings: Any) -> None:
    settings.EMBED_SLICE_SECONDS = 60  # one turn does all, on a busy machine too
    for index in (vector_index(), example_vector_index()):
        index._matrix = None  # type: ignore[attr-defined]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(stand: Stand) -> Stand:
        monkeypatch.setattr(sys.modules["knowledge.embedding.embedder"], "_embedder", stand)
        return stand

    return use


def only_chunks_embedded() -> None:
    """As in a knowledge base that an earlier version embedded."""
    embed_all()
    ExampleVector.objects.all().delete()
    example_vector_index().remove(list(CodeExample.objects.values_list("pk", flat=True)))


def found(text: str, **options: Any) -> list[str]:
    language = options.pop("language", "")
    return [
        hit.example.language
        for hit in search_examples(SearchQuery(text, viewer=OPERATOR, **options), language=language).hits
    ]


def test_code_is_found_by_what_it_does_without_sharing_a_word(item: KnowledgeItem) -> None:
    embed_all()
    assert not pending(kind=EXAMPLES).exists()
    outcome = search_examples(SearchQuery("give fish to hungry pets", mode="vector", viewer=OPERATOR))
    assert (outcome.mode, outcome.notice) == ("vector", "")
    assert outcome.hits[0].example.language == "python"
    assert outcome.hits[0].scores.keyword is None
    assert outcome.hits[0].scores.vector is not None
    both = search_examples(SearchQuery("sardines for animals", viewer=OPERATOR))
    assert both.mode == "hybrid"
    assert both.hits[0].example.language == "python"
    assert both.hits[0].scores.keyword is not None
    assert both.hits[0].scores.vector is not None
    assert found("give fish to hungry pets", mode="vector", language="shell") == ["shell"]
    assert found("give fish to hungry pets", mode="vector", source_id=source("empty").source_id) == []


def test_until_there_are_vectors_the_answer_says_that_words_found_it(item: KnowledgeItem, client: Client) -> None:
    assert missing_vectors(item.pk)[-1] == "2 code examples are found by words; the vectors follow."
    only_chunks_embedded()
    asked = {"query": "sardines", "mode": "vector"}
    answer = client.post("/api/rag/code-examples", asked, content_type="application/json").json()
    assert [hit["language"] for hit in answer["results"]] == ["python"]
    assert answer["search_mode"] == "keyword"
    assert answer["notice"] == "Searched by words only: the vectors of code examples are still being made."


def test_with_the_embedder_away_words_answer_and_the_reason_is_told(item: KnowledgeItem, use: Any) -> None:
    use(Stand())
    embed_all()
    use(Stand(error=EmbeddingError("connect_failed", "No connection.", retryable=True)))
    outcome = search_examples(SearchQuery("sardines", viewer=OPERATOR))
    assert (outcome.mode, outcome.notice) == ("keyword", "Searched by words only: No connection.")
    assert [hit.example.language for hit in outcome.hits] == ["python"]


def test_chunks_come_first_and_an_example_reads_what_its_page_says(item: KnowledgeItem, use: Any) -> None:
    stand = use(Stand())
    for number in range(embedding_queue.turns()):
        Turn(number, stand).run(lambda ids: None)
    code = "Animals\nFeed every cat that waits at the door:\nfor animal in waiting():\n    animal.feed("
    of_code = [place for place, text in enumerate(stand.texts) if code in text and "```" not in text]
    assert len(of_code) == 1
    assert ExampleVector.objects.exclude(vector=None).count() == CodeExample.objects.count() == 2


def test_new_words_about_the_same_code_bring_a_new_vector(item: KnowledgeItem, use: Any) -> None:
    stand = use(Stand())
    embed_all()
    assert found("cat", mode="vector")[0] == "python"
    example = CodeExample.objects.get(language="python")
    store(item, page("cats", CATS.replace("cat that", "bank that")), generation=2)
    assert CodeExample.objects.get(language="python").pk == example.pk
    assert [row.pk for row in pending(kind=EXAMPLES)] == [example.pk]
    embed_all()
    assert not pending(kind=EXAMPLES).exists()
    assert ExampleVector.objects.filter(example=example).count() == 1
    (hit, *_) = search_examples(SearchQuery("cat", mode="vector", viewer=OPERATOR)).hits
    assert hit.scores.vector is not None
    assert hit.scores.vector < 0.9
    before = len(stand.texts)
    embed_all()
    assert len(stand.texts) == before


def test_words_that_change_while_they_are_embedded_are_embedded_again(
    item: KnowledgeItem, use: Any, settings: Any
) -> None:
    settings.WORKERS = 1  # both examples are of one turn

    def refreshed() -> None:
        store(item, page("cats", CATS.replace("cat that", "bank that")), generation=2)

    use(Stand())
    embed_all()
    ExampleVector.objects.all().delete()
    stand = use(Interrupted(refreshed))
    embed_all()
    assert pending(kind=EXAMPLES).count() == 1
    embed_all()
    assert not pending(kind=EXAMPLES).exists()
    assert stand.event is None
    row = ExampleVector.objects.get(example__language="python")
    assert row.content_hash == CodeExample.objects.get(language="python").text_hash


def test_code_that_the_embedder_refuses_is_left_out_alone(item: KnowledgeItem, use: Any) -> None:
    use(Stand(refuses="sardines"))
    embed_all()
    row = ExampleVector.objects.get(vector=None)
    assert (row.example.language, row.attempts, row.error) == ("python", 1, "This text cannot be embedded.")
    assert not pending(kind=EXAMPLES).exists()
    assert found("sardines") == ["python"]  # the question is refused too: words answer
    assert found("bank", mode="vector") == ["shell"]


def test_vectors_leave_with_their_code(item: KnowledgeItem) -> None:
    embed_all()
    store(item, page("cats", "# Animals\n\nNo code any more."), generation=2)
    assert set(ExampleVector.objects.values_list("example__language", flat=True)) == {"shell"}
    assert EmbeddingSpace.objects.get().removed_examples == 1
    assert found("feed cats", mode="vector") == ["shell"]
    delete_item(item.source_id, viewer=OPERATOR)
    assert found("feed cats", mode="vector") == []
    while purging.purge_batch():
        pass
    assert not ExampleVector.objects.exists()


def test_another_model_serves_when_code_is_embedded_too(item: KnowledgeItem, use: Any) -> None:
    use(Stand("test/first"))
    embed_all()
    second = use(Stand("test/second", refuses="sardines"))
    space = spaces.target(second)
    ExampleVector.objects.create(space=space, example=CodeExample.objects.all()[0], content_hash="of an older text")
    tasks.sweep_vectors()
    serving = spaces.serving()
    assert serving is not None
    assert serving.name == "test/first"
    embed_all()
    tasks.sweep_vectors()
    serving = spaces.serving()
    assert serving is not None
    assert serving.name == "test/second"
    assert not ExampleVector.objects.exclude(space=space).exists()
