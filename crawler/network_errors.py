"""What the network layers raise, as errors of a crawl: each with its code, its sentence and what to do."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp

from crawler.errors import FetchError
from crawler.urls import host_and_port, origin_of

if TYPE_CHECKING:
    from crawler.fetcher import FetchSettings


@contextmanager
def named_errors(url: str, settings: "FetchSettings") -> Iterator[None]:
    """Whatever the network layers raise leaves as a FetchError; our own errors pass."""
    try:
        yield
    except (aiohttp.ClientConnectorDNSError, UnicodeError) as error:
        raise _dns_failed(url, error) from error
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise _tls_failed(url, error) from error
    except TimeoutError as error:  # aiohttp's timeouts are TimeoutErrors too
        raise _timed_out(url, settings) from error
    except (aiohttp.ClientPayloadError, aiohttp.ContentTypeError) as error:
        raise _broken_body(url, error) from error
    except (aiohttp.ClientConnectorError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, OSError) as error:
        raise _connect_failed(url, error) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise _protocol_error(url, error) from error


LATER = "Try again later; if that does not help, the fault is the site's."


def _dns_failed(url: str, error: Exception) -> FetchError:
    host, _ = host_and_port(url)
    hint = "Check the spelling of the host, and that this machine can resolve names."
    return FetchError("dns_failed", f"The name {host} could not be looked up.", hint=hint, retryable=True)


def _tls_failed(url: str, error: Exception) -> FetchError:
    hint = "The site's certificate is not trusted, has expired or belongs to another host."
    return FetchError("tls_failed", f"No secure connection to {origin_of(url)}: {_reason(error)}.", hint=hint)


def _timed_out(url: str, settings: "FetchSettings") -> FetchError:
    return FetchError(
        "timeout",
        f"{url} did not answer in time.",
        hint=f"Limits: {settings.connect_timeout:g} s to connect, {settings.headers_timeout:g} s for an answer to "
        f"begin or go on, {settings.total_timeout:g} s in all.",
        retryable=True,
    )


def _broken_body(url: str, error: Exception) -> FetchError:
    if _is_about_coding(error):
        return FetchError("decode_failed", f"The compressed content of {url} is damaged.", hint=LATER, retryable=True)
    message = f"The connection broke off while {url} was being read."
    return FetchError("connect_failed", message, hint=LATER, retryable=True)


def _connect_failed(url: str, error: Exception) -> FetchError:
    hint = "Check that the site is up and the port is right."
    message = f"No connection to {origin_of(url)}: {_reason(error)}."
    return FetchError("connect_failed", message, hint=hint, retryable=True)


def _is_about_coding(error: Exception) -> bool:
    return "can not decode content-encoding" in str(error).lower()


def _protocol_error(url: str, error: Exception) -> FetchError:
    if _is_about_coding(error):
        return FetchError("decode_failed", f"{url} came in an encoding that was not asked for.", hint=LATER)
    message = f"{origin_of(url)} did not answer in correct HTTP: {_reason(error)}."
    return FetchError("protocol_error", message, hint="Check that the port is that of a web server.")


def _reason(error: BaseException) -> str:
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    text = getattr(inner, "strerror", None) or getattr(inner, "message", None) or str(inner) or type(inner).__name__
    return str(text).split("\n")[0].rstrip(".")[:200]
