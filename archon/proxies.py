"""Whose request it is behind a proxy, and whether it came by TLS: X-Forwarded-For and X-Forwarded-Proto count when a
proxy of ours sent them, and never else."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network
FORWARDED_FOR, FORWARDED_PROTO = b"x-forwarded-for", b"x-forwarded-proto"


class ClientAddress:
    """ASGI wrapper, the outermost: what stands inside finds the address of who asks as the connection's own, and no
    X-Forwarded-Proto but a proxy's."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # Who connects through a socket file has no address; its permissions say who may.
        if scope.get("client"):
            scope = believed(scope, networks(tuple(settings.TRUSTED_PROXIES)))
        await self.application(scope, receive, send)


@lru_cache(maxsize=4)
def networks(named: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(one) for one in named)


def believed(scope: dict[str, Any], proxies: Sequence[Network]) -> dict[str, Any]:
    """The scope without what a stranger says of itself, and with what a proxy of ours says of who called it."""
    connected = scope["client"][0]
    if not _is_one_of(connected, proxies):
        kept = [(key, value) for key, value in scope["headers"] if key != FORWARDED_PROTO]
        if settings.HTTPS and len(kept) < len(scope["headers"]):
            logger.warning(
                "X-Forwarded-Proto of %s is not read. If that is your proxy, name it in ARCHON_TRUSTED_PROXIES.",
                connected,
            )
        return {**scope, "headers": kept}
    named = [value.decode("latin-1") for key, value in scope["headers"] if key == FORWARDED_FOR]
    address = told_address(connected, named, proxies)
    return scope if address == connected else {**scope, "client": [address, 0]}


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
