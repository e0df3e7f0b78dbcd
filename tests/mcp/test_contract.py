"""Every tool under every name, by the SDK's own client: its answer is what its declared schema says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jsonschema
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from archon.mcp.tools import TOOLS
from tests.crawler.jobs import SEED
from tests.knowledge.pages import page, source, store
from tests.mcp.assistant import ask, assistant, in_django, refused
from tests.mcp.conftest import LogRows

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "# Walrus\n\nThe walrus sleeps on ice.\n\n```python\nwalrus.sleep()\n```\n"
NAMES = [name for tool in TOOLS for name in (tool.name, *tool.old_names)]


@asynccontextmanager
async def joined() -> AsyncIterator[Client]:
    await in_django(lambda: store(source(), page("walrus", PAGE, "Walrus")))
    async with assistant() as client:
        yield client


async def arguments_of(client: Client, tool: str) -> dict[str, Any]:
    """What makes the tool answer with something in every field that may hold something."""
    if "search" in tool or tool == "perform_rag_query":
        return {"query": "walrus sleep"}
    if tool in ("start_crawl", "smart_crawl_url"):
        return {"url": SEED}
    if tool == "crawl_single_page":
        return {"url": SEED, "wait_seconds": 0}
    if tool == "stop_crawl":
        return {"progress_id": (await ask(client, "start_crawl", url=SEED))["progress_id"]}
    if tool == "get_crawl_status":
        await ask(client, "start_crawl", url=SEED)
    if tool == "rag_read_full_page":
        return {"url": "https://docs.example.com/walrus"}
    return {"source_id": "example"} if tool in ("rag_list_pages_for_source", "what_changed") else {}


@pytest.mark.parametrize("tool", [name for name in NAMES if name != "refresh_source"])
async def test_the_answer_fits_its_schema(tool: str) -> None:
    async with joined() as client:
        (listed,) = [one for one in (await client.list_tools()).tools if one.name == tool]
        assert listed.output_schema is not None
        jsonschema.Draft202012Validator.check_schema(listed.output_schema)
        jsonschema.Draft202012Validator.check_schema(listed.input_schema)
        result = await client.call_tool(tool, arguments := await arguments_of(client, tool))
        assert not result.is_error, result.content
        jsonschema.validate(arguments, listed.input_schema)
        jsonschema.validate(result.structured_content, listed.output_schema)
        assert json.loads(getattr(result.content[0], "text", "")) == result.structured_content


async def test_what_is_refused_has_no_structure_and_a_remedy() -> None:
    async with joined() as client:
        for tool, arguments in (
            ("refresh_source", {"source_id": "nowhere"}),
            ("what_changed", {"source_id": "example", "since": "yesterday"}),
            ("rag_list_pages_for_source", {"source_id": "example", "limit": 5_000}),
            ("start_crawl", {"url": SEED, "max_depth": 9}),
            ("start_crawl", {"url": SEED, "wait_seconds": -1}),
            ("start_crawl", {"url": "http://" + "a" * 5_000}),
            ("rag_read_full_page", {"page_id": "1", "url": "https://docs.example.com/walrus"}),
            ("no_such_tool", {}),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error, (tool, arguments)
            assert result.structured_content is None
            assert len(getattr(result.content[0], "text", "")) > 20
        assert "query" in await refused(client, "search_knowledge", query={"$ne": 1})


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_wrong_argument_is_named_and_logged(log_rows: LogRows, mode: str) -> None:
    """An option that is dropped in silence is one that its caller believes in."""
    async with assistant(mode) as client:
        told = await refused(client, "search_knowledge", query="walrus", source_ids=["example"], match_count=0)
        await ask(client, "health_check", dummy="")
    assert "There is no argument 'source_ids'; search_knowledge takes query, source_id, " in told
    assert "match_count: Input should be greater than or equal to 1, not 0. [arguments_invalid]" in told
    assert "pydantic" not in told
    searched, health = (await in_django(log_rows.all))[-2:]
    assert searched.metadata["error"] == told
    assert "error" not in health.metadata


async def test_resources_are_listed_and_read() -> None:
    async with joined() as client:
        (listed,) = (await client.list_resources()).resources
        (template,) = (await client.list_resource_templates()).resource_templates
        assert (str(listed.uri), listed.mime_type) == ("archon://sources", "application/json")
        assert (template.uri_template, template.mime_type) == ("archon://pages/{page_id}", "text/markdown")
        read = (await client.read_resource("archon://sources")).contents[0]
        assert json.loads(getattr(read, "text", "")) == await ask(client, "rag_get_available_sources")
        for uri in ("archon://pages/none", "archon://pages/", "archon://nothing", "file:///etc/passwd"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)
