"""A page and its Markdown: two addresses of one text, by the conventions of llms.txt. A crawl stores it once."""

import re
from collections.abc import Collection, Iterable

from crawler.kinds import twins
from crawler.urls import origin_of, path_and_query

_MARKDOWN = re.compile(r"\.md$", re.IGNORECASE)


def pages_of(url: str) -> tuple[str, ...]:
    """Where the page of this Markdown file would be; nothing for what is no such file."""
    path, query = path_and_query(url)
    if query or not _MARKDOWN.search(path):
        return ()
    stem = path[:-3]
    folder, _, name = stem.rpartition("/")
    found = [stem, f"{stem}/", f"{stem}.html"]
    if name.removesuffix(".html") == "index":
        found = [f"{folder}/", f"{folder}/index.html", f"{folder}/index"]
    elif name.endswith(".html"):
        found = [stem]
    return tuple(f"{origin_of(url)}{one}" for one in found)


def same_page(url: str) -> tuple[str, ...]:
    """The other addresses under which this text may be in the frontier."""
    return (*twins(url), *pages_of(url))


def paired(pages: Iterable[str], markdown: Collection[str]) -> dict[str, str]:
    """Each page with its Markdown, for those that have one among the files that the site names."""
    found: dict[str, str] = {}
    for page in pages:
        twin = next((one for one in twins(page) if one in markdown), "")
        if twin:
            found[page] = twin
    return found
