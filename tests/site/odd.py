"""Small odd sites, as they are found: each with the pages that a person would find on it, and what each says.

All are honest. What is odd is how they link, what they call their pages, how they write, and what their generators
put around the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.site.server import Answer, Route

CHROME = "Skip to content"
PROSE = (
    "<p>Every page of a documentation goes on for some sentences, as this one does, before it shows how it is done. "
    "They say what the thing is for, when to use it, and what it costs. Whoever reads them knows more than before.</p>"
)
CODE = "def f(x):\n    return x  # twice"
HTML_CODE = "def f(x):\n    return x  <i># twice</i>"


@dataclass(frozen=True)
class OddSite:
    """`says` are the texts of each page by its path: exactly these pages are stored, and none says `chrome`.

    The paths are those under which a page is stored, below the site's own folder. `twins` are other addresses of a
    page: which of them comes first is told by nobody, and the others show its text without storing it again.
    """

    name: str
    routes: dict[str, Route]
    says: dict[str, tuple[str, ...]]
    seed: str = ""
    chrome: tuple[str, ...] = (CHROME,)
    twins: dict[str, str] = field(default_factory=dict)


def page(title: str, body: str = "", *, head: str = "", links: str = "") -> str:
    """With navigation around it, which is no text of the page."""
    return (
        f'<!DOCTYPE html><html><head><title>{title}</title>{head}</head><body><a class="skip" href="#main">{CHROME}</a>'
        f"<nav>{links}</nav><main id=main><h1>{title}</h1><p>This is what {title} says.</p>"
        f"{PROSE}{body}</main></body></html>"
    )


def to(*paths: str) -> str:
    return "".join(f'<a href="{path}">to</a> ' for path in paths)


def said(title: str) -> tuple[str, ...]:
    return (f"This is what {title} says.",)


def linking_by_elements() -> Iterator[OddSite]:
    yield OddSite(
        "frames",
        {
            "": "<title>Framed</title><frameset cols='20%,80%'><frame src=menu.html><frame src=first.html>"
            "<noframes><p>Frames are needed, or <a href=first.html>the first</a>.</p></noframes></frameset>",
            "menu.html": "<title>Menu</title><p>The contents.</p><a href=first.html>1</a> <a href=second.html>2</a>",
            "first.html": page("First"),
            "second.html": page("Second"),
        },
        {"menu.html": ("The contents.",), "first.html": said("First"), "second.html": said("Second")},
    )
    yield OddSite(
        "refresh",
        {
            "": '<title>Moved</title><meta http-equiv=Refresh content="0; URL=en/"><p>Moved.</p>',
            "en/": page("English", links=to("more.html")),
            "en/more.html": page("More"),
        },
        {"": ("Moved.",), "en/": said("English"), "en/more.html": said("More")},
    )
    yield OddSite(
        "base",
        {
            "": page("Based", head='<base href="deep/down/">', links=to("one.html", "../two.html")),
            "deep/down/one.html": page("One"),
            "deep/two.html": page("Two"),
        },
        {
            "": said("Based"),
            "deep/down/one.html": said("One"),
            "deep/two.html": said("Two"),
        },
    )
    yield OddSite(
        "areas",
        {
            "": page(
                "Map", "<img usemap=#m src=m.png><map name=m><area href=north.html><area href='south.html'></map>"
            ),
            "north.html": page("North"),
            "south.html": page("South"),
        },
        {"": said("Map"), "north.html": said("North"), "south.html": said("South")},
    )


def linking_by_addresses() -> Iterator[OddSite]:
    yield OddSite(
        "only-fragments-and-queries",
        {
            "": page("Only", links=to("#a", "?page=2", "?page=2#b", "#", "?", "")),
            "?page=2": page("Second"),
        },
        {"": said("Only"), "?page=2": said("Second")},
    )
    yield OddSite(
        "hashes",
        {"": page("App", links=to("#/guide", "#!/api", "real.html#/x")), "real.html": page("Real")},
        {"": said("App"), "real.html": said("Real")},
    )
    yield OddSite(
        "spaces",
        {
            "": page("Spaces", links='<a href=" a b.html ">1</a><a href="c\n d.html">2</a><a href="a%20b.html">3</a>'),
            "a b.html": page("A B"),
            "c d.html": page("C D"),
        },
        {"": said("Spaces"), "a%20b.html": said("A B"), "c%20d.html": said("C D")},
    )
    yield OddSite(
        "canonical",
        {
            "": page("Canon", links=to("old.html", "other.html")),
            "old.html": page("Old", head='<link rel=canonical href="new.html">'),
            "new.html": page("Old", head='<link rel=canonical href="new.html">'),
            "other.html": page("Other", head='<link rel=canonical href="http://elsewhere.example/">'),
        },
        {"": said("Canon"), "old.html": said("Old"), "other.html": said("Other")},
    )


def naming_twice() -> Iterator[OddSite]:
    yield OddSite(
        "slashes",
        {
            "": page("Slashes", links=to("a", "a/", "b", "b/")),
            "a": page("A"),
            "a/": page("A"),
            "b": page("B"),
            "b/": page("B"),
        },
        {"": said("Slashes"), "a": said("A"), "b": said("B")},
        twins={"a/": "a", "b/": "b"},
    )
    yield OddSite(
        "twins",
        {
            "": page("Twins", links=to("x.html", "x", "index.html", "sub/index.html", "sub/")),
            "index.html": page("Twins", links=to("x.html", "x", "index.html", "sub/index.html", "sub/")),
            "x.html": page("X"),
            "x": page("X"),
            "sub/": page("Sub"),
            "sub/index.html": page("Sub"),
        },
        {"": said("Twins"), "x.html": said("X"), "sub/": said("Sub")},
        twins={"index.html": "", "x": "x.html", "sub/index.html": "sub/"},
    )
    yield OddSite(
        "soft",
        {
            "": page("Soft", links=to("lost", "gone", "real.html")),
            "lost": page("Not found", "<p>There is nothing here.</p>"),
            "gone": page("Not found", "<p>There is nothing here.</p>"),
            "real.html": page("Real"),
        },
        {"": said("Soft"), "lost": said("Not found"), "real.html": said("Real")},
        twins={"gone": "lost"},
    )


def spelling() -> Iterator[OddSite]:
    yield OddSite(
        "spellings",
        {
            "": page(
                "Spelt", links=to("Case.html", "case.html", "caf%C3%A9.html", "café.html", "%63ase.html", "日本/")
            ),
            "Case.html": page("Upper"),
            "case.html": page("Lower"),
            "café.html": page("Café"),
            "日本/": page("Japan"),
        },
        {
            "": said("Spelt"),
            "Case.html": said("Upper"),
            "case.html": said("Lower"),
            "caf%C3%A9.html": said("Café"),
            "%E6%97%A5%E6%9C%AC/": said("Japan"),
        },
    )


def writing() -> Iterator[OddSite]:
    def lying(text: str, encoding: str, said: str) -> Answer:
        return Answer(page(text).encode(encoding), content_type=said)

    yield OddSite(
        "charsets",
        {
            "": page("Charsets", links=to("latin.html", "sjis.html", "utf.html")),
            "latin.html": Answer(page("Größe").encode("latin-1"), content_type="text/html; charset=iso-8859-1"),
            "sjis.html": Answer(
                page("漢字", head="<meta charset=shift_jis>").encode("shift_jis"), content_type="text/html"
            ),
            "utf.html": lying("Grüße", "utf-8", "text/html"),
        },
        {
            "": said("Charsets"),
            "latin.html": said("Größe"),
            "sjis.html": said("漢字"),
            "utf.html": said("Grüße"),
        },
    )
    yield OddSite(
        "xhtml",
        {
            "": Answer(
                '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x">'
                '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Strict</title><script src="a.js" /></head>'
                "<body><h1>Strict</h1><p>It is <br/>well-formed.</p><a name='x' /><p>After it. "
                "<a href='next.html'>n</a></p></body></html>",
                content_type="application/xhtml+xml",
            ),
            "next.html": page("Next"),
        },
        {"": ("well-formed.", "After it."), "next.html": said("Next")},
    )
    yield OddSite(
        "japanese",
        {
            "": '<html lang=ja><title>入門</title><nav><a href="索引.html">索引</a></nav><main><h1>入門</h1>'
            "<p>この文書は、待ち行列の使い方を説明します。</p><pre>print('こんにちは')</pre></main>",
            "索引.html": "<html lang=ja><title>索引</title><main><h1>索引</h1><p>用語の一覧です。</p></main>",
        },
        {
            "": ("この文書は、待ち行列の使い方を説明します。", "print('こんにちは')"),
            "%E7%B4%A2%E5%BC%95.html": ("用語の一覧です。",),
        },
    )


def saying_little() -> Iterator[OddSite]:
    around = (
        f'<a href="#c">{CHROME}</a><header>Logo</header><div class=top><a href="./">Menu</a> <a href="of.html">Of it'
        "</a></div><nav>Side</nav><aside>Aside</aside>{}<div id=end><a href=of.html>Imprint</a></div>"
    )
    yield OddSite(
        "short",
        {
            "": around.format("<main id=c><h1>Short</h1><p>All of it.</p></main>"),
            "of.html": f"<a href='#c'>{CHROME}</a><main id=c></main><p>This text stands where nobody looks for it.</p>",
        },
        {"": ("# Short", "All of it."), "of.html": ("This text stands where",)},
        chrome=(CHROME, "Logo", "Menu", "Side", "Aside", "Imprint"),
    )


# ---- What generators put around a page ----------------------------------------------------

GENERATED = {
    "sphinx": f"""<div class="related" role="navigation"><h3>Navigation</h3><ul><li><a href="genindex.html">index</a>
