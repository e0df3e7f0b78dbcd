"""The typed messages of the wire: what a frame holds, built from the row or from an event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config

# Pydantic reads typing's own TypedDict only from Python 3.12 on.
from typing_extensions import TypedDict

from progress.models import Progress, ProgressEvent
from progress.status import Status
from progress.wire import encode

# A snapshot is whole; its log is the newest lines, so that a frame stays a few kilobytes.
LOG_LINES = 50
# About 25 KB: what a burst leaves beyond it is told by further events.
VERDICTS_PER_EVENT = 100
WAITING_LINE = "Waiting for crawl to start..."

# For the published schemas: a message with these fields and no other.
exact = with_config(ConfigDict(extra="forbid"))
# It may hold more; in what a client sends that is ignored.
lenient = with_config(ConfigDict(extra="allow"))

Count = Annotated[int, Field(ge=0)]


@exact
class ErrorBody(TypedDict):
    """Why an operation failed: a word for machines, a sentence and the next step for people."""

    code: str
    message: str
    hint: str


@exact
class UrlVerdict(TypedDict):
    """What became of one URL, as far as the crawl is; `GET /api/crawls/{progress_id}/pages` shows every one."""

    url: str
    state: Annotated[str, Field(description="queued, leased, done, failed or skipped; queued again before a retry.")]
    reason: Annotated[str, Field(description="Why it was skipped, or what the page was: new, changed, unchanged.")]
    depth: Count
    http_status: int | None
    milliseconds: Annotated[int | None, Field(description="Until the page was whole.")]
    bytes: int | None
    rendered: Annotated[bool, Field(description="Its text is what a browser showed.")]
    chunks: Count
    attempts: Count
    page_id: Annotated[str | None, Field(description="The stored page.")]
    error: Annotated[ErrorBody | None, Field(description="Of the last attempt, when that failed.")]
    fetched_at: datetime | None


class ProgressState(TypedDict):
    """The state of an operation without its log lines, as events keep it."""

    progressId: Annotated[str, Field(description="The id from the answer to the request that started it.")]
    sequence: Annotated[int, Field(ge=1, description="Number of the newest event, from 1, without gaps.")]
    kind: Progress.Kind
    status: Status
    stage: Annotated[Status, Field(description="The working stage that a paused or ended operation was in.")]
    percentage: Annotated[int, Field(ge=0, le=100, description="Never falls; 100 only when completed.")]
    start_time: datetime
    updated_at: datetime
    completed_at: datetime | None
    currentUrl: Annotated[str, Field(description="The page recorded last.")]
    totalPages: Annotated[Count, Field(description="Without the skipped ones.")]
    processedPages: Annotated[Count, Field(description="With the failed ones.")]
    failedPages: Count
    skippedPages: Count
    discoveredUrls: Count
    chunksStored: Count
    embeddedChunks: Count
    codeExamplesStored: Count
    wordCount: Count
    pagesPerSecond: Annotated[
        float | None, Field(description="Over the last seconds; null while there is no honest answer.")
    ]
    etaSeconds: Annotated[float | None, Field(description="Null while there is no honest answer.")]
    queuePosition: Annotated[Count | None, Field(description="Null when it runs.")]
    sourceId: Annotated[str, Field(description="The knowledge item that is being filled.")]
    log: Annotated[str, Field(description="The newest log line.")]
    error: NotRequired[Annotated[ErrorBody, Field(description="Only when failed.")]]
    pages: NotRequired[
        Annotated[
            list[UrlVerdict],
            Field(
                max_length=VERDICTS_PER_EVENT,
                description="Only in numbered events: the URLs that were recorded since the event before.",
            ),
        ]
    ]


@exact
class ProgressBody(ProgressState):
    """`data` of crawl_progress and crawl_completed: always a full snapshot, never a difference."""

    logs: Annotated[list[str], Field(max_length=LOG_LINES, description="The newest log lines, newest last.")]
    resync: NotRequired[
        Annotated[Literal[True], Field(description="This snapshot stands for events that are no longer kept.")]
    ]


@exact
class WaitingBody(TypedDict):
    """`data` for an id that nothing has started yet."""

    progressId: str
    status: Literal["waiting"]
    percentage: Literal[0]
    logs: list[str]


@exact
class CrawlProgress(TypedDict):
    """The state changed. A failure and a cancel are told here too, by `status`."""

    type: Literal["crawl_progress"]
    data: ProgressBody | WaitingBody


@exact
class CrawlCompleted(TypedDict):
    """The operation completed."""

    type: Literal["crawl_completed"]
    data: ProgressBody


@lenient
class LogMetadata(TypedDict, total=False):
    """What the tool call was; other fields may stand beside these."""

    client_id: str | None
    tool_name: str | None
    execution_time: Annotated[float | None, Field(description="Seconds.")]
    result_count: int | None
    error: str | None


@exact
class McpLogRecord(TypedDict):
    """One line of the MCP server's log, bare: a client drops what is wrapped in type and data."""

    id: Annotated[int, Field(ge=1)]
    timestamp: datetime
    level: str
    logger: str
    message: str
    metadata: LogMetadata


