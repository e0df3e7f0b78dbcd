import pytest

from crawler.models import CrawlRobots
from crawler.robots import MAX_ROBOTS_BYTES, RobotsRules
from tests.cpu import times_as_much
from tests.crawler.jobs import job_of

SITE = "https://e.example"


def rules(*lines: str) -> RobotsRules:
    return RobotsRules.from_response(200, "\n".join(lines).encode())


def allows(text: RobotsRules, path: str, agent: str = "Archon") -> bool:
    return text.allows(SITE + path, agent)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 301])
def test_without_a_file_everything_is_allowed(status: int) -> None:
    answer = RobotsRules.from_response(status, b"User-agent: *\nDisallow: /")
    assert allows(answer, "/x")
    assert not answer.unreachable


@pytest.mark.parametrize("status", [None, 500, 502, 503])
def test_a_failing_server_forbids_everything(status: int | None) -> None:
    answer = RobotsRules.from_response(status, b"")
    assert not allows(answer, "/x")
    assert answer.unreachable


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ("/fish", "/fish", True),
        ("/fish", "/fish.html", True),
        ("/fish", "/fishheads/yummy.html", True),
        ("/fish", "/Fish.asp", False),
        ("/fish", "/?id=fish", False),
        ("/fish*", "/fish/salmon.html", True),
        ("/fish/", "/fish", False),
        ("/fish/", "/fish/?id=1", True),
        ("/*.php", "/folder/any.php.file.html", True),
        ("/*.php", "/windows.PHP", False),
        ("/*.php$", "/folder/filename.php", True),
        ("/*.php$", "/filename.php?parameters", False),
        ("/*.php$", "/a.php/b.php", True),
        ("/fish*.php", "/fishheads/catfish.php?p", True),
        ("/*?print", "/page?print=1", True),
        ("/a*b*c", "/a-b-x-c-d", True),
        ("/a*b*c$", "/abcbd", False),
        ("*", "/anything", True),
        ("/a$b", "/a$bc", True),
        ("fish", "/fish", False),
        ("/ツ", "/%E3%83%84", True),
        ("/%e3%83%84", "/%E3%83%84", True),
        ("/%62%61%7A", "/baz", True),
        ("/~joe", "/~joe/x", True),
        ("/%7ejoe", "/~joe/x", True),
        ("/a%2Fb", "/a/b", False),
        ("/with space", "/with%20space", True),
    ],
)
def test_a_rule_matches_by_rfc_9309(rule: str, path: str, matches: bool) -> None:
    assert allows(rules("User-agent: *", f"Disallow: {rule}"), path) is not matches


@pytest.mark.parametrize(
    ("allow", "disallow", "path", "allowed"),
    [
        ("/p", "/", "/page", True),
        ("/folder", "/folder", "/folder/page", True),
        ("/page", "/*.htm", "/page.htm", False),
        ("/$", "/", "/", True),
        ("/$", "/", "/page.html", False),
        ("/x/page.", "/*.html", "/x/page.html", True),
    ],
)
def test_the_longest_rule_wins_and_allow_wins_a_tie(allow: str, disallow: str, path: str, allowed: bool) -> None:
    assert allows(rules("User-agent: *", f"Allow: {allow}", f"Disallow: {disallow}"), path) is allowed
    assert allows(rules("User-agent: *", f"Disallow: {disallow}", f"Allow: {allow}"), path) is allowed


def test_the_group_that_names_us_replaces_the_one_for_everybody() -> None:
    text = rules("User-agent: *", "Disallow: /x", "", "User-agent: ARCHON/2.0", "Disallow: /y")
    assert allows(text, "/x")
    assert not allows(text, "/y")
    assert not allows(text, "/x", "OtherBot")
    assert not allows(text, "/y", "Archon/1.0 (+https://archon.example)")


def test_groups_for_one_agent_are_read_as_one() -> None:
    text = rules(
        "User-agent: archon", "Disallow: /a", "User-agent: x", "Disallow: /", "User-agent: archon", "Disallow: /b"
    )
    assert not allows(text, "/a")
    assert not allows(text, "/b")
    assert allows(text, "/c")


