"""How each assistant is told of this server: one table for REST, the dashboard and `manage.py mcp-config`.

Over HTTP by its URL; over stdio as a command that the assistant starts. On a server with accounts
the token is named as an environment variable or a placeholder, never written out.
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


def headers() -> Json:
    return {} if settings.LOCAL_MODE else {"headers": {"Authorization": f"Bearer {TOKEN}"}}


def written(body: Json) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)


def claude_code(url: str) -> Snippet:
    header = "" if settings.LOCAL_MODE else f" \\\n  --header 'Authorization: Bearer {TOKEN}'"
    text = f"claude mcp add --transport http {NAME} {shlex.quote(url)}{header}"
    return Snippet("claude-code", "Claude Code", "", "shell", text, "Add --scope user to have it in every project.")


def cursor(url: str) -> Snippet:
    entry = {"url": url, **headers()}
    config = base64.b64encode(json.dumps(entry).encode()).decode()
    link = f"cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={quote(config)}"
    return Snippet("cursor", "Cursor", "~/.cursor/mcp.json", "json", written({"mcpServers": {NAME: entry}}), "", link)


def vscode(url: str) -> Snippet:
    entry = {"type": "http", "url": url, **headers()}
    link = f"vscode:mcp/install?{quote(json.dumps({'name': NAME, **entry}))}"
    return Snippet("vscode", "VS Code", ".vscode/mcp.json", "json", written({"servers": {NAME: entry}}), "", link)


def windsurf(url: str) -> Snippet:
    text = written({"mcpServers": {NAME: {"serverUrl": url, **headers()}}})
    return Snippet("windsurf", "Windsurf", "~/.codeium/windsurf/mcp_config.json", "json", text)


def cline(url: str) -> Snippet:
    text = written({"mcpServers": {NAME: {"type": "streamableHttp", "url": url, **headers(), "disabled": False}}})
    return Snippet("cline", "Cline", "cline_mcp_settings.json", "json", text, "MCP Servers, Configure opens the file.")


def codex(url: str) -> Snippet:
    token = "" if settings.LOCAL_MODE else f'bearer_token_env_var = "{TOKEN_VARIABLE}"\n'
    # A TOML basic string has the escapes of JSON.
    text = f"[mcp_servers.{NAME}]\nurl = {json.dumps(url)}\n{token}"
    return Snippet("codex", "Codex", "~/.codex/config.toml", "toml", text, f"Or: codex mcp add {NAME} --url {url}")


def gemini(url: str) -> Snippet:
    text = written({"mcpServers": {NAME: {"httpUrl": url, **headers()}}})
    return Snippet("gemini", "Gemini CLI", "~/.gemini/settings.json", "json", text)


def opencode(url: str) -> Snippet:
    entry = {"type": "remote", "url": url, **headers(), "enabled": True}
    text = written({"$schema": "https://opencode.ai/config.json", "mcp": {NAME: entry}})
    return Snippet("opencode", "OpenCode", "opencode.json", "json", text)


def zed(url: str) -> Snippet:
    text = written({"context_servers": {NAME: {"url": url, **headers()}}})
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
