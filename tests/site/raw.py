"""A server that says exactly the bytes a test wants, correct HTTP or not."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Script = Callable[[socket.socket], None]


class RawServer:
    """Runs `script` for each connection, after the request's headers were read, and then closes it.

    `connections` counts the accepted ones; `hung_up` is set when a script found its client gone.
    """

    def __init__(self, script: Script | bytes, host: str = "127.0.0.1") -> None:
        self._script = script if callable(script) else _says(script)
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self.connections = 0
        self.connected = threading.Event()
        self.hung_up = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="raw-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                received = b""
                while b"\r\n\r\n" not in received:
                    more = client.recv(65536)
                    if not more:
                        self.hung_up.set()
                        return
                    received += more
                self.connected.set()
                self._script(client)
                client.shutdown(socket.SHUT_WR)
            except OSError:
                self.hung_up.set()


def _says(answer: bytes) -> Script:
    def script(client: socket.socket) -> None:
        client.sendall(answer)

    return script
