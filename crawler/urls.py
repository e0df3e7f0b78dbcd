"""Canonical URLs: one spelling per page.

Every URL is parsed once, by the WHATWG parser that browsers agree with, and only its canonical form goes further: to
the guard, to the socket, to robots.txt, to the frontier. So no two of them can read one address differently.
"""

import hashlib
import re

from ada_url import URL

from crawler.errors import InvalidUrl

MAX_URL_CHARS = 8_000  # what we are willing to parse; Scope refuses far shorter ones

_SPLIT = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?")
_HIERARCHICAL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:(?://|[A-Za-z])")
_USERINFO = re.compile(r"//[^/?#@]*@")
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TRACKING = re.compile(r"(?:utm_[^=]*|gclid|fbclid)(?:=|$)", re.IGNORECASE)


def canonical_url(url: str, *, base: str | None = None, keep_tracking: bool = False) -> str:
    """The one spelling of `url`, resolved against `base`, without its fragment.

    The order of parameters, blank parameters and the trailing slash stay, since servers tell them apart; only utm_*,
    gclid and fbclid go. A redirect is followed with `keep_tracking`, or a server that adds such a parameter would
    seem to redirect to itself for ever.
    """
    scheme, authority, path, query = _split(_normal_href(url, base), shown=url)
    parameters = percent_normal(query)
    if parameters and not keep_tracking:
        parameters = "&".join(part for part in parameters.split("&") if not _TRACKING.match(part))
    return f"{scheme}://{authority}{percent_normal(path)}" + (f"?{parameters}" if parameters else "")


def url_hash(canonical: str) -> str:
    """The frontier's key for a page: 32 hex characters."""
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def source_id_for(canonical: str) -> str:
    """The id of the source that starts at this URL: 16 hex characters, the same for the same seed."""
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def origin_of(canonical: str) -> str:
    """scheme://host[:port]"""
    scheme, authority, _, _ = _split(canonical, shown=canonical)
    return f"{scheme}://{authority}"


def host_and_port(canonical: str) -> tuple[str, int]:
    """The host without brackets and the port, the scheme's own when none is written."""
    scheme, authority, _, _ = _split(canonical, shown=canonical)
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, ""
    return host.strip("[]"), int(port) if port else (443 if scheme == "https" else 80)


def path_and_query(canonical: str) -> tuple[str, str]:
    """The path, always beginning with "/", and the query without its question mark."""
    _, _, path, query = _split(canonical, shown=canonical)
    return path or "/", query


def _normal_href(url: str, base: str | None) -> str:
    if not url.strip():
        raise InvalidUrl(
            "url_missing", "No URL was given.", hint="Give the address of a page, such as https://docs.example.com/."
        )
    if len(url) > MAX_URL_CHARS:
        raise InvalidUrl("url_too_long", f"The URL has {len(url)} characters; at most {MAX_URL_CHARS} are read.")
    try:
        return URL(url, base).href
    except (ValueError, UnicodeError):
        raise _unparsable(url) from None


def _unparsable(url: str) -> InvalidUrl:
    if not _SCHEME.match(url):
        return _not_web(url)
    return InvalidUrl(
        "url_invalid", f"{_shown(url)} is not a valid URL.", hint="Copy the address from the browser's address bar."
    )


def _not_web(url: str) -> InvalidUrl:
    shown = _shown(url)
    hint = "Only http and https can be crawled."
    if not _HIERARCHICAL.match(url):  # docs.example.com, localhost:3000
        hint = f"Try {'http' if shown.startswith('localhost') else 'https'}://{shown.lstrip('/')}"
    return InvalidUrl("url_scheme", f"{shown} does not begin with https:// or http://.", hint=hint)


def _split(href: str, *, shown: str) -> tuple[str, str, str, str]:
    match = _SPLIT.match(href)
    if match is None:
        raise _not_web(shown)
    scheme, authority, path, query = match.groups(default="")
    if "@" in authority:
        raise InvalidUrl(
            "url_userinfo",
            "The URL carries a user name or password.",
            hint="Remove the part before the @ sign; credentials do not belong in an address.",
        )
    return scheme, _without_root_dot(authority), path, query


def _without_root_dot(authority: str) -> str:
    """example.com. and example.com are one host."""
    host, colon, port = authority.partition(":") if "[" not in authority else (authority, "", "")
    if not host.endswith("."):
        return authority
    if not host.rstrip("."):
        raise InvalidUrl(
            "url_host", "The URL names no host.", hint="Write the host after the scheme: https://docs.example.com/."
        )
    return f"{host[:-1]}{colon}{port}"


def percent_normal(text: str) -> str:
    """One spelling per octet: unreserved characters as themselves, all others as %XX with capitals."""
    return _PERCENT.sub(_percent_escape, text) if "%" in text else text


def _percent_escape(match: re.Match[str]) -> str:
    digits = match[1]
    if digits is None:  # a bare percent sign; left alone it could become an escape when its neighbour is decoded
        return "%25"
    octet = int(digits, 16)
    return chr(octet) if octet in _UNRESERVED else f"%{digits.upper()}"


def _shown(url: str, limit: int = 200) -> str:
    """The URL as it may stand in a message: no password, no lone surrogate, not endless."""
    text = _USERINFO.sub("//", url.strip()).encode("utf-8", "replace").decode()
    return text if len(text) <= limit else text[:limit] + "…"
