"""Scrapy with our extraction: the same links, the same Markdown, its own scheduler, and nothing stored.

Sixteen requests in flight and no delay, as it is told on a host of one's own. Prints one JSON object: pages, seconds,
CPU seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response

from crawler.extract import extract

SETTINGS = {
    "CONCURRENT_REQUESTS": 16,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
    "DOWNLOAD_DELAY": 0,
    "ROBOTSTXT_OBEY": True,
    "LOG_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
}


class Peer(scrapy.Spider):  # type: ignore[misc, unused-ignore]
    name = "peer"
    pages = 0

    def parse(self, response: Response, **_: Any) -> Iterator[scrapy.Request]:
        if not isinstance(response, HtmlResponse):
            return
        found = extract(response.text, response.url)
        if not found.markdown.strip():
            return
        Peer.pages += 1
        netloc = urlsplit(response.url).netloc
        for link in found.links:
            if urlsplit(link).netloc == netloc:
                yield scrapy.Request(link)  # its duplicate filter remembers what was asked for


def main() -> None:
    process = CrawlerProcess(settings=SETTINGS)
    process.crawl(Peer, start_urls=[sys.argv[1]])
    started, cpu = time.monotonic(), time.process_time()
    process.start()
    figures = {"pages": Peer.pages, "seconds": time.monotonic() - started, "cpu": time.process_time() - cpu}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
