"""The files of an archive, one after another, within limits. Nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from knowledge.readers.parts import Limits, Unreadable

CHUNK_BYTES = 2**20
# Below this a high ratio is only a repetitive text.
RATIO_FROM_BYTES = 2**20
_PACK = "Pack only the documents, with an ordinary archiver."


class Entry(NamedTuple):
    """A file of an archive. `content` raises Unreadable when it is damaged or locked."""

    name: str
    size: int
    content: Callable[[], IO[bytes]]


def check_zip(archive: zipfile.ZipFile, name: str, limits: Limits) -> None:
    """By what the archive says of itself; `_content` holds every entry to its word."""
    entries = archive.infolist()
    if len(entries) > limits.entries:
        raise _bomb(name, f"holds {len(entries):,} files; at most {limits.entries:,} are read")
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if total > limits.total:
        raise _bomb(name, f"unpacks to {total / 2**20:,.0f} MiB; at most {limits.total / 2**20:,.0f} are read")
    if total > RATIO_FROM_BYTES and total > limits.ratio * max(1, packed):
        raise _bomb(name, f"unpacks to more than {limits.ratio} times its size")
    for entry in entries:
        check_name(entry.filename, name)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Unreadable("archive_unsafe", f"{name} holds a symbolic link: {entry.filename}.", hint=_PACK)


def zip_names(file: IO[bytes], name: str, limits: Limits) -> list[str]:
    """The names in the archive, which is checked; the file is at its start afterwards."""
    with zipfile.ZipFile(file) as archive:
        check_zip(archive, name, limits)
        names = list(dict.fromkeys(entry.filename for entry in archive.infolist() if not entry.is_dir()))
    file.seek(0)
    return names


def zip_entries(file: IO[bytes], name: str, limits: Limits) -> Iterator[Entry]:
    with zipfile.ZipFile(file) as archive:
        check_zip(archive, name, limits)
        latest = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
        for entry in latest.values():
            yield Entry(entry.filename, entry.file_size, lambda entry=entry: _content(archive, entry))  # type: ignore[misc]


def tar_entries(file: IO[bytes], name: str, limits: Limits, *, strip: int = 0) -> Iterator[Entry]:
    """Read as a stream: an entry's content must be asked for before the next entry is. Links are left out.

    `strip` leading folders are taken off each name; GitHub puts all files of an archive into one.
    """
    total = count = 0
    try:
        with tarfile.open(fileobj=file, mode="r|gz") as archive:
            for member in archive:
                count, total = count + 1, total + member.size
                if count > 20 * limits.entries:
                    raise _bomb(name, f"holds more than {20 * limits.entries:,} files")
                if total > 10 * limits.total:
                    raise _bomb(name, f"unpacks to more than {10 * limits.total / 2**20:,.0f} MiB")
                check_name(member.name, name)
                path = "/".join(PurePosixPath(member.name).parts[strip:])
                if member.isfile() and path:
                    yield Entry(path, member.size, lambda member=member: _tar_content(archive, member))  # type: ignore[misc]
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise Unreadable("file_broken", f"{name} is a damaged archive: {error}.", hint="Try again later.") from None


def check_name(path: str, archive: str) -> None:
    """A path that leads out of the folder it is unpacked in has one purpose only."""
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\")) or ".." in parts or (len(path) > 1 and path[1] == ":") or "\0" in path:
        raise Unreadable("archive_unsafe", f"{archive} holds a path that leads out of it: {path[:200]!r}.", hint=_PACK)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    if entry.flag_bits & 1:
        raise Unreadable("file_encrypted", f"{entry.filename} is locked with a password.", hint=_PACK)
    read = io.BytesIO()
    try:
        with archive.open(entry) as packed:
            while chunk := packed.read(CHUNK_BYTES):
                read.write(chunk)
                if read.tell() > entry.file_size:
                    raise _bomb(entry.filename, "is larger than the archive says")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise Unreadable("file_broken", f"{entry.filename} is damaged: {error}.", hint=_PACK) from None
    read.seek(0)
    return read


def _tar_content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    return io.BytesIO(content.read() if content else b"")


def _bomb(name: str, what: str) -> Unreadable:
    return Unreadable("archive_too_large", f"{name} {what}.", hint="Split it, and upload the pieces.")
