"""Everything that can go wrong while pages are got, as one tree.

    CrawlerError
      +-- InvalidUrl          422  the address itself cannot be crawled
      +-- ForbiddenAddress    422  the address leads to a place we never go
      +-- BrowserMissing      422  a browser was asked for where there is none
      +-- FetchError          422  the page could not be got; `retryable` says whether to come back
      +-- KeyReused           422  the idempotency key belongs to another request
      +-- UnknownCrawl        404  no crawl with that id
      +-- WrongState          409  the crawl is not in a state that allows the move
      +-- CrawlConflict       409  another crawl is in the way
      +-- TooMuch             429  the account or the disk has no room; `retry_after` seconds

`code` is for machines and never changes its meaning, `message` is a sentence for people, `hint` is what they can do
next, `field` names the input at fault when there is one.
"""

from typing import ClassVar


class CrawlerError(Exception):
    http_status: ClassVar[int] = 500
    # Of a page that was asked for: how long it took to fail. The fetcher sets it.
    milliseconds: int | None = None

    def __init__(self, code: str, message: str, *, hint: str = "", field: str | None = None) -> None:
        # Both positional arguments stay in `args`, so that the error survives pickling between processes.
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        return self.message


class InvalidUrl(CrawlerError):
    """Codes: url_missing, url_invalid, url_scheme, url_userinfo, url_host, url_port, url_too_long."""

    http_status = 422

    def __init__(self, code: str, message: str, *, hint: str = "", field: str | None = "url") -> None:
        super().__init__(code, message, hint=hint, field=field)


class ForbiddenAddress(CrawlerError):
    """Code: address_forbidden."""

    http_status = 422

    def __init__(self, code: str, message: str, *, hint: str = "", field: str | None = "url") -> None:
        super().__init__(code, message, hint=hint, field=field)


class BrowserMissing(CrawlerError):
    """Code: browser_missing."""

    http_status = 422

    def __init__(
        self,
        code: str = "browser_missing",
        message: str = "There is no browser here that could run the scripts of a page.",
        *,
        hint: str = "Install Chromium, or set ARCHON_CHROMIUM to its program or ARCHON_CDP_URL to one that runs; or "
        "crawl with render=http.",
        field: str | None = "render",
    ) -> None:
        super().__init__(code, message, hint=hint, field=field)


class FetchError(CrawlerError):
    """Codes: dns_failed, connect_failed, tls_failed, timeout, too_slow, http_status, too_large, too_many_redirects,
    bad_redirect, unsupported_type, empty_page, decode_failed, protocol_error,
    fetcher_closed; by the browser also render_failed, render_timeout, browser_crashed.

    `status` is the HTTP status when an answer came, `retry_after` the seconds the server asked us to wait.
    """

    # Asked for by its address, a page that cannot be got is a fault of that address.
    http_status = 422

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        field: str | None = None,
        retryable: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint, field=field)
        self.retryable = retryable
        self.status = status
        self.retry_after = retry_after


class KeyReused(CrawlerError):
    """Code: idempotency_key_reused. 422 as draft-ietf-httpapi-idempotency-key-header, section 2.7, has it."""

    http_status = 422


class UnknownCrawl(CrawlerError):
    http_status = 404


class WrongState(CrawlerError):
    http_status = 409


class CrawlConflict(CrawlerError):
    http_status = 409


class TooMuch(CrawlerError):
    """Codes: too_many_crawls, pages_per_day, bytes_per_day, stored_bytes, and disk_full (507)."""

    http_status = 429

    def __init__(self, code: str, message: str, *, hint: str, retry_after: int, status: int = 429) -> None:
        super().__init__(code, message, hint=hint)
        self.retry_after = retry_after
        self.http_status = status  # type: ignore[misc]  # of the instance
