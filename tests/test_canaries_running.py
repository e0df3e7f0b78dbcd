"""Planted secrets in a product that runs: whatever its processes write, send, keep or hand out holds none of them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.fernet import Fernet

from tests.site import Answer, LocalSite, docs_site
from tests.stack import Stack, eventually, running_stack
from tests.test_canaries import SECRETS
from tests.test_tracing import Collector, collector

__all__ = ["collector"]  # a fixture

KEY = Fernet.generate_key().decode()
# Of those that wait on disk: the settings are whole in the process and nowhere else.
GIVEN = {
    "ARCHON_SECRET_KEY": SECRETS["signing"],
    "ARCHON_ENCRYPTION_KEYS": KEY,
    "ARCHON_LLM_API_KEY": SECRETS["model"],
    "ARCHON_LLM_MODEL": "echo",
    "ARCHON_EMBEDDER": "remote",
    "ARCHON_EMBEDDER_MODEL": "echo",
    "ARCHON_EMBEDDER_KEY": SECRETS["embedder"],
    "ARCHON_EMBED_WAIT_SECONDS": "1",
    "ARCHON_LOG_LEVEL": "DEBUG",
}


# In one process: each start takes a second.
COMMANDS = """
from contextlib import suppress
from django.core.management import call_command
with suppress(SystemExit):
    call_command("doctor", "--json")
call_command("backup", {!r})
call_command("export", {!r}, "-")
"""


def echoing(request: web.Request) -> Answer:
    """A provider that puts the key it was sent into its complaint, as real ones do."""
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    error = {"error": {"message": f"The key {key} may not do this.", "type": "invalid_request_error", "code": "no"}}
    return Answer(json.dumps(error), 400, content_type="application/json")


def mcp(stack: Stack, method: str, **params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    accept = {"Accept": "application/json, text/event-stream"}
    return stack.request("POST", "/mcp", body, accept)[1]


def told_by_tools(stack: Stack) -> dict[str, str]:
    with_password = f"https://user:{SECRETS['site']}@docs.example.org/"
    told = {}
    for tool, arguments in (
        ("start_crawl", {"url": with_password}),
        ("crawl_single_page", {"url": with_password}),
        ("rag_search_knowledge_base", {"query": f"how to reach {with_password} by git"}),
        ("rag_list_pages_for_source", {"source_id": {"nested": with_password}}),
        ("health_check", {}),
    ):
        answer = json.dumps(mcp(stack, "tools/call", name=tool, arguments=arguments))
        told[f"the tool {tool}"] = "" if "query" in arguments else answer  # which repeats what was asked
    told["the tools"] = json.dumps(mcp(stack, "tools/list")) + json.dumps(mcp(stack, "resources/list"))
    return told


def told_over_rest(stack: Stack) -> dict[str, str]:
    stack.request("POST", "/api/chat/sessions/one/messages", {"message": "What is chapter 1?"})
    answered = eventually(lambda: [
        one for one in stack.get("/api/chat/sessions/one")["messages"] if one.get("error")
    ])  # fmt: skip
    return {
        "the chat": json.dumps(answered),
        "the log of calls": json.dumps(stack.get("/api/mcp/logs")),
        "the figures": str(stack.get("/metrics")),
        "the settings": json.dumps(stack.get("/api/settings")),
    }


def told_by_files(stack: Stack) -> dict[str, str]:
    """The logs, and what Redis keeps on disk."""
    told = {f"the log of {name}": stack.log(name) for name in ("worker", "beat", "web")}
    for path in sorted(stack.folder.rglob("*")):
        if path.is_file() and ("redis" in path.parts or "aof" in path.name or path.name.startswith("dump")):
            told[f"Redis's file {path.name}"] = path.read_bytes().decode("latin-1")
    return told


def told_by_backup(path: Path) -> dict[str, str]:
    told = {}
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            told[f"{member.name} of the backup"] = file.read().decode("latin-1") if file is not None else ""
    return told


@contextmanager
def planted_stack(collector: Collector) -> Iterator[tuple[Stack, LocalSite]]:
    with (
        LocalSite({**docs_site(3), "/v1/embeddings": echoing, "/v1/chat/completions": echoing}) as site,
        running_stack(
            **GIVEN,
            ARCHON_LLM_BASE_URL=f"{site.url}/v1",
            ARCHON_EMBEDDER_URL=f"{site.url}/v1",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="100",
        ) as stack,
    ):
        yield stack, site


def test_no_log_queue_trace_backup_or_export_of_a_running_product_holds_a_secret(
    collector: Collector, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.tar.gz"
    with planted_stack(collector) as (stack, site):
        hook = stack.request("POST", "/api/webhooks", {"url": f"{site.url}/hook", "events": ["crawl.finished"]})[1]
        made = stack.request("POST", "/api/tokens", {"name": "laptop", "scopes": ["read", "mcp"]})[1]
        ended = stack.ended(stack.crawl(f"{site.url}/docs/", max_pages=3))
        told = {"the progress": json.dumps(ended), **told_by_tools(stack), **told_over_rest(stack)}
        done = stack.manage("shell", "-v0", "-c", COMMANDS.format(str(backup), ended["sourceId"]))
        told["doctor, backup and export"] = done.stdout + done.stderr
        eventually(lambda: collector.named("slice"))
        told |= told_by_files(stack)
    told |= {"the traces": collector.bytes.decode("latin-1"), **told_by_backup(backup)}
    named = " ".join(told)
    assert "aof" in named, "the queue was looked at on disk"
    assert "of the backup" in named
    assert all(word in told["doctor, backup and export"] for word in ('"status"', "archon-source"))
    assert "crawl_slice" in told["the log of worker"], "the log was as talkative as it gets"
    assert "may not do this" in told["the chat"], "the provider's complaint was told, without the key"
    for where, text in told.items():
        for secret in (*SECRETS.values(), hook["secret"], made["token"].rpartition("_")[2], KEY):
            before = text.partition(secret)[0].splitlines()[-1:]
            assert secret not in text, f"{secret[:20]} in {where}, after {before}"
