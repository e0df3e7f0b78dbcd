"""Addresses that hold several documents, crawled for real: llms-full.txt, PDF, and GitHub by a stand-in."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crawler import actions, frontier, slice
from crawler.errors import FetchError
from crawler.models import CrawlJob, CrawlUrl
from crawler.parts import Split, record_parts
from crawler.record import Failed, Fetched, Outcome, Skipped, record
from crawler.scope import Scope
from crawler.urls import url_hash
from knowledge.ingest import IncomingDocument, PreparedDocument, prepare_document
from knowledge.models import Document, KnowledgeItem
from progress import tracker
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.crawler.jobs import job_of
from tests.knowledge.documents import pdf
from tests.knowledge.pages import assert_counts_exact
from tests.site import Answer, LocalSite

pytestmark = pytest.mark.django_db(transaction=True)

FULL = """Preface of the whole.

# Install

Run the word lighthouse0001.

## On Linux

apt

# Use

Then lighthouse0002.
"""


def crawl(url: str, **options: Any) -> CrawlJob:
    return run(actions.start(actions.CrawlRequest(url, viewer=OPERATOR, **options)).progress_id)


def refresh(job: CrawlJob) -> CrawlJob:
    return run(actions.refresh(job.item.source_id, viewer=OPERATOR).progress_id)


def run(progress_id: str) -> CrawlJob:
    job = CrawlJob.objects.get(progress=progress_id)
    while slice.run(job):
        pass
    job = CrawlJob.objects.select_related("item", "progress").get(pk=job.pk)
    assert_counts_exact(job.item)
    return job


def stored(job: CrawlJob, site: str) -> dict[str, str]:
    return {one.url.removeprefix(site): one.title for one in Document.objects.filter(item=job.item).order_by("id")}


def verdicts(job: CrawlJob, site: str) -> dict[str, str]:
    rows = CrawlUrl.objects.filter(job=job).order_by("id")
    return {row.url.removeprefix(site): f"{row.state} {row.reason or row.error_code}" for row in rows}


def plain(text: str) -> Answer:
    return Answer(text, content_type="text/plain; charset=utf-8")


def test_a_full_text_becomes_a_document_per_section(client: Client) -> None:
    with LocalSite({"/llms-full.txt": plain(FULL)}) as site:
        job = crawl(f"{site.url}/llms-full.txt")
        address = f"{site.url}/llms-full.txt"
        assert stored(job, address) == {"#top": "Preface of the whole.", "#install": "Install", "#use": "Use"}
        assert verdicts(job, address) == {
            "": "skipped split", "#top": "done new", "#install": "done new", "#use": "done new",
        }  # fmt: skip
        row = job.progress
        assert (row.status, row.processed_pages, row.total_pages, row.skipped_pages) == ("completed", 3, 3, 1)
        assert row.chunks_stored == job.item.chunk_count
        assert job.discovery["kind"] == "llms_full_txt"
        assert any("read as 3 sections" in line for line in row.logs)
        found = client.post("/api/rag/query", {"query": "lighthouse0002"}, content_type="application/json").json()
        assert found["results"][0]["url"] == f"{address}#use"
        page = client.get("/api/pages/by-url", {"url": f"{address}#use"}).json()
        assert page["title"] == "Use"

        before = dict(Document.objects.values_list("url", "id"))
        changed = FULL.replace("apt", "dnf").replace("# Use\n", "# Run\n")
        site.routes["/llms-full.txt"] = plain(changed)
        again = refresh(job)
        assert stored(again, address).keys() == {"#top", "#install", "#run"}
        after = dict(Document.objects.values_list("url", "id"))
        assert after[f"{address}#install"] == before[f"{address}#install"]
        assert verdicts(again, address) == {
            "": "skipped split", "#top": "done unchanged", "#install": "done changed", "#run": "done new",
        }  # fmt: skip
        assert any("1 is no longer in it" in line for line in again.progress.logs)


def test_a_site_is_not_stored_twice_when_it_links_its_full_text() -> None:
    home = '<h1>Home</h1><p>Text.</p><a href="/llms-full.txt">all</a><a href="/a.html">a</a>'
    with LocalSite({"/": home, "/a.html": "<h1>A</h1><p>a</p>", "/llms-full.txt": plain(FULL)}) as site:
        assert stored(crawl(f"{site.url}/"), site.url) == {"/": "Home", "/a.html": "A"}


def test_a_pdf_that_a_page_links_to_is_read(client: Client) -> None:
    large = pdf(["\n".join(f"Line {n} of page {page} " + "x" * 900 for n in range(60)) for page in range(5)])
    routes: dict[str, Any] = {
        "/docs/": '<h1>Docs</h1><p>x</p><a href="small.pdf">s</a><a href="large.pdf">l</a>'
        '<a href="locked.pdf">k</a><a href="page.pdf">p</a>',
        "/docs/small.pdf": Answer(pdf(["The word is lighthouse0003."], title="Small"), content_type="application/pdf"),
        "/docs/large.pdf": Answer(large, content_type="application/octet-stream"),
        "/docs/locked.pdf": Answer(pdf(["x"], password="pw"), content_type="application/pdf"),
        "/docs/page.pdf": "<h1>Not a PDF</h1><p>a page about one</p>",
    }
    with LocalSite(routes) as site:
        job = crawl(f"{site.url}/docs/")
        root = f"{site.url}/docs/"
        assert stored(job, root) == {
            "": "Docs",
            "small.pdf": "Small",
            "large.pdf#page=1": "large",
            "large.pdf#page=4": "large (pages 4-5)",
            "page.pdf": "Not a PDF",
        }
        assert verdicts(job, root)["locked.pdf"] == "failed file_encrypted"
        assert verdicts(job, root)["large.pdf"] == "skipped split"
        assert (job.progress.processed_pages, job.progress.failed_pages) == (6, 1)
        listed = client.get(f"/api/crawls/{job.progress_id}/pages?per_page=100").json()["pages"]
        (split,) = [page for page in listed if page["url"].endswith("large.pdf")]
        assert (split["http_status"], split["bytes"]) == (200, len(large))
        site.forget()
        again = refresh(job)
        assert verdicts(again, root)["small.pdf"] == "done unchanged"
        assert verdicts(again, root)["large.pdf#page=4"] == "done unchanged"
        assert "/docs/large.pdf" in site.paths
        assert not any("#" in path for path in site.paths)


def test_a_pdf_can_be_the_seed_and_names_its_source() -> None:
    book = Answer(pdf(["Page one.", "Page two."], title="The Book"), content_type="application/pdf")
    with LocalSite({"/book.pdf": book}) as site:
        job = crawl(f"{site.url}/book.pdf")
        assert stored(job, site.url) == {"/book.pdf": "The Book"}
        assert (job.item.title, job.discovery["kind"]) == ("The Book", "pdf")
        assert CrawlUrl.objects.get(job=refresh(job)).http_status == 304


# ---- GitHub -------------------------------------------------------------------------------


def archive(files: dict[str, str], root: str = "tool-main") -> Answer:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{root}/{name}")
            member.size = len(text.encode())
            packed.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo(f"{root}/docs/link.md")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    return Answer(content.getvalue(), content_type="application/x-gzip")


REPOSITORY = {
    "README.md": "# Tool\n\nThe word is lighthouse0010.",
    "docs/guide.md": "# Guide\n\nThe word is lighthouse0011.",
    "docs/api.rst": "API\n===\n\nThe word is lighthouse0012::\n\n    call()\n",
    "docs/draft/plan.md": "# Plan\n\nNot yet.",
    "docs/empty.md": "",
    "docs/logo.svg": "<svg/>",
    "src/main.py": "print()",
    "requirements.txt": "django",
}


@pytest.fixture
def hub(settings: Any) -> Iterator[LocalSite]:
    """One server for GitHub's pages, files and archives, told apart by their first step."""
    with LocalSite({}) as pages, LocalSite({}) as raw, LocalSite({}) as archives:
        settings.GITHUB_ORIGINS = (pages.url, raw.url, archives.url)
        pages.routes["/robots.txt"] = plain("User-agent: *\nDisallow: /")
        archives.routes["/robots.txt"] = plain("User-agent: *\nDisallow: /")
        archives.routes["/ann/tool/tar.gz/main"] = archive(REPOSITORY)
        archives.routes["/ann/tool/tar.gz/HEAD"] = archive(REPOSITORY)
        for name, text in REPOSITORY.items():
            raw.routes[f"/ann/tool/main/{name}"] = plain(text)
        pages.archives = archives  # type: ignore[attr-defined]
        yield pages


