"""robots.txt by RFC 9309: parsed once, asked for every URL.

Where the RFC leaves room, the answers are those of Google's parser, which sites are tested against: missing colons and
misspelt keys are understood, unknown lines do not end a group, /index.html stands for its directory. Two differences,
both the RFC's: %62 in a rule is compared as "b", and a full User-Agent header is reduced to its product token.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple, Self
from urllib.parse import quote

from crawler.urls import path_and_query, percent_normal

MAX_ROBOTS_BYTES = 500 * 1024
MAX_LINE_BYTES = 2_083 * 8
MAX_CRAWL_DELAY_SECONDS = 60.0

_KEYS = (  # prefixes, commonest first; the misspellings are the ones Google's parser knows
    ("disallow", ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw")),
    ("allow", ("allow",)),
    ("user-agent", ("user-agent", "useragent", "user agent")),
    ("sitemap", ("sitemap", "site-map")),
    ("crawl-delay", ("crawl-delay", "crawldelay")),
)
_WILDCARD = re.compile(r"\*|\$$")
_TOKEN = re.compile(r"[A-Za-z_-]+")
_KEEP = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>^`{}')


class Rule(NamedTuple):
    allow: bool
    path: str

    def matches(self, target: str) -> bool:
        """Most rules are plain prefixes, and most others differ in their first characters."""
        prefix = _WILDCARD.split(self.path, maxsplit=1)[0]
        return target.startswith(prefix) and (prefix == self.path or _pattern(self.path).match(target) is not None)


@dataclass(slots=True)
class Group:
    """Rules of the agents named above them; "*" is among the agents of a group for everybody."""

    agents: set[str] = field(default_factory=set)
    rules: list[Rule] = field(default_factory=list)
    closed: bool = False  # a rule came, even an empty one: the next user-agent line begins another group

    def add(self, *, allow: bool, path: str) -> None:
        self.closed = True
        self.rules.extend(_rules(allow, _comparable(path)))


@dataclass(slots=True)
class Parsed:
    groups: list[Group] = field(default_factory=list)
    delays: list[tuple[frozenset[str], float]] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RobotsRules:
    """What one origin's robots.txt answered: `status` None means that nothing did, and `error` says why."""

    status: int | None
    body: str = ""
    error: str = ""

    @classmethod
    def from_response(cls, status: int | None, body: bytes) -> Self:
        if status is None or not 200 <= status < 300:
            return cls(status)
        return cls(status, _complete_lines(body).decode("utf-8", "replace").replace("\0", "\ufffd"))

    @property
    def unreachable(self) -> bool:
        """The server failed or could not be reached, so everything is forbidden for now; ask again later."""
        return self.status is None or self.status >= 500

    def allows(self, url: str, agent: str) -> bool:
        """Whether `agent` (a product token or a whole User-Agent header) may ask for this canonical URL."""
        if self.unreachable:
            return False
        path, query = path_and_query(url)
        if path == "/robots.txt":
            return True
        target = _comparable(f"{path}?{query}" if query else path)
        for rule in self._rules_for(agent):
            if rule.matches(target):
                return rule.allow
        return True

    def crawl_delay(self, agent: str) -> float | None:
        """Seconds between requests, at most a minute."""
        key = self._key_for(agent)
        delays = [seconds for agents, seconds in self._parsed.delays if key in agents]
        return min(delays[0], MAX_CRAWL_DELAY_SECONDS) if delays else None

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """As written in the file: possibly relative, possibly of another host."""
        return tuple(dict.fromkeys(self._parsed.sitemaps))

    @cached_property
    def _parsed(self) -> Parsed:
        return _parse(self.body)

    @cached_property
    def _sorted_rules(self) -> dict[str, tuple[Rule, ...]]:
        return {}

    def _key_for(self, agent: str) -> str:
        """The agent itself when a group names it, even one without rules; else everybody."""
        token = _TOKEN.match(agent)
        name = token[0].casefold() if token else ""
        return name if any(name in group.agents for group in self._parsed.groups) else "*"

    def _rules_for(self, agent: str) -> tuple[Rule, ...]:
        """The longest rule first, allow before disallow: the first that matches decides."""
        if agent not in self._sorted_rules:
            key = self._key_for(agent)
            rules = [rule for group in self._parsed.groups if key in group.agents for rule in group.rules]
            self._sorted_rules[agent] = tuple(sorted(rules, key=lambda rule: (-len(rule.path), not rule.allow)))
        return self._sorted_rules[agent]


