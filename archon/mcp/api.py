"""REST of the assistants' server. Every value comes from the server itself or from its log of calls."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from archon.identity import asking
from archon.mcp import PATH, STARTED_AT, VERSION, clients, load_sdk, records, uptime_seconds
from archon.scopes import Scope
from progress.models import LogRecord

router = Router(tags=["mcp"])
DEFAULT_PORTS = {"http": 80, "https": 443}


class ServerStatus(Schema):
    """`logs` are the newest lines as text, for who may read the log; counts are of the records that are kept."""

    status: str = Field("running", description="The process that answers this serves /mcp, too.")
    transport: str = "streamable-http"
    url: str
    version: str
    started_at: datetime
    uptime: float = Field(description="Seconds.")
    calls: int
    errors: int
    active_sessions: int
    last_call_at: datetime | None
    logs: list[str]


class SnippetOut(Schema):
    client: str
    title: str
    file: str
    language: str
    text: str
    note: str
    link: str


class Config(Schema):
    """How clients reach the server; `clients` holds the text to paste for each of them, or for the one asked for."""

    host: str
    port: int
    transport: str = "streamable-http"
    url: str
    token_required: bool
    stdio_command: list[str]
    crawls_per_hour: int
    clients: list[SnippetOut]


class ToolOut(Schema):
    """As `tools/list` tells it."""

    name: str
    title: str
    description: str
    read_only: bool
    destructive: bool
    open_world: bool
    alias_of: str | None
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None


class ToolList(Schema):
    tools: list[ToolOut]
    count: int


class Usage(Schema):
    calls: int
    errors: int
    mean_milliseconds: float | None
    tools: dict[str, int]
    first_seen: datetime
    last_seen: datetime


class ClientOut(Usage):
    client_name: str
    client_version: str
    transport: str
    protocol_version: str
    sessions: int


class ClientList(Schema):
    clients: list[ClientOut]
    total: int


class SessionOut(Usage):
    session_id: str
    client_name: str
    client_version: str
    transport: str
    protocol_version: str
    active: bool


class SessionList(Schema):
    """A session is active while its last call is younger than `session_timeout` seconds."""

    sessions: list[SessionOut]
    active_sessions: int
    session_timeout: int
    server_uptime_seconds: float


class UnansweredOut(Schema):
    query: str
    source_id: str | None
    count: int
    clients: list[str]
    last_asked: datetime


class UnansweredList(Schema):
    """Questions that found nothing and never did since, most asked first: what to crawl next."""

    unanswered: list[UnansweredOut]
    total: int


@router.get("/mcp/status", response=ServerStatus, summary="Status of the assistants' server")
def read_status(request: HttpRequest) -> dict[str, Any]:
    calls = records.answered()
    # A line says what an account asked for.
    newest = LogRecord.objects.order_by("-pk")[:10] if Scope.ADMIN in asking(request).scopes else ()
    return {
        "url": url_of(request),
        "version": VERSION,
        "started_at": STARTED_AT,
        "uptime": uptime_seconds(),
        "calls": calls.count(),
        "errors": calls.filter(metadata__has_key="error").count(),
        "active_sessions": records.active_sessions(),
        "last_call_at": calls.order_by("-pk").values_list("timestamp", flat=True).first(),
        "logs": [f"[{record.level}] {record.message}" for record in reversed(list(newest))],
    }


@router.get("/mcp/config", response=Config, summary="How assistants reach the server")
def read_config(request: HttpRequest, client: Annotated[str, Query(max_length=40)] = "") -> dict[str, Any]:
    """All set-up texts, or with `?client=` the one of that assistant."""
    url = url_of(request)
    names = [client] if client else list(clients.CLIENTS)
    reached = urlsplit(url)
    return {
        "host": reached.hostname,
        "port": reached.port or DEFAULT_PORTS[reached.scheme],
        "url": url,
        "token_required": not settings.LOCAL_MODE,
        "stdio_command": clients.stdio_command(),
        "crawls_per_hour": settings.MCP_CRAWLS_PER_HOUR,
        "clients": [asdict(clients.snippet(name, url)) for name in names],
    }


@router.get("/mcp/tools", response=ToolList, summary="Tools of the assistants' server")
def list_tools(request: HttpRequest) -> dict[str, Any]:
    load_sdk()
    from archon.mcp.tools import tool_bodies

    tools = tool_bodies()
    return {"tools": tools, "count": len(tools)}


@router.get("/mcp/clients", response=ClientList, summary="Assistants that called")
def list_clients(request: HttpRequest) -> dict[str, Any]:
    found = records.by_client(records.calls())
    return {"clients": found, "total": len(found)}


@router.get("/mcp/sessions", response=SessionList, summary="Sessions of assistants")
def list_sessions(request: HttpRequest) -> dict[str, Any]:
    found = records.by_session(records.calls())
    return {
        "sessions": found,
        "active_sessions": sum(session["active"] for session in found),
        "session_timeout": records.SESSION_SECONDS,
        "server_uptime_seconds": uptime_seconds(),
    }


@router.get("/mcp/unanswered", response=UnansweredList, summary="Questions that found nothing")
def list_unanswered(request: HttpRequest) -> dict[str, Any]:
    found = records.unanswered(records.calls())
    return {"unanswered": found, "total": len(found)}


def url_of(request: HttpRequest) -> str:
    """As the caller reached us, so that it holds behind a proxy and on any port."""
    return request.build_absolute_uri(PATH)
