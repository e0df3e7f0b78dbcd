"""The documentation at /docs/: every page, link, anchor and picture leads somewhere, and nowhere else."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from archon.documentation import entries, html_of, pictures, slug


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Every page by its address, as a browser gets it."""
    client = Client()
    found = {"/docs/": client.get("/docs/").content.decode()}
    for entry in entries().values():
        answer = client.get(entry.url)
        assert answer.status_code == 200, entry.url
        found[entry.url] = answer.content.decode()
    return found


def test_the_documentation_leads_to_every_page(pages: dict[str, str]) -> None:
    assert len(pages) > 20
    for address in pages:
        assert f'href="{address}"' in pages["/docs/"]
    assert "<h1" in pages["/docs/operations"]
    assert "<table>" in pages["/docs/configuration"]


def test_every_link_of_every_page_arrives(pages: dict[str, str]) -> None:
    """Anchors too: the heading that a link names must be there."""
    shown = {f"/docs/{name}" for name in pictures()}
    anchors = {address: set(re.findall(r'\bid="([^"]+)"', body)) for address, body in pages.items()}
    links = 0
    for address, body in pages.items():
        for target in map(unescape, re.findall(r'(?:href|src)="((?:/docs/|#)[^"]*)"', body)):
            page, _, anchor = target.partition("#")
            page = page or address
            assert page in pages or page in shown, f"{address} links to {target}"
            assert not anchor or anchor in anchors[page], f"{address} links to {target}"
            links += 1
    assert links > 500


def test_pictures_are_shown_and_nothing_else_of_the_disk_is() -> None:
    client = Client()
    assert client.get("/docs/images/crawl.png")["Content-Type"] == "image/png"
    for name in ("../README.md", "..%2f..%2fetc%2fpasswd", "images/../../manage.py", "nothing", "operations\x00"):
        assert client.get(f"/docs/{name}", follow=True).status_code == 404, name


def test_addresses_of_files_lead_to_their_pages() -> None:
    client = Client()
    assert client.get("/docs")["Location"] == "/docs/"
    assert client.get("/docs/rest.md")["Location"] == "/docs/rest"
    assert client.get("/docs/decisions/0002-leases-not-locks.md", follow=True).status_code == 200
    assert client.post("/docs/rest").status_code == 405


def test_a_page_runs_no_script_and_loads_nothing_from_elsewhere(pages: dict[str, str]) -> None:
    policy = Client().get("/docs/rest")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for body in pages.values():
        assert "<script" not in body
        assert not re.search(r'src="(?!/docs/)', body)


def test_what_a_page_must_not_hold_is_taken_out() -> None:
    shown = html_of(
        "# A *b* `c`\n\n<script>x</script> [l](javascript:x) ![p](images/crawl.png) [q](../setup.py)", "x/y"
    )
    assert "<script" not in shown
    assert 'href="javascript' not in shown
    assert 'id="a-b-c"' in shown
    assert 'href="/docs/"' in shown
    assert slug("12. Pages: no browser?") == "12-pages-no-browser"
