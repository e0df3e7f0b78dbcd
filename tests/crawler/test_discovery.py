"""What an address is, what a sitemap and an llms.txt hold, and how a crawl begins."""

import gzip
import resource
from datetime import UTC, datetime
from typing import Any

import pytest

from crawler.discovery import (
    SEED_TYPES,
    Beginning,
    Found,
    Kind,
    Limits,
    begin,
    detect,
    parse_llms,
    parse_sitemap,
    split_llms_full,
    twins,
)
from crawler.errors import FetchError
from crawler.fetcher import Fetcher, FetchSettings, Page
from crawler.github import GITHUB
from crawler.guard import Guard, GuardPolicy
from crawler.llms import is_link_collection
from crawler.robots import RobotsRules
from crawler.scope import Scope
from crawler.sitemap import MAX_URLS, parse_lastmod
from tests.site import Answer, LocalSite, docs_site

BASE = "https://docs.example.com/sitemap.xml"
EMPTY_ROBOTS = RobotsRules(404)


def page(body: str | bytes, content_type: str = "text/html", url: str = BASE) -> Page:
    raw = body.encode() if isinstance(body, str) else body
    text = raw.decode("utf-8", "replace")
    return Page(url, url, 200, content_type, {}, text, len(raw), 1, 0, False, raw)


def urlset(*locations: str, lastmod: str = "") -> str:
    stamp = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    urls = "".join(f"<url><loc>{location}</loc>{stamp}</url>" for location in locations)
    return f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'


def index(*locations: str) -> str:
    return f"<sitemapindex>{''.join(f'<sitemap><loc>{loc}</loc></sitemap>' for loc in locations)}</sitemapindex>"


def urls_of(body: str | bytes, base: str | None = BASE) -> list[str]:
    raw = body.encode() if isinstance(body, str) else body
    return [entry.url for entry in parse_sitemap(raw, base).urls]


# ---- What an address is -------------------------------------------------------------------


def zipped(body: bytes) -> bytes:
    """Without the time, which would give a test another name in every process that collects it."""
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://example.com/", Kind.PAGE),
        ("https://example.com/guide/v1.2", Kind.PAGE),
        ("https://example.com/sitemap.html", Kind.PAGE),
        ("https://example.com/sitemap.xml", Kind.SITEMAP),
        ("https://example.com/en/post-sitemap2.xml?x=1", Kind.SITEMAP),
        ("https://example.com/sitemap.xml.gz", Kind.SITEMAP),
        ("https://example.com/sitemap.txt", Kind.SITEMAP),
        ("https://example.com/sitemap_index.xml", Kind.SITEMAP_INDEX),
        ("https://example.com/llms.txt", Kind.LLMS_TXT),
        ("https://example.com/docs/LLMS.TXT", Kind.LLMS_TXT),
        ("https://example.com/llms-full.txt", Kind.LLMS_FULL_TXT),
        ("https://example.com/llms-small.txt", Kind.LLMS_FULL_TXT),
        ("https://example.com/readme.md", Kind.TEXT),
        ("https://example.com/a/guide.mdx", Kind.TEXT),
        ("https://example.com/index.rst", Kind.TEXT),
        ("https://example.com/notes.txt", Kind.TEXT),
        ("https://example.com/manual.PDF", Kind.PDF),
        ("https://github.com/o/r", Kind.GITHUB_TREE),
        ("https://github.com/o", Kind.PAGE),
        ("https://github.com/o/r/blob/main/docs/a.md", Kind.GITHUB_BLOB),
        ("https://github.com/o/r/tree/main/docs", Kind.GITHUB_TREE),
        ("https://github.com/o/r/tree/v1.0", Kind.GITHUB_TREE),
        ("https://gitlab.com/o/r/blob/main/a.md", Kind.TEXT),
    ],
)
def test_an_address_tells_what_it_is(url: str, kind: Kind) -> None:
    assert detect(url) is kind


