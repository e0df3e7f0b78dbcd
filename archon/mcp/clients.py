"""How each assistant is told of this server: one table for REST, the dashboard and `manage.py mcp-config`.

Over HTTP by its URL; over stdio as a command that the assistant starts. On a server with accounts the token is
never written out: it is named as the environment variable ARCHON_TOKEN in the spelling of each client, asked for
by VS Code, and a placeholder for the two clients that document neither. Files, keys and spellings are those of the
clients' own documentation; tests/mcp/test_clients.py has each as a whole.
"""

from __future__ import annotations

import base64
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from django.conf import settings

from archon.mcp import NAME

TOKEN_VARIABLE = "ARCHON_TOKEN"  # noqa: S105  # a name, not a token
TOKEN = "YOUR_TOKEN"  # noqa: S105
TOKEN_INPUT = "archon-token"  # noqa: S105
Language = Literal["json", "toml", "shell"]
Json = dict[str, Any]


class UnknownClient(Exception):
    """The message names the clients there are."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """`file` is where `text` belongs, empty for a command line; `link` installs with one click where that exists."""

    client: str
    title: str
    file: str
    language: Language
    text: str
    note: str = ""
    link: str = ""


def stdio_command() -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "mcp"]


def headers(token: str) -> Json:
    return {} if settings.LOCAL_MODE else {"headers": {"Authorization": f"Bearer {token}"}}


def exported(note: str = "") -> str:
    """What else to do where the token comes from the environment."""
    set_it = "" if settings.LOCAL_MODE else f"Set {TOKEN_VARIABLE} where the assistant is started."
    return f"{note} {set_it}".strip()


def written(body: Json) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)


def claude_code(url: str) -> Snippet:
    header = "" if settings.LOCAL_MODE else f' \\\n  --header "Authorization: Bearer ${TOKEN_VARIABLE}"'
    text = f"claude mcp add --transport http {NAME} {shlex.quote(url)}{header}"
    note = "Add --scope user to have it in every project."
    return Snippet("claude-code", "Claude Code", "", "shell", text, exported(note))


def cursor(url: str) -> Snippet:
    entry = {"url": url, **headers(f"${{env:{TOKEN_VARIABLE}}}")}
    config = base64.b64encode(json.dumps(entry).encode()).decode()
    link = f"cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={quote(config, safe='')}"
    text = written({"mcpServers": {NAME: entry}})
    return Snippet("cursor", "Cursor", "~/.cursor/mcp.json", "json", text, exported(), link)


def vscode(url: str) -> Snippet:
    """It asks for the token once and keeps it in its own store: the file may be committed."""
    entry = {"type": "http", "url": url, **headers(f"${{input:{TOKEN_INPUT}}}")}
    asked = {"type": "promptString", "id": TOKEN_INPUT, "description": "Archon token", "password": True}
    inputs: Json = {} if settings.LOCAL_MODE else {"inputs": [asked]}
    link = f"vscode:mcp/install?{quote(json.dumps({'name': NAME, **entry, **inputs}), safe='')}"
    text = written({**inputs, "servers": {NAME: entry}})
    return Snippet("vscode", "VS Code", ".vscode/mcp.json", "json", text, "", link)


def windsurf(url: str) -> Snippet:
    text = written({"mcpServers": {NAME: {"serverUrl": url, **headers(f"${{env:{TOKEN_VARIABLE}}}")}}})
    return Snippet("windsurf", "Windsurf", "~/.codeium/windsurf/mcp_config.json", "json", text, exported())


def cline(url: str) -> Snippet:
    """Without a type it takes any URL for the transport of old, SSE."""
    entry = {"type": "streamableHttp", "url": url, **headers(TOKEN), "disabled": False}
    note = "MCP Servers, Configure opens the file; for the command line it is in ~/.cline/data/settings."
    return Snippet("cline", "Cline", "cline_mcp_settings.json", "json", written({"mcpServers": {NAME: entry}}), note)


def codex(url: str) -> Snippet:
    key = "" if settings.LOCAL_MODE else f'bearer_token_env_var = "{TOKEN_VARIABLE}"\n'
    option = "" if settings.LOCAL_MODE else f" --bearer-token-env-var {TOKEN_VARIABLE}"
    # A TOML basic string has the escapes of JSON.
    text = f"[mcp_servers.{NAME}]\nurl = {json.dumps(url)}\n{key}"
    note = f"Or: codex mcp add {NAME} --url {shlex.quote(url)}{option}."
    return Snippet("codex", "Codex", "~/.codex/config.toml", "toml", text, exported(note))


def gemini(url: str) -> Snippet:
    """`url` would be the transport of old, SSE."""
    text = written({"mcpServers": {NAME: {"httpUrl": url, **headers(f"${{{TOKEN_VARIABLE}}}")}}})
    return Snippet("gemini", "Gemini CLI", "~/.gemini/settings.json", "json", text, exported())


def opencode(url: str) -> Snippet:
    entry = {"type": "remote", "url": url, **headers(f"{{env:{TOKEN_VARIABLE}}}")}
    text = written({"$schema": "https://opencode.ai/config.json", "mcp": {"servers": {NAME: entry}}})
    note = f"OpenCode 1 takes {NAME} directly under mcp. For every project: ~/.config/opencode/opencode.json."
    return Snippet("opencode", "OpenCode", "opencode.json", "json", text, exported(note))


def zed(url: str) -> Snippet:
    text = written({"context_servers": {NAME: {"url": url, **headers(TOKEN)}}})
    return Snippet("zed", "Zed", "~/.config/zed/settings.json", "json", text)


def stdio(url: str) -> Snippet:
    command, *arguments = stdio_command()
    text = written({"mcpServers": {NAME: {"command": command, "args": arguments}}})
    return Snippet("stdio", "Any client, over stdio", "", "json", text, "For clients without Streamable HTTP.")


CLIENTS: dict[str, Callable[[str], Snippet]] = {
    "claude-code": claude_code,
    "cursor": cursor,
    "vscode": vscode,
    "windsurf": windsurf,
    "cline": cline,
    "codex": codex,
    "gemini": gemini,
    "opencode": opencode,
    "zed": zed,
    "stdio": stdio,
}


def snippet(client: str, url: str) -> Snippet:
    """Raises UnknownClient."""
    try:
        return CLIENTS[client](url)
    except KeyError:
        raise UnknownClient(f"{client[:40]!r} is no known client. Known are: {', '.join(CLIENTS)}.") from None
