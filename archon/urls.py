"""All HTTP paths: health, REST, admin, and the dashboard's pages."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from archon import debug, health
from archon.api import api
from archon.asyncapi import asyncapi
from archon.auth import protected_resource
from archon.documentation import documentation
from archon.screens import dashboard
from knowledge.chat.views import chat_events
from progress.views import progress_events


def favicon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for on the pages that name no icon: the admin, the API docs."""
    icon = next((settings.DASHBOARD_DIR / "assets").glob("icon-*.svg"))
    return HttpResponse(icon.read_bytes(), content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


admin.site.site_header = admin.site.site_title = "Archon"
admin.site.site_url = "/"

handler400 = "archon.failures.bad_request"
handler404 = "archon.failures.not_found"
handler500 = "archon.failures.server_error"

urlpatterns = [
    path("favicon.ico", favicon),
    path("health", health.health),
    path("api/health", health.health),
    path("ready", health.ready),
    path("metrics", debug.prometheus),
    path("api/debug/realtime", debug.realtime),
    path("api/asyncapi.json", asyncapi),
    path("api/progress/<path:progress_id>/events", progress_events),
    re_path(r"^\.well-known/oauth-protected-resource(?:/mcp)?$", protected_resource, name="protected-resource"),
    path("api/chat/sessions/<path:session_id>/events", chat_events),
    path("api/", api.urls),
    path("docs", documentation, {"name": "/"}),
    path("docs/", documentation, name="docs"),
    path("docs/<path:name>", documentation, name="docs-page"),
    path("admin/", admin.site.urls),
    re_path(
        r"^$|^(?:add|search|chat|assistants|settings|system)$|^(?:chat|crawls|settings|sources)/.*$",
        dashboard,
        name="dashboard",
    ),
]