@pytest.mark.parametrize(
    ("url", "body", "content_type", "kind"),
    [
        ("https://e.com/sitemap.xml", "<!doctype html><h1>Not found</h1>", "text/html", Kind.PAGE),
        ("https://e.com/sitemap.xml", "<!DOCTYPE html><p>", "application/xml", Kind.PAGE),
        ("https://e.com/map", urlset("https://e.com/a"), "text/html", Kind.SITEMAP),
        ("https://e.com/map", index("https://e.com/a"), "text/plain", Kind.SITEMAP_INDEX),
        ("https://e.com/map", zipped(urlset("https://e.com/a").encode()), "application/gzip", Kind.SITEMAP),
        ("https://e.com/sitemap.txt", "https://e.com/a\nhttps://e.com/b", "text/plain", Kind.SITEMAP),
        ("https://e.com/feed", "<rss><channel/></rss>", "application/rss+xml", Kind.OTHER),
        ("https://e.com/x.gz", zipped(b"x"), "application/gzip", Kind.OTHER),
        ("https://e.com/llms.txt", "<html><p>Home</p>", "text/html", Kind.PAGE),
        ("https://e.com/llms.txt", "# Project", "text/plain", Kind.LLMS_TXT),
        ("https://e.com/guide", "# Guide", "text/markdown", Kind.TEXT),
        ("https://e.com/guide", "%PDF-1.7", "text/html", Kind.PDF),
        ("https://e.com/guide", "<p>how a <urlset > looks", "text/html", Kind.SITEMAP),
    ],
)
def test_what_came_is_the_truth(url: str, body: str | bytes, content_type: str, kind: Kind) -> None:
    assert detect(url, page(body, content_type, url)) is kind


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "https://github.com/o/r/blob/main/docs/a%20b.md?plain=1",
            "https://raw.githubusercontent.com/o/r/main/docs/a%20b.md",
        ),
        ("https://github.com/o/r/raw/v1/x.rst", "https://raw.githubusercontent.com/o/r/v1/x.rst"),
        ("https://github.com/o/r/tree/main/docs", "https://codeload.github.com/o/r/tar.gz/main"),
        ("https://github.com/o/r", "https://codeload.github.com/o/r/tar.gz/HEAD"),
        ("https://github.com/o/r.git", "https://codeload.github.com/o/r/tar.gz/HEAD"),
        ("https://www.github.com/o/r/", "https://codeload.github.com/o/r/tar.gz/HEAD"),
        ("https://github.com/topics/python", "https://github.com/topics/python"),
        ("https://github.com/o/r/issues", "https://github.com/o/r/issues"),
        ("https://github.com/o", "https://github.com/o"),
        ("https://github.com.evil.example/o/r", "https://github.com.evil.example/o/r"),
    ],
)
def test_what_github_shows_is_read_where_it_lies(url: str, address: str) -> None:
    assert GITHUB.address(url) == address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://e.com/", ["/index.md", "/index.html.md"]),
        ("https://e.com/docs/", ["/docs/index.md", "/docs/index.html.md", "/docs.md"]),
        ("https://e.com/docs/a.html", ["/docs/a.md", "/docs/a.html.md"]),
        ("https://e.com/docs/a?x=1", ["/docs/a.md"]),
        ("https://e.com/docs/a.md", []),
    ],
)
def test_the_markdown_twin_of_a_page_is_where_the_conventions_put_it(url: str, expected: list[str]) -> None:
    assert list(twins(url)) == [f"https://e.com{path}" for path in expected]


# ---- Sitemaps -----------------------------------------------------------------------------


