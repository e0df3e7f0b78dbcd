"""The folder of the database, Redis and logs: made when it is missing; why it cannot be used is said in a sentence.

No Django settings here: archon/settings.py asks while it is being read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SETTING = "ARCHON_DATA_DIR"
REMEDIES = {
    errno.ENOSPC: "Make room on that disk, or name a folder on another one.",
    errno.EDQUOT: "Make room on that disk, or name a folder on another one.",
    errno.EROFS: "Name a folder that can be written to.",
    errno.EEXIST: "A file stands in its place: name a folder.",
    errno.ENOTDIR: "A file stands in its way: name a folder.",
}


def usable(folder: Path) -> Path:
    """Raises ImproperlyConfigured. A disk that is full is not noticed here: what only reads goes on."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            # What the access was denied for, in the words of the system.
            tried = folder / f".write-{os.getpid()}"
            tried.touch()
            tried.unlink()
    except OSError as error:
        raise unusable(folder, error) from error
    return folder


def unusable(folder: Path, error: OSError) -> ImproperlyConfigured:
    owner = f"Let the user with the id {os.getuid()} write there, or name another folder."
    remedy = REMEDIES.get(error.errno or 0, owner)
    return ImproperlyConfigured(f"{SETTING}={str(folder)!r} cannot be used: {error.strerror}. {remedy}")


def why_full(error: Exception) -> str:
    """The sentence for a command that a full disk ended; empty for any other error."""
    from progress import disk  # of an app: settings are read by now

    return f"{disk.FULL['message']} {disk.FULL['hint']}" if disk.is_full(error) else ""


def kept_key(path: Path, make: Callable[[], str]) -> str:
    """Made on the first start and kept, so that sessions and stored secrets survive a restart.

    Raises ImproperlyConfigured."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise unusable(path.parent, error) from error
    key = make()
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(key)
    except OSError as error:
        path.unlink()  # else the next start would sign with the half of a key
        raise unusable(path.parent, error) from error
    return key


def _read(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be read: {error.strerror}. It holds a key: let the user with the id {os.getuid()} read it."
        ) from error
    if not key:
        raise ImproperlyConfigured(f"{path} is empty, where a key should stand. Delete it, and a new one is made.")
    return key
