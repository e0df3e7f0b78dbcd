"""Set-up texts: each parses in its own language and names this server; no token is ever written out."""

from __future__ import annotations

import base64
import json
import shlex
import tomllib
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from archon.mcp.clients import CLIENTS, TOKEN, UnknownClient, snippet

URL = "http://localhost:8123/mcp"
URL_KEYS = ("url", "serverUrl", "httpUrl")


def entry(text: str) -> dict[str, Any]:
    """The innermost object called archon, wherever a client wants it."""
    found: Any = json.loads(text)
    while "archon" not in found:
        found = next(value for value in found.values() if isinstance(value, dict))
    return dict(found["archon"])


@pytest.mark.parametrize("client", sorted(set(CLIENTS) - {"stdio"}))
@pytest.mark.parametrize("local", [True, False])
def test_every_client_is_told_the_address_and_on_a_server_the_token(client: str, local: bool, settings: Any) -> None:
    settings.LOCAL_MODE = local
    told = snippet(client, URL)
    assert told.client == client
    assert URL in told.text
    assert ("oken" in told.text.lower()) is not local
    if told.language == "json":
        body = entry(told.text)
        assert [body[key] for key in URL_KEYS if key in body] == [URL]
        assert body.get("headers") == (None if local else {"Authorization": f"Bearer {TOKEN}"})
    elif told.language == "toml":
        server = tomllib.loads(told.text)["mcp_servers"]["archon"]
        assert server["url"] == URL
        assert ("bearer_token_env_var" in server) is not local
    else:
        words = shlex.split(told.text)
        assert words[:6] == ["claude", "mcp", "add", "--transport", "http", "archon"]


def test_links_install_the_same_as_the_text() -> None:
    cursor, vscode = snippet("cursor", URL), snippet("vscode", URL)
    config = parse_qs(urlsplit(cursor.link).query)["config"][0]
    assert json.loads(base64.b64decode(config)) == entry(cursor.text)
    assert json.loads(unquote(vscode.link.partition("?")[2])) == {"name": "archon", **entry(vscode.text)}


def test_an_unknown_client_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownClient, match="Known are: claude-code, cursor"):
        snippet("emacs", URL)
