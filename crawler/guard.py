"""Where the crawler may connect to: the SSRF guard, checked at the socket.

Checks on the text of an address prove nothing, since one address has many spellings and a name can change its answer.
So `check_url` only gives early, clear refusals; what protects is `socket_factory`, which sees the address that is
really dialled, for literals and names alike, on every redirect.

`ipaddress.is_global` is no policy either: it lets NAT64, 6to4 and multicast through. The tables below decide.
"""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from crawler.errors import FetchError, ForbiddenAddress, InvalidUrl
from crawler.urls import canonical_url, host_and_port

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC_PORTS = frozenset({80, 443, 8080, 8443})

FORBIDDEN_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform endpoint, a public address by every registry
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")
FORBIDDEN_V6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# Never reachable, whatever the operator lists: cloud metadata, link-local, multicast, unspecified, broadcast.
NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "192.0.0.192/32",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
        "fe80::/10",
        "ff00::/8",
    )
)
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
LOCAL_SUFFIXES = (".internal", ".local")

_dialled_host: ContextVar[str] = ContextVar("dialled_host", default="")


@dataclass(frozen=True)
class GuardPolicy:
    """What the operator opens beyond the public web.

    `allow_private` holds "127.0.0.1:3000", "192.168.1.0/24", "docs.local" or "docs.local:8000"; an entry without a
    port opens the usual web ports and `extra_ports`. `own_ports` are the ports of our own services on this machine:
    closed even where loopback is allowed or listed. `nat64_prefixes` are /96 networks whose last four bytes are an
    IPv4 address, to be judged as that address.
    """

    allow_loopback: bool = False
    allow_private: tuple[str, ...] = ()
    own_ports: frozenset[int] = frozenset()
    extra_ports: frozenset[int] = frozenset()
    nat64_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """One entry of `allow_private`: a network or a name, at one port or at the usual ones."""

    network: Network | None
    name: str
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> "Opening":
        host, port = _split_port(entry.strip().lower())
        try:
            return cls(ipaddress.ip_network(host.strip("[]"), strict=False), "", port)
        except ValueError:
            return cls(None, host, port)

    def covers(self, host: str, address: Address | None) -> bool:
        if self.network is None:
            return host == self.name
        return address is not None and address.version == self.network.version and address in self.network


class Guard:
    def __init__(self, policy: GuardPolicy) -> None:
        self.policy = policy
        self._ports = PUBLIC_PORTS | policy.extra_ports
        self._openings = tuple(Opening.parse(entry) for entry in policy.allow_private)
        self._nat64 = tuple(_nat64_network(prefix) for prefix in policy.nat64_prefixes)

    def check_url(self, url: str) -> None:
        """Refuse what can be refused without asking the DNS. `url` need not be canonical."""
        host, port = host_and_port(canonical_url(url))
        address = _literal(host)
        if address is not None:
            self.check_sockaddr(host, (str(address), port))
        elif _is_loopback_name(host):
            self.check_sockaddr(host, ("127.0.0.1", port))
        else:
            self._check_name(host)
            if port not in self._ports and not self.policy.allow_loopback and not self._openings:
                raise _port_refused(host, port, self._ports)

    def is_own(self, url: str) -> bool:
        """On this machine, or listed by the operator: a host that need not be spared."""
        host, port = host_and_port(canonical_url(url))
        address = _literal(host)
        if _is_loopback_name(host) or (address is not None and _is_plain_loopback(address)):
            return True
        return any(opening.covers(host, address) and opening.port in (None, port) for opening in self._openings)

    def check_sockaddr(self, host: str, sockaddr: tuple[Any, ...]) -> None:
        """Refuse a resolved address. `host` is the name it was looked up for, which an opening may list."""
        text, port = str(sockaddr[0]), int(sockaddr[1])
        address = _literal(text)
        if address is None:
            raise _forbidden(host, text)
        for seen_as in (address, *self._embedded(address)):
            self._check_address(host, seen_as, port)

    def _check_address(self, host: str, address: Address, port: int) -> None:
        public = is_public(address)
        if not public and _is_in(address, NEVER):
            raise _forbidden(host, str(address), listed=False)
        if port in self.policy.own_ports and (address.is_loopback or (not public and _is_this_machine(address))):
            raise _own_port(host, port)
        if public and port in self._ports:
            return
        if self._is_opened(host, address, port):
            return
        if public:
            raise _port_refused(host, port, self._ports)
        raise _forbidden(host, str(address))

    def _is_opened(self, host: str, address: Address, port: int) -> bool:
        if self.policy.allow_loopback and _is_plain_loopback(address):
            return True
        return any(
            opening.covers(host, address) and (port == opening.port if opening.port else port in self._ports)
            for opening in self._openings
        )

    def _check_name(self, host: str) -> None:
        if any(opening.covers(host, None) for opening in self._openings):
            return
        if host in METADATA_NAMES or host.endswith(LOCAL_SUFFIXES) or "." not in host:
            raise _forbidden(host, "")

    def _embedded(self, address: Address) -> Iterator[IPv4Address]:
        if isinstance(address, IPv6Address) and _is_in(address, self._nat64):
            yield IPv4Address(int(address) & 0xFFFFFFFF)

    def resolve(self, url: str, timeout: float) -> list[str]:
        """Look up all addresses of the URL's host; one forbidden address forbids the host.

        Blocks for at most `timeout` seconds. An answer today proves nothing for the fetch later: that is checked at
        the socket again.
        """
        self.check_url(url)
        host, port = host_and_port(canonical_url(url))
        sockaddrs = _look_up(host, port, timeout)
        for sockaddr in sockaddrs:
            self.check_sockaddr(host, sockaddr)
        return list(dict.fromkeys(str(sockaddr[0]) for sockaddr in sockaddrs))

    @contextmanager
    def dialling(self, host: str) -> Iterator[None]:
        """Tell `socket_factory` which host a connection is for: the address alone cannot name it."""
        token = _dialled_host.set(host)
        try:
            yield
        finally:
            _dialled_host.reset(token)

    def socket_factory(self, addr_info: tuple[Any, ...]) -> socket.socket:
        """For aiohttp's TCPConnector: a socket for this address, or ForbiddenAddress before anything is sent."""
        family, kind, protocol, _, sockaddr = addr_info
        self.check_sockaddr(_dialled_host.get(), sockaddr)
        return socket.socket(family=family, type=kind, proto=protocol)


