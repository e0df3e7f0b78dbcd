"""Who is calling, and what what this process is doing for it.

The HTTP transport is stateless: any web process answers any request, and a restart strands no
client. A session is only a name that the server gives at the handshake and the client repeats. It
tells the client's own name and version, so a process that never saw the handshake still knows both.
It is no credential. What must be known to all processes is in archon/mcp/memory.py; what is here
concerns the calls that this process is answering.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archon.scopes import STAFF, Scope
from progress.viewer import Viewer, viewer_in

HEADER = "mcp-session-id"
# Where the endpoint tells the new id of a handshake.
SCOPE_KEY = "archon.mcp_session"
SESSIONS_KEPT = 2_000
UNKNOWN = "unknown"
PATTERN = re.compile(r"(?P<name>[a-z0-9.-]{1,40})_(?P<version>[A-Za-z0-9.+-]{0,20})(?:_[0-9a-f]{12})?")
STRANGE = re.compile(r"[^a-z0-9.-]+")


@dataclass(slots=True)
class Session:
    """`id` is empty for a client that keeps no session (protocol 2026-07-28): nothing is remembered of it."""

    id: str
    client_name: str
    client_version: str
    transport: str = "http"
    running: dict[str, Callable[[], None]] = field(default_factory=dict)
    log_level: str = "info"

    @property
    def client_id(self) -> str:
        return self.id or label(self.client_name, self.client_version)

    @property
    def shared_id(self) -> str:
        """Under which other processes know it, too: over stdio there are none."""
        return self.id if self.transport == "http" else ""

    def named(self, name: str, version: str) -> None:
        """The only client of a stdio server has said who it is."""
        if self.client_name != slug(name):
            key = self.id.rpartition("_")[2]
            self.client_name, self.client_version = slug(name), version[:20]
            self.id = f"{label(name, version)}_{key}"


class Caller(NamedTuple):
    """The account behind a call. In local mode and over stdio whoever calls is the operator of this machine."""

    viewer: Viewer
    user_id: int | None = None
    name: str = ""
    scopes: frozenset[Scope] = STAFF


class Sessions:
    """Those of this process, the ones used last. An account never meets the session of another one."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int | None, str], Session] = OrderedDict()

    def of(self, session_id: str, *, name: str = "", version: str = "", account: int | None = None) -> Session:
        """The session of this id; without an id one per client name."""
        key = (account, session_id or label(name, version))
        session = self._known.get(key)
        if session is None:
            session = self._known[key] = made(session_id, name, version)
        self._known.move_to_end(key)
        while len(self._known) > SESSIONS_KEPT:
            self._known.popitem(last=False)
        return session

    def forget(self, session_id: str, account: int | None) -> None:
        self._known.pop((account, session_id), None)


def caller_of(scope: Mapping[str, Any]) -> Caller:
    """As archon/auth.py found it."""
    user = scope.get("user")
    if user is None or user.pk is None:
        return Caller(viewer=viewer_in(scope))
    return Caller(viewer_in(scope), user.pk, user.get_username(), scope.get("archon.scopes", STAFF))


def made(session_id: str, name: str, version: str, transport: str = "http") -> Session:
    told = PATTERN.fullmatch(session_id)
    if told is not None:
        return Session(session_id, told["name"], told["version"], transport)
    return Session(session_id, slug(name), version[:20], transport)


def new_session_id(name: str, version: str) -> str:
    return f"{label(name, version)}_{secrets.token_hex(6)}"


def label(name: str, version: str) -> str:
    return f"{slug(name)}_{re.sub(r'[^A-Za-z0-9.+-]', '', version)[:20]}"


def slug(name: str) -> str:
    return STRANGE.sub("-", name.lower())[:40].strip("-") or UNKNOWN


sessions = Sessions()
# Of the call that is being answered; set by CallLog.
current: ContextVar[Session] = ContextVar("mcp_session")
caller: ContextVar[Caller] = ContextVar("mcp_caller")
