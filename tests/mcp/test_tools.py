"""The tools as an assistant sees them: what they answer, what they refuse and with which words."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from archon.mcp import logs
from archon.mcp.sessions import Caller
from archon.mcp.shapes import QUOTED
from archon.mcp.tools import TOOLS
from archon.scopes import Scope
from crawler.models import CrawlJob
from progress.viewer import Viewer
from tests.crawler.jobs import SEED, job_of
from tests.knowledge.pages import page, source, store
from tests.mcp.assistant import ask, assistant, in_django, refused
from tests.mcp.conftest import LogRows

pytestmark = pytest.mark.django_db(transaction=True)

INSTALL = f"""\
# Install the walrus

Run `walrus-ctl install` and wait. {"The program unpacks itself and greets you. " * 9}

## From source

Compile the walrus with a compiler of your own. {"Any compiler that knows the standard will do. " * 9}
"""


def stored() -> str:
    item = source()
    store(item, page("install", INSTALL, "Install"), page("use", "# Use\n\nFeed the walrus twice a day.\n", "Use"))
    return item.source_id


class TestList:
    async def test_every_tool_tells_its_hints_and_the_shape_of_its_answer(self) -> None:
        async with assistant() as client:
            listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(listed) == {name for tool in TOOLS for name in (tool.name, *tool.old_names)}
        for tool in listed.values():
            assert tool.output_schema is not None
            assert tool.annotations is not None
            assert tool.description
        changing = {name for name, tool in listed.items() if tool.annotations and not tool.annotations.read_only_hint}
        assert changing == {"start_crawl", "smart_crawl_url", "crawl_single_page", "refresh_source", "stop_crawl"}
        assert listed["stop_crawl"].annotations.destructive_hint  # type: ignore[union-attr]


CODE = """# Walrus

Feed it in a loop:

