"""An upgrade meets a database in use: rows of the version before, odd ones among them, and crawls in flight."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from crawler import actions, slice
from crawler.hosts import of_crawl
from crawler.models import CrawlJob, CrawlRobots, CrawlUrl
from crawler.robots import RobotsRules
from crawler.urls import canonical_url, source_id_for, url_hash
from knowledge.embedding import embedder, spaces
from knowledge.embedding.kinds import EXAMPLES
from knowledge.embedding.queue import pending
from knowledge.embedding.text import example_text, text_hash
from knowledge.listing import ItemFilter
from knowledge.models import CodeExample, ExampleVector, KnowledgeItem
from knowledge.search import SearchQuery, search
from progress.models import Progress
from progress.viewer import NOBODY, OPERATOR, Viewer
from tests.site import LocalSite, docs_site

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE_EXAMPLE_VECTORS = [("knowledge", "0010_first_owners")]
BEFORE_OWNERS = [("knowledge", "0008_removed_pages"), ("progress", "0003_unsent_verdicts")]
WITH_OWNERS = [("knowledge", "0010_first_owners"), ("progress", "0004_private")]
BEFORE_ROBOTS_ROWS = [("crawler", "0010_conditional")]
APPS = ("knowledge", "progress", "crawler")
WORD = "xylophonequartz"


def migrate(*targets: tuple[str, str]) -> Any:
    """To these, or to the newest; the models as they are there."""
    executor = MigrationExecutor(connection)
    wanted = list(targets) or executor.loader.graph.leaf_nodes()
    executor.migrate(wanted)
    executor.loader.build_graph()
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in {app for app, _ in targets}]
    applied = [leaf for leaf in others if leaf in executor.loader.applied_migrations]
    return executor.loader.project_state([*wanted, *applied]).apps


@pytest.fixture
def before_owners() -> Iterator[Any]:
    """The tables as they were before sources had owners."""
    yield migrate(*BEFORE_OWNERS)
    migrate()


@pytest.fixture
def people() -> dict[str, Any]:
    return {name: get_user_model().objects.create_user(name) for name in ("alice", "bob")}


def rows_of(apps: Any) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of ours, by its own columns."""
    tables = [model for name in APPS for model in apps.get_app_config(name).get_models()]
    return {model._meta.label: list(model.objects.order_by("pk").values()) for model in tables}


def crawled(apps: Any, name: str, *owner_ids: int | None, **fields: Any) -> Any:
    """A source with an operation for each of these, in this order of time."""
    url = canonical_url(f"https://{name}.example/")
    item = apps.get_model("knowledge", "KnowledgeItem").objects.create(
        **{"source_id": source_id_for(url), "url": url, "title": name, **fields}
    )
    began = timezone.now() - timedelta(days=9)
    for day, owner_id in enumerate(owner_ids):
        progress = apps.get_model("progress", "Progress").objects.create(
            id=f"{name}-{day}",
            source_id=source_id_for(url),
            owner_id=owner_id,
            status="completed",
            start_time=began + timedelta(days=day),
            completed_at=began + timedelta(days=day, hours=1),
            sequence=2,
        )
        for sequence in (1, 2):
            apps.get_model("progress", "ProgressEvent").objects.create(
                progress=progress, sequence=sequence, type="crawl_progress", payload="{}", lines=["é", "\\", "'"]
            )
        apps.get_model("crawler", "CrawlJob").objects.create(
            item=item, progress=progress, url=url, scope={"seed": url}, max_pages=7
        )
    return item


def odd_rows(apps: Any, people: dict[str, Any]) -> None:
    """What a database gathers: long gone accounts, deleted sources, operations of nothing, empty and null columns."""
    alice, bob = people["alice"].pk, people["bob"].pk
    crawled(apps, "scheduled", None, bob, alice)
    crawled(apps, "alices", alice, bob)
    crawled(apps, "nobodys", None)
    crawled(apps, "untouched", description="", tags=[], fetched_at=None)
    crawled(apps, "deleted", bob, deleted_at=timezone.now(), source_id="0123456789abcdef~7", tags=["a", 'b"c', ""])
    crawled(apps, "upload", alice, source_type="file", url="", update_frequency=0)
    progress = apps.get_model("progress", "Progress").objects
    progress.create(id="embed", kind="embed", source_id="", pages_per_second=None, eta_seconds=None, error={})
    progress.create(id="of a source that is gone", source_id="f" * 16, owner_id=bob, status="failed", error={"code": 1})
    progress.create(id="unsent/é", unsent=True, unsent_lines=["waits"], queue_position=3, samples=[[1.5, 2, None]])


