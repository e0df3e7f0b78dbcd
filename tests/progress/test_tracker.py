"""Every change is a row and a numbered event in one transaction, and news only after the commit."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from progress import history, retention, tracker
from progress.errors import IllegalMove, ProgressEnded, UnknownProgress
from progress.messages import LOG_LINES, VERDICTS_PER_EVENT, UrlVerdict
from progress.models import LogRecord, Progress, ProgressEvent
from progress.status import Status
from tests.wire import assert_shaped_like, golden

pytestmark = pytest.mark.django_db


def age_last_event(progress_id: str) -> None:
    """As if EVENT_SECONDS had passed."""
    Progress.objects.filter(pk=progress_id).update(event_at=timezone.now() - timedelta(seconds=1))


def sequences(progress_id: str) -> list[int]:
    return list(ProgressEvent.objects.filter(progress=progress_id).values_list("sequence", flat=True))


def test_a_new_operation_has_its_first_event() -> None:
    row = tracker.create(lines=["Starting crawl..."])
    assert (row.status, row.sequence, row.percentage) == (Status.QUEUED, 1, 0)
    assert sequences(row.id) == [1]


def test_frames_have_the_shape_of_the_seed() -> None:
    row = tracker.create(current_url="https://www.example.com", lines=["Starting crawl..."])
    tracker.update(
        row.id, status=Status.CRAWLING, add={"total_pages": 24, "processed_pages": 11}, lines=["Processed 11/24 pages"]
    )
    frame = json.loads(history.first_frame(row.id).texts[0])
    assert_shaped_like(golden("crawl_progress_initial"), frame)
    assert_shaped_like(golden("crawl_progress_update"), frame)
    tracker.complete(row.id)
    frame = json.loads(history.first_frame(row.id).texts[0])
    assert_shaped_like(golden("crawl_completed"), frame)
    assert frame["type"] == "crawl_completed"


def test_changes_in_a_burst_share_an_event_and_lose_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "EVENT_SECONDS", 0.9)  # twenty changes may take longer than a tenth on a busy machine
    row = tracker.create()
    for number in range(20):
        tracker.update(row.id, add={"processed_pages": 1}, lines=[f"page {number}"])
    assert sequences(row.id) == [1]
    age_last_event(row.id)
    tracker.update(row.id, lines=["last"])
    event = ProgressEvent.objects.get(progress=row.id, sequence=2)
    assert event.lines == [*(f"page {number}" for number in range(20)), "last"]
    assert json.loads(event.payload)["processedPages"] == 20


def verdict(number: int) -> UrlVerdict:
    return UrlVerdict(
        url=f"http://x/{number}",
        state="done",
        reason="new",
        depth=1,
        http_status=200,
        milliseconds=5,
        bytes=100,
        rendered=False,
        chunks=1,
        attempts=1,
        page_id=None,
        error=None,
        fetched_at=timezone.now(),
    )


def test_verdicts_wait_for_the_next_event_and_the_end_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "EVENT_SECONDS", 3_600)  # only what must be told is told
    row = tracker.create()
    for number in range(3):
        tracker.update(row.id, verdicts=[verdict(number)])
    assert sequences(row.id) == [1]
    # More than an event holds: told at once, in several.
    tracker.update(row.id, verdicts=map(verdict, range(3, 2 * VERDICTS_PER_EVENT + 5)))
    tracker.update(row.id, verdicts=[verdict(999)])
    tracker.complete(row.id)
    payloads = [json.loads(event.payload) for event in ProgressEvent.objects.filter(progress=row.id)]
    told = [[one["url"] for one in payload.get("pages", [])] for payload in payloads]
    assert [len(urls) for urls in told] == [0, VERDICTS_PER_EVENT, VERDICTS_PER_EVENT, 5, 1]
    assert [url for urls in told for url in urls] == [
        *(f"http://x/{n}" for n in range(2 * VERDICTS_PER_EVENT + 5)),
        "http://x/999",
    ]
    assert [payload["status"] for payload in payloads].count("completed") == 1
    row.refresh_from_db()
    assert (row.unsent_verdicts, row.sequence) == ([], len(payloads))


def test_a_change_of_status_never_waits() -> None:
    row = tracker.create()
    tracker.update(row.id, status=Status.ANALYZING)
    tracker.update(row.id, status=Status.CRAWLING)
    assert sequences(row.id) == [1, 2, 3]


def test_what_a_burst_still_owes_is_cut_by_flush_and_by_the_sweep() -> None:
    row = tracker.create()
    tracker.update(row.id, lines=["owed"])
    tracker.flush(row.id)
    assert sequences(row.id) == [1, 2]
    tracker.flush(row.id)
    assert sequences(row.id) == [1, 2]
    tracker.update(row.id, lines=["owed again"])
    Progress.objects.filter(pk=row.id).update(updated_at=timezone.now() - timedelta(seconds=5))
    tracker.flush_stale()
    assert sequences(row.id) == [1, 2, 3]


def test_the_speed_of_pages_knows_nothing_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its end a crawl whose vectors were counted last would else have lost hundreds of pages a second."""
    row = tracker.create()
    moments = iter(range(1_000))
    monkeypatch.setattr(timezone, "now", lambda: datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=next(moments)))
    for status in (Status.ANALYZING, Status.CRAWLING):
        tracker.update(row.id, status=status)
    tracker.update(row.id, add={"total_pages": 10, "chunks_stored": 900})
    for _ in range(5):
        tracker.update(row.id, add={"processed_pages": 2})
    row.refresh_from_db()
    assert row.pages_per_second is not None
    assert row.pages_per_second > 0
    tracker.update(row.id, status=Status.EMBEDDING)
    for _ in range(5):
        tracker.update(row.id, add={"embedded_chunks": 180})
    tracker.update(row.id, status=Status.FINALIZING)
    tracker.complete(row.id)
    row.refresh_from_db()
    assert row.pages_per_second is None


