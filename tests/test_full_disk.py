"""A folder that cannot be used, and a disk that is full: every door says so in a sentence, and nothing is half done."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from psycopg.errors import DiskFull

from archon import health
from archon.data_folder import kept_key, unusable, usable
from knowledge import portable, uploads
from knowledge.ingest import uploaded
from knowledge.models import Upload
from knowledge.uploads import UploadRequest
from progress import disk as disk_of
from progress import tracker
from progress.models import Progress, ProgressEvent
from progress.status import TERMINAL
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store
from tests.progress.remote import Answer, open_socket, request
from tests.small_disk import MIB, SmallDisk, small_disk
from tests.stack import ROOT, eventually
from tests.web import WebProcess, World, world

Ended = subprocess.CompletedProcess[str]


def run(folder: Path, *words: str, enter: list[str] | None = None, **environment: str) -> Ended:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("ARCHON_", "DATABASE_"))}
    return subprocess.run(
        [*(enter or []), sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**known, "ARCHON_DATA_DIR": str(folder), "ARCHON_EMBEDDER": "off", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def assert_one_sentence(ended: Ended, *words: str) -> None:
    told = ended.stderr.strip()
    assert ended.returncode not in (0, 2), told
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1, told
    for word in words:
        assert word in told


# ---- the folder ---------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["up"], ["migrate"]])
def test_a_file_in_its_place_or_in_its_way(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert_one_sentence(run(file, *command), f"ARCHON_DATA_DIR='{file}' cannot be used", "name a folder")
    assert_one_sentence(
        run(file / "below", *command), f"ARCHON_DATA_DIR='{file}/below' cannot be used", "name a folder"
    )


def test_a_file_system_that_is_only_read() -> None:
    with small_disk(MIB, options="ro") as disk:
        for folder in (disk.folder, disk.folder / "missing"):
            ended = run(folder, "up", enter=disk.enter)
            assert_one_sentence(ended, f"ARCHON_DATA_DIR='{folder}' cannot be used: Read-only", "can be written to")


NOBODY = """
import os, pathlib, sys
from archon.data_folder import usable
if os.geteuid() == 0:
    os.setuid(65534)