def test_an_empty_group_for_us_allows_everything() -> None:
    assert allows(rules("User-agent: archon", "Disallow:", "User-agent: *", "Disallow: /"), "/x")


def test_several_agents_share_the_rules_below_them() -> None:
    text = rules("User-agent: other", "Crawl-delay: 2", "User-agent: archon", "Disallow: /x")
    assert not allows(text, "/x")
    assert not allows(text, "/x", "other")


@pytest.mark.parametrize(
    "line", ["disallow /x", "Dissallow: /x", "DISALLOW:/x", " Disallow : /x # why", "\ufeffDisallow: /x"]
)
def test_what_webmasters_meant_is_understood(line: str) -> None:
    first = "\ufeffUser agent: *"
    assert allows(rules(first, line), "/x") is line.startswith("\ufeff")


def test_line_ends_of_all_systems_are_understood() -> None:
    for end in ("\n", "\r", "\r\n"):
        answer = RobotsRules.from_response(200, f"User-agent: *{end}Disallow: /x{end}Allow: /x/y".encode())
        assert not allows(answer, "/x")
        assert allows(answer, "/x/y")


def test_an_error_page_in_place_of_the_file_forbids_nothing() -> None:
    assert allows(rules("<html>", "<body", "Sorry", "nothing: here", "a b c", "</html>"), "/x")


def test_index_html_stands_for_its_directory() -> None:
    text = rules("User-agent: *", "Allow: /open/index.html", "Disallow: /")
    assert allows(text, "/open/")
    assert not allows(text, "/open/other")


def test_the_file_itself_is_always_allowed() -> None:
    assert allows(rules("User-agent: *", "Disallow: /"), "/robots.txt")


def test_crawl_delay_and_sitemaps() -> None:
    text = rules(
        "Sitemap: https://e.example/a.xml",
        "User-agent: *",
        "Crawl-delay: 2.5",
        "Disallow: /x",
        "sitemap: /b.xml",
        "User-agent: archon",
        "Crawl-delay: 900",
        "Disallow: /y",
        "User-agent: odd",
        "Crawl-delay: soon",
        "Disallow: /z",
    )
    assert text.crawl_delay("Other") == 2.5
    assert text.crawl_delay("Archon/1") == 60
    assert text.crawl_delay("odd") is None
    assert text.sitemaps == ("https://e.example/a.xml", "/b.xml")
    assert rules("User-agent: *", "Crawl-delay: nan").crawl_delay("x") is None
    assert rules("User-agent: *", "Crawl-delay: -1").crawl_delay("x") is None


def test_a_file_that_is_too_long_is_read_to_its_last_whole_line() -> None:
    start = b"User-agent: *\nDisallow: /x\n"
    body = start + b"#" * (MAX_ROBOTS_BYTES - len(start) - 12) + b"\nDisallow: /private\n"
    answer = RobotsRules.from_response(200, body)
    assert not allows(answer, "/x")
    assert allows(answer, "/other")
    assert len(answer.body) <= MAX_ROBOTS_BYTES


@pytest.mark.django_db
def test_rules_survive_the_database() -> None:
    text = RobotsRules.from_response(200, b"User-agent: *\nDisallow: /x\0\nDisallow: /y\xff")
    assert "\0" not in text.body
    row = CrawlRobots.objects.create(job=job_of(), origin="http://127.0.0.1:9", status=200, body=text.body)
    row.refresh_from_db()
    assert row.rules == text


def test_hostile_rules_cost_no_time() -> None:
    """Measured: 140 times ordinary ones. Rules that try all ways to match would need ages."""
    hostile, ordinary = (
        rules("User-agent: *", *(f"Disallow: /{part * 100}{n}$" for n in range(500))) for part in ("*a", "xa")
    )
    path = "/" + "a" * 1500
    assert allows(hostile, path)
    assert times_as_much(lambda: allows(hostile, path), lambda: allows(ordinary, path)) < 2_000


def test_a_large_file_is_parsed_once() -> None:
    lines = ["User-agent: *", *(f"Disallow: /private/{n}/" for n in range(12_000))]
    read = rules(*lines)
    allows(read, "/x")
    assert times_as_much(lambda: allows(read, "/docs/1"), lambda: allows(rules(*lines), "/docs/1")) < 0.5