def test_a_paused_operation_has_no_speed_and_no_end() -> None:
    row = tracker.create()
    for status in (Status.ANALYZING, Status.CRAWLING):
        tracker.update(row.id, status=status)
    Progress.objects.filter(pk=row.id).update(pages_per_second=5.0, eta_seconds=9.0)
    tracker.update(row.id, status=Status.PAUSED)
    row.refresh_from_db()
    assert (row.pages_per_second, row.eta_seconds) == (None, None)


@pytest.mark.parametrize("end", [tracker.complete, tracker.cancel])
def test_after_an_end_nothing_changes_any_more(end: Any) -> None:
    row = tracker.create()
    end(row.id)
    with pytest.raises(ProgressEnded):
        tracker.update(row.id, lines=["late"])
    with pytest.raises(ProgressEnded):
        end(row.id)
    tracker.flush(row.id)
    assert sequences(row.id) == [1, 2]


def test_a_failure_says_why_as_crawl_progress() -> None:
    row = tracker.create()
    tracker.fail(row.id, {"code": "dns_failed", "message": "The host is unknown.", "hint": "Check it."})
    frame = json.loads(history.first_frame(row.id).texts[0])
    assert frame["type"] == "crawl_progress"
    assert frame["data"]["status"] == "failed"
    assert frame["data"]["error"] == {"code": "dns_failed", "message": "The host is unknown.", "hint": "Check it."}
    assert frame["data"]["percentage"] < 100


def test_text_that_a_database_refuses_is_kept_with_a_mark() -> None:
    row = tracker.create(current_url="http://x/\0", lines=["nul \0 and \ud800"])
    tracker.update(row.id, set_={"current_url": "\ud800"}, lines=["\0"])
    tracker.fail(row.id, {"code": "x", "message": "\0", "hint": "\ud800"})
    row.refresh_from_db()
    assert row.logs == ["nul \ufffd and \ufffd", "\ufffd", "Failed: \ufffd"]
    assert row.error == {"code": "x", "message": "\ufffd", "hint": "\ufffd"}


def test_a_stage_cannot_be_left_backwards() -> None:
    row = tracker.create()
    tracker.update(row.id, status=Status.CRAWLING)
    with pytest.raises(IllegalMove):
        tracker.update(row.id, status=Status.ANALYZING)


def test_the_reason_of_a_failure_is_told_once() -> None:
    row = tracker.create(lines=["Starting crawl..."])
    tracker.update(row.id, lines=["Failed: no answer"])
    tracker.fail(row.id, {"code": "timeout", "message": "no answer", "hint": ""})
    assert Progress.objects.get(pk=row.id).logs == ["Starting crawl...", "Failed: no answer"]


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(UnknownProgress, match="nobody"):
        tracker.update("nobody")