```python
from walrus import Walrus

for walrus in Walrus.all():
    walrus.feed("clams")
```
"""


class TestCode:
    async def test_code_comes_whole_with_its_language_and_place(self) -> None:
        def store_code() -> str:
            item = source()
            store(item, page("walrus", CODE, "Walrus"))
            return item.source_id

        source_id = await in_django(store_code)
        async with assistant() as client:
            answer = await ask(client, "rag_search_code_examples", query="walrus.feed", source_id=source_id)
            assert await ask(client, "search_code_examples", query="walrus.feed") | {"source_id": source_id} == answer
            none = await ask(client, "rag_search_code_examples", query="giraffe")
        (found,) = answer["results"]
        assert found["language"] == "python"
        assert found["code"].endswith('walrus.feed("clams")')
        assert "No stored code matches" in none["note"]


class TestSearch:
    async def test_passages_carry_what_an_assistant_cites(self) -> None:
        source_id = await in_django(stored)
        async with assistant() as client:
            answer = await ask(client, "rag_search_knowledge_base", query="compile from source")
        best = answer["results"][0]
        assert best["source_id"] == source_id
        assert best["url"].startswith("https://docs.example.com/install")
        assert best["heading_path"].endswith("From source")
        assert best["score"] == 1.0
        assert "compiler of your own" in best["content"]

    @pytest.mark.parametrize("name", ["perform_rag_query", "search_knowledge"])
    async def test_the_old_names_work(self, name: str) -> None:
        await in_django(stored)
        async with assistant() as client:
            assert (await ask(client, name, query="walrus"))["count"] > 0

    async def test_a_session_is_not_given_the_same_text_twice(self) -> None:
        await in_django(stored)
        async with assistant() as client:
            first = await ask(client, "rag_search_knowledge_base", query="walrus", match_count=1)
            second = await ask(client, "rag_search_knowledge_base", query="walrus", match_count=1)
            again = await ask(client, "rag_search_knowledge_base", query="walrus", match_count=1, repeat=True)
        told = first["results"][0]["id"]
        assert [known["id"] for known in second["already_given"]] == [told]
        assert told not in [passage["id"] for passage in second["results"]]
        assert second["results"], "the next best passages take its place"
        assert again["results"][0]["id"] == told

    async def test_an_answer_stays_within_its_tokens(self) -> None:
        def long_page() -> None:
            sections = "\n\n".join(f"## Part {n}\n\n{'walrus walks over ice. ' * 30}" for n in range(20))
            store(source(), page("long", f"# Long\n\n{sections}\n", "Long"))

        await in_django(long_page)
        async with assistant() as client:
            small = await ask(client, "rag_search_knowledge_base", query="walrus", match_count=10, max_tokens=500)
            large = await ask(
                client, "rag_search_knowledge_base", query="walrus", match_count=10, max_tokens=20_000, repeat=True
            )
        assert small["tokens"] <= 500
        assert small["omitted"] + len(small["results"]) == small["count"]
        assert small["omitted"] > 0
        assert large["omitted"] == 0

    async def test_nothing_found_is_told_with_the_next_step(self) -> None:
        async with assistant() as client:
            empty = await ask(client, "rag_search_knowledge_base", query="walrus")
            assert "start_crawl" in empty["note"]
            await in_django(stored)
            missed = await ask(client, "rag_search_knowledge_base", query="zeppelin", mode="keyword")
        assert missed["count"] == 0
        assert "other words" in missed["note"]

    async def test_a_source_is_found_by_id_host_and_title(self) -> None:
        source_id = await in_django(stored)
        async with assistant() as client:
            for name in (source_id, "docs.example.com", "example"):
                answer = await ask(client, "rag_search_knowledge_base", query="walrus", source_id=name, repeat=True)
                assert answer["source_id"] == source_id
                assert answer["count"] > 1
            told = await refused(client, "rag_search_knowledge_base", query="walrus", source_id="nowhere")
        assert "[source_unknown]" in told
        assert "rag_get_available_sources" in told

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ({"query": ""}, "query_empty"),
            ({"query": "?!"}, "query_without_words"),
            ({"query": "x" * 10_001}, "query_too_long"),
            ({}, "query"),
            ({"query": "walrus", "match_count": 0}, "match_count"),
            ({"query": "walrus", "max_tokens": "many"}, "max_tokens"),
            ({"query": "walrus", "mode": "psychic"}, "mode"),
            ({"query": ["walrus"]}, "query"),
        ],
    )
    async def test_what_cannot_be_asked_is_refused_by_name(self, arguments: dict[str, Any], word: str) -> None:
        async with assistant() as client:
            assert word in await refused(client, "rag_search_knowledge_base", **arguments)

    async def test_an_unknown_tool_is_an_error(self) -> None:
        async with assistant() as client:
            assert "Unknown tool" in await refused(client, "drop_tables")


class TestPages:
    async def test_pages_are_listed_and_read(self) -> None:
        source_id = await in_django(stored)
        async with assistant() as client:
            assert (await ask(client, "rag_get_available_sources"))["sources"][0]["source_id"] == source_id
            listed = await ask(client, "rag_list_pages_for_source", source_id=source_id, limit=1)
            assert (listed["total"], listed["next_offset"]) == (2, 1)
            url = listed["pages"][0]["url"]
            whole = await ask(client, "rag_read_full_page", url=f"{url}/#anywhere")
            assert whole["content"].strip() == INSTALL.strip()
            assert await ask(client, "rag_read_full_page", page_id=whole["page_id"]) == whole
            part = await client.read_resource(f"archon://pages/{whole['page_id']}")
            assert getattr(part.contents[0], "text", "") == f"> {QUOTED}\n\n{whole['content']}"

    async def test_a_long_page_comes_in_parts_that_join(self) -> None:
        text = "\n\n".join(f"Line {number} of the walrus." for number in range(400))
        await in_django(lambda: store(source(), page("long", text, "Long")))
        async with assistant() as client:
            parts: list[str] = []
            offset: int | None = 0
            while offset is not None:
                url = "https://docs.example.com/long"
                answer = await ask(client, "rag_read_full_page", url=url, max_tokens=1_000, offset=offset)
                parts.append(answer["content"])
                offset = answer["next_offset"]
        assert len(parts) > 2
        assert "".join(parts) == text

    async def test_a_page_that_is_not_there_is_an_error(self) -> None:
        async with assistant() as client:
            assert "[page_unknown]" in await refused(client, "rag_read_full_page", page_id="99")
            assert "[page_unnamed]" in await refused(client, "rag_read_full_page")
            with pytest.raises(MCPError, match="No page has the id"):
                await client.read_resource("archon://pages/99")

    async def test_changes_are_told_since_a_date(self) -> None:
        source_id = await in_django(stored)
        async with assistant() as client:
            changed = await ask(client, "what_changed", source_id=source_id)
            assert [one["change"] for one in changed["pages"]] == ["added", "added"]
            later = await ask(client, "what_changed", source_id=source_id, since="2999-01-01T00:00:00Z")
        assert later["count"] == 0
        assert "refresh_source" in later["note"]


class TestCrawls:
    async def test_a_crawl_starts_is_told_and_stopped(self) -> None:
        async with assistant() as client:
            started = await ask(client, "start_crawl", url=SEED, max_pages=3)
            assert (started["status"], started["ended"]) == ("queued", False)
            assert started["progress_id"] in started["next_step"]
            running = await ask(client, "get_crawl_status")
            assert [crawl["progress_id"] for crawl in running["crawls"]] == [started["progress_id"]]
            stopped = await ask(client, "stop_crawl", progress_id=started["progress_id"])
            assert stopped["status"] == "cancelled"
            assert "[crawl_ended]" in await refused(client, "stop_crawl", progress_id=started["progress_id"])

    async def test_a_wait_ends_in_time_and_the_crawl_goes_on(self) -> None:
        told: list[float] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            told.append(progress)

        async with assistant() as client:
            arguments = {"url": SEED, "wait_seconds": 0.3}
            result = await client.call_tool("start_crawl", arguments, progress_callback=on_progress)
        assert result.structured_content is not None
        assert result.structured_content["status"] == "queued"
        assert told == [0.0]

    async def test_the_options_reach_the_crawl(self) -> None:
        async with assistant() as client:
            options = {"max_depth": 4, "scope": "host", "exclude": ["*/old/*"], "tags": ["walrus"], "render": "http"}
            await ask(client, "start_crawl", url=SEED, **options)
            await ask(client, "crawl_single_page", url="http://127.0.0.1:9/one.html", wait_seconds=0)
        first, second = await in_django(lambda: list(CrawlJob.objects.select_related("item").order_by("pk")))
        assert (first.scope["max_depth"], first.scope["mode"], first.item.tags) == (4, "host", ["walrus"])
        assert first.render == "http"
        assert (second.max_pages, second.scope["max_depth"]) == (1, 1)

    @pytest.mark.parametrize(
        ("url", "code"),
        [("ftp://example.com/", "url_scheme"), ("http://169.254.169.254/", "address_forbidden"), ("", "url_missing")],
    )
    async def test_what_cannot_be_crawled_is_refused_with_the_remedy(self, url: str, code: str) -> None:
        async with assistant() as client:
            assert f"[{code}]" in await refused(client, "start_crawl", url=url)
        assert not await in_django(CrawlJob.objects.exists)

    async def test_a_session_may_not_start_crawls_without_end(self, settings: Any) -> None:
        settings.MCP_CRAWLS_PER_HOUR = 1
        async with assistant() as client:
            await ask(client, "start_crawl", url=SEED)
            assert "[crawl_limit]" in await refused(client, "start_crawl", url=SEED)
            assert "[crawl_limit]" in await refused(client, "refresh_source", source_id="any")

    async def test_a_token_without_the_scope_only_reads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        progress_id = await in_django(lambda: job_of().progress_id)
        monkeypatch.setattr(
            logs, "Caller", lambda _: Caller(Viewer(1), 1, "reader", frozenset({Scope.READ, Scope.MCP}))
        )
        async with assistant() as client:
            await ask(client, "get_crawl_status")
            for tool, arguments in (
                ("start_crawl", {"url": SEED}),
                ("crawl_single_page", {"url": SEED}),
                ("stop_crawl", {"progress_id": progress_id}),
                ("refresh_source", {"source_id": "any"}),
            ):
                assert "[scope_missing]" in await refused(client, tool, **arguments)

    async def test_an_unknown_crawl_is_an_error(self) -> None:
        async with assistant() as client:
            for tool in ("get_crawl_status", "stop_crawl"):
                assert "No crawl has the progress id" in await refused(client, tool, progress_id="no such\0id")


class TestLog:
    @pytest.mark.parametrize("mode", ["legacy", "auto"])
    async def test_every_call_is_a_record(self, log_rows: LogRows, mode: str) -> None:
        await in_django(stored)
        async with assistant(mode) as client:
            await ask(client, "search_knowledge", query="walrus " * 100)
            await refused(client, "stop_crawl", progress_id="unknown")
            await client.read_resource("archon://sources")
        rows = [row.metadata for row in await in_django(log_rows.all)]
        search, stop, read = rows[-3:]
        assert [row["method"] for row in (search, stop, read)] == ["tools/call", "tools/call", "resources/read"]
        assert search["tool_name"] == "search_knowledge"
        assert search["result_count"] > 1
        assert 0 < search["execution_time"] < 30
        assert len(search["arguments"]["query"]) < 250
        assert "crawl_unknown" in stop["error"]
        assert read["arguments"] == {"uri": "archon://sources"}
        assert len({row["client_id"] for row in rows}) == 1
