"""What became of every URL stands in the numbered events, as REST shows it: who replays them needs nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from crawler import actions, record, slice
from crawler.models import CrawlJob
from progress import history
from progress.messages import VERDICTS_PER_EVENT
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.site import Answer, LocalSite, docs_site

pytestmark = pytest.mark.django_db(transaction=True)


def crawled(url: str, **options: Any) -> CrawlJob:
    job = CrawlJob.objects.get(
        progress=actions.start(actions.CrawlRequest(url, viewer=OPERATOR, **options)).progress_id
    )
    while slice.run(job):
        pass
    return job


def told(job: CrawlJob, since: int = 0) -> list[dict[str, Any]]:
    """Every verdict of the events after `since`, oldest first."""
    frames = [json.loads(text) for _, text in history.events_after(job.progress_id, since)]
    return [verdict for frame in frames for verdict in frame["data"].get("pages", [])]


def shown(job: CrawlJob) -> list[dict[str, Any]]:
    return list(Client().get(f"/api/crawls/{job.progress_id}/pages?per_page=1000").json()["pages"])


def by_url(verdicts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The newest of each; REST tells moments in milliseconds."""
    return {one["url"]: {**one, "fetched_at": (one["fetched_at"] or "")[:23]} for one in verdicts}


def test_the_events_of_a_crawl_tell_what_became_of_every_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RETRY_SECONDS", (0.01, 0.01))
    with LocalSite(docs_site(12)) as site:
        site.routes["/docs/chapter-0003.html"] = Answer("<h1>Oops</h1>", 500)
        job = crawled(f"{site.url}/docs/", scope="host", exclude=("/blog/*",))
    verdicts = told(job)
    rest = by_url(shown(job))
    assert by_url(verdicts) == rest
    assert {verdict["state"] for verdict in rest.values()} == {"done", "failed", "skipped"}
    broken = [verdict for verdict in verdicts if verdict["url"].endswith("chapter-0003.html")]
    assert [(one["state"], one["attempts"], one["http_status"]) for one in broken] == [
        ("queued", 1, 500),
        ("queued", 2, 500),
        ("failed", 3, 500),
    ], broken
    assert broken[-1]["error"]["code"] == "http_status"
    assert broken[-1]["error"]["message"]
    stored = rest[f"{site.url}/docs/"]
    assert stored["bytes"] > 0
    assert stored["chunks"] > 0
    assert stored["milliseconds"] is not None
    # A snapshot is the state of the crawl and no list of its pages.
    assert "pages" not in json.loads(history.first_frame(job.progress_id).texts[0])["data"]


def test_the_end_of_a_crawl_tells_how_many_pages_say_the_same() -> None:
    links = "".join(f"<a href=/{name}>{name}</a>" for name in ("one", "two", "three", "moved"))
    gone = "<title>Not found</title><h1>Not found</h1><p>There is no such page here.</p>"
    moved = Answer("", 302, {"Location": "/one"})
    with LocalSite(
        {"/": f"<h1>Start</h1>{links}", "/one": gone, "/two": gone, "/three": gone, "/moved": moved}
    ) as site:
        job = crawled(f"{site.url}/")
    job.progress.refresh_from_db()
    assert job.progress.log.startswith("Completed: 5 pages, ")
    assert "3 of them have the text of another page: it is stored once." in job.progress.log
    job.item.refresh_from_db()
    assert job.item.document_count == 2


def test_a_replay_begins_where_the_reader_left() -> None:
    with LocalSite(docs_site(6)) as site:
        job = crawled(f"{site.url}/docs/")
    whole, last = told(job), Progress.objects.get(pk=job.progress_id).sequence
    assert [told(job, since=last - n) for n in range(3)] == [
        whole[len(whole) - len(told(job, last - n)) :] for n in range(3)
    ]
    body = Client().get(f"/api/progress/{job.progress_id}?since=0").json()
    assert by_url([one for event in body["events"] for one in event["data"].get("pages", [])]) == by_url(shown(job))


def test_thousands_of_links_that_are_left_out_are_told_in_events_of_bounded_size() -> None:
    count = 5 * VERDICTS_PER_EVENT
    links = "".join(f'<p><a href="/private/{n}">{n}</a></p>' for n in range(count))
    with LocalSite({"/": f"<h1>Start</h1><p>Words.</p>{links}"}) as site:
        job = crawled(f"{site.url}/", scope="host", exclude=("/private/*",))
    frames = [json.loads(text)["data"] for _, text in history.events_after(job.progress_id, 0)]
    sizes = [len(frame.get("pages", [])) for frame in frames]
    assert sum(sizes) == count + 1
    assert max(sizes) == VERDICTS_PER_EVENT
    assert [frame["status"] for frame in frames].count("completed") == 1
    assert frames[-1]["status"] == "completed"
    assert [frame["sequence"] for frame in frames] == list(range(1, len(frames) + 1))
    assert len(frames) < 30