usable(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.parametrize("below", ["", "missing"])
def test_a_folder_of_somebody_else(tmp_path: Path, below: str) -> None:
    for part in (tmp_path, *tmp_path.parents[:2]):
        part.chmod(0o755)
    tmp_path.chmod(0o555)
    folder = tmp_path / below
    ended = subprocess.run(
        [sys.executable, "-c", NOBODY, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Permission denied. Let the user with the id" in ended.stderr
    assert "ImproperlyConfigured" in ended.stderr


def test_a_folder_that_can_be_used_is_made_and_stays_empty(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "down"
    assert usable(folder) == usable(folder) == folder
    assert list(folder.iterdir()) == []


def test_a_key_for_which_there_is_no_room_is_not_kept_by_half() -> None:
    with small_disk(MIB) as disk:
        disk.fill()
        assert_one_sentence(run(disk.folder, "up", enter=disk.enter), "No space left on device", "Make room")
        assert [path.name for path in disk.outside.iterdir()] == ["filling"]


def test_an_empty_key_signs_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    assert_one_sentence(run(tmp_path, "migrate"), f"{tmp_path}/secret_key is empty", "Delete it")
    (tmp_path / "secret_key").unlink()
    made = kept_key(tmp_path / "secret_key", lambda: "a key")
    assert made == kept_key(tmp_path / "secret_key", lambda: "another") == "a key"


def test_what_the_system_says_otherwise_is_told_with_its_words() -> None:
    told = str(unusable(Path("/x"), OSError(5, "Input/output error")))
    assert "Input/output error" in told
    assert "or name another folder" in told


# ---- a disk that fills up -----------------------------------------------------------------


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    with small_disk(12 * MIB) as disk:
        yield disk


@pytest.fixture(scope="module")
def served(disk: SmallDisk) -> Iterator[World]:
    """The data of the web process lie on the small disk; of Redis they do not, which would be another story."""
    with world() as started:
        started.environment |= {
            "ARCHON_DATA_DIR": str(disk.folder),
            "DATABASE_URL": f"sqlite:///{disk.folder}/archon.sqlite3",
            # No mark: whatever is asked for meets the full disk itself.
            "ARCHON_DISK_FREE_MB": "0",
        }
        made = Path(started.folder)
        for name in ("archon.sqlite3", "secret_key", "encryption_key"):
            if (made / name).exists():
                (disk.outside / name).write_bytes((made / name).read_bytes())
        yield started


@pytest.fixture(scope="module")
def web(served: World, disk: SmallDisk) -> WebProcess:
    if not (disk.outside / "archon.sqlite3").exists():  # the run is on PostgreSQL
        subprocess.run(
            [*disk.enter, sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=served.environment, check=True
        )
    return served.web(enter=disk.enter)


def posted(web: WebProcess, path: str, body: Any) -> Answer:
    return request(web, "POST", path, body=json.dumps(body).encode(), Content_Type="application/json")


def sent_file(web: WebProcess, path: str, content: bytes) -> Answer:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    return request(
        web, "POST", path, body=head + content + b"\r\n--b--\r\n", Content_Type="multipart/form-data; boundary=b"
    )


def disk_check(web: WebProcess) -> dict[str, str]:
    return dict(request(web, "GET", "/ready").json["checks"]["disk"])


def test_every_door_says_that_the_disk_is_full_and_opens_when_there_is_room(
    web: WebProcess, served: World, disk: SmallDisk
) -> None:
    text = b"# Notes\n\nThe numbat eats termites.\n" * 400
    assert sent_file(web, "/api/documents/upload", text).status == 200
    assert disk_check(web)["status"] == "ok"
    disk.fill()
    refused = {
        "upload": sent_file(web, "/api/documents/upload", text),
        "import": sent_file(web, "/api/knowledge-items/import", text),
        "question": posted(web, "/api/chat/sessions/full/messages", {"message": "What does it eat?"}),
        "crawl": posted(web, "/api/knowledge-items/crawl", {"url": "http://93.184.216.34/docs/"}),
    }
    for what, answer in refused.items():
        detail = answer.json["detail"]
        assert (answer.status, detail["code"]) == (507, "disk_full"), (what, detail)
        assert "Free some space" in detail["hint"]
        assert int(answer.headers["retry-after"]) > 0
    with open_socket(web, "/api/chat/full") as chat:
        assert json.loads(chat.recv(timeout=20))["type"] == "chat_snapshot"
        chat.send(json.dumps({"type": "chat_message", "message": "What does it eat?"}))
        told = json.loads(chat.recv(timeout=20))
        assert (told["type"], told["data"]["error"]["code"]) == ("chat_error", "disk_full")
        chat.send("ping")
        assert json.loads(chat.recv(timeout=20)) == {"type": "pong"}
    eventually(lambda: disk_check(web) == {"status": "failed", "detail": "full: nothing can be stored"}, what="/ready")
    assert request(web, "GET", "/ready").status == 503
    assert request(web, "GET", "/api/knowledge-items").status == 200, "what is there can be read"
    assert len(list((disk.outside / "uploads").iterdir())) == 1, "nothing of what was refused is left"
    disk.make_room()
    assert sent_file(web, "/api/documents/upload", text).status == 200
    eventually(lambda: disk_check(web)["status"] == "ok", what="there is room again")


def test_commands_on_a_full_disk_end_with_a_sentence(web: WebProcess, served: World, disk: SmallDisk) -> None:
    target = disk.folder / "kept.tar"
    disk.fill(leave=200_000)  # for less than the copy
    try:
        ended = run(disk.folder, "backup", str(target), enter=disk.enter)
        assert_one_sentence(ended, "There is not room enough", "Make room")
        assert not [path.name for path in disk.outside.iterdir() if "backup" in path.name or path.name == "kept.tar"]
        disk.fill()
        for command in (["up"], ["crawl", "http://127.0.0.1:1/"]):
            ended = run(disk.folder, *command, enter=disk.enter, ARCHON_PORT="1")
            assert_one_sentence(ended, "The disk is full", "Free some")
    finally:
        disk.make_room()


# ---- a database that is full, while a worker stores ----------------------------------------

TEXT = "# Notes\n\n" + "".join(
    f"## Part {number}\n\nThe numbat number {number} eats termites.\n\n" for number in range(400)
)


@contextlib.contextmanager
def database_pages(*, more: int) -> Iterator[None]:
    """SQLite's own limit, which it meets as it meets the end of the disk; so many pages may come yet."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # no pages that are free already
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages + more}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 4294967294")


@pytest.fixture
def sqlite(transactional_db: None, settings: Any, tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has no limit that could be set for a moment")
    settings.DATA_DIR = tmp_path


def leave_no_room_for_an_event() -> None:
    """In the pages that there are already: large fillers, then smaller ones."""
    other = tracker.create()
    sequence = 1
    for size in (3_000, 300, 30):
        with contextlib.suppress(OperationalError):
            while True:
                sequence += 1
                ProgressEvent.objects.create(progress=other, sequence=sequence, type="x", payload="x" * size)


def upload_row() -> Progress:
    upload = uploads.start([SimpleUploadedFile("a.md", TEXT.encode())], UploadRequest(viewer=OPERATOR))
    return Progress.objects.get(pk=upload.progress_id)


def read_upload(row: Progress) -> None:
    Upload.objects.update(lease_until=None)
    uploaded.run(Upload.objects.get(progress=row).pk)


def import_row() -> Progress:
    item = source("one")
    store(item, page("a", TEXT, title="Notes"))
    lines = "".join(portable.export_lines(item.source_id, viewer=OPERATOR)).encode()
    item.delete()
    return portable.start(SimpleUploadedFile("x.jsonl", lines), here=True, viewer=OPERATOR)


def read_import(row: Progress) -> None:
    portable.run(row.pk)


@pytest.mark.parametrize(
    ("begin", "read"), [(upload_row, read_upload), (import_row, read_import)], ids=["upload", "import"]
)
class TestWhileAWorkerStores:
    def test_it_fails_with_the_reason(self, sqlite: None, begin: Any, read: Any) -> None:
        row = begin()
        with database_pages(more=20):
            read(row)
        row.refresh_from_db()
        assert (row.status, row.error["code"]) == ("failed", "disk_full")
        assert "Free some space" in row.error["hint"]

    def test_it_goes_on_when_there_is_room_if_not_even_the_reason_could_be_stored(
        self, sqlite: None, begin: Any, read: Any
    ) -> None:
        row = begin()
        with database_pages(more=2):
            leave_no_room_for_an_event()
            read(row)
            row.refresh_from_db()
            assert row.status not in TERMINAL
        read(row)
        row.refresh_from_db()
        assert row.status == "completed", row.log


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/documents/upload", "/api/knowledge-items/import"])
def test_nothing_is_taken_in_below_the_mark(client: Client, settings: Any, path: str) -> None:
    settings.DISK_FREE_MB = 10**7
    refused = client.post(path, {"file": SimpleUploadedFile("a.md", b"# Notes")})
    assert (refused.status_code, refused.json()["detail"]["code"]) == (507, "disk_full")
    assert "10,000,000 MB have to stay free" in refused.json()["detail"]["error"]
    assert int(refused["Retry-After"]) > 0


@pytest.mark.django_db
def test_below_the_mark_it_is_degraded_and_ready(settings: Any) -> None:
    settings.DISK_FREE_MB = 10**7
    low = health.check_disk()
    assert low["status"] == "failed"
    assert "10,000,000 have to stay free" in low["detail"]
    ok: health.Check = {"status": "ok", "detail": ""}
    for room, code, status in ((low, 200, "degraded"), ({"status": "failed", "detail": health.FULL}, 503, "degraded")):
        checks = {**dict.fromkeys(health.REQUIRED, ok), "embedder": ok, "disk": room}
        with mock.patch.object(health.probes, "checks", lambda checks=checks: checks):
            answer = health.answer(status_when_red=503)
        assert (answer.status_code, json.loads(answer.content)["status"]) == (code, status)


def test_an_error_of_another_kind_is_no_full_disk() -> None:
    assert not disk_of.is_full(OSError(5, "Input/output error"))
    assert not disk_of.is_full(ValueError("database or disk is full"))
    with contextlib.closing(sqlite3.connect(":memory:")) as opened, pytest.raises(sqlite3.Error) as error:
        opened.execute("SELECT x")
    assert not disk_of.is_full(error.value)
    wrapped = OperationalError("could not extend file")
    wrapped.__cause__ = DiskFull()
    assert disk_of.is_full(wrapped)
