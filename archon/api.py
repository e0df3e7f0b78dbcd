"""The REST root: every app's router, and every app's errors rendered once, in one shape."""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.docs import ABS_TPL_PATH, Swagger
from ninja.openapi.schema import OpenAPISchema

from archon.errors import AccessError
from archon.mcp.api import router as mcp_router
from archon.mcp.clients import UnknownClient
from archon.problems import with_refusals
from archon.settings_api import router as settings_router
from archon.tokens_api import router as tokens_router
from archon.webhooks.api import router as webhooks_router
from crawler.api import router as crawler_router
from crawler.errors import CrawlerError
from knowledge.api import router as knowledge_router
from knowledge.chat.api import router as chat_router
from knowledge.errors import KnowledgeError
from progress.api import router as progress_router
from progress.errors import ProgressError

BODY = "body"
AS_JSON = "Send one JSON object with Content-Type: application/json."


class Api(NinjaAPI):
    """Its OpenAPI also says how it refuses."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        return cast(OpenAPISchema, with_refusals(super().get_openapi_schema(**options)))


class ApiDocs(Swagger):
    """With scripts from here: unless it is an installed app, Ninja takes them from the internet."""

    template_cdn = str(ABS_TPL_PATH / "swagger.html")


api = Api(title="Archon", version="0.1.0", docs=ApiDocs(), docs_url="/docs", urls_namespace="api")
api.add_router("", crawler_router)
api.add_router("", knowledge_router)
api.add_router("", chat_router)
api.add_router("", progress_router)
api.add_router("", mcp_router)
api.add_router("", tokens_router)
api.add_router("", settings_router)
api.add_router("", webhooks_router)


def problem(
    request: HttpRequest, status: int, *, error: str, code: str, hint: str = "", field: str | None = None, **more: Any
) -> HttpResponse:
    """The one shape of an error: a sentence, a machine word, the remedy and the field at fault."""
    detail = {"error": error, "code": code, "hint": hint, "field": field, **more}
    return api.create_response(request, {"detail": detail}, status=status)


def render_error(request: HttpRequest, error: Any) -> HttpResponse:
    response = problem(
        request, error.http_status, error=error.message, code=error.code, hint=error.hint, field=error.field
    )
    if seconds := getattr(error, "retry_after", None):
        response["Retry-After"] = str(round(seconds))
    return response


for tree in (AccessError, CrawlerError, KnowledgeError, ProgressError):
    api.add_exception_handler(tree, render_error)


@api.exception_handler(UnknownClient)
def render_unknown_client(request: HttpRequest, error: UnknownClient) -> HttpResponse:
    return problem(
        request, 404, error=str(error), code="client_unknown", hint="Leave client out for all.", field="client"
    )


@api.exception_handler(ValidationError)
def render_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """The first fault names the field; all of them are listed."""
    faults = [_fault(fault) for fault in error.errors]
    first = faults[0] if faults else {"field": None, "error": "invalid request"}
    named = f"{first['field']}: " if first["field"] else ""
    see = "See /api/docs for what this endpoint takes."
    return problem(
        request,
        422,
        error=f"{named}{first['error']}",
        code="invalid_request",
        hint=f"{AS_JSON} {see}" if first["field"] == BODY else see,
        field=first["field"],
        faults=faults,
    )


def _fault(fault: Any) -> dict[str, str | None]:
    """The field by its path in the body or the query; a body that is none at all is the field `body`."""
    source, *path = fault["loc"]
    field = ".".join(str(part) for part in path if part != BODY)
    if not field and source == BODY:
        return {"field": BODY, "error": "Field required" if fault["type"] == "missing" else "A JSON object is expected"}
    return {"field": field or None, "error": fault["msg"]}


@api.exception_handler(MultiPartParserError)
@api.exception_handler(SuspiciousOperation)
def render_unreadable_body(request: HttpRequest, error: Exception) -> HttpResponse:
    """Too many files or fields, or a body that is no multipart form."""
    return problem(
        request, 400, error=f"The body cannot be read: {error}", code="bad_request", hint="See /api/docs.", field=None
    )


@api.exception_handler(HttpError)
def render_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    hint = "See /api/docs for what this endpoint takes."
    if error.status_code == 400:  # ninja's own words for a body that is no JSON
        hint = f"{AS_JSON} {hint}"
    return problem(request, error.status_code, error=str(error), code="bad_request", hint=hint)
