"""Uploads through the whole application: sent, read by the task, searched; refused and failed with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from knowledge import uploads
from knowledge.embedding.queue import turns
from knowledge.ingest import uploaded
from knowledge.models import Document, KnowledgeItem, Upload
from knowledge.tasks import embed_chunks, ingest_upload, sweep_uploads
from progress.models import Progress, ProgressEvent
from tests.knowledge import documents
from tests.knowledge.documents import pdf, zipped
from tests.knowledge.pages import assert_counts_exact

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_bytes_left() -> Iterator[None]:
    yield
    shutil.rmtree(uploads.uploads_folder(), ignore_errors=True)


def send(client: Client, *files: tuple[str, bytes], status: int = 200, **fields: Any) -> Any:
    sent = [SimpleUploadedFile(name, content) for name, content in files]
    response = client.post("/api/documents/upload", {"file": sent, **fields})
    assert response.status_code == status, response.content
    return response.json()


def read(client: Client, *files: tuple[str, bytes], **fields: Any) -> Progress:
    progress_id = send(client, *files, **fields)["progressId"]
    ingest_upload(Upload.objects.get(progress=progress_id).pk)
    return Progress.objects.get(pk=progress_id)


def bytes_kept() -> list[Path]:
    return list(uploads.uploads_folder().glob("*/*"))


def test_an_upload_is_read_and_found(client: Client) -> None:
    body = send(
        client,
        ("handbook.md", documents.MARKDOWN),
        tags='["manual", "été"]',
        knowledge_type="business",
        extract_code_examples="false",
    )
    assert (body["success"], body["filename"], body["message"]) == (True, "handbook.md", "Document upload started")
    upload = Upload.objects.get(progress=body["progressId"])
    assert upload.extract_code_examples is False
    assert [path.read_bytes() for path in bytes_kept()] == [documents.MARKDOWN]
    ingest_upload(upload.pk)
    assert bytes_kept() == []

    row = Progress.objects.get(pk=body["progressId"])
    assert (row.kind, row.status, row.percentage, row.error) == ("upload", "completed", 100, {})
    assert (row.processed_pages, row.total_pages, row.failed_pages) == (1, 1, 0)
    item = KnowledgeItem.objects.get(source_id=body["sourceId"])
    assert (item.title, item.source_type, item.knowledge_type) == ("handbook.md", "file", "business")
    assert item.tags == ["manual", "été"]
    assert row.chunks_stored == item.chunk_count > 0
    assert_counts_exact(item)
    statuses = [
        event.payload.partition('"status":"')[2].partition('"')[0]
        for event in ProgressEvent.objects.filter(progress=row)
    ]
    assert list(dict.fromkeys(statuses)) == ["queued", "starting", "storing", "finalizing", "completed"]
    found = client.post("/api/rag/query", {"query": "lighthouse0001"}, content_type="application/json").json()
    assert found["results"][0]["url"] == f"upload://{item.source_id}/handbook.md#handbook"


@pytest.mark.usefixtures("with_vectors")
def test_an_upload_is_complete_when_its_last_vector_is_there(client: Client) -> None:
    row = read(client, ("handbook.md", documents.MARKDOWN))
    assert (row.status, bytes_kept()) == ("embedding", [])
    found = client.post("/api/rag/query", {"query": "lighthouse0001"}, content_type="application/json").json()
    assert found["results"]
    ingest_upload(Upload.objects.get().pk)  # a message that came twice reads nothing again
    sweep_uploads()
    assert Progress.objects.get(pk=row.pk).status == "embedding"
    for number in range(turns()):
        embed_chunks(number)
    row.refresh_from_db()
    assert (row.status, row.embedded_chunks) == ("completed", row.chunks_stored)


def test_several_files_and_an_archive_are_one_source_with_a_verdict_for_each(client: Client) -> None:
    guide = documents.docx()
    row = read(
        client,
        ("a.md", documents.MARKDOWN),
        ("a.md", documents.TEXT + b"Other text."),
        ("docs.zip", zipped({"in/guide.docx": guide, "locked.pdf": pdf(["x"], password="pw"), "x.png": b"x"})),
    )
    assert row.status == "completed"
    assert (row.processed_pages, row.total_pages, row.failed_pages, row.discovered_urls) == (4, 4, 1, 4)
    assert any("Left out of docs.zip: 1 file of other kinds" in line for line in row.logs)
    listed = client.get(f"/api/documents/uploads/{row.pk}/files").json()
    assert [(file["name"], file["state"]) for file in listed["files"]] == [
        ("a.md", "done"),
        ("a (2).md", "done"),
        ("docs.zip/in/guide.docx", "done"),
        ("docs.zip/locked.pdf", "failed"),
    ]
    assert listed["files"][2]["bytes"] == len(guide)  # its own, not the archive's
    assert listed["files"][3]["error"]["code"] == "file_encrypted"
    assert listed["files"][3]["error"]["hint"]
    assert KnowledgeItem.objects.get(source_id=row.source_id).title == "a.md and 2 more"
    assert sum(file["chunks"] for file in listed["files"]) == row.chunks_stored


def test_a_large_pdf_is_several_documents_that_lead_to_their_pages(client: Client) -> None:
    large = pdf(["\n".join(f"Line {n} of page {page} " + "x" * 900 for n in range(60)) for page in range(5)])
    row = read(client, ("large.pdf", large))
    urls = list(Document.objects.filter(item__source_id=row.source_id).order_by("id").values_list("url", flat=True))
    assert urls == [f"upload://{row.source_id}/large.pdf", f"upload://{row.source_id}/large.pdf#page=4"]
    assert (row.processed_pages, row.total_pages) == (2, 2)
    found = client.post("/api/rag/query", {"query": "page 4 line"}, content_type="application/json").json()
    assert any(hit["url"].endswith("large.pdf#page=4") for hit in found["results"])
    page = client.get("/api/pages/by-url", {"url": urls[1]}).json()
    assert page["url"] == urls[1]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("locked.pdf", pdf(["x"], password="pw"), "file_encrypted"),
        ("scanned.pdf", pdf([""]), "file_without_text"),
        ("broken.docx", documents.docx()[:900], "file_broken"),
        ("bomb.zip", zipped({"bomb.txt": b"a" * 20_000_000}), "archive_too_large"),
        ("pictures.zip", zipped({"logo.png": b"\x89PNG"}), "archive_without_documents"),
    ],
)
def test_a_file_that_cannot_be_read_fails_with_the_reason_and_leaves_no_source(
    client: Client, name: str, content: bytes, code: str
) -> None:
    row = read(client, (name, content))
    assert row.status == "failed"
    assert row.error["code"] == code
    assert name in row.error["message"]
    assert row.error["hint"]
    assert not KnowledgeItem.objects.visible().exists()
    assert bytes_kept() == []


@pytest.mark.parametrize(
    ("files", "fields", "status", "code", "field"),
    [
        ([("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))], {}, 422, "file_type_unsupported", "file"),
        ([("empty.md", b" ")], {}, 422, "file_empty", "file"),
        ([("run.exe", b"MZ\0\0")], {}, 422, "file_type_unsupported", "file"),
        ([("good.md", b"# Good"), ("bad.md", b"\0\1\2")], {}, 422, "file_type_unsupported", "file"),
        ([("big.md", b"x" * 200_000)], {}, 413, "file_too_large", "file"),
        ([(f"{n}.md", b"# x") for n in range(51)], {}, 422, "upload_too_many", "file"),
        ([], {}, 422, "invalid_request", "file"),
        ([("a.md", b"# a")], {"tags": "python, api"}, 422, "upload_tags", "tags"),
        ([("a.md", b"# a")], {"tags": "[1]"}, 422, "upload_tags", "tags"),
        ([("a.md", b"# a")], {"tags": "[" * 20_000}, 422, "upload_tags", "tags"),
        ([("a.md", b"# a")], {"knowledge_type": "poetry"}, 422, "change_bad", "knowledge_type"),
        ([("a.md", b"# a")], {"extract_code_examples": "perhaps"}, 422, "invalid_request", "extract_code_examples"),
    ],
)
def test_what_cannot_be_taken_is_refused_at_once_and_nothing_is_kept(
    client: Client, settings: Any, files: list[tuple[str, bytes]], fields: Any, status: int, code: str, field: str
) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    detail = send(client, *files, status=status, **fields)["detail"]
    assert (detail["code"], detail["field"]) == (code, field)
    assert detail["error"]
    assert detail["hint"] or code == "change_bad"
    assert bytes_kept() == []
    assert not KnowledgeItem.objects.exists()


def test_a_body_that_is_no_form_is_an_error_and_no_crash(client: Client) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "application/json"):
        response = client.generic("POST", "/api/documents/upload", b"nonsense", content_type=kind)
        assert response.status_code in (400, 422), (kind, response.content)
        assert response.json()["detail"]["code"] in ("bad_request", "invalid_request")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd.md", "etc/passwd.md"),
        ("C:\\docs\\a.md", "C/docs/a.md"),
        ("a\nb\t.md", "a b .md"),
        ("...", "file"),
        ("x" * 300 + ".md", "x" * 197 + ".md"),
    ],
)
def test_a_name_becomes_one_that_can_be_shown(sent: str, shown: str) -> None:
    assert uploads.clean_name(sent) == shown


def test_an_upload_that_was_stopped_stores_nothing_more(client: Client) -> None:
    progress_id = send(client, ("a.md", documents.MARKDOWN))["progressId"]
    response = client.post(f"/api/knowledge-items/stop/{progress_id}")
    assert response.json()["message"] == "Upload stopped"
    ingest_upload(Upload.objects.get(progress=progress_id).pk)
    assert Progress.objects.get(pk=progress_id).status == "cancelled"
    assert not Document.objects.exists()
    assert bytes_kept() == []
    assert client.post(f"/api/knowledge-items/stop/{progress_id}").status_code == 409
    assert client.post("/api/knowledge-items/stop/nobody").status_code == 404
    assert client.get("/api/documents/uploads/nobody/files").status_code == 404


def test_a_worker_that_died_is_replaced_and_its_pages_are_counted_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{n}.md": f"# Chapter {n}\n\nWord number{n}.".encode() for n in range(20)}
    progress_id = send(client, ("docs.zip", zipped(files)))["progressId"]
    upload = Upload.objects.get(progress=progress_id)
    record = uploaded._Reading._record

    def dying(self: Any, *, last: bool = False) -> None:
        record(self, last=last)
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(uploaded._Reading, "_record", dying)
        uploaded.run(upload.pk)
    assert Document.objects.count() == 16
    uploaded.run(upload.pk)  # its lease still holds: somebody may be at it
    assert Progress.objects.get(pk=progress_id).status == "storing"
    Upload.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    uploaded.run(upload.pk)
    row = Progress.objects.get(pk=progress_id)
    assert (row.status, row.processed_pages, row.total_pages) == ("completed", 20, 20)
    item = KnowledgeItem.objects.get()
    assert_counts_exact(item)
    assert (item.document_count, item.chunk_count, item.word_count) == (20, row.chunks_stored, row.word_count)


def test_a_file_that_kills_its_workers_is_given_up(client: Client) -> None:
    progress_id = send(client, ("a.md", documents.MARKDOWN))["progressId"]
    Upload.objects.update(epoch=3)
    ingest_upload(Upload.objects.get(progress=progress_id).pk)
    row = Progress.objects.get(pk=progress_id)
    assert (row.status, row.error["code"]) == ("failed", "worker_lost")
    assert row.error["message"].startswith("a.md was given up")
    assert not KnowledgeItem.objects.visible().exists()
    assert bytes_kept() == []


def test_the_sweep_wakes_what_was_lost_and_removes_what_is_over(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, ("a.md", documents.MARKDOWN))
    woken: list[int] = []
    monkeypatch.setattr(ingest_upload, "delay", woken.append)
    sweep_uploads()
    assert woken == []
    Upload.objects.update(woken_at=timezone.now() - timedelta(minutes=1))
    sweep_uploads()
    assert woken == [Upload.objects.get().pk]
    stray = uploads.uploads_folder() / "stray"
    stray.mkdir()
    uploads.forget_finished(timezone.now() + timedelta(days=1))
    assert not stray.exists()
    assert len(bytes_kept()) == 1


def test_bytes_that_are_gone_fail_the_upload(client: Client) -> None:
    progress_id = send(client, ("a.md", documents.MARKDOWN))["progressId"]
    bytes_kept()[0].unlink()
    ingest_upload(Upload.objects.get(progress=progress_id).pk)
    assert Progress.objects.get(pk=progress_id).error["code"] == "file_lost"


def test_a_folder_of_the_operator_is_read_and_renewed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "handbook.md").write_bytes(documents.MARKDOWN)
    (folder / "sub" / "page.html").write_bytes(documents.HTML)
    (folder / "logo.png").write_bytes(b"\x89PNG")
    (folder / "link.md").symlink_to("/etc/passwd")
    ingest(folder)
    item = KnowledgeItem.objects.get()
    assert (item.title, item.source_type) == ("docs", "file")
    root = f"upload://{item.source_id}/"
    urls = Document.objects.filter(item=item).order_by("url").values_list("url", flat=True)
    assert list(urls) == [f"{root}handbook.md", f"{root}sub/page.html"]

    (folder / "handbook.md").unlink()
    (folder / "sub" / "new.md").write_bytes(documents.TEXT)
    ingest(folder)
    assert KnowledgeItem.objects.get().pk == item.pk
    assert list(urls.all()) == [f"{root}sub/new.md", f"{root}sub/page.html"]
    assert_counts_exact(item)
    told = capsys.readouterr()
    assert "1 file is gone and no longer stored" in told.err
    assert told.err.count("Left out: 1 file, empty or of other kinds") == 2
    assert [json.loads(line)["status"] for line in told.out.splitlines()] == ["completed", "completed"]


def ingest(folder: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("ingest", str(folder), "--here")
    assert ended.value.code == 0
