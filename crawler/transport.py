"""One HTTP exchange through the guard: session, redirects and limits.

Imports aiohttp, which takes a quarter of a second: only the fetcher imports this module, when it starts.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from crawler.errors import FetchError, ForbiddenAddress, InvalidUrl
from crawler.guard import Guard
from crawler.kinds import TEXT_EXTENSIONS
from crawler.network_errors import LATER, named_errors
from crawler.urls import canonical_url, host_and_port, origin_of, path_and_query

if TYPE_CHECKING:
    from crawler.fetcher import FetchSettings

CHUNK_BYTES = 64 * 1024
HEAD_BYTES = 4_096
MAX_RETRY_AFTER_SECONDS = 3_600.0
CODINGS = "gzip, deflate, br"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRYABLE_STATUS = frozenset({408, 421, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524})
CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class FileRoom:
    """Media types whose bodies go to a file without a name in `folder` instead of memory, up to `max_bytes`."""

    types: tuple[str, ...]
    max_bytes: int
    folder: str


@dataclass(frozen=True, slots=True)
class Limit:
    """Of a body, decoded, and the setting that raises it."""

    bytes: int
    setting: str = "ARCHON_CRAWL_MAX_PAGE_BYTES"


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask for. `accept` lists media types, "text/*" and "*/*" among them; `cut` keeps the first `max_bytes`
    of a longer body instead of refusing it."""

    headers: Mapping[str, str]
    accept: tuple[str, ...]
    max_bytes: int
    max_redirects: int
    cut: bool = False
    files: FileRoom | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The last answer of the exchange; `url` is the address it came from, with its tracking parameters.

    Of a body that went to a `file`, which stands at its start, `body` holds the first bytes. The caller closes it.
    """

    url: str
    status: int
    headers: dict[str, str]
    content_type: str
    charset: str | None
    body: bytes
    redirects: int
    file: IO[bytes] | None = None
    size: int = 0


class GuardedResolver(ThreadedResolver):
    """Looks a host up and refuses it when any of its addresses is forbidden."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        answers = await super().resolve(host, port, family)
        for answer in answers:
            self._guard.check_sockaddr(host, (answer["host"], answer["port"]))
        return answers


def open_session(settings: "FetchSettings", guard: Guard) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,  # the fetcher limits what is in flight; waiting here would count as connect time
        use_dns_cache=False,
        resolver=GuardedResolver(guard),
        socket_factory=guard.socket_factory,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        raise_for_status=False,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        timeout=aiohttp.ClientTimeout(
            total=None,
            connect=settings.connect_timeout,
            sock_connect=settings.connect_timeout,
            sock_read=settings.headers_timeout,
        ),
    )


async def exchange(
    session: aiohttp.ClientSession, guard: Guard, settings: "FetchSettings", url: str, request: Request
) -> Reply:
    """Ask for `url`, follow its redirects one by one through the guard, and read the answer within the limits."""
    with named_errors(url, settings):
        async with asyncio.timeout(settings.total_timeout):
            return await _follow(session, guard, settings, url, request)


async def post(
    session: aiohttp.ClientSession,
    guard: Guard,
    settings: "FetchSettings",
    url: str,
    body: bytes,
    headers: Mapping[str, str],
) -> int:
    """Send `body` to a canonical URL; the status of the answer, which is not read. Redirects are not followed."""
    with named_errors(url, settings):
        async with asyncio.timeout(settings.total_timeout):
            guard.check_url(url)
            with guard.dialling(host_and_port(url)[0]):
                target = URL(url, encoded=True)
                async with session.post(target, data=body, headers=headers, allow_redirects=False) as response:
                    return response.status


async def _follow(
    session: aiohttp.ClientSession, guard: Guard, settings: "FetchSettings", url: str, request: Request
) -> Reply:
    visited = [url]
    headers = dict(request.headers)
    while True:
        async with _hop(session, guard, settings, visited, headers) as response:
            with _answered(response, url, settings):
                if response.status not in REDIRECTS or "Location" not in response.headers:
                    return await _read(response, visited, request, settings)
                target = _redirect_target(response.headers["Location"], visited, request.max_redirects)
        if origin_of(target) != origin_of(visited[-1]):
            headers = {name: value for name, value in headers.items() if name.lower() not in CREDENTIALS}
        visited.append(target)