</ul></div><div class="document"><div class="documentwrapper"><div class="bodywrapper"><div class="body" role="main">
<section id="t"><h1>TITLE<a class="headerlink" href="#t" title="Link to this heading">¶</a></h1>TEXT<div
class="highlight-python notranslate"><div class="highlight"><pre><span></span>{HTML_CODE}
</pre></div></div><dl class="py function"><dt class="sig"><code>open(path)</code></dt><dd><p>Read it.</p></dd></dl>
</section></div></div></div><div class="sphinxsidebar" role="navigation"><p>This Page</p><a href="NEXT">Next topic</a>
<a href="_sources/index.rst.txt">Show Source</a></div></div><div class="footer">Created using Sphinx</div>""",
    "mkdocs": f"""<header class="md-header"><a href=".">Project home</a></header><div class="md-container">
<nav class="md-tabs"><a href="NEXT">Tab</a></nav><main class="md-main"><div
class="md-sidebar md-sidebar--primary"><nav>
<a href="NEXT">Side link</a></nav></div><div class="md-sidebar md-sidebar--secondary"><nav class="md-nav">
<label>Table of contents</label></nav></div><div class="md-content"><article class="md-content__inner md-typeset">
<a class="md-content__button md-icon" title="Edit this page" href="edit"></a><h1 id="t">TITLE<a class="headerlink"
href="#t">&para;</a></h1>TEXT<div class="highlight"><pre><code><a id="l1" name="l1"
href="#l1"></a>{HTML_CODE}
</code></pre></div></article></div></main><footer class="md-footer">Made with Material for MkDocs</footer></div>""",
    "docusaurus": """<div id="__docusaurus"><div role="region" aria-label="Skip to main content"><a
