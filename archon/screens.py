"""The dashboard's page, as browsers get it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def dashboard(request: HttpRequest, status: int = 200) -> HttpResponse:
    """One page for all of the dashboard's addresses; its script shows the right view."""
    page = (settings.DASHBOARD_DIR / "index.html").read_bytes()
    response = HttpResponse(page, content_type="text/html", status=status)
    response["Cache-Control"] = "no-cache"
    response["Content-Security-Policy"] = (
        # 'self' covers the sockets of this host in current browsers; older ones need them named.
        f"default-src 'self'; connect-src 'self' ws://{request.get_host()} wss://{request.get_host()}; "
        "img-src 'self' data:; object-src 'none'; frame-src 'none'; worker-src 'none'; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )
    return response
