"""A span for every request, by its route: an address may hold ids, questions and tokens."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from archon.auth import GetResponse
from progress import tracing

FAILED = 500


class RequestSpans:
    """The outermost middleware. Every request begins a trace of its own: callers are strangers."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with tracing.span("request", http__request__method=request.method) as current:
            response = self.get_response(request)
            current.set_attribute("http.route", request.resolver_match.route if request.resolver_match else "none")
            current.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= FAILED:
                tracing.fail(current, str(response.status_code))
            return response
