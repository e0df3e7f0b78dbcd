"""What a request is answered that nothing foresaw, and one whose database was away or whose disk is full: in the
API's shape for the API.

Django calls `server_error` for what a view or a middleware raised, inside the handling of that error, and the
other two for what it refuses itself. A method that an address does not take has no such hook: `WrongMethod`.
"""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.defaults import bad_request as plain_bad_request
from django.views.defaults import page_not_found as plain_not_found
from django.views.defaults import server_error as plain_page

from archon.auth import GetResponse
from archon.screens import dashboard
from progress import disk
from progress.problem import problem

RETRY_AFTER_SECONDS = 5


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exc_info()[1]
    if error is not None and disk.is_full(error):
        full = problem(507, disk.FULL["message"], disk.FULL["code"], disk.FULL["hint"])
        full["Retry-After"] = str(disk.LOOK_AGAIN_SECONDS)
        return full
    if isinstance(error, (OperationalError, InterfaceError)):
        told = f"The database does not answer ({type(error).__name__})."
        hint = "Try again in a few seconds; `manage.py doctor` says what is wrong."
        response = problem(503, told, "database_failed", hint)
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    if request.path.startswith("/api/"):
        return problem(500, "Archon failed at this.", "internal_error", "The log of the web process says why.")
    return plain_page(request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An address that leads nowhere. A person is shown the dashboard, which says so and leads on."""
    if request.path.startswith("/api/"):
        return problem(404, "There is nothing at this address.", "not_found", "See /api/docs for what there is.")
    if "text/html" in request.headers.get("Accept", ""):
        return dashboard(request, status=404)
    return plain_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django refused before any view was asked."""
    if request.path.startswith("/api/"):
        return problem(400, "The request cannot be read.", "bad_request", "See /api/docs.")
    return plain_bad_request(request, exception)


class WrongMethod:
    """Middleware: every 405 of the API in its shape, with the methods there are, for a program and for a person."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != 405 or not request.path.startswith("/api/"):
            return response
        allowed = response["Allow"]
        refused = problem(
            405, f"{request.method} is not possible here.", "method_not_allowed", f"This address takes {allowed}."
        )
        refused["Allow"] = allowed
        return refused
