"""Addresses that lead where no crawl may go, in every spelling we know, and a listener that hears who got there."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any

from crawler.errors import FetchError, ForbiddenAddress, InvalidUrl

REFUSALS = (ForbiddenAddress, InvalidUrl)
RESOLVED_NAMES = {  # what a hostile DNS would say
    "loopback.example": "127.0.0.1",
    "seven.loopback.example": "127.7.7.7",
    "private.example": "10.0.0.1",
    "metadata.example": "169.254.169.254",
    "six.example": "::1",
    "mapped.example": "::ffff:127.0.0.1",
    "unspecified.example": "0.0.0.0",
    "translated.example": "64:ff9b::7f00:1",
}
REBINDING = "rebinding.example"


class Canary:
    """Listens on every address of this machine, at one port, and never answers."""

    def __init__(self) -> None:
        family, host = (socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")
        dual = family is socket.AF_INET6
        self._listener = socket.create_server((host, 0), family=family, dualstack_ipv6=dual, backlog=500)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    def close(self) -> None:
        self._listener.close()

    def connections(self) -> int:
        """How many came since the last look."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                count += 1
        return count


def hostile_look_up(real: Callable[..., Any]) -> Callable[..., Any]:
    """getaddrinfo with the names above, and one that is public whenever it is looked up for a check, and loopback
    when it is dialled."""
    turns = itertools.count()

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        address = RESOLVED_NAMES.get(name)
        if name == REBINDING:
            address = "93.184.216.34" if next(turns) % 2 == 0 else "127.0.0.1"
        if address is None:
            if name is not None and not _is_literal(name) and not name.endswith("localhost"):
                raise socket.gaierror(socket.EAI_NONAME, "no such name in this test")
            return real(host, port, *args, **options)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, int(port or 0), *((0, 0) if ":" in address else ())))]

    return look_up


def _is_literal(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


# ---- The vectors --------------------------------------------------------------------------


def spellings_v4(address: str) -> Iterator[str]:
    """The forms that parsers, resolvers and browsers have read as this address."""
    a, b, c, d = (int(part) for part in address.split("."))
    whole = int(ipaddress.IPv4Address(address))
    yield from (address, f"{address}.", str(whole), hex(whole), f"0{whole:o}", f"0x{whole:08X}")
    yield from (f"{a}.{b << 16 | c << 8 | d}", f"{a}.{b}.{c << 8 | d}")
    yield from (f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0x{a:x}.0{b:o}.{c}.{d}")
    yield address.translate({ord(str(n)): chr(0x2460 + n - 1) if n else "⓪" for n in range(10)})  # ①②⑦
    yield address.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})  # fullwidth digits
    yield from (address.replace(".", dot) for dot in "\u3002\uff0e\uff61")
    yield from ("".join(f"%{ord(char):02x}" for char in address), address.replace(".", "%2e"))
    yield f"%{ord(address[0]):x}{address[1:]}"
    yield from (
        f"{address[0]}\t{address[1:]}",
        f"{address[0]}\n{address[1:]}",
        f"\xad{address}",
        f"{address[:2]}\u200b{address[2:]}",
    )


def spellings_v6(address: str) -> Iterator[str]:
    inside = int(ipaddress.IPv4Address(address))
    high, low = inside >> 16, inside & 0xFFFF
    for prefix in ("::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"):
        yield f"[{prefix}{address}]"
        yield f"[{prefix}{high:x}:{low:x}]"
    yield f"[2002:{high:x}:{low:x}::]"
    yield f"[2001:0:{high:x}:{low:x}::{0xFFFF ^ high:x}:{0xFFFF ^ low:x}]"
    yield f"[0:0:0:0:0:FFFF:{high:X}:{low:X}]"


HOSTS_V6 = """
    [::1] [0:0:0:0:0:0:0:1] [::] [fe80::1] [fe80::1%25lo] [fd00:ec2::254] [fc00::1] [fec0::1] [ff02::1] [::1%25lo]
    [100::1] [2001:db8::1] [3fff::1] [5f00::1]
"""
NAMES = """
    localhost LOCALHOST localhost. loc%61lhost ｌocalhost app.localhost app.local db.internal printer.local intranet
    metadata.google.internal metadata instance-data metadata.goog
"""
ADDRESSES = "127.0.0.1 127.7.7.7 0.0.0.0 10.0.0.1 192.168.1.1 172.16.0.1 169.254.169.254 168.63.129.16"


def hosts() -> tuple[str, ...]:
    found = [*HOSTS_V6.split(), *NAMES.split(), *RESOLVED_NAMES]
    for address in ADDRESSES.split():
        found += [*spellings_v4(address), *spellings_v6(address)]
    return tuple(dict.fromkeys(found))


def vectors(port: int) -> list[str]:
    """Every host at the listener's port, and the tricks that hide a host in a URL."""
    here = f"127.0.0.1:{port}"
    tricks = [
        f"http://example.com@{here}/",
        f"http://{here}#@example.com/",
        f"http://{here}\\@example.com/",
        f"http:\\\\{here}\\x",
        f"http:/{here}/",
        f"http:{here}",
        f"http:///{here}/",
        f"hTTp://{here}/?q=@example.com",
        f"https://{here}/",
        f" \t http://{here}/ ",
        f"http://user:pw@{here}/",
        f"//{here}/",
        f"ftp://{here}/",
        f"gopher://{here}/_x",
        f"ws://{here}/",
        f"dict://{here}/x",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "data:text/html,<p>x",
        "javascript:fetch('/')",
        "raw:<p>x",
        "view-source:http://127.0.0.1/",
    ]
    return [f"http://{host}:{port}/x" for host in hosts()] + tricks


def refused(error: BaseException) -> bool:
    """By the guard or the parser; a name that does not exist leads nowhere either."""
    if isinstance(error, FetchError):
        return error.code in ("bad_redirect", "dns_failed") or "too_many" in error.code
    return isinstance(error, REFUSALS)


# ---- And ordinary addresses ---------------------------------------------------------------

ORDINARY_HOSTS = """
    docs.python.org example.com xn--bcher-kva.example bücher.example 127.example.org local.example.net a-b.co.uk
    internal.example.io 8.8.8.8 [2606:4700::1111] localhost.example.com 10.0.0.1.example.com metadata.example.dev
    日本.example
"""
ORDINARY_PATHS = """
    / /docs/ /a/b.html?x=1&y=http://127.0.0.1/ /@user/file /path%20with%20spaces /#localhost /en/latest/index.html
    /search?q=169.254.169.254
"""


def ordinary() -> list[str]:
    ports = ("", ":80", ":443", ":8080", ":8443")
    parts = itertools.product(("http", "https"), ORDINARY_HOSTS.split(), ports, ORDINARY_PATHS.split())
    return [f"{scheme}://{host}{port}{path}" for scheme, host, port, path in parts]
