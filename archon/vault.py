"""Secrets at rest: Fernet under keys of their own, which are not the key that signs sessions.

The first of ARCHON_ENCRYPTION_KEYS encrypts, all of them decrypt: put a new one in front, run
`manage.py rotate-keys`, then take the old one out.
"""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Unreadable(Exception):
    """None of the keys opens the secret: it was written under one that is no longer configured."""


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


def seal(secret: str) -> str:
    return _fernet().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable("A stored secret cannot be read with ARCHON_ENCRYPTION_KEYS.") from None


def rotate(sealed: str) -> str:
    """The same secret under the first key. Raises Unreadable."""
    try:
        return _fernet().rotate(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable("A stored secret cannot be read with ARCHON_ENCRYPTION_KEYS.") from None
