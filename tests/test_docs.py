"""The documentation names every setting, endpoint, message field and error code; here it is held to that."""

from __future__ import annotations

import re
from pathlib import Path

from django.urls import URLPattern, URLResolver, get_resolver

from archon.api import api
from archon.settings import env
from progress.messages import ProgressBody
from progress.status import Status

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_setting_stands_in_the_table_as_the_code_reads_it() -> None:
    documented = text_of("configuration.md")
    for row in env.table().splitlines():
        assert row in documented, f"docs/configuration.md lacks: {row}"


def test_every_variable_of_the_table_is_one_the_code_reads() -> None:
    named = re.findall(r"^\| `([A-Z_]+)`", text_of("configuration.md"), re.MULTILINE)
    assert set(named) <= set(env.declared)


def test_every_rest_endpoint_is_documented() -> None:
    documented = re.sub(r"\s+", " ", text_of("rest.md"))
    for path, operations in api.get_openapi_schema()["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in documented, f"docs/rest.md lacks {method.upper()} {path}"


def test_every_socket_path_is_documented() -> None:
    from archon.routing import websocket_urlpatterns

    documented = text_of("websocket.md")
    for route in websocket_urlpatterns:
        path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", route.pattern.regex.pattern).strip("^$")
        if path:
            assert f"`/{path}`" in documented, f"docs/websocket.md lacks /{path}"


def test_every_field_of_a_frame_is_documented() -> None:
    documented = text_of("websocket.md")
    for field in ProgressBody.__annotations__:
        assert f"`{field}`" in documented, f"docs/websocket.md lacks {field}"
    for status in Status:
        assert re.search(rf"\b{status.value}\b", documented), f"docs/websocket.md lacks the status {status.value}"


def test_every_error_code_is_documented() -> None:
    documented = text_of("rest.md") + text_of("websocket.md")
    sources = [*(ROOT / "crawler").glob("*.py"), *(ROOT / "knowledge").rglob("*.py"), *(ROOT / "progress").glob("*.py")]
    pattern = re.compile(
        r"""(?:InvalidUrl|ForbiddenAddress|FetchError|UnknownCrawl|WrongState|CrawlConflict|Unreadable|BadUpload|Trouble|_Stopped)\(\s*"([a-z_]+)"|code(?::\s\w+(?:\[\w+\])?)?\s?=\s?"([a-z_]+)\""""
    )
    for source in sources:
        for first, second in pattern.findall(source.read_text(encoding="utf-8")):
            code = first or second
            assert re.search(rf"\b{code}\b", documented), f"docs/rest.md lacks the code {code} of {source.name}"


def test_every_page_that_the_docs_link_to_exists() -> None:
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"README names make {target}"


def test_no_url_pattern_hides_behind_another() -> None:
    patterns: list[URLPattern | URLResolver] = list(get_resolver().url_patterns)
    seen = [str(pattern.pattern) for pattern in patterns]
    assert len(seen) == len(set(seen))
