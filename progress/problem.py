"""The one shape of an error over HTTP, for what answers outside the REST root."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse


def problem(status: int, error: str, code: str, hint: str) -> HttpResponse:
    detail = {"error": error, "code": code, "hint": hint, "field": None}
    return JsonResponse({"detail": detail}, status=status)
