"""The table of tools: every name, its hints, and the old names that assistants may still use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from archon.mcp import about, asking, code, crawling

READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
# What a crawl adds is never taken from anybody; it reaches out into the web.
CRAWLS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
ENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


class Tool(NamedTuple):
    call: Callable[..., Awaitable[Any]]
    title: str
    hints: ToolAnnotations
    old_names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.call.__name__


TOOLS = (
    Tool(asking.rag_search_knowledge_base, "Search documentation", READS, ("perform_rag_query", "search_knowledge")),
    Tool(code.rag_search_code_examples, "Search code", READS, ("search_code_examples",)),
    Tool(asking.rag_get_available_sources, "List sources", READS, ("get_available_sources",)),
    Tool(asking.rag_list_pages_for_source, "List pages of a source", READS),
    Tool(asking.rag_read_full_page, "Read a page", READS),
    Tool(about.what_changed, "What changed in a source", READS),
    Tool(crawling.start_crawl, "Crawl a site", CRAWLS, ("smart_crawl_url",)),
    Tool(crawling.crawl_single_page, "Crawl one page", CRAWLS),
    Tool(crawling.get_crawl_status, "Status of crawls", READS),
    Tool(crawling.stop_crawl, "Stop a crawl", ENDS),
    Tool(crawling.refresh_source, "Crawl a source again", CRAWLS),
    Tool(about.health_check, "Health", READS),
    Tool(about.session_info, "This session", READS),
)


def tool_bodies() -> list[dict[str, Any]]:
    """The table as REST shows it, with the schemas that the SDK makes of the functions."""
    server: MCPServer[Any] = MCPServer("archon")
    add_tools(server)
    old_names = {old: tool.name for tool in TOOLS for old in tool.old_names}
    return [
        {
            "name": listed.name,
            "title": listed.title or "",
            "description": listed.description,
            "read_only": bool(listed.annotations and listed.annotations.read_only_hint),
            "destructive": bool(listed.annotations and listed.annotations.destructive_hint),
            "open_world": bool(listed.annotations and listed.annotations.open_world_hint),
            "alias_of": old_names.get(listed.name),
            "input_schema": listed.parameters,
            "output_schema": listed.output_schema,
        }
        for listed in server._tool_manager.list_tools()
    ]


def add_tools(server: MCPServer[Any]) -> None:
    for tool in TOOLS:
        server.add_tool(tool.call, title=tool.title, annotations=tool.hints, structured_output=True)
        for old_name in tool.old_names:
            server.add_tool(
                tool.call,
                name=old_name,
                title=tool.title,
                description=f"Old name of {tool.name}, which takes the same arguments.",
                annotations=tool.hints,
                structured_output=True,
            )