href="#c">Skip to main
content</a></div><nav class="navbar">Navbar <a href="NEXT">x</a></nav><div class="main-wrapper"><aside
class="theme-doc-sidebar-container"><a href="NEXT">Side link</a></aside><main><article><nav
class="theme-doc-breadcrumbs"
><ul><li>Crumbs</ul></nav><div class="theme-doc-markdown markdown"><header><h1>TITLE</h1></header>TEXT<div
class="language-python codeBlockContainer"><div class="codeBlockContent"><pre
class="prism-code language-python"><code><span class="token-line">def f(x):<br></span><span
class="token-line">    return x  # twice<br></span></code></pre><div
class="buttonGroup"><button>Copy</button></div></div></div></div><footer
class="theme-doc-footer"><a href="edit">Edit this page</a></footer></article><nav class="pagination-nav"><a
href="NEXT">Next page</a></nav></main></div><footer class="footer">Built with Docusaurus</footer></div>""",
    "vitepress": """<div id="app"><div class="Layout"><span tabindex="-1"></span><a href="#VPContent"
class="VPSkipLink
visually-hidden">Skip to content</a><header class="VPNav">Navbar</header><aside class="VPSidebar"><a href="NEXT">Side
link</a></aside><div class="VPContent has-sidebar" id="VPContent"><div class="VPDoc"><div class="container"><div
class="aside"><div class="VPDocAsideOutline"><nav><div>On this page</div></nav></div></div><div class="content"><main
class="main"><div class="vp-doc"><div><h1 id="t" tabindex="-1">TITLE <a class="header-anchor" href="#t"
aria-label="Permalink to TITLE">&#8203;</a></h1>TEXT<div class="language-py
vp-adaptive-theme"><button title="Copy Code" class="copy"></button><span class="lang">py</span><pre
class="shiki"><code><span class="line">def f(x):</span>
<span class="line">    return x  # twice</span></code></pre></div></div></div></main><footer class="VPDocFooter">Last
updated <a href="NEXT">Next page</a></footer></div></div></div></div></div></div>""",
    "mdbook": f"""<div id="body-container"><nav id="sidebar" class="sidebar"><ol class="chapter"><li><a