def test_a_folder_on_github_is_read_from_the_archive_of_its_repository(hub: LocalSite, client: Client) -> None:
    job = crawl(f"{hub.url}/ann/tool/tree/main/docs", exclude=("*/draft/*",))
    root = f"{hub.url}/ann/tool/blob/main/docs/"
    assert stored(job, root) == {"guide.md": "Guide", "api.rst": "API"}
    seen = verdicts(job, root)
    assert seen["draft/plan.md"] == "skipped excluded"
    assert seen["empty.md"] == "skipped file_empty"
    assert (job.item.title, job.discovery["kind"]) == ("ann/tool/docs", "github_tree")
    assert job.item.url == f"{hub.url}/ann/tool/tree/main/docs"
    assert (job.progress.status, job.progress.processed_pages, job.progress.total_pages) == ("completed", 2, 2)
    assert hub.paths == []  # neither the pages nor their robots.txt: only the archive was asked for
    found = client.post("/api/rag/query", {"query": "lighthouse0012"}, content_type="application/json").json()
    assert found["results"][0]["url"].startswith(f"{root}api.rst")
    assert "```\ncall()\n```" in Document.objects.get(url=f"{root}api.rst").markdown
    assert job.progress.code_examples_stored == job.item.code_example_count

    hub.archives.routes["/ann/tool/tar.gz/main"] = archive(  # type: ignore[attr-defined]
        {"docs/guide.md": "# Guide\n\nNew words.", "docs/new.md": "# New\n\nMore."}
    )
    again = refresh(job)
    assert stored(again, root) == {"guide.md": "Guide", "new.md": "New"}
    assert verdicts(again, root)["guide.md"] == "done changed"


