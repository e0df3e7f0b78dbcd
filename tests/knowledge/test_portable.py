"""A source leaves as a file and comes back: whole, once, and with every bad line named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import AsyncClient, Client
from django.utils import timezone

from knowledge import actions, portable, tasks
from knowledge.embedding.models import ChunkVector
from knowledge.errors import BadImport, ImportTooLarge
from knowledge.ingest.prepare import renamed
from knowledge.ingest.store import store_documents
from knowledge.models import Chunk, CodeExample, Document, KnowledgeItem
from knowledge.portable import taking
from knowledge.portable.form import header_of, packed, unpacked
from knowledge.search import SearchQuery, search, search_examples
from knowledge.search.keyword import IndexEntry, example_index
from progress.errors import ProgressEnded
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.knowledge.pages import assert_counts_exact, page, source, store

pytestmark = pytest.mark.django_db

TEXT = """# Runners

Call `asyncio.run` for a coroutine. Ünïcödé, 日本語.

## Code

Like so:

```python
import asyncio
asyncio.run(main())
```
"""
HEADINGS = ((1, "Runners", "runners"), (2, "Code", "code"))


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def item() -> KnowledgeItem:
    made = source("one", tags=["python", "été"], description="About", update_frequency=3)
    store(
        made, page("run", TEXT, title="Runners", headings=HEADINGS, etag='"1"'), page("run.html", TEXT, title="Runners")
    )
    pages = [page(f"p{n}", f"# Page {n}\n\nzebra {n}", title=f"Page {n}") for n in range(25)]
    store(made, *pages)
    return made


def exported(item: KnowledgeItem) -> list[dict[str, Any]]:
    return [json.loads(line) for line in portable.export_lines(item.source_id, viewer=OPERATOR)]


def file_of(lines: list[Any]) -> SimpleUploadedFile:
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    return SimpleUploadedFile("x.jsonl", text.encode("utf-8", "surrogatepass"))


def taken(lines: list[Any]) -> Progress:
    row = portable.start(file_of(lines), here=True, viewer=OPERATOR)
    while portable.run(row.pk):
        pass
    row.refresh_from_db()
    return row


def forget_everything() -> None:
    for item in KnowledgeItem.objects.visible():
        actions.delete_item(item.source_id, viewer=OPERATOR)
    tasks.purge()
    assert not Document.objects.exists()


# Of a source all comes back but these: ids, whose it is, where its bookkeeping stood.
LEFT = {
    KnowledgeItem: {"id", "owner", "private", "created_at", "updated_at", "deleted_at"},
    Document: {"id", "item", "alias_of", "generation"},
    Chunk: {"id", "item", "document"},
    CodeExample: {"id", "item", "document", "describe_attempts", "describe_error", "describe_at"},
}
ADDRESSES = {Document: ["alias_of__url"], Chunk: ["document__url"], CodeExample: ["document__url"]}


def state() -> dict[str, Any]:
    """All that a source is: of a column that is new one must say why it does not come back."""
    assert KnowledgeItem.objects.visible().count() == 1
    told: dict[str, Any] = {}
    for model, left in LEFT.items():
        names = [field.name for field in model._meta.concrete_fields if field.name not in left]
        rows = model._default_manager.values(*names, *ADDRESSES.get(model, ()))
        told[model.__name__] = sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)
    return told


def test_a_source_comes_back_as_it_left(item: KnowledgeItem) -> None:
    lines = exported(item)
    assert [line.get("type", "header") for line in lines] == ["header", *["page"] * 26, "alias", "end"]
    assert lines[0]["counts"] == {"pages": 26, "aliases": 1, "chunks": 27}
    before = state()
    forget_everything()
    row = taken(lines)
    assert (row.kind, row.status, row.failed_pages, row.processed_pages) == ("import", "completed", 0, 27)
    assert (row.chunks_stored, row.code_examples_stored) == (27, 1)
    assert state() == before
    assert_counts_exact(KnowledgeItem.objects.visible().get())
    assert search(SearchQuery("asyncio.run", mode="keyword", viewer=OPERATOR)).hits[0].anchor == "code"
    assert not list(taking.folder().iterdir())


def test_what_a_model_wrote_of_code_comes_back_and_is_found(item: KnowledgeItem) -> None:
    example = CodeExample.objects.get()
    example.title, example.summary, example.described_by = "Start a walrus", "Runs main.", "stub/model"
    example.text_hash, indexed = renamed(example, "Runners")
    example.save()
    example_index().add([IndexEntry(example.pk, indexed)])
    lines, before = exported(item), state()
    forget_everything()
    assert taken(lines).status == "completed"
    assert state() == before
    (hit,) = search_examples(SearchQuery("walrus", mode="keyword", viewer=OPERATOR)).hits
    assert (hit.example.title, hit.example.anchor) == ("Start a walrus", "code")
    # Words too long for a row are cut, and cost the page nothing.
    forget_everything()
    (page_line,) = [line for line in lines if line.get("code_examples")]
    page_line["code_examples"][0] |= {"title": "w" * 900, "summary": "s\0" * 9_000}
    assert taken(lines).failed_pages == 0
    assert len(CodeExample.objects.get().title) == 200


def test_the_same_file_twice_changes_nothing(item: KnowledgeItem) -> None:
    lines = exported(item)
    before, ids = state(), set(Chunk.objects.values_list("pk", flat=True))
    for _ in range(2):
        row = taken(lines)
        assert (row.status, row.chunks_stored, row.failed_pages) == ("completed", 0, 0)
    assert state() == before
    assert set(Chunk.objects.values_list("pk", flat=True)) == ids


def test_what_is_newer_here_stays_and_what_is_older_is_taken(item: KnowledgeItem) -> None:
    lines = exported(item)
    store(item, page("p1", "fresher here", title="Page 1"), generation=2)
    lines[4] = {**lines[4], "markdown": "fresher there", "fetched_at": "2999-01-01T00:00:00Z"}
    row = taken(lines)
    assert row.status == "completed"
    assert Document.objects.get(url=page("p1", "").url).markdown == "fresher here"
    assert Document.objects.get(url=lines[4]["url"]).markdown == "fresher there"
    assert any("newer here" in line for line in row.logs)


BAD = [
    ("no json\n", "Invalid JSON"),
    ('{"type": "page"\n', "Invalid JSON"),
    ("[" * 20_000 + "\n", "Invalid JSON"),
    ("\n", "Invalid JSON"),
    ({"type": "poem"}, "tag"),
    ({"type": "page", "markdown": "x", "fetched_at": "2025-01-01"}, "url"),
    ({"type": "page", "url": "https://a.example/", "fetched_at": "2025-01-01"}, "markdown"),
    ({"type": "page", "url": "https://a.example/", "markdown": " ", "fetched_at": "2025-01-01"}, "markdown"),
    ({"type": "page", "url": "javascript:alert(1)", "markdown": "x", "fetched_at": "2025-01-01"}, "url"),
    ({"type": "page", "url": "https://a.example/ x", "markdown": "x", "fetched_at": "2025-01-01"}, "url"),
    ({"type": "page", "url": "https://a.example/", "markdown": "x", "fetched_at": "0001-01-01T00:00:00+14:00"}, "at"),
    ({"type": "page", "url": "https://a.example/", "markdown": "x", "fetched_at": "2025-01-01", "chunks": 7}, "chunks"),
    ({"type": "alias", "url": "https://a.example/", "alias_of": "https://b.example/", "fetched_at": "2025-01-01"},
     "alias_of"),
]  # fmt: skip


def test_every_bad_line_is_named_and_costs_no_other(item: KnowledgeItem) -> None:
    lines = exported(item)
    before = state()
    forget_everything()
    row = taken([*lines[:2], *(bad for bad, _ in BAD), *lines[2:]])
    assert (row.status, row.failed_pages) == ("completed", len(BAD))
    logged = [line for line in row.logs if line.startswith("Line ")]
    for number, ((_, told), line) in enumerate(zip(BAD, logged, strict=True), start=3):
        assert line.startswith(f"Line {number} was left out: "), line
        assert told in line
    assert state() == before


def test_nul_and_surrogates_of_a_line_are_stored_as_replacement_characters(item: KnowledgeItem) -> None:
    lines = exported(item)
    lines[2] = {**lines[2], "url": "https://docs.example.com/nul", "markdown": "nul \0 end", "title": "t\0"}
    assert taken(lines).failed_pages == 0
    assert Document.objects.get(url="https://docs.example.com/nul").markdown == "nul \ufffd end"


def test_a_file_that_was_cut_off_fails_and_the_whole_one_goes_on_from_there(item: KnowledgeItem) -> None:
    lines = exported(item)
    before = state()
    forget_everything()
    row = taken(lines[:10])
    assert (row.status, row.error["code"]) == ("failed", "import_cut_off")
    assert Document.objects.count() == 9
    row = taken(lines)
    assert (row.status, row.chunks_stored) == ("completed", 27 - 10)
    assert state() == before


def test_a_file_without_a_line_to_take_fails(item: KnowledgeItem) -> None:
    row = taken([exported(item)[0], "x\n", "y\n", {"type": "end"}])
    assert (row.status, row.error["code"], row.failed_pages) == ("failed", "import_nothing", 2)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "\n",
        "PK\x03\x04",
        {"format": "else", "version": 1},
        {"format": "archon-source", "version": 2, "source": {"source_id": "x" * 16, "url": "https://a.example/"}},
        {"format": "archon-source", "version": 1, "source": {"source_id": "../../etc/passwd", "url": "https://a.example/"}},
        {"format": "archon-source", "version": 1, "source": {"source_id": "x" * 16, "url": "file:///etc/passwd"}},
        {"format": "archon-source", "version": 1, "source": {"source_id": "x" * 16, "url": "https://a/", "tags": "t"}},
    ],
)  # fmt: skip
def test_what_is_no_exported_source_is_refused_at_once(header: Any) -> None:
    with pytest.raises(BadImport) as caught:
        portable.start(file_of([header]), viewer=OPERATOR)
    assert (caught.value.code, caught.value.field) == ("import_header", "file")
    assert not KnowledgeItem.objects.exists()
    assert not list(taking.folder().iterdir())


def test_a_file_beyond_the_limit_is_refused(settings: Any, item: KnowledgeItem) -> None:
    settings.IMPORT_MAX_BYTES = 2_000
    with pytest.raises(ImportTooLarge):
        portable.start(file_of(exported(item)), viewer=OPERATOR)
    assert not list(taking.folder().iterdir())


def test_a_worker_that_dies_costs_nothing_and_two_do_nothing_twice(
    item: KnowledgeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = exported(item)
    before = state()
    forget_everything()
    row = portable.start(file_of(lines), here=True, viewer=OPERATOR)
    calls: list[int] = []

    def killed(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return store_documents(*args, **options)

    monkeypatch.setattr("knowledge.portable.batch.store_documents", killed)
    with pytest.raises(KeyboardInterrupt):
        portable.run(row.pk)
    row.refresh_from_db()
    assert (row.status, row.processed_pages) == ("storing", taking.LINES_PER_BATCH)
    slow = taking._Taking(row.pk)
    assert portable.run(row.pk) is False
    with pytest.raises(ProgressEnded):
        slow._record([(2, json.dumps(lines[1]).encode())], header_of(json.dumps(lines[0]).encode()), None)
    row.refresh_from_db()
    assert (row.status, row.chunks_stored) == ("completed", 27)
    assert state() == before


def test_a_slice_hands_on_and_the_sweep_wakes_what_nobody_takes(
    item: KnowledgeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = portable.start(file_of(exported(item)), here=True, viewer=OPERATOR)
    assert portable.run(row.pk, seconds=-1) is True
    woken: list[str] = []
    monkeypatch.setattr(tasks.import_source, "delay", woken.append)
    portable.sweep()
    assert woken == []
    Progress.objects.filter(pk=row.pk).update(updated_at=timezone.now() - 2 * taking.LOST_AFTER)
    portable.sweep()
    assert woken == [row.pk]
    tasks.import_source(row.pk)
    row.refresh_from_db()
    assert row.status == "completed"


def test_an_import_is_stopped_and_a_deleted_source_ends_it(client: Client, item: KnowledgeItem) -> None:
    lines = exported(item)
    row = portable.start(file_of(lines), here=True, viewer=OPERATOR)
    again = client.post("/api/knowledge-items/import", {"file": file_of(lines)})
    assert (again.status_code, again.json()["detail"]["code"]) == (409, "import_running")
    assert client.post(f"/api/knowledge-items/stop/{row.pk}").json()["message"] == "Import stopped"
    assert portable.run(row.pk) is False
    other = portable.start(file_of(lines), here=True, viewer=OPERATOR)
    actions.delete_item(item.source_id, viewer=OPERATOR)
    assert portable.run(other.pk) is False
    other.refresh_from_db()
    assert other.status == "cancelled"


@pytest.fixture
def vectors(with_vectors: None, item: KnowledgeItem) -> dict[str, bytes]:
    from knowledge.embedding.queue import turns

    tasks.sweep_vectors()
    for number in range(turns()):
        tasks.embed_chunks(number)
    rows = ChunkVector.objects.filter(vector__isnull=False)
    return {row.content_hash: bytes(row.vector or b"") for row in rows}


def test_vectors_come_along_and_none_is_made_again(item: KnowledgeItem, vectors: dict[str, bytes]) -> None:
    assert len(vectors) == 27
    lines = exported(item)
    asked = SearchQuery("how do I start a coroutine", mode="vector", viewer=OPERATOR)
    before = [(hit.url, hit.score) for hit in search(asked).hits]
    forget_everything()
    assert not ChunkVector.objects.exists()
    row = taken(lines)
    assert row.embedded_chunks == 27
    rows = ChunkVector.objects.filter(vector__isnull=False)
    assert {row.content_hash: bytes(row.vector or b"") for row in rows} == vectors
    assert [(hit.url, hit.score) for hit in search(asked).hits] == before


def test_vectors_that_are_none_are_not_taken(item: KnowledgeItem, vectors: dict[str, bytes]) -> None:
    lines = exported(item)
    forget_everything()
    for line in lines[1:27]:
        for chunk in line["chunks"]:
            chunk["vector"] = packed(np.zeros(384, dtype="<f4").tobytes())
    row = taken(lines)
    assert (row.status, row.embedded_chunks, row.failed_pages) == ("completed", 0, 0)
    assert any("not of length 1" in line for line in row.logs)
    foreign = [{**lines[0], "vectors": {"space": "another model", "dimension": 384}}, *lines[1:]]
    assert any("made anew" in line for line in taken(foreign).logs)
    assert not ChunkVector.objects.exists()


def test_only_what_has_the_dimension_and_the_length_is_a_vector() -> None:
    good = np.array([0.6, 0.8], dtype="<f4").tobytes()
    assert unpacked(packed(good), 2) == good
    for bad in ([0.6, 0.7], [np.nan, 1.0], [np.inf, 0.0], [0.0, 0.0], [1.0]):
        assert unpacked(packed(np.array(bad, dtype="<f4").tobytes()), 2) is None
    for text in ("", "é", "====", base64.b64encode(b"abc").decode()):
        assert unpacked(text, 2) is None


def test_over_rest_a_file_is_taken(
    client: Client, item: KnowledgeItem, django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]]
) -> None:
    lines = exported(item)
    forget_everything()
    response = client.post("/api/knowledge-items/import", {"file": file_of(lines)})
    assert response.status_code == 202
    body = response.json()
    assert (body["success"], body["sourceId"]) == (True, item.source_id)
    tasks.import_source(body["progressId"])
    assert client.get(f"/api/progress/{body['progressId']}").json()["status"] == "completed"
    refused = client.post("/api/knowledge-items/import", {"file": BytesIO(b"no")})
    assert (refused.status_code, refused.json()["detail"]["field"]) == (422, "file")
    assert client.post("/api/knowledge-items/import").status_code == 422


@pytest.mark.django_db(transaction=True)
async def test_over_rest_a_source_is_streamed(transactional_db: None) -> None:
    from asgiref.sync import sync_to_async

    from progress.threads import close_pool_connections

    def filled() -> KnowledgeItem:
        made = source("one")
        store(made, *(page(f"p{n}", f"zebra {n} " + "word " * 2_000, title=f"Page {n}") for n in range(45)))
        return made

    item = await sync_to_async(filled)()
    response = await AsyncClient().get(f"/api/knowledge-items/{item.source_id}/export")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("application/jsonl")
    parts = [part async for part in response]  # type: ignore[attr-defined]
    lines = b"".join(parts).decode().splitlines()
    assert len(parts) >= 3
    assert [json.loads(line).get("type", "header") for line in lines] == ["header", *["page"] * 45, "end"]
    missing = await AsyncClient().get("/api/knowledge-items/nobody/export")
    assert (missing.status_code, missing.json()["detail"]["code"]) == (404, "source_unknown")
    await sync_to_async(close_pool_connections)()


def test_the_commands_write_and_take_a_file(
    item: KnowledgeItem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.jsonl"
    call_command("export", item.source_id, str(file))
    before = state()
    assert not file.with_name("out.jsonl.part").exists()
    forget_everything()
    with pytest.raises(SystemExit, match="0"):
        call_command("import", str(file))
    assert "Imported 27 pages" in capsys.readouterr().out
    assert state() == before
    file.write_text(file.read_text().replace('{"type":"end"}\n', ""))
    with pytest.raises(SystemExit, match="1"):
        call_command("import", str(file))
    assert "ends before its last line" in capsys.readouterr().out
    for arguments in (("export", "nobody", str(file)), ("export", item.source_id, "/nowhere/x"), ("import", "nowhere")):
        with pytest.raises(CommandError):
            call_command(*arguments)


def test_an_export_holds_no_more_than_some_pages(item: KnowledgeItem, django_assert_max_num_queries: Any) -> None:
    store(item, *(page(f"more{n}", f"more {n}") for n in range(100)))
    with django_assert_max_num_queries(2 + 4 + 5 * 8):
        assert len(exported(item)) == 129
    assert connection.connection is not None
