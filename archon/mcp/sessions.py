"""Who is calling, and what this process remembers of it.

The HTTP transport is stateless: any web process answers any request, and a restart strands no
client. A session is only a name that the server gives at the handshake and the client repeats. It
tells the client's own name and version, so a process that never saw the handshake still knows both.
It is no credential. What is remembered of it may be lost at any time.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field

HEADER = "mcp-session-id"
# Where the endpoint tells the new id of a handshake.
SCOPE_KEY = "archon.mcp_session"
SESSIONS_KEPT = 2_000
PASSAGES_KEPT = 2_000
HOUR = 3_600.0
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
    given: OrderedDict[int, None] = field(default_factory=OrderedDict)
    crawls: deque[float] = field(default_factory=deque)
    running: dict[str, Callable[[], None]] = field(default_factory=dict)
    log_level: str = "info"

    @property
    def client_id(self) -> str:
        return self.id or label(self.client_name, self.client_version)

    def named(self, name: str, version: str) -> None:
        """The only client of a stdio server has said who it is."""
        if self.client_name != slug(name):
            key = self.id.rpartition("_")[2]
            self.client_name, self.client_version = slug(name), version[:20]
            self.id = f"{label(name, version)}_{key}"

    def give(self, passages: Iterable[int]) -> None:
        """Remember what was told, so that it is not told again."""
        if not self.id:
            return
        for passage in passages:
            self.given[passage] = None
            self.given.move_to_end(passage)
        while len(self.given) > PASSAGES_KEPT:
            self.given.popitem(last=False)

    def may_crawl(self, limit: int) -> bool:
        """Counts one crawl, unless `limit` of them were started within the last hour."""
        now = time.monotonic()
        while self.crawls and self.crawls[0] < now - HOUR:
            self.crawls.popleft()
        if len(self.crawls) >= limit:
            return False
        self.crawls.append(now)
        return True


class Sessions:
    """Those of this process, the ones used last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Session] = OrderedDict()

    def of(self, session_id: str, *, name: str = "", version: str = "", transport: str = "http") -> Session:
        """The session of this id; without an id one per client name, which carries limits and no memory."""
        key = session_id or label(name, version)
        session = self._known.get(key)
        if session is None:
            session = self._known[key] = made(session_id, name, version, transport)
        self._known.move_to_end(key)
        while len(self._known) > SESSIONS_KEPT:
            self._known.popitem(last=False)
        return session

    def forget(self, session_id: str) -> None:
        self._known.pop(session_id, None)


def made(session_id: str, name: str, version: str, transport: str) -> Session:
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