def a_page_of(apps: Any, item: Any) -> None:
    """A document with an alias, a chunk, a code example, and a page that was removed."""
    now = timezone.now()
    knowledge = apps.get_app_config("knowledge")
    times = {"fetched_at": now, "first_seen_at": now, "changed_at": now}
    page = {"item": item, "content_hash": "c" * 32, **times}
    document = knowledge.get_model("Document").objects.create(
        url=f"{item.url}a", url_hash="a" * 32, markdown=f"# {WORD}", code_example_count=None, **page
    )
    knowledge.get_model("Document").objects.create(url=f"{item.url}b", url_hash="b" * 32, alias_of=document, **page)
    chunk = {"document": document, "item": item, "ordinal": 0, "content_hash": "d" * 32}
    knowledge.get_model("Chunk").objects.create(**chunk, char_count=3, content=WORD)
    knowledge.get_model("CodeExample").objects.create(**chunk, code="x = 1")
    knowledge.get_model("RemovedPage").objects.create(item=item, page_id=5, url=f"{item.url}c")


def test_nothing_is_lost_and_sources_belong_to_who_crawled_them_first(before_owners: Any, people: Any) -> None:
    odd_rows(before_owners, people)
    a_page_of(before_owners, before_owners.get_model("knowledge", "KnowledgeItem").objects.get(title="alices"))
    before = rows_of(before_owners)
    assert all(before[label] for label in ("knowledge.Chunk", "knowledge.CodeExample", "progress.ProgressEvent"))
    after = rows_of(migrate(*WITH_OWNERS))
    owners = {row["title"]: row["owner_id"] for row in after["knowledge.KnowledgeItem"]}
    alice, bob = people["alice"].pk, people["bob"].pk
    assert owners == {
        "scheduled": bob, "alices": alice, "upload": alice, "nobodys": None, "untouched": None, "deleted": None,
    }  # fmt: skip
    for label in ("knowledge.KnowledgeItem", "progress.Progress"):
        assert {row.pop("private") for row in after[label]} == {False}
    for row in after["knowledge.KnowledgeItem"]:
        del row["owner_id"]
    assert after == before
    assert rows_of(migrate(*BEFORE_OWNERS)) == before  # and back
    migrate()
    assert set(ItemFilter(NOBODY).items()) == set(KnowledgeItem.objects.visible())  # all is shared, as it was


def test_without_accounts_everything_is_seen_as_before(before_owners: Any) -> None:
    item = crawled(before_owners, "docs", None)
    a_page_of(before_owners, item)
    migrate()
    assert [one.title for one in ItemFilter(OPERATOR).items()] == ["docs"]
    assert KnowledgeItem.objects.get().owner_id is None
    actions.refresh(item.source_id, viewer=OPERATOR)
    assert Progress.objects.visible_to(OPERATOR).count() == 2


def test_a_crawl_in_flight_goes_on(before_owners: Any, people: Any) -> None:
    """Its first page is held by a worker that the upgrade ended."""
    with LocalSite(docs_site(4)) as site:
        seed = canonical_url(f"{site.url}/docs/")
        crawl = before_owners.get_app_config("crawler")
        item = before_owners.get_model("knowledge", "KnowledgeItem").objects.create(
            source_id=source_id_for(seed), url=seed, title=seed
        )
        progress = before_owners.get_model("progress", "Progress").objects.create(
            id="in-flight",
            source_id=item.source_id,
            owner_id=people["bob"].pk,
            status="crawling",
            stage="crawling",
            total_pages=1,
            discovered_urls=1,
        )
        request = actions.CrawlRequest(seed, viewer=OPERATOR)
        job = crawl.get_model("CrawlJob").objects.create(
            item=item, progress=progress, url=seed, scope=request.scope_of(seed).to_json(), max_pages=50
        )
        held = {"state": "leased", "epoch": 1, "lease_owner": "gone", "lease_until": timezone.now()}
        crawl.get_model("CrawlUrl").objects.create(job=job, url=seed, url_hash=url_hash(seed), **held)
        migrate()
        running = CrawlJob.objects.get(pk=job.pk)
        while slice.run(running):
            pass
    row = Progress.objects.get(pk="in-flight")
    assert (row.status, row.private, row.owner_id) == ("completed", False, people["bob"].pk)
    assert not CrawlUrl.objects.filter(job=running).outstanding().exists()
    assert row.processed_pages > 1
    source = KnowledgeItem.objects.get()
    assert source.owner_id == people["bob"].pk
    for viewer in (NOBODY, Viewer(people["alice"].pk)):
        assert search(SearchQuery("chapter", viewer=viewer)).hits