def test_a_sitemap_gives_canonical_addresses_with_their_dates() -> None:
    body = urlset(
        " HTTPS://Docs.Example.com:443/a?utm_source=s&amp;b=1#x ", "/b", "/b", lastmod="2026-11-20T10:00:00+02:00"
    )
    sitemap = parse_sitemap(body.encode(), BASE)
    assert [entry.url for entry in sitemap.urls] == ["https://docs.example.com/a?b=1", "https://docs.example.com/b"]
    assert sitemap.urls[0].lastmod == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert (sitemap.children, sitemap.notes) == ((), ())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        (" 2026-11 ", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-20T10:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00.5-05:00", datetime(2026, 11, 20, 15, 0, 0, 500_000, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_read_or_left_out(text: str, moment: datetime | None) -> None:
    assert parse_lastmod(text) == moment


def test_an_index_names_its_children() -> None:
    sitemap = parse_sitemap(index("/s1.xml", "https://docs.example.com/s2.xml.gz").encode(), BASE)
    assert sitemap.children == ("https://docs.example.com/s1.xml", "https://docs.example.com/s2.xml.gz")
    assert sitemap.urls == ()


@pytest.mark.parametrize(
    "body",
    [
        urlset("https://e.com/a").encode(),
        b"\xef\xbb\xbf" + urlset("https://e.com/a").encode(),
        b"\n\n  " + urlset("https://e.com/a").encode(),
        urlset("https://e.com/a").encode("utf-16"),
        zipped(urlset("https://e.com/a").encode()),
        zipped(urlset("https://e.com/a").encode()) + b"\0\0 padding",
        b'<?xml version="1.0" encoding="windows-1252"?><urlset><!--\xe9--><url><loc>https://e.com/a</loc></url></urlset>',
        b"<ns0:urlset><ns0:url><ns0:loc>https://e.com/a</ns0:loc></ns0:url></ns0:urlset>",
        b"<urlset><url><loc><![CDATA[https://e.com/a]]></loc></url></urlset>",
        b"<urlset><url><image:image><image:loc>https://e.com/i.png</image:loc></image:image><loc>https://e.com/a</loc></url></urlset>",
        b'<!DOCTYPE urlset><urlset><url><loc>https://e.com/a</loc><xhtml:link href="https://e.com/de"/></url></urlset>',
        b"https://e.com/a\r\n\r\nno address\n",
        zipped(b"https://e.com/a\n"),
    ],
)
def test_a_sitemap_is_read_in_whatever_dress_it_comes(body: bytes) -> None:
    assert urls_of(body) == ["https://e.com/a"]


@pytest.mark.parametrize("pad", [0, 65_520, 65_525, 65_530])
def test_bare_ampersands_stand_for_themselves(pad: int) -> None:
    written = "https://e.com/?a=1&b=2&amp;c=3&#38;d=4&copy=5&nbsp;e"
    body = f"<urlset><!--{'x' * max(0, pad - 24)}--><url><loc>{written}</loc></url></urlset>"
    assert urls_of(body) == ["https://e.com/?a=1&b=2&c=3&d=4&copy=5&nbsp;e"]
    assert urls_of("<urlset><url><loc><![CDATA[https://e.com/?a=1&b=2]]></loc></url></urlset>") == [
        "https://e.com/?a=1&b=2"
    ]


def test_broken_xml_gives_what_came_before_with_a_note() -> None:
    whole = urlset("https://e.com/a", "https://e.com/b")
    for broken in (whole[:-30], whole.replace("</url><url>", "</url></oops><url>"), whole + "<more/>"):
        sitemap = parse_sitemap(broken.encode(), BASE)
        assert sitemap.urls[0].url == "https://e.com/a"
        assert "not well-formed" in sitemap.notes[0]
    cut = parse_sitemap(gzip.compress(whole.encode() * 500)[:150], BASE)
    assert any("gzip" in note or "well-formed" in note for note in cut.notes)
    damaged = bytearray(gzip.compress(whole.encode()))
    damaged[len(damaged) // 2] ^= 0xFF
    assert parse_sitemap(bytes(damaged), BASE).notes


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY xxe SYSTEM "file:///etc/passwd">',
        '<!ENTITY xxe SYSTEM "http://127.0.0.1/secret">',
        '<!ENTITY % remote SYSTEM "http://127.0.0.1/x.dtd"> %remote;',
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;"><!ENTITY xxe "&b;&b;&b;&b;&b;">',
    ],
)
def test_a_file_that_declares_entities_is_refused(declared: str) -> None:
    body = f"<!DOCTYPE urlset [{declared}]><urlset><url><loc>https://e.com/&xxe;</loc></url></urlset>"
    sitemap = parse_sitemap(body.encode(), BASE)
    assert sitemap.urls == ()
    assert sitemap.notes == ("declares entities, which a sitemap never needs: it is refused",)


def test_an_entity_that_nobody_declared_is_only_text() -> None:
    assert urls_of("<urlset><url><loc>https://e.com/&xxe;</loc></url></urlset>") == ["https://e.com/&xxe;"]


def test_a_sitemap_beyond_the_protocols_limits_is_cut() -> None:
    sitemap = parse_sitemap(urlset(*(f"/{n}" for n in range(MAX_URLS + 5))).encode(), BASE)
    assert len(sitemap.urls) == MAX_URLS
    assert "50,000" in sitemap.notes[0]
    assert parse_sitemap(urlset(*(f"/{n}" for n in range(MAX_URLS))).encode(), BASE).notes == ()


