"""The judge: which pages of a site can be reached, found with the standard library alone."""

from __future__ import annotations

import http.client
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def reachable_pages(seed: str) -> set[str]:
    """Addresses of the same origin that answer 200 with HTML, followed from the seed without a limit."""
    origin = urlsplit(seed)
    connection = http.client.HTTPConnection(origin.hostname or "", origin.port)
    waiting, known, pages = [seed], {seed}, set()
    while waiting:
        url = waiting.pop()
        connection.request("GET", urlsplit(url).path or "/")
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or not response.headers.get_content_type().endswith("html"):
            continue
        pages.add(url)
        parser = Links()
        parser.feed(body.decode("utf-8", "replace"))
        for href in parser.found:
            link = urldefrag(urljoin(url, href)).url
            if link not in known and urlsplit(link).netloc == origin.netloc:
                known.add(link)
                waiting.append(link)
    return pages