@exact
class Heartbeat(TypedDict):
    """Nothing was heard from the client for a while; it answers `ping`."""

    type: Literal["heartbeat"]


@exact
class Pong(TypedDict):
    """The answer to a ping."""

    type: Literal["pong"]


@lenient
class Ping(TypedDict):
    """Asks for a pong. The bare text `ping` does too."""

    type: Literal["ping"]


# Sent as it is, not as a JSON string.
PingText = Literal["ping"]


HEARTBEAT_TEXT = encode(Heartbeat(type="heartbeat"))
PONG_TEXT = encode(Pong(type="pong"))


def message_type(status: str) -> Literal["crawl_progress", "crawl_completed"]:
    """Failure and cancel travel as crawl_progress: the seed's client reads no other type."""
    return "crawl_completed" if status == Status.COMPLETED else "crawl_progress"


def waiting(progress_id: str) -> CrawlProgress:
    """What a socket says of an id that nothing has started yet."""
    body = WaitingBody(progressId=progress_id, status="waiting", percentage=0, logs=[WAITING_LINE])
    return CrawlProgress(type="crawl_progress", data=body)


def payload_of(row: Progress) -> ProgressState:
    """The snapshot without its log lines. The order of the keys is that of the frames."""
    payload: ProgressState = {
        "progressId": row.id,
        "sequence": row.sequence,
        "kind": Progress.Kind(row.kind),
        "status": Status(row.status),
        "stage": Status(row.stage),
        "percentage": row.percentage,
        "start_time": row.start_time,
        "updated_at": row.updated_at,
        "completed_at": row.completed_at,
        "currentUrl": row.current_url,
        "totalPages": row.total_pages,
        "processedPages": row.processed_pages,
        "failedPages": row.failed_pages,
        "skippedPages": row.skipped_pages,
        "discoveredUrls": row.discovered_urls,
        "chunksStored": row.chunks_stored,
        "embeddedChunks": row.embedded_chunks,
        "codeExamplesStored": row.code_examples_stored,
        "wordCount": row.word_count,
        "pagesPerSecond": row.pages_per_second,
        "etaSeconds": row.eta_seconds,
        "queuePosition": row.queue_position,
        "sourceId": row.source_id,
        "log": row.log,
    }
    if row.error:
        payload["error"] = row.error
    return payload


def snapshot(row: Progress, *, resync: bool = False) -> ProgressBody:
    """`data` of the current state, log lines included; REST answers with it."""
    body: ProgressBody = {**payload_of(row), "logs": row.logs}  # type: ignore[typeddict-item]  # resync may be absent
    if resync:
        body["resync"] = True
    return body


def snapshot_frame(row: Progress, *, resync: bool = False) -> str:
    """The first frame of a socket: the whole current state."""
    return encode({"type": message_type(row.status), "data": snapshot(row, resync=resync)})


def event_frame(kind: str, payload: str, logs: Sequence[str]) -> str:
    """`payload` is the text of a JSON object; the frame is spliced, not encoded again."""
    return f'{{"type":"{kind}","data":{payload[:-1]},"logs":{encode(list(logs))}}}}}'


def replay_frames(events: Iterable[ProgressEvent], earlier_lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(sequence, text) of each event, letter for letter as it was published live; made as they are asked for.

    `earlier_lines` are the log lines before the first event: each frame shows the newest
    LOG_LINES up to its own event, exactly as `Progress.logs` stood at that moment.
    """
    logs = list(earlier_lines)[-LOG_LINES:]
    for event in events:
        logs = (logs + event.lines)[-LOG_LINES:]
        yield event.sequence, event_frame(event.type, event.payload, logs)
