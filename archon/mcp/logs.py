"""Every call as one record of the live log: who, what, how long, how much was found, what went wrong.

An SDK middleware: it stands around the handshake, every tool and every resource, so no tool can
forget to log. Records go to the logger `mcp.server`, whose rows are streamed by progress.logs.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CLIENT_INFO_META_KEY
from pydantic import ValidationError

from archon.mcp.cancelling import cancelled_from_elsewhere
from archon.mcp.memory import CallName
from archon.mcp.sessions import HEADER, SCOPE_KEY, Caller, Session, caller, caller_of, current, sessions
from progress.log_rows import LOGGER
from progress.viewer import OPERATOR

logger = logging.getLogger(LOGGER)

LOGGED = {"initialize", "server/discover", "tools/call", "resources/read"}
# A record is read in a list: of a long argument the beginning will do.
ARGUMENT_CHARS = 200
ARGUMENTS_SHOWN = 20
ERROR_CHARS = 2_000
# What stands before the host of an address: the log of calls outlives the call that was refused for it.
CREDENTIALS = re.compile(r"//[^\s/?#@'\"]*@")
CANCELLED = -32800
# The argument that says what a call is about, the first that is there.
SUBJECTS = ("query", "url", "progress_id", "source_id", "source", "page_id", "uri")

Context = ServerRequestContext[Any, Any]


class CallLog:
    """`stdio` is the session of a server that has one client only; until `ready` there may be no database."""

    def __init__(self, stdio: Session | None = None, ready: asyncio.Future[Any] | None = None) -> None:
        self.stdio = stdio
        self.ready = ready

    async def __call__(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        # Over stdio it is whoever started us.
        who = caller_of(ctx.request.scope) if ctx.request is not None else Caller(OPERATOR)
        session = self._session(ctx, who)
        calling, token = caller.set(who), current.set(session)
        try:
            if ctx.method not in LOGGED or ctx.request_id is None:
                return await call_next(ctx)
            return await self._logged(session, ctx, call_next)
        finally:
            current.reset(token)
            caller.reset(calling)

    def _session(self, ctx: Context, who: Caller) -> Session:
        params = ctx.params or {}
        info = mapping(params.get("clientInfo")) or mapping(mapping(params.get("_meta")).get(CLIENT_INFO_META_KEY))
        name, version = str(info.get("name", "")), str(info.get("version", ""))
        if self.stdio is not None:
            if name:
                self.stdio.named(name, version)
            return self.stdio
        request = ctx.request
        if request is None:
            return sessions.of("", name=name, version=version, account=who.user_id)
        given = str(request.scope.get(SCOPE_KEY) or request.headers.get(HEADER, ""))[:128]
        return sessions.of(given, name=name, version=version, account=who.user_id)

    async def _logged(self, session: Session, ctx: Context, call_next: CallNext) -> HandlerResult:
        started = time.perf_counter()
        outcome: dict[str, Any] = {}
        call = CallName.of(caller.get().user_id, session.shared_id, ctx.request_id)
        try:
            with anyio.CancelScope() as scope:
                # A cancel comes as a request of its own, which finds the call by this.
                session.running[call.request_id] = scope.cancel
                async with cancelled_from_elsewhere(call, scope.cancel):
                    result = await call_next(ctx)
                outcome = outcome_of(result)
                return result
            outcome = {"error": "cancelled by the client"}
            raise MCPError(code=CANCELLED, message="The request was cancelled.")
        except MCPError as error:
            outcome = outcome or {"error": error.error.message}
            raise
        except ValidationError as error:
            outcome = {"error": f"invalid parameters: {error.error_count()} faults"}
            raise
        except anyio.get_cancelled_exc_class():
            outcome = {"error": "the client went away"}
            raise
        except Exception as error:
            outcome = {"error": f"{type(error).__name__}: {error}"}
            raise
        finally:
            session.running.pop(call.request_id, None)
            self._record(session, ctx, outcome, time.perf_counter() - started)

    def _record(self, session: Session, ctx: Context, outcome: Mapping[str, Any], seconds: float) -> None:
        if self.ready is None or self.ready.done():
            record(session, ctx, outcome, seconds)
        else:
            write = partial(record, session, ctx, outcome, seconds)
            self.ready.add_done_callback(lambda ready: ready.exception() or write())


def record(session: Session, ctx: Context, outcome: Mapping[str, Any], seconds: float) -> None:
    params = ctx.params or {}
    arguments = digest(mapping(params.get("arguments")))
    tool = str(params.get("name", ""))[:128] if ctx.method == "tools/call" else None
    metadata: dict[str, Any] = {
        "client_id": session.client_id,
        "session_id": session.id or None,
        "client_name": session.client_name,
        "client_version": session.client_version,
        "user": caller.get().name or None,
        "transport": session.transport,
        "protocol_version": str(params.get("protocolVersion") or ctx.protocol_version)[:20],
        "method": ctx.method,
        "tool_name": tool,
        "arguments": arguments,
        "execution_time": round(seconds, 4),
        **outcome,
    }
    if "error" in outcome:
        metadata["error"] = CREDENTIALS.sub("//…@", str(outcome["error"]))
    if "uri" in params:
        metadata["arguments"] = {"uri": shortened(str(params["uri"]))}
    level = logging.WARNING if "error" in outcome else logging.INFO
    logger.log(level, "%s", sentence(session, ctx.method, metadata), extra={"metadata": metadata})


def sentence(session: Session, method: str, metadata: Mapping[str, Any]) -> str:
    who = f"{session.client_name} {session.client_version}".strip()
    if method in ("initialize", "server/discover"):
        said = f"Client '{who}' connected"
    else:
        subject = next((name for name in SUBJECTS if name in metadata["arguments"]), "")
        about = f" with {subject}: {metadata['arguments'][subject]!r}" if subject else ""
        what = f"Tool '{metadata['tool_name']}'" if metadata["tool_name"] else "Resource"
        said = f"{what} called{about}"
    return f"{said}, failed: {metadata['error']}" if "error" in metadata else said


def outcome_of(result: HandlerResult) -> dict[str, Any]:
    """How many results, whether they are only the nearest there is (`weak`), and the text of a tool's own error.

    The SDK hands on the wire form.
    """
    wire = mapping(result)
    if wire.get("isError"):
        text = " ".join(str(mapping(block).get("text", "")) for block in wire.get("content", ()))
        return {"error": text[:ERROR_CHARS] or "failed without a word"}
    told = mapping(wire.get("structuredContent"))
    count = told.get("count")
    weak = {"weak": True} if told.get("weak") else {}
    return {"result_count": count, **weak} if isinstance(count, int) else {}


def digest(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name)[:64]: shortened(value) for name, value in list(arguments.items())[:ARGUMENTS_SHOWN]}


def shortened(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = CREDENTIALS.sub("//…@", value if isinstance(value, str) else repr(value))
    return text if len(text) <= ARGUMENT_CHARS else f"{text[:ARGUMENT_CHARS]}…"


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