href="NEXT">Side
link</a></ol></nav><div id="page-wrapper" class="page-wrapper"><div class="page"><div id="menu-bar"
class="menu-bar"><h1 class="menu-title">The Book</h1></div><div id="content" class="content"><main><h1 id="t"><a
class="header" href="#t">TITLE</a></h1>TEXT<pre><code
class="language-python">{CODE}
</code></pre></main><nav class="nav-wrapper"><a rel="next"
href="NEXT">Next chapter</a></nav></div></div></div></div>""",
    "rustdoc": f"""<nav class="mobile-topbar">Topbar</nav><nav class="sidebar"><h2>Sidebar <a
href="NEXT">x</a></h2></nav><main><div
class="width-limiter"><section id="main-content" class="content"><div class="main-heading"><span
class="rustdoc-breadcrumbs"><a href="../index.html">example</a></span><h1>Function <span>TITLE</span>&nbsp;<button
id="copy-path">Copy item path</button></h1></div><pre class="rust item-decl"><code>pub fn open(path: &amp;<a
href="str.html">str</a>)</code></pre><details class="toggle top-doc" open><summary
class="hideme"><span>Expand description</span></summary><div class="docblock">TEXT<div
class="example-wrap"><pre class="rust rust-example-rendered"><code>{HTML_CODE}
</code></pre></div></div></details></section></div></main>""",
    "javadoc": f"""<div class="flex-box"><header class="flex-header"><nav><div
class="top-nav">Overview Package Class <a
href="NEXT">Tree</a></div></nav></header><div class="flex-content"><main role="main"><div class="header"><h1
title="Class TITLE"
class="title">Class TITLE</h1></div><section class="class-description" id="class-description"><div
class="type-signature">public class Reader</div><div class="block">TEXT</div><pre><code>{CODE}
</code></pre></section></main><footer role="contentinfo"><hr><p
class="legal-copy">Copyright somebody</p></footer></div></div>""",
    "gitbook": """<div class="site-header"><header>Header <a href="NEXT">x</a></header></div><aside