def test_a_replay_equals_what_was_published_letter_for_letter(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[int, str]] = []
    monkeypatch.setattr("progress.publish.publish", lambda topic, text, sequence=0: published.append((sequence, text)))
    with django_capture_on_commit_callbacks(execute=True):
        row = tracker.create(lines=["first ü"])
        for number in range(LOG_LINES + 30):
            tracker.update(row.id, lines=[f"line {number}", "and one more"], add={"total_pages": 1})
            age_last_event(row.id)
        tracker.complete(row.id, lines=["done"])
    assert [sequence for sequence, _ in published] == list(range(1, len(published) + 1))
    assert history.events_after(row.id, 0) == published
    for since in (1, 7, len(published) - 1):
        assert history.events_after(row.id, since) == published[since:]


def test_one_read_of_long_lines_is_bounded_in_characters() -> None:
    row = tracker.create()
    for _ in range(2 * LOG_LINES):
        age_last_event(row.id)
        tracker.update(row.id, lines=["x" * tracker.LINE_CHARS])
    longest = LOG_LINES * (tracker.LINE_CHARS + 100)
    reads, position = [], 0
    while frames := history.events_after(row.id, position):
        reads.append(sum(len(text) for _, text in frames))
        assert frames[0][0] == position + 1
        position = frames[-1][0]
    assert position == Progress.objects.get(pk=row.id).sequence
    assert max(reads) <= history.CHARS_PER_READ + longest < sum(reads)


def test_since_the_newest_replays_nothing_and_since_a_forgotten_one_says_resync() -> None:
    row = tracker.create()
    for _ in range(5):
        age_last_event(row.id)
        tracker.update(row.id)
    assert history.frames_since(row.id, 6) == ([], 6)
    ProgressEvent.objects.filter(progress=row.id, sequence__lte=4).delete()
    frames = history.frames_since(row.id, 2)
    assert frames.position == 6
    assert json.loads(frames.texts[0])["data"]["resync"] is True
    assert json.loads(history.frames_since(row.id, 99).texts[0])["data"]["resync"] is True


def test_what_begins_while_it_is_asked_for_is_told_from_its_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    known = history.known

    def known_before_it_begins(progress_id: str) -> Any:
        monkeypatch.setattr(history, "known", known)
        assert known(progress_id).first() is None
        tracker.update(tracker.create(progress_id=progress_id).id, status=Status.CRAWLING)
        return Progress.objects.none()

    monkeypatch.setattr(history, "known", known_before_it_begins)
    first = history.frames_since("soon", 0)
    assert (json.loads(first.texts[0])["data"]["status"], first.position) == ("waiting", 0)
    assert [sequence for sequence, _ in history.events_after("soon", first.position)] == [1, 2]


def test_an_unknown_id_waits_as_the_seed_shows() -> None:
    assert json.loads(history.first_frame("test-id").texts[0]) == golden("waiting")
    assert json.loads(history.frames_since("nul\0", 3).texts[0])["data"]["status"] == "waiting"


def test_retention_keeps_the_newest(settings: Any) -> None:
    settings.PROGRESS_EVENTS_KEPT = 3
    settings.LOG_RECORDS_KEPT = 2
    row = tracker.create()
    for _ in range(6):
        age_last_event(row.id)
        tracker.update(row.id)
    LogRecord.objects.bulk_create(LogRecord(logger="mcp.server", message=str(number)) for number in range(5))
    retention.trim()
    assert sequences(row.id) == [5, 6, 7]
    assert [record.message for record in LogRecord.objects.all()] == ["3", "4"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_published_of_a_transaction_that_rolls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[str] = []
    monkeypatch.setattr("progress.publish.publish", lambda topic, text, sequence=0: published.append(text))

    class Undone(Exception):
        pass

    with pytest.raises(Undone), transaction.atomic():
        tracker.create(progress_id="undone")
        raise Undone
    assert published == []
    assert not Progress.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_leave_no_gap_and_no_lost_count() -> None:
    row = tracker.create()
    start = threading.Barrier(4)

    def write() -> None:
        start.wait()
        for _ in range(25):
            tracker.update(row.id, add={"processed_pages": 1}, lines=["page"])
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tracker.complete(row.id)
    row.refresh_from_db()
    assert row.processed_pages == 100
    assert sequences(row.id) == list(range(1, row.sequence + 1))
    lines = [line for event in ProgressEvent.objects.filter(progress=row.id) for line in event.lines]
    assert lines.count("page") == 100
