"""What a tool is called with, judged before it runs: a wrong argument is refused by its name, in one line.

The SDK drops an argument that it does not know. An option that has no effect is worse than a
refusal: its caller believes in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent
from pydantic import ValidationError

FAULTS_TOLD = 5
GIVEN_CHARS = 60


class Arguments:
    """An SDK middleware around `server`'s tools."""

    def __init__(self) -> None:
        self.server: MCPServer[Any] | None = None

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        params = ctx.params or {}
        arguments = params.get("arguments") or {}
        if ctx.method == "tools/call" and isinstance(arguments, Mapping) and self.server is not None:
            faults = self._faults(str(params.get("name", "")), dict(arguments))
            if faults:
                text = f"{' '.join(faults)} [arguments_invalid] Call again without these faults."
                refusal = CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
                return refusal.model_dump(mode="json", by_alias=True, exclude_none=True)
        return await call_next(ctx)

    def _faults(self, name: str, arguments: dict[str, Any]) -> list[str]:
        assert self.server is not None
        tool = self.server._tool_manager.get_tool(name)
        if tool is None:  # which the SDK tells
            return []
        taken = list(tool.parameters.get("properties", ()))
        # Some clients send a dummy to a tool that takes nothing.
        unknown = [given for given in arguments if given not in taken] if taken else []
        takes = f"{name} takes {', '.join(taken)}."
        faults = [f"There is no argument {given[:GIVEN_CHARS]!r}; {takes}" for given in unknown]
        try:
            tool.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            faults += [fault_of(one) for one in error.errors(include_url=False)]
        return faults[:FAULTS_TOLD]


def fault_of(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"{place} is missing."
    return f"{place}: {error['msg']}, not {repr(error['input'])[:GIVEN_CHARS]}."