data-testid="table-of-contents"><a
href="NEXT">Side link</a></aside><main class="relative min-w-0 flex-1 page-body"><header
class="max-w-3xl mx-auto mb-6"><h1 class="text-4xl font-bold">TITLE</h1></header><div
class="grid [&>*+*]:mt-5">TEXT<div class="group/codeblock"><button>Copy</button><pre><code><div
class="highlight-line">def f(x):
</div><div class="highlight-line">    return x  # twice
</div></code></pre></div></div><div class="flex flex-col md:flex-row mt-6 gap-2"><a class="group text-sm flex"
href="NEXT"><svg></svg><span class="flex flex-col"><span class="text-xs">Previous</span><span
class="text-base line-clamp-2">Chapter before</span></span></a><a class="group text-sm flex" href="NEXT"><span
class="flex flex-col"><span class="text-xs">Next</span><span class="text-base line-clamp-2">Chapter
after</span></span><svg></svg></a></div><div class="flex flex-row flex-wrap items-center mt-6"><p
class="text-sm mr-auto">Last updated <time datetime="2025-03-04T09:59:26.000Z">8 months ago</time></p><div
class="feedback"><p>Was this helpful?</p><button>Yes</button></div></div></main>""",
    "doxygen": """<div id="top"><div id="titlearea"><table><tbody><tr><td><div
id="projectname">The Project</div></td></tr></tbody></table></div><div id="main-nav"></div><div
id="nav-path" class="navpath"><ul><li class="navelem"><a
class="el" href="NEXT">Namespace path</a></li></ul></div></div><div class="header"><div
class="headertitle"><div class="title">TITLE Class Reference</div></div></div><div class="contents"><div
class="textblock">TEXT</div><div class="fragment"><div class="line"><a id="l00001" name="l00001"></a><span
class="lineno">    1</span>def f(x):</div>
<div class="line"><a id="l00002" name="l00002"></a><span class="lineno">    2</span>    <span
class="keywordflow">return</span> x  <span class="comment"># twice</span></div>
</div><a href="NEXT">All members</a></div><hr class="footer"/><address class="footer"><small>Generated by
somebody</small></address>""",
}
AROUND = (
    "Navigation", "This Page", "Show Source", "Next topic", "Created using", "Project home", "Tab", "Side link",
    "Table of contents", "Made with", "Edit this page", "Skip to", "Navbar", "Crumbs", "Copy", "Built with",
    "On this page", "The Book", "Next chapter", "Topbar", "Sidebar", "The Project", "Namespace path", "Generated by",
    "Expand description", "Overview Package", "¶", "Previous", "Next page", "Chapter", "Last updated", "helpful",
)  # fmt: skip


def generated() -> Iterator[OddSite]:
    text = f"<p>This is what TITLE says.</p>{PROSE}<p>Open it.</p>"
    for name, html in GENERATED.items():
        around = (
            f"<!DOCTYPE html><html><head><title>TITLE</title></head><body>{html.replace('TEXT', text)}</body></html>"
        )
        routes: dict[str, Route] = {
            "": around.replace("TITLE", "Start").replace("NEXT", "next.html"),
            "next.html": around.replace("TITLE", "Next").replace("NEXT", "./"),
        }
        says = {"": (*said("Start"), "Open it.", CODE), "next.html": (*said("Next"), "Open it.", CODE)}
        yield OddSite(f"by-{name}", routes, says, chrome=AROUND)


KINDS = (linking_by_elements, linking_by_addresses, naming_twice, spelling, writing, saying_little, generated)
SITES = {site.name: site for kind in KINDS for site in kind()}
