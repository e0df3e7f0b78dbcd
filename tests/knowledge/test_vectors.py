"""Chunks get vectors in turns, are found by meaning, and a crawl is complete when the last one is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from crawler.models import CrawlUrl
from crawler.tasks import sweep
from knowledge import tasks
from knowledge.embedding import EmbeddingError, Vectors, embedder, spaces
from knowledge.embedding import queue as embedding_queue
from knowledge.embedding.models import ChunkVector, EmbeddingSpace, EmbeddingTurn
from knowledge.embedding.queue import Turn, pending
from knowledge.embedding.telling import missing_vectors, progress_of
from knowledge.embedding.text import is_link_list
from knowledge.models import Chunk, KnowledgeItem
from knowledge.search import SearchQuery, matrix, search
from knowledge.search.vectors import vector_index
from progress import tracker
from progress.models import Progress
from progress.status import Status
from progress.viewer import OPERATOR
from tests.cpu import cpu_seconds
from tests.crawler.jobs import job_of
from tests.knowledge.pages import page, source, store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_vectors")]

TEXTS = {
    "cats": "## Felines\n\nA cat is a small furry animal that purrs and hunts mice.",
    "money": "## Finance\n\nThe central bank raised its interest rates to fight inflation.",
    "python": "## Lists\n\nCall append to add an element at the end of a list.",
}


@pytest.fixture
def item() -> KnowledgeItem:
    made = source("one")
    store(made, *(page(name, text) for name, text in TEXTS.items()))
    return made


@pytest.fixture(autouse=True)
def fresh_index() -> None:
    """Every test has rows of its own under ids that another one may have had."""
    vector_index()._matrix = None  # type: ignore[attr-defined]


def embed_all() -> None:
    for number in range(embedding_queue.turns()):
        tasks.embed_chunks(number)


def found(text: str, **options: Any) -> list[str]:
    return [hit.page_url.rpartition("/")[2] for hit in search(SearchQuery(text, viewer=OPERATOR, **options)).hits]


class Stand:
    """An embedder of three words, so that its vectors are known; `refuses` holds texts, `error` is raised for all."""

    def __init__(self, space: str = "test/three", error: EmbeddingError | None = None, refuses: str = "\0") -> None:
        self.space = space
        self.error = error
        self.refuses = refuses
        self.texts: list[str] = []

    def dimension(self) -> int:
        return 3

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.error is not None:
            raise self.error
        if any(self.refuses in text for text in texts):
            raise EmbeddingError("text_refused", "This text cannot be embedded.", of_text=True)
        self.texts += texts
        rows = [[1.0 + text.count("cat"), 1.0 + text.count("bank"), 1.0 + text.count("list")] for text in texts]
        vectors = np.array(rows, np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(stand: Stand) -> Stand:
        # By its name in sys.modules: the package shows a function under the same name.
        monkeypatch.setattr(sys.modules["knowledge.embedding.embedder"], "_embedder", stand)
        return stand

    return use


def test_a_question_finds_what_it_means_without_sharing_a_word(item: KnowledgeItem) -> None:
    assert pending().count() == 3
    embed_all()
    assert not pending().exists()
    outcome = search(SearchQuery("pets that catch rodents", mode="vector", viewer=OPERATOR))
    assert outcome.mode == "vector"
    assert outcome.hits[0].page_url.endswith("cats")
    assert outcome.hits[0].scores.vector is not None
    assert outcome.hits[0].scores.keyword is None
    assert found("monetary policy")[0] == "money"
    both = search(SearchQuery("append an element", viewer=OPERATOR))
    assert both.mode == "hybrid"
    assert both.hits[0].scores.keyword is not None
    assert both.hits[0].scores.vector is not None


def test_filters_come_before_the_nearest(item: KnowledgeItem) -> None:
    other = source("two")
    store(other, page("dogs", "## Dogs\n\nA dog barks and guards the house."))
    embed_all()
    assert found("pets that catch rodents", mode="vector", source_id=other.source_id) == ["dogs"]


def test_what_is_stored_later_is_found_and_what_is_gone_is_not(item: KnowledgeItem) -> None:
    embed_all()
    assert "cats" in found("pets", mode="vector")
    store(item, page("cats", "## Ships\n\nA sailing boat crosses the ocean."), generation=2)
    embed_all()
    assert found("boat on the sea", mode="vector")[0] == "cats"
    assert ChunkVector.objects.count() == Chunk.objects.count() == 3


def test_a_text_that_stays_or_moves_is_not_embedded_again(item: KnowledgeItem, use: Any) -> None:
    stand = use(Stand())
    embed_all()
    assert len(stand.texts) == 3
    store(item, page("cats", TEXTS["cats"] + "\n\n## More\n\nAnother list."), generation=2)
    embed_all()
    assert len(stand.texts) == 4
    moved = source("two")
    store(moved, page("cats", TEXTS["cats"]))
    embed_all()
    assert len(stand.texts) == 4
    assert not pending().exists()


def test_a_refused_text_is_left_out_alone_and_tried_again(item: KnowledgeItem, use: Any) -> None:
    stand = use(Stand(refuses="bank"))
    embed_all()
    row = ChunkVector.objects.get(vector=None)
    assert row.error == "This text cannot be embedded."
    assert ChunkVector.objects.exclude(vector=None).count() == 2
    assert not pending().exists()
    assert embedding_queue.refused(item.pk) == 1
    stand.refuses = "\0"
    ChunkVector.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    embed_all()
    assert not ChunkVector.objects.filter(vector=None).exists()


def test_a_list_of_links_gets_no_vector_and_is_found_by_its_words(use: Any) -> None:
    links = "\n".join(f"- [Chapter {n}: Walruses of region {n}](https://docs.example.com/{n}.html)" for n in range(9))
    made = source("contents")
    store(made, page("contents", f"# Contents\n\n{links}"), page("cats", TEXTS["cats"]))
    stand = use(Stand())
    embed_all()
    assert len(stand.texts) == 1
    assert (pending().count(), embedding_queue.link_lists(made.pk), embedding_queue.refused(made.pk)) == (0, 1, 0)
    ChunkVector.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    embed_all()
    assert len(stand.texts) == 1
    assert found("walruses", mode="keyword") == ["contents"]
    assert found("walruses")[0] == "contents"
    assert found("walruses", mode="vector") == ["cats"]
    assert missing_vectors(made.pk) == ["1 chunk is a list of links, and found by words only."]


@pytest.mark.parametrize(
    ("content", "is_list"),
    [
        (
            "- [One of many](a.html)\n- [Another of many](b.html)\n- [The last chapter of all, with an index](c.html)",
            True,
        ),
        ('1. [`os.path` — names of paths](o.html) | [`stat` — how results of stat() are read](s.html#x "Title")', True),
        ("- [Short](a.html)", False),
        ("- [One of many](a.html): what it is about, told in a sentence of its own that someone may look for.", False),
        ("No link, but many words that go on and on until there are more than sixty characters.", False),
    ],
)
def test_what_is_a_list_of_links(content: str, is_list: bool) -> None:
    assert is_link_list(content) is is_list


@pytest.mark.parametrize("unit", ["[", "[a](", "[a](b(", '[a](b "'])
def test_whether_it_is_a_list_of_links_is_found_out_in_linear_time(unit: str) -> None:
    """Eight times the text is eight times the work, and would be 64 times if it grew with the square."""
    short, long = (f"{unit * count}](" for count in (5_000, 40_000))
    assert not is_link_list(long)
    work = [cpu_seconds(lambda text=text: is_link_list(text), runs=5) for text in (short, long)]  # type: ignore[misc]
    assert work[1] < 24 * work[0]


def test_an_embedder_that_is_away_is_asked_again_later(item: KnowledgeItem, use: Any) -> None:
    stand = use(Stand(error=EmbeddingError("connect_failed", "No connection.", hint="Is it up?", retryable=True)))
    embed_all()
    space = EmbeddingSpace.objects.get()
    assert space.away_reason == "No connection. Is it up?"
    assert pending().count() == 3
    assert found("append") == ["python"]
    assert "No connection" in search(SearchQuery("append", viewer=OPERATOR)).notice
    stand.error = None
    embed_all()
    assert pending().count() == 3  # not before its time
    EmbeddingSpace.objects.update(asked_again_at=timezone.now())
    embed_all()
    assert not pending().exists()
    assert EmbeddingSpace.objects.get().away_since is None


def test_a_turn_is_held_by_one(item: KnowledgeItem) -> None:
    current = embedder()
    assert current is not None
    EmbeddingTurn.objects.create(number=0, owner="another", lease_until=timezone.now() + timedelta(minutes=1))
    assert not Turn(0, current).run(lambda ids: None)
    assert not ChunkVector.objects.filter(chunk__in=[c for c in Chunk.objects.all() if c.pk % 2 == 0]).exists()
    EmbeddingTurn.objects.update(lease_until=timezone.now())
    embed_all()
    assert not pending().exists()


class Interrupted(Stand):
    """Something happens while it embeds its first texts."""

    def __init__(self, event: Callable[[], object]) -> None:
        super().__init__()
        self.event: Callable[[], object] | None = event

    def embed(self, texts: Sequence[str]) -> Vectors:
        event, self.event = self.event, None
        if event is not None:
            event()
        return super().embed(texts)


def turns_of(stand: Stand) -> list[bool]:
    return [Turn(number, stand).run(lambda ids: None) for number in range(embedding_queue.turns())]


def test_a_worker_finds_a_share_that_is_held_and_embeds_nothing_of_it(item: KnowledgeItem, use: Any) -> None:
    other = Stand()
    held: list[str] = []

    def another_worker() -> None:
        turns_of(other)
        held.extend(other.texts)

    stand = use(Interrupted(another_worker))
    turns_of(stand)
    assert sorted([*stand.texts, *held]) == sorted(set(stand.texts) | set(held))
    assert len(stand.texts) + len(held) == 3
    assert not pending().exists()


def test_a_share_that_was_taken_over_stores_each_vector_once(item: KnowledgeItem, use: Any) -> None:
    """Its worker stood still for longer than the lease, and goes on after another has done the work."""
    other = Stand()

    def lease_ends() -> None:
        EmbeddingTurn.objects.update(lease_until=timezone.now())
        turns_of(other)

    use(Interrupted(lease_ends))
    embed_all()
    assert len(other.texts) == 3
    assert ChunkVector.objects.count() == ChunkVector.objects.values("chunk").distinct().count() == 3
    assert set(found("cat", mode="vector")) == {"cats", "money", "python"}


def test_a_chunk_that_goes_while_it_is_embedded_takes_no_other_with_it(item: KnowledgeItem, use: Any) -> None:
    use(Interrupted(lambda: store(item, page("cats", TEXTS["cats"].replace("cat", "lynx")), generation=2)))
    embed_all()
    assert not pending().exists()
    assert set(ChunkVector.objects.values_list("chunk", flat=True)) == set(Chunk.objects.values_list("pk", flat=True))
    assert ChunkVector.objects.exclude(vector=None).count() == 3


def test_another_model_is_filled_while_the_first_serves(item: KnowledgeItem, use: Any) -> None:
    use(Stand("test/first"))
    embed_all()
    use(Stand("test/second"))
    tasks.sweep_vectors()
    first, second = (EmbeddingSpace.objects.get(name=name) for name in ("test/first", "test/second"))
    assert spaces.serving() == first
    assert Progress.objects.get(pk=progress_of(second)).status == Status.EMBEDDING
    assert "are being made" in search(SearchQuery("append", viewer=OPERATOR)).notice
    embed_all()
    tasks.sweep_vectors()
    assert spaces.serving() == second
    assert not EmbeddingSpace.objects.filter(name="test/first").exists()
    assert Progress.objects.get(pk=progress_of(second)).status == Status.COMPLETED
    assert search(SearchQuery("append", viewer=OPERATOR)).mode == "hybrid"


def stored_crawl() -> Any:
    """A crawl whose only page is stored, and which nobody told to end."""
    job = job_of()
    store(job.item, page("cats", TEXTS["cats"]))
    for status in (Status.STARTING, Status.ANALYZING, Status.CRAWLING):
        tracker.update(job.progress_id, status=status)
    tracker.update(job.progress_id, add={"processed_pages": 1, "chunks_stored": 1})
    CrawlUrl.objects.filter(job=job).update(state="done")
    return job


def test_a_crawl_is_complete_when_its_last_vector_is_there() -> None:
    job = stored_crawl()
    sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.percentage) == (Status.EMBEDDING, 70)
    embed_all()
    row.refresh_from_db()
    assert (row.status, row.embedded_chunks, row.percentage) == (Status.COMPLETED, 1, 100)


def test_a_crawl_whose_embedder_stays_away_ends_and_says_so(use: Any, settings: Any) -> None:
    use(Stand(error=EmbeddingError("connect_failed", "No connection.", retryable=True)))
    job = stored_crawl()
    sweep()
    embed_all()
    sweep()
    assert Progress.objects.get(pk=job.progress_id).status == Status.EMBEDDING
    settings.EMBED_WAIT_SECONDS = 0
    sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.embedded_chunks) == (Status.COMPLETED, 0)
    assert "1 chunk has no vector yet (No connection.)" in row.log


def test_a_crawl_whose_embedder_was_never_reached_ends_too(use: Any, settings: Any) -> None:
    """Without a first vector its dimension is unknown, and so it has no row that could say it is away."""
    use(Stand(error=EmbeddingError("embedder_unreachable", "No connection.", retryable=True)))
    job = stored_crawl()
    EmbeddingSpace.objects.all().delete()
    sweep()
    assert Progress.objects.get(pk=job.progress_id).status == Status.EMBEDDING
    settings.EMBED_WAIT_SECONDS = 0
    sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, row.embedded_chunks) == (Status.COMPLETED, 0)
    assert "1 chunk has no vector yet" in row.log


def test_beyond_so_many_rows_signs_find_what_exact_vectors_would() -> None:
    drawn = np.random.default_rng(1)
    centres = drawn.normal(size=(40, 384)).astype(np.float32)
    vectors = centres[drawn.integers(0, 40, 4_000)] + 0.6 * drawn.normal(size=(4_000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    signs = matrix.bits(vectors)
    hits = 0
    for number in range(50):
        asked = vectors[number] + 0.02 * drawn.normal(size=384).astype(np.float32)
        exact = set(np.argsort(-(vectors @ asked))[:10].tolist())
        distances = np.bitwise_count(signs ^ matrix.bits(asked[None, :])).sum(axis=1, dtype=np.uint16)
        near = set(np.argpartition(distances, matrix.RESCORED)[: matrix.RESCORED].tolist())
        hits += len(exact & near)
    assert hits / 500 >= 0.98


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has an index of its own")
def test_a_large_matrix_keeps_bits_and_reads_the_best_again(item: KnowledgeItem, monkeypatch: Any) -> None:
    monkeypatch.setattr(matrix, "EXACT_ROWS", 2)
    embed_all()
    assert found("pets that catch rodents", mode="vector")[0] == "cats"
    kept = vector_index()._matrix  # type: ignore[attr-defined]
    assert kept.exact is None
    store(item, page("dogs", "## Dogs\n\nA dog barks."), generation=1)
    embed_all()
    assert found("barking dogs", mode="vector")[0] == "dogs"
