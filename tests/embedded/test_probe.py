"""Is the port free, and who answers there?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from archon.embedded import probe
from archon.embedded.probe import PortTaken


@pytest.fixture
def stranger() -> Iterator[int]:
    """A web server that is not Archon."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "healthy", "service": "something else"}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_stranger_at_our_address_is_not_archon(stranger: int) -> None:
    assert probe.health("127.0.0.1", stranger, "localhost") is None


def test_nobody_at_our_address_is_no_archon() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert probe.health("127.0.0.1", closed.getsockname()[1], "localhost") is None


def test_a_taken_port_is_refused_with_the_remedy(stranger: int) -> None:
    with pytest.raises(PortTaken, match=rf"taken by another program; choose another: ARCHON_PORT={stranger + 1} "):
        probe.require_free_port("127.0.0.1", stranger)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(PortTaken, match=r"cannot listen on 192\.0\.2\.1:8080: .*ARCHON_HOST"):
        probe.require_free_port("192.0.2.1", 8080)


def test_a_free_port_is_free_again_after_the_look() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    probe.require_free_port("127.0.0.1", port)
    probe.require_free_port("127.0.0.1", port)
