"""What every body of a REST request has in common."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, StringConstraints, ValidationError

from progress.request import STRIPPED, RequestBody, unknown_among


class Body(RequestBody):
    days: int | None = Field(365, ge=1)
    depth: int = 1
    private: bool = False


@pytest.mark.parametrize("field", ["days", "depth"])
def test_true_is_no_number(field: str) -> None:
    with pytest.raises(ValidationError, match="expected a number, not true or false"):
        Body.model_validate({field: True})
    assert Body.model_validate({field: 2, "private": True}).private


class Tagged(RequestBody):
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=5), STRIPPED]]


def test_a_text_is_as_long_as_it_was_sent_and_kept_without_the_blanks_around_it() -> None:
    assert Tagged.model_validate({"tags": [" ab\t"]}).tags == ["ab"]
    for wrong in ("     a", "", " \n"):
        with pytest.raises(ValidationError):
            Tagged.model_validate({"tags": [wrong]})


class Outer(RequestBody):
    parts: list[Body] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("sent", "where"), [({"dayz": 1}, ("dayz",)), ({"days": 1, "dayz": None}, ("dayz",))], ids=["alone", "beside"]
)
def test_a_field_that_there_is_not_is_refused_by_name(sent: dict[str, Any], where: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate(sent)
    (fault,) = refused.value.errors()
    assert fault["loc"] == where
    assert fault["msg"] == "There is no such field. Did you mean days? Known are: days, depth, private."


def test_one_in_a_list_is_named_with_its_place() -> None:
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate({"parts": [{}, {"x{}": 1, "y": 2}]})
    assert [fault["loc"] for fault in refused.value.errors()] == [("parts", 1, "x{}"), ("parts", 1, "y")]


def test_a_name_without_an_end_is_shown_in_part() -> None:
    (name,) = unknown_among(["n" * 10_000], ["days"])
    assert len(name) == 80
