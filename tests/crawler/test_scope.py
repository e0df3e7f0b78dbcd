import json

import pytest

from crawler.scope import Mode, Scope, query_family
from tests.cpu import times_as_much

SEED = "https://docs.example.com/guide/intro.html"


@pytest.mark.parametrize(
    ("mode", "url", "reason"),
    [
        ("path", "https://docs.example.com/guide/next.html", "ok"),
        ("path", "https://docs.example.com/guide/deep/er/", "ok"),
        ("path", "http://docs.example.com/guide/next.html", "ok"),
        ("path", "https://docs.example.com/guide", "outside_path"),
        ("path", "https://docs.example.com/guidebook/x", "outside_path"),
        ("path", "https://docs.example.com/blog/", "outside_path"),
        ("path", "https://docs.example.com:8443/guide/next.html", "other_host"),
        ("path", "https://www.docs.example.com/guide/next.html", "other_host"),
        ("host", "https://docs.example.com/blog/", "ok"),
        ("host", "https://docs.example.com:8080/blog/", "other_host"),
        ("host", "https://api.docs.example.com/", "other_host"),
        ("domain", "https://api.docs.example.com/", "ok"),
        ("domain", "https://evildocs.example.com/", "other_host"),
        ("domain", "https://example.com/", "other_host"),
        ("domain", "https://docs.example.com.evil.example/", "other_host"),
    ],
)
def test_a_url_is_in_scope_by_place(mode: Mode, url: str, reason: str) -> None:
    verdict = Scope(SEED, mode).verdict(url, 1)
    assert (verdict.reason, verdict.allowed) == (reason, reason == "ok")


def test_the_domain_of_a_www_host_is_the_host_without_www() -> None:
    scope = Scope("https://www.example.com/", "domain")
    assert scope.verdict("https://docs.example.com/", 1).allowed
    assert scope.verdict("https://example.com/", 1).allowed
    assert not scope.verdict("https://notexample.com/", 1).allowed


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        ("logo.PNG", "file_type"),
        ("archive.tar.gz", "file_type"),
        ("release-1.0", "ok"),
        (".well-known", "ok"),
        ("llms.txt", "ok"),
        ("_sources/intro.rst.txt", "source_copy"),
        ("%7B%7B%20page.url%20%7D%7D", "template_junk"),
        ("$%7BbaseUrl%7D/x", "template_junk"),
        ("%3C%25=%20url%20%25%3E", "template_junk"),
        ("a/b/a/b/a/b/a/b/", "repeating_path"),
        ("a/b/a/b/a/b/", "ok"),
        ("list?" + "&".join(f"p{n}=1" for n in range(9)), "query_variants"),
        ("list?" + "&".join(f"p{n}=1" for n in range(8)), "ok"),
        ("x" * 2000, "too_long"),
    ],
)
def test_junk_is_left_out(tail: str, reason: str) -> None:
    assert Scope(SEED).verdict("https://docs.example.com/guide/" + tail, 1).reason == reason


def test_a_page_too_many_links_away_is_left_out() -> None:
    scope = Scope(SEED, max_depth=2)
    assert scope.verdict("https://docs.example.com/guide/x", 2).allowed
    assert scope.verdict("https://docs.example.com/guide/x", 3).reason == "too_deep"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("/guide/v1/*", True),
        ("*/v1/*", True),
        ("https://docs.example.com/guide/v1*", True),
        ("/guide/v1/page?lang=en", True),
        ("/guide/v1/page", True),
        ("/guide/v1", False),
        ("v1", False),
        ("/guide/v?/page", False),
        ("/guide/[uv]1/page", False),
    ],
)
def test_globs_are_compared_with_path_query_and_url(pattern: str, matches: bool) -> None:
    url = "https://docs.example.com/guide/v1/page?lang=en"
    assert Scope(SEED, exclude=(pattern,)).verdict(url, 1).reason == ("excluded" if matches else "ok")
    assert Scope(SEED, include=(pattern,)).verdict(url, 1).reason == ("ok" if matches else "not_included")


def test_the_seed_always_belongs() -> None:
    scope = Scope(SEED, include=("/nothing",), exclude=("*",), max_depth=0)
    assert scope.verdict(SEED, 0).allowed


def test_a_hostile_glob_costs_no_time() -> None:
    """Measured: four times an ordinary one. A pattern that tries all ways to match would need ages."""
    url = "https://docs.example.com/guide/" + "a" * 1900
    hostile, ordinary = (Scope(SEED, exclude=(glob,)) for glob in ("*a" * 60 + "b", "/other/*"))
    assert times_as_much(lambda: hostile.verdict(url, 1), lambda: ordinary.verdict(url, 1)) < 1_000


def test_a_scope_survives_the_database() -> None:
    scope = Scope(SEED, "domain", ("/a/*",), ("/b/*",), 3)
    restored = Scope.from_json(json.loads(json.dumps(scope.to_json())))
    assert restored == scope
    assert restored.verdict("https://docs.example.com/b/x", 1).reason == "excluded"


def test_pages_that_differ_in_parameter_values_are_one_family() -> None:
    first = query_family("https://e.example/cal?month=1&year=2026")
    assert first == query_family("https://e.example/cal?year=1999&month=12")
    assert first != query_family("https://e.example/cal?month=1")
    assert query_family("https://e.example/cal") == "e.example:443/cal"