def test_a_worker_of_the_version_before_still_writes(before_owners: Any) -> None:
    """While a server is upgraded its old processes run on for a moment, and know nothing of the new columns."""
    migrate()
    crawled(before_owners, "late", None)
    old_progress: models.Model = before_owners.get_model("progress", "Progress").objects.create(id="late")
    assert Progress.objects.get(pk=old_progress.pk).private is False
    assert [item.private for item in KnowledgeItem.objects.all()] == [False]


@pytest.fixture
def before_robots_rows() -> Iterator[Any]:
    """The tables as they were when each crawl held all robots.txt in one column."""
    yield migrate(*BEFORE_ROBOTS_ROWS)
    migrate()


def test_what_hosts_asked_for_is_known_after_the_upgrade_and_before_it(before_robots_rows: Any) -> None:
    known = {
        "https://a.example": {"status": 200, "body": "User-agent: *\nDisallow: /é"},
        "http://b.example:81": {"status": 404, "body": ""},
    }
    item = crawled(before_robots_rows, "docs", None, None)
    model = before_robots_rows.get_model("crawler", "CrawlJob")
    old = model.objects.filter(item=item).earliest("pk")
    model.objects.filter(pk=old.pk).update(robots=known)
    migrate()
    assert {host.origin: host.rules for host in of_crawl(CrawlJob.objects.get(pk=old.pk)) if host.rules} == {
        "https://a.example": RobotsRules(200, "User-agent: *\nDisallow: /é"),
        "http://b.example:81": RobotsRules(404),
    }
    if connection.vendor == "postgresql":  # a worker of the version before writes on while the server is upgraded
        late = before_robots_rows.get_model("progress", "Progress").objects.create(id="late", status="completed")
        model.objects.create(item=item, progress=late, url=old.url, scope={}, max_pages=7, robots=known)
        assert not CrawlJob.objects.get(progress="late").robots.exists()
    CrawlRobots.objects.create(job_id=old.pk, origin="http://silent.example", status=None, error="no answer")
    actions.refresh(item.source_id, viewer=OPERATOR)
    assert migrate(*BEFORE_ROBOTS_ROWS).get_model("crawler", "CrawlJob").objects.get(pk=old.pk).robots == known


@pytest.fixture
def before_example_vectors() -> Iterator[Any]:
    """The tables as they were before code examples had vectors."""
    yield migrate(*BEFORE_EXAMPLE_VECTORS)
    migrate()


@pytest.mark.usefixtures("with_vectors")
def test_the_code_of_an_earlier_version_gets_the_hash_of_what_is_embedded_of_it(
    before_example_vectors: Any, settings: Any
) -> None:
    """More than one statement writes; odd texts among them. What is embedded then is not embedded a second time."""
    item = crawled(before_example_vectors, "code", None)
    a_page_of(before_example_vectors, item)
    model = before_example_vectors.get_model("knowledge", "CodeExample")
    old = {"item": item, "document": model.objects.get().document, "content_hash": "e" * 32}
    words = [
        ("", "", ""),
        ("Page > Run", "Run", "Runs it."),
        ("Page", "é\u2028'\"", "\\"),
        ("", "T" * 200, "s" * 3_000),
    ]
    model.objects.bulk_create(
        model(**old, ordinal=ordinal, heading_path=path, title=title, summary=summary, code=f"run({ordinal})")
        for ordinal, (path, title, summary) in enumerate(words * 130, start=1)
    )
    before = list(model.objects.order_by("pk").values())
    migrate()
    after = list(CodeExample.objects.order_by("pk").values(*before[0]))
    assert after == before
    for example in CodeExample.objects.all():
        text = example_text(example.heading_path, example.title, example.summary, example.code)
        assert example.text_hash == text_hash(text), example.ordinal
    assert {example.described_by for example in CodeExample.objects.all()} == {""}
    assert pending(kind=EXAMPLES).count() == len(before) == 521
    store_vector_of(CodeExample.objects.get(code="run(7)"))
    assert pending(kind=EXAMPLES).count() == 520


def store_vector_of(example: CodeExample) -> None:
    current = embedder()
    assert current is not None
    space = spaces.target(current)
    ExampleVector.objects.create(space=space, example=example, content_hash=example.text_hash, vector=b"\0" * 1536)


def test_and_back_again_without_a_loss(before_example_vectors: Any) -> None:
    a_page_of(before_example_vectors, crawled(before_example_vectors, "code", None))
    before = rows_of(before_example_vectors)["knowledge.CodeExample"]
    migrate()
    old = migrate(*BEFORE_EXAMPLE_VECTORS)
    assert rows_of(old)["knowledge.CodeExample"] == before