@asynccontextmanager
async def _hop(
    session: aiohttp.ClientSession,
    guard: Guard,
    settings: "FetchSettings",
    visited: list[str],
    headers: Mapping[str, str],
) -> AsyncIterator[aiohttp.ClientResponse]:
    """One request, of the last of `visited`, up to the headers of its answer."""
    url = visited[-1]
    try:
        guard.check_url(url)
        host, _ = host_and_port(url)
        with guard.dialling(host):
            async with asyncio.timeout(settings.headers_timeout):
                # encoded=True: the URL is canonical, and yarl must not spell it differently from what was checked.
                response = await session.get(URL(url, encoded=True), headers=headers, allow_redirects=False)
    except ForbiddenAddress as error:
        if len(visited) == 1:
            raise
        told = f"{visited[0]} redirects to {url}: {error.message}"
        raise ForbiddenAddress(error.code, told, hint=error.hint, field=error.field) from error
    try:
        yield response
    finally:
        # Drops the connection when the body was not read to its end; reading on would be the server's choice.
        response.release() if response.content.at_eof() else response.close()


@contextmanager
def _answered(response: aiohttp.ClientResponse, url: str, settings: "FetchSettings") -> Iterator[None]:
    """What fails from here on fails after an answer, and tells its status."""
    try:
        with named_errors(url, settings):
            yield
    except FetchError as error:
        error.status = error.status or response.status
        raise


def _redirect_target(location: str, visited: list[str], limit: int) -> str:
    here = visited[-1]
    try:
        target = canonical_url(location, base=here, keep_tracking=True)
    except InvalidUrl as error:
        told = f"{here} redirects to an address that cannot be crawled: {error}"
        raise FetchError("bad_redirect", told, hint=_MOVED) from error
    if target in visited:
        raise FetchError("too_many_redirects", f"{here} redirects back to {target}, in a circle.", hint=_MOVED)
    if len(visited) > limit:
        raise FetchError("too_many_redirects", f"{visited[0]} redirects more than {limit} times.", hint=_MOVED)
    return target


_MOVED = "Open the address in a browser and crawl the page where it ends."


async def _read(
    response: aiohttp.ClientResponse, visited: list[str], request: Request, settings: "FetchSettings"
) -> Reply:
    url, headers = visited[-1], _lower_headers(response)
    media_type, charset = media_type_of(headers.get("content-type", ""))
    reply = Reply(url, response.status, headers, media_type, charset, b"", len(visited) - 1)
    if response.status == 304:
        return reply
    check_status(url, response.status, headers)
    room = request.files if _goes_to_file(url, media_type, request.files) else None
    if room is None:
        _check_type(url, media_type, request.accept)
    _check_coding(url, headers.get("content-encoding", ""))
    limit = Limit(room.max_bytes, "ARCHON_CRAWL_MAX_FILE_BYTES") if room else Limit(request.max_bytes)
    cut = request.cut and not room
    _check_announced_size(url, response, limit, cut=cut)
    chunks = _chunks(response, url, limit, settings, cut=cut)
    if room is None:
        body = bytearray()
        async for chunk in chunks:
            body += chunk
        return replace(reply, body=bytes(body), size=len(body))
    return await _saved(reply, chunks, room)


def _goes_to_file(url: str, media_type: str, room: FileRoom | None) -> bool:
    if room is None:
        return False
    unnamed = media_type in ("application/octet-stream", "binary/octet-stream", "")
    return media_type in room.types or (unnamed and path_and_query(url)[0].lower().endswith(".pdf"))


async def _saved(reply: Reply, chunks: AsyncIterator[bytes], room: FileRoom) -> Reply:
    file = tempfile.TemporaryFile(dir=room.folder)  # noqa: SIM115  (the reply carries it)
    try:
        head = b""
        async for chunk in chunks:
            head = head or chunk
            file.write(chunk)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return replace(reply, body=head[:HEAD_BYTES], file=file, size=size)


