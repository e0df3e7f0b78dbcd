"""A site whose every page tries to run a script in whoever shows it.

Written for this test from the classes that OWASP's and PortSwigger's cheat sheets list: event attributes, odd
tags, script schemes, broken nesting, mutation on re-parsing, encodings, Markdown links, templates.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from tests.site import Answer, Route

VECTORS = (
    "<script>alert(1)</script>",
    "<script src=//127.0.0.1:1/x.js></script>",
    "<ScRiPt >alert(1)</sCrIpT >",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script/xss>alert(1)</script>",
    "<script>/*</title></script><script>*/alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    "<img/src=x/onerror=alert(1)>",
    "<img src='x' onerror='alert(1)' alt='\"><img src=x onerror=alert(1)>'>",
    '<img src="x` `<script>alert(1)</script>"` `>',
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text y=20>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><set attributeName=onmouseover to=alert(1)>",
    "<svg><foreignObject><iframe srcdoc='<script>parent.alert(1)</script>'></iframe></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<math><a xlink:href=javascript:alert(1)>x</a></math>",
    "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id='</style><img onerror=alert(1) src>'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<style><img src='</style><img src=x onerror=alert(1)//'></style>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "<textarea></textarea><img src=x onerror=alert(1)>",
    "<title></title><img src=x onerror=alert(1)>",
    "<template><img src=x onerror=alert(1)></template>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<object data='javascript:alert(1)'></object>",
    "<embed src='data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+'>",
    "<a href='javascript:alert(1)'>click</a>",
    "<a href='jAvAsCrIpT:alert(1)'>click</a>",
    "<a href='java\tscript:alert(1)'>click</a>",
    "<a href='&#106;avascript:alert(1)'>click</a>",
    "<a href=' javascript:alert(1)'>click</a>",
    "<a href='\x01javascript:alert(1)'>click</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>click</a>",
    "<a href='vbscript:msgbox(1)'>click</a>",
    "<base href='javascript:alert(1)//'><a href='#'>x</a>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<link rel=stylesheet href='data:text/css,*{x:expression(alert(1))}'>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<button popovertarget=p onclick=alert(1)>x</button><div id=p popover onbeforetoggle=alert(1)>y</div>",
    "<div style='background:url(javascript:alert(1))'>x</div>",
    "<p style='animation-name:x' onanimationstart=alert(1)>x</p>",
    "<x onclick=alert(1) tabindex=1 id=x autofocus onfocus=alert(1)>",
    "[x](javascript:alert(1))",
    '![x](x"onerror="alert(1))',
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "<javascript:alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    '\';alert(1);//"-alert(1)-"</script><script>alert(1)</script>',
    '\\"><img src=x onerror=alert(1)>',
)
FORMS = ("markup", "text", "code", "head", "markdown")
START = "/docs/"


def pages(count: int, edition: int = 0) -> Iterator[tuple[str, Route]]:
    """So many pages (path, answer): each vector in each form, in turn; of few pages, vectors of every kind. In a later
    edition the same addresses hold other vectors, in the same form."""
    step = max(1, len(VECTORS) // count)
    for number in range(count):
        vector = VECTORS[(number * step + edition) % len(VECTORS)]
        form = FORMS[(number // len(VECTORS) + number) % len(FORMS)]
        suffix = "md" if form == "markdown" else "html"
        kind = "text/markdown; charset=utf-8" if form == "markdown" else "text/html; charset=utf-8"
        yield f"{START}payload-{number:03d}.{suffix}", Answer(page(number, vector, form, edition), content_type=kind)


def page(number: int, vector: str, form: str, edition: int) -> str:
    # Some vectors leave no text behind: the edition makes the page another one all the same.
    word = f"hedgehog{number:03d}" + f" anew {edition}" * bool(edition)
    if form == "markdown":
        return f"# Payload {word}\n\n{vector}\n\n```\n{vector}\n```\n\n| {word} | b |\n|---|---|\n| {vector} | x |\n"
    head = f"<title>Payload {word}</title>"
    body = {
        "markup": f"<p>{vector}</p><h2 id='\"><img src=x onerror=alert(1)>'>Section {vector}</h2><p>After.</p>",
        "text": f"<h2>{escape(vector)}</h2><p>{escape(vector)}</p><a href='/docs/'>{escape(vector)}</a>",
        "code": f'<pre class="language-{escape(vector)}"><code>{escape(vector)}</code></pre>',
        "head": f"<p>{escape(vector)}</p>",
    }[form]
    if form == "head":
        said = escape(vector)
        head = f'<title>{said} {word}</title><meta name="description" content="{said}">'
    return f"<!DOCTYPE html><html><head>{head}</head><body><main><h1>Payload {word}</h1>{body}</main></body></html>"


def routes(count: int) -> dict[str, Route]:
    made = dict(pages(count))
    links = "".join(f'<li><a href="{path}">{path}</a></li>' for path in made)
    title = escape("<img src=x onerror=alert(1)>")
    start = f"<title>{title}</title><h1>{title}</h1><p>Payloads stand here.</p><ul>{links}</ul>"
    return {**made, START: start}