def trouble(origin: str, rules: RobotsRules, *, respected: bool) -> str:
    """Why a robots.txt could not be read, and what follows from it; nothing for one that could."""
    if not rules.unreachable:
        return ""
    reason = f": {rules.error.rstrip('.')}" if rules.error else ""
    follows = ". Without it no page may be fetched (RFC 9309)" if respected else ""
    return f"robots.txt of {origin} cannot be read{reason}{follows}."


def _rules(allow: bool, path: str) -> Iterator[Rule]:
    if not path:
        return
    yield Rule(allow, path)
    directory, slash, name = path.rpartition("/")
    if allow and slash and name.startswith("index.htm"):
        yield from _rules(allow, f"{directory}/$")


@lru_cache(maxsize=4_096)
def _pattern(path: str) -> re.Pattern[str]:
    """* is any run of characters, a final $ the end. Atomic groups keep a hostile pattern linear."""
    text = path.removesuffix("$")
    first, *rest = (re.escape(piece) for piece in re.split(r"\*+", text))
    if text == path:
        return re.compile(first + "".join(f"(?>.*?{piece})" for piece in rest))
    if not rest:
        return re.compile(first + r"\Z")
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in middle) + rf".*{last}\Z")


def _comparable(text: str) -> str:
    """Rules and URLs in one spelling: octets outside ASCII and those no URL may hold as %XX."""
    return percent_normal(quote(text, safe=_KEEP))


def _complete_lines(body: bytes) -> bytes:
    """The part we read. A line cut in half could forbid more than was written, so it goes."""
    text = body.removeprefix(b"\xef\xbb\xbf")
    if len(text) < MAX_ROBOTS_BYTES:
        return text
    kept = text[:MAX_ROBOTS_BYTES]
    return kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]


def _parse(body: str) -> Parsed:
    parsed = Parsed()
    group: Group | None = None
    for key, value in _lines(body):
        if key == "user-agent":
            if group is None or group.closed:
                group = Group()
                parsed.groups.append(group)
            group.agents.add(_agent_key(value))
        elif key == "sitemap":
            parsed.sitemaps.append(value)
        elif group is not None and key == "crawl-delay":
            _add_delay(parsed, group, value)
        elif group is not None:
            group.add(allow=key == "allow", path=value)
    return parsed


def _lines(body: str) -> Iterator[tuple[str, str]]:
    for line in re.split(r"\r\n|\r|\n", body):
        text = line[:MAX_LINE_BYTES].partition("#")[0].strip()
        key, colon, value = text.partition(":")
        if not colon:
            words = text.split()
            if len(words) != 2:
                continue
            key, value = words
        name = _key_name(key.strip().lower())
        if name:
            yield name, value.strip()


def _key_name(written: str) -> str:
    return next((name for name, prefixes in _KEYS if written.startswith(prefixes)), "")


def _agent_key(value: str) -> str:
    if value == "*" or value.startswith(("* ", "*\t")):
        return "*"
    token = _TOKEN.match(value)
    return token[0].casefold() if token else ""


def _add_delay(parsed: Parsed, group: Group, value: str) -> None:
    try:
        seconds = float(value)
    except ValueError:
        return
    if 0 <= seconds < float("inf"):
        parsed.delays.append((frozenset(group.agents), seconds))
