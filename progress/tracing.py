"""OpenTelemetry traces: spans of requests, tasks, slices, pages and searches, when an endpoint is configured.

Without OTEL_EXPORTER_OTLP_ENDPOINT nothing of OpenTelemetry is imported and a span costs a look at a variable.
A span tells ids, hosts, counts, codes and times: no address, no question, no text of a page and no message of an
error, which may hold any of them.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: "
    "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
)

_tracer: Any = None
_provider: Any = None


class Unseen:
    """Stands for a span that nobody will read."""

    def set_attribute(self, name: str, value: Any) -> None:
        pass

    def end(self) -> None:
        pass


UNSEEN = Unseen()


def start() -> None:
    """Once per process, before the first span; forked workers go on with it. Raises ImproperlyConfigured."""
    global _tracer, _provider
    if not settings.OTEL_ENDPOINT or _tracer is not None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ImproperlyConfigured(MISSING) from error
    # A provider of our own and not the global one: libraries that trace themselves would tell addresses.
    _provider = TracerProvider(resource=Resource.create({"service.name": settings.OTEL_SERVICE_NAME}))
    endpoint = settings.OTEL_ENDPOINT.rstrip("/") + "/v1/traces"
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    _tracer = _provider.get_tracer("archon")
    follow_tasks()


def flush() -> None:
    if _provider is not None:
        _provider.force_flush(5_000)


def stop() -> None:
    """Sends what is left, and traces nothing more."""
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Any]:
    """Around a piece of work; what is begun inside is its child. An error leaves its type alone."""
    if _tracer is None:
        yield UNSEEN
        return
    with _tracer.start_as_current_span(
        name, attributes=_told(attributes), record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            fail(current, type(error).__name__)
            raise


async def traced(work: Coroutine[Any, Any, T], begun: Any) -> T:
    """The coroutine `work` under a span that `begin` made in the thread that asked for it."""
    try:
        return await work
    except BaseException as error:
        fail(begun, str(getattr(error, "code", "") or type(error).__name__))
        raise
    finally:
        begun.end()


def begin(name: str, **attributes: Any) -> Any:
    """A span that begins here, as a child of what is current, and ends where its `end` is called."""
    return UNSEEN if _tracer is None else _tracer.start_span(name, attributes=_told(attributes))


def fail(span: Any, code: str) -> None:
    if span is UNSEEN:
        return
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR))


def _told(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in attributes.items() if value is not None}


# ---- tasks: the message carries the trace from who asked to who works ----------------------

HEADER = "traceparent"
_running: dict[str, tuple[Any, Any]] = {}


def follow_tasks() -> None:
    from celery import signals

    signals.before_task_publish.connect(_on_publish, weak=False, dispatch_uid="tracing")
    signals.task_prerun.connect(_on_prerun, weak=False, dispatch_uid="tracing")
    signals.task_postrun.connect(_on_postrun, weak=False, dispatch_uid="tracing")
    signals.task_failure.connect(_on_failure, weak=False, dispatch_uid="tracing")
    signals.worker_process_shutdown.connect(_on_shutdown, weak=False, dispatch_uid="tracing")


def _on_publish(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if _tracer is not None and headers is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)


def _on_prerun(task_id: str, task: Any, **_: Any) -> None:
    if _tracer is None:
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carried = getattr(task.request, HEADER, None)
    parent = TraceContextTextMapPropagator().extract({HEADER: carried}) if isinstance(carried, str) else None
    kind = trace.SpanKind.CONSUMER
    begun = _tracer.start_span(f"task {task.name}", context=parent, kind=kind, attributes={"task.id": task_id})
    activation = trace.use_span(begun, end_on_exit=True, record_exception=False, set_status_on_exception=False)
    activation.__enter__()
    _running[task_id] = (begun, activation)


def _on_failure(task_id: str, exception: BaseException, **_: Any) -> None:
    if task_id in _running:
        fail(_running[task_id][0], type(exception).__name__)


def _on_postrun(task_id: str, **_: Any) -> None:
    if task_id in _running:
        _running.pop(task_id)[1].__exit__(None, None, None)


def _on_shutdown(**_: Any) -> None:
    flush()
