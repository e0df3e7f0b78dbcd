"""GitHub's addresses: where it serves what its pages show. A file lies on one host, the archive of a repository on
another; a GitHub Enterprise server has hosts of its own."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from crawler.urls import origin_of, path_and_query

_PATH = re.compile(r"/([^/]+)/([^/]+?)(?:\.git)?(?:/(blob|raw|tree)/([^/]+)(?:/(.*))?)?/?$")
# First steps of GitHub's own pages, which are no account.
_OWN_PAGES = """
    about apps blog codespaces collections contact customer-stories enterprise events explore features issues login
    marketplace new notifications orgs pricing pulls readme search security settings site sponsors stars topics
    trending users
"""
_RESERVED = frozenset(_OWN_PAGES.split())
DOCUMENT_EXTENSIONS = ("md", "mdx", "markdown", "rst", "txt")


@dataclass(frozen=True, slots=True)
class GitHubPlace:
    """A file, or a folder with all below it; the folder "" is the whole repository. `ref` is a branch, tag or commit,
    or HEAD for the default branch."""

    owner: str
    repository: str
    ref: str
    path: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class GitHub:
    """Three origins: of its pages, of single files, of archives."""

    web: str = "https://github.com"
    raw: str = "https://raw.githubusercontent.com"
    archives: str = "https://codeload.github.com"

    def place(self, url: str) -> GitHubPlace | None:
        """None for what is no file, folder or repository."""
        if origin_of(url).replace("://www.", "://") != self.web:
            return None
        match = _PATH.match(path_and_query(url)[0])
        if match is None or match[1] in _RESERVED:
            return None
        owner, repository, verb, ref, path = match.groups()
        path = (path or "").strip("/")
        return GitHubPlace(owner, repository, ref or "HEAD", path, is_folder=verb in (None, "tree") or not path)

    def address(self, url: str) -> str:
        """Where to fetch what this URL shows: the file as it is, or the archive. Any other URL is its own."""
        place = self.place(url)
        if place is None:
            return url
        if place.is_folder:
            return f"{self.archives}/{place.owner}/{place.repository}/tar.gz/{place.ref}"
        return f"{self.raw}/{place.owner}/{place.repository}/{place.ref}/{place.path}"

    def file_page(self, place: GitHubPlace, path: str) -> str:
        """The page that shows a file of the same repository; `path` is not percent-encoded."""
        return f"{self.web}/{place.owner}/{place.repository}/blob/{place.ref}/{quote(path)}"


GITHUB = GitHub()
