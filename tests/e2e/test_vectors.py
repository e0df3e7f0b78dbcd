"""The whole product with its bundled embedder: a crawl ends with its vectors, and questions find what they mean."""

from __future__ import annotations

import os

import pytest

from tests.environment import create_database
from tests.site.docs import docs_site
from tests.site.server import LocalSite
from tests.stack import running_stack

pytestmark = [pytest.mark.both_databases, pytest.mark.xdist_group("vectors")]


def database() -> dict[str, str]:
    """Of its own: the stacks of other tests are without vectors, and their workers would end its crawl."""
    url = os.environ["DATABASE_URL"]
    return {} if url.startswith("sqlite") else {"DATABASE_URL": create_database(f"vectors_{os.getpid()}", url)}


def test_a_crawl_ends_with_its_vectors() -> None:
    site = docs_site(6)
    with running_stack(ARCHON_EMBEDDER="local", **database()) as stack, LocalSite(site) as served:
        progress_id = stack.crawl(f"{served.url}{site.seed}", max_depth=5)
        stack.ended(progress_id)
        last = stack.get(f"/api/progress/{progress_id}")
        assert last["status"] == "completed"
        assert last["embeddedChunks"] == last["chunksStored"] > 0
        status, answer = stack.request("POST", "/api/rag/query", {"query": "how do I run a stream", "match_count": 3})
        assert (status, answer["search_mode"]) == (200, "hybrid")
        assert "streams" in answer["results"][0]["content"]
