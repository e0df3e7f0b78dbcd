"""Traces arrive at a collector of the whole product, hang together, and tell nothing that they must not."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from progress import tracing
from tests.site import LocalSite, docs_site
from tests.stack import ROOT, eventually, running_stack

SECRET = "hunter2hunter2"  # what must not be told
QUESTION = "zebrafish0001"


class Collector:
    """An OTLP/HTTP receiver that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.bytes = b""
        collector = self

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.bytes += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def parent(self, span: Any) -> Any:
        return next((other for other in self.spans if other.span_id == span.parent_span_id), None)


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


def test_a_crawl_and_a_search_are_traces_from_the_request_to_the_page(collector: Collector) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with LocalSite(docs_site(3)) as site, running_stack(**environment) as stack:
        progress_id = stack.crawl(f"{site.url}/docs/?token={SECRET}", max_pages=3)
        stack.ended(progress_id)
        stack.search(QUESTION)
        eventually(lambda: collector.named("search") and collector.named("store") and collector.named("slice"))
        slices = [span for span in collector.named("slice") if attributes(span)["progress_id"] == progress_id]
        task = eventually(lambda: collector.parent(slices[0]), what="the task of the slice")
        request = eventually(lambda: collector.parent(task), what="the request of the task")

    assert task.name == "task crawler.tasks.crawl_slice"
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "api/knowledge-items/crawl",
        "http.response.status_code": 202,
    }
    for name in ("fetch", "extract", "store"):
        of_slice = [span for span in collector.named(name) if span.trace_id == request.trace_id]
        assert of_slice, name
        assert all(collector.parent(span).name == "slice" for span in of_slice)
    assert any(attributes(span)["server.address"] == "127.0.0.1" for span in collector.named("fetch"))
    (search,) = collector.named("search")
    assert attributes(collector.parent(search))["http.route"] == "api/rag/query"
    assert attributes(search)["hits"] >= 1
    for hidden in (SECRET, QUESTION, "/docs/", "chapter"):
        assert hidden.encode() not in collector.bytes


def test_an_error_is_told_by_its_kind_alone(collector: Collector, settings: Any) -> None:
    settings.OTEL_ENDPOINT = collector.url
    tracing.start()
    try:
        with pytest.raises(ValueError, match=SECRET), tracing.span("search", mode="hybrid"):
            raise ValueError(SECRET)
    finally:
        tracing.stop()
    (told,) = collector.spans
    assert attributes(told) == {"mode": "hybrid", "error.type": "ValueError"}
    assert SECRET.encode() not in collector.bytes


def test_without_a_collector_nothing_is_loaded_and_nothing_is_traced() -> None:
    with tracing.span("search", mode="hybrid") as current:
        assert current is tracing.UNSEEN
    script = "import sys, archon.asgi, crawler.slice; print([m for m in sys.modules if 'opentelemetry.exporter' in m])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_collector_without_the_packages_stops_the_start_with_the_remedy(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OTEL_ENDPOINT = "http://127.0.0.1:4318"
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ImproperlyConfigured, match="pip install opentelemetry-sdk"):
        tracing.start()
