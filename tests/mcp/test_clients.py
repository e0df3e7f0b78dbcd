"""Set-up texts: each is, as a whole, what the client's own documentation asks for; no token is ever written out.

The documentation is named beside each. A client that changes its format changes its line here.
"""

from __future__ import annotations

import base64
import json
import shlex
import tomllib
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.test import Client

from archon.mcp.clients import CLIENTS, Snippet, UnknownClient, snippet

URL = "http://192.0.2.7:8123/mcp"
OPENCODE = "https://opencode.ai/config.json"


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


# By client: what stands in its file in local mode, and what else on a server with accounts (the same keys deeper).
LOCAL: dict[str, dict[str, Any]] = {
    "cursor": {"mcpServers": {"archon": {"url": URL}}},  # cursor.com/docs/mcp
    # code.visualstudio.com/docs/copilot/reference/mcp-configuration
    "vscode": {"servers": {"archon": {"type": "http", "url": URL}}},
    "windsurf": {"mcpServers": {"archon": {"serverUrl": URL}}},  # docs.windsurf.com/windsurf/cascade/mcp
    # docs.cline.bot/mcp; without the type it is SSE: github.com/cline/cline/issues/6767
    "cline": {"mcpServers": {"archon": {"type": "streamableHttp", "url": URL, "disabled": False}}},
    "codex": {"mcp_servers": {"archon": {"url": URL}}},  # developers.openai.com/codex/mcp
    "gemini": {"mcpServers": {"archon": {"httpUrl": URL}}},  # geminicli.com/docs/tools/mcp-server
    # opencode.ai/docs/mcp-servers: version 2 takes no server directly under `mcp`, and no `enabled`
    "opencode": {"$schema": OPENCODE, "mcp": {"servers": {"archon": {"type": "remote", "url": URL}}}},
    "zed": {"context_servers": {"archon": {"url": URL}}},  # zed.dev/docs/ai/mcp
}
TOKENS: dict[str, dict[str, Any]] = {
    "cursor": bearer("${env:ARCHON_TOKEN}"),
    "vscode": bearer("${input:archon-token}"),
    "windsurf": bearer("${env:ARCHON_TOKEN}"),
    "cline": bearer("YOUR_TOKEN"),
    "codex": {"bearer_token_env_var": "ARCHON_TOKEN"},
    "gemini": bearer("${ARCHON_TOKEN}"),
    "opencode": bearer("{env:ARCHON_TOKEN}"),
    "zed": bearer("YOUR_TOKEN"),
}
FILES = {
    "claude-code": "",
    "cursor": "~/.cursor/mcp.json",
    "vscode": ".vscode/mcp.json",
    "windsurf": "~/.codeium/windsurf/mcp_config.json",
    "cline": "cline_mcp_settings.json",
    "codex": "~/.codex/config.toml",
    "gemini": "~/.gemini/settings.json",
    "opencode": "opencode.json",
    "zed": "~/.config/zed/settings.json",
    "stdio": "",
}
INPUTS = [{"type": "promptString", "id": "archon-token", "description": "Archon token", "password": True}]


def parsed(told: Snippet) -> dict[str, Any]:
    return tomllib.loads(told.text) if told.language == "toml" else dict(json.loads(told.text))


def with_token(body: Any, more: dict[str, Any]) -> Any:
    """The same file, with the server's entry extended."""
    if not isinstance(body, dict):
        return body
    return {key: {**value, **more} if key == "archon" else with_token(value, more) for key, value in body.items()}


def test_every_client_has_its_line_here() -> None:
    assert set(CLIENTS) == {*LOCAL, "claude-code", "stdio"} == FILES.keys()
    assert TOKENS.keys() == LOCAL.keys()


@pytest.mark.parametrize("client", LOCAL)
def test_on_a_laptop_a_client_needs_the_address_alone(client: str) -> None:
    told = snippet(client, URL)
    assert (told.client, told.file, parsed(told)) == (client, FILES[client], LOCAL[client])
    assert "oken" not in told.text + told.note


@pytest.mark.parametrize("client", LOCAL)
def test_on_a_server_it_is_told_where_the_token_comes_from(client: str, settings: Any) -> None:
    settings.LOCAL_MODE = False
    told = snippet(client, URL)
    inputs = {"inputs": INPUTS} if client == "vscode" else {}
    assert parsed(told) == with_token(LOCAL[client], TOKENS[client]) | inputs
    assert ("ARCHON_TOKEN" in told.text) is ("Set ARCHON_TOKEN" in told.note)


def test_claude_code_is_set_up_by_a_command(settings: Any) -> None:
    """code.claude.com/docs/en/mcp: the options, the name, the address; headers may follow."""
    words = ["claude", "mcp", "add", "--transport", "http", "archon", URL]
    assert shlex.split(snippet("claude-code", URL).text) == words
    settings.LOCAL_MODE = False
    told = snippet("claude-code", URL).text.replace("\\\n", "")
    assert shlex.split(told) == [*words, "--header", "Authorization: Bearer $ARCHON_TOKEN"]
    assert '"Authorization' in told, "the shell must put the variable in"


@pytest.mark.parametrize("local", [True, False])
def test_links_install_the_same_as_the_text(local: bool, settings: Any) -> None:
    """cursor.com/docs/mcp/install-links, and VS Code's guide for developers of servers."""
    settings.LOCAL_MODE = local
    cursor, vscode = snippet("cursor", URL), snippet("vscode", URL)
    assert cursor.link.startswith("cursor://anysphere.cursor-deeplink/mcp/install?name=archon&config=")
    config = parse_qs(urlsplit(cursor.link).query)["config"][0]
    assert json.loads(base64.b64decode(config, validate=True)) == parsed(cursor)["mcpServers"]["archon"]
    scheme, _, config = vscode.link.partition("?")
    assert scheme == "vscode:mcp/install"
    file = parsed(vscode)
    inputs = {"inputs": file["inputs"]} if not local else {}
    assert json.loads(unquote(config)) == {"name": "archon", **file["servers"]["archon"], **inputs}
    assert not {client for client in CLIENTS if snippet(client, URL).link} - {"cursor", "vscode"}


@pytest.mark.django_db
@pytest.mark.parametrize("client", [*LOCAL, "claude-code"])
def test_over_rest_each_names_the_address_that_was_asked(client: str, client_of: Client) -> None:
    answer = client_of.get(f"/api/mcp/config?client={client}", headers={"Host": "localhost:8123"}).json()
    (told,) = answer["clients"]
    assert "http://localhost:8123/mcp" in told["text"]
    assert (answer["host"], answer["port"]) == ("localhost", 8123)
    plain = client_of.get(f"/api/mcp/config?client={client}", headers={"Host": "localhost"}).json()
    assert (plain["host"], plain["port"]) == ("localhost", 80), "not the port behind a proxy"


@pytest.fixture
def client_of() -> Client:
    return Client()


def test_a_client_that_speaks_stdio_starts_this_archon() -> None:
    entry = json.loads(snippet("stdio", URL).text)["mcpServers"]["archon"]
    assert entry["args"][-2].endswith("manage.py")
    assert entry["args"][-1] == "mcp"


def test_an_unknown_client_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownClient, match="Known are: claude-code, cursor"):
        snippet("emacs", URL)
