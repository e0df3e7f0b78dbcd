"""The REST API is asked what its own schema allows, and what it forbids: no 500, and every answer as documented.

In the suite each operation gets a few requests, the same ones every time; `make fuzz-api` asks many, and new ones.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from archon.api import api

FEW = 2

pytestmark = pytest.mark.django_db


def operations() -> list[Any]:
    with contextlib.redirect_stdout(None):  # ninja prints warnings there
        document = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    found: Any = schemathesis.openapi.from_dict(document).get_all_operations()
    return [result.ok() for result in found]


@pytest.fixture(autouse=True)
def one_connection(settings: Any) -> Iterator[None]:
    """Which the test's transaction is on; the end of a request would close it. Nobody is asking too often."""
    settings.REQUESTS_PER_MINUTE = 0
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def schema_is_no_lie(_: Any, response: Response, case: Any) -> None:
    """What the schema allows, the schema's own validation lets through. An action may still refuse: an address that
    is none, a source that is unknown. It does so in words of its own, not with `invalid_request`.

    Not told by a schema: that blanks around a text do not count; and a form without its file is the generator's."""
    if response.status_code != 422 or case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    detail = response.json()["detail"]
    if detail["code"] == "invalid_request" and not (case.media_type or "").startswith("multipart/"):
        assert all(fault["error"].endswith("at least 1 character") for fault in detail["faults"]), detail


def refusals_have_the_one_shape(_: Any, response: Response, case: Any) -> None:
    if response.status_code >= 400:
        assert {"error", "code", "hint", "field"} <= response.json()["detail"].keys(), response.text
    if response.status_code in (429, 507):
        assert int(response.headers["retry-after"][0]) > 0


def cases() -> Iterator[Any]:
    """Each operation with what its schema allows, and with what it forbids where it forbids anything."""
    for operation in operations():
        yield pytest.param(operation, GenerationMode.POSITIVE, id=operation.label)
        if operation.query or operation.body:
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.label} badly")


@pytest.mark.parametrize(("operation", "mode"), list(cases()))
@pytest.mark.timeout(1_800)
def test_every_answer_is_as_documented(operation: Any, mode: GenerationMode, request: pytest.FixtureRequest) -> None:
    many = request.config.getoption("--examples", 0)
    application = get_wsgi_application()

    @settings(
        max_examples=many or FEW,
        derandomize=not many,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if many else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        # A body that may be left out may be null as well.
        assume(case.body is not None or operation.label != "POST /api/chat/sessions")
        case.call_and_validate(
            app=application,
            additional_checks=[schema_is_no_lie, refusals_have_the_one_shape],
            excluded_checks=[positive_data_acceptance],
        )

    ask()
