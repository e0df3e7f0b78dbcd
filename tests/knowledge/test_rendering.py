"""Pages as HTML: whatever a site wrote, nothing of it runs, loads or leads anywhere odd in a browser that shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from knowledge.rendering import LINK_REL, MAX_RENDERED_CHARS, SCHEMES, TAGS, render_page
from tests.knowledge.pages import page, source, store

URL = "https://docs.example.com/guide/intro"

# HTML as such, HTML hidden in Markdown, links of every odd scheme, and texts that try to leave their place.
PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<style>*{background:url(//evil.example)}</style>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<form action=//evil.example><button>x</button></form>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](\u0001javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://docs.example.com/1)",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    '[x](https://a.example "onmouseover=alert(1)")',
    "[x](https://a.example'\"onmouseover=alert(1))",
    "![x](https://evil.example/pixel.png)",
    '![x" onerror="alert(1)](y)',
    "![<script>alert(1)</script>](y)",
    "![a](data:image/svg+xml,<svg/onload=alert(1)>)",
    '```"><script>alert(1)</script>\nx\n```',
    "```js onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "# <script>alert(1)</script>",
    "- <svg onload=alert(1)>\n  > <script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script>alert(1)\\</script>",
    "<scr\0ipt>alert(1)</scr\0ipt>",
]


class Judge(HTMLParser):
    """What a browser would find: elements, attributes, targets."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.links: list[dict[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in TAGS:
            self.faults.append(tag)
        self.faults += [f"{tag} {name}" for name in values if name not in ("href", "title", "class", "start", "rel")]
        if tag == "a":
            self.links.append(values)

    def handle_comment(self, data: str) -> None:
        self.faults.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.faults.append("declaration")

    def unknown_decl(self, data: str) -> None:
        self.faults.append("section")

    def handle_pi(self, data: str) -> None:
        self.faults.append("instruction")


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("around", ["{}", "text {} text", "> {}", "1. {}\n2. x", "**{}**"])
def test_nothing_that_a_site_wrote_runs_or_loads(payload: str, around: str) -> None:
    html = render_page(around.format(payload), URL).html
    judge = Judge(html)
    assert judge.faults == []
    for link in judge.links:
        assert link["rel"] == LINK_REL
        target = link.get("href")
        assert target is None or target.partition(":")[0] in SCHEMES, target


def test_the_judge_finds_what_it_is_there_for() -> None:
    judge = Judge("<p onclick=x><script>1</script><a href='javascript:1'>x</a><!-- x -->")
    assert judge.faults == ["p onclick", "script", "comment"]
    assert judge.links == [{"href": "javascript:1"}]


def test_a_page_keeps_its_form() -> None:
    markdown = (
        "# Runners\n\nCall *this* **now**:\n\n```python\nasyncio.run(main())  # a < b\n```\n\n"
        '| a | b |\n|---|---|\n| 1 | 2 |\n\n3. one\n4. two\n\n~~gone~~ [next](../next#x "Next") ![a *map*](map.png)'
    )
    html = render_page(markdown, URL).html
    assert '<pre><code class="language-python">asyncio.run(main())  # a &lt; b\n</code></pre>' in html
    assert '<a href="https://docs.example.com/next#x" title="Next" rel="nofollow noopener ugc">next</a>' in html
    assert re.sub(r"\s+", "", html).count("<td>") == 2
    assert '<ol start="3">' in html
    assert "<s>gone</s>" in html
    assert html.rstrip().endswith("a map</p>")


@pytest.mark.parametrize("url", ["file:///guide.pdf", "upload:guide", "guide.pdf", ""])
def test_a_relative_link_of_a_file_leads_nowhere(url: str) -> None:
    (link,) = Judge(render_page("[x](../secret)", url).html).links
    assert "href" not in link


def test_a_page_beyond_measure_is_shown_in_part_and_says_so() -> None:
    assert render_page("x " * MAX_RENDERED_CHARS, URL).truncated
    assert not render_page("x", URL).truncated


@pytest.mark.django_db
def test_a_page_and_its_alias_are_read_as_html(client: Client) -> None:
    item = source()
    first, second = store(item, page("a", "# Hi\n\n[b](b) <script>"), page("sub/a.html", "# Hi\n\n[b](b) <script>"))
    read = client.get(f"/api/pages/{first.document_id}/html").json()
    assert read == {
        "id": str(first.document_id), "source_id": item.source_id, "url": "https://docs.example.com/a",
        "title": "A page", "truncated": False,
        "html": '<h1>Hi</h1>\n<p><a href="https://docs.example.com/b" rel="nofollow noopener ugc">b</a> '
        "&lt;script&gt;</p>\n",
    }  # fmt: skip
    alias = client.get(f"/api/pages/{second.document_id}/html").json()
    assert alias["html"] == read["html"].replace("/b", "/sub/b").replace("</sub/b", "</b")
    assert client.get("/api/pages/0/html").json()["detail"]["code"] == "page_unknown"
