"""The command line: JSON for a pipe, text for a person, exit codes, and what is broken told with its remedy."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from redis.exceptions import ConnectionError as RedisConnectionError

from archon import doctor
from archon.doctor import findings
from crawler.management.commands import crawl
from crawler.management.commands.crawl import search_line
from crawler.models import CrawlJob
from knowledge.models import KnowledgeItem
from progress import logs, tracker
from progress.models import Progress
from tests.crawler.jobs import job_of
from tests.knowledge.pages import page, source, store
from tests.llm import ModelServer, Status, model_server
from tests.site import LocalSite
from tests.stack import ROOT, eventually

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(*words: str, terminal: bool = False) -> tuple[int, str, str]:
    out, errors = Terminal() if terminal else io.StringIO(), io.StringIO()
    try:
        call_command(*words, stdout=out, stderr=errors)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), errors.getvalue()
    return 0, out.getvalue(), errors.getvalue()


@pytest.fixture
def stored() -> str:
    item = source()
    store(item, page("install", "# Install\n\nRun `walrus-ctl install` and wait.\n", "Install"))
    return item.source_id


class TestCrawl:
    def test_what_cannot_be_crawled_is_refused_with_its_code(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("crawl", "--no-start", "ftp://example.com/", terminal=True)[0] == 1
        assert "url_scheme" in capsys.readouterr().out
        code, out, _ = run("crawl", "--no-start", "ftp://example.com/")
        assert (code, json.loads(out)["detail"]["code"]) == (1, "url_scheme")
        assert "url_scheme" in capsys.readouterr().err

    def test_a_preview_tells_of_a_sign_in_form_and_starts_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        form = "<h1>Sign in</h1><form><input type=password></form><a href='/docs/help'>Help</a>"
        with LocalSite({"/docs/": form}) as site:
            words = ("crawl", "--preview", f"{site.url}/docs/")
            assert run(*words, terminal=True)[0] == 0
            told = capsys.readouterr().out
            code, out, _ = run(*words)
        assert "(page): 1 of 2 addresses found so far would be crawled" in told
        assert f"! {site.url}/docs/ shows a sign-in form and next to nothing else. Archon signs in nowhere" in told
        assert f"skip (sign_in) {site.url}/docs/" in told
        assert f"crawl {site.url}/docs/help" in told
        assert (code, json.loads(out)["counts"]) == (0, {"crawl": 1, "skip": 1, "sign_in": 1})
        assert not CrawlJob.objects.exists()

    def test_a_preview_that_is_refused_says_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run("crawl", "--preview", "ftp://example.com/")
        assert (code, json.loads(out)["detail"]["code"]) == (1, "url_scheme")
        assert "url_scheme" in capsys.readouterr().err

    def test_what_is_printed_to_search_with_works_when_it_is_pasted(self, stored: str) -> None:
        item = KnowledgeItem.objects.get(source_id=stored)
        line = search_line(CrawlJob(item=item))
        python, manage, *words = shlex.split(line)
        assert (ROOT / python).samefile(sys.executable)
        assert ((ROOT / manage).name, words[0], words[-1]) == ("manage.py", "search", stored)

    def test_the_failed_pages_of_an_unknown_crawl_are_refused_with_where_to_look(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, out, _ = run("retry-failed", "--no-start", "nope")
        detail = json.loads(out)["detail"]
        assert (code, detail["code"], detail["hint"]) == (1, "crawl_unknown", "`manage.py jobs` lists the crawls.")
        assert "crawl_unknown" in capsys.readouterr().err

    def test_the_failed_pages_are_asked_for_again_and_watched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        job = job_of(pages=1)
        job.urls.update(state="failed", error_code="timeout", error_message="Too slow.")
        tracker.fail(job.progress_id, {"code": "timeout", "message": "Too slow.", "hint": ""})

        def ended(progress_id: str) -> Iterator[Progress]:
            yield tracker.cancel(progress_id)

        monkeypatch.setattr(crawl, "follow", ended)
        code, out, _ = run("retry-failed", "--no-start", job.progress_id)
        told = json.loads(out)
        assert (code, told["status"]) == (1, "cancelled")
        assert told["progressId"] != job.progress_id
        assert CrawlJob.objects.get(progress=told["progressId"]).urls.count() == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("import", "/nowhere"), "file_missing"),
        (("export", "nothing", "-"), "source_unknown"),
        (("ingest", "/nowhere"), "file_missing"),
        (("backup", "/"), "backup_failed"),
        (("restore", "/nowhere"), "restore_failed"),
    ],
)
def test_a_pipe_gets_a_refusal_as_json(words: tuple[str, ...], code: str) -> None:
    for terminal in (False, True):
        out, errors = Terminal() if terminal else io.StringIO(), io.StringIO()
        with pytest.raises(CommandError):
            call_command(*words, stdout=out, stderr=errors)
        assert out.getvalue() == "" if terminal else json.loads(out.getvalue())["detail"]["code"] == code


def test_help_without_a_command_leads_to_ours() -> None:
    told = subprocess.run([sys.executable, "manage.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = told.stdout.splitlines()
    assert lines[2].split()[0] == "up"
    names = {line.split()[0] for line in lines if line.startswith("  ")}
    assert {"crawl", "search", "retry-failed", "import"} <= names
    assert "collectstatic" not in names


class TestSearch:
    def test_a_pipe_gets_json_and_a_person_text(self, stored: str) -> None:
        code, out, _ = run("search", "walrus", "install")
        assert code == 0
        (hit,) = json.loads(out)["results"]
        assert (hit["url"], hit["metadata"]["source_id"]) == ("https://docs.example.com/install", stored)
        code, out, _ = run("search", "walrus", "--source", "docs.example.com", "--pages", terminal=True)
        assert code == 0
        assert "https://docs.example.com/install" in out
        assert "{" not in out
        assert json.loads(run("search", "walrus", "--json", terminal=True)[1])["results"][0]["id"] == hit["id"]

    def test_nothing_found_and_refusals_have_codes_of_their_own(self, stored: str) -> None:
        code, out, errors = run("search", "zeppelin", "--mode", "keyword")
        assert (code, json.loads(out)["results"]) == (3, [])
        assert "Nothing found" in errors
        code, out, errors = run("search", "walrus", "--source", "nowhere")
        assert code == 1
        assert json.loads(out)["detail"]["code"] == "source_unknown"
        assert errors.startswith("source_unknown: No source has the id")

    @pytest.mark.parametrize("words", [("search", "w", "--source", "x"), ("ask", "w", "--source", "x")], ids=" ".join)
    def test_a_hint_names_a_command_where_rest_names_an_endpoint(self, words: tuple[str, ...]) -> None:
        for told in run(*words)[1:]:
            assert "`manage.py sources` lists the sources." in told
            assert "/api/" not in told
        with pytest.raises(CommandError, match=r"`manage\.py sources` lists the sources") as refused:
            run("export", "x", "-")
        assert "/api/" not in str(refused.value)

    def test_a_database_that_is_away_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: Any) -> None:
            raise DatabaseError("secret://host")

        monkeypatch.setattr("archon.management.commands.search.search", away)
        code, out, _ = run("search", "walrus")
        assert code == 1
        assert json.loads(out)["detail"]["code"] == "database_failed"
        assert "secret" not in out

    def test_a_first_look_before_the_first_start_is_told_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(*_: Any) -> None:
            raise DatabaseError("no such table: knowledge_knowledgeitem")

        monkeypatch.setattr("archon.management.commands.search.search", missing)
        monkeypatch.setattr(connection.introspection, "table_names", list)
        code, out, errors = run("search", "walrus")
        assert code == 1
        assert json.loads(out)["detail"]["code"] == "not_started"
        assert "make up" in errors

    def test_a_source_that_is_not_there_is_told_by_what_was_asked(self, stored: str) -> None:
        code, _, errors = run("sources", "zeppelin")
        assert code == 3
        assert "No source has 'zeppelin'" in errors

    @pytest.mark.parametrize(
        "words",
        [
            ("jobs", "--limit", "0"),
            ("logs", "--limit", "-1"),
            ("crawl", "x", "--max-pages", "-3"),
            ("jobs", "--limit", "x"),
        ],
    )
    def test_a_count_is_one_at_least(self, words: tuple[str, ...]) -> None:
        with pytest.raises(CommandError, match="is not a whole number from 1 on"):
            call_command(*words)

    def test_what_has_nothing_to_do_with_the_question_is_called_so(self, stored: str) -> None:
        code, out, errors = run("search", "walrus", "zeppelin", "airship", "pilot", "licence", "fee")
        assert (code, json.loads(out)["weak"], len(json.loads(out)["results"])) == (0, True, 1)
        assert errors.startswith("No good match; the nearest passages are:")
        code, out, errors = run("search", "walrus", "install")
        assert (json.loads(out)["weak"], errors) == (False, "")


@pytest.fixture
def language_model(settings: Any) -> Iterator[ModelServer]:
    with model_server() as server:
        settings.LLM_MODEL, settings.LLM_BASE_URL = "walrus-1", server.url
        server.script = lambda _: ["Run walrus-ctl ", "install [1]."]
        yield server
        eventually(lambda: server.open == 0, what="every connection to the model is closed")


class TestAsk:
    def test_without_a_model_the_answer_is_quoted_and_says_so(self, stored: str) -> None:
        code, out, _ = run("ask", "How do I install the walrus?")
        told = json.loads(out)
        assert (code, told["model"]) == (0, "extractive")
        assert "walrus-ctl install" in told["answer"]
        assert told["citations"][0]["url"] == "https://docs.example.com/install"
        code, out, errors = run("ask", "How do I install the walrus?", "--source", stored, terminal=True)
        assert "https://docs.example.com/install" in out
        assert "walrus-ctl install" in out
        assert "no language model is configured" in errors
        assert run("ask", "zeppelin?")[0] == 3
        assert run("ask", "walrus?", "--source", "nowhere")[0] == 1

    def test_a_model_writes_it(self, stored: str, language_model: ModelServer) -> None:
        code, out, _ = run("ask", "How do I install the walrus?")
        told = json.loads(out)
        assert (code, told["model"]) == (0, "walrus-1")
        assert told["answer"].startswith("Run walrus-ctl install [1]")


class TestLists:
    def test_sources(self, stored: str) -> None:
        code, out, _ = run("sources")
        assert (code, json.loads(out)["sources"][0]["source_id"]) == (0, stored)
        assert stored in run("sources", "docs.example", terminal=True)[1]
        assert run("sources", "zeppelin")[0] == 3

    def test_jobs(self) -> None:
        progress_id = job_of().progress_id
        code, out, _ = run("jobs", "--active")
        (job,) = json.loads(out)["jobs"]
        assert (code, job["progressId"], job["status"]) == (0, progress_id, "queued")
        assert progress_id in run("jobs", terminal=True)[1]

    def test_logs(self) -> None:
        told = {"client_id": "zed_1_0", "tool_name": "search", "execution_time": 0.0123, "result_count": 4}
        logs.write("INFO", "mcp.server", "Tool called", told)
        logs.write("WARNING", "mcp.server", "Tool failed", {**told, "error": "no"})
        _, out, _ = run("logs", "--limit", "5")
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["message"] for line in lines] == ["Tool called", "Tool failed"]
        assert lines[0]["metadata"] == told
        assert "12.3 ms" in run("logs", terminal=True)[1]

    def test_logs_follow_until_ctrl_c(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looks: list[float] = []

        def look(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) > 2:
                raise KeyboardInterrupt
            logs.write("INFO", "mcp.server", f"line {len(looks)}")

        monkeypatch.setattr("archon.management.commands.logs.sleep", look)
        code, out, _ = run("logs", "--follow")
        assert code == 130
        assert [json.loads(line)["message"] for line in out.splitlines()] == ["line 1", "line 2"]


class TestDoctor:
    @pytest.mark.usefixtures("with_vectors")
    def test_every_broken_part_has_a_remedy(self) -> None:
        code, out, _ = run("doctor")
        checks = {check["name"]: check for check in json.loads(out)["checks"]}
        assert list(checks) == list(doctor.CHECKS)
        assert code == 1, "no worker has sung here"
        assert {name: checks[name]["status"] for name in ("database", "redis", "channel layer", "embedder")} == {
            "database": "ok",
            "redis": "ok",
            "channel layer": "ok",
            "embedder": "ok",
        }
        assert (checks["worker"]["status"], checks["mcp"]["status"]) == ("failed", "skipped")
        assert all(check["fix"] for check in checks.values() if check["status"] != "ok")
        text = run("doctor", terminal=True)[1]
        assert "✗ worker" in text
        assert "→ Start Archon: make up" in text

    def test_the_language_model_is_asked(self, language_model: ModelServer) -> None:
        assert doctor.language_model() == doctor.Finding("ok", "walrus-1 answers")
        language_model.script = lambda _: [Status(401)]
        found = doctor.language_model()
        assert (found.status, found.fix) == ("failed", "Look at ARCHON_LLM_API_KEY.")

    def test_what_is_not_foreseen_is_a_finding_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> doctor.Finding:
            raise RuntimeError("boom")

        monkeypatch.setitem(doctor.CHECKS, "disk", broken)
        found = {finding.name: finding for finding in findings()}
        assert (found["disk"].status, found["disk"].detail) == ("failed", "RuntimeError: boom")

    def test_a_redis_that_is_away_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(url: str) -> None:
            raise RedisConnectionError(url)

        monkeypatch.setattr(doctor, "ping", away)
        found = doctor.redis()
        assert (found.status, found.detail) == ("failed", "ConnectionError")
        assert "make up" in found.fix

    def test_a_disk_that_is_nearly_full_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for free, status in ((10 * 2**30, "ok"), (2**30, "warning"), (2**20, "failed")):
            monkeypatch.setattr(doctor, "disk_usage", lambda _, free=free: type("Usage", (), {"free": free}))
            assert doctor.disk().status == status


def test_a_wrong_setting_is_told_in_a_sentence() -> None:
    environment = {**os.environ, "ARCHON_WORKERS": "zero"}
    command = [sys.executable, "manage.py", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    told = "ARCHON_WORKERS='zero' is not valid: expected a whole number from 1 to 256. See docs/configuration.md."
    assert done.stderr.strip() == told