@pytest.mark.parametrize("filler", [b"\n", b"<url>", b"x", b"&", b"<a/>"])
def test_a_gzip_bomb_is_inflated_a_little_at_a_time(filler: bytes) -> None:
    bomb = gzip.compress(b"<urlset>" + filler * (60 * 2**20 // len(filler)), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert parse_sitemap(bomb, BASE).notes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


@pytest.mark.parametrize("body", [b"", b"<", b"<html><p>", b"\x1f\x8b", b"\x00" * 99, b"%PDF-", b"\xff\xfe<", b"{}"])
def test_what_is_no_sitemap_gives_nothing_and_never_raises(body: bytes) -> None:
    assert parse_sitemap(body, BASE).urls == ()


# ---- llms.txt -----------------------------------------------------------------------------


def test_the_links_of_an_llms_txt_come_with_their_titles() -> None:
    text = """# Project

> A summary with [a link](/intro.md "Intro") in it.

- [Guide  to *it*](guide.md): notes
- [Same](guide.md#part)
- [Wiki](https://en.example.org/wiki/Thing_(web))
- ![a picture](/logo.png)
- [mail](mailto:a@example.com) [top](#top) [self](llms.txt)
- https://docs.example.com/bare.html, and so on
"""
    links = parse_llms(text, "https://docs.example.com/llms.txt")
    assert [(link.url, link.title) for link in links] == [
        ("https://docs.example.com/intro.md", "a link"),
        ("https://docs.example.com/guide.md", "Guide to *it*"),
        ("https://en.example.org/wiki/Thing_(web)", "Wiki"),
        ("https://docs.example.com/bare.html", ""),
    ]


def test_hostile_text_costs_no_time() -> None:
    for text in (
        "[" * 500_000,
        "[a](" * 200_000,
        "# " + " " * 500_000 + "x",
        "[a](" + "(" * 500_000,
        "```\n" * 200_000,
    ):
        parse_llms(text, BASE)
        split_llms_full(text, BASE)


def test_a_list_of_links_is_told_from_a_text() -> None:
    listed = "\n".join(f"- [Page {n}](/p{n}.md)" for n in range(10))
    assert is_link_collection(listed, BASE)
    assert not is_link_collection("word " * 2_000 + listed[:60], BASE)
    assert not is_link_collection("[one](/a)", BASE)


def test_a_full_text_is_split_at_its_headings() -> None:
    text = "preamble\n\n# One `x`\n\ntext\n\n```sh\n# no heading\n```\n## Part\n# [Two](/t) #\nmore\n# One x\nagain\n"
    sections = split_llms_full(text, "https://e.com/llms-full.txt")
    assert [(section.title, section.url.partition(".txt")[2]) for section in sections] == [
        ("", "#top"),
        ("One x", "#one-x"),
        ("Two", "#two"),
        ("One x", "#one-x-1"),
    ]
    assert sections[1].markdown.startswith("# One `x`\n")
    assert "# no heading" in sections[1].markdown
    assert "".join(section.markdown for section in sections).replace("\n", "") == text.replace("\n", "")


def test_a_full_text_with_one_title_is_split_below_it() -> None:
    text = "# Product\n\nAbout.\n\n## Install\n\npip\n\n### Linux\n\napt\n\n## Use\n\nrun\n"
    sections = split_llms_full(text, BASE)
    assert [(section.title, section.url.removeprefix(BASE)) for section in sections] == [
        ("", "#top"),
        ("Install", "#install"),
        ("Use", "#use"),
    ]
    assert sections[1].markdown == "## Install\n\npip\n\n### Linux\n\napt\n"


def test_a_text_without_sections_is_one() -> None:
    assert [s.url for s in split_llms_full("# Only one\ntext", "https://e.com/llms-full.txt")] == [
        "https://e.com/llms-full.txt"
    ]
    assert split_llms_full("  \n", BASE) == ()


# ---- How a crawl begins -------------------------------------------------------------------


async def begun(site: LocalSite, path: str = "/docs/", robots: RobotsRules | None = None, **options: Any) -> Beginning:
    settings = FetchSettings("Archon/0.1", headers_timeout=2, total_timeout=5, work_dir="unused")
    async with Fetcher(settings, Guard(GuardPolicy(allow_loopback=True))) as fetcher:
        seed = await fetcher.fetch(f"{site.url}{path}", accept=SEED_TYPES, keep_body=True)
        rules = robots or await fetcher.fetch_robots(site.url)
        site.forget()
        options.setdefault("belongs", lambda url: Scope(seed.final_url).verdict(url, 1).allowed)
        return await begin(seed, fetcher.fetch, rules, agent="Archon/0.1", **options)


def xml(body: str | bytes) -> Answer:
    return Answer(body, content_type="application/xml")


def plain(body: str) -> Answer:
    return Answer(body, content_type="text/plain")


async def test_a_page_begins_with_what_its_site_names() -> None:
    docs = docs_site(10)
    with LocalSite(docs) as site:
        beginning = await begun(site)
        assert {found.url for found in beginning.seeds} == {site.url + page.path for page in docs.pages[1:]}
        # The seed once more, since a site with an llms.txt may send Markdown to who prefers it.
        assert site.paths == ["/docs/llms.txt", "/llms.txt", "/docs/", "/sitemap.xml"]
    assert (beginning.kind, beginning.is_page, beginning.follow) == (Kind.PAGE, True, True)
    assert beginning.seeds[0].title.startswith("Chapter")
    assert [read.kind for read in beginning.files] == [Kind.LLMS_TXT, Kind.SITEMAP]
    assert beginning.requests == 4
    assert beginning.notes == ()
    assert beginning.to_json()["files"][1]["urls"] == 10


async def test_a_site_that_names_nothing_is_crawled_by_its_links_without_a_word() -> None:
    with LocalSite({"/docs/": "<h1>Docs</h1>"}) as site:
        beginning = await begun(site)
        assert site.paths == ["/docs/llms.txt", "/llms.txt", "/sitemap.xml", "/docs/sitemap.xml"]
    assert (beginning.seeds, beginning.notes) == ((), ())
    assert beginning.lines == (f"{site.url}/docs/ is a web page",)


async def test_a_site_that_answers_everything_with_a_page_names_nothing() -> None:
    home = "<!doctype html><h1>Home</h1>"
    with LocalSite(
        dict.fromkeys(("/docs/", "/llms.txt", "/docs/llms.txt", "/sitemap.xml", "/docs/sitemap.xml"), home)
    ) as site:
        beginning = await begun(site)
    assert (beginning.seeds, beginning.files, beginning.notes) == ((), (), ())


async def test_robots_names_the_sitemaps_and_nothing_is_guessed() -> None:
    with LocalSite() as site:
        site.routes |= {
            "/docs/": "<h1>Docs</h1>",
            "/robots.txt": plain(
                f"Sitemap: /one.xml\nSitemap: {site.url}/two.xml\nSitemap: /missing.xml\nSitemap: ftp://x/"
            ),
            "/one.xml": xml(index("/three.xml.gz")),
            "/two.xml": xml(urlset("/docs/two.html", "/blog/post.html")),
            "/three.xml.gz": Answer(
                gzip.compress(urlset("/docs/three.html").encode()), content_type="application/gzip"
            ),
        }
        beginning = await begun(site)
        assert "/sitemap.xml" not in site.paths
        assert [found.url for found in beginning.seeds] == [f"{site.url}/docs/two.html", f"{site.url}/docs/three.html"]
    assert any("404" in note for note in beginning.notes)
    assert beginning.lines[1].endswith("/two.xml: 2, 1 out of scope")


async def test_robots_rules_hold_for_what_is_guessed() -> None:
    rules = RobotsRules(200, "User-agent: *\nDisallow: /llms.txt\nDisallow: /sitemap.xml\n")
    with LocalSite(docs_site(3)) as site:
        beginning = await begun(site, robots=rules)
        assert site.paths == ["/docs/llms.txt", "/docs/sitemap.xml"]
    assert beginning.seeds == ()


async def test_a_sitemap_as_seed_is_read_and_not_stored() -> None:
    with LocalSite({"/sitemap.xml": xml(urlset("/a", "/b", lastmod="2026-01-02"))}) as site:
        beginning = await begun(site, "/sitemap.xml")
        assert site.paths == ["/robots.txt"] or site.paths == []
        assert beginning.seeds[0] == Found(f"{site.url}/a", "", datetime(2026, 1, 2, tzinfo=UTC))
    assert (beginning.kind, beginning.is_page, len(beginning.seeds)) == (Kind.SITEMAP, False, 2)


async def test_an_llms_txt_as_seed_is_stored_and_its_links_followed() -> None:
    text = "# P\n- [A](/docs/a.md)\n- [B](https://other.example/b.md)\n"
    with LocalSite({"/docs/llms.txt": plain(text)}) as site:
        beginning = await begun(site, "/docs/llms.txt")
        assert [(found.url, found.title) for found in beginning.seeds] == [(f"{site.url}/docs/a.md", "A")]
    assert (beginning.kind, beginning.is_page, beginning.follow) == (Kind.LLMS_TXT, True, True)


@pytest.mark.parametrize(
    ("path", "text", "kind", "follow"),
    [
        ("/readme.md", "# Readme\n" + "words and [a link](/x) " * 3 + "text " * 500, Kind.TEXT, False),
        ("/links.md", "\n".join(f"- [L{n}](/l{n})" for n in range(9)), Kind.TEXT, True),
        ("/llms-full.txt", "# A\n[x](/x)\n# B\n", Kind.LLMS_FULL_TXT, False),
    ],
)
async def test_a_text_stands_alone_unless_it_lists_links(path: str, text: str, kind: Kind, follow: bool) -> None:
    with LocalSite({path: plain(text)}) as site:
        beginning = await begun(site, path)
        assert site.paths == []
    assert (beginning.kind, beginning.follow, bool(beginning.seeds)) == (kind, follow, follow)


@pytest.mark.parametrize("body", ["<rss><channel/></rss>", "<a/>"])
async def test_a_seed_that_no_crawl_can_read_is_refused(body: str) -> None:
    with LocalSite({"/feed.xml": xml(body)}) as site, pytest.raises(FetchError) as refused:
        await begun(site, "/feed.xml")
    assert refused.value.code == "unsupported_type"
    assert refused.value.hint


async def test_indexes_that_name_themselves_and_each_other_end() -> None:
    routes = {f"/s{n}.xml": xml(index(f"/s{n}.xml", f"/s{n + 1}.xml", "/s0.xml")) for n in range(9)}
    with LocalSite(routes) as site:
        beginning = await begun(site, "/s0.xml")
        assert site.paths == ["/s1.xml", "/s2.xml"]
    assert any("deeper than 3" in note for note in beginning.notes)


@pytest.mark.parametrize(
    ("limits", "reached", "requests"),
    [(Limits(requests=4), "requests", 4), (Limits(files=6), "files", 5), (Limits(bytes=300), "bytes", 3)],
)
async def test_a_beginning_ends_at_its_limits_with_what_it_found(limits: Limits, reached: str, requests: int) -> None:
    routes = {f"/m{n}.xml": xml(urlset(f"/p{n}")) for n in range(40)}
    with LocalSite({"/index.xml": xml(index(*routes)), **routes}) as site:
        beginning = await begun(site, "/index.xml", limits=limits)
    assert beginning.truncated == reached
    assert beginning.requests == requests
    assert 0 < len(beginning.seeds) < 40
    assert beginning.notes


async def test_no_more_pages_are_taken_than_wanted() -> None:
    with LocalSite({"/sitemap.xml": xml(urlset(*(f"/p{n}" for n in range(50))))}) as site:
        beginning = await begun(site, "/sitemap.xml", limits=Limits(urls=20))
    assert (len(beginning.seeds), beginning.truncated) == (20, "urls")


async def test_a_slow_sitemap_does_not_hold_the_crawl_up() -> None:
    slow = Answer(urlset("/docs/late.html"), content_type="application/xml", delay=30)
    with LocalSite({"/docs/": "<h1>Docs</h1>", "/docs/llms.txt": plain("[a](/docs/a)"), "/sitemap.xml": slow}) as site:
        beginning = await begun(site, limits=Limits(seconds=1))
        assert [found.url for found in beginning.seeds] == [f"{site.url}/docs/a", f"{site.url}/docs/llms.txt"]
    assert beginning.truncated == "seconds"


async def test_crawl_delay_is_kept_between_files() -> None:
    rules = RobotsRules(200, "User-agent: *\nCrawl-delay: 1\n")
    with LocalSite(docs_site(3)) as site:
        beginning = await begun(site, robots=rules, limits=Limits(seconds=2.5))
        assert site.paths == ["/docs/llms.txt", "/llms.txt"]
    assert beginning.truncated == "seconds"