def test_a_whole_repository_is_its_default_branch(hub: LocalSite) -> None:
    job = crawl(f"{hub.url}/ann/tool")
    root = f"{hub.url}/ann/tool/blob/HEAD/"
    assert stored(job, root).keys() == {"README.md", "docs/guide.md", "docs/api.rst", "docs/draft/plan.md"}
    assert "requirements.txt" not in verdicts(job, root)


def test_the_page_limit_bounds_a_repository(hub: LocalSite) -> None:
    job = crawl(f"{hub.url}/ann/tool", max_pages=2)
    assert Document.objects.filter(item=job.item).count() == 2
    assert (job.truncated, job.progress.status) == ("max_pages", "completed")


def test_a_file_on_github_keeps_the_address_of_its_page(hub: LocalSite) -> None:
    job = crawl(f"{hub.url}/ann/tool/blob/main/docs/guide.md")
    assert stored(job, hub.url) == {"/ann/tool/blob/main/docs/guide.md": "Guide"}
    assert job.discovery["kind"] == "github_blob"
    assert hub.paths == []


def test_a_repository_that_does_not_exist_fails_with_the_reason(hub: LocalSite) -> None:
    job = crawl(f"{hub.url}/ann/gone")
    assert (job.progress.status, job.progress.error["code"]) == ("failed", "http_status")
    assert not KnowledgeItem.objects.get().document_count


def test_a_preview_shows_the_files_of_a_folder(hub: LocalSite, client: Client) -> None:
    body = {"url": f"{hub.url}/ann/tool/tree/main/docs", "exclude": ["*/draft/*"]}
    seen = client.post("/api/knowledge-items/crawl/preview", body, content_type="application/json").json()
    assert seen["kind"] == "github_tree"
    names = {page["url"].rpartition("/docs/")[2]: page["reason"] for page in seen["pages"]}
    assert names == {"guide.md": "ok", "api.rst": "ok", "draft/plan.md": "excluded", "empty.md": "file_empty"}
    assert not Progress.objects.exists()


def document(url: str, markdown: str) -> PreparedDocument:
    page = IncomingDocument(url=url, url_hash=url_hash(url), title=url, markdown=markdown, fetched_at=timezone.now())
    return prepare_document(page)


@pytest.mark.parametrize(("max_pages", "new"), [(100, 2), (5, 0)])
def test_an_address_that_turns_out_to_be_part_of_a_file_is_counted_once(max_pages: int, new: int) -> None:
    """Whatever had become of it: it waited, was on its way in another slice, was stored, had failed or was skipped."""
    job = job_of(max_pages=max_pages, pages=5)
    tracker.update(job.progress_id, add={"total_pages": 5, "discovered_urls": 5})
    (file,) = frontier.claim(job, "mine", 1)
    stored, flies, failed, skipped, waits = frontier.claim(job, "another", 5)
    outcomes: list[Outcome] = [
        Failed(failed, FetchError("http_status", "gone", status=404)),
        Skipped(skipped, "noindex", "Skipped"),
    ]
    record(job, Scope.from_json(job.scope), outcomes, set())
    frontier.give_back(job, "another", [waits.id], timezone.now())
    urls = [*(url.url for url in (stored, flies, failed, skipped, waits)), f"{job.url}new-1", f"{job.url}new-2"]
    parts = [document(url, f"# {url}\n\nText.") for url in urls]
    split = Split(file, 200, 1, 1, "File", "Read", parts)
    assert record_parts(job, replace(split, documents=parts[:1]))  # a worker that died before the file was recorded
    assert record_parts(job, split)
    late = Fetched(flies, flies.url, 200, 1, 1, parts[1], ())
    row = record(job, Scope.from_json(job.scope), [split, late], set())
    states = Counter(CrawlUrl.objects.filter(job=job).values_list("state", flat=True))
    assert states == {"done": 5 + new, "skipped": 1}
    counted = (row.total_pages, row.processed_pages, row.failed_pages, row.skipped_pages, row.discovered_urls)
    assert counted == (5 + new, 5 + new, 0, 1, 6 + new)
    assert row.status == "completed"
    assert_counts_exact(job.item)
