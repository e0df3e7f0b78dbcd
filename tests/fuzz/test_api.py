"""The REST API is asked what its own schema allows, and what it forbids: no 500, and every answer as documented.

Three ways: at random, along the edges of every field (with methods that there are not and headers that are missing),
and in sequences where an answer's ids are asked for again. In the suite each operation gets a few requests, the same
ones every time; `make fuzz-api` asks many, and new ones.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.contrib.auth import get_user_model
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from archon import tokens
from archon.api import api
from archon.scopes import Scope

FEW = 2
EDGES = 4
STEPS = 10

pytestmark = pytest.mark.django_db


def schema() -> Any:
    with contextlib.redirect_stdout(None):  # ninja prints warnings there
        document = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    read: Any = schemathesis.openapi.from_dict(document)
    read.config.update(base_url="http://localhost")
    return read


def operations() -> list[Any]:
    return [result.ok() for result in schema().get_all_operations()]


def takes_json(operation: Any) -> bool:
    return any(body.media_type == "application/json" for body in operation.body)


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


CHECKS: dict[str, Any] = {
    "additional_checks": [schema_is_no_lie, refusals_have_the_one_shape],
    "excluded_checks": [positive_data_acceptance],
}


@pytest.fixture
def sent(settings: Any, request: pytest.FixtureRequest) -> dict[str, Any]:
    """To whom, and as whom: the operator of local mode, or with a token of a server's operator."""
    as_whom: dict[str, Any] = {"app": get_wsgi_application()}
    if request.config.getoption("--server", False):
        settings.LOCAL_MODE = False
        operator = get_user_model().objects.create_superuser("operator")
        issued = tokens.issue(operator, name="fuzz", scopes=tuple(Scope), days=None)
        as_whom["headers"] = {"Authorization": f"Bearer {issued.text}"}
    return as_whom


@pytest.fixture
def many(request: pytest.FixtureRequest) -> int:
    """Requests per operation; none: as few as the suite has time for."""
    return int(request.config.getoption("--examples", 0))


def how(many: int, few: int) -> settings:
    return settings(
        max_examples=many or few,
        derandomize=not many,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if many else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def cases() -> Iterator[Any]:
    """Each operation with what its schema allows, and with what it forbids where it forbids anything."""
    for operation in operations():
        yield pytest.param(operation, GenerationMode.POSITIVE, id=operation.label)
        if operation.query or operation.body:
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.label} badly")


@pytest.mark.parametrize(("operation", "mode"), list(cases()))
@pytest.mark.timeout(1_800)
def test_every_answer_is_as_documented(operation: Any, mode: GenerationMode, many: int, sent: dict[str, Any]) -> None:
    @how(many, FEW)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(**sent, **CHECKS)

    ask()


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: str(operation.label))
@pytest.mark.timeout(600)
def test_every_edge_is_answered_as_documented(operation: Any, many: int, sent: dict[str, Any]) -> None:
    """The cases are the same in every run; of the bodies with many fields the suite asks some."""
    edges = operation.schema.iter_coverage_cases(
        operation,
        generation_modes=list(GenerationMode),
        generation_config=operation.schema.config.generation_for(operation=operation, phase="coverage"),
        extra_data_source=None,
        error_feedback=None,
        session=None,
    )
    found = list(edges)
    for case in found[:: 1 if many else 1 + len(found) // EDGES]:
        case.call_and_validate(**sent, **CHECKS)


@pytest.mark.parametrize("operation", [one for one in operations() if takes_json(one)], ids=lambda one: str(one.label))
def test_a_body_that_is_no_object_is_refused_by_name(operation: Any, client: Client) -> None:
    """Ninja's own schemas read the fields from the attributes of anything: `[]` began a chat."""
    address = re.sub(r"{\w+}", "nobody", operation.path)
    for content in ("[]", "null", "1", '"title"', "true", ""):
        answer = client.generic(operation.method.upper(), address, content, "application/json")
        detail = answer.json()["detail"]
        assert (answer.status_code, detail["code"], detail["field"]) == (422, "invalid_request", "body"), content
        assert "JSON object" in detail["hint"]


@pytest.mark.timeout(3_600)
def test_what_an_answer_names_is_answered_as_documented_too(many: int, sent: dict[str, Any]) -> None:
    class Sequences(schema().as_state_machine()):  # type: ignore[misc]
        """Each begins with the same rows: what Hypothesis draws depends on the answers."""

        def setup(self) -> None:
            self.rows = transaction.atomic()
            self.rows.__enter__()

        def teardown(self) -> None:
            super().teardown()
            transaction.set_rollback(True)
            self.rows.__exit__(None, None, None)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return sent

        def validate_response(self, response: Response, case: Any, **_: Any) -> None:
            case.validate_response(response, **CHECKS)

    how_often = settings(how(many, FEW), stateful_step_count=STEPS, phases=[Phase.generate])
    run_state_machine_as_test(Sequences, settings=how_often)
