"""Whose request it is behind a proxy: X-Forwarded-For counts when a proxy of ours sent it, and never else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

Network = IPv4Network | IPv6Network


class ClientAddress:
    """ASGI wrapper, the outermost: what stands inside finds the address of who asks as the connection's own."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        proxies = [ip_network(one) for one in settings.TRUSTED_PROXIES]
        client = scope.get("client")
        if proxies and client:
            named = [value.decode("latin-1") for key, value in scope["headers"] if key == b"x-forwarded-for"]
            address = told_address(client[0], named, proxies)
            if address != client[0]:
                scope = {**scope, "client": [address, 0]}
        await self.application(scope, receive, send)


def told_address(connected: str, named: Sequence[str], proxies: Sequence[Network]) -> str:
    """The nearest address that is no proxy of ours. Each proxy adds who called it at the end, so what stands before
    the first stranger was written by that stranger."""
    address = connected
    for hop in reversed([hop.strip() for value in named for hop in value.split(",")]):
        if not _is_one_of(address, proxies):
            break
        parsed = _parsed(hop)
        if parsed is None:
            break
        address = str(parsed)
    return address


def _is_one_of(address: str, proxies: Sequence[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in proxies)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    # A socket that listens on both families shows an IPv4 client as ::ffff:192.0.2.1.
    return getattr(parsed, "ipv4_mapped", None) or parsed