def is_public(address: Address) -> bool:
    """On the public Internet by the tables above."""
    if isinstance(address, IPv4Address):
        return not _is_in(address, FORBIDDEN_V4)
    return address.scope_id is None and address in GLOBAL_V6 and not _is_in(address, FORBIDDEN_V6)


def _is_in(address: Address, networks: tuple[Any, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _is_plain_loopback(address: Address) -> bool:
    """127.0.0.0/8 and ::1, but no loopback address wrapped into another one."""
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def _is_this_machine(address: Address) -> bool:
    """Only an address of one of our own interfaces can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
        return True


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _look_up(host: str, port: int, timeout: float) -> list[tuple[Any, ...]]:
    """getaddrinfo with a time limit: it has none of its own, and no way to be stopped."""
    answer = _Lookup(host, port)
    thread = threading.Thread(target=answer.run, name="dns-lookup", daemon=True)
    thread.start()
    thread.join(timeout)
    if answer.sockaddrs:
        return answer.sockaddrs
    reason = "no answer in time" if thread.is_alive() else answer.reason
    raise FetchError(
        "dns_failed",
        f"The name {host} could not be looked up: {reason}.",
        hint="Check the spelling of the host, and that this machine can resolve names.",
        field="url",
        retryable=True,
    )


@dataclass
class _Lookup:
    host: str
    port: int
    sockaddrs: list[tuple[Any, ...]] = field(default_factory=list)
    reason: str = "no address"

    def run(self) -> None:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self.reason = getattr(error, "strerror", None) or str(error)
        else:
            self.sockaddrs = [entry[4] for entry in found]


def _split_port(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (host.endswith("]") or ":" not in host):
        return host, int(port)
    return entry, None


def _nat64_network(prefix: str) -> IPv6Network:
    network = IPv6Network(prefix)
    if network.prefixlen != 96:
        raise ValueError(f"A NAT64 prefix must be a /96 network, but got {prefix}")
    return network


def _forbidden(host: str, address: str, *, listed: bool = True) -> ForbiddenAddress:
    shown = f"{host} ({address})" if host and address and host != address else host or address
    hint = "Only addresses on the public Internet can be crawled."
    if listed:
        hint += " The operator can open a private one with the setting ARCHON_CRAWL_ALLOW_PRIVATE."
    return ForbiddenAddress("address_forbidden", f"{shown} is a private or reserved address.", hint=hint)


def _own_port(host: str, port: int) -> ForbiddenAddress:
    return ForbiddenAddress(
        "address_forbidden",
        f"Port {port} of {host or 'this machine'} belongs to this product itself and is never crawled.",
        hint="Give the address of the documentation site.",
    )


def _port_refused(host: str, port: int, ports: frozenset[int]) -> InvalidUrl:
    return InvalidUrl(
        "url_port",
        f"Port {port} of {host} may not be crawled.",
        hint=f"Allowed: {', '.join(map(str, sorted(ports)))}. The operator can allow more with ARCHON_CRAWL_PORTS.",
    )
