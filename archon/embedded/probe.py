"""What an Archon on this machine says about itself: GET /health, and whether its port is free."""

from __future__ import annotations

import errno
import http.client
import json
import socket
from typing import Any

TIMEOUT_SECONDS = 3.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # read, not bound


class PortTaken(Exception):
    """Somebody else listens there, or nobody may; the message is one sentence with the remedy."""


def health(host: str, port: int, name: str) -> dict[str, Any] | None:
    """The body of /health, asked under the host name `name`; None when nobody answers in our words."""
    connection = http.client.HTTPConnection(ANY_ADDRESS.get(host, host), port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health", headers={"Host": name})
        body = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return body if isinstance(body, dict) and body.get("service") == "archon" else None


def require_free_port(host: str, port: int) -> None:
    """Before anything starts: a web server that cannot listen would only show in a log file."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except PermissionError:
        raise PortTaken(f"Port {port} needs root; choose another: ARCHON_PORT=8080 make up") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise PortTaken(f"Archon cannot listen on {host}:{port}: {error.strerror}. Change ARCHON_HOST.") from None
        other = f"ARCHON_PORT={port % 65535 + 1} make up"
        raise PortTaken(f"Port {port} on {host} is taken by another program; choose another: {other}") from None
