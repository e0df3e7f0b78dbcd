"""Real web servers on loopback, for tests that must not touch the Internet."""

from tests.site.docs import DocsPage, DocsSite, docs_site
from tests.site.raw import RawServer
from tests.site.server import Answer, LocalSite, Route, Seen

__all__ = ["Answer", "DocsPage", "DocsSite", "LocalSite", "RawServer", "Route", "Seen", "docs_site"]