async def _chunks(
    response: aiohttp.ClientResponse, url: str, limit: Limit, settings: "FetchSettings", *, cut: bool
) -> AsyncIterator[bytes]:
    """The decoded body, as far as the limit. Chunks stay small even for a compression bomb."""
    size, started = 0, time.monotonic()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        size += len(chunk)
        if size > limit.bytes:
            if not cut:
                raise _too_large(url, limit)
            yield chunk[: len(chunk) - (size - limit.bytes)]
            return
        yield chunk
        elapsed = time.monotonic() - started
        if elapsed > settings.slow_grace and size < settings.min_bytes_per_second * elapsed:
            raise FetchError(
                "too_slow",
                f"{url} sends {size / elapsed:.0f} B/s; that is too slow to wait for.",
                hint="Try again later.",
                retryable=True,
                status=response.status,
            )


def _check_announced_size(url: str, response: aiohttp.ClientResponse, limit: Limit, *, cut: bool) -> None:
    announced = response.content_length
    compressed = "Content-Encoding" in response.headers
    if announced is not None and announced > limit.bytes and not compressed and not cut:
        raise _too_large(url, limit)


def _too_large(url: str, limit: Limit) -> FetchError:
    return FetchError(
        "too_large",
        f"{url} is larger than {limit.bytes / 2**20:.1f} MiB.",
        hint=f"Exclude it, or have the operator raise {limit.setting}.",
    )


def check_status(url: str, status: int, headers: Mapping[str, str]) -> None:
    if 200 <= status < 300:
        return
    raise FetchError(
        "http_status",
        f"{url} answered with HTTP status {status}.",
        hint=_STATUS_HINTS.get(status) or _CLASS_HINTS.get(status // 100, ""),
        retryable=status in RETRYABLE_STATUS,
        status=status,
        retry_after=parse_retry_after(headers.get("retry-after"), now=datetime.now(UTC)),
    )


_STATUS_HINTS = {
    401: "The site asks for a login: crawl an address that is public, or save the pages and upload them.",
    403: "The site refuses our crawler; its owner can let it in.",
    404: "The page does not exist; check the address.",
    410: "The page was removed for good.",
    429: "The site asks us to slow down; try again later.",
    503: "The site is overloaded or in maintenance; try again later.",
}
_CLASS_HINTS = {
    3: "The site does not say where it moved; open the address in a browser.",
    4: "The site refuses this address; open it in a browser to see why.",
    5: "The fault is the site's; try again later.",
}


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait, between 0 and an hour, from either form of the header; None when it says nothing usable."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:9])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, IndexError, OverflowError):
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _check_type(url: str, media_type: str, accept: tuple[str, ...]) -> None:
    if not media_type or any(_covers_type(pattern, media_type) for pattern in accept):
        return
    extension = path_and_query(url)[0].rpartition(".")[2].lower()
    if media_type in ("application/octet-stream", "binary/octet-stream") and extension in TEXT_EXTENSIONS:
        return  # what a file server says of an extension it does not know
    raise FetchError(
        "unsupported_type",
        f"{url} is of type {media_type}, which is not a text page.",
        hint="Web pages, Markdown, reStructuredText, plain text and PDF are read.",
    )


def _covers_type(pattern: str, media_type: str) -> bool:
    return pattern in ("*/*", media_type) or (pattern.endswith("/*") and media_type.startswith(pattern[:-1]))


def _check_coding(url: str, coding: str) -> None:
    if coding.strip().lower() not in ("", "identity", "gzip", "x-gzip", "deflate", "br"):
        told = f"{url} came in an encoding that was not asked for: {coding[:100]}."
        raise FetchError("decode_failed", told, hint=LATER)


def _lower_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    lowered: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        lowered[key] = f"{lowered[key]}, {value}" if key in lowered else value
    return lowered


def media_type_of(header: str) -> tuple[str, str | None]:
    media_type, _, parameters = header.partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return media_type.strip().lower(), value.strip()
    return media_type.strip().lower(), None
